#pragma once

#include <cstddef>
#include <optional>
#include <pugixml.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "lihandover/hi1/names.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::hi1 {

// XML from outside, read with pugixml within bounds. pugixml knows neither namespaces nor DTDs: entities other than
// XML's own five stay text, so none can grow, and any document with a DTD is refused. Namespaces are resolved here, for
// the elements that are asked for.

inline constexpr std::size_t max_xml_depth = 64;  ///< elements; deeper is an error

class Document;

/// A namespace and a local name in it.
struct QualifiedName {
    std::string_view space;
    std::string_view local;

    friend bool operator==(const QualifiedName&, const QualifiedName&) = default;
};

/// An element of a document, or none; an empty element has no children, text or attributes. Lives as long as its
/// document, which must not move.
class Element {
  public:
    Element() = default;
    Element(const Document* document, pugi::xml_node node) : document_(document), node_(node) {}

    explicit operator bool() const { return static_cast<bool>(node_); }
    [[nodiscard]] bool is(std::string_view local, std::string_view space = core_namespace) const;
    [[nodiscard]] QualifiedName name() const;
    /// What xsi:type names; empty if there is none.
    [[nodiscard]] QualifiedName type() const;
    /// The first child of that name.
    [[nodiscard]] Element child(std::string_view local, std::string_view space = core_namespace) const;
    /// The first child element, and the next sibling element.
    [[nodiscard]] Element first() const { return {document_, element_from(node_.first_child())}; }
    [[nodiscard]] Element next() const { return {document_, element_from(node_.next_sibling())}; }
    /// All character data directly in it; comments do not interrupt it.
    [[nodiscard]] std::string text() const;
    /// The UUID that is its text, with or without surrounding blanks.
    [[nodiscard]] std::optional<model::Uuid> uuid() const;

  private:
    static pugi::xml_node element_from(pugi::xml_node node) {
        while (node && node.type() != pugi::node_element) {
            node = node.next_sibling();
        }
        return node;
    }

    const Document* document_ = nullptr;
    pugi::xml_node node_;
};

/// One document: bounded in size, depth and attributes, no DTD, one root.
class Document {
  public:
    Document() = default;
    Document(const Document&) = delete;
    Document& operator=(const Document&) = delete;
    Document(Document&&) = delete;
    Document& operator=(Document&&) = delete;
    ~Document() = default;

    /// `max_size` in bytes. The error says what is wrong, never a value. Call it once.
    [[nodiscard]] model::Status read(std::string_view body, std::size_t max_size);
    [[nodiscard]] Element root() const { return {this, document_.document_element()}; }
    /// The namespace that `prefix` stands for on `element`; empty if nothing declares it.
    [[nodiscard]] std::string_view namespace_of(pugi::xml_node element, std::string_view prefix) const;

  private:
    model::Status check_bounds();

    pugi::xml_document document_;
    /// Nearly always the root alone declares namespaces; then no element has to search all its ancestors.
    bool declared_below_root_ = false;
};

/// `text` without surrounding XML white space.
[[nodiscard]] std::string_view trimmed(std::string_view text);

}  // namespace lihandover::hi1
