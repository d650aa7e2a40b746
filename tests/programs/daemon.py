"""A running lihandoverd, its files, and its interfaces."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import uuid

from programs.process import PATIENCE, SCHEMAS, Answer, Certificates, Ports, Process, UnixConnection, program, wait_until


def to_json(event):
    """JSON as sources write it; lone surrogates go as \\u escapes."""
    return json.dumps(event, ensure_ascii=True).encode("ascii")


class Daemon:
    """A lihandoverd with its own directory; it can be started, ended and restarted at will."""

    def __init__(self, owner, name="daemon", state=None, lihandoverd=None):
        self.owner = owner
        self.lihandoverd = lihandoverd or program("lihandoverd")
        self.directory = os.path.join(owner.directory, name)
        self.state = state or os.path.join(self.directory, "state")
        self.warrants = os.path.join(self.directory, "warrants.d")
        self.config_path = os.path.join(self.directory, "lihandoverd.yaml")
        self.intake = os.path.join(self.directory, "intake.sock")
        self.control = os.path.join(self.directory, "control.sock")
        for path in (self.directory, self.warrants):
            os.makedirs(path, exist_ok=True)
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        self.admin_address = "127.0.0.1"
        self.admin_port = Ports.take()
        self.environment = {}
        self.prepare = None
        self.process = None
        self.processes = []
        self.configuration = {
            "csp": {"country_code": "XX", "unique_identifier": "EXAMPLE-CSP"},
            "state_dir": self.state,
            "warrants_dir": self.warrants,
            "schemas_dir": SCHEMAS,
            "intake": {"http": [{"name": "local", "listen": "unix:" + self.intake}]},
            "destinations": {},
            "admin": {"listen": f"{self.admin_address}:{self.admin_port}", "control_socket": self.control},
            "schema_validation": "all",
            "shutdown_timeout": "10s",
            "log_level": "debug",
        }

    # Files

    def destination(self, name, port, certificate="csp", ca="lea-ca", **more):
        destination = {
            "url": f"https://127.0.0.1:{port}/hi",
            "tls": {
                "certificate": Certificates.path(f"{certificate}.pem"),
                "private_key": Certificates.path(f"{certificate}.key"),
                "ca": Certificates.path(f"{ca}.pem"),
            },
            "retry": {"initial": "50ms", "maximum": "500ms"},
            "timeout": "10s",
        }
        destination.update(more)
        self.configuration["destinations"][name] = destination
        return destination

    def write_configuration(self):
        # JSON is YAML.
        with open(self.config_path, "w", encoding="utf-8") as file:
            json.dump(self.configuration, file, indent=2)

    def warrant(self, liid, destination, *targets, file=None, **more):
        """Writes a warrant file; a target is a ("user_id", "u-1") or a dict."""
        content = {
            "liid": liid,
            "destination": destination,
            "valid_from": "2020-01-01T00:00:00Z",
            "valid_until": "2100-01-01T00:00:00Z",
            "deliver": ["metadata", "content", "location"],
        }
        if targets or "xid" not in more:
            content["targets"] = [t if isinstance(t, dict) else {t[0]: t[1]} for t in targets]
        content.update(more)
        return self.warrant_text(file or f"{destination}-{liid}.yaml", json.dumps(content))

    def warrant_text(self, file, text):
        """Replaces the file in one step, as an operator's tools should."""
        path = os.path.join(self.warrants, file)
        fresh = os.path.join(self.warrants, f".{file}.{uuid.uuid4().hex}")
        with open(fresh, "w", encoding="utf-8") as out:
            out.write(text)
        os.rename(fresh, path)
        return path

    # Life

    def start(self, ready=True):
        self.write_configuration()
        others = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "JOURNAL_STREAM")
        environment = {k: v for k, v in os.environ.items() if k not in others}
        environment.update(self.environment)
        self.process = Process("lihandoverd", [self.lihandoverd, "--config", self.config_path], self.owner.directory,
                               environment, self.prepare)
        self.processes.append(self.process)
        self.owner.processes.append(self.process)
        if ready:
            self.wait_ready()
        return self.process

    def wait_ready(self):
        def ready():
            if not self.process.running():
                raise AssertionError(f"lihandoverd ended with {self.process.popen.returncode} instead of starting")
            # Intake starts last: an answer there means that everything else is up.
            return self.ready_status() == 200 and self.intake_listens()
        wait_until(ready, "lihandoverd is ready")

    def intake_listens(self):
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(self.intake)
            return True
        except OSError:
            return False

    def ready_status(self):
        try:
            return self.admin("/readyz").status
        except OSError:
            return None

    def stop(self):
        status = self.process.stop()
        if status != 0:
            raise AssertionError(f"lihandoverd stopped with status {status}")

    def restart(self):
        self.stop()
        self.start()

    def logs(self):
        return "".join(p.log() + p.out() for p in self.processes)

    # Talking to it

    def request(self, method, path, body=None, fields=None, timeout=None):
        connection = UnixConnection(self.intake, timeout)
        try:
            connection.request(method, path, body, fields or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def post(self, event):
        """One event as application/json."""
        body = event if isinstance(event, bytes) else to_json(event)
        return self.request("POST", "/v1/events", body, {"Content-Type": "application/json"})

    def put(self, name, bytes, **fields):
        """Uploads an object under a name for a later event."""
        return self.request("PUT", f"/v1/objects/{name}", bytes, {k.replace("_", "-"): v for k, v in fields.items()})

    def post_many(self, events):
        """Events as application/x-ndjson."""
        body = b"".join((e if isinstance(e, bytes) else to_json(e)) + b"\n" for e in events)
        return self.request("POST", "/v1/events", body, {"Content-Type": "application/x-ndjson"})

    def accept(self, *events):
        """Posts the events and expects all of them to be taken."""
        answer = self.post(events[0]) if len(events) == 1 else self.post_many(events)
        if answer.status != 202 or answer.json() != {"accepted": len(events)}:
            raise AssertionError(f"not taken: {answer}")

    def admin(self, path):
        connection = http.client.HTTPConnection(self.admin_address, self.admin_port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def metrics_text(self):
        answer = self.admin("/metrics")
        if answer.status != 200:
            raise AssertionError(f"no metrics: {answer}")
        return answer.body.decode()

    def metric(self, name, /, **labels):
        """The sum of the samples of that name that have these labels; None if there is none."""
        return metric_of(self.metrics_text(), name, **labels)

    def ctl(self, *arguments, expect=0):
        """Runs lihandoverctl; its standard output."""
        done = self.run_ctl(*arguments)
        if expect is not None and (done.returncode == 0) != (expect == 0):
            raise AssertionError(f"lihandoverctl {arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def run_ctl(self, *arguments):
        return subprocess.run([program("lihandoverctl"), "--socket", self.control, *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE)

    def ctl_json(self, *arguments):
        return json.loads(self.ctl(*arguments, "--json"))

    def items(self, state=None):
        """Waiting items, or those of one state."""
        return self.ctl_json("items", *(["--state", state] if state else []))

    def waiting(self, destination=None, state="queued"):
        labels = {"state": state, **({"destination": destination} if destination else {})}
        return self.metric("lihandover_outbox_items", **labels) or 0

    def wait_delivered(self, destination=None):
        """Waits until nothing is queued any more."""
        wait_until(lambda: self.waiting(destination) == 0, "everything is delivered")

    def reload(self):
        """Sends SIGHUP, and waits until the reload has ended."""
        before = self.metric("lihandover_reloads_total")
        self.process.signal(signal.SIGHUP)
        wait_until(lambda: self.metric("lihandover_reloads_total") > before, "the reload ends")

    def check(self, option="--check"):
        """lihandoverd --check: exit status and output."""
        self.write_configuration()
        return check_file(self.config_path, option)


def check_file(path, option="--check"):
    done = subprocess.run([program("lihandoverd"), "--config", path, option], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=PATIENCE)
    return done.returncode, done.stdout + done.stderr


SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)')


def metric_of(text, name, /, **labels):
    total = None
    for line in text.splitlines():
        found = SAMPLE.match(line)
        if not found or found.group(1) != name:
            continue
        have = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found.group(2) or ""))
        if all(have.get(k) == v for k, v in labels.items()):
            total = (total or 0) + float(found.group(3))
    return total
