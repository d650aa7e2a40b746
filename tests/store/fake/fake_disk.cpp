#include "fake_disk.hpp"

#include <algorithm>

#include "lihandover/store/people.hpp"

namespace lihandover::store::test {

ItemState item_state_of(ObjectState state) {
    return state == ObjectState::queued      ? ItemState::queued
           : state == ObjectState::set_aside ? ItemState::set_aside
                                             : ItemState::refused;
}

ItemView view_of(const FakeDisk& disk, const FakeItem& row) {
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
    view.emergency = row.item.emergency;
    if (row.state == ItemState::held) {
        view.held = HeldFor{row.review, row.first_who, row.first_rejects, row.first_why, row.withheld};
    }
    return view;
}

ItemView view_of(const FakeDisk& disk, RowId id, const FakeObject& row) {
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
    view.emergency = row.object.emergency;
    return view;
}

namespace {

ItemView ended_view(const FakeDisk& disk, const FakeItem& row, ItemState state, model::Instant at) {
    ItemView view = view_of(disk, row);
    view.state = state;
    view.changed_at = at;
    view.emergency = false;
    view.held.reset();
    return view;
}

}  // namespace

LaneId Changes::lane(const std::string& destination, const std::string& liid) {
    const auto found = std::ranges::find_if(
        disk.lanes, [&](const auto& lane) { return lane->destination == destination && lane->liid == liid; });
    if (found != disk.lanes.end()) {
        return (*found)->id;
    }
    const auto id = static_cast<LaneId>(disk.lanes.size()) + 1;
    disk.lanes.push_back(std::make_shared<const Lane>(Lane{id, destination, liid}));
    return id;
}

void Changes::pause(const std::string& destination, const std::string& who, bool pause) {
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

void Changes::keep(const std::string& source, const KeptChanges& changes) {
    for (const KeptCopy& copy : changes.keep) {
        disk.kept[{source, copy.id}] = copy.bytes;
    }
    for (const std::uint64_t id : changes.let_go) {
        disk.kept.erase({source, id});
    }
}

/// What an item gets when it is first queued.
void Changes::give_numbers(FakeItem& row) {
    const std::string& schema = disk.profiles.at(static_cast<std::size_t>(row.item.profile) - 1)->schema_identifier;
    row.item.carries_schema =
        row.schema_content == SchemaContent::always ||
        (row.schema_content == SchemaContent::first && !disk.provided.contains({row.item.lane, schema}));
    if (row.conversation) {
        const auto [found, fresh] = disk.conversations.try_emplace({row.item.lane, *row.conversation});
        if (fresh) {
            found->second.level_id = model::random_below(std::uint64_t{1} << 53U);
        }
        row.item.correlation = found->second;
        ++found->second.sequence_number;
    }
}

bool Changes::hear(FakeItem& row, const Reviewer& reviewer, bool rejects, const std::string& why, Decided& count) {
    if (reviewer.identity.empty()) {
        return false;
    }
    if (row.review == Review::dual && (row.first_by.empty() || row.first_rejects != rejects)) {
        row.first_by = reviewer.identity;
        row.first_who = reviewer.who;
        row.first_rejects = rejects;
        row.first_why = why;
        ++count.first;
        record(rejects ? RecordKind::item_disapproved : RecordKind::item_approved, row.item.lane, row.item.object_id,
               reviewer.who, rejects ? why : "one of two");
        return false;
    }
    if (row.review == Review::dual && !are_two_people(row.first_by, reviewer.identity)) {
        ++count.repeated;
        return false;
    }
    ++count.done;
    return true;
}

void Changes::withhold(FakeItem& row, Review review) {
    row.state = ItemState::held;
    row.withheld = true;
    row.review = review;
    row.changed_at = now;
    row.first_by = row.first_who = row.first_why = "";
    row.first_rejects = false;
    record(RecordKind::item_withheld, row.item.lane, row.item.object_id, "", "its warrant was revoked");
}

/// At once, where the real one takes its time.
void Changes::withhold(LaneId lane, Review review) {
    disk.withholding[lane] = review;
    lanes_withdrawn.push_back(lane);
    for (auto& [id, row] : disk.items) {
        if (row.item.lane == lane && (row.state == ItemState::queued || row.state == ItemState::set_aside)) {
            withhold(row, review);
        }
    }
}

void Changes::approve(const model::Uuid& id, const Reviewer& reviewer, Decided& count) {
    FakeItem* const found = find(id);
    if (found == nullptr || found->state != ItemState::held || !hear(*found, reviewer, false, "", count)) {
        return;
    }
    record(RecordKind::item_approved, found->item.lane, id, reviewer.who,
           found->review == Review::dual ? "two of two" : "one of one");
    if (found->withheld) {
        found->withheld = false;
        found->state = ItemState::queued;
        retried.push_back({found->item.row, found->item.lane, found->item.emergency});
        return;
    }
    FakeItem row = std::move(*found);
    const RowId held = row.item.row;
    disk.items.erase(held);
    row.item.row = disk.next++;
    row.state = ItemState::queued;
    give_numbers(row);
    Record& made = disk.records.emplace_back();
    made.id = row.item.row;
    made.at = now;
    made.kind = RecordKind::item_made;
    made.lane = row.item.lane;
    made.object_id = id;
    disk.received[made.id] = row.item.received_at;
    for (FakeObject* object : objects_where([&](const FakeObject& each) { return each.object.item == held; })) {
        object->object.item = row.item.row;
    }
    queued.push_back({row.item.row, row.item.lane, row.item.emergency});
    disk.items.emplace(row.item.row, std::move(row));
}

void Changes::insert(NewItem item) {
    auto& digests = disk.repeats[item.repeat_hash];
    const std::uint64_t digest = item.event_digest.value_or(0);
    if (!digests.empty() && (digest == 0 || digests.contains(0) || digests.contains(digest))) {
        ++repeats;
        return;
    }
    reused_ids += digests.empty() ? 0U : 1U;
    digests.insert(digest);
    FakeItem row;
    StoredItem& stored_item = row.item;
    stored_item.row = disk.next++;
    stored_item.lane = item.lane;
    stored_item.profile = item.profile;
    stored_item.object_id = item.object_id;
    stored_item.emergency = item.emergency;
    stored_item.received_at = model::Instant::from_micros(item.received_at.micros());
    stored_item.share = std::move(item.share);
    row.schema_content = item.schema_content;
    row.conversation = item.conversation_hash;
    row.review = item.review;
    row.state = item.review == Review::none ? ItemState::queued : ItemState::held;
    if (row.state == ItemState::queued) {
        give_numbers(row);
    }
    row.changed_at = stored_item.received_at;
    row.has_objects = item.objects && !item.objects->empty();
    // The record of an item's making has the number of its row.
    Record& made = disk.records.emplace_back();
    made.id = stored_item.row;
    made.at = now;
    made.kind = row.state == ItemState::held ? RecordKind::item_held : RecordKind::item_made;
    disk.received[made.id] = item.received_at;
    made.lane = item.lane;
    made.object_id = item.object_id;
    for (const NewObject& object : row.has_objects ? *item.objects : std::vector<NewObject>{}) {
        FakeObject added;
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
    if (const auto withheld = disk.withholding.find(item.lane);
        withheld != disk.withholding.end() && row.state == ItemState::queued) {
        withhold(row, withheld->second);
    }
    if (row.state == ItemState::queued) {
        queued.push_back({stored_item.row, stored_item.lane, stored_item.emergency});
        if (!item.objects) {
            stored.push_back(stored_item);
        }
    }
    disk.items.emplace(stored_item.row, std::move(row));
}

void Changes::queue(FakeObject& row, model::Instant deadline) {
    row.object.state = ObjectState::queued;
    row.object.refusal.reset();
    row.changed_at = now;
    row.deadline = deadline;
    if (row.object.sealed) {
        uploads.push_back(row.queued());
    }
}

void Changes::pushed(const model::Uuid& object) {
    const FakeObject* row = find_object(object);
    const bool before = std::ranges::any_of(disk.records, [&](const Record& known) {
        return known.object_id == object && known.kind == RecordKind::object_pushed;
    });
    const auto made = std::ranges::find(disk.records, std::optional(object), &Record::object_id);
    if (before || (row == nullptr && made == disk.records.end())) {
        return;
    }
    record(RecordKind::object_pushed, row != nullptr ? row->object.lane : made->lane, object);
    if (row != nullptr) {
        end(*row, ItemState::delivered, "", "");
    }
}

void Changes::fetched(const Fetch& fetch) {
    FakeObject* row = find_object(fetch.object);
    if (row == nullptr) {
        return;
    }
    record(RecordKind::object_fetched, row->object.lane, fetch.object, fetch.certificate_sha256,
           "bytes " + std::to_string(fetch.begin) + " to " + std::to_string(fetch.end));
    if (!fetch.whole() || !row->object.remove_when_fetched) {
        return;
    }
    if (row->object.state == ObjectState::offered) {
        expire(fetch.object, "it was fetched");
    } else {
        row->fetched = true;
    }
}

void Changes::stamp(RowId item, model::Instant expiry) {
    for (FakeObject* row : objects_where([&](const FakeObject& each) {
             return each.object.item == item && each.object.state == ObjectState::attached;
         })) {
        row->object.described.expiry = model::Instant::from_micros(expiry.micros());
    }
}

void Changes::end(const FakeObject& row, ItemState as, const std::string& who, const std::string& why) {
    const model::Uuid id = row.object.described.id;
    ItemView view = view_of(disk, disk.next, row);
    view.state = as;
    view.changed_at = now;
    view.who = who;
    view.why = why;
    disk.ended_objects[id] = std::move(view);
    remove(id);
}

void Changes::expire(const model::Uuid& object, std::string why) {
    const FakeObject* row = find_object(object);
    record(RecordKind::object_expired, row->object.lane, object, "", std::move(why));
    remove(object);
}

void Changes::accept(const Acceptance& acceptance) {
    FakeItem* row = find(acceptance.row);
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
        FakeDisk::Ended ended{ended_view(disk, *row, ItemState::delivered, now), true};
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
    for (FakeObject* object : objects_where([&](const FakeObject& each) {
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

void Changes::put_aside(RowId row, ItemState to, const Refusal& refusal) {
    FakeItem* found = find(row);
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

void Changes::put_aside(const model::Uuid& object, ObjectState to, const Refusal& refusal) {
    FakeObject* found = find_object(object);
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

void Changes::back_to_queue(FakeItem& row, const std::string& who) {
    row.state = ItemState::queued;
    row.refusal.reset();
    record(RecordKind::item_retried, row.item.lane, row.item.object_id, who);
    retried.push_back({row.item.row, row.item.lane, row.item.emergency});
}

void Changes::back_to_queue(FakeObject& row, const std::string& who) {
    record(RecordKind::object_retried, row.object.lane, row.object.described.id, who);
    const bool expired =
        row.deadline <= now || (row.object.refusal && row.object.refusal->kind == Refusal::Kind::expired);
    queue(row,
          expired ? model::Instant::from_micros(now.micros() + row.object.lifetime.count() * 1'000'000) : row.deadline);
}

bool Changes::retry(const model::Uuid& id, const std::string& who) {
    if (FakeItem* row = find(id); row != nullptr && row->state != ItemState::queued) {
        if (row->state == ItemState::held) {
            return false;
        }
        back_to_queue(*row, who);
        return true;
    }
    bool any = false;
    for (FakeObject* row : objects_where([&](const FakeObject& each) {
             return (each.object.described.id == id || each.object.item_id == id) &&
                    (each.object.state == ObjectState::refused || each.object.state == ObjectState::set_aside);
         })) {
        back_to_queue(*row, who);
        any = true;
    }
    return any;
}

std::size_t Changes::retry_all(const std::string& destination, std::optional<std::uint64_t> code,
                               const std::string& who) {
    const auto is_meant = [&](LaneId lane, const std::optional<Refusal>& refusal) {
        return disk.lanes[static_cast<std::size_t>(lane) - 1]->destination == destination &&
               (!code || (refusal && refusal->code == *code));
    };
    std::size_t count = 0;
    for (auto& [row, item] : disk.items) {
        if ((item.state == ItemState::refused || item.state == ItemState::set_aside) &&
            is_meant(item.item.lane, item.refusal)) {
            back_to_queue(item, who);
            ++count;
        }
    }
    for (auto& [id, object] : disk.objects) {
        if ((object.object.state == ObjectState::refused || object.object.state == ObjectState::set_aside) &&
            is_meant(object.object.lane, object.object.refusal)) {
            back_to_queue(object, who);
            ++count;
        }
    }
    return count;
}

void Changes::reject(FakeObject row, const std::string& who, const std::string& why) {
    const model::Uuid id = row.object.described.id;
    record(RecordKind::object_rejected, row.object.lane, id, who, why, row.object.refusal);
    if (row.object.state == ObjectState::queued || row.object.state == ObjectState::set_aside) {
        uploads_withdrawn.push_back(id);
    }
    end(row, ItemState::rejected, who, why);
}

void Changes::reject(const FakeItem& row, const std::string& who, const std::string& why) {
    FakeDisk::Ended ended{ended_view(disk, row, ItemState::rejected, now), false};
    ended.view.who = who;
    ended.view.why = why;
    record(RecordKind::item_rejected, row.item.lane, row.item.object_id, who, why, row.refusal);
    disk.ended[row.item.row] = std::move(ended);
    for (const FakeObject* object :
         objects_where([&](const FakeObject& each) { return each.object.item == row.item.row; })) {
        reject(*object, who, why);
    }
    if (row.state == ItemState::queued || row.state == ItemState::set_aside) {
        withdrawn.push_back({row.item.row, row.item.lane, row.item.emergency});
    }
}

void Changes::reject(const Meant& meant, const Reviewer& reviewer, const std::string& why, Decided& count) {
    if (FakeItem* const found = find(meant.id)) {
        const bool elsewhere = found->state == ItemState::queued && meant.row != 0 && found->item.row != meant.row;
        if (!meant.as.has(found->state) || elsewhere) {
            return;
        }
        if (found->state != ItemState::held) {
            ++count.done;
        } else if (!hear(*found, reviewer, true, why, count)) {
            return;
        }
        const FakeItem row = *found;
        ++count.rejected[disk.lanes[static_cast<std::size_t>(row.item.lane) - 1]->destination];
        reject(row, reviewer.who, why);
        disk.items.erase(row.item.row);
        return;
    }
    const auto waiting = objects_where([&](const FakeObject& each) {
        const ObjectState state = each.object.state;
        const bool any = meant.as == waiting_states;
        const bool itself = each.object.described.id == meant.id;
        return state != ObjectState::attached && (itself || each.object.item_id == meant.id) &&
               (itself && state != ObjectState::offered ? meant.as.has(item_state_of(state)) : any);
    });
    for (const FakeObject* row : waiting) {
        reject(*row, reviewer.who, why);
    }
    count.done += waiting.empty() ? 0 : 1;
}

void Changes::prepare(const model::Uuid& file, const std::shared_ptr<const SealedObject>& copy,
                      model::ObjectLoss loss) {
    if (!copy && loss == model::ObjectLoss::none) {
        loss = model::ObjectLoss::unreadable;
    }
    std::set<RowId> touched;
    for (FakeObject* row :
         objects_where([&](const FakeObject& each) { return each.preparing() && each.source->id == file; })) {
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
        const bool more = !objects_where([&](const FakeObject& each) {
                               return each.object.item == item && each.preparing();
                           }).empty();
        const FakeItem* row = find(item);
        if (!more && row != nullptr && row->state == ItemState::queued) {
            prepared.push_back({item, row->item.lane, row->item.emergency});
        }
    }
}

}  // namespace lihandover::store::test
