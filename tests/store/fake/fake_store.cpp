#include "fake_store.hpp"

#include <algorithm>
#include <cstring>
#include <functional>

#include "lihandover/store/digest.hpp"

namespace lihandover::store::test {

namespace {

/// Bytes that nobody reads from a disk.
class FakeSealed final : public SealedObject {
  public:
    explicit FakeSealed(std::string bytes) : bytes_(std::move(bytes)) {
        Sha256Digest digest;
        digest.update(bytes_);
        sha256_ = digest.finish();
    }
    [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
    [[nodiscard]] const model::Sha256& sha256() const override { return sha256_; }
    [[nodiscard]] const std::string& bytes() const { return bytes_; }

  private:
    std::string bytes_;
    model::Sha256 sha256_{};
};

class FakeWriter final : public ObjectWriter {
  public:
    [[nodiscard]] model::Status write(std::span<const char> bytes) override {
        bytes_.append(bytes.data(), bytes.size());
        return {};
    }
    [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
    [[nodiscard]] model::Result<std::shared_ptr<const SealedObject>> finish() override {
        return std::shared_ptr<const SealedObject>(std::make_shared<FakeSealed>(std::move(bytes_)));
    }

  private:
    std::string bytes_;
};

class FakeObjectReader final : public ObjectReader {
  public:
    explicit FakeObjectReader(std::string bytes) : bytes_(std::move(bytes)) {}
    [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
    [[nodiscard]] model::Result<std::size_t> read(std::uint64_t at, std::span<char> out) override {
        if (at >= bytes_.size()) {
            return std::size_t{0};
        }
        const std::string_view rest = std::string_view(bytes_).substr(static_cast<std::size_t>(at), out.size());
        std::ranges::copy(rest, out.begin());
        return rest.size();
    }

  private:
    std::string bytes_;
};

struct ItemRow {
    StoredItem item;  ///< without objects
    ItemState state = ItemState::queued;
    model::Instant changed_at;
    std::optional<Refusal> refusal;
    bool has_objects = false;
};

struct ObjectRow {
    StoredObject object;
    std::shared_ptr<const SourceFile> source;  ///< while it is to be copied
    model::Instant deadline;
    model::Instant changed_at;
    bool fetched = false;

    [[nodiscard]] bool preparing() const { return source && described_loss() == model::ObjectLoss::none; }
    [[nodiscard]] model::ObjectLoss described_loss() const { return object.described.loss; }
    [[nodiscard]] QueuedObject queued() const {
        return {object.described.id, object.lane, object.emergency, object.sealed ? object.sealed->size() : 0,
                deadline};
    }
    [[nodiscard]] bool waits() const {
        return object.state == ObjectState::queued || object.state == ObjectState::refused ||
               object.state == ObjectState::set_aside;
    }
};

ItemState item_state_of(ObjectState state) {
    return state == ObjectState::queued      ? ItemState::queued
           : state == ObjectState::set_aside ? ItemState::set_aside
                                             : ItemState::refused;
}

}  // namespace

struct FakeDisk {
    std::vector<std::shared_ptr<const Lane>> lanes;
    std::vector<std::shared_ptr<const model::Profile>> profiles;
    std::map<RowId, ItemRow> items;
    std::map<RowId, ObjectRow> objects;
    struct Ended {
        ItemView view;
        bool delivered = false;
    };
    std::map<RowId, Ended> ended;  ///< items, by row
    std::map<RowId, Ended> ended_objects;
    std::vector<Record> records;
    std::map<Hash128, std::set<std::uint64_t>> repeats;  ///< digests by hash; 0: of none
    std::map<std::pair<LaneId, Hash128>, model::ApplicationCorrelation> conversations;
    std::set<std::pair<LaneId, std::string>> provided;
    std::map<std::pair<std::string, std::string>, StoredWarrant> warrants;
    std::map<std::string, StoredPause> pauses;
    RowId next = 1;
};

std::shared_ptr<FakeDisk> make_fake_disk() {
    return std::make_shared<FakeDisk>();
}

/// A commit on its way: the disk as it will be, and who is to be told of what.
struct FakeStore::Changes {
    FakeDisk disk;
    model::Instant now;
    std::vector<QueuedItem> prepared, retried, queued, withdrawn;
    std::vector<StoredItem> stored;
    std::vector<QueuedObject> uploads;
    std::vector<model::Uuid> uploads_withdrawn;
    std::uint64_t repeats = 0;
    std::uint64_t reused_ids = 0;

