#include "lihandover/config/options.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "configuration_schema.hpp"
#include "destination_options.hpp"
#include "intake_options.hpp"
#include "option_types.hpp"

namespace lihandover::config {

namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

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

Schema<Postgresql> postgresql_schema() {
    return Schema<Postgresql>()
        .option(required({.name = "connection",
                          .help = "Where the database is, in libpq's words (`host=db1,db2 dbname=… user=… "
                                  "sslmode=verify-full …`). A password belongs into a file: `passfile=`.",
                          .example = "\"host=db1,db2 dbname=lihandover user=lihandover sslmode=verify-full\""}),
                &Postgresql::connection, text_type(1, 4096, "1 to 4096 characters"))
        .option({.name = "durability",
                 .help = "When a commit counts: `replicated` once a synchronous standby has it, `local` once the "
                         "database's own disk has it.",
                 .example = "replicated"},
                &Postgresql::durability,
                choice_type<Durability>({{"replicated", Durability::replicated}, {"local", Durability::local}}))
        .option({.name = "node",
                 .help = "This daemon's name in the database, which no other one may have. Absent: the host's name.",
                 .example = "csp-a"},
                &Postgresql::node, name_type("1 to 64 of a-z, 0-9, - and .", "-.", false))
        .option({.name = "objects_dir",
                 .help = "Where sealed binary objects are. Absent: `state_dir`.",
                 .example = "/srv/lihandover/objects"},
                &Postgresql::objects_dir, path_type())
        .option({.name = "lease",
                 .help = "For how long this daemon has its LIIDs after it last told the database that it is there. "
                         "When it cannot say so, it sends nothing from half of that on, and another daemon may take "
                         "its place after all of it.",
                 .example = "10s"},
                &Postgresql::lease, duration_type(seconds(2), minutes(10)));
}

void check_store(Reader& reader, const YamlNode& node, Store& store) {
    if (store.engine == StoreEngine::postgresql && !store.postgresql) {
        reader.problem_below("postgresql", node.place, "missing; the engine postgresql needs a `connection`");
    }
}

Schema<Store> store_schema() {
    return Schema<Store>()
        .option({.name = "engine",
                 .help = "What holds the durable state: `sqlite` in `state_dir`, or `postgresql` "
                         "(docs/store.md, The store in PostgreSQL), which needs `encryption.key_files`.",
                 .example = "sqlite"},
                &Store::engine,
                choice_type<StoreEngine>({{"sqlite", StoreEngine::sqlite}, {"postgresql", StoreEngine::postgresql}}))
        .section({.name = "postgresql", .help = "The database of the engine postgresql."}, &Store::postgresql,
                 postgresql_schema())
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
                &Store::commit_timeout, duration_type(Duration(100), hours(1)))
        .check(check_store);
}

Schema<Audit> audit_schema() {
    return Schema<Audit>()
        .option({.name = "signing_key",
                 .help = "A private key of Ed25519, in PEM and not encrypted, that signs checkpoints of the audit "
                         "entries. Absent: they are not signed.",
                 .example = "/etc/lihandoverd/keys/audit.pem",
                 .reloadable = true},
                &Audit::signing_key, path_type())
        .option({.name = "checkpoint_entries",
                 .help = "After about so many entries comes a checkpoint, which stands for all before it once they are "
                         "older than `store.record_retention`.",
                 .example = "10000",
                 .reloadable = true},
                &Audit::checkpoint_entries, integer_type(1, 1'000'000))
        .option({.name = "checkpoint_interval",
                 .help = "After so long there is a checkpoint too, if there were entries.",
                 .example = "10m",
                 .reloadable = true},
                &Audit::checkpoint_interval, duration_type(seconds(1), days(7)));
}

