#include "console/url.hpp"

#include "lihandover/base/hex.hpp"

namespace lihandover::admin {

namespace {

/// RFC 3986 2.3; anything else is encoded.
void append_encoded(std::string& out, std::string_view value) {
    for (const char byte : value) {
        const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
        if (plain) {
            out += byte;
        } else {
            out += '%';
            base::append_hex(out, byte);
        }
    }
}

}  // namespace

Link& Link::step(std::string_view value) {
    text_ += '/';
    append_encoded(text_, value);
    return *this;
}

Link& Link::with(std::string_view name, std::string_view value) {
    if (!value.empty()) {
        text_ += queried_ ? '&' : '?';
        queried_ = true;
        append_encoded(text_, name);
        text_ += '=';
        append_encoded(text_, value);
    }
    return *this;
}

}  // namespace lihandover::admin
