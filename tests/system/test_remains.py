"""After thousands of items that came and went in every way, nothing of their content is in any file (promise 12).

LIHANDOVER_REMAINS_ROUNDS says how many rounds of about 600 items it drives; a few are for every day.
"""

import base64
import contextlib
import os
import random
import sqlite3
import unittest

from harness import Daemon, Lea, SystemTest, inline, message, wait_until

ROUNDS = int(os.environ.get("LIHANDOVER_REMAINS_ROUNDS", "2"))
EVENTS = 300  # of each round, about each of two targets


def spellings(word):
    """The bytes as they are, and as base64 holds them wherever they begin."""
    found = [word]
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + word)
        found.append(text[4 if shift else 0:-4])
    return found


class Remains(SystemTest):
    def setUp(self):
        super().setUp()
        self.random = random.Random(20261127)
        self.lea = Lea(self)
        self.daemon = Daemon(self)
        binary = {"model": "B", "expiry": "1h", "continue_timeout": "5s",
                  "url_template": f"https://127.0.0.1:{self.lea.port}/binaryData/{{object_identifier}}/"}
        self.daemon.configuration["schema_validation"] = "sample"
        self.daemon.configuration["log_level"] = "info"
        self.daemon.destination("lea-one", self.lea.port, binary=binary, connections=4, max_actions_per_message=5)
        # Its items stay, so that what goes leaves gaps between what does not.
        self.daemon.destination("lea-down", 1, binary=binary)
        ordered = ["metadata", "content", "binary"]
        for number in range(4):
            self.daemon.warrant(f"LIID-{number}", "lea-one", ("user_id", f"u-{number}"), deliver=ordered)
        self.daemon.warrant("LIID-STAYS", "lea-down", ("user_id", "u-stays"), deliver=ordered)
        self.spool = os.path.join(self.directory, "spool")
        os.makedirs(self.spool)
        self.daemon.configuration["intake"]["attachment_root"] = self.spool

    def event(self, word, sender):
        """About `word`, in everything that is content or a name."""
        name = f"{word}-{os.urandom(4).hex()}"
        event = message(sender, f"{word}-receiver", f"{name}-text " * self.random.randrange(1, 60),
                        f"{word}-conversation-{self.random.randrange(20)}")
        attachments = []
        bytes = f"{name}-bytes ".encode() * self.random.randrange(1, 3000)
        way = self.random.randrange(12)
        if way == 0:
            attachments.append(inline("a1", bytes, content_type="image/jpeg", filename=f"{name}-inline.jpg"))
        elif way == 1:
            self.assert_status(201, self.daemon.put(f"{name}-put", bytes))
            attachments.append({"id": f"{word}-a2", "object": f"{name}-put", "filename": f"{name}-uploaded.jpg"})
        elif way == 2:
            with open(os.path.join(self.spool, f"{name}-file"), "wb") as file:
                file.write(bytes)
            attachments.append({"id": f"{word}-a3", "file": f"{name}-file"})
        if attachments:
            event["attachments"] = attachments
        return event

    def hand_in(self, word):
        events = [self.event(word, f"u-{self.random.randrange(4)}") for _ in range(EVENTS)]
        events += [self.event("stays-for-all-time", "u-stays") for _ in range(EVENTS)]
        self.random.shuffle(events)
        for begin in range(0, len(events), 50):
            self.daemon.accept(*events[begin:begin + 50])

    def keys_in_use(self, destination):
        """What opens the content of a destination's items and objects now."""
        with contextlib.closing(sqlite3.connect(f"file:{self.daemon.state}/store.db?mode=ro", uri=True)) as store:
            lanes = "(SELECT id FROM lane WHERE destination=?)"
            slots = [slot for table in ("item", "aside") for slot, in
                     store.execute(f"SELECT key_slot FROM {table} WHERE lane IN {lanes}", (destination,))]
            slots += [slot for slot, in store.execute("SELECT b.key_slot FROM blob b JOIN object o ON o.blob=b.id "
                                                      f"WHERE o.lane IN {lanes}", (destination,))]
        with open(os.path.join(self.daemon.state, "keys"), "rb") as file:
            keys = file.read()
        return {keys[32 * slot:32 * slot + 32] for slot in slots}

    def gone(self):
        return (self.daemon.waiting("lea-one") + self.daemon.waiting("lea-one", "refused") +
                self.daemon.waiting("lea-one", "set_aside") == 0 and
                not sum(self.daemon.metric("lihandover_objects", destination="lea-one", state=state) or 0
                        for state in ("attached", "queued", "refused", "set_aside")))

    def see_off(self):
        """Some are rejected while they wait, some refused and rejected or tried again, the others delivered."""
        waiting = [item["id"] for item in self.daemon.items("queued") if item["destination"] == "lea-one"]
        self.assertGreaterEqual(len(waiting), EVENTS)
        rejected = self.random.sample(waiting, len(waiting) // 5)
        self.daemon.ctl("reject", *rejected, "--reason", "test")
        self.lea.obey({"kind": "refuse", "code": 3005, "probability": 0.3}, {"kind": "drop", "moment": "answered",
                                                                             "probability": 0.05})
        self.daemon.ctl("resume", "lea-one")
        wait_until(lambda: self.daemon.waiting("lea-one") == 0, "each was delivered or refused")
        refused = [item["id"] for item in self.daemon.items("refused") if "object_of" not in item]
        self.assertTrue(refused)
        self.daemon.ctl("reject", *self.random.sample(refused, len(refused) // 2), "--reason", "test")
        self.lea.obey()
        self.daemon.ctl("retry", "--destination", "lea-one")

        def all_gone():
            if self.gone():
                return True
            left = [item["id"] for item in self.daemon.items("refused") if item["destination"] == "lea-one"]
            if left:
                self.daemon.ctl("retry", "--destination", "lea-one", expect=None)
            return False
        wait_until(all_gone, "nothing waits any more")

    def assert_nowhere(self, needles, when):
        for folder, _, names in os.walk(self.daemon.state):
            for name in names:
                try:
                    with open(os.path.join(folder, name), "rb") as file:
                        bytes = file.read()
                except FileNotFoundError:
                    continue  # the daemon runs, and replaces files
                for needle in needles:
                    at = bytes.find(needle)
                    self.assertEqual(-1, at, f"{name}, {when}: {bytes[max(0, at - 40):at + 120]!r}")

    def test_nothing_remains_of_what_was_delivered_or_rejected(self):
        self.lea.start()
        for number in range(ROUNDS):
            word = f"round{number}gone"
            self.daemon.start()
            self.daemon.ctl("pause", "lea-one")
            self.hand_in(word)
            keys = self.keys_in_use("lea-one")
            self.assertGreaterEqual(len(keys), EVENTS)
            self.see_off()
            needles = [*spellings(word.encode()), *self.random.sample(sorted(keys), 50)]
            if number % 2 == 0:
                self.daemon.process.kill()
                self.assert_nowhere(needles, "after a kill")
                self.daemon.start()
                self.daemon.stop()
            else:
                self.assert_nowhere(needles, "while it runs")
                self.daemon.stop()
            self.assert_nowhere(needles, "after a stop")
        self.assert_nowhere(spellings(b"stays-for-all-time"), "of what waits, as it is")


if __name__ == "__main__":
    unittest.main(verbosity=2)
