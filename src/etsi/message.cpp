#include "lihandover/etsi/message.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <pugixml.hpp>
#include <utility>

#include "lihandover/etsi/names.hpp"
#include "xml_text.hpp"

namespace lihandover::etsi {
namespace {

// pugixml knows neither namespaces nor DTDs. Entities other than XML's own it leaves as text, so none can grow; a
// document that has a DTD at all is refused. Namespaces are resolved here, for the few elements that are asked for.

/// Elements with more are refused, so that looking up a namespace stays cheap.
constexpr std::size_t max_attributes = 64;

constexpr std::string_view xml_space = " \t\r\n";

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(xml_space);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(xml_space) - first + 1);
}

/// xs:nonNegativeInteger; larger than max_number is read as max_number.
std::optional<std::uint64_t> read_number(std::string_view text) {
    text = trimmed(text);
    if (text.starts_with('+')) {
        text.remove_prefix(1);
    }
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.empty() || !std::ranges::all_of(text, is_digit)) {
        return std::nullopt;
    }
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} ? std::min(number, max_number) : max_number;
}

std::pair<std::string_view, std::string_view> prefix_and_local(std::string_view name) {
    const std::size_t colon = name.find(':');
    if (colon == std::string_view::npos) {
        return {{}, name};
    }
    return {name.substr(0, colon), name.substr(colon + 1)};
}

bool declares(std::string_view attribute, std::string_view prefix) {
    if (prefix.empty()) {
        return attribute == "xmlns";
    }
    return attribute.starts_with("xmlns:") && attribute.substr(6) == prefix;
}

bool in_namespace(const pugi::xml_node& element, std::string_view prefix, std::string_view name) {
    for (pugi::xml_node at = element; at.type() == pugi::node_element; at = at.parent()) {
        for (const pugi::xml_attribute attribute : at.attributes()) {
            if (declares(attribute.name(), prefix)) {
                return attribute.value() == name;
            }
        }
    }
    return false;
}

bool is_element(const pugi::xml_node& node, std::string_view local, std::string_view name = core_namespace) {
    if (node.type() != pugi::node_element) {
        return false;
    }
    const auto [prefix, own_local] = prefix_and_local(node.name());
    return own_local == local && in_namespace(node, prefix, name);
}

/// The first child of the name, or a null node, which has no children itself.
pugi::xml_node child(const pugi::xml_node& parent, std::string_view local, std::string_view name = core_namespace) {
    for (const pugi::xml_node node : parent.children()) {
        if (is_element(node, local, name)) {
            return node;
        }
    }
    return {};
}

/// All character data directly in the element; comments do not cut it.
std::string text_of(const pugi::xml_node& element) {
    std::string text;
    for (const pugi::xml_node node : element.children()) {
        if (node.type() == pugi::node_pcdata || node.type() == pugi::node_cdata) {
            text += node.value();
        }
    }
    return text;
}

std::optional<model::Uuid> uuid_in(const pugi::xml_node& element) {
    if (!element) {
        return std::nullopt;
    }
    return model::Uuid::parse(trimmed(text_of(element)));
}

/// At most max_description octets, UTF-8 that XML could carry whatever the LEA sent.
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

std::optional<ErrorInformation> read_error(const pugi::xml_node& element) {
    const pugi::xml_node code_element = child(element, "ErrorCode");
    const auto code = code_element ? read_number(text_of(code_element)) : std::nullopt;
    if (!code) {
        return std::nullopt;
    }
    return ErrorInformation{*code, bounded_description(text_of(child(element, "ErrorDescription")))};
}

/// Depth, attributes, no DTD, one root.
model::Status check_bounds(const pugi::xml_document& document) {
    std::size_t roots = 0;
    for (const pugi::xml_node node : document.children()) {
        if (node.type() == pugi::node_doctype) {
            return model::Error{"the message has a DTD"};
        }
        roots += node.type() == pugi::node_element ? 1 : 0;
    }
    if (roots != 1) {
        return model::Error{"the message is not one XML document"};
    }
    std::size_t depth = 0;
    pugi::xml_node node = document.document_element();
    while (true) {
        std::size_t attributes = 0;
        for (auto attribute = node.first_attribute(); attribute; attribute = attribute.next_attribute()) {
            if (++attributes > max_attributes) {
                return model::Error{"the message has an element with too many attributes"};
            }
        }
        if (node.first_child()) {
            node = node.first_child();
            if (++depth > max_xml_depth) {
                return model::Error{"the message is nested too deep"};
            }
            continue;
        }
        while (!node.next_sibling()) {
            if (depth == 0) {
                return {};
            }
            node = node.parent();
            --depth;
        }
        if (depth == 0) {
            return {};
        }
        node = node.next_sibling();
    }
}

