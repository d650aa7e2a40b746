#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "audit_table.hpp"
#include "common/catalogue.hpp"
#include "common/directory.hpp"
#include "common/effects.hpp"
#include "common/keyring.hpp"
#include "common/secret.hpp"
#include "conversations.hpp"
#include "item_table.hpp"
#include "kept_table.hpp"
#include "key_slots.hpp"
#include "keys_proof.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/model/result.hpp"
#include "object_table.hpp"
#include "register_table.hpp"
#include "repeats.hpp"
#include "resealing.hpp"
#include "sqlite.hpp"
#include "transaction.hpp"

namespace lihandover::store::sqlite {

/// All tables, for the commands of the writer. What concerns several of them is a command (common/commands.hpp).
struct Tables {
    AuditTable audit;
    RegisterTable registers;
    Conversations conversations;
    Repeats repeats;
    ObjectTable objects;
    ItemTable items;
    KeptTable kept;
    Resealing resealing;

    Tables(const Secret& secret, std::chrono::seconds repeat_memory, std::shared_ptr<ObjectFiles> files,
           std::shared_ptr<KeySlots> keys, Keyring& keyring)
        : registers(audit, keys),
          conversations(secret),
          repeats(repeat_memory),
          objects(audit, std::move(files), keys),
          items(audit, objects, conversations, repeats, keys),
          kept(keys),
          resealing(keyring, std::move(keys), audit) {}
    Tables(const Tables&) = delete;
    Tables& operator=(const Tables&) = delete;
    Tables(Tables&&) = delete;
    Tables& operator=(Tables&&) = delete;
    ~Tables() = default;
};

/// The database as the writer changes it: its one connection, which writes and checkpoints, the tables, and what of
/// them is kept in memory. Functions throw SqlFailure when the database fails; then the transaction has to be rolled
/// back. Used by one thread.
///
/// A transaction is begin(), changes to the tables, commit() or roll_back(). effects() says afterwards what was
/// committed; the caller hands them to publish() once it has told whom it may concern.
class Database {
  public:
    struct Setup {
        const StateDirectory* directory = nullptr;
        const model::Clock* clock = nullptr;
        Secret* secret = nullptr;
        Keyring* keyring = nullptr;
        Catalogue* catalogue = nullptr;
        std::shared_ptr<ObjectFiles> files;
        std::shared_ptr<KeySlots> keys;
        std::chrono::seconds repeat_memory{};
        std::uint64_t wal_limit = 0;
    };
    explicit Database(const Setup& setup);

    /// Connects, brings the schema up to date and reads what is kept in memory.
    [[nodiscard]] model::Status open();
    /// Connects anew after a failure. No other connection to the database may be open: only then SQLite reads the log
    /// from its beginning, and copies all of it again, whatever an earlier copy was told to have reached the disk.
    /// Items that a commit left behind although it was told to have failed are in effects().queued then.
    [[nodiscard]] model::Status reopen();
    void close();

    [[nodiscard]] Transaction begin();
    void commit();
    void roll_back() noexcept;

    [[nodiscard]] Tables& tables() { return tables_; }
    [[nodiscard]] Connection& connection() { return connection_; }
    [[nodiscard]] Effects& effects() { return effects_; }
    /// Takes over the committed effects into the catalogue and forgets them.
    void publish();

    /// Whether old repeats or entries are there to be pruned; a step prunes about `limit` rows of each.
    [[nodiscard]] bool prune_due(std::chrono::seconds record_retention) const;
    void prune(Transaction& transaction, std::chrono::seconds record_retention, std::int64_t limit);
    [[nodiscard]] bool expire_due() const { return tables_.objects.expire_due(clock_.trusted()); }
    /// Whether the next transaction makes a checkpoint of the audit entries.
    [[nodiscard]] bool checkpoint_due() const { return tables_.audit.checkpoint_due(clock_.steady()); }
    /// Whether the correlation counters are to be written back with the next transaction.
    [[nodiscard]] bool flush_due() const { return tables_.conversations.flush_due(next_id_ - 1); }
    void flush();
    /// Whether entries went, so that nothing names some conversations any more; a step looks at some of them.
    [[nodiscard]] bool let_go_due() const { return entries_went_ && clock_.steady() >= next_letting_go_; }
    void let_go();
    /// Whether the file has so much more pages than it needs that some should go; a step gives back some.
    [[nodiscard]] bool give_back_due();
    void give_back();

