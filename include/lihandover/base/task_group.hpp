#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstddef>

namespace lihandover::base {

/// Coroutines that somebody owns: they are started here, told to stop together, and waited for. What they refer to may
/// go once wait() has returned.
///
/// All calls come from the group's executor, which is a strand or belongs to one thread, and all coroutines run there.
/// A group is empty when it is destroyed (an invariant), so no coroutine of it may own it. A coroutine that throws
/// anything but the abort of a cancelled operation ends the executor's run() with it.
class TaskGroup {
  public:
    explicit TaskGroup(boost::asio::any_io_executor executor);
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;
    ~TaskGroup();

    /// Starts a coroutine. After stop() it is dropped unstarted, and the answer is false.
    bool spawn(boost::asio::awaitable<void> task);

    /// Takes no more coroutines from now on; running ones are left alone.
    void close() { closed_ = true; }
    /// close(), and cancels what each coroutine waits for (cancellation_type::terminal). What cannot be cancelled ends
    /// by itself. To cancel coroutines started later, call it again.
    void stop();
    [[nodiscard]] bool closed() const { return closed_; }

    /// Coroutines that have not ended.
    [[nodiscard]] std::size_t size() const { return tasks_.size(); }
    [[nodiscard]] bool empty() const { return tasks_.empty(); }

    /// Returns once none is left. Several may wait, but none of the group's own coroutines may.
    [[nodiscard]] boost::asio::awaitable<void> wait();
    /// As wait(), for at most `limit`; false if some are left then.
    [[nodiscard]] boost::asio::awaitable<bool> wait_for(std::chrono::steady_clock::duration limit);

  private:
    struct Task;
    struct Waiter;
    using Hook = boost::intrusive::list_base_hook<>;
    struct Linked : Hook {};

    [[nodiscard]] boost::asio::awaitable<bool> wait_until(std::chrono::steady_clock::time_point limit);
    void ended(Task& task);

    boost::asio::any_io_executor executor_;
    boost::intrusive::list<Linked> tasks_;
    boost::intrusive::list<Linked> waiters_;
    bool closed_ = false;
};

}  // namespace lihandover::base
