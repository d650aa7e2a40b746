#include "lihandover/config/configuration.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "lihandover/config/options.hpp"
#include "lihandover/config/schema.hpp"

namespace lihandover::config {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view good = R"(csp: {country_code: XX, unique_identifier: EXAMPLE-CSP}
intake:
  http:
    - listen: unix:/run/x.sock
destinations:
  lea-one:
    url: https://lea.example.com:8443/hi
    tls: {certificate: /a.pem, private_key: /a.key, ca: /ca.pem}
)";

/// `good` with one line replaced, or added at the end of the file.
std::string with(std::string_view line, std::string_view replacement) {
    std::string text(good);
    const std::size_t at = text.find(line);
    if (line.empty() || at == std::string::npos) {
        return text + std::string(replacement) + "\n";
    }
    return text.replace(at, line.size(), replacement);
}

std::string problems_of(std::string_view text) {
    const Loaded loaded = load_text(text, "f");
    EXPECT_EQ(loaded.configuration.has_value(), loaded.problems.empty());
    std::string all;
    for (const Problem& problem : loaded.problems) {
        all += check_text(problem) + "\n";
    }
    return all;
}

TEST(Configuration, DefaultsAreThere) {
    const Loaded loaded = load_text(good, "f");
    ASSERT_TRUE(loaded.configuration.has_value()) << problems_of(good);
    const Configuration& configuration = *loaded.configuration;
    EXPECT_EQ(configuration.state_dir, "/var/lib/lihandoverd");
    EXPECT_EQ(configuration.intake.http.at(0).name, "http-1");
    EXPECT_EQ(configuration.intake.http.at(0).listen.path, "/run/x.sock");
    EXPECT_EQ(configuration.intake.max_event_size, 1U << 20U);
    EXPECT_EQ(configuration.intake.max_future, std::chrono::minutes(5));
    EXPECT_EQ(configuration.schema_validation, SchemaValidation::sample);
    EXPECT_EQ(configuration.shutdown_timeout, std::chrono::seconds(10));
    const Destination& destination = configuration.destinations.at("lea-one");
    EXPECT_EQ(destination.receiver.country_code, "XX");
    EXPECT_EQ(destination.receiver.unique_identifier, "Not specified");
    EXPECT_EQ(destination.etsi_version, "V1.14.1");
    EXPECT_FALSE(destination.sender.has_value());
    EXPECT_FALSE(destination.binary.has_value());
}

