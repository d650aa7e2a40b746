#include "control_api.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "json_writer.hpp"
#include "query.hpp"
#include "worker.hpp"

namespace lihandover::admin {

namespace {

namespace dom = simdjson::dom;

constexpr std::string_view json_type = "application/json";

std::string_view word_of(Stage stage) {
    switch (stage) {
        case Stage::starting:
            return "starting";
        case Stage::running:
            return "running";
        case Stage::stopping:
            return "stopping";
    }
    return "";
}

template <std::size_t Size, typename Enum>
std::string_view word_of(const std::array<std::string_view, Size>& names, Enum value) {
    return names.at(static_cast<std::size_t>(value));
}

/// Text that an operator types and others read later: no control characters, not only blanks.
bool is_plain_text(std::string_view text) {
    const bool control = std::ranges::any_of(text, [](char byte) {
        const auto value = static_cast<unsigned char>(byte);
        return value < 0x20 || value == 0x7F;
    });
    return !control && text.find_first_not_of(' ') != std::string_view::npos;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

std::optional<store::ItemState> parse_state(std::string_view text) {
    const auto& names = store::item_state_names;
    const auto* const found = std::ranges::find(names, text);
    if (found == names.end()) {
        return std::nullopt;
    }
    return static_cast<store::ItemState>(found - names.begin());
}

void write_item_fields(JsonWriter& json, const store::ItemView& item) {
    json.open_object()
        .text("id", item.object_id.to_string())
        .text("liid", item.liid)
        .text("destination", item.destination)
        .text("state", store::name_of(item.state))
        .number("row", static_cast<std::uint64_t>(item.row))
        .time("received_at", item.received_at)
        .time("changed_at", item.changed_at);
    if (item.object_of) {
        json.text("object_of", item.object_of->to_string());
    }
    if (item.correlation) {
        json.number("application_level_id", item.correlation->level_id)
            .number("application_sequence_number", item.correlation->sequence_number);
    }
    if (item.refusal) {
        json.key("refusal")
            .open_object()
            .text("kind", store::name_of(item.refusal->kind))
            .number("code", item.refusal->code)
            .text("words", item.refusal->words)
            .close_object();
    }
    if (!item.who.empty()) {
        json.text("who", item.who);
    }
    if (!item.why.empty()) {
        json.text("why", item.why);
    }
    json.close_object();
}

void write_report(JsonWriter& json, const ReloadReport& report) {
    json.open_object()
        .text("outcome", word_of(metrics::reload_outcome_names, report.outcome))
        .time("at", report.at)
        .number("warrants_added", report.warrants_added)
        .number("warrants_changed", report.warrants_changed)
        .number("warrants_ended", report.warrants_ended)
        .number("warrant_files_bad", report.warrant_files_bad);
    json.key("problems").open_array();
    for (const auto& problem : report.problems) {
        json.text(problem);
    }
    json.close_array().close_object();
}

void write_destination(JsonWriter& json, const DestinationStatus& status, const store::Count& count,
                       const std::optional<model::Instant>& oldest) {
    const bool backing_off = status.last_failure.has_value() && status.next_attempt.has_value();
    json.open_object()
        .text("name", count.destination)
        .text("state", status.paused ? "paused"
                       : backing_off ? "backing_off"
                                     : "running");
    json.key("paused");
    if (status.paused) {
        json.text(word_of(metrics::pause_names, *status.paused));
    } else {
        json.null();
    }
    json.time("paused_since", status.paused_since).time("next_attempt", status.next_attempt).key("last_failure");
    if (status.last_failure) {
        json.text(word_of(metrics::attempt_names, *status.last_failure));
    } else {
        json.null();
    }
    json.time("last_failure_at", status.last_failure_at)
        .time("last_success", status.last_success)
        .number("connections", status.connections)
        .number("in_flight", status.in_flight)
        .number("held", count.held)
        .number("queued", count.queued)
        .number("refused", count.refused)
        .number("objects_attached", count.objects_attached)
        .number("objects_offered", count.objects_offered)
        .number("objects_queued", count.objects_queued)
        .number("objects_refused", count.objects_refused)
        .time("oldest_queued", oldest)
        .close_object();
}

void write_warrant(JsonWriter& json, const warrants::InForce& in_force, model::Instant now) {
    const auto& warrant = *in_force.warrant;
    json.open_object()
        .text("destination", warrant.destination)
        .text("liid", warrant.liid)
        .text("state", word_of(warrants::state_names, warrants::state_at(warrant, now)))
        .time("valid_from", warrant.valid_from)
        .time("valid_until", warrant.valid_until)
        .text("priority", warrant.priority == warrants::Priority::emergency ? "emergency" : "routine")
        .number("targets", warrant.targets.size());
    json.key("deliver").open_array();
    if (warrant.deliver.metadata) {
        json.text("metadata");
    }
    if (warrant.deliver.content) {
        json.text("content");
    }
    if (warrant.deliver.binary) {
        json.text("binary");
    }
    if (warrant.deliver.location) {
        json.text("location");
    }
    json.close_array().key("services").open_array();
    for (const auto& service : warrant.services) {
        json.text(service);
    }
    json.close_array()
        .text("reference", warrant.reference)
        .text("file", in_force.file)
        .boolean("stale", in_force.stale)
        .close_object();
}

using WarrantKey = std::tuple<const std::string&, const std::string&>;

WarrantKey key_of(const warrants::InForce& in_force) {
    return std::tie(in_force.warrant->destination, in_force.warrant->liid);
}

/// One page of warrants, by destination and LIID.
void write_warrants(std::string& out, const WarrantList* list, std::size_t limit, const WarrantKey& after,
                    model::Instant now) {
    std::vector<const warrants::InForce*> page;
    if (list != nullptr) {
        for (const auto& in_force : *list) {
            if (key_of(in_force) > after) {
                page.push_back(&in_force);
            }
        }
    }
    const auto size = std::min(limit, page.size());
    std::partial_sort(page.begin(), page.begin() + static_cast<std::ptrdiff_t>(size), page.end(),
                      [](const auto* left, const auto* right) { return key_of(*left) < key_of(*right); });
    const bool more = page.size() > size;
    page.resize(size);
    JsonWriter json(out);
    json.open_object().key("warrants").open_array();
    for (const auto* in_force : page) {
        write_warrant(json, *in_force, now);
    }
    json.close_array().key("next");
    if (more) {
        json.text(page.back()->warrant->destination + "/" + page.back()->warrant->liid);
    } else {
        json.null();
    }
    json.close_object();
    out += '\n';
}

/// The limit of a page; nullopt when it is not 1 to `maximum`.
std::optional<std::size_t> parse_limit(std::string_view text, std::size_t maximum) {
    const auto value = parse_number(text);
    if (!value || *value < 1 || *value > maximum) {
        return std::nullopt;
    }
    return value;
}

using Counted = std::tuple<store::Outcome, std::size_t>;

/// Awaits an operation of the store that calls back with how many items it changed.
template <typename Start>
boost::asio::awaitable<Counted> counted(Start start) {
    auto initiation = [](auto handler, Start begin) {
        HomeBound<decltype(handler)> home(std::move(handler));
        begin([home](store::Outcome outcome, std::size_t count) { home(outcome, count); });
    };
    co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>,
                                                   void(store::Outcome, std::size_t)>(
        initiation, boost::asio::use_awaitable, std::move(start));
}

boost::asio::awaitable<ReloadReport> reloaded(Control& control, std::string who) {
    auto initiation = [&control](auto handler, std::string name) {
        HomeBound<decltype(handler)> home(std::move(handler));
        control.reload(std::move(name), [home](ReloadReport report) { home(std::move(report)); });
    };
    co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(ReloadReport)>(
        initiation, boost::asio::use_awaitable, std::move(who));
}

/// Who decides: the user that the kernel vouches for, and beside it the name that was given.
std::string name_of_peer(const http::Peer& peer, std::string_view operator_name) {
    auto user = peer.process ? http::user_name(peer.process->uid) : std::string("unknown");
    if (operator_name.empty()) {
        return user;
    }
    return std::string(operator_name) + " (uid " + user + ")";
}

/// "item" or "items".
std::string items_text(std::size_t count) {
    return std::to_string(count) + (count == 1 ? " item" : " items");
}

model::Status take_text(dom::element value, std::string_view name, std::size_t maximum, std::string& out) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS || text.size() > maximum || !is_plain_text(text)) {
        return model::Error{std::string(name) + ": a text of 1 to " + std::to_string(maximum) +
                            " bytes without control characters"};
    }
    out = text;
    return {};
}

model::Status take_ids(dom::element value, std::vector<model::Uuid>& out) {
    bool good = false;
    dom::array array;
    std::set<model::Uuid> seen;
    if (value.get(array) == simdjson::SUCCESS && array.size() != 0 && array.size() <= ControlApi::max_ids) {
        good = true;
        for (const auto element : array) {
            std::string_view text;
            const bool is_text = element.get(text) == simdjson::SUCCESS;
            const auto id = is_text ? model::Uuid::parse(text) : std::nullopt;
            good = good && id.has_value();
            if (id && seen.insert(*id).second) {
                out.push_back(*id);
            }
        }
    }
    if (good) {
        return {};
    }
    return model::Error{"ids: a list of 1 to " + std::to_string(ControlApi::max_ids) + " ObjectIdentifiers"};
}

}  // namespace

