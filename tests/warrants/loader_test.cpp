#include "lihandover/warrants/loader.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>

#include "../support/temporary_directory.hpp"

namespace lihandover::warrants {
namespace {

namespace fs = std::filesystem;

class LoaderTest : public testing::Test {
  protected:
    void write(const std::string& file, const std::string& liid, const std::string& user,
               const std::string& destination = "lea-one") {
        put(file, "liid: " + liid + "\ndestination: " + destination +
                      "\nvalid_from: 2026-01-01T00:00:00Z\nvalid_until: 2027-01-01T00:00:00Z\ntargets: [{user_id: " +
                      user + "}]\ndeliver: [metadata]\n");
    }
    void put(const std::string& file, const std::string& text) {
        // As careful operators do: replaces the file by another one.
        std::ofstream(directory_ / ".new") << text;
        fs::rename(directory_ / ".new", directory_ / file);
    }
    void remove(const std::string& file) { fs::remove(directory_ / file); }

    /// A reload that fails: it is not accepted.
    Reload look(bool confirm_ended = false) {
        return loader_->reload(destinations_, {.now = now_,
                                               .late_events = std::chrono::days(7),
                                               .confirm_ended = confirm_ended,
                                               .approved = approved_ ? &*approved_ : nullptr});
    }
    Reload reload(bool confirm_ended = false) {
        Reload result = look(confirm_ended);
        Reload taken = result;
        EXPECT_EQ(loader_->accept(taken)->size(), result.in_force.size());
        return result;
    }
    void write_many(int count) {
        for (int n = 0; n < count; ++n) {
            const std::string number = std::to_string(n);
            write("w" + number + ".yaml", "L-" + number, "u-" + number);
        }
    }
    void remove_many(int count) {
        for (int n = 0; n < count; ++n) {
            remove("w" + std::to_string(n) + ".yaml");
        }
    }
    void restart(const Reload& last) {
        std::vector<Remembered> remembered;
        remembered.reserve(last.in_force.size());
        for (const InForce& entry : last.in_force) {
            remembered.push_back({entry.file, bytes_of(entry)});
        }
        loader_ = std::make_unique<Loader>(directory_.string());
        EXPECT_TRUE(loader_->restore(remembered, last.revocations).has_value());
    }

    /// `file=LIID(user)` of each, with a `!` for stale ones, `?` for missing and `~` for late ones.
    static std::string text_of(const std::vector<InForce>& list) {
        std::string text;
        for (const InForce& entry : list) {
            text += (text.empty() ? "" : " ") + entry.file + "=" + entry.warrant->liid + "(" +
                    entry.warrant->targets.at(0).value + ")" + (entry.stale ? "!" : "") + (entry.missing ? "?" : "") +
                    (entry.late ? "~" : "");
        }
        return text;
    }
    static std::string text_of(const std::vector<Changed>& list) {
        std::vector<InForce> now;
        for (const Changed& change : list) {
            now.push_back(change.now);
        }
        return text_of(now);
    }
    /// With a `-` for those that ended before their time.
    static std::string text_of(const std::vector<Ended>& list) {
        std::string text;
        for (const Ended& entry : list) {
            text += (text.empty() ? "" : " ") + text_of(std::vector{entry.last}) + (entry.before_end ? "-" : "");
        }
        return text;
    }

