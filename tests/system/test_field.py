"""LEAs as they are in the field: filters, broken nodes, answers in other words. One item stops nobody (promise 4)."""

import contextlib
import os
import sqlite3
import unittest

from fronts import Front
from harness import Daemon, Lea, SystemTest, inline, message, wait_until

DELIVERED, PAUSED, RESUMED = 4, 17, 18  # kinds of audit entries
LONG = "600s"  # longer than any test waits: who gets through did not wait for it


class FieldTest(SystemTest):
    LIIDS = 10

    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.daemon = Daemon(self)
        self.configure()

    def configure(self, port=None, **more):
        self.daemon.destination("lea-one", port or self.lea.port, retry={"initial": "50ms", "maximum": LONG},
                                **{"connections": 4, **more})

    def warrants(self, count=None, deliver=("metadata", "content")):
        for number in range(count or self.LIIDS):
            self.daemon.warrant(f"LIID-{number}", "lea-one", ("user_id", f"u-{number}"), deliver=list(deliver))

    def post(self, rounds, text="harmless"):
        """`rounds` events for each LIID; how many."""
        events = [message(f"u-{number}", text=f"{text} {turn}") for turn in range(rounds) for number in range(self.LIIDS)]
        self.daemon.accept(*events)
        return len(events)

    def accepted(self, lea=None):
        return [item for item in (lea or self.lea).items() if item.accepted]

    def wait_accepted(self, count, text="harmless"):
        def there():
            found = [i for i in self.accepted() if (i.csp_text("text") or "").startswith(text)]
            return found if len({i.object_id for i in found}) >= count else None
        return wait_until(there, f"{count} items are accepted")

    def expect_once(self, items):
        """None of them was sent again after it had been accepted."""
        self.assertEqual(len(items), len({i.object_id for i in items}))

    def more(self):
        """Suspects are found by comparison: others have to be accepted between."""
        self.daemon.accept(message("u-2", text="another"))

    def states(self, *states):
        return [item for state in states for item in self.daemon.items(state)]

    def destination(self):
        found, = [one for one in self.daemon.ctl_json("status")["destinations"] if one["name"] == "lea-one"]
        return found

    def records(self, *kinds):
        """(destination, LIID, who, why, code, code_kind) of the audit entries of these kinds, once the daemon has ended."""
        self.daemon.stop()
        with contextlib.closing(sqlite3.connect(os.path.join(self.daemon.state, "store.db"))) as store:
            return store.execute(
                "SELECT l.destination, l.liid, n.who, n.why, n.code, n.code_kind FROM record r JOIN record_note n ON "
                "n.record=r.id JOIN lane l ON l.id=r.lane WHERE r.kind IN (%s) ORDER BY r.id" %
                ",".join(map(str, kinds))).fetchall()


class OnePoisonItem(FieldTest):
    def beside(self, rule, priority="emergency"):
        """An item that `rule` is about, and others, which are delivered all the same."""
        self.daemon.warrant("LIID-poison", "lea-one", ("user_id", "u-poison"), priority=priority)
        self.warrants()
        self.lea.start()
        self.lea.obey({**rule, "contains": "deadly"})
        self.daemon.start()
        self.daemon.accept(message("u-poison", text="deadly poison"))
        self.wait_accepted(self.post(5))

    def poison(self, rule, state, priority="emergency"):
        """Gives back the item once it is in `state`."""
        self.beside(rule, priority)
        count = self.LIIDS * 5
        wait_until(lambda: self.states(state) or self.more(), f"the poison item is {state}")
        item, = self.states(state)
        self.assertEqual("LIID-poison", item["liid"])
        self.assertEqual([], self.states({"refused": "set_aside", "set_aside": "refused"}[state]))
        self.assertIn(item["id"], self.daemon.logs(), "the log names it")
        # Its LIID goes on without it.
        self.daemon.accept(message("u-poison", text="harmless after it"))
        self.wait_accepted(count + 1)
        return item

    def test_a_filter_answers_403(self):
        item = self.poison({"kind": "status", "status": 403}, "set_aside")
        # Listed, shown, counted, and an alarm.
        self.assertIn("http_status 403", self.daemon.ctl("show", item["id"]))
        self.assertEqual(1, self.daemon.metric("lihandover_outbox_items", destination="lea-one", state="set_aside"))
        self.assertEqual((1, [item["id"]]), (self.destination()["set_aside"], self.destination()["set_aside_items"]))
        self.assertTrue([alarm for alarm in self.daemon.ctl_json("status")["alarms"] if "set aside" in alarm])
        self.lea.obey()
        self.daemon.ctl("retry", item["id"])
        wait_until(lambda: any(i.object_id == item["id"] for i in self.accepted()), "the retried item is accepted")
        wait_until(lambda: self.daemon.items() == [], "nothing waits")

    def test_a_filter_answers_403_to_a_routine_item(self):
        self.poison({"kind": "status", "status": 403}, "set_aside", "routine")

    def test_a_filter_redirects(self):
        self.poison({"kind": "status", "status": 302, "location": "https://127.0.0.1:1/blocked"}, "set_aside")

    def test_a_filter_wants_patience(self):
        self.beside({"kind": "status", "status": 503, "retry_after": 3600})

    def test_too_many_requests_for_one_text(self):
        self.beside({"kind": "status", "status": 429, "retry_after": 3600})

    def test_a_server_fails_at_one_text(self):
        self.poison({"kind": "status", "status": 500}, "set_aside")

    def test_a_server_dies_of_one_text(self):
        self.poison({"kind": "drop", "moment": "answering"}, "set_aside")

    def test_a_page_instead_of_an_answer(self):
        self.poison({"kind": "garbage"}, "set_aside")

    def test_a_server_finds_one_text_bad(self):
        self.poison({"kind": "status", "status": 400}, "refused")


