#include "lihandover/hi1/request.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "lihandover/hi1/error_codes.hpp"
#include "reading.hpp"

namespace lihandover::hi1 {
namespace {

constexpr std::array<std::pair<std::string_view, Verb>, 6> verbs = {{{"GET", Verb::get},
                                                                     {"CREATE", Verb::create},
                                                                     {"UPDATE", Verb::update},
                                                                     {"LIST", Verb::list},
                                                                     {"DELIVER", Verb::deliver},
                                                                     {"GETCSPCONFIG", Verb::get_csp_config}}};

RequestedAction read_action(const Element& request) {
    RequestedAction action;
    action.action = read_number(request.child("ActionIdentifier").text()).value_or(max_number);
    for (Element each = request.first(); each; each = each.next()) {
        if (each.is("ActionIdentifier")) {
            continue;
        }
        if (action.content) {  // two verbs in one action: do not guess either
            action.verb = Verb::unknown;
            action.identifier.reset();
            action.object = {};
            return action;
        }
        action.content = each;
        const auto* const known =
            std::ranges::find_if(verbs, [&each](const auto& verb) { return each.is(verb.first); });
        if (known != verbs.end()) {
            action.verb = known->second;
            action.identifier = each.child("Identifier").uuid();
            action.object = each.child("HI1Object");
        }
    }
    return action;
}

// -- The scan --------------------------------------------------------------------------------------------------------

/// Goes through a body that our own writer wrote, from tag to tag. Content cannot look like a tag: the writer escapes
/// every `<` except those of the CSP schema, which has none of these elements.
class Scanner {
  public:
    explicit Scanner(std::string_view body) : rest_(body) {}

    /// Moves past the next `tag`; false if there is none.
    bool find(std::string_view tag) {
        const void* found = memmem(rest_.data(), rest_.size(), tag.data(), tag.size());
        if (found == nullptr) {
            return false;
        }
        rest_.remove_prefix(static_cast<std::size_t>(static_cast<const char*>(found) - rest_.data()) + tag.size());
        return true;
    }
    /// Moves past `tag` if it is next.
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

}  // namespace

model::Result<Request> read_request(std::string_view body, std::size_t max_size) {
    Request request;
    request.document = std::make_unique<Document>();
    const auto message = read_message(body, max_size, *request.document, request.header);
    if (message.has_error()) {
        return message.error();
    }
    if (request.header.transaction == model::Uuid{}) {
        return model::Error{"the message has no readable TransactionIdentifier"};
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

std::optional<ErrorInformation> action_order_error(std::span<const RequestedAction> actions) {
    for (std::size_t at = 0; at < actions.size(); ++at) {
        if (actions[at].action == at) {
            continue;
        }
        const bool repeated = actions[at].action < at;
        return ErrorInformation{repeated ? duplicate_action_identifier : improper_value,
                                "ActionIdentifiers must begin at 0 and rise by 1"};
    }
    return std::nullopt;
}

std::string liid_of(const Element& delivery_object) {
    return delivery_object.child("Reference", delivery_namespace).child("LIID", delivery_namespace).text();
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
                action.verb = Verb::deliver;
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

}  // namespace lihandover::hi1
