#include "keys_proof.hpp"

#include <string_view>

namespace lihandover::store::sqlite {

namespace {

constexpr std::string_view proof = "the keys of this store";
constexpr std::int64_t place_of_proof = -3;

}  // namespace

std::optional<KeysProof> KeysProof::read(Connection& connection) {
    Statement select = connection.prepare(
        "SELECT s.value, p.value FROM meta s JOIN meta p ON p.name='keys_proof' WHERE s.name='keys_slot'");
    Rows rows(select);
    if (!rows.next()) {
        return std::nullopt;
    }
    return KeysProof(static_cast<std::uint32_t>(rows->integer(0)), std::string(rows->bytes(1)));
}

void KeysProof::make(Connection& connection, KeySlots& keys) {
    ScopedTransaction transaction(connection);
    SealKey key;
    const std::uint32_t slot = keys.take_slot(key);
    const std::string sealed = seal_piece(key, place_of_proof, proof);
    Statement write = connection.prepare("INSERT OR REPLACE INTO meta(name, value) VALUES('keys_slot', ?)");
    write.bind(1, std::int64_t{slot}).run();
    write = connection.prepare("INSERT OR REPLACE INTO meta(name, value) VALUES('keys_proof', ?)");
    write.bind_blob(1, sealed).run();
    transaction.commit();
}

bool KeysProof::holds(const KeySlots& keys) const {
    if ((std::uint64_t{slot_} + 1) * SealKey::size > keys.bytes()) {
        return false;
    }
    const auto key = keys.read_slot(slot_);
    if (!key) {
        throw SqlFailure(Trouble::failing, SQLITE_IOERR_READ);
    }
    return unseal_piece(*key, place_of_proof, sealed_) == proof;
}

}  // namespace lihandover::store::sqlite