class Nodes(FieldTest):
    def all_delivered(self, rule, rounds):
        self.warrants()
        self.lea.start()
        self.lea.obey(rule)
        self.daemon.start()
        self.wait_accepted(self.post(rounds))
        self.daemon.wait_delivered()
        self.assertEqual([], self.states("refused", "set_aside"), "a broken node convicts nobody")

    def test_one_of_three_answers_404_by_request(self):
        self.all_delivered({"kind": "status", "status": 404, "every": 3}, 12)

    def test_one_of_three_answers_500_by_request(self):
        self.all_delivered({"kind": "status", "status": 500, "every": 3}, 12)

    def test_one_of_three_answers_404_by_connection(self):
        self.all_delivered({"kind": "status", "status": 404, "nodes": 3, "node": 0}, 12)


class Codes(FieldTest):
    def test_a_lost_answer_and_then_3010_is_an_acceptance(self):
        self.warrants()
        self.lea.start()
        self.lea.obey({"kind": "drop", "moment": "answering", "times": 1}, {"kind": "exists"})
        self.daemon.start()
        count = self.post(2)
        self.daemon.wait_delivered()
        wait_until(lambda: self.daemon.items() == [], "nothing waits")
        self.assertEqual(count, len({i.object_id for i in self.lea.items()}))
        self.assertEqual(count, len(self.states("delivered")))
        had, = [item for item in self.states("delivered") if "answer" in item]
        shown = self.daemon.ctl("show", had["id"])
        self.assertIn("hi1_error 3010", shown)
        self.assertIn("the LEA had it already", shown)
        self.assertEqual([("lea-one", had["liid"], "", "the LEA had it already", 3010, 0)], self.records(DELIVERED))

    def test_3010_at_first_is_a_refusal_and_show_names_it(self):
        self.warrants()
        self.lea.start()
        self.lea.obey({"kind": "refuse", "code": 3010, "liid": "LIID-1"})
        self.daemon.start()
        self.post(1)
        wait_until(lambda: self.states("refused"), "the item is refused")
        item, = self.states("refused")
        shown = self.daemon.ctl("show", item["id"])
        self.assertIn("3010", shown)
        self.assertIn("already exists", shown)

    def test_codes_about_the_systems_refuse_nothing(self):
        for code in (3004, 3019, 3020, 3021):
            with self.subTest(code=code):
                self.daemon = Daemon(self, f"daemon-{code}")
                self.configure()
                self.warrants()
                if self.lea.process is None:
                    self.lea.start()
                self.lea.obey({"kind": "error", "code": code})
                self.daemon.start()
                count = self.post(2, f"told {code}")
                wait_until(lambda: self.daemon.metric("lihandover_destination_paused", destination="lea-one"),
                           "the destination is paused")
                self.assertEqual([], self.states("refused", "set_aside"))
                self.lea.obey()
                self.daemon.ctl("resume", "lea-one")
                self.wait_accepted(count, f"told {code}")
                self.daemon.stop()

    def test_an_error_under_a_new_transaction_counts(self):
        self.warrants()
        self.lea.start()
        self.lea.obey({"kind": "stranger", "code": 3007, "contains": "deadly"})
        self.daemon.start()
        self.daemon.accept(message("u-1", text="deadly poison"))
        self.wait_accepted(self.post(3))
        wait_until(lambda: self.states("refused") or self.more(), "the item is refused")
        self.assertEqual(["LIID-1"], [item["liid"] for item in self.states("refused")])

    def test_a_message_too_large_goes_in_smaller_ones(self):
        self.configure(max_actions_per_message=20, connections=1)
        self.LIIDS = 1
        self.warrants()
        self.lea.start()
        self.lea.obey({"kind": "error", "code": 3022, "times": 3})
        self.daemon.start()
        self.wait_accepted(self.post(60))
        self.assertEqual([], self.states("refused", "set_aside"))

    def test_only_the_first_action_is_answered(self):
        self.configure(max_actions_per_message=20)
        self.warrants()
        self.lea.start()
        self.lea.obey({"kind": "first_only"})
        self.daemon.start()
        self.wait_accepted(self.post(6))
        self.daemon.wait_delivered()
        self.assertEqual([], self.states("refused", "set_aside"))

    def test_other_words_and_other_successes_count(self):
        self.warrants()
        self.lea.start()
        self.lea.obey({"kind": "foreign", "every": 2}, {"kind": "under_status", "status": 202})
        self.daemon.start()
        count = self.post(4)
        self.expect_once(self.wait_accepted(count))
        self.daemon.wait_delivered()

    def test_an_error_under_500_is_no_verdict(self):
        self.warrants()
        self.lea.start()
        self.lea.obey({"kind": "under_status", "status": 500, "code": 500, "times": 5})
        self.daemon.start()
        self.wait_accepted(self.post(3))
        self.daemon.wait_delivered()
        self.assertEqual([], self.states("refused", "set_aside"))


