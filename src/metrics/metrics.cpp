#include "lihandover/metrics/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "declarations.hpp"
#include "lihandover/base/invariant.hpp"

namespace lihandover::metrics {

namespace {

using Labels = std::map<std::string, std::string>;

/// The labels of a declaration with these values, in its order. A value outside a fixed set, or the wrong number of
/// values, is a programming mistake.
Labels labels_of(const Declaration& declared, std::initializer_list<std::string_view> values) {
    if (values.size() != declared.labels.size()) {
        throw std::logic_error("a metric with the wrong number of labels");
    }
    Labels labels;
    const Label* label = declared.labels.data();
    for (const std::string_view value : values) {
        if (!label->set.empty() && std::ranges::find(label->set, value) == label->set.end()) {
            throw std::logic_error("a metric with a label value that is not declared");
        }
        labels.emplace(label->name, value);
        ++label;
    }
    return labels;
}

/// What one render() is told by the functions it calls.
class Samples : public Scrape {
  public:
    void outbox_items(std::string_view destination, WaitingState state, std::uint64_t count) override {
        set(Metric::outbox_items, {destination, waiting_state_names.at(static_cast<std::size_t>(state))}, count);
    }
    void outbox_oldest_age(std::string_view destination, Priority priority, double seconds) override {
        set(Metric::outbox_oldest_age, {destination, priority_names.at(static_cast<std::size_t>(priority))}, seconds);
    }
    void review_oldest(double seconds) override { set(Metric::review_oldest, {}, seconds); }
    void review_overdue(std::uint64_t count) override { set(Metric::review_overdue, {}, count); }
    void outbox_bytes(std::uint64_t bytes) override { set(Metric::outbox_bytes, {}, bytes); }
    void objects(std::string_view destination, ObjectState state, std::uint64_t count) override {
        set(Metric::objects, {destination, object_state_names.at(static_cast<std::size_t>(state))}, count);
    }
    void audit(std::uint64_t number, bool restore_unrecorded, bool restored) override {
        set(Metric::audit_entries, {}, number);
        set_flag(Metric::audit_restore_unrecorded, restore_unrecorded);
        set_flag(Metric::store_restored, restored);
    }
    void sealing(bool on, bool working, std::uint64_t unreadable) override {
        set_flag(Metric::encryption_on, on);
        set_flag(Metric::encryption_working, working);
        set(Metric::records_unreadable, {}, unreadable);
    }
    void object_bytes(std::uint64_t bytes) override { set(Metric::object_bytes, {}, bytes); }
    void store_bytes(std::uint64_t used, std::uint64_t maximum) override {
        set(Metric::store_bytes, {}, used);
        set(Metric::store_max_bytes, {}, maximum);
        const double filled = maximum == 0 ? 0.0 : static_cast<double>(used) / static_cast<double>(maximum);
        set(Metric::store_fill_alarm, {"50"}, filled >= 0.5 ? 1.0 : 0.0);
        set(Metric::store_fill_alarm, {"80"}, filled >= 0.8 ? 1.0 : 0.0);
    }
    void store_accepting(bool accepting) override { set_flag(Metric::store_accepting, accepting); }
    void repeats(std::uint64_t repeated, std::uint64_t reused_ids) override {
        set(Metric::events_repeated, {}, repeated);
        set(Metric::event_ids_reused, {}, reused_ids);
    }
    void destination_paused(std::string_view destination, std::optional<Pause> reason) override {
        set_pause(Metric::destination_paused, destination, reason);
    }
    void uploads_paused(std::string_view destination, std::optional<Pause> reason) override {
        set_pause(Metric::uploads_paused, destination, reason);
    }
    void certificate_expiry(CertificateRole role, std::string_view name, CertificatePlace place,
                            model::Instant not_after) override {
        set(Metric::certificate_expiry,
            {certificate_role_names.at(static_cast<std::size_t>(role)), name,
             certificate_kind_names.at(static_cast<std::size_t>(place.kind)), std::to_string(place.number)},
            static_cast<double>(not_after.seconds));
    }
    void tls_files_bad(CertificateRole role, std::string_view name, bool bad) override {
        set(Metric::tls_files_bad, {certificate_role_names.at(static_cast<std::size_t>(role)), name}, bad ? 1.0 : 0.0);
    }
    void warrants(WarrantState state, std::uint64_t count) override {
        set(Metric::warrants, {warrant_state_names.at(static_cast<std::size_t>(state))}, count);
    }
    void warrant_files_bad(std::uint64_t count) override { set(Metric::warrant_files_bad, {}, count); }
    void warrants_unconfirmed(std::uint64_t count) override { set(Metric::warrants_unconfirmed, {}, count); }
    void warrants_revoked(std::uint64_t count) override { set(Metric::warrants_revoked, {}, count); }
    void warrants_unapproved(std::uint64_t count) override { set(Metric::warrants_unapproved, {}, count); }
    void warrants_test(std::uint64_t count) override { set(Metric::warrants_test, {}, count); }
    void clock_untrusted(bool untrusted) override { set_flag(Metric::clock_untrusted, untrusted); }
    void clock_unsynchronised(bool unsynchronised) override { set_flag(Metric::clock_unsynchronised, unsynchronised); }
    void ready(bool is_ready) override { set_flag(Metric::ready, is_ready); }

