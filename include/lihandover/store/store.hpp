#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "lihandover/model/clock.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/audit_log.hpp"
#include "lihandover/store/downloads.hpp"
#include "lihandover/store/intake.hpp"
#include "lihandover/store/kept_copies.hpp"
#include "lihandover/store/object_intake.hpp"
#include "lihandover/store/operator_view.hpp"
#include "lihandover/store/outbox.hpp"
#include "lihandover/store/register.hpp"
#include "lihandover/store/sealing.hpp"
#include "lihandover/store/uploads.hpp"
#include "lihandover/store/warrant_sets.hpp"

namespace lihandover::store {

struct Options {
    std::filesystem::path directory;          ///< state_dir; exists, mode 0700, held by one daemon only
    std::uint64_t max_bytes = 0;              ///< store.max_bytes; 0: no limit
    std::chrono::seconds record_retention{};  ///< 0: records are kept for ever
    std::chrono::seconds repeat_memory{std::chrono::hours(7 * 24)};  ///< how long repeats are recognised at least
    /// store.commit_timeout: a commit or sync that takes longer counts as hanging (Store::turns); 0: none does.
    std::chrono::milliseconds commit_timeout{std::chrono::seconds(10)};
    /// encryption.key_files: the first one seals, all open; none: the store is not encrypted.
    std::vector<MasterKey> master_keys{};
    /// What of the disk cannot be read for so long, while other places of the same file can, counts as damaged: what
    /// only it could open is lost, and holds up nothing else.
    std::chrono::milliseconds damaged_after{std::chrono::seconds(60)};
    AuditLog::Settings audit{};  ///< from the first checkpoint on; AuditLog::configure changes them
};

/// Owns an engine and hands out its interfaces, one for each user, which live as long as the store.
///
/// A store is durable: what is answered with Outcome::committed is there after a crash of the machine. Where the disk
/// is full, max_bytes is reached or the disk fails, ItemIntake::accepting() turns false. Listeners hear
/// on_health(false) where not even deletions can be committed, and the store tries again by itself until it works.
/// Acceptances, and what else says so, are kept until then; everything else of a failed commit gets Outcome::failed.
///
/// Thread-safe unless said otherwise. `done` callbacks and listeners run on a thread of the store.
class Store {
  public:
    Store() = default;
    virtual ~Store() = default;
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
    Store(Store&&) = delete;
    Store& operator=(Store&&) = delete;

    /// Opens or creates the store, migrates an older schema, refuses a newer one, and starts the engine. The error says
    /// what an operator can do.
    [[nodiscard]] static model::Result<std::unique_ptr<Store>> open(const Options& options, const model::Clock& clock);
    /// Commits what is queued and ends the engine; later submissions fail. Idempotent.
    virtual void stop() = 0;

    [[nodiscard]] virtual ItemIntake& item_intake() = 0;
    [[nodiscard]] virtual ObjectIntake& object_intake() = 0;
    [[nodiscard]] virtual KeptCopies& kept_copies() = 0;
    [[nodiscard]] virtual Outbox& outbox() = 0;
    [[nodiscard]] virtual UploadOutbox& upload_outbox() = 0;
    [[nodiscard]] virtual ObjectDownloads& object_downloads() = 0;
    [[nodiscard]] virtual OperatorView& operator_view() = 0;
    [[nodiscard]] virtual AuditLog& audit_log() = 0;
    [[nodiscard]] virtual Register& warrant_register() = 0;
    [[nodiscard]] virtual Sealing& sealing() = 0;
    /// nullptr: the engine is one daemon's alone, whose warrants are files.
    [[nodiscard]] virtual WarrantSets* warrant_sets() { return nullptr; }

    /// Changes of a reload; take effect at the next commit.
    virtual void set_limits(std::uint64_t max_bytes, std::chrono::seconds record_retention) = 0;
    virtual void set_commit_timeout(std::chrono::milliseconds timeout) = 0;

    /// False while a commit or sync hangs for longer than commit_timeout. Then accepting() is false too, and the
    /// listener heard on_health(false). For readiness, and for the watchdog that restarts a daemon whose disk hangs.
    [[nodiscard]] virtual bool turns() const = 0;
    /// True once another daemon has the database, since this one's lease was over: nothing more can be done here, and
    /// another start can wait for its turn. Never where two processes have one name: they would take turns for ever.
    [[nodiscard]] virtual bool turned_out() const { return false; }
    /// Called on a thread of the store after each commit with how long it took, in seconds; for the metric.
    virtual void set_commit_observer(std::function<void(double)> observer) = 0;
};

}  // namespace lihandover::store
