#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "lihandover/store/store.hpp"

namespace lihandover::store {

namespace {

/// Readers for any thread: each call takes one of those that are free, or opens another.
class ReaderPool {
  public:
    explicit ReaderPool(const Store& store) : store_(store) {}

    template <typename Work>
    auto read(const Work& work) -> decltype(work(std::declval<Reader&>())) {
        std::unique_ptr<Reader> reader;
        {
            const std::lock_guard lock(mutex_);
            if (!free_.empty()) {
                reader = std::move(free_.back());
                free_.pop_back();
            }
        }
        if (!reader) {
            auto opened = store_.reader();
            if (!opened) {
                return opened.error();
            }
            reader = std::move(*opened);
        }
        auto answer = work(*reader);
        const std::lock_guard lock(mutex_);
        if (free_.size() < most_free) {
            free_.push_back(std::move(reader));
        }
        return answer;
    }

  private:
    static constexpr std::size_t most_free = 4;

    const Store& store_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Reader>> free_;
};

}  // namespace

/// The interfaces by way of what Store itself still has.
class InterfacesOfStore final : public ItemIntake,
                                public Outbox,
                                public BinaryObjects,
                                public OperatorView,
                                public Register {
  public:
    explicit InterfacesOfStore(Store& store) : store_(store), readers_(store) {}

    // -- ItemIntake
    bool accepting() const override { return store_.accepting(); }
    void submit(std::vector<NewItem> items, std::size_t idle_objects, Done done) override {
        store_.submit(std::move(items), idle_objects, std::move(done));
    }
    void submit(std::vector<NewItem> items, const Arrival& arrival, Done done) override {
        store_.submit(std::move(items), arrival, std::move(done));
    }
    Hash128 keyed_hash(std::span<const std::string_view> parts) const override { return store_.keyed_hash(parts); }

    // -- Outbox
    void set_listener(OutboxListener* listener) override { store_.set_listener(listener); }
    LaneLease lease(LaneId /*lane*/) const override { return LaneLease::for_ever(); }
    model::Result<std::vector<StoredItem>> load(std::span<const RowId> rows) override {
        return readers_.read([&](Reader& reader) { return reader.load(rows); });
    }
    model::Status for_each_queued(const std::function<void(const QueuedItem&)>& visit) override {
        return readers_.read([&](Reader& reader) { return reader.for_each_queued(visit); });
    }
    model::Status for_each_set_aside(const std::function<void(const QueuedItem&)>& visit) override {
        return readers_.read([&](Reader& reader) { return reader.for_each_set_aside(visit); });
    }
    void accepted(std::vector<Acceptance> items, Done done) override {
        store_.accepted(std::move(items), std::move(done));
    }
    void refused(RowId row, Refusal refusal, Done done) override {
        store_.refused(row, std::move(refusal), std::move(done));
    }
    void set_aside(RowId row, Refusal refusal, Done done) override {
        store_.set_aside(row, std::move(refusal), std::move(done));
    }
    void stamp(RowId item, model::Instant expiry, Done done) override {
        store_.objects().stamp(item, expiry, std::move(done));
    }

    // -- BinaryObjects
    void set_listener(ObjectListener* listener) override { store_.objects().set_listener(listener); }
    model::Result<std::unique_ptr<ObjectWriter>> writer() override { return store_.objects().writer(); }
    model::Result<std::unique_ptr<ObjectWriter>> copy_writer(std::uint64_t size) override {
        return store_.objects().copy_writer(size);
    }
    bool fits(std::uint64_t size) const override { return store_.objects().fits(size); }
    model::Result<std::unique_ptr<ObjectReader>> open(const SealedObject& object) const override {
        return store_.objects().open(object);
    }
    model::Status write_filler(std::uint64_t bytes) override { return store_.objects().write_filler(bytes); }
    model::Result<std::vector<std::shared_ptr<const SourceFile>>> pending_files() override {
        return store_.objects().pending_files();
    }
    void prepared(const model::Uuid& file, std::shared_ptr<const SealedObject> copy, model::ObjectLoss loss,
                  Done done) override {
        store_.objects().prepared(file, std::move(copy), loss, std::move(done));
    }
    model::Result<std::optional<StoredObject>> find_object(const model::Uuid& id) override {
        return readers_.read([&](Reader& reader) { return reader.object(id); });
    }
    void fetched(Fetch fetch, Done done) override { store_.objects().fetched(std::move(fetch), std::move(done)); }
    model::Status for_each_upload(const std::function<void(const QueuedObject&)>& visit) override {
        return readers_.read([&](Reader& reader) { return reader.for_each_upload(visit); });
    }
    model::Status for_each_set_aside(const std::function<void(const QueuedObject&)>& visit) override {
        return readers_.read([&](Reader& reader) { return reader.for_each_upload_set_aside(visit); });
    }
    void pushed(const model::Uuid& object, Done done) override { store_.objects().pushed(object, std::move(done)); }
    void refused(const model::Uuid& object, Refusal refusal, Done done) override {
        store_.objects().refused(object, std::move(refusal), std::move(done));
    }
    void set_aside(const model::Uuid& object, Refusal refusal, Done done) override {
        store_.objects().set_aside(object, std::move(refusal), std::move(done));
    }

    // -- OperatorView
    model::Result<std::vector<ItemView>> items(std::optional<ItemState> state, RowId after,
                                               std::size_t limit) override {
        return readers_.read([&](Reader& reader) { return reader.items(state, after, limit); });
    }
    model::Result<std::optional<ItemView>> find(const model::Uuid& object_id) override {
        return readers_.read([&](Reader& reader) { return reader.find(object_id); });
    }
    model::Result<std::vector<Record>> records(std::int64_t after, std::size_t limit) override {
        return readers_.read([&](Reader& reader) { return reader.records(after, limit); });
    }
    model::Result<std::optional<model::Instant>> oldest(std::string_view destination) override {
        return readers_.read([&](Reader& reader) { return reader.oldest(destination); });
    }
    void retry(std::vector<model::Uuid> object_ids, std::string who, DoneCount done) override {
        store_.retry(std::move(object_ids), std::move(who), std::move(done));
    }
    void retry_all(std::string destination, std::optional<std::uint64_t> code, std::string who,
                   DoneCount done) override {
        store_.retry_all(std::move(destination), code, std::move(who), std::move(done));
    }
    void reject(std::vector<model::Uuid> object_ids, std::string who, std::string why, DoneCount done) override {
        store_.reject(std::move(object_ids), std::move(who), std::move(why), std::move(done));
    }
    void pause(std::string destination, std::string who, Done done) override {
        store_.pause(std::move(destination), std::move(who), std::move(done));
    }
    void resume(std::string destination, std::string who, Done done) override {
        store_.resume(std::move(destination), std::move(who), std::move(done));
    }
    model::Status clock_accepted(const std::string& who, const std::string& why) override {
        return store_.clock_accepted(who, why);
    }
    Statistics statistics() const override { return store_.statistics(); }

    // -- Register
    model::Result<std::vector<LaneId>> lanes(
        std::span<const std::pair<std::string, std::string>> destination_and_liid) override {
        return store_.lanes(destination_and_liid);
    }
    model::Result<ProfileId> profile(const model::Profile& profile) override { return store_.profile(profile); }
    std::shared_ptr<const Lane> find_lane(LaneId id) const override { return store_.find_lane(id); }
    std::shared_ptr<const model::Profile> find_profile(ProfileId id) const override { return store_.find_profile(id); }
    model::Result<std::vector<StoredWarrant>> warrants() override { return store_.warrants(); }
    model::Status change_warrants(const WarrantChanges& changes) override { return store_.change_warrants(changes); }
    model::Result<std::vector<StoredPause>> pauses() override { return store_.pauses(); }

  private:
    Store& store_;
    ReaderPool readers_;
};

Store::Store() : interfaces_(std::make_unique<InterfacesOfStore>(*this)) {}
Store::~Store() = default;

ItemIntake& Store::item_intake() {
    return *interfaces_;
}
Outbox& Store::outbox() {
    return *interfaces_;
}
BinaryObjects& Store::binary_objects() {
    return *interfaces_;
}
OperatorView& Store::operator_view() {
    return *interfaces_;
}
Register& Store::warrant_register() {
    return *interfaces_;
}

}  // namespace lihandover::store
