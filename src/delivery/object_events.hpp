#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "lihandover/store/types.hpp"
#include "lihandover/store/uploads.hpp"

namespace lihandover::delivery {

/// What the store says about binary objects.
struct ObjectEvent {
    enum class Kind : std::uint8_t {
        prepared,              ///< `item`: its objects are there
        stamped,               ///< `item`: Outbox::stamp ended with `outcome`
        upload,                ///< `object` is to be pushed
        withdrawn,             ///< `object.id` was ended by an operator
        settled,               ///< UploadOutbox::pushed or refused of `object` ended with `outcome`
        taken_over,            ///< `object` is to be pushed: whoever held its lane before may have
        set_aside_taken_over,  ///< the same, of one that is set aside
        lanes_lost,            ///< nothing of the lanes that `lost` names is to be pushed from here any more
    };
    Kind kind{};
    store::QueuedItem item;
    store::QueuedObject object;
    store::Outcome outcome{};
    store::LostLanes lost;
};

/// Carries them from the store's writer to the delivery thread, in order: what a callback says and what a listener
/// hears come in the order in which they happened. Thread-safe; outlives whatever the store still calls.
class ObjectEvents {
  public:
    void put(std::span<const ObjectEvent> events) {
        const std::lock_guard lock(mutex_);
        events_.insert(events_.end(), events.begin(), events.end());
        if (wake_ && !woken_ && !events_.empty()) {
            woken_ = true;
            wake_();
        }
    }
    void put(const ObjectEvent& event) { put({&event, 1}); }
    /// Once, before the next put: `wake` is called when there is something to take, on any thread, under a lock.
    void open(std::function<void()> wake) {
        const std::lock_guard lock(mutex_);
        wake_ = std::move(wake);
    }
    /// `wake` is not called again once this has returned.
    void close() {
        const std::lock_guard lock(mutex_);
        wake_ = nullptr;
    }
    [[nodiscard]] std::vector<ObjectEvent> take() {
        const std::lock_guard lock(mutex_);
        woken_ = false;
        return std::exchange(events_, {});
    }

  private:
    std::mutex mutex_;
    std::vector<ObjectEvent> events_;
    std::function<void()> wake_;
    bool woken_ = false;
};

}  // namespace lihandover::delivery
