#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/http/body_source.hpp"
#include "lihandover/http/read_ahead.hpp"
#include "lihandover/store/objects.hpp"
#include "ranges.hpp"

namespace lihandover::objectserver {

/// A body of which only the size is used: for the answer to HEAD.
class Measure final : public http::BodySource {
  public:
    explicit Measure(std::uint64_t size) : size_(size) {}
    [[nodiscard]] std::optional<std::uint64_t> size() const override { return size_; }
    [[nodiscard]] boost::asio::awaitable<model::Result<std::size_t>> read(std::span<char> buffer) override;

  private:
    std::uint64_t size_;
};

/// One range of an object, or several with the multipart/byteranges parts around them (RFC 9110 14.6), read ahead on
/// the pool in blocks of 256 KiB, at most two. On the connection's thread.
class ObjectBody final : public http::BodySource {
  public:
    /// Where blocks are read, and by which pool.
    struct Reading {
        boost::asio::any_io_executor executor;
        boost::asio::any_io_executor pool;
        std::shared_ptr<store::ObjectReader> reader;
    };

    ObjectBody(Reading reading, ByteRange range);
    /// `type`: of the object. `boundary` does not occur in it, which its length and randomness ensure.
    ObjectBody(Reading reading, const std::vector<ByteRange>& ranges, std::string_view type, std::string_view boundary);

    [[nodiscard]] std::optional<std::uint64_t> size() const override { return size_; }
    [[nodiscard]] boost::asio::awaitable<model::Result<std::size_t>> read(std::span<char> buffer) override;

    /// Bytes of the object that certainly went out before the connection broke.
    [[nodiscard]] std::uint64_t sent() const { return sent_; }
    /// Bytes of the object that were passed on for sending.
    [[nodiscard]] std::uint64_t given() const { return given_; }
    /// Whether reading the object failed, and why.
    [[nodiscard]] const std::optional<model::Error>& failure() const { return failure_; }

  private:
    /// Text, then a range, which may be empty (after the last one).
    struct Part {
        std::string text;
        ByteRange range;
    };

    std::size_t give_text(std::span<char> buffer);
    void next_part();

    Reading reading_;
    std::vector<Part> parts_;
    std::uint64_t size_ = 0;
    std::uint64_t given_ = 0;
    std::uint64_t sent_ = 0;
    std::size_t part_ = 0;           // the one being sent
    std::size_t text_given_ = 0;     // of it
    std::uint64_t range_given_ = 0;  // of it
    std::unique_ptr<http::ReadAhead> bytes_;
    std::optional<model::Error> failure_;
};

}  // namespace lihandover::objectserver
