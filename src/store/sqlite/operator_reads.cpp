#include "operator_reads.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "columns.hpp"
#include "common/numbered.hpp"
#include "common/states.hpp"
#include "object_table.hpp"

namespace lihandover::store::sqlite {

namespace {

// Columns of these: id, lane, object_id, received, level_id, sequence, changed, then what belongs to the state.
// Emergencies come first, and they are not told apart by an index: looking for those among all that wait is a scan, as
// looking for one id is. Pages after them find their place by row.
constexpr const char* queued_page =
    "SELECT id, lane, object_id, received, level_id, sequence, received FROM item WHERE id > ?1 AND (flags & 1)=?3 "
    "ORDER BY id LIMIT ?2";
// A record of an end knows the row; the record of the making, which has the row's number, knows the rest unless it was
// pruned already. An acceptance that came after a rejection counts.
constexpr const char* ended_page =
    "SELECT e.item, e.lane, e.object_id, coalesce(m.received, e.at), m.level_id, m.sequence, e.at, n.code, "
    "n.code_kind, "
    "opened('note.words', n.record, n.words), opened('note.who', n.record, n.who), opened('note.why', n.record, n.why) "
    "FROM record e INDEXED BY record_ended LEFT JOIN record m ON m.id=e.item AND "
    "(m.kind={record.item_made} OR m.kind={record.item_held}) "
    "LEFT JOIN record_note n ON n.record=e.id "
    "WHERE e.kind IN (4, 7) AND e.kind=?3 AND e.item > ?1 AND (e.kind={record.item_delivered} OR NOT EXISTS(SELECT 1 "
    "FROM record d "
    "WHERE d.kind IN (4, 7) AND d.kind={record.item_delivered} AND d.item=e.item)) ORDER BY e.item LIMIT ?2";

// Binary objects that wait by themselves, columns as above; their item, whose record knows when it was received, is
// gone.
#define LIHANDOVER_WAITING_OBJECT "(o.state={object.queued} OR o.state={object.refused} OR o.state={object.set_aside})"
#define LIHANDOVER_OBJECT_VIEW                                                                                   \
    "SELECT o.id, o.lane, o.uuid, coalesce(m.received, o.changed), m.level_id, m.sequence, o.changed, o.code, "  \
    "o.code_kind, opened('object.words', o.id, o.words), o.state, o.item_uuid, o.flags FROM object o LEFT JOIN " \
    "record m ON m.id=o.item AND "                                                                               \
    "(m.kind={record.item_made} OR m.kind={record.item_held}) "
constexpr const char* object_page =
    LIHANDOVER_OBJECT_VIEW "WHERE " LIHANDOVER_WAITING_OBJECT
                           " AND o.id > ?1 AND (o.flags & 1)=?3 AND (?4 IS NULL OR o.state=?4) ORDER BY o.id LIMIT ?2";
constexpr const char* object_view = LIHANDOVER_OBJECT_VIEW "WHERE o.uuid=? AND " LIHANDOVER_WAITING_OBJECT;
#undef LIHANDOVER_OBJECT_VIEW
constexpr const char* object_ended =
    "SELECT e.id, e.lane, e.object_id, coalesce(m.received, e.at), m.level_id, m.sequence, e.at, n.code, n.code_kind, "
    "opened('note.words', n.record, n.words), opened('note.who', n.record, n.who), opened('note.why', n.record, "
    "n.why), e.kind, m.object_id FROM record e LEFT JOIN record m ON m.id=e.item AND "
    "(m.kind={record.item_made} OR m.kind={record.item_held}) "
    "LEFT JOIN record_note n ON n.record=e.id "
    "WHERE (e.kind=9 OR e.kind=13 OR e.kind=14) AND e.kind IN ({record.object_pushed}, {record.object_rejected}) AND "
    "e.object_id=? ORDER BY e.id DESC LIMIT 1";

#undef LIHANDOVER_WAITING_OBJECT

ObjectState object_state_of(ItemState state) {
    return state == ItemState::queued      ? ObjectState::queued
           : state == ItemState::set_aside ? ObjectState::set_aside
                                           : ObjectState::refused;
}

std::int64_t kind_of(ItemState state) {
    return static_cast<std::int64_t>(state == ItemState::delivered ? RecordKind::item_delivered
                                                                   : RecordKind::item_rejected);
}

ItemView view_of(const ReadConnection& from, const Statement& row, ItemState state) {
    ItemView view;
    view.state = state;
    view.row = row.integer(0);
    if (const auto lane = from.setup().catalogue->find_lane(row.integer(1))) {
        view.destination = lane->destination;
        view.liid = lane->liid;
    }
    view.object_id = uuid_of(row.bytes(2));
    view.received_at = model::Instant::from_micros(row.integer(3));
    view.correlation = correlation_of(row, 4);
    view.changed_at = model::Instant::from_micros(row.integer(6));
    return view;
}

ItemView view_of_ended(const ReadConnection& from, const Statement& row, ItemState state) {
    ItemView view = view_of(from, row, state);
    view.refusal = refusal_of(row, 7);
    view.who = row.bytes(10);
    view.why = row.bytes(11);
    return view;
}

ItemView view_of_object(const ReadConnection& from, const Statement& row) {
    ItemView view = view_of(from, row, item_state_of(static_cast<ObjectState>(row.integer(10))));
    view.refusal = refusal_of(row, 7);
    view.object_of = uuid_of(row.bytes(11));
    view.emergency = (row.integer(12) & object_flag_emergency) != 0;
    return view;
}

/// Rows of one kind after `after`, at most `limit`: emergencies, and then the others. `page` has the place as ?1, the
/// limit as ?2, and as ?3 which of the two.
template <typename View>
void add_page(Statement& page, ListPlace after, std::int64_t limit, std::vector<ItemView>& views,
              const View& view_of_row) {
    std::int64_t room = limit;
    for (const bool routine : {false, true}) {
        if (room == 0 || routine < after.routine) {
            continue;
        }
        page.bind(1, routine == after.routine ? after.row : 0).bind(2, room).bind(3, std::int64_t{routine ? 0 : 1});
        for (Rows rows(page); rows.next(); --room) {
            views.push_back(view_of_row(*rows.operator->()));
            views.back().emergency = !routine;
        }
    }
}

ItemView view_of_aside(const ReadConnection& from, const Statement& row) {
    ItemView view = view_of(from, row, static_cast<ItemState>(row.integer(10)));
    view.refusal = refusal_of(row, 7);
    if (view.state == ItemState::held) {
        HeldFor& held = view.held.emplace();
        held.review = static_cast<Review>(row.integer(11));
        held.first_who = row.bytes(12);
        held.first_rejects = row.integer(13) != 0;
        held.first_why = row.bytes(14);
        held.withheld = row.integer(16) != 0;
    }
    return view;
}

std::optional<ItemView> find_aside(ReadConnection& from, const model::Uuid& object_id) {
    Statement select = from.connection().prepare(
        "SELECT a.id, a.lane, a.object_id, a.received, a.level_id, a.sequence, a.changed, a.code, a.code_kind, "
        "opened('aside.words', a.id, a.words), a.state, h.review, opened('held.first_who', named(h.id, h.review), "
        "h.first_who), "
        "h.first_rejects, opened('held.first_why', named(h.id, h.review), h.first_why), a.flags, "
        "h.queued FROM aside a LEFT JOIN held h "
        "ON h.id=a.id WHERE a.object_id=?");
    select.bind(1, std::span<const std::uint8_t>(object_id.bytes));
    Rows rows(select);
    if (!rows.next()) {
        return std::nullopt;
    }
    ItemView view = view_of_aside(from, *rows.operator->());
    view.emergency = (rows->integer(15) & item_flag_emergency) != 0;
    return view;
}

#define LIHANDOVER_QUEUED_VIEW "SELECT id, lane, object_id, received, level_id, sequence, received, flags FROM item "
constexpr const char* queued_by_id = LIHANDOVER_QUEUED_VIEW "WHERE object_id=?";
constexpr const char* queued_by_row = LIHANDOVER_QUEUED_VIEW "WHERE id=?";
#undef LIHANDOVER_QUEUED_VIEW

ItemView view_of_queued(const ReadConnection& from, const Statement& row) {
    ItemView view = view_of(from, row, ItemState::queued);
    view.emergency = (row.integer(7) & item_flag_emergency) != 0;
    return view;
}

std::optional<ItemView> find_queued(ReadConnection& from, const model::Uuid& object_id) {
    Statement select = from.connection().prepare(queued_by_id);
    select.bind(1, std::span<const std::uint8_t>(object_id.bytes));
    Rows rows(select);
    if (!rows.next()) {
        return std::nullopt;
    }
    return view_of_queued(from, *rows.operator->());
}

/// The item of that row, if it ended so and that counts.
std::optional<ItemView> find_ended(ReadConnection& from, RowId row, ItemState state) {
    Statement page = from.connection().prepare(ended_page);
    page.bind(1, row - 1).bind(2, std::int64_t{1}).bind(3, kind_of(state));
    Rows found(page);
    if (!found.next() || found->integer(0) != row) {
        return std::nullopt;
    }
    return view_of_ended(from, *found.operator->(), state);
}

std::optional<ItemView> find_ended(ReadConnection& from, const model::Uuid& object_id) {
    // Newest first: most ask for what happened lately.
    Statement select = from.connection().prepare(
        "SELECT item, kind FROM record WHERE object_id=? AND kind IN ({record.item_delivered}, "
        "{record.item_rejected}) ORDER BY id DESC LIMIT 1");
    select.bind(1, std::span<const std::uint8_t>(object_id.bytes));
    Rows rows(select);
    if (!rows.next()) {
        return std::nullopt;
    }
    const bool delivered = rows->integer(1) == kind_of(ItemState::delivered);
    return find_ended(from, rows->integer(0), delivered ? ItemState::delivered : ItemState::rejected);
}

std::optional<ItemView> find_waiting_object(ReadConnection& from, const model::Uuid& uuid) {
    Statement select = from.connection().prepare(object_view);
    select.bind(1, std::span<const std::uint8_t>(uuid.bytes));
    Rows rows(select);
    if (!rows.next()) {
        return std::nullopt;
    }
    return view_of_object(from, *rows.operator->());
}

/// One that was pushed or rejected.
std::optional<ItemView> find_ended_object(ReadConnection& from, const model::Uuid& uuid) {
    Statement select = from.connection().prepare(object_ended);
    select.bind(1, std::span<const std::uint8_t>(uuid.bytes));
    Rows rows(select);
    if (!rows.next()) {
        return std::nullopt;
    }
    const bool pushed = rows->integer(12) == number_of(RecordKind::object_pushed);
    ItemView view = view_of_ended(from, *rows.operator->(), pushed ? ItemState::delivered : ItemState::rejected);
    // The record of its item's making may be pruned already.
    view.object_of = rows->is_null(13) ? model::Uuid{} : uuid_of(rows->bytes(13));
    return view;
}

/// Looks for several items, in one read.
class Search {
  public:
    using Steady = std::chrono::steady_clock;
    Search(ReadConnection& from, std::span<const model::Uuid> ids, Steady::time_point end)
        : from_(from), ids_(ids), end_(end) {}

