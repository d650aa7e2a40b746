#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "lihandover/audit/verification.hpp"
#include "lihandover/model/result.hpp"

namespace lihandover::store {

/// Whether a database is the state that was there last, as its audit entries and the one that HeadFile names say.
struct LastState {
    /// For an operator: that another state is in its place, or that nobody can tell. Empty: it is that state.
    std::string alarm;
    /// The entry that was there, where another state is.
    std::optional<audit::ChainHead> was;
};

/// Says what it finds in the log, too.
///   named  as HeadFile::read gave it
///   ends   the database's newest entry
///   entry  the hash of the entry with a number before that one; nullopt where it is older than all that are kept
[[nodiscard]] LastState compare_with_last(
    const model::Result<std::optional<audit::ChainHead>>& named, const audit::ChainHead& ends,
    const std::function<model::Result<std::optional<audit::Hash>>(std::uint64_t number)>& entry);

}  // namespace lihandover::store
