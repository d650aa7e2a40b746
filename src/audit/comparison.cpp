// What verification finds out when it has read all files: each against the others, against heads that were written
// down, and against those that other chains recorded.
#include <algorithm>
#include <tuple>
#include <utility>

#include "lihandover/audit/verification.hpp"
#include "naming.hpp"

namespace lihandover::audit {

namespace {

constexpr std::string_view forked = ": the chain forked, as when a backup was restored, or was rewritten";

std::uint64_t number_of(const Head& head) {
    return head.number;
}

}  // namespace

std::string Verification::said_by(const Place& place) const {
    const File& file = files_[place.file];
    if (place.by == By::first_line) {
        return file.name + ", first line";
    }
    const std::string where = file.name + ", line " + std::to_string(place.line);
    return place.by == By::recorded ? where + " (recorded by " + file.header->node + ")" : where;
}

void Verification::compare() {
    for (auto& [hash, chain] : chains_) {
        auto& places = chain.places;
        std::ranges::sort(places, {}, [](const Place& place) {
            return std::tuple(place.head.number, place.head.hash, place.file, place.by, place.line);
        });
        std::size_t group = 0;  // the first of those that are the same
        for (std::size_t i = 1; i < places.size(); ++i) {
            if (places[i].head == places[group].head) {
                places[group].is_signed = places[group].is_signed || places[i].is_signed;
                continue;
            }
            const std::uint64_t number = places[i].head.number;
            if (number == places[group].head.number) {
                chain.forked_at = chain.forked_at == 0 ? number : chain.forked_at;
                findings_.add("chain " + name_of_chain(hash) + ": entry " + std::to_string(number) +
                              " has one hash by " + said_by(places[group]) + " and another by " + said_by(places[i]) +
                              ": the chain forked, or one of them was made up");
            }
            group = i;
        }
    }
}

void Verification::begin_second() {
    file_ = next_second_++;
    line_ = 0;
    static_cast<void>(text_.finish());
}

void Verification::second_line(std::string_view text) {
    ++line_;
    text_.update(text);
    text_.update("\n");
    const auto& header = file().header;
    if (!header) {
        return;
    }
    Chain& chain = chains_[header->chain];
    if (line_ == 1) {
        look(chain, header->from, header->whole());
        return;
    }
    const auto read = read_line(text);
    const auto* const entry = read ? std::get_if<std::unique_ptr<ReadEntry>>(&*read) : nullptr;
    if (entry == nullptr) {
        return;
    }
    const Recorded& recorded = (*entry)->recorded;
    look(chain, {recorded.number, recorded.hash}, header->whole());
    if (header->whole()) {
        look_for_warrant(chain, recorded);
    }
}

void Verification::end_second() {
    if (text_.finish() != file().text) {
        findings_.add(file().name +
                      ": it was changed while it was checked, or cannot be read twice: check a copy of it");
    }
}

/// Compares a place that a file has with what is known of its number.
void Verification::look(Chain& chain, const Head& head, bool whole) {
    const auto of_given = [](const Given& given) { return given.head.number; };
    for (Given& given : std::ranges::equal_range(given_, head.number, {}, of_given)) {
        if (given.head == head) {
            given.met = true;
            chain.proved_upto = whole ? std::max(chain.proved_upto, head.number) : chain.proved_upto;
        } else if (given.otherwise.empty()) {
            given.otherwise = here();
        }
    }
    const auto of_place = [](const Place& place) { return place.head.number; };
    const auto hash_of = [](const Place& place) { return place.head.hash; };
    const auto places = std::ranges::equal_range(chain.places, head.number, {}, of_place);
    if (places.empty() || !whole) {
        return;
    }
    const auto same = std::ranges::equal_range(places, head.hash, {}, hash_of);
    if (!same.empty()) {
        same.front().seen = true;
        if (same.front().file != file_ || same.back().file != file_) {
            chain.agreed_on = std::max(chain.agreed_on, head.number);
        }
        if (same.front().is_signed) {
            chain.proved_upto = std::max(chain.proved_upto, head.number);
        }
    }
    const Place& other = places.front().head != head ? places.front() : places.back();
    const bool differs = other.head != head && (other.file != file_ || other.by == By::recorded);
    if (differs && (chain.forked_at == 0 || head.number < chain.forked_at)) {
        chain.forked_at = head.number;
        find_here("chain " + name_of_chain(file().header->chain) + " has another entry " + std::to_string(head.number) +
                  " by " + said_by(other) + std::string(forked));
    }
}

/// Whether the exports of its warrant have this entry.
void Verification::look_for_warrant(Chain& chain, const Recorded& recorded) {
    if (chain.warrants.empty() || recorded.entry.destination.empty()) {
        return;
    }
    const auto files = chain.warrants.find({std::string(recorded.entry.destination), std::string(recorded.entry.liid)});
    if (files == chain.warrants.end()) {
        return;
    }
    const auto key = [](const Place& place) {
        return std::tuple(place.head.number, place.head.hash, place.file, place.by);
    };
    for (const std::uint32_t index : files->second) {
        const Header& header = *files_[index].header;
        const std::tuple wanted(recorded.number, recorded.hash, index, By::entry);
        if (recorded.number <= header.from.number || recorded.number > header.to.number ||
            std::ranges::binary_search(chain.places, wanted, {}, key)) {
            continue;
        }
        findings_.add(files_[index].name + ": entry " + std::to_string(recorded.number) +
                      " of its warrant is missing or is another: it is in " + here());
    }
}

void Verification::spread_proof() {
    // What a proved entry of one chain says of another is proved there, and may prove more in turn.
    struct Record {
        std::uint64_t in_entry = 0;
        Chain* subject = nullptr;
        std::uint64_t number = 0;
    };
    std::map<Chain*, std::vector<Record>> records;
    for (auto& [hash, chain] : chains_) {
        const Place* group = nullptr;
        for (const Place& place : chain.places) {
            group = group != nullptr && group->head == place.head ? group : &place;
            Chain* const witness = place.by == By::recorded ? &chains_[files_[place.file].header->chain] : nullptr;
            if (group->seen && witness != nullptr && witness != &chain) {
                records[witness].push_back({place.in_entry, &chain, place.head.number});
            }
        }
    }
    std::map<Chain*, std::size_t> next;
    for (auto& [witness, said] : records) {
        std::ranges::sort(said, {}, &Record::in_entry);
        next[witness] = 0;
    }
    for (bool more = true; more;) {
        more = false;
        for (auto& [witness, at] : next) {
            const auto& said = records[witness];
            for (; at < said.size() && said[at].in_entry <= witness->proved_upto; ++at) {
                auto& proved = said[at].subject->proved_upto;
                more = more || said[at].number > proved;
                proved = std::max(proved, said[at].number);
            }
        }
    }
}

void Verification::judge_missing(const std::string& name, const Chain& chain, std::uint64_t number,
                                 const std::string& said_by) {
    const std::string knows = name + ": " + said_by + " knows entry " + std::to_string(number);
    const std::uint64_t end = chain.whole.empty() ? chain.end : chain.whole.back().to;
    if (number > end) {
        findings_.add(knows + ", and the files end with entry " + std::to_string(end) +
                      ": what came after is cut off, or the chain is older than it was");
    } else if (chain.whole.empty()) {
        notes_.add(knows + ", and the files have entries of single warrants only: give an export of all with them");
    } else if (const std::uint64_t first = chain.whole.front().from; number >= first) {
        findings_.add(knows + ", which is missing from the files");
    } else if (!options_.keys.empty() && chain.proved_upto < first) {
        findings_.add(knows + ", and the files begin behind entry " + std::to_string(first) +
                      ": the beginning is missing, and no signed checkpoint stands for it");
    } else {
        notes_.add(knows + ", and the files begin behind entry " + std::to_string(first) +
                   ": the checkpoint there stands for what was before, and does not prove it");
    }
}

void Verification::judge_given(Given& given) {
    if (given.met) {
        return;
    }
    const std::string number = std::to_string(given.head.number);
    std::vector<Chains::const_iterator> known;
    for (auto at = chains_.cbegin(); at != chains_.cend(); ++at) {
        if (at->second.has_files) {
            known.push_back(at);
        }
    }
    if (known.size() != 1) {
        findings_.add("--head " + number + ": none of the chains of the files has this entry with this hash");
        return;
    }
    const auto& [hash, chain] = *known.front();
    const std::string name = "chain " + name_of_chain(hash);
    if (!given.otherwise.empty()) {
        findings_.add(given.otherwise + ": " + name + " has another entry " + number + " by --head" +
                      std::string(forked));
    } else if (chain.whole.empty() && given.head.number <= chain.end) {
        findings_.add("--head " + number + ": only an export of all entries can show that it is there");
    } else {
        judge_missing(name, chain, given.head.number, "--head");
    }
}

void Verification::judge_recorded(const std::string& name, const Chain& chain) {
    const Place* group = nullptr;
    for (const Place& place : chain.places) {
        group = group != nullptr && group->head == place.head ? group : &place;
        const bool told = chain.forked_at > 0 && place.head.number >= chain.forked_at;
        if (place.by == By::recorded && !group->seen && !told) {
            judge_missing(name, chain, place.head.number, said_by(place));
        }
    }
}

void Verification::judge_stretches(const std::string& name, Chain& chain) {
    auto& whole = chain.whole;
    std::ranges::sort(whole, {}, &Stretch::from);
    std::uint64_t upto = whole.empty() ? 0 : whole.front().from;
    std::vector<Stretch> joined;
    for (const Stretch& stretch : whole) {
        if (joined.empty() || stretch.from > upto) {
            if (!joined.empty()) {
                findings_.add(name + ": " + range_of(upto + 1, stretch.from) + are(upto + 1, stretch.from) +
                              "in none of the files, which have others before and behind");
            }
            joined.push_back(stretch);
        }
        upto = std::max(upto, stretch.to);
        joined.back().to = upto;
    }
    whole = std::move(joined);
}

/// Exports that end before others do. Nothing but their own words says when they were made.
void Verification::judge_ends(const std::string& name, const Hash& hash, const Chain& chain) {
    std::vector<const File*> files;
    for (const File& file : files_) {
        if (file.header && file.header->chain == hash) {
            files.push_back(&file);
        }
    }
    std::ranges::sort(files, [](const File* left, const File* right) {
        return std::tuple(left->header->exported_at, number_of(right->header->head)) <
               std::tuple(right->header->exported_at, number_of(left->header->head));
    });
    const File* longest = nullptr;
    std::size_t shorter = 0;
    for (const File* const file : files) {
        const std::uint64_t number = file->header->head.number;
        if (longest != nullptr && number < longest->header->head.number) {
            findings_.add(name + ": " + file->name + ", exported at " +
                          to_nanosecond_date_time(file->header->exported_at) + ", ends before entry " +
                          std::to_string(longest->header->head.number) + ", which an earlier one (" + longest->name +
                          ") had: its end was cut off, or the store was put back to an older state");
            continue;
        }
        shorter += longest != nullptr && number > longest->header->head.number ? 1 : 0;
        longest = file;
    }
    if (shorter > 0) {
        notes_.add(name + ": the newest entry that any file knows is " + std::to_string(longest->header->head.number) +
                   ", in " + longest->name + "; those that know less say that they are older, which nothing proves");
    }
    if (longest != nullptr && longest->header->head.number > chain.end) {
        notes_.add(name + ": " + longest->name + ", first line knows entry " +
                   std::to_string(longest->header->head.number) + ", and the files end with entry " +
                   std::to_string(chain.end) + ": of what is between, nothing is proved");
    }
}

void Verification::judge_warrants(const std::string& name, const Chain& chain) {
    for (const auto& [warrant, files] : chain.warrants) {
        for (const std::uint32_t index : files) {
            const Header& header = *files_[index].header;
            const bool covered = std::ranges::any_of(chain.whole, [&header](const Stretch& stretch) {
                return stretch.from <= header.from.number && header.to.number <= stretch.to;
            });
            if (covered) {
                notes_.add(files_[index].name + ": all of the warrant's entries in " + name + ", behind " +
                           std::to_string(header.from.number) + " up to " + std::to_string(header.to.number));
                continue;
            }
            Sentences& said = options_.keys.empty() ? notes_ : doubts_;
            said.add(files_[index].name +
                     ": that its entries stand in the chain, and that none of the warrant is left out, it cannot "
                     "prove: give an export of all entries, behind " +
                     std::to_string(header.from.number) + " up to " + std::to_string(header.to.number) + ", with it");
        }
    }
}

void Verification::judge_proof(const std::string& name, const Chain& chain) {
    if (options_.keys.empty()) {
        return;
    }
    if (chain.keys.empty()) {
        findings_.add(name + ": no checkpoint in the files is signed with " +
                      (options_.keys.size() == 1 ? "this key" : "one of these keys"));
        return;
    }
    const Checkpoint* newest = nullptr;
    for (const auto& [key, done] : chain.keys) {
        notes_.add(name + ": key " + std::to_string(key + 1) + " signed " + std::to_string(done.checkpoints) +
                   (done.checkpoints == 1 ? " checkpoint" : " checkpoints") + ", from entry " +
                   std::to_string(done.first.head.number) + " (" + to_nanosecond_date_time(done.first.at) +
                   ") to entry " + std::to_string(done.last.head.number) + " (" +
                   to_nanosecond_date_time(done.last.at) + ")");
        newest = newest == nullptr || done.last.head.number > newest->head.number ? &done.last : newest;
    }
    const std::uint64_t end = chain.whole.empty() ? 0 : chain.whole.back().to;
    if (end <= chain.proved_upto) {
        return;
    }
    const std::uint64_t count = end - chain.proved_upto;
    const std::string what = name + ": " + range_of(chain.proved_upto + 1, end) + ", " + std::to_string(count) +
                             " in number, come after the last that is proved; the last signed checkpoint is of " +
                             to_nanosecond_date_time(newest->at);
    if (count <= options_.accepted_unsigned) {
        notes_.add(what + ": so few are accepted");
    } else {
        doubts_.add(what + ". Whoever had the store can have rewritten them");
    }
}

void Verification::conclude() {
    for (auto& [hash, chain] : chains_) {
        judge_stretches("chain " + name_of_chain(hash), chain);
    }
    spread_proof();
    for (auto& [hash, chain] : chains_) {
        const std::string name = "chain " + name_of_chain(hash);
        if (!chain.has_files) {
            notes_.add(name + ": other chains have its head recorded, and none of these files is of it");
            continue;
        }
        judge_ends(name, hash, chain);
        if (chain.forked_at > 0 && chain.agreed_on > 0 && chain.agreed_on < chain.forked_at) {
            notes_.add(name + ": the files agree on entry " + std::to_string(chain.agreed_on) +
                       ", and no more on entry " + std::to_string(chain.forked_at));
        }
        judge_recorded(name, chain);
        judge_warrants(name, chain);
        judge_proof(name, chain);
    }
    for (Given& given : given_) {
        judge_given(given);
    }
}

}  // namespace lihandover::audit
