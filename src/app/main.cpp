#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>

#include "application.hpp"
#include "check.hpp"
#include "lihandover/config/configuration.hpp"
#include "logging.hpp"
#include "process.hpp"
#include "signals.hpp"

namespace {

int run(int argc, char** argv) {
    CLI::App app("Hands lawfully intercepted messages over to law enforcement agencies (ETSI TS 103 707)",
                 "lihandoverd");
    app.set_version_flag("--version", std::string(lihandover::app::version));
    std::string config_file;
    bool only_check = false;
    bool only_check_start = false;
    app.add_option("--config", config_file, "The main configuration file (YAML)")->required();
    app.add_flag("--check", only_check,
                 "Check the configuration, certificates, schemas and warrants, print what is wrong, and end");
    app.add_flag("--check-start", only_check_start,
                 "The same by what a start needs: it goes on without a destination whose files are bad, but not with a "
                 "store of a newer version. As the daemon's user; beside a daemon that runs as well");
    CLI11_PARSE(app, argc, argv);

    if (only_check || only_check_start) {
        using lihandover::app::CheckFor;
        lihandover::app::let_signals_through();
        const CheckFor purpose = only_check_start ? CheckFor::start : CheckFor::reload;
        return static_cast<int>(lihandover::app::check(config_file, purpose, std::cout));
    }
    lihandover::app::start_logging();
    lihandover::app::harden_process();
    lihandover::app::lock_memory();
    return lihandover::app::run_daemon(config_file) ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
    // A signal that comes now leads to a gentle stop, as soon as there is something to stop.
    lihandover::app::hold_back_signals();
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "lihandoverd: " << error.what() << '\n';
        return EXIT_FAILURE;
    }
}
