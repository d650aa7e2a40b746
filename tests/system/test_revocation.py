"""Revocation: a warrant ends at once by an operator's word, and its file brings it back only as another warrant."""

import unittest

from harness import Daemon, Lea, SystemTest, message


class Revocation(SystemTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.lea.start()
        self.daemon = Daemon(self)
        self.daemon.destination("lea-one", self.lea.port)
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"), file="one.yaml")
        self.daemon.warrant("LIID-2", "lea-one", ("user_id", "u-2"), file="two.yaml")
        self.daemon.start()

    def reached(self, sender, conversation="c-1"):
        """The items that a message of that sender becomes."""
        marker = message(sender, conversation=conversation)
        self.daemon.accept(marker)
        self.daemon.wait_delivered()
        return [i for i in self.lea.items() if i.csp_text("eventId") == marker["event_id"]]

    def liids(self, sender):
        return [item.liid for item in self.reached(sender)]

    def revoke(self, liid="LIID-1", **options):
        return self.daemon.ctl("revoke", liid, "--destination", "lea-one", "--reason", "the court said so",
                               "--operator", "alice", **options)

    def listed(self, liid):
        return next((w for w in self.daemon.ctl_json("warrants") if w["liid"] == liid), None)

    def test_a_revoked_warrant_takes_nothing_more_and_is_said(self):
        self.assertEqual(["LIID-1"], self.liids("u-1"))
        self.revoke()
        self.assertEqual([], self.liids("u-1"))
        self.assertEqual(["LIID-2"], self.liids("u-2"), "the others are as they were")
        listed = self.listed("LIID-1")
        self.assertEqual(("revoked", "the court said so", "one.yaml"),
                         (listed["state"], listed["why"], listed["file"]))
        self.assertTrue(listed["who"].startswith("alice (uid "), listed)
        self.assertIn("revoked", self.daemon.ctl("warrants"))
        self.revoke(expect=1)  # it is not in force any more

    def test_it_outranks_its_file_over_reloads_crashes_and_mistakes_elsewhere(self):
        # A main configuration that no reload would take.
        self.daemon.configuration["no_such_option"] = 1
        self.daemon.write_configuration()
        self.revoke()
        self.assertEqual([], self.liids("u-1"))
        del self.daemon.configuration["no_such_option"]
        self.daemon.write_configuration()
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"), file="one.yaml", reference="W-2")
        self.daemon.reload()
        self.assertEqual([], self.liids("u-1"))
        self.daemon.process.kill()
        self.daemon.start()
        self.assertEqual([], self.liids("u-1"))
        self.assertEqual("revoked", self.listed("LIID-1")["state"])

    def test_an_liid_used_again_starts_numbers_of_its_own(self):
        before = [self.reached("u-1")[0] for _ in range(3)]
        self.assertEqual([0, 1, 2], [item.sequence for item in before])
        self.revoke()
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"), file="one.yaml",
                            valid_from="2026-02-01T00:00:00Z")
        self.daemon.reload()
        after = [self.reached("u-1")[0] for _ in range(2)]
        self.assertEqual([0, 1], [item.sequence for item in after])
        self.assertNotEqual(before[0].level, after[0].level)
        self.assertEqual("active", self.listed("LIID-1")["state"])

    def test_what_was_intercepted_before_still_goes_out(self):
        self.daemon.ctl("pause", "lea-one")
        marker = message("u-1")
        self.daemon.accept(marker)
        self.revoke()
        self.daemon.accept(message("u-1"))
        self.daemon.ctl("resume", "lea-one")
        self.daemon.wait_delivered()
        self.assertEqual([marker["event_id"]], [i.csp_text("eventId") for i in self.lea.items()])


if __name__ == "__main__":
    unittest.main()
