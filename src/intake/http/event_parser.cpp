#include "lihandover/intake/http/event_parser.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <utility>
#include <vector>

#include "http/json_reader.hpp"
#include "http/json_text.hpp"
#include "http/member_tables.hpp"
#include "lihandover/base/hex.hpp"

namespace lihandover::intake {

namespace {

using metrics::Rejection;
using model::Event;

constexpr std::size_t max_reported_name = 64;

// At most `max_reported_name` bytes, not cut within a character.
std::string reported(std::string_view name) {
    if (name.size() > max_reported_name) {
        std::size_t end = max_reported_name;
        while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) {
            --end;
        }
        name = name.substr(0, end);
    }
    return std::string(name);
}

std::string counted(std::uint32_t count, std::string_view one, std::string_view many) {
    return std::to_string(count) + ' ' + std::string(count == 1 ? one : many);
}

}  // namespace

// As in JsonReader: what reads takes a place and returns the place after it, or nullptr after a fault.
class EventParser::Impl : private JsonReader {
  public:
    std::optional<Fault> parse(std::string_view json, model::Instant latest, Event& out) {
        event_ = &out;
        latest_ = latest;
        out.clear();
        const Place first = open(json);
        if (first == nullptr || !document(first) || !whole_event()) {
            return std::move(fault());
        }
        return std::nullopt;
    }

    using JsonReader::let_go;

  private:
    // --- values ---

    // Returns the place if the length is right.
    Place check_length(Place behind, std::string_view text, std::uint32_t min, std::uint32_t max) {
        if (text.size() >= min && text.size() <= max) {
            return behind;
        }
        if (text.size() < min) {
            return fail(
                Rejection::invalid_value,
                min == 1 ? "must not be empty" : "must have at least " + counted(min, "character", "characters"));
        }
        if (count_characters(text) > max) {
            return fail(Rejection::too_large, "must have at most " + counted(max, "character", "characters"));
        }
        return behind;
    }

    Place text(Place at, const Member& member, std::string_view& out) {
        if (peek(at) != '"') {
            return wrong_type(at, "a string");
        }
        at = string(at, out);
        return at == nullptr ? nullptr : check_length(at, out, member.min, member.max);
    }

    template <typename Enum, std::size_t count>
    Place choice(Place at, const NameIndex<count>& names, Enum& out) {
        if (peek(at) != '"') {
            return wrong_type(at, "a string");
        }
        std::string_view name;
        at = string(at, name);
        if (at == nullptr) {
            return nullptr;
        }
        const std::uint8_t found = names.find(name);
        if (found == names.none) {
            return fail(Rejection::invalid_value, "is not one of the names that this may be");
        }
        out = static_cast<Enum>(found);
        return at;
    }

    Place time(Place at, const Member& member, std::optional<model::QualifiedTime>& out) {
        std::string_view written;
        at = text(at, member, written);
        if (at == nullptr) {
            return nullptr;
        }
        out = model::parse_rfc3339(written);
        return out ? at : fail(Rejection::invalid_value, "must be a time by RFC 3339 with an offset");
    }

    Place measure(Place at, const Member& member, std::string_view& out) {
        const char c = peek(at);
        if (c != '-' && (c < '0' || c > '9')) {
            return wrong_type(at, "a number");
        }
        at = number(at, out);
        if (at == nullptr) {
            return nullptr;
        }
        if (out.size() > member.max) {
            return fail(Rejection::too_large,
                        "must be written with at most " + counted(member.max, "character", "characters"));
        }
        double value = 0;
        const auto read = std::from_chars(out.data(), out.data() + out.size(), value);
        if (read.ec != std::errc{} || value < member.lowest || value > member.highest) {
            return fail(Rejection::invalid_value, "is out of its range");
        }
        return at;
    }

    // An object of a shape: `on_member(at, row, member)` reads the value of each member.
    template <Shape shape, typename OnMember>
    Place object(Place at, OnMember&& on_member) {
        using Table = ShapeTable<shape>;
        if (peek(at) != '{') {
            return wrong_type(at, "an object");
        }
        std::uint32_t seen = 0;
        bool more = false;
        at = opened(at + 1, '}', more);
        while (more) {
            std::string_view name;
            at = key(at, name);
            if (at == nullptr) {
                return nullptr;
            }
            const std::uint8_t row = Table::index.find(name);
            if (row == Table::index.none) {
                return fail_at(reported(name), Rejection::unknown_member, "is not known here");
            }
            const std::uint32_t bit = std::uint32_t{1} << row;
            if ((seen & bit) != 0) {
                return fail_at(name, Rejection::invalid_value, "is there twice");
            }
            seen |= bit;
            const Member& member = Table::members[row];
            at = on_member(at, row, member);
            if (at == nullptr) {
                return within(member.name);
            }
            at = separator(at, '}', more);
            if (at == nullptr) {
                return nullptr;
            }
        }
        const std::uint32_t lacking = Table::required & ~seen;
        return lacking == 0
                   ? at
                   : fail_at(Table::members[std::countr_zero(lacking)].name, Rejection::missing_member, "is missing");
    }

