#pragma once

#include <string_view>

#include "digest.hpp"
#include "lihandover/ims/event.hpp"
#include "lihandover/ims/tracker.hpp"
#include "lihandover/model/event.hpp"

namespace lihandover::ims {

// How events of this room are made, so that all of them are made alike:
//
//     const Digest id = event_naming(copy, "group_joined").add(conference).add(member).finish();
//     MadeEvent made = make_event({copy, service}, model::EventType::group_joined, id);
//     set_conversation(made, text_of(conversation), "group");
//     add_party(made, model::PartyRole::actor, uris);                // parties.hpp
//     mark_targeted(made, copy, Way::along);
//     made.substance = …;

/// A copy, and whose events are made of it.
struct Origin {
    const Copy& copy;
    std::string_view service;
};

/// Begins the name of an event of this copy's task and correlation. What is added names what happened, never when.
[[nodiscard]] Naming event_naming(const Copy& copy, std::string_view what);

/// An event with its id, service, type and, where the copy has one, its time.
[[nodiscard]] MadeEvent make_event(const Origin& origin, model::EventType type, const Digest& id);

/// The time of an event, as the point of interception gave it.
void set_time(MadeEvent& made, model::Instant at);

///   kind   a literal
void set_conversation(MadeEvent& made, std::string_view id, std::string_view kind);

/// Copies a text that came over the wire: bytes that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string_view keep_text(MadeEvent& made, std::string_view text);

/// The event that this one is about.
void set_refers_to(MadeEvent& made, const Digest& id);

///   name   a literal
void add_parameter(MadeEvent& made, std::string_view name, std::string_view value);

/// Text as the event's content.
///   content_type   a literal
void set_text(MadeEvent& made, std::string_view content_type, std::string_view text);

/// A binary object. A content type that is none stays away; where it has a name, that is left out if empty.
void add_object(MadeEvent& made, std::string_view content_type, std::string_view file_name, Bytes bytes);

/// The names of parameters that events of this room have.
inline constexpr std::string_view completeness_parameter = "completeness";
inline constexpr std::string_view ranges_parameter = "ranges";
/// Values of completeness.
inline constexpr std::string_view completeness_partial = "partial";
inline constexpr std::string_view completeness_unreadable = "unreadable";

}  // namespace lihandover::ims
