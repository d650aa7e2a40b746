#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lihandover/audit/chain.hpp"
#include "lihandover/audit/lines.hpp"
#include "lihandover/audit/signature.hpp"

namespace lihandover::audit {

/// Checks exported chains without their daemons: each line of each file once, then each once more against what the
/// other files, other chains and people know. Memory is bounded whatever the files are; where a bound is reached that
/// keeps something from being compared, that is a finding.
///
///     for each file: begin(name), line() for each, end()
///     compare()
///     where needs_second_look(), for each file in the same order: begin_second(), second_line() for each, end_second()
///     conclude()
///
/// What is said is of three kinds. Findings are what is wrong. Doubts, only where there are keys, are entries that no
/// signature and no known head stands for, so that whoever has the store can have rewritten them. Notes are what is
/// right and what cannot be proved. Not thread-safe.
class Verification {
  public:
    struct Options {
        /// Each checkpoint that is signed has to be signed with one of them. Empty: signatures are not looked at.
        std::vector<VerifyingKey> keys;
        /// That somebody wrote down: each has to be there, in one of the chains.
        std::vector<Head> heads;
        /// So many entries at the end of a chain, behind the last that is proved, are a note and no doubt.
        std::uint64_t accepted_unsigned = 0;
        /// So many numbers of chains are remembered to be compared: some 250 MB.
        std::size_t most_places = 4'000'000;
    };
    /// So many findings are told in full, the others counted; as many doubts and notes.
    static constexpr std::size_t most_told = 1000;
    /// Chains that are told apart, those included that are only known to others.
    static constexpr std::size_t most_chains = 10'000;

    explicit Verification(Options options);

    void begin(const std::string& file);
    ///   text   without its newline
    ///   whole  whether it had one
    void line(std::string_view text, bool whole);
    void end();

    void compare();
    [[nodiscard]] bool needs_second_look() const { return files_.size() > 1 || !given_.empty() || witnessed_; }
    void begin_second();
    void second_line(std::string_view text);
    /// Finds a file whose lines are not those that it had at the first look.
    void end_second();
    void conclude();

    enum class Outcome : std::uint8_t { holds, doubtful, wrong };
    [[nodiscard]] Outcome outcome() const;

    /// Sentences of one kind, the first most_told of them.
    struct Sentences {
        std::vector<std::string> told;
        std::size_t unsaid = 0;

        void add(std::string sentence);
    };
    [[nodiscard]] const Sentences& findings() const { return findings_; }
    [[nodiscard]] const Sentences& doubts() const { return doubts_; }
    [[nodiscard]] const Sentences& notes() const { return notes_; }

  private:
    /// Who says that a number of a chain has a hash.
    enum class By : std::uint8_t { first_line, checkpoint, entry, previous, recorded };
    struct Place {
        Head head;
        std::uint64_t line = 0;
        std::uint64_t in_entry = 0;  ///< By::recorded: the number, in its own chain, of the entry that says so
        std::uint32_t file = 0;
        By by{};
        bool is_signed = false;
        bool seen = false;  ///< an export of all entries has it; of places that are the same, the first is marked
    };
    /// Numbers whose entries are all in one file: those behind `from` up to `to`.
    struct Stretch {
        std::uint64_t from = 0;
        std::uint64_t to = 0;
    };
    /// What one of the keys has signed of a chain.
    struct Signed {
        std::uint64_t checkpoints = 0;
        Checkpoint first, last;
    };
    using Warrant = std::pair<std::string, std::string>;  ///< destination and LIID
    struct Chain {
        std::string node;
        bool has_files = false;
        std::uint64_t end = 0;      ///< the greatest number that a file goes up to by its first line
        std::vector<Place> places;  ///< sorted by compare()
        std::vector<Stretch> whole;
        std::map<Warrant, std::vector<std::uint32_t>> warrants;  ///< files with the entries of one warrant
        std::map<std::size_t, Signed> keys;                      ///< by their place in the options
        std::uint64_t forked_at = 0;    ///< the least number that two hashes are known of; 0: none
        std::uint64_t agreed_on = 0;    ///< the greatest number that two files agree on
        std::uint64_t proved_upto = 0;  ///< by a signature, a given head, or one that another chain recorded
    };
    using Chains = std::map<Hash, Chain>;
    struct File {
        std::string name;
        std::optional<Header> header;
        std::uint64_t upto = 0;  ///< the last number that is in it
        std::uint64_t entries = 0;
        Hash text{};  ///< of all its lines
    };
    struct Given {
        Head head;
        bool met = false;
        std::string otherwise;  ///< where its number has another hash
    };

    // verification.cpp: each file by itself.
    void take_header(Header header);
    void take_entry(const ReadEntry& read);
    void take_entry_of_warrant(const ReadEntry& read);
    void take_out_of_place(const ReadEntry& read);
    void take_witnessed(const Entry& entry);
    void take_checkpoint(const Checkpoint& checkpoint);
    void take_closing(const Closing& closing);
    [[nodiscard]] bool check_signature(Chain& chain, const Checkpoint& checkpoint);
    void missing(std::uint64_t first, std::uint64_t last);
    void add_place(const Hash& chain, const Head& head, By by, bool is_signed = false);
    void reached_bound(const std::string& what);
    void find_here(const std::string& what) { findings_.add(here() + ": " + what); }
    [[nodiscard]] std::string here() const { return file().name + ":" + std::to_string(line_); }
    [[nodiscard]] File& file() { return files_[file_]; }
    [[nodiscard]] const File& file() const { return files_[file_]; }

    // comparison.cpp: all files together.
    void look(Chain& chain, const Head& head, bool whole);
    void look_for_warrant(Chain& chain, const Recorded& recorded);
    [[nodiscard]] std::string said_by(const Place& place) const;
    void spread_proof();
    void judge_given(Given& given);
    void judge_recorded(const std::string& name, const Chain& chain);
    void judge_missing(const std::string& name, const Chain& chain, std::uint64_t number, const std::string& said_by);
    void judge_stretches(const std::string& name, Chain& chain);
    void judge_ends(const std::string& name, const Hash& hash, const Chain& chain);
    void judge_warrants(const std::string& name, const Chain& chain);
    void judge_proof(const std::string& name, const Chain& chain);

    Options options_;
    Chains chains_;
    std::vector<File> files_;
    std::vector<Given> given_;
    std::size_t places_ = 0;
    bool witnessed_ = false;
    bool bound_reached_ = false;
    Sentences findings_, doubts_, notes_;

    // Of the file that is read.
    std::size_t file_ = 0;
    std::size_t next_second_ = 0;  ///< file of the second look
    std::uint64_t line_ = 0;
    bool closed_ = false;
    std::optional<Head> last_;  ///< the last entry; nullopt: its hash is not known, since what stood before is missing
    std::uint64_t last_number_ = 0;
    std::map<std::uint64_t, std::uint64_t> gaps_;  ///< the last number of each that is missing, by the first
    Hasher exported_;                              ///< of what the closing line counts
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