    static constexpr model::Instant window_end{1'798'761'600, 0};  // 2027-01-01T00:00:00Z
    model::Instant now_{1'780'272'000, 0};                         // 2026-06-01T00:00:00Z
    lihandover::test::TemporaryDirectory held_;
    fs::path directory_ = held_.path();
    Destinations destinations_{{"lea-one", "lea-two"}, {}};
    std::unique_ptr<Loader> loader_ = std::make_unique<Loader>(directory_.string());
    std::optional<std::set<Digest>> approved_;  ///< nullopt: nobody has to approve anything
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
    EXPECT_EQ(text_of(result.ended), "b.yaml=L-2(u-2)-");
    EXPECT_EQ(result.changed.at(0).before.warrant->targets.at(0).value, "u-1");
    EXPECT_TRUE(result.added.empty());
}

TEST_F(LoaderTest, AFileThatNamesAnotherWarrantEndsItsFormerOne) {
    write("a.yaml", "L-1", "u-1");
    static_cast<void>(reload());
    write("a.yaml", "L-2", "u-1");
    const Reload result = reload();
    EXPECT_EQ(text_of(result.added), "a.yaml=L-2(u-1)");
    EXPECT_EQ(text_of(result.ended), "a.yaml=L-1(u-1)-");
    EXPECT_TRUE(result.changed.empty());
}

TEST_F(LoaderTest, ARenamedFileOnlyMoves) {
    write("a.yaml", "L-1", "u-1");
    static_cast<void>(reload());
    fs::rename(directory_ / "a.yaml", directory_ / "z.yaml");
    const Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "z.yaml=L-1(u-1)");
    ASSERT_EQ(result.changed.size(), 1U);
    EXPECT_TRUE(result.changed[0].only_moved());
    EXPECT_TRUE(result.added.empty() && result.ended.empty());
}

TEST_F(LoaderTest, FilesMaySwapTheirWarrants) {
    write("a.yaml", "L-1", "u-1");
    write("b.yaml", "L-2", "u-2");
    static_cast<void>(reload());
    write("a.yaml", "L-2", "u-2");
    write("b.yaml", "L-1", "u-1");
    const Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-2(u-2) b.yaml=L-1(u-1)");
    EXPECT_TRUE(std::ranges::all_of(result.changed, &Changed::only_moved));
    EXPECT_TRUE(result.added.empty() && result.ended.empty());
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
    write("b.yaml", "L-2", "u-2");
    static_cast<void>(reload());
    put("a.yaml", "nonsense");
    static_cast<void>(reload());
    remove("a.yaml");
    EXPECT_EQ(text_of(reload().ended), "a.yaml=L-1(u-1)!-");
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
    EXPECT_EQ(text_of(result.ended), "b.yaml=L-2(u-2)-");
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
    EXPECT_EQ(text_of(mended.ended), "c.yaml=L-3(u-3)!-");
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

TEST_F(LoaderTest, OtherFilesArePassedOverAndSaid) {
    write("a.yaml", "L-1", "u-1");
    put(".hidden.yaml", "nonsense");
    put("a.yaml~", "nonsense");
    put("b.yml", "nonsense");
    put("README", "nonsense");
    fs::create_directory(directory_ / "old");
    Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-1)");
    EXPECT_EQ(result.bad_files, 0U);
    ASSERT_EQ(result.passed_over.size(), 3U);
    EXPECT_EQ(log_text(result.passed_over[2]),
              (directory_ / "b.yml").string() + ":1:1: passed over: the name of a warrant file ends in .yaml");
    fs::create_directory(directory_ / "d.yaml");
    result = reload();
    EXPECT_EQ(result.bad_files, 1U) << "a directory in the place of a warrant file";
    EXPECT_EQ(result.problems.at(0).file, (directory_ / "d.yaml").string());
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

TEST_F(LoaderTest, ADirectoryThatCannotBeReadEndsNothing) {
    write("a.yaml", "L-1", "u-1");
    static_cast<void>(reload());
    const fs::path aside = directory_.string() + ".aside";
    fs::rename(directory_, aside);
    Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-1)?");
    EXPECT_EQ(result.withheld, Withheld::directory_unreadable);
    EXPECT_EQ(result.unconfirmed, 1U);
    EXPECT_EQ(result.problems.size(), 1U);
    fs::rename(aside, directory_);
    result = reload();
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-1)");
    EXPECT_TRUE(result.added.empty() && result.ended.empty() && result.changed.empty());
    EXPECT_EQ(result.unconfirmed, 0U);
}

TEST_F(LoaderTest, NothingIsForgottenWhileTheDirectoryCannotBeRead) {
    write("a.yaml", "L-1", "u-1");
    now_ = window_end;
    now_.seconds += 30 * 24 * 3600;
    static_cast<void>(reload());
    const fs::path aside = directory_.string() + ".aside";
    fs::rename(directory_, aside);
    EXPECT_TRUE(reload().ended.empty()) << "one that has ended long ago is no exception";
    fs::rename(aside, directory_);
    const Reload result = reload();
    EXPECT_TRUE(result.added.empty());
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-1)");
}

TEST_F(LoaderTest, ADirectoryThatWasNeverThereIsAProblemAndNoMore) {
    fs::remove(directory_);
    const Reload result = reload();
    EXPECT_TRUE(result.in_force.empty());
    EXPECT_EQ(result.withheld, Withheld::nothing);
    EXPECT_EQ(result.problems.size(), 1U);
}

TEST_F(LoaderTest, OneThatIsThereAndCannotBeReadIsNotConfirmedEmpty) {
    write("a.yaml", "L-1", "u-1");
    static_cast<void>(reload());
    fs::remove_all(directory_);
    std::ofstream(directory_) << "a file in its place";
    EXPECT_EQ(text_of(reload(true).in_force), "a.yaml=L-1(u-1)?");
    fs::remove(directory_);
    const Reload result = reload(true);
    EXPECT_TRUE(result.in_force.empty()) << "one that is not there may be";
    EXPECT_EQ(text_of(result.ended), "a.yaml=L-1(u-1)?-");
}

TEST_F(LoaderTest, ADirectoryThatEmptiesEndsNothingUntilConfirmed) {
    write("a.yaml", "L-1", "u-1");
    static_cast<void>(reload());
    remove("a.yaml");
    put("README", "not a warrant");
    for (int round = 0; round < 3; ++round) {
        const Reload result = reload();
        EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-1)?");
        EXPECT_EQ(result.withheld, Withheld::directory_empty);
        EXPECT_TRUE(result.ended.empty());
    }
    const Reload ended = reload(true);
    EXPECT_TRUE(ended.in_force.empty());
    EXPECT_EQ(text_of(ended.ended), "a.yaml=L-1(u-1)?-");
    EXPECT_TRUE(reload().ended.empty());
    write("a.yaml", "L-1", "u-1");
    EXPECT_EQ(text_of(reload().added), "a.yaml=L-1(u-1)");
}

