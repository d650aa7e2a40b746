#include "json_writer.hpp"

#include <array>
#include <charconv>
#include <cstddef>

#include "lihandover/base/hex.hpp"
#include "lihandover/base/utf8.hpp"

namespace lihandover::admin {

namespace {

void append_escaped(std::string& out, std::string_view text) {
    for (const char byte : text) {
        const auto value = static_cast<unsigned char>(byte);
        if (byte == '"' || byte == '\\') {
            out += '\\';
            out += byte;
        } else if (value < 0x20 || value == 0x7F) {
            out += "\\u00";
            base::append_hex(out, byte);
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
    append_escaped(out_, base::is_encoded(value) ? value : base::with_replacements(value));
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
