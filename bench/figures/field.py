"""LEAs as they are in the field: how much poison items, broken nodes and hanging destinations cost the others."""
from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator

from bench.figures.delivery import LIIDS
from bench.measure import BenchError, Figure, Samples, Target, measures
from bench.rig import ROOT, WARM_UP, Destination, Lea, Rig, UnixConnection, free_port, programs, wait_until

POISON = "a text that the filter dislikes"
PATIENCE = 300  # seconds, for what only takes long if it is broken
TOLD_APART = 30  # seconds that lookups hang


def post(rig: Rig, texts: list[tuple[str, str]]) -> None:
    """Messages: whose, and with what text."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    lines = [json.dumps({"event_id": str(uuid.uuid4()), "service": "examplechat", "event_type": "message",
                         "timestamp": now, "sender": {"identifiers": [{"type": "user_id", "value": user}]},
                         "receivers": [{"identifiers": [{"type": "user_id", "value": "somebody"}]}],
                         "content": {"type": "text/plain", "text": text}}) for user, text in texts]
    connection = UnixConnection(rig.work / "intake.sock")
    try:
        connection.request("POST", "/v1/events", "\n".join(lines) + "\n", {"Content-Type": "application/x-ndjson"})
        answer = connection.getresponse()
        if answer.status != 202:
            raise BenchError(f"the daemon answered {answer.status}")
    finally:
        connection.close()


def rate(rig: Rig, daemon: programs.Process, leas: list[Lea], users: int = LIIDS) -> float:
    return rig.deliver(daemon, leas, rig.sizes.events, "--batch", 20, "--users", users)["rate"]


def waiting(rig: Rig, state: str) -> int:
    return int(rig.metric("lihandover_outbox_items", f'state="{state}"'))


@measures(Figure("poison", f"one item that a filter answers 403 waits set aside for a tenth of {LIIDS} LIIDs, then as "
                 "one-action", "items/s", "the same without poison", Target(0.9)))
def poison(rig: Rig) -> dict[str, Samples]:
    """The filter is there in both cases, since examining every message costs the LEA something."""
    samples = Samples()
    count = LIIDS // 10
    with rig.lea("--rule", f"kind=status,status=403,contains={POISON}") as lea:
        for _ in range(rig.sizes.repeat):
            with rig.daemon([Destination("lea", lea.port)], LIIDS) as daemon:
                rig.deliver(daemon, [lea], WARM_UP, "--users", LIIDS)
                samples.baseline.append(rate(rig, daemon, [lea]))
            with rig.daemon([Destination("lea", lea.port)], LIIDS) as daemon:
                begun = time.monotonic()
                post(rig, [(f"u-{number * 10}", POISON) for number in range(count)])
                # Suspects are found by comparison with others that are accepted.
                while waiting(rig, "set_aside") < count:
                    rig.deliver(daemon, [lea], WARM_UP, "--users", LIIDS)
                    if time.monotonic() > begun + PATIENCE:
                        raise BenchError(f"{waiting(rig, 'set_aside')} of {count} poison items are set aside")
                samples.notes["seconds_until_set_aside"] = round(time.monotonic() - begun, 1)
                samples.values.append(rate(rig, daemon, [lea]))
                if waiting(rig, "set_aside") + waiting(rig, "refused") != count:
                    raise BenchError("others were refused or set aside, too")
    return {"poison": samples}


def beside_broken_node(rig: Rig, rule: dict[str, object]) -> Samples:
    samples = Samples()
    with rig.lea() as lea, rig.daemon([Destination("lea", lea.port)], LIIDS) as daemon:
        rig.deliver(daemon, [lea], WARM_UP, "--users", LIIDS)
        for _ in range(rig.sizes.repeat):
            lea.obey()
            samples.baseline.append(rate(rig, daemon, [lea]))
            lea.obey(rule)
            samples.values.append(rate(rig, daemon, [lea]))
        samples.notes["refused_or_set_aside"] = waiting(rig, "refused") + waiting(rig, "set_aside")
    return samples


@measures(Figure("broken-node", "one of three nodes answers 404, connections by turns; as one-action", "items/s",
                 "the same with all three well", Target(0.6)))
def broken_node(rig: Rig) -> dict[str, Samples]:
    return {"broken-node": beside_broken_node(rig, {"kind": "status", "status": 404, "nodes": 3, "node": 0})}


@measures(Figure("broken-node-by-request", "one of three nodes answers 404, requests by turns; as one-action",
                 "items/s", "the same with all three well"))
def broken_node_by_request(rig: Rig) -> dict[str, Samples]:
    """No target: each 404 costs a new connection, which is as much work as a hundred messages, and on this machine both
    ends of it share the processors."""
    return {"broken-node-by-request": beside_broken_node(rig, {"kind": "status", "status": 404, "every": 3})}


@contextlib.contextmanager
def names_that_hang(rig: Rig, names: list[str]) -> Iterator[None]:
    """The shim of the fault harness answers the daemon's lookups of these names, but slowly."""
    table = rig.work / "names"
    table.write_text("".join(f"{name} address 127.0.0.1 {TOLD_APART * 1000}\n" for name in names))
    rig.daemon_environment = {"LD_PRELOAD": rig.program("libfaults-shim.so"), "LIHANDOVER_FAULTS_NAMES": str(table)}
    try:
        yield
    finally:
        rig.daemon_environment = {}


