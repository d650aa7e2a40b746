#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <array>
#include <fstream>
#include <iterator>
#include <pugixml.hpp>
#include <string>

#include "corpus.hpp"

namespace lihandover::handover::test {
namespace {

std::string sha256(std::string_view text) {
    std::array<unsigned char, 32> digest{};
    EXPECT_EQ(EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr), 1);
    std::string hex;
    for (const unsigned char byte : digest) {
        hex += "0123456789abcdef"[byte >> 4];
        hex += "0123456789abcdef"[byte & 0x0F];
    }
    return hex;
}

// An LEA that has a schema under an identifier never gets another one under it (TS 103 707 table 9). If this fails, the
// schema was changed: give it a new file, namespace, identifier and writer version.
TEST(CspSchema, IsTheOneThatItsIdentifierNames) {
    EXPECT_EQ(csp_schema_identifiers.at(0), "urn:lihandover:csp:1.0");
    EXPECT_EQ(sha256(csp_schema(1)), "caa7348947fa6a4e3b9afa4439da21b1003936dc2f28ffa5a769fe05c1bfe384");
    EXPECT_EQ(csp_schema_identifiers.at(1), "urn:lihandover:csp:1.1");
    EXPECT_EQ(sha256(csp_schema(2)), "b4d5c05f5a0e1c170f8e94d545ad140b468bf8c07bbcf3a3cbd68a518b5904fe");
    EXPECT_EQ(csp_schema_identifiers.at(2), "urn:lihandover:csp:1.2");
    EXPECT_EQ(sha256(csp_schema(3)), "bf74ce79ee0a9c6dc5ea13522d110b019681636945a98641c7a18d8a62134087");
    EXPECT_EQ(csp_schema_identifier, csp_schema_identifiers.back());
    EXPECT_EQ(csp_schema(), csp_schema(current_writer_version));
}

TEST(CspSchema, IsTheFileThatIsPublished) {
    for (std::uint32_t version = 1; version <= current_writer_version; ++version) {
        const std::string_view identifier = csp_schema_identifiers.at(version - 1);
        const std::string name = "lihandover-csp-" + std::string(identifier.substr(identifier.rfind(':') + 1)) + ".xsd";
        std::ifstream in(schemas_dir() / name, std::ios::binary);
        const std::string file((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
        EXPECT_EQ(csp_schema(version), file);
        pugi::xml_document document;
        ASSERT_TRUE(document.load_buffer(file.data(), file.size()));
        EXPECT_EQ(std::string_view(document.document_element().attribute("targetNamespace").value()), identifier);
    }
}

TEST(CspSchema, CanBeCarriedAsCharacterData) {
    for (std::uint32_t version = 1; version <= current_writer_version; ++version) {
        EXPECT_EQ(csp_schema(version).find("]]>"), std::string_view::npos);
        EXPECT_EQ(csp_schema(version).find('\r'), std::string_view::npos);
        EXPECT_LT(csp_schema(version).size(), 65536U);  // LongString, should an LEA's schema have that
    }
}

std::vector<std::string> enumeration_of(std::string_view schema, const char* name) {
    pugi::xml_document document;
    EXPECT_TRUE(document.load_buffer(schema.data(), schema.size()));
    std::vector<std::string> values;
    for (const pugi::xml_node type : document.document_element().children("xs:simpleType")) {
        if (std::string_view(type.attribute("name").value()) == name) {
            for (const pugi::xml_node value : type.child("xs:restriction").children("xs:enumeration")) {
                values.emplace_back(value.attribute("value").value());
            }
        }
    }
    return values;
}

TEST(CspSchema, KnowsEveryTypeOfEvent) {
    EXPECT_EQ(enumeration_of(csp_schema(), "EventType"),
              std::vector<std::string>(model::event_type_names.begin(), model::event_type_names.end()));
}

TEST(CspSchema, KnowsEveryTypeOfIdentifier) {
    for (const std::string_view name : model::identifier_type_names) {
        EXPECT_NE(csp_schema().find("<xs:enumeration value=\"" + std::string(name) + "\"/>"), std::string_view::npos)
            << name;
    }
}

TEST(CspSchema, KnowsEveryLoss) {
    EXPECT_EQ(enumeration_of(csp_schema(), "Loss"),
              std::vector<std::string>(model::object_loss_names.begin() + 1, model::object_loss_names.end()));
}

}  // namespace
}  // namespace lihandover::handover::test
