#pragma once

#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <string_view>

#include "lihandover/admin/admin.hpp"
#include "lihandover/http/server.hpp"

namespace lihandover::admin {

using WorkerStrand = boost::asio::strand<boost::asio::thread_pool::executor_type>;

/// The word of a readiness, the whole body of /readyz.
[[nodiscard]] std::string_view word_of(Readiness readiness);

/// GET /metrics, /healthz, /readyz.
class MachineDoor final : public http::Handler {
  public:
    /// Both functions are called on the server's thread; `before_scrape` before each rendering on the worker.
    MachineDoor(metrics::Metrics& metrics, WorkerStrand worker, std::function<Readiness()> readiness,
                std::function<void()> before_scrape)
        : metrics_(metrics),
          worker_(std::move(worker)),
          readiness_(std::move(readiness)),
          before_scrape_(std::move(before_scrape)) {}

    boost::asio::awaitable<void> handle(http::Exchange& exchange) override;

  private:
    metrics::Metrics& metrics_;
    WorkerStrand worker_;
    std::function<Readiness()> readiness_;
    std::function<void()> before_scrape_;
};

}  // namespace lihandover::admin
