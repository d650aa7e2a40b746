#pragma once

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
#include <vector>

#include "lihandover/http/body_source.hpp"
#include "lihandover/http/url.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/tls/context.hpp"

namespace lihandover::http {

/// How far an exchange had come when it failed.
enum class Phase : std::uint8_t { resolve, connect, handshake, send, await_continue, receive };

enum class FailureKind : std::uint8_t {
    dns,          ///< the name has no address
    connect,      ///< nobody there, no route
    certificate,  ///< the peer's certificate is not acceptable (chain, name, validity), or ours is not to the peer
    handshake,    ///< any other TLS failure (no common version or suite, …)
    timeout,      ///< the deadline of `phase` passed
    closed,       ///< the peer closed before an byte of an answer
    truncated,    ///< the peer closed in the middle of an answer
    malformed,    ///< the answer is no HTTP/1.x response
    too_large,    ///< the answer exceeds a bound
    source,       ///< the body source failed (exchange_expect)
    cancelled,    ///< close() was called meanwhile
};

/// Why there is no answer. `phase` and `kind` decide, `message` is for the log.
struct Failure {
    Phase phase = Phase::connect;
    FailureKind kind = FailureKind::connect;
    /// The connection had carried an exchange before: with `closed`, the peer most likely closed it while idle, and a
    /// fresh connection is worth an immediate try.
    bool reused = false;
    /// Nothing of the request had been given to the kernel: the peer cannot have seen it.
    bool nothing_sent = true;
    /// A sentence without content, host or URL.
    std::string message;
};
[[noreturn]] void throw_exception_from_error(const Failure& failure, const boost::source_location& location);

template <typename T>
using ClientResult = boost::system::result<T, Failure>;

/// The peer's final answer. Owns its text.
class Answer {
  public:
    unsigned status = 0;
    std::string body;

    /// The first field of that name (any case), white space around it cut.
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
    /// The connection can carry another exchange.
    [[nodiscard]] bool keeps_alive() const { return keeps_alive_; }

  private:
    friend class ConnectionImpl;
    struct Span {
        std::uint32_t name = 0, name_size = 0, value = 0, value_size = 0;
    };
    std::string head_;
    std::vector<Span> fields_;
    bool keeps_alive_ = false;
};

/// A field of a request. Views must outlive the exchange; control characters in them are a programming mistake
/// (std::logic_error).
struct Field {
    std::string_view name;
    std::string_view value;
};

/// A request. Host, Content-Length (or Transfer-Encoding) and Expect are added. Everything viewed must outlive the
/// exchange.
struct Request {
    std::string_view method = "POST";
    /// Origin form: path and query.
    std::string_view target = "/";
    std::span<const Field> fields;
    /// Sent one after another without being joined in memory first. Unused by exchange_expect.
    std::span<const std::string_view> body;
    /// Instead of ConnectionOptions::answer_timeout.
    std::optional<std::chrono::milliseconds> answer_timeout{};  // NOLINT(readability-redundant-member-init): for GCC
};

/// Deadlines and bounds of connections to one destination.
struct ConnectionOptions {
    std::chrono::milliseconds resolve_timeout{5'000};
    std::chrono::milliseconds connect_timeout{5'000};
    std::chrono::milliseconds handshake_timeout{10'000};
    /// The peer takes nothing of the request for so long.
    std::chrono::milliseconds send_stall{30'000};
    /// From the request's last byte to the end of the answer.
    std::chrono::milliseconds answer_timeout{30'000};
    /// A connection unused for so long is asked (one system call) whether the peer has closed it before it is used.
    std::chrono::milliseconds check_after{1'000};
    std::size_t max_answer_header = 16384;
    std::size_t max_answer_body = 1048576;
    /// 1xx answers borne with per exchange.
    unsigned max_interim = 8;
};

/// A server behind a Unix socket instead of a URL.
struct UnixPath {
    std::string path;
};

/// What came of an exchange with `Expect: 100-continue`.
struct ExpectOutcome {
    Answer answer;
    /// False: the peer answered finally without asking for the body, and got none.
    bool body_sent = false;
    /// All of the body was given to the peer. False with body_sent: it answered while there was more to come.
    bool complete = false;
};

/// One HTTP/1.1 connection, kept alive between exchanges, over mutual TLS or (without a context) in the clear. One
/// exchange at a time. Lives on the one thread that runs `executor`'s io_context (the executor must be an io_context's
/// own); every member is called there. Never follows redirects, never repeats a request by itself.
///
/// A failed exchange leaves the connection closed; connect() opens it again once the failed call has returned. Asio
/// cancellation of a running connect or exchange closes it too and surfaces as
/// boost::system::system_error(operation_aborted), like every cancelled coroutine.
class Connection {
  public:
    /// Only scheme, host and port of `url` are used. `https` needs a context; `http` ignores it.
    Connection(const boost::asio::any_io_executor& executor, const Url& url,
               std::shared_ptr<const tls::ClientContext> context, const ConnectionOptions& options = {});
    /// In the clear, to a Unix socket.
    Connection(const boost::asio::any_io_executor& executor, const UnixPath& path,
               const ConnectionOptions& options = {});
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    /// Closes. A running connect or exchange of it ends as cancelled.
    ~Connection();

    /// Resolves, connects (each address in turn, TCP_NODELAY), shakes hands. On an open connection: success at once.
    [[nodiscard]] boost::asio::awaitable<ClientResult<void>> connect();
    /// Connected, and the last exchange (if any) left it fit for another. Does not ask the network.
    [[nodiscard]] bool is_open() const;
    /// Exchanges completed on the present connection.
    [[nodiscard]] std::uint64_t exchanges() const;

    /// Sends the request and reads the answer. Not connected: Failure{connect, closed, nothing_sent}.
    [[nodiscard]] boost::asio::awaitable<ClientResult<Answer>> exchange(const Request& request);

    /// Sends the head with `Expect: 100-continue`, waits for `100 Continue` for at most `continue_timeout`, and only
    /// then the body (RFC 9110 10.1.1). A final status instead: the body is not sent, the answer is the outcome, and
    /// the connection closes, since the peer might still count on the body. The time passes: Failure{await_continue,
    /// timeout}. An empty body (size() of 0) goes without Expect, as RFC 9110 wants it. A final answer while the body
    /// is on its way ends the sending; the answer is the outcome with body_sent true, and the connection closes.
    [[nodiscard]] boost::asio::awaitable<ClientResult<ExpectOutcome>> exchange_expect(
        const Request& request, BodySource& source, std::chrono::milliseconds continue_timeout);

    /// The server's certificate while connected over TLS.
    [[nodiscard]] std::optional<tls::PeerIdentity> peer() const;

    /// At once, TLS close_notify included where it costs no wait. Harmless when closed.
    void close();

  private:
    std::shared_ptr<class ConnectionImpl> impl_;
};

}  // namespace lihandover::http
