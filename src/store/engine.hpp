#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalogue.hpp"
#include "conversations.hpp"
#include "directory.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/store.hpp"
#include "object_table.hpp"
#include "repeats.hpp"
#include "secret.hpp"
#include "sqlite.hpp"

namespace lihandover::store {

/// What a transaction changed beyond the disk: told and counted once it is committed, dropped when it is rolled back.
struct Effects {
    struct Change {
        std::int64_t held = 0;
        std::int64_t queued = 0;
        std::int64_t refused = 0;
        std::array<std::int64_t, object_state_names.size()> objects{};  ///< by ObjectState
    };
    std::vector<Change> counts;  ///< by destination number
    std::vector<QueuedItem> queued;
    std::vector<StoredItem> stored;  ///< those of `queued` that this process inserted
    std::vector<QueuedItem> retried;
    std::vector<QueuedItem> withdrawn;
    std::vector<QueuedItem> prepared;
    std::vector<QueuedObject> uploads;
    std::vector<model::Uuid> uploads_withdrawn;
    std::vector<std::pair<LaneId, std::uint32_t>> provided;  ///< lane and schema bit
    std::vector<Lane> lanes;
    struct NewProfile {
        ProfileId id = 0;
        std::uint32_t schema_bit = 0;
        model::Profile profile;
    };
    std::vector<NewProfile> profiles;
    std::int64_t waiting_bytes = 0;
    std::uint64_t repeats = 0;

    void clear();
    Change& of(std::uint32_t destination);
};

/// A queued item that an operator means, found by a reader beside the writer.
struct Located {
    RowId row = 0;
    model::Uuid object_id;
};

/// The tables, as the writer changes them: one connection, and what of them is kept in memory. Every function throws
/// SqlFailure when the database fails; then the transaction has to be rolled back. Used by one thread.
///
/// A transaction is begin(), changes, commit() or roll_back(). effects() says afterwards what was committed; the caller
/// hands them to publish() once it has told whom it may concern.
class Engine {
  public:
    /// What a waiting item takes beyond its share, about: its narrow row and the share's cell.
    static constexpr std::int64_t item_overhead = 96;

    Engine(const StateDirectory& directory, const model::Clock& clock, Secret& secret, Catalogue& catalogue,
           std::chrono::seconds repeat_memory, std::uint64_t wal_limit, std::shared_ptr<ObjectFiles> files);

    /// Connects, brings the schema up to date and reads what is kept in memory.
    [[nodiscard]] model::Status open();
    /// Connects anew after a failure. Items that a commit left behind although it was told to have failed are in
    /// effects().queued then.
    [[nodiscard]] model::Status reopen();
    void close();

    void begin();
    void commit();
    void roll_back() noexcept;

    // Within a transaction.
    void accepted(const Acceptance& item);
    void refused(RowId row, const Refusal& refusal);
    /// Whether there was such a refused item.
    bool retry(const model::Uuid& object_id, std::string_view who);
    /// Takes refused items of a destination from after `cursor`, looking at so many rows; sets the cursor to where it
    /// came, or nullopt at the end. Gives how many it took.
    std::size_t retry_some(std::string_view destination, std::optional<std::uint64_t> code, std::string_view who,
                           std::optional<RowId>& cursor, std::size_t limit);
    bool reject(const model::Uuid& object_id, const std::vector<Located>& located, std::string_view who,
                std::string_view why);
    /// The lane and the profile are known. Takes the share out of the item. False for a repeat, which is dropped.
    bool insert(NewItem& item);
    void filler();
    LaneId lane(std::string_view destination, std::string_view liid);
    ProfileId profile(const model::Profile& profile);
    [[nodiscard]] std::vector<StoredWarrant> warrants();
    void change_warrants(const WarrantChanges& changes);

    /// Whether old repeats or records are there to be pruned; a step prunes about `limit` rows of each.
    [[nodiscard]] bool prune_due(std::chrono::seconds record_retention) const;
    void prune(std::chrono::seconds record_retention, std::int64_t limit);
    [[nodiscard]] bool expire_due() const { return objects_.expire_due(clock_.wall()); }
    /// Whether the correlation counters are to be written back with the next transaction.
    [[nodiscard]] bool flush_due() const { return conversations_.flush_due(next_id_ - 1); }
    void flush() { conversations_.flush(next_id_ - 1); }

    [[nodiscard]] Effects& effects() { return effects_; }
    [[nodiscard]] ObjectTable& objects() { return objects_; }

