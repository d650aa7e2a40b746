#include "lihandover/ims/sip.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>

#include "header_parameters.hpp"
#include "sip_addresses.hpp"
#include "text.hpp"

namespace lihandover::ims {

namespace {

/// Header fields that are read.
enum class SipField : std::uint8_t {
    asserted,
    call_id,
    called_party,
    contact,
    content_disposition,
    content_encoding,
    content_length,
    content_type,
    cseq,
    diversion,
    event,
    from,
    history,
    preferred,
    refer_to,
    referred_by,
    subscription_state,
    to,
    via,
    other,
};

struct KnownField {
    std::string_view name;
    SipField field;
};
constexpr auto known_fields = std::to_array<KnownField>({
    {"From", SipField::from},
    {"To", SipField::to},
    {"Via", SipField::via},
    {"CSeq", SipField::cseq},
    {"Call-ID", SipField::call_id},
    {"Content-Type", SipField::content_type},
    {"Content-Length", SipField::content_length},
    {"Contact", SipField::contact},
    {"P-Asserted-Identity", SipField::asserted},
    {"P-Preferred-Identity", SipField::preferred},
    {"P-Called-Party-ID", SipField::called_party},
    {"History-Info", SipField::history},
    {"Diversion", SipField::diversion},
    {"Refer-To", SipField::refer_to},
    {"Referred-By", SipField::referred_by},
    {"Event", SipField::event},
    {"Subscription-State", SipField::subscription_state},
    {"Content-Disposition", SipField::content_disposition},
    {"Content-Encoding", SipField::content_encoding},
});

struct CompactForm {
    char letter;
    std::string_view name;
};
constexpr auto compact_forms = std::to_array<CompactForm>({
    {'a', "Accept-Contact"},
    {'b', "Referred-By"},
    {'c', "Content-Type"},
    {'d', "Request-Disposition"},
    {'e', "Content-Encoding"},
    {'f', "From"},
    {'i', "Call-ID"},
    {'j', "Reject-Contact"},
    {'k', "Supported"},
    {'l', "Content-Length"},
    {'m', "Contact"},
    {'n', "Identity-Info"},
    {'o', "Event"},
    {'r', "Refer-To"},
    {'s', "Subject"},
    {'t', "To"},
    {'u', "Allow-Events"},
    {'v', "Via"},
    {'x', "Session-Expires"},
    {'y', "Identity"},
});

/// The long form of a name.
std::string_view long_form(std::string_view name) {
    if (name.size() == 1) {
        const auto* const form = std::ranges::find(compact_forms, to_lower(name[0]), &CompactForm::letter);
        return form == compact_forms.end() ? name : form->name;
    }
    return name;
}

SipField field_of(std::string_view name) {
    name = long_form(name);
    const auto* const known =
        std::ranges::find_if(known_fields, [name](const KnownField& each) { return same_name(each.name, name); });
    return known == known_fields.end() ? SipField::other : known->field;
}

class SipReader {
  public:
    /// `blank_line_ends`: header fields end with a line of blanks too, which else continues the one before.
    SipReader(std::string_view bytes, bool blank_line_ends, SipMessage& message)
        : rest_(bytes), blank_line_ends_(blank_line_ends), out_(message) {}

    /// Why it cannot be read; empty where it was.
    std::string_view read();
    /// No empty line ended the header fields, but a line of blanks may have been meant to.
    [[nodiscard]] bool blank_line_may_end() const { return !ended_ && saw_blank_line_; }

  private:
    bool start_line();
    bool status_line(std::string_view line);
    bool request_line(std::string_view line);
    std::string_view header_fields();
    std::string_view next_line();
    std::string_view take_field_lines();
    bool ends_header_fields();
    std::string_view header_field(std::string_view lines);
    bool take(SipField field, std::string_view value);
    void take_address(std::string_view value, SipAddress& out, bool& has);
    void take_first(std::string_view value, std::string_view& out);
    void take_cseq(std::string_view value);
    void take_content_length(std::string_view value);
    void take_via(std::string_view value);
    void take_body();
    bool take_addresses(std::string_view value, std::vector<SipAddress>& out) {
        return read_addresses(value, out_, out, addresses_left_);
    }
    void mended(std::string_view phrase) { note_mended(out_, phrase); }