TEST(Configuration, EveryMistakeIsFoundInOneRun) {
    constexpr std::string_view text = R"(csp: {country_code: xx}
state_dir: var
max_sise: 1
intake:
  http:
    - {name: a, listen: "unix:/run/x.sock", tls: {certificate: /a}}
    - {name: a, listen: 127.0.0.1:99999}
    - {name: "b c", listen: 127.0.0.1:80, mode: 0660}
  max_event_size: 1MB
  max_event_size: 2MiB
  max_future: 5
  attachment_root: spool
store: ~
csp_schema: {content: sometimes, url: "http://x.example/"}
destinations:
  LEA:
    url: https://user:secret@lea.example.com/
    tls: {certificate: a.pem, private_key: /a.key, ca: /ca.pem}
    etsi_version: 1.14.1
    connections: "4"
    receiver: {unique_identifier: ""}
    binary: {model: B}
    retry: {initial: 2m, maximum: 1m, error_codes: [1, 1, x]}
schema_validation: yes
)";
    EXPECT_EQ(problems_of(text), R"(f:1:6: csp.unique_identifier: missing; it has no default
f:1:21: csp.country_code: a country code is two capital letters, or XX (found "xx")
f:2:12: state_dir: an absolute path of at most 4095 bytes is needed (found "var")
f:3:1: unknown key; allowed: csp, state_dir, warrants_dir, warrants, review_alarm, intake, matching, late_events, store, audit, encryption, csp_schema, destinations, objectserver, admin, schema_validation, schemas_dir, tls_reload_interval, clock_tolerance, clock_trust, shutdown_timeout or log_level (found "max_sise")
f:6:50: intake.http[0].tls.private_key: missing; it has no default
f:6:50: intake.http[0].tls.client_ca: missing; it has no default
f:6:50: intake.http[0].tls: not for a Unix socket; its mode and group say who may talk
f:7:14: intake.http[1].name: another listener has this name; names are unique (found "a")
f:7:25: intake.http[1].listen: not an address to listen on; allowed: unix:/path, address:port or [v6]:port (found "127.0.0.1:99999")
f:8:14: intake.http[2].name: not such a name; allowed: 1 to 64 of a-z, A-Z, 0-9, _, . and - (found "b c")
f:8:29: intake.http[2].tls: missing; a TCP listener takes clients with certificates only
f:8:49: intake.http[2].mode: only for a Unix socket
f:9:19: intake.max_event_size: a size is needed, 1KiB to 256MiB, with B, KiB, MiB, GiB or TiB (found "1MB")
f:10:3: intake.max_event_size: the same key a second time; one is allowed
f:11:15: intake.max_future: a duration is needed, 0ms to 1d, with ms, s, m, h or d (found "5")
f:12:20: intake.attachment_root: an absolute path of at most 4095 bytes is needed (found "spool")
f:13:1: store: no value; give one or leave the key out
f:14:23: csp_schema.content: not one of the choices; allowed: never, first or always (found "sometimes")
f:14:39: csp_schema.url: only https is allowed (found "http://x.example/")
f:16:3: destinations: not such a name; allowed: 1 to 64 of a-z, 0-9 and - (found "LEA")
f:17:10: destinations.*.url: a URL with a user is not allowed: certificates say who we are
f:18:24: destinations.*.tls.certificate: an absolute path of at most 4095 bytes is needed (found "a.pem")
f:19:19: destinations.*.etsi_version: a version of TS 103 120 is needed, such as V1.14.1 (found "1.14.1")
f:20:18: destinations.*.connections: a whole number is needed, 1 to 256 (found "4")
f:21:35: destinations.*.receiver.unique_identifier: too short; allowed: 1 to 255 characters
f:22:21: destinations.*.binary.url_template: missing; model B needs to know where objects go
f:23:22: destinations.*.retry.initial: longer than maximum; at most the same is allowed
f:23:56: destinations.*.retry.error_codes[1]: twice in the list (found "1")
f:23:59: destinations.*.retry.error_codes[2]: a whole number is needed, 0 to 4294967295 (found "x")
f:24:20: schema_validation: not one of the choices; allowed: off, sample or all (found "yes")
)");
}

/// The good configuration with further options for its destination.
std::string problems_of_destination(const std::string& options) {
    return problems_of(std::string(good) + options);
}

TEST(Configuration, ConnectionsToALeaCanBeTold) {
    const auto loaded = load_text(std::string(good) + R"(    tls_crl: /etc/x.crl
    server_name: lea.internal.example
    local_address: 192.0.2.7
    proxy: http://user:pass@proxy.example:3128
    connection_lifetime: 1m
    headers: {User-Agent: Other/1.0, X-Agreement: "17"}
    content_type: text/xml
)",
                                  "f");
    ASSERT_TRUE(loaded.configuration) << loaded.problems.front().message;
    const auto& lea = loaded.configuration->destinations.at("lea-one");
    EXPECT_EQ(lea.tls_crl, "/etc/x.crl");
    EXPECT_EQ(lea.server_name, "lea.internal.example");
    EXPECT_EQ(lea.local_address, "192.0.2.7");
    EXPECT_EQ(lea.proxy, "http://user:pass@proxy.example:3128");
    EXPECT_EQ(lea.connection_lifetime, std::chrono::minutes(1));
    EXPECT_EQ(lea.headers.at("User-Agent"), "Other/1.0");
    EXPECT_EQ(lea.headers.at("X-Agreement"), "17");
    EXPECT_EQ(lea.content_type, MessageType::text_xml);
    EXPECT_TRUE(lea.urls.empty());
}

