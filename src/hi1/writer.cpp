#include "lihandover/hi1/writer.hpp"

#include <array>

#include "lihandover/hi1/names.hpp"
#include "lihandover/hi1/xml_elements.hpp"

namespace lihandover::hi1 {
namespace {

std::string or_else(const std::string& text, std::string_view otherwise) {
    return text.empty() ? std::string(otherwise) : text;
}

void put_response_head(std::string& out, const Header& request, model::Instant created) {
    Header header;
    header.transaction = request.transaction;
    const auto endpoint = [](const model::Endpoint& given) {
        return model::Endpoint{or_else(given.country_code, "XX"), or_else(given.unique_identifier, "Not specified")};
    };
    header.sender = endpoint(request.receiver);
    header.receiver = endpoint(request.sender);
    header.etsi_version = or_else(request.etsi_version, "V1.14.1");
    header.national_profile_owner = or_else(request.national_profile_owner, "N/A");
    header.national_profile_version = or_else(request.national_profile_version, "N/A");
    out += "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<HI1Message xmlns=\"";
    out += core_namespace;
    out += "\">";
    append_header(out, header, created);
    out += "<Payload><ResponsePayload>";
}

constexpr std::string_view response_tail = "</ResponsePayload></Payload></HI1Message>";

void put_error(std::string& out, const ErrorInformation& error) {
    out += "<ErrorInformation>";
    put_plain<"ErrorCode">(out, std::to_string(error.code));
    put_lossy<"ErrorDescription">(out, error.description);
    out += "</ErrorInformation>";
}

}  // namespace

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

void append_header(std::string& out, const Header& header, model::Instant created) {
    const auto put_endpoint = [&out](const model::Endpoint& endpoint) {
        put_lossy<"CountryCode">(out, endpoint.country_code);
        put_lossy<"UniqueIdentifier">(out, endpoint.unique_identifier);
    };
    out += "<Header><SenderIdentifier>";
    put_endpoint(header.sender);
    out += "</SenderIdentifier><ReceiverIdentifier>";
    put_endpoint(header.receiver);
    out += "</ReceiverIdentifier><TransactionIdentifier>";
    header.transaction.append_to(out);
    out += "</TransactionIdentifier>";
    put_plain<"Timestamp">(out, model::to_microsecond_date_time(created));
    out += "<Version>";
    put_lossy<"ETSIVersion">(out, header.etsi_version);
    put_lossy<"NationalProfileOwner">(out, header.national_profile_owner);
    put_lossy<"NationalProfileVersion">(out, header.national_profile_version);
    out += "</Version></Header>";
}

void append_response(std::string& out, const Header& request, model::Instant created,
                     std::span<const ActionAnswer> answers) {
    put_response_head(out, request, created);
    out += "<ActionResponses>";
    for (const ActionAnswer& answer : answers) {
        if (answer.kind == ActionAnswer::Kind::unreadable) {
            continue;
        }
        out += "<ActionResponse>";
        put_plain<"ActionIdentifier">(out, std::to_string(answer.action));
        if (answer.kind == ActionAnswer::Kind::accepted) {
            out += "<DELIVERResponse><Identifier>";
            answer.identifier.append_to(out);
            out += "</Identifier></DELIVERResponse>";
        } else {
            put_error(out, answer.error);
        }
        out += "</ActionResponse>";
    }
    out += "</ActionResponses>";
    out += response_tail;
}

void append_error_response(std::string& out, const Header& request, model::Instant created,
                           const ErrorInformation& error) {
    put_response_head(out, request, created);
    put_error(out, error);
    out += response_tail;
}

}  // namespace lihandover::hi1
