#include "lihandover/intake/event_parser.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "json_text.hpp"
#include "member_tables.hpp"

namespace lihandover::intake {

namespace {

using metrics::Rejection;
using model::Event;

constexpr std::size_t least_capacity = 16 * 1024;
constexpr std::size_t kept_capacity = 64 * 1024;
constexpr std::size_t max_reported_name = 64;

constexpr bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// The first octet of a JSON value of any type.
constexpr bool starts_value(char c) {
    return c == '"' || c == '{' || c == '[' || c == '-' || (c >= '0' && c <= '9') || c == 't' || c == 'f' || c == 'n';
}

// At most `max_reported_name` octets, not cut within a character.
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

class EventParser::Impl {
  public:
    std::optional<Fault> parse(std::string_view json, model::Instant latest, Event& out) {
        event_ = &out;
        latest_ = latest;
        out.clear();
        if (!index(json) || !document() || !whole_event()) {
            return std::move(fault_);
        }
        return std::nullopt;
    }

    void shrink() {
        if (capacity_ > kept_capacity) {
            stage1_.reset();
            text_.reset();
            capacity_ = 0;
        }
    }

  private:
    // --- stage 1 ---

    // Asks simdjson where the structure of the document is: the places of { } [ ] : , and of the first octet of every
    // string and scalar. It refuses invalid UTF-8, open strings and control characters in strings.
    bool index(std::string_view json) {
        json_ = json.data();
        size_ = json.size();
        if (size_ > capacity_ && !grow()) {
            return false;
        }
        free_text_ = text_.get();
        const auto error =
            stage1_->stage1(reinterpret_cast<const std::uint8_t*>(json_), size_, simdjson::stage1_mode::regular);
        if (error != simdjson::SUCCESS) {
            return not_json(error == simdjson::UTF8_ERROR        ? "it is not valid UTF-8"
                            : error == simdjson::EMPTY           ? "there is nothing"
                            : error == simdjson::UNCLOSED_STRING ? "a string does not end"
                            : error == simdjson::UNESCAPED_CHARS ? "a control character in a string must be escaped"
                                                                 : "it cannot be read");
        }
        at_ = stage1_->structural_indexes.get();
        end_ = at_ + stage1_->n_structural_indexes;
        // What follows the last token ends with the document; the index has room for a few more entries.
        stage1_->structural_indexes[stage1_->n_structural_indexes] = static_cast<std::uint32_t>(size_);
        const void* backslash = std::memchr(json_, '\\', size_);
        first_escape_ =
            backslash == nullptr ? size_ : static_cast<std::size_t>(static_cast<const char*>(backslash) - json_);
        return true;
    }

    bool grow() {
        if (size_ > simdjson::SIMDJSON_MAXSIZE_BYTES / 2) {
            return fail(Rejection::too_large, "is larger than can be read");
        }
        const std::size_t wanted = std::max(std::bit_ceil(size_), least_capacity);
        capacity_ = 0;
        auto error = simdjson::SUCCESS;
        if (stage1_ == nullptr) {
            error = simdjson::get_active_implementation()->create_dom_parser_implementation(wanted, 1, stage1_);
        } else {
            error = stage1_->set_capacity(wanted);
        }
        if (error != simdjson::SUCCESS) {
            stage1_.reset();
            throw std::bad_alloc();
        }
        // Unescaped text is never longer than escaped text.
        text_ = std::make_unique_for_overwrite<char[]>(wanted);
        capacity_ = wanted;
        return true;
    }

    // --- faults; all of these return false ---

