#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lihandover/model/clock.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/store/sealing.hpp"
#include "lihandover/store/store.hpp"

namespace lihandover::store {

/// Where a store in PostgreSQL is, and how sure a commit has to be.
struct PostgresqlOptions {
    std::string connection;                   ///< as libpq has it
    bool replicated = true;                   ///< a commit counts once a synchronous standby has it
    std::string node;                         ///< this daemon among its peers
    std::filesystem::path objects_directory;  ///< of sealed objects; empty: Options::directory
    /// For how long lanes are this daemon's after it last said so; it sends nothing of them from half of that on.
    std::chrono::milliseconds lease{10'000};
    /// Whether other daemons may use the database at the same time. Not to be configured yet: what is missing is in
    /// docs/store.md.
    bool shared = false;
};

/// Whether libpq can read `connection`, and nothing in it is a secret: a password belongs into a file, and what is
/// meant as one easily ends up as a part of something else (`postgresql://user:pa/ss@host`), which servers' messages
/// repeat. The error has nothing of it.
[[nodiscard]] model::Status check_connection(const std::string& connection);

/// As Store::open, with the engine that keeps everything in PostgreSQL but for the lock in Options::directory and the
/// bytes of binary objects. Options::master_keys are needed. The role needs rights to make tables only where they are
/// not there, or of an earlier version.
[[nodiscard]] model::Result<std::unique_ptr<Store>> open_postgresql(const Options& options,
                                                                    const PostgresqlOptions& postgresql,
                                                                    const model::Clock& clock);

/// As look_at_store() of a state_dir (look.hpp): what waits in the database, or why open_postgresql() would refuse it.
/// Blocks on the network, for some seconds where no server answers.
[[nodiscard]] model::Result<std::set<std::string>> look_at_store(const PostgresqlOptions& postgresql,
                                                                 std::vector<MasterKey> keys);
/// As newest_entry() of a state_dir (newest_entry.hpp); nullopt also where no server answers.
[[nodiscard]] std::optional<model::Instant> newest_entry(const PostgresqlOptions& postgresql);

}  // namespace lihandover::store
