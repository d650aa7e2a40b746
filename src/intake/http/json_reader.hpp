#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/intake/http/event_parser.hpp"

namespace simdjson::internal {
class dom_parser_implementation;  // NOLINT(readability-identifier-naming): simdjson's own name
}

namespace lihandover::intake {

/// Reads the tokens of one JSON document using the structural index that simdjson's first stage makes: the places
/// of { } [ ] : , and of the first byte of every string and scalar. The rest of simdjson would copy each string and
/// refuse lone surrogates. With the index alone, strings are viewed in place and decoded here.
///
/// A reading function takes the place where it begins and returns the place after what it read, or nullptr after a
/// fault (see fault()). This keeps places in registers: as a member, the place would be stored and loaded for each
/// token, which doubled the time. No function reads beyond the end of the text.
class JsonReader {
  public:
    using Place = const std::uint32_t*;

    JsonReader();
    JsonReader(const JsonReader&) = delete;
    JsonReader& operator=(const JsonReader&) = delete;
    ~JsonReader();

    /// Begins a document: its first place. Refuses invalid UTF-8, open strings and control characters in strings.
    [[nodiscard]] Place open(std::string_view json);
    /// Wipes what was decoded, and releases memory that only unusually large documents needed.
    void let_go();

    /// What the last fault was; the caller moves it away.
    [[nodiscard]] Fault& fault() { return fault_; }

    // --- faults; all of these return nullptr ---

    Place fail(metrics::Rejection kind, std::string reason);
    Place fail_at(std::string_view name, metrics::Rejection kind, std::string reason);
    Place not_json(std::string_view why);
    /// At a value of another type, or where there is none.
    Place wrong_type(Place at, std::string_view wanted);
    /// Says where a fault was found, from the inside out, so that a good event pays nothing for it.
    Place within(std::string_view name);
    Place within(std::size_t index);

    // --- tokens ---

    /// The first byte of the token; '\0' at the end.
    [[nodiscard]] char peek(Place at) const { return at == end_ ? '\0' : json_[*at]; }
    [[nodiscard]] bool is_end(Place at) const { return at == end_; }

    /// At a `"`: what the string means, as a view into the document or into the reader's memory.
    [[nodiscard]] Place string(Place at, std::string_view& text) {
        const std::string_view quoted = token(at);
        if (quoted.size() < 2 || quoted.back() != '"') {
            return not_json("a string does not end");
        }
        text = quoted.substr(1, quoted.size() - 2);
        // Most documents have no escapes at all, or only late.
        if (text.data() + text.size() <= first_escape_) {
            return at + 1;
        }
        return decode(at + 1, text);
    }

    /// A member's name and the colon after it.
    [[nodiscard]] Place key(Place at, std::string_view& name) {
        if (peek(at) != '"') {
            return not_json("a member's name is missing");
        }
        at = string(at, name);
        if (at == nullptr) {
            return nullptr;
        }
        return peek(at) == ':' ? at + 1 : not_json("a colon is missing");
    }

    /// After the opening bracket: whether there is anything inside. If not, skips the closing one.
    [[nodiscard]] Place opened(Place at, char closing, bool& more) const {
        more = peek(at) != closing;
        return more ? at : at + 1;
    }

    /// After a member or element: the comma or the closing bracket.
    [[nodiscard]] Place separator(Place at, char closing, bool& more) {
        const char c = peek(at);
        more = c == ',';
        if (!more && c != closing) {
            return not_json(closing == '}' ? "an object does not end" : "an array does not end");
        }
        return at + 1;
    }

    /// The text of a number.
    [[nodiscard]] Place number(Place at, std::string_view& out);
    /// The text of a number, true, false or null.
    [[nodiscard]] Place scalar(Place at, std::string_view& out);
    /// At a `{` or `[`: the text of an object or array, checked for its grammar and its depth.
    [[nodiscard]] Place nested(Place at, std::uint32_t max_depth, std::string_view& out);

  private:
    static constexpr bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

    // The bytes of a token, up to the white space before the next one.
    [[nodiscard]] std::string_view token(Place at) const {
        std::size_t end = at[1];
        while (is_space(json_[end - 1])) {
            --end;
        }
        return {json_ + *at, end - *at};
    }

    void wipe();
    bool grow();
    [[nodiscard]] Place decode(Place behind, std::string_view& text);
    [[nodiscard]] Place skip_string(Place at);
    [[nodiscard]] Place skip_key(Place at);

    const char* json_ = nullptr;
    std::size_t size_ = 0;
    Place end_ = nullptr;
    const char* first_escape_ = nullptr;  // the end if there is none
    char* free_text_ = nullptr;
    std::size_t decoded_ = 0;  // bytes of text_ that earlier documents have left

    std::unique_ptr<simdjson::internal::dom_parser_implementation> stage1_;
    std::size_t capacity_ = 0;
    std::vector<char> text_;
    Fault fault_;
};

}  // namespace lihandover::intake
