#include "sessions.hpp"

#include <algorithm>
#include <optional>

namespace lihandover::x2x3_send {
namespace {

/// The last URI of a path, without its transport: it names the end of a session.
std::string_view end_of(std::string_view path) {
    path = trimmed(path);
    path = path.substr(std::min(path.size(), path.find_last_of(' ') + 1));
    return path.substr(0, path.find(';'));
}

bool is_any(std::string_view name, std::initializer_list<std::string_view> names) {
    return std::ranges::any_of(names, [name](std::string_view each) { return same_name(each, name); });
}

Direction opposite(Direction direction) {
    return direction == Direction::from_target ? Direction::to_target : Direction::from_target;
}

void glance_at_header(Glance& glance, std::string_view name, std::string_view value) {
    if (is_any(name, {"Call-ID", "i"})) {
        glance.call_id = value;
    } else if (is_any(name, {"From", "f", "P-Asserted-Identity", "P-Preferred-Identity"})) {
        glance.sender.push_back(value);
    } else if (is_any(name, {"To", "t", "P-Called-Party-ID"})) {
        glance.receiver.push_back(value);
    } else if (is_any(name, {"To-Path"})) {
        glance.to_path = value;
    } else if (is_any(name, {"From-Path"})) {
        glance.from_path = value;
    }
}

}  // namespace

Glance glance_at(Kind kind, std::string_view bytes) {
    Glance glance;
    std::string_view rest = bytes;
    glance.start = take_line(rest);
    glance.request = !glance.start.starts_with("SIP/2.0 ");
    bool in_body = false;
    while (!rest.empty()) {
        const std::string_view line = take_line(rest);
        if (!in_body && line.empty()) {
            if (kind != Kind::sip) {
                break;
            }
            in_body = true;
        } else if (in_body) {
            if (line.starts_with("a=") && trimmed(line.substr(2)).starts_with("path:")) {
                glance.paths.push_back(trimmed(line.substr(line.find(':') + 1)));
            }
        } else if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
            glance_at_header(glance, trimmed(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
        }
    }
    if (kind == Kind::sip && glance.request) {
        const std::size_t blank = glance.start.find(' ');
        if (blank != std::string_view::npos) {
            glance.receiver.push_back(glance.start.substr(blank + 1));
        }
    }
    return glance;
}

std::uint64_t Sessions::number_of(Kind kind, std::string_view bytes) {
    if (kind != Kind::sip && kind != Kind::msrp) {
        return 0;
    }
    const Glance glance = glance_at(kind, bytes);
    const auto known = [this](std::string_view key) -> std::optional<std::uint64_t> {
        const auto found = numbers_.find(key);
        return found == numbers_.end() ? std::nullopt : std::optional(found->second);
    };
    if (kind == Kind::sip) {
        const auto found = known(glance.call_id);
        const std::uint64_t number = found ? *found : next_++;
        numbers_.emplace(std::string(glance.call_id), number);
        for (const auto path : glance.paths) {
            numbers_.emplace(std::string(end_of(path)), number);
        }
        return number;
    }
    const std::string_view to = end_of(glance.to_path);
    const std::string_view from = end_of(glance.from_path);
    auto found = known(to);
    found = found ? found : known(from);
    const std::uint64_t number = found ? *found : next_++;
    numbers_.emplace(std::string(to), number);
    numbers_.emplace(std::string(from), number);
    return number;
}

Sides::Sides(const std::vector<std::string>& targets) {
    for (const std::string_view each : targets) {
        const std::size_t colon = each.find(':');
        const std::string_view user = colon == std::string_view::npos ? each : each.substr(colon + 1);
        targets_.emplace_back(user.substr(0, user.find(';')));
    }
}

Direction Sides::direction_of(Kind kind, std::string_view bytes) {
    const Glance glance = glance_at(kind, bytes);
    const auto named = [this](const std::vector<std::string_view>& values) {
        return std::ranges::any_of(values, [this](std::string_view value) {
            return std::ranges::any_of(
                targets_, [value](const std::string& target) { return value.find(target) != std::string_view::npos; });
        });
    };
    if (kind == Kind::msrp) {
        const auto from = paths_.find(end_of(glance.from_path));
        const auto to = paths_.find(end_of(glance.to_path));
        // Who it comes from is its end; the other path of a response may be that of a relay.
        return from != paths_.end() ? from->second : to != paths_.end() ? opposite(to->second) : Direction::unknown;
    }
    if (kind != Kind::sip) {
        return Direction::unknown;
    }
    const bool sent = named(glance.sender);
    const bool received = named(glance.receiver);
    Direction direction = Direction::unknown;
    if (sent || received) {
        // An answer goes back to who sent the request.
        direction = sent == glance.request ? Direction::from_target : Direction::to_target;
    }
    for (const auto path : direction == Direction::unknown ? std::vector<std::string_view>() : glance.paths) {
        paths_.emplace(end_of(path), direction);
    }
    return direction;
}

}  // namespace lihandover::x2x3_send
