"""Constant load for a long time: does anything grow, slow down or get lost?"""
from __future__ import annotations

import argparse
import dataclasses
import http.client
import json
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time
from typing import Any

from bench import prepare, report
from bench.figures.delivery import wall_ns
from bench.main import ORDER, say
from bench.measure import DEFAULT, BenchError
from bench.rig import (ROOT, WARRANT, Destination, Lea, Rig, UnixConnection, cpu_seconds, programs, resident_mib,
                       wait_until)

LIIDS = 1000
HIT_EVERY = 10  # one event in so many is under a warrant
ATTACH_EVERY = 51  # one in so many has an attachment, under a warrant or not: without a common factor with the above
ATTACH_SIZE = 20_000
MIX = ("--batch", 10, "--connections", 16, "--users", LIIDS, "--hit-every", HIT_EVERY, "--attach-every", ATTACH_EVERY,
       "--attach-size", ATTACH_SIZE)
PROBE_SECONDS = 0.25
WARM_UP_SHARE = 0.2  # of the time, which is not judged


# -- judging --------------------------------------------------------------------------------------------------------


def robust_slope(points: list[tuple[float, float]]) -> float:
    """Theil and Sen's: the median of the slopes between all pairs, which a few outliers cannot move."""
    slopes = [(y2 - y1) / (x2 - x1) for i, (x1, y1) in enumerate(points) for x2, y2 in points[i + 1:] if x2 != x1]
    return statistics.median(slopes) if slopes else 0.0


@dataclasses.dataclass(frozen=True)
class Flat:
    """What should not grow, bound to its growth over the time judged: a share of its first value or an amount,
    whichever is more."""
    name: str
    key: str
    unit: str
    share: float
    amount: float


FLAT = (
    Flat("resident memory", "resident_mib", "MiB", 0.05, 3),
    Flat("open descriptors", "descriptors", "", 0, 8),
    Flat("log (store.db-wal)", "wal_mb", "MB", 0.25, 8),
    Flat("sealed objects", "objects_mb", "MB", 0.5, 8),
    Flat("items waiting", "waiting", "", 0.5, 1000),
    Flat("latency, median", "latency_50_ms", "ms", 0.25, 1),
    Flat("latency, 99 %", "latency_99_ms", "ms", 0.5, 5),
    Flat("daemon's time per event", "cpu_us", "µs", 0.1, 0.5),
)
DB_PER_ITEM = 250  # bytes: two records with their index and one repeat are about 150, and pages are not always full


