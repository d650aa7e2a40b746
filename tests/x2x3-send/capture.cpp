#include "capture.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <tuple>
#include <utility>

namespace lihandover::x2x3_send {
namespace {

/// Numbers in some bytes; outside of them they are 0, and `good` is false from then on.
class Numbers {
  public:
    Numbers(std::string_view bytes, bool big_endian) : bytes_(bytes), big_endian_(big_endian) {}
    template <typename Number>
    Number at(std::size_t position) {
        Number number = 0;
        if (position > bytes_.size() || bytes_.size() - position < sizeof number) {
            good_ = false;
            return 0;
        }
        for (std::size_t i = 0; i < sizeof number; ++i) {
            const auto byte = static_cast<unsigned char>(bytes_[position + (big_endian_ ? i : sizeof number - 1 - i)]);
            number = static_cast<Number>(number << 8U | byte);
        }
        return number;
    }
    [[nodiscard]] bool good() const { return good_; }

  private:
    std::string_view bytes_;
    bool big_endian_;
    bool good_ = true;
};

std::string_view part(std::string_view bytes, std::size_t begin, std::size_t size = std::string_view::npos) {
    return begin > bytes.size() ? std::string_view() : bytes.substr(begin, size);
}

// Files

std::vector<Packet> read_classic(std::string_view file, bool big_endian, bool nanoseconds) {
    constexpr std::size_t file_header = 24;
    constexpr std::size_t record_header = 16;
    Numbers numbers(file, big_endian);
    const std::uint32_t link_type = numbers.at<std::uint32_t>(20) & 0xffffU;
    std::vector<Packet> packets;
    for (std::size_t at = file_header; at + record_header <= file.size();) {
        const auto seconds = numbers.at<std::uint32_t>(at);
        const auto fraction = numbers.at<std::uint32_t>(at + 4);
        const auto size = numbers.at<std::uint32_t>(at + 8);
        at += record_header;
        if (file.size() - at < size) {
            break;
        }
        const auto nanos =
            static_cast<std::int32_t>(std::min(nanoseconds ? fraction : fraction % 1'000'000 * 1000, 999'999'999U));
        packets.push_back({{seconds, nanos}, link_type, file.substr(at, size)});
        at += size;
    }
    return packets;
}

/// What a section of pcapng says of an interface.
struct Interface {
    std::uint32_t link_type = 0;
    std::uint64_t per_second = 1'000'000;
};

class BlocksReader {
  public:
    std::vector<Packet> read(std::string_view file) {
        while (take_block(file)) {
        }
        return std::move(packets_);
    }

  private:
    static constexpr std::uint32_t section_header = 0x0a0d0d0a;

    bool take_block(std::string_view& file) {
        if (Numbers(file, big_endian_).at<std::uint32_t>(0) == section_header) {
            big_endian_ = Numbers(file, true).at<std::uint32_t>(8) == 0x1a2b3c4d;
            interfaces_.clear();
        }
        Numbers numbers(file, big_endian_);
        const auto type = numbers.at<std::uint32_t>(0);
        const auto size = numbers.at<std::uint32_t>(4);
        if (!numbers.good() || size < 12 || size > file.size()) {
            return false;
        }
        const std::string_view body = file.substr(8, size - 12);
        file.remove_prefix(std::min<std::size_t>(file.size(), (size + 3U) & ~std::size_t{3}));
        if (type == 1) {
            take_interface(body);
        } else if (type == 6 || type == 2) {
            take_packet(body, type == 2);
        } else if (type == 3 && !interfaces_.empty()) {
            const auto original = Numbers(body, big_endian_).at<std::uint32_t>(0);
            packets_.push_back({latest_, interfaces_.front().link_type, part(body, 4, original)});
        }
        return true;
    }

    void take_interface(std::string_view body) {
        constexpr std::uint16_t time_resolution = 9;
        Numbers numbers(body, big_endian_);
        Interface interface;
        interface.link_type = numbers.at<std::uint16_t>(0);
        for (std::size_t at = 8; at + 4 <= body.size();) {
            const auto code = numbers.at<std::uint16_t>(at);
            const auto size = numbers.at<std::uint16_t>(at + 2);
            if (code == time_resolution && size == 1) {
                const auto value = numbers.at<std::uint8_t>(at + 4);
                interface.per_second = 1;
                for (unsigned i = 0; i < std::min(value & 0x7fU, value >= 0x80 ? 63U : 18U); ++i) {
                    interface.per_second *= value >= 0x80 ? 2 : 10;
                }
            }
            at += 4 + ((size + 3U) & ~std::size_t{3});
        }
        interfaces_.push_back(interface);
    }

