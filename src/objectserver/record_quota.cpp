#include "record_quota.hpp"

#include <algorithm>
#include <utility>

namespace lihandover::objectserver {

void RecordQuota::set(std::uint64_t store_bytes, std::chrono::seconds kept, std::size_t destinations) {
    constexpr std::chrono::seconds for_ever = std::chrono::hours(24 * 365 * 10);
    const auto seconds = static_cast<double>((kept.count() > 0 ? kept : for_ever).count());
    const auto entries = static_cast<double>(store_bytes / share_of_store / entry_bytes);
    const double per_second = entries / seconds / static_cast<double>(std::max<std::size_t>(destinations, 1));
    if (std::exchange(per_second_, per_second) != per_second) {
        shares_.clear();
    }
}

RecordQuota::Place RecordQuota::take(std::string_view destination, TokenBucket::Time now) {
    if (per_second_ == 0) {
        return {};
    }
    auto found = shares_.find(destination);
    if (found == shares_.end()) {
        const auto seconds = static_cast<double>(std::chrono::seconds(saved).count());
        TokenBucket bucket(per_second_, std::max(per_second_ * seconds, least_burst), now);
        found = shares_.emplace(destination, Share{bucket, 0}).first;
    }
    Share& share = found->second;
    if (!share.bucket.take(now)) {
        ++share.unrecorded;
        return {false, 0};
    }
    return {true, std::exchange(share.unrecorded, 0)};
}

}  // namespace lihandover::objectserver
