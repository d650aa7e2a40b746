#pragma once

#include <optional>
#include <string>

#include "lihandover/config/configuration.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/store/postgresql.hpp"

namespace lihandover::app {

/// Where the configuration's store is in PostgreSQL; nullopt: it is in state_dir.
[[nodiscard]] std::optional<store::PostgresqlOptions> database_of(const config::Configuration& configuration);

/// This daemon's name among its peers.
[[nodiscard]] std::string node_of(const config::Configuration& configuration);

/// When the newest entry of the store's record was made, as store::newest_entry().
[[nodiscard]] std::optional<model::Instant> newest_entry(const config::Configuration& configuration);

}  // namespace lihandover::app
