// What it costs to write a document, to read an answer, and, for scale, to copy the document's bytes.
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <vector>

#include "lihandover/handover/writer.hpp"
#include "lihandover/hi1/request.hpp"
#include "lihandover/hi1/writer.hpp"
#include "lihandover/model/item.hpp"

namespace {

namespace hi1 = lihandover::hi1;
namespace handover = lihandover::handover;
namespace model = lihandover::model;

/// An event of about 1 KB with a sender, two receivers, a conversation and text.
struct Sample {
    model::Share share;
    model::ItemIdentity identity;
    model::Profile profile;
    std::string text;

    explicit Sample(const char* words) {
        while (text.size() < 600) {
            text += words;
        }
        profile.sender = {"XX", "EXAMPLE-CSP"};
        profile.receiver = {"GB", "Not specified"};
        profile.etsi_version = "V1.14.1";
        profile.schema_identifier = std::string(handover::csp_schema_identifier);
        identity.object_id = model::Uuid::random();
        identity.liid = "LIID-0001";
        identity.correlation = model::ApplicationCorrelation{.level_id = 4503599627370497, .sequence_number = 17};
        share.deliver = {.metadata = true, .content = true, .binary = false, .location = false};
        share.received_at = {1'795'342'531, 5'000'000};
        model::Event& event = share.event;
        event.event_id = "5b0c1f6e-1c0e-4c57-9b60-2f2a4a5f6c11";
        event.service = "examplechat";
        event.timestamp = model::parse_rfc3339("2026-11-22T10:15:30.123456Z");
        event.identifiers = {{model::IdentifierType::user_id, "u-1001"},
                             {model::IdentifierType::msisdn, "447700900123"},
                             {model::IdentifierType::email, "alice@example.com"},
                             {model::IdentifierType::user_id, "u-2002"},
                             {model::IdentifierType::user_id, "u-2003"}};
        event.parties = {{model::PartyRole::sender, 0, 3, {}},
                         {model::PartyRole::receiver, 3, 4, {}},
                         {model::PartyRole::receiver, 4, 5, {}}};
        share.targeted = {true, false, false};
        event.has_conversation = true;
        event.conversation.id = "c-77";
        event.conversation.kind = "group";
        event.conversation.title = "Weekend";
        event.has_content = true;
        event.content_type = "text/plain";
        event.text = text;
        event.parameters = {{"status", "delivered", false}, {"device_id", "d-9", false}};
    }

    void append_message(std::string& out) const {
        handover::append_message_head(out, profile, identity.object_id, share.received_at);
        hi1::append_action_head(out, 0);
        benchmark::DoNotOptimize(handover::append_deliver(out, share, identity, profile).has_value());
        out += hi1::action_tail;
        out += hi1::message_tail;
    }
};

void write_message(benchmark::State& state, const char* words) {
    const Sample sample(words);
    std::string out;
    for (auto unused : state) {
        out.clear();
        sample.append_message(out);
        benchmark::DoNotOptimize(out.data());
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * out.size()));
    state.counters["bytes"] = static_cast<double>(out.size());
}
BENCHMARK_CAPTURE(write_message, ascii, "See you at eight, bring <your> & my things. ");
BENCHMARK_CAPTURE(write_message, cyrillic,
                  "\xD0\xA3\xD0\xB2\xD0\xB8\xD0\xB4\xD0\xB8\xD0\xBC\xD1\x81\xD1\x8F \xD0\xB2 ");
BENCHMARK_CAPTURE(write_message, base64, "text with a \x01 in it, ");

void write_message_from_stored_bytes(benchmark::State& state) {
    const Sample sample("See you at eight, bring <your> & my things. ");
    std::string bytes;
    const std::vector<std::uint64_t> targeted = {1};
    model::encode_share(sample.share.event, targeted, sample.share.deliver, sample.share.received_at, {}, bytes);
    std::string out;
    model::Share share;
    for (auto unused : state) {
        out.clear();
        benchmark::DoNotOptimize(model::decode_share(bytes, share).has_value());
        benchmark::DoNotOptimize(handover::append_deliver(out, share, sample.identity, sample.profile).has_value());
        benchmark::DoNotOptimize(out.data());
    }
}
BENCHMARK(write_message_from_stored_bytes);

void copy_message(benchmark::State& state) {
    std::string message;
    Sample("See you at eight, bring <your> & my things. ").append_message(message);
    std::string out;
    for (auto unused : state) {
        out.clear();
        out += message;
        benchmark::DoNotOptimize(out.data());
    }
}
BENCHMARK(copy_message);

std::string response_to(const Sample& sample, std::size_t actions) {
    std::string message;
    sample.append_message(message);
    hi1::Request request;
    benchmark::DoNotOptimize(hi1::scan_request(message, request).has_value());
    const std::vector<hi1::ActionAnswer> answers(
        actions, {.action = 0, .kind = hi1::ActionAnswer::Kind::accepted, .identifier = {}, .error = {}});
    std::string response;
    hi1::append_response(response, request.header, sample.share.received_at, answers);
    return response;
}

void read_response(benchmark::State& state) {
    const std::string response = response_to(Sample("x"), static_cast<std::size_t>(state.range(0)));
    for (auto unused : state) {
        const auto parsed = hi1::parse_response(response);
        benchmark::DoNotOptimize(parsed.has_value());
    }
}
BENCHMARK(read_response)->Arg(1)->Arg(20);

void scan_message(benchmark::State& state) {
    std::string message;
    Sample("See you at eight, bring <your> & my things. ").append_message(message);
    hi1::Request request;
    for (auto unused : state) {
        benchmark::DoNotOptimize(hi1::scan_request(message, request).has_value());
    }
}
BENCHMARK(scan_message);

void read_message(benchmark::State& state) {
    std::string message;
    Sample("See you at eight, bring <your> & my things. ").append_message(message);
    for (auto unused : state) {
        const auto parsed = hi1::read_request(message);
        benchmark::DoNotOptimize(parsed.has_value());
    }
}
BENCHMARK(read_message);

}  // namespace

BENCHMARK_MAIN();
