#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>

#include "lihandover/store/types.hpp"
#include "sqlite.hpp"

namespace lihandover::store::sqlite {

/// Remembers which items were made, so that an event told twice makes no second one.
///
/// An item whose event is younger than `fresh_window` is remembered under the event's own time, so that entries lie in
/// about the order they are made in and old ones go by range. An item whose event has no time, or an older one, is
/// remembered under the period it was received in; an event that was fresh at first and is old when it is told again is
/// therefore looked for in both places. One that was old when it was told first, but young enough to be kept under its
/// own time, is remembered under both: what is old by a clock that runs ahead is young once that is set right. As long
/// as there are periods to come in the table, which a clock that was ahead leaves there, everything is looked for in
/// them.
///
/// Used by the writer only, inside its transactions.
class Repeats {
  public:
    static constexpr std::int64_t fresh_window = std::int64_t{24} * 3600;
    /// What a clock set back may do to the order of two receptions.
    static constexpr std::int64_t clock_slack = std::int64_t{2} * 3600;
    /// Length of a period: short enough that not much more than repeat_memory is kept, long enough that few need a
    /// look.
    static constexpr std::int64_t period = std::int64_t{84} * 3600;
    explicit Repeats(std::chrono::seconds memory) : memory_(memory.count()) {}

    void open(Connection& connection);
    void close();

    enum class Found : std::uint8_t {
        unknown,  ///< it is new, and remembered from now on
        repeat,   ///< it was remembered already
        other,    ///< it is new, and its id was another event's: remembered beside that one
    };
    [[nodiscard]] Found remember(const NewItem& item, model::Instant now);

    [[nodiscard]] bool prune_due(model::Instant now) const {
        return oldest_event_ < event_cutoff(now) || oldest_period_ < period_cutoff(now);
    }
    /// Forgets at most about `limit` entries that are older than need be.
    void prune(model::Instant now, std::int64_t limit);

  private:
    [[nodiscard]] std::int64_t event_cutoff(model::Instant now) const {
        return (now.seconds - memory_ - fresh_window - clock_slack) * 1'000'000;
    }
    [[nodiscard]] std::int64_t period_cutoff(model::Instant now) const;
    void learn_oldest();
    [[nodiscard]] Found remember(const NewItem& item, const Hash128& key, model::Instant now);
    [[nodiscard]] Found look_at_periods(const NewItem& item, std::span<const std::uint8_t> hash, model::Instant now);
    [[nodiscard]] static Found look(Statement& select, std::int64_t at, std::span<const std::uint8_t> hash,
                                    const NewItem& item);

    std::int64_t memory_;
    /// Lower bounds of what the tables hold; a rollback may leave them too low, which costs a look.
    std::int64_t oldest_event_ = std::numeric_limits<std::int64_t>::max();
    std::int64_t oldest_period_ = std::numeric_limits<std::int64_t>::max();
    /// The last period that the table holds; too high after a rollback, which costs a look.
    std::int64_t newest_period_ = std::numeric_limits<std::int64_t>::min();

    Connection* connection_ = nullptr;
    Statement insert_;
    Statement insert_late_;
    Statement select_;
    Statement select_late_;
    Statement first_event_;
    Statement first_period_;
    Statement last_period_;
    Statement next_period_;
    Statement event_edge_;
    Statement period_edge_;
    Statement delete_events_;
    Statement delete_periods_;
};

}  // namespace lihandover::store::sqlite
