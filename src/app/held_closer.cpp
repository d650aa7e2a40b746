#include "held_closer.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace lihandover::app {

namespace {

constexpr std::chrono::milliseconds pause{20};
constexpr std::chrono::milliseconds after_failure{200};

bool same(const admin::RevokeRequest& one, const admin::RevokeRequest& other) {
    return one.destination == other.destination && one.liid == other.liid;
}

}  // namespace

HeldCloser::HeldCloser(Surroundings surroundings, std::chrono::milliseconds waits)
    : around_(std::move(surroundings)), waits_(waits), timer_(around_.io) {}

void HeldCloser::end(bool holds) {
    const admin::RevokeRequest request = *std::exchange(begun_, std::nullopt);
    if (!holds) {
        return;
    }
    std::erase_if(closing_, [&](const Closing& one) { return same(one.of, request); });
    closing_.push_back({request, around_.clock.steady()});
    if (!looking_ && !telling_) {
        look();
    }
}

bool HeldCloser::may_load() const {
    const auto waits = [now = around_.clock.steady()](const Closing& one) { return now - one.since < patience; };
    return std::ranges::none_of(closing_, waits);
}

void HeldCloser::stop() {
    stopped_ = true;
    timer_.cancel();
}

void HeldCloser::look() {
    looking_ = false;
    if (stopped_ || closing_.empty()) {
        return;
    }
    if (around_.none_before()) {
        tell();
    } else {
        look_after(pause);
    }
    around_.changed();
}

void HeldCloser::look_after(std::chrono::milliseconds time) {
    looking_ = true;
    timer_.expires_after(time);
    timer_.async_wait([this](const boost::system::error_code&) { look(); });
}

void HeldCloser::tell() {
    telling_ = true;
    // The store may hang: what then may go on is looked for.
    timer_.expires_after(waits_);
    timer_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled && telling_) {
            around_.changed();
        }
    });
    std::vector<admin::RevokeRequest> all;
    for (const Closing& one : closing_) {
        if (!begun_ || !same(one.of, *begun_)) {
            all.push_back(one.of);
        }
    }
    around_.settle([this, all = std::move(all)](bool settled) {
        if (settled) {
            around_.tell(all, [this](const std::vector<admin::RevokeRequest>& done) { told(done); });
        } else {
            told({});
        }
    });
}

void HeldCloser::told(const std::vector<admin::RevokeRequest>& done) {
    telling_ = false;
    std::erase_if(closing_, [&](const Closing& one) {
        return std::ranges::any_of(done, [&](const auto& other) { return same(one.of, other); });
    });
    if (!closing_.empty() && !stopped_) {
        look_after(done.empty() ? after_failure : pause);
    } else {
        timer_.cancel();
    }
    around_.changed();
}

}  // namespace lihandover::app
