#include "resealing.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <stdexcept>

#include "columns.hpp"
#include "common/contents.hpp"
#include "common/object_details.hpp"
#include "common/states.hpp"
#include "row_names.hpp"

namespace lihandover::store::postgresql {

namespace {

/// What one step looks at, and seals anew at most.
constexpr std::int64_t rows_looked_at = 2000;
constexpr std::int64_t texts_looked_at = 500;
constexpr std::int64_t contents_looked_at = 32;
constexpr std::size_t most_rows = 256;
constexpr std::size_t most_bytes = std::size_t{1} << 20U;
constexpr std::size_t read_at_once = 32;

using Place = Resealing::Place;

std::string hidden_digest(const Keyring& keyring, std::string_view token, std::string_view sealed) {
    return keyring.unseal("pending_warrant.digest", row_name(token), sealed).value_or("");
}

}  // namespace

/// Sealed texts of one table.
struct Resealing::Texts {
    /// What its key is.
    enum class By : std::uint8_t { number, pair, approval, destination };
    struct Column {
        std::string_view column;
        std::string_view place;
        bool other_name = false;  ///< its row has the second name
    };
    struct Names {
        std::string first;
        std::string second;
    };
    std::string_view table;
    By by;
    int more_columns;       ///< that the names need
    std::string_view more;  ///< these
    /// Of a row, in whose columns those are from `column` on.
    Names (*names)(const Keyring& keyring, const Place& key, const Rows& rows, int row, int column);
    std::array<Column, 4> columns;

