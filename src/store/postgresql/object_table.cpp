#include "object_table.hpp"

#include <algorithm>
#include <utility>

#include "columns.hpp"
#include "common/contents.hpp"
#include "common/gcm.hpp"
#include "common/numbered.hpp"
#include "common/object_details.hpp"
#include "lihandover/base/invariant.hpp"

namespace lihandover::store::postgresql {

namespace {

const SealedFile* file_of(const SealedObject* object) {
    return dynamic_cast<const SealedFile*>(object);
}

ObjectState object_state_of(std::int64_t number) {
    if (number < 0 || number >= static_cast<std::int64_t>(object_state_names.size())) {
        throw PgFailure(Trouble::damaged);
    }
    return static_cast<ObjectState>(number);
}

QueuedObject queued(const model::Uuid& uuid, LaneId lane, std::int64_t flags, std::uint64_t size,
                    std::int64_t deadline) {
    return {uuid, lane, (flags & object_flag_emergency) != 0, size, model::Instant::from_micros(deadline)};
}

const model::Uuid& uuid_of_new(const NewObject& object) {
    const SealedFile* sealed = file_of(object.sealed.get());
    return sealed != nullptr ? sealed->name() : object.file->id;
}

}  // namespace

ObjectTable::~ObjectTable() {
    // The next start sees what became of them.
    for (const auto& file : doubts_.kept) {
        file->keep(true);
    }
}

void ObjectTable::take_stock(Connection& connection,
                             const std::function<void(LaneId lane, ObjectState state, std::int64_t count)>& visit) {
    const Rows rows = connection.read("SELECT lane, state, count(*) FROM object GROUP BY lane, state");
    for (int row = 0; row < rows.size(); ++row) {
        visit(rows.integer(row, 0), object_state_of(rows.integer(row, 1)), rows.integer(row, 2));
    }
}

bool ObjectTable::takes(const NewItem& item) const {
    return !item.objects || std::ranges::all_of(*item.objects, [this](const NewObject& object) {
        if (object.file) {
            return !object.sealed;
        }
        const SealedFile* file = file_of(object.sealed.get());
        return file != nullptr && file->in(*files_);
    });
}

void ObjectTable::ask(Connection& connection, std::span<const NewItem* const> items) {
    blobs_.clear();
    wait_ = false;
    std::vector<std::string> names;
    for (const NewItem* item : items) {
        if (!item->objects) {
            continue;
        }
        for (const NewObject& object : *item->objects) {
            names.emplace_back(text_of(uuid_of_new(object)));
        }
    }
    if (names.empty()) {
        return;
    }
    asked_ = connection.ask(
        "SELECT id, state, key, file FROM blob WHERE file=ANY($1) UNION ALL SELECT id, state, key, source FROM blob "
        "WHERE source=ANY($1)",
        Parameters().add(names));
    wait_ = true;
}

std::optional<ObjectTable::Blob> ObjectTable::find_blob(Connection& connection, std::string_view column,
                                                        const model::Uuid& name) const {
    const Rows rows =
        connection.read("SELECT id, state, key FROM blob WHERE " + std::string(column) + "=$1 LIMIT 1 FOR UPDATE",
                        Parameters().add(text_of(name)));
    if (rows.empty()) {
        return std::nullopt;
    }
    return Blob{rows.integer(0, 0), rows.integer(0, 1), key_of(keyring_, rows.bytes(0, 2))};
}

ObjectTable::Blob ObjectTable::blob_of(Transaction& transaction, const NewObject& object) {
    if (std::exchange(wait_, false)) {
        const Rows rows = transaction.connection.answer(asked_);
        for (int row = 0; row < rows.size(); ++row) {
            blobs_[uuid_of(rows.bytes(row, 3))] = {rows.integer(row, 0), rows.integer(row, 1),
                                                   key_of(keyring_, rows.bytes(row, 2))};
        }
    }
    const model::Uuid& name = uuid_of_new(object);
    // One whose key was altered is not of use to anybody: this object has its own.
    if (const auto known = blobs_.find(name); known != blobs_.end() && known->second.key) {
        return known->second;
    }
    const SealedFile* sealed = file_of(object.sealed.get());
    RowKey drawn = RowKey::draw(keyring_);
    Blob blob{transaction.take_id(), number_of(sealed != nullptr ? BlobState::ready : BlobState::preparing), drawn.key};
    std::optional<std::string> sha256;
    std::optional<std::string> file;
    std::optional<std::string> file_key;
    std::optional<std::string> source;
    std::uint64_t size = 0;
    if (sealed != nullptr) {
        size = sealed->size();
        sha256 = seal_sha256(drawn.key, sealed->sha256());
        file = text_of(name);
        file_key = seal_piece(drawn.key, place_of_key, text_of(sealed->key().bytes()));
        changes_.released.erase(name);
        changes_.kept.push_back(std::static_pointer_cast<const SealedFile>(object.sealed));
    } else {
        size = object.file->size;
        source = text_of(name);
        if (object.file->sha256) {
            sha256 = seal_sha256(drawn.key, *object.file->sha256);
        }
    }
    transaction.connection.write(
        "INSERT INTO blob(id, state, loss, size, sha256, file, file_key, source, key) VALUES($1, $2, 0, $3, $4, $5, "
        "$6, "
        "$7, $8)",
        Parameters()
            .add(blob.id)
            .add(blob.state)
            .add(static_cast<std::int64_t>(size))
            .add_optional(sha256)
            .add_optional(file)
            .add_optional(file_key)
            .add_optional(source)
            .add(std::string_view(drawn.column)));
    if (sealed == nullptr) {
        transaction.connection.write(
            "INSERT INTO source_file(blob, node, path, inode, modified_nanos, changed_nanos, give_up_at) VALUES($1, "
            "$2, "
            "$3, $4, $5, $6, $7)",
            Parameters()
                .add(blob.id)
                .add(transaction.node)
                .add(std::string_view(seal_piece(drawn.key, place_of_path, object.file->path)))
                .add(static_cast<std::int64_t>(object.file->inode))
                .add(object.file->modified_nanos)
                .add(object.file->changed_nanos)
                .add(object.file->give_up_at.micros()));
    }
    blobs_[name] = blob;
    return blob;
}

void ObjectTable::insert(Transaction& transaction, RowId item, const NewItem& made) {
    std::int64_t position = 0;
    const std::string bound = bound_of_item(made.lane, text_of(made.object_id), false);
    for (const NewObject& object : *made.objects) {
        const Blob blob = blob_of(transaction, object);
        const RowId row = transaction.take_id();
        const std::string details = seal_details(
            *blob.key, row, {object.url, object.content_type, object.original_filename, object.csp_defined_identifier},
            bound);
        const std::int64_t flags = (made.emergency ? object_flag_emergency : 0) |
                                   (object.model == model::BinaryModel::b ? object_flag_model_b : 0) |
                                   (object.remove_when_fetched ? object_flag_remove_when_fetched : 0);
        transaction.connection.write(
            "INSERT INTO object(id, uuid, item, item_uuid, position, lane, blob, state, flags, changed, lifetime, "
            "details) VALUES($1, $2, $3, $4, $5, $6, $7, {object.attached}, $8, $9, $10, $11)",
            Parameters()
                .add(row)
                .add(text_of(object.id))
                .add(item)
                .add(text_of(made.object_id))
                .add(position++)
                .add(made.lane)
                .add(blob.id)
                .add(flags)
                .add(transaction.now.micros())
                .add(std::int64_t{object.lifetime.count()})
                .add(std::string_view(details)));
        ++transaction.counts_of(made.lane).of(ObjectState::attached);
    }
}

void ObjectTable::filler(Transaction& transaction, std::size_t objects) {
    if (objects == 0) {
        return;
    }
    // Rows and index entries as real ones, gone again before the commit. No such row has a number below 0.
    const auto count = static_cast<std::int64_t>(objects);
    const std::int64_t first = -(transaction.node << 32U) - count;
    const std::string sealed(gcm_nonce + gcm_tag + 32, '\0');
    const std::string details(gcm_nonce + gcm_tag + 180, '\0');
    const model::Uuid name = model::Uuid::random();
    transaction.connection.write(
        "INSERT INTO blob(id, state, loss, size, sha256, file, file_key, key) SELECT $1 + n, 0, 0, 0, $4, $3, $4, $4 "
        "FROM generate_series(0::bigint, $2 - 1) AS n",
        Parameters().add(first).add(count).add(text_of(name)).add(std::string_view(sealed)));
    transaction.connection.write(
        "INSERT INTO object(id, uuid, item, item_uuid, position, lane, blob, state, flags, changed, lifetime, details) "
        "SELECT $1 + n, $3, $1, $3, n, 0, $1 + n, 0, 0, 0, 0, $4 FROM generate_series(0::bigint, $2 - 1) AS n",
        Parameters().add(first).add(count).add(text_of(name)).add(std::string_view(details)));
    const Parameters range = Parameters().add(first).add(count);
    transaction.connection.write("DELETE FROM object WHERE id >= $1 AND id < $1 + $2", range);
    transaction.connection.write("DELETE FROM blob WHERE id >= $1 AND id < $1 + $2", range);
}

std::vector<ObjectTable::Row> ObjectTable::rows_of(Connection& connection, std::string_view condition,
                                                   const Parameters& parameters) const {
    std::vector<Row> found;
    const Rows rows = connection.read(
        "SELECT o.id, o.uuid, o.item, o.lane, o.blob, o.state, o.flags, o.lifetime, o.expires_at, o.deadline, b.state, "
        "b.size, o.code, o.code_kind, o.words FROM object o JOIN blob b ON b.id=o.blob WHERE " +
            std::string(condition) + " FOR UPDATE",
        parameters);
    for (int n = 0; n < rows.size(); ++n) {
        Row& row = found.emplace_back();
        row.id = rows.integer(n, 0);
        row.uuid = uuid_of(rows.bytes(n, 1));
        row.item = rows.integer(n, 2);
        row.lane = rows.integer(n, 3);
        row.blob = rows.integer(n, 4);
        row.state = object_state_of(rows.integer(n, 5));
        row.flags = rows.integer(n, 6);
        row.lifetime = rows.integer(n, 7);
        row.expires_at = rows.optional_integer(n, 8);
        row.deadline = rows.integer(n, 9);
        row.blob_state = static_cast<BlobState>(rows.integer(n, 10));
        row.size = static_cast<std::uint64_t>(rows.integer(n, 11));
        row.refusal = refusal_of(keyring_, "object.words", row_name(row.id), rows, n, 12);
    }
    return found;
}

std::optional<ObjectTable::Row> ObjectTable::find(Connection& connection, const model::Uuid& uuid) const {
    auto rows = rows_of(connection, "o.uuid=$1 LIMIT 1", Parameters().add(text_of(uuid)));
    return rows.empty() ? std::nullopt : std::optional(std::move(rows.front()));
}

std::vector<ObjectTable::Row> ObjectTable::find_waiting(Connection& connection, const model::Uuid& id) const {
    if (auto own = find(connection, id)) {
        if (own->state == ObjectState::attached) {
            return {};
        }
        return {std::move(*own)};
    }
    return rows_of(connection, "o.state IN (1, 2, 3, 4) AND o.item_uuid=$1 ORDER BY o.id",
                   Parameters().add(text_of(id)));
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
    const AuditTable::Ended ended = audit_.ended_object(transaction.connection, uuid);
    // Without that entry it is older than they are kept, and nobody can say whose it was.
    if (ended.item == 0 || (kind == audit::Kind::object_pushed && ended.kind == kind)) {
        return;
    }
    if (kind == audit::Kind::object_pushed && !transaction.may_settle(ended.lane)) {
        return;
    }
    audit::Entry entry = transaction.entry(kind, ended.lane);
    entry.object_id = uuid;
    entry.who = who;
    entry.why = why;
    audit_.append(transaction, ended.lane, ended.item, entry);
}

void ObjectTable::release_blob(Transaction& transaction, std::int64_t blob) {
    const Rows rows =
        transaction.connection.read("DELETE FROM blob WHERE id=$1 RETURNING file, size", Parameters().add(blob));
    if (!rows.empty() && !rows.is_null(0, 0)) {
        changes_.released.emplace(uuid_of(rows.bytes(0, 0)),
                                  sealed_size_of(static_cast<std::uint64_t>(rows.integer(0, 1))));
    }
}

void ObjectTable::remove(Transaction& transaction, const Row& row) {
    transaction.connection.write("DELETE FROM object WHERE id=$1", Parameters().add(row.id));
    --transaction.counts_of(row.lane).of(row.state);
    if (!transaction.connection.read("SELECT 1::bigint FROM object WHERE blob=$1 LIMIT 1", Parameters().add(row.blob))
             .empty()) {
        return;
    }
    release_blob(transaction, row.blob);
    if (row.blob_state != BlobState::ready) {
        transaction.connection.write("DELETE FROM source_file WHERE blob=$1", Parameters().add(row.blob));
    }
}

void ObjectTable::end_expired(Transaction& transaction, const Row& row, std::string_view why) {
    audit::Entry entry = entry_about(transaction, audit::Kind::object_expired, row);
    entry.why = why;
    append(transaction, row, entry);
    remove(transaction, row);
}

#define LIHANDOVER_SET_STATE                                                                                     \
    "UPDATE object SET state=$2, changed=$3, expires_at=$4, deadline=$5, code=NULL, code_kind=NULL, words=NULL " \
    "WHERE id=$1"

void ObjectTable::offer(Transaction& transaction, const Row& row) {
    const std::int64_t expires_at = row.expires_at.value_or(later(transaction.passed.micros(), row.lifetime));
    transaction.connection.write(LIHANDOVER_SET_STATE, Parameters()
                                                           .add(row.id)
                                                           .add(number_of(ObjectState::offered))
                                                           .add(transaction.now.micros())
                                                           .add(expires_at)
                                                           .add(std::optional<std::int64_t>()));
    move(transaction, row, ObjectState::offered);
    next_expiry_ = std::min(next_expiry_, expires_at);
}

void ObjectTable::queue(Transaction& transaction, const Row& row, std::int64_t deadline) {
    transaction.connection.write(LIHANDOVER_SET_STATE, Parameters()
                                                           .add(row.id)
                                                           .add(number_of(ObjectState::queued))
                                                           .add(transaction.now.micros())
                                                           .add(row.expires_at)
                                                           .add(std::optional(deadline)));
    move(transaction, row, ObjectState::queued);
    if (row.blob_state == BlobState::ready) {
        transaction.effects.uploads.push_back(queued(row.uuid, row.lane, row.flags, row.size, deadline));
    }
}

#undef LIHANDOVER_SET_STATE

void ObjectTable::item_queued(Transaction& transaction, RowId held, RowId item) {
    transaction.connection.write("UPDATE object SET item=$2 WHERE item=$1", Parameters().add(held).add(item));
}

void ObjectTable::item_accepted(Transaction& transaction, RowId item) {
    for (const Row& row : rows_of(transaction.connection, "o.item=$1 ORDER BY o.position", Parameters().add(item))) {
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
    for (const Row& row : rows_of(transaction.connection, "o.item=$1 ORDER BY o.position", Parameters().add(item))) {
        reject_one(transaction, row, who, why);
    }
}

void ObjectTable::prepared(Transaction& transaction, const model::Uuid& source,
                           const std::shared_ptr<const SealedObject>& copy, model::ObjectLoss loss) {
    const auto blob = find_blob(transaction.connection, "source", source);
    // Its items were rejected meanwhile, or it is told a second time.
    if (!blob || blob->state != number_of(BlobState::preparing)) {
        return;
    }
    const SealedFile* file = file_of(copy.get());
    const bool complete = blob->key && file != nullptr && file->in(*files_);
    if (complete) {
        transaction.connection.write(
            "UPDATE blob SET state={blob.ready}, size=$2, sha256=$3, file=$4, file_key=$5 WHERE id=$1",
            Parameters()
                .add(blob->id)
                .add(static_cast<std::int64_t>(file->size()))
                .add(std::string_view(seal_sha256(*blob->key, file->sha256())))
                .add(text_of(file->name()))
                .add(std::string_view(seal_piece(*blob->key, place_of_key, text_of(file->key().bytes())))));
        changes_.kept.push_back(std::static_pointer_cast<const SealedFile>(copy));
    } else {
        if (loss == model::ObjectLoss::none) {
            loss = model::ObjectLoss::unreadable;
        }
        transaction.connection.write("UPDATE blob SET state={blob.lost}, loss=$2 WHERE id=$1",
                                     Parameters().add(blob->id).add(number_of(loss)));
    }
    transaction.connection.write("DELETE FROM source_file WHERE blob=$1", Parameters().add(blob->id));
    tell_prepared(transaction, blob->id, complete, loss);
}

void ObjectTable::tell_prepared(Transaction& transaction, std::int64_t blob, bool complete, model::ObjectLoss loss) {
    for (const Row& row : rows_of(transaction.connection, "o.blob=$1 ORDER BY o.id", Parameters().add(blob))) {
        if (!complete) {
            audit::Entry entry = entry_about(transaction, audit::Kind::object_lost, row);
            entry.why = model::name_of(loss);
            append(transaction, row, entry);
        }
        if (row.state == ObjectState::attached) {
            const Rows rows = transaction.connection.read(
                "SELECT i.lane FROM item i WHERE i.id=$1 AND NOT EXISTS(SELECT 1 FROM object o JOIN blob b ON "
                "b.id=o.blob WHERE o.item=$1 AND b.state={blob.preparing})",
                Parameters().add(row.item));
            auto& items = transaction.effects.prepared;
            // An item may have the file twice.
            if (!rows.empty() && (items.empty() || items.back().row != row.item)) {
                items.push_back({row.item, rows.integer(0, 0), (row.flags & object_flag_emergency) != 0});
            }
        } else if (!complete) {
            remove(transaction, row);
        } else if (row.state == ObjectState::queued) {
            transaction.effects.uploads.push_back(queued(row.uuid, row.lane, row.flags, row.size, row.deadline));
        }
    }
}

void ObjectTable::stamp(Transaction& transaction, RowId item, model::Instant expiry) {
    Parameters parameters;
    parameters.add(item).add(expiry.micros());
    if (!transaction.holdings.all().all()) {
        const Rows lanes =
            transaction.connection.read("SELECT lane FROM object WHERE item=$1 LIMIT 1", Parameters().add(item));
        if (!lanes.empty() && !transaction.may_settle(lanes.integer(0, 0))) {
            return;
        }
    }
    transaction.connection.write("UPDATE object SET expires_at=$2 WHERE item=$1 AND state={object.attached}",
                                 parameters);
}

void ObjectTable::pushed(Transaction& transaction, const model::Uuid& uuid) {
    const auto row = find(transaction.connection, uuid);
    if (!row) {
        // An operator rejected it meanwhile: the LEA has it all the same.
        append_late(transaction, audit::Kind::object_pushed, uuid, "", "");
        return;
    }
    if (!transaction.may_settle(row->lane)) {
        return;
    }
    append(transaction, *row, entry_about(transaction, audit::Kind::object_pushed, *row));
    remove(transaction, *row);
}

void ObjectTable::put_aside(Transaction& transaction, const model::Uuid& uuid, ObjectState to, const Refusal& refusal) {
    const auto row = find(transaction.connection, uuid);
    // An operator decided about it meanwhile, it is told a second time, or its next owner decides.
    if (!row || !may_move(row->state, to) || !transaction.may_settle(row->lane)) {
        return;
    }
    transaction.connection.write(
        "UPDATE object SET state=$2, changed=$3, code=$4, code_kind=$5, words=$6 WHERE id=$1",
        Parameters()
            .add(row->id)
            .add(number_of(to))
            .add(transaction.now.micros())
            .add(static_cast<std::int64_t>(refusal.code))
            .add(number_of(refusal.kind))
            .add(std::string_view(sealed(keyring_, "object.words", row_name(row->id), refusal.words))));
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
    const auto row = find(transaction.connection, fetch.object);
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
        transaction.connection.write("UPDATE object SET flags=flags|8 WHERE id=$1", Parameters().add(row->id));
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
    for (const Row& row : find_waiting(transaction.connection, id)) {
        if (may_move(row.state, ObjectState::queued)) {
            back_to_queue(transaction, row, who);
            any = true;
        }
    }
    return any;
}

void ObjectTable::retry(Transaction& transaction, RowId id, std::string_view who) {
    for (const Row& row : rows_of(transaction.connection, "o.id=$1", Parameters().add(id))) {
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
        if (transaction.holdings.has(row.lane)) {
            transaction.effects.uploads_withdrawn.push_back(row.uuid);
        } else {
            transaction.effects.uploads_withdrawn_elsewhere.emplace_back(row.lane, row.uuid);
        }
    }
}

bool ObjectTable::reject(Transaction& transaction, const Meant& meant, std::string_view who, std::string_view why) {
    bool any = false;
    for (const Row& row : find_waiting(transaction.connection, meant.id)) {
        if (is_meant(meant, row.uuid, row.state)) {
            reject_one(transaction, row, who, why);
            any = true;
        }
    }
    return any;
}

void ObjectTable::expire(Transaction& transaction, std::int64_t limit) {
    for (const Row& row :
         rows_of(transaction.connection, "o.state=1 AND o.expires_at <= $1 ORDER BY o.expires_at LIMIT $2",
                 Parameters().add(transaction.trusted.micros()).add(limit))) {
        end_expired(transaction, row, "");
    }
    const Rows next = transaction.connection.read("SELECT min(expires_at) FROM object WHERE state=1");
    next_expiry_ = next.optional_integer(0, 0).value_or(no_expiry);
}

std::vector<ObjectTable::Waiting> ObjectTable::waiting_after(Connection& connection, RowId after, std::size_t limit) {
    std::vector<Waiting> found;
    const Rows rows = connection.read(
        "SELECT id, state, lane, code FROM object WHERE state IN (2, 3, 4) AND id > $1 ORDER BY id LIMIT $2",
        Parameters().add(after).add(static_cast<std::int64_t>(limit)));
    for (int row = 0; row < rows.size(); ++row) {
        found.push_back(
            {rows.integer(row, 0), object_state_of(rows.integer(row, 1)), rows.integer(row, 2), rows.integer(row, 3)});
    }
    return found;
}

std::vector<std::shared_ptr<const SourceFile>> ObjectTable::pending_files(const Transaction& transaction) const {
    std::vector<std::shared_ptr<const SourceFile>> files;
    const Rows rows = transaction.connection.read(
        "SELECT b.source, s.path, s.inode, b.size, s.modified_nanos, s.changed_nanos, b.sha256, s.give_up_at, b.key "
        "FROM source_file s JOIN blob b ON b.id=s.blob WHERE s.node=$1 AND b.state={blob.preparing} ORDER BY s.blob",
        Parameters().add(transaction.node));
    for (int row = 0; row < rows.size(); ++row) {
        auto file = std::make_shared<SourceFile>();
        file->id = uuid_of(rows.bytes(row, 0));
        if (const auto key = key_of(keyring_, rows.bytes(row, 8))) {
            // None where it was altered: there is no such file then, and the object is lost.
            file->path = unseal_piece(*key, place_of_path, rows.bytes(row, 1)).value_or("");
            if (!rows.is_null(row, 6)) {
                file->sha256 = unseal_sha256(*key, rows.bytes(row, 6));
            }
        } else {
            keyring_.note_unreadable("blob");
        }
        file->inode = static_cast<std::uint64_t>(rows.integer(row, 2));
        file->size = static_cast<std::uint64_t>(rows.integer(row, 3));
        file->modified_nanos = rows.integer(row, 4);
        file->changed_nanos = rows.integer(row, 5);
        file->give_up_at = model::Instant::from_micros(rows.integer(row, 7));
        files.push_back(std::move(file));
    }
    return files;
}

namespace {

constexpr const char* left_behind =
    "SELECT b.source FROM source_file s JOIN blob b ON b.id=s.blob JOIN node n ON n.id=s.node WHERE s.node <> $1 AND "
    "s.give_up_at <= $2 AND b.state={blob.preparing} AND b.source IS NOT NULL AND coalesce(n.lease_until, n.seen + "
    "interval '30 s') <= clock_timestamp() ORDER BY s.blob LIMIT 100";

}  // namespace

bool ObjectTable::any_left_behind(Connection& connection, std::int64_t node, model::Instant now) {
    return !connection.read(left_behind, Parameters().add(node).add(now.micros())).empty();
}

void ObjectTable::give_up_left_behind(Transaction& transaction) {
    const Rows rows =
        transaction.connection.read(left_behind, Parameters().add(transaction.node).add(transaction.trusted.micros()));
    for (int row = 0; row < rows.size(); ++row) {
        prepared(transaction, uuid_of(rows.bytes(row, 0)), nullptr, model::ObjectLoss::unreadable);
    }
}

std::map<model::Uuid, std::uint64_t> ObjectTable::files_named(Connection& connection) {
    std::map<model::Uuid, std::uint64_t> named;
    const Rows rows = connection.read("SELECT file, size FROM blob WHERE file IS NOT NULL");
    for (int row = 0; row < rows.size(); ++row) {
        named[uuid_of(rows.bytes(row, 0))] = sealed_size_of(static_cast<std::uint64_t>(rows.integer(row, 1)));
    }
    return named;
}

void ObjectTable::committed() {
    for (const auto& file : changes_.kept) {
        file->keep(true);
    }
    for (const auto& [name, bytes] : changes_.released) {
        files_->release(name, bytes);
    }
    changes_ = {};
}

void ObjectTable::rolled_back(bool in_doubt) noexcept {
    if (in_doubt) {
        doubts_.kept.insert(doubts_.kept.end(), changes_.kept.begin(), changes_.kept.end());
        doubts_.released.merge(changes_.released);
    }
    changes_ = {};
    wait_ = false;
    blobs_.clear();
    next_expiry_ = std::numeric_limits<std::int64_t>::min();
}

void ObjectTable::resolve_doubts(Connection& connection) {
    if (doubts_.kept.empty() && doubts_.released.empty()) {
        return;
    }
    const auto has_row = [&](const model::Uuid& name) {
        return !connection.read("SELECT 1::bigint FROM blob WHERE file=$1 LIMIT 1", Parameters().add(text_of(name)))
                    .empty();
    };
    for (const auto& file : doubts_.kept) {
        if (has_row(file->name())) {
            file->keep(true);
        }
    }
    for (const auto& [name, bytes] : doubts_.released) {
        if (!has_row(name)) {
            files_->release(name, bytes);
        }
    }
    doubts_ = {};
}

}  // namespace lihandover::store::postgresql
