#include "repeats.hpp"

#include <algorithm>
#include <string>

namespace lihandover::store::sqlite {

namespace {

std::int64_t period_of(std::int64_t seconds) {
    const std::int64_t quotient = seconds / Repeats::period;
    return seconds % Repeats::period < 0 ? quotient - 1 : quotient;
}

}  // namespace

std::int64_t Repeats::period_cutoff(model::Instant now) const {
    return period_of(now.seconds - memory_ - clock_slack);
}

void Repeats::open(Connection& connection) {
    connection_ = &connection;
    insert_ = connection.prepare("INSERT OR IGNORE INTO repeats(event_micros, hash, digest) VALUES(?, ?, ?)");
    insert_late_ = connection.prepare("INSERT OR IGNORE INTO late_repeats(period, hash, digest) VALUES(?, ?, ?)");
    select_ = connection.prepare("SELECT digest FROM repeats WHERE event_micros=? AND hash=?");
    select_late_ = connection.prepare("SELECT digest FROM late_repeats WHERE period=? AND hash=?");
    first_event_ = connection.prepare("SELECT event_micros FROM repeats ORDER BY event_micros LIMIT 1");
    first_period_ = connection.prepare("SELECT period FROM late_repeats ORDER BY period LIMIT 1");
    last_period_ = connection.prepare("SELECT period FROM late_repeats ORDER BY period DESC LIMIT 1");
    next_period_ = connection.prepare("SELECT period FROM late_repeats WHERE period > ? ORDER BY period LIMIT 1");
    event_edge_ = connection.prepare(
        "SELECT event_micros, hash FROM repeats WHERE event_micros < ? ORDER BY event_micros, hash LIMIT 1 OFFSET ?");
    period_edge_ = connection.prepare(
        "SELECT period, hash FROM late_repeats WHERE period < ? ORDER BY period, hash LIMIT 1 OFFSET ?");
    delete_events_ = connection.prepare("DELETE FROM repeats WHERE (event_micros, hash) < (?, ?)");
    delete_periods_ = connection.prepare("DELETE FROM late_repeats WHERE (period, hash) < (?, ?)");
    learn_oldest();
}

void Repeats::close() {
    for (Statement* statement :
         {&insert_, &insert_late_, &select_, &select_late_, &first_event_, &first_period_, &last_period_, &next_period_,
          &event_edge_, &period_edge_, &delete_events_, &delete_periods_}) {
        *statement = Statement();
    }
    connection_ = nullptr;
}

void Repeats::learn_oldest() {
    constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max();
    Rows events(first_event_);
    oldest_event_ = events.next() ? events->integer(0) : none;
    Rows periods(first_period_);
    oldest_period_ = periods.next() ? periods->integer(0) : none;
    Rows latest(last_period_);
    newest_period_ = latest.next() ? latest->integer(0) : std::numeric_limits<std::int64_t>::min();
}

Repeats::Found Repeats::remember(const NewItem& item, model::Instant now) {
    const Found found = remember(item, item.repeat_hash, now);
    if (found != Found::other) {
        return found;
    }
    // The id was another event's. This one is remembered beside it, under a key of its own.
    Hash128 key = item.repeat_hash;
    for (std::size_t i = 0; i < sizeof *item.event_digest; ++i) {
        key[i] ^= static_cast<std::uint8_t>(*item.event_digest >> (8 * i));
    }
    return remember(item, key, now) == Found::repeat ? Found::repeat : Found::other;
}

Repeats::Found Repeats::remember(const NewItem& item, const Hash128& key, model::Instant now) {
    const std::span<const std::uint8_t> hash(key);
    const bool fresh = item.event_seconds.has_value() && *item.event_seconds >= now.seconds - fresh_window;
    const bool was_ahead = newest_period_ > period_of(now.seconds + clock_slack);
    const bool surely_fresh = fresh && !was_ahead && *item.event_seconds >= now.seconds - fresh_window + clock_slack;
    const std::int64_t event =
        item.event_seconds.has_value() ? *item.event_seconds * 1'000'000 + item.event_nanos / 1000 : 0;

    if (!surely_fresh) {
        if (item.event_seconds.has_value()) {
            if (const auto found = look(select_, event, hash, item); found != Found::unknown) {
                return found;
            }
        }
        if (const auto found = look_at_periods(item, hash, now); found != Found::unknown) {
            return found;
        }
    }
    const auto insert = [&](Statement& statement, std::int64_t at) {
        statement.bind(1, at).bind(2, hash);
        if (item.event_digest) {
            statement.bind(3, static_cast<std::int64_t>(*item.event_digest));
        } else {
            statement.bind_null(3);
        }
        statement.run();
    };
    // An event that is old by a clock that runs ahead is fresh again, and looked for under its own time alone, once the
    // clock is set right: so that time gets an entry, too, as long as it is one of those kept.
    if (fresh || (item.event_seconds.has_value() && event >= event_cutoff(now))) {
        insert(insert_, event);
        // One that is surely fresh was not looked for: most are new.
        if (surely_fresh && connection_->changes() == 0) {
            return look(select_, event, hash, item);
        }
        oldest_event_ = std::min(oldest_event_, event);
    }
    if (!fresh) {
        const std::int64_t received = period_of(now.seconds);
        insert(insert_late_, received);
        oldest_period_ = std::min(oldest_period_, received);
        newest_period_ = std::max(newest_period_, received);
    }
    return Found::unknown;
}

Repeats::Found Repeats::look_at_periods(const NewItem& item, std::span<const std::uint8_t> hash, model::Instant now) {
    const std::int64_t present = period_of(now.seconds + clock_slack);
    // None is older than the oldest that is there.
    for (std::int64_t at = std::max(period_cutoff(now), oldest_period_); at <= present; ++at) {
        if (const auto found = look(select_late_, at, hash, item); found != Found::unknown) {
            return found;
        }
    }
    // Later ones are there when the clock was ahead for a while: few, and maybe far away.
    for (std::int64_t at = present; at < newest_period_;) {
        {
            next_period_.bind(1, at);
            Rows rows(next_period_);
            if (!rows.next()) {
                break;
            }
            at = rows->integer(0);
        }
        if (const auto found = look(select_late_, at, hash, item); found != Found::unknown) {
            return found;
        }
    }
    return Found::unknown;
}

Repeats::Found Repeats::look(Statement& select, std::int64_t at, std::span<const std::uint8_t> hash,
                             const NewItem& item) {
    select.bind(1, at).bind(2, hash);
    Rows rows(select);
    if (!rows.next()) {
        return Found::unknown;
    }
    const bool other =
        item.event_digest && !rows->is_null(0) && rows->integer(0) != static_cast<std::int64_t>(*item.event_digest);
    return other ? Found::other : Found::repeat;
}

void Repeats::prune(model::Instant now, std::int64_t limit) {
    const auto prune_table = [limit](Statement& edge, Statement& erase, std::int64_t cutoff) {
        // Up to the first that stays: the one at the limit, or the first at the cutoff (an empty hash is below any).
        std::int64_t key = cutoff;
        std::string hash;
        {
            edge.bind(1, cutoff).bind(2, limit);
            Rows rows(edge);
            if (rows.next()) {
                key = rows->integer(0);
                hash = rows->bytes(1);
            }
        }
        erase.bind(1, key).bind_blob(2, hash).run();
    };
    if (oldest_event_ < event_cutoff(now)) {
        prune_table(event_edge_, delete_events_, event_cutoff(now));
    }
    if (oldest_period_ < period_cutoff(now)) {
        prune_table(period_edge_, delete_periods_, period_cutoff(now));
    }
    learn_oldest();
}

}  // namespace lihandover::store::sqlite
