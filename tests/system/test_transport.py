"""TLS files that change while the daemon runs, pre-shared keys, suites, and stapled answers about certificates."""

import http.client
import os
import shutil
import ssl
import subprocess
import threading
import unittest

from harness import (PATIENCE, Answer, Certificates, Daemon, Lea, Ports, SystemTest, client_context, inline,
                     message, to_json, wait_until)
from programs.x2x3 import PointOfInterception
from test_connections import revocation_list


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

    def test_a_new_revocation_list_counts_without_a_reload(self):
        self.daemon.configuration["destinations"]["lea-one"]["tls_crl"] = revocation_list(self.directory)
        self.daemon.start()
        self.delivers()
        self.assertGreater(self.ends(kind="crl"), 1_700_000_000)
        revocation_list(self.directory, "lea")

        def paused():
            self.daemon.accept(message("u-1"))
            return self.daemon.metric("lihandover_destination_paused", destination="lea-one", reason="tls")
        wait_until(paused, "the LEA is refused")
        revocation_list(self.directory)
        self.daemon.wait_delivered("lea-one")

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


KEY = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
OTHER_KEY = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
# What GnuTLS is to speak: pre-shared keys with elliptic curves or without, in either version.
GNUTLS_13 = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK:+DHE-PSK:-CIPHER-ALL:+AES-128-GCM"
GNUTLS_12 = "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-PSK:+DHE-PSK"


def key_file(directory, name="lea.psk", key=KEY):
    path = os.path.join(directory, name)
    descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key + "\n")
    os.rename(path + ".new", path)
    return path


class Peer:
    """A program that listens as an LEA that knows the key, and prints what it is told. It answers nothing."""

    def __init__(self, test, *command):
        self.path = os.path.join(test.directory, f"{command[0]}-{os.urandom(4).hex()}.out")
        with open(self.path, "wb") as out:
            # The end of its input would end its connections.
            self.popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT)
        test.addCleanup(self.stop)

    def stop(self):
        self.popen.kill()
        self.popen.wait()
        self.popen.stdin.close()

    def said(self):
        with open(self.path, "rb") as file:
            return file.read()

    def was_told(self):
        return b"<DELIVER" in self.said()


