#include "msrp_messages.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "content.hpp"
#include "spooled_content.hpp"

namespace lihandover::ims {

namespace {

// A frame that comes again within this time is the same one.
constexpr std::chrono::minutes keep_frames{10};
// Points of interception on the way of one message are not so far behind each other.
constexpr std::chrono::seconds keep_for_hops{60};
constexpr std::size_t most_kept_on = 4096;
constexpr std::size_t most_repeats = 64;  // of one event, that are kept
// Reports may come long after their message.
constexpr std::chrono::hours keep_sent{24};

TableKey unfinished_key(const Take& take, const TableKey& hop, const MsrpFrame& frame) {
    const std::string_view id = frame.message_id.empty() ? frame.transaction : frame.message_id;
    return key_for(take, Table::content).add(hop).add(id).finish();
}

TableKey key_of(const Digest& event) {
    TableKey key;
    std::memcpy(&key.first, event.data(), sizeof key.first);
    std::memcpy(&key.second, event.data() + sizeof key.first, sizeof key.second);
    return key;
}

TableKey frame_key(const Take& take, const TableKey& hop, const MsrpFrame& frame) {
    return key_for(take, Table::frame)
        .add(hop)
        .add(frame.transaction)
        .add(frame.message_id)
        .add(frame.range ? frame.range->start : 1)
        .add(static_cast<std::uint64_t>(frame.flag))
        .add(frame.body)
        .finish();
}

/// Whether a chunk without octets says where a message ends of which nothing has come yet: chunks may be out of order.
bool ends_what_is_to_come(const MsrpFrame& frame) {
    return frame.flag == ChunkFlag::last && frame.range && frame.range->start > 1;
}

/// Whether a chunk is of another message with the same Message-ID: it begins again what was there up to its last chunk.
bool begins_another(const Assembly& assembly, const MsrpFrame& frame) {
    if (!assembly.ended() || (frame.range && frame.range->start > 1)) {
        return false;
    }
    const std::vector<Range> ranges = assembly.ranges();
    return !ranges.empty() && ranges.front().first <= 1;
}

std::string ranges_text(const std::vector<Range>& ranges) {
    // As long as a parameter may reasonably be; a message in more pieces than that says so.
    constexpr std::size_t most = 256;
    std::string text;
    for (std::size_t i = 0; i < ranges.size() && i < most; ++i) {
        text.append(i == 0 ? "" : ",");
        text.append(std::to_string(ranges[i].first)).append("-").append(std::to_string(ranges[i].last));
    }
    return ranges.size() > most ? text + ",..." : text;
}

}  // namespace

void SentMessages::add(const TableKey& message, const Sent& sent, SteadyTime now) {
    if (Sent* known = table_.find(message)) {
        *known = sent;
        table_.touch(message, now);
        return;
    }
    table_.add(message, sent, now);
    table_.trim(now, keep_sent, most);
}

MsrpMessages::Head MsrpMessages::head_of(const Take& take, const MsrpFrame& frame) {
    const FramePaths paths = paths_of(frame);
    const std::string_view id = frame.message_id.empty() ? frame.transaction : frame.message_id;
    Head head;
    head.note = CopyNote(take.copy);
    head.message = message_of(take, paths, id);
    head.hop = hop_of(take, frame);
    head.from = paths.from;
    head.to = paths.to;
    head.message_id = id;
    head.content_type = frame.content_type;
    head.disposition = frame.content_disposition;
    head.transaction = frame.transaction;
    head.first = frame.range ? frame.range->start : 1;
    head.back = hop_back_of(take, frame).first;
    head.until = take.copy.at.value_or(take.copy.received_at);
    head.received_until = take.copy.received_at;
    return head;
}

model::Status MsrpMessages::take_send(const Take& take, const MsrpFrame& frame, const FramePlace& place) {
    const auto let_go_beginning = [&take, &place] {
        if (place.beginning != 0) {
            take.out.let_go.push_back(place.beginning);
        }
    };
    const TableKey hop = hop_of(take, frame);
    const TableKey key = unfinished_key(take, hop, frame);
    Unfinished* message = unfinished_.find(key);
    if (message == nullptr && frame.body.empty() && !ends_what_is_to_come(frame)) {
        let_go_beginning();
        return {};
    }
    const TableKey as_frame = frame_key(take, hop, frame);
    frames_.trim(take.now, keep_frames, most_frames);
    if (frames_.find(as_frame) != nullptr) {
        take.repeat();
        let_go_beginning();
        return {};
    }
    if (message != nullptr && begins_another(*message->assembly, frame)) {
        if (auto finished = finish(take, key); !finished) {
            return finished;
        }
        message = nullptr;
    }
    if (message == nullptr && is_whole(frame)) {
        const Head head = head_of(take, frame);
        Outgoing outgoing{head, frame.body, {}, digest_of(frame.body), {}};
        const Gone gone = go_out(take, outgoing);
        frames_.add(as_frame, 0, take.now);
        if (place.size > take.options.in_memory || !of_several_hops(take, head)) {
            let_go_beginning();
            return {};
        }
        std::vector<std::uint64_t> owners{owners_.next()};
        take.out.kept_parts.push_back({owners.front(), place.first, place.size, true});
        if (place.beginning != 0) {
            owners.push_back(place.beginning);
        }
        keep_on(take, gone.event, std::move(owners), gone.repeat);
        return {};
    }
    if (auto added = add_chunk(take, key, frame); !added) {
        return added;
    }
    frames_.add(as_frame, 0, take.now);
    message = unfinished_.find(key);
    take.out.kept_parts.push_back({message->owners.front(), place.first, place.size, true});
    if (place.beginning != 0) {
        message->owners.push_back(place.beginning);
    }
    return message->assembly->complete() || message->assembly->abandoned() ? finish(take, key) : model::Status();
}

model::Status MsrpMessages::take_torn(const Take& take, const MsrpFrame& frame, std::uint64_t beginning) {
    const TableKey key = unfinished_key(take, hop_of(take, frame), frame);
    const bool fresh = unfinished_.find(key) == nullptr;
    if (auto added = add_chunk(take, key, frame); !added) {
        return added;
    }
    unfinished_.find(key)->owners.push_back(beginning);
    return fresh ? finish(take, key) : model::Status();
}

model::Status MsrpMessages::add_chunk(const Take& take, const TableKey& key, const MsrpFrame& frame) {
    Unfinished* message = unfinished_.find(key);
    const bool fresh = message == nullptr;
    if (fresh) {
        Unfinished made;
        made.head = std::make_unique<Head>(head_of(take, frame));
        made.assembly.emplace(spools_, take.options.in_memory);
        made.digest.emplace();
        made.owners.push_back(owners_.next());
        message = &unfinished_.add(key, std::move(made), take.now);
    }
    if (auto taken = message->assembly->take(frame); !taken) {
        if (fresh) {
            unfinished_.remove(key);
        }
        return taken;
    }
    Head& head = *message->head;
    const std::uint64_t start = frame.range ? frame.range->start : 1;
    note_chunk(take, head);
    if (start < head.first) {
        head.first = start;
        head.transaction = frame.transaction;
    }
    if (head.content_type.empty()) {
        head.content_type = frame.content_type;
    }
    if (head.disposition.empty()) {
        head.disposition = frame.content_disposition;
    }
    if (message->digest && start == message->next) {
        message->digest->update(frame.body);
        message->next += frame.body.size();
    } else if (!frame.body.empty()) {
        message->digest.reset();
    }
    unfinished_.touch(key, take.now);
    count(*message);
    return {};
}

void MsrpMessages::note_chunk(const Take& take, Head& head) {
    head.note.earliest(take.copy.at);
    head.until = std::max(head.until, take.copy.at.value_or(take.copy.received_at));
    head.received_until = std::max(head.received_until, take.copy.received_at);
}

void MsrpMessages::count(Unfinished& message) {
    in_memory_ -= message.in_memory;
    held_ -= message.held;
    message.in_memory = message.assembly ? message.assembly->held_in_memory() : 0;
    message.held = message.assembly ? message.assembly->held() : 0;
    in_memory_ += message.in_memory;
    held_ += message.held;
}

model::Status MsrpMessages::finish(const Take& take, const TableKey& key) {
    Unfinished& message = *unfinished_.find(key);
    Assembly& assembly = *message.assembly;
    const bool complete = assembly.complete();
    std::string ranges = complete ? std::string() : ranges_text(assembly.ranges());
    if (assembly.conflicting()) {
        take.out.remarks.emplace_back("chunks of a message overlap, and differ");
    }
    if (assembly.lost()) {
        take.out.remarks.emplace_back("a message came in too many pieces");
    }
    if (assembly.held() == 0) {
        drop(take, key);  // a message that was given up before anything of it came
        return {};
    }
    auto bytes = assembly.take_bytes();
    if (!bytes) {
        return bytes.error();
    }
    model::Result<Digest> digest = message.digest && complete ? message.digest->finish() : digest_of(*bytes);
    if (!digest) {
        digest = Naming("unread").add(message.head->transaction).finish();
    }
    // A text may be content though it was too long to wait in memory.
    Outgoing outgoing{
        *message.head, {}, brought_in(std::move(*bytes), take.options.max_text), *digest, std::move(ranges)};
    const bool keep = complete && outgoing.bytes.in_memory() && of_several_hops(take, *message.head);
    const Gone gone = go_out(take, outgoing);
    if (keep) {
        keep_on(take, gone.event, std::exchange(unfinished_.find(key)->owners, {}), gone.repeat);
    }
    drop(take, key);
    return {};
}

void MsrpMessages::drop(const Take& take, const TableKey& key) {
    Unfinished& message = *unfinished_.find(key);
    message.assembly.reset();
    count(message);
    std::erase_if(take.out.kept_parts, [&message](const Made::Part& part) {
        return std::ranges::find(message.owners, part.owner) != message.owners.end();
    });
    take.out.let_go.insert(take.out.let_go.end(), message.owners.begin(), message.owners.end());
    unfinished_.remove(key);
}

/// After a restart the copy of another hop must not be another message.
bool MsrpMessages::of_several_hops(const Take& take, const Head& head) const {
    const auto session = dialogs_.find(take, head.from, head.to);
    return session && dialogs_.has_several_legs(session->slot);
}

/// After a restart a repeat alone would be a message of its own.
void MsrpMessages::keep_on(const Take& take, const Digest& event, std::vector<std::uint64_t> owners, bool repeat) {
    const TableKey key = key_of(event);
    std::vector<std::uint64_t>* const known = kept_on_.find(key);
    if (known != nullptr && known->size() < most_repeats) {
        known->insert(known->end(), owners.begin(), owners.end());
    } else if (known != nullptr || repeat) {
        take.out.let_go.insert(take.out.let_go.end(), owners.begin(), owners.end());
    } else {
        kept_on_.add(key, std::move(owners), take.now);
        if (kept_on_.size() > most_kept_on) {
            let_go_kept(take);
        }
    }
}

bool MsrpMessages::let_go_kept(const Take& take) {
    const auto* const oldest = kept_on_.oldest();
    if (oldest == nullptr) {
        return false;
    }
    take.out.let_go.insert(take.out.let_go.end(), oldest->value.begin(), oldest->value.end());
    kept_on_.remove(TableKey(oldest->key));
    return true;
}

/// What copies of one message at several hops have in common. Without a correlation only relays have the same one: they
/// leave the ends of the paths and the Message-ID as they are.
TableKey MsrpMessages::common_key(const Take& take, const Outgoing& outgoing) {
    const Head& head = outgoing.head;
    KeyMaker maker = key_for(take, Table::content);
    maker.add(take.copy.xid).add(take.copy.correlation);
    if (take.copy.correlation == 0) {
        maker.add(head.message);
    } else if (take.copy.direction == Direction::from_target || take.copy.direction == Direction::to_target) {
        maker.add(static_cast<std::uint64_t>(take.copy.direction));
    } else if (const auto session = dialogs_.find(take, head.from, head.to); session && session->sender) {
        maker.add(std::uint64_t{16} + static_cast<std::uint64_t>(*session->sender));
    }
    const Digest& digest = outgoing.digest;
    maker.add(std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));  // NOLINT(*-cast)
    return maker.add(head.content_type).add(outgoing.ranges).finish();
}

