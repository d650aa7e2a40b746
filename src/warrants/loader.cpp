#include "lihandover/warrants/loader.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "file_cache.hpp"
#include "parse_cache.hpp"
#include "warrant_file.hpp"

namespace lihandover::warrants {

namespace {

using Pair = std::pair<std::string_view, std::string_view>;  // destination and LIID, of a warrant that lives meanwhile

Pair pair_of(const Warrant& warrant) {
    return {warrant.destination, warrant.liid};
}

Pair pair_of_revocation(const Revocation& revocation) {
    return {revocation.destination, revocation.liid};
}

bool has_ended(const InForce& entry, model::Instant now) {
    return now >= entry.warrant->valid_until;
}

/// Of an entry and what it followed on: the versions that take late events beside `now`, the newest first.
std::vector<WarrantPtr> earlier_versions(const InForce& before, const WarrantPtr& now, const Occasion& occasion) {
    std::vector<WarrantPtr> kept;
    const auto keep = [&](const WarrantPtr& version) {
        const bool followed = version->valid_until <= now->valid_from;
        const bool ended = occasion.now >= version->valid_until;
        if (followed && ended && occasion.now < takes_until(*version, occasion.late_events)) {
            kept.push_back(version);
        }
    };
    if (before.warrant != now) {
        keep(before.warrant);
    }
    std::ranges::for_each(before.earlier, keep);
    return kept;
}

/// Where people have to approve what a file says and have not: what of it counts all the same, null for nothing.
/// nullopt: all of it counts.
std::optional<WarrantPtr> what_is_approved(const WarrantPtr& now, const InForce* before, const Occasion& occasion) {
    if (occasion.approved == nullptr || (before != nullptr && before->warrant == now) ||
        occasion.approved->contains(digest_of(*now))) {
        return std::nullopt;
    }
    if (before == nullptr) {
        return WarrantPtr();
    }
    std::optional<Warrant> left = narrowed(*before->warrant, *now);
    if (!left) {
        return WarrantPtr();
    }
    if (*left == *now) {
        return std::nullopt;  // it has not grown
    }
    return *left == *before->warrant ? before->warrant : std::make_shared<const Warrant>(std::move(*left));
}

/// The warrants in force, found by their pairs and by their files.
class Known {
  public:
    explicit Known(const std::vector<InForce>& entries) {
        by_pair_.reserve(entries.size());
        for (const InForce& entry : entries) {
            by_pair_.push_back(&entry);
        }
        by_file_ = by_pair_;
        std::ranges::sort(by_pair_, {}, [](const InForce* entry) { return pair_of(*entry->warrant); });
        std::ranges::stable_sort(by_file_, {}, [](const InForce* entry) { return std::string_view(entry->file); });
    }

    [[nodiscard]] const InForce* find(const Pair& pair) const {
        const auto found =
            std::ranges::lower_bound(by_pair_, pair, {}, [](const InForce* entry) { return pair_of(*entry->warrant); });
        return found != by_pair_.end() && pair_of(*(*found)->warrant) == pair ? *found : nullptr;
    }
    /// More than one where a file came to name another warrant and the end of the first was not confirmed.
    [[nodiscard]] auto of_file(const std::string& file) const {
        return std::ranges::equal_range(by_file_, std::string_view(file), {},
                                        [](const InForce* entry) { return std::string_view(entry->file); });
    }