/// Parses and finds the HI1Message and the transaction.
model::Result<pugi::xml_node> read_message(std::string_view body, std::size_t max_size, pugi::xml_document& document,
                                           model::Uuid& transaction) {
    if (body.size() > max_size) {
        return model::Error{"the message is too large"};
    }
    const auto parsed =
        document.load_buffer(body.data(), body.size(), pugi::parse_default | pugi::parse_doctype, pugi::encoding_auto);
    if (!parsed) {
        // pugixml's description speaks of its own grammar rules only.
        return model::Error{std::string("the message is not well-formed XML: ") + parsed.description()};
    }
    if (const model::Status bounds = check_bounds(document); bounds.has_error()) {
        return bounds.error();
    }
    const pugi::xml_node message = document.document_element();
    if (!is_element(message, "HI1Message")) {
        return model::Error{"the message is not an HI1Message of TS 103 120"};
    }
    const auto found = uuid_in(child(child(message, "Header"), "TransactionIdentifier"));
    if (!found) {
        return model::Error{"the message has no readable TransactionIdentifier"};
    }
    transaction = *found;
    return message;
}

ActionAnswer read_answer(const pugi::xml_node& response) {
    ActionAnswer answer;
    if (const pugi::xml_node identifier = child(response, "ActionIdentifier")) {
        answer.action = read_number(text_of(identifier)).value_or(max_number);
    }
    pugi::xml_node result;
    for (const pugi::xml_node node : response.children()) {
        if (node.type() != pugi::node_element || is_element(node, "ActionIdentifier")) {
            continue;
        }
        if (result) {
            return answer;  // yes and no at once
        }
        result = node;
    }
    if (is_element(result, "DELIVERResponse")) {
        if (const auto identifier = uuid_in(child(result, "Identifier"))) {
            answer.kind = ActionAnswer::Kind::accepted;
            answer.identifier = *identifier;
        }
    } else if (is_element(result, "ErrorInformation")) {
        if (auto error = read_error(result)) {
            answer.kind = ActionAnswer::Kind::refused;
            answer.error = std::move(*error);
        }
    }
    return answer;
}

model::Endpoint read_endpoint(const pugi::xml_node& element) {
    return {text_of(child(element, "CountryCode")), text_of(child(element, "UniqueIdentifier"))};
}

RequestedAction read_action(const pugi::xml_node& request) {
    RequestedAction action;
    action.action = read_number(text_of(child(request, "ActionIdentifier"))).value_or(max_number);
    const pugi::xml_node deliver = child(request, "DELIVER");
    const auto identifier = uuid_in(child(deliver, "Identifier"));
    if (!identifier) {
        return action;
    }
    action.deliver = true;
    action.identifier = *identifier;
    const pugi::xml_node object = child(deliver, "HI1Object");
    action.object_matches = uuid_in(child(object, "ObjectIdentifier")) == identifier;
    action.liid = text_of(child(child(object, "Reference", delivery_namespace), "LIID", delivery_namespace));
    return action;
}

// -- The scan --------------------------------------------------------------------------------------------------------

/// Goes through a body that our own writer wrote, from tag to tag. Content cannot look like a tag: the writer escapes
/// every `<` but those of the CSP schema, which has none of these elements.
class Scanner {
  public:
    explicit Scanner(std::string_view body) : rest_(body) {}

