#include "download.hpp"

#include <spdlog/spdlog.h>

#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <string_view>
#include <utility>

#include "conditions.hpp"
#include "content_headers.hpp"
#include "lihandover/base/background.hpp"
#include "lihandover/base/hex.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::objectserver {

namespace asio = boost::asio;

namespace {

constexpr std::string_view retry_after_seconds = "30";

/// A body with more bytes of the object than this is put on record before it starts. Below that, a crash finds the
/// answer in our own system's buffers or gone, and a commit before each would cost more than most answers.
constexpr std::uint64_t recorded_first = std::uint64_t{1} << 20U;

/// A body of at most this many bytes has small buffers, and waits for nobody.
constexpr std::uint64_t at_once = std::uint64_t{64} << 10U;

/// 128 random bits: whoever chose the object's bytes could not know them.
std::string random_boundary() {
    std::array<unsigned char, 16> bytes{};
    model::random_bytes(bytes.data(), bytes.size());
    return base::to_hex(bytes);
}

void add_field(http::Response& response, std::string_view name, std::string value) {
    response.fields.emplace_back(name, std::move(value));
}

/// On a thread of the store.
void note_record(const metrics::Counter& unrecorded, store::Outcome outcome) {
    if (outcome == store::Outcome::failed) {
        unrecorded.add();
        spdlog::error("a download could not be put on record: the store does not take it");
    }
}

/// Waits for an entry to be committed. Owned by the coroutine alone, so that an entry that is committed later finds
/// nobody.
struct Beginning {
    explicit Beginning(const asio::any_io_executor& executor) : timer(executor) {}
    asio::steady_timer timer;
    std::optional<store::Outcome> outcome;
};

}  // namespace

http::Response sorry() {
    http::Response response;
    response.status = 503;
    add_field(response, "Cache-Control", "no-store");
    add_field(response, "Retry-After", std::string{retry_after_seconds});
    return response;
}

Download::Download(DownloadParts shared, const Granted& granted, http::Exchange& exchange)
    : shared_(std::move(shared)),
      granted_(granted),
      exchange_(exchange),
      tag_(entity_tag(granted.object.sealed->sha256())),
      slot_(shared_.executor, shared_.slots, granted.destination) {}

Download::~Download() {
    try {
        settle();
    } catch (const std::exception&) {
        shared_.parts.metrics.downloads_unrecorded().add();
        spdlog::error("a download could not be put on record for want of memory");
    }
}

// -- What to answer --------------------------------------------------------------------------------------------------

void Download::plan() {
    const Conditions conditions{exchange_.header("If-Match"), exchange_.header("If-None-Match")};
    switch (evaluate(conditions, tag_)) {
        case ConditionResult::precondition_failed:
            status_ = 412;
            break;
        case ConditionResult::not_modified:
            status_ = 304;
            break;
        case ConditionResult::proceed:
            // RFC 9110 14.2: ranges are for GET only.
            if (exchange_.method() == "GET") {
                plan_get();
            }
            break;
    }
}

void Download::plan_get() {
    const std::uint64_t size = granted_.object.sealed->size();
    const auto range = exchange_.header("Range");
    RangeChoice choice;
    if (range && range_counts(exchange_.header("If-Range"), tag_)) {
        choice = choose_ranges(*range, size);
    }
    switch (choice.kind) {
        case RangeChoice::Kind::whole:
            ranges_ = {ByteRange{0, size}};
            break;
        case RangeChoice::Kind::ranges:
            status_ = 206;
            ranges_ = std::move(choice.ranges);
            break;
        case RangeChoice::Kind::unsatisfiable:
            status_ = 416;
            break;
    }
}

std::uint64_t Download::bytes_asked_for() const {
    std::uint64_t bytes = 0;
    for (const ByteRange& range : ranges_) {
        bytes += range.size();  // at most the object's size: choose_ranges
    }
    return bytes;
}

bool Download::whole() const {
    return ranges_.size() == 1 && ranges_.front() == ByteRange{0, granted_.object.sealed->size()};
}

