#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lihandover/model/event.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/warrants/warrant.hpp"

namespace lihandover::warrants {

/// That an event falls under a warrant, with the parties that hold one of its targets.
struct Match {
    /// Belongs to the index that gave the match; keep that alive as long as this.
    const WarrantPtr* warrant = nullptr;
    /// Bit n set: party n of the event is targeted. As many words as the event's parties need, never empty.
    std::vector<std::uint64_t> targeted;
};

/// What match() needs besides the index: kept by the caller from event to event so that nothing is allocated for an
/// event under no warrant. One per thread.
class MatchScratch {
  public:
    MatchScratch() { canonical_.reserve(512); }

  private:
    friend class Index;
    std::string canonical_;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> hits_;  // warrant, party
};

/// Which warrants an event falls under. An immutable snapshot: any number of threads may match at once; a reload builds
/// a new one and swaps the shared pointer. What it costs to match an event depends on its identifiers, not on the
/// number of warrants.
class Index {
  public:
    /// An index of no warrants.
    Index();
    explicit Index(std::vector<WarrantPtr> warrants);
    ~Index();
    Index(const Index&) = delete;
    Index& operator=(const Index&) = delete;

    /// Replaces `out` by one match for each warrant that the event falls under, in the order of their destinations and
    /// LIIDs, each at most once. A warrant applies by the event's own time, else by `received_at`, within its window
    /// and its target's, both half-open; every party in every role counts (promise 9).
    void match(const model::Event& event, model::Instant received_at, MatchScratch& scratch,
               std::vector<Match>& out) const;

    /// All of them, in the order of destination and LIID.
    [[nodiscard]] std::span<const WarrantPtr> warrants() const;
    /// How many different identifiers they target.
    [[nodiscard]] std::size_t distinct_targets() const;

  private:
    struct Tables;
    std::unique_ptr<const Tables> tables_;
};

}  // namespace lihandover::warrants
