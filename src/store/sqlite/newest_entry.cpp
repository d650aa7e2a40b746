#include "lihandover/store/newest_entry.hpp"

#include "schema.hpp"
#include "sqlite.hpp"

namespace lihandover::store {

std::optional<model::Instant> newest_entry(const std::filesystem::path& state_directory) {
    using namespace sqlite;
    try {
        Connection connection(state_directory / "store.db");
        set_up_reader(connection);
        // What an earlier process left in the log is for the writer to copy and to sync.
        sqlite3_db_config(connection.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
        Statement newest = connection.prepare("SELECT at FROM record ORDER BY id DESC LIMIT 1");
        Rows rows(newest);
        return rows.next() ? std::optional(model::Instant::from_micros(rows->integer(0))) : std::nullopt;
    } catch (const SqlFailure&) {
        return std::nullopt;
    }
}

}  // namespace lihandover::store
