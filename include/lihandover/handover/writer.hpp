#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "lihandover/handover/names.hpp"
#include "lihandover/model/item.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::handover {

// Writes documents (TS 103 120 clauses 6, 7, 9, 10; TS 103 707 clause 5). All functions append to the caller's string,
// keep no state and may be called from any thread. The result is UTF-8 with an XML declaration.
//
// A message of n actions, with nothing copied twice:
//
//     append_message_head(out, profile, transaction, now);
//     for (i = 0 … n - 1) {
//         hi1::append_action_head(out, i);
//         append_deliver(out, share, identity, profile);
//         out += hi1::action_tail;
//     }
//     out += hi1::message_tail;
//
// The pieces may also be in separate buffers and be sent by gathering. All actions of one message belong to one
// destination, and the head is written with its profile. Sender, receiver and versions belong to the message, so two
// profiles that differ in any of them need two messages.

/// Whether documents made with the profile can be valid: country codes, lengths (the receiver's identifier becomes the
/// OwnerIdentifier, at most 255 characters), ETSIVersion, text that XML can carry, a writer version that this program
/// has. The error names the field, never its value. append_* expect a profile that passed.
[[nodiscard]] model::Status check_profile(const model::Profile& profile);

/// XML declaration, HI1Message with all namespace declarations of the message, Header, and the payload up to the first
/// ActionRequest. `created` is now; `transaction` is new on every attempt.
void append_message_head(std::string& out, const model::Profile& profile, const model::Uuid& transaction,
                         model::Instant created);

/// Appends the DELIVER element: Identifier and HI1Object. The same arguments give the same bytes, whatever message it
/// goes into and however often (promise 3): nothing here uses a clock or anything but the arguments.
/// Valid for every share: text that XML 1.0 cannot carry goes as base64 (docs/csp-schema.md).
///   identity.liid   an LIID by model::is_liid
///   objects         the item's binary objects in the event's order (TS 103 707 5.4.3); items of writer version 1 have
///                   none, and would say nothing of them beyond table 8
/// Fails, leaving `out` unchanged, only if profile.writer_version is not one of this program's.
[[nodiscard]] model::Status append_deliver(std::string& out, const model::Share& share,
                                           const model::ItemIdentity& identity, const model::Profile& profile,
                                           std::span<const model::BinaryObject> objects = {});

/// Bytes of head and tail together, for limiting messages to a size.
[[nodiscard]] std::size_t message_overhead(const model::Profile& profile);

/// A whole message from DELIVER elements written before.
void append_message(std::string& out, const model::Profile& profile, const model::Uuid& transaction,
                    model::Instant created, std::span<const std::string_view> delivers);

}  // namespace lihandover::handover
