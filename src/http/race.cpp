#include "race.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <utility>

namespace lihandover::http {
namespace {

namespace asio = boost::asio;

/// How informative a failure is: one about certificates concerns an operator; otherwise the attempt that got further
/// counts.
int weight(const Failure& failure) {
    return failure.kind == FailureKind::certificate ? 100 : static_cast<int>(failure.phase);
}

}  // namespace

Race::Race(const Executor& executor, std::shared_ptr<const Route> route, std::vector<Endpoint> addresses,
           Clock::duration head_start)
    : executor_(executor),
      route_(std::move(route)),
      addresses_(std::move(addresses)),
      head_start_(head_start),
      wake_(executor) {}

bool Race::is_over() const {
    return cancelled_ || winner_ || (next_ == addresses_.size() && running_.empty());
}

asio::awaitable<Race::Outcome> Race::run(std::shared_ptr<Race> self) {
    while (!self->is_over()) {
        const bool more = self->next_ < self->addresses_.size();
        if (more && (self->running_.empty() || Clock::now() >= self->next_at_)) {
            self->start_next();
            continue;
        }
        self->wake_.expires_at(more ? self->next_at_ : Clock::time_point::max());
        const auto news = self->news_;
        boost::system::error_code error;
        co_await self->wake_.async_wait(asio::redirect_error(asio::use_awaitable, error));
        if (error && news == self->news_ && !self->cancelled_) {
            self->stop();
            throw boost::system::system_error{error};  // cancelled through Asio
        }
    }
    self->stop();
    co_return self->outcome();
}

void Race::cancel() {
    cancelled_ = true;
    wake_.cancel();
}

void Race::start_next() {
    Attempt attempt{addresses_[next_], std::make_shared<Transport>(executor_)};
    ++next_;
    next_at_ = Clock::now() + head_start_;
    running_.push_back(attempt);
    asio::co_spawn(executor_, dial(attempt.transport, route_, attempt.address),
                   [weak = weak_from_this(), transport = attempt.transport](const std::exception_ptr& thrown,
                                                                            std::optional<Failure> failure) {
                       const auto self = weak.lock();
                       if (!self) {
                           return;
                       }
                       if (thrown) {
                           failure.emplace();
                           failure->message = "connecting failed for want of memory or descriptors";
                       }
                       self->ended(transport, std::move(failure));
                   });
}

void Race::ended(const std::shared_ptr<Transport>& transport, std::optional<Failure> failure) {
    const auto attempt = std::ranges::find(running_, transport, &Attempt::transport);
    if (attempt == running_.end()) {
        return;  // stopped meanwhile
    }
    if (!failure) {
        winner_ = *attempt;
        for (auto earlier = running_.begin(); earlier != attempt; ++earlier) {
            overtaken_.push_back(earlier->address);
        }
    } else {
        failed_.push_back(attempt->address);
        if (!failure_ || weight(*failure) > weight(*failure_)) {
            failure_ = std::move(failure);
        }
        next_at_ = Clock::now();
    }
    running_.erase(attempt);
    ++news_;
    wake_.cancel();
}

void Race::stop() {
    for (const auto& attempt : std::exchange(running_, {})) {
        attempt.transport->close();
    }
}

Race::Outcome Race::outcome() {
    Outcome outcome;
    if (cancelled_) {
        outcome.failure.kind = FailureKind::cancelled;
        outcome.failure.message = "closed by us";
        if (winner_) {
            winner_->transport->close();
        }
        return outcome;
    }
    outcome.failed = std::move(failed_);
    outcome.overtaken = std::move(overtaken_);
    if (winner_) {
        outcome.winner = winner_->transport;
        outcome.address = winner_->address;
    } else if (failure_) {
        outcome.failure = std::move(*failure_);
    } else {
        outcome.failure.message = "nobody there";
    }
    return outcome;
}

}  // namespace lihandover::http
