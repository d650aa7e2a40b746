#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fake_store.hpp"
#include "lihandover/model/clock.hpp"

namespace lihandover::delivery::test {

/// The fake store, with what delivery's tests make of items and binary objects and ask of what became of them. Items
/// are committed when queue() returns.
class TestStore {
  public:
    using Call = store::test::Call;

    explicit TestStore(const model::Clock& clock);

    [[nodiscard]] store::Outbox& outbox() { return store_.outbox(); }
    [[nodiscard]] store::UploadOutbox& uploads() { return store_.upload_outbox(); }
    [[nodiscard]] store::Register& lanes() { return store_.warrant_register(); }
    void stop() { store_.stop(); }

    [[nodiscard]] store::LaneId make_lane(const std::string& destination, const std::string& liid);
    /// The profile of items made from now on.
    void use_profile(const model::Profile& profile);
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
    void hand_over() { store_.hand_over(true); }
    /// Makes items; the listener hears of them in one call, unless `silent`.
    std::vector<Made> queue(const std::vector<Item>& items, bool silent = false);
    std::vector<Made> queue(store::LaneId lane, std::size_t count);
    /// A destination that an operator paused before.
    void put(store::StoredPause pause) { store_.put(std::move(pause)); }
    /// The operator's decisions.
    void retry(store::RowId row);
    void reject(store::RowId row, bool heard = true);
    void approve(store::RowId row);
    /// A warrant is revoked, and what of it is queued or set aside is held.
    void revoke(const std::string& destination, const std::string& liid);
    /// false: what is kept over failed commits is not committed and not answered until true again.
    void set_committing(bool committing);
    /// Refusals fail from now on.
    void fail_refusals(bool fail);
    void fail_reads(bool fail) { store_.fail_reads(fail); }
    void set_lease(store::LaneId lane, store::LaneLease lease) { store_.set_lease(lane, lease); }
    void lose(store::LaneId lane) { store_.lose(lane); }
    void take_over(store::LaneId lane) { store_.take_over(lane); }
    void make_unreadable(store::RowId row, bool unreadable) { store_.make_unreadable(row, unreadable); }
    void say_health(bool can_commit) { store_.say_health(can_commit); }

    // Binary objects.
    /// The copies are made.
    void prepare(store::RowId row);
    /// One to push, of an item that was accepted.
    model::Uuid queue_binary(store::LaneId lane, const Binary& binary, bool emergency = false, bool silent = false);
    void retry_binary(const model::Uuid& id) { retry_object(id); }
    void retry_next_refusal() { store_.retry_next_refusal(); }
    void withdraw_binary(const model::Uuid& id) { reject_object(id); }
    void fail_stamps(bool fail);
    void fail_binary_reads(bool fail);
    [[nodiscard]] std::vector<store::test::Asked::Stamp> stamps() const {
        return store_.asked([](const store::test::Asked& asked) { return asked.stamps; });
    }
    [[nodiscard]] std::vector<model::Uuid> pushed() const {
        return store_.asked([](const store::test::Asked& asked) { return asked.pushed; });
    }
    [[nodiscard]] std::map<model::Uuid, store::Refusal> refused_binaries();
    [[nodiscard]] std::map<model::Uuid, store::Refusal> set_aside_binaries();
    /// Still to be pushed.
    [[nodiscard]] std::size_t binaries_queued();

    [[nodiscard]] std::vector<store::Acceptance> accepted() const {
        return store_.asked([](const store::test::Asked& asked) { return asked.accepted; });
    }
    [[nodiscard]] std::vector<model::Uuid> accepted_objects() const;
    /// That are so now.
    [[nodiscard]] std::map<store::RowId, store::Refusal> refused();
    [[nodiscard]] std::map<store::RowId, store::Refusal> set_aside_items();
    /// Not accepted and not refused.
    [[nodiscard]] std::size_t waiting();
    [[nodiscard]] std::size_t loads() const {
        return store_.asked([](const store::test::Asked& asked) { return asked.loads; });
    }
    /// Runs on the store's thread, after what it has to do already.
    void post(std::function<void()> work) { store_.post(std::move(work)); }

  private:
    [[nodiscard]] store::NewItem new_item(const Item& item, Made& made);
    [[nodiscard]] std::vector<store::ItemView> views(store::ItemState state);
    void retry_object(const model::Uuid& id);
    void reject_object(const model::Uuid& id);
    void commit(std::vector<store::NewItem> items, bool silent);

    const model::Clock& clock_;
    store::test::FakeStore store_;
    store::ProfileId profile_ = 0;
    std::uint64_t made_ = 0;
    std::map<store::RowId, model::Uuid> ids_;
    /// Those that are to be copied: file and bytes.
    std::map<store::RowId, std::vector<std::pair<model::Uuid, std::string>>> files_;
};

}  // namespace lihandover::delivery::test
