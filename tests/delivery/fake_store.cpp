#include "fake_store.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "lihandover/handover/names.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/model/event.hpp"
#include "lihandover/model/item.hpp"

namespace lihandover::delivery::test {

namespace {

std::string share_of(const std::string& text) {
    model::Event event;
    event.event_id = "e-1";
    event.service = "examplechat";
    event.type = model::EventType::message;
    event.identifiers = {{model::IdentifierType::user_id, "u-1"}, {model::IdentifierType::user_id, "u-2"}};
    event.parties = {{model::PartyRole::sender, 0, 1, {}}, {model::PartyRole::receiver, 1, 2, {}}};
    event.has_content = true;
    event.content_type = "text/plain";
    event.text = text;
    const std::array<std::uint64_t, 1> targeted = {1};
    std::string bytes;
    model::encode_share(event, targeted, {.metadata = true, .content = true, .binary = false, .location = false},
                        model::system_clock().wall(), {}, bytes);
    return bytes;
}

}  // namespace

class FakeStore::FakeReader final : public store::Reader {
  public:
    explicit FakeReader(const FakeStore& store) : store_(store) {}

    [[nodiscard]] model::Result<std::vector<store::StoredItem>> load(std::span<const store::RowId> rows) override {
        const std::lock_guard lock(store_.mutex_);
        ++store_.loads_;
        if (store_.fail_reads_) {
            return model::Error{"the disk is on fire"};
        }
        std::vector<store::StoredItem> items;
        for (const auto row : rows) {
            if (const auto found = store_.queued_.find(row); found != store_.queued_.end()) {
                items.push_back(found->second);
                items.back().objects = store_.binaries_of(row);
            }
        }
        return items;
    }
    [[nodiscard]] model::Status for_each_queued(const std::function<void(const store::QueuedItem&)>& visit) override {
        std::vector<store::QueuedItem> all;
        {
            const std::lock_guard lock(store_.mutex_);
            if (store_.fail_reads_) {
                return model::Error{"the disk is on fire"};
            }
            for (const auto& [row, item] : store_.queued_) {
                if (!store_.set_aside_.contains(row)) {
                    all.push_back({row, item.lane, item.emergency});
                }
            }
        }
        for (const auto& item : all) {
            visit(item);
        }
        return {};
    }
    [[nodiscard]] model::Status for_each_set_aside(
        const std::function<void(const store::QueuedItem&)>& visit) override {
        std::vector<store::QueuedItem> all;
        {
            const std::lock_guard lock(store_.mutex_);
            for (const auto& [row, refusal] : store_.set_aside_) {
                const auto& item = store_.queued_.at(row);
                all.push_back({row, item.lane, item.emergency});
            }
        }
        for (const auto& item : all) {
            visit(item);
        }
        return {};
    }
    [[nodiscard]] model::Result<std::vector<store::ItemView>> items(std::optional<store::ItemState> /*state*/,
                                                                    store::RowId /*after*/,
                                                                    std::size_t /*limit*/) override {
        return std::vector<store::ItemView>{};
    }
    [[nodiscard]] model::Result<std::optional<store::ItemView>> find(const model::Uuid& /*object_id*/) override {
        return std::optional<store::ItemView>{};
    }
    [[nodiscard]] model::Result<std::vector<store::Record>> records(std::int64_t /*after*/,
                                                                    std::size_t /*limit*/) override {
        return std::vector<store::Record>{};
    }
    [[nodiscard]] model::Result<std::optional<store::StoredObject>> object(const model::Uuid& id) override {
        const std::lock_guard lock(store_.mutex_);
        ++store_.loads_;
        if (store_.fail_reads_) {
            return model::Error{"the disk is on fire"};
        }
        const auto found = store_.binaries_.find(id);
        return found == store_.binaries_.end() ? std::optional<store::StoredObject>{} : found->second;
    }
    [[nodiscard]] model::Status for_each_upload(const std::function<void(const store::QueuedObject&)>& visit) override {
        std::vector<store::QueuedObject> all;
        {
            const std::lock_guard lock(store_.mutex_);
            for (const auto& [id, object] : store_.binaries_) {
                if (object.state == store::ObjectState::queued) {
                    all.push_back(store_.queued_object(object));
                }
            }
        }
        for (const auto& object : all) {
            visit(object);
        }
        return {};
    }
    [[nodiscard]] model::Result<std::optional<model::Instant>> oldest(std::string_view /*destination*/) override {
        return std::optional<model::Instant>{};
    }

