"""What the system tests share: certificates, processes, posting events, and reading back what an LEA received.

The real programs are driven from outside; nothing of them is mocked. Every process is ended by its own id, every
directory is a fresh one, and what the processes wrote is shown when a test fails. Standard library only.

The build passes what to run in the environment: LIHANDOVERD, LIHANDOVERCTL, LEA_SIM, LIHANDOVER_SOURCE.
"""

import base64
import datetime
import fcntl
import http.client
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import uuid
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("LIHANDOVER_SOURCE") or os.path.dirname(os.path.dirname(HERE))
LIHANDOVERD = os.environ.get("LIHANDOVERD", os.path.join(SOURCE, "build/src/app/lihandoverd"))
LIHANDOVERCTL = os.environ.get("LIHANDOVERCTL", os.path.join(SOURCE, "build/src/ctl/lihandoverctl"))
LEA_SIM = os.environ.get("LEA_SIM", os.path.join(SOURCE, "build/tests/lea-sim/lea-sim"))
MACHINE_SHIM = os.environ.get("MACHINE_SHIM", os.path.join(SOURCE, "build/tests/system/libmachine_shim.so"))
SCHEMAS = os.path.join(SOURCE, "schemas")

# Only a bound on how long a broken program can keep a test busy: nothing is measured against it.
PATIENCE = float(os.environ.get("LIHANDOVER_TEST_PATIENCE", "90"))

NAMESPACES = {
    "core": "http://uri.etsi.org/03120/common/2019/10/Core",
    "delivery": "http://uri.etsi.org/03120/common/2019/10/Delivery",
    "common": "http://uri.etsi.org/03120/common/2016/02/Common",
    "types": "http://uri.etsi.org/03280/common/2017/07",
    "messaging": "http://uri.etsi.org/03707/2020/02",
}


# -- Waiting, ports, certificates ------------------------------------------------------------------------------------


def wait_until(condition, what, timeout=None):
    """Calls `condition` until it gives something true, and gives that back."""
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
    """Ports of 127.0.0.1 below the range the kernel hands out by itself, so that nobody's outgoing connection takes one
    while its server is down. A lock file each keeps test programs that run side by side apart."""

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
        """kill -9, as a crash of the machine's making."""
        self.signal(signal.SIGKILL)
        self.popen.wait()

    def stop(self):
        """The gentle end; its exit status."""
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
        self.sock.connect(self.path)


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


def to_json(event):
    """JSON as sources write it; lone surrogates go as \\u escapes."""
    return json.dumps(event, ensure_ascii=True).encode("ascii")


# -- Events ----------------------------------------------------------------------------------------------------------


def now_text(offset=0.0):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def party(*identifiers, **more):
    """party(("user_id", "u-1"), ("msisdn", "4477…"))"""
    return {"identifiers": [{"type": kind, "value": value} for kind, value in identifiers], **more}


def message(sender="u-1", receiver="somebody", text="See you at eight", conversation=None, **more):
    """A message between two users of examplechat."""
    event = {
        "event_id": str(uuid.uuid4()),
        "service": "examplechat",
        "event_type": "message",
        "timestamp": now_text(),
        "sender": party(("user_id", sender)),
        "receivers": [party(("user_id", receiver))],
        "content": {"type": "text/plain", "text": text},
    }
    if conversation is not None:
        event["conversation"] = {"id": conversation, "kind": "direct"}
    event.update(more)
    return {name: value for name, value in event.items() if value is not None}


def inline(name, bytes, **more):
    """An attachment whose bytes are in the event."""
    return {"id": name, "data": base64.b64encode(bytes).decode("ascii"), **more}


# -- What the LEA received -------------------------------------------------------------------------------------------


