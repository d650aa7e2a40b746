#include "sqlite_store.hpp"

#include <spdlog/spdlog.h>
#include <sqlite3.h>

#include <memory>
#include <mutex>
#include <utility>

#include "catalogue.hpp"
#include "commands.hpp"
#include "database.hpp"
#include "directory.hpp"
#include "key_slots.hpp"
#include "maintenance.hpp"
#include "object_files.hpp"
#include "reader.hpp"
#include "secret.hpp"
#include "writer.hpp"

namespace lihandover::store::sqlite {

namespace {

class StoreObjects final : public Objects {
  public:
    StoreObjects(Writer& writer, ObjectFiles& files) : writer_(writer), files_(files) {}

    void set_listener(ObjectListener* listener) override { writer_.set_object_listener(listener); }

    model::Result<std::unique_ptr<ObjectWriter>> writer() override {
        if (!writer_.accepting()) {
            return not_accepting();
        }
        return files_.writer();
    }
    model::Result<std::unique_ptr<ObjectWriter>> copy_writer(std::uint64_t size) override {
        if (!writer_.can_commit()) {
            return model::Error{"the store cannot be written at present; see the log"};
        }
        return files_.copy_writer(size);
    }
    bool fits(std::uint64_t size) const override { return files_.fits(size); }
    model::Result<std::unique_ptr<ObjectReader>> open(const SealedObject& object) const override {
        const auto* file = dynamic_cast<const SealedFile*>(&object);
        if (file == nullptr || !file->in(files_)) {
            return model::Error{"the binary object is not of this store"};
        }
        return files_.reader(*file);
    }
    model::Status write_filler(std::uint64_t bytes) override {
        if (!writer_.accepting()) {
            return not_accepting();
        }
        return files_.write_filler(bytes);
    }

    model::Result<std::vector<std::shared_ptr<const SourceFile>>> pending_files() override {
        std::vector<std::shared_ptr<const SourceFile>> files;
        const model::Status status =
            writer_.call([&](Tables& tables, Transaction& in) { files = tables.objects.pending_files(in.connection); });
        if (!status) {
            return status.error();
        }
        return files;
    }
    void prepared(const model::Uuid& file, std::shared_ptr<const SealedObject> copy, model::ObjectLoss loss,
                  Done done) override {
        writer_.keep(object_prepared(file, std::move(copy), loss, std::move(done)));
    }

    void stamp(RowId item, model::Instant expiry, Done done) override {
        writer_.decide(stamp_item(item, expiry, std::move(done)));
    }

    void pushed(const model::Uuid& object, Done done) override { writer_.keep(object_pushed(object, std::move(done))); }
    void refused(const model::Uuid& object, Refusal refusal, Done done) override {
        writer_.decide(refuse_object(object, std::move(refusal), std::move(done)));
    }
    void set_aside(const model::Uuid& object, Refusal refusal, Done done) override {
        writer_.decide(set_object_aside(object, std::move(refusal), std::move(done)));
    }
    void fetched(Fetch fetch, Done done) override {
        writer_.keep(object_fetched(std::move(fetch), std::move(done)), true);
    }

  private:
    static model::Error not_accepting() { return model::Error{"the store takes nothing at present; see the log"}; }

    Writer& writer_;
    ObjectFiles& files_;
};

class SqliteStore final : public Store {
  public:
    SqliteStore(StateDirectory directory, std::shared_ptr<ObjectFiles> files, std::shared_ptr<KeySlots> keys,
                const Options& options, const model::Clock& clock)
        : directory_(std::move(directory)),
          files_(std::move(files)),
          keys_(std::move(keys)),
          plan_(SpacePlan::of(directory_.total_bytes(), options.max_bytes)),
          readers_(std::make_shared<ReaderPool>(
              ReaderPool::Setup{directory_.database(), catalogue_, files_, keys_, &clock})),
          database_(
              {&directory_, &clock, &secret_, catalogue_.get(), files_, keys_, options.repeat_memory, plan_.wal_limit}),
          maintenance_(keys_),
          writer_({&directory_, catalogue_.get(), &database_, readers_.get(), &maintenance_, files_.get(), plan_,
                   options.max_bytes, options.record_retention, options.commit_timeout}),
          objects_(writer_, *files_) {}
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
        sweep();
        files_->set_remover([this](const std::function<void()>& work) { maintenance_.run_aside(work); });
        maintenance_.start();
        writer_.start();
        return {};
    }

    void stop() override { shut_down(); }

    void set_listener(OutboxListener* listener) override { writer_.set_listener(listener); }
    void set_commit_observer(std::function<void(double)> observer) override {
        writer_.set_commit_observer(std::move(observer));
    }
    void set_limits(std::uint64_t max_bytes, std::chrono::seconds record_retention) override {
        writer_.set_limits(max_bytes, record_retention);
    }

    model::Result<std::unique_ptr<Reader>> reader() const override {
        if (auto readable = readers_->try_out(); !readable) {
            return readable.error();
        }
        return ReaderPool::reader(readers_);
    }

    Hash128 keyed_hash(std::span<const std::string_view> parts) const override { return secret_.hash(parts); }

