"""Binary objects that the LEA fetches: TS 103 707 annex C.2."""

import contextlib
import hashlib
import http.client
import os
import shutil
import socket
import sqlite3
import ssl
import subprocess
import unittest
import urllib.parse
import uuid

from harness import Certificates, Daemon, Lea, Ports, SystemTest, inline, message, wait_until
from test_connections import revocation_list

BYTES = bytes(range(256)) * 1000 + b"the end"

# What a server may answer to these is nearly free; nginx's answers are what LEAs' clients know.
RANGES = ["bytes=0-0", "bytes=0-99", "bytes=100-", "bytes=-7", "bytes=256000-256006", "bytes=256000-999999",
          "bytes=-999999999", "bytes=0-", "bytes=256007-", "bytes=999999-", "bytes=5-4", "bytes=a-b", "bytes=", "bytes",
          "bytes=--1", "bytes=-0", "octets=0-1", "bytes=0-0,-1", "bytes=0-9,20-29,40-49", "bytes=0-9,999999-",
          "bytes=18446744073709551616-", "bytes= 0-5", "bytes=0-5 , 7-8", "bytes=99999999999999999999999999-1",
          "Bytes=0-5"]


def fingerprint(name):
    with open(Certificates.path(f"{name}.pem"), encoding="ascii") as file:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).hexdigest()


def key_fingerprint(name):
    der = subprocess.run(["openssl", "pkey", "-in", Certificates.path(f"{name}.key"), "-pubout", "-outform", "DER"],
                         check=True, capture_output=True).stdout
    return "spki:" + hashlib.sha256(der).hexdigest()


