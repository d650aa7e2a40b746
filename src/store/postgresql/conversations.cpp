#include "conversations.hpp"

#include <optional>

#include "columns.hpp"

namespace lihandover::store::postgresql {

void Conversations::ask(Connection& connection, std::span<const NewItem* const> items) {
    clear();
    for (const NewItem* item : items) {
        if (item->conversation_hash && item->review == Review::none) {
            rows_[{item->lane, level_of(secret_, item->lane, *item->conversation_hash, 0)}] = {};
        }
    }
    if (rows_.empty()) {
        return;
    }
    std::vector<std::int64_t> lanes;
    std::vector<std::int64_t> levels;
    for (const auto& [place, row] : rows_) {
        lanes.push_back(place.first);
        levels.push_back(static_cast<std::int64_t>(place.second));
    }
    asked_ = connection.ask(
        "SELECT c.lane, c.level_id, c.hash, c.next_sequence FROM unnest($1::bigint[], $2::bigint[]) AS q(lane, "
        "level_id) JOIN conversation c ON c.lane=q.lane AND c.level_id=q.level_id",
        Parameters().add(lanes).add(levels));
    wait_ = true;
}

const Conversations::Row& Conversations::row_of(Connection& connection, const Place& place) {
    const auto keep = [this](const Rows& rows) {
        for (int row = 0; row < rows.size(); ++row) {
            rows_[{rows.integer(row, 0), static_cast<std::uint64_t>(rows.integer(row, 1))}] = {
                std::string(rows.bytes(row, 2)), static_cast<std::uint64_t>(rows.integer(row, 3))};
        }
    };
    if (std::exchange(wait_, false)) {
        keep(connection.answer(asked_));
    }
    if (const auto found = rows_.find(place); found != rows_.end()) {
        return found->second;
    }
    keep(connection.read("SELECT lane, level_id, hash, next_sequence FROM conversation WHERE lane=$1 AND level_id=$2",
                         Parameters().add(place.first).add(static_cast<std::int64_t>(place.second))));
    return rows_[place];
}

Conversations::Entry& Conversations::find_or_make(Connection& connection, LaneId lane, const Hash128& hash) {
    if (const auto found = entries_.find({lane, hash}); found != entries_.end()) {
        return found->second;
    }
    const std::string_view wanted = text_of(std::span<const std::uint8_t>(hash));
    for (std::uint32_t attempt = 0;; ++attempt) {
        const std::uint64_t level_id = level_of(secret_, lane, hash, attempt);
        const Row& row = row_of(connection, {lane, level_id});
        if (row.hash.empty() || row.hash == wanted) {
            // Another of this transaction must not take the same level id.
            Entry& entry = entries_[{lane, hash}] = {level_id, row.next};
            rows_[{lane, level_id}].hash = wanted;
            return entry;
        }
    }
}

model::ApplicationCorrelation Conversations::next(Connection& connection, LaneId lane, const Hash128& hash) {
    Entry& entry = find_or_make(connection, lane, hash);
    const model::ApplicationCorrelation given{entry.level_id, entry.next++};
    changed_[{lane, hash}] = entry;
    return given;
}

void Conversations::flush(Connection& connection, std::int64_t used) {
    if (changed_.empty()) {
        return;
    }
    std::vector<std::int64_t> lanes;
    std::vector<std::int64_t> levels;
    std::vector<std::string> hashes;
    std::vector<std::int64_t> next;
    for (const auto& [key, entry] : changed_) {
        lanes.push_back(key.first);
        levels.push_back(static_cast<std::int64_t>(entry.level_id));
        hashes.emplace_back(text_of(std::span<const std::uint8_t>(key.second)));
        next.push_back(static_cast<std::int64_t>(entry.next));
    }
    connection.write(
        "INSERT INTO conversation(lane, level_id, hash, next_sequence, used) SELECT *, $5 FROM unnest($1::bigint[], "
        "$2::bigint[], $3::bytea[], $4::bigint[]) ON CONFLICT (lane, level_id) DO UPDATE SET "
        "next_sequence=excluded.next_sequence, used=excluded.used",
        Parameters().add(lanes).add(levels).add(hashes).add(next).add(used));
    changed_.clear();
}

void Conversations::clear() {
    wait_ = false;
    rows_.clear();
    entries_.clear();
    changed_.clear();
}

void Conversations::let_go(Connection& connection, std::int64_t before, std::int64_t limit) {
    // One that is in use has its lane's row locked, and a later time after that: it is looked at once more then.
    connection.write(
        "DELETE FROM conversation WHERE (lane, level_id) IN (SELECT lane, level_id FROM conversation WHERE used < $1 "
        "LIMIT $2 FOR UPDATE SKIP LOCKED)",
        Parameters().add(before).add(limit));
}

}  // namespace lihandover::store::postgresql
