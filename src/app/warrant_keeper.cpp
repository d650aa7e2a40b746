#include "warrant_keeper.hpp"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "lihandover/base/hex.hpp"
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

/// Its file is there: an operator has revoked it at another daemon.
bool is_revoked(const warrants::Ended& entry, const warrants::Reload& reload) {
    const warrants::Warrant& ended = *entry.last.warrant;
    return std::ranges::any_of(reload.revoked, [&](const warrants::InForce& revoked) {
        return revoked.warrant->destination == ended.destination && revoked.warrant->liid == ended.liid;
    });
}

/// Why it ended before its time, for the record; empty if it did not.
std::string_view reason_of(const warrants::Ended& entry, const warrants::Reload& reload) {
    if (!entry.before_end) {
        return {};
    }
    if (is_revoked(entry, reload)) {
        return "it was revoked";
    }
    return entry.replaced ? "its file orders nothing of it any more, and what it orders now waits for approval"
                          : "the file went before the warrant's end";
}

/// Why a revocation no longer holds.
std::string reason_of(const warrants::Revocation& lifted, const warrants::Reload& reload) {
    const auto is_it = [&](const warrants::WarrantPtr& warrant) {
        return warrant->destination == lifted.destination && warrant->liid == lifted.liid;
    };
    const bool in_force = std::ranges::any_of(reload.in_force, is_it, &warrants::InForce::warrant);
    const bool pending = std::ranges::any_of(reload.pending, is_it, &warrants::Pending::warrant);
    return lifted.file +
           (in_force || pending ? ": the file begins it at another time: another warrant" : ": the file is gone");
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
        changes.ended.push_back(
            {entry.last.file, warrant.destination, warrant.liid, {}, std::string(reason_of(entry, reload))});
    }
    for (const warrants::Unreadable& entry : reload.given_up) {
        changes.ended.push_back(
            {entry.file, entry.destination, entry.liid, {}, "its stored version could not be read"});
    }
    for (const warrants::Revocation& entry : reload.lifted) {
        changes.lifted.push_back({entry.destination, entry.liid, reason_of(entry, reload)});
    }
    for (const warrants::InForce& entry : reload.marked) {
        const warrants::Warrant& warrant = *entry.warrant;
        changes.marked.push_back({entry.file, warrant.destination, warrant.liid, {}, {}, entry.missing});
    }
    return changes;
}

std::size_t approvals_needed(const config::Configuration& configuration) {
    switch (configuration.warrants.approval) {
        case config::Approval::none:
            return 0;
        case config::Approval::required:
            return 1;
        case config::Approval::dual:
            return 2;
    }
    return 2;
}

/// The system's own accounts are no people.
bool is_person(std::uint32_t uid) {
    constexpr std::uint32_t first = 1000;
    constexpr std::uint32_t nobody = 65'534;
    return uid >= first && uid != nobody;
}

/// In a list in order of destinations and LIIDs.
const store::StoredPendingWarrant* find_waiting(const std::vector<store::StoredPendingWarrant>& waiting,
                                                const warrants::Warrant& warrant) {
    const auto name = [](const auto& entry) { return std::tie(entry.destination, entry.liid); };
    const auto found = std::ranges::lower_bound(waiting, name(warrant), {}, name);
    return found != waiting.end() && name(*found) == name(warrant) ? &*found : nullptr;
}

