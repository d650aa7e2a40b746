#include "http/event_lines.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lihandover::intake {

namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

constexpr bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

EventLines::EventLines(std::string_view body, BodyFormat format) : rest_(body), format_(format) {
    if (rest_.starts_with(byte_order_mark)) {
        rest_.remove_prefix(byte_order_mark.size());
    }
    skip_blank();
}

std::string_view EventLines::next() {
    given_ = line_;
    const std::string_view event = take();
    skip_blank();
    return event;
}

std::string_view EventLines::take() {
    if (format_ == BodyFormat::json) {
        return std::exchange(rest_, {});
    }
    const void* const found = std::memchr(rest_.data(), '\n', rest_.size());
    const auto size =
        found == nullptr ? rest_.size() : static_cast<std::size_t>(static_cast<const char*>(found) - rest_.data());
    const std::string_view line = rest_.substr(0, size);
    rest_.remove_prefix(std::min(size + 1, rest_.size()));
    ++line_;
    return line;
}

void EventLines::skip_blank() {
    if (format_ == BodyFormat::json) {
        if (std::ranges::all_of(rest_, is_blank)) {
            rest_ = {};
        }
        return;
    }
    std::size_t at = 0;
    while (at < rest_.size() && is_blank(rest_[at])) {
        line_ += rest_[at] == '\n' ? 1 : 0;
        ++at;
    }
    rest_.remove_prefix(at);
}

}  // namespace lihandover::intake
