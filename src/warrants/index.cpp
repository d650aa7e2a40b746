#include "lihandover/warrants/index.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <tuple>

#include "lihandover/model/identifier.hpp"

namespace lihandover::warrants {

namespace {

// The table of keys is probed by groups of eight slots. Each slot has a tag of one byte: 0 when empty, else 0x80 and
// seven bits of the hash. A miss, which is nearly every lookup, reads one group of tags and nothing else: at half load
// that is two bytes per key, which stay in the processor's cache for hundreds of thousands of targets.
constexpr std::size_t group_size = 8;
static_assert(std::endian::native == std::endian::little, "find() counts a group's slots from its lowest byte");
constexpr std::uint64_t ones = 0x0101010101010101U;
constexpr std::uint64_t high_bits = 0x8080808080808080U;

/// The high bit of each byte of `group` that is zero; of bytes above a zero one it may be set as well, so that a
/// match has to be looked at.
std::uint64_t zero_bytes(std::uint64_t group) {
    return (group - ones) & ~group & high_bits;
}

std::uint8_t tag_of(std::uint64_t hash) {
    return static_cast<std::uint8_t>(0x80U | (hash >> 57U));
}

/// One target of one warrant, with all that decides whether it applies.
struct Posting {
    model::Instant from;
    model::Instant until;
    std::uint32_t warrant = 0;
    std::uint32_t target = 0;
    bool has_optional_parameters = false;
    bool restricts_services = false;
};

struct Key {
    std::uint64_t hash = 0;
    std::size_t offset = 0;  // of its bytes in the arena
    std::uint32_t size = 0;
    model::IdentityClass identity_class{};
    std::uint32_t first_posting = 0;
    std::uint32_t posting_count = 0;
};

}  // namespace

struct Index::Tables {
    MatchRules rules;
    std::vector<WarrantPtr> warrants;
    std::vector<std::uint8_t> tags;  // a power of two of groups; empty when there are no keys
    std::vector<Key> slots;
    std::vector<Posting> postings;
    std::string arena;
    std::size_t keys = 0;

    [[nodiscard]] std::string_view bytes_of(const Key& key) const {
        return std::string_view(arena).substr(key.offset, key.size);
    }

    [[nodiscard]] const Key* find(const model::IdentifierKey& identifier) const {
        if (tags.empty()) {
            return nullptr;
        }
        const std::size_t mask = tags.size() / group_size - 1;
        const std::uint64_t wanted = tag_of(identifier.hash) * ones;
        for (std::size_t group = identifier.hash & mask;; group = (group + 1) & mask) {
            std::uint64_t word = 0;
            std::memcpy(&word, tags.data() + group * group_size, group_size);
            for (std::uint64_t matches = zero_bytes(word ^ wanted); matches != 0; matches &= matches - 1) {
                const std::size_t byte = static_cast<std::size_t>(std::countr_zero(matches)) / 8;
                const Key& key = slots[group * group_size + byte];
                if (key.hash == identifier.hash && key.identity_class == identifier.identity_class &&
                    bytes_of(key) == identifier.bytes) {
                    return &key;
                }
            }
            if (zero_bytes(word) != 0) {
                return nullptr;
            }
        }
    }

    void insert(const Key& key) {
        const std::size_t mask = tags.size() / group_size - 1;
        for (std::size_t group = key.hash & mask;; group = (group + 1) & mask) {
            for (std::size_t slot = group * group_size; slot < (group + 1) * group_size; ++slot) {
                if (tags[slot] == 0) {
                    tags[slot] = tag_of(key.hash);
                    slots[slot] = key;
                    return;
                }
            }
        }
    }

