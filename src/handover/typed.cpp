#include "typed.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "lihandover/base/hex.hpp"

namespace lihandover::handover {
namespace {

constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
constexpr char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
constexpr bool is_letter(char c) {
    return lower(c) >= 'a' && lower(c) <= 'z';
}
bool all_digits(std::string_view text) {
    return std::ranges::all_of(text, is_digit);
}

bool is_international_e164(std::string_view text) {
    return !text.empty() && text.size() <= 15 && all_digits(text);
}

bool is_email_address(std::string_view text) {
    static constexpr std::string_view local_marks = ".!#$%&'*+\\/=?^_`{|}~-";
    if (text.size() > 255) {
        return false;
    }
    const std::size_t at = text.find('@');
    if (at == 0 || at == std::string_view::npos) {
        return false;
    }
    for (const char c : text.substr(0, at)) {
        if (!is_letter(c) && !is_digit(c) && local_marks.find(c) == std::string_view::npos) {
            return false;
        }
    }
    std::string_view domain = text.substr(at + 1);
    while (true) {
        const std::size_t dot = domain.find('.');
        const std::string_view label = domain.substr(0, dot);
        const auto inner = [](char c) { return is_letter(c) || is_digit(c) || c == '-'; };
        if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-' ||
            !std::ranges::all_of(label, inner)) {
            return false;
        }
        if (dot == std::string_view::npos) {
            return true;
        }
        domain.remove_prefix(dot + 1);
    }
}

/// The type is a URI over a fixed set of characters. It allows brackets, any `%` and `#`, where validators disagree
/// whether the whole is a URI; such values go untyped.
bool is_plain_uri(std::string_view text, std::string_view scheme) {
    static constexpr std::string_view marks = "!$&'()*+,-./:;=?@_~";
    if (!text.starts_with(scheme) || text.size() == scheme.size()) {
        return false;
    }
    text.remove_prefix(scheme.size());
    if (text.starts_with("//")) {
        return false;  // would have to be a host and a port
    }
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '%') {
            if (at + 2 >= text.size() || !base::is_hex_digit(text[at + 1]) || !base::is_hex_digit(text[at + 2])) {
                return false;
            }
            at += 2;
        } else if (!is_letter(c) && !is_digit(c) && marks.find(c) == std::string_view::npos) {
            return false;
        }
    }
    return true;
}

/// A JSON number as `digits` times ten to the power of `exponent`, without rounding; zeros at both ends removed.
struct Decimal {
    bool negative = false;
    std::string_view whole;     ///< digits before the point
    std::string_view fraction;  ///< digits after it
    int exponent = 0;
};

bool read_number(std::string_view text, Decimal& out) {
    const auto take_digits = [&text] {
        const auto end = std::ranges::find_if_not(text, is_digit);
        const std::string_view digits = text.substr(0, static_cast<std::size_t>(end - text.begin()));
        text.remove_prefix(digits.size());
        return digits;
    };
    out.negative = text.starts_with('-');
    text.remove_prefix(out.negative ? 1 : 0);
    out.whole = take_digits();
    if (out.whole.empty()) {
        return false;
    }
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        out.fraction = take_digits();
        if (out.fraction.empty()) {
            return false;
        }
    }
    if (text.starts_with('e') || text.starts_with('E')) {
        text.remove_prefix(1);
        if (text.starts_with('+')) {
            text.remove_prefix(1);
            if (text.starts_with('-')) {
                return false;
            }
        }
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.exponent);
        if (error != std::errc{}) {
            return false;  // also one beyond int: no degree needs it
        }
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    }
    return text.empty();
}

/// The number in millionths, if it is a whole number of them and at most 180 degrees.
bool millionths(std::string_view text, bool& negative, std::uint32_t& value) {
    Decimal number;
    if (!read_number(text, number)) {
        return false;
    }
    negative = number.negative;
    value = 0;
    // Digit by digit, each with its power of ten; places below a millionth must be zero.
    std::int64_t place = static_cast<std::int64_t>(number.whole.size()) + number.exponent + 6;
    for (const std::string_view digits : {number.whole, number.fraction}) {
        for (const char c : digits) {
            --place;
            const auto digit = static_cast<std::uint64_t>(c - '0');
            if (digit == 0) {
                continue;
            }
            if (place < 0 || place > 8) {
                return false;
            }
            std::uint64_t worth = digit;
            for (std::int64_t power = 0; power < place; ++power) {
                worth *= 10;
            }
            value += static_cast<std::uint32_t>(worth);  // below 10^9 in all, each place being filled once
        }
    }
    return value <= 180'000'000;
}

ShortText<16> degrees(std::string_view text, std::uint32_t limit, std::size_t whole_digits, char positive,
                      char negative_mark) {
    ShortText<16> out;
    bool negative = false;
    std::uint32_t value = 0;
    if (!millionths(text, negative, value) || value > limit * 1'000'000) {
        return out;
    }
    out.push(negative && value != 0 ? negative_mark : positive);
    const auto put = [&out](std::uint32_t number, std::size_t digits) {
        std::array<char, 8> places{};
        for (std::size_t at = digits; at-- > 0; number /= 10) {
            places[at] = static_cast<char>('0' + number % 10);
        }
        out.push(std::string_view(places.data(), digits));
    };
    put(value / 1'000'000, whole_digits);
    out.push('.');
    put(value % 1'000'000, 6);
    return out;
}

// -- Properties ------------------------------------------------------------------------------------------------------

