#include "operator_reads.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "columns.hpp"
#include "common/states.hpp"
#include "row_names.hpp"

namespace lihandover::store::postgresql {

namespace {

// Columns of all of these: number, lane, id, received, level_id, sequence, changed; code, code_kind, words; whether it
// is an emergency; then what belongs to the kind.
constexpr const char* queued_view =
    "SELECT i.id, i.lane, i.object_id, i.received, i.level_id, i.sequence, i.received, NULL::bigint, NULL::bigint, "
    "NULL::bytea, (i.flags & 1)=1 FROM item i ";
constexpr const char* aside_view =
    "SELECT i.id, i.lane, i.object_id, i.received, i.level_id, i.sequence, i.changed, i.code, i.code_kind, i.words, "
    "(i.flags & 1)=1, i.state, h.review, h.first_who, h.first_rejects, h.first_why, h.queued FROM aside i LEFT JOIN "
    "held "
    "h ON "
    "h.id=i.id ";
constexpr const char* object_view =
    "SELECT i.id, i.lane, i.uuid, coalesce(m.received, i.changed), m.level_id, m.sequence, i.changed, i.code, "
    "i.code_kind, i.words, (i.flags & 1)=1, i.state, i.item_uuid FROM object i LEFT JOIN record m ON m.id=i.item AND "
    "m.kind IN ({record.item_made}, {record.item_held}) ";
// The entry of an end knows the item's number; the entry of its making, which has that number, knows the rest unless it
// was pruned already. An acceptance that came after a rejection counts.
constexpr const char* ended_view =
    "SELECT e.item, e.lane, e.object_id, coalesce(m.received, e.at), m.level_id, m.sequence, e.at, e.code, "
    "e.code_kind, "
    "e.words, false, e.id, e.who, e.why, e.kind, m.object_id FROM record e LEFT JOIN record m ON m.id=e.item AND "
    "m.kind "
    "IN ({record.item_made}, {record.item_held}) ";

ObjectState object_state_of(ItemState state) {
    return state == ItemState::queued      ? ObjectState::queued
           : state == ItemState::set_aside ? ObjectState::set_aside
                                           : ObjectState::refused;
}

ItemView view_of(const Reader& from, const Rows& rows, int row, ItemState state) {
    ItemView view;
    view.state = state;
    view.row = rows.integer(row, 0);
    if (const auto lane = from.catalogue.find_lane(rows.integer(row, 1))) {
        view.destination = lane->destination;
        view.liid = lane->liid;
    }
    view.object_id = uuid_of(rows.bytes(row, 2));
    view.received_at = model::Instant::from_micros(rows.integer(row, 3));
    view.correlation = correlation_of(rows, row, 4);
    view.changed_at = model::Instant::from_micros(rows.integer(row, 6));
    view.emergency = rows.boolean(row, 10);
    return view;
}

ItemView view_of_queued(const Reader& from, const Rows& rows, int row) {
    return view_of(from, rows, row, ItemState::queued);
}

ItemView view_of_aside(const Reader& from, const Rows& rows, int row) {
    ItemView view = view_of(from, rows, row, static_cast<ItemState>(rows.integer(row, 11)));
    view.refusal = refusal_of(from.keyring, "aside.words", row_name(view.row), rows, row, 7);
    if (view.state == ItemState::held) {
        HeldFor& held = view.held.emplace();
        held.review = static_cast<Review>(rows.integer(row, 12));
        const std::string name = held_name(view.row, held.review);
        held.first_who = opened(from.keyring, "held.first_who", name, rows, row, 13).value_or("");
        held.first_rejects = rows.integer(row, 14) != 0;
        held.first_why = opened(from.keyring, "held.first_why", name, rows, row, 15).value_or("");
        held.withheld = rows.integer(row, 16) != 0;
    }
    return view;
}

ItemView view_of_object(const Reader& from, const Rows& rows, int row) {
    ItemView view = view_of(from, rows, row, item_state_of(static_cast<ObjectState>(rows.integer(row, 11))));
    view.refusal = refusal_of(from.keyring, "object.words", row_name(view.row), rows, row, 7);
    view.object_of = uuid_of(rows.bytes(row, 12));
    return view;
}

ItemView view_of_ended(const Reader& from, const Rows& rows, int row, ItemState state) {
    ItemView view = view_of(from, rows, row, state);
    const std::string name = row_name(rows.integer(row, 11));
    view.refusal = refusal_of(from.keyring, "record.words", name, rows, row, 7);
    view.who = opened(from.keyring, "record.who", name, rows, row, 12).value_or("");
    view.why = opened(from.keyring, "record.why", name, rows, row, 13).value_or("");
    return view;
}

using View = ItemView (*)(const Reader& from, const Rows& rows, int row);

/// Rows after `after`, at most `limit`: emergencies, and then the others.
void add_page(Reader& from, const std::string& view, std::string_view condition, ListPlace after, std::int64_t limit,
              std::optional<std::int64_t> state, View view_of_row, std::vector<ItemView>& views) {
    std::int64_t room = limit;
    for (const bool routine : {false, true}) {
        if (room == 0 || routine < after.routine) {
            continue;
        }
        const RowId place = routine == after.routine ? after.row : 0;
        Parameters parameters;
        parameters.add(place).add(room).add(std::int64_t{routine ? 0 : 1});
        if (state) {
            parameters.add(*state);
        }
        const Rows rows = from.connection.read(
            view + "WHERE i.id > $1 AND (i.flags & 1)=$3" + std::string(condition) + " ORDER BY i.id LIMIT $2",
            parameters);
        for (int row = 0; row < rows.size(); ++row) {
            views.push_back(view_of_row(from, rows, row));
        }
        room -= rows.size();
    }
}

constexpr const char* ended_condition =
    "WHERE e.kind IN (4, 7) AND e.kind=$3 AND e.item > $1 AND (e.kind={record.item_delivered} OR NOT EXISTS(SELECT 1 "
    "FROM record d WHERE d.kind IN (4, 7) AND d.kind={record.item_delivered} AND d.item=e.item)) ORDER BY e.item LIMIT "
    "$2";

std::int64_t kind_of(ItemState state) {
    return static_cast<std::int64_t>(state == ItemState::delivered ? RecordKind::item_delivered
                                                                   : RecordKind::item_rejected);
}

void add_ended(Reader& from, ItemState state, RowId after, std::int64_t limit, std::vector<ItemView>& views) {
    const Rows rows = from.connection.read(std::string(ended_view) + ended_condition,
                                           Parameters().add(after).add(limit).add(kind_of(state)));
    for (int row = 0; row < rows.size(); ++row) {
        views.push_back(view_of_ended(from, rows, row, state));
    }
}

std::optional<ItemView> find_one(Reader& from, const char* view, const char* condition, const model::Uuid& id,
                                 View view_of_row) {
    const Rows rows = from.connection.read(std::string(view) + condition, Parameters().add(text_of(id)));
    return rows.empty() ? std::nullopt : std::optional(view_of_row(from, rows, 0));
}

std::optional<ItemView> find_queued(Reader& from, const model::Uuid& id) {
    const Rows rows =
        from.connection.read("SELECT id FROM item WHERE object_id=$1 LIMIT 1", Parameters().add(text_of(id)));
    if (rows.empty()) {
        return std::nullopt;
    }
    const Rows item =
        from.connection.read(std::string(queued_view) + "WHERE i.id=$1", Parameters().add(rows.integer(0, 0)));
    return item.empty() ? std::nullopt : std::optional(view_of_queued(from, item, 0));
}

ItemView view_of_ended_item(const Reader& from, const Rows& rows, int row) {
    const bool delivered = rows.integer(row, 14) == kind_of(ItemState::delivered);
    return view_of_ended(from, rows, row, delivered ? ItemState::delivered : ItemState::rejected);
}

ItemView view_of_ended_object(const Reader& from, const Rows& rows, int row) {
    const bool pushed = rows.integer(row, 14) == static_cast<std::int64_t>(RecordKind::object_pushed);
    ItemView view = view_of_ended(from, rows, row, pushed ? ItemState::delivered : ItemState::rejected);
    view.row = rows.integer(row, 11);
    // The record of its item's making may be pruned already.
    view.object_of = rows.is_null(row, 15) ? model::Uuid{} : uuid_of(rows.bytes(row, 15));
    return view;
}

/// An object that was pushed or rejected.
std::optional<ItemView> find_ended_object(Reader& from, const model::Uuid& id) {
    const Rows rows =
        from.connection.read(std::string(ended_view) +
                                 "WHERE e.kind IN (9, 13, 14) AND e.kind IN ({record.object_pushed}, "
                                 "{record.object_rejected}) AND e.object_id=$1 ORDER BY e.id DESC LIMIT 1",
                             Parameters().add(text_of(id)));
    if (rows.empty()) {
        return std::nullopt;
    }
    return view_of_ended_object(from, rows, 0);
}

std::optional<ItemView> find_ended(Reader& from, const model::Uuid& id) {
    // Newest first: most ask for what happened lately.
    const Rows rows = from.connection.read(
        "SELECT item, kind FROM record WHERE object_id=$1 AND kind IN ({record.item_delivered}, "
        "{record.item_rejected}) "
        "ORDER BY id DESC LIMIT 1",
        Parameters().add(text_of(id)));
    if (rows.empty()) {
        return std::nullopt;
    }
    const ItemState state =
        rows.integer(0, 1) == kind_of(ItemState::delivered) ? ItemState::delivered : ItemState::rejected;
    std::vector<ItemView> found;
    add_ended(from, state, rows.integer(0, 0) - 1, 1, found);
    return found.empty() || found[0].row != rows.integer(0, 0) ? std::nullopt : std::optional(std::move(found[0]));
}

/// Looks for several items, in one read.
class Search {
  public:
    using Steady = std::chrono::steady_clock;
    Search(Reader& from, std::span<const model::Uuid> ids, Steady::time_point end) : from_(from), end_(end) {
        for (std::size_t n = 0; n < ids.size(); ++n) {
            missing_.emplace(text_of(ids[n]), n);
        }
        found_.items.resize(ids.size());
    }

