#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aged.hpp"
#include "copy_note.hpp"
#include "identities.hpp"
#include "lihandover/ims/sdp.hpp"
#include "lihandover/ims/sip.hpp"
#include "lihandover/model/maybe_instant.hpp"
#include "owners.hpp"
#include "take.hpp"

namespace lihandover::ims {

class ConferenceTable;

/// The two ends of a session: who began it and who was called.
enum class End : std::uint8_t { caller, called };
[[nodiscard]] constexpr End other(End end) {
    return end == End::caller ? End::called : End::caller;
}

/// Sessions that SIP sets up for MSRP (TS 24.247 6): their ends, their paths, their conversation; started and ended.
///
/// A session has several calls (Call-IDs) where nodes on its way are back-to-back user agents (A.4.3): those with the
/// same correlation, From and To that begin before it is answered.
class Dialogs {
  public:
    Dialogs(const TableSecret& secret, Owners& owners, ConferenceTable& conferences)
        : secret_(secret), owners_(owners), conferences_(conferences) {}

    /// INVITE, ACK, PRACK, UPDATE, BYE and CANCEL, and answers to them; after the conferences have had them. Those with
    /// the focus of a conference start and end nothing here: these are joining it and leaving.
    void take(const Take& take, const SipMessage& message);

    /// The session that a frame of MSRP belongs to.
    struct Found {
        Slot slot = no_slot;
        /// The end that sent the frame; nullopt where that is not known.
        std::optional<End> sender;
    };
    [[nodiscard]] std::optional<Found> find(const Take& take, std::string_view from_path, std::string_view to_path);

    /// What described a pair of paths.
    struct PathOrigin {
        std::uint64_t session = 0;      ///< a name of its own; 0: neither path is known
        std::uint32_t call = 0;         ///< of the session
        std::uint32_t description = 0;  ///< of its call, the later of the two paths': 0 when it began, then one more
                                        ///< for each change
        std::array<std::uint64_t, 2> ends{};  ///< a name of each path, known or not
    };
    [[nodiscard]] PathOrigin origin(const Take& take, std::string_view from_path, std::string_view to_path) const;

    [[nodiscard]] const Identities& identities(Slot slot, End end) const;
    /// The conversation that all of it belongs to; where its paths are not known yet, that of its first frame.
    [[nodiscard]] Digest conversation(Slot slot, const model::Uuid& xid, std::string_view from_path,
                                      std::string_view to_path);
    /// The URI of the conference; empty for a session of two.
    [[nodiscard]] std::string_view conference(Slot slot) const;
    /// The name of the file that is sent on one of these paths; empty if none is.
    [[nodiscard]] std::string_view file_name(const Take& take, Slot slot, std::string_view from_path,
                                             std::string_view to_path) const;
    /// Whether copies of its messages come from several hops.
    [[nodiscard]] bool has_several_legs(Slot slot) const { return sessions_[slot].calls.size() > 1; }
    /// Which end the focus is, of a session with one.
    [[nodiscard]] End focus(Slot slot) const { return sessions_[slot].focus.value_or(End::called); }

    void expire(const Take& take);
    /// Lets go of the sessions of these tasks, without a word.
    void forget(const Tasks& tasks, Made& out);
    [[nodiscard]] std::optional<SteadyTime> due(const TrackerOptions& options) const;

    /// That are open.
    [[nodiscard]] std::size_t size() const { return sessions_.size() - ended_.size(); }

  private:
    enum class Described : std::uint8_t { no, yes, refused };