HopPlace MsrpMessages::place_of(const Take& take, const Head& head) const {
    const Dialogs::PathOrigin origin = dialogs_.origin(take, head.from, head.to);
    HopPlace place;
    place.hop = head.hop.first;
    place.back = head.back;
    place.ends = origin.ends;
    place.session = origin.session;
    place.call = origin.call;
    place.description = origin.description;
    place.said = {take.copy.at.value_or(take.copy.received_at), head.until};
    place.received = {take.copy.received_at, head.received_until};
    return place;
}

/// What it says. A spooled one has one object, whose bytes are the outgoing ones then.
Content MsrpMessages::content_of(const Take& take, Outgoing& outgoing, SpooledContent& spooled) const {
    const Head& head = outgoing.head;
    if (!outgoing.bytes.spooled()) {
        return read_content(head.content_type, head.disposition, outgoing.body(), take.options.max_text);
    }
    spooled = read_spooled_content(head.content_type, head.disposition, outgoing.bytes, spools_);
    outgoing.bytes = spooled.bytes;
    spooled.content.objects.push_back({spooled.type, spooled.file_name, {}});
    return std::move(spooled.content);
}

MsrpMessages::Gone MsrpMessages::go_out(const Take& take, Outgoing& outgoing) {
    const Head& head = outgoing.head;
    const Copy copy = head.note.copy();
    const Take then{copy, take.now, take.options, take.secret, take.out};
    const TableKey common = common_key(then, outgoing);
    const HopPlace place = place_of(then, head);
    if (const auto event = hops_.count(common, place, take.now)) {
        sent_.add(head.message, {*event, *event != Digest{}}, take.now);
        take.repeat();
        return {*event, true};
    }
    Digest event = event_of(copy, {head.from, head.to}, head.message_id);
    if (sent_.find(head.message) != nullptr) {
        // The name is taken: by a part of it that went out, or by another message with the same Message-ID.
        event = Naming("again").add(event).add(head.transaction).add(outgoing.ranges).finish();
    }
    SpooledContent spooled;
    const Content content = content_of(then, outgoing, spooled);
    const bool is_message = content.is_message();
    MsrpEnds ends = ends_of(then, dialogs_, {head.from, head.to});
    add_wrapping_ends(content, ends, dialogs_);
    hops_.add(common, place, is_message ? event : Digest{});
    sent_.add(head.message, {event, is_message}, take.now);
    if (is_message) {
        add_message(then, outgoing, content, ends, event);
        ids_.add(then, content.imdn_message_id, event);
    }
    add_notifications(
        then, content,
        {ends.sender, ends.receiver().uris, ends.sender_name, ends.receiver().name, ends.conversation, ends.kind},
        ids_);
    return {event, false};
}

