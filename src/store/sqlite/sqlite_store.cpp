#include "sqlite_store.hpp"

#include <spdlog/spdlog.h>
#include <sqlite3.h>

#include <memory>
#include <mutex>
#include <utility>

#include "audit_reads.hpp"
#include "common/catalogue.hpp"
#include "common/directory.hpp"
#include "common/head_file.hpp"
#include "common/keyring.hpp"
#include "common/last_state.hpp"
#include "common/object_files.hpp"
#include "common/secret.hpp"
#include "database.hpp"
#include "interfaces.hpp"
#include "key_slots.hpp"
#include "maintenance.hpp"
#include "reader_pool.hpp"
#include "writer.hpp"

namespace lihandover::store::sqlite {

namespace {

class SqliteStore final : public Store {
  public:
    /// What is opened before it is made.
    struct Parts {
        StateDirectory directory;
        std::shared_ptr<ObjectFiles> files;
        std::unique_ptr<Secret> secret;
        std::shared_ptr<Keyring> keyring;
        std::shared_ptr<KeySlots> keys;
    };
    SqliteStore(Parts parts, const Options& options, const model::Clock& clock)
        : directory_(std::move(parts.directory)),
          files_(std::move(parts.files)),
          secret_(std::move(parts.secret)),
          keyring_(std::move(parts.keyring)),
          keys_(std::move(parts.keys)),
          plan_(SpacePlan::of(directory_.total_bytes(), options.max_bytes)),
          readers_({directory_.database(), catalogue_, files_, keys_, &clock}),
          database_({&directory_, &clock, secret_.get(), keyring_.get(), catalogue_.get(), files_, keys_,
                     options.repeat_memory, plan_.wal_limit}),
          maintenance_(keys_),
          writer_({&directory_, catalogue_.get(), &database_, &readers_, &maintenance_, files_.get(), plan_,
                   options.max_bytes, options.record_retention, options.commit_timeout}) {
        database_.tables().audit.configure(options.audit);
    }
    SqliteStore(const SqliteStore&) = delete;
    SqliteStore& operator=(const SqliteStore&) = delete;
    SqliteStore(SqliteStore&&) = delete;
    SqliteStore& operator=(SqliteStore&&) = delete;
    ~SqliteStore() override { shut_down(); }

    model::Status start() {
        // A new database names no key: all of them would be overwritten.
        if (!directory_.has_database() && keys_->bytes() > 0) {
            return model::Error{
                "state_dir has the keys of stored content, but no store.db, and none was changed: put store.db "
                "back with what lay beside it, or move keys and objects away for an empty store"};
        }
        if (auto created = directory_.create_database(); !created) {
            return created;
        }
        auto opened = try_open();
        // Where the disk is full already, deliveries need what is set aside to get going.
        if (!opened && failed_for_space_ && directory_.release()) {
            opened = try_open();
        }
        if (!opened) {
            return opened;
        }
        look_for_newer_entries();
        sweep();
        files_->set_remover([this](const std::function<void()>& work) { maintenance_.run_aside(work); });
        maintenance_.start();
        writer_.start();
        return {};
    }

    void stop() override { shut_down(); }

    ItemIntake& item_intake() override { return item_intake_; }
    ObjectIntake& object_intake() override { return object_intake_; }
    KeptCopies& kept_copies() override { return kept_copies_; }
    Outbox& outbox() override { return outbox_; }
    UploadOutbox& upload_outbox() override { return upload_outbox_; }
    ObjectDownloads& object_downloads() override { return object_downloads_; }
    OperatorView& operator_view() override { return operator_view_; }
    AuditLog& audit_log() override { return audit_log_; }
    Register& warrant_register() override { return register_; }
    Sealing& sealing() override { return sealing_; }

    void set_limits(std::uint64_t max_bytes, std::chrono::seconds record_retention) override {
        writer_.set_limits(max_bytes, record_retention);
    }

    void set_commit_timeout(std::chrono::milliseconds timeout) override { writer_.set_commit_timeout(timeout); }
    bool turns() const override { return writer_.turns(); }
    void set_commit_observer(std::function<void(double)> observer) override {
        writer_.set_commit_observer(std::move(observer));
    }

  private:
    void shut_down() {
        operator_view_.stop();
        // Maintenance hands on what it still has to do.
        maintenance_.stop();
        writer_.stop();
        static_cast<void>(keys_->sync());
        files_->set_remover({});
    }

    /// Whether the database is another state than the last that was there, which is said, recorded, and an alarm.
    void look_for_newer_entries() {
        AuditTable& table = database_.tables().audit;
        const HeadFile file(directory_.audit_head());
        const auto read = file.read();
        const audit::Head head = table.committed_head();
        if (read && !*read && head.number == 0) {
            // There from the beginning, so that one that is missing was removed.
            static_cast<void>(file.write({table.chain(), head}) && directory_.sync());
            return;
        }
        const LastState found = compare_with_last(
            read, {table.chain(), head}, [this](std::uint64_t number) -> model::Result<std::optional<audit::Hash>> {
                try {
                    return hash_at(database_.connection(), number);
                } catch (const SqlFailure& failure) {
                    return model::Error{failure.describe()};
                }
            });
        if (found.alarm.empty()) {
            return;
        }
        table.want_alarm(found.alarm);
        if (found.was) {
            table.want_restored(*found.was);
        }
        record_alarm();
    }

