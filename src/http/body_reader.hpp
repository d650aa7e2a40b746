#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "io.hpp"
#include "parser.hpp"
#include "receive_buffer.hpp"

namespace lihandover::http {

/// Where a message's bytes come from.
class Inflow {
  public:
    Inflow() = default;
    Inflow(const Inflow&) = delete;
    Inflow& operator=(const Inflow&) = delete;
    /// At least one byte, or why not.
    virtual boost::asio::awaitable<ReadOutcome> receive(char* out, std::size_t room) = 0;

  protected:
    ~Inflow() = default;
};

/// The body of a message as its head frames it (RFC 9112 6.3), for requests and answers alike. Bytes in the buffer
/// after the head come first.
class BodyReader {
  public:
    enum class Status : std::uint8_t {
        ok,
        too_large,       ///< more than the caller accepts
        broken,          ///< the chunked coding is
        line_too_large,  ///< a line of the chunked coding is
        network,         ///< see `io`
    };
    struct Outcome {
        std::size_t size = 0;
        Status status = Status::ok;
        Io io = Io::ok;
    };

    BodyReader(ReceiveBuffer& buffer, Inflow& inflow) : buffer_(buffer), inflow_(inflow) {}

    // How the next body ends. `decoder` must outlive the reading.
    void start_empty() { start(Framing::length, 0); }
    void start_length(std::uint64_t size) { start(Framing::length, size); }
    void start_chunked(ChunkDecoder& decoder);
    /// At the end of the connection, which has to be clean.
    void start_to_end() { start(Framing::to_end, 0); }

    [[nodiscard]] bool done() const { return done_; }
    [[nodiscard]] bool chunked() const { return framing_ == Framing::chunked; }
    /// As declared: nullopt unless a length was declared.
    [[nodiscard]] std::optional<std::uint64_t> declared() const;

    /// Some bytes of the body; none only at its end.
    boost::asio::awaitable<Outcome> read_some(std::span<char> out);
    /// Reads the rest of the body into `body`, whose capacity is reused and is then at least `slack` larger than its
    /// size. A declared length above `max` is too_large before anything is read. On failure, `body` has what had
    /// arrived.
    boost::asio::awaitable<Outcome> read_all(std::string& body, std::size_t max, std::size_t slack);
    /// Skips a body that is entirely in the buffer. False: it is not.
    bool skip_buffered();

  private:
    enum class Framing : std::uint8_t { length, chunked, to_end };

    void start(Framing framing, std::uint64_t size);
    /// Counts bytes of a body that is not chunked.
    void took(std::size_t count);
    /// The same as read_some for bytes of such a body that are in the buffer; 0 if there are none.
    std::size_t take_buffered(std::span<char> out);
    boost::asio::awaitable<Outcome> read_plain(std::span<char> out);
    boost::asio::awaitable<Outcome> read_chunked(std::span<char> out);
    [[nodiscard]] std::size_t next_step(std::size_t size, std::size_t max) const;

    ReceiveBuffer& buffer_;
    Inflow& inflow_;
    ChunkDecoder* decoder_ = nullptr;
    Framing framing_ = Framing::length;
    std::uint64_t declared_ = 0;
    std::uint64_t left_ = 0;  ///< of `length`
    bool done_ = true;
};

}  // namespace lihandover::http
