#include "destination_health.hpp"

#include <algorithm>

#include "back_off.hpp"
#include "lihandover/base/invariant.hpp"

namespace lihandover::delivery {

namespace {

/// So many probes out of turn are `initial` apart, so many more twice that, and so on up to sixteen times: a LIID that
/// comes after a hundred that the LEA dislikes does not wait for `maximum`.
constexpr unsigned early_steps = 8;
constexpr unsigned most_early_doublings = 5;
/// A destination that accepted something a moment ago is tried again soon: the first probe at once, then after so many
/// parts of `initial`.
constexpr int soon = 8;

}  // namespace

void DestinationHealth::set_policy(const Policy& policy) {
    const bool at_full = allowed_ >= policy_.connections;
    policy_ = policy;
    policy_.connections = std::max(policy.connections, 1U);
    allowed_ = at_full ? policy_.connections : std::min(allowed_, policy_.connections);
}

std::optional<metrics::Pause> DestinationHealth::pause_reason() const {
    if (held_) {
        return metrics::Pause::by_operator;
    }
    const bool keeps_waiting = mode_ == Mode::waiting && waits_ >= failures_to_close;
    return mode_ == Mode::paused || keeps_waiting ? std::optional(symptom_) : std::nullopt;
}

bool DestinationHealth::may_start(Time now, unsigned in_flight) const {
    if (held_) {
        return false;
    }
    return mode_ == Mode::open ? in_flight < allowed_ + older_ : probes_ == 0 && now >= resume_at_;
}

bool DestinationHealth::may_probe_early(Time now, unsigned in_flight) const {
    return !held_ && (mode_ == Mode::backing_off || mode_ == Mode::paused) && now >= early_at_ &&
           in_flight < std::min(policy_.connections, probes_at_once);
}

Ticket DestinationHealth::start(Time now) {
    Ticket ticket;
    ticket.number = next_number_++;
    ticket.acceptances = acceptances_;
    ticket.probe = mode_ != Mode::open;
    ticket.early = ticket.probe && (probes_ > 0 || now < resume_at_);
    probes_ += ticket.probe ? 1 : 0;
    ++attempts_;
    return ticket;
}

void DestinationHealth::ended(const Ticket& ticket, Time now) {
    LIHANDOVER_INVARIANT(attempts_ > 0, "attempts end once");
    --attempts_;
    older_ -= older_ > 0 && ticket.number < counted_from_ ? 1 : 0;
    if (!ticket.probe) {
        return;
    }
    LIHANDOVER_INVARIANT(probes_ > 0, "probes end once");
    --probes_;
    if (mode_ != Mode::open) {
        early_ += ticket.early ? 1 : 0;
        early_at_ = now + back_off(std::min(early_ / early_steps + 1, most_early_doublings), policy_.initial,
                                   policy_.maximum, 0);
    }
}

void DestinationHealth::move(Mode mode) {
    if (mode_ != mode) {
        mode_ = mode;
        ++version_;
    }
}

bool DestinationHealth::recently_accepted(Time now) const {
    return last_accepted_ && now - *last_accepted_ < policy_.initial;
}

bool DestinationHealth::counts(const Ticket& ticket) const {
    return is_quiet(ticket) && ticket.number >= counted_from_;
}

void DestinationHealth::count(metrics::Pause symptom) {
    counted_from_ = next_number_;
    older_ = attempts_;
    ++failures_;
    symptom_ = symptom;
}

void DestinationHealth::close(bool alarm, Time now, double dice) {
    if (mode_ == Mode::open) {
        early_ = 0;
        early_at_ = now + policy_.initial;
        hope_ = hope_ == Hope::open ? Hope::lost : hope_;
    }
    ++closings_;
    const bool recently = recently_accepted(now);
    move(alarm || (failures_ >= failures_to_close && !recently) ? Mode::paused : Mode::backing_off);
    resume_at_ = now + (recently ? policy_.initial * (closings_ - 1) / soon
                                 : back_off(closings_, policy_.initial, policy_.maximum, dice));
    ++version_;
}

void DestinationHealth::open_up() {
    move(Mode::open);
    ++closing_;
    ++version_;
    allowed_ = std::min(2U, policy_.connections);
}

bool DestinationHealth::accepted(const Ticket& ticket, Time now) {
    ++acceptances_;
    failures_ = 0;
    closings_ = 0;
    waits_ = 0;
    hope_ = Hope::none;
    last_accepted_ = now;
    told_.reset();
    switch (mode_) {
        case Mode::open:
            allowed_ = std::min(std::max(allowed_ * 2, 2U), policy_.connections);
            return false;
        case Mode::waiting:
            if (!ticket.probe) {  // it was on its way when the LEA asked to wait
                return false;
            }
            break;
        case Mode::backing_off:
        case Mode::paused:
            break;
    }
    open_up();
    return true;
}

void DestinationHealth::answered(const Ticket& ticket) {
    if (mode_ == Mode::open && is_quiet(ticket)) {
        allowed_ = std::min(std::max(allowed_ * 2, 2U), policy_.connections);
    }
}

bool DestinationHealth::asked_for_content(const Ticket& ticket) {
    if (mode_ == Mode::open) {
        answered(ticket);
        return false;
    }
    if (!ticket.probe || !counts(ticket) || hope_ == Hope::lost) {
        return false;
    }
    switch (symptom_) {
        case metrics::Pause::no_answer:
        case metrics::Pause::tls:
        case metrics::Pause::unavailable:
        case metrics::Pause::unreachable:
            hope_ = Hope::open;
            open_up();
            return true;
        default:
            return false;  // what it disliked it may still dislike
    }
}

bool DestinationHealth::reached(const Ticket& ticket, Time now, double dice) {
    const bool opened = asked_for_content(ticket);
    if (mode_ != Mode::open && ticket.probe && counts(ticket)) {
        close(false, now, dice);
    }
    return opened;
}

void DestinationHealth::failed(const Ticket& ticket, metrics::Pause symptom, Time now, double dice) {
    if (!counts(ticket) || (mode_ == Mode::waiting && !ticket.probe)) {
        return;
    }
    count(symptom);
    if (mode_ != Mode::open || hope_ == Hope::open || failures_ >= failures_to_close) {
        close(false, now, dice);
    } else {
        allowed_ = 1;  // another LIID's item tells more than many at once
    }
}

void DestinationHealth::unreachable(const Ticket& ticket, metrics::Pause symptom, bool at_once, Time now, double dice) {
    if (!counts(ticket) || (mode_ == Mode::waiting && !ticket.probe)) {
        return;
    }
    count(symptom);
    close(at_once, now, dice);
}

void DestinationHealth::told_to_wait(const Ticket& ticket, store::LaneId lane, Time until, metrics::Pause symptom) {
    if (!is_quiet(ticket)) {
        return;  // others were accepted meanwhile: it is about this LIID
    }
    const bool again = told_ && told_->lane != lane && ticket.number >= told_->next_attempt;
    if (again || (ticket.probe && mode_ != Mode::open)) {
        // An alarm that there is stays.
        waits_ = mode_ == Mode::paused ? std::max(waits_ + 1, failures_to_close) : waits_ + 1;
        symptom_ = symptom;
        move(Mode::waiting);
        resume_at_ = until;
        ++version_;
        counted_from_ = next_number_;
        older_ = attempts_;
        return;
    }
    if (!told_) {
        told_ = Told{lane, next_number_};
        counted_from_ = next_number_;
        older_ = attempts_;
        allowed_ = 1;
    }
}

bool DestinationHealth::probe_now(Time now) {
    if (mode_ == Mode::open || mode_ == Mode::waiting || held_) {
        return false;
    }
    resume_at_ = std::min(resume_at_, now);
    ++version_;
    return true;
}

void DestinationHealth::pause() {
    held_ = true;
    ++version_;
}

void DestinationHealth::resume(Time now) {
    held_ = false;
    told_.reset();
    if (mode_ != Mode::open) {
        move(Mode::backing_off);
        resume_at_ = now;
    }
    ++version_;
}

}  // namespace lihandover::delivery
