#include "corpus.hpp"

#include <gtest/gtest.h>

#include <array>

namespace lihandover::handover::test {
namespace {

using model::IdentifierType;
using model::PartyRole;

template <typename List>
const auto& pick(std::mt19937& random, const List& list) {
    return list[random() % std::size(list)];
}

bool chance(std::mt19937& random, unsigned percent) {
    return random() % 100 < percent;
}

std::string hostile_piece(std::mt19937& random) {
    static const std::array<std::string, 34> pieces = {
        "<",
        ">",
        "&",
        "\"",
        "'",
        "]]>",
        "<![CDATA[",
        "&amp;",
        "&#0;",
        "<!--",
        "--",
        "</event>",
        "<?xml?>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]>",
        "\r",
        "\n",
        "\r\n",
        "\t",
        " ",
        "\xC2\x85",          // U+0085
        "\xE2\x80\xA8",      // U+2028
        "\xEF\xBB\xBF",      // U+FEFF
        "\xEF\xBF\xBD",      // U+FFFD
        "\xF0\x9F\x98\x80",  // an emoji
        "\xF0\x9F\xBF\xBE",  // U+1FFFE: no character, but XML takes it
        "\xF4\x8F\xBF\xBF",  // U+10FFFF
        "\xC2\x80",
        "\x7F",
        "\xD0\x96\xD1\x83\xD0\xBA",  // Cyrillic
        "e\xCC\x81",                 // not in NFC
        "plain words",
        "1234567890",
        "a",
        "\xEF\xBF\xBC",
    };
    return pick(random, pieces);
}

std::string uncarriable_piece(std::mt19937& random) {
    static const std::array<std::string, 14> pieces = {
        std::string(1, '\0'), "\x01",         "\x0B",     "\x1F",     "\x1B[31m", "\xED\xA0\xBD",     "\xED\xB8\x80",
        "\xEF\xBF\xBE",       "\xEF\xBF\xBF", "\xC0\x80", "\xFF\xFE", "\xE2\x82", "\xF5\x80\x80\x80", "\x80"};
    return pick(random, pieces);
}

std::string random_time(std::mt19937& random) {
    static constexpr std::array<std::string_view, 14> times = {
        "2026-11-22T10:15:30Z",
        "2026-11-22T10:15:30.1Z",
        "2026-11-22T10:15:30.123456Z",
        "2026-11-22T10:15:30.123456789Z",
        "2026-11-22T10:15:30.1234560000z",
        "2026-11-22t10:15:30+14:00",
        "2026-11-22T10:15:30.999999-14:00",
        "2026-11-22T10:15:30.5+23:59",
        "2026-11-22T10:15:30-00:00",
        "2016-12-31T23:59:60Z",
        "2017-01-01T00:59:60.25+01:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
        "2024-02-29T00:00:00.000001+05:30",
    };
    return std::string(pick(random, times));
}

std::string random_number(std::mt19937& random) {
    static constexpr std::array<std::string_view, 20> numbers = {
        "51.5074", "-0.127758", "0",    "-0",   "90",   "-90.000000", "180",          "-180",        "51.50740001",
        "91",      "1e1",       "5e-7", "5e-6", "1E+2", "123456789",  "0.1234560000", "1e999999999", "1e-99999999999",
        "12.5e-1", "00.5"};
    return std::string(pick(random, numbers));
}

std::string random_identifier(std::mt19937& random) {
    static constexpr std::array<std::string_view, 30> identifiers = {
        "u-1001",
        "447700900123",
        "+44 7700 900123",
        "+44-7700-900123",
        "EXAMPLE",
        "1234567890123456",
        "alice@EXAMPLE.com",
        "\"a b\"@x",
        "a@",
        "@b",
        "a@-b.com",
        "a@b..c",
        "user@[192.0.2.1]",
        "sip:alice@ims.example.com",
        "sip:[2001:db8::1]",
        "sip:alice@[2001:db8::1]:5060;transport=tcp",
        "SIP:alice@Example.COM",
        "sips:bob@example.com?subject=x%20y",
        "sip:a%zz@example.com",
        "sip:#",
        "sip://example.com:99999999",
        "sip:a b@example.com",
        "sip:",
        "tel:+447700900123",
        "tel:+44-7700-900123;ext=1",
        "tel:7042;phone-context=example.com",
        "tel:%",
        "\xD0\x96\xD1\x83\xD0\xBA@\xD0\xB6.example",
        "Andr\x65\xCC\x81",
        " ",
    };
    return std::string(pick(random, identifiers));
}

std::vector<model::Property> random_properties(std::mt19937& random, Item& item) {
    static constexpr std::array<std::string_view, 14> names = {"ip",   "ipAddress", "source_ip", "ipv6",  "mac_address",
                                                               "imsi", "imei",      "imeisv",    "model", "version",
                                                               "zip",  "port",      "address",   "bssid"};
    static constexpr std::array<std::string_view, 16> values = {"192.0.2.1",
                                                                "010.0.0.1",
                                                                "256.1.1.1",
                                                                "1.2.3.4 ",
                                                                "2001:db8::1",
                                                                "::ffff:192.0.2.1",
                                                                "fe80::1%eth0",
                                                                "00:1A:2b:3c:4d:5e",
                                                                "00-1A-2b-3c-4d-5e",
                                                                "00:1A-2b:3c:4d:5e",
                                                                "234150999999999",
                                                                "12345678901234",
                                                                "123456789012345",
                                                                "1234567890123456",
                                                                "",
                                                                "12345"};
    static constexpr std::array<std::string_view, 6> json = {"true", "null",           "[1,2]", R"({"a":"<\u0000"})",
                                                             "-1e9", "234150999999999"};
    std::vector<model::Property> out;
    for (std::size_t left = random() % 5; left > 0; --left) {
        model::Property property;
        property.name = item.keep(chance(random, 70) ? std::string(pick(random, names)) : hostile_text(random, 12));
        property.json = chance(random, 30);
        property.value = item.keep(property.json        ? std::string(pick(random, json))
                                   : chance(random, 70) ? std::string(pick(random, values))
                                                        : hostile_text(random, 20));
        out.push_back(property);
    }
    return out;
}

std::string_view sometimes(std::mt19937& random, Item& item, std::size_t longest) {
    return chance(random, 50) ? item.keep(hostile_text(random, longest)) : std::string_view{};
}

void random_parties(std::mt19937& random, Item& item) {
    // Items of earlier versions have no im URIs.
    const std::size_t types = item.profile.writer_version < 3 ? static_cast<std::size_t>(IdentifierType::im_uri)
                                                              : model::identifier_type_names.size();
    for (const PartyRole role : {PartyRole::sender, PartyRole::receiver, PartyRole::actor, PartyRole::member}) {
        const std::size_t count = role == PartyRole::sender ? random() % 2 : random() % 4;
        for (std::size_t left = count; left > 0; --left) {
            std::vector<std::pair<IdentifierType, std::string>> identifiers;
            for (std::size_t more = 1 + random() % 3; more > 0; --more) {
                identifiers.emplace_back(static_cast<IdentifierType>(random() % types),
                                         chance(random, 80) ? random_identifier(random) : hostile_text(random, 15));
            }
            // Without metadata, names are all that is left of a party.
            if (!item.share.deliver.metadata) {
                identifiers.clear();
            }
            item.party(role, identifiers, item.share.deliver.metadata && chance(random, 30),
                       chance(random, 30) ? hostile_text(random, 10) : std::string());
        }
    }
}

void random_objects(std::mt19937& random, Item& item) {
    static constexpr std::array<std::string_view, 9> types = {
        "",      "image/jpeg",         "text/plain; charset=\"utf-8\"",
        "image", "image/jpeg\r\nX: y", "video/mp4;",
        "*/*",   "a/b;c=\"<&>\"",      "image/jp\xC3\xA9g"};
    for (std::size_t left = random() % 4; left > 0; --left) {
        model::BinaryObject object;
        object.id = some_uuid(static_cast<std::uint8_t>(random()));
        object.url = "https://lea.example.com/a?b=c&d={}/" + object.id.to_string();
        if (chance(random, 70)) {
            object.content_length = (std::uint64_t{random()} << 32) | random();
        }
        object.content_type = chance(random, 80) ? std::string(pick(random, types)) : hostile_text(random, 10);
        if (chance(random, 70)) {
            object.expiry = model::Instant{1'795'342'531 + static_cast<std::int64_t>(random()), 5};
        }
        if (chance(random, 70)) {
            for (std::uint8_t& byte : object.checksum.emplace()) {
                byte = static_cast<std::uint8_t>(random());
            }
        }
        object.original_filename = chance(random, 70) ? hostile_text(random, 30) : std::string();
        object.csp_defined_identifier = hostile_text(random, 6);
        object.loss = chance(random, 80) ? model::ObjectLoss::none : static_cast<model::ObjectLoss>(random() % 5);
        item.objects.push_back(std::move(object));
    }
}

void random_location(std::mt19937& random, Item& item) {
    model::Location& location = item.share.event.location.emplace();
    location.latitude = item.keep(random_number(random));
    location.longitude = item.keep(random_number(random));
    if (chance(random, 50)) {
        location.accuracy_metres = item.keep(random_number(random));
        location.altitude_metres = item.keep(random_number(random));
    }
    location.cell = sometimes(random, item, 10);
    location.description = sometimes(random, item, 10);
    if (chance(random, 50)) {
        location.observed_at = model::parse_rfc3339(item.keep(random_time(random)));
    }
}

}  // namespace

void Item::party(PartyRole role, const std::vector<std::pair<IdentifierType, std::string>>& identifiers, bool targeted,
                 std::string nickname) {
    model::Event& event = share.event;
    model::Party party;
    party.role = role;
    party.nickname = keep(std::move(nickname));
    party.first_identifier = static_cast<std::uint32_t>(event.identifiers.size());
    for (const auto& [type, value] : identifiers) {
        event.identifiers.push_back({type, keep(value)});
    }
    party.end_identifier = static_cast<std::uint32_t>(event.identifiers.size());
    event.parties.push_back(party);
    share.targeted.push_back(targeted);
}

model::Uuid some_uuid(std::uint8_t seed) {
    model::Uuid uuid;
    for (std::uint8_t& byte : uuid.bytes) {
        byte = seed++;
    }
    return uuid;
}

model::Profile usual_profile(std::uint32_t writer_version) {
    model::Profile profile;
    profile.writer_version = writer_version;
    profile.sender = {"XX", "EXAMPLE-CSP"};
    profile.receiver = {"GB", "Not specified"};
    profile.etsi_version = "V1.14.1";
    profile.schema_identifier = std::string(csp_schema_identifiers.at(writer_version - 1));
    return profile;
}

Item usual_item() {
    Item item;
    item.profile = usual_profile();
    item.identity.object_id = some_uuid(0x10);
    item.identity.liid = "LIID-0001";
    item.identity.correlation = model::ApplicationCorrelation{.level_id = 9007199254740991, .sequence_number = 0};
    model::Share& share = item.share;
    share.deliver = {.metadata = true, .content = true, .binary = false, .location = false};
    share.received_at = {1'795'342'531, 5'000};
    model::Event& event = share.event;
    event.event_id = "5b0c";
    event.service = "examplechat";
    event.type = model::EventType::message;
    event.timestamp = model::parse_rfc3339("2026-11-22T10:15:30.123456Z");
    item.party(PartyRole::sender, {{IdentifierType::user_id, "u-1001"}, {IdentifierType::msisdn, "447700900123"}},
               true);
    item.party(PartyRole::receiver, {{IdentifierType::user_id, "u-2002"}});
    event.has_conversation = true;
    event.conversation.id = "c-77";
    event.conversation.title = "Weekend";
    event.conversation.kind = "group";
    event.has_content = true;
    event.content_type = "text/plain";
    event.text = "See you at eight";
    event.parameters = {{.name = "status", .value = "delivered"}, {.name = "device_id", .value = "d-9"}};
    return item;
}

model::BinaryObject usual_object() {
    model::BinaryObject object;
    object.id = some_uuid(0x40);
    object.url = "https://lea.example.com/binaryData/" + object.id.to_string() + "/";
    object.content_length = 48'213;
    object.content_type = "image/jpeg";
    object.expiry = model::Instant{1'795'601'732, 999'999'999};
    object.checksum.emplace().fill(0xA5);
    object.original_filename = "roof.jpg";
    object.csp_defined_identifier = "a1";
    return object;
}

std::string hostile_text(std::mt19937& random, std::size_t longest) {
    std::string text;
    const bool uncarriable = chance(random, 25);
    for (std::size_t left = 1 + random() % longest; left > 0; --left) {
        text += uncarriable && chance(random, 20) ? uncarriable_piece(random) : hostile_piece(random);
    }
    return text;
}

Item random_item(std::uint32_t seed) {
    static constexpr std::array<std::string_view, 5> liids = {"LIID-0001", "!", "~<>&\"'\\%^|~!#$*()[]{}?",
                                                              "0123456789abcdef0123456789",
                                                              "0123456789abcdef0123456789abcdef0123456789abcdef01"};
    std::mt19937 random(seed);
    Item item;
    item.profile =
        usual_profile(chance(random, 25) ? 1 + random() % (current_writer_version - 1) : current_writer_version);
    if (chance(random, 30)) {
        item.profile.receiver.unique_identifier = "A & <B> \xD0\x96";
        item.profile.schema_url = "https://csp.example.com/schema/1.0?a=b&c=d";
    }
    item.identity.object_id = some_uuid(static_cast<std::uint8_t>(seed));
    item.identity.liid = pick(random, liids);
    if (chance(random, 50)) {
        item.identity.correlation = model::ApplicationCorrelation{random() % (1ULL << 32), random() % 1000};
    }
    item.identity.carries_schema = chance(random, 5);
    model::Share& share = item.share;
    share.deliver = {.metadata = chance(random, 85),
                     .content = chance(random, 80),
                     .binary = chance(random, 50),
                     .location = chance(random, 60)};
    share.received_at = model::Instant::from_micros(1'795'342'531'000'000 + static_cast<std::int64_t>(random()));
    model::Event& event = share.event;
    if (share.deliver.metadata) {
        event.event_id = item.keep(hostile_text(random, 4));
        event.service = item.keep(hostile_text(random, 4));
        event.type = static_cast<model::EventType>(random() % model::event_type_names.size());
        if (chance(random, 80)) {
            event.timestamp = model::parse_rfc3339(item.keep(random_time(random)));
        }
        event.refers_to = sometimes(random, item, 4);
        event.status = sometimes(random, item, 4);
        event.has_conversation = chance(random, 60);
        if (event.has_conversation) {
            event.conversation.id = sometimes(random, item, 4);
            event.conversation.kind = sometimes(random, item, 4);
            event.conversation.thread_id = sometimes(random, item, 4);
        }
        event.device = random_properties(random, item);
        event.network = random_properties(random, item);
        share.attachment_count = chance(random, 20) ? static_cast<std::uint32_t>(random() % 100) : 0;
        event.attachments.resize(share.attachment_count);
    }
    random_parties(random, item);
    if (share.deliver.content) {
        event.conversation.title = sometimes(random, item, 4);
        event.conversation.previous_title = sometimes(random, item, 4);
        event.conversation.thread_title = sometimes(random, item, 4);
        event.has_content = chance(random, 80);
        if (event.has_content) {
            event.content_type = sometimes(random, item, 4);
            event.text = chance(random, 90) ? item.keep(hostile_text(random, 60)) : std::string_view{};
        }
    }
    if (share.deliver.location && chance(random, 70)) {
        random_location(random, item);
    }
    event.parameters = random_properties(random, item);
    if (share.deliver.binary && item.profile.writer_version >= 2) {
        random_objects(random, item);
    }
    return item;
}

std::string deliver_of(const Item& item) {
    std::string out;
    const model::Status written = append_deliver(out, item.share, item.identity, item.profile, item.objects);
    EXPECT_TRUE(written.has_value());
    return out;
}

std::string document_of(const Item& item) {
    const std::string deliver = deliver_of(item);
    const std::array<std::string_view, 1> delivers = {deliver};
    std::string out;
    append_message(out, item.profile, some_uuid(0x80), {1'795'342'532, 7'000}, delivers);
    return out;
}

std::filesystem::path schemas_dir() {
    return std::filesystem::path(LIHANDOVER_SOURCE_DIR) / "schemas";
}

const Validator& validator() {
    static const Validator loaded = [] {
        auto result = Validator::load(schemas_dir());
        if (result.has_error()) {
            throw std::runtime_error(result.error().message);
        }
        return std::move(*result);
    }();
    return loaded;
}

}  // namespace lihandover::handover::test
