#include "watch.hpp"

#include <array>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <utility>

#include "printing.hpp"
#include "screen.hpp"

namespace lihandover::ctl {

namespace {

std::string clock_text() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    std::array<char, 32> text{};
    (void)::localtime_r(&now, &parts);
    (void)std::strftime(text.data(), text.size(), "%H:%M:%S", &parts);
    return text.data();
}

std::chrono::milliseconds interval_of(const Options& options) {
    return std::chrono::milliseconds(static_cast<std::int64_t>(options.interval * 1000));
}

/// Counts the looks.
class Looks {
  public:
    explicit Looks(const Options& options) : left_(options.times) {}
    /// One more was had; false where that was the last.
    [[nodiscard]] bool go_on() { return !left_ || --*left_ > 0; }

  private:
    std::optional<std::uint64_t> left_;
};

int show_once(const Options& options, const Sight& sight) {
    if (!sight.good()) {
        return complain(sight.answer);
    }
    if (options.json) {
        return print_json(sight.json);
    }
    std::cout << sight.text;
    return finish_output();
}

/// For programs and files.
int watch_in_blocks(const Options& options, const Looking& look) {
    const Terminal terminal = output_terminal();
    Looks looks(options);
    while (true) {
        const Sight sight = look(terminal);
        int status = 0;
        if (sight.good()) {
            status = show_once(options, sight);
            if (!options.json && status == 0) {
                std::cout << '\n';
                status = finish_output();
            }
            if (status != 0) {
                return status;
            }
        } else if (options.json) {
            status = print_json("{\"error\":" + json_text(sentence_of(sight.answer)) + "}");
            if (status != 0) {
                return status;
            }
            status = sight.answer.status == 0 ? status_unreachable : status_failed;
        } else {
            status = complain(sight.answer);
        }
        if (!looks.go_on() || !wait_with_reader(interval_of(options))) {
            return status;
        }
    }
}

/// What the screen shows, and when it was so.
struct Shown {
    std::string text;
    std::string at;
};

std::string page_of(const std::string& title, const Sight& sight, const Shown& shown, const Terminal& terminal) {
    std::string out = painted(title + ", " + clock_text() + "; q ends", Look::heading, terminal) + '\n';
    if (!sight.good()) {
        out += painted(wrapped(printable(sentence_of(sight.answer)), terminal.width), Look::alarm, terminal) + '\n';
        out += painted(shown.at.empty() ? "trying on" : "trying on; the last answer is of " + shown.at + ":",
                       Look::warning, terminal) +
               '\n';
    }
    return out + '\n' + shown.text;
}

int watch_on_screen(const Options& options, const std::string& title, const Looking& look) {
    Looks looks(options);
    Sight sight = look(output_terminal());
    // What nobody can mend while it runs is better said than shown again and again.
    if (!sight.good() && sight.answer.denied) {
        return complain(sight.answer);
    }
    Shown shown;
    Screen screen;
    while (true) {
        if (sight.good()) {
            shown = {sight.text, clock_text()};
        }
        if (!screen.draw(page_of(title, sight, shown, output_terminal()))) {
            return status_failed;
        }
        const int status = sight.good() ? 0 : sight.answer.status == 0 ? status_unreachable : status_failed;
        if (!looks.go_on() || screen.wait(interval_of(options)) == Screen::Woken::quit) {
            return options.times ? status : 0;
        }
        sight = look(output_terminal());
    }
}

}  // namespace

int watch(const Options& options, const std::string& title, const Looking& look) {
    if (!options.watch) {
        return show_once(options, look(output_terminal()));
    }
    if (options.json || !output_terminal().screen) {
        return watch_in_blocks(options, look);
    }
    return watch_on_screen(options, title, look);
}

}  // namespace lihandover::ctl
