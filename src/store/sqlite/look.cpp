#include "lihandover/store/look.hpp"

#include <system_error>
#include <utility>

#include "common/keyring.hpp"
#include "common/secret.hpp"
#include "schema.hpp"
#include "sealing_functions.hpp"
#include "sqlite.hpp"

namespace lihandover::store {

namespace {

using namespace sqlite;

model::Result<std::set<std::string>> look(Connection& connection, std::vector<MasterKey> keys) {
    const auto version = known_version(connection, migration_steps());
    if (!version) {
        return version.error();
    }
    std::set<std::string> destinations;
    if (*version != migration_steps().back().version) {
        return destinations;
    }
    const Secret secret;
    Keyring keyring(secret, std::move(keys));
    if (auto opened = load_keyring(connection, keyring); !opened) {
        return opened.error();
    }
    Statement waiting = connection.prepare(
        "SELECT DISTINCT destination FROM lane WHERE id IN "
        "(SELECT lane FROM item UNION SELECT lane FROM aside UNION SELECT lane FROM object)");
    Rows rows(waiting);
    while (rows.next()) {
        destinations.emplace(rows->bytes(0));
    }
    return destinations;
}

}  // namespace

model::Result<std::set<std::string>> look_at_store(const std::filesystem::path& state_directory,
                                                   std::vector<MasterKey> keys) {
    std::error_code error;
    const std::filesystem::path file = state_directory / "store.db";
    if (!std::filesystem::exists(file, error)) {
        if (error) {
            return model::Error{"state_dir cannot be looked into: " + error.message()};
        }
        return std::set<std::string>{};
    }
    try {
        Connection connection(file);
        set_up_reader(connection);
        // What is in the log is for the writer to copy and to sync.
        sqlite3_db_config(connection.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
        return look(connection, std::move(keys));
    } catch (const SqlFailure& failure) {
        return model::Error{"the store in state_dir cannot be read: " + failure.describe()};
    }
}

}  // namespace lihandover::store