class Uploads(FieldTest):
    def test_a_filter_of_one_object_holds_up_no_other(self):
        self.configure(binary={"model": "B", "expiry": "1h", "continue_timeout": "2s",
                               "url_template": f"https://127.0.0.1:{self.lea.port}/binaryData/{{object_identifier}}/"})
        self.warrants(deliver=("metadata", "content", "binary"))
        self.lea.start()
        self.lea.obey({"kind": "status", "status": 403, "on": "uploads", "contains": "image/poison"})
        self.daemon.start()
        kinds = ["image/poison"] + ["image/jpeg"] * 20
        for number, kind in enumerate(kinds):
            self.daemon.accept(message(f"u-{number % self.LIIDS}", attachments=[
                inline("a", bytes([number]) * 1000, content_type=kind)]))
        wait_until(lambda: sum(o["outcome"] == "stored" for o in self.lea.objects()) == 20,
                   "all others are stored")


    def test_a_filter_of_emergencies_stops_no_routine_object(self):
        self.daemon.destination("lea-one", self.lea.port, retry={"initial": "50ms", "maximum": "2s"}, binary={
            "model": "B", "expiry": "1h", "continue_timeout": "2s",
            "url_template": f"https://127.0.0.1:{self.lea.port}/binaryData/{{object_identifier}}/"})
        self.daemon.warrant("LIID-urgent", "lea-one", ("user_id", "u-urgent"), priority="emergency",
                            deliver=["metadata", "content", "binary"])
        self.warrants(deliver=("metadata", "content", "binary"))
        self.lea.start()
        self.lea.obey({"kind": "status", "status": 403, "on": "uploads", "contains": "image/poison"})
        self.daemon.start()
        for number in range(12):
            self.daemon.accept(message("u-urgent", attachments=[
                inline("a", bytes([number]) * 1000, content_type="image/poison")]))
        wait_until(lambda: self.daemon.metric("lihandover_uploads_paused", destination="lea-one", reason="credentials"),
                   "uploads are paused")
        for number in range(8):
            self.daemon.accept(message(f"u-{number}", attachments=[inline("a", bytes([number]) * 1000)]))
        wait_until(lambda: sum(o["outcome"] == "stored" for o in self.lea.objects()) == 8, "all others are stored")


class Names(FieldTest):
    def test_a_name_that_hangs_is_its_own_destinations_matter(self):
        asked = os.path.join(self.directory, "asked")
        self.preload_shim(self.daemon, SHIM_NAME_ASKED=asked)
        hanging = self.daemon.destination("lea-two", self.lea.port)
        hanging["url"] = "https://lea.hangs.example:8443/hi"
        self.daemon.warrant("LIID-hangs", "lea-two", ("user_id", "u-hangs"))
        self.warrants()
        self.lea.start()
        self.daemon.start()
        self.daemon.accept(message("u-hangs"))
        wait_until(lambda: os.path.exists(asked), "the name is looked up")
        self.wait_accepted(self.post(3))
        self.assertEqual(1, self.daemon.waiting("lea-two"))

    def test_a_busy_connection_follows_its_name(self):
        name = os.path.join(self.directory, "address")
        two = Lea(self, "two")
        two.start()
        self.lea.start()
        Front(self, two, port=self.lea.port, address="127.0.0.2")  # the same port at another address
        self.preload_shim(self.daemon, SHIM_NAME_IS=name)

        def moves_to(address):
            with open(name + ".new", "w", encoding="ascii") as file:
                file.write(address)
            os.rename(name + ".new", name)
        moves_to("127.0.0.1")
        self.configure(connections=1, connection_lifetime="1s", server_name="127.0.0.1")
        self.daemon.configuration["destinations"]["lea-one"]["url"] = f"https://lea.moves.example:{self.lea.port}/hi"
        self.warrants()
        self.daemon.start()
        self.wait_accepted(self.post(1))
        moves_to("127.0.0.2")

        def followed():
            self.daemon.accept(message("u-1"))
            return self.accepted(two)
        wait_until(followed, "the busy connection goes where the name leads now")
        self.daemon.wait_delivered()