    [[nodiscard]] Found run() {
        take(aside_view, "WHERE i.object_id=ANY($1)", ids_of_missing(), view_of_aside);
        take(object_view, "WHERE i.uuid=ANY($1) AND i.state IN (2, 3, 4)", ids_of_missing(), view_of_object);
        look_at_ended_objects();
        look_at_queued();
        look_at_ended();
        return std::move(found_);
    }

  private:
    /// Of which each statement looks at so many.
    static constexpr std::int64_t step = 50'000;

    [[nodiscard]] Parameters ids_of_missing() const {
        std::vector<std::string> ids;
        ids.reserve(missing_.size());
        for (const auto& [id, place] : missing_) {
            ids.push_back(id);
        }
        return std::move(Parameters().add(std::span<const std::string>(ids)));
    }
    void put(ItemView view) {
        if (const auto wanted = missing_.find(text_of(view.object_id)); wanted != missing_.end()) {
            found_.items[wanted->second] = std::move(view);
            missing_.erase(wanted);
        }
    }
    void take(const char* view, const char* condition, const Parameters& parameters, View view_of_row) {
        if (missing_.empty()) {
            return;
        }
        const Rows rows = from_.connection.read(std::string(view) + condition, parameters);
        for (int row = 0; row < rows.size(); ++row) {
            put(view_of_row(from_, rows, row));
        }
    }
    /// Whether to look further.
    [[nodiscard]] bool goes_on() {
        if (!missing_.empty() && Steady::now() >= end_) {
            found_.whole = false;
        }
        return found_.whole && !missing_.empty();
    }
    void look_at_ended_objects() {
        take(ended_view,
             "WHERE e.kind IN (9, 13, 14) AND e.kind IN ({record.object_pushed}, {record.object_rejected}) AND "
             "e.object_id=ANY($1) ORDER BY e.id DESC",
             ids_of_missing(), view_of_ended_object);
    }
    void look_at_queued() {
        std::optional<RowId> after = 0;
        while (after && goes_on()) {
            Parameters parameters = ids_of_missing();
            const Rows rows = from_.connection.read(
                "WITH page AS (SELECT id, object_id FROM item WHERE id > $2 ORDER BY id LIMIT $3) SELECT id, 1::bigint "
                "FROM page WHERE object_id=ANY($1) UNION ALL SELECT max(id), 0::bigint FROM page",
                parameters.add(*after).add(step));
            std::vector<RowId> hits;
            after.reset();
            for (int row = 0; row < rows.size(); ++row) {
                if (rows.integer(row, 1) != 0) {
                    hits.push_back(rows.integer(row, 0));
                } else {
                    after = rows.optional_integer(row, 0);
                }
            }
            if (!hits.empty()) {
                take(queued_view, "WHERE i.id=ANY($1)", Parameters().add(std::span<const RowId>(hits)), view_of_queued);
            }
        }
    }
    /// The newest entry about an item counts.
    void look_at_ended() {
        std::optional<RowId> before = std::numeric_limits<RowId>::max();
        while (before && goes_on()) {
            Parameters parameters = ids_of_missing();
            const Rows rows = from_.connection.read(
                "WITH page AS (SELECT id, item, kind, object_id FROM record WHERE id < $2 ORDER BY id DESC LIMIT $3) "
                "SELECT id, item, 1::bigint FROM page WHERE object_id=ANY($1) AND kind IN ({record.item_delivered}, "
                "{record.item_rejected}) UNION ALL SELECT min(id), 0::bigint, 0::bigint FROM page",
                parameters.add(*before).add(step));
            std::vector<RowId> hits;
            before.reset();
            for (int row = 0; row < rows.size(); ++row) {
                if (rows.integer(row, 2) != 0) {
                    hits.push_back(rows.integer(row, 1));
                } else {
                    before = rows.optional_integer(row, 0);
                }
            }
            if (!hits.empty()) {
                take(ended_view,
                     "WHERE e.kind IN (4, 7) AND e.item=ANY($1) AND (e.kind={record.item_delivered} OR NOT "
                     "EXISTS(SELECT 1 FROM record d WHERE d.kind IN (4, 7) AND d.kind={record.item_delivered} AND "
                     "d.item=e.item))",
                     Parameters().add(std::span<const RowId>(hits)), view_of_ended_item);
            }
        }
    }

