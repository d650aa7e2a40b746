// x2x3-send: a test point of interception. See README.md beside it.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "flow.hpp"
#include "pdus.hpp"
#include "sender.hpp"
#include "streams.hpp"

namespace {

using namespace lihandover;             // NOLINT(google-build-using-namespace): a program's own file
using namespace lihandover::x2x3_send;  // NOLINT(google-build-using-namespace)

enum Exit : int { ok = 0, failed = 1, usage = 2, unacknowledged = 3, ended = 4 };

struct Options {
    std::vector<std::string> files;
    std::string to;
    std::vector<std::string> xids;
    std::vector<std::string> tasks;
    std::vector<std::string> hops;
    std::vector<std::string> kinds;
    CaptureOptions capture;
    PduOptions pdus;
    SendOptions send;
    std::string correlation = "session";
    std::string sequence = "context";
    std::string deal = "session";
    std::string time;
    std::string split;
    std::string write;
    std::string keepalive_form = "numbered";
    double duration = 0;
    double keepalive = 60;
    double keepalive_timeout = 180;
    double patience = 30;
    double reconnect_pause = 0.1;
    double split_pause = 0;
    std::uint64_t kill_after = 0;
    std::vector<std::string> matched;
    bool print = false;
    bool print_flow = false;
};

std::chrono::milliseconds seconds(double number) {
    return std::chrono::milliseconds(static_cast<std::int64_t>(number * 1000));
}

template <typename Number>
std::optional<Number> number_of(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// Reading

model::Status take_tasks(const Options& options, FlowDefaults& defaults) {
    for (const auto& text : options.tasks) {
        const std::size_t equals = std::min(text.find('='), text.size());
        const auto id = model::Uuid::parse(std::string_view(text).substr(std::min(text.size(), equals + 1)));
        if (!id) {
            return model::Error{"--task NAME=UUID is needed"};
        }
        defaults.tasks[text.substr(0, equals)] = *id;
    }
    for (const auto& text : options.xids) {
        const auto id = model::Uuid::parse(text);
        if (!id) {
            return model::Error{"--xid: no UUID"};
        }
        defaults.xids.push_back(*id);
    }
    return {};
}

bool is_capture(std::string_view file) {
    constexpr std::array<std::string_view, 5> magics = {"\xa1\xb2\xc3\xd4", "\xa1\xb2\x3c\x4d", "\xd4\xc3\xb2\xa1",
                                                        "\x4d\x3c\xb2\xa1", "\x0a\x0d\x0d\x0a"};
    return std::ranges::any_of(magics, [file](std::string_view magic) { return file.starts_with(magic); });
}

model::Result<std::vector<Message>> read_file(const std::string& path, const Options& options,
                                              const FlowDefaults& defaults) {
    std::ifstream stream(path, std::ios::binary);
    const std::string file{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    if (!stream) {
        return model::Error{"cannot be read"};
    }
    if (is_capture(file)) {
        CaptureOptions capture = options.capture;
        capture.xids = defaults.xids;
        if (capture.xids.empty()) {
            return model::Error{"a capture needs --xid"};
        }
        CaptureLosses losses;
        auto messages = messages_of(file, capture, &losses);
        if (losses.holes > 0) {
            std::cerr << "x2x3-send: " << path << ": " << losses.holes << " holes in streams of TCP\n";
        }
        return messages;
    }
    auto flow = read_flow(file, defaults);
    if (!flow) {
        return flow.error();
    }
    return std::move(flow->messages);
}

/// Whether a message is one of those asked for: seen at one of the nodes, of one of the kinds.
bool wanted(const Message& message, const Options& options) {
    const auto at_node = [&message](const std::string& node) {
        const std::size_t arrow = std::min(message.hop.find('>'), message.hop.size());
        return message.hop.substr(0, arrow) == node ||
               message.hop.substr(std::min(message.hop.size(), arrow + 1)) == node;
    };
    return (options.hops.empty() || std::ranges::any_of(options.hops, at_node)) &&
           (options.kinds.empty() || std::ranges::find(options.kinds, name_of(message.kind)) != options.kinds.end());
}

model::Result<std::vector<Message>> read_all(const Options& options) {
    FlowDefaults defaults;
    if (auto taken = take_tasks(options, defaults); !taken) {
        return taken.error();
    }
    std::vector<Message> all;
    for (const auto& path : options.files) {
        auto messages = read_file(path, options, defaults);
        if (!messages) {
            return model::prefixed(path + ": ", messages.error());
        }
        for (auto& message : *messages) {
            if (wanted(message, options)) {
                all.push_back(std::move(message));
            }
        }
    }
    return all;
}

// Options that are more than a value

model::Status take_split(const std::string& text, Cuts& cuts) {
    if (text.starts_with("random")) {
        const auto seed =
            text.size() > 7 ? number_of<std::uint64_t>(std::string_view(text).substr(7)) : std::uint64_t{1};
        cuts.seed = seed;
        return seed ? model::Status() : model::Status(model::Error{"--split random:SEED"});
    }
    if (text.starts_with("every:")) {
        cuts.every = number_of<std::uint64_t>(std::string_view(text).substr(6)).value_or(0);
        return cuts.every > 0 ? model::Status() : model::Status(model::Error{"--split every:BYTES"});
    }
    for (std::string_view rest = text; !rest.empty();) {
        const std::string_view one = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), one.size() + 1));
        const auto at = number_of<std::uint64_t>(one);
        if (!at) {
            return model::Error{"--split BYTES,BYTES,…, every:BYTES or random:SEED"};
        }
        cuts.at.push_back(*at);
    }
    std::ranges::sort(cuts.at);
    return {};
}

