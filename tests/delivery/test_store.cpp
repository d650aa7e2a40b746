#include "test_store.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <future>
#include <memory>
#include <stdexcept>

#include "lihandover/handover/names.hpp"
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

std::shared_ptr<const store::SealedObject> seal(store::ObjectWriter& writer, std::string_view bytes) {
    static_cast<void>(writer.write(bytes));
    return writer.finish().value();
}

std::string url_of(const TestStore::Binary& binary, const model::Uuid& id) {
    return binary.url.empty() ? binary.url_prefix + id.to_string() : binary.url;
}

}  // namespace

TestStore::TestStore(const model::Clock& clock) : clock_(clock), store_(clock) {
    store_.hand_over(false);
    model::Profile profile;
    profile.sender = {"XX", "EXAMPLE-CSP"};
    profile.receiver = {"XX", "Not specified"};
    profile.etsi_version = "V1.14.1";
    profile.schema_identifier = handover::csp_schema_identifier;
    profile.writer_version = handover::current_writer_version;
    use_profile(profile);
}

store::LaneId TestStore::make_lane(const std::string& destination, const std::string& liid) {
    return store_.warrant_register().lane(destination, liid).value();
}

void TestStore::use_profile(const model::Profile& profile) {
    profile_ = store_.warrant_register().profile(profile).value();
}

store::NewItem TestStore::new_item(const Item& item, Made& made) {
    store::NewItem fresh;
    fresh.lane = item.lane;
    fresh.profile = profile_;
    fresh.object_id = made.object = model::Uuid::random();
    fresh.emergency = item.emergency;
    fresh.schema_content = item.carries_schema ? store::SchemaContent::always : store::SchemaContent::never;
    fresh.received_at = model::system_clock().wall();
    ++made_;
    std::memcpy(fresh.repeat_hash.data(), &made_, sizeof made_);
    fresh.share = item.broken ? std::string("\xff\xff") : share_of(item.text);
    if (item.binaries.empty()) {
        return fresh;
    }
    auto objects = std::make_shared<std::vector<store::NewObject>>();
    for (const Binary& binary : item.binaries) {
        store::NewObject& object = objects->emplace_back();
        object.id = model::Uuid::random();
        object.model = binary.model;
        object.url = url_of(binary, object.id);
        object.content_type = binary.content_type;
        object.csp_defined_identifier = "a1";
        object.lifetime = binary.lifetime;
        if (item.preparing) {
            auto file = std::make_shared<store::SourceFile>();
            file->id = model::Uuid::random();
            file->size = binary.bytes.size();
            object.file = std::move(file);
        } else {
            object.sealed = seal(*store_.object_intake().writer().value(), binary.bytes);
        }
        made.binaries.push_back(object.id);
    }
    fresh.objects = std::move(objects);
    return fresh;
}

void TestStore::commit(std::vector<store::NewItem> items, bool silent) {
    if (silent) {
        store_.mute(true);
    }
    std::promise<store::Outcome> committed;
    store::test::submit_to(store_.item_intake(), std::move(items),
                           [&](store::Outcome outcome) { committed.set_value(outcome); });
    if (committed.get_future().get() != store::Outcome::committed) {
        throw std::logic_error("the items are not committed");
    }
    store_.mute(false);
}

std::vector<TestStore::Made> TestStore::queue(const std::vector<Item>& items, bool silent) {
    std::vector<Made> made(items.size());
    std::vector<store::NewItem> fresh;
    for (std::size_t i = 0; i < items.size(); ++i) {
        fresh.push_back(new_item(items[i], made[i]));
    }
    const auto kept = fresh;
    commit(std::move(fresh), silent);
    for (std::size_t i = 0; i < items.size(); ++i) {
        made[i].row = store_.row_of(made[i].object).value();
        ids_[made[i].row] = made[i].object;
        for (std::size_t k = 0; items[i].preparing && k < items[i].binaries.size(); ++k) {
            files_[made[i].row].emplace_back((*kept[i].objects)[k].file->id, items[i].binaries[k].bytes);
        }
    }
    return made;
}

std::vector<TestStore::Made> TestStore::queue(store::LaneId lane, std::size_t count) {
    return queue(std::vector<Item>(count, Item{.lane = lane}));
}

void TestStore::retry_object(const model::Uuid& id) {
    store_.operator_view().retry({id}, "an operator", [](store::Outcome, std::size_t count) {
        if (count != 1) {
            throw std::logic_error("not refused");
        }
    });
}

void TestStore::retry(store::RowId row) {
    retry_object(ids_.at(row));
}

void TestStore::reject_object(const model::Uuid& id) {
    store_.operator_view().reject({{id}}, {"uid:1", "an operator"}, "for a test", {});
}

void TestStore::reject(store::RowId row, bool heard) {
    store_.mute(!heard);
    std::promise<void> rejected;
    store_.operator_view().reject({{ids_.at(row)}}, {"uid:1", "an operator"}, "for a test",
                                  [&](store::Outcome, const store::Decided&) { rejected.set_value(); });
    rejected.get_future().wait();
    store_.mute(false);
}

