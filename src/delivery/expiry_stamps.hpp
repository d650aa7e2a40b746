#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <unordered_set>
#include <vector>

#include "lihandover/model/clock.hpp"
#include "lihandover/store/outbox.hpp"
#include "object_events.hpp"

namespace lihandover::delivery {

/// Decides when an item with binary objects may go: once they are there, and their expiry is set and far enough away
/// (promise 3). Until then its lane is parked; event() resumes it. On the delivery thread.
class ExpiryStamps : public std::enable_shared_from_this<ExpiryStamps> {
  public:
    ///   events  where the store's answers go
    ///   again   called when the loaded item is out of date, and its lane may go on
    ExpiryStamps(const boost::asio::any_io_executor& executor, const model::Clock& clock, store::Outbox& outbox,
                 std::shared_ptr<ObjectEvents> events, std::function<void(const store::QueuedItem&)> again);

    /// Whether it may go now; sets the expiry if needed. False: the item as loaded is out of date, and its lane is to
    /// be parked, or left busy, until `again` is called for it.
    [[nodiscard]] bool ready(const store::StoredItem& item);
    /// For events of the kinds prepared and stamped.
    void event(const ObjectEvent& event);
    void stop();

  private:
    void try_again_later(const store::QueuedItem& item);

    const model::Clock& clock_;
    store::Outbox& outbox_;
    std::shared_ptr<ObjectEvents> events_;
    std::function<void(const store::QueuedItem&)> again_;
    std::unordered_set<store::RowId> on_their_way_;  ///< to the disk
    std::vector<store::QueuedItem> failed_;          ///< wait for `timer_`
    bool stopped_ = false;
    boost::asio::steady_timer timer_;
};

}  // namespace lihandover::delivery
