#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "lihandover/ims/msrp.hpp"

namespace lihandover::ims {

/// What an Assembly has to be like, in the plainest form: a map of octets.
class OctetMap {
  public:
    void take(const MsrpFrame& frame) {
        const std::uint64_t start = frame.range ? std::max<std::uint64_t>(frame.range->start, 1) : 1;
        constexpr std::uint64_t last_octet = std::uint64_t{1} << 48;
        const bool possible = start <= last_octet && frame.body.size() <= last_octet - start + 1;
        lost_ = lost_ || !possible;
        for (std::size_t i = 0; possible && i < frame.body.size(); ++i) {
            const auto [octet, fresh] = octets_.try_emplace(start + i, frame.body[i]);
            conflicting_ = conflicting_ || (!fresh && octet->second != frame.body[i]);
            octet->second = frame.body[i];
        }
        announced_ = frame.range && frame.range->total ? frame.range->total : announced_;
        abandoned_ = abandoned_ || frame.flag == ChunkFlag::abandoned;
        if (frame.flag == ChunkFlag::last) {
            ended_ = true;
            end_ = possible ? std::max(end_.value_or(0), start + frame.body.size() - 1) : end_;
        }
    }

    [[nodiscard]] bool complete() const { return end_ && !lost_ && octets_.size() == last() && last() >= *end_; }
    [[nodiscard]] bool abandoned() const { return abandoned_; }
    [[nodiscard]] bool ended() const { return ended_ || abandoned_; }
    [[nodiscard]] bool conflicting() const { return conflicting_; }
    [[nodiscard]] bool lost() const { return lost_; }
    [[nodiscard]] std::optional<std::uint64_t> total() const {
        return end_ ? std::optional(std::max(*end_, last())) : announced_;
    }
    [[nodiscard]] const std::map<std::uint64_t, char>& octets() const { return octets_; }
    [[nodiscard]] std::string bytes() const {
        std::string out;
        for (const auto& [at, octet] : octets_) {
            out += octet;
        }
        return out;
    }

  private:
    [[nodiscard]] std::uint64_t last() const { return octets_.empty() ? 0 : octets_.rbegin()->first; }

    std::map<std::uint64_t, char> octets_;
    std::optional<std::uint64_t> announced_;
    std::optional<std::uint64_t> end_;
    bool ended_ = false;
    bool abandoned_ = false;
    bool conflicting_ = false;
    bool lost_ = false;
};

}  // namespace lihandover::ims