/// What begins to wait for approval, and what waits no longer.
void add_pending(const warrants::Reload& reload, const std::vector<store::StoredPendingWarrant>& waiting,
                 store::WarrantChanges& changes) {
    std::set<Pair> still;
    for (const warrants::Pending& entry : reload.pending) {
        const warrants::Warrant& warrant = *entry.warrant;
        still.emplace(warrant.destination, warrant.liid);
        const auto digest = warrants::digest_of(warrant);
        const auto* const known = find_waiting(waiting, warrant);
        if (known != nullptr && known->digest == digest && known->file == entry.file) {
            continue;
        }
        store::StoredPendingWarrant& fresh = changes.pending.emplace_back();
        fresh.destination = warrant.destination;
        fresh.liid = warrant.liid;
        fresh.digest = digest;
        fresh.file = entry.file;
        fresh.terms = warrants::terms_of(warrant);
    }
    // Where a file cannot be read, or ends are withheld, what is not seen may wait still. What came into force does
    // not: its approvals are used up.
    std::set<Pair> came;
    for (const warrants::InForce& entry : reload.added) {
        came.emplace(entry.warrant->destination, entry.warrant->liid);
    }
    for (const warrants::Changed& entry : reload.changed) {
        came.emplace(entry.now.warrant->destination, entry.now.warrant->liid);
    }
    const bool in_doubt =
        reload.directory_unreadable || reload.bad_files != 0 || reload.withheld != warrants::Withheld::nothing;
    for (const store::StoredPendingWarrant& entry : waiting) {
        const Pair pair(entry.destination, entry.liid);
        if (!still.contains(pair) && (!in_doubt || came.contains(pair))) {
            changes.settled.emplace_back(entry.destination, entry.liid);
        }
    }
}

