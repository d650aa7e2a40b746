#include "reader.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <unordered_set>
#include <utility>

#include "object_details.hpp"
#include "object_table.hpp"
#include "schema.hpp"
#include "sqlite.hpp"

namespace lihandover::store::sqlite {

namespace {

/// Connections that are kept for the next call.
constexpr std::size_t most_free = 4;
/// Rows of one read transaction in long scans: a longer one would keep the write-ahead log from beginning anew.
constexpr std::int64_t scan_step = 20'000;

model::Uuid uuid_of(std::string_view bytes) {
    model::Uuid uuid;
    if (bytes.size() != uuid.bytes.size()) {
        throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
    }
    std::memcpy(uuid.bytes.data(), bytes.data(), bytes.size());
    return uuid;
}

std::optional<model::ApplicationCorrelation> correlation_of(const Statement& row, int level_column) {
    if (row.is_null(level_column)) {
        return std::nullopt;
    }
    return model::ApplicationCorrelation{static_cast<std::uint64_t>(row.integer(level_column)),
                                         static_cast<std::uint64_t>(row.integer(level_column + 1))};
}

std::optional<Refusal> refusal_of(const Statement& row, int code_column) {
    if (row.is_null(code_column)) {
        return std::nullopt;
    }
    return Refusal{static_cast<std::uint64_t>(row.integer(code_column)),
                   static_cast<Refusal::Kind>(row.integer(code_column + 1)), std::string(row.bytes(code_column + 2))};
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
    "n.words, n.who, n.why FROM record e INDEXED BY record_ended LEFT JOIN record m ON m.id=e.item AND "
    "m.kind={record.item_made} "
    "LEFT JOIN record_note n ON n.record=e.id "
    "WHERE e.kind IN (4, 7) AND e.kind=?3 AND e.item > ?1 AND (e.kind={record.item_delivered} OR NOT EXISTS(SELECT 1 "
    "FROM record d "
    "WHERE d.kind IN (4, 7) AND d.kind={record.item_delivered} AND d.item=e.item)) ORDER BY e.item LIMIT ?2";

// Binary objects that wait by themselves, columns as above; their item, whose record knows when it was received, is
// gone.
#define LIHANDOVER_WAITING_OBJECT "(o.state={object.queued} OR o.state={object.refused} OR o.state={object.set_aside})"
#define LIHANDOVER_OBJECT_VIEW                                                                                  \
    "SELECT o.id, o.lane, o.uuid, coalesce(m.received, o.changed), m.level_id, m.sequence, o.changed, o.code, " \
    "o.code_kind, o.words, o.state, o.item_uuid FROM object o LEFT JOIN record m ON m.id=o.item AND "           \
    "m.kind={record.item_made} "
constexpr const char* object_page = LIHANDOVER_OBJECT_VIEW
    "WHERE " LIHANDOVER_WAITING_OBJECT " AND o.id > ?1 AND (?3 IS NULL OR o.state=?3) ORDER BY o.id LIMIT ?2";
constexpr const char* object_view = LIHANDOVER_OBJECT_VIEW "WHERE o.uuid=? AND " LIHANDOVER_WAITING_OBJECT;
#undef LIHANDOVER_OBJECT_VIEW
constexpr const char* object_ended =
    "SELECT e.id, e.lane, e.object_id, coalesce(m.received, e.at), m.level_id, m.sequence, e.at, n.code, n.code_kind, "
    "n.words, n.who, n.why, e.kind, m.object_id FROM record e LEFT JOIN record m ON m.id=e.item AND "
    "m.kind={record.item_made} "
    "LEFT JOIN record_note n ON n.record=e.id "
    "WHERE (e.kind=9 OR e.kind=13 OR e.kind=14) AND e.kind IN ({record.object_pushed}, {record.object_rejected}) AND "
    "e.object_id=? ORDER BY e.id DESC LIMIT 1";

// What StoredObject is read from.
#define LIHANDOVER_STORED_OBJECT                                                                                      \
    "SELECT o.uuid, o.url, o.content_type, o.filename, o.csp_identifier, o.expires_at, o.item, o.lane, o.item_uuid, " \
    "o.flags, o.state, o.lifetime, o.code, o.code_kind, o.words, b.state, b.loss, b.size, b.sha256, b.file, b.key, "  \
    "o.id, b.key_slot "                                                                                               \
    "FROM object o CROSS JOIN blob b ON b.id=o.blob "
constexpr const char* object_by_uuid = LIHANDOVER_STORED_OBJECT "WHERE o.uuid=? LIMIT 1";
constexpr const char* objects_of_item = LIHANDOVER_STORED_OBJECT "WHERE o.item=? ORDER BY o.position";
#undef LIHANDOVER_STORED_OBJECT

}  // namespace

/// One connection that reads. Calls block on the disk.
class DatabaseReader {
  public:
    explicit DatabaseReader(const ReaderPool::Setup& setup) : setup_(setup) {}

