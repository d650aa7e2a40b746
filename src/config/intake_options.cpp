#include "intake_options.hpp"

#include <algorithm>
#include <set>
#include <string>

#include "option_types.hpp"

namespace lihandover::config {

namespace {

using std::chrono::days;
using std::chrono::seconds;

Type<std::string> source_name_type() {
    return name_type("1 to 64 of a-z, A-Z, 0-9, _, . and -", "_.-", true);
}

}  // namespace

Schema<ServerTls> server_tls_schema(bool reloadable) {
    auto files =
        Schema<ServerTls>()
            .option(required({.name = "certificate",
                              .help = "PEM file: our certificate, then the intermediate ones.",
                              .example = "/etc/lihandoverd/tls/intake.pem",
                              .reloadable = reloadable}),
                    &ServerTls::certificate, path_type())
            .option(required({.name = "private_key",
                              .help = "PEM file: its private key, not encrypted.",
                              .example = "/etc/lihandoverd/tls/intake.key",
                              .reloadable = reloadable}),
                    &ServerTls::private_key, path_type())
            .option(required({.name = "client_ca",
                              .help = "PEM file: the CA certificates that clients' certificates must lead to.",
                              .example = "/etc/lihandoverd/tls/sources-ca.pem",
                              .reloadable = reloadable}),
                    &ServerTls::client_ca, path_type())
            .option(
                {.name = "client_crl",
                 .help =
                     "PEM or DER file: certificate revocation lists of these CAs. Whoever is on one is refused, and "
                     "everyone while the list is missing or out of date. Absent: "
                     "revocation is not checked.",
                 .example = "/etc/lihandoverd/tls/sources.crl",
                 .reloadable = reloadable},
                &ServerTls::client_crl, path_type())
            .option(
                {.name = "clients",
                 .help = "Which of these clients are allowed, by SHA-256 of their certificate, or of its public key "
                         "after `spki:`. Empty: all of them.",
                 .example = "[\"spki:0c72e35be9d3a6e6c8f5ef0c1b5a0f3c7a1d2e4b5f60718293a4b5c6d7e8f901\"]",
                 .reloadable = reloadable},
                &ServerTls::clients, list_type(fingerprint_type(), 0, 1000));
    return with_tls_choice(std::move(files), reloadable);
}

namespace {

Type<std::string> digits_type(std::size_t least, std::size_t most, const std::string& allowed) {
    return text_type(least, most, allowed, [allowed](std::string_view text) {
        const bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
        return digits ? std::nullopt : std::optional("not digits; allowed: " + allowed);
    });
}

Type<std::string> calling_code_type() {
    const std::string allowed = "1 to 3 digits, the first not 0";
    return text_type(1, 3, allowed, [allowed](std::string_view text) {
        const bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
        return digits && !text.starts_with('0') ? std::nullopt
                                                : std::optional("not a country code; allowed: " + allowed);
    });
}

Schema<model::NumberPlan> number_plan_schema() {
    return Schema<model::NumberPlan>()
        .option(required({.name = "country_code",
                          .help = "What replaces the trunk prefix of a national number in its international form.",
                          .example = "\"44\"",
                          .reloadable = true}),
                &model::NumberPlan::country_code, calling_code_type())
        .option({.name = "trunk_prefix",
                 .help = "What a national number begins with. Empty: national numbers have no prefix, and every number "
                         "without + or `international_prefix` is national. Absent: no number is national.",
                 .example = "\"0\"",
                 .reloadable = true},
                &model::NumberPlan::trunk_prefix, digits_type(0, 5, "at most 5 digits"))
        .option({.name = "international_prefix",
                 .help = "What an international number begins with instead of +; 00 always counts too.",
                 .example = "\"00\"",
                 .reloadable = true},
                &model::NumberPlan::international_prefix, digits_type(1, 6, "1 to 6 digits"));
}

void check_listener(Reader& reader, const YamlNode& node, IntakeListener& listener) {
    const YamlNode* const listen = node.find("listen");
    const YamlNode* const tls = node.find("tls");
    if (listen == nullptr || listener.listen == ListenAddress{}) {
        return;  // reported already
    }
    if (listener.listen.is_unix()) {
        if (tls != nullptr) {
            reader.problem_below("tls", tls->place, "not for a Unix socket; its mode and group say who may talk");
        }
        return;
    }
    if (tls == nullptr) {
        reader.problem_below("tls", listen->place, "missing; a TCP listener takes clients with certificates only");
    }
    for (const char* const key : {"mode", "group"}) {
        if (const YamlNode* const option = node.find(key)) {
            reader.problem_below(key, option->place, "only for a Unix socket");
        }
    }
}

Schema<IntakeListener> listener_schema() {
    return Schema<IntakeListener>()
        .option({.name = "name",
                 .help = "The source's name in metrics and deduplication. Absent: http-1 for the first, and so on. A "
                         "source that changes its name is another source.",
                 .example = "messaging"},
                &IntakeListener::name, source_name_type())
        .option(required({.name = "listen", .help = "Where to listen.", .example = "127.0.0.1:8441"}),
                &IntakeListener::listen, listen_type())
        .section({.name = "tls", .help = "Needed for TCP, where every client must have a certificate."},
                 &IntakeListener::tls, server_tls_schema(false))
        .option({.name = "mode", .help = "Permissions of a Unix socket."}, &IntakeListener::mode, mode_type())
        .option(
            {.name = "group",
             .help = "Group of a Unix socket. The daemon's user has to be in it, or the daemon does not start. Absent: "
                     "the daemon's own.",
             .example = "messaging"},
            &IntakeListener::group, group_type())
        .section({.name = "numbers",
                  .help = "How this source writes telephone numbers that are not in international form "
                          "(docs/identifiers.md). Absent: a number that begins with a single 0 equals no other.",
                  .reloadable = true},
                 &IntakeListener::numbers, number_plan_schema())
        .check(check_listener);
}

void check_x2x3_listener(Reader& reader, const YamlNode& node, X2x3Listener& listener) {
    if (listener.listen.is_unix()) {
        reader.problem_below("listen", node.find("listen")->place,
                             "X2/X3 is TLS over TCP; allowed: address:port or [v6]:port");
    }
}

Schema<X2x3Listener> x2x3_schema() {
    return Schema<X2x3Listener>()
        .option({.name = "name",
                 .help = "The source's name in metrics, and under which copies are kept that are not finished with. "
                         "Absent: x2x3-1 for the first, and so on. A source that changes its name is another source.",
                 .example = "as-1",
                 .reloadable = true},
                &X2x3Listener::name, source_name_type())
        .option(required({.name = "listen",
                          .help = "Where to listen, over TCP. Another address closes what is connected to the old one.",
                          .example = "0.0.0.0:8442",
                          .reloadable = true}),
                &X2x3Listener::listen, listen_type())
        .section(
            required(
                {.name = "tls", .help = "Every point of interception must have a certificate.", .reloadable = true}),
            &X2x3Listener::tls, server_tls_schema(true))
        .option({.name = "service", .help = "The service of its events.", .example = "ims", .reloadable = true},
                &X2x3Listener::service, text_type(1, 255))
        .option({.name = "partial_message_timeout",
                 .help = "How long after its last chunk a message that is not complete goes out as it is, marked.",
                 .example = "60s",
                 .reloadable = true},
                &X2x3Listener::partial_message_timeout, duration_type(seconds(1), days(1)))
        .option({.name = "session_idle",
                 .help = "A session of which nothing is heard for so long is forgotten.",
                 .example = "24h",
                 .reloadable = true},
                &X2x3Listener::session_idle, duration_type(seconds(1), days(7)))
        .option({.name = "session_limit",
                 .help = "A session is forgotten so long after it began, whatever is heard of it.",
                 .example = "7d",
                 .reloadable = true},
                &X2x3Listener::session_limit, duration_type(seconds(1), days(7)))
        .option({.name = "max_sessions",
                 .help = "Sessions known at a time; beyond, the one idle longest is forgotten.",
                 .example = "200000",
                 .reloadable = true},
                &X2x3Listener::max_sessions, integer_type(1, 10'000'000))
        .option({.name = "max_connections",
                 .help = "Connections open at a time; beyond, the one stalled longest is closed for a new one that has "
                         "shown its certificate.",
                 .example = "1024",
                 .reloadable = true},
                &X2x3Listener::max_connections, integer_type(1, 65'536))
        .option(
            {.name = "max_payload",
             .help = "The largest payload of a PDU. A connection with a larger one is closed, since what follows it "
                     "cannot be found.",
             .example = "16MiB",
             .reloadable = true},
            &X2x3Listener::max_payload, size_type(16 * mib, 256 * mib))
        .option({.name = "keepalive_timeout",
                 .help = "A connection whose peer has sent keepalives, and then nothing for so long, is closed. One "
                         "whose peer never did stays open.",
                 .example = "3m",
                 .reloadable = true},
                &X2x3Listener::keepalive_timeout, duration_type(seconds(1), days(1)))
        .check(check_x2x3_listener);
}

/// Names and addresses of listeners, whatever their kind.
struct Taken {
    std::set<std::string> names;
    std::set<std::string> addresses;
};

template <typename Listener>
void check_listeners(Reader& reader, const YamlNode& node, const std::string& kind, std::vector<Listener>& listeners,
                     Taken& taken) {
    const YamlNode* const list = node.find(kind);
    if (list == nullptr || list->kind != YamlNode::Kind::sequence) {
        return;
    }
    for (std::size_t n = 0; n < listeners.size(); ++n) {
        Listener& listener = listeners[n];
        const Reader::Descent below(reader, "." + kind, {});
        const Reader::Descent element(reader, "[" + std::to_string(n) + "]", {});
        if (listener.name.empty()) {
            listener.name = kind + "-" + std::to_string(n + 1);
        }
        if (!taken.names.insert(listener.name).second) {
            const YamlNode* const name = list->items[n].find("name");
            reader.problem_below("name", name != nullptr ? name->place : list->items[n].place,
                                 "another listener has this name; names are unique", listener.name);
        }
        const bool any_port = !listener.listen.is_unix() && listener.listen.port == 0;
        if (listener.listen != ListenAddress{} && !any_port &&
            !taken.addresses.insert(listener.listen.to_string()).second) {
            reader.problem_below("listen", list->items[n].find("listen")->place,
                                 "another listener has this address; addresses are unique",
                                 listener.listen.to_string());
        }
    }
}

void check_intake(Reader& reader, const YamlNode& node, Intake& intake) {
    if (intake.max_event_size > intake.max_request_size) {
        const YamlNode* const size = node.find("max_event_size");
        const YamlNode* const request = node.find("max_request_size");
        reader.problem_below("max_event_size", size != nullptr ? size->place : request->place,
                             "larger than max_request_size; an event has to fit a request");
    }
    if (node.find("http") == nullptr && node.find("x2x3") == nullptr) {
        reader.problem_below("http", node.place, "missing; at least one listener is needed, here or below x2x3");
    }
    Taken taken;
    check_listeners(reader, node, "http", intake.http, taken);
    check_listeners(reader, node, "x2x3", intake.x2x3, taken);
}

}  // namespace

Schema<Intake> intake_schema() {
    return Schema<Intake>()
        .list({.name = "http",
               .help = "Listeners that take events over HTTP (`POST /v1/events`). Needed without `x2x3`."},
              &Intake::http, 1, 64, listener_schema())
        .list({.name = "x2x3",
               .help = "Listeners that take copies of signalling and content from points of interception (ETSI TS 103 "
                       "221-2; docs/x2x3.md). What an open listener is called says which one it is: one whose name is "
                       "new appears, one whose name is gone closes.",
               .reloadable = true},
              &Intake::x2x3, 1, 64, x2x3_schema())
        .option({.name = "max_event_size",
                 .help = "The largest event taken, attachments included; a larger one is refused.",
                 .example = "1MiB"},
                &Intake::max_event_size, size_type(kib, 256 * mib))
        .option({.name = "max_request_size",
                 .help = "The largest request body taken (many events as NDJSON); a larger one is answered with 413.",
                 .example = "16MiB"},
                &Intake::max_request_size, size_type(kib, gib))
        .option({.name = "max_future",
                 .help = "How far ahead of our clock an event's time may be; one further ahead is refused.",
                 .example = "5m",
                 .reloadable = true},
                &Intake::max_future, duration_type(seconds(0), days(1)))
        .option({.name = "metadata_parameters",
                 .help = "Names below an event's `parameters` that count as metadata; the others count as content.",
                 .example = "[status, device_id]",
                 .reloadable = true},
                &Intake::metadata_parameters, list_type(text_type(1, 255), 0, 1000))
        .option({.name = "max_object_size", .help = "The largest binary object taken.", .example = "8GiB"},
                &Intake::max_object_size, size_type(1, 16 * tib))
        .option({.name = "object_wait",
                 .help = "How long an uploaded object waits for the event that names it; then it is deleted.",
                 .example = "1h"},
                &Intake::object_wait, duration_type(seconds(1), days(7)))
        .option({.name = "attachment_root",
                 .help = "Directory below which events may name files as attachments. Absent: they may not.",
                 .example = "/var/spool/messaging"},
                &Intake::attachment_root, path_type())
        .option({.name = "attachment_grace",
                 .help = "How long a source must leave a named file in place after the answer; an item whose file "
                         "cannot be copied in that time is sent without it.",
                 .example = "10m"},
                &Intake::attachment_grace, duration_type(seconds(1), days(1)))
        .option({.name = "answer_interval",
                 .help = "Answers to events leave only at multiples of this time, which hides how long the work on "
                         "them took (docs/events.md). 0: as soon as possible.",
                 .example = "20ms",
                 .reloadable = true},
                &Intake::answer_interval, duration_type(seconds(0), seconds(5)))
        .option(
            {.name = "answer_timeout",
             .help =
                 "A request is answered within this time of its last byte, with 503 if the store or the disk hangs.",
             .example = "15s",
             .reloadable = true},
            &Intake::answer_timeout, duration_type(seconds(1), seconds(300)))
        .check(check_intake);
}

}  // namespace lihandover::config
