#include "service.hpp"

#include <spdlog/spdlog.h>

#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <utility>
#include <vector>

#include "body.hpp"
#include "conditions.hpp"
#include "lihandover/http/url.hpp"
#include "on_pool.hpp"
#include "presentation.hpp"
#include "ranges.hpp"

namespace lihandover::objectserver {

namespace asio = boost::asio;

namespace {

constexpr std::string_view retry_after_seconds = "30";

/// A body of more bytes of the object is put on record before it begins. Below, a crash finds the answer in our own
/// system's buffers or gone, and a commit before each would cost more than most answers.
constexpr std::uint64_t recorded_first = std::uint64_t{1} << 20U;

/// A body of so many bytes at most has small buffers, and waits for nobody.
constexpr std::uint64_t at_once = std::uint64_t{64} << 10U;

std::uint64_t bytes_of(const std::vector<ByteRange>& ranges) {
    std::uint64_t bytes = 0;
    for (const ByteRange& range : ranges) {
        bytes += range.size();  // at most the object's size: choose_ranges
    }
    return bytes;
}

/// 128 random bits: whoever chose the object's bytes could not know them.
std::string random_boundary() {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::array<unsigned char, 16> bytes{};
    model::random_bytes(bytes.data(), bytes.size());
    std::string text;
    for (const unsigned byte : bytes) {
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
    }
    return text;
}

void add_field(http::Response& response, std::string_view name, std::string value) {
    response.fields.emplace_back(name, std::move(value));
}

/// For whom another try is worth while.
http::Response sorry() {
    http::Response response;
    response.status = 503;
    add_field(response, "Cache-Control", "no-store");
    add_field(response, "Retry-After", std::string{retry_after_seconds});
    return response;
}

/// On the writer thread.
void note_record(const metrics::Counter& unrecorded, store::Outcome outcome) {
    if (outcome == store::Outcome::failed) {
        unrecorded.add();
        spdlog::error("a download could not be put on record: the store does not take it");
    }
}

}  // namespace

struct Service::Plan {
    unsigned status = 200;
    /// What is to be sent of the object; none: HEAD, 304, 412, 416.
    std::vector<ByteRange> ranges;
    std::string tag;
};

/// What waits for its entries to be committed. On the server's thread; owned by the coroutine alone, so that an entry
/// that is committed later finds nobody.
struct Service::Beginning {
    Beginning(const asio::any_io_executor& executor, std::size_t entries) : timer(executor), missing(entries) {}

    void heard(store::Outcome outcome) {
        --missing;
        failed = failed || outcome == store::Outcome::failed;
        if (done()) {
            timer.cancel();
        }
    }
    [[nodiscard]] bool done() const { return missing == 0 || failed; }

    asio::steady_timer timer;
    std::size_t missing;
    bool failed = false;
};

/// Puts a request on record and counts it when its answer is over, also when it is over because the connection was cut
/// and the coroutine with it.
class Service::Account {
  public:
    Account(const Parts& parts, const Granted& granted, const std::vector<ByteRange>& ranges)
        : parts_(&parts), granted_(&granted), ranges_(&ranges) {}
    Account(const Account&) = delete;
    Account& operator=(const Account&) = delete;
    ~Account() {
        try {
            settle();
        } catch (const std::exception&) {
            parts_->metrics.downloads_unrecorded().add();
            spdlog::error("a download could not be put on record for want of memory");
        }
    }

    /// To be asked what went out; outlives this.
    void follow(const ObjectBody& body) { body_ = &body; }
    void answered(bool complete) { complete_ = complete; }
    void failed() { failed_ = true; }
    /// Nothing went out, and the store would not take the entry.
    void put_off() {
        failed_ = true;
        recorded_ = false;
    }

    [[nodiscard]] bool whole() const {
        return ranges_->size() == 1 && ranges_->front() == ByteRange{0, granted_->object.sealed->size()};
    }

