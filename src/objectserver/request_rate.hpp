#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "token_bucket.hpp"

namespace lihandover::objectserver {

/// How many requests each client certificate may make. Decides by the certificate and the time alone, so a refusal says
/// nothing about what was asked for. On one thread.
class RequestRate {
  public:
    /// A client may save up for this long: requests come in bursts.
    static constexpr double burst_seconds = 10;
    /// Beyond this many certificates, idle ones are forgotten, and if all are busy, new ones wait.
    static constexpr std::size_t max_certificates = 4096;

    /// 0: no limit.
    void set(std::uint32_t per_second);

    /// `certificate`: its SHA-256.
    [[nodiscard]] bool admits(std::string_view certificate, TokenBucket::Time now);

  private:
    std::uint32_t per_second_ = 0;
    std::map<std::string, TokenBucket, std::less<>> buckets_;
};

}  // namespace lihandover::objectserver
