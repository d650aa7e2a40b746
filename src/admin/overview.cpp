#include "overview.hpp"

#include <algorithm>

#include "words.hpp"

namespace lihandover::admin {

namespace {

std::optional<model::Instant> earlier(std::optional<model::Instant> one, std::optional<model::Instant> other) {
    return one && other ? std::min(*one, *other) : one ? one : other;
}

void add_review_alarm(std::vector<std::string>& alarms, const Parts& parts, const Status& status) {
    if (!status.review_alarm) {
        return;
    }
    const auto held = parts.items.held_before(before(parts.clock.wall(), *status.review_alarm));
    if (!held || held->items == 0) {
        return;
    }
    alarms.push_back(std::to_string(held->items) + " item(s) are held for review for longer than review_alarm" +
                     (held->emergencies == 0 ? "" : ", " + std::to_string(held->emergencies) + " of them emergencies") +
                     ", the first since " + model::to_qualified_date_time(*held->oldest) +
                     ": `lihandoverctl items --state held`");
}

void add_sealing_alarms(std::vector<std::string>& alarms, const store::SealingStatus& sealing) {
    if (sealing.unreadable != 0) {
        alarms.emplace_back(
            std::to_string(sealing.unreadable) +
            " time(s) a record of the store was not what was sealed, and was passed over: somebody changed it, or "
            "the disk; see the log");
    }
    if (sealing.on && !sealing.working && sealing.key != sealing.newest) {
        alarms.emplace_back("the store is sealed under the master key " + sealing.key +
                            ", and the first of encryption.key_files "
                            "is " +
                            sealing.newest + ": `lihandoverctl rekey`");
    }
    if (sealing.remains && !sealing.working) {
        alarms.emplace_back(
            "pages of store.db that are not in use may still hold what was there before encryption was turned "
            "on; the log says how to remove it");
    }
}

}  // namespace

std::string_view Told::state() const {
    if (status == nullptr) {
        return "running";
    }
    const bool backing_off = status->last_failure.has_value() && status->next_attempt.has_value();
    return status->paused ? "paused" : backing_off ? "backing_off" : "running";
}

std::map<std::string_view, Told> destinations_of(store::OperatorView& items, const Status& status,
                                                 const store::Statistics& statistics) {
    std::map<std::string_view, Told> destinations;
    for (const auto& count : statistics.counts) {
        destinations[count.destination].count = count;
    }
    for (const auto& destination : status.destinations) {
        Told& told = destinations[destination.name];
        told.status = &destination;
        told.count.destination = destination.name;
    }
    // The status matters most when the store cannot be read, so what is read here may stay unknown.
    if (const auto listed = items.items(store::ItemState::set_aside, {}, max_page)) {
        for (const store::ItemView& item : *listed) {
            const auto told = destinations.find(item.destination);
            if (told != destinations.end() && told->second.set_aside.size() < named_items) {
                told->second.set_aside.push_back(item.object_id);
            }
        }
    }
    if (std::ranges::any_of(statistics.counts, [](const store::Count& count) { return count.queued != 0; })) {
        if (const auto oldest = items.oldest()) {
            for (const auto& [name, since] : *oldest) {
                const auto told = destinations.find(name);
                if (told != destinations.end() && told->second.count.queued != 0) {
                    told->second.oldest_emergency = since.emergency;
                    told->second.oldest = earlier(since.emergency, since.routine);
                }
            }
        }
    }
    return destinations;
}

std::vector<std::string> alarms_of(const Parts& parts, const Status& status, const store::SealingStatus& sealing) {
    std::vector<std::string> alarms = status.alarms;
    add_review_alarm(alarms, parts, status);
    add_sealing_alarms(alarms, sealing);
    return alarms;
}

}  // namespace lihandover::admin
