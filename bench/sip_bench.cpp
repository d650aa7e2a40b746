// What it costs to read a SIP message of 900 bytes as IMS sends it, identities and body included, beside libosip2,
// which reads the same message but leaves the identities of networks (P-Asserted-Identity …) as text.
#include <benchmark/benchmark.h>
#include <osipparser2/osip_parser.h>

#include <stdexcept>
#include <string>
#include <string_view>

#include "lihandover/ims/multipart.hpp"
#include "lihandover/ims/sip.hpp"

namespace {

namespace ims = lihandover::ims;

std::string page_message() {
    constexpr std::string_view lines =
        "MESSAGE sip:+447700900456@ims.mnc001.mcc001.3gppnetwork.example;user=phone SIP/2.0\n"
        "Via: SIP/2.0/TCP [2001:db8::17]:5060;branch=z9hG4bK6f1d2c44a9;rport\n"
        "Max-Forwards: 68\n"
        "Route: <sip:orig@scscf1.example.net:5060;lr>\n"
        "From: <sip:+447700900123@example.net;user=phone>;tag=4fxaed73sl\n"
        "To: <sip:+447700900456@example.net;user=phone>\n"
        "Call-ID: 1f4b2c9e-7d11-4c8f-9b20-3aa6d0f1c001@2001:db8::17\n"
        "CSeq: 1 MESSAGE\n"
        "P-Asserted-Identity: \"Alice Example\" <sip:+447700900123@example.net;user=phone>\n"
        "P-Asserted-Identity: <tel:+447700900123>\n"
        "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=00101000100000001\n"
        "P-Charging-Vector: icid-value=\"b6a1f2d0-7b2e\";icid-generated-at=[2001:db8::5]\n"
        "Accept-Contact: *;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg\"\n"
        "User-Agent: IM-client/OMA2.0\n"
        "Content-Type: text/plain;charset=UTF-8\n"
        "Content-Length: 35\n"
        "\n"
        "See you at eight under the station.";
    std::string out;
    for (const char c : lines) {
        out += c == '\n' ? "\r\n" : std::string(1, c);
    }
    return out;
}

void read_message(benchmark::State& state) {
    const std::string bytes = page_message();
    for (auto _ : state) {
        const auto message = ims::read_sip(bytes);
        if (!message || !message->mended.empty() || message->asserted.size() != 2 || message->body.size() != 35) {
            throw std::runtime_error("the message is not read as it should be");
        }
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(read_message);

void read_message_and_body(benchmark::State& state) {
    const std::string bytes = page_message();
    std::string text;
    for (auto _ : state) {
        const auto message = ims::read_sip(bytes);
        const auto parts = ims::leaves_of(message->content_type, message->content_disposition, message->body);
        const ims::ContentType type = ims::read_content_type(parts.at(0).content_type);
        if (!ims::text_to_utf8(parts[0].body, type.charset, text) || text.size() != 35) {
            throw std::runtime_error("the body is not read as it should be");
        }
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(read_message_and_body);

void read_message_with_libosip2(benchmark::State& state) {
    const std::string bytes = page_message();
    parser_init();
    for (auto _ : state) {
        osip_message_t* message = nullptr;
        if (osip_message_init(&message) != 0 || osip_message_parse(message, bytes.data(), bytes.size()) != 0) {
            throw std::runtime_error("the message is not read as it should be");
        }
        osip_message_free(message);
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(read_message_with_libosip2);

}  // namespace
