#include "sealing_functions.hpp"

#include <sqlite3.h>

#include <cstdint>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "audit_reads.hpp"

namespace lihandover::store::sqlite {

namespace {

// What SQL functions are called with.

std::string_view value_bytes(sqlite3_value* value) {
    const void* bytes = sqlite3_value_blob(value);
    const int size = sqlite3_value_bytes(value);
    return size == 0 ? std::string_view{}
                     : std::string_view(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

/// A row's number or its name, told apart.
std::string id_of(sqlite3_value* value) {
    return sqlite3_value_type(value) == SQLITE_INTEGER ? row_name(sqlite3_value_int64(value))
                                                       : row_name(value_bytes(value));
}

void give(sqlite3_context* context, std::string text) {
    sqlite3_result_blob64(context, text.data(), text.size(), SQLITE_TRANSIENT);
    wipe(text);
}

/// A value as a sealed text of this store, where it is one and authentic.
std::optional<std::string> open_value(const Keyring& keys, sqlite3_value** values) {
    if (sqlite3_value_type(values[2]) != SQLITE_BLOB) {
        return std::nullopt;
    }
    return keys.unseal(value_bytes(values[0]), id_of(values[1]), value_bytes(values[2]));
}

void sealed(const Keyring& keys, sqlite3_context* context, sqlite3_value** values) {
    if (sqlite3_value_type(values[2]) == SQLITE_NULL || !keys.on()) {
        sqlite3_result_value(context, values[2]);
        return;
    }
    give(context, keys.seal(value_bytes(values[0]), id_of(values[1]), value_bytes(values[2])));
}

void opened(const Keyring& keys, sqlite3_context* context, sqlite3_value** values) {
    if (sqlite3_value_type(values[2]) == SQLITE_NULL || !keys.on()) {
        sqlite3_result_value(context, values[2]);
        return;
    }
    if (auto text = open_value(keys, values)) {
        give(context, std::move(*text));
    } else if (keys.may_be_plain()) {
        sqlite3_result_value(context, values[2]);
    } else {
        keys.note_unreadable(value_bytes(values[0]));
        sqlite3_result_null(context);
    }
}

void stale(const Keyring& keys, sqlite3_context* context, sqlite3_value** values) {
    const int type = sqlite3_value_type(values[2]);
    bool due = type != SQLITE_NULL && keys.on();
    if (due && type == SQLITE_BLOB && Keyring::generation_of(value_bytes(values[2])) == keys.generation()) {
        // Bytes that are not sealed yet may look as if they were.
        due = keys.may_be_plain() && !open_value(keys, values);
    }
    sqlite3_result_int(context, due ? 1 : 0);
}

void resealed(const Keyring& keys, sqlite3_context* context, sqlite3_value** values) {
    if (sqlite3_value_type(values[2]) == SQLITE_NULL || !keys.on()) {
        sqlite3_result_value(context, values[2]);
        return;
    }
    const std::string_view place = value_bytes(values[0]);
    auto text = open_value(keys, values);
    if (!text && keys.may_be_plain()) {
        text = value_bytes(values[2]);
    }
    if (text) {
        give(context, keys.seal(place, id_of(values[1]), *text));
        wipe(*text);
        return;
    }
    // Nobody can open it any more. It has the newest number and stays what it is: not authentic.
    keys.note_unreadable(place);
    give(context, keys.lost(value_bytes(values[2])));
}

void named(sqlite3_context* context, int count, sqlite3_value** values) {
    std::string name;
    for (int i = 0; i < count; ++i) {
        const std::string part = id_of(values[i]);
        const std::uint64_t length = part.size();
        name.append(reinterpret_cast<const char*>(&length), sizeof length);
        name += part;
    }
    sqlite3_result_blob64(context, name.data(), name.size(), SQLITE_TRANSIENT);
}

void keyed(const Keyring& keys, sqlite3_context* context, sqlite3_value** values) {
    if (const auto token = keys.token(value_bytes(values[0]), value_bytes(values[1]))) {
        sqlite3_result_blob64(context, token->data(), token->size(), SQLITE_TRANSIENT);
    } else {
        sqlite3_result_value(context, values[1]);
    }
}

using Function = void (*)(const Keyring&, sqlite3_context*, sqlite3_value**);

template <Function function>
void called(sqlite3_context* context, int /*count*/, sqlite3_value** values) {
    try {
        function(*static_cast<const Keyring*>(sqlite3_user_data(context)), context, values);
    } catch (const std::bad_alloc&) {
        sqlite3_result_error_nomem(context);
    }
}

template <Function function>
void add(Connection& connection, const char* name, int values, const Keyring& keys, int flags) {
    const int code =
        sqlite3_create_function_v2(connection.handle(), name, values, SQLITE_UTF8 | SQLITE_DIRECTONLY | flags,
                                   const_cast<Keyring*>(&keys), called<function>, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) {
        throw SqlFailure(connection.handle(), code);
    }
}

}  // namespace

void add_sealing_functions(Connection& connection, const Keyring& keys) {
    add<sealed>(connection, "sealed", 3, keys, 0);
    add<opened>(connection, "opened", 3, keys, 0);
    add<stale>(connection, "stale", 3, keys, 0);
    add<resealed>(connection, "resealed", 3, keys, 0);
    // So that it is worked out once for a statement, and an index is used.
    add<keyed>(connection, "keyed", 2, keys, SQLITE_DETERMINISTIC);
    const int code = sqlite3_create_function_v2(connection.handle(), "named", -1,
                                                SQLITE_UTF8 | SQLITE_DIRECTONLY | SQLITE_DETERMINISTIC, nullptr, named,
                                                nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) {
        throw SqlFailure(connection.handle(), code);
    }
}

model::Status load_keyring(Connection& connection, Keyring& keys) {
    audit::Hash store{};
    {
        Statement chain = connection.prepare("SELECT beginning FROM chain");
        Rows rows(chain);
        if (rows.next()) {
            store = hash_of(rows->bytes(0));
        }
    }
    Statement select = connection.prepare("SELECT value FROM meta WHERE name='encryption'");
    Rows rows(select);
    return keys.load(store, rows.next() ? std::optional(rows->bytes(0)) : std::nullopt);
}

void save_keyring(Connection& connection, std::string_view stored_keys) {
    connection.prepare("INSERT OR REPLACE INTO meta(name, value) VALUES('encryption', ?)")
        .bind_blob(1, stored_keys)
        .run();
}

}  // namespace lihandover::store::sqlite