TEST(Configuration, HeaderFieldsAreThoseThatFrameNothing) {
    for (const char* const name : {"Host", "content-length", "Transfer-Encoding", "Expect", "Connection",
                                   "Content-Type", "Proxy-Authorization", "accept-encoding"}) {
        EXPECT_THAT(problems_of_destination(std::string("    headers: {") + name + ": x}\n"),
                    HasSubstr("this field is ours to set"))
            << name;
    }
    EXPECT_THAT(problems_of_destination("    headers: {\"a b\": x}\n"), HasSubstr("not the name of a header field"));
    EXPECT_THAT(problems_of_destination("    headers: {X: \"a\\r\\nY: b\"}\n"),
                HasSubstr("not the value of a header field"));
    EXPECT_THAT(problems_of_destination("    headers: {X: \"\"}\n"), HasSubstr("not the value of a header field"));
    EXPECT_THAT(problems_of_destination("    headers: {X: a, x: b}\n"), HasSubstr("a second time"));
    EXPECT_THAT(problems_of_destination("    headers: [X]\n"), HasSubstr("a mapping of header fields is needed"));
    // A value may be a secret of an agreement.
    EXPECT_THAT(problems_of_destination("    headers: {X: \"secret\\x07\"}\n"), Not(HasSubstr("secret")));
}

TEST(Configuration, ProxiesAndAddressesAreChecked) {
    for (const char* const proxy : {"https://p:1", "http://p", "http://p:1/x", "socks5://p:1", "http://:1", "p:1"}) {
        EXPECT_THAT(problems_of_destination(std::string("    proxy: ") + proxy + "\n"), HasSubstr("not a proxy"))
            << proxy;
    }
    EXPECT_THAT(problems_of_destination("    proxy: https://me:secret@p:1\n"), Not(HasSubstr("secret")));
    EXPECT_EQ(problems_of_destination("    proxy: http://[2001:db8::1]:3128/\n"), "");
    EXPECT_THAT(problems_of_destination("    local_address: localhost\n"), HasSubstr("not an address"));
    EXPECT_EQ(problems_of_destination("    local_address: 2001:db8::1\n"), "");
    EXPECT_THAT(problems_of_destination("    server_name: a b\n"), HasSubstr("not such a name"));
    EXPECT_THAT(problems_of_destination("    connection_lifetime: 10ms\n"), HasSubstr("a duration is needed"));
}

TEST(Configuration, ADestinationHasAUrlOrSeveral) {
    std::string text{good};
    const auto at = text.find("    url: ");
    ASSERT_NE(at, std::string::npos);
    text.erase(at, text.find('\n', at) + 1 - at);
    EXPECT_THAT(problems_of(text), HasSubstr("destinations.lea-one.url: missing; it has no default"));
    const auto loaded = load_text(text + "    urls: [https://a.example/hi, https://b.example/hi]\n", "f");
    ASSERT_TRUE(loaded.configuration) << loaded.problems.front().message;
    EXPECT_EQ(loaded.configuration->destinations.at("lea-one").url, "https://a.example/hi");
    EXPECT_EQ(loaded.configuration->destinations.at("lea-one").urls.size(), 2U);
    EXPECT_THAT(problems_of_destination("    urls: [https://a.example/hi]\n"),
                HasSubstr("only one of url and urls is allowed"));
    EXPECT_THAT(problems_of(text + "    urls: [http://a.example/hi]\n"), HasSubstr("only https is allowed"));
}

