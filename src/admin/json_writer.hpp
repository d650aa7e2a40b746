#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lihandover/model/time.hpp"

namespace lihandover::admin {

/// Writes one JSON document into a string. The caller opens and closes in order; commas are added automatically.
class JsonWriter {
  public:
    explicit JsonWriter(std::string& out) : out_(out) {}

    JsonWriter& open_object();
    JsonWriter& close_object();
    JsonWriter& open_array();
    JsonWriter& close_array();
    /// The name of the next value.
    JsonWriter& key(std::string_view name);

    /// Bytes that are no UTF-8 become U+FFFD.
    JsonWriter& text(std::string_view value);
    JsonWriter& number(std::uint64_t value);
    JsonWriter& boolean(bool value);
    JsonWriter& null();
    /// TS 103 280 QualifiedMicrosecondDateTime, as everywhere else.
    JsonWriter& time(model::Instant value);

    JsonWriter& text(std::string_view name, std::string_view value) { return key(name).text(value); }
    JsonWriter& number(std::string_view name, std::uint64_t value) { return key(name).number(value); }
    JsonWriter& boolean(std::string_view name, bool value) { return key(name).boolean(value); }
    JsonWriter& time(std::string_view name, model::Instant value) { return key(name).time(value); }
    JsonWriter& time(std::string_view name, const std::optional<model::Instant>& value) {
        key(name);
        return value ? time(*value) : null();
    }

  private:
    void separate();
    std::string& out_;
    bool first_ = true;
};

/// `{"error":"…"}`
[[nodiscard]] std::string error_body(std::string_view sentence);

}  // namespace lihandover::admin
