#include "reader.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "schema.hpp"
#include "sqlite.hpp"

namespace lihandover::store {

namespace {

constexpr std::int64_t flag_emergency = 1;
constexpr std::int64_t flag_carries_schema = 2;
/// Rows of one read transaction in long scans: a longer one would keep the write-ahead log from beginning anew.
constexpr std::int64_t scan_step = 20'000;

model::Uuid uuid_of(std::string_view octets) {
    model::Uuid uuid;
    if (octets.size() != uuid.bytes.size()) throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
    std::memcpy(uuid.bytes.data(), octets.data(), octets.size());
    return uuid;
}

std::optional<model::ApplicationCorrelation> correlation_of(const Statement& row, int level_column) {
    if (row.is_null(level_column)) return std::nullopt;
    return model::ApplicationCorrelation{static_cast<std::uint64_t>(row.integer(level_column)),
                                         static_cast<std::uint64_t>(row.integer(level_column + 1))};
}

std::optional<Refusal> refusal_of(const Statement& row, int code_column) {
    if (row.is_null(code_column)) return std::nullopt;
    return Refusal{static_cast<std::uint64_t>(row.integer(code_column)),
                   static_cast<Refusal::Kind>(row.integer(code_column + 1)), std::string(row.octets(code_column + 2))};
}

// Columns of these: id, lane, object_id, received, level_id, sequence, changed, then what belongs to the state.
constexpr const char* queued_page =
    "SELECT id, lane, object_id, received, level_id, sequence, received FROM item WHERE id > ? ORDER BY id LIMIT ?";
constexpr const char* aside_page =
    "SELECT id, lane, object_id, received, level_id, sequence, changed, code, code_kind, words, state FROM aside "
    "WHERE id > ? ORDER BY id LIMIT ?";
// A record of an end knows the row; the record of the making, which has the row's number, knows the rest unless it was
// pruned already. An acceptance that came after a rejection counts.
constexpr const char* ended_page =
    "SELECT e.item, e.lane, e.object_id, coalesce(m.received, e.at), m.level_id, m.sequence, e.at, n.code, "
    "n.code_kind, "
    "n.words, n.who, n.why FROM record e INDEXED BY record_ended LEFT JOIN record m ON m.id=e.item AND m.kind=3 "
    "LEFT JOIN record_note n ON n.record=e.id "
    "WHERE e.kind IN (4, 7) AND e.kind=?3 AND e.item > ?1 AND (e.kind=4 OR NOT EXISTS(SELECT 1 FROM record d "
    "WHERE d.kind IN (4, 7) AND d.kind=4 AND d.item=e.item)) ORDER BY e.item LIMIT ?2";

class SqliteReader final : public Reader {
  public:
    SqliteReader(std::filesystem::path database, std::shared_ptr<const Catalogue> catalogue)
        : database_(std::move(database)), catalogue_(std::move(catalogue)) {}

    /// Throws SqlFailure.
    void connect() {
        if (connection_) return;
        Connection fresh(database_);
        set_up_reader(fresh);
        load_ = fresh.prepare(
            "SELECT i.id, i.lane, i.profile, i.object_id, i.flags, i.level_id, i.sequence, i.received, s.octets "
            "FROM item i JOIN share s ON s.id=i.id WHERE i.id=?");
        connection_ = std::move(fresh);
    }

    model::Result<std::vector<StoredItem>> load(std::span<const RowId> rows) override {
        std::vector<StoredItem> items;
        const model::Status status = reading([&] {
            items.reserve(rows.size());
            const Transaction snapshot(connection_, "BEGIN");
            for (const RowId row : rows) {
                load_.bind(1, row);
                Rows found(load_);
                if (!found.next()) continue;
                StoredItem& item = items.emplace_back();
                item.row = row;
                item.lane = found->integer(1);
                item.profile = found->integer(2);
                item.object_id = uuid_of(found->octets(3));
                item.emergency = (found->integer(4) & flag_emergency) != 0;
                item.carries_schema = (found->integer(4) & flag_carries_schema) != 0;
                item.correlation = correlation_of(*found.operator->(), 5);
                item.received_at = model::Instant::from_micros(found->integer(7));
                item.share = found->octets(8);
            }
        });
        if (!status) return status.error();
        return items;
    }

