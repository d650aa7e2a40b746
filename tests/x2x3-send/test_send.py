#!/usr/bin/env python3
"""x2x3-send against a receiver that is made here: what arrives, keepalives, connections that end, how it ends."""

import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.dirname(HERE))

from programs import PATIENCE, Certificates, Ports, program, wait_until  # noqa: E402

XID = "00112233-4455-6677-8899-aabbccddeeff"
FLOW = f"""=== task ida {XID}
=== sip from-target UE1>AS1
MESSAGE sip:otto@south.example SIP/2.0
Call-ID: page-{{n}}
Content-Type: text/plain
Content-Length: (...)

hello
=== msrp to-target AS1>UE1
MSRP t{{n}} SEND
To-Path: msrp://a/1;tcp
From-Path: msrp://b/2;tcp
Message-ID: m{{n}}
Content-Type: text/plain

{{fill 3000}}
-------t{{n}}$
"""


class Pdu:
    """One PDU, taken apart."""

    def __init__(self, header, payload):
        self.version, self.type, _, _, self.format, self.direction = struct.unpack(">HHIIHH", header[:16])
        self.xid = header[16:32].hex()
        self.correlation = struct.unpack(">Q", header[32:40])[0]
        self.payload = payload
        self.attributes = {}
        at = 40
        while at < len(header):
            number, size = struct.unpack(">HH", header[at:at + 4])
            self.attributes[number] = header[at + 4:at + 4 + size]
            at += 4 + size


class Receiver:
    """Takes connections over mutual TLS, reads PDUs and acknowledges keepalives, as far as it is told to."""

    def __init__(self, acknowledges=True, wrong=False, closes_after=None):
        self.acknowledges, self.wrong, self.closes_after = acknowledges, wrong, closes_after
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(Certificates.path("intake.pem"), Certificates.path("intake.key"))
        self.context.load_verify_locations(Certificates.path("csp-ca.pem"))
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.connections = []  # of each: the PDUs, the sizes of reads, how it ended
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(plain,), daemon=True).start()

    def serve(self, plain):
        connection = {"pdus": [], "reads": [], "bytes": 0, "ended": None}
        with self.lock:
            number = len(self.connections)
            self.connections.append(connection)
        try:
            with self.context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False) as tls:
                self.read(tls, connection, self.closes_after if number == 0 else None)
                connection["ended"] = "closed"
        except OSError as error:
            connection["ended"] = str(error)

    def read(self, tls, connection, closes_after):
        buffer = b""
        while got := tls.recv(1 << 16):
            connection["reads"].append(len(got))
            connection["bytes"] += len(got)
            buffer += got
            while len(buffer) >= 40:
                header, payload = struct.unpack(">II", buffer[4:12])
                if len(buffer) < header + payload:
                    break
                pdu = Pdu(buffer[:header], buffer[header:header + payload])
                connection["pdus"].append(pdu)
                if pdu.type == 3 and self.acknowledges:
                    answer = bytearray(buffer[:header])
                    answer[3] = 4
                    answer[-1] ^= 1 if self.wrong else 0
                    tls.sendall(answer)
                buffer = buffer[header + payload:]
                if closes_after is not None and len(connection["pdus"]) >= closes_after:
                    return

    def pdus(self, *types):
        with self.lock:
            return [pdu for each in self.connections for pdu in each["pdus"] if pdu.type in (types or (1, 2))]

    def close(self):
        self.listener.close()


