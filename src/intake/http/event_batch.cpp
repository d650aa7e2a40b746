#include "http/event_batch.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "http/attachments.hpp"

namespace lihandover::intake {

namespace asio = boost::asio;

namespace {

// After so many lines or bytes the thread turns to other connections.
constexpr std::size_t slice_lines = 128;
constexpr std::size_t slice_bytes = std::size_t{128} * 1024;
// Each object is a file of its own, written and synced: a request with more of them than this may not be done in time
// on any attempt. As many as one event may have; docs/events.md names the figure.
constexpr std::size_t max_inline_objects = 1000;
// Sets of warrants that are applied one right after the other.
constexpr std::size_t most_rewinds = 8;
constexpr std::chrono::milliseconds look_for_warrants{10};

}  // namespace

EventBatch::EventBatch(const BatchParts& parts, std::string_view body, BodyFormat format)
    : parts_(parts), lines_(body, format), format_(format), group_(parts.pipeline), claims_(parts.uploads) {}

Moment EventBatch::now() {
    Moment moment = parts_.pipeline.now();
    if (!group_began_) {
        group_began_ = {moment.received_at, moment.trusted_at, moment.clock_trusted};
    } else if (rewinds_ > 0) {
        // What comes again was received when it came, and not now.
        moment.received_at = group_began_->received_at;
        moment.trusted_at = group_began_->trusted_at;
        moment.clock_trusted = group_began_->clock_trusted;
    }
    return moment;
}

void EventBatch::begin_group() {
    group_began_.reset();
    rewinds_ = 0;
    before_group_ = {lines_,          tally_.accepted, tally_.refused, tally_.listed.size(),
                     inline_objects_, malformed_,      too_large_};
}

asio::awaitable<bool> EventBatch::rewind() {
    if (++rewinds_ > most_rewinds) {
        co_return false;
    }
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (!abandoned_ && !parts_.pipeline.is_current(parts_.pipeline.now())) {
        timer.expires_after(look_for_warrants);
        co_await timer.async_wait(asio::use_awaitable);
    }
    if (abandoned_) {
        co_return false;
    }
    again_upto_ = std::max(again_upto_, lines_.number());
    lines_ = before_group_.lines;
    tally_.accepted = before_group_.accepted;
    tally_.refused = before_group_.refused;
    tally_.listed.resize(before_group_.listed);
    inline_objects_ = before_group_.inline_objects;
    malformed_ = before_group_.malformed;
    too_large_ = before_group_.too_large;
    claims_.rewind();
    co_return true;
}

asio::awaitable<http::Response> EventBatch::take_in() {
    begin_group();
    while (!lines_.done()) {
        std::string_view attached;
        bool good = !abandoned_ && take_slice(attached);
        if (good && !attached.empty()) {
            good = co_await take_attached(attached);
        }
        if (!good || abandoned_) {
            co_return too_many_objects_ ? too_many_objects() : unavailable();
        }
        if (!lines_.done() && !group_.is_full()) {
            co_await asio::post(asio::use_awaitable);
            continue;
        }
        const auto outcome = co_await group_.commit();
        if (outcome == Outcome::Kind::outdated && co_await rewind()) {
            continue;
        }
        if (outcome != Outcome::Kind::accepted) {
            co_return unavailable();
        }
        claims_.use_up();
        begin_group();
    }
    parts_.metrics.accepted.add(tally_.accepted);
    co_return tally_answer(tally_, status_if_refused());
}

bool EventBatch::take_slice(std::string_view& attached) {
    const Moment moment = now();
    const model::Instant latest = moment.latest();
    const std::size_t max_event_size = moment.snapshot->limits.max_event_size;
    std::size_t bytes = 0;
    std::size_t count = 0;
    std::size_t received = 0;
    bool good = true;
    while (good && count < slice_lines && bytes < slice_bytes && !lines_.done() && attached.empty()) {
        const std::string_view line = lines_.next();
        ++count;
        received += comes_again() ? 0 : 1;
        bytes += line.size() + 1;
        auto fault = line.size() > max_event_size
                         ? Fault{metrics::Rejection::too_large, {}, "is larger than intake.max_event_size"}
                         : parts_.parser.parse(line, latest, parts_.event);
        if (fault) {
            good = refuse(std::move(*fault), moment);
        } else if (!has_time(parts_.event, moment)) {
            good = false;
        } else if (parts_.event.attachments.empty()) {
            ++tally_.accepted;
            group_.take(parts_.event, line.size() + 1, moment);
        } else {
            attached = line;
        }
    }
    parts_.metrics.received.add(received);
    return good;
}

asio::awaitable<bool> EventBatch::take_attached(std::string_view line) {
    // With its own parser and event: others are served while the workers examine its objects.
    const Moment moment = now();
    EventParser parser;
    model::Event event;
    auto fault = parser.parse(line, moment.latest(), event);
    if (!fault && !has_time(event, moment)) {
        co_return false;
    }
    inline_objects_ += static_cast<std::size_t>(
        std::ranges::count(event.attachments, model::Attachment::Source::data, &model::Attachment::source));
    if (!fault && inline_objects_ > max_inline_objects) {
        too_many_objects_ = true;
        co_return false;
    }
    Attachments attachments(event, moment, parts_.attachment_root, {parts_.workers, parts_.examiners});
    if (!fault) {
        fault = co_await attachments.check();
    }
    if (!fault) {
        fault = parts_.pipeline.never_fits(attachments.objects());
        too_large_ = fault.has_value();
    }
    if (!fault) {
        fault = attachments.claim(claims_);
    }
    if (fault) {
        co_return refuse(std::move(*fault), moment);
    }
    auto outcome = co_await group_.take(event, line.size() + 1, attachments.objects(), moment);
    if (outcome.fault) {
        co_return refuse(std::move(*outcome.fault), moment);
    }
    ++tally_.accepted;
    co_return outcome.kind == Outcome::Kind::accepted;
}

bool EventBatch::has_time(const model::Event& event, const Moment& moment) {
    if (event.timestamp || moment.clock_trusted) {
        return true;
    }
    parts_.metrics.rejected(metrics::Rejection::unavailable).add();
    return false;
}

bool EventBatch::refuse(Fault fault, const Moment& moment) {
    if (fault.kind == metrics::Rejection::future && !moment.clock_trusted) {
        parts_.metrics.rejected(metrics::Rejection::unavailable).add();
        return false;
    }
    malformed_ = fault.kind == metrics::Rejection::malformed;
    if (!comes_again()) {
        parts_.metrics.rejected(fault.kind).add();
    }
    tally_.refuse(lines_.number(), std::move(fault));
    return true;
}

// A single event is answered by what is wrong with it.
unsigned EventBatch::status_if_refused() const {
    if (format_ == BodyFormat::json && (malformed_ || too_large_)) {
        return malformed_ ? 400 : 413;
    }
    return 422;
}

http::Response EventBatch::too_many_objects() const {
    parts_.metrics.rejected(metrics::Rejection::too_large).add(tally_.accepted + 1);
    return error_answer(413, "the request carries more than " + std::to_string(max_inline_objects) +
                                 " objects; send fewer events at once");
}

http::Response EventBatch::unavailable() const {
    parts_.metrics.rejected(metrics::Rejection::unavailable).add(tally_.accepted);
    return unavailable_answer();
}

}  // namespace lihandover::intake
