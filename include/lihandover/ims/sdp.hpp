#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace lihandover::ims {

/// A file that an MSRP session transfers (RFC 5547). Texts view the description.
struct SdpFile {
    std::string_view name;  ///< without quotes; percent-coding as written
    std::string_view type;
    std::optional<std::uint64_t> size;
    std::string_view hash;         ///< as written: `sha-1:72:24:…`
    std::string_view transfer_id;  ///< a=file-transfer-id
    std::string_view disposition;  ///< a=file-disposition
};

/// One m= line that offers or accepts MSRP (RFC 4975 8, RFC 6135, RFC 6714, RFC 7701 8).
struct SdpMsrp {
    std::uint16_t port = 0;              ///< 0: refused
    bool secure = false;                 ///< TCP/TLS/MSRP
    std::string_view address;            ///< c= of the medium, else of the session
    std::vector<std::string_view> path;  ///< a=path (a=session of older drafts), URIs in order
    std::vector<std::string_view> accept_types;
    std::vector<std::string_view> accept_wrapped_types;
    std::optional<std::uint64_t> max_size;  ///< a=max-size, and a=maxsize as the field has it
    std::string_view setup;                 ///< active, passive, actpass; empty when absent
    bool cema = false;                      ///< a=msrp-cema
    std::optional<SdpFile> file;            ///< a=file-selector, or another attribute of a file's transfer
    bool chatroom = false;                  ///< a=chatroom, with the tokens of
    std::vector<std::string_view> chatroom_tokens;
    std::string_view direction;  ///< sendrecv, sendonly, recvonly, inactive: its own, else the session's, else empty
    [[nodiscard]] bool refused() const { return port == 0; }
};

struct SessionDescription {
    std::string_view session_id;  ///< of o=
    std::string_view version;     ///< of o=
    std::string_view subject;     ///< s=, and i= where s= says nothing or `-`
    std::size_t media = 0;        ///< m= lines of any kind
    std::vector<SdpMsrp>
        msrp;  ///< those of them that are MSRP, in order; also of the 2004 draft: `m=message port msrp …`
};

/// Reads a session description (RFC 8866), lines with CRLF or LF, unknown lines passed over, also a piece of one that
/// lacks lines it should have. nullopt where none of `v=0`, `o=` and `m=` is there, and for another version. At most 64
/// media, and 64 values of an attribute that lists them, are read.
[[nodiscard]] std::optional<SessionDescription> read_sdp(std::string_view bytes);
inline constexpr std::size_t max_sdp_media = 64;
inline constexpr std::size_t max_sdp_values = 64;

}  // namespace lihandover::ims
