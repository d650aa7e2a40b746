#pragma once

#include <memory>
#include <span>

#include "lihandover/model/item.hpp"

namespace lihandover::intake {

/// SHA-256 of octets that come piece by piece.
class Sha256Digest {
  public:
    Sha256Digest();
    Sha256Digest(const Sha256Digest&) = delete;
    Sha256Digest& operator=(const Sha256Digest&) = delete;
    ~Sha256Digest();

    void update(std::span<const char> octets);
    /// Once.
    [[nodiscard]] model::Sha256 finish();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace lihandover::intake
