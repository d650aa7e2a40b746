#include "outbox_reads.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "columns.hpp"
#include "common/numbered.hpp"
#include "common/object_details.hpp"
#include "item_table.hpp"
#include "object_table.hpp"

namespace lihandover::store::sqlite {

namespace {

// What StoredObject is read from.
#define LIHANDOVER_STORED_OBJECT                                                                                      \
    "SELECT o.uuid, o.url, o.content_type, o.filename, o.csp_identifier, o.expires_at, o.item, o.lane, o.item_uuid, " \
    "o.flags, o.state, o.lifetime, o.code, o.code_kind, opened('object.words', o.id, o.words), b.state, b.loss, "     \
    "b.size, b.sha256, b.file, b.key, "                                                                               \
    "o.id, b.key_slot "                                                                                               \
    "FROM object o CROSS JOIN blob b ON b.id=o.blob "
constexpr const char* object_by_uuid = LIHANDOVER_STORED_OBJECT
    "WHERE o.uuid=? AND NOT EXISTS(SELECT 1 FROM held h WHERE h.id=o.item) "
    // What is still to be held is not offered either.
    "AND NOT (o.state={object.attached} AND EXISTS(SELECT 1 FROM withholding w WHERE w.lane=o.lane AND "
    "w.after < o.item AND (w.upto IS NULL OR o.item <= w.upto))) LIMIT 1";
constexpr const char* objects_of_item = LIHANDOVER_STORED_OBJECT "WHERE o.item=? ORDER BY o.position";
#undef LIHANDOVER_STORED_OBJECT

enum class Described : std::uint8_t { yes, lost, not_now };

/// What goes with the bytes of an object. Lost: its key is not there any more.
Described describe(const ReadConnection& from, const Statement& row, model::BinaryObject& described, std::string& key) {
    if (row.is_null(22)) {
        if (!from.setup().keys->keyring().takes_plain()) {
            return Described::lost;
        }
        described.checksum = unseal_sha256(SealKey(), row.bytes(18));
        described.url = row.bytes(1);
        described.content_type = row.bytes(2);
        described.original_filename = row.bytes(3);
        described.csp_defined_identifier = row.bytes(4);
        key = row.bytes(20);
        return Described::yes;
    }
    const auto found = from.setup().keys->find_or_fail(KeyPlace::of(row.integer(22)));
    if (found.not_now()) {
        return Described::not_now;
    }
    const auto& with = found.key;
    auto details =
        with ? unseal_details(*with, row.integer(21), row.bytes(3), bound_of_item(row.integer(7), row.bytes(8), false))
             : std::nullopt;
    if (!details) {
        return Described::lost;
    }
    described.url = std::move(details->url);
    described.content_type = std::move(details->content_type);
    described.original_filename = std::move(details->filename);
    described.csp_defined_identifier = std::move(details->csp_identifier);
    described.checksum = unseal_sha256(*with, row.bytes(18));
    key = unseal_piece(*with, place_of_key, row.bytes(20)).value_or("");
    return Described::yes;
}

StoredObject object_of(const ReadConnection& from, const Statement& row) {
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
    const std::int64_t blob_state = row.integer(15);
    std::string key_bytes;
    const Described how = describe(from, row, described, key_bytes);
    if (how == Described::not_now) {
        object.unreadable_now = true;
        return object;
    }
    if (how == Described::lost) {
        // It went while its row was looked at, or the file of keys is not this store's.
        from.setup().keys->keyring().note_unreadable("blob");
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
            from.setup().keys->keyring().note_unreadable("blob");
            described.loss = model::ObjectLoss::unreadable;
            described.checksum.reset();
            return object;
        }
        object.sealed = from.setup().files->of_row(uuid_of(row.bytes(19)), std::move(key), *described.content_length,
                                                   *described.checksum);
    }
    return object;
}

void load_objects(ReadConnection& from, StoredItem& item) {
    auto objects = std::make_shared<std::vector<StoredObject>>();
    from.statements().objects_of_item.bind(1, item.row);
    for (Rows rows(from.statements().objects_of_item); rows.next();) {
        if (rows->integer(15) == number_of(BlobState::preparing)) {
            item.preparing = true;
        }
        item.unreadable_now =
            objects->emplace_back(object_of(from, *rows.operator->())).unreadable_now || item.unreadable_now;
    }
    item.objects = std::move(objects);
}

bool load_one(ReadConnection& from, Statement& statement, RowId row, std::vector<StoredItem>& items) {
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
        item.share = from.setup().keys->keyring().takes_plain() ? found->bytes(8) : "";
    } else {
        // Empty, which is no share, where the key is not the one: the item went while its row was looked at, or
        // the file of keys is not this store's.
        const auto with = from.setup().keys->find_or_fail(KeyPlace::of(found->integer(9)));
        item.unreadable_now = with.not_now();
        item.share = with.key ? unseal_content(*with.key, row, found->bytes(8),
                                               bound_of_item(item.lane, found->bytes(3), found->integer(10) != 0))
                                    .value_or("")
                              : "";
    }
    if (const auto lane = from.setup().catalogue->find_lane(item.lane); lane && lane->liid_lost) {
        item.share.clear();  // nobody can say whose it is
    }
    if ((found->integer(4) & item_flag_has_objects) != 0) {
        load_objects(from, item);
    }
    return true;
}