    Record& record(RecordKind kind, LaneId lane, const std::optional<model::Uuid>& id, std::string who = "",
                   std::string why = "", const std::optional<Refusal>& refusal = std::nullopt) {
        Record& made = disk.records.emplace_back();
        made.id = disk.next++;
        made.at = now;
        made.kind = kind;
        made.lane = lane;
        made.object_id = id;
        made.who = std::move(who);
        made.why = std::move(why);
        if (refusal) {
            made.why += made.why.empty() ? "" : kind == RecordKind::item_delivered ? ": " : "; was refused: ";
            made.why += std::string(name_of(refusal->kind)) + ' ' + std::to_string(refusal->code);
            made.why += refusal->words.empty() ? "" : ": " + refusal->words;
        }
        return made;
    }
    ItemRow* find(RowId row) {
        const auto found = disk.items.find(row);
        return found == disk.items.end() ? nullptr : &found->second;
    }
    ItemRow* find(const model::Uuid& id) {
        const auto found =
            std::ranges::find_if(disk.items, [&](const auto& entry) { return entry.second.item.object_id == id; });
        return found == disk.items.end() ? nullptr : &found->second;
    }
    ObjectRow* find_object(const model::Uuid& id) {
        const auto found = std::ranges::find_if(
            disk.objects, [&](const auto& entry) { return entry.second.object.described.id == id; });
        return found == disk.objects.end() ? nullptr : &found->second;
    }
    std::vector<ObjectRow*> objects_where(const std::function<bool(const ObjectRow&)>& wanted) {
        std::vector<ObjectRow*> found;
        for (auto& [id, row] : disk.objects) {
            if (wanted(row)) {
                found.push_back(&row);
            }
        }
        return found;
    }
    void remove(const model::Uuid& object) {
        std::erase_if(disk.objects, [&](const auto& entry) { return entry.second.object.described.id == object; });
    }
    ItemView view_of(const ItemRow& row, ItemState state) const {
        ItemView view;
        view.object_id = row.item.object_id;
        view.state = state;
        view.row = row.item.row;
        view.correlation = row.item.correlation;
        view.received_at = row.item.received_at;
        view.changed_at = now;
        view.refusal = row.refusal;
        const Lane& lane = *disk.lanes.at(static_cast<std::size_t>(row.item.lane) - 1);
        view.destination = lane.destination;
        view.liid = lane.liid;
        return view;
    }
    LaneId lane(const std::string& destination, const std::string& liid) {
        auto& lanes = disk.lanes;
        const auto found = std::ranges::find_if(
            lanes, [&](const auto& lane) { return lane->destination == destination && lane->liid == liid; });
        if (found != lanes.end()) {
            return (*found)->id;
        }
        const auto id = static_cast<LaneId>(lanes.size()) + 1;
        lanes.push_back(std::make_shared<const Lane>(Lane{id, destination, liid}));
        return id;
    }
    void pause(const std::string& destination, const std::string& who, bool pause) {
        if (disk.pauses.contains(destination) == pause) {
            return;
        }
        if (pause) {
            disk.pauses[destination] = {destination, now, who};
        } else {
            disk.pauses.erase(destination);
        }
        // The lane without a LIID stands for the whole destination.
        record(pause ? RecordKind::destination_paused : RecordKind::destination_resumed, lane(destination, ""),
               std::nullopt, who);
    }
    void insert(NewItem item);
    void accept(const Acceptance& acceptance);
    void put_aside(RowId row, ItemState to, const Refusal& refusal);
    void put_aside(const model::Uuid& object, ObjectState to, const Refusal& refusal);
    void queue(ObjectRow& row, model::Instant deadline);
    void expire(const model::Uuid& object, std::string why);
    void back_to_queue(ItemRow& row, const std::string& who);
    void back_to_queue(ObjectRow& row, const std::string& who);
    bool retry(const model::Uuid& id, const std::string& who);
    bool reject(const model::Uuid& id, const std::string& who, const std::string& why);
    void reject(ObjectRow row, const std::string& who, const std::string& why);
    void prepare(const model::Uuid& file, const std::shared_ptr<const SealedObject>& copy, model::ObjectLoss loss);
};

void FakeStore::Changes::insert(NewItem item) {
    auto& digests = disk.repeats[item.repeat_hash];
    const std::uint64_t digest = item.event_digest.value_or(0);
    if (!digests.empty() && (digest == 0 || digests.contains(0) || digests.contains(digest))) {
        ++repeats;
        return;
    }
    reused_ids += digests.empty() ? 0U : 1U;
    digests.insert(digest);
    ItemRow row;
    StoredItem& stored_item = row.item;
    stored_item.row = disk.next++;
    stored_item.lane = item.lane;
    stored_item.profile = item.profile;
    stored_item.object_id = item.object_id;
    stored_item.emergency = item.emergency;
    stored_item.received_at = model::Instant::from_micros(item.received_at.micros());
    stored_item.share = std::move(item.share);
    const std::string& schema = disk.profiles.at(static_cast<std::size_t>(item.profile) - 1)->schema_identifier;
    stored_item.carries_schema =
        item.schema_content == SchemaContent::always ||
        (item.schema_content == SchemaContent::first && !disk.provided.contains({item.lane, schema}));
    if (item.conversation_hash) {
        const auto [found, fresh] = disk.conversations.try_emplace({item.lane, *item.conversation_hash});
        if (fresh) {
            found->second.level_id = model::random_below(std::uint64_t{1} << 53U);
        }
        stored_item.correlation = found->second;
        ++found->second.sequence_number;
    }
    row.changed_at = stored_item.received_at;
    row.has_objects = item.objects && !item.objects->empty();
    // The record of an item's making has the number of its row.
    Record& made = disk.records.emplace_back();
    made.id = stored_item.row;
    made.at = now;
    made.kind = RecordKind::item_made;
    made.lane = item.lane;
    made.object_id = item.object_id;
    for (const NewObject& object : row.has_objects ? *item.objects : std::vector<NewObject>{}) {
        ObjectRow added;
        model::BinaryObject& described = added.object.described;
        described.id = object.id;
        described.url = object.url;
        described.content_type = object.content_type;
        described.original_filename = object.original_filename;
        described.csp_defined_identifier = object.csp_defined_identifier;
        described.content_length = object.sealed ? object.sealed->size() : object.file->size;
        if (object.sealed) {
            described.checksum = object.sealed->sha256();
        }
        added.object.item = stored_item.row;
        added.object.lane = item.lane;
        added.object.item_id = item.object_id;
        added.object.model = object.model;
        added.object.emergency = item.emergency;
        added.object.remove_when_fetched = object.remove_when_fetched;
        added.object.lifetime = object.lifetime;
        added.object.sealed = object.sealed;
        added.source = object.file;
        added.changed_at = now;
        disk.objects.emplace(disk.next++, std::move(added));
    }
    queued.push_back({stored_item.row, stored_item.lane, stored_item.emergency});
    if (!item.objects) {
        stored.push_back(stored_item);
    }
    disk.items.emplace(stored_item.row, std::move(row));
}

void FakeStore::Changes::queue(ObjectRow& row, model::Instant deadline) {
    row.object.state = ObjectState::queued;
    row.object.refusal.reset();
    row.changed_at = now;
    row.deadline = deadline;
    if (row.object.sealed) {
        uploads.push_back(row.queued());
    }
}

void FakeStore::Changes::expire(const model::Uuid& object, std::string why) {
    const ObjectRow* row = find_object(object);
    record(RecordKind::object_expired, row->object.lane, object, "", std::move(why));
    remove(object);
}

void FakeStore::Changes::accept(const Acceptance& acceptance) {
    ItemRow* row = find(acceptance.row);
    const auto before = disk.ended.find(acceptance.row);
    if (row == nullptr && before != disk.ended.end() && before->second.delivered) {
        return;
    }
    std::optional<Refusal> said;
    if (acceptance.already_there_code != 0) {
        said = Refusal{acceptance.already_there_code, Refusal::Kind::hi1_error, ""};
    }
    const std::string why(said ? already_there : "");
    record(RecordKind::item_delivered, acceptance.lane, acceptance.object_id, "", why, said);
    if (row != nullptr) {
        FakeDisk::Ended ended{view_of(*row, ItemState::delivered), true};
        ended.view.refusal = said;
        ended.view.why = why;
        disk.ended[acceptance.row] = std::move(ended);
        disk.items.erase(acceptance.row);
    } else if (before != disk.ended.end()) {
        before->second.delivered = true;
        before->second.view.state = ItemState::delivered;
        before->second.view.refusal = said;
        before->second.view.who.clear();
        before->second.view.why = why;
    }
    for (ObjectRow* object : objects_where([&](const ObjectRow& each) {
             return each.object.item == acceptance.row && each.object.state == ObjectState::attached;
         })) {
        const model::Uuid id = object->object.described.id;
        const model::Instant end =
            model::Instant::from_micros(now.micros() + object->object.lifetime.count() * 1'000'000);
        if (object->described_loss() != model::ObjectLoss::none) {
            remove(id);
        } else if (object->object.model == model::BinaryModel::b) {
            queue(*object, end);
        } else if (object->fetched) {
            expire(id, "it was fetched before its item was accepted");
        } else {
            object->object.state = ObjectState::offered;
            if (!object->object.described.expiry) {
                object->object.described.expiry = end;
            }
        }
    }
    if (acceptance.carried_schema) {
        disk.provided.insert(
            {acceptance.lane, disk.profiles.at(static_cast<std::size_t>(acceptance.profile) - 1)->schema_identifier});
    }
}

void FakeStore::Changes::put_aside(RowId row, ItemState to, const Refusal& refusal) {
    ItemRow* found = find(row);
    if (found == nullptr || (found->state != ItemState::queued && found->state != ItemState::set_aside)) {
        return;
    }
    const bool again = found->state == to;
    found->state = to;
    found->changed_at = now;
    found->refusal = refusal;
    if (!again) {
        record(to == ItemState::refused ? RecordKind::item_refused : RecordKind::item_set_aside, found->item.lane,
               found->item.object_id, "", "", refusal);
    }
}

void FakeStore::Changes::put_aside(const model::Uuid& object, ObjectState to, const Refusal& refusal) {
    ObjectRow* found = find_object(object);
    if (found == nullptr ||
        (found->object.state != ObjectState::queued && found->object.state != ObjectState::set_aside)) {
        return;
    }
    const bool again = found->object.state == to;
    found->object.state = to;
    found->object.refusal = refusal;
    found->changed_at = now;
    if (!again) {
        record(to == ObjectState::refused ? RecordKind::object_refused : RecordKind::object_set_aside,
               found->object.lane, object, "", "", refusal);
    }
}

void FakeStore::Changes::back_to_queue(ItemRow& row, const std::string& who) {
    row.state = ItemState::queued;
    row.refusal.reset();
    record(RecordKind::item_retried, row.item.lane, row.item.object_id, who);
    retried.push_back({row.item.row, row.item.lane, row.item.emergency});
}

void FakeStore::Changes::back_to_queue(ObjectRow& row, const std::string& who) {
    record(RecordKind::object_retried, row.object.lane, row.object.described.id, who);
    const bool expired =
        row.deadline <= now || (row.object.refusal && row.object.refusal->kind == Refusal::Kind::expired);
    queue(row,
          expired ? model::Instant::from_micros(now.micros() + row.object.lifetime.count() * 1'000'000) : row.deadline);
}

bool FakeStore::Changes::retry(const model::Uuid& id, const std::string& who) {
    if (ItemRow* row = find(id); row != nullptr && row->state != ItemState::queued) {
        if (row->state == ItemState::held) {
            return false;
        }
        back_to_queue(*row, who);
        return true;
    }
    bool any = false;
    for (ObjectRow* row : objects_where([&](const ObjectRow& each) {
             return (each.object.described.id == id || each.object.item_id == id) &&
                    (each.object.state == ObjectState::refused || each.object.state == ObjectState::set_aside);
         })) {
        back_to_queue(*row, who);
        any = true;
    }
    return any;
}

void FakeStore::Changes::reject(ObjectRow row, const std::string& who, const std::string& why) {
    const model::Uuid id = row.object.described.id;
    record(RecordKind::object_rejected, row.object.lane, id, who, why, row.object.refusal);
    if (row.object.state == ObjectState::queued || row.object.state == ObjectState::set_aside) {
        uploads_withdrawn.push_back(id);
    }
    remove(id);
}

bool FakeStore::Changes::reject(const model::Uuid& id, const std::string& who, const std::string& why) {
    if (const ItemRow* found = find(id)) {
        const ItemRow row = *found;
        FakeDisk::Ended ended{view_of(row, ItemState::rejected), false};
        ended.view.who = who;
        ended.view.why = why;
        record(RecordKind::item_rejected, row.item.lane, id, who, why, row.refusal);
        disk.ended[row.item.row] = std::move(ended);
        for (const ObjectRow* object :
             objects_where([&](const ObjectRow& each) { return each.object.item == row.item.row; })) {
            reject(*object, who, why);
        }
        if (row.state == ItemState::queued || row.state == ItemState::set_aside) {
            withdrawn.push_back({row.item.row, row.item.lane, row.item.emergency});
        }
        disk.items.erase(row.item.row);
        return true;
    }
    const auto waiting = objects_where([&](const ObjectRow& each) {
        return each.object.state != ObjectState::attached &&
               (each.object.described.id == id || (each.object.item_id == id));
    });
    for (const ObjectRow* row : waiting) {
        reject(*row, who, why);
    }
    return !waiting.empty();
}

void FakeStore::Changes::prepare(const model::Uuid& file, const std::shared_ptr<const SealedObject>& copy,
                                 model::ObjectLoss loss) {
    if (!copy && loss == model::ObjectLoss::none) {
        loss = model::ObjectLoss::unreadable;
    }
    std::set<RowId> touched;
    for (ObjectRow* row :
         objects_where([&](const ObjectRow& each) { return each.preparing() && each.source->id == file; })) {
        StoredObject& object = row->object;
        row->source.reset();
        object.sealed = copy;
        object.described.loss = copy ? model::ObjectLoss::none : loss;
        if (copy) {
            object.described.content_length = copy->size();
            object.described.checksum = copy->sha256();
        } else {
            record(RecordKind::object_lost, object.lane, object.described.id, "", std::string(model::name_of(loss)));
        }
        if (object.state == ObjectState::attached) {
            touched.insert(object.item);
        } else if (!copy) {
            remove(object.described.id);
        } else if (object.state == ObjectState::queued) {
            uploads.push_back(row->queued());
        }
    }
    for (const RowId item : touched) {
        const bool more =
            !objects_where([&](const ObjectRow& each) { return each.object.item == item && each.preparing(); }).empty();
        const ItemRow* row = find(item);
        if (!more && row != nullptr && row->state == ItemState::queued) {
            prepared.push_back({item, row->item.lane, row->item.emergency});
        }
    }
}

// -- The store

FakeStore::FakeStore(const model::Clock& clock, std::shared_ptr<FakeDisk> disk)
    : clock_(clock), disk_(std::move(disk)), thread_([this] { write(); }) {}

FakeStore::~FakeStore() {
    FakeStore::stop();
}

void FakeStore::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        held_ = false;
        wake_.notify_all();
    }
    if (thread_.joinable()) {
        thread_.join();
    }
}

void FakeStore::fail_commits(bool fail) {
    const std::lock_guard lock(mutex_);
    failing_ = fail;
    wake_.notify_all();
}

void FakeStore::hold_commits(bool hold) {
    const std::lock_guard lock(mutex_);
    held_ = hold;
    wake_.notify_all();
}

void FakeStore::fail_reads(bool fail) {
    const std::lock_guard lock(mutex_);
    reads_fail_ = fail;
}

void FakeStore::accept_items(bool accept) {
    const std::lock_guard lock(mutex_);
    accepting_ = accept;
}

void FakeStore::post(std::function<void()> work) {
    submit_work({false, {}, [work = std::move(work)](Outcome) { work(); }});
}

void FakeStore::settle() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] {
        return held_ ||
               (!working_ && (work_.empty() || (failing_ && told_failing_ && std::ranges::all_of(work_, &Work::kept))));
    });
}

