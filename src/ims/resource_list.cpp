#include "resource_list.hpp"

#include "lihandover/ims/multipart.hpp"

namespace lihandover::ims {

namespace {

constexpr std::size_t max_list_size = std::size_t{1} << 20;
constexpr std::size_t max_receivers = 4096;

}  // namespace

void add_entries(XmlElement list, std::size_t most, std::vector<std::string>& out) {
    // Lists are nested no deeper than the document.
    for (XmlElement each = list.first(); each && out.size() < most; each = each.next()) {
        if (each.name() == "list") {
            add_entries(each, most, out);
        } else if (each.name() == "entry" && !each.attribute("uri").empty()) {
            out.emplace_back(each.attribute("uri"));
        }
    }
}

std::vector<std::string> receivers_of_list(std::string_view xml) {
    std::vector<std::string> receivers;
    BoundedXml document;
    if (document.read(xml, max_list_size) && document.root().name() == "resource-lists") {
        add_entries(document.root(), max_receivers, receivers);
    }
    return receivers;
}

}  // namespace lihandover::ims