    /// Throws SqlFailure.
    void connect() {
        if (connection_) {
            return;
        }
        Connection fresh(setup_.database);
        set_up_reader(fresh);
        load_ = fresh.prepare(
            "SELECT i.id, i.lane, i.profile, i.object_id, i.flags, i.level_id, i.sequence, i.received, s.octets, "
            "i.key_slot FROM item i JOIN share s ON s.id=i.id WHERE i.id=?");
        load_set_aside_ = fresh.prepare(
            "SELECT i.id, i.lane, i.profile, i.object_id, i.flags, i.level_id, i.sequence, i.received, s.octets, "
            "i.key_slot FROM aside i JOIN share s ON s.id=i.id WHERE i.id=? AND i.state={item.set_aside}");
        object_ = fresh.prepare(object_by_uuid);
        objects_of_item_ = fresh.prepare(objects_of_item);
        connection_ = std::move(fresh);
    }

    model::Status try_out() {
        return reading([] {});
    }

    model::Result<std::vector<Located>> locate(const std::vector<model::Uuid>& object_ids) {
        std::vector<Located> located;
        const model::Status status = reading([&] {
            std::unordered_set<model::Uuid> wanted(object_ids.begin(), object_ids.end());
            Statement scan = connection_.prepare("SELECT id, object_id FROM item");
            for (Rows rows(scan); !wanted.empty() && rows.next();) {
                const Located item{rows->integer(0), uuid_of(rows->bytes(1))};
                if (wanted.erase(item.object_id) != 0) {
                    located.push_back(item);
                }
            }
        });
        if (!status) {
            return status.error();
        }
        return located;
    }

    model::Result<std::vector<StoredItem>> load(std::span<const RowId> rows) {
        std::vector<StoredItem> items;
        const model::Status status = reading([&] {
            items.reserve(rows.size());
            const ScopedTransaction snapshot(connection_, "BEGIN");
            for (const RowId row : rows) {
                if (!load_one(load_, row, items)) {
                    load_one(load_set_aside_, row, items);
                }
            }
        });
        if (!status) {
            return status.error();
        }
        if (std::ranges::any_of(items, [](const StoredItem& item) { return item.share.empty(); })) {
            return without_those_that_went(std::move(items));
        }
        return items;
    }

    model::Status for_each_queued(const std::function<void(const QueuedItem&)>& visit) {
        return for_each("SELECT id, lane, flags FROM item WHERE id > ? ORDER BY id LIMIT ?", visit);
    }
    model::Status for_each_set_aside(const std::function<void(const QueuedItem&)>& visit) {
        return for_each("SELECT id, lane, flags FROM aside WHERE state={item.set_aside} AND id > ? ORDER BY id LIMIT ?",
                        visit);
    }

