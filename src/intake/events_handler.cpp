#include "lihandover/intake/events_handler.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "answers.hpp"
#include "attachments.hpp"
#include "lihandover/intake/event_parser.hpp"
#include "lihandover/intake/item_maker.hpp"
#include "lihandover/store/async.hpp"
#include "media_type.hpp"
#include "object_desk.hpp"
#include "objects_handler.hpp"

namespace lihandover::intake {

namespace asio = boost::asio;

namespace {

// After so many lines or bytes the thread turns to other connections.
constexpr std::size_t slice_lines = 128;
constexpr std::size_t slice_bytes = std::size_t{128} * 1024;

// What has gathered is committed after so many bytes of a body, whether anything matched or not: the items of one
// request stay bounded, and commits follow from the request alone (promise 7).
constexpr std::size_t group_bytes = std::size_t{1024} * 1024;

constexpr std::size_t read_step = std::size_t{64} * 1024;

// Bodies up to this are read in one go, buffers up to twice of it are kept for the next request.
constexpr std::size_t small_body = BodyBudget::small_body;
constexpr std::size_t kept_buffers = 8;

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

bool is_blank(std::string_view line) {
    return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

model::Instant later(model::Instant from, std::chrono::milliseconds by) {
    const std::int64_t nanos = from.nanos + by.count() % 1000 * 1'000'000;
    return {from.seconds + by.count() / 1000 + nanos / 1'000'000'000, static_cast<std::int32_t>(nanos % 1'000'000'000)};
}

// The events of a body one after another, with their line numbers.
class Lines {
  public:
    Lines(std::string_view body, BodyFormat format) : rest_(body), format_(format) {
        if (rest_.starts_with(byte_order_mark)) {
            rest_.remove_prefix(byte_order_mark.size());
        }
        skip_blank();
    }

    [[nodiscard]] bool done() const { return rest_.empty(); }
    /// Of the event that next() gave last.
    [[nodiscard]] std::uint64_t number() const { return given_; }

    std::string_view next() {
        given_ = line_;
        const std::string_view event = take();
        skip_blank();
        return event;
    }

  private:
    std::string_view take() {
        if (format_ == BodyFormat::json) {
            return std::exchange(rest_, {});
        }
        const void* const found = std::memchr(rest_.data(), '\n', rest_.size());
        const auto size =
            found == nullptr ? rest_.size() : static_cast<std::size_t>(static_cast<const char*>(found) - rest_.data());
        const std::string_view line = rest_.substr(0, size);
        rest_.remove_prefix(std::min(size + 1, rest_.size()));
        ++line_;
        return line;
    }
    void skip_blank() {
        if (format_ == BodyFormat::json) {
            if (is_blank(rest_)) {
                rest_ = {};
            }
            return;
        }
        std::size_t at = 0;
        while (at < rest_.size() && (rest_[at] == ' ' || rest_[at] == '\t' || rest_[at] == '\r' || rest_[at] == '\n')) {
            line_ += rest_[at] == '\n' ? 1 : 0;
            ++at;
        }
        rest_.remove_prefix(at);
    }

    std::string_view rest_;
    BodyFormat format_;
    std::uint64_t line_ = 1;
    std::uint64_t given_ = 1;
};

}  // namespace

class EventsHandler::Impl {
  public:
    Impl(std::string source, const metrics::SourceMetrics& metrics, const Services& services)
        : maker_(std::move(source), services.store),
          metrics_(metrics),
          services_(services),
          desk_(services.snapshot, services.clock, services.budget.executor(), services.workers),
          objects_(metrics_, services_, desk_) {}

    void stop() { desk_.clear(); }

    asio::awaitable<void> handle(http::Exchange& exchange) {
        if (exchange.path().starts_with(objects_path)) {
            co_await objects_.handle(exchange);
            co_return;
        }
        BodyFormat format{};
        auto refusal = refuse_unread(exchange, format);
        if (refusal) {
            co_await answer(exchange, std::move(*refusal));
            co_return;
        }
        // The share covers the body as long as it is in memory.
        BodyBudget::Share share(services_.budget);
        std::string body = take_buffer();
        auto response = co_await receive(exchange, format, share, body);
        keep_buffer(std::move(body));
        parser_.shrink();
        if (response) {
            co_await answer(exchange, std::move(*response));
        }
    }

  private:
    // --- HTTP ---

    asio::awaitable<void> answer(http::Exchange& exchange, http::Response response) {
        metrics_.answered(static_cast<int>(response.status));
        co_await exchange.respond(std::move(response));
    }

