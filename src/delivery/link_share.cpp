#include "link_share.hpp"

#include <algorithm>
#include <chrono>

namespace lihandover::delivery {

namespace {

constexpr std::uint64_t least_step = 512;
/// At least so many grants per second under a limit: a slow link is fed evenly rather than with a quantum every minute,
/// which the peer might take for a stalled connection.
constexpr std::uint64_t steps_per_second = 10;
/// How much may be caught up on after the thread was busy elsewhere: 20 ms worth.
constexpr std::uint64_t bursts_per_second = 50;

}  // namespace

void LinkShare::limit(std::optional<std::uint64_t> rate, Time now) {
    if (rate == rate_) {
        return;
    }
    rate_ = rate;
    step_ = quantum;
    if (rate_) {
        step_ = std::clamp<std::uint64_t>(*rate_ / steps_per_second, least_step, quantum);
        capacity_ = static_cast<double>(std::max(step_, *rate_ / bursts_per_second));
        tokens_ = 0;
        filled_at_ = now;
    }
}

void LinkShare::ask(Member& member, std::uint64_t bytes) {
    if (member.asking) {
        return;
    }
    member.asking = true;
    member.wanted = bytes;
    // An upload with nothing to send has saved nothing up.
    member.virtual_time = std::max(member.virtual_time, virtual_now_);
    asking_.push_back(&member);
}

void LinkShare::leave(Member& member) {
    if (member.asking) {
        std::erase(asking_, &member);
        member.asking = false;
    }
}

LinkShare::Member* LinkShare::small_one() const {
    Member* found = nullptr;
    for (auto* member : asking_) {
        if (member->small && (found == nullptr || (member->emergency && !found->emergency))) {
            found = member;
        }
    }
    return found;
}

LinkShare::Member* LinkShare::large_one() const {
    Member* found = nullptr;
    for (auto* member : asking_) {
        if (!member->small && (found == nullptr || member->virtual_time < found->virtual_time)) {
            found = member;
        }
    }
    return found;
}

LinkShare::Grant LinkShare::next(Time now) {
    auto* const small = small_one();
    auto* const large = large_one();
    auto* const member = small != nullptr && (large == nullptr || run_ < small_run) ? small : large;
    if (member == nullptr) {
        return {};
    }
    const auto bytes = std::min(member->wanted, step_);
    if (rate_) {
        const auto rate = static_cast<double>(*rate_);
        const auto needed = static_cast<double>(bytes);
        const std::chrono::duration<double> passed = std::max(now, filled_at_) - filled_at_;
        tokens_ = std::min(tokens_ + rate * passed.count(), capacity_);
        filled_at_ = std::max(now, filled_at_);
        if (tokens_ < needed) {
            const std::chrono::duration<double> wait((needed - tokens_) / rate);
            return {nullptr, 0, now + std::chrono::ceil<std::chrono::microseconds>(wait)};
        }
        tokens_ -= needed;
    }
    leave(*member);
    if (member == small) {
        run_ = large != nullptr ? run_ + 1 : 0;
    } else {
        run_ = 0;
        virtual_now_ = member->virtual_time;
        member->virtual_time += bytes * emergency_weight / (member->emergency ? emergency_weight : 1);
    }
    return {member, static_cast<std::size_t>(bytes), std::nullopt};
}

}  // namespace lihandover::delivery
