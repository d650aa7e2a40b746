#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lihandover/config/yaml.hpp"
#include "parse_cache.hpp"
#include "warrant_file.hpp"

namespace lihandover::warrants {

/// The contents of a directory of warrant files, by name, each list in order.
struct Listing {
    std::vector<std::string> files;        ///< `*.yaml`, whatever they are
    std::vector<std::string> passed_over;  ///< other files that do not begin with a dot
    /// Why it cannot be read; then the lists are empty.
    std::optional<std::string> unreadable;
    bool absent = false;  ///< unreadable because there is no such directory
};

[[nodiscard]] Listing list_directory(const std::string& directory);

/// One warrant file as last read.
struct CachedFile {
    /// What only few files need.
    struct Details {
        ParsedFile parsed;          ///< its warrant has moved away
        config::Problems problems;  ///< of this reload
    };

    std::string name;
    ShortDigest stamp{};
    ShortDigest text{};                ///< of what was read
    WarrantPtr warrant;                ///< what the file says; null: the file by itself is bad
    bool settled = false;              ///< a write since the stamp would have changed it
    std::unique_ptr<Details> details;  ///< of a bad file, and of one whose places were asked for

    [[nodiscard]] bool good() const { return warrant != nullptr && (!details || details->problems.empty()); }
};

/// The files of one directory, read again when they change.
class FileCache {
  public:
    explicit FileCache(std::string directory) : directory_(std::move(directory)) {}

    /// The files are these from now on, and not in the directory; nullptr: there are none yet.
    void take_files(std::shared_ptr<const FileSet> files) {
        set_ = std::move(files);
        is_set_ = true;
    }
    /// What there is to update with.
    [[nodiscard]] Listing list() const;

    /// How many files an update opened, and how many of these it parsed.
    struct Work {
        std::size_t read = 0;
        std::size_t parsed = 0;
    };
    /// The warrant of this file and digest known from before; null if there is none.
    using KnownWarrant = std::function<WarrantPtr(const std::string& file, const Digest& digest)>;

    /// Takes the files of this listing, in its order, and forgets the others. Reads those that may have changed, and
    /// resets everyone's problems to what is wrong with the file by itself. What was parsed before the start is not
    /// parsed again if `before` has it and `known` its warrant.
    Work update(const std::vector<std::string>& names, const ParseCache& before, const KnownWarrant& known);
    /// What the next start should know.
    [[nodiscard]] ParseCache to_cache() const;

    [[nodiscard]] std::vector<CachedFile>& files() { return files_; }
    [[nodiscard]] const std::vector<CachedFile>& files() const { return files_; }
    [[nodiscard]] std::string path_of(const std::string& name) const { return directory_ + "/" + name; }
    /// The places in the file; reads it again if they are not known.
    [[nodiscard]] const ParsedFile& places(CachedFile& file) const;

  private:
    void look_at(CachedFile& file, const ParseCache& before, const KnownWarrant& known, Work& work) const;
    /// A file of a set.
    void look_at_text(CachedFile& file, const ParseCache& before, const KnownWarrant& known, Work& work) const;
    static void take(CachedFile& file, ParsedFile parsed);
    [[nodiscard]] std::optional<std::string> text_of(const std::string& name) const;

    std::string directory_;
    bool is_set_ = false;
    std::shared_ptr<const FileSet> set_;
    std::vector<CachedFile> files_;
};

}  // namespace lihandover::warrants
