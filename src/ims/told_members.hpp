#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parties.hpp"
#include "table_key.hpp"

namespace lihandover::ims {

/// What was already told of the members of one conference, so that nothing is told twice: a member's own call says that
/// it joined, and so does the roster a moment later.
///
/// Members go by any of their URIs. Anonymous ones are nobody's.
class ToldMembers {
  public:
    using Member = std::uint32_t;

    explicit ToldMembers(const TableSecret& secret) : secret_(&secret) {}

    [[nodiscard]] std::optional<Member> find(const Uris& uris) const;
    /// One that is there, or a new one; nullopt where it has no URI, or there are too many.
    [[nodiscard]] std::optional<Member> find_or_add(const Uris& uris);

    /// A call brought a member in. False where that was told: by the roster, which can come first.
    ///   roster_known   it will tell, too
    [[nodiscard]] bool call_joins(Member member, bool roster_known);
    /// The last call of a member ended. False where it was told that it had gone.
    [[nodiscard]] bool call_leaves(Member member, bool roster_known);
    /// The roster says that a member is there, or not. False where that was told.
    [[nodiscard]] bool roster_says(Member member, bool there);
    /// A member has another nickname. False where that was told.
    [[nodiscard]] bool takes_nickname(Member member, std::string_view nickname);

    /// The roster was told as a whole, or is known no more: it says nothing of what was before.
    void forget_expected();

    [[nodiscard]] std::size_t size() const { return members_.size(); }

    static constexpr std::size_t most = 20'000;
    static constexpr std::size_t most_expected = 8;

  private:
    enum class Where : std::uint8_t { unknown, there, gone };
    struct Told {
        std::string nickname;
        std::vector<Where> expected;  ///< what calls told and the roster has yet to tell
        Where where = Where::unknown;
        bool by_roster = false;  ///< it told last, and no call since
        bool named = false;
    };

    void tell_by_call(Told& told, Where where, bool roster_known);

    [[nodiscard]] std::optional<TableKey> key_of(std::string_view uri) const;

    const TableSecret* secret_;  ///< not a reference: conferences are moved
    std::vector<Told> members_;
    boost::unordered_flat_map<TableKey, Member, TableKeyHash> index_;
};

}  // namespace lihandover::ims