  private:
    const FakeStore& store_;
};

namespace {

class FakeSealed final : public store::SealedObject {
  public:
    explicit FakeSealed(std::string bytes) : bytes_(std::make_shared<const std::string>(std::move(bytes))) {}
    [[nodiscard]] std::uint64_t size() const override { return bytes_->size(); }
    [[nodiscard]] const model::Sha256& sha256() const override { return sha256_; }
    [[nodiscard]] const std::shared_ptr<const std::string>& bytes() const { return bytes_; }

  private:
    std::shared_ptr<const std::string> bytes_;
    model::Sha256 sha256_{};
};

class FakeUnsealing final : public store::ObjectReader {
  public:
    FakeUnsealing(const FakeSealed& object, const std::atomic<bool>& fails) : bytes_(object.bytes()), fails_(fails) {}
    [[nodiscard]] std::uint64_t size() const override { return bytes_->size(); }
    [[nodiscard]] model::Result<std::size_t> read(std::uint64_t at, std::span<char> out) override {
        if (fails_) {
            return model::Error{"the disk is on fire"};
        }
        return bytes_->copy(out.data(), out.size(), at);
    }

  private:
    std::shared_ptr<const std::string> bytes_;
    const std::atomic<bool>& fails_;
};

}  // namespace

class FakeStore::FakeObjects final : public lihandover::test::NoObjects {
  public:
    explicit FakeObjects(FakeStore& store) : store_(store) {}

    void set_listener(store::ObjectListener* listener) override {
        const std::lock_guard lock(store_.mutex_);
        store_.object_listener_ = listener;
    }
    [[nodiscard]] model::Result<std::unique_ptr<store::ObjectReader>> open(
        const store::SealedObject& object) const override {
        return std::unique_ptr<store::ObjectReader>(
            std::make_unique<FakeUnsealing>(dynamic_cast<const FakeSealed&>(object), store_.fail_binary_reads_));
    }
    void stamp(store::RowId item, model::Instant expiry, Done done) override {
        store_.post([this, item, expiry, done = std::move(done)] {
            bool failed = false;
            {
                const std::lock_guard lock(store_.mutex_);
                failed = store_.fail_stamps_;
                store_.stamps_.push_back({item, expiry});
                for (const auto& id : failed ? std::vector<model::Uuid>{} : store_.by_item_[item]) {
                    store_.binaries_.at(id).described.expiry = expiry;
                }
            }
            done(failed ? store::Outcome::failed : store::Outcome::committed);
        });
    }
    void pushed(const model::Uuid& object, Done done) override {
        store_.commit([this, object, done = std::move(done)] {
            {
                const std::lock_guard lock(store_.mutex_);
                store_.binaries_.erase(object);
                store_.set_aside_binaries_.erase(object);
                store_.pushed_.push_back(object);
            }
            done(store::Outcome::committed);
        });
    }
    void set_aside(const model::Uuid& object, store::Refusal refusal, Done done) override {
        store_.post([this, object, refusal = std::move(refusal), done = std::move(done)] {
            {
                const std::lock_guard lock(store_.mutex_);
                store_.binaries_.at(object).state = store::ObjectState::set_aside;
                store_.set_aside_binaries_[object] = refusal;
            }
            done(store::Outcome::committed);
        });
    }
    void refused(const model::Uuid& object, store::Refusal refusal, Done done) override {
        store_.post([this, object, refusal = std::move(refusal), done = std::move(done)] {
            bool found = false;
            {
                const std::lock_guard lock(store_.mutex_);
                const auto entry = store_.binaries_.find(object);
                found = entry != store_.binaries_.end() && !store_.fail_refusals_;
                if (found) {
                    entry->second.state = store::ObjectState::refused;
                    store_.set_aside_binaries_.erase(object);
                    store_.refused_binaries_[object] = refusal;
                }
            }
            if (found && store_.retries_next_.exchange(false)) {
                store_.retry_now(object);
            }
            done(found ? store::Outcome::committed : store::Outcome::failed);
        });
    }

