#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "lihandover/model/result.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::store {

/// Looks for the rows of queued items, which no index finds by their ids, on a thread of its own: in steps, so that
/// nothing waits for all that is queued, and for a bounded time. For any thread.
class Locator {
  public:
    /// What one step of the queue has.
    struct Step {
        std::vector<std::pair<model::Uuid, RowId>> found;
        std::optional<RowId> last;  ///< the next step begins behind it; nullopt: there is no more
    };
    /// Looks for `ids` in the step of the queue behind `after`.
    using Look = std::function<model::Result<Step>(const std::vector<model::Uuid>& ids, RowId after)>;
    /// nullopt: the queue could not be looked at as a whole.
    using Done = std::function<void(std::optional<std::vector<Meant>>)>;

    ///   most  how long a search may take
    explicit Locator(Look look, std::chrono::milliseconds most = std::chrono::minutes(2))
        : look_(std::move(look)), most_(most) {}
    ~Locator() { stop(); }
    Locator(const Locator&) = delete;
    Locator& operator=(const Locator&) = delete;
    Locator(Locator&&) = delete;
    Locator& operator=(Locator&&) = delete;

    /// Whether there is one to be looked for: the rows of others are known, or not needed.
    [[nodiscard]] static bool is_needed(const std::vector<Meant>& items);

    /// Puts in the rows that are not known; of what is not queued, none. `done` is called once.
    void locate(std::vector<Meant> items, Done done);
    /// Hands `decide` the items with their rows, at once where none has to be looked for. Where the queue could not be
    /// looked at as a whole, `done` hears that it failed, and `decide` is not called.
    void decide_located(std::vector<Meant> items, DoneDecided done,
                        std::function<void(std::vector<Meant>, DoneDecided)> decide);
    /// Gives up what it looks for, after the step that it is at, and looks for nothing more. Does not wait for that.
    void end();
    /// The same, and waits until the thread has ended.
    void stop();

  private:
    struct Search {
        std::vector<Meant> items;
        Done done;
    };
    void run();
    [[nodiscard]] bool look_for(std::vector<Search>& searches);
    [[nodiscard]] bool is_stopping();

    const Look look_;
    const std::chrono::milliseconds most_;
    std::mutex mutex_;
    std::condition_variable wake_;
    // Guarded by mutex_.
    std::vector<Search> waiting_;
    bool stopping_ = false;
    std::thread thread_;  ///< from the first search on
};

}  // namespace lihandover::store
