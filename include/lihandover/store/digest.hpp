#pragma once

#include <memory>
#include <span>

#include "lihandover/model/item.hpp"

struct evp_md_ctx_st;

namespace lihandover::store {

/// SHA-256 of bytes that come piece by piece. Not thread-safe. Throws std::runtime_error where the cryptographic
/// library cannot work at all.
class Sha256Digest {
  public:
    Sha256Digest();

    void update(std::span<const char> bytes);
    /// Once, at the end.
    [[nodiscard]] model::Sha256 finish();

  private:
    struct Free {
        void operator()(evp_md_ctx_st* context) const;
    };
    std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace lihandover::store
