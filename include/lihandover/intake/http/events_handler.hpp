#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>

#include "lihandover/http/server.hpp"
#include "lihandover/intake/http/body_budget.hpp"
#include "lihandover/intake/pipeline/file_copier.hpp"
#include "lihandover/intake/pipeline/snapshot.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/store/intake.hpp"
#include "lihandover/store/object_intake.hpp"

namespace lihandover::intake {

/// What handlers work with; all of it outlives them.
struct Services {
    store::ItemIntake& items;
    store::ObjectIntake& objects;
    const CurrentSnapshot& snapshot;
    /// Of this source alone, so that no source keeps another waiting.
    BodyBudget& budget;
    const model::Clock& clock;
    /// Where blocking calls run: writing, hashing and syncing binary objects, examining named files. A thread pool that
    /// outlives the handlers' work.
    boost::asio::any_io_executor workers;
    /// Copies the files that events name; null if none can be named (intake.attachment_root is not set).
    FileCopier* copier = nullptr;
    /// There are other sources, and what this one uploads leaves room for theirs.
    bool shared = false;
};

/// Serves one source (one listener):
///   POST /v1/events         reads events, matches them, makes items durable and answers (docs/events.md)
///   PUT /v1/objects/{id}    takes a binary object that a later event of this source names (docs/events.md)
/// Its answers depend on the request, the limits and the health of the store, never on what was matched. Every answer
/// that follows the reading of events leaves with a commit (promises 1 and 7).
///
/// A request is answered within intake.answer_timeout of its last byte, with 503 if need be. Whatever a hanging disk or
/// store still does for it has no effect, or makes a repeat of it harmless.
///
/// One per listener, on the thread of its server. Throws only if memory is exhausted.
class EventsHandler final : public http::Handler {
  public:
    /// `source` is the listener's name, within which event ids are unique. `metrics` outlives the handler.
    EventsHandler(std::string source, const metrics::SourceMetrics& metrics, const Services& services);
    EventsHandler(const EventsHandler&) = delete;
    EventsHandler& operator=(const EventsHandler&) = delete;
    ~EventsHandler() override;

    [[nodiscard]] boost::asio::awaitable<void> handle(http::Exchange& exchange) override;

    /// Drops uploaded objects that no event named, and their timer. Called after the server has stopped: until then the
    /// timer may keep the thread's io_context from running out of work, as do requests that were answered before the
    /// store has finished with them.
    void stop();

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lihandover::intake