void FakeStore::submit_work(Work work) {
    {
        const std::lock_guard lock(mutex_);
        if (!stopping_) {
            work_.push_back(std::move(work));
            wake_.notify_all();
            return;
        }
    }
    work.done(Outcome::failed);
}

void FakeStore::commit(Work& work) {
    Changes changes;
    changes.now = clock_.wall();
    {
        const std::lock_guard lock(mutex_);
        changes.disk = *disk_;
    }
    if (work.apply) {
        work.apply(changes);
    }
    std::function<void(double)> observer;
    {
        const std::lock_guard lock(mutex_);
        std::swap(*disk_, changes.disk);
        ++commits_;
        repeats_ += changes.repeats;
        reused_ids_ += changes.reused_ids;
        observer = observer_;
    }
    if (observer) {
        observer(0);
    }
    tell(changes);
    work.done(Outcome::committed);
}

void FakeStore::tell(Changes& changes) {
    OutboxListener* listener = nullptr;
    ObjectListener* objects = nullptr;
    {
        const std::lock_guard lock(mutex_);
        listener = listener_;
        objects = object_listener_;
    }
    if (objects != nullptr) {
        if (!changes.prepared.empty()) {
            objects->on_prepared(changes.prepared);
        }
        if (!changes.uploads.empty()) {
            objects->on_uploads(changes.uploads);
        }
        if (!changes.uploads_withdrawn.empty()) {
            objects->on_uploads_withdrawn(changes.uploads_withdrawn);
        }
    }
    if (listener == nullptr) {
        return;
    }
    if (!changes.retried.empty()) {
        std::ranges::sort(changes.retried, {}, &QueuedItem::row);
        listener->on_queued(changes.retried, true);
    }
    if (!changes.stored.empty()) {
        listener->on_stored(changes.stored);
    }
    if (!changes.queued.empty()) {
        listener->on_queued(changes.queued, false);
    }
    if (!changes.withdrawn.empty()) {
        listener->on_withdrawn(changes.withdrawn);
    }
}