  private:
    FakeStore& store_;
};

FakeStore::FakeStore(const model::Clock& clock)
    : clock_(clock), objects_(std::make_unique<FakeObjects>(*this)), writer_([this] { write(); }) {
    model::Profile profile;
    profile.sender = {"XX", "EXAMPLE-CSP"};
    profile.receiver = {"XX", "Not specified"};
    profile.etsi_version = "V1.14.1";
    profile.schema_identifier = handover::csp_schema_identifier;
    profile.writer_version = handover::current_writer_version;
    use_profile(profile);
}

FakeStore::~FakeStore() {
    FakeStore::stop();
}

void FakeStore::stop() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        for (auto& work : kept_) {
            work_.push_back(std::move(work));
        }
        kept_.clear();
        committing_ = true;
    }
    wake_.notify_all();
    if (writer_.joinable()) {
        writer_.join();
    }
}

void FakeStore::write() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return ending_ || !work_.empty(); });
        if (work_.empty()) {
            return;
        }
        auto work = std::move(work_.front());
        work_.pop_front();
        lock.unlock();
        work();
        work = nullptr;
        lock.lock();
    }
}

void FakeStore::post(std::function<void()> work) {
    {
        const std::lock_guard lock(mutex_);
        work_.push_back(std::move(work));
    }
    wake_.notify_all();
}

store::LaneId FakeStore::make_lane(const std::string& destination, const std::string& liid) {
    return FakeStore::lane(destination, liid).value();
}

void FakeStore::use_profile(model::Profile profile) {
    const std::lock_guard lock(mutex_);
    ++profile_;
    profiles_.emplace(profile_, std::make_shared<const model::Profile>(std::move(profile)));
}

std::vector<FakeStore::Made> FakeStore::queue(const std::vector<Item>& items, bool silent) {
    std::vector<Made> made;
    std::vector<store::QueuedItem> heard;
    std::vector<store::StoredItem> whole;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& item : items) {
            store::StoredItem stored;
            stored.row = next_row_++;
            stored.lane = item.lane;
            stored.profile = profile_;
            stored.object_id = model::Uuid::random();
            stored.emergency = item.emergency;
            stored.carries_schema = item.carries_schema;
            stored.received_at = model::system_clock().wall();
            stored.share = item.broken ? std::string("\xff\xff") : share_of(item.text);
            stored.preparing = item.preparing;
            made.push_back({stored.row, stored.object_id, {}});
            for (const auto& binary : item.binaries) {
                made.back().binaries.push_back(make_binary(binary, stored));
            }
            heard.push_back({stored.row, stored.lane, stored.emergency});
            if (hands_over_ && item.binaries.empty()) {
                whole.push_back(stored);
            }
            queued_.emplace(stored.row, std::move(stored));
        }
    }
    if (!silent) {
        post([this, heard, whole]() mutable {
            if (!whole.empty()) {
                listener_->on_stored(whole);
            }
            listener_->on_queued(heard, false);
        });
    }
    return made;
}

std::vector<FakeStore::Made> FakeStore::queue(store::LaneId lane, std::size_t count) {
    return queue(std::vector<Item>(count, Item{.lane = lane}));
}

