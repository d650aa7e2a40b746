#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit_table.hpp"
#include "common/object_files.hpp"
#include "common/states.hpp"
#include "lihandover/store/downloads.hpp"
#include "transaction.hpp"

namespace lihandover::store::postgresql {

/// The tables of binary objects and the files that go with them. Functions that take a transaction are moves of an
/// object's state within it, with audit entry, counts and effects; throws PgFailure.
class ObjectTable {
  public:
    ObjectTable(AuditTable& audit, std::shared_ptr<ObjectFiles> files, const Keyring& keyring)
        : audit_(audit), files_(std::move(files)), keyring_(keyring) {}
    ~ObjectTable();
    ObjectTable(const ObjectTable&) = delete;
    ObjectTable& operator=(const ObjectTable&) = delete;
    ObjectTable(ObjectTable&&) = delete;
    ObjectTable& operator=(ObjectTable&&) = delete;

    /// Visits how many objects of each lane are in each state.
    static void take_stock(Connection& connection,
                           const std::function<void(LaneId lane, ObjectState state, std::int64_t count)>& visit);

    /// Whether each object of the item has its bytes from exactly one place, and from here.
    [[nodiscard]] bool takes(const NewItem& item) const;
    /// Looks up what of these items' bytes is there already.
    void ask(Connection& connection, std::span<const NewItem* const> items);

    void insert(Transaction& transaction, RowId item, const NewItem& made);
    /// Writes as much as so many objects of an item do, and leaves no row.
    static void filler(Transaction& transaction, std::size_t objects);
    /// An item that was held has another number from now on.
    static void item_queued(Transaction& transaction, RowId held, RowId item);
    void item_accepted(Transaction& transaction, RowId item);
    void item_rejected(Transaction& transaction, RowId item, std::string_view who, std::string_view why);

    void prepared(Transaction& transaction, const model::Uuid& source, const std::shared_ptr<const SealedObject>& copy,
                  model::ObjectLoss loss);
    static void stamp(Transaction& transaction, RowId item, model::Instant expiry);
    void pushed(Transaction& transaction, const model::Uuid& uuid);
    /// From `queued` and `set_aside`.
    void refuse(Transaction& transaction, const model::Uuid& uuid, const Refusal& refusal) {
        put_aside(transaction, uuid, ObjectState::refused, refusal);
    }
    /// From `queued`; from `set_aside` the refusal is renewed.
    void set_aside(Transaction& transaction, const model::Uuid& uuid, const Refusal& refusal) {
        put_aside(transaction, uuid, ObjectState::set_aside, refusal);
    }
    void fetched(Transaction& transaction, const Fetch& fetch);
    /// By the object's own id or that of its item; whether any was found.
    bool retry(Transaction& transaction, const model::Uuid& id, std::string_view who);
    /// One object by row, for retries in bulk.
    void retry(Transaction& transaction, RowId id, std::string_view who);
    bool reject(Transaction& transaction, const Meant& meant, std::string_view who, std::string_view why);

    /// Whether objects of model A have expired; a step ends up to `limit` of them.
    [[nodiscard]] bool expire_due(model::Instant now) const { return next_expiry_ <= now.micros(); }
    void expire(Transaction& transaction, std::int64_t limit);
    /// What other daemons have offered may expire.
    void look_for_expired() { next_expiry_ = std::numeric_limits<std::int64_t>::min(); }

    /// Waiting by themselves after `after`, for retries in bulk.
    struct Waiting {
        RowId id = 0;
        ObjectState state{};
        LaneId lane = 0;
        std::int64_t code = 0;
    };
    [[nodiscard]] static std::vector<Waiting> waiting_after(Connection& connection, RowId after, std::size_t limit);

