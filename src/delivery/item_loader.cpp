#include "item_loader.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "lihandover/handover/writer.hpp"

namespace lihandover::delivery {

ItemLoader::ItemLoader(store::Outbox& outbox, const store::Register& profiles, std::size_t most_kept)
    : outbox_(outbox), register_(profiles), most_kept_(most_kept) {}

std::size_t ItemLoader::ahead() const {
    return std::clamp<std::size_t>(ahead_bytes / (average_ + 1), 1, max_ahead);
}

model::Result<ItemLoader::Filled> ItemLoader::fill(std::span<const store::RowId> rows) {
    auto loaded = outbox_.load(rows);
    if (!loaded && rows.size() > 1) {
        loaded = outbox_.load(rows.first(1));
    }
    if (!loaded) {
        return std::move(loaded).error();
    }
    auto filled = Filled::gone;
    store::StoredItem* needed = nullptr;
    for (auto& item : *loaded) {
        if (item.row == rows.front()) {
            filled = item.unreadable_now ? Filled::not_now : Filled::there;
            needed = item.unreadable_now ? nullptr : &item;
        } else if (!item.unreadable_now) {
            offer(std::move(item));
        }
    }
    if (needed != nullptr) {
        offer(std::move(*needed));  // last, so that no other takes its room
    }
    return filled;
}

void ItemLoader::offer(store::StoredItem&& item) {
    average_ = (average_ * 15 + item.share.size()) / 16;
    keep(std::move(item));
}

void ItemLoader::keep(store::StoredItem&& item) {
    const auto bytes = item.share.size();
    const auto row = item.row;
    make_room(bytes);
    if (kept_.try_emplace(row, std::move(item), next_number_).second) {
        kept_bytes_ += bytes;
        order_.emplace_back(next_number_++, row);
    }
}

/// Among them are items of lanes that were put off meanwhile, or withdrawn: nobody will take them soon.
void ItemLoader::make_room(std::size_t bytes) {
    const auto is_there = [this](const auto& entry) {
        const auto found = kept_.find(entry.second);
        return found != kept_.end() && found->second.number == entry.first;
    };
    while (!order_.empty() &&
           (kept_.size() >= most_kept_ || kept_bytes_ + bytes > max_kept_bytes || !is_there(order_.front()))) {
        if (is_there(order_.front())) {
            forget(order_.front().second);
        }
        order_.pop_front();
    }
    if (order_.size() >= 2 * most_kept_) {  // behind one that stays, many were taken
        std::erase_if(order_, std::not_fn(is_there));
    }
}

bool ItemLoader::take(store::RowId row, store::StoredItem& out) {
    const auto found = kept_.find(row);
    if (found == kept_.end()) {
        return false;
    }
    kept_bytes_ -= found->second.item.share.size();
    out = std::move(found->second.item);
    kept_.erase(found);
    return true;
}

void ItemLoader::put_back(store::StoredItem&& item) {
    keep(std::move(item));
}

void ItemLoader::forget(store::RowId row) {
    const auto found = kept_.find(row);
    if (found != kept_.end()) {
        kept_bytes_ -= found->second.item.share.size();
        kept_.erase(found);
    }
}

const LoadedProfile* ItemLoader::profile(store::ProfileId id) {
    const auto found = profiles_.find(id);
    if (found != profiles_.end()) {
        return &found->second;
    }
    auto profile = register_.find_profile(id);
    if (!profile) {
        return nullptr;
    }
    LoadedProfile loaded{std::move(profile), {}};
    if (const auto checked = handover::check_profile(*loaded.profile); !checked) {
        loaded.problem = checked.error().message;
    }
    return &profiles_.emplace(id, std::move(loaded)).first->second;
}

bool same_header(const model::Profile& a, const model::Profile& b) {
    return &a == &b || (a.sender == b.sender && a.receiver == b.receiver && a.etsi_version == b.etsi_version &&
                        a.national_profile_owner == b.national_profile_owner &&
                        a.national_profile_version == b.national_profile_version);
}

}  // namespace lihandover::delivery
