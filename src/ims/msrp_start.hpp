#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lihandover::ims {

// What a frame of MSRP begins with, in the form of RFC 4975 and in that of the draft.

/// Octets of start line and header fields, with the empty lines before them. What goes on beyond that is no MSRP.
inline constexpr std::size_t max_msrp_head = std::size_t{64} << 10;
/// Octets of what identifies a transaction. RFC 4975 has 32 at most, the boundary of a MIME body 70.
inline constexpr std::size_t max_msrp_transaction = 70;

/// Every frame begins with that.
inline constexpr std::string_view msrp_start = "MSRP ";

struct MsrpStart {
    bool request = false;
    std::string_view transaction;  ///< empty in the draft
    std::string_view method;
    unsigned status = 0;
    std::string_view comment;
    bool deviating = false;
};

/// `MSRP transaction METHOD`, `MSRP transaction 200 OK`; without the line end.
[[nodiscard]] std::optional<MsrpStart> read_msrp_start(std::string_view line);
/// What follows the transaction: a method, or a code and perhaps a comment.
[[nodiscard]] bool read_msrp_purpose(std::string_view text, MsrpStart& out);

/// Whether `text` is an identifier of RFC 4975: 4 to 32 octets, the first a letter or a digit.
[[nodiscard]] bool is_msrp_identifier(std::string_view text);

/// `MSRP METHOD`, `MSRP 200 OK`.
[[nodiscard]] std::optional<MsrpStart> read_draft_start(std::string_view line);

enum class DraftBoundary : std::uint8_t {
    found,
    absent,   ///< the head ends without
    unknown,  ///< it may still come
};
/// Looks for the draft's Boundary.
///   head   what follows the start line, as much as there is
[[nodiscard]] DraftBoundary find_draft_boundary(std::string_view head, std::string_view& boundary);

}  // namespace lihandover::ims