    /// One Call-ID.
    struct Call {
        TableKey key;
        TableKey tag_key;
        std::uint32_t caller_tag = 0;
        std::uint32_t branch = 0;                    ///< of the first INVITE
        std::uint32_t cseq = 0;                      ///< of the last INVITE
        std::array<std::uint32_t, 4> called_tags{};  ///< of those who answered with 2xx and have not gone
        std::uint32_t changed_by = 0;  ///< the CSeq number of the last request in the dialog that described anything
        std::uint16_t changes = 0;
        End changed_from = End::caller;
        std::array<Described, 2> described{};
        bool invited = false;
        bool forked = false;
        bool confirmed = false;
        bool by_update = false;  ///< heard of by an UPDATE or re-INVITE of a dialog that was not for MSRP
        bool cancelled = false;
    };
    struct Session {
        std::array<Identities, 2> ends;
        std::vector<Call> calls;
        std::vector<TableKey> paths;
        std::unique_ptr<std::string> file;
        std::unique_ptr<std::string> conference;
        Digest identity{};
        Digest conversation{};
        std::array<std::uint64_t, 2> path_digests{};
        model::Uuid xid;
        std::uint64_t correlation = 0;
        std::uint64_t addressed = 0;  ///< From and To
        std::uint64_t owner = 0;
        model::MaybeInstant answered_at;
        model::MaybeInstant ended_at;
        std::uint32_t cseq = 0;  ///< of the INVITE that was answered
        Slot begun = no_slot;
        Slot ended = no_slot;
        Slot waiting = no_slot;
        Slot correlated_before = no_slot;
        Slot correlated_after = no_slot;
        bool started = false;
        bool over = false;
        bool waits_cancelled = false;
        bool has_conversation = false;
        std::optional<End> focus;
        std::optional<End> target;
    };
    /// An end that is not sure yet: other branches, or an answer, may still come.
    struct Waiting {
        Slot session = no_slot;
        CopyNote note;
        unsigned status = 0;  ///< 0 where only a CANCEL was seen
    };
    /// What was heard of a call before its INVITE.
    struct Early {
        CopyNote note;
        unsigned status = 0;  ///< of a failure
        std::uint32_t called_tag = 0;
        bool confirmed = false;
        bool ended = false;
    };
    struct CallPlace {
        Slot session = no_slot;
        std::uint32_t call = 0;
    };
    struct PathPlace {
        Slot session = no_slot;
        End end = End::caller;
        bool file = false;
        std::uint16_t description = 0;  ///< of its call, that brought it
        std::uint32_t call = 0;         ///< of the session
    };
    /// A message of a call that is known.
    struct Heard;

    [[nodiscard]] std::optional<CallPlace> find_call(const Take& take, const SipMessage& message) const;
    [[nodiscard]] std::optional<CallPlace> begin(const Take& take, const SipMessage& message, Described said);
    [[nodiscard]] Slot session_to_join(const Take& take, std::uint64_t addressed) const;
    Slot new_session(const Take& take, const SipMessage& message, std::uint64_t addressed);
    void remember_early(const Take& take, const SipMessage& message);
    void take_up_early(const Take& take, Heard& heard);

    void take_known(const Take& take, Heard& heard);
    void take_request(const Take& take, Heard& heard);
    void take_invite(Heard& heard);
    void take_bye(const Take& take, Heard& heard);
    void take_cancel(const Take& take, Heard& heard);
    void take_answer(const Take& take, Heard& heard);
    void take_success(const Take& take, Heard& heard);
    void take_failure(const Take& take, Heard& heard);
    void describe(const Take& take, Heard& heard);
    static std::uint16_t number_of_description(Heard& heard);
    void add_path(const Take& take, Heard& heard, const SdpMsrp& medium);
    void add_identities(Heard& heard);
    void note_focus(Heard& heard);
    void start_or_end(const Take& take, Heard& heard);

    void end(const Take& take, const Copy& copy, Slot slot, std::string_view status, unsigned code, Way way);
    void end_silently(const Take& take, Slot slot);
    void add_event(const Take& take, const Copy& copy, const Session& session, model::EventType type,
                   std::string_view status, unsigned code, Way way);
    void wait(const Take& take, Slot slot, unsigned status, bool cancelled);
    void stop_waiting(Session& session);
    void chain(const Take& take, Slot slot);
    void unchain(Slot slot);
    void remove(Slot slot, Made& out);

    [[nodiscard]] TableKey key(Table table, const model::Uuid& xid, std::string_view text) const;
    [[nodiscard]] TableKey path_key(const model::Uuid& xid, std::string_view uri) const;
    [[nodiscard]] TableKey tag_key(const model::Uuid& xid, const SipMessage& message) const;
    [[nodiscard]] TableKey correlation_key(const model::Uuid& xid, std::uint64_t correlation) const;
    [[nodiscard]] std::uint32_t short_hash(std::string_view text) const;

    const TableSecret& secret_;
    Owners& owners_;
    ConferenceTable& conferences_;
    AgedList<Session> sessions_;  ///< by when they were last heard of
    AgedList<Slot> begun_;
    AgedList<Slot> ended_;
    AgedList<Waiting> waiting_;
    AgedList<Waiting> cancelled_;
    AgedTable<Early> early_;
    boost::unordered_flat_map<TableKey, CallPlace, TableKeyHash> calls_;
    boost::unordered_flat_map<TableKey, PathPlace, TableKeyHash> paths_;
    boost::unordered_flat_map<TableKey, Slot, TableKeyHash> correlated_;  ///< the newest of each correlation
};

/// The conversation of a session whose two MSRP URIs are these.
[[nodiscard]] Digest conversation_of(const model::Uuid& xid, std::string_view one_path, std::string_view other_path);

}  // namespace lihandover::ims
