#include "x2x3/inbox.hpp"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace lihandover::intake {

namespace asio = boost::asio;

bool Piece::make_room(std::size_t bytes, std::size_t most_beyond) {
    if (share.try_take(bytes)) {
        return true;
    }
    if (*allowance + bytes > most_beyond) {
        return false;
    }
    *allowance += bytes;
    allowed += bytes;
    return true;
}

void Piece::append(std::string_view pdu, std::span<const model::Uuid> known, model::Instant received_at) {
    constexpr std::size_t block = std::size_t{32} * 1024;
    if (blocks.empty() || blocks.back().capacity() - blocks.back().size() < pdu.size()) {
        blocks.emplace_back().reserve(std::max(block, pdu.size()));
    }
    std::string& octets = blocks.back();
    const std::size_t at = octets.size();
    octets += pdu;
    entries.push_back({std::string_view(octets).substr(at), xids.size(), known.size(), received_at});
    size += pdu.size();
    xids.insert(xids.end(), known.begin(), known.end());
}

void Inbox::add(std::shared_ptr<Piece> piece) {
    pieces_.push_back(std::move(piece));
    wake();
}

Inbox::Pieces Inbox::take(std::size_t bytes, std::size_t pdus) {
    Pieces taken;
    std::size_t sum = 0;
    std::size_t count = 0;
    while (!pieces_.empty() && (taken.empty() || (sum < bytes && count < pdus))) {
        sum += pieces_.front()->size;
        count += pieces_.front()->entries.size();
        pieces_.front()->taken = true;
        taken.push_back(std::move(pieces_.front()));
        pieces_.pop_front();
    }
    return taken;
}

void Inbox::wake() {
    woken_ = true;
    wake_.cancel();
}

asio::awaitable<void> Inbox::wait(Time when) {
    if (pieces_.empty() && !woken_) {
        wake_.expires_at(when);
        boost::system::error_code error;
        co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
    woken_ = false;
}

}  // namespace lihandover::intake
