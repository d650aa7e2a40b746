#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "client_gate.hpp"
#include "in_force.hpp"
#include "lihandover/admin/admin.hpp"
#include "lihandover/delivery/delivery.hpp"
#include "lihandover/http/server.hpp"
#include "lihandover/intake/http/body_budget.hpp"
#include "lihandover/intake/http/events_handler.hpp"
#include "lihandover/intake/pipeline/file_copier.hpp"
#include "lihandover/intake/pipeline/snapshot.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/trusted_clock.hpp"
#include "lihandover/objectserver/objectserver.hpp"
#include "lihandover/store/store.hpp"
#include "stop_list.hpp"
#include "warrant_keeper.hpp"
#include "x2x3_listeners.hpp"

namespace lihandover::app {

/// One intake listener with its handlers. Used on the intake thread.
struct IntakeListener {
    std::string name;
    std::unique_ptr<intake::BodyBudget> bodies;
    std::unique_ptr<intake::EventsHandler> events;
    std::unique_ptr<ClientGate> gate;
    std::unique_ptr<http::Server> server;
};

/// The daemon's parts and threads. Members are declared in the order in which they are made, so that they are destroyed
/// in reverse: whatever is used outlives its users.
struct Parts {
    explicit Parts(model::TrustedClock& time) : clock(time) {}
    Parts(const Parts&) = delete;
    Parts& operator=(const Parts&) = delete;
    /// Called when everything started has been stopped (`stops`).
    ~Parts();
    /// Other daemons see by it which set of warrants is in force here.
    void tell_followed(const WarrantsLoaded& loaded) const;

    model::TrustedClock& clock;
    metrics::Metrics metrics;
    std::unique_ptr<store::Store> store;
    std::unique_ptr<WarrantKeeper> keeper;
    std::unique_ptr<intake::CurrentSnapshot> snapshot;
    CurrentInForce in_force;

    /// For what blocks. One thread more than the long tasks (a reload, a validation, something that people ask, the end
    /// of what a revocation holds) that may run at a time: neither /metrics nor X2/X3 waits for those.
    boost::asio::thread_pool workers{5};
    /// For delivery and the object server, which share a thread.
    boost::asio::io_context delivery_io{1};
    /// For intake and admin: the main thread.
    boost::asio::io_context intake_io{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> delivery_work{delivery_io.get_executor()};
    std::unique_ptr<delivery::Delivery> delivery;
    std::unique_ptr<objectserver::ObjectServer> object_server;  ///< null without Model A; on the delivery thread
    std::unique_ptr<intake::FileCopier> copier;                 ///< null without intake.attachment_root
    std::unique_ptr<admin::Admin> admin;
    std::vector<IntakeListener> listeners;
    std::size_t connections_each = 0;  ///< of one listener, as far as there are descriptors
    std::unique_ptr<X2x3Listeners> x2x3;
    std::shared_ptr<X2x3Listeners::Prepared> x2x3_at_start;  ///< until intake starts
    std::thread delivery_thread;
    /// The store has been stopped: what was answered is on disk, and nothing more comes.
    std::atomic<bool> store_closed = false;

    StopList stops;
};

// Wiring: each step makes parts, connects them, and adds to `stops` how they stop. All on the main thread. Error texts
// are for the log.

[[nodiscard]] model::Status open_store(Parts& parts, const Assembly& assembly);
/// What checkpoints of the audit entries are made from now on.
[[nodiscard]] store::AuditLog::Settings audit_settings(const Assembly& assembly);
/// Makes what sends, serves and answers, and binds its addresses; nothing runs yet.
[[nodiscard]] model::Status create_parts(Parts& parts, const Assembly& assembly, admin::Control& control);
/// Starts admin's interfaces, then delivery and the object server on their thread. `started` is called on the intake
/// thread when they run, or with what went wrong.
void start_handing_over(Parts& parts, std::function<void(model::Status)> started);
/// Opens the doors for events, the last step.
void start_intake(Parts& parts);

}  // namespace lihandover::app
