#include "lihandover/http/connection.hpp"

#include <algorithm>
#include <array>
#include <boost/beast/http/error.hpp>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "connection_impl.hpp"
#include "message.hpp"
#include "parser.hpp"
#include "transport.hpp"

namespace lihandover::http {
namespace {

namespace asio = boost::asio;
namespace beast_http = boost::beast::http;
using Clock = Transport::Clock;

// Behind the head: room for what comes with it, and for lines of the chunked coding, which are bounded by it.
constexpr std::size_t body_room = 16384;
constexpr std::size_t body_step = 65536;
constexpr std::size_t upload_step = std::size_t{64} * 1024;
constexpr std::size_t max_fields = 128;

/// Whether a request without a body says `Content-Length: 0`.
bool announces_empty_body(std::string_view method) {
    return method == "POST" || method == "PUT" || method == "PATCH";
}

Failure not_connected() {
    Failure failure;
    failure.kind = FailureKind::closed;
    failure.message = "not connected";
    return failure;
}

}  // namespace

ConnectionImpl::ConnectionImpl(std::shared_ptr<Transport> transport, std::string authority,
                               const ConnectionOptions& options)
    : transport_(std::move(transport)), authority_(std::move(authority)), options_(options), last_used_(Clock::now()) {
    head_.max_fields = max_fields;
    head_.max_target = 0;
}

class ConnectionImpl::Use {
  public:
    explicit Use(ConnectionImpl& connection) : connection_(connection) {
        if (connection.in_use_) {
            throw std::logic_error{"a connection carries one exchange at a time"};
        }
        connection.in_use_ = true;
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() {
        connection_.in_use_ = false;
        if (!fit_) {
            connection_.close();
        }
    }
    void keep() { fit_ = true; }

  private:
    ConnectionImpl& connection_;
    bool fit_ = false;
};

Failure ConnectionImpl::failure(Phase phase, FailureKind kind, std::string message) const {
    Failure failure;
    failure.phase = phase;
    failure.kind = kind;
    failure.reused = exchanges_ > 0;
    failure.nothing_sent = true;
    failure.message = std::move(message);
    return failure;
}

Failure ConnectionImpl::failure(Transport& transport, Phase phase, Io io) const {
    const bool exchanging = phase == Phase::send || phase == Phase::await_continue || phase == Phase::receive;
    Failure result = failure(phase, FailureKind::closed, {});
    result.nothing_sent = !exchanging || !transport.sent_anything();
    switch (io) {
        case Io::timeout:
            result.kind = FailureKind::timeout;
            result.message = "the deadline passed";
            break;
        case Io::closed:
            result.kind = FailureKind::cancelled;
            result.message = "closed by us";
            break;
        case Io::tls:
            if (transport.tls_failure().certificate) {
                // With TLS 1.3 the peer's verdict on our certificate arrives after the handshake.
                result.phase = Phase::handshake;
                result.kind = FailureKind::certificate;
            } else if (phase == Phase::handshake) {
                result.kind = FailureKind::handshake;
            } else {
                result.kind = answer_begun_ ? FailureKind::truncated : FailureKind::closed;
            }
            result.message = transport.tls_failure().sentence;
            break;
        default:
            if (phase == Phase::handshake) {
                result.kind = FailureKind::handshake;
                result.message = "the peer closed the connection during the TLS handshake";
            } else if (phase == Phase::connect) {
                result.kind = FailureKind::connect;
                result.message = "nobody there";
            } else if (answer_begun_) {
                result.kind = FailureKind::truncated;
                result.message = "the peer closed the connection in the middle of its answer";
            } else {
                result.message = "the peer closed the connection without an answer";
            }
            break;
    }
    return result;
}

Failure ConnectionImpl::refusal(FailureKind kind, std::string message) const {
    Failure result = failure(Phase::receive, kind, std::move(message));
    result.nothing_sent = false;
    return result;
}

bool ConnectionImpl::is_stale() {
    if (Clock::now() - last_used_ < options_.check_after) {
        return false;
    }
    char byte = 0;
    return transport_->try_read(&byte, 1).io != Io::blocked;
}

/// Writes the head of a request to out_. A `length` of nullopt means chunked.
void ConnectionImpl::start_request(const Request& request, std::optional<std::uint64_t> length, bool expect) {
    out_ = request.method;
    out_ += ' ';
    out_ += request.target;
    out_ += " HTTP/1.1\r\n";
    // A space or a line end in the method or the target would make another request of it.
    if (request.target.empty() || request.method.empty() ||
        std::ranges::any_of(out_.substr(0, out_.size() - 11),
                            [](char letter) { return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F; }) ||
        std::ranges::count(out_, ' ') != 2) {
        throw std::logic_error{"the request line holds characters that HTTP does not allow"};
    }
    append_field(out_, "Host", authority_);
    for (const auto& field : request.fields) {
        append_field(out_, field.name, field.value);
    }
    if (!length) {
        out_ += "Transfer-Encoding: chunked\r\n";
    } else if (*length > 0 || announces_empty_body(request.method)) {
        append_field(out_, "Content-Length", *length);
    }
    if (expect) {
        out_ += "Expect: 100-continue\r\n";
    }
    out_ += "\r\n";
}

/// Sends all parts unless an answer turns up while the peer takes no more.
asio::awaitable<SendOutcome> ConnectionImpl::send(Transport& transport, std::span<const std::string_view> parts) {
    Gather gather{parts};
    for (;;) {
        Io io = transport.try_write(gather);
        if (io == Io::ok) {
            co_return SendOutcome{Sent::all, Io::ok};
        }
        if (io != Io::blocked) {
            co_return SendOutcome{Sent::failed, io};
        }
        transport.expires_after(options_.send_stall);
        io = co_await transport.wait_either();
        transport.clear_deadline();
        if (io != Io::ok) {
            co_return SendOutcome{Sent::failed, io};
        }
        const HeadState state = poll_head(transport, io);
        if (state != HeadState::partial) {
            co_return SendOutcome{Sent::early, Io::ok};
        }
        if (io != Io::blocked && io != Io::ok) {
            co_return SendOutcome{Sent::failed, io};
        }
    }
}

asio::awaitable<SendOutcome> ConnectionImpl::send_source(Transport& transport, BodySource& source) {
    const auto size = source.size();
    std::vector<char> buffer(upload_step);
    std::uint64_t sent = 0;
    for (;;) {
        const model::Result<std::size_t> count = co_await source.read(buffer);
        if (!count || *count > buffer.size() || (size && (*count > *size - sent || (*count == 0 && sent != *size)))) {
            co_return SendOutcome{Sent::source, Io::ok};
        }
        sent += *count;
        Io io = Io::ok;
        // The peer may have had enough.
        const HeadState state = poll_head(transport, io);
        if (state != HeadState::partial) {
            co_return SendOutcome{Sent::early, Io::ok};
        }
        if (io != Io::blocked && io != Io::ok) {
            co_return SendOutcome{Sent::failed, io};
        }
        const std::string_view bytes{buffer.data(), *count};
        SendOutcome outcome;
        if (!size) {
            std::array<char, 16> digits{};
            const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), *count, 16).ptr;
            const std::string_view length{digits.data(), static_cast<std::size_t>(end - digits.data())};
            const std::array<std::string_view, 4> parts{length, "\r\n", bytes, "\r\n"};
            outcome = co_await send(transport, parts);
        } else if (!bytes.empty()) {
            const std::array<std::string_view, 1> parts{bytes};
            outcome = co_await send(transport, parts);
        }
        if (outcome.sent != Sent::all || *count == 0 || (size && sent == *size)) {
            co_return outcome;
        }
    }
}

