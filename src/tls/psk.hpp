#pragma once

#include <openssl/ssl.h>

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/result.hpp"
#include "lihandover/tls/context.hpp"

namespace lihandover::tls {

/// Bytes that are overwritten before they are let go.
class Secret {
  public:
    Secret() = default;
    explicit Secret(std::vector<unsigned char> bytes) : bytes_(std::move(bytes)) {}
    Secret(Secret&&) = default;
    Secret& operator=(Secret&& other) noexcept;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret();

    [[nodiscard]] std::span<const unsigned char> bytes() const { return bytes_; }

  private:
    std::vector<unsigned char> bytes_;
};

/// The pre-shared keys of a context, by identity.
class SharedKeys {
  public:
    /// Of a file that cannot be used, or whose key is taken: the key that `before` has for the identity, or none, and a
    /// sentence in `problems`, which names the file, and nothing of what is in it.
    ///   taken  digests of keys that other ends have
    [[nodiscard]] static SharedKeys read(const std::vector<PskFile>& files, std::span<const std::string> taken,
                                         const SharedKeys* before, std::vector<std::string>& problems);
    /// SHA-256 of each, in hex.
    [[nodiscard]] std::vector<std::string> digests() const;

    [[nodiscard]] bool empty() const { return keys_.empty(); }
    [[nodiscard]] const std::map<std::string, Secret, std::less<>>& keys() const { return keys_; }
    [[nodiscard]] const Secret* find(std::string_view identity) const;

    /// A server takes any of them, in TLS 1.2 and 1.3. False if OpenSSL has no memory.
    [[nodiscard]] static bool accept_in(SSL_CTX* context, std::shared_ptr<const SharedKeys> keys);
    /// A client offers the first.
    [[nodiscard]] static bool offer_in(SSL_CTX* context, std::shared_ptr<const SharedKeys> keys);
    /// Those of a context; null if it has none.
    [[nodiscard]] static const SharedKeys* of(const SSL_CTX* context);
    /// Whether both have the same key under this identity.
    [[nodiscard]] bool shares(std::string_view identity, const SharedKeys& other) const;

  private:
    /// What keeps the key from being used; empty: nothing.
    [[nodiscard]] std::string objection_to(const PskFile& file, const Secret& key,
                                           std::span<const std::string> taken) const;

    std::map<std::string, Secret, std::less<>> keys_;
};

/// The identity of the pre-shared key that both ends of a connection have proved to know, after the handshake. nullopt
/// if a certificate was used.
[[nodiscard]] std::optional<std::string> proven_psk_identity(SSL* ssl);

}  // namespace lihandover::tls
