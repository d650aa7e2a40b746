#include "connection_limit.hpp"

#include <algorithm>

#include "back_off.hpp"

namespace lihandover::delivery {

namespace {

/// Times that a request is believed to be one too many.
constexpr unsigned times_to_make_room = 3;
/// How long 503 and 429 are not taken for a limit, once they were answered to a single request.
constexpr std::chrono::minutes busy_means_something_else{10};
constexpr std::size_t most_crowded_out = 16'384;

}  // namespace

void ConnectionLimit::configure(unsigned most, Milliseconds initial, Milliseconds maximum) {
    limit_ = limit_ >= most_ ? most : std::min(limit_, most);
    most_ = most;
    initial_ = initial;
    maximum_ = maximum;
}

void ConnectionLimit::newcomer_failed(unsigned working, Time now, double dice) {
    limit_ = std::clamp(working, 1U, std::max(limit_, 1U));
    next_try_ = now + back_off(++failures_, initial_, maximum_, dice);
}

void ConnectionLimit::newcomer_worked(unsigned open) {
    if (open >= limit_) {
        limit_ = std::min(std::max(limit_ * 2, open), most_);
    }
    if (limit_ == most_) {  // before, the next one may fail again: the distances go on growing
        failures_ = 0;
    }
}

void ConnectionLimit::reset() {
    limit_ = most_;
    failures_ = 0;
}

bool ConnectionLimit::was_too_many(const Failed& failed, Time now, double dice) {
    if (failed.says_busy && failed.busy == 0 && is_lowered()) {
        reset();  // one request was too many: it means something else by it
        busy_is_no_limit_until_ = now + busy_means_something_else;
    }
    const bool crowded = failed.says_busy && failed.busy > 0 && now >= busy_is_no_limit_until_;
    const bool closed = failed.closed_at_once && failed.others > 0;
    if (failed.expected || !(crowded || closed)) {
        return false;
    }
    // It may still be what was sent that the LEA does not like.
    if (crowded_out_.size() >= most_crowded_out) {
        crowded_out_.clear();
    }
    if (++crowded_out_[failed.key] > times_to_make_room) {
        crowded_out_.erase(failed.key);
        return false;
    }
    newcomer_failed(failed.others, now, dice);
    return true;
}

}  // namespace lihandover::delivery