    model::Status for_each(std::string_view page_of_items, const std::function<void(const QueuedItem&)>& visit) {
        RowId last = 0;
        while (true) {
            std::vector<QueuedItem> page;
            model::Status status = reading([&] {
                Statement select = connection_.prepare(page_of_items);
                select.bind(1, last).bind(2, scan_step);
                for (Rows rows(select); rows.next();) {
                    page.push_back({rows->integer(0), rows->integer(1), (rows->integer(2) & item_flag_emergency) != 0});
                }
            });
            if (!status) {
                return status;
            }
            if (page.empty()) {
                return {};
            }
            last = page.back().row;
            for (const QueuedItem& item : page) {
                visit(item);
            }
        }
    }

    model::Result<std::vector<ItemView>> items(std::optional<ItemState> state, RowId after, std::size_t limit) {
        std::vector<ItemView> views;
        const auto most = static_cast<std::int64_t>(std::min<std::size_t>(limit, std::numeric_limits<int>::max()));
        const model::Status status = reading([&] {
            const ScopedTransaction snapshot(connection_, "BEGIN");
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
            if (state != ItemState::held) {
                Statement objects = connection_.prepare(object_page);
                objects.bind(1, after).bind(2, most);
                if (state) {
                    objects.bind(3, number_of(object_state_of(*state)));
                } else {
                    objects.bind_null(3);
                }
                for (Rows rows(objects); rows.next();) {
                    views.push_back(view_of_object(*rows.operator->()));
                }
            }
            if (state == ItemState::queued) {
                return;
            }
            Statement aside = connection_.prepare(aside_page);
            aside.bind(1, after).bind(2, state ? std::int64_t{-1} : most);
            std::size_t taken = 0;
            for (Rows rows(aside); taken < limit && rows.next();) {
                const auto found = static_cast<ItemState>(rows->integer(10));
                if (state && found != *state) {
                    continue;
                }
                views.push_back(view_of(*rows.operator->(), found));
                views.back().refusal = refusal_of(*rows.operator->(), 7);
                ++taken;
            }
        });
        if (!status) {
            return status.error();
        }
        std::ranges::sort(views, {}, &ItemView::row);
        if (views.size() > limit) {
            views.resize(limit);
        }
        return views;
    }

    model::Result<std::optional<ItemView>> find(const model::Uuid& object_id) {
        std::optional<ItemView> view;
        const model::Status status = reading([&] {
            const ScopedTransaction snapshot(connection_, "BEGIN");
            view = find_aside(object_id);
            if (!view) {
                view = find_object(object_id);
            }
            if (!view) {
                view = find_queued(object_id);
            }
            if (!view) {
                view = find_ended_object(object_id);
            }
            if (!view) {
                view = find_ended(object_id);
            }
        });
        if (!status) {
            return status.error();
        }
        return view;
    }

