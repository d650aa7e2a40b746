#include "archive.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <system_error>
#include <utility>

namespace lihandover::lea_sim {

namespace {

constexpr unsigned file_mode = 0600;

model::Error system_error(std::string_view what, int error) {
    return {std::string(what) + ": " + std::error_code(error, std::system_category()).message()};
}

model::Status write_all(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto written = ::write(descriptor, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return system_error("writing below --output", errno);
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

}  // namespace

IncomingFile::~IncomingFile() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
    if (!path_.empty()) {
        ::unlink(path_.c_str());
    }
}

IncomingFile::IncomingFile(IncomingFile&& other) noexcept
    : directory_(std::move(other.directory_)),
      path_(std::exchange(other.path_, {})),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

model::Result<IncomingFile> IncomingFile::create(const std::filesystem::path& directory) {
    static std::atomic<std::uint64_t> number{0};
    IncomingFile file;
    file.directory_ = directory;
    auto path = directory / (".incoming-" + std::to_string(::getpid()) + "-" + std::to_string(++number));
    file.descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file_mode);
    if (file.descriptor_ < 0) {
        return system_error("making a file below --output", errno);
    }
    file.path_ = std::move(path);
    return file;
}

model::Status IncomingFile::write(std::string_view bytes) {
    return write_all(descriptor_, bytes);
}

model::Status IncomingFile::finish(std::string_view stem, std::string_view suffix, std::string& name) {
    if (::close(std::exchange(descriptor_, -1)) != 0) {
        return system_error("closing a file below --output", errno);
    }
    for (unsigned number = 1;; ++number) {
        name = stem;
        if (number > 1) {
            name += "." + std::to_string(number);
        }
        name += suffix;
        const auto target = directory_ / name;
        if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) == 0) {
            break;
        }
        if (errno != EEXIST) {
            return system_error("naming a file below --output", errno);
        }
    }
    path_.clear();
    return {};
}

model::Result<Archive> Archive::open(const std::filesystem::path& directory) {
    Archive archive;
    archive.directory_ = directory;
    std::error_code error;
    for (const auto& path : {directory, directory / "objects", directory / "index"}) {
        std::filesystem::create_directories(path, error);
        if (error) {
            return model::Error{"--output: " + error.message()};
        }
    }
    return archive;
}

model::Status Archive::store(std::string_view document, std::string_view stem, std::string& name) const {
    auto file = IncomingFile::create(directory_);
    if (!file) {
        return file.error();
    }
    if (auto written = file->write(document); !written) {
        return written;
    }
    return file->finish(stem, ".xml", name);
}

model::Status Archive::store_message(const model::Uuid& transaction, std::string_view document,
                                     std::string& name) const {
    return store(document, transaction.to_string(), name);
}

model::Status Archive::store_unreadable(std::string_view document, std::string& name) const {
    return store(document, "unreadable", name);
}

model::Result<IncomingFile> Archive::begin_object() const {
    return IncomingFile::create(directory_ / "objects");
}

model::Status Archive::add_to_index(const model::Uuid& object, std::string_view line) const {
    const auto path = directory_ / "index" / (object.to_string() + ".jsonl");
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, file_mode);
    if (descriptor < 0) {
        return system_error("making a file below --output", errno);
    }
    auto written = write_all(descriptor, line);
    if (::close(descriptor) != 0 && written) {
        return system_error("closing a file below --output", errno);
    }
    return written;
}

}  // namespace lihandover::lea_sim