    void add_to(std::vector<prometheus::MetricFamily>& families) const {
        for (const auto& [metric, series] : samples_) {
            prometheus::MetricFamily family;
            family.name = declaration(metric).name;
            family.help = declaration(metric).help;
            const bool counts = declaration(metric).kind == Kind::counter;
            family.type = counts ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
            for (const auto& [labels, value] : series) {
                prometheus::ClientMetric& sample = family.metric.emplace_back();
                for (const auto& [name, label] : labels) {
                    sample.label.push_back({name, label});
                }
                (counts ? sample.counter.value : sample.gauge.value) = value;
            }
            families.push_back(std::move(family));
        }
    }

  private:
    void set(Metric metric, std::initializer_list<std::string_view> values, double value) {
        samples_[metric][labels_of(declaration(metric), values)] = value;
    }
    void set(Metric metric, std::initializer_list<std::string_view> values, std::uint64_t value) {
        set(metric, values, static_cast<double>(value));
    }
    void set_pause(Metric metric, std::string_view destination, std::optional<Pause> reason) {
        for (std::size_t n = 0; n < pause_names.size(); ++n) {
            const bool paused = reason && static_cast<std::size_t>(*reason) == n;
            set(metric, {destination, pause_names.at(n)}, paused ? 1.0 : 0.0);
        }
    }
    void set_flag(Metric metric, bool value) { set(metric, {}, value ? 1.0 : 0.0); }

    std::map<Metric, std::map<Labels, double>> samples_;
};

}  // namespace

void Counter::add(std::uint64_t count) const {
    counter_->Increment(static_cast<double>(count));
}

void Gauge::set(double value) const {
    gauge_->Set(value);
}

void Gauge::add(double difference) const {
    gauge_->Increment(difference);
    // What is added is counted before what is subtracted, on any thread.
    LIHANDOVER_INVARIANT(gauge_->Value() >= 0, "a gauge does not go below zero");
}

void Histogram::observe(double seconds) const {
    histogram_->Observe(seconds);
}

void SourceMetrics::answered(int status) const {
    const auto* const found = std::ranges::find(statuses, status);
    answers_.at(static_cast<std::size_t>(found - statuses.begin())).add();
}

struct Metrics::Impl {
    using LabelValues = std::initializer_list<std::string_view>;

    Counter counter(Metric metric, LabelValues values) {
        const Declaration& declared = declaration(metric);
        return Counter(family<prometheus::Counter>(declared).Add(labels_of(declared, values)));
    }
    Gauge gauge(Metric metric, LabelValues values) {
        const Declaration& declared = declaration(metric);
        return Gauge(family<prometheus::Gauge>(declared).Add(labels_of(declared, values)));
    }
    Histogram histogram(Metric metric, LabelValues values) {
        const Declaration& declared = declaration(metric);
        return Histogram(family<prometheus::Histogram>(declared).Add(
            labels_of(declared, values),
            prometheus::Histogram::BucketBoundaries(declared.buckets.begin(), declared.buckets.end())));
    }

