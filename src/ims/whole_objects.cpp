#include "whole_objects.hpp"

#include <string>

#include "content.hpp"
#include "parties.hpp"

namespace lihandover::ims {

namespace {

/// Who is at the ends, as far as message/cpim and the matched identifiers tell.
struct BodyEnds {
    Uris sender;
    Uris receiver;
    std::string_view sender_name;
    std::string_view receiver_name;
};

BodyEnds body_ends_of(const Copy& copy, const Content& content) {
    BodyEnds ends;
    Uris* target = copy.direction == Direction::from_target ? &ends.sender
                   : copy.direction == Direction::to_target ? &ends.receiver
                                                            : nullptr;
    for (const std::string_view matched : copy.matched) {
        if (target != nullptr) {
            target->add(matched);
        }
    }
    for (const CpimAddress& address : content.from) {
        ends.sender.add(address.uri);
        ends.sender_name = address.name;
    }
    if (content.to.size() == 1) {
        ends.receiver.add(content.to.front().uri);
        ends.receiver_name = content.to.front().name;
    }
    return ends;
}

void add_body_ends(MadeEvent& made, const Copy& copy, const Content& content, const BodyEnds& ends) {
    add_party(made, model::PartyRole::sender, ends.sender, ends.sender_name);
    add_party(made, model::PartyRole::receiver, ends.receiver, ends.receiver_name);
    if (content.to.size() > 1) {
        for (const CpimAddress& address : content.to) {
            Uris uris;
            uris.add(address.uri);
            add_party(made, model::PartyRole::receiver, uris, address.name);
        }
    }
    if (made.event.parties.empty()) {
        add_matched(made, copy);
    }
    mark_targeted(made, copy, Way::along);
}

}  // namespace

void add_unreadable(const Take& take, std::string_view content_type, std::string_view bytes) {
    const Digest digest = digest_of(bytes);
    const Digest id = event_naming(take.copy, "unreadable").add(content_type).add(digest).finish();
    MadeEvent made = make_event(take.origin(), model::EventType::message, id);
    add_matched(made, take.copy);
    mark_targeted(made, take.copy, Way::along);
    add_object(made, content_type, {}, Bytes(std::string(bytes)));
    add_parameter(made, completeness_parameter, completeness_unreadable);
    made.substance = text_of(id);
    take.add(std::move(made));
    take.out.outcome = Made::Outcome::malformed;
}

void take_body(const Take& take, ImdnIds& ids) {
    const Copy& copy = take.copy;
    const Content content =
        read_encoded_content(copy.mime_type, copy.mime_transfer_encoding, copy.payload, take.options.max_text);
    const BodyEnds ends = body_ends_of(copy, content);
    const bool description = read_content_type(copy.mime_type).type == "application/sdp";
    if (content.is_message() && !copy.payload.empty() && !description) {
        Naming naming = event_naming(copy, "body");
        naming.add(copy.mime_type).add(digest_of(copy.payload)).add(content.imdn_message_id);
        if (content.imdn_message_id.empty() && copy.at) {
            // It has no name of its own: the same words at another time are said again.
            naming.add(static_cast<std::uint64_t>(copy.at->seconds)).add(static_cast<std::uint64_t>(copy.at->nanos));
        }
        const Digest id = naming.finish();
        MadeEvent made = make_event(take.origin(), model::EventType::message, id);
        add_body_ends(made, copy, content, ends);
        add_content(made, content);
        made.substance = text_of(id);
        ids.add(take, content.imdn_message_id, id);
        take.add(std::move(made));
    }
    add_notifications(take, content, {ends.sender, ends.receiver, ends.sender_name, ends.receiver_name, {}, {}}, ids);
}

}  // namespace lihandover::ims
