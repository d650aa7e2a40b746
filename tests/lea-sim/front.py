#!/usr/bin/env python3
"""What stands before an LEA in the field, and does its part badly: balancers, filters, buffering proxies.

front.py --listen 127.0.0.1:PORT --to 127.0.0.1:PORT[,…] [--certificate PEM --private-key PEM --client-ca PEM
         --to-certificate PEM --to-private-key PEM --to-ca PEM]

Without a certificate it passes bytes on (layer 4), and connections go to the targets by turns. With one it ends TLS,
reads requests, and asks a lea-sim behind it over a TLS connection of its own: one for each that it takes, so that what
the lea-sim does to a connection, the front does to its own.

Takes one JSON object per line on its standard input, for open and for new connections, and answers each with a line.
Prints "listening" first, and ends when its standard input does.

  {"mode": "pass"}
  {"mode": "refuse"}                        nobody listens; open connections are reset
  {"mode": "close"}  {"mode": "reset"}      new connections are taken, and closed or reset in the handshake
  {"mode": "hang"}                          new connections are taken, and nothing comes
  {"mode": "cap", "connections": N}         beyond N connections, further ones are reset in the handshake
With a certificate also:
  {"mode": "cap_late", "connections": N}    beyond N connections, further ones are closed behind the handshake
and, each with "times": N (0, the default: without end) answers that it is done to:
  {"mode": "double"}                        each answer comes twice
  {"mode": "line_end"}                      CRLF behind the answer, in a record of its own
  {"mode": "stray"}                         a 200 that nobody asked for, behind the answer
  {"mode": "no_close_notify"}               the connection ends behind the answer, TLS does not
  {"mode": "http10"}                        answers as HTTP/1.0, by the end of the connection
  {"mode": "buffer", "status": S}           100 Continue at once; reads the whole body, then answers S; "uploads": true
                                            for requests that expect 100 Continue alone
  {"mode": "interim", "count": N}           N answers of 102 first
  {"mode": "two_lengths"}                   Content-Length twice, with one value
  {"mode": "no_reason"}                     a status line without its last space
  {"mode": "gzip"}                          the body gzip coded, asked for or not
"""

import argparse
import asyncio
import contextlib
import gzip
import itertools
import json
import socket
import ssl
import struct
import sys

CHUNK = 65536
CONNECTION_MODES = ("pass", "refuse", "close", "reset", "hang", "cap")
STRAY = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\nhi\n"


