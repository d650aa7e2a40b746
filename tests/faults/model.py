"""What must hold when an episode is over: the promises of the design, as far as they can be seen from outside.

`check(evidence)` is a plain function of plain data (evidence.json of a kept episode), so that it can be tried on data
that somebody has doctored (test_model.py), and again on an episode that is long over.

Evidence:
  warrants   {"DESTINATION|LIID": {"deliver": […]}}
  events     {EVENT_ID: {"answer": "accepted", "refused" or "none", "must": [warrants], "may": [warrants], "text",
             "attachments": [{"id", "sha256", "size", "how": "inline", "upload" or "file"}]}}; "must" are the warrants
             that were surely in force for it, "may" those that changed while it was being submitted
  arrivals   {DESTINATION: [{"at", "object_id", "liid", "event_id", "digest", "outcome", "level", "sequence", "text",
             "objects": [{"id", "uuid", "sha256", "size"}], "lost": [ids], "valid", "invalid"}]}, in the order in which
             the LEA took them; "digest" is that of the DELIVER element but for its expiries, "at" the place among all
             lines
  uploads    {DESTINATION: [{"at", "uuid", "outcome", "status", "sha256", "size"}]} (Model B)
  early      destinations where success before the body was asked for counts as delivered
  fetched    {DESTINATION: {UUID: sha256}} (Model A)
  store      what the database held after the daemon had stopped: "integrity", "lanes", "made", "records", "waiting",
             "objects", "files"
  listed     what `lihandoverctl items` said before that
  rejected   {ID: reason} that operators asked to reject
  leaks      [{"promise", "what", "where"}] found by searching files, logs and metrics
  answers    {"taken": [shape…], "pairs": [[what, shape, shape]…], "breaches": […]}
  metrics    {"received", "accepted", "rejected"} of the last run of the daemon, per source
  troubles   [{"promise", "expected", "found"}] seen while the episode ran
  faults     {"disk": bool, "clock": bool}: which kinds there were, for what they excuse
  spans      [{"kind", "destination" or None, "liid" or None, "from", "until"}]: when each fault was on, whom it was about
  hangs      [[from, until]]: times at which the daemon had said that a sync hangs, and the sync went on hanging
  patience   seconds in which whoever need not wait is served
"""

import collections
import dataclasses

# Seconds within which an item unaffected by a fault is delivered, on a machine of ordinary speed.
ALLOWANCE = 6
# Faults that delay nobody's delivery, whatever else is going on.
HARMLESS = {"operator", "warrant_goes"}
# Faults that only whom they name may wait for; others at the same destination, and (the second) everybody, may not.
OF_ONE_LIID, OF_NOBODY = {"poison"}, {"node", "tolerated", "buffers", "capped"}

# Faults through which what was sent before them may arrive much later.
OF_THE_WAY = {"lea_freeze", "lea_rules", "proxy", "front"}

# Faults through which attempts fail that the LEA knows nothing of.
UNSEEN = {"proxy", "front", "dns", "lea_kill", "lea_freeze", "lea_rules", "lea_certificate", "own_certificate", "closer",
          "capped", "tolerated"}

EXISTS = 3010  # TS 103 120: the object already exists
DELIVERED, REFUSED, REJECTED = "item_delivered", "item_refused", "item_rejected"


@dataclasses.dataclass
class Breach:
    promise: int  # of docs/promises.md; 0: the programs' own health
    expected: str
    found: str

    def __str__(self):
        return f"promise {self.promise}: expected {self.expected}\n    found {self.found}"


def some(things, most=5):
    things = sorted(map(str, things))
    return f"{len(things)}: " + ", ".join(things[:most]) + (", …" if len(things) > most else "")