    model::Result<std::vector<Record>> records(std::int64_t after, std::size_t limit) {
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
                if (!rows->is_null(4)) {
                    record.object_id = uuid_of(rows->bytes(4));
                }
                record.who = rows->bytes(5);
                record.why = rows->bytes(6);
                if (const auto refusal = refusal_of(*rows.operator->(), 7)) {
                    if (!record.why.empty()) {
                        record.why += record.kind == RecordKind::item_delivered ? ": " : "; was refused: ";
                    }
                    record.why += std::string(name_of(refusal->kind)) + ' ' + std::to_string(refusal->code);
                    if (!refusal->words.empty()) {
                        record.why += ": " + refusal->words;
                    }
                }
            }
        });
        if (!status) {
            return status.error();
        }
        return records;
    }

    model::Result<std::optional<StoredObject>> object(const model::Uuid& id) {
        std::optional<StoredObject> object;
        const model::Status status = reading([&] {
            object_.bind(1, std::span<const std::uint8_t>(id.bytes));
            Rows rows(object_);
            if (rows.next()) {
                object = object_of(*rows.operator->());
            }
        });
        if (!status) {
            return status.error();
        }
        // Its row goes a little later, or its item is still to be sent with a new expiry.
        if (object && object->model == model::BinaryModel::a && object->described.expiry &&
            *object->described.expiry <= setup_.clock->trusted()) {
            object.reset();
        }
        return object;
    }

    /// In the state `queued` or `set_aside`.
    model::Status for_each_upload(ObjectState state, const std::function<void(const QueuedObject&)>& visit) {
        RowId last = 0;
        while (true) {
            std::vector<QueuedObject> page;
            bool more = false;
            model::Status status = reading([&] {
                Statement select = connection_.prepare(
                    "SELECT o.id, o.uuid, o.lane, o.flags, b.size, o.deadline, o.state, b.state FROM object o CROSS "
                    "JOIN blob b ON b.id=o.blob WHERE " LIHANDOVER_WAITING_OBJECT
                    " AND o.id > ? ORDER BY o.id LIMIT ?");
                select.bind(1, last).bind(2, scan_step);
                for (Rows rows(select); rows.next();) {
                    last = rows->integer(0);
                    more = true;
                    if (rows->integer(6) != number_of(state)) {
                        continue;
                    }
                    if (rows->integer(7) != number_of(BlobState::ready)) {
                        continue;
                    }
                    page.push_back(
                        {uuid_of(rows->bytes(1)), rows->integer(2), (rows->integer(3) & object_flag_emergency) != 0,
                         static_cast<std::uint64_t>(rows->integer(4)), model::Instant::from_micros(rows->integer(5))});
                }
            });
            if (!status) {
                return status;
            }
            if (!more) {
                return {};
            }
            for (const QueuedObject& object : page) {
                visit(object);
            }
        }
    }

    model::Result<std::optional<model::Instant>> oldest(std::string_view destination) {
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
                    const auto lane = setup_.catalogue->find_lane(rows->integer(1));
                    if (!lane || lane->destination != destination) {
                        continue;
                    }
                    oldest = model::Instant::from_micros(rows->integer(2));
                    more = false;
                    return;
                }
            });
            if (!status) {
                return status.error();
            }
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
            for (Statement* statement : {&load_, &load_set_aside_, &object_, &objects_of_item_}) {
                *statement = Statement();
            }
            connection_ = Connection();
            return model::Error{"the store cannot be read: " + failure.describe()};
        }
    }

    template <typename Enumerator>
    static std::int64_t number_of(Enumerator value) {
        return static_cast<std::int64_t>(value);
    }

    static ItemState item_state_of(ObjectState state) {
        return state == ObjectState::queued      ? ItemState::queued
               : state == ObjectState::set_aside ? ItemState::set_aside
                                                 : ItemState::refused;
    }
    static ObjectState object_state_of(ItemState state) {
        return state == ItemState::queued      ? ObjectState::queued
               : state == ItemState::set_aside ? ObjectState::set_aside
                                               : ObjectState::refused;
    }

    /// Their keys were overwritten between two looks.
    model::Result<std::vector<StoredItem>> without_those_that_went(std::vector<StoredItem> items) {
        const model::Status status = reading([&] {
            Statement there = connection_.prepare("SELECT 1 FROM share WHERE id=?");
            std::erase_if(items, [&](const StoredItem& item) {
                there.bind(1, item.row);
                Rows rows(there);
                return item.share.empty() && !rows.next();
            });
        });
        if (!status) {
            return status.error();
        }
        return items;
    }

    bool load_one(Statement& statement, RowId row, std::vector<StoredItem>& items) {
        statement.bind(1, row);
        Rows found(statement);
        if (!found.next()) {
            return false;
        }
        StoredItem& item = items.emplace_back();
        item.row = row;
        item.lane = found->integer(1);
        item.profile = found->integer(2);
        item.object_id = uuid_of(found->bytes(3));
        item.emergency = (found->integer(4) & item_flag_emergency) != 0;
        item.carries_schema = (found->integer(4) & item_flag_carries_schema) != 0;
        item.correlation = correlation_of(*found.operator->(), 5);
        item.received_at = model::Instant::from_micros(found->integer(7));
        if (found->is_null(9)) {
            item.share = found->bytes(8);
        } else {
            // Empty, which is no share, where the key is not the one: the item went while its row was looked at, or
            // the file of keys is not this store's.
            const auto key = setup_.keys->read(static_cast<std::uint32_t>(found->integer(9)));
            item.share = key ? unseal_content(*key, row, found->bytes(8)).value_or("") : "";
        }
        if ((found->integer(4) & item_flag_has_objects) != 0) {
            load_objects(item);
        }
        return true;
    }

    /// What goes with the bytes of an object: false where its key is not there any more.
    bool describe(const Statement& row, model::BinaryObject& described, std::string& key) const {
        if (row.is_null(22)) {
            described.url = row.bytes(1);
            described.content_type = row.bytes(2);
            described.original_filename = row.bytes(3);
            described.csp_defined_identifier = row.bytes(4);
            key = row.bytes(20);
            return true;
        }
        const auto with = setup_.keys->read(static_cast<std::uint32_t>(row.integer(22)));
        auto details = with ? unseal_details(*with, row.integer(21), row.bytes(3)) : std::nullopt;
        if (!details) {
            return false;
        }
        described.url = std::move(details->url);
        described.content_type = std::move(details->content_type);
        described.original_filename = std::move(details->filename);
        described.csp_defined_identifier = std::move(details->csp_identifier);
        key = unseal_piece(*with, place_of_key, row.bytes(20)).value_or("");
        return true;
    }

    StoredObject object_of(const Statement& row) const {
        StoredObject object;
        model::BinaryObject& described = object.described;
        described.id = uuid_of(row.bytes(0));
        if (!row.is_null(5)) {
            described.expiry = model::Instant::from_micros(row.integer(5));
        }
        object.item = row.integer(6);
        object.lane = row.integer(7);
        object.item_id = uuid_of(row.bytes(8));
        const std::int64_t flags = row.integer(9);
        object.emergency = (flags & object_flag_emergency) != 0;
        object.model = (flags & object_flag_model_b) != 0 ? model::BinaryModel::b : model::BinaryModel::a;
        object.remove_when_fetched = (flags & object_flag_remove_when_fetched) != 0;
        object.state = static_cast<ObjectState>(row.integer(10));
        object.lifetime = std::chrono::seconds(row.integer(11));
        object.refusal = refusal_of(row, 12);
        described.content_length = static_cast<std::uint64_t>(row.integer(17));
        if (const std::string_view sha256 = row.bytes(18); sha256.size() == std::tuple_size_v<model::Sha256>) {
            std::memcpy(described.checksum.emplace().data(), sha256.data(), sha256.size());
        }
        const std::int64_t blob_state = row.integer(15);
        std::string key_bytes;
        if (!describe(row, described, key_bytes)) {
            // It went while its row was looked at, or the file of keys is not this store's.
            described.loss = model::ObjectLoss::unreadable;
            described.checksum.reset();
            return object;
        }
        if (blob_state == number_of(BlobState::lost)) {
            described.loss = static_cast<model::ObjectLoss>(
                std::clamp<std::int64_t>(row.integer(16), 1, model::object_loss_names.size() - 1));
            described.checksum.reset();  // the source's word for bytes that nobody has seen
        } else if (blob_state == number_of(BlobState::ready)) {
            SealKey key;
            const bool set = key.set(key_bytes);
            wipe(key_bytes);
            if (!described.checksum || !set) {
                throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
            }
            object.sealed = setup_.files->of_row(uuid_of(row.bytes(19)), std::move(key), *described.content_length,
                                                 *described.checksum);
        }
        return object;
    }

    void load_objects(StoredItem& item) {
        auto objects = std::make_shared<std::vector<StoredObject>>();
        objects_of_item_.bind(1, item.row);
        for (Rows rows(objects_of_item_); rows.next();) {
            if (rows->integer(15) == number_of(BlobState::preparing)) {
                item.preparing = true;
            }
            objects->push_back(object_of(*rows.operator->()));
        }
        item.objects = std::move(objects);
    }

    ItemView view_of_object(const Statement& row) const {
        ItemView view = view_of(row, item_state_of(static_cast<ObjectState>(row.integer(10))));
        view.refusal = refusal_of(row, 7);
        view.object_of = uuid_of(row.bytes(11));
        return view;
    }

    std::optional<ItemView> find_object(const model::Uuid& uuid) {
        Statement select = connection_.prepare(object_view);
        select.bind(1, std::span<const std::uint8_t>(uuid.bytes));
        Rows rows(select);
        if (!rows.next()) {
            return std::nullopt;
        }
        return view_of_object(*rows.operator->());
    }

    /// One that was pushed or rejected.
    std::optional<ItemView> find_ended_object(const model::Uuid& uuid) {
        Statement select = connection_.prepare(object_ended);
        select.bind(1, std::span<const std::uint8_t>(uuid.bytes));
        Rows rows(select);
        if (!rows.next()) {
            return std::nullopt;
        }
        const bool pushed = rows->integer(12) == number_of(RecordKind::object_pushed);
        ItemView view = view_of_ended(*rows.operator->(), pushed ? ItemState::delivered : ItemState::rejected);
        // The record of its item's making may be pruned already.
        view.object_of = rows->is_null(13) ? model::Uuid{} : uuid_of(rows->bytes(13));
        return view;
    }

    static std::int64_t kind_of(ItemState state) {
        return static_cast<std::int64_t>(state == ItemState::delivered ? RecordKind::item_delivered
                                                                       : RecordKind::item_rejected);
    }

    ItemView view_of(const Statement& row, ItemState state) const {
        ItemView view;
        view.state = state;
        view.row = row.integer(0);
        if (const auto lane = setup_.catalogue->find_lane(row.integer(1))) {
            view.destination = lane->destination;
            view.liid = lane->liid;
        }
        view.object_id = uuid_of(row.bytes(2));
        view.received_at = model::Instant::from_micros(row.integer(3));
        view.correlation = correlation_of(row, 4);
        view.changed_at = model::Instant::from_micros(row.integer(6));
        return view;
    }

    ItemView view_of_ended(const Statement& row, ItemState state) const {
        ItemView view = view_of(row, state);
        view.refusal = refusal_of(row, 7);
        view.who = row.bytes(10);
        view.why = row.bytes(11);
        return view;
    }

    std::optional<ItemView> find_aside(const model::Uuid& object_id) {
        Statement select = connection_.prepare(
            "SELECT id, lane, object_id, received, level_id, sequence, changed, code, code_kind, words, state FROM "
            "aside "
            "WHERE object_id=?");
        select.bind(1, std::span<const std::uint8_t>(object_id.bytes));
        Rows rows(select);
        if (!rows.next()) {
            return std::nullopt;
        }
        ItemView view = view_of(*rows.operator->(), static_cast<ItemState>(rows->integer(10)));
        view.refusal = refusal_of(*rows.operator->(), 7);
        return view;
    }

    std::optional<ItemView> find_queued(const model::Uuid& object_id) {
        Statement select = connection_.prepare(
            "SELECT id, lane, object_id, received, level_id, sequence, received FROM item WHERE object_id=?");
        select.bind(1, std::span<const std::uint8_t>(object_id.bytes));
        Rows rows(select);
        if (!rows.next()) {
            return std::nullopt;
        }
        return view_of(*rows.operator->(), ItemState::queued);
    }

    std::optional<ItemView> find_ended(const model::Uuid& object_id) {
        // Newest first: most ask for what happened lately.
        Statement select = connection_.prepare(
            "SELECT item, kind FROM record WHERE object_id=? AND kind IN ({record.item_delivered}, "
            "{record.item_rejected}) ORDER BY id DESC LIMIT 1");
        select.bind(1, std::span<const std::uint8_t>(object_id.bytes));
        Rows rows(select);
        if (!rows.next()) {
            return std::nullopt;
        }
        const RowId row = rows->integer(0);
        const ItemState state =
            rows->integer(1) == kind_of(ItemState::delivered) ? ItemState::delivered : ItemState::rejected;
        Statement page = connection_.prepare(ended_page);
        page.bind(1, row - 1).bind(2, std::int64_t{1}).bind(3, kind_of(state));
        Rows found(page);
        if (!found.next() || found->integer(0) != row) {
            return std::nullopt;
        }
        return view_of_ended(*found.operator->(), state);
    }

    const ReaderPool::Setup& setup_;
    Connection connection_;
    Statement load_;
    Statement load_set_aside_;
    Statement object_;
    Statement objects_of_item_;
};
#undef LIHANDOVER_WAITING_OBJECT

