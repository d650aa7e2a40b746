#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_set>

#include "destination_queue.hpp"
#include "lihandover/config/configuration.hpp"
#include "lihandover/model/clock.hpp"

namespace lihandover::delivery {

/// Which messages are checked against the schemas before they go: all, none, or a sample. Of a sample are the first
/// item of each warrant and of each profile, what goes alone after a message failed, and otherwise one in a hundred,
/// but no more than ten a second: checking takes as long as ten messages.
class ValidationSample {
  public:
    static constexpr std::uint64_t one_in = 100;
    static constexpr std::chrono::milliseconds interval{100};

    [[nodiscard]] bool takes(config::SchemaValidation validation, std::span<const SentItem> items,
                             model::Clock::SteadyTime now) {
        if (validation == config::SchemaValidation::off) {
            return false;
        }
        bool wanted = validation == config::SchemaValidation::all || is_due(now);
        for (const auto& item : items) {
            wanted = wanted || !item.lane->sampled() || item.lane->goes_alone() || !profiles_.contains(item.profile);
        }
        if (wanted) {
            for (const auto& item : items) {
                item.lane->set_sampled();
                profiles_.insert(item.profile);
            }
        }
        return wanted;
    }

  private:
    bool is_due(model::Clock::SteadyTime now) {
        if (++since_ < one_in || (last_ && now - *last_ < interval)) {
            return false;
        }
        since_ = 0;
        last_ = now;
        return true;
    }

    std::unordered_set<store::ProfileId> profiles_;
    std::uint64_t since_ = 0;  ///< messages since the last one
    std::optional<model::Clock::SteadyTime> last_;
};

}  // namespace lihandover::delivery
