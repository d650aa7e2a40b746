#include "body.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lihandover::objectserver {

namespace asio = boost::asio;

asio::awaitable<model::Result<std::size_t>> Measure::read(std::span<char> /*buffer*/) {
    co_return model::Error{"there is nothing to send in answer to HEAD"};
}

ObjectBody::ObjectBody(Reading reading, ByteRange range) : reading_(std::move(reading)) {
    parts_.push_back({{}, range});
    size_ = range.size();
}

ObjectBody::ObjectBody(Reading reading, const std::vector<ByteRange>& ranges, std::string_view type,
                       std::string_view boundary)
    : reading_(std::move(reading)) {
    const std::string whole = std::to_string(reading_.reader->size());
    for (const ByteRange& range : ranges) {
        std::string text = "\r\n--";
        text += boundary;
        text += "\r\nContent-Type: ";
        text += type;
        text += "\r\nContent-Range: bytes " + std::to_string(range.begin) + '-' + std::to_string(range.end - 1) + '/' +
                whole + "\r\n\r\n";
        size_ += text.size() + range.size();
        parts_.push_back({std::move(text), range});
    }
    std::string end = "\r\n--";
    end += boundary;
    end += "--\r\n";
    size_ += end.size();
    parts_.push_back({std::move(end), {}});
}

std::size_t ObjectBody::give_text(std::span<char> buffer) {
    const std::string& text = parts_[part_].text;
    const std::size_t count = std::min(buffer.size(), text.size() - text_given_);
    std::memcpy(buffer.data(), text.data() + text_given_, count);
    text_given_ += count;
    return count;
}

void ObjectBody::next_part() {
    bytes_.reset();
    ++part_;
    text_given_ = 0;
    range_given_ = 0;
}

asio::awaitable<model::Result<std::size_t>> ObjectBody::read(std::span<char> buffer) {
    // The caller asks for more only after sending what it was given.
    sent_ = given_;
    while (part_ < parts_.size()) {
        const Part& part = parts_[part_];
        if (text_given_ < part.text.size()) {
            co_return give_text(buffer);
        }
        if (range_given_ == part.range.size()) {
            next_part();
            continue;
        }
        if (!bytes_) {
            http::BlockRead read = [reader = reading_.reader](std::uint64_t at, std::span<char> out) {
                return reader->read(at, out);
            };
            bytes_ = std::make_unique<http::ReadAhead>(reading_.executor, reading_.pool, std::move(read),
                                                       part.range.begin, part.range.end);
        }
        const model::Result<std::size_t> count = co_await bytes_->read(buffer);
        if (!count) {
            failure_ = count.error();
            co_return count;
        }
        range_given_ += *count;
        given_ += *count;
        if (range_given_ == part.range.size()) {
            next_part();
        }
        co_return count;
    }
    co_return std::size_t{0};
}

}  // namespace lihandover::objectserver
