"""Reload: the main configuration whole or not at all, each warrant file by itself."""

import json
import os
import unittest

from harness import Daemon, Lea, SystemTest, message, wait_until


class Reload(SystemTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.lea.start()
        self.daemon = Daemon(self)
        self.daemon.destination("lea-one", self.lea.port)
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"), file="one.yaml")
        self.daemon.start()

    def reached(self, sender):
        """Which LIIDs a message of that sender goes to."""
        marker = message(sender)
        self.daemon.accept(marker)
        self.daemon.wait_delivered()
        return sorted(i.liid for i in self.lea.items() if i.csp_text("eventId") == marker["event_id"])

    def outcome(self, name):
        return self.daemon.metric("lihandover_reloads_total", outcome=name) or 0

    def test_new_changed_and_vanished_warrants(self):
        self.assertEqual(["LIID-1"], self.reached("u-1"))
        done = self.outcome("done")
        self.daemon.warrant("LIID-2", "lea-one", ("user_id", "u-2"), file="two.yaml")
        self.assertEqual([], self.reached("u-2"), "not before the reload")
        self.daemon.reload()
        self.assertEqual(done + 1, self.outcome("done"))
        self.assertEqual(["LIID-2"], self.reached("u-2"))
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-2"), file="one.yaml")
        self.daemon.reload()
        self.assertEqual([], self.reached("u-1"))
        self.assertEqual(["LIID-1", "LIID-2"], self.reached("u-2"))
        os.unlink(os.path.join(self.daemon.warrants, "two.yaml"))
        self.daemon.reload()
        self.assertEqual(["LIID-1"], self.reached("u-2"))
        self.assertEqual(["LIID-1"], [w["liid"] for w in self.daemon.ctl_json("warrants")])

    def test_bad_warrant_file_leaves_its_last_good_version_in_force_also_over_a_restart(self):
        self.daemon.warrant_text("one.yaml", "liid: LIID-1\ndestination: [oops\n")
        self.daemon.warrant("LIID-2", "lea-one", ("user_id", "u-2"), file="two.yaml")
        partial = self.outcome("partial")
        self.daemon.reload()
        self.assertEqual(partial + 1, self.outcome("partial"))
        self.assertEqual(1, self.daemon.metric("lihandover_warrant_files_bad"))
        self.assertEqual(["LIID-1"], self.reached("u-1"), "the last good version")
        self.assertEqual(["LIID-2"], self.reached("u-2"), "held up by nobody else's mistake")
        self.daemon.restart()
        self.assertEqual(["LIID-1"], self.reached("u-1"), "also after a restart")
        self.assertEqual(1, self.daemon.metric("lihandover_warrant_files_bad"))
        os.unlink(os.path.join(self.daemon.warrants, "one.yaml"))
        self.daemon.reload()
        self.assertEqual([], self.reached("u-1"), "a vanished file ends its warrant")
        self.assertEqual(0, self.daemon.metric("lihandover_warrant_files_bad"))
        # The log names the place, never the value.
        self.assertIn("one.yaml:2", self.daemon.logs())

    def test_same_warrant_in_two_files_is_an_error_and_the_first_stays(self):
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-9"), file="again.yaml")
        self.daemon.reload()
        self.assertLessEqual(1, self.daemon.metric("lihandover_warrant_files_bad"))
        self.assertEqual(["LIID-1"], self.reached("u-1"))
        self.assertEqual([], self.reached("u-9"))

    def test_bad_main_configuration_changes_nothing(self):
        failed = self.outcome("failed")
        good = json.loads(json.dumps(self.daemon.configuration))
        self.daemon.warrant("LIID-2", "lea-one", ("user_id", "u-2"), file="two.yaml")
        for mistake in ({"intake": {"http": []}}, {"colour": "blue"}, {"schemas_dir": "/nowhere/at/all"}):
            self.daemon.configuration = {**json.loads(json.dumps(good)), **mistake}
            self.daemon.write_configuration()
            self.daemon.reload()
        self.assertEqual(failed + 3, self.outcome("failed"))
        self.assertEqual(["LIID-1"], self.reached("u-1"))
        self.assertEqual([], self.reached("u-2"), "whole or not at all: not the warrants either")
        self.daemon.configuration = good
        self.daemon.write_configuration()
        self.daemon.reload()
        self.assertEqual(["LIID-2"], self.reached("u-2"))

    def test_destination_with_items_cannot_be_removed(self):
        self.lea.stop()
        self.daemon.accept(message("u-1"))
        other = Lea(self, "lea-two", certificate="lea-two", client_ca="lea-two-ca")
        other.start()
        self.daemon.destination("lea-two", other.port, certificate="csp-two", ca="lea-two-ca")
        removed = self.daemon.configuration["destinations"].pop("lea-one")
        # Were it the last file that goes, nothing would end.
        self.daemon.warrant("LIID-3", "lea-two", ("user_id", "u-3"), file="three.yaml")
        os.unlink(os.path.join(self.daemon.warrants, "one.yaml"))
        self.daemon.write_configuration()
        failed = self.outcome("failed")
        self.daemon.reload()
        self.assertEqual(failed + 1, self.outcome("failed"))
        self.assertEqual(1, self.daemon.waiting("lea-one"))
        self.lea.start()
        self.daemon.wait_delivered("lea-one")
        self.daemon.reload()
        self.assertEqual(failed + 1, self.outcome("failed"))
        self.daemon.warrant("LIID-2", "lea-two", ("user_id", "u-2"))
        self.daemon.reload()
        self.daemon.accept(message("u-2"))
        wait_until(lambda: other.items(), "the new destination is delivered to")
        self.assertIsNotNone(removed)

    def test_what_an_item_says_is_fixed_when_it_is_made(self):
        self.lea.stop()
        self.daemon.accept(message("u-1", text="before"))
        self.daemon.configuration["destinations"]["lea-one"]["receiver"] = {"country_code": "GB",
                                                                            "unique_identifier": "NEW NAME"}
        self.daemon.write_configuration()
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-9"), file="one.yaml")
        self.daemon.reload()
        self.daemon.accept(message("u-9", text="after"))
        self.daemon.restart()
        self.lea.start()
        self.daemon.wait_delivered()
        items = {i.csp_text("text"): i for i in self.lea.items()}
        self.assertEqual(("XX", "Not specified"), (items["before"].country, items["before"].owner))
        self.assertTrue(items["before"].targeted(items["before"].sender))
        self.assertEqual(("GB", "NEW NAME"), (items["after"].country, items["after"].owner))

    def test_lihandoverctl_reload_says_how_it_ended(self):
        self.daemon.warrant("LIID-2", "lea-one", ("user_id", "u-2"), file="two.yaml")
        self.daemon.ctl("reload")
        self.assertEqual(["LIID-2"], self.reached("u-2"))
        self.daemon.warrant_text("three.yaml", "colour: blue\n")
        self.daemon.ctl("reload", expect=1)
        self.assertEqual(["LIID-2"], self.reached("u-2"))

    def empty_warrants_dir(self):
        for name in os.listdir(self.daemon.warrants):
            os.unlink(os.path.join(self.daemon.warrants, name))

    def alarms(self):
        return [a for a in self.daemon.ctl_json("status")["alarms"] if "--confirm-ended" in a]

    def test_an_emptied_directory_ends_nothing_until_an_operator_confirms_it(self):
        self.empty_warrants_dir()
        self.daemon.reload()
        self.assertEqual(["LIID-1"], self.reached("u-1"))
        self.assertEqual(1, self.daemon.metric("lihandover_warrants_unconfirmed"))
        self.assertEqual(1, len(self.alarms()))
        self.daemon.restart()
        self.assertEqual(["LIID-1"], self.reached("u-1"), "nor does a start")
        self.assertEqual(0, self.daemon.metric("lihandover_warrants_withdrawn_total"))
        self.daemon.ctl("reload", "--confirm-ended", "--operator", "Anna")
        self.assertEqual([], self.reached("u-1"))
        self.assertEqual(0, self.daemon.metric("lihandover_warrants_unconfirmed"))
        self.assertEqual(1, self.daemon.metric("lihandover_warrants_withdrawn_total"))
        self.assertEqual([], self.alarms())
        self.daemon.restart()
        self.assertEqual([], self.reached("u-1"), "a start after that is one without warrants")

    def test_files_that_come_back_need_no_word(self):
        away = self.daemon.warrants + ".away"
        os.rename(self.daemon.warrants, away)
        self.daemon.reload()
        self.assertEqual(["LIID-1"], self.reached("u-1"))
        self.daemon.restart()
        self.assertEqual(["LIID-1"], self.reached("u-1"))
        os.rename(away, self.daemon.warrants)
        self.daemon.reload()
        self.assertEqual(["LIID-1"], self.reached("u-1"))
        self.assertEqual(0, self.daemon.metric("lihandover_warrants_unconfirmed"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