model::Result<Decision> parse_decision(std::string_view body) {
    Decision decision;
    if (body.empty()) {
        return decision;
    }
    dom::parser parser;
    dom::object object;
    if (parser.parse(body.data(), body.size()).get(object) != simdjson::SUCCESS) {
        return model::Error{"the body is no JSON object"};
    }
    std::set<std::string_view> seen;
    for (const auto [name, value] : object) {
        if (!seen.insert(name).second) {
            return model::Error{"a member comes twice"};
        }
        if (name == "ids") {
            auto taken = take_ids(value, decision.ids);
            if (!taken) {
                return taken.error();
            }
        } else if (name == "destination") {
            auto taken = take_text(value, name, 64, decision.destination);
            if (!taken) {
                return taken.error();
            }
        } else if (name == "code") {
            std::uint64_t code = 0;
            if (value.get(code) != simdjson::SUCCESS) {
                return model::Error{"code: a number, zero or more"};
            }
            decision.code = code;
        } else if (name == "reason") {
            auto taken = take_text(value, name, ControlApi::max_reason, decision.reason);
            if (!taken) {
                return taken.error();
            }
        } else if (name == "operator") {
            auto taken = take_text(value, name, ControlApi::max_operator, decision.operator_name);
            if (!taken) {
                return taken.error();
            }
        } else {
            return model::Error{"an unknown member; known are ids, destination, code, reason, operator"};
        }
    }
    return decision;
}

