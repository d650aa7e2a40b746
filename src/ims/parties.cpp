#include "parties.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

#include "event_maker.hpp"
#include "lihandover/base/hex.hpp"
#include "lihandover/base/utf8.hpp"
#include "lihandover/model/identifier.hpp"

namespace lihandover::ims {

namespace {

bool begins(std::string_view text, std::string_view scheme) {
    if (text.size() < scheme.size()) {
        return false;
    }
    for (std::size_t i = 0; i < scheme.size(); ++i) {
        const char c = text[i];
        if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != scheme[i]) {
            return false;
        }
    }
    return true;
}

/// Digits as numbers are written, with or without +.
bool is_number(std::string_view text) {
    std::size_t digits = 0;
    for (const char c : text) {
        if (c >= '0' && c <= '9') {
            ++digits;
        } else if (std::string_view("+-. ()").find(c) == std::string_view::npos) {
            return false;
        }
    }
    return digits >= 3;
}

/// A URI with the bytes that are no UTF-8 percent-encoded, so that none is lost.
std::string_view keep_uri(MadeEvent& made, std::string_view uri) {
    if (base::is_encoded(uri)) {
        return made.keep(uri);
    }
    std::string encoded;
    while (!uri.empty()) {
        const std::size_t size = base::first_character(uri).size;
        if (size == 0) {
            encoded += '%';
            base::append_hex(encoded, uri.front(), base::hex_capitals);
        } else {
            encoded += uri.substr(0, size);
        }
        uri.remove_prefix(size == 0 ? 1 : size);
    }
    return made.keep(encoded);
}

/// A matched identifier may be told without its scheme.
bool names(const model::Identifier& target, const model::Identifier& identifier) {
    if (identifier.value == target.value) {
        return true;
    }
    const std::size_t colon = identifier.value.find(':');
    const bool same = colon != std::string_view::npos && identifier.value.substr(colon + 1) == target.value;
    return same || model::equivalent(target, identifier);
}

bool is_source(model::PartyRole role) {
    return role == model::PartyRole::sender || role == model::PartyRole::actor;
}

void mark_matching(MadeEvent& made, std::string_view matched) {
    const model::Identifier target{type_of(matched), matched};
    const model::Event& event = made.event;
    for (std::size_t i = 0; i < event.parties.size(); ++i) {
        const auto identifiers = event.identifiers_of(event.parties[i]);
        made.targeted[i] = made.targeted[i] || std::ranges::any_of(identifiers, [&target](const auto& identifier) {
                               return names(target, identifier);
                           });
    }
}

std::optional<std::size_t> source_of(const model::Event& event) {
    for (std::size_t i = 0; i < event.parties.size(); ++i) {
        if (is_source(event.parties[i].role)) {
            return i;
        }
    }
    return std::nullopt;
}

std::optional<std::size_t> only_receiver_of(const model::Event& event) {
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < event.parties.size(); ++i) {
        if (is_source(event.parties[i].role)) {
            continue;
        }
        if (found) {
            return std::nullopt;
        }
        found = i;
    }
    return found;
}

}  // namespace

void Uris::add(std::string_view uri) {
    if (!uri.empty() && uris_.size() < max && std::ranges::find(uris_, uri) == uris_.end()) {
        uris_.push_back(uri);
    }
}

void Uris::add(const std::vector<SipAddress>& addresses) {
    for (const SipAddress& address : addresses) {
        add(address.uri);
    }
}

void add_sender(const SipMessage& request, Uris& out) {
    out.add(request.asserted);
    out.add(request.preferred);
    out.add(request.from.uri);
}

void add_receiver(const SipMessage& request, Uris& out) {
    out.add(request.to.uri);
    out.add(request.request_uri);
    out.add(request.called_party);
    out.add(request.history);
    out.add(request.diversion);
}

model::IdentifierType type_of(std::string_view uri) {
    if (begins(uri, "sip:") || begins(uri, "sips:")) {
        return model::IdentifierType::sip_uri;
    }
    if (begins(uri, "tel:")) {
        return model::IdentifierType::tel_uri;
    }
    if (begins(uri, "im:")) {
        return model::IdentifierType::im_uri;
    }
    if (begins(uri, "mailto:")) {
        return model::IdentifierType::email;
    }
    if (is_number(uri)) {
        return model::IdentifierType::msisdn;
    }
    const bool address = uri.find(':') == std::string_view::npos && uri.find('@') != std::string_view::npos;
    return address ? model::IdentifierType::email : model::IdentifierType::user_id;
}

void add_party(MadeEvent& made, model::PartyRole role, std::span<const std::string_view> uris,
               std::string_view nickname) {
    if (uris.empty()) {
        return;
    }
    model::Party party;
    party.role = role;
    party.first_identifier = static_cast<std::uint32_t>(made.event.identifiers.size());
    for (const std::string_view uri : uris) {
        made.event.identifiers.push_back({type_of(uri), keep_uri(made, uri)});
    }
    party.end_identifier = static_cast<std::uint32_t>(made.event.identifiers.size());
    party.nickname = keep_text(made, nickname);
    made.event.parties.push_back(party);
    made.targeted.push_back(false);
}

void mark_targeted(MadeEvent& made, const Copy& copy, Way way) {
    const auto source = source_of(made.event);
    const auto receiver = only_receiver_of(made.event);
    switch (way) {
        case Way::along:
            mark_ends(made, copy, source, receiver);
            break;
        case Way::against:
            mark_ends(made, copy, receiver, source);
            break;
        case Way::unknown:
            mark_ends(made, copy, std::nullopt, std::nullopt);
            break;
    }
}

void mark_ends(MadeEvent& made, const Copy& copy, std::optional<std::size_t> from, std::optional<std::size_t> to) {
    for (const std::string_view matched : copy.matched) {
        mark_matching(made, matched);
    }
    const auto end = copy.direction == Direction::from_target ? from
                     : copy.direction == Direction::to_target ? to
                                                              : std::nullopt;
    if (end) {
        made.targeted[*end] = true;
    }
}

void add_matched(MadeEvent& made, const Copy& copy) {
    Uris uris;
    for (const std::string_view matched : copy.matched) {
        uris.add(matched);
    }
    add_party(made,
              copy.direction == Direction::from_target ? model::PartyRole::sender
              : copy.direction == Direction::to_target ? model::PartyRole::receiver
                                                       : model::PartyRole::member,
              uris);
}

}  // namespace lihandover::ims