class Item:
    """One DELIVER action as it came over the wire."""

    def __init__(self, bytes, document, root, action, line):
        def text(path, node=action):
            found = node.find(path, NAMESPACES)
            return None if found is None else (found.text or "")

        def end(name):
            node = root.find(f"core:Header/core:{name}", NAMESPACES)
            return text("core:CountryCode", node), text("core:UniqueIdentifier", node)

        self.bytes = bytes  # the DELIVER element
        self.document = document
        self.outcome = line["outcome"]  # what lea-sim answered, or did instead
        self.accepted = self.outcome == "accepted"
        self.code = line.get("code")  # of an ErrorInformation
        self.time = line.get("time")  # when it was answered
        self.valid = line.get("valid")
        self.problem = line.get("invalid")
        self.transaction = text("core:Header/core:TransactionIdentifier", root)
        self.header_sender = end("SenderIdentifier")
        self.header_receiver = end("ReceiverIdentifier")
        self.header_timestamp = text("core:Header/core:Timestamp", root)
        self.header_version = tuple(text(f"core:Header/core:Version/core:{n}", root)
                                    for n in ("ETSIVersion", "NationalProfileOwner", "NationalProfileVersion"))
        self.action_identifier = int(text("core:ActionIdentifier"))
        self.identifier = text("core:DELIVER/core:Identifier")
        hi1 = action.find("core:DELIVER/core:HI1Object", NAMESPACES)
        self.object_id = text("core:ObjectIdentifier", hi1)
        self.country = text("core:CountryCode", hi1)
        self.owner = text("core:OwnerIdentifier", hi1)
        self.liid = text("delivery:Reference/delivery:LIID", hi1)
        self.handover = hi1.find(".//messaging:handoverItem", NAMESPACES)
        level = self.handover.find(".//messaging:applicationLevelID", NAMESPACES)
        sequence = self.handover.find(".//messaging:applicationSequenceNumber", NAMESPACES)
        self.level = None if level is None else int(level.text)
        self.sequence = None if sequence is None else int(sequence.text)
        self.timestamp = text(".//messaging:coreParameters/messaging:timestamp", self.handover)
        self.schema_identifier = text(".//messaging:schemaDetails/messaging:schemaIdentifier", self.handover)
        self.schema_content = text(".//messaging:schemaDetails/messaging:schemaContent", self.handover)
        self.objects = [{child.tag.rsplit("}", 1)[-1]: child.text or "" for child in record}
                        for record in self.handover.findall(".//messaging:associatedBinaryData/messaging:binaryObject",
                                                            NAMESPACES)]
        self.sender = self.handover.find(".//messaging:messageSender", NAMESPACES)
        self.receivers = self.handover.findall(".//messaging:messageReceivers/messaging:recipient", NAMESPACES)

    @staticmethod
    def identifiers(party_element):
        return [e.text for e in party_element.findall("messaging:identifiers/messaging:identifier", NAMESPACES)]

    @staticmethod
    def targeted(party_element):
        found = party_element.find("messaging:isTargetedParty", NAMESPACES)
        return found is not None and found.text.strip() in ("true", "1")

    def csp(self):
        """The CSP-defined part: the one element below xmlData."""
        data = self.handover.find(".//messaging:cspDefinedMetadata/messaging:xmlData", NAMESPACES)
        return None if data is None else data[0]

    def csp_find(self, name):
        """The first element of that local name in the CSP-defined part."""
        root = self.csp()
        if root is None:
            return None
        for element in root.iter():
            if element.tag.rsplit("}", 1)[-1] == name:
                return element
        return None

    def csp_text(self, name):
        """Its text, decoded where XML could not carry it: see docs/csp-schema.md."""
        element = self.csp_find(name)
        return None if element is None else decode_text(element)


def decode_text(element):
    """Text of the CSP-defined part, which goes as base64 where XML cannot carry it (docs/csp-schema.md)."""
    text = element.text or ""
    if element.get("encoding") == "base64":
        return base64.b64decode(text, validate=True).decode("utf-8", "surrogatepass")
    return text


