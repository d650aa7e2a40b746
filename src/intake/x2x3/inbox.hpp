#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lihandover/intake/http/body_budget.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::intake {

/// PDUs of known tasks that one connection has read, in their order, until they are worked off.
struct Piece {
    struct Entry {
        std::string_view octets;    ///< as long as the piece is there
        std::size_t first_xid = 0;  ///< of its known tasks in `xids`
        std::size_t xid_count = 0;
        model::Instant received_at;
    };

    ///   allowance   bytes that the connection has waiting beyond the budget
    Piece(BodyBudget& budget, std::shared_ptr<std::size_t> its_allowance)
        : share(budget), allowance(std::move(its_allowance)) {}
    Piece(const Piece&) = delete;
    Piece& operator=(const Piece&) = delete;
    ~Piece() { *allowance -= allowed; }

    /// Room for so many bytes more: of the budget, or else of what each connection may have beyond it, so that one
    /// which sends little is read on however much others have waiting.
    [[nodiscard]] bool make_room(std::size_t bytes, std::size_t most_beyond);

    void append(std::string_view pdu, std::span<const model::Uuid> known, model::Instant received_at);

    BodyBudget::Share share;  ///< of the source's memory
    std::shared_ptr<std::size_t> allowance;
    std::size_t allowed = 0;  ///< this piece's part of it
    /// Octets of whole PDUs. None of them grows beyond what it was made for: what is let go of is overwritten, and that
    /// costs most where memory was never used.
    std::vector<std::string> blocks;
    std::size_t size = 0;  ///< of what is in the blocks
    std::vector<Entry> entries;
    std::vector<model::Uuid> xids;
    bool taken = false;  ///< it is being worked off: nothing may be added
};

/// What the connections of a source have read and nobody has worked off yet. Its memory is bounded by the shares of its
/// pieces. On one thread.
class Inbox {
  public:
    using Pieces = std::vector<std::shared_ptr<Piece>>;
    using Time = std::chrono::steady_clock::time_point;

    explicit Inbox(const boost::asio::any_io_executor& executor) : wake_(executor) {}

    void add(std::shared_ptr<Piece> piece);
    /// The pieces that came first, of about so many bytes or PDUs together; at least one if there is any.
    [[nodiscard]] Pieces take(std::size_t bytes, std::size_t pdus);
    [[nodiscard]] bool empty() const { return pieces_.empty(); }
    /// Of PDUs that were added to pieces and are not durable yet.
    void arrived(std::size_t bytes) { bytes_ += bytes; }
    void durable(std::size_t bytes) { bytes_ -= bytes; }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

    /// Waits until there is something, until wake() or until `when`.
    [[nodiscard]] boost::asio::awaitable<void> wait(Time when);
    void wake();

  private:
    std::deque<std::shared_ptr<Piece>> pieces_;
    std::size_t bytes_ = 0;
    boost::asio::steady_timer wake_;
    bool woken_ = false;
};

}  // namespace lihandover::intake
