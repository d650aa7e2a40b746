#include "item_decisions.hpp"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "lihandover/base/background.hpp"

namespace lihandover::admin {

namespace {

using Kind = ItemDecisions::Kind;

bool allows(Kind kind, store::ItemState state) {
    switch (kind) {
        case Kind::retry:
            return state == store::ItemState::refused || state == store::ItemState::set_aside;
        case Kind::approve:
            return state == store::ItemState::held;
        case Kind::reject:
            return state != store::ItemState::delivered && state != store::ItemState::rejected;
    }
    return false;
}

/// How long to look for the items of one decision, or for what became of them.
constexpr std::chrono::milliseconds patience{2000};

/// As what an item that was seen so may be rejected: delivery may have tried it since, but what people have decided
/// since counts.
store::ItemStates still(store::ItemState seen) {
    switch (seen) {
        case store::ItemState::queued:
            return {seen, store::ItemState::refused, store::ItemState::set_aside};
        case store::ItemState::set_aside:
            return {seen, store::ItemState::refused};
        case store::ItemState::held:
        case store::ItemState::refused:
        case store::ItemState::delivered:
        case store::ItemState::rejected:
            break;
    }
    return {seen};
}

std::string_view rule_of(Kind kind) {
    switch (kind) {
        case Kind::retry:
            return "only refused items, and those set aside, can be retried";
        case Kind::approve:
            return "only held items can be approved";
        case Kind::reject:
            return "only waiting items can be rejected";
    }
    return "";
}

/// What is wrong with an order of that kind, whatever the items are; empty if nothing is.
std::string_view fault_of(const Order& order, Kind kind) {
    const bool in_bulk = !order.destination.empty() || order.code.has_value();
    if (order.confirm_ended) {
        return "confirm_ended is for reload only";
    }
    if (!order.form.empty()) {
        return "form is for content only";
    }
    if (kind != Kind::retry && in_bulk) {
        return "destination and code are for retry only";
    }
    if (in_bulk && (!order.ids.empty() || order.destination.empty())) {
        return "either ids, or a destination with or without a code";
    }
    if (!in_bulk && order.ids.empty()) {
        return "ids: a list of ObjectIdentifiers is needed";
    }
    if (kind == Kind::reject && order.reason.empty()) {
        return "reason: is needed to reject an item";
    }
    if (kind != Kind::reject && !order.reason.empty()) {
        return "reason: is for reject only";
    }
    return {};
}

/// "item" or "items".
std::string items_text(std::size_t count) {
    return std::to_string(count) + (count == 1 ? " item" : " items");
}

///   before  items that were decided about before the store failed
Decision cannot_commit(std::size_t before) {
    return {
        .status = 503,
        .sentence = "not committed, and counts only if it is on disk all the same: look again once the store works" +
                    (before == 0 ? std::string() : "; " + items_text(before) + " were decided about before")};
}

/// What is wrong with how a decision about so many items ended; empty if nothing is.
std::string complaint_about(const store::Decided& decided, std::size_t items, Kind kind) {
    if (decided.unreadable != 0) {
        return "the content of " + items_text(decided.unreadable) +
               " cannot be read now, and stays held: see the log, and restore state_dir/keys if it is damaged";
    }
    if (decided.done + decided.first + decided.repeated < items) {
        return "only " + std::to_string(decided.done + decided.first) + " of " + items_text(items) +
               " could be changed; the others are no longer as they were seen, or have gone: look again";
    }
    if (decided.repeated != 0) {
        return items_text(decided.repeated) + (kind == Kind::approve ? ": approved" : ": rejected") +
               " already, by you or through the other door (control socket, reviewers' page), where nobody can tell "
               "that it was not you: another user has to decide, too";
    }
    return {};
}

Decision decision_of(const store::Decided& decided, std::size_t items, Kind kind) {
    Decision decision;
    decision.decided = decided;
    decision.counted = true;
    decision.sentence = complaint_about(decided, items, kind);
    decision.status = decision.sentence.empty() ? 200 : 409;
    return decision;
}

/// Adds what was left as it is to how the rest of an order ended.
Decision with_left(Decision decision, std::vector<Decision::Wrong> left, std::string_view why) {
    if (left.empty() || !decision.counted) {
        return decision;
    }
    std::string sentence = std::string(why) + "; " + items_text(left.size()) +
                           (left.size() == 1 ? " was left as it is" : " were left as they are");
    if (!decision.sentence.empty()) {
        sentence += ", and " + decision.sentence;
    }
    decision.sentence = std::move(sentence);
    decision.status = 409;
    decision.wrong = std::move(left);
    return decision;
}

/// Whether an entry says what a person decided about an item.
bool is_decision(audit::Kind kind) {
    switch (kind) {
        case audit::Kind::item_approved:
        case audit::Kind::item_disapproved:
        case audit::Kind::item_rejected:
        case audit::Kind::item_retried:
        case audit::Kind::item_withheld:
        case audit::Kind::object_rejected:
        case audit::Kind::object_retried:
            return true;
        default:
            return false;
    }
}

/// Hears the audit record, and keeps who decided last about each of some items.
class Deciders final : public store::AuditLog::Visitor {
  public:
    explicit Deciders(std::vector<Decision::Wrong>& wrong) {
        for (Decision::Wrong& one : wrong) {
            if (const auto id = model::Uuid::parse(one.id); id && one.who.empty()) {
                wanted_.emplace(*id, &one);
            }
        }
    }

