#include "lihandover/store/digest.hpp"

#include <gtest/gtest.h>

#include <string_view>

#include "lihandover/base/hex.hpp"

namespace lihandover::store {
namespace {

using namespace std::string_view_literals;

TEST(Sha256DigestTest, IsTheSameInPiecesOfAnySize) {
    Sha256Digest empty;
    EXPECT_EQ(empty.finish(), base::parse_hex<32>("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    Sha256Digest digest;
    digest.update("a"sv);
    digest.update(""sv);
    digest.update("bc"sv);
    EXPECT_EQ(digest.finish(), base::parse_hex<32>("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

}  // namespace
}  // namespace lihandover::store
