#include "declarations.hpp"

#include "lihandover/metrics/metrics.hpp"

namespace lihandover::metrics {

namespace {

constexpr Label source{"source", "names of listeners below `intake`", {}};
constexpr Label http_source{"source", "names of `intake.http` listeners", {}};
constexpr Label x2x3_source{"source", "names of `intake.x2x3` listeners", {}};
constexpr Label destination{"destination", "names of `destinations`", {}};

constexpr std::array<std::string_view, 19> answer_codes = {"200", "201", "202", "204", "400",  "404", "405",
                                                           "408", "411", "413", "414", "415",  "417", "422",
                                                           "429", "431", "500", "503", "other"};
constexpr std::array<std::string_view, 2> validation_outcomes = {"valid", "invalid"};
constexpr std::array<std::string_view, 2> fill_thresholds = {"50", "80"};

constexpr std::array<Label, 1> by_source = {source};
constexpr std::array<Label, 1> by_http_source = {http_source};
constexpr std::array<Label, 1> by_x2x3_source = {x2x3_source};
constexpr std::array<Label, 2> by_pdu_outcome = {x2x3_source, {"outcome", "what became of them", pdu_outcome_names}};
constexpr std::array<Label, 2> by_source_and_reason = {source, {"reason", "why", rejection_names}};
constexpr std::array<Label, 2> by_source_and_code = {http_source, {"code", "HTTP status", answer_codes}};
constexpr std::array<Label, 1> by_destination = {destination};
constexpr std::array<Label, 2> by_item_outcome = {destination, {"outcome", "what became of them", item_outcome_names}};
constexpr std::array<Label, 2> by_waiting_state = {destination, {"state", "where they are", waiting_state_names}};
constexpr std::array<Label, 2> by_priority = {destination, {"priority", "of the warrant", priority_names}};
constexpr std::array<Label, 2> by_attempt = {destination, {"outcome", "how it ended", attempt_names}};
constexpr std::array<Label, 2> by_validation = {destination, {"outcome", "what was found", validation_outcomes}};
constexpr std::array<Label, 2> by_object_state = {destination, {"state", "where they are", object_state_names}};
constexpr std::array<Label, 2> by_upload = {destination, {"outcome", "how it ended", upload_names}};
constexpr std::array<Label, 2> by_download = {destination, {"outcome", "how it ended", download_names}};
constexpr std::array<Label, 2> by_pause = {destination, {"reason", "why", pause_names}};
constexpr std::array<Label, 1> by_store_failure = {Label{"kind", "what failed", store_failure_names}};
constexpr std::array<Label, 1> by_threshold = {Label{"percent", "of store.max_bytes", fill_thresholds}};
constexpr std::array<Label, 1> by_warrant_state = {
    Label{"state", "by their window and our clock", warrant_state_names}};
constexpr std::array<Label, 1> by_reload_outcome = {Label{"outcome", "how it ended", reload_outcome_names}};
constexpr Label certificate_role{"role", "what it is for", certificate_role_names};
constexpr Label tls_name{"name", "names of the listener or destination", {}};
constexpr std::array<Label, 4> by_certificate = {
    certificate_role, tls_name,
    Label{"kind", "our certificate, one of its chain, a CA, or a revocation list", certificate_kind_names},
    Label{"number", "which one in its file; those of a listener or destination that end first, 64 at most", {}}};
constexpr std::array<Label, 2> by_tls_files = {certificate_role, tls_name};
constexpr std::array<Label, 2> by_build = {Label{"version", "of the program", {}},
                                           Label{"compiler", "and its version", {}}};

constexpr std::array<double, 18> delivery_buckets = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,  0.5,
                                                     1,     2.5,    5,     10,   30,    60,   300, 3'600, 86'400};
constexpr std::array<double, 15> post_buckets = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                 0.25,   0.5,   1,      2.5,   5,    10,    30};
constexpr std::array<double, 13> commit_buckets = {0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                                   0.05,    0.1,    0.25,  0.5,    1,     5};