Schema<Encryption> encryption_schema() {
    constexpr std::size_t most = 16;
    return Schema<Encryption>().option(
        {.name = "key_files",
         .help = "Master keys: files of 64 random hex digits (`openssl rand -hex 32`), closed to others. The first one "
                 "seals, all of them open; `lihandoverctl rekey` seals everything anew under the first one, and says "
                 "when the others can go. Absent: the store is not encrypted. The first time needs a restart; a store "
                 "that is encrypted stays so (docs/store.md, Encryption at rest).",
         .example = "[/etc/lihandoverd/keys/2026-11.key]",
         .reloadable = true},
        &Encryption::key_files, list_type(path_type(), 1, most));
}

/// One identifier under its type's name, as in a warrant file.
Type<TestTarget> test_target_type() {
    auto read = [](Reader& reader, const YamlNode& node, TestTarget& out) {
        const bool one = node.kind == YamlNode::Kind::mapping && node.items.size() == 1 &&
                         node.items[0].kind == YamlNode::Kind::scalar;
        const auto type = one ? model::parse_identifier_type(node.keys[0].text) : std::nullopt;
        if (!type) {
            reader.problem(node.place, "one identifier under its type's name is needed: {user_id: u-test}");
            return false;
        }
        if (const auto wrong = model::target_problem(*type, node.items[0].text)) {
            reader.problem(node.items[0].place, *wrong, node.items[0].text);
            return false;
        }
        out = {*type, node.items[0].text};
        return true;
    };
    const auto write = [](const TestTarget& target) {
        return "{" + std::string(model::name_of(target.type)) + ": " + write_text(target.value) + "}";
    };
    return {"identifier", "`{user_id: …}` or another type of a warrant's targets", read, write};
}

Schema<Csp> csp_schema() {
    constexpr std::size_t longest = 65'535;
    constexpr std::size_t most_targets = 1000;
    return Schema<Csp>()
        .option(required({.name = "country_code",
                          .help = "SenderIdentifier's CountryCode.",
                          .example = "XX",
                          .reloadable = true}),
                static_cast<std::string Csp::*>(&Csp::country_code), country_code_type())
        .option(required({.name = "unique_identifier",
                          .help = "SenderIdentifier's UniqueIdentifier.",
                          .example = "EXAMPLE-CSP",
                          .reloadable = true}),
                static_cast<std::string Csp::*>(&Csp::unique_identifier), text_type(1, longest))
        .option({.name = "test_targets",
                 .help = "Accounts of our own: the only ones that warrants with `test: true` may target.",
                 .example = "[{user_id: u-test}]",
                 .reloadable = true},
                &Csp::test_targets, list_type(test_target_type(), 0, most_targets));
}

Schema<Warrants> warrants_schema() {
    return Schema<Warrants>().option(
        {.name = "approval",
         .help =
             "How many people have to approve a warrant that is new, or whose file orders more than is in force "
             "(targets, window, what is delivered), before that counts: `lihandoverctl approve-warrant`. What a file "
             "orders less counts at once.",
         .example = "dual",
         .reloadable = true},
        &Warrants::approval,
        choice_type<Approval>({{"none", Approval::none}, {"required", Approval::required}, {"dual", Approval::dual}}));
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
                 server_tls_schema(false));
}

