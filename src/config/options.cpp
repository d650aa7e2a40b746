#include "lihandover/config/options.hpp"

#include <algorithm>
#include <set>

#include "configuration_schema.hpp"
#include "destination_options.hpp"
#include "option_types.hpp"

namespace lihandover::config {

namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

Schema<ServerTls> server_tls_schema() {
    return Schema<ServerTls>()
        .option(required({.name = "certificate",
                          .help = "PEM file: our certificate, then the intermediate ones.",
                          .example = "/etc/lihandoverd/tls/intake.pem"}),
                &ServerTls::certificate, path_type())
        .option(required({.name = "private_key",
                          .help = "PEM file: its private key, not encrypted.",
                          .example = "/etc/lihandoverd/tls/intake.key"}),
                &ServerTls::private_key, path_type())
        .option(required({.name = "client_ca",
                          .help = "PEM file: the CA certificates that clients' certificates must lead to.",
                          .example = "/etc/lihandoverd/tls/sources-ca.pem"}),
                &ServerTls::client_ca, path_type())
        .option(
            {.name = "client_crl",
             .help = "PEM or DER file: certificate revocation lists of these CAs. Whoever is on one is refused, and "
                     "everyone while the list is missing or out of date. Read again at each reload. Absent: "
                     "revocation is not checked.",
             .example = "/etc/lihandoverd/tls/sources.crl"},
            &ServerTls::client_crl, path_type())
        .option({.name = "clients",
                 .help = "Which of these clients are allowed, by SHA-256 of their certificate, or of its public key "
                         "after `spki:`. Empty: all of them.",
                 .example = "[\"spki:0c72e35be9d3a6e6c8f5ef0c1b5a0f3c7a1d2e4b5f60718293a4b5c6d7e8f901\"]"},
                &ServerTls::clients, list_type(fingerprint_type(), 0, 1000));
}

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
                &IntakeListener::name, name_type("1 to 64 of a-z, A-Z, 0-9, _, . and -", "_.-", true))
        .option(required({.name = "listen", .help = "Where to listen.", .example = "127.0.0.1:8441"}),
                &IntakeListener::listen, listen_type())
        .section({.name = "tls", .help = "Needed for TCP, where every client must have a certificate."},
                 &IntakeListener::tls, server_tls_schema())
        .option({.name = "mode", .help = "Permissions of a Unix socket."}, &IntakeListener::mode, mode_type())
        .option({.name = "group", .help = "Group of a Unix socket. Absent: the daemon's own.", .example = "messaging"},
                &IntakeListener::group, group_type())
        .section({.name = "numbers",
                  .help = "How this source writes telephone numbers that are not in international form "
                          "(docs/identifiers.md). Absent: a number that begins with a single 0 equals no other.",
                  .reloadable = true},
                 &IntakeListener::numbers, number_plan_schema())
        .check(check_listener);
}

void check_intake(Reader& reader, const YamlNode& node, Intake& intake) {
    if (intake.max_event_size > intake.max_request_size) {
        const YamlNode* const size = node.find("max_event_size");
        const YamlNode* const request = node.find("max_request_size");
        reader.problem_below("max_event_size", size != nullptr ? size->place : request->place,
                             "larger than max_request_size; an event has to fit a request");
    }
    const YamlNode* const listeners = node.find("http");
    if (listeners == nullptr || listeners->kind != YamlNode::Kind::sequence) {
        return;
    }
    std::set<std::string> names;
    std::set<std::string> addresses;
    for (std::size_t n = 0; n < intake.http.size(); ++n) {
        IntakeListener& listener = intake.http[n];
        const Reader::Descent list(reader, ".http", {});
        const Reader::Descent element(reader, "[" + std::to_string(n) + "]", {});
        if (listener.name.empty()) {
            listener.name = "http-" + std::to_string(n + 1);
        }
        if (!names.insert(listener.name).second) {
            const YamlNode* const name = listeners->items[n].find("name");
            reader.problem_below("name", name != nullptr ? name->place : listeners->items[n].place,
                                 "another listener has this name; names are unique", listener.name);
        }
        const bool any_port = !listener.listen.is_unix() && listener.listen.port == 0;
        if (listener.listen != ListenAddress{} && !any_port && !addresses.insert(listener.listen.to_string()).second) {
            reader.problem_below("listen", listeners->items[n].find("listen")->place,
                                 "another listener has this address; addresses are unique",
                                 listener.listen.to_string());
        }
    }
}

