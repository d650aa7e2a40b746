#pragma once

#include <array>
#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "lihandover/model/clock.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/uploads.hpp"

namespace lihandover::delivery {

/// An object to push: what the store said of it, and what was seen of it since. Stays where it is in memory until
/// UploadQueue::erase.
struct Upload : boost::intrusive::list_base_hook<> {
    enum class State : std::uint8_t {
        ready,     ///< in one of the queue's lists
        resting,   ///< failed, not before `due`
        running,   ///< being uploaded
        settling,  ///< done with; the store has been told and has not answered yet
    };

    explicit Upload(const store::QueuedObject& queued) : object(queued) {}
    /// Small ones have connections of their own and go before the others' next bytes.
    [[nodiscard]] bool small() const { return object.size <= small_size; }

    static constexpr std::uint64_t small_size = std::uint64_t{1} << 20;

    store::QueuedObject object;
    std::int64_t number = 0;        ///< names it within the queue
    model::Clock::SteadyTime due;   ///< while resting
    std::uint16_t failures = 0;     ///< running
    std::uint16_t wasted = 0;       ///< bodies that were taken and then not wanted
    std::uint8_t unreadable = 0;    ///< running: our own copy could not be read
    std::uint16_t last_status = 0;  ///< of the last answer; 0: there was none
    State state = State::ready;
    bool set_aside = false;   ///< it fails where others succeed. Stays as it is while `ready` or `resting`.
    bool sent_whole = false;  ///< all of it went once, and no answer came: the LEA may have it
    bool put_off = false;     ///< it rested before
    bool withdrawn = false;   ///< an operator ended it while it was running
    bool again = false;       ///< added once more while it was settling: retried before the store's answer came
};

/// What waits to be uploaded to one destination, and which is next: emergencies before the others, small ones before
/// large ones, otherwise in the order in which they came. Those that were put off before take turns with the others, of
/// whatever kind, so that nothing waits for ever behind what fails again and again. No I/O and no clock of its own.
class UploadQueue {
  public:
    using Time = model::Clock::SteadyTime;

    UploadQueue() = default;
    UploadQueue(const UploadQueue&) = delete;
    UploadQueue& operator=(const UploadQueue&) = delete;
    ~UploadQueue();

    /// Ready, behind all others of its kind. Nothing where it is known already, but: one that is settling takes over
    /// what `object` says and is marked as `again`, and one that is set aside no longer is: ready, unless it runs.
    ///   set_aside  one that is new is
    Upload& add(const store::QueuedObject& object, bool set_aside = false);
    /// nullptr when unknown.
    [[nodiscard]] Upload* find(const model::Uuid& object);
    [[nodiscard]] Upload* find(std::int64_t number);
    void erase(Upload& upload);
    /// Calls `visit(const Upload&)` for each.
    template <typename Visit>
    void for_each(Visit visit) const {
        for (const auto& [id, upload] : uploads_) {
            visit(upload);
        }
    }

    struct Limits {
        bool large = true;    ///< large ones too
        bool put_off = true;  ///< those that were put off before, too
        bool other = false;   ///< of those that were not, the one that came last and the first in turn
    };
    /// Next ready one that is not set aside, running from now on; nullptr when there is none.
    Upload* take(const Limits& limits);
    /// The same, with each kind in turn the first, and those that were never put off before all others, of them the one
    /// that came last and the first in turn: where one after the other fails, something else may not.
    Upload* take_for_probe(bool large);
    /// The next ready one that is set aside.
    Upload* take_aside(bool large);
    /// The resting one that is due first, running from now on, due or not: for probes. None that is set aside: those
    /// keep their distances. nullptr when no other rests.
    Upload* take_resting();
    /// Running or settling: ready once more, behind all others of its kind.
    void again(Upload& upload);
    /// Not before `due`.
    void rest(Upload& upload, Time due);
    /// A resting one may go on at `due`, should that be earlier.
    void hurry(Upload& upload, Time due);
    /// Out of the lists until again(), rest() or erase().
    void settle(Upload& upload);
    /// Makes those ready that are due at `now`.
    void wake(Time now);
    /// Those too that are not due, except those set aside.
    void wake_all() { wake(resting_, Time::max()); }
    void wake_set_aside() { wake(resting_aside_, Time::max()); }

    /// One that waits and whose deadline has come, else nullptr.
    [[nodiscard]] Upload* expired(model::Instant now) const;
    [[nodiscard]] std::optional<model::Instant> next_deadline() const;
    [[nodiscard]] std::optional<Time> next_due() const;
    /// Without those set aside.
    [[nodiscard]] std::size_t ready() const { return ready(false) + ready(true); }
    [[nodiscard]] std::size_t ready_aside() const { return lists_[aside].size() + lists_[aside + 1].size(); }
    [[nodiscard]] std::size_t resting() const { return resting_.size() + resting_aside_.size(); }
    /// Ready and resting ones.
    [[nodiscard]] std::size_t waiting() const { return by_deadline_.size(); }
    /// All of them, the running and settling ones included.
    [[nodiscard]] bool empty() const { return uploads_.empty(); }

  private:
    using List = boost::intrusive::list<Upload>;
    struct ByDue {
        bool operator()(const Upload* a, const Upload* b) const {
            return std::tie(a->due, a->number) < std::tie(b->due, b->number);
        }
    };
    struct ByDeadline {
        bool operator()(const Upload* a, const Upload* b) const {
            return std::tie(a->object.deadline, a->number) < std::tie(b->object.deadline, b->number);
        }
    };

    using Resting = std::set<Upload*, ByDue>;

    /// Small and large emergencies, then the small and large others.
    static constexpr std::size_t kinds = 4;
    static constexpr std::size_t again_kinds = kinds;  ///< where the lists of those begin that were put off
    static constexpr std::size_t aside = 2 * kinds;    ///< and the lists of small and large ones that are set aside
    static constexpr std::size_t none = aside + 2;

    [[nodiscard]] List& list_of(const Upload& upload);
    [[nodiscard]] std::size_t ready(bool large) const;
    /// The first of these lists that has one which may go, or `none`.
    [[nodiscard]] std::size_t first_of(std::size_t begin, std::size_t end, bool large) const;
    /// Of `kinds` lists from `base` on, beginning with that kind.
    [[nodiscard]] std::size_t first_of_kinds(std::size_t base, std::size_t kind, bool large) const;
    [[nodiscard]] std::size_t next_put_off(bool large);
    Upload* take_end(std::size_t list, bool last);
    [[nodiscard]] Resting& resting_of(const Upload& upload) { return upload.set_aside ? resting_aside_ : resting_; }
    void append(Upload& upload);
    void wake(Resting& resting, Time now);

    std::unordered_map<model::Uuid, Upload> uploads_;
    std::unordered_map<std::int64_t, Upload*> by_number_;
    std::int64_t next_number_ = 1;
    std::array<List, none> lists_;
    bool turn_of_put_off_ = false;
    bool in_order_ = false;  ///< those that were put off; else another kind is the first
    std::size_t other_kind_ = 0;
    std::size_t next_probe_ = 0;
    bool latest_turn_ = false;  ///< of those that were never put off
    Resting resting_;           ///< but those set aside
    Resting resting_aside_;
    std::set<Upload*, ByDeadline> by_deadline_;
};

}  // namespace lihandover::delivery