void MsrpMessages::add_message(const Take& take, Outgoing& outgoing, const Content& content, MsrpEnds& ends,
                               const Digest& event) {
    const Head& head = outgoing.head;
    MadeEvent made = make_event(take.origin(), model::EventType::message, event);
    add_ends(made, take.copy, ends, Way::along);
    const std::string_view file =
        ends.session ? dialogs_.file_name(take, ends.session->slot, head.from, head.to) : std::string_view();
    if (content.objects.size() == 1 && !content.has_text) {
        const Content::Object& object = content.objects.front();
        const std::string_view name = object.file_name.empty() ? file : std::string_view(object.file_name);
        const bool all_of_it = outgoing.bytes.spooled() || (object.bytes.data() == outgoing.bytes.memory().data() &&
                                                            object.bytes.size() == outgoing.bytes.memory().size());
        add_wrapping_parameters(made, content);
        add_object(made, object.type, name, all_of_it ? std::move(outgoing.bytes) : Bytes(std::string(object.bytes)));
    } else {
        add_content(made, content);
        if (!file.empty()) {
            add_parameter(made, "file_name", file);
        }
    }
    if (!outgoing.ranges.empty()) {
        add_parameter(made, completeness_parameter, completeness_partial);
        add_parameter(made, ranges_parameter, outgoing.ranges);
    }
    made.substance = ims::text_of(
        Naming("session-mode message").add(head.content_type).add(outgoing.digest).add(outgoing.ranges).finish());
    take.add(std::move(made));
}

