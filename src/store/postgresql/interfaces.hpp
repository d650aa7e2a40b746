#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/catalogue.hpp"
#include "common/keyring.hpp"
#include "common/locator.hpp"
#include "common/object_files.hpp"
#include "common/secret.hpp"
#include "lihandover/store/store.hpp"
#include "reader_pool.hpp"
#include "writer.hpp"

// The interfaces of the store. What is to be committed goes to the writer, what is read is read beside it.

namespace lihandover::store::postgresql {

class PgItemIntake final : public ItemIntake {
  public:
    PgItemIntake(Writer& writer, const Secret& secret, const Database& database, const model::Clock& clock)
        : writer_(writer), secret_(secret), database_(database), clock_(clock) {}

    [[nodiscard]] bool accepting() const override { return writer_.accepting(); }
    [[nodiscard]] bool is_current(std::optional<std::uint64_t> warrants) const override {
        // Others wait for this daemon until its lease is over, and for no longer.
        return !warrants || (*warrants >= database_.warrants() && clock_.steady() < database_.holdings().until());
    }
    void submit(std::vector<NewItem> items, const Arrival& arrival, Done done) override {
        writer_.submit(std::move(items), arrival, {}, {}, std::move(done));
    }
    [[nodiscard]] Hash128 keyed_hash(std::span<const std::string_view> parts) const override {
        return secret_.hash(parts);
    }

  private:
    Writer& writer_;
    const Secret& secret_;
    const Database& database_;  ///< what is for any thread of it
    const model::Clock& clock_;
};

class PgObjectIntake final : public ObjectIntake {
  public:
    PgObjectIntake(Writer& writer, ObjectFiles& files) : writer_(writer), files_(files) {}

    [[nodiscard]] model::Result<std::unique_ptr<ObjectWriter>> writer() override;
    [[nodiscard]] model::Result<std::unique_ptr<ObjectWriter>> copy_writer(std::uint64_t size) override;
    [[nodiscard]] bool copy_fits(std::uint64_t size) const override { return files_.copy_fits(size); }
    [[nodiscard]] std::uint64_t largest() const override { return files_.largest(); }
    [[nodiscard]] std::uint64_t room() const override { return files_.free_room(); }
    [[nodiscard]] model::Result<std::vector<std::shared_ptr<const SourceFile>>> pending_files() override;
    void prepared(const model::Uuid& file, std::shared_ptr<const SealedObject> copy, model::ObjectLoss loss,
                  Done done) override {
        writer_.keep(Decisions::object_prepared(file, std::move(copy), loss, std::move(done)));
    }

  private:
    Writer& writer_;
    ObjectFiles& files_;
};

class PgKeptCopies final : public KeptCopies {
  public:
    PgKeptCopies(Writer& writer, ReaderPool& readers, const Database& database)
        : writer_(writer), readers_(readers), database_(database) {}

    void submit(std::vector<NewItem> items, const Arrival& arrival, std::string_view source, KeptChanges changes,
                Done done) override {
        writer_.submit(std::move(items), arrival, std::string(source), std::move(changes), std::move(done));
    }
    [[nodiscard]] model::Status for_each_kept(std::string_view source,
                                              const std::function<void(KeptCopy copy)>& visit) override;
    [[nodiscard]] model::Result<std::vector<std::string>> sources() override;

  private:
    Writer& writer_;
    ReaderPool& readers_;
    const Database& database_;  ///< the daemon's number, which does not change
};

class PgOutbox final : public Outbox {
  public:
    PgOutbox(Writer& writer, ReaderPool& readers, const Holdings& holdings)
        : writer_(writer), readers_(readers), holdings_(holdings) {}

    void set_listener(OutboxListener* listener) override { writer_.set_listener(listener); }
    [[nodiscard]] LaneLease lease(LaneId lane) const override { return holdings_.lease(lane); }
    [[nodiscard]] model::Result<std::vector<StoredItem>> load(std::span<const RowId> rows) override;
    [[nodiscard]] model::Status for_each_queued(const std::function<void(const QueuedItem&)>& visit) override;
    [[nodiscard]] model::Status for_each_set_aside(const std::function<void(const QueuedItem&)>& visit) override;
    void accepted(std::vector<Acceptance> items, Done done) override {
        writer_.accepted(std::move(items), std::move(done));
    }
    void refused(RowId row, Refusal refusal, Done done) override {
        writer_.decide(Decisions::refuse_item(row, std::move(refusal), std::move(done)));
    }
    void set_aside(RowId row, Refusal refusal, Done done) override {
        writer_.decide(Decisions::set_item_aside(row, std::move(refusal), std::move(done)));
    }
    void stamp(RowId item, model::Instant expiry, Done done) override {
        writer_.decide(Decisions::stamp_item(item, expiry, std::move(done)));
    }

