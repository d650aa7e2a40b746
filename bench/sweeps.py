"""How throughput and the cost of an item change when one thing grows. Each point is a run of a few seconds."""
from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

from bench.measure import judge_growth
from bench.rig import Destination, Rig, WARM_UP, cpu_seconds, free_port, resident_mib

Point = dict[str, Any]
MOST_EVENTS = 200_000


@dataclasses.dataclass(frozen=True)
class Sweep:
    """The one declaration of a sweep; its command is `scripts/bench --sweeps NAME`."""
    name: str
    title: str
    x: str  # what grows
    item: str  # what rate and cost are about
    points: tuple[float, ...]
    run: Callable[[Rig, list[float]], Iterator[tuple[str, Point]]]  # curve's name and point


SWEEPS: list[Sweep] = []


def sweeps(name: str, title: str, x: str, *points: float, item: str = "item") -> Callable[..., Any]:
    def declare(run: Callable[[Rig, list[float]], Iterator[tuple[str, Point]]]) -> Any:
        SWEEPS.append(Sweep(name, title, x, item, points, run))
        return run

    return declare


def steady(rig: Rig, daemon: Any, leas: list[Any], *options: Any, first: int = WARM_UP) -> Point:
    """A warm-up, a short look at the speed, and then as many events as last for the time of a point. The median of the
    runs by rate."""
    guess = rig.deliver(daemon, leas, first, *options)["rate"]
    guess = rig.deliver(daemon, leas, int(max(first / 4, guess * rig.sizes.point_seconds / 5)), *options)["rate"]
    runs = []
    for _ in range(rig.sizes.point_repeat):
        events = int(min(MOST_EVENTS, max(first / 4, guess * rig.sizes.point_seconds)))
        run = rig.deliver(daemon, leas, events, *options)
        guess = run["rate"]
        runs.append(run)
    run = sorted(runs, key=lambda one: one["rate"])[len(runs) // 2]
    return {"rate": run["rate"], "cost_us": run["cost_us"], "receiver_us": run["lea_cost_us"],
            "resident_mib": resident_mib(daemon.pid)}


@contextlib.contextmanager
def alone(rig: Rig, warrants: int, destinations: int = 1, delay_ms: float = 0, **settings: Any) -> Iterator[Any]:
    """One daemon and its LEA, for one point: (daemon, [lea])."""
    delay = ("--delay", f"{delay_ms:g}ms") if delay_ms else ()
    with rig.lea(*delay) as lea:
        names = [f"lea-{i}" for i in range(destinations)]
        with rig.daemon([Destination(name, lea.port, **settings) for name in names], warrants) as daemon:
            yield daemon, [lea]


@sweeps("liids", "number of LIIDs with traffic", "LIIDs", 1, 10, 100, 1000, 10_000)
def liids(rig: Rig, points: list[float]) -> Iterator[tuple[str, Point]]:
    for x in points:
        with alone(rig, int(x)) as (daemon, leas):
            # The first item of each LIID carries the CSP schema and costs several times what the others do.
            yield "one action per message", {"x": x, **steady(rig, daemon, leas, "--batch", 20, "--users", int(x),
                                                              first=int(max(WARM_UP, x)))}


@sweeps("destinations", "number of destinations, 1,000 LIIDs shared out among them", "destinations", 1, 2, 5, 10, 20,
        50)
def destinations(rig: Rig, points: list[float]) -> Iterator[tuple[str, Point]]:
    for x in points:
        with alone(rig, 1000, destinations=int(x)) as (daemon, leas):
            yield "one action per message", {"x": x, **steady(rig, daemon, leas, "--batch", 20, "--users", 1000)}


@sweeps("event-size", "size of an event", "bytes", 220, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000,
        200_000)
def event_size(rig: Rig, points: list[float]) -> Iterator[tuple[str, Point]]:
    with alone(rig, 1000) as (daemon, leas):
        for x in points:
            batch = int(max(1, min(20, 200_000 // x)))
            first = int(max(100, min(WARM_UP, 20_000_000 // x)))
            yield "one action per message", {"x": x, **steady(rig, daemon, leas, "--batch", batch, "--size", int(x),
                                                              "--users", 1000, first=first)}


@sweeps("warrants", "number of warrants; events of nobody, batches of 100", "warrants", 1, 100, 10_000, 100_000,
        1_000_000, item="event")
def warrants(rig: Rig, points: list[float]) -> Iterator[tuple[str, Point]]:
    """In addition to rate and cost of matching: how long the daemon takes to start with them, and how much memory they
    take."""
    # A million small files: in memory if there is enough, since the file system is not what is measured.
    directory = rig.work / "warrants.d"
    memory = "/dev/shm"
    elsewhere = None
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 12 << 30:
        elsewhere = f"{memory}/{rig.work.name}"
        os.mkdir(elsewhere, 0o700)
        shutil.rmtree(directory, ignore_errors=True)
        directory.symlink_to(elsewhere)
        rig.have_warrants = (0, ["lea"], "u-", "metadata, content")
    try:
        with rig.lea() as lea:
            for x in points:
                rig.write_warrants(int(x), ["lea"])
                start = time.monotonic()
                with rig.daemon([Destination("lea", lea.port)], int(x)) as daemon:
                    ready, busy = time.monotonic() - start, cpu_seconds(daemon.pid)
                    options = ("--batch", 100, "--user-prefix", "n-", "--users", 100_000)
                    events = int(min(2_000_000, rig.load(20_000, *options)["per_second"] * rig.sizes.point_seconds))
                    before = cpu_seconds(daemon.pid)
                    rate = rig.load(events, *options)["per_second"]
                    yield "under no warrant", {"x": x, "rate": rate, "start_seconds": ready, "start_cpu_seconds": busy,
                                               "cost_us": (cpu_seconds(daemon.pid) - before) / events * 1e6,
                                               "resident_mib": resident_mib(daemon.pid)}
    finally:
        if elsewhere:
            directory.unlink()
            shutil.rmtree(elsewhere, ignore_errors=True)
        rig.have_warrants = ()


@sweeps("connections", "connections to the LEA, 1,000 LIIDs", "connections", 1, 2, 4, 8, 16, 32, 64)
def connections(rig: Rig, points: list[float]) -> Iterator[tuple[str, Point]]:
    for x in points:
        with alone(rig, 1000, connections=int(x)) as (daemon, leas):
            yield "one action per message", {"x": x, **steady(rig, daemon, leas, "--batch", 20, "--users", 1000)}


@sweeps("sources", "connections of sources, one event per request", "connections", 1, 2, 4, 8, 16, 64, 256)
def sources(rig: Rig, points: list[float]) -> Iterator[tuple[str, Point]]:
    with alone(rig, 1000) as (daemon, leas):
        for x in points:
            yield "one action per message", {"x": x, **steady(rig, daemon, leas, "--connections", int(x), "--users",
                                                              1000)}


@sweeps("request", "events per request, 8 connections, 1,000 LIIDs", "events", 1, 2, 5, 10, 20, 50, 100, 200)
def request(rig: Rig, points: list[float]) -> Iterator[tuple[str, Point]]:
    """A source waits for the commit that holds its request, so this is how many events share one commit."""
    for many in (1, 20):
        with alone(rig, 1000, actions=many) as (daemon, leas):
            for x in points:
                yield f"{many} action{'s' if many > 1 else ''} per message", {
                    "x": x, **steady(rig, daemon, leas, "--batch", int(x), "--users", 1000)}


@sweeps("actions", "actions per message", "actions", 1, 2, 5, 10, 20, 50, 100)
def actions(rig: Rig, points: list[float]) -> Iterator[tuple[str, Point]]:
    for x in points:
        with alone(rig, 1000, actions=int(x)) as (daemon, leas):
            yield "events by 20", {"x": x, **steady(rig, daemon, leas, "--batch", 20, "--users", 1000)}


@sweeps("round-trip", "time until the LEA answers, four LIIDs for each connection", "ms", 0, 1, 5, 20, 50, 100, 200)
def round_trip(rig: Rig, points: list[float]) -> Iterator[tuple[str, Point]]:
    """With its own bound beside each point: connections × actions / time."""
    for label, links, many in (("16 connections, 1 action", 16, 1), ("64 connections, 20 actions", 64, 20)):
        for x in points:
            bound = links * many / (x / 1000) if x else None
            lanes = 4 * links
            first = int(min(WARM_UP, max(lanes, (bound or WARM_UP) * rig.sizes.point_seconds / 3)))
            with alone(rig, lanes, delay_ms=x, connections=links, actions=many) as (daemon, leas):
                yield label, {"x": x, "bound": bound,
                              **steady(rig, daemon, leas, "--batch", 20, "--users", lanes, first=first)}


@sweeps("backlog", "items that wait for another destination", "items", 0, 1000, 10_000, 100_000, 500_000, 2_000_000)
def backlog(rig: Rig, points: list[float]) -> Iterator[tuple[str, Point]]:
    """Throughput to one LEA while so many items wait for another that is down. At the end that one comes back, and is
    delivered to for the time of two points."""
    away = free_port()
    rig.write_warrants(1000, ["lea"])
    rig.write_warrants(1000, ["away"], user="away-", begin=True)
    with rig.lea() as lea, rig.daemon([Destination("lea", lea.port), Destination("away", away, retry_seconds=1)],
                                      None) as daemon:
        waiting = 0
        for x in points:
            missing = int(x) - waiting
            fill = 0.0
            if missing > 0:
                fill = rig.load(missing, "--batch", 100, "--users", 1000, "--user-prefix", "away-")["per_second"]
                waiting += missing
            yield "to one LEA beside them", {"x": x, "filled_per_second": fill,
                                             **steady(rig, daemon, [lea], "--batch", 20, "--users", 1000)}
        with rig.lea(port=away) as back:
            begun = time.monotonic()
            while back.accepted() < min(1000, waiting) and time.monotonic() < begun + 60:  # it begins carefully
                time.sleep(0.02)
            start, before, busy = time.monotonic(), back.accepted(), cpu_seconds(daemon.pid)
            while back.accepted() < waiting and time.monotonic() < start + 2 * rig.sizes.point_seconds:
                time.sleep(0.02)
            taken, count = time.monotonic() - start, back.accepted() - before
            if count:
                yield "handed over when it comes back", {
                    "x": waiting, "rate": count / taken, "cost_us": (cpu_seconds(daemon.pid) - busy) / count * 1e6,
                    "resident_mib": resident_mib(daemon.pid)}


def run(rig: Rig, sweep: Sweep, done: Callable[[str, Point], None]) -> dict[str, Any]:
    """All points of a sweep, and what its curves show."""
    limit = max(sweep.points) * rig.sizes.sweep_share
    points = [x for x in sweep.points if x <= max(limit, sorted(sweep.points)[1])]
    curves: dict[str, list[Point]] = {}
    for label, point in sweep.run(rig, points):
        curves.setdefault(label, []).append(point)
        done(label, point)
    return {"sweep": sweep.name, "title": sweep.title, "x": sweep.x, "item": sweep.item,
            "command": f"scripts/bench --sweeps {sweep.name}",
            "curves": [{"label": label, "points": found, **judge_growth(found)} for label, found in curves.items()]}