void FakeStore::retry(store::RowId row) {
    post([this, row] {
        store::QueuedItem item;
        {
            const std::lock_guard lock(mutex_);
            auto node = put_aside_.extract(row);
            if (node.empty()) {
                throw std::logic_error("not refused");
            }
            item = {row, node.mapped().lane, node.mapped().emergency};
            refused_.erase(row);
            queued_.insert(std::move(node));
        }
        listener_->on_queued({&item, 1}, true);
    });
}

void FakeStore::reject(store::RowId row, bool heard) {
    post([this, row, heard] {
        store::QueuedItem item;
        {
            const std::lock_guard lock(mutex_);
            const auto found = queued_.find(row);
            if (found == queued_.end()) {
                return;
            }
            item = {row, found->second.lane, found->second.emergency};
            queued_.erase(found);
        }
        if (heard) {
            listener_->on_withdrawn({&item, 1});
        }
    });
}

store::Objects& FakeStore::objects() {
    return *objects_;
}

model::Uuid FakeStore::make_binary(const Binary& binary, const store::StoredItem& item) {
    store::StoredObject object;
    object.described.id = model::Uuid::random();
    object.described.url = binary.url.empty() ? binary.url_prefix + object.described.id.to_string() : binary.url;
    object.described.content_length = binary.bytes.size();
    object.described.content_type = binary.content_type;
    object.described.csp_defined_identifier = "a1";
    object.item = item.row;
    object.lane = item.lane;
    object.item_id = item.object_id;
    object.model = binary.model;
    object.emergency = item.emergency;
    object.lifetime = binary.lifetime;
    object.sealed = std::make_shared<FakeSealed>(binary.bytes);
    const auto id = object.described.id;
    by_item_[item.row].push_back(id);
    binaries_.emplace(id, std::move(object));
    return id;
}

std::shared_ptr<const std::vector<store::StoredObject>> FakeStore::binaries_of(store::RowId row) const {
    const auto found = by_item_.find(row);
    if (found == by_item_.end()) {
        return nullptr;
    }
    auto all = std::make_shared<std::vector<store::StoredObject>>();
    for (const auto& id : found->second) {
        all->push_back(binaries_.at(id));
    }
    return all;
}

store::QueuedObject FakeStore::queued_object(const store::StoredObject& object) const {
    return {object.described.id, object.lane, object.emergency, object.sealed->size(),
            deadlines_.at(object.described.id)};
}

void FakeStore::commit(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    if (committing_) {
        work_.emplace_back(std::move(work));
    } else {
        kept_.emplace_back(std::move(work));
    }
    wake_.notify_all();
}

void FakeStore::prepare(store::RowId row) {
    post([this, row] {
        store::QueuedItem item;
        {
            const std::lock_guard lock(mutex_);
            auto& stored = queued_.at(row);
            stored.preparing = false;
            item = {row, stored.lane, stored.emergency};
        }
        object_listener_->on_prepared({&item, 1});
    });
}

model::Uuid FakeStore::queue_binary(store::LaneId lane, const Binary& binary, bool emergency, bool silent) {
    store::StoredItem item;
    item.lane = lane;
    item.emergency = emergency;
    item.object_id = model::Uuid::random();
    store::QueuedObject queued;
    {
        const std::lock_guard lock(mutex_);
        const auto id = make_binary(binary, item);
        auto& object = binaries_.at(id);
        object.state = store::ObjectState::queued;
        deadlines_[id] = {clock_.wall().seconds + object.lifetime.count(), 0};
        queued = queued_object(object);
    }
    if (!silent) {
        post([this, queued] { object_listener_->on_uploads({&queued, 1}); });
    }
    return queued.id;
}

void FakeStore::retry_binary(const model::Uuid& id) {
    post([this, id] { retry_now(id); });
}

void FakeStore::retry_now(const model::Uuid& id) {
    store::QueuedObject queued;
    {
        const std::lock_guard lock(mutex_);
        auto& object = binaries_.at(id);
        if (object.state != store::ObjectState::refused && object.state != store::ObjectState::set_aside) {
            throw std::logic_error("neither refused nor set aside");
        }
        object.state = store::ObjectState::queued;
        refused_binaries_.erase(id);
        set_aside_binaries_.erase(id);
        deadlines_[id] = {clock_.wall().seconds + object.lifetime.count(), 0};
        queued = queued_object(object);
    }
    object_listener_->on_uploads({&queued, 1});
}

