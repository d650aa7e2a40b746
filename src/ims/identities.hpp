#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lihandover/ims/sip.hpp"
#include "parties.hpp"

namespace lihandover::ims {

/// All that one end of a session, or of a request, is known by, in few bytes. What can be trusted first comes first,
/// whenever it was heard of.
class Identities {
  public:
    enum class Rank : std::uint8_t { asserted, preferred, header, request_uri, called, before };

    /// One that is there already stays where it is, or moves to the front where this rank is better.
    void add(Rank rank, std::string_view uri);
    /// As who sends a request or answers one: P-Asserted-Identity, P-Preferred-Identity.
    void add_asserted(const SipMessage& message);
    /// As who a request went to: To, Request-URI, P-Called-Party-ID, and whom it was meant for before it was diverted.
    void add_called(const SipMessage& request);
    /// A name shown. The first one stays.
    void set_name(std::string_view name);

    [[nodiscard]] bool empty() const { return bytes_.empty(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_.size(); }
    void add_to(Uris& out) const;
    [[nodiscard]] std::string_view name() const;

    /// Identities beyond these bytes are passed by.
    static constexpr std::size_t max_bytes = 4096;
    /// As long as an identifier of an event may be. Longer ones are passed by.
    static constexpr std::size_t longest_uri = 1024;
    /// Whether the message has one of those.
    [[nodiscard]] static bool has_longer(const SipMessage& message);

  private:
    /// One after the other, by rank: rank, two bytes of length, URI. A name has the last rank.
    std::string bytes_;
};

}  // namespace lihandover::ims