/// What is known of the items before anything is done to them.
struct ControlApi::Checked {
    std::string who;
    unsigned status = 200;  ///< 404 where one is unknown, 409 where one is in another state, 500 where the store fails
    std::string body;       ///< when it is not 200
    std::map<std::string, std::size_t> destinations;  ///< how many items of each
};

struct ControlApi::Page {
    std::optional<store::ItemState> state;
    std::string destination;
    store::RowId after = 0;
    std::optional<model::Uuid> after_id;
    std::size_t limit = 100;
};

ControlApi::ControlApi(const Parts& parts, WorkerStrand worker, std::unique_ptr<store::Reader> reader,
                       std::function<Readiness()> readiness)
    : parts_(parts), worker_(std::move(worker)), reader_(std::move(reader)), readiness_(std::move(readiness)) {}

ControlApi::Answer ControlApi::refuse(unsigned status, std::string_view sentence) {
    return {status, error_body(sentence)};
}

boost::asio::awaitable<void> ControlApi::handle(http::Exchange& exchange) {
    auto result = co_await answer(exchange);
    http::Response response;
    response.status = result.status;
    response.content_type = json_type;
    response.body = std::move(result.body);
    if (result.status == 503) {
        response.fields.emplace_back("Retry-After", "1");
    }
    (void)co_await exchange.respond(std::move(response));
}

