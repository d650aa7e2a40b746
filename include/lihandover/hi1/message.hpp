#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/item.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::hi1 {

// HI1 messages (TS 103 120 clause 6), and the reader of responses, for the side that asked. request.hpp reads requests,
// writer.hpp writes both. Input is hostile: no DTD, no entities except XML's own five, bounded size, depth and counts.
// Any prefix is accepted, but the namespace must be Core's. All functions may be called from any thread. Errors say
// what is wrong, never a value.

inline constexpr std::size_t max_response_size = std::size_t{4} << 20;     ///< bytes; larger is an error
inline constexpr std::size_t max_actions = 10'000;                         ///< per message; more is an error
inline constexpr std::size_t max_description = 4096;                       ///< bytes kept of an ErrorDescription
inline constexpr std::uint64_t max_number = (std::uint64_t{1} << 63) - 1;  ///< larger numbers are read as this one

/// The Header. What is missing or unreadable is empty. A response's sender and receiver may be those of the request, or
/// swapped: both occur.
struct Header {
    model::Uuid transaction;  ///< TransactionIdentifier; nil where it is unreadable, which is an error but for
                              ///< Response's message_error
    model::Endpoint sender;
    model::Endpoint receiver;
    std::string etsi_version;
    std::string national_profile_owner;
    std::string national_profile_version;
};

/// TS 103 120 ErrorInformation. `description` is the LEA's words (cut at max_description, on a character): never
/// logged.
struct ErrorInformation {
    std::uint64_t code = 0;  ///< at most max_number; a missing or unreadable ErrorCode makes the entry unreadable
    std::string description;

    friend bool operator==(const ErrorInformation&, const ErrorInformation&) = default;
};

/// One ActionResponse, as it is. Elements that the schema does not allow there are ignored.
struct ActionAnswer {
    enum class Kind : std::uint8_t {
        accepted,    ///< DELIVERResponse; `identifier` is the object's
        refused,     ///< ErrorInformation; `error`
        unreadable,  ///< a response to another verb, or one that makes no sense: says nothing about the action
    };
    std::uint64_t action = max_number;  ///< ActionIdentifier; max_number also if it is missing or not a number
    Kind kind = Kind::unreadable;
    model::Uuid identifier;
    ErrorInformation error;

    friend bool operator==(const ActionAnswer&, const ActionAnswer&) = default;
};

struct Response {
    /// The caller checks whether the transaction is the request's. With a message_error it need not be: an LEA that
    /// could not read the request answers under a new one (6.2.5), or under none.
    Header header;
    /// The whole message failed; then `actions` is empty.
    std::optional<ErrorInformation> message_error;
    /// In document order, which need not be the request's. Duplicates, gaps and unknown ActionIdentifiers are reported
    /// as they are.
    std::vector<ActionAnswer> actions;
};

/// Reads the body of an answer. An error if it is not well-formed XML, is not an HI1Message with a ResponsePayload in
/// one of its two forms, has ActionResponses but no readable TransactionIdentifier, or exceeds a bound. What follows
/// the payload (signatures) is ignored.
[[nodiscard]] model::Result<Response> parse_response(std::string_view body);

}  // namespace lihandover::hi1
