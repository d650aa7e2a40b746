#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "audit_table.hpp"
#include "common/object_files.hpp"
#include "common/states.hpp"
#include "key_slots.hpp"
#include "lihandover/store/downloads.hpp"
#include "transaction.hpp"

namespace lihandover::store::sqlite {

/// The tables of binary objects and the files that go with them. Functions that take a transaction are moves of an
/// object's state within it, with audit entry, counts and effects; throws SqlFailure.
class ObjectTable {
  public:
    ObjectTable(AuditTable& audit, std::shared_ptr<ObjectFiles> files, std::shared_ptr<KeySlots> keys);
    ~ObjectTable();
    ObjectTable(const ObjectTable&) = delete;
    ObjectTable& operator=(const ObjectTable&) = delete;
    ObjectTable(ObjectTable&&) = delete;
    ObjectTable& operator=(ObjectTable&&) = delete;

    void open(Connection& connection);
    void close();
    /// Visits how many objects of each lane are in each state.
    static void take_stock(Connection& connection,
                           const std::function<void(LaneId lane, ObjectState state, std::int64_t count)>& visit);

    /// Whether each object of the item has its bytes from exactly one place, and from here.
    [[nodiscard]] bool takes(const NewItem& item) const;

    void insert(Transaction& transaction, RowId item, const NewItem& made);
    /// Writes as many pages as so many objects of an item do, and leaves no row.
    void filler(Transaction& transaction, std::size_t objects);
    /// An item that was held has another number from now on.
    void item_queued(RowId held, RowId item);
    void item_accepted(Transaction& transaction, RowId item);
    void item_rejected(Transaction& transaction, RowId item, std::string_view who, std::string_view why);

    void prepared(Transaction& transaction, const model::Uuid& source, const std::shared_ptr<const SealedObject>& copy,
                  model::ObjectLoss loss);
    void stamp(Transaction& transaction, RowId item, model::Instant expiry);
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

    /// Waiting by themselves after `after`, for retries in bulk.
    struct Waiting {
        RowId id = 0;
        ObjectState state{};
        LaneId lane = 0;
        std::int64_t code = 0;
    };
    [[nodiscard]] std::vector<Waiting> waiting_after(Connection& connection, RowId after, std::size_t limit);

    /// Tells which slots of keys rows name.
    void find_slots(Connection& connection);

    [[nodiscard]] std::vector<std::shared_ptr<const SourceFile>> pending_files(Connection& connection);
    [[nodiscard]] bool names_file(const model::Uuid& file);
    /// The files that rows name.
    struct Named {
        std::uint64_t files = 0;
        std::uint64_t bytes = 0;  ///< sealed
    };
    [[nodiscard]] static Named files_named(Connection& connection);

    /// After the commit, or its failure. A failed commit may be on the disk all the same: until the next one that
    /// succeeds and writes, or until the database was opened anew and looked at, no file of it is removed.
    void committed(bool wrote);
    void rolled_back(const Effects& effects) noexcept;
    void resolve_doubts(Effects& effects);

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
    /// What a transaction did to files.
    struct Changes {
        std::vector<std::shared_ptr<const SealedFile>> kept;  ///< got a row
        std::map<model::Uuid, std::uint64_t> released;        ///< lost it, with the file's bytes
    };
    struct Doubts {
        std::map<model::Uuid, std::shared_ptr<const SealedFile>> kept;
        std::map<model::Uuid, std::uint64_t> released;
        std::set<model::Uuid> uploads;    ///< objects
        std::set<model::Uuid> withdrawn;  ///< objects
        std::set<RowId> prepared;         ///< items
    };

    [[nodiscard]] static std::vector<Row> rows_of(Statement& statement);
    [[nodiscard]] std::optional<Row> find(const model::Uuid& uuid);
    /// Waiting by themselves, by own id or that of the item.
    [[nodiscard]] std::vector<Row> find_waiting(const model::Uuid& id);
    /// A row of `blob`, and the key that goes with its bytes; none in rows of earlier versions.
    struct Blob {
        std::int64_t id = 0;
        std::optional<SealKey> key;
    };
    [[nodiscard]] Blob blob_of(Transaction& transaction, const NewObject& object);
    [[nodiscard]] Blob mended(Transaction& transaction, std::int64_t blob, const NewObject& object);
    /// Whether the row's key should be there, and is not: it was altered, or the slot is gone.
    [[nodiscard]] bool is_key_lost(const Statement& row, int column, const std::optional<SealKey>& key) const;
    /// Of a row's column; none where it is NULL, or where the key is lost.
    [[nodiscard]] std::optional<SealKey> key_of(const Statement& row, int column, bool starting = false) const;
    void release_blob(Transaction& transaction, std::int64_t blob);
    static void move(Transaction& transaction, const Row& row, ObjectState to);
    void put_aside(Transaction& transaction, const model::Uuid& uuid, ObjectState to, const Refusal& refusal);
    void remove(Transaction& transaction, const Row& row);
    void end_expired(Transaction& transaction, const Row& row, std::string_view why);
    void offer(Transaction& transaction, const Row& row);
    void queue(Transaction& transaction, const Row& row, std::int64_t deadline);
    void back_to_queue(Transaction& transaction, const Row& row, std::string_view who);
    void reject_one(Transaction& transaction, const Row& row, std::string_view who, std::string_view why);
    static audit::Entry entry_about(const Transaction& transaction, audit::Kind kind, const Row& row);
    void append(Transaction& transaction, const Row& row, const audit::Entry& entry) {
        audit_.append(transaction, row.lane, row.item, entry);
    }
    /// About an object that ended before it was told of: the lane and item come from the entry of its end.
    void append_late(Transaction& transaction, audit::Kind kind, const model::Uuid& uuid, std::string_view who,
                     std::string_view why);

    AuditTable& audit_;
    std::shared_ptr<ObjectFiles> files_;
    std::shared_ptr<KeySlots> keys_;
    Changes changes_;
    Doubts doubts_;
    std::int64_t next_expiry_ = std::numeric_limits<std::int64_t>::max();

    struct Statements {
        Statement insert_blob, insert_source, insert_object;
        Statement blob_by_file, blob_by_source, blob_file, other_with_blob, delete_blob, delete_source, complete, lose;
        Statement by_uuid, by_item, by_blob, by_id, by_item_uuid, expired, next_expiry;
        Statement set_state, put_aside, set_fetched, stamp, delete_object, delete_objects_from, delete_blobs_from;
        Statement item_prepared, item_queued, waiting_after;
    } s_;
};

}  // namespace lihandover::store::sqlite
