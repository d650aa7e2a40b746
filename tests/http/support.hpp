#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "lihandover/http/client.hpp"
#include "lihandover/http/server.hpp"

namespace lihandover::http::test {

/// Nothing in these tests takes nearly as long; it keeps a broken one from hanging.
constexpr std::chrono::seconds guard{30};

/// An answer or a request as it came over the wire.
struct Message {
    std::string first_line;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;

    [[nodiscard]] unsigned status() const;
    [[nodiscard]] std::string field(std::string_view name) const;
    [[nodiscard]] bool has(std::string_view name) const;
};

/// A blocking socket that sends exactly what it is told.
class Raw {
  public:
    explicit Raw(std::uint16_t port, bool v6 = false);
    explicit Raw(const std::string& unix_path);
    static Raw adopt(int descriptor);
    Raw(Raw&& other) noexcept;
    Raw& operator=(Raw&& other) noexcept;
    ~Raw();

    void send(std::string_view bytes);
    /// False if the peer does not take them any more.
    bool try_send(std::string_view bytes);
    /// Until `what` was received; returns everything up to and including it, and keeps the rest.
    std::string read_until(std::string_view what);
    /// Exactly so many bytes.
    std::string read(std::size_t count);
    /// One message with its body (Content-Length, chunked, or, for answers, to the end).
    Message read_message(bool without_body = false);
    /// Everything until the peer closes.
    std::string read_all();
    /// True if the peer closes (or resets) without another byte.
    bool closes();
    /// There is something to read, or the end, within `time`.
    bool readable(std::chrono::milliseconds time);
    void shut_write();
    void close();
    /// Close with a reset.
    void reset();
    [[nodiscard]] int descriptor() const { return descriptor_; }

  private:
    Raw() = default;
    bool fill();
    int descriptor_ = -1;
    std::string buffer_;
};

/// A listening socket for scripted servers.
class RawListener {
  public:
    explicit RawListener(const std::string& address = "127.0.0.1", std::uint16_t port = 0);
    RawListener(const RawListener&) = delete;
    RawListener& operator=(const RawListener&) = delete;
    ~RawListener();
    [[nodiscard]] std::uint16_t port() const { return port_; }
    Raw accept();
    /// Somebody has connected and has not been accepted yet.
    [[nodiscard]] bool pending() const;

  private:
    int descriptor_ = -1;
    std::uint16_t port_ = 0;
};

/// A server in the clear that follows a script for one connection. What the script throws fails the test.
class Script {
  public:
    explicit Script(std::function<void(Raw&)> script);
    Script(const Script&) = delete;
    Script& operator=(const Script&) = delete;
    ~Script() { thread_.join(); }
    [[nodiscard]] std::uint16_t port() const { return listener_.port(); }

  private:
    RawListener listener_;
    std::thread thread_;
};

/// Answers by path; see the .cpp. It notes what it saw for the test.
class TestHandler : public Handler {
  public:
    explicit TestHandler(boost::asio::io_context& context) : gate_(context) {
        gate_.expires_at(std::chrono::steady_clock::time_point::max());
    }
    boost::asio::awaitable<void> handle(Exchange& exchange) override;

    /// Requests at /gate wait until this is called. On the server's thread.
    void open_gate() { gate_.cancel(); }
    // On the server's thread, or after it ended:
    std::vector<std::string> seen;
    std::vector<std::string> events;

  private:
    boost::asio::awaitable<void> echo(Exchange& exchange);
    boost::asio::awaitable<void> count(Exchange& exchange);
    boost::asio::awaitable<void> stream(Exchange& exchange);
    boost::asio::awaitable<void> who(Exchange& exchange);
    boost::asio::awaitable<void> respond(Exchange& exchange, unsigned status, std::string body);
    boost::asio::steady_timer gate_;
};

/// A server on its own thread.
class TestServer {
  public:
    explicit TestServer(ServerOptions options = {});
    TestServer(const TestServer&) = delete;
    TestServer& operator=(const TestServer&) = delete;
    ~TestServer();

    [[nodiscard]] std::uint16_t port() const { return server_->port(); }
    [[nodiscard]] const std::string& address() const { return server_->address(); }
    Raw connect() const { return Raw{port()}; }
    /// Runs `work` on the server's thread and waits for it.
    void run(const std::function<void()>& work);
    ServerStats stats();
    /// Until the condition holds on the server's thread, checked again and again.
    bool wait_for(const std::function<bool()>& condition);
    bool wait_seen(const std::string& what);
    bool wait_event(const std::string& what);
    std::future<void> stop(std::chrono::milliseconds grace);
    Server& server() { return *server_; }
    TestHandler& handler() { return handler_; }

  private:
    boost::asio::io_context context_{1};
    TestHandler handler_{context_};
    std::unique_ptr<Server> server_;
    std::thread thread_;
};

/// Produces a body from a pattern, in steps.
class PatternSource : public BodySource {
  public:
    PatternSource(std::uint64_t total, bool known, std::size_t step = 7000);
    [[nodiscard]] std::optional<std::uint64_t> size() const override;
    [[nodiscard]] boost::asio::awaitable<model::Result<std::size_t>> read(std::span<char> buffer) override;
    /// Fails once so many bytes were given.
    void fail_after(std::uint64_t bytes) { fail_after_ = bytes; }
    /// Declares another length than it has.
    void claim(std::uint64_t size) { claimed_ = size; }
    [[nodiscard]] std::uint64_t given() const { return given_; }
    static std::string pattern(std::uint64_t total);

  private:
    std::uint64_t total_;
    bool known_;
    std::size_t step_;
    std::uint64_t given_ = 0;
    std::optional<std::uint64_t> fail_after_;
    std::optional<std::uint64_t> claimed_;
};

/// Drives a Connection from a test in sequential code.
class TestClient {
  public:
    TestClient(const Url& url, std::shared_ptr<const tls::ClientContext> tls, const ConnectorOptions& options = {});
    TestClient(const Url& url, std::shared_ptr<const tls::ClientContext> tls, const ConnectionOptions& exchange);
    explicit TestClient(const UnixPath& path);

    /// Replaces the existing connection, unless it is open.
    ClientResult<void> connect();
    ClientResult<Answer> exchange(const Request& request);
    ClientResult<Answer> post(std::string_view target, std::string_view body);
    ClientResult<Answer> get(std::string_view target, std::string_view method = "GET");
    ClientResult<ExpectOutcome> expect(std::string_view target, BodySource& source,
                                       std::chrono::milliseconds continue_timeout = guard);
    Connection& connection() { return connection_; }
    Connector& connector() { return *connector_; }
    boost::asio::io_context& context() { return context_; }
    void destroy() { connection_ = {}; }

  private:
    boost::asio::io_context context_{1};
    std::unique_ptr<Connector> connector_;
    Connection connection_;
};

Url local_url(std::uint16_t port, const std::string& scheme = "http", const std::string& host = "127.0.0.1");

/// What the client makes of `answer` to a request; the server closes after it.
ClientResult<Answer> answer_of(const std::string& answer, const ConnectionOptions& options = {},
                               std::string_view method = "GET");

}  // namespace lihandover::http::test
