// lihandoverctl: the operator's command.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <exception>
#include <functional>
#include <iostream>
#include <string>

#include "commands.hpp"

namespace {

using lihandover::ctl::Wishes;

/// Declares the command line; the command that is chosen sets `command`.
void declare(CLI::App& app, Wishes& wishes, std::function<int()>& command) {
    namespace ctl = lihandover::ctl;
    app.set_version_flag("--version", "lihandoverctl " LIHANDOVER_VERSION);
    app.add_option("--socket", wishes.socket, "the daemon's control socket")->capture_default_str();
    app.add_flag("--json", wishes.json, "print JSON");
    app.add_option("--operator", wishes.operator_name, "who decides, recorded beside the user's name");
    app.require_subcommand(1);
    app.fallthrough();

    auto* const status = app.add_subcommand("status", "how the daemon and its destinations are");
    status->callback([&] { command = [&] { return ctl::show_status(wishes); }; });

    auto* const warrants = app.add_subcommand("warrants", "the warrants in force");
    warrants->add_option("--limit", wishes.limit, "at most so many")->check(CLI::PositiveNumber);
    warrants->add_option("--after", wishes.after, "from the one behind DESTINATION/LIID");
    warrants->callback([&] { command = [&] { return ctl::list_warrants(wishes); }; });

    auto* const items = app.add_subcommand("items", "the items that wait, or those of one state");
    items->add_option("--state", wishes.state, "only these")
        ->check(CLI::IsMember({"held", "queued", "refused", "delivered", "rejected"}));
    items->add_option("--destination", wishes.destination, "only those of a destination");
    items->add_option("--limit", wishes.limit, "at most so many")->check(CLI::PositiveNumber);
    items->add_option("--after", wishes.after, "from the one behind this item");
    items->callback([&] { command = [&] { return ctl::list_items(wishes); }; });

    auto* const show = app.add_subcommand("show", "all about one item but its content");
    show->add_option("ID", wishes.ids, "its ObjectIdentifier")->required()->expected(1);
    show->callback([&] { command = [&] { return ctl::show_item(wishes); }; });

    auto* const approve = app.add_subcommand("approve", "release items that are held for review");
    approve->add_option("ID", wishes.ids, "ObjectIdentifiers")->required();
    approve->callback([&] { command = [&] { return ctl::decide(wishes, "approve"); }; });

    auto* const reject = app.add_subcommand("reject", "end items for good, undelivered");
    reject->add_option("ID", wishes.ids, "ObjectIdentifiers")->required();
    reject->add_option("--reason", wishes.reason, "why, for the record")->required();
    reject->callback([&] { command = [&] { return ctl::decide(wishes, "reject"); }; });

    auto* const retry = app.add_subcommand("retry", "send refused items again");
    auto* const ids = retry->add_option("ID", wishes.ids, "ObjectIdentifiers");
    auto* const destination =
        retry->add_option("--destination", wishes.destination, "all refused items of a destination");
    retry->add_option("--code", wishes.code, "only those refused with this code")->needs(destination);
    ids->excludes(destination);
    retry->callback([&] {
        if (wishes.ids.empty() && wishes.destination.empty()) {
            throw CLI::RequiredError("ID or --destination");
        }
        command = [&] { return ctl::decide(wishes, "retry"); };
    });

    auto* const reload = app.add_subcommand("reload", "read configuration and warrants anew");
    reload->callback([&] { command = [&] { return ctl::reload(wishes); }; });
}

int run(int argc, char** argv) {
    CLI::App app("Asks and orders lihandoverd.", "lihandoverctl");
    Wishes wishes;
    std::function<int()> command;
    declare(app, wishes, command);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error);
    }
    return command();
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "lihandoverctl: " << error.what() << '\n';
        return 1;
    }
}
