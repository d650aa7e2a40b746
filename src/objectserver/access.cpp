#include "access.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "lihandover/base/hex.hpp"
#include "text.hpp"

namespace lihandover::objectserver {

namespace {

constexpr std::size_t uuid_size = 36;
constexpr std::string_view key_prefix = "spki:";
constexpr std::string_view identity_prefix = "psk:";
constexpr std::size_t listener_entry = std::numeric_limits<std::size_t>::max();
constexpr std::size_t no_destination = listener_entry - 1;

bool is_upper(char letter) {
    return letter >= 'A' && letter <= 'Z';
}

}  // namespace

std::string_view origin_form(std::string_view target) {
    for (const std::string_view scheme : {"https://", "http://"}) {
        if (same_text(target.substr(0, scheme.size()), scheme)) {
            const std::size_t path = target.find_first_of("/?", scheme.size());
            return path == std::string_view::npos ? std::string_view{} : target.substr(path);
        }
    }
    return target;
}

std::optional<model::Uuid> object_id_of(std::string_view origin) {
    if (origin.size() <= uuid_size) {
        return std::nullopt;
    }
    const std::string_view text = origin.substr(origin.size() - uuid_size);
    // One object has one URL: in upper case it would be another.
    if (std::ranges::any_of(text, is_upper)) {
        return std::nullopt;
    }
    return model::Uuid::parse(text);
}

std::optional<AccessList::Digest> AccessList::digest_of(std::string_view hex) {
    if (std::ranges::any_of(hex, is_upper)) {
        return std::nullopt;
    }
    return base::parse_hex<std::tuple_size_v<Digest>>(hex);
}

model::Result<AccessList::Entry> AccessList::entry_of(std::string_view text, std::size_t destination) {
    const Of of = text.starts_with(key_prefix)        ? Of::public_key
                  : text.starts_with(identity_prefix) ? Of::identity
                                                      : Of::certificate;
    const auto digest = digest_of(of == Of::certificate ? text : text.substr(text.find(':') + 1));
    if (!digest) {
        return model::Error{
            "a client certificate is named by the 64 lower-case hex digits of its SHA-256, or of that "
            "of its public key after `spki:`"};
    }
    return Entry{*digest, of, destination};
}

model::Result<AccessList> AccessList::make(
    const std::map<std::string, std::vector<std::string>, std::less<>>& destinations,
    const std::vector<std::string>& clients) {
    AccessList list;
    for (const auto& [name, certificates] : destinations) {
        const std::size_t number = list.destinations_.size();
        list.destinations_.emplace(name, number);
        for (const auto& text : certificates) {
            auto entry = entry_of(text, number);
            if (!entry) {
                return model::prefixed(name + ": ", std::move(entry).error());
            }
            list.entries_.push_back(*entry);
        }
    }
    for (const auto& text : clients) {
        auto entry = entry_of(text, listener_entry);
        if (!entry) {
            return std::move(entry).error();
        }
        list.entries_.push_back(*entry);
    }
    list.all_may_talk_ = clients.empty();
    return list;
}

bool AccessList::allows(std::string_view destination, const tls::PeerIdentity& peer) const {
    const bool with_key = !peer.psk_identity.empty();
    const auto certificate = digest_of(with_key ? tls::identity_sha256(peer.psk_identity) : peer.certificate_sha256);
    const auto key = with_key ? certificate : digest_of(peer.spki_sha256);
    if (!certificate || !key) {
        return false;  // about no object
    }
    const auto found = destinations_.find(destination);
    const std::size_t wanted = found == destinations_.end() ? no_destination : found->second;
    bool may_fetch = false;
    bool may_talk = all_may_talk_;
    for (const Entry& entry : entries_) {
        const Digest& theirs = entry.of == Of::public_key ? *key : *certificate;
        unsigned difference = 0;
        for (std::size_t index = 0; index < theirs.size(); ++index) {
            difference |= static_cast<unsigned>(theirs[index] ^ entry.digest[index]);  // NOLINT: both have 32
        }
        // What an identity is called says nothing about certificates.
        const bool same = (difference == 0) & ((entry.of == Of::identity) == with_key);
        may_fetch |= same & (entry.destination == wanted);
        may_talk |= same & (entry.destination == listener_entry);
    }
    return may_fetch & may_talk;
}

bool is_offered(const store::StoredObject& object, model::Instant now) {
    const bool alive = object.state == store::ObjectState::attached || object.state == store::ObjectState::offered;
    return object.model == model::BinaryModel::a && alive && object.described.expiry &&
           now < *object.described.expiry && (object.sealed != nullptr || object.unreadable_now);
}

}  // namespace lihandover::objectserver
