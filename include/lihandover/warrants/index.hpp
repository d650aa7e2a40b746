#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "lihandover/model/event.hpp"
#include "lihandover/model/identifier.hpp"
#include "lihandover/model/matching.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/warrants/warrant.hpp"

namespace lihandover::warrants {

/// That an event falls under a warrant, with the parties that hold one of its targets.
struct Match {
    /// Belongs to the index that gave the match; keep that alive as long as this.
    const WarrantPtr* warrant = nullptr;
    /// Bit n set: party n of the event is targeted. As many words as the event's parties need, never empty.
    std::vector<std::uint64_t> targeted;
};

/// When an event came in.
struct Receipt {
    model::Instant at;       ///< the time of an event that gives none
    model::Instant trusted;  ///< by the time that is trusted: whether it is too late for a warrant (promise 13)
};

/// What match() needs besides the index: kept by the caller from event to event so that nothing is allocated for an
/// event under no warrant. One per thread.
class MatchScratch {
  public:
    MatchScratch() {
        keys_.number.reserve(64);
        keys_.text.reserve(512);
        keys_.work.reserve(512);
    }

  private:
    friend class Index;
    model::IdentifierScratch keys_;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> hits_;  // warrant, party
};

/// What decides which events fall under a warrant, besides the warrant.
struct MatchRules {
    model::Matching matching;
    /// How long after a warrant's end an event that happened before it still counts (promise 9).
    std::chrono::seconds late_events = std::chrono::days(7);
};

/// Which warrants an event falls under. An immutable snapshot: any number of threads may match at once; a reload builds
/// a new one and swaps the shared pointer. What it costs to match an event depends on its identifiers, not on the
/// number of warrants.
class Index {
  public:
    /// An index of no warrants.
    Index();
    explicit Index(std::vector<WarrantPtr> warrants, MatchRules rules = {});
    ~Index();
    Index(const Index&) = delete;
    Index& operator=(const Index&) = delete;

    /// Replaces `out` by one match for each warrant that the event falls under, in the order of their destinations and
    /// LIIDs, each at most once. A warrant applies by the event's own time, else by that of its receipt, within its
    /// window and its target's, both half-open; every party in every role counts. One that has ended takes what
    /// happened before its end for `late_events` more (promise 9).
    ///
    /// `numbers` says how the source of the event writes national numbers; null: it does not.
    void match(const model::Event& event, const Receipt& receipt, MatchScratch& scratch, std::vector<Match>& out,
               const model::NumberPlan* numbers = nullptr) const;

    /// Whether what happened at `at` in the task of this XID falls under any warrant, whatever it turns out to be. For
    /// copies, before anything is made of them: of an unknown XID this is all that is ever done.
    [[nodiscard]] bool knows(const model::Uuid& xid, model::Instant at, const Receipt& receipt) const;

    /// As match(), for an event of an X2/X3 task: it falls under the warrants that list its XID, and under no others,
    /// whoever its parties are. An event that came in over another door falls under none by a XID.
    ///   earlier   other XIDs of the same copy, of which the event was made before: a warrant that lists one of them
    ///             has its item already
    ///   targeted  bit n set: the copy marks party n as the target; may be shorter than the parties need
    void match_task(const model::Event& event, const model::Uuid& xid, std::span<const model::Uuid> earlier,
                    std::span<const std::uint64_t> targeted, const Receipt& receipt, std::vector<Match>& out) const;

    /// All of them, in the order of destination and LIID.
    [[nodiscard]] std::span<const WarrantPtr> warrants() const;
    /// How many different identifiers they target.
    [[nodiscard]] std::size_t distinct_targets() const;

  private:
    struct Tables;
    std::unique_ptr<const Tables> tables_;
};

}  // namespace lihandover::warrants
