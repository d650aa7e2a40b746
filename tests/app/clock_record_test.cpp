#include "clock_record.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "../support/temporary_directory.hpp"

namespace lihandover::app {
namespace {

namespace fs = std::filesystem;

class ClockRecordTest : public testing::Test {
  protected:
    void spoil(const std::string& text) const { std::ofstream(directory_ + "/trusted-time") << text; }

    lihandover::test::TemporaryDirectory held_;
    std::string directory_ = held_.path().string();
};

TEST_F(ClockRecordTest, RemembersTheLastTime) {
    const ClockRecord record(directory_);
    EXPECT_FALSE(record.read());
    record.write({1'795'342'531, 5'000});
    record.write({1'795'342'532, 123'456'000});
    EXPECT_EQ(ClockRecord(directory_).read(), (model::Instant{1'795'342'532, 123'456'000}));
    EXPECT_EQ(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()), 1);
}

TEST_F(ClockRecordTest, ASpoiledFileIsAFirstStart) {
    const ClockRecord record(directory_);
    for (const char* text : {"", "\n", "yesterday\n", "2026-11-22"}) {
        spoil(text);
        EXPECT_FALSE(record.read()) << text;
    }
    record.write({1'795'342'531, 0});
    EXPECT_TRUE(record.read());
}

TEST_F(ClockRecordTest, ADirectoryThatIsGoneIsNoTrouble) {
    const ClockRecord record(directory_ + "/nowhere");
    record.write({1'795'342'531, 0});
    EXPECT_FALSE(record.read());
}

}  // namespace
}  // namespace lihandover::app
