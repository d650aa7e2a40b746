"""No item and no LIID stops another, whatever an LEA answers: filters, broken nodes, lost answers, odd answers."""

import time
import unittest

from harness import Daemon, Lea, SystemTest, message, wait_until


class Judging(SystemTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.daemon = Daemon(self)
        self.destination = self.daemon.destination("lea-one", self.lea.port)
        for number in range(1, 10):
            self.daemon.warrant(f"LIID-{number}", "lea-one", ("user_id", f"u-{number}"),
                                priority="emergency" if number in (1, 9) else "routine")

    def begin(self, *rules):
        self.lea.start()
        self.lea.obey(*rules)
        self.daemon.start()

    def accepted(self):
        return {i.csp_text("text") for i in self.lea.items() if i.accepted}

    def wait_accepted(self, texts, what, timeout=None):
        wait_until(lambda: set(texts) <= self.accepted(), what, timeout)

    def test_a_filter_that_dislikes_one_text_stops_nobody(self):
        # `contains` is looked for in the message as it comes.
        for answer in ({"status": 403}, {"status": 302}, {"status": 429}, {"status": 503, "retry_after": 3600}):
            with self.subTest(**answer):
                rule = {"kind": "status", "contains": "disliked", **answer}
                if self.daemon.process is None:
                    self.begin(rule)
                self.lea.obey(rule)
                name = str(answer["status"])
                texts = [f"{name}-{n}" for n in range(100)]
                self.daemon.accept(message("u-1", text=f"disliked {name}"),
                                   *(message(f"u-{n % 7 + 2}", text=text) for n, text in enumerate(texts)))
                self.wait_accepted(texts, "all others", 20)
                self.assertFalse(self.daemon.items("refused"))
                self.lea.obey()
                self.daemon.ctl("retry", "--destination", "lea-one")

    def test_three_liids_that_fail_do_not_keep_an_emergency_waiting(self):
        self.destination["retry"] = {"initial": "50ms", "maximum": "20s"}
        for rule in ({"kind": "status", "status": 500}, {"kind": "garbage"}, {"kind": "drop", "moment": "answering"}):
            with self.subTest(**rule):
                rules = [{**rule, "contains": "disliked"}]
                if self.daemon.process is None:
                    self.begin(*rules)
                self.lea.obey(*rules)
                self.daemon.accept(*(message(f"u-{n}", text=f"disliked {rule['kind']}") for n in (2, 3, 4)))
                wait_until(lambda: self.daemon.metric("lihandover_destination_paused", destination="lea-one"), "a pause")
                begun = time.monotonic()
                self.daemon.accept(message("u-9", text=f"urgent {rule['kind']}"))
                self.wait_accepted([f"urgent {rule['kind']}"], "the emergency")
                self.assertLess(time.monotonic() - begun, 10)
                self.lea.obey()
                self.daemon.wait_delivered()

    def test_one_broken_node_of_three_convicts_nobody(self):
        for rule in ({"kind": "status", "status": 404, "every": 3},
                     {"kind": "status", "status": 404, "nodes": 3, "node": 0}):
            with self.subTest(**rule):
                if self.daemon.process is None:
                    self.begin(rule)
                self.lea.obey(rule)
                name = "connection" if "nodes" in rule else "request"
                texts = [f"{name} {n}" for n in range(180)]
                self.daemon.accept(*(message(f"u-{n % 9 + 1}", text=text) for n, text in enumerate(texts)))
                self.wait_accepted(texts, "all of them")
                self.assertEqual([], self.daemon.items("refused"))

    def test_an_object_that_exists_was_delivered(self):
        self.begin({"kind": "drop", "moment": "answering", "times": 1}, {"kind": "exists"})
        self.daemon.accept(message("u-2", text="lost answer"))
        self.daemon.wait_delivered()
        self.assertEqual([], self.daemon.items())
        self.assertEqual(1, len({i.object_id for i in self.lea.items()}))

    def test_odd_answers_that_say_what_is_needed_count(self):
        self.destination["max_actions_per_message"] = 5
        for rule in ({"kind": "foreign"}, {"kind": "first_only"}, {"kind": "under_status", "status": 202}):
            with self.subTest(**rule):
                if self.daemon.process is None:
                    self.begin(rule)
                self.lea.obey(rule)
                texts = [f"{rule['kind']} {n}" for n in range(20)]
                self.daemon.accept(*(message(f"u-{n % 9 + 1}", text=text) for n, text in enumerate(texts)))
                self.wait_accepted(texts, "all of them")
                self.daemon.wait_delivered()
                self.assertEqual([], self.daemon.items("refused"))

    def test_an_error_for_the_whole_message_counts_whatever_its_transaction(self):
        self.begin({"kind": "stranger", "code": 3007, "contains": "disliked"})
        self.daemon.accept(message("u-2", text="disliked"))

        def refused():
            found = self.daemon.items("refused")
            if not found:
                self.daemon.accept(message("u-3", text="fine"))
            return found
        found, = wait_until(refused, "the item is refused")
        self.assertIn("3007", self.daemon.ctl("show", found["id"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
