#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "lihandover/store/types.hpp"

namespace lihandover::store {

/// What the events of a submission were, whatever of them matched. Room is judged, and what is written for events that
/// no item was made of is measured, by this alone: a source must not learn from an answer, or its time, what matched
/// (promise 7).
struct Arrival {
    std::size_t events = 0;        ///< all of them
    std::uint64_t bytes = 0;       ///< of them as they came: the submission counts with these while it waits
    std::size_t objects = 0;       ///< binary objects that they named
    std::size_t idle_events = 0;   ///< those of the events that no item was made of: each is written as one item is
    std::uint64_t idle_bytes = 0;  ///< of the shares that one item for each idle event would have had
    std::size_t idle_objects = 0;  ///< those of the binary objects that no item has
    bool review = false;           ///< items are held for review at times: each event is written as a held item is
    /// The state of the warrants in the store (WarrantSets) that they were matched with; nullopt: with warrants from
    /// elsewhere, or with none.
    std::optional<std::uint64_t> warrants = std::nullopt;
};

/// Taking items in: what the pipeline of intake needs of a store. Thread-safe.
class ItemIntake {
  public:
    virtual ~ItemIntake() = default;

    /// Whether new items can be taken, as far as the store knows now. Decides refusals before matching (promise 7).
    [[nodiscard]] virtual bool accepting() const = 0;

    /// Makes the items of one event, or of one request, durable, with their repeat memory, counters and audit entries.
    /// All of them or none. A repeat is dropped. An empty list is committed too and writes as much as one item does:
    /// every answer to a source leaves with a group commit (promise 7).
    ///   arrival  what the events were that the items were made of
    virtual void submit(std::vector<NewItem> items, const Arrival& arrival, Done done) = 0;

    /// Whether what is matched now with this state of the warrants counts, as far as the store knows. While it is true,
    /// no daemon's operator has been told of a newer one. False also while the store has not been heard of for half of
    /// this daemon's lease: others may have gone on without it.
    [[nodiscard]] virtual bool is_current(std::optional<std::uint64_t> warrants) const {
        static_cast<void>(warrants);
        return true;
    }

    /// The keyed hash of the parts, each with its length in front, so that no two lists of parts collide. The same in
    /// every process that shares the store.
    [[nodiscard]] virtual Hash128 keyed_hash(std::span<const std::string_view> parts) const = 0;
};

}  // namespace lihandover::store
