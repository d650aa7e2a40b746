#include "lihandover/intake/x2x3/pdu.hpp"

#include <algorithm>
#include <boost/endian/conversion.hpp>
#include <utility>

namespace lihandover::intake {
namespace {

constexpr std::size_t fixed_header = 40;  // up to the attributes
constexpr std::size_t lengths_end = 12;   // octets after which both lengths are known
constexpr std::size_t attribute_head = 4;
constexpr std::uint16_t last_known_attribute = 22;  // from 1 on

/// Those that are read (TS 103 221-2 5.3).
enum class Attribute : std::uint16_t {
    domain_id = 5,
    function_id = 6,
    point_id = 7,
    sequence = 8,
    timestamp = 9,
    source_ipv4 = 10,
    destination_ipv4 = 11,
    source_ipv6 = 12,
    destination_ipv6 = 13,
    source_port = 14,
    destination_port = 15,
    matched_target = 17,
    other_target = 18,
    mime_type = 19,
    mime_transfer_encoding = 20,
    further_xid = 21,
    sdp = 22,
};

const unsigned char* octets_at(std::string_view bytes, std::size_t at) {
    return reinterpret_cast<const unsigned char*>(bytes.data()) + at;
}
std::uint16_t number16(std::string_view bytes, std::size_t at) {
    return boost::endian::load_big_u16(octets_at(bytes, at));
}
std::uint32_t number32(std::string_view bytes, std::size_t at) {
    return boost::endian::load_big_u32(octets_at(bytes, at));
}
std::uint64_t number64(std::string_view bytes, std::size_t at) {
    return boost::endian::load_big_u64(octets_at(bytes, at));
}

model::Uuid uuid_at(std::string_view bytes, std::size_t at) {
    model::Uuid uuid;
    std::copy_n(octets_at(bytes, at), uuid.bytes.size(), uuid.bytes.begin());
    return uuid;
}

/// Eight octets, as the standard has it, or twelve, as some of the field do. Nullopt for a time that is none.
std::optional<model::Instant> read_time(std::string_view value) {
    constexpr std::uint64_t end_of_year_9999 = 253'402'300'800;
    constexpr std::uint32_t second = 1'000'000'000;
    if (value.size() != 8 && value.size() != 12) {
        return std::nullopt;
    }
    const std::uint64_t seconds = value.size() == 8 ? number32(value, 0) : number64(value, 0);
    const std::uint32_t nanos = number32(value, value.size() - 4);
    if (seconds >= end_of_year_9999 || nanos >= second) {
        return std::nullopt;
    }
    return model::Instant{static_cast<std::int64_t>(seconds), static_cast<std::int32_t>(nanos)};
}

// Where an attribute that cannot repeat is there twice, the first counts.

bool keep_text(std::string_view& out, std::string_view value) {
    if (out.empty()) {
        out = value;
    }
    return true;
}

bool keep_address(std::string_view& out, std::string_view value, std::size_t size) {
    return value.size() == size && keep_text(out, value);
}

bool keep_port(std::optional<std::uint16_t>& out, std::string_view value) {
    if (value.size() != 2) {
        return false;
    }
    out = out.value_or(number16(value, 0));
    return true;
}

bool keep_sequence(std::optional<std::uint32_t>& out, std::string_view value) {
    if (value.size() != 4) {
        return false;
    }
    out = out.value_or(number32(value, 0));
    return true;
}

bool keep_time(std::optional<model::Instant>& out, std::string_view value) {
    const auto time = read_time(value);
    out = out ? out : time;
    return time.has_value();
}

/// XID, correlation id, and a sequence number where there is one.
bool keep_further_xid(std::vector<model::Uuid>& out, std::string_view value) {
    if (value.size() != 24 && value.size() != 28) {
        return false;
    }
    out.push_back(uuid_at(value, 0));
    return true;
}

/// False if the value is none that its type can have.
bool take_attribute(std::uint16_t type, std::string_view value, Pdu& out) {
    switch (static_cast<Attribute>(type)) {
        case Attribute::domain_id:
            return keep_text(out.domain_id, value);
        case Attribute::function_id:
            return keep_text(out.function_id, value);
        case Attribute::point_id:
            return keep_text(out.point_id, value);
        case Attribute::sequence:
            return keep_sequence(out.sequence, value);
        case Attribute::timestamp:
            return keep_time(out.at, value);
        case Attribute::source_ipv4:
            return keep_address(out.source_address, value, 4);
        case Attribute::destination_ipv4:
            return keep_address(out.destination_address, value, 4);
        case Attribute::source_ipv6:
            return keep_address(out.source_address, value, 16);
        case Attribute::destination_ipv6:
            return keep_address(out.destination_address, value, 16);
        case Attribute::source_port:
            return keep_port(out.source_port, value);
        case Attribute::destination_port:
            return keep_port(out.destination_port, value);
        case Attribute::matched_target:
            out.matched_targets.push_back(value);
            return true;
        case Attribute::other_target:
            out.other_targets.push_back(value);
            return true;
        case Attribute::mime_type:
            return keep_text(out.mime_type, value);
        case Attribute::mime_transfer_encoding:
            return keep_text(out.mime_transfer_encoding, value);
        case Attribute::further_xid:
            return keep_further_xid(out.further_xids, value);
        case Attribute::sdp:
            return keep_text(out.sdp, value);
    }
    if (type == 0 || type > last_known_attribute) {
        out.unknown_attributes.push_back(type);
    }
    return true;
}

void read_attributes(std::string_view rest, Pdu& out) {
    while (!rest.empty()) {
        const std::size_t size = rest.size() < attribute_head ? rest.size() : number16(rest, 2);
        if (rest.size() < attribute_head + size) {
            out.broken_attribute = true;
            return;
        }
        if (!take_attribute(number16(rest, 0), rest.substr(attribute_head, size), out)) {
            out.broken_attribute = true;
        }
        rest.remove_prefix(attribute_head + size);
    }
}

/// As new, but for the capacity of its lists.
void clear(Pdu& pdu) {
    Pdu fresh;
    fresh.further_xids = std::move(pdu.further_xids);
    fresh.matched_targets = std::move(pdu.matched_targets);
    fresh.other_targets = std::move(pdu.other_targets);
    fresh.unknown_attributes = std::move(pdu.unknown_attributes);
    fresh.further_xids.clear();
    fresh.matched_targets.clear();
    fresh.other_targets.clear();
    fresh.unknown_attributes.clear();
    pdu = std::move(fresh);
}

void append16(std::string& out, std::uint16_t number) {
    out += static_cast<char>(number >> 8U);
    out += static_cast<char>(number & 0xFFU);
}

void append32(std::string& out, std::uint32_t number) {
    append16(out, static_cast<std::uint16_t>(number >> 16U));
    append16(out, static_cast<std::uint16_t>(number & 0xFFFFU));
}

}  // namespace

PduRead read_pdu(std::string_view bytes, const PduBounds& bounds, Pdu& out, std::size_t& needed) {
    needed = fixed_header;
    if (!bytes.empty() && bytes[0] != 0) {
        return PduRead::other_version;
    }
    if (bytes.size() >= 8 && (number32(bytes, 4) < fixed_header || number32(bytes, 4) > bounds.max_header)) {
        return PduRead::unframed;
    }
    if (bytes.size() >= lengths_end && number32(bytes, 8) > bounds.max_payload) {
        return PduRead::unframed;
    }
    if (bytes.size() < fixed_header) {
        return PduRead::incomplete;
    }
    const std::size_t header = number32(bytes, 4);
    const std::size_t payload = number32(bytes, 8);
    needed = header + payload;
    if (bytes.size() < needed) {
        return PduRead::incomplete;
    }
    clear(out);
    out.major = static_cast<std::uint8_t>(bytes[0]);
    out.minor = static_cast<std::uint8_t>(bytes[1]);
    out.type = number16(bytes, 2);
    out.format = number16(bytes, 12);
    out.direction = number16(bytes, 14);
    out.xid = uuid_at(bytes, 16);
    out.correlation = number64(bytes, 32);
    out.payload = bytes.substr(header, payload);
    out.octets = needed;
    read_attributes(bytes.substr(fixed_header, header - fixed_header), out);
    return PduRead::pdu;
}

std::string acknowledgement_of(const Pdu& keepalive) {
    const std::size_t size = fixed_header + (keepalive.sequence ? attribute_head + 4 : 0);
    std::string out;
    out.reserve(size);
    out += static_cast<char>(keepalive.major);
    out += static_cast<char>(keepalive.minor);
    append16(out, static_cast<std::uint16_t>(PduType::keepalive_acknowledgement));
    append32(out, static_cast<std::uint32_t>(size));
    out.append(fixed_header - out.size(), '\0');
    if (keepalive.sequence) {
        append16(out, static_cast<std::uint16_t>(Attribute::sequence));
        append16(out, 4);
        append32(out, *keepalive.sequence);
    }
    return out;
}

}  // namespace lihandover::intake