TEST_F(LoaderTest, MoreThanHalfGoneAtOnceEndsNothingUntilConfirmed) {
    write_many(8);
    static_cast<void>(reload());
    remove_many(5);
    Reload result = reload();
    EXPECT_EQ(result.withheld, Withheld::too_many);
    EXPECT_EQ(result.unconfirmed, 5U);
    EXPECT_EQ(result.in_force.size(), 8U);
    // Some come back. That does not end the others: nobody has confirmed it.
    write("w0.yaml", "L-0", "u-0");
    write("w1.yaml", "L-1", "u-1");
    write("w2.yaml", "L-2", "u-2");
    result = reload();
    EXPECT_EQ(result.withheld, Withheld::nothing);
    EXPECT_EQ(result.unconfirmed, 2U);
    EXPECT_TRUE(result.ended.empty() && result.added.empty());
    EXPECT_EQ(text_of(reload(true).ended), "w3.yaml=L-3(u-3)?- w4.yaml=L-4(u-4)?-");
}

TEST_F(LoaderTest, HalfOfThemOrFewEndAtOnce) {
    write_many(8);
    static_cast<void>(reload());
    remove_many(4);
    Reload result = reload();
    EXPECT_EQ(result.ended.size(), 4U);
    EXPECT_EQ(result.withheld, Withheld::nothing);
    remove("w4.yaml");
    EXPECT_EQ(reload().ended.size(), 1U);
    remove("w5.yaml");
    remove("w6.yaml");  // two of three are more than half, but fewer than four are in force
    EXPECT_EQ(reload().ended.size(), 2U);
}

TEST_F(LoaderTest, FilesThatComeToNameOtherWarrantsCountAsGone) {
    write_many(4);
    static_cast<void>(reload());
    for (int n = 0; n < 3; ++n) {
        const std::string number = std::to_string(n);
        write("w" + number + ".yaml", "OTHER-" + number, "u-" + number);
    }
    const Reload result = reload();
    EXPECT_EQ(result.withheld, Withheld::too_many);
    EXPECT_EQ(result.added.size(), 3U);
    EXPECT_EQ(result.in_force.size(), 7U);
    EXPECT_EQ(reload(true).ended.size(), 3U);
}

TEST_F(LoaderTest, WarrantsThatHaveEndedAreNotCountedAndStayForLateEvents) {
    write_many(8);
    put("other.yaml",
        "liid: L-9\ndestination: lea-one\nvalid_from: 2026-01-01T00:00:00Z\n"
        "valid_until: 2028-01-01T00:00:00Z\ntargets: [{user_id: u-9}]\ndeliver: [metadata]\n");
    static_cast<void>(reload());
    now_ = window_end;
    remove_many(8);
    Reload result = reload();
    EXPECT_EQ(result.withheld, Withheld::nothing);
    EXPECT_TRUE(result.ended.empty());
    EXPECT_EQ(result.in_force.size(), 9U);
    EXPECT_TRUE(result.in_force.at(1).late);
    restart(result);
    EXPECT_EQ(reload().in_force.size(), 9U) << "also over a restart";
    now_.seconds += 7 * 24 * 3600 - 1;
    EXPECT_EQ(reload().in_force.size(), 9U);
    now_.seconds += 1;
    result = reload();
    EXPECT_EQ(text_of(result.in_force), "other.yaml=L-9(u-9)");
    EXPECT_EQ(result.ended.size(), 8U);
    EXPECT_FALSE(result.ended.at(0).before_end);
}

TEST_F(LoaderTest, ALateOneWithoutItsDestinationGoes) {
    write("a.yaml", "L-1", "u-1", "lea-two");
    static_cast<void>(reload());
    now_ = window_end;
    remove("a.yaml");
    EXPECT_EQ(text_of(reload().in_force), "a.yaml=L-1(u-1)~");
    destinations_.names.erase("lea-two");
    EXPECT_EQ(text_of(reload().ended), "a.yaml=L-1(u-1)~");
}

TEST_F(LoaderTest, AReloadThatIsNotAcceptedMovesNothingOn) {
    write("a.yaml", "L-1", "u-1");
    write("b.yaml", "L-2", "u-2");
    write("c.yaml", "L-3", "u-3");
    static_cast<void>(reload());
    write("a.yaml", "L-1", "u-9");
    remove("b.yaml");
    for (int round = 0; round < 2; ++round) {
        const Reload failed = look();
        EXPECT_EQ(text_of(failed.changed), "a.yaml=L-1(u-9)");
        EXPECT_EQ(text_of(failed.ended), "b.yaml=L-2(u-2)-");
    }
    put("a.yaml", "nonsense");
    const Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-1)! c.yaml=L-3(u-3)") << "the last version that was in force";
    EXPECT_EQ(text_of(result.ended), "b.yaml=L-2(u-2)-");
}

