#include "kept_table.hpp"

#include <limits>
#include <string>
#include <utility>

namespace lihandover::store::sqlite {

namespace {

/// What one page of copies is read into memory.
constexpr std::size_t page_bytes = std::size_t{4} << 20U;
constexpr std::size_t page_copies = 1000;

constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63U;

/// SQLite's integers have a sign: ids in their order all the same.
std::int64_t column_of(std::uint64_t id) {
    return static_cast<std::int64_t>(id ^ sign_bit);
}
std::uint64_t id_of(std::int64_t column) {
    return static_cast<std::uint64_t>(column) ^ sign_bit;
}

}  // namespace

void KeptTable::open(Connection& c) {
    s_.find_source = c.prepare("SELECT id FROM kept_source WHERE name=?");
    s_.insert_source = c.prepare("INSERT INTO kept_source(name) VALUES(?)");
    s_.find_slot = c.prepare("SELECT key_slot FROM kept WHERE source=? AND id=?");
    s_.insert = c.prepare("INSERT OR IGNORE INTO kept(source, id, key_slot, octets) VALUES(?, ?, ?, ?)");
    s_.replace = c.prepare("UPDATE kept SET key_slot=?3, octets=?4 WHERE source=?1 AND id=?2");
    s_.remove = c.prepare("DELETE FROM kept WHERE source=? AND id=?");
}

void KeptTable::find_slots(Connection& connection) {
    Statement select = connection.prepare("SELECT key_slot FROM kept");
    for (Rows rows(select); rows.next();) {
        keys_->in_use(KeyPlace::of(rows->integer(0)).slot);
    }
}

std::optional<std::int64_t> KeptTable::find_source(std::string_view name) {
    s_.find_source.bind(1, name);
    Rows rows(s_.find_source);
    return rows.next() ? std::optional(rows->integer(0)) : std::nullopt;
}

std::optional<std::uint32_t> KeptTable::find_slot(std::int64_t source, std::int64_t id) {
    s_.find_slot.bind(1, source).bind(2, id);
    Rows rows(s_.find_slot);
    return rows.next() ? std::optional(KeyPlace::of(rows->integer(0)).slot) : std::nullopt;
}

void KeptTable::apply(Transaction& transaction, std::string_view source, const KeptChanges& changes) {
    std::optional<std::int64_t> number = find_source(source);
    if (!number && !changes.keep.empty()) {
        s_.insert_source.bind(1, source).run();
        number = transaction.connection.last_inserted();
    }
    if (!number) {
        return;
    }
    for (const KeptCopy& copy : changes.keep) {
        keep(transaction, *number, copy);
    }
    for (const std::uint64_t id : changes.let_go) {
        let_go(transaction, *number, id);
    }
}

void KeptTable::keep(Transaction& transaction, std::int64_t source, const KeptCopy& copy) {
    const std::int64_t id = column_of(copy.id);
    SealKey key;
    const KeyPlace place = keys_->take(key);
    transaction.effects.taken_slots.push_back(place.slot);
    const std::string sealed = seal_content(key, id, copy.bytes, bound_of_copy(source));
    const auto bind = [&](Statement& statement) -> Statement& {
        return statement.bind(1, source).bind(2, id).bind(3, place.column()).bind_blob(4, sealed);
    };
    bind(s_.insert).run();
    if (transaction.connection.changes() != 0) {
        return;
    }
    // A commit that was told to have failed left it there.
    if (const auto before = find_slot(source, id)) {
        transaction.effects.released_slots.push_back(*before);
    }
    bind(s_.replace).run();
}

void KeptTable::let_go(Transaction& transaction, std::int64_t source, std::uint64_t id) {
    const std::int64_t column = column_of(id);
    if (const auto slot = find_slot(source, column)) {
        s_.remove.bind(1, source).bind(2, column).run();
        transaction.effects.released_slots.push_back(*slot);
    }
}

model::Result<KeptPage> kept_page(ReadConnection& from, std::string_view source, std::optional<std::uint64_t> after) {
    KeptPage page;
    const model::Status status = from.reading([&] {
        page = {};
        Statement select = from.connection().prepare(
            "SELECT id, key_slot, octets, source FROM kept WHERE source=(SELECT id FROM kept_source WHERE name=?1) AND "
            "(?2 IS NULL OR id > ?2) ORDER BY id");
        select.bind(1, source);
        if (after) {
            select.bind(2, column_of(*after));
        } else {
            select.bind_null(2);
        }
        std::size_t bytes = 0;
        for (Rows rows(select); rows.next();) {
            const std::int64_t column = rows->integer(0);
            const auto key = from.setup().keys->wait_for(KeyPlace::of(rows->integer(1)));
            auto plain =
                key ? unseal_content(*key, column, rows->bytes(2), bound_of_copy(rows->integer(3))) : std::nullopt;
            if (plain) {
                bytes += plain->size();
                page.copies.push_back({id_of(column), std::move(*plain)});
            } else {
                from.setup().keys->keyring().note_unreadable("kept");
                page.lost.push_back(id_of(column));
            }
            if (bytes >= page_bytes || page.copies.size() + page.lost.size() >= page_copies) {
                page.last = id_of(column);
                return;
            }
        }
    });
    return status ? model::Result<KeptPage>(std::move(page)) : model::Result<KeptPage>(status.error());
}

model::Result<std::vector<std::string>> kept_sources(ReadConnection& from) {
    std::vector<std::string> names;
    const model::Status status = from.reading([&] {
        names.clear();
        Statement select = from.connection().prepare(
            "SELECT name FROM kept_source s WHERE EXISTS(SELECT 1 FROM kept WHERE source=s.id) ORDER BY name");
        for (Rows rows(select); rows.next();) {
            names.emplace_back(rows->bytes(0));
        }
    });
    return status ? model::Result<std::vector<std::string>>(std::move(names))
                  : model::Result<std::vector<std::string>>(status.error());
}

}  // namespace lihandover::store::sqlite
