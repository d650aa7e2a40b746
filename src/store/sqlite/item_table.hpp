#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "audit_table.hpp"
#include "common/states.hpp"
#include "conversations.hpp"
#include "key_slots.hpp"
#include "lihandover/store/types.hpp"
#include "object_table.hpp"
#include "repeats.hpp"
#include "transaction.hpp"

namespace lihandover::store::sqlite {

/// Waiting items: `item` (queued ones, in row order), `aside` (held, refused and set aside ones), `share` (the content
/// of both, sealed). Each function is a move of an item's state within the writer's transaction, with its audit entry,
/// counts and effects; those that do not find the item in a state that allows the move say so, and change nothing.
/// Throws SqlFailure.
class ItemTable {
  public:
    /// What a waiting item takes beyond its share, about: its narrow row and the share's cell.
    static constexpr std::int64_t overhead = 96;

    ItemTable(AuditTable& audit, ObjectTable& objects, Conversations& conversations, Repeats& repeats,
              std::shared_ptr<KeySlots> keys)
        : audit_(audit), objects_(objects), conversations_(conversations), repeats_(repeats), keys_(std::move(keys)) {}

    void open(Connection& connection);
    void close();
    /// Visits every waiting item, and tells the key slots which of them are in use.
    void take_stock(Connection& connection,
                    const std::function<void(LaneId lane, ItemState state, std::int64_t bytes)>& visit);

    /// The lane and the profile are known. Takes the share out of the item. False for a repeat, which is dropped.
    bool insert(Transaction& transaction, NewItem& item);
    /// What a group of submissions does not write although others like it would.
    struct Idle {
        std::size_t events = 0;     ///< that came to no item
        std::uint64_t bytes = 0;    ///< that their shares would have had
        bool nothing_made = false;  ///< at least the pages that one item touches are missing
        /// Rows of held items that others like it would have beside their content, where there is review.
        std::size_t not_held = 0;
    };
    /// Writes as much.
    void filler(Transaction& transaction, const Idle& idle);

    /// From any state: it is what happened. Its binary objects are offered or queued from now on.
    void accepted(Transaction& transaction, const Acceptance& item);
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
    /// The same for all of them, outside transactions. `last` is the newest number given out.
    void nothing_more_at_start(Connection& connection, RowId last);
    [[nodiscard]] const std::vector<Withholding>& withholding() const { return withholding_; }
    [[nodiscard]] static std::vector<Withholding> read_withholding(Connection& connection);
    /// Whether there is something to be held now; a step holds some of it.
    [[nodiscard]] bool withholding_due() const;
    void withhold_some(Transaction& transaction);
    /// After a while: what waits for keys that could not be read is due again.
    void try_withholding_again();
    void committed() { withholding_before_.reset(); }
    void rolled_back();
    /// Lanes that a commit left so although it was told to have failed.
    void find_newly_withheld(std::vector<LaneId>& out);
    /// Delivery is told of them.
    void told_withheld() { known_withheld_.reset(); }

    /// Content of a waiting item is to be seen by somebody. False: no such item.
    ///   what  of it, in words
    bool shown(Transaction& transaction, RowId row, const model::Uuid& object_id, std::string_view who,
               std::string_view what);

    /// Items beside the queue after `after`, for retries in bulk: visits row, state, lane and code of at most `limit`.
    struct Aside {
        RowId row = 0;
        ItemState state{};
        LaneId lane = 0;
        std::int64_t code = 0;
    };
    [[nodiscard]] std::vector<Aside> aside_after(Connection& connection, RowId after, std::size_t limit);

    /// Queued items above `row`, which a commit left behind although it was told to have failed.
    void find_above(Connection& connection, RowId row, std::vector<QueuedItem>& out);
    /// Those of `rows` that are queued.
    void find_queued(std::span<const RowId> rows, std::vector<QueuedItem>& out);
    /// Those of `items` that no longer wait.
    void find_gone(std::span<const QueuedItem> items, std::vector<QueuedItem>& out);

  private:
    struct Waiting {
        RowId row = 0;
        ItemState state = ItemState::queued;
        LaneId lane = 0;
        std::int64_t flags = 0;
        std::int64_t size = 0;
        std::optional<KeyPlace> key;
        model::Uuid object_id;
        std::optional<Refusal> refusal;