void FakeStore::write() {
    std::unique_lock lock(mutex_);
    while (true) {
        const auto next = [this] {
            return std::ranges::find_if(work_, [this](const Work& work) { return !failing_ || !work.kept; });
        };
        wake_.wait(lock, [&] { return stopping_ || failing_ != told_failing_ || (!held_ && next() != work_.end()); });
        if (failing_ != told_failing_) {
            told_failing_ = failing_;
            OutboxListener* listener = listener_;
            const bool can_commit = !failing_;
            lock.unlock();
            if (listener != nullptr) {
                listener->on_health(can_commit);
            }
            lock.lock();
            continue;
        }
        auto found = next();
        if (found == work_.end()) {
            if (!stopping_) {
                continue;
            }
            found = work_.begin();
            if (found == work_.end()) {
                break;
            }
        }
        Work work = std::move(*found);
        work_.erase(found);
        working_ = true;
        const bool fails = failing_ && work.apply;
        lock.unlock();
        if (fails) {
            work.done(Outcome::failed);
        } else {
            commit(work);
        }
        work = {};
        lock.lock();
        working_ = false;
        idle_.notify_all();
    }
    stopped_ = true;
}

model::Status FakeStore::wait_for(std::function<void(Changes&)> apply) {
    std::mutex mutex;
    std::condition_variable ended;
    std::optional<Outcome> outcome;
    submit_work({false, std::move(apply), [&](Outcome told) {
                     const std::lock_guard lock(mutex);
                     outcome = told;
                     ended.notify_all();
                 }});
    std::unique_lock lock(mutex);
    ended.wait(lock, [&] { return outcome.has_value(); });
    if (*outcome != Outcome::committed) {
        return model::Error{"the store cannot be written at present; see the log"};
    }
    return {};
}