  private:
    void settle() const {
        // Of one range alone it is the answer's end that tells, which may mean more than sent (confirmed).
        const std::size_t sent_parts = body_ != nullptr && ranges_->size() > 1 ? body_->sent_parts() : 0;
        const std::size_t begun_parts = body_ != nullptr ? body_->begun_parts() : 0;
        if (ranges_->empty() && recorded_) {
            record({}, complete_);
        }
        for (std::size_t index = 0; recorded_ && index < ranges_->size(); ++index) {
            const bool complete = complete_ || index < sent_parts;
            // Of several ranges only those that were begun; of one it is known in any case that it was asked for.
            if (complete || index == 0 || index < begun_parts) {
                record((*ranges_)[index], complete);
            }
        }
        const auto& metrics = parts_->metrics.destination(granted_->destination);
        metrics.downloads(outcome()).add();
        if (body_ != nullptr) {
            metrics.download_bytes.add(body_->sent());
        }
    }

    void record(ByteRange range, bool complete) const {
        store::Fetch fetch = granted_->entry(range);
        using Extent = store::Fetch::Extent;
        fetch.extent = !complete ? Extent::broken_off : whole() ? Extent::whole : Extent::complete;
        parts_->store.objects().fetched(std::move(fetch),
                                        [unrecorded = &parts_->metrics.downloads_unrecorded()](store::Outcome outcome) {
                                            note_record(*unrecorded, outcome);
                                        });
    }

    [[nodiscard]] metrics::Download outcome() const {
        if (failed_ || (body_ != nullptr && body_->failure())) {
            return metrics::Download::failed;
        }
        if (!complete_) {
            return metrics::Download::cut;
        }
        if (ranges_->empty()) {
            return metrics::Download::unchanged;
        }
        return whole() ? metrics::Download::complete : metrics::Download::partial;
    }