class Document:
    """One stored HI1 message, taken apart once."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = file.read()
        self.root = ElementTree.fromstring(self.bytes)
        self.actions = self.root.findall("core:Payload/core:RequestPayload/core:ActionRequests/core:ActionRequest",
                                         NAMESPACES)
        self.raw = re.findall(rb"<DELIVER[ >].*?</DELIVER>", self.bytes, re.S)
        if len(self.raw) != len(self.actions):
            raise AssertionError("DELIVER elements are not where they were looked for")

    def item(self, line):
        number = int(line["action"])
        return Item(self.raw[number], self.bytes, self.root, self.actions[number], line)


class Lea:
    """A lea-sim with a port of its own that it keeps over restarts, and a directory for what it receives."""

    WORDS = "words of an LEA for the operator alone"
    RETRYABLE = 3900

    def __init__(self, test, name="lea", certificate="lea", client_ca="lea-ca", port=None):
        self.test = test
        self.name = name
        self.certificate = certificate
        self.client_ca = client_ca
        self.port = port or Ports.take()
        self.directory = os.path.join(test.directory, name)
        self.control = os.path.join(test.directory, f"{name}.sock")
        self.process = None
        self.outputs = []  # [path, bytes read]
        self.found = []
        self.uploads = []
        self.documents = {}

    @classmethod
    def rules(cls, chaos=None, refuse_liid=None, reject_message_liid=None, http_status=None, delay_ms=None, **flags):
        """The rules of lea-sim for what a test wants of it."""
        rules = []
        chances = {
            "drop_before": {"kind": "drop", "moment": "answering"},
            "drop_after": {"kind": "drop", "moment": "answered"},
            "drop_reading": {"kind": "drop", "moment": "reading"},
            "garbage": {"kind": "garbage"},
            "status_503": {"kind": "status", "status": 503},
            "refuse_retryable": {"kind": "refuse", "code": cls.RETRYABLE, "description": cls.WORDS},
        }
        for name, value in (chaos or {}).items():
            if name == "delay_ms":
                rules.append({"kind": "delay", "delay": "0ms", "jitter": f"{value}ms"})
            else:
                rules.append({**chances[name], "probability": value})
        for liid, code in (refuse_liid or {}).items():
            rules.append({"kind": "refuse", "liid": liid, "code": code, "description": cls.WORDS})
        for liid, status in (reject_message_liid or {}).items():
            rules.append({"kind": "status", "liid": liid, "status": status})
        if http_status:
            rules.append({"kind": "status", "status": http_status})
            if 300 <= http_status < 400:
                rules[-1]["location"] = "https://127.0.0.1:1/elsewhere"
        if delay_ms:
            rules.append({"kind": "delay", "delay": f"{delay_ms}ms"})
        for name in flags:
            rules.append({"kind": "twice" if name == "answered_twice" else name})
        return rules

    def start(self, seed=1, **wishes):
        arguments = [LEA_SIM, "--listen", f"127.0.0.1:{self.port}", "--output", self.directory, "--seed", str(seed),
                     "--certificate", Certificates.path(f"{self.certificate}.pem"),
                     "--private-key", Certificates.path(f"{self.certificate}.key"),
                     "--client-ca", Certificates.path(f"{self.client_ca}.pem"),
                     "--validate", SCHEMAS, "--control", "unix:" + self.control]
        for rule in self.rules(**wishes):
            arguments += ["--rule", ",".join(f"{k}={v}" for k, v in rule.items())]
        self.process = Process(self.name, arguments, self.test.directory)
        self.test.processes.append(self.process)
        self.outputs.append([self.process.out_path, 0])

        def listening():
            if not self.process.running():
                raise AssertionError(f"lea-sim ended with {self.process.popen.returncode}: {self.process.log()}")
            return '"listening"' in self.process.out()
        wait_until(listening, "lea-sim listens")

    def behave(self, **wishes):
        """Changes what it does from now on."""
        self.ask("POST", "/behaviour", json.dumps({"rules": self.rules(**wishes)}))

    def obey(self, *rules):
        """Rules of lea-sim as its README has them, from now on."""
        self.ask("POST", "/behaviour", json.dumps({"rules": rules}))

    def totals(self):
        return self.ask("GET", "/totals")

    def ask(self, method, path, body=None):
        connection = UnixConnection(self.control)
        try:
            connection.request(method, path, body)
            answer = Answer(connection.getresponse())
        finally:
            connection.close()
        if answer.status != 200:
            raise AssertionError(f"lea-sim: {answer}")
        return answer.json()

    def stop(self):
        self.process.stop()

    def kill(self):
        self.process.kill()

    def objects(self):
        """What lea-sim said of each upload of a binary object so far, in that order (Model B)."""
        self.items()
        return list(self.uploads)

    def lines(self):
        """All that lea-sim said, in that order."""
        found = []
        for path, _ in self.outputs:
            with open(path, "rb") as file:
                text = file.read()
            found += map(json.loads, text[:text.rfind(b"\n") + 1].splitlines())
        return found

    def object_bytes(self, line):
        with open(os.path.join(self.directory, line["file"]), "rb") as file:
            return file.read()

    def items(self):
        """All that arrived so far, in that order."""
        for output in self.outputs:
            with open(output[0], "rb") as file:
                file.seek(output[1])
                text = file.read()
            text = text[:text.rfind(b"\n") + 1]
            output[1] += len(text)
            for line in map(json.loads, text.splitlines()):
                if line["event"] == "problem":
                    raise AssertionError(f"lea-sim: {line}")
                if line["event"] == "object":
                    self.uploads.append(line)
                if line["event"] != "delivery" or "file" not in line:
                    continue
                if line["outcome"] == "unreadable":
                    raise AssertionError(f"lea-sim could not read a message: {line}")
                path = os.path.join(self.directory, line["file"])
                if path not in self.documents:
                    self.documents[path] = Document(path)
                self.found.append(self.documents[path].item(line))
        return list(self.found)


# -- The daemon ------------------------------------------------------------------------------------------------------


class Daemon:
    """A lihandoverd with a directory of its own; start, end and start again as you like."""

    def __init__(self, test, name="daemon", state=None):
        self.test = test
        self.directory = os.path.join(test.directory, name)
        self.state = state or os.path.join(self.directory, "state")
        self.warrants = os.path.join(self.directory, "warrants.d")
        self.config_path = os.path.join(self.directory, "lihandoverd.yaml")
        self.intake = os.path.join(self.directory, "intake.sock")
        self.control = os.path.join(self.directory, "control.sock")
        for path in (self.directory, self.warrants):
            os.makedirs(path, exist_ok=True)
        os.makedirs(self.state, mode=0o700, exist_ok=True)
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
            "admin": {"listen": f"127.0.0.1:{self.admin_port}", "control_socket": self.control},
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
            "targets": [t if isinstance(t, dict) else {t[0]: t[1]} for t in targets],
            "deliver": ["metadata", "content", "location"],
        }
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
        self.process = Process("lihandoverd", [LIHANDOVERD, "--config", self.config_path], self.test.directory,
                               environment, self.prepare)
        self.processes.append(self.process)
        self.test.processes.append(self.process)
        if ready:
            self.wait_ready()
        return self.process

    def wait_ready(self):
        def ready():
            if not self.process.running():
                raise AssertionError(f"lihandoverd ended with {self.process.popen.returncode} instead of starting")
            # Intake comes last: an answer there means that all the rest is up.
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
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=PATIENCE)
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

    def metric(self, name, **labels):
        """The sum of the samples of that name that have these labels; None when there is none."""
        return metric_of(self.metrics_text(), name, **labels)

    def ctl(self, *arguments, expect=0):
        """Runs lihandoverctl; its standard output."""
        done = subprocess.run([LIHANDOVERCTL, "--socket", self.control, *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE)
        if expect is not None and (done.returncode == 0) != (expect == 0):
            raise AssertionError(f"lihandoverctl {arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def ctl_json(self, *arguments):
        return json.loads(self.ctl(*arguments, "--json"))

    def items(self, state=None):
        """Waiting items, or those of one state."""
        return self.ctl_json("items", *(["--state", state] if state else []))

    def waiting(self, destination=None, state="queued"):
        labels = {"state": state, **({"destination": destination} if destination else {})}
        return self.metric("lihandover_outbox_items", **labels) or 0

    def wait_delivered(self, destination=None):
        """Until nothing is queued any more."""
        wait_until(lambda: self.waiting(destination) == 0, "everything is delivered")

    def reload(self):
        """SIGHUP, and until the reload has ended."""
        before = self.metric("lihandover_reloads_total")
        self.process.signal(signal.SIGHUP)
        wait_until(lambda: self.metric("lihandover_reloads_total") > before, "the reload ends")

    def check(self):
        """lihandoverd --check: exit status and output."""
        self.write_configuration()
        return check_file(self.config_path)


def check_file(path):
    done = subprocess.run([LIHANDOVERD, "--config", path, "--check"], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=PATIENCE)
    return done.returncode, done.stdout + done.stderr


SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)')


def metric_of(text, name, **labels):
    total = None
    for line in text.splitlines():
        found = SAMPLE.match(line)
        if not found or found.group(1) != name:
            continue
        have = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found.group(2) or ""))
        if all(have.get(k) == v for k, v in labels.items()):
            total = (total or 0) + float(found.group(3))
    return total


# -- The test case ---------------------------------------------------------------------------------------------------


class SystemTest(unittest.TestCase):
    """Gives each test a directory; ends what it started; shows what the programs said when it fails."""

    longMessage = True
    maxDiff = None

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="lihandover-test-")
        self.processes = []
        self.threads = []
        self.addCleanup(self.clean_up)

    def clean_up(self):
        crashed = []
        for process in self.processes:
            status = process.popen.poll()
            if status is not None and status < 0 and -status not in (signal.SIGKILL, signal.SIGTERM):
                crashed.append(f"{process.name} died of signal {-status}")
        for process in reversed(self.processes):
            if process.running():
                process.signal(signal.SIGTERM)
        for process in reversed(self.processes):
            try:
                process.wait(30)
            except AssertionError as error:
                crashed.append(str(error))
                process.kill()
        for thread in self.threads:
            thread.join(30)
        for process in self.processes:
            log = process.log()
            if re.search(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:", log):
                crashed.append(f"{process.name}: a sanitizer's report")
        result = self._outcome.result
        failed = crashed or any(test is self for test, _ in result.failures + result.errors)
        if failed:
            for process in self.processes:
                print(f"-- {' '.join(process.arguments)} -> {process.popen.poll()}")
                print("\n".join((process.log().splitlines())[-150:]))
        shutil.rmtree(self.directory, ignore_errors=True)
        if crashed:
            raise AssertionError("; ".join(crashed))

    def preload_shim(self, daemon, **told):
        """Runs a daemon with a disk, a name server and a clock that do as they are told (machine_shim.cpp)."""
        if os.environ.get("LIHANDOVER_SANITIZED"):
            self.skipTest("a sanitizer wants to be loaded first")
        daemon.environment = {**daemon.environment, "LD_PRELOAD": MACHINE_SHIM, **told}

    def in_background(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        thread.start()
        self.threads.append(thread)
        return thread

    def assert_status(self, status, answer):
        self.assertEqual(status, answer.status, answer)


def raise_descriptor_limit(wanted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def client_context(certificate=None, ca="csp-ca"):
    """TLS of a source."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(Certificates.path(f"{ca}.pem"))
    if certificate:
        context.load_cert_chain(Certificates.path(f"{certificate}.pem"), Certificates.path(f"{certificate}.key"))
    return context
