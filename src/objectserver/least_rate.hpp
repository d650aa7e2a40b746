#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace lihandover::objectserver {

/// The rate a download has to reach.
struct LeastRate {
    std::uint64_t bytes_per_second = 0;  ///< on average since it started; 0: any rate will do
    std::chrono::milliseconds grace{};   ///< for that long it may be slower
};

/// Checks a download at intervals and ends it if it is too slow. On one thread.
class RateWatch {
  public:
    /// `given` tells how many bytes went out; `end` is called once, when they are too few. Neither is called after this
    /// object is destroyed.
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