TEST(Configuration, BinaryObjectsNeedWhatTheirModelNeeds) {
    constexpr std::string_view server =
        "objectserver: {listen: '127.0.0.1:1', public_url: https://csp.example/o/, tls: {certificate: /a, private_key: "
        "/b, client_ca: /c}}\n";
    const std::string certificate(64, 'a');
    const auto problems = [](const std::string& binary, std::string_view rest) {
        return problems_of(std::string(good) + "    binary: {" + binary + "}\n" + std::string(rest));
    };
    EXPECT_EQ(problems("model: B, url_template: 'https://x.example/{object_identifier}'", ""), "");
    EXPECT_EQ(problems("model: A, client_certificates: [" + certificate + "]", server), "");
    EXPECT_EQ(problems("model: A, client_certificates: [" + certificate + "]", ""),
              "f:9:13: destinations.lea-one.binary.model: model A needs an `objectserver` that serves the objects\n");
    EXPECT_EQ(problems("model: A", server),
              "f:9:21: destinations.lea-one.binary.client_certificates: missing; model A needs to know which "
              "certificates may "
              "fetch\n");
    EXPECT_EQ(problems("model: A, client_certificates: []", server),
              "f:9:45: destinations.lea-one.binary.client_certificates: empty; nobody could fetch an object\n");
    EXPECT_EQ(problems("model: A, client_certificates: [" + certificate + "], early_success: refused", server),
              "f:9:128: destinations.lea-one.binary.early_success: only for model B\n");
    EXPECT_EQ(
        problems("model: B, url_template: 'https://x.example/{object_identifier}', remove_when_fetched: true", ""),
        "f:9:100: destinations.lea-one.binary.remove_when_fetched: only for model A\n");
    EXPECT_EQ(problems("model: B, url_template: 'https://x.example/'", ""),
              "f:9:38: destinations.lea-one.binary.url_template: {object_identifier} is needed exactly once, after the "
              "host\n");
}

TEST(Configuration, APreSharedKeyTakesThePlaceOfACertificateOrStandsBesideIt) {
    const auto loaded = [](const std::string& tls) {
        std::string text(good);
        const std::string usual = "tls: {certificate: /a.pem, private_key: /a.key, ca: /ca.pem}";
        text.replace(text.find(usual), usual.size(), "tls: {" + tls + "}");
        return load_text(text, "f");
    };
    const std::string key = "psk: {identity: csp-1, key_file: /k}";
    const Loaded alone = loaded(key);
    ASSERT_TRUE(alone.configuration) << check_text(alone.problems.at(0));
    const ClientTls& tls = alone.configuration->destinations.at("lea-one").tls;
    EXPECT_EQ(tls.psk->identity, "csp-1");
    EXPECT_EQ(tls.psk->key_file, "/k");
    EXPECT_EQ(tls.certificate, "");
    EXPECT_TRUE(loaded(key + ", certificate: /a, private_key: /b, ca: /c").configuration);
    for (const char* const half : {"certificate: /a", "ca: /c", "private_key: /b, ca: /c"}) {
        const Loaded bad = loaded(key + ", " + half);
        ASSERT_FALSE(bad.configuration) << half;
        EXPECT_THAT(bad.problems.at(0).message, HasSubstr("missing; it has no default")) << half;
    }
    EXPECT_EQ(loaded("groups: [x25519]").problems.size(), 3U) << "no key either";
    for (const char* const bad : {"psk: {identity: csp-1}", "psk: {key_file: /k}", "psk: {identity: '', key_file: /k}",
                                  "psk: {identity: 'a b', key_file: /k}", "psk: {identity: csp-1, key_file: k}"}) {
        EXPECT_FALSE(loaded(bad).configuration) << bad;
    }
}

