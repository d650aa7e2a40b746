#include "warrant_keeper.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "lihandover/warrants/index.hpp"
#include "lihandover/warrants/terms.hpp"
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

using Pair = std::pair<std::string, std::string>;  // destination, LIID

store::StoredWarrant stored(const warrants::InForce& entry, std::string terms) {
    return {entry.file,   entry.warrant->destination, entry.warrant->liid, warrants::bytes_of(entry), std::move(terms),
            entry.missing};
}

std::string terms_of(const warrants::Changed& change) {
    if (change.only_moved()) {
        return "the same terms, before in " + change.before.file;
    }
    return "before " + warrants::terms_of(*change.before.warrant) + " now " + warrants::terms_of(*change.now.warrant);
}

store::WarrantChanges changes_of(const warrants::Reload& reload, const std::string& who) {
    store::WarrantChanges changes;
    changes.who = who;
    for (const warrants::InForce& entry : reload.added) {
        changes.in_force.push_back(stored(entry, warrants::terms_of(*entry.warrant)));
    }
    for (const warrants::Changed& change : reload.changed) {
        changes.changed.push_back(stored(change.now, terms_of(change)));
    }
    for (const warrants::Ended& entry : reload.ended) {
        const warrants::Warrant& warrant = *entry.last.warrant;
        changes.ended.push_back({entry.last.file,
                                 warrant.destination,
                                 warrant.liid,
                                 {},
                                 entry.before_end ? "the file went before the warrant's end" : ""});
    }
    for (const warrants::Unreadable& entry : reload.given_up) {
        changes.ended.push_back(
            {entry.file, entry.destination, entry.liid, {}, "its stored version could not be read"});
    }
    for (const warrants::InForce& entry : reload.marked) {
        const warrants::Warrant& warrant = *entry.warrant;
        changes.marked.push_back({entry.file, warrant.destination, warrant.liid, {}, {}, entry.missing});
    }
    return changes;
}

std::string_view reason_of(warrants::Withheld withheld) {
    switch (withheld) {
        case warrants::Withheld::nothing:
            return "their files were gone before";
        case warrants::Withheld::directory_unreadable:
            return "warrants_dir cannot be read";
        case warrants::Withheld::directory_empty:
            return "warrants_dir holds no good warrant file any more";
        case warrants::Withheld::too_many:
            return "more than half of all files are gone at once";
    }
    return {};
}

void log_ends(const warrants::Reload& reload) {
    for (const warrants::Ended& entry : reload.ended) {
        if (entry.before_end) {
            spdlog::warn("{}: its warrant ends before its time, since the file went or names another", entry.last.file);
        }
    }
    if (reload.unconfirmed != 0) {
        spdlog::error(
            "{} warrant(s) stay in force without their files: {}; put the files back, or end them with "
            "`lihandoverctl reload --confirm-ended`",
            reload.unconfirmed, reason_of(reload.withheld));
    }
    for (const config::Problem& problem : reload.passed_over) {
        spdlog::warn("{}", config::log_text(problem));
    }
}

/// Warrants in force without a destination: no reason to end them silently, but nothing can be delivered.
std::optional<model::Error> destination_missing(const Assembly& assembly, const warrants::Reload& reload) {
    for (const warrants::InForce& entry : reload.in_force) {
        if (assembly.profiles.contains(entry.warrant->destination)) {
            continue;
        }
        return model::Error{
            entry.file + (entry.missing ? ": the file is gone, and its warrant in force names a destination that the "
                                          "configuration no longer has; put the destination back, or confirm its end "
                                          "with `lihandoverctl reload --confirm-ended`"
                                        : ": its last good version is in force and names a destination that the "
                                          "configuration no longer has; put the destination back, or remove the file "
                                          "to end the warrant")};
    }
    return std::nullopt;
}

}  // namespace

WarrantKeeper::WarrantKeeper(store::Register& kept, std::string directory, const model::Clock& clock)
    : register_(kept), clock_(clock), loader_(std::move(directory)) {}

model::Status WarrantKeeper::restore() {
    auto kept = register_.warrants();
    if (!kept) {
        return kept.error();
    }
    std::vector<warrants::Remembered> remembered;
    remembered.reserve(kept->size());
    for (store::StoredWarrant& entry : *kept) {
        remembered.push_back({std::move(entry.file), std::move(entry.bytes), std::move(entry.destination),
                              std::move(entry.liid), entry.missing});
    }
    return loader_.restore(remembered);
}

model::Result<std::shared_ptr<const intake::Snapshot>> WarrantKeeper::make_snapshot(const Assembly& assembly,
                                                                                    const warrants::Reload& reload) {
    const config::Configuration& configuration = assembly.configuration;
    std::map<std::string, store::ProfileId> profiles;
    for (const auto& [name, profile] : assembly.profiles) {
        const auto id = register_.profile(profile);
        if (!id) {
            return id.error();
        }
        profiles.emplace(name, *id);
    }
    std::vector<warrants::WarrantPtr> warrants;
    warrants.reserve(reload.in_force.size());
    for (const warrants::InForce& entry : reload.in_force) {
        warrants.push_back(entry.warrant);
        warrants.insert(warrants.end(), entry.earlier.begin(), entry.earlier.end());
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
    const auto lanes = register_.lanes(pairs);
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
                        .attachment_grace = configuration.intake.attachment_grace,
                        .answer_interval = configuration.intake.answer_interval,
                        .answer_timeout = configuration.intake.answer_timeout};
    return snapshot;
}

model::Result<WarrantsLoaded> WarrantKeeper::load(const Assembly& assembly, const std::string& who,
                                                  bool confirm_ended) {
    const config::Configuration& configuration = assembly.configuration;
    loader_.keep_cache_in(configuration.state_dir + "/warrants.cache");
    warrants::Reload reload =
        loader_.reload(warrant_destinations(configuration),
                       {.now = clock_.trusted(),
                        .late_events = std::chrono::duration_cast<std::chrono::seconds>(configuration.late_events),
                        .confirm_ended = confirm_ended});
    if (const auto missing = destination_missing(assembly, reload)) {
        return *missing;
    }
    auto snapshot = make_snapshot(assembly, reload);
    if (!snapshot) {
        return snapshot.error();
    }
    const store::WarrantChanges changes = changes_of(reload, who);
    if (!changes.in_force.empty() || !changes.changed.empty() || !changes.ended.empty() || !changes.marked.empty()) {
        const model::Status committed = register_.change_warrants(changes);
        if (!committed) {
            return committed.error();
        }
    }
    log_ends(reload);
    WarrantsLoaded loaded;
    loaded.snapshot = std::move(*snapshot);
    loaded.added = reload.added.size();
    loaded.changed = reload.changed.size();
    loaded.ended = changes.ended.size();
    loaded.withdrawn = static_cast<std::size_t>(std::ranges::count_if(reload.ended, &warrants::Ended::before_end));
    loaded.withheld = reload.withheld;
    loaded.unconfirmed = reload.unconfirmed;
    loaded.problems = std::move(reload.problems);
    loaded.bad_files = reload.bad_files;
    loaded.in_force = loader_.accept(std::move(reload.in_force));
    return loaded;
}

}  // namespace lihandover::app