model::Status take_time(const Options& options, SendOptions& send) {
    if (options.time.empty() || options.time == "captured") {
        send.time = SendOptions::Time::captured;
    } else if (options.time == "now") {
        send.time = SendOptions::Time::now;
    } else {
        const auto time = model::parse_rfc3339(options.time);
        if (!time) {
            return model::Error{"--time now, captured or an RFC 3339 time"};
        }
        send.time = SendOptions::Time::fixed;
        send.begin = time->instant;
    }
    return {};
}

model::Status take_choices(Options& options) {
    SendOptions& send = options.send;
    if (options.correlation != "session") {
        const auto number =
            options.correlation == "none" ? std::uint64_t{0} : number_of<std::uint64_t>(options.correlation);
        if (!number) {
            return model::Error{"--correlation session, none or a number"};
        }
        options.pdus.correlation = PduOptions::Correlation::fixed;
        options.pdus.fixed_correlation = *number;
    }
    options.pdus.sequence = options.sequence == "all"    ? PduOptions::Sequence::all
                            : options.sequence == "none" ? PduOptions::Sequence::none
                                                         : PduOptions::Sequence::context;
    send.deal = options.deal == "turn"   ? SendOptions::Deal::turn
                : options.deal == "copy" ? SendOptions::Deal::copy
                                         : SendOptions::Deal::session;
    constexpr std::uint16_t matched_target = 17;
    for (const auto& target : options.matched) {
        options.pdus.attributes.push_back({matched_target, target});
    }
    const std::size_t colon = options.to.rfind(':');
    const auto port =
        number_of<std::uint16_t>(std::string_view(options.to).substr(std::min(options.to.size(), colon + 1)));
    if (!options.to.empty() && (colon == std::string::npos || !port)) {
        return model::Error{"--to HOST:PORT"};
    }
    send.tls.port = port.value_or(0);
    send.tls.host = options.to.substr(0, std::min(colon, options.to.size()));
    if (send.tls.host.starts_with('[') && send.tls.host.ends_with(']')) {
        send.tls.host = send.tls.host.substr(1, send.tls.host.size() - 2);
    }
    send.keepalive_numbers = options.keepalive_form == "numbered";
    send.keepalive_interval = seconds(options.keepalive);
    send.keepalive_timeout = seconds(options.keepalive_timeout);
    send.tls.patience = seconds(options.patience);
    send.reconnect_pause = seconds(options.reconnect_pause);
    send.cuts.pause = std::chrono::microseconds(static_cast<std::int64_t>(options.split_pause * 1e6));
    if (options.duration > 0) {
        send.duration = seconds(options.duration);
        send.repetitions = 0;
    }
    if (options.kill_after > 0) {
        send.kill_after = options.kill_after;
    }
    if (auto taken = take_split(options.split, send.cuts); !taken) {
        return taken;
    }
    return take_time(options, send);
}