class Urls(FieldTest):
    def test_the_second_url_is_used_while_the_first_is_out(self):
        two = Lea(self, "two")
        destination = self.daemon.configuration["destinations"]["lea-one"]
        del destination["url"]
        destination["urls"] = [f"https://127.0.0.1:{lea.port}/hi" for lea in (self.lea, two)]
        self.warrants()
        self.lea.start()
        two.start()
        self.daemon.start()
        self.wait_accepted(self.post(1))
        self.assertEqual([], self.accepted(two))
        self.lea.kill()
        count = self.post(2)
        wait_until(lambda: len(self.accepted(two)) == count, "all arrive at the second")
        self.daemon.wait_delivered()
        self.assertEqual([], self.states("refused", "set_aside"))


class Operators(FieldTest):
    def test_resume_ends_a_wait_that_the_lea_asked_for(self):
        self.warrants()
        self.lea.start()
        self.lea.obey({"kind": "status", "status": 503, "retry_after": 3600})
        self.daemon.start()
        count = self.post(2)
        wait_until(lambda: len(self.lea.items()) >= 2, "the LEA has asked for patience")
        self.lea.obey()
        self.daemon.ctl("resume", "lea-one")
        self.wait_accepted(count)

    def test_a_server_that_asks_for_no_time_at_all_is_not_hammered(self):
        self.warrants()
        self.lea.start()
        self.lea.obey({"kind": "status", "status": 503, "retry_after": 0})
        self.daemon.start()
        count = self.post(1)
        wait_until(lambda: self.daemon.metric("lihandover_destination_paused", destination="lea-one",
                                              reason="unavailable"), "it is an alarm")
        self.assertLess(len(self.lea.items()), 50)
        self.lea.obey()
        self.wait_accepted(count)

    def test_a_reload_does_not_shorten_a_wait_that_the_lea_asked_for(self):
        self.warrants()
        self.lea.start()
        self.lea.obey({"kind": "status", "status": 503, "retry_after": 3600})
        self.daemon.start()
        count = self.post(2)
        until = wait_until(lambda: self.destination()["next_attempt"], "the destination waits")
        arrived = len(self.lea.items())
        self.lea.obey()
        for _ in range(3):
            self.daemon.reload()
        self.assertEqual(until[:16], self.destination()["next_attempt"][:16])
        self.assertEqual(arrived, len(self.lea.items()))
        self.daemon.ctl("resume", "lea-one")
        self.wait_accepted(count)

    def test_pause_stops_a_destination_until_resume(self):
        self.warrants()
        self.lea.start()
        self.daemon.start()
        self.daemon.ctl("pause", "lea-one")
        count = self.post(2)
        self.daemon.reload()
        self.assertEqual([], self.lea.items())
        self.assertEqual(count, self.daemon.waiting("lea-one"))
        self.daemon.ctl("resume", "lea-one")
        self.wait_accepted(count)

    def test_a_pause_outlives_a_crash_and_is_on_record(self):
        self.warrants()
        self.lea.start()
        self.daemon.start()
        self.daemon.ctl("pause", "lea-one", "--operator", "alice")
        count = self.post(2)
        paused = self.destination()
        self.assertEqual("operator", paused["paused"])
        for _ in range(2):
            self.daemon.process.kill()
            self.daemon.start()
            self.assertEqual(("operator", paused["paused_since"][:19]),
                             (self.destination()["paused"], self.destination()["paused_since"][:19]))
            self.assertEqual([], self.lea.items())
        self.daemon.ctl("resume", "lea-one", "--operator", "bob")
        self.wait_accepted(count)
        self.daemon.restart()
        self.assertIsNone(self.destination()["paused"])
        entries = self.records(PAUSED, RESUMED)
        self.assertEqual([("lea-one", "", "alice"), ("lea-one", "", "bob")],
                         [(destination, liid, who.split(" (uid ")[0]) for destination, liid, who, *_ in entries])


if __name__ == "__main__":
    unittest.main()
