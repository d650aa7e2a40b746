"""Review of items: held until one or two people have approved them, whatever else happens."""

import contextlib
import grp
import json
import os
import random
import sqlite3
import threading
import time
import unittest

from harness import Certificates, Daemon, Lea, Ports, inline, message, wait_until
from test_model_a import Client, fingerprint
from test_remains import spellings
from users import UsersTest

SEED = int(os.environ.get("LIHANDOVER_TEST_SEED", "707"))
ROUNDS = int(os.environ.get("LIHANDOVER_TEST_CRASHES", "8"))
REVIEWERS = "games"  # a group that every Debian has


@unittest.skipIf(os.geteuid() != 0, "only root can be several users")
class Review(UsersTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.lea.start()
        self.daemon = Daemon(self)
        self.daemon.configuration["schema_validation"] = "all"
        self.daemon.configuration["admin"]["reviewers"] = REVIEWERS
        self.daemon.destination("lea-one", self.lea.port, binary={
            "model": "B", "expiry": "1h",
            "url_template": f"https://127.0.0.1:{self.lea.port}/binaryData/{{object_identifier}}/"})
        self.daemon.write_configuration()
        self.prepare()

    def write(self, review, **more):
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"), file="one.yaml", review=review,
                            **{"deliver": ["metadata", "content", "binary"], **more})

    def held(self):
        return [item["id"] for item in self.daemon.items("held")]

    def hold(self, text="See you at eight", sender="u-1", **more):
        """Posts an event, and returns the id of the item that is held for it."""
        before = set(self.held())
        self.daemon.accept(message(sender, text=text, **more))
        new, = set(self.held()) - before
        return new

    def delivered(self, liid="LIID-1"):
        return [item for item in self.lea.items() if item.accepted and item.liid == liid]

    def reach(self):
        """Once this has arrived, whatever was queued before has, too."""
        marker = message("u-free")
        self.daemon.accept(marker)
        wait_until(lambda: [i for i in self.delivered("LIID-FREE") if i.csp_text("eventId") == marker["event_id"]],
                   "what is not reviewed")

    def write_free(self):
        self.daemon.warrant("LIID-FREE", "lea-one", ("user_id", "u-free"), file="free.yaml")

    def entries(self):
        lines = [json.loads(line) for line in self.daemon.ctl("audit", "export").splitlines()]
        return [line for line in lines if "kind" in line]

    def test_nothing_goes_out_before_it_is_approved(self):
        self.write("required")
        self.write_free()
        self.start()
        ids = [self.hold(f"text {number}", conversation="c-1") for number in range(4)]
        self.reach()
        self.assertEqual([], self.delivered())
        self.assertEqual(4, self.daemon.waiting(state="held"))
        self.assertIn("needs one person", self.daemon.ctl("show", ids[0]))
        self.daemon.restart()
        self.let_in()
        self.reach()
        self.assertEqual([], self.delivered())
        self.assertIn("1 item approved", self.by(self.ANN, "approve", ids[2]))
        self.assertIn("1 item rejected", self.by(self.ANN, "reject", ids[1], "--reason", "not meant"))
        self.assertIn("2 items approved", self.by(self.BOB, "approve", ids[3], ids[0]))
        items = wait_until(lambda: len(self.delivered()) == 3 and self.delivered(), "the approved ones")
        self.assertEqual([ids[2], ids[3], ids[0]], [i.object_id for i in items], "in the order of their queueing")
        self.assertEqual([0, 1, 2], [i.sequence for i in items], "without gaps")
        self.assertEqual([True] * 3, [i.valid for i in items])
        self.assertEqual([], self.held())
        self.assertEqual("not meant", self.daemon.ctl_json("show", ids[1])["why"])
        self.assertIn("only held items", self.by(self.ANN, "approve", ids[0], status=1))

    def test_two_different_users_are_needed_at_every_way_in(self):
        self.write("dual")
        self.write_free()
        self.start()
        one, two = self.hold("first"), self.hold("second")
        self.assertIn("2 items approved by one of two people", self.by(self.ANN, "approve", one, two))
        for again in (("approve", one), ("approve", one, two), ("--operator", "bob", "approve", one),
                      ("approve", one, one, one)):
            self.assertIn("another user", self.by(self.ANN, *again, status=1))
        self.assertIn("held", self.by(self.ANN, "retry", one, status=1))
        self.assertIn("0 items", self.by(self.ANN, "retry", "--destination", "lea-one"))
        # What was said outlasts a crash, and a reload that asks for nobody's word any more.
        self.daemon.process.kill()
        self.write("none")
        self.start()
        self.daemon.reload()
        self.assertIn("another user", self.by(self.ANN, "approve", one, status=1))
        self.assertEqual(["approved"] * 2, [i["review"]["first"] for i in self.daemon.items("held")])
        self.reach()
        self.assertEqual([], self.delivered())
        # Whoever says the opposite is the first one then.
        self.assertIn("by one of two", self.by(self.BOB, "reject", two, "--reason", "his lawyer"))
        self.assertIn("another user", self.by(self.BOB, "reject", two, "--reason", "really", status=1))
        self.assertIn("by one of two", self.by(self.ANN, "approve", two))
        self.assertIn("by one of two", self.by(self.BOB, "reject", two, "--reason", "his lawyer"))
        self.assertIn("1 item rejected", self.by(self.CAT, "reject", two, "--reason", "indeed"))
        self.assertIn("1 item approved", self.by(self.BOB, "approve", one))
        item, = wait_until(self.delivered, "what two have approved")
        self.assertEqual(one, item.object_id)

    def test_what_is_held_stays_held_by_its_rule(self):
        self.write("dual")
        self.write_free()
        self.start()
        two = self.hold("needs two")
        self.write("required")
        self.daemon.reload()
        one = self.hold("needs one")
        self.write("none")
        self.daemon.reload()
        free = message("u-1", text="needs nobody")
        self.daemon.accept(free)
        wait_until(lambda: [i.csp_text("eventId") for i in self.delivered()] == [free["event_id"]], "what is not held")
        self.assertEqual({two: 2, one: 1}, {i["id"]: i["review"]["needed"] for i in self.daemon.items("held")})
        # Its warrant's end changes nothing: it was intercepted before.
        self.daemon.ctl("revoke", "LIID-1", "--destination", "lea-one", "--reason", "the court said so")
        os.unlink(os.path.join(self.daemon.warrants, "one.yaml"))
        self.daemon.reload()
        self.daemon.restart()
        self.let_in()
        self.assertEqual({two, one}, set(self.held()))
        self.assertIn("1 item approved", self.by(self.ANN, "approve", one))
        self.assertIn("by one of two", self.by(self.ANN, "approve", two))
        wait_until(lambda: one in [i.object_id for i in self.delivered()], "the one")
        self.assertEqual([two], self.held())
        self.by(self.BOB, "approve", two)
        wait_until(lambda: two in [i.object_id for i in self.delivered()], "the other")

    def test_rejected_content_is_gone(self):
        self.write("required")
        self.start()
        word = "xyzzy" + os.urandom(6).hex()
        ids = [self.hold(f"{word} {number}", sender="u-1", conversation=word,
                         attachments=[inline("a", word.encode() * 500, filename=f"{word}.jpg")]) for number in range(3)]
        self.by(self.ANN, "reject", *ids, "--reason", "not his")
        self.assertEqual([], self.held())
        with contextlib.closing(sqlite3.connect(f"file:{self.daemon.state}/store.db?mode=ro", uri=True)) as store:
            for table in ("aside", "held", "share", "object", "blob"):
                self.assertEqual((0,), store.execute(f"SELECT count(*) FROM {table}").fetchone(), table)
        self.daemon.stop()
        objects = 0
        for directory, _, names in os.walk(self.daemon.state):
            for name in names:
                objects += os.path.basename(directory) == "objects"
                with open(os.path.join(directory, name), "rb") as file:
                    bytes = file.read()
                for spelling in spellings(word.encode()):
                    self.assertNotIn(spelling, bytes, name)
        self.assertEqual(0, objects)
        self.start()
        self.assertEqual(["not his"] * 3, [i["why"] for i in self.daemon.items("rejected")])
        self.assertEqual([], [i for i in self.lea.items()])

    def test_content_is_for_reviewers_and_on_record(self):
        self.write("dual")
        self.start()
        item = self.hold("under the clock", attachments=[inline("a", b"bytes", filename="roof.jpg")])
        gid = grp.getgrnam(REVIEWERS).gr_gid
        self.assertIn("only members of", self.by(self.ANN, "show", item, "--content", status=1))
        self.assertIn("only members of", self.by(0, "show", item, "--content", status=1), "root is no exception")
        self.assertEqual([], [e for e in self.entries() if e["kind"] == "content_shown"])
        document = self.by(self.ANN, "--operator", "Ann Q.", "show", item, "--content", groups=[gid])
        for part in ("LIID-1", "under the clock", item, "roof.jpg"):
            self.assertIn(part, document)
        text = self.by(self.BOB, "show", item, "--content", "--text", groups=[gid])
        self.assertIn("sender: user_id u-1 (target)\n", text)
        self.assertTrue(text.endswith("\nunder the clock\n"), text)
        shown = [(e["who"], e["id"]) for e in self.entries() if e["kind"] == "content_shown"]
        self.assertEqual([(f"Ann Q. (uid {self.ANN})", item), (str(self.BOB), item)], shown)
        # The DELIVER element is what goes out, but for what it gets when it is queued.
        self.by(self.ANN, "approve", item)
        self.by(self.BOB, "approve", item)
        sent, = wait_until(self.delivered, "the item")
        self.assertTrue(sent.valid, sent.problem)
        self.daemon.wait_delivered()  # the LEA has it before the store knows
        self.assertIn("no content any more", self.by(self.ANN, "show", item, "--content", status=1, groups=[gid]))
        # The group may be another after a reload.
        other = self.hold("second")
        self.daemon.configuration["admin"]["reviewers"] = "operator"
        self.daemon.write_configuration()
        self.daemon.reload()
        self.by(self.ANN, "show", other, "--content", status=1, groups=[gid])
        self.by(self.ANN, "show", other, "--content", groups=[gid, grp.getgrnam("operator").gr_gid])

    def test_objects_are_neither_served_nor_pushed_before(self):
        server = Ports.take()
        self.daemon.configuration["objectserver"] = {
            "listen": f"127.0.0.1:{server}", "public_url": f"https://127.0.0.1:{server}/objects/",
            "tls": {"certificate": Certificates.path("objects.pem"), "private_key": Certificates.path("objects.key"),
                    "client_ca": Certificates.path("leas-ca.pem")}}
        self.daemon.destination("lea-a", self.lea.port, binary={
            "model": "A", "expiry": "1h", "client_certificates": [fingerprint("lea-fetch")]})
        self.write("required")
        self.daemon.warrant("LIID-A", "lea-a", ("user_id", "u-a"), file="a.yaml", review="required",
                            deliver=["metadata", "binary"])
        self.write_free()
        self.start()
        pushed = self.hold(attachments=[inline("a", b"to be pushed")])
        served = self.hold(sender="u-a", attachments=[inline("a", b"to be fetched")])
        gid = grp.getgrnam(REVIEWERS).gr_gid
        text = self.by(self.ANN, "show", served, "--content", "--text", groups=[gid])
        path = "/objects/" + text.split("object: ")[1].split(",")[0]
        client = Client(server)
        self.assertEqual(404, client.ask(path)[0])
        self.reach()
        self.assertEqual([], self.lea.objects())
        self.daemon.restart()
        self.let_in()
        self.assertEqual(404, client.ask(path)[0])
        self.reach()
        self.assertEqual([], self.lea.objects())
        self.by(self.ANN, "approve", pushed, served)
        item, = wait_until(lambda: self.delivered("LIID-A"), "the item of Model A")
        self.assertTrue(item.objects[0]["url"].endswith(path))
        status, _, body = client.ask(path)
        self.assertEqual((200, b"to be fetched"), (status, body))
        object, = wait_until(self.lea.objects, "the object of Model B")
        self.assertEqual(b"to be pushed", self.lea.object_bytes(object))

    def test_long_held_items_are_an_alarm_and_emergencies_come_first(self):
        self.daemon.configuration["review_alarm"] = "1h"
        self.write("required")
        self.daemon.warrant("LIID-2", "lea-one", ("user_id", "u-2"), file="two.yaml", review="required",
                            priority="emergency")
        self.start()
        routine = [self.hold(), self.hold()]
        urgent = self.hold(sender="u-2")
        self.assertEqual([urgent, *routine], self.held())
        self.assertEqual([urgent, *routine], [i["id"] for i in self.daemon.items()])
        self.assertEqual(0, self.daemon.metric("lihandover_review_overdue_items"))
        self.assertFalse([a for a in self.daemon.ctl_json("status")["alarms"] if "held for review" in a])
        self.daemon.configuration["review_alarm"] = "1s"
        self.daemon.write_configuration()
        self.daemon.reload()
        wait_until(lambda: self.daemon.metric("lihandover_review_overdue_items") == 3, "the alarm")
        self.assertGreaterEqual(self.daemon.metric("lihandover_review_oldest_age_seconds"), 1)
        alarm, = [a for a in self.daemon.ctl_json("status")["alarms"] if "held for review" in a]
        self.assertIn("3 item(s)", alarm)
        self.assertIn("1 of them emergencies", alarm)
        self.by(self.ANN, "approve", urgent, *routine)
        self.assertEqual(0, self.daemon.metric("lihandover_review_overdue_items"))

    # -- Crashes

    def decide_at_random(self, chance, stopping, failures):
        """People who decide about what is held, while the daemon comes and goes."""
        try:
            while not stopping.is_set():
                # Few of them, so that two people come to decide about the same.
                status, output = self.run_as(self.ANN, "items", "--state", "held", "--limit", "6", "--json")
                held = [i["id"] for i in json.loads(output)] if status == 0 else []
                for item in chance.sample(held, min(len(held), 3)):
                    who = chance.choice((self.ANN, self.BOB, self.CAT))
                    if chance.random() < 0.3:
                        self.run_as(who, "reject", item, "--reason", f"by {who}")
                    else:
                        self.run_as(who, "approve", item)
                time.sleep(0.01)  # its pace
        except Exception as error:  # shown by the test
            failures.append(error)

    def post_at_random(self, sent, stopping, failures):
        try:
            while not stopping.is_set():
                event = message("u-1", text=f"text {len(sent)}", conversation="c-1")
                while not stopping.is_set():
                    with contextlib.suppress(OSError):
                        if self.daemon.post(event).status == 202:
                            sent.append(event["event_id"])
                            break
                    time.sleep(0.01)
                time.sleep(0.05)  # its pace, so that people keep up
        except Exception as error:
            failures.append(error)

    def test_killed_around_decisions(self):
        print(f"seed {SEED}")
        chance = random.Random(SEED)
        self.write("dual")
        self.start()
        sent, failures, stopping = [], [], threading.Event()
        self.in_background(self.post_at_random, sent, stopping, failures)
        for _ in range(2):
            self.in_background(self.decide_at_random, random.Random(chance.random()), stopping, failures)
        try:
            for _ in range(ROUNDS):
                seen = len(self.delivered()) + chance.randint(1, 6)
                wait_until(lambda: len(self.delivered()) >= seen or failures, "approved items at the LEA")
                time.sleep(chance.uniform(0, 0.05))
                self.daemon.process.kill()
                self.start()
        finally:
            stopping.set()
            for thread in self.threads:
                thread.join()
        self.assertEqual([], failures)
        # What is left is decided now.
        while self.held():
            for who in (self.ANN, self.BOB):
                self.run_as(who, "approve", *self.held()[:500])
        self.daemon.wait_delivered()
        self.judge(sent)

    def judge(self, sent):
        people, delivered, rejected = {}, set(), set()
        for entry in self.entries():
            item, kind = entry.get("id"), entry["kind"]
            if kind in ("item_approved", "item_disapproved", "item_rejected"):
                people.setdefault(item, []).append((kind == "item_approved", entry["who"]))
            if kind == "item_delivered":
                delivered.add(item)
            if kind == "item_rejected":
                rejected.add(item)
        first = {}
        for item in self.delivered():
            first.setdefault(item.object_id, item)
        # The answer to the last one may have been lost.
        self.assertIn(len(delivered | rejected) - len(sent), (0, 1), "each event has ended")
        self.assertEqual(delivered, set(first))
        self.assertTrue(rejected)
        late = set()  # two had approved it, and until it is delivered any operator may end it, as any item
        for item in delivered | rejected:
            words = people[item]
            if item in rejected and words[-2][0]:
                late.add(item)
                words = words[:-1]
            (one, first_who), (two, second_who) = words[-2:]
            self.assertEqual(one, two, "by two who agree")
            self.assertEqual(item in delivered or item in late, one)
            self.assertNotEqual(first_who, second_who)
        self.assertLessEqual(delivered & rejected, late)
        numbers = [i.sequence for i in first.values()]
        self.assertEqual(sorted(set(numbers)), numbers, "in order")
        self.assertLessEqual(max(numbers) + 1 - len(numbers), len(late), "without gaps")


if __name__ == "__main__":
    unittest.main()
