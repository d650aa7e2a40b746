#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lihandover/audit/entry.hpp"
#include "lihandover/model/item.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::store {

/// An item's place: within a lane, a larger number was queued later (promise 4). Kept for the life of the item, except
/// that one that was held gets another when it is first queued.
using RowId = std::int64_t;

/// A lane is one warrant's line of items: the pair (destination, LIID). Numbers are stable for the life of the store.
using LaneId = std::int64_t;

/// A row of immutable rendering data (model::Profile). Numbers are stable for the life of the store.
using ProfileId = std::int64_t;

/// A keyed hash under a secret that the store draws once: says nothing of what it stands for outside this store.
using Hash128 = std::array<std::uint8_t, 16>;

/// How a submitted group ended.
enum class Outcome : std::uint8_t {
    committed,  ///< on disk (synchronous=FULL)
    /// Not known to be on disk: full, failing or stopping store; worth another try later. After an error of the disk it
    /// may turn up all the same, whole, once the log is read anew; a source's repeat of it is recognised then.
    failed,
    /// Matched with an older state of the warrants than counts by now (WarrantSets): nothing of it was stored. What it
    /// was made of has to be matched anew.
    outdated,
};

/// Hears how a submission ended, once, on a thread of the store; must be quick and not throw.
using Done = std::function<void(Outcome)>;
/// The same, with how many items a decision found and changed.
using DoneCount = std::function<void(Outcome, std::size_t)>;

/// Who and what a lane is.
struct Lane {
    LaneId id = 0;
    std::string destination;
    std::string liid;
    /// Its LIID is not what was stored (encryption at rest): nothing of it can be delivered until its warrant is read
    /// from its file again.
    bool liid_lost = false;
};

/// Whether schemaContent goes with an item (TS 103 707 table 9): the option csp_schema.content.
enum class SchemaContent : std::uint8_t { never, first, always };

/// How many people have to decide about an item before it is queued. The numbers are on disk: never change them, only
/// add.
enum class Review : std::uint8_t {
    none = 0,
    required = 1,  ///< one of them
    dual = 2,      ///< two different ones, who agree
};

/// Who decides about items.
struct Reviewer {
    /// As the system vouches for it (a user of the kernel's, a certificate): what tells two people apart. Never a name
    /// that was given.
    std::string identity;
    std::string who;  ///< for the records
};

/// What a decision came to, by items.
struct Decided {
    std::size_t done = 0;      ///< it counts: they are queued, or rejected
    std::size_t first = 0;     ///< held: another person has to say the same
    std::size_t repeated = 0;  ///< held: the same person's word again, which counts for nothing
    /// Held: an approval was not taken, since what would go out cannot be read now. Nothing was changed.
    std::size_t unreadable = 0;
    /// Of a reject: the items that it ended, by their destination. Binary objects that waited by themselves are none.
    std::map<std::string, std::size_t> rejected = {};  // NOLINT(readability-redundant-member-init): GCC would warn
};
/// With `failed`, what was decided before the store failed.
using DoneDecided = std::function<void(Outcome, const Decided&)>;

struct NewObject;     // objects.hpp
struct StoredObject;  // objects.hpp

/// One event's share for one warrant, to be made durable. The store adds its row, its correlation numbers and whether
/// it carries the schema.
struct NewItem {
    LaneId lane = 0;
    ProfileId profile = 0;
    model::Uuid object_id;
    bool emergency = false;
    SchemaContent schema_content = SchemaContent::first;
    /// Keyed hash of (source, event_id, event type, destination, LIID): the item is dropped, and counted as a repeat,
    /// when the store remembers one like it.
    Hash128 repeat_hash{};
    /// Of a keyed hash of all that the event says. One with the same repeat_hash and another digest is another event:
    /// it makes an item, and is counted (Statistics::reused_ids). nullopt: the repeat_hash decides alone.
    std::optional<std::uint64_t> event_digest;
    /// The event's own time in whole seconds; nullopt when the source gave none, or where the event is the same
    /// whatever time it comes with.
    std::optional<std::int64_t> event_seconds;
    /// The rest of it. Repeats are remembered under both: with whole seconds alone a busy second's entries scatter over
    /// many pages, which costs a quarter of the store's speed.
    std::int32_t event_nanos = 0;
    /// Keyed hash of (destination, LIID, conversation); nullopt: no correlation.
    std::optional<Hash128> conversation_hash;
    /// Other than none: it is held, without correlation numbers and place, until people have approved it.
    Review review = Review::none;
    model::Instant received_at;
    /// model::encode_share.
    std::string share;
    /// Binary objects in the event's order; null for none, which is most items.
    std::shared_ptr<const std::vector<NewObject>> objects;
};