    void take_packet(std::string_view body, bool obsolete) {
        Numbers numbers(body, big_endian_);
        const std::uint32_t id = obsolete ? numbers.at<std::uint16_t>(0) : numbers.at<std::uint32_t>(0);
        const std::uint64_t ticks =
            static_cast<std::uint64_t>(numbers.at<std::uint32_t>(4)) << 32U | numbers.at<std::uint32_t>(8);
        const auto size = numbers.at<std::uint32_t>(12);
        if (!numbers.good() || id >= interfaces_.size() || body.size() < 20 || body.size() - 20 < size) {
            return;
        }
        const std::uint64_t per_second = interfaces_[id].per_second;
        const double fraction = static_cast<double>(ticks % per_second) / static_cast<double>(per_second);
        latest_ = {static_cast<std::int64_t>(ticks / per_second),
                   static_cast<std::int32_t>(std::min(fraction * 1e9, 999'999'999.0))};
        packets_.push_back({latest_, interfaces_[id].link_type, body.substr(20, size)});
    }

    bool big_endian_ = false;
    std::vector<Interface> interfaces_;
    std::vector<Packet> packets_;
    model::Instant latest_;
};

// Packets

struct FragmentKey {
    std::string from;
    std::string to;
    std::uint32_t id = 0;
    std::uint8_t protocol = 0;
    friend auto operator<=>(const FragmentKey&, const FragmentKey&) = default;
};

struct Datagram {
    model::Instant at;
    std::string from;
    std::string to;
    std::uint8_t protocol = 0;
    std::string bytes;
};

/// Where a fragment lies within its datagram.
struct Fragment {
    std::uint32_t id = 0;
    std::size_t offset = 0;
    bool more = false;
};

class PacketReader {
  public:
    bool take(const Packet& packet, std::vector<Segment>& out) {
        const auto ip = ip_of(packet);
        if (ip.empty()) {
            return false;
        }
        const unsigned version = static_cast<unsigned char>(ip.front()) >> 4U;
        const auto datagram = version == 4   ? version_4(packet.at, ip)
                              : version == 6 ? version_6(packet.at, ip)
                                             : std::nullopt;
        return datagram && (datagram->bytes.empty() || take_transport(*datagram, out));
    }

  private:
    static std::string_view ip_of(const Packet& packet) {
        std::size_t skip = 0;
        switch (packet.link_type) {
            case 1: {  // Ethernet
                Numbers numbers(packet.bytes, true);
                skip = 14;
                for (auto type = numbers.at<std::uint16_t>(12); type == 0x8100 || type == 0x88a8; skip += 4) {
                    type = numbers.at<std::uint16_t>(skip + 2);
                }
                break;
            }
            case 0:    // loopback, of BSD
            case 108:  // loopback, of OpenBSD
                skip = 4;
                break;
            case 113:  // Linux cooked
                skip = 16;
                break;
            case 276:  // Linux cooked, version 2
                skip = 20;
                break;
            case 12:
            case 14:
            case 101:  // raw IP
            case 228:
            case 229:
                break;
            default:
                return {};
        }
        return part(packet.bytes, skip);
    }

    std::optional<Datagram> version_4(model::Instant at, std::string_view ip) {
        Numbers numbers(ip, true);
        const std::size_t header = (numbers.at<std::uint8_t>(0) & 0xfU) * std::size_t{4};
        const auto total = numbers.at<std::uint16_t>(2);
        const auto place = numbers.at<std::uint16_t>(6);
        Datagram datagram{
            at, std::string(part(ip, 12, 4)), std::string(part(ip, 16, 4)), numbers.at<std::uint8_t>(9), {}};
        // An offloaded packet may say 0.
        const std::size_t end = total == 0 ? ip.size() : total;
        if (!numbers.good() || header < 20 || end < header || end > ip.size() || ip.size() < 20) {
            return std::nullopt;
        }
        datagram.bytes = ip.substr(header, end - header);
        return joined(std::move(datagram),
                      {numbers.at<std::uint16_t>(4), (place & 0x1fffU) * std::size_t{8}, (place & 0x2000U) != 0});
    }

