#include "lihandover/http/url.hpp"

#include <openssl/evp.h>

#include <algorithm>
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

namespace {

/// Scheme, host, port and target of `parts`, whatever else it contains.
model::Result<Url> take_apart(const boost::urls::url_view& parts) {
    Url url;
    url.scheme = lower(view(parts.scheme()));
    if (url.scheme != "http" && url.scheme != "https") {
        return model::Error{"the URL's scheme is neither http nor https"};
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

std::string base64(std::string_view text) {
    std::string out(4 * ((text.size() + 2) / 3) + 1, '\0');
    const int size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

}  // namespace

model::Result<Url> parse_url(std::string_view text) {
    if (text.size() > max_url) {
        return model::Error{"the URL is longer than 8192 bytes"};
    }
    const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
    if (parsed.has_error()) {
        return model::Error{"not an absolute URL such as https://host:8443/path"};
    }
    auto url = take_apart(*parsed);
    if (url && parsed->has_userinfo()) {
        return model::Error{"the URL holds user information, which is not supported"};
    }
    return url;
}

model::Result<Proxy> parse_proxy(std::string_view text) {
    const auto parsed = boost::urls::parse_uri({text.data(), std::min(text.size(), max_url)});
    if (parsed.has_error()) {
        return model::Error{"not the URL of a proxy such as http://proxy.example.com:3128"};
    }
    const auto url = take_apart(*parsed);
    if (!url) {
        return url.error();
    }
    if (url->secure()) {
        return model::Error{"the connection to the proxy itself is not under TLS; allowed is http"};
    }
    if (url->target != "/") {
        return model::Error{"the URL of a proxy has no path"};
    }
    Proxy proxy{url->host, url->port, {}};
    if (parsed->has_userinfo()) {
        // RFC 7617 2: a colon would end the user's name.
        const std::string user = parsed->user();
        const std::string credentials = user + ':' + std::string{parsed->password()};
        if (user.find(':') != std::string::npos) {
            return model::Error{"the user name for a proxy holds a colon, which cannot be sent"};
        }
        proxy.authorization = "Basic " + base64(credentials);
    }
    return proxy;
}

}  // namespace lihandover::http
