#include "lihandover/intake/pipeline/file_copier.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "intake_server.hpp"
#include "lihandover/store/digest.hpp"
#include "pipeline/named_file.hpp"
#include "support.hpp"

namespace lihandover::intake {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::noon;
using FilePtr = std::shared_ptr<const store::SourceFile>;

model::Sha256 digest_of(std::string_view text) {
    store::Sha256Digest digest;
    digest.update(text);
    return digest.finish();
}

class FileCopierTest : public ::testing::Test {
  protected:
    void write(const std::string& name, std::string_view text) const {
        std::ofstream(directory_.path() / name, std::ios::binary) << text;
    }
    /// The file as an event named it, with a minute left.
    [[nodiscard]] std::shared_ptr<store::SourceFile> named(const std::string& name) const {
        model::ObjectLoss why{};
        const auto identity = NamedFile::open(directory_.path().string(), name, why).value().identity().value();
        auto file = std::make_shared<store::SourceFile>();
        file->id = model::Uuid::random();
        file->path = name;
        file->inode = identity.inode;
        file->size = identity.size;
        file->modified_nanos = identity.modified_nanos;
        file->changed_nanos = identity.changed_nanos;
        file->give_up_at = {noon.seconds + 60, 0};
        return file;
    }
    void copy(const FilePtr& file) { copy(std::vector{file}); }
    void copy(const std::vector<FilePtr>& files, bool wanted = true) {
        std::vector<NamedCopy> copies;
        for (const FilePtr& file : files) {
            copies.push_back({file, nullptr, wanted, grace_});
        }
        copier_.copy(std::move(copies));
    }
    /// Waits until an attempt was made and failed.
    void wait_for_tries(std::size_t count) {
        wait_until([&] { return objects_.writers() >= count; });
    }
    template <typename Condition>
    static void wait_until(const Condition& condition) {
        const auto until = std::chrono::steady_clock::now() + testing::guard;
        while (!condition()) {
            ASSERT_LT(std::chrono::steady_clock::now(), until);
            std::this_thread::yield();
        }
    }
    [[nodiscard]] bool counted_as_lost() const {
        return metrics_.render().find("lihandover_objects_lost_total 1") != std::string::npos;
    }
    /// Of what is copied, and of what will be.
    void past_the_grace() {
        grace_ = 0ms;
        clock_.advance_steady(61s);
    }

