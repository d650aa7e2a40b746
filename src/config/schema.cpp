#include "lihandover/config/schema.hpp"

#include <algorithm>
#include <array>
#include <boost/url/parse.hpp>
#include <charconv>
#include <limits>
#include <numeric>

#include "lihandover/base/hex.hpp"

namespace lihandover::config {

namespace {

constexpr std::size_t max_url = 2048;

template <typename Unit>
struct NamedUnit {
    std::string_view name;
    Unit factor;
};
constexpr std::array<NamedUnit<std::uint64_t>, 5> size_units{{{"TiB", std::uint64_t{1} << 40U},
                                                              {"GiB", std::uint64_t{1} << 30U},
                                                              {"MiB", std::uint64_t{1} << 20U},
                                                              {"KiB", std::uint64_t{1} << 10U},
                                                              {"B", 1}}};
constexpr std::array<NamedUnit<std::uint64_t>, 5> duration_units{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

template <std::size_t N>
std::optional<std::uint64_t> parse_with_unit(std::string_view text,
                                             const std::array<NamedUnit<std::uint64_t>, N>& units) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) {
        return std::nullopt;
    }
    const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    for (const auto& [name, factor] : units) {
        if (unit == name && number <= std::numeric_limits<std::uint64_t>::max() / factor) {
            return number * factor;
        }
    }
    return std::nullopt;
}

template <std::size_t N>
std::string write_with_unit(std::uint64_t number, const std::array<NamedUnit<std::uint64_t>, N>& units) {
    for (const auto& [name, factor] : units) {
        if (number >= factor && number % factor == 0) {
            return std::to_string(number / factor) + std::string(name);
        }
    }
    return "0" + std::string(units.back().name);
}

std::size_t count_characters(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

/// Control characters of ASCII and Latin-1, and the two code points that XML 1.0 does not allow.
bool has_controls(std::string_view text) {
    for (std::size_t n = 0; n < text.size(); ++n) {
        const auto byte = static_cast<unsigned char>(text[n]);
        const auto next = n + 1 < text.size() ? static_cast<unsigned char>(text[n + 1]) : 0U;
        if (byte < 0x20 || byte == 0x7F || (byte == 0xC2 && next < 0xA0)) {
            return true;
        }
    }
    return text.find("\xEF\xBF\xBE") != std::string_view::npos || text.find("\xEF\xBF\xBF") != std::string_view::npos;
}

bool is_port(std::string_view text) {
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() && number != 0;
}

/// The text of a scalar; otherwise reports a problem.
const std::string* scalar_text(Reader& reader, const YamlNode& node, const std::string& needed) {
    if (node.kind != YamlNode::Kind::scalar) {
        reader.problem(node.place, needed + " is needed, not a list or mapping");
        return nullptr;
    }
    return &node.text;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t above = row[j];
            const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({above + 1, row[j - 1] + 1, change});
            diagonal = above;
        }
    }
    return row[b.size()];
}

}  // namespace

void Reader::problem(Place place, std::string_view message, std::string value) {
    std::string text = path_.empty() ? std::string{} : path_ + ": ";
    text += message;
    problems_.push_back({file_, place.line, place.column, std::move(text), secret_ ? std::string{} : std::move(value)});
}

void Reader::problem_below(std::string_view name, Place place, std::string_view message, std::string value) {
    const Descent descent(*this, "." + std::string(name), {});
    problem(place, message, std::move(value));
}

Reader::Descent::Descent(Reader& reader, std::string_view step, Place place, bool secret)
    : reader_(reader), length_(reader.path_.size()), secret_(reader.secret_) {
    reader_.path_ += reader_.path_.empty() && step.starts_with('.') ? step.substr(1) : step;
    reader_.secret_ = secret_ || secret;
    if (place.line != 0) {
        reader_.places_.try_emplace(reader_.path_, place);
    }
}

Reader::Descent::~Descent() {
    reader_.path_.resize(length_);
    reader_.secret_ = secret_;
}

std::string alternatives(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t n = 0; n < names.size(); ++n) {
        text += n == 0 ? "" : n + 1 == names.size() ? " or " : ", ";
        text += names[n];
    }
    return text;
}

std::optional<std::string> nearest(std::string_view typed, const std::vector<std::string>& known) {
    std::optional<std::string> best;
    // A third of the letters may be wrong: `max_event_sise` is near, `limit` is not.
    std::size_t best_distance = std::max<std::size_t>(1, typed.size() / 3) + 1;
    if (typed.size() > 64) {
        return std::nullopt;
    }
    for (const std::string& name : known) {
        if (const std::size_t distance = edit_distance(typed, name); distance < best_distance) {
            best_distance = distance;
            best = name;
        }
    }
    return best;
}

