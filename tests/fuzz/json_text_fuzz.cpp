// Strings, numbers and base64 as intake decodes them, against another reader and simple references.

#include <simdjson.h>

#include <string>

#include "fuzz.hpp"
#include "http/json_text.hpp"
#include "lihandover/base/hex.hpp"
#include "pipeline/base64.hpp"

namespace {

using namespace lihandover;
using fuzz::must;

// As slow and as simple as possible; `text` is base64.
std::string plain_decode(std::string_view text) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text.substr(0, text.find('='))) {
        bits = bits << 6U | static_cast<std::uint32_t>(digits.find(c));
        count += 6;
        if (count >= 8) {
            count -= 8;
            out += static_cast<char>(bits >> static_cast<unsigned>(count) & 0xffU);
        }
    }
    return out;
}

void check_base64(std::string_view text) {
    if (!intake::is_base64(text)) {
        return;
    }
    std::string read;
    intake::Base64Reader reader(text);
    for (auto piece = reader.next(); !piece.empty(); piece = reader.next()) {
        read.append(piece.data(), piece.size());
    }
    must(read.size() == intake::base64_size(text), "base64 has the size it was said to have");
    must(read == plain_decode(text), "base64 is what it stands for");
}

void check_sha256(std::string_view text) {
    const auto digest = base::parse_hex<32>(text);
    must(digest.has_value() == (text.size() == 64 && base::is_hex(text)), "a digest is 64 hex digits");
    if (digest) {
        std::string back;
        for (const unsigned byte : *digest) {
            back += "0123456789abcdef"[byte >> 4U];
            back += "0123456789abcdef"[byte & 15U];
        }
        for (std::size_t i = 0; i < text.size(); ++i) {
            must((text[i] | 0x20) == back[i], "a digest is what its digits say");
        }
    }
}

// The part of `text` that may be between quotes: UTF-8 without control characters and bare quotes.
bool may_be_string(std::string_view text) {
    static simdjson::dom::parser parser;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (static_cast<unsigned char>(text[i]) < 0x20 || text[i] == '"') {
            return false;
        }
        i += text[i] == '\\' ? 1 : 0;
    }
    return simdjson::validate_utf8(text.data(), text.size());
}

void check_string(std::string_view text) {
    static simdjson::dom::parser parser;
    if (!may_be_string(text)) {
        return;
    }
    std::string out(text.size(), '\0');
    const char* const end = intake::unescape_json(text, out.data());
    must((end != nullptr) == intake::has_good_escapes(text), "both readers of escapes agree");
    const std::string quoted = '"' + std::string(text) + '"';
    std::string_view theirs;
    const bool known = parser.parse(quoted).get(theirs) == simdjson::SUCCESS;
    if (end == nullptr) {
        must(!known, "what JSON knows is decoded");
        return;
    }
    out.resize(static_cast<std::size_t>(end - out.data()));
    // simdjson 3.0 drops what it should keep of a high surrogate before something else; only we read lone ones.
    if (known && text.find("\\u") == std::string_view::npos) {
        must(out == theirs, "a string is what it means");
    }
    must(intake::count_characters(out) <= out.size(), "no more characters than bytes");
    std::string written;
    intake::append_json_string(written, out);
    must(fuzz::is_ascii_text(written), "a written string is ASCII");
    // Writing and reading again changes nothing: the decoded text is WTF-8.
    const std::string_view inner = std::string_view(written).substr(1, written.size() - 2);
    std::string back(inner.size(), '\0');
    const char* const back_end = intake::unescape_json(inner, back.data());
    must(back_end != nullptr, "what we write can be read");
    back.resize(static_cast<std::size_t>(back_end - back.data()));
    // A high and a low surrogate that were apart in the text may now be adjacent.
    std::string rewritten;
    intake::append_json_string(rewritten, back);
    must(rewritten == written || back != out, "reading what we wrote is stable");
}

void check_any_bytes(std::string_view text) {
    static simdjson::dom::parser parser;
    std::string written;
    intake::append_json_string(written, text);
    must(written.size() >= 2 && written.size() <= 6 * text.size() + 2, "a written string is bounded");
    must(fuzz::is_ascii_text(written), "a written string is ASCII");
    std::string_view read;
    const auto error = parser.parse(written).get(read);
    if (simdjson::validate_utf8(text.data(), text.size())) {
        must(error == simdjson::SUCCESS && read == text, "UTF-8 comes back as it was");
    }
}

void check_number(std::string_view text) {
    static simdjson::dom::parser parser;
    const std::string list = '[' + std::string(text) + ']';
    simdjson::dom::array array;
    const auto error = parser.parse(list).get(array);
    const bool blank = text.find_first_of(" \t\r\n") != std::string_view::npos;
    if (error == simdjson::SUCCESS && array.size() == 1 && !blank) {
        must(array.at(0).is_number() == intake::is_json_number(text), "a number is what JSON has for one");
    }
    if (intake::is_json_number(text)) {
        must(error == simdjson::SUCCESS || error == simdjson::NUMBER_ERROR, "a number of ours is JSON's");
    }
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    const fuzz::Exact bytes({reinterpret_cast<const char*>(data), size});
    const std::string_view text = bytes.view();
    check_base64(text);
    check_sha256(text);
    check_string(text);
    check_any_bytes(text);
    check_number(text);
}
