#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "answer.hpp"
#include "lihandover/admin/admin.hpp"
#include "lihandover/http/server.hpp"
#include "lihandover/store/types.hpp"
#include "order.hpp"

namespace lihandover::admin {

/// POST /v1/retry, /v1/reject and /v1/approve: an operator decides about items. A decision about ids is all or nothing
/// as far as can be known in advance. Where two people have to agree, the store knows who has said what. On the
/// server's thread; looks up the items on `worker`.
class ItemDecisions {
  public:
    enum class Kind : std::uint8_t { retry, reject, approve };

    ItemDecisions(const Parts& parts, boost::asio::any_io_executor worker)
        : parts_(parts), worker_(std::move(worker)) {}

    [[nodiscard]] boost::asio::awaitable<Answer> decide(http::Exchange& exchange, Kind kind) const;

  private:
    /// What is known of the items before anything is changed.
    struct Checked {
        store::Reviewer reviewer;
        unsigned status = 200;  ///< 404 if one is unknown, 409 if one is in another state, 500 if the store fails
        std::string body;       ///< when it is not 200
        std::map<std::string, std::size_t> destinations;  ///< how many items of each
    };

    [[nodiscard]] boost::asio::awaitable<Answer> retry(Order order, std::string who) const;
    [[nodiscard]] boost::asio::awaitable<Answer> review(Order order, Kind kind, Checked checked) const;
    [[nodiscard]] boost::asio::awaitable<Answer> retry_all(Order order, std::string who) const;

    // On the worker:
    [[nodiscard]] Checked check(const Order& order, Kind kind, const http::Peer& peer) const;
    void count_rejected(const std::vector<model::Uuid>& ids) const;

    Parts parts_;
    boost::asio::any_io_executor worker_;
};

}  // namespace lihandover::admin
