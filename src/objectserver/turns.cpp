#include "turns.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace lihandover::objectserver {

namespace asio = boost::asio;

Turns::Turn::~Turn() {
    if (waits_) {
        state_->queue.remove(this);
    }
    if (!has_) {
        return;
    }
    if (state_->queue.empty()) {
        --state_->taken;
        return;
    }
    Turn& next = *state_->queue.front();
    state_->queue.pop_front();
    next.waits_ = false;
    next.has_ = true;
    next.timer_.cancel();
}

asio::awaitable<bool> Turns::Turn::come(http::Exchange& exchange) {
    if (state_->taken < state_->most) {
        ++state_->taken;
        has_ = true;
        co_return true;
    }
    state_->queue.push_back(this);
    waits_ = true;
    while (!has_) {
        boost::system::error_code error;
        timer_.expires_after(look_interval);
        co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
        if (has_) {
            break;
        }
        if (error) {
            throw boost::system::system_error{error};  // cancelled by Asio's means
        }
        if (exchange.gone()) {
            co_return false;
        }
    }
    co_return true;
}

}  // namespace lihandover::objectserver
