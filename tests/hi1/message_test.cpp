#include "lihandover/hi1/message.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>

#include "corpus.hpp"
#include "lihandover/hi1/error_codes.hpp"
#include "lihandover/hi1/names.hpp"
#include "lihandover/hi1/request.hpp"
#include "lihandover/hi1/writer.hpp"

namespace lihandover::hi1::test {

using namespace handover::test;  // NOLINT(google-build-using-namespace): the items are its
namespace {

using Kind = ActionAnswer::Kind;

constexpr std::string_view uuid_text = "80818283-8485-8687-8889-8a8b8c8d8e8f";

std::string header(std::string_view transaction = uuid_text) {
    return "<Header><SenderIdentifier><CountryCode>GB</CountryCode><UniqueIdentifier>LEA</UniqueIdentifier>"
           "</SenderIdentifier><ReceiverIdentifier><CountryCode>XX</CountryCode><UniqueIdentifier>CSP</"
           "UniqueIdentifier>"
           "</ReceiverIdentifier><TransactionIdentifier>" +
           std::string(transaction) +
           "</TransactionIdentifier><Timestamp>2026-11-22T10:15:30.123456Z</Timestamp><Version>"
           "<ETSIVersion>V1.14.1</ETSIVersion><NationalProfileOwner>N/A</NationalProfileOwner>"
           "<NationalProfileVersion>N/A</NationalProfileVersion></Version></Header>";
}

std::string message(std::string_view payload, std::string_view head = {}, std::string_view name = core_namespace) {
    return "<HI1Message xmlns=\"" + std::string(name) + "\">" + (head.empty() ? header() : std::string(head)) +
           "<Payload>" + std::string(payload) + "</Payload></HI1Message>";
}

std::string responses(std::string_view actions) {
    return message("<ResponsePayload><ActionResponses>" + std::string(actions) +
                   "</ActionResponses></ResponsePayload>");
}

std::string accepted(std::string_view action, std::string_view identifier = uuid_text) {
    return "<ActionResponse><ActionIdentifier>" + std::string(action) +
           "</ActionIdentifier><DELIVERResponse><Identifier>" + std::string(identifier) +
           "</Identifier></DELIVERResponse></ActionResponse>";
}

std::string error_information(std::string_view code, std::string_view description) {
    return "<ErrorInformation><ErrorCode>" + std::string(code) + "</ErrorCode><ErrorDescription>" +
           std::string(description) + "</ErrorDescription></ErrorInformation>";
}

std::string refused(std::string_view action, std::string_view code, std::string_view description = "no") {
    return "<ActionResponse><ActionIdentifier>" + std::string(action) + "</ActionIdentifier>" +
           error_information(code, description) + "</ActionResponse>";
}

std::string problem_of(std::string_view body) {
    const auto response = parse_response(body);
    return response.has_error() ? response.error().message : std::string();
}

ActionAnswer only_answer(std::string_view actions) {
    const auto response = parse_response(responses(actions));
    if (response.has_error() || response->actions.size() != 1) {
        ADD_FAILURE() << "not one answer";
        return {};
    }
    return response->actions.front();
}

TEST(Response, AcceptsAndRefusals) {
    const auto response = parse_response(responses(accepted("0") + refused("1", "3007", "bad &amp; <![CDATA[<sad>]]>") +
                                                   accepted("2", "00000000-0000-0000-0000-000000000001")));
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->header.transaction, some_uuid(0x80));
    EXPECT_FALSE(response->message_error);
    ASSERT_EQ(response->actions.size(), 3U);
    EXPECT_EQ(response->actions[0],
              (ActionAnswer{.action = 0, .kind = Kind::accepted, .identifier = some_uuid(0x80), .error = {}}));
    EXPECT_EQ(response->actions[1], (ActionAnswer{.action = 1,
                                                  .kind = Kind::refused,
                                                  .identifier = {},
                                                  .error = {.code = 3007, .description = "bad & <sad>"}}));
    EXPECT_EQ(response->actions[2].identifier.bytes.back(), 1);
}

TEST(Response, AMessageLevelError) {
    const auto response =
        parse_response(message("<ResponsePayload>" + error_information("1001", "what?") + "</ResponsePayload>"));
    ASSERT_TRUE(response.has_value());
    ASSERT_TRUE(response->message_error);
    EXPECT_EQ(*response->message_error, (ErrorInformation{.code = 1001, .description = "what?"}));
    EXPECT_TRUE(response->actions.empty());
}

TEST(Response, AMessageLevelErrorNeedsNoTransactionOfOurs) {
    const std::string payload =
        "<ResponsePayload>" + error_information("+3020", "cannot read that") + "</ResponsePayload>";
    // Whoever could not read the request knows neither its transaction nor who sent it.
    const std::string stranger =
        "<Header><SenderIdentifier><CountryCode>ZZ</CountryCode><UniqueIdentifier>UNKNOWN</UniqueIdentifier>"
        "</SenderIdentifier><TransactionIdentifier>00000000-0000-0000-0000-000000000007</TransactionIdentifier></"
        "Header>";
    for (const std::string& head : {stranger, header(""), header("none"), std::string("<Header/>")}) {
        const auto response = parse_response(message(payload, head));
        ASSERT_TRUE(response.has_value()) << head;
        EXPECT_EQ(response->message_error, (ErrorInformation{.code = 3020, .description = "cannot read that"})) << head;
    }
    // Actions are those of a transaction.
    EXPECT_EQ(problem_of(message("<ResponsePayload><ActionResponses/></ResponsePayload>", header(""))),
              "the message has no readable TransactionIdentifier");
}

TEST(Response, ElementsThatTheSchemaDoesNotHaveChangeNothing) {
    const std::string extra = "<Note>hello</Note><x:Note xmlns:x=\"urn:other\"><ErrorInformation/></x:Note>";
    EXPECT_EQ(only_answer("<ActionResponse>" + extra + "<ActionIdentifier>0</ActionIdentifier>" + extra +
                          "<DELIVERResponse>" + extra + "<Identifier>" + std::string(uuid_text) +
                          "</Identifier></DELIVERResponse>" + extra + "</ActionResponse>")
                  .kind,
              Kind::accepted);
    EXPECT_EQ(only_answer("<ActionResponse><ActionIdentifier>0</ActionIdentifier>" + error_information("3003", "busy") +
                          extra + "</ActionResponse>")
                  .kind,
              Kind::refused);
    // Signatures follow the payload, in any of three ways.
    std::string body = responses(extra + accepted("0") + extra);
    body.insert(
        body.rfind("</HI1Message>"),
        "<Signature><x/></Signature><s:Signature xmlns:s=\"http://www.w3.org/2000/09/xmldsig#\"/><Signatures/>");
    const auto response = parse_response(body);
    ASSERT_TRUE(response.has_value());
    ASSERT_EQ(response->actions.size(), 1U);
    EXPECT_EQ(response->actions[0].kind, Kind::accepted);
}

TEST(Response, SenderAndReceiverAreReadAsTheyAre) {
    const auto response = parse_response(responses(accepted("0")));
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->header.sender, (model::Endpoint{"GB", "LEA"}));
    EXPECT_EQ(response->header.receiver, (model::Endpoint{"XX", "CSP"}));
    EXPECT_EQ(response->header.etsi_version, "V1.14.1");
}

