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
    /// For `ranges`: at least one, none empty, in the order asked for, together no longer than the object.
    std::vector<ByteRange> ranges;
};

/// With more ranges than this the whole object is sent.
inline constexpr std::size_t max_ranges = 16;

/// Reads a Range field (RFC 9110 14.1.2 and 14.2) for an object of `size` bytes. Where the RFC leaves a choice it
/// follows nginx: a malformed set is unsatisfiable; ranges that together are longer than the object (they overlap) are
/// ignored, as are units other than bytes. Empty list elements and numbers beyond 64 bits are accepted as the RFC
/// requires. Never fails; allocates for at most max_ranges.
[[nodiscard]] RangeChoice choose_ranges(std::string_view field, std::uint64_t size);

}  // namespace lihandover::objectserver
