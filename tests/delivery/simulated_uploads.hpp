#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "destination_uploads.hpp"

namespace lihandover::delivery::test {

/// DestinationUploads with connections and an LEA that exist in virtual time only, as SimulatedLea is for messages.
class SimulatedUploads : public UploadOutcomes {
  public:
    using Time = DestinationUploads::Time;
    using Milliseconds = std::chrono::milliseconds;

    struct Reply {
        unsigned status = 201;  ///< 0: silence
        std::optional<std::chrono::seconds> retry_after = {};
        bool withhold = false;  ///< neither `100 Continue` nor an answer
        bool not_now = false;   ///< none: our own copy cannot be read at present
        Milliseconds after{2};
    };
    using Script = std::function<Reply(const Upload&)>;

    SimulatedUploads(const DestinationUploads::Policy& policy, Script script)
        : policy_(policy), script_(std::move(script)), slots_(policy.connections) {
        uploads_.set_policy(policy);
    }

    // What a test sets.
    unsigned most_connections = 1000;  ///< further ones are reset in the handshake
    unsigned most_at_once = 1000;      ///< uploads; further ones are answered with 503
    bool down = false;                 ///< nobody listens
    Milliseconds timeout{60'000};
    Milliseconds continue_timeout{300'000};

    model::Uuid add(bool emergency = false, std::uint64_t size = 1000, store::LaneId lane = 1) {
        const auto id = model::Uuid::random();
        uploads_.add({id, lane, emergency, size, {1'000'000'000, 0}}, false);
        return id;
    }
    model::Uuid add_set_aside(std::uint64_t size = 1000) {
        const auto id = model::Uuid::random();
        uploads_.add({id, 1, false, size, {1'000'000'000, 0}}, true);
        return id;
    }
    void set_script(Script script) { script_ = std::move(script); }

    /// Runs until nothing is queued, or the time is over. True when nothing is.
    bool run(Milliseconds time) {
        const auto end = now_ + time;
        while (!uploads_.empty()) {
            begin_what_may();
            auto next = uploads_.next_event(now_);
            if (!pending_.empty() && (!next || pending_.begin()->first < *next)) {
                next = pending_.begin()->first;
            }
            if (!next || *next > end) {
                now_ = end;
                return false;
            }
            now_ = *next;
            while (!pending_.empty() && pending_.begin()->first <= now_) {
                const auto event = std::move(pending_.begin()->second);
                pending_.erase(pending_.begin());
                event();
            }
        }
        return true;
    }

    [[nodiscard]] DestinationUploads& uploads() { return uploads_; }
    [[nodiscard]] Milliseconds passed() const { return std::chrono::duration_cast<Milliseconds>(now_ - Time{}); }

    std::map<model::Uuid, Milliseconds> delivered_at;
    std::map<model::Uuid, store::Refusal> refused_objects;
    std::map<model::Uuid, store::Refusal> aside;
    std::map<model::Uuid, unsigned> attempts;
    unsigned handshakes_failed = 0;
    unsigned pauses = 0;
    unsigned most_aside_at_once = 0;

    void delivered(const Upload& upload, bool /*already_there*/) override {
        delivered_at.emplace(upload.object.id, passed());
        commit(upload.object.id);
    }
    void refused(const Upload& upload, store::Refusal refusal) override {
        refused_objects.emplace(upload.object.id, std::move(refusal));
        commit(upload.object.id);
    }
    void set_aside(const Upload& upload, store::Refusal refusal, std::string_view /*why*/) override {
        aside.emplace(upload.object.id, std::move(refusal));
    }
    void suspected(const Upload& /*upload*/) override {}
    void count(metrics::Upload /*outcome*/) override {}
    void wasted(std::uint64_t /*bytes*/) override {}

  private:
    struct Slot {
        Upload* upload = nullptr;
        bool open = false;
        bool proven = false;
        bool asked = false;
        bool fresh = false;
        unsigned busy = 0;
        Ticket ticket;
        [[nodiscard]] bool works() const { return open && (proven || asked); }
    };

    void after(Milliseconds time, std::function<void()> event) { pending_.emplace(now_ + time, std::move(event)); }
    void commit(const model::Uuid& id) {
        after(Milliseconds(1), [this, id] { uploads_.settled(id, store::Outcome::committed, now_); });
    }
    unsigned count_of(const std::function<bool(const Slot&)>& which) const {
        return static_cast<unsigned>(std::ranges::count_if(slots_, which));
    }

    void begin_what_may() {
        for (;;) {
            uploads_.wake(now_);
            Slot* free = nullptr;
            for (auto& slot : slots_) {
                if (slot.upload == nullptr && (free == nullptr || slot.open)) {
                    free = &slot;
                }
            }
            const auto taken = count_of([](const Slot& one) { return one.upload != nullptr || one.open; });
            if (free == nullptr || !uploads_.may_begin(now_) || !(free->open || uploads_.may_connect(taken, now_))) {
                break;
            }
            free->upload = uploads_.next(now_, free->ticket);
            if (free->upload == nullptr) {
                break;
            }
            begin(*free);
        }
        const bool paused = uploads_.health().pause_reason().has_value();
        pauses += paused && !was_paused_ ? 1 : 0;
        was_paused_ = paused;
    }

    void begin(Slot& slot) {
        ++attempts[slot.upload->object.id];
        most_aside_at_once =
            std::max(most_aside_at_once,
                     count_of([](const Slot& one) { return one.upload != nullptr && one.upload->set_aside; }));
        if (slot.ticket.probe) {
            slot.open = slot.proven = false;
        }
        slot.fresh = !slot.open;
        slot.asked = false;
        if (down || (slot.fresh && count_of([](const Slot& one) { return one.open; }) >= most_connections)) {
            ++handshakes_failed;
            slot.open = false;
            UploadClass answer;
            answer.outcome = UploadOutcome::no_connection;
            answer.symptom = metrics::Pause::unreachable;
            after(Milliseconds(1), [this, &slot, answer] { end(slot, answer); });
            return;
        }
        slot.open = true;
        slot.busy = count_of([&](const Slot& one) { return &one != &slot && one.upload != nullptr && one.works(); });
        auto reply = script_(*slot.upload);
        if (count_of([](const Slot& one) { return one.upload != nullptr && one.open; }) > most_at_once) {
            reply = {.status = 503};
        }
        if (reply.not_now) {
            UploadClass answer;
            answer.outcome = UploadOutcome::unreadable;
            after(Milliseconds(1), [this, &slot, answer] { end(slot, answer, true); });
            return;
        }
        if (reply.withhold) {
            after(timeout, [this, ticket = slot.ticket] { uploads_.waits_long(ticket); });
            UploadClass answer;
            answer.outcome = UploadOutcome::not_yet;
            after(slot.ticket.probe ? timeout : continue_timeout, [this, &slot, answer] { end(slot, answer); });
            return;
        }
        after(Milliseconds(1), [this, &slot] {
            slot.asked = true;
            uploads_.asked_for_body(slot.ticket);
        });
        const auto took = Milliseconds(1) + (reply.status == 0 ? timeout : reply.after);
        after(took, [this, &slot, answer = classify(reply)] { end(slot, answer); });
    }

    static UploadClass classify(const Reply& reply) {
        UploadClass answer;
        answer.status = reply.status;
        answer.retry_after = reply.retry_after;
        if (reply.status == 201) {
            answer.outcome = UploadOutcome::delivered;
        } else if (reply.status == 404) {
            answer.outcome = UploadOutcome::not_yet;
        } else if (reply.status != 0) {
            answer.judges_content = reply.status == 400;
            answer.symptom = reply.status == 403 ? metrics::Pause::credentials : metrics::Pause::unavailable;
        }
        return answer;
    }

    void end(Slot& slot, const UploadClass& answer, bool not_now = false) {
        auto& upload = *std::exchange(slot.upload, nullptr);
        DestinationUploads::Attempt attempt;
        attempt.ticket = slot.ticket;
        attempt.answer = answer;
        attempt.proven = slot.proven;
        attempt.fresh = slot.fresh;
        attempt.keeps_connection = true;
        attempt.not_now = not_now;
        attempt.given = slot.asked && answer.outcome == UploadOutcome::delivered ? upload.object.size : 0;
        attempt.others = count_of([&](const Slot& one) { return &one != &slot && one.works(); });
        attempt.busy =
            std::max(slot.busy,
                     count_of([&](const Slot& one) { return &one != &slot && one.upload != nullptr && one.works(); }));
        attempt.now = now_;
        attempt.dice = std::uniform_real_distribution<>(0, 1)(random_);
        slot.proven = answer.outcome == UploadOutcome::delivered;
        slot.open = slot.open && slot.proven;
        uploads_.settle(upload, attempt, *this);
    }

    DestinationUploads::Policy policy_;
    Script script_;
    DestinationUploads uploads_;
    std::vector<Slot> slots_;
    std::multimap<Time, std::function<void()>> pending_;
    Time now_;
    bool was_paused_ = false;
    std::mt19937 random_{1};
};

}  // namespace lihandover::delivery::test