namespace {

class PooledReader final : public Reader {
  public:
    explicit PooledReader(std::shared_ptr<ReaderPool> pool) : pool_(std::move(pool)) {}

    model::Result<std::vector<StoredItem>> load(std::span<const RowId> rows) override {
        return pool_->read([&](DatabaseReader& reader) { return reader.load(rows); });
    }
    model::Status for_each_queued(const std::function<void(const QueuedItem&)>& visit) override {
        return pool_->read([&](DatabaseReader& reader) { return reader.for_each_queued(visit); });
    }
    model::Status for_each_set_aside(const std::function<void(const QueuedItem&)>& visit) override {
        return pool_->read([&](DatabaseReader& reader) { return reader.for_each_set_aside(visit); });
    }
    model::Result<std::vector<ItemView>> items(std::optional<ItemState> state, RowId after,
                                               std::size_t limit) override {
        return pool_->read([&](DatabaseReader& reader) { return reader.items(state, after, limit); });
    }
    model::Result<std::optional<ItemView>> find(const model::Uuid& object_id) override {
        return pool_->read([&](DatabaseReader& reader) { return reader.find(object_id); });
    }
    model::Result<std::vector<Record>> records(std::int64_t after, std::size_t limit) override {
        return pool_->read([&](DatabaseReader& reader) { return reader.records(after, limit); });
    }
    model::Result<std::optional<model::Instant>> oldest(std::string_view destination) override {
        return pool_->read([&](DatabaseReader& reader) { return reader.oldest(destination); });
    }
    model::Result<std::optional<StoredObject>> object(const model::Uuid& id) override {
        return pool_->read([&](DatabaseReader& reader) { return reader.object(id); });
    }
    model::Status for_each_upload(const std::function<void(const QueuedObject&)>& visit) override {
        return pool_->read([&](DatabaseReader& reader) { return reader.for_each_upload(ObjectState::queued, visit); });
    }
    model::Status for_each_upload_set_aside(const std::function<void(const QueuedObject&)>& visit) override {
        return pool_->read(
            [&](DatabaseReader& reader) { return reader.for_each_upload(ObjectState::set_aside, visit); });
    }

