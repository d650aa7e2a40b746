#include "pdus.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <utility>

#include "lihandover/base/hex.hpp"
#include "sessions.hpp"

namespace lihandover::x2x3_send {
namespace {

constexpr std::size_t fixed_header = 40;
constexpr std::size_t correlation_place = 32;
constexpr std::uint16_t x2 = 1;
constexpr std::uint16_t x3 = 2;
constexpr std::uint16_t keepalive_type = 3;
constexpr std::uint16_t acknowledgement_type = 4;

namespace attribute {
constexpr std::uint16_t domain_id = 5;
constexpr std::uint16_t function_id = 6;
constexpr std::uint16_t point_id = 7;
constexpr std::uint16_t sequence = 8;
constexpr std::uint16_t time = 9;
constexpr std::uint16_t further_xid = 21;
}  // namespace attribute

template <typename Number>
void put(char* at, Number number) {
    for (std::size_t i = sizeof number; i > 0; --i) {
        at[i - 1] = static_cast<char>(number & 0xffU);
        number = static_cast<Number>(sizeof number == 1 ? 0 : number >> 8U);
    }
}

template <typename Number>
void append(std::string& out, Number number) {
    out.resize(out.size() + sizeof number);
    put(out.data() + out.size() - sizeof number, number);
}

template <typename Number>
Number number_at(std::string_view bytes, std::size_t at) {
    Number number = 0;
    for (std::size_t i = 0; i < sizeof number; ++i) {
        number = static_cast<Number>(number << 8U | static_cast<unsigned char>(bytes[at + i]));
    }
    return number;
}

void append_attribute(std::string& out, std::uint16_t type, std::string_view value) {
    append(out, type);
    append(out, static_cast<std::uint16_t>(value.size()));
    out += value;
}

std::uint16_t type_of(const Message& message) {
    return message.pdu_type.value_or(message.kind == Kind::msrp ? x3 : x2);
}

std::uint16_t format_of(const Message& message) {
    constexpr std::array<std::uint16_t, 4> formats = {9, 13, 15, 0};
    return message.format.value_or(formats.at(static_cast<std::size_t>(message.kind)));
}

std::string_view bytes_of(const model::Uuid& id) {
    return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

/// The number is in what names the message's session, so that each repetition has a session of its own.
bool session_varies(const Message& message) {
    const Glance glance = glance_at(message.kind, message.bytes);
    return std::ranges::any_of(std::array{glance.call_id, glance.to_path, glance.from_path},
                               [](std::string_view text) { return text.find(number_mark) != std::string_view::npos; });
}

}  // namespace

PduSequence::PduSequence(const std::vector<Message>& messages, PduOptions options) : options_(std::move(options)) {
    Sessions sessions;
    // Signalling first: what announces a path may come behind the first frames on it.
    for (const auto& message : messages) {
        if (message.kind == Kind::sip) {
            (void)sessions.number_of(message.kind, message.bytes);
        }
    }
    for (const auto& message : messages) {
        const bool by_session = !message.correlation && options_.correlation == PduOptions::Correlation::session;
        const std::uint64_t session = by_session ? sessions.number_of(message.kind, message.bytes) : 0;
        sessions_ = std::max(sessions_, session);
        Pdu pdu = encode(message, by_session ? session : message.correlation.value_or(options_.fixed_correlation));
        pdu.message = pdus_.size();
        pdu.correlation_varies = by_session && !pdu.raw && session_varies(message);
        pdus_.push_back(std::move(pdu));
    }
    count();
}

Pdu PduSequence::encode(const Message& message, std::uint64_t correlation) const {
    Pdu pdu;
    pdu.at = message.at;
    pdu.captured = message.captured;
    pdu.correlation = correlation;
    pdu.raw = message.kind == Kind::raw;
    if (pdu.raw) {
        pdu.bytes = message.bytes;
        return pdu;
    }
    std::string& out = pdu.bytes;
    append(out, message.version.value_or(options_.version));
    append(out, type_of(message));
    append(out, std::uint32_t{0});
    append(out, static_cast<std::uint32_t>(message.bytes.size()));
    append(out, format_of(message));
    append(out, static_cast<std::uint16_t>(message.direction));
    out += bytes_of(message.xids.empty() ? model::Uuid() : message.xids.front());
    append(out, correlation);
    const std::array<std::pair<std::uint16_t, const std::string*>, 3> texts = {
        {{attribute::domain_id, &options_.domain_id},
         {attribute::function_id, &options_.function_id},
         {attribute::point_id, &options_.point_id}}};
    for (const auto& [type, text] : texts) {
        if (!text->empty()) {
            append_attribute(out, type, *text);
        }
    }
    if (message.sequence || options_.sequence != PduOptions::Sequence::none) {
        append_attribute(out, attribute::sequence, std::string(4, '\0'));
        pdu.sequence_at = out.size() - 4;
        pdu.sequence = message.sequence.value_or(0);
    }
    if (options_.time_octets != 0) {
        append_attribute(out, attribute::time, std::string(options_.time_octets, '\0'));
        pdu.time_at = out.size() - options_.time_octets;
    }
    for (const auto* const list : {&options_.attributes, &message.attributes}) {
        for (const auto& each : *list) {
            append_attribute(out, each.type, each.value);
        }
    }
    for (std::size_t i = 1; i < message.xids.size(); ++i) {
        std::string value(bytes_of(message.xids[i]));
        append(value, correlation);
        append_attribute(out, attribute::further_xid, value + std::string(pdu.sequence_at ? 4 : 0, '\0'));
        if (pdu.sequence_at) {
            pdu.further_at.push_back(out.size() - 4);
        }
    }
    put(out.data() + 4, static_cast<std::uint32_t>(out.size()));
    const std::size_t header = out.size();
    out += message.bytes;
    pdu.number_at = number_places(message.bytes);
    for (auto& place : pdu.number_at) {
        place += header;
    }
    if (message.sequence) {
        put(out.data() + *pdu.sequence_at, pdu.sequence);
        pdu.sequence_at.reset();
    }
    return pdu;
}

/// Numbers the PDUs of each context, and says how many the context has.
void PduSequence::count() {
    using Context = std::tuple<std::string, std::uint16_t, std::uint64_t>;
    const bool over_all = options_.sequence == PduOptions::Sequence::all;
    const auto context_of = [over_all](const Pdu& pdu) {
        return over_all ? Context()
                        : Context(pdu.bytes.substr(16, 16), number_at<std::uint16_t>(pdu.bytes, 2), pdu.correlation);
    };
    std::map<Context, std::uint32_t> counts;
    for (auto& pdu : pdus_) {
        if (!pdu.raw && pdu.sequence_at) {
            pdu.sequence = counts[context_of(pdu)]++;
        }
    }
    for (auto& pdu : pdus_) {
        if (!pdu.raw && pdu.sequence_at) {
            pdu.sequence_step = pdu.correlation_varies && !over_all ? 0 : counts[context_of(pdu)];
        }
    }
}

std::uint64_t PduSequence::correlation(std::size_t index, std::uint64_t repetition) const {
    const Pdu& pdu = pdus_[index];
    return pdu.correlation + (pdu.correlation_varies ? repetition * sessions_ : 0);
}

const std::string& PduSequence::bytes(std::size_t index, std::uint64_t repetition,
                                      const std::optional<model::Instant>& began) {
    Pdu& pdu = pdus_[index];
    char* const out = pdu.bytes.data();
    if (pdu.raw) {
        return pdu.bytes;
    }
    if (pdu.correlation_varies) {
        put(out + correlation_place, correlation(index, repetition));
    }
    const auto sequence = static_cast<std::uint32_t>(pdu.sequence + repetition * pdu.sequence_step);
    if (pdu.sequence_at) {
        put(out + *pdu.sequence_at, sequence);
    }
    for (const std::size_t place : pdu.further_at) {
        put(out + place, sequence);
    }
    if (pdu.time_at) {
        model::Instant at = pdu.captured.value_or(model::Instant());
        if (began) {
            const auto nanos = began->nanos + pdu.at.count();
            at = {began->seconds + nanos / 1'000'000'000, static_cast<std::int32_t>(nanos % 1'000'000'000)};
        }
        char* const place = out + *pdu.time_at;
        const bool wide = options_.time_octets == 12;
        wide ? put(place, static_cast<std::uint64_t>(at.seconds)) : put(place, static_cast<std::uint32_t>(at.seconds));
        put(place + (wide ? 8 : 4), static_cast<std::uint32_t>(at.nanos));
    }
    for (const std::size_t place : pdu.number_at) {
        write_number(out + place, repetition + 1);
    }
    return pdu.bytes;
}

std::string keepalive(std::optional<std::uint32_t> number, std::uint16_t version) {
    std::string out;
    append(out, version);
    append(out, keepalive_type);
    append(out, static_cast<std::uint32_t>(fixed_header + (number ? 8 : 0)));
    out.resize(fixed_header, '\0');
    if (number) {
        append(out, attribute::sequence);
        append(out, std::uint16_t{4});
        append(out, *number);
    }
    return out;
}

AnswerRead read_answer(std::string_view bytes, Acknowledgement& out) {
    constexpr std::size_t most = 4096;
    if (bytes.size() < 12) {
        return AnswerRead::incomplete;
    }
    const auto header = number_at<std::uint32_t>(bytes, 4);
    if (bytes[0] != 0 || number_at<std::uint16_t>(bytes, 2) != acknowledgement_type || header < fixed_header ||
        header > most || number_at<std::uint32_t>(bytes, 8) != 0) {
        return AnswerRead::something_else;
    }
    if (bytes.size() < header) {
        return AnswerRead::incomplete;
    }
    out = {std::nullopt, header};
    for (std::size_t at = fixed_header; at + 4 <= header;) {
        const auto type = number_at<std::uint16_t>(bytes, at);
        const auto size = number_at<std::uint16_t>(bytes, at + 2);
        if (type == attribute::sequence && size == 4 && at + 8 <= header) {
            out.number = number_at<std::uint32_t>(bytes, at + 4);
        }
        at += std::size_t{4} + size;
    }
    return AnswerRead::acknowledgement;
}

std::string describe(std::string_view pdu) {
    if (pdu.size() < fixed_header) {
        return "raw " + base::to_hex(pdu) + '\n';
    }
    model::Uuid xid;
    std::copy_n(pdu.begin() + 16, xid.bytes.size(), reinterpret_cast<char*>(xid.bytes.data()));
    const auto header = std::min<std::size_t>(number_at<std::uint32_t>(pdu, 4), pdu.size());
    std::string out = "version " + std::to_string(pdu[0]) + '.' + std::to_string(pdu[1]) + ", type " +
                      std::to_string(number_at<std::uint16_t>(pdu, 2)) + ", header " + std::to_string(header) +
                      ", payload " + std::to_string(number_at<std::uint32_t>(pdu, 8)) + ", format " +
                      std::to_string(number_at<std::uint16_t>(pdu, 12)) + ", direction " +
                      std::to_string(number_at<std::uint16_t>(pdu, 14)) + "\nXID " + xid.to_string() +
                      ", correlation " + std::to_string(number_at<std::uint64_t>(pdu, correlation_place)) + '\n';
    for (std::size_t at = fixed_header; at + 4 <= header;) {
        const auto type = number_at<std::uint16_t>(pdu, at);
        const auto size = std::min<std::size_t>(number_at<std::uint16_t>(pdu, at + 2), header - at - 4);
        const std::string_view value = pdu.substr(at + 4, size);
        const bool text = std::ranges::all_of(value, [](char c) { return c >= 0x20 && c < 0x7f; });
        out += "attribute " + std::to_string(type) + ": " + (text ? std::string(value) : base::to_hex(value)) + '\n';
        at += 4 + size;
    }
    return out;
}

}  // namespace lihandover::x2x3_send
