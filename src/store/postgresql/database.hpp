#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arrival_table.hpp"
#include "audit_table.hpp"
#include "census.hpp"
#include "common/catalogue.hpp"
#include "common/effects.hpp"
#include "common/keyring.hpp"
#include "common/object_files.hpp"
#include "common/secret.hpp"
#include "conversations.hpp"
#include "division.hpp"
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
#include "warrant_set_table.hpp"

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
          warrant_sets(audit, keyring),
          resealing(keyring, audit) {}

    AuditTable audit;
    ObjectTable objects;
    Conversations conversations;
    Repeats repeats;
    ItemTable items;
    RegisterTable registers;
    WarrantSetTable warrant_sets;
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
/// Where other daemons use the database at the same time (`shared`), each has a part of the buckets, and tells the
/// others by `arrival` what it does to lanes of theirs.
///
/// Used by one thread; throws PgFailure.
class Database {
  public:
    struct Setup {
        Connection::Settings settings;
        std::string node;  ///< this daemon's name
        std::chrono::milliseconds lease{};
        bool shared = false;  ///< other daemons may use the database at the same time
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
    /// What comes may look at all that waits, until started().
    void be_patient();
    [[nodiscard]] bool any_left_behind() { return ObjectTable::any_left_behind(connection_, node_, clock_.trusted()); }
    /// Sees which buckets are this daemon's, after Trouble::moved.
    void look_at_holdings();
    /// Buckets that it had and has no longer, since the last call.
    [[nodiscard]] Buckets take_lost() { return std::exchange(lost_, {}); }
    [[nodiscard]] const Holdings& holdings() const { return holdings_; }
    [[nodiscard]] std::chrono::milliseconds lease() const { return lease_; }

    /// What waits, and the numbers of it that are counted on from.
    [[nodiscard]] static Census::Stock stock_of(Connection& connection);
    void take_stock(const Census::Stock& stock);

    // With other daemons:

    [[nodiscard]] bool is_shared() const { return shared_; }
    /// Looks at who is there, and what they have made, outside transactions.
    void look_at_peers();
    // As of the last such look:
    [[nodiscard]] bool is_alone() const { return others_ == 0; }
    [[nodiscard]] bool is_first() const { return first_; }  ///< of those that are there, by their numbers
    [[nodiscard]] Division division() const { return divide(peers_, node_, holdings_.all()); }
    /// These buckets are this daemon's no longer, as far as it knows itself; hand_over() lets others have them.
    void give_up(const Buckets& buckets);
    void hand_over(Transaction& transaction, const Buckets& buckets) const;
    /// What waits in buckets that were taken over.
    struct Taken {
        Buckets buckets;
        std::vector<QueuedItem> queued;
        std::vector<QueuedItem> set_aside;
        std::vector<QueuedObject> uploads;
        std::vector<QueuedObject> uploads_set_aside;
    };
    /// Takes those of the buckets that can still be had, in a transaction of one_state() that does nothing else.
    void take_over(Transaction& transaction, const Buckets& buckets);
    /// Of the last commit.
    [[nodiscard]] Taken take_taken() { return std::exchange(taken_, {}); }
    /// Takes what is to be had at the start: whoever asks for what waits finds it.
    void take_first_share();
    /// Asks for what others have done to the lanes that are held, once their rows are locked.
    void ask_arrivals(std::span<const LaneId> lanes);
    void hear_arrivals();
    void hear_all_arrivals();
    [[nodiscard]] bool anything_arrived() { return ArrivalTable::any(connection_, holdings_.all()); }
    /// Called at once with what ends something: it is so, whatever becomes of the transaction that hears of it.
    void set_on_endings(std::function<void(std::span<const Arrived>)> on_endings) {
        on_endings_ = std::move(on_endings);
    }
    /// Numbers of arrivals that the last commit wrote and that end something.
    [[nodiscard]] std::vector<std::int64_t> take_endings() { return std::exchange(endings_, {}); }
    [[nodiscard]] std::vector<std::int64_t> unheard(std::span<const std::int64_t> endings) {
        return ArrivalTable::left_of(connection_, endings);
    }
    /// Whether what is sealed may be sealed anew: every daemon has the newest key. Those that are not there have to
    /// learn it before they do anything.
    [[nodiscard]] bool all_have_newest_key(const Transaction& transaction);

