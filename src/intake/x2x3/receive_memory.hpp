#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lihandover/intake/http/body_budget.hpp"

namespace lihandover::intake {

/// Bytes of one connection that are not cut into PDUs yet. Beyond `usual` bytes its memory is of the source's budget.
class ReceiveMemory {
  public:
    static constexpr std::size_t usual = std::size_t{64} * 1024;

    explicit ReceiveMemory(BodyBudget& budget) : budget_(budget) {}

    [[nodiscard]] std::string_view unread() const { return std::string_view(bytes_).substr(begin_, end_ - begin_); }
    void consume(std::size_t count) { begin_ += count; }
    /// Where more can be received, after prepare().
    [[nodiscard]] std::span<char> room() { return std::span(bytes_).subspan(end_); }
    void received(std::size_t count) { end_ += count; }

    /// Makes room, and waits for its memory where there has to be more: for a PDU of `needed` bytes in all.
    [[nodiscard]] boost::asio::awaitable<void> prepare(std::size_t needed);
    /// Gives back what a large PDU has needed, where nothing is left of it.
    void trim();
    /// Gives back all of it. Only when there is nothing unread.
    void release();

  private:
    BodyBudget& budget_;
    std::optional<BodyBudget::Share> share_;
    std::string bytes_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace lihandover::intake
