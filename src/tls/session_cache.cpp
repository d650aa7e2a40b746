#include "session_cache.hpp"

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace lihandover::tls {
namespace {

constexpr std::size_t max_sessions_per_host = 16;
constexpr std::size_t max_session_hosts = 64;
constexpr std::time_t longest_session = 3600;  // seconds

/// Where a session of a connection goes, and how old it is: a ticket that a resumed connection gets carries what was
/// verified at the full handshake before.
struct Place {
    std::string key;
    std::optional<std::time_t> verified;  ///< nullopt: at this one's
};

/// Index of a Place that an SSL owns.
int place_index() {
    static const int index =
        SSL_get_ex_new_index(0, nullptr, nullptr, nullptr,
                             [](void* /*ssl*/, void* key, CRYPTO_EX_DATA* /*data*/, int /*index*/, long /*argument*/,
                                void* /*pointer*/) { delete static_cast<Place*>(key); });
    return index;
}

int cache_index() {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

int remember_session(SSL* ssl, SSL_SESSION* session) {
    auto* cache = static_cast<SessionCache*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), cache_index()));
    const auto* place = static_cast<const Place*>(SSL_get_ex_data(ssl, place_index()));
    if (cache == nullptr || place == nullptr) {
        return 0;
    }
    if (SSL_session_reused(ssl) == 1 && place->verified) {
        SSL_SESSION_set_time(session, *place->verified);
    }
    cache->put(place->key, SessionPtr{session});
    return 1;  // the reference is ours now
}

}  // namespace

void SessionCache::put(const std::string& key, SessionPtr session) {
    const std::scoped_lock lock{mutex_};
    if (!sessions_.contains(key) && sessions_.size() >= max_session_hosts) {
        sessions_.clear();
    }
    auto& list = sessions_[key];
    if (list.size() >= max_sessions_per_host) {
        list.erase(list.begin());
    }
    list.push_back(std::move(session));
}

SessionPtr SessionCache::take(const std::string& key) {
    const std::scoped_lock lock{mutex_};
    const auto found = sessions_.find(key);
    if (found == sessions_.end()) {
        return nullptr;
    }
    auto& list = found->second;
    while (!list.empty()) {
        SessionPtr session = std::move(list.back());
        list.pop_back();
        const std::time_t age = std::time(nullptr) - SSL_SESSION_get_time(session.get());
        if (SSL_SESSION_is_resumable(session.get()) == 1 && age >= 0 && age < longest_session) {
            if (SSL_SESSION_get_protocol_version(session.get()) < TLS1_3_VERSION) {
                SSL_SESSION_up_ref(session.get());
                list.emplace_back(session.get());
            }
            return session;
        }
    }
    return nullptr;
}

bool SessionCache::serve(SSL_CTX* context) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, remember_session);
    return SSL_CTX_set_ex_data(context, cache_index(), this) == 1;
}

void SessionCache::forget(SSL_CTX* context) {
    SSL_CTX_set_ex_data(context, cache_index(), nullptr);
}

void SessionCache::name(SSL* ssl, std::string key) {
    const SSL_SESSION* const offered = SSL_get_session(ssl);
    auto owned = std::make_unique<Place>(
        Place{std::move(key), offered != nullptr ? std::optional(SSL_SESSION_get_time(offered)) : std::nullopt});
    if (SSL_set_ex_data(ssl, place_index(), owned.get()) == 1) {
        owned.release();  // NOLINT(bugprone-unused-return-value): freed with the SSL
    }
}

}  // namespace lihandover::tls
