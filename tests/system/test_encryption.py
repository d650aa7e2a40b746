"""Encryption at rest: nothing readable in state_dir, turning it on, new keys under load, keys that are missing."""

import contextlib
import os
import random
import sqlite3
import threading
import time
import unittest

from harness import Daemon, Lea, SystemTest, inline, message, wait_until
from test_remains import spellings

SEED = int(os.environ.get("LIHANDOVER_TEST_SEED", "707"))
ROUNDS = int(os.environ.get("LIHANDOVER_TEST_CRASHES", "8"))
WORD = "xyzzy" + os.urandom(4).hex()  # in everything that is content or names somebody


class Encryption(SystemTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.lea.start()
        self.daemon = Daemon(self)
        self.daemon.configuration["schema_validation"] = "all"
        self.daemon.destination("lea-one", self.lea.port, binary={
            "model": "B", "expiry": "1h",
            "url_template": f"https://127.0.0.1:{self.lea.port}/binaryData/{{object_identifier}}/"})
        self.daemon.warrant(f"L-{WORD}", "lea-one", ("user_id", f"u-{WORD}"), file=f"of-{WORD}.yaml",
                            deliver=["metadata", "content", "binary"])
        self.sent = []

    def key(self, name):
        path = os.path.join(self.directory, name)
        if not os.path.exists(path):
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
                file.write(os.urandom(32).hex() + "\n")
        return path

    def use(self, *names):
        self.daemon.configuration.pop("encryption", None)
        if names:
            self.daemon.configuration["encryption"] = {"key_files": [self.key(name) for name in names]}
        self.daemon.write_configuration()

    def post(self, number):
        event = message(f"u-{WORD}", f"{WORD}-receiver", f"{WORD} {number}", f"{WORD}-conversation")
        if number % 5 == 0:
            event["attachments"] = [inline("a", WORD.encode() * 100, filename=f"{WORD}-{number}.jpg")]
        self.daemon.accept(event)
        self.sent.append(event["event_id"])

    def encryption(self):
        return self.daemon.ctl_json("status")["encryption"]

    def wait_sealed(self):
        # Ten seconds are given to whoever is about to read an old key.
        wait_until(lambda: not self.encryption()["working"] and not self.encryption()["remains"], "all is sealed")

    def assert_unreadable(self):
        for folder, _, names in os.walk(self.daemon.state):
            for name in names:
                self.assertNotIn(WORD, name)
                with open(os.path.join(folder, name), "rb") as file:
                    bytes = file.read()
                for spelling in spellings(WORD.encode()):
                    at = bytes.find(spelling)
                    self.assertEqual(-1, at, f"{name}: {bytes[max(0, at - 40):at + 80]!r}")

    def assert_delivered(self):
        """Each event once, whole, under its warrant, in order."""
        self.daemon.wait_delivered()
        accepted = {}
        for item in self.lea.items():
            if item.accepted:
                self.assertTrue(item.valid, item.problem)
                accepted.setdefault(item.object_id, item)
        self.assertEqual(self.sent, [item.csp_text("eventId") for item in
                                     sorted(accepted.values(), key=lambda item: item.sequence)])
        self.assertEqual({f"L-{WORD}"}, {item.liid for item in accepted.values()})
        wait_until(lambda: len(self.lea.objects()) >= sum(1 for n in range(len(self.sent)) if n % 5 == 0), "the objects")
        for object in self.lea.objects():
            self.assertEqual(WORD.encode() * 100, self.lea.object_bytes(object))

    def test_nothing_is_readable_in_the_files(self):
        self.use("first.key")
        # So many that what is known of the files is written down for the next start.
        for number in range(1000):
            self.daemon.warrant(f"L-{WORD}-{number}", "lea-one", ("user_id", f"u-{WORD}-{number}"),
                                file=f"many-{WORD}-{number}.yaml")
        self.daemon.start()
        self.lea.obey({"kind": "refuse", "code": 3005})
        for number in range(5):
            self.post(number)
        wait_until(lambda: self.daemon.waiting("lea-one", "refused") == 5, "the LEA refuses them")
        self.daemon.ctl("--operator", f"{WORD}-ann", "pause", "lea-one")
        self.daemon.ctl("revoke", f"L-{WORD}-7", "--destination", "lea-one", "--reason", f"the court of {WORD}")
        for number in range(5, 10):
            self.post(number)
        self.wait_sealed()
        self.daemon.process.kill()
        self.assertTrue(os.path.exists(os.path.join(self.daemon.state, "warrants.cache")))
        self.assert_unreadable()
        self.daemon.start()
        self.assertEqual(0, self.encryption()["unreadable"])
        self.assertIn(WORD, self.daemon.ctl("audit", "export"), "those who may see it do")
        export = os.path.join(self.directory, "audit.jsonl")
        with open(export, "w", encoding="utf-8") as file:
            file.write(self.daemon.ctl("audit", "export"))
        self.assertNotIn("WRONG", self.daemon.ctl("audit", "verify", export, expect=None))
        self.lea.obey()
        self.daemon.ctl("retry", "--destination", "lea-one")
        self.daemon.ctl("resume", "lea-one")
        self.assert_delivered()

    def test_turned_on_for_what_is_there(self):
        self.use()
        self.daemon.start()
        self.daemon.ctl("pause", "lea-one")
        for number in range(10):
            self.post(number)
        self.daemon.stop()
        with self.assertRaises(AssertionError):
            self.assert_unreadable()
        self.use("first.key")
        self.daemon.start()
        for number in range(10, 15):
            self.post(number)
        self.wait_sealed()
        self.daemon.stop()
        self.assert_unreadable()
        self.daemon.start()
        self.daemon.ctl("resume", "lea-one")
        self.assert_delivered()
        kinds = [line for line in self.daemon.ctl("audit", "export").splitlines() if "store_sealed" in line]
        self.assertEqual(1, len(kinds))

    def test_a_missing_or_wrong_key_refuses_the_start(self):
        self.use("first.key")
        self.daemon.start()
        self.daemon.ctl("pause", "lea-one")
        self.post(0)
        first = self.encryption()["key"]
        self.daemon.stop()
        for names in ((), ("other.key",)):
            self.use(*names)
            self.daemon.start(ready=False)
            self.daemon.process.wait(30)
            self.assertNotEqual(0, self.daemon.process.popen.returncode)
            self.assertIn(first, self.daemon.process.log())
        for content, complaint in (("00", "64 hex digits"), ("x" * 64, "64 hex digits")):
            self.use("bad.key")
            with open(self.key("bad.key"), "w", encoding="ascii") as file:
                file.write(content)
            self.assertIn(complaint, self.daemon.check()[1])
        os.chmod(self.key("first.key"), 0o644)
        self.use("first.key")
        self.assertIn("open to others", self.daemon.check()[1])
        os.chmod(self.key("first.key"), 0o600)
        self.daemon.start()
        # One that is taken away while it is needed: the reload fails, and the daemon goes on.
        for names in ((), ("other.key",)):
            self.use(*names)
            self.daemon.ctl("reload", expect=1)
            self.assertIn(first, str(self.daemon.ctl_json("status")["last_reload"]["problems"]))
        self.post(1)
        self.daemon.ctl("resume", "lea-one")
        self.assert_delivered()

    def post_at_random(self, stopping, failures):
        try:
            number = 0
            while not stopping.is_set():
                with contextlib.suppress(OSError, AssertionError):
                    self.post_until_taken(number, stopping)
                    number += 1
                time.sleep(0.02)  # its pace
        except Exception as error:  # shown by the test
            failures.append(error)

    def post_until_taken(self, number, stopping):
        event = message(f"u-{WORD}", text=f"{WORD} {number}", conversation=f"{WORD}-conversation")
        if number % 5 == 0:
            event["attachments"] = [inline("a", WORD.encode() * 100, filename=f"{WORD}-{number}.jpg")]
        while not stopping.is_set():
            with contextlib.suppress(OSError):
                if self.daemon.post(event).status == 202:
                    self.sent.append(event["event_id"])
                    return
            time.sleep(0.01)
        # Whether the last one was taken nobody knows.
        with contextlib.suppress(OSError):
            wait_until(lambda: self.daemon.post(event).status == 202, "the last event is taken")
        self.sent.append(event["event_id"])

    def test_a_new_key_under_load_with_kills(self):
        print(f"seed {SEED}")
        chance = random.Random(SEED)
        self.use("first.key")
        self.daemon.start()
        self.daemon.ctl("pause", "lea-one")
        stopping, failures = threading.Event(), []
        self.in_background(self.post_at_random, stopping, failures)
        try:
            wait_until(lambda: len(self.sent) > 50, "some events")
            self.use("second.key", "first.key")
            self.daemon.reload()
            self.daemon.ctl("rekey", "--no-wait")
            for _ in range(ROUNDS // 2):
                time.sleep(chance.uniform(0, 0.3))
                self.daemon.process.kill()
                self.daemon.start()
            self.daemon.ctl("resume", "lea-one")
            self.assertIn("no other is needed", self.daemon.ctl("rekey"))
        finally:
            stopping.set()
            for thread in self.threads:
                thread.join()
        self.assertEqual([], failures)
        second = self.encryption()
        self.assertEqual(second["newest_key"], second["key"])
        os.unlink(self.key("first.key"))
        self.use("second.key")
        self.daemon.reload()
        self.wait_sealed()
        self.daemon.restart()
        self.assert_delivered()
        self.daemon.stop()
        self.assert_unreadable()

    def test_what_was_tampered_with_is_said_and_stops_nothing(self):
        self.use("first.key")
        self.daemon.start()
        self.daemon.ctl("pause", "lea-one")
        for number in range(1, 4):
            self.post(number)
        self.wait_sealed()
        self.daemon.stop()
        with contextlib.closing(sqlite3.connect(os.path.join(self.daemon.state, "store.db"))) as store:
            rows = [row for row, in store.execute("SELECT id FROM item ORDER BY id")]
            store.execute("UPDATE share SET octets=(SELECT octets FROM share WHERE id=?) WHERE id=?", (rows[2], rows[0]))
            store.execute("UPDATE warrant SET octets=x'00'")
            store.commit()
        self.daemon.start()
        self.assertTrue([a for a in self.daemon.ctl_json("status")["alarms"] if "not what was sealed" in a])
        self.assertGreaterEqual(self.daemon.metric("lihandover_records_unreadable_total"), 1)
        self.daemon.ctl("resume", "lea-one")
        # Its warrant is in its file, and the others go out.
        self.post(4)
        wait_until(lambda: self.daemon.waiting("lea-one", "refused") == 1, "the one that cannot be opened is refused")
        wait_until(lambda: len([i for i in self.lea.items() if i.accepted]) == 3, "the others")


if __name__ == "__main__":
    unittest.main()
