#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "lihandover/store/outbox.hpp"

namespace lihandover::delivery {

/// Tells the store the outcome of items: acceptances in batches, one for each turn of the event loop. Counts what is on
/// its way to the disk. On the delivery thread; the store's answers may come on any, and after this object is
/// destroyed.
class OutboxWriter : public std::enable_shared_from_this<OutboxWriter> {
  public:
    /// How much may be passed on and not yet on disk. Beyond that, nothing is sent until the store has caught up.
    static constexpr std::size_t max_uncommitted = 8'192;

    ///   has_room  called once there is room again after has_room() returned false
    ///   none_open called once nothing is on its way after is_idle() returned false
    OutboxWriter(const boost::asio::any_io_executor& executor, store::Outbox& outbox, std::function<void()> has_room,
                 std::function<void()> none_open);

    [[nodiscard]] bool has_room();
    [[nodiscard]] bool is_idle();

    void accepted(const store::Acceptance& acceptance);
    /// `ended` is called on the delivery thread unless this object has been closed; with `failed` nothing is on disk.
    using Ended = std::function<void(store::Outcome)>;
    void refused(store::RowId row, store::Refusal refusal, Ended ended);
    void set_aside(store::RowId row, store::Refusal refusal, Ended ended);

    /// Passes on what has gathered.
    void flush();
    /// flush(), and no callbacks from then on.
    void close();

  private:
    /// What the store's callbacks touch.
    struct Shared {
        std::atomic<std::size_t> open{0};
        std::atomic<bool> starved{false};     ///< somebody waits for room
        std::atomic<bool> idle_asked{false};  ///< somebody waits for `open` to be none
        std::atomic<bool> closed{false};
    };
    static void committed(const std::shared_ptr<Shared>& shared, const std::weak_ptr<OutboxWriter>& writer,
                          std::size_t count);
    [[nodiscard]] store::Done answer(Ended ended);

    boost::asio::any_io_executor executor_;
    store::Outbox& outbox_;
    std::function<void()> room_;
    std::function<void()> none_open_;
    std::shared_ptr<Shared> shared_;
    std::vector<store::Acceptance> acceptances_;
    bool flush_posted_ = false;
};

}  // namespace lihandover::delivery
