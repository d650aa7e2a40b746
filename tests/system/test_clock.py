"""A wall clock that jumps, or is wrong at the start, is an alarm and not a loss."""

import contextlib
import os
import sqlite3
import unittest

from harness import Daemon, Lea, SystemTest, message, wait_until

DAY = 86_400


class Clock(SystemTest):
    def setUp(self):
        super().setUp()
        self.ahead = os.path.join(self.directory, "ahead")
        self.synchronised = os.path.join(self.directory, "synchronised")
        self.lea = Lea(self)
        self.daemon = Daemon(self)
        self.daemon.destination("lea-one", self.lea.port)
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"))
        self.preload_shim(self.daemon, SHIM_CLOCK_AHEAD=self.ahead, SHIM_CLOCK_SYNCHRONISED=self.synchronised)

    def jump(self, seconds):
        fresh = self.ahead + ".new"
        with open(fresh, "w", encoding="ascii") as file:
            file.write(str(seconds))
        os.rename(fresh, self.ahead)

    def untrusted(self):
        return self.daemon.metric("lihandover_clock_untrusted")

    def alarms(self):
        return [a for a in self.daemon.ctl_json("status")["alarms"] if "where it ought to be" in a]

    def test_a_jump_is_an_alarm_until_an_operator_accepts_it(self):
        self.daemon.start()
        self.assertEqual(0, self.untrusted())
        self.assertEqual([], self.alarms())
        self.jump(100 * DAY)
        self.assertEqual(1, self.untrusted())
        self.assertEqual(1, len(self.alarms()))
        self.daemon.ctl("clock", "accept", "--operator", "Anna")
        self.assertEqual(0, self.untrusted())
        self.assertEqual([], self.alarms())
        self.jump(0)
        self.assertEqual(1, self.untrusted(), "a clock that is behind is not right either")
        open(self.synchronised, "w", encoding="ascii").close()
        self.assertEqual(0, self.untrusted(), "the kernel knows")
        self.daemon.stop()
        with contextlib.closing(sqlite3.connect(os.path.join(self.daemon.state, "store.db"))) as store:
            told = store.execute("SELECT who, why FROM record JOIN record_note ON record=id WHERE kind=19").fetchall()
        self.assertEqual(1, len(told))
        self.assertTrue(told[0][0].startswith("Anna"), told)
        self.assertIn("the trusted time was at", told[0][1])

    def test_what_a_wrong_clock_would_prune_is_still_there(self):
        self.lea.start()
        self.daemon.configuration["store"] = {"record_retention": "1d"}
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        self.daemon.wait_delivered()
        self.jump(100 * DAY)
        self.daemon.accept(message("u-2"))
        self.daemon.restart()
        self.assertEqual(1, self.untrusted(), "the start knows when the daemon last ran")
        self.jump(0)
        self.daemon.restart()
        self.assertEqual(0, self.untrusted())
        self.assertEqual(1, len(self.daemon.items("delivered")))

    def test_without_the_last_trusted_time_the_record_knows_one(self):
        self.lea.start()
        self.daemon.configuration["store"] = {"record_retention": "1d"}
        trusted = os.path.join(self.daemon.state, "trusted-time")
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        self.daemon.wait_delivered()
        self.daemon.stop()
        for damage in (lambda: os.truncate(trusted, 0), lambda: os.remove(trusted)):
            damage()
            self.jump(100 * DAY)
            self.daemon.start()
            self.assertEqual(1, self.untrusted(), "the store is not new")
            self.assertIn("trusted-time in state_dir is missing or damaged", self.daemon.process.log())
            self.daemon.accept(message("u-2"))
            self.daemon.stop()
            self.jump(0)
            self.daemon.start()
            self.assertEqual(1, len(self.daemon.items("delivered")))
            self.daemon.stop()

    def test_where_the_kernel_cannot_know_the_clock_is_trusted(self):
        self.daemon.configuration["clock_trust"] = "always"
        self.daemon.start()
        self.jump(100 * DAY)
        self.assertEqual(0, self.untrusted())

    def test_events_are_taken_while_the_clock_is_not_trusted(self):
        self.lea.start()
        self.daemon.start()
        self.jump(3600)
        self.daemon.accept(message("u-1"))
        wait_until(lambda: self.lea.totals()["messages"], "it is sent")


if __name__ == "__main__":
    unittest.main(verbosity=2)
