"""From an event at the intake to an accepted DELIVER at the LEA."""

import datetime
import json
import os
import re
import unittest

from harness import SOURCE, Daemon, Lea, SystemTest, message, now_text, party, wait_until


class Spine(SystemTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.lea.start()
        self.daemon = Daemon(self)
        self.daemon.destination("lea-one", self.lea.port, sender={"country_code": "XX", "unique_identifier": "GIVEN"},
                                receiver={"country_code": "GB", "unique_identifier": "Not specified"})

    def start(self):
        self.daemon.start()

    def delivered(self, count):
        return wait_until(lambda: (items := self.lea.items()) and len(items) >= count and items,
                          f"{count} items at the LEA")

    def test_message_under_a_warrant_arrives_as_a_valid_document(self):
        self.daemon.warrant("LIID-0001", "lea-one", ("user_id", "u-1001"))
        self.start()
        self.daemon.accept(message("u-1001", "u-2002", "See you at eight", "c-77",
                                   timestamp="2026-01-15T10:15:30.987654Z"))
        item, = self.delivered(1)
        self.assertTrue(item.accepted)
        self.assertTrue(item.valid, item.problem)
        self.assertEqual("LIID-0001", item.liid)
        self.assertEqual(item.identifier, item.object_id)
        self.assertRegex(item.object_id, r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
        self.assertEqual(("GB", "Not specified"), (item.country, item.owner))
        self.assertEqual(("XX", "GIVEN"), item.header_sender)
        self.assertEqual(("GB", "Not specified"), item.header_receiver)
        self.assertEqual(("V1.14.1", "N/A", "N/A"), item.header_version)
        self.assertRegex(item.header_timestamp, r"\.\d{6}(Z|[+-]\d\d:\d\d)$")
        self.assertEqual(0, item.action_identifier)
        self.assertEqual("2026-01-15T10:15:30Z", item.timestamp)
        self.assertEqual("2026-01-15T10:15:30.987654Z", item.csp_text("time"))
        self.assertEqual("See you at eight", item.csp_text("text"))
        self.assertEqual(["u-1001"], item.identifiers(item.sender))
        self.assertTrue(item.targeted(item.sender))
        self.assertEqual([["u-2002"]], [item.identifiers(r) for r in item.receivers])
        self.assertFalse(item.targeted(item.receivers[0]))
        self.assertEqual(0, item.sequence)
        self.assertNotIn(b"nationalHandlingParameters", item.document)
        self.assertNotIn(b"NationalHandlingParameters", item.document)
        self.daemon.wait_delivered()
        self.assertEqual(1, self.daemon.metric("lihandover_events_received_total", source="local"))

    def test_event_under_no_warrant_goes_nowhere(self):
        self.daemon.warrant("LIID-0001", "lea-one", ("user_id", "u-1001"))
        self.start()
        self.daemon.accept(message("u-3", "u-4"))
        self.daemon.accept(*(message("u-3", "u-4") for _ in range(20)))
        self.daemon.accept(message("u-1001", "u-4", "the last one"))
        item, = self.delivered(1)
        self.assertEqual("the last one", item.csp_text("text"))

    def test_two_warrants_of_two_leas_make_two_independent_items(self):
        other = Lea(self, "lea-two", certificate="lea-two", client_ca="lea-two-ca")
        other.start()
        self.daemon.destination("lea-two", other.port, certificate="csp-two", ca="lea-two-ca")
        # The same LIID at both: a warrant is the pair.
        self.daemon.warrant("LIID-0001", "lea-one", ("user_id", "u-1001"))
        self.daemon.warrant("LIID-0001", "lea-two", ("msisdn", "+44 7700 900123"), deliver=["metadata"])
        self.start()
        for text in ("one", "two"):
            event = message("u-1001", "unused", text, "c-1")
            event["receivers"] = [party(("user_id", "u-2002"), ("msisdn", "447700900123")), party(("user_id", "u-3"))]
            self.daemon.accept(event)
        first = self.delivered(2)
        second = wait_until(lambda: len(other.items()) >= 2 and other.items(), "two items at the other LEA")
        for ours, theirs in zip(first, second):
            self.assertTrue(ours.valid and theirs.valid, (ours.problem, theirs.problem))
            self.assertNotEqual(ours.object_id, theirs.object_id)
            self.assertNotEqual(ours.level, theirs.level)
            self.assertTrue(ours.targeted(ours.sender))
            self.assertEqual([False, False], [ours.targeted(r) for r in ours.receivers])
            self.assertFalse(theirs.targeted(theirs.sender))
            self.assertEqual([True, False], [theirs.targeted(r) for r in theirs.receivers])
            self.assertIsNotNone(ours.csp_text("text"))
            self.assertIsNone(theirs.csp_text("text"), "this warrant does not order content")
        self.assertEqual([0, 1], [i.sequence for i in first])
        self.assertEqual([0, 1], [i.sequence for i in second])

    def test_correlation_counts_from_zero_and_goes_on_after_a_restart(self):
        self.daemon.warrant("LIID-0001", "lea-one", ("user_id", "u-1001"))
        self.daemon.warrant("LIID-0002", "lea-one", ("user_id", "u-1001"))
        self.start()
        def talk(count):
            for number in range(count):
                self.daemon.accept(message("u-1001", conversation="c-1"), message("u-1001", conversation="c-2"))
        talk(3)
        self.daemon.accept(message("u-1001"))
        self.daemon.wait_delivered()
        self.daemon.restart()
        talk(2)
        self.delivered(2 * (2 * 5 + 1))
        numbers = {}
        alone = 0
        for item in self.lea.items():
            if item.level is None:
                alone += 1
            else:
                self.assertLess(item.level, 2 ** 53)
                numbers.setdefault((item.liid, item.level), []).append(item.sequence)
        self.assertEqual(2, alone, "events without a conversation carry no correlation")
        self.assertEqual(4, len(numbers), "one level id per LIID and conversation")
        self.assertEqual(4, len({level for _, level in numbers}))
        for sequence in numbers.values():
            self.assertEqual(list(range(5)), sequence)

    def test_items_of_one_liid_arrive_in_order(self):
        for liid in range(5):
            self.daemon.warrant(f"LIID-{liid}", "lea-one", ("user_id", f"u-{liid}"))
        self.start()
        events = [message(f"u-{n % 5}", "x", str(n), f"c-{n % 5}") for n in range(500)]
        for begin in range(0, 500, 50):
            self.daemon.accept(*events[begin:begin + 50])
        seen = {}
        for item in self.delivered(500):
            seen.setdefault(item.liid, []).append(int(item.csp_text("text")))
        self.assertEqual(5, len(seen))
        for texts in seen.values():
            self.assertEqual(sorted(texts), texts)
            self.assertEqual(100, len(texts))

    def test_several_actions_share_a_message_where_agreed(self):
        self.daemon.configuration["destinations"]["lea-one"]["max_actions_per_message"] = 20
        self.daemon.configuration["destinations"]["lea-one"]["connections"] = 1
        for liid in range(40):
            self.daemon.warrant(f"LIID-{liid}", "lea-one", ("user_id", f"u-{liid}"))
        self.lea.stop()
        self.start()
        self.daemon.accept(*(message(f"u-{n}", "x", str(n)) for n in range(40)))
        self.lea.start()
        items = self.delivered(40)
        self.assertTrue(all(i.valid for i in items))
        messages = {}
        for item in items:
            messages.setdefault(item.document, []).append(item.action_identifier)
        self.assertGreater(40, len(messages))
        for actions in messages.values():
            self.assertEqual(list(range(len(actions))), actions)
            self.assertLessEqual(len(actions), 20)

    def test_repeated_event_id_makes_no_second_item(self):
        self.daemon.warrant("LIID-0001", "lea-one", ("user_id", "u-1001"))
        self.start()
        event = message("u-1001", "x", "once", "c-1")
        for _ in range(3):
            self.daemon.accept(event)
        self.daemon.restart()
        self.daemon.accept(event)
        # A warrant that has none of it yet gets its item.
        self.daemon.warrant("LIID-0002", "lea-one", ("user_id", "u-1001"))
        self.daemon.reload()
        self.daemon.accept(event)
        self.daemon.accept(message("u-1001", "x", "last", "c-1"))
        self.daemon.wait_delivered()
        found = sorted((i.liid, i.csp_text("text"), i.sequence) for i in self.delivered(4))
        self.assertEqual([("LIID-0001", "last", 1), ("LIID-0001", "once", 0), ("LIID-0002", "last", 1),
                          ("LIID-0002", "once", 0)], found)

    def alarms_of_ids(self):
        return [alarm for alarm in self.daemon.ctl_json("status")["alarms"] if "event_id" in alarm]

    def test_event_id_of_another_event_is_delivered_counted_and_an_alarm(self):
        self.daemon.warrant("LIID-0001", "lea-one", ("user_id", "u-1001"))
        self.start()
        event = message("u-1001", "x", "one", "c-1")
        self.daemon.accept(event)
        self.daemon.accept(event)
        self.assertEqual([], self.alarms_of_ids())
        self.daemon.accept({**event, "content": {**event["content"], "text": "two"}})
        self.assertEqual(["one", "two"], sorted(item.csp_text("text") for item in self.delivered(2)))
        self.assertEqual(1, self.daemon.metric("lihandover_events_repeated_total"))
        self.assertEqual(1, self.daemon.metric("lihandover_event_ids_reused_total"))
        self.assertEqual(1, len(self.alarms_of_ids()))

    def test_window_is_half_open_and_by_the_events_own_time(self):
        # Not long ago: an event counts for `late_events` after the end of its warrant.
        today = datetime.datetime.now(datetime.timezone.utc).date()
        first, last, after = ((today - datetime.timedelta(days=ago)).isoformat() for ago in (3, 2, 1))
        begin, end = f"{first}T00:00:00Z", f"{after}T00:00:00Z"
        self.daemon.warrant("LIID-0001", "lea-one", ("user_id", "u-1001"), valid_from=begin, valid_until=end)
        self.start()
        before = (today - datetime.timedelta(days=4)).isoformat()
        for stamp in (f"{before}T23:59:59.999999Z", begin, f"{after}T00:59:59.999999+01:00", end,
                      f"{last}T23:59:59.999999999Z"):
            self.daemon.accept(message("u-1001", timestamp=stamp))
        self.daemon.wait_delivered()
        self.assertEqual([begin, f"{last}T23:59:59Z", f"{after}T00:59:59+01:00"],
                         sorted(i.timestamp for i in self.delivered(3)))

    def test_event_without_a_time_counts_by_its_receipt(self):
        self.daemon.warrant("LIID-0001", "lea-one", ("user_id", "u-1001"), valid_from=now_text(-3600),
                            valid_until=now_text(3600))
        self.daemon.warrant("LIID-0002", "lea-one", ("user_id", "u-1001"), valid_from=now_text(-3600),
                            valid_until=now_text(-1800))
        self.start()
        event = message("u-1001")
        del event["timestamp"]
        self.daemon.accept(event)
        item, = self.delivered(1)
        self.assertEqual("LIID-0001", item.liid)
        self.assertIsNone(item.timestamp)
        self.assertTrue(item.valid, item.problem)

    def test_warrant_may_restrict_services_and_parts(self):
        self.daemon.warrant("LIID-0001", "lea-one", ("user_id", "u-1001"), services=["otherchat"])
        self.daemon.warrant("LIID-0002", "lea-one", ("user_id", "u-1001"), deliver=["metadata"])
        self.start()
        self.daemon.accept(message("u-1001", text="unordered words", conversation="c-1"))
        item, = self.delivered(1)
        self.assertEqual("LIID-0002", item.liid)
        self.assertNotIn(b"unordered words", item.document)
        self.assertTrue(item.valid, item.problem)

    def test_schema_goes_with_the_first_item_of_each_liid(self):
        for liid in ("LIID-1", "LIID-2"):
            self.daemon.warrant(liid, "lea-one", ("user_id", "u-1001"))
        self.start()
        for number in range(3):
            self.daemon.accept(message("u-1001", text=str(number), conversation="c-1"))
            self.daemon.wait_delivered()
        carried = {}
        for item in self.delivered(6):
            self.assertTrue(item.schema_identifier)
            carried.setdefault(item.liid, []).append(item.schema_content is not None)
        self.assertEqual({"LIID-1": [True, False, False], "LIID-2": [True, False, False]}, carried)

    def test_emergency_goes_first(self):
        self.daemon.configuration["destinations"]["lea-one"]["connections"] = 1
        self.daemon.warrant("LIID-SLOW", "lea-one", ("user_id", "u-1"))
        self.daemon.warrant("LIID-FAST", "lea-one", ("user_id", "u-2"), priority="emergency")
        self.lea.stop()
        self.start()
        self.daemon.accept(*(message("u-1", text=f"routine {n}") for n in range(60)))
        self.daemon.accept(*(message("u-2", text=f"emergency {n}") for n in range(5)))
        self.lea.start()
        order = [i.liid for i in self.delivered(65)]
        # One routine item may have been on its way before.
        self.assertLessEqual(max(n for n, liid in enumerate(order) if liid == "LIID-FAST"), 5 + 1)

    def test_every_identifier_type_finds_its_party(self):
        targets = [("user_id", "u-1001"), ("username", "zo\u00eb"), ("msisdn", "447700900123"),
                   ("e164", "+4915112345678"), ("email", "alice@EXAMPLE.com"), ("sip_uri", "sip:alice@ims.example.com"),
                   ("tel_uri", "tel:+15550100")]
        given = [("user_id", "u-1001"), ("username", "zoe\u0308"), ("msisdn", "+44 7700 900123"),
                 ("e164", "4915112345678"), ("email", "alice@example.COM"), ("sip_uri", "SIP:alice@IMS.example.com"),
                 ("msisdn", "15550100")]
        for number, target in enumerate(targets):
            self.daemon.warrant(f"LIID-{number}", "lea-one", target,
                                **({"acknowledge_not_unique": True} if target[0] == "username" else {}))
        self.start()
        for number, identifier in enumerate(given):
            self.daemon.accept(message("u-other", text=str(number), receivers=[party(("user_id", "z"), identifier)]))
        found = {i.liid: i for i in self.delivered(len(given))}
        for number, identifier in enumerate(given):
            item = found[f"LIID-{number}"]
            self.assertEqual(str(number), item.csp_text("text"))
            self.assertEqual(["z", identifier[1]], item.identifiers(item.receivers[0]), "the value goes as given")
            self.assertTrue(item.targeted(item.receivers[0]))
            self.assertTrue(item.valid, item.problem)

    def test_identifiers_match_in_every_spelling_and_national_numbers_where_the_source_says_how(self):
        self.daemon.configuration["intake"]["http"][0]["numbers"] = {"country_code": "44", "trunk_prefix": "0"}
        self.daemon.configuration["matching"] = {"services": {"examplechat": {"username": "insensitive"}}}
        self.daemon.warrant("LIID-N", "lea-one", ("msisdn", "447700900128"), ("email", "alice@b\u00fccher.example"),
                            ("username", "Zo\u00eb"), acknowledge_not_unique=True)
        self.start()
        same = [("msisdn", "00447700900128"), ("msisdn", "07700 900128"), ("e164", "+44 (0)7700 900128"),
                ("msisdn", "\u0664\u0664\u0667\u0667\u0660\u0660\u0669\u0660\u0660\u0661\u0662\u0668"),
                ("tel_uri", "tel:+447700900128;verstat=TN-Validation-Passed"),
                ("tel_uri", "tel:+447700900128;cpc=ordinary"),
                ("sip_uri", "sip:+447700900128;verstat=TN-Validation-Passed@ims.example:5060;user=phone"),
                ("sip_uri", "<sips:+44-7700-900-128@ims.example>"), ("email", "Alice@xn--bcher-kva.example."),
                ("email", " alice@B\u00dcCHER.example"), ("username", "zO\u00cb")]
        other = [("msisdn", "7700900128"), ("tel_uri", "tel:7700900128;phone-context=+49"),
                 ("sip_uri", "sip:447700900128@ims.example"), ("user_id", "447700900128"),
                 ("email", "alice@bucher.example"), ("username", "Zoe")]
        for number, identifier in enumerate(same):
            self.daemon.accept(message("u-other", text=f"same {number}", receivers=[party(identifier)]))
        for identifier in other:
            self.daemon.accept(message("u-other", text="another", receivers=[party(identifier)]))
        self.daemon.accept(message("u-other", text="the last", receivers=[party(same[0])]))
        found = self.delivered(len(same) + 1)
        self.assertEqual({f"same {n}" for n in range(len(same))} | {"the last"}, {i.csp_text("text") for i in found})
        for item in found:
            self.assertTrue(item.targeted(item.receivers[0]))
            self.assertTrue(item.valid, item.problem)

    def test_every_event_type_and_every_member_arrives(self):
        self.daemon.warrant("LIID-0001", "lea-one", ("user_id", "u-1001"))
        self.start()
        with open(os.path.join(SOURCE, "schemas/event.schema.json"), encoding="utf-8") as file:
            kinds = json.load(file)["properties"]["event_type"]["enum"]
        for kind in kinds:
            event = message("u-5", "u-6", f"text of {kind}", "c-1", event_type=kind, event_id=f"event-{kind}",
                            refers_to="event-before", status="delivered",
                            actor=party(("user_id", "u-7"), nickname="Seven"),
                            members=[party(("user_id", "u-1001")), party(("email", "nine@example.com"))],
                            location={"latitude": 52.0907, "longitude": 5.1214, "accuracy_metres": 12.5,
                                      "description": "Utrecht"},
                            device={"model": "Phone 3", "rooted": False},
                            network={"ip_address": "192.0.2.7", "port": 443},
                            parameters={"status": "seen", "nested": {"a": [1, None, "x"]}})
            event["conversation"].update(title="Weekend", thread_id="t-1", kind="group")
            self.daemon.accept(event)
        items = {i.csp_text("eventType"): i for i in self.delivered(len(kinds))}
        self.assertEqual(sorted(kinds), sorted(items))
        for kind, item in items.items():
            self.assertTrue(item.valid, item.problem)
            self.assertEqual(f"text of {kind}", item.csp_text("text"))
            self.assertEqual("Weekend", item.csp_text("title"))
            # The target is a member, for which the core parameters have no place.
            self.assertFalse(item.targeted(item.sender))
            parties = [(e.get("role"), e.get("targeted")) for e in item.csp().iter() if e.tag.endswith("}party")]
            self.assertEqual([("sender", None), ("receiver", None), ("actor", None), ("member", "true"),
                              ("member", None)], parties)
            text = item.document.decode()
            for word in ("event-before", "Utrecht", "52.0907", "Phone 3", "192.0.2.7", "nested", "Seven", "t-1"):
                self.assertIn(word, text)

    def test_refused_lines_do_not_hold_up_the_others(self):
        self.daemon.warrant("LIID-0001", "lea-one", ("user_id", "u-1001"))
        self.start()
        unknown = message("u-1001")
        unknown["colour"] = "blue"
        late = message("u-1001", timestamp=now_text(3600))
        answer = self.daemon.post_many([message("u-1001", text="first"), unknown, b"{not json", late,
                                        message("u-1001", text="last")])
        self.assert_status(422, answer)
        self.assertEqual(2, answer.json()["accepted"])
        self.assertEqual([2, 3, 4], [r["line"] for r in answer.json()["rejected"]])
        self.assertIn("colour", answer.json()["rejected"][0]["field"] + answer.json()["rejected"][0]["reason"])
        self.assertEqual(["first", "last"], [i.csp_text("text") for i in self.delivered(2)])

    def test_answers_do_not_depend_on_warrants(self):
        self.daemon.warrant("LIID-0001", "lea-one", ("user_id", "u-1001"))
        self.start()
        def shape(answer):
            return answer.status, answer.body, [(n, v) for n, v in answer.fields.items() if n != "date"]
        under, not_under = self.daemon.post(message("u-1001")), self.daemon.post(message("u-9"))
        self.assertEqual(shape(not_under), shape(under))
        again = message("u-1001")
        self.daemon.accept(again)
        self.assertEqual(shape(not_under), shape(self.daemon.post(again)), "nor on whether it is a repeat")

    def test_http_answers_mean_what_http_says(self):
        self.daemon.configuration["intake"]["max_event_size"] = "4KiB"
        self.daemon.configuration["intake"]["max_request_size"] = "16KiB"
        self.start()
        json_type = {"Content-Type": "application/json"}
        self.assert_status(404, self.daemon.request("POST", "/v1/nothing", b"{}", json_type))
        self.assert_status(405, self.daemon.request("GET", "/v1/events"))
        self.assert_status(415, self.daemon.request("POST", "/v1/events", b"<a/>", {"Content-Type": "application/xml"}))
        self.assert_status(413, self.daemon.request("POST", "/v1/events", b" " * 40000, json_type))
        self.assert_status(400, self.daemon.post(b"{"))
        self.assert_status(400, self.daemon.request("POST", "/v1/events", b"", json_type))
        too_large = self.daemon.post(message("u-1", text="x" * 5000))
        self.assertIn(too_large.status, (413, 422), too_large)
        self.daemon.accept(message("u-1"))

    def test_health_endpoint_answers(self):
        self.start()
        self.assertEqual(200, self.daemon.admin("/healthz").status)
        self.assertEqual(200, self.daemon.admin("/readyz").status)
        text = self.daemon.metrics_text()
        for name in ("lihandover_events_received_total", "lihandover_outbox_items", "lihandover_reloads_total"):
            self.assertRegex(text, rf"(?m)^{name}(\{{|\s)")
        self.assertEqual(404, self.daemon.admin("/nothing").status)
        self.assertFalse(re.search(r"(?m)^lihandover_\S*(u-1001|LIID)", text))


if __name__ == "__main__":
    unittest.main(verbosity=2)
