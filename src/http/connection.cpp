#include "lihandover/http/connection.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "connection_impl.hpp"
#include "framed_source.hpp"
#include "message.hpp"
#include "request_head.hpp"

namespace lihandover::http {
namespace {

namespace asio = boost::asio;

// After the head: room for what comes with it, and for lines of the chunked coding, which are bounded by it.
constexpr std::size_t answer_body_room = 16384;
/// How long the real answer is waited for after a stray one, and how many stray ones there may be.
constexpr std::chrono::milliseconds stray_patience{2'000};
constexpr unsigned max_strays = 4;

Failure not_connected() {
    Failure failure;
    failure.kind = FailureKind::closed;
    failure.message = "not connected";
    return failure;
}

/// The answer with which a server may close an idle connection (RFC 9110 15.5.9).
bool is_idle_timeout(std::string_view bytes) {
    return bytes.starts_with("HTTP/1.") && bytes.substr(std::min<std::size_t>(bytes.size(), 8)).starts_with(" 408");
}

std::uint64_t size_of(std::span<const std::string_view> parts) {
    std::uint64_t size = 0;
    for (const auto part : parts) {
        size += part.size();
    }
    return size;
}

}  // namespace

ConnectionImpl::ConnectionImpl(std::shared_ptr<Transport> transport, std::shared_ptr<const Origin> origin,
                               Endpoint address, const ConnectionOptions& options, Clock::time_point ends_at,
                               std::shared_ptr<PeerHabits> habits)
    : transport_(std::move(transport)),
      origin_(std::move(origin)),
      address_(std::move(address)),
      options_(options),
      ends_at_(ends_at),
      habits_(std::move(habits)),
      answer_head_(options.max_answer_header, options.max_interim) {}

std::optional<tls::PeerIdentity> ConnectionImpl::peer() const {
    return open_ && transport_->ssl() != nullptr ? tls::peer_identity(transport_->ssl()) : std::nullopt;
}

void ConnectionImpl::close() {
    open_ = false;
    transport_->close();
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

// -- What went wrong --------------------------------------------------------------------------------------------------

Failure ConnectionImpl::failure(Phase phase, FailureKind kind, std::string message) const {
    Failure failure;
    failure.phase = phase;
    failure.kind = kind;
    failure.reused = exchanges_ > 0;
    failure.nothing_sent = !transport_->sent_anything();
    failure.message = std::move(message);
    return failure;
}

Failure ConnectionImpl::failure(Phase phase, Io io) const {
    const bool begun = answer_head_.begun(buffer_);
    const auto broken = begun ? FailureKind::truncated : FailureKind::closed;
    switch (io) {
        case Io::timeout:
            return failure(phase, FailureKind::timeout, "the deadline passed");
        case Io::closed:
            return failure(phase, FailureKind::cancelled, "closed by us");
        case Io::tls: {
            const auto& explained = transport_->tls_failure();
            if (explained.certificate) {
                // With TLS 1.3 the peer's verdict on our certificate arrives after the handshake.
                return failure(Phase::handshake, FailureKind::certificate, explained.sentence);
            }
            return failure(phase, broken, explained.sentence);
        }
        default:
            return failure(phase, broken,
                           begun ? "the peer closed the connection in the middle of its answer"
                                 : "the peer closed the connection without an answer");
    }
}

Failure ConnectionImpl::unacceptable_head(Phase phase, AnswerHead::State state) const {
    switch (state) {
        case AnswerHead::State::too_large:
            return failure(phase, FailureKind::too_large, "the head of the answer is too large");
        case AnswerHead::State::too_many:
            return failure(phase, FailureKind::malformed, "too many interim answers");
        default:
            return failure(phase, FailureKind::malformed, "not an HTTP answer");
    }
}

// -- Sending ----------------------------------------------------------------------------------------------------------

std::optional<Failure> ConnectionImpl::begin(const Request& request) {
    transport_->reset_sent();
    buffer_.clear();
    buffer_.reserve(options_.max_answer_header + answer_body_room);
    answer_head_.start();
    sent_all_ = false;
    head_request_ = request.method == "HEAD";
    answer_timeout_ = request.answer_timeout.value_or(options_.answer_timeout);
    if (is_spent()) {
        return failure(Phase::send, FailureKind::closed, "the peer sent what nobody asked for, on another connection");
    }
    return look_for_strays();
}

std::optional<Failure> ConnectionImpl::look_for_strays() {
    for (std::size_t line_ends = 0;;) {
        std::array<char, 64> bytes{};
        const ReadOutcome outcome = transport_->try_read(bytes.data(), bytes.size());
        switch (outcome.io) {
            case Io::blocked:
                return std::nullopt;
            case Io::ok:
                break;
            case Io::tls:
                return failure(Phase::send, Io::tls);
            default:
                return failure(Phase::send, FailureKind::closed, "the peer closed the connection while it was idle");
        }
        const std::string_view seen{bytes.data(), outcome.size};
        line_ends += outcome.size;
        if (line_ends <= AnswerHead::max_line_ends && std::ranges::all_of(seen, AnswerHead::is_line_end)) {
            continue;
        }
        // It would be taken for the answer to this request.
        if (!is_idle_timeout(seen)) {
            habits_->strayed(Clock::now());
        }
        return failure(Phase::send, FailureKind::closed, "the peer sent what nobody asked for");
    }
}

std::optional<ConnectionImpl::SendOutcome> ConnectionImpl::look_for_answer() {
    Io io = Io::ok;
    if (const auto room = buffer_.room(); !room.empty()) {
        const ReadOutcome outcome = transport_->try_read(room.data(), room.size());
        io = outcome.io;
        buffer_.received(outcome.size);
    }
    AnswerHead::State state = AnswerHead::State::interim;
    while (state == AnswerHead::State::interim) {
        state = answer_head_.parse(buffer_);
    }
    if (state != AnswerHead::State::partial) {
        return SendOutcome{Sent::early, Io::ok};
    }
    if (io != Io::blocked && io != Io::ok) {
        return SendOutcome{Sent::failed, io};
    }
    return std::nullopt;
}

/// Sends all parts unless an answer turns up while the peer takes no more.
asio::awaitable<ConnectionImpl::SendOutcome> ConnectionImpl::send(std::span<const std::string_view> parts) {
    Gather gather{parts};
    for (;;) {
        Io io = transport_->try_write(gather);
        if (io == Io::ok) {
            co_return SendOutcome{Sent::all, Io::ok};
        }
        if (io != Io::blocked) {
            co_return SendOutcome{Sent::failed, io};
        }
        transport_->expires_after(options_.send_stall);
        io = co_await transport_->wait_either();
        transport_->clear_deadline();
        if (io != Io::ok) {
            co_return SendOutcome{Sent::failed, io};
        }
        if (const auto outcome = look_for_answer()) {
            co_return *outcome;
        }
    }
}

asio::awaitable<ConnectionImpl::SendOutcome> ConnectionImpl::send_source(BodySource& source) {
    const auto size = source.size();
    FramedSource framed{source, size, !size};
    for (;;) {
        const bool good = co_await framed.next();
        if (!good) {
            co_return SendOutcome{Sent::source, Io::ok};
        }
        // The peer may have had enough.
        if (const auto outcome = look_for_answer()) {
            co_return *outcome;
        }
        const SendOutcome outcome = co_await send(framed.parts());
        if (outcome.sent != Sent::all || framed.complete()) {
            co_return outcome;
        }
    }
}

// -- The answer -------------------------------------------------------------------------------------------------------

asio::awaitable<ReadOutcome> ConnectionImpl::receive(char* out, std::size_t room) {
    return transport_->read(out, room);
}

/// Up to the end of the final head; with `stop_at_continue` also up to a 100.
asio::awaitable<ClientResult<void>> ConnectionImpl::read_head(Phase phase, bool stop_at_continue) {
    for (;;) {
        const AnswerHead::State state = answer_head_.parse(buffer_);
        if (state == AnswerHead::State::final || (state == AnswerHead::State::interim && stop_at_continue)) {
            co_return ClientResult<void>{};
        }
        if (state == AnswerHead::State::interim) {
            continue;
        }
        if (state != AnswerHead::State::partial) {
            if (exchanges_ > 0) {  // most likely it belongs to the one before
                habits_->strayed(Clock::now());
            }
            co_return unacceptable_head(phase, state);
        }
        const auto room = buffer_.room();
        const ReadOutcome outcome = co_await transport_->read(room.data(), room.size());
        if (outcome.io != Io::ok) {
            co_return failure(phase, outcome.io);
        }
        buffer_.received(outcome.size);
    }
}

void ConnectionImpl::take_head(Answer& answer) const {
    const Head& head = answer_head_.head();
    const std::string_view text = buffer_.head();
    answer.status = head.status;
    answer.reused = exchanges_ > 0;
    answer.head_ = text;
    answer.fields_.reserve(head.fields.size());
    const auto offset = [&](std::string_view part) { return static_cast<std::uint32_t>(part.data() - text.data()); };
    for (const auto& field : head.fields) {
        answer.fields_.push_back({offset(field.name), static_cast<std::uint32_t>(field.name.size()),
                                  offset(field.value), static_cast<std::uint32_t>(field.value.size())});
    }
}

/// RFC 9112 6.3.
void ConnectionImpl::start_body(unsigned status) {
    AnswerParser& parser = answer_head_.parser();
    const auto length = parser.content_length();
    if (head_request_ || status == 204 || status == 304) {
        body_.start_empty();
    } else if (parser.chunked()) {
        body_.start_chunked(parser);
    } else if (length) {
        body_.start_length(*length);
    } else {
        body_.start_to_end();
    }
}

asio::awaitable<std::optional<Failure>> ConnectionImpl::read_body(Answer& answer) {
    const BodyReader::Outcome outcome = co_await body_.read_all(answer.body, options_.max_answer_body, 0);
    switch (outcome.status) {
        case BodyReader::Status::ok:
            co_return std::nullopt;
        case BodyReader::Status::too_large:
            co_return failure(Phase::receive, FailureKind::too_large, "the body of the answer is too large");
        case BodyReader::Status::broken:
            co_return failure(Phase::receive, FailureKind::malformed, "the answer's chunked coding is broken");
        case BodyReader::Status::line_too_large:
            co_return failure(Phase::receive, FailureKind::too_large,
                              "a line of the answer's chunked coding is too large");
        case BodyReader::Status::network:
            break;
    }
    co_return failure(Phase::receive, outcome.io);
}

asio::awaitable<ClientResult<Answer>> ConnectionImpl::read_answer() {
    const ClientResult<void> head = co_await read_head(Phase::receive, false);
    if (!head) {
        co_return head.error();
    }
    Answer answer;
    take_head(answer);
    start_body(answer.status);
    std::optional<Failure> failed = co_await read_body(answer);
    if (failed) {
        const bool bounded = failed->kind != FailureKind::too_large && failed->kind != FailureKind::cancelled;
        if (bounded) {
            failed->cut_off = std::make_shared<const Answer>(std::move(answer));
        }
        co_return std::move(*failed);
    }
    transport_->clear_deadline();
    const auto now = Clock::now();
    const std::string_view behind = buffer_.unread();
    const bool stray =
        behind.size() > AnswerHead::max_line_ends || !std::ranges::all_of(behind, AnswerHead::is_line_end);
    if (stray) {
        habits_->strayed(now);
    }
    answer.keeps_alive_ =
        sent_all_ && answer_head_.parser().keep_alive() && !stray && now < ends_at_ && !habits_->expects_strays(now);
    co_return answer;
}

asio::awaitable<ClientResult<Answer>> ConnectionImpl::answer_behind(Answer answer, const Request& request) {
    for (unsigned strays = 0; strays < max_strays; ++strays) {
        transport_->expires_after(std::min(stray_patience, answer_timeout_));
        buffer_.begin_message();
        answer_head_.start();
        ClientResult<Answer> next = co_await read_answer();
        if (!next && next.error().kind == FailureKind::cancelled) {
            co_return next;
        }
        if (!next) {
            habits_->waited_in_vain(Clock::now());
            break;
        }
        habits_->strayed(Clock::now());
        answer = std::move(*next);
        if (request.is_answer(answer)) {
            break;
        }
    }
    answer.keeps_alive_ = false;
    co_return answer;
}

/// Reads the answer, however sending ended.
asio::awaitable<ClientResult<Answer>> ConnectionImpl::answer_after(SendOutcome outcome) {
    sent_all_ = outcome.sent == Sent::all;
    if (outcome.sent == Sent::source) {
        co_return failure(Phase::send, FailureKind::source, "the body could not be read");
    }
    const bool broke_off = outcome.sent == Sent::failed && (outcome.io == Io::reset || outcome.io == Io::eof);
    if (outcome.sent == Sent::failed && !broke_off) {
        co_return failure(Phase::send, outcome.io);
    }
    // A peer that has had enough may have answered before it closed.
    transport_->expires_after(answer_timeout_);
    ClientResult<Answer> answer = co_await read_answer();
    if (!answer && broke_off && !answer_head_.begun(buffer_) && answer.error().kind != FailureKind::certificate) {
        co_return failure(Phase::send, outcome.io);
    }
    co_return answer;
}

// -- Exchanges --------------------------------------------------------------------------------------------------------

asio::awaitable<ClientResult<Answer>> ConnectionImpl::exchange(std::shared_ptr<ConnectionImpl> self, Request request) {
    if (!self || !self->open_) {
        co_return not_connected();
    }
    Use use{*self};
    if (auto failed = self->begin(request)) {
        co_return std::move(*failed);
    }
    write_request_head(self->out_, request,
                       {self->origin_->authority, self->origin_->fixed_fields, size_of(request.body)});
    self->parts_.clear();
    self->parts_.push_back(self->out_);
    self->parts_.insert(self->parts_.end(), request.body.begin(), request.body.end());
    const SendOutcome outcome = co_await self->send(self->parts_);
    ClientResult<Answer> answer = co_await self->answer_after(outcome);
    if (answer && self->exchanges_ > 0 && self->sent_all_ && request.is_answer && !request.is_answer(*answer) &&
        self->habits_->worth_waiting(Clock::now())) {
        answer = co_await self->answer_behind(std::move(*answer), request);
    }
    if (answer) {
        ++self->exchanges_;
        if (answer->keeps_alive_) {
            use.keep();
        }
    }
    co_return answer;
}

asio::awaitable<ClientResult<ExpectOutcome>> ConnectionImpl::exchange_expect(
    std::shared_ptr<ConnectionImpl> self, Request request, BodySource* source,
    std::chrono::milliseconds continue_timeout) {
    if (!self || !self->open_) {
        co_return not_connected();
    }
    Use use{*self};
    if (auto failed = self->begin(request)) {
        co_return std::move(*failed);
    }
    const auto size = source->size();
    const bool empty = size && *size == 0;
    write_request_head(self->out_, request, {self->origin_->authority, self->origin_->fixed_fields, size, !empty});
    const std::array<std::string_view, 1> head{self->out_};
    SendOutcome outcome = co_await self->send(head);
    ExpectOutcome result;
    result.body_sent = empty;
    if (outcome.sent == Sent::all && !empty) {
        self->transport_->expires_after(continue_timeout);
        const ClientResult<void> permission = co_await self->read_head(Phase::await_continue, true);
        if (!permission) {
            co_return permission.error();
        }
        if (self->answer_head_.got_continue()) {
            self->transport_->clear_deadline();
            result.body_sent = true;
            outcome = co_await self->send_source(*source);
        } else {
            outcome.sent = Sent::early;  // the peer may still count on the body: this connection ends
        }
    }
    ClientResult<Answer> answer = co_await self->answer_after(outcome);
    result.complete = result.body_sent && outcome.sent == Sent::all;
    if (!answer) {
        if (!answer.error().cut_off) {
            co_return answer.error();
        }
        result.answer = *answer.error().cut_off;  // the status alone is the answer to an upload
        co_return result;
    }
    if (self->exchanges_ > 0 && result.body_sent && !result.complete && answer->status / 100 == 2) {
        self->habits_->strayed(Clock::now());  // most likely it belongs to the one before
    }
    ++self->exchanges_;
    if (answer->keeps_alive_) {
        use.keep();
    }
    result.answer = std::move(*answer);
    co_return result;
}

// -- What others see --------------------------------------------------------------------------------------------------

std::optional<std::string_view> Answer::header(std::string_view name) const {
    const std::string_view head{head_};
    for (const auto& field : fields_) {
        if (same_name(head.substr(field.name, field.name_size), name)) {
            return head.substr(field.value, field.value_size);
        }
    }
    return std::nullopt;
}

std::string_view Answer::content_coding() const {
    const auto coding = header("Content-Encoding");
    return !coding || same_name(*coding, "identity") ? std::string_view{} : *coding;
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

std::string_view Connection::target() const {
    return impl_ ? std::string_view{impl_->origin().target} : std::string_view{"/"};
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
