#pragma once

#include <filesystem>
#include <optional>
#include <utility>

#include "lihandover/audit/verification.hpp"
#include "lihandover/model/result.hpp"

namespace lihandover::store {

/// A small file beside the database that names the newest audit entry that was committed, or one shortly before: where
/// the database is older than that, somebody has put it back.
class HeadFile {
  public:
    explicit HeadFile(std::filesystem::path path) : path_(std::move(path)) {}

    /// nullopt: there is none. The error says how it cannot be read.
    [[nodiscard]] model::Result<std::optional<audit::ChainHead>> read() const;
    /// On the disk when it returns true.
    [[nodiscard]] bool write(const audit::ChainHead& head) const;

  private:
    std::filesystem::path path_;
};

}  // namespace lihandover::store
