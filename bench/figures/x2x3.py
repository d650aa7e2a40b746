"""Copies of IMS messaging over X2/X3: the door, from the socket to the events of a warrant.

The daemon has one core to itself, all its threads together; what sends has the others. What the door reaches is counted
from the processor time of all threads but the store's, which make durable what it hands over; what comes of both together
on that core stands beside it. The destination is paused, so that nothing of delivery is in the figures, but for the one
that is end to end. The stream is made before and sent over one
connection; `openssl s_server` in the daemon's place, on the same core, is the reader beside it: it decrypts the same bytes
and throws them away.
"""
from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import statistics
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from bench.measure import BenchError, Figure, Samples, Target, measures
from bench.rig import Destination, Lea, Rig, free_port, resident_mib, wait_until
from programs.process import client_context
from programs.x2x3 import MSRP, SIP, X2, X3, pdu

TASKS = 1000  # XIDs, each of a warrant of its own
CHUNK = 65536
CHUNKS = 16  # of one MSRP message
TASK = """liid: LIID-{number:07d}
destination: lea
valid_from: 2020-01-01T00:00:00Z
valid_until: 2100-01-01T00:00:00Z
xid: [{xid}]
deliver: [{deliver}]
"""


def xid_of(number: int) -> str:
    return str(uuid.UUID(int=(0x29F28E1C << 96) + number))


def write_tasks(rig: Rig, count: int, deliver: str) -> None:
    rig.empty("warrants.d")
    for number in range(count):
        (rig.work / "warrants.d" / f"t{number:07d}.yaml").write_text(
            TASK.format(number=number, xid=xid_of(number), deliver=deliver))


# -- Streams

def copy(kind: int, payload_format: int, task: int, correlation: int, payload: bytes) -> bytes:
    return pdu(payload, xid_of(task), kind, payload_format, correlation=correlation)


def message(number: int, task: int) -> bytes:
    """A page-mode message of 1 KB between two users of the IMS."""
    text = f"message {number} " + "x" * 500
    return copy(X2, SIP, task, number, (
        f"MESSAGE sip:b{task}@ims.example.net SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP [5555::aaa:bbb:ccc:ddd]:1357;branch=z9hG4bK{number:x}\r\nMax-Forwards: 70\r\n"
        f"Route: <sip:pcscf1.visited1.net:7531;lr>, <sip:scscf1.home1.net;lr>\r\n"
        f"P-Asserted-Identity: \"Somebody\" <sip:a{task}@ims.example.net>\r\n"
        f"From: <sip:a{task}@ims.example.net>;tag=171828{number:x}\r\nTo: <sip:b{task}@ims.example.net>\r\n"
        f"Call-ID: cb03a0s09a2sdfglkj{number:x}\r\nCSeq: 666 MESSAGE\r\nContent-Type: text/plain\r\n"
        f"Content-Length: {len(text)}\r\n\r\n{text}").encode())


def messages(count: int, first: int) -> Iterator[bytes]:
    for number in range(first, first + count):
        yield message(number, number % TASKS)


