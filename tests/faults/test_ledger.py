"""The ledger of warrants stays true where faults on one file overlap."""

import time
import unittest

import episode  # noqa: F401: finds the harness of the system tests
import load
from load import ABSENT, GOOD, SPOILED


class LedgerTest(unittest.TestCase):
    def setUp(self):
        self.warrants = load.Warrants({"warrants": [
            {"destination": "lea-0", "liid": f"LI-{number}", "present": True} for number in range(6)]})
        self.key = "lea-0|LI-0"

    def touch(self, fault, number, key=None, settle=True):
        became = self.warrants.file_becomes(key or self.key, fault, number)
        if settle:
            self.settle()
        return became

    def settle(self):
        """A reload that began after all changes so far."""
        while any(change.begun >= time.monotonic() for changes in self.warrants.changes.values() for change in changes):
            pass
        self.warrants.settled(time.monotonic())

    def now(self, key=None):
        """(surely, possibly) in force from now on."""
        begun = time.monotonic()
        while begun >= time.monotonic():
            pass
        begun = time.monotonic()
        key = key or self.key
        return self.warrants.surely(key, begun, begun), self.warrants.possibly(key, begun, begun)


class WarrantLedger(LedgerTest):
    def test_a_warrant_goes_and_comes_back(self):
        self.assertEqual((True, True), self.now())
        self.assertEqual(ABSENT, self.touch(ABSENT, 1, settle=False))
        self.assertEqual((False, True), self.now())
        self.settle()
        self.assertEqual((False, False), self.now())
        self.assertEqual(GOOD, self.touch(ABSENT, -1))
        self.assertEqual((True, True), self.now())

    def test_another_fault_does_not_put_back_what_is_gone(self):
        self.touch(ABSENT, 1)
        self.assertIsNone(self.touch(SPOILED, 1))
        self.assertEqual((False, False), self.now())
        self.assertIsNone(self.touch(SPOILED, -1))
        self.assertEqual((False, False), self.now())
        self.assertEqual(GOOD, self.touch(ABSENT, -1))
        self.assertEqual((True, True), self.now())

    def test_two_that_take_it_both_have_to_give_it_back(self):
        self.touch(ABSENT, 1)
        self.assertIsNone(self.touch(ABSENT, 1))
        self.assertIsNone(self.touch(ABSENT, -1))
        self.assertEqual((False, False), self.now())
        self.assertEqual(GOOD, self.touch(ABSENT, -1))
        self.assertEqual((True, True), self.now())

    def test_the_last_good_version_stays_in_force(self):
        self.assertEqual(SPOILED, self.touch(SPOILED, 1))
        self.assertEqual((True, True), self.now())
        self.assertEqual(ABSENT, self.touch(ABSENT, 1))
        self.assertEqual((False, False), self.now())
        self.assertEqual(SPOILED, self.touch(ABSENT, -1))
        self.assertEqual((False, True), self.now())  # it comes back bad
        self.assertEqual(GOOD, self.touch(SPOILED, -1))
        self.assertEqual((True, True), self.now())

    def test_spoiled_before_anybody_saw_it_good(self):
        self.touch(ABSENT, 1)
        self.touch(ABSENT, -1, settle=False)
        self.touch(SPOILED, 1)
        self.assertEqual((False, True), self.now())

    def test_many_that_go_at_once_may_not_end(self):
        keys = list(self.warrants.all)
        for key in keys[:3]:
            self.touch(ABSENT, 1, key, settle=False)
        self.settle()
        self.assertEqual((False, False), self.now(keys[0]))  # half of them are no more than half
        for key in keys[:3]:
            self.touch(ABSENT, -1, key, settle=False)
        self.settle()
        for key in keys[:4]:
            self.touch(ABSENT, 1, key, settle=False)
        self.settle()
        for key in keys[:4]:
            self.assertEqual((False, True), self.now(key))

    def test_what_may_not_end_counts_where_more_goes(self):
        keys = list(self.warrants.all)
        for key in keys[:4]:
            self.touch(ABSENT, 1, key, settle=False)
        self.settle()
        self.touch(ABSENT, 1, keys[4])
        self.assertEqual((False, True), self.now(keys[4]))  # the fifth of six, if nobody confirmed the end of four

    def test_what_is_over_does_not_count(self):
        keys = list(self.warrants.all)
        for key in keys[:2]:
            self.warrants.all[key]["until"] = time.time() - 60
        for key in keys[2:5]:
            self.touch(ABSENT, 1, key, settle=False)
        self.settle()
        self.assertEqual((False, True), self.now(keys[2]))  # three of four

    def test_the_last_one_may_not_end(self):
        keys = list(self.warrants.all)
        for key in keys[:3]:
            self.touch(ABSENT, 1, key)
        self.assertEqual((False, False), self.now(keys[0]))
        for key in keys[3:]:
            self.touch(ABSENT, 1, key, settle=False)
        self.settle()
        self.assertEqual((False, True), self.now(keys[-1]))
        self.assertEqual((False, False), self.now(keys[0]))

    def test_late_events_count_whether_the_file_is_there_or_not(self):
        self.warrants.all[self.key]["until"] = time.time() - 60
        self.touch(ABSENT, 1)
        self.assertEqual((True, True), self.now())
        self.touch(ABSENT, -1)
        self.assertEqual((True, True), self.now())

    def test_a_file_that_goes_about_the_end_of_its_warrant(self):
        self.warrants.all[self.key]["until"] = time.time() + 1
        self.touch(ABSENT, 1)
        self.assertEqual((False, True), self.now())

    def test_by_a_clock_that_was_never_right_what_ends_may_be_over(self):
        self.warrants.first_right = float("inf")
        self.assertEqual((True, True), self.now())
        self.warrants.all[self.key]["until"] = time.time() + 60
        self.assertEqual((False, True), self.now())
        self.warrants.first_right = time.monotonic()
        self.assertEqual((True, True), self.now())

    def test_by_a_wrong_clock_nobody_can_say_what_is_over(self):
        self.warrants.all[self.key]["until"] = time.time() - 60
        self.warrants.clock_wrong = True
        self.touch(ABSENT, 1)
        self.assertEqual((False, True), self.now())

    def test_a_fault_that_ends_puts_back_what_another_one_took_meanwhile(self):
        """One that spoils the file and one that takes it, in every order of their four ends."""
        for order in ("ASas", "ASsa", "SAas", "SAsa", "AaSs", "SsAa"):
            self.setUp()
            there = {"A": 0, "S": 0}
            for letter in order:
                number = 1 if letter.isupper() else -1
                there[letter.upper()] += number
                self.touch(ABSENT if letter.upper() == "A" else SPOILED, number)
                self.assertEqual(not there["A"],
                                 self.warrants.file_of(self.key) != ABSENT, order)
                if there["A"]:
                    self.assertEqual((False, False), self.now(), order)
            self.assertEqual((True, True), self.now(), order)


