#include "event_maker.hpp"

#include <string>
#include <utility>

#include "lihandover/base/utf8.hpp"
#include "lihandover/model/media_type.hpp"
#include "lihandover/model/time.hpp"

namespace lihandover::ims {

namespace {

/// RFC 3339 in UTC: microseconds, or nanoseconds where there are any.
std::string time_text(model::Instant at) {
    std::string text = model::to_microsecond_date_time(at);
    if (const int beyond = at.nanos % 1000; beyond != 0) {
        const std::string digits = std::to_string(1000 + beyond);
        text.insert(text.size() - 1, digits, 1, 3);
    }
    return text;
}

}  // namespace

Naming event_naming(const Copy& copy, std::string_view what) {
    Naming naming(what);
    naming.add(copy.xid).add(copy.correlation);
    return naming;
}

MadeEvent make_event(const Origin& origin, model::EventType type, const Digest& id) {
    MadeEvent made;
    made.xid = origin.copy.xid;
    made.event.event_id = made.keep(text_of(id));
    made.event.service = made.keep(origin.service);
    made.event.type = type;
    set_time(made, origin.copy.at.value_or(origin.copy.received_at));
    return made;
}

void set_time(MadeEvent& made, model::Instant at) {
    made.event.timestamp = model::QualifiedTime{at, made.keep(time_text(at))};
}

std::string_view keep_text(MadeEvent& made, std::string_view text) {
    return base::is_encoded(text) ? made.keep(text) : made.keep(base::with_replacements(text));
}

void set_conversation(MadeEvent& made, std::string_view id, std::string_view kind) {
    made.event.has_conversation = true;
    made.event.conversation.id = made.keep(id);
    made.event.conversation.kind = kind;
}

void set_refers_to(MadeEvent& made, const Digest& id) {
    made.event.refers_to = made.keep(text_of(id));
}

void add_parameter(MadeEvent& made, std::string_view name, std::string_view value) {
    made.event.parameters.push_back({name, keep_text(made, value), false});
}

void set_text(MadeEvent& made, std::string_view content_type, std::string_view text) {
    made.event.has_content = true;
    made.event.content_type = content_type;
    made.event.text = keep_text(made, text);
}

void add_object(MadeEvent& made, std::string_view content_type, std::string_view file_name, Bytes bytes) {
    model::Attachment attachment;
    attachment.id = made.keep(std::to_string(made.objects.size() + 1));
    if (model::is_media_type(content_type)) {
        attachment.content_type = made.keep(content_type);
    }
    attachment.filename = keep_text(made, file_name);
    made.event.attachments.push_back(attachment);
    made.objects.push_back(std::move(bytes));
}

}  // namespace lihandover::ims
