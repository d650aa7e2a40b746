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
    /// URI of who had it join, or leave, where the document says so (`by` of joining-info and disconnection-info; for
    /// joining else that of `referred`).
    std::string joined_by;
    std::string disconnected_by;
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
    std::vector<std::string> uris;         ///< further URIs of the conference (conf-uris), at most 16
    std::optional<bool> active;            ///< of conference-state
    std::optional<InfoState> users_state;  ///< as written at `users`; nullopt where it says nothing
    bool has_users = false;
    std::vector<ConferenceUser> users;
};
/// XML without DTDs or entities, whatever prefix it uses, its elements in any order. nullopt for what is none. At most
/// max_conference_users users; a user without `entity` goes by its first other URI, and is passed by if it has none.
[[nodiscard]] std::optional<ConferenceInfo> read_conference_info(std::string_view xml);
inline constexpr std::size_t max_conference_users = 10'000;

/// Who is in a conference, as documents tell it one after another. Users are told apart by their URIs as identifiers
/// compare: `tel:+44…` and `sip:+44…@host` are one, and parameters do not count.
class Roster {
  public:
    struct Member {
        std::string entity;
        std::string display_text;
        std::vector<std::string> roles;
        std::vector<std::string> aors;
        std::string nickname;
        std::vector<ConferenceEndpoint> endpoints;
        bool endpoints_told = false;  ///< of it, or in its full document of anybody
        /// There with an endpoint that is connected, on hold, muted, or has no status. A user whose endpoints have all
        /// gone, or are all in another state, is listed but not there; where no endpoints are told at all, whoever is
        /// listed is there: some focuses tell none.
        [[nodiscard]] bool present() const;
    };
    /// What a document changed, in the order of the document; those who went because a full one lists them no more come
    /// last.
    struct Change {
        enum class Kind : std::uint8_t { joined, left, roles, subject, nickname } kind{};
        std::string entity;  ///< of the member; empty for subject
        std::string before;  ///< subject, nickname, or roles with blanks between them
        std::string after;   ///< the same afterwards; the way in for joined, the way out for left
        std::string by;      ///< URI of who did it, where the document says so
        std::string name;    ///< of the member: display-text
        std::vector<std::string> aors;
    };

    /// Applies one. The first one tells the state, and gives no change; where parts came first, so does the first whole
    /// one of those whom no part had told. A document that is not newer than the last (version) changes nothing; a
    /// partial one that leaves a gap, or comes first, is applied, and `gap` is set. Without a version it counts as the
    /// next.
    ///
    /// Where a partial document's `users` say no state they are merged, as the field does. What a partial document
    /// leaves unsaid of a user (roles, nickname, display-text, endpoints) stays as it was; a whole one replaces all,
    /// but what it leaves unsaid is no change. One that deletes the conference lets everyone leave, and the next is a
    /// first one again. At most max_conference_users members.
    std::vector<Change> apply(const ConferenceInfo& info, bool* gap = nullptr);
    /// Whether a document tells all that there is: after a restart, applying the last such one and those after it gives
    /// the same roster. One whose `users` are missing or partial does not, whatever state it has itself.
    [[nodiscard]] static bool is_whole(const ConferenceInfo& info);
    [[nodiscard]] const std::vector<Member>& members() const { return members_; }
    /// The subject; where there is none, the conference's display-text.
    [[nodiscard]] const std::string& subject() const { return subject_.empty() ? display_text_ : subject_; }
    [[nodiscard]] bool known() const { return known_; }

  private:
    class Update;

    std::vector<Member> members_;
    std::vector<std::string> keys_;  ///< of each member
    std::string subject_;
    std::string display_text_;
    std::uint32_t version_ = 0;
    bool known_ = false;
    bool listed_ = false;  ///< a whole document was among those applied
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
/// XML without DTDs or entities; conference-info documents, resource lists, common-policy rule sets (RFC 4745), the
/// conference policy of the drafts that TS 24.247 names, and OMA group documents, as XCAP carries them; of type
/// application/xcap-el+xml also a list, an entry or a rule by itself. nullopt for what is none of these. At most
/// max_conference_users URIs in each list.
[[nodiscard]] std::optional<PolicyDocument> read_policy(std::string_view xml, std::string_view content_type);

}  // namespace lihandover::ims
