#include "lihandover/ims/tracker.hpp"

#include <algorithm>
#include <utility>

#include "aged.hpp"
#include "conference_events.hpp"
#include "dialogs.hpp"
#include "identities.hpp"
#include "lihandover/ims/msrp.hpp"
#include "lihandover/ims/sip.hpp"
#include "msrp_messages.hpp"
#include "msrp_status.hpp"
#include "msrp_streams.hpp"
#include "notifications.hpp"
#include "owners.hpp"
#include "page_messages.hpp"
#include "take.hpp"
#include "transfer_encoding.hpp"
#include "whole_objects.hpp"

namespace lihandover::ims {

namespace {

/// What was made already: the same again is a repeat.
class MadeBefore {
  public:
    void remove_repeats(const Take& take) {
        auto& events = take.out.events;
        const bool any = !events.empty();
        std::erase_if(events, [this, &take](const MadeEvent& made) { return !is_new(take, made); });
        if (any && events.empty() && take.out.outcome == Made::Outcome::event) {
            take.out.outcome = Made::Outcome::repeat;
        }
        table_.trim(take.now, keep_for, most);
    }

  private:
    bool is_new(const Take& take, const MadeEvent& made) {
        const TableKey key =
            key_for(take, Table::made).add(made.xid).add(made.event.event_id).add(made.substance).finish();
        if (table_.find(key) != nullptr) {
            return false;
        }
        table_.add(key, 0, take.now);
        return true;
    }

    static constexpr std::chrono::minutes keep_for{10};
    static constexpr std::size_t most = 131'072;
    AgedTable<char> table_;
};

void earlier(std::optional<SteadyTime>& first, const std::optional<SteadyTime>& other) {
    if (other && (!first || *other < *first)) {
        first = other;
    }
}

}  // namespace

void Made::clear() {
    outcome = Outcome::no_event;
    events.clear();
    kept_by = 0;
    kept_parts.clear();
    let_go.clear();
    remarks.clear();
}

class Tracker::Impl : public FrameTaker {
  public:
    Impl(TrackerOptions options, Spools& spools)
        : options_(std::move(options)),
          secret_(TableSecret::random()),
          page_(owners_),
          conferences_(secret_, owners_),
          dialogs_(secret_, owners_, conferences_),
          messages_(spools, owners_, dialogs_, sent_, ids_),
          status_(owners_, dialogs_, sent_),
          streams_(owners_) {}

    model::Status take(const Copy& copy, SteadyTime now, Made& out) {
        out.clear();
        const Take take{copy, now, options_, secret_, out};
        model::Status status;
        switch (copy.kind) {
            case Copy::Kind::sip:
                take_sip(take);
                break;
            case Copy::Kind::msrp:
                status = streams_.take(take, *this);
                break;
            case Copy::Kind::mime:
                if (!take_document(take)) {
                    take_body(take, ids_);
                }
                break;
        }
        if (status) {
            status = keep_within(take);
        }
        made_before_.remove_repeats(take);
        return status;
    }

    model::Status expire(SteadyTime now, Made& out) {
        out.clear();
        const Copy none;
        const Take take{none, now, options_, secret_, out};
        page_.expire(take);
        status_.expire(take);
        model::Status status = streams_.expire(take, *this);
        if (status) {
            status = messages_.expire(take);
        }
        // Last: what is left of a session's messages is its ends'.
        dialogs_.expire(take);
        conferences_.expire(take);
        made_before_.remove_repeats(take);
        return status;
    }

    void forget(const Tasks& tasks, SteadyTime now, Made& out) {
        out.clear();
        const Copy none;
        const Take take{none, now, options_, secret_, out};
        streams_.forget(tasks, out);
        messages_.forget(take, tasks);
        dialogs_.forget(tasks, out);
        conferences_.forget(tasks, out);
        // The rest is found by its keys only: it is never found again, and goes in its time.
        for (const model::Uuid& xid : tasks) {
            const TableKey task = TableSecret::task_key(xid);
            forgotten_.remove(task);
            forgotten_.add(task, 0, now);
            secret_.forgotten[task] = ++times_forgotten_;
        }
        while (const auto* oldest = forgotten_.due_at(now, longest_memory)) {
            secret_.forgotten.erase(oldest->key);
            forgotten_.remove(TableKey(oldest->key));
        }
    }

    model::Result<bool> give_out_oldest(SteadyTime now, Made& out) {
        out.clear();
        const Copy none;
        const Take take{none, now, options_, secret_, out};
        if (messages_.let_go_kept(take)) {
            return true;
        }
        auto given = give_out_oldest(take);
        made_before_.remove_repeats(take);
        return given;
    }

    [[nodiscard]] std::optional<SteadyTime> due() const {
        std::optional<SteadyTime> first;
        earlier(first, page_.due());
        earlier(first, status_.due());
        earlier(first, streams_.due(options_));
        earlier(first, messages_.due(options_));
        earlier(first, dialogs_.due(options_));
        earlier(first, conferences_.due(options_));
        return first;
    }

