// URLs of the configuration, targets of requests as the object server, the control socket and intake read them.

#include <string>

#include "access.hpp"
#include "fuzz.hpp"
#include "http/objects_handler.hpp"
#include "lihandover/config/configuration.hpp"
#include "lihandover/http/url.hpp"
#include "query.hpp"

namespace {

using namespace lihandover;
using fuzz::must;

void check_url(std::string_view text) {
    const auto url = http::parse_url(text);
    if (!url) {
        must(fuzz::is_ascii_text(url.error().message), "a problem is a sentence of ours");
        return;
    }
    must(url->scheme == "http" || url->scheme == "https", "only these schemes");
    must(!url->host.empty() && url->port != 0 && url->target.starts_with('/'), "a URL leads somewhere");
    must(fuzz::is_ascii_text(url->target) && fuzz::is_ascii_text(url->authority()), "a URL fits into a request");
    must(url->target.find(' ') == std::string::npos && url->authority().find(' ') == std::string::npos,
         "a URL does not break a request line");
    for (const std::string& place : {url->authority(), url->endpoint()}) {
        const auto again = http::parse_url(url->scheme + "://" + place + url->target);
        must(again && *again == *url, "put together again it is the same");
    }
}

void check_target(std::string_view target) {
    const std::string_view origin = objectserver::origin_form(target);
    must(target.ends_with(origin), "the origin form is the end of the target");
    const auto id = objectserver::object_id_of(origin);
    if (id) {
        must(origin.ends_with(id->to_string()) && origin.size() > 36, "an id is what stands at the end");
    }
}

void check_upload(std::string_view rest) {
    const std::string path = std::string(intake::objects_path) + std::string(rest);
    const auto id = intake::object_id_of(path);
    if (!id) {
        return;
    }
    must(!id->empty() && id->size() <= 256, "an id has its bounds");
    must(fuzz::is_ascii_text(*id) && id->find(' ') == std::string::npos, "an id can be seen");
    std::string coded(intake::objects_path);
    for (const char c : *id) {
        coded += '%';
        coded += "0123456789ABCDEF"[static_cast<unsigned>(c) >> 4U];
        coded += "0123456789abcdef"[static_cast<unsigned>(c) & 15U];
    }
    must(intake::object_id_of(coded) == id, "coded again it is the same");
}

void check_query(std::string_view text) {
    const auto decoded = admin::percent_decoded(text);
    must(!decoded || decoded->size() <= text.size(), "decoding makes nothing longer");
    must(decoded.has_value() || text.find('%') != std::string_view::npos, "only a percent sign can be wrong");
    const auto query = admin::parse_query(text);
    if (!query) {
        return;
    }
    std::string coded;
    for (const auto& [name, value] : *query) {
        coded += coded.empty() ? "" : "&";
        for (const auto* part : {&name, &value}) {
            for (const char c : *part) {
                const auto byte = static_cast<unsigned char>(c);
                coded += '%';
                coded += "0123456789abcdef"[byte >> 4U];
                coded += "0123456789abcdef"[byte & 15U];
            }
            coded += part == &name ? "=" : "";
        }
    }
    must(admin::parse_query(coded) == query, "coded again it is the same");
}

void check_access(std::string_view text) {
    const auto list = objectserver::AccessList::make({{"lea-one", {std::string(text)}}}, {});
    if (!list) {
        return;
    }
    const bool of_key = text.starts_with("spki:");
    const std::string hex(of_key ? text.substr(5) : text);
    must(hex.size() == 64, "a fingerprint has 64 digits");
    const std::string other(64, hex.front() == '0' ? '1' : '0');
    tls::PeerIdentity peer;
    peer.certificate_sha256 = of_key ? other : hex;
    peer.spki_sha256 = of_key ? hex : other;
    must(list->allows("lea-one", peer), "its own certificate may fetch");
    must(!list->allows("lea-two", peer), "but nothing of others");
    std::swap(peer.certificate_sha256, peer.spki_sha256);
    must(!list->allows("lea-one", peer) || hex == other, "a key is no certificate");
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    const fuzz::Exact bytes({reinterpret_cast<const char*>(data), size});
    const std::string_view text = bytes.view();
    check_url(text);
    check_target(text);
    check_upload(text);
    check_query(text);
    check_access(text);
    const auto address = config::parse_listen_address(text);
    must(!address || text.size() < 4200, "an address is bounded");
}
