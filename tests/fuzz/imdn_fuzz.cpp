// A disposition notification, and a list of receivers. What was read of a notification is written and read again.

#include <algorithm>
#include <string>
#include <string_view>

#include "fuzz.hpp"
#include "lihandover/ims/cpim.hpp"
#include "lihandover/ims/multipart.hpp"

namespace {

using namespace lihandover;
using fuzz::must;

/// Nothing that reading XML changes.
bool is_plain(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= ' '; });
}

std::string element(std::string_view name, std::string_view text) {
    std::string out;
    out.append("<").append(name).append(">");
    for (const char c : text) {
        out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
    }
    return out.append("</").append(name).append(">");
}

void check(const ims::Imdn& imdn) {
    must(!imdn.message_id.empty() && !imdn.status.empty(), "it names a message and a status");
    must(std::ranges::none_of(imdn.status, [](char c) { return c >= 'A' && c <= 'Z'; }), "statuses are in lower case");
    const std::string_view about = imdn.about == ims::Imdn::About::delivery     ? "delivery-notification"
                                   : imdn.about == ims::Imdn::About::processing ? "processing-notification"
                                                                                : "display-notification";
    const std::string written = "<imdn>" + element("message-id", imdn.message_id) +
                                element("datetime", imdn.date_time) + element("recipient-uri", imdn.recipient) +
                                element("original-recipient-uri", imdn.original_recipient) +
                                element("subject", imdn.subject) + "<" + std::string(about) + ">" +
                                element("status", imdn.status) + "</" + std::string(about) + "></imdn>";
    if (!is_plain(written)) {
        return;
    }
    const auto again = ims::read_imdn(written);
    must(again.has_value(), "what is written is read");
    must(again->message_id == imdn.message_id && again->date_time == imdn.date_time &&
             again->recipient == imdn.recipient && again->original_recipient == imdn.original_recipient &&
             again->subject == imdn.subject && again->about == imdn.about && again->status == imdn.status,
         "and is the same");
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    const Exact bytes({reinterpret_cast<const char*>(data), size});
    if (const auto imdn = ims::read_imdn(bytes.view())) {
        check(*imdn);
    }
    const auto receivers = ims::receivers_of_list(bytes.view());
    must(receivers.size() <= 4096, "receivers have their bound");
    must(std::ranges::none_of(receivers, &std::string::empty), "a receiver has a URI");
}
