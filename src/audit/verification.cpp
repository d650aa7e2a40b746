#include "lihandover/audit/verification.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include "lihandover/base/hex.hpp"
#include "naming.hpp"

namespace lihandover::audit {

namespace {

/// Of one file; each that is found beyond is told where it is found.
constexpr std::size_t most_gaps = 10'000;

constexpr std::string_view chain_word = "chain ";
constexpr std::string_view head_word = " head ";

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

void Verification::Sentences::add(std::string sentence) {
    if (told.size() < most_told) {
        told.push_back(std::move(sentence));
    } else {
        ++unsaid;
    }
}

Verification::Verification(Options options) : options_(std::move(options)) {
    for (const Head& head : options_.heads) {
        given_.push_back({head, false, {}});
    }
    std::ranges::sort(given_, {}, [](const Given& given) { return given.head.number; });
}

Verification::Outcome Verification::outcome() const {
    if (!findings_.told.empty()) {
        return Outcome::wrong;
    }
    return doubts_.told.empty() ? Outcome::holds : Outcome::doubtful;
}

void Verification::begin(const std::string& file) {
    file_ = files_.size();
    files_.push_back({file, {}, 0, 0, {}});
    line_ = 0;
    closed_ = false;
    last_.reset();
    last_number_ = 0;
    gaps_.clear();
    static_cast<void>(exported_.finish());
    static_cast<void>(text_.finish());
}

void Verification::line(std::string_view text, bool whole) {
    ++line_;
    text_.update(text);
    text_.update("\n");
    if (closed_) {
        find_here("stands behind the line that ends the export");
        return;
    }
    if (!whole) {
        find_here("the file ends in the middle of a line");
    }
    auto read = read_line(text);
    const auto* const checkpoint = read ? std::get_if<Checkpoint>(&*read) : nullptr;
    if (const auto& header = file().header; line_ == 2 && header && header->from.number > 0 &&
                                            (checkpoint == nullptr || checkpoint->head != header->from)) {
        find_here("the checkpoint is missing that stands for " + range_of(1, header->from.number));
    }
    if (!read) {
        find_here(read.error().message);
    } else if (auto* const closing = std::get_if<Closing>(&*read)) {
        take_closing(*closing);
    } else if (auto* const header = std::get_if<Header>(&*read)) {
        take_header(std::move(*header));
    } else if (!file().header) {
        find_here("the file does not begin with the line that heads an export");
    } else if (checkpoint != nullptr) {
        take_checkpoint(*checkpoint);
    } else {
        take_entry(*std::get<std::unique_ptr<ReadEntry>>(*read));
    }
    exported_.update(text);
    exported_.update("\n");
}

void Verification::take_header(Header header) {
    if (file().header || line_ != 1) {
        find_here("a second beginning of an export");
        return;
    }
    if (header.from.number > header.to.number || header.to.number > header.head.number ||
        (header.from.number == 0 && header.from.hash != header.chain) ||
        (header.from.number == header.to.number && header.from != header.to) ||
        (header.to.number == header.head.number && header.to != header.head) ||
        (!header.until && header.to != header.head)) {
        find_here("the first line contradicts itself");
    }
    Chain& chain = chains_[header.chain];
    chain.node = header.node;
    chain.has_files = true;
    chain.end = std::max(chain.end, header.to.number);
    if (!header.whole()) {
        chain.warrants[{header.destination, header.liid}].push_back(static_cast<std::uint32_t>(file_));
    }
    for (const Head& head : {header.from, header.to, header.head}) {
        add_place(header.chain, head, By::first_line);
    }
    last_ = header.from;
    last_number_ = header.from.number;
    file().header = std::move(header);
}

void Verification::missing(std::uint64_t first, std::uint64_t last) {
    if (gaps_.size() < most_gaps) {
        gaps_.emplace(first, last);
    } else {
        find_here("before this line, " + range_of(first, last) + are(first, last) + "missing");
    }
}

void Verification::take_out_of_place(const ReadEntry& read) {
    const std::uint64_t number = read.recorded.number;
    auto gap = gaps_.upper_bound(number);
    if (gap == gaps_.begin() || (--gap)->second < number) {
        find_here("entry " + std::to_string(number) + " is there a second time, or does not belong to this file");
        return;
    }
    find_here("entry " + std::to_string(number) + " is out of its place: it stands behind entry " +
              std::to_string(last_number_));
    const auto [first, last] = *gap;
    gaps_.erase(gap);
    if (first < number) {
        gaps_.emplace(first, number - 1);
    }
    if (number < last) {
        missing(number + 1, last);
    }
}

void Verification::take_entry(const ReadEntry& read) {
    if (!file().header->whole()) {
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
    ++file().entries;
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
    const std::string entry = "entry " + std::to_string(recorded.number);
    if (!read.has_previous) {
        find_here("an entry of an export of one warrant has the hash before it, and this one has none");
        return;
    }
    if (recorded.number <= last_number_) {
        find_here(entry + " is there a second time, or out of its place");
        return;
    }
    ++file().entries;
    const Header& header = *file().header;
    if (recorded.entry.destination != header.destination || recorded.entry.liid != header.liid) {
        find_here(entry + " is of another warrant than the first line says");
    }
    if (hasher_.of(recorded.previous, recorded) != recorded.hash) {
        find_here(entry + " is not what its hash stands for: it was changed");
    }
    if (last_ && last_->number + 1 == recorded.number) {
        if (last_->hash != recorded.previous) {
            find_here(entry + " is not what came behind the one before it");
        }
    } else {
        add_place(header.chain, {recorded.number - 1, recorded.previous}, By::previous);
    }
    add_place(header.chain, {recorded.number, recorded.hash}, By::entry);
    last_ = {recorded.number, recorded.hash};
    last_number_ = recorded.number;
}

void Verification::take_witnessed(const Entry& entry) {
    if (entry.kind == Kind::store_restored) {
        const auto was = head_of_words(entry.why);
        notes_.add(here() + ": entry " + std::to_string(last_number_) +
                   " says that the store was put back to an older state" +
                   (was ? ": entry " + std::to_string(was->head.number) + " of chain " + name_of_chain(was->chain) +
                              " was there before"
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
    add_place(said->chain, said->head, By::recorded);
}

bool Verification::check_signature(Chain& chain, const Checkpoint& checkpoint) {
    if (checkpoint.signature.empty() || options_.keys.empty()) {
        return false;
    }
    const std::string bytes = signed_bytes(file().header->chain, checkpoint);
    const auto key = std::ranges::find_if(
        options_.keys, [&](const VerifyingKey& one) { return one.holds(bytes, checkpoint.signature); });
    if (key == options_.keys.end()) {
        find_here("the signature of the checkpoint at entry " + std::to_string(checkpoint.head.number) +
                  " was not made with " + (options_.keys.size() == 1 ? "this key" : "one of these keys") +
                  " over what it says");
        return false;
    }
    Signed& done = chain.keys[static_cast<std::size_t>(key - options_.keys.begin())];
    if (++done.checkpoints == 1 || checkpoint.head.number < done.first.head.number) {
        done.first = checkpoint;
    }
    if (checkpoint.head.number >= done.last.head.number) {
        done.last = checkpoint;
    }
    return true;
}

void Verification::take_checkpoint(const Checkpoint& checkpoint) {
    const Header& header = *file().header;
    Chain& chain = chains_[header.chain];
    const std::uint64_t number = checkpoint.head.number;
    const bool good = check_signature(chain, checkpoint);
    add_place(header.chain, checkpoint.head, By::checkpoint, good);
    if (number < last_number_) {
        find_here("the checkpoint at entry " + std::to_string(number) +
                  " is out of its place, or there are more entries than it counts");
        return;
    }
    if (header.whole() && number > last_number_) {
        missing(last_number_ + 1, number);
        last_.reset();
    }
    if (last_ && last_->number == number && last_->hash != checkpoint.head.hash) {
        find_here("what stands before the checkpoint at entry " + std::to_string(number) +
                  " is not what it stands for: it was changed, in the store or since");
    } else if (good && header.whole()) {
        chain.proved_upto = std::max(chain.proved_upto, number);
    }
    last_ = checkpoint.head;
    last_number_ = number;
}

void Verification::take_closing(const Closing& closing) {
    closed_ = true;
    if (!file().header) {
        find_here("the file does not begin with the line that heads an export");
        return;
    }
    if (closing.lines + 1 != line_) {
        find_here("the export had " + std::to_string(closing.lines) + " lines before this one, and the file has " +
                  std::to_string(line_ - 1));
    }
    if (exported_.finish() != closing.sha256) {
        find_here("the lines before it are not those that were exported");
    }
    const Header& header = *file().header;
    if (closing.to != header.to) {
        find_here("the last line names another end than the first");
    }
    const bool is_end = last_ && last_->number == closing.to.number;
    if (header.whole() && last_number_ < closing.to.number) {
        missing(last_number_ + 1, closing.to.number);
    } else if (last_number_ > closing.to.number || (is_end && *last_ != closing.to)) {
        find_here(
            "the entries before it do not lead to the hash that the chain had: some were changed, in the store "
            "or since");
    }
}

void Verification::end() {
    File& read = file();
    read.upto = last_number_;
    read.text = text_.finish();
    for (const auto& [first, last] : gaps_) {
        findings_.add(read.name + ": " + range_of(first, last) + are(first, last) + "missing");
    }
    if (!read.header) {
        if (line_ == 0) {
            findings_.add(read.name + ": the file is empty");
        }
        return;
    }
    const Header& header = *read.header;
    if (!closed_) {
        findings_.add(read.name + ": the file is cut off behind entry " + std::to_string(last_number_) +
                      ": the export went up to entry " + std::to_string(header.to.number));
    }
    if (header.whole()) {
        chains_[header.chain].whole.push_back({header.from.number, last_number_});
    }
    notes_.add(read.name + ": chain " + name_of_chain(header.chain) + " of " + header.node + ", " +
               std::to_string(read.entries) + (header.whole() ? " entries" : " entries of one warrant") + ", behind " +
               std::to_string(header.from.number) + " up to " + std::to_string(header.to.number) +
               "; exported, as it says, at " + to_nanosecond_date_time(header.exported_at));
}

void Verification::reached_bound(const std::string& what) {
    if (!std::exchange(bound_reached_, true)) {
        find_here(what + " than can be compared at once: give fewer files");
    }
}

void Verification::add_place(const Hash& chain, const Head& head, By by, bool is_signed) {
    if (places_ >= options_.most_places) {
        reached_bound("more numbers of chains are named");
        return;
    }
    auto known = chains_.find(chain);
    if (known == chains_.end()) {
        if (chains_.size() >= most_chains) {
            reached_bound("more chains are named");
            return;
        }
        known = chains_.emplace(chain, Chain{}).first;
    }
    ++places_;
    known->second.places.push_back(
        {head, line_, by == By::recorded ? last_number_ : 0, static_cast<std::uint32_t>(file_), by, is_signed, false});
}

}  // namespace lihandover::audit
