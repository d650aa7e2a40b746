#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../support/no_objects.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/store/store.hpp"

namespace lihandover::delivery::test {

/// A store in memory, with a writer thread of its own that calls the listener and the callbacks as the real one does.
/// The half that delivery does not use does nothing.
class FakeStore final : public store::Store {
  public:
    explicit FakeStore(const model::Clock& clock = model::system_clock());
    FakeStore(const FakeStore&) = delete;
    FakeStore& operator=(const FakeStore&) = delete;
    ~FakeStore() override;

    // -- What a test does

    [[nodiscard]] store::LaneId make_lane(const std::string& destination, const std::string& liid);
    /// The profile of items made from now on.
    void use_profile(model::Profile profile);
    struct Made {
        store::RowId row = 0;
        model::Uuid object;
        std::vector<model::Uuid> binaries;
    };
    struct Binary {
        std::string url_prefix;  ///< of the URL, which ends with its id
        std::string bytes = "a photograph";
        std::string content_type = "image/jpeg";
        std::chrono::seconds lifetime{3600};
        model::BinaryModel model = model::BinaryModel::b;
        std::string url = {};  ///< instead
    };
    struct Item {
        store::LaneId lane = 0;
        bool emergency = false;
        std::string text = "See you at eight";
        bool carries_schema = false;
        bool broken = false;  ///< its share cannot be read
        std::vector<Binary> binaries = {};
        bool preparing = false;
    };
    /// From now on the listener gets new items whole.
    void hand_over() { hands_over_ = true; }
    /// Makes items; the listener hears of them in one call, unless `silent`.
    std::vector<Made> queue(const std::vector<Item>& items, bool silent = false);
    std::vector<Made> queue(store::LaneId lane, std::size_t count);
    /// The operator's decisions.
    void retry(store::RowId row);
    void reject(store::RowId row, bool heard = true);
    /// false: accepted and refused are kept and not answered until true again.
    void set_committing(bool committing);
    /// Refusals fail from now on.
    void fail_refusals(bool fail);
    void fail_reads(bool fail);
    void say_health(bool can_commit);

    // Binary objects.
    /// The copies are made.
    void prepare(store::RowId row);
    /// One to push, of an item that was accepted.
    model::Uuid queue_binary(store::LaneId lane, const Binary& binary, bool emergency = false, bool silent = false);
    void retry_binary(const model::Uuid& id);
    /// The next refusal of one is retried in the same commit: the listener hears of the retry before the refusal is
    /// answered, as with the real store.
    void retry_next_refusal() { retries_next_ = true; }
    void withdraw_binary(const model::Uuid& id);
    void fail_stamps(bool fail);
    void fail_binary_reads(bool fail);
    struct Stamp {
        store::RowId row = 0;
        model::Instant expiry;
    };
    [[nodiscard]] std::vector<Stamp> stamps() const;
    [[nodiscard]] std::vector<model::Uuid> pushed() const;
    [[nodiscard]] std::map<model::Uuid, store::Refusal> refused_binaries() const;
    /// Still to be pushed.
    [[nodiscard]] std::size_t binaries_queued() const;

    /// Destinations that an operator paused before; to be set before the delivery starts.
    std::vector<store::StoredPause> paused;

    [[nodiscard]] std::vector<store::Acceptance> accepted() const;
    [[nodiscard]] std::vector<model::Uuid> accepted_objects() const;
    [[nodiscard]] std::map<store::RowId, store::Refusal> refused() const;
    /// That are set aside now.
    [[nodiscard]] std::map<store::RowId, store::Refusal> set_aside_items() const;
    [[nodiscard]] std::map<model::Uuid, store::Refusal> set_aside_binaries() const;
    [[nodiscard]] std::size_t waiting() const;
    [[nodiscard]] std::size_t loads() const;
    /// Runs on the writer thread, after what it has to do already.
    void post(std::function<void()> work);

    // -- store::Store

