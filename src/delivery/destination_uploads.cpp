#include "destination_uploads.hpp"

#include <algorithm>
#include <utility>

#include "back_off.hpp"
#include "lihandover/base/invariant.hpp"

namespace lihandover::delivery {

namespace {

constexpr std::chrono::seconds tell_again(1);
/// A body that was sent for nothing is sent again after so many times as long as it took, doubled each time.
constexpr int waste_distance = 4;
constexpr std::chrono::hours longest_upload_distance(1);
/// Objects that are set aside are tried again at distances from so many times `retry.initial` on.
constexpr int set_aside_distance = 64;
/// Our own copy is read so often, running, before its object is set aside: a disk may fail once.
constexpr std::uint8_t most_unreadable = 3;
/// What cannot be read at present is looked at so soon: the store learns that a place of the disk is damaged only where
/// somebody looks all the time.
constexpr std::chrono::seconds look_again(1);
/// Objects that are put off are no failure; but where all of them are for so long, it is an alarm.
constexpr std::chrono::hours longest_put_off(1);
constexpr std::uint16_t most_counted = 1000;

bool says_busy(const UploadClass& answer) {
    return answer.outcome == UploadOutcome::failed && (answer.status == 429 || answer.status == 503) &&
           !answer.retry_after;
}

std::uint16_t one_more(std::uint16_t count) {
    return std::min<std::uint16_t>(count + 1, most_counted);
}

}  // namespace

unsigned reserved_share(unsigned connections) {
    return connections < 2 ? 0 : std::max(connections / 4, 1U);
}

void DestinationUploads::set_policy(const Policy& policy) {
    policy_ = policy;
    health_.set_policy({policy.initial, policy.maximum, policy.connections});
    connections_.configure(policy.connections, policy.initial, policy.maximum);
}

// -- What waits -------------------------------------------------------------------------------------------------------

void DestinationUploads::add(const store::QueuedObject& object, bool set_aside) {
    const auto& upload = queue_.add(object, set_aside);
    if (upload.set_aside && set_aside) {
        set_aside_.emplace(upload.number, object.id);
        ++set_aside_version_;
    } else if (!upload.set_aside && set_aside_.erase(upload.number) > 0) {  // an operator's retry
        ++set_aside_version_;
    }
}

void DestinationUploads::take_over(const store::QueuedObject& object, bool set_aside) {
    if (auto* known = queue_.find(object.id)) {
        known->withdrawn = false;
    }
    add(object, set_aside);
}

std::vector<model::Uuid> DestinationUploads::of_lanes(const store::LostLanes& lanes) const {
    std::vector<model::Uuid> found;
    queue_.for_each([&](const Upload& upload) {
        if (lanes(upload.object.lane)) {
            found.push_back(upload.object.id);
        }
    });
    return found;
}

void DestinationUploads::forget(Upload& upload) {
    suspects_.forget(upload.number);
    connections_.forget(upload.number);
    if (set_aside_.erase(upload.number) > 0) {
        ++set_aside_version_;
    }
    queue_.erase(upload);
    if (queue_.empty()) {
        put_off_since_.reset();
    }
}

void DestinationUploads::withdraw(Upload& upload) {
    if (upload.state == Upload::State::ready || upload.state == Upload::State::resting) {
        forget(upload);
    } else {
        upload.withdrawn = true;
    }
}

void DestinationUploads::settled(const model::Uuid& object, store::Outcome outcome, Time now) {
    auto* upload = queue_.find(object);
    if (upload == nullptr || upload->state != Upload::State::settling) {
        return;
    }
    LIHANDOVER_INVARIANT(settling_ > 0, "what the store was told it answers once");
    --settling_;
    if (upload->withdrawn || (outcome == store::Outcome::committed && !upload->again)) {
        forget(*upload);
    } else if (upload->again) {
        queue_.again(*upload);  // a retry of the same commit was heard of before its answer
    } else {
        queue_.rest(*upload, now + tell_again);
    }
}

Upload* DestinationUploads::expired(model::Instant now) const {
    return settling_ < max_settling ? queue_.expired(now) : nullptr;
}

void DestinationUploads::expire(Upload& upload, UploadOutcomes& outcomes) {
    outcomes.count(metrics::Upload::expired);
    refuse(upload, {upload.last_status, store::Refusal::Kind::expired, {}}, outcomes);
}

std::vector<model::Uuid> DestinationUploads::set_aside_ids(std::size_t most) const {
    std::vector<model::Uuid> ids;
    for (const auto& [number, id] : set_aside_) {
        if (ids.size() >= most) {
            break;
        }
        ids.push_back(id);
    }
    return ids;
}

// -- Which is next ----------------------------------------------------------------------------------------------------

std::optional<DestinationUploads::Time> DestinationUploads::next_event(Time now) const {
    std::optional<Time> next;
    const auto consider = [&](Time at) {
        if (at > now && (!next || at < *next)) {
            next = at;
        }
    };
    if (!health_.is_open() && queue_.waiting() > 0) {
        consider(health_.resume_at());
        consider(health_.early_at());
    }
    if (const auto due = queue_.next_due()) {
        consider(*due);
    }
    if (queue_.ready_aside() > 0) {
        consider(aside_pace_.next());
    }
    if (connections_.is_lowered() && queue_.waiting() > 0) {
        consider(connections_.next_try());
    }
    return next;
}

bool DestinationUploads::may_begin(Time now) const {
    return running_ < policy_.connections && settling_ < max_settling &&
           (health_.may_start(now, running_) || (queue_.ready() > 0 && health_.may_probe_early(now, running_)));
}

bool DestinationUploads::may_try_set_aside(Time now) const {
    return aside_pace_.may_begin(now, queue_.ready() > 0);
}

Upload* DestinationUploads::next(Time now, Ticket& ticket) {
    const auto most = policy_.connections - reserved_share(policy_.connections);
    const bool large = running_large_ < (front_buffers_ ? 1 : most);
    Upload* upload = nullptr;
    if (health_.is_open()) {
        upload = may_try_set_aside(now) ? queue_.take_aside(large) : nullptr;
        upload = upload != nullptr ? upload : queue_.take({large, running_again_ < most, health_.is_doubtful()});
    } else {
        upload = queue_.take_for_probe(large);
        upload = upload != nullptr ? upload : queue_.take_resting();
        if (upload == nullptr && !aside_pace_.is_running()) {  // one that is disliked anyway tells least
            upload = queue_.take_aside(large);
        }
    }
    if (upload == nullptr) {
        return nullptr;
    }
    ticket = health_.start(now);
    if (upload->set_aside) {
        ticket.set_aside = true;
        aside_pace_.begin(now);
    }
    ++running_;
    running_large_ += upload->small() ? 0 : 1;
    ticket.again = upload->put_off;
    running_again_ += ticket.again ? 1 : 0;
    return upload;
}

bool DestinationUploads::is_stalled(Time now) const {
    return put_off_since_ && now - *put_off_since_ >= longest_put_off;
}

bool DestinationUploads::asked_for_body(const Ticket& ticket) {
    if (!health_.asked_for_content(ticket)) {
        return false;
    }
    queue_.wake_all();
    return true;
}

// -- What came of it --------------------------------------------------------------------------------------------------

void DestinationUploads::stop_running(const Upload& upload, const Ticket& ticket, Time now) {
    LIHANDOVER_INVARIANT(running_ > 0, "an upload that ends has begun");
    --running_;
    running_large_ -= upload.small() ? 0 : 1;
    running_again_ -= ticket.again ? 1 : 0;
    if (ticket.set_aside) {
        aside_pace_.end(now);
    }
}

bool DestinationUploads::settle(Upload& upload, const Attempt& attempt, UploadOutcomes& outcomes) {
    stop_running(upload, attempt.ticket, attempt.now);
    bool delivered = false;
    if (upload.withdrawn && attempt.answer.outcome != UploadOutcome::delivered) {
        forget(upload);
    } else {
        delivered = settle_answer(upload, attempt, outcomes);
    }
    end(attempt.ticket, attempt.now);
    return delivered;
}

void DestinationUploads::unusable(Upload& upload, const Ticket& ticket, Time now, UploadOutcomes& outcomes) {
    stop_running(upload, ticket, now);
    outcomes.count(metrics::Upload::refused);
    refuse(upload, {0, store::Refusal::Kind::invalid_document, "the object's URL cannot be used"}, outcomes);
    end(ticket, now);
}

void DestinationUploads::gone(Upload& upload, const Ticket& ticket, Time now) {
    stop_running(upload, ticket, now);
    forget(upload);
    end(ticket, now);
}

void DestinationUploads::put_back(Upload& upload, const Ticket& ticket, Time now) {
    stop_running(upload, ticket, now);
    if (upload.withdrawn) {
        forget(upload);
    } else {
        queue_.again(upload);
    }
    end(ticket, now);
}

bool DestinationUploads::settle_answer(Upload& upload, const Attempt& attempt, UploadOutcomes& outcomes) {
    const auto& answer = attempt.answer;
    if (answer.status != 0 && attempt.fresh && !says_busy(answer)) {
        connections_.newcomer_worked(attempt.others + 1);
    }
    if (is_too_many(upload, attempt)) {
        outcomes.count(answer.metric);
        queue_.again(upload);
        return false;
    }
    const auto outcome = outcome_for(upload, answer);
    const bool there_already = outcome == UploadOutcome::delivered && is_there_already(upload, answer);
    if (outcome != UploadOutcome::failed) {
        outcomes.count(there_already ? metrics::Upload::delivered : answer.metric);
    }
    upload.sent_whole = upload.sent_whole || (answer.outcome == UploadOutcome::failed && answer.status == 0 &&
                                              attempt.given > 0 && attempt.given == upload.object.size);
    upload.last_status = static_cast<std::uint16_t>(answer.status);
    if (answer.outcome != UploadOutcome::unreadable) {
        upload.unreadable = 0;
    }
    switch (outcome) {
        case UploadOutcome::delivered:
            settle_delivered(upload, attempt);
            outcomes.delivered(upload, there_already);
            return true;
        case UploadOutcome::not_yet:
            settle_unwanted(upload, attempt, outcomes);
            break;
        case UploadOutcome::early:
        case UploadOutcome::failed:
            settle_failed(upload, attempt, outcomes);
            break;
        case UploadOutcome::no_connection:
        case UploadOutcome::certificate:
            settle_unconnected(upload, attempt);
            break;
        case UploadOutcome::unreadable:
            settle_unreadable(upload, attempt, outcomes);
            break;
    }
    return false;
}

UploadOutcome DestinationUploads::outcome_for(const Upload& upload, const UploadClass& answer) const {
    if (is_there_already(upload, answer)) {
        return UploadOutcome::delivered;
    }
    if (answer.outcome != UploadOutcome::early) {
        return answer.outcome;
    }
    // A page in front of the LEA may answer so to everything.
    return policy_.early_success_counts ? UploadOutcome::delivered : UploadOutcome::failed;
}

bool DestinationUploads::is_there_already(const Upload& upload, const UploadClass& answer) const {
    if (!upload.sent_whole || asked_in_vain_) {
        return false;
    }
    if (answer.outcome == UploadOutcome::early) {
        // Not what everything gets: another object was taken in the meantime.
        const auto* suspicion = suspects_.find(upload.number);
        return upload.set_aside ? health_.is_open() : suspicion != nullptr && suspicion->compared;
    }
    return answer.outcome == UploadOutcome::not_yet && answer.status == 409;
}

bool DestinationUploads::is_too_many(const Upload& upload, const Attempt& attempt) {
    if (attempt.answer.outcome != UploadOutcome::failed) {
        return false;
    }
    ConnectionLimit::Failed failed;
    failed.key = upload.number;
    failed.says_busy = says_busy(attempt.answer);
    failed.closed_at_once = attempt.closed_at_once;
    failed.others = attempt.others;
    failed.busy = attempt.busy;
    failed.expected = !health_.is_open() || attempt.ticket.probe || upload.set_aside ||
                      suspects_.find(upload.number) != nullptr || attempt.given > 0;
    return connections_.was_too_many(failed, attempt.now, attempt.dice);
}

void DestinationUploads::settle_delivered(Upload& upload, const Attempt& attempt) {
    if (attempt.answer.outcome == UploadOutcome::delivered) {
        connections_last_ = attempt.keeps_connection;
        front_buffers_ = front_buffers_ && upload.small();
    }
    health_.accepted(attempt.ticket, attempt.now);
    put_off_since_.reset();
    connections_.forget(upload.number);
    suspects_.acquit(upload.number, attempt.now);
    suspects_.accepted(attempt.ticket.number, [&](Suspects::Key number, const Suspicion& suspicion) {
        if (auto* other = queue_.find(number)) {
            queue_.hurry(*other, std::max(suspicion.not_before, attempt.now));
        }
    });
    queue_.settle(upload);
    ++settling_;
}

void DestinationUploads::settle_unwanted(Upload& upload, const Attempt& attempt, UploadOutcomes& outcomes) {
    if (!put_off_since_) {
        put_off_since_ = attempt.now;
    }
    if (is_stalled(attempt.now)) {
        health_.stalled(attempt.ticket, metrics::Pause::refusals, attempt.now, attempt.dice);
    } else if (health_.reached(attempt.ticket, attempt.now, attempt.dice)) {
        queue_.wake_all();
    }
    later(upload, std::max(patience(attempt.answer), waste(attempt, upload, outcomes)), attempt);
}

DestinationUploads::Milliseconds DestinationUploads::waste(const Attempt& attempt, Upload& upload,
                                                           UploadOutcomes& outcomes) {
    if (attempt.given == 0) {
        return Milliseconds(0);
    }
    outcomes.wasted(attempt.given);
    if (attempt.answer.status == 0 && attempt.given < upload.object.size) {
        return Milliseconds(0);  // a connection that broke
    }
    asked_in_vain_ = asked_in_vain_ || attempt.answer.status != 0;
    // Something before the LEA asked for the body, and the LEA does not want it. Bound what is wasted.
    front_buffers_ = front_buffers_ || !upload.small();
    const auto distance = (attempt.took + Milliseconds(1)) * (waste_distance << std::min<unsigned>(upload.wasted, 16));
    upload.wasted = one_more(upload.wasted);
    return std::min<Milliseconds>(distance, longest_upload_distance);
}

void DestinationUploads::settle_failed(Upload& upload, const Attempt& attempt, UploadOutcomes& outcomes) {
    const auto& answer = attempt.answer;
    const auto& ticket = attempt.ticket;
    const auto wasted = waste(attempt, upload, outcomes);
    if (upload.set_aside) {  // as was to be expected
        if (ticket.probe) {  // or the next one begins at once
            health_.failed(ticket, answer.symptom, attempt.now, attempt.dice);
        }
        outcomes.count(answer.metric);
        rest_set_aside(upload, wasted, attempt);
        return;
    }
    const auto wish = patience(answer);
    const auto finding = suspects_.failed({upload.number, upload.object.id, upload.object.lane, health_.next_number(),
                                           attempt.proven, connections_last_, false, std::max(wish, wasted)},
                                          policy_.initial, policy_.maximum, attempt.now, attempt.dice);
    if (!finding.expected && answer.retry_after) {
        health_.told_to_wait(ticket, upload.object.lane, attempt.now + wish, answer.symptom);
    }
    if (!finding.expected || ticket.probe) {
        health_.failed(ticket, answer.symptom, attempt.now, attempt.dice);
    }
    outcomes.count(finding.convicted && answer.judges_content ? metrics::Upload::refused : answer.metric);
    if (finding.convicted) {
        store::Refusal refusal{answer.status, store::Refusal::Kind::http_status, {}};
        if (answer.judges_content) {
            refuse(upload, std::move(refusal), outcomes);
        } else {
            set_aside(upload, std::move(refusal), "it fails where others are taken", attempt, outcomes);
        }
        return;
    }
    if (finding.expected) {
        outcomes.suspected(upload);
    }
    queue_.rest(upload, suspects_.find(upload.number)->next_try());
}

void DestinationUploads::settle_unconnected(Upload& upload, const Attempt& attempt) {
    const auto& answer = attempt.answer;
    if (attempt.others > 0) {
        connections_.newcomer_failed(attempt.others, attempt.now, attempt.dice);
    } else {
        connections_.reset();
        health_.unreachable(attempt.ticket, answer.symptom, answer.outcome == UploadOutcome::certificate, attempt.now,
                            attempt.dice);
    }
    queue_.again(upload);
}

void DestinationUploads::settle_unreadable(Upload& upload, const Attempt& attempt, UploadOutcomes& outcomes) {
    if (attempt.ticket.probe) {  // or it would be the next one, at once
        health_.failed(attempt.ticket, attempt.answer.symptom, attempt.now, attempt.dice);
    }
    if (upload.set_aside) {
        rest_set_aside(upload, Milliseconds(0), attempt);
        return;
    }
    if (attempt.not_now) {
        queue_.rest(upload, attempt.now + look_again);
        return;
    }
    if (++upload.unreadable < most_unreadable) {
        later(upload, Milliseconds(0), attempt);
        return;
    }
    upload.unreadable = 0;
    set_aside(upload, {0, store::Refusal::Kind::invalid_document, "its copy in state_dir/objects cannot be read"},
              "its copy in state_dir/objects cannot be read", attempt, outcomes);
}

void DestinationUploads::refuse(Upload& upload, store::Refusal refusal, UploadOutcomes& outcomes) {
    suspects_.forget(upload.number);
    connections_.forget(upload.number);
    queue_.settle(upload);
    ++settling_;
    outcomes.refused(upload, std::move(refusal));
}

void DestinationUploads::set_aside(Upload& upload, store::Refusal refusal, std::string_view why, const Attempt& attempt,
                                   UploadOutcomes& outcomes) {
    suspects_.forget(upload.number);
    connections_.forget(upload.number);
    upload.set_aside = true;
    upload.failures = 0;
    set_aside_.emplace(upload.number, upload.object.id);
    ++set_aside_version_;
    rest_set_aside(upload, Milliseconds(0), attempt);
    outcomes.set_aside(upload, std::move(refusal), why);
}

void DestinationUploads::rest_set_aside(Upload& upload, Milliseconds least, const Attempt& attempt) {
    upload.failures = one_more(upload.failures);
    const auto longest = std::max<Milliseconds>(policy_.maximum, longest_upload_distance);
    const auto first = std::min<Milliseconds>(policy_.initial * set_aside_distance, longest);
    const auto distance = back_off(upload.failures, first, longest, attempt.dice);
    queue_.rest(upload, attempt.now + std::max(distance, least));
}

void DestinationUploads::later(Upload& upload, Milliseconds least, const Attempt& attempt) {
    upload.failures = one_more(upload.failures);
    const auto distance = back_off(upload.failures, policy_.initial, policy_.maximum, attempt.dice);
    queue_.rest(upload, attempt.now + std::max(distance, least));
}

DestinationUploads::Milliseconds DestinationUploads::patience(const UploadClass& answer) const {
    if (!answer.retry_after) {
        return Milliseconds(0);
    }
    // Not at once, however that is meant: all of it would go over and over.
    return std::min(std::max<Milliseconds>(*answer.retry_after, policy_.initial), policy_.maximum);
}

// -- Operators and reloads --------------------------------------------------------------------------------------------

void DestinationUploads::probe_now(Time now) {
    health_.probe_now(now);
    queue_.wake_all();
}

void DestinationUploads::other_end(Time now) {
    health_.probe_now(now);
    connections_.reset();
}

void DestinationUploads::resume(Time now) {
    health_.resume(now);
    connections_.reset();
    queue_.wake_all();
    queue_.wake_set_aside();
}

}  // namespace lihandover::delivery
