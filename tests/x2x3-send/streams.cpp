#include "streams.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "sessions.hpp"

namespace lihandover::x2x3_send {
namespace {

constexpr std::size_t most_buffered = std::size_t{64} << 20;

bool begins_sip(std::string_view line) {
    return line.starts_with("SIP/2.0 ") || line.ends_with(" SIP/2.0");
}

/// Content-Length of the headers of a message; 0 without one.
std::size_t length_in(std::string_view head) {
    while (!head.empty()) {
        const std::string_view line = take_line(head);
        const std::size_t colon = std::min(line.find(':'), line.size());
        const std::string_view name = trimmed(line.substr(0, colon));
        if (same_name(name, "Content-Length") || same_name(name, "l")) {
            const std::string_view value = trimmed(line.substr(std::min(line.size(), colon + 1)));
            std::size_t length = 0;
            (void)std::from_chars(value.data(), value.data() + value.size(), length);
            return length;
        }
    }
    return 0;
}

/// One direction of a connection of TCP.
class Stream {
  public:
    /// Bytes that follow those given before.
    void take(const Segment& segment, std::vector<std::string>& in_order) {
        std::uint32_t sequence = segment.sequence;
        if (segment.syn) {
            next_ = ++sequence;
            pending_.clear();
        }
        if (segment.bytes.empty()) {
            return;
        }
        if (!next_) {
            next_ = sequence;  // the capture began in the middle
        }
        auto& waiting = pending_[distance(sequence)];
        if (waiting.size() < segment.bytes.size()) {
            waiting = segment.bytes;
        }
        drain(in_order);
    }

    /// Whether bytes wait behind a hole; goes on behind it.
    bool skip_hole(std::vector<std::string>& in_order) {
        if (pending_.empty()) {
            return false;
        }
        *next_ += static_cast<std::uint32_t>(pending_.begin()->first);
        std::map<std::int64_t, std::string> moved;
        for (auto& [at, bytes] : pending_) {
            moved.emplace(at - pending_.begin()->first, std::move(bytes));
        }
        pending_ = std::move(moved);
        drain(in_order);
        return true;
    }

  private:
    /// How far ahead of what is next; negative for what has been.
    [[nodiscard]] std::int64_t distance(std::uint32_t sequence) const {
        return static_cast<std::int32_t>(sequence - *next_);
    }

    void drain(std::vector<std::string>& in_order) {
        std::int64_t moved = 0;
        while (!pending_.empty() && pending_.begin()->first <= moved) {
            auto first = pending_.extract(pending_.begin());
            const auto known = static_cast<std::size_t>(moved - first.key());
            if (known < first.mapped().size()) {
                in_order.push_back(first.mapped().substr(known));
                moved += static_cast<std::int64_t>(in_order.back().size());
            }
        }
        *next_ += static_cast<std::uint32_t>(moved);
        if (moved == 0) {
            return;
        }
        std::map<std::int64_t, std::string> rest;
        for (auto& [at, bytes] : pending_) {
            rest.emplace(at - moved, std::move(bytes));
        }
        pending_ = std::move(rest);
    }

    std::optional<std::uint32_t> next_;
    std::map<std::int64_t, std::string> pending_;  ///< by distance from next_
};

class CaptureReader {
  public:
    explicit CaptureReader(const CaptureOptions& options) : options_(options), sides_(options.targets) {}

    model::Status read_addresses() {
        for (const auto& text : options_.target_addresses) {
            std::string bytes(16, '\0');
            if (::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) {
                bytes.resize(4);
            } else if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) {
                return model::Error{"no address: " + text};
            }
            addresses_.push_back(bytes);
        }
        return {};
    }

    void take(const Segment& segment) {
        begin_ = begin_.value_or(segment.at);
        if (!segment.tcp) {
            if (begins_sip(first_line(segment.bytes))) {
                add(segment, Kind::sip, segment.bytes);
            }
            return;
        }
        auto& side = streams_[{segment.from, segment.to}];
        if (segment.syn) {
            side.cutter = {};
        }
        std::vector<std::string> in_order;
        side.stream.take(segment, in_order);
        side.latest = segment;
        cut(side, in_order);
    }

    std::size_t end() {
        std::size_t holes = 0;
        for (auto& [ends, side] : streams_) {
            std::vector<std::string> in_order;
            while (side.stream.skip_hole(in_order)) {
                ++holes;
                side.cutter.lose();
                cut(side, in_order);
                in_order.clear();
            }
        }
        return holes;
    }

    std::vector<Message> messages() && { return std::move(messages_); }

  private:
    struct Side {
        Stream stream;
        MessageCutter cutter;
        Segment latest;
    };

    static std::string_view first_line(std::string_view bytes) { return take_line(bytes); }

