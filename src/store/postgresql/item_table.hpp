#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit_table.hpp"
#include "common/states.hpp"
#include "conversations.hpp"
#include "lihandover/store/types.hpp"
#include "object_table.hpp"
#include "repeats.hpp"
#include "transaction.hpp"

namespace lihandover::store::postgresql {

/// Waiting items: `item` (queued ones) and `aside` (held, refused and set aside ones), each with its content, sealed.
/// Each function is a move of an item's state within the writer's transaction, with its audit entry, counts and
/// effects; those that do not find the item in a state that allows the move say so, and change nothing. Throws
/// PgFailure.
///
/// What many of a group need is asked for at once, by begin(); what they write is sent by flush().
class ItemTable {
  public:
    /// What a waiting item takes beyond its share, about.
    static constexpr std::int64_t overhead = 200;

    ItemTable(AuditTable& audit, ObjectTable& objects, Conversations& conversations, Repeats& repeats,
              const Keyring& keyring)
        : audit_(audit), objects_(objects), conversations_(conversations), repeats_(repeats), keyring_(keyring) {}

    /// Reads what is kept in memory.
    void open(Connection& connection);

    /// Visits how many waiting items of each lane are in each state, and how many bytes they take.
    static void take_stock(
        Connection& connection,
        const std::function<void(LaneId lane, ItemState state, std::int64_t count, std::int64_t bytes)>& visit);

    /// What a transaction will do: locks the lanes, and asks for what is wanted of the rest.
    void begin(Transaction& transaction, std::span<const NewItem* const> items,
               std::span<const Acceptance* const> accepted);
    /// Those of begin(), from any state: it is what happened. Their binary objects are offered or queued from now on.
    void accept(Transaction& transaction, std::span<const Acceptance* const> accepted);
    /// One of begin(). The lane and the profile are known. False for a repeat, which is dropped.
    bool insert(Transaction& transaction, const NewItem& item);
    /// What a group of submissions does not write although others like it would.
    struct Idle {
        std::size_t events = 0;     ///< that came to no item
        std::uint64_t bytes = 0;    ///< that their shares would have had
        bool nothing_made = false;  ///< at least what one item writes is missing
        std::size_t not_held = 0;   ///< rows of held items, where there is review
    };
    /// Writes as much.
    static void filler(Transaction& transaction, const Idle& idle);
    void flush(Connection& connection);
    void clear();
    void committed() { withholding_before_.reset(); }
    void rolled_back();

    /// From `queued` and `set_aside`.
    void refuse(Transaction& transaction, RowId row, const Refusal& refusal) {
        put_aside(transaction, row, ItemState::refused, refusal);
    }
    /// From `queued`; from `set_aside` the refusal is renewed.
    void set_aside(Transaction& transaction, RowId row, const Refusal& refusal) {
        put_aside(transaction, row, ItemState::set_aside, refusal);
    }
    /// From `refused` and `set_aside`. nullopt: no such item waits beside the queue.
    std::optional<bool> retry(Transaction& transaction, const model::Uuid& object_id, std::string_view who);
    void retry(Transaction& transaction, RowId row, std::string_view who);
    /// From `held`.
    Verdict approve(Transaction& transaction, const model::Uuid& object_id, const Reviewer& reviewer);
    /// From any waiting state that is meant. What is queued has its row there. Of one that ended, `lane` is put in.
    Verdict reject(Transaction& transaction, const Meant& meant, const Reviewer& reviewer, std::string_view why,
                   LaneId& lane);
    /// What of the lane is queued or set aside now, and what comes until nothing_more_of(), is held from now on: step
    /// by step, and delivery hears no more of it at once.
    void withhold(Transaction& transaction, LaneId lane, Review review);
    /// What is queued from now on is not held by an earlier withhold().
    void nothing_more_of(Transaction& transaction, LaneId lane);
    /// The same for all of them, outside transactions, while nobody else uses the database.
    static void nothing_more_at_start(Connection& connection);
    /// Reads what other daemons may have changed of it.
    void learn_withholding(Connection& connection);
    /// What is left for delivery of what other daemons have queued: what is to be held is not told.
    void leave_out_withheld(std::vector<Arrived>& arrived) const;
    [[nodiscard]] const std::vector<Withholding>& withholding() const { return withholding_; }
    /// Whether there is something to be held now; a step holds some of it.
    [[nodiscard]] bool withholding_due(const Holdings& holdings) const;
    void withhold_some(Transaction& transaction);

    /// Content of a waiting item is to be seen by somebody. False: no such item.
    ///   what  of it, in words
    bool shown(Transaction& transaction, RowId row, const model::Uuid& object_id, std::string_view who,
               std::string_view what);

    /// Items beside the queue after `after`, for retries in bulk.
    struct Aside {
        RowId row = 0;
        ItemState state{};
        LaneId lane = 0;
        std::int64_t code = 0;
    };
    [[nodiscard]] static std::vector<Aside> aside_after(Connection& connection, RowId after, std::size_t limit);

