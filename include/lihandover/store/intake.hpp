#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "lihandover/store/types.hpp"

namespace lihandover::store {

/// Taking items in: what the pipeline of intake needs of a store. Thread-safe.
class ItemIntake {
  public:
    virtual ~ItemIntake() = default;

    /// Whether new items can be taken, as far as the store knows now. Decides refusals before matching (promise 7).
    [[nodiscard]] virtual bool accepting() const = 0;

    /// Makes the items of one event, or of one request, durable, with their repeat memory, counters and audit entries.
    /// All of them or none. A repeat is dropped. An empty list is committed too and writes as much as one item does:
    /// every answer to a source leaves with a group commit (promise 7).
    ///   idle_objects  binary objects that the events named and no item has, since no warrant matched: the commit
    ///                 writes as much as if one item had them
    virtual void submit(std::vector<NewItem> items, std::size_t idle_objects, Done done) = 0;

    /// The keyed hash of the parts, each with its length in front, so that no two lists of parts collide. The same in
    /// every process that shares the store.
    [[nodiscard]] virtual Hash128 keyed_hash(std::span<const std::string_view> parts) const = 0;
};

}  // namespace lihandover::store
