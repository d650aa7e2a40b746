// MSRP: a byte that says where the rest is cut, then what came over a connection.

#include <algorithm>
#include <string>
#include <vector>

#include "fuzz.hpp"
#include "lihandover/ims/msrp.hpp"

namespace {

using namespace lihandover;
using namespace lihandover::ims;
using fuzz::must;

constexpr std::size_t most_head = std::size_t{64} << 10;

void check_texts(const MsrpFrame& frame, std::string_view bytes) {
    std::vector<std::string_view> texts = {frame.transaction,
                                           frame.method,
                                           frame.comment,
                                           frame.message_id,
                                           frame.content_type,
                                           frame.content_id,
                                           frame.body,
                                           frame.content_disposition,
                                           frame.use_nickname.value_or(""),
                                           frame.report ? frame.report->comment : ""};
    texts.insert(texts.end(), frame.to_path.begin(), frame.to_path.end());
    texts.insert(texts.end(), frame.from_path.begin(), frame.from_path.end());
    for (const MsrpHeader& header : frame.headers) {
        must(!header.name.empty(), "a header field has a name");
        texts.push_back(header.name);
        texts.push_back(header.value);
    }
    for (const std::string_view text : texts) {
        must(fuzz::within(text, bytes.substr(0, frame.octets)), "texts are of the frame");
        fuzz::touch(text);
    }
}

void check_bounds(const MsrpFrame& frame, std::string_view bytes) {
    must(frame.octets > 0 && frame.octets <= bytes.size(), "a frame is of the bytes that there are");
    must(frame.request ? !frame.method.empty() && frame.status == 0 : frame.method.empty() && frame.status < 1000,
         "the start line says what it is");
    must(!frame.transaction.empty(), "a frame has a transaction");
    must(frame.has_body || frame.body.empty(), "where no body came, there is none");
    must(frame.headers.size() <= 256 && frame.to_path.size() <= 64 && frame.from_path.size() <= 64,
         "counts are within their bounds");
    must(frame.octets - frame.body.size() <= most_head + 128, "a head is within its bound");
    must(!frame.range || frame.range->start > 0, "octets count from 1");
}

/// RFC 4975's form, lines that end with CRLF: where a plain search finds that its frame ends.
void check_end(const MsrpFrame& frame, std::string_view bytes) {
    const std::size_t begin = bytes.find_first_not_of("\r\n");
    if (frame.draft || bytes[bytes.find('\n', begin) - 1] != '\r') {
        return;
    }
    std::size_t first = std::string_view::npos;
    for (const char flag : {'$', '+', '#'}) {
        const std::string end = "\r\n-------" + std::string(frame.transaction) + flag + "\r\n";
        first = std::min(first, std::min(bytes.find(end, begin), bytes.size()) + end.size());
    }
    must(frame.octets == first, "the first end line of its own ends it");
}

/// What was read, written as RFC 4975 has it and read again, is the same.
void check_again(const MsrpFrame& frame) {
    // Three digits may be a code of the draft, where lines that are no fields do not say otherwise.
    if (frame.draft || frame.transaction.size() == 3 || frame.headers.size() == 256) {
        return;
    }
    std::string plain = "MSRP " + std::string(frame.transaction) + " ";
    plain += frame.request ? std::string(frame.method)
                           : std::to_string(1000 + frame.status).substr(1) + " " + std::string(frame.comment);
    plain += "\r\n";
    for (const MsrpHeader& header : frame.headers) {
        plain.append(header.name).append(": ").append(header.value).append("\r\n");
    }
    plain.append(frame.has_body ? "\r\n" : "").append(frame.body).append(frame.has_body ? "\r\n" : "");
    plain.append("-------").append(frame.transaction);
    plain += frame.flag == ChunkFlag::last ? '$' : frame.flag == ChunkFlag::more ? '+' : '#';
    plain += "\r\n";
    MsrpFrame again;
    if (plain.size() - frame.body.size() > most_head) {
        return;  // blanks after the colons can make it too long
    }
    must(read_msrp(plain, again) == MsrpRead::frame, "what was read can be read again");
    // Lines of LF alone may have an end line of CRLF in their body.
    if (again.octets == plain.size()) {
        must(again.body == frame.body && again.has_body == frame.has_body && again.flag == frame.flag, "with its body");
        must(again.to_path == frame.to_path && again.from_path == frame.from_path &&
                 again.message_id == frame.message_id && again.content_type == frame.content_type &&
                 again.use_nickname == frame.use_nickname && again.success_report == frame.success_report &&
                 again.failure_report == frame.failure_report && again.range.has_value() == frame.range.has_value() &&
                 again.report.has_value() == frame.report.has_value() && again.headers.size() == frame.headers.size(),
             "and its fields");
    }
}

void check_uris(const MsrpFrame& frame) {
    std::vector<std::string_view> uris = frame.to_path;
    uris.insert(uris.end(), frame.from_path.begin(), frame.from_path.end());
    uris.resize(std::min<std::size_t>(uris.size(), 8));
    for (const std::string_view left : uris) {
        const fuzz::Exact exact(left);
        const auto uri = read_msrp_uri(exact.view());
        must(!uri || (!uri->host.empty() && uri->host.size() + uri->session.size() <= left.size()), "a URI has a host");
        for (const std::string_view right : uris) {
            std::string one;
            std::string other;
            append_msrp_uri_key(left, one);
            append_msrp_uri_key(right, other);
            must((one == other) == same_msrp_uri(left, right), "keys are the same for the same URIs, and no others");
            must(left != right || one == other, "a URI is the same as itself");
        }
    }
}

using Cut = fuzz::Cut<MsrpRead>;

Cut cut_whole(std::string_view bytes) {
    Cut cut;
    MsrpFrame frame;
    while ((cut.end = read_msrp(bytes, frame)) == MsrpRead::frame) {
        check_bounds(frame, bytes);
        check_texts(frame, bytes);
        check_end(frame, bytes);
        check_again(frame);
        check_uris(frame);
        cut.sizes.push_back(frame.octets);
        bytes.remove_prefix(frame.octets);
    }
    const std::size_t next = find_msrp(bytes, std::min<std::size_t>(bytes.size(), 1));
    must(next == bytes.size() || bytes.substr(next).starts_with("MSRP "), "a start line begins as all do");
    const std::size_t line_end = std::min(bytes.find('\n', next), bytes.size() - 1);
    must(next == bytes.size() || read_msrp(bytes.substr(next, line_end + 1 - next), frame) != MsrpRead::malformed,
         "and may begin a frame");
    return cut;
}

/// The same from pieces of `size`, without searching again what was searched.
Cut cut_pieces(std::string_view bytes, std::size_t size) {
    Cut cut;
    MsrpFrame frame;
    std::string there;
    std::size_t seen = 0;
    for (;;) {
        const fuzz::Exact exact(there);
        cut.end = read_msrp(exact.view(), frame, seen);
        if (cut.end == MsrpRead::frame) {
            cut.sizes.push_back(frame.octets);
            there.erase(0, frame.octets);
            seen = 0;
        } else if (cut.end == MsrpRead::malformed || bytes.empty()) {
            return cut;
        } else {
            seen = there.size();
            there += bytes.substr(0, size);
            bytes.remove_prefix(std::min(size, bytes.size()));
        }
    }
}

}  // namespace

void fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    fuzz::try_cut_anywhere(data, size, cut_whole, cut_pieces, "frames are the same however their bytes come");
}
