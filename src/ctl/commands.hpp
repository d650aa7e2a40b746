#pragma once

#include <simdjson.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "connection.hpp"

namespace lihandover::ctl {

/// Everything the command line asks for, whichever the command.
struct Options {
    std::string socket = "/run/lihandoverd/control.sock";
    bool json = false;
    std::string operator_name;
    std::vector<std::string> ids;
    std::string destination;
    std::optional<std::uint64_t> code;
    std::string reason;
    bool confirm_ended = false;
    std::string queued;  ///< of revoke: what becomes of what is queued
    bool waiting = false;
    std::string state;
    std::string after;
    std::optional<std::uint64_t> limit;
    std::string since, until;
    std::string liid;
    std::string digest;
    std::string directory;  ///< of warrant files
    std::vector<std::string> files;
    std::vector<std::string> public_keys;
    std::uint64_t accepted_unsigned = 0;
    std::string format = "csv";
    std::vector<std::string> heads;
    std::string head;                    ///< of another daemon's chain, in words
    bool no_wait = false;                ///< of rekey
    std::string form;                    ///< of content, document or text
    std::string by = "items";            ///< what `top` sorts by
    bool once = false;                   ///< `top` looks once
    bool watch = false;                  ///< look again and again
    double interval = 2;                 ///< seconds between looks
    std::optional<std::uint64_t> times;  ///< so many looks; nullopt: until somebody ends it
};

// Each prints its result to stdout, or what went wrong to stderr, and returns the exit status: 0 only if everything
// that was asked for was done.

// Exit statuses beside 0. The manual page says what they mean.
inline constexpr int status_failed = 1;
/// Of `audit verify`: nothing is wrong, and not everything is proved.
inline constexpr int status_doubtful = 2;
/// The daemon did not answer: what was asked for may have been done, or not.
inline constexpr int status_unreachable = 3;
inline constexpr int status_usage = 64;

[[nodiscard]] int list_warrants(const Options& options);
[[nodiscard]] int list_items(const Options& options);
[[nodiscard]] int show_item(const Options& options);
/// The content of a waiting item, as `options.form`.
[[nodiscard]] int show_content(const Options& options);
/// `command` is approve, reject or retry.
[[nodiscard]] int decide(const Options& options, const std::string& command);
[[nodiscard]] int reload(const Options& options);
[[nodiscard]] int revoke(const Options& options);
/// `command` is approve-warrant or refuse-warrant.
[[nodiscard]] int decide_warrant(const Options& options, const std::string& command);
[[nodiscard]] int accept_clock(const Options& options);
[[nodiscard]] int accept_restore(const Options& options);
/// Seals the store under the first master key, and shows how far that is, to its end.
[[nodiscard]] int rekey(const Options& options);
/// `command` is pause or resume.
[[nodiscard]] int order_delivery(const Options& options, const std::string& command);

/// Says what went wrong on stderr; status_failed.
int complain(std::string_view sentence);
/// The same of an answer that should have been a success; status_unreachable where there was none.
int complain(const Answer& answer);
/// What complain() would say of the answer first.
[[nodiscard]] std::string sentence_of(const Answer& answer);
/// Flushes standard output; the exit status.
[[nodiscard]] int finish_output();
/// Prints a document of JSON; the exit status.
[[nodiscard]] int print_json(std::string_view body);
/// How a reload ended, in lines; what was wrong with it apart.
void print_report(simdjson::dom::element report, std::ostream& out, std::ostream& problems);
[[nodiscard]] std::string percent_coded(std::string_view text);
/// As a JSON string.
[[nodiscard]] std::string json_text(std::string_view text);
/// The body of a request: everything given on the command line that the command allows.
[[nodiscard]] std::string order_of(const Options& options);
inline constexpr std::chrono::seconds decision_timeout{120};  ///< a decision waits for a commit

// warrant_set.cpp

/// Applies the warrant files of a directory as one set, or says what that would change.
[[nodiscard]] int take_warrant_set(const Options& options, bool apply);

// status.cpp

[[nodiscard]] int show_status(const Options& options);

// top.cpp

[[nodiscard]] int top(Options options);

// audit_commands.cpp

[[nodiscard]] int export_audit(const Options& options);
/// Works without the daemon.
[[nodiscard]] int verify_audit(const Options& options);
[[nodiscard]] int record_head(Options options);
/// Asks for the pages of an export and passes on the lines of each; the exit status.
///   filter  parameters of the query
[[nodiscard]] int walk_audit(const Options& options, const std::string& filter,
                             const std::function<bool(std::string_view lines)>& page);

// report.cpp

[[nodiscard]] int report(const Options& options);

}  // namespace lihandover::ctl