    std::string_view rest_;
    bool blank_line_ends_;
    SipMessage& out_;
    bool ended_ = false;
    bool saw_blank_line_ = false;
    std::size_t addresses_left_ = max_sip_addresses;
    bool has_from_ = false;
    bool has_to_ = false;
    bool has_cseq_ = false;
    bool has_via_ = false;
    std::string_view cseq_method_;
    std::optional<std::size_t> content_length_;
    bool content_length_counts_ = true;
};

constexpr std::string_view twice = "a header field twice that may be there once";

std::string_view SipReader::read() {
    if (!start_line()) {
        return "no start line of SIP";
    }
    if (const std::string_view why = header_fields(); !why.empty()) {
        return why;
    }
    if (out_.call_id.empty()) {
        return "no Call-ID";
    }
    if (!has_cseq_) {
        return "no CSeq";
    }
    if (!has_from_) {
        return "no From";
    }
    if (!has_to_) {
        return "no To";
    }
    if (out_.is_answer()) {
        out_.method = cseq_method_;
    } else if (out_.method != cseq_method_) {
        mended("a CSeq with another method");
    }
    take_body();
    return {};
}

std::string_view SipReader::next_line() {
    const char* const begin = rest_.data();
    const std::string_view line = take_line(rest_);
    if (rest_.data() == begin + line.size() + 1 && rest_.data()[-1] == '\n') {
        mended("lines that end with LF alone");
    }
    return line;
}

bool SipReader::start_line() {
    // RFC 3261 7.5: empty lines before it are passed over.
    const std::string_view found = rest_;
    rest_ = trimmed_front(rest_);
    if (std::ranges::any_of(found.substr(0, found.size() - rest_.size()), is_blank)) {
        mended("blanks before the start line");
    }
    const std::string_view line = next_line();
    const std::string_view words = trimmed_back(line);
    if (words.size() != line.size() && !starts_with_name(words, "SIP/")) {
        mended("blanks at the end of the start line");
    }
    return starts_with_name(words, "SIP/") ? status_line(words) : request_line(words);
}

bool SipReader::status_line(std::string_view line) {
    if (take_word(line) != "SIP/2.0") {
        mended("another version than SIP/2.0");
    }
    const auto status = read_number<unsigned>(take_word(line));
    if (!status || *status < 100 || *status > 699) {
        return false;
    }
    out_.status = *status;
    out_.reason = trimmed(line);
    return true;
}

bool SipReader::request_line(std::string_view line) {
    const std::string_view method = take_word(line);
    const std::size_t version_at = line.find_last_of(" \t");
    if (!is_token(method) || version_at == std::string_view::npos) {
        return false;
    }
    const std::string_view version = line.substr(version_at + 1);
    std::string_view uri = trimmed(line.substr(0, version_at));
    if (uri.empty() || !starts_with_name(version, "SIP/")) {
        return false;
    }
    if (version != "SIP/2.0") {
        mended("another version than SIP/2.0");
    }
    if (uri.size() + 1 != version_at || std::ranges::any_of(uri, is_blank)) {
        mended("blanks in or around the Request-URI");
    }
    if (uri.size() > 2 && uri.starts_with('<') && uri.ends_with('>')) {
        mended("a Request-URI in angle brackets");
        uri = trimmed(uri.substr(1, uri.size() - 2));
    }
    out_.request = true;
    out_.method = method;
    out_.request_uri = uri;
    return !uri.empty();
}

std::string_view SipReader::header_fields() {
    out_.headers.reserve(24);  // what most have
    while (!rest_.empty()) {
        if (ends_header_fields()) {
            return {};
        }
        if (const std::string_view why = header_field(take_field_lines()); !why.empty()) {
            return why;
        }
    }
    mended("no empty line after the header fields");
    return {};
}

/// Takes the empty line.
bool SipReader::ends_header_fields() {
    if (!is_space(rest_.front())) {
        return false;
    }
    std::string_view after = rest_;
    const std::string_view line = take_line(after);
    const bool blank = !line.empty() && trimmed(line).empty();
    saw_blank_line_ = saw_blank_line_ || blank;
    if (!line.empty() && !(blank && blank_line_ends_)) {
        return false;
    }
    if (blank) {
        mended("a line of blanks after the header fields");
    }
    rest_ = after;
    return ended_ = true;
}

/// The line of a header field, and those that continue it.
std::string_view SipReader::take_field_lines() {
    const std::string_view begin = rest_;
    std::string_view line = next_line();
    const auto blank_ends = [this] {
        std::string_view after = rest_;
        const bool blank = trimmed(take_line(after)).empty();
        saw_blank_line_ = saw_blank_line_ || blank;
        return blank && blank_line_ends_;
    };
    while (!rest_.empty()) {
        if (is_blank(rest_.front())) {
            if (blank_ends()) {
                break;
            }
        } else {
            std::string_view after = rest_;
            const bool goes_on = line.ends_with(',') || line.ends_with(';');
            const std::string_view next = goes_on ? take_line(after) : std::string_view();
            if (next.empty() || begins_field(next)) {
                break;
            }
            mended("a continued line without a blank before it");
        }
        line = next_line();
    }
    return begin.substr(0, begin.size() - rest_.size());
}

std::string_view SipReader::header_field(std::string_view lines) {
    const std::size_t colon = lines.find(':');
    const std::string_view name = trimmed_back(lines.substr(0, colon));
    if (colon == std::string_view::npos || !is_token(name)) {
        mended("a line that is no header field");
        return {};
    }
    if (out_.headers.size() == max_sip_headers) {
        return "more header fields than are read";
    }
    std::string_view value = trimmed(lines.substr(colon + 1));
    if (value.find('\n') != std::string_view::npos) {
        value = keep(out_, unfolded(value));
    }
    out_.headers.push_back({.name = name, .value = value});
    return take(field_of(name), value) ? std::string_view() : "more addresses than are read";
}

bool SipReader::take(SipField field, std::string_view value) {
    switch (field) {
        case SipField::from:
            take_address(value, out_.from, has_from_);
            return true;
        case SipField::to:
            take_address(value, out_.to, has_to_);
            return true;
        case SipField::call_id:
            take_first(value, out_.call_id);
            return true;
        case SipField::cseq:
            take_cseq(value);
            return true;
        case SipField::via:
            take_via(value);
            return true;
        case SipField::content_type:
            take_first(value, out_.content_type);
            return true;
        case SipField::content_disposition:
            take_first(value, out_.content_disposition);
            return true;
        case SipField::content_encoding:
            take_first(value, out_.content_encoding);
            return true;
        case SipField::content_length:
            take_content_length(value);
            return true;
        case SipField::event:
            take_first(trimmed_back(value.substr(0, value.find(';'))), out_.event);
            return true;
        case SipField::subscription_state:
            take_first(value, out_.subscription_state);
            return true;
        case SipField::asserted:
            return take_addresses(value, out_.asserted);
        case SipField::preferred:
            return take_addresses(value, out_.preferred);
        case SipField::called_party:
            return take_addresses(value, out_.called_party);
        case SipField::history:
            return take_addresses(value, out_.history);
        case SipField::diversion:
            return take_addresses(value, out_.diversion);
        case SipField::contact:
            return take_addresses(value, out_.contact);
        case SipField::refer_to:
            return take_addresses(value, out_.refer_to);
        case SipField::referred_by:
            return take_addresses(value, out_.referred_by);
        case SipField::other:
            return true;
    }
    return true;
}

/// The first that can be read counts.
void SipReader::take_address(std::string_view value, SipAddress& out, bool& has) {
    if (has) {
        mended(twice);
    } else {
        has = read_address(value, out_, out);
    }
}

void SipReader::take_first(std::string_view value, std::string_view& out) {
    if (!out.empty()) {
        mended(twice);
    } else {
        out = value;
    }
}

void SipReader::take_cseq(std::string_view value) {
    const auto digits = static_cast<std::size_t>(std::ranges::find_if_not(value, is_digit) - value.begin());
    if (digits == 0) {
        return;
    }
    if (has_cseq_) {
        mended(twice);
        return;
    }
    has_cseq_ = true;
    const auto number = read_number<std::uint32_t>(value.substr(0, digits));
    if (!number) {
        mended("a CSeq that is too large");
    }
    out_.cseq = number.value_or(std::numeric_limits<std::uint32_t>::max());
    value.remove_prefix(digits);
    cseq_method_ = take_word(value);
    if (!trimmed(value).empty()) {
        mended("something after the method of a CSeq");
    }
}

void SipReader::take_content_length(std::string_view value) {
    const auto number = read_number<std::size_t>(value);
    if (!number) {
        content_length_counts_ = false;
        mended("a Content-Length that is no number");
    } else if (content_length_ && content_length_ != number) {
        content_length_counts_ = false;
        mended("two Content-Lengths that differ");
    }
    content_length_ = number;
}

void SipReader::take_via(std::string_view value) {
    if (has_via_ || value.empty()) {
        return;
    }
    has_via_ = true;
    std::string_view parameters = first_of_list(value);
    parameters.remove_prefix(std::min(parameters.find(';'), parameters.size()));
    while (const auto parameter = take_parameter(parameters)) {
        if (same_name(parameter->name, "branch")) {
            out_.branch = parameter->value;
            return;
        }
    }
}

void SipReader::take_body() {
    out_.body = rest_;
    if (!content_length_ || !content_length_counts_) {
        return;
    }
    if (*content_length_ > rest_.size()) {
        mended("a Content-Length of more than there is");
        return;
    }
    out_.body = rest_.substr(0, *content_length_);
    if (!trimmed(rest_.substr(*content_length_)).empty()) {
        mended("something after the body");
    }
}

}  // namespace

std::optional<std::string_view> SipMessage::header(std::string_view name) const {
    name = long_form(name);
    for (const SipHeader& each : headers) {
        if (same_name(long_form(each.name), name)) {
            return each.value;
        }
    }
    return std::nullopt;
}

std::optional<SipMessage> read_sip(std::string_view bytes, std::string_view* why) {
    std::optional<SipMessage> message(std::in_place);
    SipReader reader(bytes, false, *message);
    std::string_view failure = reader.read();
    if (reader.blank_line_may_end()) {
        SipMessage other;
        if (SipReader(bytes, true, other).read().empty()) {
            message = std::move(other);
            failure = {};
        }
    }
    if (why != nullptr) {
        *why = failure;
    }
    if (!failure.empty()) {
        message.reset();
    }
    return message;
}

}  // namespace lihandover::ims
