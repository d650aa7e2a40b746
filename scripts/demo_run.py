#!/usr/bin/env python3
"""The demo itself, once everything is built (scripts/demo): starts two LEAs and a daemon, sends events, shows what came
out."""

import datetime
import filecmp
import hashlib
import json
import os
import subprocess
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests"))

import demo_show  # noqa: E402
from demo_scene import Scene, say, show  # noqa: E402
from programs import Certificates, Daemon, LeaSim, Ports, wait_until  # noqa: E402

# What those write, and who they are, of whom no trace may be found. No word that a program might say by itself.
LUNCH, GUEST = "confidential-lunch-plans", "u-guest-at-lunch"


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def event(event_id, sender, receiver, text=None, conversation=None, event_type="message", **more):
    """An event as a service writes it; a party is its identifiers."""
    written = {"event_id": event_id, "service": "examplechat", "event_type": event_type, "timestamp": now(),
               "sender": {"identifiers": [{"type": kind, "value": value} for kind, value in sender.items()]},
               "receivers": [{"identifiers": [{"type": kind, "value": value} for kind, value in receiver.items()]}]}
    if text is not None:
        written["content"] = {"type": "text/plain", "text": text}
    if conversation is not None:
        written["conversation"] = {"id": conversation, "kind": "direct"}
    return {**written, **more}


ALICE = {"user_id": "u-alice"}
BOB = {"user_id": "u-bob", "email": "bob@EXAMPLE.com"}
CAROL = {"user_id": "u-carol"}