void FakeStore::withdraw_binary(const model::Uuid& id) {
    post([this, id] {
        {
            const std::lock_guard lock(mutex_);
            binaries_.erase(id);
        }
        object_listener_->on_uploads_withdrawn({&id, 1});
    });
}

void FakeStore::fail_stamps(bool fail) {
    const std::lock_guard lock(mutex_);
    fail_stamps_ = fail;
}

void FakeStore::fail_binary_reads(bool fail) {
    fail_binary_reads_ = fail;
}

std::vector<FakeStore::Stamp> FakeStore::stamps() const {
    const std::lock_guard lock(mutex_);
    return stamps_;
}

std::vector<model::Uuid> FakeStore::pushed() const {
    const std::lock_guard lock(mutex_);
    return pushed_;
}

std::map<model::Uuid, store::Refusal> FakeStore::refused_binaries() const {
    const std::lock_guard lock(mutex_);
    return refused_binaries_;
}

std::size_t FakeStore::binaries_queued() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count_if(
        binaries_, [](const auto& one) { return one.second.state == store::ObjectState::queued; }));
}

void FakeStore::set_committing(bool committing) {
    {
        const std::lock_guard lock(mutex_);
        committing_ = committing;
        if (committing) {
            for (auto& work : kept_) {
                work_.push_back(std::move(work));
            }
            kept_.clear();
        }
    }
    wake_.notify_all();
}

void FakeStore::fail_refusals(bool fail) {
    const std::lock_guard lock(mutex_);
    fail_refusals_ = fail;
}

void FakeStore::fail_reads(bool fail) {
    const std::lock_guard lock(mutex_);
    fail_reads_ = fail;
}

void FakeStore::say_health(bool can_commit) {
    post([this, can_commit] { listener_->on_health(can_commit); });
}

std::vector<store::Acceptance> FakeStore::accepted() const {
    const std::lock_guard lock(mutex_);
    return accepted_;
}

std::vector<model::Uuid> FakeStore::accepted_objects() const {
    const std::lock_guard lock(mutex_);
    std::vector<model::Uuid> objects;
    objects.reserve(accepted_.size());
    for (const auto& item : accepted_) {
        objects.push_back(item.object_id);
    }
    return objects;
}

std::map<store::RowId, store::Refusal> FakeStore::refused() const {
    const std::lock_guard lock(mutex_);
    return refused_;
}

std::size_t FakeStore::waiting() const {
    const std::lock_guard lock(mutex_);
    return queued_.size();
}

std::size_t FakeStore::loads() const {
    const std::lock_guard lock(mutex_);
    return loads_;
}

void FakeStore::set_listener(store::Listener* listener) {
    const std::lock_guard lock(mutex_);
    listener_ = listener;
}

model::Result<std::unique_ptr<store::Reader>> FakeStore::reader() const {
    return std::unique_ptr<store::Reader>(std::make_unique<FakeReader>(*this));
}

model::Result<store::LaneId> FakeStore::lane(std::string_view destination, std::string_view liid) {
    const std::lock_guard lock(mutex_);
    const auto id = static_cast<store::LaneId>(lanes_.size() + 1);
    lanes_.emplace(id,
                   std::make_shared<const store::Lane>(store::Lane{id, std::string(destination), std::string(liid)}));
    return id;
}

model::Result<std::vector<store::LaneId>> FakeStore::lanes(
    std::span<const std::pair<std::string, std::string>> destination_and_liid) {
    std::vector<store::LaneId> ids;
    for (const auto& [destination, liid] : destination_and_liid) {
        ids.push_back(make_lane(destination, liid));
    }
    return ids;
}

