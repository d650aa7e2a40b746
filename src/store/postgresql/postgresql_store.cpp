#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "common/directory.hpp"
#include "common/head_file.hpp"
#include "common/last_state.hpp"
#include "database.hpp"
#include "interfaces.hpp"
#include "lihandover/store/postgresql.hpp"
#include "operator_reads.hpp"
#include "reader_pool.hpp"
#include "writer.hpp"

namespace lihandover::store::postgresql {

namespace {

/// How old a file is that no row has and that no daemon is about to give one. Uploads wait for their event for minutes.
constexpr std::chrono::seconds abandoned = std::chrono::hours(24);

/// A directory with many files on a network takes a while to look through.
constexpr std::uint64_t counts_to_look_at_files = 12;

class PostgresqlStore final : public Store {
  public:
    PostgresqlStore(StateDirectory directory, std::shared_ptr<ObjectFiles> files, const Options& options,
                    const PostgresqlOptions& postgresql, const model::Clock& clock)
        : directory_(std::move(directory)),
          objects_directory_(postgresql.objects_directory),
          files_(std::move(files)),
          keyring_(secret_, options.master_keys),
          readers_({settings_of(postgresql, true), catalogue_, &keyring_, files_, &clock, &connections_}),
          database_({settings_of(postgresql, false), postgresql.node, postgresql.lease, postgresql.shared, &holdings_,
                     &clock, &secret_, &keyring_, catalogue_.get(), files_, options.repeat_memory, &connections_}),
          writer_({catalogue_.get(), &database_, files_.get(), [this] { return count(); },
                   [this] { return free_bytes(); }, &give_up_, options.max_bytes, options.record_retention,
                   options.commit_timeout, directory_.audit_head()}),
          clock_(clock) {
        database_.tables().audit.configure(options.audit);
    }
    PostgresqlStore(const PostgresqlStore&) = delete;
    PostgresqlStore& operator=(const PostgresqlStore&) = delete;
    PostgresqlStore(PostgresqlStore&&) = delete;
    PostgresqlStore& operator=(PostgresqlStore&&) = delete;
    ~PostgresqlStore() override { shut_down(); }

    model::Status start() {
        try {
            if (auto opened = database_.open(); !opened) {
                return opened;
            }
            look_for_another_state();
            sweep();
            if (database_.is_shared()) {
                database_.take_first_share();
            }
            database_.started();
        } catch (const PgFailure& failure) {
            return model::Error{std::string("the store in PostgreSQL cannot be opened: ") + failure.what() +
                                "; see to store.postgresql.connection, and to the database's log"};
        }
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
    WarrantSets* warrant_sets() override { return &warrant_sets_; }

    void set_limits(std::uint64_t max_bytes, std::chrono::seconds record_retention) override {
        writer_.set_limits(max_bytes, record_retention);
    }
    void set_commit_timeout(std::chrono::milliseconds timeout) override { writer_.set_commit_timeout(timeout); }
    bool turns() const override { return writer_.turns(); }
    bool turned_out() const override { return writer_.turned_out(); }
    void set_commit_observer(std::function<void(double)> observer) override {
        writer_.set_commit_observer(std::move(observer));
    }

  private:
    void shut_down() {
        writer_.stop();
        operator_view_.stop();
    }

    Connection::Settings settings_of(const PostgresqlOptions& options, bool read_only) {
        Connection::Settings settings;
        settings.connection = options.connection;
        settings.replicated = options.replicated;
        settings.read_only = read_only;
        settings.give_up = &give_up_;
        if (!read_only) {
            // One that stands still keeps no lanes from the next daemon.
            settings.idle_in_transaction = std::min<std::chrono::milliseconds>(settings.patience, options.lease / 2);
        }
        return settings;
    }

    [[nodiscard]] model::Result<Census::Stock> count() {
        // What others have written and removed is found by looking.
        if (counted_++ % counts_to_look_at_files == 0) {
            static_cast<void>(files_->sweep([](const model::Uuid&) { return true; }));
        }
        return readers_.read([](Reader& from) { return Database::stock_of(from.connection); });
    }

    [[nodiscard]] std::uint64_t free_bytes() const {
        std::error_code error;
        const auto space = std::filesystem::space(objects_directory_, error);
        return error ? 0 : space.available;
    }

    /// Whether the database is another state than the last that was there, which is said, recorded, and an alarm.
    void look_for_another_state() {
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
            read, {table.chain(), head}, [&](std::uint64_t number) -> model::Result<std::optional<audit::Hash>> {
                Reader reader{database_.connection(), *catalogue_, keyring_, *files_, clock_};
                return hash_at(reader, table.node_number(), number);
            });
        if (found.alarm.empty()) {
            return;
        }
        table.want_alarm(found.alarm);
        if (found.was) {
            table.want_restored(*found.was);
        }
        try {
            static_cast<void>(database_.begin());
            database_.commit();
            database_.publish();
        } catch (const PgFailure& failure) {
            database_.roll_back();
            // Without room for it, each transaction tries again.
            if (!failure.leaves_connection()) {
                throw;
            }
        }
    }

