#include <simdjson.h>

#include <sstream>
#include <string>
#include <utility>

#include "commands.hpp"
#include "printing.hpp"
#include "reading.hpp"
#include "watch.hpp"

namespace lihandover::ctl {

namespace {

namespace dom = simdjson::dom;

/// Writes what the status says, for one terminal.
class StatusText {
  public:
    explicit StatusText(const Terminal& terminal) : terminal_(terminal) {}

    /// False where the answer makes no sense.
    [[nodiscard]] bool write(dom::element status) {
        dom::element store;
        dom::element warrants;
        if (status["store"].get(store) != simdjson::SUCCESS || status["warrants"].get(warrants) != simdjson::SUCCESS) {
            return false;
        }
        daemon(status);
        this->store(store);
        this->warrants(warrants);
        records(status);
        alarms(status);
        out_ << '\n';
        destinations(status);
        certificates(status);
        return true;
    }
    [[nodiscard]] std::string text() const { return out_.str(); }

  private:
    [[nodiscard]] std::string look(const std::string& text, Look wanted) const {
        return painted(printable(text), wanted, terminal_);
    }

    void daemon(dom::element status) {
        const std::string readiness = text_of(status, "readiness");
        out_ << "lihandoverd " << printable(text_of(status, "version")) << ": "
             << look(readiness, readiness == "ready" ? Look::good : Look::alarm) << ", started "
             << printable(time_text(text_of(status, "started_at"), terminal_)) << '\n';
    }

    void store(dom::element store) {
        const auto max_bytes = count_of(store, "max_bytes");
        const bool accepting = flag_of(store, "accepting");
        out_ << "store: " << look(accepting ? "accepting" : "NOT accepting", accepting ? Look::plain : Look::alarm)
             << ", " << size_text(count_of(store, "used_bytes")) << " used"
             << (max_bytes == 0 ? "" : " of " + size_text(max_bytes)) << ", "
             << size_text(count_of(store, "waiting_bytes")) << " of it waiting items\n";
    }

    void warrants(dom::element warrants) {
        const auto bad = count_of(warrants, "files_bad");
        out_ << "warrants: " << count_of(warrants, "active") << " active, " << count_of(warrants, "pending")
             << " pending, " << count_of(warrants, "expired") << " expired, "
             << look(std::to_string(bad) + " bad files", bad == 0 ? Look::plain : Look::warning) << '\n';
    }

    void records(dom::element status) {
        if (dom::element audit; status["audit"].get(audit) == simdjson::SUCCESS) {
            out_ << "audit: " << count_of(audit, "entries") << " entries, head " << printable(text_of(audit, "head"))
                 << '\n';
        }
        if (dom::element encryption;
            status["encryption"].get(encryption) == simdjson::SUCCESS && flag_of(encryption, "on")) {
            out_ << "encryption: under the master key " << printable(text_of(encryption, "key"))
                 << (flag_of(encryption, "working") ? ", being sealed: " + number_of(encryption, "percent") + " %"
                                                    : std::string())
                 << '\n';
        }
        if (dom::element report; status["last_reload"].get(report) == simdjson::SUCCESS && report.is_object()) {
            out_ << "last ";
            print_report(report, out_, out_);
        }
    }

    void alarms(dom::element status) {
        for (const auto alarm : elements_of(status, "alarms")) {
            std::string_view text;
            if (alarm.get(text) == simdjson::SUCCESS) {
                const std::string lines = wrapped("ALARM: " + printable(text), terminal_.width);
                out_ << painted(lines, Look::alarm, terminal_) << '\n';
            }
        }
    }

    void destinations(dom::element status) {
        Table table({{"DESTINATION", 0, true},
                     {"STATE", 0, true},
                     {"QUEUED"},
                     {"HELD", 3},
                     {"SET ASIDE", 2},
                     {"REFUSED", 1},
                     {"IN FLIGHT", 8},
                     {"CONNECTIONS", 9},
                     {"OBJECTS QUEUED", 8},
                     {"OBJECTS REFUSED", 7},
                     {"OLDEST EMERGENCY", 1},
                     {"OLDEST QUEUED", 2},
                     {"LAST SUCCESS", 5},
                     {"LAST FAILURE", 4, true},
                     {"NEXT ATTEMPT", 6}},
                    terminal_);
        for (const auto destination : elements_of(status, "destinations")) {
            destination_row(table, destination);
        }
        table.print(out_);
    }

    void destination_row(Table& table, dom::element destination) const {
        const auto paused = text_of(destination, "paused");
        const auto state = text_of(destination, "state");
        auto failure = text_of(destination, "last_failure");
        if (!failure.empty()) {
            failure += " " + time_text(text_of(destination, "last_failure_at"), terminal_);
        }
        const bool some_failed = count_of(destination, "refused") + count_of(destination, "set_aside") +
                                     count_of(destination, "objects_refused") >
                                 0;
        const Look look = state == "paused"                       ? Look::alarm
                          : state == "backing_off" || some_failed ? Look::warning
                                                                  : Look::plain;
        table.add({text_of(destination, "name"), state + (paused.empty() ? "" : " (" + paused + ")"),
                   number_of(destination, "queued"), number_of(destination, "held"),
                   number_of(destination, "set_aside"), number_of(destination, "refused"),
                   number_of(destination, "in_flight"), number_of(destination, "connections"),
                   number_of(destination, "objects_queued"), number_of(destination, "objects_refused"),
                   time_text(text_of(destination, "oldest_emergency_queued"), terminal_),
                   time_text(text_of(destination, "oldest_queued"), terminal_),
                   time_text(text_of(destination, "last_success"), terminal_), failure,
                   time_text(text_of(destination, "next_attempt"), terminal_)},
                  look);
    }

    void certificates(dom::element status) {
        Table table({{"CERTIFICATE OF", 0, true}, {"ROLE", 2}, {"KIND", 1}, {"NUMBER", 3}, {"ENDS"}}, terminal_);
        bool any = false;
        for (const auto certificate : elements_of(status, "certificates")) {
            any = true;
            table.add({text_of(certificate, "name"), text_of(certificate, "role"), text_of(certificate, "kind"),
                       number_of(certificate, "number"), time_text(text_of(certificate, "ends"), terminal_)});
        }
        if (any) {
            out_ << '\n';
            table.print(out_);
        }
    }

    Terminal terminal_;
    std::ostringstream out_;
};

}  // namespace

int show_status(const Options& options) {
    const auto look = [&options](const Terminal& terminal) {
        Sight sight;
        sight.answer = Connection(options.socket).get("/v1/status");
        sight.json = sight.answer.body;
        if (!sight.good() || options.json) {
            return sight;
        }
        dom::parser parser;
        dom::element status;
        StatusText text(terminal);
        if (parser.parse(sight.answer.body).get(status) != simdjson::SUCCESS || !text.write(status)) {
            sight.answer = {};
            sight.answer.failure = "the daemon's answer makes no sense";
        }
        sight.text = text.text();
        return sight;
    };
    return watch(options, "lihandoverd", look);
}

}  // namespace lihandover::ctl
