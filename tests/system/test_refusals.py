"""What an LEA can answer, and what it costs whom."""

import re
import unittest

from harness import Daemon, Lea, SystemTest, message, wait_until


class Refusals(SystemTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.daemon = Daemon(self)
        self.daemon.destination("lea-one", self.lea.port)
        for name in ("1", "2"):
            self.daemon.warrant(f"LIID-{name}", "lea-one", ("user_id", f"u-{name}"))

    def arrived(self, condition, what):
        return wait_until(lambda: [i for i in self.lea.items() if condition(i)], what)

    def paused(self, destination="lea-one"):
        return bool(self.daemon.metric("lihandover_destination_paused", destination=destination))

    def refused_items(self, count):
        wait_until(lambda: self.daemon.waiting(state="refused") == count, f"{count} refused items")
        return self.daemon.items("refused")

    def test_refused_item_waits_for_an_operator_and_others_go_on(self):
        self.lea.start(refuse_liid={"LIID-1": 3999})
        self.daemon.start()
        self.daemon.accept(message("u-1", text="refused"), message("u-2", text="fine"))
        self.daemon.accept(message("u-2", text="fine too"))
        item, = self.refused_items(1)
        self.assertEqual(("LIID-1", "lea-one", "refused"), (item["liid"], item["destination"], item["state"]))
        self.arrived(lambda i: i.accepted and i.csp_text("text") == "fine too", "the other LIID's items")
        shown = self.daemon.ctl("show", item["id"])
        self.assertIn("3999", shown)
        self.assertIn(Lea.WORDS, shown, "the LEA's words are for the operator")
        self.assertNotIn(Lea.WORDS, self.daemon.logs(), "and for nobody else")
        self.assertNotIn(Lea.WORDS, self.daemon.metrics_text())
        # Kept over a restart, and not tried by itself.
        self.daemon.restart()
        self.assertEqual([item["id"]], [i["id"] for i in self.daemon.items("refused")])
        self.lea.stop()
        self.lea.start()
        self.daemon.ctl("retry", item["id"])
        again, = self.arrived(lambda i: i.accepted and i.liid == "LIID-1", "the retried item")
        self.assertEqual(item["id"], again.object_id)
        self.assertEqual(1, len({i.bytes for i in self.lea.items() if i.object_id == item["id"]}))
        wait_until(lambda: self.daemon.items() == [], "nothing waits")

    def test_rejected_item_is_never_delivered(self):
        self.lea.start(refuse_liid={"LIID-1": 3999})
        self.daemon.start()
        self.daemon.accept(message("u-1", text="not to be delivered"))
        item, = self.refused_items(1)
        self.daemon.ctl("reject", item["id"], expect=1)  # needs a reason
        self.assertEqual(1, len(self.daemon.items("refused")))
        self.daemon.ctl("reject", item["id"], "--reason", "agreed with the LEA by telephone")
        self.assertEqual([], self.daemon.items("refused"))
        self.assertEqual([item["id"]], [i["id"] for i in self.daemon.items("rejected")])
        self.assertIn("agreed with the LEA by telephone", self.daemon.ctl("show", item["id"]))
        self.daemon.ctl("retry", item["id"], expect=1)
        self.lea.stop()
        self.lea.start()
        self.daemon.accept(message("u-1", text="the next"))
        self.arrived(lambda i: i.accepted and i.csp_text("text") == "the next", "the next item")
        self.assertFalse([i for i in self.lea.items() if i.accepted and i.object_id == item["id"]])

    def test_bulk_retry_takes_one_code_of_one_destination(self):
        self.lea.start(refuse_liid={"LIID-1": 3999, "LIID-2": 3007})
        self.daemon.start()
        self.daemon.accept(message("u-1"), message("u-1"), message("u-2"))
        self.refused_items(3)
        self.lea.stop()
        self.lea.start()
        self.daemon.ctl("retry", "--destination", "lea-one", "--code", "3999")
        wait_until(lambda: [i["liid"] for i in self.daemon.items("refused")] == ["LIID-2"],
                   "only the other code is left")
        self.daemon.wait_delivered()
        self.daemon.ctl("retry", "--destination", "lea-one")
        wait_until(lambda: self.daemon.items() == [], "nothing waits")

    def test_retryable_code_is_tried_again(self):
        self.daemon.configuration["destinations"]["lea-one"]["retry"]["error_codes"] = [Lea.RETRYABLE]
        self.lea.start(refuse_liid={"LIID-1": Lea.RETRYABLE})
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        self.arrived(lambda i: not i.accepted, "a refusal")
        self.lea.stop()
        self.lea.start()
        self.arrived(lambda i: i.accepted, "the acceptance")
        self.assertEqual(1, len({i.object_id for i in self.lea.items()}))

    def test_server_errors_are_retried_with_the_same_object(self):
        for status in (500, 503, 408, 429):
            with self.subTest(status=status):
                self.lea.start(http_status=status)
                if self.daemon.process is None:
                    self.daemon.start()
                self.daemon.accept(message("u-1", text=str(status)))
                tries = lambda: [i for i in self.lea.items() if i.csp_text("text") == str(status)]
                wait_until(lambda: len(tries()) >= 2, "a second attempt")
                self.assertFalse(self.daemon.items("refused"))
                self.lea.stop()
                self.lea.start()
                wait_until(lambda: any(i.accepted for i in tries()), "the acceptance")
                self.assertEqual(1, len({i.bytes for i in tries()}))
                transactions = [i.transaction for i in tries()]
                self.assertEqual(len(transactions), len(set(transactions)), "a new transaction for each attempt")
                self.lea.stop()

    def test_credentials_and_redirects_pause_the_destination(self):
        for status in (401, 403, 302, 307):
            with self.subTest(status=status):
                self.lea.start(http_status=status)
                if self.daemon.process is None:
                    self.daemon.start()
                self.daemon.accept(message("u-1", text=str(status)))
                wait_until(self.paused, "the destination is paused")
                self.assertFalse(self.daemon.items("refused"))
                self.assertIn("lea-one", self.daemon.ctl("status"))
                self.lea.stop()
                self.lea.start()
                wait_until(lambda: any(i.accepted and i.csp_text("text") == str(status) for i in self.lea.items()),
                           "probed and delivered")
                wait_until(lambda: not self.paused(), "no longer paused")
                self.lea.stop()

    def test_senseless_answers_lose_nothing(self):
        for kind in ("wrong_transaction", "garbage", "unanswered", "answered_twice"):
            with self.subTest(kind=kind):
                self.lea.start(**{kind: True})
                if self.daemon.process is None:
                    self.daemon.start()
                self.daemon.accept(message("u-1", text=kind))
                wait_until(lambda: any(i.csp_text("text") == kind for i in self.lea.items()), "an attempt")
                wait_until(lambda: self.daemon.metric("lihandover_delivery_attempts_total", outcome="senseless_answer"),
                           "the answer is judged")
                self.assertEqual(1, len(self.daemon.items("queued")))
                self.assertFalse(self.daemon.items("refused"))
                self.lea.stop()
                self.lea.start()
                wait_until(lambda: any(i.accepted and i.csp_text("text") == kind for i in self.lea.items()),
                           "delivered")
                self.daemon.wait_delivered()
                self.lea.stop()

    def test_tls_that_fails_pauses_and_nothing_is_sent(self):
        for name, certificate, client_ca in (("a certificate for another name", "lea-other-name", "lea-ca"),
                                             ("an expired certificate", "lea-expired", "lea-ca"),
                                             ("an unknown authority", "stranger", "lea-ca"),
                                             ("our certificate is not taken", "lea", "stranger-ca")):
            with self.subTest(name):
                bad = Lea(self, "bad", certificate=certificate, client_ca=client_ca, port=self.lea.port)
                bad.start()
                if self.daemon.process is None:
                    self.daemon.start()
                self.daemon.accept(message("u-1", text=name))
                wait_until(self.paused, "the destination is paused")
                self.assertEqual([], bad.items())
                bad.stop()
                self.lea.start()
                wait_until(lambda: any(i.accepted and i.csp_text("text") == name for i in self.lea.items()),
                           "delivered")
                wait_until(lambda: not self.paused(), "no longer paused")
                self.lea.stop()

    def test_lea_that_is_down_costs_the_other_nothing(self):
        other = Lea(self, "lea-two", certificate="lea-two", client_ca="lea-two-ca")
        other.start()
        self.daemon.destination("lea-two", other.port, certificate="csp-two", ca="lea-two-ca")
        self.daemon.warrant("LIID-3", "lea-two", ("user_id", "u-1"))
        self.daemon.start()
        for begin in range(0, 300, 50):
            self.daemon.accept(*(message("u-1", text=str(n)) for n in range(begin, begin + 50)))
        wait_until(lambda: len(other.items()) == 300, "the other LEA has all of it")
        self.daemon.wait_delivered("lea-two")
        self.assertEqual(300, self.daemon.waiting("lea-one"))
        self.assertEqual(200, self.daemon.ready_status())
        self.lea.start()
        self.daemon.wait_delivered()
        self.assertEqual([str(n) for n in range(300)], [i.csp_text("text") for i in self.lea.items()])

    def test_accepted_actions_stay_accepted_when_an_earlier_one_is_tried_again(self):
        destination = self.daemon.configuration["destinations"]["lea-one"]
        destination.update(max_actions_per_message=10, connections=1)
        destination["retry"]["error_codes"] = [Lea.RETRYABLE]
        for number in range(3, 11):
            self.daemon.warrant(f"LIID-{number}", "lea-one", ("user_id", f"u-{number}"))
        self.daemon.start()
        self.daemon.accept(*(message(f"u-{n}", text=str(n)) for n in range(1, 11)))
        self.lea.start(refuse_liid={"LIID-1": Lea.RETRYABLE, "LIID-2": 3999})
        self.refused_items(1)
        wait_until(lambda: self.daemon.waiting() == 1, "only the one to be tried again is left")
        self.lea.stop()
        self.lea.start()
        self.daemon.wait_delivered()
        accepted = [i.csp_text("text") for i in self.lea.items() if i.accepted]
        self.assertEqual(sorted(map(str, [1, *range(3, 11)])), sorted(accepted), "each of the others once")

    def test_one_poison_item_stops_nobody(self):
        self.lea.start(reject_message_liid={"LIID-1": 400})
        self.daemon.start()
        self.daemon.accept(message("u-1", text="poison"), message("u-2", text="fine"))
        self.arrived(lambda i: i.accepted and i.csp_text("text") == "fine", "the other LIID's item")
        # Judged only beside one that was accepted after it: alone it might as well be the LEA that is broken.
        self.arrived(lambda i: len([j for j in self.lea.items() if j.object_id == i.object_id]) >= 3, "three tries")

        def judged():
            self.daemon.accept(message("u-2", text="fine too"))
            return self.daemon.waiting(state="refused") == 1
        wait_until(judged, "the poison is put aside")
        item, = self.daemon.items("refused")
        self.assertEqual("LIID-1", item["liid"])
        self.assertFalse(self.paused())

    def test_broken_lea_does_not_turn_a_backlog_into_refusals(self):
        self.daemon.start()
        self.daemon.accept(*(message("u-1", text=str(n)) for n in range(20)), *(message("u-2") for _ in range(20)))
        self.lea.start(http_status=400)
        wait_until(self.paused, "the destination is paused")
        self.assertGreaterEqual(1, len(self.daemon.items("refused")))
        self.lea.stop()
        self.lea.start()
        self.daemon.wait_delivered()
        texts = [i.csp_text("text") for i in self.lea.items() if i.accepted and i.liid == "LIID-1"]
        self.assertEqual(sorted(texts, key=int), texts, "in order all the same")
        accepted = {i.object_id for i in self.lea.items() if i.accepted}
        self.assertEqual(40, len(accepted) + len(self.daemon.items("refused")))

    def test_logs_say_nothing_of_the_lea_or_the_parties(self):
        self.lea.start(refuse_liid={"LIID-1": 3999})
        self.daemon.start()
        self.daemon.accept(message("u-1", text="unmistakable words"))
        self.refused_items(1)
        text = self.daemon.logs() + self.daemon.metrics_text()
        self.assertIsNone(re.search(r"LIID-1|u-1\b|unmistakable", text))


if __name__ == "__main__":
    unittest.main(verbosity=2)