TEST_F(LoaderTest, ADirectoryWithoutAGoodFileIsAsGoodAsEmpty) {
    write_many(3);
    static_cast<void>(reload());
    remove_many(2);
    put("w2.yaml", "liid: [");
    const Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "w0.yaml=L-0(u-0)? w1.yaml=L-1(u-1)? w2.yaml=L-2(u-2)!");
    EXPECT_EQ(result.withheld, Withheld::directory_empty);
    remove("w2.yaml");
    put("other.yaml", "liid: [");
    EXPECT_EQ(text_of(reload().in_force), "w0.yaml=L-0(u-0)? w1.yaml=L-1(u-1)? w2.yaml=L-2(u-2)?");
    EXPECT_EQ(reload(true).ended.size(), 3U);
}

TEST_F(LoaderTest, OneThatHasEndedWithoutItsDestinationGoesThoughTheDirectoryCannotBeRead) {
    write("a.yaml", "L-1", "u-1", "lea-one");
    write("b.yaml", "L-2", "u-2", "lea-two");
    static_cast<void>(reload());
    now_ = window_end;
    fs::remove_all(directory_);
    destinations_.names = {"lea-one"};
    const Reload result = reload();
    EXPECT_EQ(result.withheld, Withheld::nothing) << "both have ended";
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-1)~");
    EXPECT_EQ(text_of(result.ended), "b.yaml=L-2(u-2)");
}

TEST_F(LoaderTest, AnEndedWarrantTakesLateEventsBesideTheOneThatFollowsIt) {
    const auto renew = [this](const std::string& from, const std::string& until, const std::string& user) {
        put("new.yaml", "liid: L-1\ndestination: lea-one\nvalid_from: " + from + "\nvalid_until: " + until +
                            "\ntargets: [{user_id: " + user + "}]\ndeliver: [metadata]\n");
    };
    write("old.yaml", "L-1", "u-1");
    static_cast<void>(reload());
    remove("old.yaml");
    now_ = {window_end.seconds + 60, 0};
    renew("2027-01-01T00:00:00Z", "2027-01-02T00:00:00Z", "u-2");
    Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "new.yaml=L-1(u-2)");
    EXPECT_EQ(text_of(result.changed), "new.yaml=L-1(u-2)");
    ASSERT_EQ(result.in_force.at(0).earlier.size(), 1U);
    EXPECT_EQ(result.in_force[0].earlier[0]->targets.at(0).value, "u-1");
    // It stays through reloads, a file that turns bad, and a restart; and is followed on in turn.
    EXPECT_EQ(reload().in_force.at(0).earlier.size(), 1U);
    put("new.yaml", "liid: [");
    result = reload();
    EXPECT_EQ(text_of(result.in_force), "new.yaml=L-1(u-2)!");
    EXPECT_EQ(result.in_force[0].earlier.size(), 1U);
    restart(result);
    EXPECT_EQ(reload().in_force.at(0).earlier.size(), 1U);
    now_.seconds += 86'400;
    renew("2027-01-03T00:00:00Z", "2027-02-01T00:00:00Z", "u-3");
    result = reload();
    ASSERT_EQ(result.in_force.at(0).earlier.size(), 2U);
    EXPECT_EQ(result.in_force[0].earlier[0]->targets.at(0).value, "u-2");
    // Until nothing that happened in its window counts any more.
    now_.seconds = window_end.seconds + 7 * 86'400;
    result = reload();
    ASSERT_EQ(result.in_force.at(0).earlier.size(), 1U);
    EXPECT_EQ(result.in_force[0].earlier[0]->targets.at(0).value, "u-2");
    // One that covers the window itself is all that counts for it.
    renew("2027-01-01T12:00:00Z", "2027-02-01T00:00:00Z", "u-4");
    EXPECT_TRUE(reload().in_force.at(0).earlier.empty());
    // And one that had not ended was changed, and takes nothing more.
    renew("2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z", "u-5");
    EXPECT_TRUE(reload().in_force.at(0).earlier.empty());
}

TEST_F(LoaderTest, ARevokedWarrantEndsWithoutALookAtTheFiles) {
    write("a.yaml", "L-1", "u-1");
    write("b.yaml", "L-2", "u-2");
    static_cast<void>(reload());
    put("b.yaml", "liid: [");
    EXPECT_FALSE(loader_->revoke("lea-one", "L-3"));
    EXPECT_FALSE(loader_->revoke("lea-two", "L-1"));
    auto revoked = loader_->revoke("lea-one", "L-1");
    ASSERT_TRUE(revoked);
    EXPECT_EQ(text_of(revoked->in_force), "b.yaml=L-2(u-2)");
    EXPECT_EQ(text_of(revoked->ended), "a.yaml=L-1(u-1)-");
    // Not stored: it is as it was.
    EXPECT_EQ(text_of(look().in_force), "a.yaml=L-1(u-1) b.yaml=L-2(u-2)!");
    revoked = loader_->revoke("lea-one", "L-1");
    ASSERT_TRUE(revoked);
    static_cast<void>(loader_->accept(*revoked));
    EXPECT_FALSE(loader_->revoke("lea-one", "L-1")) << "it is not in force any more";
    EXPECT_EQ(text_of(look().in_force), "b.yaml=L-2(u-2)!");
}

