#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lihandover::model {

/// The byte that an escape (`%41`) at the start of `text` encodes, or -1.
[[nodiscard]] int escaped_byte(std::string_view text);
/// Appends the text with its escapes resolved.
void append_decoded(std::string& out, std::string_view text);

/// The parts of a SIP or SIPS URI (RFC 3261 section 19.1.1), as they are in it.
struct SipParts {
    bool secure = false;
    bool has_userinfo = false;
    std::string_view userinfo;
    std::string_view host;  // with brackets for IPv6
    std::string_view port;
    std::string_view parameters;  // after the first ';'
    std::string_view headers;     // after '?'
};

/// Nullopt for anything else.
[[nodiscard]] std::optional<SipParts> split_sip(std::string_view text);

/// Which parameters are written, and how the host is written.
enum class SipForm : std::uint8_t {
    key,       ///< those that no URI without them equals; the host as A-labels without a trailing dot
    document,  ///< all; the host as it was given, in lower case
};

/// Writes a SIP URI in its one spelling (RFC 3261 section 19.1.4). Replaces `out`; the returned view is the result.
/// Nullopt if `text` is not a SIP URI. `has_optional`: it has parameters that the key leaves out.
[[nodiscard]] std::optional<std::string_view> write_sip(std::string_view text, SipForm form, std::string& out,
                                                        bool& has_optional);

/// Whether the parameters that both URIs have agree, if the mandatory ones are known to. Both are SIP URIs.
[[nodiscard]] bool shared_parameters_agree(std::string_view left, std::string_view right);

/// A tel URI (RFC 3966 section 3).
struct Tel {
    bool global = false;
    bool has_context = false;
    bool has_parameters = false;
    std::string_view bytes;  // `+44…` or local digits, then the parameters in order
};

/// Replaces `out`; the bytes view it. Nullopt if `text` is not a tel URI.
[[nodiscard]] std::optional<Tel> write_tel(std::string_view text, std::string& out);

}  // namespace lihandover::model
