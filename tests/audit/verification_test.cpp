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
    options.keys = {VerifyingKey::from_pem(key->public_pem()).value()};
    EXPECT_TRUE(verify({joined(chain.lines(chain.part(0, 2)))}, options).holds);
    options.keys = {VerifyingKey::from_pem(other->public_pem()).value()};
    EXPECT_THAT(verify({joined(chain.lines())}, options).findings, HasSubstr("was not made with this key"));
    EXPECT_THAT(verify({joined(lines_)}, options).findings, HasSubstr("no checkpoint in the files is signed"));
}

TEST_F(VerificationTest, KeysThatTookTurnsAreGivenTogether) {
    const auto key = SigningKey::from_pem(private_pem).value();
    const auto other = SigningKey::from_pem(other_pem).value();
    TestChain chain;
    chain.add_some(2);
    chain.checkpoint(key.get());
    chain.add_some(2);
    chain.checkpoint(other.get());
    Verification::Options options;
    options.keys = {VerifyingKey::from_pem(other->public_pem()).value(),
                    VerifyingKey::from_pem(key->public_pem()).value()};
    const Verdict both = verify({joined(chain.lines())}, options);
    EXPECT_TRUE(both.holds) << both.findings << both.doubts;
    EXPECT_THAT(both.notes, HasSubstr("key 1 signed 1 checkpoint, from entry 4"));
    EXPECT_THAT(both.notes, HasSubstr("key 2 signed 1 checkpoint, from entry 2"));
    options.keys.pop_back();
    EXPECT_THAT(verify({joined(chain.lines())}, options).findings, HasSubstr("was not made with this key"));
}

TEST_F(VerificationTest, AnEndThatNobodySignedIsDoubtful) {
    const auto key = SigningKey::from_pem(private_pem).value();
    TestChain chain;
    chain.add_some(2);
    chain.checkpoint(key.get());
    chain.add_some(3);
    const std::string file = joined(chain.lines());
    Verification::Options options;
    options.keys = {VerifyingKey::from_pem(key->public_pem()).value()};
    const Verdict verdict = verify({file}, options);
    EXPECT_EQ(verdict.outcome, Verification::Outcome::doubtful) << verdict.findings;
    EXPECT_THAT(verdict.doubts, HasSubstr("entries 3 to 5, 3 in number"));
    // A head that covers it, or a part of it.
    options.heads = {chain.head()};
    EXPECT_TRUE(verify({file}, options).holds);
    options.heads = {chain.head_at(4)};
    EXPECT_THAT(verify({file}, options).doubts, HasSubstr("entry 5, 1 in number"));
    options.accepted_unsigned = 1;
    EXPECT_TRUE(verify({file}, options).holds);
    options.heads.clear();
    EXPECT_EQ(verify({file}, options).outcome, Verification::Outcome::doubtful) << "more than are accepted";
    options.accepted_unsigned = 3;
    EXPECT_TRUE(verify({file}, options).holds);
}

TEST_F(VerificationTest, AWitnessCoversAnEndOnlyWhereItIsProvedItself) {
    const auto key = SigningKey::from_pem(private_pem).value();
    TestChain chain;
    chain.add_some(2);
    chain.checkpoint(key.get());
    chain.add_some(1);
    const std::string words = words_of_head(chain.name(), chain.head());
    TestChain witness(8);
    witness.add_some(1);
    witness.checkpoint(key.get());
    witness.add("", Kind::head_recorded, words);
    Verification::Options options;
    options.keys = {VerifyingKey::from_pem(key->public_pem()).value()};
    const Verdict loose = verify({joined(chain.lines()), joined(witness.lines())}, options);
    EXPECT_EQ(loose.outcome, Verification::Outcome::doubtful);
    EXPECT_THAT(loose.doubts, HasSubstr("entry 3, 1 in number"));
    EXPECT_THAT(loose.doubts, HasSubstr("entry 2, 1 in number"));
    witness.checkpoint(key.get());
    const Verdict firm = verify({joined(chain.lines()), joined(witness.lines())}, options);
    EXPECT_TRUE(firm.holds) << firm.findings << firm.doubts;
}

