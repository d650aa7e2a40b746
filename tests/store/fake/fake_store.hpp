#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "arrival.hpp"
#include "fake_disk.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/store/store.hpp"

namespace lihandover::store::test {

/// What a store is asked to commit.
enum class Call : std::uint8_t {
    submit,
    prepared,
    accepted,
    refused,
    set_aside,
    stamp,
    pushed,
    object_refused,
    object_set_aside,
    fetched,
    approve,
    shown,
    retry,
    retry_all,
    reject,
    pause,
    resume,
    clock_accepted,
    record_head,
    change,  ///< of lanes, profiles and warrants
};

/// An operator's decision as the store was asked for it.
struct Decision {
    Call call{};
    std::vector<model::Uuid> ids;
    std::string destination;
    std::optional<std::uint64_t> code;
    std::string who;
    std::string why;
    std::string identity = {};        ///< of a reviewer
    std::vector<ItemStates> as = {};  ///< of a reject, by items
};

/// What a store was asked for, in order.
struct Asked {
    struct Prepared {
        model::Uuid file;
        std::shared_ptr<const SealedObject> copy;
        model::ObjectLoss loss{};
    };
    struct Stamp {
        RowId row = 0;
        model::Instant expiry;
    };
    // Whatever came of it.
    std::vector<std::vector<NewItem>> submissions;
    std::vector<Stamp> stamps;
    std::vector<model::Uuid> looked_up;  ///< binary objects
    std::size_t loads = 0;               ///< of items, and of binary objects
    // Once committed.
    std::vector<KeptChanges> kept_changes;
    std::vector<Decision> decisions;
    std::vector<Prepared> prepared;
    std::vector<Acceptance> accepted;
    std::vector<model::Uuid> pushed;
    std::vector<Fetch> fetched;
};

/// A store in memory, for the tests of all rooms. It is held to the same conformance suite as the engines
/// (tests/store/conformance), so that what a test finds with it holds for them. It has a thread of its own, which
/// commits each submission by itself and calls listeners and callbacks as a store's writer does.
/// Of a store that is not encrypted, which has nothing to seal: what is asked of it is counted.
class FakeSealing final : public Sealing {
  public:
    [[nodiscard]] SealingStatus status() const override { return said; }
    [[nodiscard]] model::Status use(std::vector<MasterKey> keys) override {
        used = keys.size();
        return {};
    }
    void rekey(std::string who, Done done) override {
        rekeyed_by.push_back(std::move(who));
        done(said.on ? Outcome::committed : Outcome::failed);
    }
    [[nodiscard]] std::string seal(std::string_view /*name*/, std::string_view bytes) const override {
        return std::string(bytes);
    }
    [[nodiscard]] std::optional<std::string> unseal(std::string_view /*name*/, std::string_view bytes) const override {
        return std::string(bytes);
    }

