#include "least_rate.hpp"

#include <algorithm>
#include <utility>

namespace lihandover::objectserver {

struct RateWatch::State {
    explicit State(const boost::asio::any_io_executor& executor) : timer(executor) {}
    boost::asio::steady_timer timer;
    LeastRate least;
    std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();
    std::function<std::uint64_t()> given;
    std::function<void()> end;
    bool over = false;
    bool ended = false;

    [[nodiscard]] bool too_slow() const {
        const auto counted = std::chrono::steady_clock::now() - begun - least.grace;
        const double seconds = std::chrono::duration<double>(counted).count();
        return static_cast<double>(given()) < seconds * static_cast<double>(least.bytes_per_second);
    }
};

RateWatch::RateWatch(const boost::asio::any_io_executor& executor, LeastRate least,
                     std::function<std::uint64_t()> given, std::function<void()> end)
    : state_(std::make_shared<State>(executor)) {
    state_->least = least;
    state_->given = std::move(given);
    state_->end = std::move(end);
    if (least.bytes_per_second > 0) {
        look_again(state_);
    }
}

RateWatch::~RateWatch() {
    state_->over = true;
    state_->timer.cancel();
}

bool RateWatch::ended() const {
    return state_->ended;
}

void RateWatch::look_again(const std::shared_ptr<State>& state) {
    constexpr std::chrono::milliseconds most{5000};
    constexpr std::chrono::milliseconds least{10};
    state->timer.expires_after(std::clamp(state->least.grace / 4, least, most));
    state->timer.async_wait([state](const boost::system::error_code& error) {
        if (error || state->over) {
            return;
        }
        if (!state->too_slow()) {
            look_again(state);
            return;
        }
        state->ended = true;
        state->end();
    });
}

}  // namespace lihandover::objectserver
