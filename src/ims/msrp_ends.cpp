#include "msrp_ends.hpp"

#include <algorithm>

namespace lihandover::ims {

FramePaths paths_of(const MsrpFrame& frame) {
    return {frame.from_path.empty() ? std::string_view() : frame.from_path.back(),
            frame.to_path.empty() ? std::string_view() : frame.to_path.back()};
}

bool is_whole(const MsrpFrame& frame) {
    return frame.flag == ChunkFlag::last && (!frame.range || frame.range->start == 1) &&
           (!frame.range || !frame.range->total || *frame.range->total == frame.body.size());
}

TableKey hop_of(const Take& take, const MsrpFrame& frame) {
    KeyMaker maker = key_for(take, Table::hop);
    maker.add(take.copy.xid).add(std::uint64_t{frame.to_path.size()});
    for (const auto* path : {&frame.to_path, &frame.from_path}) {
        for (const std::string_view uri : *path) {
            maker.add(uri);
        }
    }
    return maker.finish();
}

TableKey transaction_of(const Take& take, const MsrpFrame& frame) {
    std::string one;
    std::string another;
    append_msrp_uri_key(frame.to_path.empty() ? std::string_view() : frame.to_path.front(), one);
    append_msrp_uri_key(frame.from_path.empty() ? std::string_view() : frame.from_path.front(), another);
    if (another < one) {
        one.swap(another);
    }
    return key_for(take, Table::transaction)
        .add(take.copy.xid)
        .add(take.copy.correlation)
        .add(one)
        .add(another)
        .add(frame.transaction)
        .finish();
}

TableKey message_of(const Take& take, const FramePaths& paths, std::string_view message_id) {
    std::string key;
    append_msrp_uri_key(paths.from, key);
    key += '\n';
    append_msrp_uri_key(paths.to, key);
    return key_for(take, Table::message).add(take.copy.xid).add(key).add(message_id).finish();
}

Digest event_of(const Copy& copy, const FramePaths& paths, std::string_view message_id) {
    std::string from;
    std::string to;
    append_msrp_uri_key(paths.from, from);
    append_msrp_uri_key(paths.to, to);
    return event_naming(copy, "session-mode message").add(from).add(to).add(message_id).finish();
}

namespace {

/// The target is the end that the direction of the copy tells.
void add_matched_to(const Copy& copy, MsrpEnds& ends) {
    if (copy.matched.empty()) {
        return;
    }
    Uris* target = copy.direction == Direction::from_target ? &ends.sender
                   : copy.direction == Direction::to_target ? &ends.receiver
                                                            : &ends.members.emplace_back();
    for (const std::string_view matched : copy.matched) {
        target->add(matched);
    }
}

}  // namespace

MsrpEnds ends_of(const Take& take, Dialogs& dialogs, const FramePaths& paths) {
    MsrpEnds ends;
    ends.session = dialogs.find(take, paths.from, paths.to);
    if (ends.session) {
        const Slot slot = ends.session->slot;
        if (const auto conversation = dialogs.conversation(slot)) {
            ends.conversation = *conversation;
        } else {
            ends.conversation = conversation_of(take.copy.xid, paths.from, paths.to);
            dialogs.set_conversation(slot, ends.conversation);
        }
        const End sender = ends.session->sender.value_or(End::caller);
        const Identities& one = dialogs.identities(slot, sender);
        const Identities& another = dialogs.identities(slot, other(sender));
        if (ends.session->sender) {
            one.add_to(ends.sender);
            another.add_to(ends.receiver);
            ends.sender_name = one.name();
            ends.receiver_name = another.name();
            return ends;
        }
        ends.members.resize(2);
        one.add_to(ends.members[0]);
        another.add_to(ends.members[1]);
    } else {
        ends.conversation = conversation_of(take.copy.xid, paths.from, paths.to);
    }
    add_matched_to(take.copy, ends);
    ends.sender.add(paths.from);
    ends.receiver.add(paths.to);
    return ends;
}

void add_ends(MadeEvent& made, const Copy& copy, const MsrpEnds& ends, Way way) {
    set_conversation(made, text_of(ends.conversation), ends.kind);
    add_party(made, model::PartyRole::sender, ends.sender, ends.sender_name);
    const std::optional<std::size_t> sender =
        ends.sender.empty() ? std::nullopt : std::optional(made.event.parties.size() - 1);
    add_party(made, model::PartyRole::receiver, ends.receiver, ends.receiver_name);
    const std::optional<std::size_t> receiver =
        ends.receiver.empty() || !ends.others.empty() ? std::nullopt : std::optional(made.event.parties.size() - 1);
    for (const Uris& other : ends.others) {
        add_party(made, model::PartyRole::receiver, other);
    }
    for (const Uris& member : ends.members) {
        add_party(made, model::PartyRole::member, member);
    }
    const bool along = way == Way::along;
    mark_ends(made, copy, along ? sender : receiver, along ? receiver : sender);
}

}  // namespace lihandover::ims
