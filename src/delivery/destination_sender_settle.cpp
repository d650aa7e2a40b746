#include <algorithm>
#include <limits>
#include <utility>

#include "destination_sender.hpp"
#include "dispatcher.hpp"

// What an sender does about what came of a message.

namespace lihandover::delivery {

namespace {

constexpr std::uint8_t doubts_to_suspect = 3;
constexpr std::size_t suspects_at_most = 64;

}  // namespace

void DestinationSender::settle(Worker& worker, const Ticket& ticket) {
    const auto now = dispatcher_.clock().steady();
    const auto& answer_class = worker.answer_class;
    const auto lane = worker.batch.front().lane->id;
    switch (answer_class.outcome) {
        case Outcome::answered:
            settle_actions(worker, ticket);
            return;
        case Outcome::rejected:
            settle_rejected(worker, ticket);
            return;
        case Outcome::unavailable:
            if (answer_class.retry_after) {
                health_.held(ticket, *answer_class.retry_after, now, jitter_dice());
                return_all(worker, Then::ready);
                return;
            }
            [[fallthrough]];
        case Outcome::interrupted:
            health_.failed(ticket, lane, now, jitter_dice());
            return_all(worker, Then::rest);
            return;
        case Outcome::unreachable:
            health_.unreachable(ticket, now, jitter_dice());
            return_all(worker, Then::ready);
            return;
        case Outcome::senseless:
            for (const auto& item : worker.batch) {
                item.lane->blamed = health_.pause_number();
            }
            health_.senseless(ticket, lane, now, jitter_dice());
            return_all(worker, Then::rest);
            return;
        case Outcome::credentials:
            health_.pause(ticket, DestinationHealth::Cause::credentials, now);
            break;
        case Outcome::redirected:
            health_.pause(ticket, DestinationHealth::Cause::redirect, now);
            break;
        case Outcome::tls:
            health_.pause(ticket, DestinationHealth::Cause::tls, now);
            break;
    }
    return_all(worker, Then::ready);
}

void DestinationSender::settle_actions(Worker& worker, const Ticket& ticket) {
    const auto now = dispatcher_.clock().steady();
    auto& verdicts = worker.answer_class.actions;
    bool any_accepted = false;
    bool any_refused = false;
    for (const auto& verdict : verdicts) {
        any_accepted = any_accepted || verdict.verdict == Verdict::accepted;
        any_refused = any_refused || verdict.verdict == Verdict::refused;
    }
    bool opened = false;
    if (any_accepted) {
        opened = health_.accepted(ticket);
        board_->last_success_micros.store(dispatcher_.clock().wall().micros(), std::memory_order_relaxed);
    } else if (any_refused) {
        opened = health_.answered(ticket, now);
    } else {
        health_.failed(ticket, worker.batch.front().lane->id, now, jitter_dice());
    }
    auto& batch = worker.batch;
    for (std::size_t first = 0; first < batch.size();) {
        auto& lane = *batch[first].lane;
        const auto failures = lane.failures;
        bool again = false;
        std::size_t i = first;
        for (; i < batch.size() && batch[i].lane == &lane; ++i) {
            auto& item = batch[i];
            auto& verdict = verdicts[i];
            if (verdict.verdict == Verdict::accepted) {
                metrics_.items(metrics::ItemOutcome::delivered).add();
                const auto took = dispatcher_.clock().wall().micros() - item.received_at.micros();
                metrics_.delivery_seconds.observe(static_cast<double>(std::max<std::int64_t>(took, 0)) / 1e6);
                lane.blamed = 0;
                left(lane);
                dispatcher_.accept(
                    {item.row, lane.id, item.profile, worker.objects[i], item.carries_schema, item.has_objects});
            } else if (verdict.verdict == Verdict::refused) {
                lane.blamed = health_.pause_number();
                if (health_.refused(ticket, verdict.error.code, any_accepted, now)) {
                    left(lane);
                    if (!item.withdrawn) {
                        dispatcher_.refuse(lane, item.row, item.emergency,
                                           {verdict.error.code, store::Refusal::Kind::hi1_error,
                                            std::move(verdict.error.description)});
                    }
                } else {
                    return_item(item);
                }
            } else {
                again = true;
                return_item(item);
            }
        }
        if (again) {  // what was accepted behind it does not make its own failures fewer
            lane.failures = failures;
        }
        release(lane, again, batch.size() > 1 ? static_cast<std::uint32_t>(i - first) : 0);
        first = i;
    }
    if (any_accepted) {
        refuse_suspects(ticket);
    }
    if (opened) {
        scheduler_.wake_all();
    }
}

void DestinationSender::settle_rejected(Worker& worker, const Ticket& ticket) {
    const auto now = dispatcher_.clock().steady();
    if (worker.batch.size() > 1) {
        each_alone(worker);
        return;
    }
    const auto item = worker.batch.front();
    auto& lane = *item.lane;
    lane.blamed = health_.pause_number();
    const bool comparison =
        std::ranges::any_of(suspects_, [&](const Suspect& one) { return one.since <= ticket.number; });
    if (comparison) {
        health_.pause(ticket, DestinationHealth::Cause::rejections, now);
    }
    const bool blame = !comparison && health_.rejected(ticket, lane.doubts >= doubts_to_suspect, now);
    if (!blame) {
        return_item(item);
        release(lane, false, 0);
        return;
    }
    lane.doubts = static_cast<std::uint8_t>(std::min(lane.doubts + 1, 255));
    const auto due = now + back_off(lane.doubts, target_->destination.options.retry.initial,
                                    target_->destination.options.retry.maximum, jitter_dice());
    if (lane.doubts < doubts_to_suspect || item.withdrawn || suspects_.size() >= suspects_at_most ||
        lane.aside == std::numeric_limits<std::uint8_t>::max()) {
        return_item(item);
        scheduler_.rest(lane, due);
        dispatcher_.lane_settled(lane);
        return;
    }
    suspects_.push_back({&lane, item.row, item.emergency, lane.doubts, std::move(worker.answer_class.refusal),
                         health_.next_number(), due});
    ++lane.aside;
    left(lane);
    release(lane, false, 0);
}

void DestinationSender::each_alone(Worker& worker) {
    for (const auto& item : worker.batch) {
        ++item.lane->alone;
    }
    return_all(worker, Then::ready);
}

void DestinationSender::return_item(const Sending& item) {
    if (!item.withdrawn) {
        scheduler_.add(*item.lane, item.row, item.emergency);
    } else {  // what was seen of it is not its successor's fault
        item.lane->failures = 0;
        item.lane->doubts = 0;
    }
}

void DestinationSender::return_all(Worker& worker, Then then) {
    auto& batch = worker.batch;
    for (std::size_t first = 0; first < batch.size();) {
        auto& lane = *batch[first].lane;
        std::size_t i = first;
        for (; i < batch.size() && batch[i].lane == &lane; ++i) {
            return_item(batch[i]);
        }
        if (lane.state == Lane::State::busy) {  // unless an exception ended the settling half way
            release(lane, then == Then::rest, batch.size() > 1 ? static_cast<std::uint32_t>(i - first) : 0);
        }
        first = i;
    }
}

void DestinationSender::release(Lane& lane, bool failed, std::uint32_t items_of_several) {
    if (failed) {
        lane.failures = static_cast<std::uint16_t>(std::min(lane.failures + 1, 1000));
        if (items_of_several > 0 && lane.failures > 1) {
            // Twice in company: by itself from now on, so that whatever fails takes nobody with it.
            lane.alone = std::max(lane.alone, items_of_several);
        }
        const auto& retry = target_->destination.options.retry;
        scheduler_.rest(
            lane, dispatcher_.clock().steady() + back_off(lane.failures, retry.initial, retry.maximum, jitter_dice()));
    } else {
        scheduler_.finish(lane);
    }
    dispatcher_.lane_settled(lane);
}

void DestinationSender::left(Lane& lane) {
    lane.failures = 0;
    lane.doubts = 0;
    if (lane.alone > 0) {
        --lane.alone;
    }
}

// -- Suspects --------------------------------------------------------------------------------------------------------

void DestinationSender::restore(const Suspect& suspect, std::uint8_t doubts) {
    auto& lane = *suspect.lane;
    --lane.aside;
    scheduler_.add(lane, suspect.row, suspect.emergency);
    if (lane.rows.front().row() == suspect.row) {
        lane.doubts = doubts;
        ++lane.alone;
    }
}

void DestinationSender::restore_all_suspects() {
    for (const auto& suspect : suspects_) {
        restore(suspect, 0);
    }
    suspects_.clear();
}

void DestinationSender::restore_due_suspects(DestinationHealth::Time now) {
    if (suspects_.empty() || active_ > 0 || woken_ > 0 || scheduler_.ready() > 0) {
        return;
    }
    std::erase_if(suspects_, [&](const Suspect& suspect) {
        if (suspect.due > now) {
            return false;
        }
        restore(suspect, suspect.doubts);
        return true;
    });
}

void DestinationSender::refuse_suspects(const Ticket& ticket) {
    std::erase_if(suspects_, [&](Suspect& suspect) {
        if (suspect.since > ticket.number) {
            return false;
        }
        auto& lane = *suspect.lane;
        dispatcher_.refuse(lane, suspect.row, suspect.emergency, std::move(suspect.refusal));
        --lane.aside;
        dispatcher_.lane_settled(lane);
        return true;
    });
}

}  // namespace lihandover::delivery
