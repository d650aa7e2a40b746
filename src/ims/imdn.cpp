#include <algorithm>
#include <array>

#include "bounded_xml.hpp"
#include "lihandover/ims/cpim.hpp"
#include "text.hpp"

namespace lihandover::ims {

namespace {

constexpr std::size_t max_imdn_size = std::size_t{256} << 10;

constexpr std::array<std::string_view, 8> statuses{"delivered", "failed",    "displayed", "processed",
                                                   "stored",    "forbidden", "error",     "accepted"};

/// The element that is one; else the first: extensions put reasons beside it.
std::string status_among(XmlElement children) {
    std::string first = lowered(children.name());
    for (; children; children = children.next()) {
        std::string name = lowered(children.name());
        if (std::ranges::find(statuses, name) != statuses.end()) {
            return name;
        }
    }
    return first;
}

/// Some senders leave out `status` around it, or write it as text.
std::string status_of(XmlElement notification) {
    const XmlElement status = notification.child("status");
    if (!status) {
        return status_among(notification.first());
    }
    return status.first() ? status_among(status.first()) : lowered(status.text());
}

std::optional<Imdn::About> about(std::string_view name) {
    if (name == "delivery-notification") {
        return Imdn::About::delivery;
    }
    if (name == "processing-notification") {
        return Imdn::About::processing;
    }
    return name == "display-notification" ? std::optional(Imdn::About::display) : std::nullopt;
}

}  // namespace

std::optional<Imdn> read_imdn(std::string_view xml) {
    BoundedXml document;
    if (!document.read(xml, max_imdn_size) || document.root().name() != "imdn") {
        return std::nullopt;
    }
    Imdn imdn;
    for (XmlElement each = document.root().first(); each; each = each.next()) {
        const std::string_view name = each.name();
        if (name == "message-id") {
            imdn.message_id = each.text();
        } else if (name == "datetime") {
            imdn.date_time = each.text();
        } else if (name == "recipient-uri" || name == "final-recipient-uri" || name == "final-recipient") {
            imdn.recipient = each.text();
        } else if (name == "original-recipient-uri" || name == "original-recipient") {
            imdn.original_recipient = each.text();
        } else if (name == "subject") {
            imdn.subject = each.text();
        } else if (const auto said = about(name); said && imdn.status.empty()) {
            imdn.about = *said;
            imdn.status = status_of(each);
        }
    }
    return imdn.message_id.empty() || imdn.status.empty() ? std::nullopt : std::optional(std::move(imdn));
}

}  // namespace lihandover::ims
