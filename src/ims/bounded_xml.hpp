#pragma once

#include <cstddef>
#include <pugixml.hpp>
#include <string>
#include <string_view>

namespace lihandover::ims {

// XML from outside, read with pugixml within bounds, as in hi1. pugixml knows neither namespaces nor DTDs: entities
// other than XML's own five stay text, so none can grow, and a document with a DTD is refused. Elements go by their
// local names: senders disagree about prefixes, and some declare none.

inline constexpr std::size_t max_xml_depth = 64;
inline constexpr std::size_t max_xml_attributes = 64;  ///< of one element
inline constexpr std::size_t max_xml_tags = 300'000;

/// An element, or none; an empty one has no children, text or attributes. Lives as long as its document.
class XmlElement {
  public:
    XmlElement() = default;
    explicit XmlElement(pugi::xml_node node) : node_(node) {}

    explicit operator bool() const { return static_cast<bool>(node_); }
    [[nodiscard]] std::string_view name() const;  ///< without its prefix
    /// The value of an attribute without a prefix, blanks around it cut; empty when absent.
    [[nodiscard]] std::string_view attribute(const char* name) const;
    [[nodiscard]] bool has_attribute(const char* name) const { return static_cast<bool>(node_.attribute(name)); }
    /// The first child of that name.
    [[nodiscard]] XmlElement child(std::string_view name) const;
    [[nodiscard]] XmlElement first() const { return XmlElement(element_from(node_.first_child())); }
    [[nodiscard]] XmlElement next() const { return XmlElement(element_from(node_.next_sibling())); }
    /// The character data directly in it, blanks around it cut; comments do not interrupt it.
    [[nodiscard]] std::string text() const;

  private:
    static pugi::xml_node element_from(pugi::xml_node node);

    pugi::xml_node node_;
};

/// One document: bounded in size, depth, tags and attributes, no DTD, one root.
class BoundedXml {
  public:
    /// Once. False for what is none.
    [[nodiscard]] bool read(std::string_view text, std::size_t max_size);
    [[nodiscard]] XmlElement root() const { return XmlElement(document_.document_element()); }

  private:
    [[nodiscard]] bool is_within_bounds() const;

    pugi::xml_document document_;
};

}  // namespace lihandover::ims
