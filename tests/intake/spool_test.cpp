#include "x2x3/spool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "../support/temporary_directory.hpp"
#include "lihandover/store/store.hpp"
#include "support.hpp"

namespace lihandover::intake {
namespace {

using testing::TestStore;

std::string some_bytes(std::size_t size, unsigned seed = 1) {
    std::string bytes(size, '\0');
    for (std::size_t at = 0; at < size; ++at) {
        seed = seed * 1'664'525U + 1'013'904'223U;
        bytes[at] = static_cast<char>(seed >> 24U);
    }
    return bytes;
}

std::string read(ims::Spool& spool, std::uint64_t at, std::size_t size) {
    std::string bytes(size, '?');
    const model::Status status = spool.read(at, bytes);
    EXPECT_TRUE(status) << (status ? "" : status.error().message);
    return bytes;
}

TEST(Spool, GrowsIsReadAnywhereAndBecomesAnObject) {
    const lihandover::test::TemporaryDirectory directory;
    auto opened = store::Store::open({directory.path() / "state", 0, std::chrono::hours(1)}, model::system_clock());
    ASSERT_TRUE(opened) << opened.error().message;
    store::Store& store = **opened;
    StoreSpools spools(store.object_intake());
    std::shared_ptr<ims::Spool> spool = spools.make().value();
    EXPECT_EQ(spool->size(), 0U);
    const std::string all = some_bytes(1'000'000);
    for (std::size_t at = 0; at < all.size(); at += 64'000) {
        const std::string_view part = std::string_view(all).substr(at, 64'000);
        ASSERT_TRUE(spool->append(part));
        EXPECT_EQ(spool->size(), at + part.size());
        EXPECT_EQ(read(*spool, at / 2, 1000), all.substr(at / 2, 1000));
    }
    EXPECT_EQ(read(*spool, 0, all.size()), all);
    std::string more(1, '?');
    EXPECT_FALSE(spool->read(all.size(), more));

    const auto sealed = sealed_of(*spool).value();
    EXPECT_EQ(sealed->size(), all.size());
    EXPECT_EQ(sealed_of(*spool).value(), sealed) << "asked again it is the same";
    EXPECT_EQ(spool->size(), all.size());
    EXPECT_FALSE(spool->append("more"));
    EXPECT_FALSE(spool->read(0, more));
    spool.reset();
    std::string bytes(all.size(), '?');
    EXPECT_EQ(store.upload_outbox().open(*sealed).value()->read(0, bytes).value(), all.size());
    EXPECT_TRUE(bytes == all);
}

TEST(Spool, LeavesNothingWhereNobodyTakesIt) {
    TestStore store;
    StoreSpools spools(store.object_intake());
    {
        auto spool = spools.make().value();
        ASSERT_TRUE(spool->append("abc"));
        EXPECT_EQ(store.objects().open_writers(), 1);
    }
    EXPECT_EQ(store.objects().open_writers(), 0);
    {
        auto spool = spools.make().value();
        ASSERT_TRUE(spool->append("abc"));
        EXPECT_TRUE(sealed_of(*spool));
        EXPECT_EQ(store.objects().open_writers(), 0);
        EXPECT_EQ(store.objects().alive(), 1);
    }
    EXPECT_EQ(store.objects().alive(), 0);
}

TEST(Spool, IsNotMadeWhereTheStoreTakesNothing) {
    TestStore store;
    StoreSpools spools(store.object_intake());
    store.accept(false);
    EXPECT_FALSE(spools.make());
    store.accept(true);
    EXPECT_TRUE(spools.make());
}

TEST(Spool, AnAppendThatFindsNoRoomTakesNothingAndMayBeTriedAgain) {
    TestStore store;
    StoreSpools spools(store.object_intake());
    auto spool = spools.make().value();
    ASSERT_TRUE(spool->append("one "));
    store.objects().refuse(true);
    EXPECT_FALSE(spool->append("two "));
    EXPECT_FALSE(spool->append("something else"));
    EXPECT_EQ(spool->size(), 4U);
    EXPECT_EQ(read(*spool, 0, 4), "one ");
    store.objects().refuse(false);
    ASSERT_TRUE(spool->append("three"));
    EXPECT_EQ(testing::bytes_of(sealed_of(*spool).value()), "one three");
    EXPECT_EQ(store.objects().writers(), 1U) << "in the file it had";
}

/// Its writers fail halfway when they are told to, as where a disk fails, and are of no use afterwards.
class TornObjects final : public store::ObjectIntake {
  public:
    explicit TornObjects(store::ObjectIntake& inner) : inner_(inner) {}

    [[nodiscard]] model::Result<std::unique_ptr<store::ObjectWriter>> writer() override {
        auto writer = inner_.writer();
        if (!writer) {
            return writer.error();
        }
        return std::unique_ptr<store::ObjectWriter>(std::make_unique<Writer>(*this, std::move(*writer)));
    }
    [[nodiscard]] model::Result<std::unique_ptr<store::ObjectWriter>> copy_writer(std::uint64_t size) override {
        return inner_.copy_writer(size);
    }
    [[nodiscard]] bool copy_fits(std::uint64_t size) const override { return inner_.copy_fits(size); }
    [[nodiscard]] std::uint64_t largest() const override { return inner_.largest(); }
    [[nodiscard]] std::uint64_t room() const override { return inner_.room(); }
    [[nodiscard]] model::Result<std::vector<std::shared_ptr<const store::SourceFile>>> pending_files() override {
        return inner_.pending_files();
    }
    void prepared(const model::Uuid& file, std::shared_ptr<const store::SealedObject> copy, model::ObjectLoss loss,
                  store::Done done) override {
        inner_.prepared(file, std::move(copy), loss, std::move(done));
    }

    bool tear = false;
    bool tear_at_the_end = false;

  private:
    class Writer final : public store::ObjectWriter {
      public:
        Writer(TornObjects& from, std::unique_ptr<store::ObjectWriter> inner) : from_(from), inner_(std::move(inner)) {}
        [[nodiscard]] model::Status write(std::span<const char> bytes) override {
            if (torn_ || from_.tear) {
                if (!std::exchange(torn_, true)) {
                    static_cast<void>(inner_->write(bytes.first(bytes.size() / 2)));
                }
                return model::Error{"the disk fails"};
            }
            return inner_->write(bytes);
        }
        [[nodiscard]] model::Status reserve(std::uint64_t bytes) override { return inner_->reserve(bytes); }
        [[nodiscard]] std::uint64_t size() const override { return inner_->size(); }
        [[nodiscard]] model::Status read(std::uint64_t at, std::span<char> out) override {
            return inner_->read(at, out);
        }
        [[nodiscard]] model::Result<std::shared_ptr<const store::SealedObject>> finish() override {
            if (torn_ || from_.tear_at_the_end) {
                torn_ = true;
                return model::Error{"the disk fails"};
            }
            return inner_->finish();
        }

      private:
        TornObjects& from_;
        std::unique_ptr<store::ObjectWriter> inner_;
        bool torn_ = false;
    };

    store::ObjectIntake& inner_;
};

TEST(Spool, GoesOnInANewFileAfterAFailure) {
    TestStore store;
    TornObjects objects(store.object_intake());
    StoreSpools spools(objects);
    auto spool = spools.make().value();
    const std::string first = some_bytes(200'000);
    ASSERT_TRUE(spool->append(first));
    objects.tear = true;
    EXPECT_FALSE(spool->append("what fails halfway"));
    EXPECT_EQ(spool->size(), first.size());
    EXPECT_EQ(read(*spool, 0, first.size()), first);
    EXPECT_FALSE(spool->append("again")) << "the new file fails too";
    EXPECT_EQ(read(*spool, 0, first.size()), first);
    objects.tear = false;
    ASSERT_TRUE(spool->append("and the rest"));
    EXPECT_EQ(read(*spool, 0, spool->size()), first + "and the rest");
    objects.tear_at_the_end = true;
    EXPECT_FALSE(sealed_of(*spool));
    EXPECT_EQ(read(*spool, 0, spool->size()), first + "and the rest");
    objects.tear_at_the_end = false;
    EXPECT_EQ(testing::bytes_of(sealed_of(*spool).value()), first + "and the rest");
    EXPECT_EQ(store.objects().open_writers(), 0);
}

TEST(Spool, OfSomebodyElseIsNone) {
    class Other final : public ims::Spool {
        [[nodiscard]] model::Status append(std::string_view) override { return {}; }
        [[nodiscard]] model::Status read(std::uint64_t, std::span<char>) override { return {}; }
        [[nodiscard]] std::uint64_t size() const override { return 0; }
    };
    Other other;
    EXPECT_FALSE(sealed_of(other));
}

}  // namespace
}  // namespace lihandover::intake