    [[nodiscard]] Found run() {
        found_.items.resize(ids_.size());
        for (std::size_t n = 0; n < ids_.size(); ++n) {
            found_.items[n] = find_by_index(ids_[n]);
            if (!found_.items[n]) {
                missing_.emplace(ids_[n], n);
            }
        }
        look_at_queued();
        look_at_ended();
        return std::move(found_);
    }

  private:
    static constexpr std::uint64_t rows_between_looks_at_the_clock = 4096;

    std::optional<ItemView> find_by_index(const model::Uuid& id) {
        std::optional<ItemView> view = find_aside(from_, id);
        if (!view) {
            view = find_waiting_object(from_, id);
        }
        return view ? view : find_ended_object(from_, id);
    }
    /// Whether to look further.
    [[nodiscard]] bool goes_on() {
        if (!missing_.empty() && ++looks_ % rows_between_looks_at_the_clock == 1 && Steady::now() >= end_) {
            found_.whole = false;
        }
        return found_.whole && !missing_.empty();
    }
    void look_at_queued() {
        Statement scan = from_.connection().prepare("SELECT id, object_id FROM item");
        Statement one = from_.connection().prepare(queued_by_row);
        for (Rows rows(scan); goes_on() && rows.next();) {
            const auto wanted = missing_.find(uuid_of(rows->bytes(1)));
            if (wanted == missing_.end()) {
                continue;
            }
            one.bind(1, rows->integer(0));
            if (Rows row(one); row.next()) {
                found_.items[wanted->second] = view_of_queued(from_, *row.operator->());
                missing_.erase(wanted);
            }
        }
    }
    /// The newest entry about an item counts.
    void look_at_ended() {
        Statement scan = from_.connection().prepare("SELECT item, kind, object_id FROM record ORDER BY id DESC");
        for (Rows rows(scan); goes_on() && rows.next();) {
            const bool delivered = rows->integer(1) == kind_of(ItemState::delivered);
            if ((!delivered && rows->integer(1) != kind_of(ItemState::rejected)) || rows->is_null(2)) {
                continue;
            }
            const auto wanted = missing_.find(uuid_of(rows->bytes(2)));
            if (wanted != missing_.end()) {
                found_.items[wanted->second] =
                    find_ended(from_, rows->integer(0), delivered ? ItemState::delivered : ItemState::rejected);
                missing_.erase(wanted);
            }
        }
    }

