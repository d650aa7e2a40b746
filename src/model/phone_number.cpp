#include "phone_number.hpp"

#include <unictype.h>

#include <algorithm>
#include <array>

#include "ascii.hpp"
#include "lihandover/base/utf8.hpp"

namespace lihandover::model {

using namespace std::string_view_literals;

namespace {

constexpr std::string_view wide_open = "\uFF08";
constexpr std::string_view wide_close = "\uFF09";

/// The length of the separator or visual space that `text` begins with; 0: none.
std::size_t separator_length(std::string_view text) {
    switch (text.front()) {
        case ' ':
        case '\t':
        case '-':
        case '.':
        case '(':
        case ')':
        case '/':
            return 1;
        default:
            break;
    }
    const auto at = [&text](std::size_t n) {
        return n < text.size() ? static_cast<unsigned>(static_cast<unsigned char>(text[n])) : 0U;
    };
    if (at(0) == 0xC2 && (at(1) == 0xA0 || at(1) == 0xAD)) {  // no-break space, soft hyphen
        return 2;
    }
    if (at(0) == 0xE2 && at(1) == 0x80) {  // U+2000 to U+203F
        const unsigned low = at(2);
        return (low >= 0x80 && low <= 0x95) || (low >= 0xAA && low <= 0xAF) ? 3
                                                                            : 0;  // spaces, hyphens, direction marks
    }
    if (at(0) == 0xE2 && at(1) == 0x81) {  // U+2040 to U+207F
        const unsigned low = at(2);
        return (low >= 0x9F && low <= 0xA4) || (low >= 0xA6 && low <= 0xA9) ? 3 : 0;  // space, joiner, isolates
    }
    const bool minus = at(0) == 0xE2 && at(1) == 0x88 && at(2) == 0x92;
    const bool wide_space = at(0) == 0xE3 && at(1) == 0x80 && at(2) == 0x80;
    const bool byte_order_mark = at(0) == 0xEF && at(1) == 0xBB && at(2) == 0xBF;
    return minus || wide_space || byte_order_mark ? 3 : 0;
}

/// The same for comparing numbers. Documents never change (normalised()), so they do not have what was added later:
/// full-width brackets, hyphen, full stop and slash.
std::size_t compared_separator_length(std::string_view text) {
    for (const std::string_view wide : {wide_open, wide_close, "\uFF0D"sv, "\uFF0E"sv, "\uFF0F"sv}) {
        if (text.starts_with(wide)) {
            return wide.size();
        }
    }
    return separator_length(text);
}

/// The value of a decimal digit of any script except ASCII; -1 for other characters.
int digit_of_any_script(char32_t value) {
    return value < 0x80 ? -1 : uc_decimal_value(value);
}

constexpr std::string_view usual_prefix = "00";  // ITU-T E.123; no country code begins with a zero
constexpr char32_t fullwidth_plus = 0xFF0B;

/// The length of the bracket, of either width, that `text` begins with; 0: none.
std::size_t bracket_length(std::string_view text, char bracket, std::string_view wide) {
    return text.starts_with(bracket) ? 1 : text.starts_with(wide) ? wide.size() : 0;
}

/// The length of `(0)` at the start of `text`, with blanks between; 0: it does not begin so.
std::size_t bracketed_length(std::string_view text, std::string_view digits) {
    const std::size_t open = bracket_length(text, '(', wide_open);
    if (open == 0) {
        return 0;
    }
    std::size_t at = text.find_first_not_of(' ', open);
    if (at == std::string_view::npos || !text.substr(at).starts_with(digits)) {
        return 0;
    }
    at = text.find_first_not_of(' ', at + digits.size());
    if (at == std::string_view::npos) {
        return 0;
    }
    const std::size_t close = bracket_length(text.substr(at), ')', wide_close);
    return close == 0 ? 0 : at + close;
}

/// Reads a number character by character into `out`.
class NumberReader {
  public:
    NumberReader(const NumberPlan* plan, std::string& out) : plan_(plan), out_(out) { out_.clear(); }

    std::optional<PhoneNumber> read(std::string_view text) {
        while (!text.empty()) {
            const std::size_t taken = take(text);
            if (taken == 0) {
                return std::nullopt;
            }
            text.remove_prefix(taken);
        }
        number_.digits = out_;
        return out_.empty() ? std::nullopt : std::optional(number_);
    }