  private:
    Writer& writer_;
    ReaderPool& readers_;
    const Holdings& holdings_;
};

class PgUploadOutbox final : public UploadOutbox {
  public:
    PgUploadOutbox(Writer& writer, ReaderPool& readers, ObjectFiles& files, const Holdings& holdings)
        : writer_(writer), readers_(readers), files_(files), holdings_(holdings) {}

    [[nodiscard]] model::Result<std::optional<StoredObject>> find_object(const model::Uuid& id) override;
    [[nodiscard]] model::Result<std::unique_ptr<ObjectReader>> open(const SealedObject& object) const override;
    void set_listener(ObjectListener* listener) override { writer_.set_object_listener(listener); }
    [[nodiscard]] model::Status for_each_queued(const std::function<void(const QueuedObject&)>& visit) override;
    [[nodiscard]] model::Status for_each_set_aside(const std::function<void(const QueuedObject&)>& visit) override;
    void pushed(const model::Uuid& object, Done done) override {
        writer_.keep(Decisions::object_pushed(object, std::move(done)));
    }
    void refused(const model::Uuid& object, Refusal refusal, Done done) override {
        writer_.decide(Decisions::refuse_object(object, std::move(refusal), std::move(done)));
    }
    void set_aside(const model::Uuid& object, Refusal refusal, Done done) override {
        writer_.decide(Decisions::set_object_aside(object, std::move(refusal), std::move(done)));
    }

  private:
    Writer& writer_;
    ReaderPool& readers_;
    ObjectFiles& files_;
    const Holdings& holdings_;
};

class PgObjectDownloads final : public ObjectDownloads {
  public:
    PgObjectDownloads(Writer& writer, ReaderPool& readers, ObjectFiles& files)
        : writer_(writer), readers_(readers), files_(files) {}

    [[nodiscard]] model::Result<std::optional<StoredObject>> find_object(const model::Uuid& id) override;
    [[nodiscard]] model::Result<std::unique_ptr<ObjectReader>> open(const SealedObject& object) const override;
    void fetched(Fetch fetch, Done done) override {
        writer_.keep(Decisions::object_fetched(std::move(fetch), std::move(done)), true);
    }

  private:
    Writer& writer_;
    ReaderPool& readers_;
    ObjectFiles& files_;
};

class PgAuditLog final : public AuditLog {
  public:
    PgAuditLog(Writer& writer, ReaderPool& readers, AuditTable& table)
        : writer_(writer), readers_(readers), table_(table) {}

    void configure(Settings settings) override { table_.configure(std::move(settings)); }
    [[nodiscard]] audit::Head head() const override { return table_.committed_head(); }
    [[nodiscard]] model::Result<Range> range(std::optional<model::Instant> since,
                                             std::optional<model::Instant> until) override;
    [[nodiscard]] model::Result<Read> read(const Place& from, std::uint64_t to, std::size_t limit,
                                           Visitor& visitor) override;
    [[nodiscard]] model::Status record_head(const audit::Hash& chain, const audit::Head& head,
                                            const std::string& who) override;

  private:
    Writer& writer_;
    ReaderPool& readers_;
    AuditTable& table_;  ///< what is for any thread of it
};

class PgOperatorView final : public OperatorView {
  public:
    PgOperatorView(Writer& writer, ReaderPool& readers);

    [[nodiscard]] model::Result<std::vector<ItemView>> items(std::optional<ItemState> state, ListPlace after,
                                                             std::size_t limit) override;
    [[nodiscard]] model::Result<std::optional<ItemView>> find(const model::Uuid& object_id) override;
    [[nodiscard]] model::Result<Found> find_all(std::span<const model::Uuid> object_ids,
                                                std::chrono::milliseconds patience) override;
    [[nodiscard]] model::Result<std::vector<Record>> records(std::int64_t after, std::size_t limit) override;
    [[nodiscard]] model::Result<std::map<std::string, OldestQueued, std::less<>>> oldest() override;
    [[nodiscard]] model::Result<std::vector<std::optional<model::Instant>>> received(
        std::span<const RowId> rows) override;
    [[nodiscard]] model::Result<HeldLong> held_before(model::Instant time) override;
    [[nodiscard]] model::Result<std::optional<StoredItem>> content(const model::Uuid& object_id) override;
    void shown(RowId row, const model::Uuid& object_id, std::string who, std::string what, DoneCount done) override {
        writer_.decide(Decisions::content_shown(row, object_id, std::move(who), std::move(what), std::move(done)));
    }
    void approve(std::vector<model::Uuid> object_ids, Reviewer reviewer, DoneDecided done) override {
        writer_.decide(Decisions::approve(std::move(object_ids), std::move(reviewer), std::move(done)));
    }
    void retry(std::vector<model::Uuid> object_ids, std::string who, DoneCount done) override {
        writer_.decide(Decisions::retry(std::move(object_ids), std::move(who), std::move(done)));
    }
    void retry_all(std::string destination, std::optional<std::uint64_t> code, std::string who,
                   DoneCount done) override {
        writer_.decide(Decisions::retry_all(std::move(destination), code, std::move(who), std::move(done)));
    }
    void reject(std::vector<Meant> items, Reviewer reviewer, std::string why, DoneDecided done) override;
    void end_searches() override { locator_.end(); }
    void pause(std::string destination, std::string who, Done done) override {
        writer_.decide(Decisions::pause(std::move(destination), std::move(who), std::move(done)));
    }
    void resume(std::string destination, std::string who, Done done) override {
        writer_.decide(Decisions::resume(std::move(destination), std::move(who), std::move(done)));
    }
    [[nodiscard]] model::Status clock_accepted(const std::string& who, const std::string& why) override;
    [[nodiscard]] model::Status accept_restore(const std::string& who, const std::string& why) override;
    [[nodiscard]] Statistics statistics() const override { return writer_.statistics(); }