http::Response Download::head() const {
    http::Response response;
    response.status = status_;
    add_field(response, "Cache-Control", "no-store");
    if (status_ != 412) {
        add_field(response, "Accept-Ranges", "bytes");
        add_field(response, "ETag", tag_);
    }
    if (status_ == 416) {
        add_field(response, "Content-Range", "bytes */" + std::to_string(granted_.object.sealed->size()));
    }
    if (status_ == 200 || status_ == 206) {
        add_field(response, "Content-Disposition", content_disposition(granted_.object.described.original_filename));
        add_field(response, "X-Content-Type-Options", "nosniff");
    }
    return response;
}

// -- Answering -------------------------------------------------------------------------------------------------------

asio::awaitable<void> Download::serve() {
    plan();
    http::Response response = head();
    if (status_ != 200 && status_ != 206) {
        complete_ = co_await exchange_.respond(std::move(response));
        co_return;
    }
    type_ = content_type(granted_.object.described.content_type);
    if (ranges_.empty()) {
        Measure measure{granted_.object.sealed->size()};
        response.content_type = type_;
        complete_ = co_await exchange_.respond(std::move(response), measure);
        co_return;
    }
    co_await send(std::move(response));
}

asio::awaitable<void> Download::put_off() {
    http::Response response = sorry();
    co_await exchange_.respond(std::move(response));
}

asio::awaitable<void> Download::send(http::Response response) {
    if (bytes_asked_for() > at_once) {
        const bool there = co_await slot_.take(exchange_);
        if (!there) {
            exchange_.abort();
            co_return;
        }
        // The wait may have been long.
        if (!shared_.can_commit()) {
            failed_ = true;
            recorded_ = false;
            co_await put_off();
            co_return;
        }
    }
    // Separate from the aggregate, which GCC 12 would destroy twice around the co_await.
    std::shared_ptr<store::ObjectReader> reader = co_await open();
    if (!reader) {
        failed_ = true;
        co_await put_off();
        co_return;
    }
    bool may_begin = true;
    if (bytes_asked_for() > recorded_first) {
        may_begin = co_await record_beginning();
    }
    if (!may_begin) {
        failed_ = true;
        recorded_ = false;
        co_await put_off();
        co_return;
    }
    co_await send_body(std::move(response), std::move(reader));
}

void Download::make_body(http::Response& response, std::shared_ptr<store::ObjectReader> reader) {
    ObjectBody::Reading reading{shared_.executor, shared_.parts.workers, std::move(reader)};
    if (ranges_.size() > 1) {
        const std::string boundary = random_boundary();
        body_.emplace(std::move(reading), ranges_, type_, boundary);
        type_ = "multipart/byteranges; boundary=" + boundary;
    } else {
        const ByteRange range = ranges_.front();
        if (status_ == 206) {
            add_field(response, "Content-Range",
                      "bytes " + std::to_string(range.begin) + '-' + std::to_string(range.end - 1) + '/' +
                          std::to_string(granted_.object.sealed->size()));
        }
        body_.emplace(std::move(reading), range);
    }
    response.content_type = type_;
}

asio::awaitable<void> Download::send_body(http::Response response, std::shared_ptr<store::ObjectReader> reader) {
    make_body(response, std::move(reader));
    {
        const RateWatch watch(
            shared_.executor, shared_.least_rate, [this] { return body_->given(); },
            [this] {
                too_slow_ = true;
                exchange_.abort();
            });
        complete_ = co_await exchange_.respond(std::move(response), *body_);
    }
    if (complete_ && granted_.object.remove_when_fetched && whole()) {
        // Bytes in our own system's buffers can still be lost, and then there would be no second attempt.
        complete_ = co_await exchange_.confirmed();
    }
    if (body_->failure()) {
        spdlog::error("a binary object of item {} cannot be read: {}", granted_.object.item_id.to_string(),
                      body_->failure()->message);
    }
    if (too_slow_) {
        spdlog::warn("a download was ended: it was slower than objectserver.min_rate destination={}",
                     granted_.destination);
    }
}