namespace {

auto telling(Done done) {
    return [done = std::move(done)](Outcome outcome) {
        if (done) {
            done(outcome);
        }
    };
}

auto telling(DoneCount done, std::shared_ptr<std::size_t> count) {
    return [done = std::move(done), count = std::move(count)](Outcome outcome) {
        if (done) {
            done(outcome, outcome == Outcome::committed ? *count : 0);
        }
    };
}

}  // namespace

void FakeStore::set_listener(OutboxListener* listener) {
    const std::lock_guard lock(mutex_);
    listener_ = listener;
}

void FakeStore::set_listener(ObjectListener* listener) {
    const std::lock_guard lock(mutex_);
    object_listener_ = listener;
}

void FakeStore::set_commit_observer(std::function<void(double)> observer) {
    const std::lock_guard lock(mutex_);
    observer_ = std::move(observer);
}

Hash128 FakeStore::keyed_hash(std::span<const std::string_view> parts) const {
    Sha256Digest digest;
    for (const std::string_view part : parts) {
        const std::uint64_t size = part.size();
        digest.update({reinterpret_cast<const char*>(&size), sizeof size});
        digest.update(part);
    }
    const model::Sha256 sha256 = digest.finish();
    Hash128 hash{};
    std::copy_n(sha256.begin(), hash.size(), hash.begin());
    return hash;
}

model::Result<LaneId> FakeStore::lane(std::string_view destination, std::string_view liid) {
    const std::pair<std::string, std::string> pair(destination, liid);
    auto ids = lanes(std::span(&pair, 1));
    return ids ? model::Result<LaneId>(ids->front()) : model::Result<LaneId>(ids.error());
}

model::Result<std::vector<LaneId>> FakeStore::lanes(
    std::span<const std::pair<std::string, std::string>> destination_and_liid) {
    std::vector<LaneId> ids;
    const model::Status status = wait_for([&](Changes& changes) {
        for (const auto& [destination, liid] : destination_and_liid) {
            ids.push_back(changes.lane(destination, liid));
        }
    });
    return status ? model::Result<std::vector<LaneId>>(std::move(ids))
                  : model::Result<std::vector<LaneId>>(status.error());
}

model::Result<ProfileId> FakeStore::profile(const model::Profile& profile) {
    ProfileId id = 0;
    const model::Status status = wait_for([&](Changes& changes) {
        auto& profiles = changes.disk.profiles;
        const auto found = std::ranges::find_if(profiles, [&](const auto& known) { return *known == profile; });
        id = found - profiles.begin() + 1;
        if (found == profiles.end()) {
            profiles.push_back(std::make_shared<const model::Profile>(profile));
        }
    });
    return status ? model::Result<ProfileId>(id) : model::Result<ProfileId>(status.error());
}

std::shared_ptr<const Lane> FakeStore::find_lane(LaneId id) const {
    const std::lock_guard lock(mutex_);
    return id >= 1 && static_cast<std::size_t>(id) <= disk_->lanes.size()
               ? disk_->lanes[static_cast<std::size_t>(id) - 1]
               : nullptr;
}

std::shared_ptr<const model::Profile> FakeStore::find_profile(ProfileId id) const {
    const std::lock_guard lock(mutex_);
    return id >= 1 && static_cast<std::size_t>(id) <= disk_->profiles.size()
               ? disk_->profiles[static_cast<std::size_t>(id) - 1]
               : nullptr;
}

bool FakeStore::accepting() const {
    const std::lock_guard lock(mutex_);
    return accepting_ && !failing_ && !stopping_;
}

void FakeStore::submit(std::vector<NewItem> items, Done done) {
    if (!accepting()) {
        submit_work({false, {}, [done = telling(std::move(done))](Outcome) { done(Outcome::failed); }});
        return;
    }
    for (const NewItem& item : items) {
        if (!find_lane(item.lane) || !find_profile(item.profile)) {
            submit_work({false, {}, [done = telling(std::move(done))](Outcome) { done(Outcome::failed); }});
            return;
        }
    }
    submit_work({false,
                 [items = std::move(items)](Changes& changes) {
                     for (const NewItem& item : items) {
                         changes.insert(item);
                     }
                 },
                 telling(std::move(done))});
}

void FakeStore::accepted(std::vector<Acceptance> items, Done done) {
    submit_work({true,
                 [items = std::move(items)](Changes& changes) {
                     for (const Acceptance& item : items) {
                         changes.accept(item);
                     }
                 },
                 telling(std::move(done))});
}

void FakeStore::refused(RowId row, Refusal refusal, Done done) {
    submit_work(
        {false,
         [row, refusal = std::move(refusal)](Changes& changes) { changes.put_aside(row, ItemState::refused, refusal); },
         telling(std::move(done))});
}

void FakeStore::set_aside(RowId row, Refusal refusal, Done done) {
    submit_work({false,
                 [row, refusal = std::move(refusal)](Changes& changes) {
                     const ItemRow* found = changes.find(row);
                     if (found != nullptr && found->state != ItemState::refused) {
                         changes.put_aside(row, ItemState::set_aside, refusal);
                     }
                 },
                 telling(std::move(done))});
}