    // For the parts of the engine that have tables of their own.
    [[nodiscard]] model::Instant now() const { return now_; }  ///< of the transaction
    [[nodiscard]] RowId take_id() { return next_id_++; }
    [[nodiscard]] RowId last_id() const { return next_id_ - 1; }
    [[nodiscard]] std::int64_t last_inserted() const { return sqlite3_last_insert_rowid(connection_.handle()); }
    [[nodiscard]] Statement prepare(std::string_view sql) { return connection_.prepare(sql); }
    [[nodiscard]] static bool is_emergency(std::int64_t item_flags);
    /// Writes a record about an item (`item` 0: about none); note() adds to the last one.
    void record(RecordKind kind, LaneId lane, std::span<const std::uint8_t> object_id, RowId item);
    void note(std::string_view who, std::string_view why, const Refusal* refusal = nullptr);
    void count_object(LaneId lane, ObjectState state, std::int64_t by);
    void loaded_objects(LaneId lane, ObjectState state, std::int64_t count);
    /// Takes over the committed effects into the catalogue and forgets them.
    void publish();

    /// Whether the last commit wrote to the log at all.
    [[nodiscard]] bool wrote() const { return wrote_; }
    /// As of the last commit.
    [[nodiscard]] const std::vector<Effects::Change>& counts() const { return counts_; }
    [[nodiscard]] std::int64_t waiting_bytes() const { return waiting_bytes_; }
    [[nodiscard]] std::uint64_t page_size() const { return page_size_; }
    [[nodiscard]] std::uint64_t live_bytes() const { return live_pages_ * page_size_; }
    [[nodiscard]] std::uint64_t free_page_bytes() const { return free_pages_ * page_size_; }
    /// Frames in the write-ahead log since it began anew.
    [[nodiscard]] std::uint64_t wal_frames() const { return wal_frames_; }

    enum class Checkpoint : std::uint8_t { passive, restart, truncate };
    /// Outside transactions. False when readers stood in the way.
    bool checkpoint(Checkpoint kind);

  private:
    void connect();
    [[nodiscard]] model::Status load();
    void load_catalogue();
    void load_counts();
    void measure();

    struct Waiting {
        RowId row = 0;
        ItemState state = ItemState::queued;
        LaneId lane = 0;
        std::int64_t flags = 0;
        std::int64_t size = 0;
        model::Uuid object_id;
        std::optional<Refusal> refusal;
    };
    [[nodiscard]] std::optional<Waiting> find_queued(RowId row);
    [[nodiscard]] std::optional<Waiting> find_aside(RowId row);
    [[nodiscard]] std::optional<RowId> find_aside(const model::Uuid& object_id);
    void erase(const Waiting& waiting);
    void back_to_queue(const Waiting& waiting, std::string_view who);
    void count(const Waiting& waiting, ItemState state, std::int64_t by);
    [[nodiscard]] std::int64_t schema_number(std::string_view identifier);

    const StateDirectory& directory_;
    const model::Clock& clock_;
    Secret& secret_;
    Catalogue& catalogue_;
    std::uint64_t wal_limit_;

    // Before the statements, so that these go first.
    Connection connection_;
    Conversations conversations_;
    Repeats repeats_;
    ObjectTable objects_;
    Effects effects_;

    model::Instant now_;            ///< of the transaction
    std::int64_t next_id_ = 1;      ///< of rows and records, which share one sequence
    std::int64_t begun_at_id_ = 1;  ///< next_id_ when the transaction began
    std::int64_t oldest_record_at_ = 0;
    bool opened_before_ = false;

    std::vector<Effects::Change> counts_;
    std::int64_t waiting_bytes_ = 0;
    std::uint64_t page_size_ = 4096;
    std::uint64_t live_pages_ = 0;
    std::uint64_t free_pages_ = 0;
    std::uint64_t wal_frames_ = 0;
    bool wrote_ = false;
    /// Up to where rows were told of, from the beginning of a reopen until one was complete.
    std::optional<RowId> last_known_;

    struct Statements {
        Statement begin, commit, page_count, freelist_count;
        Statement insert_item, insert_share, insert_made, insert_record, insert_note, update_filler;
        Statement find_item, delete_item, delete_share, find_aside, delete_aside, was_delivered, provide;
        Statement put_aside, take_back, aside_by_object, refused_after, objects_after;
        Statement find_lane, insert_lane;
        Statement first_records, delete_records, delete_notes;
    } statements_;
};

}  // namespace lihandover::store