model::Result<store::ProfileId> FakeStore::profile(const model::Profile& profile) {
    use_profile(profile);
    return profile_;
}

std::shared_ptr<const store::Lane> FakeStore::find_lane(store::LaneId id) const {
    const std::lock_guard lock(mutex_);
    const auto found = lanes_.find(id);
    return found == lanes_.end() ? nullptr : found->second;
}

std::shared_ptr<const model::Profile> FakeStore::find_profile(store::ProfileId id) const {
    const std::lock_guard lock(mutex_);
    const auto found = profiles_.find(id);
    return found == profiles_.end() ? nullptr : found->second;
}

void FakeStore::submit(std::vector<store::NewItem> /*items*/, Done done) {
    done(store::Outcome::failed);
}

void FakeStore::accepted(std::vector<store::Acceptance> items, Done done) {
    commit([this, items = std::move(items), done = std::move(done)] {
        std::vector<store::QueuedObject> uploads;
        {
            const std::lock_guard lock(mutex_);
            for (const auto& item : items) {
                queued_.erase(item.row);
                set_aside_.erase(item.row);
                accepted_.push_back(item);
                for (const auto& id : item.has_objects ? by_item_[item.row] : std::vector<model::Uuid>{}) {
                    auto& object = binaries_.at(id);
                    if (object.model == model::BinaryModel::b) {
                        object.state = store::ObjectState::queued;
                        deadlines_[id] = {clock_.wall().seconds + object.lifetime.count(), 0};
                        uploads.push_back(queued_object(object));
                    }
                }
            }
        }
        if (!uploads.empty()) {
            object_listener_->on_uploads(uploads);
        }
        done(store::Outcome::committed);  // after what came of it, as the real store does
    });
}

void FakeStore::refused(store::RowId row, store::Refusal refusal, Done done) {
    post([this, row, refusal = std::move(refusal), done = std::move(done)] {
        auto outcome = store::Outcome::failed;
        {
            const std::lock_guard lock(mutex_);
            if (auto node = fail_refusals_ ? decltype(queued_)::node_type{} : queued_.extract(row)) {
                put_aside_.insert(std::move(node));
                set_aside_.erase(row);
                refused_.emplace(row, refusal);
                outcome = store::Outcome::committed;
            }
        }
        done(outcome);
    });
}

void FakeStore::set_aside(store::RowId row, store::Refusal refusal, Done done) {
    post([this, row, refusal = std::move(refusal), done = std::move(done)] {
        auto outcome = store::Outcome::failed;
        {
            const std::lock_guard lock(mutex_);
            if (!fail_refusals_ && queued_.contains(row)) {
                set_aside_[row] = refusal;
                outcome = store::Outcome::committed;
            }
        }
        done(outcome);
    });
}

std::map<store::RowId, store::Refusal> FakeStore::set_aside_items() const {
    const std::lock_guard lock(mutex_);
    return set_aside_;
}

std::map<model::Uuid, store::Refusal> FakeStore::set_aside_binaries() const {
    const std::lock_guard lock(mutex_);
    return set_aside_binaries_;
}

void FakeStore::retry(std::vector<model::Uuid> /*object_ids*/, std::string /*who*/, DoneCount done) {
    done(store::Outcome::failed, 0);
}

void FakeStore::retry_all(std::string /*destination*/, std::optional<std::uint64_t> /*code*/, std::string /*who*/,
                          DoneCount done) {
    done(store::Outcome::failed, 0);
}

void FakeStore::reject(std::vector<model::Uuid> /*object_ids*/, std::string /*who*/, std::string /*why*/,
                       DoneCount done) {
    done(store::Outcome::failed, 0);
}

model::Result<std::vector<store::StoredWarrant>> FakeStore::warrants() {
    return std::vector<store::StoredWarrant>{};
}

model::Status FakeStore::change_warrants(const store::WarrantChanges& /*changes*/) {
    return {};
}

}  // namespace lihandover::delivery::test