/// Where an item is. The numbers are on disk: never change them, only add.
enum class ItemState : std::uint8_t {
    held = 0,       ///< waits for review
    queued = 1,     ///< goes in its turn
    refused = 2,    ///< the LEA said no for good; an operator decides
    delivered = 3,  ///< a record without content
    rejected = 4,   ///< by an operator; a record without content
    set_aside = 5,  ///< fails where others succeed: passed by, tried again at growing distances
};
inline constexpr std::array<std::string_view, 6> item_state_names = {"held",      "queued",   "refused",
                                                                     "delivered", "rejected", "set_aside"};
[[nodiscard]] constexpr std::string_view name_of(ItemState state) {
    return item_state_names[static_cast<std::size_t>(state)];
}

/// Some of them.
class ItemStates {
  public:
    constexpr ItemStates(std::initializer_list<ItemState> states) {
        for (const ItemState state : states) {
            bits_ |= 1U << static_cast<unsigned>(state);
        }
    }
    [[nodiscard]] constexpr bool has(ItemState state) const {
        return (bits_ >> static_cast<unsigned>(state) & 1U) != 0;
    }

    friend bool operator==(const ItemStates&, const ItemStates&) = default;

  private:
    unsigned bits_ = 0;
};
/// In these an item waits.
inline constexpr ItemStates waiting_states{ItemState::held, ItemState::queued, ItemState::refused,
                                           ItemState::set_aside};

/// An item, or a binary object that waits by itself, as somebody means it who decides about it.
struct Meant {
    model::Uuid id;
    /// As which it may be found: one that is in another state by then is left as it is.
    ItemStates as = waiting_states;
    /// Of what is queued: its row, where that is known (ItemView::row). Else, 0, it is looked for among all that wait.
    RowId row = 0;
};

/// A committed item as delivery hears of it; 24 bytes at most are kept of it in memory while it waits.
struct QueuedItem {
    RowId row = 0;
    LaneId lane = 0;
    bool emergency = false;
};

/// All that is needed to write an item's document, read back from the store.
struct StoredItem {
    RowId row = 0;
    LaneId lane = 0;
    ProfileId profile = 0;
    model::Uuid object_id;
    bool emergency = false;
    bool carries_schema = false;
    std::optional<model::ApplicationCorrelation> correlation;
    model::Instant received_at;
    std::string share;
    /// Its binary objects; null for none.
    std::shared_ptr<const std::vector<StoredObject>> objects;
    /// Some of them are still being copied: the item keeps its place and must not go yet (ObjectListener::on_prepared).
    bool preparing = false;
    /// Something of its content cannot be read at present, and is not lost: the item keeps its place and must not go
    /// yet. It is to be asked for again a moment later.
    bool unreadable_now = false;
};

/// An item that the LEA accepted; holds all that the writer has to know, so that it need not read the row first.
struct Acceptance {
    RowId row = 0;
    LaneId lane = 0;
    ProfileId profile = 0;
    model::Uuid object_id;
    bool carried_schema = false;  ///< the lane counts as provided with the profile's schema from now on
    bool has_objects = false;     ///< its binary objects are offered or queued from now on
    /// The HI1 code that said that the LEA has it from an earlier attempt (3010); 0: it was taken now.
    std::uint64_t already_there_code = 0;
};
/// What the entry of such an acceptance says, beside the code.
inline constexpr std::string_view already_there = "the LEA had it already";

using Refusal = audit::Refusal;
using audit::name_of;

/// What an item waits for while it is held.
struct HeldFor {
    Review review{};
    /// What the first of two people has said of it; empty while nobody has.
    std::string first_who;
    bool first_rejects = false;
    std::string first_why;
    /// It was queued or set aside, and is held since its warrant was revoked: an approval puts it back in its place.
    bool withheld = false;
};