void add_reading_options(CLI::App& app, Options& options) {
    app.add_option("files", options.files, "flows and captures, in this order")->required();
    app.add_option("--xid", options.xids, "UUID of the task, where a flow names none; several: in each PDU")
        ->allow_extra_args(false);
    app.add_option("--task", options.tasks, "NAME=UUID: a task that a flow names")->allow_extra_args(false);
    app.add_option("--hop", options.hops, "only messages that this node sends or receives")->allow_extra_args(false);
    app.add_option("--kind", options.kinds, "only messages of this kind")
        ->check(CLI::IsMember({"sip", "msrp", "mime", "raw"}))
        ->allow_extra_args(false);
    app.add_option("--target", options.capture.targets, "of a capture: a URI of the target, for the directions")
        ->allow_extra_args(false);
    app.add_option("--target-address", options.capture.target_addresses, "of a capture: an IP address of the target")
        ->allow_extra_args(false);
}

void add_pdu_options(CLI::App& app, Options& options) {
    app.add_option("--correlation", options.correlation, "session (one id each), none, or a number")
        ->capture_default_str();
    app.add_option("--sequence", options.sequence, "numbers by context, over all PDUs, or none")
        ->check(CLI::IsMember({"context", "all", "none"}))
        ->capture_default_str();
    app.add_option("--time", options.time, "now, captured (where it is known, the default), or an RFC 3339 time");
    app.add_option("--time-octets", options.pdus.time_octets, "of the timestamp; 0: none")
        ->check(CLI::IsMember({0, 8, 12}))
        ->capture_default_str();
    app.add_option("--domain", options.pdus.domain_id, "domain id");
    app.add_option("--function", options.pdus.function_id, "network function id");
    app.add_option("--point", options.pdus.point_id, "interception point id");
    app.add_option("--matched", options.matched, "matched target identifier of every PDU")->allow_extra_args(false);
}

