#include "header_parameters.hpp"

#include "text.hpp"

namespace lihandover::ims {

std::optional<HeaderParameter> take_parameter(std::string_view& text) {
    for (;;) {
        while (!text.empty() && (is_space(text.front()) || text.front() == ';')) {
            text.remove_prefix(1);
        }
        if (text.empty()) {
            return std::nullopt;
        }
        HeaderParameter out;
        const std::size_t name_end = std::min(text.find_first_of("=;"), text.size());
        out.name = trimmed(text.substr(0, name_end));
        text.remove_prefix(name_end);
        if (text.starts_with('=')) {
            text = trimmed_front(text.substr(1));
            const std::size_t quoted_end = text.starts_with('"') ? end_of_quoted(text, 0) : std::string_view::npos;
            if (quoted_end != std::string_view::npos) {
                out.value = text.substr(1, quoted_end - 2);
                out.quoted = true;
                text.remove_prefix(quoted_end);
            }
            const std::size_t end = std::min(text.find(';'), text.size());
            if (!out.quoted) {
                out.value = trimmed(text.substr(0, end));
            }
            text.remove_prefix(end);
        }
        if (!out.name.empty()) {
            return out;
        }
    }
}

std::string unfolded(std::string_view value) {
    std::string out;
    out.reserve(value.size());
    while (!value.empty()) {
        const std::string_view part = trimmed(take_line(value));
        if (!part.empty()) {
            out.append(out.empty() ? "" : " ").append(part);
        }
    }
    return out;
}

bool has_escapes(std::string_view quoted) {
    return quoted.find('\\') != std::string_view::npos;
}

std::string without_escapes(std::string_view quoted) {
    std::string out;
    out.reserve(quoted.size());
    for (std::size_t i = 0; i < quoted.size(); ++i) {
        if (quoted[i] == '\\' && i + 1 < quoted.size()) {
            ++i;
        }
        out.push_back(quoted[i]);
    }
    return out;
}

}  // namespace lihandover::ims
