#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "lihandover/base/invariant.hpp"

// Work on another executor, and the return. Neither can be cancelled: the caller resumes once the work has ended, so
// both executors, and everything the work refers to, have to live and run until then.

namespace lihandover::base {

/// Makes an Asio completion handler a copyable callable that any thread may call, once. The handler runs on its own
/// executor, which is kept from running out of work meanwhile. For callbacks of std::function.
template <typename Handler>
class ReturningHandler {
  public:
    explicit ReturningHandler(Handler handler) : kept_(std::make_shared<Kept>(std::move(handler))) {}

    template <typename... Results>
    void operator()(Results... results) const {
        LIHANDOVER_INVARIANT(kept_->work.owns_work(), "a completion handler is called once");
        auto executor = kept_->work.get_executor();
        boost::asio::post(executor, [kept = kept_, ... moved = std::move(results)]() mutable {
            auto handler = std::move(kept->handler);
            kept->work.reset();
            handler(std::move(moved)...);
        });
    }

  private:
    struct Kept {
        explicit Kept(Handler taken) : handler(std::move(taken)), work(boost::asio::get_associated_executor(handler)) {}
        Handler handler;
        boost::asio::executor_work_guard<boost::asio::associated_executor_t<Handler>> work;
    };
    std::shared_ptr<Kept> kept_;
};

/// What a callback with these arguments returns: nothing, the one, or a tuple.
template <typename... Results>
struct CallbackResultOf {
    using Type = std::tuple<Results...>;
};
template <typename Result>
struct CallbackResultOf<Result> {
    using Type = Result;
};
template <>
struct CallbackResultOf<> {
    using Type = void;
};
template <typename... Results>
using CallbackResult = typename CallbackResultOf<Results...>::Type;

/// Awaits an operation that reports its end by a callback: `start(done)` starts it, and `done(results…)` may be called
/// once, from any thread. Returns the result on the caller's executor, as a tuple if there are several. The first
/// result must not be an exception_ptr or error_code: Asio would throw it.
///     auto [outcome, count] = co_await await_callback<Outcome, std::size_t>([&](auto done) { begin(done); });
template <typename... Results, typename Start>
[[nodiscard]] boost::asio::awaitable<CallbackResult<Results...>> await_callback(Start start) {
    // Moved out first: the caller may resume elsewhere, and its frame end, before `start` returns.
    const auto initiation = [&start](auto handler) {
        auto begin = std::move(start);
        begin(ReturningHandler<decltype(handler)>(std::move(handler)));
    };
    co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(Results...)>(
        initiation, boost::asio::use_awaitable);
}

/// Runs `work` on `executor`, usually a pool, and returns what it returns, or throws what it throws, on the caller's
/// executor. For what blocks or takes long.
template <typename Work>
[[nodiscard]] boost::asio::awaitable<std::invoke_result_t<Work&>> run_on(boost::asio::any_io_executor executor,
                                                                         Work work) {
    using Result = std::invoke_result_t<Work&>;
    using Kept = std::conditional_t<std::is_void_v<Result>, std::monostate, Result>;
    // Everything is in this frame, which waits until the work has ended.
    std::optional<Kept> result;
    std::exception_ptr thrown;
    const auto job = [&]() noexcept {
        try {
            if constexpr (std::is_void_v<Result>) {
                work();
            } else {
                result.emplace(work());
            }
        } catch (...) {
            thrown = std::current_exception();
        }
    };
    const auto initiation = [&executor, &job](auto handler) {
        const auto where = std::move(executor);
        auto home = boost::asio::make_work_guard(boost::asio::get_associated_executor(handler));
        boost::asio::post(where, [&job, handler = std::move(handler), home = std::move(home)]() mutable {
            job();
            const auto back = home.get_executor();
            boost::asio::post(back, [handler = std::move(handler), home = std::move(home)]() mutable { handler(); });
        });
    };
    co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(initiation,
                                                                                       boost::asio::use_awaitable);
    if (thrown) {
        std::rethrow_exception(thrown);
    }
    if constexpr (!std::is_void_v<Result>) {
        co_return std::move(*result);
    }
}

}  // namespace lihandover::base
