#include <algorithm>
#include <string>

#include "lihandover/ims/msrp.hpp"
#include "text.hpp"

namespace lihandover::ims {

namespace {

/// Cuts off what is before the first of `ends`, and leaves that in `text`.
std::string_view take_until(std::string_view& text, std::string_view ends) {
    const std::string_view taken = text.substr(0, text.find_first_of(ends));
    text.remove_prefix(taken.size());
    return taken;
}

bool take_scheme(std::string_view& text, bool& secure) {
    const std::string_view scheme = take_until(text, ":");
    secure = same_name(scheme, "msrps");
    if (text.empty() || (!secure && !same_name(scheme, "msrp"))) {
        return false;
    }
    text.remove_prefix(1);
    // Drafts leave the slashes out.
    text.remove_prefix(text.starts_with("//") ? 2 : 0);
    return true;
}

/// `[user@]host[:port]`
bool read_authority(std::string_view text, MsrpUri& out) {
    if (const std::size_t at = text.rfind('@'); at != npos) {
        out.userinfo = text.substr(0, at);
        text.remove_prefix(at + 1);
    }
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        if (close == npos) {
            return false;
        }
        out.host = text.substr(1, close - 1);
        text.remove_prefix(close + 1);
    } else {
        out.host = take_until(text, ":");
    }
    if (out.host.empty() || out.host.find_first_of("[]") != npos) {
        return false;
    }
    if (text.empty() || text == ":") {
        return true;
    }
    const auto port = text.starts_with(':') ? read_number<std::uint16_t>(text.substr(1)) : std::nullopt;
    out.port = port.value_or(0);
    return out.port != 0;
}

void append_lower(std::string_view text, std::string& out) {
    std::ranges::transform(text, std::back_inserter(out), to_lower);
}

}  // namespace

std::optional<MsrpUri> read_msrp_uri(std::string_view uri) {
    MsrpUri out;
    const bool printable = std::ranges::all_of(uri, [](char c) { return c > ' ' && c < '\x7f'; });
    if (!printable || !take_scheme(uri, out.secure) || !read_authority(take_until(uri, "/;"), out)) {
        return std::nullopt;
    }
    if (uri.starts_with('/')) {
        uri.remove_prefix(1);
        out.session = take_until(uri, ";");
        if (out.session.empty()) {
            return std::nullopt;
        }
    }
    if (!uri.empty()) {
        uri.remove_prefix(1);
        out.transport = take_until(uri, ";");
    }
    return out;
}

bool same_msrp_uri(std::string_view left, std::string_view right) {
    const auto one = read_msrp_uri(left);
    const auto other = read_msrp_uri(right);
    if (!one || !other) {
        return !one && !other && left == right;
    }
    return one->secure == other->secure && same_name(one->host, other->host) && one->port == other->port &&
           one->session == other->session && same_name(one->transport, other->transport);
}

void append_msrp_uri_key(std::string_view uri, std::string& out) {
    const auto read = read_msrp_uri(uri);
    if (!read) {
        // With its length in front, so that keys one after the other are as different as the URIs.
        out.append("?").append(std::to_string(uri.size())).append(":").append(uri);
        return;
    }
    // No part of a URI holds a blank.
    out += read->secure ? 's' : 'm';
    append_lower(read->host, out);
    out += ' ';
    if (read->port != 0) {
        out += std::to_string(read->port);
    }
    out.append(" ").append(read->session).append(" ");
    append_lower(read->transport, out);
    out += ' ';
}

}  // namespace lihandover::ims
