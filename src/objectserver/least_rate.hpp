#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace lihandover::objectserver {

/// What a download has to reach.
struct LeastRate {
    std::uint64_t bytes_per_second = 0;  ///< on average since it began; 0: anything will do
    std::chrono::milliseconds grace{};   ///< that long it may be slower
};

/// Looks at a download now and then and ends it where it is too slow. On one thread.
class RateWatch {
  public:
    /// `given` tells how many bytes went out; `end` is called once, when they are too few. Neither after this is gone.
    RateWatch(const boost::asio::any_io_executor& executor, LeastRate least, std::function<std::uint64_t()> given,
              std::function<void()> end);
    RateWatch(const RateWatch&) = delete;
    RateWatch& operator=(const RateWatch&) = delete;
    ~RateWatch();

    [[nodiscard]] bool ended() const;

  private:
    struct State;
    static void look_again(const std::shared_ptr<State>& state);

    std::shared_ptr<State> state_;
};

}  // namespace lihandover::objectserver