    // What is wrong before a body is looked at.
    std::optional<http::Response> refuse_unread(const http::Exchange& exchange, BodyFormat& format) const {
        if (exchange.path() != "/v1/events") {
            return error_answer(404, "there are only /v1/events and /v1/objects/{id} here");
        }
        if (exchange.method() != "POST") {
            auto response = error_answer(405, "events are sent by POST");
            response.fields.emplace_back("Allow", "POST");
            return response;
        }
        const auto encoding = exchange.header("Content-Encoding");
        if (encoding && *encoding != "identity") {
            auto response = error_answer(415, "bodies are taken as they are, without a Content-Encoding");
            response.fields.emplace_back("Accept-Encoding", "identity");
            return response;
        }
        const auto found = body_format(exchange.header("Content-Type").value_or(std::string_view{}));
        if (!found) {
            auto response =
                error_answer(415, "Content-Type must be application/json or application/x-ndjson, in UTF-8");
            response.fields.emplace_back("Accept-Post", "application/json, application/x-ndjson");
            return response;
        }
        format = *found;
        // A body that is on its way is read all the same, so that the connection can be kept.
        const bool large = exchange.content_length().value_or(SIZE_MAX) > small_body;
        if ((large || exchange.expects_continue()) && !services_.store.accepting()) {
            return unavailable_answer();
        }
        return std::nullopt;
    }

    // Reads the body and the events in it. Nullopt when there is nobody left to answer.
    asio::awaitable<std::optional<http::Response>> receive(http::Exchange& exchange, BodyFormat format,
                                                           BodyBudget::Share& share, std::string& body) {
        const Limits limits = services_.snapshot.get()->limits;
        const std::size_t max = format == BodyFormat::json ? std::min(limits.max_event_size, limits.max_request_size)
                                                           : limits.max_request_size;
        const auto read = co_await read_body(exchange, share, body, max);
        if (read.has_error()) {
            co_return unread_answer(read.error(), format);
        }
        metrics_.received_bytes.add(body.size());
        Lines lines(body, format);
        if (lines.done()) {
            co_return error_answer(400, "there is no event in the body");
        }
        if (!services_.store.accepting()) {
            co_return unavailable_answer();
        }
        co_return co_await take_in(lines, format);
    }

    std::optional<http::Response> unread_answer(http::BodyFailure failure, BodyFormat format) const {
        switch (failure) {
            case http::BodyFailure::too_large:
                if (format == BodyFormat::json) {
                    metrics_.received.add();
                    metrics_.rejected(metrics::Rejection::too_large).add();
                    return error_answer(413, "the event is larger than intake.max_event_size");
                }
                return error_answer(413, "the body is larger than intake.max_request_size");
            case http::BodyFailure::timeout:
                return error_answer(408, "the body did not arrive in time");
            case http::BodyFailure::broken:
                break;
        }
        return std::nullopt;
    }

    static asio::awaitable<http::BodyResult<void>> read_body(http::Exchange& exchange, BodyBudget::Share& share,
                                                             std::string& body, std::size_t max) {
        const auto length = exchange.content_length();
        if (length && (*length <= small_body || *length > max)) {
            // Small, or refused unread.
            co_await share.take(std::min<std::size_t>(*length, small_body));
            co_return co_await exchange.read_body(body, max);
        }
        std::size_t filled = 0;
        body.clear();
        for (;;) {
            if (body.size() - filled < read_step) {
                const std::size_t wanted = filled + 2 * read_step;
                if (share.held() < wanted) {
                    co_await share.take(wanted - share.held());
                }
                body.resize(wanted);
            }
            const auto got = co_await exchange.read_some(std::span(body).subspan(filled));
            if (got.has_error()) {
                co_return got.error();
            }
            filled += *got;
            if (filled > max) {
                co_return http::BodyFailure::too_large;
            }
            if (*got == 0) {
                body.resize(filled);
                co_return http::BodyResult<void>{};
            }
        }
    }

    // --- events ---

    // What is committed together.
    struct Group {
        explicit Group(ObjectDesk& desk) : claims(desk) {}

        std::vector<store::NewItem> items;
        /// Attachments that are no objects of these items: the commit does as much for them (promise 7).
        std::size_t idle_objects = 0;
        /// Uploaded objects that its events name, and files, which are copied once they are in committed items.
        ObjectDesk::Claims claims;
        std::vector<std::shared_ptr<const store::SourceFile>> files;
    };

    // All of them, in slices, each group of them durable before the next is begun.
    asio::awaitable<http::Response> take_in(Lines& lines, BodyFormat format) {
        Tally tally;
        Group group(desk_);
        std::size_t gathered = 0;
        bool malformed = false;
        while (!lines.done()) {
            std::string_view attached;
            gathered += take_slice(lines, tally, group.items, malformed, attached);
            if (!attached.empty() && !co_await take_attached(attached, lines.number(), tally, group)) {
                metrics_.rejected(metrics::Rejection::unavailable).add(tally.accepted);
                co_return unavailable_answer();
            }
            if (!lines.done() && gathered < group_bytes) {
                co_await asio::post(asio::use_awaitable);
                continue;
            }
            gathered = 0;
            const auto outcome =
                co_await store::async_submit(services_.store, std::exchange(group.items, {}),
                                             std::exchange(group.idle_objects, 0), asio::use_awaitable);
            if (outcome != store::Outcome::committed) {
                metrics_.rejected(metrics::Rejection::unavailable).add(tally.accepted);
                co_return unavailable_answer();
            }
            group.claims.use_up();
            if (!group.files.empty()) {
                services_.copier->copy(std::exchange(group.files, {}));
            }
        }
        metrics_.accepted.add(tally.accepted);
        co_return tally_answer(tally, format == BodyFormat::json && malformed ? 400 : 422);
    }

