#include "lihandover/hi1/error_codes.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace lihandover::hi1 {
namespace {

TEST(ErrorCodes, AreThoseOfAnnexD) {
    std::uint64_t next = 3000;
    for (const ErrorCode& each : error_codes()) {
        EXPECT_EQ(each.code, next++);
        EXPECT_EQ(find_error_code(each.code), &each);
        EXPECT_EQ(meaning_of(each.code), each.meaning);
        EXPECT_FALSE(each.meaning.empty());
        EXPECT_FALSE(name_of(each.scope).empty());
    }
    EXPECT_EQ(next, 3023U);
    for (const std::uint64_t other : {0U, 1U, 500U, 1001U, 2999U, 3023U, 3999U}) {
        EXPECT_EQ(find_error_code(other), nullptr);
        EXPECT_EQ(meaning_of(other), "not a code of TS 103 120");
    }
}

TEST(ErrorCodes, OnlyTheTransientOneIsWorthARepeat) {
    for (const ErrorCode& each : error_codes()) {
        EXPECT_EQ(each.retryable, each.code == transient_technical_error) << each.code;
        EXPECT_EQ(each.scope == ErrorScope::moment, each.retryable) << each.code;
    }
    EXPECT_EQ(find_error_code(configuration_issue)->scope, ErrorScope::systems);
    EXPECT_EQ(find_error_code(encoding_not_supported)->scope, ErrorScope::systems);
    EXPECT_EQ(find_error_code(version_not_supported)->scope, ErrorScope::systems);
    EXPECT_EQ(find_error_code(validation_error)->scope, ErrorScope::action_or_systems);
    EXPECT_EQ(find_error_code(message_too_large)->scope, ErrorScope::message);
    EXPECT_EQ(find_error_code(object_already_exists)->scope, ErrorScope::action);
}

TEST(ErrorCodes, ReferenceIsCurrent) {
    const std::string path = std::string(LIHANDOVER_SOURCE_DIR) + "/docs/hi1-error-codes.md";
    if (std::getenv("LIHANDOVER_UPDATE_DOCS") != nullptr) {
        std::ofstream(path) << error_codes_markdown();
    }
    std::ostringstream file;
    file << std::ifstream(path).rdbuf();
    EXPECT_EQ(file.str(), error_codes_markdown()) << "run with LIHANDOVER_UPDATE_DOCS=1 to write it anew";
}

}  // namespace
}  // namespace lihandover::hi1
