#include "clock_record.hpp"

#include <cstdio>
#include <fstream>

namespace lihandover::app {

std::optional<model::Instant> ClockRecord::read() const {
    std::ifstream file(path_);
    std::string text;
    if (!std::getline(file, text)) {
        return std::nullopt;
    }
    const auto time = model::parse_rfc3339(text);
    return time ? std::optional(time->instant) : std::nullopt;
}

void ClockRecord::write(model::Instant trusted) const {
    const std::lock_guard lock(writing_);
    const std::string fresh = path_ + ".new";
    {
        std::ofstream file(fresh, std::ios::trunc);
        file << model::to_microsecond_date_time(trusted) << '\n';
        if (!file.flush()) {
            return;
        }
    }
    (void)std::rename(fresh.c_str(), path_.c_str());
}

}  // namespace lihandover::app
