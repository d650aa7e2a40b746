#include "lihandover/audit/verification.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include "lihandover/base/hex.hpp"

namespace lihandover::audit {

namespace {

/// Of all chains together: some 100 MB.
constexpr std::size_t most_anchors = 1'000'000;
constexpr std::size_t most_gaps = 10'000;

constexpr std::string_view chain_word = "chain ";
constexpr std::string_view head_word = " head ";

std::string name_of_chain(const Hash& chain) {
    return base::to_hex(chain).substr(0, 16);
}

std::string range_of(std::uint64_t first, std::uint64_t last) {
    return first == last ? "entry " + std::to_string(first)
                         : "entries " + std::to_string(first) + " to " + std::to_string(last);
}

}  // namespace

std::optional<Head> parse_head(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    Head head;
    const auto [end, error] = std::from_chars(text.data(), text.data() + colon, head.number);
    const auto hash = base::parse_hex<32>(text.substr(colon + 1));
    if (error != std::errc{} || end != text.data() + colon || !hash) {
        return std::nullopt;
    }
    head.hash = *hash;
    return head;
}

std::string words_of_head(const Hash& chain, const Head& head) {
    return std::string(chain_word) + base::to_hex(chain) + std::string(head_word) + std::to_string(head.number) + ":" +
           base::to_hex(head.hash);
}

std::optional<ChainHead> head_of_words(std::string_view words) {
    constexpr std::size_t digits = 64;
    if (!words.starts_with(chain_word) || words.size() < chain_word.size() + digits + head_word.size()) {
        return std::nullopt;
    }
    const auto chain = base::parse_hex<32>(words.substr(chain_word.size(), digits));
    const auto rest = words.substr(chain_word.size() + digits);
    const auto head = rest.starts_with(head_word) ? parse_head(rest.substr(head_word.size())) : std::nullopt;
    if (!chain || !head) {
        return std::nullopt;
    }
    return ChainHead{*chain, *head};
}

void Verification::find(const std::string& what) {
    if (findings_.size() < most_findings) {
        findings_.push_back(what);
    } else {
        ++unsaid_;
    }
}

void Verification::find_here(const std::string& what) {
    find(here() + ": " + what);
}

void Verification::begin(const std::string& file) {
    file_number_ = ++files_;
    file_ = file;
    line_ = 0;
    header_.reset();
    closed_ = false;
    last_.reset();
    last_number_ = 0;
    entries_ = 0;
    gaps_.clear();
    static_cast<void>(text_.finish());
}

void Verification::line(std::string_view text, bool whole) {
    ++line_;
    if (closed_) {
        find_here("stands behind the line that ends the export");
        return;
    }
    if (!whole) {
        find_here("the file ends in the middle of a line");
    }
    auto read = read_line(text);
    if (!read) {
        find_here(read.error().message);
    } else if (auto* const closing = std::get_if<Closing>(&*read)) {
        take_closing(*closing);
    } else if (auto* const header = std::get_if<Header>(&*read)) {
        take_header(std::move(*header));
    } else if (!header_) {
        find_here("the file does not begin with the line that heads an export");
    } else if (auto* const checkpoint = std::get_if<Checkpoint>(&*read)) {
        take_checkpoint(*checkpoint);
    } else {
        take_entry(*std::get<std::unique_ptr<ReadEntry>>(*read));
    }
    text_.update(text);
    text_.update("\n");
}

void Verification::take_header(Header header) {
    if (header_ || line_ != 1) {
        find_here("a second beginning of an export");
        return;
    }
    if (header.from.number > header.to.number || header.to.number > header.head.number ||
        (header.from.number == 0 && header.from.hash != header.chain) ||
        (header.to.number == header.head.number && header.to != header.head)) {
        find_here("the first line contradicts itself");
    }
    anchor(header.chain, header.from, file_ + ", first line");
    anchor(header.chain, header.to, file_ + ", first line");
    anchor(header.chain, header.head, file_ + ", first line");
    Chain& chain = chains_[header.chain];
    chain.node = header.node;
    chain.end = std::max(chain.end, header.to.number);
    chain.heads.emplace(header.exported_at, header.head.number);
    last_ = header.from;
    last_number_ = header.from.number;
    header_ = std::move(header);
}

void Verification::missing(std::uint64_t first, std::uint64_t last) {
    if (gaps_.size() < most_gaps) {
        gaps_.push_back({first, last});
    } else {
        find_here(range_of(first, last) + " are missing before this line");
    }
}

void Verification::take_out_of_place(const ReadEntry& read) {
    const std::uint64_t number = read.recorded.number;
    const auto gap =
        std::ranges::find_if(gaps_, [&](const Gap& one) { return one.first <= number && number <= one.last; });
    if (gap == gaps_.end()) {
        find_here("entry " + std::to_string(number) + " is there a second time, or does not belong to this file");
        return;
    }
    find_here("entry " + std::to_string(number) + " is out of its place: it stands behind entry " +
              std::to_string(last_number_));
    const Gap rest{number + 1, gap->last};
    gap->last = number - 1;
    const bool none_before = gap->first > gap->last || number == 0;
    if (none_before) {
        gaps_.erase(gap);
    }
    if (rest.first <= rest.last) {
        gaps_.push_back(rest);
    }
}

void Verification::take_entry(const ReadEntry& read) {
    if (!header_->whole()) {
        take_entry_of_warrant(read);
        return;
    }
    const Recorded& recorded = read.recorded;
    if (read.has_previous) {
        find_here("an entry of an export of one warrant, in an export of all");
    }
    if (recorded.number <= last_number_) {
        take_out_of_place(read);
        return;
    }
    ++entries_;
    if (recorded.number > last_number_ + 1) {
        missing(last_number_ + 1, recorded.number - 1);
        last_.reset();
    }
    if (last_ && hasher_.of(last_->hash, recorded) != recorded.hash) {
        find_here("entry " + std::to_string(recorded.number) + " is not what its hash stands for: it was changed");
    }
    last_ = {recorded.number, recorded.hash};
    last_number_ = recorded.number;
    take_witnessed(recorded.entry);
}

void Verification::take_entry_of_warrant(const ReadEntry& read) {
    const Recorded& recorded = read.recorded;
    if (!read.has_previous) {
        find_here("an entry of an export of one warrant has the hash before it, and this one has none");
        return;
    }
    if (recorded.number <= last_number_) {
        find_here("entry " + std::to_string(recorded.number) + " is there a second time, or out of its place");
        return;
    }
    ++entries_;
    if (recorded.entry.destination != header_->destination || recorded.entry.liid != header_->liid) {
        find_here("entry " + std::to_string(recorded.number) + " is of another warrant than the first line says");
    }
    if (hasher_.of(recorded.previous, recorded) != recorded.hash) {
        find_here("entry " + std::to_string(recorded.number) + " is not what its hash stands for: it was changed");
    }
    if (last_ && recorded.number == last_->number + 1 && last_->hash != recorded.previous) {
        find_here("entry " + std::to_string(recorded.number) + " does not follow from the one before it");
    }
    const std::string said_by = file_ + ", line " + std::to_string(line_);
    anchor(header_->chain, {recorded.number - 1, recorded.previous}, said_by);
    anchor(header_->chain, {recorded.number, recorded.hash}, said_by);
    last_ = {recorded.number, recorded.hash};
    last_number_ = recorded.number;
}

void Verification::take_witnessed(const Entry& entry) {
    if (entry.kind == Kind::store_restored) {
        const auto was = head_of_words(entry.why);
        notes_.push_back(here() + ": entry " + std::to_string(last_number_) +
                         " says that the store was put back to an older state" +
                         (was ? ": entry " + std::to_string(was->head.number) + " of chain " +
                                    name_of_chain(was->chain) + " was there before"
                              : ""));
        return;
    }
    if (entry.kind != Kind::head_recorded) {
        return;
    }
    const auto said = head_of_words(entry.why);
    if (!said) {
        find_here("an entry about another chain's head that does not say which");
        return;
    }
    witnessed_ = true;
    anchor(said->chain, said->head, file_ + ", line " + std::to_string(line_) + " (recorded by " + header_->node + ")");
}

void Verification::take_checkpoint(const Checkpoint& checkpoint) {
    Chain& chain = chains_[header_->chain];
    const std::uint64_t number = checkpoint.head.number;
    anchor(header_->chain, checkpoint.head, file_ + ", line " + std::to_string(line_));
    if (!checkpoint.signature.empty() && options_.key) {
        if (options_.key->holds(signed_bytes(header_->chain, checkpoint), checkpoint.signature)) {
            chain.signed_upto = std::max(chain.signed_upto, number);
        } else {
            find_here("the signature of the checkpoint at entry " + std::to_string(number) +
                      " was not made with this key over what it says");
        }
    }
    if (!header_->whole()) {
        if (last_ && last_->number == number && last_->hash != checkpoint.head.hash) {
            find_here("entry " + std::to_string(number) + " is not what the checkpoint stands for");
        }
        return;
    }
    if (number < last_number_) {
        find_here("the checkpoint at entry " + std::to_string(number) +
                  " is out of its place, or there are more entries than it counts");
        return;
    }
    if (number > last_number_) {
        missing(last_number_ + 1, number);
        last_.reset();
    }
    if (last_ && last_->hash != checkpoint.head.hash) {
        find_here("what stands before the checkpoint at entry " + std::to_string(number) +
                  " is not what it stands for: it was changed, in the store or since");
    }
    last_ = checkpoint.head;
    last_number_ = number;
}

void Verification::take_closing(const Closing& closing) {
    closed_ = true;
    if (!header_) {
        find_here("the file does not begin with the line that heads an export");
        return;
    }
    if (closing.lines + 1 != line_) {
        find_here("the export had " + std::to_string(closing.lines) + " lines before this one, and the file has " +
                  std::to_string(line_ - 1));
    }
    if (text_.finish() != closing.sha256) {
        find_here("the lines before it are not those that were exported");
    }
    if (closing.to != header_->to) {
        find_here("the last line names another end than the first");
    }
    if (!header_->whole()) {
        return;
    }
    if (last_number_ < closing.to.number) {
        missing(last_number_ + 1, closing.to.number);
    } else if (last_number_ > closing.to.number || (last_ && *last_ != closing.to)) {
        find_here(
            "the entries before it do not lead to the hash that the chain had: some were changed, in the store "
            "or since");
    }
}

void Verification::end() {
    for (const Gap& gap : gaps_) {
        find(file_ + ": " + range_of(gap.first, gap.last) + (gap.first == gap.last ? " is" : " are") + " missing");
    }
    if (!header_) {
        if (line_ == 0) {
            find(file_ + ": the file is empty");
        }
        return;
    }
    if (!closed_) {
        find(file_ + ": the file is cut off behind entry " + std::to_string(last_number_) +
             ": the export went up to entry " + std::to_string(header_->to.number));
    }
    const std::string chain = "chain " + name_of_chain(header_->chain) + " of " + header_->node;
    if (header_->whole()) {
        chains_[header_->chain].whole.push_back({header_->from.number, header_->to.number});
        notes_.push_back(file_ + ": " + chain + ", " + std::to_string(entries_) + " entries, behind " +
                         std::to_string(header_->from.number) + " up to " + std::to_string(header_->to.number));
    } else {
        notes_.push_back(file_ + ": " + chain + ", " + std::to_string(entries_) +
                         " entries of one warrant, each proved by the hashes beside it. That they stand in the chain, "
                         "and that none of the warrant is left out, this file alone cannot prove: give an export of "
                         "all entries with it");
    }
}

void Verification::anchor(const Hash& chain, const Head& head, const std::string& said_by) {
    Chain& known = chains_[chain];
    const auto found = known.anchors.find(head.number);
    if (found != known.anchors.end()) {
        if (found->second.hash != head.hash) {
            if (known.forked_at == 0 || head.number < known.forked_at) {
                known.forked_at = head.number;
            }
            find("chain " + name_of_chain(chain) + ": entry " + std::to_string(head.number) + " has one hash by " +
                 found->second.said_by + " and another by " + said_by +
                 ": the chain forked, or one of them was made up");
        }
        return;
    }
    if (anchors_ == most_anchors) {
        return;
    }
    ++anchors_;
    known.anchors.emplace(head.number, Anchor{head.hash, said_by, file_number_});
}

void Verification::compare() {
    file_number_ = 0;
    if (options_.heads.empty()) {
        return;
    }
    std::vector<Hash> known;
    for (const auto& [hash, chain] : chains_) {
        if (chain.end > 0 || !chain.whole.empty()) {
            known.push_back(hash);
        }
    }
    if (known.size() != 1) {
        find("--head is of one chain, and the files have " + std::to_string(known.size()));
        return;
    }
    for (const Head& head : options_.heads) {
        anchor(known.front(), head, "--head");
    }
}

void Verification::begin_second(const std::string& file) {
    ++file_number_;
    file_ = file;
    line_ = 0;
    header_.reset();
}

void Verification::second_line(std::string_view text) {
    ++line_;
    auto read = read_line(text);
    if (!read) {
        return;
    }
    if (auto* const header = std::get_if<Header>(&*read)) {
        header_ = std::move(*header);
        return;
    }
    const auto* const entry = std::get_if<std::unique_ptr<ReadEntry>>(&*read);
    if (entry == nullptr || !header_) {
        return;
    }
    const Recorded& recorded = (*entry)->recorded;
    Chain& chain = chains_[header_->chain];
    const auto found = chain.anchors.find(recorded.number);
    if (found == chain.anchors.end() || found->second.file == file_number_) {
        return;
    }
    if (found->second.hash == recorded.hash) {
        chain.agreed_on = std::max(chain.agreed_on, recorded.number);
        return;
    }
    if (chain.forked_at == 0 || recorded.number < chain.forked_at) {
        chain.forked_at = recorded.number;
        find_here("chain " + name_of_chain(header_->chain) + " has another entry " + std::to_string(recorded.number) +
                  " by " + found->second.said_by +
                  ": the chain forked, as when a backup was restored, or was rewritten");
    }
}

void Verification::conclude() {
    for (auto& [hash, chain] : chains_) {
        const std::string name = "chain " + name_of_chain(hash);
        if (chain.whole.empty() && chain.end == 0) {
            notes_.push_back(name + ": other chains have its head recorded, and none of these files is of it");
            continue;
        }
        std::ranges::sort(chain.whole, {}, &Stretch::from);
        std::uint64_t upto = 0;
        for (const Stretch& stretch : chain.whole) {
            if (stretch.from > upto) {
                notes_.push_back(name + ": " + range_of(upto + 1, stretch.from) +
                                 " are in none of the files: of these, nothing is proved");
            }
            upto = std::max(upto, stretch.to);
        }
        std::uint64_t head = 0;
        for (const auto& [at, number] : chain.heads) {
            if (number < head) {
                find(name + ": an export of " + to_nanosecond_date_time(at) + " ends before entry " +
                     std::to_string(head) +
                     ", which an earlier one had: its end was cut off, or the store was put back to an older state");
            }
            head = std::max(head, number);
        }
        if (chain.forked_at > 0 && chain.agreed_on > 0 && chain.agreed_on < chain.forked_at) {
            notes_.push_back(name + ": the files agree on entry " + std::to_string(chain.agreed_on) +
                             ", and no more on entry " + std::to_string(chain.forked_at));
        }
        // What one of the files, another chain or an operator has seen.
        const auto newest = chain.anchors.empty() ? chain.anchors.end() : std::prev(chain.anchors.end());
        const bool own_head = newest != chain.anchors.end() && newest->second.said_by.ends_with(", first line");
        if (newest != chain.anchors.end() && newest->first > chain.end) {
            const std::string what = name + ": " + newest->second.said_by + " knows entry " +
                                     std::to_string(newest->first) + ", and the files end with entry " +
                                     std::to_string(chain.end);
            if (own_head) {
                notes_.push_back(what + ": of what is between, nothing is proved");
            } else {
                find(what + ": what came after is cut off, or the chain is older than it was");
            }
        }
        if (options_.key) {
            if (chain.signed_upto == 0) {
                find(name + ": no checkpoint in the files is signed with this key");
            } else if (chain.signed_upto < chain.end) {
                notes_.push_back(name + ": signed up to entry " + std::to_string(chain.signed_upto) +
                                 "; what comes after, the hashes alone prove");
            }
        }
    }
}

}  // namespace lihandover::audit
