#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lihandover/model/item.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::audit {

/// A decision that touches evidence (promise 12). The numbers are on disk: never change them, only add.
enum class Kind : std::uint8_t {
    warrant_in_force = 0,
    warrant_changed = 1,
    warrant_ended = 2,
    item_made = 3,
    item_delivered = 4,
    item_refused = 5,
    item_retried = 6,
    item_rejected = 7,
    object_lost = 8,      ///< the file that the source named could not be copied; `why` says how it failed
    object_pushed = 9,    ///< Model B
    object_fetched = 10,  ///< Model A; `who` is the certificate's SHA-256, `why` the range and the outcome
    object_refused = 11,
    object_retried = 12,
    object_rejected = 13,  ///< by an operator
    object_expired = 14,   ///< Model A: it can no longer be fetched
    item_set_aside = 15,
    object_set_aside = 16,
    destination_paused = 17,  ///< by an operator, until he resumes it
    destination_resumed = 18,
    clock_accepted = 19,  ///< an operator said that the wall clock is right; of no lane
    head_recorded = 20,   ///< of another daemon's chain, which `why` names (words_of_head); of no lane
    store_restored = 21,  ///< the store is older than one that was there; of no lane
    warrant_revoked = 22,
    warrant_pending = 23,   ///< new or grown, it waits for people's approval; `why` has its terms
    warrant_approved = 24,  ///< by one of the people it needs
    warrant_refused = 25,
    item_held = 26,         ///< made, and waits for people; its item_made follows when they have approved it
    item_approved = 27,     ///< by one of the people it needs; `why` says which
    item_disapproved = 28,  ///< the first of two people would reject it; its item_rejected follows by the second's word
    content_shown = 29,     ///< of a waiting item, to an operator
    store_sealed = 30,      ///< sealing the store anew was begun, or is done; `why` says which; of no lane
    item_withheld = 31,     ///< was queued or set aside, and waits for people, since its warrant was revoked
    restore_accepted = 32,  ///< an operator knows that another state of the store was put in place; of no lane
    revocation_lifted = 33,  ///< the file of a revoked warrant says another one, or is gone; `why` says which
    warrants_applied = 34,   ///< an operator put a set of warrant files in place of the one before; `why` says how many
};
inline constexpr std::array<std::string_view, 35> kind_names = {
    "warrant_in_force", "warrant_changed",  "warrant_ended",      "item_made",           "item_delivered",
    "item_refused",     "item_retried",     "item_rejected",      "object_lost",         "object_pushed",
    "object_fetched",   "object_refused",   "object_retried",     "object_rejected",     "object_expired",
    "item_set_aside",   "object_set_aside", "destination_paused", "destination_resumed", "clock_accepted",
    "head_recorded",    "store_restored",   "warrant_revoked",    "warrant_pending",     "warrant_approved",
    "warrant_refused",  "item_held",        "item_approved",      "item_disapproved",    "content_shown",
    "store_sealed",     "item_withheld",    "restore_accepted",   "revocation_lifted",   "warrants_applied"};
[[nodiscard]] constexpr std::string_view name_of(Kind kind) {
    return kind_names[static_cast<std::size_t>(kind)];
}

/// Why an item or an object was refused or set aside. `words` may be an LEA's text: for the control API and the audit
/// record only, never for a log (promise 8).
struct Refusal {
    /// The LEA's HI1 ErrorCode, or an HTTP status, or 0.
    std::uint64_t code = 0;
    /// The numbers are on disk: never change them, only add.
    enum class Kind : std::uint8_t {
        hi1_error = 0,
        http_status = 1,
        invalid_document = 2,
        expired = 3,     ///< a binary object that could not be pushed in time
        no_answer = 4,   ///< the connection ended, or the time ran out, without an answer
        unreadable = 5,  ///< an answer that is not an HI1 message
    } kind = Kind::hi1_error;
    std::string words;

    friend bool operator==(const Refusal&, const Refusal&) = default;
};
[[nodiscard]] std::string_view name_of(Refusal::Kind kind);

/// One decision, complete: made in one call, in one place, and stored in the same transaction. Nothing is added later.
/// Its strings are views, of what it was made from, or of the reader's strings when read back.
struct Entry {
    Kind kind{};
    model::Instant at;
    std::string_view destination;  ///< of the lane; empty if it is about no lane
    std::string_view liid;         ///< empty if it is about a whole destination
    std::string_view who;          ///< an operator or a certificate; empty: the daemon itself
    std::string_view why;
    std::optional<model::Uuid> object_id;  ///< of the item, or of the binary object
    /// With item_made, so that the item's numbers and time stay on record when it is gone.
    std::optional<model::ApplicationCorrelation> correlation;
    std::optional<model::Instant> received_at;
    /// Why it was refused or set aside, now or before; with item_delivered, what the LEA said of one that it had
    /// already.
    const Refusal* refusal = nullptr;
};

}  // namespace lihandover::audit
