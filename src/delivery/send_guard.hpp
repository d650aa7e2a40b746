#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "lihandover/model/clock.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/outbox.hpp"

namespace lihandover::delivery {

/// Whether anything may be sent at all: delivery has started and is not stopping, and the store can be read and
/// commits. On the delivery thread, except where noted.
class SendGuard : public std::enable_shared_from_this<SendGuard> {
  public:
    /// How soon what could not be read is tried again.
    static constexpr std::chrono::seconds read_again{1};

    ///   changed  called when sending may have become possible again
    SendGuard(const boost::asio::any_io_executor& executor, const store::Outbox& outbox, const model::Clock& clock,
              std::function<void()> changed);

    [[nodiscard]] bool may_send() const { return started_ && !stopping_ && !reads_off_ && commits_; }
    /// Whether a lane is this process's to send, at this moment (store::LaneLease).
    enum class Hold : std::uint8_t {
        held,
        lapsed,  ///< the store has not renewed it in time: it may be another's already, or soon be held again
        lost,
    };
    [[nodiscard]] Hold hold(store::LaneId lane) const {
        const store::LaneLease lease = outbox_.lease(lane);
        return !lease.held ? Hold::lost : lease.covers(clock_.steady()) ? Hold::held : Hold::lapsed;
    }
    /// When to look again at what has lapsed.
    static constexpr std::chrono::milliseconds look_at_lapsed{100};
    [[nodiscard]] bool started() const { return started_; }
    [[nodiscard]] bool stopping() const { return stopping_; }
    /// Any thread.
    [[nodiscard]] bool store_commits() const { return commits_; }

    void start() { started_ = true; }
    /// No callbacks from then on.
    void stop();
    /// The store could not be read: nothing is sent for a moment.
    void read_failed(std::string_view destination, const model::Error& error);
    /// Any thread.
    void set_store_commits(bool commits);

  private:
    boost::asio::any_io_executor executor_;
    const store::Outbox& outbox_;
    const model::Clock& clock_;
    boost::asio::steady_timer read_pause_;
    std::function<void()> changed_;
    std::atomic<bool> commits_{true};
    bool started_ = false;
    bool stopping_ = false;
    bool reads_off_ = false;
};

}  // namespace lihandover::delivery