def unknown(count: int, first: int) -> Iterator[bytes]:
    """Of tasks that nobody knows. What becomes of one does not depend on what it holds, so that few are enough."""
    some = b"".join(message(number, TASKS + number) for number in range(first, first + 1000))
    for _ in range(count // 1000):
        yield some


def chunks(count: int, first: int) -> Iterator[bytes]:
    """MSRP messages of 1 MiB in chunks."""
    body = b"x" * CHUNK
    for number in range(first, first + count // CHUNKS):
        for place in range(CHUNKS):
            begin, name = place * CHUNK + 1, f"t{number:x}p{place}"
            yield copy(X3, MSRP, number % TASKS, number % TASKS, (
                f"MSRP {name} SEND\r\nTo-Path: msrp://b.example.net:2855/{number % TASKS}b;tcp\r\n"
                f"From-Path: msrp://a.example.net:2855/{number % TASKS}a;tcp\r\nMessage-ID: {number:x}\r\n"
                f"Byte-Range: {begin}-{begin + CHUNK - 1}/{CHUNK * CHUNKS}\r\n"
                f"Content-Type: application/octet-stream\r\n\r\n").encode() + body +
                f"\r\n-------{name}{'$' if place + 1 == CHUNKS else '+'}\r\n".encode())


SDP = ("v=0\r\no=- 2987933615 2987933615 IN IP6 5555::{host}\r\ns=-\r\nc=IN IP6 5555::{host}\r\nt=0 0\r\n"
       "m=message 3402 TCP/MSRP *\r\na=accept-types:text/plain\r\na=path:msrp://{host}.example.net:3402/{number:x};tcp\r\n")


def sessions(count: int, first: int) -> Iterator[bytes]:
    """Sessions that begin and stay open: INVITE and its 200."""
    for number in range(first, first + count):
        task = number % TASKS
        for line, host, fields in (
                (f"INVITE sip:b{number}@ims.example.net SIP/2.0", "a", ""),
                ("SIP/2.0 200 OK", "b", ";tag=314159")):
            body = SDP.format(host=host, number=number)
            yield copy(X2, SIP, task, number, (
                f"{line}\r\nVia: SIP/2.0/UDP a.example.net;branch=z9hG4bK{number:x}\r\n"
                f"P-Asserted-Identity: <sip:{host}{number}@ims.example.net>\r\n"
                f"From: <sip:a{number}@ims.example.net>;tag=171828\r\nTo: <sip:b{number}@ims.example.net>{fields}\r\n"
                f"Call-ID: s{number:x}\r\nCSeq: 1 INVITE\r\nContact: <sip:{host}.example.net>\r\n"
                f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())


def write_stream(rig: Rig, pdus: Iterator[bytes]) -> pathlib.Path:
    place = pathlib.Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else rig.work
    path = place / f"lihandover-stream-{os.getpid()}"
    with open(path, "wb", buffering=1 << 20) as file:
        for each in pdus:
            file.write(each)
    return path


# -- Ends

def door_seconds(process: int) -> float:
    """Processor time of all threads but the store's."""
    total = 0
    for task in pathlib.Path(f"/proc/{process}/task").iterdir():
        with contextlib.suppress(OSError):
            if not (task / "comm").read_text().startswith("store "):
                total += sum(map(int, (task / "stat").read_text().rsplit(")", 1)[1].split()[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


def keep_on(core: int, process: int) -> None:
    for thread in os.listdir(f"/proc/{process}/task"):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(int(thread), {core})


def cores() -> tuple[int, set[int]]:
    """The daemon's core, and what is left for the others."""
    all_of_them = sorted(os.sched_getaffinity(0))
    return all_of_them[0], set(all_of_them[1:]) or {all_of_them[0]}


class Sender(threading.Thread):
    """Sends a stream over mutual TLS, on the cores that are not the daemon's."""

    def __init__(self, port: int, stream: pathlib.Path):
        super().__init__(daemon=True)
        self.port, self.stream = port, stream
        self.failure: OSError | None = None
        self.start()

    def run(self) -> None:
        os.sched_setaffinity(0, cores()[1])  # of this thread
        try:
            with socket.create_connection(("127.0.0.1", self.port)) as plain, \
                    client_context("source").wrap_socket(plain, server_hostname="localhost") as end, \
                    open(self.stream, "rb") as file:
                while block := file.read(1 << 20):
                    end.sendall(block)
                end.unwrap()
        except OSError as error:  # of ssl, too
            self.failure = error

    def check(self) -> None:
        if self.failure:
            raise BenchError(f"the stream was not taken: {self.failure}")


def read_by_openssl(rig: Rig, stream: pathlib.Path) -> float:
    """Seconds that openssl takes to receive it on the daemon's core."""
    port = free_port()
    sink = rig.start("taskset", "-c", cores()[0], "openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-quiet", "-naccept",
                     "1", "-cert", f"{rig.certs}/intake.pem", "-key", f"{rig.certs}/intake.key", "-CAfile",
                     f"{rig.certs}/csp-ca.pem", "-Verify", "1", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL)
    wait_until(lambda: is_listening(port), 30, "openssl s_server")
    begun = time.monotonic()
    sender = Sender(port, stream)
    sink.wait(600)
    taken = time.monotonic() - begun
    sender.join(60)
    rig.stop(sink)
    return taken


def is_listening(port: int) -> bool:
    """Without a connection, of which the sink takes one only."""
    wanted = f":{port:04X} "
    return any(wanted in line and line.split()[3] == "0A" for line in open("/proc/net/tcp"))


@contextlib.contextmanager
def door(rig: Rig, lea: Lea, deliver: str, **options: Any) -> Iterator[tuple[int, int]]:
    """The daemon with its listener: its port and the daemon's process."""
    port = free_port()
    listener = {"name": "as-1", "listen": f"127.0.0.1:{port}", "service": "ims", "tls": {
        "certificate": f"{rig.certs}/intake.pem", "private_key": f"{rig.certs}/intake.key",
        "client_ca": f"{rig.certs}/csp-ca.pem"}}
    more = {"intake": {"http": [{"name": "local", "listen": f"unix:{rig.work}/intake.sock"}], "x2x3": [listener]}}
    write_tasks(rig, TASKS, deliver)
    with rig.daemon([Destination("lea", lea.port)], None, more=more, **options) as daemon:
        yield port, daemon.pid


def pause(rig: Rig) -> None:
    subprocess.run([rig.program("lihandoverctl"), "--socket", f"{rig.work}/control.sock", "pause", "lea"], check=True,
                   stdout=subprocess.DEVNULL)


def taken_by_the_door(rig: Rig, port: int, stream: pathlib.Path, done: Callable[[], bool]) -> float:
    """Seconds until the daemon has made of the stream what it makes of it."""
    begun = time.monotonic()
    sender = Sender(port, stream)

    def checked() -> bool:
        sender.check()
        return done()

    wait_until(checked, 600, "the end of the stream", every=0.1)
    taken = time.monotonic() - begun
    sender.join(60)
    return taken


def measure_stream(rig: Rig, make: Callable[[int, int], Iterator[bytes]], count: int, deliver: str, amount: float,
                   wanted: Callable[[float], Callable[[], bool]]) -> tuple[Samples, Samples]:
    """What the door reaches alone, and what it reaches with the store."""
    of_door, durable = Samples(), Samples()
    beside = []
    with rig.lea() as lea, door(rig, lea, deliver) as (port, daemon):
        pause(rig)
        keep_on(cores()[0], daemon)
        for _ in range(rig.sizes.repeat):
            stream = write_stream(rig, make(count, rig.numbers(count)))
            try:
                beside.append(amount / read_by_openssl(rig, stream))
                busy = door_seconds(daemon)
                durable.values.append(amount / taken_by_the_door(rig, port, stream, wanted(count)))
                of_door.values.append(amount / (door_seconds(daemon) - busy))
            finally:
                stream.unlink()
    of_door.notes.update(openssl_reads=round(statistics.median(beside)))
    return of_door, durable


def counted(rig: Rig, labels: str, more: float) -> Callable[[], bool]:
    goal = rig.metric("lihandover_x2x3_pdus_total", labels) + more
    return lambda: rig.metric("lihandover_x2x3_pdus_total", labels) >= goal


def accepted(rig: Rig, more: float) -> Callable[[], bool]:
    goal = rig.metric("lihandover_events_accepted_total", 'source="as-1"') + more
    return lambda: rig.metric("lihandover_events_accepted_total", 'source="as-1"') >= goal


def size(rig: Rig, count: int) -> int:
    return count if rig.sizes.mode != "quick" else max(count // 50, 1000)


@measures(Figure("x2x3-messages", "SIP MESSAGE PDUs of 1,000 tasks, from the socket to their items, on one core", "PDUs/s",
                 "", Target(40_000)),
          Figure("x2x3-messages-durable", "the same until they are durable, the store on that core, too", "PDUs/s"))
def page_messages(rig: Rig) -> dict[str, Samples]:
    count = size(rig, 200_000)
    of_door, durable = measure_stream(rig, messages, count, "metadata, content", count, lambda sent: accepted(rig, sent))
    return {"x2x3-messages": of_door, "x2x3-messages-durable": durable}


@measures(Figure("x2x3-unknown", "PDUs of tasks that no warrant lists, on one core", "PDUs/s", "", Target(400_000)))
def unknown_tasks(rig: Rig) -> dict[str, Samples]:
    count = size(rig, 1_000_000)
    of_door, _ = measure_stream(rig, unknown, count, "metadata", count,
                                lambda sent: counted(rig, 'outcome="unknown_xid"', sent))
    return {"x2x3-unknown": of_door}


@measures(Figure("x2x3-msrp", "MSRP messages of 1 MiB in chunks of 64 KiB, from the socket to their items, on one core",
                 "MB/s", "", Target(300)),
          Figure("x2x3-msrp-durable", "the same until they are durable, the store on that core, too", "MB/s"))
def msrp(rig: Rig) -> dict[str, Samples]:
    count = size(rig, 16_000) // CHUNKS * CHUNKS
    of_door, durable = measure_stream(rig, chunks, count, "metadata", count * CHUNK / 1e6,
                                      lambda sent: accepted(rig, sent // CHUNKS))
    return {"x2x3-msrp": of_door, "x2x3-msrp-durable": durable}


@measures(Figure("x2x3-sessions", "resident beyond a start, with 100,000 open sessions", "MiB", "",
                 Target(200, at_most=True)))
def open_sessions(rig: Rig) -> dict[str, Samples]:
    samples = Samples()
    count = size(rig, 100_000)
    with rig.lea() as lea, door(rig, lea, "metadata") as (port, daemon):
        pause(rig)
        before = resident_mib(daemon)
        stream = write_stream(rig, sessions(count, rig.numbers(count)))
        try:
            taken_by_the_door(rig, port, stream, lambda: rig.metric("lihandover_x2x3_sessions") >= count and
                              rig.metric("lihandover_events_accepted_total", 'source="as-1"') >= count)
        finally:
            stream.unlink()
        samples.values.append(resident_mib(daemon) - before)
        samples.notes.update(sessions=int(rig.metric("lihandover_x2x3_sessions")), before_mib=round(before, 1))
    return {"x2x3-sessions": samples}


@measures(Figure("x2x3-one-action", "SIP MESSAGE PDUs, end to end, one action per message, all cores", "items/s",
                 "the same as events in NDJSON batches of 20", Target(0.8)))
def end_to_end(rig: Rig) -> dict[str, Samples]:
    samples = Samples()
    count = size(rig, 60_000)
    for _ in range(rig.sizes.repeat):
        with rig.lea() as lea:
            with rig.daemon([Destination("lea", lea.port)], TASKS) as daemon:
                samples.baseline.append(rig.deliver(daemon, [lea], count, "--batch", 20, "--users", TASKS)["rate"])
        with rig.lea() as lea, door(rig, lea, "metadata, content") as (port, _):
            stream = write_stream(rig, messages(count, rig.numbers(count)))
            try:
                samples.values.append(count / taken_by_the_door(rig, port, stream, lambda: lea.accepted() >= count))
            finally:
                stream.unlink()
    return {"x2x3-one-action": samples}