    bool fail(Rejection kind, std::string reason) {
        fault_.kind = kind;
        fault_.field.clear();
        fault_.reason = std::move(reason);
        return false;
    }
    bool fail_at(std::string_view name, Rejection kind, std::string reason) {
        fail(kind, std::move(reason));
        return within(name);
    }
    bool not_json(std::string_view why) { return fail(Rejection::malformed, "is not JSON: " + std::string(why)); }
    // The place of a fault grows from the inside out, so that a good event pays nothing for it.
    bool within(std::string_view name) {
        std::string outer(name);
        if (!fault_.field.empty() && fault_.field.front() != '[') {
            outer += '.';
        }
        fault_.field.insert(0, outer);
        return false;
    }
    bool within(std::size_t index) { return within("[" + std::to_string(index) + "]"); }

    bool wrong_type(std::string_view wanted) {
        if (!starts_value(peek())) {
            return not_json("a value is missing");
        }
        return fail(Rejection::invalid_value, "must be " + std::string(wanted));
    }

    // --- tokens ---

    [[nodiscard]] char peek() const { return at_ == end_ ? '\0' : json_[*at_]; }

    // The octets from the current token up to the white space before the next one.
    [[nodiscard]] std::string_view token() const {
        std::size_t end = at_[1];
        while (is_space(json_[end - 1])) {
            --end;
        }
        return {json_ + *at_, end - *at_};
    }

    // Between the quotes of the string at the current token, as written.
    bool raw_string(std::string_view& raw) {
        const std::string_view quoted = token();
        if (quoted.size() < 2 || quoted.back() != '"') {
            return not_json("a string does not end");
        }
        raw = quoted.substr(1, quoted.size() - 2);
        ++at_;
        return true;
    }

    [[nodiscard]] bool has_escape(std::string_view raw) const {
        // Most events have no escapes at all, or only in the text of the message.
        return static_cast<std::size_t>(raw.data() + raw.size() - json_) > first_escape_ &&
               std::memchr(raw.data(), '\\', raw.size()) != nullptr;
    }

    bool string(std::string_view& text) {
        if (!raw_string(text)) {
            return false;
        }
        if (!has_escape(text)) {
            return true;
        }
        char* const begin = free_text_;
        char* const end = unescape_json(text, begin);
        if (end == nullptr) {
            return not_json("a string has an escape that JSON does not know");
        }
        text = {begin, static_cast<std::size_t>(end - begin)};
        free_text_ = end;
        return true;
    }

    bool key(std::string_view& name) {
        if (peek() != '"') {
            return not_json("a member's name is missing");
        }
        if (!string(name)) {
            return false;
        }
        if (peek() != ':') {
            return not_json("a colon is missing");
        }
        ++at_;
        return true;
    }

    // After a member or an element: true with `more` set to whether another one follows.
    bool separator(char closing, bool& more) {
        const char c = peek();
        if (c != ',' && c != closing) {
            return not_json(closing == '}' ? "an object does not end" : "an array does not end");
        }
        ++at_;
        more = c == ',';
        return true;
    }

    // --- values ---

    bool check_length(std::string_view text, std::uint32_t min, std::uint32_t max) {
        if (text.size() < min) {
            return fail(Rejection::invalid_value, "must not be empty");
        }
        if (text.size() > max && count_characters(text) > max) {
            return fail(Rejection::too_large, "must have at most " + counted(max, "character", "characters"));
        }
        return true;
    }

    bool text(const Member& member, std::string_view& out) {
        if (peek() != '"') {
            return wrong_type("a string");
        }
        return string(out) && check_length(out, member.min, member.max);
    }

    template <typename Enum>
    bool choice(std::optional<Enum> (&find)(std::string_view), Enum& out) {
        if (peek() != '"') {
            return wrong_type("a string");
        }
        std::string_view name;
        if (!string(name)) {
            return false;
        }
        const auto found = find(name);
        if (!found) {
            return fail(Rejection::invalid_value, "is not one of the names that this may be");
        }
        out = *found;
        return true;
    }

    bool time(const Member& member, std::optional<model::QualifiedTime>& out) {
        std::string_view written;
        if (!text(member, written)) {
            return false;
        }
        out = model::parse_rfc3339(written);
        return out ? true : fail(Rejection::invalid_value, "must be a time by RFC 3339 with an offset");
    }

