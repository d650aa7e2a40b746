#include "keyring.hpp"

#include <sodium.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "gcm.hpp"
#include "lihandover/base/hex.hpp"
#include "lihandover/base/invariant.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::store {

namespace {

constexpr char format = 1;
constexpr unsigned char flag_plain = 1;  ///< of the row in `meta`: what is not sealed may be there
constexpr std::size_t master_id = 8;
constexpr std::size_t wrapped_size = 2 + master_id + gcm_nonce + SealKey::size + gcm_tag;
constexpr std::size_t text_header = 1 + 2 + gcm_nonce;
constexpr std::uint16_t most_generations = 0x7fff;  ///< six bytes of a column hold them with the slot

void append_number(std::string& out, std::uint16_t number) {
    out.push_back(static_cast<char>(number >> 8U));
    out.push_back(static_cast<char>(number & 0xffU));
}

std::uint16_t number_at(std::string_view bytes, std::size_t at) {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) << 8U |
                                      static_cast<unsigned char>(bytes[at + 1]));
}

GcmNonce nonce_at(std::string_view bytes, std::size_t at) {
    GcmNonce nonce{};
    std::memcpy(nonce.data(), bytes.data() + at, nonce.size());
    return nonce;
}

std::string_view text_of(const GcmNonce& nonce) {
    return {reinterpret_cast<const char*>(nonce.data()), nonce.size()};
}

/// BLAKE2b of the parts, each with its length in front, under the store's key.
SealKey derived(const SealKey& from, std::initializer_list<std::string_view> parts) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, from.bytes().data(), from.bytes().size(), SealKey::size);
    for (const std::string_view part : parts) {
        const std::uint64_t length = part.size();
        crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(&length), sizeof length);
        crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(part.data()), part.size());
    }
    std::array<char, SealKey::size> bytes{};
    crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(bytes.data()), bytes.size());
    SealKey key;
    static_cast<void>(key.set({bytes.data(), bytes.size()}));
    sodium_memzero(bytes.data(), bytes.size());
    sodium_memzero(&state, sizeof state);
    return key;
}

std::string bound_of(std::string_view place, std::string_view id) {
    std::string bound(place);
    bound.push_back('\0');
    bound += id;
    return bound;
}

}  // namespace

std::string row_name(std::int64_t number) {
    std::string name = "i";
    for (unsigned i = 0; i < 8; ++i) {
        name.push_back(static_cast<char>(static_cast<std::uint64_t>(number) >> (8 * i) & 0xffU));
    }
    return name;
}

std::string row_name(std::string_view bytes) {
    return "b" + std::string(bytes);
}

std::string row_name(std::initializer_list<std::string_view> parts) {
    std::string name = "b";
    for (const std::string_view part : parts) {
        const std::uint64_t length = part.size();
        name.append(reinterpret_cast<const char*>(&length), sizeof length);
        name += part;
    }
    return name;
}

std::optional<std::uint16_t> Keyring::generation_of(std::string_view sealed) {
    if (sealed.size() < text_header + gcm_tag || sealed[0] != format) {
        return std::nullopt;
    }
    return number_at(sealed, 1);
}

std::string Keyring::lost(std::string_view sealed) const {
    std::string lost(1, format);
    append_number(lost, generation());
    lost += sealed.substr(std::min<std::size_t>(generation_of(sealed) ? 3 : 0, sealed.size()));
    lost.resize(std::max(lost.size(), text_header + gcm_tag), '\0');
    return lost;
}

struct Keyring::Wrapped {
    std::uint16_t number = 0;
    std::string master;
    GcmNonce nonce{};
    std::string sealed;
};

const SealKey* Keyring::find(std::uint16_t number) const {
    const auto found = std::ranges::find(known_, number, &Generation::number);
    return found != known_.end() ? &found->key : nullptr;
}

std::optional<SealKey> Keyring::content_key(std::uint16_t generation, const SealKey& slot) const {
    const std::shared_lock lock(mutex_);
    if (generation == 0) {
        // Whoever has the file of slots could have sealed it.
        return newest_ == 0 || stored_.plain ? std::optional(slot) : std::nullopt;
    }
    const SealKey* const key = find(generation);
    if (key == nullptr) {
        return std::nullopt;
    }
    const auto bytes = slot.bytes();
    SealKey content = derived(*key, {"content", {reinterpret_cast<const char*>(bytes.data()), bytes.size()}});
    content.set_cipher(SealKey::Cipher::aes_256_gcm);
    return content;
}

