#include "gate_report.hpp"

#include <spdlog/spdlog.h>

#include <chrono>
#include <optional>

namespace lihandover::delivery {

void GateReport::publish() {
    if (gate_.version() == published_) {
        return;
    }
    published_ = gate_.version();
    std::optional<metrics::Pause> reason;
    std::optional<model::Instant> next;
    const auto now = clock_.wall();
    if (gate_.mode() != Gate::Mode::open) {
        const auto wait = gate_.resume_at() - clock_.steady();
        next = model::Instant::from_micros(now.micros() +
                                           std::chrono::duration_cast<std::chrono::microseconds>(wait).count());
    }
    if (gate_.mode() == Gate::Mode::paused) {
        reason = gate_.reason();
    }
    board_.set_pause(reason, next, now);
}

void GateReport::log(std::string_view destination, std::string_view problem) {
    if (gate_.mode() == logged_) {
        return;
    }
    logged_ = gate_.mode();
    switch (logged_) {
        case Gate::Mode::open:
            spdlog::info("{} destination={}", words_.resumed, destination);
            break;
        case Gate::Mode::backing_off:
            spdlog::warn("{} destination={} problem=\"{}\"", words_.backs_off, destination, problem);
            break;
        case Gate::Mode::paused:
            spdlog::error("{} destination={} reason={} problem=\"{}\"", words_.paused, destination,
                          metrics::pause_names[static_cast<std::size_t>(gate_.reason())], problem);
            break;
    }
}

}  // namespace lihandover::delivery