    bool number(const Member& member, std::string_view& out) {
        const char c = peek();
        if (c != '-' && (c < '0' || c > '9')) {
            return wrong_type("a number");
        }
        out = token();
        ++at_;
        if (!is_json_number(out)) {
            return not_json("a number is not written as one");
        }
        if (out.size() > member.max) {
            return fail(Rejection::too_large, "must be written with at most " + counted(member.max, "octet", "octets"));
        }
        double value = 0;
        const auto read = std::from_chars(out.data(), out.data() + out.size(), value);
        if (read.ec != std::errc{} || value < member.lowest || value > member.highest) {
            return fail(Rejection::invalid_value, "is out of its range");
        }
        return true;
    }

    // An object of a shape: `on_member(row, member)` reads the value of each member.
    template <Shape shape, typename OnMember>
    bool object(OnMember&& on_member) {
        static constexpr auto table = table_of<shape>();
        static_assert(table.size() <= 32);
        if (peek() != '{') {
            return wrong_type("an object");
        }
        ++at_;
        std::uint32_t seen = 0;
        bool more = peek() != '}';
        at_ += more ? 0 : 1;
        while (more) {
            std::string_view name;
            if (!key(name)) {
                return false;
            }
            const std::uint8_t row = MemberIndex<shape>::find(name);
            if (row == MemberIndex<shape>::none) {
                return fail_at(reported(name), Rejection::unknown_member, "is not known here");
            }
            const std::uint32_t bit = std::uint32_t{1} << row;
            if ((seen & bit) != 0) {
                return fail_at(name, Rejection::invalid_value, "is there twice");
            }
            seen |= bit;
            const Member& member = table[row];
            if (!on_member(row, member)) {
                return within(member.name);
            }
            if (!separator('}', more)) {
                return false;
            }
        }
        return check_required(table, seen);
    }

    bool check_required(std::span<const Member> table, std::uint32_t seen) {
        for (std::size_t row = 0; row < table.size(); ++row) {
            if (table[row].required && (seen >> row & 1) == 0) {
                return fail_at(table[row].name, Rejection::missing_member, "is missing");
            }
        }
        return true;
    }

    // A list: `on_element()` reads each element.
    template <typename OnElement>
    bool list(const Member& member, OnElement&& on_element) {
        if (peek() != '[') {
            return wrong_type("an array");
        }
        ++at_;
        std::uint32_t count = 0;
        bool more = peek() != ']';
        at_ += more ? 0 : 1;
        while (more) {
            if (count == member.max) {
                return fail(Rejection::too_large, "must have at most " + counted(member.max, "element", "elements"));
            }
            if (!on_element()) {
                return within(count);
            }
            ++count;
            if (!separator(']', more)) {
                return false;
            }
        }
        if (count < member.min) {
            return fail(Rejection::invalid_value, "must have at least " + counted(member.min, "element", "elements"));
        }
        return true;
    }

    // An object of names that the source chose: `on_value(name)` reads the value of each.
    template <typename OnValue>
    bool named(const Member& member, std::uint32_t min_name, std::uint32_t max_name, std::vector<model::Property>& out,
               OnValue&& on_value) {
        if (peek() != '{') {
            return wrong_type("an object");
        }
        ++at_;
        bool more = peek() != '}';
        at_ += more ? 0 : 1;
        while (more) {
            model::Property property;
            if (!key(property.name)) {
                return false;
            }
            if (out.size() == member.max) {
                return fail(Rejection::too_large, "must have at most " + counted(member.max, "member", "members"));
            }
            if (!check_length(property.name, min_name, max_name)) {
                fault_.reason.insert(0, "a member's name ");
                return false;
            }
            if (!on_value(property)) {
                return within(reported(property.name));
            }
            out.push_back(property);
            if (!separator('}', more)) {
                return false;
            }
        }
        return check_distinct(out);
    }

