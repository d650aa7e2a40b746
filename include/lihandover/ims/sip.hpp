#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lihandover::ims {

/// An address in a header field (RFC 3261 20.10): `"Alice" <sip:alice@example.com>;tag=88`.
struct SipAddress {
    std::string_view display_name;  ///< unquoted, escapes resolved; empty when absent
    std::string_view uri;           ///< any scheme, as written, without the angle brackets
    std::string_view parameters;    ///< what follows the address, from the first `;` on: `;tag=88`
    /// The value of one of `parameters`, name in any case, without quotes around it (escapes stay); empty when absent
    /// or without a value.
    [[nodiscard]] std::string_view parameter(std::string_view name) const;
    /// Whether `parameters` have this one, with or without a value (`isfocus`).
    [[nodiscard]] bool has_parameter(std::string_view name) const;
};

struct SipHeader {
    std::string_view name;   ///< as written, compact forms too
    std::string_view value;  ///< unfolded, blanks around it cut
};

/// A SIP request or answer (RFC 3261) as it lay in one PDU. Texts view the bytes it was read from, or `made`, and live
/// as long as both do.
struct SipMessage {
    bool request = false;
    std::string_view method;       ///< of a request; of an answer that of its CSeq
    std::string_view request_uri;  ///< of a request
    unsigned status = 0;           ///< of an answer, 100 to 699
    std::string_view reason;       ///< of an answer

    std::string_view call_id;
    std::uint32_t cseq = 0;
    std::string_view branch;  ///< of the topmost Via; empty when absent
    SipAddress from;          ///< with its tag as a parameter
    SipAddress to;
    std::vector<SipAddress> asserted;      ///< P-Asserted-Identity (RFC 3325), in order
    std::vector<SipAddress> preferred;     ///< P-Preferred-Identity
    std::vector<SipAddress> called_party;  ///< P-Called-Party-ID (RFC 7315)
    std::vector<SipAddress> history;       ///< History-Info (RFC 7044)
    std::vector<SipAddress> diversion;     ///< Diversion (RFC 5806)
    std::vector<SipAddress> contact;
    std::vector<SipAddress> refer_to;     ///< Refer-To (RFC 3515)
    std::vector<SipAddress> referred_by;  ///< Referred-By (RFC 3892)
    std::string_view event;               ///< Event (RFC 6665), without parameters: `conference`
    std::string_view subscription_state;  ///< as written
    std::string_view content_type;        ///< as written, parameters too; empty when absent
    std::string_view content_disposition;
    std::string_view content_encoding;
    std::string_view body;  ///< by Content-Length where it is right, else what there is

    std::vector<SipHeader> headers;  ///< all of them, in order
    /// What had to be mended so that it could be read, each a fixed phrase without a value (`a header line without a
    /// colon`); empty for a sound message.
    std::vector<std::string_view> mended;
    /// Texts that are not so in the bytes. A message can be moved, and its views stay good; it cannot be copied.
    std::vector<std::unique_ptr<const std::string>> made;

    /// The value of the first header of that name, any case, long or compact form.
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
    [[nodiscard]] std::string_view from_tag() const { return from.parameter("tag"); }
    [[nodiscard]] std::string_view to_tag() const { return to.parameter("tag"); }
    [[nodiscard]] bool is_answer() const { return !request; }
    /// An answer that ends its transaction without success, and does not merely ask who it is (401, 407).
    [[nodiscard]] bool is_failure() const { return is_answer() && status >= 300 && status != 401 && status != 407; }
};

/// Reads one message that fills `bytes` (a PDU's payload), without allocating more than its headers need. Takes what
/// RFC 3261 allows and what the field sends: folded lines, LF alone, compact forms, empty lines before the start line,
/// a wrong or missing Content-Length, unknown schemes. nullopt for what has no start line of SIP or lacks Call-ID,
/// CSeq, From or To: it goes out whole, as an object of type message/sip.
///   why   a fixed phrase when nullopt is returned
[[nodiscard]] std::optional<SipMessage> read_sip(std::string_view bytes, std::string_view* why = nullptr);

/// Bounds of what is read; more headers or addresses than these are unreadable.
inline constexpr std::size_t max_sip_headers = 1024;
inline constexpr std::size_t max_sip_addresses = 512;

}  // namespace lihandover::ims
