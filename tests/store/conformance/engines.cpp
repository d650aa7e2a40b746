#include "engines.hpp"

#include <chrono>
#include <map>

#include "../fake/fake_store.hpp"

namespace lihandover::store::test {

namespace {

std::unique_ptr<Store> open_sqlite(const std::filesystem::path& directory, const model::Clock& clock) {
    auto opened = Store::open({directory, 0, std::chrono::hours(24 * 90)}, clock);
    return opened ? std::move(*opened) : nullptr;
}

std::unique_ptr<Store> open_fake(const std::filesystem::path& directory, const model::Clock& clock) {
    static std::map<std::filesystem::path, std::shared_ptr<FakeDisk>> disks;
    auto& disk = disks[directory];
    if (!disk) {
        disk = make_fake_disk();
    }
    return std::make_unique<FakeStore>(clock, disk);
}

}  // namespace

std::vector<Engine> engines() {
    return {{"Sqlite", open_sqlite}, {"Fake", open_fake}};
}

}  // namespace lihandover::store::test
