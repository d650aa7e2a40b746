#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lihandover/model/result.hpp"

struct evp_pkey_st;

namespace lihandover::audit {

/// An Ed25519 key that signs checkpoints. Immutable, thread-safe.
class SigningKey {
  public:
    /// From the text of a PEM file, unencrypted. The error says what is wrong, and nothing of the key.
    [[nodiscard]] static model::Result<std::shared_ptr<const SigningKey>> from_pem(std::string_view pem);

    /// 64 bytes. Throws std::runtime_error where the cryptographic library cannot work at all.
    [[nodiscard]] std::string sign(std::string_view bytes) const;
    /// The key that checks its signatures, as PEM.
    [[nodiscard]] std::string public_pem() const;

  private:
    explicit SigningKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
    std::shared_ptr<evp_pkey_st> key_;
};

/// The public half, which checks signatures.
class VerifyingKey {
  public:
    [[nodiscard]] static model::Result<VerifyingKey> from_pem(std::string_view pem);
    [[nodiscard]] bool holds(std::string_view bytes, std::string_view signature) const;

  private:
    explicit VerifyingKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
    std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace lihandover::audit
