#include "base64.hpp"

#include <gtest/gtest.h>

#include <string>

#include "digest.hpp"

namespace lihandover::intake {
namespace {

std::string decoded(std::string_view text) {
    std::string out;
    Base64Reader reader(text);
    for (auto octets = reader.next(); !octets.empty(); octets = reader.next()) {
        out.append(octets.data(), octets.size());
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

std::string hex(const model::Sha256& digest) {
    std::string out;
    for (const std::uint8_t octet : digest) {
        out += "0123456789abcdef"[octet >> 4];
        out += "0123456789abcdef"[octet & 15];
    }
    return out;
}

TEST(Sha256Test, DigestsPieceByPiece) {
    Sha256Digest empty;
    EXPECT_EQ(hex(empty.finish()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    Sha256Digest digest;
    digest.update(std::string_view("a"));
    digest.update(std::string_view("bc"));
    EXPECT_EQ(hex(digest.finish()), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256Test, ReadsHexDigitsOfAnyCase) {
    const std::string lower = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    std::string upper = lower;
    for (char& c : upper) {
        c = c >= 'a' ? static_cast<char>(c - 32) : c;
    }
    ASSERT_TRUE(parse_sha256(lower) && parse_sha256(upper));
    EXPECT_EQ(hex(*parse_sha256(lower)), lower);
    EXPECT_EQ(*parse_sha256(lower), *parse_sha256(upper));
    EXPECT_FALSE(parse_sha256(""));
    EXPECT_FALSE(parse_sha256(lower.substr(1)));
    EXPECT_FALSE(parse_sha256(lower + "00"));
    EXPECT_FALSE(parse_sha256(lower.substr(1) + 'g'));
}

}  // namespace
}  // namespace lihandover::intake