TEST_F(VerificationTest, ASignedCheckpointElsewhereCoversOnlyWhatItStandsFor) {
    const auto key = SigningKey::from_pem(private_pem).value();
    TestChain chain;
    chain.add("LIID-1");
    chain.add("LIID-1");
    chain.checkpoint(key.get());
    chain.add("LIID-2");
    chain.add("LIID-1");
    chain.checkpoint(key.get());
    Header of_one = chain.header();
    of_one.destination = "lea";
    of_one.liid = "LIID-1";
    Verification::Options options;
    options.keys = {VerifyingKey::from_pem(key->public_pem()).value()};
    const std::string one = joined(chain.lines(of_one));
    EXPECT_TRUE(verify({joined(chain.lines()), one}, options).holds);
    // The checkpoint of entry 4 is in the other file: it does not stand for an entry 3 that is rewritten.
    TestChain rewritten;
    rewritten.add("LIID-1");
    rewritten.add("LIID-1");
    rewritten.checkpoint(key.get());
    rewritten.add("LIID-3");
    const Verdict verdict = verify({joined(rewritten.lines()), one}, options);
    EXPECT_NE(verdict.outcome, Verification::Outcome::holds);
    EXPECT_THAT(verdict.doubts, HasSubstr("entry 3, 1 in number"));
    // Alone, its entries can be any.
    EXPECT_EQ(verify({one}, options).outcome, Verification::Outcome::doubtful);
}

TEST_F(VerificationTest, AForgedFirstLineDoesNotHideACutEnd) {
    const std::string words = words_of_head(chain_.name(), chain_.head());
    TestChain witness(8);
    witness.add("", Kind::head_recorded, words);
    const std::string witness_file = joined(witness.lines());
    Verification::Options options;
    options.heads = {chain_.head()};
    for (const Head& said : {chain_.head(), Head{6, Hash{1}}, Head{100, Hash{1}}, Head{3, chain_.entries()[2].hash}}) {
        Header forged = chain_.part(0, 3);
        forged.head = said;
        if (said.number == 3) {
            forged.until.reset();
        }
        const std::string cut = joined(chain_.lines(forged));
        EXPECT_TRUE(verify({cut}).holds) << "nobody can know " << said.number << verify({cut}).findings;
        const Verdict given = verify({cut}, options);
        EXPECT_FALSE(given.holds) << said.number;
        EXPECT_THAT(given.findings, HasSubstr("--head knows entry 6, and the files end with entry 3")) << said.number;
        const Verdict witnessed = verify({cut, witness_file});
        EXPECT_FALSE(witnessed.holds) << said.number;
        EXPECT_THAT(witnessed.findings,
                    testing::AnyOf(HasSubstr("knows entry 6, and the files end with entry 3"), HasSubstr("another by")))
            << said.number;
    }
}

TEST_F(VerificationTest, EachGivenHeadIsLookedAt) {
    Verification::Options options;
    // The newest is right, an older one is not.
    options.heads = {chain_.head(), {2, Hash{5}}};
    EXPECT_THAT(verify({joined(lines_)}, options).findings, HasSubstr("another entry 2 by --head"));
    // Of two chains, it has to be in one.
    TestChain other(8);
    other.add_some(3);
    options.heads = {chain_.head(), other.head_at(2), {0, chain_.name()}};
    const Verdict both = verify({joined(lines_), joined(other.lines())}, options);
    EXPECT_TRUE(both.holds) << both.findings;
    options.heads = {{2, Hash{5}}};
    EXPECT_THAT(verify({joined(lines_), joined(other.lines())}, options).findings, HasSubstr("none of the chains"));
    // Nor does an export of one warrant say that it is there.
    options.heads = {chain_.head_at(3)};
    TestChain two;
    two.add("LIID-1");
    two.add("LIID-2");
    two.add("LIID-1");
    options.heads = {two.head_at(2)};
    EXPECT_THAT(verify({joined(two.lines("LIID-1"))}, options).findings, HasSubstr("only an export of all entries"));
    options.heads = {two.head_at(3)};
    EXPECT_TRUE(verify({joined(two.lines("LIID-1"))}, options).holds);
}

