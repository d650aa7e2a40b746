#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>

#include "answer.hpp"
#include "audit_resource.hpp"
#include "backlog_resource.hpp"
#include "content_resource.hpp"
#include "daemon_orders.hpp"
#include "item_decisions.hpp"
#include "item_resource.hpp"
#include "lihandover/admin/admin.hpp"
#include "lihandover/http/server.hpp"
#include "status_resource.hpp"
#include "warrant_resource.hpp"
#include "warrant_set_resource.hpp"

namespace lihandover::admin {

/// The JSON API on the control socket (docs/control-api.md): which resource answers what. One object, on the server's
/// thread.
class ControlApi final : public http::Handler {
  public:
    /// `worker` runs what blocks, one task at a time.
    ControlApi(const Parts& parts, const boost::asio::any_io_executor& worker,
               const std::function<Readiness()>& readiness);

    boost::asio::awaitable<void> handle(http::Exchange& exchange) override;

  private:
    struct OrderPath;
    static const std::array<OrderPath, 16> orders;

    boost::asio::awaitable<Answer> answer(http::Exchange& exchange) const;
    boost::asio::awaitable<Answer> read(const http::Exchange& exchange) const;
    boost::asio::awaitable<Answer> order(http::Exchange& exchange) const;

    StatusResource status_;
    WarrantResource warrants_;
    ItemResource items_;
    AuditResource audit_;
    BacklogResource backlog_;
    ItemDecisions decisions_;
    DaemonOrders orders_;
    ContentResource content_;
    WarrantSetResource warrant_sets_;
};

}  // namespace lihandover::admin
