#pragma once

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "assembly.hpp"
#include "held_closer.hpp"
#include "lihandover/admin/control.hpp"
#include "lihandover/config/problem.hpp"
#include "stop_deadline.hpp"
#include "warrant_keeper.hpp"
#include "x2x3_listeners.hpp"

namespace lihandover::app {

struct Parts;

/// The result of the first loading of the warrants, or of a reload.
[[nodiscard]] admin::ReloadReport report_of(const WarrantsLoaded& loaded, model::Instant at);
void log_report(const admin::ReloadReport& report);

/// Reloads configuration and warrants, one reload at a time, and brings them into force as a whole or not at all
/// (promise 10). On the intake thread; what blocks runs on the workers.
class Reloader {
  public:
    /// `deadline` is told of a new shutdown_timeout. Both outlive the reloader and its work on the workers.
    Reloader(std::string config_file, Parts& parts, StopDeadline& deadline);

    /// `done`, which may be empty, is called once, on the intake thread. A reload requested during the start waits for
    /// its end.
    void request(admin::ReloadRequest request, std::function<void(admin::ReloadReport)> done);

    /// Revokes a warrant, in turn with reloads. `done` is called once, on the intake thread, when no event is matched
    /// with it any more. What was matched before may still be on its way to the store; where what is queued is to be
    /// held, that is held, too (HeldCloser).
    void revoke(admin::RevokeRequest request, std::function<void(admin::RevokeOutcome)> done);

    /// What one of the people says of a warrant that waits for approval, in turn with reloads. `done` is called once,
    /// on the intake thread.
    void decide(admin::ApprovalRequest request, std::function<void(admin::ApprovalAnswer)> done);

    /// Compares a set of warrant files with what is in force, or applies it, in turn with reloads. `done` is called
    /// once, on the intake thread: of one that was applied when no daemon can take anything in by an older one any
    /// more, as far as that is known.
    void take_set(admin::WarrantSetRequest request, bool apply, std::function<void(admin::WarrantSetAnswer)> done);
    /// Looks whether a newer set of warrants was applied, at whichever daemon, and brings it into force, in turn with
    /// reloads.
    void look_at_set();
    /// False while a newer one is in force elsewhere for longer than following it takes.
    [[nodiscard]] bool follows_set() const;

    /// Takes TLS files that have changed, and nothing else, unless a reload is running, which takes them too. Nobody is
    /// told of an end.
    void look_at_tls_files();

    /// From now on reloads are accepted: the daemon is up.
    void open();
    /// No further reload starts. A running one ends, and nobody is told that the daemon is ready again.
    void close();

  private:
    struct Request {
        admin::ReloadRequest what;
        std::function<void(admin::ReloadReport)> done;
    };
    struct Revocation {
        admin::RevokeRequest what;
        std::function<void(admin::RevokeOutcome)> done;
    };
    struct Approval {
        admin::ApprovalRequest what;
        std::function<void(admin::ApprovalAnswer)> done;
    };
    struct SetOrder {
        admin::WarrantSetRequest what;
        bool apply = false;
        std::function<void(admin::WarrantSetAnswer)> done;
    };
    /// A newer set is to come into force.
    struct Follow {};
    /// A reload that has run on a worker.
    struct Ended {
        admin::ReloadReport report;
        std::shared_ptr<const Assembly> taken;  ///< null: nothing changed
        bool removes_destinations = false;
        std::shared_ptr<X2x3Listeners::Prepared> x2x3;  ///< null: nothing changed
    };

    using Waiting = std::variant<Request, Revocation, Approval, SetOrder, Follow>;

    static HeldCloser::Surroundings closing_of(Parts& parts, std::function<void()> changed);
    void start_next();
    /// The first that may start.
    [[nodiscard]] std::deque<Waiting>::iterator find_next();
    void start(Request request);
    void start(Revocation revocation);
    void start(Approval approval);
    void start(SetOrder order);
    void start(Follow follow);
    void answer(const Revocation& revocation, admin::RevokeOutcome outcome);
    /// Once the store works again, finds out whether a revocation whose commit failed is on disk all the same. Whoever
    /// waits for an answer gets one meanwhile, and asks again.
    void look_at_doubtful();
    void end_doubt(bool revoked);
    /// Somebody waits for its end.
    static bool is_awaited(const Waiting& waiting);
    void refuse(const Request& request) const;
    void refuse(const Revocation& revocation) const;
    void refuse(const Approval& approval) const;
    void refuse(const SetOrder& order) const;
    void refuse(const Follow& /*follow*/) const {}
    void hear_of_set(std::optional<std::uint64_t> newest);
    /// Why nothing is tried now.
    [[nodiscard]] std::string_view reason() const;
    void finish(const Request& request, Ended ended);
    void end(const Request& request, admin::ReloadReport report);
    void forget_removed_destinations(std::shared_ptr<const Assembly> assembly, std::function<void()> then);
    void renew_listener_tls(const Assembly& before, const Assembly& next) const;
    void renew_listeners(const Assembly& assembly, std::shared_ptr<X2x3Listeners::Prepared> x2x3) const;

    // On a worker:
    [[nodiscard]] Ended run(const admin::ReloadRequest& request) const;
    [[nodiscard]] admin::RevokeOutcome run(const admin::RevokeRequest& request) const;
    [[nodiscard]] admin::ApprovalAnswer run(const admin::ApprovalRequest& request) const;
    [[nodiscard]] admin::WarrantSetAnswer run(const SetOrder& order) const;
    /// Warrants alone: the configuration stays as it runs. False where nothing changed.
    [[nodiscard]] bool load_warrants() const;
    void take_warrants(const std::shared_ptr<const Assembly>& assembly, const WarrantsLoaded& loaded) const;
    void wait_for_others(admin::WarrantSetAnswer& answer, std::uint64_t state) const;
    [[nodiscard]] std::vector<std::string> objections(const Assembly& next) const;
    [[nodiscard]] model::Result<std::shared_ptr<X2x3Listeners::Prepared>> prepare_x2x3(
        std::shared_ptr<const Assembly> next) const;
    void drop(std::shared_ptr<X2x3Listeners::Prepared> prepared) const;
    [[nodiscard]] model::Result<WarrantsLoaded> take(const Assembly& next, const Assembly& before,
                                                     const admin::ReloadRequest& request, bool& removes) const;
    void bring_into_force(const std::shared_ptr<const Assembly>& next, const WarrantsLoaded& loaded) const;
    [[nodiscard]] std::shared_ptr<const Assembly> take_tls_files(const std::shared_ptr<const Assembly>& before);

    std::string config_file_;
    Parts& parts_;
    StopDeadline& deadline_;
    TlsWatch tls_watch_;  ///< of whoever is running
    HeldCloser closer_;
    std::deque<Waiting> waiting_;
    bool running_ = false;
    std::atomic<bool> closed_ = false;  ///< for whoever waits on a worker
    bool looking_at_set_ = false;
    std::optional<model::Clock::SteadyTime> behind_since_;  ///< a newer set is known, and not in force
    model::Clock::SteadyTime next_follow_{};
    std::optional<admin::RevokeRequest> in_doubt_;  ///< its commit failed, and it may be on disk
    boost::asio::steady_timer pause_;
    enum class Stage : std::uint8_t { starting, open, closed } stage_ = Stage::starting;
};

}  // namespace lihandover::app
