#include "destination_queue.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "lihandover/base/invariant.hpp"

namespace lihandover::delivery {

namespace {

/// Failures of a lane's front item, with nothing to compare them with, until an item behind it is tried in its place:
/// after four of them, then after eight, sixteen and so on, since the order is worth more. Of several lanes that all
/// fail, the failures of all.
constexpr unsigned tries_to_pass = 4;
/// Items behind the front one that are looked at then.
constexpr std::size_t items_to_pass = 64;
/// Full messages accepted after which larger ones are tried again.
constexpr unsigned messages_to_grow = 256;

}  // namespace

DestinationQueue::DestinationQueue() : health_(DestinationHealth::Policy{}) {}

void DestinationQueue::set_policy(const Policy& policy) {
    policy_ = policy;
    policy_.max_actions = std::max(policy.max_actions, 1U);
    health_.set_policy({policy.initial, policy.maximum, policy.connections});
    connections_.configure(policy.connections, policy.initial, policy.maximum);
}

// -- What waits -------------------------------------------------------------------------------------------------------

Lane& DestinationQueue::lane(store::LaneId id) {
    return lanes_.try_emplace(id, id).first->second;
}

Lane* DestinationQueue::find_lane(store::LaneId id) {
    const auto found = lanes_.find(id);
    return found == lanes_.end() ? nullptr : &found->second;
}

void DestinationQueue::add(Lane& lane, store::RowId row, bool emergency, bool attempted) {
    set_aside_.erase(row);  // an operator wants it in its turn
    scheduler_.add(lane, Waiting(row, emergency, attempted));
}

void DestinationQueue::add_set_aside(const store::QueuedItem& item, const model::Uuid& id, Time due) {
    set_aside_.add(item, id, due);
}

bool DestinationQueue::withdraw(Lane& lane, store::RowId row) {
    const bool aside = set_aside_.erase(row);
    if (!scheduler_.remove(lane, row) && !aside) {
        return false;
    }
    suspects_.forget(row);
    connections_.forget(row);
    forget_idle(lane);
    return true;
}

void DestinationQueue::withdraw_lane(store::LaneId id, const std::function<void(store::RowId)>& visit) {
    std::vector<store::RowId> rows = set_aside_.rows_of(id);
    auto* lane = find_lane(id);
    for (std::size_t n = 0; lane != nullptr && n < lane->rows().size(); ++n) {
        rows.push_back(lane->rows()[n].row());
    }
    for (const store::RowId row : rows) {
        visit(row);
        set_aside_.erase(row);
        if (lane != nullptr) {
            scheduler_.remove(*lane, row);
        }
        suspects_.forget(row);
        connections_.forget(row);
    }
    if (lane != nullptr) {
        forget_idle(*lane);
    }
}

std::vector<store::LaneId> DestinationQueue::waiting_lanes(const store::LostLanes& wanted) const {
    std::vector<store::LaneId> found = set_aside_.lanes();
    for (const auto& [id, lane] : lanes_) {
        if (lane.state() != Lane::State::idle) {
            found.push_back(id);
        }
    }
    std::erase_if(found, [&](store::LaneId id) { return !wanted(id); });
    std::ranges::sort(found);
    found.erase(std::ranges::unique(found).begin(), found.end());
    return found;
}

void DestinationQueue::look_again(Lane& lane, store::RowId row, Time now) {
    set_aside_.wake(row, now);
    if (!lane.empty() && lane.rows().front().row() == row) {
        scheduler_.unpark(lane);
    }
}

void DestinationQueue::forget_idle(Lane& lane) {
    if (lane.state() == Lane::State::idle && lanes_.size() > max_idle_lanes) {
        lanes_.erase(lane.id());
    }
}

// -- Who is next ------------------------------------------------------------------------------------------------------

void DestinationQueue::wake(Time now) {
    scheduler_.wake(now);
}

std::optional<DestinationQueue::Time> DestinationQueue::next_event(Time now) const {
    std::optional<Time> next;
    const auto consider = [&](Time at) {
        if (at > now && (!next || at < *next)) {
            next = at;
        }
    };
    if (health_.held()) {
        return next;
    }
    if (!health_.is_open() && (scheduler_.waiting() > 0 || set_aside_.size() > 0)) {
        consider(health_.resume_at());
        consider(health_.early_at());
    }
    if (const auto due = scheduler_.next_due()) {
        consider(*due);
    }
    if (const auto due = set_aside_.next_due()) {
        consider(*due);
        consider(aside_pace_.next());
    }
    if (connections_.is_lowered()) {
        consider(connections_.next_try());
    }
    return next;
}

std::size_t DestinationQueue::choices(Time now) {
    if (health_.held()) {
        return 0;
    }
    if (!health_.is_open()) {
        const auto lanes = scheduler_.ready() + scheduler_.on_trial() + scheduler_.resting();
        return lanes > 0 || next_set_aside(now) != nullptr ? 1 : 0;
    }
    const std::size_t trials = trials_allowed() > trials_ ? trials_allowed() - trials_ : 0;
    return scheduler_.ready() + std::min(scheduler_.on_trial(), trials) + (next_set_aside(now) != nullptr ? 1 : 0);
}

const SetAsideItems::Item* DestinationQueue::next_set_aside(Time now) const {
    if (!aside_pace_.may_begin(now, scheduler_.ready() > 0)) {
        return nullptr;
    }
    return set_aside_.due(now, [this](const SetAsideItems::Item& item) {
        const auto its_lane = lanes_.find(item.lane);
        return its_lane == lanes_.end() || LaneScheduler::may_take(its_lane->second);
    });
}

bool DestinationQueue::may_begin(Time now, unsigned in_flight) {
    return health_.may_start(now, in_flight) ||
           (health_.may_probe_early(now, in_flight) && scheduler_.has_unblamed(health_.closing()));
}

Ticket DestinationQueue::begin(Time now) {
    return health_.start(now);
}

void DestinationQueue::end(const Ticket& ticket, Time now) {
    if (ticket.trial) {
        LIHANDOVER_INVARIANT(trials_ > 0, "trials end once");
        --trials_;
    }
    if (ticket.set_aside) {
        aside_pace_.end(now);
    }
    health_.ended(ticket, now);
}

bool DestinationQueue::is_wanted(const Ticket& ticket) const {
    return !health_.held() && (health_.is_open() || ticket.probe);
}

DestinationQueue::Pick DestinationQueue::pick(Ticket& ticket, bool proven, Time now) {
    if (ticket.probe && !health_.is_open()) {
        const auto closing = health_.closing();
        auto pick =
            pick_of(ticket.early ? scheduler_.take_unblamed(closing) : scheduler_.take_for_probe(closing), true);
        return pick.lane != nullptr || ticket.early ? pick : pick_set_aside(ticket, now);
    }
    if (auto pick = pick_set_aside(ticket, now); pick.lane != nullptr) {
        return pick;
    }
    // Suspects and others in turn, and the suspects on connections that have just worked, where there are such.
    const bool trial = trials_ < trials_allowed() && (scheduler_.ready() == 0 || (proven && trial_turn_));
    trial_turn_ = !trial_turn_;
    if (auto* lane = trial ? scheduler_.take_trial() : nullptr) {
        trials_ += ticket.trial ? 0 : 1;
        ticket.trial = true;
        return {lane, lane->rows().front().row(), true, false};
    }
    return pick_of(health_.is_doubtful() ? scheduler_.take_other() : scheduler_.take(), false);
}

DestinationQueue::Pick DestinationQueue::pick_set_aside(Ticket& ticket, Time now) {
    const auto* aside = next_set_aside(now);
    if (aside == nullptr) {
        return {};
    }
    auto& its_lane = lane(aside->lane);
    LIHANDOVER_INVARIANT(scheduler_.take(its_lane), "a lane that may be taken is taken");
    ticket.set_aside = true;
    aside_pace_.begin(now);
    return {&its_lane, aside->row, true, true};
}

DestinationQueue::Pick DestinationQueue::pick_of(Lane* lane, bool closed) {
    if (lane == nullptr) {
        return {};
    }
    const auto& rows = lane->rows();
    const auto* front = suspects_.find(rows.front().row());
    Pick pick{lane, rows.front().row(), closed || lane->goes_alone() || front != nullptr, false};
    if (front == nullptr || front->compared || scheduler_.ready() > 0 || std::exchange(in_order_, false)) {
        return pick;
    }
    // Nothing else is there to compare it with: what is behind it is.
    const bool several = closed && scheduler_.resting() + scheduler_.on_trial() > 0;
    const auto failures = several ? ++fruitless_ : front->running;
    const auto least = front->suspect ? 1U : tries_to_pass;
    const std::pair passed(pick.row, failures);
    if (failures < least || !std::has_single_bit(failures) || passed == std::exchange(passed_, passed)) {
        return pick;
    }
    for (std::size_t i = 1; i < std::min(rows.size(), items_to_pass); ++i) {
        if (suspects_.find(rows[i].row()) == nullptr) {
            pick.row = rows[i].row();
            break;
        }
    }
    return pick;
}

DestinationQueue::Pick DestinationQueue::pick_more() {
    const auto* next = scheduler_.peek();
    if (next == nullptr || next->goes_alone() || suspects_.find(next->rows().front().row()) != nullptr) {
        return {};
    }
    return pick_of(scheduler_.take(), false);
}

Waiting DestinationQueue::take(const Pick& pick, store::RowId row) {
    if (pick.set_aside) {
        const auto* aside = set_aside_.find(row);
        return {row, aside != nullptr && aside->emergency, true};
    }
    return scheduler_.pop(*pick.lane, row);
}

void DestinationQueue::discard(const Pick& pick) {
    suspects_.forget(pick.row);
    if (pick.set_aside) {
        set_aside_.erase(pick.row);
    } else {
        scheduler_.pop(*pick.lane, pick.row);
    }
}

void DestinationQueue::park(const Pick& pick, Time now) {
    const auto& rows = pick.lane->rows();
    if (!rows.empty() && rows.front().row() < pick.row) {
        // The item was picked in place of the front one, which waits only for time: nothing else would resume the lane.
        release(*pick.lane, now);
    } else {
        scheduler_.park(*pick.lane);
    }
}

void DestinationQueue::put_off_set_aside(const Pick& pick, Time now, double dice) {
    set_aside_.later(pick.row, policy_.initial, policy_.maximum, now, dice);
    release(*pick.lane, now);
}

void DestinationQueue::put_off(const Pick& pick, Time due, Time now) {
    if (pick.set_aside) {
        release(*pick.lane, now);  // it was not tried: its turn is not over
    } else {
        release(*pick.lane, now, due);
    }
}

void DestinationQueue::release(Lane& lane, Time now) {
    release(lane, now, std::nullopt);
}

void DestinationQueue::release(Lane& lane, Time now, std::optional<Time> not_before) {
    const auto* front = lane.empty() ? nullptr : suspects_.find(lane.rows().front().row());
    if (front != nullptr) {
        scheduler_.rest(lane, std::max({front->next_try(), now, not_before.value_or(now)}), front->compared);
    } else if (not_before && !lane.empty()) {
        scheduler_.rest(lane, *not_before);
    } else {
        scheduler_.finish(lane);
        forget_idle(lane);
    }
}

// -- What came of it --------------------------------------------------------------------------------------------------

bool DestinationQueue::settle(std::span<SentItem> items, AnswerClass& answer, const Result& result,
                              ItemOutcomes& outcomes) {
    if (answer.reach == Reach::answered) {
        connections_.forget(items.front().row);
        return settle_actions(items, answer, result, outcomes);
    }
    if (is_too_many(items, answer, result)) {
        put_back(items, result.now);
        return false;
    }
    settle_evidence(items, answer, result, outcomes);
    return false;
}

bool DestinationQueue::says_busy(const AnswerClass& answer) {
    return answer.reach == Reach::reached && answer.refusal.kind == store::Refusal::Kind::http_status &&
           (answer.refusal.code == 429 || answer.refusal.code == 503) && !answer.retry_after;
}

bool DestinationQueue::is_too_many(std::span<const SentItem> items, const AnswerClass& answer, const Result& result) {
    const auto& ticket = result.ticket;
    const auto row = items.front().row;
    ConnectionLimit::Failed failed;
    failed.key = row;
    failed.says_busy = says_busy(answer);
    failed.closed_at_once = result.fresh && !result.proven && answer.attempt == metrics::Attempt::disconnected;
    failed.others = result.others;
    failed.busy = result.busy;
    failed.expected =
        !health_.is_open() || ticket.probe || ticket.trial || ticket.set_aside || suspects_.find(row) != nullptr;
    return connections_.was_too_many(failed, result.now, result.dice);
}

DestinationQueue::Milliseconds DestinationQueue::patience(const AnswerClass& answer) const {
    if (!answer.retry_after) {
        return Milliseconds(0);
    }
    // Not at once, however that is meant: all of it would go over and over.
    return std::min(std::max<Milliseconds>(*answer.retry_after, policy_.initial), policy_.maximum);
}

void DestinationQueue::settle_accepted(const Result& result) {
    health_.accepted(result.ticket, result.now);
    refusals_ = 0;
    fruitless_ = 0;
    suspects_.accepted(result.ticket.number, [&](Suspects::Key row, const Suspicion& suspicion) {
        auto* lane = find_lane(suspicion.lane);
        if (lane != nullptr && !lane->empty() && lane->rows().front().row() == row) {
            scheduler_.hurry(*lane, std::max(suspicion.not_before, result.now), true);
        }
    });
}

bool DestinationQueue::believe_refusal(bool beside_accepted) {
    if (beside_accepted) {
        return true;
    }
    if (refusals_ >= refusals_to_doubt) {
        return false;
    }
    ++refusals_;
    return true;
}

void DestinationQueue::accept(SentItem& item, bool already_there, Time now, ItemOutcomes& outcomes) {
    suspects_.acquit(item.row, now);
    set_aside_.erase(item.row);
    // Its lane was lost and taken over while it was on its way, so that it waits there once more.
    static_cast<void>(scheduler_.remove(*item.lane, item.row));
    item.lane->item_left();
    outcomes.accepted(item, already_there);
}

void DestinationQueue::refuse(SentItem& item, store::Refusal refusal, ItemOutcomes& outcomes) {
    suspects_.forget(item.row);
    set_aside_.erase(item.row);
    item.lane->item_left();
    if (!item.withdrawn) {
        outcomes.refused(item, std::move(refusal));
    }
}

bool DestinationQueue::settle_actions(std::span<SentItem> items, AnswerClass& answer, const Result& result,
                                      ItemOutcomes& outcomes) {
    LIHANDOVER_INVARIANT(answer.actions.size() == items.size(), "each action has its answer");
    const auto accepts = [&](std::size_t i) {
        return answer.actions[i].outcome == ActionOutcome::accepted ||
               (answer.actions[i].outcome == ActionOutcome::already_there && items[i].attempted);
    };
    bool any_accepted = false;
    bool any_refused = false;
    for (std::size_t i = 0; i < items.size(); ++i) {
        any_accepted = any_accepted || accepts(i);
        any_refused = any_refused || answer.actions[i].outcome == ActionOutcome::refused ||
                      answer.actions[i].outcome == ActionOutcome::already_there;
    }
    // First of all, so that what the message says of the others is compared with this.
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (accepts(i)) {
            accept(items[i], answer.actions[i].outcome == ActionOutcome::already_there, result.now, outcomes);
        }
    }
    if (any_accepted) {
        settle_accepted(result);
        if (items.size() >= most_actions_ && ++full_messages_ >= messages_to_grow) {
            full_messages_ = 0;
            most_actions_ *= 2;
        }
    } else if (any_refused) {
        health_.answered(result.ticket);
    } else if (items.size() > 1) {
        health_.failed(result.ticket, answer.symptom, result.now, result.dice);
    }
    for (std::size_t first = 0; first < items.size();) {
        auto& lane = *items[first].lane;
        std::size_t end = first;
        std::uint32_t again = 0;
        for (; end < items.size() && items[end].lane == &lane; ++end) {
            auto& item = items[end];
            auto& action = answer.actions[end];
            if (accepts(end)) {
                continue;
            }
            store::Refusal refusal{action.error.code, store::Refusal::Kind::hi1_error, action.error.description};
            const bool final = action.outcome == ActionOutcome::refused ||
                               action.outcome == ActionOutcome::already_there ||
                               (action.outcome == ActionOutcome::too_large && items.size() == 1);
            if (final && believe_refusal(any_accepted)) {
                refuse(item, std::move(refusal), outcomes);
            } else if (items.size() == 1) {
                answer.refusal = std::move(refusal);
                answer.judges_content =
                    action.outcome != ActionOutcome::transient && action.outcome != ActionOutcome::unanswered;
                settle_lone(item, answer, action.outcome == ActionOutcome::transient, result, outcomes);
                return false;
            } else {  // by itself it will show what is wrong with it
                return_item(item);
                ++again;
            }
        }
        lane.send_alone(again);
        release(lane, result.now);
        first = end;
    }
    return any_accepted;
}