    /// A counter for each value of the last label, which has a fixed set.
    template <std::size_t N>
    void counters(Metric metric, const std::string* name, const std::array<std::string_view, N>& values,
                  std::array<Counter, N>& out) {
        for (std::size_t n = 0; n < N; ++n) {
            out[n] = name != nullptr ? counter(metric, {*name, values[n]}) : counter(metric, {values[n]});
        }
    }

    void event_metrics(const std::string& name, EventMetrics& out) {
        out.received = counter(Metric::events_received, {name});
        out.accepted = counter(Metric::events_accepted, {name});
        counters(Metric::events_rejected, &name, rejection_names, out.rejected_by);
        out.received_bytes = counter(Metric::intake_received_bytes, {name});
        out.connections = gauge(Metric::intake_connections, {name});
    }

    template <typename T>
    prometheus::Family<T>& family(const Declaration& declared) {
        // The registry finds a family of the same name and help again.
        if constexpr (std::is_same_v<T, prometheus::Counter>) {
            return prometheus::BuildCounter()
                .Name(std::string(declared.name))
                .Help(std::string(declared.help))
                .Register(registry);
        } else if constexpr (std::is_same_v<T, prometheus::Gauge>) {
            return prometheus::BuildGauge()
                .Name(std::string(declared.name))
                .Help(std::string(declared.help))
                .Register(registry);
        } else {
            return prometheus::BuildHistogram()
                .Name(std::string(declared.name))
                .Help(std::string(declared.help))
                .Register(registry);
        }
    }

    prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};

    std::mutex handles_mutex;
    // Guarded by handles_mutex; maps, since references into them stay valid.
    std::map<std::string, SourceMetrics> sources;
    std::map<std::string, X2x3Metrics> x2x3;
    std::map<std::string, DestinationMetrics> destinations;

    // Set by the constructor.
    std::array<Counter, reload_outcome_names.size()> reloads;
    std::array<Counter, store_failure_names.size()> store_failures;
    Histogram store_commit_seconds;
    Counter downloads_denied;
    Counter downloads_unrecorded;
    Counter downloads_limited;
    Counter warrants_withdrawn;
    Counter objects_lost;

