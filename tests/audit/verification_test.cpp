#include "lihandover/audit/verification.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "support.hpp"

namespace lihandover::audit::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view private_pem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
    "-----END PRIVATE KEY-----\n";
constexpr std::string_view other_pem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhD\n"
    "-----END PRIVATE KEY-----\n";

class VerificationTest : public testing::Test {
  protected:
    VerificationTest() {
        chain_.add_some(3);
        chain_.checkpoint();
        chain_.add_some(3);
        lines_ = chain_.lines();
    }
    /// As the file is, but for the last line, which fits what is there.
    Verdict closed_anew() {
        chain_.close(lines_, true);
        return verify({joined(lines_)});
    }

    TestChain chain_;
    std::vector<std::string> lines_;  ///< header, 3 entries, a checkpoint, 3 entries, closing
};

TEST_F(VerificationTest, AnExportHolds) {
    const Verdict verdict = verify({joined(lines_)});
    EXPECT_TRUE(verdict.holds) << verdict.findings;
    EXPECT_THAT(verdict.notes, HasSubstr("6 entries"));
}

TEST_F(VerificationTest, EachFlippedByteIsFound) {
    const std::string good = joined(lines_);
    for (std::size_t at = 0; at < good.size(); ++at) {
        for (const int bit : {0, 5}) {
            std::string bad = good;
            bad[at] = static_cast<char>(bad[at] ^ 1 << bit);
            EXPECT_FALSE(verify({bad}).holds) << "byte " << at << ", bit " << bit << ": " << bad.substr(at, 40);
        }
    }
}

TEST_F(VerificationTest, EachByteThatIsCutOffIsFound) {
    const std::string good = joined(lines_);
    for (std::size_t size = 0; size < good.size(); ++size) {
        EXPECT_FALSE(verify({good.substr(0, size)}).holds) << size;
    }
}

TEST_F(VerificationTest, AChangedEntryIsPlaced) {
    chain_.entries()[4].entry.why = "it was not so";
    lines_[6].clear();
    write_line(chain_.entries()[4], false, lines_[6]);
    const Verdict verdict = closed_anew();
    EXPECT_THAT(verdict.findings, HasSubstr("file0:7: entry 5 is not what its hash stands for"));
    EXPECT_THAT(verdict.findings, Not(HasSubstr("entry 4"))) << "and no other";
    EXPECT_THAT(verdict.findings, Not(HasSubstr("entry 6")));
}

TEST_F(VerificationTest, ARemovedEntryIsPlaced) {
    lines_.erase(lines_.begin() + 2);
    EXPECT_THAT(closed_anew().findings, HasSubstr("entry 2 is missing"));
}

TEST_F(VerificationTest, ARemovedLastEntryIsPlaced) {
    lines_.erase(lines_.begin() + 7);
    EXPECT_THAT(closed_anew().findings, HasSubstr("entry 6 is missing"));
}

TEST_F(VerificationTest, ADoubledEntryIsPlaced) {
    lines_.insert(lines_.begin() + 3, lines_[2]);
    EXPECT_THAT(closed_anew().findings, HasSubstr("file0:4: entry 2 is there a second time"));
}

TEST_F(VerificationTest, ReorderedEntriesArePlaced) {
    std::swap(lines_[1], lines_[2]);
    const Verdict verdict = closed_anew();
    EXPECT_THAT(verdict.findings, HasSubstr("file0:3: entry 1 is out of its place: it stands behind entry 2"));
    EXPECT_THAT(verdict.findings, Not(HasSubstr("missing")));
}

TEST_F(VerificationTest, ACutTailIsFoundWithoutItsLastLine) {
    lines_.resize(5);
    EXPECT_THAT(verify({joined(lines_)}).findings, HasSubstr("cut off behind entry 3: the export went up to entry 6"));
}

TEST_F(VerificationTest, AHeadThatSomebodyWroteDownHasToBeThere) {
    Verification::Options options;
    options.heads = {{4, chain_.entries()[3].hash}};
    EXPECT_TRUE(verify({joined(lines_)}, options).holds);
    options.heads = {{4, chain_.entries()[2].hash}};
    EXPECT_THAT(verify({joined(lines_)}, options).findings, HasSubstr("another entry 4 by --head"));
    options.heads = {{7, chain_.entries()[2].hash}};
    EXPECT_THAT(verify({joined(lines_)}, options).findings, HasSubstr("--head knows entry 7"));
}