    std::chrono::milliseconds grace_ = 60s;
    testing::TemporaryDirectory directory_;
    lihandover::test::ManualClock clock_{testing::noon};
    testing::TestStore store_;
    testing::TestObjects& objects_ = store_.objects();
    metrics::Metrics metrics_;
    FileCopier copier_{directory_.path().string(), store_.object_intake(), metrics_.objects_lost(), clock_, {1ms, 4ms}};
};

TEST_F(FileCopierTest, CopiesTheFile) {
    write("small", "bytes");
    write("empty", "");
    auto small = named("small");
    small->sha256 = digest_of("bytes");
    const auto empty = named("empty");
    copy(small);
    copy(empty);
    const auto prepared = objects_.wait_for_prepared(2);
    for (const auto& each : prepared) {
        ASSERT_TRUE(each.copy);
        EXPECT_EQ(each.loss, model::ObjectLoss::none);
        EXPECT_EQ(testing::bytes_of(each.copy), each.file == small->id ? "bytes" : "");
    }
    EXPECT_NE(prepared[0].file, prepared[1].file);
    EXPECT_FALSE(counted_as_lost());
}

TEST_F(FileCopierTest, CopiesALargeFileInManyTurns) {
    std::string text;
    for (int i = 0; i < 2'000'000; ++i) {
        text += std::to_string(i);
    }
    write("large", text);
    copy(named("large"));
    EXPECT_TRUE(testing::bytes_of(objects_.wait_for_prepared(1).at(0).copy) == text);
}

TEST_F(FileCopierTest, TakesUpWhatWasPending) {
    write("file", "bytes");
    store_.wait_for_copies_of({named("file")});
    ASSERT_TRUE(copier_.start(60s));
    EXPECT_EQ(testing::bytes_of(objects_.wait_for_prepared(1).at(0).copy), "bytes");
}

TEST_F(FileCopierTest, AVanishedFileIsGivenUpAfterItsGrace) {
    write("file", "bytes");
    const auto file = named("file");
    fs::remove(directory_.path() / "file");
    past_the_grace();
    copy(file);
    const auto prepared = objects_.wait_for_prepared(1);
    EXPECT_EQ(prepared[0].copy, nullptr);
    EXPECT_EQ(prepared[0].loss, model::ObjectLoss::vanished);
    EXPECT_EQ(prepared[0].file, file->id);
    copier_.stop();
    EXPECT_TRUE(counted_as_lost());
    EXPECT_EQ(objects_.writers(), 0U);
}

TEST_F(FileCopierTest, AFileThatComesBackWithinItsGraceIsCopied) {
    write("file", "bytes");
    fs::create_directory(directory_.path() / "aside");
    const auto file = named("file");
    // Renaming the directory leaves the file's own times alone.
    fs::create_directory(directory_.path() / "dir");
    fs::rename(directory_.path() / "file", directory_.path() / "dir/file");
    auto inner = named("dir/file");
    fs::rename(directory_.path() / "dir", directory_.path() / "gone");
    copy(inner);
    fs::rename(directory_.path() / "gone", directory_.path() / "dir");
    const auto prepared = objects_.wait_for_prepared(1);
    ASSERT_TRUE(prepared[0].copy);
    EXPECT_EQ(testing::bytes_of(prepared[0].copy), "bytes");
}

TEST_F(FileCopierTest, AChangedFileIsNotTheOneThatWasNamed) {
    write("file", "bytes");
    const auto file = named("file");
    fs::last_write_time(directory_.path() / "file", fs::file_time_type::clock::now() + 1h);
    past_the_grace();
    copy(file);
    EXPECT_EQ(objects_.wait_for_prepared(1)[0].loss, model::ObjectLoss::changed);
    // Another file in its place.
    write("other", "bytes");
    const auto other = named("other");
    write("new", "bytes");
    fs::rename(directory_.path() / "new", directory_.path() / "other");
    copy(other);
    EXPECT_EQ(objects_.wait_for_prepared(2)[1].loss, model::ObjectLoss::changed);
    // A link in its place, which is never followed.
    write("third", "bytes");
    const auto third = named("third");
    fs::rename(directory_.path() / "third", directory_.path() / "real");
    fs::create_symlink("real", directory_.path() / "third");
    copy(third);
    EXPECT_EQ(objects_.wait_for_prepared(3)[2].loss, model::ObjectLoss::unreadable);
}

TEST_F(FileCopierTest, AChangeWhileItIsCopiedIsSeen) {
    write("file", std::string(600'000, 'a'));
    const auto file = named("file");
    std::atomic<bool> once = true;
    objects_.before_write([&](std::size_t /*bytes*/) {
        if (once.exchange(false)) {
            std::ofstream(directory_.path() / "file", std::ios::in | std::ios::binary) << 'b';
            past_the_grace();
        }
    });
    copy(file);
    const auto prepared = objects_.wait_for_prepared(1);
    EXPECT_EQ(prepared[0].copy, nullptr);
    EXPECT_EQ(prepared[0].loss, model::ObjectLoss::changed);
    copier_.stop();
    EXPECT_EQ(objects_.open_writers(), 0);
    EXPECT_EQ(objects_.alive(), 0);
}

TEST_F(FileCopierTest, AFileThatGrowsIsNotReadForEver) {
    write("file", std::string(10, 'a'));
    const auto file = named("file");
    objects_.before_write([&](std::size_t /*bytes*/) {
        std::ofstream(directory_.path() / "file", std::ios::app) << std::string(1000, 'b');
        past_the_grace();
    });
    copy(file);
    EXPECT_EQ(objects_.wait_for_prepared(1)[0].loss, model::ObjectLoss::changed);
}

TEST_F(FileCopierTest, AWrongChecksumIsALoss) {
    write("file", "bytes");
    auto file = named("file");
    file->sha256 = digest_of("others");
    copy(file);
    wait_for_tries(3);
    past_the_grace();
    const auto prepared = objects_.wait_for_prepared(1);
    EXPECT_EQ(prepared[0].copy, nullptr);
    EXPECT_EQ(prepared[0].loss, model::ObjectLoss::checksum);
    copier_.stop();
    EXPECT_EQ(objects_.alive(), 0);
}

TEST_F(FileCopierTest, AClockThatJumpsGivesNoFileUp) {
    write("file", "bytes");
    auto file = named("file");
    file->sha256 = digest_of("others");
    copy(file);
    wait_for_tries(1);
    clock_.advance_wall(100 * 24h);
    clock_.distrust(100 * 24h);
    const std::size_t before = objects_.writers();
    wait_for_tries(before + 4);
    EXPECT_FALSE(counted_as_lost());
    past_the_grace();
    EXPECT_EQ(objects_.wait_for_prepared(1)[0].loss, model::ObjectLoss::checksum);
}

TEST_F(FileCopierTest, AFileFromATimeThatWasAheadIsGivenUpAfterItsGrace) {
    write("file", "bytes");
    auto file = named("file");
    file->sha256 = digest_of("others");
    file->give_up_at = {noon.seconds + 100 * 86'400, 0};
    store_.wait_for_copies_of({file});
    ASSERT_TRUE(copier_.start(60s));
    wait_for_tries(1);
    past_the_grace();
    EXPECT_EQ(objects_.wait_for_prepared(1)[0].loss, model::ObjectLoss::checksum);
}

TEST_F(FileCopierTest, AStoreThatTakesNothingLosesNoFile) {
    write("file", "bytes");
    objects_.fail_to_finish(true);
    past_the_grace();
    copy(named("file"));
    wait_for_tries(3);
    EXPECT_FALSE(counted_as_lost());
    objects_.fail_to_finish(false);
    EXPECT_EQ(testing::bytes_of(objects_.wait_for_prepared(1)[0].copy), "bytes");
}

TEST_F(FileCopierTest, AStoreThatTakesNoEventsTakesCopies) {
    write("file", "bytes");
    objects_.fail_to_open(true);
    copy(named("file"));
    EXPECT_EQ(testing::bytes_of(objects_.wait_for_prepared(1)[0].copy), "bytes");
}

TEST_F(FileCopierTest, AStoreWithoutRoomIsTriedUntilThereIsSome) {
    write("file", "bytes");
    objects_.refuse_copies(true);
    past_the_grace();
    copy(named("file"));
    wait_until([this] { return objects_.copy_tries() >= 3; });
    EXPECT_FALSE(counted_as_lost());
    objects_.refuse_copies(false);
    EXPECT_EQ(testing::bytes_of(objects_.wait_for_prepared(1)[0].copy), "bytes");
}

TEST_F(FileCopierTest, AFileThatCanNeverFitIsGivenUpAfterItsGrace) {
    write("file", "bytes");
    write("small", "byte");
    objects_.hold_at_most(4);
    copy(named("file"));
    copy(named("small"));
    EXPECT_EQ(testing::bytes_of(objects_.wait_for_prepared(1)[0].copy), "byte") << "the other has its grace";
    past_the_grace();
    const auto prepared = objects_.wait_for_prepared(2);
    EXPECT_EQ(prepared[1].copy, nullptr);
    EXPECT_EQ(prepared[1].loss, model::ObjectLoss::unreadable);
    copier_.stop();
    EXPECT_TRUE(counted_as_lost());
    EXPECT_EQ(objects_.copy_tries(), 1U);
}

TEST_F(FileCopierTest, CopiesAtMostTwoAtATime) {
    std::atomic<int> most = 0;
    objects_.before_write([&](std::size_t /*bytes*/) {
        const int now = objects_.open_writers();
        int seen = most;
        while (seen < now && !most.compare_exchange_weak(seen, now)) {
        }
    });
    std::vector<FilePtr> files;
    for (int i = 0; i < 20; ++i) {
        const std::string name = "file-" + std::to_string(i);
        write(name, std::string(300'000, 'x'));
        files.push_back(named(name));
    }
    copy(files);
    EXPECT_EQ(objects_.wait_for_prepared(20).size(), 20U);
    EXPECT_GE(most, 1);
    EXPECT_LE(most, 2);
}

TEST_F(FileCopierTest, ALargeFileKeepsNoSmallOneWaiting) {
    constexpr std::size_t large = std::size_t{16} << 20;
    std::vector<FilePtr> files;
    for (const char* name : {"large", "large too"}) {
        write(name, "");
        fs::resize_file(directory_.path() / name, large);
        files.push_back(named(name));
    }
    write("small", "bytes");
    files.push_back(named("small"));
    std::atomic<bool> goes_on = false;
    objects_.before_write([&](std::size_t bytes) {
        if (bytes > 6) {
            goes_on.wait(false);
        }
    });
    copy(files);
    EXPECT_EQ(objects_.wait_for_prepared(1)[0].file, files[2]->id);
    goes_on = true;
    goes_on.notify_all();
    EXPECT_EQ(objects_.wait_for_prepared(3).size(), 3U);
}

TEST_F(FileCopierTest, StopsInTheMiddleOfACopy) {
    write("file", std::string(8'000'000, 'x'));
    std::mutex mutex;
    std::condition_variable changed;
    bool writing = false;
    objects_.before_write([&](std::size_t /*bytes*/) {
        const std::lock_guard lock(mutex);
        writing = true;
        changed.notify_all();
    });
    copy(named("file"));
    {
        std::unique_lock lock(mutex);
        ASSERT_TRUE(changed.wait_for(lock, testing::guard, [&] { return writing; }));
    }
    copier_.stop();
    EXPECT_EQ(objects_.open_writers(), 0);
    copy(named("file"));
    EXPECT_EQ(objects_.open_writers(), 0) << "nothing begins any more";
}

}  // namespace
}  // namespace lihandover::intake
