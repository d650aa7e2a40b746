#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/audit/chain.hpp"
#include "lihandover/audit/lines.hpp"
#include "lihandover/audit/signature.hpp"

namespace lihandover::audit {

/// Checks exported chains without their daemons: each line of each file once, then each once more against what the
/// other files know. Memory is bounded whatever the files are.
///
///     for each file: begin(name), line() for each, end()
///     compare()
///     where needs_second_look(), for each file: begin_second(name), second_line() for each
///     conclude()
///
/// Findings are what is wrong, notes what is right and what cannot be proved. Not thread-safe.
class Verification {
  public:
    struct Options {
        std::optional<VerifyingKey> key;
        std::vector<Head> heads;  ///< that somebody wrote down, of the one chain
    };
    /// So many findings are told in full, the others counted.
    static constexpr std::size_t most_findings = 1000;

    explicit Verification(Options options) : options_(std::move(options)) {}

    void begin(const std::string& file);
    ///   text   without its newline
    ///   whole  whether it had one
    void line(std::string_view text, bool whole);
    void end();

    void compare();
    [[nodiscard]] bool needs_second_look() const { return files_ > 1 || !options_.heads.empty() || witnessed_; }
    void begin_second(const std::string& file);
    void second_line(std::string_view text);
    void conclude();

    [[nodiscard]] bool holds() const { return findings_.empty() && unsaid_ == 0; }
    [[nodiscard]] const std::vector<std::string>& findings() const { return findings_; }
    [[nodiscard]] std::size_t unsaid() const { return unsaid_; }
    [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

  private:
    /// A hash that a number of a chain has, by what says so.
    struct Anchor {
        Hash hash{};
        std::string said_by;
        std::size_t file = 0;  ///< its number, from 1; 0: none of the files
    };
    struct Stretch {
        std::uint64_t from = 0;  ///< the last number before it
        std::uint64_t to = 0;
    };
    struct Chain {
        std::map<std::uint64_t, Anchor> anchors;
        std::vector<Stretch> whole;   ///< numbers whose entries are all in one file
        std::uint64_t forked_at = 0;  ///< the least number that two hashes are known of; 0: none
        std::uint64_t agreed_on = 0;  ///< the greatest below it that two files agree on
        std::uint64_t signed_upto = 0;
        std::uint64_t end = 0;                          ///< the greatest number of any file
        std::map<model::Instant, std::uint64_t> heads;  ///< by when they were exported
        std::string node;
    };
    struct Gap {
        std::uint64_t first = 0;
        std::uint64_t last = 0;
    };

    void find(const std::string& what);
    void find_here(const std::string& what);
    void take_header(Header header);
    void take_entry(const ReadEntry& read);
    void take_entry_of_warrant(const ReadEntry& read);
    void take_out_of_place(const ReadEntry& read);
    void take_witnessed(const Entry& entry);
    void take_checkpoint(const Checkpoint& checkpoint);
    void take_closing(const Closing& closing);
    void missing(std::uint64_t first, std::uint64_t last);
    void anchor(const Hash& chain, const Head& head, const std::string& said_by);
    [[nodiscard]] std::string here() const { return file_ + ":" + std::to_string(line_); }

    Options options_;
    std::map<Hash, Chain> chains_;
    std::size_t anchors_ = 0;
    std::size_t files_ = 0;
    bool witnessed_ = false;
    std::vector<std::string> findings_;
    std::size_t unsaid_ = 0;
    std::vector<std::string> notes_;

    // Of the file that is read.
    std::string file_;
    std::size_t file_number_ = 0;  ///< from 1
    std::uint64_t line_ = 0;
    std::optional<Header> header_;
    bool closed_ = false;
    std::optional<Head> last_;  ///< the last entry; nullopt: its hash is not known, since what stood before is missing
    std::uint64_t last_number_ = 0;
    std::uint64_t entries_ = 0;
    std::vector<Gap> gaps_;
    Hasher text_;
    Hasher hasher_;
};

/// What the entry of another chain's head says, and is read from.
[[nodiscard]] std::string words_of_head(const Hash& chain, const Head& head);
struct ChainHead {
    Hash chain{};
    Head head;
};
[[nodiscard]] std::optional<ChainHead> head_of_words(std::string_view words);
/// `NUMBER:HASH`
[[nodiscard]] std::optional<Head> parse_head(std::string_view text);

}  // namespace lihandover::audit