  private:
    std::shared_ptr<ReaderPool> pool_;
};

}  // namespace

ReaderPool::ReaderPool(Setup setup) : setup_(std::move(setup)) {}
ReaderPool::~ReaderPool() = default;

std::unique_ptr<Reader> ReaderPool::reader(std::shared_ptr<ReaderPool> pool) {
    return std::make_unique<PooledReader>(std::move(pool));
}

model::Status ReaderPool::try_out() {
    return read([](DatabaseReader& reader) { return reader.try_out(); });
}

model::Result<std::vector<Located>> ReaderPool::locate(const std::vector<model::Uuid>& object_ids) {
    return read([&](DatabaseReader& reader) { return reader.locate(object_ids); });
}

void ReaderPool::without_readers(const std::function<void()>& work) {
    const std::unique_lock alone(gate_);
    {
        const std::lock_guard lock(mutex_);
        free_.clear();
    }
    work();
}

std::unique_ptr<DatabaseReader> ReaderPool::take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
        return std::make_unique<DatabaseReader>(setup_);
    }
    auto reader = std::move(free_.back());
    free_.pop_back();
    return reader;
}

void ReaderPool::give_back(std::unique_ptr<DatabaseReader> reader) {
    const std::lock_guard lock(mutex_);
    if (free_.size() < most_free) {
        free_.push_back(std::move(reader));
    }
}

}  // namespace lihandover::store::sqlite
