#pragma once

#include <boost/asio/thread_pool.hpp>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lihandover/store/intake.hpp"
#include "lihandover/store/operator_view.hpp"

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

/// Items in memory, as far as admin looks at a store. Answers come from a thread of its own, like the writer's.
class FakeStore final : public store::OperatorView, public store::ItemIntake {
  public:
    ~FakeStore() override { writer_.join(); }

    /// Adds an item with the next row.
    store::ItemView& add(store::ItemState state, const std::string& destination = "lea-one",
                         const std::string& liid = "LIID-1");

    // For tests to change before the server runs, or under `mutex`.
    mutable std::mutex mutex;
    std::deque<store::ItemView> stored;  ///< references stay good
    std::vector<Decided> decided;
    bool accepts = true;
    store::Outcome outcome = store::Outcome::committed;
    /// Changes nothing and says so, as if the items had gone meanwhile.
    bool finds_nothing = false;
    bool readers_fail = false;

    // -- store::OperatorView
    [[nodiscard]] model::Result<std::vector<store::ItemView>> items(std::optional<store::ItemState> state,
                                                                    store::RowId after, std::size_t limit) override;
    [[nodiscard]] model::Result<std::optional<store::ItemView>> find(const model::Uuid& object_id) override;
    [[nodiscard]] model::Result<std::vector<store::Record>> records(std::int64_t after, std::size_t limit) override;
    [[nodiscard]] model::Result<std::optional<model::Instant>> oldest(std::string_view destination) override;
    void retry(std::vector<model::Uuid> object_ids, std::string who, store::DoneCount done) override;
    void retry_all(std::string destination, std::optional<std::uint64_t> code, std::string who,
                   store::DoneCount done) override;
    void reject(std::vector<model::Uuid> object_ids, std::string who, std::string why, store::DoneCount done) override;
    void pause(std::string destination, std::string who, store::Done done) override;
    void resume(std::string destination, std::string who, store::Done done) override;
    [[nodiscard]] model::Status clock_accepted(const std::string& who, const std::string& why) override;
    [[nodiscard]] store::Statistics statistics() const override;

    // -- store::ItemIntake
    [[nodiscard]] bool accepting() const override;
    void submit(std::vector<store::NewItem> items, std::size_t idle_objects, store::Done done) override;
    [[nodiscard]] store::Hash128 keyed_hash(std::span<const std::string_view> /*parts*/) const override { return {}; }

  private:
    void order(std::string what, std::string destination, std::string who, store::Done done);
    void change(const Decided& decision, store::ItemState to, store::DoneCount done);
    boost::asio::thread_pool writer_{1};
};

}  // namespace lihandover::admin::test