boost::asio::awaitable<ControlApi::Answer> ControlApi::answer(http::Exchange& exchange) {
    constexpr std::string_view items_path = "/v1/items/";
    const auto path = exchange.path();
    const bool get = exchange.method() == "GET";
    const bool post = exchange.method() == "POST";
    const bool one_item = path.starts_with(items_path);
    const bool read = path == "/v1/status" || path == "/v1/warrants" || path == "/v1/items" || one_item;
    const bool write = path == "/v1/retry" || path == "/v1/reject" || path == "/v1/approve" || path == "/v1/reload";
    if (!read && !write) {
        co_return refuse(404, "no such resource");
    }
    if (read ? !get : !post) {
        co_return refuse(405, read ? "only GET is known here" : "only POST is known here");
    }
    // The socket's mode decides who may connect; a peer that the kernel does not vouch for is nobody.
    if (!exchange.peer().process) {
        co_return refuse(403, "the peer has no user");
    }

    if (path == "/v1/status") {
        co_return co_await get_status();
    }
    if (path == "/v1/warrants") {
        co_return co_await get_warrants(exchange.query());
    }
    if (path == "/v1/items") {
        co_return co_await get_items(exchange.query());
    }
    if (one_item) {
        co_return co_await get_item(path.substr(items_path.size()));
    }
    if (path == "/v1/retry") {
        co_return co_await decide(exchange, Kind::retry);
    }
    if (path == "/v1/reject") {
        co_return co_await decide(exchange, Kind::reject);
    }
    if (path == "/v1/approve") {
        co_return co_await decide(exchange, Kind::approve);
    }
    co_return co_await reload(exchange);
}

boost::asio::awaitable<ControlApi::Answer> ControlApi::get_status() {
    const auto readiness = readiness_();
    auto write = [this, readiness, status = parts_.control.status()] { return write_status(status, readiness); };
    co_return co_await run_on(worker_, std::move(write));
}

ControlApi::Answer ControlApi::write_status(const Status& status, Readiness readiness) const {
    const auto statistics = parts_.store.statistics();
    std::map<std::string_view, store::Count> counts;
    for (const auto& count : statistics.counts) {
        counts.emplace(count.destination, count);
    }
    std::map<std::string_view, const DestinationStatus*> running;
    for (const auto& destination : status.destinations) {
        running.emplace(destination.name, &destination);
        counts.try_emplace(destination.name, store::Count{destination.name, 0, 0, 0});
    }

    Answer result;
    JsonWriter json(result.body);
    json.open_object()
        .text("version", status.version)
        .text("stage", word_of(status.stage))
        .text("readiness", admin::word_of(readiness))
        .time("started_at", status.started_at)
        .time("now", parts_.clock.wall());
    json.key("store")
        .open_object()
        .boolean("accepting", statistics.accepting)
        .number("used_bytes", statistics.used_bytes)
        .number("max_bytes", statistics.max_bytes)
        .number("waiting_bytes", statistics.waiting_bytes)
        .number("commits", statistics.commits)
        .number("repeats", statistics.repeats)
        .close_object();
    json.key("destinations").open_array();
    for (const auto& [name, count] : counts) {
        std::optional<model::Instant> oldest;
        if (count.queued != 0) {
            const auto found = reader_->oldest(name);
            // The rest of the status matters most when the store cannot be read, so this one stays unknown.
            if (found) {
                oldest = *found;
            }
        }
        const auto known = running.find(name);
        write_destination(json, known != running.end() ? *known->second : DestinationStatus{}, count, oldest);
    }
    json.close_array();
    json.key("warrants")
        .open_object()
        .number("pending", status.warrants_pending)
        .number("active", status.warrants_active)
        .number("expired", status.warrants_expired)
        .number("files_bad", status.warrant_files_bad)
        .close_object();
    json.key("last_reload");
    if (status.last_reload) {
        write_report(json, *status.last_reload);
    } else {
        json.null();
    }
    json.key("alarms").open_array();
    for (const auto& alarm : status.alarms) {
        json.text(alarm);
    }
    json.close_array().close_object();
    result.body += '\n';
    return result;
}

