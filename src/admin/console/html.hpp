#pragma once

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "console/url.hpp"

namespace lihandover::admin {

// Writing HTML. There is no way to put a text into a page but as text: names of elements and attributes are constants
// of this source that the compiler checks, values are escaped and stand in quotes, and what is a URL to a browser takes
// a Link only.

/// The name of an element. Those that run, fetch or embed something are none.
class Element {
  public:
    consteval explicit(false) Element(const char* name) : name_(name) {
        constexpr std::array<std::string_view, 49> known = {
            "a",       "p",      "h1",     "h2",       "h3",     "ul",       "ol",      "li",      "dl",     "dt",
            "dd",      "div",    "span",   "bdi",      "b",      "strong",   "em",      "code",    "pre",    "time",
            "table",   "thead",  "tbody",  "tr",       "th",     "td",       "caption", "form",    "label",  "button",
            "input",   "select", "option", "fieldset", "legend", "textarea", "nav",     "main",    "header", "footer",
            "section", "html",   "head",   "body",     "title",  "br",       "details", "summary", "hr"};
        for (const std::string_view one : known) {
            if (one == name_) {
                return;
            }
        }
        throw "not an element that a page may have";
    }
    [[nodiscard]] std::string_view text() const { return name_; }

  private:
    std::string_view name_;
};

/// The name of an attribute whose value is nothing but text.
class TextAttribute {
  public:
    consteval explicit(false) TextAttribute(const char* name) : name_(name) {
        constexpr std::array<std::string_view, 27> known = {"class",        "id",
                                                            "lang",         "title",
                                                            "scope",        "for",
                                                            "name",         "value",
                                                            "type",         "method",
                                                            "datetime",     "required",
                                                            "maxlength",    "rows",
                                                            "checked",      "selected",
                                                            "disabled",     "target",
                                                            "rel",          "tabindex",
                                                            "role",         "autocomplete",
                                                            "aria-label",   "aria-live",
                                                            "aria-current", "aria-describedby",
                                                            "data-part"};
        for (const std::string_view one : known) {
            if (one == name_) {
                return;
            }
        }
        throw "not an attribute of plain text";
    }
    [[nodiscard]] std::string_view text() const { return name_; }

  private:
    std::string_view name_;
};

/// The name of an attribute whose value is a URL.
class LinkAttribute {
  public:
    consteval explicit(false) LinkAttribute(const char* name) : name_(name) {
        if (name_ != "href" && name_ != "action") {
            throw "not an attribute that leads anywhere";
        }
    }
    [[nodiscard]] std::string_view text() const { return name_; }

  private:
    std::string_view name_;
};

struct Attribute {
    Attribute(TextAttribute what, std::string_view text) : name(what.text()), value(text) {}
    Attribute(LinkAttribute what, const Link& link) : name(what.text()), value(link.text()) {}

    std::string_view name;
    std::string_view value;
};

/// `text` with every character that is not to be seen, or that moves others, in the place of which its number is to be
/// read: `⟨U+202E⟩`. Bytes that are no UTF-8 become U+FFFD. For attributes, and to be read aloud.
[[nodiscard]] std::string made_visible(std::string_view text);

/// Writes one page into a string.
class Html {
  public:
    using Attributes = std::initializer_list<Attribute>;

    Html& open(Element element, Attributes attributes = {});
    /// Closes what was opened last.
    Html& close();
    /// An element that has no end: input, br, hr.
    Html& lone(Element element, Attributes attributes = {});
    /// An element with nothing but a text of ours in it.
    Html& element(Element element, std::string_view words, Attributes attributes = {});

    /// A text of ours.
    Html& words(std::string_view text);
    /// A text from outside, apart from what stands around it (bdi): nothing in it moves anything else, and what cannot
    /// be seen is shown by its number.
    Html& foreign(std::string_view text);
    /// The same of several lines, for `pre`: line ends and tabs stay.
    Html& foreign_lines(std::string_view text);

    /// `<!doctype html>`, and what of `head` leads to our own two files; once each.
    Html& doctype();
    Html& assets();
    /// For keyboards, to `main`.
    Html& skip_link();

    [[nodiscard]] std::size_t size() const { return out_.size(); }
    /// The page. Everything is closed.
    [[nodiscard]] std::string take();

  private:
    void begin(std::string_view name, Attributes attributes);
    void show(std::string_view text, bool lines);

    std::string out_;
    std::vector<std::string_view> open_;
};

}  // namespace lihandover::admin
