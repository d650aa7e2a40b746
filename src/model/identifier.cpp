#include "lihandover/model/identifier.hpp"

#include <arpa/inet.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

namespace lihandover::model {

namespace {

constexpr std::size_t max_components = 32;  // parameters or headers of one URI; more than any real one has
constexpr std::size_t max_target_bytes = 2048;

// Locale has no say in what identifiers mean, so <cctype> is of no use here.
constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
constexpr bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
constexpr bool is_ascii(char c) {
    return static_cast<unsigned char>(c) < 0x80;
}

bool starts_with_scheme(std::string_view text, std::string_view scheme) {
    return text.size() >= scheme.size() &&
           std::equal(scheme.begin(), scheme.end(), text.begin(), [](char a, char b) { return a == to_lower(b); });
}

void append_lower(std::string& out, std::string_view text) {
    for (const char c : text) {
        out.push_back(to_lower(c));
    }
}

std::uint64_t load(const char* from, std::size_t size) {
    std::uint64_t word = 0;
    std::memcpy(&word, from, size);
    return word;
}

/// 64 x 64 bits multiplied and folded: every bit of both moves every bit of the result.
std::uint64_t fold(std::uint64_t left, std::uint64_t right) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(left) * right;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

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

bool is_nfc_already(std::string_view text) {
    // Nothing below U+0300, whose UTF-8 begins with 0xCC, is changed by NFC.
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0xCC; });
}

const std::uint8_t* bytes_of(std::string_view text) {
    return reinterpret_cast<const std::uint8_t*>(text.data());
}

bool is_utf8(std::string_view text) {
    return u8_check(bytes_of(text), text.size()) == nullptr;
}

using Transform = std::uint8_t* (*)(std::string_view, std::uint8_t*, std::size_t*);

/// Appends what one of libunistring's functions makes of the text. It writes to the buffer where that is large enough
/// and allocates otherwise.
bool append_transformed(std::string& out, std::string_view text, Transform transform) {
    std::array<std::uint8_t, 512> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before it is read
    std::size_t length = buffer.size();
    std::uint8_t* const result = transform(text, buffer.data(), &length);
    if (result == nullptr) {
        return false;
    }
    out.append(reinterpret_cast<const char*>(result), length);
    if (result != buffer.data()) {
        std::free(result);  // NOLINT(cppcoreguidelines-no-malloc): libunistring allocated it so
    }
    return true;
}

std::uint8_t* to_nfc(std::string_view text, std::uint8_t* buffer, std::size_t* length) {
    return u8_normalize(UNINORM_NFC, bytes_of(text), text.size(), buffer, length);
}

std::uint8_t* to_lower_nfc(std::string_view text, std::uint8_t* buffer, std::size_t* length) {
    return u8_tolower(bytes_of(text), text.size(), nullptr, UNINORM_NFC, buffer, length);
}

// ---- URIs

constexpr std::string_view uri_reserved = ";/?:@&=+$,";  // RFC 3261 section 25.1