    bool check_distinct(const std::vector<model::Property>& properties) {
        names_.clear();
        for (const model::Property& property : properties) {
            names_.push_back(property.name);
        }
        std::ranges::sort(names_);
        const auto twice = std::ranges::adjacent_find(names_);
        if (twice != names_.end()) {
            return fail_at(reported(*twice), Rejection::invalid_value, "is there twice");
        }
        return true;
    }

    bool literal_or_number(std::string_view& out) {
        if (at_ == end_) {
            return not_json("a value is missing");
        }
        out = token();
        ++at_;
        if (out == "true" || out == "false" || out == "null" || is_json_number(out)) {
            return true;
        }
        return not_json("a value is none of JSON's");
    }

    bool property_value(model::Property& property) {
        const char c = peek();
        if (c == '"') {
            return string(property.value) && check_length(property.value, 0, max_property_value);
        }
        if (c == '{' || c == '[' || c == 'n') {
            return wrong_type("a string, a number, true or false");
        }
        property.json = true;
        if (!literal_or_number(property.value)) {
            return false;
        }
        if (property.value.size() > max_number_text) {
            return fail(Rejection::too_large,
                        "must be written with at most " + counted(max_number_text, "octet", "octets"));
        }
        return true;
    }

    bool parameter_value(model::Property& property) {
        if (peek() == '"') {
            return string(property.value);
        }
        property.json = true;
        if (peek() == '{' || peek() == '[') {
            return nested(property.value);
        }
        return literal_or_number(property.value);
    }

    // The raw text of an object or array, checked for its grammar and depth. A bit per level says which of the two.
    bool nested(std::string_view& out) {
        const char* const begin = json_ + *at_;
        std::uint64_t objects = 0;
        std::uint32_t depth = 0;
        static_assert(parameter_depth <= 64);
        for (;;) {
            bool value_ended = true;
            const char c = peek();
            if (c == '{' || c == '[') {
                if (depth == parameter_depth) {
                    return fail(Rejection::too_large,
                                "must be nested at most " + std::to_string(parameter_depth) + " deep");
                }
                ++depth;
                objects = objects << 1 | (c == '{' ? 1U : 0U);
                ++at_;
                value_ended = peek() == (c == '{' ? '}' : ']');
                if (!value_ended && c == '{' && !skipped_key()) {
                    return false;
                }
            } else if (c == '"') {
                if (!skipped_string()) {
                    return false;
                }
            } else {
                std::string_view ignored;
                if (!literal_or_number(ignored)) {
                    return false;
                }
            }
            bool more = !value_ended;
            while (!more) {
                const bool in_object = (objects & 1) != 0;
                const char* const here = json_ + (at_ == end_ ? size_ : *at_);
                if (!separator(in_object ? '}' : ']', more)) {
                    return false;
                }
                if (more) {
                    if (in_object && !skipped_key()) {
                        return false;
                    }
                    break;
                }
                objects >>= 1;
                if (--depth == 0) {
                    out = {begin, static_cast<std::size_t>(here + 1 - begin)};
                    return true;
                }
            }
        }
    }

    bool skipped_string() {
        std::string_view raw;
        if (!raw_string(raw)) {
            return false;
        }
        return !has_escape(raw) || has_good_escapes(raw) ? true
                                                         : not_json("a string has an escape that JSON does not know");
    }

    bool skipped_key() {
        if (peek() != '"') {
            return not_json("a member's name is missing");
        }
        if (!skipped_string()) {
            return false;
        }
        if (peek() != ':') {
            return not_json("a colon is missing");
        }
        ++at_;
        return true;
    }

    // --- shapes ---

