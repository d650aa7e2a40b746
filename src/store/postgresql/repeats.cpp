#include "repeats.hpp"

#include <algorithm>
#include <utility>

#include "columns.hpp"

namespace lihandover::store::postgresql {

namespace {

constexpr std::int64_t fresh_window = std::int64_t{24} * 3600;
/// What a clock set back may do to the order of two receptions.
constexpr std::int64_t clock_slack = std::int64_t{2} * 3600;
constexpr std::int64_t period = std::int64_t{84} * 3600;

std::int64_t period_of(std::int64_t seconds) {
    const std::int64_t quotient = seconds / period;
    return seconds % period < 0 ? quotient - 1 : quotient;
}

std::int64_t event_of(const NewItem& item) {
    return item.event_seconds ? *item.event_seconds * 1'000'000 + item.event_nanos / 1000 : 0;
}

/// Of an event whose id was another event's: remembered beside that one, under a key of its own.
Hash128 beside(const NewItem& item) {
    Hash128 key = item.repeat_hash;
    for (std::size_t i = 0; i < sizeof *item.event_digest; ++i) {
        key[i] ^= static_cast<std::uint8_t>(*item.event_digest >> (8 * i));
    }
    return key;
}

std::string bytes_of(const Hash128& hash) {
    return std::string(text_of(std::span<const std::uint8_t>(hash)));
}

std::string place_of(bool late, std::int64_t at, std::string_view hash) {
    std::string place(1, late ? 'l' : 'e');
    place.append(reinterpret_cast<const char*>(&at), sizeof at);
    place += hash;
    return place;
}

}  // namespace

std::int64_t Repeats::event_cutoff(model::Instant now) const {
    return (now.seconds - memory_ - fresh_window - clock_slack) * 1'000'000;
}

std::int64_t Repeats::period_cutoff(model::Instant now) const {
    return period_of(now.seconds - memory_ - clock_slack);
}

void Repeats::open(Connection& connection) {
    clear();
    learn(connection);
}

void Repeats::learn(Connection& connection) {
    constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max();
    const Rows event = connection.read("SELECT min(event_micros) FROM repeats");
    oldest_event_ = event.optional_integer(0, 0).value_or(none);
    const Rows periods = connection.read("SELECT period FROM repeat_period ORDER BY period");
    periods_.clear();
    for (int row = 0; row < periods.size(); ++row) {
        periods_.push_back(periods.integer(row, 0));
    }
    oldest_period_ = periods_.empty() ? none : periods_.front();
}

bool Repeats::is_surely_fresh(const NewItem& item, model::Instant now) const {
    const bool was_ahead = !periods_.empty() && periods_.back() > period_of(now.seconds + clock_slack);
    return item.event_seconds && !was_ahead && *item.event_seconds >= now.seconds - fresh_window + clock_slack;
}

void Repeats::ask(Connection& connection, std::span<const NewItem* const> items, model::Instant now) {
    clear();
    Places events;
    std::vector<std::string> hashes;
    for (const NewItem* item : items) {
        std::vector<std::string> keys = {bytes_of(item->repeat_hash)};
        if (item->event_digest) {
            keys.push_back(bytes_of(beside(*item)));
        }
        for (std::string& key : keys) {
            if (item->event_seconds) {
                events.at.push_back(event_of(*item));
                events.hash.push_back(key);
            }
            if (!is_surely_fresh(*item, now)) {
                hashes.push_back(std::move(key));
            }
        }
    }
    wait_ = !events.at.empty();
    if (wait_) {
        asked_ = connection.ask(
            "SELECT r.event_micros, r.hash, r.digest FROM unnest($1::bigint[], $2::bytea[]) AS q(at, hash) JOIN "
            "repeats r ON r.event_micros=q.at AND r.hash=q.hash",
            Parameters().add(events.at).add(events.hash));
    }
    wait_late_ = !hashes.empty();
    if (wait_late_) {
        asked_late_ = connection.ask(
            "SELECT r.period, r.hash, r.digest FROM unnest($1::bytea[]) AS q(hash) CROSS JOIN repeat_period p JOIN "
            "late_repeats r ON r.period=p.period AND r.hash=q.hash WHERE p.period >= $2",
            Parameters().add(hashes).add(period_cutoff(now)));
    }
}

Repeats::Found Repeats::remember(Connection& connection, const NewItem& item, model::Instant now) {
    const auto keep = [&](Asked& asked, bool late) {
        const Rows rows = connection.answer(asked);
        for (int row = 0; row < rows.size(); ++row) {
            known_[place_of(late, rows.integer(row, 0), rows.bytes(row, 1))] = rows.optional_integer(row, 2);
            if (late) {
                know_period(rows.integer(row, 0));  // another daemon may have made it
            }
        }
    };
    if (std::exchange(wait_, false)) {
        keep(asked_, false);
    }
    if (std::exchange(wait_late_, false)) {
        keep(asked_late_, true);
    }
    const Found found = remember(item, item.repeat_hash, now);
    if (found != Found::other) {
        return found;
    }
    return remember(item, beside(item), now) == Found::repeat ? Found::repeat : Found::other;
}

Repeats::Found Repeats::remember(const NewItem& item, const Hash128& key, model::Instant now) {
    const bool fresh = item.event_seconds && *item.event_seconds >= now.seconds - fresh_window;
    const std::int64_t event = event_of(item);
    if (item.event_seconds) {
        if (const Found found = look(false, event, key, item); found != Found::unknown) {
            return found;
        }
    }
    if (!is_surely_fresh(item, now)) {
        const std::int64_t present = period_of(now.seconds);
        const auto look_at = [&](std::int64_t at) { return look(true, at, key, item); };
        for (const std::int64_t at : periods_) {
            if (const Found found = look_at(at); at != present && found != Found::unknown) {
                return found;
            }
        }
        if (const Found found = look_at(present); found != Found::unknown) {
            return found;
        }
    }
    // An event that is old by a clock that runs ahead is fresh again, and looked for under its own time alone, once the
    // clock is set right: so that time gets an entry, too, as long as it is one of those kept.
    if (fresh || (item.event_seconds && event >= event_cutoff(now))) {
        insert(false, event, key, item);
        oldest_event_ = std::min(oldest_event_, event);
    }
    if (!fresh) {
        insert(true, period_of(now.seconds), key, item);
    }
    return Found::unknown;
}

Repeats::Found Repeats::look(bool late, std::int64_t at, const Hash128& hash, const NewItem& item) const {
    const auto found = known_.find(place_of(late, at, bytes_of(hash)));
    if (found == known_.end()) {
        return Found::unknown;
    }
    const bool other =
        item.event_digest && found->second && *found->second != static_cast<std::int64_t>(*item.event_digest);
    return other ? Found::other : Found::repeat;
}

void Repeats::insert(bool late, std::int64_t at, const Hash128& hash, const NewItem& item) {
    Places& places = late ? late_ : fresh_;
    const auto digest = item.event_digest ? std::optional(static_cast<std::int64_t>(*item.event_digest)) : std::nullopt;
    places.at.push_back(at);
    places.hash.push_back(bytes_of(hash));
    places.digest.push_back(digest);
    known_[place_of(late, at, bytes_of(hash))] = digest;
    if (late) {
        know_period(at);
    }
}

void Repeats::know_period(std::int64_t period) {
    if (!std::ranges::binary_search(periods_, period)) {
        periods_.insert(std::ranges::upper_bound(periods_, period), period);
        oldest_period_ = periods_.front();
    }
}

void Repeats::flush(Connection& connection) {
    if (!fresh_.at.empty()) {
        connection.write(
            "INSERT INTO repeats(event_micros, hash, digest) SELECT * FROM unnest($1::bigint[], $2::bytea[], "
            "$3::bigint[])",
            Parameters().add(fresh_.at).add(fresh_.hash).add(fresh_.digest));
    }
    if (!late_.at.empty()) {
        std::vector<std::int64_t> periods = late_.at;
        std::ranges::sort(periods);
        const auto [first, last] = std::ranges::unique(periods);
        periods.erase(first, last);
        connection.write("INSERT INTO repeat_period SELECT unnest($1::bigint[]) ON CONFLICT DO NOTHING",
                         Parameters().add(periods));
        connection.write(
            "INSERT INTO late_repeats(period, hash, digest) SELECT * FROM unnest($1::bigint[], $2::bytea[], "
            "$3::bigint[])",
            Parameters().add(late_.at).add(late_.hash).add(late_.digest));
    }
    fresh_ = {};
    late_ = {};
}

void Repeats::clear() {
    wait_ = wait_late_ = false;
    known_.clear();
    fresh_ = {};
    late_ = {};
}

void Repeats::roll_back() {
    clear();
    oldest_event_ = std::numeric_limits<std::int64_t>::min();
}

void Repeats::prune(Connection& connection, model::Instant now, std::int64_t limit) {
    connection.write(
        "DELETE FROM repeats WHERE (event_micros, hash) IN (SELECT event_micros, hash FROM repeats WHERE event_micros "
        "< "
        "$1 ORDER BY event_micros, hash LIMIT $2)",
        Parameters().add(event_cutoff(now)).add(limit));
    connection.write(
        "DELETE FROM late_repeats WHERE (period, hash) IN (SELECT period, hash FROM late_repeats WHERE period < $1 "
        "ORDER BY period, hash LIMIT $2)",
        Parameters().add(period_cutoff(now)).add(limit));
    connection.write(
        "DELETE FROM repeat_period p WHERE period < $1 AND NOT EXISTS(SELECT 1 FROM late_repeats r WHERE "
        "r.period=p.period)",
        Parameters().add(period_cutoff(now)));
    learn(connection);
}

}  // namespace lihandover::store::postgresql
