#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lihandover/model/item.hpp"

namespace lihandover::objectserver {

/// The entity tag of an object: its checksum in hex, in quotes. Strong, since the bytes at a URL never change.
[[nodiscard]] std::string entity_tag(const model::Sha256& sha256);

/// The fields that make a request conditional, as sent. There is no Last-Modified, so the conditions on dates
/// (If-Modified-Since, If-Unmodified-Since) do not apply (RFC 9110 13.1.3 and 13.1.4) and are ignored.
struct Conditions {
    std::optional<std::string_view> if_match;
    std::optional<std::string_view> if_none_match;
};

enum class ConditionResult : std::uint8_t {
    proceed,
    not_modified,         ///< 304
    precondition_failed,  ///< 412
};

/// In the order of RFC 9110 13.2.2, for GET and HEAD of an object that exists. If-Match compares strongly,
/// If-None-Match weakly; what is not an entity tag matches nothing.
[[nodiscard]] ConditionResult evaluate(const Conditions& conditions, std::string_view tag);

/// Whether a Range field applies despite an If-Range field: there is none, or it is exactly the tag. A weak tag or a
/// date never is (RFC 9110 13.1.5).
[[nodiscard]] bool range_counts(std::optional<std::string_view> if_range, std::string_view tag);

}  // namespace lihandover::objectserver