    bool document() {
        if (peek() != '{') {
            return other_document();
        }
        if (!object<Shape::event>([this](std::uint8_t row, const Member& member) {
                return event_member(static_cast<EventMember>(row), member);
            })) {
            return false;
        }
        return at_ == end_ ? true : not_json("something follows the event");
    }

    // JSON of another type is a wrong event, anything else is not JSON; the source should know which.
    bool other_document() {
        model::Property ignored;
        if (!parameter_value(ignored)) {
            return false;
        }
        return at_ == end_ ? fail(Rejection::invalid_value, "must be an object")
                           : not_json("something follows the event");
    }

    bool event_member(EventMember which, const Member& member) {
        Event& event = *event_;
        switch (which) {
            case EventMember::event_id:
                return text(member, event.event_id);
            case EventMember::service:
                return text(member, event.service);
            case EventMember::event_type:
                return choice(model::parse_event_type, event.type);
            case EventMember::timestamp:
                return timestamp(member);
            case EventMember::sender:
                return party(model::PartyRole::sender);
            case EventMember::receivers:
                return list(member, [this] { return party(model::PartyRole::receiver); });
            case EventMember::actor:
                return party(model::PartyRole::actor);
            case EventMember::members:
                return list(member, [this] { return party(model::PartyRole::member); });
            case EventMember::refers_to:
                return text(member, event.refers_to);
            case EventMember::status:
                return text(member, event.status);
            case EventMember::conversation:
                event.has_conversation = true;
                return conversation();
            case EventMember::content:
                event.has_content = true;
                return content();
            case EventMember::attachments:
                return list(member, [this] { return attachment(); });
            case EventMember::location:
                return location();
            case EventMember::device:
                return properties(member, event.device);
            case EventMember::network:
                return properties(member, event.network);
            case EventMember::parameters:
                return named(member, 0, max_parameter_name, event.parameters,
                             [this](model::Property& property) { return parameter_value(property); });
        }
        return false;
    }

    bool timestamp(const Member& member) {
        if (!time(member, event_->timestamp)) {
            return false;
        }
        return event_->timestamp->instant <= latest_ ? true : fail(Rejection::future, "is too far in the future");
    }

    bool party(model::PartyRole role) {
        model::Party party;
        party.role = role;
        const bool good = object<Shape::party>([&](std::uint8_t row, const Member& member) {
            switch (static_cast<PartyMember>(row)) {
                case PartyMember::identifiers:
                    party.first_identifier = static_cast<std::uint32_t>(event_->identifiers.size());
                    return list(member, [this] { return identifier(); });
                case PartyMember::nickname:
                    return text(member, party.nickname);
            }
            return false;
        });
        if (!good) {
            return false;
        }
        party.end_identifier = static_cast<std::uint32_t>(event_->identifiers.size());
        event_->parties.push_back(party);
        return true;
    }

    bool identifier() {
        model::Identifier identifier;
        const bool good = object<Shape::identifier>([&](std::uint8_t row, const Member& member) {
            switch (static_cast<IdentifierMember>(row)) {
                case IdentifierMember::type:
                    return choice(model::parse_identifier_type, identifier.type);
                case IdentifierMember::value:
                    return text(member, identifier.value);
            }
            return false;
        });
        if (good) {
            event_->identifiers.push_back(identifier);
        }
        return good;
    }

    bool conversation() {
        model::Conversation& out = event_->conversation;
        return object<Shape::conversation>([&](std::uint8_t row, const Member& member) {
            switch (static_cast<ConversationMember>(row)) {
                case ConversationMember::id:
                    return text(member, out.id);
                case ConversationMember::kind:
                    return text(member, out.kind);
                case ConversationMember::thread_id:
                    return text(member, out.thread_id);
                case ConversationMember::title:
                    return text(member, out.title);
                case ConversationMember::previous_title:
                    return text(member, out.previous_title);
                case ConversationMember::thread_title:
                    return text(member, out.thread_title);
            }
            return false;
        });
    }

