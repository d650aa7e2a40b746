"""The rig: the programs under test, started with their own certificates and directories, and the measurements taken
from them."""
from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from bench.measure import BenchError, Sizes

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))

import programs  # noqa: E402
from programs import LeaSim as Lea  # noqa: E402
from programs import UnixConnection  # noqa: E402, F401

WARM_UP = 2000

WARRANT = """liid: {liid}
destination: {destination}
valid_from: 2020-01-01T00:00:00Z
valid_until: 2100-01-01T00:00:00Z
targets:
  - user_id: {user}
deliver: [{deliver}]
"""


@dataclasses.dataclass(frozen=True)
class Destination:
    name: str
    port: int
    actions: int = 1
    connections: int = 16
    binary: dict[str, Any] | None = None
    retry_seconds: int | None = None  # at most, between two attempts
    host: str = "127.0.0.1"


def free_port() -> int:
    return programs.Ports.take()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def wait_until(condition: Callable[[], Any], seconds: float, what: str, every: float = 0.01) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(every)
    raise BenchError(f"gave up after {seconds:.0f} s of waiting for {what}")


def resident_mib(pid: int) -> float:
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, user and system, of all its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Rig:
    def __init__(self, build: pathlib.Path, sizes: Sizes, say: Callable[[str], None]):
        self.build = build
        self.sizes = sizes
        self.say = say
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="lihandover-bench."))
        self.directory = str(self.work)
        self.certs = pathlib.Path(programs.Certificates.path("lea.pem")).parent
        self.processes: list[subprocess.Popen[bytes] | programs.Process] = []
        self.admin = 0
        self.next_event = 1  # no number is used twice, so that no event is a repeat
        self.leas = 0
        self.have_warrants: tuple[Any, ...] = ()
        self.daemon_environment: dict[str, str] = {}  # in addition to our own
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that close() is reached

    # -- processes ---------------------------------------------------------------------------------------------------

    def program(self, name: str) -> str:
        path = programs.program(name, self.build)
        if not os.access(path, os.X_OK):
            raise BenchError(f"{name} is not built in {self.build}")
        return path

    def start(self, *command: Any, **options: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([str(part) for part in command], **options)
        self.processes.append(process)
        return process

    def stop(self, process: subprocess.Popen[bytes] | programs.Process, how: int = signal.SIGTERM) -> None:
        popen = process.popen if isinstance(process, programs.Process) else process
        if popen.poll() is None:
            popen.send_signal(how)
            try:
                popen.wait(60)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait()
        if process in self.processes:
            self.processes.remove(process)

    def close(self) -> None:
        for process in list(self.processes):
            self.stop(process, signal.SIGKILL)
        shutil.rmtree(self.work, ignore_errors=True)

    def empty(self, *names: str) -> None:
        for name in names:
            shutil.rmtree(self.work / name, ignore_errors=True)
            (self.work / name).mkdir(mode=0o700)
            if name == "warrants.d":
                self.have_warrants = ()

    def numbers(self, count: int) -> int:
        """The first of that many unused event numbers."""
        first = self.next_event
        self.next_event += count
        return first

    # -- the LEA -----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def lea(self, *options: Any, quiet: bool = True, port: int = 0) -> Iterator[Lea]:
        """A test LEA that keeps nothing, unless the options name an output. Without `quiet` it reports each action."""
        self.leas += 1
        lea = Lea(self, f"lea-{self.leas}", port=port, lea_sim=self.program("lea-sim"))
        lea.start(*(("--quiet",) if quiet else ()), *options, keep=False)
        try:
            yield lea
        finally:
            self.stop(lea.process)

    # -- the daemon --------------------------------------------------------------------------------------------------

    def write_warrants(self, count: int, names: list[str], user: str = "u-", begin: bool = False,
                       deliver: str = "metadata, content") -> None:
        """Warrant i is LIID-i for user u-i, with destinations in turn. Those of an earlier call of the same kind stay.
        With `begin`, so do those of any other kind, whose files then have other names."""
        directory = self.work / "warrants.d"
        had = 0
        if self.have_warrants[1:] == (names, user, deliver) and self.have_warrants[0] <= count and directory.exists():
            had = self.have_warrants[0]
        elif not begin:
            self.empty("warrants.d")
        for i in range(had, count):
            text = WARRANT.format(liid=f"LIID-{i:07d}", user=f"{user}{i}", destination=names[i % len(names)],
                                  deliver=deliver)
            with open(f"{directory}/{user}{i:07d}.yaml", "w") as file:
                file.write(text)
        self.have_warrants = (count, list(names), user, deliver)

    def configure(self, destinations: list[Destination], state: str = "state", validation: str = "sample",
                  more: dict[str, Any] | None = None) -> pathlib.Path:
        """Writes the daemon's configuration. JSON is YAML."""
        self.admin = free_port()
        tls = {"certificate": f"{self.certs}/csp.pem", "private_key": f"{self.certs}/csp.key",
               "ca": f"{self.certs}/lea-ca.pem"}
        configuration: dict[str, Any] = {
            "csp": {"country_code": "XX", "unique_identifier": "BENCH-CSP"},
            "state_dir": f"{self.work / state}",
            "warrants_dir": f"{self.work}/warrants.d",
            "intake": {"http": [{"name": "local", "listen": f"unix:{self.work}/intake.sock"}]},
            "store": {"max_bytes": "100GiB"},
            "destinations": {},
            "admin": {"listen": f"127.0.0.1:{self.admin}", "control_socket": f"{self.work}/control.sock"},
            "schema_validation": validation,
            "schemas_dir": f"{ROOT}/schemas",
        }
        for destination in destinations:
            configuration["destinations"][destination.name] = {
                "url": f"https://{destination.host}:{destination.port}/hi", "tls": tls,
                "max_actions_per_message": destination.actions, "connections": destination.connections,
                **({"binary": destination.binary} if destination.binary else {}),
                **({"retry": {"initial": "1s", "maximum": f"{destination.retry_seconds}s"}} if destination.retry_seconds
                   else {})}
        for section, options in (more or {}).items():
            configuration.setdefault(section, {}).update(options)
        path = self.work / "lihandoverd.yaml"
        path.write_text(json.dumps(configuration, indent=1))
        return path

    def start_daemon(self, config: pathlib.Path, seconds: float = 900) -> programs.Process:
        process = programs.Process("lihandoverd", [self.program("lihandoverd"), "--config", str(config)], self.directory,
                                   {**os.environ, **self.daemon_environment})
        self.processes.append(process)

        def ready() -> bool:
            if not process.running():
                raise BenchError("the daemon ended:\n" + process.log()[-2000:])
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=5)
                connection.request("GET", "/readyz")
                return connection.getresponse().status == 200
            except OSError:
                return False

        wait_until(ready, seconds, "the daemon to be ready")
        return process

    @contextlib.contextmanager
    def daemon(self, destinations: list[Destination], warrants: int | None, state: str = "state", fresh: bool = True,
               **options: Any) -> Iterator[programs.Process]:
        """The daemon with that many warrants on u-0, u-1, … (None: those that are there). With `fresh` its state starts
        empty."""
        if fresh:
            self.empty(state)
        if warrants is not None:
            self.write_warrants(warrants, [destination.name for destination in destinations])
        process = self.start_daemon(self.configure(destinations, state, **options))
        try:
            yield process
        finally:
            self.stop(process)

    def remember_events(self) -> str:
        """The name of a state directory whose memory of repeats is as full as after a week of traffic. It is made once
        and shared, since what its users add is negligible."""
        name, count = "remembering", self.sizes.remembered
        if (self.work / name / "store.db").exists():
            return name
        self.empty(name)
        self.write_warrants(1, ["lea"])
        self.stop(self.start_daemon(self.configure([Destination("lea", free_port())], name)))
        database = self.work / name / "store.db"
        begun = time.monotonic()
        connection = sqlite3.connect(database, isolation_level=None)
        # Without a journal and in key order: half a microsecond each.
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-65536"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        week = 600_000_000_000  # microseconds; a little less than repeats are remembered
        first = int(time.time()) * 1_000_000 - week
        connection.execute(f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {count - 1}) "
                           f"INSERT INTO repeats(event_micros, hash) "
                           f"SELECT {first} + i * {week // count}, randomblob(16) FROM n")
        connection.execute("PRAGMA journal_mode=WAL").fetchall()
        connection.close()
        # Pending writeback would disturb the measurement.
        with open(database, "rb+") as file:
            os.fsync(file.fileno())
        self.say(f"{count:,} remembered events made in {time.monotonic() - begun:.0f} s, store.db has "
                 f"{database.stat().st_size / 1e6:,.0f} MB")
        return name

    def metric(self, name: str, labels: str = "") -> float:
        """The sum over the series of that name whose labels contain the text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=60)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        total = 0.0
        for line in text.splitlines():
            if line.startswith(name) and line[len(name)] in "{ " and labels in line:
                total += float(line.rsplit(" ", 1)[1])
        return total

    def delivered(self) -> float:
        return self.metric("lihandover_items_total", 'outcome="delivered"')

    # -- load --------------------------------------------------------------------------------------------------------

    def load_command(self, events: int, *options: Any, target: str = "intake.sock") -> list[str]:
        return [self.program("event_load"), "--socket", str(self.work / target), "--events", str(events), "--first",
                str(self.numbers(events)), *map(str, options)]

    def load(self, events: int, *options: Any) -> dict[str, float]:
        """Sends so many events to the daemon; returns when all are answered."""
        done = subprocess.run(self.load_command(events, *options), capture_output=True, text=True)
        if done.returncode != 0:
            raise BenchError(done.stderr.strip())
        return json.loads(done.stdout)

    def deliver(self, daemon: programs.Process, leas: list[Lea], events: int, *options: Any,
                seconds: float = 600) -> dict[str, float]:
        """Sends so many events under a warrant and waits until the LEAs have accepted as many. The rate is counted from
        the first request to the last answer."""
        before = sum(lea.accepted() for lea in leas)
        busy, lea_busy = cpu_seconds(daemon.pid), sum(cpu_seconds(lea.process.pid) for lea in leas)
        start = time.monotonic()
        command = self.load_command(events, *options)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as sender:
            output, errors = sender.communicate()
        if sender.returncode != 0:
            raise BenchError(errors.strip())
        intake = time.monotonic() - start
        wait_until(lambda: sum(lea.accepted() for lea in leas) >= before + events, seconds, "all items", every=0.02)
        taken = time.monotonic() - start
        return {"rate": events / taken, "intake_rate": events / intake, "seconds": taken,
                "cost_us": (cpu_seconds(daemon.pid) - busy) / events * 1e6,
                "lea_cost_us": (sum(cpu_seconds(lea.process.pid) for lea in leas) - lea_busy) / events * 1e6}

    def sample_document(self) -> pathlib.Path:
        """One document as the LEA gets it from one event of 1 KB."""
        document = self.work / "document.xml"
        if document.exists():
            return document
        self.empty("received")
        with self.lea("--output", self.work / "received") as lea:
            with self.daemon([Destination("lea", lea.port)], 1, validation="off"):
                for number in (1, 2):  # the second without the CSP schema, which the first one provided
                    self.load(1, "--connections", 1, "--users", 1)
                    wait_until(lambda: lea.accepted() >= number, 30, "an item")
        documents = sorted((self.work / "received").rglob("*.xml"), key=lambda path: path.stat().st_size)
        document.write_bytes(documents[0].read_bytes())  # the smaller one is without the schema's text
        return document
