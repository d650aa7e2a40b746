#pragma once

#include <cstdint>
#include <string_view>

#include "destination_health.hpp"
#include "lihandover/model/clock.hpp"
#include "status_board.hpp"

namespace lihandover::delivery {

/// Tells of a state's moves: other threads by a status board, the operator by a line of the log for each. On the
/// state's thread.
class HealthReport {
  public:
    /// How the lines of the log begin.
    struct Words {
        std::string_view resumed;
        std::string_view backs_off;
        std::string_view paused;
    };

    HealthReport(const DestinationHealth& state, StatusBoard& board, const model::Clock& clock, const Words& words)
        : health_(state), board_(board), clock_(clock), words_(words) {}

    /// What the board says of a pause, and of when the next attempt is due.
    void publish();
    /// If the state has moved since the last line.
    ///   problem  what moved it; of our own words only
    void log(std::string_view destination, std::string_view problem);

  private:
    const DestinationHealth& health_;
    StatusBoard& board_;
    const model::Clock& clock_;
    Words words_;
    DestinationHealth::Mode logged_ = DestinationHealth::Mode::open;
    std::uint32_t published_ = 0;  ///< version of the state
};

}  // namespace lihandover::delivery
