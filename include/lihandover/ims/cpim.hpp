#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lihandover::ims {

/// An address of CPIM: `Alice <im:alice@example.com>`.
struct CpimAddress {
    std::string name;
    std::string_view uri;
};

/// A message/cpim (RFC 3862), with the headers of IMDN (RFC 5438) resolved through its namespaces. Texts view the
/// bytes it was read from.
struct CpimMessage {
    std::optional<CpimAddress> from;
    std::vector<CpimAddress> to;
    std::vector<CpimAddress> cc;
    std::string_view date_time;  ///< as written
    std::string_view subject;    ///< the first one
    std::string_view imdn_message_id;
    std::string_view imdn_disposition;  ///< Disposition-Notification, as written
    struct Header {
        std::string_view name_space;  ///< URI that its prefix is bound to; empty: CPIM's own
        std::string_view name;
        std::string_view value;
    };
    std::vector<Header> headers;  ///< of the message, all of them
    // Of the content:
    std::string_view content_type;  ///< as written; empty when absent
    std::string_view content_disposition;
    std::string_view content_transfer_encoding;
    std::string_view content_id;
    std::string_view body;   ///< not decoded
    bool deviating = false;  ///< read all the same, though not as RFC 3862 has it
};

/// Reads one that fills `bytes`, CRLF or LF. nullopt for what has no two header blocks, or a header line that is none.
[[nodiscard]] std::optional<CpimMessage> read_cpim(std::string_view bytes);

/// How deep message/cpim within message/cpim is unwrapped; what is deeper is an object.
inline constexpr int max_cpim_depth = 4;

/// A disposition notification (RFC 5438 7, message/imdn+xml).
struct Imdn {
    std::string message_id;
    std::string date_time;
    std::string recipient;
    std::string original_recipient;
    std::string subject;
    enum class About : unsigned char { delivery, processing, display } about = About::delivery;
    std::string
        status;  ///< in lower case, without its namespace: delivered, displayed, failed, forbidden, error, stored, …
};
/// XML without DTDs or entities. nullopt for what is none, or names no message or no status.
[[nodiscard]] std::optional<Imdn> read_imdn(std::string_view xml);

}  // namespace lihandover::ims