    // A list: `on_element(at)` reads each element.
    template <typename OnElement>
    Place list(Place at, const Member& member, OnElement&& on_element) {
        if (peek(at) != '[') {
            return wrong_type(at, "an array");
        }
        std::uint32_t count = 0;
        bool more = false;
        at = opened(at + 1, ']', more);
        while (more) {
            if (count == member.max) {
                return fail(Rejection::too_large, "must have at most " + counted(member.max, "element", "elements"));
            }
            at = on_element(at);
            if (at == nullptr) {
                return within(count);
            }
            ++count;
            at = separator(at, ']', more);
            if (at == nullptr) {
                return nullptr;
            }
        }
        if (count < member.min) {
            return fail(Rejection::invalid_value, "must have at least " + counted(member.min, "element", "elements"));
        }
        return at;
    }

    // An object of names that the source chose: `on_value(at, property)` reads the value of each.
    template <typename OnValue>
    Place named(Place at, const Member& member, std::uint32_t min_name, std::uint32_t max_name,
                std::vector<model::Property>& out, OnValue&& on_value) {
        if (peek(at) != '{') {
            return wrong_type(at, "an object");
        }
        bool more = false;
        at = opened(at + 1, '}', more);
        while (more) {
            model::Property property;
            at = key(at, property.name);
            if (at == nullptr) {
                return nullptr;
            }
            if (out.size() == member.max) {
                return fail(Rejection::too_large, "must have at most " + counted(member.max, "member", "members"));
            }
            if (check_length(at, property.name, min_name, max_name) == nullptr) {
                fault().reason.insert(0, "a member's name ");
                return nullptr;
            }
            at = on_value(at, property);
            if (at == nullptr) {
                return within(reported(property.name));
            }
            out.push_back(property);
            at = separator(at, '}', more);
            if (at == nullptr) {
                return nullptr;
            }
        }
        return check_distinct(at, out);
    }

    Place check_distinct(Place behind, const std::vector<model::Property>& properties) {
        if (properties.size() < 2) {
            return behind;
        }
        names_.clear();
        for (const model::Property& property : properties) {
            names_.push_back(property.name);
        }
        std::ranges::sort(names_);
        const auto twice = std::ranges::adjacent_find(names_);
        if (twice != names_.end()) {
            return fail_at(reported(*twice), Rejection::invalid_value, "is there twice");
        }
        return behind;
    }

    Place property_value(Place at, model::Property& property) {
        const char c = peek(at);
        if (c == '"') {
            at = string(at, property.value);
            return at == nullptr ? nullptr : check_length(at, property.value, 0, max_property_value);
        }
        if (c == '{' || c == '[' || c == 'n') {
            return wrong_type(at, "a string, a number, true or false");
        }
        property.json = true;
        at = scalar(at, property.value);
        if (at != nullptr && property.value.size() > max_number_text) {
            return fail(Rejection::too_large,
                        "must be written with at most " + counted(max_number_text, "character", "characters"));
        }
        return at;
    }

    Place parameter_value(Place at, model::Property& property) {
        const char c = peek(at);
        if (c == '"') {
            return string(at, property.value);
        }
        property.json = true;
        return c == '{' || c == '[' ? nested(at, parameter_depth, property.value) : scalar(at, property.value);
    }

    // --- shapes ---

    bool document(Place at) {
        const bool is_object = peek(at) == '{';
        // JSON of another type is a wrong event, anything else is not JSON; the source should be told which.
        model::Property other;
        at = is_object ? event(at) : parameter_value(at, other);
        if (at == nullptr) {
            return false;
        }
        if (!is_end(at)) {
            not_json("something follows the event");
            return false;
        }
        if (!is_object) {
            fail(Rejection::invalid_value, "must be an object");
        }
        return is_object;
    }

