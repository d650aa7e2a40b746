#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::x2x3_send {

/// What flows write for what is left out.
inline constexpr std::string_view elision = "(...)";

/// What a PDU carries; raw bytes go into the stream as they are, without a header.
enum class Kind : std::uint8_t { sip, msrp, mime, raw };
[[nodiscard]] std::string_view name_of(Kind kind);

/// TS 103 221-2, payload direction.
enum class Direction : std::uint16_t { unknown = 1, to_target = 2, from_target = 3, several = 4, not_applicable = 5 };
[[nodiscard]] std::string_view name_of(Direction direction);

/// A conditional attribute, beside those that the sender makes itself.
struct Attribute {
    std::uint16_t type = 0;
    std::string value;
};

/// A copy of a message, for one PDU.
struct Message {
    Kind kind = Kind::sip;
    Direction direction = Direction::unknown;
    std::string step;                          ///< its number in the figure of a flow; empty when it has none
    std::string hop;                           ///< `UE1>P-CSCF1`; empty when it has none
    std::vector<model::Uuid> xids;             ///< the first goes into the header, the others are attributes
    std::optional<std::uint64_t> correlation;  ///< nullopt: by the session that it belongs to
    std::chrono::nanoseconds at{};             ///< since the beginning of the flow
    std::optional<model::Instant> captured;    ///< when it was captured, where that is known
    std::optional<std::uint32_t> sequence;     ///< instead of the sender's own count
    std::optional<std::uint16_t> format;       ///< instead of the kind's payload format
    std::optional<std::uint16_t> pdu_type;     ///< instead of X2 for SIP and MIME, X3 for MSRP
    std::optional<std::uint16_t> version;      ///< major and minor, instead of 0.5
    std::vector<Attribute> attributes;
    std::string bytes;
    std::size_t line = 0;  ///< where it begins in its file; 0 when it has none
};

/// `{n}` in a text: the number of the repetition, always of so many digits, so that no length ever changes.
inline constexpr std::size_t number_digits = 10;
/// What stands for it in Message::bytes, as long as the number.
inline constexpr std::string_view number_mark = "\x01\x02number\x02\x01";
static_assert(number_mark.size() == number_digits);
[[nodiscard]] std::vector<std::size_t> number_places(std::string_view bytes);
void write_number(char* at, std::uint64_t number);

/// Whether a header of SIP or MSRP is that one, in any case.
[[nodiscard]] bool same_name(std::string_view left, std::string_view right);
[[nodiscard]] std::string_view trimmed(std::string_view text);
/// A line without its end; `rest` begins after it.
[[nodiscard]] std::string_view take_line(std::string_view& rest);

/// The bytes of hex digits, blanks between them passed over; nullopt for anything else.
[[nodiscard]] std::optional<std::string> bytes_of_hex(std::string_view text);

}  // namespace lihandover::x2x3_send