    /// Looks for nothing any more.
    void stop() { locator_.stop(); }

  private:
    Writer& writer_;
    ReaderPool& readers_;
    Locator locator_;
};

class PgSealing final : public Sealing {
  public:
    PgSealing(Writer& writer, Keyring& keyring, const Resealing& resealing)
        : writer_(writer), keyring_(keyring), resealing_(resealing) {}

    [[nodiscard]] SealingStatus status() const override;
    [[nodiscard]] model::Status use(std::vector<MasterKey> keys) override { return keyring_.use(std::move(keys)); }
    void rekey(std::string who, Done done) override;
    [[nodiscard]] std::string seal(std::string_view name, std::string_view bytes) const override {
        return keyring_.seal("file", name, bytes);
    }
    [[nodiscard]] std::optional<std::string> unseal(std::string_view name, std::string_view bytes) const override {
        return keyring_.unseal("file", name, bytes);
    }

  private:
    Writer& writer_;
    Keyring& keyring_;
    const Resealing& resealing_;  ///< what is for any thread of it
};

class PgRegister final : public Register {
  public:
    PgRegister(Writer& writer, const Catalogue& catalogue) : writer_(writer), catalogue_(catalogue) {}

    [[nodiscard]] model::Result<std::vector<LaneId>> lanes(
        std::span<const std::pair<std::string, std::string>> destination_and_liid) override;
    [[nodiscard]] model::Result<ProfileId> profile(const model::Profile& profile) override;
    [[nodiscard]] std::shared_ptr<const Lane> find_lane(LaneId id) const override { return catalogue_.find_lane(id); }
    [[nodiscard]] std::shared_ptr<const model::Profile> find_profile(ProfileId id) const override {
        return catalogue_.find_profile(id);
    }
    [[nodiscard]] model::Result<std::vector<StoredWarrant>> warrants() override;
    [[nodiscard]] model::Result<std::vector<StoredRevocation>> revocations() override;
    [[nodiscard]] model::Result<std::vector<StoredPendingWarrant>> pending_warrants() override;
    [[nodiscard]] model::Result<std::optional<std::size_t>> decide_warrant(const WarrantDecision& decision) override;
    [[nodiscard]] model::Status change_warrants(const WarrantChanges& changes) override;
    [[nodiscard]] model::Status nothing_more_of(std::string_view destination, std::string_view liid) override;
    [[nodiscard]] model::Result<std::vector<StoredPause>> pauses() override;

  private:
    /// What work gives in a transaction of its own.
    template <typename Gives, typename Work>
    [[nodiscard]] model::Result<Gives> call(const Work& work);

    Writer& writer_;
    const Catalogue& catalogue_;
};

class PgWarrantSets final : public WarrantSets {
  public:
    PgWarrantSets(Writer& writer, ReaderPool& readers, Database& database)
        : writer_(writer), readers_(readers), database_(database) {}

    [[nodiscard]] model::Result<std::uint64_t> state() override;
    [[nodiscard]] model::Result<AppliedSet> read() override;
    [[nodiscard]] model::Result<std::optional<std::uint64_t>> apply(NewSet set) override;
    void follow(std::uint64_t state) override { database_.follow_warrants(state); }
    [[nodiscard]] model::Result<std::vector<SetPeer>> behind(std::uint64_t state) override;

  private:
    Writer& writer_;
    ReaderPool& readers_;
    Database& database_;  ///< what is for any thread of it, and this daemon's number, which does not change
};

}  // namespace lihandover::store::postgresql
