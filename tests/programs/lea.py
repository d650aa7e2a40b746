"""A running lea-sim."""

import json
import os

from programs.process import SCHEMAS, Answer, Certificates, Process, UnixConnection, program, wait_until


class LeaSim:
    """A test LEA. With port 0 it takes a free one and keeps it over restarts."""

    def __init__(self, owner, name="lea", certificate="lea", client_ca="lea-ca", port=0, lea_sim=None):
        self.owner = owner
        self.name = name
        self.certificate = certificate
        self.client_ca = client_ca
        self.port = port
        self.lea_sim = lea_sim or program("lea-sim")
        self.directory = os.path.join(owner.directory, name)
        self.control = os.path.join(owner.directory, f"{name}.sock")
        self.process = None
        self.outputs = []  # [path, bytes read] of each start

    def start(self, *options, keep=True):
        """With `keep` it stores what it receives in its directory and checks it against schemas/. Otherwise it keeps
        nothing, unless the options name an output."""
        kept = ["--output", self.directory, "--validate", SCHEMAS] if keep else []
        if not keep and "--output" not in options:
            kept = ["--discard"]
        arguments = [self.lea_sim, "--listen", f"127.0.0.1:{self.port}",
                     "--certificate", Certificates.path(f"{self.certificate}.pem"),
                     "--private-key", Certificates.path(f"{self.certificate}.key"),
                     "--client-ca", Certificates.path(f"{self.client_ca}.pem"), "--control", "unix:" + self.control, *kept,
                     *map(str, options)]
        self.process = Process(self.name, arguments, self.owner.directory)
        self.owner.processes.append(self.process)
        self.outputs.append([self.process.out_path, 0])
        wait_until(self.listening, "lea-sim listens")

    def listening(self):
        if not self.process.running():
            raise AssertionError(f"lea-sim ended with {self.process.popen.returncode}: {self.process.log()}")
        first, whole, _ = self.process.out().partition("\n")
        if whole:
            self.port = json.loads(first)["port"]
        return bool(whole)

    def obey(self, *rules):
        """Sets rules of lea-sim, as its README describes them."""
        self.ask("POST", "/behaviour", json.dumps({"rules": rules}))

    def totals(self):
        return self.ask("GET", "/totals")

    def accepted(self):
        return self.totals()["accepted"]

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

    def lines(self, event=None):
        """All complete lines that it wrote, in order; those of one kind."""
        found = []
        for path, _ in self.outputs:
            with open(path, "rb") as file:
                text = file.read()
            found += map(json.loads, text[:text.rfind(b"\n") + 1].splitlines())
        return found if event is None else [line for line in found if line["event"] == event]
