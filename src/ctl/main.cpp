// lihandoverctl: the operator's command.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <exception>
#include <functional>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>

#include "commands.hpp"
#include "terminal.hpp"

namespace {

using lihandover::ctl::Options;

CLI::Option* declare_interval(CLI::App& command, Options& options) {
    return command.add_option("--interval", options.interval, "seconds between two looks")
        ->check(CLI::Range(0.1, 86400.0))
        // Of what is no number, Range says that it is within.
        ->each([](const std::string& text) {
            if (text.find_first_not_of("0123456789.") != std::string::npos) {
                throw CLI::ValidationError("--interval", text + " is no number of seconds");
            }
        })
        ->capture_default_str();
}

/// Of a command that can look again and again.
void declare_looks(CLI::App& command, Options& options) {
    auto* const watch =
        command.add_flag("--watch", options.watch, "look again and again, until it is ended; q ends it");
    declare_interval(command, options)->needs(watch);
    command.add_option("--times", options.times, "end after so many looks")->check(CLI::PositiveNumber)->needs(watch);
    command.footer(
        "On a terminal, --watch draws in place; in a pipe it prints one block for each look, with --json one document "
        "per line. While the daemon does not answer, it says so and goes on.");
}

void declare_top(CLI::App& app, Options& options, std::function<int()>& command) {
    namespace ctl = lihandover::ctl;
    constexpr std::uint64_t most = 1000;
    auto* const top = app.add_subcommand("top", "the destinations and LIIDs with the most queued, drawn anew until q");
    top->add_option("--by", options.by, "what comes first: most items, or the oldest")
        ->check(CLI::IsMember({"items", "age"}))
        ->capture_default_str();
    top->add_option("--limit", options.limit, "at most so many LIIDs; 20 if absent")
        ->check(CLI::Range(std::uint64_t{1}, most));
    auto* const once = top->add_flag("--once", options.once, "look once");
    declare_interval(*top, options);
    top->add_option("--times", options.times, "end after so many looks")->check(CLI::PositiveNumber)->excludes(once);
    top->footer(
        "CHANGE is how many more, or fewer, are queued each second since the last look. What is set aside, refused or "
        "held is counted for destinations only; `items` lists it. In a pipe there is one block for each look.");
    top->callback([&] { command = [&] { return ctl::top(options); }; });
}

void declare_record(CLI::App& app, Options& options, std::function<int()>& command) {
    namespace ctl = lihandover::ctl;
    auto* const audit = app.add_subcommand("audit", "the record of all decisions");
    audit->require_subcommand(1);

    auto* const exported = audit->add_subcommand("export", "print its entries, one JSON object per line");
    exported->add_option("--since", options.since, "from this time on, as 2026-03-01T00:00:00Z");
    exported->add_option("--until", options.until, "before this time");
    auto* const destination =
        exported->add_option("--destination", options.destination, "of one warrant: where it goes");
    auto* const liid = exported->add_option("--liid", options.liid, "and its LIID");
    destination->needs(liid);
    liid->needs(destination);
    exported->callback([&] { command = [&] { return ctl::export_audit(options); }; });

    auto* const verify = audit->add_subcommand("verify", "check exports, without the daemon");
    verify->add_option("FILE", options.files, "exports, of any daemons")->required();
    verify->footer(
        "Ends with 0 if everything holds, with 2 if nothing is wrong but, with --key, not everything is proved by a "
        "signature or a known head, and with 1 if anything is wrong.");
    verify
        ->add_option("--key,--public-key", options.public_keys,
                     "of audit.signing_key, in PEM: check signatures with it; several where it was changed")
        ->allow_extra_args(false);
    verify->add_option("--head", options.heads, "NUMBER:HASH that somebody wrote down: it has to be there")
        ->allow_extra_args(false);
    verify->add_option("--accept-unsigned", options.accepted_unsigned,
                       "with --key: at most so many entries at a chain's end need no signature");
    verify->callback([&] { command = [&] { return ctl::verify_audit(options); }; });

    auto* const record = audit->add_subcommand("record-head", "be witness for another daemon's chain");
    record->add_option("FILE", options.files, "an export of it")->required()->expected(1);
    record->callback([&] { command = [&] { return ctl::record_head(options); }; });

    auto* const report = app.add_subcommand("report", "what became of the items of each warrant");
    report->add_option("--destination", options.destination, "of one destination only");
    report->add_option("--liid", options.liid, "of one LIID only");
    report->add_option("--since", options.since, "made from this time on, as 2026-03-01T00:00:00Z");
    report->add_option("--until", options.until, "made before this time");
    report->add_option("--format", options.format, "csv or json")->check(CLI::IsMember({"csv", "json"}));
    report->callback([&] { command = [&] { return ctl::report(options); }; });
}

void declare_warrants(CLI::App& app, Options& options, std::function<int()>& command) {
    namespace ctl = lihandover::ctl;
    auto* const warrants = app.add_subcommand("warrants", "the warrants in force");
    warrants->add_option("--limit", options.limit, "at most so many")->check(CLI::PositiveNumber);
    warrants->add_option("--after", options.after, "from the one behind DESTINATION/LIID");
    warrants->add_flag("--waiting", options.waiting, "those that wait for approval, with what they would change");
    warrants->callback([&, warrants] {
        if (warrants->get_subcommands().empty()) {
            command = [&] { return ctl::list_warrants(options); };
        }
    });
    for (const auto& [name, help] : {std::pair("apply", "put a set of warrant files in place, for all daemons"),
                                     std::pair("diff", "what applying a set of warrant files would change")}) {
        auto* const set = warrants->add_subcommand(name, help);
        set->add_option("DIR", options.directory, "the directory of the files, *.yaml")->required();
        const bool apply = std::string_view(name) == "apply";
        if (apply) {
            set->add_flag("--confirm-ended", options.confirm_ended,
                          "warrants that are not in the set shall end, however many they are");
        }
        set->callback([&command, &options, apply] {
            command = [&options, apply] { return ctl::take_warrant_set(options, apply); };
        });
    }

    for (const auto& [name, help] :
         {std::pair("approve-warrant", "let a new warrant, or one that orders more, come into force"),
          std::pair("refuse-warrant", "keep it from coming into force until its file changes")}) {
        auto* const decision = app.add_subcommand(name, help);
        decision->add_option("LIID", options.liid, "the warrant's LIID")->required();
        decision->add_option("--destination", options.destination, "its destination")->required();
        decision->add_option("--digest", options.digest, "only what `warrants --waiting` showed with this digest");
        if (std::string_view(name) == "refuse-warrant") {
            decision->add_option("--reason", options.reason, "why, for the record")->required();
        }
        decision->callback([&command, &options, name = std::string(name)] {
            command = [&options, name] { return ctl::decide_warrant(options, name); };
        });
    }

    auto* const revoke = app.add_subcommand("revoke", "end a warrant at once, whatever its file says");
    revoke->add_option("LIID", options.liid, "the warrant's LIID")->required();
    revoke->add_option("--destination", options.destination, "its destination")->required();
    revoke->add_option("--reason", options.reason, "why, for the record")->required();
    revoke->add_option("--queued", options.queued, "what becomes of what is queued: deliver (unless given) or hold")
        ->check(CLI::IsMember({"deliver", "hold"}));
    revoke->callback([&] { command = [&] { return ctl::revoke(options); }; });
}

void declare_items(CLI::App& app, Options& options, std::function<int()>& command) {
    namespace ctl = lihandover::ctl;
    auto* const items = app.add_subcommand("items", "the items that wait, or those of one state");
    items->add_option("--state", options.state, "only these")
        ->check(CLI::IsMember({"held", "queued", "set_aside", "refused", "delivered", "rejected"}));
    items->add_option("--destination", options.destination, "only those of a destination");
    items->add_option("--since", options.since, "received from this time on, as 2026-03-01T00:00:00Z");
    items->add_option("--until", options.until, "received before this time");
    items->add_option("--limit", options.limit, "at most so many")->check(CLI::PositiveNumber);
    items->add_option("--after", options.after, "from the one behind this item");
    items->callback([&] { command = [&] { return ctl::list_items(options); }; });

    auto* const show = app.add_subcommand("show", "all about one item but its content");
    show->add_option("ID", options.ids, "its ObjectIdentifier")->required()->expected(1);
    auto* const content = show->add_flag_callback(
        "--content", [&] { options.form = "document"; },
        "what it would deliver, for members of admin.reviewers: the document");
    show->add_flag_callback(
            "--text", [&] { options.form = "text"; }, "with --content: in lines to read instead")
        ->needs(content);
    show->callback(
        [&] { command = [&] { return options.form.empty() ? ctl::show_item(options) : ctl::show_content(options); }; });

    auto* const approve = app.add_subcommand("approve", "release items that are held for review");
    approve->add_option("ID", options.ids, "ObjectIdentifiers")->required();
    approve->callback([&] { command = [&] { return ctl::decide(options, "approve"); }; });

    auto* const reject = app.add_subcommand("reject", "end items for good, undelivered");
    reject->add_option("ID", options.ids, "ObjectIdentifiers")->required();
    reject->add_option("--reason", options.reason, "why, for the record")->required();
    reject->callback([&] { command = [&] { return ctl::decide(options, "reject"); }; });

    auto* const retry = app.add_subcommand("retry", "send refused items, and those set aside, again");
    auto* const ids = retry->add_option("ID", options.ids, "ObjectIdentifiers");
    auto* const destination = retry->add_option("--destination", options.destination, "all of a destination");
    retry->add_option("--code", options.code, "only those refused with this code")->needs(destination);
    ids->excludes(destination);
    retry->callback([&] {
        if (options.ids.empty() && options.destination.empty()) {
            throw CLI::RequiredError("ID or --destination");
        }
        command = [&] { return ctl::decide(options, "retry"); };
    });
}

/// Declares the command line; the command that is chosen sets `command`.
void declare(CLI::App& app, Options& options, std::function<int()>& command) {
    namespace ctl = lihandover::ctl;
    app.set_version_flag("--version", "lihandoverctl " LIHANDOVER_VERSION);
    app.add_option("--socket", options.socket, "the daemon's control socket")->capture_default_str();
    app.add_flag("--json", options.json, "print JSON");
    app.add_option("--operator", options.operator_name, "who decides, recorded beside the user's name");
    app.require_subcommand(1);
    app.fallthrough();

    auto* const status = app.add_subcommand("status", "how the daemon and its destinations are");
    declare_looks(*status, options);
    status->callback([&] { command = [&] { return ctl::show_status(options); }; });

    declare_top(app, options, command);
    declare_items(app, options, command);

    for (const auto& [name, help] : {std::pair("pause", "stop delivery to a destination on purpose"),
                                     std::pair("resume", "end a pause, or a wait that the LEA asked for")}) {
        auto* const order = app.add_subcommand(name, help);
        order->add_option("DESTINATION", options.destination, "its name")->required();
        order->callback([&command, &options, name = std::string(name)] {
            command = [&options, name] { return ctl::order_delivery(options, name); };
        });
    }

    auto* const restore = app.add_subcommand("restore", "a state of the store that is not the last one");
    restore->require_subcommand(1);
    auto* const known = restore->add_subcommand("accept", "say that you know that it was put in place");
    known->add_option("--reason", options.reason, "who did it and why, for the record")->required();
    known->callback([&] { command = [&] { return ctl::accept_restore(options); }; });

    auto* const clock = app.add_subcommand("clock", "what the daemon takes as the time");
    clock->require_subcommand(1);
    auto* const accept = clock->add_subcommand("accept", "say that the wall clock is right");
    accept->callback([&] { command = [&] { return ctl::accept_clock(options); }; });
    auto* const rekey = app.add_subcommand("rekey", "seal the store under the first of encryption.key_files");
    rekey->add_flag("--no-wait", options.no_wait, "do not wait until it is done; `status` shows how far it is");
    rekey->callback([&] { command = [&] { return ctl::rekey(options); }; });
    declare_warrants(app, options, command);
    declare_record(app, options, command);

    auto* const reload = app.add_subcommand("reload", "read configuration and warrants anew");
    reload->add_flag("--confirm-ended", options.confirm_ended,
                     "warrants whose files are gone shall end, however many they are");
    reload->callback([&] { command = [&] { return ctl::reload(options); }; });
}

int run(int argc, char** argv) {
    CLI::App app("Asks and orders lihandoverd.", "lihandoverctl");
    Options options;
    std::function<int()> command;
    declare(app, options, command);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        // 0 of --help and --version.
        return app.exit(error) == 0 ? 0 : lihandover::ctl::status_usage;
    }
    return command();
}

}  // namespace

int main(int argc, char** argv) {
    try {
        lihandover::ctl::take_locale();
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "lihandoverctl: " << error.what() << '\n';
        return 1;
    }
}
