#include "x2x3/sequence.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "lihandover/model/uuid.hpp"

namespace lihandover::intake {
namespace {

constexpr std::size_t max_points = 10'000;
constexpr std::uint8_t most_evidence = 16;

void append(std::string& out, std::string_view text) {
    const std::uint64_t size = text.size();
    out.append(reinterpret_cast<const char*>(&size), sizeof size);
    out += text;
}

void note(std::uint8_t& evidence, std::uint8_t& against) {
    if (evidence < most_evidence) {
        ++evidence;
    } else if (against > 0) {
        --against;  // a point may change its ways
    }
}

}  // namespace

SequenceCheck::SequenceCheck(std::size_t most) : most_(most) {
    model::random_bytes(secret_.data(), secret_.size());
}

SequenceCheck::Key SequenceCheck::key_of(const Pdu& pdu, bool of_point) const {
    thread_local std::string bytes;
    bytes.clear();
    bytes += static_cast<char>(pdu.type);
    append(bytes, pdu.domain_id);
    append(bytes, pdu.function_id);
    append(bytes, pdu.point_id);
    if (!of_point) {
        bytes.append(pdu.xid.bytes.begin(), pdu.xid.bytes.end());
        bytes.append(reinterpret_cast<const char*>(&pdu.correlation), sizeof pdu.correlation);
    }
    Key key{};
    static_assert(sizeof key == crypto_shorthash_siphashx24_BYTES &&
                  sizeof secret_ == crypto_shorthash_siphashx24_KEYBYTES);
    crypto_shorthash_siphashx24(reinterpret_cast<unsigned char*>(key.data()),
                                reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), secret_.data());
    return key;
}

SequenceCheck::Context* SequenceCheck::find(const Key& key) {
    if (const auto found = recent_.find(key); found != recent_.end()) {
        return &found->second;
    }
    const auto found = older_.find(key);
    if (found == older_.end()) {
        return nullptr;
    }
    const Context context = found->second;
    older_.erase(found);
    if (recent_.size() >= most_ / 2) {
        older_ = std::exchange(recent_, {});
    }
    return &recent_.emplace(key, context).first->second;
}

void SequenceCheck::remember(const Key& key, std::uint32_t number, Connection connection) {
    if (recent_.size() >= most_ / 2) {
        older_ = std::exchange(recent_, {});
    }
    recent_.emplace(key, Context{number + 1, connection});
}

SequenceCheck::Point& SequenceCheck::point_of(const Pdu& pdu) {
    if (points_.size() >= max_points) {
        points_.clear();  // they come back with their next PDU
    }
    return points_[key_of(pdu, true)];
}

std::size_t SequenceCheck::take(const Pdu& pdu, bool known, Connection connection, Time now) {
    if (!pdu.sequence) {
        return 0;
    }
    const std::uint32_t number = *pdu.sequence;
    Point& point = point_of(pdu);
    const bool next_of_point = point.begun && number == point.next;
    point.begun = true;
    point.next = number + 1;
    if (!known) {
        return 0;
    }
    const Key key = key_of(pdu, false);
    Context* const context = find(key);
    if (context == nullptr) {
        // A context begins at 0; one that begins with the point's next number is not counted by itself.
        if (number != 0 && next_of_point) {
            note(point.over_all, point.by_context);
        }
        remember(key, number, connection);
        return 0;
    }
    const std::uint32_t ahead = number - context->next;
    const bool same_connection = std::exchange(context->connection, connection) == connection;
    if (ahead == 0) {
        context->next = number + 1;
        if (!next_of_point) {
            note(point.by_context, point.over_all);
        }
        return 0;
    }
    if (ahead > UINT32_MAX / 2) {
        fill(key, number);
        context->next = number == 0 ? 1 : context->next;  // 0 again: it began anew
        return 0;
    }
    const std::uint32_t missing = std::exchange(context->next, number + 1);
    if (next_of_point) {
        note(point.over_all, point.by_context);
    }
    if (point.over_all > point.by_context) {
        return 0;
    }
    return same_connection ? 1 : open_hole(key, missing, ahead, now);
}

std::size_t SequenceCheck::open_hole(const Key& key, std::uint32_t first, std::uint32_t size, Time now) {
    if (holes_.size() >= max_waiting) {
        return 1;
    }
    holes_.push_back({key, first, size, now});
    return 0;
}

void SequenceCheck::fill(const Key& key, std::uint32_t number) {
    const auto found = std::ranges::find_if(
        holes_, [&](const Hole& hole) { return hole.key == key && number - hole.first < hole.size; });
    if (found == holes_.end()) {
        return;
    }
    const Hole hole = *found;
    holes_.erase(found);
    const std::uint32_t before = number - hole.first;
    if (before > 0) {
        holes_.push_back({key, hole.first, before, hole.since});
    }
    if (hole.size - before > 1) {
        holes_.push_back({key, number + 1, hole.size - before - 1, hole.since});
    }
}

std::size_t SequenceCheck::expire(Time now) {
    return std::erase_if(holes_, [now](const Hole& hole) { return now - hole.since >= patience; });
}

}  // namespace lihandover::intake
