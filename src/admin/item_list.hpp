#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/result.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/store/operator_view.hpp"

namespace lihandover::admin {

/// Which items somebody wants to see.
struct ItemsWanted {
    std::optional<store::ItemState> state;  ///< nullopt: all that wait
    std::string destination;                ///< these three: empty for any
    std::string liid;
    std::optional<bool> emergency;
    std::optional<model::Instant> since, until;  ///< of their receipt
    store::ListPlace after;
    std::size_t limit = 100;
    /// How long to look for it; what was found by then is a page, however short. At least one step is made.
    std::chrono::milliseconds patience{1000};

    /// Whether every item is meant, whatever it says of itself.
    [[nodiscard]] bool all() const { return destination.empty() && liid.empty() && !emergency && !since && !until; }
    [[nodiscard]] bool has(const store::ItemView& item) const;
};

struct ItemList {
    std::vector<store::ItemView> items;
    std::optional<store::ListPlace> next;  ///< where more may be
    std::size_t looked_at = 0;
};

/// Items looked at for one list; there may be more behind it then, though it is short or empty.
inline constexpr std::size_t max_scan = 100'000;

/// A page of items: emergencies first. Blocks on the disk.
[[nodiscard]] model::Result<ItemList> list_items(store::OperatorView& store, const ItemsWanted& wanted);

[[nodiscard]] std::optional<store::ItemState> parse_state(std::string_view text);

/// What leads to the page behind an item, and back.
[[nodiscard]] std::string text_of(const store::ListPlace& place);
[[nodiscard]] std::optional<store::ListPlace> parse_place(std::string_view text);

}  // namespace lihandover::admin
