#!/usr/bin/env python3
"""The demo of several machines, once everything is built (scripts/demo cluster): what packaging/patroni describes, on
loopback. Events about several people go in without a pause, while the database's primary is killed, and then the daemon
that delivers; then it is looked at what arrived."""

import datetime
import glob
import http.client
import json
import os
import signal
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests"))

import demo_show  # noqa: E402
from demo_run import event  # noqa: E402
from demo_scene import Scene, say, show  # noqa: E402
from programs import LeaSim, client_context, wait_until  # noqa: E402
from programs.cluster import ClusterDaemon, Database, Haproxy, Values, daemon_files  # noqa: E402

LIIDS = 6
PACE = 0.04  # seconds between an answer and the source's next event, so that two cores have time for all of this
PART = 100  # events about each LIID before, between and behind the faults
# Longer than a failover may take: Patroni's ttl, a round of it, and the standby that has to follow.
LONG = 180


class Source(threading.Thread):
    """Sends numbered events about one person, each until it is answered with success, then the next."""

    def __init__(self, front, number):
        super().__init__(daemon=True)
        self.address, self.port = front.split(":")
        self.liid, self.user = f"LIID-{number}", f"u-{number}"
        self.answered = 0
        self.attempts = 0
        self.waits = []  # of each event: when it was sent first, and when it was answered
        self.enough = threading.Event()
        self.failed = None
        self.connection = None

    def run(self):
        while not self.enough.is_set():
            begun = time.time()
            body = json.dumps(event(self.event_id(self.answered), {"user_id": self.user}, {"user_id": "u-peer"},
                                    f"message {self.answered}", f"c-{self.user}"))
            while not self.attempt(body):
                if self.failed or time.time() - begun > LONG:
                    self.failed = self.failed or f"event {self.answered} of {self.liid} is not taken"
                    return
                time.sleep(0.1)
            self.waits.append((begun, time.time()))
            self.answered += 1
            self.enough.wait(PACE)

    def event_id(self, number):
        return f"{self.user}-event-{number}"

    def attempt(self, body):
        """Whether the event was taken. No answer and 503 say nothing: it is sent again."""
        self.attempts += 1
        try:
            if self.connection is None:
                self.connection = http.client.HTTPSConnection(self.address, int(self.port), timeout=20,
                                                              context=client_context("source"))
            self.connection.request("POST", "/v1/events", body, {"Content-Type": "application/json"})
            answer = self.connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            return False
        if answer.status not in (202, 503):
            self.failed = f"event {self.answered} of {self.liid}: HTTP {answer.status} {said!r}"
        return answer.status == 202


class Deliveries:
    """What the LEA accepted of each LIID, in the order of its answers."""

    def __init__(self, lea):
        self.lea = lea
        self.read = 0
        self.lines = {}

    def count(self, liid):
        return len(self.lines.get(liid, []))

    def look(self):
        path = self.lea.outputs[0][0]
        with open(path, "rb") as file:
            file.seek(self.read)
            text = file.read()
        whole = text.rfind(b"\n") + 1
        self.read += whole
        for line in map(json.loads, text[:whole].splitlines()):
            if line["event"] == "delivery":
                if line["outcome"] != "accepted" or not line.get("valid"):
                    raise AssertionError(f"a delivery that is not as it should be: {line}")
                line["at"] = datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00")).timestamp()
                self.lines.setdefault(line["liid"], []).append(line)
        return self.lines


