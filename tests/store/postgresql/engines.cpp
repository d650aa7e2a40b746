#include "../conformance/engines.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>

#include "cluster.hpp"
#include "lihandover/store/postgresql.hpp"

namespace lihandover::store::test {

namespace {

std::string last_opened;

#ifdef LIHANDOVER_SHARED
constexpr bool shared = true;
#else
constexpr bool shared = false;
#endif

std::unique_ptr<Store> open_postgresql(const std::filesystem::path& directory, const model::Clock& clock) {
    static std::map<std::filesystem::path, std::string> schemas;
    Cluster& cluster = *Cluster::instance();
    const auto [schema, added] = schemas.try_emplace(directory);
    if (added) {
        schema->second = cluster.make_schema();
    }
    last_opened = schema->second;
    Options options{directory, 0, std::chrono::hours(24 * 90)};
    options.master_keys.emplace_back(std::array<std::uint8_t, MasterKey::size>{1, 2, 3});
    PostgresqlOptions where{cluster.connection(schema->second), false, "node-a", {}};
    where.shared = shared;
    auto opened = open_postgresql(options, where, clock);
    if (!opened) {
        std::fprintf(stderr, "%s\n", opened.error().message.c_str());
    }
    return opened ? std::move(*opened) : nullptr;
}

void fail_postgresql(Store& /*store*/, bool fail) {
    Cluster::instance()->fail_commits(last_opened, fail);
}

}  // namespace

std::vector<Engine> engines() {
    if (!Cluster::is_installed()) {
        std::fputs("PostgreSQL 15 is not installed (scripts/install-deps --test): its store is not tested\n", stderr);
        return {};
    }
    return {{shared ? "PostgresqlShared" : "Postgresql", open_postgresql, fail_postgresql}};
}

}  // namespace lihandover::store::test
