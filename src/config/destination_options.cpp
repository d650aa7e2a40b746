#include "destination_options.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "connection_options.hpp"
#include "option_types.hpp"

namespace lihandover::config {

namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array<const char*, 3> certificate_files = {"certificate", "private_key", "ca"};

/// A certificate, or a pre-shared key, or both.
void check_client_tls(Reader& reader, const YamlNode& node, ClientTls& /*tls*/) {
    const bool any = std::ranges::any_of(certificate_files, [&](const char* key) { return node.find(key) != nullptr; });
    if (node.find("psk") != nullptr && !any) {
        return;
    }
    for (const char* const key : certificate_files) {
        if (node.find(key) == nullptr) {
            reader.problem_below(key, node.place, "missing; it has no default");
        }
    }
}

Schema<ClientTls> client_tls_schema() {
    auto files =
        Schema<ClientTls>()
            .option(
                {.name = "certificate",
                 .help = "PEM file: the certificate that we show the LEA, then the intermediate ones. This and the two "
                         "below are needed where there is no `psk`.",
                 .example = "/etc/lihandoverd/tls/lea-one.pem",
                 .reloadable = true},
                &ClientTls::certificate, path_type())
            .option({.name = "private_key",
                     .help = "PEM file: its private key, not encrypted.",
                     .example = "/etc/lihandoverd/tls/lea-one.key",
                     .reloadable = true},
                    &ClientTls::private_key, path_type())
            .option(
                {.name = "ca",
                 .help = "PEM file: the CA certificates that the LEA's certificate must lead to. The system's own CAs "
                         "are not used.",
                 .example = "/etc/lihandoverd/tls/lea-one-ca.pem",
                 .reloadable = true},
                &ClientTls::ca, path_type())
            .section({.name = "psk",
                      .help = "A key agreed with the LEA (RFC 4279; docs/connections.md). With it, and without a "
                              "certificate, no certificates count, on either side. With both, whichever the LEA takes.",
                      .reloadable = true},
                     &ClientTls::psk, psk_schema());
    return with_tls_choice(std::move(files), true).check(check_client_tls);
}

void check_binary(Reader& reader, const YamlNode& node, Binary& binary) {
    const YamlNode* const model = node.find("model");
    if (model == nullptr) {
        return;  // reported already
    }
    const bool pushes = binary.model == BinaryModel::b;
    const char* const needed = pushes ? "url_template" : "client_certificates";
    const bool by_key = !pushes && !binary.client_psks.empty();
    if (node.find(needed) == nullptr && !by_key) {
        reader.problem_below(needed, model->place,
                             pushes ? "missing; model B needs to know where objects go"
                                    : "missing; model A needs to know which certificates may fetch");
    }
    if (!pushes && !by_key && node.find(needed) != nullptr && binary.client_certificates.empty()) {
        reader.problem_below(needed, node.find(needed)->place, "empty; nobody could fetch an object");
    }
    const auto refuse = [&](std::initializer_list<const char*> keys, const char* sentence) {
        for (const char* const key : keys) {
            if (const YamlNode* const option = node.find(key)) {
                reader.problem_below(key, option->place, sentence);
            }
        }
    };
    if (pushes) {
        refuse({"client_certificates", "client_psks", "remove_when_fetched"}, "only for model A");
    } else {
        refuse({"url_template", "continue_timeout", "early_success"}, "only for model B");
    }
}

Schema<Binary> binary_schema() {
    return Schema<Binary>()
        .option(required({.name = "model",
                          .help = "A: the LEA fetches objects from us. B: we push them.",
                          .example = "B",
                          .reloadable = true}),
                &Binary::model, choice_type<BinaryModel>({{"A", BinaryModel::a}, {"B", BinaryModel::b}}))
        .option({.name = "url_template",
                 .help = "Model B: where objects go.",
                 .example = "\"https://lea.example.com/binaryData/{object_identifier}/\"",
                 .reloadable = true,
                 .secret = true},
                &Binary::url_template, url_template_type())
        .option({.name = "expiry",
                 .help = "How long an object can be fetched or pushed after its item's first attempt.",
                 .example = "72h",
                 .reloadable = true},
                &Binary::expiry, duration_type(seconds(1), days(365)))
        .option({.name = "continue_timeout",
                 .help = "Model B: how long to wait for the LEA's 100 Continue; never past the expiry.",
                 .example = "5m",
                 .reloadable = true},
                &Binary::continue_timeout, duration_type(seconds(1), days(1)))
        .option({.name = "early_success",
                 .help = "Model B: what a success means that the LEA answers before it has asked for the body. "
                         "`refused`: an error; the object waits for an operator if others are taken. "
                         "`delivered`: the LEA has it already.",
                 .example = "refused",
                 .reloadable = true},
                &Binary::early_success,
                choice_type<EarlySuccess>({{"refused", EarlySuccess::refused}, {"delivered", EarlySuccess::delivered}}))
        .option(
            {.name = "client_certificates",
             .help = "Model A: which client certificates may fetch, by SHA-256 of the certificate, or of its public "
                     "key after `spki:`.",
             .example = "[\"spki:0c72e35be9d3a6e6c8f5ef0c1b5a0f3c7a1d2e4b5f60718293a4b5c6d7e8f901\"]",
             .reloadable = true},
            &Binary::client_certificates, list_type(fingerprint_type(), 0, 1000))
        .list({.name = "client_psks",
               .help = "Model A: pre-shared keys with which the LEA may fetch (docs/objectserver.md), beside "
                       "certificates or instead of them. Two while one replaces the other.",
               .reloadable = true},
              &Binary::client_psks, 1, 8, psk_schema())
        .option(
            {.name = "remove_when_fetched",
             .help = "Model A: whether an object is removed once it was fetched whole, rather than when it expires.",
             .example = "false",
             .reloadable = true},
            &Binary::remove_when_fetched, boolean_type())
        .check(check_binary);
}

Schema<Retry> retry_schema() {
    return Schema<Retry>()
        .option({.name = "initial",
                 .help = "The first wait before an item is tried again; it doubles each time.",
                 .example = "1s",
                 .reloadable = true},
                &Retry::initial, duration_type(Duration(1), hours(1)))
        .option({.name = "maximum",
                 .help = "The longest wait, and how often a paused destination is probed.",
                 .example = "5m",
                 .reloadable = true},
                &Retry::maximum, duration_type(Duration(1), days(1)))
        .option(
            {.name = "error_codes",
             .help =
                 "HI1 error codes after which the same item is tried again. Any other code refuses it for good. 3010 "
                 "(the object exists) is never tried again: after an earlier attempt it is an acceptance.",
             .example = "[3016]",
             .reloadable = true},
            &Retry::error_codes, list_type(integer_type(0, std::numeric_limits<std::uint32_t>::max()), 0, 1000))
        .check([](Reader& reader, const YamlNode& node, Retry& retry) {
            if (retry.initial > retry.maximum) {
                const YamlNode* const initial = node.find("initial");
                const YamlNode* const maximum = node.find("maximum");
                reader.problem_below("initial", initial != nullptr ? initial->place : maximum->place,
                                     "longer than maximum; at most the same is allowed");
            }
        });
}

Schema<NationalProfile> national_profile_schema() {
    return Schema<NationalProfile>()
        .option(
            {.name = "owner", .help = "NationalProfileOwner of the messages.", .example = "N/A", .reloadable = true},
            &NationalProfile::owner, text_type(1, 255))
        .option({.name = "version",
                 .help = "NationalProfileVersion of the messages.",
                 .example = "N/A",
                 .reloadable = true},
                &NationalProfile::version, text_type(1, 255));
}

/// What is sent to an LEA and when. How it is reached: with_connection_options.
Schema<Destination> delivery_options() {
    return Schema<Destination>()
        .option({.name = "url",
                 .help = "Where messages are posted. Needed unless there are `urls`.",
                 .example = "https://lea.example.com:8443/hi",
                 .reloadable = true},
                &Destination::url, https_url_type())
        .section(required({.name = "tls", .help = "Our certificate and the LEA's CA.", .reloadable = true}),
                 &Destination::tls, client_tls_schema())
        .section({.name = "sender",
                  .help = "Our identity towards this LEA, if it gave us an identifier. Absent: as in `csp`.",
                  .reloadable = true},
                 &Destination::sender,
                 endpoint_schema(
                     required({.name = "country_code", .help = "SenderIdentifier's CountryCode.", .example = "XX"}),
                     required({.name = "unique_identifier",
                               .help = "SenderIdentifier's UniqueIdentifier.",
                               .example = "GIVEN-BY-LEA"}),
                     65'535))
        .section({.name = "receiver",
                  .help = "Who the LEA is; also the country and owner of every delivered object.",
                  .reloadable = true},
                 &Destination::receiver,
                 endpoint_schema(
                     {.name = "country_code", .help = "ReceiverIdentifier's CountryCode. Absent: XX.", .example = "GB"},
                     {.name = "unique_identifier",
                      .help = "ReceiverIdentifier's UniqueIdentifier. Absent: Not specified.",
                      .example = "LEA-ONE"},
                     255))
        .option({.name = "etsi_version",
                 .help = "Version of TS 103 120 that messages name.",
                 .example = "V1.14.1",
                 .reloadable = true},
                &Destination::etsi_version, etsi_version_type())
        .section({.name = "national_profile",
                  .help = "Only if a national profile was agreed with the LEA.",
                  .reloadable = true},
                 &Destination::national_profile, national_profile_schema())
        .option({.name = "max_actions_per_message",
                 .help = "The most items in one message; more than 1 only if the LEA agreed.",
                 .example = "1",
                 .reloadable = true},
                &Destination::max_actions_per_message, integer_type(1, 1000))
        .option({.name = "max_message_size",
                 .help = "No further item is put into a message that has reached this size; an item alone may be "
                         "larger.",
                 .example = "4MiB",
                 .reloadable = true},
                &Destination::max_message_size, size_type(kib, 256 * mib))
        .option({.name = "connections",
                 .help = "The most connections at a time, and messages in flight.",
                 .example = "16",
                 .reloadable = true},
                &Destination::connections, integer_type(1, 256))
        .option({.name = "upload_connections",
                 .help = "The most connections at a time for binary objects (Model B).",
                 .example = "8",
                 .reloadable = true},
                &Destination::upload_connections, integer_type(1, 256))
        .option({.name = "upload_bandwidth",
                 .help = "The most bytes per second that all uploads to the destination take together. Absent: no "
                         "limit.",
                 .example = "12MiB",
                 .reloadable = true},
                &Destination::upload_bandwidth, size_type(kib, tib))
        .option({.name = "timeout",
                 .help = "How long each step of a delivery may take: connecting, the TLS handshake, sending, waiting "
                         "for the answer.",
                 .example = "30s",
                 .reloadable = true},
                &Destination::timeout, duration_type(Duration(100), hours(1)))
        .section(
            {.name = "binary", .help = "How binary objects reach the LEA. Absent: not at all.", .reloadable = true},
            &Destination::binary, binary_schema())
        .section({.name = "retry", .help = "When items are tried again.", .reloadable = true}, &Destination::retry,
                 retry_schema());
}

}  // namespace

Schema<Destination> destination_schema() {
    return with_connection_options(delivery_options()).check(check_connection_options);
}

}  // namespace lihandover::config
