// What it costs to parse an event and match it against 100,000 warrants, compared with a plain simdjson walk over the
// same events, which visits every value of every object and array and unescapes strings, but builds nothing.
#include <benchmark/benchmark.h>
#include <simdjson.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/intake/http/event_parser.hpp"
#include "lihandover/model/event.hpp"
#include "lihandover/warrants/index.hpp"

namespace {

namespace intake = lihandover::intake;
namespace model = lihandover::model;
namespace warrants = lihandover::warrants;

constexpr std::size_t event_count = 2000;
constexpr std::size_t event_size = 1024;
constexpr int warrant_count = 100'000;
constexpr model::Instant now{1'795'342'531, 0};  // 2026-11-22T10:15:31Z

// Messages of 1 KB between users who are nobody's target. With `escapes`, the text has some, as JSON text written by
// others often does.
std::vector<std::string> make_events(bool escapes) {
    std::vector<std::string> events;
    for (std::size_t i = 0; i < event_count; ++i) {
        const std::string n = std::to_string(i);
        std::string event =
            R"({"event_id":"5b0c1f6e-1c0e-4c57-9b60-)" + std::to_string(100'000'000'000 + i) +
            R"(","service":"examplechat","event_type":"message","timestamp":"2026-11-22T10:15:30.123456Z",)"
            R"("sender":{"identifiers":[{"type":"user_id","value":"x-)" +
            n + R"("},{"type":"msisdn","value":"44770090)" + std::to_string(1000 + i) +
            R"("}]},"receivers":[{"identifiers":[{"type":"user_id","value":"y-)" + n +
            R"("}]}],"conversation":{"id":"c-)" + n +
            R"(","title":"Weekend","kind":"group"},"parameters":{"status":"delivered","device_id":"d-)" + n +
            R"("},"content":{"type":"text/plain","text":")";
        while (event.size() < event_size - 40) {
            event += escapes ? R"(See you at \u0038 \"sharp\" \ud83d\ude00 )" : "See you at eight o'clock in front ";
        }
        event.resize(event.size() < event_size - 3 ? event.size() : event_size - 3, 'x');
        event += "\"}}";
        events.push_back(std::move(event));
    }
    return events;
}

// The events as lines of one buffer, as in a request, with room after them that simdjson may read.
struct Body {
    std::string text;
    std::vector<std::string_view> lines;

    explicit Body(const std::vector<std::string>& events) {
        for (const std::string& event : events) {
            text += event + '\n';
        }
        text.reserve(text.size() + simdjson::SIMDJSON_PADDING);
        std::size_t at = 0;
        for (const std::string& event : events) {
            lines.push_back(std::string_view(text).substr(at, event.size()));
            at += event.size() + 1;
        }
    }
    [[nodiscard]] simdjson::padded_string_view padded(std::size_t i) const {
        return simdjson::padded_string_view(lines[i].data(), lines[i].size(),
                                            lines[i].size() + simdjson::SIMDJSON_PADDING);
    }
};

const Body& body(bool escapes) {
    static const Body plain(make_events(false));
    static const Body escaped(make_events(true));
    return escapes ? escaped : plain;
}

const warrants::Index& index() {
    static const warrants::Index made = [] {
        std::vector<warrants::WarrantPtr> all;
        for (int i = 0; i < warrant_count; ++i) {
            auto warrant = std::make_shared<warrants::Warrant>();
            warrant->liid = "LIID-" + std::to_string(i);
            warrant->destination = "lea-one";
            warrant->valid_from = {now.seconds - 86'400, 0};
            warrant->valid_until = {now.seconds + 86'400, 0};
            warrant->targets.push_back({model::IdentifierType::user_id, "u-" + std::to_string(i), {}, {}, {}});
            warrant->targets.push_back(
                {model::IdentifierType::msisdn, "4915" + std::to_string(10'000'000 + i), {}, {}, {}});
            warrant->deliver.metadata = true;
            all.push_back(std::move(warrant));
        }
        return warrants::Index(std::move(all));
    }();
    return made;
}

void count(benchmark::State& state, const Body& events) {
    state.SetItemsProcessed(state.iterations());
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(events.text.size() / event_count));
}

std::size_t walk(simdjson::ondemand::value value) {
    switch (value.type()) {
        case simdjson::ondemand::json_type::object: {
            std::size_t sum = 0;
            for (auto field : value.get_object()) {
                sum += field.unescaped_key().value().size();
                sum += walk(field.value());
            }
            return sum;
        }
        case simdjson::ondemand::json_type::array: {
            std::size_t sum = 0;
            for (auto element : value.get_array()) {
                sum += walk(element.value());
            }
            return sum;
        }
        case simdjson::ondemand::json_type::string:
            return value.get_string().value().size();
        default:
            return value.raw_json_token().size();
    }
}

void walk_on_demand(benchmark::State& state) {
    const Body& events = body(state.range(0) != 0);
    simdjson::ondemand::parser parser;
    std::size_t i = 0;
    for (auto _ : state) {
        simdjson::ondemand::document document = parser.iterate(events.padded(i));
        benchmark::DoNotOptimize(walk(document));
        i = (i + 1) % event_count;
    }
    count(state, events);
}

std::size_t walk(simdjson::dom::element element) {
    std::size_t sum = 0;
    if (element.is_object()) {
        for (const auto field : simdjson::dom::object(element)) {
            sum += field.key.size() + walk(field.value);
        }
    } else if (element.is_array()) {
        for (const auto part : simdjson::dom::array(element)) {
            sum += walk(part);
        }
    } else if (element.is_string()) {
        sum += std::string_view(element).size();
    }
    return sum;
}

void walk_tree(benchmark::State& state) {
    const Body& events = body(state.range(0) != 0);
    simdjson::dom::parser parser;
    std::size_t i = 0;
    for (auto _ : state) {
        const auto padded = events.padded(i);
        benchmark::DoNotOptimize(walk(parser.parse(padded.data(), padded.size(), false)));
        i = (i + 1) % event_count;
    }
    count(state, events);
}

void parse(benchmark::State& state) {
    const Body& events = body(state.range(0) != 0);
    intake::EventParser parser;
    model::Event event;
    std::size_t i = 0;
    for (auto _ : state) {
        if (parser.parse(events.lines[i], now, event)) {
            throw std::logic_error("a good event is refused");
        }
        benchmark::DoNotOptimize(event.text.data());
        i = (i + 1) % event_count;
    }
    count(state, events);
}

void parse_and_match(benchmark::State& state) {
    const Body& events = body(state.range(0) != 0);
    const warrants::Index& warrants = index();
    intake::EventParser parser;
    model::Event event;
    warrants::MatchScratch scratch;
    std::vector<warrants::Match> matches;
    std::size_t i = 0;
    for (auto _ : state) {
        if (parser.parse(events.lines[i], now, event)) {
            throw std::logic_error("a good event is refused");
        }
        warrants.match(event, {now, now}, scratch, matches);
        if (!matches.empty()) {
            throw std::logic_error("nobody is a target");
        }
        i = (i + 1) % event_count;
    }
    count(state, events);
}

BENCHMARK(walk_on_demand)->ArgName("escapes")->Arg(0)->Arg(1);
BENCHMARK(walk_tree)->ArgName("escapes")->Arg(0)->Arg(1);
BENCHMARK(parse)->ArgName("escapes")->Arg(0)->Arg(1);
BENCHMARK(parse_and_match)->ArgName("escapes")->Arg(0)->Arg(1);

}  // namespace
