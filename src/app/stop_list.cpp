#include "stop_list.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <iterator>
#include <memory>

namespace lihandover::app {

namespace {

namespace asio = boost::asio;

/// Shared with a part that may stop after it was abandoned.
struct Waiting {
    explicit Waiting(const asio::any_io_executor& executor) : timer(executor) {}
    asio::steady_timer timer;
    bool stopped = false;
};

}  // namespace

asio::awaitable<bool> StopList::stop(StopTime time) {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    bool all = true;
    // Kept to the end: an abandoned one still runs.
    for (auto next = stops_.rbegin(); next != stops_.rend(); ++next) {
        const auto waiting = std::make_shared<Waiting>(executor);
        const bool last = std::next(next) == stops_.rend();
        waiting->timer.expires_after(last ? time.left_and(beyond) : time.left() + patience);
        asio::co_spawn(executor, (*next)(time), [waiting](const std::exception_ptr& thrown) {
            waiting->stopped = !thrown;
            waiting->timer.cancel();
        });
        boost::system::error_code ignored;
        co_await waiting->timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        all = all && waiting->stopped;
    }
    co_return all;
}

}  // namespace lihandover::app
