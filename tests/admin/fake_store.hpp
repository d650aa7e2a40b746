#pragma once

#include <boost/asio/thread_pool.hpp>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "../support/no_objects.hpp"
#include "lihandover/store/store.hpp"

namespace lihandover::admin::test {

/// What was asked of the store.
struct Decided {
    std::string what;
    std::vector<model::Uuid> ids;
    std::string destination;
    std::optional<std::uint64_t> code;
    std::string who;
    std::string why;
};

/// A store of items in memory, as far as admin looks at one. Answers come from a thread of its own, like the writer's.
class FakeStore final : public store::Store {
  public:
    ~FakeStore() override { writer_.join(); }

    /// Adds an item with the next row.
    store::ItemView& add(store::ItemState state, const std::string& destination = "lea-one",
                         const std::string& liid = "LIID-1");

    // For tests to change before the server runs, or under `mutex`.
    std::mutex mutex;
    std::deque<store::ItemView> items;  ///< references stay good
    std::vector<Decided> decided;
    bool accepts = true;
    store::Outcome outcome = store::Outcome::committed;
    /// Changes nothing and says so, as if the items had gone meanwhile.
    bool finds_nothing = false;
    bool readers_fail = false;

    void stop() override {}
    void set_listener(store::Listener* /*listener*/) override {}
    void set_commit_observer(std::function<void(double)> /*observer*/) override {}
    void set_limits(std::uint64_t /*max_bytes*/, std::chrono::seconds /*record_retention*/) override {}
    [[nodiscard]] model::Result<std::unique_ptr<store::Reader>> reader() const override;
    [[nodiscard]] store::Hash128 keyed_hash(std::span<const std::string_view> /*parts*/) const override { return {}; }
    [[nodiscard]] model::Result<store::LaneId> lane(std::string_view /*destination*/,
                                                    std::string_view /*liid*/) override;
    [[nodiscard]] model::Result<std::vector<store::LaneId>> lanes(
        std::span<const std::pair<std::string, std::string>> /*pairs*/) override;
    [[nodiscard]] model::Result<store::ProfileId> profile(const model::Profile& /*profile*/) override;
    [[nodiscard]] std::shared_ptr<const store::Lane> find_lane(store::LaneId /*id*/) const override { return nullptr; }
    [[nodiscard]] std::shared_ptr<const model::Profile> find_profile(store::ProfileId /*id*/) const override {
        return nullptr;
    }
    [[nodiscard]] bool accepting() const override;
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
    [[nodiscard]] store::Statistics statistics() const override;

  private:
    class FakeReader;
    void change(const Decided& decision, store::ItemState to, DoneCount done);
    lihandover::test::NoObjects objects_;
    boost::asio::thread_pool writer_{1};
};

}  // namespace lihandover::admin::test
