// What may be targeted: whatever an identifier of an event can equal, and nothing else. A target that never matches is
// an intercept lost without a sign.
#include <algorithm>

#include "ascii.hpp"
#include "lihandover/model/identifier.hpp"
#include "phone_number.hpp"
#include "unicode.hpp"
#include "uri.hpp"

namespace lihandover::model {

namespace {

using Problem = std::optional<std::string_view>;

constexpr std::size_t max_target_bytes = 2048;

/// RFC 3986 section 3.1, and longer than the one letter of a drive.
bool has_scheme(std::string_view text) {
    const std::size_t colon = text.find(':');
    return colon != std::string_view::npos && colon > 1 && is_letter(text.front()) &&
           std::ranges::all_of(text.substr(0, colon),
                               [](char c) { return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.'; });
}

Problem email_problem(std::string_view value) {
    value = trimmed(value);
    if (has_scheme(value)) {
        return "an email address has no scheme: alice@example.com, not mailto:alice@example.com";
    }
    const std::size_t at = value.rfind('@');
    if (at == std::string_view::npos || at == 0 || at + 1 == value.size()) {
        return "an email address is needed, local-part@domain";
    }
    const std::string_view domain = value.substr(at + 1);
    if (std::ranges::any_of(domain, [](char c) { return is_ascii(c) && (c <= ' ' || c == 0x7F); })) {
        return "the domain of an email address has no blanks or control characters";
    }
    const std::string_view local = value.substr(0, at);
    if (local.front() != '"' && value.find_first_of("<>") != std::string_view::npos) {
        return "an email address alone is needed, without a name and angle brackets";
    }
    if (local.front() != '"' && local.find_first_of(" \t@") != std::string_view::npos) {
        return "the local part of an email address has blanks or '@' only within double quotes";
    }
    return std::nullopt;
}

/// A number that is not in international form never equals one that is, and without a plan nobody knows what it means.
Problem digits_problem(const PhoneNumber& number) {
    if (number.trunk_in_brackets) {
        return "(0) is no part of a number in international form; leave it out: +44 7700 900123";
    }
    if (number.digits.front() == '0') {
        return "a number in international form is needed, beginning with its country code: 447700900123";
    }
    if (number.digits.size() < 3 || number.digits.size() > 15) {
        return "a number has 3 to 15 digits";
    }
    return std::nullopt;
}

Problem tel_problem(std::string_view value) {
    std::string scratch;
    const std::optional<Tel> tel = write_tel(value, scratch);
    if (!tel) {
        return "a tel URI is needed, tel:+447700900123";
    }
    if (!tel->global) {
        return tel->has_context ? std::nullopt
                                : Problem("a tel URI begins with + and the country code, or names its phone-context");
    }
    std::string_view number = value.substr(std::string_view("tel:").size());
    std::string digits;
    const auto read = read_phone_number(take_until(number, ';'), nullptr, digits);
    return read ? digits_problem(*read) : Problem("a tel URI is needed, tel:+447700900123");
}

Problem number_problem(IdentifierType type, std::string_view value) {
    std::string scratch;
    if (const auto number = read_phone_number(value, nullptr, scratch)) {
        return digits_problem(*number);
    }
    if (const auto tel = write_tel(value, scratch)) {
        return tel->global && !tel->has_parameters
                   ? tel_problem(value)
                   : Problem("of tel URIs, only a global number without parameters is a number: use tel_uri");
    }
    // A mistyped number must not pass for a name: names are short, contain a letter and no plus sign.
    const bool sender_name = type == IdentifierType::msisdn && value.size() <= 11 && !has_scheme(value) &&
                             value.find('+') == std::string_view::npos && std::ranges::any_of(value, is_letter);
    if (sender_name) {
        return std::nullopt;
    }
    return type == IdentifierType::msisdn
               ? "a number of 3 to 15 digits is needed, or an alphanumeric sender of at most 11 characters"
               : "a number of 3 to 15 digits is needed";
}

Problem sip_problem(std::string_view value) {
    const auto parts = split_sip(value);
    std::string scratch;
    bool has_optional = false;
    if (!parts || !write_sip(value, SipForm::key, scratch, has_optional)) {
        return "a SIP or SIPS URI is needed, sip:user@host";
    }
    if (parts->userinfo.starts_with('+')) {
        std::string_view user = parts->userinfo;
        std::string_view number = take_until(user, ';');
        if (const auto read = read_phone_number(take_until(number, ':'), nullptr, scratch)) {
            return digits_problem(*read);
        }
    }
    return std::nullopt;
}

Problem uri_problem(IdentifierType type, std::string_view value) {
    if (starts_with_scheme(value, "tel:")) {
        return tel_problem(value);
    }
    std::string scratch;
    if (type == IdentifierType::tel_uri) {
        if (const auto number = read_phone_number(value, nullptr, scratch)) {
            return digits_problem(*number);
        }
        if (!split_sip(value)) {
            return "a tel URI is needed, tel:+447700900123";
        }
    }
    return sip_problem(value);
}

Problem im_problem(std::string_view value) {
    constexpr std::string_view scheme = "im:";
    if (!starts_with_scheme(value, scheme)) {
        return "an im URI is needed, im:alice@example.com";
    }
    const std::string_view address = value.substr(scheme.size(), value.find('?') - scheme.size());
    const std::size_t at = address.rfind('@');
    if (at == std::string_view::npos || at == 0 || at + 1 == address.size()) {
        return "an im URI is needed, im:alice@example.com";
    }
    const bool unescaped = std::ranges::any_of(
        value, [](char c) { return is_ascii(c) && (c <= ' ' || c == 0x7F || c == '<' || c == '>' || c == '"'); });
    return unescaped ? Problem("an im URI has blanks, quotes and angle brackets as escapes only, %20") : std::nullopt;
}

}  // namespace

std::optional<std::string_view> target_problem(IdentifierType type, std::string_view value) {
    if (value.empty()) {
        return "an identifier is not empty";
    }
    if (value.size() > max_target_bytes) {
        return "an identifier has at most 2048 bytes";
    }
    switch (type) {
        case IdentifierType::user_id:
        case IdentifierType::username:
            return std::nullopt;
        case IdentifierType::email:
            return email_problem(value);
        case IdentifierType::msisdn:
        case IdentifierType::e164:
            return number_problem(type, trimmed(value));
        case IdentifierType::im_uri:
            return im_problem(trimmed(value));
        case IdentifierType::sip_uri:
        case IdentifierType::tel_uri:
            break;
    }
    return uri_problem(type, trimmed(value));
}

}  // namespace lihandover::model
