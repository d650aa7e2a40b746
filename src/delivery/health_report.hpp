#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "destination_health.hpp"
#include "lihandover/model/clock.hpp"
#include "status_board.hpp"

namespace lihandover::delivery {

/// Tells of a destination's moves: other threads by a status board, the operator by a line of the log for each. On the
/// delivery thread.
class HealthReport {
  public:
    /// How the lines of the log begin.
    struct Words {
        std::string_view resumed;
        std::string_view backs_off;
        std::string_view paused;
        std::string_view waits;
    };

    HealthReport(const DestinationHealth& health, StatusBoard& board, const model::Clock& clock, const Words& words)
        : health_(health), board_(board), clock_(clock), words_(words) {}

    /// What the board says of a pause, and of when the next attempt is due.
    void publish();
    /// If the destination has moved since the last line. Backing off and coming back are told of once in a while only:
    /// where one node of several is broken, they may alternate all the time.
    ///   problem  what moved it; of our own words only
    void log(std::string_view destination, std::string_view problem);

  private:
    /// What the log speaks of.
    struct Seen {
        DestinationHealth::Mode mode = DestinationHealth::Mode::open;
        bool held = false;
        friend bool operator==(const Seen&, const Seen&) = default;
    };

    const DestinationHealth& health_;
    StatusBoard& board_;
    const model::Clock& clock_;
    Words words_;
    Seen logged_;
    std::optional<DestinationHealth::Time> backed_off_logged_;
    std::uint32_t published_ = 0;  ///< version of the health
};

}  // namespace lihandover::delivery