  private:
    std::vector<const InForce*> by_pair_;
    std::vector<const InForce*> by_file_;
};

/// Nobody can confirm what a directory holds that is there and cannot be read.
bool is_confirmed(const Listing& listing, const Occasion& occasion) {
    return occasion.confirm_ended && (!listing.unreadable || listing.absent);
}

/// Of a set that was applied nobody doubts what it holds.
bool is_complete(const Listing& listing, const Occasion& occasion) {
    return occasion.complete && !listing.unreadable;
}

config::Problem problem_of_liid(const FileCache& cache, CachedFile& file, const std::string& message) {
    const config::Place place = cache.places(file).liid;
    return {cache.path_of(file.name), place.line, place.column, "liid: " + message, {}};
}

void add_problem(CachedFile& file, config::Problem problem) {
    file.details->problems.push_back(std::move(problem));
}

void check_destinations(FileCache& cache, const Destinations& destinations) {
    for (CachedFile& file : cache.files()) {
        if (!file.warrant || !suits(*file.warrant, destinations)) {
            const ParsedFile& parsed = cache.places(file);
            check_destination(parsed, file.warrant.get(), cache.path_of(file.name), destinations,
                              file.details->problems);
            config::sort_by_place(file.details->problems);
        }
    }
}

void find_pairs_named_twice(FileCache& cache) {
    std::vector<CachedFile*> holders;
    for (CachedFile& file : cache.files()) {
        if (file.warrant) {
            holders.push_back(&file);
        }
    }
    const auto pair = [](const CachedFile* file) { return pair_of(*file->warrant); };
    std::ranges::stable_sort(holders, {}, pair);
    for (auto first = holders.begin(); first != holders.end();) {
        const auto last =
            std::find_if(first, holders.end(), [&](const CachedFile* file) { return pair(file) != pair(*first); });
        for (auto at = first; last - first > 1 && at != last; ++at) {
            const CachedFile& other = at == first ? **(first + 1) : **first;
            add_problem(**at, problem_of_liid(cache, **at,
                                              other.name + " names the same destination and LIID; one file for each "
                                                           "is allowed"));
        }
        first = last;
    }
}

/// A bad file's last good version stays in force, so no other file may bring in its pair. A file refused for that falls
/// back on a last good version of its own, which may again stand in another's way: hence the rounds. Each makes one
/// more file bad, so they end; last good versions were in force together, so they never collide with each other.
void find_pairs_held_by_stale(FileCache& cache, const Known& known) {
    std::vector<const InForce*> fresh;
    const auto hold = [&](const CachedFile& file) {
        const auto versions = known.of_file(file.name);
        fresh.insert(fresh.end(), versions.begin(), versions.end());
    };
    std::map<Pair, CachedFile*> current;
    for (CachedFile& file : cache.files()) {
        if (file.good()) {
            current.emplace(pair_of(*file.warrant), &file);
        } else {
            hold(file);
        }
    }
    while (!fresh.empty()) {
        const InForce& holder = *fresh.back();
        fresh.pop_back();
        const auto rival = current.find(pair_of(*holder.warrant));
        if (rival == current.end() || !rival->second->good()) {
            continue;
        }
        CachedFile& file = *rival->second;
        config::Problem problem =
            problem_of_liid(cache, file,
                            "the last good version of " + holder.file +
                                " is in force with the same destination and LIID; mend or remove that file first");
        add_problem(file, std::move(problem));
        hold(file);
    }
}

}  // namespace

struct Loader::Impl {
    explicit Impl(std::string name) : directory(std::move(name)), cache(directory) {}

    std::string directory;
    FileCache cache;
    std::shared_ptr<const std::vector<InForce>> accepted =
        std::make_shared<const std::vector<InForce>>();  ///< in force as of the last accepted reload
    std::vector<Unreadable> unreadable;                  ///< as of the last accepted reload
    std::vector<Unreadable> still_unreadable;            ///< as of the last reload
    std::vector<Revocation> revocations;                 ///< as of the last accepted reload, by their pairs
    std::string cache_file;                              ///< empty: none is kept
    CacheCipher cache_cipher;
    std::optional<ParseCache> before_start;  ///< read for the first reload
    std::size_t parsed_since_cached = 0;