    model::Status for_each_queued(const std::function<void(const QueuedItem&)>& visit) override {
        RowId last = 0;
        while (true) {
            std::vector<QueuedItem> page;
            model::Status status = reading([&] {
                Statement select =
                    connection_.prepare("SELECT id, lane, flags FROM item WHERE id > ? ORDER BY id LIMIT ?");
                select.bind(1, last).bind(2, scan_step);
                for (Rows rows(select); rows.next();) {
                    page.push_back({rows->integer(0), rows->integer(1), (rows->integer(2) & flag_emergency) != 0});
                }
            });
            if (!status) return status;
            if (page.empty()) return {};
            last = page.back().row;
            for (const QueuedItem& item : page) {
                visit(item);
            }
        }
    }

    model::Result<std::vector<ItemView>> items(std::optional<ItemState> state, RowId after,
                                               std::size_t limit) override {
        std::vector<ItemView> views;
        const auto most = static_cast<std::int64_t>(std::min<std::size_t>(limit, std::numeric_limits<int>::max()));
        const model::Status status = reading([&] {
            const Transaction snapshot(connection_, "BEGIN");
            if (state == ItemState::delivered || state == ItemState::rejected) {
                Statement ended = connection_.prepare(ended_page);
                ended.bind(1, after).bind(2, most).bind(3, kind_of(*state));
                for (Rows rows(ended); rows.next();) {
                    views.push_back(view_of_ended(*rows.operator->(), *state));
                }
                return;
            }
            if (!state || state == ItemState::queued) {
                Statement queued = connection_.prepare(queued_page);
                queued.bind(1, after).bind(2, most);
                for (Rows rows(queued); rows.next();) {
                    views.push_back(view_of(*rows.operator->(), ItemState::queued));
                }
            }
            if (state == ItemState::queued) return;
            Statement aside = connection_.prepare(aside_page);
            aside.bind(1, after).bind(2, state ? std::int64_t{-1} : most);
            std::size_t taken = 0;
            for (Rows rows(aside); taken < limit && rows.next();) {
                const auto found = static_cast<ItemState>(rows->integer(10));
                if (state && found != *state) continue;
                views.push_back(view_of(*rows.operator->(), found));
                views.back().refusal = refusal_of(*rows.operator->(), 7);
                ++taken;
            }
        });
        if (!status) return status.error();
        std::ranges::sort(views, {}, &ItemView::row);
        if (views.size() > limit) views.resize(limit);
        return views;
    }

    model::Result<std::optional<ItemView>> find(const model::Uuid& object_id) override {
        std::optional<ItemView> view;
        const model::Status status = reading([&] {
            const Transaction snapshot(connection_, "BEGIN");
            view = find_aside(object_id);
            if (!view) view = find_queued(object_id);
            if (!view) view = find_ended(object_id);
        });
        if (!status) return status.error();
        return view;
    }

    model::Result<std::vector<Record>> records(std::int64_t after, std::size_t limit) override {
        std::vector<Record> records;
        const model::Status status = reading([&] {
            Statement select = connection_.prepare(
                "SELECT r.id, r.at, r.kind, r.lane, r.object_id, n.who, n.why, n.code, n.code_kind, n.words FROM "
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
                if (!rows->is_null(4)) record.object_id = uuid_of(rows->octets(4));
                record.who = rows->octets(5);
                record.why = rows->octets(6);
                if (const auto refusal = refusal_of(*rows.operator->(), 7)) {
                    if (!record.why.empty()) record.why += "; was refused: ";
                    record.why += std::string(name_of(refusal->kind)) + ' ' + std::to_string(refusal->code);
                    if (!refusal->words.empty()) record.why += ": " + refusal->words;
                }
            }
        });
        if (!status) return status.error();
        return records;
    }

    model::Result<std::optional<StoredObject>> object(const model::Uuid& /*id*/) override {
        return std::optional<StoredObject>{};
    }
    model::Status for_each_upload(const std::function<void(const QueuedObject&)>& /*visit*/) override { return {}; }
    model::Result<std::optional<model::Instant>> oldest(std::string_view destination) override {
        std::optional<model::Instant> oldest;
        RowId last = 0;
        bool more = true;
        while (more) {
            more = false;
            const model::Status status = reading([&] {
                Statement select =
                    connection_.prepare("SELECT id, lane, received FROM item WHERE id > ? ORDER BY id LIMIT ?");
                select.bind(1, last).bind(2, scan_step);
                for (Rows rows(select); rows.next();) {
                    last = rows->integer(0);
                    more = true;
                    const auto lane = catalogue_->find_lane(rows->integer(1));
                    if (!lane || lane->destination != destination) continue;
                    oldest = model::Instant::from_micros(rows->integer(2));
                    more = false;
                    return;
                }
            });
            if (!status) return status.error();
        }
        return oldest;
    }

