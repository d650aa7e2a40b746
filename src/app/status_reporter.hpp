#pragma once

#include <string>
#include <vector>

#include "in_force.hpp"
#include "lihandover/admin/control.hpp"
#include "lihandover/delivery/delivery.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/store/store.hpp"
#include "x2x3_listeners.hpp"

namespace lihandover::app {

/// The daemon's status, for operators and for the metrics. Thread-safe, as is everything that it asks.
class StatusReporter {
  public:
    /// All of it outlives the reporter.
    StatusReporter(const model::Clock& clock, const CurrentInForce& in_force, const delivery::Delivery& delivery,
                   const store::OperatorView& items, const store::Store& store, const X2x3Listeners& x2x3,
                   metrics::Metrics& metrics);
    StatusReporter(const StatusReporter&) = delete;
    StatusReporter& operator=(const StatusReporter&) = delete;
    ~StatusReporter();

    /// Everything except version, stage and start.
    [[nodiscard]] admin::Status status() const;

  private:
    void add_destinations(admin::Status& status, const Assembly& assembly) const;
    void add_warrants(admin::Status& status, const InForce& now) const;
    void add_certificates(admin::Status& status, const InForce& now) const;
    void add_store(admin::Status& status) const;
    void add_sources(admin::Status& status) const;
    void scrape(metrics::Scrape& scrape) const;

    const model::Clock& clock_;
    const CurrentInForce& in_force_;
    const delivery::Delivery& delivery_;
    const store::OperatorView& items_;
    const store::Store& store_;
    const X2x3Listeners& x2x3_;
    metrics::Metrics& metrics_;
    std::uint64_t scraped_;
};

}  // namespace lihandover::app
