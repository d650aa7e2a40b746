#include "audit_reads.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "columns.hpp"

namespace lihandover::store::sqlite {

namespace {

constexpr const char* checkpoint_columns =
    "SELECT number, record, hash, at, nanos, node, signature FROM chain_checkpoint ";
constexpr const char* page =
    "SELECT r.id, r.at, r.nanos, r.kind, r.object_id, r.item, r.level_id, r.sequence, r.received, "
    "opened('note.who', n.record, n.who), opened('note.why', n.record, n.why), n.code, n.code_kind, "
    "opened('note.words', n.record, n.words), l.destination, opened('lane.liid', l.id, coalesce(l.sealed, l.liid)) "
    "FROM record r LEFT JOIN record_note n ON n.record=r.id LEFT JOIN lane l ON l.id=r.lane WHERE r.id > ? ORDER BY "
    "r.id LIMIT ?";

struct StoredCheckpoint {
    audit::Checkpoint said;
    RowId row = 0;
};

/// With what microseconds leave out, 0 to 999.
model::Instant time_of(std::int64_t micros, std::int64_t nanos) {
    model::Instant time = model::Instant::from_micros(micros);
    time.nanos += static_cast<std::int32_t>(std::clamp<std::int64_t>(nanos, 0, 999));
    return time;
}

std::optional<StoredCheckpoint> checkpoint_of(Statement& select) {
    Rows rows(select);
    if (!rows.next()) {
        return std::nullopt;
    }
    return StoredCheckpoint{{{static_cast<std::uint64_t>(rows->integer(0)), hash_of(rows->bytes(2))},
                             time_of(rows->integer(3), rows->integer(4)),
                             std::string(rows->bytes(5)),
                             std::string(rows->bytes(6))},
                            rows->integer(1)};
}

std::optional<StoredCheckpoint> find_checkpoint(Connection& connection, std::string_view rest, std::int64_t value) {
    Statement select = connection.prepare(std::string(checkpoint_columns) + std::string(rest));
    select.bind(1, value);
    return checkpoint_of(select);
}

/// The entry of a row; views the row and `refusal`.
audit::Recorded recorded_of(const Statement& row, Refusal& refusal) {
    audit::Recorded recorded;
    audit::Entry& entry = recorded.entry;
    const std::int64_t nanos = row.integer(2);
    entry.at = time_of(row.integer(1), nanos / 1000);
    entry.kind = static_cast<audit::Kind>(row.integer(3));
    if (!row.is_null(4)) {
        entry.object_id = uuid_of(row.bytes(4));
    }
    if (!row.is_null(5)) {
        recorded.item = static_cast<std::uint64_t>(row.integer(5));
    }
    entry.correlation = correlation_of(row, 6);
    if (!row.is_null(8)) {
        entry.received_at = time_of(row.integer(8), nanos % 1000);
        recorded.item = static_cast<std::uint64_t>(row.integer(0));  // of the item's own row
    }
    entry.who = row.bytes(9);
    entry.why = row.bytes(10);
    if (auto said = refusal_of(row, 11)) {
        refusal = std::move(*said);
        entry.refusal = &refusal;
    }
    entry.destination = row.bytes(14);
    entry.liid = row.bytes(15);
    return recorded;
}

/// Goes through the rows of one page.
class Walk {
  public:
    Walk(Connection& connection, const AuditLog::Place& place, std::uint64_t to, AuditLog::Visitor& visitor)
        : to_(to), visitor_(visitor), place_(place) {
        next_checkpoint_ =
            connection.prepare(std::string(checkpoint_columns) + "WHERE number > ? ORDER BY number LIMIT 1");
        find_next();
    }

    [[nodiscard]] const AuditLog::Place& place() const { return place_; }
    [[nodiscard]] bool arrived() const { return place_.number >= to_; }
    [[nodiscard]] bool enough() const { return enough_; }

    void row(const Statement& row) {
        const RowId id = row.integer(0);
        // Its own last row is gone.
        while (next_ && id > next_->row && !arrived()) {
            take_checkpoint();
        }
        if (arrived()) {
            return;
        }
        audit::Recorded recorded = recorded_of(row, refusal_);
        recorded.number = place_.number + 1;
        recorded.previous = place_.hash;
        recorded.hash = hasher_.of(place_.hash, recorded);
        enough_ = !visitor_.entry(recorded);
        place_ = {recorded.number, recorded.hash, id, place_.checkpoint};
        if (next_ && next_->row == id) {
            take_checkpoint();
        }
    }
    /// There are no more rows.
    void rest() {
        while (next_ && !arrived()) {
            take_checkpoint();
        }
    }

  private:
    void find_next() {
        next_checkpoint_.bind(1, static_cast<std::int64_t>(place_.checkpoint));
        next_ = checkpoint_of(next_checkpoint_);
    }
    void take_checkpoint() {
        visitor_.checkpoint(next_->said);
        const audit::Head& head = next_->said.head;
        place_ = {head.number, head.hash, next_->row, head.number};
        find_next();
    }

