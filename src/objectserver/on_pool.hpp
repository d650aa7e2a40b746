#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <optional>
#include <utility>

namespace lihandover::objectserver {

/// Runs `work` on `pool` and gives what it returns to the coroutine that waits, on the coroutine's own executor. `work`
/// must not throw. Not cancellable: the coroutine goes on once `work` has ended, so both executors have to live and run
/// until then.
template <typename Result, typename Work>
boost::asio::awaitable<Result> on_pool(boost::asio::any_io_executor pool, Work work) {
    namespace asio = boost::asio;
    // Not as arguments of the operation: GCC 12 destroys such temporaries of a co_await twice.
    auto start = [pool, work](auto handler) {
        using Handler = decltype(handler);
        auto guard = asio::make_work_guard(asio::get_associated_executor(handler));
        // Posted functions are copied by some executors, handlers can only be moved.
        auto kept = std::make_shared<std::pair<Handler, decltype(guard)>>(std::move(handler), std::move(guard));
        asio::post(pool, [kept, work]() mutable {
            auto result = std::make_shared<std::optional<Result>>(work());
            auto executor = kept->second.get_executor();
            asio::post(executor, [kept = std::move(kept), result = std::move(result)] {
                auto finished = std::move(kept->first);
                kept->second.reset();
                finished(std::move(**result));
            });
        });
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(Result)>(std::move(start),
                                                                                          asio::use_awaitable);
}

}  // namespace lihandover::objectserver
