#include "lihandover/base/hidden.hpp"

#include <gtest/gtest.h>

namespace lihandover::base {
namespace {

TEST(Hidden, IsWhatNobodySeesOrWhatMovesOthers) {
    for (const char32_t value :
         {U'\0',     U'\n',     U'\x1B',       U'\x7F',       U'\x9B',       U'\u00AD',    U'\u034F',
          U'\u061C', U'\u0891', U'\u200B',     U'\u202E',     U'\u2066',     U'\u2069',    U'\u3164',
          U'\uFE0F', U'\uFEFF', U'\U000110CD', U'\U0001343F', U'\U000E0041', U'\U000E0FFF'}) {
        EXPECT_TRUE(is_hidden(value)) << static_cast<unsigned>(value);
    }
    EXPECT_TRUE(is_hidden(0xD800));
}

TEST(Hidden, IsNothingThatPeopleWrite) {
    for (char32_t value = 0x20; value < 0x7F; ++value) {
        EXPECT_FALSE(is_hidden(value)) << static_cast<unsigned>(value);
    }
    for (const char32_t value : {U'\u00A0', U'\u00E4', U'\u0645', U'\u0301', U'\u2010', U'\u2027', U'\u4E2D', U'\uFFFD',
                                 U'\U0001F600', U'\U000E1000', U'\U0010FFFF'}) {
        EXPECT_FALSE(is_hidden(value)) << static_cast<unsigned>(value);
    }
}

}  // namespace
}  // namespace lihandover::base
