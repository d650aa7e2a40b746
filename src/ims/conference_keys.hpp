#pragma once

#include <cstdint>

#include "table_key.hpp"

namespace lihandover::ims {

/// Tables of conferences, so that keys of one never meet those of another, nor those of take.hpp.
enum class ConferenceKey : std::uint8_t { conference, member, invitation, call, tag, path, subscription, nickname };

[[nodiscard]] inline KeyMaker conference_key(const TableSecret& secret, ConferenceKey kind) {
    return {secret, 0x100U + static_cast<std::uint64_t>(kind)};
}

}  // namespace lihandover::ims
