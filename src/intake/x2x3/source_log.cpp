#include "x2x3/source_log.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace lihandover::intake {

bool SourceLog::is_new(std::string what) {
    return said_.size() < most && said_.insert(std::move(what)).second;
}

void SourceLog::warn_once(std::string_view what) {
    if (is_new(std::string(what))) {
        spdlog::warn("{}; it is said once source={}", what, source_);
    }
}

void SourceLog::warn_once(std::string_view what, std::size_t number) {
    if (is_new(std::string(what) + ' ' + std::to_string(number))) {
        spdlog::warn("{}; it is said once source={} number={}", what, source_, number);
    }
}

void SourceLog::warn_changed(std::string_view what) {
    if (state_ != what) {
        state_ = what;
        spdlog::warn("{} source={}", what, source_);
    }
}

void SourceLog::good(std::string_view what) {
    if (!state_.empty()) {
        state_.clear();
        spdlog::info("{} source={}", what, source_);
    }
}

}  // namespace lihandover::intake
