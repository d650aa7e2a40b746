#include "check.hpp"

#include <chrono>
#include <ostream>

#include "assembly.hpp"
#include "lihandover/config/configuration.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/warrants/loader.hpp"

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

}  // namespace

CheckResult check(const std::string& config_file, std::ostream& out) {
    const Assembled assembled = assemble(config_file, model::system_clock().wall(), Strictness::reload);
    // Warrants refer to destinations, so they can be checked only under a configuration that could at least be read. A
    // missing certificate is no reason to say nothing about them.
    const config::Loaded loaded = config::load_file(config_file);
    config::Problems warnings;
    std::size_t warrants_read = 0;
    if (assembled.assembly) {
        warnings = assembled.assembly->warnings;
    }
    if (loaded.configuration) {
        warrants_read = check_warrants(*loaded.configuration, warnings);
    }
    for (const config::Problems* const list : {&assembled.problems, static_cast<const config::Problems*>(&warnings)}) {
        for (const config::Problem& problem : *list) {
            out << config::check_text(problem) << '\n';
        }
    }
    if (!loaded.configuration) {
        out << config_file << ": the warrants were not looked at, since the configuration cannot be read\n";
    }
    if (!assembled.problems.empty()) {
        out << assembled.problems.size() + warnings.size() << " problem(s): it would not start, or refuse the reload\n";
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