    ReadConnection& from_;
    std::span<const model::Uuid> ids_;
    Steady::time_point end_;
    Found found_;
    std::unordered_map<model::Uuid, std::size_t> missing_;
    std::uint64_t looks_ = 0;
};

}  // namespace

model::Result<std::vector<ItemView>> items(ReadConnection& from, std::optional<ItemState> state, ListPlace after,
                                           std::size_t limit) {
    std::vector<ItemView> views;
    const auto most = static_cast<std::int64_t>(std::min<std::size_t>(limit, std::numeric_limits<int>::max()));
    const model::Status status = from.reading([&] {
        const ScopedTransaction snapshot(from.connection(), "BEGIN");
        if (state == ItemState::delivered || state == ItemState::rejected) {
            Statement ended = from.connection().prepare(ended_page);
            ended.bind(1, after.row).bind(2, most).bind(3, kind_of(*state));
            for (Rows rows(ended); rows.next();) {
                views.push_back(view_of_ended(from, *rows.operator->(), *state));
            }
            return;
        }
        if (!state || state == ItemState::queued) {
            Statement queued = from.connection().prepare(queued_page);
            add_page(queued, after, most, views,
                     [&](const Statement& row) { return view_of(from, row, ItemState::queued); });
        }
        if (state != ItemState::held) {
            Statement objects = from.connection().prepare(object_page);
            if (state) {
                objects.bind(4, number_of(object_state_of(*state)));
            } else {
                objects.bind_null(4);
            }
            add_page(objects, after, most, views, [&](const Statement& row) { return view_of_object(from, row); });
        }
        for (const ItemState beside : {ItemState::held, ItemState::refused, ItemState::set_aside}) {
            if (state && state != beside) {
                continue;
            }
            Statement aside = from.connection().prepare(aside_page_of_state);
            aside.bind(4, number_of(beside));
            add_page(aside, after, most, views, [&](const Statement& row) { return view_of_aside(from, row); });
        }
    });
    if (!status) {
        return status.error();
    }
    std::ranges::sort(views, {}, &ItemView::place);
    if (views.size() > limit) {
        views.resize(limit);
    }
    return views;
}

model::Result<std::optional<ItemView>> find(ReadConnection& from, const model::Uuid& object_id) {
    std::optional<ItemView> view;
    const model::Status status = from.reading([&] {
        const ScopedTransaction snapshot(from.connection(), "BEGIN");
        view = find_aside(from, object_id);
        if (!view) {
            view = find_waiting_object(from, object_id);
        }
        if (!view) {
            view = find_queued(from, object_id);
        }
        if (!view) {
            view = find_ended_object(from, object_id);
        }
        if (!view) {
            view = find_ended(from, object_id);
        }
    });
    if (!status) {
        return status.error();
    }
    return view;
}

model::Result<Found> find_all(ReadConnection& from, std::span<const model::Uuid> object_ids,
                              std::chrono::milliseconds patience) {
    Found found;
    const auto end = std::chrono::steady_clock::now() + patience;
    const model::Status status = from.reading([&] {
        const ScopedTransaction snapshot(from.connection(), "BEGIN");
        found = Search(from, object_ids, end).run();
    });
    if (!status) {
        return status.error();
    }
    return found;
}

model::Result<std::vector<Record>> records(ReadConnection& from, std::int64_t after, std::size_t limit) {
    std::vector<Record> records;
    const model::Status status = from.reading([&] {
        Statement select = from.connection().prepare(
            "SELECT r.id, r.at, r.kind, r.lane, r.object_id, opened('note.who', n.record, n.who), opened('note.why', "
            "n.record, n.why), n.code, n.code_kind, opened('note.words', n.record, n.words) FROM "
            "record r "
            "LEFT JOIN record_note n ON n.record=r.id WHERE r.id > ? ORDER BY r.id LIMIT ?");
        select.bind(1, after).bind(
            2, static_cast<std::int64_t>(std::min<std::size_t>(limit, std::numeric_limits<int>::max())));
        for (Rows rows(select); rows.next();) {
            Record& record = records.emplace_back();
            record.id = rows->integer(0);
            record.at = model::Instant::from_micros(rows->integer(1));
            record.kind = static_cast<RecordKind>(rows->integer(2));
            record.lane = rows->integer(3);
            if (!rows->is_null(4)) {
                record.object_id = uuid_of(rows->bytes(4));
            }
            record.who = rows->bytes(5);
            record.why = rows->bytes(6);
            if (const auto refusal = refusal_of(*rows.operator->(), 7)) {
                record.why = with_refusal(record.kind, std::move(record.why), *refusal);
            }
        }
    });
    if (!status) {
        return status.error();
    }
    return records;
}

/// The queue, for OldestPlaces. Each of them throws SqlFailure.
class Queue final : public QueueReads {
  public:
    explicit Queue(ReadConnection& from)
        : is_queued_(from.connection().prepare("SELECT 1 FROM item WHERE id=?")),
          // Of one that people approved long after its receipt, when it was queued then.
          queued_at_(from.connection().prepare("SELECT coalesce((SELECT r.at FROM record r WHERE r.id=?1), "
                                               "(SELECT i.received FROM item i WHERE i.id=?1))")),
          after_(from.connection().prepare("SELECT id, lane, flags FROM item WHERE id > ? ORDER BY id LIMIT ?")) {}

