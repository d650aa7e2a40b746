#include "audit_table.hpp"

#include <algorithm>

#include "columns.hpp"

namespace lihandover::store::sqlite {

namespace {

std::int64_t number_of(audit::Kind kind) {
    return static_cast<std::int64_t>(kind);
}

}  // namespace

void AuditTable::open(Connection& connection) {
    auto& s = statements_;
    s.insert = connection.prepare("INSERT INTO record(id, at, kind, lane, object_id, item) VALUES(?, ?, ?, ?, ?, ?)");
    s.insert_made = connection.prepare(
        "INSERT INTO record(id, at, kind, lane, object_id, level_id, sequence, received) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
    s.insert_note = connection.prepare(
        "INSERT INTO record_note(record, who, why, code, code_kind, words) VALUES(?, ?, ?, ?, ?, ?)");
    // The first condition is the index's own, which has to be said with the same words.
    s.was_delivered =
        connection.prepare("SELECT 1 FROM record WHERE kind IN (4, 7) AND kind={record.item_delivered} AND item=?");
    s.ended = connection.prepare(
        "SELECT kind, lane, item FROM record WHERE (kind=9 OR kind=13 OR kind=14) AND object_id=? ORDER BY id DESC "
        "LIMIT 1");
    s.first = connection.prepare("SELECT id, at FROM record WHERE at <= ? ORDER BY id LIMIT ?");
    s.remove = connection.prepare("DELETE FROM record WHERE id <= ?");
    s.remove_notes = connection.prepare("DELETE FROM record_note WHERE record <= ?");
    // The first step of pruning finds the oldest.
    oldest_ = std::numeric_limits<std::int64_t>::min();
}

void AuditTable::append(Transaction& transaction, LaneId lane, RowId item, const audit::Entry& entry) {
    const RowId number = transaction.take_id();
    auto& s = statements_.insert;
    s.bind(1, number).bind(2, entry.at.micros()).bind(3, number_of(entry.kind)).bind(4, lane);
    if (entry.object_id) {
        s.bind(5, bytes_of(*entry.object_id)).bind(6, item);
    } else {
        s.bind_null(5).bind_null(6);
    }
    s.run();
    transaction.catalogue.used(lane, number);
    oldest_ = std::min(oldest_, entry.at.micros());
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
        .bind(8, entry.received_at->micros());
    if (entry.correlation) {
        s.bind(6, static_cast<std::int64_t>(entry.correlation->level_id))
            .bind(7, static_cast<std::int64_t>(entry.correlation->sequence_number));
    } else {
        s.bind_null(6).bind_null(7);
    }
    s.run();
    transaction.catalogue.used(lane, row);
    oldest_ = std::min(oldest_, entry.at.micros());
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

bool AuditTable::prune(const Transaction& transaction, std::chrono::seconds retention, std::int64_t limit,
                       RowId counters_upto) {
    if (!prune_due(transaction.trusted, retention)) {
        return false;
    }
    const std::int64_t cutoff = transaction.trusted.micros() - retention.count() * 1'000'000;
    std::int64_t edge = 0;
    bool needed_for_counters = false;
    oldest_ = std::numeric_limits<std::int64_t>::max();
    {
        // An entry from the future is a wrong clock's: it goes with those around it, and holds up none.
        statements_.first.bind(1, transaction.trusted.micros()).bind(2, limit);
        for (Rows rows(statements_.first); rows.next();) {
            const std::int64_t at = rows->integer(1);
            oldest_ = at;
            needed_for_counters = at < cutoff && rows->integer(0) > counters_upto;
            if (at >= cutoff || needed_for_counters) {
                break;
            }
            edge = rows->integer(0);
        }
    }
    statements_.remove.bind(1, edge).run();
    statements_.remove_notes.bind(1, edge).run();
    return needed_for_counters;
}

}  // namespace lihandover::store::sqlite