class DirectoryLedger(LedgerTest):
    """The whole directory goes: missing, empty, not mounted."""

    def setUp(self):
        super().setUp()
        self.other = "lea-0|LI-1"

    def goes(self):
        self.assertTrue(self.warrants.directory_goes())
        self.settle()

    def returns(self):
        files = self.warrants.directory_returns()
        self.settle()
        return files

    def confirm(self):
        self.warrants.ending_is_confirmed()
        self.assertEqual((False, True), self.now())
        self.settle()  # a reload that confirms nothing
        self.assertEqual((False, True), self.now())
        self.warrants.confirmed()

    def test_nothing_ends(self):
        self.goes()
        self.assertEqual((True, True), self.now())
        self.assertEqual({GOOD}, set(self.returns().values()))
        self.assertEqual((True, True), self.now())

    def test_a_first_start_with_a_wrong_clock_may_forget_a_window(self):
        self.warrants.all[self.key]["until"] = time.time() + 3600
        self.warrants.first_right = float("inf")
        self.goes()
        self.warrants.first_right = time.monotonic()
        self.assertEqual((False, True), self.now())
        self.assertEqual((True, True), self.now(self.other))
        self.returns()
        self.assertEqual((True, True), self.now())

    def test_all_ends_once_that_is_confirmed(self):
        self.goes()
        self.confirm()
        self.assertEqual((False, False), self.now())
        self.returns()
        self.assertEqual((True, True), self.now())

    def test_nobody_knows_whether_the_operator_was_heard(self):
        self.goes()
        self.warrants.ending_is_confirmed()
        self.warrants.called_off()
        self.settle()
        self.assertEqual((False, True), self.now())
        self.returns()
        self.assertEqual((True, True), self.now())

    def test_what_is_over_stays_for_late_events(self):
        self.warrants.all[self.other]["until"] = time.time() - 60
        self.goes()
        self.confirm()
        self.assertEqual((True, True), self.now(self.other))

    def test_what_ended_before_stays_ended(self):
        self.touch(ABSENT, 1)
        self.goes()
        self.assertEqual((False, False), self.now())
        self.assertEqual(ABSENT, self.returns()[self.key])
        self.assertEqual((False, False), self.now())
        self.touch(ABSENT, -1)
        self.assertEqual((True, True), self.now())

    def test_what_was_not_seen_before_nobody_knows(self):
        self.touch(ABSENT, 1, settle=False)
        self.goes()
        self.assertEqual((False, True), self.now())

    def test_a_fault_that_ends_meanwhile_touches_nothing(self):
        self.touch(ABSENT, 1)
        self.goes()
        self.assertIsNone(self.touch(ABSENT, -1))
        self.assertEqual((False, False), self.now())
        self.assertEqual(GOOD, self.returns()[self.key])
        self.assertEqual((True, True), self.now())

    def test_a_fault_that_begins_meanwhile_takes_the_file_when_the_directory_returns(self):
        self.goes()
        self.assertIsNone(self.touch(ABSENT, 1))
        self.assertIsNone(self.touch(SPOILED, 1, self.other))
        self.assertEqual((True, True), self.now())
        files = self.returns()
        self.assertEqual((ABSENT, SPOILED), (files[self.key], files[self.other]))
        self.assertEqual((False, True), self.now())
        self.assertEqual((True, True), self.now(self.other))

    def test_what_comes_back_spoiled_has_no_good_version(self):
        self.goes()
        self.confirm()
        self.assertIsNone(self.touch(SPOILED, 1))
        self.returns()
        self.assertEqual((False, False), self.now())
        self.assertEqual(GOOD, self.touch(SPOILED, -1))
        self.assertEqual((True, True), self.now())

    def test_two_that_take_it_both_have_to_give_it_back(self):
        self.goes()
        self.assertFalse(self.warrants.directory_goes())
        self.assertIsNone(self.warrants.directory_returns())
        self.assertIsNotNone(self.returns())
        self.assertEqual((True, True), self.now())


if __name__ == "__main__":
    unittest.main()