    void record_alarm() {
        try {
            static_cast<void>(database_.begin());
            database_.commit();
            database_.publish();
        } catch (const SqlFailure& failure) {
            database_.roll_back();
            spdlog::error("store: that could not be recorded yet: {}. The next commit does it", failure.describe());
        }
    }

    void sweep() {
        try {
            const ObjectTable::Named named = ObjectTable::files_named(database_.connection());
            // What rows name counts also where the files cannot be looked at.
            files_->take_stock(named.bytes);
            const auto found =
                files_->sweep([this](const model::Uuid& name) { return database_.tables().objects.names_file(name); });
            if (!found) {
                // What has no row lies there until the next start.
                spdlog::error("store: {}", found.error().message);
            } else if (*found < named.files) {
                spdlog::error(
                    "store: {} sealed objects are missing from state_dir/objects: they cannot be handed over; restore "
                    "them from a backup, or reject them",
                    named.files - *found);
            }
        } catch (const SqlFailure& failure) {
            spdlog::error("store: state_dir/objects could not be looked through: {}", failure.describe());
        }
    }

    model::Status try_open() {
        failed_for_space_ = false;
        try {
            return database_.open();
        } catch (const SqlFailure& failure) {
            database_.close();
            failed_for_space_ = failure.trouble() == Trouble::full;
            return model::Error{what_to_do(failure)};
        }
    }

    static std::string what_to_do(const SqlFailure& failure) {
        const std::string what = "the store in state_dir cannot be opened: " + failure.describe();
        switch (failure.trouble()) {
            case Trouble::full:
                return what + "; free space on its file system";
            case Trouble::read_only:
                return what + "; mount its file system read-write, or see to owner and mode of its files";
            case Trouble::corrupt:
                return what +
                       "; keep a copy of state_dir, and restore a backup or recover the file with sqlite3's .recover "
                       "(docs/store.md)";
            case Trouble::busy:
                return what + "; another process holds the database locked: end it";
            case Trouble::failing:
                break;
        }
        return what + "; look for disk errors in the system's log";
    }

    StateDirectory directory_;
    std::shared_ptr<ObjectFiles> files_;
    std::unique_ptr<Secret> secret_;
    std::shared_ptr<Keyring> keyring_;
    std::shared_ptr<KeySlots> keys_;
    std::shared_ptr<Catalogue> catalogue_ = std::make_shared<Catalogue>();
    SpacePlan plan_;
    bool failed_for_space_ = false;
    ReaderPool readers_;
    Database database_;
    Maintenance maintenance_;
    Writer writer_;

    SqliteItemIntake item_intake_{writer_, *secret_};
    SqliteObjectIntake object_intake_{writer_, *files_};
    SqliteKeptCopies kept_copies_{writer_, readers_};
    SqliteOutbox outbox_{writer_, readers_};
    SqliteUploadOutbox upload_outbox_{writer_, readers_, *files_};
    SqliteObjectDownloads object_downloads_{writer_, readers_, *files_};
    SqliteOperatorView operator_view_{writer_, readers_};
    SqliteAuditLog audit_log_{writer_, readers_, database_.tables().audit};
    SqliteRegister register_{writer_, *catalogue_};
    SqliteSealing sealing_{writer_, *keyring_, database_.tables().resealing};
};

}  // namespace

model::Result<std::unique_ptr<Store>> open(const Options& options, const model::Clock& clock) {
    // SQLite's own memory statistics cost a lock per allocation. Refused, which does no harm, when it is in use
    // already.
    static std::once_flag once;
    std::call_once(once, [] { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); });
    if (!prepare_hashing()) {
        return model::Error{"the system gives no random numbers"};
    }
    auto directory = StateDirectory::open(options.directory);
    if (!directory) {
        return directory.error();
    }
    bool no_space = false;
    auto files = ObjectFiles::open(options.directory, no_space);
    // The first start after an upgrade, on a full disk: deliveries need to get going.
    if (!files && no_space && directory->release()) {
        files = ObjectFiles::open(options.directory, no_space);
    }
    if (!files) {
        return files.error();
    }
    auto secret = std::make_unique<Secret>();
    auto keyring = std::make_shared<Keyring>(*secret, options.master_keys);
    auto keys = KeySlots::open(options.directory, keyring, no_space);
    if (!keys && no_space && directory->release()) {
        keys = KeySlots::open(options.directory, keyring, no_space);
    }
    if (!keys) {
        return keys.error();
    }
    (*keys)->set_damaged_after(options.damaged_after);
    auto store =
        std::make_unique<SqliteStore>(SqliteStore::Parts{std::move(*directory), std::move(*files), std::move(secret),
                                                         std::move(keyring), std::move(*keys)},
                                      options, clock);
    if (auto started = store->start(); !started) {
        return started.error();
    }
    return std::unique_ptr<Store>(std::move(store));
}

}  // namespace lihandover::store::sqlite
