#include "lihandover/ims/sdp.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "text.hpp"

namespace lihandover::ims {

namespace {

using Words = std::vector<std::string_view>;

void take_words(std::string_view text, Words& out) {
    while (out.size() < max_sdp_values) {
        const std::string_view word = take_word(text);
        if (word.empty()) {
            return;
        }
        out.push_back(word);
    }
}

/// `IN IP4 192.0.2.1`: the address, without the scope of a multicast one.
std::string_view address_of(std::string_view value) {
    take_word(value);
    take_word(value);
    const std::string_view address = take_word(value);
    return address.substr(0, address.find('/'));
}

/// The direction that an attribute is; empty for another one.
std::string_view direction_of(std::string_view name) {
    for (const std::string_view direction : {"sendrecv", "sendonly", "recvonly", "inactive"}) {
        if (same_name(name, direction)) {
            return direction;
        }
    }
    return {};
}

/// The protocol of an m= line: `TCP/MSRP`, `TCP/TLS/MSRP`, and `msrp`, `msrp/tcp` of the drafts.
struct Protocol {
    bool msrp = false;
    bool secure = false;
};
Protocol protocol_of(std::string_view text) {
    Protocol out;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('/'), text.size());
        const std::string_view part = text.substr(0, end);
        out.secure = out.secure || same_name(part, "TLS") || same_name(part, "MSRPS");
        out.msrp = out.msrp || same_name(part, "MSRP") || same_name(part, "MSRPS");
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

/// Cuts one selector off: `name:"my file.jpg"`, `type:text/plain;charset="a b"`, `size:4092`, `hash:sha-1:72:…`.
std::string_view take_selector(std::string_view& text) {
    text = trimmed_front(text);
    std::size_t at = 0;
    while (at < text.size() && !is_space(text[at])) {
        const std::size_t close = text[at] == '"' ? text.find('"', at + 1) : std::string_view::npos;
        at = close == std::string_view::npos ? at + 1 : close + 1;
    }
    const std::string_view selector = text.substr(0, at);
    text.remove_prefix(at);
    return selector;
}

void take_file_selector(std::string_view value, SdpFile& file) {
    for (std::string_view rest = value;;) {
        const std::string_view selector = take_selector(rest);
        if (selector.empty()) {
            return;
        }
        const std::size_t colon = std::min(selector.find(':'), selector.size());
        const std::string_view name = selector.substr(0, colon);
        std::string_view what = selector.substr(std::min(colon + 1, selector.size()));
        if (same_name(name, "name") && file.name.empty()) {
            if (what.size() > 1 && what.starts_with('"') && what.ends_with('"')) {
                what = what.substr(1, what.size() - 2);
            }
            file.name = what;
        } else if (same_name(name, "type") && file.type.empty()) {
            file.type = what;
        } else if (same_name(name, "size") && !file.size) {
            file.size = read_number<std::uint64_t>(what);
        } else if (same_name(name, "hash") && file.hash.empty()) {
            file.hash = what;
        }
    }
}

SdpFile& file_of(SdpMsrp& medium) {
    return medium.file ? *medium.file : medium.file.emplace();
}

void set_once(std::string_view& to, std::string_view value) {
    to = to.empty() ? value : to;
}

/// What an attribute of a medium says. A list that comes twice is read once.
using TakeAttribute = void (*)(SdpMsrp& medium, std::string_view value);
struct Attribute {
    std::string_view name;
    TakeAttribute take;
};
template <Words SdpMsrp::*List>
void take_list(SdpMsrp& medium, std::string_view value) {
    if ((medium.*List).empty()) {
        take_words(value, medium.*List);
    }
}
void take_max_size(SdpMsrp& medium, std::string_view value) {
    medium.max_size = medium.max_size ? medium.max_size : read_number<std::uint64_t>(value);
}
void take_chatroom(SdpMsrp& medium, std::string_view value) {
    medium.chatroom = true;
    take_list<&SdpMsrp::chatroom_tokens>(medium, value);
}
constexpr auto attributes = std::to_array<Attribute>({
    {"path", take_list<&SdpMsrp::path>},
    {"session", take_list<&SdpMsrp::path>},
    {"accept-types", take_list<&SdpMsrp::accept_types>},
    {"accept-wrapped-types", take_list<&SdpMsrp::accept_wrapped_types>},
    {"max-size", take_max_size},
    {"maxsize", take_max_size},
    {"setup", [](SdpMsrp& medium, std::string_view value) { set_once(medium.setup, value); }},
    {"msrp-cema", [](SdpMsrp& medium, std::string_view) { medium.cema = true; }},
    {"chatroom", take_chatroom},
    {"file-selector", [](SdpMsrp& medium, std::string_view value) { take_file_selector(value, file_of(medium)); }},
    {"file-transfer-id", [](SdpMsrp& medium, std::string_view value) { set_once(file_of(medium).transfer_id, value); }},
    {"file-disposition", [](SdpMsrp& medium, std::string_view value) { set_once(file_of(medium).disposition, value); }},
});

class SdpReader {
  public:
    std::optional<SessionDescription> read(std::string_view bytes);

