#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "lihandover/model/clock.hpp"
#include "lihandover/store/store.hpp"

namespace lihandover::store::test {

/// What a FakeStore leaves behind: the next one that is given the same disk goes on with it.
struct FakeDisk;
[[nodiscard]] std::shared_ptr<FakeDisk> make_fake_disk();

/// A store in memory, for the tests of all rooms. It is held to the same conformance suite as the engines
/// (tests/store/conformance), so that what a test finds with it holds for them. It has a thread of its own, which
/// commits each submission by itself and calls listeners and callbacks as a store's writer does.
class FakeStore final : public Store, private Objects {
  public:
    using Done = store::Done;

    explicit FakeStore(const model::Clock& clock = model::system_clock(),
                       std::shared_ptr<FakeDisk> disk = make_fake_disk());
    FakeStore(const FakeStore&) = delete;
    FakeStore& operator=(const FakeStore&) = delete;
    FakeStore(FakeStore&&) = delete;
    FakeStore& operator=(FakeStore&&) = delete;
    ~FakeStore() override;

    // What a test does to it.

    /// While true every commit fails: what is kept over failed commits waits, all else fails, the listener hears so.
    void fail_commits(bool fail);
    /// While true nothing is committed, and nothing is answered.
    void hold_commits(bool hold);
    /// While true nothing can be read.
    void fail_reads(bool fail);
    /// Whether new items are taken.
    void accept_items(bool accept);
    /// Runs on the writer's thread, after what it has to do already.
    void post(std::function<void()> work);
    /// Waits until all that was submitted so far was answered, unless commits are held.
    void settle();

    // -- Store

    void stop() override;
    void set_listener(OutboxListener* listener) override;
    void set_commit_observer(std::function<void(double)> observer) override;
    void set_limits(std::uint64_t /*max_bytes*/, std::chrono::seconds /*record_retention*/) override {}
    [[nodiscard]] model::Result<std::unique_ptr<Reader>> reader() const override;
    [[nodiscard]] Hash128 keyed_hash(std::span<const std::string_view> parts) const override;
    [[nodiscard]] model::Result<LaneId> lane(std::string_view destination, std::string_view liid) override;
    [[nodiscard]] model::Result<std::vector<LaneId>> lanes(
        std::span<const std::pair<std::string, std::string>> destination_and_liid) override;
    [[nodiscard]] model::Result<ProfileId> profile(const model::Profile& profile) override;
    [[nodiscard]] std::shared_ptr<const Lane> find_lane(LaneId id) const override;
    [[nodiscard]] std::shared_ptr<const model::Profile> find_profile(ProfileId id) const override;
    [[nodiscard]] bool accepting() const override;
    void submit(std::vector<NewItem> items, Done done) override;
    void accepted(std::vector<Acceptance> items, Done done) override;
    void refused(RowId row, Refusal refusal, Done done) override;
    void set_aside(RowId row, Refusal refusal, Done done) override;
    void retry(std::vector<model::Uuid> object_ids, std::string who, DoneCount done) override;
    void retry_all(std::string destination, std::optional<std::uint64_t> code, std::string who,
                   DoneCount done) override;
    void reject(std::vector<model::Uuid> object_ids, std::string who, std::string why, DoneCount done) override;
    [[nodiscard]] model::Result<std::vector<StoredWarrant>> warrants() override;
    [[nodiscard]] model::Status change_warrants(const WarrantChanges& changes) override;
    [[nodiscard]] model::Result<std::vector<StoredPause>> pauses() override;
    void pause(std::string destination, std::string who, Done done) override;
    void resume(std::string destination, std::string who, Done done) override;
    [[nodiscard]] model::Status clock_accepted(const std::string& who, const std::string& why) override;
    [[nodiscard]] Objects& objects() override { return *this; }
    [[nodiscard]] Statistics statistics() const override;

  private:
    class FakeReader;
    struct Changes;
    struct Work {
        bool kept = false;
        std::function<void(Changes&)> apply;
        std::function<void(Outcome)> done;
    };

    // -- Objects
    void set_listener(ObjectListener* listener) override;
    [[nodiscard]] model::Result<std::unique_ptr<ObjectWriter>> writer() override;
    [[nodiscard]] model::Result<std::unique_ptr<ObjectWriter>> copy_writer(std::uint64_t size) override;
    [[nodiscard]] bool fits(std::uint64_t /*size*/) const override { return true; }
    [[nodiscard]] model::Result<std::unique_ptr<ObjectReader>> open(const SealedObject& object) const override;
    [[nodiscard]] model::Status write_filler(std::uint64_t bytes) override;
    [[nodiscard]] model::Result<std::vector<std::shared_ptr<const SourceFile>>> pending_files() override;
    void prepared(const model::Uuid& file, std::shared_ptr<const SealedObject> copy, model::ObjectLoss loss,
                  Done done) override;
    void stamp(RowId item, model::Instant expiry, Done done) override;
    void pushed(const model::Uuid& object, Done done) override;
    void refused(const model::Uuid& object, Refusal refusal, Done done) override;
    void set_aside(const model::Uuid& object, Refusal refusal, Done done) override;
    void fetched(Fetch fetch, Done done) override;

    void submit_work(Work work);
    void write();
    void commit(Work& work);
    void tell(Changes& changes);
    model::Status wait_for(std::function<void(Changes&)> apply);

    const model::Clock& clock_;
    std::shared_ptr<FakeDisk> disk_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable idle_;
    // Guarded by mutex_.
    std::deque<Work> work_;
    bool working_ = false;
    bool failing_ = false;
    bool told_failing_ = false;
    bool held_ = false;
    bool accepting_ = true;
    bool reads_fail_ = false;
    bool stopping_ = false;
    bool stopped_ = false;
    OutboxListener* listener_ = nullptr;
    ObjectListener* object_listener_ = nullptr;
    std::function<void(double)> observer_;
    std::uint64_t commits_ = 0;
    std::uint64_t repeats_ = 0;
    std::uint64_t reused_ids_ = 0;
    std::thread thread_;
};

}  // namespace lihandover::store::test
