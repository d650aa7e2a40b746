#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "answer.hpp"
#include "lihandover/admin/admin.hpp"
#include "lihandover/http/server.hpp"
#include "order.hpp"

namespace lihandover::admin {

/// What came of an order to the daemon.
struct Ordered {
    unsigned status = 200;
    std::string_view sentence = {};  ///< what is wrong; empty with 200
};

/// POST /v1/reload, /v1/revoke, /v1/approve-warrant, /v1/refuse-warrant, /v1/accept-clock, /v1/accept-restore,
/// /v1/record-head, /v1/rekey, /v1/pause and /v1/resume: an operator's orders to the daemon. On the server's thread.
class DaemonOrders {
  public:
    DaemonOrders(const Parts& parts, boost::asio::any_io_executor worker)
        : control_(parts.control),
          decisions_(parts.items),
          audit_(parts.audit),
          sealing_(parts.sealing),
          clock_(parts.clock),
          worker_(std::move(worker)) {}

    [[nodiscard]] boost::asio::awaitable<Answer> reload(http::Exchange& exchange) const;

    [[nodiscard]] boost::asio::awaitable<Answer> revoke(http::Exchange& exchange) const;
    [[nodiscard]] boost::asio::awaitable<Ordered> revoke(RevokeRequest request) const;

    enum class Decision : std::uint8_t { approve, refuse };
    [[nodiscard]] boost::asio::awaitable<Answer> decide_warrant(http::Exchange& exchange, Decision decision) const;

    [[nodiscard]] boost::asio::awaitable<Answer> accept_clock(http::Exchange& exchange) const;
    [[nodiscard]] boost::asio::awaitable<Answer> accept_restore(http::Exchange& exchange) const;

    /// Another daemon's chain, for which this one is witness.
    [[nodiscard]] boost::asio::awaitable<Answer> record_head(http::Exchange& exchange) const;

    /// Answers once sealing anew has begun.
    [[nodiscard]] boost::asio::awaitable<Answer> rekey(http::Exchange& exchange) const;

    enum class Delivery : std::uint8_t { pause, resume };
    [[nodiscard]] boost::asio::awaitable<Answer> deliver(http::Exchange& exchange, Delivery wish) const;
    [[nodiscard]] boost::asio::awaitable<Ordered> deliver(std::string destination, Delivery wish,
                                                          std::string who) const;

  private:
    [[nodiscard]] boost::asio::awaitable<std::string> who_of(const http::Exchange& exchange, const Order& order) const;

    Control& control_;
    store::OperatorView& decisions_;
    store::AuditLog& audit_;
    store::Sealing& sealing_;
    const model::Clock& clock_;
    boost::asio::any_io_executor worker_;
};

}  // namespace lihandover::admin