        [[nodiscard]] bool emergency() const { return (flags & item_flag_emergency) != 0; }
    };
    [[nodiscard]] std::optional<Waiting> find(RowId row);
    [[nodiscard]] std::optional<Waiting> find_aside(RowId row);
    [[nodiscard]] std::optional<RowId> find_aside(const model::Uuid& object_id);
    void put_aside(Transaction& transaction, RowId row, ItemState to, const Refusal& refusal);
    void back_to_queue(Transaction& transaction, const Waiting& waiting, std::string_view who);
    void erase(Transaction& transaction, const Waiting& waiting);
    void end_rejected(Transaction& transaction, const Waiting& waiting, std::string_view who, std::string_view why);
    /// What is known of a held item beside its row in `aside`.
    struct Held {
        Review review{};
        SchemaContent schema_content{};
        std::optional<Hash128> conversation;
        bool queued = false;   ///< it was queued: it has its numbers and its place
        std::string first_by;  ///< the identity of whoever has said something that waits for a second person's word
        bool first_rejects = false;
    };
    /// Of an item in the state `held`.
    [[nodiscard]] Held find_held(RowId row);
    /// What a reviewer's word about a held item comes to. A first one is kept.
    Verdict hear(const Waiting& waiting, const Held& held, const Reviewer& reviewer, bool rejects,
                 std::string_view why);
    void insert_held(Transaction& transaction, RowId row, const NewItem& item);
    /// Touches the pages that so many held items would, and leaves no row.
    void imitate_held(const Transaction& transaction, std::size_t count);
    /// Seals the content under a key of its own, as that of the row. Returns where the key is.
    KeyPlace insert_share(Transaction& transaction, RowId row, std::string_view share, std::string_view bound);
    /// nullopt: it cannot be read, now or for good.
    [[nodiscard]] std::optional<std::string> share_of(const Waiting& waiting);
    void queue_held(Transaction& transaction, const Waiting& waiting, const Held& held, std::string_view share);
    /// Seals the content anew, in its place.
    KeyPlace replace_share(Transaction& transaction, const Waiting& waiting, std::string_view share, bool held);
    /// False: its key cannot be read now.
    [[nodiscard]] bool withhold(Transaction& transaction, const Waiting& waiting, Review review);
    void put_back_withheld(Transaction& transaction, const Waiting& waiting, std::string_view share);
    /// Whether delivery must not hear of it, since it is to be held.
    [[nodiscard]] bool is_withheld(LaneId lane, RowId row) const;
    void tell_queued(std::vector<QueuedItem>& whom, const QueuedItem& item) const;
    /// Rows of the lane that are queued or set aside, in order, as far as one look goes.
    struct Look {
        std::vector<RowId> rows;
        RowId end = 0;       ///< what is behind it was not looked at
        bool whole = false;  ///< nothing is behind it
    };
    [[nodiscard]] Look look_for(const Withholding& from);
    void remember_withholding();
    void keep(const Withholding& one);
    void provide_schema(Transaction& transaction, const Acceptance& item);
    static audit::Entry entry_about(const Transaction& transaction, audit::Kind kind, const Waiting& waiting);

    AuditTable& audit_;
    ObjectTable& objects_;
    Conversations& conversations_;
    Repeats& repeats_;
    std::shared_ptr<KeySlots> keys_;
    std::vector<Withholding> withholding_;
    std::optional<std::vector<Withholding>> withholding_before_;  ///< this transaction
    /// Before the database was opened anew, until delivery was told of what is new.
    std::optional<std::vector<LaneId>> known_withheld_;

    struct Statements {
        Statement insert, insert_share, find, find_aside, remove, remove_share, remove_aside, put_aside, put_again,
            take_back, aside_by_object, aside_after, provide, update_filler;
        Statement find_share, insert_aside, insert_held, find_held, set_first, remove_held, rest_of_held,
            remove_aside_from, remove_held_from;
        Statement replace_share, withhold_queued, withhold_set_aside, insert_withheld, take_withheld_back,
            put_withholding, remove_withholding, queued_after, set_aside_after;
    } statements_;
};

}  // namespace lihandover::store::sqlite
