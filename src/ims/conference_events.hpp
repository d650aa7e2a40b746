#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aged.hpp"
#include "conference_calls.hpp"
#include "conference_state.hpp"
#include "lihandover/ims/msrp.hpp"
#include "lihandover/ims/sip.hpp"
#include "msrp_ends.hpp"
#include "msrp_streams.hpp"
#include "owners.hpp"
#include "take.hpp"

namespace lihandover::ims {

/// Conferences (TS 24.247 7 and 10, TS 24.147), and the events of them. Every task has its own; within one, a
/// conference is one by any of its URIs, and all events of it have one conversation.
///
///     what came                                 event
///     2xx to an INVITE to or by a focus,        group_created where the focus answers under another name than it was
///       with MSRP                                 called by, and is new to us (a conference factory); else
///       group_joined
///     the last BYE of a member's calls, or a    group_left
///       description without MSRP in its place
///     NOTIFY with conference information        group_joined, group_left, group_admin_changed (roles),
///                                                 group_title_changed, nickname_changed; of the first document none
///     NICKNAME of MSRP and its 200              nickname_changed
///     a policy document that the target puts    group_created where the conference is new to us; else
///       (XCAP)                                    group_title_changed, group_admin_changed
///     one that the target gets                  of the first none; else the same
///
/// - What was told once is not told again by another of these: a member's call and the roster, NICKNAME and the roster.
///   Several legs of one call (one correlation) are one; a second device of a member is another joining, and leaving is
///   told when its last call has ended.
/// - A REFER makes no event: it is a wish, and the call or the roster that follows tells what came of it. Who made the
///   wish is told with that event, unless the REFER failed.
/// - Parties: the actor is whoever did it, where that is known. For joining that is the member, with who invited it as
///   sender; for leaving the member too, unless somebody removed it: then it is a member of the event. A focus that was
///   called is a receiver. Of a change of roles the one concerned is a member, and of a title who was told of it.
/// - Event ids: the task, the conference, what changed, and the Call-ID, CSeq and version of what says so; of a policy
/// the
///   run of documents up to it. Never a time.
/// - Documents come in the order of their CSeq; a partial one whose version is not newer changes nothing. Several
///   subscriptions, and hops, may tell of one conference: one that lags behind, by the time of its interception, says
///   nothing new.
/// - Kept for a restart: the INVITE of a focus, the 2xx and BYE of a call until it is forgotten, those of the call that
///   made the conference known as long as that is; the last whole document and those after it; policies. At most 1000
///   documents and 4 MiB of each: beyond that the next whole one begins anew, and after a restart before it the first
///   document tells the state. A NICKNAME is kept until it is answered; wishes (REFER) are not.
class ConferenceTable {
  public:
    ConferenceTable(const TableSecret& secret, Owners& owners)
        : secret_(secret), owners_(owners), calls_(secret, owners) {}

    /// Any message: INVITE, BYE, REFER and NOTIFY count, and answers to them.
    void take_sip(const Take& take, const SipMessage& message);
    /// Any frame: NICKNAME counts, and answers, which may be to it. Others say that a session goes on.
    void take_frame(const Take& take, const MsrpFrame& frame, const FramePlace& place);
    /// A body of kind mime, decoded. False for one that is no document of a conference: it is handed over as any other
    /// body.
    [[nodiscard]] bool take_body(const Take& take, std::string_view content_type, std::string_view body);

    /// The conversation of a call: the URI of the conference that it is a leg of; empty if it is none.
    [[nodiscard]] std::string_view conversation_of(const Take& take, std::string_view call_id) const;

    void expire(const Take& take);
    /// Lets go of the conferences of these tasks, without a word.
    void forget(const Tasks& tasks, Made& out);
    [[nodiscard]] std::optional<SteadyTime> due(const TrackerOptions& options) const;

    [[nodiscard]] std::size_t size() const { return conferences_.size(); }
    [[nodiscard]] std::size_t held() const { return held_; }  ///< bytes of documents that rosters were made of

    static constexpr std::size_t most_conferences = 20'000;
    static constexpr std::size_t most_bytes = std::size_t{64} << 20;
    static constexpr std::size_t most_kept = 1000;  ///< documents of one conference
    static constexpr std::size_t most_kept_bytes = std::size_t{4} << 20;