void DestinationQueue::settle_evidence(std::span<SentItem> items, AnswerClass& answer, const Result& result,
                                       ItemOutcomes& outcomes) {
    if (items.size() == 1) {
        const bool transient = answer.refusal.kind == store::Refusal::Kind::hi1_error && !answer.judges_content;
        settle_lone(items.front(), answer, transient, result, outcomes);
        return;
    }
    if (answer.too_large) {
        most_actions_ = std::max<std::size_t>(items.size() / 2, 1);
        full_messages_ = 0;
        put_back(items, result.now);
        return;
    }
    std::optional<Time> not_before;
    if (answer.retry_after) {
        not_before = result.now + patience(answer);
        health_.told_to_wait(result.ticket, items.front().lane->id(), *not_before, answer.symptom);
    }
    health_.failed(result.ticket, answer.symptom, result.now, result.dice);
    for (auto& item : items) {
        item.lane->blame(health_.closing());
    }
    for (std::size_t first = 0; first < items.size();) {
        std::size_t end = first;
        while (end < items.size() && items[end].lane == items[first].lane) {
            ++end;
        }
        items[first].lane->send_alone(static_cast<std::uint32_t>(end - first));
        first = end;
    }
    put_back(items, result.now, not_before);
}

void DestinationQueue::settle_lone(SentItem& item, AnswerClass& answer, bool transient, const Result& result,
                                   ItemOutcomes& outcomes) {
    auto& lane = *item.lane;
    if (item.withdrawn) {
        suspects_.forget(item.row);
        release(lane, result.now);
        return;
    }
    if (item.set_aside) {  // as was to be expected
        set_aside_.later(item.row, policy_.initial, policy_.maximum, result.now, result.dice);
        if (result.ticket.probe) {  // there was nothing better to try the destination with
            health_.failed(result.ticket, answer.symptom, result.now, result.dice);
        }
        release(lane, result.now);
        return;
    }
    const auto finding = suspects_.failed({item.row, item.id, lane.id(), health_.next_number(), result.proven,
                                           result.connections_last, transient, patience(answer)},
                                          policy_.initial, policy_.maximum, result.now, result.dice);
    lane.blame(health_.closing());
    if (!finding.expected) {
        if (answer.retry_after) {
            health_.told_to_wait(result.ticket, lane.id(), result.now + patience(answer), answer.symptom);
        }
        health_.failed(result.ticket, answer.symptom, result.now, result.dice);
    }
    if (finding.convicted) {
        suspects_.forget(item.row);
        lane.item_left();
        if (answer.judges_content) {
            outcomes.refused(item, std::move(answer.refusal));
        } else {
            set_aside_.add({item.row, lane.id(), item.emergency}, item.id, result.now);
            set_aside_.later(item.row, policy_.initial, policy_.maximum, result.now, result.dice);
            outcomes.set_aside(item, std::move(answer.refusal));
        }
    } else {
        return_item(item);
        if (finding.expected) {
            outcomes.suspected(item, finding.tries);
        }
    }
    release(lane, result.now);
}

