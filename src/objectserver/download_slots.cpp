#include "download_slots.hpp"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace lihandover::objectserver {

namespace asio = boost::asio;

DownloadSlots::DownloadSlots(std::size_t all) : state_(std::make_shared<State>()) {
    state_->all = all;
    state_->share = all;
}

void DownloadSlots::divide(std::size_t destinations) {
    state_->share = std::max<std::size_t>(state_->all / std::max<std::size_t>(destinations, 1), 1);
    for (auto& [name, share] : state_->destinations) {
        state_->grant(share);
    }
}

std::size_t DownloadSlots::taken() const {
    std::size_t sum = 0;
    for (const auto& [name, share] : state_->destinations) {
        sum += share.taken;
    }
    return sum;
}

std::size_t DownloadSlots::waiting() const {
    std::size_t sum = 0;
    for (const auto& [name, share] : state_->destinations) {
        sum += share.queue.size();
    }
    return sum;
}

void DownloadSlots::State::grant(Share& share_of) const {
    while (share_of.taken < share && !share_of.queue.empty()) {
        Slot& next = *share_of.queue.front();
        share_of.queue.pop_front();
        ++share_of.taken;
        next.waits_ = false;
        next.has_ = true;
        next.timer_.cancel();
    }
}

DownloadSlots::Slot::~Slot() {
    if (!waits_ && !has_) {
        return;
    }
    const auto found = state_->destinations.find(destination_);
    Share& share = found->second;
    if (waits_) {
        share.queue.remove(this);
    }
    if (has_) {
        --share.taken;
        state_->grant(share);
    }
    if (share.taken == 0 && share.queue.empty()) {
        state_->destinations.erase(found);
    }
}

asio::awaitable<bool> DownloadSlots::Slot::take(http::Exchange& exchange) {
    Share& share = state_->destinations[destination_];
    share.queue.push_back(this);
    waits_ = true;
    state_->grant(share);
    while (!has_) {
        boost::system::error_code error;
        timer_.expires_after(look_interval);
        co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
        if (has_) {
            break;
        }
        if (error) {
            throw boost::system::system_error{error};  // cancelled through Asio
        }
        if (exchange.gone()) {
            co_return false;
        }
    }
    co_return true;
}

}  // namespace lihandover::objectserver
