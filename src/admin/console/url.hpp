#pragma once

#include <string>
#include <string_view>

namespace lihandover::admin {

/// Where a link of the reviewers' page leads: always to a path of ours. What is added to it is percent-encoded, so that
/// no value can change what the URL means.
class Url {
  public:
    /// The beginning, which stands in this source: `/items`.
    consteval explicit(false) Url(const char* path) : path_(path) {
        if (path_.empty() || path_[0] != '/' || path_.substr(0, 2) == "//" ||
            path_.find_first_of("\"'<>&\\?# ") != std::string_view::npos) {
            throw "a link leads to a path of ours";
        }
    }
    [[nodiscard]] std::string_view path() const { return path_; }

  private:
    std::string_view path_;
};

/// A Url with what is known at run time only.
class Link {
  public:
    explicit(false) Link(Url url) : text_(url.path()) {}
    /// Adds `/` and the value.
    Link& step(std::string_view value);
    /// Adds `name=value` to the query; nothing where the value is empty.
    Link& with(std::string_view name, std::string_view value);

    [[nodiscard]] const std::string& text() const { return text_; }

  private:
    std::string text_;
    bool queried_ = false;
};

}  // namespace lihandover::admin
