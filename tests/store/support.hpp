#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../support/eventually.hpp"
#include "../support/manual_clock.hpp"
#include "../support/temporary_directory.hpp"
#include "fake/arrival.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/store.hpp"

namespace lihandover::store::test {

/// Whatever they wait as.
[[nodiscard]] inline std::vector<Meant> meant(const std::vector<model::Uuid>& ids) {
    std::vector<Meant> all;
    for (const model::Uuid& id : ids) {
        all.push_back({id});
    }
    return all;
}

using lihandover::test::eventually;

/// What a `done` callback said, waited for.
template <typename T>
class Answer {
  public:
    [[nodiscard]] std::function<void(T)> callback() {
        return [state = state_](T value) {
            const std::lock_guard lock(state->mutex);
            state->value = std::move(value);
            state->ready.notify_all();
        };
    }
    [[nodiscard]] T get() {
        std::unique_lock lock(state_->mutex);
        EXPECT_TRUE(
            state_->ready.wait_for(lock, std::chrono::minutes(2), [this] { return state_->value.has_value(); }));
        return state_->value.value();
    }

  private:
    struct State {
        std::mutex mutex;
        std::condition_variable ready;
        std::optional<T> value;
    };
    std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// Keeps what it hears.
class RecordingListener final : public OutboxListener {
  public:
    struct Heard {
        std::vector<QueuedItem> items;
        bool retried = false;
    };
    void on_stored(std::span<StoredItem> items) noexcept override;
    void on_queued(std::span<const QueuedItem> items, bool retried) noexcept override;
    void on_withdrawn(std::span<const QueuedItem> items) noexcept override;
    void on_lane_withdrawn(LaneId lane) noexcept override;
    void on_taken_over(std::span<const QueuedItem> items, bool set_aside) noexcept override;
    void on_lanes_lost(const LostLanes& lost) noexcept override;
    void on_health(bool can_commit) noexcept override;

    /// Those that came whole.
    [[nodiscard]] std::vector<StoredItem> stored() const;
    [[nodiscard]] std::vector<QueuedItem> queued() const;
    [[nodiscard]] std::vector<QueuedItem> retried() const;
    [[nodiscard]] std::vector<QueuedItem> withdrawn() const;
    [[nodiscard]] std::vector<LaneId> lanes_withdrawn() const;
    [[nodiscard]] std::vector<bool> health() const;
    [[nodiscard]] std::vector<QueuedItem> taken_over() const;
    [[nodiscard]] std::vector<QueuedItem> set_aside_taken_over() const;
    /// Whether it was lost at any time.
    [[nodiscard]] bool lost(LaneId lane) const;
    /// One letter for each call: Queued, Retried, Withdrawn, Lane withdrawn, Taken over, X for lost, + and - for
    /// health.
    [[nodiscard]] std::string calls() const;

  private:
    mutable std::mutex mutex_;
    std::vector<StoredItem> stored_;
    std::vector<QueuedItem> queued_;
    std::vector<QueuedItem> retried_;
    std::vector<QueuedItem> withdrawn_;
    std::vector<LaneId> lanes_withdrawn_;
    std::vector<bool> health_;
    std::vector<QueuedItem> taken_over_;
    std::vector<QueuedItem> aside_taken_over_;
    std::vector<LostLanes> lost_;
    std::string calls_;
};

/// Keeps what it hears of binary objects.
class RecordingObjectListener final : public ObjectListener {
  public:
    void on_prepared(std::span<const QueuedItem> items) noexcept override;
    void on_uploads(std::span<const QueuedObject> objects) noexcept override;
    void on_uploads_withdrawn(std::span<const model::Uuid> objects) noexcept override;

    [[nodiscard]] std::vector<QueuedItem> prepared() const;
    [[nodiscard]] std::vector<QueuedObject> uploads() const;
    [[nodiscard]] std::vector<model::Uuid> withdrawn() const;

  private:
    mutable std::mutex mutex_;
    std::vector<QueuedItem> prepared_;
    std::vector<QueuedObject> uploads_;
    std::vector<model::Uuid> withdrawn_;
};

[[nodiscard]] Hash128 hash_of(std::uint64_t number);
[[nodiscard]] model::Profile some_profile();

/// Opens a store in `directory` and makes items for it.
class StoreTest : public testing::Test {
  protected:
    void open();
    void close() { store_.reset(); }
    void reopen() {
        close();
        open();
    }
    /// An item of lane_ with ids of its own and an event of now.
    [[nodiscard]] NewItem item(std::string share = "share");
    [[nodiscard]] Outcome submit(std::vector<NewItem> items);
    [[nodiscard]] Outcome submit(NewItem one);
    [[nodiscard]] Outcome accept(const StoredItem& item);
    [[nodiscard]] Outcome refuse(RowId row, Refusal refusal);
    [[nodiscard]] std::pair<Outcome, std::size_t> retry(std::vector<model::Uuid> ids);
    [[nodiscard]] std::pair<Outcome, std::size_t> retry_all(const std::string& destination,
                                                            std::optional<std::uint64_t> code);
    [[nodiscard]] std::pair<Outcome, std::size_t> reject(std::vector<model::Uuid> ids);
    /// All items that wait in state queued, in row order, with everything.
    [[nodiscard]] std::vector<StoredItem> queued();
    [[nodiscard]] Count counts(const std::string& destination = "lea");

    /// Bytes that are different at every place and for every `seed`.
    [[nodiscard]] static std::string some_bytes(std::size_t size, std::uint64_t seed = 1);
    [[nodiscard]] std::shared_ptr<const SealedObject> seal(std::string_view bytes);
    /// Whether an object of so many bytes can be sealed, which is dropped again.
    [[nodiscard]] bool takes_object(std::uint64_t size);
    /// All bytes of it.
    [[nodiscard]] std::string unseal(const SealedObject& object);
    [[nodiscard]] static NewObject object_of(std::shared_ptr<const SealedObject> sealed, model::BinaryModel model);
    [[nodiscard]] NewObject object_of(std::shared_ptr<const SourceFile> file, model::BinaryModel model);
    [[nodiscard]] std::shared_ptr<const SourceFile> source_file(std::uint64_t size);
    [[nodiscard]] NewItem item_with(std::vector<NewObject> objects);
    [[nodiscard]] std::optional<StoredObject> find_object(const model::Uuid& id);
    /// What lies in state_dir/objects.
    [[nodiscard]] std::size_t files() const;
    [[nodiscard]] std::vector<RecordKind> record_kinds();
    /// Waits for the answer of one call: `call([&](auto done) { store_->outbox().refused(row, refusal, done); })`.
    template <typename Start>
    [[nodiscard]] static Outcome call(const Start& start) {
        Answer<Outcome> answer;
        start(answer.callback());
        return answer.get();
    }

    lihandover::test::TemporaryDirectory directory_;
    lihandover::test::ManualClock clock_;
    Options options_{directory_.path() / "state", 0, std::chrono::hours(24 * 90)};
    RecordingListener listener_;
    RecordingObjectListener object_listener_;
    std::unique_ptr<Store> store_;
    LaneId lane_ = 0;
    ProfileId profile_ = 0;

  private:
    std::uint64_t next_hash_ = 1;
};

}  // namespace lihandover::store::test