void ConnectionImpl::start_answer(const Request& request) {
    begin_ = end_ = 0;
    parser_.reset();
    refused_.reset();
    answer_begun_ = got_continue_ = sent_all_ = false;
    interim_ = 0;
    head_request_ = request.method == "HEAD";
    answer_timeout_ = request.answer_timeout.value_or(options_.answer_timeout);
    if (buffer_.empty()) {
        buffer_.resize(options_.max_answer_header + body_room);
    }
}

/// Keeps what is buffered in front, so that a head always begins at 0.
void ConnectionImpl::make_room() {
    if (begin_ == end_) {
        begin_ = end_ = 0;
    } else if (begin_ > 0 && !parser_) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
}

HeadState ConnectionImpl::parse_head() {
    if (refused_) {
        return *refused_;
    }
    const HeadState state = parse_more();
    if (state == HeadState::malformed || state == HeadState::too_large) {
        refused_ = state;  // Beast's parser is not to be asked again
    }
    return state;
}

HeadState ConnectionImpl::parse_more() {
    while (begin_ < end_) {
        if (!parser_) {
            make_room();
            parser_.emplace(head_, options_.max_answer_header);
        }
        boost::beast::error_code error;
        begin_ += parser_->put(asio::const_buffer{buffer_.data() + begin_, end_ - begin_}, error);
        if (error && error != beast_http::error::need_more) {
            return error == beast_http::error::header_limit || head_.refusal != 0 ? HeadState::too_large
                                                                                  : HeadState::malformed;
        }
        if (!parser_->is_header_done()) {
            return begin_ > options_.max_answer_header || end_ >= buffer_.size() ? HeadState::too_large
                                                                                 : HeadState::partial;
        }
        if (head_.status >= 200) {
            head_size_ = begin_;
            return HeadState::final;
        }
        // 101 would hand the connection over to a protocol we did not ask for.
        if (head_.status == 101 || ++interim_ > options_.max_interim) {
            return HeadState::malformed;
        }
        parser_.reset();
        answer_begun_ = begin_ < end_;
        if (head_.status == 100) {
            got_continue_ = true;
            return HeadState::interim;
        }
    }
    return HeadState::partial;
}

