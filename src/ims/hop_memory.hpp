#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "aged.hpp"
#include "digest.hpp"

namespace lihandover::ims {

/// Which messages came by which hops, so that copies of one message at several hops make one event: of the same content
/// on different pairs of paths the nth here is the nth there (TS 24.247 A.4.3).
class HopMemory {
  public:
    /// Counts a message that has come whole.
    ///   content   what the copies have in common
    ///   hop       the pair of paths
    /// Returns the event of the copy that came first, nullopt where this is the first. Then the caller names its event
    /// by add().
    [[nodiscard]] std::optional<Digest> count(const TableKey& content, std::uint64_t hop, SteadyTime now);
    void add(const TableKey& content, const Digest& event);

    /// Content that did not come for longer is new again.
    static constexpr std::chrono::minutes keep_for{10};
    static constexpr std::size_t most = 65'536;
    static constexpr std::size_t most_hops = 32;
    static constexpr std::size_t most_events = 64;  ///< between the hop that is ahead and the one that is behind

  private:
    struct Hop {
        std::uint64_t name = 0;
        std::uint64_t messages = 0;
    };
    struct Seen {
        std::vector<Hop> hops;
        std::vector<Digest> events;  ///< the last ones
        std::uint64_t messages = 0;
    };
    AgedTable<Seen> table_;
};

}  // namespace lihandover::ims
