#include "msrp_streams.hpp"

#include <algorithm>
#include <utility>

namespace lihandover::ims {

namespace {

constexpr std::string_view start = "MSRP ";
// After bytes that are no MSRP, so many places where a frame may begin are tried.
constexpr int most_tries = 16;
// Of one payload; what follows after so many of them goes out as one.
constexpr int most_unreadable = 16;

TableKey stream_of(const Take& take) {
    return key_for(take, Table::stream)
        .add(take.copy.xid)
        .add(take.copy.correlation)
        .add(static_cast<std::uint64_t>(take.copy.direction))
        .add(take.copy.point)
        .finish();
}

bool only_line_ends(std::string_view bytes) {
    return bytes.find_first_not_of("\r\n") == std::string_view::npos;
}

/// Where after bytes that are no MSRP a frame begins, at the beginning of a line; the end if none does.
std::size_t next_frame(std::string_view bytes) {
    MsrpFrame frame;
    std::size_t from = 1;
    for (int tries = 0; tries < most_tries; ++tries) {
        const std::size_t found = bytes.find(start, from);
        if (found == std::string_view::npos) {
            return bytes.size();
        }
        if (bytes[found - 1] == '\n' && read_msrp(bytes.substr(found), frame) != MsrpRead::malformed) {
            return found;
        }
        from = found + 1;
    }
    return bytes.size();
}

/// A frame of RFC 4975 that was cut off in its body, closed as its sender would close it to go on later; empty for
/// what has no body yet.
std::string closed(std::string_view bytes) {
    const std::size_t begin = std::min(bytes.find_first_not_of("\r\n"), bytes.size());
    bytes.remove_prefix(begin);
    const std::size_t blank = bytes.find(' ', start.size());
    if (!bytes.starts_with(start) || blank == std::string_view::npos ||
        bytes.find("\r\n\r\n") == std::string_view::npos) {
        return {};
    }
    std::string made(bytes);
    made.append("\r\n-------").append(bytes.substr(start.size(), blank - start.size())).append("+\r\n");
    return made;
}

}  // namespace

model::Status MsrpStreams::take(const Take& take, FrameTaker& taker) {
    const TableKey key = stream_of(take);
    std::size_t at = 0;
    if (tails_.find(key) != nullptr) {
        const auto gone_on = go_on(take, key, taker);
        if (!gone_on) {
            return gone_on.error();
        }
        at = *gone_on;
    }
    return cut(take, at, key, taker);
}

/// How many bytes of the payload belong to the frame that began in an earlier one.
model::Result<std::size_t> MsrpStreams::go_on(const Take& take, const TableKey& key, FrameTaker& taker) {
    Tail& tail = *tails_.find(key);
    const std::string_view payload = take.copy.payload;
    const std::size_t before = tail.bytes.size();
    tail.bytes.append(payload);
    MsrpFrame frame;
    const MsrpRead read = read_msrp(tail.bytes, frame, before);
    if (read == MsrpRead::frame && frame.octets > before) {
        const std::size_t used = frame.octets - before;
        const model::Status taken = taker.take_frame(take, frame, {0, used, tail.owner});
        if (!taken) {
            tail.bytes.resize(before);
            return taken.error();
        }
        held_ -= before;
        tails_.remove(key);
        return used;
    }
    const bool begins = payload.starts_with(start);
    MsrpFrame other;
    if (begins && read_msrp(payload, other) == MsrpRead::frame) {
        tail.bytes.resize(before);  // whole frames in between
        return std::size_t{0};
    }
    if (read == MsrpRead::incomplete && !begins && tail.bytes.size() <= max_tail) {
        held_ += payload.size();
        tails_.touch(key, take.now);
        take.out.kept_parts.push_back({tail.owner, 0, payload.size(), true});
        return payload.size();
    }
    tail.bytes.resize(before);
    const model::Status given = give_out(take, key, taker);
    return given ? model::Result<std::size_t>(std::size_t{0}) : given.error();
}

model::Status MsrpStreams::cut(const Take& take, std::size_t at, const TableKey& key, FrameTaker& taker) {
    MsrpFrame frame;
    int unreadable = 0;
    while (true) {
        const std::string_view rest = take.copy.payload.substr(at);
        if (only_line_ends(rest)) {
            return {};
        }
        switch (read_msrp(rest, frame)) {
            case MsrpRead::frame:
                if (auto taken = taker.take_frame(take, frame, {at, frame.octets, 0}); !taken) {
                    return taken;
                }
                at += frame.octets;
                break;
            case MsrpRead::incomplete:
                return keep_tail(take, at, key, taker);
            case MsrpRead::malformed: {
                const std::size_t next = ++unreadable < most_unreadable ? next_frame(rest) : rest.size();
                taker.take_unreadable(take, rest.substr(0, next));
                at += next;
                break;
            }
        }
    }
}

model::Status MsrpStreams::keep_tail(const Take& take, std::size_t at, const TableKey& key, FrameTaker& taker) {
    const std::string_view rest = take.copy.payload.substr(at);
    if (tails_.find(key) != nullptr) {
        if (auto given = give_out(take, key, taker); !given) {
            return given;
        }
    }
    if (rest.size() > max_tail) {
        taker.take_unreadable(take, rest);
        return {};
    }
    const std::uint64_t owner = owners_.next();
    tails_.add(key, Tail{std::string(rest), CopyNote(take.copy), owner}, take.now);
    held_ += rest.size();
    take.out.kept_parts.push_back({owner, at, rest.size(), true});
    return {};
}

model::Status MsrpStreams::give_out(const Take& take, const TableKey& key, FrameTaker& taker) {
    const Tail& tail = *tails_.find(key);
    const Copy copy = tail.note.copy();
    const Take then{copy, take.now, take.options, take.secret, take.out};
    const std::string torn = closed(tail.bytes);
    MsrpFrame frame;
    if (!torn.empty() && read_msrp(torn, frame) == MsrpRead::frame && frame.method == "SEND" && !frame.body.empty()) {
        if (auto taken = taker.take_torn(then, frame, tail.owner); !taken) {
            return taken;
        }
    } else {
        taker.take_unreadable(then, tail.bytes);
        take.out.let_go.push_back(tail.owner);
    }
    held_ -= tail.bytes.size();
    tails_.remove(key);
    return {};
}

void MsrpStreams::forget(const Tasks& tasks, Made& out) {
    const auto is_meant = [&tasks](const Tail& tail) { return tasks.contains(tail.note.xid()); };
    for (const TableKey& key : tails_.keys_of(is_meant)) {
        const Tail& tail = *tails_.find(key);
        out.let_go.push_back(tail.owner);
        held_ -= tail.bytes.size();
        tails_.remove(key);
    }
}

model::Status MsrpStreams::expire(const Take& take, FrameTaker& taker) {
    while (const auto* due = tails_.due_at(take.now, take.options.partial_message_timeout)) {
        if (auto given = give_out(take, TableKey(due->key), taker); !given) {
            return given;
        }
    }
    return {};
}

model::Result<bool> MsrpStreams::give_out_oldest(const Take& take, FrameTaker& taker) {
    const auto* oldest = tails_.oldest();
    if (oldest == nullptr) {
        return false;
    }
    const model::Status given = give_out(take, TableKey(oldest->key), taker);
    return given ? model::Result<bool>(true) : given.error();
}

std::optional<SteadyTime> MsrpStreams::due(const TrackerOptions& options) const {
    return tails_.due(options.partial_message_timeout);
}

}  // namespace lihandover::ims
