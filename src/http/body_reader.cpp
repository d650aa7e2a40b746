#include "body_reader.hpp"

#include <algorithm>
#include <boost/beast/http/error.hpp>
#include <cstring>

#include "lihandover/base/invariant.hpp"

namespace lihandover::http {
namespace {

namespace asio = boost::asio;
namespace beast_http = boost::beast::http;

// A body gets its memory as its bytes arrive, so that a declared length alone costs nothing.
constexpr std::size_t length_step = std::size_t{128} * 1024;
constexpr std::size_t chunk_step = std::size_t{16} * 1024;

}  // namespace

void BodyReader::start(Framing framing, std::uint64_t size) {
    framing_ = framing;
    declared_ = left_ = size;
    decoder_ = nullptr;
    done_ = framing == Framing::length && size == 0;
}

void BodyReader::start_chunked(ChunkDecoder& decoder) {
    start(Framing::chunked, 0);
    decoder_ = &decoder;
}

std::optional<std::uint64_t> BodyReader::declared() const {
    return framing_ == Framing::length ? std::optional{declared_} : std::nullopt;
}

bool BodyReader::skip_buffered() {
    if (!done_ && framing_ == Framing::length && left_ <= buffer_.unread().size()) {
        buffer_.consume(static_cast<std::size_t>(left_));
        left_ = 0;
        done_ = true;
    }
    return done_;
}

asio::awaitable<BodyReader::Outcome> BodyReader::read_some(std::span<char> out) {
    if (done_ || out.empty()) {
        co_return Outcome{};
    }
    if (framing_ == Framing::chunked) {
        co_return co_await read_chunked(out);
    }
    co_return co_await read_plain(out);
}

void BodyReader::took(std::size_t count) {
    if (framing_ == Framing::length) {
        LIHANDOVER_INVARIANT(count <= left_, "no more of a body is read than it has");
        left_ -= count;
        done_ = left_ == 0;
    }
}

std::size_t BodyReader::take_buffered(std::span<char> out) {
    std::size_t count = std::min(out.size(), buffer_.unread().size());
    if (framing_ == Framing::length) {
        count = static_cast<std::size_t>(std::min<std::uint64_t>(count, left_));
    }
    if (count > 0) {
        std::memcpy(out.data(), buffer_.unread().data(), count);
        buffer_.consume(count);
        took(count);
    }
    return count;
}

asio::awaitable<BodyReader::Outcome> BodyReader::read_plain(std::span<char> out) {
    if (const std::size_t count = take_buffered(out); count > 0) {
        co_return Outcome{count};
    }
    const auto room =
        framing_ == Framing::length ? static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), left_)) : out.size();
    const ReadOutcome outcome = co_await inflow_.receive(out.data(), room);
    if (outcome.io == Io::eof && framing_ == Framing::to_end) {
        done_ = true;
        co_return Outcome{};
    }
    if (outcome.io != Io::ok) {
        co_return Outcome{0, Status::network, outcome.io};
    }
    took(outcome.size);
    co_return Outcome{outcome.size};
}

asio::awaitable<BodyReader::Outcome> BodyReader::read_chunked(std::span<char> out) {
    ChunkSink sink{out.data(), out.size(), 0};
    for (;;) {
        boost::beast::error_code error;
        buffer_.consume(decoder_->decode(buffer_.unread(), sink, error));
        if (error && error != beast_http::error::need_more) {
            co_return Outcome{sink.written, Status::broken};
        }
        done_ = decoder_->is_decoded();
        if (sink.written > 0 || done_) {
            co_return Outcome{sink.written};
        }
        if (!buffer_.make_room()) {
            co_return Outcome{0, Status::line_too_large};
        }
        const auto room = buffer_.room();
        const ReadOutcome outcome = co_await inflow_.receive(room.data(), room.size());
        if (outcome.io != Io::ok) {
            co_return Outcome{0, Status::network, outcome.io};
        }
        buffer_.received(outcome.size);
    }
}

/// How much memory to add for what comes. One byte beyond the bound tells a body that ends there from one that goes on.
std::size_t BodyReader::next_step(std::size_t size, std::size_t max) const {
    std::size_t step = chunk_step;
    if (framing_ == Framing::length) {
        step = static_cast<std::size_t>(std::min<std::uint64_t>(left_, std::max(size, length_step)));
    } else if (framing_ == Framing::to_end) {
        step = std::max(size, chunk_step);
    }
    return max - size < step ? max - size + 1 : step;
}

asio::awaitable<BodyReader::Outcome> BodyReader::read_all(std::string& body, std::size_t max, std::size_t slack) {
    body.clear();
    if (framing_ == Framing::length && left_ > max) {
        co_return Outcome{0, Status::too_large};
    }
    std::size_t size = 0;
    while (!done_) {
        const std::size_t step = next_step(size, max);
        body.reserve(size + step + slack);
        body.resize(size + step);
        // Existing memory is filled before more is allocated.
        for (std::size_t filled = 0; filled < step && !done_;) {
            const std::span<char> room{body.data() + size, step - filled};
            Outcome some;
            // Most bodies come with their heads, and need no waiting.
            some.size = framing_ == Framing::chunked ? 0 : take_buffered(room);
            if (some.size == 0) {
                some = co_await read_some(room);
            }
            size += some.size;
            filled += some.size;
            if (some.status != Status::ok) {
                body.resize(size);
                co_return Outcome{size, some.status, some.io};
            }
        }
        if (size > max) {
            body.resize(max);
            co_return Outcome{max, Status::too_large};
        }
    }
    body.resize(size);
    body.reserve(size + slack);
    co_return Outcome{size};
}

}  // namespace lihandover::http
