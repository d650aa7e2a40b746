// lea-sim: a test LEA. See README.md beside it.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <csignal>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "simulator.hpp"

namespace {

using namespace lihandover;  // NOLINT(google-build-using-namespace): a program's own file

/// What the command line says about behaviour, before it becomes rules.
struct BehaviourOptions {
    std::string delay;
    std::string jitter;
    std::vector<std::string> refuse;
    std::vector<std::string> error;
    std::vector<std::string> drop;
    std::vector<std::string> rule;
    std::vector<std::string> chaos;
    std::optional<unsigned> status;
    std::optional<unsigned> retry_after;
    std::optional<unsigned> expect_status;
    std::optional<std::uint64_t> read_rate;
    bool garbage = false;
    bool withhold_continue = false;
};

model::Status add_rule(std::vector<lea_sim::Rule>& rules, lea_sim::Settings settings) {
    auto rule = lea_sim::make_rule(settings);
    if (!rule) {
        return rule.error();
    }
    rules.push_back(std::move(*rule));
    return {};
}

model::Status add_rules(std::vector<lea_sim::Rule>& rules, const std::string& kind,
                        const std::vector<std::string>& texts) {
    for (const auto& text : texts) {
        lea_sim::Settings settings;
        if (!kind.empty()) {
            settings.emplace_back("kind", kind);
        }
        if (auto parsed = lea_sim::parse_settings(text, settings); !parsed) {
            return parsed;
        }
        if (auto added = add_rule(rules, std::move(settings)); !added) {
            return added;
        }
    }
    return {};
}

model::Result<std::vector<lea_sim::Rule>> rules_of(const BehaviourOptions& asked) {
    std::vector<lea_sim::Rule> rules;
    std::vector<lea_sim::Settings> single;
    if (!asked.delay.empty() || !asked.jitter.empty()) {
        single.push_back({{"kind", "delay"},
                          {"delay", asked.delay.empty() ? "0ms" : asked.delay},
                          {"jitter", asked.jitter.empty() ? "0ms" : asked.jitter}});
    }
    if (asked.status) {
        single.push_back({{"kind", "status"}, {"status", std::to_string(*asked.status)}});
        if (asked.retry_after) {
            single.back().emplace_back("retry_after", std::to_string(*asked.retry_after));
        }
    }
    if (asked.expect_status) {
        single.push_back({{"kind", "status"}, {"on", "uploads"}, {"status", std::to_string(*asked.expect_status)}});
    }
    if (asked.read_rate) {
        single.push_back({{"kind", "slow_read"}, {"on", "all"}, {"rate", std::to_string(*asked.read_rate)}});
    }
    if (asked.garbage) {
        single.push_back({{"kind", "garbage"}});
    }
    if (asked.withhold_continue) {
        single.push_back({{"kind", "withhold_continue"}});
    }
    for (auto& settings : single) {
        if (auto added = add_rule(rules, std::move(settings)); !added) {
            return added.error();
        }
    }
    const std::vector<std::pair<std::string, const std::vector<std::string>*>> repeated = {
        {"refuse", &asked.refuse}, {"error", &asked.error}, {"drop", &asked.drop}, {"", &asked.rule}};
    for (const auto& [kind, texts] : repeated) {
        if (auto added = add_rules(rules, kind, *texts); !added) {
            return added.error();
        }
    }
    for (const auto& text : asked.chaos) {
        auto chaos = lea_sim::chaos_rules(text);
        if (!chaos) {
            return chaos.error();
        }
        rules.insert(rules.end(), chaos->begin(), chaos->end());
    }
    return rules;
}

int run(int argc, char** argv) {
    CLI::App app("A test LEA: takes TS 103 707 deliveries over mutual TLS and answers as it is told to.", "lea-sim");
    lea_sim::Options options;
    BehaviourOptions asked;
    bool discard = false;
    app.add_option("--listen", options.listen, "address and port; port 0 takes any free one")->capture_default_str();
    app.add_option("--certificate", options.tls.certificate, "PEM file")->required();
    app.add_option("--private-key", options.tls.private_key, "PEM file")->required();
    app.add_option("--client-ca", options.tls.ca, "PEM file; clients need a certificate below it")->required();
    auto* const output = app.add_option("--output", options.output, "directory for what is received");
    auto* const discard_flag = app.add_flag("--discard", discard, "keep nothing");
    output->excludes(discard_flag);
    app.add_flag("--quiet", options.quiet, "print no line for each action; with --discard the fast path");
    app.add_option("--control", options.control, "unix:/path or 127.0.0.1:port; behaviour can be changed there");
    app.add_option("--validate", options.validate, "directory of XML Schemas to check each document against");
    app.add_option("--upload-prefix", options.upload_prefix, "paths of binary objects begin so")->capture_default_str();
    app.add_option("--seed", options.seed, "of all that happens at random")->capture_default_str();
    app.add_option("--delay", asked.delay, "time before each answer, such as 200ms");
    app.add_option("--jitter", asked.jitter, "random time more");
    app.add_option("--refuse", asked.refuse, "code=3007,liid=…,every=10: refuses actions")->allow_extra_args(false);
    app.add_option("--error", asked.error, "code=…,times=…: refuses whole messages")->allow_extra_args(false);
    auto* const status = app.add_option("--status", asked.status, "HTTP status instead of an answer");
    app.add_option("--retry-after", asked.retry_after, "seconds, beside --status")->needs(status);
    app.add_option("--drop", asked.drop, "moment=reading|answering|answered|any: drops connections")
        ->allow_extra_args(false);
    app.add_flag("--garbage", asked.garbage, "answers with nonsense");
    app.add_option("--read-rate", asked.read_rate, "bytes per second that are read");
    app.add_flag("--withhold-continue", asked.withhold_continue, "never sends 100 Continue");
    app.add_option("--expect-status", asked.expect_status, "HTTP status instead of 100 Continue, such as 417");
    app.add_option("--rule", asked.rule, "kind=…,…: any rule, see README.md")->allow_extra_args(false);
    app.add_option("--chaos", asked.chaos, "drop=0.05,delay=0.1,refuse=0.01: a mix at random")->allow_extra_args(false);
    try {
        app.parse(argc, argv);
        if (options.output.empty() && !discard) {
            throw CLI::RequiredError("--output or --discard");
        }
    } catch (const CLI::ParseError& error) {
        return app.exit(error);
    }
    auto rules = rules_of(asked);
    if (!rules) {
        std::cerr << "lea-sim: " << rules.error().message << '\n';
        return 2;
    }
    options.rules = std::move(*rules);

    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    // Before any thread starts, so that none of them gets the signals; sigwait below does.
    (void)pthread_sigmask(SIG_BLOCK, &ending, nullptr);
    (void)std::signal(SIGPIPE, SIG_IGN);
    auto simulator = lea_sim::Simulator::start(options);
    if (!simulator) {
        std::cerr << "lea-sim: " << simulator.error().message << '\n';
        return 1;
    }
    int received = 0;
    (void)sigwait(&ending, &received);
    (*simulator)->stop();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "lea-sim: " << error.what() << '\n';
        return 1;
    }
}