TEST(Response, DuplicatesAndGapsAreReportedAsTheyAre) {
    const auto response =
        parse_response(responses(accepted("7") + accepted("7") + refused("3", "1") + refused("7", "2")));
    ASSERT_TRUE(response.has_value());
    ASSERT_EQ(response->actions.size(), 4U);
    EXPECT_EQ(response->actions[1].action, 7U);
    EXPECT_EQ(response->actions[2].action, 3U);
    EXPECT_EQ(response->actions[3].kind, Kind::refused);
    const auto none = parse_response(responses(""));
    ASSERT_TRUE(none.has_value());
    EXPECT_TRUE(none->actions.empty());
}

TEST(Response, AnyPrefixButTheRightNamespace) {
    std::string body =
        R"(<?xml version="1.0"?><!-- hello --><x:HI1Message xmlns:x=")" + std::string(core_namespace) +
        "\"><x:Header><x:TransactionIdentifier> \n" + std::string(uuid_text) +
        "\t</x:TransactionIdentifier></x:Header><y:Payload xmlns:y=\"" + std::string(core_namespace) +
        "\"><y:ResponsePayload><ActionResponses xmlns=\"" + std::string(core_namespace) +
        "\"><ActionResponse><ActionIdentifier>+<!-- c -->0</ActionIdentifier><DELIVERResponse><Identifier>" +
        std::string(uuid_text) +
        "</Identifier></DELIVERResponse></ActionResponse></ActionResponses></y:ResponsePayload></y:Payload>"
        "</x:HI1Message>";
    const auto response = parse_response(body);
    ASSERT_TRUE(response.has_value()) << response.error().message;
    ASSERT_EQ(response->actions.size(), 1U);
    EXPECT_EQ(response->actions[0].kind, Kind::accepted);
    EXPECT_EQ(response->actions[0].action, 0U);

    EXPECT_NE(problem_of(message("<ResponsePayload/>", {}, "http://uri.etsi.org/03120/common/2016/02/Core")), "");
    EXPECT_NE(problem_of(message("<ResponsePayload/>", {}, "")), "");
    EXPECT_NE(problem_of("<x:HI1Message xmlns:y=\"" + std::string(core_namespace) + "\"/>"), "");
    // An answer in somebody else's namespace says nothing.
    const std::string body2 = responses(
        "<ActionResponse><ActionIdentifier>0</ActionIdentifier><DELIVERResponse "
        "xmlns=\"urn:other\"><Identifier>" +
        std::string(uuid_text) + "</Identifier></DELIVERResponse></ActionResponse>");
    const auto other = parse_response(body2);
    ASSERT_TRUE(other.has_value());
    EXPECT_EQ(other->actions.at(0).kind, Kind::unreadable);
}

