#include "holdings.hpp"

namespace lihandover::store::postgresql {

std::vector<std::int64_t> numbers_of(const Buckets& buckets) {
    std::vector<std::int64_t> numbers;
    for (std::size_t bucket = 0; bucket < buckets.size(); ++bucket) {
        if (buckets[bucket]) {
            numbers.push_back(static_cast<std::int64_t>(bucket));
        }
    }
    return numbers;
}

void Holdings::set(const Buckets& buckets) {
    buckets_ = buckets;
    for (std::size_t bucket = 0; bucket < buckets.size(); ++bucket) {
        held_[bucket].store(buckets[bucket], std::memory_order_release);
    }
}

}  // namespace lihandover::store::postgresql