    Reader& from_;
    Steady::time_point end_;
    Found found_;
    std::map<std::string, std::size_t, std::less<>> missing_;
};

std::int64_t bounded(std::size_t limit) {
    return static_cast<std::int64_t>(std::min<std::size_t>(limit, 100'000));
}

// -- The chain

struct StoredCheckpoint {
    audit::Checkpoint said;
    RowId row = 0;
};

/// Entries read at once where only the hash of one behind them is wanted.
constexpr std::size_t hash_step = 10'000;

constexpr const char* checkpoint_columns =
    "SELECT number, record, hash, at, nanos, name, signature FROM chain_checkpoint WHERE node=$1 AND ";

std::vector<StoredCheckpoint> checkpoints(Reader& from, const std::string& condition, const Parameters& parameters) {
    std::vector<StoredCheckpoint> all;
    const Rows rows = from.connection.read(checkpoint_columns + condition, parameters);
    all.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row) {
        all.push_back({{{static_cast<std::uint64_t>(rows.integer(row, 0)), hash_of(rows.bytes(row, 2))},
                        time_of(rows.integer(row, 3), rows.integer(row, 4)),
                        std::string(rows.bytes(row, 5)),
                        std::string(rows.bytes(row, 6))},
                       rows.integer(row, 1)});
    }
    return all;
}

/// The entry of a row, and the words that it views.
struct RecordedRow {
    audit::Recorded recorded;
    RowId row = 0;
    Refusal refusal;
    std::string who;
    std::string why;
    std::shared_ptr<const Lane> lane;

    RecordedRow(const Reader& from, const Rows& rows, int n) : row(rows.integer(n, 0)) {
        audit::Entry& entry = recorded.entry;
        const std::int64_t nanos = rows.integer(n, 2);
        entry.at = time_of(rows.integer(n, 1), nanos / 1000);
        entry.kind = static_cast<audit::Kind>(rows.integer(n, 3));
        if (!rows.is_null(n, 5)) {
            entry.object_id = uuid_of(rows.bytes(n, 5));
        }
        if (const auto item = rows.optional_integer(n, 6)) {
            recorded.item = static_cast<std::uint64_t>(*item);
        }
        entry.correlation = correlation_of(rows, n, 7);
        if (const auto received = rows.optional_integer(n, 9)) {
            entry.received_at = time_of(*received, nanos % 1000);
            recorded.item = static_cast<std::uint64_t>(row);  // of the item's own row
        }
        const std::string name = row_name(row);
        who = opened(from.keyring, "record.who", name, rows, n, 10).value_or("");
        why = opened(from.keyring, "record.why", name, rows, n, 11).value_or("");
        entry.who = who;
        entry.why = why;
        if (auto said = refusal_of(from.keyring, "record.words", name, rows, n, 12)) {
            refusal = std::move(*said);
            entry.refusal = &refusal;
        }
        lane = from.catalogue.find_lane(rows.integer(n, 4));
        if (lane) {
            entry.destination = lane->destination;
            entry.liid = lane->liid;
        }
    }
    RecordedRow(const RecordedRow&) = delete;
    RecordedRow& operator=(const RecordedRow&) = delete;
    RecordedRow(RecordedRow&&) = delete;
    RecordedRow& operator=(RecordedRow&&) = delete;
    ~RecordedRow() = default;
};

/// Goes through the rows of one page.
class Walk {
  public:
    Walk(Reader& from, std::int64_t node, const AuditLog::Place& place, std::uint64_t to, AuditLog::Visitor& visitor)
        : from_(from), node_(node), to_(to), visitor_(visitor), place_(place) {
        find_next();
    }
    [[nodiscard]] const AuditLog::Place& place() const { return place_; }
    [[nodiscard]] bool arrived() const { return place_.number >= to_; }
    [[nodiscard]] bool enough() const { return enough_; }

    void row(const Rows& rows, int n) {
        RecordedRow entry(from_, rows, n);
        // Its own last row is gone.
        while (next_ && entry.row > next_->row && !arrived()) {
            take_checkpoint();
        }
        if (arrived()) {
            return;
        }
        entry.recorded.number = place_.number + 1;
        entry.recorded.previous = place_.hash;
        entry.recorded.hash = hasher_.of(place_.hash, entry.recorded);
        enough_ = !visitor_.entry(entry.recorded);
        place_ = {entry.recorded.number, entry.recorded.hash, entry.row, place_.checkpoint};
        if (next_ && next_->row == entry.row) {
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
        auto found = checkpoints(from_, "number > $2 ORDER BY number LIMIT 1",
                                 Parameters().add(node_).add(static_cast<std::int64_t>(place_.checkpoint)));
        next_ = found.empty() ? std::nullopt : std::optional(std::move(found.front()));
    }
    void take_checkpoint() {
        visitor_.checkpoint(next_->said);
        const audit::Head& head = next_->said.head;
        place_ = {head.number, head.hash, next_->row, head.number};
        find_next();
    }

    Reader& from_;
    std::int64_t node_;
    std::uint64_t to_;
    AuditLog::Visitor& visitor_;
    AuditLog::Place place_;
    std::optional<StoredCheckpoint> next_;
    audit::Hasher hasher_;
    bool enough_ = false;
};

StoredCheckpoint first_checkpoint(Reader& from, std::int64_t node) {
    auto found = checkpoints(from, "number >= 0 ORDER BY number LIMIT 1", Parameters().add(node));
    if (found.empty()) {
        throw PgFailure(Trouble::damaged);
    }
    return std::move(found.front());
}

}  // namespace

std::vector<ItemView> items(Reader& from, std::optional<ItemState> state, ListPlace after, std::size_t limit) {
    std::vector<ItemView> views;
    const std::int64_t most = bounded(limit);
    if (state == ItemState::delivered || state == ItemState::rejected) {
        add_ended(from, *state, after.row, most, views);
        return views;
    }
    if (!state || state == ItemState::queued) {
        add_page(from, queued_view, "", after, most, std::nullopt, view_of_queued, views);
    }
    if (state != ItemState::held) {
        if (state) {
            add_page(from, object_view, " AND i.state IN (2, 3, 4) AND i.state=$4", after, most,
                     static_cast<std::int64_t>(object_state_of(*state)), view_of_object, views);
        } else {
            add_page(from, object_view, " AND i.state IN (2, 3, 4)", after, most, std::nullopt, view_of_object, views);
        }
    }
    for (const ItemState beside : {ItemState::held, ItemState::refused, ItemState::set_aside}) {
        if (!state || state == beside) {
            add_page(from, aside_view, " AND i.state=$4", after, most, static_cast<std::int64_t>(beside), view_of_aside,
                     views);
        }
    }
    std::ranges::sort(views, {}, &ItemView::place);
    if (views.size() > limit) {
        views.resize(limit);
    }
    return views;
}

std::optional<ItemView> find(Reader& from, const model::Uuid& object_id) {
    std::optional<ItemView> view = find_one(from, aside_view, "WHERE i.object_id=$1 LIMIT 1", object_id, view_of_aside);
    if (!view) {
        view =
            find_one(from, object_view, "WHERE i.uuid=$1 AND i.state IN (2, 3, 4) LIMIT 1", object_id, view_of_object);
    }
    if (!view) {
        view = find_queued(from, object_id);
    }
    if (!view) {
        view = find_ended_object(from, object_id);
    }
    return view ? view : find_ended(from, object_id);
}

Found find_all(Reader& from, std::span<const model::Uuid> object_ids, std::chrono::milliseconds patience) {
    return Search(from, object_ids, std::chrono::steady_clock::now() + patience).run();
}

std::vector<Record> records(Reader& from, std::int64_t after, std::size_t limit) {
    std::vector<Record> records;
    const Rows rows = from.connection.read(
        "SELECT id, at, kind, lane, object_id, who, why, code, code_kind, words FROM record WHERE id > $1 ORDER BY id "
        "LIMIT $2",
        Parameters().add(after).add(bounded(limit)));
    for (int row = 0; row < rows.size(); ++row) {
        Record& record = records.emplace_back();
        record.id = rows.integer(row, 0);
        record.at = model::Instant::from_micros(rows.integer(row, 1));
        record.kind = static_cast<RecordKind>(rows.integer(row, 2));
        record.lane = rows.integer(row, 3);
        if (!rows.is_null(row, 4)) {
            record.object_id = uuid_of(rows.bytes(row, 4));
        }
        const std::string name = row_name(record.id);
        record.who = opened(from.keyring, "record.who", name, rows, row, 5).value_or("");
        record.why = opened(from.keyring, "record.why", name, rows, row, 6).value_or("");
        if (const auto refusal = refusal_of(from.keyring, "record.words", name, rows, row, 7)) {
            record.why = with_refusal(record.kind, std::move(record.why), *refusal);
        }
    }
    return records;
}

/// The queue, for OldestPlaces. Each of them throws PgFailure.
class Queue final : public QueueReads {
  public:
    explicit Queue(Reader& from) : from_(from) {}

    bool is_queued(RowId row) override {
        return !from_.connection.read("SELECT 1 FROM item WHERE id=$1", Parameters().add(row)).empty();
    }
    std::optional<model::Instant> queued_at(RowId row) override {
        // Of one that people approved long after its receipt, when it was queued then.
        const Rows rows = from_.connection.read(
            "SELECT coalesce((SELECT r.at FROM record r WHERE r.id=$1), (SELECT i.received FROM item i WHERE i.id=$1))",
            Parameters().add(row));
        return rows.empty() || rows.is_null(0, 0) ? std::nullopt
                                                  : std::optional(model::Instant::from_micros(rows.integer(0, 0)));
    }
    std::vector<QueuedItem> queued_after(RowId row) override {
        constexpr std::int64_t step = 10'000;
        std::vector<QueuedItem> page;
        const Rows rows = from_.connection.read("SELECT id, lane, flags FROM item WHERE id > $1 ORDER BY id LIMIT $2",
                                                Parameters().add(row).add(step));
        for (int n = 0; n < rows.size(); ++n) {
            page.push_back({rows.integer(n, 0), rows.integer(n, 1), (rows.integer(n, 2) & item_flag_emergency) != 0});
        }
        return page;
    }

  private:
    Reader& from_;
};

std::map<std::string, OldestQueued, std::less<>> oldest(Reader& from, OldestPlaces& places) {
    Queue queue(from);
    return places.read(from.catalogue, queue);
}

std::vector<std::optional<model::Instant>> received(Reader& from, std::span<const RowId> wanted) {
    std::map<RowId, model::Instant> found;
    const Rows rows = from.connection.read("SELECT id, received FROM item WHERE id=ANY($1)", Parameters().add(wanted));
    for (int row = 0; row < rows.size(); ++row) {
        found.emplace(rows.integer(row, 0), model::Instant::from_micros(rows.integer(row, 1)));
    }
    std::vector<std::optional<model::Instant>> all(wanted.size());
    for (std::size_t n = 0; n < wanted.size(); ++n) {
        const auto one = found.find(wanted[n]);
        all[n] = one == found.end() ? std::nullopt : std::optional(one->second);
    }
    return all;
}

Locator::Step locate(Reader& from, const std::vector<model::Uuid>& ids, RowId after) {
    constexpr std::int64_t step = 50'000;
    std::vector<std::string> wanted;
    wanted.reserve(ids.size());
    for (const model::Uuid& id : ids) {
        wanted.emplace_back(text_of(id));
    }
    const Rows rows = from.connection.read(
        "WITH page AS (SELECT id, object_id FROM item WHERE id > $2 ORDER BY id LIMIT $3) SELECT id, object_id FROM "
        "page WHERE object_id=ANY($1) UNION ALL SELECT max(id), NULL FROM page",
        Parameters().add(std::span<const std::string>(wanted)).add(after).add(step));
    Locator::Step found;
    for (int row = 0; row < rows.size(); ++row) {
        if (rows.is_null(row, 1)) {
            found.last = rows.optional_integer(row, 0);
        } else {
            found.found.emplace_back(uuid_of(rows.bytes(row, 1)), rows.integer(row, 0));
        }
    }
    return found;
}

HeldLong held_before(Reader& from, model::Instant time) {
    constexpr std::int64_t most = 1000;
    HeldLong held;
    for (const bool emergency : {true, false}) {
        const Rows rows = from.connection.read(
            "SELECT changed FROM aside WHERE state={item.held} AND (flags & 1)=$1 ORDER BY id LIMIT $2",
            Parameters().add(std::int64_t{emergency ? 1 : 0}).add(most));
        for (int row = 0; row < rows.size(); ++row) {
            const model::Instant since = model::Instant::from_micros(rows.integer(row, 0));
            held.oldest = std::min(held.oldest.value_or(since), since);
            if (since < time) {
                ++held.items;
                held.emergencies += emergency ? 1U : 0U;
            }
        }
    }
    return held;
}

AuditLog::Range audit_range(Reader& from, std::int64_t node, std::optional<model::Instant> since,
                            std::optional<model::Instant> until) {
    AuditLog::Range range;
    const Rows chain =
        from.connection.read("SELECT beginning, number, hash FROM node WHERE id=$1", Parameters().add(node));
    if (chain.empty()) {
        throw PgFailure(Trouble::damaged);
    }
    range.chain = hash_of(chain.bytes(0, 0));
    range.head = {static_cast<std::uint64_t>(chain.integer(0, 1)), hash_of(chain.bytes(0, 2))};
    StoredCheckpoint begin = first_checkpoint(from, node);
    if (since) {
        // Not behind an entry of the time, whatever the clock said at the checkpoints: the one before the first of
        // them.
        auto later = checkpoints(
            from,
            "at < $2 AND number < coalesce((SELECT min(number) FROM chain_checkpoint WHERE node=$1 AND newest >= $2), "
            "9223372036854775807) ORDER BY number DESC LIMIT 1",
            Parameters().add(node).add(since->micros()));
        if (!later.empty()) {
            begin = std::move(later.front());
        }
    }
    const std::uint64_t number = begin.said.head.number;
    range.from = {number, begin.said.head.hash, begin.row, number};
    if (number > 0) {
        range.before = begin.said;
    }
    range.to = range.head;
    if (!until) {
        return range;
    }
    const Rows rest = from.connection.read(
        "SELECT 1::bigint FROM record WHERE node=$1 AND id > (SELECT record FROM chain_checkpoint WHERE node=$1 ORDER "
        "BY "
        "number DESC LIMIT 1) AND at <= $2 LIMIT 1",
        Parameters().add(node).add(until->micros()));
    if (!rest.empty()) {
        return range;
    }
    // Nor before the last entry of the time.
    const auto last = checkpoints(
        from,
        "number > $2 AND at >= $3 AND number >= coalesce((SELECT max(number) FROM chain_checkpoint WHERE node=$1 AND "
        "oldest <= $3), 0) ORDER BY number LIMIT 1",
        Parameters().add(node).add(static_cast<std::int64_t>(number)).add(until->micros()));
    if (!last.empty()) {
        range.to = last.front().said.head;
    }
    return range;
}

std::optional<audit::Hash> hash_at(Reader& from, std::int64_t node, std::uint64_t number) {
    class Nobody final : public AuditLog::Visitor {
      public:
        bool entry(const audit::Recorded& /*recorded*/) override { return true; }
        void checkpoint(const audit::Checkpoint& /*checkpoint*/) override {}
    } nobody;
    const auto begin = checkpoints(from, "number <= $2 ORDER BY number DESC LIMIT 1",
                                   Parameters().add(node).add(static_cast<std::int64_t>(number)));
    if (begin.empty()) {
        return std::nullopt;
    }
    const audit::Head& head = begin.front().said.head;
    AuditLog::Place place{head.number, head.hash, begin.front().row, head.number};
    while (place.number < number) {
        const auto read = audit_read(from, node, place, number, hash_step, nobody);
        if (!read || read->place.number == place.number) {
            return std::nullopt;
        }
        place = read->place;
    }
    return place.hash;
}

std::optional<AuditLog::Read> audit_read(Reader& from, std::int64_t node, const AuditLog::Place& place,
                                         std::uint64_t to, std::size_t limit, AuditLog::Visitor& visitor) {
    if (first_checkpoint(from, node).said.head.number > place.number) {
        return std::nullopt;
    }
    Walk walk(from, node, place, to, visitor);
    const std::int64_t most = bounded(limit);
    const Rows rows = from.connection.read(
        "SELECT id, at, nanos, kind, lane, object_id, item, level_id, sequence, received, who, why, code, code_kind, "
        "words FROM record WHERE node=$1 AND id > $2 ORDER BY id LIMIT $3",
        Parameters().add(node).add(place.row).add(most));
    int seen = 0;
    for (; seen < rows.size() && !walk.arrived() && !walk.enough(); ++seen) {
        walk.row(rows, seen);
    }
    const bool last = seen == rows.size() && rows.size() < most && !walk.enough();
    if (last) {
        walk.rest();
    }
    return AuditLog::Read{walk.place(), last || walk.arrived()};
}

}  // namespace lihandover::store::postgresql
