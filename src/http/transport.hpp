#pragma once

#include <sys/types.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/tls/context.hpp"
#include "message.hpp"

struct bio_st;
struct bio_method_st;

namespace lihandover::http {

/// How a step on the network ended.
enum class Io : std::uint8_t {
    ok,
    blocked,  ///< only from try_*: nothing to be had without waiting
    eof,      ///< the peer has closed, over TLS with a close_notify
    reset,    ///< it broke off: a reset, an error, over TLS an end without close_notify
    tls,      ///< TLS failed: see tls_failure()
    timeout,  ///< the deadline passed
    closed,   ///< we closed it meanwhile
};

struct ReadOutcome {
    std::size_t size = 0;
    Io io = Io::ok;
};

/// Bytes to send, lying in several places; keeps the place when only some could be sent.
class Gather {
  public:
    explicit Gather(std::span<const std::string_view> parts) : parts_(parts) { skip_empty(); }
    [[nodiscard]] bool done() const { return parts_.empty(); }
    [[nodiscard]] std::string_view front() const { return parts_.front().substr(offset_); }
    /// The pieces left, at most `pieces.size()` of them; says how many.
    [[nodiscard]] std::size_t pieces(std::span<std::string_view> pieces) const;
    void advance(std::size_t count);

  private:
    void skip_empty();
    std::span<const std::string_view> parts_;
    std::size_t offset_ = 0;
};

/// A connected stream socket (TCP or Unix), in the clear or under TLS, with one deadline for what it waits for.
///
/// OpenSSL works on this class through a BIO of its own: what comes in is received by Asio into a buffer here, what
/// goes out is sent straight away and waited for only when the kernel takes no more. That spares the two copies and the
/// composed operations of asio::ssl::stream, which cost more than the encryption of a message of a few kilobytes, and
/// one class serves plain and secured connections alike.
///
/// At most one read and one write wait at a time. Asio cancellation of a wait surfaces as an exception
/// (operation_aborted). The owner keeps it alive while an operation runs.
class Transport {
  public:
    using Clock = std::chrono::steady_clock;
    using Socket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol, Executor>;

    explicit Transport(const Executor& executor);
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;
    ~Transport();

    /// Takes over a connected socket. False when Asio cannot.
    bool adopt(int descriptor, int family);
    /// A new socket, connected to `endpoint` from `source` where one is given. `ok`, `reset` (refused, unreachable,
    /// `source` is not ours, …), `timeout` or `closed`.
    boost::asio::awaitable<Io> connect(const boost::asio::generic::stream_protocol::endpoint& endpoint,
                                       const std::optional<boost::asio::ip::address>& source = std::nullopt);
    /// Readies TLS; nullptr when OpenSSL cannot. The handshake follows.
    ssl_st* start_tls(ssl_ctx_st* context, bool server);
    boost::asio::awaitable<Io> handshake();
    [[nodiscard]] ssl_st* ssl() const { return ssl_.get(); }
    [[nodiscard]] const tls::Explanation& tls_failure() const { return tls_failure_; }

    /// At least one byte, or why not.
    boost::asio::awaitable<ReadOutcome> read(char* out, std::size_t room);
    ReadOutcome try_read(char* out, std::size_t room);
    /// Bytes as they come from the network, TLS or not: for whoever throws them away.
    boost::asio::awaitable<ReadOutcome> read_raw(char* out, std::size_t room);
    /// All of it. `stall` bounds each wait for the peer to take more; the deadline set before is lost.
    boost::asio::awaitable<Io> write(std::span<const std::string_view> parts, Clock::duration stall);
    /// Until the peer's system has confirmed all that was sent, as long as it goes on confirming within `stall`. The
    /// kernel gives no event for it, so it is asked again and again.
    boost::asio::awaitable<Io> wait_confirmed(Clock::duration stall);
    /// As much as goes without waiting: `ok` means all of it. `blocked` must be followed by a call with the same
    /// Gather.
    Io try_write(Gather& gather);
    /// Waits until something came in (or the peer has closed).
    boost::asio::awaitable<Io> wait_readable();
    /// Waits until more can be sent, or until something came in.
    boost::asio::awaitable<Io> wait_writable();
    boost::asio::awaitable<Io> wait_either();

    /// Gives back the buffers that hold nothing. They come again with the next bytes.
    void release_memory();

    /// Waits end with `timeout` at `when`. Cheap to move: the timer behind it is set anew only for an earlier time.
    void set_deadline(Clock::time_point when);
    void expires_after(Clock::duration duration) { set_deadline(Clock::now() + duration); }
    void clear_deadline();

    /// Since when it waits for the peer; nullopt when it does not.
    [[nodiscard]] std::optional<Clock::time_point> waiting_since() const { return waiting_since_; }
    /// Whether anything was given to the kernel since the last reset_sent().
    [[nodiscard]] bool sent_anything() const { return sent_; }
    void reset_sent() { sent_ = false; }

    /// No more from us (close_notify and FIN); reading goes on.
    void shutdown_send();
    /// The peer ended or reset the connection, or we closed it.
    [[nodiscard]] bool gone();
    /// Ends it and every wait. Over TLS with a close_notify, unless the kernel would not take it at once.
    void close();
    [[nodiscard]] bool is_open() const { return socket_.is_open(); }
    [[nodiscard]] int native() { return socket_.native_handle(); }

  private:
    struct SslFree {
        void operator()(ssl_st* ssl) const;
    };
    /// Marks the transport as waiting for the peer while it lives.
    class Waiting;

    static const bio_method_st* bio_methods();
    static int bio_write(bio_st* bio, const char* data, int size);
    static int bio_read(bio_st* bio, char* out, int size);
    static long bio_control(bio_st* bio, int command, long number, void* pointer);

    void make_room();
    boost::asio::awaitable<Io> fill();
    Io try_fill();
    Io try_write_plain(Gather& gather);
    Io try_write_tls(Gather& gather);
    Io tls_result(int result, bool& wants_write, bool& broken);
    Io judge(const boost::system::error_code& error) const;
    /// The peer has broken the connection, as far as the kernel knows.
    bool is_reset();
    void arm(Clock::time_point when);
    void on_timer(std::uint64_t generation);

    Executor executor_;
    Socket socket_;
    std::unique_ptr<ssl_st, SslFree> ssl_;
    tls::Explanation tls_failure_;
    bool handshake_done_ = false;
    bool tls_broken_ = false;
    // Sending failed; what the peer said before that can still be read.
    bool send_broken_ = false;
    bool shut_ = false;
    bool sent_ = false;

    // Ciphertext received and not yet taken by OpenSSL.
    std::vector<char> cipher_;
    std::size_t cipher_begin_ = 0;
    std::size_t cipher_end_ = 0;
    bool cipher_eof_ = false;
    // Small pieces joined for one TLS record.
    std::string record_;
    std::size_t record_sent_ = 0;

    boost::asio::basic_waitable_timer<Clock, boost::asio::wait_traits<Clock>, Executor> timer_;
    Clock::time_point deadline_ = Clock::time_point::max();
    Clock::time_point timer_at_ = Clock::time_point::max();
    std::uint64_t timer_generation_ = 0;
    bool expired_ = false;
    bool closed_ = false;
    std::optional<Clock::time_point> waiting_since_;
    // Lets a timer that fired while we were destroyed notice.
    std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace lihandover::http
