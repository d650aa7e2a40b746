#!/usr/bin/env python3
"""Thousands of clients that hardly move: slow_clients.py SOCKET COUNT SECONDS SEED

Each connects to the intake socket and sends a request's bytes one at a time, or its beginning and then nothing, or a
body that never comes; one that is cut off comes again. Prints how many were answered or cut off.
"""

import asyncio
import collections
import random
import resource
import sys
import time

BODY = b'{"event_id":"slow","service":"examplechat","event_type":"message"'
REQUEST = (b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
           b"Content-Length: 1000\r\n\r\n" + BODY)


async def client(path, end, chance, seen):
    while time.monotonic() < end:
        try:
            reader, writer = await asyncio.open_unix_connection(path)
        except OSError:
            seen["not connected"] += 1
            await asyncio.sleep(chance.uniform(0.1, 1))
            continue
        seen["connected"] += 1
        try:
            at = chance.choice([0, 1, 30, len(REQUEST) - len(BODY), len(REQUEST)])
            writer.write(REQUEST[:at])
            while time.monotonic() < end:
                if at < len(REQUEST):
                    writer.write(REQUEST[at:at + 1])
                    at += 1
                try:
                    if not await asyncio.wait_for(reader.read(4096), chance.uniform(0.2, 2)):
                        seen["cut off"] += 1
                        break
                    seen["answered"] += 1
                except asyncio.TimeoutError:
                    pass
        except OSError:
            seen["cut off"] += 1
        finally:
            writer.transport.abort()


async def main():
    path, count, seconds, seed = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count + 100)), hard))
    seen = collections.Counter()
    end = time.monotonic() + seconds
    await asyncio.gather(*(client(path, end, random.Random(seed * 100003 + n), seen) for n in range(count)))
    print(dict(seen))


if __name__ == "__main__":
    asyncio.run(main())
