#include "lihandover/intake/http/body_budget.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "lihandover/base/invariant.hpp"

namespace lihandover::intake {

namespace asio = boost::asio;

// In the list as long as it waits; removed when granted, or when the waiting coroutine ends for another reason.
struct BodyBudget::Waiter {
    Waiter(BodyBudget& its_budget, const Share& its_share, std::size_t its_bytes, std::chrono::milliseconds limit)
        : budget(its_budget),
          share(its_share),
          bytes(its_bytes),
          timer(its_budget.executor_, limit),
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
    std::size_t bytes;
    bool granted = false;
    asio::steady_timer timer;
    std::list<Waiter*>::iterator place;
};

BodyBudget::BodyBudget(asio::any_io_executor executor, std::size_t bytes, std::size_t exempt)
    : executor_(std::move(executor)), bytes_(bytes), exempt_(exempt) {}

void BodyBudget::wake() {
    while (!waiting_.empty()) {
        Waiter& first = *waiting_.front();
        if (held_ + first.bytes > bytes_) {
            if (privileged_ != nullptr) {
                return;
            }
            privileged_ = &first.share;
        }
        // Taken here and not when the coroutine runs again: what is granted must count for the next in line.
        held_ += first.bytes;
        first.granted = true;
        waiting_.pop_front();
        first.timer.cancel();
    }
}

BodyBudget::Share::Share(BodyBudget& budget) : budget_(budget) {}

BodyBudget::Share::~Share() {
    LIHANDOVER_INVARIANT(held_ <= budget_.held_, "a budget holds what its shares hold");
    budget_.held_ -= held_;
    if (budget_.privileged_ == this) {
        budget_.privileged_ = nullptr;
    }
    budget_.wake();
}

bool BodyBudget::Share::try_take(std::size_t bytes) {
    const bool exempt = held_ + bytes <= budget_.exempt_;
    const bool free = budget_.waiting_.empty() && budget_.held_ + bytes <= budget_.bytes_;
    if (!exempt && !free && budget_.privileged_ != this) {
        return false;
    }
    budget_.held_ += bytes;
    held_ += bytes;
    return true;
}

asio::awaitable<bool> BodyBudget::Share::take(std::size_t bytes, std::chrono::milliseconds limit) {
    if (try_take(bytes)) {
        co_return true;
    }
    Waiter waiter(budget_, *this, bytes, limit);
    budget_.wake();
    if (!waiter.granted) {
        boost::system::error_code error;
        co_await waiter.timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
        if (!waiter.granted) {
            if (error) {
                throw boost::system::system_error(asio::error::operation_aborted);
            }
            co_return false;
        }
    }
    held_ += bytes;
    co_return true;
}

}  // namespace lihandover::intake
