#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lihandover::hi1 {

// The error codes of TS 103 120 annex D, table D.1. They are between 3000 and 3022; other codes that an implementation
// sends have no agreed meaning.

/// What a code is about, and so whose fault it is.
enum class ErrorScope : std::uint8_t {
    action,             ///< this action: its object, its values, what it links to
    message,            ///< the message that the action came in: its identifiers, its size
    systems,            ///< the two systems, whatever they exchange: configuration, encoding, version
    action_or_systems,  ///< this action, or all of them: only comparison with others tells
    moment,             ///< nothing but the moment
};

struct ErrorCode {
    std::uint64_t code = 0;
    std::string_view meaning;  ///< one line of plain text; the standard's meaning in our words
    ErrorScope scope{};
    bool retryable = false;  ///< the same action may be accepted later, with nothing changed on our side
};

inline constexpr std::uint64_t transient_technical_error = 3003;
inline constexpr std::uint64_t configuration_issue = 3004;
inline constexpr std::uint64_t unsupported_feature = 3001;
inline constexpr std::uint64_t duplicate_action_identifier = 3002;
inline constexpr std::uint64_t improper_value = 3007;
inline constexpr std::uint64_t object_already_exists = 3010;
inline constexpr std::uint64_t encoding_not_supported = 3019;
inline constexpr std::uint64_t validation_error = 3020;
inline constexpr std::uint64_t version_not_supported = 3021;
inline constexpr std::uint64_t message_too_large = 3022;

/// All of them, in order.
[[nodiscard]] std::span<const ErrorCode> error_codes();

/// nullptr for a code that is not in the table.
[[nodiscard]] const ErrorCode* find_error_code(std::uint64_t code);

/// The meaning, or a note that the standard gives the code none.
[[nodiscard]] std::string_view meaning_of(std::uint64_t code);

[[nodiscard]] std::string_view name_of(ErrorScope scope);

/// docs/hi1-error-codes.md.
[[nodiscard]] std::string error_codes_markdown();

}  // namespace lihandover::hi1
