#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace lihandover::model {

/// A UUID, written in lower case everywhere (TS 103 280 UUID).
struct Uuid {
    std::array<std::uint8_t, 16> bytes{};

    friend auto operator<=>(const Uuid&, const Uuid&) = default;

    /// A fresh version 4 UUID with 122 bits from the kernel's random source (drawn in blocks, per thread).
    [[nodiscard]] static Uuid random();
    /// Takes upper and lower case; nullopt for anything but 8-4-4-4-12 hex digits.
    [[nodiscard]] static std::optional<Uuid> parse(std::string_view text);

    [[nodiscard]] std::string to_string() const;
    /// Appends the 36 characters without a temporary.
    void append_to(std::string& out) const;
};

/// Fills `size` bytes from the kernel's random source. Ends the program if the kernel has none: there is no safe way to
/// go on.
void random_bytes(void* out, std::size_t size);

/// A uniformly random integer in [0, bound), bound > 0.
[[nodiscard]] std::uint64_t random_below(std::uint64_t bound);

}  // namespace lihandover::model

template <>
struct std::hash<lihandover::model::Uuid> {
    std::size_t operator()(const lihandover::model::Uuid& uuid) const noexcept {
        std::size_t value = 0;
        static_assert(sizeof value <= 16);
        __builtin_memcpy(&value, uuid.bytes.data(), sizeof value);  // random already
        return value;
    }
};