bool put_ip_address(std::string_view value, TypedProperty& out) {
    std::array<char, INET6_ADDRSTRLEN + 1> terminated{};
    if (value.size() >= terminated.size() || value.find('\0') != std::string_view::npos) {
        return false;
    }
    std::ranges::copy(value, terminated.begin());
    std::array<unsigned char, 16> bytes{};
    if (inet_pton(AF_INET, terminated.data(), bytes.data()) == 1) {
        out.element = "ipv4Address";
        out.text.push(value);
        return true;
    }
    if (inet_pton(AF_INET6, terminated.data(), bytes.data()) == 1) {
        out.element = "ipv6Address";
        for (std::size_t at = 0; at < bytes.size(); ++at) {
            if (at != 0 && at % 2 == 0) {
                out.text.push(':');
            }
            out.text.push(base::hex_digits[bytes[at] >> 4]);
            out.text.push(base::hex_digits[bytes[at] & 0x0F]);
        }
        return true;
    }
    return false;
}

bool put_mac_address(std::string_view value, TypedProperty& out) {
    if (value.size() != 17) {
        return false;
    }
    for (std::size_t at = 0; at < value.size(); ++at) {
        if (at % 3 == 2 ? value[at] != value[2] || (value[at] != ':' && value[at] != '-')
                        : !base::is_hex_digit(value[at])) {
            return false;
        }
    }
    out.element = "macAddress";
    for (const char c : value) {
        out.text.push(c == '-' ? ':' : lower(c));
    }
    return true;
}

bool put_digits(std::string_view element, std::string_view value, TypedProperty& out) {
    out.element = element;
    out.text.push(value);
    return true;
}

/// Decided by one word of the property's name; the value has to fit, too.
bool put_by_word(std::string_view word, std::string_view value, TypedProperty& out) {
    const auto ends = [word](std::string_view end) { return word.ends_with(end); };
    if (word == "imsi" && value.size() >= 6 && value.size() <= 15 && all_digits(value)) {
        return put_digits("imsi", value, out);
    }
    if (word.starts_with("imei") && all_digits(value)) {
        switch (value.size()) {
            case 14:
                return put_digits("imei", value, out);
            case 15:
                return put_digits("imeiCheckDigit", value, out);
            case 16:
                return put_digits("imeiSV", value, out);
            default:
                return false;
        }
    }
    const bool address = ends("address") || ends("addr");
    if ((address || word.starts_with("ip") || ends("ip") || ends("ipv4") || ends("ipv6")) &&
        put_ip_address(value, out)) {
        return true;
    }
    return (address || word.starts_with("mac") || ends("mac") || word == "bssid") && put_mac_address(value, out);
}

}  // namespace

IdentifierForm identifier_form(model::IdentifierType type, std::string_view normalised) {
    using enum IdentifierForm;
    switch (type) {
        case model::IdentifierType::msisdn:
        case model::IdentifierType::e164:
        case model::IdentifierType::sip_uri:
        case model::IdentifierType::tel_uri:
        case model::IdentifierType::im_uri:  // there is no type of im URIs, but the identifier may be of another form
            if (is_international_e164(normalised)) {
                return international_e164;
            }
            if (is_plain_uri(normalised, "tel:")) {
                return tel_uri;
            }
            return is_plain_uri(normalised, "sip:") || is_plain_uri(normalised, "sips:") ? sip_uri : untyped;
        case model::IdentifierType::email:
            return is_email_address(normalised) ? email_address : untyped;
        case model::IdentifierType::user_id:
        case model::IdentifierType::username:
            break;
    }
    return untyped;
}

ShortText<32> exact_time(std::string_view rfc3339) {
    // YYYY-MM-DDThh:mm:ss, decimals, offset
    static constexpr std::size_t seconds_end = 19;
    ShortText<32> none;
    if (rfc3339.size() <= seconds_end || rfc3339.substr(seconds_end - 2, 2) == "60") {
        return none;
    }
    std::string_view rest = rfc3339.substr(seconds_end);
    std::string_view decimals;
    if (rest.front() == '.') {
        rest.remove_prefix(1);
        const auto end = std::ranges::find_if_not(rest, is_digit);
        decimals = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
        rest.remove_prefix(decimals.size());
        if (decimals.size() > 6 && decimals.find_first_not_of('0', 6) != std::string_view::npos) {
            return none;
        }
    }
    const bool utc = rest == "Z" || rest == "z";
    if (!utc && (rest.size() != 6 || rest.substr(1) > "14:00")) {
        return none;
    }
    ShortText<32> out;
    out.push(rfc3339.substr(0, 10));
    out.push('T');
    out.push(rfc3339.substr(11, 8));
    out.push('.');
    for (std::size_t at = 0; at < 6; ++at) {
        out.push(at < decimals.size() ? decimals[at] : '0');
    }
    out.push(utc ? "Z" : rest);
    return out;
}

ShortText<16> latitude(std::string_view number) {
    return degrees(number, 90, 2, 'N', 'S');
}
ShortText<16> longitude(std::string_view number) {
    return degrees(number, 180, 3, 'E', 'W');
}

TypedProperty typed_property(const model::Property& property) {
    static constexpr std::size_t longest_value = 45;
    static constexpr std::size_t longest_name = 64;
    TypedProperty out;
    if (property.value.empty() || property.value.size() > longest_value || property.name.size() > longest_name) {
        return out;
    }
    std::array<char, longest_name + 1> word{};
    std::size_t length = 0;
    // One more than the name's bytes, so that the last word ends too.
    for (std::size_t at = 0; at <= property.name.size(); ++at) {
        const char c = at < property.name.size() ? property.name[at] : '\0';
        if (is_letter(c) || is_digit(c)) {
            word[length++] = lower(c);
            continue;
        }
        if (length != 0 && put_by_word(std::string_view(word.data(), length), property.value, out)) {
            return out;
        }
        length = 0;
    }
    return out;
}

}  // namespace lihandover::handover