HeadState ConnectionImpl::poll_head(Transport& transport, Io& io) {
    io = Io::ok;
    if (end_ < buffer_.size()) {
        const ReadOutcome outcome = transport.try_read(buffer_.data() + end_, buffer_.size() - end_);
        io = outcome.io;
        if (io == Io::ok) {
            end_ += outcome.size;
            answer_begun_ = true;
        }
    }
    HeadState state = HeadState::interim;
    while (state == HeadState::interim) {
        state = parse_head();
    }
    return state;
}

/// Up to the end of the final head; with `stop_at_continue` also to a 100.
asio::awaitable<ClientResult<void>> ConnectionImpl::read_head(Transport& transport, Phase phase,
                                                              bool stop_at_continue) {
    // Sending may have come upon the head already.
    bool complete = parser_ && parser_->is_header_done();
    while (!complete) {
        const HeadState state = parse_head();
        switch (state) {
            case HeadState::final:
                complete = true;
                continue;
            case HeadState::interim:
                if (stop_at_continue) {
                    co_return ClientResult<void>{};
                }
                continue;
            case HeadState::malformed:
            case HeadState::too_large: {
                const bool large = state == HeadState::too_large;
                Failure failed = failure(phase, large ? FailureKind::too_large : FailureKind::malformed,
                                         large ? "the head of the answer is too large" : "not an HTTP answer");
                failed.nothing_sent = false;
                co_return failed;
            }
            case HeadState::partial:
                break;
        }
        if (!parser_) {
            make_room();
        }
        const ReadOutcome outcome = co_await transport.read(buffer_.data() + end_, buffer_.size() - end_);
        if (outcome.io != Io::ok) {
            co_return failure(transport, phase, outcome.io);
        }
        end_ += outcome.size;
        answer_begun_ = true;
    }
    co_return ClientResult<void>{};
}

void ConnectionImpl::take_head(Answer& answer) {
    answer.status = head_.status;
    answer.head_.assign(buffer_.data(), head_size_);
    answer.fields_.reserve(head_.fields.size());
    const auto offset = [this](std::string_view text) {
        return static_cast<std::uint32_t>(text.data() - buffer_.data());
    };
    for (const auto& field : head_.fields) {
        Answer::Span span;
        span.name = offset(field.name);
        span.name_size = static_cast<std::uint32_t>(field.name.size());
        span.value = offset(field.value);
        span.value_size = static_cast<std::uint32_t>(field.value.size());
        answer.fields_.push_back(span);
    }
}

asio::awaitable<ClientResult<Answer>> ConnectionImpl::read_answer(Transport& transport) {
    const ClientResult<void> head = co_await read_head(transport, Phase::receive, false);
    if (!head) {
        co_return head.error();
    }
    Answer answer;
    take_head(answer);
    const ClientResult<void> body = co_await read_body(transport, answer);
    if (!body) {
        co_return body.error();
    }
    transport.clear_deadline();
    answer.keeps_alive_ = sent_all_ && parser_->keep_alive() && begin_ == end_;
    co_return answer;
}

