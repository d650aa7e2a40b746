#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lihandover::ims {

/// Bytes of a message that stand together in the log of what came. Offsets count from 0.
struct Piece {
    std::uint64_t first = 0;  ///< of the message
    std::uint64_t at = 0;     ///< in the log
    std::uint64_t size = 0;

    [[nodiscard]] std::uint64_t end() const { return first + size; }
    friend bool operator==(const Piece&, const Piece&) = default;
};

/// Where in the log the bytes of a message are. No two pieces overlap: what was put later is what counts.
class PieceIndex {
  public:
    /// In the order of the message. Neighbours that are so in the log, too, are one piece.
    [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }
    /// Those that overlap the octets from `first` to before `end`.
    [[nodiscard]] std::span<const Piece> overlapping(std::uint64_t first, std::uint64_t end) const;
    /// Whether a piece there would touch no other.
    [[nodiscard]] bool is_apart(std::uint64_t first, std::uint64_t end) const;
    /// Pieces that touch are one run. Goes through all of them.
    [[nodiscard]] std::size_t runs() const;
    /// Whether the pieces are all of a log of `size` bytes, one after the other.
    [[nodiscard]] bool is_in_order(std::uint64_t size) const;

    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] std::uint64_t end() const { return pieces_.empty() ? 0 : pieces_.back().end(); }
    [[nodiscard]] bool has_hole() const { return bytes_ != end(); }
    [[nodiscard]] std::size_t memory() const { return pieces_.capacity() * sizeof(Piece); }

    /// Room for a put, which makes two pieces more at most, so that it does not fail half-way.
    void make_room();
    /// Puts a piece that the log ends with.
    void put(Piece piece);
    /// The log was written anew, all pieces in order.
    void follow_rewriting();

  private:
    std::vector<Piece> pieces_;
    std::uint64_t bytes_ = 0;
};

}  // namespace lihandover::ims
