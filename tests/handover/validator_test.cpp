#include "lihandover/handover/validator.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <pugixml.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "../support/temporary_directory.hpp"
#include "corpus.hpp"
#include "lihandover/hi1/message.hpp"
#include "lihandover/hi1/names.hpp"

namespace lihandover::handover::test {
namespace {

namespace fs = std::filesystem;

class TempDir : public lihandover::test::TemporaryDirectory {
  public:
    void write(const std::string& name, std::string_view text) const { std::ofstream(path() / name) << text; }
    void take_ours() const {
        for (const fs::directory_entry& entry : fs::directory_iterator(schemas_dir())) {
            if (entry.path().extension() == ".xsd") {
                fs::copy_file(entry.path(), path() / entry.path().filename());
            }
        }
    }
};

std::string problem_of(std::string_view document) {
    const model::Status status = validator().validate(document);
    return status.has_error() ? status.error().message : std::string();
}

std::string load_problem(const fs::path& directory) {
    const auto loaded = Validator::load(directory);
    return loaded.has_error() ? loaded.error().message : std::string();
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
    const std::size_t at = text.find(what);
    if (at == std::string::npos) {
        ADD_FAILURE() << "no " << what;
        return text;
    }
    return text.replace(at, what.size(), with);
}

TEST(Validator, TellsGoodFromBad) {
    const std::string good = document_of(usual_item());
    EXPECT_EQ(problem_of(good), "");
    for (const auto& [what, with] : std::vector<std::pair<std::string, std::string>>{
             {"<CountryCode>XX", "<CountryCode>xx"},
             {"V1.14.1", "1.14.1"},
             {".000007Z", "Z"},
             {"10:15:30Z", "10:15:30.5Z"},
             {"<d:LIID>LIID-0001", "<d:LIID>LIID 0001"},
             {"xsi:type=\"m:MessagingPayload\"", ""},
             {"xsi:type=\"d:DeliveryObject\"", ""},
             {"<eventType>message<", "<eventType>messages<"},
             {"<internationalE164>447700900123", "<internationalE164>+447700900123"},
             {"<identifier>u-2002</identifier>", ""},
             {"<isTargetedParty>true", "<isTargetedParty>maybe"},
             {"<text>", "<text encoding=\"rot13\">"},
             {"<event xmlns=\"urn:lihandover:csp:1.2\">", "<event>"},
             {"<applicationLevelID>", "<applicationLevelID>-"},
             {"<DELIVER><Identifier>1", "<DELIVER><Identifier>A"},
         }) {
        EXPECT_NE(problem_of(replaced(good, what, with)), "") << what;
    }
}

TEST(Validator, ErrorsNameElementsOfTheSchemasOnly) {
    const std::string good = document_of(usual_item());
    EXPECT_EQ(problem_of(replaced(good, "<d:LIID>LIID-0001", "<d:LIID>SECRET LIID")),
              "not valid (libxml2 error 1839, element LIID in Reference, line 2)");
    for (const auto& [what, with] : std::vector<std::pair<std::string, std::string>>{
             {"<service>examplechat</service>", "<secret>SECRET</secret>"},
             {"<service>", "<service secret=\"SECRET\">"},
             {"<text>See", "<text encoding=\"SECRET\">See"},
             {"<eventType>message", "<eventType>SECRET"},
             {"</event>", "</SECRET>"},
             {"<service>examplechat", "<service>&SECRET;"},
             {"<service>", "<service xsi:type=\"SECRET\">"},
         }) {
        const std::string problem = problem_of(replaced(good, what, with));
        EXPECT_NE(problem, "") << what;
        EXPECT_EQ(problem.find("SECRET"), std::string::npos) << problem;
        EXPECT_EQ(problem.find("secret"), std::string::npos) << problem;
    }
}

TEST(Validator, RefusesWhatIsNotXmlAndWhatHasADtd) {
    for (const std::string& bad : {std::string(), std::string("x"), std::string("<a>"), std::string("<a/><b/>"),
                                   std::string("<a>\x01</a>"), std::string("<a>\xFF</a>"), std::string(10, '\0')}) {
        EXPECT_TRUE(problem_of(bad).starts_with("not well-formed")) << bad;
    }
    std::string bomb = "<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\">";
    for (char name = 'b'; name <= 'z'; ++name) {
        bomb += std::string("<!ENTITY ") + name + " \"";
        for (int times = 0; times < 10; ++times) {
            bomb += std::string("&") + static_cast<char>(name - 1) + ";";
        }
        bomb += "\">";
    }
    EXPECT_TRUE(problem_of(bomb + "]><a>&z;</a>").starts_with("not well-formed"));
    EXPECT_TRUE(problem_of("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>").starts_with("not well-formed"));
    EXPECT_TRUE(
        problem_of("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>").starts_with("not well"));
}

TEST(Validator, DoesNotFollowWhatADocumentNames) {
    TempDir dir;
    const std::string good = document_of(usual_item());
    dir.write("other.xsd",
              "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" targetNamespace=\"urn:other\">"
              "<xs:element name=\"event\"/></xs:schema>");
    const std::string other = replaced(
        good, "<xmlData>", "<xmlData xsi:schemaLocation=\"urn:other " + (dir.path() / "other.xsd").string() + "\">");
    EXPECT_EQ(problem_of(other), "");
    EXPECT_NE(problem_of(replaced(other, "<event xmlns=\"urn:lihandover:csp:1.2\">",
                                  "<event xmlns=\"urn:other\"/><event xmlns=\"urn:lihandover:csp:1.2\">")),
              "");
}

TEST(Validator, ManyThreadsMayUseIt) {
    std::vector<std::string> good;
    for (std::uint32_t seed = 0; seed < 40; ++seed) {
        good.push_back(document_of(random_item(seed)));
    }
    const Validator& shared = validator();
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int count = 0; count < 4; ++count) {
        threads.emplace_back([&] {
            for (const std::string& document : good) {
                wrong += shared.validate(document).has_value() ? 0 : 1;
                wrong += shared.validate(document.substr(0, document.size() / 2)).has_value() ? 1 : 0;
                wrong += shared.validate(replaced(document, "V1.14.1", "V1")).has_value() ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(wrong, 0);
}

TEST(Validator, LoadingNamesWhatIsWrong) {
    EXPECT_NE(load_problem("/nonexistent"), "");
    {
        TempDir dir;
        EXPECT_NE(load_problem(dir.path()).find("targetNamespace http://uri.etsi.org/03120"), std::string::npos);
        dir.take_ours();
        EXPECT_EQ(load_problem(dir.path()), "");
        fs::copy_file(schemas_dir() / "ts_103120_core.xsd", dir.path() / "again.xsd");
        EXPECT_NE(load_problem(dir.path()).find("same targetNamespace"), std::string::npos);
    }
    const auto with_core = [](std::string_view text) {
        TempDir dir;
        dir.take_ours();
        dir.write("ts_103120_core.xsd", text);
        return load_problem(dir.path());
    };
    EXPECT_NE(with_core("<xs:schema").find("ts_103120_core.xsd:1: not well-formed"), std::string::npos);
    EXPECT_NE(with_core("<schema/>").find("ts_103120_core.xsd: not an XML Schema"), std::string::npos);
    EXPECT_NE(with_core("<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\"/>").find("no targetNamespace"),
              std::string::npos);
    const std::string head = "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" targetNamespace=\"" +
                             std::string(hi1::core_namespace) + "\">\n";
    EXPECT_NE(with_core(head + "<xs:include schemaLocation=\"/etc/passwd\"/></xs:schema>")
                  .find("ts_103120_core.xsd:2: xs:include"),
              std::string::npos);
    const std::string bad_type = with_core(head + "\n<xs:element name=\"HI1Message\" type=\"nothing\"/></xs:schema>");
    EXPECT_NE(bad_type.find("ts_103120_core.xsd:3: "), std::string::npos) << bad_type;
    EXPECT_NE(with_core(head + "</xs:schema>"), "");
}

TEST(Validator, SchemaLocationsOfImportsAreNotFollowed) {
    TempDir dir;
    dir.take_ours();
    std::ifstream in(schemas_dir() / "ts_103120_common.xsd");
    const std::string common((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    dir.write("ts_103120_common.xsd",
              replaced(common, "<xs:import namespace=\"http://uri.etsi.org/03280/common/2017/07\"/>",
                       "<xs:import namespace=\"http://uri.etsi.org/03280/common/2017/07\" "
                       "schemaLocation=\"http://127.0.0.1:1/none.xsd\"/>"));
    dir.write("dsig.xsd",
              "<!DOCTYPE schema SYSTEM \"http://127.0.0.1:1/XMLSchema.dtd\" [<!ENTITY dsig 'urn:dsig#'>]>\n"
              "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" targetNamespace=\"&dsig;\"/>");
    const auto loaded = Validator::load(dir.path());
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    EXPECT_TRUE(loaded->validate(document_of(usual_item())).has_value());
}

// -- The same verdicts as ETSI's published schemas
// ---------------------------------------------------------------------

struct StringWriter : pugi::xml_writer {
    std::string text;
    void write(const void* data, std::size_t size) override { text.append(static_cast<const char*>(data), size); }
};

/// Documents that deliveries are not, for the rest of Core and Delivery.
std::vector<std::string> other_messages() {
    const std::string delivery = document_of(usual_item());
    const std::size_t object_at = delivery.find("<HI1Object");
    const std::string object = delivery.substr(object_at, delivery.find("</DELIVER>") - object_at);
    const std::string uuid = "80818283-8485-8687-8889-8a8b8c8d8e8f";
    const std::string head = delivery.substr(0, delivery.find("<RequestPayload>"));
    const auto request = [&](const std::string& verb) {
        return head + "<RequestPayload><ActionRequests><ActionRequest><ActionIdentifier>0</ActionIdentifier>" + verb +
               "</ActionRequest></ActionRequests></RequestPayload></Payload></HI1Message>";
    };
    const auto response = [&](const std::string& result) {
        return head + "<ResponsePayload><ActionResponses><ActionResponse><ActionIdentifier>0</ActionIdentifier>" +
               result + "</ActionResponse></ActionResponses></ResponsePayload></Payload></HI1Message>";
    };
    const std::string identifier = "<Identifier>" + uuid + "</Identifier>";
    const std::string entry = "<c:Owner>ETSI</c:Owner><c:Name>n</c:Name><c:Value>v</c:Value>";
    const auto with_delivery = [&](const std::string& data) {
        return replaced(delivery,
                        delivery.substr(delivery.find("<d:Delivery>"),
                                        delivery.find("</d:Delivery>") - delivery.find("<d:Delivery>")),
                        "<d:Delivery>" + data);
    };
    return {
        delivery,
        request("<GET>" + identifier + "</GET>"),
        request("<CREATE>" + object + "</CREATE>"),
        request("<UPDATE>" + object + "</UPDATE>"),
        request("<GETCSPCONFIG/>"),
        request(
            "<LIST><ObjectType>" + entry +
            "</ObjectType><LastChanged>2026-11-22T10:15:30Z</LastChanged><LastChangedTimespan><c:StartTime>"
            "2026-11-22T10:15:30+01:00</c:StartTime></LastChangedTimespan><MaximumObjectCount>3</MaximumObjectCount>"
            "<CountryCode>GB</CountryCode></LIST>"),
        response("<DELIVERResponse>" + identifier + "</DELIVERResponse>"),
        response(
            "<ErrorInformation><ErrorCode>3001</ErrorCode><ErrorDescription>no</ErrorDescription></ErrorInformation>"),
        response("<GETResponse>" + object + "</GETResponse>"),
        response("<CREATEResponse>" + identifier + object + "</CREATEResponse>"),
        response("<UPDATEResponse>" + identifier + "</UPDATEResponse>"),
        response("<LISTResponse><ListResponseRecord><ObjectType>" + entry + "</ObjectType>" + identifier +
                 "<Generation>1</Generation></ListResponseRecord></LISTResponse>"),
        response("<GETCSPCONFIGResponse><LastChanged>2026-11-22T10:15:30Z</LastChanged><TargetingConfigurations/>"
                 "</GETCSPCONFIGResponse>"),
        head +
            "<ResponsePayload><ErrorInformation><ErrorCode>1</ErrorCode><ErrorDescription/></ErrorInformation>"
            "</ResponsePayload></Payload></HI1Message>",
        replaced(delivery, "</Payload>",
                 "</Payload><Signature><x/></Signature><s:Signature "
                 "xmlns:s=\"http://www.w3.org/2000/09/xmldsig#\"><s:y/></s:Signature><Signatures/>"),
        replaced(delivery, "</Version></Header>", "</Version><WorkflowIdentifier>w</WorkflowIdentifier></Header>"),
        replaced(
            delivery, "</OwnerIdentifier>",
            "</OwnerIdentifier><Generation>0</Generation><ExternalIdentifier>x</ExternalIdentifier><AssociatedObjects>"
            "<AssociatedObject>" +
                uuid +
                "</AssociatedObject></AssociatedObjects>"
                "<LastChanged>2026-11-22T10:15:30Z</LastChanged>"),
        replaced(
            delivery, "</OwnerIdentifier>",
            "</OwnerIdentifier><NationalHandlingParameters><CountryCode>GB</CountryCode></NationalHandlingParameters>"),
        replaced(delivery, "<d:Manifest>",
                 "<d:DeliveryID>" + uuid +
                     "</d:DeliveryID><d:SequenceNumber>7</d:SequenceNumber>"
                     "<d:LastSequence>true</d:LastSequence><d:Manifest>"),
        replaced(delivery, "<d:LIID>LIID-0001</d:LIID>", "<d:LDID>GB-a-b</d:LDID>"),
        replaced(delivery, "</d:Delivery>",
                 "</d:Delivery><d:DeliveryStatus>" + entry +
                     "</d:DeliveryStatus><d:EncryptionDetails>"
                     "<d:EncryptionReference>" +
                     uuid + "</d:EncryptionReference></d:EncryptionDetails>"),
        with_delivery(
            "<d:BinaryData><d:Data>AAAA</d:Data><d:ContentType>a/b</d:ContentType><d:Checksums>"
            "<c:ChecksumAndType><c:Checksum>x</c:Checksum><c:ChecksumType>y</c:ChecksumType></c:ChecksumAndType>"
            "</d:Checksums></d:BinaryData>"),
        with_delivery(
            "<d:URL><d:URL>https://a.example/b</d:URL><d:Expiry>2026-11-22T10:15:30.000000Z</d:Expiry></d:URL>"),
        with_delivery("<d:DataExistence>true</d:DataExistence>"),
    };
}

std::vector<pugi::xml_node> elements_of(const pugi::xml_document& document) {
    struct Walker : pugi::xml_tree_walker {
        std::vector<pugi::xml_node> nodes;
        bool for_each(pugi::xml_node& node) override {
            // Our Core does not validate XML signatures, which nobody sends on this interface; the reference does.
            if (node.type() == pugi::node_element && !std::string_view(node.name()).starts_with("s:")) {
                nodes.push_back(node);
            }
            return true;
        }
    } walker;
    const_cast<pugi::xml_document&>(document).traverse(walker);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    return walker.nodes;
}

/// Values at the edges of all the types.
const std::string& edge_value(std::mt19937& random) {
    static const std::vector<std::string> values = {
        "",
        " ",
        "x",
        "0",
        "-1",
        "+1",
        "007",
        "1.0",
        "true",
        "1",
        "True",
        "GB",
        " GB ",
        "gb",
        "GBR",
        "V1.2.3",
        "V1.2",
        "V1.2.3 ",
        "\xD9\xA3",
        "V\xD9\xA3.1.1",
        "80818283-8485-8687-8889-8a8b8c8d8e8f",
        " 80818283-8485-8687-8889-8a8b8c8d8e8f\n",
        "80818283-8485-8687-8889-8A8B8C8D8E8F",
        "80818283-8485-8687-8889-8a8b8c8d8e8",
        "2026-11-22T10:15:30Z",
        "2026-11-22T10:15:30.123456Z",
        "2026-11-22T10:15:30.12345Z",
        "2026-11-22T10:15:30.1234567Z",
        "2026-11-22T10:15:30",
        "2026-11-22T10:15:30+14:00",
        "2026-11-22T10:15:30+14:01",
        "2026-11-22T10:15:30-00:00",
        "2026-02-30T10:15:30Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T23:59:60Z",
        " 2026-11-22T10:15:30Z ",
        "-2026-11-22T10:15:30Z",
        "12026-11-22T10:15:30Z",
        "0000-01-01T00:00:00Z",
        "LIID-0001",
        "LIID 1",
        "!~",
        "0123456789abcdef0123456789",
        "0123456789ABCDEF0123456789",
        "0123456789abcdef0123456789abcdef0123456789abcdef01",
        "0123456789abcdef0123456789abcdef0123456789abcdef012",
        "aaaaaaaaaaaaaaaaaaaaaaaaa",
        "aaaaaaaaaaaaaaaaaaaaaaaaag",
        "a\tb",
        "GB-a-b",
        "GB-a",
        "447700900123",
        "+447700900123",
        "1234567890123456",
        "a@b.c",
        "a@b_c",
        "a@-b",
        "a@b.",
        "@b",
        "\\/a@b-c.d",
        "a b@c",
        "sip:alice@example.com",
        "SIP:alice@example.com",
        "sips:a%41@[2001:db8::1]",
        "sip:a^b",
        "sip:",
        "sip:a#b#c",
        "sip:a\\b",
        "tel:+44",
        "tel:+44|1",
        "192.0.2.1",
        "192.0.2.256",
        "192.0.2",
        "001.02.3.4",
        "2001:0db8:0000:0000:0000:0000:0000:0001",
        "2001:0DB8:0000:0000:0000:0000:0000:0001",
        "2001:db8::1",
        "00:1a:2b:3c:4d:5e",
        "00:1A:2b:3c:4d:5e",
        "00:1a:2b:3c:4d",
        "123456",
        "12345",
        "12345678901234",
        "123456789012345",
        "N51.507400",
        "S00.000000",
        "X51.507400",
        "N51.50740",
        "N051.507400",
        "W000.127758",
        "E180.000000",
        "E18.000000",
        "AAAA",
        "AAA",
        "https://a.example/b c",
        "http://[::1",
        std::string(255, 'x'),
        std::string(256, 'x'),
        std::string(65535, 'x'),
        std::string(65536, 'x'),
        "a@b." + std::string(251, 'c'),
        "a@" + std::string(63, 'b'),
        "a@" + std::string(64, 'b'),
    };
    return values[random() % values.size()];
}

void set_text(pugi::xml_node node, const std::string& value) {
    node.remove_children();
    node.append_child(pugi::node_pcdata).set_value(value.c_str());
}

/// One change somewhere.
void mutate(pugi::xml_document& document, std::mt19937& random) {
    static constexpr std::array<const char*, 12> names = {"Header",  "Identifier",  "d:LIID",    "d:Reference",
                                                          "LIID",    "CountryCode", "c:Value",   "ErrorInformation",
                                                          "unknown", "x:unknown",   "Signature", "Generation"};
    const auto nodes = elements_of(document);
    pugi::xml_node node = nodes[random() % nodes.size()];
    const pugi::xml_node other = nodes[random() % nodes.size()];
    const pugi::xml_node parent = node.parent();
    const bool root = parent.type() != pugi::node_element;
    switch (random() % 11) {
        case 0:
            if (!root) {
                node.parent().remove_child(node);
            }
            break;
        case 1:
            if (!root) {
                node.parent().insert_copy_after(node, node);
            }
            break;
        case 2:
            if (!root && node.next_sibling()) {
                node.parent().insert_move_after(node, node.next_sibling());
            }
            break;
        case 3:
            node.set_name(names[random() % names.size()]);
            break;
        case 4:
            node.append_child(names[random() % names.size()]);
            break;
        case 5:
            node.prepend_copy(other);
            break;
        case 6:
            node.append_attribute(random() % 2 == 0 ? "id" : "xsi:nil").set_value("true");
            break;
        case 7:
            if (node.attribute("xsi:type")) {
                node.remove_attribute("xsi:type");
            } else {
                node.append_attribute("xsi:type").set_value(random() % 2 == 0 ? "d:DeliveryObject" : "HI1Object");
            }
            break;
        case 8:
            if (node.first_child().type() == pugi::node_element) {
                node.prepend_child(pugi::node_pcdata).set_value(random() % 2 == 0 ? "text" : " \n ");
                break;
            }
            [[fallthrough]];
        default:
            // Most of what schemas say is about values: take a leaf.
            for (std::size_t tries = 0; tries < 50 && node.first_child().type() == pugi::node_element; ++tries) {
                node = nodes[random() % nodes.size()];
            }
            set_text(node, edge_value(random));
    }
}

std::string mutant(const std::string& document, std::mt19937& random) {
    pugi::xml_document parsed;
    EXPECT_TRUE(parsed.load_buffer(document.data(), document.size(), pugi::parse_default | pugi::parse_ws_pcdata));
    for (std::size_t changes = 1 + (random() % 4 == 0 ? 1 : 0); changes > 0; --changes) {
        mutate(parsed, random);
    }
    StringWriter out;
    parsed.save(out, "", pugi::format_raw | pugi::format_no_declaration);
    return out.text;
}

/// A directory with ETSI's files and ours for 707 and the CSP-defined part; nullopt where they are not at hand.
std::optional<fs::path> reference_files() {
    const char* shared = std::getenv("LIHANDOVER_SHARED");
    if (shared == nullptr || !fs::exists(fs::path(shared) / "etsi")) {
        return std::nullopt;
    }
    return fs::path(shared) / "etsi";
}

TEST(Schemas, GiveTheSameVerdictsAsTheReference) {
    const auto etsi = reference_files();
    if (!etsi) {
        GTEST_SKIP() << "LIHANDOVER_SHARED names no directory with ETSI's schemas";
    }
    TempDir dir;
    for (const fs::directory_entry& entry : fs::directory_iterator(*etsi)) {
        if (entry.path().extension() == ".xsd") {
            fs::copy_file(entry.path(), dir.path() / entry.path().filename());
        }
    }
    fs::copy_file(schemas_dir() / "ts_103707_messaging.xsd", dir.path() / "707.xsd");
    fs::copy_file(schemas_dir() / "lihandover-csp-1.0.xsd", dir.path() / "csp-1.0.xsd");
    fs::copy_file(schemas_dir() / "lihandover-csp-1.1.xsd", dir.path() / "csp-1.1.xsd");
    fs::copy_file(schemas_dir() / "lihandover-csp-1.2.xsd", dir.path() / "csp-1.2.xsd");
    const auto reference = Validator::load(dir.path());
    ASSERT_TRUE(reference.has_value()) << reference.error().message;

    std::size_t valid = 0;
    std::size_t invalid = 0;
    const auto expect_same = [&](const std::string& document) {
        const model::Status ours = validator().validate(document);
        const model::Status theirs = reference->validate(document);
        (theirs.has_value() ? valid : invalid) += 1;
        ASSERT_EQ(ours.has_value(), theirs.has_value())
            << "ours: " << (ours.has_error() ? ours.error().message : "valid")
            << "\nreference: " << (theirs.has_error() ? theirs.error().message : "valid") << '\n'
            << document;
    };
    std::vector<std::string> documents = other_messages();
    for (std::uint32_t seed = 0; seed < 200; ++seed) {
        documents.push_back(document_of(random_item(seed)));
    }
    for (const std::string& document : documents) {
        expect_same(document);
        if (HasFatalFailure()) {
            return;
        }
    }
    EXPECT_GT(valid, 215U);
    const std::size_t others = other_messages().size();
    std::mt19937 random(7);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same mutants each time
    for (int round = 0; round < 12'000; ++round) {
        const std::size_t which = random() % 3 == 0 ? random() % documents.size() : random() % others;
        expect_same(mutant(documents[which], random));
        if (HasFatalFailure()) {
            return;
        }
    }
    // Both verdicts occurred.
    EXPECT_GT(valid, 1000U);
    EXPECT_GT(invalid, 3000U);
}

// If the reference is missing, at least the sample of the other kinds of messages has to pass.
TEST(Schemas, TakeTheOtherMessagesOfCore) {
    std::size_t invalid = 0;
    for (const std::string& document : other_messages()) {
        invalid += validator().validate(document).has_value() ? 0 : 1;
    }
    EXPECT_EQ(invalid, 1U);  // NationalHandlingParameters is abstract
}

}  // namespace
}  // namespace lihandover::handover::test
