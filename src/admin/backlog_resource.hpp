#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <string_view>
#include <utility>

#include "answer.hpp"
#include "lihandover/admin/admin.hpp"

namespace lihandover::admin {

/// GET /v1/backlog: the LIIDs with the most, or the oldest, items that are queued. On the server's thread; asks
/// delivery, which has their lists in memory, and reads when the oldest of each was received on `worker`.
class BacklogResource {
  public:
    BacklogResource(const Parts& parts, boost::asio::any_io_executor worker)
        : parts_(parts), worker_(std::move(worker)) {}

    [[nodiscard]] boost::asio::awaitable<Answer> list(std::string_view query) const;

  private:
    [[nodiscard]] Answer write(const delivery::Backlog& backlog, delivery::BacklogOrder order) const;

    Parts parts_;
    boost::asio::any_io_executor worker_;
};

}  // namespace lihandover::admin