constexpr std::size_t count = static_cast<std::size_t>(Metric::build_info) + 1;
constexpr std::array<Declaration, count> all = {{
    {"lihandover_events_received_total", Kind::counter, "Events read from a source, accepted or not.", by_source, {}},
    {"lihandover_events_accepted_total",
     Kind::counter,
     "Events answered with success, or of X2/X3 durable: under no warrant, or on disk.",
     by_source,
     {}},
    {"lihandover_events_rejected_total",
     Kind::counter,
     "Events refused. `unavailable` ones were answered 503, so the source sends them again.",
     by_source_and_reason,
     {}},
    {"lihandover_events_repeated_total",
     Kind::counter,
     "Items not made because the source had reported the same event before.",
     {},
     {}},
    {"lihandover_event_ids_reused_total",
     Kind::counter,
     "Items made although the source had given their event_id to another event before.",
     {},
     {}},
    {"lihandover_intake_received_bytes_total", Kind::counter, "Bytes of request bodies and PDUs read.", by_source, {}},
    {"lihandover_intake_answers_total", Kind::counter, "HTTP answers given to sources.", by_source_and_code, {}},
    {"lihandover_intake_objects_total", Kind::counter, "Binary objects uploaded by a source.", by_http_source, {}},
    {"lihandover_intake_object_bytes_total", Kind::counter, "Bytes of them.", by_http_source, {}},
    {"lihandover_intake_connections", Kind::gauge, "Connections open.", by_source, {}},
    {"lihandover_x2x3_pdus_total",
     Kind::counter,
     "PDUs of X2 and X3 by what became of them; each counts once. `unknown_xid`: of a task that no warrant in force "
     "lists. `skipped`: of a type or payload format that is not read. `malformed`: it, or its payload, is not as it "
     "should be; the payload of a known task goes out all the same.",
     by_pdu_outcome,
     {}},
    {"lihandover_x2x3_sequence_gaps_total",
     Kind::counter,
     "Gaps in the sequence numbers of PDUs of one task, point of interception and session: something was lost on the "
     "way. A point that counts over all its tasks has none.",
     by_x2x3_source,
     {}},
    {"lihandover_x2x3_times_ahead_total",
     Kind::counter,
     "Events of copies whose time is further ahead than intake.max_future: the clock of a point of interception is "
     "wrong.",
     by_x2x3_source,
     {}},
    {"lihandover_x2x3_unknown_attributes_total",
     Kind::counter,
     "Attributes of an unknown type, passed over, in PDUs of known tasks.",
     by_x2x3_source,
     {}},
    {"lihandover_x2x3_sessions", Kind::gauge, "Sessions known now.", by_x2x3_source, {}},
    {"lihandover_x2x3_waiting_bytes",
     Kind::gauge,
     "Bytes of PDUs of known tasks that were read and are not durable yet.",
     by_x2x3_source,
     {}},
    {"lihandover_x2x3_unfinished_bytes",
     Kind::gauge,
     "Bytes of messages that are not complete, in memory and in sealed files.",
     by_x2x3_source,
     {}},
    {"lihandover_items_total",
     Kind::counter,
     "Items by what became of them: `queued` when made and durable (those that people review: once they have approved "
     "them), `delivered` when the LEA accepted, `refused` by the LEA or by schema validation, `retried` by an operator "
     "after that, `rejected` by an operator for good.",
     by_item_outcome,
     {}},
    {"lihandover_outbox_items", Kind::gauge, "Items that wait, counted when asked.", by_waiting_state, {}},
    {"lihandover_outbox_bytes", Kind::gauge, "Bytes of the items that wait.", {}, {}},
    {"lihandover_outbox_oldest_age_seconds",
     Kind::gauge,
     "How long the first item of that priority has been queued, 0 when none waits. Time of review does not count.",
     by_priority,
     {}},
    {"lihandover_review_oldest_age_seconds",
     Kind::gauge,
     "How long the item has been held for review that is held longest, 0 when none is.",
     {},
     {}},
    {"lihandover_review_overdue_items",
     Kind::gauge,
     "Items that are held for review for longer than `review_alarm`: of emergencies and of others 1,000 at most are "
     "counted.",
     {},
     {}},
    {"lihandover_delivery_attempts_total",
     Kind::counter,
     "Messages posted, or not even connected for, by how that ended. `answered` says nothing of the single item.",
     by_attempt,
     {}},
    {"lihandover_delivery_seconds", Kind::histogram,
     "Time from the reception of an event to the LEA's acceptance of its item, its review included.", by_destination,
     delivery_buckets},
    {"lihandover_delivery_post_seconds", Kind::histogram, "Time of one POST, from its first byte to the answer read.",
     by_destination, post_buckets},
    {"lihandover_delivery_sent_bytes_total", Kind::counter, "Bytes of messages posted.", by_destination, {}},
    {"lihandover_delivery_connections", Kind::gauge, "Connections open.", by_destination, {}},
    {"lihandover_documents_validated_total",
     Kind::counter,
     "Documents checked against the schemas before sending.",
     by_validation,
     {}},
    {"lihandover_objects",
     Kind::gauge,
     "Binary objects kept: `attached` to an item that was not accepted yet, `offered` to be fetched (Model A), "
     "`queued` "
     "to be pushed, `refused` by the LEA (Model B).",
     by_object_state,
     {}},
    {"lihandover_object_bytes", Kind::gauge, "Bytes of the binary objects kept.", {}, {}},
    {"lihandover_objects_lost_total",
     Kind::counter,
     "Binary objects whose items went without them: files named by sources that could not be copied in time, and "
     "objects of X2/X3 events that are larger than store.max_bytes allows.",
     {},
     {}},
    {"lihandover_uploads_total",
     Kind::counter,
     "Attempts to push a binary object (Model B). `not_yet`, `no_continue` and `disconnected` are tried again, and so "
     "is "
     "`early` unless the configuration counts it as delivered; `refused` and `expired` put the object aside for an "
     "operator.",
     by_upload,
     {}},
    {"lihandover_upload_bytes_total", Kind::counter, "Bytes of binary objects pushed.", by_destination, {}},
    {"lihandover_object_seconds", Kind::histogram,
     "Time from the LEA's acceptance of an item to that of its binary object (Model B).", by_destination,
     delivery_buckets},
    {"lihandover_downloads_total",
     Kind::counter,
     "Requests for a binary object that were answered with more than 404 (Model A).",
     by_download,
     {}},
    {"lihandover_download_bytes_total", Kind::counter, "Bytes of binary objects fetched.", by_destination, {}},
    {"lihandover_downloads_denied_total",
     Kind::counter,
     "Requests for a binary object that were answered 404: unknown, ended, or not for that certificate.",
     {},
     {}},
    {"lihandover_downloads_unrecorded_total",
     Kind::counter,
     "Entries about fetched binary objects that the store could not take, or that are beyond their share of it: the "
     "record lacks them.",
     {},
     {}},
    {"lihandover_downloads_limited_total",
     Kind::counter,
     "Requests for a binary object that were answered 429: their client asks too often.",
     {},
     {}},
    {"lihandover_destination_paused",
     Kind::gauge,
     "1 for the reason for which a destination is paused; all 0 when it is not.",
     by_pause,
     {}},
    {"lihandover_uploads_paused",
     Kind::gauge,
     "1 for the reason for which uploads to a destination are paused (Model B); its items may go on.",
     by_pause,
     {}},
    {"lihandover_store_commit_seconds", Kind::histogram, "Time of one group commit.", {}, commit_buckets},
    {"lihandover_store_failures_total",
     Kind::counter,
     "Times that the store could not commit or take more.",
     by_store_failure,
     {}},
    {"lihandover_store_bytes", Kind::gauge, "Bytes that count against store.max_bytes.", {}, {}},
    {"lihandover_store_max_bytes", Kind::gauge, "The option store.max_bytes.", {}, {}},
    {"lihandover_store_fill_alarm", Kind::gauge, "1 when the store is at least this full.", by_threshold, {}},
    {"lihandover_store_accepting",
     Kind::gauge,
     "1 when the store takes new items; 0 when sources are refused.",
     {},
     {}},
    {"lihandover_audit_entries",
     Kind::gauge,
     "The number of the newest audit entry in the chain. It never falls.",
     {},
     {}},
    {"lihandover_audit_restore_unrecorded",
     Kind::gauge,
     "1 while an older store was put back and no audit entry says so yet.",
     {},
     {}},
    {"lihandover_store_restored",
     Kind::gauge,
     "1 when the store was not the state that was there last, or nobody can tell, until an operator accepts that.",
     {},
     {}},
    {"lihandover_encryption_on", Kind::gauge, "1 when the store is encrypted at rest.", {}, {}},
    {"lihandover_encryption_working",
     Kind::gauge,
     "1 while the store is sealed under another key, or for the first time.",
     {},
     {}},
    {"lihandover_records_unreadable_total",
     Kind::counter,
     "How often a record of the store was not what was sealed, and was passed over.",
     {},
     {}},
    {"lihandover_warrants", Kind::gauge, "Warrants loaded.", by_warrant_state, {}},
    {"lihandover_warrant_files_bad",
     Kind::gauge,
     "Warrant files with mistakes at the last reload. Their last good versions are in force.",
     {},
     {}},
    {"lihandover_warrants_unconfirmed",
     Kind::gauge,
     "Warrants whose files are gone and that stay in force until an operator confirms their end.",
     {},
     {}},
    {"lihandover_warrants_revoked",
     Kind::gauge,
     "Warrants that operators have revoked, and whose files are still there.",
     {},
     {}},
    {"lihandover_warrants_unapproved",
     Kind::gauge,
     "Warrants that wait for people's approval, or were refused it, new ones and grown ones.",
     {},
     {}},
    {"lihandover_warrants_test", Kind::gauge, "Of the warrants loaded, those that are test intercepts.", {}, {}},
    {"lihandover_warrants_withdrawn_total",
     Kind::counter,
     "Warrants that ended before their time, since their file went.",
     {},
     {}},
    {"lihandover_reloads_total",
     Kind::counter,
     "Reloads: `done`, `partial` (some warrant or TLS files are bad) or `failed` (nothing changed).",
     by_reload_outcome,
     {}},
    {"lihandover_certificate_expiry_timestamp_seconds",
     Kind::gauge,
     "When a certificate or revocation list ends that TLS works with, in seconds since 1970.",
     by_certificate,
     {}},
    {"lihandover_tls_files_bad",
     Kind::gauge,
     "1 while a certificate, key, CA or list cannot be used as it is in its file, so that what was there before stays "
     "in force; without that, a destination is paused, and a listener refuses everybody.",
     by_tls_files,
     {}},
    {"lihandover_clock_unsynchronised",
     Kind::gauge,
     "1 when the kernel says that its clock is not synchronised.",
     {},
     {}},
    {"lihandover_clock_untrusted",
     Kind::gauge,
     "1 while the wall clock is further from the trusted time than clock_tolerance: nothing is pruned or expired by "
     "it.",
     {},
     {}},
    {"lihandover_ready", Kind::gauge, "1 when /readyz answers 200.", {}, {}},
    {"lihandover_start_time_seconds", Kind::gauge, "When the daemon started, in seconds since 1970.", {}, {}},
    {"lihandover_build_info", Kind::gauge, "Always 1; the labels say what runs.", by_build, {}},
}};
static_assert(!all.back().name.empty(), "each metric is declared");

}  // namespace

std::span<const Declaration> declarations() {
    return all;
}

const Declaration& declaration(Metric metric) {
    return all.at(static_cast<std::size_t>(metric));
}

}  // namespace lihandover::metrics
