#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lihandover/model/result.hpp"
#include "lihandover/model/time.hpp"

namespace lihandover::store {

/// One warrant file of a set.
struct SetFile {
    std::string name;  ///< `w-17.yaml`
    std::string text;
    std::uint32_t uid = 0;  ///< the user who applied it as it is now, as the kernel names him
};

/// What is in force for all daemons on the store: the set of warrant files that an operator has applied last.
struct AppliedSet {
    /// Counted up with each set, and with each revocation and approval: with whatever all daemons have to follow.
    std::uint64_t state = 0;
    std::uint64_t version = 0;  ///< counted up with each set; 0: none was applied yet
    model::Instant at;
    std::string who;
    std::vector<SetFile> files;  ///< in the order of their names
};

/// A set to be applied.
struct NewSet {
    /// The state that it was checked against. Where there is another one by now, nothing is changed.
    std::uint64_t before = 0;
    std::string who;
    std::string why;             ///< for its entry: what it changes, in numbers
    std::vector<SetFile> files;  ///< in the order of their names, no name twice
};

/// Another daemon on the same store.
struct SetPeer {
    std::string name;
    bool knows = false;  ///< nothing counts there that was matched with an older state
};

/// One set of warrants for all daemons on a store. Thread-safe; calls block.
///
/// An event counts only by the newest state: what was matched with an older one is turned away by the submission's
/// transaction (Arrival::warrants, Outcome::outdated), whichever daemon it is at, from the commit of the change on.
/// Doors that drop what is under no warrant without a submission ask ItemIntake::is_current() before they do.
class WarrantSets {
  public:
    virtual ~WarrantSets() = default;

    /// AppliedSet::state. Cheap: for asking a few times a second.
    [[nodiscard]] virtual model::Result<std::uint64_t> state() = 0;
    [[nodiscard]] virtual model::Result<AppliedSet> read() = 0;
    /// Makes it the newest set, with its entry, in one transaction. Its version; nullopt: it was checked against a
    /// state that is not the newest any more. After an error it may turn out to be there all the same.
    [[nodiscard]] virtual model::Result<std::optional<std::uint64_t>> apply(NewSet set) = 0;
    /// What this daemon matches with from now on. Others see it with its next commit.
    virtual void follow(std::uint64_t state) = 0;
    /// The other daemons that may take anything in at present, as far as they do not follow that state yet. One whose
    /// lease is over takes nothing in.
    [[nodiscard]] virtual model::Result<std::vector<SetPeer>> behind(std::uint64_t state) = 0;
};

}  // namespace lihandover::store
