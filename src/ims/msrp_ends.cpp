#include "msrp_ends.hpp"

#include <algorithm>
#include <span>

namespace lihandover::ims {

FramePaths paths_of(const MsrpFrame& frame) {
    return {frame.from_path.empty() ? std::string_view() : frame.from_path.back(),
            frame.to_path.empty() ? std::string_view() : frame.to_path.back()};
}

bool is_whole(const MsrpFrame& frame) {
    return frame.flag == ChunkFlag::last && (!frame.range || frame.range->start == 1) &&
           (!frame.range || !frame.range->total || *frame.range->total == frame.body.size());
}

namespace {

TableKey hop_between(const Take& take, std::span<const std::string_view> to, std::span<const std::string_view> from) {
    KeyMaker maker = key_for(take, Table::hop);
    maker.add(take.copy.xid).add(std::uint64_t{to.size()});
    for (const auto path : {to, from}) {
        for (const std::string_view uri : path) {
            maker.add(uri);
        }
    }
    return maker.finish();
}

}  // namespace

TableKey hop_of(const Take& take, const MsrpFrame& frame) {
    return hop_between(take, frame.to_path, frame.from_path);
}

TableKey hop_back_of(const Take& take, const MsrpFrame& frame) {
    return hop_between(take, frame.from_path, frame.to_path);
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

constexpr std::string_view of_two = "direct";
constexpr std::string_view of_many = "group";

/// The target is the end that the direction of the copy tells.
void add_matched_to(const Copy& copy, MsrpEnds& ends) {
    if (copy.matched.empty()) {
        return;
    }
    Uris* target = copy.direction == Direction::from_target ? &ends.sender
                   : copy.direction == Direction::to_target ? &ends.receivers.front().uris
                                                            : &ends.members.emplace_back();
    for (const std::string_view matched : copy.matched) {
        target->add(matched);
    }
}

void find_conversation(const Take& take, Dialogs& dialogs, const FramePaths& paths, MsrpEnds& ends) {
    ends.kind = of_two;
    if (!ends.session) {
        ends.conversation = text_of(conversation_of(take.copy.xid, paths.from, paths.to));
        return;
    }
    const Slot slot = ends.session->slot;
    ends.conversation = dialogs.conference(slot);
    if (ends.conversation.empty()) {
        ends.conversation = text_of(dialogs.conversation(slot, take.copy.xid, paths.from, paths.to));
    } else {
        ends.kind = of_many;
    }
}

bool contains(const Uris& uris, std::string_view uri) {
    return std::ranges::find(uris.list(), uri) != uris.list().end();
}

/// Each of those whom it names; else who `otherwise` is.
std::vector<MsrpEnds::Receiver> named_receivers(const Content& content, std::string_view otherwise) {
    std::vector<MsrpEnds::Receiver> receivers;
    for (const CpimAddress& address : content.to) {
        receivers.emplace_back().uris.add(address.uri);
        receivers.back().name = address.name;
    }
    if (receivers.empty()) {
        receivers.emplace_back().uris.add(otherwise);
    }
    return receivers;
}

/// A focus sends what somebody else said; and whoever gets it is a receiver, though it is to all.
void pass_on(const Content& content, MsrpEnds& ends) {
    MsrpEnds::Receiver participant = std::move(ends.receivers.front());
    ends.receivers = named_receivers(content, ends.conversation);
    ends.sender_is_source = false;
    if (!content.from.empty()) {
        ends.sender.clear();
        ends.sender_name = content.from.front().name;
    }
    for (std::size_t i = 0; i < ends.receivers.size(); ++i) {
        Uris& named = ends.receivers[i].uris;
        if (!named.empty() && contains(participant.uris, named.list().front())) {
            ends.receivers[i] = std::move(participant);
            ends.reached = i;
            return;
        }
    }
    ends.receivers.push_back(std::move(participant));
    ends.reached = ends.receivers.size() - 1;
}

}  // namespace

MsrpEnds ends_of(const Take& take, Dialogs& dialogs, const FramePaths& paths) {
    MsrpEnds ends;
    ends.session = dialogs.find(take, paths.from, paths.to);
    ends.receivers.resize(1);
    ends.reached = 0;
    find_conversation(take, dialogs, paths, ends);
    if (ends.session) {
        const Slot slot = ends.session->slot;
        const End sender = ends.session->sender.value_or(End::caller);
        const Identities& one = dialogs.identities(slot, sender);
        const Identities& another = dialogs.identities(slot, other(sender));
        if (ends.session->sender) {
            one.add_to(ends.sender);
            another.add_to(ends.receivers.front().uris);
            ends.sender_name = one.name();
            ends.receivers.front().name = another.name();
            return ends;
        }
        ends.members.resize(2);
        one.add_to(ends.members[0]);
        another.add_to(ends.members[1]);
    }
    add_matched_to(take.copy, ends);
    ends.sender.add(paths.from);
    ends.receivers.front().uris.add(paths.to);
    return ends;
}

void add_wrapping_ends(const Content& content, MsrpEnds& ends, const Dialogs& dialogs) {
    const bool group = ends.kind == of_many;
    if (group && ends.session && ends.session->sender) {
        if (*ends.session->sender == dialogs.focus(ends.session->slot)) {
            pass_on(content, ends);
        } else {
            ends.receivers = named_receivers(content, ends.conversation);
            ends.reached.reset();
        }
    } else if (content.to.size() == 1) {
        ends.receivers.front().uris.add(content.to.front().uri);
    } else {
        for (const CpimAddress& address : content.to) {
            if (!contains(ends.receivers.front().uris, address.uri)) {
                ends.receivers.emplace_back().uris.add(address.uri);
                ends.receivers.back().name = address.name;
                ends.reached.reset();
            }
        }
    }
    for (const CpimAddress& address : content.from) {
        ends.sender.add(address.uri);
        ends.sender_name = ends.sender_name.empty() ? std::string_view(address.name) : ends.sender_name;
    }
}

void add_ends(MadeEvent& made, const Copy& copy, const MsrpEnds& ends, Way way) {
    set_conversation(made, ends.conversation, ends.kind);
    add_party(made, model::PartyRole::sender, ends.sender, ends.sender_name);
    const std::optional<std::size_t> sender =
        ends.sender.empty() || !ends.sender_is_source ? std::nullopt : std::optional<std::size_t>(0);
    std::optional<std::size_t> receiver;
    for (std::size_t i = 0; i < ends.receivers.size(); ++i) {
        const std::size_t before = made.event.parties.size();
        add_party(made, model::PartyRole::receiver, ends.receivers[i].uris, ends.receivers[i].name);
        if (ends.reached == i && made.event.parties.size() > before) {
            receiver = before;
        }
    }
    for (const Uris& member : ends.members) {
        add_party(made, model::PartyRole::member, member);
    }
    const bool along = way == Way::along;
    mark_ends(made, copy, along ? sender : receiver, along ? receiver : sender);
}

}  // namespace lihandover::ims