    /// Moves behind the next `tag`; false if there is none.
    bool find(std::string_view tag) {
        const void* found = memmem(rest_.data(), rest_.size(), tag.data(), tag.size());
        if (found == nullptr) {
            return false;
        }
        rest_.remove_prefix(static_cast<std::size_t>(static_cast<const char*>(found) - rest_.data()) + tag.size());
        return true;
    }
    /// Moves behind `tag` if it is next.
    bool next(std::string_view tag) {
        if (!rest_.starts_with(tag)) {
            return false;
        }
        rest_.remove_prefix(tag.size());
        return true;
    }
    /// The text up to the next tag.
    std::optional<std::string_view> text() {
        const std::size_t end = rest_.find('<');
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        const std::string_view found = rest_.substr(0, end);
        rest_.remove_prefix(end);
        return found;
    }
    bool find_text(std::string_view tag, std::string& out) {
        if (!find(tag)) {
            return false;
        }
        const auto found = text();
        if (!found) {
            return false;
        }
        out = *found;
        if (found->find('&') != std::string_view::npos) {
            unescape(out);
        }
        return true;
    }

  private:
    static void unescape(std::string& text) {
        static constexpr std::array<std::pair<std::string_view, char>, 7> references = {{{"&lt;", '<'},
                                                                                         {"&gt;", '>'},
                                                                                         {"&amp;", '&'},
                                                                                         {"&#13;", '\r'},
                                                                                         {"&#32;", ' '},
                                                                                         {"&#10;", '\n'},
                                                                                         {"&#9;", '\t'}}};
        std::string out;
        for (std::string_view rest = text; !rest.empty();) {
            const auto reference =
                std::ranges::find_if(references, [rest](const auto& each) { return rest.starts_with(each.first); });
            out += reference == references.end() ? rest.front() : reference->second;
            rest.remove_prefix(reference == references.end() ? 1 : reference->first.size());
        }
        text = std::move(out);
    }

    std::string_view rest_;
};

bool scan_header(Scanner& scanner, Request& out) {
    if (!scanner.find_text("<CountryCode>", out.sender.country_code) ||
        !scanner.find_text("<UniqueIdentifier>", out.sender.unique_identifier) ||
        !scanner.find_text("<CountryCode>", out.receiver.country_code) ||
        !scanner.find_text("<UniqueIdentifier>", out.receiver.unique_identifier) ||
        !scanner.find("<TransactionIdentifier>")) {
        return false;
    }
    const auto transaction = model::Uuid::parse(scanner.text().value_or(""));
    if (!transaction) {
        return false;
    }
    out.transaction = *transaction;
    return scanner.find_text("<ETSIVersion>", out.etsi_version) &&
           scanner.find_text("<NationalProfileOwner>", out.national_profile_owner) &&
           scanner.find_text("<NationalProfileVersion>", out.national_profile_version);
}

// -- Writing responses -----------------------------------------------------------------------------------------------

void put(std::string& out, std::string_view element, std::string_view text) {
    out += '<';
    out += element;
    out += '>';
    append_escaped_lossy(out, text);
    out += "</";
    out += element;
    out += '>';
}

std::string_view or_else(const std::string& text, std::string_view otherwise) {
    return text.empty() ? otherwise : std::string_view(text);
}

void put_response_head(std::string& out, const Request& request, model::Instant created) {
    const auto put_endpoint = [&out](std::string_view name, const model::Endpoint& endpoint) {
        out += '<';
        out += name;
        out += '>';
        put(out, "CountryCode", or_else(endpoint.country_code, "XX"));
        put(out, "UniqueIdentifier", or_else(endpoint.unique_identifier, "Not specified"));
        out += "</";
        out += name;
        out += '>';
    };
    out += "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<HI1Message xmlns=\"";
    out += core_namespace;
    out += "\"><Header>";
    put_endpoint("SenderIdentifier", request.receiver);
    put_endpoint("ReceiverIdentifier", request.sender);
    out += "<TransactionIdentifier>";
    request.transaction.append_to(out);
    out += "</TransactionIdentifier>";
    put(out, "Timestamp", model::to_microsecond_date_time(created));
    out += "<Version>";
    put(out, "ETSIVersion", or_else(request.etsi_version, "V1.14.1"));
    put(out, "NationalProfileOwner", or_else(request.national_profile_owner, "N/A"));
    put(out, "NationalProfileVersion", or_else(request.national_profile_version, "N/A"));
    out += "</Version></Header><Payload><ResponsePayload>";
}

constexpr std::string_view response_tail = "</ResponsePayload></Payload></HI1Message>";

void put_error(std::string& out, const ErrorInformation& error) {
    out += "<ErrorInformation>";
    put(out, "ErrorCode", std::to_string(error.code));
    put(out, "ErrorDescription", error.description);
    out += "</ErrorInformation>";
}

}  // namespace

