#include "lihandover/warrants/loader.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace lihandover::warrants {
namespace {

namespace fs = std::filesystem;

class LoaderTest : public testing::Test {
  public:
    LoaderTest(const LoaderTest&) = delete;
    LoaderTest& operator=(const LoaderTest&) = delete;

  protected:
    LoaderTest() {
        std::string name = (fs::temp_directory_path() / "warrants-XXXXXX").string();
        directory_ = ::mkdtemp(name.data()) != nullptr ? name : "";
        loader_ = std::make_unique<Loader>(directory_.string());
    }
    ~LoaderTest() override { fs::remove_all(directory_); }

    void write(const std::string& file, const std::string& liid, const std::string& user,
               const std::string& destination = "lea-one") {
        put(file, "liid: " + liid + "\ndestination: " + destination +
                      "\nvalid_from: 2026-01-01T00:00:00Z\nvalid_until: 2027-01-01T00:00:00Z\ntargets: [{user_id: " +
                      user + "}]\ndeliver: [metadata]\n");
    }
    void put(const std::string& file, const std::string& text) {
        // As careful operators do: another file put in its place.
        std::ofstream(directory_ / ".new") << text;
        fs::rename(directory_ / ".new", directory_ / file);
    }
    void remove(const std::string& file) { fs::remove(directory_ / file); }

    Reload reload() {
        auto result = loader_->reload(destinations_);
        EXPECT_TRUE(result.has_value());
        return result.has_value() ? std::move(*result) : Reload{};
    }
    void restart(const Reload& last) {
        std::vector<Remembered> remembered;
        remembered.reserve(last.in_force.size());
        for (const InForce& entry : last.in_force) {
            remembered.push_back({entry.file, encode(*entry.warrant)});
        }
        loader_ = std::make_unique<Loader>(directory_.string());
        EXPECT_TRUE(loader_->restore(remembered).has_value());
    }

    /// `file=LIID(user)` of each, with a `!` for those that are stale.
    static std::string text_of(const std::vector<InForce>& list) {
        std::string text;
        for (const InForce& entry : list) {
            EXPECT_EQ(entry.digest, digest_of(*entry.warrant));
            text += (text.empty() ? "" : " ") + entry.file + "=" + entry.warrant->liid + "(" +
                    entry.warrant->targets.at(0).value + ")" + (entry.stale ? "!" : "");
        }
        return text;
    }

    fs::path directory_;
    Destinations destinations_{{"lea-one", "lea-two"}, {}};
    std::unique_ptr<Loader> loader_;
};

TEST_F(LoaderTest, NewFilesComeIntoForce) {
    write("b.yaml", "L-2", "u-2");
    write("a.yaml", "L-1", "u-1");
    const Reload first = reload();
    EXPECT_EQ(text_of(first.in_force), "a.yaml=L-1(u-1) b.yaml=L-2(u-2)");
    EXPECT_EQ(text_of(first.added), text_of(first.in_force));
    EXPECT_EQ(first.bad_files, 0U);
    EXPECT_TRUE(first.problems.empty());
    const Reload second = reload();
    EXPECT_EQ(text_of(second.in_force), "a.yaml=L-1(u-1) b.yaml=L-2(u-2)");
    EXPECT_TRUE(second.added.empty() && second.changed.empty() && second.ended.empty());
    EXPECT_EQ(second.in_force[0].warrant, first.in_force[0].warrant) << "one copy of what did not change";
}

TEST_F(LoaderTest, ChangedAndVanishedFiles) {
    write("a.yaml", "L-1", "u-1");
    write("b.yaml", "L-2", "u-2");
    static_cast<void>(reload());
    write("a.yaml", "L-1", "u-9");
    remove("b.yaml");
    const Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-9)");
    EXPECT_EQ(text_of(result.changed), "a.yaml=L-1(u-9)");
    EXPECT_EQ(text_of(result.ended), "b.yaml=L-2(u-2)");
    EXPECT_TRUE(result.added.empty());
}

TEST_F(LoaderTest, AFileThatNamesAnotherWarrantEndsItsFormerOne) {
    write("a.yaml", "L-1", "u-1");
    static_cast<void>(reload());
    write("a.yaml", "L-2", "u-1");
    const Reload result = reload();
    EXPECT_EQ(text_of(result.added), "a.yaml=L-2(u-1)");
    EXPECT_EQ(text_of(result.ended), "a.yaml=L-1(u-1)");
    EXPECT_TRUE(result.changed.empty());
}

TEST_F(LoaderTest, ARenamedFileChangesNothing) {
    write("a.yaml", "L-1", "u-1");
    static_cast<void>(reload());
    fs::rename(directory_ / "a.yaml", directory_ / "z.yaml");
    const Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "z.yaml=L-1(u-1)");
    EXPECT_TRUE(result.added.empty() && result.changed.empty() && result.ended.empty());
}

