#include "suspects.hpp"

#include <algorithm>

#include "back_off.hpp"

namespace lihandover::delivery {

namespace {

/// The longest interval between two attempts of a suspect that is not convicted yet, in multiples of retry.initial: its
/// LIID waits for it.
constexpr int longest_rest = 4;

}  // namespace

unsigned Suspects::needed(Time now) {
    while (!acquittals_.empty() && now - acquittals_.front() > acquittals_count_for) {
        acquittals_.pop_front();
    }
    return std::min(failures_to_convict << std::min<std::size_t>(acquittals_.size(), 3), failures_at_most);
}

Suspects::Finding Suspects::failed(const Failure& failure, Milliseconds initial, Milliseconds maximum, Time now,
                                   double dice) {
    auto& one = all_[failure.key];
    one.id = failure.id;
    one.lane = failure.lane;
    Finding finding;
    finding.expected = one.compared;
    if (one.counted == 0 || one.compared) {
        ++one.counted;
        one.proven = one.proven || failure.on_proven_connection || !failure.connections_last;
    }
    if (!one.compared) {
        stop_waiting(failure.key, one);
    }
    one.compared = false;
    one.since = failure.next_attempt;
    uncompared_.emplace(one.since, failure.key);
    finding.tries = ++one.tries;
    ++one.running;

    const auto enough = needed(now) * (failure.transient ? 2 : 1);
    finding.convicted = one.counted >= (one.proven ? enough : enough * unproven_factor);
    // The first half of its failures may follow each other as fast as others are accepted: if something else is broken,
    // that costs little time. The second half takes longer, and others may turn out to be innocent meanwhile.
    const auto quick = std::max(enough / 2, 1U);
    const auto rest = back_off(failure.transient ? one.tries : one.running, initial, maximum, dice);
    auto pause = Milliseconds(0);
    if (failure.transient) {
        pause = rest;
    } else if (one.counted > quick) {
        pause = std::min({back_off(one.counted - quick, initial, maximum, dice), initial * longest_rest, maximum});
    }
    one.not_before = now + std::max(pause, failure.patience);
    one.due = now + std::max({pause, rest, failure.patience});
    return finding;
}

void Suspects::mark_compared(Suspicion& suspicion) {
    suspicion.compared = true;
    suspicion.running = 0;
    if (!suspicion.suspect) {
        suspicion.suspect = true;
        ++suspects_;
        ++version_;
    }
}

void Suspects::stop_waiting(Key key, const Suspicion& suspicion) {
    const auto [begin, end] = uncompared_.equal_range(suspicion.since);
    const auto found = std::find_if(begin, end, [key](const auto& entry) { return entry.second == key; });
    if (found != end) {
        uncompared_.erase(found);
    }
}

bool Suspects::acquit(Key key, Time now) {
    const auto found = all_.find(key);
    if (found == all_.end()) {
        return false;
    }
    const bool suspect = found->second.suspect;
    if (suspect) {
        acquittals_.push_back(now);
        if (acquittals_.size() > 3) {  // more make no difference
            acquittals_.pop_front();
        }
    }
    forget(key);
    return suspect;
}

void Suspects::forget(Key key) {
    const auto found = all_.find(key);
    if (found == all_.end()) {
        return;
    }
    if (!found->second.compared) {
        stop_waiting(key, found->second);
    }
    if (found->second.suspect) {
        --suspects_;
        ++version_;
    }
    all_.erase(found);
}

const Suspicion* Suspects::find(Key key) const {
    const auto found = all_.find(key);
    return found == all_.end() ? nullptr : &found->second;
}

std::vector<model::Uuid> Suspects::ids(std::size_t most) const {
    std::vector<model::Uuid> ids;
    for (const auto& [key, one] : all_) {
        if (ids.size() >= most) {
            break;
        }
        if (one.suspect) {
            ids.push_back(one.id);
        }
    }
    return ids;
}

}  // namespace lihandover::delivery
