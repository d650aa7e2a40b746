#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace lihandover::metrics {

enum class Kind : std::uint8_t { counter, gauge, histogram };

/// A label and its values: names from the configuration (`values` says which), or a fixed set.
struct Label {
    std::string_view name;
    std::string_view values;                ///< in words, for the reference
    std::span<const std::string_view> set;  ///< empty: names from the configuration
};

/// One metric as everybody sees it.
struct Declaration {
    std::string_view name;
    Kind kind{};
    std::string_view help;
    std::span<const Label> labels;
    std::span<const double> buckets;  ///< of a histogram, in seconds
};

/// Names of the declarations in code, in the order of the reference.
enum class Metric : std::uint8_t {
    events_received,
    events_accepted,
    events_rejected,
    events_repeated,
    event_ids_reused,
    intake_received_bytes,
    intake_answers,
    intake_objects,
    intake_object_bytes,
    intake_connections,
    x2x3_pdus,
    x2x3_sequence_gaps,
    x2x3_times_ahead,
    x2x3_unknown_attributes,
    x2x3_sessions,
    x2x3_waiting_bytes,
    x2x3_unfinished_bytes,
    items,
    outbox_items,
    outbox_bytes,
    outbox_oldest_age,
    review_oldest,
    review_overdue,
    delivery_attempts,
    delivery_seconds,
    delivery_post_seconds,
    delivery_sent_bytes,
    delivery_connections,
    documents_validated,
    objects,
    object_bytes,
    objects_lost,
    uploads,
    upload_bytes,
    object_seconds,
    downloads,
    download_bytes,
    downloads_denied,
    downloads_unrecorded,
    downloads_limited,
    destination_paused,
    uploads_paused,
    store_commit_seconds,
    store_failures,
    store_bytes,
    store_max_bytes,
    store_fill_alarm,
    store_accepting,
    audit_entries,
    audit_restore_unrecorded,
    store_restored,
    encryption_on,
    encryption_working,
    records_unreadable,
    warrants,
    warrant_files_bad,
    warrants_unconfirmed,
    warrants_revoked,
    warrants_unapproved,
    warrants_test,
    warrants_withdrawn,
    reloads,
    certificate_expiry,
    tls_files_bad,
    clock_unsynchronised,
    clock_untrusted,
    ready,
    start_time,
    build_info,
};

[[nodiscard]] std::span<const Declaration> declarations();
[[nodiscard]] const Declaration& declaration(Metric metric);

}  // namespace lihandover::metrics