class Demo(Scene):
    def __init__(self):
        super().__init__()
        self.spool = os.path.join(self.directory, "spool")
        os.mkdir(self.spool)
        self.photograph = self.random_file(os.path.join(self.directory, "roof.jpg"), 3_000_000)
        self.video = self.random_file(os.path.join(self.spool, "party.mp4"), 200_000_000)
        self.lea_one = LeaSim(self, "lea-one")
        self.lea_two = LeaSim(self, "lea-two", "lea-two", "lea-two-ca")
        self.object_port = Ports.take()
        self.daemon = None

    @staticmethod
    def random_file(path, size):
        with open(path, "wb") as file:
            for begun in range(0, size, 1_000_000):
                file.write(os.urandom(min(1_000_000, size - begun)))
        return path

    # The scene

    def start_leas(self):
        say("Making test certificates and two test LEAs")
        self.lea_one.start()
        self.lea_two.start()

    def configure(self):
        daemon = self.daemon = Daemon(self, "lihandoverd")
        fetcher = subprocess.run(["openssl", "x509", "-in", Certificates.path("lea-two-fetch.pem"), "-outform", "DER"],
                                 check=True, capture_output=True).stdout
        daemon.destination("lea-one", self.lea_one.port,
                           sender={"country_code": "XX", "unique_identifier": "GIVEN-BY-LEA-ONE"},
                           receiver={"country_code": "GB", "unique_identifier": "Not specified"},
                           binary={"model": "B", "url_template":
                                   f"https://127.0.0.1:{self.lea_one.port}/binaryData/{{object_identifier}}/"})
        daemon.destination("lea-two", self.lea_two.port, certificate="csp-two", ca="lea-two-ca",
                           binary={"model": "A", "client_certificates": [hashlib.sha256(fetcher).hexdigest()]})
        daemon.configuration["intake"].update(metadata_parameters=["status", "device_id"], attachment_root=self.spool)
        daemon.configuration["objectserver"] = {
            "listen": f"127.0.0.1:{self.object_port}", "public_url": f"https://localhost:{self.object_port}/objects/",
            "tls": {"certificate": Certificates.path("objects.pem"), "private_key": Certificates.path("objects.key"),
                    "client_ca": Certificates.path("leas-ca.pem")}}
        daemon.warrant("LIID-0001", "lea-one", ("user_id", "u-alice"), ("msisdn", "447700900123"), file="alice.yaml",
                       deliver=["metadata", "content", "binary", "location"], reference="W-2026-117")
        daemon.warrant("LIID-0001", "lea-two", ("email", "bob@example.com"), file="bob.yaml",
                       deliver=["metadata", "binary"])

    # What goes in

    def post(self, what, *events):
        print(f"{what}:")
        answer = self.daemon.post(events[0]) if len(events) == 1 else self.daemon.post_many(events)
        print(f"{answer.body.decode().rstrip()} (HTTP {answer.status})", flush=True)

    def hand_in(self):
        say("Events go in")
        self.post("Alice, under the warrant of lea-one, writes to Carol",
                  event("demo-1", {**ALICE, "msisdn": "+44 7700 900123"}, CAROL, "See you at eight, same place", "c-77",
                        parameters={"status": "delivered", "device_id": "d-9", "client": "android 15"}))
        self.post("Alice writes to Bob, who is under a warrant of lea-two (that one orders metadata and binary objects)",
                  event("demo-2", ALICE, BOB, "Bring the plans", "c-78"))
        self.post("Alice sends hostile text, which XML cannot carry as it is",
                  event("demo-3", ALICE, CAROL, "]]></text><!-- \0\a \ud83d alone, and \U0001F600 -->", "c-77"))
        self.hand_in_objects()
        crowd = [event(f"{GUEST}-event-{n}", {"user_id": f"{GUEST}-{n}"}, {"user_id": f"{GUEST}-0"}, f"{LUNCH} {n}")
                 for n in range(1, 201)]
        crowd.insert(100, event("demo-4", CAROL, ALICE, event_type="message_read", conversation="c-77",
                                refers_to="demo-1"))
        self.post("A batch of 200 between people under no warrant, and a receipt for Alice in the middle of it", *crowd)
        self.post("And one with a member that nobody knows, which is refused by name",
                  event("demo-5", {"user_id": f"{GUEST}-1"}, CAROL, colour="blue"))

    def hand_in_objects(self):
        print("Alice uploads a photograph, and sends it to Carol:")
        with open(self.photograph, "rb") as file:
            bytes = file.read()
        print(f"PUT (HTTP {self.daemon.put('roof-4711', bytes).status})")
        self.post("The message that names it",
                  event("demo-6", ALICE, CAROL, "From the roof", "c-77", attachments=[
                      {"id": "photo", "object": "roof-4711", "content_type": "image/jpeg", "filename": "roof.jpg",
                       "sha256": hashlib.sha256(bytes).hexdigest()}]))
        self.post("Bob sends Dave a video of 200 MB, which lies in the service's spool directory",
                  event("demo-7", {"email": "bob@example.com"}, {"user_id": "u-dave"}, conversation="c-79", attachments=[
                      {"id": "video", "file": "party.mp4", "content_type": "video/mp4", "filename": "party.mp4"}]))

    # What comes out

    def show_documents(self):
        wait_until(lambda: self.daemon.items() == [], "everything is delivered")
        wait_until(lambda: any(line["outcome"] == "stored" for line in self.lea_one.lines("object")),
                   "the photograph is pushed")
        for lea, count in ((self.lea_one, 5), (self.lea_two, 2)):
            say(f"What {lea.name} received")
            demo_show.documents(lea.directory, lea.lines("delivery"))
            demo_show.expect(lea.directory, count)

    def show_objects(self):
        say("Binary objects")
        pushed = self.lea_one.lines("object")
        if not filecmp.cmp(os.path.join(self.lea_one.directory, pushed[-1]["file"]), self.photograph, shallow=False):
            raise AssertionError("the photograph did not arrive as it was sent")
        print("Model B: the photograph was pushed to lea-one after its item, whole:")
        print(json.dumps(pushed[-1]))
        print("Model A: lea-two fetches the video with its certificate:", flush=True)
        fetched = os.path.join(self.directory, "fetched.mp4")
        self.fetch("lea-two-fetch", "-o", fetched, "-w",
                   "  HTTP %{http_code}, %{size_download} bytes of %{content_type} at %{speed_download} bytes/s\n")
        if not filecmp.cmp(fetched, self.video, shallow=False):
            raise AssertionError("the video did not arrive as it was sent")
        print("  a part of it:", flush=True)
        self.fetch("lea-two-fetch", "-r", "1000000-1000099", "-o", "/dev/null", "-w",
                   "  HTTP %{http_code}, %{size_download} bytes\n")
        print("  lea-one asks for it with its own certificate, and learns nothing:", flush=True)
        self.fetch("lea-fetch", "-o", "/dev/null", "-w", "  HTTP %{http_code}\n")

    def fetch(self, certificate, *options):
        subprocess.run(["curl", "-sS", "--cacert", Certificates.path("csp-ca.pem"),
                        "--cert", Certificates.path(f"{certificate}.pem"), "--key", Certificates.path(f"{certificate}.key"),
                        *options, demo_show.urls(self.lea_two.directory)], check=True)

    def show_traces(self):
        say("What the 200 others left behind: state, logs, metrics")
        metrics = self.daemon.metrics_text()
        searched = [os.path.join(place, name) for top in (self.daemon.state, self.lea_one.directory, self.lea_two.directory)
                    for place, _, names in os.walk(top) for name in names]
        texts = {"the metrics": metrics.encode(), "the logs": self.daemon.logs().encode()}
        for path in searched:
            with open(path, "rb") as file:
                texts[path] = file.read()
        for name, text in texts.items():
            if GUEST.encode() in text or LUNCH.encode() in text:
                raise AssertionError(f"{name}: a trace of an event under no warrant")
        print(f"nothing ({len(searched)} files of the state directory and the LEAs, logs and metrics were searched)")
        shown = ("lihandover_events_received_total", "lihandover_events_rejected_total", "lihandover_outbox_items")
        print("\n".join(line for line in metrics.splitlines() if line.startswith(shown) and not line.endswith(" 0")))

    def show_operator(self):
        for command in (("status",), ("items", "--state", "delivered")):
            say(f"lihandoverctl {' '.join(command)}")
            print(self.daemon.ctl(*command), end="", flush=True)

    def run(self):
        self.start_leas()
        self.configure()
        self.start_daemon()
        self.hand_in()
        self.show_documents()
        self.show_objects()
        self.show_traces()
        self.show_operator()
        say("Done: 7 documents, all valid; a photograph and a video; 200 events without a trace")


if __name__ == "__main__":
    sys.exit(show(Demo))
