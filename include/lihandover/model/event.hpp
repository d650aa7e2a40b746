#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "lihandover/model/time.hpp"

namespace lihandover::model {

// One messaging event as a source reported it. All text is views into memory owned elsewhere (the parser's buffer, or
// an item's stored bytes) and lives as long as that does: so an event under no warrant, as most are, costs no copies.
// Text is WTF-8: UTF-8 that may contain lone surrogates, since intercepted JSON can.
//
// An Event is reused: clear() keeps the capacity of its lists.

/// The types of TS 103 707 annex A, and three for IMS. The numbers are on disk: never change them, only add.
enum class IdentifierType : std::uint8_t { user_id, username, msisdn, e164, email, sip_uri, tel_uri, im_uri };
inline constexpr std::array<std::string_view, 8> identifier_type_names = {"user_id", "username", "msisdn",  "e164",
                                                                          "email",   "sip_uri",  "tel_uri", "im_uri"};
[[nodiscard]] std::optional<IdentifierType> parse_identifier_type(std::string_view name);
[[nodiscard]] constexpr std::string_view name_of(IdentifierType type) {
    return identifier_type_names[static_cast<std::size_t>(type)];
}

/// What happened (TS 103 707 5.6.1). The names are the event's `event_type`.
enum class EventType : std::uint8_t {
    message,
    message_sent,
    message_delivered,
    message_read,
    message_drafted,
    message_edited,
    message_deleted,
    message_failed,
    group_created,
    group_joined,
    group_left,
    group_admin_changed,
    group_title_changed,
    conversation_started,
    conversation_ended,
    conversation_title_changed,
    nickname_changed,
    location,
    device,
    network,
};
inline constexpr std::array<std::string_view, 20> event_type_names = {"message",
                                                                      "message_sent",
                                                                      "message_delivered",
                                                                      "message_read",
                                                                      "message_drafted",
                                                                      "message_edited",
                                                                      "message_deleted",
                                                                      "message_failed",
                                                                      "group_created",
                                                                      "group_joined",
                                                                      "group_left",
                                                                      "group_admin_changed",
                                                                      "group_title_changed",
                                                                      "conversation_started",
                                                                      "conversation_ended",
                                                                      "conversation_title_changed",
                                                                      "nickname_changed",
                                                                      "location",
                                                                      "device",
                                                                      "network"};
[[nodiscard]] std::optional<EventType> parse_event_type(std::string_view name);
[[nodiscard]] constexpr std::string_view name_of(EventType type) {
    return event_type_names[static_cast<std::size_t>(type)];
}

struct Identifier {
    IdentifierType type{};
    std::string_view value;
};

enum class PartyRole : std::uint8_t { sender, receiver, actor, member };
inline constexpr std::array<std::string_view, 4> party_role_names = {"sender", "receiver", "actor", "member"};
[[nodiscard]] constexpr std::string_view name_of(PartyRole role) {
    return party_role_names[static_cast<std::size_t>(role)];
}

struct Party {
    PartyRole role{};
    /// Half-open range in Event::identifiers; empty only in an item's share without metadata (item.hpp).
    std::uint32_t first_identifier = 0;
    std::uint32_t end_identifier = 0;
    /// A name shown for the party, chosen freely (content, not metadata); empty when absent.
    std::string_view nickname;
};

/// A named value whose meaning TS 103 707 does not define. With `json` set, the value is the raw JSON text of something
/// other than a string (a number, true, an object …).
struct Property {
    std::string_view name;
    std::string_view value;
    bool json = false;
};

/// The event's conversation; every field may be empty.
struct Conversation {
    std::string_view id;
    std::string_view kind;  ///< direct, group, room, channel, …: the source's word
    std::string_view thread_id;
    std::string_view title;           ///< content
    std::string_view previous_title;  ///< content
    std::string_view thread_title;    ///< content
};

/// WGS 84 degrees; each number is kept as the JSON text in which it was given, so that nothing is rounded.
struct Location {
    std::string_view latitude;
    std::string_view longitude;
    std::string_view accuracy_metres;  ///< empty when absent
    std::string_view altitude_metres;  ///< empty when absent
    std::string_view cell;             ///< a cell identity as text; empty when absent
    std::string_view description;      ///< address or place; empty when absent
    std::optional<QualifiedTime> observed_at;
};

/// A binary object that belongs to the event (TS 103 707 5.4.3).
struct Attachment {
    /// Where its bytes are.
    enum class Source : std::uint8_t {
        data,    ///< in the event: `reference` is their base64
        object,  ///< uploaded before: `reference` is the id it was uploaded under
        file,    ///< in a file: `reference` is its path below intake.attachment_root
    };
    std::string_view id;
    std::string_view content_type;  ///< empty when absent
    std::string_view filename;      ///< empty when absent
    std::string_view sha256;        ///< 64 hex digits in any case; empty when absent
    Source source{};
    std::string_view reference;
};

struct Event {
    std::string_view event_id;
    std::string_view service;
    EventType type{};
    std::optional<QualifiedTime> timestamp;
    /// The message that a status change or edit is about (its event_id or the service's own id); empty when absent.
    std::string_view refers_to;
    std::string_view status;  ///< the source's word for the state of the message (metadata); empty when absent
    bool has_conversation = false;
    Conversation conversation;
    bool has_content = false;
    std::string_view content_type;
    std::string_view text;
    std::optional<Location> location;
    std::vector<Property> device;      ///< device details (metadata)
    std::vector<Property> network;     ///< network details (metadata)
    std::vector<Property> parameters;  ///< content, except for the names in intake.metadata_parameters
    std::vector<Party> parties;        ///< in the order sender, receivers, actor, members
    std::vector<Identifier> identifiers;
    std::vector<Attachment> attachments;

    /// Empties the event; the lists keep their capacity.
    void clear();
    [[nodiscard]] std::span<const Identifier> identifiers_of(const Party& party) const {
        return std::span(identifiers).subspan(party.first_identifier, party.end_identifier - party.first_identifier);
    }
};

}  // namespace lihandover::model
