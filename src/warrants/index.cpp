#include "lihandover/warrants/index.hpp"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <string>
#include <string_view>
#include <tuple>

#include "lihandover/model/identifier.hpp"

namespace lihandover::warrants {

namespace {

/// One target of one warrant. What decides whether it applies is read from the warrant, which few events need.
struct Posting {
    std::uint32_t warrant = 0;
    std::uint32_t target : 30 = 0;
    std::uint32_t has_optional_parameters : 1 = 0;
    std::uint32_t is_last : 1 = 0;  ///< of its key
};

/// A key of targets and where its postings begin. Small, since a miss reads at most one of these, and there are as many
/// as targets.
struct Key {
    std::uint64_t hash = 0;
    std::uint64_t offset : 56 = 0;  ///< of its bytes in the arena
    std::uint64_t identity_class : 8 = 0;
    std::uint32_t size = 0;
    std::uint32_t first_posting = 0;
};

/// Finds keys by those of events, whose bytes are elsewhere.
struct KeyHash {
    using is_transparent = void;
    using is_avalanching = void;  // identity_hash() is
    std::size_t operator()(const Key& key) const { return key.hash; }
    std::size_t operator()(const model::IdentifierKey& key) const { return key.hash; }
};

struct KeyEqual {
    using is_transparent = void;
    const std::string* arena = nullptr;

    [[nodiscard]] std::string_view bytes_of(const Key& key) const {
        return std::string_view(*arena).substr(key.offset, key.size);
    }
    bool operator()(const Key& left, const Key& right) const {
        return left.hash == right.hash && left.identity_class == right.identity_class &&
               bytes_of(left) == bytes_of(right);
    }
    bool operator()(const model::IdentifierKey& left, const Key& right) const {
        return left.hash == right.hash && static_cast<std::uint64_t>(left.identity_class) == right.identity_class &&
               left.bytes == bytes_of(right);
    }
    bool operator()(const Key& left, const model::IdentifierKey& right) const { return (*this)(right, left); }
};

using KeySet = boost::unordered_flat_set<Key, KeyHash, KeyEqual>;

/// Where the warrants that list a XID are.
struct XidRange {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
};

/// Of all bytes: whoever gives tasks their XIDs may as well count them up.
struct XidHash {
    using is_avalanching = void;
    std::size_t operator()(const model::Uuid& xid) const {
        return model::identity_hash({}, {reinterpret_cast<const char*>(xid.bytes.data()), xid.bytes.size()});
    }
};

using XidMap = boost::unordered_flat_map<model::Uuid, XidRange, XidHash>;

}  // namespace

struct Index::Tables {
    MatchRules rules;
    std::vector<WarrantPtr> warrants;
    std::vector<Posting> postings;
    std::string arena;
    KeySet keys{0, KeyHash{}, KeyEqual{&arena}};
    std::vector<std::uint32_t> fed;  ///< warrants of each XID, in their order
    XidMap xids;

    /// Whether the warrant takes what happened then and came in so.
    [[nodiscard]] bool is_open(const Warrant& warrant, model::Instant at, const Receipt& receipt) const {
        return at >= warrant.valid_from && at < warrant.valid_until &&
               receipt.trusted < takes_until(warrant, rules.late_events);
    }
    [[nodiscard]] static bool serves(const Warrant& warrant, std::string_view service) {
        return warrant.services.empty() || std::ranges::find(warrant.services, service) != warrant.services.end();
    }
    /// The warrants that list the XID, in their order.
    [[nodiscard]] std::span<const std::uint32_t> fed_by(const model::Uuid& xid) const {
        const auto found = xids.find(xid);
        return found == xids.end() ? std::span<const std::uint32_t>()
                                   : std::span(fed).subspan(found->second.first, found->second.count);
    }

    /// Whether a posting under the event's key applies to the event, given when it happened and when it came in.
    [[nodiscard]] bool applies(const Posting& posting, const model::Event& event, model::Instant at,
                               const Receipt& receipt, const model::Identifier& identifier,
                               bool has_optional_parameters) const {
        const Warrant& warrant = *warrants[posting.warrant];
        const Target& target = warrant.targets[posting.target];
        const model::Instant from = std::max(warrant.valid_from, target.from.value_or(warrant.valid_from));
        const model::Instant until = std::min(warrant.valid_until, target.until.value_or(warrant.valid_until));
        if (at < from || at >= until || receipt.trusted >= takes_until(warrant, rules.late_events) ||
            !serves(warrant, event.service)) {
            return false;
        }
        return posting.has_optional_parameters == 0 || !has_optional_parameters ||
               model::parameters_agree(target.value, identifier.value);
    }
};

namespace {

/// A target that is being added to the tables.
struct Entry {
    Key key;
    Posting posting;
};

/// The keys of a target under every set of rules that events can have are written to the arena, each once.
class TargetKeys {
  public:
    TargetKeys(const model::Matching& matching, std::string& arena) : rules_(matching.all_rules()), arena_(arena) {}

