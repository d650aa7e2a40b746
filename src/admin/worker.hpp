#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace lihandover::admin {

/// A completion handler that may be called once, from any thread, through a copyable callable; it runs on its own
/// executor, which is kept alive meanwhile.
template <typename Handler>
class HomeBound {
  public:
    explicit HomeBound(Handler handler) : kept_(std::make_shared<Kept>(std::move(handler))) {}

    template <typename... Arguments>
    void operator()(Arguments... arguments) const {
        auto executor = kept_->work.get_executor();
        boost::asio::post(executor, [kept = kept_, ... moved = std::move(arguments)]() mutable {
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

/// Runs `function` on `executor` (a strand of the worker pool) and gives what it returns on the caller's own executor.
/// What `function` refers to has to live until then, also when the caller is cancelled: it is not, see Admin::stop.
template <typename Executor, typename Function>
boost::asio::awaitable<std::invoke_result_t<Function&>> run_on(Executor executor, Function function) {
    using Value = std::invoke_result_t<Function&>;
    auto initiation = [](auto handler, const Executor& where, Function what) {
        HomeBound<decltype(handler)> home(std::move(handler));
        boost::asio::post(where, [home, what = std::move(what)]() mutable {
            std::exception_ptr failure;
            std::optional<Value> value;
            try {
                value.emplace(what());
            } catch (...) {
                failure = std::current_exception();
            }
            home(failure, std::move(value));
        });
    };
    auto value = co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>,
                                                      void(std::exception_ptr, std::optional<Value>)>(
        initiation, boost::asio::use_awaitable, std::move(executor), std::move(function));
    co_return std::move(*value);
}

}  // namespace lihandover::admin
