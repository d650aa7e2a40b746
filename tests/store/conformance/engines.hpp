#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lihandover/model/clock.hpp"
#include "lihandover/store/store.hpp"

namespace lihandover::store::test {

/// A store that is held to the contract.
struct Engine {
    std::string name;
    /// Opens the store that belongs to the directory: the same one again after it was closed.
    std::function<std::unique_ptr<Store>(const std::filesystem::path& directory, const model::Clock& clock)> open;
    /// While true every commit fails. One store at a time.
    std::function<void(Store& store, bool fail)> fail_commits;
};

/// All that there are: each engine, and the fake that other rooms' tests use. A new one joins here.
[[nodiscard]] std::vector<Engine> engines();

}  // namespace lihandover::store::test
