#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lihandover/model/result.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::lea_sim {

using Random = std::mt19937_64;

/// What a rule does to the requests it applies to.
enum class Kind : std::uint8_t {
    delay,              ///< waits `delay`, and up to `jitter` more, before answering; several add up
    refuse,             ///< answers an action with ErrorInformation `code`, `description`
    error,              ///< answers the whole message with ErrorInformation `code`, `description`
    status,             ///< answers with the HTTP status `status` (and `retry_after`, `location`) instead
    drop,               ///< drops the connection at `moment`
    wrong_transaction,  ///< answers with another TransactionIdentifier
    garbage,            ///< answers 200 with what is not an HI1 response
    truncated,          ///< ends the connection in the middle of the answer
    oversized,          ///< a good answer with blanks behind it, `size` bytes in all
    unanswered,         ///< leaves an action out of the answer
    twice,              ///< answers an action twice
    slow_read,          ///< reads `rate` bytes per second
    withhold_continue,  ///< never sends 100 Continue
    exists,             ///< answers 3010 for an object that was accepted before
    stranger,           ///< `error` as from an LEA that could not read the request: a new transaction, sender unknown
    first_only,         ///< answers only the first action
    foreign,            ///< a good answer in another form: parties not swapped, more elements, a signature, text/xml
    under_status,       ///< the answer under `status`; from 400 on ErrorInformation `code` rather than acceptances
    gzip,               ///< a good answer with Content-Encoding: gzip
};

/// When a connection is dropped.
enum class Moment : std::uint8_t {
    reading,    ///< before the body is read
    answering,  ///< after all was read and stored
    answered,   ///< after the answer was sent
    any,        ///< one of the three, each time at random
};

/// Which requests a rule applies to.
enum class Scope : std::uint8_t { deliveries, uploads, all };

/// A condition and what happens then.
struct Rule {
    Kind kind{};
    Scope on = Scope::deliveries;
    std::string liid;                   ///< only messages or actions with this LIID
    std::optional<model::Uuid> object;  ///< only messages or actions with this object; uploads of it
    std::string contains;               ///< only messages with these bytes in them; uploads: in path or Content-Type
    std::uint64_t nodes = 1;            ///< connections are dealt out to so many nodes in turn,
    std::optional<std::uint64_t> node;  ///< and only this one of them does it, counted from 0
    std::uint64_t skip = 0;             ///< not the first so many that fit
    std::uint64_t every = 1;            ///< then one in so many
    std::uint64_t times = 0;            ///< at most so often; 0: without end
    double probability = 1;             ///< and then at random

    std::chrono::milliseconds delay{0};
    std::chrono::milliseconds jitter{0};
    std::uint64_t code = 3007;
    std::string description = "refused by the test LEA";
    unsigned status = 503;
    std::optional<std::uint64_t> retry_after;
    std::string location;
    Moment moment = Moment::answering;
    std::uint64_t size = std::uint64_t{16} << 20;
    std::uint64_t rate = 1000;
};

/// `name=value` pairs, as they come from the command line or from JSON.
using Settings = std::vector<std::pair<std::string, std::string>>;

/// Makes a rule of its settings; `kind` is one of them. The error names the setting and what is allowed.
[[nodiscard]] model::Result<Rule> make_rule(const Settings& settings);
/// Splits `a=1,b=2` and adds it to `out`.
[[nodiscard]] model::Status parse_settings(std::string_view text, Settings& out);
/// `200ms`, `2s`, `5m`, `1h`.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// Rules for `drop=0.05,delay=0.1,refuse=0.01,garbage=0.02,status=0.05` (any kind with its probability).
[[nodiscard]] model::Result<std::vector<Rule>> chaos_rules(std::string_view text);
/// `{"rules":[{"kind":"status","status":503,"times":3}, …]}`
[[nodiscard]] model::Result<std::vector<Rule>> rules_from_json(std::string_view json);

/// Rules in force, each with its own count of what it saw. The first rule of a kind that applies is the one.
/// Thread-safe.
class Behaviour {
  public:
    explicit Behaviour(std::vector<Rule> rules);

    /// What a rule is asked about.
    struct Subject {
        Scope what = Scope::deliveries;  ///< deliveries or uploads
        std::string_view liid;
        const model::Uuid* object = nullptr;
        std::string_view text;         ///< of deliveries the body; of uploads path and Content-Type
        std::uint64_t connection = 0;  ///< counted from 0
    };

    [[nodiscard]] bool empty() const { return states_.empty(); }
    /// Some rule asks for an LIID: requests have to be read in full.
    [[nodiscard]] bool needs_liids() const { return needs_liids_; }
    /// Some rule asks for a node: connections have to be counted.
    [[nodiscard]] bool needs_nodes() const { return needs_nodes_; }

    /// The rule number `index` if it is of `kind` and applies to one of `subjects`; then it counts as seen.
    [[nodiscard]] const Rule* apply(std::size_t index, std::span<const Subject> subjects, Random& random) const;
    [[nodiscard]] const Rule& rule(std::size_t index) const { return states_[index]->rule; }
    [[nodiscard]] std::size_t size() const { return states_.size(); }
    /// How often rule number `index` took effect.
    [[nodiscard]] std::uint64_t applied(std::size_t index) const { return states_[index]->applied; }

  private:
    struct State {
        Rule rule;
        std::atomic<std::uint64_t> seen{0};
        std::atomic<std::uint64_t> applied{0};
    };
    std::vector<std::unique_ptr<State>> states_;
    bool needs_liids_ = false;
    bool needs_nodes_ = false;
};

[[nodiscard]] std::string_view name_of(Kind kind);

}  // namespace lihandover::lea_sim