std::string Keyring::seal_with(const Generation& generation, std::string_view place, std::string_view id,
                               std::string_view text) const {
    GcmNonce nonce{};
    model::random_bytes(nonce.data(), nonce.size());
    std::string out(1, format);
    out.reserve(text_header + text.size() + gcm_tag);
    append_number(out, generation.number);
    out += text_of(nonce);
    gcm_seal(derived(generation.key, {"text", place, id}).bytes(), nonce, bound_of(place, id), text, out);
    return out;
}

std::string Keyring::seal(std::string_view place, std::string_view id, std::string_view text) const {
    const std::shared_lock lock(mutex_);
    const std::uint16_t number = newest_;
    const SealKey* const key = find(number);
    LIHANDOVER_INVARIANT(key != nullptr, "the newest of the store's keys is known");
    return seal_with({number, *key}, place, id, text);
}

std::optional<std::string> Keyring::unseal(std::string_view place, std::string_view id, std::string_view sealed) const {
    const auto number = generation_of(sealed);
    const std::shared_lock lock(mutex_);
    const SealKey* const key = number ? find(*number) : nullptr;
    if (key == nullptr) {
        return std::nullopt;
    }
    return gcm_unseal(derived(*key, {"text", place, id}).bytes(), nonce_at(sealed, 3), bound_of(place, id),
                      sealed.substr(text_header));
}

void Keyring::note_unreadable(std::string_view place) const {
    ++unreadable_;
    const std::lock_guard lock(said_mutex_);
    if (said_.emplace(place).second) {
        spdlog::error(
            "store: a record of {} is not what was sealed: somebody changed it, or the disk. It is passed "
            "over; `status` counts such records",
            place);
    }
}

std::optional<Hash128> Keyring::token(std::string_view destination, std::string_view liid) const {
    if (!on()) {
        return std::nullopt;
    }
    const std::array<std::string_view, 3> parts = {"liid", destination, liid};
    return secret_.hash(parts);
}

SealingStatus Keyring::status() const {
    const std::shared_lock lock(mutex_);
    SealingStatus status;
    status.on = newest_ != 0;
    status.key = stored_.master;
    status.newest = masters_.empty() ? "" : masters_.front().id();
    status.working = stored_.plain || stored_.numbers.size() > 1;
    status.unreadable = unreadable_;
    return status;
}

model::Status Keyring::use(std::vector<MasterKey> keys) {
    const std::unique_lock lock(mutex_);
    if (newest_ == 0 && !keys.empty()) {
        return model::Error{"encryption is turned on by a start: restart the daemon"};
    }
    std::set<std::string> needed = stored_.masters;
    needed.insert(in_doubt_.begin(), in_doubt_.end());
    if (pending_) {
        needed.insert(pending_->masters.begin(), pending_->masters.end());
    }
    for (const std::string& id : needed) {
        if (std::ranges::find(keys, id, &MasterKey::id) == keys.end()) {
            return model::Error{"the store is sealed under the master key " + id +
                                ", which none of encryption.key_files holds: keep its file there until `lihandoverctl "
                                "rekey` has sealed the store under the first one"};
        }
    }
    masters_ = std::move(keys);
    return {};
}

std::string Keyring::bound_to(unsigned char flags, std::uint16_t number) const {
    std::string bound = "lihandoverd store key";
    bound.append(reinterpret_cast<const char*>(store_.data()), store_.size());
    bound.push_back(static_cast<char>(flags));
    append_number(bound, number);
    return bound;
}

model::Status Keyring::unwrap(const std::vector<Wrapped>& all, unsigned char flags) {
    for (const Wrapped& wrapped : all) {
        if (masters_.empty()) {
            return model::Error{
                "the store is encrypted, and encryption.key_files is not set: it has to name the file "
                "of the master key " +
                wrapped.master};
        }
        const auto master = std::ranges::find(masters_, wrapped.master, &MasterKey::id);
        if (master == masters_.end()) {
            return model::Error{"the store is sealed under the master key " + wrapped.master +
                                ", which none of encryption.key_files holds (the first one holds " +
                                masters_.front().id() + "): add its file"};
        }
        auto bytes = gcm_unseal(master->bytes(), wrapped.nonce, bound_to(flags, wrapped.number), wrapped.sealed);
        SealKey key;
        if (!bytes || !key.set(*bytes)) {
            return model::Error{"the store's key under the master key " + wrapped.master +
                                " is not what was written: the store was changed, or is put together of two; "
                                "restore a backup"};
        }
        wipe(*bytes);
        if (find(wrapped.number) == nullptr) {
            known_.push_back({wrapped.number, std::move(key)});
        }
    }
    return {};
}

