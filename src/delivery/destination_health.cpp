#include "destination_health.hpp"

#include <algorithm>

#include "answer_classifier.hpp"

namespace lihandover::delivery {

void DestinationHealth::set_policy(const Policy& policy) {
    const bool at_full = allowed_ >= policy_.connections;
    policy_ = policy;
    policy_.connections = std::max(policy.connections, 1U);
    allowed_ = at_full ? policy_.connections : std::min(allowed_, policy_.connections);
}

metrics::Pause DestinationHealth::reason() const {
    switch (cause_) {
        case Cause::tls:
            return metrics::Pause::tls;
        case Cause::credentials:
            return metrics::Pause::credentials;
        case Cause::redirect:
            return metrics::Pause::redirect;
        case Cause::senseless:
            return metrics::Pause::senseless_answer;
        case Cause::refusals:
        case Cause::rejections:
            break;
    }
    return metrics::Pause::refusals;
}

bool DestinationHealth::may_start(Time now, unsigned in_flight) const {
    // A probe need not wait for what was on its way when the state closed.
    return mode_ == Mode::open ? in_flight < allowed_ : !probing_ && now >= resume_at_;
}

Ticket DestinationHealth::start() {
    const Ticket ticket{next_number_++, mode_ != Mode::open};
    probing_ = probing_ || ticket.probe;
    return ticket;
}

void DestinationHealth::ended(const Ticket& ticket) {
    if (ticket.probe) {
        probing_ = false;
    }
}

void DestinationHealth::move(Mode mode) {
    mode_ = mode;
    epoch_ = next_number_;
    ++version_;
}

void DestinationHealth::set_resume(Time at) {
    resume_at_ = at;
    ++version_;
}

void DestinationHealth::open_up() {
    if (mode_ == Mode::paused) {
        ++pause_number_;
    }
    move(Mode::open);
    closings_ = 0;
    rejections_ = 0;
    refusals_ = 0;
    allowed_ = std::min(2U, policy_.connections);
}

void DestinationHealth::forget_failures() {
    failing_count_ = 0;
    senseless_ = 0;
}

void DestinationHealth::back_off_for(Milliseconds least, Time now, double dice) {
    if (mode_ != Mode::backing_off) {
        move(Mode::backing_off);
    }
    ++closings_;
    forget_failures();
    set_resume(now + std::max(least, back_off(closings_, policy_.initial, policy_.maximum, dice)));
}

void DestinationHealth::close_paused(Cause cause, Time now) {
    if (mode_ != Mode::paused) {
        move(Mode::paused);
        const bool about_items = cause == Cause::refusals || cause == Cause::rejections || cause == Cause::senseless;
        eager_ = about_items ? eager_probes : 0;
    }
    cause_ = cause;
    forget_failures();
    probe_later(now);
}

bool DestinationHealth::accepted(const Ticket& ticket) {
    forget_failures();
    refusals_ = 0;
    rejections_ = 0;
    if (mode_ == Mode::open) {
        if (is_current(ticket)) {
            closings_ = 0;
            allowed_ = std::min(allowed_ * 2, policy_.connections);
        }
        return false;
    }
    if (!ticket.probe || !is_current(ticket)) {
        return false;
    }
    open_up();
    return true;
}

bool DestinationHealth::answered(const Ticket& ticket, Time now) {
    forget_failures();
    rejections_ = 0;
    if (mode_ == Mode::open) {
        if (is_current(ticket)) {
            closings_ = 0;
            allowed_ = std::min(allowed_ * 2, policy_.connections);
        }
        return false;
    }
    if (!ticket.probe || !is_current(ticket)) {
        return false;
    }
    if (mode_ == Mode::paused && cause_ == Cause::refusals) {
        probe_later(now);
        return false;
    }
    open_up();
    return true;
}

bool DestinationHealth::reached(const Ticket& ticket, Time now) {
    if (!is_current(ticket)) {
        return false;
    }
    if (mode_ == Mode::open) {
        allowed_ = std::min(allowed_ * 2, policy_.connections);
        return false;
    }
    if (!ticket.probe) {
        return false;
    }
    if (mode_ == Mode::paused && cause_ != Cause::tls) {
        probe_later(now);  // what it disliked it may dislike still
        return false;
    }
    open_up();
    return true;
}

bool DestinationHealth::refused(const Ticket& ticket, std::uint64_t code, bool beside_accepted, Time now) {
    if (mode_ == Mode::paused && cause_ == Cause::refusals) {
        return false;
    }
    if (beside_accepted) {
        return true;
    }
    if (refusals_ == 0 || code != refusal_code_) {
        refusals_ = 0;
        refusal_code_ = code;
    }
    if (++refusals_ >= refusals_to_pause) {
        refusals_ = 0;
        // Late or not: ten refusals are ten refusals. But another pause keeps its own reason.
        if (mode_ != Mode::paused || is_current(ticket)) {
            close_paused(Cause::refusals, now);
        }
    }
    return true;
}

bool DestinationHealth::rejected(const Ticket& ticket, bool known, Time now) {
    forget_failures();
    if (mode_ == Mode::backing_off && ticket.probe && is_current(ticket)) {
        open_up();  // it is up, whatever it dislikes about this message
    } else if (mode_ != Mode::open) {
        if (ticket.probe && is_current(ticket)) {
            probe_later(now);
        }
        return false;
    } else if (!is_current(ticket)) {
        return true;
    }
    if (!known && ++rejections_ >= rejections_to_pause) {
        rejections_ = 0;
        close_paused(Cause::rejections, now);
        return false;
    }
    return true;
}

bool DestinationHealth::failed(const Ticket& ticket, store::LaneId lane, Time now, double dice) {
    if (!is_current(ticket)) {
        return mode_ != Mode::open;
    }
    if (mode_ == Mode::paused) {
        probe_later(now);
        return true;
    }
    if (mode_ == Mode::backing_off) {
        back_off_for({}, now, dice);
        return true;
    }
    const auto known = failing_.begin() + failing_count_;
    if (std::find(failing_.begin(), known, lane) == known) {
        failing_[failing_count_++] = lane;
    }
    if (failing_count_ < lanes_to_back_off) {
        return false;
    }
    back_off_for({}, now, dice);
    return true;
}

void DestinationHealth::senseless(const Ticket& ticket, store::LaneId lane, Time now, double dice) {
    if (!is_current(ticket)) {
        return;
    }
    if (++senseless_ >= senseless_to_pause || mode_ == Mode::paused) {
        close_paused(mode_ == Mode::paused && senseless_ < senseless_to_pause ? cause_ : Cause::senseless, now);
        return;
    }
    const auto count = senseless_;
    failed(ticket, lane, now, dice);
    senseless_ = count;
}

void DestinationHealth::unreachable(const Ticket& ticket, Time now, double dice) {
    if (!is_current(ticket)) {
        return;
    }
    if (mode_ == Mode::paused) {
        probe_later(now);
    } else {
        back_off_for({}, now, dice);
    }
}

void DestinationHealth::held(const Ticket& ticket, std::chrono::seconds patience, Time now, double dice) {
    if (mode_ == Mode::paused) {
        if (is_current(ticket)) {
            set_resume(now + std::max<Milliseconds>(policy_.maximum, patience));
        }
    } else if (is_current(ticket)) {
        back_off_for(patience, now, dice);
    } else if (mode_ == Mode::backing_off && now + patience > resume_at_) {
        set_resume(now + patience);
    }
}

void DestinationHealth::pause(const Ticket& ticket, Cause cause, Time now) {
    if (is_current(ticket)) {
        close_paused(cause, now);
    }
}

bool DestinationHealth::probe_now(Time now) {
    if (mode_ == Mode::open) {
        return false;
    }
    set_resume(now);
    return true;
}

bool DestinationHealth::probe_early(Time now) {
    if (mode_ != Mode::paused || eager_ == 0 || probing_ || resume_at_ <= now) {
        return false;
    }
    --eager_;
    set_resume(now);
    return true;
}

}  // namespace lihandover::delivery
