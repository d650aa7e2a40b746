#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lihandover::ims {

/// A media type in a header field, parsed.
struct ContentType {
    std::string type;     ///< in lower case, blanks and the quotes of the 2004 draft cut: `text/plain`
    std::string charset;  ///< in lower case; empty when absent
    std::string boundary;
    std::string name;      ///< the file name that some senders put here
    std::string_view raw;  ///< as written, blanks around it cut
};
/// Never fails: what is no media type gives an empty `type`.
[[nodiscard]] ContentType read_content_type(std::string_view value);

/// One part of a multipart body (RFC 2046), decoded.
struct BodyPart {
    std::string_view content_type;  ///< as written; empty when absent
    std::string_view content_disposition;
    std::string_view content_id;
    std::string file_name;  ///< from Content-Disposition (RFC 2231 and RFC 6266 too), else of Content-Type
    std::string_view body;  ///< views `decoded` or the message
    std::string decoded;    ///< where Content-Transfer-Encoding was base64 or quoted-printable
};

/// The leaves of a body: the body itself, or the parts of a multipart/*, of those within it too, in order. A body whose
/// boundary does not occur is one leaf. At most 256 leaves and 8 levels; what is beyond is one leaf, undecoded.
///   content_type, disposition   of the whole body, as in its headers
[[nodiscard]] std::vector<BodyPart> leaves_of(std::string_view content_type, std::string_view disposition,
                                              std::string_view body);
inline constexpr std::size_t max_leaves = 256;
inline constexpr std::size_t max_part_depth = 8;

/// The `filename` of a Content-Disposition (also `filename*`), decoded to UTF-8; empty when absent.
[[nodiscard]] std::string file_name_of(std::string_view content_disposition);

/// The text of a text/* body as UTF-8. utf-8 and us-ascii as they are (bytes that are no UTF-8: false), ISO-8859-1,
/// -15 and windows-1252, UTF-16; other charsets: false, and the body goes out as an object with its type.
[[nodiscard]] bool text_to_utf8(std::string_view body, std::string_view charset, std::string& out);

/// URIs of a resource list (RFC 4826; RFC 5365 and 5366 use it for receivers), in order, at most 4096; with `cc` and
/// `bcc` (RFC 5364) like `to`. XML without entities; what is no resource list gives none.
[[nodiscard]] std::vector<std::string> receivers_of_list(std::string_view xml);

}  // namespace lihandover::ims
