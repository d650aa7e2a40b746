"""The model objects when it should: each promise is broken once in good data."""

import copy
import unittest

import model

HERE = "lea-0|LI-0"


def digest(letter):
    return letter * 64


def good():
    """Three events for one warrant, the last with an object; a fourth that no warrant orders."""
    def event(number, must=(HERE,), attachments=()):
        return {"answer": "accepted", "must": list(must), "may": [], "text": f"text {number}",
                "attachments": list(attachments)}

    def arrival(number, **more):
        return {"at": number, "object_id": f"o{number}", "liid": "LI-0", "event_id": f"e{number}",
                "digest": digest(str(number)), "outcome": "accepted", "level": 7, "sequence": number,
                "text": f"text {number}", "ordered": ["metadata", "content", "binary"], "objects": [], "lost": [],
                "valid": True, "invalid": None, **more}
    bytes = {"id": "a", "sha256": digest("f"), "size": 3}
    return {
        "warrants": {HERE: {"deliver": ["metadata", "content", "binary"]}},
        "events": {"e0": event(0), "e1": event(1), "e2": event(2, attachments=[{**bytes, "how": "inline"}]),
                   "e3": event(3, must=())},
        "arrivals": {"lea-0": [arrival(0), arrival(1, outcome="dropped"), arrival(1, at=2),
                               arrival(2, at=3, objects=[{**bytes, "uuid": "u2"}])]},
        "uploads": {"lea-0": [{"at": 4, "uuid": "u2", "outcome": "stored", "status": None, "sha256": digest("f"),
                               "size": 3}]},
        "fetched": {},
        "early": [],
        "store": {
            "integrity": "ok", "lanes": {"1": ["lea-0", "LI-0"]},
            "made": [{"id": n + 1, "lane": 1, "object_id": f"o{n}", "level": 7, "sequence": n} for n in range(3)],
            "records": [{"kind": kind, "object_id": f"o{n}"}
                        for n in range(3) for kind in ("item_made", "item_delivered")],
            "waiting": [], "objects": [], "files": [],
        },
        "listed": [],
        "rejected": {},
        "leaks": [],
        "answers": {"taken": [{"kind": "one event", "warranted": w, "shape": "202"} for w in (True, False)],
                    "pairs": [["no time", "422 a", "422 a"]], "breaches": []},
        "metrics": {"local": {"received": 5, "accepted": 4, "rejected": 1}},
        "troubles": [],
        "faults": {"disk": False, "clock": False},
    }


def in_time(evidence):
    """The same over some seconds: an event each second, delivered half a second later, for two LIIDs and another
    destination."""
    keys = ("lea-0|LI-0", "lea-0|LI-1", "lea-1|LI-2")
    evidence["arrivals"] = {"lea-0": [], "lea-1": []}
    evidence["events"] = {}
    evidence["warrants"] = {key: {"deliver": ["metadata"]} for key in keys}
    store = evidence["store"]
    store["lanes"] = {str(number): key.split("|") for number, key in enumerate(keys)}
    store["made"], store["records"] = [], []
    for second in range(20):
        for number, key in enumerate(keys):
            name = f"e{second}-{number}"
            destination, liid = key.split("|")
            evidence["events"][name] = {"answer": "accepted", "must": [key], "may": [], "text": None, "attachments": [],
                                        "answered_at": 1000.0 + second}
            store["made"].append({"id": len(store["made"]), "lane": number, "object_id": f"o-{name}", "level": None,
                                  "sequence": None})
            store["records"] += [{"kind": kind, "object_id": f"o-{name}"} for kind in ("item_made", "item_delivered")]
            evidence["arrivals"][destination].append({
                "at": len(store["made"]), "object_id": f"o-{name}", "liid": liid, "event_id": name, "digest": digest("a"),
                "outcome": "accepted", "level": None, "sequence": None, "text": None, "ordered": ["metadata"],
                "objects": [], "lost": [], "valid": True, "invalid": None, "code": None, "time": 1000.5 + second})
    evidence["uploads"] = {}
    evidence["patience"] = 6
    return evidence