void add_sending_options(CLI::App& app, Options& options) {
    SendOptions& send = options.send;
    app.add_option("--to", options.to, "HOST:PORT of the receiver");
    app.add_option("--certificate", send.tls.certificate, "PEM file");
    app.add_option("--private-key", send.tls.private_key, "PEM file");
    app.add_option("--ca", send.tls.ca, "PEM file; the receiver needs a certificate below it");
    app.add_option("--server-name", send.tls.server_name, "name in the receiver's certificate; else that of --to");
    app.add_option("--connections", send.connections)->check(CLI::Range(1, 10'000))->capture_default_str();
    app.add_option("--deal", options.deal,
                   "a PDU takes the connection of its session, the next in turn, or all of them")
        ->check(CLI::IsMember({"session", "turn", "copy"}))
        ->capture_default_str();
    app.add_option("--repeat", send.repetitions, "times everything is sent; {n} counts them")->capture_default_str();
    app.add_option("--for", options.duration, "seconds to repeat for");
    app.add_option("--rate", send.rate, "PDUs per second; 0: as fast as they are read");
    app.add_option("--speed", send.speed, "keeps the flow's times, so many times as fast; 0: not");
    app.add_option("--split", options.split, "BYTES,BYTES,… or every:BYTES or random:SEED: where writes are cut");
    app.add_option("--split-pause", options.split_pause, "seconds between two such writes");
    app.add_option("--keepalive", options.keepalive, "seconds between keepalives; 0: none but the last")
        ->capture_default_str();
    app.add_option("--keepalive-timeout", options.keepalive_timeout, "seconds for an acknowledgement")
        ->capture_default_str();
    app.add_option("--keepalive-form", options.keepalive_form, "with a sequence number, or bare")
        ->check(CLI::IsMember({"numbered", "bare"}))
        ->capture_default_str();
    app.add_option("--last-keepalives", send.last_keepalives, "at the end, to see that all was read")
        ->capture_default_str();
    app.add_option("--kill-after", options.kill_after, "resets each connection after so many bytes");
    app.add_option("--reconnect", send.reconnects, "times all is sent again after a connection ended too soon")
        ->capture_default_str();
    app.add_option("--reconnect-pause", options.reconnect_pause, "seconds")->capture_default_str();
    app.add_option("--patience", options.patience, "seconds for a connection, and for its end")->capture_default_str();
}

// Other things than sending

int print(PduSequence& pdus, const std::vector<Message>& messages, const Options& options) {
    for (std::size_t i = 0; i < pdus.size(); ++i) {
        Message message = messages[i];
        message.correlation = pdus.correlation(i, 0);
        const std::string& bytes = pdus.bytes(i, 0, options.send.begin);
        message.bytes = message.kind == Kind::raw ? bytes : bytes.substr(bytes.size() - message.bytes.size());
        if (options.print) {
            std::cout << describe(bytes);
        }
        std::cout << flow_text(message);
    }
    return Exit::ok;
}

int write(PduSequence& pdus, const Options& options) {
    std::ofstream file(options.write, std::ios::binary);
    for (std::uint64_t repetition = 0; repetition < std::max<std::uint64_t>(options.send.repetitions, 1);
         ++repetition) {
        for (std::size_t i = 0; i < pdus.size(); ++i) {
            const bool captured = options.send.time == SendOptions::Time::captured && pdus.at(i).captured;
            file << pdus.bytes(i, repetition, captured ? std::nullopt : std::optional(options.send.begin));
        }
    }
    file.close();
    if (!file) {
        std::cerr << "x2x3-send: " << options.write << ": cannot be written\n";
        return Exit::failed;
    }
    return Exit::ok;
}

int report(const Sent& sent) {
    constexpr std::array<const char*, 4> outcomes = {"done", "lost", "killed", "unacknowledged"};
    const auto count = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
    const auto in_seconds = [](std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); };
    std::printf(
        "{\"outcome\":\"%s\",\"pdus\":%llu,\"bytes\":%llu,\"seconds\":%.6f,\"per_second\":%.1f,\"keepalives\":%llu,"
        "\"acknowledged\":%llu,\"slowest_acknowledgement\":%.6f,\"tries\":%llu}\n",
        outcomes.at(static_cast<std::size_t>(sent.outcome)), count(sent.pdus), count(sent.bytes), in_seconds(sent.took),
        static_cast<double>(sent.pdus) / std::max(in_seconds(sent.took), 1e-9), count(sent.keepalives),
        count(sent.acknowledged), in_seconds(sent.slowest_acknowledgement), count(sent.tries));
    if (!sent.why.empty()) {
        std::cerr << "x2x3-send: " << sent.why << '\n';
    }
    switch (sent.outcome) {
        case Sent::Outcome::lost:
            return Exit::ended;
        case Sent::Outcome::unacknowledged:
            return Exit::unacknowledged;
        case Sent::Outcome::done:
        case Sent::Outcome::killed:
            break;
    }
    return Exit::ok;
}

int run(int argc, char** argv) {
    CLI::App app("A test point of interception: sends flows and captures as X2/X3 (TS 103 221-2).", "x2x3-send");
    Options options;
    add_reading_options(app, options);
    add_pdu_options(app, options);
    add_sending_options(app, options);
    app.add_flag("--print", options.print, "prints the PDUs, and sends nothing");
    app.add_flag("--print-flow", options.print_flow, "prints the messages as a flow, and sends nothing");
    app.add_option("--write", options.write, "writes the PDUs to this file, and sends nothing");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? Exit::ok : Exit::usage;
    }
    (void)std::signal(SIGPIPE, SIG_IGN);
    if (auto taken = take_choices(options); !taken) {
        std::cerr << "x2x3-send: " << taken.error().message << '\n';
        return Exit::usage;
    }
    auto messages = read_all(options);
    if (!messages) {
        std::cerr << "x2x3-send: " << messages.error().message << '\n';
        return Exit::usage;
    }
    PduSequence pdus(*messages, options.pdus);
    if (options.print || options.print_flow) {
        return print(pdus, *messages, options);
    }
    if (!options.write.empty()) {
        return write(pdus, options);
    }
    if (options.to.empty()) {
        std::cerr << "x2x3-send: --to HOST:PORT is needed\n";
        return Exit::usage;
    }
    auto sent = send(pdus, options.send);
    if (!sent) {
        std::cerr << "x2x3-send: " << sent.error().message << '\n';
        return Exit::failed;
    }
    return report(*sent);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "x2x3-send: " << error.what() << '\n';
        return Exit::failed;
    }
}
