#include "msrp_text.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "message.hpp"

namespace lihandover::x2x3_send {
namespace {

/// The transaction of a start line of RFC 4975; the draft's start line has none.
std::string_view transaction_of(std::string_view start) {
    if (!start.starts_with("MSRP ")) {
        return {};
    }
    start.remove_prefix(5);
    return start.substr(0, start.find(' '));
}

bool is_end_line(std::string_view line, std::string_view transaction, std::string_view boundary) {
    const auto ends = [line](std::string_view dashes, std::string_view id) {
        return !id.empty() && line.size() == dashes.size() + id.size() + 1 && line.starts_with(dashes) &&
               line.substr(dashes.size(), id.size()) == id &&
               std::string_view("$+#").find(line.back()) != std::string_view::npos;
    };
    return ends("-------", transaction) || ends("-----", boundary);
}

std::string_view header_name(std::string_view line) {
    return line.substr(0, line.find(':'));
}

struct Counted {
    std::uint64_t next = 1;
    std::uint64_t total = 0;
};

/// The number, or the count where it is elided.
std::string counted(std::string_view number, std::uint64_t count) {
    return number == elision ? std::to_string(count) : std::string(number);
}

}  // namespace

std::optional<std::string> MsrpText::value(std::string_view header) const {
    const auto found =
        std::ranges::find_if(headers, [header](std::string_view line) { return same_name(header_name(line), header); });
    if (found == headers.end()) {
        return std::nullopt;
    }
    return std::string(trimmed(std::string_view(*found).substr(std::min(found->size(), header.size() + 1))));
}

std::string MsrpText::bytes() const {
    std::string out = start + "\r\n";
    for (const auto& line : headers) {
        out += line + "\r\n";
    }
    if (has_body) {
        out += "\r\n" + body + "\r\n";
    }
    if (!end.empty()) {
        out += end + "\r\n";
    }
    return out;
}

MsrpText read_msrp_text(const std::vector<std::string>& lines) {
    MsrpText text;
    std::string boundary;
    std::size_t at = 0;
    for (; at < lines.size(); ++at) {
        const std::string& line = lines[at];
        if (at == 0) {
            text.start = line;
        } else if (line.empty() || is_end_line(line, transaction_of(text.start), boundary)) {
            break;
        } else {
            text.headers.push_back(line);
            if (same_name(header_name(line), "Boundary")) {
                boundary = trimmed(std::string_view(line).substr(std::min<std::size_t>(line.size(), 9)));
            }
        }
    }
    if (at < lines.size() && lines[at].empty()) {
        text.has_body = true;
        for (++at; at < lines.size() && !is_end_line(lines[at], transaction_of(text.start), boundary); ++at) {
            text.body += (text.body.empty() ? "" : "\r\n") + lines[at];
        }
    }
    if (at < lines.size()) {
        text.end = lines[at];
    }
    // What the document prints in a start line of the draft stands for nothing.
    if (const std::size_t found = text.start.find(std::string(elision) + " ");
        found != std::string::npos && !boundary.empty()) {
        text.start.erase(found, elision.size() + 1);
    }
    return text;
}

void count_ranges(const std::vector<MsrpText*>& frames) {
    const auto key = [](const MsrpText& frame) {
        return frame.value("Message-ID").value_or("") + ' ' + frame.value("From-Path").value_or("");
    };
    std::map<std::string, std::vector<MsrpText*>> open;
    const auto finish = [](const std::vector<MsrpText*>& chunks) {
        Counted count;
        for (const auto* const chunk : chunks) {
            count.total += chunk->body.size();
        }
        for (auto* const chunk : chunks) {
            for (auto& line : chunk->headers) {
                if (!same_name(header_name(line), "Byte-Range") || line.find(elision) == std::string::npos) {
                    continue;
                }
                std::string_view range = trimmed(std::string_view(line).substr(sizeof "Byte-Range"));
                const std::string whole =
                    std::string(elision) + '-' + std::string(elision) + '/' + std::string(elision);
                range = range == elision ? std::string_view(whole) : range;
                const std::size_t dash =
                    range.find(")-") == std::string_view::npos ? range.find('-') : range.find(")-") + 1;
                const std::size_t slash = range.find('/');
                if (dash >= range.size() || slash >= range.size() || dash > slash) {
                    continue;
                }
                line = "Byte-Range: " + counted(range.substr(0, dash), count.next) + '-' +
                       counted(range.substr(dash + 1, slash - dash - 1), count.next + chunk->body.size() - 1) + '/' +
                       counted(range.substr(slash + 1), count.total);
            }
            count.next += chunk->body.size();
        }
    };
    for (auto* const frame : frames) {
        const std::string id = key(*frame);
        auto& chunks = open[id];
        chunks.push_back(frame);
        if (!frame->end.ends_with('+')) {
            finish(chunks);
            open.erase(id);
        }
    }
    for (const auto& [id, chunks] : open) {
        finish(chunks);
    }
}

model::Result<std::vector<MsrpText>> chunks_of(const MsrpText& whole, std::size_t size) {
    const std::string transaction(transaction_of(whole.start));
    if (!whole.has_body || size == 0 || !whole.start.ends_with(" SEND") ||
        !whole.end.starts_with("-------" + transaction)) {
        return model::Error{"only a SEND of RFC 4975 with a body can be cut into chunks"};
    }
    std::vector<MsrpText> chunks;
    for (std::size_t at = 0; at < whole.body.size(); at += size) {
        MsrpText chunk = whole;
        const std::string id = transaction + '.' + std::to_string(chunks.size() + 1);
        const bool last = at + size >= whole.body.size();
        chunk.start = "MSRP " + id + " SEND";
        chunk.body = whole.body.substr(at, size);
        chunk.end = "-------" + id + (last ? whole.end.back() : '+');
        const std::string range = "Byte-Range: " + std::to_string(at + 1) + '-' +
                                  std::to_string(at + chunk.body.size()) + '/' + std::to_string(whole.body.size());
        const auto found = std::ranges::find_if(
            chunk.headers, [](std::string_view line) { return same_name(header_name(line), "Byte-Range"); });
        if (found != chunk.headers.end()) {
            *found = range;
        } else {
            // Content-Type is the last one.
            chunk.headers.insert(chunk.headers.end() - (chunk.headers.empty() ? 0 : 1), range);
        }
        chunks.push_back(std::move(chunk));
    }
    return chunks;
}

}  // namespace lihandover::x2x3_send