void MsrpMessages::forget(const Take& take, const Tasks& tasks) {
    const auto is_meant = [&tasks](const Unfinished& message) { return tasks.contains(message.head->note.xid()); };
    for (const TableKey& key : unfinished_.keys_of(is_meant)) {
        drop(take, key);
    }
}

model::Status MsrpMessages::expire(const Take& take) {
    while (const auto* due = unfinished_.due_at(take.now, take.options.partial_message_timeout)) {
        if (auto finished = finish(take, TableKey(due->key)); !finished) {
            return finished;
        }
    }
    while (kept_on_.due_at(take.now, keep_for_hops) != nullptr) {
        let_go_kept(take);
    }
    return {};
}

model::Result<bool> MsrpMessages::give_out_oldest(const Take& take) {
    const auto* oldest = unfinished_.oldest();
    if (oldest == nullptr) {
        return false;
    }
    const auto finished = finish(take, TableKey(oldest->key));
    return finished ? model::Result<bool>(true) : finished.error();
}

std::optional<SteadyTime> MsrpMessages::due(const TrackerOptions& options) const {
    const auto message = unfinished_.due(options.partial_message_timeout);
    const auto kept = kept_on_.due(keep_for_hops);
    return message && kept ? std::min(message, kept) : message ? message : kept;
}

}  // namespace lihandover::ims
