#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lihandover::ims {

/// RFC 4575's `state` of a document or an element.
enum class InfoState : std::uint8_t { full, partial, deleted };

struct ConferenceEndpoint {
    std::string entity;
    InfoState state = InfoState::full;
    std::string status;         ///< connected, disconnected, pending, dialing-in, …; empty when absent
    std::string joining;        ///< joining-method
    std::string disconnection;  ///< disconnection-method: departed, booted, failed, busy
};

struct ConferenceUser {
    std::string entity;  ///< URI, as written
    InfoState state = InfoState::full;
    std::string display_text;
    std::vector<std::string> roles;
    bool has_roles = false;
    /// Other URIs of the user (associated-aors).
    std::vector<std::string> aors;
    std::vector<ConferenceEndpoint> endpoints;
    /// A nickname where the focus tells it (RFC 7701 7.4); nullopt when absent.
    std::optional<std::string> nickname;
};

/// A conference-info document (RFC 4575).
struct ConferenceInfo {
    std::string entity;
    InfoState state = InfoState::full;
    std::optional<std::uint32_t> version;
    std::optional<std::string> subject;  ///< of conference-description
    std::optional<std::string> display_text;
    std::optional<bool> active;            ///< of conference-state
    std::optional<InfoState> users_state;  ///< as written at `users`; nullopt where it says nothing
    bool has_users = false;
    std::vector<ConferenceUser> users;
};
/// XML without DTDs or entities, whatever prefix it uses, its elements in any order. nullopt for what is none. At most
/// max_conference_users users.
[[nodiscard]] std::optional<ConferenceInfo> read_conference_info(std::string_view xml);
inline constexpr std::size_t max_conference_users = 10'000;

/// Who is in a conference, as documents tell it one after another.
class Roster {
  public:
    struct Member {
        std::string entity;
        std::string display_text;
        std::vector<std::string> roles;
        std::string nickname;
        std::vector<ConferenceEndpoint> endpoints;
        /// With no endpoint that is connected or has no status a user is listed but not there.
        [[nodiscard]] bool present() const;
    };
    /// What a document changed, in the order of the document.
    struct Change {
        enum class Kind : std::uint8_t { joined, left, roles, subject, nickname } kind{};
        std::string entity;  ///< of the member; empty for subject
        std::string before;  ///< subject or nickname
        std::string after;   ///< subject or nickname; roles with blanks between them; the way out for left
    };

    /// Applies one. The first one, and a full one after a gap, tell the state: the first gives no change. A document
    /// that is not newer than the last (version) changes nothing; one that leaves a gap is applied, and `gap` is set.
    /// Where a partial document's `users` say no state they are merged, as the field does.
    std::vector<Change> apply(const ConferenceInfo& info, bool* gap = nullptr);
    /// What apply() needs after a restart: the same as applying the document without its changes.
    [[nodiscard]] const std::vector<Member>& members() const { return members_; }
    [[nodiscard]] const std::string& subject() const { return subject_; }
    [[nodiscard]] bool known() const { return known_; }

  private:
    std::vector<Member> members_;
    std::string subject_;
    std::uint32_t version_ = 0;
    bool known_ = false;
};

/// What a conference policy document says or changes (TS 24.247 10, TS 24.147; over Ut, XCAP: RFC 4825), as far as it
/// concerns who is in and what it is called.
struct PolicyDocument {
    std::string conference;  ///< its URI; empty when it names none
    std::optional<std::string> subject;
    std::vector<std::string> members;     ///< URIs of those it admits or dials out to
    std::vector<std::string> refused;     ///< URIs it keeps out
    std::vector<std::string> moderators;  ///< URIs with a privileged role
};
/// XML without DTDs or entities; conference-info documents, resource lists and common-policy rule sets as XCAP carries
/// them. nullopt for what is none of these.
[[nodiscard]] std::optional<PolicyDocument> read_policy(std::string_view xml, std::string_view content_type);

}  // namespace lihandover::ims
