#include "report.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "lihandover/base/hex.hpp"

namespace lihandover::lea_sim {

namespace {

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    for (const char byte : text) {
        const auto value = static_cast<unsigned char>(byte);
        if (byte == '"' || byte == '\\') {
            out += '\\';
            out += byte;
        } else if (value < 0x20 || value >= 0x7F) {
            // Bytes rather than characters: these texts are ASCII unless a peer misbehaves.
            out += "\\u00";
            base::append_hex(out, value);
        } else {
            out += byte;
        }
    }
    out += '"';
}

}  // namespace

Line::Line(std::string_view event) : out_("{") {
    text("event", event);
}

void Line::key(std::string_view name) {
    if (out_.size() > 1) {
        out_ += ',';
    }
    append_quoted(out_, name);
    out_ += ':';
}

Line& Line::text(std::string_view name, std::string_view value) {
    key(name);
    append_quoted(out_, value);
    return *this;
}

Line& Line::number(std::string_view name, std::uint64_t value) {
    key(name);
    out_ += std::to_string(value);
    return *this;
}

Line& Line::boolean(std::string_view name, bool value) {
    key(name);
    out_ += value ? "true" : "false";
    return *this;
}

Line& Line::raw(std::string_view name, std::string_view json) {
    key(name);
    out_ += json;
    return *this;
}

std::string Totals::to_json(std::string_view event) const {
    Line line(event);
    const std::array<std::pair<std::string_view, const std::atomic<std::uint64_t>*>, 10> counts = {
        {{"messages", &messages},
         {"bytes", &bytes},
         {"actions", &actions},
         {"accepted", &accepted},
         {"refused", &refused},
         {"unreadable", &unreadable},
         {"invalid", &invalid},
         {"failed", &failed},
         {"objects", &objects},
         {"object_bytes", &object_bytes}}};
    for (const auto& [name, count] : counts) {
        line.number(name, count->load(std::memory_order_relaxed));
    }
    return line.finished();
}

void Reporter::write(std::string_view lines) {
    const std::lock_guard lock(mutex_);
    while (!lines.empty()) {
        const auto written = ::write(descriptor_, lines.data(), lines.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return;
        }
        lines.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace lihandover::lea_sim