Schema<Intake> intake_schema() {
    return Schema<Intake>()
        .list(required({.name = "http", .help = "Listeners that take events over HTTP (`POST /v1/events`)."}),
              &Intake::http, 1, 64, listener_schema())
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

Type<model::CaseRule> case_rule_type() {
    return choice_type<model::CaseRule>(
        {{"exact", model::CaseRule::exact}, {"insensitive", model::CaseRule::insensitive}});
}

Schema<model::ServiceMatching> service_matching_schema() {
    return Schema<model::ServiceMatching>()
        .option({.name = "email_local_part", .help = "As for all services.", .example = "exact", .reloadable = true},
                &model::ServiceMatching::email_local_part, case_rule_type())
        .option({.name = "username", .help = "As for all services.", .example = "insensitive", .reloadable = true},
                &model::ServiceMatching::username, case_rule_type());
}

Schema<model::Matching> matching_schema() {
    return Schema<model::Matching>()
        .option(
            {.name = "email_local_part",
             .help =
                 "Whether email addresses that differ only in the case of the local part (before the @) are the same.",
             .example = "exact",
             .reloadable = true},
            &model::Matching::email_local_part, case_rule_type())
        .option({.name = "username",
                 .help = "Whether user names that differ only in case are the same.",
                 .example = "insensitive",
                 .reloadable = true},
                &model::Matching::username, case_rule_type())
        .map({.name = "services",
              .help = "Exceptions for the events of single services, by the service's name.",
              .reloadable = true},
             &model::Matching::services, text_type(1, 255, "1 to 255 characters"), 100, service_matching_schema());
}

Schema<Store> store_schema() {
    return Schema<Store>()
        .option({.name = "max_bytes",
                 .help = "The most that the store may take on disk. Sources are refused when it is reached; alarms go "
                         "off at 50 % and 80 %.",
                 .example = "50GiB",
                 .reloadable = true},
                &Store::max_bytes, size_type(16 * mib, 1024 * tib))
        .option({.name = "record_retention",
                 .help = "How long records of decisions are kept (who, what, when, why; no content).",
                 .example = "90d",
                 .reloadable = true},
                &Store::record_retention, duration_type(days(1), days(36'500)))
        .option({.name = "commit_timeout",
                 .help = "A commit that takes longer counts as hanging: sources are refused with 503, nothing is sent, "
                         "and the service manager's watchdog is no longer fed.",
                 .example = "10s",
                 .reloadable = true},
                &Store::commit_timeout, duration_type(Duration(100), hours(1)));
}

Schema<CspSchema> csp_schema_schema() {
    return Schema<CspSchema>()
        .option(
            {.name = "content",
             .help = "Which items carry the text of the schema of their CSP-defined part: none, those of an LIID "
                     "until one of them was accepted, or all.",
             .example = "first",
             .reloadable = true},
            &CspSchema::content,
            choice_type<SchemaContent>(
                {{"never", SchemaContent::never}, {"first", SchemaContent::first}, {"always", SchemaContent::always}}))
        .option({.name = "url",
                 .help = "Where the schema of the CSP-defined part is published. Absent: items carry no URL of it.",
                 .example = "https://csp.example.com/schema/1.0",
                 .reloadable = true},
                &CspSchema::url, https_url_type());
}

Schema<ObjectServer> object_server_schema() {
    return Schema<ObjectServer>()
        .option(required({.name = "listen", .help = "Where to listen.", .example = "0.0.0.0:8444"}),
                &ObjectServer::listen, listen_type())
        .option(required({.name = "public_url",
                          .help = "What the URLs of objects begin with.",
                          .example = "https://csp.example.com:8444/objects/",
                          .secret = true}),
                &ObjectServer::public_url, https_url_type())
        .option({.name = "requests_per_second",
                 .help = "The most requests of one client certificate, on average; bursts of ten times as many. Beyond "
                         "it: 429. 0: no limit.",
                 .example = "100",
                 .reloadable = true},
                &ObjectServer::requests_per_second, integer_type(0, 1'000'000))
        .option({.name = "min_rate",
                 .help = "The fewest bytes per second of a download, on average since it started. A slower one is cut. "
                         "0: no minimum.",
                 .example = "8KiB",
                 .reloadable = true},
                &ObjectServer::min_rate, size_type(0, gib))
        .option({.name = "min_rate_after",
                 .help = "How long a download may be slower.",
                 .example = "60s",
                 .reloadable = true},
                &ObjectServer::min_rate_after, duration_type(Duration(100), hours(24)))
        .section(required({.name = "tls", .help = "Our certificate and the LEAs' CAs."}), &ObjectServer::tls,
                 server_tls_schema());
}

Schema<Admin> admin_schema() {
    return Schema<Admin>()
        .option({.name = "listen",
                 .help = "Where `/metrics`, `/healthz` and `/readyz` are served, over plain HTTP: an "
                         "address, or `unix:` and a path.",
                 .example = "127.0.0.1:9464"},
                &Admin::listen, listen_type())
        .option({.name = "listen_mode",
                 .help = "Permissions of `listen` if it is a Unix socket. Counts tell a lot to somebody who can also "
                         "send a message: restrict the metrics to those who may know.",
                 .example = "0660"},
                &Admin::listen_mode, mode_type())
        .option({.name = "listen_group",
                 .help = "Group of `listen` if it is a Unix socket. Absent: the daemon's own.",
                 .example = "li-monitoring"},
                &Admin::listen_group, group_type())
        .option({.name = "control_socket",
                 .help = "Unix socket that `lihandoverctl` connects to.",
                 .example = "/run/lihandoverd/control.sock"},
                &Admin::control_socket, path_type(max_socket_path))
        .option({.name = "mode",
                 .help = "Permissions of the control socket: whoever may write to it decides about items.",
                 .example = "0660"},
                &Admin::mode, mode_type())
        .option({.name = "group",
                 .help = "Group of the control socket. Absent: the daemon's own.",
                 .example = "li-operators"},
                &Admin::group, group_type());
}

void check_configuration(Reader& reader, const YamlNode& node, Configuration& configuration) {
    const YamlNode* const destinations = node.find("destinations");
    for (const auto& [name, destination] : configuration.destinations) {
        if (destination.binary && destination.binary->model == BinaryModel::a && !configuration.objectserver) {
            const YamlNode* const entry = destinations->find(name);
            const YamlNode* const binary = entry != nullptr ? entry->find("binary") : nullptr;
            reader.problem_below("destinations." + name + ".binary.model",
                                 binary != nullptr ? binary->place : node.place,
                                 "model A needs an `objectserver` that serves the objects");
        }
    }
    if (configuration.objectserver && configuration.objectserver->listen.is_unix()) {
        const YamlNode* const server = node.find("objectserver");
        const YamlNode* const listen = server != nullptr ? server->find("listen") : nullptr;
        reader.problem_below("objectserver.listen", listen != nullptr ? listen->place : node.place,
                             "a Unix socket cannot serve LEAs; allowed: address:port or [v6]:port");
    }
    const YamlNode* const admin = node.find("admin");
    const YamlNode* const control = admin != nullptr ? admin->find("control_socket") : nullptr;
    const YamlNode* const listen = admin != nullptr ? admin->find("listen") : nullptr;
    if (configuration.admin.listen.path == configuration.admin.control_socket) {
        reader.problem_below("admin.listen", listen != nullptr ? listen->place : node.place,
                             "the control socket has this path; paths are unique");
    }
    for (const IntakeListener& listener : configuration.intake.http) {
        const bool any_port = !listener.listen.is_unix() && listener.listen.port == 0;
        if (listener.listen.path == configuration.admin.control_socket) {
            reader.problem_below("admin.control_socket", control != nullptr ? control->place : node.place,
                                 "an intake listener has this path; paths are unique");
        }
        if (listener.listen == configuration.admin.listen && !any_port) {
            reader.problem_below("admin.listen", listen != nullptr ? listen->place : node.place,
                                 "an intake listener has this address; addresses are unique");
        }
    }
}

constexpr std::string_view example = R"(# An example with all that a daemon with one source and one LEA may need.
csp:
  country_code: XX
  unique_identifier: EXAMPLE-CSP
state_dir: /var/lib/lihandoverd
warrants_dir: /etc/lihandoverd/warrants.d
intake:
  http:
    - name: local                                  # a Unix socket: its mode and group say who may talk
      listen: unix:/run/lihandoverd/intake.sock
      mode: 0660
      group: messaging
    - name: messaging                              # TCP: clients with a certificate only
      listen: 127.0.0.1:8441
      tls:
        certificate: /etc/lihandoverd/tls/intake.pem
        private_key: /etc/lihandoverd/tls/intake.key
        client_ca: /etc/lihandoverd/tls/sources-ca.pem
  max_event_size: 1MiB
  max_request_size: 16MiB
  max_future: 5m
  metadata_parameters: [status, device_id]
store:
  max_bytes: 50GiB
  record_retention: 90d
csp_schema:
  content: first
  url: https://csp.example.com/schema/1.0
destinations:
  lea-one:
    url: https://lea.example.com:8443/hi
    tls:
      certificate: /etc/lihandoverd/tls/lea-one.pem
      private_key: /etc/lihandoverd/tls/lea-one.key
      ca: /etc/lihandoverd/tls/lea-one-ca.pem
    sender: {country_code: XX, unique_identifier: GIVEN-BY-LEA}
    receiver: {country_code: GB, unique_identifier: LEA-ONE}
    max_actions_per_message: 1
    connections: 16
    retry: {initial: 1s, maximum: 5m, error_codes: []}
admin:
  listen: 127.0.0.1:9464
  control_socket: /run/lihandoverd/control.sock
schema_validation: sample
schemas_dir: /usr/share/lihandoverd/schemas
shutdown_timeout: 10s
log_level: info
)";

}  // namespace

const Schema<Configuration>& configuration_schema() {
    static const Schema<Configuration> schema =
        Schema<Configuration>()
            .section(required({.name = "csp", .help = "Our identity towards every LEA that gave us no identifier."}),
                     &Configuration::csp,
                     endpoint_schema(
                         required({.name = "country_code", .help = "SenderIdentifier's CountryCode.", .example = "XX"}),
                         required({.name = "unique_identifier",
                                   .help = "SenderIdentifier's UniqueIdentifier.",
                                   .example = "EXAMPLE-CSP"}),
                         65'535))
            .option({.name = "state_dir",
                     .help = "The daemon's own directory: the store and its lock. One daemon for each.",
                     .example = "/var/lib/lihandoverd"},
                    &Configuration::state_dir, path_type())
            .option({.name = "warrants_dir",
                     .help = "Directory of the warrants, one `*.yaml` file for each.",
                     .example = "/etc/lihandoverd/warrants.d"},
                    &Configuration::warrants_dir, path_type())
            .section(required({.name = "intake", .help = "Where events come from and what is taken."}),
                     &Configuration::intake, intake_schema())
            .section({.name = "matching",
                      .help = "Which identifiers are the same (docs/identifiers.md).",
                      .reloadable = true},
                     &Configuration::matching, matching_schema())
            .option({.name = "late_events",
                     .help = "How long after a warrant's end a late event, from before the end, still counts.",
                     .example = "7d",
                     .reloadable = true},
                    &Configuration::late_events, duration_type(seconds(0), days(366)))
            .section({.name = "store", .help = "The durable state."}, &Configuration::store, store_schema())
            .section({.name = "csp_schema", .help = "How LEAs learn the schema of our CSP-defined part."},
                     &Configuration::csp_schema, csp_schema_schema())
            .map({.name = "destinations",
                  .help = "The LEAs, by names of our choice. One that still has items cannot be removed.",
                  .reloadable = true},
                 &Configuration::destinations, name_type("1 to 64 of a-z, 0-9 and -", "-", false), 10'000,
                 destination_schema())
            .section({.name = "objectserver", .help = "Serves binary objects to LEAs (Model A)."},
                     &Configuration::objectserver, object_server_schema())
            .section({.name = "admin", .help = "The interfaces for operators and monitoring."}, &Configuration::admin,
                     admin_schema())
            .option({.name = "schema_validation",
                     .help = "Which documents are checked against the schemas before they are sent. One that fails is "
                             "not sent: its item is refused.",
                     .example = "sample",
                     .reloadable = true},
                    &Configuration::schema_validation,
                    choice_type<SchemaValidation>({{"off", SchemaValidation::off},
                                                   {"sample", SchemaValidation::sample},
                                                   {"all", SchemaValidation::all}}))
            .option({.name = "schemas_dir",
                     .help = "Directory of the schemas.",
                     .example = "/usr/share/lihandoverd/schemas"},
                    &Configuration::schemas_dir, path_type())
            .option({.name = "clock_tolerance",
                     .help = "How far the wall clock may deviate from the steady clock before it is no longer trusted "
                             "for what cannot be undone: retention, the memory of repeats, expiry.",
                     .example = "5m",
                     .reloadable = true},
                    &Configuration::clock_tolerance, duration_type(seconds(1), hours(24)))
            .option({.name = "clock_trust",
                     .help = "Who confirms that the wall clock is right again after a start or a jump. `kernel`: the "
                             "kernel, which knows of a time source, or `lihandoverctl clock accept`. `always`: nobody "
                             "needs to, for machines whose kernel cannot know."},
                    &Configuration::clock_trust,
                    choice_type<ClockTrust>({{"kernel", ClockTrust::kernel}, {"always", ClockTrust::always}}))
            .option({.name = "shutdown_timeout",
                     .help = "How long a gentle stop may take; whatever is not finished by then stays in the store.",
                     .example = "10s",
                     .reloadable = true},
                    &Configuration::shutdown_timeout, duration_type(seconds(0), hours(1)))
            .option({.name = "log_level",
                     .help = "The least serious messages that are logged.",
                     .example = "info",
                     .reloadable = true},
                    &Configuration::log_level,
                    choice_type<LogLevel>({{"trace", LogLevel::trace},
                                           {"debug", LogLevel::debug},
                                           {"info", LogLevel::info},
                                           {"warning", LogLevel::warning},
                                           {"error", LogLevel::error}}))
            .check(check_configuration);
    return schema;
}

std::vector<OptionRow> option_rows() {
    std::vector<OptionRow> rows;
    configuration_schema().describe({}, 0, rows);
    return rows;
}

std::string_view example_configuration() {
    return example;
}

}  // namespace lihandover::config
