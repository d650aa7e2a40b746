#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/store/types.hpp"

namespace lihandover::delivery {

/// Which lanes come first.
enum class BacklogOrder : std::uint8_t {
    items,  ///< those with the most items
    age,    ///< those whose first item was queued first
};

/// What a lane with items is about.
enum class LaneState : std::uint8_t {
    ready,      ///< goes in its turn, when the destination takes anything
    resting,    ///< its first item failed, and waits for its next attempt
    in_flight,  ///< a message with one of its items waits for the answer
    preparing,  ///< a binary object of its first item is still being copied
};
inline constexpr std::array<std::string_view, 4> lane_state_names = {"ready", "resting", "in_flight", "preparing"};

/// One warrant's items that are queued, those in flight included; neither those that are set aside nor those that wait
/// for people.
struct LaneBacklog {
    std::string destination;
    std::string liid;
    std::uint64_t items = 0;
    std::uint64_t emergencies = 0;  ///< of them
    LaneState state{};
    store::ListPlace first;  ///< where the one is that was queued first
};

struct Backlog {
    std::vector<LaneBacklog> lanes;   ///< the first of them, in the order asked for
    std::uint64_t lanes_waiting = 0;  ///< how many have any items
};

struct BacklogRequest {
    BacklogOrder order{};
    std::size_t limit = 0;  ///< at most so many lanes
};
using BacklogDone = std::function<void(Backlog)>;

}  // namespace lihandover::delivery