    [[nodiscard]] std::string_view key_columns() const;
    [[nodiscard]] std::string after() const;
    [[nodiscard]] std::string equals() const;
    [[nodiscard]] int key_size() const;
    [[nodiscard]] Place key_of_row(const Rows& rows, int row) const;
    [[nodiscard]] Parameters parameters(const Place& key) const;
};

namespace {

using Texts = Resealing::Texts;
using By = Texts::By;
using Names = Texts::Names;

Names by_number(const Keyring& /*keyring*/, const Place& key, const Rows& /*rows*/, int /*row*/, int /*column*/) {
    return {row_name(key.first), {}};
}
Names by_token(const Keyring& /*keyring*/, const Place& key, const Rows& /*rows*/, int /*row*/, int /*column*/) {
    return {row_name(key.liid), {}};
}
Names by_destination(const Keyring& /*keyring*/, const Place& key, const Rows& /*rows*/, int /*row*/, int /*column*/) {
    return {row_name(key.destination), {}};
}
Names of_held(const Keyring& /*keyring*/, const Place& key, const Rows& rows, int row, int column) {
    return {held_name(key.first, rows.integer(row, column)), {}};
}
Names of_revocation(const Keyring& /*keyring*/, const Place& key, const Rows& rows, int row, int column) {
    return {name_of_revocation(key.liid, rows.integer(row, column), rows.integer(row, column + 1)), {}};
}
Names of_pending(const Keyring& /*keyring*/, const Place& key, const Rows& rows, int row, int column) {
    return {row_name(key.liid), name_of_pending(key.liid, rows.integer(row, column) != 0)};
}
Names of_approval(const Keyring& keyring, const Place& key, const Rows& rows, int row, int column) {
    const std::string digest = hidden_digest(keyring, key.liid, rows.bytes(row, column));
    return {name_of_approval(key.liid, static_cast<std::uint32_t>(key.first), digest), {}};
}

constexpr std::array<Texts, 12> tables_of_texts = {{
    {"record",
     By::number,
     0,
     "",
     by_number,
     {{{"who", "record.who"}, {"why", "record.why"}, {"words", "record.words"}}}},
    {"aside", By::number, 0, "", by_number, {{{"words", "aside.words"}}}},
    {"object", By::number, 0, "", by_number, {{{"words", "object.words"}}}},
    {"lane", By::number, 0, "", by_number, {{{"sealed", "lane.liid"}}}},
    {"held",
     By::number,
     1,
     "review",
     of_held,
     {{{"first_by", "held.first_by"}, {"first_who", "held.first_who"}, {"first_why", "held.first_why"}}}},
    {"warrant_approval",
     By::approval,
     1,
     "(SELECT p.digest FROM pending_warrant p WHERE p.destination=t.destination AND p.liid=t.liid)",
     of_approval,
     {{{"who", "warrant_approval.who"}}}},
    {"revocation",
     By::pair,
     2,
     "from_seconds, from_nanos",
     of_revocation,
     {{{"name", "revocation.name"},
       {"file", "revocation.file"},
       {"who", "revocation.who"},
       {"why", "revocation.why"}}}},
    {"pending_warrant",
     By::pair,
     1,
     "refused",
     of_pending,
     {{{"digest", "pending_warrant.digest"},
       {"file", "pending_warrant.file"},
       {"who", "pending_warrant.who", true},
       {"why", "pending_warrant.why", true}}}},
    {"warrant", By::pair, 0, "", by_token, {{{"file", "warrant.file"}}}},
    {"pause", By::destination, 0, "", by_destination, {{{"who", "pause.who"}}}},
    {"warrant_set", By::number, 0, "", by_number, {{{"who", "warrant_set.who"}}}},
    {"warrant_file",
     By::number,
     0,
     "",
     by_number,
     {{{"name", "warrant_file.name"}, {"octets", "warrant_file.octets"}}}},
}};
constexpr std::size_t first_texts = 4;
static_assert(first_texts + tables_of_texts.size() == Resealing::parts);

}  // namespace

std::string_view Texts::key_columns() const {
    switch (by) {
        case By::number:
            return "id";
        case By::pair:
            return "destination, liid";
        case By::approval:
            return "destination, liid, uid";
        case By::destination:
            break;
    }
    return "destination";
}

int Texts::key_size() const {
    return static_cast<int>(std::ranges::count(key_columns(), ',')) + 1;
}

std::string Texts::after() const {
    constexpr std::array<std::string_view, 3> numbers = {"($1)", "($1, $2)", "($1, $2, $3)"};
    return "(" + std::string(key_columns()) + ") > " +
           std::string(numbers.at(static_cast<std::size_t>(key_size()) - 1));
}

std::string Texts::equals() const {
    std::string text = after();
    return text.replace(text.find('>'), 1, "=");
}

Place Texts::key_of_row(const Rows& rows, int row) const {
    Place key;
    if (by == By::number) {
        key.first = rows.integer(row, 0);
        return key;
    }
    key.destination = rows.bytes(row, 0);
    key.liid = by == By::destination ? std::string_view() : rows.bytes(row, 1);
    key.first = by == By::approval ? rows.integer(row, 2) : 0;
    return key;
}

Parameters Texts::parameters(const Place& key) const {
    Parameters parameters;
    if (by == By::number) {
        return parameters.add(key.first);
    }
    parameters.add_text(key.destination);
    if (by != By::destination) {
        parameters.add(std::string_view(key.liid));
    }
    if (by == By::approval) {
        parameters.add(key.first);
    }
    return parameters;
}

void Resealing::opened() {
    place_ = Place();
    next_.reset();
    part_ = 0;
}

void Resealing::put_keys(Connection& connection, std::string_view keys) {
    connection.write("UPDATE meta SET value=$1 WHERE name='encryption'", Parameters().add(keys));
}

void Resealing::begin(Transaction& transaction, std::string_view who) {
    std::string keys;
    try {
        keys = keyring_.add_generation();
    } catch (const std::length_error& error) {
        throw PgFailure(Trouble::failing, error.what());
    }
    put_keys(transaction.connection, keys);
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

std::string Resealing::newest() const {
    const std::uint16_t number = keyring_.generation();
    return {static_cast<char>(number >> 8U), static_cast<char>(number & 0xffU)};
}

void Resealing::next_part() {
    next_ = Place();
    next_->part = place_.part + 1;
}

void Resealing::at(Place place) {
    place.part = place_.part;
    next_ = std::move(place);
}

Resealing::Content Resealing::anew(std::string_view key, std::string_view octets, std::int64_t row,
                                   std::string_view bound, std::string_view what) const {
    const auto before = key_of(keyring_, key);
    auto plain = before ? unseal_content(*before, row, octets, bound) : std::nullopt;
    RowKey now = RowKey::draw(keyring_);
    if (!plain) {
        keyring_.note_unreadable(what);
        return {std::move(now.column), std::string(octets)};
    }
    std::string sealed = seal_content(now.key, row, *plain, bound);
    wipe(*plain);
    return {std::move(now.column), std::move(sealed)};
}

void Resealing::items(Transaction& transaction) {
    Connection& connection = transaction.connection;
    const Parameters look = Parameters().add(place_.first).add(rows_looked_at).add(std::string_view(newest()));
    constexpr std::array<std::string_view, 2> tables = {"item", "aside"};
    std::array<Asked, 2> asked;
    for (std::size_t n = 0; n < tables.size(); ++n) {
        asked.at(n) = connection.ask("SELECT id, substring(key from 1 for 2) <> $3 FROM " + std::string(tables.at(n)) +
                                         " WHERE id > $1 ORDER BY id LIMIT $2",
                                     look);
    }
    RowId end = std::numeric_limits<RowId>::max();
    std::vector<std::pair<RowId, std::size_t>> older;  // and its table
    for (std::size_t n = 0; n < tables.size(); ++n) {
        const Rows rows = connection.answer(asked.at(n));
        for (int row = 0; row < rows.size(); ++row) {
            if (rows.boolean(row, 1)) {
                older.emplace_back(rows.integer(row, 0), n);
            }
        }
        if (rows.size() == rows_looked_at) {
            end = std::min(end, rows.integer(rows.size() - 1, 0));
        }
    }
    std::erase_if(older, [end](const auto& one) { return one.first > end; });
    std::ranges::sort(older);
    std::size_t bytes = 0;
    std::size_t taken = 0;
    while (taken < older.size() && taken < most_rows && bytes < most_bytes) {
        const std::size_t upto = std::min(older.size(), taken + read_at_once);
        std::array<std::vector<RowId>, 2> rows;
        for (; taken < upto; ++taken) {
            rows.at(older[taken].second).push_back(older[taken].first);
        }
        for (std::size_t n = 0; n < tables.size(); ++n) {
            items(connection, tables.at(n), rows.at(n), bytes);
        }
    }
    if (taken < older.size()) {
        end = older[taken - 1].first;
    } else if (end == std::numeric_limits<RowId>::max()) {
        next_part();
        return;
    }
    Place place;
    place.first = end;
    at(std::move(place));
}

void Resealing::items(Connection& connection, std::string_view table, const std::vector<RowId>& wanted,
                      std::size_t& bytes) {
    if (wanted.empty()) {
        return;
    }
    const std::string name(table);
    const std::string held = table == "aside" ? "state={item.held}" : "false";
    const Rows rows =
        connection.read("SELECT id, lane, object_id, key, octets, " + held + " FROM " + name + " WHERE id=ANY($1)",
                        Parameters().add(wanted));
    for (int row = 0; row < rows.size(); ++row) {
        const RowId id = rows.integer(row, 0);
        const std::string bound = bound_of_item(rows.integer(row, 1), rows.bytes(row, 2), rows.boolean(row, 5));
        const Content made = anew(rows.bytes(row, 3), rows.bytes(row, 4), id, bound, name + ".octets");
        connection.write("UPDATE " + name + " SET key=$2, octets=$3 WHERE id=$1",
                         Parameters().add(id).add(std::string_view(made.key)).add(std::string_view(made.octets)));
        bytes += made.octets.size();
    }
}

void Resealing::kept(Transaction& transaction) {
    Connection& connection = transaction.connection;
    const Rows rows = connection.read(
        "SELECT source, id, key, octets FROM kept WHERE (source, id) > ($1, $2) ORDER BY source, id LIMIT $3",
        Parameters().add(place_.first).add(place_.second).add(contents_looked_at));
    if (rows.empty()) {
        next_part();
        return;
    }
    for (int row = 0; row < rows.size(); ++row) {
        if (!is_older(rows.bytes(row, 2))) {
            continue;
        }
        const Content made = anew(rows.bytes(row, 2), rows.bytes(row, 3), rows.integer(row, 1),
                                  bound_of_copy(rows.integer(row, 0)), "kept");
        connection.write("UPDATE kept SET key=$3, octets=$4 WHERE source=$1 AND id=$2",
                         Parameters()
                             .add(rows.integer(row, 0))
                             .add(rows.integer(row, 1))
                             .add(std::string_view(made.key))
                             .add(std::string_view(made.octets)));
    }
    Place place;
    place.first = rows.integer(rows.size() - 1, 0);
    place.second = rows.integer(rows.size() - 1, 1);
    at(std::move(place));
}

void Resealing::blobs(Transaction& transaction) {
    const Rows rows = transaction.connection.read(
        "SELECT b.id, b.key, b.sha256, b.file_key, s.path FROM blob b LEFT JOIN source_file s ON s.blob=b.id WHERE "
        "b.id > $1 ORDER BY b.id LIMIT $2",
        Parameters().add(place_.first).add(contents_looked_at));
    if (rows.empty()) {
        next_part();
        return;
    }
    for (int row = 0; row < rows.size(); ++row) {
        if (is_older(rows.bytes(row, 1))) {
            blob(transaction.connection, rows, row);
        }
    }
    Place place;
    place.first = rows.integer(rows.size() - 1, 0);
    at(std::move(place));
}

void Resealing::blob(Connection& connection, const Rows& rows, int row) {
    const std::int64_t id = rows.integer(row, 0);
    const auto before = key_of(keyring_, rows.bytes(row, 1));
    const RowKey now = RowKey::draw(keyring_);
    const auto again = [&](int column, std::int64_t place) -> std::optional<std::string> {
        if (rows.is_null(row, column)) {
            return std::nullopt;
        }
        auto plain = before ? unseal_piece(*before, place, rows.bytes(row, column)) : std::nullopt;
        if (!plain) {
            return std::string(rows.bytes(row, column));
        }
        std::string sealed = seal_piece(now.key, place, *plain);
        wipe(*plain);
        return sealed;
    };
    std::optional<std::string> sha256;
    if (!rows.is_null(row, 2)) {
        const auto known = before ? unseal_sha256(*before, rows.bytes(row, 2)) : std::nullopt;
        sha256 = known ? seal_sha256(now.key, *known) : std::string(rows.bytes(row, 2));
    }
    connection.write("UPDATE blob SET key=$2, sha256=$3, file_key=$4 WHERE id=$1",
                     Parameters()
                         .add(id)
                         .add(std::string_view(now.column))
                         .add_optional(sha256)
                         .add_optional(again(3, place_of_key)));
    if (const auto path = again(4, place_of_path)) {
        connection.write("UPDATE source_file SET path=$2 WHERE blob=$1",
                         Parameters().add(id).add(std::string_view(*path)));
    }
    if (before) {
        objects_of(connection, id, *before, now.key);
    } else {
        keyring_.note_unreadable("blob");
    }
}

void Resealing::objects_of(Connection& connection, std::int64_t blob, const SealKey& before, const SealKey& now) {
    const Rows rows =
        connection.read("SELECT id, lane, item_uuid, details FROM object WHERE blob=$1", Parameters().add(blob));
    for (int row = 0; row < rows.size(); ++row) {
        const std::int64_t id = rows.integer(row, 0);
        const std::string bound = bound_of_item(rows.integer(row, 1), rows.bytes(row, 2), false);
        const auto details = unseal_details(before, id, rows.bytes(row, 3), bound);
        if (!details) {
            keyring_.note_unreadable("object");
            continue;
        }
        connection.write("UPDATE object SET details=$2 WHERE id=$1",
                         Parameters().add(id).add(std::string_view(seal_details(now, id, *details, bound))));
    }
}

void Resealing::warrants(Transaction& transaction) {
    Connection& connection = transaction.connection;
    const Rows rows = connection.read(
        "SELECT w.destination, w.liid, coalesce(l.id, 0), w.key, w.octets FROM warrant w LEFT JOIN lane l ON "
        "l.destination=w.destination AND l.liid=w.liid WHERE (w.destination, w.liid) > ($1, $2) ORDER BY "
        "w.destination, w.liid LIMIT $3",
        Parameters().add_text(place_.destination).add(std::string_view(place_.liid)).add(contents_looked_at));
    if (rows.empty()) {
        next_part();
        return;
    }
    for (int row = 0; row < rows.size(); ++row) {
        if (!is_older(rows.bytes(row, 3))) {
            continue;
        }
        const Content made =
            anew(rows.bytes(row, 3), rows.bytes(row, 4), rows.integer(row, 2), "warrant", "warrant.octets");
        connection.write("UPDATE warrant SET key=$3, octets=$4 WHERE destination=$1 AND liid=$2",
                         Parameters()
                             .add_text(rows.bytes(row, 0))
                             .add(rows.bytes(row, 1))
                             .add(std::string_view(made.key))
                             .add(std::string_view(made.octets)));
    }
    Place place;
    place.destination = rows.bytes(rows.size() - 1, 0);
    place.liid = rows.bytes(rows.size() - 1, 1);
    at(std::move(place));
}

std::optional<std::string> Resealing::anew(const Rows& rows, int row, int column, std::string_view place,
                                           std::string_view name) const {
    if (rows.is_null(row, column)) {
        return std::nullopt;
    }
    const std::string_view sealed = rows.bytes(row, column);
    if (Keyring::generation_of(sealed) == keyring_.generation()) {
        return std::nullopt;
    }
    auto plain = keyring_.unseal(place, name, sealed);
    if (!plain) {
        keyring_.note_unreadable(place);
        return keyring_.lost(sealed);
    }
    std::string made = keyring_.seal(place, name, *plain);
    wipe(*plain);
    return made;
}

void Resealing::texts(Transaction& transaction, const Texts& texts) {
    Connection& connection = transaction.connection;
    const std::string table(texts.table);
    const std::string keys(texts.key_columns());
    std::string columns = keys;
    const int more = texts.key_size();
    const int first = more + texts.more_columns;
    columns += texts.more.empty() ? "" : ", " + std::string(texts.more);
    for (const Texts::Column& column : texts.columns) {
        columns += column.column.empty() ? "" : ", " + std::string(column.column);
    }
    const Rows rows = connection.read("SELECT " + columns + " FROM " + table + " t WHERE " + texts.after() +
                                          " ORDER BY " + keys + " LIMIT " + std::to_string(texts_looked_at),
                                      texts.parameters(place_));
    if (rows.empty()) {
        next_part();
        return;
    }
    for (int row = 0; row < rows.size(); ++row) {
        const Place key = texts.key_of_row(rows, row);
        const Names names = texts.names(keyring_, key, rows, row, more);
        int at = first;
        for (const Texts::Column& column : texts.columns) {
            if (column.column.empty()) {
                continue;
            }
            const auto made = anew(rows, row, at++, column.place, column.other_name ? names.second : names.first);
            if (made) {
                connection.write("UPDATE " + table + " SET " + std::string(column.column) + "=$" +
                                     std::to_string(more + 1) + " WHERE " + texts.equals(),
                                 texts.parameters(key).add(std::string_view(*made)));
            }
        }
    }
    at(texts.key_of_row(rows, rows.size() - 1));
}

void Resealing::finish(Transaction& transaction) {
    Connection& connection = transaction.connection;
    const Rows secret = connection.read("SELECT value FROM meta WHERE name='secret'");
    const std::string name = row_name(std::int64_t{1});
    if (!secret.empty()) {
        if (const auto made = anew(secret, 0, 0, "meta.secret", name)) {
            connection.write("UPDATE meta SET value=$1 WHERE name='secret'", Parameters().add(std::string_view(*made)));
        }
    }
    put_keys(connection, keyring_.drop_older());
    const std::string master = keyring_.status().key;
    tell_entry(transaction, "", "done under the master key " + master);
    next_ = Place();
    spdlog::info("store: everything is sealed under the master key {}; no other is needed any more", master);
}

void Resealing::step(Transaction& transaction) {
    switch (place_.part) {
        case 0:
            items(transaction);
            break;
        case 1:
            kept(transaction);
            break;
        case 2:
            blobs(transaction);
            break;
        case 3:
            warrants(transaction);
            break;
        case parts:
            finish(transaction);
            break;
        default:
            texts(transaction, tables_of_texts.at(place_.part - first_texts));
    }
}

void Resealing::committed() {
    if (next_) {
        place_ = std::move(*std::exchange(next_, std::nullopt));
        part_ = place_.part;
    }
}

void Resealing::tell(SealingStatus& status) const {
    if (!status.working) {
        status.percent = status.on ? 100 : 0;
        return;
    }
    const std::size_t part = part_;
    status.parts = parts;
    status.part = std::min(part + 1, parts);
    status.percent = static_cast<unsigned>(100 * std::min(part, parts - 1) / parts);
}

}  // namespace lihandover::store::postgresql
