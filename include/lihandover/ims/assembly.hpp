#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lihandover/ims/msrp.hpp"
#include "lihandover/model/result.hpp"

namespace lihandover::ims {

/// Bytes of an unfinished message that are too many for memory: a sealed file that only grows. One thread at a time;
/// blocks on the disk. Gone with the object.
class Spool {
  public:
    virtual ~Spool() = default;
    [[nodiscard]] virtual model::Status append(std::string_view bytes) = 0;
    /// Fills `out` with what was appended from `at` on; all of it is there.
    [[nodiscard]] virtual model::Status read(std::uint64_t at, std::span<char> out) = 0;
    [[nodiscard]] virtual std::uint64_t size() const = 0;
};

class Spools {
  public:
    virtual ~Spools() = default;
    [[nodiscard]] virtual model::Result<std::unique_ptr<Spool>> make() = 0;
};

/// The bytes of a message, or of an object of an event: in memory, or spooled. Immutable once given out.
class Bytes {
  public:
    Bytes() = default;
    explicit Bytes(std::string in_memory) : memory_(std::move(in_memory)) {}
    explicit Bytes(std::shared_ptr<Spool> spooled) : spooled_(std::move(spooled)) {}
    [[nodiscard]] std::uint64_t size() const { return spooled_ ? spooled_->size() : memory_.size(); }
    [[nodiscard]] bool in_memory() const { return !spooled_; }
    [[nodiscard]] std::string_view memory() const { return memory_; }
    [[nodiscard]] const std::shared_ptr<Spool>& spooled() const { return spooled_; }

  private:
    std::string memory_;
    std::shared_ptr<Spool> spooled_;
};

/// Octets `first` to `last` of a message, counted from 1.
struct Range {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    friend bool operator==(const Range&, const Range&) = default;
};

/// One message of MSRP, put together from chunks in any order (RFC 4975 5.1, 7.3.1). Chunks may overlap (the later one
/// wins; `conflicting()` says when what overlapped was different), repeat, leave holes, and not know end or total.
///
/// Beyond `in_memory` bytes what came is spooled; at most `max_ranges` pieces are kept apart, further ones that would
/// make another hole are dropped and counted as a hole (`lost()`). One thread at a time.
class Assembly {
  public:
    Assembly(Spools& spools, std::size_t in_memory);
    Assembly(Assembly&&) noexcept;
    Assembly& operator=(Assembly&&) noexcept;
    ~Assembly();

    /// Takes a chunk of a SEND: its bytes are placed by the start of its range; where the range's end differs from the
    /// bytes that came, these count.
    [[nodiscard]] model::Status take(const MsrpFrame& chunk);

    /// The last chunk came, and nothing is missing before its end.
    [[nodiscard]] bool complete() const;
    /// Its sender gave it up (`#`).
    [[nodiscard]] bool abandoned() const;
    /// The last chunk came, so a chunk that begins at 1 is another message with the same id.
    [[nodiscard]] bool ended() const;
    [[nodiscard]] std::optional<std::uint64_t> total() const;
    [[nodiscard]] std::vector<Range> ranges() const;  ///< what is there, in order, touching ones joined
    [[nodiscard]] bool conflicting() const;
    [[nodiscard]] bool lost() const;
    [[nodiscard]] std::uint64_t held() const;            ///< bytes, in memory and spooled
    [[nodiscard]] std::uint64_t held_in_memory() const;  ///< bytes, its own bookkeeping included

    /// What is there, in order, pieces one after the other. The assembly is empty afterwards.
    [[nodiscard]] model::Result<Bytes> take_bytes();

    static constexpr std::size_t max_ranges = 4096;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lihandover::ims