  private:
    /// Runs `work` on a connection that works; gives it up when the database fails, so that the next call gets a new
    /// one.
    template <typename Work>
    model::Status reading(const Work& work) {
        try {
            connect();
            work();
            return {};
        } catch (const SqlFailure& failure) {
            load_ = Statement();
            connection_ = Connection();
            return model::Error{"the store cannot be read: " + failure.describe()};
        }
    }

    static std::int64_t kind_of(ItemState state) {
        return static_cast<std::int64_t>(state == ItemState::delivered ? RecordKind::item_delivered
                                                                       : RecordKind::item_rejected);
    }

    ItemView view_of(const Statement& row, ItemState state) const {
        ItemView view;
        view.state = state;
        view.row = row.integer(0);
        if (const auto lane = catalogue_->find_lane(row.integer(1))) {
            view.destination = lane->destination;
            view.liid = lane->liid;
        }
        view.object_id = uuid_of(row.octets(2));
        view.received_at = model::Instant::from_micros(row.integer(3));
        view.correlation = correlation_of(row, 4);
        view.changed_at = model::Instant::from_micros(row.integer(6));
        return view;
    }

    ItemView view_of_ended(const Statement& row, ItemState state) const {
        ItemView view = view_of(row, state);
        view.refusal = refusal_of(row, 7);
        view.who = row.octets(10);
        view.why = row.octets(11);
        return view;
    }

    std::optional<ItemView> find_aside(const model::Uuid& object_id) {
        Statement select = connection_.prepare(
            "SELECT id, lane, object_id, received, level_id, sequence, changed, code, code_kind, words, state FROM "
            "aside "
            "WHERE object_id=?");
        select.bind(1, std::span<const std::uint8_t>(object_id.bytes));
        Rows rows(select);
        if (!rows.next()) return std::nullopt;
        ItemView view = view_of(*rows.operator->(), static_cast<ItemState>(rows->integer(10)));
        view.refusal = refusal_of(*rows.operator->(), 7);
        return view;
    }

    std::optional<ItemView> find_queued(const model::Uuid& object_id) {
        Statement select = connection_.prepare(
            "SELECT id, lane, object_id, received, level_id, sequence, received FROM item WHERE object_id=?");
        select.bind(1, std::span<const std::uint8_t>(object_id.bytes));
        Rows rows(select);
        if (!rows.next()) return std::nullopt;
        return view_of(*rows.operator->(), ItemState::queued);
    }

    std::optional<ItemView> find_ended(const model::Uuid& object_id) {
        // Newest first: most ask for what happened lately.
        Statement select = connection_.prepare(
            "SELECT item, kind FROM record WHERE object_id=? AND kind IN (4, 7) ORDER BY id DESC LIMIT 1");
        select.bind(1, std::span<const std::uint8_t>(object_id.bytes));
        Rows rows(select);
        if (!rows.next()) return std::nullopt;
        const RowId row = rows->integer(0);
        const ItemState state =
            rows->integer(1) == kind_of(ItemState::delivered) ? ItemState::delivered : ItemState::rejected;
        Statement page = connection_.prepare(ended_page);
        page.bind(1, row - 1).bind(2, std::int64_t{1}).bind(3, kind_of(state));
        Rows found(page);
        if (!found.next() || found->integer(0) != row) return std::nullopt;
        return view_of_ended(*found.operator->(), state);
    }

    std::filesystem::path database_;
    std::shared_ptr<const Catalogue> catalogue_;
    Connection connection_;
    Statement load_;
};

}  // namespace

model::Result<std::unique_ptr<Reader>> open_reader(const std::filesystem::path& database,
                                                   std::shared_ptr<const Catalogue> catalogue) {
    auto reader = std::make_unique<SqliteReader>(database, std::move(catalogue));
    try {
        reader->connect();
    } catch (const SqlFailure& failure) {
        return model::Error{"the store cannot be read: " + failure.describe()};
    }
    return std::unique_ptr<Reader>(std::move(reader));
}

}  // namespace lihandover::store
