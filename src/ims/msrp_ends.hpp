#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "content.hpp"
#include "dialogs.hpp"
#include "lihandover/ims/msrp.hpp"
#include "parties.hpp"
#include "take.hpp"

namespace lihandover::ims {

/// The two ends of a frame, as its paths have them: the last of each, whatever relays are on the way (RFC 4976).
struct FramePaths {
    std::string_view from;
    std::string_view to;
};
[[nodiscard]] FramePaths paths_of(const MsrpFrame& frame);
/// Whether a SEND is all of its message.
[[nodiscard]] bool is_whole(const MsrpFrame& frame);
/// All of its paths, relays too: the same for all frames of one hop in one direction.
[[nodiscard]] TableKey hop_of(const Take& take, const MsrpFrame& frame);
/// That of a frame the other way.
[[nodiscard]] TableKey hop_back_of(const Take& take, const MsrpFrame& frame);
/// What it is to its hop: the first of each path, whichever way round, and the transaction. The same for a request and
/// its response.
[[nodiscard]] TableKey transaction_of(const Take& take, const MsrpFrame& frame);
/// A message of a session, whatever hop it is seen at.
[[nodiscard]] TableKey message_of(const Take& take, const FramePaths& paths, std::string_view message_id);
/// The event of a message that nothing else goes by the name of.
[[nodiscard]] Digest event_of(const Copy& copy, const FramePaths& paths, std::string_view message_id);

/// Who sends to whom on these paths, and in which conversation.
struct MsrpEnds {
    struct Receiver {
        Uris uris;
        std::string_view name;
    };
    Uris sender;
    std::string_view sender_name;
    std::vector<Receiver> receivers;
    std::vector<Uris> members;  ///< where it is not known which of them sends
    /// The sender is who sent the copy: not so where a focus passes on what somebody else said.
    bool sender_is_source = true;
    std::optional<std::size_t> reached;  ///< the receiver that the copy went to
    std::string conversation;
    std::string_view kind;
    std::optional<Dialogs::Found> session;

    /// Of the only receiver there is as long as nothing else is known.
    [[nodiscard]] const Receiver& receiver() const { return receivers.front(); }
};

/// From its session; else from the paths and the matched target identifiers.
[[nodiscard]] MsrpEnds ends_of(const Take& take, Dialogs& dialogs, const FramePaths& paths);
/// Of a message, what it says itself too: whom message/cpim names. In a conference these are the ends, and what the
/// paths say is only that it went by the focus.
void add_wrapping_ends(const Content& content, MsrpEnds& ends, const Dialogs& dialogs);

/// Adds them to an event, and marks the target.
///   way   how the event's sender stands to the copy
void add_ends(MadeEvent& made, const Copy& copy, const MsrpEnds& ends, Way way);

}  // namespace lihandover::ims