    [[nodiscard]] std::vector<std::shared_ptr<const SourceFile>> pending_files(const Transaction& transaction) const;
    /// Whether there are named files that a daemon was to copy which is gone, and that are to be given up by now. One
    /// that is there gives up its own.
    [[nodiscard]] static bool any_left_behind(Connection& connection, std::int64_t node, model::Instant now);
    /// Gives up some of them, so that their items go without them.
    void give_up_left_behind(Transaction& transaction);
    /// The files that rows name, with their bytes, sealed.
    [[nodiscard]] static std::map<model::Uuid, std::uint64_t> files_named(Connection& connection);

    /// After the commit, or its failure. Of one that may be there all the same no file is removed before
    /// resolve_doubts().
    void committed();
    void rolled_back(bool in_doubt) noexcept;
    void resolve_doubts(Connection& connection);

  private:
    struct Row {
        RowId id = 0;
        model::Uuid uuid;
        RowId item = 0;
        LaneId lane = 0;
        std::int64_t blob = 0;
        ObjectState state{};
        std::int64_t flags = 0;
        std::int64_t lifetime = 0;
        std::optional<std::int64_t> expires_at;
        std::int64_t deadline = 0;
        BlobState blob_state{};
        std::uint64_t size = 0;
        std::optional<Refusal> refusal;
    };
    /// A row of `blob`, and the key that goes with its bytes; none where it was altered.
    struct Blob {
        std::int64_t id = 0;
        std::int64_t state = 0;
        std::optional<SealKey> key;
    };
    /// What a transaction did to files.
    struct Changes {
        std::vector<std::shared_ptr<const SealedFile>> kept;  ///< got a row
        std::map<model::Uuid, std::uint64_t> released;        ///< lost it, with the file's bytes
    };

    [[nodiscard]] std::vector<Row> rows_of(Connection& connection, std::string_view condition,
                                           const Parameters& parameters) const;
    [[nodiscard]] std::optional<Row> find(Connection& connection, const model::Uuid& uuid) const;
    /// Waiting by themselves, by own id or that of the item.
    [[nodiscard]] std::vector<Row> find_waiting(Connection& connection, const model::Uuid& id) const;
    [[nodiscard]] Blob blob_of(Transaction& transaction, const NewObject& object);
    [[nodiscard]] std::optional<Blob> find_blob(Connection& connection, std::string_view column,
                                                const model::Uuid& name) const;
    void release_blob(Transaction& transaction, std::int64_t blob);
    static void move(Transaction& transaction, const Row& row, ObjectState to);
    void put_aside(Transaction& transaction, const model::Uuid& uuid, ObjectState to, const Refusal& refusal);
    void remove(Transaction& transaction, const Row& row);
    void end_expired(Transaction& transaction, const Row& row, std::string_view why);
    void offer(Transaction& transaction, const Row& row);
    static void queue(Transaction& transaction, const Row& row, std::int64_t deadline);
    void back_to_queue(Transaction& transaction, const Row& row, std::string_view who);
    void reject_one(Transaction& transaction, const Row& row, std::string_view who, std::string_view why);
    void tell_prepared(Transaction& transaction, std::int64_t blob, bool complete, model::ObjectLoss loss);
    static audit::Entry entry_about(const Transaction& transaction, audit::Kind kind, const Row& row);
    void append(Transaction& transaction, const Row& row, const audit::Entry& entry) {
        audit_.append(transaction, row.lane, row.item, entry);
    }
    /// About an object that ended before it was told of: the lane and item come from the entry of its end.
    void append_late(Transaction& transaction, audit::Kind kind, const model::Uuid& uuid, std::string_view who,
                     std::string_view why);

    AuditTable& audit_;
    std::shared_ptr<ObjectFiles> files_;
    const Keyring& keyring_;
    Changes changes_;
    Changes doubts_;
    Asked asked_;
    bool wait_ = false;
    std::map<model::Uuid, Blob> blobs_;                                    ///< by file or source, of one transaction
    std::int64_t next_expiry_ = std::numeric_limits<std::int64_t>::min();  ///< the first step finds it
};

}  // namespace lihandover::store::postgresql