  private:
    /// false: nothing further is read.
    bool take(char type, std::string_view value);
    void take_origin(std::string_view value);
    void take_medium(std::string_view value);
    void take_attribute(std::string_view value);
    void finish();

    SessionDescription out_;
    bool found_ = false;          ///< a sign that this is a session description
    bool other_version_ = false;  ///< than 0
    SdpMsrp* medium_ = nullptr;   ///< whose lines follow, where it is one of MSRP
    std::string_view information_;
    // Of the session, for media that say nothing else.
    std::string_view address_;
    std::string_view direction_;
    std::string_view setup_;
};

std::optional<SessionDescription> SdpReader::read(std::string_view bytes) {
    out_.msrp.reserve(1);
    while (!bytes.empty()) {
        const std::string_view line = take_line(bytes);
        if (line.size() >= 2 && line[1] == '=' && !take(line[0], trimmed(line.substr(2)))) {
            break;
        }
    }
    if (!found_ || other_version_) {
        return std::nullopt;
    }
    finish();
    return std::move(out_);
}

bool SdpReader::take(char type, std::string_view value) {
    switch (type) {
        case 'v':
            found_ = found_ || value == "0";
            other_version_ = other_version_ || (!value.empty() && value != "0");
            break;
        case 'o':
            take_origin(value);
            break;
        case 's':
            out_.subject = value == "-" || out_.media > 0 ? out_.subject : value;
            break;
        case 'i':
            information_ = out_.media > 0 ? information_ : value;
            break;
        case 'c':
            if (out_.media == 0) {
                address_ = address_of(value);
            } else if (medium_ != nullptr && medium_->address.empty()) {
                medium_->address = address_of(value);
            }
            break;
        case 'm':
            if (out_.media == max_sdp_media) {
                return false;
            }
            take_medium(value);
            break;
        case 'a':
            take_attribute(value);
            break;
        default:
            break;
    }
    return true;
}

/// `user id version IN IP4 address`: from the end, since some write names with blanks for the user.
void SdpReader::take_origin(std::string_view value) {
    Words words;
    take_words(value, words);
    if (words.size() < 3) {
        return;
    }
    found_ = true;
    const std::size_t id = words.size() >= 6 ? words.size() - 5 : 1;
    out_.session_id = words[id];
    out_.version = words[id + 1];
}

/// `message 7394 TCP/MSRP *`
void SdpReader::take_medium(std::string_view value) {
    medium_ = nullptr;
    const std::string_view kind = take_word(value);
    const std::string_view port_text = take_word(value);
    const Protocol protocol = protocol_of(take_word(value));
    const auto port = read_number<std::uint16_t>(port_text.substr(0, port_text.find('/')));
    if (kind.empty()) {
        return;
    }
    found_ = true;
    ++out_.media;
    if (protocol.msrp && port) {
        medium_ = &out_.msrp.emplace_back();
        medium_->port = *port;
        medium_->secure = protocol.secure;
    }
}

void SdpReader::take_attribute(std::string_view value) {
    const std::size_t colon = std::min(value.find(':'), value.size());
    const std::string_view name = trimmed_back(value.substr(0, colon));
    const std::string_view what = trimmed(value.substr(std::min(colon + 1, value.size())));
    const std::string_view direction = direction_of(name);
    if (out_.media == 0) {
        direction_ = direction.empty() ? direction_ : direction;
        setup_ = same_name(name, "setup") ? what : setup_;
        return;
    }
    if (medium_ == nullptr) {
        return;
    }
    if (!direction.empty()) {
        medium_->direction = direction;
        return;
    }
    const auto* const known =
        std::ranges::find_if(attributes, [name](const Attribute& each) { return same_name(each.name, name); });
    if (known != attributes.end()) {
        known->take(*medium_, what);
    }
}

void SdpReader::finish() {
    if (out_.subject.empty()) {
        out_.subject = information_;
    }
    for (SdpMsrp& medium : out_.msrp) {
        set_once(medium.address, address_);
        set_once(medium.direction, direction_);
        set_once(medium.setup, setup_);
    }
}

}  // namespace

std::optional<SessionDescription> read_sdp(std::string_view bytes) {
    return SdpReader().read(bytes);
}

}  // namespace lihandover::ims
