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
#include "conversations.hpp"
#include "key_slots.hpp"
#include "lihandover/store/types.hpp"
#include "object_table.hpp"
#include "repeats.hpp"
#include "transaction.hpp"

namespace lihandover::store::sqlite {

// How the tables `item` and `aside` pack them.
inline constexpr std::int64_t item_flag_emergency = 1;
inline constexpr std::int64_t item_flag_carries_schema = 2;
inline constexpr std::int64_t item_flag_has_objects = 4;

/// A queued item that an operator means, found by a reader beside the writer.
struct Located {
    RowId row = 0;
    model::Uuid object_id;
};

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
    void close() { statements_ = {}; }
    /// Visits every waiting item, and tells the key slots which of them are in use.
    void take_stock(Connection& connection,
                    const std::function<void(LaneId lane, ItemState state, std::int64_t bytes)>& visit);

    /// The lane and the profile are known. Takes the share out of the item. False for a repeat, which is dropped.
    bool insert(Transaction& transaction, NewItem& item);
    /// Writes as much as `events` items would whose shares had `bytes` together.
    ///   alone   nothing else is written: at least the pages that one item touches
    void filler(std::size_t events, std::uint64_t bytes, bool alone);

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
    /// From any waiting state. False: no such item.
    bool reject(Transaction& transaction, const model::Uuid& object_id, const std::vector<Located>& located,
                std::string_view who, std::string_view why);

    /// Items beside the queue after `after`, for retries in bulk: visits row, state, lane and code of at most `limit`.
    struct Aside {
        RowId row = 0;
        ItemState state{};
        LaneId lane = 0;
        std::int64_t code = 0;
    };
    [[nodiscard]] std::vector<Aside> aside_after(RowId after, std::size_t limit);

    /// Queued items above `row`, which a commit left behind although it was told to have failed.
    void find_above(Connection& connection, RowId row, std::vector<QueuedItem>& out);
    /// Those of `rows` that are queued.
    void find_queued(std::span<const RowId> rows, std::vector<QueuedItem>& out);

  private:
    struct Waiting {
        RowId row = 0;
        ItemState state = ItemState::queued;
        LaneId lane = 0;
        std::int64_t flags = 0;
        std::int64_t size = 0;
        std::optional<std::uint32_t> slot;
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
    void provide_schema(Transaction& transaction, const Acceptance& item);
    static audit::Entry entry_about(const Transaction& transaction, audit::Kind kind, const Waiting& waiting);

    AuditTable& audit_;
    ObjectTable& objects_;
    Conversations& conversations_;
    Repeats& repeats_;
    std::shared_ptr<KeySlots> keys_;

    struct Statements {
        Statement insert, insert_share, find, find_aside, remove, remove_share, remove_aside, put_aside, put_again,
            take_back, aside_by_object, aside_after, provide, update_filler;
    } statements_;
};

}  // namespace lihandover::store::sqlite