asio::awaitable<ClientResult<void>> ConnectionImpl::read_body(Transport& transport, Answer& answer) {
    if (head_request_ || answer.status == 204 || answer.status == 304) {
        co_return ClientResult<void>{};
    }
    if (parser_->chunked()) {
        co_return co_await read_chunked(transport, answer.body);
    }
    const auto declared = parser_->content_length();
    const bool to_end = !declared;
    if (declared && *declared > options_.max_answer_body) {
        co_return refusal(FailureKind::too_large, "the body of the answer is too large");
    }
    // Without a length the body ends with the connection; one byte beyond the bound proves it too large.
    const std::size_t whole = declared ? static_cast<std::size_t>(*declared) : options_.max_answer_body + 1;
    std::size_t size = std::min(whole, end_ - begin_);
    answer.body.assign(buffer_.data() + begin_, size);
    begin_ += size;
    while (size < whole) {
        const std::size_t room = std::min(whole - size, std::max(size, body_step));
        answer.body.resize(size + room);
        const ReadOutcome outcome = co_await transport.read(answer.body.data() + size, room);
        if (outcome.io == Io::eof && to_end) {
            break;
        }
        if (outcome.io != Io::ok) {
            co_return failure(transport, Phase::receive, outcome.io);
        }
        size += outcome.size;
    }
    answer.body.resize(size);
    if (size > options_.max_answer_body) {
        co_return refusal(FailureKind::too_large, "the body of the answer is too large");
    }
    co_return ClientResult<void>{};
}

asio::awaitable<ClientResult<void>> ConnectionImpl::read_chunked(Transport& transport, std::string& body) {
    std::size_t size = 0;
    for (;;) {
        const std::size_t room = std::min(options_.max_answer_body - size + 1, std::max(size, body_room));
        body.resize(size + room);
        ChunkSink sink{body.data() + size, room, 0};
        boost::beast::error_code error;
        begin_ += parser_->decode({buffer_.data() + begin_, end_ - begin_}, sink, error);
        size += sink.written;
        if (error && error != beast_http::error::need_more) {
            co_return refusal(FailureKind::malformed, "the answer's chunked coding is broken");
        }
        if (size > options_.max_answer_body) {
            co_return refusal(FailureKind::too_large, "the body of the answer is too large");
        }
        if (parser_->is_done()) {
            body.resize(size);
            co_return ClientResult<void>{};
        }
        if (sink.written == room) {
            continue;
        }
        if (begin_ == end_) {
            begin_ = end_ = head_size_;
        } else if (end_ == buffer_.size()) {
            if (begin_ == head_size_) {
                co_return refusal(FailureKind::too_large, "a line of the answer's chunked coding is too large");
            }
            std::memmove(buffer_.data() + head_size_, buffer_.data() + begin_, end_ - begin_);
            end_ -= begin_ - head_size_;
            begin_ = head_size_;
        }
        const ReadOutcome outcome = co_await transport.read(buffer_.data() + end_, buffer_.size() - end_);
        if (outcome.io != Io::ok) {
            co_return failure(transport, Phase::receive, outcome.io);
        }
        end_ += outcome.size;
    }
}

/// The answer, after sending ended in whatever way.
asio::awaitable<ClientResult<Answer>> ConnectionImpl::answer_after(Transport& transport, SendOutcome outcome) {
    sent_all_ = outcome.sent == Sent::all;
    if (outcome.sent == Sent::source) {
        Failure failed = failure(Phase::send, FailureKind::source, "the body could not be read");
        failed.nothing_sent = !transport.sent_anything();
        co_return failed;
    }
    const bool broke_off = outcome.sent == Sent::failed && (outcome.io == Io::reset || outcome.io == Io::eof);
    if (outcome.sent == Sent::failed && !broke_off) {
        co_return failure(transport, Phase::send, outcome.io);
    }
    // A peer that has had enough may have answered before it closed.
    transport.expires_after(answer_timeout_);
    ClientResult<Answer> answer = co_await read_answer(transport);
    if (!answer && broke_off && !answer_begun_ && answer.error().kind != FailureKind::certificate) {
        co_return failure(transport, Phase::send, outcome.io);
    }
    co_return answer;
}

