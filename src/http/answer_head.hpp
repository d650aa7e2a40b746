#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "parser.hpp"
#include "receive_buffer.hpp"

namespace lihandover::http {

/// Finds the heads of answers in received bytes, as tolerantly as RFC 9112 allows a client to be: a few empty lines
/// before a status line, lines that end with LF alone (2.2), other white space in the status line, none before a
/// missing reason (4), white space before a colon (5.1), folded fields (5.2). No I/O.
class AnswerHead {
  public:
    enum class State : std::uint8_t {
        partial,    ///< more has to come
        interim,    ///< a `100 Continue` was skipped
        final,      ///< the head is at the front of the buffer: see head() and parser()
        malformed,  ///< not an HTTP/1.x answer, or one that hands the connection over
        too_large,  ///< the head is
        too_many,   ///< interim answers
    };

    /// Bounds: bytes of a head, and interim answers before a final one.
    AnswerHead(std::size_t max_size, unsigned max_interim);

    /// Bytes of line ends that are skipped before a head.
    static constexpr std::size_t max_line_ends = 16;
    [[nodiscard]] static bool is_line_end(char letter) { return letter == '\r' || letter == '\n'; }

    /// Another answer begins.
    void start();
    /// Examines what is in `buffer`. Once the result is not partial or interim, it stays the same until start().
    State parse(ReceiveBuffer& buffer);

    /// Part of an unfinished answer has arrived.
    [[nodiscard]] bool begun(const ReceiveBuffer& buffer) const { return parser_.has_value() || !buffer.empty(); }
    /// A `100 Continue` has come.
    [[nodiscard]] bool got_continue() const { return got_continue_; }
    // Of a final head.
    [[nodiscard]] const Head& head() const { return head_; }
    [[nodiscard]] AnswerParser& parser() { return *parser_; }

  private:
    State parse_one(ReceiveBuffer& buffer, std::size_t size);
    State take(ReceiveBuffer& buffer);
    bool skip_line_ends(ReceiveBuffer& buffer);

    std::size_t max_size_;
    unsigned max_interim_;
    Head head_;
    std::optional<AnswerParser> parser_;  ///< once a head is complete
    std::size_t scanned_ = 0;             ///< unread bytes without an end of a head
    std::size_t line_ends_ = 0;           ///< passed over
    unsigned interim_ = 0;
    bool got_continue_ = false;
    std::optional<State> settled_;
};

}  // namespace lihandover::http
