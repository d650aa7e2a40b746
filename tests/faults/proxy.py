#!/usr/bin/env python3
"""A TCP proxy that misbehaves: stands between the daemon and a lea-sim and does to connections what networks do.

proxy.py LISTEN_PORT TARGET_PORT [ADDRESS…]  listens on each address (127.0.0.1 where none is given) and forwards to
127.0.0.1. Takes one JSON object per line on its standard input, for open and for new connections, and answers each with
a line:

  {"mode": "pass"}
  {"mode": "refuse"}                        nobody listens any more; what is open is reset
  {"mode": "blackhole"}                     takes everything, forwards nothing
  {"mode": "reset", "after": N}             resets a connection after N bytes of the answer
  {"mode": "half_close", "after": N}        ends the answer after N bytes, goes on reading the request
  {"mode": "trickle", "rate": N}            N bytes a second in each direction
  {"mode": "late", "delay": S}              answers arrive S seconds late
  {"mode": "limit", "connections": N}       further connections are reset at once
  {"mode": "handshake_close"}               new connections are closed in the handshake
  {"mode": "handshake_reset"}               and these are reset
  {"mode": "cut"}                           resets all open connections once, then passes
Ends when its standard input does.
"""

import asyncio
import contextlib
import json
import socket
import struct
import sys

CHUNK = 65536


class Proxy:
    def __init__(self, port, target, addresses):
        self.port = port
        self.target = target
        self.addresses = addresses
        self.servers = []
        self.behaviour = {"mode": "pass"}
        self.changed = asyncio.Event()
        self.open = set()

    async def listen(self):
        while not self.servers:
            try:
                for address in self.addresses:
                    self.servers.append(await asyncio.start_server(self.serve, address, self.port, backlog=1024))
            except OSError:
                await self.close()
                await asyncio.sleep(0.02)

    async def close(self):
        for server in self.servers:
            server.close()
        self.servers = []

    @staticmethod
    def reset(writer):
        """The peer sees RST, not an orderly close."""
        with contextlib.suppress(OSError, AttributeError):
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def behave(self, behaviour):
        if behaviour["mode"] in ("cut", "refuse"):
            for writers in list(self.open):
                for writer in writers:
                    self.reset(writer)
        self.behaviour = {"mode": "pass"} if behaviour["mode"] == "cut" else behaviour
        if behaviour["mode"] == "refuse":
            await self.close()
        else:
            await self.listen()
        self.changed.set()
        self.changed = asyncio.Event()

    async def serve(self, reader, writer):
        if self.behaviour["mode"] == "limit" and len(self.open) >= self.behaviour["connections"]:
            self.reset(writer)
            return
        if self.behaviour["mode"] in ("handshake_close", "handshake_reset"):
            with contextlib.suppress(OSError):
                await reader.read(CHUNK)
            if self.behaviour["mode"] == "handshake_reset":
                self.reset(writer)
            writer.close()
            return
        try:
            lea_reader, lea_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            self.reset(writer)
            return
        pair = (writer, lea_writer)
        self.open.add(pair)
        try:
            await asyncio.gather(self.forward(reader, lea_writer, pair, answer=False),
                                 self.forward(lea_reader, writer, pair, answer=True))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open.discard(pair)
            for each in pair:
                each.transport.abort()

    async def forward(self, reader, writer, pair, answer):
        sent = 0
        while True:
            data = await reader.read(CHUNK)
            now = self.behaviour
            mode = now["mode"]
            while mode == "blackhole":
                await self.changed.wait()
                now = self.behaviour
                mode = now["mode"]
                if mode != "blackhole":  # what was swallowed is gone: nothing after it makes sense any more
                    for each in pair:
                        self.reset(each)
                    return
            if answer and mode == "late" and data:
                await asyncio.sleep(now["delay"])
            if answer and mode == "reset" and sent + len(data) > now["after"]:
                for each in pair:
                    self.reset(each)
                return
            if answer and mode == "half_close" and data and sent + len(data) > now["after"]:
                writer.write(data[:max(0, now["after"] - sent)])
                if writer.can_write_eof():
                    writer.write_eof()
                while await reader.read(CHUNK):
                    pass
                return
            if not data:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            if mode == "trickle":
                step = max(1, now["rate"] // 20)
                for at in range(0, len(data), step):
                    writer.write(data[at:at + step])
                    await writer.drain()
                    if self.behaviour is now:
                        await asyncio.sleep(0.05)
            else:
                writer.write(data)
                await writer.drain()
            sent += len(data)


async def main():
    proxy = Proxy(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] or ["127.0.0.1"])
    await proxy.listen()
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    print("listening", flush=True)
    while line := await commands.readline():
        await proxy.behave(json.loads(line))
        print("done", flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
