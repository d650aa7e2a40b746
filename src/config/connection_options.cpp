#include "connection_options.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <boost/url/parse.hpp>
#include <set>
#include <utility>

namespace lihandover::config {
namespace {

using std::chrono::days;
using std::chrono::seconds;

constexpr std::size_t max_header_fields = 32;
constexpr std::size_t max_header_value = 1024;
constexpr std::size_t max_urls = 4;

/// Fields that say how a message is framed, where it goes or what is in it: only we set these.
constexpr std::array<std::string_view, 15> reserved_fields{"accept-encoding",
                                                           "connection",
                                                           "content-encoding",
                                                           "content-length",
                                                           "content-type",
                                                           "expect",
                                                           "host",
                                                           "keep-alive",
                                                           "proxy-authorization",
                                                           "proxy-connection",
                                                           "te",
                                                           "trailer",
                                                           "transfer-encoding",
                                                           "upgrade",
                                                           "via"};

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return result;
}

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// RFC 9110 5.1.
bool is_field_name(std::string_view name) {
    return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
        return is_letter_or_digit(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}

/// RFC 9110 5.5, of ASCII alone.
bool is_field_value(std::string_view value) {
    return !value.empty() && value.size() <= max_header_value && value.front() != ' ' && value.back() != ' ' &&
           std::ranges::all_of(value, [](char c) { return c >= 0x20 && c < 0x7F; });
}

bool read_field(Reader& reader, const YamlKey& key, const YamlNode& node, std::map<std::string, std::string>& out) {
    if (!is_field_name(key.text)) {
        reader.problem(key.place, "not the name of a header field; allowed: 1 to 64 of letters, digits and - _ .");
        return false;
    }
    if (std::ranges::find(reserved_fields, lower(key.text)) != reserved_fields.end()) {
        reader.problem(key.place, "this field is ours to set");
        return false;
    }
    if (node.kind != YamlNode::Kind::scalar || !is_field_value(node.text)) {
        reader.problem(node.place,
                       "not the value of a header field; allowed: 1 to 1024 printable ASCII characters, no space at "
                       "either end",
                       node.text);
        return false;
    }
    out.emplace(key.text, node.text);
    return true;
}

}  // namespace

Type<std::map<std::string, std::string>> header_fields_type() {
    const std::string allowed = "up to 32 fields, none of those that frame a message";
    using Fields = std::map<std::string, std::string>;
    auto read = [allowed](Reader& reader, const YamlNode& node, Fields& out) {
        if (node.kind != YamlNode::Kind::mapping || node.keys.size() > max_header_fields) {
            reader.problem(node.place, "a mapping of header fields is needed, {Name: value}; allowed: " + allowed);
            return false;
        }
        bool good = true;
        Fields fields;
        std::set<std::string> names;
        for (std::size_t n = 0; n < node.keys.size(); ++n) {
            if (!names.insert(lower(node.keys[n].text)).second) {
                reader.problem(node.keys[n].place, "the same field a second time; one is allowed");
                good = false;
            } else {
                good = read_field(reader, node.keys[n], node.items[n], fields) && good;
            }
        }
        out = std::move(fields);
        return good;
    };
    auto write = [](const Fields& fields) {
        std::string text;
        for (const auto& [name, value] : fields) {
            text += (text.empty() ? "{" : ", ") + write_text(name) + ": " + write_text(value);
        }
        return text.empty() ? text : text + "}";
    };
    return {"header fields", allowed, read, write};
}

Type<std::string> ip_address_type() {
    const std::string allowed = "a numeric IPv4 or IPv6 address";
    Type<std::string> type = text_type(2, 45, allowed, [allowed](std::string_view text) {
        std::array<unsigned char, 16> address{};
        const std::string copy(text);
        const bool good = inet_pton(AF_INET, copy.c_str(), address.data()) == 1 ||
                          inet_pton(AF_INET6, copy.c_str(), address.data()) == 1;
        return good ? std::nullopt : std::optional("not an address; allowed: " + allowed);
    });
    type.name = "IP address";
    return type;
}

Type<std::string> host_name_type() {
    const std::string allowed = "a host name or an IP address";
    Type<std::string> type = text_type(1, 253, allowed, [allowed](std::string_view text) {
        const bool good = std::ranges::all_of(
            text, [](char c) { return is_letter_or_digit(c) || c == '-' || c == '.' || c == '_' || c == ':'; });
        return good && text.front() != '.' ? std::nullopt : std::optional("not such a name; allowed: " + allowed);
    });
    type.name = "host name";
    return type;
}

Type<std::string> proxy_url_type() {
    const std::string allowed = "http://[user:password@]host:port";
    Type<std::string> type = text_type(1, 2048, allowed, [allowed](std::string_view text) {
        const auto url = boost::urls::parse_uri({text.data(), text.size()});
        const bool good = url && url->scheme_id() == boost::urls::scheme::http && !url->encoded_host().empty() &&
                          url->has_port() && url->port_number() != 0 && url->encoded_resource().size() <= 1 &&
                          url->encoded_user().find("%3A") == url->encoded_user().npos &&
                          url->encoded_user().find("%3a") == url->encoded_user().npos;
        return good ? std::nullopt : std::optional("not a proxy; allowed: " + allowed);
    });
    type.name = "URL";
    return type;
}

Schema<Destination> with_connection_options(Schema<Destination> schema) {
    return std::move(schema)
        .option({.name = "urls",
                 .help = "Instead of `url`: several of them, all of one LEA with one identity. A later one is used "
                         "while those before it are down.",
                 .example = "[https://lea-a.example.com:8443/hi, https://lea-b.example.com:8443/hi]",
                 .reloadable = true},
                &Destination::urls, list_type(https_url_type(), 1, max_urls))
        .option({.name = "tls_crl",
                 .help = "PEM or DER file: certificate revocation lists of the CAs that issue the LEA's certificates. "
                         "Whoever is on one is refused, and everyone while the list is missing or out of date. "
                         "Absent: revocation is not checked.",
                 .example = "/etc/lihandoverd/tls/lea-one.crl",
                 .reloadable = true},
                &Destination::tls_crl, path_type())
        .option({.name = "server_name",
                 .help = "The name in the LEA's certificate. Absent: the URL's host.",
                 .example = "lea.internal.example",
                 .reloadable = true},
                &Destination::server_name, host_name_type())
        .option({.name = "local_address",
                 .help = "Source address of connections to the LEA. Absent: the system's choice.",
                 .example = "192.0.2.7",
                 .reloadable = true},
                &Destination::local_address, ip_address_type())
        .option({.name = "proxy",
                 .help = "HTTP proxy that all connections to the LEA go through (CONNECT). It learns the LEA's name, "
                         "but not what is sent.",
                 .example = "http://proxy.example.com:3128",
                 .reloadable = true,
                 .secret = true},
                &Destination::proxy, proxy_url_type())
        .option({.name = "connection_lifetime",
                 .help = "A connection this old is renewed even while it is busy, so that it follows the LEA's name to "
                         "other addresses.",
                 .example = "10m",
                 .reloadable = true},
                &Destination::connection_lifetime, duration_type(seconds(1), days(1)))
        .option(
            {.name = "headers",
             .help = "Header fields of every request. `User-Agent` is `lihandoverd` and `Accept` asks for XML unless "
                     "given here.",
             .example = "{User-Agent: lihandoverd, X-Agreement: \"17\"}",
             .reloadable = true,
             .secret = true},
            &Destination::headers, header_fields_type())
        .option({.name = "content_type",
                 .help = "Media type of messages.",
                 .example = "application/xml",
                 .reloadable = true},
                &Destination::content_type,
                choice_type<MessageType>(
                    {{"application/xml", MessageType::application_xml}, {"text/xml", MessageType::text_xml}}));
}

void check_connection_options(Reader& reader, const YamlNode& node, Destination& destination) {
    const YamlNode* const url = node.find("url");
    const YamlNode* const urls = node.find("urls");
    if (url == nullptr && urls == nullptr) {
        reader.problem_below("url", node.place, "missing; it has no default");
    }
    if (url != nullptr && urls != nullptr) {
        reader.problem_below("urls", urls->place, "only one of url and urls is allowed");
    }
    if (url == nullptr && !destination.urls.empty()) {
        destination.url = destination.urls.front();
    }
}

}  // namespace lihandover::config
