#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fake_objects.hpp"
#include "lihandover/store/store.hpp"

namespace lihandover::store::test {

/// A waiting item.
struct FakeItem {
    StoredItem item;  ///< without objects
    ItemState state = ItemState::queued;
    model::Instant changed_at;
    std::optional<Refusal> refusal;
    bool has_objects = false;
    // While it is held.
    Review review = Review::none;
    SchemaContent schema_content{};
    std::optional<Hash128> conversation;
    std::string first_by, first_who, first_why;
    bool first_rejects = false;
    bool withheld = false;
};

/// A binary object that has not ended.
struct FakeObject {
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

/// What a FakeStore leaves behind: the next one that is given the same disk goes on with it.
struct FakeDisk {
    std::vector<std::shared_ptr<const Lane>> lanes;
    std::vector<std::shared_ptr<const model::Profile>> profiles;
    std::map<RowId, FakeItem> items;
    std::map<RowId, FakeObject> objects;
    struct Ended {
        ItemView view;
        bool delivered = false;
    };
    std::map<RowId, Ended> ended;                   ///< items, by row
    std::map<model::Uuid, ItemView> ended_objects;  ///< by their ids
    std::vector<Record> records;
    std::map<RowId, model::Instant> received;            ///< by the records of items' making
    std::map<Hash128, std::set<std::uint64_t>> repeats;  ///< digests by hash; 0: of none
    std::map<std::pair<LaneId, Hash128>, model::ApplicationCorrelation> conversations;
    std::set<std::pair<LaneId, std::string>> provided;
    std::map<std::pair<std::string, std::string>, StoredWarrant> warrants;
    std::map<std::pair<std::string, std::string>, StoredRevocation> revocations;
    std::map<std::pair<std::string, std::string>, StoredPendingWarrant> pending_warrants;
    std::map<std::string, StoredPause> pauses;
    std::string restored;                                               ///< Statistics::restored
    std::map<LaneId, Review> withholding;                               ///< what comes is held, too
    std::map<std::pair<std::string, std::uint64_t>, std::string> kept;  ///< copies, by source and id
    RowId next = 1;
    std::shared_ptr<FakeObjects> bytes = std::make_shared<FakeObjects>();
};

[[nodiscard]] ItemState item_state_of(ObjectState state);
[[nodiscard]] ItemView view_of(const FakeDisk& disk, const FakeItem& row);
[[nodiscard]] ItemView view_of(const FakeDisk& disk, RowId id, const FakeObject& row);

/// A commit on its way: the disk that it changes, and who is to be told of what.
struct Changes {
    Changes(FakeDisk& on, model::Instant at) : disk(on), now(at) {}

    FakeDisk& disk;
    model::Instant now;
    std::vector<QueuedItem> prepared, retried, queued, withdrawn;
    std::vector<LaneId> lanes_withdrawn;
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
    FakeItem* find(RowId row) {
        const auto found = disk.items.find(row);
        return found == disk.items.end() ? nullptr : &found->second;
    }
    FakeItem* find(const model::Uuid& id) {
        const auto found =
            std::ranges::find_if(disk.items, [&](const auto& entry) { return entry.second.item.object_id == id; });
        return found == disk.items.end() ? nullptr : &found->second;
    }
    FakeObject* find_object(const model::Uuid& id) {
        const auto found = std::ranges::find_if(
            disk.objects, [&](const auto& entry) { return entry.second.object.described.id == id; });
        return found == disk.objects.end() ? nullptr : &found->second;
    }
    std::vector<FakeObject*> objects_where(const std::function<bool(const FakeObject&)>& wanted) {
        std::vector<FakeObject*> found;
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
    [[nodiscard]] LaneId lane(const std::string& destination, const std::string& liid);
    void pause(const std::string& destination, const std::string& who, bool pause);
    void insert(NewItem item);
    void give_numbers(FakeItem& row);
    void withhold(LaneId lane, Review review);
    void withhold(FakeItem& row, Review review);
    /// What a reviewer's word about a held item comes to; true: it is decided.
    bool hear(FakeItem& row, const Reviewer& reviewer, bool rejects, const std::string& why, Decided& count);
    void approve(const model::Uuid& id, const Reviewer& reviewer, Decided& count);
    void keep(const std::string& source, const KeptChanges& changes);
    void accept(const Acceptance& acceptance);
    void put_aside(RowId row, ItemState to, const Refusal& refusal);
    void put_aside(const model::Uuid& object, ObjectState to, const Refusal& refusal);
    void queue(FakeObject& row, model::Instant deadline);
    void pushed(const model::Uuid& object);
    void fetched(const Fetch& fetch);
    void stamp(RowId item, model::Instant expiry);
    void end(const FakeObject& row, ItemState as, const std::string& who, const std::string& why);
    void expire(const model::Uuid& object, std::string why);
    void back_to_queue(FakeItem& row, const std::string& who);
    void back_to_queue(FakeObject& row, const std::string& who);
    bool retry(const model::Uuid& id, const std::string& who);
    std::size_t retry_all(const std::string& destination, std::optional<std::uint64_t> code, const std::string& who);
    void reject(const Meant& meant, const Reviewer& reviewer, const std::string& why, Decided& count);
    void reject(const FakeItem& row, const std::string& who, const std::string& why);
    void reject(FakeObject row, const std::string& who, const std::string& why);
    void prepare(const model::Uuid& file, const std::shared_ptr<const SealedObject>& copy, model::ObjectLoss loss);
};

}  // namespace lihandover::store::test
