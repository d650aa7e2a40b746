"""kill -9 at random moments, with an LEA that behaves badly: nothing that was accepted is lost."""

import collections
import os
import random
import threading
import time
import unittest

from harness import Daemon, Lea, SystemTest, message, wait_until

SEED = int(os.environ.get("LIHANDOVER_TEST_SEED", "707"))
ROUNDS = int(os.environ.get("LIHANDOVER_TEST_CRASHES", "8"))
LIIDS = 12
SOURCES = 3


class Source:
    """Sends events in batches and follows the rules for sources: what was not answered is sent again."""

    def __init__(self, daemon, number, seed):
        self.daemon = daemon
        self.random = random.Random(seed)
        self.number = number
        self.sent = {}  # event id -> LIID number
        self.accepted = []  # event ids answered with success, in that order
        self.stopping = threading.Event()
        self.failure = None

    def run(self):
        try:
            while not self.stopping.is_set():
                self.hand_in()
                time.sleep(self.random.uniform(0, 0.02))  # its pace, so that the test is not about the backlog alone
        except Exception as error:  # shown by the test
            self.failure = error

    def hand_in(self):
        batch = []
        for _ in range(self.random.randint(1, 12)):
            liid = self.random.randrange(LIIDS + 3)  # the last three are under no warrant
            batch.append(message(f"u-{liid}", f"x-{self.number}", f"text {len(self.sent) + len(batch)}", f"c-{liid}"))
        self.sent.update((e["event_id"], int(e["sender"]["identifiers"][0]["value"][2:])) for e in batch)
        while not self.stopping.is_set():
            try:
                answer = self.daemon.post_many(batch)
            except OSError:
                time.sleep(0.01)
                continue
            if answer.status == 202:
                assert answer.json() == {"accepted": len(batch)}, answer
                self.accepted += [e["event_id"] for e in batch]
                return
            if answer.status != 503:
                raise AssertionError(f"neither taken nor put off: {answer}")
            time.sleep(0.01)


class Crash(SystemTest):
    def scenario(self, seed, max_actions):
        chance = random.Random(seed)
        print(f"seed {seed}")
        lea = Lea(self)
        misbehaviour = dict(drop_before=0.03, drop_after=0.03, garbage=0.02, status_503=0.03, refuse_retryable=0.03,
                            delay_ms=5)
        lea.start(chaos=misbehaviour, seed=seed)
        daemon = Daemon(self)
        daemon.destination("lea-one", lea.port, max_actions_per_message=max_actions, connections=8,
                           retry={"initial": "5ms", "maximum": "50ms", "error_codes": [Lea.RETRYABLE]})
        for number in range(LIIDS):
            daemon.warrant(f"LIID-{number}", "lea-one", ("user_id", f"u-{number}"))
        daemon.start()
        sources = [Source(daemon, n, seed * 100 + n) for n in range(SOURCES)]
        for source in sources:
            self.in_background(source.run)
        try:
            for number in range(ROUNDS):
                # It lives until so many more have arrived, and then for a random moment.
                seen = len(lea.items()) + chance.randint(1, 120)
                wait_until(lambda: len(lea.items()) >= seen, "items at the LEA")
                time.sleep(chance.uniform(0, 0.05))
                daemon.process.kill()
                if number % 3 == 1:
                    lea.kill()
                    lea.start(chaos=misbehaviour, seed=seed + number)
                # A crash during the start, too.
                if number % 4 == 2:
                    daemon.start(ready=False)
                    time.sleep(chance.uniform(0, 0.1))
                    daemon.process.kill()
                daemon.start()
        finally:
            for source in sources:
                source.stopping.set()
            for thread in self.threads:
                thread.join()
        for source in sources:
            self.assertIsNone(source.failure)
        self.assertTrue([i for i in lea.items() if not i.accepted], "the LEA was too well-behaved")
        lea.behave()
        daemon.wait_delivered()
        self.assertEqual([], daemon.items("refused"))
        daemon.stop()
        self.compare(sources, lea.items())

    def compare(self, sources, items):
        self.assertTrue(items)
        sent = {k: v for s in sources for k, v in s.sent.items()}
        accepted = [e for s in sources for e in s.accepted]
        self.assertTrue(accepted)

        by_object, object_of, first_arrivals = {}, {}, collections.defaultdict(list)
        taken = set()
        for item in items:
            event_id = item.csp_text("eventId")
            if item.object_id in by_object:
                self.assertEqual(by_object[item.object_id].bytes, item.bytes, "a repeat is the same bytes")
            else:
                by_object[item.object_id] = item
                key = (item.liid, event_id)
                self.assertNotIn(key, object_of, "one item for each event and warrant, however often it was handed in")
                object_of[key] = item.object_id
                first_arrivals[item.liid].append(item)
            if item.accepted:
                taken.add(item.object_id)

        lost = [e for e in accepted if sent[e] < LIIDS and (f"LIID-{sent[e]}", e) not in object_of]
        self.assertEqual([], lost, "accepted and lost")
        self.assertEqual(set(by_object), taken, "everything that was shown was accepted in the end")
        stray = [key for key in object_of if key[0] != f"LIID-{sent[key[1]]}"]
        self.assertEqual([], stray)
        for liid, arrived in first_arrivals.items():
            self.assertEqual(1, len({i.level for i in arrived}), "one level id per conversation")
            self.assertEqual(list(range(len(arrived))), [i.sequence for i in arrived],
                             f"{liid}: in order, from zero, without a gap")
        print(f"{len(accepted)} events accepted, {len(by_object)} items, {len(items)} arrivals, "
              f"{sum(not i.accepted for i in items)} of them not accepted")

    def test_nothing_accepted_is_lost(self):
        self.scenario(SEED, 1)

    def test_nothing_accepted_is_lost_with_many_actions_per_message(self):
        self.scenario(SEED + 1, 10)


if __name__ == "__main__":
    unittest.main(verbosity=2)
