#include "behaviour.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace lihandover::lea_sim {

namespace {

constexpr std::array<std::string_view, 19> kind_names = {
    "delay",     "refuse",     "error",      "status",       "drop",      "wrong_transaction", "garbage",
    "truncated", "oversized",  "unanswered", "twice",        "slow_read", "withhold_continue", "exists",
    "stranger",  "first_only", "foreign",    "under_status", "gzip"};
constexpr std::array<std::string_view, 4> moment_names = {"reading", "answering", "answered", "any"};
constexpr std::array<std::string_view, 3> scope_names = {"deliveries", "uploads", "all"};

template <std::size_t Size>
std::string listed(const std::array<std::string_view, Size>& names) {
    std::string out;
    for (const auto name : names) {
        out.append(out.empty() ? "" : ", ").append(name);
    }
    return out;
}

template <typename Enum, std::size_t Size>
std::optional<Enum> named(const std::array<std::string_view, Size>& names, std::string_view text) {
    const auto* const found = std::find(names.begin(), names.end(), text);
    if (found == names.end()) {
        return std::nullopt;
    }
    return static_cast<Enum>(found - names.begin());
}

std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t least, std::uint64_t most) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
        return std::nullopt;
    }
    return value;
}

std::optional<double> parse_probability(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !(value >= 0 && value <= 1)) {
        return std::nullopt;
    }
    return value;
}

/// One setting as it was given; `allowed` says what would have been right.
struct Given {
    Rule& rule;
    std::string_view value;
    std::string& allowed;

    template <typename Enum, std::size_t Size>
    void choose(Enum& field, const std::array<std::string_view, Size>& names) const {
        if (const auto chosen = named<Enum>(names, value)) {
            field = *chosen;
        } else {
            allowed = listed(names);
        }
    }
    template <typename Number>
    void number(Number& field, std::uint64_t least, std::uint64_t most) const {
        if (const auto parsed = parse_number(value, least, most)) {
            field = static_cast<Number>(*parsed);
        } else {
            allowed = std::to_string(least) + " to " + std::to_string(most);
        }
    }
    void duration(std::chrono::milliseconds& field) const {
        if (const auto parsed = parse_duration(value)) {
            field = *parsed;
        } else {
            allowed = "a time such as 200ms, 2s, 5m, 1h";
        }
    }
    void object() const {
        rule.object = model::Uuid::parse(value);
        if (!rule.object) {
            allowed = "a UUID";
        }
    }
    void probability() const {
        if (const auto parsed = parse_probability(value)) {
            rule.probability = *parsed;
        } else {
            allowed = "0 to 1";
        }
    }
    void location() const {
        rule.location = value;
        if (std::any_of(value.begin(), value.end(), [](char byte) { return byte < 0x20; })) {
            allowed = "a URL";
        }
    }
};

constexpr auto any_number = std::numeric_limits<std::uint64_t>::max();

