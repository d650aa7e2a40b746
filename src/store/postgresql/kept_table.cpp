#include "kept_table.hpp"

#include <limits>
#include <map>

#include "columns.hpp"
#include "common/contents.hpp"

namespace lihandover::store::postgresql {

namespace {

/// What one page of copies is read into memory: they are as large as messages.
constexpr std::int64_t page_copies = 64;

constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63U;

/// The database's integers have a sign: ids in their order all the same.
std::int64_t column_of(std::uint64_t id) {
    return static_cast<std::int64_t>(id ^ sign_bit);
}
std::uint64_t id_of(std::int64_t column) {
    return static_cast<std::uint64_t>(column) ^ sign_bit;
}

}  // namespace

void KeptTable::apply(Transaction& transaction, std::string_view source, const KeptChanges& changes) {
    Connection& connection = transaction.connection;
    const Parameters name = Parameters().add(transaction.node).add_text(source);
    if (!changes.keep.empty()) {
        connection.write("INSERT INTO kept_source(node, name) VALUES($1, $2) ON CONFLICT DO NOTHING", name);
    }
    const Rows known = connection.read("SELECT id FROM kept_source WHERE node=$1 AND name=$2", name);
    if (known.empty()) {
        return;
    }
    const std::int64_t number = known.integer(0, 0);
    if (!changes.keep.empty()) {
        // Of several with one id the last counts: one statement must not touch a row twice.
        std::map<std::uint64_t, const KeptCopy*> last;
        for (const KeptCopy& copy : changes.keep) {
            last[copy.id] = &copy;
        }
        std::vector<std::int64_t> ids;
        std::vector<std::string> keys;
        std::vector<std::string> octets;
        for (const auto& [id, copy] : last) {
            RowKey key = RowKey::draw(transaction.keyring);
            ids.push_back(column_of(id));
            octets.push_back(seal_content(key.key, ids.back(), copy->bytes, bound_of_copy(number)));
            keys.push_back(std::move(key.column));
        }
        connection.write(
            "INSERT INTO kept(source, id, key, octets) SELECT $1, * FROM unnest($2::bigint[], $3::bytea[], "
            "$4::bytea[]) "
            "ON CONFLICT (source, id) DO UPDATE SET key=excluded.key, octets=excluded.octets",
            Parameters().add(number).add(ids).add(keys).add(octets));
    }
    if (!changes.let_go.empty()) {
        std::vector<std::int64_t> ids;
        for (const std::uint64_t id : changes.let_go) {
            ids.push_back(column_of(id));
        }
        connection.write("DELETE FROM kept WHERE source=$1 AND id=ANY($2)", Parameters().add(number).add(ids));
    }
}

KeptPage kept_page(Connection& connection, const Keyring& keyring, std::int64_t node, std::string_view source,
                   std::optional<std::uint64_t> after) {
    KeptPage page;
    const Rows rows = connection.read(
        "SELECT k.id, k.key, k.octets, k.source FROM kept k JOIN kept_source s ON s.id=k.source WHERE s.node=$1 AND "
        "s.name=$2 AND ($3::bigint IS NULL OR k.id > $3) ORDER BY k.id LIMIT $4",
        Parameters()
            .add(node)
            .add_text(source)
            .add(after ? std::optional(column_of(*after)) : std::nullopt)
            .add(page_copies));
    for (int row = 0; row < rows.size(); ++row) {
        const std::int64_t column = rows.integer(row, 0);
        const auto key = key_of(keyring, rows.bytes(row, 1));
        auto plain =
            key ? unseal_content(*key, column, rows.bytes(row, 2), bound_of_copy(rows.integer(row, 3))) : std::nullopt;
        if (plain) {
            page.copies.push_back({id_of(column), std::move(*plain)});
        } else {
            keyring.note_unreadable("kept");
            page.lost.push_back(id_of(column));
        }
    }
    if (rows.size() == page_copies) {
        page.last = id_of(rows.integer(rows.size() - 1, 0));
    }
    return page;
}

std::vector<std::string> kept_sources(Connection& connection, std::int64_t node) {
    std::vector<std::string> names;
    const Rows rows = connection.read(
        "SELECT name FROM kept_source s WHERE node=$1 AND EXISTS(SELECT 1 FROM kept WHERE source=s.id) ORDER BY name "
        "COLLATE \"C\"",
        Parameters().add(node));
    for (int row = 0; row < rows.size(); ++row) {
        names.emplace_back(rows.bytes(row, 0));
    }
    return names;
}

}  // namespace lihandover::store::postgresql
