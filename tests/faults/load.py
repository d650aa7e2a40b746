"""The sources: they send events of every kind, follow the rules for sources, and remember their answers."""

import base64
import datetime
import hashlib
import http.client
import os
import random
import threading
import time
import urllib.parse
import uuid

import harness

FIELDS_APART = ("date", "connection", "retry-after", "keep-alive")
SERVICES = ("examplechat", "otherchat")
OTHER_TYPES = ("message", "message", "message_sent", "message_edited", "message_drafted")


def rfc3339(seconds):
    at = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def told_apart(event_id, told):
    """One name for each content that came under an id."""
    return event_id if told == "0" else f"{event_id}#{told}"


GOOD, SPOILED, ABSENT = "good", "spoiled", "absent"
# How far a clock may be from another without anybody calling it wrong, and how long a reload may take.
DOUBT = 5.0


class Change:
    """Something that was done to a warrant's file. From `begun` on the warrant may be as it was or as it will be; once a
    reload or start that began later is over, it is `after`: in force (True), not (False), or nobody can say (None).
    One that `waits` for an operator's word is settled by that alone."""

    def __init__(self, after, waits=False):
        self.begun = time.monotonic()
        self.over = None
        self.after = after
        self.waits = waits


class Warrants:
    """Which warrants there are, and when each was surely or possibly in force. Times of changes are monotonic ones.

    Faults on one file overlap, and so do those on the directory: each says what it does and when it stops doing so, and
    what there is then follows from all of them."""

    def __init__(self, plan):
        self.lock = threading.Lock()
        self.all = {f"{w['destination']}|{w['liid']}": w for w in plan["warrants"]}
        self.present = {key: w["present"] for key, w in self.all.items()}
        self.changes = {key: [] for key in self.all}
        self.files_lock = threading.Lock()  # held while a file is touched, so that ledger and directory agree
        self.faults = {key: {ABSENT: 0, SPOILED: 0} for key in self.all}
        self.directory_faults = 0
        self.first_right = None  # when the clock was set right that was wrong at the very first start
        self.clock_wrong = False  # from then on nobody can say which windows the daemon takes for over

    def file_of(self, key):
        """What the file is, or would be if the directory were there."""
        faults = self.faults[key]
        return ABSENT if faults[ABSENT] else SPOILED if faults[SPOILED] else GOOD

    def file_becomes(self, key, fault, number):
        """Called under files_lock before the file is touched: `number` (1 or -1) more faults of that kind act on it.
        Returns what the file has to become, or None if it stays as it is."""
        before = self.file_of(key)
        self.faults[key][fault] += number
        after = self.file_of(key)
        if after == before or self.directory_faults:
            return None
        with self.lock:
            if after == ABSENT:
                self.goes(key)
            elif after == GOOD:
                self.change(key, True)
            elif before == ABSENT or self.state(key) is not True:
                self.change(key, None)  # whether a good version was ever seen before it was spoiled
            # Otherwise the last good version stays in force.
        return after

    # The directory

    def directory_goes(self):
        """Called under files_lock before all files go at once: nothing ends, and what was on its way may or may not have
        been seen before. Whether they have to be taken away, or are gone already."""
        self.directory_faults += 1
        if self.directory_faults > 1:
            return False
        with self.lock:
            for changes in self.changes.values():
                for change in changes:
                    if change.over is None:
                        change.after = None
            if self.first_right == float("inf"):
                # Nothing tells a first start that its clock is wrong. A window that it takes for over long ago is not
                # remembered over the next start, and without its file nobody knows of it until the file is back.
                for key, warrant in self.all.items():
                    if warrant.get("until") is not None and self.state(key) is True:
                        self.change(key, None)
        return True

    def directory_returns(self):
        """Called under files_lock before the directory is put back. What each file has to be then, or None where others
        keep the directory away."""
        self.directory_faults -= 1
        if self.directory_faults:
            return None
        files = {key: self.file_of(key) for key in self.all}
        with self.lock:
            for key, file in files.items():
                state = self.state(key)
                if file == GOOD and state is not True:
                    self.change(key, True)
                elif file == SPOILED and state is None:
                    self.change(key, None)
                elif file == ABSENT and state is not False:
                    # It was missed, and waits for an operator's word; a start may have forgotten that.
                    self.change(key, None)
        return files

    def ending_is_confirmed(self):
        """Called before an operator says that what is gone shall end. Over once confirmed(), or called_off()."""
        with self.lock:
            for key in self.all:
                if self.state(key) is not False and self.ended(key) is not True:
                    self.change(key, False, waits=True)

    def confirmed(self):
        with self.lock:
            for key, changes in self.changes.items():
                for change in changes:
                    if change.waits:
                        change.waits = False
                        self.settle(key, change)

    def called_off(self):
        """Nobody knows whether the operator was heard."""
        with self.lock:
            for changes in self.changes.values():
                for change in changes:
                    if change.waits:
                        change.after, change.waits = None, False

    # What became of it

    def change(self, key, after, waits=False):
        self.changes[key].append(Change(after, waits))

    def state(self, key):
        """Whether it is in force by all that is settled; None where nobody can say."""
        state = self.present[key]
        for change in self.changes[key]:
            if change.over is None:
                return None
            state = change.after
        return state

    def ended(self, key):
        """Whether its window is over; None where that depends on when somebody looks."""
        until = self.all[key].get("until")
        if until is None:
            return False
        if self.clock_wrong or abs(time.time() - until) < DOUBT:
            return None
        return time.time() >= until

    def goes(self, key):
        """Its file goes. That ends it but for what happened before the end of its window, where that is over already
        (promise 9); and where too much is gone at once nothing ends (promise 10)."""
        if self.ended(key):
            if self.state(key) is not True:
                self.change(key, None)
            return
        self.change(key, False)
        if self.may_be_withheld():
            for each in self.all:
                for change in self.changes[each]:
                    if change.over is None and change.after is False:
                        change.after = None

    def may_be_withheld(self):
        """Whether no file is left, or more than half of at least four warrants may be gone at once."""
        if all(self.file_of(key) == ABSENT for key in self.all):
            return True
        counted = [key for key in self.all if self.ended(key) is not True and not self.has_ended(key)]
        gone = [key for key in counted if self.file_of(key) == ABSENT]
        there = [key for key in counted if self.file_of(key) != ABSENT]
        surely_there = [key for key in there if self.state(key) and self.ended(key) is False]
        return len(gone) > len(surely_there) and len(gone) + len(there) >= 4

    def has_ended(self, key):
        """It is out of force, and its file is gone."""
        return self.state(key) is False and self.file_of(key) == ABSENT

    def settled(self, since):
        """A reload or start that began at `since` is over, and read all files."""
        with self.lock:
            for key, changes in self.changes.items():
                for change in changes:
                    if change.over is None and not change.waits and change.begun < since:
                        self.settle(key, change)

    def settle(self, key, change):
        if change.after is False and self.ended(key) is not False:
            change.after = None  # when its window was over it may have stayed for late events
        change.over = time.monotonic()

    def surely(self, key, begun, over):
        # A daemon that has never known the right time takes what it hears of as too late, or not.
        if self.first_right is not None and begun <= self.first_right and self.all[key].get("until") is not None:
            return False
        with self.lock:
            return self.throughout(key, begun, over, True)

    def possibly(self, key, begun, over):
        with self.lock:
            return not self.throughout(key, begun, over, False)

    def throughout(self, key, begun, over, what):
        """Whether it was that, beyond doubt, from `begun` to `over`."""
        state = self.present[key]
        for change in self.changes[key]:
            if change.begun <= over and (change.over is None or change.over >= begun):
                return False
            if change.over is not None and change.over < begun:
                state = change.after
        return state is what

    def matching(self, users, service, seconds):
        """(warrant, whether its window is certain) for everything that an event falls under. Seconds in whole
        microseconds, as text would have them; None if the event has no time."""
        found = []
        for key, warrant in self.all.items():
            if not set(warrant["users"]) & set(users):
                continue
            if warrant["services"] and service not in warrant["services"]:
                continue
            since, until = warrant["from"], warrant["until"]
            if seconds is None:
                found.append((key, since is None and until is None))
            elif (since is None or seconds >= since) and (until is None or seconds < until):
                found.append((key, True))
        return found


