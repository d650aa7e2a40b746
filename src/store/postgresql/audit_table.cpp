#include "audit_table.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "columns.hpp"

namespace lihandover::store::postgresql {

namespace {

/// What microseconds leave out of the times of an entry and of the receipt that it tells of.
std::int64_t nanos_of(model::Instant at, model::Instant received) {
    return std::int64_t{at.nanos % 1000} * 1000 + received.nanos % 1000;
}

/// Checkpoints looked at in one step of pruning.
constexpr int most_looks = 10;

}  // namespace

void AuditTable::open(Connection& connection, std::int64_t node, const Known& known) {
    node_ = node;
    beginning_ = known.beginning;
    state_ = {known.head, known.record};
    const Rows last = connection.read(
        "SELECT number, (SELECT min(at) FROM record WHERE node=$1 AND id > c.record), (SELECT max(at) FROM record "
        "WHERE node=$1 AND id > c.record) FROM chain_checkpoint c WHERE node=$1 ORDER BY number DESC LIMIT 1",
        Parameters().add(node));
    if (last.empty()) {
        throw PgFailure(Trouble::damaged);
    }
    state_.checkpoint = static_cast<std::uint64_t>(last.integer(0, 0));
    if (const auto oldest = last.optional_integer(0, 1)) {
        state_.oldest = *oldest;
        state_.newest = last.integer(0, 2);
    }
    pending_ = {};
    made_checkpoint_ = recorded_restored_ = false;
    alarm_move_ = AlarmMove::none;
    if (alarm_kept_) {
        const Rows kept = connection.read("SELECT value FROM meta WHERE name=$1", Parameters().add_text(alarm_name()));
        alarm_ = kept.empty() ? std::string() : std::string(kept.bytes(0, 0));
    }
    oldest_ = std::numeric_limits<std::int64_t>::min();
    committed();
}

void AuditTable::begin(Transaction& transaction, model::Clock::SteadyTime steady) {
    made_checkpoint_ = recorded_restored_ = false;
    alarm_move_ = AlarmMove::none;
    if (checkpoint_due(steady)) {
        make_checkpoint(transaction);
        const std::lock_guard lock(mutex_);
        next_checkpoint_ = steady + settings_.checkpoint_interval;
    }
    record_restored(transaction);
}

void AuditTable::record_restored(Transaction& transaction) {
    if (!alarm_kept_) {
        transaction.connection.write(
            "INSERT INTO meta(name, value) VALUES($1, $2) ON CONFLICT (name) DO UPDATE SET value=excluded.value",
            Parameters().add_text(alarm_name()).add(std::string_view(alarm_)));
        alarm_move_ = AlarmMove::keep;
    }
    if (!restored_) {
        return;
    }
    const std::string why = audit::words_of_head(restored_->chain, restored_->head);
    audit::Entry entry;
    entry.kind = audit::Kind::store_restored;
    entry.at = transaction.now;
    entry.why = why;
    append(transaction, 0, 0, entry);
    // What is left of the numbers was drawn before the lanes are locked.
    transaction.numbers.drop();
    recorded_restored_ = true;
}

bool AuditTable::accept_restore(Transaction& transaction, std::string_view who, std::string_view why) {
    if (alarm_.empty()) {
        return false;
    }
    transaction.connection.write("DELETE FROM meta WHERE name=$1", Parameters().add_text(alarm_name()));
    audit::Entry entry;
    entry.kind = audit::Kind::restore_accepted;
    entry.at = transaction.now;
    entry.who = who;
    entry.why = why;
    append(transaction, 0, 0, entry);
    alarm_move_ = AlarmMove::accept;
    return true;
}

bool AuditTable::checkpoint_due(model::Clock::SteadyTime steady) const {
    const std::uint64_t since = state_.head.number - std::min(state_.head.number, state_.checkpoint);
    if (since == 0) {
        return false;
    }
    if (steady >= next_checkpoint_) {
        return true;
    }
    const std::lock_guard lock(mutex_);
    return since >= settings_.checkpoint_entries;
}

void AuditTable::make_checkpoint(Transaction& transaction) {
    audit::Checkpoint made{state_.head, transaction.now, {}, {}};
    std::shared_ptr<const audit::SigningKey> key;
    {
        const std::lock_guard lock(mutex_);
        made.node = settings_.node;
        key = settings_.key;
    }
    std::optional<std::string> signature;
    if (key) {
        signature = key->sign(audit::signed_bytes(beginning_, made));
    }
    transaction.connection.write(
        "INSERT INTO chain_checkpoint(node, number, record, hash, at, nanos, name, signature, oldest, newest) "
        "VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        Parameters()
            .add(node_)
            .add(static_cast<std::int64_t>(made.head.number))
            .add(state_.row)
            .add(text_of(made.head.hash))
            .add(made.at.micros())
            .add(std::int64_t{made.at.nanos % 1000})
            .add_text(made.node)
            .add_optional(signature)
            .add(state_.oldest)
            .add(state_.newest));
    state_ = {state_.head, state_.row, made.head.number};
    made_checkpoint_ = true;
}

void AuditTable::flush(Connection& connection) {
    if (pending_.id.empty()) {
        return;
    }
    const Pending& p = pending_;
    connection.write(
        "INSERT INTO record(node, id, at, nanos, kind, lane, item, level_id, sequence, received, object_id, who, why, "
        "code, code_kind, words) SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], "
        "$6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bytea[], $12::bytea[], "
        "$13::bytea[], $14::bigint[], $15::bigint[], $16::bytea[])",
        Parameters()
            .add(node_)
            .add(p.id)
            .add(p.at)
            .add(p.nanos)
            .add(p.kind)
            .add(p.lane)
            .add(p.item)
            .add(p.level_id)
            .add(p.sequence)
            .add(p.received)
            .add(p.object_id)
            .add(p.who)
            .add(p.why)
            .add(p.code)
            .add(p.code_kind)
            .add(p.words));
    pending_ = {};
}

void AuditTable::committed() {
    committed_ = state_;
    if (std::exchange(recorded_restored_, false)) {
        restored_.reset();
    }
    const AlarmMove moved = std::exchange(alarm_move_, AlarmMove::none);
    alarm_kept_ = alarm_kept_ || moved != AlarmMove::none;
    if (moved == AlarmMove::accept) {
        alarm_.clear();
    }
    const std::lock_guard lock(mutex_);
    published_ = state_.head;
}

void AuditTable::roll_back() {
    if (made_checkpoint_) {
        want_checkpoint();
    }
    state_ = committed_;
    pending_ = {};
    made_checkpoint_ = recorded_restored_ = false;
    alarm_move_ = AlarmMove::none;
    oldest_ = std::numeric_limits<std::int64_t>::min();
}

void AuditTable::configure(AuditLog::Settings settings) {
    const std::lock_guard lock(mutex_);
    settings_ = std::move(settings);
}

audit::Head AuditTable::committed_head() const {
    const std::lock_guard lock(mutex_);
    return published_;
}

std::string AuditTable::node() const {
    const std::lock_guard lock(mutex_);
    return settings_.node;
}

void AuditTable::link(RowId row, audit::Recorded& recorded) {
    recorded.number = state_.head.number + 1;
    state_.head = {recorded.number, hasher_.of(state_.head.hash, recorded)};
    state_.row = row;
    state_.oldest = std::min(state_.oldest, recorded.entry.at.micros());
    state_.newest = std::max(state_.newest, recorded.entry.at.micros());
}

void AuditTable::add(RowId row, LaneId lane, const audit::Entry& entry) {
    Pending& p = pending_;
    p.id.push_back(row);
    p.at.push_back(entry.at.micros());
    p.nanos.push_back(nanos_of(entry.at, entry.received_at.value_or(model::Instant{})));
    p.kind.push_back(static_cast<std::int64_t>(entry.kind));
    p.lane.push_back(lane);
    p.object_id.push_back(entry.object_id ? std::optional(std::string(text_of(*entry.object_id))) : std::nullopt);
    const std::string name = row_name(row);
    const auto text = [&](std::string_view place, std::string_view words) {
        return words.empty() ? std::nullopt : std::optional(sealed(keyring_, place, name, words));
    };
    p.who.push_back(text("record.who", entry.who));
    p.why.push_back(text("record.why", entry.why));
    const Refusal* refusal = entry.refusal;
    p.code.push_back(refusal != nullptr ? std::optional(static_cast<std::int64_t>(refusal->code)) : std::nullopt);
    p.code_kind.push_back(refusal != nullptr ? std::optional(static_cast<std::int64_t>(refusal->kind)) : std::nullopt);
    p.words.push_back(refusal != nullptr ? text("record.words", refusal->words) : std::nullopt);
}

void AuditTable::append(const Transaction& transaction, LaneId lane, RowId item, const audit::Entry& entry) {
    const RowId number = transaction.take_id();
    // What is hashed is what is stored, so that it can be hashed again.
    audit::Recorded recorded{0, entry, {}, {}, {}};
    recorded.entry.correlation.reset();
    recorded.entry.received_at.reset();
    add(number, lane, recorded.entry);
    const bool about_item = entry.object_id.has_value();
    if (about_item) {
        recorded.item = static_cast<std::uint64_t>(item);
    }
    pending_.item.push_back(about_item ? std::optional(item) : std::nullopt);
    pending_.level_id.emplace_back();
    pending_.sequence.emplace_back();
    pending_.received.emplace_back();
    link(number, recorded);
}

void AuditTable::append_made(LaneId lane, RowId row, const audit::Entry& entry) {
    audit::Recorded recorded{0, entry, static_cast<std::uint64_t>(row), {}, {}};
    add(row, lane, entry);
    pending_.item.emplace_back();
    const auto& correlation = entry.correlation;
    pending_.level_id.push_back(correlation ? std::optional(static_cast<std::int64_t>(correlation->level_id))
                                            : std::nullopt);
    pending_.sequence.push_back(correlation ? std::optional(static_cast<std::int64_t>(correlation->sequence_number))
                                            : std::nullopt);
    pending_.received.emplace_back(entry.received_at->micros());
    link(row, recorded);
}

std::set<RowId> AuditTable::delivered(Connection& connection, const std::vector<RowId>& items) {
    std::set<RowId> found;
    if (items.empty()) {
        return found;
    }
    flush(connection);
    const Rows rows = connection.read(
        "SELECT item FROM record WHERE kind IN (4, 7) AND kind={record.item_delivered} AND item=ANY($1)",
        Parameters().add(items));
    for (int row = 0; row < rows.size(); ++row) {
        found.insert(rows.integer(row, 0));
    }
    return found;
}

AuditTable::Ended AuditTable::ended_object(Connection& connection, const model::Uuid& object) {
    flush(connection);
    const Rows rows = connection.read(
        "SELECT kind, lane, item FROM record WHERE kind IN (9, 13, 14) AND object_id=$1 ORDER BY id DESC LIMIT 1",
        Parameters().add(text_of(object)));
    if (rows.empty()) {
        return {};
    }
    return {static_cast<audit::Kind>(rows.integer(0, 0)), rows.integer(0, 1), rows.integer(0, 2)};
}

void AuditTable::prune(const Transaction& transaction, std::chrono::seconds retention, std::int64_t limit) {
    Connection& connection = transaction.connection;
    const std::int64_t cutoff = transaction.trusted.micros() - retention.count() * 1'000'000;
    const Rows checkpoints =
        connection.read("SELECT number, record FROM chain_checkpoint WHERE node=$1 ORDER BY number LIMIT $2",
                        Parameters().add(node_).add(std::int64_t{most_looks}));
    if (checkpoints.empty()) {
        throw PgFailure(Trouble::damaged);
    }
    // What was given up of the chain goes whatever its times are.
    const Rows removed = connection.read(
        "WITH old AS (DELETE FROM record WHERE id IN (SELECT id FROM record WHERE node=$1 AND id <= $2 ORDER BY id "
        "LIMIT $3) RETURNING 1) SELECT count(*) FROM old",
        Parameters().add(node_).add(checkpoints.integer(0, 1)).add(limit));
    if (removed.integer(0, 0) >= limit) {
        return;
    }
    for (int next = 1; next < checkpoints.size(); ++next) {
        const Rows times =
            connection.read("SELECT max(at) FROM record WHERE node=$1 AND id > $2 AND id <= $3 AND at <= $4",
                            Parameters()
                                .add(node_)
                                .add(checkpoints.integer(0, 1))
                                .add(checkpoints.integer(next, 1))
                                .add(transaction.trusted.micros()));
        const auto newest = times.optional_integer(0, 0);
        // All from the future: they go with those behind the next one.
        if (!newest) {
            continue;
        }
        oldest_ = *newest;
        if (*newest < cutoff) {
            connection.write("DELETE FROM chain_checkpoint WHERE node=$1 AND number < $2",
                             Parameters().add(node_).add(checkpoints.integer(next, 0)));
        }
        return;
    }
    // Looked at again when there is another checkpoint, or after an hour's worth of them.
    oldest_ = transaction.trusted.micros() - retention.count() * 1'000'000 + std::int64_t{3'600'000'000};
}

}  // namespace lihandover::store::postgresql
