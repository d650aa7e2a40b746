#include "answer_head.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <string>
#include <string_view>

#include "lihandover/base/invariant.hpp"

namespace lihandover::http {
namespace {

constexpr std::size_t max_fields = 128;
constexpr std::string_view beginning = "HTTP/1.";
constexpr std::string_view line_space = " \t\v\f\r";

bool is_blank(char letter) {
    return letter == ' ' || letter == '\t';
}

/// Bytes up to and including the empty line that ends a head, searched from `from` on; 0 if it has not arrived.
std::size_t end_of_head(std::string_view text, std::size_t from) {
    for (std::size_t at = text.find('\n', from); at != std::string_view::npos; at = text.find('\n', at + 1)) {
        if (text.substr(at + 1, 1) == "\n") {
            return at + 2;
        }
        if (text.substr(at + 1, 2) == "\r\n") {
            return at + 3;
        }
    }
    return 0;
}

/// Cuts the next line off `text`, with its end.
std::string_view next_line(std::string_view& text) {
    const auto line = text.substr(0, text.find('\n') + 1);
    text.remove_prefix(line.size());
    return line;
}

std::string_view without_end(std::string_view line) {
    line.remove_suffix(1);
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    return line;
}

/// `HTTP/1.1 200 ` and anything after it.
bool is_plain_status_line(std::string_view line) {
    return line.size() >= 13 && line[8] == ' ' && line[12] == ' ' && line.find_first_of("\t\v\f\r") == line.npos;
}

/// Whether Beast accepts the head as it is. Most are accepted.
bool is_plain(std::string_view head) {
    for (bool first = true; !head.empty(); first = false) {
        const auto line = next_line(head);
        const auto text = without_end(line);
        if (!line.ends_with("\r\n")) {
            return false;
        }
        if (first) {
            if (!is_plain_status_line(text)) {
                return false;
            }
        } else if (!text.empty()) {
            const auto colon = text.find(':');
            if (is_blank(text.front()) || (colon != text.npos && colon > 0 && is_blank(text[colon - 1]))) {
                return false;
            }
        }
    }
    return true;
}

void append_status_line(std::string& out, std::string_view line) {
    const auto word = [&line] {
        line.remove_prefix(std::min(line.find_first_not_of(line_space), line.size()));
        const auto text = line.substr(0, std::min(line.find_first_of(line_space), line.size()));
        line.remove_prefix(text.size());
        return text;
    };
    out += word();
    out += ' ';
    out += word();
    out += ' ';
    line.remove_prefix(std::min(line.find_first_not_of(line_space), line.size()));
    out += line;
    out += "\r\n";
}

/// The same head as a strict sender would have written it.
std::string rewritten(std::string_view head) {
    std::string out;
    append_status_line(out, without_end(next_line(head)));
    while (!head.empty()) {
        auto text = without_end(next_line(head));
        if (!text.empty() && is_blank(text.front())) {
            // A fold continues the field before it; a fold after the status line has none.
            const bool follows_field = out.find("\r\n") + 2 < out.size();
            if (follows_field) {
                out.resize(out.size() - 2);
                out += ' ';
                text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
            }
            out += text;
        } else if (const auto colon = text.find(':'); colon != text.npos) {
            auto name = text.substr(0, colon);
            while (!name.empty() && is_blank(name.back())) {
                name.remove_suffix(1);
            }
            out += name;
            out += text.substr(colon);
        } else {
            out += text;
        }
        out += "\r\n";
    }
    return out;
}

}  // namespace

AnswerHead::AnswerHead(std::size_t max_size, unsigned max_interim) : max_size_(max_size), max_interim_(max_interim) {
    head_.max_fields = max_fields;
}

void AnswerHead::start() {
    parser_.reset();
    settled_.reset();
    scanned_ = 0;
    line_ends_ = 0;
    interim_ = 0;
    got_continue_ = false;
}

AnswerHead::State AnswerHead::parse(ReceiveBuffer& buffer) {
    if (settled_) {
        return *settled_;
    }
    const State state = take(buffer);
    if (state != State::partial && state != State::interim) {
        settled_ = state;
    }
    return state;
}

/// False: there are too many.
bool AnswerHead::skip_line_ends(ReceiveBuffer& buffer) {
    while (!buffer.empty() && is_line_end(buffer.unread().front())) {
        if (++line_ends_ > max_line_ends) {
            return false;
        }
        buffer.consume(1);
    }
    return true;
}

AnswerHead::State AnswerHead::take(ReceiveBuffer& buffer) {
    for (;;) {
        if (!skip_line_ends(buffer)) {
            return State::malformed;
        }
        if (buffer.empty()) {
            return State::partial;
        }
        buffer.begin_message();
        const std::string_view unread = buffer.unread();
        const auto prefix = unread.substr(0, beginning.size());
        if (prefix != beginning.substr(0, prefix.size())) {
            return State::malformed;
        }
        const std::size_t size = end_of_head(unread, scanned_);
        if (size > max_size_ || (size == 0 && (unread.size() > max_size_ || buffer.room().empty()))) {
            return State::too_large;
        }
        if (size == 0) {
            // The last bytes may be the beginning of the end.
            scanned_ = unread.size() - std::min<std::size_t>(unread.size(), 3);
            return State::partial;
        }
        scanned_ = 0;
        const State state = parse_one(buffer, size);
        if (state != State::partial) {
            return state;
        }
    }
}

/// One complete head of `size` bytes. `partial` means an interim one of no interest.
AnswerHead::State AnswerHead::parse_one(ReceiveBuffer& buffer, std::size_t size) {
    if (!is_plain(buffer.unread().substr(0, size))) {
        const std::string text = rewritten(buffer.unread().substr(0, size));
        if (!buffer.replace(size, text)) {
            return State::too_large;
        }
        size = text.size();
    }
    parser_.emplace(head_, size);
    boost::beast::error_code error;
    const auto text = buffer.unread().substr(0, size);
    const std::size_t used = parser_->put(boost::asio::const_buffer{text.data(), text.size()}, error);
    if (error || !parser_->is_header_done()) {
        return head_.refusal != 0 ? State::too_large : State::malformed;
    }
    LIHANDOVER_INVARIANT(used == size, "a head ends where its empty line does");
    buffer.consume(size);
    if (head_.status >= 200) {
        buffer.end_head();
        return State::final;
    }
    // 101 would hand the connection over to a protocol we did not ask for.
    if (head_.status == 101) {
        return State::malformed;
    }
    parser_.reset();
    if (++interim_ > max_interim_) {
        return State::too_many;
    }
    if (head_.status == 100) {
        got_continue_ = true;
        return State::interim;
    }
    return State::partial;
}

}  // namespace lihandover::http