model::Status Keyring::load(const audit::Hash& store, std::optional<std::string_view> stored_keys) {
    const std::unique_lock lock(mutex_);
    pending_.reset();
    in_doubt_.clear();
    store_ = store;
    if (!stored_keys) {
        count({});
        return {};
    }
    std::string_view row = *stored_keys;
    if (row.size() < 2 + wrapped_size || row[0] != format || (row.size() - 2) % wrapped_size != 0) {
        return model::Error{"the store's keys, which it has in meta, cannot be read: restore a backup"};
    }
    const auto flags = static_cast<unsigned char>(row[1]);
    std::vector<Wrapped> all;
    Stored stored;
    stored.plain = (flags & flag_plain) != 0;
    for (row.remove_prefix(2); !row.empty(); row.remove_prefix(wrapped_size)) {
        Wrapped& wrapped = all.emplace_back();
        wrapped.number = number_at(row, 0);
        wrapped.master = base::to_hex(row.substr(2, master_id));
        wrapped.nonce = nonce_at(row, 2 + master_id);
        wrapped.sealed = row.substr(2 + master_id + gcm_nonce, SealKey::size + gcm_tag);
        stored.numbers.push_back(wrapped.number);
        stored.masters.insert(wrapped.master);
        stored.master = wrapped.master;
    }
    if (auto unwrapped = unwrap(all, flags); !unwrapped) {
        return unwrapped;
    }
    count(std::move(stored));
    return {};
}

void Keyring::count(Stored stored) {
    stored_ = std::move(stored);
    newest_.store(stored_.numbers.empty() ? 0 : stored_.numbers.back(), std::memory_order_release);
}

bool Keyring::has_master_keys() const {
    const std::shared_lock lock(mutex_);
    return !masters_.empty();
}

bool Keyring::is_mixed() const {
    const std::shared_lock lock(mutex_);
    return stored_.plain || stored_.numbers.size() > 1;
}

bool Keyring::may_be_plain() const {
    const std::shared_lock lock(mutex_);
    return stored_.plain;
}

std::string Keyring::wrapped(Stored next, const MasterKey& master) {
    const unsigned char flags = next.plain ? flag_plain : 0;
    const auto id = base::parse_hex<master_id>(master.id());
    LIHANDOVER_INVARIANT(id.has_value(), "a master key's id is hex digits");
    std::string row(1, format);
    row.push_back(static_cast<char>(flags));
    for (const std::uint16_t number : next.numbers) {
        const SealKey* const key = find(number);
        LIHANDOVER_INVARIANT(key != nullptr, "each of the store's keys is known");
        GcmNonce nonce{};
        model::random_bytes(nonce.data(), nonce.size());
        append_number(row, number);
        row.append(reinterpret_cast<const char*>(id->data()), id->size());
        row += text_of(nonce);
        const auto bytes = key->bytes();
        gcm_seal(master.bytes(), nonce, bound_to(flags, number),
                 {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, row);
    }
    next.master = master.id();
    next.masters = {master.id()};
    pending_ = std::move(next);
    return row;
}

std::uint16_t Keyring::draw() {
    LIHANDOVER_INVARIANT(!masters_.empty(), "a store's key is wrapped by a master key");
    // Above all that this process has met: one of a transaction that failed may be on the disk all the same.
    std::uint16_t number = 0;
    for (const Generation& known : known_) {
        number = std::max(number, known.number);
    }
    if (number >= most_generations) {
        throw std::length_error("no number is left for another key of the store");
    }
    known_.push_back({++number, SealKey::random()});
    return number;
}

std::string Keyring::turn_on(bool plain) {
    const std::unique_lock lock(mutex_);
    Stored next;
    next.plain = plain;
    next.numbers = {draw()};
    std::string row = wrapped(std::move(next), masters_.front());
    count(*pending_);
    return row;
}

std::string Keyring::add_generation() {
    const std::unique_lock lock(mutex_);
    Stored next = stored_;
    next.numbers.push_back(draw());
    return wrapped(std::move(next), masters_.front());
}

std::string Keyring::drop_older() {
    const std::unique_lock lock(mutex_);
    Stored next = stored_;
    next.plain = false;
    next.numbers = {newest_};
    // Another first key since then seals with the next rekey only: what was sealed is known to whoever has this one.
    const auto master = std::ranges::find(masters_, stored_.master, &MasterKey::id);
    LIHANDOVER_INVARIANT(master != masters_.end(), "the master key in use is not given up");
    return wrapped(std::move(next), *master);
}

void Keyring::committed() {
    const std::unique_lock lock(mutex_);
    if (pending_) {
        in_doubt_.clear();
        count(std::move(*std::exchange(pending_, std::nullopt)));
    }
}

void Keyring::rolled_back() {
    const std::unique_lock lock(mutex_);
    if (pending_) {
        in_doubt_.insert(pending_->masters.begin(), pending_->masters.end());
        pending_.reset();
    }
}

}  // namespace lihandover::store
