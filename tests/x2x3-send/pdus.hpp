#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lihandover/model/time.hpp"
#include "message.hpp"

namespace lihandover::x2x3_send {

struct PduOptions {
    std::uint16_t version = 0x0005;  ///< major and minor
    std::string domain_id;           ///< attributes 5, 6 and 7; empty ones are left out
    std::string function_id;
    std::string point_id;
    std::size_t time_octets = 8;  ///< of the timestamp: 8 as the standard has it, 12 as seen in the field, 0: none
    enum class Sequence : std::uint8_t { context, all, none } sequence = Sequence::context;
    enum class Correlation : std::uint8_t { session, fixed } correlation = Correlation::session;
    std::uint64_t fixed_correlation = 0;
    std::vector<Attribute> attributes;  ///< of every PDU
};

/// A PDU of TS 103 221-2, encoded but for what changes when it is sent.
struct Pdu {
    std::string bytes;
    std::size_t message = 0;  ///< the index of what it carries
    std::chrono::nanoseconds at{};
    std::optional<model::Instant> captured;
    std::uint64_t correlation = 0;

    bool raw = false;
    bool correlation_varies = false;     ///< its session's id has the number in it: another session each time
    std::optional<std::size_t> time_at;  ///< positions in `bytes`
    std::optional<std::size_t> sequence_at;
    std::vector<std::size_t> further_at;  ///< sequence numbers of further XIDs
    std::vector<std::size_t> number_at;
    std::uint32_t sequence = 0;       ///< the first time
    std::uint32_t sequence_step = 0;  ///< from one time to the next
};

/// PDUs for messages, in order.
class PduSequence {
  public:
    PduSequence(const std::vector<Message>& messages, PduOptions options);

    [[nodiscard]] std::size_t size() const { return pdus_.size(); }
    [[nodiscard]] const Pdu& at(std::size_t index) const { return pdus_[index]; }
    /// Its session, in that repetition (from 0).
    [[nodiscard]] std::uint64_t correlation(std::size_t index, std::uint64_t repetition) const;
    /// Its bytes in that repetition.
    ///   began   the time of the flow's beginning; nullopt: captured ones have the time of their capture
    [[nodiscard]] const std::string& bytes(std::size_t index, std::uint64_t repetition,
                                           const std::optional<model::Instant>& began);

  private:
    Pdu encode(const Message& message, std::uint64_t correlation) const;
    void count();

    PduOptions options_;
    std::vector<Pdu> pdus_;
    std::uint64_t sessions_ = 0;
};

/// A keepalive; without a number it has 40 octets, as some in the field send it.
[[nodiscard]] std::string keepalive(std::optional<std::uint32_t> number, std::uint16_t version);

/// What a receiver sends back.
struct Acknowledgement {
    std::optional<std::uint32_t> number;
    std::size_t octets = 0;
};
enum class AnswerRead : std::uint8_t { acknowledgement, incomplete, something_else };
[[nodiscard]] AnswerRead read_answer(std::string_view bytes, Acknowledgement& out);

/// One PDU for people: its header and attributes, a line each.
[[nodiscard]] std::string describe(std::string_view pdu);

}  // namespace lihandover::x2x3_send