def address_of(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def reset(writer):
    """The peer sees RST, not an orderly close."""
    with contextlib.suppress(OSError, AttributeError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def read_head(reader):
    """Request or status line with its fields, as bytes; empty at the end of the connection."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def field(head, name):
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return None


class Front:
    def __init__(self, options):
        self.listen_on = address_of(options.listen)
        self.targets = itertools.cycle([address_of(each) for each in options.to.split(",")])
        self.server_tls = self.client_tls = None
        if options.certificate:
            self.server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.server_tls.load_cert_chain(options.certificate, options.private_key)
            self.server_tls.load_verify_locations(options.client_ca)
            self.server_tls.verify_mode = ssl.CERT_REQUIRED
            self.client_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.client_tls.check_hostname = False
            self.client_tls.load_cert_chain(options.to_certificate, options.to_private_key)
            self.client_tls.load_verify_locations(options.to_ca)
        self.behaviour = {"mode": "pass"}
        self.left = 0
        self.listener = None
        self.tasks = set()
        self.open = set()

    # Taking connections

    async def listen(self):
        while self.listener is None:
            listener = socket.socket(socket.AF_INET6 if ":" in self.listen_on[0] else socket.AF_INET)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setblocking(False)
            try:
                listener.bind(self.listen_on)
                listener.listen(1024)
            except OSError:
                listener.close()
                await asyncio.sleep(0.02)
                continue
            self.listener = listener
            self.spawn(self.accept(listener))

    def spawn(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def accept(self, listener):
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while self.listener is listener:
                connection, _ = await loop.sock_accept(listener)
                self.spawn(self.take(connection))

    async def behave(self, behaviour):
        if behaviour["mode"] == "refuse" and self.listener is not None:
            listener, self.listener = self.listener, None
            asyncio.get_running_loop().remove_reader(listener.fileno())
            listener.close()
            for writer in list(self.open):
                reset(writer)
        self.behaviour = behaviour
        self.left = behaviour.get("times", 0) or float("inf")
        if behaviour["mode"] != "refuse":
            await self.listen()

    async def take(self, connection):
        mode = self.behaviour["mode"]
        full = mode == "cap" and len(self.open) >= self.behaviour["connections"]
        if mode in ("close", "reset", "hang") or full:
            await self.fail_handshake(connection, "reset" if full else mode)
            return
        reader = asyncio.StreamReader(limit=1 << 20)
        protocol = asyncio.StreamReaderProtocol(reader)
        loop = asyncio.get_running_loop()
        place = object()
        self.open.add(place)  # counted from here on, not only after its handshake
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=self.server_tls)
        except OSError:
            return
        finally:
            self.open.discard(place)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        self.open.add(writer)
        try:
            if self.behaviour["mode"] == "cap_late" and len(self.open) > self.behaviour["connections"]:
                return
            if self.server_tls is None:
                await self.pass_on(reader, writer)
            else:
                await self.serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            reset(writer)
        finally:
            self.open.discard(writer)
            writer.transport.abort()

    async def fail_handshake(self, connection, mode):
        """Closes after the first bytes, so that the client is already in the handshake."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError), connection:
            await loop.sock_recv(connection, CHUNK)
            if mode == "hang":
                while self.behaviour["mode"] == "hang" and await loop.sock_recv(connection, CHUNK):
                    pass
            if mode == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    # Layer 4

    async def pass_on(self, reader, writer):
        behind = await asyncio.open_connection(*next(self.targets))

        async def forward(source, sink):
            while data := await source.read(CHUNK):
                sink.write(data)
                await sink.drain()
            if sink.can_write_eof():
                sink.write_eof()

        try:
            await asyncio.gather(forward(reader, behind[1]), forward(behind[0], writer))
        finally:
            behind[1].transport.abort()

    # Layer 7

    def due(self, *modes):
        """Whether one of the modes is on and has repetitions left; uses one up."""
        if self.behaviour["mode"] not in modes or self.left < 1:
            return None
        self.left -= 1
        return self.behaviour

    async def serve(self, reader, writer):
        behind = await asyncio.open_connection(*next(self.targets), ssl=self.client_tls, server_hostname="")
        try:
            while head := await read_head(reader):
                if not await self.exchange(head, reader, writer, *behind):
                    break
            if not self.behaviour["mode"] == "no_close_notify":
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
        finally:
            behind[1].transport.abort()

    async def exchange(self, head, reader, writer, lea_reader, lea_writer):
        """One request and its answer. False if the connection ends with it."""
        expects = (field(head, b"expect") or b"").lower() == b"100-continue"
        length = int(field(head, b"content-length") or 0)
        wanted = self.behaviour["mode"] == "buffer" and (expects or not self.behaviour.get("uploads"))
        if wanted and (behaviour := self.due("buffer")):
            if expects:
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            while length > 0 and (data := await reader.read(min(length, CHUNK))):
                length -= len(data)
            writer.write(b"HTTP/1.1 %d Failed\r\nContent-Length: 0\r\n\r\n" % behaviour["status"])
            await writer.drain()
            return True
        lea_writer.write(head)
        if expects:
            answer = await read_head(lea_reader)
            if not answer.startswith(b"HTTP/1.1 100"):
                return await self.answer(answer, lea_reader, writer)
            writer.write(answer)
        while length > 0 and (data := await reader.read(min(length, CHUNK))):
            length -= len(data)
            lea_writer.write(data)
            await lea_writer.drain()
        return await self.answer(await read_head(lea_reader), lea_reader, writer)

    async def answer(self, head, lea_reader, writer):
        if not head:
            raise ConnectionResetError
        body = await lea_reader.readexactly(int(field(head, b"content-length") or 0))
        goes_on = (field(head, b"connection") or b"").lower() != b"close"
        status_line, _, fields = head.partition(b"\r\n")
        if interim := self.due("interim"):
            writer.write(b"HTTP/1.1 102 Processing\r\n\r\n" * interim["count"])
        if self.due("two_lengths"):
            head = status_line + b"\r\nContent-Length: %d\r\n" % len(body) + fields
        if self.due("no_reason"):
            head = status_line[:12] + b"\r\n" + fields
        if self.due("gzip"):
            body = gzip.compress(body)
            lines = [line for line in fields.split(b"\r\n") if not line.lower().startswith(b"content-length:")]
            head = status_line + b"\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n" % len(body) + b"\r\n".join(lines)
        if self.due("http10"):
            lines = [line for line in fields.split(b"\r\n")
                     if not line.lower().startswith((b"content-length:", b"connection:"))]
            head = b"HTTP/1.0" + status_line[8:] + b"\r\n" + b"\r\n".join(lines)
            goes_on = False
        writer.write(head + body)
        if self.due("double"):
            writer.write(head + body)
        if self.due("line_end"):
            writer.write(b"\r\n")
        if self.due("stray"):
            writer.write(STRAY)
        await writer.drain()
        return goes_on and not self.due("no_close_notify")


async def main():
    parser = argparse.ArgumentParser(description="What stands before an LEA in the field.")
    for name in ("listen", "to"):
        parser.add_argument("--" + name, required=True)
    for name in ("certificate", "private-key", "client-ca", "to-certificate", "to-private-key", "to-ca"):
        parser.add_argument("--" + name)
    front = Front(parser.parse_args())
    await front.listen()
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    print("listening", flush=True)
    while line := await commands.readline():
        await front.behave(json.loads(line))
        print("done", flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