TEST_F(VerificationTest, AnOlderHeadThanAnEarlierExportHadIsFound) {
    TestChain longer;
    longer.add_some(3);
    longer.checkpoint();
    longer.add_some(4);
    const std::string before = joined(longer.lines("", 1'800'000'100));
    EXPECT_TRUE(verify({before}).holds);
    EXPECT_THAT(verify({joined(lines_), before}).findings, HasSubstr("ends before entry 7"));
}

TEST_F(VerificationTest, AForkIsTold) {
    TestChain fork;
    fork.add_some(3);
    fork.checkpoint();
    fork.add("LIID-2");
    fork.add_some(4);
    const Verdict verdict = verify({joined(lines_), joined(fork.lines("", 1'800'000'300))});
    EXPECT_THAT(verdict.findings, HasSubstr("the chain forked"));
    EXPECT_THAT(verdict.notes, HasSubstr("agree on entry 3, and no more on entry 6"));
}

TEST_F(VerificationTest, SeveralChainsAreCheckedEachByItself) {
    TestChain other(8);
    other.add_some(2);
    EXPECT_TRUE(verify({joined(lines_), joined(other.lines())}).holds);
}

TEST_F(VerificationTest, AnotherChainIsWitness) {
    const std::string words = words_of_head(chain_.name(), chain_.head());
    TestChain witness(8);
    witness.add("", Kind::head_recorded, words);
    EXPECT_TRUE(verify({joined(lines_), joined(witness.lines())}).holds);
    // The tail is cut off, and all that is left fits together.
    TestChain cut;
    cut.add_some(3);
    cut.checkpoint();
    cut.add_some(2);
    EXPECT_TRUE(verify({joined(cut.lines())}).holds) << "nobody can know";
    EXPECT_THAT(verify({joined(cut.lines()), joined(witness.lines())}).findings, HasSubstr("knows entry 6"));
    // All of it was made anew.
    TestChain anew;
    anew.add_some(5);
    anew.add("LIID-2");
    EXPECT_THAT(verify({joined(anew.lines()), joined(witness.lines())}).findings, HasSubstr("forked"));
}

TEST_F(VerificationTest, EntriesOfOneWarrantAreProvedByTheHashesBesideThem) {
    TestChain chain;
    chain.add("LIID-1");
    chain.add("LIID-2");
    chain.add("LIID-1");
    std::vector<std::string> lines = chain.lines("LIID-1");
    ASSERT_EQ(lines.size(), 4U);
    const Verdict alone = verify({joined(lines)});
    EXPECT_TRUE(alone.holds) << alone.findings;
    EXPECT_THAT(alone.notes, HasSubstr("cannot prove"));
    EXPECT_TRUE(verify({joined(lines), joined(chain.lines())}).holds);
    const std::string good = joined(lines);
    for (std::size_t at = 0; at < good.size(); ++at) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 1);
        EXPECT_FALSE(verify({bad}).holds) << at;
    }
    // One that was made up, hashes and all, is none of the whole chain's.
    TestChain made_up;
    made_up.add("LIID-1", Kind::item_rejected);
    made_up.add_some(2);
    EXPECT_THAT(verify({joined(made_up.lines("LIID-1")), joined(chain.lines())}).findings, HasSubstr("forked"));
}

TEST_F(VerificationTest, SignaturesAreChecked) {
    const auto key = SigningKey::from_pem(private_pem).value();
    const auto other = SigningKey::from_pem(other_pem).value();
    TestChain chain;
    chain.add_some(2);
    chain.checkpoint(key.get());
    chain.add_some(1);
    Verification::Options options;
    options.key = VerifyingKey::from_pem(key->public_pem()).value();
    const Verdict good = verify({joined(chain.lines())}, options);
    EXPECT_TRUE(good.holds) << good.findings;
    EXPECT_THAT(good.notes, HasSubstr("signed up to entry 2"));
    options.key = VerifyingKey::from_pem(other->public_pem()).value();
    EXPECT_THAT(verify({joined(chain.lines())}, options).findings, HasSubstr("was not made with this key"));
    EXPECT_THAT(verify({joined(lines_)}, options).findings, HasSubstr("no checkpoint in the files is signed"));
}

TEST_F(VerificationTest, NonsenseIsBounded) {
    std::string nonsense;
    for (int i = 0; i < 5000; ++i) {
        nonsense += "x\n";
    }
    Verification verification({});
    verification.begin("file");
    each_line(nonsense, [&](std::string_view line, bool whole) { verification.line(line, whole); });
    verification.end();
    EXPECT_EQ(verification.findings().size(), Verification::most_findings);
    EXPECT_EQ(verification.unsaid(), 5000 - Verification::most_findings);
    EXPECT_FALSE(verify({""}).holds);
    EXPECT_FALSE(verify({std::string(longest_line + 5, 'x')}).holds);
}

}  // namespace
}  // namespace lihandover::audit::test