    bool is_queued(RowId row) override {
        is_queued_.bind(1, row);
        Rows rows(is_queued_);
        return rows.next();
    }
    std::optional<model::Instant> queued_at(RowId row) override {
        queued_at_.bind(1, row);
        Rows rows(queued_at_);
        return rows.next() && !rows->is_null(0) ? std::optional(model::Instant::from_micros(rows->integer(0)))
                                                : std::nullopt;
    }
    std::vector<QueuedItem> queued_after(RowId row) override {
        std::vector<QueuedItem> page;
        after_.bind(1, row).bind(2, scan_step);
        for (Rows rows(after_); rows.next();) {
            page.push_back({rows->integer(0), rows->integer(1), (rows->integer(2) & item_flag_emergency) != 0});
        }
        return page;
    }

  private:
    Statement is_queued_, queued_at_, after_;
};

model::Result<std::map<std::string, OldestQueued, std::less<>>> oldest(ReadConnection& from, OldestPlaces& places) {
    std::map<std::string, OldestQueued, std::less<>> oldest;
    const model::Status status = from.reading([&] {
        Queue queue(from);
        oldest = places.read(*from.setup().catalogue, queue);
    });
    if (!status) {
        return status.error();
    }
    return oldest;
}

model::Result<std::vector<std::optional<model::Instant>>> received(ReadConnection& from,
                                                                   std::span<const RowId> wanted) {
    std::vector<std::optional<model::Instant>> all(wanted.size());
    const model::Status status = from.reading([&] {
        Statement select = from.connection().prepare("SELECT received FROM item WHERE id=?");
        for (std::size_t n = 0; n < wanted.size(); ++n) {
            select.bind(1, wanted[n]);
            Rows rows(select);
            all[n] = rows.next() ? std::optional(model::Instant::from_micros(rows->integer(0))) : std::nullopt;
        }
    });
    if (!status) {
        return status.error();
    }
    return all;
}

model::Result<HeldLong> held_before(ReadConnection& from, model::Instant time) {
    constexpr std::int64_t most = 1000;
    HeldLong held;
    const model::Status status = from.reading([&] {
        Statement select = from.connection().prepare(
            "SELECT changed FROM aside WHERE state={item.held} AND (flags & 1)=? ORDER BY id LIMIT ?");
        for (const bool emergency : {true, false}) {
            select.bind(1, std::int64_t{emergency ? 1 : 0}).bind(2, most);
            for (Rows rows(select); rows.next();) {
                const model::Instant since = model::Instant::from_micros(rows->integer(0));
                held.oldest = std::min(held.oldest.value_or(since), since);
                if (since < time) {
                    ++held.items;
                    held.emergencies += emergency ? 1U : 0U;
                }
            }
        }
    });
    if (!status) {
        return status.error();
    }
    return held;
}

Locator::Step locate(Connection& connection, const std::vector<model::Uuid>& ids, RowId after, std::int64_t most) {
    const std::unordered_set<model::Uuid> wanted(ids.begin(), ids.end());
    Locator::Step step;
    Statement scan = connection.prepare("SELECT id, object_id FROM item WHERE id > ? ORDER BY id LIMIT ?");
    scan.bind(1, after).bind(2, most);
    for (Rows rows(scan); rows.next();) {
        step.last = rows->integer(0);
        if (const model::Uuid id = uuid_of(rows->bytes(1)); wanted.contains(id)) {
            step.found.emplace_back(id, *step.last);
        }
    }
    return step;
}

}  // namespace lihandover::store::sqlite
