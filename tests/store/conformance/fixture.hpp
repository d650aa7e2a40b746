#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../support.hpp"
#include "engines.hpp"

namespace lihandover::store::test {

inline const Refusal refusal{3005, Refusal::Kind::hi1_error, "the LEA's words"};

/// A store of each engine, asked by its interfaces alone.
class Conformance : public testing::TestWithParam<Engine> {
  protected:
    void SetUp() override { open(); }
    void TearDown() override {
        if (store_) {
            GetParam().fail_commits(*store_, false);
            store_->stop();
        }
    }
    void open() {
        store_ = GetParam().open(directory_.path() / "state", clock_);
        ASSERT_NE(store_, nullptr);
        store_->outbox().set_listener(&listener_);
        store_->upload_outbox().set_listener(&object_listener_);
        lane_ = store_->warrant_register().lane("lea", "LIID-1").value();
        other_lane_ = store_->warrant_register().lane("other", "LIID-2").value();
        profile_ = store_->warrant_register().profile(some_profile()).value();
    }
    void reopen() {
        store_->stop();
        store_.reset();
        open();
    }

    NewItem item(std::string share = "share", LaneId lane = 0) {
        NewItem made;
        made.lane = lane == 0 ? lane_ : lane;
        made.profile = profile_;
        made.object_id = model::Uuid::random();
        made.repeat_hash = hash_of(next_hash_++);
        made.event_seconds = clock_.wall().seconds;
        made.received_at = clock_.wall();
        made.share = std::move(share);
        return made;
    }
    NewObject object(std::string_view bytes, model::BinaryModel model) {
        auto writer = store_->object_intake().writer().value();
        EXPECT_TRUE(writer->write(bytes));
        NewObject made = nameless(model);
        made.sealed = writer->finish().value();
        return made;
    }
    NewObject nameless(model::BinaryModel model) {
        NewObject made;
        made.id = model::Uuid::random();
        made.model = model;
        made.url = "https://lea.example.com/" + made.id.to_string() + "/";
        made.content_type = "image/jpeg";
        made.original_filename = "roof.jpg";
        made.csp_defined_identifier = "a1";
        made.lifetime = std::chrono::hours(72);
        return made;
    }
    NewItem item_with(std::vector<NewObject> objects) {
        NewItem made = item();
        made.objects = std::make_shared<const std::vector<NewObject>>(std::move(objects));
        return made;
    }

    template <typename Start>
    static Outcome call(const Start& start) {
        Answer<Outcome> answer;
        start(answer.callback());
        return answer.get();
    }
    template <typename Start>
    static std::pair<Outcome, std::size_t> count(const Start& start) {
        Answer<std::pair<Outcome, std::size_t>> answer;
        start([told = answer.callback()](Outcome outcome, std::size_t number) { told({outcome, number}); });
        return answer.get();
    }
    Outcome submit(std::vector<NewItem> items) {
        return call([&](auto done) { submit_to(store_->item_intake(), std::move(items), done); });
    }
    Outcome submit(NewItem one) {
        std::vector<NewItem> items;
        items.push_back(std::move(one));
        return submit(std::move(items));
    }
    /// One that waits, in the state queued.
    StoredItem make(NewItem one) {
        const model::Uuid id = one.object_id;
        EXPECT_EQ(submit(std::move(one)), Outcome::committed);
        return load(id);
    }
    StoredItem make() { return make(item()); }
    Outcome accept(const StoredItem& one, bool carried_schema = false, std::uint64_t already_there_code = 0) {
        return call([&](auto done) {
            store_->outbox().accepted({{one.row, one.lane, one.profile, one.object_id, carried_schema,
                                        one.objects != nullptr, already_there_code}},
                                      done);
        });
    }
    Outcome refuse(const StoredItem& one) {
        return call([&](auto done) { store_->outbox().refused(one.row, refusal, done); });
    }
    Outcome set_aside(const StoredItem& one) {
        return call([&](auto done) { store_->outbox().set_aside(one.row, refusal, done); });
    }
    std::pair<Outcome, std::size_t> retry(std::vector<model::Uuid> ids) {
        return count([&](auto done) { store_->operator_view().retry(std::move(ids), "alice", done); });
    }
    std::pair<Outcome, std::size_t> reject(std::vector<model::Uuid> ids) {
        return count([&](auto done) {
            store_->operator_view().reject(
                meant(ids), {"uid:1003", "bob"}, "a mistake",
                [done](Outcome outcome, const Decided& decided) { done(outcome, decided.done); });
        });
    }
    std::vector<QueuedItem> rows(bool aside = false) {
        std::vector<QueuedItem> found;
        const auto visit = [&](const QueuedItem& one) { found.push_back(one); };
        EXPECT_TRUE(aside ? store_->outbox().for_each_set_aside(visit) : store_->outbox().for_each_queued(visit));
        return found;
    }
    std::vector<StoredItem> queued() {
        std::vector<RowId> numbers;
        for (const QueuedItem& one : rows()) {
            numbers.push_back(one.row);
        }
        return store_->outbox().load(numbers).value();
    }
    StoredItem load(const model::Uuid& id) {
        for (StoredItem& one : queued()) {
            if (one.object_id == id) {
                return std::move(one);
            }
        }
        ADD_FAILURE() << "no such item is queued";
        return {};
    }
    std::optional<ItemState> state_of(const model::Uuid& id) {
        const auto found = store_->operator_view().find(id).value();
        return found ? std::optional(found->state) : std::nullopt;
    }
    Count counts(const std::string& destination = "lea") {
        for (const Count& one : store_->operator_view().statistics().counts) {
            if (one.destination == destination) {
                return one;
            }
        }
        return {};
    }
    std::vector<RecordKind> kinds() {
        std::vector<RecordKind> found;
        for (const Record& record : store_->operator_view().records(0, 10'000).value()) {
            found.push_back(record.kind);
        }
        return found;
    }
    std::string bytes_of(const SealedObject& object) {
        auto reader = store_->upload_outbox().open(object).value();
        std::string bytes(static_cast<std::size_t>(reader->size()), '?');
        bytes.resize(reader->read(0, bytes).value());
        return bytes;
    }

    lihandover::test::TemporaryDirectory directory_;
    lihandover::test::ManualClock clock_;
    RecordingListener listener_;
    RecordingObjectListener object_listener_;
    std::unique_ptr<Store> store_;
    LaneId lane_ = 0;
    LaneId other_lane_ = 0;
    ProfileId profile_ = 0;
    std::uint64_t next_hash_ = 1;
};

}  // namespace lihandover::store::test