asio::awaitable<std::shared_ptr<store::ObjectReader>> Download::open() {
    using Opened = model::Result<std::shared_ptr<store::ObjectReader>>;
    auto work = [objects = &shared_.parts.objects, sealed = granted_.object.sealed]() -> Opened {
        try {
            auto reader = objects->open(*sealed);
            if (!reader) {
                return std::move(reader).error();
            }
            return std::shared_ptr<store::ObjectReader>{std::move(*reader)};
        } catch (const std::exception&) {
            return model::Error{"opening it failed"};
        }
    };
    Opened opened = co_await base::run_on(shared_.parts.workers, std::move(work));
    if (!opened) {
        spdlog::error("a binary object of item {} cannot be read: {}", granted_.object.item_id.to_string(),
                      opened.error().message);
        co_return nullptr;
    }
    co_return std::move(*opened);
}

// -- The record ------------------------------------------------------------------------------------------------------

/// The entry of this request, as one that has begun; none if the quota has no room for it.
std::optional<store::Fetch> Download::entry() {
    const RecordQuota::Place place = shared_.quota.take(granted_.destination, std::chrono::steady_clock::now());
    if (!place.granted) {
        shared_.parts.metrics.downloads_unrecorded().add();
        return std::nullopt;
    }
    store::Fetch fetch;
    fetch.object = granted_.object.described.id;
    fetch.certificate_sha256 = granted_.who;
    fetch.unrecorded = place.unrecorded;
    fetch.ranges = ranges_.size();
    for (const ByteRange& range : ranges_) {
        fetch.begin = &range == &ranges_.front() ? range.begin : std::min(fetch.begin, range.begin);
        fetch.end = std::max(fetch.end, range.end);
    }
    return fetch;
}

/// Whether it is on disk that the object was asked for. Cancellable: a store that cannot commit answers when it stops,
/// and that may wait for us.
asio::awaitable<bool> Download::record_beginning() {
    std::optional<store::Fetch> fetch = entry();
    if (!fetch) {
        co_return true;
    }
    const auto beginning = std::make_shared<Beginning>(shared_.executor);
    beginning->timer.expires_after(shared_.record_wait);
    auto heard = [weak = std::weak_ptr{beginning}, executor = shared_.executor,
                  unrecorded = &shared_.parts.metrics.downloads_unrecorded()](store::Outcome outcome) {
        note_record(*unrecorded, outcome);
        asio::post(executor, [weak, outcome] {
            if (const auto waiting = weak.lock()) {
                waiting->outcome = outcome;
                waiting->timer.cancel();
            }
        });
    };
    shared_.parts.objects.fetched(std::move(*fetch), std::move(heard));
    boost::system::error_code error;
    co_await beginning->timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    if (beginning->outcome) {
        co_return *beginning->outcome != store::Outcome::failed;
    }
    if (error) {
        throw boost::system::system_error{error};  // cancelled through Asio
    }
    spdlog::warn("a download was put off: the store took too long to put its beginning on record");
    co_return false;
}

void Download::settle() {
    // First, so that whoever sees the entry sees the count too.
    const auto& metrics = shared_.parts.metrics.destination(granted_.destination);
    metrics.downloads(outcome()).add();
    if (body_) {
        metrics.download_bytes.add(body_->sent());
    }
    if (recorded_) {
        if (std::optional<store::Fetch> fetch = entry()) {
            using Extent = store::Fetch::Extent;
            fetch->extent = !complete_ ? Extent::broken_off : whole() ? Extent::whole : Extent::complete;
            shared_.parts.objects.fetched(std::move(*fetch),
                                          [unrecorded = &shared_.parts.metrics.downloads_unrecorded()](
                                              store::Outcome outcome) { note_record(*unrecorded, outcome); });
        }
    }
}

metrics::Download Download::outcome() const {
    if (failed_ || (body_ && body_->failure())) {
        return metrics::Download::failed;
    }
    if (too_slow_) {
        return metrics::Download::too_slow;
    }
    if (!complete_) {
        return metrics::Download::cut;
    }
    if (ranges_.empty()) {
        return metrics::Download::unchanged;
    }
    return whole() ? metrics::Download::complete : metrics::Download::partial;
}

}  // namespace lihandover::objectserver