void FakeStore::retry(std::vector<model::Uuid> object_ids, std::string who, DoneCount done) {
    auto count = std::make_shared<std::size_t>(0);
    submit_work({false,
                 [object_ids = std::move(object_ids), who = std::move(who), count](Changes& changes) {
                     for (const model::Uuid& id : object_ids) {
                         *count += changes.retry(id, who) ? 1U : 0U;
                     }
                 },
                 telling(std::move(done), count)});
}

void FakeStore::retry_all(std::string destination, std::optional<std::uint64_t> code, std::string who, DoneCount done) {
    auto count = std::make_shared<std::size_t>(0);
    submit_work(
        {false,
         [destination = std::move(destination), code, who = std::move(who), count](Changes& changes) {
             const auto is_meant = [&](LaneId lane, const std::optional<Refusal>& refusal) {
                 return changes.disk.lanes[static_cast<std::size_t>(lane) - 1]->destination == destination &&
                        (!code || (refusal && refusal->code == *code));
             };
             for (auto& [row, item] : changes.disk.items) {
                 if ((item.state == ItemState::refused || item.state == ItemState::set_aside) &&
                     is_meant(item.item.lane, item.refusal)) {
                     changes.back_to_queue(item, who);
                     ++*count;
                 }
             }
             for (auto& [id, object] : changes.disk.objects) {
                 if ((object.object.state == ObjectState::refused || object.object.state == ObjectState::set_aside) &&
                     is_meant(object.object.lane, object.object.refusal)) {
                     changes.back_to_queue(object, who);
                     ++*count;
                 }
             }
         },
         telling(std::move(done), count)});
}

void FakeStore::reject(std::vector<model::Uuid> object_ids, std::string who, std::string why, DoneCount done) {
    auto count = std::make_shared<std::size_t>(0);
    submit_work(
        {false,
         [object_ids = std::move(object_ids), who = std::move(who), why = std::move(why), count](Changes& changes) {
             for (const model::Uuid& id : object_ids) {
                 *count += changes.reject(id, who, why) ? 1U : 0U;
             }
         },
         telling(std::move(done), count)});
}

model::Result<std::vector<StoredWarrant>> FakeStore::warrants() {
    std::vector<StoredWarrant> all;
    const std::lock_guard lock(mutex_);
    if (reads_fail_) {
        return model::Error{"the store cannot be read"};
    }
    for (const auto& [pair, warrant] : disk_->warrants) {
        all.push_back(warrant);
    }
    return all;
}

model::Status FakeStore::change_warrants(const WarrantChanges& changes) {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const auto* list : {&changes.in_force, &changes.changed, &changes.ended}) {
        for (const StoredWarrant& warrant : *list) {
            pairs.emplace_back(warrant.destination, warrant.liid);
        }
    }
    auto known = lanes(pairs);
    if (!known) {
        return known.error();
    }
    return wait_for([&](Changes& to) {
        auto lane = known->begin();
        const auto tell = [&](RecordKind kind, const StoredWarrant& warrant) {
            to.record(kind, *lane++, std::nullopt, changes.who, warrant.said());
        };
        for (const auto& [list, kind] : {std::pair(&changes.in_force, RecordKind::warrant_in_force),
                                         std::pair(&changes.changed, RecordKind::warrant_changed)}) {
            for (const StoredWarrant& warrant : *list) {
                to.disk.warrants[{warrant.destination, warrant.liid}] = warrant;
                tell(kind, warrant);
            }
        }
        for (const StoredWarrant& warrant : changes.marked) {
            to.disk.warrants.at({warrant.destination, warrant.liid}).missing = warrant.missing;
        }
        for (const StoredWarrant& warrant : changes.ended) {
            to.disk.warrants.erase({warrant.destination, warrant.liid});
            tell(RecordKind::warrant_ended, warrant);
        }
    });
}

model::Result<std::vector<StoredPause>> FakeStore::pauses() {
    const std::lock_guard lock(mutex_);
    std::vector<StoredPause> all;
    for (const auto& [destination, pause] : disk_->pauses) {
        all.push_back(pause);
    }
    return all;
}

void FakeStore::pause(std::string destination, std::string who, Done done) {
    submit_work({false, [=](Changes& changes) { changes.pause(destination, who, true); }, telling(std::move(done))});
}

void FakeStore::resume(std::string destination, std::string who, Done done) {
    submit_work({false, [=](Changes& changes) { changes.pause(destination, who, false); }, telling(std::move(done))});
}

model::Status FakeStore::clock_accepted(const std::string& who, const std::string& why) {
    return wait_for([&](Changes& to) { to.record(RecordKind::clock_accepted, 0, std::nullopt, who, why); });
}

Statistics FakeStore::statistics() const {
    Statistics statistics;
    statistics.accepting = accepting();
    const std::lock_guard lock(mutex_);
    std::map<std::string, std::size_t> places;
    for (const auto& lane : disk_->lanes) {
        if (places.try_emplace(lane->destination, statistics.counts.size()).second) {
            statistics.counts.push_back({lane->destination});
        }
    }
    const auto count_of = [&](LaneId lane) -> Count& {
        return statistics.counts[places[disk_->lanes[static_cast<std::size_t>(lane) - 1]->destination]];
    };
    for (const auto& [row, item] : disk_->items) {
        Count& count = count_of(item.item.lane);
        ++(item.state == ItemState::held        ? count.held
           : item.state == ItemState::queued    ? count.queued
           : item.state == ItemState::set_aside ? count.set_aside
                                                : count.refused);
        statistics.waiting_bytes += item.item.share.size();
    }
    for (const auto& [id, row] : disk_->objects) {
        Count& count = count_of(row.object.lane);
        ++(row.object.state == ObjectState::attached    ? count.objects_attached
           : row.object.state == ObjectState::offered   ? count.objects_offered
           : row.object.state == ObjectState::queued    ? count.objects_queued
           : row.object.state == ObjectState::set_aside ? count.objects_set_aside
                                                        : count.objects_refused);
        statistics.object_bytes += row.object.sealed ? row.object.sealed->size() : 0;
    }
    statistics.used_bytes = statistics.waiting_bytes + statistics.object_bytes;
    statistics.commits = commits_;
    statistics.repeats = repeats_;
    statistics.reused_ids = reused_ids_;
    return statistics;
}

