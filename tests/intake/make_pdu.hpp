#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "lihandover/intake/x2x3/pdu.hpp"

namespace lihandover::intake::testing {

inline std::string big_endian(std::uint64_t number, unsigned octets) {
    std::string out;
    for (unsigned left = octets; left > 0; --left) {
        out += static_cast<char>(number >> (8 * (left - 1)) & 0xFFU);
    }
    return out;
}

inline std::string attribute(std::uint16_t type, std::string_view value) {
    return big_endian(type, 2) + big_endian(value.size(), 2) + std::string(value);
}

/// A UUID all of whose octets are `n`.
inline model::Uuid xid_of(std::uint8_t n) {
    model::Uuid uuid;
    uuid.bytes.fill(n);
    return uuid;
}

inline std::string octets_of(const model::Uuid& uuid) {
    return {uuid.bytes.begin(), uuid.bytes.end()};
}

/// The octets of a PDU of X2 or X3, with any of its fields wrong if a test wants it so.
struct MadePdu {
    std::uint8_t major = 0;
    std::uint8_t minor = 5;
    std::uint16_t type = 1;
    std::uint16_t format = 9;
    std::uint16_t direction = 3;
    model::Uuid xid = xid_of(1);
    std::uint64_t correlation = 0;
    std::string attributes{};
    std::string payload{};

    [[nodiscard]] MadePdu with(std::uint16_t attribute_type, std::string_view value) && {
        attributes += attribute(attribute_type, value);
        return std::move(*this);
    }
    [[nodiscard]] MadePdu numbered(std::uint32_t sequence) && {
        return std::move(*this).with(8, big_endian(sequence, 4));
    }
    [[nodiscard]] std::string octets() const {
        return big_endian(major, 1) + big_endian(minor, 1) + big_endian(type, 2) +
               big_endian(40 + attributes.size(), 4) + big_endian(payload.size(), 4) + big_endian(format, 2) +
               big_endian(direction, 2) + octets_of(xid) + big_endian(correlation, 8) + attributes + payload;
    }
};

inline std::string keepalive() {
    return MadePdu{.type = 3, .format = 0, .direction = 0, .xid = {}}.octets();
}
inline std::string keepalive(std::uint32_t number) {
    return MadePdu{.type = 3, .format = 0, .direction = 0, .xid = {}}.numbered(number).octets();
}

}  // namespace lihandover::intake::testing
