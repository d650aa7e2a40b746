#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "assembly.hpp"
#include "lihandover/admin/control.hpp"
#include "warrant_keeper.hpp"

namespace lihandover::app {

/// What a reload replaces.
struct InForce {
    std::shared_ptr<const Assembly> assembly;
    std::shared_ptr<const admin::WarrantList> warrants;
    std::shared_ptr<const admin::RevocationList> revocations;
    std::shared_ptr<const admin::PendingList> pending;
    std::shared_ptr<const admin::WarrantSet> set;
    std::size_t bad_files = 0;
    std::size_t unconfirmed = 0;  ///< warrants whose files are gone and that stay until an operator confirms their end
    std::optional<admin::ReloadReport> last_reload;
};

/// What is in force now. Thread-safe.
class CurrentInForce {
  public:
    [[nodiscard]] InForce get() const {
        const std::lock_guard lock(mutex_);
        return value_;
    }
    /// Everything except the report.
    void set(std::shared_ptr<const Assembly> assembly, const WarrantsLoaded& loaded) {
        const std::lock_guard lock(mutex_);
        value_.assembly = std::move(assembly);
        value_.bad_files = loaded.bad_files;
        take(loaded);
    }
    /// Other TLS files alone.
    void set_tls(std::shared_ptr<const Assembly> assembly) {
        const std::lock_guard lock(mutex_);
        value_.assembly = std::move(assembly);
    }
    /// A warrant was revoked: what is in force is another, from the same files.
    void set_revoked(const WarrantsLoaded& loaded) {
        const std::lock_guard lock(mutex_);
        take(loaded);
    }
    void set_report(admin::ReloadReport report) {
        const std::lock_guard lock(mutex_);
        value_.last_reload = std::move(report);
    }

  private:
    void take(const WarrantsLoaded& loaded) {
        value_.warrants = loaded.in_force;
        value_.revocations = loaded.revoked;
        value_.pending = loaded.pending;
        value_.set = loaded.set;
        value_.unconfirmed = loaded.unconfirmed;
    }

    mutable std::mutex mutex_;
    InForce value_;
};

}  // namespace lihandover::app