class SendTest(unittest.TestCase):
    def setUp(self):
        self.holder = tempfile.TemporaryDirectory(prefix="lihandover-send-")
        self.addCleanup(self.holder.cleanup)
        self.flow = os.path.join(self.holder.name, "test.flow")
        with open(self.flow, "w", encoding="utf-8") as file:
            file.write(FLOW)

    def receiver(self, **how):
        receiver = Receiver(**how)
        self.addCleanup(receiver.close)
        return receiver

    def send(self, receiver, *arguments, expect=0, files=None):
        ca = [] if "--ca" in arguments else ["--ca", Certificates.path("csp-ca.pem")]
        done = subprocess.run([program("x2x3-send"), "--to", f"127.0.0.1:{receiver.port}",
                               "--certificate", Certificates.path("source.pem"),
                               "--private-key", Certificates.path("source.key"), *ca, *arguments,
                               *(files or [self.flow])],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, expect, done.stderr)
        return json.loads(done.stdout) if done.stdout else None

    def test_all_arrives_and_the_last_keepalive_is_acknowledged(self):
        receiver = self.receiver()
        said = self.send(receiver, "--point", "as-1", "--matched", "sip:ida@north.example")
        self.assertEqual((said["outcome"], said["pdus"], said["keepalives"], said["acknowledged"]), ("done", 2, 1, 1))
        sip, msrp = receiver.pdus()
        self.assertEqual((sip.type, sip.format, sip.direction, sip.version), (1, 9, 3, 5))
        self.assertEqual((msrp.type, msrp.format, msrp.direction), (2, 13, 2))
        self.assertEqual(sip.xid, XID.replace("-", ""))
        self.assertTrue(sip.payload.endswith(b"Content-Length: 5\r\n\r\nhello"))
        self.assertIn(b"\r\nMessage-ID: m0000000001\r\n", msrp.payload)
        self.assertEqual((sip.attributes[7], sip.attributes[17]), (b"as-1", b"sip:ida@north.example"))
        self.assertEqual(len(sip.attributes[9]), 8)
        self.assertNotEqual(sip.correlation, msrp.correlation)
        wait_until(lambda: receiver.connections[0]["ended"] == "closed", "the connection ended in order")

    def test_repeats_with_numbers_over_several_connections(self):
        receiver = self.receiver()
        said = self.send(receiver, "--repeat", "50", "--connections", "3", "--kind", "sip", "--last-keepalives", "2")
        self.assertEqual((said["pdus"], said["acknowledged"]), (50, 6))
        pdus = receiver.pdus()
        self.assertEqual(sorted(pdu.payload.split(b"Call-ID: ")[1][:15] for pdu in pdus),
                         [f"page-{n:010}".encode() for n in range(1, 51)])
        self.assertEqual(len({pdu.correlation for pdu in pdus}), 50)
        self.assertEqual({pdu.attributes[8] for pdu in pdus}, {bytes(4)})
        self.assertEqual(len(receiver.connections), 3)
        self.assertTrue(all(len(each["pdus"]) > 10 for each in receiver.connections))

    def test_only_the_hops_asked_for(self):
        receiver = self.receiver()
        self.send(receiver, "--hop", "S-CSCF1")
        self.assertEqual(receiver.pdus(), [])
        self.send(receiver, "--hop", "AS1")
        self.assertEqual(len(receiver.pdus()), 2)

    def test_cuts_where_it_is_told(self):
        receiver = self.receiver()
        self.send(receiver, "--split", "10,11,1000", "--split-pause", "0.01")
        self.assertEqual(receiver.connections[0]["reads"][:3], [10, 1, 989])
        receiver = self.receiver()
        self.send(receiver, "--split", "every:7")
        self.assertLessEqual(max(receiver.connections[0]["reads"]), 7)
        for seed in range(5):
            receiver = self.receiver()
            self.send(receiver, "--split", f"random:{seed}", "--repeat", "20")
            self.assertEqual(len(receiver.pdus()), 40)

    def test_a_killed_connection_is_reset_after_so_many_bytes(self):
        receiver = self.receiver()
        said = self.send(receiver, "--kill-after", "1500")
        self.assertEqual((said["outcome"], said["bytes"]), ("killed", 1500))
        wait_until(lambda: receiver.connections[0]["ended"], "the connection ended")
        self.assertNotEqual(receiver.connections[0]["ended"], "closed")
        self.assertEqual(len(receiver.pdus()), 1)

    def test_all_is_sent_again_over_a_new_connection(self):
        receiver = self.receiver()
        said = self.send(receiver, "--kill-after", "1500", "--reconnect", "1", "--reconnect-pause", "0")
        self.assertEqual((said["outcome"], said["tries"], said["acknowledged"]), ("done", 2, 1))
        self.assertEqual(len(receiver.connections[1]["pdus"]), 3)
        receiver = self.receiver(closes_after=1)
        self.send(receiver, "--reconnect", "3", "--reconnect-pause", "0")
        self.assertEqual(len(receiver.connections), 2)

    def test_a_connection_that_the_receiver_ends_is_lost(self):
        said = self.send(self.receiver(closes_after=1), expect=4)
        self.assertEqual(said["outcome"], "lost")

    def test_keepalives_go_out_while_it_sends(self):
        receiver = self.receiver()
        said = self.send(receiver, "--repeat", "10", "--rate", "20", "--keepalive", "0.1")
        self.assertGreaterEqual(said["keepalives"], 4)
        self.assertEqual(said["keepalives"], said["acknowledged"])
        numbers = [struct.unpack(">I", pdu.attributes[8])[0] for pdu in receiver.pdus(3)]
        self.assertEqual(numbers, list(range(len(numbers))))

    def test_bare_keepalives(self):
        receiver = self.receiver()
        self.send(receiver, "--keepalive-form", "bare")
        self.assertEqual(receiver.pdus(3)[0].attributes, {})

    def test_a_keepalive_without_a_good_acknowledgement_fails(self):
        said = self.send(self.receiver(acknowledges=False), "--keepalive-timeout", "0.2", expect=3)
        self.assertEqual(said["outcome"], "unacknowledged")
        self.send(self.receiver(wrong=True), expect=3)

    def test_nobody_there_and_strangers(self):
        receiver = self.receiver()
        self.send(receiver, "--ca", Certificates.path("stranger-ca.pem"), expect=1)
        self.send(receiver, "--server-name", "other.example.com", expect=1)
        receiver.port = Ports.take()
        self.send(receiver, expect=1)

    def test_mistakes_are_usage(self):
        receiver = self.receiver()
        self.send(receiver, "--split", "sometimes", expect=2)
        with open(self.flow, "a", encoding="utf-8") as file:
            file.write("=== what\n")
        self.send(receiver, expect=2)

    def test_prints_and_writes_what_it_would_send(self):
        arguments = [program("x2x3-send"), self.flow, "--time", "2026-01-02T03:04:05Z"]
        shown = subprocess.run([*arguments, "--print"], check=True, capture_output=True, text=True).stdout
        self.assertIn("format 13, direction 2\nXID " + XID, shown)
        self.assertIn("\nCall-ID: page-0000000001\n", shown)
        written = os.path.join(self.holder.name, "pdus")
        subprocess.run([*arguments, "--write", written, "--repeat", "2"], check=True)
        with open(written, "rb") as file:
            self.assertEqual(file.read().count(bytes.fromhex(XID.replace("-", ""))), 4)
        again = os.path.join(self.holder.name, "again.flow")
        with open(again, "wb") as file:
            subprocess.run([*arguments, "--print-flow"], check=True, stdout=file)
        receiver = self.receiver()
        self.send(receiver, files=[again])
        self.assertEqual([len(pdu.payload) for pdu in receiver.pdus()][0], len(receiver.pdus()[0].payload))
        self.assertEqual(len(receiver.pdus()), 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