TEST(Response, OtherEncodings) {
    const std::string utf8 = responses(accepted("0"));
    std::string utf16 = "\xFF\xFE";
    for (const char c : utf8) {
        utf16 += c;
        utf16 += '\0';
    }
    const auto response = parse_response(utf16);
    ASSERT_TRUE(response.has_value()) << response.error().message;
    EXPECT_EQ(response->actions.at(0).kind, Kind::accepted);
}

TEST(Response, CodesAreBounded) {
    EXPECT_EQ(only_answer(refused("0", "0")).error.code, 0U);
    EXPECT_EQ(only_answer(refused("0", " 0003001 ")).error.code, 3001U);
    EXPECT_EQ(only_answer(refused("0", "9223372036854775807")).error.code, max_number);
    EXPECT_EQ(only_answer(refused("0", "9223372036854775808")).error.code, max_number);
    EXPECT_EQ(only_answer(refused("0", std::string(100'000, '9'))).error.code, max_number);
    EXPECT_EQ(only_answer(refused(std::string(100, '9'), "1")).action, max_number);
    for (const std::string_view bad : {"", " ", "-1", "1.0", "x", "0x10", "1 2", "\xD9\xA3", "+", "1e3"}) {
        EXPECT_EQ(only_answer(refused("0", bad)).kind, Kind::unreadable) << bad;
        EXPECT_EQ(only_answer(accepted(bad)).action, max_number) << bad;
    }
}

TEST(Response, DescriptionsAreBoundedAndClean) {
    std::string long_text;
    while (long_text.size() < 60'000) {
        long_text += "a\xD0\x96\xE2\x82\xAC\xF0\x9F\x98\x80";
    }
    const std::string description = only_answer(refused("0", "1", long_text)).error.description;
    EXPECT_LE(description.size(), max_description);
    EXPECT_GT(description.size(), max_description - 4);
    EXPECT_TRUE(std::string_view(long_text).starts_with(description));
    EXPECT_EQ(only_answer(refused("0", "1", "a\x1B[31m\xFF")).error.description, "a\xEF\xBF\xBD[31m\xEF\xBF\xBD");
    // The description may be missing.
    EXPECT_EQ(only_answer("<ActionResponse><ActionIdentifier>0</ActionIdentifier><ErrorInformation><ErrorCode>5"
                          "</ErrorCode></ErrorInformation></ActionResponse>")
                  .kind,
              Kind::refused);
}

TEST(Response, EntriesThatMakeNoSenseAreUnreadable) {
    for (const std::string& entry : {
             std::string("<ActionResponse/>"),
             std::string("<ActionResponse><ActionIdentifier>0</ActionIdentifier></ActionResponse>"),
             accepted("0", "not a uuid"),
             accepted("0", ""),
             std::string("<ActionResponse><ActionIdentifier>0</ActionIdentifier><DELIVERResponse/></ActionResponse>"),
             std::string("<ActionResponse><ActionIdentifier>0</ActionIdentifier><GETResponse/></ActionResponse>"),
             "<ActionResponse><ActionIdentifier>0</ActionIdentifier><DELIVERResponse><Identifier>" +
                 std::string(uuid_text) + "</Identifier></DELIVERResponse>" + error_information("1", "no") +
                 "</ActionResponse>",
             "<ActionResponse><ActionIdentifier>0</ActionIdentifier>" + error_information("1", "no") +
                 error_information("2", "no") + "</ActionResponse>",
         }) {
        EXPECT_EQ(only_answer(entry).kind, Kind::unreadable) << entry;
    }
    // One bad entry says nothing about the others.
    const auto mixed = parse_response(responses("<ActionResponse/>" + accepted("1")));
    ASSERT_TRUE(mixed.has_value());
    ASSERT_EQ(mixed->actions.size(), 2U);
    EXPECT_EQ(mixed->actions[1].kind, Kind::accepted);
}

TEST(Response, WhatIsNoResponseIsAnError) {
    const std::string good = responses(accepted("0"));
    for (const std::string& bad : {
             std::string(),
             std::string(" "),
             std::string("OK"),
             std::string("<html><body>Hello</body></html>"),
             std::string("{\"accepted\":true}"),
             std::string(1000, '\0'),
             std::string("<HI1Message/>"),
             good.substr(0, good.size() / 2),
             good + good,
             message(""),
             message("<RequestPayload><ActionRequests/></RequestPayload>"),
             message("<ResponsePayload/>"),
             message("<ResponsePayload><ActionResponses/>" + error_information("1", "x") + "</ResponsePayload>"),
             message("<ResponsePayload><ErrorInformation/></ResponsePayload>"),
             message("<ResponsePayload><ActionResponses/></ResponsePayload>", "<Header/>"),
             message("<ResponsePayload><ActionResponses/></ResponsePayload>", header("")),
             message("<ResponsePayload><ActionResponses/></ResponsePayload>", header("80818283848586878889")),
         }) {
        EXPECT_NE(problem_of(bad), "") << bad.substr(0, 200);
    }
}

TEST(Response, EntityBombsAndDtdsAreRefused) {
    std::string bomb = R"(<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">)";
    for (char name = 'b'; name <= 'k'; ++name) {
        bomb += std::string("<!ENTITY ") + name + " \"";
        for (int times = 0; times < 10; ++times) {
            bomb += std::string("&") + static_cast<char>(name - 1) + ";";
        }
        bomb += "\">";
    }
    bomb += "]>";
    EXPECT_EQ(problem_of(bomb + responses(refused("0", "1", "&k;"))), "the message has a DTD");
    EXPECT_EQ(problem_of("<!DOCTYPE a SYSTEM \"file:///etc/passwd\">" + responses(accepted("0"))),
              "the message has a DTD");
    // Without one, an unknown entity stays what it is.
    EXPECT_EQ(only_answer(refused("0", "1", "&k;")).error.description, "&k;");
}

TEST(Response, SizeDepthAttributesAndCountAreBounded) {
    EXPECT_EQ(problem_of(std::string(max_response_size + 1, ' ')), "the message is too large");
    const auto nested = [](std::size_t depth) {
        std::string inner;
        for (std::size_t level = 0; level < depth; ++level) {
            inner += "<a>";
        }
        for (std::size_t level = 0; level < depth; ++level) {
            inner += "</a>";
        }
        return responses(accepted("0") + inner);
    };
    EXPECT_EQ(problem_of(nested(50)), "");
    EXPECT_EQ(problem_of(nested(65)), "the message is nested too deep");
    EXPECT_EQ(problem_of(nested(500'000)), "the message is nested too deep");
    EXPECT_NE(problem_of(std::string(max_response_size, '<')), "");
    std::string attributes = "<a";
    for (int count = 0; count < 1000; ++count) {
        attributes += " xmlns:a" + std::to_string(count) + "=\"x\"";
    }
    EXPECT_EQ(problem_of(responses(attributes + "/>")), "the message has an element with too many attributes");
    std::string many;
    for (std::size_t count = 0; count <= max_actions; ++count) {
        many += accepted("0");
    }
    EXPECT_EQ(problem_of(responses(many)), "the message has too many actions");
}

TEST(Response, GarbageNeverHurts) {
    const std::string good = responses(accepted("0") + refused("1", "3001", "some &lt;words&gt;"));
    std::mt19937 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same garbage each time
    for (int round = 0; round < 20'000; ++round) {
        std::string bad = good;
        for (std::size_t changes = 1 + random() % 8; changes > 0; --changes) {
            const std::size_t at = random() % bad.size();
            switch (random() % 4) {
                case 0:
                    bad[at] = static_cast<char>(random());
                    break;
                case 1:
                    bad.erase(at, random() % 20);
                    break;
                case 2:
                    bad.insert(at, good.substr(random() % good.size(), random() % 40));
                    break;
                default:
                    bad[at] = "<>&\"'/! ?="[random() % 10];
            }
            if (bad.empty()) {
                break;
            }
        }
        if (const auto response = parse_response(bad); response.has_value()) {
            for (const ActionAnswer& answer : response->actions) {
                EXPECT_LE(answer.action, max_number);
            }
        }
    }
}

// -- The side that answers -------------------------------------------------------------------------------------------

TEST(Request, IsReadAsWritten) {
    Item item = usual_item();
    item.identity.liid = "a&b";
    item.identity.carries_schema = true;
    item.profile.sender.unique_identifier = "<CSP> & co\r";
    item.profile.receiver.unique_identifier = " ";
    const std::string deliver = deliver_of(item);
    const std::array<std::string_view, 2> delivers = {deliver, deliver};
    std::string body;
    handover::append_message(body, item.profile, some_uuid(0x42), {1, 0}, delivers);

    const auto request = read_request(body);
    ASSERT_TRUE(request.has_value()) << request.error().message;
    EXPECT_EQ(request->header.transaction, some_uuid(0x42));
    EXPECT_EQ(request->header.sender, item.profile.sender);
    EXPECT_EQ(request->header.receiver, item.profile.receiver);
    EXPECT_EQ(request->header.etsi_version, "V1.14.1");
    ASSERT_EQ(request->actions.size(), 2U);
    for (std::size_t at = 0; at < 2; ++at) {
        EXPECT_EQ(request->actions[at].action, at);
        const RequestedAction& action = request->actions[at];
        EXPECT_EQ(action.verb, Verb::deliver);
        EXPECT_EQ(action.identifier, item.identity.object_id);
        EXPECT_EQ(action.object.child("ObjectIdentifier").uuid(), item.identity.object_id);
        EXPECT_EQ(action.object.type(), (QualifiedName{delivery_namespace, "DeliveryObject"}));
        EXPECT_EQ(liid_of(action.object), "a&b");
    }
    EXPECT_TRUE(read_request(body, 100).has_error());

    Request scanned;
    for (int times = 0; times < 2; ++times) {  // reused
        ASSERT_TRUE(scan_request(body, scanned).has_value());
        EXPECT_EQ(scanned.header.transaction, request->header.transaction);
        EXPECT_EQ(scanned.header.sender, request->header.sender);
        EXPECT_EQ(scanned.header.receiver, request->header.receiver);
        EXPECT_EQ(scanned.header.etsi_version, request->header.etsi_version);
        EXPECT_EQ(scanned.header.national_profile_owner, "N/A");
        EXPECT_EQ(scanned.header.national_profile_version, "N/A");
        ASSERT_EQ(scanned.actions.size(), 2U);
        for (std::size_t at = 0; at < 2; ++at) {
            EXPECT_EQ(scanned.actions[at].action, at);
            EXPECT_EQ(scanned.actions[at].verb, Verb::deliver);
            EXPECT_EQ(scanned.actions[at].identifier, item.identity.object_id);
        }
    }
}

TEST(Request, HostileContentDoesNotFoolTheScan) {
    for (std::uint32_t seed = 0; seed < 500; ++seed) {
        Item item = random_item(seed);
        if (item.share.deliver.content) {
            item.share.event.has_content = true;
            item.share.event.text = "<ActionIdentifier>9</ActionIdentifier><DELIVER><Identifier>";
        }
        const std::string body = document_of(item);
        Request scanned;
        ASSERT_TRUE(scan_request(body, scanned).has_value());
        const auto read = read_request(body);
        ASSERT_TRUE(read.has_value());
        ASSERT_EQ(scanned.actions.size(), 1U);
        ASSERT_EQ(read->actions.size(), 1U);
        EXPECT_EQ(scanned.actions[0].identifier, read->actions[0].identifier);
        EXPECT_EQ(liid_of(read->actions[0].object), item.identity.liid);
        EXPECT_EQ(scanned.header.receiver, read->header.receiver);
    }
}

TEST(Request, OtherActionsAndBadOnes) {
    const auto request = read_request(message(
        "<RequestPayload><ActionRequests><ActionRequest><ActionIdentifier>0</ActionIdentifier><GET><Identifier>" +
        std::string(uuid_text) +
        "</Identifier></GET></ActionRequest><ActionRequest><ActionIdentifier>1</ActionIdentifier><DELIVER><Identifier>x"
        "</Identifier></DELIVER></ActionRequest><ActionRequest><ActionIdentifier>2</"
        "ActionIdentifier><DELIVER><Identifier>" +
        std::string(uuid_text) +
        "</Identifier><HI1Object><ObjectIdentifier>00000000-0000-0000-0000-000000000000</ObjectIdentifier></HI1Object>"
        "</DELIVER></ActionRequest></ActionRequests></RequestPayload>"));
    ASSERT_TRUE(request.has_value());
    ASSERT_EQ(request->actions.size(), 3U);
    EXPECT_EQ(request->actions[0].verb, Verb::get);
    EXPECT_TRUE(request->actions[0].identifier);
    EXPECT_EQ(request->actions[1].verb, Verb::deliver);
    EXPECT_FALSE(request->actions[1].identifier);
    EXPECT_EQ(request->actions[2].verb, Verb::deliver);
    EXPECT_NE(request->actions[2].object.child("ObjectIdentifier").uuid(), request->actions[2].identifier);
    EXPECT_TRUE(read_request(responses(accepted("0"))).has_error());
    Request scanned;
    EXPECT_TRUE(scan_request("", scanned).has_error());
    EXPECT_TRUE(scan_request("<HI1Message>", scanned).has_error());
    EXPECT_TRUE(scan_request(responses(""), scanned).has_error());
    EXPECT_TRUE(scan_request(header() + "<ActionIdentifier>x</ActionIdentifier>", scanned).has_error());
}

std::string action_request(std::string_view number, std::string_view content) {
    return "<ActionRequest><ActionIdentifier>" + std::string(number) + "</ActionIdentifier>" + std::string(content) +
           "</ActionRequest>";
}

model::Result<Request> request_of(std::string_view actions) {
    return read_request(
        message("<RequestPayload><ActionRequests>" + std::string(actions) + "</ActionRequests></RequestPayload>"));
}

TEST(Request, EveryVerbIsTakenApart) {
    const std::string identifier = "<Identifier>" + std::string(uuid_text) + "</Identifier>";
    const std::string object =
        "<HI1Object xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:t=\"urn:tasks\" xsi:type=\" "
        "t:LITaskObject\"><ObjectIdentifier>" +
        std::string(uuid_text) + "</ObjectIdentifier><t:Reference>LIID-1</t:Reference></HI1Object>";
    const auto request = request_of(
        action_request("0", "<GET>" + identifier + "</GET>") + action_request("1", "<CREATE>" + object + "</CREATE>") +
        action_request("2", "<UPDATE>" + identifier + object + "</UPDATE>") +
        action_request("3", "<LIST><ObjectType/></LIST>") + action_request("4", "<GETCSPCONFIG/>") +
        action_request("5", "<ERASE>" + identifier + "</ERASE>") +
        action_request("6", "<GET>" + identifier + "</GET><CREATE>" + object + "</CREATE>") + action_request("7", ""));
    ASSERT_TRUE(request.has_value());
    std::vector<Verb> verbs;
    for (const RequestedAction& action : request->actions) {
        verbs.push_back(action.verb);
    }
    EXPECT_EQ(verbs, (std::vector{Verb::get, Verb::create, Verb::update, Verb::list, Verb::get_csp_config,
                                  Verb::unknown, Verb::unknown, Verb::unknown}));
    EXPECT_EQ(request->actions[0].identifier, some_uuid(0x80));
    EXPECT_FALSE(request->actions[0].object);
    const RequestedAction& update = request->actions[2];
    EXPECT_EQ(update.identifier, some_uuid(0x80));
    EXPECT_EQ(update.object.type(), (QualifiedName{"urn:tasks", "LITaskObject"}));
    EXPECT_EQ(update.object.child("Reference", "urn:tasks").text(), "LIID-1");
    EXPECT_EQ(update.object.first().name(), (QualifiedName{core_namespace, "ObjectIdentifier"}));
    EXPECT_EQ(request->actions[5].content.name().local, "ERASE");
    EXPECT_FALSE(request->actions[6].identifier);
    EXPECT_FALSE(action_order_error(request->actions));
}

TEST(Request, ActionIdentifiersBeginAtZeroAndRiseByOne) {
    const auto code_of = [](std::initializer_list<std::string_view> numbers) -> std::uint64_t {
        std::string actions;
        for (const std::string_view number : numbers) {
            actions += action_request(number, "<GETCSPCONFIG/>");
        }
        const auto request = request_of(actions);
        const auto error = action_order_error(request.value().actions);
        return error ? error->code : 0;
    };
    EXPECT_EQ(code_of({}), 0U);
    EXPECT_EQ(code_of({"0", "01", "+2"}), 0U);
    EXPECT_EQ(code_of({"0", "0"}), duplicate_action_identifier);
    EXPECT_EQ(code_of({"0", "1", "0"}), duplicate_action_identifier);
    EXPECT_EQ(code_of({"1"}), improper_value);
    EXPECT_EQ(code_of({"0", "2", "1"}), improper_value);
    EXPECT_EQ(code_of({"0", "x"}), improper_value);
}

TEST(Request, ResponsesOfTheTestLeaAreValidAndRead) {
    const auto request = read_request(document_of(usual_item()));
    ASSERT_TRUE(request.has_value());
    const std::vector<ActionAnswer> answers = {
        {.action = 0, .kind = Kind::accepted, .identifier = some_uuid(3), .error = {}},
        {.action = 1,
         .kind = Kind::refused,
         .identifier = {},
         .error = {.code = 3007, .description = "<no> & \x01 never"}},
        {.action = 2, .kind = Kind::unreadable, .identifier = {}, .error = {}},
    };
    std::string body;
    append_response(body, request->header, {1'795'342'531, 0}, answers);
    EXPECT_TRUE(validator().validate(body).has_value()) << body;
    const auto response = parse_response(body);
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->header.transaction, request->header.transaction);
    ASSERT_EQ(response->actions.size(), 2U);
    EXPECT_EQ(response->actions[0], answers[0]);
    EXPECT_EQ(response->actions[1].error.description, "<no> & \xEF\xBF\xBD never");

    std::string error_body;
    append_error_response(error_body, request->header, {1'795'342'531, 0}, {.code = 1001, .description = "broken"});
    EXPECT_TRUE(validator().validate(error_body).has_value()) << error_body;
    const auto error = parse_response(error_body);
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->message_error, (ErrorInformation{.code = 1001, .description = "broken"}));
    // The parties have changed places.
    const auto back = read_request(error_body);
    EXPECT_TRUE(back.has_error());
    EXPECT_NE(error_body.find("<SenderIdentifier><CountryCode>GB"), std::string::npos);
}

}  // namespace
}  // namespace lihandover::hi1::test
