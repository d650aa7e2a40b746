#include "lihandover/delivery/delivery.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "lea.hpp"
#include "relay.hpp"
#include "running.hpp"
#include "test_store.hpp"
#include "tls/certificates.hpp"

namespace lihandover::delivery::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAreArray;

// -- The good days ----------------------------------------------------------------------------------------------------

TEST_F(Running, HandsOverWhatWaitsAtStartAndWhatComesLater) {
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    auto made = store_.queue(std::vector<TestStore::Item>(3, {.lane = lane}), true);
    start();
    ASSERT_TRUE(all_accepted(3));
    const auto later = store_.queue(lane, 3);
    made.insert(made.end(), later.begin(), later.end());
    ASSERT_TRUE(all_accepted(6));
    EXPECT_THAT(store_.accepted_objects(), ElementsAreArray(objects_of(made)));
    EXPECT_THAT(lea_->objects(), ElementsAreArray(objects_of(made)));
    EXPECT_EQ(lea_->arrivals().front().liids, std::vector<std::string>{"LIID-1"});
    EXPECT_EQ(store_.waiting(), 0U);
    ASSERT_TRUE(eventually([&] { return status().in_flight == 0; }));
    EXPECT_EQ(status().waiting, 0U);
    EXPECT_TRUE(status().last_success);
    EXPECT_FALSE(status().paused);
    EXPECT_GE(status().connections, 1U);
    EXPECT_EQ(metric("lihandover_items_total{destination=\"lea-one\",outcome=\"delivered\"} "), "6");
}

TEST_F(Running, EachMessageHasATransactionOfItsOwn) {
    store_.queue(std::vector<TestStore::Item>(5, {.lane = store_.make_lane("lea-one", "LIID-1")}), true);
    start();
    ASSERT_TRUE(all_accepted(5));
    std::set<model::Uuid> transactions;
    for (const auto& arrival : lea_->arrivals()) {
        transactions.insert(arrival.transaction);
        EXPECT_EQ(arrival.objects.size(), 1U);
    }
    EXPECT_EQ(transactions.size(), 5U);
}

TEST_F(Running, TellsTheStoreWhatItHasToKnow) {
    start();
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto made = store_.queue({{.lane = lane, .carries_schema = true}, {.lane = lane}});
    ASSERT_TRUE(all_accepted(2));
    const auto accepted = store_.accepted();
    EXPECT_EQ(accepted[0].row, made[0].row);
    EXPECT_EQ(accepted[0].lane, lane);
    EXPECT_NE(accepted[0].profile, 0);
    EXPECT_TRUE(accepted[0].carried_schema);
    EXPECT_FALSE(accepted[1].carried_schema);
}

TEST_F(Running, OrderPerLiidAndOneMessageInFlightEach) {
    start();
    std::vector<store::LaneId> lanes;
    lanes.reserve(20);
    for (int i = 0; i < 20; ++i) {
        lanes.push_back(store_.make_lane("lea-one", "LIID-" + std::to_string(i)));
    }
    std::map<store::LaneId, std::vector<model::Uuid>> expected;
    for (int round = 0; round < 20; ++round) {
        std::vector<TestStore::Item> items;
        items.reserve(lanes.size());
        for (const auto lane : lanes) {
            items.push_back({.lane = lane});
        }
        const auto made = store_.queue(items);
        for (std::size_t i = 0; i < made.size(); ++i) {
            expected[lanes[i]].push_back(made[i].object);
        }
    }
    ASSERT_TRUE(all_accepted(400));
    std::map<store::LaneId, std::vector<model::Uuid>> accepted;
    for (const auto& one : store_.accepted()) {
        accepted[one.lane].push_back(one.object_id);
    }
    EXPECT_EQ(accepted, expected);
    EXPECT_FALSE(lea_->overlapped());
    EXPECT_LE(lea_->most_at_once(), 4U);
    EXPECT_LE(store_.loads(), 400U);
}

TEST_F(Running, WhatTheStoreHandsOverWholeIsNotReadBack) {
    store_.hand_over();
    start();
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto other = store_.make_lane("lea-one", "LIID-2");
    const auto made = store_.queue({{.lane = lane, .text = "one", .carries_schema = true},
                                    {.lane = other, .text = "two"},
                                    {.lane = lane, .text = "three"}});
    ASSERT_TRUE(all_accepted(3));
    EXPECT_THAT(store_.accepted_objects(), UnorderedElementsAreArray(objects_of(made)));
    EXPECT_EQ(store_.loads(), 0U);
    for (const auto& one : store_.accepted()) {
        EXPECT_EQ(one.carried_schema, one.row == made[0].row);
    }
}

