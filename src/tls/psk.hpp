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
    /// Errors name the file, and nothing of what is in it.
    [[nodiscard]] static model::Result<SharedKeys> read(const std::vector<PskFile>& files);

    [[nodiscard]] bool empty() const { return keys_.empty(); }
    [[nodiscard]] const std::map<std::string, Secret, std::less<>>& keys() const { return keys_; }

    /// A server takes any of them, in TLS 1.2 and 1.3. False if OpenSSL has no memory.
    [[nodiscard]] static bool accept_in(SSL_CTX* context, std::shared_ptr<const SharedKeys> keys);
    /// A client offers the first.
    [[nodiscard]] static bool offer_in(SSL_CTX* context, std::shared_ptr<const SharedKeys> keys);
    /// Those of a context; null if it has none.
    [[nodiscard]] static const SharedKeys* of(const SSL_CTX* context);
    /// Whether both have the same key under this identity.
    [[nodiscard]] bool shares(std::string_view identity, const SharedKeys& other) const;

  private:
    std::map<std::string, Secret, std::less<>> keys_;
};

/// The identity of the pre-shared key that both ends of a connection have proved to know, after the handshake. nullopt
/// if a certificate was used.
[[nodiscard]] std::optional<std::string> proven_psk_identity(SSL* ssl);

}  // namespace lihandover::tls
