#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "lihandover/intake/pipeline/fault.hpp"
#include "lihandover/model/event.hpp"
#include "lihandover/model/time.hpp"

namespace lihandover::intake {

/// Reads the JSON of one event (schemas/event.schema.json) into a model::Event, in one pass over the structural index
/// that simdjson makes (which also checks the UTF-8). Nothing is allocated for an event like those before it, and
/// strings without escapes are not copied.
///
/// Strings may contain lone surrogates, \u0000 and whatever else JSON can express: they become WTF-8. Unknown members,
/// repeated members, wrong types and everything beyond the bounds of event_members.hpp are faults. What is below a
/// nested parameter is carried as raw JSON; only its grammar is checked.
///
/// Not thread-safe; one per thread.
class EventParser {
  public:
    EventParser();
    EventParser(const EventParser&) = delete;
    EventParser& operator=(const EventParser&) = delete;
    ~EventParser();

    /// Replaces `out` by the event. Its texts view `json` and the parser: they are valid until the next parse() or
    /// let_go(), as long as `json` is. After a fault `out` is of no use. No byte beyond `json` is read.
    ///   latest   a later timestamp is refused (now and intake.max_future), whoever it concerns
    [[nodiscard]] std::optional<Fault> parse(std::string_view json, model::Instant latest, model::Event& out);

    /// Wipes what was decoded, and releases memory that only unusually large events needed.
    void let_go();

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace lihandover::intake