class Event:
    """What was handed in under an id, and what became of it. The same id with other content is another event: `id` tells
    them apart, as the parameter `told` does at the LEA."""

    def __init__(self, source, body, matching, text, attachments):
        self.id = told_apart(body["event_id"], body["parameters"]["told"])
        self.source = source
        self.body = body
        self.matching = matching
        self.text = text
        self.attachments = attachments  # [{"id", "sha256", "size", "how"}]
        self.attempts = []
        self.answer = "none"
        self.answered_by = None


class Ledger:
    """Everything that was submitted and answered, by all sources."""

    def __init__(self):
        self.lock = threading.Lock()
        self.events = {}
        self.taken = {}
        self.pairs = []
        self.breaches = []
        self.counts = {}
        self.told = {}

    def telling(self, event_id):
        """How often something else was told under that id before."""
        with self.lock:
            self.told[event_id] = self.told.get(event_id, -1) + 1
            return str(self.told[event_id])

    def add(self, event):
        with self.lock:
            self.events[event.id] = event

    def count(self, what, number=1):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + number

    def breach(self, promise, expected, found):
        with self.lock:
            self.breaches.append({"promise": promise, "expected": expected, "found": str(found)[:1000]})

    def shape(self, kind, warranted, answer):
        fields = sorted((n, v) for n, v in answer.fields.items() if n not in FIELDS_APART)
        with self.lock:
            self.taken.setdefault((kind, warranted, f"{answer.status} {fields} {answer.body!r}"), None)

    def evidence(self, warrants):
        events = {}
        wall = time.time() - time.monotonic()
        for event in self.events.values():
            must, may = [], []
            for key, certain in event.matching:
                if event.answered_by and certain and warrants.surely(key, *event.answered_by):
                    must.append(key)
                elif any(warrants.possibly(key, *attempt) for attempt in event.attempts):
                    may.append(key)
            events[event.id] = {"answer": event.answer, "must": must, "may": may, "text": event.text,
                                "attachments": event.attachments, "source": event.source,
                                "attempts": len(event.attempts),
                                "answered_at": event.answered_by and event.answered_by[1] + wall}
        answers = {"taken": [{"kind": k, "warranted": w, "shape": s} for k, w, s in self.taken],
                   "pairs": self.pairs, "breaches": self.breaches}
        return events, answers


