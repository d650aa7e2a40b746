#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace lihandover::lea_sim {

/// One line of JSON: an object whose members are added one by one.
class Line {
  public:
    explicit Line(std::string_view event);
    Line& text(std::string_view name, std::string_view value);
    Line& number(std::string_view name, std::uint64_t value);
    Line& boolean(std::string_view name, bool value);
    /// `json` is a complete JSON value.
    Line& raw(std::string_view name, std::string_view json);
    /// The line with its end.
    [[nodiscard]] std::string finished() const { return out_ + "}\n"; }

  private:
    void key(std::string_view name);
    std::string out_;
};

/// Counts since the start.
struct Totals {
    std::atomic<std::uint64_t> messages{0};    ///< requests whose body was read
    std::atomic<std::uint64_t> bytes{0};       ///< of their bodies
    std::atomic<std::uint64_t> actions{0};     ///< in them
    std::atomic<std::uint64_t> accepted{0};    ///< actions with this answer, whether it arrived or not
    std::atomic<std::uint64_t> refused{0};     ///< actions
    std::atomic<std::uint64_t> unreadable{0};  ///< messages
    std::atomic<std::uint64_t> invalid{0};     ///< messages that the schemas do not allow (--validate)
    std::atomic<std::uint64_t> failed{0};      ///< messages answered otherwise or not at all, because a rule said so
    std::atomic<std::uint64_t> objects{0};     ///< binary objects stored
    std::atomic<std::uint64_t> object_bytes{0};

    [[nodiscard]] std::string to_json(std::string_view event) const;
};

/// Writes complete lines to a descriptor. Used from all threads.
class Reporter {
  public:
    explicit Reporter(int descriptor) : descriptor_(descriptor) {}
    /// One or more finished lines. Lines that cannot be written (a reader that went away) are lost.
    void write(std::string_view lines);

  private:
    std::mutex mutex_;
    int descriptor_;
};

}  // namespace lihandover::lea_sim
