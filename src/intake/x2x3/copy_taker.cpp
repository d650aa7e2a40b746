#include "x2x3/copy_taker.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "x2x3/copy_record.hpp"

namespace lihandover::intake {
namespace {

using metrics::PduOutcome;

// Its connection has judged it.
constexpr PduBounds any_size{.max_header = UINT32_MAX, .max_payload = UINT32_MAX};
// Taken for one commit, and in memory until then: a PDU of many tasks is as many copies.
constexpr std::size_t bytes_at_once = std::size_t{8} << 20U;

ims::Copy::Kind kind_of(const Pdu& pdu) {
    switch (static_cast<PayloadFormat>(pdu.format)) {
        case PayloadFormat::msrp:
            return ims::Copy::Kind::msrp;
        case PayloadFormat::mime:
            return ims::Copy::Kind::mime;
        case PayloadFormat::sip:
        case PayloadFormat::keepalive:
            break;
    }
    return ims::Copy::Kind::sip;
}

ims::Direction direction_of(const Pdu& pdu) {
    const bool known = pdu.direction >= static_cast<std::uint16_t>(ims::Direction::unknown) &&
                       pdu.direction <= static_cast<std::uint16_t>(ims::Direction::not_applicable);
    return known ? static_cast<ims::Direction>(pdu.direction) : ims::Direction::unknown;
}

/// What became of a PDU, of all its tasks together.
PduOutcome outcome_of(const CopyPlace& place) {
    if (place.malformed) {
        return PduOutcome::malformed;
    }
    if (place.made_event) {
        return PduOutcome::event;
    }
    return place.repeated ? PduOutcome::repeat : PduOutcome::no_event;
}

/// Texts that a copy views.
struct CopyTexts {
    std::vector<std::string> resolved;
};

ims::Copy copy_of(const Pdu& pdu, model::Instant received_at, CopyTexts& texts) {
    ims::Copy copy;
    copy.correlation = pdu.correlation;
    copy.kind = kind_of(pdu);
    copy.direction = direction_of(pdu);
    copy.at = pdu.at;
    copy.received_at = received_at;
    // Reserved, so that none of them moves: short texts move with their strings.
    texts.resolved.reserve(pdu.matched_targets.size());
    for (const std::string_view target : pdu.matched_targets) {
        const std::string_view text = target_text(target, texts.resolved.emplace_back());
        if (!text.empty()) {
            copy.matched.push_back(text);
        }
    }
    copy.mime_type = pdu.mime_type;
    copy.mime_transfer_encoding = pdu.mime_transfer_encoding;
    copy.sdp = pdu.sdp;
    copy.point = pdu.point_id;
    copy.payload = pdu.payload;
    return copy;
}

}  // namespace

/// Of one stretch: a copy that comes and goes within it never reaches the store.
struct CopyTaker::Changes {
    explicit Changes(store::KeptChanges& its_out) : out(its_out) {}
    Changes(const Changes&) = delete;
    Changes& operator=(const Changes&) = delete;
    ~Changes() {
        for (auto& [id, bytes] : keep) {
            out.keep.push_back({id, std::move(bytes)});
        }
    }
    store::KeptChanges& out;
    std::map<std::uint64_t, std::string> keep;
};

void CopyTaker::note_remarks(const ims::Made& made, TakenCopies& out) {
    for (const std::string_view remark : made.remarks) {
        if (std::ranges::find(out.remarks, remark) == out.remarks.end()) {
            out.remarks.push_back(remark);
        }
    }
}

void CopyTaker::keep(std::uint64_t owner, std::string bytes, std::size_t counted, Changes& changes) {
    const std::uint64_t id = next_id_++;
    kept_[owner].push_back({id, counted});
    kept_bytes_ += counted;
    changes.keep.emplace(id, std::move(bytes));
}

void CopyTaker::keep_copy(const ims::Copy& copy, Changes& changes) {
    if (made_.kept_by != 0) {
        keep(made_.kept_by, encode_copy(copy, copy.payload), 0, changes);
    }
    for (const ims::Made::Part& part : made_.kept_parts) {
        std::string bytes = encode_copy(copy, copy.payload.substr(part.first, part.size));
        const std::size_t counted = part.of_message ? bytes.size() : 0;
        keep(part.owner, std::move(bytes), counted, changes);
    }
}

void CopyTaker::let_go(Changes& changes) {
    for (const std::uint64_t owner : made_.let_go) {
        const auto found = kept_.find(owner);
        if (found == kept_.end()) {
            continue;
        }
        for (const KeptPart& part : found->second) {
            if (const auto shared = shared_.find(part.id); shared != shared_.end()) {
                if (--shared->second > 0) {
                    continue;  // another owner needs it
                }
                shared_.erase(shared);
            }
            kept_bytes_ -= part.bytes;
            if (changes.keep.erase(part.id) == 0) {
                changes.out.let_go.push_back(part.id);
            }
        }
        kept_.erase(found);
    }
}

/// Under the id that it has: another one would be that of a copy which is still to come, or put it behind those which
/// followed it. What was kept for one owner is all needed, even where another now needs only a part.
std::size_t CopyTaker::take_over(std::uint64_t id, std::size_t bytes) {
    std::vector<std::uint64_t> owners;
    const auto add = [&owners](std::uint64_t owner) {
        if (owner != 0 && std::ranges::find(owners, owner) == owners.end()) {
            owners.push_back(owner);
        }
    };
    add(made_.kept_by);
    for (const ims::Made::Part& part : made_.kept_parts) {
        add(part.owner);
    }
    const bool of_message = std::ranges::any_of(made_.kept_parts, &ims::Made::Part::of_message);
    const std::size_t counted = of_message ? bytes : 0;
    for (const std::uint64_t owner : owners) {
        kept_[owner].push_back({id, counted});
    }
    kept_bytes_ += counted;
    if (owners.size() > 1) {
        shared_[id] = owners.size();
    }
    return owners.size();
}

void CopyTaker::take_kept(store::KeptCopy kept, SteadyTime now, TakenCopies& out) {
    next_id_ = std::max(next_id_, kept.id + 1);
    Changes changes(out.changes);
    const auto copy = decode_copy(kept.bytes);
    if (!copy) {
        changes.out.let_go.push_back(kept.id);
        return;
    }
    tasks_.insert(copy->xid);
    if (const auto taken = tracker_.take(*copy, now, made_); !taken) {
        // It stays where it is, for the next start.
        out.problem = taken.error().message;
    }
    const std::size_t needed = take_over(kept.id, kept.bytes.size());
    if (needed == 0 && !out.problem) {
        changes.out.let_go.push_back(kept.id);
    }
    let_go(changes);
    for (ims::MadeEvent& event : made_.events) {
        out.events.push_back({std::move(event), {}, copy->payload.size()});
        out.bytes += copy->payload.size();
    }
    note_remarks(made_, out);
}

bool CopyTaker::take_pdu(const Pdu& pdu, const Piece& piece, const Piece::Entry& entry, SteadyTime now,
                         CopyPlace& place, TakenCopies& out, Changes& changes) {
    CopyTexts texts;
    ims::Copy copy = copy_of(pdu, entry.received_at, texts);
    for (; place.xid < entry.xid_count; ++place.xid) {
        if (out.bytes >= bytes_at_once) {
            out.more = true;
            return false;
        }
        copy.xid = piece.xids[entry.first_xid + place.xid];
        tasks_.insert(copy.xid);
        const auto taken = tracker_.take(copy, now, made_);
        const bool made_event = !made_.events.empty();
        keep_copy(copy, changes);
        let_go(changes);
        for (ims::MadeEvent& event : made_.events) {
            const bool of_this_task = event.xid == copy.xid;
            out.events.push_back(
                {std::move(event), of_this_task ? place.earlier : std::vector<model::Uuid>{}, entry.octets.size()});
        }
        note_remarks(made_, out);
        out.bytes += entry.octets.size();
        if (!taken) {
            out.problem = taken.error().message;
            return false;
        }
        const bool repeated = made_.outcome == ims::Made::Outcome::repeat;
        if (made_event || repeated) {
            place.earlier.push_back(copy.xid);
        }
        place.made_event = place.made_event || made_event;
        place.repeated = place.repeated || repeated;
        place.malformed = place.malformed || made_.outcome == ims::Made::Outcome::malformed;
        give_out(now, out, changes);
    }
    return true;
}

/// Messages that never end must not take the room that others need to go out.
void CopyTaker::give_out(SteadyTime now, TakenCopies& out, Changes& changes) {
    while (kept_bytes_ > most_kept_) {
        const auto given = tracker_.give_out_oldest(now, made_);
        let_go(changes);
        const bool any = !made_.events.empty();
        for (ims::MadeEvent& event : made_.events) {
            out.events.push_back({std::move(event), {}, 0});
        }
        note_remarks(made_, out);
        if (!given || !*given) {
            return;  // tried again with the next copy
        }
        constexpr std::string_view remark = "unfinished messages take too much room: the oldest go out as they are";
        if (any && std::ranges::find(out.remarks, remark) == out.remarks.end()) {
            out.remarks.push_back(remark);
        }
    }
}

void CopyTaker::take(const Inbox::Pieces& pieces, SteadyTime now, CopyPlace& place, TakenCopies& out) {
    Changes changes(out.changes);
    Pdu pdu;
    for (; place.piece < pieces.size(); ++place.piece, place.entry = 0) {
        const Piece& piece = *pieces[place.piece];
        for (; place.entry < piece.entries.size(); ++place.entry) {
            const Piece::Entry& entry = piece.entries[place.entry];
            std::size_t needed = 0;
            if (read_pdu(entry.octets, any_size, pdu, needed) == PduRead::pdu) {
                place.malformed = place.malformed || pdu.broken_attribute;
                if (!take_pdu(pdu, piece, entry, now, place, out, changes)) {
                    return;
                }
            }
            ++out.pdus[static_cast<std::size_t>(outcome_of(place))];
            place.xid = 0;
            place.earlier.clear();
            place.made_event = place.repeated = place.malformed = false;
        }
    }
}

void CopyTaker::forget(const std::function<bool(const model::Uuid&)>& is_meant, SteadyTime now, TakenCopies& out) {
    ims::Tasks gone;
    std::ranges::copy_if(tasks_, std::inserter(gone, gone.end()), is_meant);
    if (gone.empty()) {
        return;
    }
    Changes changes(out.changes);
    tracker_.forget(gone, now, made_);
    let_go(changes);
    std::erase_if(tasks_, [&gone](const model::Uuid& xid) { return gone.contains(xid); });
}

void CopyTaker::expire(SteadyTime now, TakenCopies& out) {
    Changes changes(out.changes);
    made_.clear();
    if (const auto expired = tracker_.expire(now, made_); !expired) {
        out.problem = expired.error().message;
    }
    let_go(changes);
    for (ims::MadeEvent& event : made_.events) {
        out.events.push_back({std::move(event), {}, 0});
    }
    note_remarks(made_, out);
}

}  // namespace lihandover::intake
