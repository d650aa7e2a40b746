#pragma once

#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lihandover/http/body_source.hpp"
#include "lihandover/http/peer.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/tls/context.hpp"

namespace lihandover::http {

/// Why a request's body could not be read.
enum class BodyFailure : std::uint8_t {
    too_large,  ///< More than the caller allows: answer 413. Nothing, or only a part, was read.
    timeout,    ///< The sender stalled or fell below the minimum rate: 408 may be answered; the connection closes.
    broken,     ///< The sender went away or broke the chunked coding: nobody to answer; respond() does no harm.
};
[[noreturn]] void throw_exception_from_error(BodyFailure failure, const boost::source_location& location);

template <typename T>
using BodyResult = boost::system::result<T, BodyFailure>;

/// The login name of a user id, or the number if it has none. May ask the system's name service, so it is not for a hot
/// path.
[[nodiscard]] std::string user_name(uid_t uid);
/// The id of a group by its name, nullopt if there is none. As user_name().
[[nodiscard]] std::optional<gid_t> group_id(const std::string& name);

/// One of our answers. Content-Length, Date and Connection are added by the connection.
struct Response {
    unsigned status = 200;  ///< 200 to 599
    /// Content-Type; none when empty. Must outlive respond().
    std::string_view content_type;
    std::string body;
    /// Further fields (name, value). Control characters in them are a programming mistake: std::logic_error.
    std::vector<std::pair<std::string, std::string>> fields;
    /// Close the connection after this answer.
    bool close = false;
};

/// One request and the way to answer it. Views stay valid until handle() returns. Used on the server's thread only.
/// Abstract so that handlers can be tested without a network.
class Exchange {
  public:
    virtual ~Exchange() = default;

    [[nodiscard]] virtual std::string_view method() const = 0;
    /// As sent: path and query, not decoded.
    [[nodiscard]] virtual std::string_view target() const = 0;
    /// The target up to `?`, not decoded.
    [[nodiscard]] std::string_view path() const { return target().substr(0, target().find('?')); }
    /// What follows the first `?`, not decoded; empty if there is none.
    [[nodiscard]] std::string_view query() const {
        const auto mark = target().find('?');
        return mark == std::string_view::npos ? std::string_view{} : target().substr(mark + 1);
    }
    /// The first field of that name (any case), without surrounding white space. nullopt if there is none.
    [[nodiscard]] virtual std::optional<std::string_view> header(std::string_view name) const = 0;
    /// The declared length: 0 without a body, nullopt when chunked.
    [[nodiscard]] virtual std::optional<std::uint64_t> content_length() const = 0;
    [[nodiscard]] virtual const Peer& peer() const = 0;

    /// Bytes of capacity that read_body leaves after the body, for parsers that read beyond the end (simdjson).
    static constexpr std::size_t body_slack = 64;

    /// Reads the whole body into `body` (its capacity is reused; afterwards at least size + body_slack). A declared
    /// length above `max` fails with too_large before anything is read. Sends the `100 Continue` that the peer expects.
    /// Timeouts bound the waits for the peer; time that the handler itself takes does not count.
    [[nodiscard]] virtual boost::asio::awaitable<BodyResult<void>> read_body(std::string& body, std::size_t max) = 0;
    /// Reads some bytes of the body; 0 is its end. Never mix with read_body on one request. Also sends `100 Continue`.
    [[nodiscard]] virtual boost::asio::awaitable<BodyResult<std::size_t>> read_some(std::span<char> buffer) = 0;
    /// True while the peer waits for a `100 Continue` that has not been sent.
    [[nodiscard]] virtual bool expects_continue() const = 0;
    /// Reading the body will no longer send `100 Continue` automatically (a test LEA that keeps its peers waiting).
    virtual void withhold_continue() = 0;

