#include "psk.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "lihandover/base/hex.hpp"
#include "lihandover/base/key_file.hpp"
#include "pem.hpp"

namespace lihandover::tls {
namespace {

constexpr std::size_t least_key = 16;
constexpr std::size_t most_key = 64;
/// What a server pretends to have for an identity that it does not know.
constexpr std::size_t nobodys_key = 32;

model::Result<Secret> read_key(const std::string& path) {
    std::vector<unsigned char> bytes;
    if (const std::string objection = base::read_key_file(path, least_key, most_key, bytes); !objection.empty()) {
        return error_of(path, objection);
    }
    return model::Result<Secret>{boost::system::in_place_value, std::move(bytes)};
}

std::string digest_of(const Secret& key) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
    unsigned size = 0;
    EVP_Digest(key.bytes().data(), key.bytes().size(), sum.data(), &size, EVP_sha256(), nullptr);
    return base::to_hex(std::span{sum.data(), size});
}

using KeysPtr = std::shared_ptr<const SharedKeys>;

/// Index of a KeysPtr that an SSL_CTX owns: connections outlive the context that began them.
int keys_index() {
    static const int index =
        SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr,
                                 [](void* /*context*/, void* keys, CRYPTO_EX_DATA* /*data*/, int /*index*/,
                                    long /*argument*/, void* /*pointer*/) { delete static_cast<KeysPtr*>(keys); });
    return index;
}

bool keep_in(SSL_CTX* context, KeysPtr keys) {
    auto owned = std::make_unique<KeysPtr>(std::move(keys));
    if (SSL_CTX_set_ex_data(context, keys_index(), owned.get()) != 1) {
        return false;
    }
    owned.release();  // NOLINT(bugprone-unused-return-value): freed with the SSL_CTX
    return true;
}

/// Index of a std::string that an SSL owns: the identity whose key it was given.
int identity_index() {
    static const int index =
        SSL_get_ex_new_index(0, nullptr, nullptr, nullptr,
                             [](void* /*ssl*/, void* identity, CRYPTO_EX_DATA* /*data*/, int /*index*/,
                                long /*argument*/, void* /*pointer*/) { delete static_cast<std::string*>(identity); });
    return index;
}

void note_identity(SSL* ssl, std::string identity) {
    auto owned = std::make_unique<std::string>(std::move(identity));
    delete static_cast<std::string*>(SSL_get_ex_data(ssl, identity_index()));
    SSL_set_ex_data(ssl, identity_index(), nullptr);
    if (SSL_set_ex_data(ssl, identity_index(), owned.get()) == 1) {
        owned.release();  // NOLINT(bugprone-unused-return-value): freed with the SSL
    }
}

unsigned give(const Secret& key, unsigned char* out, unsigned room) {
    const auto bytes = key.bytes();
    if (bytes.size() > room) {
        return 0;
    }
    std::ranges::copy(bytes, out);
    return static_cast<unsigned>(bytes.size());
}

/// TLS 1.3 asks for each identity that the client offers, tickets included, and goes on without one that is not known.
unsigned key_for_client(SSL* ssl, const char* identity, unsigned char* out, unsigned room) {
    const SharedKeys* keys = SharedKeys::of(SSL_get_SSL_CTX(ssl));
    if (keys == nullptr || identity == nullptr) {
        return 0;
    }
    const auto found = keys->keys().find(std::string_view{identity});
    if (found != keys->keys().end()) {
        note_identity(ssl, found->first);
        // A resumed session would not tell whose key it began with.
        SSL_set_num_tickets(ssl, 0);
        return give(found->second, out, room);
    }
    if (SSL_version(ssl) < TLS1_3_VERSION && room >= nobodys_key && RAND_bytes(out, nobodys_key) == 1) {
        // It fails as a wrong key does, so that nobody can try which identities there are (RFC 4279 2).
        return nobodys_key;
    }
    return 0;
}

unsigned key_for_server(SSL* ssl, const char* /*hint*/, char* identity, unsigned identity_room, unsigned char* out,
                        unsigned room) {
    const SharedKeys* keys = SharedKeys::of(SSL_get_SSL_CTX(ssl));
    if (keys == nullptr || keys->empty()) {
        return 0;
    }
    const auto& [name, key] = *keys->keys().begin();
    if (name.size() + 1 > identity_room) {
        return 0;
    }
    std::ranges::copy(name, identity);
    identity[name.size()] = '\0';
    note_identity(ssl, name);
    return give(key, out, room);
}

}  // namespace

Secret& Secret::operator=(Secret&& other) noexcept {
    OPENSSL_cleanse(bytes_.data(), bytes_.size());
    bytes_ = std::move(other.bytes_);
    return *this;
}

