#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "lihandover/ims/tracker.hpp"
#include "message.hpp"

namespace lihandover::flows {

/// Spools that are memory.
class MemorySpools : public ims::Spools {
  public:
    [[nodiscard]] model::Result<std::unique_ptr<ims::Spool>> make() override;
};

/// Messages of a flow on their way through a tracker, at the times that the flow has, as a door hands them over: an
/// event that was made before is a repeat, copies are kept as long as the tracker needs them.
class Replay {
  public:
    explicit Replay(ims::TrackerOptions options = {});

    void take(const x2x3_send::Message& message);
    /// All that becomes due until then.
    void finish(std::chrono::hours after = std::chrono::hours(2));
    /// Another tracker, with what was kept of the copies.
    void restart();

    [[nodiscard]] const std::vector<ims::MadeEvent>& events(const model::Uuid& task) { return events_[task]; }
    [[nodiscard]] std::size_t count() const { return ids_.size(); }
    [[nodiscard]] std::size_t kept() const { return kept_.size(); }
    [[nodiscard]] std::size_t malformed() const { return malformed_; }
    [[nodiscard]] ims::Tracker& tracker() { return *tracker_; }

  private:
    /// A copy with the memory that it views.
    struct Owned {
        ims::Copy copy;
        std::vector<x2x3_send::Attribute> attributes;
        std::string payload;
    };
    struct Kept {
        std::uint64_t owner = 0;
        std::shared_ptr<const Owned> owned;
    };
    [[nodiscard]] ims::Tracker::SteadyTime steady() const { return begin_ + now_; }
    void advance(std::chrono::nanoseconds to);
    void take(const std::shared_ptr<const Owned>& owned);
    void use(ims::Made& made);

    ims::TrackerOptions options_;
    MemorySpools spools_;
    std::unique_ptr<ims::Tracker> tracker_;
    ims::Tracker::SteadyTime begin_ = ims::Tracker::SteadyTime(std::chrono::hours(1));
    std::chrono::nanoseconds now_{};
    std::vector<Kept> kept_;
    std::map<model::Uuid, std::vector<ims::MadeEvent>> events_;
    std::set<std::pair<model::Uuid, std::string>> ids_;
    std::size_t malformed_ = 0;
};

}  // namespace lihandover::flows
