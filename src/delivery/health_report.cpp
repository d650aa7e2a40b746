#include "health_report.hpp"

#include <spdlog/spdlog.h>

#include <chrono>

namespace lihandover::delivery {

namespace {

using Mode = DestinationHealth::Mode;

constexpr std::chrono::seconds again(30);  ///< between two log lines about backing off

}  // namespace

void HealthReport::publish() {
    if (health_.version() == published_) {
        return;
    }
    published_ = health_.version();
    std::optional<model::Instant> next;
    const auto now = clock_.wall();
    if (health_.mode() != Mode::open && !health_.held()) {
        const auto wait = health_.resume_at() - clock_.steady();
        next = model::Instant::from_micros(now.micros() +
                                           std::chrono::duration_cast<std::chrono::microseconds>(wait).count());
    }
    board_.set_pause(health_.pause_reason(), next, now);
}

void HealthReport::log(std::string_view destination, std::string_view problem) {
    const Seen seen{health_.mode(), health_.held(), health_.pause_reason().has_value()};
    if (seen == logged_) {
        return;
    }
    if (seen.mode == Mode::backing_off && !seen.held) {
        const auto now = clock_.steady();
        if (backed_off_logged_ && now - *backed_off_logged_ < again) {
            return;
        }
        backed_off_logged_ = now;
    }
    logged_ = seen;
    if (const auto reason = health_.pause_reason()) {
        spdlog::error("{} destination={} reason={} problem=\"{}\"", words_.paused, destination,
                      metrics::pause_names[static_cast<std::size_t>(*reason)], problem);
        return;
    }
    switch (seen.mode) {
        case Mode::open:
            spdlog::info("{} destination={}", words_.resumed, destination);
            break;
        case Mode::waiting:
            spdlog::warn("{} destination={}", words_.waits, destination);
            break;
        case Mode::backing_off:
        case Mode::paused:
            spdlog::warn("{} destination={} problem=\"{}\"", words_.backs_off, destination, problem);
            break;
    }
}

}  // namespace lihandover::delivery
