#include "lihandover/model/item.hpp"

#include <algorithm>

namespace lihandover::model {

namespace {

// The bytes of a share, version 1: the version, then fields of (tag, value) until the end. Numbers are base-128 with
// the low groups first; strings are their length and their bytes. An absent field is not written.
constexpr std::uint8_t share_version = 1;

enum class Tag : std::uint8_t {
    deliver = 1,
    received_at,
    event_id,
    service,
    type,
    timestamp,
    refers_to,
    status,
    conversation_id,
    conversation_kind,
    conversation_thread,
    conversation_title,
    conversation_previous_title,
    conversation_thread_title,
    has_conversation,
    content_type,
    text,
    has_content,
    location,
    device,
    network,
    parameter,
    party,
    attachments,
};

class Writer {
  public:
    explicit Writer(std::string& out) : out_(out) {}

    void byte(std::uint8_t value) { out_ += static_cast<char>(value); }
    void tag(Tag tag) { byte(static_cast<std::uint8_t>(tag)); }
    void number(std::uint64_t value) {
        while (value >= 0x80) {
            byte(static_cast<std::uint8_t>(value | 0x80));
            value >>= 7;
        }
        byte(static_cast<std::uint8_t>(value));
    }
    void string(std::string_view value) {
        number(value.size());
        out_ += value;
    }
    void text(Tag name, std::string_view value) {
        if (!value.empty()) {
            tag(name);
            string(value);
        }
    }
    void instant(Instant value) {
        number(static_cast<std::uint64_t>(value.seconds));
        number(static_cast<std::uint64_t>(value.nanos));
    }
    void time(const QualifiedTime& value) { string(value.text); }
    void property(Tag name, const Property& value) {
        tag(name);
        byte(value.json ? 1 : 0);
        string(value.name);
        string(value.value);
    }

  private:
    std::string& out_;
};

class Bytes {
  public:
    explicit Bytes(std::string_view bytes) : left_(bytes) {}

