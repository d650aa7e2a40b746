#include "audit_table.hpp"

#include <algorithm>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "audit_reads.hpp"
#include "columns.hpp"
#include "common/numbered.hpp"

namespace lihandover::store::sqlite {

namespace {

/// Checkpoints looked at in one step of pruning.
constexpr int most_looks = 10;

/// What microseconds leave out of the times of an entry and of the receipt that it tells of.
std::int64_t nanos_of(model::Instant at, model::Instant received) {
    return std::int64_t{at.nanos % 1000} * 1000 + received.nanos % 1000;
}

}  // namespace

void AuditTable::open(Connection& connection) {
    auto& s = statements_;
    s.insert = connection.prepare(
        "INSERT INTO record(id, at, kind, lane, object_id, item, nanos) VALUES(?, ?, ?, ?, ?, ?, ?)");
    s.insert_made = connection.prepare(
        "INSERT INTO record(id, at, kind, lane, object_id, level_id, sequence, received, nanos) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)");
    s.insert_note = connection.prepare(
        "INSERT INTO record_note(record, who, why, code, code_kind, words) VALUES(?1, sealed('note.who', ?1, ?2), "
        "sealed('note.why', ?1, ?3), ?4, ?5, sealed('note.words', ?1, ?6))");
    // The first condition is the index's own, which has to be said with the same words.
    s.was_delivered =
        connection.prepare("SELECT 1 FROM record WHERE kind IN (4, 7) AND kind={record.item_delivered} AND item=?");
    s.ended = connection.prepare(
        "SELECT kind, lane, item FROM record WHERE (kind=9 OR kind=13 OR kind=14) AND object_id=? ORDER BY id DESC "
        "LIMIT 1");
    s.first = connection.prepare("SELECT id, at FROM record WHERE at <= ? AND id <= ? ORDER BY id LIMIT ?");
    s.remove = connection.prepare("DELETE FROM record WHERE id <= ?");
    s.remove_notes = connection.prepare("DELETE FROM record_note WHERE record <= ?");
    s.save_head = connection.prepare("UPDATE chain SET number=?, hash=?");
    s.checkpoint = connection.prepare(
        "INSERT INTO chain_checkpoint(number, record, hash, at, nanos, node, signature, oldest, newest) VALUES(?, ?, "
        "?, ?, ?, ?, ?, ?, ?)");
    s.first_checkpoint = connection.prepare("SELECT record, number FROM chain_checkpoint ORDER BY number LIMIT 1");
    s.next_checkpoint =
        connection.prepare("SELECT record, number FROM chain_checkpoint WHERE number > ? ORDER BY number LIMIT 1");
    s.newest_between = connection.prepare(
        "SELECT max(at) FILTER (WHERE at <= ?3), min(at) FILTER (WHERE at > ?3) FROM record WHERE id > ?1 AND id <= "
        "?2");
    s.first_ids = connection.prepare("SELECT max(id) FROM (SELECT id FROM record WHERE id <= ? ORDER BY id LIMIT ?)");
    s.keep_alarm = connection.prepare(
        "INSERT INTO meta(name, value) VALUES('restored', ?) ON CONFLICT(name) DO UPDATE SET value=excluded.value");
    s.remove_alarm = connection.prepare("DELETE FROM meta WHERE name='restored'");
    s.drop_checkpoint = connection.prepare("DELETE FROM chain_checkpoint WHERE number < ?");
    // The first step of pruning finds the oldest.
    oldest_ = std::numeric_limits<std::int64_t>::min();
    stretch_ = {};

    Statement chain = connection.prepare(
        "SELECT beginning, number, hash, (SELECT max(number) FROM chain_checkpoint), (SELECT max(id) FROM record) FROM "
        "chain");
    Statement tail = connection.prepare(
        "SELECT min(at), max(at) FROM record WHERE id > (SELECT record FROM chain_checkpoint ORDER BY number DESC "
        "LIMIT "
        "1)");
    Rows rows(chain);
    if (!rows.next()) {
        throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
    }
    beginning_ = hash_of(rows->bytes(0));
    state_ = {{static_cast<std::uint64_t>(rows->integer(1)), hash_of(rows->bytes(2))},
              rows->integer(4),
              static_cast<std::uint64_t>(rows->integer(3))};
    if (Rows times(tail); times.next() && !times->is_null(0)) {
        state_.oldest = times->integer(0);
        state_.newest = times->integer(1);
    }
    changed_ = made_checkpoint_ = recorded_restored_ = false;
    alarm_move_ = AlarmMove::none;
    if (alarm_kept_) {
        Statement kept = connection.prepare("SELECT value FROM meta WHERE name='restored'");
        Rows found(kept);
        alarm_ = found.next() ? std::string(found->bytes(0)) : std::string();
    }
    committed();
}

void AuditTable::begin(model::Instant now, model::Clock::SteadyTime steady) {
    changed_ = made_checkpoint_ = recorded_restored_ = false;
    if (!checkpoint_due(steady)) {
        return;
    }
    make_checkpoint(now);
    const std::lock_guard lock(mutex_);
    next_checkpoint_ = steady + settings_.checkpoint_interval;
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

void AuditTable::make_checkpoint(model::Instant now) {
    audit::Checkpoint made{state_.head, now, {}, {}};
    std::shared_ptr<const audit::SigningKey> key;
    {
        const std::lock_guard lock(mutex_);
        made.node = settings_.node;
        key = settings_.key;
    }
    if (key) {
        made.signature = key->sign(audit::signed_bytes(beginning_, made));
    }
    auto& s = statements_.checkpoint;
    s.bind(1, static_cast<std::int64_t>(made.head.number))
        .bind(2, state_.row)
        .bind(3, std::span<const std::uint8_t>(made.head.hash))
        .bind(4, made.at.micros())
        .bind(5, std::int64_t{made.at.nanos % 1000})
        .bind(6, std::string_view(made.node));
    if (key) {
        s.bind_blob(7, made.signature);
    } else {
        s.bind_null(7);
    }
    s.bind(8, state_.oldest).bind(9, state_.newest).run();
    state_ = {state_.head, state_.row, made.head.number};
    made_checkpoint_ = true;
}

void AuditTable::record_restored(Transaction& transaction) {
    alarm_move_ = AlarmMove::none;
    if (!alarm_kept_) {
        statements_.keep_alarm.bind(1, std::string_view(alarm_)).run();
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
    recorded_restored_ = true;
}

bool AuditTable::accept_restore(Transaction& transaction, std::string_view who, std::string_view why) {
    if (alarm_.empty()) {
        return false;
    }
    statements_.remove_alarm.run();
    audit::Entry entry;
    entry.kind = audit::Kind::restore_accepted;
    entry.at = transaction.now;
    entry.who = who;
    entry.why = why;
    append(transaction, 0, 0, entry);
    alarm_move_ = AlarmMove::accept;
    return true;
}

void AuditTable::save_head() {
    if (changed_) {
        statements_.save_head.bind(1, static_cast<std::int64_t>(state_.head.number))
            .bind(2, std::span<const std::uint8_t>(state_.head.hash))
            .run();
    }
}

void AuditTable::committed() {
    committed_ = state_;
    if (made_checkpoint_ && !stretch_.newest) {
        // What is before it may go one day: the next step of pruning looks when.
        oldest_ = std::numeric_limits<std::int64_t>::min();
    }
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
    changed_ = made_checkpoint_ = recorded_restored_ = false;
    alarm_move_ = AlarmMove::none;
    // What pruning had removed is there again, and what it looked at may not be: the next step looks anew.
    stretch_ = {};
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
    changed_ = true;
}

void AuditTable::append(Transaction& transaction, LaneId lane, RowId item, const audit::Entry& entry) {
    const RowId number = transaction.take_id();
    // What is hashed is what is stored, so that it can be hashed again.
    audit::Recorded recorded{0, entry, {}, {}, {}};
    recorded.entry.correlation.reset();
    recorded.entry.received_at.reset();
    auto& s = statements_.insert;
    s.bind(1, number).bind(2, entry.at.micros()).bind(3, number_of(entry.kind)).bind(4, lane);
    if (entry.object_id) {
        s.bind(5, bytes_of(*entry.object_id)).bind(6, item);
        recorded.item = static_cast<std::uint64_t>(item);
    } else {
        s.bind_null(5).bind_null(6);
    }
    s.bind(7, nanos_of(entry.at, {})).run();
    link(number, recorded);
    transaction.catalogue.used(lane, number);
    if (entry.who.empty() && entry.why.empty() && entry.refusal == nullptr) {
        return;
    }
    auto& note = statements_.insert_note;
    note.bind(1, number).bind(2, entry.who).bind(3, entry.why);
    if (entry.refusal == nullptr) {
        note.bind_null(4).bind_null(5).bind_null(6);
    } else {
        note.bind(4, static_cast<std::int64_t>(entry.refusal->code))
            .bind(5, static_cast<std::int64_t>(entry.refusal->kind))
            .bind(6, std::string_view(entry.refusal->words));
    }
    note.run();
}

void AuditTable::append_made(Transaction& transaction, LaneId lane, RowId row, const audit::Entry& entry) {
    auto& s = statements_.insert_made;
    s.bind(1, row)
        .bind(2, entry.at.micros())
        .bind(3, number_of(entry.kind))
        .bind(4, lane)
        .bind(5, bytes_of(*entry.object_id))
        .bind(8, entry.received_at->micros())
        .bind(9, nanos_of(entry.at, *entry.received_at));
    if (entry.correlation) {
        s.bind(6, static_cast<std::int64_t>(entry.correlation->level_id))
            .bind(7, static_cast<std::int64_t>(entry.correlation->sequence_number));
    } else {
        s.bind_null(6).bind_null(7);
    }
    s.run();
    audit::Recorded recorded{0, entry, static_cast<std::uint64_t>(row), {}, {}};
    link(row, recorded);
    transaction.catalogue.used(lane, row);
}

bool AuditTable::was_delivered(RowId item) {
    statements_.was_delivered.bind(1, item);
    Rows rows(statements_.was_delivered);
    return rows.next();
}

AuditTable::Ended AuditTable::ended_object(const model::Uuid& object) {
    statements_.ended.bind(1, bytes_of(object));
    Rows rows(statements_.ended);
    if (!rows.next()) {
        return {};
    }
    return {static_cast<audit::Kind>(rows->integer(0)), rows->integer(1), rows->integer(2)};
}

bool AuditTable::look_at_stretch(const Transaction& transaction) {
    const std::int64_t trusted = transaction.trusted.micros();
    Stretch& stretch = stretch_;
    stretch.ended = false;
    for (int looks = 0; !stretch.newest; ++looks) {
        if (looks == most_looks) {
            return false;
        }
        statements_.next_checkpoint.bind(1, stretch.end_number);
        Rows next(statements_.next_checkpoint);
        if (!next.next()) {
            stretch.ended = true;
            break;
        }
        statements_.newest_between.bind(1, stretch.end).bind(2, next->integer(0)).bind(3, trusted);
        Rows times(statements_.newest_between);
        if (times.next()) {
            stretch.newest = times->is_null(0) ? std::nullopt : std::optional(times->integer(0));
            stretch.future = std::min(stretch.future, times->is_null(1) ? stretch.future : times->integer(1));
        }
        stretch.end = next->integer(0);
        stretch.end_number = next->integer(1);
    }
    return true;
}

AuditTable::Old AuditTable::find_old(model::Instant trusted, std::int64_t cutoff, RowId upto, std::int64_t limit,
                                     RowId counters_upto) {
    Old old;
    // An entry from the future is a wrong clock's: it goes with those around it, and holds up none.
    statements_.first.bind(1, trusted.micros()).bind(2, upto).bind(3, limit);
    for (Rows rows(statements_.first); rows.next();) {
        const std::int64_t at = rows->integer(1);
        old.last_seen = at;
        old.needed_for_counters = at < cutoff && rows->integer(0) > counters_upto;
        if (at >= cutoff || old.needed_for_counters) {
            break;
        }
        old.edge = rows->integer(0);
    }
    return old;
}

AuditTable::Pruned AuditTable::prune(const Transaction& transaction, std::chrono::seconds retention, std::int64_t limit,
                                     RowId counters_upto) {
    Pruned all;
    const std::int64_t cutoff = transaction.trusted.micros() - retention.count() * 1'000'000;
    while (all.removed < limit && prune_due(transaction.trusted, retention)) {
        bool gave_up = false;
        const Pruned some = prune_step(transaction, cutoff, limit - all.removed, counters_upto, gave_up);
        all.removed += some.removed;
        all.needed_for_counters = some.needed_for_counters;
        if (some.removed == 0 && !gave_up) {
            break;
        }
    }
    return all;
}

RowId AuditTable::first_ids(RowId upto, std::int64_t limit) {
    statements_.first_ids.bind(1, upto).bind(2, limit);
    Rows rows(statements_.first_ids);
    return rows.next() && !rows->is_null(0) ? rows->integer(0) : 0;
}

AuditTable::Pruned AuditTable::remove_upto(const Transaction& transaction, RowId edge) {
    Pruned pruned;
    if (edge > 0) {
        statements_.remove.bind(1, edge).run();
        pruned.removed = transaction.connection.changes();
        statements_.remove_notes.bind(1, edge).run();
    }
    return pruned;
}

AuditTable::Pruned AuditTable::prune_step(const Transaction& transaction, std::int64_t cutoff, std::int64_t limit,
                                          RowId counters_upto, bool& gave_up) {
    RowId begin = 0;
    std::int64_t number = 0;
    {
        Rows first(statements_.first_checkpoint);
        if (first.next()) {
            begin = first->integer(0);
            number = first->integer(1);
        }
    }
    if (number == 0) {
        // Entries from before there was a chain go by their own times.
        const Old old = find_old(transaction.trusted, cutoff, begin, limit, counters_upto);
        if (old.last_seen) {
            oldest_ = *old.last_seen;
            Pruned pruned = remove_upto(transaction, old.edge);
            pruned.needed_for_counters = old.needed_for_counters;
            return pruned;
        }
    }
    // What was given up of the chain goes whatever its times are.
    if (const RowId edge = first_ids(begin, limit); number > 0 && edge > 0) {
        oldest_ = std::numeric_limits<std::int64_t>::min();
        return remove_upto(transaction, edge);
    }
    // Anew also where what was from the future is no more.
    if (stretch_.begin != begin || (stretch_.ended && stretch_.future <= transaction.trusted.micros())) {
        stretch_ = {};
        stretch_.begin = stretch_.end = begin;
        stretch_.end_number = number;
    }
    if (!look_at_stretch(transaction)) {
        oldest_ = std::numeric_limits<std::int64_t>::min();
        return {};
    }
    oldest_ = stretch_.newest.value_or(stretch_.future);
    if (!stretch_.newest || *stretch_.newest >= cutoff) {
        return {};
    }
    if (stretch_.end > counters_upto) {
        return {0, true};
    }
    statements_.drop_checkpoint.bind(1, stretch_.end_number).run();
    oldest_ = std::numeric_limits<std::int64_t>::min();
    gave_up = true;
    return {};
}

}  // namespace lihandover::store::sqlite
