#include <libpq-fe.h>

#include <chrono>
#include <memory>
#include <string_view>
#include <utility>

#include "columns.hpp"
#include "common/keyring.hpp"
#include "common/secret.hpp"
#include "database.hpp"
#include "lihandover/store/postgresql.hpp"
#include "schema.hpp"

namespace lihandover::store {

namespace {

using namespace postgresql;

/// Where a start would write.
Connection connect(const PostgresqlOptions& options) {
    Connection connection(
        {.connection = options.connection, .replicated = options.replicated, .patience = std::chrono::minutes(10)});
    connection.write("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    return connection;
}

model::Result<std::set<std::string>> look(Connection& connection, std::vector<MasterKey> keys) {
    const auto version = known_version(connection);
    if (!version) {
        return version.error();
    }
    std::set<std::string> destinations;
    if (*version != migration_steps().back().version) {
        return destinations;
    }
    const Rows meta = connection.read(
        "SELECT (SELECT value FROM meta WHERE name='store'), (SELECT value FROM meta WHERE name='encryption')");
    if (meta.is_null(0, 0) || meta.is_null(0, 1)) {
        return destinations;  // the first start did not come so far
    }
    const Secret secret;
    Keyring keyring(secret, std::move(keys));
    if (auto opened = keyring.load(hash_of(meta.bytes(0, 0)), meta.bytes(0, 1)); !opened) {
        return opened.error();
    }
    const Rows waiting = connection.read(
        "SELECT DISTINCT destination FROM lane WHERE id IN "
        "(SELECT lane FROM item UNION SELECT lane FROM aside UNION SELECT lane FROM object)");
    for (int row = 0; row < waiting.size(); ++row) {
        destinations.emplace(waiting.bytes(row, 0));
    }
    return destinations;
}

}  // namespace

model::Status check_connection(const std::string& connection) {
    const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> words(
        PQconninfoParse(connection.c_str(), nullptr), PQconninfoFree);
    if (!words) {
        return model::Error{"not as libpq has it: words like host=db1,db2 dbname=lihandover, or a URL"};
    }
    for (const PQconninfoOption* word = words.get(); word->keyword != nullptr; ++word) {
        const std::string_view name = word->keyword;
        const std::string_view value = word->val != nullptr ? word->val : "";
        if (name.find("password") != std::string_view::npos && !value.empty()) {
            return model::Error{"has a password; put it into a file that passfile= names"};
        }
        const bool bad_port = name == "port" && value.find_first_not_of("0123456789,") != std::string_view::npos;
        const bool bad_host = name.starts_with("host") && value.find_first_of("@ \t") != std::string_view::npos;
        if (bad_port || bad_host) {
            return model::Error{"a " + std::string(name) + " that cannot be one"};
        }
    }
    return {};
}

model::Result<std::set<std::string>> look_at_store(const PostgresqlOptions& options, std::vector<MasterKey> keys) {
    if (keys.empty()) {
        return needs_master_keys();
    }
    if (auto good = check_connection(options.connection); !good) {
        return good.error();
    }
    try {
        Connection connection = connect(options);
        if (auto good = check_server(connection, options.replicated); !good) {
            return good.error();
        }
        return look(connection, std::move(keys));
    } catch (const PgFailure& failure) {
        return model::Error{std::string("the store in PostgreSQL cannot be read: ") + failure.what()};
    }
}

std::optional<model::Instant> newest_entry(const PostgresqlOptions& options) {
    try {
        Connection connection = connect(options);
        const Rows newest = connection.read("SELECT at FROM record ORDER BY id DESC LIMIT 1");
        return newest.empty() ? std::nullopt : std::optional(model::Instant::from_micros(newest.integer(0, 0)));
    } catch (const PgFailure&) {
        return std::nullopt;
    }
}

}  // namespace lihandover::store
