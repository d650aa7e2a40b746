#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <list>
#include <memory>

#include "lihandover/http/server.hpp"

namespace lihandover::objectserver {

/// Lets so many do something at a time, the others in the order in which they came. On one thread.
class Turns {
  public:
    /// How often one that waits looks whether its client is still there.
    static constexpr std::chrono::milliseconds look_interval{500};

    explicit Turns(std::size_t most) : state_(std::make_shared<State>()) { state_->most = most; }

    class Turn;

    [[nodiscard]] std::size_t taken() const { return state_->taken; }
    [[nodiscard]] std::size_t waiting() const { return state_->queue.size(); }

  private:
    /// Shared, so that coroutines that are destroyed late find it.
    struct State {
        std::size_t most = 0;
        std::size_t taken = 0;
        std::list<Turn*> queue;
    };

    std::shared_ptr<State> state_;
};

/// A place among those who take turns. Given back, or out of the queue, when it is destroyed.
class Turns::Turn {
  public:
    Turn(const boost::asio::any_io_executor& executor, const Turns& turns) : timer_(executor), state_(turns.state_) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn();

    /// Waits until it is its turn; false when the client went away before. Once. Cancellable by Asio's means
    /// (operation_aborted is thrown).
    [[nodiscard]] boost::asio::awaitable<bool> come(http::Exchange& exchange);

  private:
    boost::asio::steady_timer timer_;
    std::shared_ptr<State> state_;
    bool waits_ = false;
    bool has_ = false;
};

}  // namespace lihandover::objectserver
