// Content-Type in, Content-Type and Content-Disposition out.

#include <string>

#include "content_headers.hpp"
#include "fuzz.hpp"
#include "http/body_format.hpp"
#include "lihandover/model/media_type.hpp"
#include "upload_classifier.hpp"

namespace {

using namespace lihandover;

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    return out;
}

bool fits_header(std::string_view text) {
    return text.size() <= 255 && fuzz::is_ascii_text(text) && text.find('/') != std::string_view::npos;
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    const fuzz::Exact bytes({reinterpret_cast<const char*>(data), size});
    const std::string_view text = bytes.view();
    const auto format = intake::body_format(text);
    if (format) {
        const std::string name = lower(text);
        must(name.find(*format == intake::BodyFormat::json ? "application/json" : "application/x-ndjson") !=
                 std::string::npos,
             "a format is named");
        must(intake::body_format(name) == format, "case does not matter");
    }
    const bool is_type = model::is_media_type(text);
    must(!is_type || fits_header(text), "a media type fits into a header");
    must(is_type == model::is_media_type(lower(text)), "case does not matter");

    const std::string_view pushed = delivery::safe_content_type(text);
    must(fits_header(pushed), "what is pushed has a type that fits");
    must(pushed == text || pushed == "application/octet-stream", "it is the source's or none");
    const std::string served = objectserver::content_type(text);
    must(fits_header(served), "what is served has a type that fits");
    must(text.find(served) != std::string_view::npos || served == "application/octet-stream",
         "it is the source's, without white space around it, or none");
    must(objectserver::content_type(served) == served, "what fits is kept");

    const std::string disposition = objectserver::content_disposition(text);
    must(fuzz::is_ascii_text(disposition), "a disposition is ASCII without control characters");
    must(disposition.starts_with("attachment"), "objects are attachments");
    must(disposition.size() < 2048, "a disposition is bounded");
    must(disposition.find_first_of("/\\") == std::string::npos, "no name leads elsewhere");
}
