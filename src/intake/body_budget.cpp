#include "lihandover/intake/body_budget.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

namespace lihandover::intake {

namespace asio = boost::asio;

// In the list as long as it waits; taken off when granted, or when the waiting coroutine ends for another reason.
struct BodyBudget::Waiter {
    Waiter(BodyBudget& its_budget, const Share& its_share, std::size_t its_octets)
        : budget(its_budget),
          share(its_share),
          octets(its_octets),
          timer(its_budget.executor_, asio::steady_timer::time_point::max()),
          place(its_budget.waiting_.insert(its_budget.waiting_.end(), this)) {}
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() {
        if (!granted) {
            budget.waiting_.erase(place);
        }
    }

    BodyBudget& budget;
    const Share& share;
    std::size_t octets;
    bool granted = false;
    asio::steady_timer timer;
    std::list<Waiter*>::iterator place;
};

BodyBudget::BodyBudget(asio::any_io_executor executor, std::size_t octets, std::size_t exempt)
    : executor_(std::move(executor)), octets_(octets), exempt_(exempt) {}

void BodyBudget::wake() {
    while (!waiting_.empty()) {
        Waiter& first = *waiting_.front();
        if (held_ + first.octets > octets_) {
            if (privileged_ != nullptr) {
                return;
            }
            privileged_ = &first.share;
        }
        // Taken here and not when the coroutine runs again: what is granted must count for the next in line.
        held_ += first.octets;
        first.granted = true;
        waiting_.pop_front();
        first.timer.cancel();
    }
}

BodyBudget::Share::Share(BodyBudget& budget) : budget_(budget) {}

BodyBudget::Share::~Share() {
    budget_.held_ -= held_;
    if (budget_.privileged_ == this) {
        budget_.privileged_ = nullptr;
    }
    budget_.wake();
}

asio::awaitable<void> BodyBudget::Share::take(std::size_t octets) {
    const bool exempt = held_ + octets <= budget_.exempt_;
    const bool free = budget_.waiting_.empty() && budget_.held_ + octets <= budget_.octets_;
    if (exempt || free || budget_.privileged_ == this) {
        budget_.held_ += octets;
        held_ += octets;
        co_return;
    }
    Waiter waiter(budget_, *this, octets);
    budget_.wake();
    if (!waiter.granted) {
        boost::system::error_code error;
        co_await waiter.timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
        if (!waiter.granted) {
            throw boost::system::system_error(asio::error::operation_aborted);
        }
    }
    held_ += octets;
}

}  // namespace lihandover::intake
