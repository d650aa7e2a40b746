#include "conference_events.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "conference_keys.hpp"
#include "conference_making.hpp"
#include "dialogs.hpp"
#include "header_parameters.hpp"
#include "lihandover/ims/multipart.hpp"
#include "msrp_ends.hpp"
#include "text.hpp"
#include "uri_key.hpp"
#include "whole_objects.hpp"

namespace lihandover::ims {

namespace {

// A call that has ended is still known for copies of other hops.
constexpr std::chrono::minutes know_ended_call{5};
// A request of MSRP is given up after 30 s without an answer (RFC 4975 7.1.1).
constexpr std::chrono::seconds keep_nicknames{64};
constexpr std::size_t largest_kept_nickname = 8192;
constexpr std::size_t most_nicknames = 4096;
constexpr std::chrono::seconds keep_early{10};
constexpr std::size_t most_early_answers = 4096;
constexpr std::size_t most_names = 16;
constexpr std::size_t most_leg_paths = 16;
/// Of one conference.
constexpr std::size_t most_legs = 10'000;
constexpr std::size_t most_referrals = 64;
constexpr std::size_t longest_id = 1024;
constexpr std::chrono::seconds keep_refers{64};
constexpr std::size_t most_refers = 4096;
/// About what a member takes that was told.
constexpr std::size_t bytes_of_told = 192;
constexpr std::size_t longest_path = 1024;
constexpr std::string_view info_type = "application/conference-info+xml";

/// Where a Refer-To asks for it (RFC 3515 2.1): `<sip:bob@b.example;method=BYE>`.
bool asks_to_leave(std::string_view uri) {
    std::string_view parameters = uri.substr(std::min(uri.find(';'), uri.size()));
    while (const auto parameter = take_parameter(parameters)) {
        if (same_name(parameter->name, "method")) {
            return starts_with_name(parameter->value, "BYE");
        }
    }
    return false;
}

std::size_t bytes_of(const Roster& roster) {
    std::size_t sum = roster.subject().size();
    for (const Roster::Member& member : roster.members()) {
        sum += 2 * member.entity.size() + member.display_text.size() + member.nickname.size() + sizeof member;
        for (const auto* texts : {&member.roles, &member.aors}) {
            for (const std::string& text : *texts) {
                sum += text.size() + sizeof text;
            }
        }
        for (const ConferenceEndpoint& endpoint : member.endpoints) {
            sum += endpoint.entity.size() + endpoint.status.size() + endpoint.joining.size() +
                   endpoint.disconnection.size() + endpoint.joined_by.size() + endpoint.disconnected_by.size() +
                   sizeof endpoint;
        }
    }
    return sum;
}

bool is_policy_type(std::string_view type) {
    constexpr std::array<std::string_view, 6> types{info_type,
                                                    "application/conference-policy+xml",
                                                    "application/auth-policy+xml",
                                                    "application/vnd.oma.poc.groups+xml",
                                                    "application/xml",
                                                    "text/xml"};
    return std::ranges::find(types, type) != types.end();
}

Uris uris_of(const Identities& identities) {
    Uris uris;
    identities.add_to(uris);
    return uris;
}

}  // namespace

// ---- finding

TableKey ConferenceTable::name_key(const model::Uuid& xid, std::string_view uri) const {
    return conference_key(secret_, ConferenceKey::conference).add(xid).add(plain_uri(uri)).finish();
}

Slot ConferenceTable::find(const model::Uuid& xid, std::string_view uri) const {
    if (uri.empty()) {
        return no_slot;
    }
    const auto found = names_.find(name_key(xid, uri));
    return found == names_.end() ? no_slot : found->second;
}

Slot ConferenceTable::add_conference(const Take& take, std::string_view uri) {
    Conference conference;
    conference.xid = take.copy.xid;
    conference.uri = plain_uri(uri);
    if (conference.uri.size() > longest_id) {
        conference.uri = text_of(digest_of(conference.uri));
    }
    conference.told.emplace(secret_);
    const Slot slot = conferences_.add(std::move(conference), take.now);
    add_name(slot, uri);
    return slot;
}

void ConferenceTable::add_name(Slot slot, std::string_view uri) {
    Conference& conference = conferences_[slot];
    if (uri.empty() || conference.names.size() >= most_names) {
        return;
    }
    const TableKey key = name_key(conference.xid, uri);
    if (names_.try_emplace(key, slot).second) {
        conference.names.push_back(key);
    }
}

Slot ConferenceTable::leg_of_path(const Take& take, std::string_view path) const {
    const auto found = leg_of_path_.find(calls_.path_key(take.copy.xid, path));
    return found == leg_of_path_.end() ? no_slot : found->second;
}

std::string_view ConferenceTable::conversation_of(const Take& take, std::string_view call_id) const {
    const auto found = leg_of_call_.find(calls_.call_key(take.copy.xid, call_id));
    return found == leg_of_call_.end() ? std::string_view() : conferences_[legs_[found->second].conference].uri;
}

// ---- what is kept, and how long

/// Keeps the copy for one owner; all of its copies go when there are too many.
void ConferenceTable::keep(const Take& take, Conference::Kept& kept, std::size_t bytes) const {
    if (kept.stopped) {
        return;
    }
    const bool too_many = kept.count >= most_kept || (kept.count > 0 && kept.bytes + bytes > most_kept_bytes);
    if (too_many) {
        take.out.let_go.push_back(kept.owner);
        kept = {};
        kept.stopped = true;
        return;
    }
    kept.owner = kept.owner != 0 ? kept.owner : owners_.next();
    auto& parts = take.out.kept_parts;
    if (std::ranges::none_of(parts, [&kept](const Made::Part& part) { return part.owner == kept.owner; })) {
        parts.push_back({kept.owner, 0, take.copy.payload.size()});
        ++kept.count;
        kept.bytes += bytes;
    }
}

void ConferenceTable::measure(Conference& conference, std::size_t bytes) {
    held_ -= conference.bytes();
    conference.added_bytes += bytes;
    if (conference.added_bytes > conference.roster_bytes) {
        conference.roster_bytes = bytes_of(conference.roster) + conference.told->size() * bytes_of_told;
        conference.added_bytes = 0;
    }
    held_ += conference.bytes();
}

void ConferenceTable::note_policy(const Take& take, Conference& conference, std::size_t bytes) {
    keep(take, conference.policies, bytes);
    held_ += bytes - conference.policy_bytes;
    conference.policy_bytes = bytes;
    keep_within(take);
}

void ConferenceTable::keep_within(const Take& take) {
    while (conferences_.size() > 1 && (conferences_.size() > most_conferences || held_ > most_bytes)) {
        remove(conferences_.oldest(), take.out);
    }
    while (legs_.size() > take.options.max_sessions) {
        remove_leg(legs_.oldest(), take.out);
    }
}

void ConferenceTable::remove(Slot slot, Made& out) {
    while (!conferences_[slot].legs.empty()) {
        remove_leg(conferences_[slot].legs.back(), out);
    }
    const Conference& conference = conferences_[slot];
    for (const std::uint64_t owner : {conference.documents.owner, conference.policies.owner, conference.origin_owner}) {
        if (owner != 0) {
            out.let_go.push_back(owner);
        }
    }
    for (const TableKey& name : conference.names) {
        names_.erase(name);
    }
    held_ -= conference.bytes();
    conferences_.remove(slot);
}

void ConferenceTable::remove_leg(Slot slot, Made& out) {
    Leg& leg = legs_[slot];
    Conference& conference = conferences_[leg.conference];
    if (leg.first && conference.origin_owner == 0) {
        conference.origin_owner = leg.owner;
    } else {
        out.let_go.push_back(leg.owner);
    }
    std::erase(conference.legs, slot);
    leg_of_call_.erase(leg.key);
    for (const TableKey& path : leg.paths) {
        if (const auto found = leg_of_path_.find(path); found != leg_of_path_.end() && found->second == slot) {
            leg_of_path_.erase(found);
        }
    }
    if (leg.over()) {
        ended_.remove(leg.ended);
    }
    legs_.remove(slot);
}

void ConferenceTable::forget(const Tasks& tasks, Made& out) {
    for (Slot slot = conferences_.oldest(); slot != no_slot;) {
        const Slot next = conferences_.after(slot);
        if (tasks.contains(conferences_[slot].xid)) {
            remove(slot, out);
        }
        slot = next;
    }
}

void ConferenceTable::expire(const Take& take) {
    calls_.expire(take);
    for (Slot at = ended_.due_at(take.now, know_ended_call); at != no_slot;
         at = ended_.due_at(take.now, know_ended_call)) {
        remove_leg(ended_[at], take.out);
    }
    const auto idle = take.options.session_idle;
    for (Slot at = legs_.due_at(take.now, idle); at != no_slot; at = legs_.due_at(take.now, idle)) {
        remove_leg(at, take.out);
    }
    for (Slot at = conferences_.due_at(take.now, idle); at != no_slot; at = conferences_.due_at(take.now, idle)) {
        remove(at, take.out);
    }
    refers_.trim(take.now, keep_refers, most_refers);
    trim_nicknames(take);
    early_answers_.trim(take.now, keep_early, most_early_answers);
}

std::optional<SteadyTime> ConferenceTable::due(const TrackerOptions& options) const {
    std::optional<SteadyTime> first;
    for (const auto& at : {calls_.due(), ended_.due(know_ended_call), legs_.due(options.session_idle),
                           conferences_.due(options.session_idle), nicknames_.due(keep_nicknames)}) {
        if (at && (!first || *at < *first)) {
            first = at;
        }
    }
    return first;
}

// ---- calls

void ConferenceTable::take_sip(const Take& take, const SipMessage& message) {
    const std::string_view method = message.method;
    if (method == "INVITE") {
        take_invite(take, message);
    } else if (method == "ACK" || method == "UPDATE" || method == "PRACK") {
        add_paths(take, message);
    } else if (method == "BYE" && message.request) {
        take_bye(take, message);
    } else if (method == "REFER") {
        take_refer(take, message);
    } else if (method == "NOTIFY" && message.request) {
        take_notify(take, message);
    }
}

void ConferenceTable::take_invite(const Take& take, const SipMessage& message) {
    if (message.request) {
        if (message.to_tag().empty()) {
            calls_.take_invite(take, message);
        } else {
            add_paths(take, message);
        }
        return;
    }
    if (message.status < 200) {
        calls_.take_provisional(take, message);
        return;
    }
    if (message.status >= 300) {
        return;
    }
    const auto known = leg_of_call_.find(calls_.call_key(take.copy.xid, message.call_id));
    if (known != leg_of_call_.end() && !begins_anew(take, message, known->second)) {
        return;
    }
    if (const auto call = calls_.take_success(take, message)) {
        open(take, message, *call);
        keep_within(take);
    }
}

/// An answer in a call that is known: most say nothing new. One may take MSRP away, and another one bring it back.
bool ConferenceTable::begins_anew(const Take& take, const SipMessage& answer, Slot slot) {
    if (answer.cseq <= legs_[slot].cseq) {
        take.repeat();
        return false;
    }
    const auto described = calls_.describe(take, answer);
    if (legs_[slot].over()) {
        if (described.msrp) {
            remove_leg(slot, take.out);
        }
        return described.msrp;
    }
    if (described.any && !described.msrp) {
        end_call(take, answer, slot);
    } else {
        add_paths(take, answer);
        take.repeat();
    }
    return false;
}

/// Descriptions of a call that goes on.
void ConferenceTable::add_paths(const Take& take, const SipMessage& message) {
    const auto found = leg_of_call_.find(calls_.call_key(take.copy.xid, message.call_id));
    if (found == leg_of_call_.end()) {
        return;
    }
    legs_.touch(found->second, take.now);
    conferences_.touch(legs_[found->second].conference, take.now);
    const std::size_t before = legs_[found->second].paths.size();
    for (const TableKey& path : calls_.describe(take, message).paths) {
        add_path(found->second, path);
    }
    const Leg& leg = legs_[found->second];
    if (leg.paths.size() != before) {
        take.out.kept_parts.push_back({leg.owner, 0, take.copy.payload.size()});
    }
}

void ConferenceTable::add_path(Slot slot, const TableKey& path) {
    Leg& leg = legs_[slot];
    if (leg.paths.size() < most_leg_paths && std::ranges::find(leg.paths, path) == leg.paths.end()) {
        // Who joins again may have the path of before.
        leg_of_path_.insert_or_assign(path, slot);
        leg.paths.push_back(path);
    }
}

/// A factory answers under the name of the conference that it has made, which is another user than it was called by.
Slot ConferenceTable::conference_of(const Take& take, const FocusCall& call, bool& created) {
    Slot slot = find(take.copy.xid, call.focus);
    const Slot addressed = find(take.copy.xid, call.addressed);
    created =
        call.focus_called && slot == no_slot && addressed == no_slot && user_of(call.focus) != user_of(call.addressed);
    slot = slot == no_slot ? addressed : slot;
    if (slot == no_slot) {
        slot = add_conference(take, call.focus);
    }
    add_name(slot, call.focus);
    if (!created) {
        add_name(slot, call.addressed);
    }
    return slot;
}

/// Open legs of the same member: those of the same call, or of others.
std::vector<Slot> ConferenceTable::legs_beside(Slot slot, bool of_this_call) const {
    const Leg& leg = legs_[slot];
    std::vector<Slot> found;
    for (const Slot other : conferences_[leg.conference].legs) {
        const Leg& beside = legs_[other];
        const bool same_call = leg.correlation != 0 && beside.correlation == leg.correlation;
        if (other != slot && !beside.over() && beside.member == leg.member && same_call == of_this_call) {
            found.push_back(other);
        }
    }
    return found;
}

void ConferenceTable::open(const Take& take, const SipMessage& answer, const FocusCall& call) {
    bool created = false;
    const bool known = find(take.copy.xid, call.focus) != no_slot || find(take.copy.xid, call.addressed) != no_slot;
    const Slot slot = conference_of(take, call, created);
    conferences_.touch(slot, take.now);
    Conference& conference = conferences_[slot];
    Leg leg;
    leg.key = calls_.call_key(take.copy.xid, answer.call_id);
    leg.conference = slot;
    leg.member = conference.told->find_or_add(uris_of(call.participant));
    leg.correlation = take.copy.correlation;
    leg.participant_tag = call.participant_tag;
    leg.cseq = answer.cseq;
    leg.owner = call.owner != 0 ? call.owner : owners_.next();
    leg.participant = call.participant;
    leg.first = !known;
    take.out.kept_parts.push_back({leg.owner, 0, take.copy.payload.size()});
    if (conference.legs.size() >= most_legs) {
        remove_leg(conference.legs.front(), take.out);
    }
    const auto member = leg.member;
    const Slot leg_slot = legs_.add(std::move(leg), take.now);
    conference.legs.push_back(leg_slot);
    leg_of_call_.insert_or_assign(legs_[leg_slot].key, leg_slot);
    for (const TableKey& path : call.paths) {
        add_path(leg_slot, path);
    }
    const bool told = !legs_beside(leg_slot, true).empty() ||
                      (member && !conference.told->call_joins(*member, conference.roster.known()));
    if (told) {
        take.repeat();
    } else {
        tell_call(take, answer, call, conference, created);
    }
}

void ConferenceTable::tell_call(const Take& take, const SipMessage& answer, const FocusCall& call,
                                Conference& conference, bool created) {
    if (created) {
        conference.title = call.subject;
    }
    const auto type = created ? model::EventType::group_created : model::EventType::group_joined;
    const Digest id = event_naming(take.copy, name_of(type))
                          .add(conference.uri)
                          .add(answer.call_id)
                          .add(std::uint64_t{answer.cseq})
                          .finish();
    ConferenceEvent event(take, type, id, conference.uri, conference.title);
    const Uris participant = uris_of(call.participant);
    const std::string referrer = conference.take_referral(participant, false, take.now);
    event.add(model::PartyRole::sender, call.referred_by.empty() ? referrer : call.referred_by);
    if (call.focus_called) {
        Uris focus;
        focus.add(call.focus);
        call.focus_identities.add_to(focus);
        event.add(model::PartyRole::receiver, focus);
        event.sent_copy();
    }
    event.add(model::PartyRole::actor, participant, call.participant.name());
    if (call.focus_called) {
        event.got_copy();
    } else {
        event.sent_copy();
    }
    for (const std::string& uri : call.listed) {
        event.add(model::PartyRole::member, uri);
    }
    event.finish();
}

void ConferenceTable::take_bye(const Take& take, const SipMessage& bye) {
    const auto found = leg_of_call_.find(calls_.call_key(take.copy.xid, bye.call_id));
    if (found == leg_of_call_.end()) {
        return;
    }
    if (legs_[found->second].over()) {
        take.repeat();
    } else {
        end_call(take, bye, found->second);
    }
}

/// By a BYE, or by an answer to an INVITE that has no MSRP any more.
void ConferenceTable::end_call(const Take& take, const SipMessage& message, Slot slot) {
    Conference& conference = conferences_[legs_[slot].conference];
    conferences_.touch(legs_[slot].conference, take.now);
    std::vector<Slot> ending = legs_beside(slot, true);
    ending.push_back(slot);
    for (const Slot each : ending) {
        legs_[each].ended = ended_.add(each, take.now);
        take.out.kept_parts.push_back({legs_[each].owner, 0, take.copy.payload.size()});
    }
    const Leg& leg = legs_[slot];
    if (leg.member && !legs_beside(slot, false).empty()) {
        return;  // there with another device
    }
    if (leg.member && !conference.told->call_leaves(*leg.member, conference.roster.known())) {
        take.repeat();
        return;
    }
    tell_gone(take, message, leg, conference);
}

void ConferenceTable::tell_gone(const Take& take, const SipMessage& message, const Leg& leg, Conference& conference) {
    constexpr auto type = model::EventType::group_left;
    const Digest id = event_naming(take.copy, name_of(type))
                          .add(conference.uri)
                          .add(message.call_id)
                          .add(std::uint64_t{message.cseq})
                          .finish();
    ConferenceEvent event(take, type, id, conference.uri, conference.title);
    const Uris participant = uris_of(leg.participant);
    // From is who asked for it, in an answer too.
    const bool by_itself = calls_.tag_of(message.from_tag()) == leg.participant_tag;
    const std::string remover = conference.take_referral(participant, true, take.now);
    if (!by_itself) {
        event.add(model::PartyRole::actor, remover);
    }
    event.add(by_itself ? model::PartyRole::actor : model::PartyRole::member, participant, leg.participant.name());
    if (by_itself == message.request) {
        event.sent_copy();
    } else {
        event.got_copy();
    }
    event.set_status(by_itself ? "departed" : remover.empty() ? "disconnected" : "booted");
    event.finish();
}

// ---- wishes

void ConferenceTable::take_refer(const Take& take, const SipMessage& message) {
    const TableKey refer = calls_.call_key(take.copy.xid, message.call_id);
    if (message.is_answer()) {
        if (message.is_failure()) {
            forget_refer(refer);
        }
        return;
    }
    if (message.refer_to.empty()) {
        return;
    }
    const std::string_view target = message.refer_to.front().uri;
    std::vector<std::string> users{std::string(target)};
    Slot slot = find(take.copy.xid, message.to.uri);
    slot = slot == no_slot ? find(take.copy.xid, message.request_uri) : slot;
    if (slot == no_slot) {
        slot = find(take.copy.xid, target);
        users.front() = message.to.uri;
    } else if (starts_with_name(target, "cid:")) {
        users = listed_in(message);
    }
    if (slot == no_slot) {
        return;
    }
    const std::string_view by = !message.referred_by.empty() ? message.referred_by.front().uri
                                : !message.asserted.empty()  ? message.asserted.front().uri
                                                             : message.from.uri;
    if (refers_.find(refer) == nullptr) {
        refers_.add(refer, slot, take.now);
        refers_.trim(take.now, keep_refers, most_refers);
    }
    auto& referrals = conferences_[slot].referrals;
    for (const std::string& user : users) {
        Conference::Referral referral{user_key(user), std::string(by.substr(0, longest_id)), refer, take.now,
                                      asks_to_leave(target)};
        const bool again = std::ranges::any_of(referrals, [&referral](const Conference::Referral& known) {
            return known.refer == referral.refer && known.user == referral.user;
        });
        if (again || referral.user == user_key(by)) {
            continue;
        }
        if (referrals.size() >= most_referrals) {
            referrals.erase(referrals.begin());
        }
        referrals.push_back(std::move(referral));
    }
}

void ConferenceTable::forget_refer(const TableKey& refer) {
    if (const Slot* slot = refers_.find(refer)) {
        std::erase_if(conferences_[*slot].referrals,
                      [&refer](const Conference::Referral& referral) { return referral.refer == refer; });
    }
}

// ---- documents

void ConferenceTable::take_notify(const Take& take, const SipMessage& notify) {
    if (!same_name(notify.event, "conference")) {
        return;
    }
    for (const BodyPart& part : leaves_of(notify.content_type, notify.content_disposition, notify.body)) {
        if (read_content_type(part.content_type).type == info_type) {
            take_document(take, {&notify, part.body, {}, {}});
        }
    }
    if (starts_with_name(notify.subscription_state, "terminated")) {
        if (const Slot slot = find(take.copy.xid, notify.from.uri); slot != no_slot) {
            conferences_[slot].order.end(dialog_of(&notify));
        }
    }
}

TableKey ConferenceTable::dialog_of(const SipMessage* notify) const {
    KeyMaker maker = conference_key(secret_, ConferenceKey::subscription);
    if (notify != nullptr) {
        maker.add(notify->call_id).add(notify->from_tag());
    }
    return maker.finish();
}

Slot ConferenceTable::conference_of(const Take& take, const ConferenceDocument& document, const ConferenceInfo& info) {
    const std::string_view teller = document.notify != nullptr ? document.notify->from.uri : std::string_view();
    const std::string_view uri = info.entity.empty() ? teller : std::string_view(info.entity);
    if (uri.empty()) {
        return no_slot;
    }
    Slot slot = find(take.copy.xid, uri);
    slot = slot == no_slot ? find(take.copy.xid, teller) : slot;
    slot = slot == no_slot ? add_conference(take, uri) : slot;
    add_name(slot, uri);
    if (!user_of(teller).empty()) {
        add_name(slot, teller);
    }
    return slot;
}

void ConferenceTable::take_document(const Take& take, ConferenceDocument document) {
    auto info = read_conference_info(document.bytes);
    const Slot slot = info ? conference_of(take, document, *info) : no_slot;
    if (slot == no_slot) {
        add_unreadable(take, info_type, document.bytes);
        return;
    }
    conferences_.touch(slot, take.now);
    Conference& conference = conferences_[slot];
    bool gap = false;
    const auto news =
        conference.order.take({dialog_of(document.notify), document.notify != nullptr ? document.notify->cseq : 0,
                               info->version, info->state, Roster::is_whole(*info), take.copy.at},
                              gap);
    if (news != DocumentOrder::News::news) {
        take.repeat();
        return;
    }
    if (gap) {
        take.out.remarks.emplace_back("a document about a conference that does not follow the one before");
    }
    document.version = std::exchange(info->version, std::nullopt);
    document.digest = digest_of(document.bytes);
    keep_document(take, conference, document, *info);
    const bool known = conference.roster.known();
    const auto changes = conference.roster.apply(*info);
    if (!known && !conference.roster.subject().empty()) {
        conference.title = conference.roster.subject();
    }
    tell_changes(take, conference, document, changes);
    if (Roster::is_whole(*info) || !conference.roster.known()) {
        conference.told->forget_expected();
    }
    if (!conference.roster.known()) {
        conference.order.forget();
    }
    measure(conference, document.bytes.size());
    keep_within(take);
}

void ConferenceTable::keep_document(const Take& take, Conference& conference, const ConferenceDocument& document,
                                    const ConferenceInfo& info) {
    const bool ended = info.state == InfoState::deleted;
    if (ended || Roster::is_whole(info)) {
        if (conference.documents.owner != 0) {
            take.out.let_go.push_back(conference.documents.owner);
        }
        conference.documents = {};
    }
    if (!ended) {
        keep(take, conference.documents, document.bytes.size());
    }
}

bool ConferenceTable::take_body(const Take& take, std::string_view content_type, std::string_view body) {
    const std::string type = read_content_type(content_type).type;
    if (!is_policy_type(type)) {
        return false;
    }
    if (type == info_type && take.copy.direction != Direction::from_target) {
        const auto info = read_conference_info(body);
        if (info && !info->entity.empty()) {
            take_document(take, {nullptr, body, {}, {}});
            return true;
        }
        return false;
    }
    const auto policy = read_policy(body, content_type);
    if (!policy || policy->conference.empty()) {
        return false;
    }
    Slot slot = find(take.copy.xid, policy->conference);
    const bool created = slot == no_slot;
    slot = created ? add_conference(take, policy->conference) : slot;
    conferences_.touch(slot, take.now);
    Conference& conference = conferences_[slot];
    const Digest before = conference.policy.run();
    tell_policy(take, conference, *policy, {nullptr, body, digest_of(body), {}}, content_type, created);
    if (conference.policy.run() != before) {
        note_policy(take, conference, body.size());
    }
    return true;
}

// ---- nicknames

void ConferenceTable::take_frame(const Take& take, const MsrpFrame& frame, const FramePlace& place) {
    const bool nickname = frame.request && frame.method == "NICKNAME" && frame.use_nickname;
    if (!nickname && legs_.size() == 0 && nicknames_.size() == 0) {
        return;
    }
    const FramePaths paths = paths_of(frame);
    Slot leg = leg_of_path(take, paths.from);
    leg = leg == no_slot ? leg_of_path(take, paths.to) : leg;
    if (leg != no_slot) {
        legs_.touch(leg, take.now);
        conferences_.touch(legs_[leg].conference, take.now);
    }
    if (nickname) {
        take_nickname(take, frame, place, paths);
    } else if (!frame.request && frame.status >= 200) {
        take_answer(take, frame, leg != no_slot);
    }
}

void ConferenceTable::take_nickname(const Take& take, const MsrpFrame& frame, const FramePlace& place,
                                    const FramePaths& paths) {
    const TableKey key = transaction_of(take, frame);
    Nickname nickname{without_escapes(*frame.use_nickname),
                      std::string(paths.from.substr(0, longest_path)),
                      std::string(paths.to.substr(0, longest_path)),
                      {}};
    if (early_answers_.find(key) != nullptr) {
        tell_nickname(take, nickname, frame.transaction, false);
    } else if (nicknames_.find(key) == nullptr) {
        if (place.beginning == 0 && place.size <= largest_kept_nickname) {
            nickname.owner = owners_.next();
            take.out.kept_parts.push_back({nickname.owner, place.first, place.size});
        }
        nicknames_.add(key, std::move(nickname), take.now);
        trim_nicknames(take);
    }
}

void ConferenceTable::forget_nickname(const TableKey& key, Made& out) {
    if (const std::uint64_t owner = nicknames_.find(key)->owner; owner != 0) {
        out.let_go.push_back(owner);
    }
    nicknames_.remove(key);
}

void ConferenceTable::trim_nicknames(const Take& take) {
    while (nicknames_.size() > most_nicknames || nicknames_.due_at(take.now, keep_nicknames) != nullptr) {
        forget_nickname(TableKey(nicknames_.oldest()->key), take.out);
    }
}

void ConferenceTable::take_answer(const Take& take, const MsrpFrame& answer, bool in_conference) {
    if (!in_conference && nicknames_.size() == 0) {
        return;
    }
    const TableKey key = transaction_of(take, answer);
    if (const Nickname* waiting = nicknames_.find(key)) {
        const Nickname nickname = *waiting;
        forget_nickname(key, take.out);
        if (answer.status < 300) {
            tell_nickname(take, nickname, answer.transaction, true);
        }
    } else if (in_conference && answer.status < 300 && early_answers_.find(key) == nullptr) {
        early_answers_.add(key, 0, take.now);
        early_answers_.trim(take.now, keep_early, most_early_answers);
    }
}

void ConferenceTable::tell_nickname(const Take& take, const Nickname& nickname, std::string_view transaction,
                                    bool by_answer) {
    Slot leg = leg_of_path(take, nickname.from_path);
    leg = leg == no_slot ? leg_of_path(take, nickname.to_path) : leg;
    Conference* conference = leg == no_slot ? nullptr : &conferences_[legs_[leg].conference];
    if (conference != nullptr && legs_[leg].member &&
        !conference->told->takes_nickname(*legs_[leg].member, nickname.name)) {
        take.repeat();
        return;
    }
    const std::string conversation =
        conference != nullptr ? conference->uri
                              : text_of(ims::conversation_of(take.copy.xid, nickname.from_path, nickname.to_path));
    constexpr auto type = model::EventType::nickname_changed;
    const Digest id =
        event_naming(take.copy, name_of(type)).add(conversation).add(transaction).add(nickname.name).finish();
    ConferenceEvent event(take, type, id, conversation,
                          conference != nullptr ? std::string_view(conference->title) : std::string_view());
    Uris who;
    if (leg != no_slot) {
        legs_[leg].participant.add_to(who);
    } else {
        for (const std::string_view matched : take.copy.matched) {
            who.add(matched);
        }
        who.add(nickname.from_path);
    }
    event.add(model::PartyRole::actor, who, nickname.name);
    if (by_answer) {
        event.got_copy();
    } else {
        event.sent_copy();
    }
    if (nickname.name.empty()) {
        event.set_status("removed");
    }
    event.finish();
}

}  // namespace lihandover::ims
