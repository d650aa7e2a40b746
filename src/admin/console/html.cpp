#include "console/html.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "lihandover/base/hidden.hpp"
#include "lihandover/base/invariant.hpp"
#include "lihandover/base/utf8.hpp"

namespace lihandover::admin {

namespace {

std::string number_of(char32_t value) {
    std::array<char, 8> digits{};
    const auto [end, error] =
        std::to_chars(digits.data(), digits.data() + digits.size(), static_cast<std::uint32_t>(value), 16);
    std::string text(digits.data(), end);
    std::ranges::transform(text, text.begin(), [](char c) { return c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c; });
    return "U+" + std::string(4 - std::min<std::size_t>(4, text.size()), '0') + text;
}

void append_escaped(std::string& out, char32_t value) {
    switch (value) {
        case '&':
            out += "&amp;";
            return;
        case '<':
            out += "&lt;";
            return;
        case '>':
            out += "&gt;";
            return;
        case '"':
            out += "&quot;";
            return;
        case '\'':
            out += "&#39;";
            return;
        case 0:  // HTML has no way to say it
            base::append_character(out, base::replacement_character);
            return;
        default:
            base::append_character(out, value);
    }
}

void append_escaped(std::string& out, std::string_view text) {
    while (!text.empty()) {
        append_escaped(out, base::take_character(text));
    }
}

}  // namespace

std::string made_visible(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const char32_t value = base::take_character(text, base::Encoding::wtf8);
        if (base::is_hidden(value)) {
            out.append("\u27E8").append(number_of(value)).append("\u27E9");
        } else {
            base::append_character(out, value);
        }
    }
    return out;
}

void Html::begin(std::string_view name, Attributes attributes) {
    out_ += '<';
    out_ += name;
    for (const Attribute& attribute : attributes) {
        out_.append(" ").append(attribute.name).append("=\"");
        append_escaped(out_, attribute.value);
        out_ += '"';
    }
    out_ += '>';
}

Html& Html::open(Element element, Attributes attributes) {
    begin(element.text(), attributes);
    open_.push_back(element.text());
    return *this;
}

Html& Html::close() {
    LIHANDOVER_INVARIANT(!open_.empty(), "an element that is closed was opened");
    out_.append("</").append(open_.back()) += '>';
    open_.pop_back();
    return *this;
}

Html& Html::lone(Element element, Attributes attributes) {
    begin(element.text(), attributes);
    return *this;
}

Html& Html::element(Element element, std::string_view words, Attributes attributes) {
    return open(element, attributes).words(words).close();
}

Html& Html::words(std::string_view text) {
    append_escaped(out_, text);
    return *this;
}

Html& Html::foreign(std::string_view text) {
    show(text, false);
    return *this;
}

Html& Html::foreign_lines(std::string_view text) {
    show(text, true);
    return *this;
}

void Html::show(std::string_view text, bool lines) {
    out_ += "<bdi>";
    while (!text.empty()) {
        const char32_t value = base::take_character(text, base::Encoding::wtf8);
        if (lines && (value == '\n' || value == '\t')) {
            append_escaped(out_, value);
        } else if (base::is_hidden(value)) {
            out_.append("<span class=\"mark\">").append(number_of(value)).append("</span>");
        } else {
            append_escaped(out_, value);
        }
    }
    out_ += "</bdi>";
}

Html& Html::doctype() {
    out_ += "<!doctype html>\n";
    return *this;
}

Html& Html::assets() {
    out_ +=
        "<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
        "<meta name=\"color-scheme\" content=\"light dark\"><link rel=\"stylesheet\" href=\"/console.css\">"
        "<script src=\"/console.js\" defer></script>";
    return *this;
}

Html& Html::skip_link() {
    out_ += "<a class=\"skip\" href=\"#main\">Skip to the content</a>";
    return *this;
}

std::string Html::take() {
    LIHANDOVER_INVARIANT(open_.empty(), "all of a page is closed");
    return std::exchange(out_, {});
}

}  // namespace lihandover::admin
