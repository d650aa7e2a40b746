#include "lihandover/ims/cpim.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

#include "lihandover/base/hex.hpp"
#include "lihandover/base/utf8.hpp"
#include "text.hpp"

namespace lihandover::ims {

namespace {

constexpr std::string_view core_namespace = "urn:ietf:params:cpim-headers:";
constexpr std::string_view imdn_namespace = "urn:ietf:params:imdn";
constexpr std::size_t max_headers = 512;    ///< of both blocks
constexpr std::size_t max_addresses = 512;  ///< of all headers

struct HeaderLine {
    std::string_view name;
    std::string_view value;  ///< with its parameters
};

bool is_header_name(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) { return c > ' ' && c != 0x7f; });
}

// ---- lines

/// The header blocks, one after the other, and what follows them.
class Blocks {
  public:
    explicit Blocks(std::string_view bytes) : whole_(bytes), rest_(bytes) {}

    /// Reads one up to the empty line that ends it. False for a line that is no header.
    [[nodiscard]] bool read(std::vector<HeaderLine>& out) {
        out.clear();
        ended_ = false;
        while (!rest_.empty()) {
            const std::string_view line = take_line(rest_);
            if (line.empty()) {
                ended_ = true;
                return true;
            }
            if (!add(line, out)) {
                return false;
            }
        }
        return true;
    }

    void skip_empty_lines() {
        while (rest_.starts_with('\n') || rest_.starts_with("\r\n")) {
            rest_.remove_prefix(rest_.front() == '\n' ? 1 : 2);
            deviating_ = true;
        }
    }

    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] bool deviating() const { return deviating_; }
    [[nodiscard]] std::string_view rest() const { return rest_; }

  private:
    bool add(std::string_view line, std::vector<HeaderLine>& out) {
        if (is_blank(line.front())) {
            return fold(line, out);
        }
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos || ++count_ > max_headers) {
            return false;
        }
        std::string_view name = line.substr(0, colon);
        if (!name.empty() && is_blank(name.back())) {
            name = trimmed(name);
            deviating_ = true;
        }
        if (!is_header_name(name)) {
            return false;
        }
        out.push_back({name, trimmed(line.substr(colon + 1))});
        return true;
    }

    /// RFC 3862 has no folded lines, MIME does: the value goes on, its line end included.
    bool fold(std::string_view line, std::vector<HeaderLine>& out) {
        if (out.empty()) {
            return false;
        }
        deviating_ = true;
        const std::string_view more = trimmed(line);
        std::string_view& value = out.back().value;
        if (value.empty()) {
            value = more;
        } else if (!more.empty()) {
            const auto first = static_cast<std::size_t>(value.data() - whole_.data());
            const auto last = static_cast<std::size_t>(more.data() - whole_.data()) + more.size();
            value = whole_.substr(first, last - first);
        }
        return true;
    }

    std::string_view whole_;
    std::string_view rest_;
    std::size_t count_ = 0;
    bool ended_ = false;
    bool deviating_ = false;
};

const HeaderLine* find_line(const std::vector<HeaderLine>& lines, std::string_view name) {
    const auto found =
        std::ranges::find_if(lines, [name](const HeaderLine& line) { return same_name(line.name, name); });
    return found == lines.end() ? nullptr : &*found;
}

/// Some put the headers of message/cpim itself around it once more.
bool is_wrapper(const std::vector<HeaderLine>& lines) {
    constexpr std::string_view type = "message/cpim";
    const HeaderLine* line = find_line(lines, "Content-Type");
    return line != nullptr && starts_with_name(line->value, type) && find_line(lines, "From") == nullptr &&
           find_line(lines, "To") == nullptr;
}

bool are_of_content(const std::vector<HeaderLine>& lines) {
    return !lines.empty() &&
           std::ranges::all_of(lines, [](const HeaderLine& line) { return starts_with_name(line.name, "content-"); });
}

/// Cuts `;lang=fr` off the front of a value.
std::string_view behind_parameters(std::string_view value) {
    if (!value.starts_with(';')) {
        return value;
    }
    bool quoted = false;
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (value[i] == '\\' && quoted) {
            ++i;
        } else if (value[i] == '"') {
            quoted = !quoted;
        } else if (value[i] == ' ' && !quoted) {
            return trimmed(value.substr(i));
        }
    }
    return {};
}

// ---- addresses

std::optional<char32_t> take_code_unit(std::string_view& text) {
    if (text.size() < 4) {
        return std::nullopt;
    }
    char32_t value = 0;
    for (const char c : text.substr(0, 4)) {
        const int digit = base::hex_value(c);
        if (digit < 0) {
            return std::nullopt;
        }
        value = value << 4U | static_cast<char32_t>(digit);
    }
    text.remove_prefix(4);
    return value;
}