Secret::~Secret() {
    OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

std::string SharedKeys::objection_to(const PskFile& file, const Secret& key, std::span<const std::string> taken) const {
    for (const auto& [identity, other] : keys_) {
        if (identity != file.identity && std::ranges::equal(other.bytes(), key.bytes())) {
            return "has the key of another identity: who knows it could pass for either";
        }
    }
    if (std::ranges::find(taken, digest_of(key)) != taken.end()) {
        return "has the key of another destination or of one of its clients: who knows it could pass for either";
    }
    return {};
}

SharedKeys SharedKeys::read(const std::vector<PskFile>& files, std::span<const std::string> taken,
                            const SharedKeys* before, std::vector<std::string>& problems) {
    SharedKeys shared;
    std::vector<const PskFile*> missing;
    for (const PskFile& file : files) {
        auto key = read_key(file.key_file);
        std::string problem = key ? shared.objection_to(file, *key, taken) : key.error().message;
        if (key && !problem.empty()) {
            problem = error_of(file.key_file, problem).message;
        }
        if (problem.empty()) {
            shared.keys_.insert_or_assign(file.identity, std::move(*key));
        } else {
            problems.push_back(std::move(problem));
            missing.push_back(&file);
        }
    }
    for (const PskFile* file : missing) {
        const Secret* const known = before != nullptr ? before->find(file->identity) : nullptr;
        if (known == nullptr || shared.keys_.contains(file->identity)) {
            continue;
        }
        Secret kept({known->bytes().begin(), known->bytes().end()});
        if (shared.objection_to(*file, kept, taken).empty()) {
            shared.keys_.insert_or_assign(file->identity, std::move(kept));
        }
    }
    return shared;
}

const Secret* SharedKeys::find(std::string_view identity) const {
    const auto found = keys_.find(identity);
    return found != keys_.end() ? &found->second : nullptr;
}

std::vector<std::string> SharedKeys::digests() const {
    std::vector<std::string> digests;
    for (const auto& [identity, key] : keys_) {
        digests.push_back(digest_of(key));
    }
    return digests;
}

bool SharedKeys::accept_in(SSL_CTX* context, std::shared_ptr<const SharedKeys> keys) {
    SSL_CTX_set_psk_server_callback(context, key_for_client);
    return SSL_CTX_set_dh_auto(context, 1) == 1 && keep_in(context, std::move(keys));
}

bool SharedKeys::offer_in(SSL_CTX* context, std::shared_ptr<const SharedKeys> keys) {
    SSL_CTX_set_psk_client_callback(context, key_for_server);
    return keep_in(context, std::move(keys));
}

const SharedKeys* SharedKeys::of(const SSL_CTX* context) {
    const auto* keys = static_cast<const KeysPtr*>(SSL_CTX_get_ex_data(context, keys_index()));
    return keys != nullptr ? keys->get() : nullptr;
}

bool SharedKeys::shares(std::string_view identity, const SharedKeys& other) const {
    const auto ours = keys_.find(identity);
    const auto theirs = other.keys_.find(identity);
    return ours != keys_.end() && theirs != other.keys_.end() &&
           std::ranges::equal(ours->second.bytes(), theirs->second.bytes());
}

std::optional<std::string> proven_psk_identity(SSL* ssl) {
    // In TLS 1.3 a key may be offered and then not used, but then a certificate was: without one, no server of ours
    // lets anybody in, and no client of ours believes anybody.
    const SharedKeys* keys = SharedKeys::of(SSL_get_SSL_CTX(ssl));
    if (keys == nullptr || SSL_is_init_finished(ssl) != 1 || SSL_get0_peer_certificate(ssl) != nullptr) {
        return std::nullopt;
    }
    const SSL_CIPHER* suite = SSL_get_current_cipher(ssl);
    const bool used = SSL_version(ssl) >= TLS1_3_VERSION
                          ? SSL_session_reused(ssl) == 1
                          : suite != nullptr && SSL_CIPHER_get_auth_nid(suite) == NID_auth_psk;
    if (!used) {
        return std::nullopt;
    }
    if (const auto* noted = static_cast<const std::string*>(SSL_get_ex_data(ssl, identity_index()))) {
        return *noted;
    }
    // A session of TLS 1.2 that was resumed knows it itself.
    const char* kept = SSL_get_psk_identity(ssl);
    return kept != nullptr && keys->keys().contains(std::string_view{kept}) ? std::optional<std::string>{kept}
                                                                            : std::nullopt;
}

}  // namespace lihandover::tls
