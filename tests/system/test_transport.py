"""TLS files that change while the daemon runs."""

import http.client
import os
import shutil
import ssl
import subprocess
import threading
import unittest

from harness import (PATIENCE, Answer, Certificates, Daemon, Lea, Ports, SystemTest, client_context, message, to_json,
                     wait_until)
from programs.x2x3 import PointOfInterception


def openssl(*arguments, **more):
    return subprocess.run(["openssl", *arguments], check=True, stdin=subprocess.DEVNULL, capture_output=True, **more)


def issue(directory, name, authority, usage, days=3650, extensions=()):
    """A key and a certificate for localhost as NAME.key and NAME.pem."""
    path = os.path.join(directory, name)
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path + ".key")
    openssl("req", "-new", "-key", path + ".key", "-subj", f"/O=lihandoverd test/CN={name}", "-out", path + ".csr")
    with open(path + ".ext", "w", encoding="ascii") as file:
        file.write("\n".join(["basicConstraints=critical,CA:false", "keyUsage=critical,digitalSignature",
                              f"extendedKeyUsage={usage}", "subjectAltName=DNS:localhost,IP:127.0.0.1", *extensions, ""]))
    openssl("x509", "-req", "-in", path + ".csr", "-CA", Certificates.path(f"{authority}.pem"),
            "-CAkey", Certificates.path(f"{authority}.key"), "-set_serial", str(int.from_bytes(os.urandom(8), "big")),
            "-sha256", "-days", str(days), "-extfile", path + ".ext", "-out", path + ".pem")
    return path


def put(source, place):
    """Replaces a file in one step."""
    shutil.copyfile(source, place + ".new")
    os.rename(place + ".new", place)