/// Names of people with what they may do.
Type<std::map<std::string, std::vector<Role>>> people_type() {
    using People = std::map<std::string, std::vector<Role>>;
    constexpr std::size_t most_people = 1000;
    constexpr std::size_t longest_subject = 1000;  // below what is kept of a subject, so that none is cut short
    const auto roles = list_type(choice_type<Role>({{"review", Role::review}, {"operate", Role::operate}}), 1, 2);
    const std::string allowed =
        "{subject: [review, operate]}, up to 1000 people; a subject of 1 to 1000 ASCII characters";
    auto read = [allowed, roles](Reader& reader, const YamlNode& node, People& out) {
        if (node.kind != YamlNode::Kind::mapping || node.keys.size() > most_people) {
            reader.problem(node.place, "a mapping of people is needed; allowed: " + allowed);
            return false;
        }
        bool good = true;
        People people;
        for (std::size_t n = 0; n < node.keys.size(); ++n) {
            const std::string& subject = node.keys[n].text;
            const bool printable = std::ranges::all_of(subject, [](char c) { return c >= 0x20 && c < 0x7F; });
            if (subject.empty() || subject.size() > longest_subject || !printable) {
                reader.problem(node.keys[n].place, "not the subject of a certificate; allowed: " + allowed);
                good = false;
                continue;
            }
            // Who it is does not become a part of the path: errors are logged by key and place.
            std::vector<Role> may;
            good = roles.read(reader, node.items[n], may) && good;
            std::ranges::sort(may);
            people.emplace(subject, std::move(may));
        }
        out = std::move(people);
        return good;
    };
    auto write = [roles](const People& people) {
        std::string text;
        for (const auto& [subject, may] : people) {
            text += (text.empty() ? "{" : ", ") + write_text(subject) + ": " + roles.write(may);
        }
        return text.empty() ? text : text + "}";
    };
    return {"people", allowed, read, write};
}

Schema<Console> console_schema() {
    return Schema<Console>()
        .option(required({.name = "listen",
                          .help = "Where the page is served, over TLS: an address of the operators' network.",
                          .example = "127.0.0.1:9465"}),
                &Console::listen, listen_type())
        .section(required({.name = "tls",
                           .help = "Our certificate, which has to name the host as people's browsers do, and the CA of "
                                   "their certificates."}),
                 &Console::tls, server_tls_schema(false))
        .option(
            required({.name = "people",
                      .help = "Who may do what, by the whole subject of the certificate as `openssl x509 -noout "
                              "-subject -nameopt RFC2253` prints it. `review`: look at the content of waiting items, "
                              "each look being on record, approve and reject what is held. `operate`: retry "
                              "items, reject those that are not held, pause and resume destinations, revoke warrants. "
                              "Everybody listed sees what "
                              "waits, without content. Nobody else gets in.",
                      .example = "{\"CN=Ann Example\": [review, operate]}",
                      .reloadable = true}),
            &Console::people, people_type())
        .check([](Reader& reader, const YamlNode& node, Console& console) {
            if (console.listen.is_unix()) {
                reader.problem_below("listen", node.find("listen")->place,
                                     "a Unix socket does not say which of the people it is; allowed: address:port or "
                                     "[v6]:port");
            }
        });
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
        .option(
            {.name = "listen_group",
             .help =
                 "Group of `listen` if it is a Unix socket. The daemon's user has to be in it, or the daemon does not "
                 "start. Absent: the daemon's own.",
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
                 .help = "Group of the control socket. The daemon's user has to be in it, or the daemon does not "
                         "start. Absent: the daemon's own.",
                 .example = "li-operators"},
                &Admin::group, group_type())
        .option({.name = "reviewers",
                 .help = "The group whose members may look at the content of waiting items (`lihandoverctl show "
                         "--content`), each look being on record; nobody else may, not even root. Absent: nobody.",
                 .example = "li-reviewers",
                 .reloadable = true},
                &Admin::reviewers, group_type())
        .section({.name = "console", .help = "The reviewers' page (docs/console.md). Absent: there is none."},
                 &Admin::console, console_schema());
}

/// The object server knows a client by the identity alone, so one identity has one key.
void check_client_psks(Reader& reader, const YamlNode& node, const Configuration& configuration) {
    std::map<std::string, std::string> key_files;
    const YamlNode* const destinations = node.find("destinations");
    for (const auto& [name, destination] : configuration.destinations) {
        const auto keys = destination.binary ? destination.binary->client_psks : std::vector<PreSharedKey>{};
        for (const PreSharedKey& key : keys) {
            if (key_files.try_emplace(key.identity, key.key_file).first->second != key.key_file) {
                reader.problem_below("destinations." + name + ".binary.client_psks", destinations->find(name)->place,
                                     "an identity has another key file elsewhere; one identity, one key");
            }
        }
    }
}

