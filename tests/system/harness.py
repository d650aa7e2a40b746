"""What the system tests share: certificates, processes, posting events, and reading back what an LEA received.

The real programs are driven from outside; nothing of them is mocked. Every process is ended by its own id, every
directory is a fresh one, and what the processes wrote is shown when a test fails. Standard library only.

The build passes what to run in the environment: LIHANDOVERD, LIHANDOVERCTL, LEA_SIM, LIHANDOVER_SOURCE.
"""

import base64
import datetime
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import unittest
import uuid
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.dirname(HERE))

import programs  # noqa: E402
from programs import (PATIENCE, SCHEMAS, SOURCE, Answer, Certificates, Daemon, Ports, Process,  # noqa: E402, F401
                      UnixConnection, check_file, client_context, metric_of, raise_descriptor_limit, wait_until)
from programs.daemon import to_json  # noqa: E402, F401

LIHANDOVERD = programs.program("lihandoverd")
LIHANDOVERCTL = programs.program("lihandoverctl")
LEA_SIM = programs.program("lea-sim")
MACHINE_SHIM = os.environ.get("MACHINE_SHIM", os.path.join(SOURCE, "build/tests/system/libmachine_shim.so"))

NAMESPACES = {
    "core": "http://uri.etsi.org/03120/common/2019/10/Core",
    "delivery": "http://uri.etsi.org/03120/common/2019/10/Delivery",
    "common": "http://uri.etsi.org/03120/common/2016/02/Common",
    "types": "http://uri.etsi.org/03280/common/2017/07",
    "messaging": "http://uri.etsi.org/03707/2020/02",
}


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


class Lea(programs.LeaSim):
    """A lea-sim that keeps its port over restarts, with a directory for what it receives."""

    WORDS = "words of an LEA for the operator alone"
    RETRYABLE = 3900

    def __init__(self, test, name="lea", certificate="lea", client_ca="lea-ca", port=None):
        super().__init__(test, name, certificate, client_ca, port or Ports.take())
        self.found = []
        self.uploads = []
        self.documents = {}

    @classmethod
    def rules(cls, chaos=None, refuse_liid=None, reject_message_liid=None, http_status=None, delay_ms=None, **flags):
        """Turns a test's keywords into rules of lea-sim."""
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
        rules = [",".join(f"{k}={v}" for k, v in rule.items()) for rule in self.rules(**wishes)]
        super().start("--seed", seed, *(part for rule in rules for part in ("--rule", rule)))

    def behave(self, **wishes):
        """Changes what it does from now on."""
        self.obey(*self.rules(**wishes))

    def objects(self):
        """What lea-sim reported of each upload of a binary object so far, in order (Model B)."""
        self.items()
        return list(self.uploads)

    def object_bytes(self, line):
        with open(os.path.join(self.directory, line["file"]), "rb") as file:
            return file.read()

    def items(self):
        """Everything that has arrived so far, in order."""
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
        """Runs a daemon whose disk, name server and clock do as they are told (machine_shim.cpp)."""
        if os.environ.get("LIHANDOVER_SANITIZED"):
            self.skipTest("a sanitizer wants to be loaded first")
        daemon.environment = {**daemon.environment, "LD_PRELOAD": MACHINE_SHIM, **told}

    def in_background(self, function, *arguments, **named):
        thread = threading.Thread(target=function, args=arguments, kwargs=named, daemon=True)
        thread.start()
        self.threads.append(thread)
        return thread

    def assert_status(self, status, answer):
        self.assertEqual(status, answer.status, answer)
