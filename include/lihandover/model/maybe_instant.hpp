#pragma once

#include <optional>

#include "lihandover/model/time.hpp"

namespace lihandover::model {

/// An instant that may be absent, in the size of an instant. std::optional takes half as much again, which matters when
/// there are millions.
class MaybeInstant {
  public:
    constexpr MaybeInstant() = default;
    constexpr MaybeInstant(std::nullopt_t /*none*/) {}                                // NOLINT(*-explicit-*)
    constexpr MaybeInstant(Instant instant) : instant_(instant) {}                    // NOLINT(*-explicit-*)
    constexpr MaybeInstant(const std::optional<Instant>& instant) : MaybeInstant() {  // NOLINT(*-explicit-*)
        if (instant) {
            instant_ = *instant;
        }
    }

    [[nodiscard]] constexpr bool has_value() const { return instant_.nanos >= 0; }
    explicit constexpr operator bool() const { return has_value(); }
    constexpr const Instant& operator*() const { return instant_; }
    constexpr const Instant* operator->() const { return &instant_; }
    constexpr Instant* operator->() { return &instant_; }
    [[nodiscard]] constexpr Instant value_or(Instant other) const { return has_value() ? instant_ : other; }

    friend bool operator==(const MaybeInstant&, const MaybeInstant&) = default;

  private:
    Instant instant_{0, -1};
};

}  // namespace lihandover::model