bool is_without_share(const StoredItem& item) {
    return item.share.empty() && !item.unreadable_now;
}

/// Their keys were overwritten between two looks.
model::Result<std::vector<StoredItem>> without_those_that_went(ReadConnection& from, std::vector<StoredItem> items) {
    const model::Status status = from.reading([&] {
        Statement there = from.connection().prepare("SELECT 1 FROM share WHERE id=?");
        std::erase_if(items, [&](const StoredItem& item) {
            there.bind(1, item.row);
            Rows rows(there);
            return is_without_share(item) && !rows.next();
        });
    });
    if (!status) {
        return status.error();
    }
    return items;
}

model::Status for_each(ReadConnection& from, std::string_view page_of_items,
                       const std::function<void(const QueuedItem&)>& visit) {
    RowId last = 0;
    std::vector<Withholding> withheld;
    const model::Status known = from.reading([&] { withheld = ItemTable::read_withholding(from.connection()); });
    if (!known) {
        return known;
    }
    while (true) {
        std::vector<QueuedItem> page;
        model::Status status = from.reading([&] {
            Statement select = from.connection().prepare(page_of_items);
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
            if (!is_in(withheld, item.lane, item.row)) {
                visit(item);
            }
        }
    }
}

bool cannot_be_opened(const StoredItem& item) {
    return is_without_share(item) ||
           (item.objects && std::ranges::any_of(*item.objects, [](const StoredObject& object) {
                return object.described.loss == model::ObjectLoss::unreadable;
            }));
}

model::Result<std::vector<StoredItem>> load_once(ReadConnection& from, std::span<const RowId> rows) {
    std::vector<StoredItem> items;
    const model::Status status = from.reading([&] {
        items.reserve(rows.size());
        const ScopedTransaction snapshot(from.connection(), "BEGIN");
        for (const RowId row : rows) {
            if (!load_one(from, from.statements().load, row, items)) {
                load_one(from, from.statements().load_set_aside, row, items);
            }
        }
    });
    return status ? model::Result<std::vector<StoredItem>>(std::move(items))
                  : model::Result<std::vector<StoredItem>>(status.error());
}

}  // namespace

ReadConnection::Statements prepare_statements(Connection& connection) {
    ReadConnection::Statements statements;
    statements.load = connection.prepare(
        "SELECT i.id, i.lane, i.profile, i.object_id, i.flags, i.level_id, i.sequence, i.received, s.octets, "
        "i.key_slot, 0 FROM item i JOIN share s ON s.id=i.id WHERE i.id=?");
    statements.load_set_aside = connection.prepare(
        "SELECT i.id, i.lane, i.profile, i.object_id, i.flags, i.level_id, i.sequence, i.received, s.octets, "
        "i.key_slot, 0 FROM aside i JOIN share s ON s.id=i.id WHERE i.id=? AND i.state={item.set_aside}");
    statements.object = connection.prepare(object_by_uuid);
    statements.objects_of_item = connection.prepare(objects_of_item);
    return statements;
}

