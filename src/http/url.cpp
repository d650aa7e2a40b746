#include "lihandover/http/url.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace lihandover::http {
namespace {

constexpr std::size_t max_url = 8192;

std::uint16_t default_port(std::string_view scheme) {
    return scheme == "https" ? 443 : 80;
}

std::string lower(std::string_view text) {
    std::string result{text};
    for (char& letter : result) {
        if (letter >= 'A' && letter <= 'Z') {
            letter = static_cast<char>(letter - 'A' + 'a');
        }
    }
    return result;
}

std::string bracketed(const std::string& host) {
    return host.find(':') == std::string::npos ? host : '[' + host + ']';
}

std::string_view view(boost::urls::string_view text) {
    return {text.data(), text.size()};
}

}  // namespace

std::string Url::authority() const {
    return port == default_port(scheme) ? bracketed(host) : endpoint();
}

std::string Url::endpoint() const {
    return bracketed(host) + ':' + std::to_string(port);
}

model::Result<Url> parse_url(std::string_view text) {
    if (text.size() > max_url) {
        return model::Error{"the URL is longer than 8192 bytes"};
    }
    const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
    if (parsed.has_error()) {
        return model::Error{"not an absolute URL such as https://host:8443/path"};
    }
    const boost::urls::url_view& parts = *parsed;
    Url url;
    url.scheme = lower(view(parts.scheme()));
    if (url.scheme != "http" && url.scheme != "https") {
        return model::Error{"the URL's scheme is neither http nor https"};
    }
    if (parts.has_userinfo()) {
        return model::Error{"the URL holds user information, which is not supported"};
    }
    if (parts.has_fragment()) {
        return model::Error{"the URL holds a fragment (#), which is never sent"};
    }
    switch (parts.host_type()) {
        case boost::urls::host_type::ipv6:
            url.host = lower(view(parts.host_address()));
            break;
        case boost::urls::host_type::ipv4:
        case boost::urls::host_type::name:
            url.host = lower(view(parts.encoded_host()));
            break;
        default:
            break;
    }
    if (url.host.empty()) {
        return model::Error{"the URL has no host name or IP address"};
    }
    if (url.host.find('%') != std::string::npos) {
        return model::Error{"the URL's host holds percent-encoded characters or a zone, which is not supported"};
    }
    url.port = default_port(url.scheme);
    if (parts.has_port() && !parts.port().empty()) {
        url.port = parts.port_number();
        if (url.port == 0) {
            return model::Error{"the URL's port is not within 1 to 65535"};
        }
    }
    url.target = view(parts.encoded_target());
    if (url.target.empty() || url.target.front() != '/') {
        url.target.insert(0, 1, '/');
    }
    return url;
}

}  // namespace lihandover::http
