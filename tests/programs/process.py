"""Waiting, ports, certificates, processes, and HTTP over a Unix socket."""

import fcntl
import http.client
import json
import os
import random
import resource
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("LIHANDOVER_SOURCE") or os.path.dirname(os.path.dirname(HERE))
SCHEMAS = os.path.join(SOURCE, "schemas")

# Only bounds how long a broken program can keep a test busy: nothing is measured against it.
PATIENCE = float(os.environ.get("LIHANDOVER_TEST_PATIENCE", "90"))

PLACES = {"lihandoverd": "src/app", "lihandoverctl": "src/ctl", "lea-sim": "tests/lea-sim", "x2x3-send": "tests/x2x3-send",
          "libfaults-shim.so": "tests/faults"}


def program(name, build=None):
    """Where a program is: as the environment says (LEA_SIM for lea-sim), else where scripts/build put it."""
    told = os.environ.get(name.upper().replace("-", "_"))
    if told and build is None:
        return told
    builds = [build] if build else [os.path.join(SOURCE, each) for each in ("build", "build-debug")]
    paths = [os.path.join(each, PLACES.get(name, "bench"), name) for each in builds]
    return next((path for path in paths if os.path.exists(path)), paths[-1])


# -- Waiting, ports, certificates ------------------------------------------------------------------------------------


def wait_until(condition, what, timeout=None):
    """Calls `condition` until it returns something true, and returns that."""
    end = time.monotonic() + (timeout or PATIENCE)
    pause = 0.005
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


class Ports:
    """Ports of 127.0.0.1 below the kernel's ephemeral range, so that no outgoing connection takes one while its server
    is down. Lock files keep test programs that run side by side apart."""

    directory = os.path.join(tempfile.gettempdir(), f"lihandover-test-ports-{os.getuid()}")
    held = []

    @classmethod
    def take(cls):
        os.makedirs(cls.directory, exist_ok=True)
        order = list(range(20000, 32000))
        random.SystemRandom().shuffle(order)
        for port in order:
            lock = open(os.path.join(cls.directory, str(port)), "w", encoding="ascii")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", port))
            except OSError:
                lock.close()
                continue
            cls.held.append(lock)  # until this program ends
            return port
        raise AssertionError("no free port")


class Certificates:
    """Those of scripts/make-test-certificates, made once per test program."""

    directory = None

    @classmethod
    def path(cls, name):
        if cls.directory is None:
            cls.holder = tempfile.TemporaryDirectory(prefix="lihandover-certificates-")
            subprocess.run([os.path.join(SOURCE, "scripts/make-test-certificates"), cls.holder.name], check=True,
                           stdin=subprocess.DEVNULL)
            cls.directory = cls.holder.name
        return os.path.join(cls.directory, name)


def raise_descriptor_limit(wanted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def client_context(certificate=None, ca="csp-ca"):
    """The TLS context of a source."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(Certificates.path(f"{ca}.pem"))
    if certificate:
        context.load_cert_chain(Certificates.path(f"{certificate}.pem"), Certificates.path(f"{certificate}.key"))
    return context


# -- Processes -------------------------------------------------------------------------------------------------------


class Process:
    """One started program with its output in files."""

    def __init__(self, name, arguments, directory, environment=None, prepare=None):
        self.name = name
        self.arguments = arguments
        self.out_path = os.path.join(directory, f"{name}.{uuid.uuid4().hex[:8]}.out")
        self.log_path = self.out_path[:-3] + "log"
        with open(self.out_path, "wb") as out, open(self.log_path, "wb") as log:
            self.popen = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                                          env=environment, preexec_fn=prepare)

    @property
    def pid(self):
        return self.popen.pid

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def out(self):
        with open(self.out_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def running(self):
        return self.popen.poll() is None

    def signal(self, number):
        if self.running():
            self.popen.send_signal(number)

    def wait(self, timeout=None):
        """The exit status; negative for a signal."""
        try:
            return self.popen.wait(timeout or PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not end") from None

    def kill(self):
        """kill -9, like a crash."""
        self.signal(signal.SIGKILL)
        self.popen.wait()

    def stop(self):
        """The gentle stop; returns the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()


# -- HTTP ------------------------------------------------------------------------------------------------------------


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path, timeout=None):
        super().__init__("localhost", timeout=timeout or PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self.path))


class Answer:
    """Status, fields and body of an HTTP answer."""

    def __init__(self, response):
        self.status = response.status
        self.fields = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.fields} {self.body[:400]!r}"
