#pragma once

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
#include "lihandover/store/store.hpp"

namespace lihandover::delivery::test {

/// A store in memory, with a writer thread of its own that calls the listener and the callbacks as the real one does.
/// The half that delivery does not use does nothing.
class FakeStore final : public store::Store {
  public:
    FakeStore();
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
    };
    struct Item {
        store::LaneId lane = 0;
        bool emergency = false;
        std::string text = "See you at eight";
        bool carries_schema = false;
        bool broken = false;  ///< its share cannot be read
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

    [[nodiscard]] std::vector<store::Acceptance> accepted() const;
    [[nodiscard]] std::vector<model::Uuid> accepted_objects() const;
    [[nodiscard]] std::map<store::RowId, store::Refusal> refused() const;
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
    void retry(std::vector<model::Uuid> object_ids, std::string who, DoneCount done) override;
    void retry_all(std::string destination, std::optional<std::uint64_t> code, std::string who,
                   DoneCount done) override;
    void reject(std::vector<model::Uuid> object_ids, std::string who, std::string why, DoneCount done) override;
    [[nodiscard]] model::Result<std::vector<store::StoredWarrant>> warrants() override;
    [[nodiscard]] model::Status change_warrants(const store::WarrantChanges& changes) override;
    [[nodiscard]] store::Objects& objects() override { return objects_; }
    [[nodiscard]] store::Statistics statistics() const override { return {}; }

  private:
    class FakeReader;

    void write();

    lihandover::test::NoObjects objects_;
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
    std::vector<store::Acceptance> accepted_;
    std::thread writer_;
};

}  // namespace lihandover::delivery::test
