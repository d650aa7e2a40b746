#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lihandover/model/event.hpp"

namespace lihandover::model {

// When two identifiers name the same party (docs/identifiers.md; TS 103 707 annex A). An identifier has one or two
// keys, and two identifiers are the same if they share one. All functions accept any bytes, are thread-safe and throw
// only if memory is exhausted.

/// Keys of different classes are never equal.
enum class IdentityClass : std::uint8_t {
    user_id,
    username,         ///< in NFC
    username_folded,  ///< in NFC, without regard to case
    number,           ///< digits; E.164 unless they begin with a zero
    number_text,      ///< given as a number, but not one: an alphanumeric sender
    email,
    email_folded,  ///< the local part without regard to case
    tel,           ///< a tel URI of a local number
    sip,
    uri_text,  ///< given as a URI, but none of these
    im,
    im_folded,  ///< the local part without regard to case
};

/// Whether texts that differ only in case are the same.
enum class CaseRule : std::uint8_t { exact, insensitive };

/// How a source writes telephone numbers that are not in international form (`numbers` of a listener).
struct NumberPlan {
    std::string country_code;  ///< digits, without `+`
    /// The prefix of national numbers, which their international form leaves out. Empty: national numbers have none,
    /// and every number without `+` and international prefix is national. Absent: there are no national numbers.
    std::optional<std::string> trunk_prefix;
    std::string international_prefix = "00";

    friend bool operator==(const NumberPlan&, const NumberPlan&) = default;
};

/// What decides an identifier's keys, besides the identifier itself.
struct KeyRules {
    CaseRule email_local_part = CaseRule::insensitive;  ///< of im URIs too
    CaseRule username = CaseRule::exact;
    /// Of the source that the identifier comes from; null if it has none, and for targets.
    const NumberPlan* numbers = nullptr;

    friend bool operator==(const KeyRules&, const KeyRules&) = default;
};

/// An identifier in a form in which equal bytes of one class mean the same party.
struct IdentifierKey {
    IdentityClass identity_class{};
    /// Equal keys are not enough: the URI has parameters that matter only if both sides have them, which a key cannot
    /// express (the relation is not transitive). If both sides have this set, call parameters_agree().
    bool has_optional_parameters = false;
    std::string_view bytes;  ///< views the identifier's value or the scratch
    /// Of class and bytes. The same within one build of the program; must not be stored.
    std::uint64_t hash = 0;
};

/// The keys of one identifier: one, or two if it is both a number and a URI.
class IdentifierKeys {
  public:
    static constexpr std::size_t max = 2;
    void add(const IdentifierKey& key) { keys_.at(size_++) = key; }
    [[nodiscard]] const IdentifierKey* begin() const { return keys_.data(); }
    [[nodiscard]] const IdentifierKey* end() const { return keys_.data() + size_; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] const IdentifierKey& front() const { return keys_.front(); }

  private:
    std::array<IdentifierKey, max> keys_;
    std::size_t size_ = 0;
};

/// Buffers that keys are written to. Reused from call to call, which overwrites them, they keep keys_of() free of
/// allocations, except for names that are neither ASCII nor in NFC, and domains that are not ASCII.
struct IdentifierScratch {
    std::string number;
    std::string text;
    std::string work;
};

/// The keys of an identifier, at least one. They are valid until the scratch is reused or the value is gone.
[[nodiscard]] IdentifierKeys keys_of(IdentifierType type, std::string_view value, const KeyRules& rules,
                                     IdentifierScratch& scratch);

/// The hash of a key of this class and these bytes.
[[nodiscard]] std::uint64_t identity_hash(IdentityClass identity_class, std::string_view bytes);

/// For two identifiers that share a key of SIP URIs: whether the parameters that both have agree.
[[nodiscard]] bool parameters_agree(std::string_view left, std::string_view right);

/// Whether two identifiers name the same party under these rules; slower than comparing keys.
[[nodiscard]] bool equivalent(const Identifier& left, const Identifier& right, const KeyRules& rules = {});

/// The value as documents write it: digits for a number, `tel:+44…` for a tel URI, `sip:…` with all its parameters for
/// a SIP URI, an email or an im URI with its domain in lower case, a user name in NFC. ASCII for valid URIs and
/// numbers; otherwise WTF-8 if `value` is. The result for a value never changes from version to version, since stored
/// items are written with it at each attempt (promise 3).
[[nodiscard]] std::string normalised(IdentifierType type, std::string_view value);

/// What is wrong with an identifier that somebody wants to target, as a phrase for an operator (`a SIP or SIPS URI is
/// needed, sip:user@host`), or nullopt. It never repeats the value. A target that no identifier of an event can ever
/// equal is wrong. Events are never judged by it: what a source reports is matched and delivered as it is.
[[nodiscard]] std::optional<std::string_view> target_problem(IdentifierType type, std::string_view value);

}  // namespace lihandover::model