class Check:
    def __init__(self, evidence):
        self.evidence = evidence
        self.breaches = []
        self.events = evidence["events"]
        store = evidence["store"]
        self.lane_of = {int(number): tuple(names) for number, names in store["lanes"].items()}
        self.made = store["made"]
        self.made_by_id = {made["object_id"]: made for made in self.made}
        self.records = collections.defaultdict(list)
        for record in store["records"]:
            if record["object_id"]:
                self.records[record["object_id"]].append(record["kind"])
        self.waiting = set(store["waiting"])
        self.objects_left = {each["uuid"]: each for each in store["objects"]}
        self.arrivals = [{**arrival, "destination": destination}
                         for destination, arrivals in evidence["arrivals"].items() for arrival in arrivals]
        # An LEA that says that an object exists has it, whatever became of its first answer.
        self.taken = {a["object_id"] for a in self.arrivals if a["outcome"] == "accepted" or a.get("code") == EXISTS}
        self.seen = {a["object_id"] for a in self.arrivals}

    def breach(self, promise, expected, found):
        self.breaches.append(Breach(promise, expected, found))

    def expect_none(self, promise, expected, things):
        things = list(things)
        if things:
            self.breach(promise, expected, some(things))

    def run(self):
        for each in self.evidence["troubles"]:
            self.breach(each["promise"], each["expected"], each["found"])
        for each in self.evidence["leaks"]:
            self.breach(each["promise"], f"nothing of {each['what']}", f"it in {each['where']}")
        self.nothing_lost()
        self.nothing_let_go()
        self.nothing_changed()
        self.order()
        self.waiting_for_others()
        self.nothing_sent_in_vain()
        self.objects()
        self.answers()
        self.store()
        return self.breaches

    def nothing_lost(self):
        """1: answered with success means delivered, waiting, or decided by an operator; and 9: nothing else is."""
        arrived = collections.defaultdict(set)
        for arrival in self.arrivals:
            arrived[arrival["event_id"]].add((arrival["destination"], arrival["liid"]))
        # If the LEA never got a waiting or rejected item, nobody can see which event it is of. So a lane may have as
        # many gaps as it has such items.
        unseen = collections.Counter(self.lane_of[made["lane"]] for made in self.made
                                     if made["object_id"] not in self.seen
                                     and (made["object_id"] in self.waiting
                                          or REJECTED in self.records[made["object_id"]]))
        missing = collections.defaultdict(list)
        for event_id, event in self.events.items():
            if event["answer"] == "accepted":
                for warrant in event["must"]:
                    key = tuple(warrant.split("|", 1))
                    if key not in arrived[event_id]:
                        missing[key].append(event_id)
        for key, events in missing.items():
            if len(events) > unseen[key]:
                self.breach(1, f"each event answered with success at {key[0]} for {key[1]}, but for {unseen[key]} that "
                            "wait or were rejected unseen", "lost " + some(events))
        strangers, unordered = [], []
        for event_id, keys in arrived.items():
            event = self.events.get(event_id)
            if event is None:
                strangers.append(event_id)
                continue
            allowed = {tuple(w.split("|", 1)) for w in event["must"] + event["may"]}
            unordered += [f"{event_id} at {d} for {liid}" for d, liid in keys - allowed]
        self.expect_none(9, "only events that were submitted at the LEAs", strangers)
        self.expect_none(9, "items only for warrants that order the event, by its time", unordered)
        refused = [e for e, keys in arrived.items() if keys and self.events.get(e, {}).get("answer") == "refused"]
        self.expect_none(1, "nothing of events that were refused", refused)

    def nothing_let_go(self):
        """2: an item leaves the store when the LEA accepted it or an operator said so; and the store's contents agree
        with that."""
        asked = set(self.evidence["rejected"])
        for made in self.made:
            kinds = self.records[made["object_id"]]
            name = f"{made['object_id']} ({self.lane_of[made['lane']]}, row {made['id']})"
            here = made["object_id"] in self.waiting
            delivered, rejected = kinds.count(DELIVERED), kinds.count(REJECTED)
            # One that was on its way when it was rejected may still be accepted, and the record says both.
            crossed = [kind for kind in kinds if kind in (DELIVERED, REJECTED)] == [REJECTED, DELIVERED]
            if here + delivered + rejected != 1 and (here or not crossed):
                self.breach(2, f"item {name} to wait, or to have been delivered or rejected, once",
                            f"waiting: {here}, delivered: {delivered}, rejected: {rejected}")
            if delivered and made["object_id"] not in self.taken:
                self.breach(2, f"item {name}, recorded as delivered, accepted by the LEA", "that the LEA never did")
            if rejected and made["object_id"] not in asked:
                self.breach(2, f"item {name} rejected by an operator", "that nobody asked for it")
        made = set(self.made_by_id)
        self.expect_none(12, "a record of its making for each item that arrived", self.seen - made)
        self.expect_none(12, "a record of its making for each item that waits", self.waiting - made)
        lanes = [a["object_id"] for a in self.arrivals if a["object_id"] in made and
                 self.lane_of[self.made_by_id[a["object_id"]]["lane"]] != (a["destination"], a["liid"])]
        self.expect_none(12, "items to arrive for the warrant they were made for", lanes)
        listed = {each["id"] for each in self.evidence["listed"] if not each.get("object_of")}
        if listed != self.waiting:
            self.breach(12, f"lihandoverctl to list what waits in the store ({len(self.waiting)})",
                        f"listed only: {some(listed - self.waiting)}; in the store only: {some(self.waiting - listed)}")

    def nothing_changed(self):
        """3: a repeat is the same bytes, and one event makes one item for a warrant however often it is sent."""
        digests, item_of = collections.defaultdict(set), collections.defaultdict(set)
        for arrival in self.arrivals:
            digests[arrival["object_id"]].add(arrival["digest"])
            item_of[arrival["destination"], arrival["liid"], arrival["event_id"]].add(arrival["object_id"])
        self.expect_none(3, "the same DELIVER element each time", [o for o, found in digests.items() if len(found) > 1])
        self.expect_none(3, "one item for each event and warrant, however often it was handed in",
                         [f"{key}: {some(found)}" for key, found in item_of.items() if len(found) > 1])
        for arrival in self.arrivals:
            event = self.events.get(arrival["event_id"])
            warrant = self.evidence["warrants"].get(f"{arrival['destination']}|{arrival['liid']}")
            if event and warrant and "content" in arrival["ordered"] and arrival["text"] != event["text"]:
                self.breach(3, f"the text of event {arrival['event_id']} unchanged", repr(arrival["text"])[:200])
            if arrival["valid"] is False:
                self.breach(3, f"{arrival['object_id']} valid by the schemas", arrival["invalid"])

    def order(self):
        """4: per LIID first arrivals in the order of making, and gapless numbers within each conversation."""
        numbers = collections.defaultdict(list)
        for made in self.made:
            if made["level"] is not None:
                numbers[made["lane"], made["level"]].append(made["sequence"])
        for (lane, level), sequence in numbers.items():
            if sequence != list(range(len(sequence))):
                self.breach(4, f"numbers from 0 without a gap in {self.lane_of[lane]}, level {level}",
                            some(sequence, 40))
        first = collections.defaultdict(dict)
        for arrival in self.arrivals:
            made = self.made_by_id.get(arrival["object_id"])
            if made is None:
                continue
            if (arrival["level"], arrival["sequence"]) != (made["level"], made["sequence"]):
                self.breach(4, f"{arrival['object_id']} to say {(made['level'], made['sequence'])}",
                            str((arrival["level"], arrival["sequence"])))
            first[arrival["destination"], arrival["liid"]].setdefault(arrival["object_id"],
                                                                      (made["id"], arrival.get("time")))
        for key, rows in first.items():
            # What was refused or set aside may be skipped.
            rows = [(row, name, time) for name, (row, time) in rows.items() if REFUSED not in self.records[name]]
            for (before, _, _), (after, name, time) in zip(rows, rows[1:]):
                if after < before and not self.may_be_passed(key[0], time):
                    self.breach(4, f"first arrivals of {key} in the order in which they were queued",
                                f"row {after} ({name}) after row {before}")
                    break

    def may_be_passed(self, destination, time):
        """Whether attempts may have failed shortly before that the LEA never saw: an item that fails four times with
        nothing to compare it with is passed by (docs/delivery.md)."""
        patience = self.evidence.get("patience", ALLOWANCE)
        return any(span["destination"] == destination and span["kind"] in UNSEEN and
                   span["from"] <= time <= span["until"] + patience for span in self.evidence.get("spans", ()))

    def waiting_for_others(self):
        """4: no item and no LIID stops another, and no destination another one. While one fault is on, everybody it is
        not about is served. Where faults overlap, nobody can say who waits for whom."""
        spans = [span for span in self.evidence.get("spans", ()) if span["kind"] not in HARMLESS]
        patience = self.evidence.get("patience", ALLOWANCE)
        served = {}
        if not spans:
            return
        for arrival in self.arrivals:
            if arrival["outcome"] == "accepted":
                key = arrival["event_id"], arrival["destination"], arrival["liid"]
                served[key] = min(arrival["time"], served.get(key, float("inf")))
        for span in spans:
            since, until = span["from"], span["until"]
            alone = all(other is span or other["until"] < since - patience or other["from"] > until for other in spans)
            if span["destination"] is None or until - since < patience or not alone:
                continue
            # Before it nobody had to wait: otherwise there is more than the machine can send.
            if any(served.get(key, float("inf")) > since for key in self.bystanders(span, since - patience * 2,
                                                                                    since - patience)):
                continue
            late = [f"{event_id} at {destination} for {liid}"
                    for event_id, destination, liid in self.bystanders(span, since, until - patience)
                    if served.get((event_id, destination, liid), float("inf")) > until]
            self.expect_none(4, f"items to be delivered during {span['kind']} of {span['liid'] or span['destination']}, "
                             "which they have nothing to do with", late)

    def bystanders(self, span, since, until):
        """What was sent in that time for warrants that the fault is not about."""
        for event_id, event in self.events.items():
            answered = event.get("answered_at")
            if event["answer"] != "accepted" or answered is None or not since <= answered <= until:
                continue
            for warrant in event["must"]:
                destination, liid = warrant.split("|", 1)
                elsewhere = destination != span["destination"]
                if elsewhere or span["kind"] in OF_NOBODY or (span["kind"] in OF_ONE_LIID and liid != span["liid"]):
                    yield event_id, destination, liid

    def nothing_sent_in_vain(self):
        """11: while a sync hangs nothing is sent but what was on its way."""
        patience = self.evidence.get("patience", ALLOWANCE)
        for since, until in self.evidence.get("hangs", ()):
            excused = {span["destination"] for span in self.evidence.get("spans", ())
                       if span["kind"] in OF_THE_WAY and span["from"] <= until and span["until"] >= since}
            self.expect_none(11, "nothing to be sent while a sync hangs",
                             [f"{a['object_id']} to {a['destination']}" for a in self.arrivals
                              if a["destination"] not in excused and since + patience < a["time"] < until])

    def objects(self):
        """5: pushed only after the item was accepted; and whole, whether pushed or fetched."""
        owner, accepted_at, wanted = {}, {}, {}
        for arrival in self.arrivals:
            for each in arrival["objects"]:
                owner[arrival["destination"], each["uuid"]] = arrival["object_id"]
            if arrival["outcome"] == "accepted":
                accepted_at.setdefault(arrival["object_id"], arrival["at"])
            if arrival["object_id"] in self.taken:
                wanted[arrival["object_id"]] = arrival
        had, called_off = collections.defaultdict(set), set()
        for destination, uploads in self.evidence["uploads"].items():
            for upload in uploads:
                item = owner.get((destination, upload["uuid"]))
                if accepted_at.get(item, upload["at"]) >= upload["at"]:
                    self.breach(5, f"object {upload['uuid']} pushed after {destination} had accepted its item",
                                f"item {item} accepted at line {accepted_at.get(item)}, pushed at line {upload['at']}")
                if upload["status"] in range(200, 300):  # success before it had asked for the body
                    called_off.add((destination, upload["uuid"]))
                if upload["outcome"] == "stored":
                    had[destination, upload["uuid"]].add(upload["sha256"])
        for destination, fetched in self.evidence["fetched"].items():
            for uuid, digest in fetched.items():
                had[destination, uuid].add(digest)
        for item, arrival in wanted.items():
            event = self.events.get(arrival["event_id"])
            if event is None or "binary" not in arrival["ordered"]:
                continue
            given = {a["id"]: a for a in event["attachments"]}
            named = {o["id"]: o for o in arrival["objects"]}
            if set(named) | set(arrival["lost"]) != set(given):
                self.breach(1, f"item {item} to name the objects {sorted(given)}",
                            f"{sorted(map(str, named))}, lost {arrival['lost']}")
            for name in arrival["lost"]:
                excused = self.evidence["faults"]["clock"] or self.evidence["faults"]["disk"]
                if name in given and (given[name]["how"] != "file" or not excused):
                    self.breach(1, f"object {name} of item {item}", "it is lost")
            for name, record in named.items():
                if name not in given or name in arrival["lost"]:
                    continue
                if (record["sha256"], record["size"]) != (given[name]["sha256"], given[name]["size"]):
                    self.breach(3, f"object {name} of item {item} described as {given[name]}", str(record))
                digests = had[arrival["destination"], record["uuid"]]
                ended = self.objects_left.get(record["uuid"], {}).get("state") in ("queued", "refused")
                if ended or "object_rejected" in self.records[record["uuid"]]:
                    continue
                if (arrival["destination"], record["uuid"]) in called_off and not digests and \
                        (record["size"] == 0 or arrival["destination"] in self.evidence["early"]):
                    continue
                if digests != {given[name]["sha256"]}:
                    self.breach(1, f"object {name} ({record['uuid']}) of item {item} whole at {arrival['destination']}",
                                f"{sorted(map(str, digests)) or 'nothing'}")

    def answers(self):
        """7, 11: sources learn nothing from an answer; refusals for lack of space are clear and can be retried."""
        shapes = collections.defaultdict(set)
        for shape in self.evidence["answers"]["taken"]:
            shapes[shape["kind"]].add((shape["warranted"], shape["shape"]))
        for kind, found in shapes.items():
            if len({shape for _, shape in found}) > 1:
                self.breach(7, f"one answer to {kind}, whomever it concerns", some(found))
        for what, warranted, other in self.evidence["answers"]["pairs"]:
            if warranted != other:
                self.breach(7, f"the same refusal ({what}) whether or not it concerns a target",
                            f"{warranted} and {other}")
        for each in self.evidence["answers"]["breaches"]:
            self.breach(each["promise"], each["expected"], each["found"])
        for source, counts in self.evidence["metrics"].items():
            if counts["received"] != counts["accepted"] + counts["rejected"]:
                self.breach(12, f"events received = accepted + rejected of source {source}", str(counts))

    def store(self):
        store = self.evidence["store"]
        if store["integrity"] != "ok":
            self.breach(12, "a sound database", store["integrity"])
        # A crash may leave a file without a row until the next start; there has been one since, and a gentle stop.
        files, rows = set(store["files"]), {each["file"] for each in store["objects"] if each["file"]}
        self.expect_none(12, "no sealed file without a row after a gentle stop", files - rows)
        self.expect_none(1, "the sealed file of each object that is kept", rows - files)


def check(evidence):
    """All broken promises; empty when all is well."""
    return Check(evidence).run()
