#include "conversations.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <tuple>
#include <utility>

namespace lihandover::store::sqlite {

namespace {

std::string_view as_text(const void* data, std::size_t size) {
    return {static_cast<const char*>(data), size};
}

}  // namespace

std::size_t Conversations::KeyHash::operator()(const Key& key) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, key.hash.data(), sizeof value);  // a keyed hash already
    return value ^ (static_cast<std::size_t>(key.lane) * 0x9e3779b97f4a7c15U);
}

void Conversations::open(Connection& connection) {
    select_ = connection.prepare("SELECT hash, next_sequence FROM conversation WHERE lane=? AND level_id=?");
    insert_ =
        connection.prepare("INSERT INTO conversation(lane, level_id, hash, next_sequence, last) VALUES(?, ?, ?, 0, ?)");
    update_ = connection.prepare("UPDATE conversation SET next_sequence=?, last=? WHERE lane=? AND level_id=?");
    page_ = connection.prepare(
        "SELECT lane, level_id, hash, last FROM conversation WHERE (lane, level_id) > (?, ?) ORDER BY lane, level_id "
        "LIMIT ?");
    remove_ = connection.prepare("DELETE FROM conversation WHERE lane=? AND level_id=?");
    set_upto_ = connection.prepare("UPDATE meta SET value=? WHERE name='counters_upto'");
    upto_ = connection.integer("SELECT value FROM meta WHERE name='counters_upto'");

    std::map<std::pair<LaneId, std::uint64_t>, std::uint64_t> behind;
    Statement since = connection.prepare(
        "SELECT lane, level_id, sequence FROM record WHERE id > ? AND kind = ? AND level_id IS NOT NULL");
    since.bind(1, upto_).bind(2, static_cast<std::int64_t>(RecordKind::item_made));
    for (Rows rows(since); rows.next();) {
        std::uint64_t& next = behind[{rows->integer(0), static_cast<std::uint64_t>(rows->integer(1))}];
        next = std::max(next, static_cast<std::uint64_t>(rows->integer(2)) + 1);
    }
    for (const auto& [place, next] : behind) {
        select_.bind(1, place.first).bind(2, static_cast<std::int64_t>(place.second));
        const Rows rows(select_);
        if (!select_.step()) {
            throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
        }
        const std::string_view hash = select_.bytes(0);
        Key key{place.first, {}};
        if (hash.size() != key.hash.size()) {
            throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
        }
        std::memcpy(key.hash.data(), hash.data(), hash.size());
        Entry& entry = add(key, place.second, next);
        entry.dirty = true;
        dirty_.push_back(&entry);
    }
}

void Conversations::close() {
    touched_.clear();
    dirty_.clear();
    young_.clear();
    old_.clear();
    flushing_upto_.reset();
    for (Statement* statement : {&select_, &insert_, &update_, &set_upto_, &page_, &remove_}) {
        *statement = Statement();
    }
}

Conversations::Entry& Conversations::add(const Key& key, std::uint64_t level_id, std::uint64_t next) {
    Entry& entry = young_[key];
    entry.key = key;
    entry.level_id = level_id;
    entry.next = entry.committed = next;
    return entry;
}

Conversations::Entry& Conversations::find_or_make(const Key& key) {
    if (const auto found = young_.find(key); found != young_.end()) {
        return found->second;
    }
    if (const auto found = old_.find(key); found != old_.end()) {
        return young_.insert(old_.extract(found)).position->second;
    }
    for (std::uint32_t attempt = 0;; ++attempt) {
        const std::uint64_t level_id = level_of(secret_, key.lane, key.hash, attempt);
        {
            select_.bind(1, key.lane).bind(2, static_cast<std::int64_t>(level_id));
            Rows rows(select_);
            if (rows.next()) {
                if (rows->bytes(0) != as_text(key.hash.data(), key.hash.size())) {
                    continue;
                }
                return add(key, level_id, static_cast<std::uint64_t>(rows->integer(1)));
            }
        }
        insert_.bind(1, key.lane)
            .bind(2, static_cast<std::int64_t>(level_id))
            .bind(3, std::span(key.hash))
            .bind(4, upto_ + 1)
            .run();
        Entry& entry = add(key, level_id, 0);
        entry.fresh = true;
        return entry;
    }
}