    /// Whether a commit failed in a way that leaves it open whether it is there.
    [[nodiscard]] bool in_doubt() const { return in_doubt_; }
    /// Connects anew, and finds out. True: the commit in doubt is there, and effects() are its own. Throws while that
    /// cannot be known; where the failure is_final(), it never will be.
    [[nodiscard]] bool reopen();
    /// After a failure that is_final(): whether a daemon of another name took the database. nullopt: no server says so.
    [[nodiscard]] std::optional<bool> was_turned_out() noexcept;
    [[nodiscard]] bool connected() const { return static_cast<bool>(connection_); }
    /// Says that this daemon is gone, so that nobody waits for it.
    void leave() noexcept;

    /// The state of the warrants that counts, as the last transaction saw it. For any thread.
    [[nodiscard]] std::uint64_t warrants() const { return warrants_.load(std::memory_order_acquire); }
    /// What others are told with the next commit. For any thread.
    void follow_warrants(std::uint64_t state) { warrants_followed_.store(state, std::memory_order_release); }

    [[nodiscard]] Transaction begin() { return begin("BEGIN"); }
    /// All of whose statements see the database as it is when it begins. What another daemon changes meanwhile of what
    /// it locks is Trouble::conflict.
    [[nodiscard]] Transaction begin_on_one_state() { return begin("BEGIN ISOLATION LEVEL REPEATABLE READ"); }
    /// The transaction has what was matched with this state of the warrants: where that is an older one than counts, it
    /// fails (Trouble::outdated).
    void matched_with(std::uint64_t state) {
        matched_with_ = std::min(matched_with_, state);
        if (place_known_ && matched_with_ < warrants()) {
            throw PgFailure(Trouble::outdated);
        }
    }
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
    struct AskedArrivals {
        Asked rows;
        Asked profiles;
    };
    void connect();
    [[nodiscard]] model::Status take_place();
    [[nodiscard]] model::Status turn_others_out();
    [[nodiscard]] Transaction begin(std::string_view statement);
    [[nodiscard]] AskedArrivals ask_arrivals(const Buckets& buckets);
    void hear(AskedArrivals asked);
    void learn_keys();
    [[nodiscard]] Buckets lock_takeable(const Buckets& wanted);
    void read_what_waits(Transaction& transaction);
    [[nodiscard]] model::Status open_keyring();
    void load();
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
    const bool shared_;
    Tables tables_;
    Connection connection_;
    Numbers numbers_;

    std::int64_t node_ = 0;
    std::int64_t session_ = 0;
    std::int64_t term_ = 0;  ///< counted up by whoever takes buckets of this daemon
    std::atomic<std::uint64_t> warrants_{0};
    std::atomic<std::uint64_t> warrants_followed_{0};
    std::uint64_t matched_with_ = UINT64_MAX;  ///< the oldest, in this transaction
    Buckets lost_;
    std::vector<Peer> peers_;
    std::size_t others_ = 0;  ///< that are there
    bool first_ = true;
    LaneId lanes_behind_ = 0;  ///< all lanes up to here are known
    LaneId lanes_seen_ = 0;    ///< and what there is of those up to here
    model::Clock::SteadyTime lanes_settled_;
    std::string keys_;  ///< as `meta` has them
    std::function<void(std::span<const Arrived>)> on_endings_;
    std::optional<AskedArrivals> arrivals_;
    std::int64_t profiles_ = -1;  ///< how many there were when all were known
    std::set<LaneId> heard_of_;   ///< in this transaction, once their rows were locked
    std::vector<std::int64_t> endings_;
    Taken taken_;
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