boost::asio::awaitable<ControlApi::Answer> ControlApi::get_warrants(std::string_view query) {
    const auto pairs = parse_query(query);
    if (!pairs) {
        co_return refuse(400, "the query cannot be read");
    }
    std::size_t limit = 100;
    std::string destination;
    std::string liid;
    for (const auto& [name, value] : *pairs) {
        if (name == "limit") {
            const auto number = parse_limit(value, max_page);
            if (!number) {
                co_return refuse(400, "limit: 1 to 1000");
            }
            limit = *number;
        } else if (name == "after") {
            // Names of destinations hold no slash, LIIDs may.
            const auto slash = value.find('/');
            if (slash == std::string::npos) {
                co_return refuse(400, "after: what an earlier answer gave as next");
            }
            destination = value.substr(0, slash);
            liid = value.substr(slash + 1);
        } else {
            co_return refuse(400, "an unknown parameter; known are limit and after");
        }
    }
    auto write = [list = parts_.control.warrants(), limit, destination, liid, now = parts_.clock.wall()] {
        Answer result;
        write_warrants(result.body, list.get(), limit, std::tie(destination, liid), now);
        return result;
    };
    co_return co_await run_on(worker_, std::move(write));
}

boost::asio::awaitable<ControlApi::Answer> ControlApi::get_items(std::string_view query) {
    const auto pairs = parse_query(query);
    if (!pairs) {
        co_return refuse(400, "the query cannot be read");
    }
    Page page;
    for (const auto& [name, value] : *pairs) {
        if (name == "limit") {
            const auto number = parse_limit(value, max_page);
            if (!number) {
                co_return refuse(400, "limit: 1 to 1000");
            }
            page.limit = *number;
        } else if (name == "state") {
            page.state = parse_state(value);
            if (!page.state) {
                co_return refuse(400, "state: held, queued, refused, delivered or rejected");
            }
        } else if (name == "destination") {
            page.destination = value;
        } else if (name == "after") {
            page.after_id = model::Uuid::parse(value);
            if (!page.after_id) {
                const auto row = parse_number(value);
                if (!row || *row > static_cast<std::uint64_t>(INT64_MAX)) {
                    co_return refuse(400, "after: an ObjectIdentifier, or what an earlier answer gave as next");
                }
                page.after = static_cast<store::RowId>(*row);
            }
        } else {
            co_return refuse(400, "an unknown parameter; known are state, destination, limit and after");
        }
    }
    auto write = [this, page] { return write_items(page); };
    co_return co_await run_on(worker_, std::move(write));
}

ControlApi::Answer ControlApi::write_items(const Page& page) const {
    auto after = page.after;
    if (page.after_id) {
        const auto found = reader_->find(*page.after_id);
        if (!found) {
            return refuse(500, found.error().message);
        }
        if (!*found) {
            return refuse(404, "after: no such item");
        }
        after = (*found)->row;
    }
    Answer result;
    JsonWriter json(result.body);
    json.open_object().key("items").open_array();
    std::size_t written = 0;
    std::size_t looked_at = 0;
    bool more = true;
    while (more && written < page.limit && looked_at < max_scan) {
        const auto asked = page.destination.empty() ? page.limit - written : max_page;
        const auto items = reader_->items(page.state, after, asked);
        if (!items) {
            return refuse(500, items.error().message);
        }
        looked_at += asked;
        more = items->size() >= asked;
        for (const auto& item : *items) {
            if (written == page.limit) {
                more = true;
                break;
            }
            after = item.row;
            if (!page.destination.empty() && item.destination != page.destination) {
                continue;
            }
            write_item_fields(json, item);
            ++written;
        }
    }
    json.close_array().key("next");
    if (more) {
        json.text(std::to_string(after));
    } else {
        json.null();
    }
    json.close_object();
    result.body += '\n';
    return result;
}

