#include "pipeline/base64.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lihandover::intake {
namespace {

std::string decoded(std::string_view text) {
    std::string out;
    Base64Reader reader(text);
    for (auto bytes = reader.next(); !bytes.empty(); bytes = reader.next()) {
        out.append(bytes.data(), bytes.size());
    }
    EXPECT_EQ(out.size(), base64_size(text));
    return out;
}

TEST(Base64Test, Decodes) {
    EXPECT_EQ(decoded(""), "");
    EXPECT_EQ(decoded("Zg=="), "f");
    EXPECT_EQ(decoded("Zm8="), "fo");
    EXPECT_EQ(decoded("Zm9v"), "foo");
    EXPECT_EQ(decoded("Zm9vYmE="), "fooba");
    EXPECT_EQ(decoded("+/+/"), "\xFB\xFF\xBF");
    EXPECT_EQ(decoded("AAAA"), std::string(3, '\0'));
    EXPECT_EQ(decoded("////"), "\xFF\xFF\xFF");
}

TEST(Base64Test, DecodesMoreThanOnePiece) {
    std::string text;
    std::string expected;
    for (int i = 0; i < 100'000; ++i) {
        text += "Zm9v";
        expected += "foo";
    }
    EXPECT_EQ(decoded(text + "Zg=="), expected + 'f');
    // Whole pieces and nothing behind.
    const std::size_t piece = std::size_t{64} * 1024;
    EXPECT_EQ(decoded(text.substr(0, piece)).size(), piece / 4 * 3);
}

}  // namespace
}  // namespace lihandover::intake