    SealingStatus said;  ///< what it is to say
    std::size_t used = 0;
    std::vector<std::string> rekeyed_by;
};

class FakeStore final : public Store,
                        private ItemIntake,
                        private ObjectIntake,
                        private KeptCopies,
                        private Outbox,
                        private UploadOutbox,
                        private ObjectDownloads,
                        private OperatorView,
                        private AuditLog,
                        private Register {
  public:
    explicit FakeStore(const model::Clock& clock = model::system_clock(),
                       std::shared_ptr<FakeDisk> disk = std::make_shared<FakeDisk>());
    FakeStore(const FakeStore&) = delete;
    FakeStore& operator=(const FakeStore&) = delete;
    FakeStore(FakeStore&&) = delete;
    FakeStore& operator=(FakeStore&&) = delete;
    ~FakeStore() override;

    // What a test does to it.

    /// While true every commit fails: what is kept over failed commits waits, all else fails, the listener hears so.
    void fail_commits(bool fail);
    /// Tells the listener so, and nothing else.
    void say_health(bool can_commit);
    /// Fails these from now on, once `good` of them were committed.
    void fail(Call call, std::size_t good = 0);
    void mend(Call call);
    /// What is asked of these from now on is neither committed nor answered until release(). Others go on.
    void hold(Call call);
    /// Not what is asked from now on; what is held stays so.
    void hold_no_more(Call call);
    void release(Call call);
    /// Those that are held.
    [[nodiscard]] std::size_t held(Call call) const;
    /// While true nothing can be read.
    void fail_reads(bool fail);
    /// Whether the item's content cannot be read at present (StoredItem::unreadable_now).
    void make_unreadable(RowId row, bool unreadable);
    /// While true, no time is enough to look for several items among all that is queued or has ended.
    void look_slowly(bool slowly);
    /// Called once, after the next look for several items, on that thread.
    void after_next_look(std::function<void()> hook);
    /// Called before a binary object is looked up, on that thread. nullptr: nothing more.
    void before_lookup(std::function<void()> hook);
    /// Whether new items are taken.
    void accept_items(bool accept);
    /// What is matched with an older version than this counts for nothing from now on.
    void require_warrants(std::uint64_t version) { required_warrants_ = version; }
    /// Called once, on the caller's thread, before what was matched with a set of warrants is looked at next.
    void before_next_matched(std::function<void()> hook);
    /// Bytes of objects that there is room for from now on, whatever is written.
    void leave_room(std::uint64_t bytes) { room_ = bytes; }
    /// Whether listeners get new items whole (OutboxListener::on_stored).
    void hand_over(bool whole);
    /// While true listeners hear nothing of what is committed.
    void mute(bool mute);
    /// Decisions find none of the items that they name, as if those had gone meanwhile.
    void find_nothing(bool nothing);
    /// The next binary object that is refused is retried in the same commit: the listener hears so before the refusal
    /// is answered.
    void retry_next_refusal();
    /// What statistics() says of bytes.
    void show_restored(std::string said);
    void show_bytes(std::uint64_t waiting, std::uint64_t used);
    /// Puts an item, waiting or ended, there as it will be seen. Nobody hears of it. Its row.
    RowId put(const ItemView& view);
    /// Puts a binary object there. Where it is queued, its deadline is its lifetime from now, and the listener hears.
    void put(StoredObject object);
    void put(StoredPause pause);
    void change(const model::Uuid& object, const std::function<void(StoredObject&)>& change);
    /// What Outbox::lease says of a lane; nobody is told.
    void set_lease(LaneId lane, LaneLease lease);
    /// Another daemon has it from now on: the listeners hear so.
    void lose(LaneId lane);
    /// It is this process's again: the listeners hear what waits.
    void take_over(LaneId lane);
    /// Runs on the store's thread, after what it has to do already.
    void post(std::function<void()> work);

    // What was done.

    [[nodiscard]] Asked asked() const;
    /// What `look` makes of it.
    template <typename Look>
    [[nodiscard]] auto asked(const Look& look) const {
        const std::lock_guard lock(mutex_);
        return look(asked_);
    }
    /// Waits until it was asked so; false after half a minute.
    [[nodiscard]] bool wait_until(const std::function<bool(const Asked&)>& condition) const;
    [[nodiscard]] std::optional<RowId> row_of(const model::Uuid& item) const;
    [[nodiscard]] FakeObjects& bytes() { return *disk_->bytes; }

    // -- Store

    void stop() override;
    [[nodiscard]] ItemIntake& item_intake() override { return *this; }
    [[nodiscard]] ObjectIntake& object_intake() override { return *this; }
    [[nodiscard]] KeptCopies& kept_copies() override { return *this; }
    [[nodiscard]] Outbox& outbox() override { return *this; }
    [[nodiscard]] UploadOutbox& upload_outbox() override { return *this; }
    [[nodiscard]] ObjectDownloads& object_downloads() override { return *this; }
    [[nodiscard]] OperatorView& operator_view() override { return *this; }
    [[nodiscard]] AuditLog& audit_log() override { return *this; }
    [[nodiscard]] Register& warrant_register() override { return *this; }
    [[nodiscard]] FakeSealing& sealing() override { return sealing_; }
    void set_limits(std::uint64_t max_bytes, std::chrono::seconds record_retention) override;
    void set_commit_timeout(std::chrono::milliseconds timeout) override;
    [[nodiscard]] bool turns() const override { return true; }
    void set_commit_observer(std::function<void(double)> observer) override;

  private:
    FakeSealing sealing_;
    struct Work {
        Call call{};
        std::function<void(Changes&)> apply;
        std::function<void(Outcome)> done;
        bool held = false;
        bool given_up = false;  ///< fails
    };

    [[nodiscard]] bool can_commit() const;

    // -- ItemIntake
    [[nodiscard]] bool accepting() const override;
    [[nodiscard]] bool is_current(std::optional<std::uint64_t> warrants) const override {
        return !warrants || *warrants >= required_warrants_;
    }
    void submit(std::vector<NewItem> items, const Arrival& arrival, Done done) override;
    [[nodiscard]] Hash128 keyed_hash(std::span<const std::string_view> parts) const override;

    // -- ObjectIntake
    [[nodiscard]] model::Result<std::unique_ptr<ObjectWriter>> writer() override;
    [[nodiscard]] model::Result<std::unique_ptr<ObjectWriter>> copy_writer(std::uint64_t size) override;
    [[nodiscard]] bool copy_fits(std::uint64_t size) const override;
    [[nodiscard]] std::uint64_t largest() const override;
    [[nodiscard]] std::uint64_t room() const override;
    [[nodiscard]] model::Result<std::vector<std::shared_ptr<const SourceFile>>> pending_files() override;
    void prepared(const model::Uuid& file, std::shared_ptr<const SealedObject> copy, model::ObjectLoss loss,
                  Done done) override;

    // -- KeptCopies
    void submit(std::vector<NewItem> items, const Arrival& arrival, std::string_view source, KeptChanges changes,
                Done done) override;
    [[nodiscard]] model::Status for_each_kept(std::string_view source,
                                              const std::function<void(KeptCopy copy)>& visit) override;
    [[nodiscard]] model::Result<std::vector<std::string>> sources() override;

    // -- Outbox
    void set_listener(OutboxListener* listener) override;
    [[nodiscard]] LaneLease lease(LaneId lane) const override;
    [[nodiscard]] model::Result<std::vector<StoredItem>> load(std::span<const RowId> rows) override;
    [[nodiscard]] model::Status for_each_queued(const std::function<void(const QueuedItem&)>& visit) override;
    [[nodiscard]] model::Status for_each_set_aside(const std::function<void(const QueuedItem&)>& visit) override;
    void accepted(std::vector<Acceptance> items, Done done) override;
    void refused(RowId row, Refusal refusal, Done done) override;
    void set_aside(RowId row, Refusal refusal, Done done) override;
    void stamp(RowId item, model::Instant expiry, Done done) override;

    // -- UploadOutbox, ObjectDownloads
    [[nodiscard]] model::Result<std::optional<StoredObject>> find_object(const model::Uuid& id) override;
    [[nodiscard]] model::Result<std::unique_ptr<ObjectReader>> open(const SealedObject& object) const override;
    void set_listener(ObjectListener* listener) override;
    [[nodiscard]] model::Status for_each_queued(const std::function<void(const QueuedObject&)>& visit) override;
    [[nodiscard]] model::Status for_each_set_aside(const std::function<void(const QueuedObject&)>& visit) override;
    void pushed(const model::Uuid& object, Done done) override;
    void refused(const model::Uuid& object, Refusal refusal, Done done) override;
    void set_aside(const model::Uuid& object, Refusal refusal, Done done) override;
    void fetched(Fetch fetch, Done done) override;

    // -- OperatorView
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
    void shown(RowId row, const model::Uuid& object_id, std::string who, std::string what, DoneCount done) override;
    void approve(std::vector<model::Uuid> object_ids, Reviewer reviewer, DoneDecided done) override;
    void retry(std::vector<model::Uuid> object_ids, std::string who, DoneCount done) override;
    void retry_all(std::string destination, std::optional<std::uint64_t> code, std::string who,
                   DoneCount done) override;
    void reject(std::vector<Meant> items, Reviewer reviewer, std::string why, DoneDecided done) override;
    void end_searches() override;
    void pause(std::string destination, std::string who, Done done) override;
    void resume(std::string destination, std::string who, Done done) override;
    [[nodiscard]] model::Status clock_accepted(const std::string& who, const std::string& why) override;
    [[nodiscard]] model::Status accept_restore(const std::string& who, const std::string& why) override;
    [[nodiscard]] Statistics statistics() const override;

    // -- AuditLog: a chain without checkpoints, linked anew whenever it is asked for
    void configure(Settings settings) override;
    [[nodiscard]] audit::Head head() const override;
    [[nodiscard]] model::Result<Range> range(std::optional<model::Instant> since,
                                             std::optional<model::Instant> until) override;
    [[nodiscard]] model::Result<Read> read(const Place& from, std::uint64_t to, std::size_t limit,
                                           Visitor& visitor) override;
    [[nodiscard]] model::Status record_head(const audit::Hash& chain, const audit::Head& head,
                                            const std::string& who) override;

    // -- Register
    [[nodiscard]] model::Result<std::vector<LaneId>> lanes(
        std::span<const std::pair<std::string, std::string>> destination_and_liid) override;
    [[nodiscard]] model::Result<ProfileId> profile(const model::Profile& profile) override;
    [[nodiscard]] std::shared_ptr<const Lane> find_lane(LaneId id) const override;
    [[nodiscard]] std::shared_ptr<const model::Profile> find_profile(ProfileId id) const override;
    [[nodiscard]] model::Result<std::vector<StoredWarrant>> warrants() override;
    [[nodiscard]] model::Result<std::vector<StoredRevocation>> revocations() override;
    [[nodiscard]] model::Result<std::vector<StoredPendingWarrant>> pending_warrants() override;
    [[nodiscard]] model::Result<std::optional<std::size_t>> decide_warrant(const WarrantDecision& decision) override;
    [[nodiscard]] model::Status change_warrants(const WarrantChanges& changes) override;
    [[nodiscard]] model::Status nothing_more_of(std::string_view destination, std::string_view liid) override;
    [[nodiscard]] model::Result<std::vector<StoredPause>> pauses() override;

    /// Goes through the chain until `visit` says false.
    static void walk_chain(const FakeDisk& disk, const std::function<bool(const audit::Recorded&)>& visit);
    template <typename Look>
    [[nodiscard]] auto reading(const Look& look) const
        -> model::Result<decltype(look(std::declval<const FakeDisk&>()))>;
    [[nodiscard]] model::Result<std::vector<QueuedItem>> items_in(ItemState state) const;
    [[nodiscard]] model::Result<std::vector<QueuedObject>> objects_in(ObjectState state) const;
    void ask(const std::function<void(Asked&)>& note);
    void review(Decision decision, std::function<void(Changes&, const Decision&, Decided&)> work, DoneDecided done);
    void decide(Decision decision, std::function<std::size_t(Changes&, const Decision&)> work, DoneCount done);
    void submit_work(Work work);
    /// Whether what is asked for fails now.
    [[nodiscard]] bool fails(const Work& work);
    [[nodiscard]] std::deque<Work>::iterator next();
    void write();
    void commit(Work& work);
    void tell(Changes& changes);
    [[nodiscard]] OutboxListener* current_listener() const;
    [[nodiscard]] ObjectListener* current_object_listener() const;
    model::Status wait_for(std::function<void(Changes&)> apply);

    const model::Clock& clock_;
    std::shared_ptr<FakeDisk> disk_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    mutable std::condition_variable asked_changed_;
    // Guarded by mutex_.
    std::deque<Work> work_;
    Asked asked_;
    bool failing_ = false;
    bool told_failing_ = false;
    std::map<Call, std::size_t> good_;  ///< of those that fail: how many do not yet
    std::set<Call> holding_;
    bool accepting_ = true;
    bool hands_over_ = true;
    bool muted_ = false;
    bool finds_nothing_ = false;
    bool retries_next_ = false;
    std::map<LaneId, LaneLease> leases_;  ///< those that are not for ever
    bool reads_fail_ = false;
    std::set<RowId> unreadable_;
    bool looks_slowly_ = false;
    bool searches_ended_ = false;
    std::function<void()> before_lookup_;
    std::function<void()> after_look_;
    bool stopping_ = false;
    OutboxListener* listener_ = nullptr;
    ObjectListener* object_listener_ = nullptr;
    std::function<void(double)> observer_;
    std::uint64_t max_bytes_ = 0;
    std::atomic<std::uint64_t> required_warrants_{0};
    std::function<void()> before_next_matched_;
    std::atomic<std::uint64_t> room_{std::uint64_t{1} << 62U};
    std::optional<std::pair<std::uint64_t, std::uint64_t>> shown_bytes_;
    std::uint64_t commits_ = 0;
    std::uint64_t repeats_ = 0;
    std::uint64_t reused_ids_ = 0;
    Settings settings_;
    std::thread thread_;
};

}  // namespace lihandover::store::test
