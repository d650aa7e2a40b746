#include "lihandover/model/clock.hpp"

#include <ctime>

namespace lihandover::model {

namespace {

class SystemClock final : public Clock {
  public:
    Instant wall() const override {
        timespec now{};
        ::clock_gettime(CLOCK_REALTIME, &now);
        return {now.tv_sec, static_cast<std::int32_t>(now.tv_nsec)};
    }
    SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace

const Clock& system_clock() {
    static const SystemClock clock;
    return clock;
}

}  // namespace lihandover::model
