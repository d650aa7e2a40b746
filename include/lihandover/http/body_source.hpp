#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "lihandover/model/result.hpp"

namespace lihandover::http {

/// A body too large for memory, produced while it is sent. Used on the thread of the connection.
class BodySource {
  public:
    virtual ~BodySource() = default;

    /// The whole length if it is known in advance (sent with Content-Length), else nullopt (sent chunked).
    [[nodiscard]] virtual std::optional<std::uint64_t> size() const = 0;

    /// Fills some of `buffer` and returns how much; 0 is the end. An error leaves the message unfinished and closes the
    /// connection, so that the receiver cannot take it for complete. So does an end before size(), or bytes beyond it.
    [[nodiscard]] virtual boost::asio::awaitable<model::Result<std::size_t>> read(std::span<char> buffer) = 0;
};

}  // namespace lihandover::http
