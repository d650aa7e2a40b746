#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lihandover::admin {

/// What a form of ours sends (application/x-www-form-urlencoded): names with values, in order. A name may repeat.
class Form {
  public:
    /// nullopt: not such a text, or more than max_fields.
    [[nodiscard]] static std::optional<Form> parse(std::string_view body);

    /// The value of a name that comes once; empty where it comes never or more often.
    [[nodiscard]] std::string_view only(std::string_view name) const;
    [[nodiscard]] std::vector<std::string_view> all(std::string_view name) const;

    static constexpr std::size_t max_body = std::size_t{64} << 10U;
    static constexpr std::size_t max_fields = 1100;

  private:
    std::vector<std::pair<std::string, std::string>> fields_;
};

}  // namespace lihandover::admin
