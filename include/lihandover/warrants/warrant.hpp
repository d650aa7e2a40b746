#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/event.hpp"
#include "lihandover/model/item.hpp"
#include "lihandover/model/maybe_instant.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/warrants/few.hpp"

namespace lihandover::warrants {

enum class Priority : std::uint8_t { routine, emergency };
enum class Review : std::uint8_t { none, required, dual };
inline constexpr std::array<std::string_view, 3> review_names = {"none", "required", "dual"};
enum class Correlation : std::uint8_t { conversation, none };

/// One identifier under surveillance.
struct Target {
    model::IdentifierType type{};
    std::string value;  ///< as the warrant file gives it
    /// Narrow the warrant's window for this target; half-open like it.
    model::MaybeInstant from;
    model::MaybeInstant until;
    /// When the identifier was seen to be the target's (TS 103 707 annex A, category 2). Kept, not used in matching.
    model::MaybeInstant observed_at;

    friend bool operator==(const Target&, const Target&) = default;
};

/// What one warrant orders. A value: never changed once it is in force, shared as std::shared_ptr<const Warrant>.
struct Warrant {
    std::string liid;
    std::string destination;
    model::Instant valid_from;    ///< inclusive
    model::Instant valid_until;   ///< exclusive
    std::vector<Target> targets;  ///< empty only where there are XIDs
    Few<model::Uuid> xids;        ///< X2/X3 tasks that feed it, each once
    Few<std::string> services;    ///< empty: all
    model::Deliver deliver;
    Priority priority = Priority::routine;
    Review review = Review::none;
    Correlation correlation = Correlation::conversation;
    bool acknowledge_not_unique = false;
    bool test = false;      ///< a test intercept: targets accounts of the CSP's own
    std::string reference;  ///< recorded, never sent

    friend bool operator==(const Warrant&, const Warrant&) = default;
};
using WarrantPtr = std::shared_ptr<const Warrant>;

/// A digest of everything the warrant says; equal digests mean equal warrants. Stable across restarts and versions.
using Digest = std::array<std::uint8_t, 32>;
[[nodiscard]] Digest digest_of(const Warrant& warrant);

/// The warrant as bytes for the store, and back. The same warrant always gives the same bytes; decode reads what this
/// or an earlier version wrote, and nothing else.
[[nodiscard]] std::string encode(const Warrant& warrant);
[[nodiscard]] model::Result<Warrant> decode(std::string_view bytes);
/// Several one after the other, at least one.
[[nodiscard]] model::Result<std::vector<Warrant>> decode_all(std::string_view bytes);

/// What is left of `before` where the file says `now`: nothing that either of them does not order, and of what is no
/// matter of how much is intercepted (priority, correlation, reference) what `now` says. nullopt: nothing. Where it is
/// equal to `now`, that has not grown.
[[nodiscard]] std::optional<Warrant> narrowed(const Warrant& before, const Warrant& now);

/// The state of a warrant at a time; the label set of `lihandover_warrants`.
enum class State : std::uint8_t { pending, active, expired };
inline constexpr std::array<std::string_view, 3> state_names = {"pending", "active", "expired"};
[[nodiscard]] State state_at(const Warrant& warrant, model::Instant now);

/// The first moment at which nothing that comes in counts any more, however late it is: the warrant's end plus
/// `late_events` (promise 9).
[[nodiscard]] model::Instant takes_until(const Warrant& warrant, std::chrono::seconds late_events);

}  // namespace lihandover::warrants
