#include "outbox_reads.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <utility>

#include "columns.hpp"
#include "common/contents.hpp"
#include "common/object_details.hpp"
#include "common/states.hpp"
#include "holdings.hpp"

namespace lihandover::store::postgresql {

namespace {

constexpr std::int64_t scan_step = 10'000;
constexpr std::size_t load_step = 256;

constexpr const char* item_columns =
    "SELECT i.id, i.lane, i.profile, i.object_id, i.flags, i.level_id, i.sequence, i.received, i.octets, i.key, ";
constexpr const char* object_columns =
    "SELECT o.id, o.uuid, o.details, o.expires_at, o.item, o.lane, o.item_uuid, o.flags, o.state, o.lifetime, o.code, "
    "o.code_kind, o.words, b.state, b.loss, b.size, b.sha256, b.file, b.file_key, b.key FROM object o JOIN blob b ON "
    "b.id=o.blob ";

StoredObject unreadable(const Reader& from, StoredObject object) {
    from.keyring.note_unreadable("blob");
    object.described.loss = model::ObjectLoss::unreadable;
    object.described.checksum.reset();
    return object;
}

/// Adds what is sealed; false where it cannot be opened.
bool describe(const Rows& rows, int row, const SealKey& with, model::BinaryObject& described) {
    auto details = unseal_details(with, rows.integer(row, 0), rows.bytes(row, 2),
                                  bound_of_item(rows.integer(row, 5), rows.bytes(row, 6), false));
    if (!details) {
        return false;
    }
    described.url = std::move(details->url);
    described.content_type = std::move(details->content_type);
    described.original_filename = std::move(details->filename);
    described.csp_defined_identifier = std::move(details->csp_identifier);
    if (!rows.is_null(row, 16)) {
        described.checksum = unseal_sha256(with, rows.bytes(row, 16));
    }
    return true;
}

StoredObject object_of(const Reader& from, const Rows& rows, int row) {
    StoredObject object;
    model::BinaryObject& described = object.described;
    described.id = uuid_of(rows.bytes(row, 1));
    if (const auto expiry = rows.optional_integer(row, 3)) {
        described.expiry = model::Instant::from_micros(*expiry);
    }
    object.item = rows.integer(row, 4);
    object.lane = rows.integer(row, 5);
    object.item_id = uuid_of(rows.bytes(row, 6));
    const std::int64_t flags = rows.integer(row, 7);
    object.emergency = (flags & object_flag_emergency) != 0;
    object.model = (flags & object_flag_model_b) != 0 ? model::BinaryModel::b : model::BinaryModel::a;
    object.remove_when_fetched = (flags & object_flag_remove_when_fetched) != 0;
    object.state = static_cast<ObjectState>(rows.integer(row, 8));
    object.lifetime = std::chrono::seconds(rows.integer(row, 9));
    object.refusal = refusal_of(from.keyring, "object.words", row_name(rows.integer(row, 0)), rows, row, 10);
    described.content_length = static_cast<std::uint64_t>(rows.integer(row, 15));
    const auto with = key_of(from.keyring, rows.bytes(row, 19));
    if (!with || !describe(rows, row, *with, described)) {
        return unreadable(from, std::move(object));
    }
    const auto state = static_cast<BlobState>(rows.integer(row, 13));
    if (state == BlobState::lost) {
        described.loss = static_cast<model::ObjectLoss>(
            std::clamp<std::int64_t>(rows.integer(row, 14), 1, model::object_loss_names.size() - 1));
        described.checksum.reset();  // the source's word for bytes that nobody has seen
    } else if (state == BlobState::ready) {
        auto bytes = unseal_piece(*with, place_of_key, rows.bytes(row, 18));
        SealKey key;
        const bool set = bytes && key.set(*bytes);
        if (bytes) {
            wipe(*bytes);
        }
        if (!described.checksum || !set) {
            return unreadable(from, std::move(object));
        }
        object.sealed = from.files.of_row(uuid_of(rows.bytes(row, 17)), std::move(key), *described.content_length,
                                          *described.checksum);
    }
    return object;
}

/// Of an item that is not to be held, whether it is held already or not.
constexpr std::string_view not_withheld =
    " AND NOT EXISTS(SELECT 1 FROM withholding w WHERE w.lane=i.lane AND w.after < i.id AND (w.upto IS NULL OR i.id <= "
    "w.upto)) ";

/// With columns as item_columns has them, and then whether it is held.
StoredItem item_of(const Reader& from, const Rows& rows, int row) {
    StoredItem item;
    item.row = rows.integer(row, 0);
    item.lane = rows.integer(row, 1);
    item.profile = rows.integer(row, 2);
    item.object_id = uuid_of(rows.bytes(row, 3));
    item.emergency = (rows.integer(row, 4) & item_flag_emergency) != 0;
    item.carries_schema = (rows.integer(row, 4) & item_flag_carries_schema) != 0;
    item.correlation = correlation_of(rows, row, 5);
    item.received_at = model::Instant::from_micros(rows.integer(row, 7));
    const auto key = key_of(from.keyring, rows.bytes(row, 9));
    auto share = key ? unseal_content(*key, item.row, rows.bytes(row, 8),
                                      bound_of_item(item.lane, rows.bytes(row, 3), rows.boolean(row, 10)))
                     : std::nullopt;
    if (!share) {
        from.keyring.note_unreadable("item.octets");
    }
    const auto lane = from.catalogue.find_lane(item.lane);
    // Empty, which is no share, also where nobody can say whose it is.
    item.share = share && !(lane && lane->liid_lost) ? std::move(*share) : "";
    return item;
}

void add_objects(Reader& from, std::map<RowId, StoredItem>& items, const std::vector<RowId>& with_objects) {
    if (with_objects.empty()) {
        return;
    }
    std::map<RowId, std::vector<StoredObject>> objects;
    for (const RowId row : with_objects) {
        objects[row];
    }
    const Rows rows =
        from.connection.read(std::string(object_columns) + "WHERE o.item=ANY($1) ORDER BY o.item, o.position",
                             Parameters().add(with_objects));
    for (int row = 0; row < rows.size(); ++row) {
        StoredItem& item = items.at(rows.integer(row, 4));
        item.preparing = item.preparing || static_cast<BlobState>(rows.integer(row, 13)) == BlobState::preparing;
        objects[item.row].push_back(object_of(from, rows, row));
    }
    for (auto& [row, list] : objects) {
        items.at(row).objects = std::make_shared<const std::vector<StoredObject>>(std::move(list));
    }
}

std::map<RowId, StoredItem> items_of(Reader& from, const std::string& sql, const Parameters& parameters) {
    std::map<RowId, StoredItem> items;
    std::vector<RowId> with_objects;
    const Rows rows = from.connection.read(sql, parameters);
    for (int row = 0; row < rows.size(); ++row) {
        StoredItem item = item_of(from, rows, row);
        if ((rows.integer(row, 4) & item_flag_has_objects) != 0) {
            with_objects.push_back(item.row);
        }
        items.emplace(item.row, std::move(item));
    }
    add_objects(from, items, with_objects);
    return items;
}

std::vector<QueuedItem> page_of(Reader& from, std::string_view rows_of, RowId after) {
    std::vector<QueuedItem> page;
    const Rows rows = from.connection.read("SELECT i.id, i.lane, i.flags FROM " + std::string(rows_of) +
                                               std::string(not_withheld) + "ORDER BY i.id LIMIT $2",
                                           Parameters().add(after).add(scan_step));
    page.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row) {
        page.push_back({rows.integer(row, 0), rows.integer(row, 1), (rows.integer(row, 2) & item_flag_emergency) != 0});
    }
    return page;
}

constexpr const char* select_queued_object =
    "SELECT o.id, o.uuid, o.lane, o.flags, b.size, o.deadline FROM object o JOIN blob b ON b.id=o.blob WHERE o.state "
    "IN (2, 3, 4) AND b.state={blob.ready} ";

QueuedObject queued_object(const Rows& rows, int row) {
    return {uuid_of(rows.bytes(row, 1)), rows.integer(row, 2), (rows.integer(row, 3) & object_flag_emergency) != 0,
            static_cast<std::uint64_t>(rows.integer(row, 4)), model::Instant::from_micros(rows.integer(row, 5))};
}

}  // namespace