/// A place in a list of items: emergencies come first, and then the others, each by row.
struct ListPlace {
    bool routine = false;
    RowId row = 0;

    friend auto operator<=>(const ListPlace&, const ListPlace&) = default;
};

/// An item, or a binary object that waits by itself, for the operator (`items`, `show`): no content.
struct ItemView {
    model::Uuid object_id;
    /// A binary object: `object_id` is its own, the one in its URL, and this that of its item. Listed with the items
    /// while it is queued or refused.
    std::optional<model::Uuid> object_of;
    std::string destination;
    std::string liid;
    ItemState state{};
    RowId row = 0;
    bool emergency = false;  ///< not known of what is delivered or rejected
    std::optional<model::ApplicationCorrelation> correlation;
    model::Instant received_at;
    model::Instant changed_at;
    std::optional<HeldFor> held;
    /// For refused and set aside, and for rejected that were so before. For delivered, what the LEA said of an item
    /// that it had already.
    std::optional<Refusal> refusal;
    std::string who;  ///< who decided, for rejected; empty otherwise
    std::string why;

    [[nodiscard]] ListPlace place() const { return {!emergency, row}; }
};

/// What came of looking for several items.
struct Found {
    std::vector<std::optional<ItemView>> items;  ///< in the order in which they were asked for
    /// False: the time was over first. What is missing may be queued, delivered, rejected or unknown.
    bool whole = true;
};

/// When the first queued item of a destination was queued, of its emergencies and of its others: of one that people
/// approved, then. nullopt when none waits.
struct OldestQueued {
    std::optional<model::Instant> emergency;
    std::optional<model::Instant> routine;
};

/// Items that have been held for long.
struct HeldLong {
    std::uint64_t items = 0;
    std::uint64_t emergencies = 0;  ///< of them
    /// Since when the one is held that is held longest; nullopt when none is held.
    std::optional<model::Instant> oldest;
};

using RecordKind = audit::Kind;

/// An audit entry as it is read back.
struct Record {
    std::int64_t id = 0;
    model::Instant at;
    RecordKind kind{};
    LaneId lane = 0;
    std::optional<model::Uuid> object_id;
    std::string who;  ///< empty: the daemon itself
    std::string why;
};

/// A warrant file's state as the store keeps it: the last good version (promise 10).
struct StoredWarrant {
    std::string file;         ///< name within warrants_dir
    std::string destination;  ///< of the pair that names it
    std::string liid;
    std::string bytes;  ///< what the warrants room wrote
    /// What the record of the change says of its terms, old and new; in WarrantChanges only, not kept with the warrant.
    std::string terms = {};  // NOLINT(readability-redundant-member-init): GCC warns of initialisers that leave it out
    /// Its file is gone, and nobody has confirmed that it shall end: a start has to know, too.
    bool missing = false;

    /// What the record of a change says.
    [[nodiscard]] std::string said() const { return terms.empty() ? file : file + ": " + terms; }
};

/// A warrant that an operator has revoked. It outranks its file until that begins the warrant at another time, or goes.
struct StoredRevocation {
    std::string destination;  ///< of the pair that names it
    std::string liid;
    model::Instant valid_from;  ///< of the warrant that was revoked
    std::string file;           ///< name within warrants_dir
    model::Instant at;          ///< when; the store says it
    std::string who;
    std::string why;
    /// Other than none: what of it is queued or set aside is held from then on, until people have decided by this rule.
    /// In WarrantChanges only.
    Review hold = Review::none;
};

/// One of the people who have approved a warrant.
struct StoredApproval {
    std::uint32_t uid = 0;  ///< of the user, as the kernel names it: each counts once
    std::string who;
    model::Instant at;
};

/// A warrant whose file waits for people's approval, or was refused by one of them.
struct StoredPendingWarrant {
    std::string destination;  ///< of the pair that names it
    std::string liid;
    std::array<std::uint8_t, 32> digest{};  ///< of what was pending: anything else has to be decided anew
    std::string file;                       ///< name within warrants_dir
    model::Instant since;                   ///< the store says it
    std::string terms;                      ///< for the entry only, not kept
    std::vector<StoredApproval> approvals;
    bool refused = false;
    std::string who;  ///< refused it
    std::string why;
};

