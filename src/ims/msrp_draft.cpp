// The form of MSRP of 2004, in which the flows of TS 24.247 annex A are printed: the boundary that ends a frame is a
// header field, as is the transaction.

#include <algorithm>

#include "msrp_start.hpp"
#include "text.hpp"

namespace lihandover::ims {

std::optional<MsrpStart> read_draft_start(std::string_view line) {
    if (!line.starts_with(msrp_start)) {
        return std::nullopt;
    }
    MsrpStart out;
    std::string_view rest = line.substr(msrp_start.size());
    if (read_msrp_purpose(rest, out)) {
        return out;
    }
    // A word too many: table A.4.3-34 has dots there.
    const std::size_t blank = rest.find(' ');
    out = MsrpStart{};
    out.deviating = true;
    if (blank == std::string_view::npos || !read_msrp_purpose(rest.substr(blank + 1), out) || out.request) {
        return std::nullopt;
    }
    return out;
}

DraftBoundary find_draft_boundary(std::string_view head, std::string_view& boundary) {
    constexpr std::string_view name = "Boundary:";
    while (head.find('\n') != std::string_view::npos) {
        const std::string_view line = take_line(head);
        if (line.empty() || line.starts_with("-----")) {
            return DraftBoundary::absent;
        }
        if (!starts_with_name(line, name)) {
            continue;
        }
        boundary = trimmed(line.substr(name.size()));
        const bool sound = !boundary.empty() && boundary.size() <= max_msrp_transaction &&
                           std::ranges::all_of(boundary, [](char c) { return c > ' ' && c < '\x7f'; });
        return sound ? DraftBoundary::found : DraftBoundary::absent;
    }
    return DraftBoundary::unknown;
}

}  // namespace lihandover::ims