TEST(Configuration, ObjectsCanBeFetchedWithPreSharedKeys) {
    const auto problems = [](const std::string& one, const std::string& two) {
        std::string text(good);
        text += "    binary: {" + one +
                "}\n  lea-two:\n    url: https://x.example/\n    tls: {certificate: /a, "
                "private_key: /b, ca: /c}\n    binary: {" +
                two +
                "}\n"
                "objectserver: {listen: '127.0.0.1:1', public_url: https://csp.example/o/, tls: {certificate: /a, "
                "private_key: /b, client_ca: /c}}\n";
        return problems_of(text);
    };
    const std::string key = "model: A, client_psks: [{identity: lea, key_file: /k}]";
    EXPECT_EQ(problems(key, key), "") << "one LEA, two destinations";
    EXPECT_EQ(
        problems(key, "model: A, client_psks: [{identity: lea-two, key_file: /l}, {identity: new, key_file: /n}]"), "");
    EXPECT_THAT(problems(key, "model: A, client_psks: [{identity: lea, key_file: /l}]"),
                HasSubstr("destinations.lea-two.binary.client_psks: an identity has another key file elsewhere"));
    EXPECT_THAT(problems(key,
                         "model: B, url_template: 'https://x.example/{object_identifier}', client_psks: "
                         "[{identity: lea, key_file: /k}]"),
                HasSubstr("client_psks: only for model A"));
}

TEST(Configuration, LogsNameKeysAndPlacesOnly) {
    const Loaded loaded = load_text(with("EXAMPLE-CSP", "\"a\\nvery-own-value\""), "f");
    ASSERT_EQ(loaded.problems.size(), 1U);
    EXPECT_EQ(log_text(loaded.problems[0]),
              "f:1:44: csp.unique_identifier: holds control characters; allowed: 1 to 65535 characters");
}

TEST(Configuration, TestTargetsAreSingleIdentifiers) {
    const auto problems_with = [](std::string_view targets) {
        return problems_of(with("unique_identifier: EXAMPLE-CSP",
                                "unique_identifier: EXAMPLE-CSP, test_targets: " + std::string(targets)));
    };
    EXPECT_EQ(problems_with("[{user_id: u-test}, {msisdn: \"447700900123\"}]"), "");
    for (const std::string_view bad :
         {"[u-test]", "[{}]", "[{user_id: a, msisdn: b}]", "[{colour: blue}]", "[{user_id: [a]}]"}) {
        EXPECT_NE(problems_with(bad).find("one identifier under its type's name is needed: {user_id: u-test}"),
                  std::string::npos)
            << bad;
    }
    EXPECT_NE(problems_with("[{email: nobody}]").find("csp.test_targets[0]: "), std::string::npos);
    EXPECT_NE(problems_with("[{user_id: a}, {user_id: a}]").find("twice in the list"), std::string::npos);
}

TEST(Configuration, AMisspeltKeyIsGuessed) {
    EXPECT_EQ(problems_of(with("unique_identifier", "unique_identifer")),
              "f:1:6: csp.unique_identifier: missing; it has no default\n"
              "f:1:25: csp: unknown key; did you mean unique_identifier? (found \"unique_identifer\")\n");
}

TEST(Configuration, AnEmptyFileSaysWhatIsMissing) {
    for (const std::string_view text : {"", "# nothing\n", "{}"}) {
        EXPECT_EQ(problems_of(text),
                  "f:1:1: csp: missing; it has no default\nf:1:1: intake: missing; it has no default\n");
    }
    EXPECT_EQ(problems_of("[1]"), "f:1:1: a mapping is needed: key: value\n");
    EXPECT_EQ(problems_of("text"), "f:1:1: a mapping is needed: key: value\n");
}

TEST(Configuration, AddressesAreUnique) {
    EXPECT_EQ(problems_of(with("unix:/run/x.sock", "unix:/run/x.sock\n    - listen: unix:/run/x.sock")),
              "f:5:15: intake.http[1].listen: another listener has this address; addresses are unique (found "
              "\"unix:/run/x.sock\")\n");
    EXPECT_EQ(problems_of(with("", "admin: {control_socket: /run/x.sock}")),
              "f:9:25: admin.control_socket: an intake listener has this path; paths are unique\n");
    EXPECT_EQ(problems_of(with("", "admin: {listen: \"unix:/run/x.sock\"}")),
              "f:9:17: admin.listen: an intake listener has this address; addresses are unique\n");
}

constexpr std::string_view task_source = R"(  x2x3:
    - listen: 127.0.0.1:8442
      tls: {certificate: /a, private_key: /b, client_ca: /c}
)";

