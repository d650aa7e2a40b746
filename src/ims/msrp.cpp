#include "lihandover/ims/msrp.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "msrp_start.hpp"
#include "text.hpp"

namespace lihandover::ims {

namespace {

// Header fields beyond that are read, but not listed.
constexpr std::size_t most_headers = 256;
// URIs of one path. Of more, the first ones and the last, which names the peer, are kept.
constexpr std::size_t most_hops = 64;

constexpr bool is_letter(char c) {
    return to_lower(c) >= 'a' && to_lower(c) <= 'z';
}

/// What a transaction may be: RFC 4975's octets, though fewer or more of them than it has.
bool is_transaction(std::string_view text) {
    return !text.empty() && text.size() <= max_msrp_transaction && std::ranges::all_of(text, [](char c) {
        return is_letter(c) || is_digit(c) || std::string_view(".-+%=").find(c) != npos;
    });
}

/// Where in `text` from `at` on `what` stands. glibc's own takes long steps, other than std::string_view::find.
std::size_t find_in(std::string_view text, std::string_view what, std::size_t at) {
    if (at >= text.size()) {
        return npos;
    }
    const void* const found = memmem(text.data() + at, text.size() - at, what.data(), what.size());
    return found == nullptr ? npos : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

/// Octets of the line end that `text` has at `at`: CRLF, or LF where that will do; 0 for none.
std::size_t line_end_at(std::string_view text, std::size_t at, bool lf_will_do) {
    const std::string_view rest = text.substr(std::min(at, text.size()), 2);
    return rest == "\r\n" ? 2 : lf_will_do && rest.starts_with('\n') ? 1 : 0;
}

/// Where the line that ends a frame was found.
struct Ending {
    std::size_t before = 0;  ///< the line end in front of it
    std::size_t line = 0;
    std::size_t after = 0;
    ChunkFlag flag = ChunkFlag::last;
    bool deviating = false;
};

/// Looks for the line that ends a frame: dashes, the frame's name, a flag.
class EndLine {
  public:
    /// Of RFC 4975, and of the draft.
    EndLine(bool draft, std::string_view name, bool lf_will_do) : draft_(draft), lf_(lf_will_do), name_(name) {
        add(lf_ ? "\n" : "\r\n");
        line_end_ = size_;
        add(draft_ ? "-----" : "-------");
        if (!draft_) {
            add(name_);
        }
    }

    /// The octets it can have, with the line end before it.
    [[nodiscard]] std::size_t longest() const { return size_ + name_.size() + 4; }

    [[nodiscard]] std::optional<Ending> find(std::string_view text, std::size_t at) const {
        const std::string_view searched(text_.data(), size_);
        while ((at = find_in(text, searched, at)) != npos) {
            if (const auto ending = ending_at(text, at)) {
                return ending;
            }
            ++at;
        }
        return std::nullopt;
    }

  private:
    void add(std::string_view part) {
        std::ranges::copy(part, text_.begin() + static_cast<std::ptrdiff_t>(size_));
        size_ += part.size();
    }

    [[nodiscard]] std::optional<Ending> ending_at(std::string_view text, std::size_t found) const {
        Ending out{.before = found, .line = found + line_end_};
        std::size_t at = found + size_;
        if (draft_) {
            // Table A.4.3-31 has a blank behind the dashes.
            out.deviating = text.substr(at, 1) == " ";
            at += out.deviating ? 1 : 0;
            if (text.substr(std::min(at, text.size()), name_.size()) != name_) {
                return std::nullopt;
            }
            at += name_.size();
        }
        const std::size_t line_end = line_end_at(text, at + 1, lf_);
        if (line_end == 0) {
            return std::nullopt;
        }
        switch (text[at]) {
            case '$':
                break;
            case '+':
                out.flag = ChunkFlag::more;
                break;
            case '#':
                out.flag = ChunkFlag::abandoned;
                break;
            default:
                return std::nullopt;
        }
        if (lf_ && found > 0 && text[found - 1] == '\r') {
            --out.before;
        }
        out.after = at + 1 + line_end;
        return out;
    }

    bool draft_;
    bool lf_;
    std::string_view name_;
    std::array<char, 2 + 7 + max_msrp_transaction> text_{};
    std::size_t size_ = 0;
    std::size_t line_end_ = 0;
};

/// Where the empty line that ends a head ends, from the beginning of a line on.
std::size_t after_empty_line(std::string_view head, std::size_t line) {
    for (std::size_t end = 0; (end = head.find('\n', line)) != npos; line = end + 1) {
        if (head.substr(line, end - line).find_first_not_of('\r') == npos) {
            return end + 1;
        }
    }
    return npos;
}

/// The largest there is for one that is too large.
std::optional<std::uint64_t> read_offset(std::string_view text) {
    if (text.empty() || !std::ranges::all_of(text, is_digit)) {
        return std::nullopt;
    }
    return read_number<std::uint64_t>(text).value_or(std::numeric_limits<std::uint64_t>::max());
}

/// What a chunk is placed by is its start: with one that can be read, it is a range.
std::optional<ByteRange> read_byte_range(std::string_view value, bool& deviating) {
    const std::size_t dash = std::min(value.find('-'), value.size());
    const std::size_t slash = std::min(value.find('/', dash), value.size());
    const std::string_view end = value.substr(std::min(dash + 1, slash), slash - std::min(dash + 1, slash));
    const std::string_view total = value.substr(std::min(slash + 1, value.size()));
    const auto start = read_offset(value.substr(0, dash));
    if (!start) {
        deviating = true;
        return std::nullopt;
    }
    ByteRange out{std::max<std::uint64_t>(*start, 1), read_number<std::uint64_t>(end),
                  read_number<std::uint64_t>(total)};
    deviating = deviating || *start == 0 || (!out.end && end != "*") || (!out.total && total != "*");
    return out;
}

std::optional<MsrpFrame::Report> read_status(std::string_view value) {
    const std::string_view name_space = take_word(value);
    const std::string_view code = take_word(value);
    const auto name_space_number = read_number<unsigned>(name_space);
    const auto code_number = read_number<unsigned>(code);
    if (name_space.size() != 3 || code.size() != 3 || !name_space_number || !code_number) {
        return std::nullopt;
    }
    return MsrpFrame::Report{*name_space_number, *code_number, trimmed(value)};
}

/// A code without its namespace, as TS 24.247 9.3.2 speaks of it.
std::optional<MsrpFrame::Report> read_status_without_namespace(std::string_view value) {
    const std::string_view code = take_word(value);
    const auto number = read_number<unsigned>(code);
    if (code.size() != 3 || !number || *number < 100) {
        return std::nullopt;
    }
    return MsrpFrame::Report{0, *number, trimmed(value)};
}

bool is_quoted(std::string_view value) {
    return value.size() > 1 && end_of_quoted(value, 0) == value.size() && value.front() == '"';
}
std::string_view unquoted(std::string_view value) {
    return value.substr(1, value.size() - 2);
}

/// An empty frame in the memory of the one before.
void reset(MsrpFrame& out) {
    MsrpFrame empty;
    for (const auto list : {&MsrpFrame::to_path, &MsrpFrame::from_path}) {
        (out.*list).clear();
        std::swap(out.*list, empty.*list);
    }
    out.headers.clear();
    std::swap(out.headers, empty.headers);
    out = std::move(empty);
}

// The header fields that mean something here. All others are only listed.
enum class MsrpField : std::uint8_t {
    to_path,
    from_path,
    message_id,
    byte_range,
    success_report,
    failure_report,
    status,
    use_nickname,
    content_type,
    content_disposition,
    content_id,
    transaction,
    other,
};
struct FieldName {
    std::string_view name;
    MsrpField field;
    /// The draft's name for it: does RFC 4975's form have it, too? Messages under way between the two do.
    enum class Draft : std::uint8_t { no, only, too } draft = Draft::no;
};
constexpr std::array<FieldName, 16> field_names{{
    {"To-Path", MsrpField::to_path},
    {"From-Path", MsrpField::from_path},
    {"Message-ID", MsrpField::message_id},
    {"Byte-Range", MsrpField::byte_range},
    {"Success-Report", MsrpField::success_report},
    {"Failure-Report", MsrpField::failure_report},
    {"Status", MsrpField::status},
    {"Use-Nickname", MsrpField::use_nickname},
    {"Content-Type", MsrpField::content_type},
    {"Content-Disposition", MsrpField::content_disposition},
    {"Content-ID", MsrpField::content_id},
    {"To", MsrpField::to_path, FieldName::Draft::only},
    {"From", MsrpField::from_path, FieldName::Draft::only},
    {"TR-ID", MsrpField::transaction, FieldName::Draft::only},
    {"Report-Success", MsrpField::success_report, FieldName::Draft::too},
    {"Report-Failure", MsrpField::failure_report, FieldName::Draft::too},
}};

/// The header fields of a frame. The first of a name counts.
class HeaderTaker {
  public:
    explicit HeaderTaker(MsrpFrame& out) : out_(out) {}

    /// Takes the lines up to an empty one. Where there is none, some senders begin the body right after Content-Type:
    /// gives the place of the first line that is no header field; npos if all are.
    std::size_t take(std::string_view lines, bool empty_line_follows) {
        const std::size_t all = lines.size();
        while (!lines.empty()) {
            const std::size_t at = all - lines.size();
            const std::string_view line = take_line(lines);
            if (line.empty()) {
                break;
            }
            if (!take_header(line)) {
                out_.deviating = true;
                if (!empty_line_follows && has(MsrpField::content_type) && !is_blank(line.front())) {
                    return at;
                }
            }
        }
        return npos;
    }

    /// Whether all is there that a frame has to have, in its place.
    [[nodiscard]] bool is_sound() const {
        const auto is = [this](std::size_t at, std::string_view name) {
            return at < out_.headers.size() && same_name(out_.headers[at].name, name);
        };
        const bool has_paths = !out_.to_path.empty() && !out_.from_path.empty() &&
                               (out_.draft || (is(0, "To-Path") && is(1, "From-Path")));
        const bool reports = out_.method == "REPORT";
        const bool names = out_.method == "SEND" || reports;
        return has_paths && (!reports || out_.report) && (!names || is_msrp_identifier(out_.message_id)) &&
               (out_.method != "NICKNAME" || out_.use_nickname) &&
               (!has(MsrpField::content_type) || last_ == MsrpField::content_type);
    }

  private:
    [[nodiscard]] bool has(MsrpField field) const { return has_[static_cast<std::size_t>(field)]; }
    void deviates(bool how) { out_.deviating = out_.deviating || how; }

    [[nodiscard]] bool take_header(std::string_view line) {
        const std::size_t colon = line.find(':');
        const std::string_view name = colon == npos ? std::string_view() : trimmed_back(line.substr(0, colon));
        if (!is_token(name) || !is_letter(name.front())) {
            return false;
        }
        const std::string_view value = trimmed(line.substr(colon + 1));
        deviates(name.size() != colon || out_.headers.size() == most_headers);
        if (out_.headers.size() < most_headers) {
            out_.headers.push_back({name, value});
        }
        last_ = field_of(name);
        if (last_ == MsrpField::other || (last_ == MsrpField::status && out_.method != "REPORT")) {
            return true;
        }
        bool& known = has_[static_cast<std::size_t>(last_)];
        deviates(known);
        if (!std::exchange(known, true)) {
            take_value(last_, value);
        }
        return true;
    }

    [[nodiscard]] MsrpField field_of(std::string_view name) {
        using Draft = FieldName::Draft;
        for (const FieldName& each : field_names) {
            if (same_name(name, each.name) && (each.draft != Draft::only || out_.draft)) {
                deviates(each.draft == Draft::too && !out_.draft);
                return each.field;
            }
        }
        return MsrpField::other;
    }

    void take_value(MsrpField field, std::string_view value) {
        switch (field) {
            case MsrpField::to_path:
                return take_path(value, out_.to_path);
            case MsrpField::from_path:
                return take_path(value, out_.from_path);
            case MsrpField::message_id:
                out_.message_id = value;
                return;
            case MsrpField::byte_range:
                out_.range = read_byte_range(value, out_.deviating);
                return;
            case MsrpField::success_report:
                out_.success_report = same_name(value, "yes");
                return deviates(!out_.success_report && !same_name(value, "no"));
            case MsrpField::failure_report:
                return take_failure_report(value);
            case MsrpField::status:
                return take_status(value);
            case MsrpField::use_nickname:
                out_.use_nickname = is_quoted(value) ? unquoted(value) : value;
                return deviates(!is_quoted(value));
            case MsrpField::content_type:
                out_.content_type = is_quoted(value) ? unquoted(value) : value;
                return deviates(is_quoted(value) && !out_.draft);
            case MsrpField::content_disposition:
                out_.content_disposition = value;
                return;
            case MsrpField::content_id:
                out_.content_id = value;
                return;
            case MsrpField::transaction:
                out_.transaction = value.empty() ? out_.transaction : value;
                return;
            case MsrpField::other:
                return;
        }
    }

    void take_path(std::string_view value, std::vector<std::string_view>& path) {
        for (std::string_view uri; !(uri = take_word(value)).empty();) {
            if (path.size() == most_hops) {
                path.back() = uri;
                deviates(true);
            } else {
                path.push_back(uri);
            }
        }
    }

    void take_status(std::string_view value) {
        out_.report = read_status(value);
        if (!out_.report) {
            out_.report = read_status_without_namespace(value);
            deviates(!out_.draft);
        }
    }

    void take_failure_report(std::string_view value) {
        using Failure = MsrpFrame::Failure;
        if (same_name(value, "no")) {
            out_.failure_report = Failure::no;
        } else if (same_name(value, "partial")) {
            out_.failure_report = Failure::partial;
        } else {
            deviates(!same_name(value, "yes"));
        }
    }

    MsrpFrame& out_;
    std::array<bool, static_cast<std::size_t>(MsrpField::other)> has_{};
    MsrpField last_ = MsrpField::other;
};

/// The start line of a frame, and what will end it.
struct Opening {
    MsrpStart start;
    bool draft = false;
    std::string_view name;   ///< of the end line
    std::size_t fields = 0;  ///< where header fields begin
    bool lf = false;         ///< its lines end with LF alone
};

/// Whether a transaction of three digits may be the draft's code, and the method a comment on it.
bool may_be_code(const MsrpStart& start) {
    const std::string_view digits = start.transaction;
    const bool is_known =
        start.method == "SEND" || start.method == "REPORT" || start.method == "NICKNAME" || start.method == "AUTH";
    return digits.size() == 3 && std::ranges::all_of(digits, is_digit) && start.request && !is_known;
}

/// Reads it from the beginning of `head`: MsrpRead::frame where it is there.
///   whole   no more of the head can come
MsrpRead read_opening(std::string_view head, bool whole, Opening& out) {
    if (!head.starts_with(msrp_start.substr(0, std::min(head.size(), msrp_start.size())))) {
        return MsrpRead::malformed;
    }
    const std::size_t end = head.find('\n');
    if (end == npos) {
        return whole ? MsrpRead::malformed : MsrpRead::incomplete;
    }
    out.lf = head[end - 1] != '\r';
    out.fields = end + 1;
    const std::string_view line = head.substr(0, out.lf ? end : end - 1);
    const auto start = read_msrp_start(line);
    if (start) {
        out.start = *start;
        out.name = start->transaction;
        if (!may_be_code(*start)) {
            return MsrpRead::frame;
        }
    }
    if (const auto draft = read_draft_start(line)) {
        std::string_view boundary;
        switch (find_draft_boundary(head.substr(out.fields), boundary)) {
            case DraftBoundary::found:
                out.start = *draft;
                out.start.transaction = boundary;
                out.name = boundary;
                out.draft = true;
                return MsrpRead::frame;
            case DraftBoundary::unknown:
                if (!whole) {
                    return MsrpRead::incomplete;
                }
                break;
            case DraftBoundary::absent:
                break;
        }
    }
    return start ? MsrpRead::frame : MsrpRead::malformed;
}

void fill(MsrpFrame& out, const Opening& opening, const Ending& ending) {
    const MsrpStart& start = opening.start;
    out.request = start.request;
    out.draft = opening.draft;
    out.transaction = start.transaction;
    out.method = start.method;
    out.status = start.status;
    out.comment = start.comment;
    out.flag = ending.flag;
    out.deviating = start.deviating || opening.lf || ending.deviating;
}

/// The head's fields and the body of a frame that is all there.
///   after_empty   where the empty line ends; npos: there is none
void read_rest(std::string_view bytes, const Opening& opening, const Ending& ending, std::size_t after_empty,
               MsrpFrame& out) {
    const bool has_empty = after_empty != npos;
    const std::size_t fields_end = has_empty ? after_empty : ending.line;
    HeaderTaker fields(out);
    std::size_t body = fields.take(bytes.substr(opening.fields, fields_end - opening.fields), has_empty);
    body = body == npos ? after_empty : body + opening.fields;
    out.deviating = out.deviating || !fields.is_sound();
    if (body == npos) {
        return;
    }
    // Without a line end of its own behind it, an empty line begins no body.
    out.has_body = body <= ending.before;
    out.body = bytes.substr(body, out.has_body ? ending.before - body : 0);
    out.deviating = out.deviating || !has_empty || !out.has_body || out.content_type.empty();
}

}  // namespace

bool is_msrp_identifier(std::string_view text) {
    return text.size() >= 4 && text.size() <= 32 && is_transaction(text) &&
           (is_letter(text.front()) || is_digit(text.front()));
}

bool read_msrp_purpose(std::string_view text, MsrpStart& out) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    const std::string_view rest = trimmed(text.substr(end));
    if (word.size() == 3 && std::ranges::all_of(word, is_digit)) {
        out.status = *read_number<unsigned>(word);
        out.comment = rest;
        return true;
    }
    const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
    if (word.empty() || word.size() > 32 || !std::ranges::all_of(word, is_upper) || !rest.empty()) {
        return false;
    }
    out.request = true;
    out.method = word;
    out.deviating = out.deviating || end != text.size();
    return true;
}

std::optional<MsrpStart> read_msrp_start(std::string_view line) {
    if (!line.starts_with(msrp_start)) {
        return std::nullopt;
    }
    line.remove_prefix(msrp_start.size());
    const std::size_t blank = line.find(' ');
    MsrpStart out;
    out.transaction = line.substr(0, blank);
    out.deviating = !is_msrp_identifier(out.transaction);
    if (blank == npos || !is_transaction(out.transaction) || !read_msrp_purpose(line.substr(blank + 1), out)) {
        return std::nullopt;
    }
    return out;
}

MsrpRead read_msrp(std::string_view bytes, MsrpFrame& out, std::size_t from) {
    reset(out);
    const std::size_t empty_lines = std::min(bytes.substr(0, max_msrp_head).find_first_not_of("\r\n"), bytes.size());
    if (empty_lines >= max_msrp_head) {
        return MsrpRead::malformed;
    }
    const std::string_view rest = bytes.substr(empty_lines);
    const std::string_view head = rest.substr(0, max_msrp_head - empty_lines);
    const bool whole_head = bytes.size() >= max_msrp_head;
    Opening opening;
    if (const MsrpRead read = read_opening(head, whole_head, opening); read != MsrpRead::frame) {
        return read;
    }
    const EndLine end_line(opening.draft, opening.name, opening.lf);
    // The end of the start line may be what precedes the end line.
    const std::size_t first = opening.fields - (opening.lf ? 1 : 2);
    const std::size_t seen = from - std::min(from, empty_lines + end_line.longest());
    // A head without an empty line has its end line within, or is none: nothing beyond it is searched for nothing.
    const bool endless = whole_head && from <= max_msrp_head && after_empty_line(head, opening.fields) == npos;
    const auto ending = end_line.find(endless ? head : rest, std::max(first, seen));
    if (!ending) {
        return endless ? MsrpRead::malformed : MsrpRead::incomplete;
    }
    const std::size_t after_empty = after_empty_line(head.substr(0, ending->line), opening.fields);
    if (after_empty == npos && ending->after > head.size()) {
        return MsrpRead::malformed;
    }
    fill(out, opening, *ending);
    read_rest(rest, opening, *ending, after_empty, out);
    out.octets = empty_lines + ending->after;
    out.deviating = out.deviating || empty_lines > 0;
    return MsrpRead::frame;
}

std::size_t find_msrp(std::string_view bytes, std::size_t from) {
    // As long as a start line may be here; only a comment makes it longer.
    constexpr std::size_t longest = 256;
    for (std::size_t at = from; (at = find_in(bytes, msrp_start, at)) != npos; ++at) {
        const std::string_view text = bytes.substr(at, longest);
        const std::size_t end = text.find('\n');
        if (end == npos && text.size() < longest) {
            continue;
        }
        std::string_view line = text.substr(0, end);
        line.remove_suffix(line.ends_with('\r') ? 1 : 0);
        const std::string_view next = end == npos ? std::string_view() : text.substr(end + 1);
        if (read_msrp_start(line) || (starts_with_name(next, "Boundary:") && read_draft_start(line))) {
            return at;
        }
    }
    return bytes.size();
}

}  // namespace lihandover::ims
