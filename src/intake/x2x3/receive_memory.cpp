#include "x2x3/receive_memory.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <utility>

#include "lihandover/base/invariant.hpp"

namespace lihandover::intake {

namespace asio = boost::asio;

asio::awaitable<void> ReceiveMemory::prepare(std::size_t needed) {
    // Waiting for memory is the back-pressure; nothing else ends it.
    constexpr auto as_long_as_it_takes = std::chrono::hours(24 * 365);
    if (begin_ > 0 && (begin_ == end_ || end_ == bytes_.size() || begin_ + needed > bytes_.size())) {
        std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    if (end_ < bytes_.size()) {
        co_return;
    }
    // It grows as bytes come, since a length alone must cost nothing; and beyond the PDU, so that the next one is read
    // with it.
    const std::size_t size = std::clamp(bytes_.size() * 2, usual, std::max(usual, std::bit_ceil(needed) + usual));
    if (!share_) {
        share_.emplace(budget_);
    }
    static_cast<void>(co_await share_->take(size - bytes_.size(), as_long_as_it_takes));
    bytes_.resize(size);
}

void ReceiveMemory::trim() {
    constexpr std::size_t large = std::size_t{1} << 20U;
    if (begin_ == end_ && bytes_.size() > large) {
        release();
    }
}

void ReceiveMemory::release() {
    LIHANDOVER_INVARIANT(begin_ == end_, "memory with unread bytes is kept");
    begin_ = end_ = 0;
    std::string{}.swap(bytes_);
    share_.reset();
}

}  // namespace lihandover::intake
