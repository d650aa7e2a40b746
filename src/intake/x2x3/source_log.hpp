#pragma once

#include <cstddef>
#include <map>
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
    // A source chooses the numbers: however many it sends, what is said of other things still has its place.
    static constexpr std::size_t most_numbers = 16;

    std::string source_;
    std::map<std::string, std::set<std::size_t>> numbers_;
    std::set<std::string> said_;
    std::string state_;
};

}  // namespace lihandover::intake