    void stop() override;
    void set_listener(store::Listener* listener) override;
    void set_commit_observer(std::function<void(double)> /*observer*/) override {}
    void set_limits(std::uint64_t /*max_bytes*/, std::chrono::seconds /*record_retention*/) override {}
    [[nodiscard]] model::Result<std::unique_ptr<store::Reader>> reader() const override;
    [[nodiscard]] store::Hash128 keyed_hash(std::span<const std::string_view> /*parts*/) const override { return {}; }
    [[nodiscard]] model::Result<store::LaneId> lane(std::string_view destination, std::string_view liid) override;
    [[nodiscard]] model::Result<std::vector<store::LaneId>> lanes(
        std::span<const std::pair<std::string, std::string>> destination_and_liid) override;
    [[nodiscard]] model::Result<store::ProfileId> profile(const model::Profile& profile) override;
    [[nodiscard]] std::shared_ptr<const store::Lane> find_lane(store::LaneId id) const override;
    [[nodiscard]] std::shared_ptr<const model::Profile> find_profile(store::ProfileId id) const override;
    [[nodiscard]] bool accepting() const override { return true; }
    void submit(std::vector<store::NewItem> items, Done done) override;
    void accepted(std::vector<store::Acceptance> items, Done done) override;
    void refused(store::RowId row, store::Refusal refusal, Done done) override;
    void set_aside(store::RowId row, store::Refusal refusal, Done done) override;
    void retry(std::vector<model::Uuid> object_ids, std::string who, DoneCount done) override;
    void retry_all(std::string destination, std::optional<std::uint64_t> code, std::string who,
                   DoneCount done) override;
    void reject(std::vector<model::Uuid> object_ids, std::string who, std::string why, DoneCount done) override;
    [[nodiscard]] model::Result<std::vector<store::StoredWarrant>> warrants() override;
    [[nodiscard]] model::Status change_warrants(const store::WarrantChanges& changes) override;
    [[nodiscard]] model::Result<std::vector<store::StoredPause>> pauses() override { return paused; }
    [[nodiscard]] store::Objects& objects() override;
    [[nodiscard]] store::Statistics statistics() const override { return {}; }

  private:
    class FakeReader;
    class FakeObjects;

    void write();
    void retry_now(const model::Uuid& id);
    /// With the lock held.
    model::Uuid make_binary(const Binary& binary, const store::StoredItem& item);
    [[nodiscard]] std::shared_ptr<const std::vector<store::StoredObject>> binaries_of(store::RowId row) const;
    [[nodiscard]] store::QueuedObject queued_object(const store::StoredObject& object) const;
    /// Commits now, or later where nothing is committed.
    void commit(std::function<void()> work);

    const model::Clock& clock_;
    std::unique_ptr<FakeObjects> objects_;
    store::ObjectListener* object_listener_ = nullptr;
    std::map<model::Uuid, store::StoredObject> binaries_;
    std::map<model::Uuid, model::Instant> deadlines_;
    std::map<store::RowId, std::vector<model::Uuid>> by_item_;
    std::vector<Stamp> stamps_;
    std::vector<model::Uuid> pushed_;
    std::map<model::Uuid, store::Refusal> refused_binaries_;
    bool fail_stamps_ = false;
    std::atomic<bool> retries_next_{false};
    std::atomic<bool> fail_binary_reads_{false};
    mutable std::mutex mutex_;
    mutable std::condition_variable wake_;
    std::deque<std::function<void()>> work_;
    bool ending_ = false;
    bool committing_ = true;
    bool fail_refusals_ = false;
    bool fail_reads_ = false;
    bool hands_over_ = false;  // of the test's thread
    mutable std::size_t loads_ = 0;
    store::Listener* listener_ = nullptr;
    std::vector<std::function<void()>> kept_;  // while not committing
    std::map<store::LaneId, std::shared_ptr<const store::Lane>> lanes_;
    std::map<store::ProfileId, std::shared_ptr<const model::Profile>> profiles_;
    store::ProfileId profile_ = 0;
    store::RowId next_row_ = 1;
    std::map<store::RowId, store::StoredItem> queued_;
    std::map<store::RowId, store::StoredItem> put_aside_;
    std::map<store::RowId, store::Refusal> refused_;
    std::map<store::RowId, store::Refusal> set_aside_;  ///< of `queued_`
    std::map<model::Uuid, store::Refusal> set_aside_binaries_;
    std::vector<store::Acceptance> accepted_;
    std::thread writer_;
};

}  // namespace lihandover::delivery::test
