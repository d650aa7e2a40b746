#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "lihandover/http/body_source.hpp"
#include "lihandover/model/result.hpp"

namespace lihandover::http {

/// Fills `out` with the bytes from `at` on and returns how many; less than asked for counts as an error. May block and
/// may throw. Called on the pool, one call at a time, never twice for the same place; destroyed there or with the
/// ReadAhead, whichever releases it last.
using BlockRead = std::function<model::Result<std::size_t>(std::uint64_t at, std::span<char> out)>;

struct ReadAheadOptions {
    /// Bytes per call. Calls end at multiples of it, whatever the range begins with, so that a reader whose own chunks
    /// fit into it never has to read one twice. Not 0.
    std::size_t block = std::size_t{256} * 1024;
    /// Blocks in memory at most, including the one being sent: this bounds the memory. At least 1; from 2 on reading
    /// and sending overlap. Ranges smaller than a block take only what they need.
    std::size_t blocks = 2;
};

/// The bytes [begin, end) of something that can only be read by blocking, as a body: a pool's thread reads ahead while
/// the connection's thread sends, so that both are at work. Nothing is read before the first read(): the body of an
/// upload that never gets its `100 Continue` costs nothing.
///
/// Used on the thread of `executor` (an io_context's own, run by one thread), but for the calls of BlockRead. May be
/// destroyed at any time when no read() runs, also while a call of BlockRead does: that call ends by itself, its bytes
/// are dropped, and it touches nothing of `executor`, which need not outlive this object's destruction. A failed read
/// stays failed.
class ReadAhead final : public BodySource {
  public:
    ReadAhead(const boost::asio::any_io_executor& executor, const boost::asio::any_io_executor& pool, BlockRead read,
              std::uint64_t begin, std::uint64_t end, const ReadAheadOptions& options = {});
    ReadAhead(const ReadAhead&) = delete;
    ReadAhead& operator=(const ReadAhead&) = delete;
    ~ReadAhead() override;

    [[nodiscard]] std::optional<std::uint64_t> size() const override;
    /// Asio cancellation surfaces as boost::system::system_error(operation_aborted).
    [[nodiscard]] boost::asio::awaitable<model::Result<std::size_t>> read(std::span<char> buffer) override;

    /// Ends a running read(), and every later one, with an error. A connection's close() cannot do that: it ends only
    /// what the connection itself waits for.
    void cancel();

  private:
    struct State;
    struct Bell;

    std::uint64_t size_;
    std::shared_ptr<State> state_;
    std::shared_ptr<Bell> bell_;
    std::size_t taken_ = 0;  ///< of the block in front
};

}  // namespace lihandover::http
