#include "item_loader.hpp"

#include <algorithm>
#include <utility>

#include "lihandover/handover/writer.hpp"

namespace lihandover::delivery {

ItemLoader::ItemLoader(store::Outbox& outbox, const store::Register& profiles) : outbox_(outbox), register_(profiles) {}

std::size_t ItemLoader::ahead() const {
    return std::clamp<std::size_t>(ahead_bytes / (average_ + 1), 1, max_ahead);
}

model::Status ItemLoader::fill(std::span<const store::RowId> rows) {
    auto loaded = outbox_.load(rows);
    if (!loaded && rows.size() > 1) {
        loaded = outbox_.load(rows.first(1));
    }
    if (!loaded) {
        return std::move(loaded).error();
    }
    if (kept_.size() + loaded->size() > max_kept || kept_bytes_ > max_kept_bytes) {
        forget_all();
    }
    for (auto& item : *loaded) {
        average_ = (average_ * 15 + item.share.size()) / 16;
        keep(std::move(item));
    }
    return {};
}

void ItemLoader::forget_all() {
    // Left over from lanes that were put off meanwhile. They are read again when their turn comes.
    kept_.clear();
    kept_bytes_ = 0;
}

void ItemLoader::offer(store::StoredItem&& item) {
    if (kept_.size() >= max_kept || kept_bytes_ + item.share.size() > max_offered_bytes) {
        forget_all();
    }
    average_ = (average_ * 15 + item.share.size()) / 16;
    keep(std::move(item));
}

void ItemLoader::keep(store::StoredItem&& item) {
    const auto bytes = item.share.size();
    if (kept_.try_emplace(item.row, std::move(item)).second) {
        kept_bytes_ += bytes;
    }
}

bool ItemLoader::take(store::RowId row, store::StoredItem& out) {
    const auto found = kept_.find(row);
    if (found == kept_.end()) {
        return false;
    }
    kept_bytes_ -= found->second.share.size();
    out = std::move(found->second);
    kept_.erase(found);
    return true;
}

void ItemLoader::put_back(store::StoredItem&& item) {
    keep(std::move(item));
}

void ItemLoader::forget(store::RowId row) {
    const auto found = kept_.find(row);
    if (found != kept_.end()) {
        kept_bytes_ -= found->second.share.size();
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
