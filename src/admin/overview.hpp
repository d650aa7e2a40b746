#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/admin/admin.hpp"
#include "lihandover/store/sealing.hpp"

namespace lihandover::admin {

/// What is told of one destination.
struct Told {
    const delivery::DestinationStatus* status = nullptr;  ///< null: it is no longer configured, but items of it wait
    store::Count count;
    std::optional<model::Instant> oldest;            ///< when the first queued item was queued
    std::optional<model::Instant> oldest_emergency;  ///< of its emergencies
    std::vector<model::Uuid> set_aside;              ///< some of them

    /// `paused`, `backing_off` or `running`.
    [[nodiscard]] std::string_view state() const;
};

/// Set aside items that are named of one destination; a list has all of them.
inline constexpr std::size_t named_items = 10;

/// By name; refers to what it was made from. Reads the store, and leaves out what cannot be read.
[[nodiscard]] std::map<std::string_view, Told> destinations_of(store::OperatorView& items, const Status& status,
                                                               const store::Statistics& statistics);

/// What an operator should look at, in sentences: those of the status, and those that the store knows. Reads the store.
[[nodiscard]] std::vector<std::string> alarms_of(const Parts& parts, const Status& status,
                                                 const store::SealingStatus& sealing);

}  // namespace lihandover::admin
