#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "lihandover/model/uuid.hpp"

namespace lihandover::ims {

/// What something is named by: the first half of a SHA-256.
using Digest = std::array<std::uint8_t, 16>;

/// As 32 hex digits.
[[nodiscard]] std::string text_of(const Digest& digest);

/// Names a thing by a list of parts. Lists that differ give other digests, however their parts would run together; the
/// same list gives the same one for good, since stored events are recognised by it. One at a time on a thread.
class Naming {
  public:
    /// What kind of thing it is: names of two kinds never meet.
    explicit Naming(std::string_view kind);

    Naming& add(std::string_view part);
    Naming& add(std::uint64_t part);
    Naming& add(const model::Uuid& part);
    Naming& add(const Digest& part);
    [[nodiscard]] Digest finish();
};

/// SHA-256 of bytes that come piece by piece: several at a time, other than Naming.
class ContentDigest {
  public:
    ContentDigest();
    ContentDigest(const ContentDigest&) = delete;
    ContentDigest& operator=(const ContentDigest&) = delete;
    ContentDigest(ContentDigest&& other) noexcept;
    ContentDigest& operator=(ContentDigest&& other) noexcept;
    ~ContentDigest();

    void update(std::string_view bytes);
    /// Once, at the end.
    [[nodiscard]] Digest finish();

  private:
    void* context_;
};
[[nodiscard]] Digest digest_of(std::string_view bytes);

}  // namespace lihandover::ims
