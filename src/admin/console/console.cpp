#include "console/console.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "console/assets.hpp"
#include "lihandover/base/background.hpp"
#include "lihandover/base/utf8.hpp"
#include "query.hpp"
#include "wiped_body.hpp"
#include "words.hpp"

namespace lihandover::admin {

namespace {

/// Nobody of ours types more.
constexpr std::size_t max_steps = 4;

/// nullopt: a step is encoded wrongly, empty, or there are too many.
std::optional<std::vector<std::string>> steps_of(std::string_view path) {
    std::vector<std::string> steps;
    if (path.empty() || path.front() != '/') {
        return std::nullopt;
    }
    path.remove_prefix(1);
    while (!path.empty()) {
        const auto end = std::min(path.find('/'), path.size());
        auto step = percent_decoded(path.substr(0, end));
        if (!step || step->empty() || steps.size() == max_steps) {
            return std::nullopt;
        }
        steps.push_back(std::move(*step));
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return steps;
}

/// Of a binary object: nobody waits for 16 MiB of what is no image.
constexpr ObjectPart as_much_as_is_shown = {max_hex, max_image,
                                            [](std::string_view first) { return !image_type_of(first).empty(); }};

/// A text that goes into a decision or a record.
bool is_good(std::string_view text, std::size_t most) {
    return text.size() <= most && base::is_encoded(text) && is_plain_text(text);
}

/// What of the query a list of items is about; the sentence says what is wrong with it.
std::string_view read_wanted(std::string_view query, ItemsWanted& wanted) {
    // Browsers write a space in a form so, and a plus encoded.
    std::string spaced(query);
    std::ranges::replace(spaced, '+', ' ');
    const auto pairs = parse_query(spaced);
    if (!pairs) {
        return "the address cannot be read";
    }
    wanted.state = store::ItemState::held;
    for (const auto& [name, value] : *pairs) {
        if (value.empty()) {
            continue;
        }
        if (name == "state") {
            wanted.state = parse_state(value);
            if (!wanted.state && value != "waiting") {
                return "there is no such state";
            }
        } else if (name == "destination" && value.size() <= Order::max_destination) {
            wanted.destination = value;
        } else if (name == "liid" && value.size() <= Order::max_liid) {
            wanted.liid = value;
        } else if (name == "priority" && (value == "emergency" || value == "routine")) {
            wanted.emergency = value == "emergency";
        } else if (name == "after") {
            const auto place = parse_place(value);
            if (!place) {
                return "the page before this one has no such end";
            }
            wanted.after = *place;
        } else {
            return "the address has something in it that this page does not know";
        }
    }
    return {};
}

/// Hears the audit record, and keeps what is about one item.
class ItemEntries final : public store::AuditLog::Visitor {
  public:
    ItemEntries(const model::Uuid& id, History& history) : id_(id), history_(history) {}

    [[nodiscard]] bool entry(const audit::Recorded& recorded) override {
        const audit::Entry& entry = recorded.entry;
        if (entry.object_id == id_) {
            history_.entries.push_back({entry.at, audit::name_of(entry.kind), std::string(entry.who),
                                        std::string(entry.why),
                                        entry.refusal != nullptr ? std::optional(*entry.refusal) : std::nullopt});
        }
        return history_.entries.size() < most;
    }
    void checkpoint(const audit::Checkpoint& /*checkpoint*/) override {}

    static constexpr std::size_t most = 1000;

  private:
    const model::Uuid& id_;
    History& history_;
};

Link back_to(const Form& form) {
    const std::string_view state = form.only("state");
    return Link("/items")
        .with("state", parse_state(state) ? state : std::string_view())
        .with("destination", form.only("destination"))
        .with("liid", form.only("liid"))
        .with("priority", form.only("priority"));
}

}  // namespace

/// What answers a path: `*` stands for one step.
struct Console::Route {
    std::string_view method;
    std::vector<std::string_view> steps;
    Need need;
    boost::asio::awaitable<Page> (Console::*answer)(Call&) const;
};

const std::vector<Console::Route> Console::routes = {
    {"GET", {}, Need::nothing, &Console::overview},
    {"GET", {"items"}, Need::nothing, &Console::items},
    {"GET", {"items", "*"}, Need::nothing, &Console::item},
    {"POST", {"items", "*", "content"}, Need::review, &Console::content},
    {"POST", {"items", "*", "objects", "*"}, Need::review, &Console::object},
    {"POST", {"decide"}, Need::nothing, &Console::decide},  // which decision needs what, it says itself
    {"GET", {"warrants"}, Need::nothing, &Console::warrants},
    {"GET", {"warrants", "revoke"}, Need::operate, &Console::ask_to_revoke},
    {"POST", {"warrants", "revoke"}, Need::operate, &Console::revoke},
    {"POST", {"destinations", "pause"}, Need::operate, &Console::deliver},
    {"POST", {"destinations", "resume"}, Need::operate, &Console::deliver},
};

Console::Console(const Parts& parts, const boost::asio::any_io_executor& worker, std::function<Readiness()> readiness,
                 NamesUs names_us)
    : parts_(parts),
      worker_(worker),
      readiness_(std::move(readiness)),
      names_us_(std::move(names_us)),
      decisions_(parts, worker),
      orders_(parts, worker),
      content_(parts, worker) {}

boost::asio::awaitable<void> Console::handle(http::Exchange& exchange) {
    Page page = co_await answer(exchange);
    if (!page.content) {
        http::Response response = response_of(std::move(page));
        (void)co_await exchange.respond(std::move(response));
        co_return;
    }
    WipedBody body(page.body);
    http::Response response = response_of(std::move(page));
    (void)co_await exchange.respond(std::move(response), body);
}

boost::asio::awaitable<Page> Console::answer(http::Exchange& exchange) const {
    const auto person = whoever_asks(exchange);
    if (!person) {
        co_return refuse_stranger(exchange.peer());
    }
    if (const auto refused = refusal_of_origin(exchange, names_us_)) {
        co_return plain_page(refused->status, refused->sentence);
    }
    if (exchange.method() == "GET" && exchange.path() == "/console.css") {
        co_return Page{200, std::string(console_css()), "text/css; charset=utf-8"};
    }
    if (exchange.method() == "GET" && exchange.path() == "/console.js") {
        co_return Page{200, std::string(console_js()), "text/javascript; charset=utf-8"};
    }
    if (exchange.method() == "GET" && exchange.path() == "/favicon.ico") {
        co_return Page{204, {}, {}};  // browsers ask by themselves
    }
    auto steps = steps_of(exchange.path());
    if (!steps) {
        co_return plain_page(404, "There is no such page.");
    }
    Call call{exchange, *person, tokens_.token_for(*person), std::move(*steps), {}};
    co_return co_await answer(call);
}

std::optional<Person> Console::whoever_asks(const http::Exchange& exchange) const {
    const auto console = parts_.control.console();
    return console ? person_of(exchange.peer(), *console, parts_.clock.wall()) : std::nullopt;
}

/// Says so not more often than once a minute, whoever knocks.
Page Console::refuse_stranger(const http::Peer& peer) const {
    const model::Instant now = parts_.clock.wall();
    if (now.seconds - warned_at_ >= 60 || now.seconds < warned_at_) {
        warned_at_ = now.seconds;
        spdlog::warn("console: a certificate that admin.console.people does not list was refused sha256={}",
                     peer.certificate ? peer.certificate->certificate_sha256 : "none");
    }
    Page page = plain_page(403, "This certificate is not among the people that admin.console.people lists.");
    page.close = true;  // its place is for those who are listed
    return page;
}

const Console::Route* Console::find_route(const Call& call, bool& path_known) {
    for (const Route& route : routes) {
        const bool fits = std::ranges::equal(route.steps, call.steps, [](std::string_view pattern, const auto& step) {
            return pattern == "*" || pattern == step;
        });
        if (fits && route.method == call.exchange.method()) {
            return &route;
        }
        path_known = path_known || fits;
    }
    return nullptr;
}

boost::asio::awaitable<Page> Console::answer(Call& call) const {
    bool path_known = false;
    const Route* const route = find_route(call, path_known);
    if (route == nullptr) {
        co_return message_page(call.view(), path_known ? 405 : 404, path_known ? "Not so" : "No such page",
                               path_known ? "This address is not asked in this way." : "There is nothing here.",
                               Link("/"), "To the overview");
    }
    if (!may(call.person, route->need)) {
        co_return not_allowed(call, route->need);
    }
    if (route->method == "POST") {
        if (auto refused = co_await read_form(call)) {
            co_return std::move(*refused);
        }
        // The form took its time, and a reload may have come in it.
        const auto still = whoever_asks(call.exchange);
        if (!still) {
            co_return refuse_stranger(call.exchange.peer());
        }
        call.person = *still;
        if (!may(call.person, route->need)) {
            co_return not_allowed(call, route->need);
        }
    }
    co_return co_await (this->*route->answer)(call);
}

bool Console::may(const Person& person, Need need) {
    return need == Need::nothing || (need == Need::review ? person.review : person.operate);
}

Page Console::not_allowed(const Call& call, Need need) {
    spdlog::warn("console: somebody lacks the role for what was asked sha256={}", call.person.certificate_sha256);
    return message_page(call.view(), 403, "Not allowed",
                        need == Need::review ? "This needs the role `review` (admin.console.people)."
                                             : "This needs the role `operate` (admin.console.people).",
                        Link("/"), "To the overview");
}

boost::asio::awaitable<std::optional<Page>> Console::read_form(Call& call) const {
    const auto type = call.exchange.header("Content-Type");
    if (type != "application/x-www-form-urlencoded") {
        co_return plain_page(415, "A form of this page is needed.");
    }
    std::string body;
    const auto read = co_await call.exchange.read_body(body, Form::max_body);
    if (!read) {
        co_return plain_page(read.error() == http::BodyFailure::too_large ? 413U : 408U, "The form cannot be read.");
    }
    auto form = Form::parse(body);
    if (!form) {
        co_return plain_page(400, "The form cannot be read.");
    }
    call.form = std::move(*form);
    if (!tokens_.is_for(call.person, call.form.only("token"))) {
        co_return message_page(call.view(), 403, "Not done",
                               "The form is not one that this daemon has given you since its start. Load the page "
                               "anew and send it again.",
                               Link("/"), "To the overview");
    }
    co_return std::nullopt;
}

boost::asio::awaitable<Page> Console::overview(Call& call) const {
    auto read = [this, &call, status = parts_.control.status(), readiness = readiness_()] {
        const store::Statistics statistics = parts_.items.statistics();
        const auto destinations = destinations_of(parts_.items, status, statistics);
        const auto alarms = alarms_of(parts_, status, parts_.sealing.status());
        return overview_page(call.view(), {readiness, status, statistics, destinations, alarms, parts_.clock.wall()});
    };
    co_return co_await base::run_on(worker_, std::move(read));
}

boost::asio::awaitable<Page> Console::items(Call& call) const {
    ItemsWanted wanted;
    if (const std::string_view fault = read_wanted(call.exchange.query(), wanted); !fault.empty()) {
        co_return message_page(call.view(), 400, "Items", fault, Link("/items"), "To the items that are held");
    }
    auto read = [this, &call, &wanted] {
        const auto list = list_items(parts_.items, wanted);
        return list ? items_page(call.view(), wanted, *list)
                    : message_page(call.view(), 500, "Items", list.error().message, Link("/"), "To the overview");
    };
    co_return co_await base::run_on(worker_, std::move(read));
}

boost::asio::awaitable<Page> Console::item(Call& call) const {
    const auto id = model::Uuid::parse(call.steps[1]);
    const auto pairs = parse_query(call.exchange.query());
    std::optional<AuditPlace> from;
    for (const auto& [name, value] : pairs ? *pairs : Query{}) {
        from = name == "after" ? parse_audit_place(value) : std::nullopt;
        if (!from) {
            break;
        }
    }
    if (!pairs || (!from && !pairs->empty())) {
        co_return message_page(call.view(), 400, "Item",
                               "The address has something in it that this page does not know.", Link("/items"),
                               "To the items");
    }
    auto read = [this, &call, &id, &from] {
        const auto found = id ? parts_.items.find(*id) : std::optional<store::ItemView>();
        if (!found) {
            return message_page(call.view(), 500, "Item", found.error().message, Link("/items"), "To the items");
        }
        if (!*found) {
            return message_page(call.view(), 404, "Item", "There is no such item.", Link("/items"), "To the items");
        }
        return item_page(call.view(), **found, history_of(**found, from));
    };
    co_return co_await base::run_on(worker_, std::move(read));
}

History Console::history_of(const store::ItemView& item, const std::optional<AuditPlace>& from) const {
    History history;
    history.goes_on = from.has_value();
    AuditPlace begin;
    if (from) {
        begin = *from;
    } else if (const auto range = parts_.audit.range(item.received_at, std::nullopt)) {
        begin = {range->from, range->to.number};
    } else {
        history.problem = range.error().message;
        return history;
    }
    ItemEntries entries(item.object_id, history);
    const auto read = parts_.audit.read(begin.place, begin.to, history_scan, entries);
    if (!read) {
        history.problem = read.error().message;
    } else if (!read->ended) {
        history.next = text_of({read->place, begin.to});
    }
    return history;
}

boost::asio::awaitable<Page> Console::content(Call& call) const {
    const auto id = model::Uuid::parse(call.steps[1]);
    const std::string_view form = call.form.only("form");
    if (!id || (form != "fields" && form != "document")) {
        co_return message_page(call.view(), 400, "Content", "There is no such item, or no such form.", Link("/items"),
                               "To the items");
    }
    auto viewer = [&call] { return Viewer{{}, call.person.who()}; };
    Look look = co_await content_.look(
        *id, form == "document" ? ContentResource::Form::document : ContentResource::Form::fields, std::move(viewer));
    if (look.status != 200) {
        co_return message_page(call.view(), look.status, "Content", look.sentence, Link("/items").step(id->to_string()),
                               "Back to the item");
    }
    // A long text takes its time, which is not that of whoever sends events meanwhile.
    auto write = [&call, &look] {
        Page page = content_page(call.view(), look);
        wipe(look.content);
        explicit_bzero(look.document.data(), look.document.size());
        return page;
    };
    co_return co_await base::run_on(worker_, std::move(write));
}

boost::asio::awaitable<Page> Console::object(Call& call) const {
    const auto id = model::Uuid::parse(call.steps[1]);
    const auto object = model::Uuid::parse(call.steps[3]);
    if (!id || !object) {
        co_return message_page(call.view(), 404, "Binary object", "There is no such object.", Link("/items"),
                               "To the items");
    }
    auto viewer = [&call] { return Viewer{{}, call.person.who()}; };
    ObjectLook look = co_await content_.look_at_object(*id, *object, as_much_as_is_shown, std::move(viewer));
    if (look.status != 200) {
        co_return message_page(call.view(), look.status, "Binary object", look.sentence,
                               Link("/items").step(id->to_string()), "Back to the item");
    }
    auto write = [&] { return object_page(call.view(), *id, *object, std::move(look)); };
    co_return co_await base::run_on(worker_, std::move(write));
}

boost::asio::awaitable<Page> Console::decide(Call& call) const {
    const Link back = back_to(call.form);
    const auto refuse_with = [&](unsigned status, std::string_view sentence) {
        return message_page(call.view(), status, "Not done", sentence, back, "Back to the items");
    };
    const std::string_view action = call.form.only("action");
    const bool approve = action == "approve";
    const bool retry = action == "retry";
    if (!approve && !retry && action != "reject") {
        co_return refuse_with(400, "There is no such decision.");
    }
    // What a page is about is what its reader decides about: it may have become something else since.
    std::optional<store::ItemState> shown;
    if (!approve && !retry) {
        shown = parse_state(call.form.only("state"));
        if (!shown) {
            co_return refuse_with(400, "To reject needs the state in which the items were shown.");
        }
    } else if (!call.form.only("reason").empty()) {
        co_return refuse_with(400, "A reason is for rejecting, and nothing was rejected.");
    }
    const bool review = approve || shown == store::ItemState::held;
    if ((review && !call.person.review) || (retry && !call.person.operate)) {
        co_return not_allowed(call, review ? Need::review : Need::operate);
    }
    Order order;
    for (const std::string_view text : call.form.all("id")) {
        const auto id = model::Uuid::parse(text);
        if (!id || order.ids.size() == Order::max_ids) {
            co_return refuse_with(400, "The selection cannot be read.");
        }
        if (std::ranges::find(order.ids, *id) == order.ids.end()) {
            order.ids.push_back(*id);
        }
    }
    if (order.ids.empty()) {
        co_return refuse_with(400, "Nothing was selected.");
    }
    if (action == "reject") {
        order.reason = call.form.only("reason");
        if (!is_good(order.reason, Order::max_reason)) {
            co_return refuse_with(400, "To reject needs a reason, of at most 1000 bytes on one line.");
        }
    }
    const auto kind = approve ? ItemDecisions::Kind::approve
                      : retry ? ItemDecisions::Kind::retry
                              : ItemDecisions::Kind::reject;
    auto reviewer = [&call] { return call.person.reviewer(); };
    const Decision decision =
        co_await decisions_.decide(std::move(order), kind, std::move(reviewer), shown, ItemDecisions::Rest::is_decided);
    co_return decision_page(call.view(), kind, decision, back);
}

boost::asio::awaitable<Page> Console::warrants(Call& call) const {
    std::string destination;
    std::string liid;
    const auto pairs = parse_query(call.exchange.query());
    for (const auto& [name, value] : pairs ? *pairs : Query{}) {
        const auto slash = value.find('/');
        if (name == "after" && slash != std::string::npos) {
            destination = value.substr(0, slash);
            liid = value.substr(slash + 1);
        }
    }
    auto write = [&, lists = WarrantLists{parts_.control.warrants(), parts_.control.revocations(),
                                          parts_.control.pending_warrants()}] {
        constexpr std::size_t limit = 100;
        const auto [rows, more] = page_of(lists, limit, std::tie(destination, liid));
        return warrants_page(call.view(), lists, rows, more, parts_.clock.wall());
    };
    co_return co_await base::run_on(worker_, std::move(write));
}

boost::asio::awaitable<Page> Console::ask_to_revoke(Call& call) const {
    std::string destination;
    std::string liid;
    const auto pairs = parse_query(call.exchange.query());
    for (const auto& [name, value] : pairs ? *pairs : Query{}) {
        (name == "liid" ? liid : destination) = value;
    }
    if (!is_good(destination, Order::max_destination) || !is_good(liid, Order::max_liid)) {
        co_return message_page(call.view(), 404, "Revoke a warrant", "There is no such warrant.", Link("/warrants"),
                               "To the warrants");
    }
    auto write = [&, in_force = parts_.control.warrants()] {
        const auto named = [&](const warrants::InForce& one) {
            return one.warrant->destination == destination && one.warrant->liid == liid;
        };
        const auto found = in_force ? std::ranges::find_if(*in_force, named) : WarrantList::const_iterator();
        const bool there = in_force && found != in_force->end();
        return revoke_page(call.view(), {destination, liid}, there ? &*found : nullptr, parts_.clock.wall());
    };
    co_return co_await base::run_on(worker_, std::move(write));
}

boost::asio::awaitable<Page> Console::revoke(Call& call) const {
    const std::string_view destination = call.form.only("destination");
    const std::string_view liid = call.form.only("liid");
    const std::string_view reason = call.form.only("reason");
    const std::string_view queued = call.form.only("queued");
    if (queued != "deliver" && queued != "hold") {
        co_return message_page(call.view(), 400, "Not done", "To revoke, say what becomes of what is queued.",
                               Link("/warrants"), "To the warrants");
    }
    if (!is_good(destination, Order::max_destination) || !is_good(liid, Order::max_liid) ||
        !is_good(reason, Order::max_reason)) {
        co_return message_page(call.view(), 400, "Not done", "To revoke needs a warrant and a reason on one line.",
                               Link("/warrants"), "To the warrants");
    }
    RevokeRequest request{std::string(destination), std::string(liid), std::string(reason), call.person.who(),
                          queued == "hold"};
    const Ordered ordered = co_await orders_.revoke(std::move(request));
    co_return message_page(call.view(), ordered.status, ordered.status == 200 ? "Done" : "Not done",
                           ordered.status == 200 ? "The warrant is revoked." : ordered.sentence, Link("/warrants"),
                           "To the warrants");
}

boost::asio::awaitable<Page> Console::deliver(Call& call) const {
    const bool pause = call.steps[1] == "pause";
    std::string destination(call.form.only("destination"));
    const Ordered ordered = co_await orders_.deliver(
        std::move(destination), pause ? DaemonOrders::Delivery::pause : DaemonOrders::Delivery::resume,
        call.person.who());
    co_return message_page(call.view(), ordered.status, ordered.status == 200 ? "Done" : "Not done",
                           ordered.status != 200 ? ordered.sentence
                           : pause               ? "The destination is paused."
                                                 : "Delivery to the destination goes on.",
                           Link("/"), "To the overview");
}

}  // namespace lihandover::admin
