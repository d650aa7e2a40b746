#include "item_list.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "words.hpp"

namespace lihandover::admin {

bool ItemsWanted::has(const store::ItemView& item) const {
    return (destination.empty() || item.destination == destination) && (liid.empty() || item.liid == liid) &&
           (!emergency || item.emergency == *emergency) && (!since || item.received_at >= *since) &&
           (!until || item.received_at < *until);
}

model::Result<ItemList> list_items(store::OperatorView& store, const ItemsWanted& wanted) {
    ItemList list;
    store::ListPlace after = wanted.after;
    if (wanted.emergency == false && !after.routine) {
        after = {true, 0};  // behind the emergencies
    }
    const auto end = std::chrono::steady_clock::now() + wanted.patience;
    bool more = true;
    bool in_time = true;
    while (more && in_time && list.items.size() < wanted.limit && list.looked_at < max_scan) {
        const auto asked = wanted.all() ? wanted.limit - list.items.size() : max_page;
        auto items = store.items(wanted.state, after, asked);
        if (!items) {
            return items.error();
        }
        list.looked_at += asked;
        more = items->size() >= asked;
        for (store::ItemView& item : *items) {
            if (wanted.emergency == true && !item.emergency) {
                more = false;
                break;
            }
            if (list.items.size() == wanted.limit) {
                more = true;
                break;
            }
            after = item.place();
            if (wanted.has(item)) {
                list.items.push_back(std::move(item));
            }
        }
        in_time = std::chrono::steady_clock::now() < end;
    }
    if (more) {
        list.next = after;
    }
    return model::Result<ItemList>(boost::system::in_place_value, std::move(list));
}

std::optional<store::ItemState> parse_state(std::string_view text) {
    const auto& names = store::item_state_names;
    const auto* const found = std::ranges::find(names, text);
    if (found == names.end()) {
        return std::nullopt;
    }
    return static_cast<store::ItemState>(found - names.begin());
}

std::string text_of(const store::ListPlace& place) {
    return (place.routine ? "" : "e") + std::to_string(place.row);
}

std::optional<store::ListPlace> parse_place(std::string_view text) {
    const bool routine = !text.starts_with('e');
    const auto row = parse_number(routine ? text : text.substr(1));
    if (!row || *row > static_cast<std::uint64_t>(INT64_MAX)) {
        return std::nullopt;
    }
    return store::ListPlace{routine, static_cast<store::RowId>(*row)};
}

}  // namespace lihandover::admin