    model::Result<LaneId> lane(std::string_view destination, std::string_view liid) override {
        const std::pair<std::string, std::string> pair(destination, liid);
        auto ids = lanes(std::span(&pair, 1));
        if (!ids) {
            return ids.error();
        }
        return ids->front();
    }
    model::Result<std::vector<LaneId>> lanes(
        std::span<const std::pair<std::string, std::string>> destination_and_liid) override {
        std::vector<LaneId> ids;
        const model::Status status = writer_.call([&](Tables& tables, Transaction& in) {
            ids.clear();
            ids.reserve(destination_and_liid.size());
            for (const auto& [destination, liid] : destination_and_liid) {
                ids.push_back(tables.registers.lane(in, destination, liid));
            }
        });
        if (!status) {
            return status.error();
        }
        return ids;
    }
    model::Result<ProfileId> profile(const model::Profile& profile) override {
        if (const ProfileId known = catalogue_->find_profile_like(profile); known != 0) {
            return known;
        }
        ProfileId id = 0;
        const model::Status status =
            writer_.call([&](Tables& tables, Transaction& in) { id = tables.registers.profile(in, profile); });
        if (!status) {
            return status.error();
        }
        return id;
    }

    std::shared_ptr<const Lane> find_lane(LaneId id) const override { return catalogue_->find_lane(id); }
    std::shared_ptr<const model::Profile> find_profile(ProfileId id) const override {
        return catalogue_->find_profile(id);
    }

    bool accepting() const override { return writer_.accepting(); }
    bool turns() const override { return writer_.turns(); }
    void set_commit_timeout(std::chrono::milliseconds timeout) override { writer_.set_commit_timeout(timeout); }

    void submit(std::vector<NewItem> items, Done done) override {
        writer_.submit(std::move(items), 0, std::move(done));
    }
    void submit(std::vector<NewItem> items, std::size_t idle_objects, Done done) override {
        writer_.submit(std::move(items), idle_objects, std::move(done));
    }
    void submit(std::vector<NewItem> items, const Arrival& arrival, Done done) override {
        writer_.submit(std::move(items), arrival, std::move(done));
    }
    void accepted(std::vector<Acceptance> items, Done done) override {
        writer_.accepted(std::move(items), std::move(done));
    }
    void refused(RowId row, Refusal refusal, Done done) override {
        writer_.decide(refuse_item(row, std::move(refusal), std::move(done)));
    }
    void set_aside(RowId row, Refusal refusal, Done done) override {
        writer_.decide(set_item_aside(row, std::move(refusal), std::move(done)));
    }
    void retry(std::vector<model::Uuid> object_ids, std::string who, DoneCount done) override {
        writer_.decide(sqlite::retry(std::move(object_ids), std::move(who), std::move(done)));
    }
    void retry_all(std::string destination, std::optional<std::uint64_t> code, std::string who,
                   DoneCount done) override {
        writer_.decide(sqlite::retry_all(std::move(destination), code, std::move(who), std::move(done)));
    }
    void reject(std::vector<model::Uuid> object_ids, std::string who, std::string why, DoneCount done) override {
        maintenance_.run_aside([this, object_ids = std::move(object_ids), who = std::move(who), why = std::move(why),
                                done = std::move(done)] {
            auto located = readers_->locate(object_ids);
            if (located) {
                writer_.decide(sqlite::reject(object_ids, std::move(*located), who, why, done));
            } else if (done) {
                done(Outcome::failed, 0);
            }
        });
    }

    model::Status clock_accepted(const std::string& who, const std::string& why) override {
        return writer_.call([&](Tables& tables, Transaction& in) {
            audit::Entry entry;
            entry.kind = audit::Kind::clock_accepted;
            entry.at = in.now;
            entry.who = who;
            entry.why = why;
            tables.audit.append(in, 0, 0, entry);
        });
    }

    model::Result<std::vector<StoredWarrant>> warrants() override {
        std::vector<StoredWarrant> warrants;
        const model::Status status =
            writer_.call([&](Tables&, Transaction& in) { warrants = RegisterTable::warrants(in.connection); });
        if (!status) {
            return status.error();
        }
        return warrants;
    }
    model::Status change_warrants(const WarrantChanges& changes) override {
        return writer_.call([&](Tables& tables, Transaction& in) { tables.registers.change_warrants(in, changes); });
    }
    model::Result<std::vector<StoredPause>> pauses() override {
        std::vector<StoredPause> pauses;
        const model::Status status =
            writer_.call([&](Tables&, Transaction& in) { pauses = RegisterTable::pauses(in.connection); });
        if (!status) {
            return status.error();
        }
        return pauses;
    }
    void pause(std::string destination, std::string who, Done done) override {
        writer_.decide(sqlite::pause(std::move(destination), std::move(who), std::move(done)));
    }
    void resume(std::string destination, std::string who, Done done) override {
        writer_.decide(sqlite::resume(std::move(destination), std::move(who), std::move(done)));
    }

    Objects& objects() override { return objects_; }

    Statistics statistics() const override { return writer_.statistics(); }

  private:
    void shut_down() {
        // Maintenance hands on what it still has to do.
        maintenance_.stop();
        writer_.stop();
        static_cast<void>(keys_->sync());
        files_->set_remover({});
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
    std::shared_ptr<KeySlots> keys_;
    Secret secret_;
    /// Shared with readers, which may outlive the store by a little.
    std::shared_ptr<Catalogue> catalogue_ = std::make_shared<Catalogue>();
    SpacePlan plan_;
    bool failed_for_space_ = false;
    std::shared_ptr<ReaderPool> readers_;
    Database database_;
    Maintenance maintenance_;
    Writer writer_;
    StoreObjects objects_;
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
    auto keys = KeySlots::open(options.directory, no_space);
    if (!keys && no_space && directory->release()) {
        keys = KeySlots::open(options.directory, no_space);
    }
    if (!keys) {
        return keys.error();
    }
    auto store =
        std::make_unique<SqliteStore>(std::move(*directory), std::move(*files), std::move(*keys), options, clock);
    if (auto started = store->start(); !started) {
        return started.error();
    }
    return std::unique_ptr<Store>(std::move(store));
}

}  // namespace lihandover::store::sqlite
