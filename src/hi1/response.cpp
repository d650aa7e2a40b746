#include <utility>

#include "lihandover/hi1/message.hpp"
#include "lihandover/hi1/xml_text.hpp"
#include "reading.hpp"

namespace lihandover::hi1 {
namespace {

/// At most max_description bytes, as UTF-8 that XML could carry, whatever the LEA sent.
std::string bounded_description(const std::string& text) {
    std::string out = carriable(text);
    if (out.size() > max_description) {
        std::size_t end = max_description;
        while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xC0) == 0x80) {
            --end;
        }
        out.resize(end);
    }
    return out;
}

std::optional<ErrorInformation> read_error(const Element& element) {
    const Element code_element = element.child("ErrorCode");
    const auto code = code_element ? read_number(code_element.text()) : std::nullopt;
    if (!code) {
        return std::nullopt;
    }
    return ErrorInformation{*code, bounded_description(element.child("ErrorDescription").text())};
}

/// An element that the schema does not allow there changes nothing. A yes and a no at once say nothing, nor do two of
/// either.
ActionAnswer read_answer(const Element& response) {
    ActionAnswer answer;
    if (const Element identifier = response.child("ActionIdentifier")) {
        answer.action = read_number(identifier.text()).value_or(max_number);
    }
    Element result;
    for (Element each = response.first(); each; each = each.next()) {
        if (!each.is("DELIVERResponse") && !each.is("ErrorInformation")) {
            continue;
        }
        if (result) {
            return answer;
        }
        result = each;
    }
    if (result.is("DELIVERResponse")) {
        if (const auto identifier = result.child("Identifier").uuid()) {
            answer.kind = ActionAnswer::Kind::accepted;
            answer.identifier = *identifier;
        }
    } else if (result.is("ErrorInformation")) {
        if (auto error = read_error(result)) {
            answer.kind = ActionAnswer::Kind::refused;
            answer.error = std::move(*error);
        }
    }
    return answer;
}

}  // namespace

model::Result<Response> parse_response(std::string_view body) {
    Response response;
    Document document;
    const auto message = read_message(body, max_response_size, document, response.header);
    if (message.has_error()) {
        return message.error();
    }
    const Element payload = message->child("Payload").child("ResponsePayload");
    const Element error = payload.child("ErrorInformation");
    const Element responses = payload.child("ActionResponses");
    if (static_cast<bool>(error) == static_cast<bool>(responses)) {
        return model::Error{"the message has not one of ActionResponses and ErrorInformation"};
    }
    if (error) {
        response.message_error = read_error(error);
        if (!response.message_error) {
            return model::Error{"the message's ErrorInformation has no readable ErrorCode"};
        }
        return response;
    }
    if (response.header.transaction == model::Uuid{}) {
        return model::Error{"the message has no readable TransactionIdentifier"};
    }
    for (Element each = responses.first(); each; each = each.next()) {
        if (!each.is("ActionResponse")) {
            continue;
        }
        if (response.actions.size() == max_actions) {
            return model::Error{"the message has too many actions"};
        }
        response.actions.push_back(read_answer(each));
    }
    return response;
}

}  // namespace lihandover::hi1
