#include "uri.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "ascii.hpp"
#include "lihandover/base/hex.hpp"
#include "phone_number.hpp"
#include "unicode.hpp"

namespace lihandover::model {

namespace {

constexpr std::size_t max_components = 32;               // parameters or headers of one URI; more than any real one has
constexpr std::string_view uri_reserved = ";/?:@&=+$,";  // RFC 3261 section 25.1

/// Beyond the characters that RFC 3261 allows in a host: non-ASCII ones, plain or escaped, as documents have them.
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

/// Appends a URI component in its one spelling. Characters that are not reserved equal their escapes (RFC 3261 section
/// 19.1.4), so these are written plain if they are printable ASCII, and everything else is escaped in capitals.
void append_unescaped(std::string& out, std::string_view text, bool lower) {
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
            out.push_back('%');
            base::append_hex(out, c, base::hex_capitals);
        }
    }
}

/// Strings written one after the other to the end of one buffer, to be sorted there.
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

/// A host name in the form in which equal names are equal bytes.
void append_compared_host(std::string& out, std::string_view host) {
    if (host.size() > 1 && host.ends_with('.')) {
        host.remove_suffix(1);
    }
    if (is_ascii(host) && host.find('%') == std::string_view::npos) {
        append_lower(out, host);
        return;
    }
    std::string decoded;  // rare: a name that is not ASCII
    append_decoded(decoded, host);
    if (is_ascii(decoded)) {
        append_unescaped(out, host, true);
    } else if (!append_a_labels(out, decoded)) {
        append_unescaped(out, host, true);
    }
}

/// IPv6 addresses are compared as addresses (RFC 5954 section 4.2), so they are written in their one short form.
void append_host(std::string& out, std::string_view host, SipForm form) {
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
    } else if (form == SipForm::key) {
        append_compared_host(out, host);
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

/// Parameters that never match a URI without them. The list of 19.1.4 names the first four; transport is another, by
/// its text on components with default values and by its examples.
bool is_mandatory(std::string_view normalised_parameter) {
    const std::string_view name = normalised_parameter.substr(0, normalised_parameter.find('='));
    return name == "user" || name == "ttl" || name == "method" || name == "maddr" || name == "transport";
}

/// Names and values, sorted, each pair once.
using OptionalParameters = std::vector<std::pair<std::string_view, std::string_view>>;

/// The parameters of a SIP URI that are not mandatory; `text` is where they are written. Sorted, so that two URIs of
/// many parameters are compared in one pass: how long matching takes must not tell who is a target (promise 7).
OptionalParameters optional_parameters(std::string_view uri, std::string& text) {
    const std::string_view parameters = split_sip(uri)->parameters;
    text.reserve(3 * parameters.size());  // each character as an escape: views of it stay valid
    OptionalParameters found;
    found.reserve(max_components);
    for (std::string_view rest = parameters; !rest.empty();) {
        const std::size_t start = text.size();
        append_parameter(text, take_until(rest, ';'));
        const std::string_view one = std::string_view(text).substr(start);
        if (!one.empty() && !is_mandatory(one)) {
            const std::size_t equals = std::min(one.find('='), one.size());
            found.emplace_back(one.substr(0, equals), one.substr(equals));
        }
    }
    std::ranges::sort(found);
    const auto repeated = std::ranges::unique(found);
    found.erase(repeated.begin(), repeated.end());
    return found;
}

}  // namespace

int escaped_byte(std::string_view text) {
    return text.starts_with('%') ? base::hex_byte(text.substr(1)) : -1;
}

void append_decoded(std::string& out, std::string_view text) {
    while (!text.empty()) {
        const int byte = escaped_byte(text);
        out.push_back(byte >= 0 ? static_cast<char>(byte) : text.front());
        text.remove_prefix(byte >= 0 ? 3 : 1);
    }
}

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
    // A user may contain ';', '?' and '/', none of the rest may contain '@': so the first one ends the user.
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

std::optional<std::string_view> write_sip(std::string_view text, SipForm form, std::string& out, bool& has_optional) {
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
        // Count those left out of the key too: comparing them one by one has to be bounded.
        if (++count > max_components) {
            return std::nullopt;
        }
        const std::size_t before = out.size();
        parameters.begin();
        append_parameter(out, parameter);
        if (!is_mandatory(std::string_view(out).substr(before))) {
            has_optional = true;
            if (form == SipForm::key) {
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
    append_host(out, parts->host, form);
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

bool shared_parameters_agree(std::string_view left, std::string_view right) {
    std::string left_text;
    std::string right_text;
    const OptionalParameters lefts = optional_parameters(left, left_text);
    const OptionalParameters rights = optional_parameters(right, right_text);
    const auto past = [](auto at, const OptionalParameters& all) {
        return std::find_if(at, all.end(), [name = at->first](const auto& other) { return other.first != name; });
    };
    auto l = lefts.begin();
    auto r = rights.begin();
    while (l != lefts.end() && r != rights.end()) {
        const auto left_end = past(l, lefts);
        const auto right_end = past(r, rights);
        // No parameter may repeat, but in what a source reports one can. Then the same values are needed, in any order.
        if (l->first == r->first && !std::equal(l, left_end, r, right_end)) {
            return false;
        }
        const bool left_first = l->first <= r->first;
        const bool right_first = r->first <= l->first;
        l = left_first ? left_end : l;
        r = right_first ? right_end : r;
    }
    return true;
}

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

}  // namespace lihandover::model