    void set_options(TrackerOptions options) { options_ = std::move(options); }
    [[nodiscard]] std::size_t sessions() const { return dialogs_.size(); }
    [[nodiscard]] std::uint64_t unfinished_bytes() const { return messages_.held() + streams_.held(); }

    model::Status take_frame(const Take& take, const MsrpFrame& frame, const FramePlace& place) override {
        if (frame.request && frame.method == "SEND") {
            if (auto taken = messages_.take_send(take, frame, place); !taken) {
                return taken;
            }
            status_.note_request(take, frame, place, is_whole(frame) && !frame.body.empty());
            return {};
        }
        if (place.beginning != 0) {
            take.out.let_go.push_back(place.beginning);
        }
        conferences_.take_frame(take, frame, place);
        if (!frame.request) {
            status_.take_response(take, frame, place);
        } else if (frame.method == "REPORT") {
            status_.take_report(take, frame);
        } else {
            status_.note_request(take, frame, place, false);
        }
        return {};
    }

    model::Status take_torn(const Take& take, const MsrpFrame& frame, std::uint64_t beginning) override {
        return messages_.take_torn(take, frame, beginning);
    }

    void take_unreadable(const Take& take, std::string_view bytes) override {
        add_unreadable(take, "message/msrp", bytes);
    }

  private:
    void take_sip(const Take& take) {
        std::string_view why;
        const auto message = read_sip(take.copy.payload, &why);
        if (!message) {
            if (!why.empty()) {
                take.out.remarks.push_back(why);
            }
            add_unreadable(take, "message/sip", take.copy.payload);
            return;
        }
        take.out.remarks.insert(take.out.remarks.end(), message->mended.begin(), message->mended.end());
        if (Identities::has_longer(*message)) {
            take.out.remarks.emplace_back("identities of more than 1024 octets are passed over");
        }
        const std::string_view method = message->method;
        conferences_.take_sip(take, *message);
        if (method == "MESSAGE") {
            if (message->request) {
                page_.take_request(take, *message, ids_);
            } else {
                page_.take_answer(take, *message);
            }
        } else if (method == "INVITE" || method == "ACK" || method == "PRACK" || method == "UPDATE" ||
                   method == "BYE" || method == "CANCEL") {
            dialogs_.take(take, *message);
        }
    }

    /// A document of a conference's policy, or the like.
    bool take_document(const Take& take) {
        const Copy& copy = take.copy;
        const auto decoded = without_transfer_encoding(copy.payload, copy.mime_transfer_encoding);
        return conferences_.take_body(take, copy.mime_type, decoded ? std::string_view(*decoded) : copy.payload);
    }

    model::Result<bool> give_out_oldest(const Take& take) {
        const auto stream = streams_.oldest();
        const auto message = messages_.oldest();
        const bool stream_first = stream && (!message || *stream < *message);
        return stream_first ? streams_.give_out_oldest(take, *this) : messages_.give_out_oldest(take);
    }

    /// Gives out what came longest ago while too much of what is unfinished is in memory.
    model::Status keep_within(const Take& take) {
        while (messages_.held_in_memory() + streams_.held() > options_.memory) {
            const auto given = give_out_oldest(take);
            if (!given) {
                return given.error();
            }
            if (!*given) {
                break;
            }
        }
        return {};
    }

    // Nothing that is found by its key is remembered for longer.
    static constexpr std::chrono::hours longest_memory{24 * 8};

    TrackerOptions options_;
    TableSecret secret_;
    AgedTable<char> forgotten_;  ///< the tasks of secret_.forgotten
    std::uint64_t times_forgotten_ = 0;
    Owners owners_;
    ImdnIds ids_;
    SentMessages sent_;
    PageMessages page_;
    ConferenceTable conferences_;
    Dialogs dialogs_;
    MsrpMessages messages_;
    MsrpStatus status_;
    MsrpStreams streams_;
    MadeBefore made_before_;
};

Tracker::Tracker(TrackerOptions options, Spools& spools) : impl_(std::make_unique<Impl>(std::move(options), spools)) {}
Tracker::~Tracker() = default;

model::Status Tracker::take(const Copy& copy, SteadyTime now, Made& out) {
    return impl_->take(copy, now, out);
}

model::Status Tracker::expire(SteadyTime now, Made& out) {
    return impl_->expire(now, out);
}

void Tracker::forget(const Tasks& tasks, SteadyTime now, Made& out) {
    impl_->forget(tasks, now, out);
}

model::Result<bool> Tracker::give_out_oldest(SteadyTime now, Made& out) {
    return impl_->give_out_oldest(now, out);
}

std::optional<Tracker::SteadyTime> Tracker::due() const {
    return impl_->due();
}

void Tracker::set_options(TrackerOptions options) {
    impl_->set_options(std::move(options));
}

std::size_t Tracker::sessions() const {
    return impl_->sessions();
}

std::uint64_t Tracker::unfinished_bytes() const {
    return impl_->unfinished_bytes();
}

}  // namespace lihandover::ims
