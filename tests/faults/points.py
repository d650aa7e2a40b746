"""Points of interception as sources: messages over X2/X3, on connections that end anywhere.

A PDU has no answer, so nobody knows what was taken. A point therefore sends again what it has sent, after a connection has
ended, and all of it once more when the faults are over; each message must come through exactly once.
"""

import random
import socket
import struct
import threading
import time
import uuid

import harness
import load

X2, X3, KEEPALIVE, ACKNOWLEDGEMENT = 1, 2, 3, 4
SIP, MSRP = 9, 13
FROM_TARGET = 3
SEQUENCE, TIME, MATCHED = 8, 9, 17


def pdu(kind, format, xid, correlation, attributes, payload):
    """TS 103 221-2, 5."""
    tail = b"".join(struct.pack(">HH", number, len(value)) + value for number, value in attributes)
    return struct.pack(">BBHIIHH", 0, 5, kind, 40 + len(tail), len(payload), format, FROM_TARGET if payload else 0) + \
        xid.bytes + struct.pack(">Q", correlation) + tail + payload


def keepalive(number):
    return pdu(KEEPALIVE, 0, uuid.UUID(int=0), 0, [(SEQUENCE, struct.pack(">I", number))], b"")


class Point(threading.Thread):
    """One point of interception, as a source of an episode (load.Source)."""

    MOST = 400  # messages, since each may be sent again and again

    def __init__(self, episode, number, seed):
        super().__init__(daemon=True)
        self.episode = episode
        self.ledger = episode.ledger
        self.number = number
        self.chance = random.Random(seed)
        self.quiet = threading.Event()  # makes nothing new from now on
        self.abandon = threading.Event()
        self.failure = None
        self.connection = None
        self.keepalives = 0
        self.sequences = {}
        self.messages = 0
        self.sent = []  # all PDUs so far, in order
        self.events = []

    def run(self):
        try:
            while not self.quiet.is_set():
                self.step()
                time.sleep(self.chance.uniform(0, 4 * self.episode.plan["pace"]))
            self.all_once_more()
        except Exception as error:  # shown with the episode
            self.failure = error
        finally:
            self.drop()

    def drop(self, reset=False):
        if self.connection is None:
            return
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.connection = None
        self.keepalives = 0

    # What it sends

    def some_task(self):
        """A task and the warrants that it feeds; or one that feeds none."""
        tasks = self.episode.plan["tasks"]
        if not tasks or self.chance.random() < 0.3:
            return uuid.UUID(int=self.chance.getrandbits(128)), []
        xid = self.chance.choice(sorted(tasks))
        return uuid.UUID(xid), [(key, True) for key in tasks[xid]]

    def encode(self, kind, format, xid, correlation, payload):
        context = kind, xid, correlation
        number = self.sequences.get(context, 0)
        self.sequences[context] = number + 1
        now = time.time()
        attributes = [(SEQUENCE, struct.pack(">I", number)), (TIME, struct.pack(">II", int(now), int(now % 1 * 1e9))),
                      (MATCHED, f"sip:{self.marker(xid)}-me@x.example".encode())]
        return pdu(kind, format, xid, correlation, attributes, payload)

    def marker(self, xid):
        return self.episode.plan["matched" if str(xid) in self.episode.plan["tasks"] else "unmatched"]

    def new_message(self):
        """The PDUs of a message: one of SIP, or a few chunks of MSRP."""
        xid, matching = self.some_task()
        marker, self.messages = self.marker(xid), self.messages + 1
        name = f"{marker}-{uuid.UUID(int=self.chance.getrandbits(128))}"
        text = f"{name} point {self.number} " + "x" * self.chance.choice([0, 10, 300, 20000])
        event = load.Event("point", {"event_id": name, "parameters": {"told": "0"}}, matching, text, [])
        self.ledger.add(event)
        self.events.append(event)
        correlation = self.messages
        if self.chance.random() < 0.5:
            return [self.encode(X2, SIP, xid, correlation, self.page(name, marker, text))]
        chunks = self.chunks(name, marker, text)
        if self.chance.random() < 0.3:
            self.chance.shuffle(chunks)
        return [self.encode(X3, MSRP, xid, correlation, chunk) for chunk in chunks]

    @staticmethod
    def page(name, marker, text):
        return (f"MESSAGE sip:{marker}-peer@x.example SIP/2.0\r\nVia: SIP/2.0/UDP x.example;branch=z9hG4bK{name}\r\n"
                f"From: <sip:{marker}-me@x.example>;tag={name}\r\nTo: <sip:{marker}-peer@x.example>\r\n"
                f"Call-ID: {name}\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\n"
                f"Content-Length: {len(text)}\r\n\r\n{text}").encode()

    def chunks(self, name, marker, text):
        size = max(1, len(text) // self.chance.randint(1, 6) + 1)
        made = []
        for begin in range(0, len(text), size):
            piece, id = text[begin:begin + size], f"t{self.messages}.{len(made)}"
            flag = "$" if begin + size >= len(text) else "+"
            made.append((f"MSRP {id} SEND\r\nTo-Path: msrp://x.example:2855/{marker}-peer{self.number};tcp\r\n"
                         f"From-Path: msrp://x.example:2855/{marker}-me{self.number};tcp\r\n"
                         f"Message-ID: {name[-24:]}\r\n"
                         f"Byte-Range: {begin + 1}-{begin + len(piece)}/{len(text)}\r\nContent-Type: text/plain\r\n\r\n"
                         f"{piece}\r\n-------{id}{flag}\r\n").encode())
        return made

    # How

    def step(self):
        if len(self.events) >= self.MOST:
            return
        fresh = [each for _ in range(self.chance.randint(1, 8)) for each in self.new_message()]
        again = []
        if self.connection is None and self.sent:
            # What was on its way when the connection ended, and perhaps all before it.
            again = self.sent[-self.chance.choice([5, 50, len(self.sent)]):]
        self.sent += fresh
        begun = time.monotonic()
        stream = b"".join(again + fresh)
        cut = self.chance.randrange(len(stream) + 1) if self.chance.random() < 0.3 else None
        self.write(stream if cut is None else stream[:cut])
        if cut is not None:
            self.ledger.count("connections cut")
            self.drop(reset=self.chance.random() < 0.5)
        elif self.chance.random() < 0.3:
            self.ask()
        for event in self.events[-8:]:
            event.attempts.append((begun, time.monotonic()))

    def connect(self):
        if self.connection is None:
            plain = socket.create_connection(("127.0.0.1", self.episode.point_port), timeout=self.episode.patience(6))
            try:
                self.connection = harness.client_context("source").wrap_socket(plain, server_hostname="127.0.0.1")
            except BaseException:
                plain.close()
                raise

    def write(self, stream):
        """Whether all of it was taken by the connection; a slow store makes that last."""
        try:
            self.connect()
            self.connection.settimeout(self.episode.patience(20))
            self.connection.sendall(stream)
            return True
        except OSError:
            self.drop()
            return False

    def ask(self):
        """A keepalive: all before it was read, once it is acknowledged. Whether it was."""
        if not self.write(keepalive(self.keepalives)):
            return False
        number, self.keepalives = self.keepalives, self.keepalives + 1
        try:
            answer = b""
            while len(answer) < 48:
                got = self.connection.recv(48 - len(answer))
                if not got:
                    raise ConnectionError("closed")
                answer += got
        except OSError:
            self.ledger.count("keepalives unanswered")
            self.drop()
            return False
        kind, told = struct.unpack(">H", answer[2:4])[0], struct.unpack(">I", answer[44:48])[0]
        if (kind, told) != (ACKNOWLEDGEMENT, number):
            self.ledger.breach(11, f"an acknowledgement of keepalive {number}", answer.hex())
        return True

    def durable(self):
        """An acknowledgement says that all before it was read. That it is on the disk only the daemon can say."""
        def nothing_waits():
            return self.abandon.is_set() or self.episode.daemon.metric("lihandover_x2x3_waiting_bytes", source="points") == 0
        try:
            harness.wait_until(nothing_waits, "what was read is durable", self.episode.patience(20))
        except (AssertionError, OSError):
            self.ledger.count("points whose PDUs waited long")
            return False
        return not self.abandon.is_set()

    def all_once_more(self):
        """The faults are over. What is durable now stays."""
        while not self.abandon.is_set():
            begun = time.monotonic()
            if self.write(b"".join(self.sent)) and self.ask() and self.durable():
                over = time.monotonic()
                for event in self.events:
                    event.attempts.append((begun, over))
                    event.answer, event.answered_by = "accepted", (begun, over)
                self.ledger.count("messages of points", len(self.events))
                return
            time.sleep(self.chance.uniform(0.05, 0.2))
