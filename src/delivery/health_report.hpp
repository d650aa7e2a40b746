#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "destination_health.hpp"
#include "lihandover/model/clock.hpp"
#include "status_board.hpp"

namespace lihandover::delivery {

/// Reports a destination's state changes: to other threads by a status board, to the operator by one log line each. On
/// the delivery thread.
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

    /// What the board says about a pause, and when the next attempt is due.
    void publish();
    /// Logs a change since the last line, if there was one. Backing off and coming back are logged only once in a
    /// while: if one node of several is broken, they may alternate all the time.
    ///   problem  what caused it, in our own words only
    void log(std::string_view destination, std::string_view problem);

  private:
    /// What the log lines are about.
    struct Seen {
        DestinationHealth::Mode mode = DestinationHealth::Mode::open;
        bool held = false;
        bool paused = false;
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