std::vector<StoredItem> load(Reader& from, std::span<const RowId> rows) {
    const std::string sql = std::string(item_columns) + "false FROM item i WHERE i.id=ANY($1) UNION ALL " +
                            item_columns + "false FROM aside i WHERE i.id=ANY($1) AND i.state={item.set_aside}";
    std::vector<StoredItem> all;
    while (!rows.empty()) {
        const auto some = rows.first(std::min(rows.size(), load_step));
        rows = rows.subspan(some.size());
        auto items = items_of(from, sql, Parameters().add(some));
        for (const RowId row : some) {
            if (const auto found = items.find(row); found != items.end()) {
                all.push_back(std::move(found->second));
                items.erase(found);
            }
        }
    }
    return all;
}

std::optional<StoredItem> content(Reader& from, const model::Uuid& object_id) {
    const Parameters id = Parameters().add(text_of(object_id));
    auto items =
        items_of(from, std::string(item_columns) + "i.state={item.held} FROM aside i WHERE i.object_id=$1 LIMIT 1", id);
    if (items.empty()) {
        const Rows row = from.connection.read("SELECT id FROM item WHERE object_id=$1 LIMIT 1", id);
        if (!row.empty()) {
            items = items_of(from, std::string(item_columns) + "false FROM item i WHERE i.id=$1",
                             Parameters().add(row.integer(0, 0)));
        }
    }
    return items.empty() ? std::nullopt : std::optional(std::move(items.begin()->second));
}

