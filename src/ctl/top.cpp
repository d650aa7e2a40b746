#include <simdjson.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "lihandover/model/time.hpp"
#include "printing.hpp"
#include "reading.hpp"
#include "watch.hpp"

namespace lihandover::ctl {

namespace {

namespace dom = simdjson::dom;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t usual_limit = 20;

/// `3 min`: how long ago. Nothing for a time that is none; a time to come, after a jump of the clock, is now.
std::string age_text(const std::string& now, const std::string& then) {
    const auto from = model::parse_rfc3339(then);
    const auto until = model::parse_rfc3339(now);
    if (!from || !until) {
        return {};
    }
    const std::int64_t seconds = std::max<std::int64_t>(until->instant.seconds - from->instant.seconds, 0);
    constexpr std::array<std::pair<std::int64_t, const char*>, 3> units = {{{86400, " d"}, {3600, " h"}, {60, " min"}}};
    for (const auto& [size, name] : units) {
        if (seconds >= 2 * size) {
            return std::to_string(seconds / size) + name;
        }
    }
    return std::to_string(seconds) + " s";
}

/// How fast numbers change from one look to the next.
class Changes {
  public:
    /// Of the number of that name: `+12.5/s`; empty where it was not seen the last time.
    std::string of(const std::string& name, std::uint64_t number) {
        seen_[name] = number;
        const auto found = before_.find(name);
        if (found == before_.end() || passed_ <= 0) {
            return {};
        }
        const double change = (static_cast<double>(number) - static_cast<double>(found->second)) / passed_;
        std::array<char, 48> text{};
        (void)std::snprintf(text.data(), text.size(), std::abs(change) < 10 ? "%+.1f/s" : "%+.0f/s", change);
        return change == 0 ? "0" : text.data();
    }
    /// A look begins.
    void look() {
        const auto now = Clock::now();
        passed_ = at_ ? std::chrono::duration<double>(now - *at_).count() : 0;
        at_ = now;
        before_ = std::exchange(seen_, {});
    }

  private:
    std::optional<Clock::time_point> at_;
    double passed_ = 0;
    std::map<std::string, std::uint64_t> before_, seen_;
};

/// One destination of the status.
struct Destination {
    dom::element element;
    std::uint64_t queued = 0;
    std::string oldest;
};

std::vector<Destination> sorted_destinations(dom::element status, bool by_age) {
    std::vector<Destination> all;
    for (const auto element : elements_of(status, "destinations")) {
        all.push_back({element, count_of(element, "queued"), text_of(element, "oldest_queued")});
    }
    // Times of this form sort as text. Where nothing is queued comes last.
    std::ranges::stable_sort(all, [by_age](const Destination& one, const Destination& other) {
        if (by_age && one.oldest != other.oldest) {
            return !one.oldest.empty() && (other.oldest.empty() || one.oldest < other.oldest);
        }
        return one.queued > other.queued;
    });
    return all;
}

class TopText {
  public:
    TopText(const Options& options, Changes& changes, const Terminal& terminal)
        : by_age_(options.by == "age"), changes_(changes), terminal_(terminal) {}

    [[nodiscard]] std::string write(dom::element status, dom::element backlog) {
        changes_.look();
        now_ = text_of(status, "now");
        destinations(status);
        out_ << '\n';
        liids(backlog);
        return out_.str();
    }

  private:
    void destinations(dom::element status) {
        Table table({{"DESTINATION", 0, true},
                     {"STATE", 1, true},
                     {"QUEUED"},
                     {"CHANGE", 2},
                     {"OLDEST", 1},
                     {"OLDEST EMERGENCY", 1},
                     {"IN FLIGHT", 6},
                     {"SET ASIDE", 3},
                     {"REFUSED", 3},
                     {"HELD", 4},
                     {"LAST FAILURE", 5, true}},
                    terminal_);
        for (const Destination& each : sorted_destinations(status, by_age_)) {
            const auto name = text_of(each.element, "name");
            const auto state = text_of(each.element, "state");
            const auto paused = text_of(each.element, "paused");
            table.add(
                {name, state + (paused.empty() ? "" : " (" + paused + ")"), std::to_string(each.queued),
                 changes_.of(name, each.queued), age_text(now_, each.oldest),
                 age_text(now_, text_of(each.element, "oldest_emergency_queued")), number_of(each.element, "in_flight"),
                 number_of(each.element, "set_aside"), number_of(each.element, "refused"),
                 number_of(each.element, "held"), text_of(each.element, "last_failure")},
                state == "paused"        ? Look::alarm
                : state == "backing_off" ? Look::warning
                                         : Look::plain);
        }
        table.print(out_);
    }