/// What follows `\u`: a code unit of UTF-16, or two that are one character.
void append_escaped_character(std::string_view& text, std::string& out) {
    const auto unit = take_code_unit(text);
    if (!unit) {
        out += "\\u";
        return;
    }
    char32_t value = *unit;
    if (value >= 0xD800 && value < 0xDC00 && text.starts_with("\\u")) {
        std::string_view after = text.substr(2);
        if (const auto low = take_code_unit(after); low && *low >= 0xDC00 && *low < 0xE000) {
            value = 0x10000 + ((value - 0xD800) << 10U) + (*low - 0xDC00);
            text = after;
        }
    }
    base::append_character(out, base::is_surrogate(value) ? base::replacement_character : value);
}

/// A name without the escapes of RFC 3862 2.3.
std::string without_escapes_of_cpim(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const char c = text.front();
        text.remove_prefix(1);
        if (c != '\\' || text.empty()) {
            out += c;
            continue;
        }
        const char escaped = text.front();
        text.remove_prefix(1);
        switch (escaped) {
            case 'u':
                append_escaped_character(text, out);
                break;
            case 'b':
                out += '\b';
                break;
            case 't':
                out += '\t';
                break;
            case 'n':
                out += '\n';
                break;
            case 'r':
                out += '\r';
                break;
            default:
                out += escaped;
        }
    }
    return out;
}

/// Cuts a quoted string off the front of `text`, which begins with its quote, and returns what is in it.
std::string_view take_quoted(std::string_view& text, bool& deviating) {
    std::size_t end = 1;
    while (end < text.size() && text[end] != '"') {
        end += text[end] == '\\' ? 2 : 1;
    }
    deviating = deviating || end >= text.size();
    end = std::min(end, text.size());
    const std::string_view inside = text.substr(1, end - 1);
    text.remove_prefix(std::min(end + 1, text.size()));
    return inside;
}

/// An address without brackets: up to a blank or a comma.
std::string_view take_bare_uri(std::string_view& text) {
    const std::size_t end = std::min(text.find_first_of(" \t,<>"), text.size());
    const std::string_view uri = text.substr(0, end);
    text.remove_prefix(end);
    return uri;
}

class AddressReader {
  public:
    explicit AddressReader(bool& deviating) : deviating_(deviating) {}

    /// False where there are too many.
    [[nodiscard]] bool read(std::string_view value, std::vector<CpimAddress>& out) {
        for (value = trimmed(value); !value.empty(); value = trimmed(value)) {
            CpimAddress address = take_one(value);
            if (!address.uri.empty()) {
                if (++count_ > max_addresses) {
                    return false;
                }
                out.push_back(std::move(address));
            }
            value = trimmed(value);
            if (value.empty()) {
                break;
            }
            deviating_ = true;
            if (value.front() != ',') {
                break;
            }
            value.remove_prefix(1);
        }
        return true;
    }

  private:
    CpimAddress take_one(std::string_view& value) {
        CpimAddress address;
        if (value.front() == '"') {
            address.name = without_escapes_of_cpim(take_quoted(value, deviating_));
            value = trimmed(value);
        } else {
            const std::size_t bracket = value.find('<');
            if (bracket == std::string_view::npos) {
                deviating_ = true;
                address.uri = take_bare_uri(value);
                return address;
            }
            address.name = without_escapes_of_cpim(trimmed(value.substr(0, bracket)));
            value.remove_prefix(bracket);
        }
        if (!value.starts_with('<')) {
            deviating_ = true;
            address.uri = take_bare_uri(value);
            return address;
        }
        const std::size_t end = std::min(value.find('>'), value.size());
        address.uri = trimmed(value.substr(1, end - 1));
        deviating_ = deviating_ || end == value.size() || address.uri.empty();
        value.remove_prefix(std::min(end + 1, value.size()));
        return address;
    }

    std::size_t count_ = 0;
    bool& deviating_;
};

// ---- names

/// What prefixes stand for, as NS lines declare them one after another.
class Namespaces {
  public:
    explicit Namespaces(bool& deviating) : deviating_(deviating) {}

    void declare(std::string_view value) {
        const std::size_t open = std::min(value.find('<'), value.size());
        if (open == value.size()) {
            declare_without_brackets(value);
            return;
        }
        const std::size_t close = value.find('>', open);
        deviating_ = deviating_ || close == std::string_view::npos;
        bind(trimmed(value.substr(0, open)), trimmed(value.substr(open + 1, close - open - 1)));
    }

    [[nodiscard]] CpimMessage::Header resolve(const HeaderLine& line) {
        const std::size_t dot = line.name.find('.');
        const bool prefixed = dot != std::string_view::npos;
        const std::string_view prefix = prefixed ? line.name.substr(0, dot) : std::string_view();
        CpimMessage::Header header{{}, prefixed ? line.name.substr(dot + 1) : line.name, line.value};
        const auto last_first = std::views::reverse(bound_);
        const auto bound =
            std::ranges::find_if(last_first, [prefix](const auto& binding) { return binding.first == prefix; });
        if (bound != last_first.end()) {
            header.name_space = bound->second == core_namespace ? std::string_view() : bound->second;
        } else if (prefixed) {
            deviating_ = true;
            if (same_name(prefix, "imdn")) {
                header.name_space = imdn_namespace;
            } else {
                header.name = line.name;
            }
        }
        return header;
    }

