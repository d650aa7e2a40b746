#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "token_bucket.hpp"

namespace lihandover::objectserver {

/// How many entries fetches may make. Whoever may fetch an object may do so any number of times, and the entries share
/// the disk with events. So they get a tenth of the store, spread over the time for which entries are kept, in equal
/// shares for the destinations. A request beyond its share leaves no entry; the next one with an entry says how many
/// there were. On one thread.
class RecordQuota {
  public:
    /// What an entry takes in the store, rounded up.
    static constexpr std::uint64_t entry_bytes = 320;
    static constexpr std::uint64_t share_of_store = 10;
    /// A share may be saved up for this long.
    static constexpr std::chrono::hours saved{24};
    static constexpr double least_burst = 1000;

    /// `store_bytes`: store.max_bytes, 0: no limit. `kept`: record_retention, 0: for ever.
    void set(std::uint64_t store_bytes, std::chrono::seconds kept, std::size_t destinations);

    struct Place {
        bool granted = true;
        std::uint64_t unrecorded = 0;  ///< requests of this destination since its last entry that have none
    };
    [[nodiscard]] Place take(std::string_view destination, TokenBucket::Time now);

  private:
    struct Share {
        TokenBucket bucket;
        std::uint64_t unrecorded = 0;
    };

    double per_second_ = 0;  ///< 0: no limit
    std::map<std::string, Share, std::less<>> shares_;
};

}  // namespace lihandover::objectserver
