#pragma once

#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lihandover/store/types.hpp"

namespace lihandover::store {

/// Lanes, profiles and destinations, all in memory. Grows only, from one start to the next. The find_ functions are for
/// any thread; the rest is for the writer, after the commit that made a row durable.
class Catalogue {
  public:
    /// What the writer needs of a lane for each item.
    struct LaneFacts {
        std::uint32_t destination = 0;  ///< index for counts
        std::uint32_t provided = 0;     ///< bit n: the lane was given the schema of number n
        RowId last = 0;                 ///< the last entry about it that this process made; 0: none
        RowId saved = 0;                ///< the one that its row, as of the last commit, or of this transaction, has
    };
    struct ProfileFacts {
        /// The bit in LaneFacts::provided; 0 when the identifier is beyond the bits, which counts as never provided.
        std::uint32_t schema_bit = 0;
    };

    [[nodiscard]] std::shared_ptr<const Lane> find_lane(LaneId id) const;
    [[nodiscard]] std::shared_ptr<const model::Profile> find_profile(ProfileId id) const;

    void add_lane(Lane lane, std::uint32_t provided);
    void add_profile(ProfileId id, model::Profile profile, std::uint32_t schema_bit);

    /// nullptr when there is no such row. For the writer.
    [[nodiscard]] const Lane* lane_of_writer(LaneId id) const {
        return id >= 1 && static_cast<std::uint64_t>(id) <= lanes_.size()
                   ? lanes_[static_cast<std::size_t>(id) - 1].get()
                   : nullptr;
    }
    [[nodiscard]] LaneFacts* lane_facts(LaneId id) {
        return lane_of_writer(id) != nullptr ? &lane_facts_[static_cast<std::size_t>(id) - 1] : nullptr;
    }
    [[nodiscard]] const ProfileFacts* profile_facts(ProfileId id) {
        const bool known = id >= 1 && static_cast<std::uint64_t>(id) <= profiles_.size() &&
                           profiles_[static_cast<std::size_t>(id) - 1] != nullptr;
        return known ? &profile_facts_[static_cast<std::size_t>(id) - 1] : nullptr;
    }
    /// An entry about the lane is made.
    void used(LaneId id, RowId entry) {
        LaneFacts* facts = lane_facts(id);
        if (facts == nullptr) {
            return;
        }
        if (facts->last == facts->saved) {
            unsaved_.push_back(id);
        }
        facts->last = entry;
    }
    /// Lanes whose rows do not say yet up to when they were used; in no order, some twice.
    [[nodiscard]] std::vector<LaneId>& unsaved() { return unsaved_; }
    /// LaneFacts::saved is on the disk now.
    void uses_saved();
    [[nodiscard]] ProfileId find_profile_like(const model::Profile& profile) const;  ///< 0: none
    [[nodiscard]] const std::vector<std::string>& destinations() const { return destinations_; }

  private:
    mutable std::shared_mutex mutex_;
    // By row number. Rows go at a start only, before anybody has heard of them, and leave few gaps.
    std::vector<std::shared_ptr<const Lane>> lanes_;
    std::vector<std::shared_ptr<const model::Profile>> profiles_;

    // The writer's alone.
    std::vector<LaneFacts> lane_facts_;
    std::vector<ProfileFacts> profile_facts_;
    std::vector<LaneId> unsaved_;
    std::vector<std::string> destinations_;
    std::unordered_map<std::string, std::uint32_t> destination_numbers_;
};

}  // namespace lihandover::store