boost::asio::awaitable<ControlApi::Answer> ControlApi::get_item(std::string_view id) {
    const auto uuid = model::Uuid::parse(id);
    if (!uuid) {
        co_return refuse(400, "an item is named by its ObjectIdentifier, a UUID");
    }
    auto write = [this, wanted = *uuid] { return write_item(wanted); };
    co_return co_await run_on(worker_, std::move(write));
}

ControlApi::Answer ControlApi::write_item(const model::Uuid& id) const {
    const auto found = reader_->find(id);
    if (!found) {
        return refuse(500, found.error().message);
    }
    if (!*found) {
        return refuse(404, "no such item");
    }
    Answer result;
    JsonWriter json(result.body);
    write_item_fields(json, **found);
    result.body += '\n';
    return result;
}

ControlApi::Checked ControlApi::check(const Decision& decision, Kind kind, const http::Peer& peer) const {
    Checked checked;
    checked.who = name_of_peer(peer, decision.operator_name);
    struct Wrong {
        std::string id;
        std::string_view state;
    };
    std::vector<Wrong> wrong;
    for (const auto& id : decision.ids) {
        const auto found = reader_->find(id);
        if (!found) {
            checked.status = 500;
            checked.body = error_body(found.error().message);
            return checked;
        }
        if (!*found) {
            wrong.push_back({id.to_string(), "unknown"});
            checked.status = 404;
            continue;
        }
        const auto state = (*found)->state;
        const bool fits = kind == Kind::retry ? state == store::ItemState::refused
                          : kind == Kind::approve
                              ? state == store::ItemState::held
                              : state != store::ItemState::delivered && state != store::ItemState::rejected;
        if (!fits) {
            wrong.push_back({id.to_string(), store::name_of(state)});
            if (checked.status == 200) {
                checked.status = 409;
            }
        }
        if (!(*found)->object_of) {
            ++checked.destinations[(*found)->destination];
        }
    }
    if (wrong.empty()) {
        return checked;
    }
    const std::string_view wanted = kind == Kind::retry     ? "only refused items can be retried"
                                    : kind == Kind::approve ? "only held items can be approved"
                                                            : "only waiting items can be rejected";
    JsonWriter json(checked.body);
    json.open_object().text("error", std::string(wanted) + "; nothing was changed").key("items").open_array();
    for (const auto& one : wrong) {
        json.open_object().text("id", one.id).text("state", one.state).close_object();
    }
    json.close_array().close_object();
    checked.body += '\n';
    return checked;
}

/// Counts what an operator ended, by destination; for a reject that found some items gone meanwhile.
std::string ControlApi::count_rejected(const std::vector<model::Uuid>& ids) const {
    for (const auto& id : ids) {
        const auto found = reader_->find(id);
        if (found && *found && !(*found)->object_of && (*found)->state == store::ItemState::rejected) {
            parts_.metrics.destination((*found)->destination).items(metrics::ItemOutcome::rejected).add();
        }
    }
    return {};
}

