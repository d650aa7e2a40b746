#pragma once

#include <chrono>
#include <cstdint>

#include "lihandover/model/time.hpp"

namespace lihandover::intake {

[[nodiscard]] constexpr model::Instant later(model::Instant from, std::chrono::milliseconds by) {
    constexpr std::int64_t second = 1'000'000'000;
    const std::int64_t nanos = from.nanos + by.count() % 1000 * 1'000'000;
    return {from.seconds + by.count() / 1000 + nanos / second, static_cast<std::int32_t>(nanos % second)};
}

}  // namespace lihandover::intake
