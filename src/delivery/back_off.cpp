#include "back_off.hpp"

#include <algorithm>
#include <cstdint>

#include "lihandover/model/uuid.hpp"

namespace lihandover::delivery {

std::chrono::milliseconds back_off(unsigned failures, std::chrono::milliseconds initial,
                                   std::chrono::milliseconds maximum, double dice) {
    auto delay = initial;
    for (unsigned i = 1; i < failures && delay < maximum; ++i) {
        delay *= 2;
    }
    delay = std::min(delay, maximum);
    const auto less = static_cast<std::int64_t>(static_cast<double>(delay.count()) * dice / 2.0);
    return std::max(delay - std::chrono::milliseconds(less), std::chrono::milliseconds(1));
}

double jitter_dice() {
    static constexpr std::uint64_t sides = std::uint64_t{1} << 20;
    return static_cast<double>(model::random_below(sides)) / static_cast<double>(sides);
}

}  // namespace lihandover::delivery
