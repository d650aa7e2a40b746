#include "expectation.hpp"

#include <simdjson.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <string_view>

namespace lihandover::flows {
namespace {

std::optional<std::string> text_of(const simdjson::dom::object& line, const char* name) {
    std::string_view text;
    return line[name].get(text) == simdjson::SUCCESS ? std::optional(std::string(text)) : std::nullopt;
}

std::vector<std::string> texts_of(const simdjson::dom::element& list) {
    std::vector<std::string> texts;
    for (const auto each : list.get_array()) {
        texts.emplace_back(std::string_view(each));
    }
    return texts;
}

Expectation read_line(const simdjson::dom::object& line) {
    Expectation expected;
    expected.task = text_of(line, "task").value_or("");
    expected.type = text_of(line, "type").value_or("");
    expected.label = text_of(line, "id");
    expected.target = text_of(line, "target");
    expected.conversation = text_of(line, "conversation");
    expected.refers_to = text_of(line, "refers_to");
    expected.content_type = text_of(line, "content_type");
    expected.text = text_of(line, "text");
    expected.status = text_of(line, "status");
    expected.title = text_of(line, "title");
    expected.nickname = text_of(line, "nickname");
    simdjson::dom::element part;
    if (line["from"].get(part) == simdjson::SUCCESS) {
        expected.from = texts_of(part);
    }
    if (line["to"].get(part) == simdjson::SUCCESS) {
        expected.to.emplace();
        for (const auto each : part.get_array()) {
            expected.to->push_back(texts_of(each));
        }
    }
    if (line["parameters"].get(part) == simdjson::SUCCESS) {
        for (const auto& [name, value] : part.get_object()) {
            expected.parameters[std::string(name)] = std::string(std::string_view(value));
        }
    }
    if (line["objects"].get(part) == simdjson::SUCCESS) {
        expected.objects.emplace();
        for (const simdjson::dom::object each : part.get_array()) {
            std::uint64_t size = 0;
            const bool sized = each["size"].get(size) == simdjson::SUCCESS;
            expected.objects->push_back({text_of(each, "content_type"), text_of(each, "file_name"),
                                         sized ? std::optional(size) : std::nullopt});
        }
    }
    return expected;
}

bool is_source(model::PartyRole role) {
    return role == model::PartyRole::sender || role == model::PartyRole::actor;
}

std::vector<std::string> values_of(const ims::MadeEvent& made, const model::Party& party) {
    std::vector<std::string> values;
    for (const auto& identifier : made.event.identifiers_of(party)) {
        values.emplace_back(identifier.value);
    }
    return values;
}

std::string joined(const std::vector<std::string>& texts) {
    std::string out;
    for (const auto& text : texts) {
        out += (out.empty() ? "" : ", ") + text;
    }
    return out;
}

/// The first one is the first; the others are there.
bool names(const std::vector<std::string>& values, const std::vector<std::string>& wanted) {
    return !values.empty() && !wanted.empty() && values.front() == wanted.front() &&
           std::ranges::all_of(wanted,
                               [&](const auto& each) { return std::ranges::find(values, each) != values.end(); });
}

/// Compares one event with one expectation.
class Comparison {
  public:
    Comparison(const Expectation& expected, const ims::MadeEvent& made, std::vector<std::string>& out)
        : expected_(expected), made_(made), out_(out) {}

    void run() {
        const auto& event = made_.event;
        equal("type", std::optional(expected_.type), std::string(name_of(event.type)));
        equal("text", expected_.text, std::string(event.text));
        equal("content type", expected_.content_type, std::string(event.content_type));
        equal("status", expected_.status, std::string(event.status));
        equal("title", expected_.title, std::string(event.conversation.title));
        parties();
        parameters();
        objects();
    }

  private:
    void differ(const std::string& what) { out_.push_back(what + ", of " + describe(made_)); }

    void equal(const std::string& what, const std::optional<std::string>& expected, const std::string& found) {
        if (expected && *expected != found) {
            differ(what + " should be " + *expected);
        }
    }

    void parties() {
        const auto& parties = made_.event.parties;
        bool nickname = !expected_.nickname;
        bool source = !expected_.from;
        std::string target = "none";
        for (std::size_t i = 0; i < parties.size(); ++i) {
            nickname = nickname || parties[i].nickname == *expected_.nickname;
            source = source || (is_source(parties[i].role) && names(values_of(made_, parties[i]), *expected_.from));
            if (made_.targeted.at(i)) {
                target = is_source(parties[i].role) ? "from" : "to";
            }
        }
        if (!source) {
            differ("it should be from " + joined(*expected_.from));
        }
        if (!nickname) {
            differ("somebody should be named " + *expected_.nickname);
        }
        for (const auto& wanted : expected_.to.value_or(std::vector<std::vector<std::string>>())) {
            if (std::ranges::none_of(parties, [&](const model::Party& party) {
                    return !is_source(party.role) && names(values_of(made_, party), wanted);
                })) {
                differ("it should go to " + joined(wanted));
            }
        }
        equal("the target", expected_.target, target);
    }

