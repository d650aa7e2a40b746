#include "support.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace lihandover::store::test {

void RecordingListener::on_stored(std::span<StoredItem> items) noexcept {
    const std::lock_guard lock(mutex_);
    stored_.insert(stored_.end(), items.begin(), items.end());
}

void RecordingListener::on_queued(std::span<const QueuedItem> items, bool retried) noexcept {
    const std::lock_guard lock(mutex_);
    auto& list = retried ? retried_ : queued_;
    list.insert(list.end(), items.begin(), items.end());
    calls_ += retried ? 'R' : 'Q';
}

void RecordingListener::on_withdrawn(std::span<const QueuedItem> items) noexcept {
    const std::lock_guard lock(mutex_);
    withdrawn_.insert(withdrawn_.end(), items.begin(), items.end());
    calls_ += 'W';
}

void RecordingListener::on_lane_withdrawn(LaneId lane) noexcept {
    const std::lock_guard lock(mutex_);
    lanes_withdrawn_.push_back(lane);
    calls_ += 'L';
}

std::vector<LaneId> RecordingListener::lanes_withdrawn() const {
    const std::lock_guard lock(mutex_);
    return lanes_withdrawn_;
}

void RecordingListener::on_taken_over(std::span<const QueuedItem> items, bool set_aside) noexcept {
    const std::lock_guard lock(mutex_);
    auto& list = set_aside ? aside_taken_over_ : taken_over_;
    list.insert(list.end(), items.begin(), items.end());
    calls_ += 'T';
}

void RecordingListener::on_lanes_lost(const LostLanes& lost) noexcept {
    const std::lock_guard lock(mutex_);
    lost_.push_back(lost);
    calls_ += 'X';
}

std::vector<QueuedItem> RecordingListener::taken_over() const {
    const std::lock_guard lock(mutex_);
    return taken_over_;
}

std::vector<QueuedItem> RecordingListener::set_aside_taken_over() const {
    const std::lock_guard lock(mutex_);
    return aside_taken_over_;
}

bool RecordingListener::lost(LaneId lane) const {
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(lost_, [lane](const LostLanes& lost) { return lost(lane); });
}

void RecordingListener::on_health(bool can_commit) noexcept {
    const std::lock_guard lock(mutex_);
    health_.push_back(can_commit);
    calls_ += can_commit ? '+' : '-';
}

std::vector<StoredItem> RecordingListener::stored() const {
    const std::lock_guard lock(mutex_);
    return stored_;
}

std::vector<QueuedItem> RecordingListener::queued() const {
    const std::lock_guard lock(mutex_);
    return queued_;
}

std::vector<QueuedItem> RecordingListener::retried() const {
    const std::lock_guard lock(mutex_);
    return retried_;
}

std::vector<QueuedItem> RecordingListener::withdrawn() const {
    const std::lock_guard lock(mutex_);
    return withdrawn_;
}

std::vector<bool> RecordingListener::health() const {
    const std::lock_guard lock(mutex_);
    return health_;
}

std::string RecordingListener::calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
}

void RecordingObjectListener::on_prepared(std::span<const QueuedItem> items) noexcept {
    const std::lock_guard lock(mutex_);
    prepared_.insert(prepared_.end(), items.begin(), items.end());
}

void RecordingObjectListener::on_uploads(std::span<const QueuedObject> objects) noexcept {
    const std::lock_guard lock(mutex_);
    uploads_.insert(uploads_.end(), objects.begin(), objects.end());
}

void RecordingObjectListener::on_uploads_withdrawn(std::span<const model::Uuid> objects) noexcept {
    const std::lock_guard lock(mutex_);
    withdrawn_.insert(withdrawn_.end(), objects.begin(), objects.end());
}

std::vector<QueuedItem> RecordingObjectListener::prepared() const {
    const std::lock_guard lock(mutex_);
    return prepared_;
}

