#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "copy_note.hpp"
#include "lihandover/ims/msrp.hpp"
#include "lihandover/model/result.hpp"
#include "owners.hpp"
#include "take.hpp"

namespace lihandover::ims {

/// Where the bytes of a frame lie in the copy being taken, and whose earlier copies hold its beginning.
struct FramePlace {
    std::size_t first = 0;
    std::size_t size = 0;
    std::uint64_t beginning = 0;  ///< an owner; 0: all of it is here
};

/// What the frames of payloads are handed to.
class FrameTaker {
  public:
    virtual ~FrameTaker() = default;
    /// Whoever needs the frame keeps its bytes (Made::kept_parts), and takes over the owner of its beginning; who does
    /// not lets that go.
    [[nodiscard]] virtual model::Status take_frame(const Take& take, const MsrpFrame& frame,
                                                   const FramePlace& place) = 0;
    /// A SEND that was cut off, as far as it came.
    ///   beginning   the owner of its copies
    [[nodiscard]] virtual model::Status take_torn(const Take& take, const MsrpFrame& frame,
                                                  std::uint64_t beginning) = 0;
    /// Bytes that are no MSRP.
    virtual void take_unreadable(const Take& take, std::string_view bytes) = 0;
};

/// Cuts payloads into frames. A frame may go on in the next payload of its stream: of one task, correlation, direction
/// and point of interception. How much is kept of it is bounded; what is too much, or does not go on, goes out.
class MsrpStreams {
  public:
    explicit MsrpStreams(Owners& owners) : owners_(owners) {}

    [[nodiscard]] model::Status take(const Take& take, FrameTaker& taker);
    /// Gives out the beginnings that did not go on in time.
    [[nodiscard]] model::Status expire(const Take& take, FrameTaker& taker);
    /// Drops the beginnings of these tasks.
    void forget(const Tasks& tasks, Made& out);
    /// Gives out the oldest beginning; false if there is none.
    [[nodiscard]] model::Result<bool> give_out_oldest(const Take& take, FrameTaker& taker);
    [[nodiscard]] std::optional<SteadyTime> due(const TrackerOptions& options) const;

    [[nodiscard]] std::size_t held() const { return held_; }
    [[nodiscard]] std::optional<SteadyTime> oldest() const { return tails_.due(std::chrono::milliseconds(0)); }

    /// Bytes of one beginning. Payloads have 16 MiB at most, unless it is configured otherwise.
    static constexpr std::size_t max_tail = std::size_t{32} << 20;

  private:
    struct Tail {
        std::string bytes;
        CopyNote note;
        std::uint64_t owner = 0;
    };
    [[nodiscard]] model::Result<std::size_t> go_on(const Take& take, const TableKey& key, FrameTaker& taker);
    [[nodiscard]] model::Status cut(const Take& take, std::size_t at, const TableKey& key, FrameTaker& taker);
    [[nodiscard]] model::Status keep_tail(const Take& take, std::size_t at, const TableKey& key, FrameTaker& taker);
    [[nodiscard]] model::Status give_out(const Take& take, const TableKey& key, FrameTaker& taker);

    Owners& owners_;
    AgedTable<Tail> tails_;
    std::size_t held_ = 0;
};

}  // namespace lihandover::ims