asio::awaitable<ClientResult<Answer>> ConnectionImpl::exchange(std::shared_ptr<ConnectionImpl> self, Request request) {
    if (!self || !self->is_open()) {
        co_return not_connected();
    }
    Use use{*self};
    const std::shared_ptr<Transport> transport = self->transport_;
    transport->reset_sent();
    self->start_answer(request);
    if (self->is_stale()) {
        co_return self->failure(Phase::send, FailureKind::closed, "the peer closed the connection while it was idle");
    }
    std::uint64_t length = 0;
    for (const auto part : request.body) {
        length += part.size();
    }
    self->start_request(request, length, false);
    self->parts_.clear();
    self->parts_.push_back(self->out_);
    self->parts_.insert(self->parts_.end(), request.body.begin(), request.body.end());
    const SendOutcome outcome = co_await self->send(*transport, self->parts_);
    ClientResult<Answer> answer = co_await self->answer_after(*transport, outcome);
    if (answer) {
        ++self->exchanges_;
        self->last_used_ = Clock::now();
        if (answer->keeps_alive_) {
            use.keep();
        }
    }
    co_return answer;
}

asio::awaitable<ClientResult<ExpectOutcome>> ConnectionImpl::exchange_expect(
    std::shared_ptr<ConnectionImpl> self, Request request, BodySource* source,
    std::chrono::milliseconds continue_timeout) {
    if (!self || !self->is_open()) {
        co_return not_connected();
    }
    Use use{*self};
    const std::shared_ptr<Transport> transport = self->transport_;
    transport->reset_sent();
    self->start_answer(request);
    if (self->is_stale()) {
        co_return self->failure(Phase::send, FailureKind::closed, "the peer closed the connection while it was idle");
    }
    const auto size = source->size();
    const bool empty = size && *size == 0;
    self->start_request(request, size, !empty);
    const std::array<std::string_view, 1> head{self->out_};
    SendOutcome outcome = co_await self->send(*transport, head);
    ExpectOutcome result;
    result.body_sent = empty;
    if (outcome.sent == Sent::all && !empty) {
        transport->expires_after(continue_timeout);
        const ClientResult<void> permission = co_await self->read_head(*transport, Phase::await_continue, true);
        if (!permission) {
            co_return permission.error();
        }
        if (self->got_continue_) {
            transport->clear_deadline();
            result.body_sent = true;
            outcome = co_await self->send_source(*transport, *source);
        } else {
            outcome.sent = Sent::early;  // the peer may still count on the body: this connection ends
        }
    }
    ClientResult<Answer> answer = co_await self->answer_after(*transport, outcome);
    if (!answer) {
        co_return answer.error();
    }
    ++self->exchanges_;
    self->last_used_ = Clock::now();
    if (answer->keeps_alive_) {
        use.keep();
    }
    result.complete = result.body_sent && outcome.sent == Sent::all;
    result.answer = std::move(*answer);
    co_return result;
}

std::optional<std::string_view> Answer::header(std::string_view name) const {
    const std::string_view head{head_};
    for (const auto& field : fields_) {
        if (same_name(head.substr(field.name, field.name_size), name)) {
            return head.substr(field.value, field.value_size);
        }
    }
    return std::nullopt;
}

Connection::Connection(std::shared_ptr<ConnectionImpl> impl) : impl_(std::move(impl)) {}

Connection& Connection::operator=(Connection&& other) noexcept {
    if (this != &other) {
        close();
        impl_ = std::move(other.impl_);
    }
    return *this;
}

Connection::~Connection() {
    close();
}

bool Connection::is_open() const {
    return impl_ && impl_->is_open();
}

std::uint64_t Connection::exchanges() const {
    return impl_ ? impl_->exchanges() : 0;
}

asio::awaitable<ClientResult<Answer>> Connection::exchange(const Request& request) {
    return ConnectionImpl::exchange(impl_, request);
}

asio::awaitable<ClientResult<ExpectOutcome>> Connection::exchange_expect(const Request& request, BodySource& source,
                                                                         std::chrono::milliseconds continue_timeout) {
    return ConnectionImpl::exchange_expect(impl_, request, &source, continue_timeout);
}

std::optional<tls::PeerIdentity> Connection::peer() const {
    return impl_ ? impl_->peer() : std::nullopt;
}

void Connection::close() {
    if (impl_) {
        impl_->close();
    }
}

}  // namespace lihandover::http