    std::optional<Datagram> version_6(model::Instant at, std::string_view ip) {
        Numbers numbers(ip, true);
        Datagram datagram{
            at, std::string(part(ip, 8, 16)), std::string(part(ip, 24, 16)), numbers.at<std::uint8_t>(6), {}};
        const std::size_t end = std::size_t{40} + numbers.at<std::uint16_t>(4);
        std::size_t begin = 40;
        Fragment fragment;
        for (int headers = 0; headers < 16; ++headers) {
            const std::uint8_t next = datagram.protocol;
            if (next == 44) {
                const auto place = numbers.at<std::uint16_t>(begin + 2);
                fragment = {numbers.at<std::uint32_t>(begin + 4), place & 0xfff8U, (place & 1U) != 0};
                datagram.protocol = numbers.at<std::uint8_t>(begin);
                begin += 8;
            } else if (next == 0 || next == 43 || next == 60) {
                datagram.protocol = numbers.at<std::uint8_t>(begin);
                begin += (numbers.at<std::uint8_t>(begin + 1) + std::size_t{1}) * 8;
            } else {
                break;
            }
        }
        if (!numbers.good() || end > ip.size() || begin > end) {
            return std::nullopt;
        }
        datagram.bytes = ip.substr(begin, end - begin);
        return joined(std::move(datagram), fragment);
    }

    /// The whole datagram; without bytes where more of it is to come.
    std::optional<Datagram> joined(Datagram datagram, const Fragment& fragment) {
        constexpr std::size_t most_open = 4096;
        if (fragment.offset == 0 && !fragment.more) {
            return datagram.bytes.empty() ? std::nullopt : std::optional(std::move(datagram));
        }
        const FragmentKey key{datagram.from, datagram.to, fragment.id, datagram.protocol};
        if (open_.size() > most_open) {
            open_.clear();
        }
        auto& pieces = open_[key];
        pieces[fragment.offset] = {std::move(datagram.bytes), fragment.more};
        datagram.bytes.clear();
        std::string whole;
        for (const auto& [offset, piece] : pieces) {
            if (offset != whole.size()) {
                return datagram;
            }
            whole += piece.first;
        }
        if (pieces.rbegin()->second.second) {
            return datagram;
        }
        open_.erase(key);
        datagram.bytes = std::move(whole);
        return datagram;
    }

    static bool take_transport(const Datagram& datagram, std::vector<Segment>& out) {
        constexpr std::uint8_t tcp = 6;
        constexpr std::uint8_t udp = 17;
        Numbers numbers(datagram.bytes, true);
        Segment segment;
        segment.at = datagram.at;
        segment.tcp = datagram.protocol == tcp;
        segment.from = {datagram.from, numbers.at<std::uint16_t>(0)};
        segment.to = {datagram.to, numbers.at<std::uint16_t>(2)};
        std::size_t header = 8;
        if (segment.tcp) {
            segment.sequence = numbers.at<std::uint32_t>(4);
            header = (numbers.at<std::uint8_t>(12) >> 4U) * std::size_t{4};
            const auto flags = numbers.at<std::uint8_t>(13);
            segment.fin = (flags & 1U) != 0;
            segment.syn = (flags & 2U) != 0;
            segment.reset = (flags & 4U) != 0;
        } else if (datagram.protocol != udp) {
            return false;
        }
        if (!numbers.good() || header < 8 || header > datagram.bytes.size()) {
            return false;
        }
        segment.bytes = datagram.bytes.substr(header);
        out.push_back(std::move(segment));
        return true;
    }

    std::map<FragmentKey, std::map<std::size_t, std::pair<std::string, bool>>> open_;
};

}  // namespace

model::Result<std::vector<Packet>> read_capture(std::string_view file) {
    Numbers numbers(file, true);
    switch (numbers.at<std::uint32_t>(0)) {
        case 0xa1b2c3d4:
            return read_classic(file, true, false);
        case 0xa1b23c4d:
            return read_classic(file, true, true);
        case 0xd4c3b2a1:
            return read_classic(file, false, false);
        case 0x4d3cb2a1:
            return read_classic(file, false, true);
        case 0x0a0d0d0a:
            return BlocksReader().read(file);
        default:
            return model::Error{"neither pcap nor pcapng"};
    }
}

std::vector<Segment> segments_of(const std::vector<Packet>& packets, std::size_t* passed_over) {
    PacketReader reader;
    std::vector<Segment> segments;
    std::size_t missed = 0;
    for (const auto& packet : packets) {
        missed += reader.take(packet, segments) ? 0 : 1;
    }
    if (passed_over != nullptr) {
        *passed_over = missed;
    }
    return segments;
}

}  // namespace lihandover::x2x3_send
