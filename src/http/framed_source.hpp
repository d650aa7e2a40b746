#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "lihandover/http/body_source.hpp"

namespace lihandover::http {

/// A body source's bytes, block by block, framed for sending: by the length in the head, by the chunked coding, or (a
/// length of nullopt, not chunked) by the end of the connection. For requests and answers alike.
class FramedSource {
  public:
    FramedSource(BodySource& source, std::optional<std::uint64_t> length, bool chunked);
    FramedSource(const FramedSource&) = delete;
    FramedSource& operator=(const FramedSource&) = delete;
    /// Overwrites the block, which may be somebody's content.
    ~FramedSource();

    /// Reads and frames the next block. False: the source failed, or has another length than it declared, and the
    /// message must stay unfinished.
    boost::asio::awaitable<bool> next();
    /// The block to send; may be empty. Valid until the next next().
    [[nodiscard]] std::span<const std::string_view> parts() const { return {parts_.data(), count_}; }
    /// With this block the receiver has all of the body.
    [[nodiscard]] bool complete() const { return ended_ || (length_ && framed_ == *length_); }
    /// The source has reached its end.
    [[nodiscard]] bool ended() const { return ended_; }

  private:
    BodySource& source_;
    std::optional<std::uint64_t> length_;
    bool chunked_;
    std::vector<char> buffer_;
    std::array<char, 16> digits_{};
    std::array<std::string_view, 4> parts_;
    std::size_t count_ = 0;
    std::uint64_t framed_ = 0;
    bool ended_ = false;
};

}  // namespace lihandover::http
