// An item's share as the store has it: whatever its bytes, it is refused or becomes a document.

#include <pugixml.hpp>
#include <string>
#include <vector>

#include "fuzz.hpp"
#include "lihandover/handover/names.hpp"
#include "lihandover/handover/writer.hpp"
#include "lihandover/model/item.hpp"

namespace {

using namespace lihandover;
using fuzz::must;

void check_places(const model::Share& share) {
    must(share.targeted.size() == share.event.parties.size(), "each party is a target or not");
    std::size_t end = 0;
    for (const auto& party : share.event.parties) {
        must(party.first_identifier <= party.end_identifier && party.end_identifier <= share.event.identifiers.size(),
             "a party's identifiers are there");
        must(party.first_identifier >= end, "and its own");
        end = party.end_identifier;
        fuzz::touch(party.nickname);
    }
    for (const auto& identifier : share.event.identifiers) {
        must(static_cast<std::size_t>(identifier.type) < model::identifier_type_names.size(), "a type there is");
        fuzz::touch(identifier.value);
    }
    must(static_cast<std::size_t>(share.event.type) < model::event_type_names.size(), "an event type there is");
    must(share.event.attachments.empty(), "attachments are counted only");
}

std::vector<std::uint64_t> bits_of(const std::vector<bool>& flags) {
    std::vector<std::uint64_t> bits(flags.size() / 64 + 1);
    for (std::size_t i = 0; i < flags.size(); ++i) {
        bits[i / 64] |= std::uint64_t{flags[i]} << (i % 64);
    }
    return bits;
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    const fuzz::Exact bytes({reinterpret_cast<const char*>(data), size});
    model::Share share;
    if (!model::decode_share(bytes.view(), share)) {
        return;
    }
    check_places(share);
    const auto bits = bits_of(share.targeted);
    const std::vector<std::string> none;
    std::string once;
    model::encode_share(share.event, bits, share.deliver, share.received_at, none, once);
    model::Share again;
    must(model::decode_share(once, again).has_value(), "what was read can be written and read again");
    std::string twice;
    model::encode_share(again.event, bits_of(again.targeted), again.deliver, again.received_at, none, twice);
    must(twice == once, "and stays the same then");

    static const model::Profile profile{.sender = {"XX", "EXAMPLE-CSP"},
                                        .receiver = {"XX", "Not specified"},
                                        .etsi_version = "V1.14.1",
                                        .schema_identifier = std::string(handover::csp_schema_identifier),
                                        .schema_url = {},
                                        .writer_version = handover::current_writer_version};
    const model::ItemIdentity identity{.object_id = {}, .liid = "LIID-1", .correlation = {}, .carries_schema = false};
    std::string deliver;
    must(handover::append_deliver(deliver, share, identity, profile).has_value(), "a document can be written");
    must(deliver.size() <= 64 * size + 8192, "a document is bounded");
    const std::string_view one = deliver;
    std::string message;
    handover::append_message(message, profile, {}, {0, 0}, std::span(&one, 1));
    pugi::xml_document document;
    must(document.load_buffer(message.data(), message.size()).status == pugi::status_ok, "a document is XML");
}