std::string write_size(std::uint64_t bytes) {
    return write_with_unit(bytes, size_units);
}

std::string write_duration(std::chrono::milliseconds duration) {
    return write_with_unit(static_cast<std::uint64_t>(duration.count()), duration_units);
}

std::string write_text(std::string_view text) {
    const auto safe = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
               c == '/' || c == '-' || c == '+';
    };
    const bool letter_first = !text.empty() && safe(text.front()) && text.front() != '-' && text.front() != '.';
    if (letter_first && std::ranges::all_of(text, safe)) {
        return std::string(text);
    }
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += {'\\', c};
        } else if (byte < 0x20 || byte == 0x7F) {
            out += "\\x";
            base::append_hex(out, c);
        } else {
            out.push_back(c);
        }
    }
    return out + "\"";
}

Type<bool> boolean_type() {
    auto read = [](Reader& reader, const YamlNode& node, bool& out) {
        const bool word = node.kind == YamlNode::Kind::scalar && node.plain;
        if (!word || (node.text != "true" && node.text != "false")) {
            reader.problem(node.place, "true or false is needed", node.text);
            return false;
        }
        out = node.text == "true";
        return true;
    };
    return {"boolean", "true or false", read, [](const bool& value) { return std::string(value ? "true" : "false"); }};
}

Type<std::uint32_t> integer_type(std::uint32_t least, std::uint32_t most) {
    std::string allowed = std::to_string(least) + " to " + std::to_string(most);
    auto read = [least, most, allowed](Reader& reader, const YamlNode& node, std::uint32_t& out) {
        std::uint32_t number = 0;
        const char* const end = node.text.data() + node.text.size();
        const auto [stop, error] = std::from_chars(node.text.data(), end, number);
        if (node.kind != YamlNode::Kind::scalar || !node.plain || error != std::errc{} || stop != end ||
            number < least || number > most) {
            reader.problem(node.place, "a whole number is needed, " + allowed, node.text);
            return false;
        }
        out = number;
        return true;
    };
    return {"integer", allowed, read, [](const std::uint32_t& value) { return std::to_string(value); }};
}

Type<std::uint64_t> size_type(std::uint64_t least, std::uint64_t most) {
    std::string allowed = write_size(least) + " to " + write_size(most);
    auto read = [least, most, allowed](Reader& reader, const YamlNode& node, std::uint64_t& out) {
        const auto size = node.kind == YamlNode::Kind::scalar ? parse_with_unit(node.text, size_units) : std::nullopt;
        if (!size || *size < least || *size > most) {
            reader.problem(node.place, "a size is needed, " + allowed + ", with B, KiB, MiB, GiB or TiB", node.text);
            return false;
        }
        out = *size;
        return true;
    };
    return {"size", allowed, read, [](const std::uint64_t& value) { return write_size(value); }};
}

Type<std::chrono::milliseconds> duration_type(std::chrono::milliseconds least, std::chrono::milliseconds most) {
    std::string allowed = write_duration(least) + " to " + write_duration(most);
    auto read = [least, most, allowed](Reader& reader, const YamlNode& node, std::chrono::milliseconds& out) {
        const auto number =
            node.kind == YamlNode::Kind::scalar ? parse_with_unit(node.text, duration_units) : std::nullopt;
        if (!number || *number < static_cast<std::uint64_t>(least.count()) ||
            *number > static_cast<std::uint64_t>(most.count())) {
            reader.problem(node.place, "a duration is needed, " + allowed + ", with ms, s, m, h or d", node.text);
            return false;
        }
        out = std::chrono::milliseconds(static_cast<std::int64_t>(*number));
        return true;
    };
    return {"duration", allowed, read, [](const std::chrono::milliseconds& value) { return write_duration(value); }};
}

Type<std::string> text_type(std::size_t least, std::size_t most, std::string allowed, TextCheck check) {
    if (allowed.empty()) {
        allowed = std::to_string(least) + " to " + std::to_string(most) + " characters";
    }
    auto read = [least, most, allowed, check = std::move(check)](Reader& reader, const YamlNode& node,
                                                                 std::string& out) {
        const std::string* const text = scalar_text(reader, node, "a text");
        if (text == nullptr) {
            return false;
        }
        const std::size_t length = count_characters(*text);
        if (length < least || length > most) {
            reader.problem(node.place, std::string(length < least ? "too short" : "too long") + "; allowed: " + allowed,
                           *text);
            return false;
        }
        if (has_controls(*text)) {
            reader.problem(node.place, "holds control characters; allowed: " + allowed, *text);
            return false;
        }
        if (const std::optional<std::string> wrong = check ? check(*text) : std::nullopt) {
            reader.problem(node.place, *wrong, *text);
            return false;
        }
        out = *text;
        return true;
    };
    return {"text", allowed, read,
            [](const std::string& value) { return value.empty() ? std::string{} : write_text(value); }};
}