TEST_F(VerificationTest, ABoundThatIsReachedIsSaidAndAHeadIsLookedAtAllTheSame) {
    Verification::Options options;
    options.most_places = 3;
    const Verdict bounded = verify({joined(lines_)}, options);
    EXPECT_THAT(bounded.findings, HasSubstr("more numbers of chains are named than can be compared"));
    options.heads = {{4, Hash{1}}};
    EXPECT_THAT(verify({joined(lines_)}, options).findings, HasSubstr("another entry 4 by --head"));
}

TEST_F(VerificationTest, AHeadBeforeTheFirstEntryNeedsACheckpointThatStandsForIt) {
    Verification::Options options;
    options.heads = {chain_.head_at(2)};
    std::vector<std::string> later = chain_.lines(chain_.part(3, 6));
    const Verdict stands = verify({joined(later)}, options);
    EXPECT_TRUE(stands.holds) << stands.findings;
    EXPECT_THAT(stands.notes, HasSubstr("the checkpoint there stands for what was before"));
    later.erase(later.begin() + 1);
    chain_.close(later, true);
    EXPECT_THAT(verify({joined(later)}, options).findings,
                HasSubstr("the checkpoint is missing that stands for entries 1 to 3"));
    EXPECT_FALSE(verify({joined(later)}).holds);
    // Where it begins behind that very entry, the first line has to agree.
    options.heads = {{3, Hash{1}}};
    EXPECT_THAT(verify({joined(chain_.lines(chain_.part(3, 6)))}, options).findings,
                HasSubstr("another entry 3 by --head"));
}

TEST_F(VerificationTest, AnEntryThatAnExportOfItsWarrantLacksIsPlaced) {
    TestChain chain;
    chain.add("LIID-1");
    chain.add("LIID-2");
    chain.add("LIID-1");
    chain.add("LIID-1");
    const std::vector<std::string> good = chain.lines("LIID-1");
    const Verdict full = verify({joined(good), joined(chain.lines())});
    EXPECT_TRUE(full.holds) << full.findings;
    EXPECT_THAT(full.notes, HasSubstr("file0: all of the warrant's entries"));
    for (const std::size_t at : {1, 2, 3}) {
        std::vector<std::string> lines = good;
        lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(at));
        chain.close(lines, true);
        EXPECT_TRUE(verify({joined(lines)}).holds || at == 3) << "alone, it can say no more";
        for (const bool first : {true, false}) {
            const Verdict verdict =
                first ? verify({joined(lines), joined(chain.lines())}) : verify({joined(chain.lines()), joined(lines)});
            EXPECT_THAT(verdict.findings,
                        HasSubstr("entry " + std::to_string(at == 1 ? 1 : at + 1) + " of its warrant is missing"));
        }
    }
}

TEST_F(VerificationTest, AGapBetweenFilesIsFound) {
    chain_.checkpoint();
    chain_.add_some(2);
    const std::string first = joined(chain_.lines(chain_.part(0, 3)));
    const std::string middle = joined(chain_.lines(chain_.part(3, 6)));
    const std::string last = joined(chain_.lines(chain_.part(6, 8)));
    EXPECT_TRUE(verify({last, first, middle}).holds) << verify({last, first, middle}).findings;
    EXPECT_THAT(verify({last, first}).findings, HasSubstr("entries 4 to 6 are in none of the files"));
}