std::vector<QueuedObject> RecordingObjectListener::uploads() const {
    const std::lock_guard lock(mutex_);
    return uploads_;
}

std::vector<model::Uuid> RecordingObjectListener::withdrawn() const {
    const std::lock_guard lock(mutex_);
    return withdrawn_;
}

Hash128 hash_of(std::uint64_t number) {
    Hash128 hash{};
    std::memcpy(hash.data(), &number, sizeof number);
    return hash;
}

model::Profile some_profile() {
    model::Profile profile;
    profile.sender = {"XX", "EXAMPLE-CSP"};
    profile.receiver = {"GB", "LEA"};
    profile.etsi_version = "V1.14.1";
    profile.schema_identifier = "urn:example:schema:1";
    profile.schema_url = "https://csp.example.com/schema/1.0";
    return profile;
}

void StoreTest::open() {
    auto opened = Store::open(options_, clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
    store_->outbox().set_listener(&listener_);
    store_->upload_outbox().set_listener(&object_listener_);
    const auto lane = store_->warrant_register().lane("lea", "LIID-1");
    ASSERT_TRUE(lane) << lane.error().message;
    lane_ = *lane;
    const auto profile = store_->warrant_register().profile(some_profile());
    ASSERT_TRUE(profile) << profile.error().message;
    profile_ = *profile;
}

NewItem StoreTest::item(std::string share) {
    NewItem item;
    item.lane = lane_;
    item.profile = profile_;
    item.object_id = model::Uuid::random();
    item.repeat_hash = hash_of(next_hash_++);
    item.event_seconds = clock_.wall().seconds;
    item.received_at = clock_.wall();
    item.share = std::move(share);
    return item;
}

Outcome StoreTest::submit(std::vector<NewItem> items) {
    Answer<Outcome> answer;
    submit_to(store_->item_intake(), std::move(items), answer.callback());
    return answer.get();
}

Outcome StoreTest::submit(NewItem one) {
    std::vector<NewItem> items;
    items.push_back(std::move(one));
    return submit(std::move(items));
}

Outcome StoreTest::accept(const StoredItem& item) {
    Answer<Outcome> answer;
    store_->outbox().accepted(
        {{item.row, item.lane, item.profile, item.object_id, item.carries_schema, item.objects != nullptr}},
        answer.callback());
    return answer.get();
}

Outcome StoreTest::refuse(RowId row, Refusal refusal) {
    Answer<Outcome> answer;
    store_->outbox().refused(row, std::move(refusal), answer.callback());
    return answer.get();
}

namespace {

DoneCount counting(Answer<std::pair<Outcome, std::size_t>>& answer) {
    return [told = answer.callback()](Outcome outcome, std::size_t count) { told({outcome, count}); };
}

}  // namespace

std::pair<Outcome, std::size_t> StoreTest::retry(std::vector<model::Uuid> ids) {
    Answer<std::pair<Outcome, std::size_t>> answer;
    store_->operator_view().retry(std::move(ids), "alice", counting(answer));
    return answer.get();
}

std::pair<Outcome, std::size_t> StoreTest::retry_all(const std::string& destination,
                                                     std::optional<std::uint64_t> code) {
    Answer<std::pair<Outcome, std::size_t>> answer;
    store_->operator_view().retry_all(destination, code, "alice", counting(answer));
    return answer.get();
}

std::pair<Outcome, std::size_t> StoreTest::reject(std::vector<model::Uuid> ids) {
    Answer<std::pair<Outcome, std::size_t>> answer;
    store_->operator_view().reject(meant(ids), {"uid:1003", "bob"}, "sent by mistake",
                                   [told = answer.callback()](Outcome outcome, const Decided& decided) {
                                       told({outcome, decided.done});
                                   });
    return answer.get();
}

std::vector<StoredItem> StoreTest::queued() {
    std::vector<RowId> rows;
    EXPECT_TRUE(store_->outbox().for_each_queued([&](const QueuedItem& item) { rows.push_back(item.row); }));
    auto items = store_->outbox().load(rows);
    EXPECT_TRUE(items) << items.error().message;
    return *items;
}

Count StoreTest::counts(const std::string& destination) {
    for (const Count& count : store_->operator_view().statistics().counts) {
        if (count.destination == destination) {
            return count;
        }
    }
    return {};
}

std::string StoreTest::some_bytes(std::size_t size, std::uint64_t seed) {
    std::string bytes(size, '\0');
    std::uint64_t state = seed * 2 + 1;
    for (char& byte : bytes) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        byte = static_cast<char>(state >> 56U);
    }
    return bytes;
}

