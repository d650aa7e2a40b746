#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "lihandover/model/time.hpp"

namespace lihandover::app {

/// The last trusted time, in a file of the state directory, so that a start knows a time that has certainly passed.
/// Calls block on the disk. Thread-safe.
class ClockRecord {
  public:
    explicit ClockRecord(const std::string& state_dir) : path_(state_dir + "/trusted-time") {}

    /// nullopt without the file, or with a damaged one.
    [[nodiscard]] std::optional<model::Instant> read() const;
    /// Replaces the file in one step, which is on the disk when this returns. Failures are ignored: the next update
    /// follows soon.
    void write(model::Instant trusted) const;

  private:
    std::string path_;
    mutable std::mutex writing_;
};

}  // namespace lihandover::app
