#pragma once

#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lihandover/store/types.hpp"

namespace lihandover::store::sqlite {

/// Lanes, profiles and destinations, all in memory. Grows only. The find_ functions are for any thread; the rest is for
/// the writer, after the commit that made a row durable.
class Catalogue {
  public:
    /// What the writer needs of a lane for each item.
    struct LaneFacts {
        std::uint32_t destination = 0;  ///< index for counts
        std::uint32_t provided = 0;     ///< bit n: the lane was given the schema of number n
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
    [[nodiscard]] LaneFacts* lane_facts(LaneId id) { return at(lane_facts_, id); }
    [[nodiscard]] const ProfileFacts* profile_facts(ProfileId id) { return at(profile_facts_, id); }
    [[nodiscard]] ProfileId find_profile_like(const model::Profile& profile) const;  ///< 0: none
    [[nodiscard]] const std::vector<std::string>& destinations() const { return destinations_; }

  private:
    template <typename T>
    static T* at(std::vector<T>& facts, std::int64_t id) {
        return id >= 1 && static_cast<std::uint64_t>(id) <= facts.size() ? &facts[static_cast<std::size_t>(id) - 1]
                                                                         : nullptr;
    }

    mutable std::shared_mutex mutex_;
    // Row numbers count from 1 without gaps, since these rows are never deleted.
    std::vector<std::shared_ptr<const Lane>> lanes_;
    std::vector<std::shared_ptr<const model::Profile>> profiles_;

    // The writer's alone.
    std::vector<LaneFacts> lane_facts_;
    std::vector<ProfileFacts> profile_facts_;
    std::vector<std::string> destinations_;
    std::unordered_map<std::string, std::uint32_t> destination_numbers_;
};

}  // namespace lihandover::store::sqlite