def judge(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each thing that is looked at."""
    begin_at = samples[-1]["minute"] * WARM_UP_SHARE
    judged = [sample for sample in samples if sample["minute"] >= begin_at]
    rows = []
    for flat in FLAT:
        points = [(one["minute"], one[flat.key]) for one in judged if one.get(flat.key) is not None]
        if len(points) < 8:
            rows.append({"name": flat.name, "unit": flat.unit, "begin": None, "end": None, "growth": None,
                         "growth_unit": flat.unit, "bound": None, "flat": False})
            continue
        quarter = len(points) // 4
        begin = statistics.median(y for _, y in points[:quarter])
        end = statistics.median(y for _, y in points[-quarter:])
        growth = robust_slope(points) * (points[-1][0] - points[0][0])
        bound = max(flat.share * begin, flat.amount)
        rows.append({"name": flat.name, "unit": flat.unit, "begin": begin, "end": end, "growth": growth,
                     "growth_unit": flat.unit, "bound": bound, "flat": growth <= bound})
    first, last = judged[0], judged[-1]
    items = last["delivered"] - first["delivered"]
    per_item = (last["db_mb"] - first["db_mb"]) * 1e6 / items if items else 0
    rows.append({"name": "store.db: records and remembered events", "unit": "MB", "begin": first["db_mb"],
                 "end": last["db_mb"], "growth": per_item, "growth_unit": "bytes per item", "bound": DB_PER_ITEM,
                 "flat": None if per_item <= DB_PER_ITEM else False})
    return rows


def percentile(buckets: list[tuple[float, float]], share: float) -> float | None:
    """From cumulative counts of a histogram, as far as its buckets tell; seconds."""
    total = buckets[-1][1] if buckets else 0
    if total <= 0:
        return None
    below, edge = 0.0, 0.0
    for bound, count in buckets:
        if count >= share * total:
            if bound == float("inf"):
                return edge
            return edge + (bound - edge) * (share * total - below) / max(count - below, 1e-9)
        below, edge = count, bound
    return edge


# -- the run --------------------------------------------------------------------------------------------------------


class Probe(threading.Thread):
    """Sends one event after the other to a separate warrant, and measures when its LEA has each, from the moment the
    request is sent. The answer and the document both leave after the commit, so either may arrive first."""

    def __init__(self, rig: Rig, lea: Lea):
        super().__init__(daemon=True)
        self.rig, self.lea = rig, lea
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.latencies_ms: list[float] = []
        self.sent = 0
        self.failure = ""

    def run(self) -> None:
        try:
            with open(self.lea.process.out_path, "rb") as lines:
                lines.readline()  # "listening"
                connection = UnixConnection(self.rig.work / "intake.sock")
                while not self.ended.is_set():
                    self.once(connection, lines)
                    self.ended.wait(PROBE_SECONDS)
        except Exception as error:  # judged at the end
            self.failure = f"{type(error).__name__}: {error}"

    def once(self, connection: UnixConnection, lines: Any) -> None:
        self.sent += 1
        event = {"event_id": f"probe-{self.sent}", "service": "examplechat", "event_type": "message",
                 "sender": {"identifiers": [{"type": "user_id", "value": "probe-0"}]},
                 "conversation": {"id": "probe", "kind": "direct"}, "content": {"type": "text/plain", "text": "probe"}}
        begun = time.time()
        connection.request("POST", "/v1/events", json.dumps(event), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 202:
            raise BenchError(f"the daemon answered {answer.status}")
        wait_until(lambda: self.arrived(lines, begun), 120, "a probe", every=0.002)

    def arrived(self, lines: Any, begun: float) -> bool:
        place = lines.tell()
        line = lines.readline()
        if not line.endswith(b"\n"):
            lines.seek(place)
            return False
        there = wall_ns(json.loads(line)["time"]) / 1e9
        with self.lock:
            self.latencies_ms.append((there - begun) * 1000)
        return True

    def take(self) -> list[float]:
        with self.lock:
            taken, self.latencies_ms = self.latencies_ms, []
        return taken


def metrics(rig: Rig) -> list[tuple[str, str, float]]:
    """(name, labels, value) of everything the daemon counts."""
    connection = http.client.HTTPConnection("127.0.0.1", rig.admin, timeout=60)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    found = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            series, value = line.rsplit(" ", 1)
            name, _, labels = series.partition("{")
            found.append((name, labels, float(value)))
    return found


def total(found: list[tuple[str, str, float]], name: str, *labels: str) -> float:
    return sum(value for one, has, value in found if one == name and all(label in has for label in labels))


def histogram(found: list[tuple[str, str, float]], name: str, label: str) -> dict[float, float]:
    return {float(labels.split('le="')[1].split('"')[0]): value for one, labels, value in found
            if one == name + "_bucket" and label in labels}


def folder_size(path: pathlib.Path) -> tuple[int, int]:
    """Bytes and files below it, some of which may vanish meanwhile."""
    bytes = files = 0
    for entry in os.scandir(path):
        try:
            bytes += entry.stat().st_size
            files += 1
        except FileNotFoundError:
            pass
    return bytes, files


class Sampler:
    def __init__(self, rig: Rig, daemon: programs.Process, lea: Lea, probe: Probe):
        self.rig, self.daemon, self.lea, self.probe = rig, daemon, lea, probe
        self.start = time.monotonic()
        self.samples: list[dict[str, Any]] = []
        self.last_cpu, self.last_events = cpu_seconds(daemon.pid), 0.0
        self.last_buckets: dict[float, float] = {}
        self.last_events = total(metrics(rig), "lihandover_events_received_total")

    def take(self) -> dict[str, Any]:
        rig, pid = self.rig, self.daemon.pid
        state = rig.work / "state"
        found = metrics(rig)
        cpu, events = cpu_seconds(pid), total(found, "lihandover_events_received_total")
        buckets = histogram(found, "lihandover_delivery_seconds", 'destination="lea"')
        delta = sorted((bound, count - self.last_buckets.get(bound, 0)) for bound, count in buckets.items())
        probes = sorted(self.probe.take())
        wal = state / "store.db-wal"
        objects, files = folder_size(state / "objects")
        percent = [percentile(delta, share) for share in (0.5, 0.99)]
        sample = {
            "minute": (time.monotonic() - self.start) / 60,
            "resident_mib": resident_mib(pid), "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
            "receiver_resident_mib": resident_mib(self.lea.process.pid),
            "db_mb": (state / "store.db").stat().st_size / 1e6,
            "wal_mb": wal.stat().st_size / 1e6 if wal.exists() else 0.0,
            "objects_mb": objects / 1e6, "object_files": files,
            "waiting": total(found, "lihandover_outbox_items"), "objects": total(found, "lihandover_objects"),
            "delivered": total(found, "lihandover_items_total", 'outcome="delivered"'),
            "events": events, "event_rate": 0.0,
            "cpu_us": (cpu - self.last_cpu) / (events - self.last_events) * 1e6 if events > self.last_events else None,
            # As the probes see it, and beside it the daemon's own histogram of all items.
            "latency_50_ms": statistics.median(probes) if probes else None,
            "latency_99_ms": probes[min(len(probes) - 1, int(len(probes) * 0.99))] if probes else None,
            "histogram_50_ms": None if percent[0] is None else percent[0] * 1000,
            "histogram_99_ms": None if percent[1] is None else percent[1] * 1000,
        }
        if self.samples:
            before = self.samples[-1]
            sample["event_rate"] = (events - before["events"]) / ((sample["minute"] - before["minute"]) * 60)
        self.last_cpu, self.last_events, self.last_buckets = cpu, events, buckets
        self.samples.append(sample)
        return sample


def multiples(first: int, count: int, step: int) -> int:
    """How many numbers from first on are multiples of step."""
    return (first + count - 1) // step - (first - 1) // step


class Soak:
    def __init__(self, rig: Rig, chosen: argparse.Namespace):
        self.rig, self.chosen = rig, chosen
        self.items = 0  # that must arrive
        self.objects = 0
        self.events = 0
        self.wrong: list[str] = []

    def send(self, events: int, *options: Any) -> list[str]:
        """The command that sends so many; what must come of them is recorded."""
        first = self.rig.next_event
        self.events += events
        self.items += multiples(first, events, HIT_EVERY)
        self.objects += multiples(first, events, HIT_EVERY * ATTACH_EVERY)
        return self.rig.load_command(events, *MIX, *options)

    def arrived(self, lea: Lea) -> bool:
        totals = lea.totals()
        return totals["accepted"] >= self.items and totals["objects"] >= self.objects

    def calibrate(self, lea: Lea) -> float:
        """Events per second that this machine takes and delivers with this mix."""
        rate = 0.0
        for events in (20_000, max(50_000, int(200_000 * min(1.0, self.chosen.minutes / 5)))):
            start = time.monotonic()
            done = subprocess.run(self.send(events), capture_output=True, text=True)
            if done.returncode != 0:
                raise BenchError(done.stderr.strip())
            wait_until(lambda: self.arrived(lea), 300, "what was sent to calibrate", every=0.02)
            rate = events / (time.monotonic() - start)
        return rate

    def run(self) -> dict[str, Any]:
        rig = self.rig
        rig.empty("state", "warrants.d")
        for i in range(LIIDS):
            (rig.work / "warrants.d" / f"{i:05d}.yaml").write_text(WARRANT.format(
                liid=f"LIID-{i:07d}", user=f"u-{i}", destination="lea", deliver="metadata, content, binary"))
        (rig.work / "warrants.d" / "probe.yaml").write_text(WARRANT.format(
            liid="LIID-probe", user="probe-0", destination="probe", deliver="metadata, content"))
        with rig.lea() as lea, rig.lea(quiet=False) as probe_lea:
            url = f"https://127.0.0.1:{lea.port}/binaryData/{{object_identifier}}/"
            config = [Destination("lea", lea.port, binary={"model": "B", "url_template": url}),
                      Destination("probe", probe_lea.port)]
            with rig.daemon(config, None, fresh=False) as daemon:
                measured = self.calibrate(lea)
                rate = self.chosen.rate or measured / 2
                say(f"calibrated: {measured:,.0f} events/s; {self.chosen.minutes:g} minutes at {rate:,.0f}")
                probe = Probe(rig, probe_lea)
                probe.start()
                sampler = Sampler(rig, daemon, lea, probe)
                late = self.load(daemon, sampler, rate)
                probe.ended.set()
                probe.join(130)
                self.settle(lea, probe, probe_lea)
        return self.summary(sampler, measured, rate, late, probe)

    def load(self, daemon: programs.Process, sampler: Sampler, rate: float) -> float:
        """The constant load; returns how late its worst request was sent, in seconds."""
        seconds = self.chosen.minutes * 60
        every = max(1.0, min(5.0, seconds / 60))
        with open(self.rig.work / "sender.err", "w+") as errors:
            sender = self.rig.start(*self.send(int(rate * seconds), "--rate", rate), stdout=subprocess.PIPE,
                                    stderr=errors)
            begun, told, turn = time.monotonic(), 0.0, 1
            while sender.poll() is None:
                try:
                    sender.wait(max(0.0, begun + turn * every - time.monotonic()))
                    break
                except subprocess.TimeoutExpired:
                    turn += 1
                if not daemon.running():
                    raise BenchError("the daemon ended:\n" + daemon.log()[-2000:])
                sample = sampler.take()
                if sample["minute"] >= told:
                    told = sample["minute"] + min(1.0, self.chosen.minutes / 10)
                    say(f"{sample['minute']:5.1f} min: {sample['event_rate']:,.0f} events/s, "
                        f"{sample['resident_mib']:.1f} MiB, {sample['descriptors']} descriptors, store.db "
                        f"{sample['db_mb']:,.0f} MB, log {sample['wal_mb']:.1f} MB, {sample['waiting']:.0f} waiting, "
                        f"latency {report.number(sample['latency_50_ms'])}/{report.number(sample['latency_99_ms'])} ms")
            output = sender.stdout.read() if sender.stdout else b""
            errors.seek(0)
            if sender.returncode != 0:
                raise BenchError(f"the load broke off: {errors.read().strip()}")
        return json.loads(output)["latest_seconds"]

    def settle(self, lea: Lea, probe: Probe, probe_lea: Lea) -> None:
        """All that was accepted has arrived, nothing is left, and both sides count the same."""
        try:
            wait_until(lambda: self.arrived(lea), 300, "what was accepted to arrive")
        except BenchError as error:
            self.wrong.append(str(error))
        totals, probed = lea.totals(), probe_lea.totals()
        try:
            wait_until(lambda: total(metrics(self.rig), "lihandover_outbox_items") == 0 and
                       total(metrics(self.rig), "lihandover_objects") == 0, 120, "the daemon to have nothing left", 0.1)
        except BenchError as error:
            self.wrong.append(str(error))
        found = metrics(self.rig)
        for what, expected, got in (
                ("items at the LEA", self.items, totals["accepted"]),
                ("objects at the LEA", self.objects, totals["objects"]),
                ("probes at their LEA", probe.sent, probed["accepted"]),
                ("events that the daemon accepted", self.events + probe.sent,
                 total(found, "lihandover_events_accepted_total")),
                ("items that the daemon made", self.items + probe.sent,
                 total(found, "lihandover_items_total", 'outcome="queued"')),
                ("items that it saw accepted", self.items + probe.sent,
                 total(found, "lihandover_items_total", 'outcome="delivered"'))):
            say(f"{what}: {got:,.0f} of {expected:,}")
            if got < expected:
                self.wrong.append(f"{what}: {expected - got:,.0f} are missing")
        self.twice = totals["accepted"] - self.items
        if total(found, "lihandover_outbox_items", 'state="refused"') or totals["unreadable"] or totals["refused"]:
            self.wrong.append("something was refused")
        if probe.failure:
            self.wrong.append(f"the probe broke off: {probe.failure}")

    def summary(self, sampler: Sampler, measured: float, rate: float, late: float, probe: Probe) -> dict[str, Any]:
        samples = sampler.samples
        if len(samples) < 10:
            raise BenchError("the run was too short to be judged")
        checks = judge(samples)
        self.wrong += [f"{check['name']} is not flat" for check in checks if check["flat"] is False]
        if late > 2:
            self.wrong.append(f"a request was sent {late:.1f} s late: the load was not constant")
        keep = max(1, len(samples) // 180)
        source = "as given" if self.chosen.rate else f"half of the {report.number(measured)} measured before it"
        text = (f"{self.chosen.minutes:g} minutes at {report.number(rate)} events/s ({source}): {self.events:,} "
                f"events in all, one in {HIT_EVERY} under one of {LIIDS:,} warrants, one in {ATTACH_EVERY} with an "
                f"attachment of {ATTACH_SIZE:,} bytes; {self.items:,} items and {self.objects:,} objects (Model B) arrived, "
                f"{self.twice:,} items twice. The latest request of the load left {report.number(late * 1000)} ms after "
                "its time. "
                + ("Nothing was lost and nothing grew that should not." if not self.wrong else
                   "**Failed**: " + "; ".join(self.wrong) + "."))
        return {"title": f"{self.chosen.minutes:g} minutes at {report.number(rate)} events/s", "summary": text,
                "command": f"scripts/soak --minutes {self.chosen.minutes:g}"
                           + (f" --rate {self.chosen.rate:g}" if self.chosen.rate else ""),
                "rate": rate, "measured": measured, "events": self.events, "items": self.items, "objects": self.objects,
                "twice": self.twice, "probes": probe.sent, "latest_seconds": late, "wrong": self.wrong,
                "checks": checks, "samples": samples[::keep]}


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--rate", type=float, help="events per second; default: half of what a calibration reaches")
    parser.add_argument("--json", metavar="FILE", help="writes the results there as well")
    parser.add_argument("--plots", metavar="DIR", help="draws them there")
    parser.add_argument("--docs", action="store_true", help="writes docs/performance.json, its plots and tables")
    parser.add_argument("--build-dir", default="build-bench", help="default: build-bench")
    parser.add_argument("--no-build", action="store_true", help="takes what is built there as it is")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    chosen = options(arguments)
    if not chosen.no_build:
        prepare.build(chosen.build_dir)
    rig = Rig((ROOT / chosen.build_dir).resolve(), DEFAULT, say)
    try:
        soak = {**Soak(rig, chosen).run(), "run": report.circumstances(f"{chosen.minutes:g} minutes")}
    except BenchError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 2
    finally:
        rig.close()
    results = report.rounded({"figures": [], "sweeps": [], "soak": soak})
    print(report.soak_block(results))
    if chosen.json:
        report.save(results, pathlib.Path(chosen.json))
    if chosen.plots:
        report.draw(results, pathlib.Path(chosen.plots).resolve())
    if chosen.docs:
        report.publish(results, ORDER)
    for wrong in soak["wrong"]:
        print(f"soak: {wrong}", file=sys.stderr)
    return 1 if soak["wrong"] else 0
