#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "lihandover/model/event.hpp"

namespace lihandover::handover {

// Whether, and how, a value fits a type of TS 103 280. If in doubt it does not: such a value goes as untyped text,
// while a typed one that some validator refuses would make the document invalid.

/// Text in its own buffer, so that the hot path allocates nothing for it.
template <std::size_t Capacity>
class ShortText {
  public:
    [[nodiscard]] std::string_view view() const { return {data_, size_}; }
    [[nodiscard]] bool empty() const { return size_ == 0; }
    void push(char c) {
        if (size_ < Capacity) {
            data_[size_++] = c;
        }
    }
    void push(std::string_view text) {
        for (const char c : text) {
            push(c);
        }
    }

  private:
    char data_[Capacity]{};  // NOLINT(modernize-avoid-c-arrays): never seen from outside
    std::size_t size_ = 0;
};

enum class IdentifierForm : std::uint8_t { international_e164, email_address, sip_uri, tel_uri, untyped };

/// The type that the normalised value of an identifier of the given type fits.
[[nodiscard]] IdentifierForm identifier_form(model::IdentifierType type, std::string_view normalised);

/// The QualifiedMicrosecondDateTime of a text that model::parse_rfc3339 accepted, with the offset given; empty if the
/// type cannot express the time exactly.
[[nodiscard]] ShortText<32> exact_time(std::string_view rfc3339);

/// WGS84LatitudeDecimal and WGS84LongitudeDecimal of a JSON number; empty if six decimals cannot express it without
/// rounding, or if it is not in range.
[[nodiscard]] ShortText<16> latitude(std::string_view number);
[[nodiscard]] ShortText<16> longitude(std::string_view number);

/// The element of the CSP schema's Property for a value, and its text in that type; an empty element if none fits.
struct TypedProperty {
    std::string_view element;
    ShortText<48> text;
};
[[nodiscard]] TypedProperty typed_property(const model::Property& property);

}  // namespace lihandover::handover
