#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lihandover/model/event.hpp"

namespace lihandover::model {

// When two identifiers name the same party (TS 103 707 annex A, SPEC section 5):
//   user_id          the same bytes
//   username         the same text in NFC; what is not valid UTF-8 is compared as bytes
//   msisdn, e164     the same digits, without `+`, separators and visual spaces; what holds anything else (an
//                    alphanumeric sender) is compared as text and never equals a number
//   email            the same local part and, without regard to case, the same domain
//   tel_uri          RFC 3966 section 4; a global number without parameters equals the MSISDN of its digits
//   sip_uri          RFC 3261 section 19.1.4; SIP and SIPS differ
// A tel URI in a sip_uri, msisdn or e164, and a SIP URI in a tel_uri, count as what they are. All functions take any
// bytes, are thread-safe and never throw but for exhausted memory.

/// What a canonical identifier is compared within. Keys of different classes are never equal.
enum class IdentityClass : std::uint8_t {
    user_id,
    username,
    number,       ///< digits only
    number_text,  ///< given as a number, but not one
    email,
    tel,  ///< a tel URI that is more than a global number
    sip,
    uri_text,  ///< given as a URI, but neither a SIP nor a tel URI
};

/// An identifier in the form in which equal bytes of one class mean the same party.
struct CanonicalIdentifier {
    IdentityClass identity_class{};
    /// Equal keys are not enough: the URI has parameters that count only when both sides have them, which no key can
    /// say (the relation is not transitive). Ask equivalent() when both sides have it set.
    bool has_optional_parameters = false;
    /// Views `value` or `scratch`, whichever was given to canonical().
    std::string_view bytes;
    /// Of class and bytes. The same within one build of the program; not to be stored.
    std::uint64_t hash = 0;
};

/// The canonical form of an identifier. The common forms need no copy; the others are written to `scratch` (replaced;
/// its capacity is kept), so that a reused scratch makes this free of allocation but for user names and email domains
/// that are not in NFC already.
[[nodiscard]] CanonicalIdentifier canonical(IdentifierType type, std::string_view value, std::string& scratch);

/// The hash that canonical() gives for class and bytes.
[[nodiscard]] std::uint64_t identity_hash(IdentityClass identity_class, std::string_view bytes);

/// Whether two identifiers name the same party; exact for every type, slower than comparing keys.
[[nodiscard]] bool equivalent(const Identifier& left, const Identifier& right);

/// The normalised value for people and documents: digits for a number, `tel:+44…` for a tel URI, `sip:…` with all its
/// parameters for a SIP URI, else the canonical bytes. ASCII for URIs and numbers that are ones; otherwise WTF-8 if
/// `value` is.
[[nodiscard]] std::string normalised(IdentifierType type, std::string_view value);

/// What is wrong with an identifier that somebody wants to target, as a phrase for an operator (`a SIP or SIPS URI is
/// needed, sip:user@host`), or nullopt. It never repeats the value. Events are never judged by it: what a source
/// reports is matched and delivered as it is.
[[nodiscard]] std::optional<std::string_view> target_problem(IdentifierType type, std::string_view value);

}  // namespace lihandover::model