std::shared_ptr<const SealedObject> StoreTest::seal(std::string_view bytes) {
    auto writer = store_->object_intake().writer();
    if (!writer) {
        ADD_FAILURE() << writer.error().message;
        return nullptr;
    }
    EXPECT_TRUE((*writer)->write(bytes));
    auto sealed = (*writer)->finish();
    if (!sealed) {
        ADD_FAILURE() << sealed.error().message;
        return nullptr;
    }
    return *sealed;
}

bool StoreTest::takes_object(std::uint64_t size) {
    auto writer = store_->object_intake().writer();
    const std::string bytes(static_cast<std::size_t>(size), 'o');
    return writer && (*writer)->write(bytes) && (*writer)->finish();
}

std::string StoreTest::unseal(const SealedObject& object) {
    auto reader = store_->upload_outbox().open(object);
    if (!reader) {
        return "cannot be opened: " + reader.error().message;
    }
    std::string bytes(static_cast<std::size_t>((*reader)->size()), '?');
    const auto size = (*reader)->read(0, bytes);
    if (!size) {
        return "cannot be read: " + size.error().message;
    }
    bytes.resize(*size);
    return bytes;
}

NewObject StoreTest::object_of(std::shared_ptr<const SealedObject> sealed, model::BinaryModel model) {
    NewObject object;
    object.id = model::Uuid::random();
    object.model = model;
    object.url = "https://lea.example.com/binaryData/" + object.id.to_string() + "/";
    object.content_type = "image/jpeg";
    object.original_filename = "roof.jpg";
    object.csp_defined_identifier = "a1";
    object.lifetime = std::chrono::hours(72);
    object.sealed = std::move(sealed);
    return object;
}

NewObject StoreTest::object_of(std::shared_ptr<const SourceFile> file, model::BinaryModel model) {
    NewObject object = object_of(std::shared_ptr<const SealedObject>(), model);
    object.file = std::move(file);
    return object;
}

std::shared_ptr<const SourceFile> StoreTest::source_file(std::uint64_t size) {
    auto file = std::make_shared<SourceFile>();
    file->id = model::Uuid::random();
    file->path = "in/video.mp4";
    file->inode = 77;
    file->size = size;
    file->modified_nanos = 1'700'000'000'123'456'789;
    file->changed_nanos = -5;
    file->give_up_at = clock_.wall();
    return file;
}

NewItem StoreTest::item_with(std::vector<NewObject> objects) {
    NewItem made = item();
    made.objects = std::make_shared<const std::vector<NewObject>>(std::move(objects));
    return made;
}

std::optional<StoredObject> StoreTest::find_object(const model::Uuid& id) {
    auto object = store_->upload_outbox().find_object(id);
    EXPECT_TRUE(object) << object.error().message;
    return *object;
}

std::size_t StoreTest::files() const {
    const std::filesystem::directory_iterator all(options_.directory / "objects");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

std::vector<RecordKind> StoreTest::record_kinds() {
    std::vector<RecordKind> kinds;
    const auto records = store_->operator_view().records(0, 10'000);
    EXPECT_TRUE(records);
    for (const Record& record : *records) {
        kinds.push_back(record.kind);
    }
    return kinds;
}

}  // namespace lihandover::store::test