TEST_F(Running, WhatWaitsLongIsReadBackAlthoughItWasHandedOver) {
    store_.hand_over();
    start();
    store_.say_health(false);
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto gone = store_.queue(lane, 1);
    const auto made = store_.queue(lane, 2'000);
    store_.reject(gone.front().row);
    store_.say_health(true);
    ASSERT_TRUE(all_accepted(2'000));
    EXPECT_THAT(store_.accepted_objects(), ElementsAreArray(objects_of(made)));
    EXPECT_GT(store_.loads(), 0U);
    EXPECT_LT(store_.loads(), 100U);
}

TEST_F(Running, OneItemIsWorthOneConnectionHoweverOftenItIsLookedAt) {
    // Takes connections, and never answers the handshake.
    boost::asio::io_context io;
    boost::asio::ip::tcp::acceptor deaf(io, {boost::asio::ip::address_v4::loopback(), 0});
    deaf.non_blocking(true);
    std::vector<boost::asio::ip::tcp::socket> sockets;
    const auto connections = [&] {
        for (;;) {
            boost::system::error_code error;
            boost::asio::ip::tcp::socket socket(io);
            deaf.accept(socket, error);
            if (error) {
                return sockets.size();
            }
            sockets.push_back(std::move(socket));
        }
    };
    tls_ = lihandover::test::client_context();
    auto all = settings();
    all.destinations.front().options.url = "https://127.0.0.1:" + std::to_string(deaf.local_endpoint().port()) + "/hi";
    start(std::move(all));
    store_.queue(store_.make_lane("lea-one", "LIID-1"), 3);
    ASSERT_TRUE(eventually([&] { return connections() == 1; }));
    for (int i = 0; i < 20; ++i) {
        store_.say_health(true);  // has the sender look again
    }
    // Of another lane: one more, and behind all those looks.
    store_.queue(store_.make_lane("lea-one", "LIID-2"), 1);
    ASSERT_TRUE(eventually([&] { return connections() >= 2; }));
    boost::asio::post(io_, boost::asio::use_future([] {})).get();
    EXPECT_EQ(connections(), 2U);
}

TEST_F(Running, UsesItsConnectionsSideBySide) {
    lea_->set_script([](const Arrival& arrival) {
        auto reply = accept(arrival);
        reply.hold = true;
        return reply;
    });
    start();
    for (int i = 0; i < 6; ++i) {
        store_.queue(store_.make_lane("lea-one", "LIID-" + std::to_string(i)), 2);
    }
    ASSERT_TRUE(eventually([&] { return lea_->held() == 4; }));
    ASSERT_TRUE(eventually([&] { return status().in_flight == 4; }));
    EXPECT_EQ(status().connections, 4U);
    ASSERT_TRUE(eventually([&] { return status().waiting == 8; }));  // the last ones may be on their way to it
    lea_->release();
    ASSERT_TRUE(all_accepted(12));
    EXPECT_EQ(lea_->most_at_once(), 4U);
    EXPECT_FALSE(lea_->overlapped());
}

TEST_F(Running, OneSlowLiidHoldsUpNoOther) {
    lea_->set_script([](const Arrival& arrival) {
        auto reply = accept(arrival);
        reply.hold = arrival.liids.front() == "SLOW";
        return reply;
    });
    start();
    store_.queue(store_.make_lane("lea-one", "SLOW"), 50);
    ASSERT_TRUE(eventually([&] { return lea_->held() == 1; }));
    store_.queue(store_.make_lane("lea-one", "LIID-2"), 50);
    ASSERT_TRUE(all_accepted(50));
    EXPECT_EQ(lea_->held(), 1U);
}

TEST_F(Running, EmergenciesGoFirst) {
    options_.connections = 1;
    lea_->set_script([](const Arrival& arrival) {
        auto reply = accept(arrival);
        reply.hold = true;
        return reply;
    });
    start();
    const auto routine = store_.make_lane("lea-one", "ROUTINE");
    const auto urgent = store_.make_lane("lea-one", "URGENT");
    const auto other = store_.make_lane("lea-one", "OTHER");
    store_.queue(routine, 3);
    ASSERT_TRUE(eventually([&] { return lea_->held() == 1; }));
    store_.queue(other, 1);
    store_.queue({{.lane = urgent, .emergency = true}, {.lane = urgent, .emergency = true}});
    ASSERT_TRUE(eventually([&] { return status().waiting == 5; }));
    lea_->release();
    ASSERT_TRUE(all_accepted(6));
    std::vector<std::string> order;
    for (const auto& arrival : lea_->arrivals()) {
        order.push_back(arrival.liids.front());
    }
    EXPECT_THAT(order, ElementsAreArray({"ROUTINE", "URGENT", "URGENT", "OTHER", "ROUTINE", "ROUTINE"}));
}

TEST_F(Running, SeveralActionsPerMessageFromSeveralLanes) {
    options_.connections = 1;
    options_.max_actions_per_message = 5;
    std::vector<TestStore::Item> items;
    for (int i = 0; i < 3; ++i) {
        const auto lane = store_.make_lane("lea-one", "LIID-" + std::to_string(i));
        items.insert(items.end(), 3, {.lane = lane});
    }
    store_.queue(items, true);
    start();
    ASSERT_TRUE(all_accepted(9));
    const auto arrivals = lea_->arrivals();
    ASSERT_THAT(arrivals, SizeIs(2));
    EXPECT_THAT(arrivals[0].liids, ElementsAreArray({"LIID-0", "LIID-0", "LIID-0", "LIID-1", "LIID-1"}));
    EXPECT_THAT(arrivals[1].objects, SizeIs(4));
}

TEST_F(Running, AMessageStaysBelowItsSizeButForALoneItem) {
    options_.connections = 1;
    options_.max_actions_per_message = 100;
    options_.max_message_size = 60'000;
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const std::string long_text(20'000, 'x');
    const std::string huge_text(200'000, 'y');
    const auto made = store_.queue({{.lane = lane, .text = long_text},
                                    {.lane = lane, .text = long_text},
                                    {.lane = lane, .text = long_text},
                                    {.lane = lane, .text = huge_text},
                                    {.lane = lane, .text = "short"}},
                                   true);
    start();
    ASSERT_TRUE(all_accepted(5));
    EXPECT_THAT(lea_->objects(), ElementsAreArray(objects_of(made)));
    const auto arrivals = lea_->arrivals();
    for (const auto& arrival : arrivals) {
        EXPECT_TRUE(arrival.size <= 60'000 || arrival.objects.size() == 1);
    }
    EXPECT_EQ(arrivals.front().objects.size(), 2U);
}

TEST_F(Running, ItemsWithDifferentHeadersDoNotShareAMessage) {
    options_.connections = 1;
    options_.max_actions_per_message = 10;
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    store_.queue(std::vector<TestStore::Item>(2, {.lane = lane}), true);
    model::Profile other;
    other.sender = {"GB", "GIVEN-BY-LEA"};
    other.receiver = {"GB", "LEA"};
    other.etsi_version = "V1.15.1";
    other.schema_identifier = "urn:lihandover:csp:1.0";
    store_.use_profile(other);
    store_.queue(std::vector<TestStore::Item>(2, {.lane = lane}), true);
    other.schema_url = "https://csp.example.com/schema";  // not in the header: may go together
    store_.use_profile(other);
    store_.queue(std::vector<TestStore::Item>(2, {.lane = lane}), true);
    start();
    ASSERT_TRUE(all_accepted(6));
    std::vector<std::size_t> sizes;
    for (const auto& arrival : lea_->arrivals()) {
        sizes.push_back(arrival.objects.size());
    }
    EXPECT_THAT(sizes, ElementsAreArray({2U, 4U}));
}

TEST_F(Running, TwoDestinationsDoNotKnowOfEachOther) {
    Lea dead([](const Arrival&) { return http_status(500); });
    auto all = settings();
    all.destinations.push_back(destination("lea-two", dead));
    start(std::move(all));
    const auto bad = store_.make_lane("lea-two", "LIID-1");
    store_.queue(bad, 20);
    store_.queue(store_.make_lane("lea-one", "LIID-1"), 50);
    ASSERT_TRUE(all_accepted(50));
    for (const auto& one : store_.accepted()) {
        EXPECT_NE(one.lane, bad);
    }
    dead.set_script(accept);
    ASSERT_TRUE(all_accepted(70));
}

// -- Refusals ---------------------------------------------------------------------------------------------------------

TEST_F(Running, ARefusedItemIsPutAsideAndTheNextGoes) {
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto made = store_.queue(std::vector<TestStore::Item>(3, {.lane = lane}), true);
    lea_->set_script([made](const Arrival& arrival) { return refuse(arrival, {{made[1].object, 3007}}); });
    start();
    ASSERT_TRUE(all_accepted(2));
    ASSERT_TRUE(eventually([&] { return store_.refused().size() == 1; }));
    const auto refusal = store_.refused().at(made[1].row);
    EXPECT_EQ(refusal.code, 3007U);
    EXPECT_EQ(refusal.kind, store::Refusal::Kind::hi1_error);
    EXPECT_EQ(refusal.words, "the LEA's words");
    EXPECT_EQ(lea_->count(), 3U);  // final at once
    // Counted when the store says so, which is after it knows.
    EXPECT_TRUE(eventually(
        [&] { return metric("lihandover_items_total{destination=\"lea-one\",outcome=\"refused\"} ") == "1"; }));

    lea_->set_script(accept);
    store_.retry(made[1].row);
    ASSERT_TRUE(all_accepted(3));
    EXPECT_EQ(store_.accepted().back().object_id, made[1].object);
}

TEST_F(Running, ACodeWorthRetryingKeepsTheOrder) {
    options_.retry.error_codes = {3050};
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto made = store_.queue(std::vector<TestStore::Item>(3, {.lane = lane}), true);
    lea_->set_script([made, times = 3](const Arrival& arrival) mutable {
        return times-- > 0 ? refuse(arrival, {{made[0].object, 3050}}) : accept(arrival);
    });
    start();
    ASSERT_TRUE(all_accepted(3));
    EXPECT_THAT(store_.accepted_objects(), ElementsAreArray(objects_of(made)));
    EXPECT_EQ(lea_->count(), 6U);
    EXPECT_THAT(store_.refused(), IsEmpty());
}

TEST_F(Running, ActionsOfOneMessageAreJudgedEachByItself) {
    options_.max_actions_per_message = 4;
    options_.retry.error_codes = {3050};
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto made = store_.queue(std::vector<TestStore::Item>(5, {.lane = lane}), true);
    lea_->set_script([made](const Arrival& arrival) {
        return arrival.number == 0 ? refuse(arrival, {{made[0].object, 3050}, {made[2].object, 3007}})
                                   : accept(arrival);
    });
    start();
    ASSERT_TRUE(all_accepted(4));
    ASSERT_TRUE(eventually([&] { return store_.refused().size() == 1; }));
    EXPECT_TRUE(store_.refused().contains(made[2].row));
    // The later ones stay accepted, the one to be tried again goes next, before the fifth.
    const std::vector<model::Uuid> order = {made[1].object, made[3].object, made[0].object, made[4].object};
    EXPECT_THAT(store_.accepted_objects(), ElementsAreArray(order));
    EXPECT_EQ(lea_->arrivals().at(1).objects.front(), made[0].object);
}

TEST_F(Running, TenRefusalsRunningPauseAndNothingMoreIsRefused) {
    options_.retry.maximum = std::chrono::hours(1);
    for (int i = 0; i < 5; ++i) {
        store_.queue(std::vector<TestStore::Item>(10, {.lane = store_.make_lane("lea-one", "L" + std::to_string(i))}),
                     true);
    }
    lea_->set_script([](const Arrival& arrival) { return refuse(arrival, {{arrival.objects.front(), 3001}}); });
    start();
    ASSERT_TRUE(paused(metrics::Pause::refusals));
    ASSERT_TRUE(eventually([&] { return store_.refused().size() == 10 && status().in_flight == 0; }));
    const auto probed = lea_->count();
    delivery_->probe_now("lea-one");
    ASSERT_TRUE(eventually([&] { return lea_->count() > probed; }));
    ASSERT_TRUE(eventually([&] { return status().in_flight == 0; }));
    EXPECT_EQ(store_.refused().size(), 10U);
    EXPECT_TRUE(status().paused_since);
    EXPECT_TRUE(status().next_attempt);
    lea_->set_script(accept);
    EXPECT_TRUE(delivery_->probe_now("lea-one"));
    ASSERT_TRUE(all_accepted(40));
    EXPECT_EQ(store_.refused().size(), 10U);
    EXPECT_FALSE(status().paused);
}

TEST_F(Running, OneLiidRefusedThroughoutDoesNotStopTheOthers) {
    options_.retry.maximum = std::chrono::hours(1);
    lea_->set_script([](const Arrival& arrival) {
        return arrival.liids.front() == "BAD" ? refuse(arrival, {{arrival.objects.front(), 3001}}) : accept(arrival);
    });
    start();
    store_.queue(store_.make_lane("lea-one", "BAD"), 30);
    ASSERT_TRUE(paused(metrics::Pause::refusals));
    store_.queue(store_.make_lane("lea-one", "GOOD"), 30);  // had no part in it: tried at once
    ASSERT_TRUE(all_accepted(30));
}

TEST_F(Running, ARefusalThatTheStoreDoesNotTakeIsNotForgotten) {
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto made = store_.queue(std::vector<TestStore::Item>(1, {.lane = lane}), true);
    store_.fail_refusals(true);
    lea_->set_script([](const Arrival& arrival) {
        return arrival.number < 3 ? refuse(arrival, {{arrival.objects.front(), 3000 + arrival.number}})
                                  : accept(arrival);
    });
    start();
    ASSERT_TRUE(all_accepted(1));
    EXPECT_THAT(store_.refused(), IsEmpty());
    EXPECT_EQ(lea_->count(), 4U);
}

// -- Lanes that several daemons share ---------------------------------------------------------------------------------

TEST_F(Running, NothingOfALaneGoesOutOnceItsLeaseHasLapsedAndAllOfItWhenItIsRenewed) {
    const auto lapsed = store_.make_lane("lea-one", "LIID-1");
    const auto held = store_.make_lane("lea-one", "LIID-2");
    store_.queue(std::vector<TestStore::Item>(3, {.lane = lapsed}), true);
    const auto others = store_.queue(std::vector<TestStore::Item>(3, {.lane = held}), true);
    store_.set_lease(lapsed, {true, clock_.steady()});
    start();
    ASSERT_TRUE(all_accepted(3));
    EXPECT_THAT(lea_->objects(), ElementsAreArray(objects_of(others)));
    EXPECT_EQ(status().waiting, 3U);
    store_.set_lease(lapsed, store::LaneLease::for_ever());
    ASSERT_TRUE(all_accepted(6));
}

TEST_F(Running, ALaneThatIsLostIsForgottenAndWhatWaitsThereIsToldByWhoeverTakesItOver) {
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto made = store_.queue(std::vector<TestStore::Item>(4, {.lane = lane}), true);
    const auto failing = made[0].object;
    lea_->set_script([failing](const Arrival& arrival) {
        Reply reply = arrival.objects.front() == failing ? refuse(arrival, {{failing, 3007}}) : accept(arrival);
        reply.hold = true;
        return reply;
    });
    start();
    ASSERT_TRUE(eventually([&] { return lea_->held() == 1; }));
    store_.fail_refusals(true);  // as of whoever settles what is another's
    store_.lose(lane);
    ASSERT_TRUE(eventually([&] { return status().waiting == 0; }));
    lea_->release();
    ASSERT_TRUE(eventually([&] { return status().in_flight == 0; }));
    EXPECT_EQ(status().waiting, 0U);
    EXPECT_EQ(lea_->count(), 1U);
    lea_->set_script(accept);
    store_.take_over(lane);
    ASSERT_TRUE(all_accepted(4));
    EXPECT_EQ(store_.accepted_objects(), objects_of(made)) << "in their order";
    EXPECT_FALSE(lea_->overlapped());
}

TEST_F(Running, WhatIsTakenOverMayHaveBeenSentBefore) {
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    start();
    store_.lose(lane);
    const auto made = store_.queue(std::vector<TestStore::Item>(1, {.lane = lane}), true);
    lea_->set_script([](const Arrival& arrival) { return refuse(arrival, {{arrival.objects.front(), 3010}}); });
    store_.take_over(lane);
    ASSERT_TRUE(all_accepted(1));
    EXPECT_EQ(store_.accepted().front().already_there_code, 3010U);
}

TEST_F(Running, ALaneThatIsLostIsForgottenAlsoBeforeTheStoreSaysSo) {
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto other = store_.make_lane("lea-one", "LIID-2");
    start();
    store_.set_lease(lane, {});
    // The store has lost the lane, and what it says of that has not come yet.
    store_.queue(lane, 1);
    store_.queue(other, 1);
    ASSERT_TRUE(all_accepted(1));
    EXPECT_EQ(store_.accepted().front().lane, other);
    ASSERT_TRUE(eventually([&] { return status().waiting == 0; })) << "it is forgotten as if that had come";
    store_.take_over(lane);
    ASSERT_TRUE(all_accepted(2));
}

// -- Rejected messages and suspects -----------------------------------------------------------------------------------

TEST_F(Running, APoisonItemIsRefusedOnceOthersWereAcceptedBetween) {
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto made = store_.queue(std::vector<TestStore::Item>(6, {.lane = lane}), true);
    lea_->set_script([made](const Arrival& arrival) {
        return arrival.objects.front() == made[0].object ? http_status(400) : accept(arrival);
    });
    start();
    ASSERT_TRUE(all_accepted(5));
    ASSERT_TRUE(eventually([&] { return store_.refused().size() == 1; }));
    const auto refusal = store_.refused().at(made[0].row);
    EXPECT_EQ(refusal.code, 400U);
    EXPECT_EQ(refusal.kind, store::Refusal::Kind::http_status);
    EXPECT_FALSE(status().paused);
}

TEST_F(Running, APoisonItemThatAFilterStopsIsSetAsideAndNamed) {
    const auto bad = store_.make_lane("lea-one", "BAD");
    const auto good = store_.make_lane("lea-one", "GOOD");
    const auto made = store_.queue({{.lane = bad, .emergency = true}}, true);
    store_.queue(std::vector<TestStore::Item>(50, {.lane = good}), true);
    const auto filters = std::make_shared<std::atomic<bool>>(true);  // the LEA outlives this function
    lea_->set_script([made, filters](const Arrival& arrival) {
        return *filters && arrival.objects.front() == made[0].object ? http_status(403) : accept(arrival);
    });
    options_.retry.initial = milliseconds(1);
    start();
    ASSERT_TRUE(all_accepted(50));
    ASSERT_TRUE(eventually([&] {
        store_.queue(good, 1);  // something to compare it with
        std::this_thread::sleep_for(milliseconds(5));
        return store_.set_aside_items().size() == 1;
    }));
    EXPECT_EQ(store_.set_aside_items().at(made[0].row).code, 403U);
    EXPECT_THAT(store_.refused(), IsEmpty());
    ASSERT_TRUE(eventually([&] { return status().set_aside_count == 1; }));
    EXPECT_THAT(status().set_aside, testing::ElementsAre(made[0].object));
    EXPECT_FALSE(status().paused);
    // Its LIID goes on, and it is tried again by itself.
    store_.queue(bad, 1);
    ASSERT_TRUE(eventually([&] { return store_.waiting() == 1; }));
    *filters = false;
    ASSERT_TRUE(eventually([&] { return store_.waiting() == 0; }));
    EXPECT_EQ(status().set_aside_count, 0U);
}

TEST_F(Running, WhatWasSetAsideBeforeTheStartIsTriedAgain) {
    const auto made = store_.queue({{.lane = store_.make_lane("lea-one", "BAD")}}, true);
    std::promise<void> aside;
    store_.outbox().set_aside(made[0].row, {403, store::Refusal::Kind::http_status, {}},
                              [&](store::Outcome) { aside.set_value(); });
    aside.get_future().wait();
    start();
    ASSERT_TRUE(all_accepted(1));
    EXPECT_THAT(store_.set_aside_items(), IsEmpty());
}

TEST_F(Running, AMessageLevelErrorOfALoneItemIsTreatedAlike) {
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto made = store_.queue(std::vector<TestStore::Item>(6, {.lane = lane}), true);
    lea_->set_script([made](const Arrival& arrival) {
        auto reply = message_error(3007);
        reply.wrong_transaction = true;  // as of an LEA that could not read the request
        return arrival.objects.front() == made[0].object ? reply : accept(arrival);
    });
    start();
    ASSERT_TRUE(all_accepted(5));
    ASSERT_TRUE(eventually([&] { return store_.refused().size() == 1; }));
    EXPECT_EQ(store_.refused().at(made[0].row).code, 3007U);
    EXPECT_EQ(store_.refused().at(made[0].row).words, "the LEA's words");
}

TEST_F(Running, APoisonItemAloneWaitsForOneToCompareWith) {
    const auto poison = store_.make_lane("lea-one", "POISON");
    const auto made = store_.queue(std::vector<TestStore::Item>(1, {.lane = poison}), true);
    lea_->set_script([made](const Arrival& arrival) {
        return arrival.objects.front() == made[0].object ? http_status(422) : accept(arrival);
    });
    start();
    ASSERT_TRUE(eventually([&] { return lea_->count() >= 5; }));  // tried on, at growing distances
    EXPECT_THAT(store_.refused(), IsEmpty());
    ASSERT_TRUE(eventually([&] { return status().waiting == 1; }));
    const auto other = store_.make_lane("lea-one", "GOOD");
    ASSERT_TRUE(eventually([&] {
        if (store_.refused().empty()) {
            store_.queue(other, 1);
            std::this_thread::sleep_for(milliseconds(5));
        }
        return store_.refused().size() == 1;
    }));
    ASSERT_TRUE(eventually([&] { return !status().paused; }));
}

TEST_F(Running, AnObjectThatExistsWasDeliveredByAnAttemptThatIsForgotten) {
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto before = store_.queue({{.lane = lane}}, true);  // waits at the start: it may have been sent
    lea_->set_script([](const Arrival& arrival) { return refuse(arrival, {{arrival.objects.front(), 3010}}); });
    start();
    ASSERT_TRUE(all_accepted(1));
    EXPECT_EQ(store_.accepted().front().already_there_code, 3010U);
    const auto first = store_.queue(lane, 1);
    ASSERT_TRUE(eventually([&] { return store_.refused().contains(first[0].row); }));
    EXPECT_EQ(store_.refused().at(first[0].row).code, 3010U);
}

TEST_F(Running, ABrokenLeaTurnsNothingIntoRefusals) {
    options_.retry.maximum = std::chrono::hours(1);
    std::vector<TestStore::Made> all;
    for (int i = 0; i < 3; ++i) {
        const auto made = store_.queue(
            std::vector<TestStore::Item>(20, {.lane = store_.make_lane("lea-one", "L" + std::to_string(i))}), true);
        all.insert(all.end(), made.begin(), made.end());
    }
    lea_->set_script([](const Arrival&) { return http_status(400); });
    start();
    ASSERT_TRUE(paused(metrics::Pause::refusals));
    ASSERT_TRUE(eventually([&] { return status().in_flight == 0 && status().waiting == 60; }));
    EXPECT_THAT(store_.refused(), IsEmpty());
    EXPECT_LE(lea_->count(), 30U);
    lea_->set_script(accept);
    delivery_->probe_now("lea-one");
    ASSERT_TRUE(all_accepted(60));
    EXPECT_THAT(store_.refused(), IsEmpty());
    std::map<store::LaneId, store::RowId> last;
    for (const auto& one : store_.accepted()) {  // the order is what it was
        EXPECT_LT(last[one.lane], one.row);
        last[one.lane] = one.row;
    }
}

TEST_F(Running, WhereTheComparisonFailsNobodyIsToBlame) {
    options_.connections = 1;
    options_.retry.maximum = milliseconds(300);
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto made = store_.queue(std::vector<TestStore::Item>(4, {.lane = lane}), true);
    lea_->set_script([](const Arrival&) { return http_status(400); });
    start();
    ASSERT_TRUE(paused(metrics::Pause::refusals));
    ASSERT_TRUE(eventually([&] { return lea_->count() >= 6; }));
    const auto first = lea_->objects();
    for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(first[i], made[0].object);
    }
    EXPECT_TRUE(std::ranges::find(first, made[1].object) != first.end()) << "where nothing else is, the next is tried";
    lea_->set_script(accept);
    ASSERT_TRUE(all_accepted(4));
    EXPECT_THAT(store_.accepted_objects(), UnorderedElementsAreArray(objects_of(made)));
    EXPECT_THAT(store_.refused(), IsEmpty());
}

TEST_F(Running, ARejectedMessageOfSeveralSendsEachAlone) {
    options_.max_actions_per_message = 6;
    options_.connections = 1;
    const auto a = store_.make_lane("lea-one", "A");
    const auto b = store_.make_lane("lea-one", "B");
    auto made = store_.queue({{.lane = a}, {.lane = a}, {.lane = a}, {.lane = b}, {.lane = b}, {.lane = b}}, true);
    const auto poison = made[1].object;
    lea_->set_script([poison](const Arrival& arrival) {
        return std::ranges::find(arrival.objects, poison) != arrival.objects.end() ? message_error(3007)
                                                                                   : accept(arrival);
    });
    start();
    ASSERT_TRUE(all_accepted(5));
    ASSERT_TRUE(eventually([&] { return store_.refused().size() == 1; }));
    EXPECT_TRUE(store_.refused().contains(made[1].row));
    const auto arrivals = lea_->arrivals();
    EXPECT_THAT(arrivals[0].objects, SizeIs(6));
    for (std::size_t i = 1; i < arrivals.size(); ++i) {
        EXPECT_THAT(arrivals[i].objects, SizeIs(1));
    }
    // Together again afterwards.
    store_.queue({{.lane = a}, {.lane = a}, {.lane = b}});
    ASSERT_TRUE(all_accepted(8));
}

// -- Pauses -----------------------------------------------------------------------------------------------------------

TEST_F(Running, CredentialsAndRedirectsPauseAndAreProbed) {
    options_.connections = 1;
    const auto code = std::make_shared<std::atomic<unsigned>>(401);  // the LEA outlives this function
    lea_->set_script([code](const Arrival& arrival) { return *code == 200 ? accept(arrival) : http_status(*code); });
    start();
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto made = store_.queue(lane, 3);
    ASSERT_TRUE(paused(metrics::Pause::credentials));
    EXPECT_THAT(store_.refused(), IsEmpty());
    ASSERT_TRUE(eventually([&] { return lea_->count() >= 4; }));
    *code = 307;
    ASSERT_TRUE(paused(metrics::Pause::redirect));
    *code = 403;
    ASSERT_TRUE(paused(metrics::Pause::credentials));
    EXPECT_EQ(lea_->most_at_once(), 1U);
    *code = 200;
    ASSERT_TRUE(all_accepted(3));
    EXPECT_THAT(store_.accepted_objects(), UnorderedElementsAreArray(objects_of(made)));
    EXPECT_FALSE(status().paused);
    EXPECT_FALSE(status().last_failure);
}

TEST_F(Running, APausedDestinationIsNotHammered) {
    options_.retry.initial = std::chrono::hours(1);
    options_.retry.maximum = std::chrono::hours(1);
    const auto closed = std::make_shared<std::atomic<bool>>(true);  // the LEA outlives this function
    lea_->set_script([closed](const Arrival& arrival) { return *closed ? http_status(403) : accept(arrival); });
    start();
    for (int i = 0; i < 30; ++i) {
        store_.queue(store_.make_lane("lea-one", "L" + std::to_string(i)), 2);
    }
    ASSERT_TRUE(paused(metrics::Pause::credentials));
    ASSERT_TRUE(eventually([&] { return status().waiting == 60; }));
    EXPECT_LE(lea_->count(), 6U);  // as many as there are connections, and two to be sure
    EXPECT_EQ(status().last_failure, metrics::Attempt::unauthorised);
    EXPECT_FALSE(delivery_->probe_now("elsewhere"));
    *closed = false;
    EXPECT_TRUE(delivery_->probe_now("lea-one"));
    ASSERT_TRUE(all_accepted(60));
}

TEST_F(Running, AnOperatorPausesAndResumesADestination) {
    start();
    EXPECT_FALSE(delivery_->pause("elsewhere"));
    EXPECT_FALSE(delivery_->resume("elsewhere"));
    EXPECT_TRUE(delivery_->pause("lea-one"));
    ASSERT_TRUE(paused(metrics::Pause::by_operator));
    EXPECT_TRUE(status().paused_since);
    store_.queue(store_.make_lane("lea-one", "LIID-1"), 3);
    ASSERT_TRUE(eventually([&] { return status().waiting == 3; }));
    ASSERT_TRUE(delivery_->reconfigure(settings()));
    delivery_->probe_now("lea-one");
    store_.say_health(true);
    boost::asio::post(io_, boost::asio::use_future([] {})).get();
    EXPECT_EQ(lea_->count(), 0U);
    EXPECT_TRUE(delivery_->resume("lea-one"));
    ASSERT_TRUE(all_accepted(3));
    EXPECT_FALSE(status().paused);
}

TEST_F(Running, APauseLastsOverAStartAndWhileTheDestinationIsNotConfigured) {
    const model::Instant since{1'795'342'500, 0};
    store_.put({"lea-one", since, "alice"});
    store_.put({"lea-two", since, "alice"});
    store_.queue({{.lane = store_.make_lane("lea-one", "LIID-1")}}, true);
    start();
    ASSERT_TRUE(paused(metrics::Pause::by_operator));
    EXPECT_EQ(status().paused_since, since);
    auto all = settings();
    all.destinations.push_back(destination("lea-two", *lea_));
    all.destinations.push_back(destination("lea-three", *lea_));
    ASSERT_TRUE(delivery_->reconfigure(all));
    store_.queue(store_.make_lane("lea-two", "LIID-2"), 1);
    store_.queue(store_.make_lane("lea-three", "LIID-3"), 1);
    ASSERT_TRUE(all_accepted(1));
    EXPECT_EQ(status("lea-two").paused, metrics::Pause::by_operator);
    EXPECT_EQ(status("lea-two").paused_since, since);
    EXPECT_EQ(status("lea-two").uploads.paused, metrics::Pause::by_operator);
    EXPECT_EQ(lea_->count(), 1U);
    for (const auto* name : {"lea-one", "lea-two"}) {
        EXPECT_TRUE(delivery_->resume(name));
    }
    ASSERT_TRUE(all_accepted(3));
    EXPECT_FALSE(status().paused);
    EXPECT_FALSE(status("lea-two").uploads.paused);
}

TEST_F(Running, ServerCertificateOfAnotherCaPausesWithoutSending) {
    lea_ = std::make_unique<Lea>(accept, lihandover::test::server_context("other-server"));
    tls_ = lihandover::test::client_context();
    start();
    store_.queue(store_.make_lane("lea-one", "LIID-1"), 2);
    ASSERT_TRUE(paused(metrics::Pause::tls));
    EXPECT_EQ(lea_->count(), 0U);
    EXPECT_EQ(status().last_failure, metrics::Attempt::tls_failed);
}

TEST_F(Running, OurCertificateNotWantedPausesAndAReloadHeals) {
    options_.retry.maximum = std::chrono::hours(1);
    lea_ = std::make_unique<Lea>(accept, lihandover::test::server_context());
    tls_ = lihandover::test::client_context("other-client");
    start();
    store_.queue(store_.make_lane("lea-one", "LIID-1"), 2);
    ASSERT_TRUE(paused(metrics::Pause::tls));
    EXPECT_EQ(lea_->count(), 0U);
    tls_ = lihandover::test::client_context();
    ASSERT_TRUE(delivery_->reconfigure(settings()));
    ASSERT_TRUE(all_accepted(2));
    EXPECT_FALSE(status().paused);
}

TEST_F(Running, SenselessAnswersAreRetriedAndPauseWhenTheyRun) {
    options_.connections = 1;
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto made = store_.queue(std::vector<TestStore::Item>(3, {.lane = lane}), true);
    lea_->set_script([](const Arrival& arrival) {
        auto reply = accept(arrival);
        switch (arrival.number) {
            case 0:
                return garbage();
            case 1:
                reply.wrong_transaction = true;
                return reply;
            case 3:
                reply.answers.clear();
                reply.answers.push_back({5, hi1::ActionAnswer::Kind::accepted, arrival.objects.front(), {}});
                return reply;
            case 4:
                return http_status(204);
            default:
                return reply;
        }
    });
    start();
    ASSERT_TRUE(all_accepted(3));
    EXPECT_THAT(store_.accepted_objects(), ElementsAreArray(objects_of(made)));
    EXPECT_EQ(lea_->count(), 7U);
    options_.retry.maximum = std::chrono::hours(1);
    ASSERT_TRUE(delivery_->reconfigure(settings()));
    lea_->set_script([](const Arrival&) { return garbage(); });
    store_.queue(lane, 1);
    ASSERT_TRUE(paused(metrics::Pause::senseless_answer));
    EXPECT_THAT(store_.refused(), IsEmpty());
}

TEST_F(Running, OneLiidAnsweredSenselesslyDoesNotStopTheOthers) {
    options_.retry.maximum = std::chrono::hours(1);
    lea_->set_script(
        [](const Arrival& arrival) { return arrival.liids.front() == "BAD" ? garbage() : accept(arrival); });
    start();
    store_.queue(store_.make_lane("lea-one", "BAD"), 3);
    ASSERT_TRUE(paused(metrics::Pause::senseless_answer));
    store_.queue(store_.make_lane("lea-one", "GOOD"), 10);
    ASSERT_TRUE(all_accepted(10));
}

TEST_F(Running, UnansweredAndTwiceAnsweredActionsAreTriedAgain) {
    options_.max_actions_per_message = 3;
    options_.connections = 1;
    const auto a = store_.make_lane("lea-one", "A");
    const auto b = store_.make_lane("lea-one", "B");
    const auto c = store_.make_lane("lea-one", "C");
    const auto made = store_.queue({{.lane = a}, {.lane = b}, {.lane = c}}, true);
    lea_->set_script([](const Arrival& arrival) {
        auto reply = accept(arrival);
        if (arrival.number == 0) {
            reply.answers.push_back(reply.answers[1]);   // twice
            reply.answers.erase(reply.answers.begin());  // not at all
        }
        return reply;
    });
    start();
    ASSERT_TRUE(all_accepted(3));
    EXPECT_EQ(store_.accepted().front().object_id, made[2].object);
    EXPECT_THAT(store_.accepted_objects(), UnorderedElementsAreArray(objects_of(made)));
    EXPECT_THAT(store_.refused(), IsEmpty());
}

// -- An LEA that is not there -----------------------------------------------------------------------------------------

TEST_F(Running, DroppedConnectionsAndServerErrorsAreRetriedInOrder) {
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto made = store_.queue(std::vector<TestStore::Item>(5, {.lane = lane}), true);
    lea_->set_script([](const Arrival& arrival) {
        auto reply = accept(arrival);
        switch (arrival.number % 5) {
            case 0:
                reply.drop = true;
                return reply;
            case 1:
                return http_status(503);
            case 2:
                return http_status(408);
            case 3:
                reply.close = true;
                return reply;
            default:
                return reply;
        }
    });
    start();
    ASSERT_TRUE(all_accepted(5));
    EXPECT_THAT(store_.accepted_objects(), ElementsAreArray(objects_of(made)));
    EXPECT_FALSE(lea_->overlapped());
    EXPECT_THAT(store_.refused(), IsEmpty());
}

TEST_F(Running, ADownDestinationIsProbedByOneAndComesBack) {
    options_.connections = 8;
    options_.retry.maximum = milliseconds(20);
    const auto port = lea_->port();
    auto all = settings();
    lea_.reset();  // nobody listens
    std::size_t count = 0;
    for (int i = 0; i < 20; ++i) {
        store_.queue(std::vector<TestStore::Item>(3, {.lane = store_.make_lane("lea-one", "L" + std::to_string(i))}),
                     true);
        count += 3;
    }
    start(std::move(all));
    ASSERT_TRUE(eventually([&] { return status().last_failure == metrics::Attempt::connect_failed; }));
    ASSERT_TRUE(paused(metrics::Pause::unreachable));
    ASSERT_TRUE(eventually([&] { return status().next_attempt.has_value(); }));
    ASSERT_TRUE(eventually([&] { return status().waiting == count; }));
    lea_ = std::make_unique<Lea>(accept, nullptr, port);
    ASSERT_TRUE(all_accepted(count));
    EXPECT_FALSE(lea_->overlapped());
}

TEST_F(Running, AFailingDestinationIsNotHammered) {
    options_.connections = 8;
    options_.retry.initial = std::chrono::hours(1);
    options_.retry.maximum = std::chrono::hours(1);
    lea_->set_script([](const Arrival&) { return http_status(500); });
    for (int i = 0; i < 100; ++i) {
        store_.queue(std::vector<TestStore::Item>(1, {.lane = store_.make_lane("lea-one", "L" + std::to_string(i))}),
                     true);
    }
    start();
    ASSERT_TRUE(eventually([&] { return status().next_attempt.has_value() && status().in_flight == 0; }));
    EXPECT_LE(lea_->count(), 10U);
    lea_->set_script(accept);
    delivery_->probe_now("lea-one");
    ASSERT_TRUE(all_accepted(100));
}

TEST_F(Running, RetryAfterToldToTwoLiidsHoldsTheDestination) {
    options_.connections = 2;
    options_.retry.maximum = std::chrono::hours(2);
    lea_->set_script([](const Arrival&) { return http_status(429, "3600"); });
    start();
    for (int i = 0; i < 10; ++i) {
        store_.queue(store_.make_lane("lea-one", "L" + std::to_string(i)), 1);
    }
    ASSERT_TRUE(eventually([&] { return status().next_attempt.has_value() && status().in_flight == 0; }));
    const auto wait = status().next_attempt->seconds - model::system_clock().wall().seconds;
    EXPECT_GT(wait, 3000);
    EXPECT_LE(wait, 3600);
    EXPECT_FALSE(status().paused);
    EXPECT_LE(lea_->count(), 3U);
    lea_->set_script(
        [](const Arrival& arrival) { return arrival.number % 2 == 0 ? http_status(503, "0") : accept(arrival); });
    delivery_->resume("lea-one");
    ASSERT_TRUE(all_accepted(10));
}

TEST_F(Running, NoAnswerInTimeIsRetried) {
    options_.timeout = milliseconds(200);
    lea_->set_script([](const Arrival& arrival) {
        auto reply = accept(arrival);
        reply.hold = arrival.number == 0;
        return reply;
    });
    start();
    const auto made = store_.queue(store_.make_lane("lea-one", "LIID-1"), 2);
    ASSERT_TRUE(all_accepted(2));
    EXPECT_THAT(store_.accepted_objects(), ElementsAreArray(objects_of(made)));
    EXPECT_NE(metric("lihandover_delivery_attempts_total{destination=\"lea-one\",outcome=\"timed_out\"} "), "0");
}

TEST_F(Running, AConnectionClosedWhileIdleCostsNothing) {
    options_.retry.initial = std::chrono::hours(1);
    options_.retry.maximum = std::chrono::hours(1);
    lea_->set_script([](const Arrival& arrival) {
        auto reply = accept(arrival);
        reply.drop = arrival.number == 1;  // the second message meets a connection that dies
        return reply;
    });
    start();
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    store_.queue(lane, 1);
    ASSERT_TRUE(all_accepted(1));
    store_.queue(lane, 1);
    ASSERT_TRUE(all_accepted(2));
    const auto arrivals = lea_->arrivals();
    ASSERT_THAT(arrivals, SizeIs(3));
    EXPECT_EQ(arrivals[1].objects, arrivals[2].objects);
    EXPECT_NE(arrivals[1].transaction, arrivals[2].transaction);  // another attempt, another transaction
}

// -- The store --------------------------------------------------------------------------------------------------------

TEST_F(Running, NothingIsSentWhileTheStoreCannotCommit) {
    start();
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    store_.say_health(false);
    store_.queue(lane, 5);
    ASSERT_TRUE(eventually([&] { return status().waiting == 5; }));
    EXPECT_EQ(lea_->count(), 0U);
    store_.say_health(true);
    ASSERT_TRUE(all_accepted(5));
}

TEST_F(Running, AcceptancesOnTheirWayAreBounded) {
    options_.connections = 8;
    options_.max_actions_per_message = 100;
    store_.set_committing(false);
    const std::size_t count = 10'000;
    for (int i = 0; i < 10; ++i) {
        store_.queue(std::vector<TestStore::Item>(
                         count / 10, {.lane = store_.make_lane("lea-one", "L" + std::to_string(i)), .text = ""}),
                     true);
    }
    start();
    ASSERT_TRUE(eventually([&] { return lea_->objects().size() >= 8'192 && status().in_flight == 0; }));
    EXPECT_LE(lea_->objects().size(), 8'192U + 8 * 100);
    EXPECT_THAT(store_.accepted(), IsEmpty());
    store_.set_committing(true);
    ASSERT_TRUE(all_accepted(count));
    EXPECT_EQ(lea_->objects().size(), count);
}

TEST_F(Running, AStoreThatCannotBeReadIsTriedAgain) {
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    start();
    store_.fail_reads(true);
    const auto made = store_.queue(lane, 2);
    ASSERT_TRUE(eventually([&] { return store_.loads() > 0; }));
    EXPECT_EQ(lea_->count(), 0U);
    store_.fail_reads(false);
    ASSERT_TRUE(all_accepted(2));
    EXPECT_THAT(store_.accepted_objects(), ElementsAreArray(objects_of(made)));
}

TEST_F(Running, AnItemThatCannotBeReadAtPresentHoldsUpItsLiidAlone) {
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto other = store_.make_lane("lea-one", "LIID-2");
    const auto unreadable = store_.queue(lane, 2);
    const auto made = store_.queue(other, 20);
    store_.make_unreadable(unreadable[0].row, true);
    start();
    ASSERT_TRUE(all_accepted(20));
    EXPECT_THAT(store_.accepted_objects(), ElementsAreArray(objects_of(made)));
    const auto loads = store_.loads();
    ASSERT_TRUE(eventually([&] { return store_.loads() > loads + 1; })) << "it is tried again";
    EXPECT_EQ(store_.waiting(), 2U);
    store_.make_unreadable(unreadable[0].row, false);
    ASSERT_TRUE(all_accepted(22));
    EXPECT_EQ(store_.accepted_objects().at(20), unreadable[0].object) << "in their order";
}

TEST_F(Running, ItemsWhoseObjectsNobodyCouldFetchWaitAndNoOthers) {
    auto without = settings();
    without.objects_served = false;
    start(without);
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto other = store_.make_lane("lea-one", "LIID-2");
    TestStore::Binary fetched{.url_prefix = "https://csp.example/"};
    fetched.model = model::BinaryModel::a;
    const TestStore::Binary pushed{.url_prefix = lea_->objects_url()};
    const auto made = store_.queue({{.lane = lane, .broken = true},  // it leaves the one behind it in front
                                    {.lane = lane, .binaries = {fetched}},
                                    {.lane = lane},
                                    {.lane = other, .binaries = {pushed}},
                                    {.lane = other}});
    ASSERT_TRUE(all_accepted(2));
    EXPECT_THAT(store_.accepted_objects(), testing::ElementsAre(made[3].object, made[4].object));
    ASSERT_TRUE(eventually([&] { return store_.refused().size() == 1; }));
    ASSERT_TRUE(delivery_->reconfigure(settings()));
    ASSERT_TRUE(all_accepted(4));
    EXPECT_THAT(store_.accepted_objects(),
                testing::ElementsAre(made[3].object, made[4].object, made[1].object, made[2].object));
}

TEST_F(Running, AnItemThatCannotBeReadIsPutAsideAndTheNextGoes) {
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    const auto made = store_.queue({{.lane = lane, .broken = true}, {.lane = lane}}, true);
    start();
    ASSERT_TRUE(all_accepted(1));
    ASSERT_TRUE(eventually([&] { return store_.refused().size() == 1; }));
    EXPECT_EQ(store_.refused().at(made[0].row).kind, store::Refusal::Kind::invalid_document);
    EXPECT_EQ(lea_->count(), 1U);
}

TEST_F(Running, RejectedItemsAreNotSent) {
    start();
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    store_.say_health(false);
    const auto made = store_.queue(lane, 4);
    ASSERT_TRUE(eventually([&] { return status().waiting == 4; }));
    store_.reject(made[1].row);
    store_.reject(made[2].row, false);  // nobody says so, but the row is gone
    ASSERT_TRUE(eventually([&] { return status().waiting == 3 && store_.waiting() == 2; }));
    store_.say_health(true);
    ASSERT_TRUE(all_accepted(2));
    const std::vector<model::Uuid> left = {made[0].object, made[3].object};
    EXPECT_THAT(store_.accepted_objects(), ElementsAreArray(left));
    EXPECT_THAT(lea_->objects(), ElementsAreArray(left));
    ASSERT_TRUE(eventually([&] { return status().waiting == 0; }));
}

TEST_F(Running, RejectedItemsThatWereReadAheadAreNotSentEither) {
    options_.retry.maximum = std::chrono::hours(1);
    const auto closed = std::make_shared<std::atomic<bool>>(true);  // the LEA outlives this function
    lea_->set_script([closed](const Arrival& arrival) { return *closed ? http_status(403) : accept(arrival); });
    start();
    const auto made = store_.queue(store_.make_lane("lea-one", "LIID-1"), 4);
    ASSERT_TRUE(paused(metrics::Pause::credentials));
    store_.reject(made[0].row);
    store_.reject(made[2].row);
    ASSERT_TRUE(eventually([&] { return status().waiting == 2; }));
    *closed = false;
    delivery_->probe_now("lea-one");
    ASSERT_TRUE(all_accepted(2));
    const std::vector<model::Uuid> left = {made[1].object, made[3].object};
    EXPECT_THAT(store_.accepted_objects(), ElementsAreArray(left));
}

TEST_F(Running, AnItemRejectedWhileItsConnectionIsRenewedIsNotSent) {
    lea_ = std::make_unique<Lea>(accept, lihandover::test::server_context());
    Relay relay(lea_->port());
    tls_ = lihandover::test::client_context();
    options_.connections = 1;
    auto all = settings();
    all.destinations[0].options.url = "https://127.0.0.1:" + std::to_string(relay.port()) + "/hi";
    start(all);
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    store_.queue(lane, 1);
    ASSERT_TRUE(all_accepted(1));
    relay.hold();
    relay.close_all();
    ASSERT_TRUE(eventually([&] { return relay.open() == 0; }));
    const auto made = store_.queue(lane, 1);
    ASSERT_TRUE(eventually([&] { return relay.accepted() == 2; }));
    store_.reject(made[0].row);
    store_.queue(lane, 1);
    ASSERT_TRUE(eventually([&] { return status().waiting == 1; }));  // the rejection was heard of before
    relay.let_go();
    ASSERT_TRUE(all_accepted(2));
    EXPECT_EQ(lea_->count(), 2U);
    for (const auto& arrival : lea_->arrivals()) {
        EXPECT_NE(arrival.objects[0], made[0].object);
    }
}

TEST_F(Running, AnItemRejectedInFlightIsNotSentAgain) {
    lea_->set_script([](const Arrival& arrival) {
        if (arrival.number == 0) {
            auto reply = http_status(500);
            reply.hold = true;
            return reply;
        }
        return accept(arrival);
    });
    start();
    const auto made = store_.queue(store_.make_lane("lea-one", "LIID-1"), 2);
    ASSERT_TRUE(eventually([&] { return lea_->held() == 1; }));
    store_.reject(made[0].row);
    std::promise<void> heard;
    store_.post([&] { boost::asio::post(io_, [&] { heard.set_value(); }); });
    heard.get_future().wait();
    lea_->release();
    ASSERT_TRUE(all_accepted(1));
    const std::vector<model::Uuid> sent = {made[0].object, made[1].object};
    EXPECT_THAT(lea_->objects(), ElementsAreArray(sent));
}

TEST_F(Running, WhatARevocationHoldsIsNotSentBeforeItIsApproved) {
    lea_->set_script([](const Arrival& arrival) {
        if (arrival.number == 0) {
            auto reply = http_status(500);
            reply.hold = true;
            return reply;
        }
        return accept(arrival);
    });
    options_.connections = 1;
    start();
    const auto made = store_.queue(store_.make_lane("lea-one", "LIID-1"), 3);
    const auto other = store_.queue(store_.make_lane("lea-one", "LIID-2"), 1);
    ASSERT_TRUE(eventually([&] { return lea_->held() == 1; }));
    store_.revoke("lea-one", "LIID-1");
    std::promise<void> heard;
    store_.post([&] { boost::asio::post(io_, [&] { heard.set_value(); }); });
    heard.get_future().wait();
    EXPECT_LE(status().waiting, 2U) << "the other one's, and the one on its way";
    lea_->release();
    ASSERT_TRUE(all_accepted(1));
    EXPECT_THAT(lea_->objects(), testing::ElementsAre(made[0].object, other[0].object));
    // The one that was on its way and failed is held as the others are.
    for (const std::size_t n : {2U, 0U}) {
        store_.approve(made[n].row);
    }
    ASSERT_TRUE(all_accepted(3));
    EXPECT_EQ(lea_->objects().size(), 4U);
    store_.approve(made[1].row);
    ASSERT_TRUE(all_accepted(4));
    EXPECT_EQ(lea_->objects().back(), made[1].object);
}

// -- Validation -------------------------------------------------------------------------------------------------------

class Validating : public Running {
  protected:
    Validating() {
        auto loaded = handover::Validator::load(std::string(LIHANDOVER_SOURCE_DIR) + "/schemas");
        if (!loaded) {
            throw std::runtime_error(loaded.error().message);
        }
        validator_ = std::make_shared<const handover::Validator>(std::move(*loaded));
    }
    /// A lane whose LIID no schema takes.
    store::LaneId invalid_lane() { return store_.make_lane("lea-one", std::string(60, 'Z')); }
};

TEST_F(Validating, WhatIsInvalidIsNeverSent) {
    validation_ = config::SchemaValidation::all;
    const auto bad = store_.queue(std::vector<TestStore::Item>(1, {.lane = invalid_lane()}), true);
    const auto good = store_.queue(std::vector<TestStore::Item>(3, {.lane = store_.make_lane("lea-one", "L")}), true);
    start();
    ASSERT_TRUE(all_accepted(3));
    ASSERT_TRUE(eventually([&] { return store_.refused().size() == 1; }));
    EXPECT_EQ(store_.refused().at(bad[0].row).kind, store::Refusal::Kind::invalid_document);
    EXPECT_THAT(lea_->objects(), ElementsAreArray(objects_of(good)));
    EXPECT_EQ(metric("lihandover_documents_validated_total{destination=\"lea-one\",outcome=\"invalid\"} "), "1");
}

TEST_F(Validating, OneInvalidItemOfAMessageIsFound) {
    validation_ = config::SchemaValidation::all;
    options_.max_actions_per_message = 10;
    options_.connections = 1;
    const auto lane = store_.make_lane("lea-one", "L");
    std::vector<TestStore::Item> items(4, {.lane = lane});
    items.push_back({.lane = invalid_lane()});
    const auto made = store_.queue(items, true);
    start();
    ASSERT_TRUE(all_accepted(4));
    ASSERT_TRUE(eventually([&] { return store_.refused().size() == 1; }));
    EXPECT_TRUE(store_.refused().contains(made[4].row));
    EXPECT_THAT(lea_->objects(), SizeIs(4));
}

TEST_F(Validating, ASampleTakesTheFirstOfEachLane) {
    validation_ = config::SchemaValidation::sample;
    const auto bad = store_.queue(std::vector<TestStore::Item>(1, {.lane = invalid_lane()}), true);
    start();
    ASSERT_TRUE(eventually([&] { return store_.refused().contains(bad[0].row); }));
    const auto lane = store_.make_lane("lea-one", "L");
    store_.queue(lane, 50);
    ASSERT_TRUE(all_accepted(50));
    EXPECT_EQ(metric("lihandover_documents_validated_total{destination=\"lea-one\",outcome=\"valid\"} "), "1");
}

TEST_F(Validating, ASampleIsOneInAHundredButNotManyASecond) {
    clock_.stop();
    validation_ = config::SchemaValidation::sample;
    options_.connections = 1;
    options_.max_actions_per_message = 1;
    start();
    const auto lane = store_.make_lane("lea-one", "L");
    const auto valid = [this] {
        return metric(R"(lihandover_documents_validated_total{destination="lea-one",outcome="valid"} )");
    };
    store_.queue(lane, 99);
    ASSERT_TRUE(all_accepted(99));
    EXPECT_EQ(valid(), "1") << "the lane's first";
    store_.queue(lane, 300);
    ASSERT_TRUE(all_accepted(399));
    EXPECT_EQ(valid(), "2") << "no time has passed";
    clock_.advance(milliseconds(100));
    store_.queue(lane, 1);
    ASSERT_TRUE(all_accepted(400));
    EXPECT_EQ(valid(), "3") << "more than a hundred since";
    clock_.advance(milliseconds(100));
    store_.queue(lane, 99);
    ASSERT_TRUE(all_accepted(499));
    EXPECT_EQ(valid(), "3");
    store_.queue(lane, 1);
    ASSERT_TRUE(all_accepted(500));
    EXPECT_EQ(valid(), "4");
}

// -- Stop and reload --------------------------------------------------------------------------------------------------

TEST_F(Running, AGentleStopLetsWhatIsOnItsWayFinish) {
    lea_->set_script([](const Arrival& arrival) {
        auto reply = accept(arrival);
        reply.hold = true;
        return reply;
    });
    start();
    for (int i = 0; i < 4; ++i) {
        store_.queue(store_.make_lane("lea-one", "L" + std::to_string(i)), 5);
    }
    ASSERT_TRUE(eventually([&] { return lea_->held() == 4; }));
    auto stopped = boost::asio::co_spawn(io_, delivery_->stop(seconds(60)), boost::asio::use_future);
    lea_->release();
    stopped.get();
    EXPECT_EQ(lea_->count(), 4U);
    ASSERT_TRUE(all_accepted(4));
    EXPECT_EQ(store_.waiting(), 16U);
    EXPECT_EQ(status().in_flight, 0U);
}

TEST_F(Running, AStopCutsWhatDoesNotFinishAndLosesNothing) {
    lea_->set_script([](const Arrival& arrival) {
        auto reply = accept(arrival);
        reply.hold = true;
        return reply;
    });
    start();
    const auto made = store_.queue(store_.make_lane("lea-one", "LIID-1"), 3);
    ASSERT_TRUE(eventually([&] { return lea_->held() == 1; }));
    stop_delivery(milliseconds(10));
    EXPECT_THAT(store_.accepted(), IsEmpty());
    EXPECT_EQ(store_.waiting(), 3U);
    stop_delivery(milliseconds(10));  // twice does no harm
}

TEST_F(Running, AReloadChangesTheAddressWithoutLosingAnything) {
    Lea second(accept);
    lea_->set_script([](const Arrival& arrival) {
        auto reply = accept(arrival);
        reply.hold = arrival.number >= 5;
        return reply;
    });
    options_.connections = 1;
    start();
    const auto made = store_.queue(store_.make_lane("lea-one", "LIID-1"), 20);
    ASSERT_TRUE(eventually([&] { return lea_->held() == 1; }));
    Settings changed;
    changed.destinations.push_back(destination("lea-one", second));
    changed.schema_validation = config::SchemaValidation::off;
    ASSERT_TRUE(delivery_->reconfigure(changed));
    lea_->release();
    ASSERT_TRUE(all_accepted(20));
    EXPECT_THAT(store_.accepted_objects(), ElementsAreArray(objects_of(made)));
    EXPECT_GE(second.count(), 14U);
    EXPECT_LE(lea_->count() + second.count(), 20U);
}

TEST_F(Running, AReloadDuringAHandshakeSendsNothingToTheOldAddress) {
    lea_ = std::make_unique<Lea>(accept, lihandover::test::server_context());
    Lea second(accept, lihandover::test::server_context());
    Relay old(lea_->port());
    old.hold();
    tls_ = lihandover::test::client_context();
    options_.connections = 1;
    auto before = settings();
    before.destinations[0].options.url = "https://127.0.0.1:" + std::to_string(old.port()) + "/hi";
    start(before);
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    store_.queue(lane, 1);
    ASSERT_TRUE(eventually([&] { return old.accepted() == 1; }));
    auto after = settings();
    after.destinations[0] = destination("lea-one", second);
    ASSERT_TRUE(delivery_->reconfigure(after));
    store_.queue(lane, 1);
    ASSERT_TRUE(all_accepted(2)) << "while the old handshake hangs";
    old.let_go();
    store_.queue(lane, 1);
    ASSERT_TRUE(all_accepted(3));
    EXPECT_EQ(second.count(), 3U);
    EXPECT_EQ(lea_->count(), 0U);
}

TEST_F(Running, AReloadReachesTheConnectionsThatStand) {
    options_.connections = 1;
    start();
    const auto lane = store_.make_lane("lea-one", "LIID-1");
    store_.queue(lane, 1);
    ASSERT_TRUE(all_accepted(1));
    lea_->set_script([](const Arrival& arrival) {
        return arrival.number < 3 ? refuse(arrival, {{arrival.objects.front(), 3900}}) : accept(arrival);
    });
    options_.retry.error_codes = {3900};
    ASSERT_TRUE(delivery_->reconfigure(settings()));
    store_.queue(lane, 1);
    EXPECT_TRUE(all_accepted(2));
    EXPECT_TRUE(store_.refused().empty());
}

TEST_F(Running, DestinationsComeAndGo) {
    Lea second(accept);
    const auto early = store_.make_lane("lea-two", "LIID-1");
    store_.queue(std::vector<TestStore::Item>(2, {.lane = early}), true);  // waits for one that is not configured
    start();
    EXPECT_EQ(delivery_->status().size(), 2U);
    EXPECT_EQ(status("lea-two").waiting, 2U);
    ASSERT_TRUE(delivery_->reconfigure(settings()));  // still waits
    auto both = settings();
    both.destinations.push_back(destination("lea-two", second));
    ASSERT_TRUE(delivery_->reconfigure(both));
    ASSERT_TRUE(all_accepted(2));
    ASSERT_TRUE(eventually([&] { return status("lea-two").in_flight == 0; }));
    ASSERT_TRUE(delivery_->reconfigure(settings()));
    ASSERT_TRUE(eventually([&] { return delivery_->status().size() == 1; }));
    ASSERT_TRUE(delivery_->reconfigure(both));
    ASSERT_TRUE(eventually([&] { return delivery_->status().size() == 2; }));
    store_.queue(early, 2);
    ASSERT_TRUE(all_accepted(4));
}

TEST_F(Running, ADestinationThatGoesWithItemsGoesWhenItIsThrough) {
    Lea second([](const Arrival& arrival) {
        auto reply = accept(arrival);
        reply.hold = true;
        return reply;
    });
    auto both = settings();
    both.destinations.push_back(destination("lea-two", second));
    start(both);
    store_.queue(store_.make_lane("lea-two", "LIID-1"), 3);
    ASSERT_TRUE(eventually([&] { return second.held() == 1; }));
    ASSERT_TRUE(delivery_->reconfigure(settings()));
    second.release();
    ASSERT_TRUE(all_accepted(3));
    ASSERT_TRUE(eventually([&] { return delivery_->status().size() == 1; }));
}

TEST_F(Running, FewerConnectionsAfterAReload) {
    start();
    for (int i = 0; i < 8; ++i) {
        store_.queue(store_.make_lane("lea-one", "L" + std::to_string(i)), 20);
    }
    ASSERT_TRUE(all_accepted(160));
    options_.connections = 1;
    ASSERT_TRUE(delivery_->reconfigure(settings()));
    ASSERT_TRUE(eventually([&] { return status().connections <= 1; }));
    store_.queue(store_.make_lane("lea-one", "M"), 20);
    ASSERT_TRUE(all_accepted(180));
}

TEST_F(Running, BadSettingsAreRefused) {
    const Parts parts{store_.outbox(), store_.uploads(),      store_.lanes(),
                      metrics_,        model::system_clock(), pool_.get_executor()};
    auto all = settings();
    all.destinations.front().options.url = "ftp://lea.example.com/";
    EXPECT_FALSE(Delivery::create(io_.get_executor(), parts, all));
    all = settings();
    all.destinations.front().options.url = "https://lea.example.com/";
    EXPECT_FALSE(Delivery::create(io_.get_executor(), parts, all));
    all = settings();
    all.schema_validation = config::SchemaValidation::all;
    EXPECT_FALSE(Delivery::create(io_.get_executor(), parts, all));
    all = settings();
    all.destinations.push_back(all.destinations.front());
    EXPECT_FALSE(Delivery::create(io_.get_executor(), parts, all));
}

TEST_F(Running, ChaosLosesNothingAndKeepsTheOrder) {
    options_.connections = 6;
    options_.max_actions_per_message = 3;
    options_.retry.initial = milliseconds(1);
    options_.retry.maximum = milliseconds(10);
    options_.retry.error_codes = {3050};
    lea_->set_script([seed = 1U](const Arrival& arrival) mutable {
        const auto dice = (seed = seed * 1103515245U + 12345U) >> 16;
        auto reply = accept(arrival);
        switch (dice % 16) {
            case 0:
                return http_status(500);
            case 1:
                return http_status(503, "0");
            case 2:
                return garbage();
            case 3:
                reply.drop = true;
                return reply;
            case 4:
                reply.wrong_transaction = true;
                return reply;
            case 5:
                reply.answers.pop_back();
                return reply;
            case 6:
                return refuse(arrival, {{arrival.objects.front(), 3050}});
            case 7:
                return http_status(401);
            case 8:
                reply.close = true;
                return reply;
            default:
                return reply;
        }
    });
    start();
    std::map<store::LaneId, std::vector<model::Uuid>> expected;
    std::vector<store::LaneId> lanes;
    lanes.reserve(10);
    for (int i = 0; i < 10; ++i) {
        lanes.push_back(store_.make_lane("lea-one", "L" + std::to_string(i)));
    }
    for (int round = 0; round < 10; ++round) {
        for (const auto lane : lanes) {
            for (const auto& made : store_.queue(lane, 2)) {
                expected[lane].push_back(made.object);
            }
        }
    }
    ASSERT_TRUE(all_accepted(200));
    EXPECT_FALSE(lea_->overlapped());
    EXPECT_THAT(store_.refused(), IsEmpty());
    std::map<store::LaneId, std::vector<model::Uuid>> accepted;
    for (const auto& one : store_.accepted()) {
        accepted[one.lane].push_back(one.object_id);
    }
    for (auto& [lane, objects] : accepted) {
        EXPECT_THAT(objects, UnorderedElementsAreArray(expected[lane]));  // each exactly once
    }
    EXPECT_EQ(store_.waiting(), 0U);
}

}  // namespace
}  // namespace lihandover::delivery::test
