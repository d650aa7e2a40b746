#include "x2x3/source_log.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace lihandover::intake {

void SourceLog::warn_once(std::string_view what) {
    if (said_.emplace(what).second) {
        spdlog::warn("{}; it is said once source={}", what, source_);
    }
}

void SourceLog::warn_once(std::string_view what, std::size_t number) {
    std::set<std::size_t>& numbers = numbers_[std::string(what)];
    if (numbers.size() < most_numbers && numbers.insert(number).second) {
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