    /// Sends the answer, once per request; a second call does nothing. True if the kernel took all of it, false if the
    /// peer is gone or too slow. If the body was not read to its end, nobody waits for the rest: the connection closes
    /// after the answer. If a handler returns without answering, its connection is closed without an answer.
    [[nodiscard]] virtual boost::asio::awaitable<bool> respond(Response response) = 0;
    /// The same with a streamed body (`response.body` is ignored).
    [[nodiscard]] virtual boost::asio::awaitable<bool> respond(Response response, BodySource& source) = 0;
    /// After an answer that was sent in full: waits until the peer's own system has confirmed every byte of it. False
    /// if the connection broke first, or if nothing moved for Timeouts::write_stall. For those who destroy what they
    /// sent; it does not say whether the peer's program read it. (The default is for handlers' tests: yes.)
    [[nodiscard]] virtual boost::asio::awaitable<bool> confirmed() { co_return true; }
    /// Whether the peer has ended or reset the connection, as far as our system knows. For handlers that wait for
    /// something other than the peer; those that read or write notice it anyway. Costs a system call. (The default is
    /// for handlers' tests: no.)
    [[nodiscard]] virtual bool gone() { return false; }
    /// Drops the connection at once, without an answer or in the middle of one (a test LEA's failure).
    virtual void abort() = 0;
};

/// Answers requests. Calls of several connections interleave on the server's thread. It must outlive the server and its
/// last running request (await Server::stop). An exception ends the connection (500 if nothing was answered yet).
class Handler {
  public:
    virtual ~Handler() = default;
    [[nodiscard]] virtual boost::asio::awaitable<void> handle(Exchange& exchange) = 0;
};

struct Limits {
    std::size_t max_header = 8192;       ///< bytes of request line and fields: 431
    std::size_t max_fields = 64;         ///< 431
    std::size_t max_target = 2048;       ///< bytes: 414
    std::size_t max_connections = 1024;  ///< beyond: one is closed for the new one, see Server
};

struct Timeouts {
    std::chrono::milliseconds handshake{10'000};    ///< whole TLS handshake
    std::chrono::milliseconds header{10'000};       ///< from the first byte of a request to the end of its fields: 408
    std::chrono::milliseconds idle{75'000};         ///< without a request: closed
    std::chrono::milliseconds keep_buffers{1'000};  ///< without a request: its buffers are released
    std::chrono::milliseconds body_stall{15'000};   ///< without a byte of the body
    std::size_t min_body_rate = 1024;               ///< bytes per second, on average, after body_stall's grace
    std::chrono::milliseconds write_stall{30'000};  ///< the peer takes nothing of the answer
    std::chrono::milliseconds linger{2'000};        ///< for the peer to read a last answer and close
};

struct ServerOptions {
    /// `127.0.0.1:0`, `[::1]:8080`, `unix:/run/x.sock`. Addresses are numeric; port 0 takes any free one.
    std::string listen;
    /// Of a Unix socket: permission bits and group name (empty: the process's own).
    unsigned unix_mode = 0660;
    std::string unix_group;
    /// Set: mutual TLS. Not for Unix sockets.
    std::shared_ptr<const tls::ServerContext> tls;
    Limits limits;
    Timeouts timeouts;
};

struct ServerStats {
    std::size_t connections = 0;  ///< open now
    std::size_t dormant = 0;      ///< of them, idle so long that they have no buffers
    std::uint64_t accepted_total = 0;
    std::uint64_t evicted_total = 0;  ///< stalled ones closed in favour of new ones
    std::uint64_t timed_out_total = 0;
    std::uint64_t malformed_total = 0;  ///< refused before a handler saw them
    std::uint64_t handshake_failed_total = 0;
};

/// Listens and serves HTTP/1.0 and 1.1, requests of one connection one after another. Lives on the one thread that runs
/// `executor`'s io_context (the executor must be an io_context's own); every member is called there, or while that
/// thread does not run.
///
/// Beyond Limits::max_connections one connection goes for each new one: of those that wait for their peer the one that
/// has waited longest. With TLS that is one whose peer has not proved who it is, or else a known one, but only once the
/// new peer has proved who it is; up to 16 that have proved nothing may be there beyond.
class Server {
  public:
    /// Binds. A stale Unix socket (nobody listens) is replaced; a live one, and anything that is not a socket, is an
    /// error. Connections queue in the kernel until start().
    [[nodiscard]] static model::Result<std::unique_ptr<Server>> listen(const boost::asio::any_io_executor& executor,
                                                                       ServerOptions options, Handler& handler);
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    /// Closes everything at once.
    ~Server();

    void start();
    /// The address it listens on, with the real port: `127.0.0.1:41234`, `unix:/run/x.sock`.
    [[nodiscard]] const std::string& address() const;
    /// 0 for Unix sockets.
    [[nodiscard]] std::uint16_t port() const;
    /// For connections accepted from now on. Open ones whose peer `context` would not let in (its CA is gone, it is
    /// revoked) are cut. Only on a server that was created with TLS.
    void set_tls(std::shared_ptr<const tls::ServerContext> context);
    [[nodiscard]] ServerStats stats() const;

    /// Stops accepting, removes the Unix socket, closes idle connections, lets running requests finish (their answers
    /// say `Connection: close`); what still runs after `grace` is cut: its handler sees failing
    /// reads and writes, and what it waits for is cancelled (operation_aborted is thrown into it).
    /// Completes when the last handler has returned. May be called twice.
    [[nodiscard]] boost::asio::awaitable<void> stop(std::chrono::milliseconds grace);

  private:
    class Impl;
    explicit Server(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace lihandover::http
