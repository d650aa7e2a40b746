#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lihandover/model/identifier.hpp"

namespace lihandover::model {

/// Appends a number without its separators. `+` is accepted only before the first digit, and kept if `keep_plus`;
/// `extra` are characters that count as digits. ASCII digits only, as in documents. False if anything else is in it, or
/// no digit.
[[nodiscard]] bool append_digits(std::string& out, std::string_view text, bool keep_plus, std::string_view extra);

/// A text that is a telephone number and nothing else: decimal digits of any script, separators, one `+` in front.
struct PhoneNumber {
    std::string_view digits;  ///< ASCII, at least one; views the text or `scratch`
    bool plus = false;
    bool trunk_in_brackets = false;  ///< it contains `(0)`, as in `+44 (0)7700`
};

/// Nullopt for anything else. The common forms need no copy; the others replace `scratch`. If `plan` has a trunk
/// prefix, and the number has it in brackets after the plan's country code, it is left out.
[[nodiscard]] std::optional<PhoneNumber> read_phone_number(std::string_view text, const NumberPlan* plan,
                                                           std::string& scratch);

/// The E.164 digits that the number stands for, under the plan of its source if it has one (null: none). A view of
/// `number.digits`, or of `scratch`, which is replaced. A number that is not in international form, and that no plan
/// explains, stays as it is, with its leading zero.
[[nodiscard]] std::string_view international_digits(const PhoneNumber& number, const NumberPlan* plan,
                                                    std::string& scratch);

/// The same for a number without `+` that is known to be one of the plan's country, as by a phone-context: it is a
/// national number with or without its trunk prefix, if it does not begin with an international prefix.
[[nodiscard]] std::string_view digits_within_country(const PhoneNumber& number, const NumberPlan& plan,
                                                     std::string& scratch);

}  // namespace lihandover::model
