#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "assembly.hpp"
#include "lihandover/admin/control.hpp"
#include "lihandover/intake/pipeline/snapshot.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/register.hpp"
#include "lihandover/store/sealing.hpp"
#include "lihandover/store/warrant_sets.hpp"
#include "lihandover/warrants/loader.hpp"

namespace lihandover::app {

/// The result of loading the warrants.
struct WarrantsLoaded {
    std::shared_ptr<const intake::Snapshot> snapshot;
    std::shared_ptr<const admin::WarrantList> in_force;
    config::Problems problems;
    std::size_t bad_files = 0;
    std::size_t added = 0;
    std::size_t changed = 0;
    std::size_t ended = 0;
    std::size_t withdrawn = 0;  ///< of the ended ones: before their time, because their files were removed
    warrants::Withheld withheld = warrants::Withheld::nothing;
    std::size_t unconfirmed = 0;  ///< in force without their files, until an operator confirms their end
    std::shared_ptr<const admin::RevocationList> revoked;
    std::shared_ptr<const admin::PendingList> pending;
    std::shared_ptr<const admin::WarrantSet> set;  ///< which these are; null: files in a directory

    /// Everything is as the files have it.
    [[nodiscard]] bool whole() const { return problems.empty() && bad_files == 0 && unconfirmed == 0; }
};

/// Where warrants come from: `*.yaml` files in a directory, or the set that the store has.
struct WarrantSource {
    std::string directory;
    store::WarrantSets* sets = nullptr;  ///< other than null: the set, and no directory
};

/// Brings warrant files into force: reads what changed, has the store keep the good versions together with their
/// records, and makes the snapshot that intake matches with. One load at a time, on a thread that may block.
class WarrantKeeper {
  public:
    WarrantKeeper(store::Register& kept, const store::Sealing& sealing, WarrantSource source,
                  const model::Clock& clock = model::system_clock());

    /// Before the first load: takes from the store what was in force when the daemon stopped.
    /// An error: the store cannot be read. A start must end then, since what was revoked would be in force again. The
    /// value says that some stored versions cannot be read, else it is empty: the others were taken, and loads report
    /// those.
    [[nodiscard]] model::Result<std::string> restore();

    /// An error means that nothing changed: what was in force still is, here and in the store. Bad files are not an
    /// error, nor is a directory that cannot be read (promise 10). `confirm_ended`: an operator confirms that warrants
    /// whose files are gone end. Logs what ends before its time and what is kept from ending.
    [[nodiscard]] model::Result<WarrantsLoaded> load(const Assembly& assembly, const std::string& who,
                                                     bool confirm_ended = false);

    /// The set that these warrants come from; null: it is files.
    [[nodiscard]] store::WarrantSets* sets() const { return sets_; }

    /// Checks a set as a load would, and says what it would change; nothing is changed.
    [[nodiscard]] admin::WarrantSetAnswer compare(const Assembly& assembly, const admin::WarrantSetRequest& request);
    /// The same, and where nothing is wrong with it puts it into the store, for all daemons. It comes into force with
    /// the next load, also where that is another daemon's.
    [[nodiscard]] admin::WarrantSetAnswer apply(const Assembly& assembly, const admin::WarrantSetRequest& request);

    /// Ends a warrant at once, as it is in force, without a look at any file. nullopt: none of this name is in force.
    /// An error means that nothing changed here; the store may have it all the same: see find_revoked().
    [[nodiscard]] model::Result<std::optional<WarrantsLoaded>> revoke(const Assembly& assembly,
                                                                      const admin::RevokeRequest& request);

    /// After an error of revoke(), and before anything else: whether the store has the revocation, which counts then.
    /// nullopt: it has not. An error: that is not known yet.
    [[nodiscard]] model::Result<std::optional<WarrantsLoaded>> find_revoked(const Assembly& assembly,
                                                                            const admin::RevokeRequest& request);

    /// After revoke(), when no item of the warrant can come any more.
    [[nodiscard]] model::Status nothing_more_of(const admin::RevokeRequest& request) const;

    /// What one of the people says of a warrant that waits. Where that is enough, warrants are loaded anew: `loaded` is
    /// set then, as it is where only the list of those that wait changed.
    [[nodiscard]] admin::ApprovalAnswer decide(const Assembly& assembly, const admin::ApprovalRequest& request,
                                               std::optional<WarrantsLoaded>& loaded);

  private:
    /// What the store has by now of what other daemons decide, too.
    [[nodiscard]] model::Status take_newest_set();
    [[nodiscard]] model::Status take_files();
    [[nodiscard]] model::Status take_decisions();
    [[nodiscard]] warrants::Occasion occasion_of(const Assembly& assembly, const std::set<warrants::Digest>& approved,
                                                 bool confirm_ended) const;
    [[nodiscard]] std::set<warrants::Digest> approved_ones(const Assembly& assembly) const;
    [[nodiscard]] WarrantsLoaded take_revoked(const admin::RevokeRequest& request, warrants::Reload& reload,
                                              std::shared_ptr<const intake::Snapshot> snapshot);
    [[nodiscard]] model::Status store_changes(const warrants::Reload& reload, const std::string& who);
    [[nodiscard]] std::shared_ptr<const admin::PendingList> pending_of(const warrants::Reload& reload) const;
    /// Of a warrant file; nullopt: it is not there.
    [[nodiscard]] std::optional<std::uint32_t> owner_of(const std::string& file) const;
    [[nodiscard]] std::size_t approvals_of_others(const store::StoredPendingWarrant& pending) const;
    void note_decision(const admin::ApprovalRequest& request);
    [[nodiscard]] model::Result<std::shared_ptr<const intake::Snapshot>> make_snapshot(
        const Assembly& assembly, const warrants::Reload& reload, const std::shared_ptr<const admin::WarrantSet>& set);

    store::Register& register_;
    const store::Sealing& sealing_;
    const model::Clock& clock_;
    warrants::Loader loader_;
    admin::RevocationList revocations_;                  ///< as the store has them
    std::vector<store::StoredPendingWarrant> waiting_;   ///< for approval, as the store has them
    std::shared_ptr<const admin::PendingList> pending_;  ///< as of the last load
    std::string directory_;
    store::WarrantSets* sets_;
    std::shared_ptr<const admin::WarrantSet> set_;           ///< that the next load is of
    std::shared_ptr<const admin::WarrantSet> accepted_set_;  ///< as of the last load that came to its end
    std::shared_ptr<const warrants::FileSet> files_;
    std::map<std::string, std::uint32_t, std::less<>> owners_;  ///< of its files, by their names
    std::set<warrants::Digest> in_force_elsewhere_;             ///< as the store has them
};

}  // namespace lihandover::app
