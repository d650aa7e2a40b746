"""TLS 1.2 renegotiation: nobody needs it, and nobody who asks for it does harm."""

import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))

from harness import Certificates, Daemon, Lea, Ports, SystemTest, message, wait_until  # noqa: E402


class OpenSsl:
    """`openssl s_server` or `s_client`, with its standard input under our control."""

    def __init__(self, test, *arguments):
        self.log_path = os.path.join(test.directory, f"openssl.{time.monotonic_ns()}.log")
        with open(self.log_path, "wb") as log:
            self.popen = subprocess.Popen(["openssl", *arguments], stdin=subprocess.PIPE, stdout=log,
                                          stderr=subprocess.STDOUT)
        test.addCleanup(self.end)

    def said(self):
        with open(self.log_path, "rb") as file:
            return file.read()

    def say(self, bytes):
        self.popen.stdin.write(bytes)
        self.popen.stdin.flush()

    def end(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        if not self.popen.stdin.closed:
            try:
                self.popen.stdin.close()
            except BrokenPipeError:
                pass




class Renegotiation(SystemTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.daemon = Daemon(self)
        self.daemon.destination("lea-one", self.lea.port, timeout="2s")
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"))

    def test_lea_that_asks_for_it_gets_its_item_later(self):
        server = OpenSsl(self, "s_server", "-accept", f"127.0.0.1:{self.lea.port}", "-tls1_2",
                         "-cert", Certificates.path("lea.pem"), "-key", Certificates.path("lea.key"),
                         "-CAfile", Certificates.path("lea-ca.pem"), "-Verify", "3")
        wait_until(lambda: b"ACCEPT" in server.said(), "openssl listens")
        self.daemon.start()
        event = message("u-1", text="through all of this")
        self.daemon.accept(event)
        wait_until(lambda: b"</HI1Message>" in server.said(), "the message came to openssl")
        for _ in range(3):
            server.say(b"r\n")  # asks the client to renegotiate
            server.say(b"R\n")  # and that with its certificate
        wait_until(lambda: (self.daemon.metric("lihandover_delivery_attempts_total") or 0) >= 1, "the attempt failed")
        self.assertTrue(self.daemon.process.running())
        self.assertEqual(1, self.daemon.waiting())
        server.end()
        self.lea.start()
        self.daemon.wait_delivered()
        self.assertEqual([event["event_id"]], [i.csp_text("eventId") for i in self.lea.items() if i.accepted])

    def test_source_that_asks_for_it_harms_nobody(self):
        port = Ports.take()
        self.daemon.configuration["intake"]["http"].append({"name": "messaging", "listen": f"127.0.0.1:{port}", "tls": {
            "certificate": Certificates.path("intake.pem"), "private_key": Certificates.path("intake.key"),
            "client_ca": Certificates.path("csp-ca.pem")}})
        self.lea.start()
        self.daemon.start()
        client = OpenSsl(self, "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2",
                         "-cert", Certificates.path("source.pem"), "-key", Certificates.path("source.key"),
                         "-CAfile", Certificates.path("csp-ca.pem"))
        wait_until(lambda: b"---\n" in client.said() and b"Verify return code" in client.said(), "openssl is connected")
        client.say(b"R\n")
        wait_until(lambda: b"RENEGOTIATING" in client.said(), "openssl asks")
        wait_until(lambda: client.popen.poll() is not None or b"error" in client.said(), "it is refused")
        for _ in range(3):
            self.daemon.accept(message("u-1"))
        self.daemon.wait_delivered()
        self.assertEqual(3, len(self.lea.items()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