    [[nodiscard]] bool done() const { return left_.empty(); }
    bool byte(std::uint8_t& value) {
        if (left_.empty()) {
            return false;
        }
        value = static_cast<std::uint8_t>(left_.front());
        left_.remove_prefix(1);
        return true;
    }
    bool number(std::uint64_t& value) {
        value = 0;
        std::uint8_t part = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (!byte(part)) {
                return false;
            }
            value |= static_cast<std::uint64_t>(part & 0x7f) << shift;
            if ((part & 0x80) == 0) {
                return true;
            }
        }
        return false;
    }
    template <typename Small>
    bool small(Small& value, std::uint64_t bound) {
        std::uint64_t wide = 0;
        if (!number(wide) || wide >= bound) {
            return false;
        }
        value = static_cast<Small>(wide);
        return true;
    }
    bool string(std::string_view& value) {
        std::uint64_t size = 0;
        if (!number(size) || size > left_.size()) {
            return false;
        }
        value = left_.substr(0, size);
        left_.remove_prefix(size);
        return true;
    }
    bool instant(Instant& value) {
        std::uint64_t seconds = 0;
        if (!number(seconds) || !small(value.nanos, 1'000'000'000)) {
            return false;
        }
        value.seconds = static_cast<std::int64_t>(seconds);
        return true;
    }
    bool time(std::optional<QualifiedTime>& value) {
        std::string_view text;
        if (!string(text)) {
            return false;
        }
        value = parse_rfc3339(text);
        return value.has_value();
    }
    bool property(std::vector<Property>& list) {
        Property value;
        std::uint8_t json = 0;
        if (!byte(json) || !string(value.name) || !string(value.value)) {
            return false;
        }
        value.json = json != 0;
        list.push_back(value);
        return true;
    }

  private:
    std::string_view left_;
};

std::uint8_t deliver_bits(const Deliver& deliver) {
    return static_cast<std::uint8_t>((deliver.metadata ? 1 : 0) | (deliver.content ? 2 : 0) | (deliver.binary ? 4 : 0) |
                                     (deliver.location ? 8 : 0));
}

Deliver deliver_of(std::uint8_t bits) {
    return {.metadata = (bits & 1) != 0,
            .content = (bits & 2) != 0,
            .binary = (bits & 4) != 0,
            .location = (bits & 8) != 0};
}

bool is_targeted(std::span<const std::uint64_t> targeted, std::size_t party) {
    return party / 64 < targeted.size() && (targeted[party / 64] >> (party % 64) & 1) != 0;
}

// Identifiers and the mark are metadata, the nickname is content.
void write_party(Writer& writer, const Event& event, const Party& party, bool targeted, const Deliver& deliver) {
    writer.tag(Tag::party);
    writer.byte(static_cast<std::uint8_t>(party.role));
    writer.byte(deliver.metadata && targeted ? 1 : 0);
    writer.string(deliver.content ? party.nickname : std::string_view{});
    const auto identifiers = deliver.metadata ? event.identifiers_of(party) : std::span<const Identifier>{};
    writer.number(identifiers.size());
    for (const Identifier& identifier : identifiers) {
        writer.byte(static_cast<std::uint8_t>(identifier.type));
        writer.string(identifier.value);
    }
}

void write_metadata(Writer& writer, const Event& event) {
    writer.text(Tag::event_id, event.event_id);
    writer.text(Tag::service, event.service);
    writer.tag(Tag::type);
    writer.number(static_cast<std::uint64_t>(event.type));
    if (event.timestamp) {
        writer.tag(Tag::timestamp);
        writer.time(*event.timestamp);
    }
    writer.text(Tag::refers_to, event.refers_to);
    writer.text(Tag::status, event.status);
    if (event.has_conversation) {
        writer.tag(Tag::has_conversation);
        writer.text(Tag::conversation_id, event.conversation.id);
        writer.text(Tag::conversation_kind, event.conversation.kind);
        writer.text(Tag::conversation_thread, event.conversation.thread_id);
    }
    for (const Property& property : event.device) {
        writer.property(Tag::device, property);
    }
    for (const Property& property : event.network) {
        writer.property(Tag::network, property);
    }
    if (!event.attachments.empty()) {
        writer.tag(Tag::attachments);
        writer.number(event.attachments.size());
    }
}

void write_content(Writer& writer, const Event& event) {
    writer.text(Tag::conversation_title, event.conversation.title);
    writer.text(Tag::conversation_previous_title, event.conversation.previous_title);
    writer.text(Tag::conversation_thread_title, event.conversation.thread_title);
    if (event.has_content) {
        writer.tag(Tag::has_content);
        writer.text(Tag::content_type, event.content_type);
        writer.text(Tag::text, event.text);
    }
}

void write_location(Writer& writer, const Location& location) {
    writer.tag(Tag::location);
    writer.string(location.latitude);
    writer.string(location.longitude);
    writer.string(location.accuracy_metres);
    writer.string(location.altitude_metres);
    writer.string(location.cell);
    writer.string(location.description);
    writer.byte(location.observed_at ? 1 : 0);
    if (location.observed_at) {
        writer.time(*location.observed_at);
    }
}

bool read_party(Bytes& bytes, Share& out) {
    Party party;
    std::uint8_t targeted = 0;
    std::uint64_t count = 0;
    if (!bytes.small(party.role, party_role_names.size()) || !bytes.byte(targeted) || !bytes.string(party.nickname) ||
        !bytes.number(count)) {
        return false;
    }
    Event& event = out.event;
    party.first_identifier = static_cast<std::uint32_t>(event.identifiers.size());
    for (std::uint64_t i = 0; i < count; ++i) {
        Identifier identifier;
        if (!bytes.small(identifier.type, identifier_type_names.size()) || !bytes.string(identifier.value)) {
            return false;
        }
        event.identifiers.push_back(identifier);
    }
    party.end_identifier = static_cast<std::uint32_t>(event.identifiers.size());
    event.parties.push_back(party);
    out.targeted.push_back(targeted != 0);
    return true;
}

bool read_location(Bytes& bytes, Event& event) {
    Location& location = event.location.emplace();
    std::uint8_t timed = 0;
    return bytes.string(location.latitude) && bytes.string(location.longitude) &&
           bytes.string(location.accuracy_metres) && bytes.string(location.altitude_metres) &&
           bytes.string(location.cell) && bytes.string(location.description) && bytes.byte(timed) &&
           (timed == 0 || bytes.time(location.observed_at));
}

bool read_field(Tag tag, Bytes& bytes, Share& out) {
    Event& event = out.event;
    switch (tag) {
        case Tag::deliver: {
            std::uint8_t bits = 0;
            const bool good = bytes.byte(bits);
            out.deliver = deliver_of(bits);
            return good;
        }
        case Tag::received_at:
            return bytes.instant(out.received_at);
        case Tag::event_id:
            return bytes.string(event.event_id);
        case Tag::service:
            return bytes.string(event.service);
        case Tag::type:
            return bytes.small(event.type, event_type_names.size());
        case Tag::timestamp:
            return bytes.time(event.timestamp);
        case Tag::refers_to:
            return bytes.string(event.refers_to);
        case Tag::status:
            return bytes.string(event.status);
        case Tag::has_conversation:
            event.has_conversation = true;
            return true;
        case Tag::conversation_id:
            return bytes.string(event.conversation.id);
        case Tag::conversation_kind:
            return bytes.string(event.conversation.kind);
        case Tag::conversation_thread:
            return bytes.string(event.conversation.thread_id);
        case Tag::conversation_title:
            return bytes.string(event.conversation.title);
        case Tag::conversation_previous_title:
            return bytes.string(event.conversation.previous_title);
        case Tag::conversation_thread_title:
            return bytes.string(event.conversation.thread_title);
        case Tag::has_content:
            event.has_content = true;
            return true;
        case Tag::content_type:
            return bytes.string(event.content_type);
        case Tag::text:
            return bytes.string(event.text);
        case Tag::location:
            return read_location(bytes, event);
        case Tag::device:
            return bytes.property(event.device);
        case Tag::network:
            return bytes.property(event.network);
        case Tag::parameter:
            return bytes.property(event.parameters);
        case Tag::party:
            return read_party(bytes, out);
        case Tag::attachments:
            return bytes.small(out.attachment_count, UINT32_MAX);
    }
    return false;
}

}  // namespace

void encode_share(const Event& event, std::span<const std::uint64_t> targeted, const Deliver& deliver,
                  Instant received_at, std::span<const std::string> metadata_parameters, std::string& out) {
    Writer writer(out);
    writer.byte(share_version);
    writer.tag(Tag::deliver);
    writer.byte(deliver_bits(deliver));
    if (deliver.metadata) {
        writer.tag(Tag::received_at);
        writer.instant(received_at);
        write_metadata(writer, event);
    }
    for (std::size_t i = 0; i < event.parties.size(); ++i) {
        const Party& party = event.parties[i];
        if (deliver.metadata || (deliver.content && !party.nickname.empty())) {
            write_party(writer, event, party, is_targeted(targeted, i), deliver);
        }
    }
    if (deliver.content) {
        write_content(writer, event);
    }
    if (deliver.location && event.location) {
        write_location(writer, *event.location);
    }
    for (const Property& parameter : event.parameters) {
        const bool metadata = std::ranges::find(metadata_parameters, parameter.name) != metadata_parameters.end();
        if (metadata ? deliver.metadata : deliver.content) {
            writer.property(Tag::parameter, parameter);
        }
    }
}

Status decode_share(std::string_view bytes, Share& out) {
    out.event.clear();
    out.targeted.clear();
    out.deliver = {};
    out.received_at = {};
    out.attachment_count = 0;
    if (bytes.empty()) {
        return Error{"the content of a stored item cannot be unsealed: its key is not in state_dir/keys"};
    }
    Bytes reader(bytes);
    std::uint8_t version = 0;
    if (!reader.byte(version) || version != share_version) {
        return Error{"a stored item is of a version that this program does not read"};
    }
    while (!reader.done()) {
        std::uint8_t tag = 0;
        if (!reader.byte(tag) || !read_field(static_cast<Tag>(tag), reader, out)) {
            return Error{"a stored item is damaged"};
        }
    }
    return {};
}

}  // namespace lihandover::model
