#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "fake_store.hpp"

namespace lihandover::admin::test {

/// The fake store, with what admin's tests put into it and have go wrong.
class TestStore {
  public:
    TestStore();

    [[nodiscard]] store::OperatorView& items() { return store_.operator_view(); }
    [[nodiscard]] store::AuditLog& audit() { return store_.audit_log(); }
    [[nodiscard]] store::test::FakeSealing& sealing() { return store_.sealing(); }
    [[nodiscard]] const store::Register& profiles() { return store_.warrant_register(); }
    [[nodiscard]] store::Register& warrants() { return store_.warrant_register(); }
    [[nodiscard]] const store::ObjectLookup& objects() { return store_.object_downloads(); }
    [[nodiscard]] const store::ItemIntake& intake() { return store_.item_intake(); }

    /// Adds an item with the next row; `change` changes what it says.
    store::ItemView add(store::ItemState state, const std::string& destination = "lea-one",
                        const std::string& liid = "LIID-1", const std::function<void(store::ItemView&)>& change = {});

    /// An item with content that is held for review, in a conversation, with a binary object.
    model::Uuid hold(store::Review review, bool emergency = false, const std::string& text = "See you at eight");

    /// What operators decided.
    [[nodiscard]] std::vector<store::test::Decision> decided() const { return store_.asked().decisions; }
    void accept_items(bool accept) { store_.accept_items(accept); }
    /// Decisions fail from now on.
    void fail_decisions();
    void mend_decisions();
    /// Decisions find nothing, as if the items had gone meanwhile.
    void find_nothing() { store_.find_nothing(true); }
    void show_restored(std::string said) { store_.show_restored(std::move(said)); }
    /// Somebody else is quicker: `decide` happens between the next decision's look at its items and its commit.
    void decide_before_next(std::function<void()> decide) { store_.after_next_look(std::move(decide)); }
    void look_slowly() { store_.look_slowly(true); }
    /// Rejects wait from now on, as they do for a search.
    void hold_rejects() { store_.hold(store::test::Call::reject); }
    [[nodiscard]] std::size_t held_rejects() const { return store_.held(store::test::Call::reject); }
    void fail_reads() { store_.fail_reads(true); }

  private:
    store::test::FakeStore store_;
    std::uint8_t repeats_ = 0;
};

}  // namespace lihandover::admin::test
