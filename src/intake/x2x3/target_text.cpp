#include <pugixml.hpp>

#include "lihandover/intake/x2x3/pdu.hpp"

namespace lihandover::intake {
namespace {

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    const std::size_t first = text.find_first_not_of(blanks);
    return first == std::string_view::npos ? std::string_view{}
                                           : text.substr(first, text.find_last_not_of(blanks) + 1 - first);
}

/// What nearly all of them are: `<Name>text</Name>`. Nullopt for anything that needs more than a look.
std::optional<std::string_view> plain_element_text(std::string_view value) {
    const std::size_t open_end = value.find('>');
    if (open_end == std::string_view::npos || value.find_first_of("/?!&") < open_end) {
        return std::nullopt;
    }
    const std::string_view name = value.substr(1, value.find_first_of(" \t\r\n>") - 1);
    const std::size_t text_end = value.find_first_of("<&", open_end);
    if (name.empty() || text_end == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view rest = value.substr(text_end);
    if (!rest.starts_with("</") || !rest.ends_with('>')) {
        return std::nullopt;
    }
    rest = rest.substr(2, rest.size() - 3);
    return trimmed(rest) == name ? std::optional(trimmed(value.substr(open_end + 1, text_end - open_end - 1)))
                                 : std::nullopt;
}

/// The first text in the document, which is that of the innermost element: an identifier's type may be told by several
/// around it. Elements are walked without recursion, since nobody bounds their depth.
class TextFinder : public pugi::xml_tree_walker {
  public:
    explicit TextFinder(std::string& found) : found_(found) {}
    bool for_each(pugi::xml_node& node) override {
        if (node.type() == pugi::node_pcdata || node.type() == pugi::node_cdata) {
            found_ = trimmed(node.value());
        }
        return found_.empty();
    }

  private:
    std::string& found_;
};

}  // namespace

std::string_view target_text(std::string_view value, std::string& scratch) {
    value = trimmed(value);
    if (!value.starts_with('<')) {
        return value;
    }
    if (const auto text = plain_element_text(value)) {
        return *text;
    }
    // Without parse_doctype a document type is passed over, and no entity but XML's own five is known.
    pugi::xml_document document;
    if (!document.load_buffer(value.data(), value.size(), pugi::parse_default, pugi::encoding_utf8)) {
        return value;
    }
    scratch.clear();
    TextFinder finder(scratch);
    document.traverse(finder);
    return scratch;
}

}  // namespace lihandover::intake