    bool content() {
        return object<Shape::content>([&](std::uint8_t row, const Member& member) {
            switch (static_cast<ContentMember>(row)) {
                case ContentMember::type:
                    return text(member, event_->content_type);
                case ContentMember::text:
                    return text(member, event_->text);
            }
            return false;
        });
    }

    bool attachment() {
        std::uint32_t ways = 0;
        const bool good = object<Shape::attachment>([&](std::uint8_t row, const Member& member) {
            const auto which = static_cast<AttachmentMember>(row);
            std::string_view value;
            if (!text(member, value)) {
                return false;
            }
            if (which == AttachmentMember::data && !is_base64(value)) {
                return fail(Rejection::invalid_value, "must be base64");
            }
            ways += which >= AttachmentMember::data ? 1 : 0;
            return true;
        });
        if (!good) {
            return false;
        }
        if (ways != 1) {
            return fail(Rejection::invalid_value, "must have one of data, object and file");
        }
        ++event_->attachments;
        return true;
    }

    bool location() {
        model::Location& out = event_->location.emplace();
        const bool good = object<Shape::location>([&](std::uint8_t row, const Member& member) {
            switch (static_cast<LocationMember>(row)) {
                case LocationMember::latitude:
                    return number(member, out.latitude);
                case LocationMember::longitude:
                    return number(member, out.longitude);
                case LocationMember::accuracy_metres:
                    return number(member, out.accuracy_metres);
                case LocationMember::altitude_metres:
                    return number(member, out.altitude_metres);
                case LocationMember::cell:
                    return text(member, out.cell);
                case LocationMember::description:
                    return text(member, out.description);
                case LocationMember::observed_at:
                    return time(member, out.observed_at);
            }
            return false;
        });
        if (!good) {
            return false;
        }
        if (out.latitude.empty() != out.longitude.empty()) {
            return fail_at(out.latitude.empty() ? "latitude" : "longitude", Rejection::missing_member, "is missing");
        }
        return true;
    }

    bool properties(const Member& member, std::vector<model::Property>& out) {
        return named(member, 1, max_property_name, out,
                     [this](model::Property& property) { return property_value(property); });
    }

    // What can only be said of the event as a whole.
    bool whole_event() {
        Event& event = *event_;
        if (event.parties.empty()) {
            return fail(Rejection::missing_member, "names no party: sender, receivers, actor or members");
        }
        if (event.attachments > 0) {
            return fail_at("attachments", Rejection::attachments, "attachments cannot be handed over yet");
        }
        const auto in_order = [](const model::Party& left, const model::Party& right) {
            return std::pair(left.role, left.first_identifier) < std::pair(right.role, right.first_identifier);
        };
        if (!std::ranges::is_sorted(event.parties, in_order)) {
            std::ranges::sort(event.parties, in_order);
        }
        return true;
    }

    // simdjson's parser itself would build a tree or walk the index for us; its index alone lets strings be viewed
    // where they are, and lone surrogates, which it refuses, be decoded here.
    std::unique_ptr<simdjson::internal::dom_parser_implementation> stage1_;
    std::size_t capacity_ = 0;
    std::unique_ptr<char[]> text_;
    char* free_text_ = nullptr;

    const char* json_ = nullptr;
    std::size_t size_ = 0;
    std::size_t first_escape_ = 0;
    const std::uint32_t* at_ = nullptr;
    const std::uint32_t* end_ = nullptr;
    Event* event_ = nullptr;
    model::Instant latest_;
    Fault fault_;
    std::vector<std::string_view> names_;
};

EventParser::EventParser() : impl_(std::make_unique<Impl>()) {}
EventParser::~EventParser() = default;

std::optional<Fault> EventParser::parse(std::string_view json, model::Instant latest, model::Event& out) {
    return impl_->parse(json, latest, out);
}

void EventParser::shrink() {
    impl_->shrink();
}

}  // namespace lihandover::intake
