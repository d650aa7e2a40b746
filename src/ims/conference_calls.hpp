#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aged.hpp"
#include "identities.hpp"
#include "lihandover/ims/sip.hpp"
#include "owners.hpp"
#include "take.hpp"

namespace lihandover::ims {

/// A call between somebody and the focus of a conference, just answered.
struct FocusCall {
    bool focus_called = false;  ///< somebody called the focus; else it called somebody
    std::string focus;          ///< its URI: of its Contact, unless that names only a host
    std::string addressed;      ///< the URI that it was called by, or that it called from
    Identities participant;
    Identities focus_identities;
    std::string referred_by;          ///< URI of who invited; empty when unknown
    std::string subject;              ///< of the INVITE
    std::vector<std::string> listed;  ///< URIs of those whom the INVITE asks to invite (RFC 5366)
    std::vector<TableKey> paths;      ///< MSRP paths of both ends
    std::uint64_t participant_tag = 0;
    std::uint64_t owner = 0;  ///< of the copy of its INVITE; 0 where none is kept
};

/// The URIs of a list in the body of a request (RFC 5365, 5366, 5368); none where there is no such list.
[[nodiscard]] std::vector<std::string> listed_in(const SipMessage& message);

/// INVITEs that wait for their answer, as far as they may be calls to a focus or by one (RFC 4579). Whether they are is
/// known by the answer: its Contact says `isfocus`, or its description is one of a chat room (RFC 7701). Only calls for
/// MSRP count.
class ConferenceCalls {
  public:
    ConferenceCalls(const TableSecret& secret, Owners& owners) : secret_(secret), owners_(owners) {}

    void take_invite(const Take& take, const SipMessage& invite);
    /// A provisional answer may have the description.
    void take_provisional(const Take& take, const SipMessage& answer);
    /// A 2xx. nullopt where it is no call of a focus, or not for MSRP.
    [[nodiscard]] std::optional<FocusCall> take_success(const Take& take, const SipMessage& answer);

    void expire(const Take& take);
    [[nodiscard]] std::optional<SteadyTime> due() const { return waiting_.due(keep_for); }

    [[nodiscard]] TableKey call_key(const model::Uuid& xid, std::string_view call_id) const;
    [[nodiscard]] TableKey path_key(const model::Uuid& xid, std::string_view uri) const;
    [[nodiscard]] std::uint64_t tag_of(std::string_view tag) const;

    /// What a message's description says of MSRP.
    struct Described {
        bool any = false;   ///< there is a description
        bool msrp = false;  ///< with MSRP that is not refused
        bool room = false;  ///< of a chat room
        std::vector<TableKey> paths;
    };
    [[nodiscard]] Described describe(const Take& take, const SipMessage& message) const;

    /// As long as it may ring (RFC 3261 16.6, timer C).
    static constexpr std::chrono::seconds keep_for{180};
    static constexpr std::size_t most = 16'384;
    static constexpr std::size_t most_bytes = std::size_t{32} << 20;

  private:
    struct Waiting {
        Identities caller;
        Identities called;
        std::string focus;  ///< Contact of a focus that calls
        std::string request_uri;
        std::string referred_by;
        std::string subject;
        std::vector<std::string> listed;
        std::vector<TableKey> paths;
        std::uint64_t owner = 0;
        std::uint32_t cseq = 0;
        bool offered = false;  ///< MSRP
        bool accepted = false;

        [[nodiscard]] std::size_t bytes() const;
    };

    void remove(const TableKey& key, const Waiting& waiting);

    const TableSecret& secret_;
    Owners& owners_;
    AgedTable<Waiting> waiting_;
    std::size_t held_ = 0;  ///< bytes() of all
};

}  // namespace lihandover::ims