struct Setting {
    std::string_view name;
    void (*take)(const Given& given);
};
constexpr std::array settings = {
    Setting{"kind", [](const Given& given) { given.choose(given.rule.kind, kind_names); }},
    Setting{"on", [](const Given& given) { given.choose(given.rule.on, scope_names); }},
    Setting{"moment", [](const Given& given) { given.choose(given.rule.moment, moment_names); }},
    Setting{"object", [](const Given& given) { given.object(); }},
    Setting{"probability", [](const Given& given) { given.probability(); }},
    Setting{"liid", [](const Given& given) { given.rule.liid = given.value; }},
    Setting{"contains", [](const Given& given) { given.rule.contains = given.value; }},
    Setting{"nodes", [](const Given& given) { given.number(given.rule.nodes, 1, 1000); }},
    Setting{"node", [](const Given& given) { given.number(given.rule.node.emplace(), 0, 999); }},
    Setting{"description", [](const Given& given) { given.rule.description = given.value; }},
    Setting{"location", [](const Given& given) { given.location(); }},
    Setting{"skip", [](const Given& given) { given.number(given.rule.skip, 0, any_number); }},
    Setting{"every", [](const Given& given) { given.number(given.rule.every, 1, any_number); }},
    Setting{"times", [](const Given& given) { given.number(given.rule.times, 0, any_number); }},
    Setting{"delay", [](const Given& given) { given.duration(given.rule.delay); }},
    Setting{"jitter", [](const Given& given) { given.duration(given.rule.jitter); }},
    Setting{"code", [](const Given& given) { given.number(given.rule.code, 0, any_number); }},
    Setting{"status", [](const Given& given) { given.number(given.rule.status, 200, 599); }},
    Setting{"retry_after", [](const Given& given) { given.number(given.rule.retry_after.emplace(), 0, 86'400); }},
    Setting{"size", [](const Given& given) { given.number(given.rule.size, 0, std::uint64_t{1} << 40); }},
    Setting{"rate", [](const Given& given) { given.number(given.rule.rate, 1, std::uint64_t{1} << 40); }},
};

/// Sets one setting of a rule. False if the name is unknown; an empty `allowed` afterwards means success.
bool set(Rule& rule, std::string_view name, std::string_view value, std::string& allowed) {
    const auto* const found =
        std::find_if(settings.begin(), settings.end(), [name](const Setting& setting) { return setting.name == name; });
    if (found == settings.end()) {
        return false;
    }
    found->take({rule, value, allowed});
    return true;
}

}  // namespace

std::string_view name_of(Kind kind) {
    return kind_names.at(static_cast<std::size_t>(kind));
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, std::uint64_t>, 4> units = {
        {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto value = parse_number(text.substr(0, digits), 0, 1'000'000'000);
    if (!value) {
        return std::nullopt;
    }
    for (const auto& [name, factor] : units) {
        if (text.substr(digits) == name) {
            return std::chrono::milliseconds(*value * factor);
        }
    }
    return std::nullopt;
}

model::Result<Rule> make_rule(const Settings& settings) {
    Rule rule;
    bool has_kind = false;
    bool has_scope = false;
    for (const auto& [name, value] : settings) {
        std::string allowed;
        if (!set(rule, name, value, allowed)) {
            return model::Error{"unknown setting of a rule: " + name};
        }
        if (!allowed.empty()) {
            return model::Error{name + ": allowed is " + allowed};
        }
        has_kind = has_kind || name == "kind";
        has_scope = has_scope || name == "on";
    }
    if (!has_kind) {
        return model::Error{"kind: is missing; allowed is " + listed(kind_names)};
    }
    if (rule.kind == Kind::withhold_continue && !has_scope) {
        rule.on = Scope::uploads;
    }
    const bool unread = rule.kind == Kind::slow_read || rule.kind == Kind::withhold_continue ||
                        (rule.kind == Kind::drop && rule.moment == Moment::reading);
    if (unread && rule.on != Scope::uploads && (!rule.liid.empty() || rule.object || !rule.contains.empty())) {
        return model::Error{"liid, object, contains: not known before a delivery is read"};
    }
    if (rule.node && *rule.node >= rule.nodes) {
        return model::Error{"node: allowed is 0 to one less than nodes"};
    }
    return rule;
}

model::Status parse_settings(std::string_view text, Settings& out) {
    while (!text.empty()) {
        const auto end = std::min(text.find(','), text.size());
        const auto pair = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto mark = pair.find('=');
        if (mark == std::string_view::npos) {
            return model::Error{"settings have the form name=value,name=value"};
        }
        out.emplace_back(pair.substr(0, mark), pair.substr(mark + 1));
    }
    return {};
}

model::Result<std::vector<Rule>> chaos_rules(std::string_view text) {
    Settings pairs;
    if (auto parsed = parse_settings(text, pairs); !parsed) {
        return parsed.error();
    }
    std::vector<Rule> rules;
    for (const auto& [kind, probability] : pairs) {
        Settings settings = {{"kind", kind}, {"probability", probability}};
        if (kind == "delay") {
            settings.insert(settings.end(), {{"delay", "1ms"}, {"jitter", "200ms"}});
        }
        if (kind == "drop") {
            settings.emplace_back("moment", "any");
        }
        auto rule = make_rule(settings);
        if (!rule) {
            return rule.error();
        }
        rules.push_back(std::move(*rule));
    }
    return rules;
}

model::Result<std::vector<Rule>> rules_from_json(std::string_view json) {
    namespace dom = simdjson::dom;
    dom::parser parser;
    dom::object object;
    dom::array array;
    const model::Error shape{R"(expected {"rules":[{"kind":"…", …}, …]})"};
    if (parser.parse(json.data(), json.size()).get(object) != simdjson::SUCCESS) {
        return shape;
    }
    if (object.size() != 1 || object["rules"].get(array) != simdjson::SUCCESS) {
        return shape;
    }
    std::vector<Rule> rules;
    for (const auto element : array) {
        dom::object members;
        if (element.get(members) != simdjson::SUCCESS) {
            return shape;
        }
        Settings settings;
        for (const auto [name, value] : members) {
            std::string_view text;
            if (value.get(text) == simdjson::SUCCESS) {
                settings.emplace_back(name, text);
            } else {
                settings.emplace_back(name, simdjson::minify(value));
            }
        }
        auto rule = make_rule(settings);
        if (!rule) {
            return rule.error();
        }
        rules.push_back(std::move(*rule));
    }
    return rules;
}

Behaviour::Behaviour(std::vector<Rule> rules) {
    for (auto& rule : rules) {
        needs_liids_ = needs_liids_ || !rule.liid.empty();
        needs_nodes_ = needs_nodes_ || rule.node;
        auto state = std::make_unique<State>();
        state->rule = std::move(rule);
        states_.push_back(std::move(state));
    }
}

const Rule* Behaviour::apply(std::size_t index, std::span<const Subject> subjects, Random& random) const {
    auto& state = *states_[index];
    const auto& rule = state.rule;
    const bool fits = std::any_of(subjects.begin(), subjects.end(), [&](const Subject& subject) {
        return (rule.on == Scope::all || rule.on == subject.what) && (rule.liid.empty() || rule.liid == subject.liid) &&
               (!rule.object || (subject.object != nullptr && *subject.object == *rule.object)) &&
               (rule.contains.empty() || subject.text.find(rule.contains) != std::string_view::npos) &&
               (!rule.node || subject.connection % rule.nodes == *rule.node);
    });
    if (!fits) {
        return nullptr;
    }
    const auto number = state.seen.fetch_add(1, std::memory_order_relaxed) + 1;
    if (number <= rule.skip || (number - rule.skip) % rule.every != 0) {
        return nullptr;
    }
    if (rule.probability < 1 && !(std::uniform_real_distribution<double>(0, 1)(random) < rule.probability)) {
        return nullptr;
    }
    const auto before = state.applied.fetch_add(1, std::memory_order_relaxed);
    if (rule.times != 0 && before >= rule.times) {
        state.applied.fetch_sub(1, std::memory_order_relaxed);
        return nullptr;
    }
    return &rule;
}

}  // namespace lihandover::lea_sim
