#include "clock_record.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "../support/temporary_directory.hpp"

namespace {

/// What was synced, by the name that it had then.
std::vector<std::string>& synced() {
    static std::vector<std::string> names;
    return names;
}

}  // namespace

extern "C" int fsync(int descriptor) {
    synced().push_back(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(descriptor)).string());
    return static_cast<int>(syscall(SYS_fsync, descriptor));
}

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

TEST_F(ClockRecordTest, ASpoiledFileSaysNothing) {
    const ClockRecord record(directory_);
    for (const char* text : {"", "\n", "yesterday\n", "2026-11-22"}) {
        spoil(text);
        EXPECT_FALSE(record.read()) << text;
    }
    record.write({1'795'342'531, 0});
    EXPECT_TRUE(record.read());
}

TEST_F(ClockRecordTest, IsSyncedBeforeItTakesThePlaceOfTheLastOne) {
    synced().clear();
    ClockRecord(directory_).write({1'795'342'531, 0});
    EXPECT_EQ(synced(), (std::vector<std::string>{directory_ + "/trusted-time.new", directory_}));
}

TEST_F(ClockRecordTest, ADirectoryThatIsGoneIsNoTrouble) {
    const ClockRecord record(directory_ + "/nowhere");
    record.write({1'795'342'531, 0});
    EXPECT_FALSE(record.read());
}

}  // namespace
}  // namespace lihandover::app
