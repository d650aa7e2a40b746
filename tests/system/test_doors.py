"""Who gets in: stalled clients, mutual TLS at the intake, modes of sockets."""

import hashlib
import http.client
import os
import socket
import ssl
import stat
import time
import unittest
import warnings

from harness import (PATIENCE, Answer, Certificates, Daemon, Lea, Ports, SystemTest, UnixConnection, client_context,
                     message, raise_descriptor_limit, to_json, wait_until)


class Doors(SystemTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.lea.start()
        self.daemon = Daemon(self)
        self.daemon.destination("lea-one", self.lea.port)
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"))
        self.port = Ports.take()
        self.daemon.configuration["intake"]["http"].append({
            "name": "messaging",
            "listen": f"127.0.0.1:{self.port}",
            "tls": {"certificate": Certificates.path("intake.pem"), "private_key": Certificates.path("intake.key"),
                    "client_ca": Certificates.path("csp-ca.pem")},
        })

    def post_over_tls(self, context, event):
        connection = http.client.HTTPSConnection("localhost", self.port, context=context, timeout=PATIENCE)
        try:
            connection.request("POST", "/v1/events", to_json(event), {"Content-Type": "application/json"})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def test_source_with_a_certificate_hands_in(self):
        self.daemon.start()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = client_context("source")
            context.minimum_version = context.maximum_version = version
            self.assert_status(202, self.post_over_tls(context, message("u-1", text=version.name)))
        self.daemon.wait_delivered()
        wait_until(lambda: len(self.lea.items()) == 2, "both arrived")
        self.assertEqual(2, self.daemon.metric("lihandover_events_received_total", source="messaging"))

    def test_nobody_else_gets_in(self):
        self.daemon.start()
        old = client_context("source")
        old.set_ciphers("DEFAULT@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        for name, context in (("no certificate", client_context()),
                              ("an unknown authority", client_context("stranger")),
                              ("another authority of ours", client_context("csp")), ("TLS 1.1", old)):
            with self.subTest(name):
                with self.assertRaises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
                    self.post_over_tls(context, message("u-1"))
        self.assertEqual(0, self.daemon.metric("lihandover_events_received_total", source="messaging"))
        # And in the clear there is nothing to be had.
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as plain:
            plain.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try:
                self.assertNotIn(b"HTTP/", plain.recv(4096))
            except ConnectionError:
                pass

    def test_only_named_clients_get_in_where_clients_are_named(self):
        with open(Certificates.path("source.pem"), encoding="ascii") as file:
            bytes = ssl.PEM_cert_to_DER_cert(file.read())
        self.daemon.configuration["intake"]["http"][1]["tls"]["clients"] = [hashlib.sha256(bytes).hexdigest()]
        self.daemon.start()
        self.assert_status(202, self.post_over_tls(client_context("source"), message("u-1")))
        self.assert_status(403, self.post_over_tls(client_context("source-two"), message("u-1")))

    def stalled(self, count, opening, address):
        held = []
        for _ in range(count):
            if isinstance(address, str):
                one = socket.socket(socket.AF_UNIX)
            else:
                one = socket.socket(socket.AF_INET)
            one.settimeout(PATIENCE)
            self.addCleanup(one.close)
            one.connect(address)
            one.sendall(opening)
            held.append(one)
        return held

    def test_stalled_connections_do_not_keep_out_the_next(self):
        raise_descriptor_limit(2048)
        self.daemon.start()
        openings = (b"", b"POST /v1/ev", b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                    b"Content-Length: 1000\r\n\r\n{")
        for opening in openings:
            self.stalled(100, opening, self.daemon.intake)
        self.daemon.accept(message("u-1", text="the 301st"))
        # TLS connections that never shake hands.
        self.stalled(300, b"", ("127.0.0.1", self.port))
        self.assert_status(202, self.post_over_tls(client_context("source"), message("u-1", text="the other 301st")))
        self.daemon.wait_delivered()
        self.assertEqual(200, self.daemon.ready_status())

    def test_uploads_of_one_source_leave_room_for_those_of_another(self):
        other = os.path.join(self.directory, "other.sock")
        self.daemon.configuration["intake"]["http"].append({"name": "other", "listen": "unix:" + other})
        self.daemon.configuration["store"] = {"max_bytes": "64MiB"}
        self.daemon.start()

        def put(address, name, size=1 << 20, send=True):
            connection = UnixConnection(address)
            try:
                connection.putrequest("PUT", "/v1/objects/" + name)
                connection.putheader("Content-Length", str(size))
                connection.endheaders()
                try:
                    connection.send(bytes(size if send else 0))
                except (BrokenPipeError, ConnectionResetError):
                    pass  # it has its answer
                return Answer(connection.getresponse()).status
            finally:
                connection.close()

        statuses = [put(self.daemon.intake, f"greedy-{number}") for number in range(64)]
        self.assertEqual(201, statuses[0])
        self.assertEqual(503, statuses[-1])
        self.assertGreater(statuses.count(201), 20, "about half of the room")
        for number in range(4):
            self.assertEqual(201, put(other, f"modest-{number}"))
        self.assertEqual(413, put(self.daemon.intake, "never", 40 << 20, send=False), "more than half of it")

    def test_slow_uploads_of_one_source_keep_no_other_from_its_answer(self):
        raise_descriptor_limit(2048)
        other = os.path.join(self.directory, "other.sock")
        self.daemon.configuration["intake"]["http"].append({"name": "other", "listen": "unix:" + other})
        self.daemon.start()
        uploading = b"PUT /v1/objects/slow-%d HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
        slow = [self.stalled(1, uploading % number + b"x" * 1000, self.daemon.intake)[0] for number in range(258)]
        # And bodies of events that do not come in, as many as their source may have at once and more.
        posting = (b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
                   b"Content-Length: 1000000\r\n\r\n")
        slow += self.stalled(258, posting + b"x" * 1000, self.daemon.intake)
        batch = b"".join(to_json(message("u-1", text=f"of the other, {i}")) + b"\n" for i in range(100))

        def hand_in(path):
            began = time.monotonic()
            connection = UnixConnection(path)
            try:
                connection.request("POST", "/v1/events", batch, {"Content-Type": "application/x-ndjson"})
                return Answer(connection.getresponse()), time.monotonic() - began
            finally:
                connection.close()

        for _ in range(3):
            for one in slow:
                one.sendall(b"x")  # they go on, slowly
            answer, seconds = hand_in(other)
            self.assert_status(202, answer)
            # It was 45 s. A wait for room would be seconds at the least, on whatever machine.
            self.assertLess(seconds, 10)
        self.assertLess(hand_in(self.daemon.intake)[1], 20, "the slow one's own is answered, too, if with 503")

    def test_garbage_is_refused_and_harms_nobody(self):
        self.daemon.start()
        post = b"POST /v1/events HTTP/1.1\r\nHost: x\r\n"
        for bytes in (b"\0" * 100000, b"GET " + b"x" * 100000 + b" HTTP/1.1\r\n\r\n",
                       b"POST /v1/events HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
                       post + b"Content-Length: -1\r\n\r\n",
                       post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                       post + b"Transfer-Encoding: chunked\r\n\r\nZZZ\r\n",
                       post + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
                       b"\x16\x03\x01garbage after a request"):
            with socket.socket(socket.AF_UNIX) as one:
                one.settimeout(PATIENCE)
                one.connect(self.daemon.intake)
                received = b""
                try:
                    one.sendall(bytes)
                    one.shutdown(socket.SHUT_WR)
                    while more := one.recv(65536):
                        received += more
                except (BrokenPipeError, ConnectionResetError):
                    pass
                self.assertNotIn(b" 202 ", received)
        self.daemon.accept(message("u-1"))

    def test_sockets_have_their_modes(self):
        self.daemon.start()
        for path, mode in ((self.daemon.intake, 0o660), (self.daemon.control, 0o600)):
            found = os.stat(path).st_mode
            self.assertTrue(stat.S_ISSOCK(found))
            self.assertEqual(mode, found & 0o777, path)
        # A stale one is replaced.
        self.daemon.process.kill()
        self.assertTrue(os.path.exists(self.daemon.intake))
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        self.daemon.stop()
        self.assertFalse(os.path.exists(self.daemon.intake))

    def test_metrics_on_a_unix_socket_are_for_those_who_may_open_it(self):
        path = os.path.join(self.directory, "metrics.sock")
        self.daemon.configuration["admin"].update({"listen": "unix:" + path, "listen_mode": "0600"})
        self.daemon.start(ready=False)

        def get(target):
            connection = UnixConnection(path)
            try:
                connection.request("GET", target)
                return Answer(connection.getresponse())
            except OSError:
                return None
            finally:
                connection.close()

        def ready():
            answer = get("/readyz")
            return answer is not None and answer.status == 200
        wait_until(ready, "it is ready")
        self.assertEqual(0o600, stat.S_IMODE(os.stat(path).st_mode))
        self.assertIn(b"lihandover_ready 1", get("/metrics").body)


if __name__ == "__main__":
    unittest.main(verbosity=2)
