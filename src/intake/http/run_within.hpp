#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace lihandover::intake {

/// As base::run_on, for a disk that may hang: nullopt if the work has not ended by `deadline`. The work then goes on,
/// so it must own everything it uses. Work that throws ends the program.
template <typename Work>
[[nodiscard]] boost::asio::awaitable<std::optional<std::invoke_result_t<Work&>>> run_within(
    boost::asio::any_io_executor workers, std::chrono::steady_clock::time_point deadline, Work work) {
    namespace asio = boost::asio;
    struct Shared {
        Shared(const asio::any_io_executor& home, std::chrono::steady_clock::time_point until) : timer(home, until) {}
        asio::steady_timer timer;
        std::optional<std::invoke_result_t<Work&>> result;
    };
    const auto home = co_await asio::this_coro::executor;
    const auto shared = std::make_shared<Shared>(home, deadline);
    asio::post(workers, [shared, work = std::move(work), guard = asio::make_work_guard(home)]() mutable {
        auto result = std::make_shared<std::invoke_result_t<Work&>>(work());
        asio::post(guard.get_executor(), [shared, result] {
            shared->result = std::move(*result);
            shared->timer.cancel();
        });
    });
    boost::system::error_code error;
    co_await shared->timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    co_return std::move(shared->result);
}

}  // namespace lihandover::intake
