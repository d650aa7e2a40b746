#include "notifications.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace lihandover::ims {

namespace {

// A message may be read days after it was sent.
constexpr std::chrono::hours keep_for{24 * 7};
// As long as what refers_to may hold.
constexpr std::size_t longest_reference = 256;

TableKey key_of(const Take& take, std::string_view imdn_id) {
    return key_for(take, Table::imdn_id).add(take.copy.xid).add(imdn_id).finish();
}

std::optional<model::EventType> event_type_of(const Imdn& notification) {
    if (notification.about == Imdn::About::delivery) {
        return notification.status == "delivered" ? std::optional(model::EventType::message_delivered)
               : notification.status == "failed"  ? std::optional(model::EventType::message_failed)
                                                  : std::nullopt;
    }
    if (notification.about == Imdn::About::display && notification.status == "displayed") {
        return model::EventType::message_read;
    }
    return std::nullopt;
}

void add_one(const Take& take, const Imdn& notification, const Content& content, const NotificationEnds& ends,
             ImdnIds& ids) {
    const auto type = event_type_of(notification);
    if (!type) {
        take.out.remarks.emplace_back("disposition notifications of a status that no event has are passed over");
        return;
    }
    // Each of the receivers of a message tells its own.
    const std::string_view reporter = !content.from.empty()             ? content.from.front().uri
                                      : !notification.recipient.empty() ? std::string_view(notification.recipient)
                                      : !ends.reporter.empty()          ? ends.reporter.list().front()
                                                                        : std::string_view();
    const Digest id = event_naming(take.copy, "disposition notification")
                          .add(notification.message_id)
                          .add(name_of(*type))
                          .add(reporter)
                          .finish();
    MadeEvent made = make_event(take.origin(), *type, id);
    if (const Digest* message = ids.find(take, notification.message_id)) {
        set_refers_to(made, *message);
    } else {
        made.event.refers_to = keep_text(made, std::string_view(notification.message_id).substr(0, longest_reference));
    }
    made.event.status = keep_text(made, notification.status);
    if (!ends.conversation.empty()) {
        set_conversation(made, ends.conversation, ends.kind);
    }
    add_party(made, model::PartyRole::sender, ends.sender, ends.sender_name);
    Uris who = ends.reporter;
    who.add(notification.recipient);
    who.add(notification.original_recipient);
    const bool read = *type == model::EventType::message_read;
    add_party(made, read ? model::PartyRole::actor : model::PartyRole::receiver, who, ends.reporter_name);
    const bool both = made.event.parties.size() == 2;
    mark_ends(made, take.copy, both ? std::optional<std::size_t>(1) : std::nullopt,
              both ? std::optional<std::size_t>(0) : std::nullopt);
    made.substance = text_of(id);
    take.add(std::move(made));
}

}  // namespace

void ImdnIds::add(const Take& take, std::string_view imdn_id, const Digest& event) {
    if (imdn_id.empty()) {
        return;
    }
    const TableKey key = key_of(take, imdn_id);
    if (Digest* known = table_.find(key)) {
        *known = event;
        return;
    }
    table_.add(key, event, take.now);
    table_.trim(take.now, keep_for, most);
}

const Digest* ImdnIds::find(const Take& take, std::string_view imdn_id) {
    return table_.find(key_of(take, imdn_id));
}

void add_notifications(const Take& take, const Content& content, const NotificationEnds& ends, ImdnIds& ids) {
    for (const Imdn& notification : content.notifications) {
        add_one(take, notification, content, ends, ids);
    }
}

}  // namespace lihandover::ims
