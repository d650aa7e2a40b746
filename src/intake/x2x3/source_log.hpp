#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

namespace lihandover::intake {

/// What is worth saying of a source, each thing once. Phrases are ours, without anything of what the source sent.
class SourceLog {
  public:
    explicit SourceLog(std::string source) : source_(std::move(source)) {}

    void warn_once(std::string_view what);
    void warn_once(std::string_view what, std::size_t number);
    /// Each time it is said after something else, or after good().
    void warn_changed(std::string_view what);
    void good(std::string_view what);

  private:
    static constexpr std::size_t most = 256;
    bool is_new(std::string what);

    std::string source_;
    std::set<std::string> said_;
    std::string state_;
};

}  // namespace lihandover::intake
