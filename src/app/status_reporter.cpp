#include "status_reporter.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>

#include "process.hpp"

namespace lihandover::app {

namespace {

constexpr std::int64_t certificate_warning_seconds =
    std::chrono::duration_cast<std::chrono::seconds>(std::chrono::days(14)).count();
/// Of one listener or destination. A bundle of CAs may have a thousand.
constexpr std::size_t most_watched = 64;

/// Those that end first.
std::vector<tls::Ending> watched(const TlsEnd& end) {
    std::vector<tls::Ending> endings = end.endings();
    if (endings.size() > most_watched) {
        std::ranges::stable_sort(endings, {}, &tls::Ending::not_after);
        endings.resize(most_watched);
    }
    return endings;
}

/// Within two weeks, or in the last quarter of a life that is short: some certificates and most lists live for days.
bool ends_soon(const tls::Ending& ending, model::Instant now) {
    const std::int64_t life = ending.not_after.seconds - ending.not_before.seconds;
    return ending.not_after.seconds - now.seconds < std::min(certificate_warning_seconds, life / 4);
}

metrics::CertificateKind kind_of(const tls::Ending& ending) {
    static_assert(static_cast<int>(tls::Kind::crl) == static_cast<int>(metrics::CertificateKind::crl));
    return static_cast<metrics::CertificateKind>(ending.kind);
}

std::string words_for(const tls::Ending& ending) {
    const std::string number = std::to_string(ending.number);
    switch (ending.kind) {
        case tls::Kind::own:
            return "the certificate";
        case tls::Kind::issuer:
            return "certificate number " + number + " of the chain";
        case tls::Kind::ca:
            return "CA certificate number " + number;
        case tls::Kind::crl:
            return "revocation list number " + number;
    }
    return {};
}

std::string word_of(metrics::Pause pause) {
    return std::string(metrics::pause_names.at(static_cast<std::size_t>(pause)));
}

using WarrantCounts = std::array<std::uint64_t, metrics::warrant_state_names.size()>;

/// By warrants::State.
WarrantCounts count_warrants(const admin::WarrantList& list, model::Instant now) {
    WarrantCounts counts{};
    for (const warrants::InForce& entry : list) {
        ++counts.at(static_cast<std::size_t>(warrants::state_at(*entry.warrant, now)));
    }
    return counts;
}

std::uint64_t count_of(const WarrantCounts& counts, warrants::State state) {
    return counts.at(static_cast<std::size_t>(state));
}

/// Why a destination is paused. One whose files cannot be read is paused from the start, whether or not delivery has
/// tried.
std::optional<metrics::Pause> pause_of(const delivery::DestinationStatus& destination, const Assembly& assembly) {
    return assembly.unusable.contains(destination.name) ? metrics::Pause::tls : destination.paused;
}

}  // namespace

StatusReporter::StatusReporter(const model::Clock& clock, const CurrentInForce& in_force,
                               const delivery::Delivery& delivery, const store::OperatorView& items,
                               const store::Store& store, const X2x3Listeners& x2x3, metrics::Metrics& metrics)
    : clock_(clock),
      in_force_(in_force),
      delivery_(delivery),
      items_(items),
      store_(store),
      x2x3_(x2x3),
      metrics_(metrics),
      scraped_(metrics.add_scraped([this](metrics::Scrape& into) { scrape(into); })) {}

StatusReporter::~StatusReporter() {
    metrics_.remove_scraped(scraped_);
}

admin::Status StatusReporter::status() const {
    const InForce now = in_force_.get();
    admin::Status status;
    add_destinations(status, *now.assembly);
    add_warrants(status, now);
    add_certificates(status, now);
    add_store(status);
    add_sources(status);
    if (clock_unsynchronised()) {
        status.alarms.emplace_back("the clock is not synchronised");
    }
    if (!clock_.is_trusted()) {
        status.alarms.emplace_back(
            "the clock is not where it ought to be: retention and expiry wait until the kernel says that it is "
            "synchronised, or `lihandoverctl clock accept` that it is right");
    }
    return status;
}

void StatusReporter::add_destinations(admin::Status& status, const Assembly& assembly) const {
    for (const delivery::DestinationStatus& destination : delivery_.status()) {
        if (assembly.unusable.contains(destination.name)) {
            status.alarms.push_back(
                "destination " + destination.name +
                " cannot be used: its certificate, key or CA could not be read at the start; the log "
                "says which. Mend it; files are looked at every tls_reload_interval");
        } else if (destination.paused) {
            status.alarms.push_back("destination " + destination.name + " is paused: " + word_of(*destination.paused));
        }
        if (destination.uploads.paused) {
            status.alarms.push_back("uploads of binary objects to " + destination.name +
                                    " are paused: " + word_of(*destination.uploads.paused));
        }
        status.destinations.push_back(destination);
        status.destinations.back().paused = pause_of(destination, assembly);
    }
}

void StatusReporter::add_warrants(admin::Status& status, const InForce& now) const {
    const WarrantCounts counts = count_warrants(*now.warrants, clock_.wall());
    status.warrants_pending = count_of(counts, warrants::State::pending);
    status.warrants_active = count_of(counts, warrants::State::active);
    status.warrants_expired = count_of(counts, warrants::State::expired);
    status.warrant_files_bad = now.bad_files;
    status.last_reload = now.last_reload;
    status.review_alarm = now.assembly->configuration.review_alarm;
    if (now.bad_files > 0) {
        status.alarms.push_back(std::to_string(now.bad_files) + " warrant file(s) are bad");
    }
    const auto late = static_cast<std::size_t>(std::ranges::count_if(*now.pending, [&](const auto& entry) {
        return !entry.kept.refused && entry.warrant->valid_from <= clock_.wall();
    }));
    if (late > 0) {
        status.alarms.push_back(std::to_string(late) +
                                " warrant(s) wait for approval and should be in force by now: `lihandoverctl warrants "
                                "--waiting`");
    }
    if (now.unconfirmed > 0) {
        status.alarms.push_back(
            "the files of " + std::to_string(now.unconfirmed) +
            " warrant(s) are gone; they stay in force until `lihandoverctl reload --confirm-ended`");
    }
}

void StatusReporter::add_certificates(admin::Status& status, const InForce& now) const {
    const model::Instant time = clock_.wall();
    for (const TlsEnd& end : now.assembly->tls_ends) {
        if (!end.problem.empty() && end.is_usable()) {
            status.alarms.push_back(
                "the TLS files of " + end.name +
                " cannot be used as they are now; what was in them before stays in force: " + end.problem);
        } else if (!end.is_usable() && end.role != metrics::CertificateRole::destination) {
            status.alarms.push_back("nobody can connect to " + end.name + ", since its TLS files cannot be used: " +
                                    end.problem + ". Mend them; files are looked at every tls_reload_interval");
        }
        for (const tls::Ending& ending : watched(end)) {
            status.certificates.push_back({end.role, end.name, kind_of(ending), ending.number, ending.not_after});
            if (ends_soon(ending, time)) {
                status.alarms.push_back(words_for(ending) + " of " + end.name + " ends at " +
                                        model::to_qualified_date_time(ending.not_after));
            }
        }
    }
    std::ranges::stable_sort(status.certificates, {}, &admin::CertificateStatus::not_after);
}

void StatusReporter::add_store(admin::Status& status) const {
    const store::Statistics statistics = items_.statistics();
    for (const store::Count& count : statistics.counts) {
        if (count.set_aside + count.objects_set_aside > 0) {
            status.alarms.push_back(std::to_string(count.set_aside + count.objects_set_aside) + " item(s) for " +
                                    count.destination +
                                    " are set aside: they fail where others succeed (lihandoverctl items --state "
                                    "set_aside)");
        }
    }
    if (statistics.reused_ids > 0) {
        status.alarms.push_back(
            std::to_string(statistics.reused_ids) +
            " item(s) since the start are of events whose event_id their source had given to another event");
    }
    if (statistics.withholding > 0) {
        status.alarms.push_back("what was queued of " + std::to_string(statistics.withholding) +
                                " revoked warrant(s) is still being held; none of it goes out meanwhile");
    }
    if (!statistics.restored.empty()) {
        status.alarms.push_back(statistics.restored + " (lihandoverctl restore accept, once it is clear who did it)");
    }
    if (statistics.restore_unrecorded) {
        status.alarms.emplace_back("the store was put back to an older state, and that could not be recorded yet");
    }
    if (!store_.turns()) {
        status.alarms.emplace_back("the disk hangs: a commit takes longer than store.commit_timeout");
    }
    if (!statistics.accepting) {
        status.alarms.emplace_back("the store takes nothing: events are refused");
    } else if (statistics.max_bytes > 0 && statistics.used_bytes * 2 >= statistics.max_bytes) {
        status.alarms.push_back("the store is " + std::to_string(statistics.used_bytes * 100 / statistics.max_bytes) +
                                " % full");
    }
}

void StatusReporter::add_sources(admin::Status& status) const {
    for (const auto& [source, gaps] : x2x3_.sequence_gaps()) {
        status.alarms.push_back("the numbers of PDUs from " + source + " had " + std::to_string(gaps) +
                                " gap(s) since the start: copies were lost on the way");
    }
}

void StatusReporter::scrape(metrics::Scrape& scrape) const {
    const InForce now = in_force_.get();
    for (const delivery::DestinationStatus& destination : delivery_.status()) {
        scrape.destination_paused(destination.name, pause_of(destination, *now.assembly));
        scrape.uploads_paused(destination.name, destination.uploads.paused);
    }
    for (const TlsEnd& end : now.assembly->tls_ends) {
        scrape.tls_files_bad(end.role, end.name, !end.problem.empty());
        for (const tls::Ending& ending : watched(end)) {
            scrape.certificate_expiry(end.role, end.name, {kind_of(ending), ending.number}, ending.not_after);
        }
    }
    const WarrantCounts counts = count_warrants(*now.warrants, clock_.wall());
    scrape.warrants(metrics::WarrantState::pending, count_of(counts, warrants::State::pending));
    scrape.warrants(metrics::WarrantState::active, count_of(counts, warrants::State::active));
    scrape.warrants(metrics::WarrantState::expired, count_of(counts, warrants::State::expired));
    scrape.warrant_files_bad(now.bad_files);
    scrape.warrants_unconfirmed(now.unconfirmed);
    scrape.warrants_revoked(now.revocations->size());
    scrape.warrants_unapproved(now.pending->size());
    scrape.warrants_test(static_cast<std::uint64_t>(
        std::ranges::count_if(*now.warrants, [](const warrants::InForce& entry) { return entry.warrant->test; })));
    scrape.clock_unsynchronised(clock_unsynchronised());
    scrape.clock_untrusted(!clock_.is_trusted());
}

}  // namespace lihandover::app
