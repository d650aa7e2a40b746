#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/config/problem.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/warrants/warrant.hpp"

namespace lihandover::warrants {

/// What a warrant file may refer to.
struct Destinations {
    std::set<std::string> names;
    std::set<std::string> with_binary;  ///< those that take binary objects
};

/// The last good version of one file, as the store keeps it across restarts.
struct Remembered {
    std::string file;   ///< name within warrants_dir, `w-17.yaml`
    std::string bytes;  ///< encode() of the warrant
};

/// A warrant in force and the file it came from.
struct InForce {
    std::string file;
    WarrantPtr warrant;
    Digest digest{};
    bool stale = false;  ///< the file is bad now: this is its last good version
};

/// What a reload found. Lists are in the order of file names.
struct Reload {
    std::vector<InForce> in_force;  ///< all of them, after the reload
    std::vector<InForce> added;     ///< new files; also those that came into force for the first time
    std::vector<InForce> changed;   ///< their new versions
    std::vector<InForce> ended;     ///< their last versions: the file vanished, or names another warrant now
    config::Problems problems;      ///< every mistake of every bad file, also of the unchanged ones
    std::size_t bad_files = 0;
    std::size_t read_files = 0;  ///< how many were opened; the others had not changed
};

/// Reads warrant files (`*.yaml` in one directory, dot files and directories left out). Not thread-safe: the caller
/// runs one reload at a time, off the threads that do I/O. Opens files only; what is to be remembered is the caller's
/// to store.
class Loader {
  public:
    explicit Loader(std::string directory);
    ~Loader();
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;

    /// Before the first reload: what was in force when the daemon stopped. Bytes that cannot be read are an error, and
    /// the others are taken all the same.
    [[nodiscard]] model::Status restore(const std::vector<Remembered>& remembered);

    /// Looks at the directory and reads the files that changed since the last reload (by size, times and inode). Each
    /// file counts by itself: a bad one leaves its last good version in force, a vanished one ends its warrant. A pair
    /// of destination and LIID in two files makes both bad. An error means that the directory could not be read:
    /// nothing has changed then, and what was in force stays.
    ///
    /// A warrant whose destination is not among `destinations` is bad, also when the file has not changed.
    [[nodiscard]] model::Result<Reload> reload(const Destinations& destinations);

  private:
    struct File;
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Reads the text of one warrant file, without looking at other files. `out` is set when there are no problems.
[[nodiscard]] config::Problems read_warrant(std::string_view text, const std::string& file,
                                            const Destinations& destinations, Warrant& out);

inline constexpr std::size_t max_warrant_file_size = std::size_t{1} << 20;

/// The contents of the warrant file section of docs/configuration.md, made from the declarations.
[[nodiscard]] std::string warrant_reference_markdown();

}  // namespace lihandover::warrants
