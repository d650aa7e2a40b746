"""Whether a source can tell from the time of an answer that an event was under a warrant (promise 7)."""
from __future__ import annotations

import base64
import json
import os
import random
import socket
import time
from collections.abc import Iterator

from bench.measure import BenchError, Figure, Samples, Target, measures
from bench.rig import Destination, Rig

PAIRS = 1000
QUICK_PAIRS = 50
INTERVAL_MS = 20
# Seconds between two requests: the next begins once the daemon is done with what it does after an answer, which would
# otherwise show in the time of whatever comes next. On a grid it makes requests begin anywhere between two answers.
REST = (0.005, 0.015)
TARGET = Target(0.55, at_most=True)


def event(number: int, user: str, size: int, with_object: bool) -> bytes:
    """An event of about that many bytes, the same for every user except for the name."""
    made = {"event_id": f"t-{number:012d}", "service": "examplechat", "event_type": "message",
            "sender": {"identifiers": [{"type": "user_id", "value": user}]}}
    rest = max(size - len(json.dumps(made)) - 60, 1)
    if with_object:
        made["content"] = {"text": "x"}
        # Base64 turns three bytes into four.
        made["attachments"] = [{"id": "a", "content_type": "image/jpeg",
                                "data": base64.b64encode(os.urandom(max(rest * 3 // 4, 3))).decode()}]
    else:
        made["content"] = {"text": "x" * rest}
    return json.dumps(made).encode()


class Source:
    """One connection, on which requests are timed from their last byte to the whole answer."""

    def __init__(self, path: str):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(60)
        self.socket.connect(path)

    def time(self, kind: str, body: bytes) -> float:
        head = (f"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/{kind}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode()
        self.socket.sendall(head + body)
        begun = time.perf_counter()
        answer = b""
        while not answer.endswith(b"}"):
            more = self.socket.recv(65536)
            if not more:
                raise BenchError("the daemon closed the connection")
            answer += more
        taken = time.perf_counter() - begun
        if b" 202 " not in answer[:20]:
            raise BenchError(f"answered {answer[:60]!r}")
        return taken


def kinds() -> Iterator[tuple[str, str, int, int, bool]]:
    """Name, content type, events, bytes of each, and whether each has an object."""
    for size in (100, 1000, 10_000, 30_000, 100_000):
        for with_object in (False, True):
            what = "object" if with_object else "text"
            yield f"{what} of {size:,} bytes", "json", 1, size, with_object
    yield "batch of 100", "x-ndjson", 100, 1000, False


def told_apart(matched: list[float], others: list[float]) -> float:
    """The largest share of requests that one cut through the times puts on the right side, whichever side that is."""
    marked = sorted([(taken, 1 / len(matched)) for taken in matched] + [(taken, -1 / len(others)) for taken in others])
    distance, furthest = 0.0, 0.0
    for at, (taken, step) in enumerate(marked):
        distance += step
        if at + 1 == len(marked) or marked[at + 1][0] != taken:  # no cut goes between equal times
            furthest = max(furthest, abs(distance))
    return (1 + furthest) / 2


def pairs_of(rig: Rig, source: Source, kind: tuple[str, str, int, int, bool], count: int) -> float:
    _, content_type, events, size, with_object = kind
    times: dict[str, list[float]] = {"u-0": [], "v-0": []}
    for _ in range(count):
        for user in random.sample(sorted(times), 2):
            first = rig.numbers(events)
            body = b"\n".join(event(first + i, user, size, with_object) for i in range(events))
            time.sleep(random.uniform(*REST))
            times[user].append(source.time(content_type, body))
    return told_apart(times["u-0"], times["v-0"])


def measure(rig: Rig, interval_ms: int) -> Samples:
    samples = Samples()
    count = QUICK_PAIRS if rig.sizes.mode == "quick" else PAIRS
    if rig.sizes.mode == "quick":
        samples.target = Target(1, at_most=True)  # too few pairs to show anything
    more = {"intake": {"http": [{"name": "local", "listen": f"unix:{rig.work}/intake.sock"}],
                       "answer_interval": f"{interval_ms}ms"}}
    with rig.lea() as lea:
        binary = {"model": "B", "url_template": f"https://127.0.0.1:{lea.port}/binaryData/{{object_identifier}}/"}
        where = [Destination("lea", lea.port, binary=binary)]
        rig.write_warrants(1, ["lea"], deliver="metadata, content, binary")
        with rig.daemon(where, None, more=more):
            source = Source(f"{rig.work}/intake.sock")
            found = {}
            for kind in kinds():
                pairs_of(rig, source, kind, max(count // 20, 5))  # to get warm
                found[kind[0]] = pairs_of(rig, source, kind, count)
                rig.say(f"{kind[0]}: {found[kind[0]]:.3f}")
    samples.values.append(max(found.values()))
    samples.notes.update(pairs=count, **{name: round(value, 3) for name, value in found.items()})
    return samples


@measures(
    Figure("told-apart", "requests told apart by the time of their answer, the worst of all kinds", "of the pairs", ""),
    Figure("told-apart-grid", f"the same, with intake.answer_interval of {INTERVAL_MS} ms", "of the pairs", "", TARGET))
def told_apart_by_time(rig: Rig) -> dict[str, Samples]:
    return {"told-apart": measure(rig, 0), "told-apart-grid": measure(rig, INTERVAL_MS)}