model::Result<Response> parse_response(std::string_view body) {
    Response response;
    pugi::xml_document document;
    const auto message = read_message(body, max_response_size, document, response.transaction);
    if (message.has_error()) {
        return message.error();
    }
    const pugi::xml_node payload = child(child(*message, "Payload"), "ResponsePayload");
    const pugi::xml_node error = child(payload, "ErrorInformation");
    const pugi::xml_node responses = child(payload, "ActionResponses");
    if (error.empty() == responses.empty()) {
        return model::Error{"the message has not one of ActionResponses and ErrorInformation"};
    }
    if (error) {
        response.message_error = read_error(error);
        if (!response.message_error) {
            return model::Error{"the message's ErrorInformation has no readable ErrorCode"};
        }
        return response;
    }
    for (const pugi::xml_node node : responses.children()) {
        if (!is_element(node, "ActionResponse")) {
            continue;
        }
        if (response.actions.size() == max_actions) {
            return model::Error{"the message has too many actions"};
        }
        response.actions.push_back(read_answer(node));
    }
    return response;
}

model::Result<Request> read_request(std::string_view body, std::size_t max_size) {
    Request request;
    pugi::xml_document document;
    const auto message = read_message(body, max_size, document, request.transaction);
    if (message.has_error()) {
        return message.error();
    }
    const pugi::xml_node header = child(*message, "Header");
    request.sender = read_endpoint(child(header, "SenderIdentifier"));
    request.receiver = read_endpoint(child(header, "ReceiverIdentifier"));
    const pugi::xml_node version = child(header, "Version");
    request.etsi_version = text_of(child(version, "ETSIVersion"));
    request.national_profile_owner = text_of(child(version, "NationalProfileOwner"));
    request.national_profile_version = text_of(child(version, "NationalProfileVersion"));
    const pugi::xml_node actions = child(child(child(*message, "Payload"), "RequestPayload"), "ActionRequests");
    if (!actions) {
        return model::Error{"the message has no ActionRequests"};
    }
    for (const pugi::xml_node node : actions.children()) {
        if (!is_element(node, "ActionRequest")) {
            continue;
        }
        if (request.actions.size() == max_actions) {
            return model::Error{"the message has too many actions"};
        }
        request.actions.push_back(read_action(node));
    }
    return request;
}

model::Status scan_request(std::string_view body, Request& out) {
    out.actions.clear();
    Scanner scanner(body);
    if (!scan_header(scanner, out)) {
        return model::Error{"the message has no header as this program writes it"};
    }
    while (scanner.find("<ActionIdentifier>")) {
        if (out.actions.size() == max_actions) {
            return model::Error{"the message has too many actions"};
        }
        RequestedAction action;
        const auto number = read_number(scanner.text().value_or(""));
        if (!number) {
            return model::Error{"the message has an ActionIdentifier that is not a number"};
        }
        action.action = *number;
        if (scanner.next("</ActionIdentifier><DELIVER><Identifier>")) {
            if (const auto identifier = model::Uuid::parse(scanner.text().value_or(""))) {
                action.deliver = true;
                action.identifier = *identifier;
            }
        }
        out.actions.push_back(std::move(action));
    }
    if (out.actions.empty()) {
        return model::Error{"the message has no action as this program writes it"};
    }
    return {};
}

void append_response(std::string& out, const Request& request, model::Instant created,
                     std::span<const ActionAnswer> answers) {
    put_response_head(out, request, created);
    out += "<ActionResponses>";
    for (const ActionAnswer& answer : answers) {
        if (answer.kind == ActionAnswer::Kind::unreadable) {
            continue;
        }
        out += "<ActionResponse>";
        put(out, "ActionIdentifier", std::to_string(answer.action));
        if (answer.kind == ActionAnswer::Kind::accepted) {
            out += "<DELIVERResponse><Identifier>";
            answer.identifier.append_to(out);
            out += "</Identifier></DELIVERResponse>";
        } else {
            put_error(out, answer.error);
        }
        out += "</ActionResponse>";
    }
    out += "</ActionResponses>";
    out += response_tail;
}

void append_error_response(std::string& out, const Request& request, model::Instant created,
                           const ErrorInformation& error) {
    put_response_head(out, request, created);
    put_error(out, error);
    out += response_tail;
}

}  // namespace lihandover::etsi
