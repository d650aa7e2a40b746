"""A SIP stack that nobody here wrote, as what is intercepted: sipp at both ends, Kamailio between them as a proxy and as an
MSRP relay. Kamailio copies the signalling (siptrace) to a collector here, MSRP is recorded by the clients that speak it;
both become a capture file. No privileges are needed."""

import os
import socket
import struct
import subprocess
import threading
import time

from fronts import program
from harness import HERE, PATIENCE, Ports, Process, wait_until

SCENARIOS = os.path.join(HERE, "sip")


class Capture:
    """Packets of UDP and TCP over IPv4, written as pcap (raw IP)."""

    RAW_IP = 101
    UDP, TCP = 17, 6

    def __init__(self):
        self.lock = threading.Lock()
        self.packets = []
        self.sequences = {}

    def add(self, protocol, source, destination, payload, at=None):
        """An endpoint is an address and a port."""
        with self.lock:
            if protocol == self.UDP:
                head = struct.pack(">HHHH", source[1], destination[1], 8 + len(payload), 0)
                self.add_packet(protocol, source, destination, head + payload, at)
                return
            # As segments go over Ethernet.
            for begin in range(0, len(payload), 1400):
                piece = payload[begin:begin + 1400]
                sequence = self.sequences.get((source, destination), 1)
                self.sequences[source, destination] = (sequence + len(piece)) & 0xffffffff
                head = struct.pack(">HHIIBBHHH", source[1], destination[1], sequence, 0, 0x50, 0x18, 65535, 0, 0)
                self.add_packet(protocol, source, destination, head + piece, at)

    def add_packet(self, protocol, source, destination, transport, at):
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(transport), len(self.packets) & 0xffff, 0, 64, protocol, 0,
                         socket.inet_aton(source[0]), socket.inet_aton(destination[0]))
        self.packets.append((time.time() if at is None else at, ip + transport))

    def write(self, path):
        with self.lock, open(path, "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 1 << 18, self.RAW_IP))
            for at, packet in sorted(self.packets, key=lambda each: each[0]):
                seconds = int(at)
                file.write(struct.pack("<IIII", seconds, int((at - seconds) * 1e6), len(packet), len(packet)) + packet)
        return path


class Collector:
    """Takes the copies of siptrace, in HEP 3, into a capture."""

    def __init__(self, capture):
        self.capture = capture
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.taken = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            packet = self.socket.recv(1 << 16)
            if packet == b"end":
                return
            self.take(packet)

    def take(self, packet):
        (size,) = struct.unpack(">H", packet[4:6])
        chunks, at = {}, 6
        while at + 6 <= size:
            _, kind, length = struct.unpack(">HHH", packet[at:at + 6])
            chunks[kind] = packet[at + 6:at + length]
            at += length
        ends = [(socket.inet_ntoa(chunks[address]), struct.unpack(">H", chunks[port])[0])
                for address, port in ((3, 7), (4, 8))]
        seconds, microseconds = (struct.unpack(">I", chunks[kind])[0] for kind in (9, 10))
        self.capture.add(Capture.UDP, *ends, chunks[15], seconds + microseconds / 1e6)
        self.taken.append(chunks[15])

    def wait_for(self, text, times):
        wait_until(lambda: sum(text in each for each in list(self.taken)) >= times, f"{times} copies of {text}")

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.sendto(b"end", ("127.0.0.1", self.port))
        self.thread.join()
        self.socket.close()


class Kamailio:
    """A Kamailio with the configuration beside this file, and a collector of what it sees."""

    def __init__(self, test, capture):
        self.collector = Collector(capture)
        test.addCleanup(self.collector.close)
        self.sip_port, self.called_port, self.calling_port, self.msrp_port = (Ports.take() for _ in range(4))
        with open(os.path.join(SCENARIOS, "kamailio.cfg"), encoding="utf-8") as file:
            text = file.read()
        for name, port in (("SIP_PORT", self.sip_port), ("CALLED_PORT", self.called_port),
                           ("HEP_PORT", self.collector.port), ("MSRP_PORT", self.msrp_port)):
            text = text.replace(name, str(port))
        directory = os.path.join(test.directory, "kamailio")
        os.mkdir(directory)
        path = os.path.join(directory, "kamailio.cfg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.process = Process("kamailio", [program("kamailio"), "-f", path, "-DD", "-E", "-m", "16", "-M", "4",
                                            "-w", directory, "-Y", directory], test.directory)
        test.processes.append(self.process)
        wait_until(self.answers, "Kamailio is up")

    def answers(self):
        """The relay's port takes connections once the processes behind it are there; the proxy's is bound before."""
        if not self.process.running():
            raise AssertionError("Kamailio ended instead of starting")
        try:
            MsrpClient(self, None, "probe").close()
            return True
        except OSError:
            return False


