#include "dialogs.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "conference_events.hpp"
#include "content.hpp"
#include "lihandover/ims/msrp.hpp"
#include "status_text.hpp"

namespace lihandover::ims {

namespace {

// An ended session is still known for its last frames, and for copies of other hops.
constexpr std::chrono::minutes know_ended_session{5};
// As long as it may ring (RFC 3261 16.6, timer C), and as an INVITE may go unanswered after its CANCEL (9.1).
constexpr std::chrono::seconds hold_failure{180};
constexpr std::chrono::seconds hold_cancelled{32};
constexpr std::chrono::seconds hold_early{10};
constexpr std::size_t most_early_frames = 8192;
constexpr std::size_t most_calls = 32;
constexpr std::size_t most_session_paths = 32;
// Of the sessions with one correlation, so many are looked through for one that a call belongs to.
constexpr int most_correlated = 64;

constexpr std::size_t at(End end) {
    return static_cast<std::size_t>(end);
}

std::uint64_t path_digest(std::string_view uri) {
    std::string key;
    append_msrp_uri_key(uri, key);
    const Digest digest = digest_of(key);
    std::uint64_t half = 0;
    for (std::size_t i = 0; i < sizeof half; ++i) {
        half |= std::uint64_t{digest[i]} << (8 * i);
    }
    return half;
}

Digest conversation_between(const model::Uuid& xid, std::uint64_t one, std::uint64_t another) {
    return Naming("conversation").add(xid).add(std::min(one, another)).add(std::max(one, another)).finish();
}

bool is_success(const SipMessage& message) {
    return message.is_answer() && message.status >= 200 && message.status < 300;
}

/// Of what makes events, when it comes for the first time.
bool says_anything(const SipMessage& message) {
    return message.request ? message.method == "INVITE" || message.method == "BYE"
                           : message.method == "INVITE" && message.status >= 200;
}

bool is_initial(const SipMessage& message) {
    return message.to_tag().empty();
}

}  // namespace

Digest conversation_of(const model::Uuid& xid, std::string_view one_path, std::string_view other_path) {
    return conversation_between(xid, path_digest(one_path), path_digest(other_path));
}

struct Dialogs::Heard {
    const SipMessage& message;
    const SessionDescription* description;
    Described said;  ///< what the description says of MSRP
    Slot slot;
    Session& session;
    Call& call;
    End sender;
    bool changed = false;  ///< something was learned, which is to be kept
};

// ---- which call, and which session

TableKey Dialogs::key(Table table, const model::Uuid& xid, std::string_view text) const {
    return KeyMaker(secret_, static_cast<std::uint64_t>(table)).add(xid).add(text).finish();
}

TableKey Dialogs::path_key(const model::Uuid& xid, std::string_view uri) const {
    std::string text;
    append_msrp_uri_key(uri, text);
    return key(Table::path, xid, text);
}

/// An answer, and the ACK to it, have the From tag and the number of their INVITE, and so are found even where a node
/// on the way has another Call-ID for it.
TableKey Dialogs::tag_key(const model::Uuid& xid, const SipMessage& message) const {
    return KeyMaker(secret_, static_cast<std::uint64_t>(Table::call_by_tag))
        .add(xid)
        .add(message.from_tag())
        .add(message.from.uri)
        .add(std::uint64_t{message.cseq})
        .finish();
}

TableKey Dialogs::correlation_key(const model::Uuid& xid, std::uint64_t correlation) const {
    return KeyMaker(secret_, static_cast<std::uint64_t>(Table::correlation)).add(xid).add(correlation).finish();
}

std::uint32_t Dialogs::short_hash(std::string_view text) const {
    return static_cast<std::uint32_t>(
               KeyMaker(secret_, static_cast<std::uint64_t>(Table::tag)).add(text).finish().first) |
           1U;
}

std::optional<Dialogs::CallPlace> Dialogs::find_call(const Take& take, const SipMessage& message) const {
    auto found = calls_.find(key(Table::call, take.copy.xid, message.call_id));
    const bool of_invite = (message.is_answer() && message.method == "INVITE") || message.method == "ACK";
    if (found == calls_.end() && of_invite && !message.from_tag().empty()) {
        found = calls_.find(tag_key(take.copy.xid, message));
    }
    return found == calls_.end() ? std::nullopt : std::optional(found->second);
}

/// A call begins with what may lead to MSRP: an offer of it, an INVITE that leaves the offer to its answer, or an
/// answer that has overtaken its INVITE.
std::optional<Dialogs::CallPlace> Dialogs::begin(const Take& take, const SipMessage& message, Described said) {
    const bool invite = message.method == "INVITE";
    const bool late_offer = message.request && invite && is_initial(message) && said == Described::no;
    const bool offer =
        said == Described::yes && (invite || message.method == "UPDATE") && (message.request || message.status < 300);
    if (!late_offer && !offer) {
        return std::nullopt;
    }
    const std::uint64_t addressed = KeyMaker(secret_, static_cast<std::uint64_t>(Table::tag))
                                        .add(message.from.uri)
                                        .add(message.to.uri)
                                        .finish()
                                        .first;
    Slot slot = session_to_join(take, addressed);
    if (slot == no_slot) {
        slot = new_session(take, message, addressed);
    }
    Session& session = sessions_[slot];
    const CallPlace place{slot, static_cast<std::uint32_t>(session.calls.size())};
    Call call;
    call.key = key(Table::call, take.copy.xid, message.call_id);
    call.caller_tag = short_hash(message.from_tag());
    call.cseq = message.cseq;
    call.by_update = message.request && !is_initial(message);
    if (invite) {
        call.tag_key = tag_key(take.copy.xid, message);
        calls_.insert_or_assign(call.tag_key, place);
    }
    calls_.insert_or_assign(call.key, place);
    session.calls.push_back(call);
    return place;
}

Slot Dialogs::session_to_join(const Take& take, std::uint64_t addressed) const {
    const auto newest = correlated_.find(correlation_key(take.copy.xid, take.copy.correlation));
    if (take.copy.correlation == 0 || newest == correlated_.end()) {
        return no_slot;
    }
    int looked_at = 0;
    for (Slot slot = newest->second; slot != no_slot && looked_at < most_correlated; ++looked_at) {
        const Session& session = sessions_[slot];
        const auto before = [&take](const model::MaybeInstant& then) {
            return take.copy.at && then && *take.copy.at < *then;
        };
        const bool trying = !session.over && !session.answered_at && !session.started;
        if (session.addressed == addressed && session.calls.size() < most_calls &&
            (trying || before(session.answered_at) || (!session.answered_at && before(session.ended_at)))) {
            return slot;
        }
        slot = session.correlated_before;
    }
    return no_slot;
}

Slot Dialogs::new_session(const Take& take, const SipMessage& message, std::uint64_t addressed) {
    while (sessions_.size() > 0 && sessions_.size() >= take.options.max_sessions) {
        remove(ended_.oldest() != no_slot ? ended_[ended_.oldest()] : sessions_.oldest(), take.out);
    }
    Session session;
    session.xid = take.copy.xid;
    session.correlation = take.copy.correlation;
    session.identity = event_naming(take.copy, "session").add(message.call_id).finish();
    session.addressed = addressed;
    session.owner = owners_.next();
    const Slot slot = sessions_.add(std::move(session), take.now);
    sessions_[slot].begun = begun_.add(slot, take.now);
    chain(take, slot);
    return slot;
}

void Dialogs::chain(const Take& take, Slot slot) {
    if (take.copy.correlation == 0) {
        return;
    }
    const auto [place, fresh] = correlated_.emplace(correlation_key(take.copy.xid, take.copy.correlation), slot);
    if (!fresh) {
        sessions_[slot].correlated_before = place->second;
        sessions_[place->second].correlated_after = slot;
        place->second = slot;
    }
}

void Dialogs::unchain(Slot slot) {
    const Session& session = sessions_[slot];
    if (session.correlation == 0) {
        return;
    }
    if (session.correlated_before != no_slot) {
        sessions_[session.correlated_before].correlated_after = session.correlated_after;
    }
    if (session.correlated_after != no_slot) {
        sessions_[session.correlated_after].correlated_before = session.correlated_before;
        return;
    }
    const TableKey key = correlation_key(session.xid, session.correlation);
    if (session.correlated_before == no_slot) {
        correlated_.erase(key);
    } else {
        correlated_[key] = session.correlated_before;
    }
}

void Dialogs::remove(Slot slot, Made& out) {
    Session& session = sessions_[slot];
    out.let_go.push_back(session.owner);
    const auto erase = [slot](auto& index, const TableKey& key) {
        if (const auto found = index.find(key); found != index.end() && found->second.session == slot) {
            index.erase(found);
        }
    };
    for (const Call& call : session.calls) {
        erase(calls_, call.key);
        erase(calls_, call.tag_key);
    }
    for (const TableKey& path : session.paths) {
        erase(paths_, path);
    }
    unchain(slot);
    stop_waiting(session);
    begun_.remove(session.begun);
    if (session.ended != no_slot) {
        ended_.remove(session.ended);
    }
    sessions_.remove(slot);
}

// ---- messages

void Dialogs::take(const Take& take, const SipMessage& message) {
    Content storage;
    std::string_view sdp = description_in(message.content_type, message.body, storage);
    sdp = sdp.empty() ? take.copy.sdp : sdp;
    const auto description = sdp.empty() ? std::nullopt : read_sdp(sdp);
    Described said = Described::no;
    if (description) {
        const auto offers = [](const SdpMsrp& medium) { return !medium.refused(); };
        said = std::ranges::any_of(description->msrp, offers) ? Described::yes : Described::refused;
    }
    auto place = find_call(take, message);
    if (place) {
        const Session& session = sessions_[place->session];
        const bool again = message.request && message.method == "INVITE" && is_initial(message) &&
                           message.cseq > session.calls[place->call].cseq;
        if (session.over && again) {
            remove(place->session, take.out);
            place.reset();
        }
    }
    const bool fresh = !place;
    if (fresh) {
        place = begin(take, message, said);
    }
    if (!place) {
        remember_early(take, message);
        return;
    }
    Session& session = sessions_[place->session];
    Call& call = session.calls[place->call];
    const bool from_caller = (message.request && message.method == "INVITE" && is_initial(message)) ||
                             short_hash(message.from_tag()) == call.caller_tag;
    const End asker = from_caller ? End::caller : End::called;
    Heard heard{message, description ? &*description : nullptr,  said, place->session, session,
                call,    message.request ? asker : other(asker), fresh};
    sessions_.touch(place->session, take.now);
    take_known(take, heard);
    if (fresh && message.request) {
        take_up_early(take, heard);
    }
    if (call.confirmed && said == Described::refused && !session.started && session.calls.size() == 1) {
        remove(place->session, take.out);  // a call without MSRP
        return;
    }
    if (heard.changed) {
        take.out.kept_by = session.owner;
    } else if (says_anything(message)) {
        take.repeat();
    }
}

void Dialogs::take_known(const Take& take, Heard& heard) {
    if (!heard.session.target &&
        (take.copy.direction == Direction::from_target || take.copy.direction == Direction::to_target)) {
        heard.session.target = take.copy.direction == Direction::from_target ? heard.sender : other(heard.sender);
    }
    note_focus(heard);
    add_identities(heard);
    describe(take, heard);
    if (heard.message.request) {
        take_request(take, heard);
    } else {
        take_answer(take, heard);
    }
    start_or_end(take, heard);
}

void Dialogs::take_request(const Take& take, Heard& heard) {
    const std::string_view method = heard.message.method;
    if (method == "INVITE") {
        take_invite(heard);
    } else if (method == "BYE") {
        take_bye(take, heard);
    } else if (method == "CANCEL") {
        take_cancel(take, heard);
    }
}

void Dialogs::take_invite(Heard& heard) {
    Call& call = heard.call;
    if (!is_initial(heard.message)) {
        return;
    }
    const std::uint32_t branch = short_hash(heard.message.branch);
    if (!call.invited) {
        call.invited = true;
        call.branch = branch;
        call.cseq = heard.message.cseq;
        heard.changed = true;
    } else if (heard.message.cseq > call.cseq && !call.confirmed) {
        // Sent again with what the first one lacked (401, 407 and the like).
        call.cseq = heard.message.cseq;
        call.branch = branch;
        call.forked = false;
        call.cancelled = false;
        if (const auto before = calls_.find(call.tag_key);
            before != calls_.end() && before->second.session == heard.slot) {
            calls_.erase(before);
        }
        call.tag_key = tag_key(heard.session.xid, heard.message);
        calls_.insert_or_assign(call.tag_key,
                                CallPlace{heard.slot, static_cast<std::uint32_t>(&call - heard.session.calls.data())});
        stop_waiting(heard.session);
        heard.changed = true;
    } else if (branch != call.branch && !call.forked) {
        call.forked = true;
        heard.changed = true;
    }
}

void Dialogs::take_bye(const Take& take, Heard& heard) {
    Session& session = heard.session;
    if (session.over) {
        return;
    }
    auto& tags = heard.call.called_tags;
    const std::string_view text = heard.sender == End::caller ? heard.message.to_tag() : heard.message.from_tag();
    const auto found = std::ranges::find(tags, short_hash(text));
    const auto answered = std::ranges::count_if(tags, [](std::uint32_t tag) { return tag != 0; });
    heard.changed = true;
    if (answered > 1) {
        // One of several that answered leaves: the session goes on with the others.
        if (found != tags.end()) {
            *found = 0;
        }
        return;
    }
    const auto& described = heard.call.described;
    const bool refused = std::ranges::find(described, Described::refused) != described.end();
    const bool offered = std::ranges::find(described, Described::yes) != described.end();
    if (!session.started && (refused || !offered)) {
        end_silently(take, heard.slot);
        return;
    }
    end(take, take.copy, heard.slot, "ended", 0, heard.sender == End::caller ? Way::along : Way::against);
}

void Dialogs::take_cancel(const Take& take, Heard& heard) {
    const std::uint32_t branch = short_hash(heard.message.branch);
    const bool of_another_branch = heard.call.forked && !heard.message.branch.empty() && branch != heard.call.branch;
    if (heard.session.over || heard.call.confirmed || heard.call.cancelled || of_another_branch) {
        return;
    }
    heard.call.cancelled = true;
    heard.changed = true;
    wait(take, heard.slot, 0, true);
}

void Dialogs::take_answer(const Take& take, Heard& heard) {
    if (is_success(heard.message)) {
        take_success(take, heard);
    } else if (heard.message.is_failure() && heard.message.method == "INVITE") {
        take_failure(take, heard);
    }
}

void Dialogs::take_success(const Take& take, Heard& heard) {
    Call& call = heard.call;
    const bool invite = heard.message.method == "INVITE";
    if (invite && heard.sender == End::called) {
        const std::uint32_t tag = short_hash(heard.message.to_tag());
        auto& tags = call.called_tags;
        if (std::ranges::find(tags, tag) == tags.end() && !heard.session.over) {
            if (const auto place = std::ranges::find(tags, 0U); place != tags.end()) {
                *place = tag;
                heard.changed = true;
            }
        }
    }
    if (!invite && !(call.by_update && heard.message.method == "UPDATE")) {
        return;
    }
    if (!call.confirmed) {
        call.confirmed = true;
        heard.changed = true;
        stop_waiting(heard.session);
        if (!heard.session.started) {
            heard.session.cseq = heard.message.cseq;
        }
        const auto& at = take.copy.at;
        if (at && (!heard.session.answered_at || *heard.session.answered_at < *at)) {
            heard.session.answered_at = *at;
        }
    }
}

void Dialogs::take_failure(const Take& take, Heard& heard) {
    Call& call = heard.call;
    Session& session = heard.session;
    if (session.over || session.started || call.confirmed || heard.message.cseq < call.cseq) {
        return;
    }
    const unsigned status = heard.message.status;
    const bool of_another_branch =
        call.forked && !heard.message.branch.empty() && short_hash(heard.message.branch) != call.branch;
    if (!call.invited || of_another_branch || &call != &session.calls.front()) {
        if (session.waiting == no_slot) {
            wait(take, heard.slot, status, false);
            heard.changed = true;
        }
        return;
    }
    heard.changed = true;
    end(take, take.copy, heard.slot, status == 487 ? "cancelled" : "refused", status,
        heard.sender == End::caller ? Way::along : Way::against);
}

// ---- what they say

void Dialogs::describe(const Take& take, Heard& heard) {
    if (heard.said == Described::no) {
        return;
    }
    for (const SdpMsrp& medium : heard.description->msrp) {
        if (!medium.refused()) {
            add_path(take, heard, medium);
        }
    }
    Described& described = heard.call.described[at(heard.sender)];
    // An offer that changes a session counts once it is answered.
    const bool only_offered = heard.message.request && heard.message.method != "ACK" && heard.call.confirmed;
    if (described != heard.said && (!only_offered || heard.said == Described::yes)) {
        described = heard.said;
        heard.changed = true;
    }
}

/// Copies of one request at several hops, and of its answer, have one number.
std::uint16_t Dialogs::number_of_description(Heard& heard) {
    Call& call = heard.call;
    const SipMessage& message = heard.message;
    const End asker = message.request ? heard.sender : other(heard.sender);
    const bool of_beginning = message.request ? is_initial(message) : message.cseq == call.cseq && asker == End::caller;
    if (of_beginning || !call.confirmed) {
        return 0;
    }
    if (call.changed_by != message.cseq || call.changed_from != asker) {
        call.changed_by = message.cseq;
        call.changed_from = asker;
        ++call.changes;
    }
    return call.changes;
}

void Dialogs::add_path(const Take& take, Heard& heard, const SdpMsrp& medium) {
    if (medium.path.empty()) {
        return;
    }
    Session& session = heard.session;
    const std::string_view uri = medium.path.back();
    std::uint64_t& digest = session.path_digests[at(heard.sender)];
    if (digest == 0) {
        digest = path_digest(uri);
    }
    const bool file = medium.file.has_value();
    if (file && !session.file && !medium.file->name.empty()) {
        session.file = std::make_unique<std::string>(medium.file->name.substr(0, 1024));
    }
    const TableKey key = path_key(take.copy.xid, uri);
    const PathPlace path{heard.slot, heard.sender, file, number_of_description(heard),
                         static_cast<std::uint32_t>(&heard.call - session.calls.data())};
    const auto [place, fresh] = paths_.try_emplace(key, path);
    if (!fresh && place->second.session == heard.slot) {
        return;
    }
    if (session.paths.size() >= most_session_paths) {
        if (fresh) {
            paths_.erase(place);
        }
        return;
    }
    place->second = path;
    session.paths.push_back(key);
    heard.changed = true;
}

void Dialogs::add_identities(Heard& heard) {
    const SipMessage& message = heard.message;
    Identities& caller = heard.session.ends[at(End::caller)];
    Identities& called = heard.session.ends[at(End::called)];
    const auto before = caller.bytes() + called.bytes();
    Identities& sender = heard.sender == End::caller ? caller : called;
    sender.add_asserted(message);
    const bool asked_by_caller = (heard.sender == End::caller) == message.request;
    if (asked_by_caller) {
        caller.add(Identities::Rank::header, message.from.uri);
        caller.set_name(message.from.display_name);
        if (message.request && message.method == "INVITE" && is_initial(message)) {
            called.add_called(message);
        } else {
            called.add(Identities::Rank::header, message.to.uri);
            called.set_name(message.to.display_name);
        }
    }
    heard.changed = heard.changed || caller.bytes() + called.bytes() != before;
}

void Dialogs::note_focus(Heard& heard) {
    if (heard.session.focus) {
        return;
    }
    const bool says = std::ranges::any_of(heard.message.contact,
                                          [](const SipAddress& address) { return address.has_parameter("isfocus"); });
    const bool rooms =
        heard.message.is_answer() && heard.description != nullptr &&
        std::ranges::any_of(heard.description->msrp, [](const SdpMsrp& medium) { return medium.chatroom; });
    if (says || rooms) {
        heard.session.focus = heard.sender;
        heard.changed = true;
    }
}

void Dialogs::start_or_end(const Take& take, Heard& heard) {
    Session& session = heard.session;
    const Call& call = heard.call;
    const Way way = heard.sender == End::caller ? Way::along : Way::against;
    const bool agreed = call.confirmed && call.described[0] == Described::yes && call.described[1] == Described::yes;
    if (agreed && !session.started) {
        session.started = true;
        if (!session.has_conversation && session.path_digests[0] != 0 && session.path_digests[1] != 0) {
            session.conversation = conversation_between(session.xid, session.path_digests[0], session.path_digests[1]);
            session.has_conversation = true;
        }
        if (const auto conference = conferences_.conversation_of(take, heard.message.call_id); !conference.empty()) {
            session.conference = std::make_unique<std::string>(conference);
        }
        add_event(take, take.copy, session, model::EventType::conversation_started, {}, 0, way);
        heard.changed = true;
    }
    const bool answers = is_success(heard.message) || (heard.message.request && heard.message.method == "ACK");
    if (session.started && !session.over && answers && heard.said == Described::refused) {
        end(take, take.copy, heard.slot, "ended", 0, way);
        heard.changed = true;
    }
}

// ---- what was heard before the INVITE

void Dialogs::remember_early(const Take& take, const SipMessage& message) {
    const bool invite_answered = message.method == "INVITE" && message.is_answer();
    const bool confirms = invite_answered && is_success(message) && message.body.empty() && take.copy.sdp.empty();
    const bool refuses = invite_answered && message.is_failure();
    const bool ends = message.request && message.method == "BYE";
    if (!confirms && !refuses && !ends) {
        return;
    }
    const TableKey key = this->key(Table::early_answer, take.copy.xid, message.call_id);
    Early* early = early_.find(key);
    if (early == nullptr) {
        early = &early_.add(key, Early{CopyNote(take.copy), 0, 0, false, false}, take.now);
    }
    if (confirms) {
        early->confirmed = true;
        early->called_tag = short_hash(message.to_tag());
    } else if (refuses && early->status == 0) {
        early->status = message.status;
    } else if (ends) {
        early->ended = true;
    }
    early_.trim(take.now, hold_early, most_early_frames);
}

void Dialogs::take_up_early(const Take& take, Heard& heard) {
    const TableKey key = this->key(Table::early_answer, take.copy.xid, heard.message.call_id);
    const Early* early = early_.find(key);
    if (early == nullptr) {
        return;
    }
    const Early found = *early;
    early_.remove(key);
    const CopyNote& note = found.note;
    if (found.confirmed) {
        heard.call.confirmed = true;
        heard.call.called_tags[0] = found.called_tag;
        heard.session.cseq = heard.message.cseq;
    }
    if (heard.session.over) {
        return;
    }
    if (found.status != 0) {
        end(take, note.copy(), heard.slot, found.status == 487 ? "cancelled" : "refused", found.status, Way::against);
    } else if (found.ended && heard.said == Described::yes) {
        end(take, note.copy(), heard.slot, "ended", 0, Way::unknown);
    }
}

// ---- how they end

void Dialogs::wait(const Take& take, Slot slot, unsigned status, bool cancelled) {
    Session& session = sessions_[slot];
    stop_waiting(session);
    Waiting waiting{slot, CopyNote(take.copy), status};
    session.waits_cancelled = cancelled;
    session.waiting = (cancelled ? cancelled_ : waiting_).add(std::move(waiting), take.now);
}

void Dialogs::stop_waiting(Session& session) {
    if (session.waiting != no_slot) {
        (session.waits_cancelled ? cancelled_ : waiting_).remove(session.waiting);
        session.waiting = no_slot;
    }
}

void Dialogs::end(const Take& take, const Copy& copy, Slot slot, std::string_view status, unsigned code, Way way) {
    add_event(take, copy, sessions_[slot], model::EventType::conversation_ended, status, code, way);
    if (copy.at) {
        sessions_[slot].ended_at = *copy.at;
    }
    end_silently(take, slot);
}

void Dialogs::end_silently(const Take& take, Slot slot) {
    Session& session = sessions_[slot];
    stop_waiting(session);
    session.over = true;
    session.ended = ended_.add(slot, take.now);
}

void Dialogs::add_event(const Take& take, const Copy& copy, const Session& session, model::EventType type,
                        std::string_view status, unsigned code, Way way) {
    if (session.conference) {
        return;
    }
    const std::uint32_t cseq = session.cseq != 0 ? session.cseq : session.calls.front().cseq;
    const Digest id = Naming(name_of(type)).add(session.identity).add(std::uint64_t{cseq}).finish();
    MadeEvent made = make_event({copy, take.options.service}, type, id);
    made.event.status = status;
    ims::set_conversation(made, text_of(session.has_conversation ? session.conversation : session.identity), "direct");
    for (const End end : {End::caller, End::called}) {
        Uris uris;
        session.ends[at(end)].add_to(uris);
        add_party(made, end == End::caller ? model::PartyRole::sender : model::PartyRole::receiver, uris,
                  session.ends[at(end)].name());
    }
    if (code != 0) {
        add_parameter(made, "answer", sip_status(code));
    }
    mark_targeted(made, copy, way);
    made.substance = text_of(id);
    take.add(std::move(made));
}

void Dialogs::forget(const Tasks& tasks, Made& out) {
    for (Slot slot = sessions_.oldest(); slot != no_slot;) {
        const Slot next = sessions_.after(slot);
        if (tasks.contains(sessions_[slot].xid)) {
            remove(slot, out);
        }
        slot = next;
    }
}

void Dialogs::expire(const Take& take) {
    const auto end_waiting = [this, &take](AgedList<Waiting>& list, Slot at) {
        const Waiting waiting = std::move(list[at]);
        const bool cancelled = waiting.status == 0 || waiting.status == 487;
        end(take, waiting.note.copy(), waiting.session, cancelled ? "cancelled" : "refused", waiting.status,
            waiting.status == 0 ? Way::along : Way::against);
    };
    for (Slot at = waiting_.due_at(take.now, hold_failure); at != no_slot;
         at = waiting_.due_at(take.now, hold_failure)) {
        end_waiting(waiting_, at);
    }
    for (Slot at = cancelled_.due_at(take.now, hold_cancelled); at != no_slot;
         at = cancelled_.due_at(take.now, hold_cancelled)) {
        end_waiting(cancelled_, at);
    }
    for (Slot at = ended_.due_at(take.now, know_ended_session); at != no_slot;
         at = ended_.due_at(take.now, know_ended_session)) {
        remove(ended_[at], take.out);
    }
    for (Slot at = sessions_.due_at(take.now, take.options.session_idle); at != no_slot;
         at = sessions_.due_at(take.now, take.options.session_idle)) {
        remove(at, take.out);
    }
    for (Slot at = begun_.due_at(take.now, take.options.session_limit); at != no_slot;
         at = begun_.due_at(take.now, take.options.session_limit)) {
        remove(begun_[at], take.out);
    }
    early_.trim(take.now, hold_early, most_early_frames);
}

std::optional<SteadyTime> Dialogs::due(const TrackerOptions& options) const {
    std::optional<SteadyTime> first;
    for (const auto& at : {waiting_.due(hold_failure), cancelled_.due(hold_cancelled), ended_.due(know_ended_session),
                           sessions_.due(options.session_idle), begun_.due(options.session_limit)}) {
        if (at && (!first || *at < *first)) {
            first = at;
        }
    }
    return first;
}

// ---- for the frames of their sessions

std::optional<Dialogs::Found> Dialogs::find(const Take& take, std::string_view from_path, std::string_view to_path) {
    const auto from = paths_.find(path_key(take.copy.xid, from_path));
    if (from != paths_.end()) {
        sessions_.touch(from->second.session, take.now);
        return Found{from->second.session, from->second.end};
    }
    const auto to = paths_.find(path_key(take.copy.xid, to_path));
    if (to != paths_.end()) {
        sessions_.touch(to->second.session, take.now);
        return Found{to->second.session, other(to->second.end)};
    }
    if (take.copy.correlation == 0) {
        return std::nullopt;
    }
    // Paths of a hop whose signalling was not seen: the only session of the correlation it is.
    const auto correlated = correlated_.find(correlation_key(take.copy.xid, take.copy.correlation));
    if (correlated == correlated_.end() || sessions_[correlated->second].correlated_before != no_slot) {
        return std::nullopt;
    }
    const Session& session = sessions_[correlated->second];
    Found found{correlated->second, std::nullopt};
    if (session.target &&
        (take.copy.direction == Direction::from_target || take.copy.direction == Direction::to_target)) {
        found.sender = take.copy.direction == Direction::from_target ? *session.target : other(*session.target);
    }
    sessions_.touch(found.slot, take.now);
    return found;
}

Dialogs::PathOrigin Dialogs::origin(const Take& take, std::string_view from_path, std::string_view to_path) const {
    PathOrigin origin;
    const std::array paths{path_key(take.copy.xid, from_path), path_key(take.copy.xid, to_path)};
    origin.ends = {paths[0].first, paths[1].first};
    for (const TableKey& path : paths) {
        const auto found = paths_.find(path);
        if (found == paths_.end()) {
            continue;
        }
        const PathPlace& place = found->second;
        const std::uint64_t session = sessions_[place.session].owner;
        if (origin.session == 0) {
            origin.session = session;
            origin.call = place.call;
        }
        if (origin.session == session) {
            origin.description = std::max<std::uint32_t>(origin.description, place.description);
        }
    }
    return origin;
}

const Identities& Dialogs::identities(Slot slot, End end) const {
    return sessions_[slot].ends[at(end)];
}

Digest Dialogs::conversation(Slot slot, const model::Uuid& xid, std::string_view from_path, std::string_view to_path) {
    Session& session = sessions_[slot];
    if (!session.has_conversation) {
        session.conversation = conversation_of(xid, from_path, to_path);
        session.has_conversation = true;
    }
    return session.conversation;
}

std::string_view Dialogs::conference(Slot slot) const {
    const Session& session = sessions_[slot];
    return session.conference ? std::string_view(*session.conference) : std::string_view();
}

std::string_view Dialogs::file_name(const Take& take, Slot slot, std::string_view from_path,
                                    std::string_view to_path) const {
    const Session& session = sessions_[slot];
    if (!session.file) {
        return {};
    }
    for (const std::string_view path : {from_path, to_path}) {
        const auto found = paths_.find(path_key(take.copy.xid, path));
        if (found != paths_.end() && found->second.session == slot && found->second.file) {
            return *session.file;
        }
    }
    return {};
}

}  // namespace lihandover::ims
