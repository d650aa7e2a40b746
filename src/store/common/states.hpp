#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lihandover/store/downloads.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::store {

// What rows of every engine say, and how they may change.

// How the tables `item` and `aside` pack them.
inline constexpr std::int64_t item_flag_emergency = 1;
inline constexpr std::int64_t item_flag_carries_schema = 2;
inline constexpr std::int64_t item_flag_has_objects = 4;

// How the table `object` packs them.
inline constexpr std::int64_t object_flag_emergency = 1;
inline constexpr std::int64_t object_flag_model_b = 2;
inline constexpr std::int64_t object_flag_remove_when_fetched = 4;
inline constexpr std::int64_t object_flag_fetched = 8;  ///< whole, before its item was accepted

/// State of a row of `blob`: the bytes that one or more objects have. The numbers are on disk: never change them, only
/// add.
enum class BlobState : std::uint8_t {
    ready = 0,      ///< a sealed file
    preparing = 1,  ///< still to be copied from the file that the source named
    lost = 2,       ///< that cannot be done
};
inline constexpr std::array<std::string_view, 3> blob_state_names = {"ready", "preparing", "lost"};

/// What the pieces that are sealed with an object's bytes are bound to, where it is no number of an object's row.
inline constexpr std::int64_t place_of_key = -1;
inline constexpr std::int64_t place_of_path = -2;

/// Whether the schema goes with the item (TS 103 707 table 9).
[[nodiscard]] constexpr bool takes_schema(SchemaContent content, std::uint32_t provided, std::uint32_t schema_bit) {
    const bool known = schema_bit != 0 && (provided & schema_bit) != 0;
    return content == SchemaContent::always || (content == SchemaContent::first && !known);
}

/// What a reviewer's word about an item came to, as Decided counts it.
enum class Verdict : std::uint8_t {
    none,  ///< there is no such item, or it is not as it was seen
    repeated,
    first,
    done,
    unreadable,  ///< its content, so that nothing was changed
};

/// As which an object that waits by itself is seen.
[[nodiscard]] constexpr ItemState item_state_of(ObjectState state) {
    return state == ObjectState::queued      ? ItemState::queued
           : state == ObjectState::set_aside ? ItemState::set_aside
                                             : ItemState::refused;
}
/// Whether a decision is about an object that waits by itself, by its id or that of its item. Whoever saw an item in
/// one of its states did not decide about what waits since that was delivered.
[[nodiscard]] constexpr bool is_meant(const Meant& meant, const model::Uuid& object, ObjectState state) {
    const bool any = meant.as == waiting_states;
    return object == meant.id && state != ObjectState::offered ? meant.as.has(item_state_of(state)) : any;
}

/// Which moves there are; docs/store.md draws them.
[[nodiscard]] constexpr bool may_move(ItemState from, ItemState to) {
    switch (from) {
        case ItemState::held:
            // Delivered: it was on its way when it was withheld.
            return to == ItemState::queued || to == ItemState::delivered || to == ItemState::rejected;
        case ItemState::queued:
            return to == ItemState::delivered || to == ItemState::refused || to == ItemState::set_aside ||
                   to == ItemState::held || to == ItemState::rejected;
        case ItemState::set_aside:
            return to == ItemState::delivered || to == ItemState::refused || to == ItemState::queued ||
                   to == ItemState::set_aside || to == ItemState::held || to == ItemState::rejected;
        case ItemState::refused:
            // Delivered: an answer to an attempt from before.
            return to == ItemState::delivered || to == ItemState::queued || to == ItemState::rejected;
        case ItemState::delivered:
        case ItemState::rejected:
            return false;
    }
    return false;
}

/// Which moves there are between states; docs/store.md draws them.
[[nodiscard]] constexpr bool may_move(ObjectState from, ObjectState to) {
    switch (from) {
        case ObjectState::attached:
            return to == ObjectState::offered || to == ObjectState::queued;
        case ObjectState::offered:
            return false;
        case ObjectState::queued:
            return to == ObjectState::refused || to == ObjectState::set_aside;
        case ObjectState::refused:
            return to == ObjectState::queued;
        case ObjectState::set_aside:
            return to == ObjectState::queued || to == ObjectState::refused || to == ObjectState::set_aside;
    }
    return false;
}

/// Of a revoked warrant's lane: the rows behind `after` that are to be held.
struct Withholding {
    LaneId lane = 0;
    Review review{};
    RowId after = 0;
    std::optional<RowId> upto;  ///< nullopt: there may come more
    bool up_to_date = false;    ///< all that is there is held
    bool waits = false;         ///< for a key that cannot be read now

    /// Whether there is something to be done now.
    [[nodiscard]] bool due() const { return !waits && (upto || !up_to_date); }
};
/// Whether the row is one of those that are to be held.
[[nodiscard]] bool is_in(std::span<const Withholding> withheld, LaneId lane, RowId row);

/// Of an object that is never taken away.
inline constexpr std::int64_t no_expiry = std::numeric_limits<std::int64_t>::max();

/// Later by `seconds`, wherever that is.
[[nodiscard]] constexpr std::int64_t later(std::int64_t micros, std::int64_t seconds) {
    std::int64_t sum = 0;
    if (__builtin_mul_overflow(seconds, 1'000'000, &sum) || __builtin_add_overflow(sum, micros, &sum)) {
        return no_expiry;
    }
    return sum;
}

// What entries of the record say.

/// What an approval's entry says of the people it needs.
[[nodiscard]] constexpr std::string_view approval_text(Review review, bool first) {
    if (review == Review::required) {
        return "one of one";
    }
    return first ? "one of two" : "two of two";
}

/// `why`, and what was said when it was refused, as OperatorView::records tells it.
[[nodiscard]] std::string with_refusal(RecordKind kind, std::string why, const Refusal& refusal);
/// Of a request for an object.
[[nodiscard]] std::string words_of(const Fetch& fetch);

}  // namespace lihandover::store
