#include "bounded_xml.hpp"

#include <algorithm>

#include "text.hpp"

namespace lihandover::ims {

namespace {

bool has_few_attributes(const pugi::xml_node& node) {
    std::size_t count = 0;
    for (auto attribute = node.first_attribute(); attribute; attribute = attribute.next_attribute()) {
        if (++count > max_xml_attributes) {
            return false;
        }
    }
    return true;
}

}  // namespace

pugi::xml_node XmlElement::element_from(pugi::xml_node node) {
    while (node && node.type() != pugi::node_element) {
        node = node.next_sibling();
    }
    return node;
}

std::string_view XmlElement::name() const {
    const std::string_view name = node_.name();
    return name.substr(name.find(':') + 1);
}

std::string_view XmlElement::attribute(const char* name) const {
    return trimmed(node_.attribute(name).value());
}

XmlElement XmlElement::child(std::string_view name) const {
    XmlElement each = first();
    while (each && each.name() != name) {
        each = each.next();
    }
    return each;
}

std::string XmlElement::text() const {
    std::string text;
    for (auto node = node_.first_child(); node; node = node.next_sibling()) {
        if (node.type() == pugi::node_pcdata || node.type() == pugi::node_cdata) {
            text += node.value();
        }
    }
    return std::string(trimmed(text));
}

bool BoundedXml::read(std::string_view text, std::size_t max_size) {
    // A node takes more memory than the shortest tag.
    if (text.size() > max_size || std::ranges::count(text, '<') > static_cast<std::ptrdiff_t>(max_xml_tags)) {
        return false;
    }
    const auto parsed = document_.load_buffer(text.data(), text.size(), pugi::parse_default | pugi::parse_doctype);
    return parsed && is_within_bounds();
}

bool BoundedXml::is_within_bounds() const {
    std::size_t roots = 0;
    for (const pugi::xml_node node : document_.children()) {
        if (node.type() == pugi::node_doctype) {
            return false;
        }
        roots += node.type() == pugi::node_element ? 1 : 0;
    }
    if (roots != 1) {
        return false;
    }
    std::size_t depth = 0;
    pugi::xml_node node = document_.document_element();
    while (true) {
        if (!has_few_attributes(node)) {
            return false;
        }
        if (const auto below = node.first_child()) {
            node = below;
            if (++depth > max_xml_depth) {
                return false;
            }
            continue;
        }
        pugi::xml_node beside;
        for (; depth > 0 && !beside; --depth) {
            beside = node.next_sibling();
            node = node.parent();
        }
        if (!beside) {
            return true;
        }
        node = beside;
        ++depth;
    }
}

}  // namespace lihandover::ims