    void cut(Side& side, const std::vector<std::string>& in_order) {
        for (const auto& bytes : in_order) {
            side.cutter.add(bytes);
            for (MessageCutter::Cut each; side.cutter.next(each);) {
                add(side.latest, each.kind, std::move(each.bytes));
            }
        }
    }

    void add(const Segment& segment, Kind kind, std::string bytes) {
        Message message;
        message.kind = kind;
        message.xids = options_.xids;
        message.direction = direction_of(segment, kind, bytes);
        message.captured = segment.at;
        const model::Instant begin = begin_.value_or(segment.at);
        message.at = std::chrono::seconds(segment.at.seconds - begin.seconds) +
                     std::chrono::nanoseconds(segment.at.nanos - begin.nanos);
        message.bytes = std::move(bytes);
        messages_.push_back(std::move(message));
    }

    Direction direction_of(const Segment& segment, Kind kind, std::string_view bytes) {
        if (std::ranges::find(addresses_, segment.from.address) != addresses_.end()) {
            return Direction::from_target;
        }
        if (std::ranges::find(addresses_, segment.to.address) != addresses_.end()) {
            return Direction::to_target;
        }
        return sides_.direction_of(kind, bytes);
    }

    const CaptureOptions& options_;
    Sides sides_;
    std::vector<std::string> addresses_;
    std::map<std::pair<Endpoint, Endpoint>, Side> streams_;
    std::optional<model::Instant> begin_;
    std::vector<Message> messages_;
};

}  // namespace

void MessageCutter::lose() {
    buffer_.clear();
    searched_ = 0;
}

bool MessageCutter::next(Cut& out) {
    while (true) {
        const std::size_t begin = std::min(buffer_.find_first_not_of("\r\n"), buffer_.size());
        buffer_.erase(0, begin);
        searched_ = begin == 0 ? searched_ : 0;
        const std::size_t end = buffer_.find('\n');
        if (end == std::string::npos) {
            if (buffer_.size() > most_buffered) {
                lose();
            }
            return false;
        }
        std::string_view rest = buffer_;
        const std::string_view line = take_line(rest);
        Step step = Step::skipped;
        if (line.starts_with("MSRP ")) {
            step = cut_msrp(line, out);
        } else if (begins_sip(line)) {
            step = cut_sip(out);
        }
        if (step == Step::skipped) {
            buffer_.erase(0, end + 1);
            searched_ = 0;
            continue;
        }
        return step == Step::cut;
    }
}

MessageCutter::Step MessageCutter::cut_sip(Cut& out) {
    const std::size_t head = buffer_.find("\r\n\r\n");
    if (head == std::string::npos) {
        return buffer_.size() > most_buffered ? Step::skipped : Step::more;
    }
    const std::size_t length = length_in(std::string_view(buffer_).substr(0, head + 2));
    if (length > most_buffered) {
        return Step::skipped;
    }
    const std::size_t whole = head + 4 + length;
    if (buffer_.size() < whole) {
        return Step::more;
    }
    out = {Kind::sip, buffer_.substr(0, whole)};
    buffer_.erase(0, whole);
    return Step::cut;
}

MessageCutter::Step MessageCutter::cut_msrp(std::string_view start, Cut& out) {
    start.remove_prefix(5);
    const std::string end_line = "\r\n-------" + std::string(start.substr(0, start.find(' ')));
    // One flag and CRLF come behind it.
    for (std::size_t at = buffer_.find(end_line, searched_); at != std::string::npos;
         at = buffer_.find(end_line, at + 1)) {
        const std::size_t flag = at + end_line.size();
        if (flag + 3 > buffer_.size()) {
            break;
        }
        if (std::string_view("$+#").find(buffer_[flag]) != std::string_view::npos &&
            buffer_.compare(flag + 1, 2, "\r\n") == 0) {
            out = {Kind::msrp, buffer_.substr(0, flag + 3)};
            buffer_.erase(0, flag + 3);
            searched_ = 0;
            return Step::cut;
        }
    }
    searched_ = buffer_.size() - std::min(buffer_.size(), end_line.size() + 3);
    return buffer_.size() > most_buffered ? Step::skipped : Step::more;
}

model::Result<std::vector<Message>> messages_of(std::string_view file, const CaptureOptions& options,
                                                CaptureLosses* losses) {
    CaptureReader reader(options);
    if (auto read = reader.read_addresses(); !read) {
        return read.error();
    }
    auto packets = read_capture(file);
    if (!packets) {
        return packets.error();
    }
    CaptureLosses lost;
    for (const auto& segment : segments_of(*packets, &lost.packets)) {
        reader.take(segment);
    }
    lost.holes = reader.end();
    if (losses != nullptr) {
        *losses = lost;
    }
    return std::move(reader).messages();
}

}  // namespace lihandover::x2x3_send
