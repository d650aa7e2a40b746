// Content-Type and Content-Disposition, each a line, and the body that they are of.

#include <string>

#include "fuzz.hpp"
#include "lihandover/base/utf8.hpp"
#include "lihandover/ims/multipart.hpp"

namespace {

using namespace lihandover;
using namespace lihandover::ims;
using fuzz::must;

bool is_within(std::string_view text, std::string_view whole) {
    return text.empty() || (text.data() >= whole.data() && text.data() + text.size() <= whole.data() + whole.size());
}

void check_type(std::string_view value) {
    const ContentType type = read_content_type(value);
    must(is_within(type.raw, value), "the raw type is of the field");
    must(base::is_encoded(type.name), "a file name is UTF-8");
    const std::string plain =
        type.type + ";charset=\"" + (type.charset.find_first_of("\"\\") == std::string::npos ? type.charset : "") + '"';
    const ContentType again = read_content_type(plain);
    must(again.type == type.type, "a type written plainly is the same");
    must(type.type.empty() || again.charset == type.charset || again.charset.empty(), "a charset too");
}

void check_leaves(std::string_view content_type, std::string_view disposition, std::string_view body) {
    const auto parts = leaves_of(content_type, disposition, body);
    must(!parts.empty() && parts.size() <= max_leaves, "there is a leaf, and leaves are bounded");
    const char* before = body.data();
    for (const BodyPart& part : parts) {
        bool made = false;
        for (const auto& text : part.made) {
            made = made || (!part.body.empty() && is_within(part.body, *text));
        }
        must(made || is_within(part.body, body), "a leaf is of the body or made");
        if (!made && !part.body.empty()) {
            must(part.body.data() >= before, "leaves are in order and apart");
            before = part.body.data() + part.body.size();
        }
        must(base::is_encoded(part.file_name), "a file name is UTF-8");
        for (const std::string_view text : {part.body, part.content_type, part.content_disposition, part.content_id}) {
            fuzz::touch(text);
        }
    }
    const bool multipart = read_content_type(content_type).type.starts_with("multipart/");
    must(multipart || (parts.size() == 1 && parts[0].body == body), "what is not multipart is one leaf");
}

void check_charsets(std::string_view body) {
    for (const std::string_view charset : {"utf-8", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-16", "koi8-r"}) {
        std::string out = "before";
        const bool text = text_to_utf8(body, charset, out);
        must(base::is_encoded(out), "a text is UTF-8");
        must(text || out.empty(), "what is no text gives nothing");
        must(out.size() <= 3 * body.size(), "a text is bounded");
    }
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const fuzz::Exact content_type(input.line());
    const fuzz::Exact disposition(input.line());
    const fuzz::Exact body(input.rest());
    check_type(content_type.view());
    must(base::is_encoded(file_name_of(disposition.view())), "a file name is UTF-8");
    check_leaves(content_type.view(), disposition.view(), body.view());
    check_charsets(body.view());
}
