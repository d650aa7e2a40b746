#!/usr/bin/env python3
"""The demo of IMS messaging, once everything is built (scripts/demo ims): a test point of interception sends two flows to the
daemon's X2/X3 door, and an LEA gets what they became."""

import json
import os
import subprocess
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests"))

import demo_show  # noqa: E402
from demo_scene import Scene, say, show  # noqa: E402
from programs import SOURCE, Certificates, Daemon, LeaSim, Ports, program, wait_until  # noqa: E402

# Of each: the flow, what it shows, and Ida's task in it. Otto's tasks are under no warrant.
FLOWS = (("A.4.2", "A session of two users across two networks, and the first message in it (TS 24.247, figure A.4.2-1)"),
         ("A.5-conference", "A conference: made by a factory, with who joins, speaks, is named and leaves (clause A.5)"))


def tasks_of(flow):
    """The tasks that a flow names."""
    with open(path_of(flow), encoding="utf-8") as file:
        words = (line.split() for line in file if line.startswith("=== task "))
        return {name: xid for _, _, name, xid in words}


def path_of(flow):
    return os.path.join(SOURCE, "tests/flows", f"{flow}.flow")


class ImsDemo(Scene):
    def __init__(self):
        super().__init__()
        self.lea = LeaSim(self, "lea-one")
        self.port = Ports.take()

    def configure(self):
        say("Making test certificates and a test LEA")
        self.lea.start()
        daemon = self.daemon = Daemon(self, "lihandoverd")
        daemon.destination("lea-one", self.lea.port)
        daemon.configuration["intake"]["x2x3"] = [{
            "name": "as-1", "listen": f"127.0.0.1:{self.port}", "service": "ims",
            "tls": {"certificate": Certificates.path("intake.pem"), "private_key": Certificates.path("intake.key"),
                    "client_ca": Certificates.path("csp-ca.pem")}}]
        for number, (flow, _) in enumerate(FLOWS, 1):
            daemon.warrant(f"LIID-IMS-{number}", "lea-one", file=f"{flow}.yaml", xid=[tasks_of(flow)["ida"]])

    def ladder(self, flow):
        """Each message of the flow in a line: its step, its hop, what it is."""
        shown = subprocess.run([program("x2x3-send"), "--print-flow", path_of(flow)], check=True, capture_output=True,
                               text=True).stdout
        before = None
        for part in shown.split("\n=== "):
            head, first, *_ = part.removeprefix("=== ").split("\n")
            words = head.split()
            # A message that two tasks get is there twice.
            if words[0] != before:
                print(f"  {words[0]:>4} {words[3].replace('>', ' -> '):22} {first}")
            before = words[0]

    def send(self, flow):
        done = subprocess.run([program("x2x3-send"), "--to", f"127.0.0.1:{self.port}",
                               "--certificate", Certificates.path("source.pem"),
                               "--private-key", Certificates.path("source.key"), "--ca", Certificates.path("csp-ca.pem"),
                               "--point", "as-1.north.example", path_of(flow)],
                              check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"x2x3-send: {done.stderr}")
        said = json.loads(done.stdout)
        print(f"{said['pdus']} PDUs over mutual TLS, {said['acknowledged']} keepalive acknowledged", flush=True)

    def expected(self, flow):
        """How many events must come of it for Ida's task."""
        with open(path_of(flow).replace(".flow", ".expect"), encoding="utf-8") as file:
            return sum(json.loads(line)["task"] == "ida" for line in file if not line.startswith("#"))

    def show_flow(self, flow, what):
        say(what)
        self.ladder(flow)
        say(f"{flow} goes out as X2 and X3")
        self.send(flow)

    def show_documents(self):
        count = sum(self.expected(flow) for flow, _ in FLOWS)
        wait_until(lambda: len(self.lea.lines("delivery")) >= count and self.daemon.items() == [],
                   "everything is delivered")
        say(f"What {self.lea.name} received")
        demo_show.documents(self.lea.directory, self.lea.lines("delivery"))
        demo_show.expect(self.lea.directory, count)
        return count

    def show_metrics(self):
        say("What became of the PDUs")
        shown = ("lihandover_x2x3_", "lihandover_events_received_total")
        print("\n".join(line for line in self.daemon.metrics_text().splitlines()
                        if line.startswith(shown) and not line.endswith(" 0")))

    def run(self):
        self.configure()
        self.start_daemon()
        for flow, what in FLOWS:
            self.show_flow(flow, what)
        count = self.show_documents()
        self.show_metrics()
        say(f"Done: {count} documents, all valid, of Ida's tasks; of Otto's, which are under no warrant, nothing")


if __name__ == "__main__":
    sys.exit(show(ImsDemo))
