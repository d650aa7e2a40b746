"""Other programs that the daemon is compared with: ab and nginx, curl, openssl."""
from __future__ import annotations

import contextlib
import os
import pathlib
import re
import subprocess
import uuid
from collections.abc import Iterator

from bench.measure import BenchError
from bench.rig import Rig, free_port, listens, wait_until

NGINX_ECHO = "/usr/lib/nginx/modules/ngx_http_echo_module.so"

NGINX = """
{user}
{load}
worker_processes 1;
pid {work}/nginx.pid;
error_log {work}/nginx-error.log warn;
daemon off;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_max_body_size 0;
  client_body_buffer_size 512k;
  client_body_temp_path {work}/nginx-body;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_protocols TLSv1.3;
    ssl_certificate {certificate}.pem;
    ssl_certificate_key {certificate}.key;
    ssl_client_certificate {client_ca};
    ssl_verify_client on;
    {serve}
  }}
}}
"""
# The module makes nginx read the whole document before it answers, as an LEA does.
TAKES_DOCUMENTS = """location = /hi {{ echo_read_request_body; echo_exec /answer; }}
    location = /answer {{ internal; return 200 '{answer}'; }}"""
CIPHER = ["--tls13-ciphers", "TLS_AES_128_GCM_SHA256"]


@contextlib.contextmanager
def _nginx(rig: Rig, **parts: str) -> Iterator[int]:
    port = free_port()
    config = rig.work / "nginx.conf"
    config.write_text(NGINX.format(work=rig.work, port=port, user="user root;" if os.geteuid() == 0 else "", **parts))
    process = rig.start("nginx", "-p", rig.work, "-c", config, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: listens(port), 10, "nginx")
        yield port
    finally:
        rig.stop(process)


@contextlib.contextmanager
def nginx_taking_documents(rig: Rig) -> Iterator[int]:
    """nginx as the LEA, with the same certificates and an answer of about the size of ours; returns its port."""
    if not pathlib.Path(NGINX_ECHO).exists():
        raise BenchError(f"{NGINX_ECHO} is missing: scripts/install-deps --bench")
    with _nginx(rig, load=f"load_module {NGINX_ECHO};", certificate=f"{rig.certs}/lea",
                client_ca=f"{rig.certs}/lea-ca.pem",
                serve=TAKES_DOCUMENTS.format(answer="<a>" + "x" * 900 + "</a>")) as port:
        yield port


@contextlib.contextmanager
def nginx_serving_files(rig: Rig, root: pathlib.Path) -> Iterator[int]:
    with _nginx(rig, load="", certificate=f"{rig.certs}/objects", client_ca=f"{rig.certs}/leas-ca.pem",
                serve=f"root {root};") as port:
        yield port


def ab(rig: Rig, document: pathlib.Path, port: int, connections: int = 16, seconds: float | None = None) -> float:
    """POSTs per second that ab reaches with the document over kept-alive mutual TLS."""
    pem = rig.certs / "csp-both.pem"
    pem.write_text((rig.certs / "csp.pem").read_text() + (rig.certs / "csp.key").read_text())
    pem.chmod(0o600)

    def once(count: int) -> float:
        output = subprocess.run(
            ["ab", "-k", "-q", "-n", str(count), "-c", str(connections), "-E", str(pem), "-p", str(document), "-T",
             "application/xml", "-f", "TLS1.3", f"https://127.0.0.1:{port}/hi"],
            check=True, capture_output=True, text=True).stdout
        kept = re.search(r"Keep-Alive requests:\s+(\d+)", output)
        if kept is None or int(kept.group(1)) != count:
            raise BenchError("ab did not keep its connections, its figure is no baseline:\n" + output)
        failed = re.search(r"Failed requests:\s+(\d+)", output)
        if "Non-2xx" in output or failed is None or int(failed.group(1)):
            raise BenchError("nginx did not take ab's documents:\n" + output)
        rate = re.search(r"Requests per second:\s+([\d.]+)", output)
        if rate is None:
            raise BenchError("ab printed no rate:\n" + output)
        return float(rate.group(1))

    return once(max(1000, int(once(2000) * (seconds or rig.sizes.seconds))))


def curl_upload(rig: Rig, port: int, path: pathlib.Path) -> float:
    """Bytes per second of curl with the same certificate, cipher, Expect field and receiver as Model B."""
    output = subprocess.run(
        ["curl", "-sS", "-X", "POST", "-T", str(path), "-H", "Expect: 100-continue", *CIPHER, "--expect100-timeout",
         "60", "--cacert", str(rig.certs / "lea-ca.pem"), "--cert", str(rig.certs / "csp.pem"), "--key",
         str(rig.certs / "csp.key"), "-w", "%{time_total} %{http_code}", "-o", "/dev/null",
         f"https://127.0.0.1:{port}/binaryData/{uuid.uuid4()}"],
        check=True, capture_output=True, text=True).stdout.split()
    if output[1] != "200":
        raise BenchError(f"lea-sim answered curl with {output[1]}")
    return path.stat().st_size / float(output[0])


def curl_fetch(rig: Rig, url: str, size: int) -> float:
    """Bytes per second of a download as an LEA makes it."""
    output = subprocess.run(
        ["curl", "-sS", *CIPHER, "--cacert", str(rig.certs / "csp-ca.pem"), "--cert", str(rig.certs / "lea-fetch.pem"),
         "--key", str(rig.certs / "lea-fetch.key"), "-o", "/dev/null", "-w",
         "%{time_total} %{http_code} %{size_download}", url], check=True, capture_output=True, text=True).stdout.split()
    if output[1] != "200" or int(output[2]) != size:
        raise BenchError(f"curl fetched {output}")
    return size / float(output[0])


def openssl_sha256() -> float:
    """Bytes per second of SHA-256 over blocks of 256 KiB."""
    output = subprocess.run(["openssl", "speed", "-elapsed", "-seconds", "2", "-bytes", "262144", "-evp", "sha256",
                             "-mr"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"\+F:\d+:\S+?:([\d.]+)", output)
    if found is None:
        raise BenchError("openssl speed printed no figure:\n" + output)
    return float(found.group(1))
