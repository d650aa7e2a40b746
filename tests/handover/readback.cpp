#include "readback.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <pugixml.hpp>

#include "lihandover/hi1/xml_text.hpp"
#include "lihandover/model/identifier.hpp"
#include "lihandover/model/media_type.hpp"
#include "typed.hpp"

namespace lihandover::handover::test {
namespace {

using model::PartyRole;

/// The CSP schema's Text, as bytes; nullopt for a missing element.
std::optional<std::string> text_of(const pugi::xml_node& element) {
    if (!element) {
        return std::nullopt;
    }
    const std::string_view encoding = element.attribute("encoding").value();
    const std::string text = element.text().get();
    return encoding == "base64" ? decode_base64(text) : text;
}

std::optional<std::string> given(std::string_view text, bool ordered = true) {
    return text.empty() || !ordered ? std::nullopt : std::optional<std::string>(text);
}

pugi::xml_node party_at(const pugi::xml_node& event, std::size_t index) {
    auto parties = event.children("party");
    auto at = parties.begin();
    while (index-- > 0 && at != parties.end()) {
        ++at;
    }
    return at == parties.end() ? pugi::xml_node() : *at;
}

void expect_core_party(const pugi::xml_node& element, const Item& item, std::size_t party) {
    ASSERT_TRUE(element);
    const model::Event& event = item.share.event;
    std::vector<std::string> said;
    for (const pugi::xml_node identifier : element.child("identifiers").children("identifier")) {
        said.emplace_back(identifier.text().get());
    }
    std::vector<std::string> expected;
    for (const model::Identifier& identifier : event.identifiers_of(event.parties[party])) {
        expected.push_back(hi1::carriable(identifier.value));
    }
    EXPECT_EQ(said, expected);
    EXPECT_EQ(std::string_view(element.child("isTargetedParty").text().get()),
              item.share.targeted[party] ? "true" : "");
    EXPECT_EQ(element.child("isTargetedParty").empty(), !item.share.targeted[party]);
}

std::string hex(const model::Sha256& digest) {
    std::string out;
    for (const std::uint8_t byte : digest) {
        out += "0123456789abcdef"[byte >> 4];
        out += "0123456789abcdef"[byte & 0x0F];
    }
    return out;
}

/// Table 8, children in its order.
void expect_binary_data(const pugi::xml_node& list, const Item& item) {
    EXPECT_EQ(list.empty(), item.objects.empty());
    pugi::xml_node element = list.first_child();
    for (const model::BinaryObject& object : item.objects) {
        std::vector<std::pair<std::string, std::string>> said;
        for (const pugi::xml_node child : element.children()) {
            said.emplace_back(child.name(), child.text().get());
        }
        std::vector<std::pair<std::string, std::string>> expected = {{"url", object.url}};
        if (object.content_length) {
            expected.emplace_back("contentLength", std::to_string(*object.content_length));
        }
        if (model::is_media_type(object.content_type)) {
            expected.emplace_back("contentType", object.content_type);
        }
        if (object.expiry) {
            expected.emplace_back("expiry", model::to_qualified_date_time(*object.expiry));
        }
        if (object.checksum) {
            expected.emplace_back("checksum", hex(*object.checksum));
        }
        if (!object.original_filename.empty()) {
            expected.emplace_back("originalFilename", hi1::carriable(object.original_filename));
        }
        expected.emplace_back("cspDefinedIdentifier", hi1::carriable(object.csp_defined_identifier));
        EXPECT_EQ(said, expected);
        element = element.next_sibling();
    }
    EXPECT_TRUE(element.empty());
}

void expect_core(const pugi::xml_node& core, const Item& item) {
    const model::Event& event = item.share.event;
    ASSERT_TRUE(core);
    expect_binary_data(core.child("associatedBinaryData"), item);
    if (!item.share.deliver.metadata) {
        EXPECT_TRUE(core.first_child() == core.child("associatedBinaryData"));
        EXPECT_TRUE(core.first_child() == core.last_child());
        return;
    }
    pugi::xml_node recipient = core.child("messageReceivers").child("recipient");
    bool sender = false;
    for (std::size_t at = 0; at < event.parties.size(); ++at) {
        if (event.parties[at].role == PartyRole::sender) {
            expect_core_party(core.child("messageSender"), item, at);
            sender = true;
        } else if (event.parties[at].role == PartyRole::receiver) {
            expect_core_party(recipient, item, at);
            recipient = recipient.next_sibling("recipient");
        }
    }
    EXPECT_EQ(core.child("messageSender").empty(), !sender);
    EXPECT_TRUE(recipient.empty());
    if (event.timestamp) {
        EXPECT_EQ(core.child("timestamp").text().get(), model::to_qualified_date_time(event.timestamp->text));
    } else {
        EXPECT_TRUE(core.child("timestamp").empty());
    }
}

void expect_time(const pugi::xml_node& parent, const std::optional<model::QualifiedTime>& time) {
    const auto exact = text_of(parent.child("time"));
    const auto as_given = text_of(parent.child("timeAsGiven"));
    if (!time) {
        EXPECT_FALSE(exact || as_given);
        return;
    }
    ASSERT_TRUE(exact || as_given);
    EXPECT_EQ(as_given.value_or(exact.value_or("")), time->text);
    if (exact) {
        const auto read = model::parse_rfc3339(*exact);
        ASSERT_TRUE(read);
        EXPECT_EQ(read->instant, time->instant);
        EXPECT_EQ(exact->size(), exact->back() == 'Z' ? 27U : 32U);
    }
}

void expect_identifier(const pugi::xml_node& element, const model::Identifier& identifier) {
    ASSERT_TRUE(element);
    EXPECT_EQ(element.attribute("type").value(), model::name_of(identifier.type));
    const auto normalised = text_of(element.first_child());
    EXPECT_EQ(normalised, model::normalised(identifier.type, identifier.value));
    EXPECT_EQ(text_of(element.child("asGiven")).value_or(normalised.value_or("")), identifier.value);
}

void expect_parties(const pugi::xml_node& csp, const Item& item) {
    const model::Share& share = item.share;
    const model::Event& event = share.event;
    std::size_t said = 0;
    for (std::size_t at = 0; at < event.parties.size(); ++at) {
        const model::Party& party = event.parties[at];
        const auto nickname = given(party.nickname, share.deliver.content);
        if (event.identifiers_of(party).empty() && !nickname) {
            continue;
        }
        const pugi::xml_node element = party_at(csp, said++);
        EXPECT_EQ(element.attribute("role").value(), model::name_of(party.role));
        const bool marked = (party.role == PartyRole::actor || party.role == PartyRole::member) && share.targeted[at];
        EXPECT_EQ(std::string_view(element.attribute("targeted").value()), marked ? "true" : "");
        EXPECT_EQ(text_of(element.child("nickname")), nickname);
        pugi::xml_node identifier = element.child("identifier");
        for (const model::Identifier& expected : event.identifiers_of(party)) {
            expect_identifier(identifier, expected);
            identifier = identifier.next_sibling();
        }
        EXPECT_TRUE(identifier.empty());
    }
    EXPECT_TRUE(party_at(csp, said).empty());
}

void expect_properties(const pugi::xml_node& element, const std::vector<model::Property>& properties, bool ordered) {
    EXPECT_EQ(element.empty(), !ordered || properties.empty());
    pugi::xml_node at = element.first_child();
    for (const model::Property& property : properties) {
        if (!ordered) {
            break;
        }
        EXPECT_EQ(text_of(at.child("name")), property.name);
        EXPECT_EQ(text_of(at.child(property.json ? "json" : "value")), property.value);
        EXPECT_TRUE(at.child(property.json ? "value" : "json").empty());
        at = at.next_sibling();
    }
    EXPECT_TRUE(at.empty());
}

void expect_location(const pugi::xml_node& element, const model::Location& location) {
    EXPECT_EQ(text_of(element.child("latitude")), given(location.latitude));
    EXPECT_EQ(text_of(element.child("longitude")), given(location.longitude));
    EXPECT_EQ(text_of(element.child("accuracyMetres")), given(location.accuracy_metres));
    EXPECT_EQ(text_of(element.child("altitudeMetres")), given(location.altitude_metres));
    EXPECT_EQ(text_of(element.child("cell")), given(location.cell));
    EXPECT_EQ(text_of(element.child("description")), given(location.description));
    expect_time(element, location.observed_at);
}

/// What table 8 has no place for, and the exact form of what it has.
void expect_objects(const pugi::xml_node& csp, const Item& item) {
    pugi::xml_node element = csp.child("binaryObject");
    if (item.profile.writer_version < 2) {
        EXPECT_TRUE(element.empty());
        return;
    }
    for (const model::BinaryObject& object : item.objects) {
        EXPECT_EQ(text_of(element.child("id")), object.csp_defined_identifier);
        EXPECT_EQ(text_of(element.child("filename")), given(object.original_filename));
        EXPECT_EQ(text_of(element.child("contentType")), given(object.content_type));
        EXPECT_EQ(text_of(element.child("lost")),
                  given(model::name_of(object.loss), object.loss != model::ObjectLoss::none));
        element = element.next_sibling();
    }
    EXPECT_TRUE(element.empty());
}

void expect_csp(const pugi::xml_node& csp, const Item& item) {
    const model::Event& event = item.share.event;
    const auto [metadata, content, binary, place] = item.share.deliver;
    ASSERT_TRUE(csp);
    std::string ordered;
    for (const auto& [is, name] :
         {std::pair{metadata, "metadata"}, {content, "content"}, {binary, "binary"}, {place, "location"}}) {
        ordered += is ? std::string(ordered.empty() ? "" : " ") + name : std::string();
    }
    EXPECT_EQ(csp.child("ordered").text().get(), ordered);
    EXPECT_EQ(text_of(csp.child("eventId")), given(event.event_id));
    EXPECT_EQ(text_of(csp.child("service")), given(event.service, metadata));
    EXPECT_EQ(text_of(csp.child("eventType")), given(model::name_of(event.type), metadata));
    expect_time(csp, metadata ? event.timestamp : std::nullopt);
    EXPECT_EQ(text_of(csp.child("received")), given(model::to_microsecond_date_time(item.share.received_at), metadata));
    EXPECT_EQ(text_of(csp.child("refersTo")), given(event.refers_to, metadata));
    EXPECT_EQ(text_of(csp.child("status")), given(event.status, metadata));
    const pugi::xml_node conversation = csp.child("conversation");
    EXPECT_EQ(text_of(conversation.child("id")), given(event.conversation.id, metadata));
    EXPECT_EQ(text_of(conversation.child("kind")), given(event.conversation.kind, metadata));
    EXPECT_EQ(text_of(conversation.child("threadId")), given(event.conversation.thread_id, metadata));
    EXPECT_EQ(text_of(conversation.child("title")), given(event.conversation.title, content));
    EXPECT_EQ(text_of(conversation.child("previousTitle")), given(event.conversation.previous_title, content));
    EXPECT_EQ(text_of(conversation.child("threadTitle")), given(event.conversation.thread_title, content));
    EXPECT_TRUE(conversation.empty() || conversation.first_child());
    expect_parties(csp, item);
    EXPECT_EQ(csp.child("content").empty(), !(content && event.has_content));
    if (content && event.has_content) {
        EXPECT_EQ(text_of(csp.child("content").child("type")), given(event.content_type));
        EXPECT_EQ(text_of(csp.child("content").child("text")), event.text);
    }
    EXPECT_EQ(csp.child("location").empty(), !(place && event.location));
    if (place && event.location) {
        expect_location(csp.child("location"), *event.location);
    }
    expect_properties(csp.child("device"), event.device, metadata);
    expect_properties(csp.child("network"), event.network, metadata);
    expect_properties(csp.child("parameters"), event.parameters, true);
    EXPECT_EQ(csp.child("attachments").text().as_ullong(0), metadata ? item.share.attachment_count : 0);
    expect_objects(csp, item);
}

}  // namespace

std::string decode_base64(std::string_view text) {
    std::string out;
    std::uint32_t bits = 0;
    int have = 0;
    for (const char c : text) {
        static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const std::size_t value = digits.find(c);
        if (value == std::string_view::npos) {
            EXPECT_EQ(c, '=');
            continue;
        }
        bits = (bits << 6) | static_cast<std::uint32_t>(value);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out += static_cast<char>(bits >> have & 0xFF);
        }
    }
    return out;
}