model::Result<std::vector<StoredItem>> load(ReadConnection& from, std::span<const RowId> rows) {
    auto items = load_once(from, rows);
    if (items && std::ranges::any_of(*items, cannot_be_opened)) {
        // A key may have been overwritten while its row was looked at: then the row is another one now, or gone.
        items = load_once(from, rows);
    }
    if (!items || std::ranges::none_of(*items, is_without_share)) {
        return items;
    }
    items = without_those_that_went(from, std::move(*items));
    for (const StoredItem& item : items ? *items : std::vector<StoredItem>()) {
        if (is_without_share(item)) {
            from.setup().keys->keyring().note_unreadable("share");
        }
    }
    return items;
}

model::Result<std::optional<StoredItem>> content(ReadConnection& from, const model::Uuid& object_id) {
    std::vector<StoredItem> items;
    const model::Status status = from.reading([&] {
        const ScopedTransaction snapshot(from.connection(), "BEGIN");
        for (const std::string_view table : {"aside", "item"}) {
            Statement select = from.connection().prepare("SELECT id FROM " + std::string(table) + " WHERE object_id=?");
            select.bind(1, std::span<const std::uint8_t>(object_id.bytes));
            Rows rows(select);
            if (!rows.next()) {
                continue;
            }
            Statement load = from.connection().prepare(
                "SELECT i.id, i.lane, i.profile, i.object_id, i.flags, i.level_id, i.sequence, i.received, s.octets, "
                "i.key_slot, " +
                std::string(table == "aside" ? "i.state={item.held}" : "0") + " FROM " + std::string(table) +
                " i JOIN share s ON s.id=i.id WHERE i.id=?");
            load_one(from, load, rows->integer(0), items);
            return;
        }
    });
    if (!status) {
        return status.error();
    }
    if (!items.empty() && items.front().unreadable_now) {
        return model::Error{"the disk does not give its key at present"};
    }
    return items.empty() ? std::nullopt : std::optional(std::move(items.front()));
}

model::Status for_each_queued(ReadConnection& from, const std::function<void(const QueuedItem&)>& visit) {
    return for_each(from, "SELECT id, lane, flags FROM item WHERE id > ? ORDER BY id LIMIT ?", visit);
}

model::Status for_each_set_aside(ReadConnection& from, const std::function<void(const QueuedItem&)>& visit) {
    return for_each(from, set_aside_items, visit);
}

model::Result<std::optional<StoredObject>> find_object(ReadConnection& from, const model::Uuid& id) {
    std::optional<StoredObject> object;
    const auto look = [&] {
        object.reset();
        from.statements().object.bind(1, std::span<const std::uint8_t>(id.bytes));
        Rows rows(from.statements().object);
        if (rows.next()) {
            object = object_of(from, *rows.operator->());
        }
    };
    model::Status status = from.reading(look);
    if (status && object && object->described.loss == model::ObjectLoss::unreadable) {
        status = from.reading(look);  // as load() does
    }
    if (!status) {
        return status.error();
    }
    // Its row goes a little later, or its item is still to be sent with a new expiry.
    if (object && object->model == model::BinaryModel::a && object->described.expiry &&
        *object->described.expiry <= from.setup().clock->trusted()) {
        object.reset();
    }
    return object;
}

model::Status for_each_object(ReadConnection& from, ObjectState state,
                              const std::function<void(const QueuedObject&)>& visit) {
    RowId last = 0;
    while (true) {
        std::vector<QueuedObject> page;
        bool more = false;
        model::Status status = from.reading([&] {
            Statement select = from.connection().prepare(
                "SELECT o.id, o.uuid, o.lane, o.flags, b.size, o.deadline, o.state, b.state FROM object o CROSS "
                "JOIN blob b ON b.id=o.blob WHERE (o.state={object.queued} OR o.state={object.refused} OR "
                "o.state={object.set_aside}) AND o.id > ? ORDER BY o.id LIMIT ?");
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

}  // namespace lihandover::store::sqlite
