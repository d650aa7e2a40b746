#include "lihandover/hi1/message.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <pugixml.hpp>
#include <utility>

#include "lihandover/hi1/names.hpp"
#include "lihandover/hi1/xml_elements.hpp"
#include "lihandover/hi1/xml_text.hpp"

namespace lihandover::hi1 {
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

bool declares_namespace(std::string_view attribute) {
    return attribute.starts_with("xmlns") && (attribute.size() == 5 || attribute[5] == ':');
}

class Document;

/// An element of a document that was read, or none. What is asked of none is not there.
class Element {
  public:
    Element() = default;
    Element(const Document* document, pugi::xml_node node) : document_(document), node_(node) {}

    explicit operator bool() const { return static_cast<bool>(node_); }
    [[nodiscard]] bool is(std::string_view local, std::string_view name = core_namespace) const;
    /// The first child of the name.
    [[nodiscard]] Element child(std::string_view local, std::string_view name = core_namespace) const;
    /// The first element in it, and the next one beside it.
    [[nodiscard]] Element first() const { return {document_, element_from(node_.first_child())}; }
    [[nodiscard]] Element next() const { return {document_, element_from(node_.next_sibling())}; }
    /// All character data directly in it; comments do not cut it.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] std::optional<model::Uuid> uuid() const;

  private:
    static pugi::xml_node element_from(pugi::xml_node node) {
        while (node && node.type() != pugi::node_element) {
            node = node.next_sibling();
        }
        return node;
    }

    const Document* document_ = nullptr;
    pugi::xml_node node_;
};

/// A message as XML, within its bounds: size, depth, attributes, no DTD, one root.
class Document {
  public:
    [[nodiscard]] model::Status read(std::string_view body, std::size_t max_size);
    [[nodiscard]] Element root() const { return {this, document_.document_element()}; }
    /// Whether `prefix`, as used on `element`, stands for the namespace `name`.
    [[nodiscard]] bool in_namespace(pugi::xml_node element, std::string_view prefix, std::string_view name) const;

  private:
    model::Status check_bounds();

