#include "lea.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <future>
#include <utility>

#include "lihandover/hi1/writer.hpp"
#include "lihandover/model/clock.hpp"

namespace lihandover::delivery::test {

namespace asio = boost::asio;

std::string Arrival::deliver() const {
    const auto begin = body.find("<DELIVER>");
    const auto end = body.rfind("</DELIVER>");
    return begin < end ? body.substr(begin, end - begin) : std::string();
}

Reply accept(const Arrival& arrival) {
    Reply reply;
    for (std::size_t i = 0; i < arrival.objects.size(); ++i) {
        reply.answers.push_back({i, hi1::ActionAnswer::Kind::accepted, arrival.objects[i], {}});
    }
    return reply;
}

Reply refuse(const Arrival& arrival, const std::map<model::Uuid, std::uint64_t>& codes) {
    auto reply = accept(arrival);
    for (std::size_t i = 0; i < arrival.objects.size(); ++i) {
        if (const auto found = codes.find(arrival.objects[i]); found != codes.end()) {
            reply.answers[i] = {i, hi1::ActionAnswer::Kind::refused, {}, {found->second, "the LEA's words"}};
        }
    }
    return reply;
}

Reply message_error(std::uint64_t code) {
    Reply reply;
    reply.message_error = hi1::ErrorInformation{code, "the LEA's words"};
    return reply;
}

Reply http_status(unsigned status, std::string_view retry_after) {
    Reply reply;
    reply.status = status;
    reply.body = "no";
    if (!retry_after.empty()) {
        reply.fields.emplace_back("Retry-After", retry_after);
    }
    return reply;
}

Reply garbage() {
    Reply reply;
    reply.body = "<html>It works!</html>";
    return reply;
}

Lea::Lea(Script script, std::shared_ptr<const tls::ServerContext> tls, std::uint16_t port)
    : secure_(tls != nullptr), script_(std::move(script)) {
    http::ServerOptions options;
    options.listen = "127.0.0.1:" + std::to_string(port);
    options.tls = std::move(tls);
    server_ = http::Server::listen(io_.get_executor(), options, *this).value();
    port_ = server_->port();
    server_->start();
    thread_ = std::thread([this] { io_.run(); });
}

Lea::~Lea() {
    stop();
}

void Lea::stop() {
    if (!thread_.joinable()) {
        return;
    }
    release();
    asio::co_spawn(io_, stop_server(server_.get()), asio::use_future).get();
    io_.stop();
    thread_.join();
    server_.reset();
}

asio::awaitable<void> Lea::stop_server(http::Server* server) {
    co_await server->stop(std::chrono::milliseconds(0));
}

std::string Lea::url() const {
    return std::string(secure_ ? "https" : "http") + "://127.0.0.1:" + std::to_string(port_) + "/hi";
}

void Lea::set_script(Script script) {
    const std::lock_guard lock(mutex_);
    script_ = std::move(script);
}

void Lea::release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
}

std::vector<Arrival> Lea::arrivals() const {
    const std::lock_guard lock(mutex_);
    return arrivals_;
}

std::size_t Lea::count() const {
    const std::lock_guard lock(mutex_);
    return arrivals_.size();
}

std::vector<model::Uuid> Lea::objects() const {
    const std::lock_guard lock(mutex_);
    std::vector<model::Uuid> all;
    for (const auto& arrival : arrivals_) {
        all.insert(all.end(), arrival.objects.begin(), arrival.objects.end());
    }
    return all;
}

std::size_t Lea::held() const {
    const std::lock_guard lock(mutex_);
    return held_;
}

std::size_t Lea::most_at_once() const {
    const std::lock_guard lock(mutex_);
    return most_at_once_;
}

bool Lea::overlapped() const {
    const std::lock_guard lock(mutex_);
    return overlapped_;
}

namespace {

constexpr std::string_view objects_path = "/objects/";

}  // namespace

std::optional<model::Uuid> UploadArrival::id() const {
    return model::Uuid::parse(std::string_view(path).substr(objects_path.size()));
}

void Lea::set_upload_script(UploadScript script) {
    const std::lock_guard lock(mutex_);
    upload_script_ = std::move(script);
}

std::string Lea::objects_url() const {
    return std::string(secure_ ? "https" : "http") + "://127.0.0.1:" + std::to_string(port_) +
           std::string(objects_path);
}

std::vector<UploadArrival> Lea::uploads() const {
    const std::lock_guard lock(mutex_);
    return uploads_;
}

std::vector<UploadArrival> Lea::uploads_of(const model::Uuid& object) const {
    auto all = uploads();
    std::erase_if(all, [&](const UploadArrival& one) { return one.id() != object; });
    return all;
}

std::uint64_t Lea::upload_bytes() const {
    const std::lock_guard lock(mutex_);
    std::uint64_t bytes = 0;
    for (const auto& one : uploads_) {
        bytes += one.bytes.size();
    }
    return bytes;
}

