#include "support.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <stdexcept>

namespace lihandover::objectserver::test {

namespace asio = boost::asio;

// -- Answer

unsigned Answer::status() const {
    return head.size() < 12 ? 0 : static_cast<unsigned>(std::stoul(head.substr(9, 3)));
}

std::string Answer::field(std::string_view name) const {
    const std::string start = "\r\n" + std::string{name} + ": ";
    const auto at = head.find(start);
    if (at == std::string::npos) {
        return {};
    }
    const auto begin = at + start.size();
    return head.substr(begin, head.find("\r\n", begin) - begin);
}

std::string Answer::without_date() const {
    const auto at = head.find("\r\nDate: ");
    std::string text = head;
    if (at != std::string::npos) {
        text.erase(at, head.find("\r\n", at + 2) - at);
    }
    return text + body;
}

// -- TlsClient

namespace {

/// One context per certificate for the whole program: clients are made on many threads.
std::shared_ptr<const tls::ClientContext> context_for(const std::string& certificate) {
    static std::mutex mutex;
    static std::map<std::string, std::shared_ptr<const tls::ClientContext>> contexts;
    const std::lock_guard lock{mutex};
    auto& context = contexts[certificate];
    if (!context) {
        context = lihandover::test::client_context(certificate);
    }
    return context;
}

}  // namespace

TlsClient::TlsClient(std::uint16_t port, const std::string& certificate, int receive_buffer) {
    const auto context = context_for(certificate);
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) {
        ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        throw std::runtime_error{"cannot connect"};
    }
    const timeval limit{guard.count(), 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    ssl_ = SSL_new(context->native());
    SSL_set_fd(ssl_, descriptor_);
    connected_ = SSL_connect(ssl_) == 1;
    ERR_clear_error();
}

TlsClient::~TlsClient() {
    SSL_free(ssl_);
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

void TlsClient::send(std::string_view bytes) {
    SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()));
    ERR_clear_error();
}

bool TlsClient::fill() {
    std::array<char, 16384> chunk{};
    const int count = SSL_read(ssl_, chunk.data(), static_cast<int>(chunk.size()));
    ERR_clear_error();
    if (count <= 0) {
        return false;
    }
    buffer_.append(chunk.data(), static_cast<std::size_t>(count));
    return true;
}

std::optional<std::string> TlsClient::read_head() {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
        if (!fill()) {
            return std::nullopt;
        }
    }
    std::string head = buffer_.substr(0, end + 4);
    buffer_.erase(0, end + 4);
    return head;
}

std::string TlsClient::read(std::size_t size) {
    while (buffer_.size() < size && fill()) {
    }
    std::string text = buffer_.substr(0, size);
    buffer_.erase(0, text.size());
    return text;
}

std::optional<Answer> TlsClient::receive(bool without_body) {
    auto head = read_head();
    if (!head) {
        return std::nullopt;
    }
    Answer answer{std::move(*head), {}};
    const std::string length = answer.field("Content-Length");
    if (!without_body && !length.empty()) {
        const std::size_t size = std::stoull(length);
        answer.body = read(size);
        if (answer.body.size() < size) {
            return std::nullopt;
        }
    }
    return answer;
}

Answer TlsClient::ask(std::string_view method, std::string_view target, std::string_view fields) {
    std::string request{method};
    request += ' ';
    request += target;
    request += " HTTP/1.1\r\nHost: csp.example.com\r\n";
    request += fields;
    request += "\r\n";
    send(request);
    return receive(method == "HEAD").value_or(Answer{});
}

bool TlsClient::closes() {
    return buffer_.empty() && !fill();
}

void TlsClient::reset() {
    const linger at_once{1, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(descriptor_);
    descriptor_ = -1;
}

std::string fingerprint(const std::string& certificate) {
    return lihandover::test::client_context(certificate)->certificate().sha256;
}

// -- TestServer

Settings TestServer::settings() {
    static const bool made = [] {
        lihandover::test::certificates().make("second", "ca",
                                              {.common_name = "Second Client", .names = {}, .addresses = {}});
        lihandover::test::certificates().make(
            "short", "ca", {.common_name = "Short Client", .names = {}, .addresses = {}, .until = 3600});
        return true;
    }();
    static_cast<void>(made);
    static const auto tls = lihandover::test::server_context();
    Settings settings;
    settings.tls = tls;
    settings.certificates["lea-one"] = {fingerprint("client")};
    settings.certificates["lea-two"] = {fingerprint("second")};
    return settings;
}

TestServer::TestServer() : TestServer(settings()) {}

TestServer::TestServer(Options options) : TestServer(settings(), std::move(options)) {}

TestServer::TestServer(const Settings& settings, Options options) {
    clock.let_wall_run();
    const Parts parts{
        store.downloads(), store.lanes(), metrics, clock, pool_.get_executor(), [this] {
                          return can_commit.load(); }};
    options.listen = "127.0.0.1:0";
    server_ = std::move(ObjectServer::create(context_.get_executor(), parts, options, settings)).value();
    server_->start();
    thread_ = std::thread{[this] {
        const auto work = asio::make_work_guard(context_);
        context_.run();
    }};
}

TestServer::~TestServer() {
    store.let_read();
    stop(std::chrono::milliseconds{0}).wait();
    store.hold_fetches(false);
    context_.stop();
    thread_.join();
    pool_.join();
}

std::future<void> TestServer::stop(std::chrono::milliseconds grace) {
    return asio::co_spawn(context_, server_->stop(grace), asio::use_future);
}

void TestServer::run(const std::function<void()>& work) {
    asio::post(context_, asio::use_future([&work] { work(); })).get();
}

bool TestServer::wait_for(const std::function<bool()>& condition) const {
    const auto end = std::chrono::steady_clock::now() + guard;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return true;
}

std::vector<store::Fetch> TestServer::wait_fetches(std::size_t count) const {
    static_cast<void>(wait_for([&] { return store.fetches().size() >= count; }));
    return store.fetches();
}

double TestServer::metric(const std::string& series) const {
    const std::string text = '\n' + metrics.render();
    const auto at = text.find('\n' + series + ' ');
    return at == std::string::npos ? -1 : std::stod(text.substr(at + series.size() + 2));
}

// -- Shorthand

std::string checksum_tag() {
    std::string text = "\"";
    for (int count = 0; count < 32; ++count) {
        text += "ab";
    }
    return text + '"';
}

std::string downloads(const std::string& destination, const std::string& outcome) {
    return "lihandover_downloads_total{destination=\"" + destination + "\",outcome=\"" + outcome + "\"}";
}

std::string put(TestServer& server, const std::function<void(store::StoredObject&)>& change) {
    return server.store.target_of(server.store.put("lea-one", 1000, change));
}

Load load_of(TestServer& server) {
    Load load;
    server.run([&] { load = server.server().load(); });
    return load;
}

void ask_for(TlsClient& client, const std::string& target) {
    client.send("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
}

}  // namespace lihandover::objectserver::test
