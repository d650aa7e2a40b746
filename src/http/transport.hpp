#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "deadline.hpp"
#include "gather.hpp"
#include "io.hpp"
#include "lihandover/tls/context.hpp"
#include "message.hpp"
#include "tls_engine.hpp"

namespace lihandover::http {

/// A connected stream socket (TCP or Unix), in the clear or under TLS, with one deadline for what it waits for. One
/// class serves plain and secured connections, of clients and servers.
///
/// At most one read and one write wait at a time. Asio cancellation of a wait surfaces as an exception
/// (operation_aborted). The owner keeps it alive while an operation runs.
class Transport {
  public:
    using Clock = Deadline::Clock;
    using Socket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol, Executor>;

    explicit Transport(const Executor& executor);
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;
    ~Transport();

    /// Takes over a connected socket. False when Asio cannot.
    bool adopt(int descriptor, int family);
    /// A new socket, connected to `endpoint`, from `source` if one is given. `ok`, `reset` (refused, unreachable,
    /// `source` is not ours, …), `timeout` or `closed`.
    boost::asio::awaitable<Io> connect(const boost::asio::generic::stream_protocol::endpoint& endpoint,
                                       const std::optional<boost::asio::ip::address>& source = std::nullopt);
    /// Prepares TLS; nullptr if OpenSSL fails. The handshake follows.
    ssl_st* start_tls(ssl_ctx_st* context, bool server);
    boost::asio::awaitable<Io> handshake();
    [[nodiscard]] ssl_st* ssl() const { return tls_ ? tls_->ssl() : nullptr; }
    [[nodiscard]] const tls::Explanation& tls_failure() const;

    /// At least one byte, or why not.
    boost::asio::awaitable<ReadOutcome> read(char* out, std::size_t room);
    ReadOutcome try_read(char* out, std::size_t room);
    /// Bytes as they come from the network, TLS or not: to be discarded.
    boost::asio::awaitable<ReadOutcome> read_raw(char* out, std::size_t room);
    /// All of it. `stall` bounds each wait for the peer to take more; the previous deadline is lost.
    boost::asio::awaitable<Io> write(std::span<const std::string_view> parts, Clock::duration stall);
    /// Waits until the peer's system has confirmed everything that was sent, as long as it goes on confirming within
    /// `stall`. The kernel has no event for it, so it is polled.
    boost::asio::awaitable<Io> wait_confirmed(Clock::duration stall);
    /// As much as possible without waiting: `ok` means all of it. After `blocked`, the next call must use the same
    /// Gather.
    Io try_write(Gather& gather);
    /// Waits until something came in (or the peer has closed).
    boost::asio::awaitable<Io> wait_readable();
    /// Waits until more can be sent.
    boost::asio::awaitable<Io> wait_writable();
    /// Waits until more can be sent, or until something came in.
    boost::asio::awaitable<Io> wait_either();

    /// Releases empty buffers. They are allocated again for the next bytes.
    void release_memory();

    /// Waits end with `timeout` at `when`.
    void set_deadline(Clock::time_point when) { deadline_.set(when); }
    void expires_after(Clock::duration duration) { deadline_.set(Clock::now() + duration); }
    void clear_deadline() { deadline_.clear(); }

    /// Since when it waits for the peer; nullopt when it does not.
    [[nodiscard]] std::optional<Clock::time_point> waiting_since() const { return deadline_.waiting_since(); }
    /// Whether anything was given to the kernel since the last reset_sent().
    [[nodiscard]] bool sent_anything() const { return tls_ ? tls_->sent_anything() : sent_; }
    void reset_sent();

    /// No more from us (close_notify and FIN); reading continues.
    void shutdown_send();
    /// The peer ended or reset the connection, or we closed it.
    [[nodiscard]] bool gone();
    /// Ends the connection and every wait. Over TLS with a close_notify, unless the kernel would not take it at once.
    void close();
    [[nodiscard]] bool is_open() const { return socket_.is_open(); }
    [[nodiscard]] int native() { return socket_.native_handle(); }

  private:
    /// Why nothing can be waited for; `ok` otherwise.
    [[nodiscard]] Io obstacle() const;
    boost::asio::awaitable<Io> wait_for(Socket::wait_type what);
    /// Waits for what an OpenSSL call wants.
    boost::asio::awaitable<Io> satisfy(TlsEngine::Step step);
    Io try_write_plain(Gather& gather);
    Io outcome_of(const boost::system::error_code& error) const;
    /// The peer has broken the connection, as far as the kernel knows.
    bool is_reset();

    Executor executor_;
    Socket socket_;
    std::unique_ptr<TlsEngine> tls_;
    tls::Explanation no_tls_;  ///< why there is none
    Deadline deadline_;
    bool closed_ = false;
    bool shut_ = false;
    bool sent_ = false;  ///< without TLS
};

}  // namespace lihandover::http
