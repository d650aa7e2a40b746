#include "content_text.hpp"

#include <cstring>
#include <string_view>

namespace lihandover::admin {

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

void append_line(Fields& out, std::string_view name, std::string_view value) {
    if (!value.empty()) {
        out.emplace_back(name, value);
    }
}

void append_party(Fields& out, const model::Share& share, std::size_t number) {
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

void append_conversation(Fields& out, const model::Conversation& conversation) {
    append_line(out, "conversation", conversation.id);
    append_line(out, "conversation kind", conversation.kind);
    append_line(out, "thread", conversation.thread_id);
    append_line(out, "title", conversation.title);
    append_line(out, "previous title", conversation.previous_title);
    append_line(out, "thread title", conversation.thread_title);
}

void append_location(Fields& out, const model::Location& location) {
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

void append_properties(Fields& out, std::string_view kind, std::span<const model::Property> properties) {
    for (const model::Property& property : properties) {
        append_line(out, std::string(kind) + ' ' + std::string(property.name), property.value);
    }
}

void append_object(Fields& out, const model::BinaryObject& object) {
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

ContentFields content_fields(const model::Share& share, std::span<const model::BinaryObject> objects) {
    const model::Event& event = share.event;
    ContentFields content;
    Fields& out = content.fields;
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
        content.has_text = true;
        content.text = event.text;
    }
    return content;
}

std::string content_text(const ContentFields& content) {
    std::string out;
    for (const auto& [name, value] : content.fields) {
        out.append(name).append(": ").append(value) += '\n';
    }
    if (content.has_text) {
        out.append("\n").append(content.text) += '\n';
    }
    return out;
}

void wipe(ContentFields& content) {
    for (auto& [name, value] : content.fields) {
        explicit_bzero(value.data(), value.size());
    }
    explicit_bzero(content.text.data(), content.text.size());
    content = {};
}

}  // namespace lihandover::admin
