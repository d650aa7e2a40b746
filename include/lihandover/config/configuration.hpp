#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/config/problem.hpp"
#include "lihandover/model/identifier.hpp"
#include "lihandover/model/item.hpp"
#include "lihandover/model/matching.hpp"

namespace lihandover::config {

// The configuration as typed values. The defaults are the members' initialisers; everything else about an option
// (bounds, help, whether a reload may change it) is declared once in src/config/options.cpp. These are plain values:
// copy them, compare them with changed_options(), share a const one between threads.

using Duration = std::chrono::milliseconds;

/// `unix:/path`, `address:port` or `[v6]:port`.
struct ListenAddress {
    std::string path;        ///< of a Unix socket; empty for TCP
    std::string host;        ///< an IP address without brackets; empty for a Unix socket
    std::uint16_t port = 0;  ///< 0: any free port

    [[nodiscard]] bool is_unix() const { return !path.empty(); }
    [[nodiscard]] bool is_loopback() const;
    [[nodiscard]] std::string to_string() const;
    friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};
/// nullopt for anything that does not have one of the three forms.
[[nodiscard]] std::optional<ListenAddress> parse_listen_address(std::string_view text);

/// A key that both ends know. The file is absolute.
struct PreSharedKey {
    std::string identity;
    std::string key_file;
};

/// What may be negotiated, by the names of model/tls_names.hpp; empty: what is sound by default.
struct TlsChoice {
    std::vector<std::string> groups;
    std::vector<std::string> suites;
};

/// Files of a TLS server that asks its clients for certificates. Absolute paths, PEM.
struct ServerTls : TlsChoice {
    std::string certificate;
    std::string private_key;
    std::string client_ca;
    std::string client_crl;  ///< empty: revocation is not checked
    /// Which of the clients with a certificate of client_ca are allowed: the SHA-256 of a certificate, 64 lower-case
    /// hex digits, or of its public key after `spki:` (as in tls::PeerIdentity). Empty: all of them.
    std::vector<std::string> clients;
};

/// Files of a TLS client with a certificate, a pre-shared key, or both. Absolute paths, PEM; the first three are empty
/// where the key alone counts.
struct ClientTls : TlsChoice {
    std::string certificate;
    std::string private_key;
    std::string ca;
    std::optional<PreSharedKey> psk;
};

struct IntakeListener {
    std::string name;  ///< the source in metrics and deduplication; never empty after loading, unique
    ListenAddress listen;
    std::optional<ServerTls> tls;              ///< always set for TCP, never for a Unix socket
    std::uint32_t mode = 0660;                 ///< of the Unix socket
    std::string group;                         ///< of the Unix socket; empty: the daemon's own
    std::optional<model::NumberPlan> numbers;  ///< absent: its numbers are international, whatever they look like
};

/// Takes copies from points of interception (TS 103 221-2).
struct X2x3Listener {
    std::string name;      ///< as IntakeListener's, and unique among them too
    ListenAddress listen;  ///< TCP
    ServerTls tls;
    std::string service = "ims";  ///< of its events
    Duration partial_message_timeout = std::chrono::seconds(60);
    Duration session_idle = std::chrono::hours(24);
    Duration session_limit = std::chrono::days(7);  ///< not above the memory of repeats
    std::uint32_t max_sessions = 200'000;
    std::uint32_t max_connections = 1024;
    std::uint64_t max_payload = std::uint64_t{16} << 20;  ///< of a PDU
    Duration keepalive_timeout = std::chrono::minutes(3);
};

struct Intake {
    std::vector<IntakeListener> http;  ///< without any there is an x2x3 listener
    std::vector<X2x3Listener> x2x3;
    std::uint64_t max_event_size = std::uint64_t{1} << 20;
    std::uint64_t max_request_size = std::uint64_t{16} << 20;
    Duration max_future = std::chrono::minutes(5);
    std::vector<std::string> metadata_parameters;
    std::uint64_t max_object_size = std::uint64_t{8} << 30;
    Duration object_wait = std::chrono::hours(1);  ///< an uploaded object that no event names goes after so long
    std::string attachment_root;                   ///< empty: events may not name files
    Duration attachment_grace = std::chrono::minutes(10);
    Duration answer_interval = Duration(0);  ///< 0: answers leave as soon as they can
    Duration answer_timeout = std::chrono::seconds(15);
};

/// What holds the durable state.
enum class StoreEngine : std::uint8_t { sqlite, postgresql };

/// When a commit counts.
enum class Durability : std::uint8_t {
    replicated,  ///< once a synchronous standby has it
    local,       ///< once the database's own disk has it
};

/// The store in PostgreSQL.
struct Postgresql {
    std::string connection;  ///< as libpq has it
    Durability durability = Durability::replicated;
    std::string node;         ///< empty: the host's name
    std::string objects_dir;  ///< empty: state_dir
    Duration lease = std::chrono::seconds(10);
};

struct Store {
    StoreEngine engine = StoreEngine::sqlite;
    std::optional<Postgresql> postgresql;  ///< with that engine
    std::uint64_t max_bytes = std::uint64_t{50} << 30;
    Duration record_retention = std::chrono::days(90);
    Duration commit_timeout = std::chrono::seconds(10);
};

/// Encryption at rest.
struct Encryption {
    std::vector<std::string> key_files;  ///< the first seals, all open; empty: the store is not encrypted
};

/// The chain of audit entries.
struct Audit {
    std::string signing_key;  ///< a file; empty: checkpoints are not signed
    std::uint32_t checkpoint_entries = 10'000;
    Duration checkpoint_interval = std::chrono::minutes(10);
};

/// When an item carries the text of the CSP's schema (TS 103 707 table 9).
enum class SchemaContent : std::uint8_t { never, first, always };

struct CspSchema {
    SchemaContent content = SchemaContent::first;
    std::string url;  ///< empty: none
};

using model::BinaryModel;

/// What a success means that an LEA answers before it has asked for the body (Model B).
enum class EarlySuccess : std::uint8_t { refused, delivered };

/// How binary objects reach a destination (TS 103 707 annex C).
struct Binary {
    BinaryModel model = BinaryModel::b;
    std::string url_template;  ///< Model B; contains `{object_identifier}` once
    Duration expiry = std::chrono::hours(72);
    Duration continue_timeout = std::chrono::minutes(5);
    EarlySuccess early_success = EarlySuccess::refused;
    std::vector<std::string> client_certificates;  ///< Model A; 64 hex digits, or the same after `spki:`
    std::vector<PreSharedKey> client_psks;         ///< Model A
    bool remove_when_fetched = false;              ///< Model A
};

struct Retry {
    Duration initial = std::chrono::seconds(1);
    Duration maximum = std::chrono::minutes(5);
    std::vector<std::uint32_t> error_codes;  ///< HI1 error codes after which the same item is tried again
};

struct NationalProfile {
    std::string owner = "N/A";
    std::string version = "N/A";
};

/// Content-Type of messages.
enum class MessageType : std::uint8_t { application_xml, text_xml };

struct Destination {
    std::string url;                ///< https, with a host, without user or fragment; the first of `urls`
    std::vector<std::string> urls;  ///< as `url`; empty if there is only that one
    ClientTls tls;
    std::string tls_crl;        ///< empty: revocation is not checked
    std::string server_name;    ///< in the LEA's certificate; empty: the URL's host
    std::string local_address;  ///< numeric; empty: the system's choice
    std::string proxy;          ///< http://[user:password@]host:port; empty: none
    Duration connection_lifetime = std::chrono::minutes(10);
    std::map<std::string, std::string> headers;  ///< of every request, in addition to the usual ones
    MessageType content_type = MessageType::application_xml;
    std::optional<model::Endpoint> sender;  ///< absent: the CSP
    model::Endpoint receiver{"XX", "Not specified"};
    std::string etsi_version = "V1.14.1";
    NationalProfile national_profile;
    std::uint32_t max_actions_per_message = 1;
    std::uint64_t max_message_size = std::uint64_t{4} << 20;  ///< of a message of several actions; one may be larger
    std::uint32_t connections = 16;
    std::uint32_t upload_connections = 8;
    std::optional<std::uint64_t> upload_bandwidth;  ///< bytes per second of all uploads together
    Duration timeout = std::chrono::seconds(30);    ///< of each step: connect, TLS, send, the answer
    std::optional<Binary> binary;
    Retry retry;
};

struct ObjectServer {
    ListenAddress listen;
    std::string public_url;
    ServerTls tls;
    std::uint32_t requests_per_second = 100;             ///< of one client certificate; 0: no limit
    std::uint64_t min_rate = std::uint64_t{8} << 10;     ///< bytes per second; 0: any
    Duration min_rate_after = std::chrono::seconds(60);  ///< for that long a download may be slower
};

/// What one of the people may do on the reviewers' page.
enum class Role : std::uint8_t {
    review,   ///< look at content, approve and reject
    operate,  ///< retry and reject, pause and resume destinations, revoke warrants
};

/// The reviewers' page.
struct Console {
    ListenAddress listen;  ///< TCP
    ServerTls tls;
    /// By the subject of their certificate, as tls::PeerIdentity has it. Nobody else gets in.
    std::map<std::string, std::vector<Role>> people;
};

struct Admin {
    ListenAddress listen{{}, "127.0.0.1", 9464};
    std::uint32_t listen_mode = 0660;  ///< where `listen` is a Unix socket
    std::string listen_group;          ///< of it; empty: the daemon's own
    std::string control_socket = "/run/lihandoverd/control.sock";
    std::uint32_t mode = 0600;  ///< of the control socket
    std::string group;          ///< of the control socket; empty: the daemon's own
    std::string reviewers;      ///< the group whose members may look at content; empty: nobody
    std::optional<Console> console;
};

enum class SchemaValidation : std::uint8_t { off, sample, all };

/// Who confirms that the wall clock is right after a start or a jump.
enum class ClockTrust : std::uint8_t {
    kernel,  ///< the kernel, which knows of a time source
    always,  ///< nobody needs to: for machines whose kernel cannot know
};

enum class LogLevel : std::uint8_t { trace, debug, info, warning, error };

/// An identifier of an account that is the CSP's own.
struct TestTarget {
    model::IdentifierType type{};
    std::string value;

