#include "lihandover/audit/entry.hpp"

namespace lihandover::audit {

namespace {

/// The version of the bytes that append_canonical writes. Entries of an earlier version keep theirs.
constexpr std::uint8_t canonical_version = 1;

enum Presence : std::uint8_t { has_object_id = 1, has_correlation = 2, has_received_at = 4, has_refusal = 8 };

void append_number(std::string& out, std::uint64_t number) {
    for (int shift = 56; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>(number >> shift & 0xffU));
    }
}

void append_time(std::string& out, model::Instant time) {
    append_number(out, static_cast<std::uint64_t>(time.micros()));
}

void append_text(std::string& out, std::string_view text) {
    append_number(out, text.size());
    out += text;
}

}  // namespace

std::string_view name_of(Refusal::Kind kind) {
    switch (kind) {
        case Refusal::Kind::hi1_error:
            return "hi1_error";
        case Refusal::Kind::http_status:
            return "http_status";
        case Refusal::Kind::invalid_document:
            return "invalid_document";
        case Refusal::Kind::expired:
            return "expired";
        case Refusal::Kind::no_answer:
            return "no_answer";
        case Refusal::Kind::unreadable:
            return "unreadable";
    }
    return "unknown";
}

void append_canonical(const Entry& entry, std::string& out) {
    const auto presence = static_cast<std::uint8_t>(
        (entry.object_id ? has_object_id : 0) | (entry.correlation ? has_correlation : 0) |
        (entry.received_at ? has_received_at : 0) | (entry.refusal != nullptr ? has_refusal : 0));
    out.push_back(static_cast<char>(canonical_version));
    out.push_back(static_cast<char>(entry.kind));
    out.push_back(static_cast<char>(presence));
    append_time(out, entry.at);
    for (const std::string_view text : {entry.destination, entry.liid, entry.who, entry.why}) {
        append_text(out, text);
    }
    if (entry.object_id) {
        out.append(reinterpret_cast<const char*>(entry.object_id->bytes.data()), entry.object_id->bytes.size());
    }
    if (entry.correlation) {
        append_number(out, entry.correlation->level_id);
        append_number(out, entry.correlation->sequence_number);
    }
    if (entry.received_at) {
        append_time(out, *entry.received_at);
    }
    if (entry.refusal != nullptr) {
        out.push_back(static_cast<char>(entry.refusal->kind));
        append_number(out, entry.refusal->code);
        append_text(out, entry.refusal->words);
    }
}

}  // namespace lihandover::audit
