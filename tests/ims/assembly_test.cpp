#include "lihandover/ims/assembly.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "octet_map.hpp"
#include "spools.hpp"

namespace lihandover::ims {
namespace {

using testing::SizeIs;

constexpr std::size_t plenty = std::size_t{1} << 20;

MsrpFrame chunk(std::uint64_t start, std::string_view body, ChunkFlag flag = ChunkFlag::more,
                std::optional<std::uint64_t> total = std::nullopt) {
    MsrpFrame frame;
    frame.request = true;
    frame.method = "SEND";
    frame.range = ByteRange{start, std::nullopt, total};
    frame.body = body;
    frame.has_body = true;
    frame.flag = flag;
    return frame;
}

std::vector<Range> ranges_of(const Assembly& assembly) {
    return assembly.ranges();
}
std::vector<Range> ranges_of(const OctetMap& model) {
    std::vector<Range> out;
    for (const auto& [at, octet] : model.octets()) {
        if (!model.octets().contains(at - 1)) {
            out.push_back({at, at});
        }
        out.back().last = at;
    }
    return out;
}

/// All that is said of what is there; two that are the same say the same.
template <typename Message>
std::string account_of(const Message& message) {
    std::string out;
    for (const Range& range : ranges_of(message)) {
        out += std::to_string(range.first) + "-" + std::to_string(range.last) + " ";
    }
    for (const bool each :
         {message.complete(), message.abandoned(), message.ended(), message.conflicting(), message.lost()}) {
        out += each ? "y" : "n";
    }
    return out + (message.total() ? " " + std::to_string(*message.total()) : "");
}

std::string taken(Assembly& assembly) {
    auto bytes = assembly.take_bytes();
    return bytes ? text_of(*bytes) : "failed: " + bytes.error().message;
}

TEST(Assemblies, PutChunksInOrder) {
    struct Case {
        std::string_view what;
        std::vector<MsrpFrame> chunks;
        std::string_view account;
        std::string_view bytes;
    };
    using enum ChunkFlag;
    constexpr std::uint64_t far = std::uint64_t{1} << 48;
    const std::vector<Case> cases = {
        {"nothing", {}, "nnnnn", ""},
        {"one chunk", {chunk(1, "abc", last, 3)}, "1-3 ynynn 3", "abc"},
        {"a chunk without an end", {chunk(1, "abc")}, "1-3 nnnnn", "abc"},
        {"in order", {chunk(1, "ab"), chunk(3, "cd"), chunk(5, "e", last)}, "1-5 ynynn 5", "abcde"},
        {"in no order", {chunk(5, "e", last), chunk(1, "ab"), chunk(3, "cd")}, "1-5 ynynn 5", "abcde"},
        {"a hole", {chunk(1, "ab"), chunk(5, "e", last)}, "1-2 5-5 nnynn 5", "abe"},
        {"no beginning", {chunk(3, "cd", last)}, "3-4 nnynn 4", "cd"},
        {"a total, announced", {chunk(1, "ab", more, 9)}, "1-2 nnnnn 9", "ab"},
        {"the last total counts", {chunk(1, "ab", more, 9), chunk(3, "c", more, 8)}, "1-3 nnnnn 8", "abc"},
        {"a total that is too large", {chunk(1, "abc", last, 16)}, "1-3 ynynn 3", "abc"},
        {"a total that is too small", {chunk(1, "abc", last, 2)}, "1-3 ynynn 3", "abc"},
        {"a chunk beyond the total", {chunk(1, "ab", more, 2), chunk(3, "c", last, 2)}, "1-3 ynynn 3", "abc"},
        {"a chunk beyond the end", {chunk(1, "ab", last), chunk(3, "c")}, "1-3 ynynn 3", "abc"},
        {"one far beyond", {chunk(1, "ab", last), chunk(9, "c")}, "1-2 9-9 nnynn 9", "abc"},
        {"a second end", {chunk(1, "abc", last), chunk(1, "ab", last)}, "1-3 ynynn 3", "abc"},
        {"a second end, later", {chunk(1, "ab", last), chunk(3, "c", last)}, "1-3 ynynn 3", "abc"},
        {"a repeat", {chunk(1, "ab"), chunk(1, "ab"), chunk(3, "c", last)}, "1-3 ynynn 3", "abc"},
        {"an overlap", {chunk(1, "abc"), chunk(2, "bcd", last)}, "1-4 ynynn 4", "abcd"},
        {"the later counts", {chunk(1, "abc"), chunk(2, "XYZ", last)}, "1-4 ynyyn 4", "aXYZ"},
        {"within another", {chunk(1, "abcde", last), chunk(3, "X")}, "1-5 ynyyn 5", "abXde"},
        {"over several", {chunk(1, "ab"), chunk(5, "e"), chunk(2, "bcdef", last)}, "1-6 ynynn 6", "abcdef"},
        {"over several, different", {chunk(1, "ab"), chunk(5, "e"), chunk(2, "WXYZ")}, "1-5 nnnyn", "aWXYZ"},
        {"over the end of one", {chunk(3, "cd"), chunk(1, "abX")}, "1-4 nnnyn", "abXd"},
        {"an empty one that ends", {chunk(1, "ab"), chunk(3, "", last)}, "1-2 ynynn 2", "ab"},
        {"an empty one that ends a hole", {chunk(1, "ab"), chunk(5, "", last)}, "1-2 nnynn 4", "ab"},
        {"an empty one first", {chunk(5, "", last), chunk(1, "abcd")}, "1-4 ynynn 4", "abcd"},
        {"an empty message", {chunk(1, "", last, 0)}, "ynynn 0", ""},
        {"empty ones that end nothing", {chunk(7, ""), chunk(1, "")}, "nnnnn", ""},
        {"given up", {chunk(1, "ab"), chunk(3, "cd", abandoned)}, "1-4 nyynn", "abcd"},
        {"given up with nothing more", {chunk(1, "ab"), chunk(3, "", abandoned)}, "1-2 nyynn", "ab"},
        {"from 0", {chunk(0, "ab", last)}, "1-2 ynynn 2", "ab"},
        {"as far as it goes", {chunk(far, "a")}, "281474976710656-281474976710656 nnnnn", "a"},
        {"over that", {chunk(far, "ab")}, "nnnny", ""},
        {"beyond that", {chunk(1, "ab"), chunk(far + 1, "c", last)}, "1-2 nnyny", "ab"},
        {"near the largest number", {chunk(~std::uint64_t{0}, "a"), chunk(1, "ab", last)}, "1-2 nnyny 2", "ab"},
    };
    for (const Case& each : cases) {
        for (const std::size_t in_memory : {plenty, std::size_t{3}, std::size_t{0}}) {
            SCOPED_TRACE(std::string(each.what) + ", in memory " + std::to_string(in_memory));
            FakeSpools spools;
            {
                Assembly assembly(spools, in_memory);
                for (const MsrpFrame& frame : each.chunks) {
                    ASSERT_TRUE(assembly.take(frame));
                }
                EXPECT_EQ(account_of(assembly), each.account);
                EXPECT_EQ(taken(assembly), each.bytes);
                EXPECT_EQ(account_of(assembly), "nnnnn");
                EXPECT_EQ(assembly.held(), 0U);
            }
            EXPECT_EQ(spools.open, 0U);
            EXPECT_TRUE(in_memory != plenty || spools.made == 0);
        }
    }
}

TEST(Assemblies, AChunkWithoutARangeBeginsAMessage) {
    FakeSpools spools;
    Assembly assembly(spools, plenty);
    MsrpFrame frame = chunk(1, "abc", ChunkFlag::last);
    frame.range.reset();
    ASSERT_TRUE(assembly.take(frame));
    EXPECT_EQ(account_of(assembly), "1-3 ynynn 3");
}

TEST(Assemblies, MayBeUsedAgain) {
    FakeSpools spools;
    Assembly assembly(spools, 2);
    for (const std::string_view body : {"first message", "x", "", "another"}) {
        ASSERT_TRUE(assembly.take(chunk(1, body, ChunkFlag::last)));
        EXPECT_TRUE(assembly.complete());
        Assembly moved = std::move(assembly);
        EXPECT_EQ(taken(moved), body);
        assembly = std::move(moved);
    }
}

TEST(Assemblies, WhatIsInOrderIsNotCopied) {
    FakeSpools spools;
    Assembly assembly(spools, 100);
    const std::string part(60, 'x');
    ASSERT_TRUE(assembly.take(chunk(1, part)));
    EXPECT_EQ(spools.made, 0U);
    EXPECT_EQ(assembly.held(), 60U);
    ASSERT_TRUE(assembly.take(chunk(61, part)));
    EXPECT_EQ(spools.made, 1U);
    ASSERT_TRUE(assembly.take(chunk(121, part)));
    ASSERT_TRUE(assembly.take(chunk(61, part)));  // came already
    ASSERT_TRUE(assembly.take(chunk(100, part)));
    EXPECT_EQ(assembly.held(), 180U);
    EXPECT_EQ(spools.appended, 180U);
    const auto bytes = assembly.take_bytes();
    ASSERT_TRUE(bytes);
    EXPECT_FALSE(bytes->in_memory());
    EXPECT_EQ(text_of(*bytes), std::string(180, 'x'));
    EXPECT_EQ(spools.made, 1U);
}

TEST(Assemblies, WhatIsInDisorderIsCopiedPieceByPiece) {
    FakeSpools spools;
    Assembly assembly(spools, 100);
    std::string whole;
    for (int i = 0; i < 1'000'000; ++i) {
        whole += static_cast<char>('a' + i % 7);
    }
    const std::vector<std::size_t> cuts = {0, 5, 300'000, 300'001, 900'000, whole.size()};
    for (std::size_t i = std::size(cuts) - 1; i > 0; --i) {
        const std::string_view part = std::string_view(whole).substr(cuts[i - 1], cuts[i] - cuts[i - 1]);
        ASSERT_TRUE(assembly.take(chunk(cuts[i - 1] + 1, part, i == 5 ? ChunkFlag::last : ChunkFlag::more)));
    }
    EXPECT_TRUE(assembly.complete());
    EXPECT_LT(assembly.held_in_memory(), 1000U);
    spools.largest_append = 0;
    spools.appended = 0;
    EXPECT_TRUE(taken(assembly) == whole);
    EXPECT_EQ(spools.made, 2U);
    EXPECT_EQ(spools.largest_append, std::size_t{256} << 10);
    EXPECT_EQ(spools.appended, whole.size());
}

TEST(Assemblies, OnlySoManyRunsAreKeptApart) {
    for (const std::size_t in_memory : {plenty, std::size_t{0}}) {
        FakeSpools spools;
        Assembly assembly(spools, in_memory);
        for (std::uint64_t i = 0; i < Assembly::max_ranges; ++i) {
            ASSERT_TRUE(assembly.take(chunk(1 + 3 * i, "a")));
        }
        EXPECT_FALSE(assembly.lost());
        EXPECT_THAT(assembly.ranges(), SizeIs(Assembly::max_ranges));
        // What makes no other hole is still taken, after it and before it.
        ASSERT_TRUE(assembly.take(chunk(2, "b")));
        ASSERT_TRUE(assembly.take(chunk(6, "c")));
        EXPECT_FALSE(assembly.lost());
        // One hole is closed by that, so there is room for one more.
        ASSERT_TRUE(assembly.take(chunk(3, "c")));
        ASSERT_TRUE(assembly.take(chunk(std::uint64_t{1} << 40, "x")));
        EXPECT_FALSE(assembly.lost());
        ASSERT_TRUE(assembly.take(chunk(std::uint64_t{1} << 41, "x", ChunkFlag::last)));
        EXPECT_TRUE(assembly.lost());
        EXPECT_FALSE(assembly.complete());
        EXPECT_TRUE(assembly.ended());
        EXPECT_THAT(assembly.ranges(), SizeIs(Assembly::max_ranges));
        EXPECT_EQ(assembly.held(), Assembly::max_ranges + 4);
        const std::string bytes = taken(assembly);
        EXPECT_EQ(bytes.substr(0, 6), "abcaca");
        EXPECT_EQ(bytes.size(), Assembly::max_ranges + 4);
    }
}

TEST(Assemblies, ManyPiecesOfOneRunAreNoLoss) {
    for (const std::size_t in_memory : {plenty, std::size_t{100}}) {
        FakeSpools spools;
        Assembly assembly(spools, in_memory);
        constexpr std::uint64_t count = 30'000;
        std::string whole;
        for (std::uint64_t i = 0; i < count; ++i) {
            whole += static_cast<char>('a' + i % 23);
        }
        for (std::uint64_t i = count; i > 0; --i) {
            ASSERT_TRUE(assembly.take(
                chunk(i, std::string_view(whole).substr(i - 1, 1), i == count ? ChunkFlag::last : ChunkFlag::more)));
            ASSERT_LT(assembly.held_in_memory(), in_memory + 600'000);
        }
        EXPECT_EQ(account_of(assembly), "1-30000 ynynn 30000");
        EXPECT_TRUE(taken(assembly) == whole);
    }
}

TEST(Assemblies, FewBytesDoNotHaveALongMessageWrittenAnew) {
    FakeSpools spools;
    Assembly assembly(spools, 100);
    std::string whole;
    whole.resize(10'000'000, 'x');
    ASSERT_TRUE(assembly.take(chunk(100'001, whole)));
    spools.appended = 0;
    for (std::uint64_t i = 0; i < 30'000; ++i) {
        ASSERT_TRUE(assembly.take(chunk(100'001 + 2 * i, "y")));
    }
    EXPECT_LT(spools.appended, 11'000'000U);
    EXPECT_TRUE(assembly.lost());
    EXPECT_TRUE(assembly.conflicting());
    EXPECT_LT(assembly.held_in_memory(), 600'000U);
    EXPECT_EQ(taken(assembly).size(), whole.size());
}

TEST(Assemblies, WhoRepeatsFillsNoDisk) {
    FakeSpools spools;
    Assembly assembly(spools, 100);
    const std::string one(100'000, 'a');
    const std::string other(100'000, 'b');
    for (int i = 0; i < 50; ++i) {
        ASSERT_TRUE(assembly.take(chunk(1, one)));
    }
    EXPECT_EQ(assembly.held(), one.size());
    EXPECT_FALSE(assembly.conflicting());
    for (int i = 0; i < 50; ++i) {
        ASSERT_TRUE(assembly.take(chunk(1, i % 2 == 0 ? other : one)));
        EXPECT_LE(assembly.held(), 3 * one.size());
    }
    EXPECT_TRUE(assembly.conflicting());
    EXPECT_EQ(spools.open, 1U);
    EXPECT_TRUE(taken(assembly) == one);
}

TEST(Assemblies, MemoryIsCounted) {
    FakeSpools spools;
    constexpr std::size_t in_memory = 10'000;
    Assembly assembly(spools, in_memory);
    const std::uint64_t empty = assembly.held_in_memory();
    EXPECT_GT(empty, 0U);
    const std::string part(100, 'x');
    for (std::uint64_t i = 0; i < in_memory / part.size(); ++i) {
        ASSERT_TRUE(assembly.take(chunk(1 + i * part.size(), part)));
        EXPECT_GE(assembly.held_in_memory(), empty + assembly.held());
        EXPECT_LE(assembly.held_in_memory(), empty + in_memory + 100);
    }
    EXPECT_EQ(spools.made, 0U);
    ASSERT_TRUE(assembly.take(chunk(in_memory + 1, "x")));
    EXPECT_EQ(spools.made, 1U);
    EXPECT_LT(assembly.held_in_memory(), empty + 200);
    EXPECT_EQ(assembly.held(), in_memory + 1);
}

/// Takes a chunk that fails, and then again when it works.
void expect_failure(FakeSpools& spools, Assembly& assembly, const MsrpFrame& frame) {
    const std::string before = account_of(assembly);
    EXPECT_FALSE(assembly.take(frame));
    EXPECT_EQ(account_of(assembly), before);
    spools.mend();
    EXPECT_TRUE(assembly.take(frame));
}

TEST(Assemblies, WhatFailsChangesNothing) {
    for (const bool half_written : {false, true}) {
        FakeSpools spools;
        spools.half_written = half_written;
        Assembly assembly(spools, 5);
        ASSERT_TRUE(assembly.take(chunk(1, "ab")));

        spools.makings_left = 0;
        expect_failure(spools, assembly, chunk(5, "efgh", ChunkFlag::last, 8));
        EXPECT_EQ(account_of(assembly), "1-2 5-8 nnynn 8");

        Assembly other(spools, 3);
        ASSERT_TRUE(other.take(chunk(1, "ab")));
        spools.appends_left = 0;
        expect_failure(spools, other, chunk(3, "cd"));
        ASSERT_TRUE(other.take(chunk(5, "e")));
        EXPECT_EQ(taken(other), "abcde");
        ASSERT_TRUE(other.take(chunk(1, "ab")));
        spools.appends_left = 1;
        expect_failure(spools, other, chunk(3, "cd"));
        EXPECT_EQ(taken(other), "abcd");

        spools.appends_left = 0;
        expect_failure(spools, assembly, chunk(3, "cd"));
        EXPECT_TRUE(assembly.complete());
        spools.reads_left = 0;
        expect_failure(spools, assembly, chunk(2, "bX"));
        EXPECT_TRUE(assembly.conflicting());
        const std::string account = account_of(assembly);

        // Taking the bytes needs another spool, reads and appends.
        for (std::size_t* left : {&spools.makings_left, &spools.reads_left, &spools.appends_left}) {
            *left = 0;
            EXPECT_FALSE(assembly.take_bytes());
            EXPECT_EQ(account_of(assembly), account);
            spools.mend();
        }
        EXPECT_EQ(taken(assembly), "abXdefgh");
        EXPECT_EQ(spools.open, 0U);
    }
}

TEST(Assemblies, WritingAnewMayFail) {
    FakeSpools spools;
    Assembly assembly(spools, 10);
    const std::string one(100, 'a');
    const std::string other(100, 'b');
    ASSERT_TRUE(assembly.take(chunk(1, one)));
    ASSERT_TRUE(assembly.take(chunk(1, other)));
    ASSERT_TRUE(assembly.take(chunk(1, one)));
    EXPECT_EQ(assembly.held(), 300U);
    spools.makings_left = 0;
    const std::string before = account_of(assembly);
    EXPECT_FALSE(assembly.take(chunk(101, other, ChunkFlag::last)));
    EXPECT_EQ(account_of(assembly), before);
    EXPECT_EQ(assembly.held(), 300U);
    spools.mend();
    EXPECT_TRUE(assembly.take(chunk(101, other, ChunkFlag::last)));
    EXPECT_EQ(assembly.held(), 200U);
    EXPECT_TRUE(taken(assembly) == one + other);
}

/// Chunks of a message: cut out of it, or of nothing in it, mostly in order or not at all.
std::vector<std::pair<MsrpFrame, std::string>> some_chunks(std::mt19937& random) {
    const auto below = [&random](std::uint64_t bound) { return random() % bound; };
    const std::uint64_t longest = 1 + below(80);
    const bool conflicts = below(3) == 0;
    std::vector<std::pair<MsrpFrame, std::string>> out(1 + below(40));
    std::uint64_t next = 1;
    for (auto& [frame, body] : out) {
        const std::uint64_t start = below(3) == 0 ? 1 + below(longest) : next;
        const std::uint64_t size = below(4) == 0 ? below(longest) : below(6);
        for (std::uint64_t i = 0; i < size; ++i) {
            body += static_cast<char>('a' + (conflicts && below(20) == 0 ? below(26) : (start + i) % 26));
        }
        const std::uint64_t flag = below(12);
        frame = chunk(start, {},
                      flag == 0   ? ChunkFlag::last
                      : flag == 1 ? ChunkFlag::abandoned
                                  : ChunkFlag::more,
                      below(5) == 0 ? std::optional(below(100)) : std::nullopt);
        next = start + size;
    }
    return out;
}

TEST(Assemblies, AreWhatAMapOfOctetsIs) {
    std::mt19937 random(4711);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same run each time
    for (int round = 0; round < 4'000; ++round) {
        SCOPED_TRACE(round);
        FakeSpools spools;
        spools.half_written = random() % 2 == 0;
        Assembly assembly(spools, random() % 3 == 0 ? plenty : random() % 60);
        OctetMap model;
        for (auto& [frame, body] : some_chunks(random)) {
            frame.body = body;
            if (random() % 8 == 0) {
                (random() % 2 == 0 ? spools.appends_left : spools.reads_left) = random() % 2;
            }
            if (!assembly.take(frame)) {
                ASSERT_EQ(account_of(assembly), account_of(model));
                spools.mend();
                ASSERT_TRUE(assembly.take(frame));
            }
            spools.mend();
            model.take(frame);
            ASSERT_EQ(account_of(assembly), account_of(model));
        }
        ASSERT_EQ(taken(assembly), model.bytes());
    }
}

}  // namespace
}  // namespace lihandover::ims
