#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/item.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::hi1 {

// HI1 messages in: responses as the daemon gets them from an LEA, and, for the test LEA (lea-sim links lihandover::hi1
// for this), requests in and responses out. What is read is hostile: no DTD, no entities but XML's own five, bounded
// size, depth and counts. Any prefix is taken, but the namespace must be Core's. All functions may be called from any
// thread. Errors name what is wrong, never a value.

inline constexpr std::size_t max_response_size = std::size_t{4} << 20;     ///< bytes; larger is an error
inline constexpr std::size_t max_xml_depth = 64;                           ///< elements; deeper is an error
inline constexpr std::size_t max_actions = 10'000;                         ///< per message; more is an error
inline constexpr std::size_t max_description = 4096;                       ///< bytes kept of an ErrorDescription
inline constexpr std::uint64_t max_number = (std::uint64_t{1} << 63) - 1;  ///< numbers above are read as this one

/// Header. What a reader finds missing is empty, but for the transaction, without which there is no message.
struct Header {
    model::Uuid transaction;
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

/// One ActionResponse, as it is.
struct ActionAnswer {
    enum class Kind : std::uint8_t {
        accepted,    ///< DELIVERResponse; `identifier` is the object's
        refused,     ///< ErrorInformation; `error`
        unreadable,  ///< a response to another kind of action, or one that makes no sense: says nothing about the
                     ///< action
    };
    std::uint64_t action = max_number;  ///< ActionIdentifier; max_number too where it is missing or no number
    Kind kind = Kind::unreadable;
    model::Uuid identifier;
    ErrorInformation error;

    friend bool operator==(const ActionAnswer&, const ActionAnswer&) = default;
};

struct Response {
    Header header;  ///< whether its transaction is the request's is for the caller to judge
    /// The whole message failed; `actions` is empty then.
    std::optional<ErrorInformation> message_error;
    /// In document order; duplicates, gaps and unknown ActionIdentifiers are reported as they are.
    std::vector<ActionAnswer> actions;
};

/// Reads the body of an HTTP 200. An error where it is not well-formed XML, not an HI1Message with a readable
/// TransactionIdentifier and one ResponsePayload, has neither or both of its forms, or breaks a bound.
[[nodiscard]] model::Result<Response> parse_response(std::string_view body);

// -- The side that answers -------------------------------------------------------------------------------------------

/// One ActionRequest.
struct RequestedAction {
    std::uint64_t action = 0;  ///< ActionIdentifier
    bool deliver = false;      ///< a DELIVER with a readable Identifier; else an action this LEA does not know
    model::Uuid identifier;    ///< DELIVER/Identifier
    std::string liid;          ///< Reference/LIID; empty when absent, and always from scan_request
    /// ObjectIdentifier of the HI1Object is the same as `identifier` (always true from scan_request).
    bool object_matches = true;
};

struct Request {
    Header header;
    std::vector<RequestedAction> actions;
};

/// Reads a request of any shape that the schemas allow. `max_size` bounds the body in bytes.
[[nodiscard]] model::Result<Request> read_request(std::string_view body, std::size_t max_size = std::size_t{64} << 20);

/// The cheap way, for benchmarks: finds header, ActionIdentifiers and DELIVER/Identifiers by looking for the tags as
/// our own writer writes them, without checking the rest. `out` is reused. An error where they are not to be found.
[[nodiscard]] model::Status scan_request(std::string_view body, Request& out);

/// Appends a response: sender and receiver of the request the other way round, its TransactionIdentifier and versions.
/// `answers` of kind unreadable are left out.
void append_response(std::string& out, const Request& request, model::Instant created,
                     std::span<const ActionAnswer> answers);

/// Appends a response that says that the whole message failed.
void append_error_response(std::string& out, const Request& request, model::Instant created,
                           const ErrorInformation& error);

/// Appends the Header element. `created` is its Timestamp.
void append_header(std::string& out, const Header& header, model::Instant created);

}  // namespace lihandover::hi1
