#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::intake {

enum class PduType : std::uint16_t { x2 = 1, x3 = 2, keepalive = 3, keepalive_acknowledgement = 4 };

/// Payload formats that we read (TS 103 221-2 table 5.4.1-1); every other number is skipped.
enum class PayloadFormat : std::uint16_t { keepalive = 0, sip = 9, msrp = 13, mime = 15 };

/// One PDU of X2 or X3 (TS 103 221-2 5). Texts view the bytes it was read from.
struct Pdu {
    std::uint8_t major = 0;
    std::uint8_t minor = 0;
    std::uint16_t type = 0;    ///< a PduType, or another number
    std::uint16_t format = 0;  ///< a PayloadFormat, or another number
    std::uint16_t direction = 0;
    model::Uuid xid;
    std::uint64_t correlation = 0;
    std::vector<model::Uuid> further_xids;          ///< attribute 21
    std::string_view domain_id;                     ///< 5
    std::string_view function_id;                   ///< 6
    std::string_view point_id;                      ///< 7
    std::optional<std::uint32_t> sequence;          ///< 8
    std::optional<model::Instant> at;               ///< 9, of 8 or 12 bytes
    std::vector<std::string_view> matched_targets;  ///< 17, as they came: XML elements or bare URIs
    std::vector<std::string_view> other_targets;    ///< 18
    std::string_view mime_type;                     ///< 19
    std::string_view mime_transfer_encoding;        ///< 20
    std::string_view sdp;                           ///< 22
    std::string_view source_address;                ///< 10 or 12, its octets
    std::string_view destination_address;           ///< 11 or 13
    std::optional<std::uint16_t> source_port;       ///< 14
    std::optional<std::uint16_t> destination_port;  ///< 15
    std::vector<std::uint16_t> unknown_attributes;  ///< numbers of those skipped
    bool broken_attribute = false;  ///< one overran the header, or has a length or a time that its type cannot have
    std::string_view payload;
    std::size_t octets = 0;  ///< header and payload
};

enum class PduRead : std::uint8_t {
    pdu,            ///< a whole one
    incomplete,     ///< more bytes are needed: `octets` as far as known
    other_version,  ///< another major version than 0: nothing after it can be trusted
    unframed,       ///< lengths outside the bounds: nothing after it can be found
};

struct PduBounds {
    std::size_t max_header = std::size_t{64} << 10;
    std::size_t max_payload = std::size_t{16} << 20;
};

/// Reads the PDU that `bytes` begin with. Lengths are judged before their bytes are there.
///   needed   of incomplete: bytes that the whole PDU has, or 40 while its header is not there
[[nodiscard]] PduRead read_pdu(std::string_view bytes, const PduBounds& bounds, Pdu& out, std::size_t& needed);

/// The text of a target identifier attribute: that of the innermost element, or the text itself where it is no XML.
/// Character references are resolved into `scratch` where there are any.
[[nodiscard]] std::string_view target_text(std::string_view value, std::string& scratch);

/// A keepalive acknowledgement, with the number of the keepalive where it had one.
[[nodiscard]] std::string acknowledgement_of(const Pdu& keepalive);

}  // namespace lihandover::intake
