#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lihandover/model/identifier.hpp"

namespace lihandover::model {

/// Appends what is left of a number without separators. `+` is taken in front of the first digit only, and kept where
/// `keep_plus`; `extra` are characters that count as digits. ASCII digits only, as documents have them. False when
/// something else is in it, or no digit.
[[nodiscard]] bool append_digits(std::string& out, std::string_view text, bool keep_plus, std::string_view extra);

/// A text that is a telephone number and nothing else: decimal digits of any script, separators, one `+` in front.
struct PhoneNumber {
    std::string_view digits;  ///< ASCII, at least one; views the text or `scratch`
    bool plus = false;
    bool trunk_in_brackets = false;  ///< `(0)` is in it, as in `+44 (0)7700`
};

/// Nullopt for anything else. The common forms need no copy; the others replace `scratch`. Where `plan` has a trunk
/// prefix, and that stands in brackets behind the plan's country code, it is left out.
[[nodiscard]] std::optional<PhoneNumber> read_phone_number(std::string_view text, const NumberPlan* plan,
                                                           std::string& scratch);

/// The E.164 digits that the number stands for, under the plan of its source where it has one (null: none). A view of
/// `number.digits`, or of `scratch`, which is replaced. What is not in international form, and of which no plan says
/// how it is meant, stays as it is, with its leading zero.
[[nodiscard]] std::string_view international_digits(const PhoneNumber& number, const NumberPlan* plan,
                                                    std::string& scratch);

}  // namespace lihandover::model