    Place event(Place start) {
        return object<Shape::event>(start, [this](Place at, std::uint8_t row, const Member& member) {
            return event_member(at, static_cast<EventMember>(row), member);
        });
    }

    Place event_member(Place at, EventMember which, const Member& member) {
        Event& event = *event_;
        switch (which) {
            case EventMember::event_id:
                return text(at, member, event.event_id);
            case EventMember::service:
                return text(at, member, event.service);
            case EventMember::event_type:
                return choice(at, event_type_index, event.type);
            case EventMember::timestamp:
                return timestamp(at, member);
            case EventMember::sender:
                return party(at, model::PartyRole::sender);
            case EventMember::receivers:
                return list(at, member, [this](Place element) { return party(element, model::PartyRole::receiver); });
            case EventMember::actor:
                return party(at, model::PartyRole::actor);
            case EventMember::members:
                return list(at, member, [this](Place element) { return party(element, model::PartyRole::member); });
            case EventMember::refers_to:
                return text(at, member, event.refers_to);
            case EventMember::status:
                return text(at, member, event.status);
            case EventMember::conversation:
                event.has_conversation = true;
                return conversation(at);
            case EventMember::content:
                event.has_content = true;
                return content(at);
            case EventMember::attachments:
                return list(at, member, [this](Place element) { return attachment(element); });
            case EventMember::location:
                return location(at);
            case EventMember::device:
                return properties(at, member, event.device);
            case EventMember::network:
                return properties(at, member, event.network);
            case EventMember::parameters:
                return named(
                    at, member, 0, max_parameter_name, event.parameters,
                    [this](Place value, model::Property& property) { return parameter_value(value, property); });
        }
        return nullptr;
    }

    Place timestamp(Place at, const Member& member) {
        at = time(at, member, event_->timestamp);
        if (at != nullptr && event_->timestamp->instant > latest_) {
            return fail(Rejection::future, "is too far in the future");
        }
        return at;
    }

    Place party(Place start, model::PartyRole role) {
        model::Party party;
        party.role = role;
        const Place behind =
            object<Shape::party>(start, [&](Place at, std::uint8_t row, const Member& member) -> Place {
                switch (static_cast<PartyMember>(row)) {
                    case PartyMember::identifiers:
                        party.first_identifier = static_cast<std::uint32_t>(event_->identifiers.size());
                        return list(at, member, [this](Place element) { return identifier(element); });
                    case PartyMember::nickname:
                        return text(at, member, party.nickname);
                }
                return nullptr;
            });
        if (behind != nullptr) {
            party.end_identifier = static_cast<std::uint32_t>(event_->identifiers.size());
            event_->parties.push_back(party);
        }
        return behind;
    }

    Place identifier(Place start) {
        model::Identifier identifier;
        const Place behind =
            object<Shape::identifier>(start, [&](Place at, std::uint8_t row, const Member& member) -> Place {
                switch (static_cast<IdentifierMember>(row)) {
                    case IdentifierMember::type:
                        return choice(at, identifier_type_index, identifier.type);
                    case IdentifierMember::value:
                        return text(at, member, identifier.value);
                }
                return nullptr;
            });
        if (behind != nullptr) {
            event_->identifiers.push_back(identifier);
        }
        return behind;
    }

    Place conversation(Place start) {
        model::Conversation& out = event_->conversation;
        return object<Shape::conversation>(start, [&](Place at, std::uint8_t row, const Member& member) -> Place {
            switch (static_cast<ConversationMember>(row)) {
                case ConversationMember::id:
                    return text(at, member, out.id);
                case ConversationMember::kind:
                    return text(at, member, out.kind);
                case ConversationMember::thread_id:
                    return text(at, member, out.thread_id);
                case ConversationMember::title:
                    return text(at, member, out.title);
                case ConversationMember::previous_title:
                    return text(at, member, out.previous_title);
                case ConversationMember::thread_title:
                    return text(at, member, out.thread_title);
            }
            return nullptr;
        });
    }

    Place content(Place start) {
        return object<Shape::content>(start, [&](Place at, std::uint8_t row, const Member& member) -> Place {
            switch (static_cast<ContentMember>(row)) {
                case ContentMember::type:
                    return text(at, member, event_->content_type);
                case ContentMember::text:
                    return text(at, member, event_->text);
            }
            return nullptr;
        });
    }

