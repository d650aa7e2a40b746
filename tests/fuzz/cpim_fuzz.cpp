// A message/cpim. What was read is written in the plainest form and has to be the same when it is read again.

#include <string>
#include <string_view>

#include "fuzz.hpp"
#include "lihandover/ims/cpim.hpp"

namespace {

using namespace lihandover;
using fuzz::must;

bool is_within(std::string_view part, std::string_view whole) {
    return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_places(const ims::CpimMessage& message, std::string_view bytes) {
    for (const std::string_view text :
         {message.date_time, message.subject, message.imdn_message_id, message.imdn_disposition, message.content_type,
          message.content_disposition, message.content_transfer_encoding, message.content_id, message.body}) {
        must(is_within(text, bytes), "texts view the bytes");
        fuzz::touch(text);
    }
    must(bytes.ends_with(message.body), "the body is the rest");
    for (const auto* addresses : {&message.to, &message.cc}) {
        for (const auto& address : *addresses) {
            must(is_within(address.uri, bytes) && !address.uri.empty(), "a URI is in the bytes");
        }
    }
    must(message.to.size() + message.cc.size() <= 512, "addresses have their bound");
    must(message.headers.size() <= 512, "headers have their bound");
    for (const auto& header : message.headers) {
        fuzz::touch(header.name);
        fuzz::touch(header.value);
    }
}

bool is_plain(std::string_view text) {
    return text.find_first_of("\r\n<>;,\" \t") == std::string_view::npos && !text.empty();
}

void check_again(const ims::CpimMessage& message) {
    std::string written;
    if (message.from && is_plain(message.from->uri)) {
        written.append("From: <").append(message.from->uri).append(">\r\n");
    }
    std::size_t receivers = 0;
    for (const auto& address : message.to) {
        if (is_plain(address.uri)) {
            written.append("To: <").append(address.uri).append(">\r\n");
            ++receivers;
        }
    }
    const bool has_id = is_plain(message.imdn_message_id);
    written += "NS: i <urn:ietf:params:imdn>\r\n";
    if (has_id) {
        written.append("i.Message-ID: ").append(message.imdn_message_id).append("\r\n");
    }
    const bool has_type = is_plain(message.content_type);
    written += "\r\n";
    if (has_type) {
        written.append("Content-Type: ").append(message.content_type).append("\r\n");
    }
    written.append("\r\n").append(message.body);
    const auto again = ims::read_cpim(written);
    must(again.has_value(), "what is written plainly is read");
    must(!again->deviating, "and is as it should be");
    must(again->from.has_value() == (message.from && is_plain(message.from->uri)), "the sender is the same");
    must(!again->from || again->from->uri == message.from->uri, "the sender is the same");
    must(again->to.size() == receivers, "as many receivers");
    must(!has_id || again->imdn_message_id == message.imdn_message_id, "the id is the same");
    must(!has_type || again->content_type == message.content_type, "the type is the same");
    must(again->body == message.body, "the body is the same");
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    const Exact bytes({reinterpret_cast<const char*>(data), size});
    if (const auto message = ims::read_cpim(bytes.view())) {
        check_places(*message, bytes.view());
        check_again(*message);
    }
}
