#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "fake_store.hpp"

namespace lihandover::intake::testing {

/// What intake's tests have go wrong with binary objects, and ask of what was done with them.
class TestObjects {
  public:
    using Prepared = store::test::Asked::Prepared;

    explicit TestObjects(store::test::FakeStore& store) : store_(store), bytes_(store.bytes()) {
        bytes_.before_writer(
            [this](bool copy) { return copy ? unless(refusing_copies_) : unless(refusing_ || taking_none_); });
        bytes_.before_write([this](std::size_t bytes) { return before_write(bytes); });
        bytes_.before_finish([this] { return unless(failing_); });
    }

    [[nodiscard]] int open_writers() const { return bytes_.open_writers(); }
    [[nodiscard]] int alive() const { return bytes_.alive(); }
    [[nodiscard]] std::size_t copy_tries() const { return bytes_.copy_tries(); }
    [[nodiscard]] std::size_t writers() const { return bytes_.writers(); }
    [[nodiscard]] std::string written() const { return bytes_.written(); }
    [[nodiscard]] std::shared_ptr<const store::SealedObject> seal(std::string bytes) {
        return bytes_.seal(std::move(bytes));
    }

    /// From now on nothing can be written, or nothing finished.
    void refuse(bool refuse) { refusing_ = refuse; }
    void fail_to_finish(bool fail) { failing_ = fail; }
    /// From now on nothing new is taken.
    void fail_to_open(bool fail) { taking_none_ = fail; }
    /// From now on no copy can be begun. refuse() does not keep copies from being begun.
    void refuse_copies(bool refuse) { refusing_copies_ = refuse; }
    /// Larger objects can never be held.
    void hold_at_most(std::uint64_t bytes) { store_.set_limits(bytes, std::chrono::seconds(0)); }
    void leave_room(std::uint64_t bytes) { store_.leave_room(bytes); }
    /// Called before each write, with its size, on the thread that writes.
    void before_write(std::function<void(std::size_t bytes)> hook) {
        const std::lock_guard lock(mutex_);
        hook_ = std::move(hook);
    }
    /// From now on writers wait in write(), as on a disk that hangs, until they may go on.
    void hang(bool hang) {
        hanging_ = hang;
        hanging_.notify_all();
    }
    /// Waits until so many files were prepared.
    std::vector<Prepared> wait_for_prepared(std::size_t count) {
        if (!store_.wait_until([&](const store::test::Asked& asked) { return asked.prepared.size() >= count; })) {
            throw std::runtime_error("the files are not prepared");
        }
        return store_.asked([](const store::test::Asked& asked) { return asked.prepared; });
    }

  private:
    static model::Status unless(bool refused) {
        return refused ? model::Status(model::Error{"full"}) : model::Status();
    }
    model::Status before_write(std::size_t bytes) {
        std::function<void(std::size_t)> hook;
        {
            const std::lock_guard lock(mutex_);
            hook = hook_;
        }
        if (hook) {
            hook(bytes);
        }
        hanging_.wait(true);
        return unless(refusing_);
    }

    store::test::FakeStore& store_;
    store::test::FakeObjects& bytes_;
    std::atomic<bool> hanging_{false};
    std::atomic<bool> refusing_{false};
    std::atomic<bool> failing_{false};
    std::atomic<bool> taking_none_{false};
    std::atomic<bool> refusing_copies_{false};
    std::mutex mutex_;
    std::function<void(std::size_t)> hook_;
};

/// The bytes of an object that the fake store sealed.
inline std::string bytes_of(const std::shared_ptr<const store::SealedObject>& object) {
    return store::test::bytes_of(*object);
}

/// The fake store, which commits, fails or holds back what it is given. It knows the lanes and the profile that
/// snapshot() names.
class TestStore {
  public:
    enum class Mode : std::uint8_t { commit, fail, hold };

    static constexpr store::LaneId first_lane = 100;
    static constexpr store::ProfileId profile = 7;

    TestStore() {
        std::vector<std::pair<std::string, std::string>> lanes;
        for (store::LaneId id = 1; id < first_lane + 50; ++id) {
            lanes.emplace_back("lea-one", "LIID-" + std::to_string(id));
        }
        static_cast<void>(store_.warrant_register().lanes(lanes).value());
        for (store::ProfileId id = 1; id <= profile; ++id) {
            model::Profile made;
            made.schema_identifier = std::to_string(id);
            static_cast<void>(store_.warrant_register().profile(made).value());
        }
    }

    [[nodiscard]] store::ItemIntake& item_intake() { return store_.item_intake(); }
    [[nodiscard]] store::ObjectIntake& object_intake() { return store_.object_intake(); }
    [[nodiscard]] store::KeptCopies& kept_copies() { return store_.kept_copies(); }
    [[nodiscard]] TestObjects& objects() { return objects_; }

    /// Of what is submitted from now on; what is held stays so until release().
    void mode(Mode mode) {
        if (mode == Mode::hold) {
            store_.hold(Call::submit);
        } else {
            store_.hold_no_more(Call::submit);
        }
        if (mode == Mode::fail) {
            store_.fail(Call::submit);
        } else {
            store_.mend(Call::submit);
        }
    }
    void accept(bool accepting) { store_.accept_items(accepting); }
    void require_warrants(std::uint64_t version) { store_.require_warrants(version); }
    void before_next_matched(std::function<void()> hook) { store_.before_next_matched(std::move(hook)); }
    /// Groups after the first `count` fail.
    void fail_after(std::size_t count) { store_.fail(Call::submit, count); }
    /// Ends what was held back, and commits from now on.
    void release() {
        mode(Mode::commit);
        store_.release(Call::submit);
    }

    /// Makes an item that waits for copies of these.
    void wait_for_copies_of(const std::vector<std::shared_ptr<const store::SourceFile>>& files) {
        store::NewItem item;
        item.lane = first_lane;
        item.profile = profile;
        item.object_id = model::Uuid::random();
        auto objects = std::make_shared<std::vector<store::NewObject>>();
        for (const auto& file : files) {
            store::NewObject& object = objects->emplace_back();
            object.id = model::Uuid::random();
            object.file = file;
        }
        item.objects = std::move(objects);
        std::vector<store::NewItem> items;
        items.push_back(std::move(item));
        std::promise<store::Outcome> committed;
        store::test::submit_to(item_intake(), std::move(items),
                               [&](store::Outcome outcome) { committed.set_value(outcome); });
        if (committed.get_future().get() != store::Outcome::committed) {
            throw std::runtime_error("the item is not committed");
        }
    }

    /// Waits until all that was submitted, and is not held, was answered.
    void settle() {
        std::promise<void> answered;
        store_.post([&] { answered.set_value(); });
        answered.get_future().wait();
    }
    /// Waits until so many groups were submitted.
    void wait_for_groups(std::size_t count) {
        if (!store_.wait_until([&](const store::test::Asked& asked) { return asked.submissions.size() >= count; })) {
            throw std::runtime_error("the groups do not come");
        }
    }
    [[nodiscard]] std::vector<std::vector<store::NewItem>> groups() const {
        return store_.asked([](const store::test::Asked& asked) { return asked.submissions; });
    }
    [[nodiscard]] store::Statistics statistics() { return store_.operator_view().statistics(); }
    [[nodiscard]] std::vector<store::NewItem> items() const {
        std::vector<store::NewItem> all;
        for (const auto& group : groups()) {
            all.insert(all.end(), group.begin(), group.end());
        }
        return all;
    }

  private:
    using Call = store::test::Call;

    store::test::FakeStore store_;
    TestObjects objects_{store_};
};

}  // namespace lihandover::intake::testing
