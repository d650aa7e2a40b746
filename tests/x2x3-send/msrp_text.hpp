#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/result.hpp"

namespace lihandover::x2x3_send {

/// A frame of MSRP in its parts, as far as flows need them.
struct MsrpText {
    std::string start;
    std::vector<std::string> headers;
    bool has_body = false;
    std::string body;
    std::string end;  ///< the end line; empty when there is none
    [[nodiscard]] std::optional<std::string> value(std::string_view header) const;
    [[nodiscard]] std::string bytes() const;
    [[nodiscard]] bool last() const { return end.ends_with('$'); }
};
[[nodiscard]] MsrpText read_msrp_text(const std::vector<std::string>& lines);

/// `Byte-Range: (...)`, or one of its numbers: counted over the chunks of a message, which have one Message-ID and
/// From-Path. Totals are known at the last chunk, so all frames of a flow are given at once.
void count_ranges(const std::vector<MsrpText*>& frames);

/// One SEND as several, of at most `size` bytes each: their ids are that of the first with `.1`, `.2` behind it.
[[nodiscard]] model::Result<std::vector<MsrpText>> chunks_of(const MsrpText& whole, std::size_t size);

}  // namespace lihandover::x2x3_send
