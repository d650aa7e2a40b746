#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lihandover::ims {

/// Byte-Range of RFC 4975 7.1.1: `start-end/total`; `*` is nullopt.
struct ByteRange {
    std::uint64_t start = 1;
    std::optional<std::uint64_t> end;
    std::optional<std::uint64_t> total;
};

/// What ends a chunk.
enum class ChunkFlag : std::uint8_t { last, more, abandoned };  // $ + #

struct MsrpHeader {
    std::string_view name;
    std::string_view value;
};

/// One frame: a request or a response. Texts view the bytes it was read from.
struct MsrpFrame {
    bool request = false;
    /// Of the 2004 draft that the flows of TS 24.247 annex A are in: TR-ID, Boundary, end line of five dashes.
    bool draft = false;
    bool deviating = false;        ///< read all the same, though not as RFC 4975 or the draft have it
    unsigned status = 0;           ///< of a response
    std::string_view transaction;  ///< the draft: TR-ID, else the boundary
    std::string_view method;       ///< of a request: SEND, REPORT, AUTH, NICKNAME, VISIT, or whatever it is
    std::string_view comment;
    std::vector<std::string_view> to_path;  ///< URIs in order, 64 at most; the draft: To or To-Path
    std::vector<std::string_view> from_path;
    std::string_view message_id;
    std::optional<ByteRange> range;  ///< nullopt where absent or not readable
    bool success_report = false;     ///< Success-Report: yes (the draft: Report-Success)
    enum class Failure : std::uint8_t { yes, partial, no } failure_report = Failure::yes;
    /// REPORT's Status: the namespace and the code; nullopt when absent or not readable.
    struct Report {
        unsigned name_space = 0;
        unsigned code = 0;
        std::string_view comment;
    };
    std::optional<Report> report;
    std::optional<std::string_view> use_nickname;  ///< unquoted, escapes as written
    std::string_view content_type;                 ///< as written, the draft's quotes cut
    std::string_view content_disposition;
    std::string_view content_id;
    /// An empty line came, and another line end before the end line; or no empty line, but after Content-Type what is
    /// no header field.
    bool has_body = false;
    ChunkFlag flag = ChunkFlag::last;
    std::string_view body;
    std::vector<MsrpHeader> headers;  ///< all of them, 256 at most
    std::size_t octets = 0;           ///< what the frame takes of the bytes it was read from
};

/// What read_msrp made of the beginning of some bytes.
enum class MsrpRead : std::uint8_t {
    frame,       ///< a whole frame
    incomplete,  ///< the beginning of one: more bytes may complete it
    malformed,   ///< nothing that more bytes could mend
};

/// Reads the frame that `bytes` begin with; empty lines before it are taken as part of it. RFC 4975 and the draft's
/// form. Only the end line with the frame's own transaction ends it. Costs one pass over the bytes. A head of more than
/// 64 KiB is malformed. Of a header field that comes several times, the first counts.
///   out    of meaning only for a frame
///   from   bytes already seen to hold no end line, from an earlier call that was incomplete; 0 is always right
[[nodiscard]] MsrpRead read_msrp(std::string_view bytes, MsrpFrame& out, std::size_t from = 0);

/// Where, from `from` on, reading can begin again after bytes that are malformed: at the next whole start line, which
/// need not be at the beginning of a line, since who broke off may have ended none; bytes.size() if there is none.
[[nodiscard]] std::size_t find_msrp(std::string_view bytes, std::size_t from);

/// The parts of an MSRP URI (RFC 4975 6): `msrp://host:port/session;tcp`, and the draft's without session or transport.
struct MsrpUri {
    bool secure = false;
    std::string_view userinfo;
    std::string_view host;   ///< IPv6 without brackets
    std::uint16_t port = 0;  ///< 0 when absent
    std::string_view session;
    std::string_view transport;
};
[[nodiscard]] std::optional<MsrpUri> read_msrp_uri(std::string_view uri);
/// Whether two URIs name the same session end by RFC 4975 6.1: scheme, host (any case), port, session-id (exact),
/// transport (any case); userinfo and other parameters do not count.
[[nodiscard]] bool same_msrp_uri(std::string_view left, std::string_view right);
/// Equal for URIs that are the same by that rule, and for no others: for keys of tables.
void append_msrp_uri_key(std::string_view uri, std::string& out);

}  // namespace lihandover::ims