    std::uint64_t to_;
    AuditLog::Visitor& visitor_;
    AuditLog::Place place_;
    Statement next_checkpoint_;
    std::optional<StoredCheckpoint> next_;
    Refusal refusal_;
    audit::Hasher hasher_;
    bool enough_ = false;
};

/// The checkpoint that reading begins behind.
StoredCheckpoint begin_of(Connection& connection, std::optional<model::Instant> since) {
    auto begin = find_checkpoint(connection, "WHERE number >= ? ORDER BY number LIMIT 1", 0);
    if (!begin) {
        throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
    }
    if (since) {
        // Not behind an entry of the time, whatever the clock said at the checkpoints: the one before the first of
        // them.
        const auto later = find_checkpoint(
            connection,
            "WHERE at < ?1 AND number < coalesce((SELECT min(number) FROM chain_checkpoint WHERE newest >= ?1), "
            "9223372036854775807) ORDER BY number DESC LIMIT 1",
            since->micros());
        begin = later ? later : begin;
    }
    return *begin;
}

/// The checkpoint that reading ends with; nullopt: it goes on to the newest entry.
std::optional<audit::Head> end_of(Connection& connection, std::uint64_t begin, model::Instant until) {
    {
        Statement rest = connection.prepare(
            "SELECT 1 FROM record WHERE id > (SELECT record FROM chain_checkpoint ORDER BY number DESC LIMIT 1) AND at "
            "<= ? LIMIT 1");
        rest.bind(1, until.micros());
        if (Rows(rest).next()) {
            return std::nullopt;
        }
    }
    // Nor before the last entry of the time.
    Statement select = connection.prepare(
        std::string(checkpoint_columns) +
        "WHERE number > ?1 AND at >= ?2 AND number >= coalesce((SELECT max(number) FROM chain_checkpoint WHERE oldest "
        "<= ?2), 0) ORDER BY number LIMIT 1");
    select.bind(1, static_cast<std::int64_t>(begin)).bind(2, until.micros());
    const auto last = checkpoint_of(select);
    return last ? std::optional(last->said.head) : std::nullopt;
}

}  // namespace

audit::Hash hash_of(std::string_view bytes) {
    audit::Hash hash{};
    if (bytes.size() != hash.size()) {
        throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
    }
    std::memcpy(hash.data(), bytes.data(), bytes.size());
    return hash;
}

std::optional<audit::Hash> hash_at(Connection& connection, std::uint64_t number) {
    class Nobody final : public AuditLog::Visitor {
      public:
        bool entry(const audit::Recorded& /*recorded*/) override { return true; }
        void checkpoint(const audit::Checkpoint& /*checkpoint*/) override {}
    } nobody;
    const auto begin = find_checkpoint(connection, "WHERE number <= ? ORDER BY number DESC LIMIT 1",
                                       static_cast<std::int64_t>(number));
    if (!begin) {
        return std::nullopt;
    }
    const std::uint64_t from = begin->said.head.number;
    Walk walk(connection, {from, begin->said.head.hash, begin->row, from}, number, nobody);
    Statement select = connection.prepare(page);
    select.bind(1, begin->row).bind(2, std::int64_t{-1});
    for (Rows rows(select); !walk.arrived() && rows.next();) {
        walk.row(*rows.operator->());
    }
    return walk.place().number == number ? std::optional(walk.place().hash) : std::nullopt;
}

model::Result<AuditLog::Range> audit_range(ReadConnection& from, std::optional<model::Instant> since,
                                           std::optional<model::Instant> until) {
    AuditLog::Range range;
    const model::Status status = from.reading([&] {
        Connection& connection = from.connection();
        const ScopedTransaction snapshot(connection, "BEGIN");
        {
            Statement chain = connection.prepare("SELECT beginning, number, hash FROM chain");
            Rows rows(chain);
            if (!rows.next()) {
                throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
            }
            range.chain = hash_of(rows->bytes(0));
            range.head = {static_cast<std::uint64_t>(rows->integer(1)), hash_of(rows->bytes(2))};
        }
        const StoredCheckpoint begin = begin_of(connection, since);
        const std::uint64_t number = begin.said.head.number;
        range.from = {number, begin.said.head.hash, begin.row, number};
        if (number > 0) {
            range.before = begin.said;
        }
        range.to = until ? end_of(connection, number, *until).value_or(range.head) : range.head;
    });
    if (!status) {
        return status.error();
    }
    return range;
}

model::Result<AuditLog::Read> audit_read(ReadConnection& from, const AuditLog::Place& place, std::uint64_t to,
                                         std::size_t limit, AuditLog::Visitor& visitor) {
    AuditLog::Read read;
    bool pruned = false;
    const model::Status status = from.reading([&] {
        Connection& connection = from.connection();
        const ScopedTransaction snapshot(connection, "BEGIN");
        const auto begin = find_checkpoint(connection, "WHERE number >= ? ORDER BY number LIMIT 1", 0);
        if (!begin || begin->said.head.number > place.number) {
            pruned = true;
            return;
        }
        Walk walk(connection, place, to, visitor);
        const auto most = static_cast<std::int64_t>(std::min<std::size_t>(limit, std::numeric_limits<int>::max()));
        Statement select = connection.prepare(page);
        select.bind(1, place.row).bind(2, most);
        std::int64_t seen = 0;
        for (Rows rows(select); !walk.arrived() && !walk.enough() && rows.next(); ++seen) {
            walk.row(*rows.operator->());
        }
        const bool last = seen < most && !walk.enough();
        if (last) {
            walk.rest();
        }
        read = {walk.place(), last || walk.arrived()};
    });
    if (!status) {
        return status.error();
    }
    if (pruned) {
        return model::Error{"entries were removed meanwhile, since they are older than record_retention: export again"};
    }
    return read;
}

}  // namespace lihandover::store::sqlite
