#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/config/problem.hpp"
#include "lihandover/model/result.hpp"

namespace lihandover::config {

// The small part of YAML that our files need, read with yaml-cpp's parser into our own tree: every node knows its
// place, and mappings keep their keys as written (repeated ones too). What our files never need is refused: anchors,
// aliases and merge keys (a few lines of them can expand to gigabytes), tags, several documents, deep nesting.

struct YamlKey {
    std::string text;
    Place place;
};

struct YamlNode {
    /// refused: an alias; it is already reported as a problem, so readers skip it.
    enum class Kind : std::uint8_t { null, scalar, sequence, mapping, refused };

    Kind kind = Kind::null;
    bool plain = true;  ///< of a scalar: not in quotes and not a block
    Place place;
    std::string text;             ///< of a scalar; may contain any character that YAML allows
    std::vector<YamlKey> keys;    ///< of a mapping, as many as items
    std::vector<YamlNode> items;  ///< elements of a sequence, values of a mapping

    /// The value of a mapping's first key of that name; nullptr if there is none or this is not a mapping.
    [[nodiscard]] const YamlNode* find(std::string_view key) const;
    /// The place of that key itself; the mapping's own if it has none.
    [[nodiscard]] Place place_of(std::string_view key) const;
};

/// What tells whether a file has been touched since.
struct FileStamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t modified_nanos = 0;
    std::int64_t changed_nanos = 0;  ///< of the inode: cannot be set back

    friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

/// Errors are sentences for the operator and do not name the path. A symbolic link counts as its target; anything but a
/// regular file is an error.
[[nodiscard]] model::Result<FileStamp> stamp_of(const std::string& path);

struct FileText {
    std::string bytes;
    FileStamp stamp;  ///< of the file that was read
};
/// A file longer than `max_size` is an error too.
[[nodiscard]] model::Result<FileText> read_text_file(const std::string& path, std::size_t max_size);

/// The one document of a text; an empty text is a null node. nullopt, with at least one problem, if the text is not
/// YAML; then only the first mistake is found, since the rest cannot be interpreted. What is YAML but refused adds
/// problems and is returned with the rest of the tree, so that its other mistakes are found in the same run.
[[nodiscard]] std::optional<YamlNode> parse_yaml(std::string_view text, const std::string& file, Problems& problems);

}  // namespace lihandover::config
