#include "lihandover/config/yaml.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "../support/temporary_directory.hpp"

namespace lihandover::config {
namespace {

std::string first_problem(std::string_view text) {
    Problems problems;
    static_cast<void>(parse_yaml(text, "f", problems));
    return problems.empty() ? "" : check_text(problems[0]);
}

TEST(Yaml, KnowsThePlaceOfEverything) {
    Problems problems;
    const auto root = parse_yaml("a: 1\nb:\n  - x\n  - {c: \"y\"}\n", "f", problems);
    ASSERT_TRUE(root.has_value());
    EXPECT_TRUE(problems.empty());
    ASSERT_EQ(root->keys.size(), 2U);
    EXPECT_EQ(root->keys[1].place.line, 2U);
    EXPECT_EQ(root->keys[1].place.column, 1U);
    const YamlNode* const list = root->find("b");
    ASSERT_NE(list, nullptr);
    ASSERT_EQ(list->items.size(), 2U);
    EXPECT_EQ(list->items[0].place.line, 3U);
    EXPECT_EQ(list->items[0].place.column, 5U);
    EXPECT_TRUE(list->items[0].plain);
    const YamlNode* const c = list->items[1].find("c");
    ASSERT_NE(c, nullptr);
    EXPECT_EQ(c->place.column, 9U);
    EXPECT_FALSE(c->plain);
    EXPECT_EQ(root->find("z"), nullptr);
}

TEST(Yaml, AnEmptyTextIsANullNode) {
    for (const std::string_view text : {"", "\n\n", "# nothing\n", "---\n"}) {
        Problems problems;
        const auto root = parse_yaml(text, "f", problems);
        ASSERT_TRUE(root.has_value()) << text;
        EXPECT_EQ(root->kind, YamlNode::Kind::null);
        EXPECT_EQ(root->place.line > 0, true);
        EXPECT_TRUE(problems.empty());
    }
}

TEST(Yaml, KeepsRepeatedKeys) {
    Problems problems;
    const auto root = parse_yaml("a: 1\na: 2\n", "f", problems);
    ASSERT_TRUE(root.has_value());
    EXPECT_EQ(root->keys.size(), 2U);
}

TEST(Yaml, AByteOrderMarkIsNoText) {
    Problems problems;
    const auto root = parse_yaml(
        "\xEF\xBB\xBF"
        "a: 1\n",
        "f", problems);
    ASSERT_TRUE(root.has_value());
    EXPECT_EQ(root->keys.at(0).text, "a");
}

TEST(Yaml, WhatIsRefusedIsNamedWithItsPlace) {
    EXPECT_EQ(first_problem("a: [1\n"), "f:2:1: not YAML: end of sequence flow not found");
    EXPECT_EQ(first_problem("a: &x 1\n"), "f:1:4: anchors (&name) are not taken; write the value where it is needed");
    EXPECT_EQ(first_problem("a: !!binary aGk=\n"), "f:1:4: tags (!type) are not taken; write the plain value");
    EXPECT_EQ(first_problem("a: 1\n---\nb: 2\n"), "f:3:1: a second document (---); a file holds one");
    EXPECT_EQ(first_problem("? [a]\n: 1\n"), "f:1:3: a key is a single word, not a list or mapping");
    EXPECT_EQ(first_problem("a: \xFF\n"), "f:1:4: not UTF-8; files are UTF-8 text");
    EXPECT_EQ(first_problem("a: 1\nb: \xED\xA0\x80\n"), "f:2:4: not UTF-8; files are UTF-8 text");
    EXPECT_EQ(first_problem("a: \x01\n"),
              "f:1:4: a control character; write it as an escape in double quotes, such as \"\\x01\"");
    EXPECT_EQ(first_problem("[[[[[[[[[[[[[[1]]]]]]]]]]]]]]\n"),
              "f:1:13: nested too deeply; at most 12 levels are taken");
}

TEST(Yaml, ABracketThatIsNotClosedIsNamed) {
    Problems problems;
    EXPECT_FALSE(parse_yaml("a: 1\nb: [x,\nc: 2\nd: 3\n", "f", problems).has_value());
    ASSERT_EQ(problems.size(), 2U);
    EXPECT_EQ(log_text(problems[1]), "f:2:4: not YAML: what begins here has no end");
}

TEST(Yaml, AliasesAreRefusedAndTheRestIsStillRead) {
    Problems problems;
    const auto root = parse_yaml("a: &x [1]\nb: *x\n<<: *x\nc: 3\n? {d: 1}\n: 2\ne: 5\n", "f", problems);
    ASSERT_TRUE(root.has_value());
    EXPECT_EQ(problems.size(), 4U);
    EXPECT_EQ(root->find("b")->kind, YamlNode::Kind::refused);
    EXPECT_EQ(root->find("c")->text, "3");
    EXPECT_EQ(root->find("e")->text, "5");
    EXPECT_EQ(root->keys.size(), root->items.size());
}

TEST(Yaml, ABombOfAliasesCostsNothing) {
    std::string text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n";
    for (int n = 1; n < 40; ++n) {
        const std::string before = "*a" + std::to_string(n - 1);
        text += "a" + std::to_string(n) + ": &a" + std::to_string(n) + " [" + before + "," + before + "]\n";
    }
    Problems problems;
    const auto root = parse_yaml(text, "f", problems);
    ASSERT_TRUE(root.has_value());
    EXPECT_EQ(problems.size(), 40U + 39U * 2);
}

TEST(Yaml, DeepNestingEndsBeforeTheStackDoes) {
    EXPECT_NE(first_problem(std::string(100'000, '[')), "");
    EXPECT_NE(first_problem(std::string(100'000, '{')), "");
    std::string text;
    for (int n = 0; n < 1000; ++n) {
        text += std::string(static_cast<std::size_t>(n), ' ') + "a:\n";
    }
    EXPECT_NE(first_problem(text), "");
}

TEST(Yaml, BrokenTextsNeverThrow) {
    const std::string good = "a: [1, {b: \"x\\n\"}]\nc: |\n  text\nd: 'y'\n? e\n: f\n";
    for (std::size_t n = 0; n < good.size(); ++n) {
        for (const char c : {'\0', '[', '}', '"', '&', '*', ':', '\n', '!', '%', '\xC3', '\t', '-', '|'}) {
            std::string text = good;
            text[n] = c;
            Problems problems;
            if (!parse_yaml(text, "f", problems)) {
                EXPECT_FALSE(problems.empty());
            }
            text.resize(n);
            problems.clear();
            static_cast<void>(parse_yaml(text, "f", problems));
        }
    }
}

TEST(Problem, ValuesAreForTheTerminalOnly) {
    const Problem problem{"f", 2, 3, "too long", std::string("a\x1B[31m\xC2\x9B\xC3\xA9") + std::string(200, 'x')};
    EXPECT_EQ(log_text(problem), "f:2:3: too long");
    const std::string shown = check_text(problem);
    EXPECT_EQ(shown.find('\x1B'), std::string::npos);
    EXPECT_NE(shown.find("a\\x1b[31m\\x9b\xC3\xA9xxx"), std::string::npos);
    EXPECT_LT(shown.size(), 150U);
}

TEST(Problem, AreSortedByPlace) {
    Problems problems = {{"b", 1, 1, "1", {}}, {"a", 2, 1, "2", {}}, {"a", 1, 5, "3", {}}, {"a", 1, 5, "4", {}}};
    sort_by_place(problems);
    std::string order;
    for (const Problem& problem : problems) {
        order += problem.message;
    }
    EXPECT_EQ(order, "3421");
}

class TextFile : public testing::Test {
  protected:
    [[nodiscard]] std::string path(const std::string& name) const { return directory_ + "/" + name; }

    lihandover::test::TemporaryDirectory held_;
    std::string directory_ = held_.path().string();
};

TEST_F(TextFile, IsReadUpToItsLimit) {
    std::ofstream(path("f")) << std::string(1000, 'x');
    ASSERT_TRUE(read_text_file(path("f"), 1000).has_value());
    EXPECT_EQ(read_text_file(path("f"), 1000)->bytes.size(), 1000U);
    EXPECT_TRUE(read_text_file(path("f"), 999).has_error());
    EXPECT_EQ(read_text_file(path("f"), 1000)->stamp, *stamp_of(path("f")));
}

TEST_F(TextFile, HasToBeAFile) {
    EXPECT_TRUE(read_text_file(path("missing"), 10).has_error());
    EXPECT_TRUE(read_text_file(directory_, 10).has_error());
    ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
    EXPECT_TRUE(read_text_file(path("pipe"), 10).has_error());  // and does not wait for a writer
    EXPECT_TRUE(stamp_of(path("pipe")).has_error());
    EXPECT_TRUE(read_text_file("/dev/zero", 10).has_error());
}

}  // namespace
}  // namespace lihandover::config
