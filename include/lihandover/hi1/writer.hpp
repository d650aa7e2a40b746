#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "lihandover/hi1/message.hpp"
#include "lihandover/model/time.hpp"

namespace lihandover::hi1 {

// Writes HI1 messages (TS 103 120 clause 6). All functions append to a string that the caller owns and may reuse, keep
// no state and may be called from any thread. The result is UTF-8 with an XML declaration.

/// The Header element. `created` is its Timestamp.
void append_header(std::string& out, const Header& header, model::Instant created);

// -- Requests: in pieces, so that actions written elsewhere are not copied. A head, each action between
//    append_action_head and action_tail, and message_tail.

/// A namespace declared on the root: prefix and name.
using Declaration = std::pair<std::string_view, std::string_view>;

/// XML declaration, HI1Message, Header, and the payload up to the first ActionRequest. The root declares the namespaces
/// of TS 103 120 (Core without a prefix, `d` Delivery, `c` Common, `xsi`), and `more`.
void append_request_head(std::string& out, const Header& header, model::Instant created,
                         std::span<const Declaration> more = {});

/// Opens ActionRequest number `index` (its ActionIdentifier), counted from 0 within the message (6.4.4).
void append_action_head(std::string& out, std::size_t index);

inline constexpr std::string_view action_tail = "</ActionRequest>";
inline constexpr std::string_view message_tail = "</ActionRequests></RequestPayload></Payload></HI1Message>";

/// At most this many bytes surround one action (action head and tail).
inline constexpr std::size_t action_overhead = 96;

// -- Responses to the request with the given header: sender and receiver the other way round, its TransactionIdentifier
//    and versions. What the header lacks gets values that are valid.

/// One ActionResponse for each of `answers`; those of kind unreadable are left out.
void append_response(std::string& out, const Header& request, model::Instant created,
                     std::span<const ActionAnswer> answers);

/// Reports that the whole message failed.
void append_error_response(std::string& out, const Header& request, model::Instant created,
                           const ErrorInformation& error);

}  // namespace lihandover::hi1