TEST_F(LoaderTest, ARevocationOutranksTheFileUntilThatBeginsAtAnotherTimeOrGoes) {
    const auto put_terms = [this](const std::string& from, const std::string& user) {
        put("a.yaml", "liid: L-1\ndestination: lea-one\nvalid_from: " + from +
                          "\nvalid_until: 2027-01-01T00:00:00Z\ntargets: [{user_id: " + user +
                          "}]\ndeliver: [metadata]\n");
    };
    const auto revoke = [this] {
        auto revoked = loader_->revoke("lea-one", "L-1");
        ASSERT_TRUE(revoked);
        static_cast<void>(loader_->accept(*revoked));
    };
    write("a.yaml", "L-1", "u-1");
    write("b.yaml", "L-2", "u-2");
    static_cast<void>(reload());
    revoke();
    Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "b.yaml=L-2(u-2)");
    EXPECT_EQ(text_of(result.revoked), "a.yaml=L-1(u-1)");
    EXPECT_TRUE(result.ended.empty()) << "it has ended already";
    restart(result);
    // Other terms, another file, a bad one, and a directory that is not there: it is the same warrant.
    put_terms("2026-01-01T00:00:00Z", "u-3");
    EXPECT_EQ(text_of(reload().in_force), "b.yaml=L-2(u-2)");
    put("a.yaml", "liid: [");
    EXPECT_EQ(reload().revocations.size(), 1U);
    fs::rename(directory_, directory_.string() + ".away");
    result = reload();
    EXPECT_EQ(result.revocations.size(), 1U);
    restart(result);
    fs::rename(directory_.string() + ".away", directory_);
    put_terms("2026-01-01T00:00:00Z", "u-1");
    EXPECT_EQ(text_of(reload().in_force), "b.yaml=L-2(u-2)");
    fs::rename(directory_ / "a.yaml", directory_ / "c.yaml");
    result = reload();
    EXPECT_EQ(text_of(result.in_force), "b.yaml=L-2(u-2)");
    EXPECT_TRUE(result.lifted.empty());
    fs::rename(directory_ / "c.yaml", directory_ / "a.yaml");
    // One that begins at another time is another warrant.
    put_terms("2026-02-01T00:00:00Z", "u-4");
    result = reload();
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-4) b.yaml=L-2(u-2)");
    EXPECT_EQ(text_of(result.added), "a.yaml=L-1(u-4)");
    EXPECT_EQ(result.lifted.size(), 1U);
    EXPECT_TRUE(result.revocations.empty());
    // And so is one whose file went and came.
    revoke();
    EXPECT_EQ(text_of(reload().in_force), "b.yaml=L-2(u-2)");
    remove("a.yaml");
    EXPECT_EQ(reload().lifted.size(), 1U);
    put_terms("2026-02-01T00:00:00Z", "u-5");
    EXPECT_EQ(text_of(reload().in_force), "a.yaml=L-1(u-5) b.yaml=L-2(u-2)");
}

TEST_F(LoaderTest, ATestInterceptTargetsWhatIsListedAndNobodyElse) {
    const auto put_test = [this](const std::string& user) {
        put("a.yaml",
            "liid: L-1\ndestination: lea-one\nvalid_from: 2026-01-01T00:00:00Z\n"
            "valid_until: 2027-01-01T00:00:00Z\ntargets: [{user_id: " +
                user + "}]\ndeliver: [metadata]\ntest: true\n");
    };
    Target ours;
    ours.type = model::IdentifierType::user_id;
    ours.value = "u-test";
    destinations_.test_targets.push_back(ours);
    put_test("anybody");
    Reload result = reload();
    EXPECT_TRUE(result.in_force.empty());
    EXPECT_EQ(result.bad_files, 1U);
    ASSERT_EQ(result.problems.size(), 1U);
    EXPECT_NE(result.problems[0].message.find("csp.test_targets"), std::string::npos);
    put_test("u-test");
    EXPECT_EQ(text_of(reload().in_force), "a.yaml=L-1(u-test)");
    // It is listed no more: what is in force stays, as the last good version of what is a bad file now.
    destinations_.test_targets.clear();
    result = reload();
    EXPECT_EQ(result.bad_files, 1U);
    EXPECT_EQ(text_of(result.in_force), "a.yaml=L-1(u-test)!");
}