TEST(Configuration, PointsOfInterceptionMayBeTheOnlySources) {
    const std::string only = with("  http:\n    - listen: unix:/run/x.sock\n", task_source);
    const Loaded loaded = load_text(only, "f");
    ASSERT_TRUE(loaded.configuration) << problems_of(only);
    const Intake& intake = loaded.configuration->intake;
    EXPECT_TRUE(intake.http.empty());
    ASSERT_EQ(intake.x2x3.size(), 1U);
    EXPECT_EQ(intake.x2x3[0].name, "x2x3-1");
    EXPECT_EQ(intake.x2x3[0].service, "ims");
    EXPECT_EQ(intake.x2x3[0].partial_message_timeout, std::chrono::seconds(60));
    EXPECT_EQ(intake.x2x3[0].max_payload, std::uint64_t{16} << 20);
    EXPECT_EQ(problems_of(with("  http:\n    - listen: unix:/run/x.sock\n", "  max_event_size: 1MiB\n")),
              "f:3:3: intake.http: missing; at least one listener is needed, here or below x2x3\n");
}

TEST(Configuration, SourcesOfAllKindsHaveOneSpaceOfNamesAndAddresses) {
    const auto beside = [](const std::string& http, const std::string& x2x3) {
        return with("  http:\n    - listen: unix:/run/x.sock\n",
                    "  http: [{" + http + "}]\n  x2x3: [{" + x2x3 +
                        ", tls: {certificate: /a, private_key: /b, client_ca: /c}}]\n");
    };
    EXPECT_EQ(problems_of(beside("listen: 'unix:/x'", "listen: '127.0.0.1:1'")), "");
    EXPECT_EQ(problems_of(beside("name: a, listen: 'unix:/x'", "name: a, listen: '127.0.0.1:1'")),
              "f:4:17: intake.x2x3[0].name: another listener has this name; names are unique (found \"a\")\n");
    EXPECT_EQ(problems_of(beside("listen: '127.0.0.1:1', tls: {certificate: /a, private_key: /b, client_ca: /c}",
                                 "listen: '127.0.0.1:1'")),
              "f:4:19: intake.x2x3[0].listen: another listener has this address; addresses are unique (found "
              "\"127.0.0.1:1\")\n");
    EXPECT_EQ(problems_of(beside("listen: 'unix:/x'", "listen: 'unix:/y'")),
              "f:4:19: intake.x2x3[0].listen: X2/X3 is TLS over TCP; allowed: address:port or [v6]:port\n");
    EXPECT_EQ(problems_of(beside("listen: 'unix:/x'", "listen: '127.0.0.1:9464'")),
              "f:1:1: admin.listen: an intake listener has this address; addresses are unique\n");
    EXPECT_NE(problems_of(beside("listen: 'unix:/x'", "listen: '127.0.0.1:1', partial_message_timeout: 999ms")), "");
    EXPECT_NE(problems_of(beside("listen: 'unix:/x'", "listen: '127.0.0.1:1', max_payload: 15MiB")), "");
}

TEST(ChangedOptions, ListenersOfTasksMayComeAndGo) {
    const auto with_tasks = [](const std::string& text) {
        return *load_text(with("  http:\n    - listen: unix:/run/x.sock\n", text), "f").configuration;
    };
    const Configuration before = with_tasks("  http: [{listen: 'unix:/x'}]\n" + std::string(task_source));
    const Configuration after = with_tasks("  http: [{listen: 'unix:/x'}]\n");
    for (const auto& changed : {changed_options(before, after), changed_options(after, before)}) {
        ASSERT_EQ(changed.size(), 1U);
        EXPECT_EQ(changed[0].path, "intake.x2x3");
        EXPECT_TRUE(changed[0].reloadable);
    }
}

TEST(Configuration, AFileThatCannotBeReadIsAProblem) {
    const Loaded loaded = load_file("/nonexistent/file.yaml");
    EXPECT_FALSE(loaded.configuration.has_value());
    ASSERT_EQ(loaded.problems.size(), 1U);
    EXPECT_EQ(log_text(loaded.problems[0]), "/nonexistent/file.yaml:0:0: cannot be read: No such file or directory");
}