class Sipp:
    """Runs scenarios of sipp."""

    def __init__(self, test, kamailio):
        self.test, self.kamailio = test, kamailio

    def arguments(self, scenario, port, calls, more):
        return [program("sipp"), "-sf", os.path.join(SCENARIOS, scenario), "-i", "127.0.0.1", "-p", str(port), "-m",
                str(calls), "-nostdin", "-timeout", f"{PATIENCE:.0f}s", "-timeout_error", *map(str, more)]

    def called(self, scenario, *more, calls=1):
        """In the background: who is called."""
        process = Process("sipp-called", self.arguments(scenario, self.kamailio.called_port, calls, more),
                          self.test.directory, {**os.environ, "TERM": "dumb"})
        self.test.processes.append(process)
        wait_until(lambda: port_is_bound(self.kamailio.called_port), "the called side is up")
        return process

    def calling(self, scenario, *more, calls=1):
        """To its end: who calls."""
        done = subprocess.run([*self.arguments(scenario, self.kamailio.calling_port, calls, more),
                               f"127.0.0.1:{self.kamailio.sip_port}"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
                              cwd=self.test.directory, env={**os.environ, "TERM": "dumb"})
        if done.returncode != 0:
            raise AssertionError(f"{scenario}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr}")


def port_is_bound(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
            return False
        except OSError:
            return True


class MsrpClient:
    """A user of MSRP behind the relay. What it sends and gets is recorded, where a capture is given."""

    def __init__(self, kamailio, capture, name):
        self.capture, self.name = capture, name
        self.relay = ("127.0.0.1", kamailio.msrp_port)
        self.socket = socket.create_connection(self.relay, timeout=PATIENCE)
        self.own = self.socket.getsockname()
        self.uri = f"msrp://127.0.0.1:{self.own[1]}/{name};tcp"
        self.buffer = b""
        self.count = 0
        self.relay_uri = None

    def close(self):
        self.socket.close()

    def send(self, frame):
        bytes = frame.encode() if isinstance(frame, str) else frame
        if self.capture:
            self.capture.add(Capture.TCP, self.own, self.relay, bytes)
        self.socket.sendall(bytes)

    def receive(self):
        """The next frame."""
        while True:
            line = self.buffer.split(b"\r\n", 1)[0].split(b" ")
            if len(line) > 1 and b"\r\n" in self.buffer:
                end = [at for flag in (b"$", b"+", b"#")
                       if (at := self.buffer.find(b"\r\n-------" + line[1] + flag + b"\r\n")) >= 0]
                if end:
                    size = min(end) + len(b"\r\n-------" + line[1] + b"$\r\n")
                    frame, self.buffer = self.buffer[:size], self.buffer[size:]
                    return frame
            got = self.socket.recv(1 << 16)
            if not got:
                raise AssertionError("the relay closed the connection")
            if self.capture:
                self.capture.add(Capture.TCP, self.relay, self.own, got)
            self.buffer += got

    def transaction(self):
        self.count += 1
        return f"{self.name}{self.count:05}"

    def authorise(self):
        """AUTH: the relay gives out the URI that others reach this client by (RFC 4976)."""
        id = self.transaction()
        self.send(f"MSRP {id} AUTH\r\nTo-Path: msrp://127.0.0.1:{self.relay[1]};tcp\r\nFrom-Path: {self.uri}\r\n"
                  f"-------{id}$\r\n")
        answer = self.receive().decode()
        self.relay_uri = next(line[10:] for line in answer.split("\r\n") if line.startswith("Use-Path: "))
        return f"{self.relay_uri} {self.uri}"

    def say(self, other, text, chunk=None, message_id=None):
        """A message to the other client, whole or in chunks; ends once the other has all of it."""
        body = text.encode()
        message_id = message_id or f"{self.name}-message-{self.count}"
        size = chunk or len(body)
        for begin in range(0, len(body), size):
            piece, id = body[begin:begin + size], self.transaction()
            last = begin + size >= len(body)
            head = (f"MSRP {id} SEND\r\nTo-Path: {self.relay_uri} {other.relay_uri} {other.uri}\r\nFrom-Path: {self.uri}\r\n"
                    f"Message-ID: {message_id}\r\nByte-Range: {begin + 1}-{begin + len(piece)}/{len(body)}\r\n"
                    f"Content-Type: text/plain\r\n\r\n")
            self.send(head.encode() + piece + f"\r\n-------{id}{'$' if last else '+'}\r\n".encode())
            if b" 200" not in self.receive().split(b"\r\n", 1)[0]:
                raise AssertionError("the relay does not take it")
            other.acknowledge()

    def acknowledge(self):
        frame = self.receive().decode()
        lines = frame.split("\r\n")
        id = lines[0].split(" ")[1]
        path = next(line[11:] for line in lines if line.startswith("From-Path: ")).split(" ")[0]
        self.send(f"MSRP {id} 200 OK\r\nTo-Path: {path}\r\nFrom-Path: {self.uri}\r\n-------{id}$\r\n")


class Stack:
    """What is intercepted: messages, and a session, of Ida (the target) and Otto."""

    STORY = "A story of nine hundred words, told to somebody who has all evening. " * 90

    def __init__(self, test, capture):
        self.test, self.capture = test, capture
        self.kamailio = Kamailio(test, capture)
        self.sipp = Sipp(test, self.kamailio)

    def messages(self, count):
        """So many MESSAGEs from Ida to Otto."""
        called = self.sipp.called("answer-message.xml", calls=count)
        self.sipp.calling("send-message.xml", "-r", 100, calls=count)
        self.test.assertEqual(called.wait(), 0)
        self.kamailio.collector.wait_for(b"SIP/2.0 200", 2 * count)

    def session(self):
        """A session with a few messages, from INVITE to BYE: who said what."""
        ida, otto = (MsrpClient(self.kamailio, self.capture, name) for name in ("ida", "otto"))
        self.test.addCleanup(ida.close)
        self.test.addCleanup(otto.close)
        paths = {"offered_path": ida.authorise(), "answered_path": otto.authorise()}
        called = self.sipp.called("answer-session.xml", "-key", "answered_path", paths["answered_path"])
        self.sipp.calling("invite.xml", "-cid_str", "session-1", "-key", "offered_path", paths["offered_path"])
        self.kamailio.collector.wait_for(b"ACK ", 2)
        ida.say(otto, "Is the relay up?")
        otto.say(ida, "It is.")
        ida.say(otto, self.STORY, chunk=700)
        self.sipp.calling("bye.xml", "-cid_str", "session-1", "-key", "contact",
                          f"127.0.0.1:{self.kamailio.called_port}", "-key", "proxy", f"127.0.0.1:{self.kamailio.sip_port}")
        self.test.assertEqual(called.wait(), 0)
        self.kamailio.collector.wait_for(b"CSeq: 2 BYE", 4)
        return [("sip:ida@north.example", "Is the relay up?"), ("sip:otto@south.example", "It is."),
                ("sip:ida@north.example", self.STORY)]
