#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "lihandover/audit/chain.hpp"
#include "lihandover/model/result.hpp"

namespace lihandover::audit {

// An exported chain is text, one JSON object per line (docs/audit-export.md): a Header, entries and checkpoints in the
// order of the chain, a Closing. Each line is written in exactly one way, and one that is written in another is refused
// when it is read: so nothing can be changed in a line that its hash does not see.

/// No line is longer, its newline included.
inline constexpr std::size_t longest_line = std::size_t{16} << 20;
/// Nor is a node's name, a version, or what names the warrant in the first line.
inline constexpr std::size_t longest_name = 1024;

struct Header {
    Hash chain{};  ///< of number 0
    std::string node;
    std::string version;  ///< of the program
    model::Instant exported_at;
    Head from;  ///< what stands before the first entry
    Head to;    ///< the last entry
    Head head;  ///< the chain's newest entry at that time
    // What was asked for.
    std::optional<model::Instant> since, until;
    std::string destination, liid;  ///< entries of one warrant only; empty: all

    /// Whether every entry from `from` to `to` is there.
    [[nodiscard]] bool whole() const { return destination.empty(); }
};

struct Closing {
    Head to;
    std::uint64_t lines = 0;  ///< before it
    Hash sha256{};            ///< of these, newlines included
};

/// An entry as it is read. Its strings are its own, so it stays where it was made.
class ReadEntry {
  public:
    ReadEntry() = default;
    ReadEntry(const ReadEntry&) = delete;
    ReadEntry& operator=(const ReadEntry&) = delete;
    ReadEntry(ReadEntry&&) = delete;
    ReadEntry& operator=(ReadEntry&&) = delete;
    ~ReadEntry() = default;

    Recorded recorded;
    bool has_previous = false;
    std::string destination, liid, who, why;
    Refusal refusal;
};

using Line = std::variant<Header, std::unique_ptr<ReadEntry>, Checkpoint, Closing>;

// Each appends a line with its newline.
void write_line(const Header& header, std::string& out);
///   with_previous  the hash before it too, where the entry before it is not in the file
void write_line(const Recorded& recorded, bool with_previous, std::string& out);
void write_line(const Checkpoint& checkpoint, std::string& out);
void write_line(const Closing& closing, std::string& out);

/// Reads a line, without its newline. The error says what is wrong with it, and quotes nothing.
[[nodiscard]] model::Result<Line> read_line(std::string_view text);

/// `2026-11-22T10:15:30.123456789Z`
[[nodiscard]] std::string to_nanosecond_date_time(model::Instant instant);

}  // namespace lihandover::audit