TEST_F(LoaderTest, ARevocationHoldsWhileNobodyKnowsWhetherItsFileIsGone) {
    const auto revoke = [this](const std::string& liid) {
        auto revoked = loader_->revoke("lea-one", liid);
        ASSERT_TRUE(revoked);
        static_cast<void>(loader_->accept(*revoked));
    };
    write_many(6);
    static_cast<void>(reload());
    revoke("L-0");
    // Renamed, and then half written: it is not known whose it is.
    fs::rename(directory_ / "w0.yaml", directory_ / "other.yaml");
    static_cast<void>(reload());
    put("other.yaml", "liid: [");
    EXPECT_EQ(reload().revocations.size(), 1U);
    write("other.yaml", "L-0", "u-0");
    EXPECT_EQ(reload().in_force.size(), 5U);
    // Most files are gone at once, and this one with them.
    for (const char* const file : {"other.yaml", "w1.yaml", "w2.yaml", "w3.yaml", "w4.yaml"}) {
        remove(file);
    }
    Reload result = reload();
    EXPECT_EQ(result.withheld, Withheld::too_many);
    EXPECT_EQ(result.revocations.size(), 1U);
    // One whose file is gone already may come back as well.
    revoke("L-1");
    write("w0.yaml", "L-0", "u-0");
    write_many(6);
    result = reload();
    EXPECT_EQ(result.unconfirmed, 0U);
    EXPECT_EQ(result.in_force.size(), 4U) << "neither L-0 nor L-1";
    remove("w0.yaml");
    remove("w1.yaml");
    result = reload();
    EXPECT_EQ(result.lifted.size(), 1U) << "its file was seen to go";
    EXPECT_EQ(reload(true).lifted.size(), 1U);
}

TEST_F(LoaderTest, ARevocationIsOfWhatTheFileOrdersNow) {
    const auto put_terms = [this](const std::string& from) {
        put("a.yaml", "liid: L-1\ndestination: lea-one\nvalid_from: " + from +
                          "\nvalid_until: 2027-01-01T00:00:00Z\ntargets: [{user_id: u-1}]\ndeliver: [metadata]\n");
    };
    put_terms("2026-02-01T00:00:00Z");
    static_cast<void>(reload());
    approved_.emplace();
    put_terms("2026-01-01T00:00:00Z");
    ASSERT_EQ(reload().pending.size(), 1U);
    auto revoked = loader_->revoke("lea-one", "L-1");
    ASSERT_TRUE(revoked);
    static_cast<void>(loader_->accept(*revoked));
    Reload result = reload();
    EXPECT_TRUE(result.in_force.empty());
    EXPECT_TRUE(result.pending.empty()) << "it is revoked, and not new";
    EXPECT_EQ(result.revocations.size(), 1U);
}

TEST_F(LoaderTest, WhatIsNewOrGrowsWaitsForApprovalAndWhatShrinksCountsAtOnce) {
    const auto put_terms = [this](const std::string& users, const std::string& deliver) {
        put("a.yaml",
            "liid: L-1\ndestination: lea-one\nvalid_from: 2026-01-01T00:00:00Z\n"
            "valid_until: 2027-01-01T00:00:00Z\ntargets: [" +
                users + "]\ndeliver: [" + deliver + "]\n");
    };
    const auto approve = [this](const Reload& result) {
        ASSERT_EQ(result.pending.size(), 1U);
        approved_->insert(digest_of(*result.pending[0].warrant));
    };
    write("b.yaml", "L-2", "u-2");
    static_cast<void>(reload());
    approved_.emplace();
    put_terms("{user_id: u-1}", "metadata, content");
    Reload result = reload();
    EXPECT_EQ(text_of(result.in_force), "b.yaml=L-2(u-2)") << "what was in force counts as approved";
    ASSERT_EQ(result.pending.size(), 1U);
    EXPECT_EQ(result.pending[0].before, nullptr);
    approve(result);
    result = reload();
    EXPECT_EQ(text_of(result.added), "a.yaml=L-1(u-1)");
    EXPECT_TRUE(result.pending.empty());
    restart(result);
    approved_->clear();  // once in force it needs no approval any more
    EXPECT_EQ(text_of(reload().in_force), "a.yaml=L-1(u-1) b.yaml=L-2(u-2)");
    // One target more, and content no more.
    put_terms("{user_id: u-3}, {user_id: u-1}", "metadata");
    result = reload();
    EXPECT_EQ(text_of(result.changed), "a.yaml=L-1(u-1)");
    EXPECT_FALSE(result.changed.at(0).now.warrant->deliver.content);
    EXPECT_EQ(result.changed.at(0).now.warrant->targets.size(), 1U);
    ASSERT_EQ(result.pending.size(), 1U);
    EXPECT_EQ(result.pending[0].left, result.changed[0].now.warrant);
    result = reload();
    EXPECT_TRUE(result.changed.empty()) << "it is so already";
    restart(result);
    approve(reload());
    result = reload();
    EXPECT_EQ(text_of(result.changed), "a.yaml=L-1(u-3)");
    EXPECT_TRUE(result.pending.empty());
    // Nothing of what was approved is ordered any more.
    put_terms("{user_id: u-4}", "metadata");
    result = reload();
    EXPECT_EQ(text_of(result.in_force), "b.yaml=L-2(u-2)");
    EXPECT_EQ(text_of(result.ended), "a.yaml=L-1(u-3)-");
    EXPECT_EQ(result.unconfirmed, 0U) << "its file is there";
    EXPECT_EQ(result.pending.size(), 1U);
    EXPECT_TRUE(reload().ended.empty());
}

