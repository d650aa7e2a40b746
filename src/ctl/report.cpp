#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>

#include "commands.hpp"
#include "lihandover/audit/lines.hpp"
#include "printing.hpp"

namespace lihandover::ctl {

namespace {

/// Items that wait, whose time of receipt is kept: some 300 MB. Beyond these, items count, and their times do not.
constexpr std::size_t most_waiting = 4'000'000;
constexpr std::size_t most_warrants = 1'000'000;

double seconds_between(model::Instant from, model::Instant until) {
    return static_cast<double>(until.seconds - from.seconds) + static_cast<double>(until.nanos - from.nanos) * 1e-9;
}

/// Times in classes that are 5 % wide, so that any number of them takes the same memory.
class Durations {
  public:
    void add(double seconds) {
        seconds = std::max(seconds, 0.0);
        longest_ = std::max(longest_, seconds);
        ++count_;
        ++classes_[class_of(seconds)];
    }
    [[nodiscard]] bool any() const { return count_ > 0; }
    [[nodiscard]] double longest() const { return longest_; }
    /// At most so much for this share of them; the upper bound of its class.
    [[nodiscard]] double quantile(double share) const {
        const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < classes_.size(); ++i) {
            seen += classes_[i];
            if (seen >= wanted) {
                return std::min(longest_, shortest * std::pow(width, static_cast<double>(i)));
            }
        }
        return longest_;
    }

  private:
    static constexpr double shortest = 0.001;
    static constexpr double width = 1.05;
    static std::size_t class_of(double seconds) {
        const double place = seconds <= shortest ? 0 : std::ceil(std::log(seconds / shortest) / std::log(width));
        return std::min<std::size_t>(static_cast<std::size_t>(place), number_of_classes - 1);
    }
    static constexpr std::size_t number_of_classes = 500;  // up to a year

    std::array<std::uint64_t, number_of_classes> classes_{};
    std::uint64_t count_ = 0;
    double longest_ = 0;
};

struct Row {
    std::uint64_t made = 0, delivered = 0, refused = 0, set_aside = 0, rejected = 0;
    std::uint64_t held = 0;  ///< waits for people now: not made yet, or withheld
    std::uint64_t waiting = 0;
    std::optional<model::Instant> oldest;
    Durations delays;
};

/// Counts what the entries say.
class Report {
  public:
    explicit Report(const Options& options) : options_(options) {}

    /// Whether the times could be read.
    [[nodiscard]] bool set_times() {
        for (const auto& [text, out] : {std::pair(&options_.since, &since_), std::pair(&options_.until, &until_)}) {
            const auto time = model::parse_rfc3339(*text);
            if (!text->empty() && !time) {
                return false;
            }
            *out = time ? std::optional(time->instant) : std::nullopt;
        }
        return true;
    }
    [[nodiscard]] bool take(std::string_view lines) {
        while (!lines.empty()) {
            const auto end = lines.find('\n');
            const auto read = audit::read_line(lines.substr(0, end));
            if (!read) {
                return false;
            }
            if (const auto* const entry = std::get_if<std::unique_ptr<audit::ReadEntry>>(&*read)) {
                take((*entry)->recorded);
            }
            lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
        }
        return true;
    }
    /// `now` in rows: what waits, and since when.
    [[nodiscard]] std::map<std::pair<std::string, std::string>, Row>& rows() {
        for (const auto& [item, waiting] : waiting_) {
            Row& row = *waiting.row;
            if (waiting.held) {
                ++row.held;
                continue;
            }
            ++row.waiting;
            if (!row.oldest || waiting.received < *row.oldest) {
                row.oldest = waiting.received;
            }
        }
        for (const auto& [id, row] : held_) {
            ++row->held;
        }
        waiting_.clear();
        held_.clear();
        return rows_;
    }
    [[nodiscard]] std::uint64_t uncounted() const { return uncounted_; }

  private:
    struct Waiting {
        Row* row = nullptr;
        model::Instant received;
        bool held = false;  ///< since its warrant was revoked
    };

    void take(const audit::Recorded& recorded) {
        const audit::Entry& entry = recorded.entry;
        if (!recorded.item || (!options_.destination.empty() && entry.destination != options_.destination) ||
            (!options_.liid.empty() && entry.liid != options_.liid)) {
            return;
        }
        if (entry.kind == audit::Kind::item_held) {
            hold(entry);
            return;
        }
        if (entry.kind == audit::Kind::item_made) {
            if (entry.object_id) {
                held_.erase(*entry.object_id);
            }
            make(recorded);
            return;
        }
        if (entry.kind == audit::Kind::item_rejected && entry.object_id) {
            if (const auto held = held_.find(*entry.object_id); held != held_.end()) {
                ++held->second->rejected;
                held_.erase(held);
                return;
            }
        }
        if (entry.kind == audit::Kind::item_withheld || entry.kind == audit::Kind::item_approved) {
            withhold(*recorded.item, entry);
            return;
        }
        const auto found = waiting_.find(*recorded.item);
        if (found == waiting_.end()) {
            return;
        }
        Row& row = *found->second.row;
        if (entry.kind == audit::Kind::item_delivered) {
            ++row.delivered;
            row.delays.add(seconds_between(found->second.received, entry.at));
            waiting_.erase(found);
        } else if (entry.kind == audit::Kind::item_rejected) {
            ++row.rejected;
            waiting_.erase(found);
        } else if (entry.kind == audit::Kind::item_refused) {
            ++row.refused;
        } else if (entry.kind == audit::Kind::item_set_aside) {
            ++row.set_aside;
        }
    }
    /// The row of an entry's warrant; null if it is not of the time that is asked for, or there is no room.
    [[nodiscard]] Row* row_of(const audit::Entry& entry) {
        if ((since_ && entry.at < *since_) || (until_ && entry.at >= *until_)) {
            return nullptr;
        }
        if (rows_.size() >= most_warrants || waiting_.size() + held_.size() >= most_waiting) {
            ++uncounted_;
            return nullptr;
        }
        return &rows_[{std::string(entry.destination), std::string(entry.liid)}];
    }
    void hold(const audit::Entry& entry) {
        Row* const row = entry.object_id ? row_of(entry) : nullptr;
        if (row != nullptr) {
            held_.emplace(*entry.object_id, row);
        }
    }
    /// Of an item that was made before: it is held, or people let it go on.
    void withhold(std::uint64_t item, const audit::Entry& entry) {
        if (const auto found = waiting_.find(item); found != waiting_.end()) {
            found->second.held = entry.kind == audit::Kind::item_withheld || entry.why == "one of two";
        }
    }
    void make(const audit::Recorded& recorded) {
        const audit::Entry& entry = recorded.entry;
        Row* const found = row_of(entry);
        if (found == nullptr) {
            return;
        }
        Row& row = *found;
        ++row.made;
        waiting_.emplace(*recorded.item, Waiting{&row, entry.received_at.value_or(entry.at)});
    }

