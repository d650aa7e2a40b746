#include "lihandover/handover/writer.hpp"

#include <algorithm>
#include <array>
#include <boost/url/parse.hpp>
#include <optional>

#include "lihandover/base/hex.hpp"
#include "lihandover/hi1/names.hpp"
#include "lihandover/hi1/writer.hpp"
#include "lihandover/hi1/xml_elements.hpp"
#include "lihandover/hi1/xml_text.hpp"
#include "lihandover/model/identifier.hpp"
#include "lihandover/model/media_type.hpp"
#include "typed.hpp"

namespace lihandover::handover {
namespace {

// DELIVER elements must keep their bytes for as long as items of this writer version wait in any store. So a change of
// anything below is a new writer version beside this one, chosen by Profile::writer_version.

using hi1::append_base64;
using hi1::append_escaped;
using hi1::Name;
using hi1::put_lossy;
using hi1::put_number;
using hi1::put_plain;
using hi1::Tags;
using hi1::xml_character;

template <Name name>
constexpr auto base64_tag = hi1::around<name, 1, 19>("<", " encoding=\"base64\">");

/// The CSP schema's Text.
template <Name name>
void put_text(std::string& out, std::string_view value) {
    const std::size_t before = out.size();
    out += Tags<name>::open;
    if (!append_escaped(out, value)) {
        out.resize(before);
        out += std::string_view(base64_tag<name>.data(), base64_tag<name>.size());
        append_base64(out, value);
    }
    out += Tags<name>::close;
}

template <Name name>
void put_text_if_any(std::string& out, std::string_view value) {
    if (!value.empty()) {
        put_text<name>(out, value);
    }
}

// -- Core parameters (TS 103 707 5.4) --------------------------------------------------------------------------------

void put_messaging_party(std::string& out, const model::Event& event, const model::Party& party, bool targeted) {
    out += "<identifiers>";
    for (const model::Identifier& identifier : event.identifiers_of(party)) {
        // If XML cannot carry the value, the CSP-defined part has its bytes.
        put_lossy<"identifier">(out, identifier.value);
    }
    out += "</identifiers>";
    if (targeted) {
        out += "<isTargetedParty>true</isTargetedParty>";
    }
}

bool is_targeted(const model::Share& share, std::size_t party) {
    return party < share.targeted.size() && share.targeted[party];
}

void put_checksum(std::string& out, const model::Sha256& checksum) {
    out += "<checksum>";
    for (const std::uint8_t byte : checksum) {
        base::append_hex(out, byte);
    }
    out += "</checksum>";
}

/// Table 8. If XML cannot carry a name, or a type is invalid, the CSP-defined part has it as it was given. An object
/// whose bytes were lost keeps its record: it was part of the communication.
void put_binary_data(std::string& out, std::span<const model::BinaryObject> objects) {
    if (objects.empty()) {
        return;
    }
    out += "<associatedBinaryData>";
    for (const model::BinaryObject& object : objects) {
        out += "<binaryObject>";
        put_lossy<"url">(out, object.url);
        if (object.content_length) {
            out += "<contentLength>";
            put_number(out, *object.content_length);
            out += "</contentLength>";
        }
        if (model::is_media_type(object.content_type)) {
            put_lossy<"contentType">(out, object.content_type);
        }
        if (object.expiry) {
            put_plain<"expiry">(out, model::to_qualified_date_time(*object.expiry));
        }
        if (object.checksum) {
            put_checksum(out, *object.checksum);
        }
        if (!object.original_filename.empty()) {
            put_lossy<"originalFilename">(out, object.original_filename);
        }
        if (!object.csp_defined_identifier.empty()) {
            put_lossy<"cspDefinedIdentifier">(out, object.csp_defined_identifier);
        }
        out += "</binaryObject>";
    }
    out += "</associatedBinaryData>";
}

void put_core_parameters(std::string& out, const model::Share& share, std::span<const model::BinaryObject> objects) {
    out += "<coreParameters>";
    if (share.deliver.metadata) {
        const model::Event& event = share.event;
        const auto has_role = [](const model::Party& party, model::PartyRole role) {
            return party.role == role && party.first_identifier != party.end_identifier;
        };
        for (std::size_t at = 0; at < event.parties.size(); ++at) {
            if (has_role(event.parties[at], model::PartyRole::sender)) {
                out += "<messageSender>";
                put_messaging_party(out, event, event.parties[at], is_targeted(share, at));
                out += "</messageSender>";
                break;
            }
        }
        const std::size_t before = out.size();
        out += "<messageReceivers>";
        const std::size_t opened = out.size();
        for (std::size_t at = 0; at < event.parties.size(); ++at) {
            if (has_role(event.parties[at], model::PartyRole::receiver)) {
                out += "<recipient>";
                put_messaging_party(out, event, event.parties[at], is_targeted(share, at));
                out += "</recipient>";
            }
        }
        if (out.size() != opened) {
            out += "</messageReceivers>";
        } else {
            out.resize(before);
        }
        if (event.timestamp) {
            put_plain<"timestamp">(out, model::to_qualified_date_time(event.timestamp->text));
        }
    }
    put_binary_data(out, objects);
    out += "</coreParameters>";
}

// -- CSP-defined part (schemas/lihandover-csp-*.xsd) -----------------------------------------------------------------

void put_time(std::string& out, const model::QualifiedTime& time) {
    const auto exact = exact_time(time.text);
    if (!exact.empty()) {
        put_plain<"time">(out, exact.view());
    }
    if (exact.view() != time.text) {
        put_text<"timeAsGiven">(out, time.text);
    }
}

void put_conversation(std::string& out, const model::Conversation& conversation, const model::Deliver& deliver) {
    const std::size_t before = out.size();
    out += "<conversation>";
    const std::size_t opened = out.size();
    if (deliver.metadata) {
        put_text_if_any<"id">(out, conversation.id);
        put_text_if_any<"kind">(out, conversation.kind);
        put_text_if_any<"threadId">(out, conversation.thread_id);
    }
    if (deliver.content) {
        put_text_if_any<"title">(out, conversation.title);
        put_text_if_any<"previousTitle">(out, conversation.previous_title);
        put_text_if_any<"threadTitle">(out, conversation.thread_title);
    }
    if (out.size() == opened) {
        out.resize(before);
        return;
    }
    out += "</conversation>";
}

void put_identifier(std::string& out, const model::Identifier& identifier) {
    out += "<identifier type=\"";
    out += model::name_of(identifier.type);
    out += "\">";
    const std::string normalised = model::normalised(identifier.type, identifier.value);
    switch (identifier_form(identifier.type, normalised)) {
        case IdentifierForm::international_e164:
            put_plain<"internationalE164">(out, normalised);
            break;
        case IdentifierForm::email_address:
            put_text<"emailAddress">(out, normalised);
            break;
        case IdentifierForm::sip_uri:
            put_text<"sipURI">(out, normalised);
            break;
        case IdentifierForm::tel_uri:
            put_text<"telURI">(out, normalised);
            break;
        case IdentifierForm::untyped:
            put_text<"untyped">(out, normalised);
            break;
    }
    if (normalised != identifier.value) {
        put_text<"asGiven">(out, identifier.value);
    }
    out += "</identifier>";
}

void put_parties(std::string& out, const model::Share& share) {
    const model::Event& event = share.event;
    for (std::size_t at = 0; at < event.parties.size(); ++at) {
        const model::Party& party = event.parties[at];
        const bool named = share.deliver.content && !party.nickname.empty();
        const auto identifiers =
            share.deliver.metadata ? event.identifiers_of(party) : std::span<const model::Identifier>{};
        if (!named && identifiers.empty()) {
            continue;
        }
        out += "<party role=\"";
        out += model::name_of(party.role);
        // Senders and receivers have their mark in the core parameters.
        const bool in_core = party.role == model::PartyRole::sender || party.role == model::PartyRole::receiver;
        out += !in_core && is_targeted(share, at) ? R"(" targeted="true">)" : "\">";
        if (named) {
            put_text<"nickname">(out, party.nickname);
        }
        for (const model::Identifier& identifier : identifiers) {
            put_identifier(out, identifier);
        }
        out += "</party>";
    }
}

void put_location(std::string& out, const model::Location& location) {
    out += "<location>";
    const auto north = latitude(location.latitude);
    const auto east = longitude(location.longitude);
    if (!north.empty() && !east.empty()) {
        // The type's own elements are in TS 103 280's namespace.
        out += "<position><latitude xmlns=\"";
        out += hi1::types_namespace;
        out += "\">";
        out += north.view();
        out += "</latitude><longitude xmlns=\"";
        out += hi1::types_namespace;
        out += "\">";
        out += east.view();
        out += "</longitude></position>";
    }
    put_text_if_any<"latitude">(out, location.latitude);
    put_text_if_any<"longitude">(out, location.longitude);
    put_text_if_any<"accuracyMetres">(out, location.accuracy_metres);
    put_text_if_any<"altitudeMetres">(out, location.altitude_metres);
    put_text_if_any<"cell">(out, location.cell);
    put_text_if_any<"description">(out, location.description);
    if (location.observed_at) {
        put_time(out, *location.observed_at);
    }
    out += "</location>";
}

enum class Typing : std::uint8_t { by_name, none };

template <Name name>
void put_properties(std::string& out, const std::vector<model::Property>& properties, Typing typing) {
    if (properties.empty()) {
        return;
    }
    out += Tags<name>::open;
    for (const model::Property& property : properties) {
        out += "<property>";
        put_text<"name">(out, property.name);
        if (property.json) {
            put_text<"json">(out, property.value);
        } else {
            put_text<"value">(out, property.value);
        }
        if (typing == Typing::by_name) {
            const TypedProperty typed = typed_property(property);
            if (!typed.element.empty()) {
                out += '<';
                out += typed.element;
                out += '>';
                out += typed.text.view();
                out += "</";
                out += typed.element;
                out += '>';
            }
        }
        out += "</property>";
    }
    out += Tags<name>::close;
}

void put_ordered(std::string& out, const model::Deliver& deliver) {
    out += "<ordered>";
    const std::size_t opened = out.size();
    const auto put = [&](bool ordered, std::string_view part) {
        if (ordered) {
            if (out.size() != opened) {
                out += ' ';
            }
            out += part;
        }
    };
    put(deliver.metadata, "metadata");
    put(deliver.content, "content");
    put(deliver.binary, "binary");
    put(deliver.location, "location");
    out += "</ordered>";
}

/// From writer version 2 on.
void put_csp_objects(std::string& out, std::span<const model::BinaryObject> objects) {
    for (const model::BinaryObject& object : objects) {
        out += "<binaryObject>";
        put_text<"id">(out, object.csp_defined_identifier);
        put_text_if_any<"filename">(out, object.original_filename);
        put_text_if_any<"contentType">(out, object.content_type);
        if (object.loss != model::ObjectLoss::none) {
            put_plain<"lost">(out, model::name_of(object.loss));
        }
        out += "</binaryObject>";
    }
}

void put_csp_event(std::string& out, const model::Share& share, std::span<const model::BinaryObject> objects,
                   std::uint32_t version) {
    const model::Event& event = share.event;
    const model::Deliver& deliver = share.deliver;
    out += "<event xmlns=\"";
    out += csp_schema_identifiers[version - 1];
    out += "\">";
    put_ordered(out, deliver);
    put_text_if_any<"eventId">(out, event.event_id);
    if (deliver.metadata) {
        put_text_if_any<"service">(out, event.service);
        put_plain<"eventType">(out, model::name_of(event.type));
        if (event.timestamp) {
            put_time(out, *event.timestamp);
        }
        put_plain<"received">(out, model::to_microsecond_date_time(share.received_at));
        put_text_if_any<"refersTo">(out, event.refers_to);
        put_text_if_any<"status">(out, event.status);
    }
    put_conversation(out, event.conversation, deliver);
    put_parties(out, share);
    if (deliver.content && event.has_content) {
        out += "<content>";
        put_text_if_any<"type">(out, event.content_type);
        put_text<"text">(out, event.text);
        out += "</content>";
    }
    if (deliver.location && event.location) {
        put_location(out, *event.location);
    }
    if (deliver.metadata) {
        put_properties<"device">(out, event.device, Typing::by_name);
        put_properties<"network">(out, event.network, Typing::by_name);
    }
    // The share has only those parameters that were ordered, as metadata or as content.
    put_properties<"parameters">(out, event.parameters, Typing::none);
    if (deliver.metadata && share.attachment_count != 0) {
        out += "<attachments>";
        put_number(out, share.attachment_count);
        out += "</attachments>";
    }
    if (version >= 2) {
        put_csp_objects(out, objects);
    }
    out += "</event>";
}

void put_handover_item(std::string& out, const model::Share& share, const model::ItemIdentity& identity,
                       const model::Profile& profile, std::span<const model::BinaryObject> objects) {
    out += "<handoverItem xmlns=\"";
    out += messaging_namespace;
    out += "\">";
    if (identity.correlation) {
        out += "<header><applicationCorrelation><applicationLevelID>";
        put_number(out, identity.correlation->level_id);
        out += "</applicationLevelID><applicationSequenceNumber>";
        put_number(out, identity.correlation->sequence_number);
        out += "</applicationSequenceNumber></applicationCorrelation></header>";
    }
    // With a prefix from the root: some validators resolve a name in an attribute with the root's declarations only.
    out += "<payload xsi:type=\"m:MessagingPayload\">";
    put_core_parameters(out, share, objects);
    out += "<cspDefinedParameters><cspDefinedMetadata><schemaDetails>";
    put_lossy<"schemaIdentifier">(out, profile.schema_identifier);
    if (!profile.schema_url.empty()) {
        put_lossy<"schemaURL">(out, profile.schema_url);
    }
    if (identity.carries_schema) {
        // As character data: the LEA gets the bytes of the published file, comments included. A test checks that the
        // file contains no `]]>`.
        out += "<schemaContent><![CDATA[";
        out += csp_schema(profile.writer_version);
        out += "]]></schemaContent>";
    }
    out += "</schemaDetails><xmlData>";
    put_csp_event(out, share, objects, profile.writer_version);
    out += "</xmlData></cspDefinedMetadata></cspDefinedParameters></payload></handoverItem>";
}

/// A little more than most items need, so that the string grows once.
std::size_t expected_size(const model::Share& share, const model::ItemIdentity& identity,
                          std::span<const model::BinaryObject> objects) {
    const model::Event& event = share.event;
    return 2048 + event.text.size() + 256 * event.identifiers.size() +
           128 * (event.device.size() + event.network.size() + event.parameters.size()) + 1024 * objects.size() +
           (identity.carries_schema ? csp_schema().size() : 0);
}

// -- Profiles --------------------------------------------------------------------------------------------------------

constexpr std::size_t short_string = 255;   // characters, TS 103 280 ShortString
constexpr std::size_t long_string = 65535;  // LongString

bool is_country_code(std::string_view text) {
    const auto capital = [](char c) { return c >= 'A' && c <= 'Z'; };
    return text.size() == 2 && capital(text[0]) && capital(text[1]);
}

/// 1 to `longest` characters that XML can carry.
bool is_text(std::string_view text, std::size_t longest) {
    std::size_t characters = 0;
    while (!text.empty()) {
        const std::size_t length = xml_character(text);
        if (length == 0 || ++characters > longest) {
            return false;
        }
        text.remove_prefix(length);
    }
    return characters != 0;
}

bool is_etsi_version(std::string_view text) {
    if (!text.starts_with('V') || text.size() > short_string) {
        return false;
    }
    text.remove_prefix(1);
    for (int number = 0; number < 3; ++number) {
        const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
        if (digits == 0) {
            return false;
        }
        text.remove_prefix(digits);
        if (number < 2) {
            if (!text.starts_with('.')) {
                return false;
            }
            text.remove_prefix(1);
        }
    }
    return text.empty();
}

model::Error profile_error(std::string_view field, std::string_view allowed) {
    return {std::string(field) + ": " + std::string(allowed)};
}

}  // namespace

