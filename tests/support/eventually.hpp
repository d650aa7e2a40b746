#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace lihandover::test {

/// Checks until `condition` holds. False after two minutes, which only a failing test takes.
[[nodiscard]] inline bool eventually(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
}

}  // namespace lihandover::test
