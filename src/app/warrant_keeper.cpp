#include "warrant_keeper.hpp"

#include <chrono>
#include <set>
#include <utility>

#include "lihandover/warrants/index.hpp"
#include "lihandover/warrants/warrant.hpp"

namespace lihandover::app {

namespace {

store::SchemaContent schema_content(config::SchemaContent content) {
    switch (content) {
        case config::SchemaContent::never:
            return store::SchemaContent::never;
        case config::SchemaContent::first:
            return store::SchemaContent::first;
        case config::SchemaContent::always:
            return store::SchemaContent::always;
    }
    return store::SchemaContent::first;
}

store::StoredWarrant stored(const warrants::InForce& entry) {
    return {entry.file, entry.warrant->destination, entry.warrant->liid, warrants::encode(*entry.warrant)};
}

}  // namespace

WarrantKeeper::WarrantKeeper(store::Store& store, std::string directory)
    : store_(store), loader_(std::move(directory)) {}

model::Status WarrantKeeper::restore() {
    const auto kept = store_.warrants();
    if (!kept) {
        return kept.error();
    }
    std::vector<warrants::Remembered> remembered;
    remembered.reserve(kept->size());
    for (const store::StoredWarrant& entry : *kept) {
        Recorded recorded{entry.file, {}};
        const auto warrant = warrants::decode(entry.bytes);
        if (warrant) {
            recorded.digest = warrants::digest_of(*warrant);
        }
        recorded_.emplace(Pair{entry.destination, entry.liid}, std::move(recorded));
        remembered.push_back({entry.file, entry.bytes});
    }
    return loader_.restore(remembered);
}

store::WarrantChanges WarrantKeeper::changes_since_recorded(const warrants::Reload& reload) const {
    store::WarrantChanges changes;
    std::set<Pair> present;
    for (const warrants::InForce& entry : reload.in_force) {
        Pair pair{entry.warrant->destination, entry.warrant->liid};
        const auto known = recorded_.find(pair);
        if (known == recorded_.end()) {
            changes.in_force.push_back(stored(entry));
        } else if (known->second != Recorded{entry.file, entry.digest}) {
            changes.changed.push_back(stored(entry));
        }
        present.insert(std::move(pair));
    }
    for (const auto& [pair, recorded] : recorded_) {
        if (!present.contains(pair)) {
            changes.ended.push_back({recorded.file, pair.first, pair.second, {}});
        }
    }
    return changes;
}

void WarrantKeeper::remember(const store::WarrantChanges& changes, const warrants::Reload& reload) {
    for (const store::StoredWarrant& entry : changes.ended) {
        recorded_.erase({entry.destination, entry.liid});
    }
    for (const warrants::InForce& entry : reload.in_force) {
        recorded_.insert_or_assign(Pair{entry.warrant->destination, entry.warrant->liid},
                                   Recorded{entry.file, entry.digest});
    }
}

model::Result<std::shared_ptr<const intake::Snapshot>> WarrantKeeper::make_snapshot(const Assembly& assembly,
                                                                                    const warrants::Reload& reload) {
    const config::Configuration& configuration = assembly.configuration;
    std::map<std::string, store::ProfileId> profiles;
    for (const auto& [name, profile] : assembly.profiles) {
        const auto id = store_.profile(profile);
        if (!id) {
            return id.error();
        }
        profiles.emplace(name, *id);
    }
    std::vector<warrants::WarrantPtr> warrants;
    warrants.reserve(reload.in_force.size());
    for (const warrants::InForce& entry : reload.in_force) {
        warrants.push_back(entry.warrant);
    }
    auto snapshot = std::make_shared<intake::Snapshot>();
    const auto late_events = std::chrono::duration_cast<std::chrono::seconds>(configuration.late_events);
    auto index = std::make_shared<const warrants::Index>(std::move(warrants),
                                                         warrants::MatchRules{configuration.matching, late_events});
    for (const config::IntakeListener& listener : configuration.intake.http) {
        if (listener.numbers) {
            snapshot->numbers.emplace(listener.name, *listener.numbers);
        }
    }
    std::vector<Pair> pairs;
    pairs.reserve(index->warrants().size());
    for (const warrants::WarrantPtr& warrant : index->warrants()) {
        pairs.emplace_back(warrant->destination, warrant->liid);
    }
    const auto lanes = store_.lanes(pairs);
    if (!lanes) {
        return lanes.error();
    }
    snapshot->routes.reserve(pairs.size());
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        const auto binary = assembly.binary_routes.find(pairs[i].first);
        snapshot->routes.push_back({(*lanes)[i], profiles.at(pairs[i].first),
                                    schema_content(configuration.csp_schema.content),
                                    binary == assembly.binary_routes.end() ? nullptr : binary->second});
    }
    snapshot->index = std::move(index);
    snapshot->metadata_parameters = configuration.intake.metadata_parameters;
    snapshot->limits = {.max_event_size = configuration.intake.max_event_size,
                        .max_request_size = configuration.intake.max_request_size,
                        .max_future = configuration.intake.max_future,
                        .max_object_size = configuration.intake.max_object_size,
                        .object_wait = configuration.intake.object_wait,
                        .attachment_grace = configuration.intake.attachment_grace};
    return snapshot;
}

model::Result<WarrantsLoaded> WarrantKeeper::load(const Assembly& assembly, const std::string& who) {
    auto reload = loader_.reload(warrant_destinations(assembly.configuration));
    if (!reload) {
        return reload.error();
    }
    for (const warrants::InForce& entry : reload->in_force) {
        if (!assembly.profiles.contains(entry.warrant->destination)) {
            return model::Error{entry.file +
                                ": its last good version is in force and names a destination that the configuration no "
                                "longer has; put the destination back, or remove the file to end the warrant"};
        }
    }
    auto snapshot = make_snapshot(assembly, *reload);
    if (!snapshot) {
        return snapshot.error();
    }
    store::WarrantChanges changes = changes_since_recorded(*reload);
    changes.who = who;
    if (!changes.in_force.empty() || !changes.changed.empty() || !changes.ended.empty()) {
        const model::Status committed = store_.change_warrants(changes);
        if (!committed) {
            return committed.error();
        }
    }
    remember(changes, *reload);
    WarrantsLoaded loaded;
    loaded.snapshot = std::move(*snapshot);
    loaded.added = changes.in_force.size();
    loaded.changed = changes.changed.size();
    loaded.ended = changes.ended.size();
    loaded.problems = std::move(reload->problems);
    loaded.bad_files = reload->bad_files;
    loaded.in_force = std::make_shared<const admin::WarrantList>(std::move(reload->in_force));
    return loaded;
}

}  // namespace lihandover::app