class PreSharedKeys(SystemTest):
    def setUp(self):
        super().setUp()
        self.key = key_file(self.directory)
        self.port = Ports.take()
        self.daemon = Daemon(self)
        self.daemon.configuration["tls_reload_interval"] = "100ms"
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"))

    def destination(self, **tls):
        self.daemon.destination("lea-one", self.port)["tls"] = {
            "psk": {"identity": "csp-1", "key_file": self.key}, **tls}

    def openssl_server(self, *more):
        return Peer(self, "openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-nocert", "-psk_identity", "csp-1",
                    "-psk", KEY, "-quiet", *more)

    def gnutls_server(self, priority):
        path = os.path.join(self.directory, "passwords")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"csp-1:{KEY}\n")
        return Peer(self, "gnutls-serv", "--port", str(self.port), "--pskpasswd", path, "--priority", priority, "--http")

    def hands_over_to(self, peer):
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        wait_until(peer.was_told, "the peer reads the message")
        self.assertFalse(self.daemon.metric("lihandover_delivery_attempts_total", destination="lea-one",
                                            outcome="tls_failed"))
        self.assertNotIn(KEY[:16], self.daemon.logs() + self.daemon.ctl("status"))

    def test_openssl_takes_it_in_tls_13(self):
        self.destination()
        self.hands_over_to(self.openssl_server("-tls1_3"))

    def test_openssl_takes_it_in_tls_12(self):
        for suite in ("ECDHE-PSK-CHACHA20-POLY1305", "DHE-PSK-AES256-GCM-SHA384"):
            with self.subTest(suite):
                self.destination()
                peer = self.openssl_server("-tls1_2", "-cipher", suite)
                self.hands_over_to(peer)
                self.daemon.stop()
                peer.stop()

    def test_openssl_takes_a_suite_of_rfc_5489_where_it_was_agreed(self):
        self.destination(suites=["TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA384"])
        self.hands_over_to(self.openssl_server("-tls1_2", "-cipher", "ECDHE-PSK-AES256-CBC-SHA384"))

    def test_a_wrong_key_pauses_and_nothing_is_sent_until_it_is_mended(self):
        key_file(self.directory, key=OTHER_KEY)
        self.destination()
        peer = self.openssl_server()
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        wait_until(lambda: self.daemon.metric("lihandover_destination_paused", destination="lea-one", reason="tls"),
                   "it pauses")
        self.assertFalse(peer.was_told())
        key_file(self.directory)
        wait_until(peer.was_told, "the file is read again, and the message sent")

    def test_a_server_with_a_certificate_alone_is_not_believed(self):
        self.destination()
        lea = Lea(self, port=self.port)
        lea.start()
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        wait_until(lambda: self.daemon.metric("lihandover_destination_paused", destination="lea-one", reason="tls"),
                   "it pauses")
        self.assertEqual(0, lea.totals()["messages"])

    def test_a_certificate_beside_it_will_do(self):
        self.destination(certificate=Certificates.path("csp.pem"), private_key=Certificates.path("csp.key"),
                         ca=Certificates.path("lea-ca.pem"))
        lea = Lea(self, port=self.port)
        lea.start()
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        self.daemon.wait_delivered("lea-one")

    def test_a_key_that_others_may_read_is_refused(self):
        self.destination()
        os.chmod(self.key, 0o644)
        self.daemon.write_configuration()
        status, output = self.daemon.check()
        self.assertEqual(1, status)
        self.assertIn("lea.psk: is open to others", output)
        self.assertNotIn(KEY[:16], output)

    @unittest.skipUnless(shutil.which("gnutls-serv"), "gnutls-bin is not installed")
    def test_gnutls_takes_it(self):
        for priority in (GNUTLS_13, GNUTLS_12):
            with self.subTest(priority):
                self.destination()
                peer = self.gnutls_server(priority)
                self.daemon.start()
                self.daemon.accept(message("u-1"))
                # It answers a POST with a page of its own.
                wait_until(lambda: self.daemon.metric("lihandover_delivery_attempts_total", destination="lea-one",
                                                      outcome="senseless_answer") or peer.was_told(), "it is reached")
                self.assertFalse(self.daemon.metric("lihandover_delivery_attempts_total", destination="lea-one",
                                                    outcome="tls_failed"))
                self.daemon.stop()
                peer.stop()


