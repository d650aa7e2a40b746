#include "flow.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "elisions.hpp"
#include "lihandover/base/hex.hpp"
#include "msrp_text.hpp"

namespace lihandover::x2x3_send {
namespace {

constexpr std::string_view head_begins = "=== ";
/// Stands for `{empty}`: a value or line that is empty on purpose, and so is none that was left out.
constexpr std::string_view empty_mark =
    "\x01\x02"
    "empty\x02";
constexpr std::size_t most_filled = std::size_t{64} << 20;

using Words = std::vector<std::string_view>;

Words words_of(std::string_view text) {
    Words words;
    while (!(text = trimmed(text)).empty()) {
        const std::size_t end = text.find_first_of(" \t");
        words.push_back(text.substr(0, end));
        text.remove_prefix(words.back().size());
    }
    return words;
}

/// A text alone could be an error as well.
model::Result<std::string> text_result(std::string text) {
    return {boost::system::in_place_value, std::move(text)};
}

template <typename Number>
std::optional<Number> number_of(std::string_view text, int base = 10) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

std::optional<std::chrono::nanoseconds> duration_of(std::string_view text) {
    double scale = 1e9;
    if (text.ends_with("ms")) {
        scale = 1e6;
        text.remove_suffix(2);
    } else if (text.ends_with("us")) {
        scale = 1e3;
        text.remove_suffix(2);
    } else if (text.ends_with('s')) {
        text.remove_suffix(1);
    }
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || !(std::abs(number) < 1e9)) {
        return std::nullopt;
    }
    return std::chrono::nanoseconds(std::llround(number * scale));
}

std::optional<Direction> direction_of(std::string_view word) {
    for (const auto each : {Direction::unknown, Direction::to_target, Direction::from_target, Direction::several,
                            Direction::not_applicable}) {
        if (name_of(each) == word) {
            return each;
        }
    }
    return std::nullopt;
}

std::optional<Kind> kind_of(std::string_view word) {
    for (const auto each : {Kind::sip, Kind::msrp, Kind::mime, Kind::raw}) {
        if (name_of(each) == word) {
            return each;
        }
    }
    return std::nullopt;
}

/// Who gets a copy, and which way it went for them.
struct Receiver {
    std::vector<model::Uuid> xids;
    std::optional<Direction> direction;  ///< nullopt: the message's
};

/// The words of a head that later messages take over (`=== set`) or that concern one message.
struct Head {
    Message message;
    std::vector<Receiver> receivers;
    std::chrono::nanoseconds step{std::chrono::milliseconds(10)};  ///< between messages that say no time
    std::string line_end = "\r\n";
    std::optional<bool> ends_with_line_end;
    std::size_t chunk = 0;
};

struct Block {
    Head head;
    std::vector<std::string> lines;
    bool timed = false;
};

class Reader {
  public:
    explicit Reader(const FlowDefaults& defaults) : defaults_(defaults), tasks_(defaults.tasks) {}
    model::Result<Flow> read(std::string_view text);

  private:
    model::Status take_head(std::string_view line);
    model::Status take_task(const Words& words);
    model::Status take_words(Head& head, const Words& words, bool& timed);
    model::Status take_setting(Head& head, std::string_view name, std::string_view value);
    model::Status take_number(Head& head, std::string_view name, std::string_view value);
    model::Status take_receivers(Head& head, std::string_view names, std::optional<Direction> direction);
    model::Status take_content(std::string_view line);
    model::Result<std::string> filled_in(std::string_view line) const;
    model::Status write_all(Flow& flow);
    model::Status write(Block& block, Flow& flow);
    model::Result<std::string> sip_bytes(const Block& block);
    void deal(const Head& head, const std::string& bytes, Flow& flow);
    [[nodiscard]] model::Error wrong(std::string what) const {
        return {"line " + std::to_string(line_) + ": " + std::move(what)};
    }

