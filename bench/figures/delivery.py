"""From an event to the LEA's acceptance."""
from __future__ import annotations

import datetime
import os
import statistics
import time

from bench.measure import BenchError, Figure, Samples, Target, measures
from bench.peers import ab, nginx_taking_documents
from bench.rig import Destination, Lea, Rig, WARM_UP, wait_until
from bench.syslog_ng import best_workers, syslog_ng

AB = "ab -k -E posts one such document to nginx"
SYSLOG_NG = "syslog-ng http() to the same receiver"
LIIDS = 1000


def beside_peers(rig: Rig, actions: int, ours: dict[str, int], peers: tuple[str, str]) -> dict[str, Samples]:
    """In turn: ab, each way of sending events (figure and events per request), and syslog-ng at its best. Ours
    remembers as many events as a week brings. The figures of `peers` are the way of sending that is compared with
    syslog-ng, and the comparison."""
    state = rig.remember_events()
    document = rig.sample_document()
    samples = {name: Samples(notes={"document_bytes": document.stat().st_size}) for name in (*ours, peers[1])}
    with rig.lea() as lea, nginx_taking_documents(rig) as nginx:
        workers = tuned_workers(rig, lea, actions, samples[peers[1]])
        with rig.daemon([Destination("lea", lea.port, actions)], LIIDS, state=state, fresh=False) as daemon:
            rig.deliver(daemon, [lea], WARM_UP, "--users", LIIDS)
            for _ in range(rig.sizes.repeat):
                posts = ab(rig, document, nginx)
                for name, batch in ours.items():
                    run = rig.deliver(daemon, [lea], rig.sizes.events, "--batch", batch, "--users", LIIDS)
                    samples[name].baseline.append(posts)
                    samples[name].values.append(run["rate"])
                    samples[name].notes.update(daemon_us_per_item=round(run["cost_us"], 1),
                                               receiver_us_per_item=round(run["lea_cost_us"], 1),
                                               intake_per_second=round(run["intake_rate"]))
                if workers:
                    compare(rig, lea, workers, actions, samples[peers[1]], samples[peers[0]].values[-1])
    return samples


def tuned_workers(rig: Rig, lea: Lea, lines: int, samples: Samples) -> int:
    """How many workers make syslog-ng fastest here; 0 if it does not work, which costs only the comparison."""
    try:
        workers, tried = best_workers(rig, lea, lines)
    except BenchError as error:
        rig.say(f"no syslog-ng to compare with: {error}")
        return 0
    samples.notes.update(workers=workers, rates_by_workers=tried)
    return workers


def compare(rig: Rig, lea: Lea, workers: int, lines: int, samples: Samples, ours: float) -> None:
    try:
        with syslog_ng(rig, lea, workers, lines) as peer:
            run = peer.send(rig.sizes.events)
    except BenchError as error:
        rig.say(f"syslog-ng failed in this round: {error}")
        return
    samples.values.append(ours)
    samples.baseline.append(run["rate"])
    samples.notes["syslog_ng_us_per_item"] = round(run["cost_us"], 1)


@measures(
    Figure("one-action", "end to end, one action per message, events in NDJSON batches of 20", "items/s", AB,
           Target(0.33)),
    Figure("one-action-singly", "end to end, one action per message, one event per request", "items/s", AB),
    Figure("syslog-ng-one", "as one-action, beside syslog-ng with batch-lines(1)", "items/s", SYSLOG_NG, Target(1.3)))
def one_action(rig: Rig) -> dict[str, Samples]:
    return beside_peers(rig, 1, {"one-action": 20, "one-action-singly": 1}, ("one-action", "syslog-ng-one"))


@measures(Figure("encrypted", "as one-action, with encryption at rest", "items/s", "the same without it", Target(0.9)))
def encrypted(rig: Rig) -> dict[str, Samples]:
    """In turn, each with a store of its own that is as old as the other."""
    key = rig.work / "master.key"
    with open(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(os.urandom(32).hex())
    samples = Samples()
    with rig.lea() as lea:
        for _ in range(rig.sizes.repeat):
            for values, more in ((samples.baseline, None),
                                 (samples.values, {"encryption": {"key_files": [str(key)]}})):
                with rig.daemon([Destination("lea", lea.port)], LIIDS, more=more) as daemon:
                    rig.deliver(daemon, [lea], WARM_UP, "--users", LIIDS)
                    values.append(rig.deliver(daemon, [lea], rig.sizes.events, "--batch", 20, "--users", LIIDS)["rate"])
    return {"encrypted": samples}


@measures(
    Figure("twenty-actions", "end to end, 20 actions per message, events in NDJSON batches of 20", "items/s", AB,
           Target(0.6)),
    Figure("twenty-actions-by-100", "the same, events in NDJSON batches of 100", "items/s", AB),
    Figure("syslog-ng-twenty", "as twenty-actions-by-100, beside syslog-ng with batch-lines(20)", "items/s", SYSLOG_NG,
           Target(1.2)))
def twenty_actions(rig: Rig) -> dict[str, Samples]:
    return beside_peers(rig, 20, {"twenty-actions": 20, "twenty-actions-by-100": 100},
                        ("twenty-actions-by-100", "syslog-ng-twenty"))


def fdatasync_ms(rig: Rig) -> float:
    path = rig.work / "sync"
    times = []
    with open(path, "wb", buffering=0) as file:
        for _ in range(400):
            start = time.perf_counter()
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - start) * 1000)
    path.unlink()
    return statistics.median(times)


def wall_ns(text: str) -> int:
    """A time as lea-sim writes it, in nanoseconds since 1970."""
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1e6) * 1000


def latencies_ms(rig: Rig, lea: Lea, events: int) -> list[float]:
    sent_file = rig.work / "sent"
    before = len(lea.lines("delivery"))
    rig.load(events, "--rate", 200, "--users", 1, "--connections", 8, "--sent-times", sent_file)
    wait_until(lambda: lea.accepted() >= before + events, 60, "all answers")
    arrived = [wall_ns(line["time"]) for line in lea.lines("delivery")[before:]]
    sent = [int(line) for line in sent_file.read_text().split()]
    return [(there - here) / 1e6 for here, there in zip(sent, arrived)]


@measures(Figure("latency", "at 200 events/s, from the request's last byte to the LEA's answer, median", "ms",
                 "one fdatasync and one bare POST", Target(3, at_most=True)))
def latency(rig: Rig) -> dict[str, Samples]:
    document = rig.sample_document()
    samples = Samples()
    tails = []
    with nginx_taking_documents(rig) as nginx, rig.lea(quiet=False) as lea:
        with rig.daemon([Destination("lea", lea.port)], 1, validation="off"):
            latencies_ms(rig, lea, 200)
            for _ in range(rig.sizes.repeat):
                post_ms = 1000 / ab(rig, document, nginx, connections=1, seconds=min(1, rig.sizes.seconds))
                samples.baseline.append(fdatasync_ms(rig) + post_ms)
                times = sorted(latencies_ms(rig, lea, min(1000, rig.sizes.events)))
                samples.values.append(statistics.median(times))
                tails.append(times[int(len(times) * 0.99)])
    samples.notes["percentile_99_ms"] = round(statistics.median(tails), 2)
    return {"latency": samples}