class PreSharedKeysOfClients(SystemTest):
    """An LEA fetches objects with a pre-shared key (Model A)."""

    BYTES = b"bytes of an object" * 50

    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.lea.start()
        self.port = Ports.take()
        self.daemon = Daemon(self)
        self.daemon.configuration["tls_reload_interval"] = "100ms"
        self.daemon.configuration["objectserver"] = {
            "listen": f"127.0.0.1:{self.port}", "public_url": f"https://127.0.0.1:{self.port}/objects/",
            "tls": {"certificate": Certificates.path("objects.pem"), "private_key": Certificates.path("objects.key"),
                    "client_ca": Certificates.path("lea-ca.pem")}}
        self.key = key_file(self.directory)
        self.other_key = key_file(self.directory, "other.psk", OTHER_KEY)
        for name, identity, path in (("lea-one", "lea-one", self.key), ("lea-two", "lea-two", self.other_key)):
            self.daemon.destination(name, self.lea.port, binary={
                "model": "A", "expiry": "1h", "client_psks": [{"identity": identity, "key_file": path}]})
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"), deliver=["metadata", "content", "binary"])
        self.daemon.start()
        self.daemon.accept(message("u-1", attachments=[inline("a", self.BYTES)]))
        item = wait_until(lambda: [i for i in self.lea.items() if i.objects], "the item")[0]
        self.id = item.objects[0]["url"].rsplit("/", 1)[1]
        self.request = (f"GET /objects/{self.id} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")

    def run_client(self, *command):
        """What the server answers; empty if the handshake fails."""
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as client:
            try:
                client.stdin.write(self.request.encode())
                client.stdin.flush()  # its end would end the connection
            except BrokenPipeError:
                pass
            watchdog = threading.Timer(PATIENCE, client.kill)
            watchdog.start()
            answer = client.stdout.read()
            watchdog.cancel()
            try:
                client.stdin.close()
            except BrokenPipeError:
                pass
        return answer

    def openssl_client(self, *more, identity="lea-one", key=KEY):
        return self.run_client("openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-psk_identity", identity,
                               "-psk", key, "-quiet", *more)

    def test_openssl_fetches_in_both_versions_and_the_record_says_with_which_key(self):
        for options in (("-tls1_3",), ("-tls1_2", "-cipher", "ECDHE-PSK-CHACHA20-POLY1305"),
                        ("-tls1_2", "-cipher", "DHE-PSK-AES128-GCM-SHA256")):
            with self.subTest(options):
                answer = self.openssl_client(*options)
                self.assertIn(b"HTTP/1.1 200", answer)
                self.assertIn(self.BYTES, answer)
        wait_until(lambda: "psk:lea-one" in self.daemon.ctl("audit", "export"), "it is on record")
        self.assertNotIn(KEY[:16], self.daemon.logs() + self.daemon.ctl("status") + self.daemon.ctl("audit", "export"))

    def test_nobody_else_gets_it(self):
        self.assertIn(b"HTTP/1.1 404", self.openssl_client(identity="lea-two", key=OTHER_KEY))
        for version in ("-tls1_2", "-tls1_3"):
            self.assertEqual(b"", self.openssl_client(version, key=OTHER_KEY))
            self.assertEqual(b"", self.openssl_client(version, identity="nobody"))
        self.assertEqual(b"", self.openssl_client("-tls1_2", "-cipher", "PSK-AES128-GCM-SHA256"), "without forward secrecy")

    def test_one_lea_with_a_bad_key_file_is_nobody_elses_trouble(self):
        key_file(self.directory, "other.psk", "half a k")
        wait_until(lambda: self.daemon.metric("lihandover_tls_files_bad", role="objectserver") == 1, "it is said")
        self.assertIn(b"HTTP/1.1 404", self.openssl_client(identity="lea-two", key=OTHER_KEY), "with the key from before")
        third = "ab" * 32
        key_file(self.directory, key=third)
        wait_until(lambda: b"HTTP/1.1 200" in self.openssl_client(key=third), "the others' files are taken")
        self.daemon.reload()
        self.assertIn(b"HTTP/1.1 404", self.openssl_client(identity="lea-two", key=OTHER_KEY))
        self.assertTrue([a for a in self.daemon.ctl_json("status")["alarms"] if "other.psk" in a])
        # A start goes on, and that one is not let in.
        self.daemon.restart()
        self.assertIn(b"HTTP/1.1 200", self.openssl_client(key=third))
        self.assertEqual(b"", self.openssl_client(identity="lea-two", key=OTHER_KEY))
        self.assertTrue([a for a in self.daemon.ctl_json("status")["alarms"] if "other.psk" in a])
        key_file(self.directory, "other.psk", OTHER_KEY)
        wait_until(lambda: b"HTTP/1.1 404" in self.openssl_client(identity="lea-two", key=OTHER_KEY), "once it is mended")
        wait_until(lambda: self.daemon.metric("lihandover_tls_files_bad", role="objectserver") == 0, "it is said no more")

    def test_a_changed_key_counts_and_the_old_one_no_longer(self):
        third = "ab" * 32
        key_file(self.directory, key=third)
        wait_until(lambda: b"HTTP/1.1 200" in self.openssl_client(key=third), "the new key is taken")
        self.assertEqual(b"", self.openssl_client())

    @unittest.skipUnless(shutil.which("gnutls-cli"), "gnutls-bin is not installed")
    def test_gnutls_fetches(self):
        # The client of 3.7.9 crashes after any handshake of TLS 1.2 with a key, whoever the server is.
        answer = self.run_client("gnutls-cli", "--port", str(self.port), "--pskusername", "lea-one", "--pskkey", KEY,
                                 "--priority", GNUTLS_13, "--logfile", os.devnull, "127.0.0.1")
        self.assertIn(b"HTTP/1.1 200", answer)