void check_console_address(Reader& reader, const YamlNode& node, const Configuration& configuration) {
    if (!configuration.admin.console || configuration.admin.console->listen.port == 0) {
        return;
    }
    std::vector<ListenAddress> doors = {configuration.admin.listen};
    for (const IntakeListener& listener : configuration.intake.http) {
        doors.push_back(listener.listen);
    }
    for (const X2x3Listener& listener : configuration.intake.x2x3) {
        doors.push_back(listener.listen);
    }
    if (configuration.objectserver) {
        doors.push_back(configuration.objectserver->listen);
    }
    if (std::ranges::find(doors, configuration.admin.console->listen) != doors.end()) {
        reader.problem_below("admin.console.listen", node.find("admin")->find("console")->place,
                             "another listener has this address; addresses are unique");
    }
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
    check_client_psks(reader, node, configuration);
    if (configuration.store.engine == StoreEngine::postgresql && configuration.encryption.key_files.empty()) {
        reader.problem_below("encryption.key_files", node.place,
                             "the engine postgresql needs it: a database keeps what was deleted");
    }
    if (configuration.store.engine == StoreEngine::postgresql && node.find("warrants_dir") == nullptr) {
        configuration.warrants_dir.clear();  // they are in the database
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
    check_console_address(reader, node, configuration);
    std::vector<ListenAddress> doors;
    for (const IntakeListener& listener : configuration.intake.http) {
        doors.push_back(listener.listen);
    }
    for (const X2x3Listener& listener : configuration.intake.x2x3) {
        doors.push_back(listener.listen);
    }
    for (const ListenAddress& door : doors) {
        const bool any_port = !door.is_unix() && door.port == 0;
        if (door.path == configuration.admin.control_socket) {
            reader.problem_below("admin.control_socket", control != nullptr ? control->place : node.place,
                                 "an intake listener has this path; paths are unique");
        }
        if (door == configuration.admin.listen && !any_port) {
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
  x2x3:                                            # points of interception of an IMS
    - name: as-1
      listen: 0.0.0.0:8442
      tls:
        certificate: /etc/lihandoverd/tls/intake.pem
        private_key: /etc/lihandoverd/tls/intake.key
        client_ca: /etc/lihandoverd/tls/interception-ca.pem
      service: ims
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
                     &Configuration::csp, csp_schema())
            .option({.name = "state_dir",
                     .help = "The daemon's own directory: the store and its lock. One daemon for each.",
                     .example = "/var/lib/lihandoverd"},
                    &Configuration::state_dir, path_type())
            .option(
                {.name = "warrants_dir",
                 .help = "Directory of the warrants, one `*.yaml` file for each. Leave it out where `store.engine` is "
                         "postgresql and several daemons share the database: all of them then have the set that "
                         "`lihandoverctl warrants apply` puts there.",
                 .example = "/etc/lihandoverd/warrants.d"},
                &Configuration::warrants_dir, path_type())
            .section({.name = "warrants", .help = "How warrants come into force."}, &Configuration::warrants,
                     warrants_schema())
            .option({.name = "review_alarm",
                     .help = "An item that is held for review (`review` of its warrant) for longer is an alarm.",
                     .example = "4h",
                     .reloadable = true},
                    &Configuration::review_alarm, duration_type(seconds(1), days(366)))
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
            .section({.name = "audit", .help = "The chain of audit entries."}, &Configuration::audit, audit_schema())
            .section({.name = "encryption",
                      .help = "Content and identifiers in `state_dir`, sealed with keys that are "
                              "elsewhere."},
                     &Configuration::encryption, encryption_schema())
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
            .option({.name = "tls_reload_interval",
                     .help = "How often to look whether the files of any `tls` section have changed (certificate, key, "
                             "CA, revocation list). What has changed is taken at the second look that finds it the "
                             "same. 0: only a reload takes it.",
                     .example = "1m",
                     .reloadable = true},
                    &Configuration::tls_reload_interval, duration_type(seconds(0), days(1)))
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