    struct One {
        Key key;
        bool has_optional_parameters = false;
    };
    std::span<const One> of(const Target& target) {
        keys_.clear();
        for (const model::KeyRules& rules : rules_) {
            for (const model::IdentifierKey& key : model::keys_of(target.type, target.value, rules, scratch_)) {
                add(key);
            }
        }
        return keys_;
    }

  private:
    void add(const model::IdentifierKey& key) {
        for (const One& known : keys_) {
            if (known.key.identity_class == static_cast<std::uint64_t>(key.identity_class) &&
                std::string_view(arena_).substr(known.key.offset, known.key.size) == key.bytes) {
                return;
            }
        }
        One& one = keys_.emplace_back();
        one.key.hash = key.hash;
        one.key.offset = arena_.size();
        one.key.size = static_cast<std::uint32_t>(key.bytes.size());
        one.key.identity_class = static_cast<std::uint64_t>(key.identity_class);
        one.has_optional_parameters = key.has_optional_parameters;
        arena_.append(key.bytes);
    }

    std::vector<model::KeyRules> rules_;
    std::string& arena_;
    model::IdentifierScratch scratch_;
    std::vector<One> keys_;
};

std::vector<Entry> entries_of(const std::vector<WarrantPtr>& warrants, const model::Matching& matching,
                              std::string& arena) {
    std::size_t targets = 0;
    for (const WarrantPtr& warrant : warrants) {
        targets += warrant->targets.size();
    }
    std::vector<Entry> entries;
    entries.reserve(targets);
    TargetKeys keys(matching, arena);
    for (std::size_t w = 0; w < warrants.size(); ++w) {
        const Warrant& warrant = *warrants[w];
        for (std::size_t t = 0; t < warrant.targets.size(); ++t) {
            const Target& target = warrant.targets[t];
            Posting posting;
            posting.warrant = static_cast<std::uint32_t>(w);
            posting.target = static_cast<std::uint32_t>(t);
            for (const TargetKeys::One& one : keys.of(target)) {
                posting.has_optional_parameters = one.has_optional_parameters ? 1 : 0;
                entries.push_back({one.key, posting});
            }
        }
    }
    return entries;
}

void add_xids(const std::vector<WarrantPtr>& warrants, std::vector<std::uint32_t>& fed, XidMap& xids) {
    std::vector<std::pair<model::Uuid, std::uint32_t>> all;
    for (std::size_t w = 0; w < warrants.size(); ++w) {
        for (const model::Uuid& xid : warrants[w]->xids) {
            all.emplace_back(xid, static_cast<std::uint32_t>(w));
        }
    }
    std::ranges::sort(all);
    const auto repeated = std::ranges::unique(all);
    all.erase(repeated.begin(), repeated.end());
    fed.reserve(all.size());
    for (const auto& [xid, warrant] : all) {
        XidRange& range = xids[xid];
        range.first = range.count == 0 ? static_cast<std::uint32_t>(fed.size()) : range.first;
        ++range.count;
        fed.push_back(warrant);
    }
}

constexpr std::size_t word_bits = 64;

/// For that many parties, never empty.
std::vector<std::uint64_t> words_for(std::size_t parties) {
    return std::vector<std::uint64_t>(std::max<std::size_t>((parties + word_bits - 1) / word_bits, 1));
}

}  // namespace

Index::Index() : Index(std::vector<WarrantPtr>{}) {}

Index::Index(std::vector<WarrantPtr> warrants, MatchRules rules) {
    auto tables = std::make_unique<Tables>();
    tables->rules = std::move(rules);
    std::ranges::sort(warrants, [](const WarrantPtr& a, const WarrantPtr& b) {
        return std::tie(a->destination, a->liid) < std::tie(b->destination, b->liid);
    });
    tables->warrants = std::move(warrants);

    std::vector<Entry> entries = entries_of(tables->warrants, tables->rules.matching, tables->arena);
    const KeyEqual equal = tables->keys.key_eq();
    // Equal keys side by side; keys with the same hash but different bytes are told apart by these.
    std::ranges::sort(entries, [&equal](const Entry& a, const Entry& b) {
        if (a.key.hash != b.key.hash) {
            return a.key.hash < b.key.hash;
        }
        const std::uint64_t left_class = a.key.identity_class;
        const std::uint64_t right_class = b.key.identity_class;
        const std::uint32_t left_target = a.posting.target;
        const std::uint32_t right_target = b.posting.target;
        return std::tuple(left_class, equal.bytes_of(a.key), a.posting.warrant, left_target) <
               std::tuple(right_class, equal.bytes_of(b.key), b.posting.warrant, right_target);
    });
    const auto begins_key = [&](std::size_t n) { return n == 0 || !equal(entries[n - 1].key, entries[n].key); };
    std::size_t distinct = 0;
    for (std::size_t n = 0; n < entries.size(); ++n) {
        distinct += begins_key(n) ? 1 : 0;
    }
    tables->keys.reserve(distinct);
    tables->postings.reserve(entries.size());
    for (std::size_t n = 0; n < entries.size(); ++n) {
        if (begins_key(n)) {
            Key key = entries[n].key;
            key.first_posting = static_cast<std::uint32_t>(n);
            tables->keys.insert(key);
        }
        Posting& posting = tables->postings.emplace_back(entries[n].posting);
        posting.is_last = n + 1 == entries.size() || begins_key(n + 1) ? 1 : 0;
    }
    tables->arena.shrink_to_fit();
    add_xids(tables->warrants, tables->fed, tables->xids);
    tables_ = std::move(tables);
}

Index::~Index() = default;

void Index::match(const model::Event& event, const Receipt& receipt, MatchScratch& scratch, std::vector<Match>& out,
                  const model::NumberPlan* numbers) const {
    out.clear();
    scratch.hits_.clear();
    const model::Instant at = event.timestamp ? event.timestamp->instant : receipt.at;
    model::KeyRules rules = tables_->rules.matching.rules_of(event.service);
    rules.numbers = numbers;
    for (std::size_t p = 0; p < event.parties.size(); ++p) {
        for (const model::Identifier& identifier : event.identifiers_of(event.parties[p])) {
            for (const model::IdentifierKey& key :
                 model::keys_of(identifier.type, identifier.value, rules, scratch.keys_)) {
                const auto found = tables_->keys.find(key);
                if (found == tables_->keys.end()) {
                    continue;
                }
                for (std::size_t n = found->first_posting;; ++n) {
                    const Posting& posting = tables_->postings[n];
                    if (tables_->applies(posting, event, at, receipt, identifier, key.has_optional_parameters)) {
                        scratch.hits_.emplace_back(posting.warrant, static_cast<std::uint32_t>(p));
                    }
                    if (posting.is_last != 0) {
                        break;
                    }
                }
            }
        }
    }
    if (scratch.hits_.empty()) {
        return;
    }
    std::ranges::sort(scratch.hits_);
    for (const auto& [warrant, party] : scratch.hits_) {
        const WarrantPtr* const pointer = &tables_->warrants[warrant];
        if (out.empty() || out.back().warrant != pointer) {
            out.push_back({pointer, words_for(event.parties.size())});
        }
        out.back().targeted[party / word_bits] |= std::uint64_t{1} << (party % word_bits);
    }
}

bool Index::knows(const model::Uuid& xid, model::Instant at, const Receipt& receipt) const {
    return std::ranges::any_of(tables_->fed_by(xid), [&](std::uint32_t warrant) {
        return tables_->is_open(*tables_->warrants[warrant], at, receipt);
    });
}

void Index::match_task(const model::Event& event, const model::Uuid& xid, std::span<const model::Uuid> earlier,
                       std::span<const std::uint64_t> targeted, const Receipt& receipt, std::vector<Match>& out) const {
    out.clear();
    const model::Instant at = event.timestamp ? event.timestamp->instant : receipt.at;
    for (const std::uint32_t number : tables_->fed_by(xid)) {
        const WarrantPtr& warrant = tables_->warrants[number];
        const auto has_its_item = [&](const model::Uuid& other) {
            return std::ranges::binary_search(tables_->fed_by(other), number);
        };
        if (!tables_->is_open(*warrant, at, receipt) || !Tables::serves(*warrant, event.service) ||
            std::ranges::any_of(earlier, has_its_item)) {
            continue;
        }
        Match& match = out.emplace_back(&warrant, words_for(event.parties.size()));
        std::copy_n(targeted.begin(), std::min(targeted.size(), match.targeted.size()), match.targeted.begin());
        if (const std::size_t beyond = event.parties.size() % word_bits; beyond != 0 || event.parties.empty()) {
            match.targeted.back() &= (std::uint64_t{1} << beyond) - 1;
        }
    }
}

std::span<const WarrantPtr> Index::warrants() const {
    return tables_->warrants;
}

std::size_t Index::distinct_targets() const {
    return tables_->keys.size();
}

}  // namespace lihandover::warrants