TEST_F(VerificationTest, AFileThatReadsOtherwiseASecondTimeIsFound) {
    const std::string file = joined(lines_);
    for (const std::string& again : {std::string(), file.substr(0, file.size() / 2), file}) {
        Verification::Options options;
        options.heads = {chain_.head_at(0)};
        Verification verification(options);
        verification.begin("file");
        each_line(file, [&](std::string_view line, bool whole) { verification.line(line, whole); });
        verification.end();
        verification.compare();
        ASSERT_TRUE(verification.needs_second_look());
        verification.begin_second();
        each_line(again, [&](std::string_view line, bool /*whole*/) { verification.second_line(line); });
        verification.end_second();
        EXPECT_EQ(joined_lines(verification.findings()).empty(), again == file) << again.size();
    }
}

TEST_F(VerificationTest, TheTimeThatAnExportGivesHidesNoCut) {
    TestChain longer;
    longer.add_some(3);
    longer.checkpoint();
    longer.add_some(4);
    // The same nanosecond, in either order.
    const std::string other = joined(longer.lines());
    EXPECT_THAT(verify({joined(lines_), other}).findings, HasSubstr("ends before entry 7"));
    EXPECT_THAT(verify({other, joined(lines_)}).findings, HasSubstr("ends before entry 7"));
    // One that says that it is older can be so; that nothing proves it is said.
    const Verdict older = verify({joined(lines_), joined(longer.lines("", 1'800'000'300))});
    EXPECT_TRUE(older.holds) << older.findings;
    EXPECT_THAT(older.notes, HasSubstr("say that they are older, which nothing proves"));
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
    EXPECT_EQ(verification.findings().told.size(), Verification::most_told);
    EXPECT_EQ(verification.findings().unsaid, 5000 - Verification::most_told);
    EXPECT_FALSE(verify({""}).holds);
    EXPECT_FALSE(verify({std::string(longest_line + 5, 'x')}).holds);
}

TEST_F(VerificationTest, WhatAFileNamesIsBounded) {
    Header header = chain_.header();
    header.node = std::string(longest_name + 1, 'n');
    EXPECT_THAT(verify({joined(chain_.lines(header))}).findings, HasSubstr("not a line of an export"));
    // Notes.
    TestChain restored;
    for (std::size_t i = 0; i < Verification::most_told + 10; ++i) {
        restored.add("", Kind::store_restored, "so it was");
    }
    Verification verification({});
    verification.begin("file");
    each_line(joined(restored.lines()), [&](std::string_view line, bool whole) { verification.line(line, whole); });
    verification.end();
    EXPECT_EQ(verification.notes().told.size(), Verification::most_told);
    EXPECT_EQ(verification.notes().unsaid, 11U);
}

TEST_F(VerificationTest, ChainsThatAFileNamesAreBounded) {
    std::vector<std::string> words;
    for (std::size_t i = 0; i < Verification::most_chains + 10; ++i) {
        Hash hash{};
        hash[0] = static_cast<std::uint8_t>(i);
        hash[1] = static_cast<std::uint8_t>(i >> 8U);
        hash[2] = 77;
        words.push_back(words_of_head(hash, {1, hash}));
    }
    TestChain witness;
    for (const std::string& word : words) {
        witness.add("", Kind::head_recorded, word);
    }
    const Verdict verdict = verify({joined(witness.lines())});
    EXPECT_THAT(verdict.findings, HasSubstr("more chains are named than can be compared"));
}

TEST_F(VerificationTest, ManyGapsAndWhatFillsThemOutOfPlaceAreBounded) {
    // Each second entry first, then the others, backwards.
    TestChain chain;
    chain.add_some(60'000);
    std::vector<std::string> lines(1);
    write_line(chain.header(), lines.back());
    for (std::size_t i = 1; i < chain.entries().size(); i += 2) {
        write_line(chain.entries()[i], false, lines.emplace_back());
    }
    for (std::size_t i = chain.entries().size(); i > 1; i -= 2) {
        write_line(chain.entries()[i - 2], false, lines.emplace_back());
    }
    chain.close(lines);
    const Verdict verdict = verify({joined(lines)});
    EXPECT_FALSE(verdict.holds);
    EXPECT_THAT(verdict.findings, HasSubstr("before this line, entry 20001 is missing"));
}

}  // namespace
}  // namespace lihandover::audit::test