    const FlowDefaults& defaults_;
    TaskNames tasks_;
    Head settings_;
    std::vector<Block> blocks_;
    std::vector<MsrpText> frames_;  // of the blocks of MSRP, in order
    std::size_t next_frame_ = 0;
    Elisions elisions_;
    std::chrono::nanoseconds now_{};
    std::size_t line_ = 0;
};

model::Status Reader::take_task(const Words& words) {
    const auto id = words.size() == 3 ? model::Uuid::parse(words[2]) : std::nullopt;
    if (!id) {
        return wrong("a task has a name and a UUID");
    }
    // Who replays the flow may have named it already.
    tasks_.emplace(std::string(words[1]), *id);
    if (defaults_.xids.empty() && settings_.message.xids.empty()) {
        settings_.message.xids = {tasks_.find(words[1])->second};
    }
    return {};
}

model::Status Reader::take_receivers(Head& head, std::string_view names, std::optional<Direction> direction) {
    Receiver receiver{{}, direction};
    while (!names.empty()) {
        const std::string_view name = names.substr(0, names.find(','));
        names.remove_prefix(std::min(names.size(), name.size() + 1));
        const auto known = tasks_.find(name);
        const auto id = known != tasks_.end() ? std::optional(known->second) : model::Uuid::parse(name);
        if (!id) {
            return wrong("an unknown task: " + std::string(name));
        }
        receiver.xids.push_back(*id);
    }
    head.receivers.push_back(std::move(receiver));
    return {};
}

model::Status Reader::take_number(Head& head, std::string_view name, std::string_view value) {
    Message& message = head.message;
    bool good = false;
    const auto set = [&good]<typename Number>(std::optional<Number>& to, std::optional<Number> number) {
        to = number;
        good = number.has_value();
    };
    if (name == "correlation") {
        set(message.correlation, number_of<std::uint64_t>(value));
    } else if (name == "sequence") {
        set(message.sequence, number_of<std::uint32_t>(value));
    } else if (name == "format") {
        set(message.format, number_of<std::uint16_t>(value));
    } else if (name == "type") {
        set(message.pdu_type, number_of<std::uint16_t>(value));
    } else if (name == "chunk") {
        const auto size = number_of<std::size_t>(value);
        head.chunk = size.value_or(0);
        good = size && *size > 0;
    } else if (name == "version") {
        const std::size_t dot = std::min(value.find('.'), value.size());
        const auto major = number_of<std::uint8_t>(value.substr(0, dot));
        const auto minor = number_of<std::uint8_t>(value.substr(std::min(value.size(), dot + 1)));
        good = major && minor;
        message.version = static_cast<std::uint16_t>(major.value_or(0) << 8 | minor.value_or(0));
    } else {
        return wrong("an unknown setting: " + std::string(name));
    }
    return good ? model::Status() : model::Status(wrong("no good number for " + std::string(name)));
}

model::Status Reader::take_setting(Head& head, std::string_view name, std::string_view value) {
    constexpr std::uint16_t matched_target = 17;
    constexpr std::uint16_t mime_type = 19;
    constexpr std::uint16_t mime_transfer_encoding = 20;
    const auto attribute = [&head](std::uint16_t type, std::string_view text) -> model::Status {
        head.message.attributes.push_back({type, std::string(text)});
        return {};
    };
    if (name == "xid") {
        return take_receivers(head, value, std::nullopt);
    }
    if (name == "from") {
        return take_receivers(head, value, Direction::from_target);
    }
    if (name == "to") {
        return take_receivers(head, value, Direction::to_target);
    }
    if (name == "matched") {
        return attribute(matched_target, value);
    }
    if (name == "mime-type") {
        return attribute(mime_type, value);
    }
    if (name == "mime-encoding") {
        return attribute(mime_transfer_encoding, value);
    }
    if (name == "attribute") {
        const std::size_t colon = std::min(value.find(':'), value.size());
        const auto type = number_of<std::uint16_t>(value.substr(0, colon));
        const auto bytes = bytes_of_hex(value.substr(std::min(value.size(), colon + 1)));
        return type && bytes ? attribute(*type, *bytes) : model::Status(wrong("attribute=NUMBER:HEX is needed"));
    }
    if (name == "eol") {
        head.line_end = value == "lf" ? "\n" : "\r\n";
        return {};
    }
    if (name == "end") {
        head.ends_with_line_end = value == "eol";
        return {};
    }
    if (name == "step") {
        const auto step = duration_of(value);
        head.step = step.value_or(head.step);
        return step ? model::Status() : model::Status(wrong("no time: " + std::string(value)));
    }
    return take_number(head, name, value);
}

model::Status Reader::take_words(Head& head, const Words& words, bool& timed) {
    for (const auto word : words) {
        if (const auto direction = direction_of(word)) {
            head.message.direction = *direction;
        } else if (word.starts_with('+') || word.starts_with('@')) {
            const auto time = duration_of(word.substr(1));
            if (!time) {
                return wrong("no time: " + std::string(word));
            }
            head.message.at = *time + (word.front() == '+' ? now_ : std::chrono::nanoseconds(0));
            timed = true;
        } else if (const std::size_t equals = word.find('='); equals != std::string_view::npos) {
            if (auto taken = take_setting(head, word.substr(0, equals), word.substr(equals + 1)); !taken) {
                return taken;
            }
        } else if (word.find('>') != std::string_view::npos) {
            head.message.hop = word;
        } else if (word.ends_with('.')) {
            head.message.step = word.substr(0, word.size() - 1);
        } else {
            return wrong("not understood: " + std::string(word));
        }
    }
    return {};
}

model::Status Reader::take_head(std::string_view line) {
    Words words = words_of(line.substr(head_begins.size()));
    if (words.empty()) {
        return wrong("what begins here?");
    }
    if (words.front() == "task") {
        return take_task(words);
    }
    bool timed = false;
    if (words.front() == "set") {
        words.erase(words.begin());
        return take_words(settings_, words, timed);
    }
    Block block{settings_, {}, false};
    // `matched=` of a message adds to that of `set`; who it goes to replaces it.
    block.head.receivers.clear();
    const auto kind = std::ranges::find_if(words, [](std::string_view word) { return kind_of(word).has_value(); });
    if (kind == words.end()) {
        return wrong("neither sip nor msrp nor mime nor raw");
    }
    block.head.message.kind = *kind_of(*kind);
    block.head.message.line = line_;
    words.erase(kind);
    if (auto taken = take_words(block.head, words, timed); !taken) {
        return taken;
    }
    if (!timed) {
        block.head.message.at = now_ + (blocks_.empty() ? std::chrono::nanoseconds(0) : block.head.step);
    }
    now_ = block.head.message.at;
    if (block.head.receivers.empty()) {
        block.head.receivers = settings_.receivers;
    }
    if (block.head.receivers.empty()) {
        const auto& xids = defaults_.xids.empty() ? block.head.message.xids : defaults_.xids;
        block.head.receivers = {{xids, std::nullopt}};
    }
    blocks_.push_back(std::move(block));
    return {};
}

/// `{n}`, `{fill 100}`, `{hex 00ff}` and `{empty}` in a line.
model::Result<std::string> Reader::filled_in(std::string_view line) const {
    constexpr std::string_view pattern = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ -";
    std::string out;
    while (!line.empty()) {
        const std::size_t open = std::min(line.find('{'), line.size());
        out += line.substr(0, open);
        line.remove_prefix(open);
        const std::size_t close = line.find('}');
        const std::string_view inside = close == std::string_view::npos ? "" : line.substr(1, close - 1);
        if (inside == "n") {
            out += number_mark;
        } else if (inside == "empty") {
            out += empty_mark;
        } else if (inside.starts_with("fill ")) {
            const auto size = number_of<std::size_t>(inside.substr(5));
            if (!size || *size > most_filled) {
                return wrong("{fill NUMBER} is needed, of at most 64 MiB");
            }
            const std::size_t begin = out.size();
            out.resize(begin + *size);
            for (std::size_t i = 0; i < *size; ++i) {
                out[begin + i] = pattern[(i + i / pattern.size()) % pattern.size()];
            }
        } else if (inside.starts_with("hex ")) {
            const auto bytes = bytes_of_hex(inside.substr(4));
            if (!bytes) {
                return wrong("{hex DIGITS} is needed");
            }
            out += *bytes;
        } else {
            out += line.substr(0, 1);
            line.remove_prefix(std::min<std::size_t>(line.size(), 1));
            continue;
        }
        line.remove_prefix(close + 1);
    }
    return text_result(std::move(out));
}

model::Status Reader::take_content(std::string_view line) {
    auto& lines = blocks_.back().lines;
    if (lines.empty() && (line.empty() || line.front() == '#')) {
        return {};  // a comment before it
    }
    if (line.size() > 1 && line[0] == '\\' && (line[1] == '=' || line[1] == '#' || line[1] == '\\')) {
        line.remove_prefix(1);
    }
    auto text = filled_in(line);
    if (!text) {
        return text.error();
    }
    lines.push_back(std::move(*text));
    return {};
}

std::string without_marks(std::string text) {
    for (std::size_t at = text.find(empty_mark); at != std::string::npos; at = text.find(empty_mark, at)) {
        text.erase(at, empty_mark.size());
    }
    return text;
}

std::string joined(const std::vector<std::string>& lines, std::string_view line_end, bool at_end) {
    std::string out;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        out += lines[i];
        if (i + 1 < lines.size() || at_end) {
            out += line_end;
        }
    }
    return out;
}