model::Status check_profile(const model::Profile& profile) {
    static constexpr std::string_view two_letters = "must be two capital letters";
    if (!is_country_code(profile.sender.country_code)) {
        return profile_error("sender.country_code", two_letters);
    }
    if (!is_country_code(profile.receiver.country_code)) {
        return profile_error("receiver.country_code", two_letters);
    }
    if (!is_text(profile.sender.unique_identifier, long_string)) {
        return profile_error("sender.unique_identifier", "must have 1 to 65535 characters that XML can carry");
    }
    // It is also the OwnerIdentifier, which is a ShortString.
    if (!is_text(profile.receiver.unique_identifier, short_string)) {
        return profile_error("receiver.unique_identifier", "must have 1 to 255 characters that XML can carry");
    }
    if (!is_etsi_version(profile.etsi_version)) {
        return profile_error("etsi_version", "must be V, then three numbers with points between them");
    }
    if (!is_text(profile.national_profile_owner, short_string)) {
        return profile_error("national_profile_owner", "must have 1 to 255 characters that XML can carry");
    }
    if (!is_text(profile.national_profile_version, short_string)) {
        return profile_error("national_profile_version", "must have 1 to 255 characters that XML can carry");
    }
    if (!is_text(profile.schema_identifier, long_string)) {
        return profile_error("schema_identifier", "must have 1 to 65535 characters that XML can carry");
    }
    if (!profile.schema_url.empty() && boost::urls::parse_uri(profile.schema_url).has_error()) {
        return profile_error("schema_url", "must be a URL (RFC 3986)");
    }
    if (!has_writer(profile.writer_version)) {
        return profile_error("writer_version", "this program has no such writer");
    }
    return {};
}