    void liids(dom::element backlog) {
        Table table({{"LIID", 0, true},
                     {"DESTINATION", 1, true},
                     {"QUEUED"},
                     {"CHANGE", 2},
                     {"OLDEST", 1},
                     {"EMERGENCIES", 3},
                     {"STATE", 4}},
                    terminal_);
        std::uint64_t shown = 0;
        for (const auto liid : elements_of(backlog, "liids")) {
            const auto emergencies = count_of(liid, "emergencies");
            const auto name = text_of(liid, "liid");
            const auto destination = text_of(liid, "destination");
            const auto queued = count_of(liid, "queued");
            table.add(
                {name, destination, std::to_string(queued), changes_.of(destination + '\n' + name, queued),
                 age_text(now_, text_of(liid, "oldest_received")), std::to_string(emergencies), text_of(liid, "state")},
                emergencies > 0 ? Look::alarm : Look::plain);
            ++shown;
        }
        const auto waiting = count_of(backlog, "liids_waiting");
        if (waiting == 0) {
            out_ << "nothing is queued\n";
            return;
        }
        table.print(out_);
        if (waiting > shown) {
            out_ << painted("(of " + std::to_string(waiting) + " LIIDs)", Look::faint, terminal_) << '\n';
        }
    }

    bool by_age_;
    Changes& changes_;
    Terminal terminal_;
    std::string now_;
    std::ostringstream out_;
};

Answer senseless() {
    Answer answer;
    answer.failure = "the daemon's answer makes no sense";
    return answer;
}

/// Both answers as one document.
std::string joined(dom::element status, dom::element backlog) {
    dom::element destinations;
    dom::element liids;
    if (status["destinations"].get(destinations) != simdjson::SUCCESS ||
        backlog["liids"].get(liids) != simdjson::SUCCESS) {
        return {};
    }
    std::string out = "{\"now\":" + json_text(text_of(status, "now")) + ",\"by\":" + json_text(text_of(backlog, "by"));
    out += ",\"destinations\":" + simdjson::minify(destinations);
    out += ",\"liids_waiting\":" + std::to_string(count_of(backlog, "liids_waiting"));
    return out + ",\"liids\":" + simdjson::minify(liids) + "}";
}

}  // namespace

int top(Options options) {
    options.watch = !options.once;
    Changes changes;
    const auto look = [&options, &changes](const Terminal& terminal) {
        const Connection connection(options.socket);
        Sight sight;
        sight.answer = connection.get("/v1/status");
        if (!sight.good()) {
            return sight;
        }
        const auto listed = connection.get("/v1/backlog?by=" + percent_coded(options.by) +
                                           "&limit=" + std::to_string(options.limit.value_or(usual_limit)));
        if (!listed.ok()) {
            sight.answer = listed;
            return sight;
        }
        dom::parser status_parser;
        dom::parser backlog_parser;
        dom::element status;
        dom::element backlog;
        if (status_parser.parse(sight.answer.body).get(status) != simdjson::SUCCESS ||
            backlog_parser.parse(listed.body).get(backlog) != simdjson::SUCCESS) {
            sight.answer = senseless();
            return sight;
        }
        sight.json = joined(status, backlog);
        if (sight.json.empty()) {
            sight.answer = senseless();
        } else if (!options.json) {
            sight.text = TopText(options, changes, terminal).write(status, backlog);
        }
        return sight;
    };
    return watch(options, "backlog by " + options.by, look);
}

}  // namespace lihandover::ctl