// -- Binary objects

model::Result<std::unique_ptr<ObjectWriter>> FakeStore::writer() {
    if (!accepting()) {
        return model::Error{"the store takes nothing at present"};
    }
    return std::unique_ptr<ObjectWriter>(std::make_unique<FakeWriter>());
}

model::Result<std::unique_ptr<ObjectWriter>> FakeStore::copy_writer(std::uint64_t /*size*/) {
    return std::unique_ptr<ObjectWriter>(std::make_unique<FakeWriter>());
}

model::Result<std::unique_ptr<ObjectReader>> FakeStore::open(const SealedObject& object) const {
    const auto* sealed = dynamic_cast<const FakeSealed*>(&object);
    if (sealed == nullptr) {
        return model::Error{"the binary object is not of this store"};
    }
    return std::unique_ptr<ObjectReader>(std::make_unique<FakeObjectReader>(sealed->bytes()));
}

model::Status FakeStore::write_filler(std::uint64_t /*bytes*/) {
    return accepting() ? model::Status() : model::Status(model::Error{"the store takes nothing at present"});
}

model::Result<std::vector<std::shared_ptr<const SourceFile>>> FakeStore::pending_files() {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<const SourceFile>> files;
    for (const auto& [id, row] : disk_->objects) {
        if (row.preparing() &&
            std::ranges::none_of(files, [&](const auto& known) { return known->id == row.source->id; })) {
            files.push_back(row.source);
        }
    }
    return files;
}

void FakeStore::prepared(const model::Uuid& file, std::shared_ptr<const SealedObject> copy, model::ObjectLoss loss,
                         Done done) {
    submit_work({true, [file, copy = std::move(copy), loss](Changes& changes) { changes.prepare(file, copy, loss); },
                 telling(std::move(done))});
}

void FakeStore::stamp(RowId item, model::Instant expiry, Done done) {
    submit_work({false,
                 [item, expiry](Changes& changes) {
                     for (ObjectRow* row : changes.objects_where([&](const ObjectRow& each) {
                              return each.object.item == item && each.object.state == ObjectState::attached;
                          })) {
                         row->object.described.expiry = model::Instant::from_micros(expiry.micros());
                     }
                 },
                 telling(std::move(done))});
}

void FakeStore::pushed(const model::Uuid& object, Done done) {
    submit_work({true,
                 [object](Changes& changes) {
                     const ObjectRow* row = changes.find_object(object);
                     const auto was = std::ranges::find_if(changes.disk.records, [&](const Record& record) {
                         return record.object_id == object && record.kind == RecordKind::object_pushed;
                     });
                     const auto made =
                         std::ranges::find(changes.disk.records, std::optional(object), &Record::object_id);
                     if (was != changes.disk.records.end() || (row == nullptr && made == changes.disk.records.end())) {
                         return;
                     }
                     changes.record(RecordKind::object_pushed, row != nullptr ? row->object.lane : made->lane, object);
                     changes.remove(object);
                 },
                 telling(std::move(done))});
}

void FakeStore::refused(const model::Uuid& object, Refusal refusal, Done done) {
    submit_work({false,
                 [object, refusal = std::move(refusal)](Changes& changes) {
                     changes.put_aside(object, ObjectState::refused, refusal);
                 },
                 telling(std::move(done))});
}

void FakeStore::set_aside(const model::Uuid& object, Refusal refusal, Done done) {
    submit_work({false,
                 [object, refusal = std::move(refusal)](Changes& changes) {
                     changes.put_aside(object, ObjectState::set_aside, refusal);
                 },
                 telling(std::move(done))});
}

void FakeStore::fetched(Fetch fetch, Done done) {
    submit_work({true,
                 [fetch = std::move(fetch)](Changes& changes) {
                     ObjectRow* row = changes.find_object(fetch.object);
                     if (row == nullptr) {
                         return;
                     }
                     changes.record(RecordKind::object_fetched, row->object.lane, fetch.object,
                                    fetch.certificate_sha256,
                                    "bytes " + std::to_string(fetch.begin) + " to " + std::to_string(fetch.end));
                     if (!fetch.whole() || !row->object.remove_when_fetched) {
                         return;
                     }
                     if (row->object.state == ObjectState::offered) {
                         changes.expire(fetch.object, "it was fetched");
                     } else {
                         row->fetched = true;
                     }
                 },
                 telling(std::move(done))});
}

// -- Reading

class FakeStore::FakeReader final : public Reader {
  public:
    explicit FakeReader(const FakeStore& store) : store_(store) {}