Type<std::string> path_type(std::size_t most) {
    Type<std::string> type = text_type(1, most, "an absolute path", [most](std::string_view text) {
        return text.starts_with('/') && text.size() <= most
                   ? std::nullopt
                   : std::optional("an absolute path of at most " + std::to_string(most) + " bytes is needed");
    });
    type.name = "path";
    return type;
}

Type<std::string> https_url_type() {
    Type<std::string> type;
    type.name = "URL";
    type.allowed = "https, with a host, without user and fragment";
    type.write = [](const std::string& value) { return value.empty() ? std::string{} : write_text(value); };
    type.read = [](Reader& reader, const YamlNode& node, std::string& out) {
        const std::string* const text = scalar_text(reader, node, "a URL");
        if (text == nullptr) {
            return false;
        }
        // Whatever precedes an @ may be a password, so such a URL is never shown.
        const std::string shown = text->find('@') == std::string::npos ? *text : std::string{};
        const auto url = boost::urls::parse_uri(*text);
        const char* wrong = nullptr;
        if (!url || text->size() > max_url) {
            wrong = "not a URL; allowed: https://host[:port]/path of at most 2048 bytes";
        } else if (url->scheme_id() != boost::urls::scheme::https) {
            wrong = "only https is allowed";
        } else if (url->has_userinfo()) {
            wrong = "a URL with a user is not allowed: certificates say who we are";
        } else if (url->encoded_host().empty()) {
            wrong = "a URL without a host; allowed: https://host[:port]/path";
        } else if (url->has_port() && !is_port(url->port())) {
            wrong = "a port is 1 to 65535";
        } else if (url->has_fragment()) {
            wrong = "a URL with a fragment (#) is not allowed";
        }
        if (wrong != nullptr) {
            reader.problem(node.place, wrong, shown);
            return false;
        }
        out = *text;
        return true;
    };
    return type;
}

namespace {

/// In Markdown's tables a bar ends a cell.
std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '|') {
            out.push_back('\\');
        }
        out.push_back(c);
    }
    return out;
}

std::string parent_of(const std::string& path) {
    const std::size_t dot = path.rfind('.');
    return dot == std::string::npos ? std::string{} : path.substr(0, dot);
}

/// The prefix of an option's path below this section.
std::string inner_path(const OptionRow& row) {
    switch (row.container) {
        case OptionRow::Container::list:
            return row.path + "[]";
        case OptionRow::Container::map:
            return row.path + ".*";
        case OptionRow::Container::none:
        case OptionRow::Container::mapping:
            break;
    }
    return row.path;
}

std::string row_markdown(const OptionRow& row) {
    const Facts& facts = row.facts;
    std::string line = "| `" + facts.name + "` | " + row.type;
    line += row.allowed.empty() ? "" : ", " + cell(row.allowed);
    line += " | ";
    if (facts.required) {
        line += "required";
    } else if (!row.default_text.empty()) {
        line += "`" + cell(row.default_text) + "`";
    }
    line += std::string(" | ") + (facts.reloadable ? "yes" : "no") + " | " + cell(facts.help);
    line += facts.example.empty() ? "" : " Example: `" + cell(facts.example) + "`.";
    line += facts.secret ? " Never shown." : "";
    line += facts.built ? "" : " **Not built yet**: anything but the default is an error.";
    return line + " |\n";
}

}  // namespace

std::string rows_markdown(const std::vector<OptionRow>& rows, std::string_view heading) {
    const auto table = [&rows](const std::string& inner) {
        std::string text;
        for (const OptionRow& row : rows) {
            if (parent_of(row.path) == inner) {
                text += row_markdown(row);
            }
        }
        return "| Option | Value | Default | Reload | Meaning |\n|---|---|---|---|---|\n" + text + "\n";
    };
    std::string out = table({});
    for (const OptionRow& row : rows) {
        if (row.section) {
            out += std::string(heading) + " `" + inner_path(row) + "`\n\n" + row.facts.help + "\n\n" +
                   table(inner_path(row));
        }
    }
    return out;
}

}  // namespace lihandover::config
