#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "audit_table.hpp"
#include "common/catalogue.hpp"
#include "common/effects.hpp"
#include "common/keyring.hpp"
#include "common/object_files.hpp"
#include "common/secret.hpp"
#include "conversations.hpp"
#include "holdings.hpp"
#include "item_table.hpp"
#include "kept_table.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/model/result.hpp"
#include "object_table.hpp"
#include "pq.hpp"
#include "register_table.hpp"
#include "repeats.hpp"
#include "resealing.hpp"
#include "transaction.hpp"

namespace lihandover::store::postgresql {

/// All that a command may change.
struct Tables {
    Tables(const Secret& secret, Keyring& keyring, std::shared_ptr<ObjectFiles> files,
           std::chrono::seconds repeat_memory)
        : audit(keyring),
          objects(audit, std::move(files), keyring),
          conversations(secret),
          repeats(repeat_memory),
          items(audit, objects, conversations, repeats, keyring),
          registers(audit, keyring),
          resealing(keyring, audit) {}

    AuditTable audit;
    ObjectTable objects;
    Conversations conversations;
    Repeats repeats;
    ItemTable items;
    RegisterTable registers;
    KeptTable kept;
    Resealing resealing;
};

/// Whether the server is one that the store can be in. The error says what an operator can do. Throws PgFailure.
[[nodiscard]] model::Status check_server(Connection& connection, bool replicated);
/// Why a store without master keys is not opened.
[[nodiscard]] model::Error needs_master_keys();

/// The writer's connection, this daemon's place among its peers, and the tables.
///
/// A daemon's row in `node` is locked by each of its transactions, which sees that the daemon still has its place: its
/// `session` is the connection's. Each transaction counts the row's `committed` up. So whatever becomes of a connection
/// during a commit, a new one can know: it takes the place, which waits for what the old one holds, and no older
/// connection commits anything after that; then `committed` says whether the last commit is there.
///
/// The row also has this daemon's lease, which each commit renews, and by which it holds its buckets of lanes. Another
/// daemon takes them only with this row locked, once the lease is over by the database's clock, and counts `term` up:
/// so a transaction that finds the term that it knows holds what it knows until it ends.
///
/// Used by one thread; throws PgFailure.
class Database {
  public:
    struct Setup {
        Connection::Settings settings;
        std::string node;  ///< this daemon's name
        std::chrono::milliseconds lease{};
        Holdings* holdings = nullptr;
        const model::Clock* clock = nullptr;
        Secret* secret = nullptr;
        Keyring* keyring = nullptr;
        Catalogue* catalogue = nullptr;
        std::shared_ptr<ObjectFiles> files;
        std::chrono::seconds repeat_memory{};
        std::atomic<std::uint64_t>* connections = nullptr;  ///< counted up with each, once it is there
    };
    explicit Database(const Setup& setup);

    /// Connects, migrates, takes this daemon's place and reads what is kept in memory, which takes some time where much
    /// waits.
    [[nodiscard]] model::Status open();
    /// The start is over: from now on nothing takes long.
    void started() { connection_.set_patience(settings_.patience); }
    /// Sees which buckets are this daemon's, after Trouble::moved.
    void look_at_holdings();
    /// Buckets that it had and has no longer, since the last call.
    [[nodiscard]] Buckets take_lost() { return std::exchange(lost_, {}); }
    [[nodiscard]] const Holdings& holdings() const { return holdings_; }
    [[nodiscard]] std::chrono::milliseconds lease() const { return lease_; }
    /// Whether a commit failed in a way that leaves it open whether it is there.
    [[nodiscard]] bool in_doubt() const { return in_doubt_; }
    /// Connects anew, and finds out. True: the commit in doubt is there, and effects() are its own. Throws while that
    /// cannot be known; where the failure is_final(), it never will be.
    [[nodiscard]] bool reopen();
    [[nodiscard]] bool connected() const { return static_cast<bool>(connection_); }
    /// Says that this daemon is gone, so that nobody waits for it.
    void leave() noexcept;

    [[nodiscard]] Transaction begin();
    void commit();
    /// Why a transaction failed, before it is rolled back: what another process has written, which took this node's
    /// place, makes statements fail in many ways.
    [[nodiscard]] PgFailure cause(const PgFailure& failure);
    void roll_back() noexcept;
    /// Keeps in memory what a commit changed there.
    void publish();

    [[nodiscard]] Tables& tables() { return tables_; }
    [[nodiscard]] Effects& effects() { return effects_; }
    [[nodiscard]] const std::vector<Counts>& counts() const { return counts_; }
    [[nodiscard]] std::int64_t waiting_bytes() const { return waiting_bytes_; }
    [[nodiscard]] std::int64_t node() const { return node_; }
    [[nodiscard]] Connection& connection() { return connection_; }

    [[nodiscard]] bool prune_due(std::chrono::seconds retention) const;
    void prune(Transaction& transaction, std::chrono::seconds retention, std::int64_t limit);
    [[nodiscard]] bool expire_due() const { return tables_.objects.expire_due(clock_.trusted()); }

  private:
    void connect();
    [[nodiscard]] model::Status take_place();
    [[nodiscard]] model::Status open_keyring();
    void load();
    void take_stock();
    void count(const Effects& effects);
    void check_place();
    void check_replicated();
    void send_commit();
    [[nodiscard]] Transaction transaction();

    Connection::Settings settings_;
    std::atomic<std::uint64_t>& connections_;
    std::string name_;
    std::string session_key_;  ///< random: this process
    const model::Clock& clock_;
    Secret& secret_;
    Keyring& keyring_;
    Catalogue& catalogue_;
    Holdings& holdings_;
    const std::chrono::milliseconds lease_;
    Tables tables_;
    Connection connection_;
    Numbers numbers_;

    std::int64_t node_ = 0;
    std::int64_t session_ = 0;
    std::int64_t term_ = 0;  ///< counted up by whoever takes buckets of this daemon
    Buckets lost_;
    std::int64_t committed_ = 0;  ///< transactions of this daemon
    AuditTable::Known known_;
    Asked place_;
    bool place_known_ = false;
    bool committing_ = false;
    bool in_doubt_ = false;

    Effects effects_;
    Effects doubtful_;
    std::vector<Counts> counts_;
    std::int64_t waiting_bytes_ = 0;
    model::Clock::SteadyTime next_letting_go_;
};

}  // namespace lihandover::store::postgresql
