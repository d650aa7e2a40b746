#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aged.hpp"
#include "conference_policy.hpp"
#include "document_order.hpp"
#include "lihandover/ims/conference.hpp"
#include "lihandover/ims/sip.hpp"
#include "lihandover/model/uuid.hpp"
#include "take.hpp"
#include "told_members.hpp"

namespace lihandover::ims {

/// One conference, as one task knows it.
struct Conference {
    /// Who asked for somebody to come in, or to go.
    struct Referral {
        std::string user;  ///< as user_key()
        std::string by;
        TableKey refer;
        SteadyTime at;
        bool removes = false;
    };

    model::Uuid xid;
    std::string uri;    ///< its conversation
    std::string title;  ///< as it was told, or first was
    std::vector<TableKey> names;
    Roster roster;
    std::optional<ToldMembers> told;  ///< always there
    std::vector<Slot> legs;
    std::vector<Referral> referrals;
    DocumentOrder order;
    ConferencePolicy policy;
    std::uint64_t origin_owner = 0;  ///< of the first call, where that made it known and is over

    /// Copies that are kept for one owner, until there are too many.
    struct Kept {
        std::uint64_t owner = 0;
        std::size_t count = 0;
        std::size_t bytes = 0;
        bool stopped = false;
    };
    Kept documents;  ///< the last whole one, and those after it
    Kept policies;   ///< all of them

    std::size_t roster_bytes = 0;  ///< as measured last, with what was told
    std::size_t added_bytes = 0;   ///< of documents since
    std::size_t policy_bytes = 0;
    [[nodiscard]] std::size_t bytes() const { return roster_bytes + added_bytes + policy_bytes; }

    /// Who asked for it, if somebody did lately. The wish is fulfilled then.
    [[nodiscard]] std::string take_referral(const Uris& member, bool removes, SteadyTime now);
};

/// A document about a conference, and what brought it.
struct ConferenceDocument {
    const SipMessage* notify = nullptr;  ///< null: it came by itself
    std::string_view bytes;
    Digest digest{};
    std::optional<std::uint32_t> version;
};

/// Tells what a document changed in the roster, where it was not told.
void tell_changes(const Take& take, Conference& conference, const ConferenceDocument& document,
                  const std::vector<Roster::Change>& changes);

/// Tells what a policy document says, other than the one before.
///   created   the conference was not known
void tell_policy(const Take& take, Conference& conference, const PolicyDocument& policy,
                 const ConferenceDocument& document, std::string_view content_type, bool created);

}  // namespace lihandover::ims