    friend bool operator==(const TestTarget&, const TestTarget&) = default;
};

/// Who we are, and which accounts of ours warrants with `test: true` may target.
struct Csp : model::Endpoint {
    std::vector<TestTarget> test_targets;
};

/// Whether people have to approve warrants that are new, or order more than before (TS 103 707 4.2).
enum class Approval : std::uint8_t {
    none,
    required,  ///< one of them
    dual,      ///< two
};

struct Warrants {
    Approval approval = Approval::none;
};

struct Configuration {
    Csp csp;
    std::string state_dir = "/var/lib/lihandoverd";
    /// Empty: they are a set in the database.
    std::string warrants_dir = "/etc/lihandoverd/warrants.d";
    Warrants warrants;
    Duration review_alarm = std::chrono::hours(4);  ///< an item that is held for review for longer is an alarm
    Duration late_events = std::chrono::days(7);    ///< how long after a warrant's end earlier events still count
    Intake intake;
    model::Matching matching;
    Store store;
    Audit audit;
    Encryption encryption;
    CspSchema csp_schema;
    std::map<std::string, Destination> destinations;  ///< by name, `[a-z0-9-]{1,64}`
    std::optional<ObjectServer> objectserver;
    Admin admin;
    SchemaValidation schema_validation = SchemaValidation::sample;
    std::string schemas_dir = "/usr/share/lihandoverd/schemas";
    Duration tls_reload_interval = std::chrono::minutes(1);  ///< 0: TLS files are read at a reload only
    Duration clock_tolerance = std::chrono::minutes(5);
    ClockTrust clock_trust = ClockTrust::kernel;
    Duration shutdown_timeout = std::chrono::seconds(10);
    LogLevel log_level = LogLevel::info;
};

/// A configuration, or every problem of the file in the file's order (at least one if there is no value).
struct Loaded {
    std::optional<Configuration> configuration;
    Problems problems;
    /// The place of each given option, by path (`destinations.lea-one.tls.certificate`, `intake.http[0].tls`), so that
    /// later checks can name it: see problem_of.
    std::map<std::string, Place> places;
};

/// Reads and checks a file of at most max_file_size bytes. Files that the options name are not opened.
[[nodiscard]] Loaded load_file(const std::string& path);
/// The same for a text; `file` is the name in problems.
[[nodiscard]] Loaded load_text(std::string_view text, const std::string& file);

inline constexpr std::size_t max_file_size = std::size_t{4} << 20;

/// A problem of the option at `path` that was found elsewhere (a certificate that cannot be read), at the option's
/// place. `message` must not contain a value; `value` is as in Problem.
[[nodiscard]] Problem problem_of(const Loaded& loaded, const std::string& file, const std::string& path,
                                 std::string_view message, std::string value = {});

/// The options that differ, with paths as in Loaded::places. What exists in only one of the two is named once
/// (`destinations.lea-one`).
[[nodiscard]] std::vector<ChangedOption> changed_options(const Configuration& before, const Configuration& after);

/// The contents of docs/configuration.md, made from the declarations.
[[nodiscard]] std::string reference_markdown();

}  // namespace lihandover::config