    const Options& options_;
    std::optional<model::Instant> since_, until_;
    std::map<std::pair<std::string, std::string>, Row> rows_;
    std::unordered_map<std::uint64_t, Waiting> waiting_;
    std::unordered_map<model::Uuid, Row*> held_;
    std::uint64_t uncounted_ = 0;
};

std::string seconds_text(const Row& row, double seconds) {
    if (!row.delays.any()) {
        return {};
    }
    std::array<char, 64> text{};
    const int size = std::snprintf(text.data(), text.size(), "%.3f", seconds);
    return {text.data(), static_cast<std::size_t>(std::max(size, 0))};
}

/// A CSV field. What a spreadsheet takes for a formula is text to it.
std::string csv_text(const std::string& text) {
    std::string out = "\"";
    if (!text.empty() && std::string_view("=+-@").find(text.front()) != std::string_view::npos) {
        out += '\'';
    }
    for (const char byte : text) {
        out += byte == '"' ? "\"\"" : std::string(1, byte);
    }
    return out + '"';
}

std::vector<std::pair<std::string_view, std::string>> numbers_of(const Row& row) {
    return {{"made", std::to_string(row.made)},
            {"delivered", std::to_string(row.delivered)},
            {"refused", std::to_string(row.refused)},
            {"set_aside", std::to_string(row.set_aside)},
            {"rejected", std::to_string(row.rejected)},
            {"waiting", std::to_string(row.waiting)},
            {"held", std::to_string(row.held)},
            {"median_seconds", seconds_text(row, row.delays.quantile(0.5))},
            {"p95_seconds", seconds_text(row, row.delays.quantile(0.95))},
            {"max_seconds", seconds_text(row, row.delays.longest())}};
}

void print_csv(const std::map<std::pair<std::string, std::string>, Row>& rows) {
    std::cout << "destination,liid";
    for (const auto& [name, value] : numbers_of(Row{})) {
        std::cout << ',' << name;
    }
    std::cout << ",oldest_waiting\r\n";
    for (const auto& [warrant, row] : rows) {
        std::cout << csv_text(printable(warrant.first)) << ',' << csv_text(printable(warrant.second));
        for (const auto& [name, value] : numbers_of(row)) {
            std::cout << ',' << value;
        }
        std::cout << ',' << (row.oldest ? audit::to_nanosecond_date_time(*row.oldest) : "") << "\r\n";
    }
}

void print_rows_json(const std::map<std::pair<std::string, std::string>, Row>& rows) {
    std::cout << '[';
    bool first = true;
    for (const auto& [warrant, row] : rows) {
        std::cout << (std::exchange(first, false) ? "\n" : ",\n") << "{\"destination\":" << json_text(warrant.first)
                  << ",\"liid\":" << json_text(warrant.second);
        for (const auto& [name, value] : numbers_of(row)) {
            std::cout << ",\"" << name << "\":" << (value.empty() ? "null" : value);
        }
        std::cout << ",\"oldest_waiting\":"
                  << (row.oldest ? '"' + audit::to_nanosecond_date_time(*row.oldest) + '"' : "null") << '}';
    }
    std::cout << (first ? "]\n" : "\n]\n");
}

}  // namespace

int report(const Options& options) {
    Report report(options);
    if (!report.set_times()) {
        return complain("--since, --until: a time as 2026-03-01T00:00:00Z");
    }
    // An item that was made before --until may be delivered at any time after it.
    const std::string filter = options.since.empty() ? "" : "since=" + percent_coded(options.since);
    const int status = walk_audit(options, filter, [&](std::string_view lines) { return report.take(lines); });
    if (status != 0) {
        return status;
    }
    const auto& rows = report.rows();
    if (options.json || options.format == "json") {
        print_rows_json(rows);
    } else {
        print_csv(rows);
    }
    if (!std::cout.flush()) {
        return complain("the output cannot be written");
    }
    return report.uncounted() == 0 ? 0
                                   : complain(std::to_string(report.uncounted()) +
                                              " items are not in it: too many wait; ask for a shorter time");
}

}  // namespace lihandover::ctl
