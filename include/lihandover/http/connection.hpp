#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/http/body_source.hpp"
#include "lihandover/http/failure.hpp"
#include "lihandover/tls/context.hpp"

namespace lihandover::http {

/// The peer's final answer. Owns its text.
class Answer {
  public:
    unsigned status = 0;
    std::string body;
    /// It came on a connection that had carried an exchange before. Such a connection may give an answer that belongs
    /// to no request (one sent twice) in the place of a `100 Continue`; only a fresh connection's can be relied on
    /// there.
    bool reused = false;

    /// The first field of that name (any case), white space around it cut.
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
    /// The coding of `body` (`gzip`) where the peer used one, though `identity` was asked for; else empty.
    [[nodiscard]] std::string_view content_coding() const;
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

/// A request. Host, Content-Length (or Transfer-Encoding), Expect and ConnectorOptions::fields are added. Everything
/// viewed must outlive the exchange.
struct Request {
    std::string_view method = "POST";
    /// Origin form: path and query.
    std::string_view target = "/";
    std::span<const Field> fields;
    /// Sent one after another without being joined in memory first. Unused by exchange_expect.
    std::span<const std::string_view> body;
    /// Instead of ConnectionOptions::answer_timeout.
    std::optional<std::chrono::milliseconds> answer_timeout{};  // NOLINT(readability-redundant-member-init): for GCC
    /// Whether an answer can be one to this request. Asked by exchange() on a connection that carried another before:
    /// an answer that cannot be is passed over where another one follows it soon. Empty: any can.
    std::function<bool(const Answer&)> is_answer{};  // NOLINT(readability-redundant-member-init): for GCC
};

/// Deadlines and bounds of exchanges.
struct ConnectionOptions {
    /// The peer takes nothing of the request for so long.
    std::chrono::milliseconds send_stall{30'000};
    /// From the request's last byte to the end of the answer.
    std::chrono::milliseconds answer_timeout{30'000};
    std::size_t max_answer_header = 16384;
    std::size_t max_answer_body = 1048576;
    /// 1xx answers taken per exchange.
    unsigned max_interim = 100;
};

/// What came of an exchange with `Expect: 100-continue`.
struct ExpectOutcome {
    Answer answer;
    /// False: the peer answered finally without asking for the body, and got none.
    bool body_sent = false;
    /// All of the body was given to the peer. False with body_sent: it answered while there was more to come.
    bool complete = false;
};

/// One HTTP/1.1 connection, kept alive between exchanges, made by a Connector. One exchange at a time. Lives on its
/// connector's thread and may outlive the connector; every member is called on that thread. Never follows redirects,
/// never repeats a request by itself. A failed exchange leaves the connection closed for good.
///
/// Before it sends anything it looks at what has come in, in its own buffers and in the kernel: with a byte there that
/// nobody asked for, or the peer's end, the connection closes (Failure{send, closed, nothing_sent}). So no such byte
/// becomes the next answer. A few line ends are passed over (RFC 9112 2.2). Once anything else was seen on one
/// connection of a connector, each of them carries one exchange for a while (Connector::expects_strays).
///
/// Asio cancellation of a running exchange closes the connection too and surfaces as
/// boost::system::system_error(operation_aborted), like every cancelled coroutine.
class Connection {
  public:
    /// Closed, and stays so: the place for one to come.
    Connection() = default;
    Connection(Connection&& other) noexcept = default;
    /// Closes the one that was here.
    Connection& operator=(Connection&& other) noexcept;
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    /// Closes. A running exchange of it ends as cancelled.
    ~Connection();

    /// The last exchange (if any) left it fit for another. Does not ask the network.
    [[nodiscard]] bool is_open() const;
    /// Exchanges completed on it.
    [[nodiscard]] std::uint64_t exchanges() const;
    /// Path and query of the URL that it leads to.
    [[nodiscard]] std::string_view target() const;

    /// Sends the request and reads the answer. On a closed connection: Failure{connect, closed, nothing_sent}.
    [[nodiscard]] boost::asio::awaitable<ClientResult<Answer>> exchange(const Request& request);

    /// Sends the head with `Expect: 100-continue`, waits for `100 Continue` for at most `continue_timeout`, and only
    /// then the body (RFC 9110 10.1.1). A final status instead: the body is not sent, the answer is the outcome, and
    /// the connection closes, since the peer might still count on the body. The time passes: Failure{await_continue,
    /// timeout}. An empty body (size() of 0) goes without Expect, as RFC 9110 wants it. A final answer while the body
    /// is on its way ends the sending; the answer is the outcome with body_sent true, and the connection closes. So it
    /// does after an answer whose head was whole and whose body was not: here the status says all, and it is no
    /// failure.
    [[nodiscard]] boost::asio::awaitable<ClientResult<ExpectOutcome>> exchange_expect(
        const Request& request, BodySource& source, std::chrono::milliseconds continue_timeout);

    /// The server's certificate while connected over TLS.
    [[nodiscard]] std::optional<tls::PeerIdentity> peer() const;

    /// At once, TLS close_notify included where it costs no wait. Harmless when closed.
    void close();

  private:
    friend class Connector;
    explicit Connection(std::shared_ptr<class ConnectionImpl> impl);
    std::shared_ptr<class ConnectionImpl> impl_;
};

}  // namespace lihandover::http
