#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "lihandover/admin/control.hpp"
#include "lihandover/config/configuration.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/store/audit_log.hpp"
#include "lihandover/store/intake.hpp"
#include "lihandover/store/objects.hpp"
#include "lihandover/store/operator_view.hpp"
#include "lihandover/store/register.hpp"
#include "lihandover/store/sealing.hpp"
#include "lihandover/tls/context.hpp"

namespace lihandover::admin {

/// Whether the daemon takes events, and if not, why: the body of /readyz.
enum class Readiness : std::uint8_t {
    ready,     ///< 200 `ready`
    starting,  ///< 503 `starting`
    store,     ///< 503 `store`: full, at its limit or failing (promise 11)
    stopping,  ///< 503 `stopping`
    warrants,  ///< 503 `warrants`: another set of warrants is in force than the newest that was applied
};

/// What Admin works with. All of it outlives the Admin.
struct Parts {
    Control& control;
    store::OperatorView& items;
    store::AuditLog& audit;
    store::Sealing& sealing;
    const store::Register& profiles;  ///< what documents are written with
    /// Asked whether it accepts, for /readyz.
    const store::ItemIntake& intake;
    metrics::Metrics& metrics;
    const model::Clock& clock;
    /// A thread pool's: runs what blocks (reading the store, the user names of peers, writing out long answers), one
    /// task at a time of what people ask, and beside it one of /metrics.
    boost::asio::any_io_executor workers;
    const store::ObjectLookup& objects;  ///< opens the binary objects that reviewers look at
    /// Of the reviewers' page; null where the configuration has none.
    std::shared_ptr<const tls::ServerContext> console_tls{};
};

/// The operator's interfaces:
///
/// - the health endpoint, plain HTTP on a loopback address, for machines: GET /metrics, /healthz, /readyz. It reveals
///   no content, parties, LIIDs or words of an LEA.
/// - the control API, HTTP with JSON on a Unix socket, for lihandoverctl (docs/control-api.md). Whoever opens the
///   socket may see LIIDs and the LEAs' words. Decisions are recorded for the user that the kernel vouches for.
/// - the reviewers' page, HTML over mutual TLS, where `admin.console` is configured (docs/console.md). It is the same
///   decisions for people who are named by their certificates.
///
/// Lives on the one thread that runs `executor`'s io_context; every member is called there, or while that thread does
/// not run. Also feeds the metrics that are read at scrape: waiting items, their bytes and age, the store's size and
/// whether it accepts, readiness.
class Admin {
  public:
    /// Binds them. Nothing is answered before start().
    [[nodiscard]] static model::Result<std::unique_ptr<Admin>> listen(const boost::asio::any_io_executor& executor,
                                                                      const config::Admin& options, const Parts& parts);
    Admin(const Admin&) = delete;
    Admin& operator=(const Admin&) = delete;
    /// Closes at once. Only when stop() has completed, or while neither the thread nor the workers run.
    ~Admin();

    void start();
    /// Lets running requests finish within `grace`; completes when the last has. The metrics are let go then.
    [[nodiscard]] boost::asio::awaitable<void> stop(std::chrono::milliseconds grace);

    /// What the first door listens on, with the real port.
    [[nodiscard]] const std::string& metrics_address() const;
    [[nodiscard]] std::uint16_t metrics_port() const;
    /// `unix:/path`.
    [[nodiscard]] const std::string& control_address() const;
    /// Of the reviewers' page; empty where there is none.
    [[nodiscard]] std::string console_address() const;
    /// For connections to the reviewers' page from now on, where there is one; others are cut (http::Server::set_tls).
    void set_console_tls(std::shared_ptr<const tls::ServerContext> context);

    [[nodiscard]] Readiness readiness() const;

  private:
    class Impl;
    explicit Admin(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lihandover::admin
