#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/config/problem.hpp"
#include "lihandover/model/matching.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/warrants/warrant.hpp"

namespace lihandover::warrants {

/// What a warrant file may refer to.
struct Destinations {
    std::set<std::string> names;
    std::set<std::string> with_binary;  ///< those that take binary objects
    /// All that a test intercept may target; their windows mean nothing.
    std::vector<Target> test_targets =
        {};                         // NOLINT(readability-redundant-member-init): GCC warns of what leaves them out
    model::Matching matching = {};  ///< says which targets are the same. NOLINT(readability-redundant-member-init)
};

/// The last good version of one warrant, as the store keeps it across restarts.
struct Remembered {
    std::string file;   ///< name within warrants_dir, `w-17.yaml`
    std::string bytes;  ///< bytes_of() the entry
    // The pair that names it, and whether its file was gone when the daemon stopped (InForce::missing).
    std::string destination = {};  // NOLINT(readability-redundant-member-init): GCC warns of what leaves them out
    std::string liid = {};         // NOLINT(readability-redundant-member-init)
    bool missing = false;
};

/// An operator's word that a warrant ends at once. It outranks the file, whatever else that comes to say, until the
/// file begins the warrant at another time, or is gone.
struct Revocation {
    std::string destination;  ///< the pair that names the warrant
    std::string liid;
    model::Instant valid_from;  ///< which makes it this warrant, and not the next one under the same LIID
    std::string file;           ///< that ordered it; empty: it was gone already, and may come back

    friend bool operator==(const Revocation&, const Revocation&) = default;
};

/// A warrant whose last good version cannot be read any more, while no file says what it was.
struct Unreadable {
    std::string file;
    std::string destination;
    std::string liid;
};

/// A warrant in force and the file it came from.
struct InForce {
    std::string file;
    WarrantPtr warrant;
    bool stale = false;    ///< the file is bad now: this is its last good version
    bool missing = false;  ///< the file went before the warrant's end, and nobody has confirmed that it shall end
    bool late = false;     ///< the warrant has ended and its file is gone: it takes late events only
    /// Ended versions of the same pair that `warrant` followed on, the newest first: they take late events as if their
    /// files were gone, and go with the entry. Their windows lie before that of `warrant`.
    std::vector<WarrantPtr> earlier = {};  // NOLINT(readability-redundant-member-init): as above
};

/// What the store keeps of an entry.
[[nodiscard]] std::string bytes_of(const InForce& entry);

/// A warrant that says something else than before, or is in another file.
struct Changed {
    InForce now;
    InForce before;
    [[nodiscard]] bool only_moved() const { return now.warrant == before.warrant; }
};

/// A warrant that ended with this reload.
struct Ended {
    InForce last;             ///< its last version
    bool before_end = false;  ///< before the end of its window: its file went, or names another warrant now
    bool replaced = false;    ///< or its file orders nothing of it any more, and what it orders waits for approval
};

/// A file whose warrant is new, or orders more than is in force, and that people have not approved yet.
struct Pending {
    std::string file;
    WarrantPtr warrant;  ///< as the file has it
    WarrantPtr before;   ///< in force before this reload; null: none
    WarrantPtr left;     ///< in force in its place from now on; null: nothing
};

/// Why a reload ends nothing, though files are gone.
enum class Withheld : std::uint8_t {
    nothing,
    directory_unreadable,  ///< missing, not mounted, no permission
    directory_empty,       ///< it holds no good warrant file any more
    too_many,              ///< more than half of at least four warrants are gone at once
};

/// Warrant files that are in no directory here: a set that somebody has applied.
struct FileSet {
    struct File {
        std::string name;
        std::string text;
    };
    std::vector<File> files;  ///< in the order of their names, no name twice

