"""front.py does what it says, between a client and a lea-sim."""

import gzip
import os
import socket
import ssl
import sys
import unittest
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from fronts import Front  # noqa: E402
from harness import Certificates, Lea, SystemTest, wait_until  # noqa: E402

REQUEST = """<?xml version="1.0"?><HI1Message xmlns="http://uri.etsi.org/03120/common/2019/10/Core"><Header>
<SenderIdentifier><CountryCode>XX</CountryCode><UniqueIdentifier>CSP</UniqueIdentifier></SenderIdentifier>
<ReceiverIdentifier><CountryCode>GB</CountryCode><UniqueIdentifier>LEA</UniqueIdentifier></ReceiverIdentifier>
<TransactionIdentifier>{transaction}</TransactionIdentifier><Timestamp>2026-11-22T10:15:30.123456Z</Timestamp><Version>
<ETSIVersion>V1.14.1</ETSIVersion><NationalProfileOwner>N/A</NationalProfileOwner>
<NationalProfileVersion>N/A</NationalProfileVersion></Version></Header><Payload><RequestPayload><ActionRequests>
<ActionRequest><ActionIdentifier>0</ActionIdentifier><GET><Identifier>{transaction}</Identifier></GET></ActionRequest>
</ActionRequests></RequestPayload></Payload></HI1Message>"""


class FrontTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.lea.start()

    def connect(self, port):
        """A connection whose bytes are examined as they come."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(Certificates.path("lea-ca.pem"))
        context.load_cert_chain(Certificates.path("csp.pem"), Certificates.path("csp.key"))
        plain = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.addCleanup(plain.close)
        connection = context.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False)
        self.addCleanup(connection.close)
        return connection

    def connect_once_free(self, port):
        """The same, once the front has forgotten those that it has just reset."""
        made = []

        def connects():
            try:
                made.append(self.connect(port))
            except ConnectionResetError:
                return False
            return True
        wait_until(connects, "a connection is taken")
        return made[0]

    def ask(self, connection, body=None, path="/hi", **fields):
        body = (body or REQUEST.format(transaction=uuid.uuid4())).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: lea\r\nContent-Length: {len(body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        connection.sendall(head.encode() + b"\r\n" + ("Expect" not in fields) * body)
        return body

    def read_answer(self, connection):
        text = b""
        while b"\r\n\r\n" not in text:
            text += connection.recv(1)
        head = text.decode()
        length = next(int(line.split(":")[1]) for line in head.lower().splitlines() if line.startswith("content-length"))
        body = b""
        while len(body) < length:
            body += connection.recv(length - len(body))
        return head, body

    def test_layer_four_fails_handshakes(self):
        front = Front(self, self.lea)
        self.assertIn("200", self.exchange(front)[0])
        for mode, failure in (("close", (ssl.SSLError, ConnectionError)), ("reset", ConnectionResetError)):
            front.behave(mode)
            with self.assertRaises(failure, msg=mode):
                self.connect(front.port)
        front.behave("refuse")
        with self.assertRaises(ConnectionRefusedError):
            self.connect(front.port)
        front.behave("cap", connections=1)
        first = self.connect_once_free(front.port)
        with self.assertRaises(ConnectionResetError):
            self.connect(front.port)
        self.ask(first)
        self.assertIn("200", self.read_answer(first)[0])
        front.behave("pass")
        self.assertIn("200", self.exchange(front)[0])
        front = Front(self, self.lea, tls=True)
        front.behave("cap_late", connections=1)
        first = self.connect(front.port)
        self.ask(first)
        self.assertIn("200", self.read_answer(first)[0])
        second = self.connect(front.port)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.ask(second)
            second.recv(1)

    def exchange(self, front):
        connection = self.connect(front.port)
        self.ask(connection)
        return self.read_answer(connection)

    def test_a_hanging_handshake_gets_nothing(self):
        front = Front(self, self.lea)
        front.behave("hang")
        with socket.create_connection(("127.0.0.1", front.port), timeout=0.2) as plain:
            plain.sendall(b"\x16\x03\x01")
            with self.assertRaises(TimeoutError):
                plain.recv(1)

    def test_layer_seven_answers_in_odd_ways(self):
        front = Front(self, self.lea, tls=True)
        connection = self.connect(front.port)
        self.ask(connection)
        usual = self.read_answer(connection)
        self.assertIn("200", usual[0])
        for mode, behind in (("double", b"HTTP/1.1 200"), ("line_end", b"\r\n"), ("stray", b"HTTP/1.1 200 OK")):
            front.behave(mode, times=1)
            self.ask(connection)
            self.read_answer(connection)
            self.assertTrue(connection.recv(65536).startswith(behind), mode)
        front.behave("interim", times=1, count=2)
        self.ask(connection)
        self.assertEqual(connection.recv(27), b"HTTP/1.1 102 Processing\r\n\r\n")
        self.assertEqual(connection.recv(27), b"HTTP/1.1 102 Processing\r\n\r\n")
        self.read_answer(connection)
        front.behave("two_lengths", times=1)
        self.ask(connection)
        self.assertEqual(self.read_answer(connection)[0].lower().count("content-length"), 2)
        front.behave("gzip", times=1)
        self.ask(connection)
        head, body = self.read_answer(connection)[:2]
        self.assertIn("Content-Encoding: gzip", head)
        self.assertIn(b"HI1Message", gzip.decompress(body))
        front.behave("no_reason", times=1)
        self.ask(connection)
        self.assertTrue(self.read_answer(connection)[0].startswith("HTTP/1.1 200\r\n"))

    def test_connections_end_as_they_should_not(self):
        front = Front(self, self.lea, tls=True)
        front.behave("no_close_notify", times=1)
        connection = self.connect(front.port)
        self.ask(connection)
        self.read_answer(connection)
        with self.assertRaises((ssl.SSLEOFError, ConnectionResetError)):
            connection.recv(1)
        front.behave("http10", times=1)
        connection = self.connect(front.port)
        self.ask(connection)
        text = b""
        while more := connection.recv(65536):  # to an orderly end
            text += more
        self.assertTrue(text.startswith(b"HTTP/1.0 200"))
        self.assertTrue(text.endswith(b"</HI1Message>"))
        self.assertNotIn(b"ontent-Length", text)

    def test_a_buffering_front_says_no_after_all_of_it(self):
        front = Front(self, self.lea, tls=True)
        front.behave("buffer", status=404, times=1, uploads=True)
        connection = self.connect(front.port)
        self.ask(connection)
        self.assertIn("200", self.read_answer(connection)[0])  # no upload
        path = f"/binaryData/{uuid.uuid4()}/"
        body = self.ask(connection, "x" * 100000, path, Expect="100-continue")
        self.assertEqual(connection.recv(25), b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(body)
        self.assertIn("404", self.read_answer(connection)[0])
        self.assertEqual([], self.uploads())
        body = self.ask(connection, "x" * 100000, path, Expect="100-continue")
        self.assertEqual(connection.recv(25), b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(body)
        self.assertIn("200", self.read_answer(connection)[0])
        self.assertEqual(["stored"], self.uploads())

    def uploads(self):
        return [line["outcome"] for line in self.lea.lines() if line["event"] == "object"]

    def test_several_targets_by_turns(self):
        two = Lea(self, "two")
        two.start()
        front = Front(self, self.lea, two)
        for _ in range(4):
            self.exchange(front)
        self.assertEqual([2, 2], [lea.totals()["messages"] for lea in (self.lea, two)])


if __name__ == "__main__":
    unittest.main()