class TlsConnection(http.client.HTTPSConnection):
    def __init__(self, port, timeout):
        super().__init__("127.0.0.1", port, context=harness.client_context("source"), timeout=timeout)


class Source(threading.Thread):
    """One client of one listener. Sends again what was not answered, as docs/events.md asks of sources."""

    def __init__(self, episode, number, listener, seed):
        super().__init__(daemon=True)
        self.episode = episode
        self.ledger = episode.ledger
        self.number = number
        self.listener = listener  # "local" or "messaging"
        self.chance = random.Random(seed)
        self.quiet = threading.Event()  # sends nothing new from now on
        self.abandon = threading.Event()  # not even what is unanswered
        self.failure = None
        self.connection = None
        self.remembered = []

    def run(self):
        try:
            while not self.quiet.is_set():
                self.step()
                time.sleep(self.chance.uniform(0, 2 * self.episode.plan["pace"]))
        except Exception as error:  # shown with the episode
            self.failure = error
        finally:
            self.drop()

    # HTTP

    def drop(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def ask(self, method, path, body=None, fields=None, timeout=None):
        """One request on a kept connection, or a new one."""
        timeout = timeout or self.episode.patience(6)
        if self.connection is None or self.chance.random() < 0.05:
            self.drop()
            if self.listener == "local":
                self.connection = harness.UnixConnection(self.episode.daemon.intake, timeout)
            else:
                self.connection = TlsConnection(self.episode.intake_port, timeout)
        try:
            self.connection.request(method, path, body, fields or {})
            return harness.Answer(self.connection.getresponse())
        except BaseException:
            self.drop()
            raise

    def pause(self):
        time.sleep(self.chance.uniform(0.01, 0.1))

    # Events

    def bytes(self, most):
        size = self.chance.choice([0, 1, 17, 1000, 65536, 65537, most])
        return self.chance.randbytes(min(size, most))

    def some_users(self):
        return [self.chance.choice(self.episode.plan["users"]) for _ in range(self.chance.choice([1, 1, 1, 2]))]

    def some_time(self, users):
        """Now, long ago, about an edge of a warrant's window, or none; in whole microseconds."""
        how = self.chance.random()
        now = time.time()
        edges = [w[edge] for w in self.episode.plan["warrants"] for edge in ("from", "until")
                 if w[edge] is not None and w["users"][0] in users]
        if how < 0.1:
            return None
        if how < 0.2:
            seconds = now - self.chance.choice([3600, 86400, 2 * 86400, 30 * 86400])
        elif how < 0.6 and edges:
            seconds = self.chance.choice(edges) + self.chance.choice([-0.000001, 0, 0.000001, -1, 1])
        else:
            seconds = now
        stamp = rfc3339(round(seconds, 6))
        return datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()

    def new_event(self, attachments=(), like=None):
        """An event of random people; what is under no warrant carries the marker of what must leave no trace. `like` is
        one whose id and time it has; None where what the two may leave a trace of is not the same."""
        plan, chance = self.episode.plan, self.chance
        if like is None:
            users, service = self.some_users(), SERVICES[chance.random() < 0.15]
            seconds = self.some_time(users)
        else:
            users, service, seconds = like.about
            users = users if chance.random() < 0.7 else self.some_users()
        matching = self.episode.warrants.matching(users, service, seconds)
        if like is not None and bool(matching) != bool(like.matching):
            return None
        marker = plan["matched"] if matching else plan["unmatched"]
        text = f"{marker} text {self.number} {len(self.remembered)} " + "x" * chance.choice([0, 10, 300, 20000])
        if chance.random() < 0.1:
            text += "\u0000\ud83d \ufffe \u00e4 \U0001f600"
        event_id = like.body["event_id"] if like else f"{marker}-{uuid.UUID(int=chance.getrandbits(128))}"
        conversation = chance.choice([None, f"{marker}-c-{users[0]}", f"{marker}-c-{chance.randrange(3)}"])
        named = [u if u in plan["targets"] else f"{marker}-{u}" for u in users]
        body = harness.message(named[0], named[1] if len(named) > 1 else f"{marker}-peer", text, conversation,
                               event_id=event_id, service=service, timestamp=None if seconds is None else rfc3339(seconds),
                               event_type="message" if like is None else chance.choice(OTHER_TYPES),
                               parameters={"marker": marker, "told": self.ledger.telling(event_id)})
        given = []
        for number, bytes in enumerate(attachments):
            body.setdefault("attachments", []).append(
                harness.inline(f"a{number}", bytes, **self.details(bytes)))
            given.append(self.given(f"a{number}", bytes, "inline"))
        event = Event(self.listener, body, matching, text, given)
        event.about = users, service, seconds
        self.ledger.add(event)
        return event

    def details(self, bytes):
        details = {"filename": "roof.jpg", "content_type": "image/jpeg"}
        if self.chance.random() < 0.5:
            details["sha256"] = hashlib.sha256(bytes).hexdigest()
        return details

    @staticmethod
    def given(name, bytes, how):
        return {"id": name, "sha256": hashlib.sha256(bytes).hexdigest(), "size": len(bytes), "how": how}

    # Handing in

    def hand_in(self, events, uploads=None, give_up=False):
        """Sends until all of them are answered, however often that takes. `uploads` are the objects that they name."""
        left, first = list(events), True
        while left and not self.abandon.is_set():
            if uploads and not first:
                if not self.upload(uploads):
                    return
            first = False
            begun = time.monotonic()
            single = len(left) == 1 and self.chance.random() < 0.5
            if single:
                body, kind = harness.to_json(left[0].body), "application/json"
            else:
                body = b"".join(harness.to_json(e.body) + b"\n" for e in left)
                kind = "application/x-ndjson"
            try:
                answer = self.ask("POST", "/v1/events", body, {"Content-Type": kind})
            except (OSError, http.client.HTTPException):
                for event in left:
                    event.attempts.append((begun, time.monotonic()))
                self.ledger.count("unanswered")
                if give_up:
                    return
                self.pause()
                continue
            span = (begun, time.monotonic())
            for event in left:
                event.attempts.append(span)
            self.ledger.count(f"answered {answer.status}")
            if answer.status == 202:
                if answer.json() != {"accepted": len(left)}:
                    self.ledger.breach(1, f"{len(left)} accepted", answer)
                for event in left:
                    event.answer, event.answered_by = "accepted", span
                if len(left) == 1:
                    self.ledger.shape("one event", bool(left[0].matching), answer)
                return
            if answer.status == 422:
                left = self.mend(left, answer, span, uploads)
            elif answer.status == 503:
                if int(answer.fields.get("retry-after", 0)) < 1:
                    self.ledger.breach(11, "503 with Retry-After", answer)
            elif answer.status != 408:
                self.ledger.breach(11, "events taken, or put off with 503", answer)
                return
            self.pause()

    def mend(self, events, answer, span, uploads):
        """The events of a 422 that are worth another try; the others are accepted, or refused because of their time."""
        told = answer.json()
        rejected = {r["line"]: r for r in told["rejected"]}
        if told["accepted"] + len(rejected) + told.get("unlisted", 0) != len(events):
            self.ledger.breach(1, f"{len(events)} events told of", answer)
        left = []
        for number, event in enumerate(events, 1):
            reason = rejected.get(number)
            if reason is None:
                event.answer, event.answered_by = "accepted", span
            elif reason["field"].endswith(".object") and uploads:
                left.append(event)
            elif reason["field"] == "timestamp" and self.episode.clock_in_doubt:
                # Ahead of a clock that was set back. An earlier attempt may have been taken.
                event.answer = "refused" if len(event.attempts) == 1 else "none"
            else:
                self.ledger.breach(1, "a good event taken", f"{reason} for {event.id}")
        return left

    def upload(self, uploads):
        """Uploads each; whether all of them are there."""
        for name, bytes in uploads.items():
            while True:
                if self.abandon.is_set():
                    return False
                try:
                    answer = self.ask("PUT", "/v1/objects/" + urllib.parse.quote(name, safe=""), bytes)
                except (OSError, http.client.HTTPException):
                    self.pause()
                    continue
                if answer.status in (201, 204):
                    break
                if answer.status not in (503, 408):
                    self.ledger.breach(11, "an object taken, or put off with 503", answer)
                    return False
                self.pause()
        return True

    # What a source does

    def step(self):
        draw = self.chance.random()
        if draw < 0.3:
            self.hand_in_new(1)
        elif draw < 0.6:
            self.hand_in_new(self.chance.randint(2, 25))
        elif draw < 0.7 and self.remembered:
            event = self.chance.choice(self.remembered)
            if self.chance.random() < 0.3:
                self.tell_otherwise(event)
            elif event.answer == "accepted":
                self.repeat(event)
        elif draw < 0.78:
            event = self.new_event([self.bytes(200000) for _ in range(self.chance.randint(1, 3))])
            self.hand_in([event])
            self.remember([event])
        elif draw < 0.88:
            self.hand_in_uploaded()
        elif draw < 0.92 and self.episode.spool:
            self.hand_in_named()
        elif draw < 0.96:
            self.refused_pair()
        else:
            self.nuisance()

    def hand_in_new(self, count):
        events = [self.new_event() for _ in range(count)]
        if self.chance.random() < 0.1:  # the same id twice in one body
            events += filter(None, [self.new_event(like=self.chance.choice(events))])
        self.hand_in(events, give_up=self.chance.random() < 0.1)
        self.remember(events)

    def remember(self, events):
        self.remembered += events
        del self.remembered[:-200]

    def tell_otherwise(self, event):
        """Other content under an id that was told before: another event, whatever became of the first."""
        objects = [self.bytes(3000) + self.chance.randbytes(8) for _ in event.attachments]
        other = self.new_event(objects, like=event)
        if other is not None:
            self.ledger.count("ids told again")
            self.hand_in([other])
            self.remember([other])

    def repeat(self, event):
        """Sent again although it was answered: it makes no second item."""
        begun = time.monotonic()
        try:
            answer = self.ask("POST", "/v1/events", harness.to_json(event.body), {"Content-Type": "application/json"})
        except (OSError, http.client.HTTPException):
            answer = None
        event.attempts.append((begun, time.monotonic()))
        if answer is not None and answer.status not in (202, 503, 408):
            if not (answer.status == 422 and self.episode.clock_in_doubt):
                self.ledger.breach(1, "a repeated event taken", answer)

    def hand_in_uploaded(self):
        uploads, given, named = {}, [], []
        for number in range(self.chance.randint(1, 2)):
            bytes = self.bytes(self.chance.choice([300000, 3000000]))
            name = f"{self.number}/{uuid.UUID(int=self.chance.getrandbits(128))}"
            uploads[name] = bytes
            named.append({"id": f"u{number}", "object": name, **self.details(bytes)})
            given.append(self.given(f"u{number}", bytes, "upload"))
        if not self.upload(uploads):
            return
        if self.chance.random() < 0.1:
            return  # an object that no event ever names
        event = self.new_event()
        event.body["attachments"], event.attachments = named, given
        self.hand_in([event], uploads)

    def hand_in_named(self):
        event = self.new_event()
        name = uuid.UUID(int=self.chance.getrandbits(128)).hex
        bytes = (self.episode.plan["unmatched"].encode() if not event.matching else b"") + self.bytes(500000)
        path = os.path.join(self.episode.spool, name)
        with open(path + ".part", "wb") as file:
            file.write(bytes)
        os.rename(path + ".part", path)
        event.body["attachments"] = [{"id": "f0", "file": name}]
        event.attachments = [self.given("f0", bytes, "file")]
        self.hand_in([event])

    def refused_pair(self):
        """The same mistake about a target and about somebody else."""
        plan = self.episode.plan
        marker = plan["unmatched"]
        mistake = self.chance.choice(["unknown member", "no time", "future", "object", "empty", "type", "base64"])
        seen = []
        for user in (self.chance.choice(sorted(plan["targets"])), f"{marker}-user"):
            event = harness.message(user, f"{marker}-peer", f"{marker}-text",
                                    event_id=f"{marker}-refused-{uuid.uuid4()}")
            if mistake == "unknown member":
                event["unheard_of"] = marker
            elif mistake == "no time":
                event["timestamp"] = marker
            elif mistake == "future":
                event["timestamp"] = rfc3339(time.time() + 400 * 86400)
            elif mistake == "object":
                event["attachments"] = [{"id": "x", "object": f"never-{uuid.uuid4()}"}]
            elif mistake == "empty":
                event["receivers"] = [{"identifiers": []}]
            elif mistake == "type":
                event["receivers"] = [{"identifiers": [{"type": marker, "value": marker}]}]
            else:
                event["attachments"] = [{"id": "x", "data": "====" + marker}]
            try:
                answer = self.ask("POST", "/v1/events", harness.to_json(event), {"Content-Type": "application/json"})
            except (OSError, http.client.HTTPException):
                return
            if answer.status in (503, 408):
                return
            if answer.status != 422:
                self.ledger.breach(7, f"422 for {mistake}", answer)
            fields = sorted((n, v) for n, v in answer.fields.items() if n not in FIELDS_APART)
            seen.append(f"{answer.status} {fields} {answer.body!r}")
        with self.ledger.lock:
            self.ledger.pairs.append([mistake, *seen])

    def nuisance(self):
        """Requests that nobody should send."""
        marker = self.episode.plan["unmatched"].encode()
        kind = self.chance.randrange(8)
        fields = {"Content-Type": "application/json"}
        try:
            if kind == 0:
                answer = self.ask("POST", "/v1/events", b'{"event_id": "' + marker + b'", ' + b"[" * 100000, fields)
            elif kind == 1:
                answer = self.ask("POST", "/v1/events", b'{"event_id":"' + marker * 100000 + b'"}', fields)
            elif kind == 2:
                answer = self.ask("POST", "/v1/events", b"", {"Content-Type": "text/" + "x" * 3000})
            elif kind == 3:
                answer = self.ask("GET", "/" + marker.decode() * 100)
            elif kind == 4:
                answer = self.ask("PUT", "/v1/objects/" + "%00" * 10, marker)
            elif kind == 5:
                answer = self.ask("POST", "/v1/events", b"\x00\xff\xfe" + marker + b"\n" * 5000,
                                  {"Content-Type": "application/x-ndjson"})
            elif kind == 6:
                answer = self.ask("POST", "/v1/events", base64.b64encode(marker) * 10, fields)
            else:
                self.drop()
                self.half_a_request(marker)
                return
        except (OSError, http.client.HTTPException):
            return
        if answer.status < 400 or answer.status == 500:
            self.ledger.breach(11, "nonsense refused", answer)

    def half_a_request(self, marker):
        connection = (harness.UnixConnection(self.episode.daemon.intake, 5) if self.listener == "local"
                      else TlsConnection(self.episode.intake_port, 5))
        try:
            connection.connect()
            event = harness.to_json(harness.message(f"{marker.decode()}-x", text=marker.decode() * 50))
            connection.sock.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                                    b"Content-Length: %d\r\n\r\n" % (len(event) + 100) + event)
            if self.chance.random() < 0.5:
                time.sleep(self.chance.uniform(0, 0.2))
        finally:
            connection.close()
