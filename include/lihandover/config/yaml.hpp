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

// The small YAML that our files need, read with yaml-cpp's parser into a tree of our own: every node knows its place,
// mappings keep their keys as written (repeated ones too), and what files of ours never need is refused: anchors,
// aliases and merge keys (a few lines of them can stand for gigabytes), tags, several documents, deep nesting.

struct YamlKey {
    std::string text;
    Place place;
};

struct YamlNode {
    /// refused: an alias; a problem of its own already, so readers pass it by.
    enum class Kind : std::uint8_t { null, scalar, sequence, mapping, refused };

    Kind kind = Kind::null;
    bool plain = true;  ///< of a scalar: not in quotes and not a block
    Place place;
    std::string text;             ///< of a scalar; may hold any character that YAML allows
    std::vector<YamlKey> keys;    ///< of a mapping, as many as items
    std::vector<YamlNode> items;  ///< elements of a sequence, values of a mapping

    /// The value of a mapping's first key of that name; nullptr when there is none or this is no mapping.
    [[nodiscard]] const YamlNode* find(std::string_view key) const;
    /// The place of that key itself; the mapping's own when it has none.
    [[nodiscard]] Place place_of(std::string_view key) const;
};

/// What tells that a file was not touched since.
struct FileStamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t modified_nanos = 0;
    std::int64_t changed_nanos = 0;  ///< of the inode: cannot be set back

    friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

/// Errors are in words for the operator and do not name the path. A symbolic link counts as what it leads to; anything
/// but a regular file is an error.
[[nodiscard]] model::Result<FileStamp> stamp_of(const std::string& path);

struct FileText {
    std::string bytes;
    FileStamp stamp;  ///< of the file that was read
};
/// An error also for a file longer than `max_size`.
[[nodiscard]] model::Result<FileText> read_text_file(const std::string& path, std::size_t max_size);

/// The one document of a text; an empty text is a null node. nullopt, with at least one problem, where the text is no
/// YAML: of that only the first mistake is found, since what follows cannot be told apart. What is YAML but refused
/// adds problems and comes back with the rest of the tree, so that its other mistakes are found in the same run.
[[nodiscard]] std::optional<YamlNode> parse_yaml(std::string_view text, const std::string& file, Problems& problems);

}  // namespace lihandover::config
