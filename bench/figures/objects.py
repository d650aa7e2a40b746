"""Binary objects: pushed (Model B), fetched (Model A), and the steps that limit large ones."""
from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import re
import ssl
import statistics
import subprocess
import time
import urllib.parse
from collections.abc import Iterator

from bench.figures.delivery import wall_ns
from bench.measure import BenchError, Figure, Samples, Target, measures
from bench.peers import curl_fetch, curl_upload, nginx_serving_files, openssl_sha256
from bench.rig import Destination, Rig, UnixConnection, WARRANT, free_port, programs, resident_mib, wait_until

IDLE_CLIENTS = 1000


@contextlib.contextmanager
def object_daemon(rig: Rig, lea_port: int) -> Iterator[programs.Process]:
    """The daemon with a destination of each model: `push` for the users u-push and u-small, of a warrant each, and
    `fetch` for u-fetch. Files may lie in `spool`."""
    rig.empty("state", "warrants.d", "spool")
    for name, destination in (("push", "push"), ("small", "push"), ("fetch", "fetch")):
        (rig.work / "warrants.d" / f"{name}.yaml").write_text(
            WARRANT.format(liid=f"LIID-{name}", user=f"u-{name}", destination=destination,
                           deliver="metadata, content, binary"))
    fetcher = hashlib.sha256(ssl.PEM_cert_to_DER_cert((rig.certs / "lea-fetch.pem").read_text())).hexdigest()
    port = free_port()
    config = rig.configure(
        [Destination("push", lea_port, binary={
            "model": "B", "url_template": f"https://127.0.0.1:{lea_port}/binaryData/{{object_identifier}}/"}),
         Destination("fetch", lea_port, binary={"model": "A", "client_certificates": [fetcher]})],
        more={"intake": {"attachment_root": f"{rig.work}/spool"},
              "objectserver": {"listen": f"127.0.0.1:{port}", "public_url": f"https://127.0.0.1:{port}/objects/",
                               "tls": {"certificate": f"{rig.certs}/objects.pem",
                                       "private_key": f"{rig.certs}/objects.key",
                                       "client_ca": f"{rig.certs}/leas-ca.pem"}}})
    process = rig.start_daemon(config)
    try:
        yield process
    finally:
        rig.stop(process)
        rig.empty("state", "warrants.d", "spool")


def large_file(rig: Rig) -> pathlib.Path:
    path = rig.work / "spool" / "large.bin"
    with open(path, "wb") as file:
        block = os.urandom(1 << 20)
        for _ in range(rig.sizes.object_mib):
            file.write(block)
    return path