std::optional<StoredObject> find_object(Reader& from, const model::Uuid& id) {
    const Rows rows = from.connection.read(
        std::string(object_columns) +
            "WHERE o.uuid=$1 AND NOT EXISTS(SELECT 1 FROM held h WHERE h.id=o.item) "
            // What is still to be held is not offered either.
            "AND NOT (o.state={object.attached} AND EXISTS(SELECT 1 FROM withholding w WHERE w.lane=o.lane AND "
            "w.after < o.item AND (w.upto IS NULL OR o.item <= w.upto))) LIMIT 1",
        Parameters().add(text_of(id)));
    if (rows.empty()) {
        return std::nullopt;
    }
    StoredObject object = object_of(from, rows, 0);
    // Its row goes a little later, or its item is still to be sent with a new expiry.
    if (object.model == model::BinaryModel::a && object.described.expiry &&
        *object.described.expiry <= from.clock.trusted()) {
        return std::nullopt;
    }
    return object;
}

std::vector<QueuedItem> waiting_items(Connection& connection, const std::vector<std::int64_t>& buckets,
                                      bool set_aside) {
    static_assert(bucket_count == 256);
    const std::string sql = std::string("SELECT i.id, i.lane, i.flags FROM ") +
                            (set_aside ? "aside i WHERE i.state={item.set_aside} AND " : "item i WHERE ") +
                            "i.id > $1 AND i.lane%256 = ANY($3)" + std::string(not_withheld) + "ORDER BY i.id LIMIT $2";
    std::vector<QueuedItem> all;
    for (RowId last = 0;;) {
        const Rows rows = connection.read(sql, Parameters().add(last).add(scan_step).add(buckets));
        for (int row = 0; row < rows.size(); ++row) {
            last = rows.integer(row, 0);
            all.push_back({last, rows.integer(row, 1), (rows.integer(row, 2) & item_flag_emergency) != 0});
        }
        if (rows.size() < scan_step) {
            return all;
        }
    }
}

std::vector<QueuedObject> waiting_objects(Connection& connection, const std::vector<std::int64_t>& buckets,
                                          ObjectState state) {
    std::vector<QueuedObject> all;
    const Rows rows = connection.read(
        std::string(select_queued_object) + "AND o.state=$1 AND o.lane%256 = ANY($2)" + " ORDER BY o.id",
        Parameters().add(static_cast<std::int64_t>(state)).add(buckets));
    all.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row) {
        all.push_back(queued_object(rows, row));
    }
    return all;
}

std::vector<QueuedItem> queued_page(Reader& from, RowId after) {
    return page_of(from, "item i WHERE i.id > $1", after);
}

std::vector<QueuedItem> set_aside_page(Reader& from, RowId after) {
    return page_of(from, "aside i WHERE i.id > $1 AND i.state={item.set_aside}", after);
}

ObjectPage object_page(Reader& from, ObjectState state, RowId after) {
    ObjectPage page;
    page.last = after;
    const Rows rows =
        from.connection.read(std::string(select_queued_object) + "AND o.state=$3 AND o.id > $1 ORDER BY o.id LIMIT $2",
                             Parameters().add(after).add(scan_step).add(static_cast<std::int64_t>(state)));
    for (int row = 0; row < rows.size(); ++row) {
        page.last = rows.integer(row, 0);
        page.objects.push_back(queued_object(rows, row));
    }
    page.ended = rows.size() < scan_step;
    return page;
}

}  // namespace lihandover::store::postgresql