class Waiting(unittest.TestCase):
    """Who may wait for whom while a fault is on."""

    def setUp(self):
        self.evidence = in_time(good())

    def broken(self, *spans):
        self.evidence["spans"] = [{"kind": kind, "destination": destination, "liid": liid, "from": since, "until": until}
                                  for kind, destination, liid, since, until in spans]
        return {each.promise for each in model.check(self.evidence)}

    def delay(self, *liids):
        """What is sent between 1002 and 1016 is delivered at 1020."""
        for arrivals in self.evidence["arrivals"].values():
            for arrival in arrivals:
                if arrival["liid"] in liids and 1002 < arrival["time"] < 1016:
                    arrival["time"] = 1020

    def test_whom_it_is_about_may_wait(self):
        self.delay("LI-0")
        self.assertEqual(set(), self.broken(("poison", "lea-0", "LI-0", 1002, 1016)))

    def test_another_of_the_same_destination_may_not(self):
        self.delay("LI-0", "LI-1")
        self.assertEqual({4}, self.broken(("poison", "lea-0", "LI-0", 1002, 1016)))

    def test_a_broken_node_holds_up_nobody(self):
        self.assertEqual(set(), self.broken(("node", "lea-0", None, 1002, 1016)))
        self.delay("LI-1")
        self.assertEqual({4}, self.broken(("node", "lea-0", None, 1002, 1016)))

    def test_a_front_of_its_own_ways_and_a_limit_on_connections_hold_up_nobody(self):
        self.delay("LI-1")
        for kind in ("tolerated", "buffers", "capped"):
            self.assertEqual({4}, self.broken((kind, "lea-0", None, 1002, 1016)), kind)
            self.assertEqual(set(), self.broken((kind, "lea-0", None, 1002, 1007)), "too short to tell")
        self.assertEqual(set(), self.broken(("closer", "lea-0", None, 1002, 1016)))

    def test_where_they_waited_before_it_nobody_can_say(self):
        for second in range(-12, 0):
            self.evidence["events"][f"e{second}"] = {**self.evidence["events"]["e2-1"], "answered_at": 1000 + second}
        self.delay("LI-1")
        self.assertNotIn(4, self.broken(("poison", "lea-0", "LI-0", 1002, 1016)))

    def test_order_is_kept_but_where_attempts_failed_unseen(self):
        rows = self.evidence["arrivals"]["lea-0"]
        rows[4], rows[6] = {**rows[6], "time": rows[4]["time"]}, {**rows[4], "time": rows[6]["time"]}
        self.assertEqual({4}, self.broken())
        self.assertEqual(set(), self.broken(("proxy", "lea-0", None, 1001, 1002)))
        self.assertEqual({4}, self.broken(("proxy", "lea-1", None, 1001, 1002)))
        self.assertEqual({4}, self.broken(("lea_kill", "lea-0", None, 1012, 1013)))

    def test_another_destination_may_not_wait_for_a_broken_one(self):
        self.delay("LI-0", "LI-1")
        self.assertEqual(set(), self.broken(("lea_freeze", "lea-0", None, 1002, 1016)))
        self.delay("LI-2")
        self.assertEqual({4}, self.broken(("lea_freeze", "lea-0", None, 1002, 1016)))

    def hanging(self, *spans):
        self.evidence["hangs"] = [[1002, 1016]]
        return self.broken(*spans)

    def test_nothing_is_sent_while_the_disk_hangs(self):
        self.assertEqual({11}, self.hanging())

    def test_what_was_on_its_way_may_arrive_while_the_disk_hangs(self):
        for arrivals in self.evidence["arrivals"].values():
            for arrival in arrivals:
                if 1002 < arrival["time"] < 1016:
                    arrival["time"] = 1007
        self.assertEqual(set(), self.hanging())

    def test_what_a_frozen_lea_had_got_already_may_arrive_while_the_disk_hangs(self):
        self.delay("LI-2")
        self.assertEqual(set(), self.hanging(("disk_hangs", None, None, 1001, 1017),
                                             ("lea_freeze", "lea-0", None, 1001, 1017)))

    def test_where_faults_overlap_nobody_can_say(self):
        self.delay("LI-0", "LI-1", "LI-2")
        both = ("poison", "lea-0", "LI-0", 1002, 1016), ("freeze", None, None, 1010, 1012)
        self.assertEqual(set(), self.broken(*both))
        self.assertEqual({4}, self.broken(both[0], ("operator", None, None, 1010, 1012)))

    def test_it_exists_means_that_they_have_it(self):
        arrival = self.evidence["arrivals"]["lea-0"][0]
        arrival["outcome"] = "refused"
        self.assertEqual({2}, self.broken())
        arrival["code"] = 3010
        self.assertEqual(set(), self.broken())