    [[nodiscard]] const File* find(std::string_view name) const;
};

/// What a reload found. Lists are in the order of file names.
struct Reload {
    std::vector<InForce> in_force;  ///< all of them, after the reload
    std::vector<InForce> added;     ///< new files; also those that came into force for the first time
    std::vector<Changed> changed;
    std::vector<Ended> ended;
    Withheld withheld = Withheld::nothing;
    /// The same, whether or not somebody has confirmed it, or the files are complete.
    Withheld in_doubt = Withheld::nothing;
    std::size_t unconfirmed = 0;          ///< warrants in force that are missing
    std::vector<InForce> marked;          ///< `missing` is another than before, and nothing else
    std::vector<InForce> revoked;         ///< what files order and operators have revoked: not in force
    std::vector<Revocation> revocations;  ///< those that hold after this
    std::vector<Revocation> lifted;       ///< those that hold no longer
    /// What waits for approval. Of the warrants that it is to replace, what it orders as well is in force.
    std::vector<Pending> pending;
    bool directory_unreadable = false;  ///< so that nobody knows what else may wait
    /// Of those that restore() could not read: these an operator has confirmed to be at their end. The others are among
    /// the problems until their files are back.
    std::vector<Unreadable> given_up;
    config::Problems problems;  ///< every mistake of every bad file, also of the unchanged ones, and of the directory
    config::Problems passed_over;  ///< files that are not read, for their names
    std::size_t bad_files = 0;
    std::size_t read_files = 0;    ///< how many were opened; the others had not changed
    std::size_t parsed_files = 0;  ///< how many of these were not known by their text
};

/// When a reload happens, and what it may do.
struct Occasion {
    model::Instant now;
    std::chrono::seconds late_events = std::chrono::days(7);
    /// An operator says that warrants whose files are gone shall end (`reload --confirm-ended`).
    bool confirm_ended = false;
    /// The files are a set that was applied as a whole: what is not among them has ended with that, however much it is.
    bool complete = false;
    /// People have to approve what is new and what grows (option `warrants.approval`): what they have approved, by its
    /// digest. nullptr: nobody has to. What is in force already counts as approved.
    const std::set<Digest>* approved = nullptr;
};

/// How the file of Loader::keep_cache_in is encrypted; empty functions: not at all.
struct CacheCipher {
    std::function<std::string(std::string_view)> seal;
    std::function<std::optional<std::string>(std::string_view)> unseal;
};

/// Reads warrant files: `*.yaml` in one directory, or those of a set. Not thread-safe: the caller runs one reload at a
/// time, off the threads that do I/O. Opens files only; what is to be remembered is the caller's to store.
class Loader {
  public:
    explicit Loader(std::string directory);
    ~Loader();

    /// From the next reload on the files are these, and the directory's name stands before theirs in what is said about
    /// them. nullptr: there is no set yet, as if the directory were missing.
    void take_files(std::shared_ptr<const FileSet> files);
    /// What a reload with these files would find, beside what is in force; nothing is changed by it.
    ///   place  stands before their names in what is said about them
    [[nodiscard]] Reload preview(std::shared_ptr<const FileSet> files, const std::string& place,
                                 const Destinations& destinations, const Occasion& occasion) const;
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;

    /// Before the first reload: what was in force when the daemon stopped. Bytes that cannot be read are an error, and
    /// the others are taken all the same. Reloads report them until their files are good or their end is confirmed.
    [[nodiscard]] model::Status restore(const std::vector<Remembered>& remembered,
                                        std::vector<Revocation> revocations = {});

    /// Those that hold from the next reload on, where others than this loader's caller make and lift them, too.
    void take_revocations(std::vector<Revocation> revocations);

    /// Before the first reload: where the loader may keep what it knows of many files, so that the next start need not
    /// parse them all again. A file of its own in state_dir; without one, and for few files, it does so each time.
    ///   cipher  what its bytes are sealed with, and opened; a file that cannot be opened is removed
    void keep_cache_in(std::string file, CacheCipher cipher = {});

    /// Looks at the directory and reads the files that changed since the last reload (by size, times and inode). Each
    /// file counts by itself: a bad one leaves its last good version in force, and a pair of destination and LIID in
    /// two files makes both bad. A warrant whose destination is not among `destinations` is bad, also when the file has
    /// not changed.
    ///
    /// A file that is gone ends its warrant, unless too much is gone at once (Withheld): then all of it stays in force
    /// until an operator confirms the end, or the files are back (promise 10). One that goes after its warrant's end
    /// leaves it for late events (promise 9), and so does one that gives the pair a later window then
    /// (InForce::earlier).
    ///
    /// What it found is compared with the last accepted reload, however many there were between.
    [[nodiscard]] Reload reload(const Destinations& destinations, const Occasion& occasion);

    /// What comes of revoking the warrant that this pair names: it and all its versions, without a look at any file. It
    /// is the one that ended. nullopt: none is in force. Accepted as a reload is.
    [[nodiscard]] std::optional<Reload> revoke(std::string_view destination, std::string_view liid);

    /// The last reload is in force, and stored: the next is compared with it. Its lists `in_force`, which is shared
    /// from now on, and `revocations` are taken. A reload that came to nothing is not accepted, so that what it changed
    /// is found again.
    std::shared_ptr<const std::vector<InForce>> accept(Reload& reload);

  private:
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
