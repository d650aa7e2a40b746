#include "lihandover/handover/writer.hpp"

#include <gtest/gtest.h>

#include <array>
#include <pugixml.hpp>
#include <string>

#include "lihandover/hi1/request.hpp"
#include "lihandover/hi1/writer.hpp"
#include "readback.hpp"

namespace lihandover::handover::test {
namespace {

using model::IdentifierType;
using model::PartyRole;

/// The text between the first `<name>` and `</name>`; empty if there is none.
std::string between(std::string_view document, std::string_view name) {
    const std::size_t open = document.find("<" + std::string(name) + ">");
    const std::size_t close = document.find("</" + std::string(name) + ">");
    if (open == std::string_view::npos || close == std::string_view::npos) {
        return {};
    }
    const std::size_t begin = open + name.size() + 2;
    return std::string(document.substr(begin, close - begin));
}

void expect_valid(const std::string& document) {
    const model::Status status = validator().validate(document);
    EXPECT_TRUE(status.has_value()) << status.error().message << '\n' << document;
}

void expect_good(const Item& item) {
    const std::string document = document_of(item);
    expect_valid(document);
    expect_says(document, item);
}

TEST(Writer, TheUsualDocument) {
    const Item item = usual_item();
    const std::string expected_core =
        "<coreParameters><messageSender><identifiers><identifier>u-1001</identifier><identifier>447700900123</"
        "identifier>"
        "</identifiers><isTargetedParty>true</isTargetedParty></"
        "messageSender><messageReceivers><recipient><identifiers>"
        "<identifier>u-2002</identifier></identifiers></recipient></messageReceivers>"
        "<timestamp>2026-11-22T10:15:30Z</timestamp></coreParameters>";
    const std::string document = document_of(item);
    EXPECT_NE(document.find(expected_core), std::string::npos) << document;
    EXPECT_NE(document.find("<Timestamp>2026-11-22T10:15:32.000007Z</Timestamp>"), std::string::npos) << document;
    EXPECT_NE(document.find("<TransactionIdentifier>80818283-8485-8687-8889-8a8b8c8d8e8f</TransactionIdentifier>"),
              std::string::npos);
    EXPECT_EQ(document.find("NationalHandlingParameters"), std::string::npos);
    expect_good(item);
}

TEST(Writer, TheSameItemGivesTheSameBytesInAnyMessage) {
    const Item item = usual_item();
    const std::string deliver = deliver_of(item);
    EXPECT_EQ(deliver_of(item), deliver);
    Item other = usual_item();
    other.identity.object_id = some_uuid(0x33);
    const std::string second = deliver_of(other);
    const std::array<std::string_view, 2> delivers = {second, deliver};
    std::string message;
    append_message(message, item.profile, some_uuid(1), {1, 0}, delivers);
    EXPECT_NE(message.find("<ActionIdentifier>1</ActionIdentifier>" + deliver + "</ActionRequest>"), std::string::npos);
    // Written straight into a message that has already started, after other actions.
    std::string grown;
    append_message_head(grown, item.profile, some_uuid(1), {1, 0});
    hi1::append_action_head(grown, 0);
    ASSERT_TRUE(append_deliver(grown, other.share, other.identity, other.profile).has_value());
    grown += hi1::action_tail;
    hi1::append_action_head(grown, 1);
    ASSERT_TRUE(append_deliver(grown, item.share, item.identity, item.profile).has_value());
    grown += hi1::action_tail;
    grown += hi1::message_tail;
    EXPECT_EQ(grown, message);
    expect_valid(message);
}

// Items of writer version 1 wait in stores: their bytes are fixed. If this fails, add a writer version instead.
TEST(Writer, BytesOfVersionOneAreFixed) {
    Item item = usual_item();
    item.profile = usual_profile(1);
    EXPECT_EQ(
        deliver_of(item),
        "<DELIVER><Identifier>10111213-1415-1617-1819-1a1b1c1d1e1f</Identifier><HI1Object "
        "xsi:type=\"d:DeliveryObject\">"
        "<ObjectIdentifier>10111213-1415-1617-1819-1a1b1c1d1e1f</ObjectIdentifier><CountryCode>GB</CountryCode>"
        "<OwnerIdentifier>Not specified</OwnerIdentifier><d:Reference><d:LIID>LIID-0001</d:LIID></d:Reference>"
        "<d:Manifest><d:Specification><c:Owner>ETSI</c:Owner><c:Name>ManifestSpecification</c:Name>"
        "<c:Value>TS103707</c:Value></d:Specification></d:Manifest><d:Delivery><d:XMLData>"
        "<handoverItem xmlns=\"http://uri.etsi.org/03707/2020/02\"><header><applicationCorrelation>"
        "<applicationLevelID>9007199254740991</applicationLevelID>"
        "<applicationSequenceNumber>0</applicationSequenceNumber></applicationCorrelation></header>"
        "<payload xsi:type=\"m:MessagingPayload\"><coreParameters><messageSender><identifiers>"
        "<identifier>u-1001</identifier><identifier>447700900123</identifier></identifiers>"
        "<isTargetedParty>true</isTargetedParty></messageSender><messageReceivers><recipient><identifiers>"
        "<identifier>u-2002</identifier></identifiers></recipient></messageReceivers>"
        "<timestamp>2026-11-22T10:15:30Z</timestamp></coreParameters><cspDefinedParameters><cspDefinedMetadata>"
        "<schemaDetails><schemaIdentifier>urn:lihandover:csp:1.0</schemaIdentifier></schemaDetails><xmlData>"
        "<event xmlns=\"urn:lihandover:csp:1.0\"><ordered>metadata content</ordered><eventId>5b0c</eventId>"
        "<service>examplechat</service><eventType>message</eventType><time>2026-11-22T10:15:30.123456Z</time>"
        "<received>2026-11-22T10:15:31.000005Z</received><conversation><id>c-77</id><kind>group</kind>"
        "<title>Weekend</title></conversation><party role=\"sender\"><identifier type=\"user_id\">"
        "<untyped>u-1001</untyped></identifier><identifier type=\"msisdn\">"
        "<internationalE164>447700900123</internationalE164></identifier></party><party role=\"receiver\">"
        "<identifier type=\"user_id\"><untyped>u-2002</untyped></identifier></party><content><type>text/plain</type>"
        "<text>See you at eight</text></content><parameters><property><name>status</name><value>delivered</value>"
        "</property><property><name>device_id</name><value>d-9</value></property></parameters></event></xmlData>"
        "</cspDefinedMetadata></cspDefinedParameters></payload></handoverItem></d:XMLData></d:Delivery></HI1Object>"
        "</DELIVER>");
}

// The same for version 2, with a binary object that says everything and one that was lost.
TEST(Writer, BytesOfVersionTwoAreFixed) {
    Item item = usual_item();
    item.profile = usual_profile(2);
    item.share.deliver.binary = true;
    item.share.attachment_count = 2;
    item.objects.push_back(usual_object());
    model::BinaryObject& lost = item.objects.emplace_back();
    lost.url = "https://csp.example.com/objects/x&y";
    lost.content_type = "image";
    lost.original_filename = std::string("a\0b", 3);
    lost.csp_defined_identifier = "a2";
    lost.loss = model::ObjectLoss::vanished;
    EXPECT_EQ(
        deliver_of(item),
        "<DELIVER><Identifier>10111213-1415-1617-1819-1a1b1c1d1e1f</Identifier><HI1Object "
        "xsi:type=\"d:DeliveryObject\">"
        "<ObjectIdentifier>10111213-1415-1617-1819-1a1b1c1d1e1f</ObjectIdentifier><CountryCode>GB</CountryCode>"
        "<OwnerIdentifier>Not specified</OwnerIdentifier><d:Reference><d:LIID>LIID-0001</d:LIID></d:Reference>"
        "<d:Manifest><d:Specification><c:Owner>ETSI</c:Owner><c:Name>ManifestSpecification</c:Name>"
        "<c:Value>TS103707</c:Value></d:Specification></d:Manifest><d:Delivery><d:XMLData>"
        "<handoverItem xmlns=\"http://uri.etsi.org/03707/2020/02\"><header><applicationCorrelation>"
        "<applicationLevelID>9007199254740991</applicationLevelID>"
        "<applicationSequenceNumber>0</applicationSequenceNumber></applicationCorrelation></header>"
        "<payload xsi:type=\"m:MessagingPayload\"><coreParameters><messageSender><identifiers>"
        "<identifier>u-1001</identifier><identifier>447700900123</identifier></identifiers>"
        "<isTargetedParty>true</isTargetedParty></messageSender><messageReceivers><recipient><identifiers>"
        "<identifier>u-2002</identifier></identifiers></recipient></messageReceivers>"
        "<timestamp>2026-11-22T10:15:30Z</timestamp><associatedBinaryData><binaryObject>"
        "<url>https://lea.example.com/binaryData/40414243-4445-4647-4849-4a4b4c4d4e4f/</url>"
        "<contentLength>48213</contentLength><contentType>image/jpeg</contentType><expiry>2026-11-25T10:15:32Z</expiry>"
        "<checksum>a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5</checksum>"
        "<originalFilename>roof.jpg</originalFilename><cspDefinedIdentifier>a1</cspDefinedIdentifier></binaryObject>"
        "<binaryObject><url>https://csp.example.com/objects/x&amp;y</url>"
        "<originalFilename>a\xEF\xBF\xBD"
        "b</originalFilename><cspDefinedIdentifier>a2</cspDefinedIdentifier>"
        "</binaryObject></associatedBinaryData></coreParameters><cspDefinedParameters><cspDefinedMetadata>"
        "<schemaDetails><schemaIdentifier>urn:lihandover:csp:1.1</schemaIdentifier></schemaDetails><xmlData>"
        "<event xmlns=\"urn:lihandover:csp:1.1\"><ordered>metadata content binary</ordered><eventId>5b0c</eventId>"
        "<service>examplechat</service><eventType>message</eventType><time>2026-11-22T10:15:30.123456Z</time>"
        "<received>2026-11-22T10:15:31.000005Z</received><conversation><id>c-77</id><kind>group</kind>"
        "<title>Weekend</title></conversation><party role=\"sender\"><identifier type=\"user_id\">"
        "<untyped>u-1001</untyped></identifier><identifier type=\"msisdn\">"
        "<internationalE164>447700900123</internationalE164></identifier></party><party role=\"receiver\">"
        "<identifier type=\"user_id\"><untyped>u-2002</untyped></identifier></party><content><type>text/plain</type>"
        "<text>See you at eight</text></content><parameters><property><name>status</name><value>delivered</value>"
        "</property><property><name>device_id</name><value>d-9</value></property></parameters><attachments>2</"
        "attachments>"
        "<binaryObject><id>a1</id><filename>roof.jpg</filename><contentType>image/jpeg</contentType></binaryObject>"
        "<binaryObject><id>a2</id><filename encoding=\"base64\">YQBi</filename><contentType>image</contentType>"
        "<lost>vanished</lost></binaryObject></event></xmlData>"
        "</cspDefinedMetadata></cspDefinedParameters></payload></handoverItem></d:XMLData></d:Delivery></HI1Object>"
        "</DELIVER>");
    expect_good(item);
}

// Version 3 differs from version 2 in its schema alone, and can carry im URIs.
TEST(Writer, BytesOfVersionThreeAreFixed) {
    Item second = usual_item();
    second.profile = usual_profile(2);
    std::string expected = deliver_of(second);
    for (std::size_t at = 0; (at = expected.find("urn:lihandover:csp:1.1", at)) != std::string::npos; ++at) {
        expected.replace(at, 22, "urn:lihandover:csp:1.2");
    }
    Item third = usual_item();
    third.profile = usual_profile(3);
    EXPECT_EQ(deliver_of(third), expected);

    third.party(PartyRole::member, {{IdentifierType::im_uri, "IM:Bob@Example.com"}});
    EXPECT_NE(deliver_of(third).find("<party role=\"member\"><identifier type=\"im_uri\">"
                                     "<untyped>im:Bob@example.com</untyped><asGiven>IM:Bob@Example.com</asGiven>"
                                     "</identifier></party>"),
              std::string::npos);
    expect_good(third);
}

TEST(Writer, ManyActionsAreNumberedFromZero) {
    const Item item = usual_item();
    const std::string deliver = deliver_of(item);
    const std::vector<std::string_view> delivers(25, deliver);
    std::string message;
    append_message(message, item.profile, some_uuid(1), {1, 0}, delivers);
    expect_valid(message);
    const auto request = hi1::read_request(message);
    ASSERT_TRUE(request.has_value());
    ASSERT_EQ(request->actions.size(), 25U);
    for (std::size_t at = 0; at < 25; ++at) {
        EXPECT_EQ(request->actions[at].action, at);
    }
    EXPECT_LE(message.size(), message_overhead(item.profile) + 25 * (deliver.size() + hi1::action_overhead));
    EXPECT_GE(message.size(), message_overhead(item.profile) + 25 * deliver.size());
}

TEST(Writer, SenderReceiverAndVersionAreTheProfiles) {
    Item item = usual_item();
    item.profile.sender = {"DE", "CSP <&> \"GIVEN\""};
    item.profile.receiver = {"FR", std::string(255, 'x')};
    item.profile.etsi_version = "V1.4.1";
    item.profile.national_profile_owner = "NL & co";
    item.profile.national_profile_version = "2";
    expect_good(item);
}

TEST(Writer, SchemaDetails) {
    Item item = usual_item();
    item.profile.schema_url = "https://csp.example.com/schema/1.0?a=1&b=2";
    expect_good(item);
    item.identity.carries_schema = true;
    expect_good(item);
}

TEST(Writer, OnlyWhatIsOrderedIsWritten) {
    Item item = usual_item();
    item.party(PartyRole::actor, {{IdentifierType::user_id, "u-3"}}, true, "NICK");
    model::Location& place = item.share.event.location.emplace();
    place.latitude = "51.5";
    place.longitude = "-0.1";
    item.share.event.parameters.clear();
    const auto written = [&item](const model::Deliver& deliver) {
        item.share.deliver = deliver;
        const std::string document = document_of(item);
        expect_valid(document);
        return document;
    };
    const auto has = [](const std::string& document, std::string_view text) {
        return document.find(text) != std::string::npos;
    };
    const std::string metadata = written({.metadata = true});
    EXPECT_TRUE(has(metadata, "u-1001") && has(metadata, "c-77") && has(metadata, "<time"));
    EXPECT_FALSE(has(metadata, "See you") || has(metadata, "Weekend") || has(metadata, "NICK") ||
                 has(metadata, "51.5"));
    const std::string content = written({.content = true});
    EXPECT_TRUE(has(content, "See you") && has(content, "Weekend") && has(content, "NICK"));
    EXPECT_FALSE(has(content, "u-1001") || has(content, "c-77") || has(content, "2026-11-22T10:15:30") ||
                 has(content, "51.5") || has(content, "<eventType>") || has(content, "isTargetedParty"));
    const std::string location = written({.location = true});
    EXPECT_TRUE(has(location, "N51.500000") && has(location, "W000.100000"));
    EXPECT_FALSE(has(location, "See you") || has(location, "u-1001") || has(location, "NICK"));
    const std::string nothing = written({});
    EXPECT_TRUE(has(nothing, "<ordered></ordered>"));
}

TEST(Writer, EveryTypeOfEvent) {
    for (std::size_t type = 0; type < model::event_type_names.size(); ++type) {
        Item item = usual_item();
        item.share.event.type = static_cast<model::EventType>(type);
        expect_good(item);
    }
}

TEST(Writer, TheMarkIsOnlyOnTargetedParties) {
    Item item = usual_item();
    item.share.targeted = {false, false};
    item.party(PartyRole::receiver, {{IdentifierType::user_id, "u-5"}}, true);
    item.party(PartyRole::receiver, {{IdentifierType::user_id, "u-6"}}, true);
    item.party(PartyRole::actor, {{IdentifierType::user_id, "u-7"}}, true);
    item.party(PartyRole::member, {{IdentifierType::user_id, "u-8"}}, false);
    expect_good(item);
    // Actors and members are no MessagingParty.
    const std::string core = between(document_of(item), "coreParameters");
    EXPECT_NE(core.find("u-6"), std::string::npos);
    EXPECT_EQ(core.find("u-7"), std::string::npos);
}

TEST(Writer, PartsThatTheSourceDidNotGiveAreAbsent) {
    Item item;
    item.profile = usual_profile();
    item.identity.liid = "!";
    item.share.deliver = {.metadata = true, .content = true, .binary = true, .location = true};
    expect_good(item);
    const std::string document = document_of(item);
    EXPECT_EQ(document.find("<header>"), std::string::npos);
    EXPECT_EQ(document.find("<timestamp>"), std::string::npos);
    EXPECT_NE(document.find("<coreParameters></coreParameters>"), std::string::npos);
}

TEST(Writer, TimesInTheCoreAreWholeSecondsAndExactInTheCspPart) {
    const auto times = [](std::string_view text) {
        Item item = usual_item();
        item.share.event.timestamp = model::parse_rfc3339(text);
        EXPECT_TRUE(item.share.event.timestamp.has_value()) << text;
        expect_good(item);
        const std::string document = document_of(item);
        return between(document, "timestamp") + "|" + between(document, "time") + "|" +
               between(document, "timeAsGiven");
    };
    EXPECT_EQ(times("2026-11-22T10:15:30.999999Z"), "2026-11-22T10:15:30Z|2026-11-22T10:15:30.999999Z|");
    EXPECT_EQ(times("2026-11-22T10:15:30Z"), "2026-11-22T10:15:30Z|2026-11-22T10:15:30.000000Z|2026-11-22T10:15:30Z");
    EXPECT_EQ(times("2026-11-22T10:15:30.9999999Z"), "2026-11-22T10:15:30Z||2026-11-22T10:15:30.9999999Z");
    EXPECT_EQ(times("2016-12-31T23:59:60.5Z"), "2016-12-31T23:59:59Z||2016-12-31T23:59:60.5Z");
    EXPECT_EQ(times("2026-11-22T10:15:30.123456+05:30"), "2026-11-22T10:15:30+05:30|2026-11-22T10:15:30.123456+05:30|");
    EXPECT_EQ(times("2026-11-22T10:15:30.123456-00:00"), "2026-11-22T10:15:30-00:00|2026-11-22T10:15:30.123456-00:00|");
    EXPECT_EQ(times("2026-11-22T23:15:30.123456+23:00"), "2026-11-22T00:15:30Z||2026-11-22T23:15:30.123456+23:00");
}

TEST(Writer, IdentifiersOfAnyShape) {
    for (std::size_t type = 0; type < model::identifier_type_names.size(); ++type) {
        for (const std::string_view value :
             {"sip:[2001:db8::1]", "\"a b\"@x", "EXAMPLE", "+44 (7700) 900-123", "tel:+44-7700-900123", "sip:a@b;x=%41",
              "Alice@EXAMPLE.COM", "", " ", "\r\n", "<&>", "sips:%", "tel:", "a@b", "\xED\xA0\xBD", "\xFF", "1"}) {
            Item item = usual_item();
            item.party(PartyRole::receiver, {{static_cast<IdentifierType>(type), std::string(value)}});
            expect_good(item);
        }
    }
}

TEST(Writer, AnIdentifierThatXmlCannotCarryIsWholeInTheCspPart) {
    Item item = usual_item();
    item.party(PartyRole::receiver, {{IdentifierType::user_id, std::string("u\0-\xED\xA0\xBD", 6)}});
    expect_good(item);
    const std::string document = document_of(item);
    EXPECT_NE(document.find("<identifier>u\xEF\xBF\xBD-\xEF\xBF\xBD</identifier>"), std::string::npos);
    EXPECT_NE(document.find("<untyped encoding=\"base64\">dQAt7aC9</untyped>"), std::string::npos);
}

TEST(Writer, TextThatXmlCannotCarryGoesAsBase64) {
    Item item = usual_item();
    item.share.event.text = "\xED\xA0\xBD";
    expect_good(item);
    EXPECT_NE(document_of(item).find("<text encoding=\"base64\">7aC9</text>"), std::string::npos);
    item.share.event.text = "fine \xF0\x9F\x98\x80 \r\n ]]> <x>";
    expect_good(item);
    EXPECT_NE(document_of(item).find("<text>fine \xF0\x9F\x98\x80 &#13;\n ]]&gt; &lt;x&gt;</text>"), std::string::npos);
    item.share.event.text = "";
    expect_good(item);
    item.share.event.text = " \t\n";
    expect_good(item);
}

TEST(Writer, LongValues) {
    Item item = usual_item();
    const std::string value(300'000, 'x');
    item.party(PartyRole::receiver, {{IdentifierType::user_id, value}, {IdentifierType::msisdn, value}});
    item.share.event.service = value;
    item.share.event.conversation.title = value;
    item.share.event.text = value;
    item.share.event.parameters = {{.name = value, .value = value, .json = true}};
    expect_good(item);
}

TEST(Writer, VeryLargeTextIsValidatedToo) {
    Item item = usual_item();
    const std::string text(12'000'000, '\0');  // base64 beyond the limits that libxml2 has by itself
    item.share.event.text = text;
    expect_valid(document_of(item));
}

TEST(Writer, LocationsInTheTypedFormWhereItIsExact) {
    Item item = usual_item();
    item.share.deliver.location = true;
    model::Location& location = item.share.event.location.emplace();
    location.latitude = "51.5074";
    location.longitude = "-0.127758";
    expect_good(item);
    EXPECT_NE(
        document_of(item).find("<position><latitude xmlns=\"http://uri.etsi.org/03280/common/2017/07\">N51.507400"
                               "</latitude><longitude xmlns=\"http://uri.etsi.org/03280/common/2017/07\">W000.127758"
                               "</longitude></position><latitude>51.5074</latitude>"),
        std::string::npos);
    location.longitude = "-0.1277581";
    location.cell = "234-15-0a1b-2c3d";
    location.observed_at = model::parse_rfc3339("2026-11-22T10:15:29Z");
    expect_good(item);
    EXPECT_EQ(document_of(item).find("<position>"), std::string::npos);
}

TEST(Writer, PropertiesInTheirTypes) {
    Item item = usual_item();
    item.share.event.network = {{.name = "ip", .value = "192.0.2.7"},
                                {.name = "ipv6", .value = "2001:db8::7"},
                                {.name = "mtu", .value = "1400", .json = true}};
    item.share.event.device = {{.name = "imei", .value = "12345678901234"}};
    item.share.event.parameters = {{.name = "ip", .value = "192.0.2.7"}};
    expect_good(item);
    const std::string document = document_of(item);
    EXPECT_NE(document.find("<value>192.0.2.7</value><ipv4Address>192.0.2.7</ipv4Address>"), std::string::npos);
    EXPECT_NE(document.find("<ipv6Address>2001:0db8:0000:0000:0000:0000:0000:0007</ipv6Address>"), std::string::npos);
    EXPECT_NE(document.find("<json>1400</json>"), std::string::npos);
    EXPECT_NE(document.find("<imei>12345678901234</imei>"), std::string::npos);
    EXPECT_NE(document.find("<parameters><property><name>ip</name><value>192.0.2.7</value></property>"),
              std::string::npos);
}

TEST(Writer, LiidsOfBothForms) {
    for (const std::string_view liid : {"!", "&<>\"'", "~~~~~~~~~~~~~~~~~~~~~~~~~", "0123456789abcdef0123456789",
                                        "0123456789abcdef0123456789abcdef0123456789abcdef01"}) {
        Item item = usual_item();
        item.identity.liid = liid;
        expect_good(item);
    }
}

TEST(Writer, BinaryObjectsOfAnyShape) {
    Item item = usual_item();
    item.share.deliver.binary = true;
    model::BinaryObject object = usual_object();
    for (const std::string& text : {std::string(), std::string(65'536, 'x'), std::string("\r\nX-Injected: y"),
                                    std::string("\0", 1), std::string("\xED\xA0\xBD"), std::string("<&>]]>\"'"),
                                    std::string(" "), std::string("../../etc/passwd"), std::string("\xFF\xFE")}) {
        object.original_filename = text;
        object.content_type = text;
        object.csp_defined_identifier = text.empty() ? "a" : text;
        item.objects.push_back(object);
    }
    model::BinaryObject& least = item.objects.emplace_back();
    least.url = "https://lea.example.com/1";
    least.csp_defined_identifier = "a";
    model::BinaryObject& largest = item.objects.emplace_back(usual_object());
    largest.content_length = UINT64_MAX;
    largest.expiry = model::Instant{253'402'300'799, 0};
    for (std::size_t loss = 0; loss < model::object_loss_names.size(); ++loss) {
        item.objects.emplace_back(usual_object()).loss = static_cast<model::ObjectLoss>(loss);
    }
    expect_good(item);
    // Without metadata the objects are all that the core parameters have.
    item.share.deliver = {.binary = true};
    expect_valid(document_of(item));
}

TEST(Writer, OnlyTheExpiryOfAnObjectMoves) {
    Item item = usual_item();
    item.objects.push_back(usual_object());
    std::string before = deliver_of(item);
    item.objects[0].expiry = model::Instant{1'795'861'732, 0};
    std::string after = deliver_of(item);
    const auto without = [](std::string& text) {
        text.erase(text.find("<expiry>"), std::string("<expiry>2026-11-25T10:15:32Z").size());
    };
    EXPECT_NE(before, after);
    without(before);
    without(after);
    EXPECT_EQ(before, after);
}

TEST(Writer, VersionOneSaysNothingOfObjectsInTheCspPart) {
    Item item = usual_item();
    item.profile = usual_profile(1);
    item.objects.push_back(usual_object());
    item.identity.carries_schema = true;
    expect_good(item);
}

TEST(Writer, RefusesAWriterVersionThatItDoesNotHave) {
    Item item = usual_item();
    item.profile.writer_version = current_writer_version + 1;
    std::string out = "before";
    EXPECT_TRUE(append_deliver(out, item.share, item.identity, item.profile).has_error());
    EXPECT_EQ(out, "before");
    EXPECT_TRUE(check_profile(item.profile).has_error());
}

TEST(Writer, ProfilesAreChecked) {
    EXPECT_TRUE(check_profile(usual_profile()).has_value());
    using Change = void (*)(model::Profile&);
    for (const Change change : std::initializer_list<Change>{
             [](model::Profile& p) { p.sender.country_code = "gb"; },
             [](model::Profile& p) { p.sender.country_code = ""; },
             [](model::Profile& p) { p.receiver.country_code = "GBR"; },
             [](model::Profile& p) { p.receiver.country_code = "\xC3\x84"; },
             [](model::Profile& p) { p.sender.unique_identifier = ""; },
             [](model::Profile& p) { p.sender.unique_identifier = "a\x01"; },
             [](model::Profile& p) { p.sender.unique_identifier = std::string(65536, 'a'); },
             [](model::Profile& p) { p.receiver.unique_identifier = std::string(256, 'a'); },
             [](model::Profile& p) { p.etsi_version = "1.14.1"; },
             [](model::Profile& p) { p.etsi_version = "V1.14"; },
             [](model::Profile& p) { p.etsi_version = "V1..1"; },
             [](model::Profile& p) { p.etsi_version = "V1.14.1 "; },
             [](model::Profile& p) { p.etsi_version = "V1.14.1.2"; },
             [](model::Profile& p) { p.national_profile_owner = ""; },
             [](model::Profile& p) { p.national_profile_version = std::string(256, 'a'); },
             [](model::Profile& p) { p.schema_identifier = ""; },
             [](model::Profile& p) { p.schema_url = "not a url"; },
             [](model::Profile& p) { p.schema_url = "/relative"; },
             [](model::Profile& p) { p.writer_version = 0; },
         }) {
        model::Profile profile = usual_profile();
        change(profile);
        EXPECT_TRUE(check_profile(profile).has_error());
    }
    // Lengths are in characters.
    model::Profile profile = usual_profile();
    profile.receiver.unique_identifier.clear();
    for (int count = 0; count < 255; ++count) {
        profile.receiver.unique_identifier += "\xD0\x96";
    }
    profile.etsi_version = "V12.0.345";
    profile.schema_url = "https://[2001:db8::1]:8443/schema/1.0?x=%41&y=z#part";
    EXPECT_TRUE(check_profile(profile).has_value());
    Item item = usual_item();
    item.profile = profile;
    expect_good(item);
}

}  // namespace
}  // namespace lihandover::handover::test
