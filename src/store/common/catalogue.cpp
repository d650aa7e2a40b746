#include "catalogue.hpp"

#include <mutex>
#include <utility>

namespace lihandover::store {

namespace {

template <typename T>
std::shared_ptr<const T> find_in(const std::vector<std::shared_ptr<const T>>& rows, std::int64_t id) {
    if (id < 1 || static_cast<std::uint64_t>(id) > rows.size()) {
        return nullptr;
    }
    return rows[static_cast<std::size_t>(id) - 1];
}

template <typename T>
void put_at(std::vector<T>& rows, std::int64_t id, T value) {
    const auto place = static_cast<std::size_t>(id) - 1;
    if (place >= rows.size()) {
        rows.resize(place + 1);
    }
    rows[place] = std::move(value);
}

}  // namespace

std::shared_ptr<const Lane> Catalogue::find_lane(LaneId id) const {
    const std::shared_lock lock(mutex_);
    return find_in(lanes_, id);
}

std::shared_ptr<const model::Profile> Catalogue::find_profile(ProfileId id) const {
    const std::shared_lock lock(mutex_);
    return find_in(profiles_, id);
}

void Catalogue::add_lane(Lane lane, std::uint32_t provided) {
    const auto [found, added] =
        destination_numbers_.try_emplace(lane.destination, static_cast<std::uint32_t>(destinations_.size()));
    if (added) {
        destinations_.push_back(lane.destination);
    }
    // Read once more, with a new connection, its last use is what it was.
    const LaneFacts* known = lane_facts(lane.id);
    put_at(lane_facts_, lane.id,
           {found->second, provided, known != nullptr ? known->last : 0, known != nullptr ? known->saved : 0});
    const LaneId id = lane.id;
    auto shared = std::make_shared<const Lane>(std::move(lane));
    const std::unique_lock lock(mutex_);
    put_at(lanes_, id, std::move(shared));
}

void Catalogue::add_profile(ProfileId id, model::Profile profile, std::uint32_t schema_bit) {
    put_at(profile_facts_, id, {schema_bit});
    auto shared = std::make_shared<const model::Profile>(std::move(profile));
    const std::unique_lock lock(mutex_);
    put_at(profiles_, id, std::move(shared));
}

void Catalogue::uses_saved() {
    std::erase_if(unsaved_, [this](LaneId id) {
        const LaneFacts* facts = lane_facts(id);
        return facts->last == facts->saved;
    });
}

ProfileId Catalogue::find_profile_like(const model::Profile& profile) const {
    const std::shared_lock lock(mutex_);
    for (std::size_t i = 0; i < profiles_.size(); ++i) {
        if (profiles_[i] && *profiles_[i] == profile) {
            return static_cast<ProfileId>(i) + 1;
        }
    }
    return 0;
}

}  // namespace lihandover::store