    model::Result<std::vector<StoredItem>> load(std::span<const RowId> rows) override {
        return reading([&](const FakeDisk& disk) {
            std::vector<StoredItem> items;
            for (const RowId row : rows) {
                const auto found = disk.items.find(row);
                if (found == disk.items.end() ||
                    (found->second.state != ItemState::queued && found->second.state != ItemState::set_aside)) {
                    continue;
                }
                StoredItem item = found->second.item;
                if (found->second.has_objects) {
                    auto objects = std::make_shared<std::vector<StoredObject>>();
                    for (const auto& [id, object] : disk.objects) {
                        if (object.object.item == row) {
                            item.preparing = item.preparing || object.preparing();
                            objects->push_back(object.object);
                        }
                    }
                    item.objects = std::move(objects);
                }
                items.push_back(std::move(item));
            }
            return items;
        });
    }
    model::Status for_each_queued(const std::function<void(const QueuedItem&)>& visit) override {
        return for_each(ItemState::queued, visit);
    }
    model::Status for_each_set_aside(const std::function<void(const QueuedItem&)>& visit) override {
        return for_each(ItemState::set_aside, visit);
    }
    model::Result<std::vector<ItemView>> items(std::optional<ItemState> state, RowId after,
                                               std::size_t limit) override {
        return reading([&](const FakeDisk& disk) {
            std::vector<ItemView> views;
            if (state == ItemState::delivered || state == ItemState::rejected) {
                for (const auto& [row, ended] : disk.ended) {
                    if (row > after && ended.view.state == *state) {
                        views.push_back(ended.view);
                    }
                }
            } else {
                for (const auto& [row, item] : disk.items) {
                    if (row > after && (!state || item.state == *state)) {
                        views.push_back(view_of(disk, item));
                    }
                }
                for (const auto& [id, object] : disk.objects) {
                    if (id > after && object.waits() && (!state || item_state_of(object.object.state) == *state)) {
                        views.push_back(view_of(disk, id, object));
                    }
                }
            }
            std::ranges::sort(views, {}, &ItemView::row);
            if (views.size() > limit) {
                views.resize(limit);
            }
            return views;
        });
    }
    model::Result<std::optional<ItemView>> find(const model::Uuid& object_id) override {
        return reading([&](const FakeDisk& disk) -> std::optional<ItemView> {
            for (const auto& [row, item] : disk.items) {
                if (item.item.object_id == object_id) {
                    return view_of(disk, item);
                }
            }
            for (const auto& [id, object] : disk.objects) {
                if (object.object.described.id == object_id && object.waits()) {
                    return view_of(disk, id, object);
                }
            }
            for (const auto& [row, ended] : disk.ended) {
                if (ended.view.object_id == object_id) {
                    return ended.view;
                }
            }
            return std::nullopt;
        });
    }
    model::Result<std::vector<Record>> records(std::int64_t after, std::size_t limit) override {
        return reading([&](const FakeDisk& disk) {
            std::vector<Record> page;
            std::ranges::copy_if(disk.records, std::back_inserter(page),
                                 [&](const Record& record) { return record.id > after; });
            std::ranges::sort(page, {}, &Record::id);
            if (page.size() > limit) {
                page.resize(limit);
            }
            return page;
        });
    }
    model::Result<std::optional<model::Instant>> oldest(std::string_view destination) override {
        return reading([&](const FakeDisk& disk) -> std::optional<model::Instant> {
            for (const auto& [row, item] : disk.items) {
                if (item.state == ItemState::queued &&
                    disk.lanes[static_cast<std::size_t>(item.item.lane) - 1]->destination == destination) {
                    return item.item.received_at;
                }
            }
            return std::nullopt;
        });
    }
    model::Result<std::optional<StoredObject>> object(const model::Uuid& id) override {
        return reading([&](const FakeDisk& disk) -> std::optional<StoredObject> {
            for (const auto& [row, object] : disk.objects) {
                const auto& stored = object.object;
                if (stored.described.id == id && !(stored.model == model::BinaryModel::a && stored.described.expiry &&
                                                   *stored.described.expiry <= store_.clock_.wall())) {
                    return stored;
                }
            }
            return std::nullopt;
        });
    }
    model::Status for_each_upload(const std::function<void(const QueuedObject&)>& visit) override {
        return for_each_object(ObjectState::queued, visit);
    }
    model::Status for_each_upload_set_aside(const std::function<void(const QueuedObject&)>& visit) override {
        return for_each_object(ObjectState::set_aside, visit);
    }

  private:
    template <typename Work>
    auto reading(const Work& work) const -> model::Result<decltype(work(std::declval<const FakeDisk&>()))> {
        const std::lock_guard lock(store_.mutex_);
        if (store_.reads_fail_) {
            return model::Error{"the store cannot be read"};
        }
        return work(*store_.disk_);
    }
    model::Status for_each(ItemState state, const std::function<void(const QueuedItem&)>& visit) const {
        const auto found = reading([&](const FakeDisk& disk) {
            std::vector<QueuedItem> items;
            for (const auto& [row, item] : disk.items) {
                if (item.state == state) {
                    items.push_back({row, item.item.lane, item.item.emergency});
                }
            }
            return items;
        });
        if (!found) {
            return found.error();
        }
        std::ranges::for_each(*found, visit);
        return {};
    }
    model::Status for_each_object(ObjectState state, const std::function<void(const QueuedObject&)>& visit) const {
        const auto found = reading([&](const FakeDisk& disk) {
            std::vector<QueuedObject> objects;
            for (const auto& [id, row] : disk.objects) {
                if (row.object.state == state && row.object.sealed) {
                    objects.push_back(row.queued());
                }
            }
            return objects;
        });
        if (!found) {
            return found.error();
        }
        std::ranges::for_each(*found, visit);
        return {};
    }
    static ItemView view_of(const FakeDisk& disk, const ItemRow& row) {
        ItemView view;
        view.object_id = row.item.object_id;
        view.destination = disk.lanes[static_cast<std::size_t>(row.item.lane) - 1]->destination;
        view.liid = disk.lanes[static_cast<std::size_t>(row.item.lane) - 1]->liid;
        view.state = row.state;
        view.row = row.item.row;
        view.correlation = row.item.correlation;
        view.received_at = row.item.received_at;
        view.changed_at = row.changed_at;
        view.refusal = row.refusal;
        return view;
    }
    static ItemView view_of(const FakeDisk& disk, RowId id, const ObjectRow& row) {
        ItemView view;
        view.object_id = row.object.described.id;
        view.object_of = row.object.item_id;
        view.destination = disk.lanes[static_cast<std::size_t>(row.object.lane) - 1]->destination;
        view.liid = disk.lanes[static_cast<std::size_t>(row.object.lane) - 1]->liid;
        view.state = item_state_of(row.object.state);
        view.row = id;
        view.received_at = row.changed_at;
        view.changed_at = row.changed_at;
        view.refusal = row.object.refusal;
        return view;
    }

    const FakeStore& store_;
};

model::Result<std::unique_ptr<Reader>> FakeStore::reader() const {
    return std::unique_ptr<Reader>(std::make_unique<FakeReader>(*this));
}

}  // namespace lihandover::store::test
