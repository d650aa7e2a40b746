#include "connector_settings.hpp"

#include <strings.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "lihandover/hi1/message.hpp"

namespace lihandover::delivery {

namespace {

/// The fields of every request unless the configuration says otherwise. Some filters answer 403 without them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> usual_fields{
    {{"User-Agent", "lihandoverd"}, {"Accept", "application/xml, text/xml;q=0.9, */*;q=0.1"}}};

bool same_name(const std::string& left, std::string_view right) {
    return left.size() == right.size() && strncasecmp(left.data(), right.data(), right.size()) == 0;
}

std::vector<std::pair<std::string, std::string>> fields_of(const config::Destination& options) {
    std::vector<std::pair<std::string, std::string>> fields;
    for (const auto& [name, value] : usual_fields) {
        const bool given =
            std::ranges::any_of(options.headers, [&](const auto& field) { return same_name(field.first, name); });
        if (!given) {
            fields.emplace_back(name, value);
        }
    }
    fields.insert(fields.end(), options.headers.begin(), options.headers.end());
    return fields;
}

/// The options that concern connections.
auto way(const config::Destination& options) {
    return std::tie(options.url, options.urls, options.timeout, options.server_name, options.local_address,
                    options.proxy, options.connection_lifetime, options.headers);
}

}  // namespace

model::Result<ConnectorSettings> connector_settings(const Destination& destination) {
    const auto& options = destination.options;
    ConnectorSettings settings;
    const std::vector<std::string> one{options.url};
    for (const auto& text : options.urls.empty() ? one : options.urls) {
        auto url = http::parse_url(text);
        if (!url) {
            return url.error();
        }
        if (url->secure() && !destination.tls) {
            return model::Error{"no TLS files for an https URL"};
        }
        settings.urls.push_back(std::move(*url));
    }
    http::ConnectorOptions& out = settings.options;
    out.resolve_timeout = options.timeout;
    out.connect_timeout = options.timeout;
    out.handshake_timeout = options.timeout;
    out.exchange.send_stall = options.timeout;
    out.exchange.answer_timeout = options.timeout;
    out.exchange.max_answer_body = hi1::max_response_size;
    out.lifetime = options.connection_lifetime;
    out.local_address = options.local_address;
    out.server_name = options.server_name;
    out.fields = fields_of(options);
    if (!options.proxy.empty()) {
        auto proxy = http::parse_proxy(options.proxy);
        if (!proxy) {
            return proxy.error();
        }
        out.proxy = std::move(*proxy);
    }
    return settings;
}

bool same_connections(const Destination& before, const Destination& after) {
    const bool same_tls =
        before.tls == after.tls || (before.tls && after.tls && before.tls->fingerprint() == after.tls->fingerprint());
    return same_tls && way(before.options) == way(after.options);
}

std::string_view content_type(const config::Destination& options) {
    return options.content_type == config::MessageType::text_xml ? "text/xml" : "application/xml";
}

}  // namespace lihandover::delivery