    // Some events, without giving up the thread: parser, event and matches are shared by all requests. Says how many
    // bytes it worked off. Ends early at an event with attachments, which is left to take_attached.
    std::size_t take_slice(Lines& lines, Tally& tally, std::vector<store::NewItem>& items, bool& malformed,
                           std::string_view& attached) {
        const auto snapshot = services_.snapshot.get();
        const model::Instant now = services_.clock.wall();
        const model::Instant latest = later(now, snapshot->limits.max_future);
        std::size_t bytes = 0;
        std::size_t count = 0;
        while (count < slice_lines && bytes < slice_bytes && !lines.done() && attached.empty()) {
            const std::string_view line = lines.next();
            ++count;
            bytes += line.size() + 1;
            auto fault = line.size() > snapshot->limits.max_event_size
                             ? Fault{metrics::Rejection::too_large, {}, "is larger than intake.max_event_size"}
                             : parser_.parse(line, latest, event_);
            if (fault) {
                malformed = fault->kind == metrics::Rejection::malformed;
                metrics_.rejected(fault->kind).add();
                tally.refuse(lines.number(), std::move(*fault));
                continue;
            }
            if (!event_.attachments.empty()) {
                attached = line;
                continue;
            }
            ++tally.accepted;
            snapshot->index->match(event_, now, scratch_, matches_);
            if (!matches_.empty()) {
                maker_.append(event_, matches_, *snapshot, now, items);
            }
        }
        metrics_.received.add(count);
        return bytes;
    }

    // What reads an event that is held while others are served.
    struct Reading {
        EventParser parser;
        model::Event event;
        warrants::MatchScratch scratch;
        std::vector<warrants::Match> matches;
    };

    // One event that has attachments and was read without a fault. Its objects are looked at, claimed and written by
    // the same steps whether or not it is under a warrant (promise 7). False where the store takes nothing.
    asio::awaitable<bool> take_attached(std::string_view line, std::uint64_t number, Tally& tally, Group& group) {
        const auto snapshot = services_.snapshot.get();
        const model::Instant now = services_.clock.wall();
        Reading reading;
        auto fault = reading.parser.parse(line, later(now, snapshot->limits.max_future), reading.event);
        const std::string* const root = services_.copier == nullptr ? nullptr : &services_.copier->root();
        Attachments attachments(reading.event, snapshot->limits, root, now, services_.store.objects(),
                                services_.workers);
        if (!fault) {
            fault = co_await attachments.check();
        }
        if (!fault) {
            fault = attachments.claim(desk_, group.claims);
        }
        if (fault) {
            metrics_.rejected(fault->kind).add();
            tally.refuse(number, std::move(*fault));
            co_return true;
        }
        ++tally.accepted;
        snapshot->index->match(reading.event, now, reading.scratch, reading.matches);
        const bool wanted = ItemMaker::takes_objects(reading.event, reading.matches, *snapshot);
        if (!co_await attachments.seal(wanted)) {
            co_return false;
        }
        maker_.append(reading.event, reading.matches, *snapshot, now, group.items, attachments.sources());
        if (wanted) {
            attachments.append_files(group.files);
        } else {
            group.idle_objects += reading.event.attachments.size();
        }
        co_return true;
    }

    // --- buffers ---

    std::string take_buffer() {
        if (buffers_.empty()) {
            return {};
        }
        std::string buffer = std::move(buffers_.back());
        buffers_.pop_back();
        return buffer;
    }
    void keep_buffer(std::string buffer) {
        if (buffers_.size() < kept_buffers && buffer.capacity() <= 2 * small_body) {
            buffer.clear();
            buffers_.push_back(std::move(buffer));
        }
    }

    ItemMaker maker_;
    const metrics::SourceMetrics& metrics_;
    Services services_;
    EventParser parser_;
    model::Event event_;
    warrants::MatchScratch scratch_;
    std::vector<warrants::Match> matches_;
    std::vector<std::string> buffers_;
    ObjectDesk desk_;
    ObjectsHandler objects_;
};

EventsHandler::EventsHandler(std::string source, const metrics::SourceMetrics& metrics, const Services& services)
    : impl_(std::make_unique<Impl>(std::move(source), metrics, services)) {}

EventsHandler::~EventsHandler() = default;

asio::awaitable<void> EventsHandler::handle(http::Exchange& exchange) {
    return impl_->handle(exchange);
}

void EventsHandler::stop() {
    impl_->stop();
}

}  // namespace lihandover::intake
