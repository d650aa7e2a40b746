#include "object_table.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "columns.hpp"
#include "common/gcm.hpp"
#include "common/numbered.hpp"
#include "common/object_details.hpp"
#include "item_table.hpp"
#include "lihandover/base/invariant.hpp"

namespace lihandover::store::sqlite {

namespace {

std::string_view key_text(const SealKey& key) {
    return {reinterpret_cast<const char*>(key.bytes().data()), key.bytes().size()};
}

const SealedFile* file_of(const SealedObject* object) {
    return dynamic_cast<const SealedFile*>(object);
}

ObjectState object_state_of(std::int64_t number) {
    if (number < 0 || number >= static_cast<std::int64_t>(object_state_names.size())) {
        throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
    }
    return static_cast<ObjectState>(number);
}

QueuedObject queued(const model::Uuid& uuid, LaneId lane, std::int64_t flags, std::uint64_t size,
                    std::int64_t deadline) {
    return {uuid, lane, (flags & object_flag_emergency) != 0, size, model::Instant::from_micros(deadline)};
}

}  // namespace

ObjectTable::ObjectTable(AuditTable& audit, std::shared_ptr<ObjectFiles> files, std::shared_ptr<KeySlots> keys)
    : audit_(audit), files_(std::move(files)), keys_(std::move(keys)) {}

ObjectTable::~ObjectTable() {
    // The next start sees what became of them.
    for (const auto& [name, file] : doubts_.kept) {
        file->keep(true);
    }
}

#define LIHANDOVER_OBJECT_COLUMNS                                                                                    \
    "SELECT o.id, o.uuid, o.item, o.lane, o.blob, o.state, o.flags, o.lifetime, o.expires_at, o.deadline, b.state, " \
    "b.size, o.code, o.code_kind, opened('object.words', o.id, o.words) FROM object o CROSS JOIN blob b ON "         \
    "b.id=o.blob "

void ObjectTable::open(Connection& c) {
    s_.insert_blob = c.prepare(
        "INSERT INTO blob(state, loss, size, sha256, file, key, source, key_slot) VALUES(?, 0, ?, ?, ?, ?, "
        "?, ?)");
    s_.insert_source = c.prepare(
        "INSERT INTO source_file(blob, path, inode, modified_nanos, changed_nanos, give_up_at) "
        "VALUES(?, ?, ?, ?, ?, ?)");
    s_.insert_object = c.prepare(
        "INSERT INTO object(id, uuid, item, item_uuid, position, lane, blob, state, flags, changed, lifetime, url, "
        "content_type, filename, csp_identifier) VALUES(?, ?, ?, ?, ?, ?, ?, {object.attached}, ?, ?, ?, ?, ?, ?, ?)");
    s_.blob_by_file = c.prepare("SELECT id, state, key_slot FROM blob WHERE file=?");
    s_.blob_by_source = c.prepare("SELECT id, state, key_slot FROM blob WHERE source=?");
    s_.blob_file = c.prepare("SELECT file, size, key_slot FROM blob WHERE id=?");
    s_.other_with_blob = c.prepare("SELECT 1 FROM object WHERE blob=? LIMIT 1");
    s_.delete_blob = c.prepare("DELETE FROM blob WHERE id=?");
    s_.delete_source = c.prepare("DELETE FROM source_file WHERE blob=?");
    s_.complete = c.prepare("UPDATE blob SET state={blob.ready}, size=?2, sha256=?3, file=?4, key=?5 WHERE id=?1");
    s_.lose = c.prepare("UPDATE blob SET state={blob.lost}, loss=?2 WHERE id=?1");
    s_.by_uuid = c.prepare(LIHANDOVER_OBJECT_COLUMNS "WHERE o.uuid=? LIMIT 1");
    s_.by_item = c.prepare(LIHANDOVER_OBJECT_COLUMNS "WHERE o.item=? ORDER BY o.position");
    s_.by_blob = c.prepare(LIHANDOVER_OBJECT_COLUMNS "WHERE o.blob=? ORDER BY o.id");
    s_.by_id = c.prepare(LIHANDOVER_OBJECT_COLUMNS "WHERE o.id=?");
    s_.by_item_uuid =
        c.prepare(LIHANDOVER_OBJECT_COLUMNS
                  "WHERE (o.state={object.offered} OR o.state={object.queued} OR o.state={object.refused} OR "
                  "o.state={object.set_aside}) AND o.item_uuid=? ORDER BY o.id");
    s_.expired = c.prepare(LIHANDOVER_OBJECT_COLUMNS
                           "WHERE o.state={object.offered} AND o.expires_at <= ? ORDER BY o.expires_at LIMIT ?");
    s_.next_expiry = c.prepare("SELECT min(expires_at) FROM object WHERE state={object.offered}");
    s_.set_state = c.prepare(
        "UPDATE object SET state=?2, changed=?3, expires_at=?4, deadline=?5, code=NULL, code_kind=NULL, words=NULL "
        "WHERE id=?1");
    s_.put_aside = c.prepare(
        "UPDATE object SET state=?2, changed=?3, code=?4, code_kind=?5, words=sealed('object.words', id, ?6) WHERE "
        "id=?1");
    s_.set_fetched = c.prepare("UPDATE object SET flags=flags|8 WHERE id=?");
    s_.stamp = c.prepare("UPDATE object SET expires_at=?2 WHERE item=?1 AND state={object.attached}");
    s_.delete_object = c.prepare("DELETE FROM object WHERE id=?");
    s_.delete_objects_from = c.prepare("DELETE FROM object WHERE id >= ?");
    s_.delete_blobs_from = c.prepare("DELETE FROM blob WHERE id >= ?");
    s_.item_queued = c.prepare("UPDATE object SET item=?2 WHERE item=?1");
    s_.item_prepared = c.prepare(
        "SELECT i.lane, i.flags FROM item i WHERE i.id=?1 AND NOT EXISTS(SELECT 1 FROM object o JOIN blob b ON "
        "b.id=o.blob WHERE o.item=?1 AND b.state={blob.preparing})");
    s_.waiting_after = c.prepare(
        "SELECT id, state, lane, code FROM object WHERE (state={object.queued} OR state={object.refused} OR "
        "state={object.set_aside}) AND id > ? ORDER BY id LIMIT ?");
    next_expiry_ = std::numeric_limits<std::int64_t>::min();  // the first step finds it
}

#undef LIHANDOVER_OBJECT_COLUMNS

void ObjectTable::take_stock(Connection& connection,
                             const std::function<void(LaneId lane, ObjectState state, std::int64_t count)>& visit) {
    Statement counts = connection.prepare("SELECT lane, state, count(*) FROM object GROUP BY lane, state");
    for (Rows rows(counts); rows.next();) {
        visit(rows->integer(0), object_state_of(rows->integer(1)), rows->integer(2));
    }
}

void ObjectTable::close() {
    s_ = {};
    changes_ = {};
}

bool ObjectTable::takes(const NewItem& item) const {
    if (!item.objects) {
        return true;
    }
    return std::ranges::all_of(*item.objects, [this](const NewObject& object) {
        if (object.file) {
            return !object.sealed;
        }
        const SealedFile* file = file_of(object.sealed.get());
        return file != nullptr && file->in(*files_);
    });
}

std::optional<SealKey> ObjectTable::key_of(const Statement& row, int column, bool starting) const {
    const auto place = key_place_of(row, column);
    if (!place) {
        return std::nullopt;
    }
    // While nobody knows whether it is lost, nothing is decided: the commit fails and is tried again.
    auto found = starting ? KeySlots::Found{keys_->wait_for(*place)} : keys_->find(*place);
    if (found.not_now()) {
        throw SqlFailure(Trouble::failing, SQLITE_IOERR_READ);
    }
    auto key = std::move(found.key);
    if (!key) {
        keys_->keyring().note_unreadable("blob");
    }
    return key;
}

bool ObjectTable::is_key_lost(const Statement& row, int column, const std::optional<SealKey>& key) const {
    return !key && (!row.is_null(column) || !keys_->keyring().takes_plain());
}

ObjectTable::Blob ObjectTable::blob_of(Transaction& transaction, const NewObject& object) {
    const SealedFile* sealed = file_of(object.sealed.get());
    Statement& known = sealed != nullptr ? s_.blob_by_file : s_.blob_by_source;
    known.bind(1, bytes_of(sealed != nullptr ? sealed->name() : object.file->id));
    {
        Rows rows(known);
        if (rows.next()) {
            Blob blob{rows->integer(0), key_of(*rows.operator->(), 2)};
            if (blob.key || !is_key_lost(*rows.operator->(), 2, blob.key)) {
                return blob;
            }
            return mended(transaction, blob.id, object);
        }
    }
    SealKey key;
    const KeyPlace place = keys_->take(key);
    transaction.effects.taken_slots.push_back(place.slot);
    Statement& insert = s_.insert_blob;
    insert.bind(7, place.column());
    if (sealed != nullptr) {
        const std::string sha256 = seal_sha256(key, sealed->sha256());
        insert.bind(1, number_of(BlobState::ready))
            .bind(2, static_cast<std::int64_t>(sealed->size()))
            .bind_blob(3, sha256)
            .bind(4, bytes_of(sealed->name()))
            .bind_blob(5, seal_piece(key, place_of_key, key_text(sealed->key())))
            .bind_null(6)
            .run();
        changes_.released.erase(sealed->name());
        changes_.kept.push_back(std::static_pointer_cast<const SealedFile>(object.sealed));
        return {transaction.connection.last_inserted(), std::move(key)};
    }
    const SourceFile& source = *object.file;
    insert.bind(1, number_of(BlobState::preparing)).bind(2, static_cast<std::int64_t>(source.size));
    std::string sha256;
    if (source.sha256) {
        sha256 = seal_sha256(key, *source.sha256);
        insert.bind_blob(3, sha256);
    } else {
        insert.bind_null(3);
    }
    insert.bind_null(4).bind_null(5).bind(6, bytes_of(source.id)).run();
    const std::int64_t blob = transaction.connection.last_inserted();
    s_.insert_source.bind(1, blob)
        .bind_blob(2, seal_piece(key, place_of_path, source.path))
        .bind(3, static_cast<std::int64_t>(source.inode))
        .bind(4, source.modified_nanos)
        .bind(5, source.changed_nanos)
        .bind(6, source.give_up_at.micros())
        .run();
    return {blob, std::move(key)};
}

/// Of a row whose key was altered, or is gone: what a new object brings with it goes under another. What is said of the
/// objects from before is lost.
ObjectTable::Blob ObjectTable::mended(Transaction& transaction, std::int64_t blob, const NewObject& object) {
    SealKey key;
    const KeyPlace place = keys_->take(key);
    transaction.effects.taken_slots.push_back(place.slot);
    Connection& connection = transaction.connection;
    Statement put = connection.prepare("UPDATE blob SET key_slot=?2, key=?3, sha256=?4 WHERE id=?1");
    put.bind(1, blob).bind(2, place.column()).bind_null(3).bind_null(4);
    const SealedFile* sealed = file_of(object.sealed.get());
    std::string file_key;
    std::string sha256;
    if (sealed != nullptr) {
        file_key = seal_piece(key, place_of_key, key_text(sealed->key()));
        sha256 = seal_sha256(key, sealed->sha256());
        put.bind_blob(3, file_key).bind_blob(4, sha256);
    } else if (object.file->sha256) {
        sha256 = seal_sha256(key, *object.file->sha256);
        put.bind_blob(4, sha256);
    }
    put.run();
    if (sealed == nullptr) {
        const std::string path = seal_piece(key, place_of_path, object.file->path);
        connection.prepare("UPDATE source_file SET path=?2 WHERE blob=?1").bind(1, blob).bind_blob(2, path).run();
    }
    return {blob, std::move(key)};
}

void ObjectTable::insert(Transaction& transaction, RowId item, const NewItem& made) {
    std::int64_t position = 0;
    for (const NewObject& object : *made.objects) {
        const Blob blob = blob_of(transaction, object);
        const RowId row = transaction.take_id();
        ObjectDetails details{object.url, object.content_type, object.original_filename, object.csp_defined_identifier};
        if (blob.key) {
            const std::string bound = bound_of_item(made.lane, text_of(made.object_id), false);
            details = {{}, {}, seal_details(*blob.key, row, details, bound), {}};
        }
        const std::int64_t flags = (made.emergency ? object_flag_emergency : 0) |
                                   (object.model == model::BinaryModel::b ? object_flag_model_b : 0) |
                                   (object.remove_when_fetched ? object_flag_remove_when_fetched : 0);
        s_.insert_object.bind(1, row)
            .bind(2, bytes_of(object.id))
            .bind(3, item)
            .bind(4, bytes_of(made.object_id))
            .bind(5, position++)
            .bind(6, made.lane)
            .bind(7, blob.id)
            .bind(8, flags)
            .bind(9, transaction.now.micros())
            .bind(10, std::int64_t{object.lifetime.count()})
            .bind(11, std::string_view(details.url))
            .bind_blob(12, details.content_type)
            .bind_blob(13, details.filename)
            .bind_blob(14, details.csp_identifier)
            .run();
        ++transaction.counts_of(made.lane).of(ObjectState::attached);
    }
}

void ObjectTable::filler(Transaction& transaction, std::size_t objects) {
    if (objects == 0) {
        return;
    }
    // Rows and index entries in the same places as real ones, gone again before the commit: the pages that they were on
    // are written all the same. The numbers are above all others and are not used up.
    const bool encrypted = keys_->keyring().on();
    const std::size_t overhead = encrypted ? gcm_nonce + gcm_tag : seal_piece_overhead;
    const std::string sha256(encrypted ? 32 + overhead : 32, '\0');
    const std::string key(overhead + SealKey::size, '\0');
    const std::string words(overhead + 180, '\0');
    const KeyPlace place{0, keys_->keyring().generation()};
    const RowId first = transaction.last_id() + 1;
    const model::Uuid item = model::Uuid::random();
    std::int64_t first_blob = 0;
    for (std::size_t i = 0; i < objects; ++i) {
        const model::Uuid uuid = model::Uuid::random();
        s_.insert_blob.bind(1, number_of(BlobState::ready))
            .bind(2, std::int64_t{0})
            .bind_blob(3, sha256)
            .bind(4, bytes_of(uuid))
            .bind_blob(5, key)
            .bind_null(6)
            .bind(7, place.column())
            .run();
        const std::int64_t blob = transaction.connection.last_inserted();
        if (i == 0) {
            first_blob = blob;
        }
        const auto number = static_cast<std::int64_t>(i);
        s_.insert_object.bind(1, first + number)
            .bind(2, bytes_of(uuid))
            .bind(3, first)
            .bind(4, bytes_of(item))
            .bind(5, number)
            .bind(6, std::int64_t{0})
            .bind(7, blob)
            .bind(8, std::int64_t{0})
            .bind(9, transaction.now.micros())
            .bind(10, std::int64_t{0})
            .bind(11, std::string_view())
            .bind_blob(12, {})
            .bind_blob(13, words)
            .bind_blob(14, {})
            .run();
    }
    s_.delete_objects_from.bind(1, first).run();
    s_.delete_blobs_from.bind(1, first_blob).run();
}

std::vector<ObjectTable::Row> ObjectTable::rows_of(Statement& statement) {
    std::vector<Row> found;
    for (Rows rows(statement); rows.next();) {
        Row& row = found.emplace_back();
        row.id = rows->integer(0);
        row.uuid = uuid_of(rows->bytes(1));
        row.item = rows->integer(2);
        row.lane = rows->integer(3);
        row.blob = rows->integer(4);
        row.state = object_state_of(rows->integer(5));
        row.flags = rows->integer(6);
        row.lifetime = rows->integer(7);
        if (!rows->is_null(8)) {
            row.expires_at = rows->integer(8);
        }
        row.deadline = rows->integer(9);
        row.blob_state = static_cast<BlobState>(rows->integer(10));
        row.size = static_cast<std::uint64_t>(rows->integer(11));
        row.refusal = refusal_of(*rows.operator->(), 12);
    }
    return found;
}

std::optional<ObjectTable::Row> ObjectTable::find(const model::Uuid& uuid) {
    s_.by_uuid.bind(1, bytes_of(uuid));
    auto rows = rows_of(s_.by_uuid);
    if (rows.empty()) {
        return std::nullopt;
    }
    return std::move(rows.front());
}

std::vector<ObjectTable::Row> ObjectTable::find_waiting(const model::Uuid& id) {
    if (auto own = find(id)) {
        if (own->state == ObjectState::attached) {
            return {};
        }
        return {std::move(*own)};
    }
    s_.by_item_uuid.bind(1, bytes_of(id));
    return rows_of(s_.by_item_uuid);
}

void ObjectTable::move(Transaction& transaction, const Row& row, ObjectState to) {
    LIHANDOVER_INVARIANT(may_move(row.state, to), "an object moves between states as they are drawn");
    Counts& counts = transaction.counts_of(row.lane);
    --counts.of(row.state);
    ++counts.of(to);
}

audit::Entry ObjectTable::entry_about(const Transaction& transaction, audit::Kind kind, const Row& row) {
    audit::Entry entry = transaction.entry(kind, row.lane);
    entry.object_id = row.uuid;
    return entry;
}

void ObjectTable::append_late(Transaction& transaction, audit::Kind kind, const model::Uuid& uuid, std::string_view who,
                              std::string_view why) {
    const AuditTable::Ended ended = audit_.ended_object(uuid);
    // Without that entry it is older than they are kept, and nobody can say whose it was.
    if (ended.item == 0) {
        return;
    }
    // Told a second time.
    if (kind == audit::Kind::object_pushed && ended.kind == kind) {
        return;
    }
    audit::Entry entry = transaction.entry(kind, ended.lane);
    entry.object_id = uuid;
    entry.who = who;
    entry.why = why;
    audit_.append(transaction, ended.lane, ended.item, entry);
}

void ObjectTable::release_blob(Transaction& transaction, std::int64_t blob) {
    s_.blob_file.bind(1, blob);
    Rows rows(s_.blob_file);
    if (!rows.next()) {
        return;
    }
    if (const auto place = key_place_of(*rows.operator->(), 2)) {
        transaction.effects.released_slots.push_back(place->slot);
    }
    if (rows->is_null(0)) {
        return;
    }
    changes_.released.emplace(uuid_of(rows->bytes(0)), sealed_size_of(static_cast<std::uint64_t>(rows->integer(1))));
}

void ObjectTable::remove(Transaction& transaction, const Row& row) {
    s_.delete_object.bind(1, row.id).run();
    --transaction.counts_of(row.lane).of(row.state);
    {
        s_.other_with_blob.bind(1, row.blob);
        Rows rows(s_.other_with_blob);
        if (rows.next()) {
            return;
        }
    }
    release_blob(transaction, row.blob);
    s_.delete_blob.bind(1, row.blob).run();
    if (row.blob_state != BlobState::ready) {
        s_.delete_source.bind(1, row.blob).run();
    }
}

void ObjectTable::end_expired(Transaction& transaction, const Row& row, std::string_view why) {
    audit::Entry entry = entry_about(transaction, audit::Kind::object_expired, row);
    entry.why = why;
    append(transaction, row, entry);
    remove(transaction, row);
}

void ObjectTable::offer(Transaction& transaction, const Row& row) {
    const std::int64_t expires_at = row.expires_at.value_or(later(transaction.passed.micros(), row.lifetime));
    s_.set_state.bind(1, row.id)
        .bind(2, number_of(ObjectState::offered))
        .bind(3, transaction.now.micros())
        .bind(4, expires_at)
        .bind_null(5)
        .run();
    move(transaction, row, ObjectState::offered);
    next_expiry_ = std::min(next_expiry_, expires_at);
}

void ObjectTable::queue(Transaction& transaction, const Row& row, std::int64_t deadline) {
    s_.set_state.bind(1, row.id).bind(2, number_of(ObjectState::queued)).bind(3, transaction.now.micros());
    if (row.expires_at) {
        s_.set_state.bind(4, *row.expires_at);
    } else {
        s_.set_state.bind_null(4);
    }
    s_.set_state.bind(5, deadline).run();
    move(transaction, row, ObjectState::queued);
    if (row.blob_state == BlobState::ready) {
        transaction.effects.uploads.push_back(queued(row.uuid, row.lane, row.flags, row.size, deadline));
    }
}

void ObjectTable::item_queued(RowId held, RowId item) {
    s_.item_queued.bind(1, held).bind(2, item).run();
}

void ObjectTable::item_accepted(Transaction& transaction, RowId item) {
    s_.by_item.bind(1, item);
    for (const Row& row : rows_of(s_.by_item)) {
        if (row.state != ObjectState::attached) {
            continue;
        }
        if (row.blob_state == BlobState::lost) {
            remove(transaction, row);
        } else if ((row.flags & object_flag_model_b) != 0) {
            queue(transaction, row, later(transaction.passed.micros(), row.lifetime));
        } else if ((row.flags & object_flag_fetched) != 0) {
            end_expired(transaction, row, "it was fetched before its item was accepted");
        } else {
            offer(transaction, row);
        }
    }
}

void ObjectTable::item_rejected(Transaction& transaction, RowId item, std::string_view who, std::string_view why) {
    s_.by_item.bind(1, item);
    for (const Row& row : rows_of(s_.by_item)) {
        reject_one(transaction, row, who, why);
    }
}

void ObjectTable::prepared(Transaction& transaction, const model::Uuid& source,
                           const std::shared_ptr<const SealedObject>& copy, model::ObjectLoss loss) {
    const SealedFile* file = file_of(copy.get());
    bool complete = file != nullptr && file->in(*files_);
    std::int64_t blob = 0;
    std::optional<SealKey> key;
    {
        s_.blob_by_source.bind(1, bytes_of(source));
        Rows rows(s_.blob_by_source);
        // Its items were rejected meanwhile, or it is told a second time.
        if (!rows.next() || rows->integer(1) != number_of(BlobState::preparing)) {
            return;
        }
        blob = rows->integer(0);
        if (complete) {  // what is lost in any case needs no key, and waits for none
            key = key_of(*rows.operator->(), 2);
            complete = !is_key_lost(*rows.operator->(), 2, key);
        }
    }
    if (complete) {
        const std::string sha256 = seal_sha256(key.value_or(SealKey()), file->sha256());
        s_.complete.bind(1, blob)
            .bind(2, static_cast<std::int64_t>(file->size()))
            .bind_blob(3, sha256)
            .bind(4, bytes_of(file->name()))
            .bind_blob(5,
                       key ? seal_piece(*key, place_of_key, key_text(file->key())) : std::string(key_text(file->key())))
            .run();
        changes_.released.erase(file->name());
        changes_.kept.push_back(std::static_pointer_cast<const SealedFile>(copy));
    } else {
        if (loss == model::ObjectLoss::none) {
            loss = model::ObjectLoss::unreadable;
        }
        s_.lose.bind(1, blob).bind(2, number_of(loss)).run();
    }
    s_.delete_source.bind(1, blob).run();

    s_.by_blob.bind(1, blob);
    for (const Row& row : rows_of(s_.by_blob)) {
        if (!complete) {
            audit::Entry entry = entry_about(transaction, audit::Kind::object_lost, row);
            entry.why = model::name_of(loss);
            append(transaction, row, entry);
        }
        if (row.state == ObjectState::attached) {
            s_.item_prepared.bind(1, row.item);
            Rows rows(s_.item_prepared);
            if (!rows.next()) {
                continue;
            }
            auto& items = transaction.effects.prepared;
            // An item may have the file twice.
            if (items.empty() || items.back().row != row.item) {
                items.push_back({row.item, rows->integer(0), (row.flags & object_flag_emergency) != 0});
            }
        } else if (!complete) {
            remove(transaction, row);
        } else if (row.state == ObjectState::queued) {
            transaction.effects.uploads.push_back(queued(row.uuid, row.lane, row.flags, row.size, row.deadline));
        }
    }
}

void ObjectTable::stamp(Transaction& /*transaction*/, RowId item, model::Instant expiry) {
    s_.stamp.bind(1, item).bind(2, expiry.micros()).run();
}

void ObjectTable::pushed(Transaction& transaction, const model::Uuid& uuid) {
    const auto row = find(uuid);
    if (!row) {
        // An operator rejected it meanwhile: the LEA has it all the same.
        append_late(transaction, audit::Kind::object_pushed, uuid, "", "");
        return;
    }
    append(transaction, *row, entry_about(transaction, audit::Kind::object_pushed, *row));
    remove(transaction, *row);
}

void ObjectTable::put_aside(Transaction& transaction, const model::Uuid& uuid, ObjectState to, const Refusal& refusal) {
    const auto row = find(uuid);
    // An operator decided about it meanwhile, or it is told a second time.
    if (!row || !may_move(row->state, to)) {
        return;
    }
    s_.put_aside.bind(1, row->id)
        .bind(2, number_of(to))
        .bind(3, transaction.now.micros())
        .bind(4, static_cast<std::int64_t>(refusal.code))
        .bind(5, number_of(refusal.kind))
        .bind(6, std::string_view(refusal.words))
        .run();
    move(transaction, *row, to);
    if (row->state == to) {
        return;  // set aside as before: each attempt is not a decision
    }
    audit::Entry entry = entry_about(
        transaction, to == ObjectState::refused ? audit::Kind::object_refused : audit::Kind::object_set_aside, *row);
    entry.refusal = &refusal;
    append(transaction, *row, entry);
}

void ObjectTable::fetched(Transaction& transaction, const Fetch& fetch) {
    const auto row = find(fetch.object);
    const std::string words = words_of(fetch);
    if (!row) {
        // It ended while it was on its way out.
        append_late(transaction, audit::Kind::object_fetched, fetch.object, fetch.certificate_sha256, words);
        return;
    }
    audit::Entry entry = entry_about(transaction, audit::Kind::object_fetched, *row);
    entry.who = fetch.certificate_sha256;
    entry.why = words;
    append(transaction, *row, entry);
    if (!fetch.whole() || (row->flags & object_flag_remove_when_fetched) == 0) {
        return;
    }
    if (row->state == ObjectState::offered) {
        end_expired(transaction, *row, "it was fetched");
    } else if (row->state == ObjectState::attached) {
        // Until its item was accepted, the next attempt names it again.
        s_.set_fetched.bind(1, row->id).run();
    }
}

void ObjectTable::back_to_queue(Transaction& transaction, const Row& row, std::string_view who) {
    audit::Entry entry = entry_about(transaction, audit::Kind::object_retried, row);
    entry.who = who;
    append(transaction, row, entry);
    const std::int64_t now = transaction.passed.micros();
    const bool expired = row.deadline <= now || (row.refusal && row.refusal->kind == Refusal::Kind::expired);
    queue(transaction, row, expired ? later(now, row.lifetime) : row.deadline);
}

bool ObjectTable::retry(Transaction& transaction, const model::Uuid& id, std::string_view who) {
    bool any = false;
    for (const Row& row : find_waiting(id)) {
        if (!may_move(row.state, ObjectState::queued)) {
            continue;
        }
        back_to_queue(transaction, row, who);
        any = true;
    }
    return any;
}

void ObjectTable::retry(Transaction& transaction, RowId id, std::string_view who) {
    s_.by_id.bind(1, id);
    for (const Row& row : rows_of(s_.by_id)) {
        if (may_move(row.state, ObjectState::queued)) {
            back_to_queue(transaction, row, who);
        }
    }
}

void ObjectTable::reject_one(Transaction& transaction, const Row& row, std::string_view who, std::string_view why) {
    audit::Entry entry = entry_about(transaction, audit::Kind::object_rejected, row);
    entry.who = who;
    entry.why = why;
    entry.refusal = row.refusal ? &*row.refusal : nullptr;
    append(transaction, row, entry);
    remove(transaction, row);
    // Delivery may have these in memory.
    if (row.state == ObjectState::queued || row.state == ObjectState::set_aside) {
        transaction.effects.uploads_withdrawn.push_back(row.uuid);
    }
}

bool ObjectTable::reject(Transaction& transaction, const Meant& meant, std::string_view who, std::string_view why) {
    bool any = false;
    for (const Row& row : find_waiting(meant.id)) {
        if (is_meant(meant, row.uuid, row.state)) {
            reject_one(transaction, row, who, why);
            any = true;
        }
    }
    return any;
}

void ObjectTable::expire(Transaction& transaction, std::int64_t limit) {
    s_.expired.bind(1, transaction.trusted.micros()).bind(2, limit);
    for (const Row& row : rows_of(s_.expired)) {
        end_expired(transaction, row, "");
    }
    Rows rows(s_.next_expiry);
    next_expiry_ = rows.next() && !rows->is_null(0) ? rows->integer(0) : no_expiry;
}

std::vector<ObjectTable::Waiting> ObjectTable::waiting_after(Connection& /*connection*/, RowId after,
                                                             std::size_t limit) {
    std::vector<Waiting> found;
    s_.waiting_after.bind(1, after).bind(2, static_cast<std::int64_t>(limit));
    for (Rows rows(s_.waiting_after); rows.next();) {
        found.push_back({rows->integer(0), object_state_of(rows->integer(1)), rows->integer(2), rows->integer(3)});
    }
    return found;
}

std::vector<std::shared_ptr<const SourceFile>> ObjectTable::pending_files(Connection& connection) {
    std::vector<std::shared_ptr<const SourceFile>> files;
    Statement select = connection.prepare(
        "SELECT b.source, s.path, s.inode, b.size, s.modified_nanos, s.changed_nanos, b.sha256, s.give_up_at, "
        "b.key_slot "
        "FROM source_file s JOIN blob b ON b.id=s.blob WHERE b.state={blob.preparing} ORDER BY s.blob");
    for (Rows rows(select); rows.next();) {
        auto file = std::make_shared<SourceFile>();
        file->id = uuid_of(rows->bytes(0));
        file->path = rows->bytes(1);
        const auto key = key_of(*rows.operator->(), 8, true);
        if (key) {
            // None where the key is not this store's: there is no such file then, and the object is lost.
            file->path = unseal_piece(*key, place_of_path, rows->bytes(1)).value_or("");
        } else if (is_key_lost(*rows.operator->(), 8, key)) {
            file->path.clear();
        }
        file->inode = static_cast<std::uint64_t>(rows->integer(2));
        file->size = static_cast<std::uint64_t>(rows->integer(3));
        file->modified_nanos = rows->integer(4);
        file->changed_nanos = rows->integer(5);
        if (!rows->is_null(6)) {
            file->sha256 = unseal_sha256(key.value_or(SealKey()), rows->bytes(6));
        }
        file->give_up_at = model::Instant::from_micros(rows->integer(7));
        files.push_back(std::move(file));
    }
    return files;
}

void ObjectTable::find_slots(Connection& connection) {
    Statement select = connection.prepare("SELECT key_slot FROM blob WHERE key_slot IS NOT NULL");
    for (Rows rows(select); rows.next();) {
        keys_->in_use(KeyPlace::of(rows->integer(0)).slot);
    }
}

bool ObjectTable::names_file(const model::Uuid& file) {
    s_.blob_by_file.bind(1, bytes_of(file));
    Rows rows(s_.blob_by_file);
    return rows.next();
}

ObjectTable::Named ObjectTable::files_named(Connection& connection) {
    Named named;
    Statement select = connection.prepare("SELECT size FROM blob WHERE file IS NOT NULL");
    for (Rows rows(select); rows.next();) {
        ++named.files;
        named.bytes += sealed_size_of(static_cast<std::uint64_t>(rows->integer(0)));
    }
    return named;
}

void ObjectTable::committed(bool wrote) {
    for (const auto& file : changes_.kept) {
        file->keep(true);
    }
    for (const auto& [name, bytes] : changes_.released) {
        files_->release(name, bytes);
    }
    changes_ = {};
    // What was in doubt is written over now, but only by a commit that wrote something.
    if (wrote) {
        doubts_ = {};
    }
}

void ObjectTable::rolled_back(const Effects& effects) noexcept {
    for (auto& file : changes_.kept) {
        doubts_.kept[file->name()] = std::move(file);
    }
    doubts_.released.merge(changes_.released);
    for (const QueuedObject& object : effects.uploads) {
        doubts_.uploads.insert(object.id);
    }
    for (const QueuedItem& item : effects.prepared) {
        doubts_.prepared.insert(item.row);
    }
    doubts_.withdrawn.insert(effects.uploads_withdrawn.begin(), effects.uploads_withdrawn.end());
    changes_ = {};
    next_expiry_ = std::numeric_limits<std::int64_t>::min();
}

void ObjectTable::resolve_doubts(Effects& effects) {
    for (const auto& [name, file] : doubts_.kept) {
        if (names_file(name)) {
            file->keep(true);
        }
    }
    for (const auto& [name, bytes] : doubts_.released) {
        if (!names_file(name)) {
            files_->release(name, bytes);
        }
    }
    // None of these was so before that transaction.
    for (const model::Uuid& uuid : doubts_.uploads) {
        const auto row = find(uuid);
        if (!row || row->state != ObjectState::queued || row->blob_state != BlobState::ready) {
            continue;
        }
        effects.uploads.push_back(queued(uuid, row->lane, row->flags, row->size, row->deadline));
    }
    for (const model::Uuid& uuid : doubts_.withdrawn) {
        if (!find(uuid)) {
            effects.uploads_withdrawn.push_back(uuid);
        }
    }
    for (const RowId item : doubts_.prepared) {
        s_.item_prepared.bind(1, item);
        Rows rows(s_.item_prepared);
        if (rows.next()) {
            effects.prepared.push_back({item, rows->integer(0), (rows->integer(1) & item_flag_emergency) != 0});
        }
    }
    doubts_ = {};
}

}  // namespace lihandover::store::sqlite