std::string_view reason_of(warrants::Withheld withheld) {
    switch (withheld) {
        case warrants::Withheld::nothing:
            return "their files were gone before";
        case warrants::Withheld::directory_unreadable:
            return "warrants_dir cannot be read, or no set of warrants was applied yet";
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
            spdlog::warn("{}: its warrant ends before its time, since {}", entry.last.file,
                         is_revoked(entry, reload) ? "it was revoked"
                         : entry.replaced          ? "the file orders nothing of it any more"
                                                   : "the file went or names another");
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

std::vector<warrants::Revocation> revocations_of(const admin::RevocationList& stored) {
    std::vector<warrants::Revocation> revocations;
    revocations.reserve(stored.size());
    for (const store::StoredRevocation& entry : stored) {
        revocations.push_back({entry.destination, entry.liid, entry.valid_from, entry.file});
    }
    return revocations;
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

WarrantKeeper::WarrantKeeper(store::Register& kept, const store::Sealing& sealing, WarrantSource source,
                             const model::Clock& clock)
    : register_(kept),
      sealing_(sealing),
      clock_(clock),
      loader_(source.sets == nullptr ? source.directory : "set of warrants"),
      directory_(std::move(source.directory)),
      sets_(source.sets) {
    if (sets_ != nullptr) {
        loader_.take_files(nullptr);
    }
}

model::Result<std::string> WarrantKeeper::restore() {
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
    auto revoked = register_.revocations();
    if (!revoked) {
        return revoked.error();
    }
    revocations_ = std::move(*revoked);
    auto waiting = register_.pending_warrants();
    if (!waiting) {
        return waiting.error();
    }
    waiting_ = std::move(*waiting);
    const model::Status read = loader_.restore(remembered, revocations_of(revocations_));
    return model::Result<std::string>(boost::system::in_place_value, read ? std::string() : read.error().message);
}

model::Result<std::shared_ptr<const intake::Snapshot>> WarrantKeeper::make_snapshot(
    const Assembly& assembly, const warrants::Reload& reload, const std::shared_ptr<const admin::WarrantSet>& set) {
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
        snapshot->review = snapshot->review || warrant->review != warrants::Review::none;
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
    if (set) {
        snapshot->warrants = set->state;
    }
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
    warrants::CacheCipher cipher;
    if (sealing_.status().on) {
        constexpr std::string_view name = "warrants.cache";
        cipher.seal = [this](std::string_view bytes) { return sealing_.seal(name, bytes); };
        cipher.unseal = [this](std::string_view bytes) { return sealing_.unseal(name, bytes); };
    }
    loader_.keep_cache_in(configuration.state_dir + "/warrants.cache", std::move(cipher));
    if (const model::Status taken = take_newest_set(); !taken) {
        return taken.error();
    }
    const std::set<warrants::Digest> approved = approved_ones(assembly);
    warrants::Reload reload =
        loader_.reload(warrant_destinations(configuration), occasion_of(assembly, approved, confirm_ended));
    if (const auto missing = destination_missing(assembly, reload)) {
        return *missing;
    }
    auto snapshot = make_snapshot(assembly, reload, set_);
    if (!snapshot) {
        return snapshot.error();
    }
    // Whoever has applied a set decided what comes of it, at whichever daemon.
    const std::string& by = who.empty() && set_ ? set_->who : who;
    if (const model::Status stored = store_changes(reload, by); !stored) {
        return stored.error();
    }
    log_ends(reload);
    WarrantsLoaded loaded;
    loaded.snapshot = std::move(*snapshot);
    loaded.added = reload.added.size();
    loaded.changed = reload.changed.size();
    loaded.ended = reload.ended.size() + reload.given_up.size();
    loaded.withdrawn = static_cast<std::size_t>(std::ranges::count_if(reload.ended, &warrants::Ended::before_end));
    loaded.withheld = reload.withheld;
    loaded.unconfirmed = reload.unconfirmed;
    loaded.problems = std::move(reload.problems);
    loaded.bad_files = reload.bad_files;
    pending_ = pending_of(reload);
    loaded.pending = pending_;
    accepted_set_ = set_;
    loaded.set = accepted_set_;
    loaded.in_force = loader_.accept(reload);
    loaded.revoked = std::make_shared<const admin::RevocationList>(revocations_);
    return loaded;
}

std::set<warrants::Digest> WarrantKeeper::approved_ones(const Assembly& assembly) const {
    const std::size_t needed = approvals_needed(assembly.configuration);
    std::set<warrants::Digest> approved = in_force_elsewhere_;
    for (const store::StoredPendingWarrant& entry : waiting_) {
        if (!entry.refused && entry.approvals.size() >= needed && approvals_of_others(entry) >= needed) {
            approved.insert(entry.digest);
        }
    }
    return approved;
}

/// `approved` outlives it.
warrants::Occasion WarrantKeeper::occasion_of(const Assembly& assembly, const std::set<warrants::Digest>& approved,
                                              bool confirm_ended) const {
    const config::Configuration& configuration = assembly.configuration;
    return {.now = clock_.trusted(),
            .late_events = std::chrono::duration_cast<std::chrono::seconds>(configuration.late_events),
            .confirm_ended = confirm_ended,
            .complete = files_ != nullptr,
            .approved = approvals_needed(configuration) == 0 ? nullptr : &approved};
}

model::Status WarrantKeeper::take_newest_set() {
    if (sets_ == nullptr) {
        return {};
    }
    const auto state = sets_->state();
    if (!state) {
        return state.error();
    }
    if (!set_ || set_->state != *state) {
        if (model::Status taken = take_files(); !taken) {
            return taken;
        }
    }
    return take_decisions();
}

model::Status WarrantKeeper::take_files() {
    auto set = sets_->read();
    if (!set) {
        return set.error();
    }
    const bool is_new = !set_ || set_->version != set->version;
    set_ = std::make_shared<const admin::WarrantSet>(set->state, set->version, set->at, set->who);
    if (is_new) {
        owners_.clear();
        auto files = std::make_shared<warrants::FileSet>();
        for (store::SetFile& file : set->files) {
            owners_[file.name] = file.uid;
            files->files.push_back({std::move(file.name), std::move(file.text)});
        }
        files_ = set_->version == 0 ? nullptr : std::move(files);
        loader_.take_files(files_);
    }
    return {};
}

/// Other daemons revoke and approve, too.
model::Status WarrantKeeper::take_decisions() {
    auto revoked = register_.revocations();
    if (!revoked) {
        return revoked.error();
    }
    auto waiting = register_.pending_warrants();
    if (!waiting) {
        return waiting.error();
    }
    // What another daemon has brought into force was approved; what approved it is used up.
    auto stored = register_.warrants();
    if (!stored) {
        return stored.error();
    }
    in_force_elsewhere_.clear();
    for (const store::StoredWarrant& entry : *stored) {
        if (const auto versions = warrants::decode_all(entry.bytes); versions && !versions->empty()) {
            in_force_elsewhere_.insert(warrants::digest_of(versions->front()));
        }
    }
    revocations_ = std::move(*revoked);
    loader_.take_revocations(revocations_of(revocations_));
    waiting_ = std::move(*waiting);
    return {};
}

model::Status WarrantKeeper::store_changes(const warrants::Reload& reload, const std::string& who) {
    store::WarrantChanges changes = changes_of(reload, who);
    add_pending(reload, waiting_, changes);
    if (changes.empty()) {
        return {};
    }
    if (model::Status committed = register_.change_warrants(changes); !committed) {
        return committed;
    }
    // From here on nothing may fail: it is on disk.
    std::set<Pair> lifted;
    for (const store::LiftedRevocation& entry : changes.lifted) {
        lifted.emplace(entry.destination, entry.liid);
    }
    std::erase_if(revocations_, [&](const store::StoredRevocation& entry) {
        return lifted.contains({entry.destination, entry.liid});
    });
    std::set<Pair> gone(changes.settled.begin(), changes.settled.end());
    for (store::StoredPendingWarrant& entry : changes.pending) {
        gone.emplace(entry.destination, entry.liid);
        entry.since = clock_.wall();
    }
    std::erase_if(waiting_, [&](const store::StoredPendingWarrant& entry) {
        return gone.contains({entry.destination, entry.liid});
    });
    std::ranges::move(changes.pending, std::back_inserter(waiting_));
    std::ranges::sort(waiting_, {}, [](const auto& entry) { return std::tie(entry.destination, entry.liid); });
    return {};
}

std::shared_ptr<const admin::PendingList> WarrantKeeper::pending_of(const warrants::Reload& reload) const {
    auto list = std::make_shared<admin::PendingList>();
    for (const warrants::Pending& entry : reload.pending) {
        if (const auto* const kept = find_waiting(waiting_, *entry.warrant)) {
            list->push_back({*kept, entry.warrant, entry.left});
        }
    }
    std::ranges::sort(*list, {}, [](const admin::PendingWarrant& entry) {
        return std::tie(entry.kept.destination, entry.kept.liid);
    });
    return list;
}

std::optional<std::uint32_t> WarrantKeeper::owner_of(const std::string& file) const {
    if (sets_ != nullptr) {
        const auto found = owners_.find(file);
        return found == owners_.end() ? std::nullopt : std::optional(found->second);
    }
    struct stat status {};
    const std::string path = directory_ + "/" + file;
    return ::stat(path.c_str(), &status) == 0 ? std::optional(status.st_uid) : std::nullopt;
}

/// Whoever owns the file now may have put it there since.
std::size_t WarrantKeeper::approvals_of_others(const store::StoredPendingWarrant& pending) const {
    const auto owner = owner_of(pending.file);
    if (!owner) {
        return 0;
    }
    return static_cast<std::size_t>(std::ranges::count_if(
        pending.approvals,
        [&](const store::StoredApproval& approval) { return !(is_person(*owner) && approval.uid == *owner); }));
}

/// As the store has done it.
void WarrantKeeper::note_decision(const admin::ApprovalRequest& request) {
    const auto kept = std::ranges::find_if(waiting_, [&](const store::StoredPendingWarrant& entry) {
        return entry.destination == request.destination && entry.liid == request.liid;
    });
    if (kept == waiting_.end()) {
        return;
    }
    kept->refused = !request.approve;
    kept->who = request.approve ? std::string() : request.who;
    kept->why = request.approve ? std::string() : request.reason;
    if (!request.approve) {
        kept->approvals.clear();
    } else if (std::ranges::find(kept->approvals, request.uid, &store::StoredApproval::uid) == kept->approvals.end()) {
        kept->approvals.push_back({request.uid, request.who, clock_.wall()});
    }
}

admin::ApprovalAnswer WarrantKeeper::decide(const Assembly& assembly, const admin::ApprovalRequest& request,
                                            std::optional<WarrantsLoaded>& loaded) {
    using Outcome = admin::ApprovalAnswer::Outcome;
    admin::ApprovalAnswer answer;
    answer.needed = approvals_needed(assembly.configuration);
    answer.outcome = Outcome::unknown;
    const auto find = [&](const admin::PendingList& list) {
        return std::ranges::find_if(list, [&](const admin::PendingWarrant& entry) {
            return entry.kept.destination == request.destination && entry.kept.liid == request.liid;
        });
    };
    const auto pending = find(*pending_);
    if (pending == pending_->end()) {
        return answer;
    }
    if (!request.digest.empty() && request.digest != base::to_hex(pending->kept.digest)) {
        return answer;
    }
    const auto owner = owner_of(pending->kept.file);
    if (!owner) {
        return answer;  // moved or gone: a reload says what waits now
    }
    if (request.approve && is_person(*owner) && *owner == request.uid) {
        answer.outcome = Outcome::own_file;
        return answer;
    }
    const auto counted = register_.decide_warrant({request.destination, request.liid, pending->kept.digest,
                                                   request.approve, request.uid, request.who, request.reason});
    if (!counted) {
        spdlog::error("a decision about a warrant that waits could not be stored: {}", counted.error().message);
        answer.outcome = Outcome::failed;
        return answer;
    }
    if (!*counted) {
        return answer;
    }
    note_decision(request);
    answer.approvals = **counted;
    answer.outcome = request.approve ? Outcome::counted : Outcome::refused;
    // What is enough comes into force as a reload would bring it; what is not is listed.
    auto now = load(assembly, request.who);
    if (!now) {
        spdlog::error("what was decided about a warrant is stored, and waits for the next reload: {}",
                      now.error().message);
        return answer;
    }
    const bool is_in_force = std::ranges::any_of(*now->in_force, [&](const warrants::InForce& entry) {
        return entry.warrant->destination == request.destination && entry.warrant->liid == request.liid;
    });
    if (request.approve && is_in_force && find(*now->pending) == now->pending->end()) {
        answer.outcome = Outcome::in_force;
    }
    loaded = std::move(*now);
    return answer;
}

namespace {

using Change = admin::WarrantSetAnswer::Change;
using Kind = admin::WarrantSetAnswer::Kind;

Change change_of(Kind kind, const std::string& file, const warrants::Warrant& warrant, const warrants::Warrant* before,
                 bool differs = true) {
    Change change{kind, warrant.destination, warrant.liid, file, {}};
    if (differs) {
        change.difference = warrants::difference_of(before, warrant);
    }
    return change;
}

std::vector<Change> changes_of_set(const warrants::Reload& reload) {
    std::vector<Change> changes;
    for (const warrants::InForce& entry : reload.added) {
        changes.push_back(change_of(Kind::added, entry.file, *entry.warrant, nullptr));
    }
    for (const warrants::Changed& entry : reload.changed) {
        changes.push_back(change_of(Kind::changed, entry.now.file, *entry.now.warrant, entry.before.warrant.get()));
        if (entry.only_moved()) {
            changes.back().difference = {"the same terms, before in " + entry.before.file};
        }
    }
    for (const warrants::Ended& entry : reload.ended) {
        changes.push_back(change_of(Kind::ended, entry.last.file, *entry.last.warrant, nullptr, false));
    }
    for (const warrants::Pending& entry : reload.pending) {
        changes.push_back(change_of(Kind::waits, entry.file, *entry.warrant, entry.before.get()));
    }
    return changes;
}

std::string count_of(std::size_t number, std::string_view what) {
    return std::to_string(number) + " " + std::string(what);
}

}  // namespace

admin::WarrantSetAnswer WarrantKeeper::compare(const Assembly& assembly, const admin::WarrantSetRequest& request) {
    using Outcome = admin::WarrantSetAnswer::Outcome;
    admin::WarrantSetAnswer answer;
    if (sets_ == nullptr) {
        answer.outcome = Outcome::elsewhere;
        return answer;
    }
    auto files = std::make_shared<warrants::FileSet>();
    for (const admin::WarrantSetRequest::File& file : request.files) {
        files->files.push_back({file.name, file.text});
    }
    const std::set<warrants::Digest> approved = approved_ones(assembly);
    warrants::Occasion occasion = occasion_of(assembly, approved, request.confirm_ended);
    occasion.complete = true;
    const warrants::Reload reload =
        loader_.preview(std::move(files), request.place, warrant_destinations(assembly.configuration), occasion);
    answer.version = accepted_set_->version;
    answer.changes = changes_of_set(reload);
    for (const config::Problem& problem : reload.problems) {
        answer.problems.push_back(config::check_text(problem));
    }
    const bool doubtful = reload.in_doubt != warrants::Withheld::nothing && !request.confirm_ended;
    answer.outcome = reload.bad_files != 0 ? Outcome::bad : doubtful ? Outcome::unconfirmed : Outcome::done;
    return answer;
}

admin::WarrantSetAnswer WarrantKeeper::apply(const Assembly& assembly, const admin::WarrantSetRequest& request) {
    using Outcome = admin::WarrantSetAnswer::Outcome;
    admin::WarrantSetAnswer answer = compare(assembly, request);
    if (answer.outcome != Outcome::done) {
        return answer;
    }
    store::NewSet set;
    set.before = accepted_set_->state;
    set.who = request.who;
    const auto count = [&](Kind kind) {
        return static_cast<std::size_t>(std::ranges::count(answer.changes, kind, &Change::kind));
    };
    set.why = count_of(request.files.size(), "files; ") + count_of(count(Kind::added), "come into force, ") +
              count_of(count(Kind::changed), "change, ") + count_of(count(Kind::ended), "end, ") +
              count_of(count(Kind::waits), "wait for approval") +
              (request.confirm_ended ? "; the ends were confirmed" : "");
    for (const admin::WarrantSetRequest::File& file : request.files) {
        // Whoever applies again what was there before has not written it.
        const warrants::FileSet::File* const before = files_ ? files_->find(file.name) : nullptr;
        const auto owner = owners_.find(file.name);
        const bool same = before != nullptr && before->text == file.text && owner != owners_.end();
        set.files.push_back({file.name, file.text, same ? owner->second : request.uid});
    }
    const auto applied = sets_->apply(std::move(set));
    if (!applied) {
        spdlog::error("a set of warrants could not be committed, and counts if it turns out to be there: {}",
                      applied.error().message);
        answer.outcome = Outcome::failed;
    } else if (!*applied) {
        answer.outcome = Outcome::outdated;
    } else {
        answer.version = **applied;
    }
    return answer;
}

model::Result<std::optional<WarrantsLoaded>> WarrantKeeper::revoke(const Assembly& assembly,
                                                                   const admin::RevokeRequest& request) {
    std::optional<warrants::Reload> reload = loader_.revoke(request.destination, request.liid);
    if (!reload) {
        return std::optional<WarrantsLoaded>();
    }
    auto snapshot = make_snapshot(assembly, *reload, accepted_set_);
    if (!snapshot) {
        return snapshot.error();
    }
    const warrants::InForce& last = reload->ended.front().last;
    store::WarrantChanges changes;
    const auto revocation = std::ranges::find_if(reload->revocations, [&](const warrants::Revocation& entry) {
        return entry.destination == request.destination && entry.liid == request.liid;
    });
    store::StoredRevocation& fresh = changes.revoked.emplace_back();
    fresh = {request.destination, request.liid,  revocation->valid_from, revocation->file, {},
             request.who,         request.reason};
    if (request.hold_queued) {
        // By the rule of the warrant; without one, somebody decides.
        fresh.hold = last.warrant->review == warrants::Review::dual ? store::Review::dual : store::Review::required;
    }
    // What was to replace it goes with it: a reload says whether the file orders anything more.
    const auto same = [&](const store::StoredPendingWarrant& entry) {
        return entry.destination == request.destination && entry.liid == request.liid;
    };
    if (std::ranges::any_of(waiting_, same)) {
        changes.settled.emplace_back(request.destination, request.liid);
    }
    if (const model::Status committed = register_.change_warrants(changes); !committed) {
        return committed.error();
    }
    WarrantsLoaded revoked = take_revoked(request, *reload, std::move(*snapshot));
    if (sets_ == nullptr) {
        return std::optional(std::move(revoked));
    }
    // It is a new state of the warrants, with whatever else is in it. Without that, what is matched here counts for
    // nothing until it can be followed.
    auto now = load(assembly, request.who);
    if (!now) {
        spdlog::error("the state of the warrants with a revocation cannot be read yet: {}", now.error().message);
    }
    return std::optional(now ? std::move(*now) : std::move(revoked));
}

WarrantsLoaded WarrantKeeper::take_revoked(const admin::RevokeRequest& request, warrants::Reload& reload,
                                           std::shared_ptr<const intake::Snapshot> snapshot) {
    spdlog::warn("{}: its warrant is revoked by an operator", reload.ended.front().last.file);
    if (auto revocations = register_.revocations()) {
        revocations_ = std::move(*revocations);
    } else {
        revocations_.push_back({request.destination, request.liid, {}, {}, {}, request.who, request.reason});
    }
    const auto same = [&](const store::StoredPendingWarrant& entry) {
        return entry.destination == request.destination && entry.liid == request.liid;
    };
    std::erase_if(waiting_, same);
    auto pending = std::make_shared<admin::PendingList>(*pending_);
    std::erase_if(*pending, [&](const admin::PendingWarrant& entry) { return same(entry.kept); });
    pending_ = std::move(pending);
    WarrantsLoaded loaded;
    loaded.snapshot = std::move(snapshot);
    loaded.ended = 1;
    loaded.unconfirmed = reload.unconfirmed;
    loaded.pending = pending_;
    loaded.set = accepted_set_;
    loaded.in_force = loader_.accept(reload);
    loaded.revoked = std::make_shared<const admin::RevocationList>(revocations_);
    return loaded;
}

model::Result<std::optional<WarrantsLoaded>> WarrantKeeper::find_revoked(const Assembly& assembly,
                                                                         const admin::RevokeRequest& request) {
    // Changes nothing: once that can be committed, the store knows what is on disk.
    if (const model::Status works = register_.change_warrants({}); !works) {
        return works.error();
    }
    const auto kept = register_.revocations();
    if (!kept) {
        return kept.error();
    }
    const bool is_there = std::ranges::any_of(*kept, [&](const store::StoredRevocation& entry) {
        return entry.destination == request.destination && entry.liid == request.liid;
    });
    std::optional<warrants::Reload> reload =
        is_there ? loader_.revoke(request.destination, request.liid) : std::nullopt;
    if (!reload) {
        return std::optional<WarrantsLoaded>();
    }
    auto snapshot = make_snapshot(assembly, *reload, accepted_set_);
    if (!snapshot) {
        return snapshot.error();
    }
    return std::optional(take_revoked(request, *reload, std::move(*snapshot)));
}

model::Status WarrantKeeper::nothing_more_of(const admin::RevokeRequest& request) const {
    return register_.nothing_more_of(request.destination, request.liid);
}

}  // namespace lihandover::app
