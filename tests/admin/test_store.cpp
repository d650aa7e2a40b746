#include "test_store.hpp"

#include <array>
#include <chrono>

namespace lihandover::admin::test {

namespace {

using store::test::Call;

constexpr std::array decisions = {Call::retry, Call::retry_all, Call::reject,
                                  Call::pause, Call::resume,    Call::clock_accepted};

}  // namespace

TestStore::TestStore() {
    store_.set_limits(std::uint64_t{50} << 30U, std::chrono::seconds(0));
    store_.show_bytes(4096, 8192);
}

store::ItemView TestStore::add(store::ItemState state, const std::string& destination, const std::string& liid,
                               const std::function<void(store::ItemView&)>& change) {
    store::ItemView item;
    item.object_id = model::Uuid::random();
    item.destination = destination;
    item.liid = liid;
    item.state = state;
    item.correlation = model::ApplicationCorrelation{7, 1};
    item.received_at = {1'795'342'531, 5'000};
    item.changed_at = {1'795'342'532, 0};
    if (state == store::ItemState::refused || state == store::ItemState::set_aside) {
        item.refusal = store::Refusal{3007, store::Refusal::Kind::hi1_error, "not valid, says the LEA"};
    }
    if (change) {
        change(item);
    }
    item.row = store_.put(item);
    return item;
}

void TestStore::fail_decisions() {
    for (const Call call : decisions) {
        store_.fail(call);
    }
}

void TestStore::mend_decisions() {
    for (const Call call : decisions) {
        store_.mend(call);
    }
}

}  // namespace lihandover::admin::test
