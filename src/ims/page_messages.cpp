#include "page_messages.hpp"

#include <chrono>
#include <string>
#include <utility>

#include "content.hpp"
#include "status_text.hpp"

namespace lihandover::ims {

namespace {

// A transaction is over after 32 s (RFC 3261 17.1.2.2), and a point of interception may be behind.
constexpr std::chrono::seconds keep_requests{64};
constexpr std::size_t most_requests = 65'536;
// For a request that its answer has overtaken, and for the other branches of a fork.
constexpr std::chrono::seconds hold_failures{10};
constexpr std::size_t most_failures = 8192;

TableKey key_of(const Take& take, const SipMessage& message) {
    return key_for(take, Table::page_message)
        .add(take.copy.xid)
        .add(message.call_id)
        .add(message.from_tag())
        .add(std::uint64_t{message.cseq})
        .finish();
}

Digest page_event_of(const Copy& copy, const SipMessage& message) {
    return event_naming(copy, "page-mode message")
        .add(message.call_id)
        .add(message.from_tag())
        .add(std::uint64_t{message.cseq})
        .finish();
}

std::uint64_t text_hash(const Take& take, std::string_view text) {
    return key_for(take, Table::tag).add(text).finish().first;
}

/// A body that is compressed, or the like, is an object as it is.
Content content_of(const SipMessage& request, std::size_t max_text) {
    if (request.content_encoding.empty() || request.content_encoding == "identity") {
        return read_content(request.content_type, request.content_disposition, request.body, max_text);
    }
    Content content;
    content.objects.push_back({request.content_type, file_name_of(request.content_disposition), request.body});
    return content;
}

struct Ends {
    Uris sender;
    Uris receiver;
    std::vector<CpimAddress> others;  ///< further receivers that message/cpim names
};

Ends page_ends_of(const Identities& sender, const Identities& receiver, const Content& content) {
    Ends ends;
    sender.add_to(ends.sender);
    receiver.add_to(ends.receiver);
    for (const CpimAddress& address : content.from) {
        ends.sender.add(address.uri);
    }
    if (content.to.size() == 1) {
        ends.receiver.add(content.to.front().uri);
    } else {
        ends.others = content.to;
    }
    return ends;
}

bool has(const MadeEvent& made, std::string_view uri) {
    for (const model::Identifier& identifier : made.event.identifiers) {
        if (identifier.value == uri) {
            return true;
        }
    }
    return false;
}

void add_receiver_once(MadeEvent& made, std::string_view uri, std::string_view name) {
    if (uri.empty() || has(made, uri)) {
        return;
    }
    Uris uris;
    uris.add(uri);
    add_party(made, model::PartyRole::receiver, uris, name);
}

std::string substance_of(const SipMessage& request) {
    const Digest digest = Naming("page-mode message").add(request.content_type).add(digest_of(request.body)).finish();
    return text_of(digest);
}

MadeEvent page_message_of(const Take& take, const SipMessage& request, const Digest& id, const Content& content,
                          const Ends& ends, std::string_view sender_name, std::string_view receiver_name) {
    MadeEvent made = make_event(take.origin(), model::EventType::message, id);
    add_party(made, model::PartyRole::sender, ends.sender, sender_name);
    add_party(made, model::PartyRole::receiver, ends.receiver, receiver_name);
    for (const CpimAddress& address : ends.others) {
        add_receiver_once(made, address.uri, address.name);
    }
    for (const std::string& uri : content.listed) {
        add_receiver_once(made, uri, {});
    }
    mark_targeted(made, take.copy, Way::along);
    add_content(made, content);
    if (content.subject.empty()) {
        if (const auto subject = request.header("Subject"); subject && !subject->empty()) {
            add_parameter(made, "subject", *subject);
        }
    }
    if (!request.content_encoding.empty()) {
        add_parameter(made, "content_encoding", request.content_encoding);
    }
    made.substance = substance_of(request);
    return made;
}

}  // namespace

void PageMessages::take_request(const Take& take, const SipMessage& request, ImdnIds& ids) {
    const TableKey key = key_of(take, request);
    const std::uint64_t body = text_hash(take, request.body);
    const std::uint64_t branch = text_hash(take, request.branch);
    if (Request* known = requests_.find(key)) {
        known->forked = known->forked || branch != known->branch;
        if (known->body == body) {
            take.repeat();
            return;
        }
    }
    const Content content = content_of(request, take.options.max_text);
    Request made;
    made.body = body;
    made.branch = branch;
    made.event = page_event_of(take.copy, request);
    made.sender.add_asserted(request);
    made.sender.add(Identities::Rank::header, request.from.uri);
    made.sender.set_name(request.from.display_name);
    made.receiver.add_called(request);
    made.is_message = content.is_message();
    const Ends ends = page_ends_of(made.sender, made.receiver, content);
    if (made.is_message) {
        take.add(page_message_of(take, request, made.event, content, ends, made.sender.name(), made.receiver.name()));
        ids.add(take, content.imdn_message_id, made.event);
    }
    add_notifications(take, content, {ends.sender, ends.receiver, made.sender.name(), made.receiver.name(), {}, {}},
                      ids);
    if (Failure* failure = waiting_.find(key)) {
        if (made.is_message) {
            failure->event = made.event;
            failure->sender = made.sender;
            failure->receiver = made.receiver;
            add_failure(take, failure->note.copy(), *failure);
            made.failed = failure->status;
        }
        let_go(take, key);
    }
    if (const Request* known = requests_.find(key)) {
        made.failed = known->failed;
        requests_.remove(key);  // another message with the same names: it goes out, too
    }
    requests_.add(key, std::move(made), take.now);
    requests_.trim(take.now, keep_requests, most_requests);
}

void PageMessages::take_answer(const Take& take, const SipMessage& answer) {
    if (answer.status < 200) {
        return;
    }
    const TableKey key = key_of(take, answer);
    Request* request = requests_.find(key);
    if (answer.status < 300) {
        if (request != nullptr) {
            request->answered = true;
        }
        let_go(take, key);
        return;
    }
    if (!answer.is_failure() || (request != nullptr && (request->answered || !request->is_message))) {
        return;
    }
    Failure failure;
    failure.note = CopyNote(take.copy);
    failure.status = answer.status;
    if (request == nullptr) {
        failure.event = page_event_of(take.copy, answer);
        failure.sender.add(Identities::Rank::header, answer.from.uri);
        failure.sender.set_name(answer.from.display_name);
        failure.receiver.add_asserted(answer);
        failure.receiver.add(Identities::Rank::header, answer.to.uri);
        let_wait(take, key, std::move(failure));
        return;
    }
    failure.event = request->event;
    failure.sender = request->sender;
    failure.receiver = request->receiver;
    failure.receiver.add_asserted(answer);
    const std::uint64_t branch = text_hash(take, answer.branch);
    if (request->forked && !answer.branch.empty() && branch != request->branch) {
        let_wait(take, key, std::move(failure));  // another branch may yet get through
        return;
    }
    if (request->failed == answer.status) {
        take.repeat();
        return;
    }
    request->failed = answer.status;
    add_failure(take, take.copy, failure);
    let_go(take, key);
}

void PageMessages::add_failure(const Take& take, const Copy& copy, const Failure& failure) {
    const Digest id =
        event_naming(copy, "page-mode message failed").add(failure.event).add(std::uint64_t{failure.status}).finish();
    MadeEvent made = make_event({copy, take.options.service}, model::EventType::message_failed, id);
    set_refers_to(made, failure.event);
    made.event.status = made.keep(sip_status(failure.status));
    Uris sender;
    Uris receiver;
    failure.sender.add_to(sender);
    failure.receiver.add_to(receiver);
    add_party(made, model::PartyRole::sender, sender, failure.sender.name());
    add_party(made, model::PartyRole::receiver, receiver, failure.receiver.name());
    mark_targeted(made, copy, Way::against);
    made.substance = text_of(id);
    take.add(std::move(made));
}

void PageMessages::let_wait(const Take& take, const TableKey& key, Failure failure) {
    if (waiting_.find(key) != nullptr) {
        take.repeat();
        return;
    }
    while (waiting_.size() >= most_failures) {
        give_up_waiting(take, TableKey(waiting_.oldest()->key));
    }
    failure.owner = owners_.next();
    take.out.kept_by = failure.owner;
    waiting_.add(key, std::move(failure), take.now);
}

void PageMessages::let_go(const Take& take, const TableKey& key) {
    if (const Failure* failure = waiting_.find(key)) {
        take.out.let_go.push_back(failure->owner);
        waiting_.remove(key);
    }
}

void PageMessages::give_up_waiting(const Take& take, const TableKey& key) {
    const Failure& failure = *waiting_.find(key);
    add_failure(take, failure.note.copy(), failure);
    if (Request* request = requests_.find(key)) {
        request->failed = failure.status;
    } else {
        Request unseen;
        unseen.event = failure.event;
        unseen.failed = failure.status;
        unseen.is_message = true;
        requests_.add(key, std::move(unseen), take.now);
    }
    let_go(take, key);
}

void PageMessages::expire(const Take& take) {
    while (const auto* due = waiting_.due_at(take.now, hold_failures)) {
        give_up_waiting(take, TableKey(due->key));
    }
    requests_.trim(take.now, keep_requests, most_requests);
}

std::optional<SteadyTime> PageMessages::due() const {
    return waiting_.due(hold_failures);
}

}  // namespace lihandover::ims
