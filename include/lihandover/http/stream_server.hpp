#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "lihandover/http/peer.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/tls/context.hpp"

namespace lihandover::http {

// A server of bytes, for protocols other than HTTP: the same listening, mutual TLS, limits and gentle stop.

/// How reading from a stream ended.
enum class StreamEnd : std::uint8_t {
    none,     ///< it goes on
    closed,   ///< the peer has closed it, cleanly
    broken,   ///< it was cut, by the peer or by us
    timeout,  ///< nothing came in time; the stream can still be used
};

struct StreamRead {
    std::size_t size = 0;
    StreamEnd end = StreamEnd::none;
};

/// One connection. Used on the server's thread only, one call at a time. Abstract so that handlers can be tested
/// without a network.
class Stream {
  public:
    using Clock = std::chrono::steady_clock;

    virtual ~Stream() = default;

    [[nodiscard]] virtual const Peer& peer() const = 0;

    /// Waits for at least one byte, until `deadline`, and takes what has come as far as there is room for it.
    [[nodiscard]] virtual boost::asio::awaitable<StreamRead> read_some(std::span<char> buffer,
                                                                       Clock::time_point deadline) = 0;
    /// Waits until there is something to read, or the end, without buffers of its own.
    [[nodiscard]] virtual boost::asio::awaitable<StreamEnd> wait_readable(Clock::time_point deadline) = 0;
    /// Sends all of it. False if the peer is gone or does not take it within StreamOptions::write_stall, or if the
    /// stream is ending.
    [[nodiscard]] virtual boost::asio::awaitable<bool> write(std::string_view bytes) = 0;
    /// The server stops, and has told the peer. What the peer had sent before can be read; nothing can be written.
    [[nodiscard]] virtual bool ending() const = 0;
};

/// Serves streams. Calls for several streams interleave on the server's thread. It must outlive the server and its last
/// stream (await StreamServer::stop). When serve() returns or throws, the connection is closed.
class StreamHandler {
  public:
    virtual ~StreamHandler() = default;
    [[nodiscard]] virtual boost::asio::awaitable<void> serve(Stream& stream) = 0;
};

struct StreamOptions {
    /// `127.0.0.1:0`, `[::1]:8442`. Addresses are numeric; port 0 takes any free one.
    std::string listen;
    /// Mutual TLS; never null, and loaded for any application protocol (tls::Alpn::any).
    std::shared_ptr<const tls::ServerContext> tls;
    /// Beyond: a connection goes for the new one. Until that has proved who it is, only another one that has not; then
    /// the known one that has waited for its peer longest. Up to 16 that have proved nothing may be there beyond.
    std::size_t max_connections = 1024;
    std::chrono::milliseconds handshake_timeout{10'000};
    std::chrono::milliseconds write_stall{30'000};  ///< the peer takes nothing of what is sent
    /// At a stop, a peer that has been told and sends nothing for so long is cut.
    std::chrono::milliseconds last_words{250};
};

struct StreamStats {
    std::size_t connections = 0;  ///< open now
    std::uint64_t accepted_total = 0;
    std::uint64_t evicted_total = 0;  ///< closed in favour of new ones
    std::uint64_t handshake_failed_total = 0;
};

/// Listens, and hands each connection whose peer has proved its identity to the handler. Lives on the one thread that
/// runs `executor`'s io_context (the executor must be an io_context's own); every member is called there, or while that
/// thread does not run.
class StreamServer {
  public:
    /// Binds. Connections queue in the kernel until start().
    [[nodiscard]] static model::Result<std::unique_ptr<StreamServer>> listen(
        const boost::asio::any_io_executor& executor, StreamOptions options, StreamHandler& handler);
    StreamServer(const StreamServer&) = delete;
    StreamServer& operator=(const StreamServer&) = delete;
    /// Closes everything at once.
    ~StreamServer();

    void start();
    /// The address it listens on, with the real port.
    [[nodiscard]] const std::string& address() const;
    [[nodiscard]] std::uint16_t port() const;
    /// For connections accepted from now on. Open ones whose peer `context` would not let in are cut.
    void set_tls(std::shared_ptr<const tls::ServerContext> context);
    void set_max_connections(std::size_t most);
    [[nodiscard]] StreamStats stats() const;

    /// Stops accepting and tells all peers that nothing more is taken, but reads on what they had sent. Streams that
    /// go on after `grace` are cut: reading ends as broken, and what else their handler waits for is cancelled.
    /// Completes when the last handler has returned. May be called twice.
    [[nodiscard]] boost::asio::awaitable<void> stop(std::chrono::milliseconds grace);

  private:
    class Impl;
    explicit StreamServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lihandover::http