/// What one of the people decided about a warrant that waits.
struct WarrantDecision {
    std::string destination;
    std::string liid;
    std::array<std::uint8_t, 32> digest{};
    bool approve = false;
    std::uint32_t uid = 0;
    std::string who;
    std::string why;  ///< of a refusal
};

/// A revocation that no longer holds.
struct LiftedRevocation {
    std::string destination;  ///< of the pair that names the warrant
    std::string liid;
    std::string why;  ///< for the entry
};

/// One reload's consequences, or those of a revocation, written in one transaction with their records.
struct WarrantChanges {
    std::vector<StoredWarrant> in_force;  ///< new ones
    std::vector<StoredWarrant> changed;   ///< same pair, other content
    std::vector<StoredWarrant> ended;     ///< bytes not needed
    std::string who;                      ///< operator who asked for the reload, or empty
    /// `missing` is another than before, and nothing else: no decision, so no entry. NOLINTNEXTLINE
    std::vector<StoredWarrant> marked = {};
    /// End at once, and are kept as revoked. `at` is not read.
    std::vector<StoredRevocation> revoked = {};  // NOLINT(readability-redundant-member-init): as above
    /// Revocations that no longer hold, since the file says another warrant or is gone.
    std::vector<LiftedRevocation> lifted = {};  // NOLINT(readability-redundant-member-init)

    /// Begin to wait for approval, in the place of what waited under the same pair. `since` and what was decided are
    /// not read.
    std::vector<StoredPendingWarrant> pending = {};  // NOLINT(readability-redundant-member-init): as above
    /// Wait no longer: (destination, LIID). No entry: what became of them has its own.
    std::vector<std::pair<std::string, std::string>> settled = {};  // NOLINT(readability-redundant-member-init)

    [[nodiscard]] bool empty() const {
        return in_force.empty() && changed.empty() && ended.empty() && marked.empty() && revoked.empty() &&
               lifted.empty() && pending.empty() && settled.empty();
    }
};

/// A destination that an operator has paused.
struct StoredPause {
    std::string destination;
    model::Instant since;
    std::string who;
};

/// Waiting items by destination and state, exact as of the last commit.
struct Count {
    std::string destination;
    std::uint64_t held = 0;
    std::uint64_t queued = 0;
    std::uint64_t refused = 0;
    std::uint64_t set_aside = 0;
    // Binary objects by state.
    std::uint64_t objects_attached = 0;
    std::uint64_t objects_offered = 0;
    std::uint64_t objects_queued = 0;
    std::uint64_t objects_refused = 0;
    std::uint64_t objects_set_aside = 0;

    /// Whether anything of the destination is here still, which keeps it from being removed.
    [[nodiscard]] bool any() const {
        return held + queued + refused + set_aside + objects_attached + objects_offered + objects_queued +
                   objects_refused + objects_set_aside >
               0;
    }
};

struct Statistics {
    std::vector<Count> counts;
    /// Bytes of waiting items' rows (share and overhead), the figure that max_bytes bounds together with the database
    /// file's other content; see `used_bytes`.
    std::uint64_t waiting_bytes = 0;
    /// Live pages of the database, the file of keys, the write-ahead log or its allotment, and the sealed objects.
    std::uint64_t used_bytes = 0;
    std::uint64_t object_bytes = 0;  ///< sealed objects alone
    std::uint64_t max_bytes = 0;
    std::uint64_t commits = 0;
    std::uint64_t repeats = 0;     ///< items dropped since one like them was remembered
    std::uint64_t reused_ids = 0;  ///< items made although their id was another event's: a fault of the source
    bool accepting = false;
    /// The database was found to be older than it had been, and could not record that yet.
    bool restore_unrecorded = false;
    /// What a start has found of the store not being the state that was there last, or that nobody can tell; until an
    /// operator accepts it (OperatorView::accept_restore). Empty: nothing.
    std::string restored;
    /// Revoked warrants of which what was queued is to be held, and is not all held yet. None of it goes out meanwhile.
    std::uint64_t withholding = 0;
};

}  // namespace lihandover::store