class ClusterDemo(Scene):
    def __init__(self):
        super().__init__()
        self.values = Values(self)
        self.database = Database(self, self.values)
        self.lea = LeaSim(self, "lea-one")
        self.deliveries = Deliveries(self.lea)
        self.daemons, self.sources, self.faults = [], [], []

    # The scene

    def start_database(self):
        say("Three machines with etcd, Patroni and PostgreSQL each, by the templates of packaging/patroni")
        self.database.start()
        self.show_database()

    def show_database(self):
        for name, member in sorted(self.database.members().items()):
            print(f"  {name}  {member['host']}:{member['port']}  {member['role']:13} {member['state']}")
        sys.stdout.flush()

    def start_daemons(self):
        say("A test LEA, and three daemons behind HAProxy")
        self.lea.start()
        files = daemon_files(self, self.database.create())
        for name in ("csp-a", "csp-b", "csp-c"):
            daemon = ClusterDaemon(self, self.values, name, files)
            daemon.destination("lea-one", self.lea.port)
            self.daemons.append(daemon)
        for number in range(1, LIIDS + 1):
            self.daemons[0].warrant(f"LIID-{number}", "lea-one", ("user_id", f"u-{number}"))
        self.daemon = self.daemons[0]
        self.daemon.keep()
        wait_until(self.delivering, "the first daemon is ready")
        for daemon in self.daemons[1:]:
            daemon.keep()
        Haproxy(self, self.values)
        self.show_daemons()

    def show_daemons(self):
        for daemon in self.daemons:
            print(f"  {daemon.name}  {'delivers' if daemon.ready_status() == 200 else 'waits for its turn'}", flush=True)

    def delivering(self):
        return next((daemon for daemon in self.daemons if daemon.ready_status() == 200), None)

    # What happens

    def go_on(self, what):
        """Until PART more events about each LIID were answered, and as many more were delivered."""
        wanted = {source.liid: (source.answered + PART, self.deliveries.count(source.liid) + PART)
                  for source in self.sources}

        def reached():
            lines = self.deliveries.look()
            for source in self.sources:
                if source.failed:
                    raise AssertionError(source.failed)
            return all(source.answered >= wanted[source.liid][0] and len(lines.get(source.liid, [])) >= wanted[source.liid][1]
                       for source in self.sources)

        wait_until(reached, what, LONG)
        print(f"  {sum(source.answered for source in self.sources)} events answered, "
              f"{sum(map(len, self.deliveries.lines.values()))} items delivered", flush=True)

    def start_traffic(self):
        say(f"Events about {LIIDS} people go in through HAProxy, each numbered, without a pause")
        for number in range(1, LIIDS + 1):
            self.sources.append(Source(self.values.common["FRONT"], number))
        for source in self.sources:
            source.start()
        self.go_on("events go in and come out")

    def fault(self, what, begin):
        """Begins it, and waits until everything is as it was for the sources and the LEA."""
        begun = time.time()
        begin()
        self.go_on(f"it goes on after: {what}")
        self.faults.append((what, begun, time.time()))

    def kill_primary(self):
        primary = self.database.primary()
        say(f"kill -9 of everything on {primary.name}, the database's primary")
        self.fault("the database's primary killed", primary.kill)
        self.show_database()
        say(f"{primary.name} is there again: what it alone had written is wound back, and it follows")
        primary.start()
        wait_until(self.database.is_whole, "all three servers are there", LONG)
        self.show_database()
        self.go_on("it goes on")

    def kill_daemon(self):
        daemon = self.delivering()
        if daemon is None:
            raise AssertionError("no daemon delivers")
        say(f"kill -9 of {daemon.name}, the daemon that delivers; its machine stays away")
        self.fault("the daemon that delivers killed", lambda: daemon.end(signal.SIGKILL))
        self.show_daemons()
        say(f"{daemon.name} is there again")
        daemon.keep()
        self.go_on("it goes on")
        self.show_daemons()

    # What arrived

    def finish(self):
        say("The sources stop")
        for source in self.sources:
            source.enough.set()
        for source in self.sources:
            source.join(LONG)
            if source.failed or source.is_alive():
                raise AssertionError(source.failed or f"the source of {source.liid} does not end")

        def all_there():
            lines = self.deliveries.look()
            return all(len({line["object"] for line in lines.get(source.liid, [])}) >= source.answered for source in self.sources)
        wait_until(all_there, "everything that was answered is delivered")
        wait_until(lambda: self.delivering() and self.delivering().waiting() == 0, "nothing waits any more")
        self.deliveries.look()

    def read_events(self):
        """The events' ids by ObjectIdentifier, from the documents as they came."""
        found = {}
        for path in glob.glob(os.path.join(self.lea.directory, "*.xml")):
            for action in (e for e in ElementTree.parse(path).getroot().iter() if demo_show.local(e) == "ActionRequest"):
                item = demo_show.text(action, "ObjectIdentifier")
                event_id = demo_show.text(action, "eventId")
                if found.setdefault(item, event_id) != event_id:
                    raise AssertionError(f"{item} came with two contents")
        return found

    def check(self, source, events):
        """All arrived, in order, each once or again under the same ObjectIdentifier. How many came again."""
        seen, again = {}, 0
        for line in self.deliveries.lines[source.liid]:
            if line["object"] in seen:
                again += 1
                if line["sequence"] != seen[line["object"]]:
                    raise AssertionError(f"{source.liid}: a repeat says that it is number {line['sequence']}")
                continue
            seen[line["object"]] = line["sequence"]
        came = [events[item] for item in seen]
        sent = [source.event_id(number) for number in range(source.answered)]
        if came != sent:
            lost, more = set(sent) - set(came), set(came) - set(sent)
            wrong = next((n for n, (one, other) in enumerate(zip(came, sent)) if one != other), min(len(came), len(sent)))
            raise AssertionError(f"{source.liid}: {len(sent)} were answered, {len(came)} arrived; lost {sorted(lost)[:5]}, "
                                 f"unknown {sorted(more)[:5]}; the first that differs is number {wrong}: "
                                 f"{came[wrong:wrong + 3]} instead of {sent[wrong:wrong + 3]}")
        if list(seen.values()) != list(range(len(sent))):
            raise AssertionError(f"{source.liid}: the sequence has gaps or is out of order")
        return again

    def show_arrived(self):
        say("What arrived at the LEA, against what the sources had answered")
        events = self.read_events()
        print("  LIID      answered   arrived   in order, without a gap   came again, recognisably   sent again by its source")
        for source in self.sources:
            again = self.check(source, events)
            arrived = len({line["object"] for line in self.deliveries.lines[source.liid]})
            print(f"  {source.liid:8} {source.answered:9} {arrived:9}   yes {again:40} "
                  f"{source.attempts - source.answered:26}", flush=True)

    def show_interruptions(self):
        say("How long it took")
        for what, begun, ended in self.faults:
            waits = max(answered - sent for source in self.sources for sent, answered in source.waits
                        if answered >= begun and sent <= ended)
            gaps = []
            for lines in self.deliveries.lines.values():
                times = [line["at"] for line in lines]
                gaps += [after - before for before, after in zip(times, times[1:]) if after >= begun and before <= ended]
            print(f"  {what}: a source waited for {waits:.1f} s at most, and of no LIID the LEA got nothing for longer than "
                  f"{max(gaps):.1f} s", flush=True)

    def show_operator(self):
        daemon = self.delivering()
        say(f"lihandoverctl status, at {daemon.name}")
        print(daemon.ctl("status"), end="", flush=True)

    def close(self, failed, keep):
        for source in self.sources:
            source.enough.set()
        for daemon in self.daemons:
            daemon.end(signal.SIGTERM)
        self.database.stop()
        super().close(failed, keep)

    def run(self):
        self.start_database()
        self.start_daemons()
        self.start_traffic()
        self.kill_primary()
        self.kill_daemon()
        self.finish()
        self.show_arrived()
        self.show_interruptions()
        self.show_operator()
        count = sum(source.answered for source in self.sources)
        say(f"Done: {count} events, all delivered, in order, over the loss of a database's primary and of a daemon")


if __name__ == "__main__":
    sys.exit(show(ClusterDemo))
