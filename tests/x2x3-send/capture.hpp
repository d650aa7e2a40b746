#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/result.hpp"
#include "lihandover/model/time.hpp"

namespace lihandover::x2x3_send {

/// A link-layer frame of a capture file. Its bytes view the file's.
struct Packet {
    model::Instant at;
    std::uint32_t link_type = 0;  ///< LINKTYPE_… as pcap numbers them
    std::string_view bytes;
};

/// The packets of a capture file: classic pcap in either byte order, with micro- or nanoseconds, or pcapng. What is cut
/// off at its end is left out.
[[nodiscard]] model::Result<std::vector<Packet>> read_capture(std::string_view file);

/// One end of a flow of packets: the address as its 4 or 16 bytes, and the port.
struct Endpoint {
    std::string address;
    std::uint16_t port = 0;
    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

/// A datagram of UDP, or a segment of TCP.
struct Segment {
    model::Instant at;
    bool tcp = false;
    Endpoint from;
    Endpoint to;
    std::uint32_t sequence = 0;
    bool syn = false;
    bool fin = false;
    bool reset = false;
    std::string bytes;
};

/// UDP and TCP over IPv4 and IPv6 (fragments put together), over Ethernet with VLAN tags, Linux cooked capture (both
/// versions), loopback and raw IP. Other packets, and broken ones, are passed over and counted.
[[nodiscard]] std::vector<Segment> segments_of(const std::vector<Packet>& packets, std::size_t* passed_over = nullptr);

}  // namespace lihandover::x2x3_send
