#include "check.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <ostream>
#include <vector>

#include "assembly.hpp"
#include "lihandover/config/configuration.hpp"
#include "lihandover/http/server.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/store/look.hpp"
#include "lihandover/warrants/loader.hpp"
#include "store_place.hpp"

namespace lihandover::app {

namespace {

/// What is wrong with the warrants, and how many there are.
std::size_t check_warrants(const config::Configuration& configuration, config::Problems& problems) {
    warrants::Loader loader(configuration.warrants_dir);
    const warrants::Reload reload = loader.reload(
        warrant_destinations(configuration),
        {.now = model::system_clock().wall(), .late_events = std::chrono::seconds(0), .confirm_ended = false});
    problems.insert(problems.end(), reload.problems.begin(), reload.problems.end());
    problems.insert(problems.end(), reload.passed_over.begin(), reload.passed_over.end());
    return reload.in_force.size();
}

/// Whether this process may give a file to the group.
bool may_give_to(gid_t group) {
    std::vector<gid_t> groups(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
    const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
    groups.resize(static_cast<std::size_t>(std::max(0, count)));
    groups.push_back(::getegid());
    return ::geteuid() == 0 || std::ranges::find(groups, group) != groups.end();
}

/// What a start needs beside the files that the configuration names: the store, and groups for its sockets.
class StartCheck {
  public:
    StartCheck(const config::Loaded& loaded, const std::string& config_file, config::Problems& problems)
        : loaded_(loaded), config_file_(config_file), problems_(problems) {}

    void store(const Assembly& assembly) {
        const auto database = database_of(assembly.configuration);
        if (database && std::filesystem::exists(std::filesystem::path(assembly.configuration.state_dir) / "store.db")) {
            add("store.engine", "state_dir has a store of SQLite, which nobody would deliver from any more");
        }
        const auto waiting = database ? store::look_at_store(*database, assembly.master_keys)
                                      : store::look_at_store(assembly.configuration.state_dir, assembly.master_keys);
        if (!waiting) {
            add(database ? "store.postgresql.connection" : "state_dir", waiting.error().message);
            return;
        }
        for (const std::string& destination : *waiting) {
            if (!assembly.profiles.contains(destination)) {
                add("destinations", "destination " + destination +
                                        " is missing, and items wait for it; put it back until they are delivered or "
                                        "rejected");
            }
        }
    }

    void groups(const config::Configuration& configuration) {
        for (std::size_t i = 0; i < configuration.intake.http.size(); ++i) {
            group("intake.http[" + std::to_string(i) + "].group", configuration.intake.http[i].group);
        }
        group("admin.group", configuration.admin.group);
        group("admin.listen_group", configuration.admin.listen_group);
    }

  private:
    void group(const std::string& path, const std::string& name) {
        if (name.empty()) {
            return;
        }
        const auto id = http::group_id(name);
        if (!id) {
            add(path, "there is no such group");
        } else if (!may_give_to(*id)) {
            add(path, "the daemon's user is not in the group, so it cannot give it the socket");
        }
    }

    void add(const std::string& path, const std::string& message) {
        problems_.push_back(config::problem_of(loaded_, config_file_, path, message));
    }

    const config::Loaded& loaded_;
    const std::string& config_file_;
    config::Problems& problems_;
};

}  // namespace

CheckResult check(const std::string& config_file, CheckFor purpose, std::ostream& out) {
    const bool of_start = purpose == CheckFor::start;
    Assembled assembled =
        assemble(config_file, model::system_clock().wall(), of_start ? Strictness::start : Strictness::reload);
    // Warrants refer to destinations, so they can be checked only under a configuration that could at least be read. A
    // missing certificate is no reason to say nothing about them.
    const config::Loaded loaded = config::load_file(config_file);
    config::Problems warnings;
    std::size_t warrants_read = 0;
    if (assembled.assembly) {
        warnings = assembled.assembly->warnings;
        if (of_start) {
            StartCheck start(loaded, config_file, assembled.problems);
            start.store(*assembled.assembly);
            start.groups(assembled.assembly->configuration);
        }
    }
    const bool has_files = loaded.configuration && !loaded.configuration->warrants_dir.empty();
    if (has_files) {
        warrants_read = check_warrants(*loaded.configuration, warnings);
    }
    for (const config::Problems* const list : std::array<const config::Problems*, 2>{&assembled.problems, &warnings}) {
        for (const config::Problem& problem : *list) {
            out << config::check_text(problem) << '\n';
        }
    }
    if (!loaded.configuration) {
        out << config_file << ": the warrants were not looked at, since the configuration cannot be read\n";
    } else if (!has_files) {
        out << config_file
            << ": the warrants are a set in the database, which was not looked at: `lihandoverctl warrants diff DIR` "
               "checks one\n";
    }
    if (!assembled.problems.empty()) {
        out << assembled.problems.size() + warnings.size() << " problem(s): it would not start"
            << (of_start ? "\n" : ", or refuse the reload\n");
        return CheckResult::refused;
    }
    if (!warnings.empty()) {
        out << warnings.size() << " problem(s): it would run all the same\n";
        return CheckResult::runs_with_problems;
    }
    out << config_file << ": good, with " << warrants_read << " warrant(s)\n";
    return CheckResult::good;
}

}  // namespace lihandover::app
