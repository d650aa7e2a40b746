#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "lihandover/store/types.hpp"

namespace lihandover::delivery {

/// A waiting item in eight bytes: its row, whether it is an emergency, and whether the LEA may have seen it already.
class Waiting {
  public:
    Waiting() = default;
    Waiting(store::RowId row, bool emergency, bool attempted = false)
        : value_((static_cast<std::uint64_t>(row) << 2) | (emergency ? 2U : 0U) | (attempted ? 1U : 0U)) {}
    [[nodiscard]] store::RowId row() const { return static_cast<store::RowId>(value_ >> 2); }
    [[nodiscard]] bool emergency() const { return (value_ & 2) != 0; }
    [[nodiscard]] bool attempted() const { return (value_ & 1) != 0; }

  private:
    std::uint64_t value_ = 0;
};

/// The rows of one lane, lowest first, each once. One block of memory that grows by a quarter: about 10 bytes per item
/// in long lanes, and nothing but the three words here in empty ones. Taking the first, putting it back and adding a
/// higher one are cheap; so is adding many lower ones (an operator's retry in bulk).
class RowQueue {
  public:
    RowQueue() = default;
    RowQueue(const RowQueue&) = delete;
    RowQueue& operator=(const RowQueue&) = delete;
    ~RowQueue() = default;

    [[nodiscard]] bool empty() const { return begin_ == end_; }
    [[nodiscard]] std::size_t size() const { return end_ - begin_; }
    /// index < size().
    [[nodiscard]] Waiting operator[](std::size_t index) const { return block_[begin_ + index]; }
    [[nodiscard]] Waiting front() const { return block_[begin_]; }
    /// Bytes of the block.
    [[nodiscard]] std::size_t memory() const { return std::size_t{capacity_} * sizeof(Waiting); }

    /// False if the row is there already.
    bool insert(Waiting item);
    /// Not empty.
    Waiting pop_front();
    /// nullopt if the row is not there.
    std::optional<Waiting> erase(store::RowId row);

  private:
    /// Index within the block of the first row that is not below `row`.
    [[nodiscard]] std::uint32_t lower_bound(store::RowId row) const;
    void relocate(std::size_t room_in_front, std::size_t room_behind);
    void shrink();

    std::unique_ptr<Waiting[]> block_;  // NOLINT(modernize-avoid-c-arrays): a vector would be two words fatter
    std::uint32_t begin_ = 0;
    std::uint32_t end_ = 0;
    std::uint32_t capacity_ = 0;
};

}  // namespace lihandover::delivery