model::Result<std::string> Reader::sip_bytes(const Block& block) {
    auto text = read_sip_text(block.lines);
    if (!text) {
        return wrong(text.error().message);
    }
    if (auto filled = elisions_.fill(*text); !filled) {
        return wrong(filled.error().message);
    }
    const Header* type = text->find("Content-Type");
    type = type == nullptr ? text->find("c") : type;
    const bool sdp = type != nullptr && trimmed(type->value).starts_with("application/sdp");
    const std::string& line_end = block.head.line_end;
    const std::string body =
        without_marks(joined(text->body, line_end, block.head.ends_with_line_end.value_or(sdp) && text->has_body));
    std::string out = text->start + line_end;
    for (const auto& header : text->headers) {
        const bool length = same_name(header.name, "Content-Length") || same_name(header.name, "l");
        if (header.value == "\n") {
            out += header.name + line_end;
        } else if (length && header.elided()) {
            out += header.name + ": " + std::to_string(body.size()) + line_end;
        } else {
            out += header.name + ":" + header.value + line_end;
        }
    }
    return text_result(without_marks(std::move(out)) + line_end + body);
}

void Reader::deal(const Head& head, const std::string& bytes, Flow& flow) {
    for (const auto& receiver : head.receivers) {
        Message message = head.message;
        message.xids = receiver.xids;
        message.direction = receiver.direction.value_or(message.direction);
        message.bytes = bytes;
        flow.messages.push_back(std::move(message));
    }
}