TEST_F(LoaderTest, TheSameStartIsAsForgivingAsAReload) {
    write_many(5);
    const Reload last = reload();
    fs::remove_all(directory_);
    restart(last);
    EXPECT_EQ(reload().unconfirmed, 5U);
    fs::create_directory(directory_);
    restart(last);
    EXPECT_EQ(reload().withheld, Withheld::directory_empty);
    EXPECT_EQ(reload(true).ended.size(), 5U);
    restart({});
    const Reload without = reload();
    EXPECT_TRUE(without.in_force.empty());
    EXPECT_EQ(without.withheld, Withheld::nothing) << "a start after that is one without warrants";
}

TEST_F(LoaderTest, ManyFilesAreRead) {
    constexpr int count = 3000;
    write_many(count);
    const Reload result = reload();
    EXPECT_EQ(result.in_force.size(), static_cast<std::size_t>(count));
    EXPECT_TRUE(result.problems.empty());
}

class CachedLoaderTest : public LoaderTest {
  protected:
    static constexpr int count = 1500;

    CachedLoaderTest() {
        write_many(count);
        // Until nothing more can be written unnoticed, and so everything is cached.
        start({});
        while (reload().read_files != 0) {
            ::usleep(10'000);
        }
        start({});
        last_ = reload();
    }
    ~CachedLoaderTest() override { fs::remove(cache()); }

    [[nodiscard]] std::string cache() const { return directory_.string() + ".cache"; }
    void start(const Reload& last) {
        restart(last);
        loader_->keep_cache_in(cache());
    }

    Reload last_;
};

TEST_F(CachedLoaderTest, AStartReadsOnlyWhatChanged) {
    EXPECT_EQ(last_.parsed_files, static_cast<std::size_t>(count)) << "nothing was known of the first start";
    write("w7.yaml", "L-7", "changed");
    write("w8.yaml", "L-8", "u-8");  // another file of the same text
    start(last_);
    const Reload result = reload();
    EXPECT_EQ(result.read_files, 2U);
    EXPECT_EQ(result.parsed_files, 1U);
    EXPECT_EQ(text_of(result.changed), "w7.yaml=L-7(changed)");
    EXPECT_TRUE(result.added.empty() && result.ended.empty());
    EXPECT_EQ(result.in_force.size(), static_cast<std::size_t>(count));
}

TEST_F(CachedLoaderTest, ItCountsOnlyTogetherWithWhatIsStored) {
    start({});
    EXPECT_EQ(reload().parsed_files, static_cast<std::size_t>(count));
    Reload other = last_;
    other.in_force.resize(10);
    start(other);
    EXPECT_EQ(reload().parsed_files, static_cast<std::size_t>(count) - 10);
}

TEST_F(CachedLoaderTest, ABrokenOneChangesNothingButTheTime) {
    std::string bytes;
    {
        std::ifstream file(cache(), std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(file), {});
    }
    ASSERT_GT(bytes.size(), 1000U);
    EXPECT_EQ(bytes.find("u-1"), std::string::npos) << "no identifiers";
    for (const std::size_t place : {std::size_t{3}, std::size_t{200}, bytes.size() - 1}) {
        std::string broken = bytes;
        broken[place] = static_cast<char>(broken[place] ^ 1);
        std::ofstream(cache(), std::ios::binary) << broken;
        start(last_);
        EXPECT_EQ(reload().parsed_files, static_cast<std::size_t>(count)) << place;
    }
    std::ofstream(cache(), std::ios::binary) << bytes.substr(0, bytes.size() / 2);
    start(last_);
    EXPECT_EQ(reload().in_force.size(), static_cast<std::size_t>(count));
    std::ofstream(cache(), std::ios::binary) << bytes;
    start(last_);
    EXPECT_EQ(reload().read_files, 0U) << "the whole one is good still";
}

TEST_F(CachedLoaderTest, AFileThatIsBadIsParsedAtEachStart) {
    put("w7.yaml", "nonsense");
    start(last_);
    Reload result = reload();
    EXPECT_EQ(result.bad_files, 1U);
    EXPECT_EQ(result.in_force.size(), static_cast<std::size_t>(count)) << "its last good version is in force";
    start(result);
    result = reload();
    EXPECT_EQ(result.bad_files, 1U);
    EXPECT_FALSE(result.problems.empty());
}

TEST_F(CachedLoaderTest, WhereItCannotBeWrittenAllGoesOn) {
    fs::remove(cache());
    fs::create_directory(cache());
    start({});
    EXPECT_EQ(reload().in_force.size(), static_cast<std::size_t>(count));
}

// --- sets ---

std::string text_of_warrant(const std::string& liid, const std::string& user) {
    return "liid: " + liid +
           "\ndestination: lea-one\nvalid_from: 2026-01-01T00:00:00Z\nvalid_until: 2027-01-01T00:00:00Z\ntargets: "
           "[{user_id: " +
           user + "}]\ndeliver: [metadata]\n";
}

class SetLoaderTest : public testing::Test {
  protected:
    SetLoaderTest() { loader_.take_files(nullptr); }