class Model(unittest.TestCase):
    def setUp(self):
        self.evidence = good()
        self.arrivals = self.evidence["arrivals"]["lea-0"]
        self.store = self.evidence["store"]

    def objects(self, promise):
        """The model finds this promise broken."""
        self.assertIn(promise, {breach.promise for breach in model.check(self.evidence)})

    def keeps_quiet(self):
        self.assertEqual([], model.check(self.evidence))

    def wait(self, name):
        """That item waits in the store, undelivered."""
        self.store["records"].remove({"kind": "item_delivered", "object_id": name})
        self.store["waiting"].append(name)
        self.evidence["listed"].append({"id": name})

    def test_what_is_good_is_good(self):
        self.keeps_quiet()

    def test_lost_item(self):
        del self.arrivals[0]
        self.objects(1)

    def test_lost_with_its_record(self):
        del self.arrivals[0]
        self.store["records"] = [r for r in self.store["records"] if r["object_id"] != "o0"]
        del self.store["made"][0]
        self.objects(1)

    def test_item_that_waits_is_not_lost(self):
        del self.arrivals[3]
        del self.evidence["uploads"]["lea-0"][0]
        self.wait("o2")
        self.keeps_quiet()

    def test_waiting_item_does_not_excuse_two(self):
        del self.arrivals[1:4]
        del self.evidence["uploads"]["lea-0"][0]
        self.wait("o2")
        self.objects(1)

    def test_refused_event_that_arrives(self):
        self.evidence["events"]["e1"]["answer"] = "refused"
        self.objects(1)

    def test_unanswered_event_may_arrive(self):
        event = self.evidence["events"]["e1"]
        event["answer"], event["must"], event["may"] = "none", [], [HERE]
        self.keeps_quiet()

    def test_delivered_by_the_record_alone(self):
        for arrival in self.arrivals:
            if arrival["object_id"] == "o1":
                arrival["outcome"] = "dropped"
        self.objects(2)

    def test_item_that_left_unrecorded(self):
        self.store["records"].remove({"kind": "item_delivered", "object_id": "o1"})
        self.objects(2)

    def test_item_that_waits_though_delivered(self):
        self.store["waiting"].append("o1")
        self.evidence["listed"].append({"id": "o1"})
        self.objects(2)

    def test_rejected_by_nobody(self):
        del self.arrivals[1:3]
        self.store["records"].remove({"kind": "item_delivered", "object_id": "o1"})
        self.store["records"].append({"kind": "item_rejected", "object_id": "o1"})
        self.objects(2)
        self.evidence["rejected"]["o1"] = "why"
        self.keeps_quiet()

    def test_rejected_on_its_way(self):
        delivered = self.store["records"].index({"kind": "item_delivered", "object_id": "o1"})
        self.store["records"].insert(delivered, {"kind": "item_rejected", "object_id": "o1"})
        self.evidence["rejected"]["o1"] = "why"
        self.keeps_quiet()

    def test_rejected_when_it_was_delivered(self):
        self.store["records"].append({"kind": "item_rejected", "object_id": "o1"})
        self.evidence["rejected"]["o1"] = "why"
        self.objects(2)

    def test_repeat_with_other_bytes(self):
        self.arrivals[1]["digest"] = digest("x")
        self.objects(3)

    def test_second_item_of_one_event(self):
        self.store["made"].append({"id": 9, "lane": 1, "object_id": "o9", "level": 7, "sequence": 3})
        self.store["records"] += [{"kind": k, "object_id": "o9"} for k in ("item_made", "item_delivered")]
        self.arrivals.append({**copy.deepcopy(self.arrivals[0]), "at": 9, "object_id": "o9", "sequence": 3})
        self.objects(3)

    def test_changed_text(self):
        self.arrivals[0]["text"] = "another text"
        self.objects(3)

    def test_invalid_document(self):
        self.arrivals[0]["valid"] = False
        self.objects(3)

    def test_wrong_order(self):
        self.arrivals[0]["at"], self.arrivals[2]["at"] = 2, 0
        self.arrivals[0], self.arrivals[2] = self.arrivals[2], self.arrivals[0]
        self.arrivals[:] = [self.arrivals[0], *self.arrivals[2:]]
        self.objects(4)

    def test_order_with_one_set_aside(self):
        self.test_wrong_order()
        self.store["records"].append({"kind": "item_refused", "object_id": "o0"})
        self.keeps_quiet()

    def test_gap_in_the_numbers(self):
        for each in (self.store["made"][2], self.arrivals[3]):
            each["sequence"] = 5
        self.objects(4)

    def test_number_that_the_store_never_gave(self):
        self.arrivals[3]["sequence"] = 5
        self.objects(4)

    def test_object_before_its_item(self):
        self.evidence["uploads"]["lea-0"][0]["at"] = 1
        self.objects(5)

    def test_object_of_no_item(self):
        self.evidence["uploads"]["lea-0"].append({"at": 9, "uuid": "u9", "outcome": "stored", "status": None,
                                                  "sha256": digest("f"), "size": 3})
        self.objects(5)

    def test_object_that_never_came(self):
        del self.evidence["uploads"]["lea-0"][0]
        self.objects(1)

    def test_object_with_other_bytes(self):
        self.evidence["uploads"]["lea-0"][0]["sha256"] = digest("e")
        self.objects(1)

    def test_object_described_wrongly(self):
        self.arrivals[3]["objects"][0]["size"] = 4
        self.objects(3)

    def test_object_lost_without_excuse(self):
        self.arrivals[3]["objects"], self.arrivals[3]["lost"] = [], ["a"]
        del self.evidence["uploads"]["lea-0"][0]
        self.objects(1)
        self.evidence["events"]["e2"]["attachments"][0]["how"] = "file"
        self.evidence["faults"]["clock"] = True
        self.keeps_quiet()

    def test_fetched_object(self):
        del self.evidence["uploads"]["lea-0"][0]
        self.evidence["fetched"] = {"lea-0": {"u2": digest("f")}}
        self.keeps_quiet()
        self.evidence["fetched"] = {"lea-0": {"u2": "status 404"}}
        self.objects(1)

    def test_leaked_marker(self):
        self.evidence["leaks"].append({"promise": 6, "what": "events under no warrant", "where": "a file"})
        self.objects(6)

    def test_answer_that_tells(self):
        self.evidence["answers"]["taken"][0]["shape"] = "202 and more"
        self.objects(7)

    def test_refusal_that_tells(self):
        self.evidence["answers"]["pairs"][0][2] = "422 b"
        self.objects(7)

    def test_item_for_another_warrant(self):
        self.arrivals[0]["liid"] = "LI-1"
        self.objects(9)

    def test_item_that_was_not_ordered(self):
        self.evidence["events"]["e0"]["must"] = []
        self.objects(9)

    def test_item_of_no_event(self):
        del self.evidence["events"]["e0"]
        self.objects(9)

    def test_unclear_refusal(self):
        self.evidence["answers"]["breaches"].append({"promise": 11, "expected": "Retry-After", "found": "none"})
        self.objects(11)

    def test_damaged_database(self):
        self.store["integrity"] = "row 7 missing from index"
        self.objects(12)

    def test_arrival_without_a_record(self):
        self.store["records"] = [r for r in self.store["records"] if r["object_id"] != "o0"]
        del self.store["made"][0]
        self.objects(12)

    def test_list_that_does_not_agree(self):
        self.evidence["listed"].append({"id": "o7"})
        self.objects(12)

    def test_counts_that_do_not_add_up(self):
        self.evidence["metrics"]["local"]["received"] = 6
        self.objects(12)

    def test_file_that_nothing_names(self):
        self.store["files"].append("f9")
        self.objects(12)

    def test_kept_object_without_its_file(self):
        self.store["objects"].append({"uuid": "u9", "state": "queued", "item": "o2", "file": "f9"})
        self.objects(1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