    /// Removes object files that no row has, as a crash leaves them. Not where this may be another database than the
    /// one that the files belong to: an empty one, one whose entries are not those that were there.
    void sweep() {
        const AuditTable& table = database_.tables().audit;
        const bool theirs = table.alarm().empty() && table.committed_head().number > 0;
        const auto named = ObjectTable::files_named(database_.connection());
        std::uint64_t bytes = 0;
        for (const auto& [name, size] : named) {
            bytes += size;
        }
        // What rows name counts also where the files cannot be looked at.
        files_->take_stock(bytes);
        // One that another daemon has just written has no row yet.
        const auto least_age = database_.is_shared() ? abandoned : std::chrono::seconds(0);
        const auto found =
            files_->sweep([&](const model::Uuid& name) { return !theirs || named.contains(name); }, least_age);
        if (!found) {
            // What has no row lies there until the next start.
            spdlog::error("store: {}", found.error().message);
        } else if (*found < named.size()) {
            spdlog::error(
                "store: {} sealed objects are missing from their directory: they cannot be handed over; restore them "
                "from a backup, or reject them",
                named.size() - *found);
        }
    }

    StateDirectory directory_;
    std::filesystem::path objects_directory_;
    std::shared_ptr<ObjectFiles> files_;
    std::atomic<bool> give_up_{false};
    std::uint64_t counted_ = 0;                  ///< of the census's thread
    std::atomic<std::uint64_t> connections_{0};  ///< of the writer, so far
    Secret secret_;
    Keyring keyring_;
    std::shared_ptr<Catalogue> catalogue_ = std::make_shared<Catalogue>();
    ReaderPool readers_;
    Holdings holdings_;
    Database database_;
    Writer writer_;
    const model::Clock& clock_;

    PgItemIntake item_intake_{writer_, secret_, database_, clock_};
    PgObjectIntake object_intake_{writer_, *files_};
    PgKeptCopies kept_copies_{writer_, readers_, database_};
    PgOutbox outbox_{writer_, readers_, holdings_};
    PgUploadOutbox upload_outbox_{writer_, readers_, *files_, holdings_};
    PgObjectDownloads object_downloads_{writer_, readers_, *files_};
    PgOperatorView operator_view_{writer_, readers_};
    PgAuditLog audit_log_{writer_, readers_, database_.tables().audit};
    PgRegister register_{writer_, *catalogue_};
    PgWarrantSets warrant_sets_{writer_, readers_, database_};
    PgSealing sealing_{writer_, keyring_, database_.tables().resealing};
};

}  // namespace

}  // namespace lihandover::store::postgresql

namespace lihandover::store {

model::Result<std::unique_ptr<Store>> open_postgresql(const Options& options, const PostgresqlOptions& postgresql,
                                                      const model::Clock& clock) {
    if (!prepare_hashing()) {
        return model::Error{"the system gives no random numbers"};
    }
    if (auto good = check_connection(postgresql.connection); !good) {
        return model::prefixed("store.postgresql.connection: ", good.error());
    }
    auto directory = StateDirectory::open(options.directory);
    if (!directory) {
        return directory.error();
    }
    if (directory->has_database()) {
        return model::Error{
            "state_dir has a store of SQLite (store.db), and store.engine is postgresql: what waits there would be "
            "forgotten; let it be delivered first, and move state_dir away"};
    }
    PostgresqlOptions full = postgresql;
    if (full.objects_directory.empty()) {
        full.objects_directory = options.directory;
    }
    bool no_space = false;
    auto files = ObjectFiles::open(full.objects_directory, no_space);
    if (!files) {
        return files.error();
    }
    auto store =
        std::make_unique<postgresql::PostgresqlStore>(std::move(*directory), std::move(*files), options, full, clock);
    if (auto started = store->start(); !started) {
        return started.error();
    }
    return std::unique_ptr<Store>(std::move(store));
}

}  // namespace lihandover::store
