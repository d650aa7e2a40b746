#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "assembly.hpp"
#include "lihandover/admin/control.hpp"
#include "lihandover/intake/pipeline/snapshot.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/store.hpp"
#include "lihandover/warrants/loader.hpp"

namespace lihandover::app {

/// What came of loading the warrants.
struct WarrantsLoaded {
    std::shared_ptr<const intake::Snapshot> snapshot;
    std::shared_ptr<const admin::WarrantList> in_force;
    config::Problems problems;
    std::size_t bad_files = 0;
    std::size_t added = 0;
    std::size_t changed = 0;
    std::size_t ended = 0;
};

/// Brings warrant files into force: reads what changed, has the store remember the good versions together with their
/// records, and makes the snapshot that intake matches with. One load at a time, on a thread that may block.
class WarrantKeeper {
  public:
    WarrantKeeper(store::Store& store, std::string directory);

    /// Before the first load: takes what was in force when the daemon stopped out of the store.
    [[nodiscard]] model::Status restore();

    /// An error means that nothing changed: what was in force before still is, here and in the store. Bad files are no
    /// error (promise 10).
    [[nodiscard]] model::Result<WarrantsLoaded> load(const Assembly& assembly, const std::string& who);

  private:
    using Pair = std::pair<std::string, std::string>;  // destination, LIID

    struct Recorded {
        std::string file;
        warrants::Digest digest{};
        friend bool operator==(const Recorded&, const Recorded&) = default;
    };

    [[nodiscard]] store::WarrantChanges changes_since_recorded(const warrants::Reload& reload) const;
    void remember(const store::WarrantChanges& changes, const warrants::Reload& reload);
    [[nodiscard]] model::Result<std::shared_ptr<const intake::Snapshot>> make_snapshot(const Assembly& assembly,
                                                                                       const warrants::Reload& reload);

    store::Store& store_;
    warrants::Loader loader_;
    // What the store remembers. Changes are found against this rather than taken from the loader, so that a load whose
    // commit failed is made good by the next one.
    std::map<Pair, Recorded> recorded_;
};

}  // namespace lihandover::app
