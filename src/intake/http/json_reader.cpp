#include "http/json_reader.hpp"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

#include "http/json_text.hpp"

namespace lihandover::intake {

namespace {

using metrics::Rejection;

constexpr std::size_t least_capacity = std::size_t{16} * 1024;
constexpr std::size_t kept_capacity = std::size_t{64} * 1024;

// The first byte of a JSON value of any type.
constexpr bool starts_value(char c) {
    return c == '"' || c == '{' || c == '[' || c == '-' || (c >= '0' && c <= '9') || c == 't' || c == 'f' || c == 'n';
}

constexpr std::string_view explain(simdjson::error_code error) {
    switch (error) {
        case simdjson::UTF8_ERROR:
            return "it is not valid UTF-8";
        case simdjson::EMPTY:
            return "there is nothing";
        case simdjson::UNCLOSED_STRING:
            return "a string does not end";
        case simdjson::UNESCAPED_CHARS:
            return "a control character in a string must be escaped";
        default:
            return "it cannot be read";
    }
}

}  // namespace

JsonReader::JsonReader() = default;
JsonReader::~JsonReader() {
    wipe();
}

void JsonReader::wipe() {
    decoded_ = std::max(decoded_, static_cast<std::size_t>(free_text_ - text_.data()));
    if (decoded_ > 0) {
        explicit_bzero(text_.data(), decoded_);
    }
    decoded_ = 0;
    free_text_ = text_.data();
}

JsonReader::Place JsonReader::open(std::string_view json) {
    json_ = json.data();
    size_ = json.size();
    decoded_ = std::max(decoded_, static_cast<std::size_t>(free_text_ - text_.data()));
    if ((stage1_ == nullptr || size_ > capacity_) && !grow()) {
        return nullptr;
    }
    free_text_ = text_.data();
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(json_);
    const auto error = stage1_->stage1(bytes, size_, simdjson::stage1_mode::regular);
    if (error != simdjson::SUCCESS) {
        return not_json(explain(error));
    }
    std::uint32_t* const first = stage1_->structural_indexes.get();
    // Whatever follows the last token ends with the document; the index has room for a few more entries.
    first[stage1_->n_structural_indexes] = static_cast<std::uint32_t>(size_);
    end_ = first + stage1_->n_structural_indexes;
    const void* const backslash = std::memchr(json_, '\\', size_);
    first_escape_ = backslash == nullptr ? json_ + size_ : static_cast<const char*>(backslash);
    return first;
}

bool JsonReader::grow() {
    if (size_ > simdjson::SIMDJSON_MAXSIZE_BYTES / 2) {
        fail(Rejection::too_large, "is larger than can be read");
        return false;
    }
    wipe();
    const std::size_t wanted = std::max(std::bit_ceil(size_), least_capacity);
    capacity_ = 0;
    auto error = simdjson::SUCCESS;
    if (stage1_ == nullptr) {
        error = simdjson::get_active_implementation()->create_dom_parser_implementation(wanted, 1, stage1_);
    } else {
        error = stage1_->set_capacity(wanted);
    }
    if (error != simdjson::SUCCESS) {
        stage1_.reset();
        throw std::bad_alloc();
    }
    // Text without its escapes is never longer than with them.
    text_.resize(wanted);
    capacity_ = wanted;
    return true;
}

void JsonReader::let_go() {
    wipe();
    if (capacity_ > kept_capacity) {
        stage1_.reset();
        text_ = std::vector<char>();  // `= {}` would keep the memory
        free_text_ = text_.data();
        capacity_ = 0;
    }
}

JsonReader::Place JsonReader::fail(Rejection kind, std::string reason) {
    fault_.kind = kind;
    fault_.field.clear();
    fault_.reason = std::move(reason);
    return nullptr;
}

JsonReader::Place JsonReader::fail_at(std::string_view name, Rejection kind, std::string reason) {
    fail(kind, std::move(reason));
    return within(name);
}

JsonReader::Place JsonReader::not_json(std::string_view why) {
    return fail(Rejection::malformed, "is not JSON: " + std::string(why));
}

JsonReader::Place JsonReader::wrong_type(Place at, std::string_view wanted) {
    if (!starts_value(peek(at))) {
        return not_json("a value is missing");
    }
    return fail(Rejection::invalid_value, "must be " + std::string(wanted));
}

JsonReader::Place JsonReader::within(std::string_view name) {
    std::string outer(name);
    if (!fault_.field.empty() && fault_.field.front() != '[') {
        outer += '.';
    }
    fault_.field.insert(0, outer);
    return nullptr;
}

JsonReader::Place JsonReader::within(std::size_t index) {
    return within("[" + std::to_string(index) + "]");
}

JsonReader::Place JsonReader::decode(Place behind, std::string_view& text) {
    if (std::memchr(text.data(), '\\', text.size()) == nullptr) {
        return behind;
    }
    char* const begin = free_text_;
    char* const end = unescape_json(text, begin);
    if (end == nullptr) {
        return not_json("a string has an escape that JSON does not know");
    }
    text = {begin, static_cast<std::size_t>(end - begin)};
    free_text_ = end;
    return behind;
}

JsonReader::Place JsonReader::number(Place at, std::string_view& out) {
    out = token(at);
    return is_json_number(out) ? at + 1 : not_json("a number is not written as one");
}

JsonReader::Place JsonReader::scalar(Place at, std::string_view& out) {
    if (at == end_) {
        return not_json("a value is missing");
    }
    out = token(at);
    if (out == "true" || out == "false" || out == "null" || is_json_number(out)) {
        return at + 1;
    }
    return not_json("a value is none of JSON's");
}

JsonReader::Place JsonReader::skip_string(Place at) {
    std::string_view raw = token(at);
    if (raw.size() < 2 || raw.back() != '"') {
        return not_json("a string does not end");
    }
    raw = raw.substr(1, raw.size() - 2);
    return has_good_escapes(raw) ? at + 1 : not_json("a string has an escape that JSON does not know");
}

JsonReader::Place JsonReader::skip_key(Place at) {
    if (peek(at) != '"') {
        return not_json("a member's name is missing");
    }
    at = skip_string(at);
    if (at == nullptr) {
        return nullptr;
    }
    return peek(at) == ':' ? at + 1 : not_json("a colon is missing");
}

// Without recursion: a bit per level says whether it is an object.
JsonReader::Place JsonReader::nested(Place at, std::uint32_t max_depth, std::string_view& out) {
    const char* const begin = json_ + *at;
    std::uint64_t objects = 0;
    std::uint32_t depth = 0;
    do {
        // A value.
        bool more = false;  // within what is open now
        const char c = peek(at);
        if (c == '{' || c == '[') {
            if (depth == max_depth || depth == 64) {
                return fail(Rejection::too_large, "must be nested at most " + std::to_string(max_depth) + " deep");
            }
            ++depth;
            objects = objects << 1 | (c == '{' ? 1U : 0U);
            ++at;
            more = peek(at) != (c == '{' ? '}' : ']');
        } else if (c == '"') {
            at = skip_string(at);
        } else {
            std::string_view ignored;
            at = scalar(at, ignored);
        }
        // What may follow it: closing what is open, then a comma.
        while (at != nullptr && !more && depth > 0) {
            out = {begin, static_cast<std::size_t>(json_ + (at == end_ ? size_ : *at) + 1 - begin)};
            at = separator(at, (objects & 1) != 0 ? '}' : ']', more);
            if (!more) {
                objects >>= 1;
                --depth;
            }
        }
        if (at != nullptr && more && (objects & 1) != 0) {
            at = skip_key(at);
        }
    } while (at != nullptr && depth > 0);
    return at;
}

}  // namespace lihandover::intake