void append_message_head(std::string& out, const model::Profile& profile, const model::Uuid& transaction,
                         model::Instant created) {
    static constexpr std::array<hi1::Declaration, 1> messaging = {{{"m", messaging_namespace}}};
    const hi1::Header header{.transaction = transaction,
                             .sender = profile.sender,
                             .receiver = profile.receiver,
                             .etsi_version = profile.etsi_version,
                             .national_profile_owner = profile.national_profile_owner,
                             .national_profile_version = profile.national_profile_version};
    hi1::append_request_head(out, header, created, messaging);
}

model::Status append_deliver(std::string& out, const model::Share& share, const model::ItemIdentity& identity,
                             const model::Profile& profile, std::span<const model::BinaryObject> objects) {
    if (!has_writer(profile.writer_version)) {
        return model::Error{"the item was made for a way of writing that this program does not have"};
    }
    out.reserve(out.size() + expected_size(share, identity, objects));
    out += "<DELIVER><Identifier>";
    identity.object_id.append_to(out);
    out += "</Identifier><HI1Object xsi:type=\"d:DeliveryObject\"><ObjectIdentifier>";
    identity.object_id.append_to(out);
    out += "</ObjectIdentifier>";
    put_lossy<"CountryCode">(out, profile.receiver.country_code);
    put_lossy<"OwnerIdentifier">(out, profile.receiver.unique_identifier);
    out += "<d:Reference>";
    put_lossy<"d:LIID">(out, identity.liid);
    out +=
        "</d:Reference><d:Manifest><d:Specification><c:Owner>ETSI</c:Owner><c:Name>ManifestSpecification</c:Name>"
        "<c:Value>TS103707</c:Value></d:Specification></d:Manifest><d:Delivery><d:XMLData>";
    put_handover_item(out, share, identity, profile, objects);
    out += "</d:XMLData></d:Delivery></HI1Object></DELIVER>";
    return {};
}

std::size_t message_overhead(const model::Profile& profile) {
    std::string head;
    append_message_head(head, profile, model::Uuid{}, model::Instant{});
    return head.size() + hi1::message_tail.size();
}

void append_message(std::string& out, const model::Profile& profile, const model::Uuid& transaction,
                    model::Instant created, std::span<const std::string_view> delivers) {
    std::size_t size = 2048;
    for (const std::string_view deliver : delivers) {
        size += deliver.size() + hi1::action_overhead;
    }
    out.reserve(out.size() + size);
    append_message_head(out, profile, transaction, created);
    for (std::size_t index = 0; index < delivers.size(); ++index) {
        hi1::append_action_head(out, index);
        out += delivers[index];
        out += hi1::action_tail;
    }
    out += hi1::message_tail;
}

}  // namespace lihandover::handover