model::ApplicationCorrelation Conversations::next(LaneId lane, const Hash128& hash) {
    Entry& entry = find_or_make({lane, hash});
    if (!entry.touched) {
        entry.touched = true;
        touched_.push_back(&entry);
    }
    return {entry.level_id, entry.next++};
}

void Conversations::flush(std::int64_t last_record) {
    std::vector<const Entry*> behind(dirty_.begin(), dirty_.end());
    for (const Entry* entry : touched_) {
        if (!entry->dirty) {
            behind.push_back(entry);
        }
    }
    // In key order each page is touched once.
    std::ranges::sort(behind, [](const Entry* left, const Entry* right) {
        return std::tie(left->key.lane, left->level_id) < std::tie(right->key.lane, right->level_id);
    });
    for (const Entry* entry : behind) {
        update_.bind(1, static_cast<std::int64_t>(entry->next))
            .bind(2, last_record)
            .bind(3, entry->key.lane)
            .bind(4, static_cast<std::int64_t>(entry->level_id))
            .run();
    }
    set_upto_.bind(1, last_record).run();
    flushing_upto_ = last_record;
}

bool Conversations::let_go(RowId below, std::int64_t rows) {
    std::vector<std::pair<Key, std::int64_t>> unused;
    std::int64_t seen = 0;
    page_.bind(1, looked_at_lane_).bind(2, looked_at_level_).bind(3, rows);
    for (Rows found(page_); found.next(); ++seen) {
        looked_at_lane_ = found->integer(0);
        looked_at_level_ = found->integer(1);
        Key key{looked_at_lane_, {}};
        const std::string_view hash = found->bytes(2);
        if (found->integer(3) >= below || hash.size() != key.hash.size()) {
            continue;
        }
        std::memcpy(key.hash.data(), hash.data(), hash.size());
        unused.emplace_back(key, looked_at_level_);
    }
    for (const auto& [key, level_id] : unused) {
        for (Map* entries : {&young_, &old_}) {
            const auto entry = entries->find(key);
            if (entry == entries->end()) {
                continue;
            }
            // The row does not know of its last use yet.
            if (entry->second.dirty || entry->second.touched) {
                break;
            }
            entries->erase(entry);
        }
        if (!young_.contains(key) && !old_.contains(key)) {
            remove_.bind(1, key.lane).bind(2, level_id).run();
        }
    }
    if (seen == rows) {
        return false;
    }
    looked_at_lane_ = 0;
    looked_at_level_ = -1;
    return true;
}

void Conversations::commit() {
    const bool flushed = flushing_upto_.has_value();
    for (Entry* entry : touched_) {
        entry->committed = entry->next;
        entry->touched = entry->fresh = false;
        if (!flushed && !entry->dirty) {
            entry->dirty = true;
            dirty_.push_back(entry);
        }
    }
    touched_.clear();
    if (!flushed) {
        return;
    }
    upto_ = *flushing_upto_;
    flushing_upto_.reset();
    for (Entry* entry : dirty_) {
        entry->dirty = false;
    }
    dirty_.clear();
    if (young_.size() >= capacity) {
        old_.swap(young_);
        young_.clear();
    }
}

void Conversations::roll_back() {
    flushing_upto_.reset();
    for (Entry* entry : touched_) {
        entry->next = entry->committed;
        entry->touched = false;
        // Its row is gone with the transaction.
        if (entry->fresh) {
            young_.erase(Key(entry->key));
        }
    }
    touched_.clear();
}

}  // namespace lihandover::store::sqlite