  private:
    /// A call between a member and the focus.
    struct Leg {
        TableKey key;
        Slot conference = no_slot;
        std::optional<ToldMembers::Member> member;
        std::uint64_t correlation = 0;
        std::uint64_t participant_tag = 0;
        std::uint32_t cseq = 0;  ///< of the INVITE that opened it
        std::uint64_t owner = 0;
        Identities participant;
        std::vector<TableKey> paths;
        Slot ended = no_slot;
        bool first = false;  ///< it made the conference known
        [[nodiscard]] bool over() const { return ended != no_slot; }
    };
    /// A NICKNAME that waits for its answer.
    struct Nickname {
        std::string name;
        std::string from_path;
        std::string to_path;
        std::uint64_t owner = 0;  ///< of its frame; 0: it is not kept
    };

    // Finding
    [[nodiscard]] TableKey name_key(const model::Uuid& xid, std::string_view uri) const;
    [[nodiscard]] Slot find(const model::Uuid& xid, std::string_view uri) const;
    [[nodiscard]] Slot add_conference(const Take& take, std::string_view uri);
    void add_name(Slot slot, std::string_view uri);
    [[nodiscard]] Slot leg_of_path(const Take& take, std::string_view path) const;
    void keep(const Take& take, Conference::Kept& kept, std::size_t bytes) const;
    void measure(Conference& conference, std::size_t bytes);
    void note_policy(const Take& take, Conference& conference, std::size_t bytes);
    void keep_within(const Take& take);
    void remove(Slot slot, Made& out);
    void remove_leg(Slot slot, Made& out);

    // Calls
    void take_invite(const Take& take, const SipMessage& message);
    void add_paths(const Take& take, const SipMessage& message);
    void add_path(Slot leg, const TableKey& path);
    void open(const Take& take, const SipMessage& answer, const FocusCall& call);
    [[nodiscard]] Slot conference_of(const Take& take, const FocusCall& call, bool& created);
    [[nodiscard]] std::vector<Slot> legs_beside(Slot leg, bool of_this_call) const;
    void tell_call(const Take& take, const SipMessage& answer, const FocusCall& call, Conference& conference,
                   bool created);
    [[nodiscard]] bool begins_anew(const Take& take, const SipMessage& answer, Slot slot);
    void take_bye(const Take& take, const SipMessage& bye);
    void end_call(const Take& take, const SipMessage& message, Slot slot);
    void tell_gone(const Take& take, const SipMessage& message, const Leg& leg, Conference& conference);
    void take_refer(const Take& take, const SipMessage& message);
    void forget_refer(const TableKey& refer);

    // Documents
    void take_notify(const Take& take, const SipMessage& notify);
    void take_document(const Take& take, ConferenceDocument document);
    [[nodiscard]] Slot conference_of(const Take& take, const ConferenceDocument& document, const ConferenceInfo& info);
    [[nodiscard]] TableKey dialog_of(const SipMessage* notify) const;
    void keep_document(const Take& take, Conference& conference, const ConferenceDocument& document,
                       const ConferenceInfo& info);

    // Nicknames
    void take_nickname(const Take& take, const MsrpFrame& frame, const FramePlace& place, const FramePaths& paths);
    void forget_nickname(const TableKey& key, Made& out);
    void trim_nicknames(const Take& take);
    void take_answer(const Take& take, const MsrpFrame& answer, bool in_conference);
    void tell_nickname(const Take& take, const Nickname& nickname, std::string_view transaction, bool by_answer);

    const TableSecret& secret_;
    Owners& owners_;
    ConferenceCalls calls_;
    AgedList<Conference> conferences_;  ///< by when they were last heard of
    AgedList<Leg> legs_;
    AgedList<Slot> ended_;  ///< legs
    boost::unordered_flat_map<TableKey, Slot, TableKeyHash> names_;
    boost::unordered_flat_map<TableKey, Slot, TableKeyHash> leg_of_call_;
    boost::unordered_flat_map<TableKey, Slot, TableKeyHash> leg_of_path_;
    AgedTable<Slot> refers_;  ///< which conference a REFER is about
    AgedTable<Nickname> nicknames_;
    AgedTable<char> early_answers_;  ///< that have overtaken their NICKNAME
    std::size_t held_ = 0;
};

}  // namespace lihandover::ims
