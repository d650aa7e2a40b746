#include "check.hpp"

#include <optional>
#include <ostream>

#include "assembly.hpp"
#include "lihandover/config/configuration.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/warrants/loader.hpp"

namespace lihandover::app {

bool check(const std::string& config_file, std::ostream& out) {
    const Assembled assembled = assemble(config_file, model::system_clock().wall());
    config::Problems problems = assembled.problems;
    if (assembled.assembly) {
        const config::Problems& warnings = assembled.assembly->warnings;
        problems.insert(problems.end(), warnings.begin(), warnings.end());
    }
    // Warrants refer to destinations, so they can be judged only under a configuration that could at least be read; a
    // certificate that is missing is no reason to keep quiet about them.
    const config::Loaded loaded = config::load_file(config_file);
    std::size_t warrants_read = 0;
    if (loaded.configuration) {
        warrants::Loader loader(loaded.configuration->warrants_dir);
        const auto reload = loader.reload(warrant_destinations(*loaded.configuration));
        if (reload) {
            problems.insert(problems.end(), reload->problems.begin(), reload->problems.end());
            warrants_read = reload->in_force.size();
        } else {
            problems.push_back({config_file, 1, 1, "warrants_dir: " + reload.error().message, {}});
        }
    }
    for (const config::Problem& problem : problems) {
        out << config::check_text(problem) << '\n';
    }
    if (problems.empty()) {
        out << config_file << ": good, with " << warrants_read << " warrant(s)\n";
    } else {
        if (!loaded.configuration) {
            out << config_file << ": the warrants were not looked at, since the configuration cannot be read\n";
        }
        out << problems.size() << " problem(s)\n";
    }
    return problems.empty();
}

}  // namespace lihandover::app
