#include "conference_calls.hpp"

#include <algorithm>
#include <utility>

#include "conference_keys.hpp"
#include "content.hpp"
#include "lihandover/ims/msrp.hpp"
#include "lihandover/ims/multipart.hpp"
#include "lihandover/ims/sdp.hpp"
#include "uri_key.hpp"

namespace lihandover::ims {

namespace {

constexpr std::size_t longest_uri = Identities::longest_uri;
constexpr std::size_t longest_subject = 4096;
/// Of one call.
constexpr std::size_t most_call_paths = 16;

const SipAddress* focus_in(const std::vector<SipAddress>& contacts) {
    const auto found =
        std::ranges::find_if(contacts, [](const SipAddress& address) { return address.has_parameter("isfocus"); });
    return found == contacts.end() ? nullptr : &*found;
}

void add_paths(std::vector<TableKey>& to, const std::vector<TableKey>& from) {
    for (const TableKey& path : from) {
        if (to.size() < most_call_paths && std::ranges::find(to, path) == to.end()) {
            to.push_back(path);
        }
    }
}

/// A Contact that names a host alone says where the focus is, and not which conference it is of.
std::string focus_uri(std::string_view contact, std::string_view addressed) {
    return std::string(user_of(contact).empty() ? addressed : contact);
}

}  // namespace

std::vector<std::string> listed_in(const SipMessage& message) {
    if (message.body.find("resource-lists") == std::string_view::npos) {
        return {};
    }
    std::vector<std::string> listed;
    for (const BodyPart& part : leaves_of(message.content_type, message.content_disposition, message.body)) {
        if (listed.empty() && read_content_type(part.content_type).type == "application/resource-lists+xml") {
            listed = receivers_of_list(part.body);
        }
    }
    return listed;
}

TableKey ConferenceCalls::call_key(const model::Uuid& xid, std::string_view call_id) const {
    return conference_key(secret_, ConferenceKey::call).add(xid).add(call_id).finish();
}

TableKey ConferenceCalls::path_key(const model::Uuid& xid, std::string_view uri) const {
    std::string text;
    append_msrp_uri_key(uri, text);
    return conference_key(secret_, ConferenceKey::path).add(xid).add(text).finish();
}

std::uint64_t ConferenceCalls::tag_of(std::string_view tag) const {
    return conference_key(secret_, ConferenceKey::tag).add(tag).finish().first;
}

ConferenceCalls::Described ConferenceCalls::describe(const Take& take, const SipMessage& message) const {
    Content storage;
    std::string_view sdp = description_in(message.content_type, message.body, storage);
    sdp = sdp.empty() ? take.copy.sdp : sdp;
    const auto description = sdp.empty() ? std::nullopt : read_sdp(sdp);
    Described described;
    described.any = description.has_value();
    if (!description) {
        return described;
    }
    for (const SdpMsrp& medium : description->msrp) {
        if (medium.refused()) {
            continue;
        }
        described.msrp = true;
        described.room = described.room || medium.chatroom;
        if (!medium.path.empty()) {
            add_paths(described.paths, {path_key(take.copy.xid, medium.path.back())});
        }
    }
    return described;
}

void ConferenceCalls::take_invite(const Take& take, const SipMessage& invite) {
    const Described described = describe(take, invite);
    if (described.any && !described.msrp) {
        return;
    }
    const TableKey key = call_key(take.copy.xid, invite.call_id);
    Waiting* waiting = waiting_.find(key);
    if (waiting != nullptr && waiting->cseq >= invite.cseq) {
        return;  // another hop, or a retransmission
    }
    Waiting made;
    made.owner = waiting != nullptr ? waiting->owner : 0;
    made.cseq = invite.cseq;
    made.caller.add_asserted(invite);
    made.caller.add(Identities::Rank::header, invite.from.uri);
    made.caller.set_name(invite.from.display_name);
    made.called.add_called(invite);
    made.request_uri = invite.request_uri.substr(0, longest_uri);
    made.referred_by = invite.referred_by.empty() ? "" : invite.referred_by.front().uri.substr(0, longest_uri);
    made.subject = invite.header("Subject").value_or("").substr(0, longest_subject);
    made.listed = listed_in(invite);
    made.paths = described.paths;
    made.offered = described.msrp;
    if (const SipAddress* focus = focus_in(invite.contact)) {
        made.focus = focus_uri(focus->uri, invite.from.uri).substr(0, longest_uri);
        // The answer does not say it again.
        made.owner = made.owner != 0 ? made.owner : owners_.next();
        take.out.kept_parts.push_back({made.owner, 0, take.copy.payload.size()});
    }
    held_ += made.bytes();
    if (waiting != nullptr) {
        held_ -= waiting->bytes();
        *waiting = std::move(made);
        waiting_.touch(key, take.now);
    } else {
        waiting_.add(key, std::move(made), take.now);
    }
    expire(take);
}

void ConferenceCalls::take_provisional(const Take& take, const SipMessage& answer) {
    const TableKey key = call_key(take.copy.xid, answer.call_id);
    if (Waiting* waiting = waiting_.find(key)) {
        const Described described = describe(take, answer);
        waiting->accepted = waiting->accepted || described.msrp;
        held_ -= waiting->bytes();
        add_paths(waiting->paths, described.paths);
        held_ += waiting->bytes();
    }
}

std::optional<FocusCall> ConferenceCalls::take_success(const Take& take, const SipMessage& answer) {
    const TableKey key = call_key(take.copy.xid, answer.call_id);
    Waiting* waiting = waiting_.find(key);
    const Described described = describe(take, answer);
    const SipAddress* called_focus = focus_in(answer.contact);
    const bool focus_calls = waiting != nullptr && !waiting->focus.empty();
    const bool agreed = described.any ? described.msrp : waiting != nullptr && (waiting->offered || waiting->accepted);
    const bool focus_called = called_focus != nullptr || described.room;
    if (!agreed || (!focus_called && !focus_calls)) {
        return std::nullopt;
    }
    FocusCall call;
    call.focus_called = focus_called;
    Waiting known;
    if (waiting != nullptr) {
        known = *waiting;
        remove(key, *waiting);
    }
    known.caller.add(Identities::Rank::header, answer.from.uri);
    known.called.add_asserted(answer);
    known.called.add(Identities::Rank::header, answer.to.uri);
    const std::string_view addressed = focus_called ? answer.to.uri : answer.from.uri;
    const std::string_view contact = called_focus != nullptr   ? called_focus->uri
                                     : !answer.contact.empty() ? answer.contact.front().uri
                                                               : std::string_view();
    call.focus = focus_called ? focus_uri(contact, addressed).substr(0, longest_uri) : known.focus;
    call.addressed = addressed.substr(0, longest_uri);
    call.participant = focus_called ? std::move(known.caller) : std::move(known.called);
    call.focus_identities = focus_called ? std::move(known.called) : std::move(known.caller);
    call.referred_by = std::move(known.referred_by);
    call.subject = std::move(known.subject);
    call.listed = std::move(known.listed);
    call.paths = std::move(known.paths);
    add_paths(call.paths, described.paths);
    call.participant_tag = tag_of(focus_called ? answer.from_tag() : answer.to_tag());
    call.owner = known.owner;
    return call;
}

std::size_t ConferenceCalls::Waiting::bytes() const {
    std::size_t sum = sizeof *this + caller.bytes() + called.bytes() + focus.size() + request_uri.size() +
                      referred_by.size() + subject.size() + paths.size() * sizeof(TableKey);
    for (const std::string& uri : listed) {
        sum += sizeof uri + uri.size();
    }
    return sum;
}

void ConferenceCalls::remove(const TableKey& key, const Waiting& waiting) {
    held_ -= waiting.bytes();
    waiting_.remove(TableKey(key));
}

void ConferenceCalls::expire(const Take& take) {
    while (waiting_.size() > most || held_ > most_bytes || waiting_.due_at(take.now, keep_for) != nullptr) {
        const auto* oldest = waiting_.oldest();
        if (oldest->value.owner != 0) {
            take.out.let_go.push_back(oldest->value.owner);
        }
        remove(oldest->key, oldest->value);
    }
}

}  // namespace lihandover::ims