/// The byte that an escape at the start of `text` stands for, or -1.
int escaped_byte(std::string_view text) {
    const auto digit = [](char c) {
        if (is_digit(c)) {
            return c - '0';
        }
        const char lower = to_lower(c);
        return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
    };
    if (text.size() < 3 || text.front() != '%') {
        return -1;
    }
    const int high = digit(text[1]);
    const int low = digit(text[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/// Appends a URI component in its one spelling: characters that are not reserved equal their escapes (RFC 3261 section
/// 19.1.4), so these are written plain where they are printable ASCII, and everything else escaped in capitals.
/// Beyond what RFC 3261 gives a host: what is no ASCII, as it is or escaped, which is how documents have it.
bool is_host_name(std::string_view text) {
    while (!text.empty()) {
        const char c = text.front();
        const bool escaped = escaped_byte(text) >= 0x80;
        if (!escaped && !is_letter(c) && !is_digit(c) && c != '.' && c != '-' && c != '_' && is_ascii(c)) {
            return false;
        }
        text.remove_prefix(escaped ? 3 : 1);
    }
    return true;
}

void append_unescaped(std::string& out, std::string_view text, bool lower) {
    constexpr std::string_view hex = "0123456789ABCDEF";
    while (!text.empty()) {
        const int byte = escaped_byte(text);
        const bool was_escaped = byte >= 0;
        const char c = was_escaped ? static_cast<char>(byte) : text.front();
        text.remove_prefix(was_escaped ? 3 : 1);
        const bool printable = c > ' ' && c < 0x7F && c != '%';
        const bool keeps_escape = was_escaped && uri_reserved.find(c) != std::string_view::npos;
        if (printable && !keeps_escape) {
            out.push_back(lower ? to_lower(c) : c);
        } else {
            const auto value = static_cast<unsigned char>(c);
            out.push_back('%');
            out.push_back(hex[value >> 4U]);
            out.push_back(hex[value & 15U]);
        }
    }
}

void append_decoded(std::string& out, std::string_view text) {
    while (!text.empty()) {
        const int byte = escaped_byte(text);
        out.push_back(byte >= 0 ? static_cast<char>(byte) : text.front());
        text.remove_prefix(byte >= 0 ? 3 : 1);
    }
}

/// Strings written one after the other to the end of one buffer, to be put in order there.
class Components {
  public:
    explicit Components(std::string& buffer) : buffer_(buffer) {}

    [[nodiscard]] bool full() const { return count_ == spans_.size(); }
    void begin() { start_ = buffer_.size(); }
    void end() { spans_[count_++] = {start_, buffer_.size() - start_}; }
    [[nodiscard]] std::size_t size() const { return count_; }

    void sort() {
        std::sort(spans_.begin(), spans_.begin() + static_cast<std::ptrdiff_t>(count_),
                  [this](const Span& a, const Span& b) { return text(a) < text(b); });
    }
    /// Appends component `n` to the buffer itself.
    void append(std::size_t n) {
        const Span span = spans_.at(n);
        buffer_.reserve(buffer_.size() + span.size);  // append may not read from what it moves
        buffer_.append(buffer_.data() + span.offset, span.size);
    }

  private:
    struct Span {
        std::size_t offset = 0;
        std::size_t size = 0;
    };
    [[nodiscard]] std::string_view text(const Span& span) const {
        return std::string_view(buffer_).substr(span.offset, span.size);
    }
    std::string& buffer_;
    std::array<Span, max_components> spans_{};
    std::size_t count_ = 0;
    std::size_t start_ = 0;
};

/// Cuts the part up to `delimiter` (or all) off the front of `text`, and the delimiter.
std::string_view take_until(std::string_view& text, char delimiter) {
    const std::size_t end = text.find(delimiter);
    const std::string_view part = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    return part;
}

struct SipParts {
    bool secure = false;
    bool has_userinfo = false;
    std::string_view userinfo;
    std::string_view host;  // with brackets for IPv6
    std::string_view port;
    std::string_view parameters;  // after the first ';'
    std::string_view headers;     // after '?'
};

std::optional<SipParts> split_sip(std::string_view text) {
    SipParts parts;
    if (starts_with_scheme(text, "sips:")) {
        parts.secure = true;
        text.remove_prefix(5);
    } else if (starts_with_scheme(text, "sip:")) {
        text.remove_prefix(4);
    } else {
        return std::nullopt;
    }
    // A user may hold ';', '?' and '/', none of the rest may hold '@': so the first one ends the user.
    if (const std::size_t at = text.find('@'); at != std::string_view::npos) {
        parts.has_userinfo = true;
        parts.userinfo = text.substr(0, at);
        text.remove_prefix(at + 1);
        if (parts.userinfo.empty()) {
            return std::nullopt;
        }
    }
    if (const std::size_t question = text.find('?'); question != std::string_view::npos) {
        parts.headers = text.substr(question + 1);
        text = text.substr(0, question);
    }
    if (const std::size_t semicolon = text.find(';'); semicolon != std::string_view::npos) {
        parts.parameters = text.substr(semicolon + 1);
        text = text.substr(0, semicolon);
    }
    std::size_t host_end = 0;
    if (text.starts_with('[')) {
        const std::size_t bracket = text.find(']');
        if (bracket == std::string_view::npos) {
            return std::nullopt;
        }
        host_end = bracket + 1;
    } else {
        host_end = std::min(text.find(':'), text.size());
    }
    parts.host = text.substr(0, host_end);
    text.remove_prefix(host_end);
    if (!text.empty()) {
        if (text.front() != ':') {
            return std::nullopt;
        }
        parts.port = text.substr(1);
        if (parts.port.empty() || !std::ranges::all_of(parts.port, is_digit)) {
            return std::nullopt;
        }
        while (parts.port.size() > 1 && parts.port.front() == '0') {
            parts.port.remove_prefix(1);
        }
    }
    const bool host_ok = !parts.host.empty() && (parts.host.front() == '[' || is_host_name(parts.host));
    return host_ok ? std::optional(parts) : std::nullopt;
}

/// IPv6 addresses are compared as addresses (RFC 5954 section 4.2), so they are written in their one short form.
void append_host(std::string& out, std::string_view host) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (host.front() == '[' && host.size() - 2 < text.size()) {
        std::array<unsigned char, sizeof(in6_addr)> address{};
        host.substr(1, host.size() - 2).copy(text.data(), text.size() - 1);
        if (inet_pton(AF_INET6, text.data(), address.data()) == 1 &&
            inet_ntop(AF_INET6, address.data(), text.data(), text.size()) != nullptr) {
            out.push_back('[');
            out.append(text.data());
            out.push_back(']');
            return;
        }
    }
    if (host.front() == '[') {
        append_lower(out, host);
    } else {
        append_unescaped(out, host, true);
    }
}

void append_parameter(std::string& out, std::string_view parameter) {
    const std::size_t equals = parameter.find('=');
    append_unescaped(out, parameter.substr(0, equals), true);
    if (equals != std::string_view::npos) {
        out.push_back('=');
        append_unescaped(out, parameter.substr(equals + 1), true);
    }
}

/// Parameters that never match a URI without them. The list of 19.1.4 names the first four; a transport, by its text on
/// components with default values and by its examples, is another.
bool is_mandatory(std::string_view normalised_parameter) {
    const std::string_view name = normalised_parameter.substr(0, normalised_parameter.find('='));
    return name == "user" || name == "ttl" || name == "method" || name == "maddr" || name == "transport";
}

enum class SipParameters : std::uint8_t { mandatory, all };

/// Replaces `out`; the result is the view that is returned. nullopt when `text` is no SIP URI.
std::optional<std::string_view> write_sip(std::string_view text, SipParameters which, std::string& out,
                                          bool& has_optional) {
    has_optional = false;
    const std::optional<SipParts> parts = split_sip(text);
    if (!parts) {
        return std::nullopt;
    }
    out.clear();
    Components parameters(out);
    std::size_t count = 0;
    for (std::string_view rest = parts->parameters; !rest.empty();) {
        const std::string_view parameter = take_until(rest, ';');
        if (parameter.empty()) {
            continue;
        }
        // Those left out of the key count too: comparing them one by one has to be bounded.
        if (++count > max_components) {
            return std::nullopt;
        }
        const std::size_t before = out.size();
        parameters.begin();
        append_parameter(out, parameter);
        if (!is_mandatory(std::string_view(out).substr(before))) {
            has_optional = true;
            if (which == SipParameters::mandatory) {
                out.resize(before);
                continue;
            }
        }
        parameters.end();
    }
    Components headers(out);
    for (std::string_view rest = parts->headers; !rest.empty();) {
        const std::string_view header = take_until(rest, '&');
        if (header.empty()) {
            continue;
        }
        if (headers.full()) {
            return std::nullopt;
        }
        headers.begin();
        append_parameter(out, header);
        headers.end();
    }
    parameters.sort();
    headers.sort();
    const std::size_t start = out.size();
    out.append(parts->secure ? "sips:" : "sip:");
    if (parts->has_userinfo) {
        append_unescaped(out, parts->userinfo, false);
        out.push_back('@');
    }
    append_host(out, parts->host);
    if (!parts->port.empty()) {
        out.push_back(':');
        out.append(parts->port);
    }
    for (std::size_t n = 0; n < parameters.size(); ++n) {
        out.push_back(';');
        parameters.append(n);
    }
    for (std::size_t n = 0; n < headers.size(); ++n) {
        out.push_back(n == 0 ? '?' : '&');
        headers.append(n);
    }
    return std::string_view(out).substr(start);
}

/// Whether the parameters that both URIs have agree, the mandatory ones being known to. Both are known to be SIP URIs.
bool shared_parameters_agree(std::string_view left, std::string_view right) {
    const auto for_each = [](std::string_view uri, auto&& visit) {
        std::string text;
        for (std::string_view rest = split_sip(uri)->parameters; !rest.empty();) {
            text.clear();
            append_parameter(text, take_until(rest, ';'));
            if (!text.empty() && !is_mandatory(text)) {
                const std::size_t equals = std::min(text.find('='), text.size());
                visit(std::string_view(text).substr(0, equals), std::string_view(text).substr(equals));
            }
        }
    };
    // No parameter may come twice, but in what a source reports one can: then any of its values will do, or such a URI
    // would not even be equivalent to itself.
    const auto agrees_with = [&for_each](std::string_view one, std::string_view other) {
        bool agree = true;
        for_each(one, [&](std::string_view name, std::string_view value) {
            bool shared = false;
            bool same = false;
            for_each(other, [&](std::string_view other_name, std::string_view other_value) {
                shared = shared || other_name == name;
                same = same || (other_name == name && other_value == value);
            });
            agree = agree && (!shared || same);
        });
        return agree;
    };
    return agrees_with(left, right) && agrees_with(right, left);
}

struct Tel {
    bool global = false;
    bool has_context = false;
    bool has_parameters = false;
    std::string_view bytes;  // `+44…` or local digits, then the parameters in order
};

/// Replaces `out`; the bytes view it. nullopt when `text` is no tel URI (RFC 3966 section 3).
std::optional<Tel> write_tel(std::string_view text, std::string& out) {
    if (!starts_with_scheme(text, "tel:")) {
        return std::nullopt;
    }
    text.remove_prefix(4);
    out.clear();
    Tel tel;
    const std::string_view number = take_until(text, ';');
    Components parameters(out);
    while (!text.empty()) {
        const std::string_view parameter = take_until(text, ';');
        if (parameter.empty()) {
            continue;
        }
        if (parameters.full()) {
            return std::nullopt;
        }
        parameters.begin();
        const std::size_t name_start = out.size();
        const std::size_t equals = parameter.find('=');
        append_unescaped(out, parameter.substr(0, equals), true);
        const std::string_view name = std::string_view(out).substr(name_start);
        const bool context = name == "phone-context";
        const bool extension = name == "ext";
        tel.has_context = tel.has_context || context;
        if (equals != std::string_view::npos) {
            const std::string_view value = parameter.substr(equals + 1);
            out.push_back('=');
            const std::size_t value_start = out.size();
            const bool as_number = extension || (context && value.starts_with('+'));
            if (!as_number || !append_digits(out, value, true, "*#abcdef")) {
                out.resize(value_start);
                append_unescaped(out, value, true);
            }
        }
        parameters.end();
    }
    parameters.sort();
    const std::size_t start = out.size();
    std::string decoded;
    std::string_view plain = number;
    if (number.find('%') != std::string_view::npos) {  // rare: `%23` for the local '#'
        append_decoded(decoded, number);
        plain = decoded;
    }
    if (!append_digits(out, plain, true, plain.find('+') == std::string_view::npos ? "*#abcdef" : "")) {
        return std::nullopt;
    }
    tel.global = out[start] == '+';
    tel.has_parameters = parameters.size() != 0;
    for (std::size_t n = 0; n < parameters.size(); ++n) {
        out.push_back(';');
        parameters.append(n);
    }
    tel.bytes = std::string_view(out).substr(start);
    return tel;
}

struct Form {
    IdentityClass identity_class{};
    std::string_view bytes;
    bool has_optional_parameters = false;
};

Form form_of_text(IdentifierType type, std::string_view value) {
    const bool number = type == IdentifierType::msisdn || type == IdentifierType::e164;
    return {number ? IdentityClass::number_text : IdentityClass::uri_text, value, false};
}

/// A number or a URI of any kind, by what it looks like.
Form form_of_address(IdentifierType type, std::string_view value, std::string& scratch) {
    const bool number_type = type == IdentifierType::msisdn || type == IdentifierType::e164;
    if (number_type || type == IdentifierType::tel_uri) {
        const std::string_view digits = value.starts_with('+') ? value.substr(1) : value;
        if (!digits.empty() && std::ranges::all_of(digits, is_digit)) {
            return {IdentityClass::number, digits, false};
        }
        scratch.clear();
        if (append_digits(scratch, value, false, {})) {
            return {IdentityClass::number, scratch, false};
        }
    }
    if (const std::optional<Tel> tel = write_tel(value, scratch)) {
        if (tel->global && !tel->has_parameters) {
            return {IdentityClass::number, tel->bytes.substr(1), false};
        }
        return {IdentityClass::tel, tel->bytes, false};
    }
    if (!number_type) {
        bool has_optional = false;
        if (const auto sip = write_sip(value, SipParameters::mandatory, scratch, has_optional)) {
            return {IdentityClass::sip, *sip, has_optional};
        }
    }
    return form_of_text(type, value);
}

std::string_view form_of_username(std::string_view value, std::string& scratch) {
    if (is_nfc_already(value) || !is_utf8(value)) {
        return value;
    }
    scratch.clear();
    return append_transformed(scratch, value, to_nfc) ? std::string_view(scratch) : value;
}

std::string_view form_of_email(std::string_view value, std::string& scratch) {
    const std::size_t at = value.rfind('@');
    if (at == std::string_view::npos) {
        return value;
    }
    const std::string_view domain = value.substr(at + 1);
    if (std::ranges::all_of(domain, [](char c) { return is_ascii(c) && c == to_lower(c); })) {
        return value;
    }
    scratch.assign(value, 0, at + 1);
    const bool ascii = std::ranges::all_of(domain, is_ascii);
    if (ascii || !is_utf8(domain) || !append_transformed(scratch, domain, to_lower_nfc)) {
        append_lower(scratch, domain);
    }
    return scratch;
}

Form form_of(IdentifierType type, std::string_view value, std::string& scratch) {
    switch (type) {
        case IdentifierType::user_id:
            return {IdentityClass::user_id, value, false};
        case IdentifierType::username:
            return {IdentityClass::username, form_of_username(value, scratch), false};
        case IdentifierType::email:
            return {IdentityClass::email, form_of_email(value, scratch), false};
        case IdentifierType::msisdn:
        case IdentifierType::e164:
        case IdentifierType::sip_uri:
        case IdentifierType::tel_uri:
            break;
    }
    return form_of_address(type, value, scratch);
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

CanonicalIdentifier canonical(IdentifierType type, std::string_view value, std::string& scratch) {
    const Form form = form_of(type, value, scratch);
    return {form.identity_class, form.has_optional_parameters, form.bytes,
            identity_hash(form.identity_class, form.bytes)};
}

bool equivalent(const Identifier& left, const Identifier& right) {
    std::string left_scratch;
    std::string right_scratch;
    const Form a = form_of(left.type, left.value, left_scratch);
    const Form b = form_of(right.type, right.value, right_scratch);
    if (a.identity_class != b.identity_class || a.bytes != b.bytes) {
        return false;
    }
    return !(a.has_optional_parameters && b.has_optional_parameters) ||
           shared_parameters_agree(left.value, right.value);
}

std::string normalised(IdentifierType type, std::string_view value) {
    std::string scratch;
    const Form form = form_of(type, value, scratch);
    switch (form.identity_class) {
        case IdentityClass::number: {
            const bool uri = type == IdentifierType::tel_uri || type == IdentifierType::sip_uri;
            return (uri && starts_with_scheme(value, "tel:") ? "tel:+" : "") + std::string(form.bytes);
        }
        case IdentityClass::tel:
            return "tel:" + std::string(form.bytes);
        case IdentityClass::sip: {
            std::string out;
            bool has_optional = false;
            return std::string(*write_sip(value, SipParameters::all, out, has_optional));
        }
        case IdentityClass::user_id:
        case IdentityClass::username:
        case IdentityClass::number_text:
        case IdentityClass::email:
        case IdentityClass::uri_text:
            break;
    }
    return std::string(form.bytes);
}

namespace {

std::optional<std::string_view> email_problem(std::string_view value) {
    const std::size_t at = value.rfind('@');
    if (at == std::string_view::npos || at == 0 || at + 1 == value.size()) {
        return "an email address is needed, local-part@domain";
    }
    const std::string_view domain = value.substr(at + 1);
    if (std::ranges::any_of(domain, [](char c) { return is_ascii(c) && (c <= ' ' || c == 0x7F); })) {
        return "the domain of an email address has no blanks or control characters";
    }
    const std::string_view local = value.substr(0, at);
    if (local.front() != '"' && local.find_first_of(" \t@") != std::string_view::npos) {
        return "the local part of an email address has blanks or '@' only within double quotes";
    }
    return std::nullopt;
}

std::optional<std::string_view> number_problem(IdentifierType type, std::string_view value, const Form& form) {
    if (form.identity_class == IdentityClass::number) {
        if (form.bytes.size() < 3 || form.bytes.size() > 15) {
            return "a number has 3 to 15 digits";
        }
        return std::nullopt;
    }
    if (form.identity_class == IdentityClass::tel) {
        return "of tel URIs, only a global number without parameters is a number: use tel_uri";
    }
    // A mistyped number must not pass for a name: names are short, hold a letter and no plus sign.
    const bool sender_name = type == IdentifierType::msisdn && value.size() <= 11 &&
                             value.find('+') == std::string_view::npos && std::ranges::any_of(value, is_letter);
    if (!sender_name) {
        return type == IdentifierType::msisdn
                   ? "a number of 3 to 15 digits is needed, or an alphanumeric sender of at most 11 characters"
                   : "a number of 3 to 15 digits is needed";
    }
    return std::nullopt;
}

std::optional<std::string_view> uri_problem(IdentifierType type, std::string_view value, const Form& form) {
    if (form.identity_class == IdentityClass::uri_text) {
        return type == IdentifierType::sip_uri ? "a SIP or SIPS URI is needed, sip:user@host"
                                               : "a tel URI is needed, tel:+447700900123";
    }
    const bool local = form.identity_class == IdentityClass::tel && form.bytes.front() != '+';
    std::string scratch;
    if (local && !write_tel(value, scratch)->has_context) {
        return "a tel URI begins with + and the country code, or names its phone-context";
    }
    if (form.identity_class == IdentityClass::number && (form.bytes.size() < 3 || form.bytes.size() > 15)) {
        return "a number has 3 to 15 digits";
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::string_view> target_problem(IdentifierType type, std::string_view value) {
    if (value.empty()) {
        return "an identifier is not empty";
    }
    if (value.size() > max_target_bytes) {
        return "an identifier has at most 2048 bytes";
    }
    std::string scratch;
    const Form form = form_of(type, value, scratch);
    switch (type) {
        case IdentifierType::user_id:
        case IdentifierType::username:
            return std::nullopt;
        case IdentifierType::email:
            return email_problem(value);
        case IdentifierType::msisdn:
        case IdentifierType::e164:
            return number_problem(type, value, form);
        case IdentifierType::sip_uri:
        case IdentifierType::tel_uri:
            break;
    }
    return uri_problem(type, value, form);
}

}  // namespace lihandover::model