    Place attachment(Place start) {
        model::Attachment attachment;
        std::uint32_t ways = 0;
        const auto source = [&](Place at, const Member& member, model::Attachment::Source kind) {
            attachment.source = kind;
            ++ways;
            return text(at, member, attachment.reference);
        };
        const Place behind =
            object<Shape::attachment>(start, [&](Place at, std::uint8_t row, const Member& member) -> Place {
                switch (static_cast<AttachmentMember>(row)) {
                    case AttachmentMember::id:
                        return text(at, member, attachment.id);
                    case AttachmentMember::content_type:
                        return text(at, member, attachment.content_type);
                    case AttachmentMember::filename:
                        return text(at, member, attachment.filename);
                    case AttachmentMember::sha256:
                        at = text(at, member, attachment.sha256);
                        return at == nullptr || base::is_hex(attachment.sha256)
                                   ? at
                                   : fail(Rejection::invalid_value, "must be hex digits");
                    case AttachmentMember::data:
                        at = source(at, member, model::Attachment::Source::data);
                        return at == nullptr || is_base64(attachment.reference)
                                   ? at
                                   : fail(Rejection::invalid_value, "must be base64");
                    case AttachmentMember::object:
                        return source(at, member, model::Attachment::Source::object);
                    case AttachmentMember::file:
                        return source(at, member, model::Attachment::Source::file);
                }
                return nullptr;
            });
        if (behind != nullptr) {
            if (ways != 1) {
                return fail(Rejection::invalid_value, "must have one of data, object and file");
            }
            event_->attachments.push_back(attachment);
        }
        return behind;
    }

    Place location(Place start) {
        model::Location& out = event_->location.emplace();
        const Place behind =
            object<Shape::location>(start, [&](Place at, std::uint8_t row, const Member& member) -> Place {
                switch (static_cast<LocationMember>(row)) {
                    case LocationMember::latitude:
                        return measure(at, member, out.latitude);
                    case LocationMember::longitude:
                        return measure(at, member, out.longitude);
                    case LocationMember::accuracy_metres:
                        return measure(at, member, out.accuracy_metres);
                    case LocationMember::altitude_metres:
                        return measure(at, member, out.altitude_metres);
                    case LocationMember::cell:
                        return text(at, member, out.cell);
                    case LocationMember::description:
                        return text(at, member, out.description);
                    case LocationMember::observed_at:
                        return time(at, member, out.observed_at);
                }
                return nullptr;
            });
        if (behind != nullptr && out.latitude.empty() != out.longitude.empty()) {
            return fail_at(out.latitude.empty() ? "latitude" : "longitude", Rejection::missing_member, "is missing");
        }
        return behind;
    }

    Place properties(Place at, const Member& member, std::vector<model::Property>& out) {
        return named(at, member, 1, max_property_name, out,
                     [this](Place value, model::Property& property) { return property_value(value, property); });
    }

    // What can be checked only for the event as a whole.
    bool whole_event() {
        Event& event = *event_;
        if (event.parties.empty()) {
            fail(Rejection::missing_member, "names no party: sender, receivers, actor or members");
            return false;
        }
        if (event.attachments.size() > 1 && !distinct_attachments()) {
            return false;
        }
        const auto in_order = [](const model::Party& left, const model::Party& right) {
            return std::pair(left.role, left.first_identifier) < std::pair(right.role, right.first_identifier);
        };
        if (!std::ranges::is_sorted(event.parties, in_order)) {
            std::ranges::sort(event.parties, in_order);
        }
        return true;
    }

    bool distinct_attachments() {
        const std::vector<model::Attachment>& attachments = event_->attachments;
        names_.clear();
        for (const model::Attachment& attachment : attachments) {
            names_.push_back(attachment.id);
        }
        std::ranges::sort(names_);
        const auto twice = std::ranges::adjacent_find(names_);
        if (twice == names_.end()) {
            return true;
        }
        const auto first = std::ranges::find(attachments, *twice, &model::Attachment::id);
        const auto second = std::ranges::find(first + 1, attachments.end(), *twice, &model::Attachment::id);
        fail_at("id", Rejection::invalid_value, "is that of another attachment");
        within(static_cast<std::size_t>(second - attachments.begin()));
        within("attachments");
        return false;
    }

    Event* event_ = nullptr;
    model::Instant latest_;
    std::vector<std::string_view> names_;
};

EventParser::EventParser() : impl_(std::make_unique<Impl>()) {}
EventParser::~EventParser() = default;

std::optional<Fault> EventParser::parse(std::string_view json, model::Instant latest, model::Event& out) {
    return impl_->parse(json, latest, out);
}

void EventParser::let_go() {
    impl_->let_go();
}

}  // namespace lihandover::intake
