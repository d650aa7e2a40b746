#include "document_order.hpp"

#include <algorithm>

namespace lihandover::ims {

namespace {

// Seconds that the clocks of two points of interception may differ.
constexpr std::int64_t clocks_differ = 2;

}  // namespace

DocumentOrder::News DocumentOrder::take(const Arrival& arrival, bool& gap) {
    gap = false;
    const auto known = std::ranges::find(dialogs_, arrival.dialog, &Dialog::key);
    const bool first = known == dialogs_.end();
    Dialog dialog = first ? Dialog{arrival.dialog, 0, std::nullopt} : *known;
    if (!first) {
        const bool newer = arrival.cseq > dialog.cseq;
        const bool counts_anew = arrival.whole && newer;
        const bool older_version = arrival.version && dialog.version && *arrival.version <= *dialog.version;
        if ((arrival.cseq != 0 && !newer) || (older_version && !counts_anew)) {
            return News::repeat;
        }
        dialogs_.erase(known);
    } else if (dialogs_.size() >= most_dialogs) {
        dialogs_.erase(dialogs_.begin());
    }
    const bool skips = arrival.version && dialog.version && *arrival.version > *dialog.version + std::uint64_t{1};
    gap = arrival.state == InfoState::partial && (skips || (first && !told_by_));
    dialog.cseq = std::max(dialog.cseq, arrival.cseq);
    dialog.version = arrival.version || arrival.whole ? arrival.version : dialog.version;
    dialogs_.push_back(dialog);

    const bool of_another = told_by_ && *told_by_ != arrival.dialog;
    const bool earlier = arrival.at && told_at_ && *arrival.at < *told_at_;
    const bool lags = earlier && arrival.at->seconds + clocks_differ < told_at_->seconds;
    if (of_another && lags && !gap_ && arrival.state != InfoState::deleted) {
        return News::late;
    }
    gap_ = !arrival.whole && (gap_ || gap);
    told_by_ = arrival.dialog;
    told_at_ = earlier ? told_at_ : arrival.at;
    return News::news;
}

void DocumentOrder::end(const TableKey& dialog) {
    std::erase_if(dialogs_, [&dialog](const Dialog& each) { return each.key == dialog; });
}

}  // namespace lihandover::ims
