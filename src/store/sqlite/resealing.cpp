#include "resealing.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <span>
#include <stdexcept>

#include "columns.hpp"
#include "object_table.hpp"
#include "schema.hpp"
#include "sealing_functions.hpp"

namespace lihandover::store::sqlite {

namespace {

using namespace std::chrono_literals;

/// What one step seals anew at most, and looks at.
constexpr std::size_t most_rows = 64;
constexpr std::size_t most_bytes = std::size_t{1} << 20U;
constexpr std::int64_t rows_looked_at = 20'000;
constexpr std::int64_t texts_looked_at = 500;
/// Readers hold a row for a few milliseconds before they ask for its key.
constexpr auto until_overwritten = 10s;
/// After a pass that could not read some keys.
constexpr auto until_next_try = 60s;

constexpr std::string_view older = "(key_slot IS NULL OR key_slot >> 32 <> ?2)";

}  // namespace

/// Sealed texts of one table.
struct Resealing::Texts {
    /// How a part of the rows is taken.
    enum class By : std::uint8_t { number, pair, whole };
    struct Column {
        std::string_view column;
        std::string_view name;  ///< what it is called in `sealed`
        std::string_view row;   ///< and which row it is
    };
    std::string_view table;
    By by;
    std::string_view key;  ///< the column with the number
    std::array<Column, 4> columns;
};

namespace {

using By = Resealing::Texts::By;

constexpr std::string_view of_held = "named(id, review)";
constexpr std::string_view of_revocation = "named({liid}, from_seconds, from_nanos)";
constexpr std::string_view of_refusal = "named({liid}, refused)";
constexpr std::string_view of_approval =
    "named({liid}, uid, (SELECT opened('pending_warrant.digest', p.liid, p.digest) FROM pending_warrant p WHERE "
    "p.destination=warrant_approval.destination AND p.liid=warrant_approval.liid))";

/// `{liid}` is the column, or what stands in it from now on. Approvals come before what they are bound to.
constexpr std::array<Resealing::Texts, 10> tables_of_texts = {{
    {"record_note",
     By::number,
     "record",
     {{{"who", "note.who", "record"}, {"why", "note.why", "record"}, {"words", "note.words", "record"}}}},
    {"aside", By::number, "id", {{{"words", "aside.words", "id"}}}},
    {"object", By::number, "id", {{{"words", "object.words", "id"}}}},
    {"held",
     By::number,
     "id",
     {{{"first_by", "held.first_by", of_held},
       {"first_who", "held.first_who", of_held},
       {"first_why", "held.first_why", of_held}}}},
    {"lane", By::number, "id", {{{"sealed", "lane.liid", "id"}}}},
    {"warrant_approval", By::pair, "", {{{"who", "warrant_approval.who", of_approval}}}},
    {"revocation",
     By::pair,
     "",
     {{{"file", "revocation.file", of_revocation},
       {"who", "revocation.who", of_revocation},
       {"why", "revocation.why", of_revocation},
       {"name", "revocation.name", of_revocation}}}},
    {"pending_warrant",
     By::pair,
     "",
     {{{"digest", "pending_warrant.digest", "{liid}"},
       {"file", "pending_warrant.file", "{liid}"},
       {"who", "pending_warrant.who", of_refusal},
       {"why", "pending_warrant.why", of_refusal}}}},
    {"warrant", By::pair, "", {{{"file", "warrant.file", "{liid}"}}}},
    {"pause", By::whole, "", {{{"who", "pause.who", "destination"}}}},
}};
constexpr std::size_t first_texts = 5;
static_assert(first_texts + tables_of_texts.size() == Resealing::parts);

std::string with_liid(std::string_view expression, std::string_view liid) {
    constexpr std::string_view mark = "{liid}";
    std::string text(expression);
    const std::size_t at = text.find(mark);
    return at == std::string::npos ? text : text.replace(at, mark.size(), liid);
}

/// `function` of each column: what is set, or, joined by OR, whether a row is stale.
std::string call_for_each(const Resealing::Texts& texts, std::string_view function, std::string_view liid, bool sets) {
    std::string sql;
    for (const Resealing::Texts::Column& column : texts.columns) {
        if (column.column.empty()) {
            continue;
        }
        sql += sql.empty() ? "" : sets ? ", " : " OR ";
        sql += sets ? std::string(column.column) + "=" : "";
        sql += std::string(function) + "('" + std::string(column.name) + "', " + with_liid(column.row, liid) + ", " +
               std::string(column.column) + ")";
    }
    return sql;
}

/// Of what is stale; more conditions can follow.
std::string update_of(const Resealing::Texts& texts) {
    return "UPDATE " + std::string(texts.table) + " SET " + call_for_each(texts, "resealed", "liid", true) +
           " WHERE (" + call_for_each(texts, "stale", "liid", false) + ")";
}

}  // namespace

void Resealing::turn_on(Connection& connection) {
    ScopedTransaction transaction(connection);
    const bool has_something =
        connection.integer(
            "SELECT EXISTS(SELECT 1 FROM record) OR EXISTS(SELECT 1 FROM lane) OR EXISTS(SELECT 1 FROM kept) OR "
            "EXISTS(SELECT 1 FROM pause)") != 0;
    save_keyring(connection, keyring_.turn_on(has_something));
    // The LIID is with the lane, from now on.
    for (const std::string_view table : {"warrant", "revocation", "pending_warrant"}) {
        connection.execute(
            "INSERT OR IGNORE INTO lane(destination, liid, provided, last) SELECT destination, liid, 0, "
            "(SELECT coalesce(max(id), 0) FROM record) FROM " +
            std::string(table));
    }
    connection.execute("UPDATE revocation SET name=liid");
    for (const Texts& texts : tables_of_texts) {
        if (texts.by == By::pair) {
            connection.execute("UPDATE " + std::string(texts.table) + " SET " +
                               call_for_each(texts, "sealed", "keyed(destination, liid)", true) +
                               ", liid=keyed(destination, liid)");
        }
    }
    connection.execute("UPDATE lane SET sealed=sealed('lane.liid', id, liid), liid=keyed(destination, liid)");
    connection.execute("UPDATE meta SET value=sealed('meta.secret', 1, value) WHERE name='secret'");
    transaction.commit();
    keyring_.committed();
    if (has_something) {
        spdlog::info("store: encryption at rest is turned on; what is there already is sealed meanwhile");
    }
}

void Resealing::opened() {
    place_ = Place();
    next_.reset();
    replaced_.clear();
    replaced_now_.clear();
    unread_ = 0;
    part_ = 0;
    percent_ = 0;
}

void Resealing::begin(Transaction& transaction, std::string_view who) {
    try {
        save_keyring(transaction.connection, keyring_.add_generation());
    } catch (const std::length_error&) {
        throw SqlFailure(Trouble::failing, SQLITE_TOOBIG);
    }
    next_ = Place();
    tell_entry(transaction, who, "begun under the master key " + keyring_.status().newest);
}

void Resealing::tell_entry(Transaction& transaction, std::string_view who, std::string_view why) {
    audit::Entry entry;
    entry.kind = audit::Kind::store_sealed;
    entry.at = transaction.now;
    entry.who = who;
    entry.why = why;
    audit_.append(transaction, 0, 0, entry);
}

void Resealing::next_part() {
    const std::size_t part = place_.part + 1;
    next_ = Place();
    next_->part = part;
    percent_ = 0;
}

void Resealing::at_row(std::int64_t row, std::int64_t last) {
    next_ = place_;
    next_->first = row;
    percent_ =
        last > 0 ? static_cast<unsigned>(std::clamp<std::int64_t>(100 * (row / 16) / (last / 16 + 1), 0, 99)) : 0;
}

bool Resealing::has_to_wait(const std::optional<KeyPlace>& place) {
    if (!place || !keys_->cannot_be_read_now(*place)) {
        return false;
    }
    ++unread_;
    return true;
}

std::optional<SealKey> Resealing::key_before(const std::optional<KeyPlace>& place) const {
    return place ? keys_->read(*place) : std::nullopt;
}

KeyPlace Resealing::take(Transaction& transaction, const std::optional<KeyPlace>& before, SealKey& key) {
    const KeyPlace place = keys_->take(key);
    transaction.effects.taken_slots.push_back(place.slot);
    if (before) {
        replaced_now_.push_back(before->slot);
    }
    return place;
}

std::string Resealing::anew(Transaction& transaction, Sealed& sealed, std::string_view what) {
    std::optional<std::string> plain;
    if (!sealed.key) {
        plain = keyring_.takes_plain() ? std::optional(sealed.bytes) : std::nullopt;
    } else if (const auto key = key_before(sealed.key)) {
        plain = unseal_content(*key, sealed.row, sealed.bytes, sealed.bound);
    }
    SealKey key;
    sealed.key = take(transaction, sealed.key, key);
    if (!plain) {
        keyring_.note_unreadable(what);
        return sealed.bytes;
    }
    std::string out = seal_content(key, sealed.row, *plain, sealed.bound);
    wipe(*plain);
    return out;
}

void Resealing::contents(Transaction& transaction, std::string_view table) {
    Connection& connection = transaction.connection;
    const std::string name(table);
    Statement bounds =
        connection.prepare("SELECT min(id), (SELECT max(id) FROM " + name + ") FROM " + name + " WHERE id > ?");
    bounds.bind(1, place_.first);
    std::int64_t first = 0;
    std::int64_t last = 0;
    {
        Rows rows(bounds);
        if (!rows.next() || rows->is_null(0)) {
            next_part();
            return;
        }
        first = rows->integer(0);
        last = rows->integer(1);
    }
    std::int64_t end = first + rows_looked_at;
    std::vector<Sealed> found;
    {
        Statement select =
            connection.prepare("SELECT i.id, i.key_slot, s.octets, i.lane, i.object_id, " +
                               std::string(table == "aside" ? "i.state={item.held}" : "0") + " FROM " + name +
                               " i LEFT JOIN share s ON s.id=i.id WHERE i.id BETWEEN ?1 AND ?3 AND " +
                               std::string(older) + " ORDER BY i.id");
        select.bind(1, first).bind(2, std::int64_t{keyring_.generation()}).bind(3, end);
        std::size_t bytes = 0;
        for (Rows rows(select); rows.next();) {
            Sealed& one = found.emplace_back();
            one.row = rows->integer(0);
            one.key = key_place_of(*rows.operator->(), 1);
            one.bytes = rows->bytes(2);
            one.bound = bound_of_item(rows->integer(3), rows->bytes(4), rows->integer(5) != 0);
            bytes += one.bytes.size();
            if (found.size() == most_rows || bytes >= most_bytes) {
                end = one.row;
                break;
            }
        }
    }
    Statement put = connection.prepare("UPDATE share SET octets=?2 WHERE id=?1");
    Statement place = connection.prepare("UPDATE " + name + " SET key_slot=?2 WHERE id=?1");
    for (Sealed& one : found) {
        if (has_to_wait(one.key)) {
            continue;
        }
        const std::string octets = anew(transaction, one, table);
        put.bind(1, one.row).bind_blob(2, octets).run();
        place.bind(1, one.row).bind(2, one.key->column()).run();
    }
    at_row(end, last);
}

void Resealing::kept(Transaction& transaction) {
    Connection& connection = transaction.connection;
    struct Copy {
        std::int64_t source = 0;
        Sealed sealed;
    };
    std::vector<Copy> found;
    {
        Statement select = connection.prepare(
            "SELECT source, id, key_slot, octets FROM kept WHERE (source, id) > (?1, "
            "?3) AND " +
            std::string(older) + " ORDER BY source, id");
        select.bind(1, place_.first).bind(2, std::int64_t{keyring_.generation()}).bind(3, place_.second);
        std::size_t bytes = 0;
        for (Rows rows(select); rows.next() && found.size() < most_rows && bytes < most_bytes;) {
            found.push_back({rows->integer(0),
                             {rows->integer(1), key_place_of(*rows.operator->(), 2), std::string(rows->bytes(3)),
                              bound_of_copy(rows->integer(0))}});
            bytes += found.back().sealed.bytes.size();
        }
    }
    if (found.empty()) {
        next_part();
        return;
    }
    Statement put = connection.prepare("UPDATE kept SET key_slot=?3, octets=?4 WHERE source=?1 AND id=?2");
    for (Copy& copy : found) {
        if (has_to_wait(copy.sealed.key)) {
            continue;
        }
        const std::string octets = anew(transaction, copy.sealed, "kept");
        put.bind(1, copy.source).bind(2, copy.sealed.row).bind(3, copy.sealed.key->column()).bind_blob(4, octets).run();
    }
    at_row(found.back().source, 0);
    next_->second = found.back().sealed.row;
}

void Resealing::blobs(Transaction& transaction) {
    struct Row {
        std::int64_t id = 0;
        std::optional<KeyPlace> place;
        std::string key;
        std::optional<std::string> sha256;
    };
    Statement bounds =
        transaction.connection.prepare("SELECT min(id), (SELECT max(id) FROM blob) FROM blob WHERE id > ?");
    bounds.bind(1, place_.first);
    std::int64_t first = 0;
    std::int64_t last = 0;
    {
        Rows rows(bounds);
        if (!rows.next() || rows->is_null(0)) {
            next_part();
            return;
        }
        first = rows->integer(0);
        last = rows->integer(1);
    }
    std::int64_t end = first + rows_looked_at;
    std::vector<Row> found;
    {
        Statement select = transaction.connection.prepare(
            "SELECT id, key_slot, key, sha256 FROM blob WHERE id BETWEEN ?1 AND ?3 AND " + std::string(older) +
            " ORDER BY id");
        select.bind(1, first).bind(2, std::int64_t{keyring_.generation()}).bind(3, end);
        for (Rows rows(select); rows.next();) {
            found.push_back({rows->integer(0), key_place_of(*rows.operator->(), 1), std::string(rows->bytes(2)),
                             rows->is_null(3) ? std::nullopt : std::optional(std::string(rows->bytes(3)))});
            if (found.size() == most_rows) {
                end = found.back().id;
                break;
            }
        }
    }
    for (Row& row : found) {
        if (!has_to_wait(row.place)) {
            blob(transaction, row.id, row.place, row.key, std::move(row.sha256));
        }
        wipe(row.key);
    }
    at_row(end, last);
}

void Resealing::blob(Transaction& transaction, std::int64_t blob, std::optional<KeyPlace> place, std::string_view key,
                     std::optional<std::string> sha256) {
    Connection& connection = transaction.connection;
    const std::optional<SealKey> before = key_before(place);
    SealKey now;
    const KeyPlace new_place = take(transaction, place, now);
    // Lost where its key is, or where it is not sealed although everything should be.
    const bool lost = place ? !before : !keyring_.takes_plain();
    const auto again = [&](std::int64_t bound, std::string_view piece) {
        std::optional<std::string> plain;
        if (!lost && !piece.empty()) {
            plain = before ? unseal_piece(*before, bound, piece) : std::optional(std::string(piece));
        }
        return plain ? seal_piece(now, bound, *plain) : std::string(piece);
    };
    if (lost) {
        keyring_.note_unreadable("blob");
    }
    Statement put = connection.prepare("UPDATE blob SET key_slot=?2, key=?3, sha256=?4 WHERE id=?1");
    put.bind(1, blob).bind(2, new_place.column()).bind_null(3).bind_null(4);
    const std::string new_key = again(place_of_key, key);
    if (!key.empty()) {
        put.bind_blob(3, new_key);
    }
    if (sha256) {
        const auto known = lost ? std::nullopt : unseal_sha256(before.value_or(SealKey()), *sha256);
        sha256 = known ? seal_sha256(now, *known) : *sha256;
        put.bind_blob(4, *sha256);
    }
    put.run();
    std::optional<std::string> path;
    {
        Statement find = connection.prepare("SELECT path FROM source_file WHERE blob=?");
        find.bind(1, blob);
        Rows rows(find);
        if (rows.next()) {
            path = rows->bytes(0);
        }
    }
    if (path) {
        const std::string sealed = again(place_of_path, *path);
        connection.prepare("UPDATE source_file SET path=?2 WHERE blob=?1").bind(1, blob).bind_blob(2, sealed).run();
    }
    if (!lost) {
        objects_of(connection, blob, before, now);
    }
}

void Resealing::objects_of(Connection& connection, std::int64_t blob, const std::optional<SealKey>& before,
                           const SealKey& now) {
    std::vector<std::pair<std::int64_t, std::string>> sealed;
    {
        Statement select = connection.prepare(
            "SELECT id, url, content_type, filename, csp_identifier, lane, item_uuid FROM object "
            "WHERE blob=?");
        select.bind(1, blob);
        for (Rows rows(select); rows.next();) {
            const std::int64_t id = rows->integer(0);
            const std::string bound = bound_of_item(rows->integer(5), rows->bytes(6), false);
            const auto details =
                before ? unseal_details(*before, id, rows->bytes(3), bound)
                       : std::optional(ObjectDetails{std::string(rows->bytes(1)), std::string(rows->bytes(2)),
                                                     std::string(rows->bytes(3)), std::string(rows->bytes(4))});
            if (details) {
                sealed.emplace_back(id, seal_details(now, id, *details, bound));
            } else {
                keyring_.note_unreadable("object");
            }
        }
    }
    Statement put =
        connection.prepare("UPDATE object SET url='', content_type=x'', filename=?2, csp_identifier=x'' WHERE id=?1");
    for (const auto& [id, details] : sealed) {
        put.bind(1, id).bind_blob(2, details).run();
    }
}

void Resealing::warrants(Transaction& transaction) {
    Connection& connection = transaction.connection;
    struct Row {
        std::string destination, liid;
        Sealed sealed;
    };
    auto end = end_of_pairs(connection, "warrant", most_rows);
    std::vector<Row> found;
    {
        Statement select = connection.prepare(
            "SELECT w.destination, w.liid, coalesce(l.id, 0), w.key_slot, w.octets FROM warrant w LEFT JOIN lane l ON "
            "l.destination=w.destination AND l.liid=w.liid WHERE (w.destination, w.liid) > (?1, ?3)" +
            std::string(end ? " AND (w.destination, w.liid) <= (?4, ?5)" : "") + " AND " + std::string(older) +
            " ORDER BY w.destination, w.liid");
        select.bind(1, std::string_view(place_.destination))
            .bind(2, std::int64_t{keyring_.generation()})
            .bind_blob(3, place_.liid);
        if (end) {
            select.bind(4, std::string_view(end->first)).bind_blob(5, end->second);
        }
        for (Rows rows(select); rows.next();) {
            found.push_back(
                {std::string(rows->bytes(0)),
                 std::string(rows->bytes(1)),
                 {rows->integer(2), key_place_of(*rows.operator->(), 3), std::string(rows->bytes(4)), "warrant"}});
        }
    }
    Statement put = connection.prepare("UPDATE warrant SET key_slot=?3, octets=?4 WHERE destination=?1 AND liid=?2");
    for (Row& row : found) {
        if (has_to_wait(row.sealed.key)) {
            continue;
        }
        const std::string octets = anew(transaction, row.sealed, "warrant");
        put.bind(1, std::string_view(row.destination))
            .bind_blob(2, row.liid)
            .bind(3, row.sealed.key->column())
            .bind_blob(4, octets)
            .run();
    }
    at_pair(std::move(end));
}

std::optional<Resealing::Pair> Resealing::end_of_pairs(Connection& connection, std::string_view table,
                                                       std::size_t most) const {
    Statement find = connection.prepare("SELECT destination, liid FROM " + std::string(table) +
                                        " WHERE (destination, liid) > (?1, ?2) ORDER BY destination, liid LIMIT 1 "
                                        "OFFSET " +
                                        std::to_string(most - 1));
    find.bind(1, std::string_view(place_.destination)).bind_blob(2, place_.liid);
    Rows rows(find);
    return rows.next() ? std::optional(Pair(rows->bytes(0), rows->bytes(1))) : std::nullopt;
}

void Resealing::at_pair(std::optional<Pair> end) {
    if (!end) {
        next_part();
        return;
    }
    at_row(0, 0);
    next_->destination = std::move(end->first);
    next_->liid = std::move(end->second);
}

void Resealing::texts(Transaction& transaction) {
    const Texts& texts = tables_of_texts[place_.part - first_texts];
    switch (texts.by) {
        case By::number:
            texts_by_number(transaction.connection, texts);
            break;
        case By::pair:
            texts_by_pair(transaction.connection, texts);
            break;
        case By::whole:
            transaction.connection.execute(update_of(texts));
            next_part();
    }
}

void Resealing::texts_by_number(Connection& connection, const Texts& texts) {
    const std::string row(texts.key);
    const std::string table(texts.table);
    Statement bounds = connection.prepare("SELECT max(n), (SELECT max(" + row + ") FROM " + table + ") FROM (SELECT " +
                                          row + " AS n FROM " + table + " WHERE " + row + " > ? ORDER BY " + row +
                                          " LIMIT " + std::to_string(texts_looked_at) + ")");
    bounds.bind(1, place_.first);
    std::int64_t end = 0;
    std::int64_t last = 0;
    {
        Rows rows(bounds);
        if (!rows.next() || rows->is_null(0)) {
            next_part();
            return;
        }
        end = rows->integer(0);
        last = rows->integer(1);
    }
    Statement update = connection.prepare(update_of(texts) + " AND " + row + " BETWEEN ?1 AND ?2");
    update.bind(1, place_.first + 1).bind(2, end).run();
    at_row(end, last);
}

void Resealing::texts_by_pair(Connection& connection, const Texts& texts) {
    auto end = end_of_pairs(connection, texts.table, texts_looked_at);
    // Two statements: with an OR, SQLite would look at all that come behind.
    Statement update = connection.prepare(update_of(texts) + " AND (destination, liid) > (?1, ?2)" +
                                          (end ? " AND (destination, liid) <= (?3, ?4)" : ""));
    update.bind(1, std::string_view(place_.destination)).bind_blob(2, place_.liid);
    if (end) {
        update.bind(3, std::string_view(end->first)).bind_blob(4, end->second);
    }
    update.run();
    at_pair(std::move(end));
}

bool Resealing::any_older(Connection& connection) const {
    // An item that went back to the queue, or out of it, may have been neither here nor there.
    for (const std::string_view table : {"item", "aside", "kept", "blob", "warrant"}) {
        Statement select =
            connection.prepare("SELECT 1 FROM " + std::string(table) + " WHERE " + std::string(older) + " LIMIT 1");
        select.bind(2, std::int64_t{keyring_.generation()});
        if (Rows(select).next()) {
            return true;
        }
    }
    return false;
}

void Resealing::finish(Transaction& transaction) {
    if (unread_ != 0) {
        spdlog::error(
            "store: {} keys in state_dir/keys cannot be read now: what they open is not sealed anew yet, and older "
            "master keys are needed still",
            unread_);
        next_ = Place();
        return;
    }
    if (any_older(transaction.connection)) {
        next_ = Place();
        return;
    }
    transaction.connection.execute("UPDATE meta SET value=resealed('meta.secret', 1, value) WHERE name='secret'");
    if (keyring_.may_be_plain()) {
        transaction.connection.execute(std::string("INSERT OR REPLACE INTO meta(name, value) VALUES('") + meta_remains +
                                       "', 1)");
    }
    save_keyring(transaction.connection, keyring_.drop_older());
    const std::string text = "done under the master key " + keyring_.status().key;
    tell_entry(transaction, "", text);
    next_ = Place();
    spdlog::info("store: everything is sealed under the master key {}; no other is needed any more",
                 keyring_.status().key);
}

void Resealing::step(Transaction& transaction) {
    replaced_now_.clear();
    switch (place_.part) {
        case 0:
            contents(transaction, "item");
            break;
        case 1:
            contents(transaction, "aside");
            break;
        case 2:
            kept(transaction);
            break;
        case 3:
            blobs(transaction);
            break;
        case 4:
            warrants(transaction);
            break;
        case parts:
            finish(transaction);
            break;
        default:
            texts(transaction);
    }
}

void Resealing::committed(std::chrono::steady_clock::time_point now) {
    if (!replaced_now_.empty()) {
        replaced_.push_back({now, std::exchange(replaced_now_, {})});
    }
    if (next_) {
        if (unread_ != 0 && place_.part >= parts) {
            unread_ = 0;
            not_before_ = now + until_next_try;
        }
        place_ = std::move(*std::exchange(next_, std::nullopt));
        part_ = place_.part;
    }
}

void Resealing::rolled_back() {
    next_.reset();
    replaced_now_.clear();
}

std::vector<std::uint32_t> Resealing::overdue(std::chrono::steady_clock::time_point now) {
    std::vector<std::uint32_t> slots;
    while (!replaced_.empty() && replaced_.front().at + until_overwritten <= now) {
        slots.insert(slots.end(), replaced_.front().slots.begin(), replaced_.front().slots.end());
        replaced_.pop_front();
    }
    return slots;
}

void Resealing::tell(SealingStatus& status) const {
    if (!status.working) {
        status.percent = status.on ? 100 : 0;
        return;
    }
    status.parts = parts;
    status.part = std::min<std::size_t>(part_ + 1, parts);
    status.percent = static_cast<unsigned>(std::min<std::size_t>((100 * part_ + percent_) / parts, 99));
}

}  // namespace lihandover::store::sqlite
