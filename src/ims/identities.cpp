#include "identities.hpp"

#include <algorithm>
#include <vector>

namespace lihandover::ims {

namespace {

constexpr std::size_t head = 3;
constexpr char name_rank = '\x7F';
constexpr std::size_t longest_name = 256;

std::size_t length_at(std::string_view bytes, std::size_t at) {
    return static_cast<unsigned char>(bytes[at + 1]) * std::size_t{256} + static_cast<unsigned char>(bytes[at + 2]);
}

std::string entry(char rank, std::string_view text) {
    std::string made;
    made.reserve(head + text.size());
    made += rank;
    made += static_cast<char>(text.size() / 256);
    made += static_cast<char>(text.size() % 256);
    made += text;
    return made;
}

}  // namespace

void Identities::add(Rank rank, std::string_view uri) {
    if (uri.empty() || uri.size() > longest_uri) {
        return;
    }
    const char rank_byte = static_cast<char>(rank);
    std::size_t place = bytes_.size();
    for (std::size_t at = 0; at < bytes_.size();) {
        const std::size_t length = length_at(bytes_, at);
        if (bytes_[at] > rank_byte && place == bytes_.size()) {
            place = at;
        }
        if (bytes_[at] != name_rank && std::string_view(bytes_).substr(at + head, length) == uri) {
            if (bytes_[at] <= rank_byte) {
                return;
            }
            bytes_.erase(at, head + length);
            break;
        }
        at += head + length;
    }
    if (bytes_.size() + head + uri.size() <= max_bytes) {
        bytes_.insert(place, entry(rank_byte, uri));
    }
}

bool Identities::has_longer(const SipMessage& message) {
    const auto is_longer = [](const SipAddress& address) { return address.uri.size() > longest_uri; };
    const auto any_is = [&is_longer](const std::vector<SipAddress>& list) {
        return std::ranges::any_of(list, is_longer);
    };
    return message.request_uri.size() > longest_uri || is_longer(message.from) || is_longer(message.to) ||
           any_is(message.asserted) || any_is(message.preferred) || any_is(message.called_party) ||
           any_is(message.history) || any_is(message.diversion);
}

void Identities::add_asserted(const SipMessage& message) {
    for (const SipAddress& address : message.asserted) {
        add(Rank::asserted, address.uri);
        set_name(address.display_name);
    }
    for (const SipAddress& address : message.preferred) {
        add(Rank::preferred, address.uri);
        set_name(address.display_name);
    }
}

void Identities::add_called(const SipMessage& request) {
    add(Rank::header, request.to.uri);
    set_name(request.to.display_name);
    add(Rank::request_uri, request.request_uri);
    for (const SipAddress& address : request.called_party) {
        add(Rank::called, address.uri);
    }
    for (const SipAddress& address : request.history) {
        add(Rank::before, address.uri);
    }
    for (const SipAddress& address : request.diversion) {
        add(Rank::before, address.uri);
    }
}

void Identities::set_name(std::string_view name) {
    if (!name.empty() && this->name().empty()) {
        bytes_ += entry(name_rank, name.substr(0, longest_name));
    }
}

void Identities::add_to(Uris& out) const {
    const std::string_view bytes = bytes_;
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t length = length_at(bytes, at);
        if (bytes[at] != name_rank) {
            out.add(bytes.substr(at + head, length));
        }
        at += head + length;
    }
}

std::string_view Identities::name() const {
    const std::string_view bytes = bytes_;
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t length = length_at(bytes, at);
        if (bytes[at] == name_rank) {
            return bytes.substr(at + head, length);
        }
        at += head + length;
    }
    return {};
}

}  // namespace lihandover::ims
