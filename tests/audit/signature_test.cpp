#include "lihandover/audit/signature.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lihandover::audit::test {
namespace {

// From RFC 8410, section 10.3.
constexpr std::string_view private_pem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
    "-----END PRIVATE KEY-----\n";

TEST(Signature, HoldsForWhatWasSignedOnly) {
    const auto key = SigningKey::from_pem(private_pem);
    ASSERT_TRUE(key) << key.error().message;
    const auto check = VerifyingKey::from_pem((*key)->public_pem());
    ASSERT_TRUE(check) << check.error().message;
    std::string signature = (*key)->sign("what was said");
    EXPECT_EQ(signature.size(), 64U);
    EXPECT_TRUE(check->holds("what was said", signature));
    EXPECT_FALSE(check->holds("what was saie", signature));
    EXPECT_FALSE(check->holds("what was said", signature.substr(1)));
    EXPECT_FALSE(check->holds("what was said", ""));
    signature[5] = static_cast<char>(signature[5] ^ 1);
    EXPECT_FALSE(check->holds("what was said", signature));
}

TEST(Signature, OtherKeysAreRefused) {
    EXPECT_FALSE(SigningKey::from_pem(""));
    EXPECT_FALSE(SigningKey::from_pem("no key"));
    EXPECT_FALSE(VerifyingKey::from_pem(private_pem));
    EXPECT_FALSE(SigningKey::from_pem(std::string(100'000, 'x')));
    const auto key = SigningKey::from_pem(private_pem);
    ASSERT_TRUE(key);
    EXPECT_FALSE(SigningKey::from_pem((*key)->public_pem()));
}

}  // namespace
}  // namespace lihandover::audit::test