void TestStore::approve(store::RowId row) {
    std::promise<void> approved;
    store_.operator_view().approve({ids_.at(row)}, {"uid:1", "an operator"},
                                   [&](store::Outcome, const store::Decided&) { approved.set_value(); });
    approved.get_future().wait();
}

void TestStore::revoke(const std::string& destination, const std::string& liid) {
    store::WarrantChanges changes;
    store::StoredRevocation& revoked = changes.revoked.emplace_back();
    revoked.destination = destination;
    revoked.liid = liid;
    revoked.hold = store::Review::required;
    store::Register& kept = store_.warrant_register();
    if (!kept.change_warrants(changes) || !kept.nothing_more_of(destination, liid)) {
        throw std::runtime_error("the warrant is not revoked");
    }
}

void TestStore::set_committing(bool committing) {
    for (const Call call : {Call::accepted, Call::pushed}) {
        committing ? store_.release(call) : store_.hold(call);
    }
}

void TestStore::fail_refusals(bool fail) {
    for (const Call call : {Call::refused, Call::set_aside, Call::object_refused}) {
        fail ? store_.fail(call) : store_.mend(call);
    }
}

void TestStore::fail_stamps(bool fail) {
    fail ? store_.fail(Call::stamp) : store_.mend(Call::stamp);
}

void TestStore::fail_binary_reads(bool fail) {
    store_.bytes().before_read([fail](std::uint64_t, std::uint64_t) {
        return fail ? model::Status(model::Error{"the disk is on fire"}) : model::Status();
    });
}

void TestStore::prepare(store::RowId row) {
    for (const auto& [file, bytes] : files_.at(row)) {
        auto copy = seal(*store_.object_intake().copy_writer(bytes.size()).value(), bytes);
        store_.object_intake().prepared(file, std::move(copy), model::ObjectLoss::none, {});
    }
}

model::Uuid TestStore::queue_binary(store::LaneId lane, const Binary& binary, bool emergency, bool silent) {
    store::StoredObject object;
    object.described.id = model::Uuid::random();
    object.described.url = url_of(binary, object.described.id);
    object.described.content_length = binary.bytes.size();
    object.described.content_type = binary.content_type;
    object.described.csp_defined_identifier = "a1";
    object.lane = lane;
    object.item_id = model::Uuid::random();
    object.model = binary.model;
    object.state = store::ObjectState::queued;
    object.emergency = emergency;
    object.lifetime = binary.lifetime;
    object.sealed = seal(*store_.object_intake().writer().value(), binary.bytes);
    store_.mute(silent);
    store_.put(object);
    if (silent) {
        std::promise<void> done;
        store_.post([&] { done.set_value(); });
        done.get_future().wait();
        store_.mute(false);
    }
    return object.described.id;
}

std::vector<store::ItemView> TestStore::views(store::ItemState state) {
    return store_.operator_view().items(state, {}, 1'000'000).value();
}

std::map<model::Uuid, store::Refusal> TestStore::refused_binaries() {
    std::map<model::Uuid, store::Refusal> found;
    for (const store::ItemView& view : views(store::ItemState::refused)) {
        if (view.object_of) {
            found.emplace(view.object_id, view.refusal.value());
        }
    }
    return found;
}

std::map<model::Uuid, store::Refusal> TestStore::set_aside_binaries() {
    std::map<model::Uuid, store::Refusal> found;
    for (const store::ItemView& view : views(store::ItemState::set_aside)) {
        if (view.object_of) {
            found.emplace(view.object_id, view.refusal.value());
        }
    }
    return found;
}

std::size_t TestStore::binaries_queued() {
    std::size_t sum = 0;
    for (const store::Count& count : store_.operator_view().statistics().counts) {
        sum += count.objects_queued;
    }
    return sum;
}

std::vector<model::Uuid> TestStore::accepted_objects() const {
    std::vector<model::Uuid> objects;
    for (const store::Acceptance& item : accepted()) {
        objects.push_back(item.object_id);
    }
    return objects;
}

std::map<store::RowId, store::Refusal> TestStore::refused() {
    std::map<store::RowId, store::Refusal> found;
    for (const store::ItemView& view : views(store::ItemState::refused)) {
        if (!view.object_of) {
            found.emplace(view.row, view.refusal.value());
        }
    }
    return found;
}

std::map<store::RowId, store::Refusal> TestStore::set_aside_items() {
    std::map<store::RowId, store::Refusal> found;
    for (const store::ItemView& view : views(store::ItemState::set_aside)) {
        if (!view.object_of) {
            found.emplace(view.row, view.refusal.value());
        }
    }
    return found;
}

std::size_t TestStore::waiting() {
    std::size_t sum = 0;
    for (const store::Count& count : store_.operator_view().statistics().counts) {
        sum += count.queued + count.set_aside;
    }
    return sum;
}

}  // namespace lihandover::delivery::test