    const Parts* parts_;
    const Granted* granted_;
    const std::vector<ByteRange>* ranges_;
    const ObjectBody* body_ = nullptr;
    bool complete_ = false;
    bool failed_ = false;
    bool recorded_ = true;
};

store::Fetch Service::Granted::entry(ByteRange range) const {
    store::Fetch fetch;
    fetch.object = object.described.id;
    fetch.certificate_sha256 = certificate_sha256;
    fetch.begin = range.begin;
    fetch.end = range.end;
    return fetch;
}

asio::awaitable<void> Service::handle(http::Exchange& exchange) {
    const auto came = std::chrono::steady_clock::now();
    const auto granted = co_await look_up(exchange);
    if (!granted) {
        co_await deny(exchange, came);
    } else if (!can_commit()) {
        co_await put_off(exchange, *granted);
    } else {
        co_await serve(exchange, *granted);
    }
}

/// What cannot be put on record is not handed over (promise 11).
asio::awaitable<void> Service::put_off(http::Exchange& exchange, const Granted& granted) {
    parts_.metrics.destination(granted.destination).downloads(metrics::Download::failed).add();
    http::Response response = sorry();
    co_await exchange.respond(std::move(response));
}

/// Logged when it begins and when it ends, not for each request.
bool Service::can_commit() {
    const bool can = !parts_.can_commit || parts_.can_commit();
    if (can == commits_fail_) {
        commits_fail_ = !can;
        if (can) {
            spdlog::info("binary objects are served again");
        } else {
            spdlog::error("the store cannot commit: no binary objects are served until it can");
        }
    }
    return can;
}

/// One look into the store whatever was asked for, and then the same questions.
asio::awaitable<std::optional<Service::Granted>> Service::look_up(const http::Exchange& exchange) {
    const std::string_view origin = origin_form(exchange.target());
    const auto id = object_id_of(origin);
    const model::Uuid nobodys = model::Uuid::random();
    Lookup::Found found = co_await lookup_.find(id ? *id : nobodys);
    note_lookup(found.has_value(), found ? std::string{} : found.error().message);
    const store::StoredObject* object = found && *found ? &**found : nullptr;
    std::string destination;
    if (!may_fetch(exchange, origin, object, destination)) {
        co_return std::nullopt;
    }
    co_return Granted{std::move(**found), std::move(destination), exchange.peer().certificate->certificate_sha256};
}

bool Service::may_fetch(const http::Exchange& exchange, std::string_view origin, const store::StoredObject* object,
                        std::string& destination) const {
    const auto& peer = exchange.peer().certificate;
    if (!peer) {
        return false;  // never over TLS
    }
    const model::Instant now = parts_.clock.wall();
    const auto lane = parts_.store.find_lane(object != nullptr ? object->lane : 0);
    destination = lane ? lane->destination : std::string{};
    const bool allowed = access_->allows(destination, *peer);
    // A connection kept alive outlives the certificate it began with.
    const bool current = now <= peer->not_after;
    const bool reading = exchange.method() == "GET" || exchange.method() == "HEAD";
    if (object == nullptr || !allowed || !current || !reading || !is_offered(*object, now)) {
        return false;
    }
    const auto url = http::parse_url(object->described.url);
    return url && url->target == origin;
}

asio::awaitable<void> Service::deny(http::Exchange& exchange, std::chrono::steady_clock::time_point came) {
    parts_.metrics.downloads_denied().add();
    const auto spent = std::chrono::steady_clock::now() - came;
    asio::steady_timer timer{executor_, came + denial_step * (spent / denial_step + 1)};
    co_await timer.async_wait(asio::use_awaitable);
    http::Response response;
    response.status = 404;
    add_field(response, "Cache-Control", "no-store");
    co_await exchange.respond(std::move(response));
}

asio::awaitable<void> Service::serve(http::Exchange& exchange, const Granted& granted) {
    const std::uint64_t size = granted.object.sealed->size();
    Plan plan;
    plan.tag = entity_tag(granted.object.sealed->sha256());
    const Conditions conditions{exchange.header("If-Match"), exchange.header("If-None-Match")};
    switch (judge(conditions, plan.tag)) {
        case Verdict::precondition_failed:
            plan.status = 412;
            break;
        case Verdict::not_modified:
            plan.status = 304;
            break;
        case Verdict::proceed:
            // RFC 9110 14.2: ranges are for GET only.
            if (exchange.method() == "GET") {
                const auto range = exchange.header("Range");
                RangeChoice choice;
                if (range && range_counts(exchange.header("If-Range"), plan.tag)) {
                    choice = choose_ranges(*range, size);
                }
                using Kind = RangeChoice::Kind;
                plan.status = choice.kind == Kind::whole ? 200 : choice.kind == Kind::ranges ? 206 : 416;
                plan.ranges = std::move(choice.ranges);
                if (choice.kind == Kind::whole) {
                    plan.ranges = {ByteRange{0, size}};
                }
            }
            break;
    }
    co_await send(exchange, granted, std::move(plan));
}

asio::awaitable<void> Service::send(http::Exchange& exchange, const Granted& granted, Plan plan) {
    const store::StoredObject& object = granted.object;
    const std::string size = std::to_string(object.sealed->size());
    std::string type;
    Turns::Turn turn{executor_, turns_};  // given back when the body's buffers are gone
    std::optional<ObjectBody> body;
    Account account{parts_, granted, plan.ranges};

    http::Response response;
    response.status = plan.status;
    add_field(response, "Cache-Control", "no-store");
    if (plan.status != 412) {
        add_field(response, "Accept-Ranges", "bytes");
        add_field(response, "ETag", plan.tag);
    }
    if (plan.status == 416) {
        add_field(response, "Content-Range", "bytes */" + size);
    }
    if (plan.status != 200 && plan.status != 206) {
        account.answered(co_await exchange.respond(std::move(response)));
        co_return;
    }

    type = content_type(object.described.content_type);
    add_field(response, "Content-Disposition", content_disposition(object.described.original_filename));
    add_field(response, "X-Content-Type-Options", "nosniff");
    if (plan.ranges.empty()) {
        Measure measure{object.sealed->size()};
        response.content_type = type;
        account.answered(co_await exchange.respond(std::move(response), measure));
        co_return;
    }

    if (bytes_of(plan.ranges) > at_once) {
        const bool there = co_await turn.come(exchange);
        if (!there) {
            exchange.abort();
            co_return;
        }
        // It may have been a long wait.
        if (!can_commit()) {
            account.put_off();
            http::Response response_to_trouble = sorry();
            co_await exchange.respond(std::move(response_to_trouble));
            co_return;
        }
    }
    // Apart from the aggregate, which GCC 12 would destroy twice around the co_await.
    std::shared_ptr<store::ObjectReader> reader = co_await open(granted);
    if (!reader) {
        account.failed();
        http::Response response_to_failure = sorry();
        co_await exchange.respond(std::move(response_to_failure));
        co_return;
    }
    bool may_begin = true;
    if (bytes_of(plan.ranges) > recorded_first) {
        may_begin = co_await record_beginning(granted, plan.ranges);
    }
    if (!may_begin) {
        account.put_off();
        http::Response response_to_failure = sorry();
        co_await exchange.respond(std::move(response_to_failure));
        co_return;
    }
    ObjectBody::Reading reading{executor_, parts_.workers, std::move(reader)};
    if (plan.ranges.size() > 1) {
        const std::string boundary = random_boundary();
        body.emplace(std::move(reading), plan.ranges, type, boundary);
        type = "multipart/byteranges; boundary=" + boundary;
    } else {
        const ByteRange range = plan.ranges.front();
        if (plan.status == 206) {
            add_field(response, "Content-Range",
                      "bytes " + std::to_string(range.begin) + '-' + std::to_string(range.end - 1) + '/' + size);
        }
        body.emplace(std::move(reading), range);
    }
    response.content_type = type;
    account.follow(*body);
    bool complete = co_await exchange.respond(std::move(response), *body);
    if (complete && object.remove_when_fetched && account.whole()) {
        // What lies in our own system's buffers can still be lost, and then there would be no second time.
        complete = co_await exchange.confirmed();
    }
    account.answered(complete);
    if (body->failure()) {
        spdlog::error("a binary object of item {} cannot be read: {}", object.item_id.to_string(),
                      body->failure()->message);
    }
}

/// Whether it is on the disk that the ranges were asked for. Cancellable: a store that cannot commit answers when it
/// stops, which may wait for us.
asio::awaitable<bool> Service::record_beginning(const Granted& granted, const std::vector<ByteRange>& ranges) {
    const auto beginning = std::make_shared<Beginning>(executor_, ranges.size());
    beginning->timer.expires_after(record_wait_);
    for (const ByteRange& range : ranges) {
        parts_.store.objects().fetched(granted.entry(range),
                                       [weak = std::weak_ptr{beginning}, executor = executor_,
                                        unrecorded = &parts_.metrics.downloads_unrecorded()](store::Outcome outcome) {
                                           note_record(*unrecorded, outcome);
                                           asio::post(executor, [weak, outcome] {
                                               if (const auto waiting = weak.lock()) {
                                                   waiting->heard(outcome);
                                               }
                                           });
                                       });
    }
    boost::system::error_code error;
    co_await beginning->timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    if (beginning->done()) {
        co_return !beginning->failed;
    }
    if (error) {
        throw boost::system::system_error{error};  // cancelled by Asio's means
    }
    spdlog::warn("a download was put off: the store took too long to put its beginning on record");
    co_return false;
}

asio::awaitable<std::shared_ptr<store::ObjectReader>> Service::open(const Granted& granted) {
    using Opened = model::Result<std::shared_ptr<store::ObjectReader>>;
    auto work = [objects = &parts_.store.objects(), sealed = granted.object.sealed]() -> Opened {
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
    Opened opened = co_await on_pool<Opened>(parts_.workers, std::move(work));
    if (!opened) {
        spdlog::error("a binary object of item {} cannot be read: {}", granted.object.item_id.to_string(),
                      opened.error().message);
        co_return nullptr;
    }
    co_return std::move(*opened);
}

/// Logged when it begins and when it ends, not for each request.
void Service::note_lookup(bool worked, const std::string& problem) {
    if (worked == lookups_fail_) {
        lookups_fail_ = !worked;
        if (worked) {
            spdlog::info("binary objects can be looked up again");
        } else {
            spdlog::error("binary objects cannot be looked up, all requests are answered 404: {}", problem);
        }
    }
}

}  // namespace lihandover::objectserver
