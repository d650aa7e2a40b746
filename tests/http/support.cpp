#include "support.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <cstring>
#include <stdexcept>

namespace lihandover::http::test {
namespace {

namespace asio = boost::asio;

void demand(bool good, const char* what) {
    if (!good) {
        throw std::runtime_error{std::string{what} + ": " + std::strerror(errno)};
    }
}

void set_guard(int descriptor) {
    const timeval limit{guard.count(), 0};
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    // What was sent is with the peer's system then. (Not for Unix sockets, where it always is.)
    const int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

unsigned Message::status() const {
    return first_line.starts_with("HTTP/1.1 ") ? static_cast<unsigned>(std::stoul(first_line.substr(9, 3))) : 0;
}

std::string Message::field(std::string_view name) const {
    for (const auto& [key, value] : fields) {
        if (key.size() == name.size() && strncasecmp(key.data(), name.data(), name.size()) == 0) {
            return value;
        }
    }
    return {};
}

bool Message::has(std::string_view name) const {
    for (const auto& [key, value] : fields) {
        if (key.size() == name.size() && strncasecmp(key.data(), name.data(), name.size()) == 0) {
            return true;
        }
    }
    return false;
}

Raw::Raw(std::uint16_t port, bool v6) {
    descriptor_ = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    demand(descriptor_ >= 0, "socket");
    set_guard(descriptor_);
    int result = 0;
    if (v6) {
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(port);
        address.sin6_addr = in6addr_loopback;
        result = ::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    } else {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        result = ::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    }
    demand(result == 0, "connect");
}

Raw::Raw(const std::string& unix_path) {
    descriptor_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    demand(descriptor_ >= 0, "socket");
    set_guard(descriptor_);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, unix_path.c_str(), sizeof address.sun_path - 1);
    demand(::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "connect");
}

Raw Raw::adopt(int descriptor) {
    Raw raw;
    raw.descriptor_ = descriptor;
    set_guard(descriptor);
    return raw;
}

Raw::Raw(Raw&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), buffer_(std::move(other.buffer_)) {}

Raw& Raw::operator=(Raw&& other) noexcept {
    close();
    descriptor_ = std::exchange(other.descriptor_, -1);
    buffer_ = std::move(other.buffer_);
    return *this;
}

Raw::~Raw() {
    close();
}

void Raw::close() {
    if (descriptor_ >= 0) {
        ::close(std::exchange(descriptor_, -1));
    }
}

void Raw::reset() {
    const linger at_once{1, 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
}

bool Raw::try_send(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count <= 0) {
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

void Raw::send(std::string_view bytes) {
    demand(try_send(bytes), "send");
}

bool Raw::fill() {
    std::string chunk(65536, '\0');
    const auto count = ::recv(descriptor_, chunk.data(), chunk.size(), 0);
    if (count < 0 && errno == EAGAIN) {
        throw std::runtime_error{"nothing came within the guard time; so far: " + buffer_.substr(0, 300)};
    }
    if (count <= 0) {
        return false;
    }
    buffer_.append(chunk.data(), static_cast<std::size_t>(count));
    return true;
}

std::string Raw::read_until(std::string_view what) {
    std::size_t at = 0;
    while ((at = buffer_.find(what)) == std::string::npos) {
        if (!fill()) {
            throw std::runtime_error{"the peer closed early; so far: " + buffer_.substr(0, 300)};
        }
    }
    std::string text = buffer_.substr(0, at + what.size());
    buffer_.erase(0, text.size());
    return text;
}

std::string Raw::read(std::size_t count) {
    while (buffer_.size() < count) {
        if (!fill()) {
            throw std::runtime_error{"the peer closed early"};
        }
    }
    std::string text = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return text;
}

Message Raw::read_message(bool without_body) {
    Message message;
    const std::string head = read_until("\r\n\r\n");
    std::size_t at = head.find("\r\n");
    message.first_line = head.substr(0, at);
    for (at += 2; at + 2 < head.size();) {
        const auto end = head.find("\r\n", at);
        const auto colon = head.find(": ", at);
        message.fields.emplace_back(head.substr(at, colon - at), head.substr(colon + 2, end - colon - 2));
        at = end + 2;
    }
    const bool answer = message.first_line.starts_with("HTTP/");
    if (without_body || (answer && (message.status() == 204 || message.status() == 304 || message.status() < 200))) {
        return message;
    }
    if (message.has("Content-Length")) {
        message.body = read(std::stoul(message.field("Content-Length")));
    } else if (message.field("Transfer-Encoding") == "chunked") {
        for (;;) {
            const auto size = std::stoul(read_until("\r\n"), nullptr, 16);
            message.body += read(size);
            if (read(2) != "\r\n") {
                throw std::runtime_error{"chunk without its end"};
            }
            if (size == 0) {
                break;
            }
        }
    } else if (answer) {
        message.body = read_all();
    }
    return message;
}

std::string Raw::read_all() {
    while (fill()) {
    }
    return std::exchange(buffer_, {});
}

bool Raw::closes() {
    return buffer_.empty() && !fill();
}

bool Raw::readable(std::chrono::milliseconds time) {
    if (!buffer_.empty()) {
        return true;
    }
    pollfd entry{descriptor_, POLLIN, 0};
    return poll(&entry, 1, static_cast<int>(time.count())) > 0;
}

void Raw::shut_write() {
    ::shutdown(descriptor_, SHUT_WR);
}

RawListener::RawListener(const std::string& where, std::uint16_t port) {
    descriptor_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    demand(descriptor_ >= 0, "socket");
    set_guard(descriptor_);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    demand(inet_pton(AF_INET, where.c_str(), &address.sin_addr) == 1, "address");
    demand(bind(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "bind");
    demand(listen(descriptor_, 16) == 0, "listen");
    socklen_t size = sizeof address;
    getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
}

RawListener::~RawListener() {
    ::close(descriptor_);
}

bool RawListener::pending() const {
    pollfd entry{descriptor_, POLLIN, 0};
    return poll(&entry, 1, 0) > 0;
}

Raw RawListener::accept() {
    const int accepted = accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC);
    demand(accepted >= 0, "accept");
    return Raw::adopt(accepted);
}

asio::awaitable<void> TestHandler::respond(Exchange& exchange, unsigned status, std::string body) {
    Response response;
    response.status = status;
    response.content_type = "text/plain";
    response.body = std::move(body);
    const bool sent = co_await exchange.respond(std::move(response));
    events.emplace_back(sent ? "sent" : "not sent");
}

asio::awaitable<void> TestHandler::handle(Exchange& exchange) {
    const std::string path{exchange.path()};
    seen.push_back(std::string{exchange.method()} + ' ' + std::string{exchange.target()});
    if (path == "/echo") {
        co_await echo(exchange);
    } else if (path == "/count") {
        co_await count(exchange);
    } else if (path == "/stream") {
        co_await stream(exchange);
    } else if (path == "/who") {
        co_await who(exchange);
    } else if (path == "/ignore") {
        co_await respond(exchange, 200, "ignored");
    } else if (path == "/gate") {
        boost::system::error_code error;
        co_await gate_.async_wait(asio::redirect_error(asio::use_awaitable, error));
        co_await respond(exchange, 200, "opened");
    } else if (path == "/never") {
        try {
            asio::steady_timer never{gate_.get_executor(), std::chrono::steady_clock::time_point::max()};
            co_await never.async_wait(asio::use_awaitable);
        } catch (const boost::system::system_error&) {
            events.emplace_back("cancelled");
            throw;
        }
    } else if (path == "/throw") {
        throw std::runtime_error{"a secret"};
    } else if (path == "/silent") {
        co_return;
    } else if (path == "/abort") {
        exchange.abort();
        co_await respond(exchange, 200, "too late");
    } else if (path == "/confirmed") {
        co_await respond(exchange, 200, std::string(100'000, 'x'));
        const bool confirmed = co_await exchange.confirmed();
        events.emplace_back(confirmed ? "confirmed" : "not confirmed");
    } else if (path == "/twice") {
        co_await respond(exchange, 200, "once");
        co_await respond(exchange, 200, "twice");
    } else if (path == "/withhold") {
        exchange.withhold_continue();
        events.emplace_back(exchange.expects_continue() ? "expected" : "not expected");
        co_await echo(exchange);
    } else if (path == "/204") {
        Response response;
        response.status = 204;
        co_await exchange.respond(std::move(response));
    } else if (path == "/fields") {
        Response response;
        response.status = 503;
        response.content_type = "application/json";
        response.body = "{}";
        response.fields.emplace_back("Retry-After", "7");
        response.fields.emplace_back("X-Other", "a b");
        response.close = exchange.query() == "close";
        co_await exchange.respond(std::move(response));
    } else if (path == "/badfield") {
        Response response;
        response.fields.emplace_back("X-Split", "a\r\nInjected: b");
        co_await exchange.respond(std::move(response));
    } else if (path == "/large") {
        co_await respond(exchange, 200, std::string(64UL * 1024 * 1024, 'x'));
    } else {
        co_await respond(exchange, 404, "no such path");
    }
}

asio::awaitable<void> TestHandler::echo(Exchange& exchange) {
    std::string body;
    const BodyResult<void> read = co_await exchange.read_body(body, 1024UL * 1024);
    if (!read) {
        const BodyFailure failure = read.error();
        events.emplace_back(failure == BodyFailure::too_large ? "too large"
                            : failure == BodyFailure::timeout ? "timeout"
                                                              : "broken");
        co_await respond(exchange, failure == BodyFailure::too_large ? 413 : 408, "");
        co_return;
    }
    if (body.capacity() < body.size() + Exchange::body_slack) {
        events.emplace_back("no slack");
    }
    co_await respond(exchange, 200, std::move(body));
}

asio::awaitable<void> TestHandler::count(Exchange& exchange) {
    std::uint64_t total = 0;
    std::vector<char> buffer(1000);
    for (;;) {
        const BodyResult<std::size_t> count = co_await exchange.read_some(buffer);
        if (!count) {
            events.emplace_back("count failed");
            co_await respond(exchange, 400, "");
            co_return;
        }
        if (*count == 0) {
            break;
        }
        total += *count;
    }
    const std::string length = exchange.content_length() ? std::to_string(*exchange.content_length()) : "chunked";
    co_await respond(exchange, 200, std::to_string(total) + " of " + length);
}

/// Query: size, and which kind: `known`, `unknown`, `short` (ends early), `fail`.
asio::awaitable<void> TestHandler::stream(Exchange& exchange) {
    const std::string query{exchange.query()};
    const auto total = std::stoull(query);
    PatternSource source{total, query.find("unknown") == std::string::npos};
    if (query.find("short") != std::string::npos) {
        source.claim(total + 10);
    }
    if (query.find("fail") != std::string::npos) {
        source.fail_after(total / 2);
    }
    Response response;
    response.content_type = "application/octet-stream";
    const bool sent = co_await exchange.respond(std::move(response), source);
    events.emplace_back(sent ? "sent" : "not sent");
}

asio::awaitable<void> TestHandler::who(Exchange& exchange) {
    const Peer& peer = exchange.peer();
    std::string text = "address=" + peer.address;
    if (peer.certificate) {
        text += " subject=" + peer.certificate->subject + " sha256=" + peer.certificate->certificate_sha256;
    }
    if (peer.process) {
        text += " uid=" + std::to_string(peer.process->uid) + " pid=" + std::to_string(peer.process->pid) +
                " user=" + user_name(peer.process->uid);
    }
    text += " host=" + std::string{exchange.header("host").value_or("none")};
    co_await respond(exchange, 200, std::move(text));
}

TestServer::TestServer(ServerOptions options) {
    if (options.listen.empty()) {
        options.listen = "127.0.0.1:0";
    }
    auto made = Server::listen(context_.get_executor(), std::move(options), handler_);
    if (!made) {
        throw std::runtime_error{made.error().message};
    }
    server_ = std::move(*made);
    server_->start();
    thread_ = std::thread{[this] {
        auto work = asio::make_work_guard(context_);
        context_.run();
    }};
}

TestServer::~TestServer() {
    stop(std::chrono::milliseconds{0}).wait();
    context_.stop();
    thread_.join();
    server_.reset();
}

void TestServer::run(const std::function<void()>& work) {
    std::promise<void> done;
    asio::post(context_, [&] {
        work();
        done.set_value();
    });
    done.get_future().wait();
}

ServerStats TestServer::stats() {
    ServerStats stats;
    run([&] { stats = server_->stats(); });
    return stats;
}

bool TestServer::wait_for(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + guard;
    bool holds = false;
    while (!holds && std::chrono::steady_clock::now() < end) {
        run([&] { holds = condition(); });
        if (!holds) {
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
        }
    }
    return holds;
}

bool TestServer::wait_seen(const std::string& what) {
    return wait_for([&] { return std::ranges::find(handler_.seen, what) != handler_.seen.end(); });
}

bool TestServer::wait_event(const std::string& what) {
    return wait_for([&] { return std::ranges::find(handler_.events, what) != handler_.events.end(); });
}

std::future<void> TestServer::stop(std::chrono::milliseconds grace) {
    return asio::co_spawn(context_, server_->stop(grace), asio::use_future);
}

PatternSource::PatternSource(std::uint64_t total, bool known, std::size_t step)
    : total_(total), known_(known), step_(step) {}

std::optional<std::uint64_t> PatternSource::size() const {
    return known_ ? std::optional{claimed_.value_or(total_)} : std::nullopt;
}

std::string PatternSource::pattern(std::uint64_t total) {
    std::string text(total, '\0');
    for (std::uint64_t index = 0; index < total; ++index) {
        text[index] = static_cast<char>('a' + index % 23);
    }
    return text;
}

asio::awaitable<model::Result<std::size_t>> PatternSource::read(std::span<char> buffer) {
    if (fail_after_ && given_ >= *fail_after_) {
        co_return model::Error{"out of bytes"};
    }
    const auto left = static_cast<std::size_t>(total_ - given_);
    const std::size_t count = std::min({left, step_, buffer.size()});
    for (std::size_t index = 0; index < count; ++index) {
        buffer[index] = static_cast<char>('a' + (given_ + index) % 23);
    }
    given_ += count;
    co_return count;
}

namespace {

template <typename T>
T complete(asio::io_context& context, asio::awaitable<T> work) {
    std::future<T> result = asio::co_spawn(context, std::move(work), asio::use_future);
    context.restart();
    const auto end = std::chrono::steady_clock::now() + guard;
    while (result.wait_for(std::chrono::seconds{0}) != std::future_status::ready) {
        if (context.run_one_until(end) == 0) {
            throw std::runtime_error{"the client did not come to an end"};
        }
    }
    return result.get();
}

}  // namespace

TestClient::TestClient(const Url& url, std::shared_ptr<const tls::ClientContext> tls, const ConnectorOptions& options)
    : connector_(std::make_unique<Connector>(context_.get_executor(), url, std::move(tls), options)) {}

TestClient::TestClient(const Url& url, std::shared_ptr<const tls::ClientContext> tls, const ConnectionOptions& exchange)
    : TestClient(url, std::move(tls), [&] {
          ConnectorOptions options;
          options.exchange = exchange;
          return options;
      }()) {}

TestClient::TestClient(const UnixPath& path) : connector_(std::make_unique<Connector>(context_.get_executor(), path)) {}

ClientResult<void> TestClient::connect() {
    if (!connection_.is_open()) {
        auto connected = complete(context_, connector_->connect());
        if (!connected) {
            return connected.error();
        }
        connection_ = std::move(*connected);
    }
    return {};
}

ClientResult<Answer> TestClient::exchange(const Request& request) {
    return complete(context_, connection_.exchange(request));
}

ClientResult<Answer> TestClient::post(std::string_view target, std::string_view body) {
    const std::vector<std::string_view> parts{body};
    const std::vector<Field> fields{{"Content-Type", "text/plain"}};
    Request request;
    request.target = target;
    request.fields = fields;
    request.body = parts;
    return exchange(request);
}

ClientResult<Answer> TestClient::get(std::string_view target, std::string_view method) {
    Request request;
    request.method = method;
    request.target = target;
    return exchange(request);
}

ClientResult<ExpectOutcome> TestClient::expect(std::string_view target, BodySource& source,
                                               std::chrono::milliseconds continue_timeout) {
    Request request;
    request.target = target;
    return complete(context_, connection_.exchange_expect(request, source, continue_timeout));
}

Url local_url(std::uint16_t port, const std::string& scheme, const std::string& host) {
    Url url;
    url.scheme = scheme;
    url.host = host;
    url.port = port;
    url.target = "/";
    return url;
}

Script::Script(std::function<void(Raw&)> script) {
    thread_ = std::thread{[this, script = std::move(script)] {
        try {
            Raw raw = listener_.accept();
            script(raw);
        } catch (const std::exception& error) {
            ADD_FAILURE() << error.what();
        }
    }};
}

ClientResult<Answer> answer_of(const std::string& answer, const ConnectionOptions& options, std::string_view method) {
    const Script script{[&](Raw& raw) {
        raw.read_until("\r\n\r\n");
        raw.send(answer);
        raw.shut_write();
        raw.read_all();
    }};
    TestClient client{local_url(script.port()), nullptr, options};
    EXPECT_TRUE(client.connect().has_value());
    auto result = client.get("/x", method);
    client.connection().close();
    return result;
}

}  // namespace lihandover::http::test
