#include "lihandover/base/task_group.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <memory>
#include <utility>

#include "lihandover/base/invariant.hpp"

namespace lihandover::base {

namespace asio = boost::asio;

/// One coroutine, owned by its completion handler: destroyed when the coroutine has ended, or with the context.
struct TaskGroup::Task : Linked {
    explicit Task(TaskGroup& owner) : group(owner) { group.tasks_.push_back(*this); }
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;
    ~Task() { group.ended(*this); }

    TaskGroup& group;
    asio::cancellation_signal signal;
};

struct TaskGroup::Waiter : Linked {
    explicit Waiter(TaskGroup& owner) : group(owner), timer(owner.executor_) { group.waiters_.push_back(*this); }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() { group.waiters_.erase(group.waiters_.iterator_to(*this)); }

    TaskGroup& group;
    asio::steady_timer timer;
};

namespace {

void rethrow_failure(const std::exception_ptr& failure) {
    if (!failure) {
        return;
    }
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        if (error.code() != asio::error::operation_aborted) {
            throw;
        }
    }
}

}  // namespace

TaskGroup::TaskGroup(asio::any_io_executor executor) : executor_(std::move(executor)) {}

TaskGroup::~TaskGroup() {
    LIHANDOVER_INVARIANT(tasks_.empty(), "a task group is empty when it goes");
    LIHANDOVER_INVARIANT(waiters_.empty(), "nobody waits for a task group that goes");
}

bool TaskGroup::spawn(asio::awaitable<void> task) {
    if (closed_) {
        return false;
    }
    auto entry = std::make_unique<Task>(*this);
    const asio::cancellation_slot slot = entry->signal.slot();
    asio::co_spawn(
        executor_, std::move(task),
        asio::bind_cancellation_slot(slot, [entry = std::move(entry)](const std::exception_ptr& failure) mutable {
            entry.reset();
            rethrow_failure(failure);
        }));
    return true;
}

void TaskGroup::stop() {
    closed_ = true;
    for (auto at = tasks_.begin(); at != tasks_.end();) {
        auto& task = static_cast<Task&>(*at++);
        task.signal.emit(asio::cancellation_type::terminal);
    }
}

void TaskGroup::ended(Task& task) {
    tasks_.erase(tasks_.iterator_to(task));
    if (tasks_.empty()) {
        for (Linked& waiter : waiters_) {
            static_cast<Waiter&>(waiter).timer.cancel();
        }
    }
}

asio::awaitable<bool> TaskGroup::wait_until(std::chrono::steady_clock::time_point limit) {
    Waiter waiter(*this);
    waiter.timer.expires_at(limit);
    while (!tasks_.empty()) {
        const auto [error] = co_await waiter.timer.async_wait(asio::as_tuple(asio::use_awaitable));
        if (!error) {
            break;
        }
    }
    co_return tasks_.empty();
}

asio::awaitable<void> TaskGroup::wait() {
    static_cast<void>(co_await wait_until(std::chrono::steady_clock::time_point::max()));
}

asio::awaitable<bool> TaskGroup::wait_for(std::chrono::steady_clock::duration limit) {
    return wait_until(std::chrono::steady_clock::now() + limit);
}

}  // namespace lihandover::base
