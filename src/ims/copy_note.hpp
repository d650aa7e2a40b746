#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/ims/tracker.hpp"

namespace lihandover::ims {

/// What a copy was, without its payload, for an event that is made of it later.
class CopyNote {
  public:
    CopyNote() = default;
    explicit CopyNote(const Copy& copy)
        : xid_(copy.xid),
          correlation_(copy.correlation),
          kind_(copy.kind),
          direction_(copy.direction),
          at_(copy.at),
          received_at_(copy.received_at),
          matched_(copy.matched.begin(), copy.matched.end()),
          point_(copy.point) {}

    /// The copy again; it views this note.
    [[nodiscard]] Copy copy() const {
        Copy copy;
        copy.xid = xid_;
        copy.correlation = correlation_;
        copy.kind = kind_;
        copy.direction = direction_;
        copy.at = at_;
        copy.received_at = received_at_;
        copy.matched.assign(matched_.begin(), matched_.end());
        copy.point = point_;
        return copy;
    }
    [[nodiscard]] const model::Uuid& xid() const { return xid_; }
    /// The time of the earliest of the copies that an event is made of, whatever order they came in.
    void earliest(const std::optional<model::Instant>& at) { at_ = at && (!at_ || *at < *at_) ? at : at_; }

  private:
    model::Uuid xid_;
    std::uint64_t correlation_ = 0;
    Copy::Kind kind_ = Copy::Kind::sip;
    Direction direction_ = Direction::unknown;
    std::optional<model::Instant> at_;
    model::Instant received_at_;
    std::vector<std::string> matched_;
    std::string point_;
};

}  // namespace lihandover::ims