    pugi::xml_document document_;
    /// Nearly always the root alone declares namespaces; then no element has to ask all its ancestors.
    bool declared_below_root_ = false;
};

bool is_text(const pugi::xml_node& node) {
    return node.type() == pugi::node_pcdata || node.type() == pugi::node_cdata;
}

bool Element::is(std::string_view local, std::string_view name) const {
    if (node_.type() != pugi::node_element) {
        return false;
    }
    const auto [prefix, own_local] = prefix_and_local(node_.name());
    return own_local == local && document_->in_namespace(node_, prefix, name);
}

Element Element::child(std::string_view local, std::string_view name) const {
    for (Element each = first(); each; each = each.next()) {
        if (each.is(local, name)) {
            return each;
        }
    }
    return {};
}

std::string Element::text() const {
    std::string text;
    for (auto node = node_.first_child(); node; node = node.next_sibling()) {
        if (is_text(node)) {
            text += node.value();
        }
    }
    return text;
}

std::optional<model::Uuid> Element::uuid() const {
    const auto only = node_.first_child();
    if (is_text(only) && !only.next_sibling()) {  // as all are but those that somebody made strange
        return model::Uuid::parse(trimmed(only.value()));
    }
    return model::Uuid::parse(trimmed(text()));
}

model::Status Document::read(std::string_view body, std::size_t max_size) {
    if (body.size() > max_size) {
        return model::Error{"the message is too large"};
    }
    const auto parsed =
        document_.load_buffer(body.data(), body.size(), pugi::parse_default | pugi::parse_doctype, pugi::encoding_auto);
    if (!parsed) {
        // pugixml's description speaks of its own grammar rules only.
        return model::Error{std::string("the message is not well-formed XML: ") + parsed.description()};
    }
    return check_bounds();
}

bool Document::in_namespace(pugi::xml_node element, std::string_view prefix, std::string_view name) const {
    if (!declared_below_root_) {
        element = document_.document_element();
    }
    for (; element.type() == pugi::node_element; element = element.parent()) {
        for (auto attribute = element.first_attribute(); attribute; attribute = attribute.next_attribute()) {
            if (declares(attribute.name(), prefix)) {
                return attribute.value() == name;
            }
        }
    }
    return false;
}

model::Status Document::check_bounds() {
    std::size_t roots = 0;
    for (const pugi::xml_node node : document_.children()) {
        if (node.type() == pugi::node_doctype) {
            return model::Error{"the message has a DTD"};
        }
        roots += node.type() == pugi::node_element ? 1 : 0;
    }
    if (roots != 1) {
        return model::Error{"the message is not one XML document"};
    }
    std::size_t depth = 0;
    pugi::xml_node node = document_.document_element();
    while (true) {
        std::size_t attributes = 0;
        for (auto attribute = node.first_attribute(); attribute; attribute = attribute.next_attribute()) {
            if (++attributes > max_attributes) {
                return model::Error{"the message has an element with too many attributes"};
            }
            declared_below_root_ = declared_below_root_ || (depth > 0 && declares_namespace(attribute.name()));
        }
        if (const auto below = node.first_child()) {
            node = below;
            if (++depth > max_xml_depth) {
                return model::Error{"the message is nested too deep"};
            }
            continue;
        }
        pugi::xml_node beside;
        for (; depth > 0 && !beside; --depth) {
            beside = node.next_sibling();
            node = node.parent();
        }
        if (!beside) {
            return {};
        }
        node = beside;
        ++depth;
    }
}

/// At most max_description bytes, UTF-8 that XML could carry whatever the LEA sent.
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

model::Endpoint read_endpoint(const Element& element) {
    return {element.child("CountryCode").text(), element.child("UniqueIdentifier").text()};
}

/// Reads and finds the HI1Message and its header.
model::Result<Element> read_message(std::string_view body, std::size_t max_size, Document& document, Header& header) {
    if (const model::Status status = document.read(body, max_size); status.has_error()) {
        return status.error();
    }
    const Element message = document.root();
    if (!message.is("HI1Message")) {
        return model::Error{"the message is not an HI1Message of TS 103 120"};
    }
    const Element head = message.child("Header");
    const auto transaction = head.child("TransactionIdentifier").uuid();
    if (!transaction) {
        return model::Error{"the message has no readable TransactionIdentifier"};
    }
    header.transaction = *transaction;
    header.sender = read_endpoint(head.child("SenderIdentifier"));
    header.receiver = read_endpoint(head.child("ReceiverIdentifier"));
    const Element version = head.child("Version");
    header.etsi_version = version.child("ETSIVersion").text();
    header.national_profile_owner = version.child("NationalProfileOwner").text();
    header.national_profile_version = version.child("NationalProfileVersion").text();
    return message;
}

ActionAnswer read_answer(const Element& response) {
    ActionAnswer answer;
    if (const Element identifier = response.child("ActionIdentifier")) {
        answer.action = read_number(identifier.text()).value_or(max_number);
    }
    Element result;
    for (Element each = response.first(); each; each = each.next()) {
        if (each.is("ActionIdentifier")) {
            continue;
        }
        if (result) {
            return answer;  // yes and no at once
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

RequestedAction read_action(const Element& request) {
    RequestedAction action;
    action.action = read_number(request.child("ActionIdentifier").text()).value_or(max_number);
    const Element deliver = request.child("DELIVER");
    const auto identifier = deliver.child("Identifier").uuid();
    if (!identifier) {
        return action;
    }
    action.deliver = true;
    action.identifier = *identifier;
    const Element object = deliver.child("HI1Object");
    action.object_matches = object.child("ObjectIdentifier").uuid() == identifier;
    action.liid = object.child("Reference", delivery_namespace).child("LIID", delivery_namespace).text();
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

bool scan_header(Scanner& scanner, Header& out) {
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

std::string or_else(const std::string& text, std::string_view otherwise) {
    return text.empty() ? std::string(otherwise) : text;
}

void put_response_head(std::string& out, const Request& request, model::Instant created) {
    Header header;
    header.transaction = request.header.transaction;
    const auto endpoint = [](const model::Endpoint& given) {
        return model::Endpoint{or_else(given.country_code, "XX"), or_else(given.unique_identifier, "Not specified")};
    };
    header.sender = endpoint(request.header.receiver);
    header.receiver = endpoint(request.header.sender);
    header.etsi_version = or_else(request.header.etsi_version, "V1.14.1");
    header.national_profile_owner = or_else(request.header.national_profile_owner, "N/A");
    header.national_profile_version = or_else(request.header.national_profile_version, "N/A");
    out += "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<HI1Message xmlns=\"";
    out += core_namespace;
    out += "\">";
    append_header(out, header, created);
    out += "<Payload><ResponsePayload>";
}

constexpr std::string_view response_tail = "</ResponsePayload></Payload></HI1Message>";

void put_error(std::string& out, const ErrorInformation& error) {
    out += "<ErrorInformation>";
    put_plain<"ErrorCode">(out, std::to_string(error.code));
    put_lossy<"ErrorDescription">(out, error.description);
    out += "</ErrorInformation>";
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

model::Result<Request> read_request(std::string_view body, std::size_t max_size) {
    Request request;
    Document document;
    const auto message = read_message(body, max_size, document, request.header);
    if (message.has_error()) {
        return message.error();
    }
    const Element actions = message->child("Payload").child("RequestPayload").child("ActionRequests");
    if (!actions) {
        return model::Error{"the message has no ActionRequests"};
    }
    for (Element each = actions.first(); each; each = each.next()) {
        if (!each.is("ActionRequest")) {
            continue;
        }
        if (request.actions.size() == max_actions) {
            return model::Error{"the message has too many actions"};
        }
        request.actions.push_back(read_action(each));
    }
    return request;
}

model::Status scan_request(std::string_view body, Request& out) {
    out.actions.clear();
    Scanner scanner(body);
    if (!scan_header(scanner, out.header)) {
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

void append_header(std::string& out, const Header& header, model::Instant created) {
    const auto put_endpoint = [&out](const model::Endpoint& endpoint) {
        put_lossy<"CountryCode">(out, endpoint.country_code);
        put_lossy<"UniqueIdentifier">(out, endpoint.unique_identifier);
    };
    out += "<Header><SenderIdentifier>";
    put_endpoint(header.sender);
    out += "</SenderIdentifier><ReceiverIdentifier>";
    put_endpoint(header.receiver);
    out += "</ReceiverIdentifier><TransactionIdentifier>";
    header.transaction.append_to(out);
    out += "</TransactionIdentifier>";
    put_plain<"Timestamp">(out, model::to_microsecond_date_time(created));
    out += "<Version>";
    put_lossy<"ETSIVersion">(out, header.etsi_version);
    put_lossy<"NationalProfileOwner">(out, header.national_profile_owner);
    put_lossy<"NationalProfileVersion">(out, header.national_profile_version);
    out += "</Version></Header>";
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
        put_plain<"ActionIdentifier">(out, std::to_string(answer.action));
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

}  // namespace lihandover::hi1
