#include "lihandover/hi1/writer.hpp"

#include <array>

#include "lihandover/hi1/names.hpp"
#include "lihandover/hi1/xml_elements.hpp"

namespace lihandover::hi1 {

void append_request_head(std::string& out, const Header& header, model::Instant created,
                         std::span<const Declaration> more) {
    static constexpr std::array<Declaration, 3> declared = {{
        {"xsi", schema_instance_namespace},
        {"d", delivery_namespace},
        {"c", common_namespace},
    }};
    const auto declare = [&out](const Declaration& declaration) {
        out += " xmlns:";
        out += declaration.first;
        out += "=\"";
        out += declaration.second;
        out += '"';
    };
    out += "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<HI1Message xmlns=\"";
    out += core_namespace;
    out += '"';
    for (const Declaration& declaration : declared) {
        declare(declaration);
    }
    for (const Declaration& declaration : more) {
        declare(declaration);
    }
    out += '>';
    append_header(out, header, created);
    out += "<Payload><RequestPayload><ActionRequests>";
}

void append_action_head(std::string& out, std::size_t index) {
    out += "<ActionRequest><ActionIdentifier>";
    put_number(out, index);
    out += "</ActionIdentifier>";
}

}  // namespace lihandover::hi1
