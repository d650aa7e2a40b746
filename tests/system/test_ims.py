"""IMS messaging through the daemon: flows of TS 24.247 and captured traffic of a SIP stack go in as X2/X3, documents come
out."""

import json
import os
import subprocess
import unittest
import uuid

import sip_stack
from harness import PATIENCE, SOURCE, Certificates, Daemon, Lea, Ports, SystemTest, programs, wait_until

FLOWS = os.path.join(SOURCE, "tests/flows")


def flow_path(name):
    return os.path.join(FLOWS, f"{name}.flow")


def tasks_of(name):
    """{task: XID} of a flow."""
    with open(flow_path(name), encoding="utf-8") as file:
        words = (line.split() for line in file if line.startswith("=== task "))
        return {task: xid for _, _, task, xid in words}


def expectations(name, task):
    with open(os.path.join(FLOWS, f"{name}.expect"), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file if not line.startswith("#")]
    return [line for line in lines if line["task"] == task]


class Ims(SystemTest):
    """A daemon with an X2/X3 door, and an LEA."""

    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.lea.start()
        self.daemon = Daemon(self)
        self.daemon.destination("lea", self.lea.port)
        self.port = Ports.take()
        self.daemon.configuration["intake"]["x2x3"] = [{
            "name": "as-1", "listen": f"127.0.0.1:{self.port}", "service": "ims",
            "tls": {"certificate": Certificates.path("intake.pem"), "private_key": Certificates.path("intake.key"),
                    "client_ca": Certificates.path("csp-ca.pem")}}]

    def warrant(self, liid, *xids):
        self.daemon.warrant(liid, "lea", xid=list(xids), deliver=["metadata", "content"])

    def send(self, *arguments, expect=0):
        done = subprocess.run([programs.program("x2x3-send"), "--to", f"127.0.0.1:{self.port}",
                               "--certificate", Certificates.path("source.pem"),
                               "--private-key", Certificates.path("source.key"), "--ca", Certificates.path("csp-ca.pem"),
                               *map(str, arguments)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, expect, done.stderr)
        return json.loads(done.stdout)

    def items(self, liid):
        return [item for item in self.lea.items() if item.liid == liid and item.accepted]

    def wait_for_items(self, liid, count):
        wait_until(lambda: len(self.items(liid)) >= count, f"{count} items of {liid}")
        wait_until(lambda: self.daemon.items() == [], "nothing waits")
        items = self.items(liid)
        told = [(item.csp_text("eventType"), item.csp_text("text")) for item in items]
        self.assertEqual(len(items), count, told)
        return items


class FlowsTest(Ims):
    def compare(self, name, task, items):
        """The items of a task, in their order, with what the flow must become."""
        conversations = {}
        for expected, item in zip(expectations(name, task), items):
            self.assertTrue(item.valid, item.problem)
            self.assertEqual(item.csp_text("eventType"), expected["type"])
            for field in ("text", "status"):
                if field in expected:
                    self.assertEqual(item.csp_text(field), expected[field])
            if "conversation" in expected:
                level = conversations.setdefault(expected["conversation"], item.level)
                self.assertEqual((level, item.level is None), (item.level, False))
            if expected["type"] != "message":
                continue
            if "from" in expected:
                self.assertEqual(item.identifiers(item.sender)[0], expected["from"][0])
            if expected.get("target") == "from":
                self.assertTrue(item.targeted(item.sender))
            elif expected.get("target") == "to":
                self.assertTrue(any(map(item.targeted, item.receivers)))

    def flow_becomes(self, name, *arguments):
        tasks = tasks_of(name)
        for task, xid in tasks.items():
            self.warrant(f"{name}-{task}", xid)
        self.daemon.start()
        said = self.send(*arguments, flow_path(name))
        self.assertEqual(said["acknowledged"], said["keepalives"])
        for task in tasks:
            items = self.wait_for_items(f"{name}-{task}", len(expectations(name, task)))
            self.compare(name, task, items)

    def test_immediate_message(self):
        self.flow_becomes("A.3")

    def test_session_without_preconditions(self):
        self.flow_becomes("A.4.2")

    def test_session_with_intermediate_nodes(self):
        self.flow_becomes("A.4.3")

    def test_session_with_preconditions(self):
        self.flow_becomes("A.4.4")

    def test_conference(self):
        self.flow_becomes("A.5-conference")

    def test_chunks_and_reports(self):
        self.flow_becomes("9-chunks")

    def test_cut_anywhere_and_over_several_connections(self):
        self.flow_becomes("A.4.3", "--split", "random:7", "--connections", "3", "--deal", "turn", "--speed", "1")

    def test_a_task_of_no_warrant_leaves_no_trace(self):
        tasks = tasks_of("A.4.2")
        self.warrant("LIID-IDA", tasks["ida"])
        self.daemon.start()
        self.send(flow_path("A.4.2"))
        self.wait_for_items("LIID-IDA", len(expectations("A.4.2", "ida")))
        self.assertGreater(self.daemon.metric("lihandover_x2x3_pdus_total", source="as-1", outcome="unknown_xid"), 0)
        for text in (self.daemon.logs(), self.daemon.metrics_text()):
            self.assertNotIn(tasks["otto"], text)

    def test_what_a_killed_daemon_lost_comes_again(self):
        """A point that sends everything again gets each event through once, whenever the daemon was killed."""
        tasks = tasks_of("A.4.3")
        self.warrant("LIID-IDA", tasks["ida"])
        self.daemon.start()
        whole = self.send("--kill-after", 1, flow_path("A.4.3"))  # only a connection
        self.assertEqual(whole["outcome"], "killed")
        for size in (20_000, 60_000, 110_000):
            self.send("--kill-after", size, flow_path("A.4.3"))
            self.daemon.process.kill()
            self.daemon.start()
        self.send(flow_path("A.4.3"))
        self.compare("A.4.3", "ida", self.wait_for_items("LIID-IDA", len(expectations("A.4.3", "ida"))))


class SipStackTest(Ims):
    """sipp and Kamailio are what is intercepted."""

    def setUp(self):
        super().setUp()
        self.xid = str(uuid.uuid4())
        self.capture = sip_stack.Capture()
        self.stack = sip_stack.Stack(self, self.capture)

    def send_capture(self):
        path = self.capture.write(os.path.join(self.directory, "capture.pcap"))
        self.send("--xid", self.xid, "--target", "sip:ida@north.example", path)

    def test_messages_through_a_proxy(self):
        self.warrant("LIID-SIP", self.xid)
        self.daemon.start()
        self.stack.messages(25)
        self.send_capture()
        items = self.wait_for_items("LIID-SIP", 25)
        self.assertEqual(sorted(item.csp_text("text") for item in items),
                         sorted(f"Message {number} through a proxy" for number in range(1, 26)))
        self.assertTrue(all(item.targeted(item.sender) for item in items))

    def test_a_session_through_a_relay(self):
        self.warrant("LIID-MSRP", self.xid)
        self.daemon.start()
        said = self.stack.session()
        self.send_capture()
        items = self.wait_for_items("LIID-MSRP", len(said) + 2)
        self.assertEqual([item.csp_text("eventType") for item in items],
                         ["conversation_started", *("message" for _ in said), "conversation_ended"])
        self.assertEqual([(item.identifiers(item.sender)[0], item.csp_text("text")) for item in items[1:-1]], said)
        self.assertEqual(len({item.level for item in items}), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
