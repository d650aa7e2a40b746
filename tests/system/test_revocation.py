"""Revocation: a warrant ends at once by an operator's word, and its file brings it back only as another warrant."""

import json
import os
import random
import time
import unittest

from harness import Daemon, Lea, SystemTest, inline, message, wait_until

SEED = int(os.environ.get("LIHANDOVER_TEST_SEED", "707"))
ROUNDS = int(os.environ.get("LIHANDOVER_TEST_CRASHES", "8"))


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

    # -- With what is queued held

    def withhold(self, **options):
        return self.daemon.ctl("revoke", "LIID-1", "--destination", "lea-one", "--reason", "void from the start",
                               "--queued", "hold", **options)

    def queue(self, count, sender="u-1"):
        markers = [message(sender, text=f"text {number}", conversation="c-1") for number in range(count)]
        for first in range(0, count, 100):
            self.daemon.accept(*markers[first:first + 100])
        return [marker["event_id"] for marker in markers]

    def wait_held(self, count):
        wait_until(lambda: self.daemon.waiting(state="held") == count and not self.still_being_held(), f"{count} held")

    def still_being_held(self):
        return [a for a in self.daemon.ctl_json("status")["alarms"] if "still being held" in a]

    def test_what_was_queued_is_held_until_people_decide(self):
        self.daemon.ctl("pause", "lea-one")
        self.queue(3)
        others = self.queue(1, "u-2")
        self.withhold()
        self.daemon.ctl("resume", "lea-one")
        self.daemon.wait_delivered()
        self.assertEqual(others, [i.csp_text("eventId") for i in self.lea.items()])
        held = self.daemon.items("held")
        self.assertEqual([True] * 3, [item["review"]["withheld"] for item in held])
        self.assertEqual([1] * 3, [item["review"]["needed"] for item in held])
        # Whatever comes, they stay.
        self.daemon.process.kill()
        self.daemon.start()
        self.daemon.ctl("retry", "--destination", "lea-one")
        self.daemon.reload()
        self.assertEqual(["LIID-2"], self.liids("u-2"))
        self.assertEqual([item["id"] for item in held], [item["id"] for item in self.daemon.items("held")])
        self.daemon.ctl("reject", held[0]["id"], "--reason", "privileged")
        self.daemon.ctl("approve", held[2]["id"], held[1]["id"])
        self.daemon.wait_delivered()
        items = [i for i in self.lea.items() if i.liid == "LIID-1"]
        self.assertEqual([1, 2], [i.sequence for i in items], "as they were numbered, in that order")
        self.assertEqual([held[1]["id"], held[2]["id"]], [i.object_id for i in items])
        exported = os.path.join(self.directory, "export")
        with open(exported, "w", encoding="utf-8") as out:
            out.write(self.daemon.ctl("audit", "export"))
        self.daemon.ctl("audit", "verify", exported)
        kinds = [json.loads(line).get("kind") for line in open(exported, encoding="utf-8")]
        self.assertEqual(3, kinds.count("item_withheld"))

    def test_the_liid_is_free_for_another_warrant_at_once(self):
        self.daemon.ctl("pause", "lea-one")
        self.queue(400)
        self.withhold()
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"), file="one.yaml",
                            valid_from="2026-02-01T00:00:00Z")
        self.daemon.reload()
        fresh = self.queue(2)
        self.daemon.ctl("resume", "lea-one")
        wait_until(lambda: len(self.lea.items()) >= 2, "the other warrant's")
        self.wait_held(400)
        self.assertEqual(fresh, [i.csp_text("eventId") for i in self.lea.items()])
        self.assertEqual([0, 1], [i.sequence for i in self.lea.items()])

    def test_what_a_source_is_sending_is_held_too(self):
        self.daemon.ctl("pause", "lea-one")
        sent = [message("u-1", attachments=[inline("a", os.urandom(3000))]) for _ in range(200)]
        self.in_background(self.daemon.accept, *sent)
        wait_until(lambda: self.daemon.metric("lihandover_events_received_total") > 0 or
                   not self.threads[-1].is_alive(), "the beginning of it")
        self.daemon.ctl("revoke", "LIID-1", "--destination", "lea-one", "--reason", "void", "--queued", "hold")
        self.threads[-1].join()
        self.daemon.accept(message("u-2"))
        self.daemon.ctl("resume", "lea-one")
        wait_until(lambda: len(self.lea.items()) == 1, "the other warrant's")
        self.wait_held(self.daemon.waiting(state="held"))
        self.assertEqual(0, self.daemon.waiting(state="queued"))
        self.assertEqual({"LIID-2"}, {item.liid for item in self.lea.items()})

    def test_killed_while_it_is_held(self):
        print(f"seed {SEED}")
        chance = random.Random(SEED)
        self.daemon.ctl("pause", "lea-one")
        self.queue(1500)
        revoked = False
        for round_ in range(ROUNDS):
            self.in_background(self.daemon.ctl, "revoke", "LIID-1", "--destination", "lea-one", "--reason", "void",
                               "--queued", "hold", expect=None)
            time.sleep(chance.uniform(0, 0.15))
            self.daemon.process.kill()
            self.threads[-1].join()
            self.daemon.start()
            if revoked:
                self.assertEqual("revoked", self.listed("LIID-1")["state"])
            revoked = self.listed("LIID-1")["state"] == "revoked"
            if revoked and round_ % 2:
                # Nothing goes out however far it has come.
                self.daemon.ctl("resume", "lea-one")
                self.assertEqual(["LIID-2"], self.liids_beside("u-2"))
        if not revoked:
            self.withhold()
        self.daemon.ctl("resume", "lea-one")
        self.wait_held(1500)
        self.assertEqual(set(), {i.liid for i in self.lea.items()} - {"LIID-2"})
        entries = [json.loads(line) for line in self.daemon.ctl("audit", "export").splitlines()]
        withheld = [entry["id"] for entry in entries if entry.get("kind") == "item_withheld"]
        self.assertEqual((1500, 1500), (len(withheld), len(set(withheld))), "each once")

    def liids_beside(self, sender):
        marker, = self.queue(1, sender)
        return wait_until(lambda: [i.liid for i in self.lea.items() if i.csp_text("eventId") == marker], "the marker")


if __name__ == "__main__":
    unittest.main()
