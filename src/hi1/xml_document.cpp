#include "lihandover/hi1/xml_document.hpp"

namespace lihandover::hi1 {
namespace {

/// Elements with more are refused, so that looking up a namespace stays cheap.
constexpr std::size_t max_attributes = 64;

std::pair<std::string_view, std::string_view> prefix_and_local(std::string_view name) {
    const std::size_t colon = name.find(':');
    if (colon == std::string_view::npos) {
        return {{}, name};
    }
    return {name.substr(0, colon), name.substr(colon + 1)};
}

bool declares(std::string_view attribute, std::string_view prefix) {
    if (prefix.empty()) {
        return attribute == "xmlns";
    }
    return attribute.starts_with("xmlns:") && attribute.substr(6) == prefix;
}

bool declares_namespace(std::string_view attribute) {
    return attribute.starts_with("xmlns") && (attribute.size() == 5 || attribute[5] == ':');
}

bool is_text(const pugi::xml_node& node) {
    return node.type() == pugi::node_pcdata || node.type() == pugi::node_cdata;
}

}  // namespace

std::string_view trimmed(std::string_view text) {
    static constexpr std::string_view space = " \t\r\n";
    const std::size_t first = text.find_first_not_of(space);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(space) - first + 1);
}

bool Element::is(std::string_view local, std::string_view space) const {
    if (node_.type() != pugi::node_element) {
        return false;
    }
    const auto [prefix, own_local] = prefix_and_local(node_.name());
    return own_local == local && document_->namespace_of(node_, prefix) == space;
}

QualifiedName Element::name() const {
    if (node_.type() != pugi::node_element) {
        return {};
    }
    const auto [prefix, local] = prefix_and_local(node_.name());
    return {document_->namespace_of(node_, prefix), local};
}

QualifiedName Element::type() const {
    for (auto attribute = node_.first_attribute(); attribute; attribute = attribute.next_attribute()) {
        const auto [prefix, local] = prefix_and_local(attribute.name());
        if (local == "type" && !prefix.empty() && document_->namespace_of(node_, prefix) == schema_instance_namespace) {
            const auto [type_prefix, type_local] = prefix_and_local(trimmed(attribute.value()));
            return {document_->namespace_of(node_, type_prefix), type_local};
        }
    }
    return {};
}

Element Element::child(std::string_view local, std::string_view space) const {
    for (Element each = first(); each; each = each.next()) {
        if (each.is(local, space)) {
            return each;
        }
    }
    return {};
}

std::string Element::text() const {
    std::string text;
    for (auto node = node_.first_child(); node; node = node.next_sibling()) {
        if (is_text(node)) {
            text += node.value();
        }
    }
    return text;
}

std::optional<model::Uuid> Element::uuid() const {
    const auto only = node_.first_child();
    if (is_text(only) && !only.next_sibling()) {  // as all ordinary ones are
        return model::Uuid::parse(trimmed(only.value()));
    }
    return model::Uuid::parse(trimmed(text()));
}

model::Status Document::read(std::string_view body, std::size_t max_size) {
    if (body.size() > max_size) {
        return model::Error{"the message is too large"};
    }
    const auto parsed =
        document_.load_buffer(body.data(), body.size(), pugi::parse_default | pugi::parse_doctype, pugi::encoding_auto);
    if (!parsed) {
        // pugixml's description is about its own grammar rules only.
        return model::Error{std::string("the message is not well-formed XML: ") + parsed.description()};
    }
    return check_bounds();
}

std::string_view Document::namespace_of(pugi::xml_node element, std::string_view prefix) const {
    if (!declared_below_root_) {
        element = document_.document_element();
    }
    for (; element.type() == pugi::node_element; element = element.parent()) {
        for (auto attribute = element.first_attribute(); attribute; attribute = attribute.next_attribute()) {
            if (declares(attribute.name(), prefix)) {
                return attribute.value();
            }
        }
    }
    return {};
}

model::Status Document::check_bounds() {
    std::size_t roots = 0;
    for (const pugi::xml_node node : document_.children()) {
        if (node.type() == pugi::node_doctype) {
            return model::Error{"the message has a DTD"};
        }
        roots += node.type() == pugi::node_element ? 1 : 0;
    }
    if (roots != 1) {
        return model::Error{"the message is not one XML document"};
    }
    std::size_t depth = 0;
    pugi::xml_node node = document_.document_element();
    while (true) {
        std::size_t attributes = 0;
        for (auto attribute = node.first_attribute(); attribute; attribute = attribute.next_attribute()) {
            if (++attributes > max_attributes) {
                return model::Error{"the message has an element with too many attributes"};
            }
            declared_below_root_ = declared_below_root_ || (depth > 0 && declares_namespace(attribute.name()));
        }
        if (const auto below = node.first_child()) {
            node = below;
            if (++depth > max_xml_depth) {
                return model::Error{"the message is nested too deep"};
            }
            continue;
        }
        pugi::xml_node beside;
        for (; depth > 0 && !beside; --depth) {
            beside = node.next_sibling();
            node = node.parent();
        }
        if (!beside) {
            return {};
        }
        node = beside;
        ++depth;
    }
}

}  // namespace lihandover::hi1
