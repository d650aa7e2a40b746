"""How an LEA is reached: proxies, second URLs, revocation lists, and what a reload leaves alone."""

import os
import socket
import subprocess
import threading
import unittest

from harness import Certificates, Daemon, Lea, Ports, SystemTest, message, wait_until

PASSWORD = "word-of-the-proxy"


class Proxy:
    """An HTTP proxy that knows only CONNECT; counts connections and keeps their heads."""

    def __init__(self, test, status="200 OK"):
        self.status = status
        self.heads = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        test.addCleanup(self.close)
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.socket.close()

    def accept(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            got = client.recv(1)
            if not got:
                client.close()
                return
            head += got
        self.heads.append(head.decode())
        client.sendall(f"HTTP/1.1 {self.status}\r\n\r\n".encode())
        if not self.status.startswith("200"):
            client.close()
            return
        host, port = head.split()[1].decode().rsplit(":", 1)
        server = socket.create_connection((host, int(port)))
        for one, other in ((client, server), (server, client)):
            threading.Thread(target=self.pass_on, args=(one, other), daemon=True).start()

    @staticmethod
    def pass_on(one, other):
        try:
            while got := one.recv(65536):
                other.sendall(got)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (one, other):
                end.close()


def revocation_list(directory, *revoked, authority="lea-ca"):
    """A revocation list of an authority with these certificates (names, or files) on it, as a file."""
    path = os.path.join(directory, "lists")
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "index.txt"), "w", encoding="ascii") as index:
        for name in revoked:
            file = name if os.path.isabs(name) else Certificates.path(f"{name}.pem")
            serial = subprocess.run(["openssl", "x509", "-noout", "-serial", "-in", file], check=True,
                                    capture_output=True, text=True).stdout.strip().split("=")[1]
            index.write(f"R\t401231235959Z\t250101000000Z\t{serial}\tunknown\t/CN={os.path.basename(name)}\n")
    with open(os.path.join(path, "ca.cnf"), "w", encoding="ascii") as file:
        file.write(f"[ca]\ndefault_ca=own\n[own]\ndatabase={path}/index.txt\ndefault_md=sha256\ndefault_crl_days=1\n")
    made = os.path.join(directory, f"{authority}.crl")
    subprocess.run(["openssl", "ca", "-gencrl", "-config", f"{path}/ca.cnf", "-cert",
                    Certificates.path(f"{authority}.pem"), "-keyfile", Certificates.path(f"{authority}.key"), "-out",
                    made + ".new"], check=True, capture_output=True)
    os.rename(made + ".new", made)
    return made


class Connections(SystemTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.lea.start()
        self.daemon = Daemon(self)
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"))

    def destination(self, **more):
        self.daemon.destination("lea-one", self.lea.port, **more)

    def delivers(self):
        marker = message("u-1")
        self.daemon.accept(marker)
        wait_until(lambda: [i for i in self.lea.items() if i.csp_text("eventId") == marker["event_id"] and i.accepted],
                   "the item is delivered")

    def test_a_proxy_with_credentials_leads_to_the_lea(self):
        proxy = Proxy(self)
        self.destination(proxy=f"http://li:{PASSWORD}@127.0.0.1:{proxy.port}")
        self.daemon.start()
        self.delivers()
        self.assertTrue(proxy.heads[0].startswith(f"CONNECT 127.0.0.1:{self.lea.port} HTTP/1.1\r\n"), proxy.heads)
        self.assertIn("Proxy-Authorization: Basic ", proxy.heads[0])
        self.assertNotIn(PASSWORD, self.daemon.logs())
        self.assertNotIn(PASSWORD, self.daemon.ctl("status"))

    def test_a_proxy_that_refuses_is_no_reason_to_give_up(self):
        proxy = Proxy(self, "503 Service Unavailable")
        self.destination(proxy=f"http://127.0.0.1:{proxy.port}")
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        wait_until(lambda: len(proxy.heads) > 2, "it is tried again")
        proxy.status = "200 OK"
        self.daemon.wait_delivered()

    def test_a_reload_of_the_same_files_drops_no_connection(self):
        proxy = Proxy(self)
        self.destination(proxy=f"http://127.0.0.1:{proxy.port}", connections=1)
        self.daemon.start()
        self.delivers()
        for _ in range(3):
            self.daemon.reload()
            self.delivers()
        self.assertEqual(1, len(proxy.heads))
        self.daemon.configuration["destinations"]["lea-one"]["headers"] = {"User-Agent": "Other/1.0"}
        self.daemon.write_configuration()
        self.daemon.reload()
        self.delivers()
        self.assertEqual(2, len(proxy.heads))

    def test_a_busy_connection_is_renewed(self):
        proxy = Proxy(self)
        self.destination(proxy=f"http://127.0.0.1:{proxy.port}", connections=1, connection_lifetime="1s")
        self.daemon.start()

        def renewed():
            self.delivers()
            return len(proxy.heads) > 2
        wait_until(renewed, "the connection is renewed twice")

    def test_the_second_url_is_used_while_the_first_is_out(self):
        self.destination()
        destination = self.daemon.configuration["destinations"]["lea-one"]
        destination["urls"] = [f"https://127.0.0.1:{Ports.take()}/hi", destination.pop("url")]
        self.daemon.start()
        self.delivers()
        self.delivers()

    def test_what_is_revoked_is_refused_until_it_is_off_the_list(self):
        crl = revocation_list(self.directory, "lea")
        self.destination(tls_crl=crl)
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        wait_until(lambda: self.daemon.metric("lihandover_destination_paused", destination="lea-one"), "a pause")
        self.assertEqual([], self.lea.items())
        revocation_list(self.directory)
        self.daemon.reload()
        self.daemon.wait_delivered()
        self.delivers()
        # And on the list again: connections that are open are not used any more.
        revocation_list(self.directory, "lea")
        self.daemon.reload()
        arrived = len(self.lea.items())
        self.daemon.accept(message("u-1"))
        wait_until(lambda: self.daemon.metric("lihandover_destination_paused", destination="lea-one"), "a pause")
        self.assertEqual(arrived, len(self.lea.items()))


if __name__ == "__main__":
    unittest.main()
