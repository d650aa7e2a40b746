#include "content_text.hpp"

#include <string_view>

namespace lihandover::admin {

namespace {

void append_line(std::string& out, std::string_view name, std::string_view value) {
    if (!value.empty()) {
        out.append(name).append(": ").append(value) += '\n';
    }
}

void append_party(std::string& out, const model::Share& share, std::size_t number) {
    const model::Party& party = share.event.parties[number];
    std::string who;
    for (const model::Identifier& identifier : share.event.identifiers_of(party)) {
        who.append(who.empty() ? "" : ", ").append(model::name_of(identifier.type)) += ' ';
        who.append(identifier.value);
    }
    if (!party.nickname.empty()) {
        who.append(who.empty() ? "" : ", ").append("nickname ").append(party.nickname);
    }
    if (number < share.targeted.size() && share.targeted[number]) {
        who += " (target)";
    }
    append_line(out, model::name_of(party.role), who);
}

void append_conversation(std::string& out, const model::Conversation& conversation) {
    append_line(out, "conversation", conversation.id);
    append_line(out, "conversation kind", conversation.kind);
    append_line(out, "thread", conversation.thread_id);
    append_line(out, "title", conversation.title);
    append_line(out, "previous title", conversation.previous_title);
    append_line(out, "thread title", conversation.thread_title);
}

void append_location(std::string& out, const model::Location& location) {
    append_line(out, "latitude", location.latitude);
    append_line(out, "longitude", location.longitude);
    append_line(out, "accuracy in metres", location.accuracy_metres);
    append_line(out, "altitude in metres", location.altitude_metres);
    append_line(out, "cell", location.cell);
    append_line(out, "place", location.description);
    if (location.observed_at) {
        append_line(out, "observed at", location.observed_at->text);
    }
}

void append_properties(std::string& out, std::string_view kind, std::span<const model::Property> properties) {
    for (const model::Property& property : properties) {
        append_line(out, std::string(kind) + ' ' + std::string(property.name), property.value);
    }
}

void append_object(std::string& out, const model::BinaryObject& object) {
    std::string what = object.id.to_string();
    const auto add = [&](std::string_view part) {
        if (!part.empty()) {
            what.append(", ").append(part);
        }
    };
    add(object.original_filename);
    add(object.content_type);
    if (object.content_length) {
        add(std::to_string(*object.content_length) + " bytes");
    }
    if (object.loss != model::ObjectLoss::none) {
        add("lost: " + std::string(model::name_of(object.loss)));
    }
    append_line(out, "object", what);
}

}  // namespace

std::string content_text(const model::Share& share, std::span<const model::BinaryObject> objects) {
    const model::Event& event = share.event;
    std::string out;
    if (share.deliver.metadata) {
        append_line(out, "event", event.event_id);
        append_line(out, "type", model::name_of(event.type));
        append_line(out, "service", event.service);
        append_line(out, "time", event.timestamp ? event.timestamp->text : std::string_view());
        append_line(out, "received", model::to_microsecond_date_time(share.received_at));
        append_line(out, "refers to", event.refers_to);
        append_line(out, "status", event.status);
    }
    for (std::size_t i = 0; i < event.parties.size(); ++i) {
        append_party(out, share, i);
    }
    append_conversation(out, event.conversation);
    if (event.location) {
        append_location(out, *event.location);
    }
    append_properties(out, "device", event.device);
    append_properties(out, "network", event.network);
    append_properties(out, "parameter", event.parameters);
    for (const model::BinaryObject& object : objects) {
        append_object(out, object);
    }
    if (event.has_content) {
        append_line(out, "content type", event.content_type);
        out.append("\n").append(event.text) += '\n';
    }
    return out;
}

}  // namespace lihandover::admin