TEST(Configuration, AStoreInPostgresqlNeedsItsDatabaseAndAKeyFromElsewhere) {
    const std::string keys = "\nencryption: {key_files: [/k]}";
    const std::string database = "postgresql: {connection: host=db1}";
    EXPECT_NE(problems_of(with("", "store: {engine: postgresql}" + keys)).find("store.postgresql: missing"),
              std::string::npos);
    EXPECT_NE(problems_of(with("", "store: {engine: postgresql, " + database + "}")).find("encryption.key_files: "),
              std::string::npos);
    const Loaded loaded = load_text(with("", "store: {engine: postgresql, " + database + "}" + keys), "f");
    ASSERT_TRUE(loaded.configuration.has_value());
    EXPECT_EQ(loaded.configuration->store.engine, StoreEngine::postgresql);
    EXPECT_EQ(loaded.configuration->store.postgresql->durability, Durability::replicated);
    EXPECT_EQ(load_text(with("", "store: {" + database + "}"), "f").configuration->store.engine, StoreEngine::sqlite);
}

TEST(Configuration, SizesAndDurations) {
    const auto size = [](const std::string& text) {
        const Loaded loaded = load_text(with("", "store: {max_bytes: " + text + "}"), "f");
        return loaded.configuration ? loaded.configuration->store.max_bytes : 0;
    };
    EXPECT_EQ(size("16777216B"), 16'777'216U);
    EXPECT_EQ(size("20480KiB"), 20'971'520U);
    EXPECT_EQ(size("\"3GiB\""), std::uint64_t{3} << 30U);
    EXPECT_EQ(size("1TiB"), std::uint64_t{1} << 40U);
    for (const char* const wrong : {"1", "1 GiB", "1.5GiB", "-1GiB", "GiB", "1GB", "1gib", "99999999999999TiB",
                                    "18446744073709551616B", "2000TiB", "1MiB", "[1GiB]"}) {
        EXPECT_EQ(size(wrong), 0U) << wrong;
    }
    const auto duration = [](const std::string& text) {
        const Loaded loaded = load_text(with("", "shutdown_timeout: " + text), "f");
        return loaded.configuration ? loaded.configuration->shutdown_timeout.count() : -1;
    };
    EXPECT_EQ(duration("0s"), 0);
    EXPECT_EQ(duration("1500ms"), 1500);
    EXPECT_EQ(duration("1m"), 60'000);
    EXPECT_EQ(duration("1h"), 3'600'000);
    for (const char* const wrong : {"1", "1d", "1h1m", "1 s", "61m", "-1s", "1.5s", "s"}) {
        EXPECT_EQ(duration(wrong), -1) << wrong;
    }
    EXPECT_EQ(write_duration(std::chrono::milliseconds(90'000)), "90s");
    EXPECT_EQ(write_duration(std::chrono::hours(72)), "3d");
    EXPECT_EQ(write_duration({}), "0ms");
    EXPECT_EQ(write_size(std::uint64_t{1536} << 10U), "1536KiB");
}

TEST(Configuration, Urls) {
    for (const char* const right : {"https://lea.example.com", "https://lea.example.com:8443/hi?x=y",
                                    "https://[2001:db8::1]/", "HTTPS://192.0.2.1/a%20b"}) {
        EXPECT_EQ(problems_of(with("https://lea.example.com:8443/hi", right)), "") << right;
    }
    for (const char* const wrong :
         {"http://lea.example.com/", "lea.example.com", "https:///hi", "https://x/#y", "https://u@x/", "https://x:0/",
          "https://x:99999/", "\"https://x/ y\"", "[a]", "https://x y/", "//x/", "ftp://x/"}) {
        EXPECT_NE(problems_of(with("https://lea.example.com:8443/hi", wrong)), "") << wrong;
    }
}

TEST(ListenAddress, TakesItsThreeForms) {
    EXPECT_EQ(parse_listen_address("unix:/run/x"), (ListenAddress{"/run/x", "", 0}));
    EXPECT_EQ(parse_listen_address("127.0.0.1:0"), (ListenAddress{"", "127.0.0.1", 0}));
    EXPECT_EQ(parse_listen_address("[::1]:9464"), (ListenAddress{"", "::1", 9464}));
    for (const char* const text : {"unix:/run/x", "0.0.0.0:8444", "[2001:db8::1]:1"}) {
        EXPECT_EQ(parse_listen_address(text)->to_string(), text);
    }
    for (const std::string& wrong :
         {std::string("unix:x"), std::string("unix:"), std::string(":80"), std::string("localhost:80"),
          std::string("127.0.0.1"), std::string("127.0.0.1:"), std::string("127.0.0.1:65536"), std::string("::1:80"),
          std::string("[::1]"), std::string("127.0.0.1:80x"), "unix:/" + std::string(107, 'x')}) {
        EXPECT_EQ(parse_listen_address(wrong), std::nullopt) << wrong;
    }
    EXPECT_TRUE(parse_listen_address("127.1.2.3:1")->is_loopback());
    EXPECT_TRUE(parse_listen_address("[::1]:1")->is_loopback());
    EXPECT_FALSE(parse_listen_address("0.0.0.0:1")->is_loopback());
    EXPECT_FALSE(parse_listen_address("unix:/x")->is_loopback());
}

TEST(ChangedOptions, NamesWhatCameAndWent) {
    Configuration before = *load_text(good, "f").configuration;
    Configuration after = before;
    after.destinations["lea-two"] = after.destinations["lea-one"];
    after.destinations.erase("lea-one");
    after.intake.http.push_back(after.intake.http[0]);
    after.destinations["lea-two"].sender = model::Endpoint{"XX", "Y"};
    std::map<std::string, bool> changed;
    for (const ChangedOption& option : changed_options(before, after)) {
        changed[option.path] = option.reloadable;
    }
    EXPECT_EQ(changed, (std::map<std::string, bool>{
                           {"destinations.lea-one", true}, {"destinations.lea-two", true}, {"intake.http", false}}));

    after = before;
    after.destinations["lea-one"].sender = model::Endpoint{"XX", "Y"};
    after.state_dir = "/elsewhere";
    changed.clear();
    for (const ChangedOption& option : changed_options(before, after)) {
        changed[option.path] = option.reloadable;
    }
    EXPECT_EQ(changed, (std::map<std::string, bool>{{"destinations.lea-one.sender", true}, {"state_dir", false}}));
}

TEST(ProblemOf, StandsWhereTheOptionOrItsSectionDoes) {
    const Loaded loaded = load_text(good, "f");
    Problem problem = problem_of(loaded, "f", "destinations.lea-one.tls.ca", "is no PEM file");
    EXPECT_EQ(check_text(problem), "f:8:57: destinations.lea-one.tls.ca: is no PEM file");
    problem = problem_of(loaded, "f", "intake.http[0].mode", "is odd");
    EXPECT_EQ(check_text(problem), "f:4:7: intake.http[0].mode: is odd");
    problem = problem_of(loaded, "f", "schemas_dir", "does not exist");
    EXPECT_EQ(check_text(problem), "f:1:1: schemas_dir: does not exist");
}

TEST(Configuration, ManyDestinationsAreRead) {
    std::string text(good);
    for (int n = 0; n < 1000; ++n) {
        text += "  lea-" + std::to_string(n) +
                ": {url: \"https://x.example/\", tls: {certificate: /a, private_key: /b, ca: /c}}\n";
    }
    const Loaded loaded = load_text(text, "f");
    ASSERT_TRUE(loaded.configuration.has_value());
    EXPECT_EQ(loaded.configuration->destinations.size(), 1001U);
}

}  // namespace
}  // namespace lihandover::config
