#include "engines.hpp"

#include <sqlite3.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <map>

#include "../fake/fake_store.hpp"
#include "../fault_vfs.hpp"

namespace lihandover::store::test {

namespace {

std::unique_ptr<Store> open_sqlite(const std::filesystem::path& directory, const model::Clock& clock) {
    auto opened = Store::open({directory, 0, std::chrono::hours(24 * 90)}, clock);
    return opened ? std::move(*opened) : nullptr;
}

/// The same with encryption at rest.
std::unique_ptr<Store> open_encrypted(const std::filesystem::path& directory, const model::Clock& clock) {
    Options options{directory, 0, std::chrono::hours(24 * 90)};
    options.master_keys.emplace_back(std::array<std::uint8_t, MasterKey::size>{1, 2, 3});
    auto opened = Store::open(options, clock);
    return opened ? std::move(*opened) : nullptr;
}

void fail_sqlite(Store& /*store*/, bool fail) {
    if (fail) {
        faults().fail(SQLITE_IOERR_WRITE);
    } else {
        faults().none();
    }
}

std::unique_ptr<Store> open_fake(const std::filesystem::path& directory, const model::Clock& clock) {
    static std::map<std::filesystem::path, std::shared_ptr<FakeDisk>> disks;
    auto& disk = disks[directory];
    if (!disk) {
        disk = std::make_shared<FakeDisk>();
    }
    return std::make_unique<FakeStore>(clock, disk);
}

void fail_fake(Store& store, bool fail) {
    dynamic_cast<FakeStore&>(store).fail_commits(fail);
}

}  // namespace

std::vector<Engine> engines() {
    return {{"Sqlite", open_sqlite, fail_sqlite},
            {"SqliteEncrypted", open_encrypted, fail_sqlite},
            {"Fake", open_fake, fail_fake}};
}

}  // namespace lihandover::store::test