  private:
    void declare_without_brackets(std::string_view value) {
        deviating_ = true;
        const std::size_t gap = value.find(' ');
        if (gap == std::string_view::npos) {
            bind({}, value);
        } else {
            bind(value.substr(0, gap), trimmed(value.substr(gap)));
        }
    }
    void bind(std::string_view prefix, std::string_view uri) { bound_.emplace_back(prefix, uri); }

    std::vector<std::pair<std::string_view, std::string_view>> bound_;
    bool& deviating_;
};

// ---- the message

bool is_core(const CpimMessage::Header& header) {
    return header.name_space.empty();
}

void resolve_headers(const std::vector<HeaderLine>& lines, CpimMessage& out) {
    Namespaces namespaces(out.deviating);
    for (const HeaderLine& line : lines) {
        const HeaderLine plain{line.name, behind_parameters(line.value)};
        if (plain.name == "NS") {
            namespaces.declare(plain.value);
            out.headers.push_back({{}, plain.name, plain.value});
        } else {
            out.headers.push_back(namespaces.resolve(plain));
        }
    }
}

/// The headers of that name; where there is none, those that differ from it in case alone.
template <typename Use>
void for_each_named(CpimMessage& message, std::string_view name_space, std::string_view name, Use use) {
    bool any = false;
    for (const auto& header : message.headers) {
        if (header.name_space == name_space && header.name == name) {
            any = true;
            use(header.value);
        }
    }
    for (const auto& header : message.headers) {
        if (!any && header.name_space == name_space && same_name(header.name, name)) {
            message.deviating = true;
            use(header.value);
        }
    }
}

void keep_first(std::string_view& to, std::string_view value) {
    to = to.empty() ? value : to;
}

bool use_headers(CpimMessage& out) {
    AddressReader addresses(out.deviating);
    bool few = true;
    std::vector<CpimAddress> from;
    const auto into = [&addresses, &few](std::vector<CpimAddress>& list) {
        return [&addresses, &few, &list](std::string_view value) { few = few && addresses.read(value, list); };
    };
    for_each_named(out, {}, "From", into(from));
    for_each_named(out, {}, "To", into(out.to));
    for_each_named(out, {}, "cc", into(out.cc));
    if (!from.empty()) {
        out.deviating = out.deviating || from.size() > 1;
        out.from = std::move(from.front());
    }
    const auto first = [](std::string_view& to) { return [&to](std::string_view value) { keep_first(to, value); }; };
    for_each_named(out, {}, "DateTime", first(out.date_time));
    for_each_named(out, imdn_namespace, "Message-ID", first(out.imdn_message_id));
    for_each_named(out, imdn_namespace, "Disposition-Notification", first(out.imdn_disposition));
    for (const auto& header : out.headers) {
        if (is_core(header) && header.name == "Subject") {
            keep_first(out.subject, header.value);
        }
    }
    return few;
}

void use_content_headers(const std::vector<HeaderLine>& lines, CpimMessage& out) {
    const auto value_of = [&lines, &out](std::string_view name) -> std::string_view {
        if (const HeaderLine* line = find_line(lines, name)) {
            return line->value;
        }
        // Real senders put some of them among the headers of the message.
        const auto found = std::ranges::find_if(out.headers, [name](const CpimMessage::Header& header) {
            return is_core(header) && same_name(header.name, name);
        });
        return found == out.headers.end() ? std::string_view() : found->value;
    };
    out.content_type = value_of("Content-Type");
    out.content_disposition = value_of("Content-Disposition");
    out.content_transfer_encoding = value_of("Content-Transfer-Encoding");
    out.content_id = value_of("Content-ID");
}

}  // namespace

std::optional<CpimMessage> read_cpim(std::string_view bytes) {
    CpimMessage message;
    Blocks blocks(bytes);
    std::vector<HeaderLine> lines;
    blocks.skip_empty_lines();
    if (!blocks.read(lines) || lines.empty() || !blocks.ended()) {
        return std::nullopt;
    }
    if (is_wrapper(lines)) {
        message.deviating = true;
        if (!blocks.read(lines) || lines.empty() || !blocks.ended()) {
            return std::nullopt;
        }
    }
    resolve_headers(lines, message);
    if (!use_headers(message) || !blocks.read(lines) || (!blocks.ended() && !are_of_content(lines))) {
        return std::nullopt;
    }
    use_content_headers(lines, message);
    message.deviating = message.deviating || blocks.deviating() || !blocks.ended();
    message.body = blocks.rest();
    return message;
}

}  // namespace lihandover::ims
