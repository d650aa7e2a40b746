#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace lihandover::intake {

/// Runs `work` on `workers` and gives what it returns, or throws what it throws, on the caller's executor. For what
/// blocks. It cannot be cancelled: what `work` refers to in the caller's frame is there until it has ended.
template <typename Work>
[[nodiscard]] boost::asio::awaitable<std::invoke_result_t<Work&>> run_on(boost::asio::any_io_executor workers,
                                                                         Work work) {
    namespace asio = boost::asio;
    std::optional<std::invoke_result_t<Work&>> result;
    std::exception_ptr thrown;
    const auto job = [&]() noexcept {
        try {
            result.emplace(work());
        } catch (...) {
            thrown = std::current_exception();
        }
    };
    const auto begin = [&workers, &job](auto handler) {
        auto guard = asio::make_work_guard(asio::get_associated_executor(handler));
        asio::post(workers, [&job, handler = std::move(handler), guard = std::move(guard)]() mutable {
            job();
            auto executor = guard.get_executor();
            asio::post(executor, [handler = std::move(handler), guard = std::move(guard)]() mutable { handler(); });
        });
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(begin, asio::use_awaitable);
    if (thrown) {
        std::rethrow_exception(thrown);
    }
    co_return std::move(*result);
}

}  // namespace lihandover::intake