void DestinationQueue::not_connected(const AnswerClass& answer, unsigned others, const Result& result) {
    if (others > 0) {
        connections_.newcomer_failed(others, result.now, result.dice);
        return;
    }
    connections_.reset();
    health_.unreachable(result.ticket, answer.symptom, answer.reach == Reach::certificate, result.now, result.dice);
}

void DestinationQueue::return_item(SentItem& item) {
    if (item.set_aside) {
        return;  // it is not in the lane
    }
    if (item.withdrawn) {
        suspects_.forget(item.row);
    } else {
        scheduler_.add(*item.lane, Waiting(item.row, item.emergency, item.attempted || item.sent));
    }
}

void DestinationQueue::put_back(std::span<SentItem> items, Time now) {
    put_back(items, now, std::nullopt);
}

void DestinationQueue::put_back(std::span<SentItem> items, Time now, std::optional<Time> not_before) {
    for (std::size_t first = 0; first < items.size();) {
        auto& lane = *items[first].lane;
        std::size_t end = first;
        for (; end < items.size() && items[end].lane == &lane; ++end) {
            return_item(items[end]);
        }
        if (lane.state() == Lane::State::busy) {  // unless an exception ended the settling half way
            release(lane, now, not_before);
        }
        first = end;
    }
}

void DestinationQueue::put_back_each_alone(std::span<SentItem> items, Time now) {
    for (std::size_t first = 0; first < items.size();) {
        std::size_t end = first;
        while (end < items.size() && items[end].lane == items[first].lane) {
            ++end;
        }
        items[first].lane->send_alone(static_cast<std::uint32_t>(end - first));
        first = end;
    }
    put_back(items, now);
}

void DestinationQueue::item_left(Lane& lane, store::RowId row) {
    suspects_.forget(row);
    set_aside_.erase(row);
    lane.item_left();
}

// -- Operators and reloads --------------------------------------------------------------------------------------------

void DestinationQueue::probe_now(Time now) {
    in_order_ = true;
    health_.probe_now(now);
    scheduler_.wake_all();
}

void DestinationQueue::other_end(Time now) {
    in_order_ = true;
    health_.probe_now(now);
    connections_.reset();
}

void DestinationQueue::resume(Time now) {
    in_order_ = true;
    health_.resume(now);
    connections_.reset();
    scheduler_.wake_all();
    set_aside_.wake_all(now);
}

}  // namespace lihandover::delivery
