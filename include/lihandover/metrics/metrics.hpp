#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lihandover/model/time.hpp"

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace lihandover::metrics {

// Every metric is declared once, in src/metrics/declarations.cpp: name, type, help, labels and their values. Label
// values are names from the configuration (sources, destinations, certificate names) or one of the fixed sets below;
// nothing that an event, a warrant or an LEA says ever becomes one (promise 8).
//
// Handles are pointers into the registry: copy them freely and use them from any thread, as long as the Metrics lives.

/// Only grows.
class Counter {
  public:
    Counter() = default;
    explicit Counter(prometheus::Counter& counter) : counter_(&counter) {}
    void add(std::uint64_t count = 1) const;

  private:
    prometheus::Counter* counter_ = nullptr;
};

class Gauge {
  public:
    Gauge() = default;
    explicit Gauge(prometheus::Gauge& gauge) : gauge_(&gauge) {}
    void set(double value) const;
    void add(double difference) const;

  private:
    prometheus::Gauge* gauge_ = nullptr;
};

/// Of durations in seconds.
class Histogram {
  public:
    Histogram() = default;
    explicit Histogram(prometheus::Histogram& histogram) : histogram_(&histogram) {}
    void observe(double seconds) const;

  private:
    prometheus::Histogram* histogram_ = nullptr;
};

/// Why an event was refused.
enum class Rejection : std::uint8_t {
    malformed,       ///< not JSON, or not in the form of an event
    unknown_member,  ///< a member that schemas/event.schema.json does not know
    invalid_value,   ///< a value out of its bounds or of the wrong type
    missing_member,
    too_large,    ///< larger than intake.max_event_size, or more of something than allowed
    future,       ///< timestamp further ahead than intake.max_future
    attachments,  ///< names a binary object that is unavailable, or that does not match the event
    unavailable,  ///< the store takes nothing: answered 503, the source tries again
};
inline constexpr std::array<std::string_view, 8> rejection_names = {"malformed",      "unknown_member", "invalid_value",
                                                                    "missing_member", "too_large",      "future",
                                                                    "attachments",    "unavailable"};

/// Outcomes of items, in the order of their lives.
enum class ItemOutcome : std::uint8_t {
    queued,     ///< made and durable
    delivered,  ///< accepted by the LEA, gone
    refused,    ///< refused by the LEA or by schema validation; waits for an operator
    retried,    ///< an operator put a refused one back
    rejected,   ///< an operator ended it
};
inline constexpr std::array<std::string_view, 5> item_outcome_names = {"queued", "delivered", "refused", "retried",
                                                                       "rejected"};

/// How one POST to a destination ended.
enum class Attempt : std::uint8_t {
    answered,          ///< an HI1 response that fits the request, whatever it says
    connect_failed,    ///< name, route or connection
    tls_failed,        ///< certificate, name or protocol
    timed_out,         ///< no whole answer in time
    disconnected,      ///< the connection ended before the answer
    redirected,        ///< 3xx: never followed
    unauthorised,      ///< 401 or 403
    busy,              ///< 408 or 429
    client_error,      ///< another 4xx
    server_error,      ///< 5xx
    senseless_answer,  ///< 200, but not an HI1 response to this request
};
inline constexpr std::array<std::string_view, 11> attempt_names = {
    "answered",     "connect_failed", "tls_failed",   "timed_out",    "disconnected",    "redirected",
    "unauthorised", "busy",           "client_error", "server_error", "senseless_answer"};

/// How one attempt to push a binary object ended (Model B).
enum class Upload : std::uint8_t {
    delivered,     ///< the LEA has it
    early,         ///< success before the body was asked for
    refused,       ///< a final answer
    not_yet,       ///< 404, 409, 417, 425, 408, 429, 5xx: tried again
    no_continue,   ///< neither 100 Continue nor an answer in time
    disconnected,  ///< no connection, or it broke
    expired,       ///< given up
    unreadable,    ///< our own copy could not be read
};
inline constexpr std::array<std::string_view, 8> upload_names = {
    "delivered", "early", "refused", "not_yet", "no_continue", "disconnected", "expired", "unreadable"};

/// How one request for a binary object ended (Model A).
enum class Download : std::uint8_t {
    complete,   ///< all that was asked for was sent
    partial,    ///< a range of it did
    unchanged,  ///< 304, or HEAD
    cut,        ///< the client went away
    failed,     ///< our own copy could not be read, or nothing can be put on record
    too_slow,   ///< ended by us: slower than objectserver.min_rate
};
inline constexpr std::array<std::string_view, 6> download_names = {"complete", "partial", "unchanged",
                                                                   "cut",      "failed",  "too_slow"};

/// States of binary objects.
enum class ObjectState : std::uint8_t { attached, offered, queued, refused, set_aside };
inline constexpr std::array<std::string_view, 5> object_state_names = {"attached", "offered", "queued", "refused",
                                                                       "set_aside"};

/// Why a destination is paused: how it fails, or an operator.
enum class Pause : std::uint8_t {
    tls,               ///< TLS or certificates fail
    credentials,       ///< 401 or 403
    redirect,          ///< redirected
    senseless_answer,  ///< answers that make no sense
    refusals,          ///< HI1 errors, or a 4xx that judges what was sent
    unavailable,       ///< 5xx, 408 or 429
    no_answer,         ///< connections that break, or silence
    unreachable,       ///< no connection
    by_operator,       ///< an operator asked for it
};
inline constexpr std::array<std::string_view, 9> pause_names = {
    "tls",         "credentials", "redirect",    "senseless_answer", "refusals",
    "unavailable", "no_answer",   "unreachable", "operator"};

/// States of waiting items.
enum class WaitingState : std::uint8_t { held, queued, refused, set_aside };
inline constexpr std::array<std::string_view, 4> waiting_state_names = {"held", "queued", "refused", "set_aside"};

enum class Priority : std::uint8_t { emergency, routine };
inline constexpr std::array<std::string_view, 2> priority_names = {"emergency", "routine"};

enum class WarrantState : std::uint8_t { pending, active, expired };
inline constexpr std::array<std::string_view, 3> warrant_state_names = {"pending", "active", "expired"};

/// done: the new configuration or warrants are in force. partial: the same, but some warrant files are bad. failed:
/// nothing changed.
enum class ReloadOutcome : std::uint8_t { done, partial, failed };
inline constexpr std::array<std::string_view, 3> reload_outcome_names = {"done", "partial", "failed"};

enum class StoreFailure : std::uint8_t {
    disk_full,
    size_limit,  ///< store.max_bytes
    io_error,
    corrupt,
};
inline constexpr std::array<std::string_view, 4> store_failure_names = {"disk_full", "size_limit", "io_error",
                                                                        "corrupt"};

/// What a certificate is for.
enum class CertificateRole : std::uint8_t { intake, destination, objectserver, console };
inline constexpr std::array<std::string_view, 4> certificate_role_names = {"intake", "destination", "objectserver",
                                                                           "console"};

/// What ends some day; `own` is our certificate, `issuer` one that leads from it to the peer's CA.
enum class CertificateKind : std::uint8_t { own, issuer, ca, crl };
inline constexpr std::array<std::string_view, 4> certificate_kind_names = {"own", "issuer", "ca", "crl"};

/// Which one of several in the files of a listener or destination.
struct CertificatePlace {
    CertificateKind kind{};
    std::size_t number = 1;  ///< in its file
};

/// What became of a PDU of X2 or X3; each counts once.
enum class PduOutcome : std::uint8_t {
    event,        ///< it made at least one event
    no_event,     ///< it was read, and by itself makes none
    repeat,       ///< it had come before
    unknown_xid,  ///< of a task that no warrant in force lists: nothing is left of it
    keepalive,
    skipped,    ///< of a type or payload format that is not read
    malformed,  ///< it, or its payload, is not as it should be; the payload of a known task goes out all the same
};
inline constexpr std::array<std::string_view, 7> pdu_outcome_names = {
    "event", "no_event", "repeat", "unknown_xid", "keepalive", "skipped", "malformed"};

/// Of one source (an intake listener's name), of any kind.
struct EventMetrics {
    Counter received;  ///< every event read, accepted or not
    Counter accepted;  ///< answered with success: durable, or under no warrant
    std::array<Counter, rejection_names.size()> rejected_by;
    Counter received_bytes;
    Gauge connections;

    [[nodiscard]] const Counter& rejected(Rejection reason) const {
        return rejected_by[static_cast<std::size_t>(reason)];
    }
};

/// Of a listener below intake.x2x3. There are no answers: events count as accepted when they are durable.
struct X2x3Metrics : EventMetrics {
    std::array<Counter, pdu_outcome_names.size()> pdus_by;
    Counter sequence_gaps;
    Counter times_ahead;  ///< events with a time further ahead than intake.max_future
    Counter unknown_attributes;
    Gauge sessions;
    Gauge waiting_bytes;
    Gauge unfinished_bytes;

    [[nodiscard]] const Counter& pdus(PduOutcome outcome) const { return pdus_by[static_cast<std::size_t>(outcome)]; }
};

/// Of a listener below intake.http.
struct SourceMetrics : EventMetrics {
    Counter objects;       ///< uploaded
    Counter object_bytes;  ///< of them

    /// Counts one HTTP answer; unusual statuses count as `other`.
    void answered(int status) const;

  private:
    friend class Metrics;
    static constexpr std::array<int, 18> statuses = {200, 201, 202, 204, 400, 404, 405, 408, 411,
                                                     413, 414, 415, 417, 422, 429, 431, 500, 503};
    std::array<Counter, statuses.size() + 1> answers_;
};

/// Of one destination.
struct DestinationMetrics {
    std::array<Counter, item_outcome_names.size()> items_by;
    std::array<Counter, attempt_names.size()> attempts_by;
    Counter documents_valid;
    Counter documents_invalid;
    Counter sent_bytes;
    std::array<Counter, upload_names.size()> uploads_by;
    Counter upload_bytes;
    std::array<Counter, download_names.size()> downloads_by;
    Counter download_bytes;
    Histogram object_seconds;    ///< Model B: from the item's acceptance to the object's
    Histogram delivery_seconds;  ///< from the item's reception to the LEA's acceptance
    Histogram post_seconds;      ///< one POST, from the first byte to the answer read
    Gauge connections;

    [[nodiscard]] const Counter& items(ItemOutcome outcome) const {
        return items_by[static_cast<std::size_t>(outcome)];
    }
    [[nodiscard]] const Counter& attempts(Attempt outcome) const {
        return attempts_by[static_cast<std::size_t>(outcome)];
    }
    [[nodiscard]] const Counter& uploads(Upload outcome) const { return uploads_by[static_cast<std::size_t>(outcome)]; }
    [[nodiscard]] const Counter& downloads(Download outcome) const {
        return downloads_by[static_cast<std::size_t>(outcome)];
    }
};

/// Takes values that are only determined when somebody asks for the metrics. Each call adds one sample; of several with
/// the same labels in one scrape the last one counts.
class Scrape {
  public:
    virtual ~Scrape() = default;
    virtual void outbox_items(std::string_view destination, WaitingState state, std::uint64_t count) = 0;
    /// Age of the destination's oldest queued item of that priority; 0 when none waits.
    virtual void outbox_oldest_age(std::string_view destination, Priority priority, double seconds) = 0;
    /// How long the item has been held that is held longest, and how many are held for too long.
    virtual void review_oldest(double seconds) = 0;
    virtual void review_overdue(std::uint64_t count) = 0;
    virtual void objects(std::string_view destination, ObjectState state, std::uint64_t count) = 0;
    /// Bytes of all binary objects.
    virtual void object_bytes(std::uint64_t bytes) = 0;
    /// Bytes of all waiting items.
    virtual void outbox_bytes(std::uint64_t bytes) = 0;
    /// What counts towards store.max_bytes; also raises the alarms at 50 % and 80 %.
    virtual void store_bytes(std::uint64_t used, std::uint64_t maximum) = 0;
    virtual void store_accepting(bool accepting) = 0;
    ///   number              of the newest in the chain
    ///   restore_unrecorded  the store is older than it was, and no entry says so yet
    ///   restored            it is not the state that was there last, or nobody can tell, and nobody has accepted that
    virtual void audit(std::uint64_t number, bool restore_unrecorded, bool restored) = 0;
    ///   working     the store is sealed anew, or for the first time
    ///   unreadable  records that were not what was sealed, since the start
    virtual void sealing(bool on, bool working, std::uint64_t unreadable) = 0;
    /// Since the start: items not made, being repeats, and items made although their event_id was another event's.
    virtual void repeats(std::uint64_t repeated, std::uint64_t reused_ids) = 0;
    /// nullopt: not paused.
    virtual void destination_paused(std::string_view destination, std::optional<Pause> reason) = 0;
    /// The same for uploads to it, which pause separately (Model B).
    virtual void uploads_paused(std::string_view destination, std::optional<Pause> reason) = 0;
    /// `name`: of the listener or the destination.
    virtual void certificate_expiry(CertificateRole role, std::string_view name, CertificatePlace place,
                                    model::Instant not_after) = 0;
    virtual void tls_files_bad(CertificateRole role, std::string_view name, bool bad) = 0;
    virtual void warrants(WarrantState state, std::uint64_t count) = 0;
    virtual void warrant_files_bad(std::uint64_t count) = 0;
    virtual void warrants_unconfirmed(std::uint64_t count) = 0;
    virtual void warrants_revoked(std::uint64_t count) = 0;
    virtual void warrants_unapproved(std::uint64_t count) = 0;
    virtual void warrants_test(std::uint64_t count) = 0;
    virtual void clock_unsynchronised(bool unsynchronised) = 0;
    virtual void clock_untrusted(bool untrusted) = 0;
    virtual void ready(bool ready) = 0;
};

/// All metrics of the daemon. One object, made at the start, which outlives everything that holds its handles.
/// Thread-safe; the functions that make or find handles take a lock, the handles do not.
class Metrics {
  public:
    Metrics();
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    /// Finds or makes the handles of one source or destination, with all its series at zero. The reference is valid as
    /// long as this object. The configuration bounds the number of names.
    [[nodiscard]] const SourceMetrics& source(const std::string& name);
    [[nodiscard]] const X2x3Metrics& x2x3(const std::string& name);
    [[nodiscard]] const DestinationMetrics& destination(const std::string& name);

    [[nodiscard]] const Counter& reloads(ReloadOutcome outcome) const;
    [[nodiscard]] const Counter& store_failures(StoreFailure failure) const;
    [[nodiscard]] const Histogram& store_commit_seconds() const;
    /// Requests for objects that were answered 404: unknown, ended, or not for that certificate.
    [[nodiscard]] const Counter& downloads_denied() const;
    [[nodiscard]] const Counter& downloads_unrecorded() const;
    /// Requests for objects that were answered 429: their client asks too often.
    [[nodiscard]] const Counter& downloads_limited() const;
    /// Warrants that ended before their time because their file was removed: an alarm.
    [[nodiscard]] const Counter& warrants_withdrawn() const;
    /// Binary objects that could not be had, or never fit the store: an alarm.
    [[nodiscard]] const Counter& objects_lost() const;

    /// `function` is called at every render(), on the thread that calls render(), in the order of adding. Everything
    /// that `function` uses must outlive this object, or the function must be removed before by remove_scraped.
    using ScrapeFunction = std::function<void(Scrape&)>;
    std::uint64_t add_scraped(ScrapeFunction function);
    /// Returns once no render() is inside the function any more; must not be called from within one.
    void remove_scraped(std::uint64_t id);

    /// The text exposition format 0.0.4; content type `text/plain; version=0.0.4; charset=utf-8`.
    [[nodiscard]] std::string render() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// The contents of docs/metrics.md, made from the declarations.
[[nodiscard]] std::string reference_markdown();

}  // namespace lihandover::metrics