class Suites(SystemTest):
    def test_what_rfc_9325_forbids_is_a_mistake_of_the_configuration(self):
        daemon = Daemon(self)
        tls = daemon.destination("lea-one", Ports.take())["tls"]
        for option, value in (("suites", "TLS_RSA_WITH_AES_128_GCM_SHA256"), ("suites", "TLS_RSA_WITH_RC4_128_SHA"),
                              ("groups", "secp192r1")):
            with self.subTest(value):
                tls[option] = [value]
                daemon.write_configuration()
                status, output = daemon.check()
                self.assertEqual(1, status)
                self.assertIn(f"destinations.lea-one.tls.{option}[0]: not one of the choices; allowed: ", output)
                del tls[option]

    def test_a_listener_speaks_what_was_chosen_and_a_reload_changes_it(self):
        daemon, port = Daemon(self), Ports.take()
        tls = {"certificate": Certificates.path("intake.pem"), "private_key": Certificates.path("intake.key"),
               "client_ca": Certificates.path("csp-ca.pem"), "suites": ["TLS_AES_256_GCM_SHA384"],
               "groups": ["secp384r1"]}
        daemon.configuration["intake"]["x2x3"] = [{"name": "as-1", "listen": f"127.0.0.1:{port}", "tls": tls}]
        daemon.start()

        def agreed(*options):
            done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
            return done.stdout
        self.assertIn("TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384", agreed())
        self.assertIn("Server Temp Key: ECDH, secp384r1", agreed())
        self.assertIn("Cipher is (NONE)", agreed("-tls1_2"))
        self.assertIn("Cipher is (NONE)", agreed("-groups", "x25519"))
        tls["suites"], tls["groups"] = ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"], ["x25519"]
        daemon.write_configuration()
        daemon.reload()
        self.assertIn("TLSv1.2, Cipher is ECDHE-ECDSA-AES128-GCM-SHA256", agreed())
        self.assertIn("Cipher is (NONE)", agreed("-tls1_3"))


class Stapling(SystemTest):
    def setUp(self):
        super().setUp()
        self.port = Ports.take()
        self.daemon = Daemon(self)
        self.daemon.destination("lea-one", self.port)
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"))

    def answer(self, certificate, state):
        """An OCSP response of lea-ca on that certificate, as a file."""
        serial = openssl("x509", "-noout", "-serial", "-in", certificate, text=True).stdout.strip().split("=")[1]
        index = os.path.join(self.directory, "index.txt")
        revoked = "250101000000Z" if state == "R" else ""
        with open(index, "w", encoding="ascii") as file:
            file.write(f"{state}\t401231235959Z\t{revoked}\t{serial}\tunknown\t/CN=lea\n")
        path = os.path.join(self.directory, "answer.der")
        ca, key = Certificates.path("lea-ca.pem"), Certificates.path("lea-ca.key")
        openssl("ocsp", "-index", index, "-CA", ca, "-rsigner", ca, "-rkey", key, "-issuer", ca, "-cert", certificate,
                "-ndays", "1", "-respout", path)
        return path

    def server(self, pair, *more):
        return Peer(self, "openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-cert", pair + ".pem", "-key",
                    pair + ".key", "-Verify", "1", "-CAfile", Certificates.path("lea-ca.pem"), "-quiet", *more)

    def is_refused(self, reason):
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        wait_until(lambda: self.daemon.metric("lihandover_destination_paused", destination="lea-one", reason="tls"),
                   "it pauses")
        self.assertIn(reason, self.daemon.logs())

    def test_a_good_answer_is_taken(self):
        pair = issue(self.directory, "stapled", "lea-ca", "serverAuth", extensions=["tlsfeature=status_request"])
        peer = self.server(pair, "-status_file", self.answer(pair + ".pem", "V"))
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        wait_until(peer.was_told, "the message is sent")

    def test_a_revoked_certificate_is_refused(self):
        pair = issue(self.directory, "stapled", "lea-ca", "serverAuth")
        peer = self.server(pair, "-status_file", self.answer(pair + ".pem", "R"))
        self.is_refused("certificate revoked")
        self.assertFalse(peer.was_told())

    def test_a_certificate_that_demands_an_answer_is_refused_without_one(self):
        pair = issue(self.directory, "stapled", "lea-ca", "serverAuth", extensions=["tlsfeature=status_request"])
        peer = self.server(pair)
        self.is_refused("OCSP")
        self.assertFalse(peer.was_told())


if __name__ == "__main__":
    unittest.main()