    /// Held while the functions run, which is what remove_scraped waits for.
    std::mutex scrape_mutex;
    std::map<std::uint64_t, ScrapeFunction> scraped;  // guarded by scrape_mutex
    std::uint64_t next_scraped = 1;                   // guarded by scrape_mutex
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {
    impl_->counters(Metric::reloads, nullptr, reload_outcome_names, impl_->reloads);
    impl_->counters(Metric::store_failures, nullptr, store_failure_names, impl_->store_failures);
    impl_->store_commit_seconds = impl_->histogram(Metric::store_commit_seconds, {});
    impl_->downloads_denied = impl_->counter(Metric::downloads_denied, {});
    impl_->downloads_unrecorded = impl_->counter(Metric::downloads_unrecorded, {});
    impl_->downloads_limited = impl_->counter(Metric::downloads_limited, {});
    impl_->warrants_withdrawn = impl_->counter(Metric::warrants_withdrawn, {});
    impl_->objects_lost = impl_->counter(Metric::objects_lost, {});
    const auto now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
    impl_->gauge(Metric::start_time, {}).set(static_cast<double>(now.count()));
    impl_->gauge(Metric::build_info, {LIHANDOVER_VERSION, "g++ " __VERSION__}).set(1);
}

Metrics::~Metrics() = default;

const SourceMetrics& Metrics::source(const std::string& name) {
    const std::lock_guard lock(impl_->handles_mutex);
    const auto [found, is_new] = impl_->sources.try_emplace(name);
    SourceMetrics& handles = found->second;
    if (is_new) {
        impl_->event_metrics(name, handles);
        handles.objects = impl_->counter(Metric::intake_objects, {name});
        handles.object_bytes = impl_->counter(Metric::intake_object_bytes, {name});
        for (std::size_t n = 0; n < SourceMetrics::statuses.size(); ++n) {
            handles.answers_.at(n) =
                impl_->counter(Metric::intake_answers, {name, std::to_string(SourceMetrics::statuses.at(n))});
        }
        handles.answers_.back() = impl_->counter(Metric::intake_answers, {name, "other"});
    }
    return handles;
}

const X2x3Metrics& Metrics::x2x3(const std::string& name) {
    const std::lock_guard lock(impl_->handles_mutex);
    const auto [found, is_new] = impl_->x2x3.try_emplace(name);
    X2x3Metrics& handles = found->second;
    if (is_new) {
        impl_->event_metrics(name, handles);
        impl_->counters(Metric::x2x3_pdus, &name, pdu_outcome_names, handles.pdus_by);
        handles.sequence_gaps = impl_->counter(Metric::x2x3_sequence_gaps, {name});
        handles.times_ahead = impl_->counter(Metric::x2x3_times_ahead, {name});
        handles.unknown_attributes = impl_->counter(Metric::x2x3_unknown_attributes, {name});
        handles.sessions = impl_->gauge(Metric::x2x3_sessions, {name});
        handles.waiting_bytes = impl_->gauge(Metric::x2x3_waiting_bytes, {name});
        handles.unfinished_bytes = impl_->gauge(Metric::x2x3_unfinished_bytes, {name});
    }
    return handles;
}

const DestinationMetrics& Metrics::destination(const std::string& name) {
    const std::lock_guard lock(impl_->handles_mutex);
    const auto [found, is_new] = impl_->destinations.try_emplace(name);
    DestinationMetrics& handles = found->second;
    if (is_new) {
        impl_->counters(Metric::items, &name, item_outcome_names, handles.items_by);
        impl_->counters(Metric::delivery_attempts, &name, attempt_names, handles.attempts_by);
        handles.documents_valid = impl_->counter(Metric::documents_validated, {name, "valid"});
        handles.documents_invalid = impl_->counter(Metric::documents_validated, {name, "invalid"});
        handles.sent_bytes = impl_->counter(Metric::delivery_sent_bytes, {name});
        impl_->counters(Metric::uploads, &name, upload_names, handles.uploads_by);
        handles.upload_bytes = impl_->counter(Metric::upload_bytes, {name});
        handles.object_seconds = impl_->histogram(Metric::object_seconds, {name});
        impl_->counters(Metric::downloads, &name, download_names, handles.downloads_by);
        handles.download_bytes = impl_->counter(Metric::download_bytes, {name});
        handles.delivery_seconds = impl_->histogram(Metric::delivery_seconds, {name});
        handles.post_seconds = impl_->histogram(Metric::delivery_post_seconds, {name});
        handles.connections = impl_->gauge(Metric::delivery_connections, {name});
    }
    return handles;
}

const Counter& Metrics::reloads(ReloadOutcome outcome) const {
    return impl_->reloads.at(static_cast<std::size_t>(outcome));
}

const Counter& Metrics::store_failures(StoreFailure failure) const {
    return impl_->store_failures.at(static_cast<std::size_t>(failure));
}

const Histogram& Metrics::store_commit_seconds() const {
    return impl_->store_commit_seconds;
}

const Counter& Metrics::downloads_denied() const {
    return impl_->downloads_denied;
}

const Counter& Metrics::downloads_unrecorded() const {
    return impl_->downloads_unrecorded;
}

const Counter& Metrics::downloads_limited() const {
    return impl_->downloads_limited;
}

const Counter& Metrics::warrants_withdrawn() const {
    return impl_->warrants_withdrawn;
}

const Counter& Metrics::objects_lost() const {
    return impl_->objects_lost;
}

std::uint64_t Metrics::add_scraped(ScrapeFunction function) {
    const std::lock_guard lock(impl_->scrape_mutex);
    impl_->scraped.emplace(impl_->next_scraped, std::move(function));
    return impl_->next_scraped++;
}

void Metrics::remove_scraped(std::uint64_t id) {
    const std::lock_guard lock(impl_->scrape_mutex);
    impl_->scraped.erase(id);
}

std::string Metrics::render() const {
    Samples samples;
    {
        const std::lock_guard lock(impl_->scrape_mutex);
        for (const auto& [id, function] : impl_->scraped) {
            function(samples);
        }
    }
    // Counters are read after the samples: so an item that is delivered in between is missing from the outbox only if
    // it is already counted as delivered.
    std::vector<prometheus::MetricFamily> families = impl_->registry.Collect();
    samples.add_to(families);
    std::erase_if(families, [](const prometheus::MetricFamily& family) { return family.metric.empty(); });
    std::ranges::sort(families, [](const auto& a, const auto& b) { return a.name < b.name; });
    return prometheus::TextSerializer().Serialize(families);
}

namespace {

/// The text of docs/metrics.md before the tables.
constexpr std::string_view introduction = R"(# Metrics

`GET /metrics` on `admin.listen` answers in the Prometheus text format. Everything is in base units (seconds, bytes).
Label values are names from the configuration or one of the sets below; no metric contains anything of an event, a
warrant or an LEA's answer. Counters start at zero when the daemon starts; the series of a source or destination
exist as soon as it is configured.

## How the counters add up

Each equation holds at any time, apart from what is on its way at that moment. If one stays violated, something was
lost.

- For each source, `events_received_total` = `events_accepted_total` + the sum of `events_rejected_total` over its
  reasons. A source that keeps its own count compares the events it sent with `received`.
- For each `intake.x2x3` source, every PDU read is counted once in `x2x3_pdus_total`. A PDU of several tasks, or with
  several messages, makes several events: `events_received_total` may be more than `x2x3_pdus_total{outcome="event"}`.
- For each destination, since the daemon started: the change of `outbox_items`, summed over its states, =
  `items_total{outcome="queued"}` - `{outcome="delivered"}` - `{outcome="rejected"}`. Items leave the outbox only by
  the LEA's acceptance or an operator's decision.
- For each destination, the change of `outbox_items{state="refused"}` = `items_total{outcome="refused"}` -
  `{outcome="retried"}` - those of `{outcome="rejected"}` that were refused before.
- `items_total{outcome="delivered"}` counts each item once. An LEA may have received more: delivery is at least
  once, and the LEA recognises repeats by their ObjectIdentifier. `delivery_seconds_count` equals it.
- `events_accepted_total` has no fixed relation to `items_total{outcome="queued"}`: an event may be under no warrant, one
  or many.

What is worth an alarm is in `packaging/prometheus/`, and what to do about it in [operations.md](operations.md#alarms).

## All metrics

| Name | Type | Labels | Meaning |
|---|---|---|---|
)";

}  // namespace

std::string reference_markdown() {
    std::string text(introduction);
    constexpr std::array<std::string_view, 3> kinds = {"counter", "gauge", "histogram"};
    std::string values = "\n## Label values\n\n| Metric | Label | Values |\n|---|---|---|\n";
    for (const Declaration& declared : declarations()) {
        std::string labels;
        for (const Label& label : declared.labels) {
            labels += (labels.empty() ? "`" : ", `") + std::string(label.name) + "`";
            values += "| `" + std::string(declared.name) + "` | `" + std::string(label.name) + "` | " +
                      std::string(label.values);
            for (const std::string_view value : label.set) {
                values += (value == label.set.front() ? ": `" : ", `") + std::string(value) + "`";
            }
            values += " |\n";
        }
        text += "| `" + std::string(declared.name) + "` | " +
                std::string(kinds.at(static_cast<std::size_t>(declared.kind))) + " | " + labels + " | " +
                std::string(declared.help) + " |\n";
    }
    return text + values;
}

}  // namespace lihandover::metrics