TEST_F(LoaderTest, FilesMaySwapTheirWarrants) {
    write("a.yaml", "L-1", "u-1");
    write("b.yaml", "L-2", "u-2");
    static_cast<void>(reload());
    write("a.yaml", "L-2", "u-2");
    write("b.yaml", "L-1", "u-1");
    const Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-2(u-2) b.yaml=L-1(u-1)");
    EXPECT_TRUE(result.added.empty() && result.changed.empty() && result.ended.empty());
}

TEST_F(LoaderTest, ABadFileLeavesItsLastGoodVersionInForce) {
    write("a.yaml", "L-1", "u-1");
    write("b.yaml", "L-2", "u-2");
    static_cast<void>(reload());
    put("a.yaml", "liid: [");
    write("b.yaml", "L-2", "u-3");
    Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-1)! b.yaml=L-2(u-3)");
    EXPECT_EQ(result.bad_files, 1U);
    ASSERT_FALSE(result.problems.empty());
    EXPECT_EQ(result.problems[0].file, (directory_ / "a.yaml").string());
    EXPECT_TRUE(result.ended.empty() && result.added.empty());

    result = reload();  // and is told of each time
    EXPECT_EQ(result.bad_files, 1U);
    EXPECT_FALSE(result.problems.empty());
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-1)! b.yaml=L-2(u-3)");

    write("a.yaml", "L-1", "u-1");
    result = reload();
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-1) b.yaml=L-2(u-3)");
    EXPECT_EQ(result.bad_files, 0U);
    EXPECT_TRUE(result.changed.empty());
}

TEST_F(LoaderTest, ABadFileThatNeverWasGoodBringsNothingIntoForce) {
    put("a.yaml", "");
    const Reload result = reload();
    EXPECT_TRUE(result.in_force.empty());
    EXPECT_EQ(result.bad_files, 1U);
    EXPECT_FALSE(result.problems.empty());
}

TEST_F(LoaderTest, ABadFileThatVanishesEndsItsWarrant) {
    write("a.yaml", "L-1", "u-1");
    static_cast<void>(reload());
    put("a.yaml", "nonsense");
    static_cast<void>(reload());
    remove("a.yaml");
    EXPECT_EQ(text_of(reload().ended), "a.yaml=L-1(u-1)");
}

TEST_F(LoaderTest, LastGoodVersionsOutliveARestart) {
    write("a.yaml", "L-1", "u-1");
    write("b.yaml", "L-2", "u-2");
    write("c.yaml", "L-3", "u-3");
    const Reload last = reload();
    put("a.yaml", "nonsense");
    remove("b.yaml");
    write("c.yaml", "L-3", "u-4");
    restart(last);
    const Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-1)! c.yaml=L-3(u-4)");
    EXPECT_EQ(text_of(result.changed), "c.yaml=L-3(u-4)");
    EXPECT_EQ(text_of(result.ended), "b.yaml=L-2(u-2)");
    EXPECT_TRUE(result.added.empty());
}

TEST_F(LoaderTest, RestoringWhatCannotBeReadSaysSoAndTakesTheRest) {
    write("a.yaml", "L-1", "u-1");
    const Reload last = reload();
    put("a.yaml", "nonsense");
    loader_ = std::make_unique<Loader>(directory_.string());
    EXPECT_TRUE(
        loader_->restore({{"b.yaml", "garbage"}, {"a.yaml", encode(*last.in_force.at(0).warrant)}}).has_error());
    EXPECT_EQ(text_of(reload().in_force), "a.yaml=L-1(u-1)!");
}

TEST_F(LoaderTest, OnePairInTwoFilesIsAnErrorInBoth) {
    write("a.yaml", "L-1", "u-1");
    static_cast<void>(reload());
    write("a.yaml", "L-1", "u-5");
    write("b.yaml", "L-1", "u-2");
    write("c.yaml", "L-1", "u-3", "lea-two");  // another destination, another warrant
    Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-1)! c.yaml=L-1(u-3)");
    EXPECT_EQ(result.bad_files, 2U);
    ASSERT_EQ(result.problems.size(), 2U);
    EXPECT_EQ(log_text(result.problems[0]), (directory_ / "a.yaml").string() +
                                                ":1:1: liid: b.yaml names the same destination and LIID; one file for "
                                                "each is allowed");
    EXPECT_EQ(result.problems[1].file, (directory_ / "b.yaml").string());
    remove("a.yaml");
    result = reload();
    EXPECT_EQ(text_of(result.in_force), "b.yaml=L-1(u-2) c.yaml=L-1(u-3)");
    EXPECT_EQ(text_of(result.changed), "b.yaml=L-1(u-2)");
    EXPECT_EQ(result.bad_files, 0U);
}

TEST_F(LoaderTest, TwoNewFilesOfOnePairBringNothingIntoForce) {
    write("a.yaml", "L-1", "u-1");
    write("b.yaml", "L-1", "u-2");
    const Reload result = reload();
    EXPECT_TRUE(result.in_force.empty());
    EXPECT_EQ(result.bad_files, 2U);
}

