#pragma once

#include <cstddef>
#include <memory>
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

/// One part of a multipart body (RFC 2046), decoded. Texts view the message, or `made`; they stay good where a part is
/// copied or moved.
struct BodyPart {
    std::string_view content_type;  ///< as written, unfolded; empty when absent
    std::string_view content_disposition;
    std::string_view content_id;  ///< as written: `<…>`
    std::string file_name;        ///< from Content-Disposition (RFC 2231 and RFC 6266 too), else of Content-Type
    std::string_view body;        ///< decoded where Content-Transfer-Encoding was base64 or quoted-printable
    /// Texts that are not so in the message.
    std::vector<std::shared_ptr<const std::string>> made;
};

/// The leaves of a body: the body itself, or the parts of a multipart/*, of those within it too, in order. A body whose
/// boundary does not occur is one leaf; where none is given, the first line that looks like a delimiter has it. At most
/// 256 leaves, the last of which is then all that is beyond, undecoded and an application/octet-stream; a multipart/*
/// at level 8 is a leaf. What is said to be base64 and is not stays as it is.
///   content_type, disposition   of the whole body, as in its headers
[[nodiscard]] std::vector<BodyPart> leaves_of(std::string_view content_type, std::string_view disposition,
                                              std::string_view body);
inline constexpr std::size_t max_leaves = 256;
inline constexpr std::size_t max_part_depth = 8;

/// The `filename` of a Content-Disposition (also `filename*`), decoded to UTF-8; empty when absent. A path stays one.
[[nodiscard]] std::string file_name_of(std::string_view content_disposition);

/// The text of a text/* body as UTF-8. utf-8 and us-ascii as they are (bytes that are no UTF-8: false), also where no
/// charset is given; ISO-8859-1, -15 and windows-1252; UTF-16, big-endian where neither the name nor a mark says. Other
/// charsets, and what is no text of its charset: false, and the body goes out as an object with its type.
[[nodiscard]] bool text_to_utf8(std::string_view body, std::string_view charset, std::string& out);

/// URIs of a resource list (RFC 4826; RFC 5365 and 5366 use it for receivers), in order, at most 4096; with `cc` and
/// `bcc` (RFC 5364) like `to`. XML without entities; what is no resource list gives none.
[[nodiscard]] std::vector<std::string> receivers_of_list(std::string_view xml);

}  // namespace lihandover::ims
