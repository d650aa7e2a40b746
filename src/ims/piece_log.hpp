#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "lihandover/ims/assembly.hpp"
#include "lihandover/model/result.hpp"
#include "piece_index.hpp"

namespace lihandover::ims {

/// The bytes of a message as they came, one piece after the other: in memory, and in a spool once they are more than
/// `in_memory`. What fails changes nothing.
class PieceLog {
  public:
    PieceLog(Spools& spools, std::size_t in_memory) : spools_(spools), in_memory_(in_memory) {}

    [[nodiscard]] model::Status append(std::string_view bytes);
    /// Whether from `at` on, `bytes` are what is there.
    [[nodiscard]] model::Result<bool> has(std::uint64_t at, std::string_view bytes);
    /// Keeps these pieces only, in this order.
    [[nodiscard]] model::Status rewrite(std::span<const Piece> pieces, std::uint64_t bytes);
    /// All of it; it is empty then.
    [[nodiscard]] Bytes take();

    [[nodiscard]] std::uint64_t size() const { return spool_ ? spool_->size() : memory_.size(); }
    [[nodiscard]] bool in_memory() const { return !spool_; }
    [[nodiscard]] std::size_t memory() const { return memory_.capacity(); }

  private:
    [[nodiscard]] model::Status spool(std::string_view bytes);
    [[nodiscard]] model::Status copy_to(Spool& to, std::span<const Piece> pieces, std::uint64_t bytes);

    Spools& spools_;
    std::size_t in_memory_;
    std::string memory_;
    std::unique_ptr<Spool> spool_;
};

}  // namespace lihandover::ims