void expect_says(std::string_view document, const Item& item) {
    pugi::xml_document parsed;
    const auto result = parsed.load_buffer(document.data(), document.size());
    ASSERT_TRUE(result) << result.description();
    const pugi::xml_node message = parsed.child("HI1Message");
    const pugi::xml_node header = message.child("Header");
    const model::Profile& profile = item.profile;
    EXPECT_EQ(header.child("SenderIdentifier").child_value("CountryCode"), profile.sender.country_code);
    EXPECT_EQ(header.child("SenderIdentifier").child_value("UniqueIdentifier"), profile.sender.unique_identifier);
    EXPECT_EQ(header.child("ReceiverIdentifier").child_value("CountryCode"), profile.receiver.country_code);
    EXPECT_EQ(header.child("ReceiverIdentifier").child_value("UniqueIdentifier"), profile.receiver.unique_identifier);
    EXPECT_EQ(header.child("Version").child_value("ETSIVersion"), profile.etsi_version);
    EXPECT_EQ(header.child("Version").child_value("NationalProfileOwner"), profile.national_profile_owner);
    EXPECT_EQ(header.child("Version").child_value("NationalProfileVersion"), profile.national_profile_version);

    const pugi::xml_node request =
        message.child("Payload").child("RequestPayload").child("ActionRequests").child("ActionRequest");
    EXPECT_EQ(std::string_view(request.child_value("ActionIdentifier")), "0");
    const pugi::xml_node deliver = request.child("DELIVER");
    EXPECT_EQ(deliver.child_value("Identifier"), item.identity.object_id.to_string());
    const pugi::xml_node object = deliver.child("HI1Object");
    EXPECT_EQ(std::string_view(object.attribute("xsi:type").value()), "d:DeliveryObject");
    EXPECT_EQ(object.child_value("ObjectIdentifier"), item.identity.object_id.to_string());
    EXPECT_EQ(object.child_value("CountryCode"), profile.receiver.country_code);
    EXPECT_EQ(object.child_value("OwnerIdentifier"), profile.receiver.unique_identifier);
    EXPECT_EQ(object.child("d:Reference").child_value("d:LIID"), item.identity.liid);
    const pugi::xml_node specification = object.child("d:Manifest").child("d:Specification");
    EXPECT_EQ(std::string_view(specification.child_value("c:Owner")), "ETSI");
    EXPECT_EQ(std::string_view(specification.child_value("c:Name")), "ManifestSpecification");
    EXPECT_EQ(std::string_view(specification.child_value("c:Value")), "TS103707");

    const pugi::xml_node handover = object.child("d:Delivery").child("d:XMLData").child("handoverItem");
    const pugi::xml_node correlation = handover.child("header").child("applicationCorrelation");
    EXPECT_EQ(handover.child("header").empty(), !item.identity.correlation);
    if (item.identity.correlation) {
        EXPECT_EQ(correlation.child("applicationLevelID").text().as_ullong(), item.identity.correlation->level_id);
        EXPECT_EQ(correlation.child("applicationSequenceNumber").text().as_ullong(),
                  item.identity.correlation->sequence_number);
    }
    const pugi::xml_node payload = handover.child("payload");
    EXPECT_EQ(std::string_view(payload.attribute("xsi:type").value()), "m:MessagingPayload");
    expect_core(payload.child("coreParameters"), item);
    const pugi::xml_node csp = payload.child("cspDefinedParameters").child("cspDefinedMetadata");
    const pugi::xml_node details = csp.child("schemaDetails");
    EXPECT_EQ(details.child_value("schemaIdentifier"), profile.schema_identifier);
    EXPECT_EQ(details.child_value("schemaURL"), profile.schema_url);
    EXPECT_EQ(details.child("schemaURL").empty(), profile.schema_url.empty());
    EXPECT_EQ(details.child("schemaContent").empty(), !item.identity.carries_schema);
    EXPECT_EQ(details.child_value("schemaContent"),
              item.identity.carries_schema ? csp_schema(profile.writer_version) : "");
    expect_csp(csp.child("xmlData").child("event"), item);
}

}  // namespace lihandover::handover::test
