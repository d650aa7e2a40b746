"""The ledger of warrants stays true where faults on one file overlap."""

import time
import unittest

import episode  # noqa: F401: finds the harness of the system tests
import load
from load import ABSENT, GOOD, SPOILED


class WarrantLedger(unittest.TestCase):
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
        """A reload that started after all changes so far."""
        while any(change[0] >= time.monotonic() for changes in self.warrants.changes.values() for change in changes):
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

    def test_the_last_one_may_not_end(self):
        keys = list(self.warrants.all)
        for key in keys:
            self.touch(ABSENT, 1, key)
        self.assertEqual((False, False), self.now(keys[0]))
        self.assertEqual((False, True), self.now(keys[-1]))


if __name__ == "__main__":
    unittest.main()
