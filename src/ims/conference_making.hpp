#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "event_maker.hpp"
#include "parties.hpp"
#include "take.hpp"

namespace lihandover::ims {

/// An event of a conference being made: who did it, whom it concerns, and what is added in the end. Parties are added
/// in the order of model::Event: sender, receiver, actor, members.
class ConferenceEvent {
  public:
    ///   conference   its URI
    ConferenceEvent(const Take& take, model::EventType type, const Digest& id, std::string_view conference,
                    std::string_view title);

    void add(model::PartyRole role, const Uris& uris, std::string_view nickname = {});
    void add(model::PartyRole role, std::string_view uri, std::string_view nickname = {});
    /// The one added last sent the copy, or got it.
    void sent_copy() { from_ = last_; }
    void got_copy() { to_ = last_; }
    /// Who was told of it by the copy. They are the target where the copy went to it; and the event's only party where
    /// it has no other.
    void set_watcher(const Uris& watcher) { watcher_ = watcher; }
    void set_titles(std::string_view before, std::string_view after);
    void set_status(std::string_view status);
    /// What distinguishes it from another event of its id.
    void add_to_substance(std::string_view text);

    [[nodiscard]] MadeEvent& made() { return made_; }
    /// Hands it over.
    void finish();

  private:
    void mark_watcher();

    const Take& take_;
    MadeEvent made_;
    std::optional<std::size_t> last_;  ///< the party added last; none where it has no URI
    std::optional<std::size_t> from_;
    std::optional<std::size_t> to_;
    Uris watcher_;
};

/// The names of parameters that events of conferences have.
inline constexpr std::string_view roles_parameter = "roles";
inline constexpr std::string_view previous_roles_parameter = "previous_roles";
inline constexpr std::string_view previous_nickname_parameter = "previous_nickname";
inline constexpr std::string_view list_parameter = "policy_list";
inline constexpr std::string_view added_parameter = "policy_added";
inline constexpr std::string_view removed_parameter = "policy_removed";

}  // namespace lihandover::ims
