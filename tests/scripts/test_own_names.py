#!/usr/bin/env python3
"""Tests of scripts/own_names.py: which names keep files of a folder from being compiled together."""

import os
import sys
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts"))

from own_names import clashes  # noqa: E402


def own(text):
    begun, ended = "namespace lihandover::ims {\n\nnamespace {\n\n", "\n\n}  // namespace\n\n}  // namespace lihandover::ims\n"
    return begun + text + ended


def told(*files):
    """The names that clash among files of src/ims, each `name: text`."""
    return [name for _, _, name, _ in clashes((f"src/ims/{path}", text) for path, text in files)]


class OwnNames(unittest.TestCase):
    def test_the_same_function_twice(self):
        text = own("std::string lower(std::string_view text) {\n    return {};\n}")
        other = own("std::string lower(std::string_view other) {\n    return {};\n}")
        self.assertEqual(told(("a.cpp", text), ("b.cpp", other)), ["lower"])

    def test_functions_of_other_parameters(self):
        one = own("char lower(char letter) {\n    return letter;\n}")
        other = own("std::string lower(std::string_view text,\n                  int more) {\n    return {};\n}")
        self.assertEqual(told(("a.cpp", one), ("b.cpp", other)), [])

    def test_types_constants_and_templates(self):
        text = own("class Reader {\n    int few;\n};\n\nconstexpr std::size_t most = 4;\n\n"
                   "template <typename E>\nstd::int64_t number_of(E value) {\n    return 1;\n}")
        self.assertEqual(told(("a.cpp", text), ("b.cpp", text)), ["Reader", "most", "number_of"])

    def test_a_function_and_a_constant(self):
        constant = own("constexpr int look{100};")
        self.assertEqual(told(("a.cpp", constant), ("b.cpp", own("void look(int n) {\n}"))), ["look"])

    def test_aliases_may_be_repeated_but_not_differ(self):
        asio = own("namespace asio = boost::asio;\nusing Clock = std::chrono::steady_clock;\nusing std::chrono::hours;")
        self.assertEqual(told(("a.cpp", asio), ("b.cpp", asio)), [])
        self.assertEqual(told(("a.cpp", asio), ("b.cpp", own("using Clock = std::chrono::system_clock;"))), ["Clock"])

    def test_a_name_that_a_header_has(self):
        header = "namespace lihandover::ims {\n\n[[nodiscard]] std::string text_of(const Digest& digest);\n\n}\n"
        hides = own("std::string text_of(int number) {\n    return {};\n}")
        self.assertEqual(told(("sip.hpp", header), ("a.cpp", hides)), ["text_of"])

    def test_other_folders_members_and_inner_names(self):
        text = own("void Reader::take(int one) {\n    const int few = 1;\n}")
        self.assertEqual(told(("a.cpp", text), ("b.cpp", text)), [])
        text = own("constexpr int few = 1;")
        self.assertEqual(told(("a.cpp", text), ("more/a.cpp", text), ("a_test.cpp", text)), [])


if __name__ == "__main__":
    unittest.main()
