#include "arrival_table.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "columns.hpp"
#include "common/states.hpp"

namespace lihandover::store::postgresql {

namespace {

using Kind = Arrived::Kind;

/// What is written, by column.
struct Columns {
    std::vector<std::int64_t> bucket, lane, kind, item, flags;
    std::vector<std::optional<std::string>> object;
    std::vector<std::optional<std::int64_t>> size, deadline;

    void add(Kind what, LaneId of, RowId row, bool emergency) {
        bucket.push_back(static_cast<std::int64_t>(bucket_of(of)));
        lane.push_back(of);
        kind.push_back(static_cast<std::int64_t>(what));
        item.push_back(row);
        flags.push_back(emergency ? item_flag_emergency : 0);
        object.emplace_back();
        size.emplace_back();
        deadline.emplace_back();
    }
    void add(Kind what, const QueuedObject& of) {
        add(what, of.lane, 0, of.emergency);
        object.back() = text_of(of.id);
        size.back() = static_cast<std::int64_t>(of.size);
        deadline.back() = of.deadline.micros();
    }
};

bool ends(Kind kind) {
    return kind == Kind::withdrawn || kind == Kind::lane_withdrawn || kind == Kind::upload_withdrawn;
}

Columns columns_of(const Effects& effects, const Buckets& held) {
    Columns columns;
    const auto foreign = [&held](LaneId lane) { return !held[bucket_of(lane)]; };
    const auto add_lanes = [&](Kind kind, const std::vector<LaneId>& lanes) {
        for (const LaneId lane : lanes) {
            if (foreign(lane)) {
                columns.add(kind, lane, 0, false);
            }
        }
    };
    const auto add_items = [&](Kind kind, const std::vector<QueuedItem>& items) {
        for (const QueuedItem& item : items) {
            if (foreign(item.lane)) {
                columns.add(kind, item.lane, item.row, item.emergency);
            }
        }
    };
    add_lanes(Kind::withholding, effects.withholding_changed);
    add_lanes(Kind::lane_withdrawn, effects.lanes_withdrawn);
    add_items(Kind::prepared, effects.prepared);
    add_items(Kind::retried, effects.retried);
    add_items(Kind::queued, effects.queued);
    add_items(Kind::withdrawn, effects.withdrawn);
    for (const QueuedObject& object : effects.uploads) {
        if (foreign(object.lane)) {
            columns.add(Kind::upload, object);
        }
    }
    for (const auto& [lane, id] : effects.uploads_withdrawn_elsewhere) {
        QueuedObject object;
        object.id = id;
        object.lane = lane;
        columns.add(Kind::upload_withdrawn, object);
    }
    return columns;
}

}  // namespace

std::vector<std::int64_t> ArrivalTable::write(Connection& connection, const Effects& effects, const Buckets& held) {
    if (held.all()) {
        return {};
    }
    const Columns c = columns_of(effects, held);
    if (c.lane.empty()) {
        return {};
    }
    Asked put = connection.ask(
        "INSERT INTO arrival(bucket, lane, kind, item, flags, object, size, deadline) SELECT * FROM "
        "unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[], $7::bigint[], "
        "$8::bigint[]) RETURNING id, kind",
        Parameters().add(c.bucket).add(c.lane).add(c.kind).add(c.item).add(c.flags).add(c.object).add(c.size).add(
            c.deadline));
    std::vector<std::int64_t> endings;
    if (std::ranges::none_of(c.kind, [](std::int64_t kind) { return ends(static_cast<Kind>(kind)); })) {
        return endings;  // nobody waits for the answer then
    }
    const Rows rows = connection.answer(put);
    for (int row = 0; row < rows.size(); ++row) {
        if (ends(static_cast<Kind>(rows.integer(row, 1)))) {
            endings.push_back(rows.integer(row, 0));
        }
    }
    return endings;
}

Asked ArrivalTable::ask(Connection& connection, const Buckets& buckets) {
    return connection.ask(
        "DELETE FROM arrival WHERE bucket=ANY($1) RETURNING id, lane, kind, item, flags, object, size, deadline",
        Parameters().add(numbers_of(buckets)));
}

std::vector<Arrived> ArrivalTable::answer(Connection& connection, Asked& asked) {
    const Rows rows = connection.answer(asked);
    std::vector<std::pair<std::int64_t, Arrived>> found;
    for (int row = 0; row < rows.size(); ++row) {
        Arrived& one = found.emplace_back(rows.integer(row, 0), Arrived()).second;
        one.kind = static_cast<Kind>(rows.integer(row, 2));
        one.item = {rows.integer(row, 3), rows.integer(row, 1), (rows.integer(row, 4) & item_flag_emergency) != 0};
        if (!rows.is_null(row, 5)) {
            one.object = {uuid_of(rows.bytes(row, 5)), one.item.lane, one.item.emergency,
                          static_cast<std::uint64_t>(rows.integer(row, 6)),
                          model::Instant::from_micros(rows.integer(row, 7))};
        }
    }
    std::ranges::sort(found, {}, [](const auto& one) { return one.first; });
    std::vector<Arrived> all;
    all.reserve(found.size());
    for (auto& [number, one] : found) {
        all.push_back(one);
    }
    return all;
}

std::vector<Arrived> ArrivalTable::endings_of(std::span<const Arrived> arrived) {
    std::vector<Arrived> endings;
    std::ranges::copy_if(arrived, std::back_inserter(endings), [](const Arrived& one) { return ends(one.kind); });
    return endings;
}

void ArrivalTable::leave_out_ended(std::vector<Arrived>& arrived) {
    std::set<RowId> rows;
    std::set<LaneId> lanes;
    std::set<model::Uuid> objects;
    std::vector<Arrived> left;
    for (auto one = arrived.rbegin(); one != arrived.rend(); ++one) {
        switch (one->kind) {
            case Kind::withdrawn:
                rows.insert(one->item.row);
                break;
            case Kind::lane_withdrawn:
                lanes.insert(one->item.lane);
                break;
            case Kind::upload_withdrawn:
                objects.insert(one->object.id);
                break;
            case Kind::queued:
            case Kind::retried:
            case Kind::prepared:
                if (rows.contains(one->item.row) || lanes.contains(one->item.lane)) {
                    continue;
                }
                break;
            case Kind::upload:
                if (objects.contains(one->object.id)) {
                    continue;
                }
                break;
            case Kind::withholding:
                break;
        }
        left.push_back(*one);
    }
    std::ranges::reverse(left);
    arrived = std::move(left);
}

bool ArrivalTable::any(Connection& connection, const Buckets& buckets) {
    return buckets.any() && !connection
                                 .read("SELECT 1::bigint FROM arrival WHERE bucket=ANY($1) LIMIT 1",
                                       Parameters().add(numbers_of(buckets)))
                                 .empty();
}

std::vector<std::int64_t> ArrivalTable::left_of(Connection& connection, std::span<const std::int64_t> numbers) {
    std::vector<std::int64_t> left;
    const Rows rows = connection.read("SELECT id FROM arrival WHERE id=ANY($1)", Parameters().add(numbers));
    for (int row = 0; row < rows.size(); ++row) {
        left.push_back(rows.integer(row, 0));
    }
    return left;
}

}  // namespace lihandover::store::postgresql
