#include "json_writer.hpp"

#include <simdjson.h>

#include <array>
#include <charconv>
#include <cstddef>

namespace lihandover::admin {

namespace {

/// How many bytes at the start of `text` are one well-formed UTF-8 character; 0 where there is none.
std::size_t character_size(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t size = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
    return size != 0 && size <= text.size() && simdjson::validate_utf8(text.substr(0, size)) ? size : 0;
}

void append_escaped(std::string& out, std::string_view text) {
    constexpr std::string_view hex = "0123456789abcdef";
    for (const char byte : text) {
        const auto value = static_cast<unsigned char>(byte);
        if (byte == '"' || byte == '\\') {
            out += '\\';
            out += byte;
        } else if (value < 0x20 || value == 0x7F) {
            out += "\\u00";
            out += hex[value >> 4U];
            out += hex[value & 15U];
        } else {
            out += byte;
        }
    }
}

}  // namespace

void JsonWriter::separate() {
    if (!first_) {
        out_ += ',';
    }
    first_ = false;
}

JsonWriter& JsonWriter::open_object() {
    separate();
    out_ += '{';
    first_ = true;
    return *this;
}

JsonWriter& JsonWriter::close_object() {
    out_ += '}';
    first_ = false;
    return *this;
}

JsonWriter& JsonWriter::open_array() {
    separate();
    out_ += '[';
    first_ = true;
    return *this;
}

JsonWriter& JsonWriter::close_array() {
    out_ += ']';
    first_ = false;
    return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
    separate();
    out_ += '"';
    append_escaped(out_, name);
    out_ += "\":";
    first_ = true;
    return *this;
}

JsonWriter& JsonWriter::text(std::string_view value) {
    separate();
    out_ += '"';
    if (simdjson::validate_utf8(value)) {
        append_escaped(out_, value);
    } else {
        while (!value.empty()) {
            const auto size = character_size(value);
            if (size == 0) {
                out_ += "\xEF\xBF\xBD";
                value.remove_prefix(1);
            } else {
                append_escaped(out_, value.substr(0, size));
                value.remove_prefix(size);
            }
        }
    }
    out_ += '"';
    return *this;
}

JsonWriter& JsonWriter::number(std::uint64_t value) {
    separate();
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out_.append(digits.data(), end);
    return *this;
}

JsonWriter& JsonWriter::boolean(bool value) {
    separate();
    out_ += value ? "true" : "false";
    return *this;
}

JsonWriter& JsonWriter::null() {
    separate();
    out_ += "null";
    return *this;
}

JsonWriter& JsonWriter::time(model::Instant value) {
    return text(model::to_microsecond_date_time(value));
}

std::string error_body(std::string_view sentence) {
    std::string body;
    JsonWriter(body).open_object().text("error", sentence).close_object();
    body += '\n';
    return body;
}

}  // namespace lihandover::admin
