#include "health_report.hpp"

#include <spdlog/spdlog.h>

#include <chrono>
#include <optional>

namespace lihandover::delivery {

void HealthReport::publish() {
    if (health_.version() == published_) {
        return;
    }
    published_ = health_.version();
    std::optional<metrics::Pause> reason;
    std::optional<model::Instant> next;
    const auto now = clock_.wall();
    if (health_.mode() != DestinationHealth::Mode::open) {
        const auto wait = health_.resume_at() - clock_.steady();
        next = model::Instant::from_micros(now.micros() +
                                           std::chrono::duration_cast<std::chrono::microseconds>(wait).count());
    }
    if (health_.mode() == DestinationHealth::Mode::paused) {
        reason = health_.reason();
    }
    board_.set_pause(reason, next, now);
}

void HealthReport::log(std::string_view destination, std::string_view problem) {
    if (health_.mode() == logged_) {
        return;
    }
    logged_ = health_.mode();
    switch (logged_) {
        case DestinationHealth::Mode::open:
            spdlog::info("{} destination={}", words_.resumed, destination);
            break;
        case DestinationHealth::Mode::backing_off:
            spdlog::warn("{} destination={} problem=\"{}\"", words_.backs_off, destination, problem);
            break;
        case DestinationHealth::Mode::paused:
            spdlog::error("{} destination={} reason={} problem=\"{}\"", words_.paused, destination,
                          metrics::pause_names[static_cast<std::size_t>(health_.reason())], problem);
            break;
    }
}

}  // namespace lihandover::delivery
