#include "reloader.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <future>
#include <optional>
#include <thread>
#include <utility>

#include "lihandover/config/configuration.hpp"
#include "logging.hpp"
#include "parts.hpp"
#include "process.hpp"

namespace lihandover::app {

namespace {

namespace asio = boost::asio;

/// Whether the destination's LEA fetches from us (Model A).
bool serves(const config::Destination& destination) {
    return destination.binary && destination.binary->model == config::BinaryModel::a;
}

admin::ReloadReport failed(std::vector<std::string> problems, model::Instant at) {
    admin::ReloadReport report;
    report.at = at;
    report.problems = std::move(problems);
    return report;
}

std::vector<std::string> texts_of(const config::Problems& problems) {
    std::vector<std::string> texts;
    texts.reserve(problems.size());
    for (const config::Problem& problem : problems) {
        texts.push_back(config::check_text(problem));
    }
    return texts;
}

}  // namespace

admin::ReloadReport report_of(const WarrantsLoaded& loaded, model::Instant at) {
    admin::ReloadReport report;
    report.outcome = loaded.whole() ? metrics::ReloadOutcome::done : metrics::ReloadOutcome::partial;
    report.at = at;
    report.problems = texts_of(loaded.problems);
    report.warrants_added = loaded.added;
    report.warrants_changed = loaded.changed;
    report.warrants_ended = loaded.ended;
    report.warrant_files_bad = loaded.bad_files;
    return report;
}

void log_report(const admin::ReloadReport& report) {
    const auto outcome = metrics::reload_outcome_names.at(static_cast<std::size_t>(report.outcome));
    const std::string line = "loaded outcome=" + std::string(outcome) +
                             " warrants_added=" + std::to_string(report.warrants_added) +
                             " warrants_changed=" + std::to_string(report.warrants_changed) +
                             " warrants_ended=" + std::to_string(report.warrants_ended) +
                             " warrant_files_bad=" + std::to_string(report.warrant_files_bad);
    if (report.outcome == metrics::ReloadOutcome::done) {
        log_info(line);
    } else {
        log_error(line);
    }
}

Reloader::Reloader(std::string config_file, Parts& parts, StopDeadline& deadline)
    : config_file_(std::move(config_file)),
      parts_(parts),
      deadline_(deadline),
      closer_(closing_of(parts, [this] { start_next(); })),
      pause_(parts.intake_io) {}

HeldCloser::Surroundings Reloader::closing_of(Parts& parts, std::function<void()> changed) {
    using Requests = std::vector<admin::RevokeRequest>;
    return {.io = parts.intake_io,
            .clock = parts.clock,
            .none_before = [&parts] { return parts.snapshot->is_alone(); },
            .settle =
                [&parts](std::function<void(bool)> done) {
                    // A commit of nothing comes after all that was handed to the store before it, also after what its
                    // source was told to have taken too long.
                    parts.store->item_intake().submit({}, {}, [&parts, done](store::Outcome outcome) {
                        asio::post(parts.intake_io, [done, outcome] { done(outcome == store::Outcome::committed); });
                    });
                },
            .tell =
                [&parts](Requests all, std::function<void(Requests)> done) {
                    asio::post(parts.workers, [&parts, all = std::move(all), done]() mutable {
                        std::erase_if(all, [&](const auto& one) { return !parts.keeper->nothing_more_of(one); });
                        asio::post(parts.intake_io, [done, all = std::move(all)] { done(all); });
                    });
                },
            .changed = std::move(changed)};
}

void Reloader::request(admin::ReloadRequest request, std::function<void(admin::ReloadReport)> done) {
    waiting_.emplace_back(Request{std::move(request), std::move(done)});
    start_next();
}

void Reloader::revoke(admin::RevokeRequest request, std::function<void(admin::RevokeOutcome)> done) {
    waiting_.emplace_back(Revocation{std::move(request), std::move(done)});
    start_next();
}

void Reloader::open() {
    stage_ = Stage::open;
    start_next();
}

void Reloader::close() {
    stage_ = Stage::closed;
    closed_ = true;
    pause_.cancel();
    closer_.stop();
    start_next();
}

void Reloader::decide(admin::ApprovalRequest request, std::function<void(admin::ApprovalAnswer)> done) {
    waiting_.emplace_back(Approval{std::move(request), std::move(done)});
    start_next();
}

void Reloader::take_set(admin::WarrantSetRequest request, bool apply,
                        std::function<void(admin::WarrantSetAnswer)> done) {
    waiting_.emplace_back(SetOrder{std::move(request), apply, std::move(done)});
    start_next();
}

void Reloader::look_at_set() {
    if (parts_.keeper->sets() == nullptr || stage_ != Stage::open || std::exchange(looking_at_set_, true)) {
        return;
    }
    asio::post(parts_.workers, [this] {
        const auto newest = parts_.keeper->sets()->state();
        asio::post(parts_.intake_io, [this, newest = newest ? std::optional(*newest) : std::nullopt] {
            looking_at_set_ = false;
            hear_of_set(newest);
        });
    });
}

/// Of a database that cannot be read the store says so itself.
void Reloader::hear_of_set(std::optional<std::uint64_t> newest) {
    const auto now = parts_.clock.steady();
    if (newest && *newest == parts_.in_force.get().set->state) {
        behind_since_.reset();
    }
    if (!newest || *newest == parts_.in_force.get().set->state) {
        return;
    }
    behind_since_ = behind_since_.value_or(now);
    const auto is_follow = [](const Waiting& one) { return std::holds_alternative<Follow>(one); };
    if (now >= next_follow_ && std::ranges::none_of(waiting_, is_follow)) {
        waiting_.emplace_back(Follow{});
        start_next();
    }
}

bool Reloader::follows_set() const {
    constexpr auto patience = std::chrono::seconds(5);
    return !behind_since_ || parts_.clock.steady() - *behind_since_ < patience;
}

bool Reloader::is_awaited(const Waiting& waiting) {
    if (const auto* const reload = std::get_if<Request>(&waiting)) {
        return static_cast<bool>(reload->done);
    }
    return !std::holds_alternative<Follow>(waiting);
}

std::deque<Reloader::Waiting>::iterator Reloader::find_next() {
    if (stage_ == Stage::closed) {
        return waiting_.begin();
    }
    if (in_doubt_) {
        return std::ranges::find_if(waiting_, is_awaited);
    }
    const bool may_load = closer_.may_load();
    const bool may_revoke = closer_.may_revoke();
    return std::ranges::find_if(
        waiting_, [&](const Waiting& one) { return std::holds_alternative<Revocation>(one) ? may_revoke : may_load; });
}

void Reloader::start_next() {
    while (stage_ != Stage::starting && !running_) {
        const auto found = find_next();
        if (found == waiting_.end()) {
            return;
        }
        Waiting next = std::move(*found);
        waiting_.erase(found);
        if (stage_ == Stage::closed || in_doubt_) {
            std::visit([this](const auto& waiting) { refuse(waiting); }, next);
            continue;
        }
        running_ = true;
        std::visit([this](auto& waiting) { start(std::move(waiting)); }, next);
    }
}

void Reloader::start(Request request) {
    if (closer_.closes_some()) {
        log_warning("items of a revoked warrant still wait for the store: another warrant with its LIID begins held");
    }
    notify_reloading();
    asio::post(parts_.workers, [this, request = std::move(request)] {
        auto ended = std::make_shared<Ended>(run(request.what));
        asio::post(parts_.intake_io, [this, request, ended] { finish(request, std::move(*ended)); });
    });
}

void Reloader::start(Revocation revocation) {
    closer_.begin(revocation.what);
    asio::post(parts_.workers, [this, revocation = std::move(revocation)] {
        const admin::RevokeOutcome outcome = run(revocation.what);
        asio::post(parts_.intake_io, [this, revocation, outcome] {
            // What waited for a commit when the snapshot changed is on disk when this one is.
            parts_.store->item_intake().submit({}, {}, [this, revocation, outcome](store::Outcome) {
                // Delivery has heard of it when it comes to this, and begins to send nothing that is to be held.
                asio::post(parts_.delivery_io, [this, revocation, outcome] {
                    asio::post(parts_.intake_io, [this, revocation, outcome] { answer(revocation, outcome); });
                });
            });
        });
    });
}

void Reloader::answer(const Revocation& revocation, admin::RevokeOutcome outcome) {
    revocation.done(outcome);
    if (outcome == admin::RevokeOutcome::failed) {
        in_doubt_ = revocation.what;
        look_at_doubtful();
    } else {
        closer_.end(outcome == admin::RevokeOutcome::revoked && revocation.what.hold_queued);
    }
    running_ = false;
    start_next();
}

void Reloader::look_at_doubtful() {
    if (stage_ == Stage::closed) {
        end_doubt(false);
        return;
    }
    pause_.expires_after(std::chrono::seconds(1));
    pause_.async_wait([this](const boost::system::error_code&) {
        if (stage_ == Stage::closed) {
            end_doubt(false);
            return;
        }
        asio::post(parts_.workers, [this, request = *in_doubt_] {
            const auto loaded = parts_.keeper->find_revoked(*parts_.in_force.get().assembly, request);
            const bool revoked = loaded && *loaded;
            if (revoked) {
                parts_.snapshot->publish((*loaded)->snapshot);
                parts_.in_force.set_revoked(**loaded);
            }
            asio::post(parts_.intake_io, [this, revoked, known = loaded.has_value()] {
                if (known) {
                    end_doubt(revoked);
                } else {
                    look_at_doubtful();
                }
            });
        });
    });
}

void Reloader::end_doubt(bool revoked) {
    closer_.end(revoked && in_doubt_->hold_queued);
    in_doubt_.reset();
    start_next();
}

void Reloader::start(Approval approval) {
    asio::post(parts_.workers, [this, approval = std::move(approval)] {
        const admin::ApprovalAnswer answer = run(approval.what);
        asio::post(parts_.intake_io, [this, approval, answer] {
            running_ = false;
            approval.done(answer);
            start_next();
        });
    });
}

void Reloader::start(SetOrder order) {
    auto shared = std::make_shared<SetOrder>(std::move(order));
    asio::post(parts_.workers, [this, shared] {
        auto answer = std::make_shared<admin::WarrantSetAnswer>(run(*shared));
        asio::post(parts_.intake_io, [this, shared, answer] {
            running_ = false;
            shared->done(std::move(*answer));
            start_next();
        });
    });
}

void Reloader::start(Follow /*follow*/) {
    asio::post(parts_.workers, [this] {
        const bool followed = load_warrants();
        asio::post(parts_.intake_io, [this, followed] {
            constexpr auto after_a_failure = std::chrono::seconds(5);
            running_ = false;
            if (followed) {
                behind_since_.reset();
            } else {
                next_follow_ = parts_.clock.steady() + after_a_failure;
            }
            look_at_set();
            start_next();
        });
    });
}

void Reloader::look_at_tls_files() {
    if (stage_ != Stage::open || running_) {
        return;
    }
    running_ = true;
    asio::post(parts_.workers, [this] {
        const auto before = parts_.in_force.get().assembly;
        asio::post(parts_.intake_io, [this, before, next = take_tls_files(before)] {
            if (next) {
                renew_listener_tls(*before, *next);
            }
            running_ = false;
            start_next();
        });
    });
}

/// Connections go on as they are; new ones are made with what is in the files by now.
std::shared_ptr<const Assembly> Reloader::take_tls_files(const std::shared_ptr<const Assembly>& before) {
    auto next = tls_watch_.look(before, parts_.clock.wall());
    if (!next) {
        return nullptr;
    }
    if (const model::Status reconfigured = parts_.delivery->reconfigure(next->delivery); !reconfigured) {
        log_error(reconfigured.error().message);
        return nullptr;
    }
    if (parts_.object_server && !parts_.object_server->reconfigure(*next->objectserver)) {
        log_error(config_file_ + ": the object server goes on as it was");
    }
    parts_.in_force.set_tls(next);
    return next;
}

void Reloader::renew_listener_tls(const Assembly& before, const Assembly& next) const {
    for (std::size_t n = 0; n < next.tls_ends.size(); ++n) {
        const TlsEnd& end = next.tls_ends[n];
        if (end.server == before.tls_ends[n].server) {
            continue;
        }
        if (end.role == metrics::CertificateRole::console) {
            parts_.admin->set_console_tls(end.server);
        }
        if (end.role != metrics::CertificateRole::intake) {
            continue;
        }
        for (const IntakeListener& listener : parts_.listeners) {
            if (listener.name == end.name) {
                listener.server->set_tls(end.server);
            }
        }
        parts_.x2x3->renew_tls(end.name, end.server);
    }
}

std::string_view Reloader::reason() const {
    return in_doubt_ ? "the store has not yet told whether a revocation is on disk" : "the daemon is stopping";
}

void Reloader::refuse(const Request& request) const {
    if (request.done) {
        const std::string why = std::string(reason()) + "; nothing was reloaded";
        admin::ReloadReport report = failed({why}, parts_.clock.wall());
        log_error(why);
        parts_.metrics.reloads(report.outcome).add();
        parts_.in_force.set_report(report);
        request.done(std::move(report));
    }
}

void Reloader::refuse(const Revocation& revocation) const {
    log_error("a revocation was not tried: " + std::string(reason()));
    revocation.done(admin::RevokeOutcome::not_tried);
}

void Reloader::refuse(const SetOrder& order) const {
    log_error("a set of warrants was not looked at: " + std::string(reason()));
    order.done({});
}

void Reloader::refuse(const Approval& approval) const {
    log_error("a decision about a warrant was not tried: " + std::string(reason()));
    approval.done({.outcome = admin::ApprovalAnswer::Outcome::not_tried});
}

/// Warrants alone: the configuration stays as it runs.
admin::ApprovalAnswer Reloader::run(const admin::ApprovalRequest& request) const {
    const auto assembly = parts_.in_force.get().assembly;
    std::optional<WarrantsLoaded> loaded;
    const admin::ApprovalAnswer answer = parts_.keeper->decide(*assembly, request, loaded);
    if (loaded) {
        take_warrants(assembly, *loaded);
    }
    return answer;
}

void Reloader::take_warrants(const std::shared_ptr<const Assembly>& assembly, const WarrantsLoaded& loaded) const {
    parts_.snapshot->publish(loaded.snapshot);
    parts_.metrics.warrants_withdrawn().add(loaded.withdrawn);
    log_problems(loaded.problems);
    parts_.in_force.set(assembly, loaded);
    parts_.tell_followed(loaded);
}

bool Reloader::load_warrants() const {
    const auto assembly = parts_.in_force.get().assembly;
    const auto loaded = parts_.keeper->load(*assembly, {});
    if (!loaded) {
        log_error("a set of warrants that was applied is not in force here: " + loaded.error().message);
        return false;
    }
    take_warrants(assembly, *loaded);
    log_info(
        "the set of warrants is in force version=" + std::to_string(loaded->set->version) +
        " warrants_added=" + std::to_string(loaded->added) + " warrants_changed=" + std::to_string(loaded->changed) +
        " warrants_ended=" + std::to_string(loaded->ended) + " warrant_files_bad=" + std::to_string(loaded->bad_files));
    return true;
}

admin::WarrantSetAnswer Reloader::run(const SetOrder& order) const {
    using Outcome = admin::WarrantSetAnswer::Outcome;
    // What another daemon has applied since comes first.
    if (auto* const sets = parts_.keeper->sets()) {
        const auto newest = sets->state();
        if (!newest || (*newest != parts_.in_force.get().set->state && !load_warrants())) {
            return {};
        }
    }
    const auto assembly = parts_.in_force.get().assembly;
    if (!order.apply) {
        return parts_.keeper->compare(*assembly, order.what);
    }
    admin::WarrantSetAnswer answer = parts_.keeper->apply(*assembly, order.what);
    if (answer.outcome == Outcome::done) {
        answer.in_force = load_warrants();
        wait_for_others(answer, parts_.in_force.get().set->state);
    }
    return answer;
}

/// Until each of them follows, or its lease is over. One that has only heard of it takes nothing in by an older one.
void Reloader::wait_for_others(admin::WarrantSetAnswer& answer, std::uint64_t state) const {
    constexpr auto look_again = std::chrono::milliseconds(50);
    constexpr auto to_follow = std::chrono::seconds(5);
    constexpr auto beyond_lease = std::chrono::seconds(5);
    const auto& postgresql = parts_.in_force.get().assembly->configuration.store.postgresql;
    const auto began = parts_.clock.steady();
    const auto end = began + beyond_lease + (postgresql ? postgresql->lease : config::Duration{});
    while (true) {
        const auto behind = parts_.keeper->sets()->behind(state);
        const bool all_know = behind && std::ranges::all_of(*behind, &store::SetPeer::knows);
        const auto now = parts_.clock.steady();
        if ((behind && behind->empty()) || now >= end || closed_ || (all_know && now >= began + to_follow)) {
            for (const store::SetPeer& peer : behind ? *behind : std::vector<store::SetPeer>()) {
                (peer.knows ? answer.behind : answer.silent).push_back(peer.name);
            }
            if (!behind) {
                answer.silent.emplace_back("(the database cannot be read)");
            }
            return;
        }
        std::this_thread::sleep_for(look_again);
    }
}

/// Under what is in force, not under what the files say by now: a mistake in one of them must not keep it from ending.
admin::RevokeOutcome Reloader::run(const admin::RevokeRequest& request) const {
    const auto loaded = parts_.keeper->revoke(*parts_.in_force.get().assembly, request);
    if (!loaded) {
        log_error("a revocation could not be committed, and counts once the store works again if it is on disk: " +
                  loaded.error().message);
        return admin::RevokeOutcome::failed;
    }
    if (!*loaded) {
        return admin::RevokeOutcome::unknown;
    }
    parts_.snapshot->publish((*loaded)->snapshot);
    parts_.in_force.set_revoked(**loaded);
    parts_.tell_followed(**loaded);
    if (parts_.keeper->sets() != nullptr) {
        admin::WarrantSetAnswer others;
        wait_for_others(others, (*loaded)->set->state);
        if (!others.behind.empty() || !others.silent.empty()) {
            log_warning("other daemons do not follow a revocation yet daemons=" +
                        std::to_string(others.behind.size() + others.silent.size()));
        }
    }
    return admin::RevokeOutcome::revoked;
}

std::vector<std::string> Reloader::objections(const Assembly& next) const {
    std::vector<std::string> found;
    const InForce now = parts_.in_force.get();
    const config::Configuration& running = now.assembly->configuration;
    for (const config::ChangedOption& option : config::changed_options(running, next.configuration)) {
        if (!option.reloadable) {
            found.push_back(config_file_ + ": " + option.path + " cannot be changed by a reload; restart the daemon");
        }
    }
    const store::Statistics statistics = parts_.store->operator_view().statistics();
    for (const auto& [name, options] : running.destinations) {
        const auto count = std::ranges::find(statistics.counts, name, &store::Count::destination);
        if (count == statistics.counts.end()) {
            continue;
        }
        const auto kept = next.configuration.destinations.find(name);
        const bool is_kept = kept != next.configuration.destinations.end();
        if (!is_kept && count->any()) {
            found.push_back(config_file_ + ": destination " + name + " still has items and cannot be removed");
        }
        // What was offered has to stay where its document says that it is.
        if (is_kept && serves(options) && !serves(kept->second) &&
            count->objects_attached + count->objects_offered > 0) {
            found.push_back(config_file_ + ": destination " + name +
                            " still has binary objects to be fetched; its binary.model stays A until they expire");
        }
    }
    return found;
}

Reloader::Ended Reloader::run(const admin::ReloadRequest& request) const {
    const model::Instant now = parts_.clock.wall();
    const auto running = parts_.in_force.get().assembly;
    const Assembled assembled = assemble(config_file_, now, Strictness::reload, running.get());
    if (!assembled.assembly) {
        log_problems(assembled.problems);
        return {failed(texts_of(assembled.problems), now), nullptr, false, nullptr};
    }
    if (std::vector<std::string> found = objections(*assembled.assembly); !found.empty()) {
        for (const std::string& objection : found) {
            log_error(objection);
        }
        return {failed(std::move(found), now), nullptr, false, nullptr};
    }
    auto x2x3 = prepare_x2x3(assembled.assembly);
    if (!x2x3) {
        log_error(x2x3.error().message);
        return {failed({x2x3.error().message}, now), nullptr, false, nullptr};
    }
    bool removes = false;
    auto loaded = take(*assembled.assembly, *running, request, removes);
    if (!loaded) {
        log_error(loaded.error().message);
        drop(std::move(*x2x3));
        return {failed({loaded.error().message}, now), nullptr, false, nullptr};
    }
    bring_into_force(assembled.assembly, *loaded);
    admin::ReloadReport report = report_of(*loaded, now);
    if (const config::Problems& kept = assembled.assembly->kept; !kept.empty()) {
        report.outcome = metrics::ReloadOutcome::partial;
        const std::vector<std::string> texts = texts_of(kept);
        report.problems.insert(report.problems.begin(), texts.begin(), texts.end());
    }
    return {std::move(report), assembled.assembly, removes, std::move(*x2x3)};
}

/// Binds on the intake thread, and reads here what is kept for listeners that are new.
model::Result<std::shared_ptr<X2x3Listeners::Prepared>> Reloader::prepare_x2x3(
    std::shared_ptr<const Assembly> next) const {
    using Prepared = model::Result<std::shared_ptr<X2x3Listeners::Prepared>>;
    const auto answer = std::make_shared<std::promise<Prepared>>();
    auto prepared = answer->get_future();
    asio::post(parts_.intake_io, [this, next = std::move(next), answer] {
        answer->set_value(parts_.x2x3->prepare(*next, parts_.connections_each));
    });
    // That thread may have ended meanwhile.
    while (prepared.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready) {
        if (parts_.intake_io.stopped()) {
            return model::Error{"the daemon is stopping; nothing was reloaded"};
        }
    }
    Prepared bound = prepared.get();
    if (bound) {
        if (const model::Status rebuilt = X2x3Listeners::rebuild(**bound); !rebuilt) {
            drop(std::move(*bound));
            return rebuilt.error();
        }
    }
    return bound;
}

/// Its sockets belong to the intake thread.
void Reloader::drop(std::shared_ptr<X2x3Listeners::Prepared> prepared) const {
    asio::post(parts_.intake_io, [prepared = std::move(prepared)]() mutable { prepared.reset(); });
}

/// The steps that can fail, and can be taken back.
model::Result<WarrantsLoaded> Reloader::take(const Assembly& next, const Assembly& before,
                                             const admin::ReloadRequest& request, bool& removes) const {
    // Delivery learns of new destinations before intake can make items for them, and forgets removed ones only when it
    // no longer can (forget_removed_destinations).
    delivery::Settings united = next.delivery;
    for (const delivery::Destination& destination : before.delivery.destinations) {
        if (!next.configuration.destinations.contains(destination.name)) {
            united.destinations.push_back(destination);
        }
    }
    removes = united.destinations.size() > next.delivery.destinations.size();
    if (const model::Status taken = parts_.store->sealing().use(next.master_keys); !taken) {
        return model::prefixed("encryption.key_files: ", taken.error());
    }
    if (const model::Status reconfigured = parts_.delivery->reconfigure(std::move(united)); !reconfigured) {
        static_cast<void>(parts_.store->sealing().use(before.master_keys));
        return reconfigured.error();
    }
    auto loaded = parts_.keeper->load(next, request.who, request.confirm_ended);
    if (!loaded) {
        static_cast<void>(parts_.store->sealing().use(before.master_keys));
    }
    if (!loaded && !parts_.delivery->reconfigure(before.delivery)) {
        log_error(config_file_ + ": the destinations could not be put back as they were");
    }
    return loaded;
}

void Reloader::bring_into_force(const std::shared_ptr<const Assembly>& next, const WarrantsLoaded& loaded) const {
    const config::Configuration& configuration = next->configuration;
    if (parts_.object_server && !parts_.object_server->reconfigure(*next->objectserver)) {
        log_error(config_file_ + ": the object server goes on as it was");
    }
    for (const auto& [name, options] : configuration.destinations) {
        (void)parts_.metrics.destination(name);
    }
    parts_.store->set_limits(configuration.store.max_bytes,
                             std::chrono::duration_cast<std::chrono::seconds>(configuration.store.record_retention));
    parts_.store->set_commit_timeout(configuration.store.commit_timeout);
    parts_.store->audit_log().configure(audit_settings(*next));
    parts_.snapshot->publish(loaded.snapshot);
    deadline_.set_timeout(std::chrono::duration_cast<std::chrono::milliseconds>(configuration.shutdown_timeout));
    parts_.clock.set_tolerance(configuration.clock_tolerance);
    set_log_level(configuration.log_level);
    log_warnings(next->warnings);
    log_problems(next->kept);
    log_problems(loaded.problems);
    parts_.metrics.warrants_withdrawn().add(loaded.withdrawn);
    parts_.in_force.set(next, loaded);
    parts_.tell_followed(loaded);
}

void Reloader::renew_listeners(const Assembly& assembly, std::shared_ptr<X2x3Listeners::Prepared> x2x3) const {
    if (stage_ == Stage::open) {
        parts_.x2x3->apply(std::move(x2x3));
    }
    if (const auto console = assembly.console_tls()) {
        parts_.admin->set_console_tls(console);
    }
    for (const IntakeListener& listener : parts_.listeners) {
        const auto& configured = assembly.configuration.intake.http;
        const auto options = std::ranges::find(configured, listener.name, &config::IntakeListener::name);
        if (options != configured.end() && options->tls) {
            listener.server->set_tls(assembly.listener_tls(listener.name));
            listener.gate->allow(options->tls->clients);
        }
    }
}

void Reloader::finish(const Request& request, Ended ended) {
    if (ended.taken) {
        renew_listeners(*ended.taken, std::move(ended.x2x3));
    }
    parts_.metrics.reloads(ended.report.outcome).add();
    log_report(ended.report);
    parts_.in_force.set_report(ended.report);
    if (!ended.removes_destinations) {
        end(request, std::move(ended.report));
        return;
    }
    forget_removed_destinations(std::move(ended.taken), [this, request, report = std::move(ended.report)]() mutable {
        end(request, std::move(report));
    });
}

void Reloader::forget_removed_destinations(std::shared_ptr<const Assembly> assembly, std::function<void()> then) {
    // What intake matched with the old warrants it has handed to the store by now, being on this thread; a filler's
    // commit comes after theirs. Should one of the removed destinations have got an item all the same, delivery keeps
    // it until the item is gone.
    parts_.store->item_intake().submit(
        {}, {}, [this, assembly = std::move(assembly), then = std::move(then)](store::Outcome) {
            if (!parts_.delivery->reconfigure(assembly->delivery)) {
                log_error(config_file_ + ": the removed destinations could not be taken off");
            }
            asio::post(parts_.intake_io, then);
        });
}

void Reloader::end(const Request& request, admin::ReloadReport report) {
    running_ = false;
    if (stage_ == Stage::open) {
        notify_ready();
    }
    if (request.done) {
        request.done(std::move(report));
    }
    start_next();
}

}  // namespace lihandover::app