TEST_F(LoaderTest, ALastGoodVersionKeepsItsPair) {
    write("a.yaml", "L-1", "u-1");
    write("b.yaml", "L-2", "u-2");
    write("c.yaml", "L-3", "u-3");
    static_cast<void>(reload());
    // a is broken, b wants a's pair, c wants b's.
    put("a.yaml", "nonsense");
    write("b.yaml", "L-1", "u-9");
    write("c.yaml", "L-2", "u-9");
    const Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-1)! b.yaml=L-2(u-2)! c.yaml=L-3(u-3)!");
    EXPECT_EQ(result.bad_files, 3U);
    EXPECT_TRUE(result.ended.empty() && result.added.empty() && result.changed.empty());
    write("a.yaml", "L-4", "u-1");
    const Reload mended = reload();
    EXPECT_EQ(text_of(mended.in_force), "a.yaml=L-4(u-1) b.yaml=L-1(u-9) c.yaml=L-2(u-9)");
    EXPECT_EQ(text_of(mended.ended), "c.yaml=L-3(u-3)");
}

TEST_F(LoaderTest, DestinationsAreCheckedAlsoWhereTheFileIsAsItWas) {
    write("a.yaml", "L-1", "u-1", "lea-two");
    static_cast<void>(reload());
    destinations_.names.erase("lea-two");
    Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-1)!");
    ASSERT_EQ(result.problems.size(), 1U);
    EXPECT_EQ(result.problems[0].line, 2U);
    destinations_.names.insert("lea-two");
    result = reload();
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-1)");
    EXPECT_TRUE(result.problems.empty());
}

TEST_F(LoaderTest, OnlyChangedFilesAreReadOnceTheirStampsAreOldEnough) {
    for (int n = 0; n < 10; ++n) {
        write("w" + std::to_string(n) + ".yaml", "L-" + std::to_string(n), "u");
    }
    EXPECT_EQ(reload().read_files, 10U);
    while (reload().read_files != 0) {  // until a write in the same tick is out of the question
        ::usleep(10'000);
    }
    write("w3.yaml", "L-3", "u-2");
    const Reload result = reload();
    EXPECT_EQ(result.read_files, 1U);
    EXPECT_EQ(text_of(result.changed), "w3.yaml=L-3(u-2)");
}

TEST_F(LoaderTest, AWriteRightAfterAReadIsSeen) {
    for (int n = 0; n < 50; ++n) {
        // The same file, size and, as often as not, the same tick.
        std::ofstream(directory_ / "a.yaml", std::ios::trunc)
            << "liid: L-1\ndestination: lea-one\nvalid_from: 2026-01-01T00:00:00Z\nvalid_until: "
               "2027-01-01T00:00:00Z\ntargets: [{user_id: u-"
            << 100 + n << "}]\ndeliver: [metadata]\n";
        ASSERT_EQ(text_of(reload().in_force), "a.yaml=L-1(u-" + std::to_string(100 + n) + ")");
    }
}

TEST_F(LoaderTest, OtherFilesAreNoWarrants) {
    write("a.yaml", "L-1", "u-1");
    put(".hidden.yaml", "nonsense");
    put("a.yaml~", "nonsense");
    put("README", "nonsense");
    fs::create_directory(directory_ / "d.yaml");
    const Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-1)");
    EXPECT_EQ(result.bad_files, 0U);
}

TEST_F(LoaderTest, WhatCannotBeReadIsBad) {
    write("a.yaml", "L-1", "u-1");
    static_cast<void>(reload());
    remove("a.yaml");
    ASSERT_EQ(::mkfifo((directory_ / "a.yaml").c_str(), 0600), 0);
    fs::create_symlink(directory_ / "nowhere", directory_ / "b.yaml");
    put("c.yaml", std::string(max_warrant_file_size + 1, '#'));
    const Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-1)!");
    EXPECT_EQ(result.bad_files, 3U);
    EXPECT_EQ(result.problems.size(), 3U);
}

TEST_F(LoaderTest, ADirectoryThatCannotBeReadChangesNothing) {
    write("a.yaml", "L-1", "u-1");
    static_cast<void>(reload());
    const fs::path aside = directory_.string() + ".aside";
    fs::rename(directory_, aside);
    EXPECT_TRUE(loader_->reload(destinations_).has_error());
    fs::rename(aside, directory_);
    const Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-1)");
    EXPECT_TRUE(result.added.empty() && result.ended.empty());
}

TEST_F(LoaderTest, ManyFilesAreRead) {
    constexpr int count = 3000;
    for (int n = 0; n < count; ++n) {
        write("w" + std::to_string(n) + ".yaml", "L-" + std::to_string(n), "u-" + std::to_string(n));
    }
    const Reload result = reload();
    EXPECT_EQ(result.in_force.size(), static_cast<std::size_t>(count));
    EXPECT_TRUE(result.problems.empty());
}

}  // namespace
}  // namespace lihandover::warrants
