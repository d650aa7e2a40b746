#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lihandover/audit/entry.hpp"
#include "lihandover/model/item.hpp"
#include "lihandover/model/time.hpp"

struct evp_md_ctx_st;

namespace lihandover::audit {

// The entries of a store form a chain: each has a number, from 1 without gaps, and a hash, SHA-256 of the hash before
// it and of its own canonical bytes. Who knows one hash knows that nothing before it was changed. The hash of number 0
// is random, drawn when the chain begins, and names the chain.

using Hash = model::Sha256;

/// A place in a chain: the number of an entry, and its hash.
struct Head {
    std::uint64_t number = 0;
    Hash hash{};

    friend bool operator==(const Head&, const Head&) = default;
};

/// An entry in its place. Its strings are views, as an Entry's are.
struct Recorded {
    std::uint64_t number = 0;
    Entry entry;
    std::optional<std::uint64_t> item;  ///< the number that its item, or its object's item, has in the store
    Hash previous{};
    Hash hash{};
};

/// Stands for all entries up to its head.
struct Checkpoint {
    Head head;
    model::Instant at;
    std::string node;       ///< the daemon that made it
    std::string signature;  ///< Ed25519, 64 bytes, over signed_bytes(); empty: nobody signed it
};

/// Appends an entry's canonical bytes, which the chain is made of: its number, times in nanoseconds, and everything
/// that it says. `previous` and `hash` are not read. docs/audit-export.md has them byte by byte.
void append_canonical(const Recorded& recorded, std::string& out);

/// What a checkpoint's signature is made over. `chain` is the hash of number 0.
[[nodiscard]] std::string signed_bytes(const Hash& chain, const Checkpoint& checkpoint);

/// SHA-256 of bytes that come in pieces. Not thread-safe. Throws std::runtime_error where the cryptographic library
/// cannot work at all.
class Hasher {
  public:
    Hasher();
    void update(std::string_view bytes);
    /// Of all since the last call.
    [[nodiscard]] Hash finish();

    /// The hash of an entry: of the hash before it and its canonical bytes. The memory for these is kept.
    [[nodiscard]] Hash of(const Hash& previous, const Recorded& recorded);

  private:
    struct Free {
        void operator()(evp_md_ctx_st* context) const;
    };
    std::unique_ptr<evp_md_ctx_st, Free> context_;
    std::string canonical_;
};

}  // namespace lihandover::audit
