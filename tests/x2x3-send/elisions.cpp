#include "elisions.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <ranges>

#include "message.hpp"

namespace lihandover::x2x3_send {
namespace {

bool is_answer(const SipText& text) {
    return text.start.starts_with("SIP/2.0 ");
}

std::string kind_of(const SipText& text) {
    return is_answer(text) ? "answer" : text.start.substr(0, text.start.find(' '));
}

/// Host and branch of the last Via: the same in all messages of a dialog that its first sender has begun, whatever hop
/// they are at.
std::string dialog_of(const SipText& text) {
    std::string_view last;
    for (const auto& header : text.headers) {
        if (same_name(header.name, "Via") || same_name(header.name, "v")) {
            last = header.value;
        }
    }
    const std::size_t comma = last.rfind(',');
    return std::string(trimmed(comma == std::string_view::npos ? last : last.substr(comma + 1)));
}

bool names_dialog(std::string_view name) {
    constexpr std::array<std::string_view, 9> names = {"Via", "v", "From", "f", "To", "t", "Call-ID", "i", "CSeq"};
    return std::ranges::any_of(names, [name](std::string_view each) { return same_name(each, name); });
}

/// `v=`, `a=`: a line of a session description without a value.
bool elided_line(std::string_view line) {
    return line.size() == 2 && line[1] == '=';
}

}  // namespace

bool Header::elided() const {
    const std::string_view text = trimmed(value);
    return text.empty() || text == elision;
}

const Header* SipText::find(std::string_view name) const {
    const auto found =
        std::ranges::find_if(headers, [name](const Header& header) { return same_name(header.name, name); });
    return found == headers.end() ? nullptr : &*found;
}

Header* SipText::find(std::string_view name) {
    const auto found =
        std::ranges::find_if(headers, [name](const Header& header) { return same_name(header.name, name); });
    return found == headers.end() ? nullptr : &*found;
}

model::Result<SipText> read_sip_text(const std::vector<std::string>& lines) {
    SipText text;
    if (lines.empty()) {
        return model::Error{"a message without a line"};
    }
    text.start = lines.front();
    std::size_t at = 1;
    for (; at < lines.size() && !lines[at].empty(); ++at) {
        const std::string& line = lines[at];
        if ((line.front() == ' ' || line.front() == '\t') && !text.headers.empty()) {
            text.headers.back().value += "\r\n" + line;
            continue;
        }
        const std::size_t colon = line.find(':');
        if (colon == std::string::npos) {
            // Kept as it is: a test may want just that.
            text.headers.push_back({line, "\n"});
            continue;
        }
        text.headers.push_back({line.substr(0, colon), line.substr(colon + 1)});
    }
    if (at < lines.size()) {
        text.has_body = true;
        text.body.assign(lines.begin() + static_cast<std::ptrdiff_t>(at) + 1, lines.end());
    }
    return text;
}

template <typename Has>
const SipText* Elisions::nearest(const std::string& dialog, const std::string& kind, bool dialog_first, Has has) const {
    const auto among = [&](bool same_dialog, bool same_kind) -> const SipText* {
        for (const auto& each : std::views::reverse(earlier_)) {
            if ((!same_dialog || each.dialog == dialog) && (!same_kind || each.kind == kind) && has(each.text)) {
                return &each.text;
            }
        }
        return nullptr;
    };
    for (const auto& [same_dialog, same_kind] :
         {std::pair(true, true), {dialog_first, !dialog_first}, {!dialog_first, dialog_first}, {false, false}}) {
        if (const auto* const found = among(same_dialog, same_kind)) {
            return found;
        }
    }
    return nullptr;
}

model::Status Elisions::fill_body(SipText& text, const std::string& dialog, const std::string& kind) const {
    const bool whole = text.body.size() == 1 && text.body.front() == elision;
    if (!whole && std::ranges::none_of(text.body, elided_line)) {
        return {};
    }
    const auto* const from = nearest(dialog, kind, false, [](const SipText& other) { return other.has_body; });
    if (from == nullptr) {
        return model::Error{"no message before it has a body"};
    }
    if (whole || std::ranges::all_of(text.body, elided_line)) {
        text.body = from->body;
        return {};
    }
    std::map<std::string, std::size_t> seen;
    for (auto& line : text.body) {
        const std::size_t nth = seen[line.substr(0, 2)]++;
        if (!elided_line(line)) {
            continue;
        }
        auto same = from->body | std::views::filter([&](const std::string& other) { return other.starts_with(line); });
        const auto found = std::ranges::next(same.begin(), static_cast<std::ptrdiff_t>(nth), same.end());
        if (found == same.end()) {
            return model::Error{"the body before it has no line for " + line};
        }
        line = *found;
    }
    return {};
}

model::Status Elisions::fill(SipText& text) {
    const std::string kind = kind_of(text);
    std::string dialog = dialog_of(text);
    const Header* const via = text.find("Via");
    if (via != nullptr && via->elided()) {
        const auto last = std::ranges::find_if(std::views::reverse(earlier_),
                                               [](const Earlier& each) { return !is_answer(each.text); });
        dialog = last == std::ranges::rend(earlier_) ? "" : last->dialog;
    }
    for (auto& header : text.headers) {
        if (!header.elided() || same_name(header.name, "Content-Length") || same_name(header.name, "l")) {
            continue;
        }
        const auto* const from = nearest(dialog, kind, names_dialog(header.name),
                                         [&](const SipText& other) { return other.find(header.name) != nullptr; });
        if (from == nullptr) {
            return model::Error{"no message before it has a value for " + header.name};
        }
        header.value = from->find(header.name)->value;
    }
    if (auto filled = fill_body(text, dialog, kind); !filled) {
        return filled;
    }
    earlier_.push_back({dialog, kind, text});
    return {};
}

}  // namespace lihandover::x2x3_send