    void parameters() {
        for (const auto& [name, value] : expected_.parameters) {
            const auto found =
                std::ranges::find_if(made_.event.parameters, [&name](const auto& each) { return each.name == name; });
            if (found == made_.event.parameters.end() || found->value != value) {
                differ("parameter " + name + " should be " + value);
            }
        }
    }

    void objects() {
        if (!expected_.objects) {
            if (!made_.objects.empty()) {
                differ("it should have no object");
            }
            return;
        }
        if (expected_.objects->size() != made_.objects.size()) {
            differ("it should have " + std::to_string(expected_.objects->size()) + " objects");
            return;
        }
        for (std::size_t i = 0; i < made_.objects.size(); ++i) {
            const auto& wanted = expected_.objects->at(i);
            const auto& attachment = made_.event.attachments.at(i);
            equal("content type of an object", wanted.content_type, std::string(attachment.content_type));
            equal("file name of an object", wanted.file_name, std::string(attachment.filename));
            if (wanted.size && *wanted.size != made_.objects[i].size()) {
                differ("an object should have " + std::to_string(*wanted.size) + " bytes");
            }
        }
    }

    const Expectation& expected_;
    const ims::MadeEvent& made_;
    std::vector<std::string>& out_;
};

/// Names of ids: one id, one name.
class Labels {
  public:
    bool fits(const std::string& label, std::string_view id) {
        const auto [known, fresh] = ids_.emplace(label, id);
        const auto [back, new_id] = labels_.emplace(std::string(id), label);
        return known->second == id && back->second == label && !id.empty();
    }
    std::string id_of(const std::string& label) { return ids_[label]; }

  private:
    std::map<std::string, std::string> ids_;
    std::map<std::string, std::string> labels_;
};

}  // namespace

std::vector<Expectation> read_expectations(const std::filesystem::path& file) {
    std::ifstream stream(file);
    if (!stream) {
        throw std::runtime_error(file.string() + ": cannot be read");
    }
    std::vector<Expectation> expected;
    simdjson::dom::parser parser;
    for (std::string line; std::getline(stream, line);) {
        if (line.empty() || line.front() == '#') {
            continue;
        }
        simdjson::dom::object object;
        if (parser.parse(line).get(object) != simdjson::SUCCESS) {
            throw std::runtime_error(file.string() + ": no JSON: " + line);
        }
        expected.push_back(read_line(object));
    }
    return expected;
}

std::vector<std::string> differences(const std::vector<Expectation>& expected,
                                     const std::vector<ims::MadeEvent>& events) {
    std::vector<std::string> out;
    Labels conversations;
    Labels ids;
    for (std::size_t i = 0; i < std::min(expected.size(), events.size()); ++i) {
        const auto& event = events[i].event;
        Comparison(expected[i], events[i], out).run();
        if (expected[i].label) {
            (void)ids.fits(*expected[i].label, event.event_id);
        }
        if (expected[i].refers_to && ids.id_of(*expected[i].refers_to) != event.refers_to) {
            out.push_back("it should refer to " + *expected[i].refers_to + ", " + describe(events[i]));
        }
        if (expected[i].conversation && !conversations.fits(*expected[i].conversation, event.conversation.id)) {
            out.push_back("not the conversation " + *expected[i].conversation + ": " + describe(events[i]));
        }
    }
    for (std::size_t i = events.size(); i < expected.size(); ++i) {
        out.push_back("missing: " + expected[i].type + ' ' + expected[i].text.value_or(""));
    }
    for (std::size_t i = expected.size(); i < events.size(); ++i) {
        out.push_back("too many: " + describe(events[i]));
    }
    return out;
}

std::string describe(const ims::MadeEvent& made) {
    const auto& event = made.event;
    std::string out(name_of(event.type));
    for (std::size_t i = 0; i < event.parties.size(); ++i) {
        out += std::string(", ") + std::string(name_of(event.parties[i].role)) + (made.targeted.at(i) ? "* " : " ") +
               joined(values_of(made, event.parties[i]));
    }
    out += event.status.empty() ? "" : ", status " + std::string(event.status);
    out += event.text.empty() ? "" : ", text \"" + std::string(event.text) + '"';
    for (const auto& parameter : event.parameters) {
        out += ", " + std::string(parameter.name) + ' ' + std::string(parameter.value);
    }
    for (const auto& attachment : event.attachments) {
        out += ", object of " + std::string(attachment.content_type);
    }
    return out;
}

}  // namespace lihandover::flows
