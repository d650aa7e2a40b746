#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "lihandover/store/store.hpp"
#include "object_files.hpp"
#include "sqlite.hpp"

namespace lihandover::store {

class Engine;
struct Effects;

// How the table `object` packs them.
inline constexpr std::int64_t object_flag_emergency = 1;
inline constexpr std::int64_t object_flag_model_b = 2;
inline constexpr std::int64_t object_flag_remove_when_fetched = 4;
inline constexpr std::int64_t object_flag_fetched = 8;  ///< whole, before its item was accepted

/// State of a row of `blob`: the bytes that one or more objects have.
enum class BlobState : std::uint8_t {
    ready,      ///< a sealed file
    preparing,  ///< still to be copied from the file that the source named
    lost,       ///< that cannot be done
};

/// The tables of binary objects and the files that go with them, a part of the engine: every function belongs to its
/// transaction, throws SqlFailure as it does, and uses its numbers, records and effects.
class ObjectTable {
  public:
    ObjectTable(Engine& engine, std::shared_ptr<ObjectFiles> files);
    ~ObjectTable();
    ObjectTable(const ObjectTable&) = delete;
    ObjectTable& operator=(const ObjectTable&) = delete;
    ObjectTable(ObjectTable&&) = delete;
    ObjectTable& operator=(ObjectTable&&) = delete;

    void open(Connection& connection);
    void close();

    /// Whether each object of the item has its bytes from exactly one place, and from here.
    [[nodiscard]] bool takes(const NewItem& item) const;

    void insert(RowId item, const NewItem& made);
    /// Writes as many pages as so many objects of an item do, and leaves no row.
    void filler(std::size_t objects);
    void item_accepted(RowId item);
    void item_rejected(RowId item, std::string_view who, std::string_view why);

    void prepared(const model::Uuid& source, const std::shared_ptr<const SealedObject>& copy, model::ObjectLoss loss);
    void stamp(RowId item, model::Instant expiry);
    void pushed(const model::Uuid& uuid);
    void refused(const model::Uuid& uuid, const Refusal& refusal);
    void fetched(const Fetch& fetch);
    /// By the object's own id or that of its item; whether any was found.
    bool retry(const model::Uuid& id, std::string_view who);
    /// One object by row, for retries in bulk.
    void retry(RowId id, std::string_view who);
    bool reject(const model::Uuid& id, std::string_view who, std::string_view why);

    /// Whether objects of model A have expired; a step ends up to `limit` of them.
    [[nodiscard]] bool expire_due(model::Instant now) const { return next_expiry_ <= now.micros(); }
    void expire(std::int64_t limit);

    [[nodiscard]] std::vector<std::shared_ptr<const SourceFile>> pending_files();
    [[nodiscard]] bool names_file(const model::Uuid& file);
    /// The files that rows name.
    struct Named {
        std::uint64_t files = 0;
        std::uint64_t bytes = 0;  ///< sealed
    };
    [[nodiscard]] Named files_named();

    /// After the engine's commit, or its failure. A failed commit may be on the disk all the same: until the next one
    /// that succeeds and writes, or until the database was opened anew and looked at, no file of it is removed.
    void committed();
    void rolled_back() noexcept;
    void resolve_doubts();

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
        std::set<model::Uuid> uploads;  ///< objects
        std::set<RowId> prepared;       ///< items
    };

    [[nodiscard]] static std::vector<Row> rows_of(Statement& statement);
    [[nodiscard]] std::optional<Row> find(const model::Uuid& uuid);
    /// Waiting by themselves, by own id or that of the item.
    [[nodiscard]] std::vector<Row> find_waiting(const model::Uuid& id);
    [[nodiscard]] std::int64_t blob_of(const NewObject& object);
    void release_file(std::int64_t blob);
    void count(LaneId lane, ObjectState state, std::int64_t by);
    void remove(const Row& row);
    void end_expired(const Row& row, std::string_view why);
    void offer(const Row& row);
    void queue(const Row& row, std::int64_t deadline);
    void back_to_queue(const Row& row, std::string_view who);
    void reject_one(const Row& row, std::string_view who, std::string_view why);
    void record(RecordKind kind, const Row& row);
    /// For an object that ended before it was told of: the lane and item come from the record of its end.
    void record_late(RecordKind kind, const model::Uuid& uuid);

    Engine& engine_;
    std::shared_ptr<ObjectFiles> files_;
    Changes changes_;
    Doubts doubts_;
    std::int64_t next_expiry_ = std::numeric_limits<std::int64_t>::max();

    struct Statements {
        Statement insert_blob, insert_source, insert_object;
        Statement blob_by_file, blob_by_source, blob_file, other_with_blob, delete_blob, delete_source, complete, lose;
        Statement by_uuid, by_item, by_blob, by_id, by_item_uuid, expired, next_expiry;
        Statement set_state, set_refused, set_fetched, stamp, delete_object, delete_objects_from, delete_blobs_from;
        Statement item_prepared, ended;
    } s_;
};

}  // namespace lihandover::store
