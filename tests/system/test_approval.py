"""Approval of warrants: what is new or grows waits for people, and what shrinks counts at once."""

import os
import unittest

from harness import Daemon, Lea, message
from users import UsersTest


@unittest.skipIf(os.geteuid() != 0, "only root can be several users")
class Approval(UsersTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.lea.start()
        self.daemon = Daemon(self)
        self.daemon.destination("lea-one", self.lea.port)
        self.daemon.configuration["warrants"] = {"approval": "dual"}
        self.daemon.write_configuration()
        self.prepare()

    def approve(self, uid, liid="LIID-1", status=0):
        return self.by(uid, "approve-warrant", liid, "--destination", "lea-one", status=status)

    def reached(self, sender):
        marker = message(sender)
        self.daemon.accept(marker)
        self.daemon.wait_delivered()
        return [i.liid for i in self.lea.items() if i.csp_text("eventId") == marker["event_id"]]

    def write(self, *users, **more):
        self.daemon.warrant("LIID-1", "lea-one", *(("user_id", user) for user in users), file="one.yaml", **more)

    def test_a_new_warrant_waits_for_two_different_users(self):
        self.write("u-1")
        self.start()
        self.assertEqual([], self.reached("u-1"))
        self.assertEqual(1, self.daemon.metric("lihandover_warrants_unapproved"))
        self.assertTrue(any("wait for approval" in alarm for alarm in self.daemon.ctl_json("status")["alarms"]))
        shown = self.daemon.ctl("warrants", "--waiting")
        self.assertIn("targets: + {user_id: u-1}", shown)
        self.assertIn("approved by 1 of 2", self.approve(self.ANN))
        self.assertIn("approved by 1 of 2", self.approve(self.ANN), "the same user again")
        self.assertIn("approved by 1 of 2", self.by(self.ANN, "--operator", "bob", "approve-warrant", "LIID-1",
                                                    "--destination", "lea-one"), "whatever name is given")
        self.assertEqual([], self.reached("u-1"))
        # What was said outlasts a crash.
        self.daemon.process.kill()
        self.start()
        self.assertEqual([], self.reached("u-1"))
        self.assertIn("in force", self.approve(self.BOB))
        self.assertEqual(["LIID-1"], self.reached("u-1"))
        self.daemon.restart()
        self.assertEqual(["LIID-1"], self.reached("u-1"))
        self.assertEqual(0, self.daemon.metric("lihandover_warrants_unapproved"))

    def test_what_shrinks_counts_at_once_and_what_grows_waits(self):
        self.write("u-1", "u-2")
        self.start()
        self.approve(self.ANN)
        self.approve(self.BOB)
        self.assertEqual(["LIID-1"], self.reached("u-2"))
        self.write("u-1", "u-3")
        self.daemon.reload()
        self.assertEqual([], self.reached("u-2"), "no longer ordered")
        self.assertEqual([], self.reached("u-3"), "not approved yet")
        self.assertEqual(["LIID-1"], self.reached("u-1"))
        self.assertIn("+ {user_id: u-3}", self.daemon.ctl("warrants", "--waiting"))
        self.by(self.ANN, "refuse-warrant", "LIID-1", "--destination", "lea-one", "--reason", "who is that")
        self.assertIn("who is that", self.daemon.ctl("warrants", "--waiting"))
        self.approve(self.ANN)
        self.assertEqual([], self.reached("u-3"))
        self.approve(self.BOB)
        self.assertEqual(["LIID-1"], self.reached("u-3"))

    def test_nobody_approves_a_file_of_their_own(self):
        self.write("u-1")
        os.chown(os.path.join(self.daemon.warrants, "one.yaml"), self.ANN, self.ANN)
        self.start()
        self.assertIn("somebody else", self.approve(self.ANN, status=1))
        self.assertIn("approved by 1 of 2", self.approve(self.BOB))

    def test_a_changed_file_is_approved_anew(self):
        self.write("u-1")
        self.start()
        self.approve(self.ANN)
        self.write("u-1", "u-2")
        self.daemon.reload()
        self.assertIn("approved by 1 of 2", self.approve(self.BOB))
        self.assertEqual([], self.reached("u-1"))


if __name__ == "__main__":
    unittest.main()
