#include "lihandover/model/liid.hpp"

#include <algorithm>

namespace lihandover::model {

bool is_liid(std::string_view text) {
    const auto printable = [](char c) { return c >= '!' && c <= '~'; };
    const auto lower_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    if (text.empty() || text.size() > 50) {
        return false;
    }
    return text.size() <= 25 ? std::ranges::all_of(text, printable) : std::ranges::all_of(text, lower_hex);
}

}  // namespace lihandover::model
