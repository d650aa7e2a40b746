#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "lihandover/ims/event.hpp"
#include "lihandover/ims/sip.hpp"
#include "lihandover/ims/tracker.hpp"
#include "lihandover/model/event.hpp"

namespace lihandover::ims {

/// URIs of one party, in the order in which they are delivered, each once.
class Uris {
  public:
    /// One that is there already, or is empty, is passed by; so are those beyond `max`.
    void add(std::string_view uri);
    void add(const std::vector<SipAddress>& addresses);

    [[nodiscard]] bool empty() const { return uris_.empty(); }
    [[nodiscard]] const std::vector<std::string_view>& list() const { return uris_; }
    void clear() { uris_.clear(); }

    static constexpr std::size_t max = 64;

  private:
    std::vector<std::string_view> uris_;
};

/// Who sent a request, by what can be trusted first: P-Asserted-Identity, P-Preferred-Identity, From.
void add_sender(const SipMessage& request, Uris& out);
/// Whom a request went to: To, Request-URI, P-Called-Party-ID, and whom it was meant for before it was diverted.
void add_receiver(const SipMessage& request, Uris& out);

/// The type of identifier that a URI is, by its scheme. A bare number or address has one, too.
[[nodiscard]] model::IdentifierType type_of(std::string_view uri);

/// Adds a party. In the order sender, receivers, actor, members. None for no URIs.
void add_party(MadeEvent& made, model::PartyRole role, std::span<const std::string_view> uris,
               std::string_view nickname = {});
inline void add_party(MadeEvent& made, model::PartyRole role, const Uris& uris, std::string_view nickname = {}) {
    add_party(made, role, uris.list(), nickname);
}

/// Which way an event's sender or actor is, seen from the copy it was made of.
enum class Way : std::uint8_t {
    along,    ///< who sent the copy
    against,  ///< who the copy went to: an answer
    unknown,  ///< the direction of the copy says nothing about it: only the matched identifiers count
};

/// Marks who the target is, once all parties are there: whoever has a matched target identifier; and by the copy's
/// direction the event's sender (or actor), or its only receiver (or member).
void mark_targeted(MadeEvent& made, const Copy& copy, Way way);
/// The same where an event's parties have other parts in its copy.
///   from   the party that sent the copy
///   to     the only one that it went to; none where there are several
void mark_ends(MadeEvent& made, const Copy& copy, std::optional<std::size_t> from, std::optional<std::size_t> to);

/// Parties of a copy about which nothing else is known: its matched target identifiers, in the role that its direction
/// tells.
void add_matched(MadeEvent& made, const Copy& copy);

}  // namespace lihandover::ims
