#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "aged.hpp"
#include "digest.hpp"
#include "lihandover/model/time.hpp"

namespace lihandover::ims {

/// Where and when a message came.
struct HopPlace {
    std::uint64_t hop = 0;                ///< the pair of paths
    std::uint64_t back = 0;               ///< the same pair the other way
    std::array<std::uint64_t, 2> ends{};  ///< the ends of both
    std::uint64_t session = 0;            ///< 0: its signalling was not seen
    std::uint32_t call = 0;               ///< of the session
    std::uint32_t description = 0;        ///< of the call: paths of a later one stand in the place of those before
    /// From its first chunk to its last, as the point of interception says, and by our clock.
    struct Times {
        model::Instant from;
        model::Instant until;
    } said, received;
};

/// Which messages came by which hops, so that copies of one message at several hops make one event: of the same content
/// on different pairs of paths the nth here is the nth there (TS 24.247 A.4.3), as far as they were sent at about the
/// same time. The same words that are said later on new paths are said again, and so are those that go the other way.
class HopMemory {
  public:
    /// Counts a message that has come whole.
    ///   content   what the copies have in common
    /// Returns the event of the copy that came first, nullopt where this is the first. Then the caller names its event
    /// by add().
    [[nodiscard]] std::optional<Digest> count(const TableKey& content, const HopPlace& place, SteadyTime now);
    void add(const TableKey& content, const HopPlace& place, const Digest& event);

    /// Content that did not come for longer is new again.
    static constexpr std::chrono::minutes keep_for{10};
    static constexpr std::size_t most = 65'536;
    static constexpr std::size_t most_hops = 32;
    static constexpr std::size_t most_events = 64;  ///< between the hop that is ahead and the one that is behind
    /// Between copies of one message, by the clocks of the points of interception or by ours.
    static constexpr std::chrono::seconds apart{30};

  private:
    struct Hop {
        HopPlace place;  ///< of the first message
        std::uint64_t messages = 0;
    };
    struct Event {
        Digest name{};
        HopPlace::Times said;
        HopPlace::Times received;
    };
    struct Seen {
        std::vector<Hop> hops;
        std::vector<Event> events;  ///< the last ones
        std::uint64_t messages = 0;
    };
    [[nodiscard]] static std::uint64_t before(const Seen& seen, const HopPlace& place);
    [[nodiscard]] static bool may_be(const Event& event, const HopPlace& place);
    [[nodiscard]] TableKey with_way(const TableKey& content, const HopPlace& place);
    AgedTable<Seen> table_;
};

}  // namespace lihandover::ims