def post_file(rig: Rig, user: str, name: str) -> None:
    """One event with one attachment that is in the spool."""
    connection = UnixConnection(rig.work / "intake.sock")
    event = {"event_id": f"e-{rig.numbers(1)}", "service": "examplechat", "event_type": "message",
             "sender": {"identifiers": [{"type": "user_id", "value": user}]},
             "attachments": [{"id": "a", "file": name, "content_type": "video/mp4"}]}
    connection.request("POST", "/v1/events", json.dumps(event), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    if answer.status != 202:
        raise BenchError(f"the daemon answered {answer.status} {answer.read()!r}")
    connection.close()


@measures(
    Figure("model-b", "a large object pushed", "MB/s", "curl -T with Expect to the same receiver", Target(0.7)),
    Figure("model-b-memory", "resident meanwhile, at most", "MiB", "", Target(64, at_most=True)))
def model_b(rig: Rig) -> dict[str, Samples]:
    speed, memory = Samples(notes={"mib": rig.sizes.object_mib}), Samples()
    with rig.lea(quiet=False) as lea, object_daemon(rig, lea.port) as daemon:
        path = large_file(rig)
        size, peak = path.stat().st_size, 0.0
        for _ in range(rig.sizes.repeat):
            speed.baseline.append(curl_upload(rig, lea.port, path) / 1e6)
            before = len(lea.lines("object"))
            post_file(rig, "u-push", path.name)
            end = time.monotonic() + 600
            while len(lea.lines("object")) == before:
                peak = max(peak, resident_mib(daemon.pid))
                if time.monotonic() > end:
                    raise BenchError("the object did not arrive")
                time.sleep(0.02)
            # From the item's answer to the object's: the time in between is the upload.
            took = wall_ns(lea.lines("object")[-1]["time"]) - wall_ns(lea.lines("delivery")[-1]["time"])
            speed.values.append(size / (took / 1e9) / 1e6)
        memory.values.append(peak)
    return {"model-b": speed, "model-b-memory": memory}


@measures(
    Figure("model-a", "a large object fetched", "MB/s", "nginx with the same TLS, file and client", Target(0.7)),
    Figure("model-a-memory", "resident with 1,000 idle clients", "MiB", "", Target(128, at_most=True)))
def model_a(rig: Rig) -> dict[str, Samples]:
    speed, memory = Samples(notes={"mib": rig.sizes.object_mib}), Samples()
    rig.empty("received")
    output = rig.work / "received"

    def object_url() -> str | None:
        for document in output.rglob("*.xml"):
            found = re.search(r"<url>([^<]+)</url>", document.read_text())
            if found:
                return found.group(1)
        return None

    with rig.lea("--output", output) as lea, object_daemon(rig, lea.port) as daemon:
        path = large_file(rig)
        size = path.stat().st_size
        post_file(rig, "u-fetch", path.name)
        url = wait_until(object_url, 600, "the item")
        with nginx_serving_files(rig, path.parent) as nginx:
            for _ in range(rig.sizes.repeat):
                speed.baseline.append(curl_fetch(rig, f"https://127.0.0.1:{nginx}/{path.name}", size) / 1e6)
                speed.values.append(curl_fetch(rig, url, size) / 1e6)
        clients = [idle_client(rig, url) for _ in range(IDLE_CLIENTS)]
        memory.values.append(resident_mib(daemon.pid))
        for client in clients:
            client.close()
    return {"model-a": speed, "model-a-memory": memory}


def idle_client(rig: Rig, url: str) -> http.client.HTTPSConnection:
    parts = urllib.parse.urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(rig.certs / "csp-ca.pem")
    context.load_cert_chain(rig.certs / "lea-fetch.pem", rig.certs / "lea-fetch.key")
    connection = http.client.HTTPSConnection("127.0.0.1", parts.port, context=context, timeout=60)
    connection.request("HEAD", parts.path)
    if connection.getresponse().status != 200:
        raise BenchError("an idle client was refused")
    return connection


@measures(Figure("small-object", "a 5 KB object beside six large ones of another LIID, from the event to its arrival",
                 "ms"))
def small_object(rig: Rig) -> dict[str, Samples]:
    """At most three times what it takes alone, and 100 ms. It is of another LIID: within one, an item waits until the
    files of earlier items are copied."""
    samples = Samples()
    with rig.lea(quiet=False) as lea, object_daemon(rig, lea.port):
        (rig.work / "spool" / "small.bin").write_bytes(os.urandom(5000))
        path = large_file(rig)

        def arrived() -> int:
            return len([line for line in lea.lines("object") if line["size"] == 5000])

        def once() -> float:
            before, begin = arrived(), time.monotonic()
            post_file(rig, "u-small", "small.bin")
            wait_until(lambda: arrived() > before, 120, "the small object", every=0.002)
            return (time.monotonic() - begin) * 1000

        def large_ones(state: str) -> float:
            return rig.metric("lihandover_objects", f'destination="push",state="{state}"')

        alone = statistics.median(once() for _ in range(10))
        for _ in range(6):
            post_file(rig, "u-push", path.name)
        # They are copied one after the other, and the first are pushed before the last is there. Small ones may have
        # finished before there is time to look.
        wait_until(lambda: large_ones("queued") >= 1 or rig.sizes.mode == "quick", 120, "a large upload under way")
        samples.values = [once() for _ in range(5)]
        samples.notes.update(alone_ms=round(alone, 1), large_under_way_after=round(large_ones("queued")))
        samples.target = Target(round(3 * alone + 100), at_most=True)
    return {"small-object": samples}


@measures(
    Figure("hash", "SHA-256 of objects", "MB/s", "openssl speed", Target(0.9)),
    Figure("seal", "objects sealed", "MB/s"),
    Figure("unseal", "objects unsealed", "MB/s"))
def steps(rig: Rig) -> dict[str, Samples]:
    samples = {name: Samples() for name in ("hash", "seal", "unseal")}
    for _ in range(rig.sizes.repeat):
        samples["hash"].baseline.append(openssl_sha256() / 1e6)
        found = json.loads(subprocess.run([rig.program("bench_seal")], check=True, capture_output=True,
                                          text=True).stdout)
        for name, values in samples.items():
            values.values.append(found[name] / 1e6)
    return samples
