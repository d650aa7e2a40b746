#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace lihandover::objectserver {

/// The bytes [begin, end) of an object.
struct ByteRange {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;

    [[nodiscard]] std::uint64_t size() const { return end - begin; }
    friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

/// What a Range field asks for.
struct RangeChoice {
    enum class Kind : std::uint8_t {
        whole,          ///< the field is to be ignored: 200
        ranges,         ///< 206
        unsatisfiable,  ///< 416
    } kind = Kind::whole;
    /// For `ranges`: at least one, none empty, in the order asked for, together not longer than the object.
    std::vector<ByteRange> ranges;
};

/// More ranges than these at once are not worth their trouble: the whole object is sent.
inline constexpr std::size_t max_ranges = 16;

/// Reads a Range field (RFC 9110 14.1.2 and 14.2) against an object of `size` bytes. Where the RFC leaves the choice
/// it is nginx's: a malformed set is unsatisfiable; ranges that together are longer than the object (they overlap) are
/// ignored, as are other units than bytes. Empty list elements and numbers beyond 64 bits are taken as the RFC wants
/// them. Never fails, allocates for max_ranges at most.
[[nodiscard]] RangeChoice choose_ranges(std::string_view field, std::uint64_t size);

}  // namespace lihandover::objectserver