    /// Whether a posting under the event's key applies to the event, which happened then and came in then.
    [[nodiscard]] bool applies(const Posting& posting, const model::Event& event, model::Instant at,
                               model::Instant received_at, const model::Identifier& identifier,
                               bool has_optional_parameters) const {
        if (at < posting.from || at >= posting.until) {
            return false;
        }
        const Warrant& warrant = *warrants[posting.warrant];
        if (received_at >= takes_until(warrant, rules.late_events)) {
            return false;
        }
        if (posting.restricts_services &&
            std::ranges::find(warrant.services, event.service) == warrant.services.end()) {
            return false;
        }
        if (posting.has_optional_parameters && has_optional_parameters) {
            const Target& target = warrant.targets[posting.target];
            return model::parameters_agree(target.value, identifier.value);
        }
        return true;
    }
};

namespace {

/// A target on its way into the tables.
struct Entry {
    Key key;
    Posting posting;
};

/// The keys of a target under every set of rules that events can have, each once, go to the arena.
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
            if (known.key.identity_class == key.identity_class &&
                std::string_view(arena_).substr(known.key.offset, known.key.size) == key.bytes) {
                return;
            }
        }
        One& one = keys_.emplace_back();
        one.key.hash = key.hash;
        one.key.offset = arena_.size();
        one.key.size = static_cast<std::uint32_t>(key.bytes.size());
        one.key.identity_class = key.identity_class;
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
            posting.from = std::max(warrant.valid_from, target.from.value_or(warrant.valid_from));
            posting.until = std::min(warrant.valid_until, target.until.value_or(warrant.valid_until));
            posting.warrant = static_cast<std::uint32_t>(w);
            posting.target = static_cast<std::uint32_t>(t);
            posting.restricts_services = !warrant.services.empty();
            for (const TargetKeys::One& one : keys.of(target)) {
                posting.has_optional_parameters = one.has_optional_parameters;
                entries.push_back({one.key, posting});
            }
        }
    }
    return entries;
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
    const auto same_key = [&tables](const Key& a, const Key& b) {
        return a.hash == b.hash && a.identity_class == b.identity_class && tables->bytes_of(a) == tables->bytes_of(b);
    };
    // Equal keys side by side; those of one hash that differ in their bytes are told apart by these.
    std::ranges::sort(entries, [&tables](const Entry& a, const Entry& b) {
        if (a.key.hash != b.key.hash) {
            return a.key.hash < b.key.hash;
        }
        const std::string_view left = tables->bytes_of(a.key);
        const std::string_view right = tables->bytes_of(b.key);
        return std::tie(a.key.identity_class, left, a.posting.warrant, a.posting.target) <
               std::tie(b.key.identity_class, right, b.posting.warrant, b.posting.target);
    });
    std::vector<Key> keys;
    tables->postings.reserve(entries.size());
    for (const Entry& entry : entries) {
        if (keys.empty() || !same_key(keys.back(), entry.key)) {
            keys.push_back(entry.key);
            keys.back().first_posting = static_cast<std::uint32_t>(tables->postings.size());
        }
        ++keys.back().posting_count;
        tables->postings.push_back(entry.posting);
    }
    tables->keys = keys.size();
    if (!keys.empty()) {
        const std::size_t capacity = std::bit_ceil(std::max(keys.size() * 2, group_size));
        tables->tags.resize(capacity);
        tables->slots.resize(capacity);
        for (const Key& key : keys) {
            tables->insert(key);
        }
    }
    tables_ = std::move(tables);
}

Index::~Index() = default;

void Index::match(const model::Event& event, model::Instant received_at, MatchScratch& scratch, std::vector<Match>& out,
                  const model::NumberPlan* numbers) const {
    out.clear();
    scratch.hits_.clear();
    const model::Instant at = event.timestamp ? event.timestamp->instant : received_at;
    model::KeyRules rules = tables_->rules.matching.rules_of(event.service);
    rules.numbers = numbers;
    for (std::size_t p = 0; p < event.parties.size(); ++p) {
        for (const model::Identifier& identifier : event.identifiers_of(event.parties[p])) {
            for (const model::IdentifierKey& key :
                 model::keys_of(identifier.type, identifier.value, rules, scratch.keys_)) {
                const Key* const found = tables_->find(key);
                if (found == nullptr) {
                    continue;
                }
                const std::span postings =
                    std::span(tables_->postings).subspan(found->first_posting, found->posting_count);
                for (const Posting& posting : postings) {
                    if (tables_->applies(posting, event, at, received_at, identifier, key.has_optional_parameters)) {
                        scratch.hits_.emplace_back(posting.warrant, static_cast<std::uint32_t>(p));
                    }
                }
            }
        }
    }
    if (scratch.hits_.empty()) {
        return;
    }
    std::ranges::sort(scratch.hits_);
    constexpr std::size_t word_bits = 64;
    for (const auto& [warrant, party] : scratch.hits_) {
        const WarrantPtr* const pointer = &tables_->warrants[warrant];
        if (out.empty() || out.back().warrant != pointer) {
            out.push_back({pointer, std::vector<std::uint64_t>((event.parties.size() + word_bits - 1) / word_bits)});
        }
        out.back().targeted[party / word_bits] |= std::uint64_t{1} << (party % word_bits);
    }
}

std::span<const WarrantPtr> Index::warrants() const {
    return tables_->warrants;
}

std::size_t Index::distinct_targets() const {
    return tables_->keys;
}

}  // namespace lihandover::warrants