    /// A warrant for each of these users, in a file of its name.
    static std::shared_ptr<FileSet> set_of(const std::vector<std::string>& users) {
        auto set = std::make_shared<FileSet>();
        for (const std::string& user : users) {
            set->files.push_back({user + ".yaml", text_of_warrant("L-" + user, user)});
        }
        return set;
    }
    Reload load(bool complete = true) {
        Reload result = loader_.reload(destinations_, {.now = now_, .complete = complete});
        Reload taken = result;
        loader_.accept(taken);
        return result;
    }
    Reload preview(const std::shared_ptr<FileSet>& set) const {
        return loader_.preview(set, "given", destinations_, {.now = now_, .complete = true});
    }
    static std::vector<std::string> names(const std::vector<InForce>& list) {
        std::vector<std::string> all;
        for (const InForce& entry : list) {
            all.push_back(entry.warrant->liid);
        }
        return all;
    }

    const model::Instant now_{1'780'000'000, 0};
    Destinations destinations_{{"lea-one"}, {}};
    Loader loader_{"set"};
};

using Names = std::vector<std::string>;

TEST_F(SetLoaderTest, WithoutASetNothingEndsAsWithoutADirectory) {
    loader_.take_files(set_of({"a"}));
    EXPECT_EQ(names(load().in_force), Names{"L-a"});
    loader_.take_files(nullptr);
    const Reload reload = load(false);
    EXPECT_EQ(names(reload.in_force), Names{"L-a"});
    EXPECT_EQ(reload.withheld, Withheld::directory_unreadable);
    ASSERT_EQ(reload.problems.size(), 1U);
    EXPECT_NE(reload.problems[0].message.find("none was applied yet"), std::string::npos);
}

TEST_F(SetLoaderTest, WhatIsNotInACompleteSetHasEndedHoweverMuchItIs) {
    loader_.take_files(set_of({"a", "b", "c", "d"}));
    EXPECT_EQ(load().added.size(), 4U);
    loader_.take_files(set_of({"d"}));
    const Reload reload = load();
    EXPECT_EQ(names(reload.in_force), Names{"L-d"});
    EXPECT_EQ(reload.ended.size(), 3U);
    EXPECT_EQ(reload.withheld, Withheld::nothing);
    EXPECT_EQ(reload.in_doubt, Withheld::too_many) << "which whoever applies it has to confirm";
    loader_.take_files(set_of({}));
    EXPECT_TRUE(load().in_force.empty());
}

TEST_F(SetLoaderTest, ReadsAgainWhatHasAnotherText) {
    loader_.take_files(set_of({"a", "b"}));
    EXPECT_EQ(load().parsed_files, 2U);
    auto next = set_of({"a", "b"});
    next->files[1].text = text_of_warrant("L-b", "another");
    loader_.take_files(next);
    const Reload reload = load();
    EXPECT_EQ(reload.parsed_files, 1U);
    EXPECT_EQ(reload.changed.size(), 1U);
    EXPECT_EQ(load().parsed_files, 0U);
}

TEST_F(SetLoaderTest, APreviewSaysWhatWouldChangeAndChangesNothing) {
    loader_.take_files(set_of({"a", "b"}));
    load();
    auto next = set_of({"b", "c"});
    next->files[0].text = text_of_warrant("L-b", "another");
    next->files.push_back({"d.yaml", "liid: [\n"});
    const Reload found = preview(next);
    EXPECT_EQ(names(found.added), Names{"L-c"});
    EXPECT_EQ(found.changed.size(), 1U);
    ASSERT_EQ(found.ended.size(), 1U);
    EXPECT_EQ(found.ended[0].last.warrant->liid, "L-a");
    EXPECT_EQ(found.bad_files, 1U);
    ASSERT_FALSE(found.problems.empty());
    EXPECT_EQ(found.problems[0].file, "given/d.yaml");
    const Reload after = load();
    EXPECT_EQ(names(after.in_force), (Names{"L-a", "L-b"}));
    EXPECT_EQ(after.read_files, 0U);
}

TEST_F(SetLoaderTest, ARevocationGoesWithItsFileAndWithNothingElse) {
    const auto both = set_of({"a", "b"});
    loader_.take_files(both);
    load();
    auto revoked = loader_.revoke("lea-one", "L-a");
    ASSERT_TRUE(revoked);
    const std::vector<Revocation> revocations = revoked->revocations;
    loader_.accept(*revoked);
    EXPECT_EQ(names(load().in_force), Names{"L-b"});
    // As another daemon finds it in the store.
    loader_.take_revocations(revocations);
    auto broken = set_of({"a", "b"});
    broken->files[0].text = "liid: [\n";
    loader_.take_files(broken);
    EXPECT_TRUE(load().lifted.empty()) << "whose file that is nobody knows";
    loader_.take_files(both);
    EXPECT_EQ(names(load().in_force), Names{"L-b"});
    loader_.take_files(set_of({"b"}));
    EXPECT_EQ(load().lifted.size(), 1U);
    loader_.take_files(both);
    EXPECT_EQ(names(load().in_force), (Names{"L-a", "L-b"}));
}

}  // namespace
}  // namespace lihandover::warrants