class Client:
    """An LEA's client with a certificate."""

    def __init__(self, port, certificate="lea-fetch", ca="csp-ca"):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.load_verify_locations(Certificates.path(f"{ca}.pem"))
        if certificate:
            self.context.load_cert_chain(Certificates.path(f"{certificate}.pem"),
                                         Certificates.path(f"{certificate}.key"))
        self.port = port

    @contextlib.contextmanager
    def open(self, path):
        """The response to a GET, to be read by the caller."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=60)
        try:
            connection.request("GET", path)
            yield connection.getresponse()
        finally:
            connection.close()

    def ask(self, path, method="GET", **fields):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=30)
        try:
            connection.request(method, path, headers={n.replace("_", "-"): v for n, v in fields.items()})
            response = connection.getresponse()
            body = response.read()
            return response.status, sorted((n.lower(), v) for n, v in response.getheaders() if n.lower() != "date"), body
        finally:
            connection.close()


def field(answer, name):
    return dict(answer[1]).get(name)


class ModelA(SystemTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.two = Lea(self, "lea-two", certificate="lea-two", client_ca="lea-two-ca")
        self.daemon = Daemon(self)
        self.port = Ports.take()
        self.daemon.configuration["objectserver"] = {
            "listen": f"127.0.0.1:{self.port}",
            "public_url": f"https://127.0.0.1:{self.port}/objects/",
            "tls": {"certificate": Certificates.path("objects.pem"), "private_key": Certificates.path("objects.key"),
                    "client_ca": Certificates.path("leas-ca.pem")},
        }
        self.daemon.destination("lea-one", self.lea.port, binary={
            "model": "A", "expiry": "1h",
            "client_certificates": [fingerprint("lea-fetch"), key_fingerprint("lea-fetch-renewed")]})
        self.daemon.destination("lea-two", self.two.port, certificate="csp-two", ca="lea-two-ca", binary={
            "model": "A", "expiry": "1h", "client_certificates": [fingerprint("lea-two-fetch")],
            "remove_when_fetched": True})
        parts = ["metadata", "content", "binary"]
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"), deliver=parts)
        self.daemon.warrant("LIID-1", "lea-two", ("user_id", "u-2"), deliver=parts)

    def begin(self):
        self.lea.start()
        self.two.start()
        self.daemon.start()

    def path_of(self, lea, **attachment):
        self.daemon.accept(message("u-1" if lea is self.lea else "u-2",
                                   attachments=[inline("a", BYTES, **attachment)]))
        item = wait_until(lambda: [i for i in lea.items() if i.objects], "the item")[-1]
        self.assertTrue(item.valid, item.problem)
        record, = item.objects
        self.assertIn("expiry", record)
        return urllib.parse.urlsplit(record["url"]).path

    def test_lea_fetches_with_its_certificates_and_is_recorded(self):
        self.begin()
        path = self.path_of(self.lea, content_type="image/jpeg", filename="d\u00e4ch \"1\".jpg")
        for certificate in ("lea-fetch", "lea-fetch-renewed"):
            answer = Client(self.port, certificate).ask(path)
            self.assertEqual((200, BYTES), (answer[0], answer[2]))
            self.assertEqual("image/jpeg", field(answer, "content-type"))
            self.assertIn(hashlib.sha256(BYTES).hexdigest(), field(answer, "etag"))
            self.assertTrue(field(answer, "content-disposition").startswith("attachment"))
            self.assertIn("filename*=UTF-8''d%C3%A4ch%20", field(answer, "content-disposition"))
        client = Client(self.port)
        head = client.ask(path, "HEAD")
        self.assertEqual((200, b"", str(len(BYTES))), (head[0], head[2], field(head, "content-length")))
        etag = field(head, "etag")
        self.assertEqual(304, client.ask(path, If_None_Match=etag)[0])
        self.assertEqual(412, client.ask(path, If_Match='"another"')[0])
        self.assertEqual((206, BYTES[:5]), client.ask(path, Range="bytes=0-4", If_Range=etag)[::2])
        self.assertEqual((200, BYTES), client.ask(path, Range="bytes=0-4", If_Range='"another"')[::2])
        wait_until(lambda: self.daemon.metric("lihandover_downloads_total", destination="lea-one",
                                              outcome="complete") >= 2, "it is counted")
        self.daemon.restart()
        self.assertEqual((200, BYTES), client.ask(path)[::2], "and still there after a restart")

    def test_everybody_else_gets_the_same_answer(self):
        self.begin()
        path = self.path_of(self.lea)
        other = self.path_of(self.two)
        unknown = path.rsplit("/", 1)[0] + "/" + str(uuid.uuid4())
        two = Client(self.port, "lea-two-fetch")
        one = Client(self.port)
        expected = two.ask(unknown)
        self.assertEqual(404, expected[0])
        for client, target in ((two, path), (one, other), (one, unknown), (one, path + "x"), (one, path.upper()),
                               (one, "/"), (one, "/objects/"), (one, path + "/"), (one, "/objects/../etc/passwd"),
                               (Client(self.port, "csp"), path), (Client(self.port, "csp"), unknown)):
            for fields in ({}, {"Range": "bytes=0-1"}, {"If_None_Match": "*"}, {"If_Match": '"x"'}):
                self.assertEqual(expected, client.ask(target, **fields), target)
        head = two.ask(unknown, "HEAD")
        self.assertEqual(head, two.ask(path, "HEAD"))
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            self.assertEqual(two.ask(unknown, method), one.ask(path, method), method)
        for certificate in (None, "stranger", "lea-fetch-expired"):
            with self.assertRaises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
                Client(self.port, certificate).ask(path)
        self.assertEqual(200, one.ask(path)[0])

    def test_url_works_before_the_item_is_answered_and_not_while_it_is_refused(self):
        self.begin()
        self.lea.obey({"kind": "delay", "delay": "1h"})
        path = self.path_of_undelivered()
        self.assertEqual((200, BYTES), Client(self.port).ask(path)[::2])
        self.lea.ask("POST", "/release")
        self.daemon.wait_delivered()
        self.assertEqual((200, BYTES), Client(self.port).ask(path)[::2])

    def path_of_undelivered(self):
        """lea-sim says what it received only when it answers: the document is on its disk before."""
        self.daemon.accept(message("u-1", attachments=[inline("a", BYTES)]))

        def url():
            for name in os.listdir(self.lea.directory):
                if name.endswith(".xml"):
                    with open(os.path.join(self.lea.directory, name), "rb") as file:
                        text = file.read().decode()
                    if "<url>" in text:
                        return text.split("<url>")[1].split("</url>")[0]
            return None
        return urllib.parse.urlsplit(wait_until(url, "the document")).path

    def test_expired_objects_are_gone(self):
        self.daemon.configuration["destinations"]["lea-one"]["binary"]["expiry"] = "10s"
        self.begin()
        path = self.path_of(self.lea)
        client = Client(self.port)
        unknown = client.ask(path.rsplit("/", 1)[0] + "/" + str(uuid.uuid4()))
        self.assertEqual(200, client.ask(path)[0])
        wait_until(lambda: client.ask(path)[0] == 404, "the expiry")
        self.assertEqual(unknown, client.ask(path))
        wait_until(lambda: os.listdir(os.path.join(self.daemon.state, "objects")) == [], "its bytes are gone")

    def test_fetched_objects_go_where_the_policy_says_so(self):
        self.begin()
        path = self.path_of(self.two)
        client = Client(self.port, "lea-two-fetch")
        self.assertEqual(206, client.ask(path, Range="bytes=0-9")[0])
        self.assertEqual(200, client.ask(path, "HEAD")[0])
        self.assertEqual((200, BYTES), client.ask(path)[::2])
        wait_until(lambda: client.ask(path)[0] == 404, "it is removed")
        wait_until(lambda: os.listdir(os.path.join(self.daemon.state, "objects")) == [], "its bytes are gone")

    def test_warrant_for_two_leas_makes_two_urls(self):
        self.begin()
        self.daemon.accept(message("u-1", "u-2", attachments=[inline("a", BYTES)]))
        paths = [urllib.parse.urlsplit(wait_until(lambda: [i for i in lea.items() if i.objects], "the item")[0]
                                       .objects[0]["url"]).path for lea in (self.lea, self.two)]
        self.assertNotEqual(*paths)
        self.assertEqual(404, Client(self.port, "lea-two-fetch").ask(paths[0])[0])
        self.assertEqual((200, BYTES), Client(self.port, "lea-two-fetch").ask(paths[1])[::2])
        self.assertEqual((200, BYTES), Client(self.port).ask(paths[0])[::2])

    def test_object_of_5_gib_needs_no_memory(self):
        spool = os.path.join(self.directory, "spool")
        os.makedirs(spool)
        size = 5 << 30
        if shutil.disk_usage(spool).free < 3 * size:
            self.skipTest("an object of 5 GiB needs 15 GiB free")
        with open(os.path.join(spool, "sparse.bin"), "wb") as file:
            file.truncate(size - 3)
            file.seek(0, os.SEEK_END)
            file.write(b"end")
        self.daemon.configuration["intake"]["attachment_root"] = spool
        self.begin()
        self.daemon.accept(message("u-1", attachments=[{"id": "a", "file": "sparse.bin"}]))
        item = wait_until(lambda: [i for i in self.lea.items() if i.objects], "the item", timeout=240)[0]
        self.assertEqual(str(size), item.objects[0]["contentLength"])
        client = Client(self.port)
        path = urllib.parse.urlsplit(item.objects[0]["url"]).path
        self.assertEqual((206, b"\0\0end"), client.ask(path, Range="bytes=-5")[::2])
        with client.open(path) as response:
            self.assertEqual(200, response.status)
            seen = 0
            while chunk := response.read(1 << 20):
                seen += len(chunk)
        self.assertEqual(size, seen)
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="ascii") as file:
            peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
        # The address sanitizer keeps a quarter of a gigabyte of what was freed, and half as much beside it.
        self.assertLess(peak / 1024, 1200 if os.environ.get("LIHANDOVER_SANITIZED") else 100)

    def test_fetch_survives_a_kill(self):
        self.begin()
        path = self.path_of(self.lea)
        client = Client(self.port)
        with client.open(path) as response:
            self.assertEqual(BYTES[:1000], response.read(1000))
            self.daemon.process.kill()
        self.daemon.start()
        self.assertEqual((200, BYTES), client.ask(path)[::2])

    @unittest.skipUnless(shutil.which("nginx"), "nginx-light is not installed")
    def test_ranges_as_nginx_answers_them(self):
        self.begin()
        path = self.path_of(self.lea, content_type="image/jpeg")
        root = os.path.join(self.directory, "nginx")
        os.makedirs(os.path.join(root, "www"))
        with open(os.path.join(root, "www", "object.jpg"), "wb") as file:
            file.write(BYTES)
        port = Ports.take()
        with open(os.path.join(root, "nginx.conf"), "w", encoding="ascii") as file:
            file.write(f"""
{"user root;" if os.geteuid() == 0 else ""}
daemon off; pid {root}/pid; error_log {root}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{ access_log off; types {{ image/jpeg jpg; }} client_body_temp_path {root}/t1; proxy_temp_path {root}/t2;
  fastcgi_temp_path {root}/t3; uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5; max_ranges 16;
  server {{ listen 127.0.0.1:{port}; root {root}/www; }} }}""")
        from harness import Process
        process = Process("nginx", ["nginx", "-p", root, "-c", os.path.join(root, "nginx.conf")], self.directory)
        self.processes.append(process)
        client = Client(self.port)

        def nginx(value):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            try:
                connection.request("GET", "/object.jpg", headers={"Range": value})
                response = connection.getresponse()
                return response.status, {n.lower(): v for n, v in response.getheaders()}, response.read()
            except ConnectionRefusedError:
                return None
            finally:
                connection.close()
        wait_until(lambda: nginx("bytes=0-0"), "nginx listens")
        for value in RANGES:
            with self.subTest(range=value):
                theirs = nginx(value)
                ours = client.ask(path, Range=value)
                self.assertEqual(theirs[0], ours[0])
                self.assertEqual(theirs[1].get("content-range"), field(ours, "content-range"))
                if theirs[1].get("content-type", "").startswith("multipart/byteranges"):
                    split = [[part.strip(b"\r\n-") for part in body.split(content_type.split("boundary=")[1].encode())]
                             for body, content_type in ((theirs[2], theirs[1]["content-type"]),
                                                        (ours[2], field(ours, "content-type")))]
                    self.assertEqual([p.split(b"\r\n\r\n")[-1] for p in split[0]],
                                     [p.split(b"\r\n\r\n")[-1] for p in split[1]])
                elif theirs[0] in (200, 206):
                    self.assertEqual(theirs[2], ours[2])
        process.stop()

    def test_slow_downloads_of_one_lea_keep_no_other_from_a_byte(self):
        self.begin()
        # More than the kernels' buffers take, so that a client that reads nothing holds its slot.
        self.assert_status(201, self.daemon.put("big", bytes(24 << 20), Content_Type="video/mp4"))
        self.daemon.accept(message("u-1", attachments=[{"id": "a", "object": "big"}]))
        item = wait_until(lambda: [i for i in self.lea.items() if i.objects], "the item")[-1]
        path = urllib.parse.urlsplit(item.objects[0]["url"]).path
        slow = Client(self.port)
        with contextlib.ExitStack() as stack:
            for _ in range(130):
                raw = stack.enter_context(socket.socket())
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                raw.settimeout(60)
                raw.connect(("127.0.0.1", self.port))
                client = stack.enter_context(slow.context.wrap_socket(raw, server_hostname="127.0.0.1"))
                client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode("ascii"))
            answer = Client(self.port, "lea-two-fetch").ask(self.path_of(self.two))
            self.assertEqual((200, BYTES), (answer[0], answer[2]))

    def test_what_is_revoked_fetches_nothing_until_it_is_off_the_list(self):
        self.daemon.configuration["objectserver"]["tls"]["client_crl"] = revocation_list(self.directory)
        self.begin()
        path = self.path_of(self.lea)
        client = Client(self.port)
        self.assertEqual(200, client.ask(path)[0])
        revocation_list(self.directory, "lea-fetch")
        self.daemon.reload()
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            client.ask(path)
        revocation_list(self.directory)
        self.daemon.reload()
        self.assertEqual(200, client.ask(path)[0])

    def test_who_connects_is_not_told_which_authorities_are_trusted(self):
        self.begin()
        said = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-CAfile",
                               Certificates.path("csp-ca.pem")], input=b"", check=False, capture_output=True)
        self.assertIn(b"No client certificate CA names sent", said.stdout)

    def test_requests_of_one_certificate_are_limited(self):
        self.daemon.configuration["objectserver"]["requests_per_second"] = 1
        self.begin()
        mine, theirs = self.path_of(self.lea), self.path_of(self.two)
        answers = [Client(self.port).ask(mine, "HEAD")[0] for _ in range(30)]
        self.assertEqual({200, 429}, set(answers))
        self.assertEqual(200, Client(self.port, "lea-two-fetch").ask(theirs)[0], "another one's are its own")

    def test_a_download_below_the_least_rate_is_ended(self):
        self.daemon.configuration["objectserver"].update(min_rate="1MiB", min_rate_after="500ms")
        self.begin()
        size = 24 << 20
        self.assert_status(201, self.daemon.put("big", bytes(size), Content_Type="video/mp4"))
        self.daemon.accept(message("u-1", attachments=[{"id": "a", "object": "big"}]))
        item = wait_until(lambda: [i for i in self.lea.items() if i.objects], "the item")[-1]
        with Client(self.port).open(urllib.parse.urlsplit(item.objects[0]["url"]).path) as response:
            wait_until(lambda: self.daemon.metric("lihandover_downloads_total", destination="lea-one",
                                                  outcome="too_slow"), "who reads nothing is cut off")
            got = 0
            with contextlib.suppress(http.client.IncompleteRead, ConnectionError, ssl.SSLError):
                while part := response.read(1 << 20):
                    got += len(part)
            self.assertLess(got, size)

    def test_entries_of_fetches_have_their_share_and_cost_no_event(self):
        self.daemon.configuration["objectserver"]["requests_per_second"] = 0
        self.daemon.configuration["store"] = {"max_bytes": "64MiB"}
        self.begin()
        path = self.path_of(self.lea)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=Client(self.port).context, timeout=30)
        for _ in range(1200):
            connection.request("GET", path, headers={"Range": "bytes=0-0"})
            self.assertEqual(b"\0", connection.getresponse().read())
        connection.close()
        wait_until(lambda: self.daemon.metric("lihandover_downloads_unrecorded_total"), "beyond the share none is made")
        self.assertEqual(BYTES, Client(self.port, "lea-two-fetch").ask(self.path_of(self.two))[2])

    def test_sixteen_ranges_are_one_entry(self):
        self.begin()
        path = self.path_of(self.lea)
        ranges = ",".join(f"{2 * n}-{2 * n}" for n in range(16))
        self.assertEqual(206, Client(self.port).ask(path, Range=f"bytes={ranges}")[0])
        self.daemon.stop()
        with contextlib.closing(sqlite3.connect(os.path.join(self.daemon.state, "store.db"))) as store:
            tables = [row[0] for row in store.execute("SELECT name FROM sqlite_master WHERE type='table'")]
            told = "".join(str(row) for table in tables if table.startswith(("record", "audit"))
                           for row in store.execute(f"SELECT * FROM {table}"))
        self.assertEqual(1, told.count("in 16 ranges"), tables)


if __name__ == "__main__":
    unittest.main()