    [[nodiscard]] Reload reload(const Destinations& destinations, const Occasion& occasion);
    void take_good_file(CachedFile& file, const Occasion& occasion, const Known& known, Reload& result);
    void read_files(const Listing& listing, const Destinations& destinations, const Occasion& occasion,
                    const Known& known, Reload& result);
    void end_what_is_gone(const Listing& listing, const Destinations& destinations, const Occasion& occasion,
                          Reload& result) const;
    void compare(const Known& known, Reload& result) const;
    void look_at_unreadable(bool confirmed, Reload& result);
    [[nodiscard]] const Revocation* revocation_of(const Pair& pair) const;
    [[nodiscard]] bool is_revoked(const Warrant& warrant) const;
    void look_at_revocations(const Listing& listing, bool confirmed, bool complete, Reload& result);
};

void Loader::Impl::take_good_file(CachedFile& file, const Occasion& occasion, const Known& known, Reload& result) {
    const InForce* const same = known.find(pair_of(*file.warrant));
    if (same != nullptr && same->warrant != file.warrant && *same->warrant == *file.warrant) {
        file.warrant = same->warrant;  // one copy of what did not change, by which it is known
    }
    WarrantPtr warrant = file.warrant;
    if (const std::optional<WarrantPtr> less = what_is_approved(file.warrant, same, occasion)) {
        result.pending.push_back({file.name, file.warrant, same == nullptr ? nullptr : same->warrant, *less});
        if (*less == nullptr) {
            return;
        }
        warrant = *less;
    }
    InForce& entry = result.in_force.emplace_back();
    entry.file = file.name;
    entry.warrant = std::move(warrant);
    if (same != nullptr) {
        entry.earlier = earlier_versions(*same, entry.warrant, occasion);
    }
}

/// Brings into force what the files say, and for bad files what they said.
void Loader::Impl::read_files(const Listing& listing, const Destinations& destinations, const Occasion& occasion,
                              const Known& known, Reload& result) {
    const FileCache::KnownWarrant by_digest = [&known](const std::string& file, const Digest& digest) -> WarrantPtr {
        for (const InForce* const entry : known.of_file(file)) {
            if (digest_of(*entry->warrant) == digest) {
                return entry->warrant;
            }
        }
        return nullptr;
    };
    if (!before_start) {
        before_start = cache_file.empty() ? ParseCache{} : read_parse_cache(cache_file, cache_cipher);
    }
    const FileCache::Work work = cache.update(listing.files, *before_start, by_digest);
    before_start->entries = {};  // the files are in memory now
    result.read_files = work.read;
    result.parsed_files = work.parsed;
    parsed_since_cached += work.parsed;
    check_destinations(cache, destinations);
    find_pairs_named_twice(cache);
    find_pairs_held_by_stale(cache, known);
    for (CachedFile& file : cache.files()) {
        if (file.good() && is_revoked(*file.warrant)) {
            InForce& entry = result.revoked.emplace_back();
            entry.file = file.name;
            entry.warrant = file.warrant;
            continue;
        }
        if (file.good()) {
            take_good_file(file, occasion, known, result);
            continue;
        }
        ++result.bad_files;
        result.problems.insert(result.problems.end(), file.details->problems.begin(), file.details->problems.end());
        for (const InForce* const last_good : known.of_file(file.name)) {
            result.in_force.push_back({file.name, last_good->warrant, true, false, false,
                                       earlier_versions(*last_good, last_good->warrant, occasion)});
        }
    }
}

/// Of what was in force and has no file any more: ends it, or keeps it where too much is gone at once, and for late
/// events.
void Loader::Impl::end_what_is_gone(const Listing& listing, const Destinations& destinations, const Occasion& occasion,
                                    Reload& result) const {
    const Known present(result.in_force);
    std::set<const Warrant*> replaced;
    for (const Pending& entry : result.pending) {
        replaced.insert(entry.before.get());
    }
    std::vector<const InForce*> gone;
    std::size_t counted = 0;
    std::size_t counted_gone = 0;
    for (const InForce& entry : *accepted) {
        const bool counts = !has_ended(entry, occasion.now);
        const bool is_gone = present.find(pair_of(*entry.warrant)) == nullptr;
        if (is_gone && counts && replaced.contains(entry.warrant.get())) {
            // Its file is there, and orders nothing of it any more.
            result.ended.push_back({entry, true, true});
            continue;
        }
        counted += counts ? 1 : 0;
        counted_gone += counts && is_gone ? 1 : 0;
        if (is_gone) {
            gone.push_back(&entry);
        }
    }
    constexpr std::size_t few = 4;
    // A file that is bad may be all that a broken copy left of many.
    const bool none_is_good = std::ranges::none_of(cache.files(), &CachedFile::good);
    if (counted_gone != 0) {
        result.in_doubt = listing.unreadable                             ? Withheld::directory_unreadable
                          : none_is_good                                 ? Withheld::directory_empty
                          : counted >= few && 2 * counted_gone > counted ? Withheld::too_many
                                                                         : Withheld::nothing;
    }
    const bool confirmed = is_confirmed(listing, occasion) || is_complete(listing, occasion);
    result.withheld = confirmed ? Withheld::nothing : result.in_doubt;
    for (const InForce* const entry : gone) {
        InForce kept = *entry;
        kept.stale = false;
        kept.earlier = earlier_versions(*entry, entry->warrant, occasion);
        kept.late = has_ended(*entry, occasion.now);
        kept.missing = !kept.late && !confirmed && (result.withheld != Withheld::nothing || entry->missing);
        const bool has_a_way = !kept.late || suits(*entry->warrant, destinations);
        const bool takes_late_events =
            kept.late && has_a_way && occasion.now < takes_until(*entry->warrant, occasion.late_events);
        const bool unseen = listing.unreadable && !confirmed && has_a_way;  // the file may well be there
        if (kept.missing || takes_late_events || unseen) {
            result.unconfirmed += kept.missing ? 1 : 0;
            result.in_force.push_back(std::move(kept));
        } else {
            result.ended.push_back({*entry, !kept.late, false});
        }
    }
    std::ranges::stable_sort(result.in_force, {}, &InForce::file);
}

void Loader::Impl::compare(const Known& known, Reload& result) const {
    for (const InForce& entry : result.in_force) {
        const InForce* const before = known.find(pair_of(*entry.warrant));
        if (before == nullptr) {
            result.added.push_back(entry);
        } else if (before->warrant != entry.warrant || before->file != entry.file) {
            result.changed.push_back({entry, *before});
        } else if (before->missing != entry.missing) {
            result.marked.push_back(entry);
        }
    }
}

const Revocation* Loader::Impl::revocation_of(const Pair& pair) const {
    const auto found = std::ranges::lower_bound(revocations, pair, {}, pair_of_revocation);
    return found != revocations.end() && pair_of_revocation(*found) == pair ? &*found : nullptr;
}

bool Loader::Impl::is_revoked(const Warrant& warrant) const {
    const Revocation* const found = revocation_of(pair_of(warrant));
    return found != nullptr && found->valid_from == warrant.valid_from;
}

/// A revocation goes with its file. Where a file cannot be read nobody knows whose it is, and where the ends of
/// warrants are withheld it is not known either whether this file is gone. One that was gone already when its warrant
/// was revoked may come back.
void Loader::Impl::look_at_revocations(const Listing& listing, bool confirmed, bool complete, Reload& result) {
    if (revocations.empty()) {
        return;
    }
    enum class Seen : std::uint8_t { nowhere, in_doubt, as_it_was, another };
    bool any_is_bad = false;
    std::map<Pair, Seen> seen;
    for (CachedFile& file : cache.files()) {
        if (!file.good()) {
            any_is_bad = true;
            continue;
        }
        if (const Revocation* const one = revocation_of(pair_of(*file.warrant))) {
            seen[pair_of_revocation(*one)] = is_revoked(*file.warrant) ? Seen::as_it_was : Seen::another;
        }
    }
    const bool none_is_there = cache.files().empty() && !complete;
    const bool in_doubt = listing.unreadable || any_is_bad || none_is_there || result.withheld != Withheld::nothing ||
                          result.unconfirmed != 0;
    for (const Revocation& one : revocations) {
        const auto found = seen.find(pair_of_revocation(one));
        Seen now = found == seen.end() ? Seen::nowhere : found->second;
        if (now == Seen::nowhere && !confirmed && (in_doubt || one.file.empty())) {
            now = Seen::in_doubt;
        }
        const bool holds = now == Seen::as_it_was || now == Seen::in_doubt;
        (holds ? result.revocations : result.lifted).push_back(one);
    }
}

/// Those that a file has brought back are among the added ones.
void Loader::Impl::look_at_unreadable(bool confirmed, Reload& result) {
    still_unreadable.clear();
    const Known present(result.in_force);
    for (const Unreadable& entry : unreadable) {
        if (present.find({entry.destination, entry.liid}) != nullptr) {
            continue;
        }
        if (confirmed) {
            result.given_up.push_back(entry);
            continue;
        }
        still_unreadable.push_back(entry);
        result.problems.push_back({cache.path_of(entry.file),
                                   1,
                                   1,
                                   "the store holds a version of this warrant that cannot be read, so it is not in "
                                   "force; put a good file back, or confirm its end with `lihandoverctl reload "
                                   "--confirm-ended`",
                                   {}});
    }
}

std::string bytes_of(const InForce& entry) {
    std::string bytes = encode(*entry.warrant);
    for (const WarrantPtr& version : entry.earlier) {
        bytes += encode(*version);
    }
    return bytes;
}

Loader::Loader(std::string directory) : impl_(std::make_unique<Impl>(std::move(directory))) {}

Loader::~Loader() = default;

void Loader::keep_cache_in(std::string file, CacheCipher cipher) {
    impl_->cache_file = std::move(file);
    impl_->cache_cipher = std::move(cipher);
}

model::Status Loader::restore(const std::vector<Remembered>& remembered, std::vector<Revocation> revocations) {
    impl_->unreadable.clear();
    std::ranges::sort(revocations, {}, pair_of_revocation);
    impl_->revocations = std::move(revocations);
    std::vector<InForce> restored;
    restored.reserve(remembered.size());
    for (const Remembered& entry : remembered) {
        model::Result<std::vector<Warrant>> versions = decode_all(entry.bytes);
        if (versions) {
            InForce& kept = restored.emplace_back();
            kept.file = entry.file;
            kept.missing = entry.missing;
            for (Warrant& version : *versions) {
                auto warrant = std::make_shared<const Warrant>(std::move(version));
                if (kept.warrant == nullptr) {
                    kept.warrant = std::move(warrant);
                } else {
                    kept.earlier.push_back(std::move(warrant));
                }
            }
        } else {
            impl_->unreadable.push_back({entry.file, entry.destination, entry.liid});
        }
    }
    std::ranges::stable_sort(restored, {}, &InForce::file);
    impl_->accepted = std::make_shared<const std::vector<InForce>>(std::move(restored));
    if (!impl_->unreadable.empty()) {
        return model::Error{std::to_string(impl_->unreadable.size()) +
                            " of the last good versions of warrants in the store cannot be read; their files count "
                            "alone"};
    }
    return {};
}

void Loader::take_files(std::shared_ptr<const FileSet> files) {
    impl_->cache.take_files(std::move(files));
}

void Loader::take_revocations(std::vector<Revocation> revocations) {
    std::ranges::sort(revocations, {}, pair_of_revocation);
    impl_->revocations = std::move(revocations);
}

Reload Loader::preview(std::shared_ptr<const FileSet> files, const std::string& place, const Destinations& destinations,
                       const Occasion& occasion) const {
    Impl beside(place);
    beside.accepted = impl_->accepted;
    beside.unreadable = impl_->unreadable;
    beside.revocations = impl_->revocations;
    beside.cache.take_files(std::move(files));
    return beside.reload(destinations, occasion);
}

Reload Loader::reload(const Destinations& destinations, const Occasion& occasion) {
    return impl_->reload(destinations, occasion);
}

Reload Loader::Impl::reload(const Destinations& destinations, const Occasion& occasion) {
    const Listing listing = cache.list();
    const Known known(*accepted);
    Reload result;
    result.directory_unreadable = listing.unreadable.has_value();
    if (listing.unreadable) {
        result.problems.push_back({directory, 1, 1, "cannot be read: " + *listing.unreadable, {}});
    } else {
        read_files(listing, destinations, occasion, known, result);
    }
    for (const std::string& name : listing.passed_over) {
        result.passed_over.push_back(
            {cache.path_of(name), 1, 1, "passed over: the name of a warrant file ends in .yaml", {}});
    }
    const bool confirmed = is_confirmed(listing, occasion);
    end_what_is_gone(listing, destinations, occasion, result);
    look_at_revocations(listing, confirmed, is_complete(listing, occasion), result);
    compare(known, result);
    look_at_unreadable(confirmed, result);
    return result;
}

std::optional<Reload> Loader::revoke(std::string_view destination, std::string_view liid) {
    const Pair pair(destination, liid);
    Reload result;
    for (const InForce& entry : *impl_->accepted) {
        if (pair_of(*entry.warrant) == pair) {
            result.ended.push_back({entry, true, false});
        } else {
            result.in_force.push_back(entry);
            result.unconfirmed += entry.missing ? 1 : 0;
        }
    }
    if (result.ended.empty()) {
        return std::nullopt;
    }
    const InForce& last = result.ended.front().last;
    result.revocations = impl_->revocations;
    Revocation revocation{std::string(destination), std::string(liid), last.warrant->valid_from,
                          last.missing ? std::string() : last.file};
    // What its file orders may wait for approval, and begin at another time than what was left of it.
    for (CachedFile& file : impl_->cache.files()) {
        if (file.good() && pair_of(*file.warrant) == pair) {
            revocation.valid_from = file.warrant->valid_from;
        }
    }
    const auto place = std::ranges::lower_bound(result.revocations, pair, {}, pair_of_revocation);
    if (place != result.revocations.end() && pair_of_revocation(*place) == pair) {
        *place = revocation;
    } else {
        result.revocations.insert(place, revocation);
    }
    impl_->still_unreadable = impl_->unreadable;  // no file was looked at
    return result;
}

std::shared_ptr<const std::vector<InForce>> Loader::accept(Reload& reload) {
    impl_->accepted = std::make_shared<const std::vector<InForce>>(std::move(reload.in_force));
    impl_->revocations = std::move(reload.revocations);
    impl_->unreadable = std::exchange(impl_->still_unreadable, {});
    // Few files are parsed faster than a cache is worth, and so are few more than it has.
    constexpr std::size_t many = 1000;
    const std::size_t files = impl_->cache.files().size();
    if (!impl_->cache_file.empty() && files >= many && impl_->parsed_since_cached >= files / 100) {
        // Where it cannot be written, the next start takes longer: no more.
        static_cast<void>(write_parse_cache(impl_->cache_file, impl_->cache.to_cache(), impl_->cache_cipher));
        impl_->parsed_since_cached = 0;
    }
    return impl_->accepted;
}

}  // namespace lihandover::warrants
