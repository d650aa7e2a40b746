#include "pipeline/named_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include "intake_server.hpp"

namespace lihandover::intake {
namespace {

namespace fs = std::filesystem;

class NamedFileTest : public ::testing::Test {
  protected:
    NamedFileTest() {
        fs::create_directories(root() / "sub");
        write(root() / "file", "inside");
        write(root() / "sub/file", "deeper");
        write(directory_.path() / "secret", "outside");
    }
    [[nodiscard]] fs::path root() const { return directory_.path() / "root"; }
    static void write(const fs::path& path, std::string_view text) { std::ofstream(path) << text; }

    /// The contents of the file, or why it cannot be read.
    std::string read(std::string_view path) {
        model::ObjectLoss why{};
        auto file = NamedFile::open(root().string(), path, why);
        if (!file) {
            return "(" + std::string(model::name_of(why)) + ")";
        }
        std::array<char, 100> bytes{};
        const auto got = file->read(bytes);
        return got ? std::string(bytes.data(), *got) : "(read)";
    }

    testing::TemporaryDirectory directory_;
};

TEST_F(NamedFileTest, OpensWhatIsBelowTheRoot) {
    EXPECT_EQ(read("file"), "inside");
    EXPECT_EQ(read("sub/file"), "deeper");
    EXPECT_EQ(read("sub/../file"), "inside") << "that leads nowhere else";
    EXPECT_EQ(read("./sub//file"), "deeper");
}

TEST_F(NamedFileTest, NothingLeadsOutside) {
    fs::create_symlink(directory_.path() / "secret", root() / "link");
    fs::create_symlink("../secret", root() / "relative");
    fs::create_symlink("file", root() / "inner");
    fs::create_directory_symlink(directory_.path(), root() / "out");
    fs::create_directory_symlink("sub", root() / "alias");
    const std::string absolute = (directory_.path() / "secret").string();
    const std::string own = (root() / "file").string();
    using namespace std::string_literals;
    for (const std::string& path :
         {"../secret"s, "sub/../../secret"s, absolute, own, "link"s, "relative"s, "inner"s, "out/secret"s,
          "alias/file"s, "/etc/passwd"s, "/proc/self/environ"s, "../root/file"s, "file\0"s, "file\0x"s, "\0"s}) {
        EXPECT_TRUE(read(path).starts_with('(')) << path;
    }
    EXPECT_EQ(read("sub/../../../secret"), "(unreadable)");
}

TEST_F(NamedFileTest, OnlyRegularFilesThatMayBeRead) {
    EXPECT_EQ(read("sub"), "(unreadable)");
    EXPECT_EQ(read("."), "(unreadable)");
    ASSERT_EQ(::mkfifo((root() / "pipe").c_str(), 0600), 0);
    EXPECT_EQ(read("pipe"), "(unreadable)") << "and nobody waits for its other end";
    EXPECT_EQ(read("none"), "(vanished)");
    EXPECT_EQ(read("none/file"), "(vanished)");
    EXPECT_EQ(read("file/file"), "(vanished)");
    EXPECT_EQ(read(std::string(5000, 'x')), "(unreadable)");
    fs::permissions(root() / "file", fs::perms::none);
    EXPECT_EQ(read("file"), ::geteuid() == 0 ? "inside" : "(unreadable)");
}

TEST_F(NamedFileTest, ReadingLeavesTheTimeOfAccessAlone) {
    // So long ago that a file system with relatime would update it.
    const std::array<timespec, 2> times{timespec{1'000'000, 0}, timespec{2'000'000, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (root() / "file").c_str(), times.data(), 0), 0);
    EXPECT_EQ(read("file"), "inside");
    struct stat status {};
    ASSERT_EQ(::stat((root() / "file").c_str(), &status), 0);
    EXPECT_EQ(status.st_atim.tv_sec, 1'000'000);
}

TEST_F(NamedFileTest, TellsAChangedFile) {
    model::ObjectLoss why{};
    const auto file = NamedFile::open(root().string(), "file", why);
    ASSERT_TRUE(file);
    const auto before = file->identity();
    ASSERT_TRUE(before);
    EXPECT_EQ(before->size, 6U);
    EXPECT_EQ(file->identity(), before);
    // The same bytes at another time, in place.
    struct stat status {};
    ASSERT_EQ(::stat((root() / "file").c_str(), &status), 0);
    fs::last_write_time(root() / "file", fs::file_time_type::clock::now() + std::chrono::hours(1));
    EXPECT_NE(file->identity(), before);
    // Another file of that name.
    write(root() / "new", "inside");
    fs::rename(root() / "new", root() / "file");
    const auto other = NamedFile::open(root().string(), "file", why);
    ASSERT_TRUE(other);
    EXPECT_NE(other->identity()->inode, before->inode);
}

}  // namespace
}  // namespace lihandover::intake