  private:
    struct Waiting {
        RowId row = 0;
        ItemState state = ItemState::queued;
        LaneId lane = 0;
        ProfileId profile = 0;
        std::int64_t flags = 0;
        std::int64_t size = 0;
        std::int64_t received = 0;
        model::Uuid object_id;
        std::optional<Refusal> refusal;

        [[nodiscard]] bool emergency() const { return (flags & item_flag_emergency) != 0; }
        [[nodiscard]] bool has_objects() const { return (flags & item_flag_has_objects) != 0; }
    };
    /// What is known of a held item beside its row in `aside`.
    struct Held {
        Review review{};
        SchemaContent schema_content{};
        std::optional<Hash128> conversation;
        bool queued = false;   ///< it was queued: it has its numbers and its place
        std::string first_by;  ///< the identity of whoever has said something that waits for a second person's word
        bool first_rejects = false;
    };
    /// What goes into `item`.
    struct Queued {
        std::vector<std::int64_t> id, lane, profile, flags, size, received;
        std::vector<std::optional<std::int64_t>> level_id, sequence;
        std::vector<std::string> object_id, key, octets;
    };
    /// Of a row of `item` or `aside` that went.
    [[nodiscard]] static Waiting gone_of(const Rows& rows, int row, ItemState state);
    [[nodiscard]] std::optional<Waiting> find_queued(Connection& connection, std::string_view condition,
                                                     const Parameters& parameters) const;
    [[nodiscard]] std::optional<Waiting> find_aside(Connection& connection, std::string_view condition,
                                                    const Parameters& parameters) const;
    [[nodiscard]] std::optional<Waiting> find_aside(Connection& connection, const model::Uuid& object_id) const;
    void lock_lanes(Transaction& transaction, const std::set<LaneId>& lanes);
    static void know_lanes(Transaction& transaction, const Rows& rows);
    void put_aside(Transaction& transaction, RowId row, ItemState to, const Refusal& refusal);
    void back_to_queue(Transaction& transaction, const Waiting& waiting, std::string_view who);
    void count_gone(Transaction& transaction, const Waiting& waiting) const;
    void erase(Transaction& transaction, const Waiting& waiting);
    void end_rejected(Transaction& transaction, const Waiting& waiting, std::string_view who, std::string_view why);
    [[nodiscard]] Held find_held(Connection& connection, RowId row) const;
    /// What a reviewer's word about a held item comes to. A first one is kept.
    Verdict hear(Transaction& transaction, const Waiting& waiting, const Held& held, const Reviewer& reviewer,
                 bool rejects, std::string_view why);
    void insert_held(Transaction& transaction, RowId row, const NewItem& item);
    /// One that is queued from now on.
    void add_queued(Transaction& transaction, const Waiting& waiting,
                    const std::optional<model::ApplicationCorrelation>& correlation, std::string_view share);
    /// nullopt: it cannot be opened. `rows` has its key and its octets from a column on.
    [[nodiscard]] std::optional<std::string> share_of(const Waiting& waiting, const Rows& rows, int row,
                                                      int column) const;
    [[nodiscard]] std::optional<std::string> share_of(Connection& connection, const Waiting& waiting) const;
    /// Whether delivery must not hear of it, since it is to be held.
    [[nodiscard]] bool is_withheld(LaneId lane, RowId row) const { return is_in(withholding_, lane, row); }
    void tell_queued(const Transaction& transaction, std::vector<QueuedItem>& whom, const QueuedItem& item) const;
    /// Rows of the lane that are queued or set aside, in order, as far as one look goes.
    struct Look {
        std::vector<RowId> rows;
        RowId end = 0;       ///< what is behind it was not looked at
        bool whole = false;  ///< nothing is behind it
    };
    [[nodiscard]] static Look look_for(Connection& connection, const Withholding& from);
    /// Holds those of the rows that are queued or set aside.
    void withhold(Transaction& transaction, std::span<const RowId> rows, Review review);
    void withhold(Transaction& transaction, const Waiting& waiting, Review review, std::string_view share);
    void put_back_withheld(Transaction& transaction, const Waiting& waiting, std::string_view share);
    /// Before the first change in a transaction.
    void remember_withholding();
    void read_withholding(Connection& connection);
    static void keep(Connection& connection, const Withholding& one);
    void queue_held(Transaction& transaction, const Waiting& waiting, const Held& held, std::string_view share);
    static void provide_schema(Transaction& transaction, const Acceptance& item);
    static audit::Entry entry_about(const Transaction& transaction, audit::Kind kind, const Waiting& waiting);

    AuditTable& audit_;
    ObjectTable& objects_;
    Conversations& conversations_;
    Repeats& repeats_;
    const Keyring& keyring_;
    std::vector<Withholding> withholding_;

    // Of one transaction.
    std::optional<std::vector<Withholding>> withholding_before_;
    Asked lanes_;
    bool wait_for_lanes_ = false;
    Asked deleted_queued_;
    Asked deleted_aside_;
    Queued queued_;
};

}  // namespace lihandover::store::postgresql
