#include "session.hpp"

#include <algorithm>
#include <array>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>
#include <charconv>
#include <stdexcept>
#include <utility>

#include "framed_source.hpp"

namespace lihandover::http {
namespace {

namespace asio = boost::asio;
namespace beast_http = boost::beast::http;

// Room after the head for what comes with it: small bodies as a whole, and lines of a chunked body, which are bounded
// by it.
constexpr std::size_t request_body_room = 8192;

std::string_view reason(unsigned status) {
    const auto text = beast_http::obsolete_reason(beast_http::int_to_status(status));
    return {text.data(), text.size()};
}

bool bodiless(unsigned status) {
    return status == 204 || status == 304;
}

void append_status_line(std::string& out, unsigned status) {
    if (status < 200 || status > 599) {
        throw std::logic_error{"the status of an answer is not within 200 to 599"};
    }
    std::array<char, 3> digits{};
    std::to_chars(digits.data(), digits.data() + digits.size(), status);
    out = "HTTP/1.1 ";
    out.append(digits.data(), digits.size());
    out += ' ';
    out += reason(status);
    out += "\r\n";
}

}  // namespace

Session::Session(const Executor& executor, std::shared_ptr<ServerState> state)
    : ServerConnection(executor, *state), state_(std::move(state)) {
    head_.max_fields = state_->options.limits.max_fields;
    head_.max_target = state_->options.limits.max_target;
}

void Session::end() {
    if (!busy_) {
        transport().close();
    }
}

asio::awaitable<void> Session::serve() {
    for (;;) {
        const bool complete = co_await read_head();
        if (!complete) {
            co_return;
        }
        busy_ = true;
        co_await call_handler();
        busy_ = false;
        if (aborted_ || !answered_) {
            co_return;
        }
        if (!keep_alive_ || state_->stopping) {
            if (!body_.done() || !buffer_.empty()) {
                co_await linger();
            } else {
                transport().shutdown_send();
            }
            co_return;
        }
    }
}

void Session::ensure_buffer() {
    buffer_.reserve(state_->options.limits.max_header + request_body_room);
}

/// Reads the head of the next request. False: the connection is over.
asio::awaitable<bool> Session::read_head() {
    const auto& timeouts = state_->options.timeouts;
    head_.clear();
    parser_.reset();
    buffer_.begin_message();
    bool started = !buffer_.empty();
    const auto idle_end = Transport::Clock::now() + timeouts.idle;
    transport().expires_after(started ? timeouts.header : std::min(timeouts.idle, timeouts.keep_buffers));
    for (;;) {
        if (const unsigned status = parse_head(); status != 0) {
            co_await refuse(status);
            co_return false;
        }
        if (parser_ && parser_->is_header_done()) {
            break;
        }
        ensure_buffer();
        const auto room = buffer_.room();
        ReadOutcome outcome = co_await transport().read(room.data(), room.size());
        if (outcome.io == Io::timeout && !started && Transport::Clock::now() < idle_end) {
            outcome.io = co_await sleep_until(idle_end);
            if (outcome.io == Io::ok) {
                continue;
            }
        }
        if (outcome.io == Io::timeout) {
            ++state_->stats.timed_out_total;
            if (started) {
                co_await refuse(408);
            }
            co_return false;
        }
        if (outcome.io != Io::ok) {
            co_return false;
        }
        buffer_.received(outcome.size);
        if (!started) {
            started = true;
            transport().expires_after(timeouts.header);
        }
    }
    transport().clear_deadline();
    buffer_.end_head();
    start_request();
    const unsigned status = buffer_.head().size() > state_->options.limits.max_header ? 431 : check_head();
    if (status != 0) {
        co_await refuse(status);
        co_return false;
    }
    co_return true;
}

unsigned Session::parse_head() {
    const auto& limits = state_->options.limits;
    // RFC 9112 2.2: an empty line before a request is skipped.
    while (!parser_ && buffer_.unread().starts_with("\r\n")) {
        buffer_.consume(2);
    }
    if (!buffer_.empty() && (parser_ || buffer_.unread() != "\r")) {
        if (!parser_) {
            parser_.emplace(head_, limits.max_header);
        }
        boost::beast::error_code error;
        const auto input = buffer_.unread();
        buffer_.consume(parser_->put(asio::const_buffer{input.data(), input.size()}, error));
        if (error && error != beast_http::error::need_more) {
            if (head_.refusal != 0) {
                return head_.refusal;
            }
            return error == beast_http::error::header_limit ? oversize_status() : 400;
        }
        if (parser_->is_header_done()) {
            return 0;
        }
    }
    return buffer_.filled() >= limits.max_header ? oversize_status() : 0;
}

asio::awaitable<Io> Session::sleep_until(Transport::Clock::time_point end) {
    struct Dormant {
        explicit Dormant(ServerStats& its_stats) : stats(its_stats) { ++stats.dormant; }
        Dormant(const Dormant&) = delete;
        Dormant& operator=(const Dormant&) = delete;
        ~Dormant() { --stats.dormant; }
        ServerStats& stats;
    };
    buffer_.release();
    std::string{}.swap(out_);
    transport().release_memory();
    transport().set_deadline(end);
    const Dormant dormant{state_->stats};
    co_return co_await transport().wait_readable();
}

/// For a head that does not end within its bound: because of the target (414) or of something else.
unsigned Session::oversize_status() const {
    const bool in_request_line = head_.method.empty();
    return in_request_line && buffer_.unread().find(' ') != std::string_view::npos ? 414 : 431;
}

unsigned Session::check_head() {
    const FieldView* expect = find_field(head_.fields, "Expect");
    if (expect != nullptr && head_.http11) {
        if (!same_name(expect->value, "100-continue")) {
            return 417;
        }
        expects_continue_ = !body_.done();
    }
    return 0;
}

void Session::start_request() {
    if (parser_->chunked()) {
        body_.start_chunked(*parser_);
    } else {
        body_.start_length(parser_->content_length().value_or(0));
    }
    body_failure_.reset();
    body_received_ = 0;
    body_waited_ = {};
    expects_continue_ = withhold_ = false;
    responded_ = answered_ = aborted_ = false;
    keep_alive_ = parser_->keep_alive();
}

/// Answers a request that no handler must see, and ends the connection.
asio::awaitable<void> Session::refuse(unsigned status) {
    if (status != 408) {
        ++state_->stats.malformed_total;
    }
    append_status_line(out_, status);
    append_date(out_);
    out_ += "Content-Length: 0\r\nConnection: close\r\n\r\n";
    const std::array<std::string_view, 1> parts{out_};
    const Io io = co_await transport().write(parts, state_->options.timeouts.write_stall);
    if (io == Io::ok) {
        co_await linger();
    }
}

asio::awaitable<void> Session::call_handler() {
    bool failed = false;
    try {
        co_await state_->handler->handle(*this);
    } catch (...) {
        // Its message may contain content; the handler logs its own errors.
        failed = true;
    }
    if (failed && !responded_ && !aborted_ && transport().is_open()) {
        Response response;
        response.status = 500;
        response.close = true;
        co_await respond(std::move(response));
    }
}

std::optional<std::string_view> Session::header(std::string_view name) const {
    const FieldView* field = find_field(head_.fields, name);
    return field == nullptr ? std::nullopt : std::optional{field->value};
}

asio::awaitable<Io> Session::send_continue() {
    expects_continue_ = false;
    static constexpr std::array<std::string_view, 1> parts{"HTTP/1.1 100 Continue\r\n\r\n"};
    co_return co_await transport().write(parts, state_->options.timeouts.write_stall);
}

BodyFailure Session::fail_body(const BodyReader::Outcome& outcome) {
    if (outcome.status == BodyReader::Status::network && outcome.io == Io::timeout) {
        ++state_->stats.timed_out_total;
        body_failure_ = BodyFailure::timeout;
    } else {
        body_failure_ = BodyFailure::broken;
    }
    return *body_failure_;
}

/// Reads from the network under the rules for slow senders: no pause longer than body_stall, and after a first
/// body_stall of waiting at least min_body_rate on average. Time the handler spends elsewhere does not count.
asio::awaitable<ReadOutcome> Session::receive(char* out, std::size_t room) {
    using Clock = Transport::Clock;
    if (expects_continue_ && !withhold_) {
        const Io io = co_await send_continue();
        if (io != Io::ok) {
            co_return ReadOutcome{0, io};
        }
    }
    const auto& timeouts = state_->options.timeouts;
    const auto begun = Clock::now();
    Clock::duration allowance = timeouts.body_stall;
    if (timeouts.min_body_rate > 0) {
        const auto earned = std::chrono::milliseconds{body_received_ * 1000 / timeouts.min_body_rate};
        allowance = std::min<Clock::duration>(allowance, timeouts.body_stall + earned - body_waited_);
    }
    transport().set_deadline(begun + std::max(allowance, Clock::duration{}));
    const ReadOutcome outcome = co_await transport().read(out, room);
    transport().clear_deadline();
    body_waited_ += Clock::now() - begun;
    body_received_ += outcome.size;
    if (outcome.size > 0) {
        expects_continue_ = false;  // a peer that already sends the body no longer waits for it
    }
    co_return outcome;
}

asio::awaitable<BodyResult<std::size_t>> Session::read_some(std::span<char> buffer) {
    if (body_failure_) {
        co_return *body_failure_;
    }
    expects_continue_ = expects_continue_ && buffer_.empty();
    const BodyReader::Outcome outcome = co_await body_.read_some(buffer);
    if (outcome.status != BodyReader::Status::ok) {
        co_return fail_body(outcome);
    }
    co_return outcome.size;
}

asio::awaitable<BodyResult<void>> Session::read_body(std::string& body, std::size_t max) {
    if (body_failure_) {
        body.clear();
        co_return *body_failure_;
    }
    expects_continue_ = expects_continue_ && buffer_.empty();
    const BodyReader::Outcome outcome = co_await body_.read_all(body, max, body_slack);
    if (outcome.status == BodyReader::Status::ok) {
        co_return BodyResult<void>{};
    }
    body.clear();
    if (outcome.status == BodyReader::Status::too_large) {
        co_return BodyFailure::too_large;
    }
    co_return fail_body(outcome);
}

/// Writes the head of an answer to out_ and decides whether the connection goes on.
void Session::start_answer(const Response& response, std::optional<std::uint64_t> length, bool chunked) {
    append_status_line(out_, response.status);
    append_date(out_);
    if (!response.content_type.empty()) {
        append_field(out_, "Content-Type", response.content_type);
    }
    for (const auto& [name, value] : response.fields) {
        append_field(out_, name, value);
    }
    if (chunked) {
        append_framing(out_, std::nullopt);
    } else if (length && response.status != 204) {
        append_framing(out_, length);
    }
    if (!expects_continue_) {
        body_.skip_buffered();  // unread, but all of it is here already
    }
    keep_alive_ = keep_alive_ && !response.close && !state_->stopping && body_.done() && !body_failure_;
    if (!keep_alive_) {
        out_ += "Connection: close\r\n";
    } else if (!head_.http11) {
        out_ += "Connection: keep-alive\r\n";
    }
    out_ += "\r\n";
}

asio::awaitable<bool> Session::respond(Response response) {
    if (responded_ || aborted_) {
        co_return false;
    }
    const bool without_body = bodiless(response.status);
    start_answer(response, without_body && response.body.empty() ? std::nullopt : std::optional{response.body.size()},
                 false);
    responded_ = true;
    const bool silent = without_body || head_.method == "HEAD";
    const std::array<std::string_view, 2> parts{out_, silent ? std::string_view{} : std::string_view{response.body}};
    const Io io = co_await transport().write(parts, state_->options.timeouts.write_stall);
    if (io == Io::timeout) {
        ++state_->stats.timed_out_total;
    }
    answered_ = io == Io::ok;
    co_return answered_;
}

asio::awaitable<bool> Session::respond(Response response, BodySource& source) {
    if (responded_ || aborted_) {
        co_return false;
    }
    const auto size = source.size();
    const bool chunked = !size && head_.http11;
    if (!size && !chunked) {
        response.close = true;  // for HTTP/1.0 only the end of the connection can end the body
    }
    start_answer(response, size, chunked);
    responded_ = true;
    const std::array<std::string_view, 1> parts{out_};
    const Io io = co_await transport().write(parts, state_->options.timeouts.write_stall);
    if (io != Io::ok) {
        co_return false;
    }
    if (bodiless(response.status) || head_.method == "HEAD") {
        answered_ = true;
    } else {
        answered_ = co_await send_source(source, size, chunked);
    }
    co_return answered_;
}

asio::awaitable<bool> Session::send_source(BodySource& source, std::optional<std::uint64_t> size, bool chunked) {
    FramedSource framed{source, size, chunked};
    while (!framed.ended()) {
        const bool good = co_await framed.next();
        if (!good) {
            co_return false;
        }
        const Io io = co_await transport().write(framed.parts(), state_->options.timeouts.write_stall);
        if (io != Io::ok) {
            co_return false;
        }
    }
    co_return true;
}

asio::awaitable<bool> Session::confirmed() {
    if (!answered_ || aborted_) {
        co_return false;
    }
    const Io io = co_await transport().wait_confirmed(state_->options.timeouts.write_stall);
    if (io == Io::timeout) {
        ++state_->stats.timed_out_total;
    }
    if (io != Io::ok) {
        keep_alive_ = false;
    }
    co_return io == Io::ok;
}

void Session::abort() {
    aborted_ = true;
    transport().close();
}

}  // namespace lihandover::http
