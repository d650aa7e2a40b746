#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "lihandover/intake/http/event_members.hpp"
#include "lihandover/model/event.hpp"

namespace lihandover::intake {

// The tables themselves, which the parser uses at compile time. Each enum names the rows of its table, in order.

enum class EventMember : std::uint8_t {
    event_id,
    service,
    event_type,
    timestamp,
    sender,
    receivers,
    actor,
    members,
    refers_to,
    status,
    conversation,
    content,
    attachments,
    location,
    device,
    network,
    parameters,
};

inline constexpr std::uint32_t max_parties = 10'000;

inline constexpr std::array event_members = std::to_array<Member>({
    {.name = "event_id",
     .kind = ValueKind::text,
     .required = true,
     .min = 1,
     .max = 256,
     .help = "Names the event within its source; an event sent again carries the same one"},
    {.name = "service",
     .kind = ValueKind::text,
     .required = true,
     .min = 1,
     .max = 128,
     .help = "The messaging service; warrants may be limited to some"},
    {.name = "event_type",
     .kind = ValueKind::choice,
     .required = true,
     .choices = model::event_type_names,
     .help = "What happened"},
    {.name = "timestamp",
     .kind = ValueKind::time,
     .max = 64,
     .help = "When it happened; without it warrants apply by the time of receipt"},
    {.name = "sender", .kind = ValueKind::object, .shape = Shape::party, .help = "Who sent the message"},
    {.name = "receivers",
     .kind = ValueKind::list,
     .max = max_parties,
     .shape = Shape::party,
     .help = "Whom it was sent to"},
    {.name = "actor",
     .kind = ValueKind::object,
     .shape = Shape::party,
     .help = "Who did what the event tells: read it, deleted it, left the group"},
    {.name = "members",
     .kind = ValueKind::list,
     .max = max_parties,
     .shape = Shape::party,
     .help = "Members of the conversation whom the event concerns"},
    {.name = "refers_to",
     .kind = ValueKind::text,
     .max = 256,
     .help = "The message that a change of status or an edit is about"},
    {.name = "status", .kind = ValueKind::text, .max = 128, .help = "State of the message, in the service's own word"},
    {.name = "conversation",
     .kind = ValueKind::object,
     .shape = Shape::conversation,
     .help = "The conversation that the event belongs to"},
    {.name = "content", .kind = ValueKind::object, .shape = Shape::content, .help = "The text of the message"},
    {.name = "attachments",
     .kind = ValueKind::list,
     .max = 1000,
     .shape = Shape::attachment,
     .help = "Binary objects that belong to the event"},
    {.name = "location", .kind = ValueKind::object, .shape = Shape::location, .help = "Where the device was"},
    {.name = "device",
     .kind = ValueKind::properties,
     .max = 64,
     .help = "Details of the device: strings, numbers, truth values"},
    {.name = "network",
     .kind = ValueKind::properties,
     .max = 64,
     .help = "Details of the network: strings, numbers, truth values"},
    {.name = "parameters",
     .kind = ValueKind::parameters,
     .max = 256,
     .help = "Anything else, by names of the source's own choosing"},
});

enum class PartyMember : std::uint8_t { identifiers, nickname };

inline constexpr std::array party_members = std::to_array<Member>({
    {.name = "identifiers",
     .kind = ValueKind::list,
     .required = true,
     .min = 1,
     .max = 64,
     .shape = Shape::identifier,
     .help = "Every identifier that the service knows of the party"},
    {.name = "nickname", .kind = ValueKind::text, .max = 1024, .help = "A name shown for the party, chosen freely"},
});

enum class IdentifierMember : std::uint8_t { type, value };

inline constexpr std::array identifier_members = std::to_array<Member>({
    {.name = "type",
     .kind = ValueKind::choice,
     .required = true,
     .choices = model::identifier_type_names,
     .help = "What kind of identifier it is"},
    {.name = "value",
     .kind = ValueKind::text,
     .required = true,
     .min = 1,
     .max = 1024,
     .help = "The identifier as the service has it"},
});

enum class ConversationMember : std::uint8_t { id, kind, thread_id, title, previous_title, thread_title };

inline constexpr std::array conversation_members = std::to_array<Member>({
    {.name = "id",
     .kind = ValueKind::text,
     .max = 1024,
     .help = "Names the conversation; items of one conversation are numbered together"},
    {.name = "kind",
     .kind = ValueKind::text,
     .max = 128,
     .help = "`direct`, `group`, `room` …, in the service's own word"},
    {.name = "thread_id", .kind = ValueKind::text, .max = 1024, .help = "Names the thread within the conversation"},
    {.name = "title", .kind = ValueKind::text, .max = 4096, .help = "Title of the conversation"},
    {.name = "previous_title", .kind = ValueKind::text, .max = 4096, .help = "Title before the event changed it"},
    {.name = "thread_title", .kind = ValueKind::text, .max = 4096, .help = "Title of the thread"},
});

enum class ContentMember : std::uint8_t { type, text };

inline constexpr std::array content_members = std::to_array<Member>({
    {.name = "type", .kind = ValueKind::text, .max = 255, .help = "Media type of the text, `text/plain`"},
    {.name = "text",
     .kind = ValueKind::text,
     .required = true,
     .max = unbounded,
     .help = "The text, sent, edited or drafted; may be empty"},
});

enum class AttachmentMember : std::uint8_t { id, content_type, filename, sha256, data, object, file };

inline constexpr std::array attachment_members = std::to_array<Member>({
    {.name = "id",
     .kind = ValueKind::text,
     .required = true,
     .min = 1,
     .max = 256,
     .help = "Names the object within the event, which has no other of that id"},
    {.name = "content_type", .kind = ValueKind::text, .max = 255, .help = "Media type of the object"},
    {.name = "filename", .kind = ValueKind::text, .max = 65'536, .help = "Its name at the source"},
    {.name = "sha256",
     .kind = ValueKind::text,
     .min = 64,
     .max = 64,
     .help = "SHA-256 of the object, in hex digits; what the object does not agree with is refused"},
    {.name = "data", .kind = ValueKind::text, .max = unbounded, .help = "The object itself, in base64"},
    {.name = "object", .kind = ValueKind::text, .min = 1, .max = 256, .help = "The id of an object uploaded before"},
    {.name = "file", .kind = ValueKind::text, .min = 1, .max = 4096, .help = "A file below `intake.attachment_root`"},
});

enum class LocationMember : std::uint8_t {
    latitude,
    longitude,
    accuracy_metres,
    altitude_metres,
    cell,
    description,
    observed_at,
};

inline constexpr std::array location_members = std::to_array<Member>({
    {.name = "latitude",
     .kind = ValueKind::number,
     .max = max_number_text,
     .lowest = -90,
     .highest = 90,
     .help = "WGS 84, degrees; goes with `longitude`"},
    {.name = "longitude",
     .kind = ValueKind::number,
     .max = max_number_text,
     .lowest = -180,
     .highest = 180,
     .help = "WGS 84, degrees; goes with `latitude`"},
    {.name = "accuracy_metres",
     .kind = ValueKind::number,
     .max = max_number_text,
     .lowest = 0,
     .highest = 100'000'000,
     .help = "Radius around the position"},
    {.name = "altitude_metres",
     .kind = ValueKind::number,
     .max = max_number_text,
     .lowest = -100'000,
     .highest = 100'000'000,
     .help = "Above the WGS 84 ellipsoid"},
    {.name = "cell", .kind = ValueKind::text, .max = 256, .help = "Identity of the radio cell"},
    {.name = "description", .kind = ValueKind::text, .max = 4096, .help = "Address or name of the place"},
    {.name = "observed_at", .kind = ValueKind::time, .max = 64, .help = "When the device was seen there"},
});

template <Shape shape>
[[nodiscard]] consteval auto table_of() {
    if constexpr (shape == Shape::event) {
        return event_members;
    } else if constexpr (shape == Shape::party) {
        return party_members;
    } else if constexpr (shape == Shape::identifier) {
        return identifier_members;
    } else if constexpr (shape == Shape::conversation) {
        return conversation_members;
    } else if constexpr (shape == Shape::content) {
        return content_members;
    } else if constexpr (shape == Shape::attachment) {
        return attachment_members;
    } else {
        return location_members;
    }
}

/// Whether `text`, which has the same size, is `name`. Without a call: names are short, and there are many.
[[nodiscard]] constexpr bool is_name(std::string_view text, std::string_view name) {
    if (std::is_constant_evaluated()) {
        return text == name;
    }
    const auto word = [](const char* from, auto zero) {
        std::memcpy(&zero, from, sizeof zero);
        return zero;
    };
    const char* const left = text.data();
    const char* const right = name.data();
    std::size_t size = name.size();
    if (size >= 8) {
        // The last eight bytes overlap with what was already compared.
        for (std::size_t at = 0; at + 8 < size; at += 8) {
            if (word(left + at, std::uint64_t{}) != word(right + at, std::uint64_t{})) {
                return false;
            }
        }
        return word(left + size - 8, std::uint64_t{}) == word(right + size - 8, std::uint64_t{});
    }
    if (size >= 4) {
        return word(left, std::uint32_t{}) == word(right, std::uint32_t{}) &&
               word(left + size - 4, std::uint32_t{}) == word(right + size - 4, std::uint32_t{});
    }
    while (size > 0) {
        --size;
        if (left[size] != right[size]) {
            return false;
        }
    }
    return true;
}

/// Finds a name in a list with one comparison: a hash of the name's length and three of its bytes, with factors found
/// at compile time so that no two names collide.
template <std::size_t count>
class NameIndex {
  public:
    static constexpr std::uint8_t none = 0xff;

    consteval explicit NameIndex(const std::array<std::string_view, count>& names) : names_(names) {
        search();
        slots_.fill(none);
        for (std::size_t row = 0; row < count; ++row) {
            slots_[hash(names_[row])] = static_cast<std::uint8_t>(row);
        }
    }

    /// The place of a name in the list, or none.
    [[nodiscard]] constexpr std::uint8_t find(std::string_view name) const {
        if (name.empty()) {
            return none;
        }
        const std::uint8_t row = slots_[hash(name)];
        return row != none && names_[row].size() == name.size() && is_name(name, names_[row]) ? row : none;
    }

  private:
    static constexpr std::size_t slot_count = 64;

    // Names differ in the middle: event types begin and end alike.
    [[nodiscard]] constexpr std::size_t hash(std::string_view name) const {
        const auto byte = [name](std::size_t at) { return std::size_t{static_cast<unsigned char>(name[at])}; };
        const std::size_t size = name.size();
        return (size + by_[0] * byte(size / 4) + by_[1] * byte(size / 2) + by_[2] * byte(size * 2 / 3)) % slot_count;
    }
    [[nodiscard]] consteval bool collides() const {
        std::uint64_t taken = 0;
        for (const std::string_view name : names_) {
            const std::uint64_t bit = std::uint64_t{1} << hash(name);
            if ((taken & bit) != 0) {
                return true;
            }
            taken |= bit;
        }
        return false;
    }
    consteval void search() {
        for (by_[0] = 1; by_[0] < 32; ++by_[0]) {
            for (by_[1] = 0; by_[1] < 32; ++by_[1]) {
                for (by_[2] = 0; by_[2] < 32; ++by_[2]) {
                    if (!collides()) {
                        return;
                    }
                }
            }
        }
        throw "no factors without a collision: take other bytes";
    }

    std::array<std::string_view, count> names_;
    std::array<std::size_t, 3> by_{};
    std::array<std::uint8_t, slot_count> slots_{};
};

/// The table of a shape in the form the parser needs.
template <Shape shape>
struct ShapeTable {
    static constexpr auto members = table_of<shape>();
    static_assert(members.size() <= 32, "a set of members is 32 bits");

    static constexpr NameIndex<members.size()> index{[] {
        std::array<std::string_view, members.size()> names;
        for (std::size_t row = 0; row < members.size(); ++row) {
            names[row] = members[row].name;
        }
        return names;
    }()};
    /// Bit n set: member n must be there.
    static constexpr std::uint32_t required = [] {
        std::uint32_t bits = 0;
        for (std::size_t row = 0; row < members.size(); ++row) {
            bits |= members[row].required ? std::uint32_t{1} << row : 0;
        }
        return bits;
    }();
};

inline constexpr NameIndex event_type_index{model::event_type_names};
inline constexpr NameIndex identifier_type_index{model::identifier_type_names};

}  // namespace lihandover::intake
