#include "database.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <utility>

#include "columns.hpp"
#include "lihandover/base/invariant.hpp"
#include "outbox_reads.hpp"
#include "schema.hpp"

namespace lihandover::store::postgresql {

namespace {

/// Of what goes through all that waits: seconds for millions of rows, on a disk that is not too slow.
constexpr auto patience_with_all_rows = std::chrono::minutes(10);
constexpr auto between_lettings_go = std::chrono::minutes(10);
constexpr std::int64_t let_go_at_once = 1000;

constexpr const char* standby_names = "SELECT current_setting('synchronous_standby_names')";

std::string random_bytes(std::size_t count) {
    std::string bytes(count, '\0');
    model::random_bytes(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size());
    return bytes;
}

}  // namespace

Database::Database(const Setup& setup)
    : settings_(setup.settings),
      connections_(*setup.connections),
      name_(setup.node),
      session_key_(random_bytes(16)),
      clock_(*setup.clock),
      secret_(*setup.secret),
      keyring_(*setup.keyring),
      catalogue_(*setup.catalogue),
      holdings_(*setup.holdings),
      lease_(setup.lease),
      shared_(setup.shared),
      tables_(*setup.secret, *setup.keyring, setup.files, setup.repeat_memory) {}

void Database::connect() {
    connection_ = Connection();
    connection_ = Connection(settings_);
    ++connections_;
}

model::Status Database::open() {
    connect();
    if (auto good = check_server(connection_, settings_.replicated); !good) {
        return good;
    }
    connection_.set_patience(patience_with_all_rows);
    if (auto migrated = migrate(connection_); !migrated) {
        return migrated;
    }
    connection_.set_patience(settings_.patience);
    if (auto opened = open_keyring(); !opened) {
        return opened;
    }
    if (auto taken = take_place(); !taken) {
        return taken;
    }
    check_replicated();
    connection_.set_patience(patience_with_all_rows);
    tables_.registers.load(connection_, catalogue_);
    if (shared_) {
        look_at_peers();
    }
    if (is_alone()) {
        ItemTable::nothing_more_at_start(connection_);
    }
    load();
    take_stock(stock_of(connection_));
    return {};
}

void Database::be_patient() {
    connection_.set_patience(patience_with_all_rows);
}

model::Status check_server(Connection& connection, bool replicated) {
    const Rows server = connection.read(
        "SELECT current_setting('server_version_num')::bigint, current_setting('fsync'), "
        "current_setting('full_page_writes'), current_setting('synchronous_standby_names'), (SELECT count(*) FROM "
        "pg_stat_replication WHERE sync_state IN ('sync', 'quorum'))");
    if (server.integer(0, 0) < 150000) {
        return model::Error{"the database is PostgreSQL " + std::to_string(server.integer(0, 0) / 10000) +
                            ": 15 or newer is needed"};
    }
    if (server.bytes(0, 1) != "on" || server.bytes(0, 2) != "on") {
        spdlog::critical(
            "store: the database runs with fsync or full_page_writes off: what was answered can be lost with a crash "
            "of "
            "its machine");
    }
    if (!replicated) {
        return {};
    }
    if (server.bytes(0, 3).empty()) {
        return model::Error{
            "store.postgresql.durability is replicated, and the database has no synchronous standby "
            "(synchronous_standby_names is empty): set one up, or set durability to local"};
    }
    if (server.integer(0, 4) == 0) {
        return model::Error{
            "store.postgresql.durability is replicated, and no synchronous standby is connected to the database, or "
            "the role cannot see it: grant it pg_read_all_stats, see to the standby, or set durability to local"};
    }
    return {};
}

model::Error needs_master_keys() {
    return {
        "store.engine is postgresql, which needs encryption.key_files: the database's log, standbys and backups keep "
        "what was deleted"};
}

model::Status Database::open_keyring() {
    if (!keyring_.has_master_keys()) {
        return needs_master_keys();
    }
    const auto meta = [this](std::string_view name) {
        const Rows rows = connection_.read("SELECT value FROM meta WHERE name=$1", Parameters().add_text(name));
        return rows.empty() ? std::nullopt : std::optional(std::string(rows.bytes(0, 0)));
    };
    const auto put = [this](std::string_view name, std::string_view value) {
        connection_.write("INSERT INTO meta(name, value) VALUES($1, $2)", Parameters().add_text(name).add(value));
    };
    connection_.write("BEGIN");
    connection_.write("LOCK TABLE meta IN SHARE ROW EXCLUSIVE MODE");
    auto store = meta("store");
    if (!store) {
        store = random_bytes(std::tuple_size_v<audit::Hash>);
        put("store", *store);
    }
    const auto stored_keys = meta("encryption");
    if (auto known = keyring_.load(hash_of(*store), stored_keys); !known) {
        return known;
    }
    if (!stored_keys) {
        put("encryption", keyring_.turn_on(false));
    }
    auto secret = meta("secret");
    if (!secret) {
        secret = keyring_.seal("meta.secret", row_name(std::int64_t{1}), random_bytes(Secret::size));
        put("secret", *secret);
    }
    connection_.write("COMMIT");
    connection_.flush();
    keyring_.committed();
    keys_ = connection_.read("SELECT value FROM meta WHERE name='encryption'").bytes(0, 0);
    auto opened = keyring_.unseal("meta.secret", row_name(std::int64_t{1}), *secret);
    const bool set = opened && secret_.set(*opened);
    if (opened) {
        wipe(*opened);
    }
    return set ? model::Status() : model::Error{"the store's key for its hashes cannot be opened: restore a backup"};
}

model::Status Database::take_place() {
    connection_.write("BEGIN");
    if (!shared_) {
        if (auto out = turn_others_out(); !out) {
            return out;
        }
    }
    const std::string beginning = random_bytes(std::tuple_size_v<audit::Hash>);
    // Whoever changes it meanwhile waits for this row to be there.
    const Rows state = connection_.read("SELECT state FROM warrant_set FOR SHARE");
    connection_.write(
        "INSERT INTO node(name, session, session_key, committed, seen, beginning, number, hash, record, warrants) "
        "VALUES($1, 0, $2, 0, clock_timestamp(), $3, 0, $3, 0, $4) ON CONFLICT (name) DO NOTHING",
        Parameters().add_text(name_).add(session_key_).add(beginning).add(state.integer(0, 0)));
    connection_.write(
        "INSERT INTO chain_checkpoint(node, number, record, hash, at, nanos, name) SELECT id, 0, 0, beginning, "
        "-9223372036854775808, 0, '' FROM node WHERE name=$1 AND beginning=$2",
        Parameters().add_text(name_).add(beginning));
    const auto before = clock_.steady();
    const Rows taken = connection_.read(
        "UPDATE node SET session=session+1, session_key=$2, generation=$4, seen=clock_timestamp(), "
        "lease_until=clock_timestamp() + ($3::bigint)::float8 * interval '1 ms' WHERE name=$1 RETURNING id, session, "
        "committed, beginning, number, hash, record, term",
        Parameters().add_text(name_).add(session_key_).add(lease_.count()).add(std::int64_t{keyring_.generation()}));
    if (!shared_) {
        connection_.write("UPDATE bucket SET owner=$1, epoch=epoch+1", Parameters().add(taken.integer(0, 0)));
    }
    connection_.write("COMMIT");
    static_cast<void>(connection_.take_warned());
    connection_.flush();
    if (connection_.take_warned()) {
        throw PgFailure(Trouble::unreachable, "a commit was not waited for");
    }
    node_ = taken.integer(0, 0);
    session_ = taken.integer(0, 1);
    committed_ = taken.integer(0, 2);
    known_ = {hash_of(taken.bytes(0, 3)),
              {static_cast<std::uint64_t>(taken.integer(0, 4)), hash_of(taken.bytes(0, 5))},
              taken.integer(0, 6)};
    term_ = taken.integer(0, 7);
    holdings_.set(shared_ ? Buckets() : Buckets().set());
    holdings_.renew(before + lease_ / 2);
    return {};
}

model::Status Database::turn_others_out() {
    // One after the other, and whoever had the database before has it no longer: one that stood still for so long that
    // it seemed gone would go on with warrants of its own.
    connection_.write("LOCK TABLE node IN SHARE ROW EXCLUSIVE MODE");
    // One of an earlier version says by `seen` alone that it is there.
    const Rows others = connection_.read(
        "SELECT name FROM node WHERE name <> $1 AND coalesce(lease_until, seen + interval '30 s') > clock_timestamp() "
        "ORDER BY name LIMIT 1",
        Parameters().add_text(name_));
    if (!others.empty()) {
        return model::Error{"the daemon of the node " + std::string(others.bytes(0, 0)) +
                            " uses the database: several daemons at once are not supported yet. One that was killed "
                            "counts until its lease is over (store.postgresql.lease)"};
    }
    connection_.write("UPDATE node SET session=session+1, session_key='', term=term+1 WHERE name <> $1",
                      Parameters().add_text(name_));
    return {};
}

bool Database::reopen() try {
    connect();
    const auto before = clock_.steady();
    const Rows taken = connection_.read(
        "UPDATE node SET session=session+1, seen=clock_timestamp(), lease_until=clock_timestamp() + "
        "($3::bigint)::float8 * interval '1 "
        "ms' WHERE id=$1 AND session_key=$2 RETURNING session, committed, number, hash, record",
        Parameters().add(node_).add(session_key_).add(lease_.count()));
    if (connection_.take_warned()) {
        // Nobody waited for a standby: what is here may be nowhere else.
        throw PgFailure(Trouble::unreachable, "a commit was not waited for");
    }
    if (taken.empty()) {
        throw PgFailure(Trouble::fenced);
    }
    check_replicated();
    session_ = taken.integer(0, 0);
    look_at_holdings();
    const std::int64_t committed = taken.integer(0, 1);
    const bool is_there = in_doubt_ && committed == committed_ + 1;
    const audit::Head head = tables_.audit.committed_head();
    known_.head = {static_cast<std::uint64_t>(taken.integer(0, 2)), hash_of(taken.bytes(0, 3))};
    known_.record = taken.integer(0, 4);
    if (!is_there && (committed != committed_ || known_.head.number != head.number || known_.head.hash != head.hash)) {
        // Lanes, warrants, queues: all that is in memory is of the state that is lost.
        throw PgFailure(Trouble::replaced, "it ends with audit entry " + std::to_string(known_.head.number) +
                                               " of this daemon, and entry " + std::to_string(head.number) +
                                               " was there");
    }
    const Rows keys = connection_.read(
        "SELECT (SELECT value FROM meta WHERE name='store'), (SELECT value FROM meta WHERE name='encryption')");
    if (auto loaded = keyring_.load(hash_of(keys.bytes(0, 0)), keys.bytes(0, 1)); !loaded) {
        throw PgFailure(Trouble::damaged, loaded.error().message);
    }
    keys_ = keys.bytes(0, 1);
    load();
    tables_.objects.resolve_doubts(connection_);
    // Not before all of that worked: else the next attempt would no longer know what to look for.
    committed_ = committed;
    in_doubt_ = false;
    effects_ = is_there ? std::exchange(doubtful_, {}) : Effects();
    count(effects_);
    doubtful_ = {};
    holdings_.renew(before + lease_ / 2);
    return is_there;
} catch (const PgFailure&) {
    // What has not all been found out is found out with the next connection.
    connection_ = Connection();
    throw;
}

std::optional<bool> Database::was_turned_out() noexcept {
    try {
        if (!connection_) {
            connect();
        }
        const Rows row = connection_.read("SELECT session_key='' FROM node WHERE id=$1", Parameters().add(node_));
        return !row.empty() && row.boolean(0, 0);
    } catch (const PgFailure&) {
        connection_ = Connection();
        return std::nullopt;
    }
}

void Database::look_at_holdings() {
    // In one statement, which sees both as they are at one moment.
    const Rows rows = connection_.read(
        "SELECT n.term, b.id FROM node n LEFT JOIN bucket b ON b.owner=n.id WHERE n.id=$1 AND n.session=$2",
        Parameters().add(node_).add(session_));
    if (rows.empty()) {
        throw PgFailure(Trouble::fenced);
    }
    term_ = rows.integer(0, 0);
    Buckets held;
    for (int row = 0; row < rows.size() && !rows.is_null(row, 1); ++row) {
        held.set(static_cast<std::size_t>(rows.integer(row, 1)) % bucket_count);
    }
    lost_ |= holdings_.all() & ~held;
    holdings_.set(holdings_.all() & held);
    if (shared_) {
        learn_keys();
    }
}

// -- With other daemons

void Database::look_at_peers() {
    constexpr std::chrono::seconds settling{60};
    Asked rows_of = connection_.ask(
        "SELECT n.id, coalesce(n.lease_until, n.seen + interval '30 s') > clock_timestamp(), b.id FROM node n LEFT "
        "JOIN bucket b ON b.owner=n.id ORDER BY n.id");
    const LaneId newest = RegisterTable::learn(connection_, catalogue_, keyring_, lanes_behind_);
    // Numbers are drawn before the rows that have them can be seen: one may still come that is below others.
    if (clock_.steady() >= lanes_settled_ + settling) {
        lanes_behind_ = lanes_seen_;
        lanes_seen_ = newest;
        lanes_settled_ = clock_.steady();
    }
    tables_.repeats.learn(connection_);
    learn_keys();
    const Rows rows = connection_.answer(rows_of);
    peers_.clear();
    others_ = 0;
    first_ = true;
    for (int row = 0; row < rows.size(); ++row) {
        if (peers_.empty() || peers_.back().id != rows.integer(row, 0)) {
            peers_.push_back({rows.integer(row, 0), rows.boolean(row, 1), {}});
            const bool other = peers_.back().live && peers_.back().id != node_;
            others_ += other ? 1 : 0;
            first_ = first_ && !(other && peers_.back().id < node_);
        }
        if (!rows.is_null(row, 2)) {
            peers_.back().held.set(static_cast<std::size_t>(rows.integer(row, 2)) % bucket_count);
        }
    }
}

void Database::learn_keys() {
    const Rows keys = connection_.read(
        "SELECT (SELECT value FROM meta WHERE name='store'), (SELECT value FROM meta WHERE name='encryption')");
    if (keys.bytes(0, 1) == keys_) {
        return;
    }
    if (auto loaded = keyring_.load(hash_of(keys.bytes(0, 0)), keys.bytes(0, 1)); !loaded) {
        throw PgFailure(Trouble::failing, loaded.error().message);
    }
    keys_ = keys.bytes(0, 1);
    tables_.resealing.opened();
}

bool Database::all_have_newest_key(const Transaction& transaction) {
    const Parameters newest = Parameters().add(std::int64_t{transaction.keyring.generation()});
    const Rows behind = connection_.read("SELECT id FROM node WHERE generation <> $1", newest);
    if (behind.empty()) {
        return true;
    }
    // One that is not there, and comes back, finds another term, and looks for what else is new before it goes on.
    const Rows gone = connection_.read(
        "UPDATE node SET term=term+1, generation=$1 WHERE id IN (SELECT id FROM node WHERE generation <> $1 AND "
        "coalesce(lease_until, seen + interval '30 s') <= clock_timestamp() FOR NO KEY UPDATE SKIP LOCKED) RETURNING "
        "id",
        newest);
    return gone.size() == behind.size();
}

void Database::give_up(const Buckets& buckets) {
    lost_ |= holdings_.all() & buckets;
    holdings_.set(holdings_.all() & ~buckets);
}

void Database::hand_over(Transaction& transaction, const Buckets& buckets) const {
    transaction.connection.write("UPDATE bucket SET owner=NULL, epoch=epoch+1 WHERE id=ANY($1) AND owner=$2",
                                 Parameters().add(numbers_of(buckets)).add(node_));
}

Buckets Database::lock_takeable(const Buckets& wanted) {
    const Rows rows = connection_.read("SELECT id, owner FROM bucket WHERE id=ANY($1) ORDER BY id FOR UPDATE",
                                       Parameters().add(numbers_of(wanted)));
    std::vector<std::int64_t> owners;
    for (int row = 0; row < rows.size(); ++row) {
        if (!rows.is_null(row, 1) && rows.integer(row, 1) != node_) {
            owners.push_back(rows.integer(row, 1));
        }
    }
    std::set<std::int64_t> gone;
    if (!owners.empty()) {
        // What is locked is in the middle of a transaction, and there. From here on the others commit nothing that they
        // do not look at anew.
        const Rows locked = connection_.read(
            "SELECT id FROM node WHERE id=ANY($1) AND coalesce(lease_until, seen + interval '30 s') <= "
            "clock_timestamp() ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
            Parameters().add(owners));
        for (int row = 0; row < locked.size(); ++row) {
            gone.insert(locked.integer(row, 0));
        }
        connection_.write("UPDATE node SET term=term+1 WHERE id=ANY($1)",
                          Parameters().add(std::vector<std::int64_t>(gone.begin(), gone.end())));
    }
    Buckets takeable;
    for (int row = 0; row < rows.size(); ++row) {
        if (rows.is_null(row, 1) || rows.integer(row, 1) == node_ || gone.contains(rows.integer(row, 1))) {
            takeable.set(static_cast<std::size_t>(rows.integer(row, 0)) % bucket_count);
        }
    }
    return takeable;
}

void Database::take_over(Transaction& transaction, const Buckets& buckets) {
    check_place();
    taken_.buckets = lock_takeable(buckets);
    if (taken_.buckets.none()) {
        return;
    }
    const Parameters taken = Parameters().add(numbers_of(taken_.buckets));
    connection_.write("UPDATE bucket SET owner=$2, epoch=epoch+1 WHERE id=ANY($1)",
                      Parameters().add(numbers_of(taken_.buckets)).add(node_));
    // What they tell of is seen below. What commits from now on is seen neither here nor there, and told later.
    connection_.write("DELETE FROM arrival WHERE bucket=ANY($1)", taken);
    read_what_waits(transaction);
}

void Database::read_what_waits(Transaction& transaction) {
    const std::vector<std::int64_t> buckets = numbers_of(taken_.buckets);
    taken_.queued = waiting_items(connection_, buckets, false);
    taken_.set_aside = waiting_items(connection_, buckets, true);
    taken_.uploads = waiting_objects(connection_, buckets, ObjectState::queued);
    taken_.uploads_set_aside = waiting_objects(connection_, buckets, ObjectState::set_aside);
    std::set<LaneId> lanes;
    for (const auto* items : {&taken_.queued, &taken_.set_aside}) {
        for (const QueuedItem& item : *items) {
            lanes.insert(item.lane);
        }
    }
    for (const auto* objects : {&taken_.uploads, &taken_.uploads_set_aside}) {
        for (const QueuedObject& object : *objects) {
            lanes.insert(object.lane);
        }
    }
    RegisterTable::learn_lanes(connection_, transaction.catalogue, keyring_,
                               std::vector<LaneId>(lanes.begin(), lanes.end()));
    static_cast<void>(RegisterTable::learn(connection_, transaction.catalogue, keyring_, lanes_behind_));
    tables_.items.learn_withholding(connection_);
    tables_.objects.look_for_expired();
}

void Database::take_first_share() {
    try {
        const Buckets wanted = division().take;
        if (wanted.any()) {
            Transaction in = begin_on_one_state();
            take_over(in, wanted);
            commit();
        }
    } catch (const PgFailure& failure) {
        roll_back();
        // Another daemon was quicker: the next look finds what is left.
        if (failure.trouble() != Trouble::conflict) {
            throw;
        }
    }
    taken_ = {};
    effects_.clear();
}

Database::AskedArrivals Database::ask_arrivals(const Buckets& buckets) {
    AskedArrivals asked;
    asked.rows = ArrivalTable::ask(connection_, buckets);
    // Whoever tells of an item has made its profile before.
    asked.profiles = connection_.ask("SELECT count(*) FROM profile");
    return asked;
}

void Database::ask_arrivals(std::span<const LaneId> lanes) {
    Buckets buckets;
    for (const LaneId lane : lanes) {
        if (holdings_.has(lane)) {
            heard_of_.insert(lane);
            buckets.set(bucket_of(lane));
        }
    }
    if (buckets.any()) {
        arrivals_ = ask_arrivals(buckets);
    }
}

void Database::hear_arrivals() {
    if (auto asked = std::exchange(arrivals_, std::nullopt)) {
        hear(std::move(*asked));
    }
    // What this transaction queues comes behind what others have queued in the same lane.
    Buckets more;
    for (const QueuedItem& item : effects_.queued) {
        if (holdings_.has(item.lane) && heard_of_.insert(item.lane).second) {
            more.set(bucket_of(item.lane));
        }
    }
    if (more.any()) {
        hear(ask_arrivals(more));
    }
}

void Database::hear_all_arrivals() {
    hear(ask_arrivals(holdings_.all()));
}

void Database::hear(AskedArrivals asked) {
    using Kind = Arrived::Kind;
    check_place();
    std::vector<Arrived> arrived = ArrivalTable::answer(connection_, asked.rows);
    const std::int64_t profiles = connection_.answer(asked.profiles).integer(0, 0);
    if (arrived.empty()) {
        return;
    }
    if (profiles != profiles_) {
        RegisterTable::learn_profiles(connection_, catalogue_);
        profiles_ = profiles;
    }
    std::vector<LaneId> lanes;
    bool withholding = false;
    for (const Arrived& one : arrived) {
        lanes.push_back(one.item.lane);
        withholding = withholding || one.kind == Kind::withholding || one.kind == Kind::lane_withdrawn;
    }
    RegisterTable::learn_lanes(connection_, catalogue_, keyring_, lanes);
    if (withholding) {
        tables_.items.learn_withholding(connection_);
    }
    std::vector<Arrived> endings = ArrivalTable::endings_of(arrived);
    if (on_endings_ && !endings.empty()) {
        on_endings_(endings);
    }
    ArrivalTable::leave_out_ended(arrived);
    tables_.items.leave_out_withheld(arrived);
    effects_.arrived.insert(effects_.arrived.end(), arrived.begin(), arrived.end());
}

void Database::load() {
    tables_.audit.open(connection_, node_, known_);
    tables_.items.open(connection_);
    tables_.resealing.opened();
    tables_.repeats.open(connection_);
}

Census::Stock Database::stock_of(Connection& connection) {
    Census::Stock stock;
    ItemTable::take_stock(connection, [&](LaneId lane, ItemState state, std::int64_t count, std::int64_t bytes) {
        stock.items.push_back({lane, state, count, bytes});
    });
    ObjectTable::take_stock(connection, [&](LaneId lane, ObjectState state, std::int64_t count) {
        stock.objects.push_back({lane, state, count});
    });
    return stock;
}

void Database::take_stock(const Census::Stock& stock) {
    std::set<LaneId> lanes;
    for (const Census::Items& some : stock.items) {
        lanes.insert(some.lane);
    }
    for (const Census::Objects& some : stock.objects) {
        lanes.insert(some.lane);
    }
    if (shared_) {
        RegisterTable::learn_lanes(connection_, catalogue_, keyring_, std::vector<LaneId>(lanes.begin(), lanes.end()));
    }
    counts_.assign(catalogue_.destinations().size(), {});
    waiting_bytes_ = 0;
    const auto counts_of = [this](LaneId lane) -> Counts& {
        const auto* facts = catalogue_.lane_facts(lane);
        if (facts == nullptr) {
            throw PgFailure(Trouble::damaged);
        }
        counts_.resize(std::max<std::size_t>(counts_.size(), facts->destination + 1));
        return counts_[facts->destination];
    };
    for (const Census::Items& some : stock.items) {
        counts_of(some.lane).of(some.state) += some.count;
        waiting_bytes_ += some.bytes;
    }
    for (const Census::Objects& some : stock.objects) {
        counts_of(some.lane).of(some.state) += some.count;
    }
}

void Database::leave() noexcept {
    try {
        if (connection_) {
            // In one statement: whoever sees that this daemon has left finds its buckets free.
            connection_.write(
                "WITH me AS (UPDATE node SET seen='epoch', lease_until='epoch' WHERE id=$1 AND session=$2 RETURNING "
                "id) UPDATE bucket SET owner=NULL, epoch=epoch+1 WHERE owner IN (SELECT id FROM me)",
                Parameters().add(node_).add(session_));
            connection_.flush();
        }
    } catch (const PgFailure&) {
        // It counts as there until its lease is over.
        connection_ = Connection();
    }
}

Transaction Database::transaction() {
    return {connection_, catalogue_,    effects_,         numbers_,        keyring_, holdings_,
            node_,       clock_.wall(), clock_.trusted(), clock_.passed(), shared_};
}

Transaction Database::begin(std::string_view statement) {
    LIHANDOVER_INVARIANT(!in_doubt_, "what became of a commit is known before the next");
    effects_.clear();
    numbers_.drop();
    tables_.items.clear();
    tables_.conversations.clear();
    committing_ = false;
    arrivals_.reset();
    heard_of_.clear();
    endings_.clear();
    taken_ = {};
    matched_with_ = UINT64_MAX;
    connection_.write(statement);
    place_ = connection_.ask(
        "SELECT number, current_setting('synchronous_standby_names'), term, warrants FROM node WHERE id=$1 AND "
        "session=$2 FOR NO KEY UPDATE",
        Parameters().add(node_).add(session_));
    place_known_ = false;
    Transaction in = transaction();
    tables_.audit.begin(in, clock_.steady());
    return in;
}

void Database::check_place() {
    if (std::exchange(place_known_, true)) {
        return;
    }
    const Rows place = connection_.answer(place_);
    if (place.empty()) {
        throw PgFailure(Trouble::fenced);
    }
    if (static_cast<std::uint64_t>(place.integer(0, 0)) != tables_.audit.committed_head().number) {
        throw PgFailure(Trouble::damaged, "this daemon's row was changed by somebody else");
    }
    if (place.integer(0, 2) != term_) {
        throw PgFailure(Trouble::moved);
    }
    // Known before this commit says that it is: doors that make no submissions ask.
    warrants_.store(static_cast<std::uint64_t>(place.integer(0, 3)), std::memory_order_release);
    if (matched_with_ < warrants()) {
        throw PgFailure(Trouble::outdated);
    }
    // Whoever looks after the database may let it go on without standbys.
    if (settings_.replicated && place.bytes(0, 1).empty()) {
        throw PgFailure(Trouble::unreplicated);
    }
}

/// After a commit. The server lets those that wait for a standby go once it is to have none, and warns of nothing.
void Database::check_replicated() {
    if (settings_.replicated && connection_.read(standby_names).bytes(0, 0).empty()) {
        throw PgFailure(Trouble::unreplicated);
    }
}

void Database::commit() {
    check_place();
    if (shared_) {
        hear_arrivals();
        endings_ = ArrivalTable::write(connection_, effects_, holdings_.all());
    }
    tables_.items.flush(connection_);
    tables_.repeats.flush(connection_);
    tables_.conversations.flush(connection_, clock_.trusted().seconds);
    tables_.audit.flush(connection_);
    const audit::Head& head = tables_.audit.head();
    const auto before = clock_.steady();
    connection_.write(
        "UPDATE node SET committed=$2, number=$3, hash=$4, record=$5, generation=$7, seen=clock_timestamp(), "
        "lease_until=clock_timestamp() + ($6::bigint)::float8 * interval '1 ms', warrants_known=$8, "
        "warrants_followed=$9 WHERE id=$1",
        Parameters()
            .add(node_)
            .add(committed_ + 1)
            .add(static_cast<std::int64_t>(head.number))
            .add(text_of(head.hash))
            .add(tables_.audit.head_record())
            .add(lease_.count())
            .add(std::int64_t{keyring_.generation()})
            .add(static_cast<std::int64_t>(warrants()))
            .add(static_cast<std::int64_t>(warrants_followed_.load(std::memory_order_acquire))));
    static_cast<void>(connection_.take_warned());
    committing_ = true;
    send_commit();
    committing_ = false;
    if (taken_.buckets.any()) {
        holdings_.set(holdings_.all() | taken_.buckets);
    }
    holdings_.renew(before + lease_ / 2);
    ++committed_;
    tables_.audit.committed();
    tables_.items.committed();
    tables_.resealing.committed();
    tables_.repeats.committed();
    tables_.objects.committed();
    keyring_.committed();
    count(effects_);
}

void Database::send_commit() {
    Asked commit = connection_.ask("COMMIT");
    // Together with it, for the time of one; a server looks at new settings before each statement.
    Asked standbys = settings_.replicated ? connection_.ask(standby_names) : Asked();
    try {
        connection_.flush();
    } catch (const PgFailure&) {
        if (commit.answered()) {
            connection_ = Connection();
        }
        throw;
    }
    if (connection_.answer(commit).command() != "COMMIT") {
        committing_ = false;
        throw PgFailure(Trouble::failing, "the database rolled a transaction back");
    }
    const bool warned = connection_.take_warned();
    if (settings_.replicated && connection_.answer(standbys).bytes(0, 0).empty()) {
        connection_ = Connection();
        throw PgFailure(Trouble::unreplicated);
    }
    if (warned) {
        connection_ = Connection();
        throw PgFailure(Trouble::unreachable, "a commit was not waited for");
    }
}

void Database::count(const Effects& effects) {
    counts_.resize(std::max(counts_.size(), effects.counts.size()));
    for (std::size_t i = 0; i < effects.counts.size(); ++i) {
        const auto add = [](auto& numbers, const auto& changes) {
            for (std::size_t state = 0; state < numbers.size(); ++state) {
                numbers[state] += changes[state];
            }
        };
        add(counts_[i].items, effects.counts[i].items);
        add(counts_[i].objects, effects.counts[i].objects);
    }
    waiting_bytes_ += effects.waiting_bytes;
}

PgFailure Database::cause(const PgFailure& failure) {
    if (!connection_ || place_known_ || !place_.answered()) {
        return failure;
    }
    const Rows place = connection_.answer(place_);
    if (place.empty()) {
        return PgFailure(Trouble::fenced);
    }
    return place.integer(0, 2) != term_ ? PgFailure(Trouble::moved) : failure;
}

void Database::roll_back() noexcept {
    // An error that the server told of is one: only a connection that went leaves it open.
    in_doubt_ = committing_ && !connection_;
    committing_ = false;
    if (connection_) {
        try {
            connection_.write("ROLLBACK");
            connection_.flush();
        } catch (const PgFailure&) {
            connection_ = Connection();
        }
    }
    if (in_doubt_) {
        doubtful_ = std::move(effects_);
    }
    effects_ = Effects();
    taken_ = {};
    tables_.audit.roll_back();
    tables_.repeats.roll_back();
    tables_.conversations.clear();
    tables_.items.clear();
    tables_.items.rolled_back();
    tables_.resealing.rolled_back();
    tables_.objects.rolled_back(in_doubt_);
    keyring_.rolled_back();
}

void Database::publish() {
    for (Lane& lane : effects_.lanes) {
        catalogue_.add_lane(std::move(lane), 0);
    }
    for (Effects::NewProfile& made : effects_.profiles) {
        catalogue_.add_profile(made.id, std::move(made.profile), made.schema_bit);
    }
    effects_.clear();
}

bool Database::prune_due(std::chrono::seconds retention) const {
    const model::Instant now = clock_.trusted();
    return tables_.audit.prune_due(now, retention) || tables_.repeats.prune_due(now) ||
           (retention.count() > 0 && clock_.steady() >= next_letting_go_);
}

void Database::prune(Transaction& transaction, std::chrono::seconds retention, std::int64_t limit) {
    if (tables_.audit.prune_due(transaction.trusted, retention)) {
        tables_.audit.prune(transaction, retention, limit);
    }
    if (tables_.repeats.prune_due(transaction.trusted)) {
        tables_.repeats.prune(connection_, transaction.trusted, limit);
    }
    if (retention.count() > 0 && clock_.steady() >= next_letting_go_) {
        Conversations::let_go(connection_, transaction.trusted.seconds - retention.count(), let_go_at_once);
        next_letting_go_ = clock_.steady() + between_lettings_go;
    }
}

}  // namespace lihandover::store::postgresql
