#include "document_order.hpp"

#include <gtest/gtest.h>

namespace lihandover::ims {
namespace {

using News = DocumentOrder::News;

constexpr TableKey first_dialog{1, 1};
constexpr TableKey second_dialog{2, 2};

class DocumentOrderTest : public testing::Test {
  protected:
    News whole(std::uint32_t cseq, std::uint32_t version, TableKey dialog = first_dialog, std::int64_t at = 0) {
        return take({dialog, cseq, version, InfoState::full, true, time(at)});
    }
    News partial(std::uint32_t cseq, std::uint32_t version, TableKey dialog = first_dialog, std::int64_t at = 0) {
        return take({dialog, cseq, version, InfoState::partial, false, time(at)});
    }
    News take(const DocumentOrder::Arrival& arrival) { return order.take(arrival, gap); }
    static std::optional<model::Instant> time(std::int64_t at) {
        return at == 0 ? std::nullopt : std::optional(model::Instant{at, 0});
    }

    DocumentOrder order;
    bool gap = false;
};

TEST_F(DocumentOrderTest, TheSameAgainIsARepeat) {
    EXPECT_EQ(whole(1, 1), News::news);
    EXPECT_EQ(whole(1, 1), News::repeat);
    EXPECT_EQ(partial(2, 2), News::news);
    EXPECT_EQ(partial(2, 2), News::repeat);
    EXPECT_EQ(whole(1, 1), News::repeat);
    EXPECT_FALSE(gap);
}

TEST_F(DocumentOrderTest, AnOlderVersionUnderANewCseqIsARepeatUnlessItIsWhole) {
    whole(1, 5);
    EXPECT_EQ(partial(2, 5), News::repeat);
    EXPECT_EQ(partial(2, 4), News::repeat);
    EXPECT_EQ(whole(3, 1), News::news) << "the focus begins anew";
    EXPECT_EQ(partial(4, 2), News::news);
    EXPECT_FALSE(gap);
}

TEST_F(DocumentOrderTest, AMissingOneIsAGap) {
    whole(1, 1);
    EXPECT_EQ(partial(3, 3), News::news);
    EXPECT_TRUE(gap);
    EXPECT_EQ(partial(4, 4), News::news);
    EXPECT_FALSE(gap);
    EXPECT_EQ(whole(8, 8), News::news);
    EXPECT_FALSE(gap) << "a whole one misses nothing";
}

TEST_F(DocumentOrderTest, ThePartialOneThatComesFirstIsBehindAGap) {
    EXPECT_EQ(partial(7, 7), News::news);
    EXPECT_TRUE(gap);
}

TEST_F(DocumentOrderTest, WithoutVersionsTheCseqCounts) {
    EXPECT_EQ(take({first_dialog, 1, std::nullopt, InfoState::full, true, {}}), News::news);
    EXPECT_EQ(take({first_dialog, 2, std::nullopt, InfoState::partial, false, {}}), News::news);
    EXPECT_EQ(take({first_dialog, 2, std::nullopt, InfoState::partial, false, {}}), News::repeat);
    EXPECT_FALSE(gap);
}

TEST_F(DocumentOrderTest, WithoutACseqTheVersionCounts) {
    EXPECT_EQ(take({first_dialog, 0, 3, InfoState::full, true, {}}), News::news);
    EXPECT_EQ(take({first_dialog, 0, 4, InfoState::partial, false, {}}), News::news);
    EXPECT_EQ(take({first_dialog, 0, 4, InfoState::partial, false, {}}), News::repeat);
    EXPECT_EQ(take({first_dialog, 0, 3, InfoState::full, true, {}}), News::repeat);
}

TEST_F(DocumentOrderTest, ADialogThatLagsSaysNothingNew) {
    whole(1, 1, first_dialog, 10);
    partial(2, 2, first_dialog, 20);
    partial(3, 3, first_dialog, 30);
    EXPECT_EQ(whole(1, 41, second_dialog, 11), News::late);
    EXPECT_EQ(partial(2, 42, second_dialog, 21), News::late);
    EXPECT_EQ(partial(3, 43, second_dialog, 31), News::news);
    EXPECT_EQ(partial(4, 4, first_dialog, 40), News::news);
    EXPECT_FALSE(gap);
}

TEST_F(DocumentOrderTest, ADialogThatLagsCountsWhereTheOtherHasAGap) {
    whole(1, 1, first_dialog, 10);
    partial(4, 4, first_dialog, 40);
    EXPECT_TRUE(gap);
    EXPECT_EQ(partial(2, 2, second_dialog, 20), News::news);
    EXPECT_EQ(whole(5, 5, first_dialog, 50), News::news);
    EXPECT_EQ(partial(3, 3, second_dialog, 30), News::late);
}

TEST_F(DocumentOrderTest, ClocksMayDifferALittle) {
    whole(1, 1, first_dialog, 10);
    EXPECT_EQ(whole(1, 41, second_dialog, 8), News::news);
    EXPECT_EQ(partial(2, 2, first_dialog, 12), News::news);
    EXPECT_EQ(partial(2, 42, second_dialog, 9), News::late);
}

TEST_F(DocumentOrderTest, AWholeOneWithoutAVersionCountsAnew) {
    whole(1, 9);
    EXPECT_EQ(take({first_dialog, 2, std::nullopt, InfoState::full, true, {}}), News::news);
    EXPECT_EQ(partial(3, 2), News::news);
}

TEST_F(DocumentOrderTest, WithoutTimesEveryDialogCounts) {
    whole(1, 1, first_dialog);
    EXPECT_EQ(whole(1, 1, second_dialog), News::news);
}

TEST_F(DocumentOrderTest, ADialogThatHasEndedIsForgotten) {
    whole(9, 9);
    order.end(first_dialog);
    EXPECT_EQ(whole(1, 1), News::news);
}

TEST_F(DocumentOrderTest, IsBounded) {
    for (std::uint64_t i = 0; i < 20; ++i) {
        EXPECT_EQ(whole(1, 1, {i, i}), News::news);
    }
    EXPECT_EQ(whole(1, 1, {19, 19}), News::repeat);
    EXPECT_EQ(whole(1, 1, {0, 0}), News::news) << "it was forgotten";
}

}  // namespace
}  // namespace lihandover::ims
