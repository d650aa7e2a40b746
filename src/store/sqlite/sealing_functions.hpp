#pragma once

#include <string_view>

#include "common/keyring.hpp"
#include "lihandover/model/result.hpp"
#include "sqlite.hpp"

namespace lihandover::store::sqlite {

/// Texts in columns are sealed and opened by SQL functions:
///   sealed(place, id, text)    what is written: sealed, or the text where the store is not encrypted
///   opened(place, id, value)   what was sealed, or the value where it may be there unsealed; NULL where it is not
///                              authentic. `place` is table and column, `id` names the row: both are bound.
///   stale(place, id, value)    1 where the value is to be sealed anew
///   resealed(place, id, value) the value sealed under the newest key
///   keyed(destination, liid)   what stands for the LIID in columns that are looked up by it
///   named(part, …)             a row's name of several parts, none of which can be taken for another
void add_sealing_functions(Connection& connection, const Keyring& keys);

/// From `meta`, and the name of the store. Throws SqlFailure.
[[nodiscard]] model::Status load_keyring(Connection& connection, Keyring& keys);
/// What the keyring gave to be stored. Throws SqlFailure.
void save_keyring(Connection& connection, std::string_view stored_keys);

}  // namespace lihandover::store::sqlite