@contextlib.contextmanager
def front_that_hangs(rig: Rig) -> Iterator[int]:
    """Accepts connections and stays silent in the handshake; returns its port."""
    port = free_port()
    front = rig.start(sys.executable, ROOT / "tests/lea-sim/front.py", "--listen", f"127.0.0.1:{port}", "--to",
                      "127.0.0.1:1", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        front.stdout.readline()
        front.stdin.write(b'{"mode": "hang"}\n')
        front.stdin.flush()
        front.stdout.readline()
        yield port
    finally:
        front.stdin.close()
        front.stdout.close()
        rig.stop(front)


@measures(Figure("hanging-others", "20 of 50 destinations, while 10 hang in DNS, 10 in the handshake and 10 never "
                 "answer", "items/s", "the 20 alone", Target(0.9)))
def hanging_others(rig: Rig) -> dict[str, Samples]:
    samples = Samples()
    unheard = [f"lea-{number}.unheard-of.test" for number in range(10)]
    with rig.lea() as lea, rig.lea("--delay", "1h") as silent, front_that_hangs(rig) as hangs, \
            names_that_hang(rig, unheard):
        good = [Destination(f"good-{number}", lea.port, connections=4) for number in range(20)]
        bad = [Destination(f"dns-{number}", lea.port, host=name) for number, name in enumerate(unheard)]
        bad += [Destination(f"handshake-{number}", hangs) for number in range(10)]
        bad += [Destination(f"silent-{number}", silent.port) for number in range(10)]
        for _ in range(rig.sizes.repeat):
            # User n belongs to destination n: the first 20 are those of the good ones.
            with rig.daemon(good, len(good)) as daemon:
                rig.deliver(daemon, [lea], WARM_UP, "--users", len(good))
                samples.baseline.append(rate(rig, daemon, [lea], len(good)))
            with rig.daemon(good + bad, len(good + bad)) as daemon:
                rig.deliver(daemon, [lea], WARM_UP, "--users", len(good))
                post(rig, [(f"u-{number}", "waits") for number in range(len(good), len(good + bad)) for _ in range(20)])
                wait_until(lambda: silent.totals()["messages"] >= 10, PATIENCE, "the silent ones to be asked")
                samples.values.append(rate(rig, daemon, [lea], len(good)))
                samples.notes["waiting_at_the_others"] = waiting(rig, "queued")
    return {"hanging-others": samples}
