#pragma once

#include <boost/asio/steady_timer.hpp>
#include <unordered_set>
#include <vector>

#include "lihandover/store/store.hpp"
#include "object_events.hpp"

namespace lihandover::delivery {

class Dispatcher;

/// Says when an item with binary objects may go: once they are there, and their expiry is stamped and far enough away
/// (promise 3). Until then its lane is parked; event() brings it back. On the delivery thread.
class ExpiryStamps {
  public:
    explicit ExpiryStamps(Dispatcher& dispatcher);

    /// Whether it may go now; stamps where that is needed. False: the item as loaded is out of date, and its lane is to
    /// be parked, or left busy, until Dispatcher::look_again.
    [[nodiscard]] bool ready(const store::StoredItem& item);
    /// Of the kinds prepared and stamped.
    void event(const ObjectEvent& event);
    void stop();

  private:
    void try_again_later(const store::QueuedItem& item);

    Dispatcher& dispatcher_;
    std::unordered_set<store::RowId> on_their_way_;  ///< to the disk
    std::vector<store::QueuedItem> failed_;          ///< wait for `timer_`
    boost::asio::steady_timer timer_;
};

}  // namespace lihandover::delivery