    [[nodiscard]] bool entry(const audit::Recorded& recorded) override {
        const audit::Entry& entry = recorded.entry;
        if (entry.object_id && !entry.who.empty() && is_decision(entry.kind)) {
            if (const auto found = wanted_.find(*entry.object_id); found != wanted_.end()) {
                found->second->who = entry.who;
            }
        }
        return true;
    }
    void checkpoint(const audit::Checkpoint& /*checkpoint*/) override {}

    [[nodiscard]] bool empty() const { return wanted_.empty(); }
    /// What was heard may be an earlier decision than the last.
    void forget() {
        for (const auto& [id, one] : wanted_) {
            one->who.clear();
        }
    }

  private:
    std::unordered_map<model::Uuid, Decision::Wrong*> wanted_;
};

/// As the control API says it.
Answer answer_of(const Decision& decision, bool reviewed) {
    Answer result;
    result.status = decision.status;
    JsonWriter json(result.body);
    json.open_object();
    if (!decision.sentence.empty()) {
        json.text("error", decision.sentence);
    }
    if (!decision.wrong.empty()) {
        json.key("items").open_array();
        for (const Decision::Wrong& one : decision.wrong) {
            json.open_object().text("id", one.id).text("state", one.state).close_object();
        }
        json.close_array();
    }
    if (decision.counted) {
        json.number("changed", decision.decided.done);
    }
    if (decision.counted && reviewed) {
        json.number("first", decision.decided.first).number("repeated", decision.decided.repeated);
    }
    json.close_object();
    result.body += '\n';
    return result;
}

}  // namespace

void ItemDecisions::judge(const model::Uuid& id, const std::optional<store::ItemView>& found, bool whole, Kind kind,
                          std::optional<store::ItemState> shown, Checked& checked) {
    Decision& decision = checked.decision;
    if (found && allows(kind, found->state) && found->state == shown.value_or(found->state)) {
        checked.open.push_back({id, shown ? store::ItemStates{*shown} : still(found->state), found->row});
        return;
    }
    if (found) {
        decision.wrong.push_back({id.to_string(), store::name_of(found->state), found->who});
    } else if (!whole && kind == Kind::reject && shown.value_or(store::ItemState::queued) == store::ItemState::queued) {
        // The store looks for it, which takes its time.
        checked.open.push_back({id, shown ? store::ItemStates{*shown} : still(store::ItemState::queued)});
        return;
    } else {
        decision.wrong.push_back({id.to_string(), whole ? "unknown" : "elsewhere"});
    }
    if (!found && whole) {
        decision.status = 404;
    } else if (decision.status == 200) {
        decision.status = 409;
    }
}

ItemDecisions::Checked ItemDecisions::check(const Order& order, Kind kind,
                                            const std::function<store::Reviewer()>& reviewer,
                                            std::optional<store::ItemState> shown, Rest rest) const {
    Checked checked;
    checked.reviewer = reviewer();
    Decision& decision = checked.decision;
    model::Instant since = parts_.clock.wall();
    const auto all = parts_.items.find_all(order.ids, patience);
    if (!all) {
        decision = {.status = 500, .sentence = all.error().message};
        return checked;
    }
    for (std::size_t n = 0; n < order.ids.size(); ++n) {
        const auto& found = all->items[n];
        const std::size_t before = decision.wrong.size();
        judge(order.ids[n], found, all->whole, kind, shown, checked);
        if (found && decision.wrong.size() != before) {
            since = std::min(since, found->received_at);
        }
    }
    if (decision.wrong.empty()) {
        return checked;
    }
    checked.why_left = shown ? "what was decided about is no longer " + std::string(store::name_of(*shown))
                             : std::string(rule_of(kind));
    if (rest == Rest::is_decided) {
        tell_who(decision.wrong, since);
    }
    if (rest == Rest::is_decided && !checked.open.empty()) {
        checked.left = std::move(decision.wrong);
        decision = {};
    } else {
        decision.sentence = checked.why_left + "; nothing was changed";
    }
    return checked;
}

/// From the audit record, where one look comes to its end: else nobody, rather than somebody who decided before
/// another.
void ItemDecisions::tell_who(std::vector<Decision::Wrong>& wrong, model::Instant since) const {
    constexpr std::size_t most = 100'000;
    Deciders deciders(wrong);
    if (deciders.empty()) {
        return;
    }
    const auto range = parts_.audit.range(since, std::nullopt);
    if (!range) {
        return;
    }
    const auto read = parts_.audit.read(range->from, range->to.number, most, deciders);
    if (!read || !read->ended) {
        deciders.forget();
    }
}

boost::asio::awaitable<Answer> ItemDecisions::decide(http::Exchange& exchange, Kind kind) const {
    auto read = co_await read_order(exchange);
    if (!read.order) {
        co_return refuse(read.bad.status, read.bad.sentence);
    }
    const bool reviewed = kind != Kind::retry;
    auto reviewer = [&peer = exchange.peer(), name = read.order->operator_name] {
        return reviewer_of_peer(peer, name);
    };
    const Decision decision = co_await decide(std::move(*read.order), kind, std::move(reviewer));
    co_return answer_of(decision, reviewed);
}

boost::asio::awaitable<Decision> ItemDecisions::decide(Order order, Kind kind,
                                                       std::function<store::Reviewer()> reviewer,
                                                       std::optional<store::ItemState> shown, Rest rest) const {
    if (const std::string_view fault = fault_of(order, kind); !fault.empty()) {
        co_return Decision{.status = 400, .sentence = std::string(fault)};
    }
    auto look = [this, &order, kind, &reviewer, shown, rest] { return check(order, kind, reviewer, shown, rest); };
    auto checked = co_await base::run_on(worker_, std::move(look));
    if (checked.decision.status != 200) {
        co_return std::move(checked.decision);
    }
    order.ids.clear();
    for (const store::Meant& one : checked.open) {
        order.ids.push_back(one.id);
    }
    auto left = std::move(checked.left);
    const std::string why_left = std::move(checked.why_left);
    Decision decision = co_await carry_out(std::move(order), kind, std::move(checked));
    co_return with_left(std::move(decision), std::move(left), why_left);
}

boost::asio::awaitable<Decision> ItemDecisions::carry_out(Order order, Kind kind, Checked checked) const {
    if (kind != Kind::retry) {
        co_return co_await review(std::move(order), kind, std::move(checked));
    }
    if (order.ids.empty()) {
        co_return co_await retry_all(std::move(order), std::move(checked.reviewer.who));
    }
    co_return co_await retry(std::move(order), std::move(checked.reviewer.who));
}

boost::asio::awaitable<Decision> ItemDecisions::retry(Order order, std::string who) const {
    auto start = [this, &order, &who](store::DoneCount done) {
        parts_.items.retry(order.ids, std::move(who), std::move(done));
    };
    const auto [outcome, count] = co_await base::await_callback<store::Outcome, std::size_t>(std::move(start));
    if (outcome != store::Outcome::committed) {
        co_return cannot_commit(0);
    }
    co_return decision_of({.done = count}, order.ids.size(), Kind::retry);
}

boost::asio::awaitable<Decision> ItemDecisions::review(Order order, Kind kind, Checked checked) const {
    auto start = [this, &order, &checked, kind](store::DoneDecided done) {
        if (kind == Kind::approve) {
            parts_.items.approve(order.ids, checked.reviewer, std::move(done));
        } else {
            parts_.items.reject(checked.open, checked.reviewer, order.reason, std::move(done));
        }
    };
    const auto [outcome, decided] = co_await base::await_callback<store::Outcome, store::Decided>(std::move(start));
    for (const auto& [destination, items] : decided.rejected) {
        parts_.metrics.destination(destination).items(metrics::ItemOutcome::rejected).add(items);
    }
    if (outcome != store::Outcome::committed) {
        co_return cannot_commit(decided.done + decided.first);
    }
    co_return decision_of(decided, order.ids.size(), kind);
}

boost::asio::awaitable<Decision> ItemDecisions::retry_all(Order order, std::string who) const {
    const auto status = parts_.control.status();
    const bool configured =
        std::ranges::any_of(status.destinations, [&](const auto& known) { return known.name == order.destination; });
    if (!configured) {
        co_return Decision{.status = 404, .sentence = "destination: no such destination"};
    }
    auto start = [this, &order, &who](store::DoneCount done) {
        parts_.items.retry_all(order.destination, order.code, who, std::move(done));
    };
    const auto [outcome, count] = co_await base::await_callback<store::Outcome, std::size_t>(std::move(start));
    if (outcome != store::Outcome::committed) {
        co_return cannot_commit(0);
    }
    co_return Decision{.counted = true, .decided = {.done = count}};
}

}  // namespace lihandover::admin