model::Status Reader::write(Block& block, Flow& flow) {
    line_ = block.head.message.line;
    for (const auto& receiver : block.head.receivers) {
        if (receiver.xids.empty()) {
            return wrong("of no task: name one with xid=, from= or to=, or give a default");
        }
    }
    if (block.head.message.kind == Kind::raw) {
        const auto bytes = bytes_of_hex(joined(block.lines, "", false));
        if (!bytes) {
            return wrong("raw bytes are hex digits");
        }
        deal(block.head, *bytes, flow);
        return {};
    }
    if (block.head.message.kind == Kind::msrp) {
        const MsrpText& frame = frames_.at(next_frame_++);
        if (block.head.chunk == 0) {
            deal(block.head, without_marks(frame.bytes()), flow);
            return {};
        }
        auto chunks = chunks_of(frame, block.head.chunk);
        if (!chunks) {
            return wrong(chunks.error().message);
        }
        for (const auto& chunk : *chunks) {
            deal(block.head, chunk.bytes(), flow);
            block.head.message.at += std::chrono::microseconds(1);
        }
        return {};
    }
    if (block.head.message.kind == Kind::sip) {
        auto bytes = sip_bytes(block);
        if (!bytes) {
            return bytes.error();
        }
        deal(block.head, *bytes, flow);
        return {};
    }
    deal(block.head,
         without_marks(joined(block.lines, block.head.line_end, block.head.ends_with_line_end.value_or(false))), flow);
    return {};
}

model::Status Reader::write_all(Flow& flow) {
    for (auto& block : blocks_) {
        while (!block.lines.empty() && block.lines.back().empty()) {
            block.lines.pop_back();
        }
        if (block.lines.empty()) {
            line_ = block.head.message.line;
            return wrong("a message without a line");
        }
        if (block.head.message.kind == Kind::msrp) {
            frames_.push_back(read_msrp_text(block.lines));
        }
    }
    std::vector<MsrpText*> frames;
    frames.reserve(frames_.size());
    for (auto& frame : frames_) {
        frames.push_back(&frame);
    }
    count_ranges(frames);
    for (auto& block : blocks_) {
        if (auto written = write(block, flow); !written) {
            return written;
        }
    }
    return {};
}

model::Result<Flow> Reader::read(std::string_view text) {
    while (!text.empty()) {
        const std::string_view line = take_line(text);
        ++line_;
        model::Status taken;
        if (line.starts_with(head_begins)) {
            taken = take_head(line);
        } else if (!blocks_.empty()) {
            taken = take_content(line);
        } else if (!trimmed(line).empty() && line.front() != '#') {
            taken = wrong("a message begins with ===");
        }
        if (!taken) {
            return taken.error();
        }
    }
    Flow flow;
    if (auto written = write_all(flow); !written) {
        return written.error();
    }
    flow.tasks = tasks_;
    return flow;
}

}  // namespace

model::Result<Flow> read_flow(std::string_view text, const FlowDefaults& defaults) {
    return Reader(defaults).read(text);
}

std::string flow_text(const Message& message) {
    std::string out = "=== ";
    out += message.step.empty() ? "" : message.step + ". ";
    out += name_of(message.kind);
    out += ' ';
    out += name_of(message.direction);
    out += message.hop.empty() ? "" : ' ' + message.hop;
    char separator = '=';
    for (const auto& xid : message.xids) {
        out += (separator == '=' ? " xid=" : ",") + xid.to_string();
        separator = ',';
    }
    if (message.correlation) {
        out += " correlation=" + std::to_string(*message.correlation);
    }
    out += " @" + std::to_string(message.at.count() / 1000) + "us\n";
    std::string_view rest = message.bytes;
    while (!rest.empty()) {
        const std::string_view line = take_line(rest);
        if (line.starts_with('=') || line.starts_with('#') || line.starts_with('\\')) {
            out += '\\';
        }
        for (const char c : line) {
            const auto byte = static_cast<unsigned char>(c);
            out += (byte < 0x20 && c != '\t') || byte == 0x7f ? "{hex " + base::to_hex(std::string_view(&c, 1)) + "}"
                                                              : std::string(1, c);
        }
        out += '\n';
    }
    return out + '\n';
}

}  // namespace lihandover::x2x3_send
