#include "store_place.hpp"

#include <unistd.h>

#include <array>

#include "lihandover/store/newest_entry.hpp"

namespace lihandover::app {

std::optional<store::PostgresqlOptions> database_of(const config::Configuration& configuration) {
    const config::Store& store = configuration.store;
    if (store.engine != config::StoreEngine::postgresql || !store.postgresql) {
        return std::nullopt;
    }
    store::PostgresqlOptions options;
    options.connection = store.postgresql->connection;
    options.replicated = store.postgresql->durability == config::Durability::replicated;
    options.node = node_of(configuration);
    options.objects_directory = store.postgresql->objects_dir;
    options.lease = store.postgresql->lease;
    return options;
}

std::string node_of(const config::Configuration& configuration) {
    const auto& database = configuration.store.postgresql;
    if (database && !database->node.empty()) {
        return database->node;
    }
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

std::optional<model::Instant> newest_entry(const config::Configuration& configuration) {
    const auto database = database_of(configuration);
    return database ? store::newest_entry(*database) : store::newest_entry(configuration.state_dir);
}

}  // namespace lihandover::app