  private:
    /// The length of the plan's trunk prefix in brackets, if it follows the plan's country code.
    [[nodiscard]] std::size_t trunk_length(std::string_view text) const {
        if (bracket_length(text, '(', wide_open) == 0 || plan_ == nullptr || plan_->trunk_prefix.value_or("").empty()) {
            return 0;
        }
        std::string_view before = out_;
        for (const std::string_view prefix : {std::string_view(plan_->international_prefix), usual_prefix}) {
            if (!number_.plus && before.size() == prefix.size() + plan_->country_code.size() &&
                before.starts_with(prefix)) {
                before.remove_prefix(prefix.size());
            }
        }
        return before == plan_->country_code ? bracketed_length(text, *plan_->trunk_prefix) : 0;
    }

    /// How many bytes of the text were part of the number; 0: it is not one.
    std::size_t take(std::string_view text) {
        const char c = text.front();
        if (is_digit(c)) {
            out_.push_back(c);
            return 1;
        }
        if (bracketed_length(text, "0") != 0) {
            number_.trunk_in_brackets = true;
        }
        if (const std::size_t trunk = trunk_length(text)) {
            return trunk;
        }
        if (const std::size_t separator = compared_separator_length(text)) {
            return separator;
        }
        const auto [value, size] = base::first_character(text);
        if ((value == '+' || value == fullwidth_plus) && !number_.plus && out_.empty()) {
            number_.plus = true;
            return size;
        }
        if (const int digit = size == 0 ? -1 : digit_of_any_script(value); digit >= 0) {
            out_.push_back(static_cast<char>('0' + digit));
            return size;
        }
        return 0;
    }

    const NumberPlan* plan_;
    std::string& out_;
    PhoneNumber number_;
};

/// `prefix` and at least one more digit.
bool has_prefix(std::string_view digits, std::string_view prefix) {
    return digits.size() > prefix.size() && digits.starts_with(prefix);
}

std::string_view joined(std::string_view country_code, std::string_view rest, std::string& scratch) {
    // `rest` may be in `scratch` itself.
    const std::string kept(rest);
    scratch.assign(country_code);
    scratch.append(kept);
    return scratch;
}

}  // namespace

/// Appends what is left of a number without separators. `+` is taken in front of the first digit only, and kept where
/// `keep_plus`; `extra` are characters that count as digits. False when something else is in it, or no digit.
bool append_digits(std::string& out, std::string_view text, bool keep_plus, std::string_view extra) {
    bool plus = false;
    bool digits = false;
    while (!text.empty()) {
        const char c = text.front();
        if (is_digit(c) || extra.find(to_lower(c)) != std::string_view::npos) {
            out.push_back(to_lower(c));
            digits = true;
            text.remove_prefix(1);
        } else if (c == '+' && !plus && !digits) {
            plus = true;
            if (keep_plus) {
                out.push_back('+');
            }
            text.remove_prefix(1);
        } else if (const std::size_t length = separator_length(text); length != 0) {
            text.remove_prefix(length);
        } else {
            return false;
        }
    }
    return digits;
}

std::optional<PhoneNumber> read_phone_number(std::string_view text, const NumberPlan* plan, std::string& scratch) {
    const bool plus = text.starts_with('+');
    const std::string_view digits = plus ? text.substr(1) : text;
    if (!digits.empty() && std::ranges::all_of(digits, is_digit)) {
        return PhoneNumber{digits, plus, false};
    }
    return NumberReader(plan, scratch).read(text);
}

std::string_view international_digits(const PhoneNumber& number, const NumberPlan* plan, std::string& scratch) {
    const std::string_view digits = number.digits;
    const bool plan_has_prefix = !number.plus && plan != nullptr && !plan->international_prefix.empty();
    if (plan_has_prefix && has_prefix(digits, plan->international_prefix)) {
        return digits.substr(plan->international_prefix.size());
    }
    // Also after a `+`: both mean the same, and no number begins with a zero.
    if (has_prefix(digits, usual_prefix)) {
        return digits.substr(usual_prefix.size());
    }
    if (number.plus || plan == nullptr || !plan->trunk_prefix || !has_prefix(digits, *plan->trunk_prefix)) {
        return digits;
    }
    return joined(plan->country_code, digits.substr(plan->trunk_prefix->size()), scratch);
}

std::string_view digits_within_country(const PhoneNumber& number, const NumberPlan& plan, std::string& scratch) {
    const std::string_view digits = number.digits;
    if ((!plan.international_prefix.empty() && has_prefix(digits, plan.international_prefix)) ||
        has_prefix(digits, usual_prefix)) {
        return international_digits(number, &plan, scratch);
    }
    const std::string_view trunk = plan.trunk_prefix ? std::string_view(*plan.trunk_prefix) : std::string_view();
    return joined(plan.country_code, has_prefix(digits, trunk) ? digits.substr(trunk.size()) : digits, scratch);
}

}  // namespace lihandover::model
