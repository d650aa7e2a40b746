#include "lihandover/metrics/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

namespace lihandover::metrics {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
        lines.push_back(line);
    }
    return lines;
}

TEST(Metrics, SeriesOfASourceBeginAtZero) {
    Metrics metrics;
    static_cast<void>(metrics.source("local"));
    const std::string text = metrics.render();
    EXPECT_THAT(text, HasSubstr("lihandover_events_received_total{source=\"local\"} 0\n"));
    for (const std::string_view reason : rejection_names) {
        EXPECT_THAT(text, HasSubstr("reason=\"" + std::string(reason) + "\""));
    }
}

TEST(Metrics, ASourceOfTasksHasItsOwn) {
    Metrics metrics;
    const X2x3Metrics& source = metrics.x2x3("as-1");
    source.pdus(PduOutcome::unknown_xid).add(7);
    source.sequence_gaps.add();
    source.sessions.set(3);
    const std::string text = metrics.render();
    EXPECT_THAT(text, HasSubstr("lihandover_x2x3_pdus_total{outcome=\"unknown_xid\",source=\"as-1\"} 7\n"));
    for (const std::string_view outcome : pdu_outcome_names) {
        EXPECT_THAT(text, HasSubstr("lihandover_x2x3_pdus_total{outcome=\"" + std::string(outcome) + "\""));
    }
    EXPECT_THAT(text, HasSubstr("lihandover_x2x3_sequence_gaps_total{source=\"as-1\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("lihandover_x2x3_sessions{source=\"as-1\"} 3\n"));
    EXPECT_THAT(text, HasSubstr("lihandover_events_received_total{source=\"as-1\"} 0\n"));
    EXPECT_THAT(text, Not(HasSubstr("lihandover_intake_answers_total"))) << "it answers nothing";
}

TEST(MetricsDeathTest, AGaugeThatWouldGoBelowZeroIsFound) {
    Metrics metrics;
    const SourceMetrics& source = metrics.source("local");
    source.connections.add(1);
    source.connections.add(-1);
    EXPECT_DEATH(source.connections.add(-1), "a gauge does not go below zero");
}

TEST(Metrics, CountsUnderItsOwnLabels) {
    Metrics metrics;
    const SourceMetrics& source = metrics.source("local");
    source.received.add(3);
    source.accepted.add(2);
    source.rejected(Rejection::too_large).add();
    source.answered(202);
    source.answered(202);
    source.answered(418);
    source.connections.set(2);
    source.connections.add(-1);
    const DestinationMetrics& destination = metrics.destination("lea-one");
    destination.items(ItemOutcome::delivered).add(5);
    destination.attempts(Attempt::tls_failed).add();
    destination.documents_invalid.add();
    metrics.reloads(ReloadOutcome::failed).add();
    metrics.store_failures(StoreFailure::disk_full).add();

    const std::string text = metrics.render();
    for (const char* const line :
         {R"(lihandover_events_received_total{source="local"} 3)",
          R"(lihandover_events_accepted_total{source="local"} 2)",
          R"(lihandover_events_rejected_total{reason="too_large",source="local"} 1)",
          R"(lihandover_events_rejected_total{reason="malformed",source="local"} 0)",
          R"(lihandover_intake_answers_total{code="202",source="local"} 2)",
          R"(lihandover_intake_answers_total{code="other",source="local"} 1)",
          R"(lihandover_intake_connections{source="local"} 1)",
          R"(lihandover_items_total{destination="lea-one",outcome="delivered"} 5)",
          R"(lihandover_delivery_attempts_total{destination="lea-one",outcome="tls_failed"} 1)",
          R"(lihandover_documents_validated_total{destination="lea-one",outcome="invalid"} 1)",
          R"(lihandover_reloads_total{outcome="failed"} 1)", R"(lihandover_reloads_total{outcome="done"} 0)",
          R"(lihandover_store_failures_total{kind="disk_full"} 1)"}) {
        EXPECT_THAT(text, HasSubstr(std::string(line) + "\n"));
    }
}

TEST(Metrics, HandlesAreFoundAgain) {
    Metrics metrics;
    const SourceMetrics* const first = &metrics.source("a");
    for (int n = 0; n < 100; ++n) {
        static_cast<void>(metrics.source("b" + std::to_string(n)));
    }
    EXPECT_EQ(&metrics.source("a"), first);
    EXPECT_EQ(&metrics.destination("x"), &metrics.destination("x"));
}

TEST(Metrics, HistogramsCountAnObservationInEachBucketAboveIt) {
    Metrics metrics;
    metrics.destination("lea-one").delivery_seconds.observe(0.02);
    metrics.store_commit_seconds().observe(0.002);
    const std::string text = metrics.render();
    EXPECT_THAT(text, HasSubstr("lihandover_delivery_seconds_bucket{destination=\"lea-one\",le=\"0.01\"} 0\n"));
    EXPECT_THAT(text, HasSubstr("lihandover_delivery_seconds_bucket{destination=\"lea-one\",le=\"0.025\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("lihandover_delivery_seconds_count{destination=\"lea-one\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("lihandover_store_commit_seconds_count 1\n"));
}

TEST(Metrics, WhatIsAskedForIsAskedAtEachRender) {
    Metrics metrics;
    std::uint64_t queued = 7;
    const std::uint64_t id = metrics.add_scraped([&queued](Scrape& scrape) {
        scrape.outbox_items("lea-one", WaitingState::queued, queued);
        scrape.outbox_items("lea-one", WaitingState::refused, 1);
        scrape.outbox_oldest_age("lea-one", Priority::routine, 2.5);
        scrape.outbox_bytes(4096);
        scrape.objects("lea-one", ObjectState::refused, 2);
        scrape.object_bytes(8192);
        scrape.destination_paused("lea-one", Pause::tls);
        scrape.destination_paused("lea-two", std::nullopt);
        scrape.uploads_paused("lea-two", Pause::credentials);
        scrape.certificate_expiry(CertificateRole::destination, "lea-one", {CertificateKind::ca, 2},
                                  {1'800'000'000, 0});
        scrape.tls_files_bad(CertificateRole::destination, "lea-one", true);
        scrape.warrants(WarrantState::active, 3);
        scrape.warrant_files_bad(1);
        scrape.clock_unsynchronised(true);
        scrape.ready(true);
        scrape.store_accepting(false);
    });
    std::string text = metrics.render();
    for (const char* const line :
         {R"(lihandover_outbox_items{destination="lea-one",state="queued"} 7)",
          R"(lihandover_outbox_items{destination="lea-one",state="refused"} 1)",
          R"(lihandover_outbox_oldest_age_seconds{destination="lea-one",priority="routine"} 2.5)",
          "lihandover_outbox_bytes 4096", R"(lihandover_uploads_paused{destination="lea-two",reason="credentials"} 1)",
          R"(lihandover_objects{destination="lea-one",state="refused"} 2)", "lihandover_object_bytes 8192",
          R"(lihandover_destination_paused{destination="lea-one",reason="tls"} 1)",
          R"(lihandover_destination_paused{destination="lea-one",reason="redirect"} 0)",
          R"(lihandover_destination_paused{destination="lea-two",reason="tls"} 0)",
          R"(lihandover_certificate_expiry_timestamp_seconds{kind="ca",name="lea-one",number="2",)"
          R"(role="destination"} 1800000000)",
          R"(lihandover_tls_files_bad{name="lea-one",role="destination"} 1)",
          R"(lihandover_warrants{state="active"} 3)", "lihandover_warrant_files_bad 1",
          "lihandover_clock_unsynchronised 1", "lihandover_ready 1", "lihandover_store_accepting 0"}) {
        EXPECT_THAT(text, HasSubstr(std::string(line) + "\n"));
    }
    queued = 8;
    EXPECT_THAT(metrics.render(), HasSubstr("state=\"queued\"} 8\n"));
    metrics.remove_scraped(id);
    EXPECT_THAT(metrics.render(), Not(HasSubstr("lihandover_outbox_items{")));
}

TEST(Metrics, SamplesOfSeveralAreOneFamily) {
    Metrics metrics;
    for (const char* const name : {"a", "b"}) {
        metrics.add_scraped([name](Scrape& scrape) { scrape.outbox_oldest_age(name, Priority::emergency, 1); });
    }
    metrics.add_scraped([](Scrape& scrape) { scrape.outbox_oldest_age("a", Priority::emergency, 2); });
    const std::vector<std::string> lines = lines_of(metrics.render());
    EXPECT_EQ(std::count(lines.begin(), lines.end(), "# TYPE lihandover_outbox_oldest_age_seconds gauge"), 1);
    EXPECT_EQ(std::count(lines.begin(), lines.end(),
                         R"(lihandover_outbox_oldest_age_seconds{destination="a",priority="emergency"} 2)"),
              1);
    EXPECT_EQ(std::count(lines.begin(), lines.end(),
                         R"(lihandover_outbox_oldest_age_seconds{destination="b",priority="emergency"} 1)"),
              1);
}

TEST(Metrics, FillAlarms) {
    Metrics metrics;
    std::uint64_t used = 0;
    std::uint64_t maximum = 100;
    metrics.add_scraped([&](Scrape& scrape) { scrape.store_bytes(used, maximum); });
    const auto alarms = [&](std::uint64_t bytes) {
        used = bytes;
        const std::string text = metrics.render();
        const bool half = text.find("lihandover_store_fill_alarm{percent=\"50\"} 1\n") != std::string::npos;
        const bool most = text.find("lihandover_store_fill_alarm{percent=\"80\"} 1\n") != std::string::npos;
        return std::pair(half, most);
    };
    EXPECT_EQ(alarms(49), std::pair(false, false));
    EXPECT_EQ(alarms(50), std::pair(true, false));
    EXPECT_EQ(alarms(80), std::pair(true, true));
    maximum = 0;  // no limit
    EXPECT_EQ(alarms(80), std::pair(false, false));
}

TEST(Metrics, ExpositionHasEveryDeclaredMetricOnceWithItsType) {
    Metrics metrics;
    static_cast<void>(metrics.source("s"));
    static_cast<void>(metrics.x2x3("x"));
    static_cast<void>(metrics.destination("d"));
    metrics.add_scraped([](Scrape& scrape) {
        scrape.outbox_items("d", WaitingState::held, 0);
        scrape.outbox_oldest_age("d", Priority::routine, 0);
        scrape.review_oldest(0);
        scrape.review_overdue(0);
        scrape.outbox_bytes(0);
        scrape.objects("d", ObjectState::queued, 0);
        scrape.object_bytes(0);
        scrape.store_bytes(0, 0);
        scrape.store_accepting(true);
        scrape.audit(7, false, true);
        scrape.sealing(true, false, 0);
        scrape.repeats(2, 1);
        scrape.destination_paused("d", std::nullopt);
        scrape.uploads_paused("d", std::nullopt);
        scrape.certificate_expiry(CertificateRole::intake, "s", {}, {});
        scrape.tls_files_bad(CertificateRole::intake, "s", false);
        scrape.warrants(WarrantState::pending, 0);
        scrape.warrant_files_bad(0);
        scrape.warrants_unconfirmed(0);
        scrape.warrants_revoked(0);
        scrape.warrants_unapproved(0);
        scrape.warrants_test(0);
        scrape.clock_untrusted(false);
        scrape.clock_unsynchronised(false);
        scrape.ready(false);
    });
    std::multiset<std::string> exposed;
    for (const std::string& line : lines_of(metrics.render())) {
        if (line.starts_with("# TYPE ")) {
            exposed.insert(line.substr(7));
        }
    }
    std::multiset<std::string> documented;
    for (const std::string& line : lines_of(reference_markdown())) {
        for (const std::string kind : {"counter", "gauge", "histogram"}) {
            const std::size_t end = line.find("` | " + kind + " |");
            if (line.starts_with("| `") && end != std::string::npos) {
                documented.insert(line.substr(3, end - 3) + " " + kind);
            }
        }
    }
    EXPECT_EQ(exposed, documented);
    EXPECT_GT(exposed.size(), 30U);
}

TEST(Metrics, MayBeUsedFromManyThreads) {
    Metrics metrics;
    std::atomic<std::uint64_t> asked = 0;
    metrics.add_scraped([&asked](Scrape& scrape) { scrape.outbox_bytes(++asked); });
    constexpr int threads = 4;
    constexpr int rounds = 500;
    std::vector<std::thread> running;
    running.reserve(threads);
    for (int t = 0; t < threads; ++t) {
        running.emplace_back([&metrics] {
            for (int n = 0; n < rounds; ++n) {
                metrics.source("s" + std::to_string(n % 7)).received.add();
                if (n % 50 == 0) {
                    EXPECT_FALSE(metrics.render().empty());
                }
                const std::uint64_t id = metrics.add_scraped([](Scrape& scrape) { scrape.ready(true); });
                metrics.remove_scraped(id);
            }
        });
    }
    for (std::thread& thread : running) {
        thread.join();
    }
    std::uint64_t total = 0;
    for (const std::string& line : lines_of(metrics.render())) {
        if (line.starts_with("lihandover_events_received_total{")) {
            total += std::stoull(line.substr(line.find("} ") + 2));
        }
    }
    EXPECT_EQ(total, static_cast<std::uint64_t>(threads) * rounds);
}

}  // namespace
}  // namespace lihandover::metrics
