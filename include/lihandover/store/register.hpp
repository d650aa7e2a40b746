#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lihandover/model/item.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::store {

/// Lanes, profiles, the last good versions of the warrants, and the destinations that operators have paused.
/// Thread-safe. Calls that make or change something block on a commit: for start and reload, not for the hot path.
class Register {
  public:
    virtual ~Register() = default;

    /// Finds or makes, durably.
    [[nodiscard]] virtual model::Result<std::vector<LaneId>> lanes(
        std::span<const std::pair<std::string, std::string>> destination_and_liid) = 0;
    [[nodiscard]] model::Result<LaneId> lane(std::string_view destination, std::string_view liid) {
        const std::pair<std::string, std::string> pair(destination, liid);
        const auto ids = lanes(std::span(&pair, 1));
        return ids ? model::Result<LaneId>(ids->front()) : model::Result<LaneId>(ids.error());
    }
    [[nodiscard]] virtual model::Result<ProfileId> profile(const model::Profile& profile) = 0;

    /// Known rows by number, from memory; nullptr when there is none.
    [[nodiscard]] virtual std::shared_ptr<const Lane> find_lane(LaneId id) const = 0;
    [[nodiscard]] virtual std::shared_ptr<const model::Profile> find_profile(ProfileId id) const = 0;

    /// Last good versions of the warrants, as of the last change.
    [[nodiscard]] virtual model::Result<std::vector<StoredWarrant>> warrants() = 0;
    /// What operators have revoked, in order of destinations and LIIDs.
    [[nodiscard]] virtual model::Result<std::vector<StoredRevocation>> revocations() = 0;
    /// Warrants that wait for approval, or were refused it, in order of destinations and LIIDs, with the approvals that
    /// they have, the first one first.
    [[nodiscard]] virtual model::Result<std::vector<StoredPendingWarrant>> pending_warrants() = 0;
    /// One of the people approves a warrant that waits, or refuses it. How many have approved it now; nullopt: nothing
    /// with this digest waits, and nothing was changed. Approving twice counts once, and makes one entry. A refusal
    /// takes all approvals back; an approval after it counts anew.
    [[nodiscard]] virtual model::Result<std::optional<std::size_t>> decide_warrant(const WarrantDecision& decision) = 0;
    /// One reload's consequences with their audit entries, in one transaction. Where a revocation holds what is queued,
    /// none of that is told to delivery any more (OutboxListener::on_lane_withdrawn), and it becomes held step by step,
    /// also after a crash.
    [[nodiscard]] virtual model::Status change_warrants(const WarrantChanges& changes) = 0;
    /// No further item of the revoked warrant will be submitted: what comes in its lane from now on is another
    /// warrant's, and not held by its revocation. A start says the same of all of them.
    [[nodiscard]] virtual model::Status nothing_more_of(std::string_view destination, std::string_view liid) = 0;

    /// Destinations that an operator has paused, in order of names.
    [[nodiscard]] virtual model::Result<std::vector<StoredPause>> pauses() = 0;
};

}  // namespace lihandover::store