class Swapped(SystemTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.lea.start()
        self.daemon = Daemon(self)
        self.daemon.configuration["tls_reload_interval"] = "100ms"
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"))
        self.own = os.path.join(self.directory, "own")
        for suffix in (".pem", ".key"):
            put(Certificates.path("csp" + suffix), self.own + suffix)
        self.daemon.destination("lea-one", self.lea.port)["tls"].update(
            certificate=self.own + ".pem", private_key=self.own + ".key")

    def bad(self, name="lea-one", role="destination"):
        return self.daemon.metric("lihandover_tls_files_bad", role=role, name=name)

    def ends(self, name="lea-one", role="destination", kind="own", number="1"):
        return self.daemon.metric("lihandover_certificate_expiry_timestamp_seconds", role=role, name=name, kind=kind,
                                  number=number)

    def delivers(self):
        marker = message("u-1")
        self.daemon.accept(marker)
        wait_until(lambda: [i for i in self.lea.items() if i.csp_text("eventId") == marker["event_id"]],
                   "the item is delivered")

    def test_a_pair_that_does_not_match_leaves_what_was_there(self):
        self.daemon.start()
        self.delivers()
        renewed = issue(self.directory, "renewed", "lea-ca", "clientAuth", days=30)
        before = self.ends()
        put(renewed + ".pem", self.own + ".pem")
        wait_until(lambda: self.bad() == 1, "the mismatch is seen")
        alarms = [a for a in self.daemon.ctl_json("status")["alarms"] if "TLS files of lea-one" in a]
        self.assertIn("the private key does not belong to the first certificate", alarms[0])
        self.assertRegex(self.daemon.process.log(), "TLS files have changed and cannot be used.* name=lea-one")
        self.assertEqual(before, self.ends())
        self.delivers()
        partial = self.daemon.metric("lihandover_reloads_total", outcome="partial") or 0
        self.daemon.ctl("reload", expect=1)
        self.assertIn("does not belong", self.daemon.ctl_json("status")["last_reload"]["problems"][0])
        self.assertEqual(partial + 1, self.daemon.metric("lihandover_reloads_total", outcome="partial"))
        self.assertEqual(1, self.bad())
        self.delivers()
        put(renewed + ".key", self.own + ".key")
        wait_until(lambda: self.bad() == 0, "the other half is there")
        self.assertLess(self.ends(), before)
        self.assertFalse([a for a in self.daemon.ctl_json("status")["alarms"] if "TLS files" in a])
        self.delivers()

    def test_other_files_by_other_names_have_to_be_good(self):
        self.daemon.start()
        tls = self.daemon.configuration["destinations"]["lea-one"]["tls"]
        tls["private_key"] = Certificates.path("csp-two.key")
        self.daemon.write_configuration()
        failed = self.daemon.metric("lihandover_reloads_total", outcome="failed") or 0
        self.daemon.reload()
        self.assertEqual(failed + 1, self.daemon.metric("lihandover_reloads_total", outcome="failed"))
        self.delivers()

    def test_a_destination_that_could_not_start_does_when_its_files_come(self):
        os.unlink(self.own + ".key")
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        self.assertEqual(1, self.daemon.waiting("lea-one"))
        wait_until(lambda: self.bad() == 1, "the metric says so")
        put(Certificates.path("csp.key"), self.own + ".key")
        self.daemon.wait_delivered("lea-one")
        self.assertEqual(0, self.bad())
        self.assertFalse([a for a in self.daemon.ctl_json("status")["alarms"] if "lea-one" in a])

    def test_certificates_swapped_under_load_cost_no_delivery(self):
        self.daemon.start()
        pairs = [issue(self.directory, f"pair-{n}", "lea-ca", "clientAuth", days=1000 + 10 * n) for n in range(4)]
        posted, stop = [], threading.Event()

        def post():
            while not stop.is_set():
                events = [message("u-1") for _ in range(5)]
                self.daemon.accept(*events)
                posted.extend(event["event_id"] for event in events)
        posting = self.in_background(post)
        try:
            for pair in pairs:
                before, count = self.ends(), len(posted)
                for suffix in (".pem", ".key"):
                    put(pair + suffix, self.own + suffix)
                wait_until(lambda: self.ends() != before and len(posted) > count + 50, "the new pair is in force")
        finally:
            stop.set()
            posting.join()
        self.daemon.wait_delivered("lea-one")
        got = sorted(i.csp_text("eventId") for i in self.lea.items())
        self.assertEqual(sorted(posted), got, "each once: no exchange was broken off")
        for outcome in ("connect_failed", "tls_failed", "timed_out", "disconnected"):
            self.assertFalse(self.daemon.metric("lihandover_delivery_attempts_total", destination="lea-one",
                                                outcome=outcome), outcome)

    def test_listeners_take_changed_files_and_keep_their_connections(self):
        ports = {"messaging": Ports.take(), "as-1": Ports.take()}
        server = os.path.join(self.directory, "server")
        for suffix in (".pem", ".key"):
            put(Certificates.path("intake" + suffix), server + suffix)
        tls = {"certificate": server + ".pem", "private_key": server + ".key",
               "client_ca": Certificates.path("csp-ca.pem")}
        intake = self.daemon.configuration["intake"]
        intake["http"].append({"name": "messaging", "listen": f"127.0.0.1:{ports['messaging']}", "tls": tls})
        intake["x2x3"] = [{"name": "as-1", "listen": f"127.0.0.1:{ports['as-1']}", "tls": tls}]
        self.daemon.start()

        def shown(port):
            return ssl.get_server_certificate(("127.0.0.1", port), timeout=PATIENCE)
        before = {name: shown(port) for name, port in ports.items()}
        source = http.client.HTTPSConnection("localhost", ports["messaging"], context=client_context("source"),
                                             timeout=PATIENCE)
        self.addCleanup(source.close)

        def post():
            source.request("POST", "/v1/events", to_json(message("u-1")), {"Content-Type": "application/json"})
            return Answer(source.getresponse())
        self.assert_status(202, post())
        kept = source.sock
        with PointOfInterception(ports["as-1"]) as point:
            point.acknowledged()
            renewed = issue(self.directory, "renewed", "csp-ca", "serverAuth", days=30)
            for suffix in (".pem", ".key"):
                put(renewed + suffix, server + suffix)
            for name, port in ports.items():
                wait_until(lambda: shown(port) != before[name], "the new certificate is shown", PATIENCE)
            point.acknowledged()  # the old connection goes on
        self.assert_status(202, post())
        self.assertIs(kept, source.sock)

    def test_every_end_is_told(self):
        soon = issue(self.directory, "soon", "lea-ca", "clientAuth", days=13)
        for suffix in (".pem", ".key"):
            put(soon + suffix, self.own + suffix)
        put(Certificates.path("leas-ca.pem"), os.path.join(self.directory, "leas-ca.pem"))
        tls = self.daemon.configuration["destinations"]["lea-one"]["tls"]
        tls["ca"] = os.path.join(self.directory, "leas-ca.pem")
        self.daemon.start()
        status = self.daemon.ctl_json("status")
        told = [(c["role"], c["name"], c["kind"], c["number"]) for c in status["certificates"]]
        self.assertEqual([("destination", "lea-one", "own", 1), ("destination", "lea-one", "ca", 1),
                          ("destination", "lea-one", "ca", 2)], told, "the first to end first")
        for kind, number in (("own", "1"), ("ca", "1"), ("ca", "2")):
            self.assertGreater(self.ends(kind=kind, number=number), 1_700_000_000)
        # Thirteen days are its whole life, so it is not renewed yet.
        self.assertFalse([a for a in status["alarms"] if "ends at" in a])
        self.assertRegex(self.daemon.ctl("status"), r"lea-one +destination +ca +2 +20")
        for suffix in (".pem", ".key"):
            put(Certificates.path("csp-expired" + suffix), self.own + suffix)
        wait_until(lambda: [a for a in self.daemon.ctl_json("status")["alarms"]
                            if a.startswith("the certificate of lea-one ends at")], "an alarm says so")
        self.assertRegex(self.daemon.process.log(), "own.pem: the certificate expired at")


if __name__ == "__main__":
    unittest.main()
