#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <string_view>

#include "lihandover/admin/admin.hpp"
#include "lihandover/http/server.hpp"

namespace lihandover::admin {

/// The name of a readiness, which is the whole body of /readyz.
[[nodiscard]] std::string_view word_of(Readiness readiness);

/// GET /metrics, /healthz, /readyz.
class HealthEndpoint final : public http::Handler {
  public:
    /// Both functions are called on the server's thread; `before_scrape` before each rendering on the worker.
    HealthEndpoint(metrics::Metrics& metrics, boost::asio::any_io_executor worker, std::function<Readiness()> readiness,
                   std::function<void()> before_scrape)
        : metrics_(metrics),
          worker_(std::move(worker)),
          readiness_(std::move(readiness)),
          before_scrape_(std::move(before_scrape)) {}

    boost::asio::awaitable<void> handle(http::Exchange& exchange) override;

  private:
    metrics::Metrics& metrics_;
    boost::asio::any_io_executor worker_;
    std::function<Readiness()> readiness_;
    std::function<void()> before_scrape_;
};

}  // namespace lihandover::admin
