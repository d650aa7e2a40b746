// The JSON of one event: what the parser accepts is JSON and is preserved, through the store's form and into a
// document; what it says is not JSON is not.

#include <simdjson.h>

#include <optional>
#include <vector>

#include "fuzz.hpp"
#include "lihandover/handover/names.hpp"
#include "lihandover/handover/validator.hpp"
#include "lihandover/handover/writer.hpp"
#include "lihandover/intake/http/event_parser.hpp"
#include "lihandover/model/identifier.hpp"
#include "lihandover/model/item.hpp"

namespace {

using namespace lihandover;
using fuzz::must;

constexpr model::Instant latest{1'800'000'000, 0};

void touch_all(const model::Event& event) {
    for (const std::string_view text :
         {event.event_id, event.service, event.refers_to, event.status, event.conversation.id, event.conversation.kind,
          event.conversation.thread_id, event.conversation.title, event.conversation.previous_title,
          event.conversation.thread_title, event.content_type, event.text}) {
        fuzz::touch(text);
    }
    for (const auto* list : {&event.device, &event.network, &event.parameters}) {
        for (const auto& property : *list) {
            fuzz::touch(property.name);
            fuzz::touch(property.value);
        }
    }
    for (const auto& attachment : event.attachments) {
        fuzz::touch(attachment.id);
        fuzz::touch(attachment.content_type);
        fuzz::touch(attachment.filename);
        fuzz::touch(attachment.sha256);
        fuzz::touch(attachment.reference);
    }
    std::size_t identifiers = 0;
    for (const auto& party : event.parties) {
        fuzz::touch(party.nickname);
        must(party.first_identifier < party.end_identifier && party.end_identifier <= event.identifiers.size(),
             "a party has identifiers");
        identifiers += party.end_identifier - party.first_identifier;
    }
    must(identifiers == event.identifiers.size(), "every identifier is of one party");
    model::IdentifierScratch scratch;
    for (const auto& identifier : event.identifiers) {
        must(!identifier.value.empty(), "an identifier has a value");
        fuzz::touch(model::keys_of(identifier.type, identifier.value, {}, scratch).front().bytes);
    }
}

// The verdict of another reader, or nothing if it cannot know: it refuses lone surrogates and numbers beyond a double,
// and counts depth in its own way.
std::optional<bool> is_json(std::string_view text) {
    static simdjson::dom::parser parser;
    const auto error = parser.parse(text.data(), text.size()).error();
    switch (error) {
        case simdjson::SUCCESS:
            return true;
        case simdjson::STRING_ERROR:
        case simdjson::NUMBER_ERROR:
        case simdjson::DEPTH_ERROR:
            return std::nullopt;
        default:
            return false;
    }
}

const model::Profile& profile() {
    static const model::Profile made{.sender = {"XX", "EXAMPLE-CSP"},
                                     .receiver = {"XX", "Not specified"},
                                     .etsi_version = "V1.14.1",
                                     .schema_identifier = std::string(handover::csp_schema_identifier),
                                     .schema_url = {},
                                     .writer_version = handover::current_writer_version};
    return made;
}

void write_document(const model::Event& event) {
    static const handover::Validator validator = handover::Validator::load(LIHANDOVER_SOURCE_DIR "/schemas").value();
    const std::vector<std::uint64_t> targeted(event.parties.size() / 64 + 1, 0x5555555555555555U);
    const std::vector<std::string> metadata_parameters{"status"};
    constexpr model::Deliver everything{.metadata = true, .content = true, .binary = true, .location = true};
    std::string bytes;
    model::encode_share(event, targeted, everything, latest, metadata_parameters, bytes);
    model::Share share;
    must(model::decode_share(bytes, share).has_value(), "what was stored can be read");
    must(share.attachment_count == event.attachments.size(), "attachments are counted");
    must(share.event.text == event.text && share.event.event_id == event.event_id, "texts are as they were");
    must(share.event.parties.size() == event.parties.size(), "parties are as they were");

    must(share.deliver == everything, "what is ordered is as it was");
    const model::ItemIdentity identity{.object_id = {}, .liid = "LIID-1", .correlation = {}, .carries_schema = false};
    std::string deliver;
    must(handover::append_deliver(deliver, share, identity, profile()).has_value(), "a document can be written");
    std::string message;
    const std::string_view one = deliver;
    handover::append_message(message, profile(), {}, latest, std::span(&one, 1));
    must(validator.validate(message).has_value(), "the document is valid");
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    static intake::EventParser parser;
    static model::Event event;
    const fuzz::Exact json({reinterpret_cast<const char*>(data), size});
    const auto fault = parser.parse(json.view(), latest, event);
    const auto json_or_not = is_json(json.view());
    if (fault) {
        must(fuzz::is_ascii_text(fault->reason) && fault->reason.size() < 200, "a reason is a short phrase of ours");
        must(fault->field.size() < 4096, "a field's name is bounded");
        must(fault->kind != metrics::Rejection::malformed || json_or_not != true,
             "what is JSON is not called malformed");
    } else {
        must(json_or_not != false, "what was taken is JSON");
        must(!event.parties.empty() && !event.event_id.empty(), "an event has an id and a party");
        must(!event.timestamp || event.timestamp->instant <= latest, "an event is not of the future");
        touch_all(event);
        write_document(event);
    }
    parser.let_go();
}
