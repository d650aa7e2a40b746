#include "database.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "lihandover/base/invariant.hpp"
#include "schema.hpp"
#include "sealing_functions.hpp"
#include "wal_vfs.hpp"

namespace lihandover::store::sqlite {

namespace {

/// Another process that reads, such as a backup, is waited for so long.
constexpr auto patience_at_opening = std::chrono::seconds(5);
/// A file is rewritten at a start where at least so much of it (less on a small file system), and half of it, is free,
/// and no more is not.
constexpr std::uint64_t least_given_back = 16U << 20U;
constexpr std::uint64_t most_rewritten = 256U << 20U;
/// While it runs, half of that is kept. Pages are given back in steps of so many: a step holds up commits.
constexpr int given_back_at_once = 128;
constexpr auto between_lettings_go = std::chrono::minutes(10);

}  // namespace

Database::Database(const Setup& setup)
    : directory_(*setup.directory),
      clock_(*setup.clock),
      secret_(*setup.secret),
      keyring_(*setup.keyring),
      catalogue_(*setup.catalogue),
      keys_(setup.keys),
      wal_limit_(setup.wal_limit),
      tables_(*setup.secret, setup.repeat_memory, setup.files, setup.keys, *setup.keyring) {}

model::Status Database::open() {
    connect();
    if (auto migrated = migrate(connection_, migration_steps()); !migrated) {
        return migrated;
    }
    if (!opened_before_) {
        give_back_space();
    }
    return load();
}

void Database::give_back_space() {
    const auto bytes = [this](const char* pages) {
        return static_cast<std::uint64_t>(connection_.integer(pages) * connection_.integer("PRAGMA page_size"));
    };
    const std::uint64_t all = bytes("PRAGMA page_count");
    const std::uint64_t free = bytes("PRAGMA freelist_count");
    if (free < worth_giving_back() || free < all / 2 || all - free > most_rewritten) {
        return;
    }
    try {
        connection_.execute("VACUUM");
        static_cast<void>(checkpoint(Checkpoint::truncate, patience_at_opening));
    } catch (const SqlFailure& failure) {
        if (failure.trouble() != Trouble::full || failure.of_sync()) {
            throw;
        }
        spdlog::info("store: no space to rewrite the database, which would give back {} MiB", free >> 20U);
    }
}

model::Status Database::reopen() {
    // A look at the tables alone moves next_id_ on: were what follows to fail then, the next try would know no more
    // which rows nobody heard of.
    if (!last_known_) {
        last_known_ = next_id_ - 1;
    }
    close();
    if (auto opened = open(); !opened) {
        return opened;
    }
    tables_.items.find_newly_withheld(effects_.lanes_withdrawn);
    tables_.items.find_above(connection_, *last_known_, effects_.queued);
    tables_.items.find_queued(doubtful_retries_, effects_.retried);
    tables_.items.find_gone(doubtful_rejects_, effects_.withdrawn);
    tables_.objects.resolve_doubts(effects_);
    tables_.items.told_withheld();
    // Only now: what failed above is asked once more by the next try.
    doubtful_retries_.clear();
    doubtful_rejects_.clear();
    last_known_.reset();
    return {};
}

void Database::close() {
    tables_.audit.close();
    tables_.registers.close();
    tables_.conversations.close();
    tables_.repeats.close();
    tables_.objects.close();
    tables_.items.close();
    tables_.kept.close();
    for (Statement* statement : {&begin_, &commit_, &page_count_, &freelist_count_}) {
        *statement = Statement();
    }
    effects_.clear();
    connection_ = Connection();
}

void Database::connect() {
    connection_ = Connection(directory_.database(), wal_vfs());
    set_up_writer(connection_);
    add_sealing_functions(connection_, keyring_);
    connection_.execute("PRAGMA journal_size_limit=" + std::to_string(wal_limit_));
    wal_frames_ = 0;
    sqlite3_wal_hook(
        connection_.handle(),
        [](void* database, sqlite3*, const char*, int frames) {
            static_cast<Database*>(database)->wal_frames_ = static_cast<std::uint64_t>(frames);
            static_cast<Database*>(database)->wrote_ = true;
            return SQLITE_OK;
        },
        this);
    // What an earlier connection, or an earlier process, could not sync may be in the log's file and not on the disk.
    // All of the log is copied, synced and cut off before anything is written behind it.
    if (!checkpoint(Checkpoint::truncate, patience_at_opening) && opened_before_) {
        throw SqlFailure(Trouble::busy, SQLITE_BUSY);
    }
}

model::Status Database::open_keyring() {
    if (auto known = load_keyring(connection_, keyring_); !known) {
        return known;
    }
    if (opened_before_) {
        return {};
    }
    {
        Statement secret = connection_.prepare("SELECT opened('meta.secret', 1, value) FROM meta WHERE name='secret'");
        Rows rows(secret);
        const bool known = rows.next();
        if (!known || !secret_.set(rows->bytes(0))) {
            return model::Error{"the store holds no key for its hashes: restore it from a backup"};
        }
    }
    if (keyring_.has_master_keys() && !keyring_.on()) {
        tables_.resealing.turn_on(connection_);
    }
    return {};
}

model::Status Database::load() {
    tables_.resealing.opened();
    if (auto opened = open_keyring(); !opened) {
        return opened;
    }
    find_remains();
    if (auto known = look_at_keys(); !known) {
        return known;
    }
    page_size_ = static_cast<std::uint64_t>(connection_.integer("PRAGMA page_size"));
    // 2: incremental. A file of an earlier version has no map of its pages until it is rewritten at a start.
    gives_back_ = connection_.integer("PRAGMA auto_vacuum") == 2;
    last_known_from_ = connection_.integer("SELECT value FROM meta WHERE name='last_known_from'");
    begin_ = connection_.prepare("BEGIN IMMEDIATE");
    commit_ = connection_.prepare("COMMIT");
    page_count_ = connection_.prepare("PRAGMA page_count");
    freelist_count_ = connection_.prepare("PRAGMA freelist_count");

    tables_.conversations.open(connection_);
    if (!opened_before_) {
        let_go_of_lanes();
    }
    RegisterTable::load(connection_, catalogue_);
    find_uses();
    tables_.registers.open(connection_);
    tables_.audit.open(connection_);
    tables_.repeats.open(connection_);
    tables_.objects.open(connection_);
    tables_.items.open(connection_);
    tables_.kept.open(connection_);
    take_stock();
    bind_keys();
    next_id_ =
        1 + std::max({connection_.integer("SELECT max(id) FROM record"),
                      connection_.integer("SELECT max(id) FROM item"), connection_.integer("SELECT max(id) FROM aside"),
                      connection_.integer("SELECT max(id) FROM object"), tables_.conversations.upto()});
    if (!opened_before_) {
        tables_.items.nothing_more_at_start(connection_, next_id_ - 1);
    }
    measure();
    if (!opened_before_ && remains_ && !keyring_.is_mixed()) {
        remove_remains_at_start();
    }
    opened_before_ = true;
    return {};
}

void Database::take_stock() {
    counts_.assign(catalogue_.destinations().size(), {});
    waiting_bytes_ = 0;
    const auto counts_of = [this](LaneId lane) -> Counts& {
        const auto* facts = catalogue_.lane_facts(lane);
        if (facts == nullptr) {
            throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
        }
        return counts_[facts->destination];
    };
    keys_->begin_stocktaking();
    doubtful_slots_.clear();
    if (proof_) {
        keys_->in_use(proof_->slot());
    }
    tables_.items.take_stock(connection_, [&](LaneId lane, ItemState state, std::int64_t bytes) {
        ++counts_of(lane).of(state);
        waiting_bytes_ += bytes;
    });
    ObjectTable::take_stock(
        connection_, [&](LaneId lane, ObjectState state, std::int64_t count) { counts_of(lane).of(state) += count; });
    tables_.objects.find_slots(connection_);
    tables_.kept.find_slots(connection_);
    tables_.registers.find_slots(connection_);
    if (const std::uint64_t lost = keys_->end_stocktaking(); lost > 0) {
        spdlog::error(
            "store: {} keys of stored content are missing from state_dir/keys, whose end is gone: what was sealed "
            "under them cannot be handed over, and is refused; reject it",
            lost);
    }
}

model::Status Database::look_at_keys() {
    proof_ = KeysProof::read(connection_);
    if (opened_before_ || !proof_ || proof_->holds(*keys_)) {
        return {};
    }
    return model::Error{
        "state_dir/keys is not the file of this store's keys, and none was changed: put back the one that belongs to "
        "store.db, or the store.db that belongs to it; docs/store.md says what to do where it is lost"};
}

void Database::bind_keys() {
    if (opened_before_ || proof_) {
        return;
    }
    try {
        KeysProof::make(connection_, *keys_);
        proof_ = KeysProof::read(connection_);
    } catch (const SqlFailure& failure) {
        if (failure.trouble() != Trouble::full || failure.of_sync()) {
            throw;
        }
        spdlog::info("store: no space to write down whose keys state_dir/keys has; the next start does it");
    }
}

void Database::measure() {
    const auto read = [](Statement& statement) {
        Rows rows(statement);
        return rows.next() ? static_cast<std::uint64_t>(rows->integer(0)) : 0;
    };
    free_pages_ = read(freelist_count_);
    live_pages_ = read(page_count_) - free_pages_;
}

RowId Database::first_named() {
    // An item keeps what it needs by its own number, whether the entry of its making is there still or not.
    Statement least = connection_.prepare(
        "SELECT min(n) FROM (SELECT min(id) AS n FROM record UNION ALL SELECT min(id) FROM item UNION ALL SELECT "
        "min(id) FROM aside UNION ALL SELECT min(item) FROM object UNION ALL SELECT ?)");
    least.bind(1, tables_.conversations.upto() + 1);
    Rows rows(least);
    const RowId first = rows.next() ? rows->integer(0) : 0;
    return first > last_known_from_ ? first : 0;
}

void Database::flush() {
    tables_.conversations.flush(next_id_ - 1);
    tables_.registers.save_uses(catalogue_);
    saved_uses_ = true;
}

void Database::let_go_of_lanes() {
    try {
        // Before anybody has heard of their numbers.
        ScopedTransaction transaction(connection_);
        RegisterTable::let_go(connection_, first_named(), tables_.conversations.upto());
        transaction.commit();
    } catch (const SqlFailure& failure) {
        if (failure.trouble() != Trouble::full || failure.of_sync()) {
            throw;
        }
        // They go at another start.
    }
}

void Database::find_uses() {
    // What a crash kept from the rows.
    Statement since = connection_.prepare("SELECT lane, max(id) FROM record WHERE id > ? GROUP BY lane");
    since.bind(1, tables_.conversations.upto());
    for (Rows rows(since); rows.next();) {
        catalogue_.used(rows->integer(0), rows->integer(1));
    }
}

void Database::let_go() {
    constexpr std::int64_t rows_of_a_step = 1000;
    if (tables_.conversations.let_go(first_named(), rows_of_a_step)) {
        entries_went_ = false;
        next_letting_go_ = clock_.steady() + between_lettings_go;
    }
}

/// Free pages are no room for objects, of which a small file system has little.
std::uint64_t Database::worth_giving_back() const {
    return std::min(least_given_back, 4 * wal_limit_);
}

bool Database::give_back_due() {
    const std::uint64_t free = free_page_bytes();
    giving_back_ = gives_back_ && (giving_back_ ? free > worth_giving_back() / 2
                                                : free >= worth_giving_back() && free_pages_ >= live_pages_);
    return giving_back_;
}

void Database::find_remains() {
    remains_ = connection_.integer(std::string("SELECT count(*) FROM meta WHERE name='") + meta_remains + "'") != 0;
}

void Database::remove_remains_at_start() {
    try {
        static_cast<void>(remove_remains(most_rewritten));
    } catch (const SqlFailure& failure) {
        if (failure.trouble() != Trouble::full || failure.of_sync()) {
            throw;
        }
        // Another start does it.
    }
}

bool Database::release_replaced() {
    const auto slots = tables_.resealing.overdue(clock_.steady());
    keys_->release(slots);
    return !slots.empty();
}

bool Database::remove_remains(std::uint64_t most) {
    if (live_pages_ * page_size_ > most) {
        return false;
    }
    connection_.execute("VACUUM");
    if (!checkpoint(Checkpoint::truncate, patience_at_opening)) {
        return false;
    }
    connection_.execute(std::string("DELETE FROM meta WHERE name='") + meta_remains + "'");
    measure();
    remains_ = false;
    return true;
}

void Database::give_back() {
    connection_.execute("PRAGMA incremental_vacuum(" + std::to_string(given_back_at_once) + ")");
}

Transaction Database::begin() {
    effects_.clear();
    begun_at_id_ = next_id_;
    committing_ = false;
    begin_.run();
    const model::Instant now = clock_.wall();
    tables_.audit.begin(now, clock_.steady());
    Transaction transaction{connection_, catalogue_, effects_, next_id_, now, clock_.trusted(), clock_.passed()};
    tables_.audit.record_restored(transaction);
    return transaction;
}

void Database::commit() {
    tables_.audit.save_head();
    measure();
    wrote_ = false;  // SQLite calls the hook for commits that have something to write
    committing_ = true;
    commit_.run();
    tables_.conversations.commit();
    tables_.audit.committed();
    tables_.items.committed();
    const bool was_mixed = keyring_.is_mixed();
    keyring_.committed();
    tables_.resealing.committed(clock_.steady());
    if (was_mixed && !keyring_.is_mixed()) {
        find_remains();
    }
    if (std::exchange(saved_uses_, false)) {
        catalogue_.uses_saved();
    }
    counts_.resize(std::max(counts_.size(), effects_.counts.size()));
    for (std::size_t i = 0; i < effects_.counts.size(); ++i) {
        const auto add = [](auto& numbers, const auto& changes) {
            for (std::size_t state = 0; state < numbers.size(); ++state) {
                numbers[state] += changes[state];
                LIHANDOVER_INVARIANT(numbers[state] >= 0, "no state has fewer items or objects than none");
            }
        };
        add(counts_[i].items, effects_.counts[i].items);
        add(counts_[i].objects, effects_.counts[i].objects);
    }
    waiting_bytes_ += effects_.waiting_bytes;
    LIHANDOVER_INVARIANT(waiting_bytes_ >= 0, "waiting items take no fewer bytes than none");
    tables_.objects.committed(wrote_);
    keys_->release(effects_.released_slots);
    // As with files: what was in doubt is written over now, but only by a commit that wrote something.
    if (wrote_) {
        keys_->release(std::exchange(doubtful_slots_, {}));
        doubtful_retries_.clear();
        doubtful_rejects_.clear();
    }
}

void Database::roll_back() noexcept {
    connection_.roll_back();
    saved_uses_ = false;
    tables_.conversations.roll_back();
    tables_.audit.roll_back();
    tables_.items.rolled_back();
    keyring_.rolled_back();
    tables_.resealing.rolled_back();
    tables_.objects.rolled_back(effects_);
    next_id_ = begun_at_id_;
    for (const auto& [lane, bit] : effects_.provided) {
        catalogue_.lane_facts(lane)->provided &= ~bit;
    }
    // What was sealed under these keys may be on the disk, and be found there when the database is opened next.
    if (committing_) {
        doubtful_slots_.insert(doubtful_slots_.end(), effects_.taken_slots.begin(), effects_.taken_slots.end());
        std::ranges::transform(effects_.retried, std::back_inserter(doubtful_retries_), &QueuedItem::row);
        doubtful_rejects_.insert(doubtful_rejects_.end(), effects_.withdrawn.begin(), effects_.withdrawn.end());
    } else {
        keys_->release(effects_.taken_slots);
    }
    effects_.clear();
}

void Database::publish() {
    for (Effects::NewProfile& added : effects_.profiles) {
        catalogue_.add_profile(added.id, std::move(added.profile), added.schema_bit);
    }
    for (Lane& lane : effects_.lanes) {
        catalogue_.add_lane(std::move(lane), 0);
    }
    effects_.clear();
}

bool Database::prune_due(std::chrono::seconds record_retention) const {
    const model::Instant trusted = clock_.trusted();
    return tables_.repeats.prune_due(trusted) || tables_.audit.prune_due(trusted, record_retention);
}

void Database::prune(Transaction& transaction, std::chrono::seconds record_retention, std::int64_t limit) {
    if (tables_.repeats.prune_due(transaction.trusted)) {
        tables_.repeats.prune(transaction.trusted, limit);
    }
    const auto pruned = tables_.audit.prune(transaction, record_retention, limit, tables_.conversations.upto());
    entries_went_ = entries_went_ || pruned.removed > 0;
    // The entries go with the next step, once the counters are known without them.
    if (pruned.needed_for_counters) {
        flush();
    }
}

bool Database::checkpoint(Checkpoint kind, std::chrono::milliseconds patience) {
    int mode = SQLITE_CHECKPOINT_PASSIVE;
    if (kind == Checkpoint::restart) {
        mode = SQLITE_CHECKPOINT_RESTART;
    }
    if (kind == Checkpoint::truncate) {
        mode = SQLITE_CHECKPOINT_TRUNCATE;
    }
    sqlite3_busy_timeout(connection_.handle(), static_cast<int>(patience.count()));
    int frames = 0;
    int copied = 0;
    const int code = sqlite3_wal_checkpoint_v2(connection_.handle(), nullptr, mode, &frames, &copied);
    sqlite3_busy_timeout(connection_.handle(), 5000);
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
        return false;
    }
    if (code != SQLITE_OK) {
        throw SqlFailure(connection_.handle(), code);
    }
    if (frames == copied) {
        wal_frames_ = 0;
    }
    return frames == copied;
}

}  // namespace lihandover::store::sqlite
