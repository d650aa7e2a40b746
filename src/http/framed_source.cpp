#include "framed_source.hpp"

#include <charconv>
#include <cstring>

namespace lihandover::http {
namespace {

namespace asio = boost::asio;

constexpr std::size_t block = std::size_t{64} * 1024;

}  // namespace

FramedSource::FramedSource(BodySource& source, std::optional<std::uint64_t> length, bool chunked)
    : source_(source), length_(length), chunked_(chunked), buffer_(block) {}

FramedSource::~FramedSource() {
    explicit_bzero(buffer_.data(), buffer_.size());
}

asio::awaitable<bool> FramedSource::next() {
    count_ = 0;
    const model::Result<std::size_t> size = co_await source_.read(buffer_);
    if (!size || *size > buffer_.size() || (length_ && *size > *length_ - framed_)) {
        co_return false;
    }
    framed_ += *size;
    ended_ = *size == 0;
    if (ended_ && length_ && framed_ != *length_) {
        co_return false;
    }
    const std::string_view bytes{buffer_.data(), *size};
    if (chunked_) {
        // RFC 9112 7.1; the chunk of no bytes is the last one, and no trailer follows.
        const auto end = std::to_chars(digits_.data(), digits_.data() + digits_.size(), *size, 16).ptr;
        parts_ = {std::string_view{digits_.data(), static_cast<std::size_t>(end - digits_.data())}, "\r\n", bytes,
                  "\r\n"};
        count_ = parts_.size();
    } else if (!ended_) {
        parts_[0] = bytes;
        count_ = 1;
    }
    co_return true;
}

}  // namespace lihandover::http
