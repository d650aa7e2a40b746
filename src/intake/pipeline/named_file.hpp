#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "lihandover/base/descriptor.hpp"
#include "lihandover/model/item.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/objects.hpp"

namespace lihandover::intake {

/// A regular file below a directory, open for reading, as a source named it. The name is hostile: whatever is in it,
/// and whoever changes the directory meanwhile, nothing outside the directory is opened, no symbolic link is followed,
/// and no other file system is entered. Calls block.
class NamedFile {
  public:
    /// What decides whether a file is still the same, bytes included. The device is left out: its number may change
    /// with a restart, and no other file system than the directory's is entered.
    struct Identity {
        std::uint64_t inode = 0;
        std::uint64_t size = 0;
        std::int64_t modified_nanos = 0;
        std::int64_t changed_nanos = 0;

        friend bool operator==(const Identity&, const Identity&) = default;
    };
    [[nodiscard]] static Identity identity_of(const store::SourceFile& file) {
        return {file.inode, file.size, file.modified_nanos, file.changed_nanos};
    }

    /// Nullopt if there is none, or none that may be read; then `why` is `vanished` or `unreadable`.
    [[nodiscard]] static std::optional<NamedFile> open(const std::string& root, std::string_view path,
                                                       model::ObjectLoss& why);
    /// As of now; nullopt if the system does not say.
    [[nodiscard]] std::optional<Identity> identity() const;
    /// The next bytes of the file; 0 at its end, nullopt if they cannot be read.
    [[nodiscard]] std::optional<std::size_t> read(std::span<char> out);

  private:
    explicit NamedFile(base::Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

    base::Descriptor descriptor_;
};

}  // namespace lihandover::intake
