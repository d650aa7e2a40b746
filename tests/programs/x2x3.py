"""PDUs of X2 and X3, and a point of interception that sends exactly what it is told. What reads flows is x2x3-send."""

import socket
import ssl
import struct
import uuid

from programs.process import PATIENCE, client_context

X2, X3, KEEPALIVE, ACKNOWLEDGEMENT = 1, 2, 3, 4
SIP, MSRP, MIME = 9, 13, 15
TO_TARGET, FROM_TARGET = 2, 3


def attribute(kind, value):
    return struct.pack(">HH", kind, len(value)) + value


def pdu(payload=b"", xid=None, kind=X2, format=SIP, direction=FROM_TARGET, correlation=1, attributes=b"", sequence=None,
        version=(0, 5)):
    if sequence is not None:
        attributes += attribute(8, struct.pack(">I", sequence))
    return struct.pack(">BBHIIHH", *version, kind, 40 + len(attributes), len(payload), format, direction) + \
        (uuid.UUID(xid).bytes if xid else bytes(16)) + struct.pack(">Q", correlation) + attributes + payload


def keepalive(number=None):
    return pdu(kind=KEEPALIVE, format=0, direction=0, correlation=0, sequence=number)


def sip_message(text, call_id, sender="sip:alice@ims.example.com", receiver="sip:bob@ims.example.com", cseq=1):
    body = text.encode()
    return (f"MESSAGE {receiver} SIP/2.0\r\nVia: SIP/2.0/TCP as.ims.example.com;branch=z9hG4bK{call_id}\r\n"
            f"Max-Forwards: 70\r\nP-Asserted-Identity: <{sender}>\r\nFrom: <{sender}>;tag=a1\r\nTo: <{receiver}>\r\n"
            f"Call-ID: {call_id}\r\nCSeq: {cseq} MESSAGE\r\nContent-Type: text/plain;charset=UTF-8\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def msrp_send(body, message_id, start, total, flag, transaction, session="1"):
    """One chunk of a message."""
    end = start + len(body) - 1
    return (f"MSRP {transaction} SEND\r\nTo-Path: msrp://bob.example.com:7777/b{session};tcp\r\n"
            f"From-Path: msrp://alice.example.com:7654/a{session};tcp\r\nMessage-ID: {message_id}\r\n"
            f"Byte-Range: {start}-{end}/{total}\r\nContent-Type: text/plain\r\n\r\n").encode() + body + \
        f"\r\n-------{transaction}{flag}\r\n".encode()


class PointOfInterception:
    """A connection over mutual TLS."""

    def __init__(self, port, certificate="source", context=None, timeout=None):
        plain = socket.create_connection(("127.0.0.1", port), timeout=timeout or PATIENCE)
        self.stream = (context or client_context(certificate)).wrap_socket(plain, server_hostname="localhost")
        self.received = b""
        self.keepalives = 0

    def send(self, *pdus):
        for one in pdus:
            self.stream.sendall(one)

    def read_pdu(self):
        """The next one that comes; None at the end."""
        while len(self.received) < 12 or len(self.received) < sum(struct.unpack(">II", self.received[4:12])):
            try:
                more = self.stream.recv(65536)
            except (ssl.SSLError, ConnectionError):
                more = b""
            if not more:
                return None
            self.received += more
        size = sum(struct.unpack(">II", self.received[4:12]))
        one, self.received = self.received[:size], self.received[size:]
        return one

    def acknowledged(self):
        """Sends a keepalive, and waits for its answer: all that was sent before has been read then."""
        number = self.keepalives
        self.keepalives += 1
        self.send(keepalive(number))
        answer = self.read_pdu()
        expected = pdu(kind=ACKNOWLEDGEMENT, format=0, direction=0, correlation=0, sequence=number)
        if answer != expected:
            raise AssertionError(f"instead of an acknowledgement: {answer!r}")

    def is_closed(self):
        """Waits for the other end to close; False if it sends something."""
        return self.read_pdu() is None

    def close(self):
        self.stream.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