asio::awaitable<void> Lea::take_object(http::Exchange& exchange) {
    UploadArrival arrival;
    arrival.path = exchange.target();
    arrival.content_type = exchange.header("Content-Type").value_or("");
    arrival.content_length = exchange.content_length();
    arrival.expects = exchange.header("Expect") == "100-continue";
    arrival.peer = exchange.peer().address;
    if (const auto& certificate = exchange.peer().certificate) {
        arrival.certificate = certificate->certificate_sha256;
    }
    UploadReply reply;
    {
        const std::lock_guard lock(mutex_);
        arrival.number = uploads_.size();
        arrival.deliveries = answered_;
        uploads_.push_back(arrival);
        reply = upload_script_(arrival);
    }
    if (!reply.unasked) {
        co_await take_bytes(exchange, reply, arrival.number);
    }
    const bool whole = uploads()[arrival.number].whole;
    if (whole || reply.unasked || uploads()[arrival.number].bytes.size() >= reply.answer_after) {
        http::Response response;
        response.status = reply.status;
        response.close = reply.close;
        if (!reply.retry_after.empty()) {
            response.fields.emplace_back("Retry-After", reply.retry_after);
        }
        co_await exchange.respond(std::move(response));
    } else {
        exchange.abort();
    }
    const std::lock_guard lock(mutex_);
    uploads_[arrival.number].ended = true;
}

asio::awaitable<void> Lea::take_bytes(http::Exchange& exchange, const UploadReply& reply, std::size_t number) {
    if (reply.withhold) {
        exchange.withhold_continue();
    }
    std::string buffer(std::size_t{64} * 1024, '\0');
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (;;) {
        std::size_t had = 0;
        bool held = false;
        {
            const std::lock_guard lock(mutex_);
            had = uploads_[number].bytes.size();
            held = had >= reply.hold_after && !released_;
        }
        if (had >= reply.drop_after || had >= reply.answer_after) {
            co_return;
        }
        if (held) {
            timer.expires_after(std::chrono::milliseconds(1));
            co_await timer.async_wait(asio::use_awaitable);
            continue;
        }
        const auto count = co_await exchange.read_some(buffer);
        if (!count) {
            co_return;
        }
        const std::lock_guard lock(mutex_);
        uploads_[number].bytes.append(buffer, 0, *count);
        if (*count == 0) {
            uploads_[number].whole = true;
            co_return;
        }
    }
}

asio::awaitable<void> Lea::handle(http::Exchange& exchange) {
    if (exchange.target().starts_with(objects_path)) {
        co_await take_object(exchange);
        co_return;
    }
    std::string body;
    if (!co_await exchange.read_body(body, std::size_t{64} << 20)) {
        co_return;
    }
    auto request = hi1::read_request(body);
    if (!request || exchange.method() != "POST" || exchange.header("Content-Type") != "application/xml" ||
        exchange.target() != "/hi") {
        co_await exchange.respond({.status = 500, .content_type = {}, .body = "unreadable", .fields = {}});
        co_return;
    }
    Arrival arrival;
    arrival.transaction = request->header.transaction;
    arrival.size = body.size();
    arrival.body = body;
    arrival.peer = exchange.peer().address;
    for (const auto& action : request->actions) {
        arrival.objects.push_back(action.identifier.value_or(model::Uuid{}));
        arrival.liids.push_back(hi1::liid_of(action.object));
    }
    Reply reply;
    {
        const std::lock_guard lock(mutex_);
        arrival.number = arrivals_.size();
        reply = script_(arrival);
        most_at_once_ = std::max(most_at_once_, ++at_once_);
        for (auto liid = arrival.liids.begin(); liid != arrival.liids.end(); ++liid) {
            if (std::find(arrival.liids.begin(), liid, *liid) == liid) {
                overlapped_ = ++in_flight_[*liid] > 1 || overlapped_;
            }
        }
        arrivals_.push_back(arrival);
        held_ += reply.hold ? 1 : 0;
    }
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (reply.hold) {
        timer.expires_after(std::chrono::milliseconds(1));
        co_await timer.async_wait(asio::use_awaitable);
        const std::lock_guard lock(mutex_);
        if (released_) {
            reply.hold = false;
            --held_;
        }
    }
    {
        const std::lock_guard lock(mutex_);
        --at_once_;
        for (auto liid = arrival.liids.begin(); liid != arrival.liids.end(); ++liid) {
            if (std::find(arrival.liids.begin(), liid, *liid) == liid) {
                --in_flight_[*liid];
            }
        }
    }
    co_await answer(exchange, *request, reply);
    const std::lock_guard lock(mutex_);
    ++answered_;
}

asio::awaitable<void> Lea::answer(http::Exchange& exchange, const hi1::Request& request, const Reply& reply) {
    if (reply.drop) {
        exchange.abort();
        co_return;
    }
    http::Response response;
    response.status = reply.status;
    response.content_type = "application/xml";
    response.fields = reply.fields;
    response.close = reply.close;
    auto answered = request.header;
    if (reply.wrong_transaction) {
        answered.transaction = model::Uuid::random();
    }
    const auto now = model::system_clock().wall();
    if (reply.body) {
        response.body = *reply.body;
    } else if (reply.message_error) {
        hi1::append_error_response(response.body, answered, now, *reply.message_error);
    } else {
        hi1::append_response(response.body, answered, now, reply.answers);
    }
    co_await exchange.respond(std::move(response));
}

}  // namespace lihandover::delivery::test
