#include "states.hpp"

#include <algorithm>

namespace lihandover::store {

bool is_in(std::span<const Withholding> withheld, LaneId lane, RowId row) {
    return std::ranges::any_of(withheld, [&](const Withholding& one) {
        return one.lane == lane && one.after < row && (!one.upto || row <= *one.upto);
    });
}

std::string with_refusal(RecordKind kind, std::string why, const Refusal& refusal) {
    if (!why.empty()) {
        why += kind == RecordKind::item_delivered ? ": " : "; was refused: ";
    }
    why += std::string(name_of(refusal.kind)) + ' ' + std::to_string(refusal.code);
    if (!refusal.words.empty()) {
        why += ": " + refusal.words;
    }
    return why;
}

std::string words_of(const Fetch& fetch) {
    std::string words;
    if (fetch.end == 0) {
        words = "no bytes";
    } else {
        words = "bytes " + std::to_string(fetch.begin) + " to " + std::to_string(fetch.end);
    }
    if (fetch.ranges > 1) {
        words += " in " + std::to_string(fetch.ranges) + " ranges";
    }
    if (fetch.unrecorded > 0) {
        words += ", after " + std::to_string(fetch.unrecorded) + " requests without an entry";
    }
    switch (fetch.extent) {
        case Fetch::Extent::begun:
            return words + ", begun";
        case Fetch::Extent::broken_off:
            return words + ", broken off";
        case Fetch::Extent::complete:
            return words + ", complete";
        case Fetch::Extent::whole:
            return words + ", the whole object";
    }
    return words;
}

}  // namespace lihandover::store
