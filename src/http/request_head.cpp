#include "request_head.hpp"

#include <algorithm>
#include <stdexcept>

#include "message.hpp"

namespace lihandover::http {
namespace {

/// RFC 9110 8.6: whether a request without a body says `Content-Length: 0`.
bool announces_empty_body(std::string_view method) {
    return method == "POST" || method == "PUT" || method == "PATCH";
}

/// No space and no line end, which would make it another request.
bool is_word(std::string_view text) {
    return !text.empty() && std::ranges::none_of(text, [](char letter) {
        return static_cast<unsigned char>(letter) <= 0x20 || letter == 0x7F;
    });
}

}  // namespace

void write_request_head(std::string& out, const Request& request, const RequestFrame& frame) {
    if (!is_word(request.method) || !is_word(request.target)) {
        throw std::logic_error{"the request line holds characters that HTTP does not allow"};
    }
    out = request.method;
    out += ' ';
    out += request.target;
    out += " HTTP/1.1\r\n";
    append_field(out, "Host", frame.authority);
    out += frame.fixed_fields;
    for (const auto& field : request.fields) {
        append_field(out, field.name, field.value);
    }
    if (frame.length != 0 || announces_empty_body(request.method)) {
        append_framing(out, frame.length);
    }
    if (frame.expect_continue) {
        out += "Expect: 100-continue\r\n";
    }
    out += "\r\n";
}

}  // namespace lihandover::http