    /// Whether something is to be sealed anew now; a step does some of it.
    [[nodiscard]] bool reseal_due() const { return tables_.resealing.due(clock_.steady()); }
    /// Overwrites slots whose content was sealed anew; whether there were any.
    bool release_replaced();
    /// Whether pages may be left over with what was there before encryption was turned on.
    [[nodiscard]] bool has_remains() const { return remains_; }
    /// Rewrites the file without them. False where more than `most` bytes of it are in use, or somebody reads it.
    bool remove_remains(std::uint64_t most);

    /// As of the last commit.
    [[nodiscard]] const std::vector<Counts>& counts() const { return counts_; }
    [[nodiscard]] std::int64_t waiting_bytes() const { return waiting_bytes_; }
    [[nodiscard]] std::uint64_t page_size() const { return page_size_; }
    /// Of the pages in use, and of the keys beside them.
    [[nodiscard]] std::uint64_t live_bytes() const { return live_pages_ * page_size_ + keys_->bytes(); }
    [[nodiscard]] std::uint64_t free_page_bytes() const { return free_pages_ * page_size_; }
    /// Frames in the write-ahead log since it began anew.
    [[nodiscard]] std::uint64_t wal_frames() const { return wal_frames_; }

    enum class Checkpoint : std::uint8_t { passive, restart, truncate };
    /// Outside transactions. False when readers stood in the way for longer than `patience`; they are short, and the
    /// writer must not stand still for one that is not.
    bool checkpoint(Checkpoint kind, std::chrono::milliseconds patience = std::chrono::milliseconds(20));

  private:
    void connect();
    void give_back_space();
    [[nodiscard]] std::uint64_t worth_giving_back() const;
    [[nodiscard]] model::Status load();
    void take_stock();
    /// Whether the keys beside the database are this one's.
    [[nodiscard]] model::Status look_at_keys();
    void bind_keys();
    void find_remains();
    void remove_remains_at_start();
    [[nodiscard]] model::Status open_keyring();
    void measure();
    /// All that waits, all entries that are kept, and all that the rows do not know of yet have this number or one
    /// above it.
    [[nodiscard]] RowId first_named();
    void let_go_of_lanes();
    void find_uses();

    const StateDirectory& directory_;
    const model::Clock& clock_;
    Secret& secret_;
    Keyring& keyring_;
    Catalogue& catalogue_;
    std::shared_ptr<KeySlots> keys_;
    std::uint64_t wal_limit_;

    // Before the tables, whose statements go first.
    Connection connection_;
    Tables tables_;
    Effects effects_;
    Statement begin_, commit_, page_count_, freelist_count_;

    std::int64_t next_id_ = 1;
    std::int64_t begun_at_id_ = 1;               ///< next_id_ when the transaction began
    bool committing_ = false;                    ///< the commit was begun, so that its transaction may be on the disk
    std::vector<std::uint32_t> doubtful_slots_;  ///< of the keys, taken by commits that may be on the disk
    /// Taken back to the queue by a commit that failed, and that may be on the disk all the same.
    std::vector<RowId> doubtful_retries_;
    std::vector<QueuedItem> doubtful_rejects_;  ///< ended by such a one
    bool opened_before_ = false;
    std::optional<KeysProof> proof_;  ///< of the keys
    bool saved_uses_ = false;         ///< in this transaction, of lanes
    bool entries_went_ = false;       ///< since conversations were looked through
    model::Clock::SteadyTime next_letting_go_ = model::Clock::SteadyTime::min();
    RowId last_known_from_ = 0;  ///< rows do not say of their use before this entry
    bool gives_back_ = false;    ///< the file can
    bool giving_back_ = false;
    std::atomic<bool> remains_ = false;  ///< for any thread

    std::vector<Counts> counts_;
    std::int64_t waiting_bytes_ = 0;
    std::uint64_t page_size_ = 4096;
    std::uint64_t live_pages_ = 0;
    std::uint64_t free_pages_ = 0;
    std::uint64_t wal_frames_ = 0;
    bool wrote_ = false;  ///< whether the last commit wrote to the log at all
    /// Up to where rows were told of, from the beginning of a reopen until one was complete.
    std::optional<RowId> last_known_;
};

}  // namespace lihandover::store::sqlite
