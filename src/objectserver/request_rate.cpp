#include "request_rate.hpp"

#include <iterator>

namespace lihandover::objectserver {

void RequestRate::set(std::uint32_t per_second) {
    if (per_second != per_second_) {
        per_second_ = per_second;
        buckets_.clear();
    }
}

bool RequestRate::admits(std::string_view certificate, TokenBucket::Time now) {
    if (per_second_ == 0) {
        return true;
    }
    auto found = buckets_.find(certificate);
    if (found == buckets_.end()) {
        if (buckets_.size() >= max_certificates) {
            for (auto at = buckets_.begin(); at != buckets_.end();) {
                at = at->second.full(now) ? buckets_.erase(at) : std::next(at);
            }
        }
        if (buckets_.size() >= max_certificates) {
            return false;
        }
        const double rate = per_second_;
        found = buckets_.emplace(certificate, TokenBucket(rate, rate * burst_seconds, now)).first;
    }
    return found->second.take(now);
}

}  // namespace lihandover::objectserver