boost::asio::awaitable<ControlApi::Answer> ControlApi::decide(http::Exchange& exchange, Kind kind) {
    std::string body;
    const auto read = co_await exchange.read_body(body, max_body);
    if (!read) {
        co_return refuse(read.error() == http::BodyFailure::too_large ? 413 : 408, "the body cannot be read");
    }
    auto parsed = parse_decision(body);
    if (!parsed) {
        co_return refuse(400, parsed.error().message);
    }
    auto& decision = *parsed;
    const bool in_bulk = !decision.destination.empty() || decision.code.has_value();
    if (kind != Kind::retry && in_bulk) {
        co_return refuse(400, "destination and code are for retry only");
    }
    if (in_bulk && (!decision.ids.empty() || decision.destination.empty())) {
        co_return refuse(400, "either ids, or a destination with or without a code");
    }
    if (!in_bulk && decision.ids.empty()) {
        co_return refuse(400, "ids: a list of ObjectIdentifiers is needed");
    }
    if (kind == Kind::reject && decision.reason.empty()) {
        co_return refuse(400, "reason: is needed to reject an item");
    }
    if (kind != Kind::reject && !decision.reason.empty()) {
        co_return refuse(400, "reason: is for reject only");
    }

    auto look = [this, &decision, kind, &peer = exchange.peer()] { return check(decision, kind, peer); };
    auto checked = co_await run_on(worker_, std::move(look));
    if (checked.status != 200) {
        co_return Answer{checked.status, std::move(checked.body)};
    }
    if (in_bulk) {
        co_return co_await retry_all(std::move(decision), std::move(checked.who));
    }
    if (kind == Kind::approve) {
        co_return refuse(409, "no item is held for review");
    }

    auto start = [this, &decision, &checked, kind](store::Store::DoneCount done) {
        if (kind == Kind::retry) {
            parts_.store.retry(decision.ids, checked.who, std::move(done));
        } else {
            parts_.store.reject(decision.ids, checked.who, decision.reason, std::move(done));
        }
    };
    const auto [outcome, count] = co_await counted(std::move(start));
    if (outcome != store::Outcome::committed) {
        co_return refuse(503, "the store cannot commit now; nothing was changed");
    }
    Answer result;
    if (kind == Kind::reject && count == decision.ids.size()) {
        for (const auto& [destination, items] : checked.destinations) {
            parts_.metrics.destination(destination).items(metrics::ItemOutcome::rejected).add(items);
        }
    } else if (kind == Kind::reject && count != 0) {
        auto recount = [this, &decision] { return count_rejected(decision.ids); };
        (void)co_await run_on(worker_, std::move(recount));
    }
    JsonWriter json(result.body);
    json.open_object();
    if (count != decision.ids.size()) {
        result.status = 409;
        json.text("error", "only " + std::to_string(count) + " of " + items_text(decision.ids.size()) +
                               " could be changed; the others went their way meanwhile");
    }
    json.number("changed", count).close_object();
    result.body += '\n';
    co_return result;
}

boost::asio::awaitable<ControlApi::Answer> ControlApi::retry_all(Decision decision, std::string who) {
    const auto status = parts_.control.status();
    const bool configured =
        std::ranges::any_of(status.destinations, [&](const auto& known) { return known.name == decision.destination; });
    if (!configured) {
        co_return refuse(404, "destination: no such destination");
    }
    auto start = [this, &decision, &who](store::Store::DoneCount done) {
        parts_.store.retry_all(decision.destination, decision.code, who, std::move(done));
    };
    const auto [outcome, count] = co_await counted(std::move(start));
    if (outcome != store::Outcome::committed) {
        co_return refuse(503, "the store cannot commit now; nothing was changed");
    }
    Answer result;
    JsonWriter(result.body).open_object().number("changed", count).close_object();
    result.body += '\n';
    co_return result;
}

boost::asio::awaitable<ControlApi::Answer> ControlApi::reload(http::Exchange& exchange) {
    std::string body;
    const auto read = co_await exchange.read_body(body, max_body);
    if (!read) {
        co_return refuse(read.error() == http::BodyFailure::too_large ? 413 : 408, "the body cannot be read");
    }
    auto parsed = parse_decision(body);
    if (!parsed) {
        co_return refuse(400, parsed.error().message);
    }
    const auto& decision = *parsed;
    if (!decision.ids.empty() || !decision.destination.empty() || decision.code || !decision.reason.empty()) {
        co_return refuse(400, "reload takes operator only");
    }
    auto look = [&decision, &peer = exchange.peer()] { return name_of_peer(peer, decision.operator_name); };
    auto who = co_await run_on(worker_, std::move(look));
    const auto report = co_await reloaded(parts_.control, std::move(who));
    Answer result;
    JsonWriter json(result.body);
    write_report(json, report);
    result.body += '\n';
    co_return result;
}

}  // namespace lihandover::admin
