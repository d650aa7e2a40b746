#include "clock_record.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace lihandover::app {

namespace {

class File {
  public:
    File(const std::string& path, int flags) : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        if (descriptor_ >= 0) {
            close(descriptor_);
        }
    }
    [[nodiscard]] bool write(const std::string& text) const {
        return descriptor_ >= 0 && ::write(descriptor_, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    }
    [[nodiscard]] bool sync() const { return descriptor_ >= 0 && fsync(descriptor_) == 0; }

  private:
    int descriptor_;
};

}  // namespace

std::optional<model::Instant> ClockRecord::read() const {
    std::ifstream file(path_);
    std::string text;
    if (!std::getline(file, text)) {
        return std::nullopt;
    }
    const auto time = model::parse_rfc3339(text);
    return time ? std::optional(time->instant) : std::nullopt;
}

void ClockRecord::write(model::Instant trusted) const {
    const std::lock_guard lock(writing_);
    const std::string fresh = path_ + ".new";
    // Without the sync a loss of power can leave an empty file under the new name.
    if (const File file(fresh, O_WRONLY | O_CREAT | O_TRUNC);
        !file.write(model::to_microsecond_date_time(trusted) + '\n') || !file.sync()) {
        return;
    }
    if (std::rename(fresh.c_str(), path_.c_str()) == 0) {
        const File directory(std::filesystem::path(path_).parent_path().string(), O_RDONLY | O_DIRECTORY);
        static_cast<void>(directory.sync());
    }
}

}  // namespace lihandover::app
