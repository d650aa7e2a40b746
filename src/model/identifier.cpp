#include "lihandover/model/identifier.hpp"

#include <algorithm>
#include <cstring>

#include "ascii.hpp"
#include "phone_number.hpp"
#include "unicode.hpp"
#include "uri.hpp"

namespace lihandover::model {

namespace {

constexpr std::string_view im_scheme = "im:";

std::uint64_t load(const char* from, std::size_t size) {
    std::uint64_t word = 0;
    std::memcpy(&word, from, size);
    return word;
}

/// 64 x 64 bits multiplied and folded: every bit of both affects every bit of the result.
std::uint64_t fold(std::uint64_t left, std::uint64_t right) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(left) * right;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

IdentifierKey key_of(IdentityClass identity_class, std::string_view bytes, bool has_optional_parameters = false) {
    return {identity_class, has_optional_parameters, bytes, identity_hash(identity_class, bytes)};
}

/// The text between angle brackets, as in `"Alice" <sip:alice@example.com>;tag=1` (RFC 3261 section 25.1), else the
/// text itself; without blanks at both ends.
std::string_view bare(std::string_view text) {
    if (!text.empty() && is_ascii(text.front()) && text.front() > ' ' && is_ascii(text.back()) && text.back() > ' ' &&
        text.find('<') == std::string_view::npos) {
        return text;
    }
    text = trimmed(text);
    std::size_t at = 0;
    if (text.starts_with('"')) {
        for (at = 1; at < text.size() && text[at] != '"'; ++at) {
            at += text[at] == '\\' ? 1 : 0;
        }
    }
    const std::size_t open = std::min(text.find('<', std::min(at, text.size())), text.size());
    const std::size_t close = text.find('>', open);
    // What precedes the bracket is a name, and not a URI that contains a bracket.
    const bool named = text.substr(0, open).find_first_of(":;@", std::min(at, open)) == std::string_view::npos;
    return close == std::string_view::npos || !named ? text : trimmed(text.substr(open + 1, close - open - 1));
}

// ---- numbers

/// Whether digits without `+` that nobody calls international may be taken for a number: an extension has fewer, and an
/// E.164 number has at most 15.
bool is_of_full_length(std::string_view digits) {
    return digits.size() >= 7 && digits.size() <= 15 && digits.front() != '0';
}

/// The parameter's value, or nothing if it is missing. The case of names is ignored.
std::optional<std::string_view> parameter_of(std::string_view parameters, std::string_view name) {
    while (!parameters.empty()) {
        std::string_view value = take_until(parameters, ';');
        const std::string_view found = take_until(value, '=');
        if (found.size() == name.size() && starts_with_scheme(found, name)) {
            return value;
        }
    }
    return std::nullopt;
}

/// A number that is local to a context (RFC 3966 section 5.1.5). It counts if the context is the source's own country,
/// or if it has none and is a number by the source's plan or begins like an international one. Otherwise not: a context
/// is not a prefix.
std::optional<IdentifierKey> local_number_key(std::string_view number, std::optional<std::string_view> context,
                                              const NumberPlan* plan, IdentifierScratch& scratch) {
    if (context) {
        const auto country = context->starts_with('+') ? read_phone_number(*context, nullptr, scratch.number)
                                                       : std::optional<PhoneNumber>();
        if (plan == nullptr || !country || country->digits != plan->country_code) {
            return std::nullopt;
        }
    }
    const auto read = read_phone_number(number, plan, scratch.number);
    if (!read || read->plus) {
        return std::nullopt;
    }
    const std::size_t written = read->digits.size();
    const std::string_view digits = context ? digits_within_country(*read, *plan, scratch.number)
                                            : international_digits(*read, plan, scratch.number);
    const bool is_said = plan != nullptr || digits.size() != written;
    return is_said && is_of_full_length(digits) ? std::optional(key_of(IdentityClass::number, digits)) : std::nullopt;
}

struct SipNumber {
    IdentifierKey key;
    bool global = false;  ///< written with `+`
};

/// The number that the user part of a SIP URI is: one with `+`, or any with `user=phone` (RFC 3261 section 19.1.6).
std::optional<SipNumber> sip_number(const SipParts& parts, const NumberPlan* plan, IdentifierScratch& scratch) {
    std::string_view user = parts.userinfo;
    if (user.find('%') != std::string_view::npos) {
        scratch.work.clear();
        append_decoded(scratch.work, user);
        user = scratch.work;
    }
    std::string_view parameters = user;
    std::string_view number = take_until(parameters, ';');
    number = take_until(number, ':');  // a password
    const auto read = read_phone_number(number, plan, scratch.number);
    if (!read) {
        return std::nullopt;
    }
    if (read->plus) {
        return SipNumber{key_of(IdentityClass::number, international_digits(*read, plan, scratch.number)), true};
    }
    const auto user_parameter = parameter_of(parts.parameters, "user");
    if (!user_parameter || user_parameter->size() != 5 || !starts_with_scheme(*user_parameter, "phone")) {
        return std::nullopt;
    }
    if (const auto context = parameter_of(parameters, "phone-context")) {
        const auto key = local_number_key(number, context, plan, scratch);
        return key ? std::optional(SipNumber{*key, false}) : std::nullopt;
    }
    const std::string_view digits = international_digits(*read, plan, scratch.number);
    return is_of_full_length(digits) ? std::optional(SipNumber{key_of(IdentityClass::number, digits), false})
                                     : std::nullopt;
}

IdentifierKeys tel_keys(std::string_view text, const NumberPlan* plan, IdentifierScratch& scratch) {
    IdentifierKeys keys;
    std::string_view parameters = text.substr(std::string_view("tel:").size());
    std::string_view number = take_until(parameters, ';');
    if (number.find('%') != std::string_view::npos) {
        scratch.work.clear();
        append_decoded(scratch.work, number);
        number = scratch.work;
    }
    const auto read = read_phone_number(number, plan, scratch.number);
    if (read && read->plus) {
        keys.add(key_of(IdentityClass::number, international_digits(*read, plan, scratch.number)));
        return keys;
    }
    if (const auto key = local_number_key(number, parameter_of(parameters, "phone-context"), plan, scratch)) {
        keys.add(*key);
    }
    const auto local = write_tel(text, scratch.text);
    keys.add(local ? key_of(IdentityClass::tel, local->bytes) : key_of(IdentityClass::uri_text, text));
    return keys;
}

/// The key of a text that is a number without a scheme, also with the parameters of a tel URI after it. Digits alone
/// given as a SIP URI are none.
std::optional<IdentifierKey> bare_number_key(IdentifierType type, std::string_view text, const NumberPlan* plan,
                                             IdentifierScratch& scratch) {
    const std::string_view number = text.starts_with('+') ? text.substr(0, text.find(';')) : text;
    const auto read = read_phone_number(number, plan, scratch.number);
    const bool user = type == IdentifierType::sip_uri || type == IdentifierType::im_uri;
    if (!read || (user && !read->plus)) {
        return std::nullopt;
    }
    return key_of(IdentityClass::number, international_digits(*read, plan, scratch.number));
}

// ---- names

IdentifierKey username_key(std::string_view value, CaseRule rule, IdentifierScratch& scratch) {
    scratch.text.clear();
    if (rule == CaseRule::exact) {
        const bool same = is_nfc_already(value) || !append_nfc(scratch.text, value);
        return key_of(IdentityClass::username, same ? value : std::string_view(scratch.text));
    }
    if (is_ascii(value)) {
        append_lower(scratch.text, value);
    } else if (!append_lower_nfc(scratch.text, value)) {
        return key_of(IdentityClass::username_folded, value);
    }
    return key_of(IdentityClass::username_folded, scratch.text);
}

void append_domain(std::string& out, std::string_view domain) {
    if (domain.size() > 1 && domain.ends_with('.')) {
        domain.remove_suffix(1);
    }
    // What is not a domain name has no A-labels, but its case is still ignored.
    if (is_ascii(domain) || (!append_a_labels(out, domain) && !append_lower_nfc(out, domain))) {
        append_lower(out, domain);
    }
}

/// The address in a mailto or im URI after its scheme, without its header fields and with its escapes resolved (RFC
/// 6068 section 2, RFC 3860 section 3).
std::string_view address_in_uri(std::string_view uri, IdentifierScratch& scratch) {
    std::string_view address = uri.substr(0, uri.find('?'));
    if (address.find('%') != std::string_view::npos) {
        scratch.work.clear();
        append_decoded(scratch.work, address);
        address = scratch.work;
    }
    return trimmed(address);
}

/// The local part without quotes where it needs none: the two are the same mailbox (RFC 5321 section 4.1.2).
std::string_view unquoted(std::string_view local) {
    if (local.size() < 3 || !local.starts_with('"') || !local.ends_with('"')) {
        return local;
    }
    const std::string_view inside = local.substr(1, local.size() - 2);
    const bool atoms = std::ranges::all_of(inside, [](char c) {
        constexpr std::string_view others = "!#$%&'*+-/=?^_`{|}~.";  // RFC 5322 section 3.2.3, and the dot
        return !is_ascii(c) || is_letter(c) || is_digit(c) || others.find(c) != std::string_view::npos;
    });
    const bool dots = inside.starts_with('.') || inside.ends_with('.') || inside.find("..") != std::string_view::npos;
    return atoms && !dots ? inside : local;
}

IdentifierKey mailbox_key(IdentityClass identity_class, bool folded, std::string_view text,
                          IdentifierScratch& scratch) {
    const bool plain = std::ranges::all_of(text, [](char c) { return is_ascii(c) && c == to_lower(c); });
    if (plain && !text.ends_with('.') && !text.starts_with('"')) {
        return key_of(identity_class, text);
    }
    const std::size_t at = std::min(text.rfind('@'), text.size());
    const std::string_view local = at == text.size() ? text : unquoted(text.substr(0, at));
    scratch.text.clear();
    if (!folded) {
        scratch.text.append(local);
    } else if (is_ascii(local) || !append_lower_nfc(scratch.text, local)) {
        append_lower(scratch.text, local);
    }
    if (at != text.size()) {
        scratch.text.push_back('@');
        append_domain(scratch.text, text.substr(at + 1));
    }
    return key_of(identity_class, scratch.text);
}

IdentifierKey email_key(std::string_view value, CaseRule rule, IdentifierScratch& scratch) {
    constexpr std::string_view scheme = "mailto:";
    std::string_view text = bare(value);
    if (starts_with_scheme(text, scheme)) {
        text = address_in_uri(text.substr(scheme.size()), scratch);
    }
    const bool folded = rule == CaseRule::insensitive;
    return mailbox_key(folded ? IdentityClass::email_folded : IdentityClass::email, folded, text, scratch);
}

/// An im URI, with or without its scheme: the address of an inbox, written like one of a mailbox, and another than the
/// mailbox of the same text.
IdentifierKey im_key(std::string_view text, CaseRule rule, IdentifierScratch& scratch) {
    if (starts_with_scheme(text, im_scheme)) {
        text.remove_prefix(im_scheme.size());
    }
    const bool folded = rule == CaseRule::insensitive;
    return mailbox_key(folded ? IdentityClass::im_folded : IdentityClass::im, folded, address_in_uri(text, scratch),
                       scratch);
}

// ---- numbers and URIs of any kind

/// A number or a URI of any kind, by its form: a tel URI given as a number is still one.
IdentifierKeys address_keys(IdentifierType type, std::string_view value, const KeyRules& rules,
                            IdentifierScratch& scratch) {
    const std::string_view text = bare(value);
    const NumberPlan* const plan = rules.numbers;
    IdentifierKeys keys;
    if (const auto key = bare_number_key(type, text, plan, scratch)) {
        keys.add(*key);
        return keys;
    }
    if (starts_with_scheme(text, "tel:")) {
        return tel_keys(text, plan, scratch);
    }
    if (starts_with_scheme(text, im_scheme)) {
        keys.add(im_key(text, rules.email_local_part, scratch));
        return keys;
    }
    if (const auto parts = split_sip(text)) {
        const auto number = sip_number(*parts, plan, scratch);
        if (number) {
            keys.add(number->key);
        }
        // A global number is enough; otherwise equal URIs have to be equal whatever the plans of their sources are.
        bool has_optional = false;
        const auto sip =
            number && number->global ? std::nullopt : write_sip(text, SipForm::key, scratch.text, has_optional);
        if (sip) {
            keys.add(key_of(IdentityClass::sip, *sip, has_optional));
        }
    }
    if (keys.size() == 0 && type == IdentifierType::im_uri && text.find('@') != std::string_view::npos &&
        text.find(':') == std::string_view::npos) {
        keys.add(im_key(text, rules.email_local_part, scratch));
    }
    if (keys.size() == 0) {
        const bool number = type == IdentifierType::msisdn || type == IdentifierType::e164;
        keys.add(key_of(number ? IdentityClass::number_text : IdentityClass::uri_text, text));
    }
    return keys;
}

}  // namespace

std::uint64_t identity_hash(IdentityClass identity_class, std::string_view bytes) {
    constexpr std::uint64_t first = 0x9E3779B97F4A7C15U;
    constexpr std::uint64_t second = 0xD1B54A32D192ED03U;
    std::uint64_t state = fold(first ^ static_cast<std::uint64_t>(identity_class), second ^ bytes.size());
    const char* from = bytes.data();
    std::size_t left = bytes.size();
    while (left > 16) {
        state = fold(load(from, 8) ^ state, load(from + 8, 8) ^ second);
        from += 16;
        left -= 16;
    }
    const std::size_t low = std::min<std::size_t>(left, 8);
    const std::uint64_t head = left == 0 ? 0 : load(from, low);
    const std::uint64_t tail = left > 8 ? load(from + 8, left - 8) : 0;
    return fold(fold(head ^ state, tail ^ second) ^ first, second);
}

IdentifierKeys keys_of(IdentifierType type, std::string_view value, const KeyRules& rules, IdentifierScratch& scratch) {
    IdentifierKeys keys;
    switch (type) {
        case IdentifierType::user_id:
            keys.add(key_of(IdentityClass::user_id, value));
            return keys;
        case IdentifierType::username:
            keys.add(username_key(value, rules.username, scratch));
            return keys;
        case IdentifierType::email:
            keys.add(email_key(value, rules.email_local_part, scratch));
            return keys;
        case IdentifierType::msisdn:
        case IdentifierType::e164:
        case IdentifierType::sip_uri:
        case IdentifierType::tel_uri:
        case IdentifierType::im_uri:
            break;
    }
    return address_keys(type, value, rules, scratch);
}

bool parameters_agree(std::string_view left, std::string_view right) {
    return shared_parameters_agree(bare(left), bare(right));
}

bool equivalent(const Identifier& left, const Identifier& right, const KeyRules& rules) {
    IdentifierScratch left_scratch;
    IdentifierScratch right_scratch;
    const IdentifierKeys rights = keys_of(right.type, right.value, rules, right_scratch);
    for (const IdentifierKey& a : keys_of(left.type, left.value, rules, left_scratch)) {
        for (const IdentifierKey& b : rights) {
            if (a.identity_class == b.identity_class && a.bytes == b.bytes &&
                (!a.has_optional_parameters || !b.has_optional_parameters ||
                 parameters_agree(left.value, right.value))) {
                return true;
            }
        }
    }
    return false;
}

}  // namespace lihandover::model
