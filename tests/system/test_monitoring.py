"""What Prometheus gets from a running daemon is what it likes, and what the rules of packaging/prometheus are about."""

import http.client
import os
import re
import shutil
import subprocess
import unittest

from harness import SOURCE, Certificates, Daemon, Lea, SystemTest, message
from programs import Ports


class Monitoring(SystemTest):
    def setUp(self):
        super().setUp()
        lea = Lea(self, "one")
        lea.start()
        self.daemon = Daemon(self)
        self.daemon.destination("lea-one", lea.port)
        self.daemon.configuration["intake"]["x2x3"] = [{
            "name": "as-1", "listen": f"127.0.0.1:{Ports.take()}", "service": "ims",
            "tls": {"certificate": Certificates.path("csp.pem"), "private_key": Certificates.path("csp.key"),
                    "client_ca": Certificates.path("csp-ca.pem")}}]
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"))
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        self.daemon.wait_delivered("lea-one")

    def page(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.admin_port, timeout=30)
        self.addCleanup(connection.close)
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode("utf-8")

    def test_every_series_that_a_rule_names_is_there_before_it_counts(self):
        """One that appears with its first count has no increase that anybody could see."""
        there = set(re.findall(r"^(\w+)[{ ]", self.page(), re.M))
        with open(os.path.join(SOURCE, "packaging", "prometheus", "lihandoverd.rules.yaml"), encoding="utf-8") as file:
            named = set(re.findall(r"(?<!:)\blihandover_\w+", "".join(
                line for line in file if not line.lstrip().startswith(("#", "- alert", "- record", "runbook", "summary")))))
        named = {name for name in named if f":{name}:" not in name}
        self.assertGreater(len(named), 30)
        self.assertEqual(set(), named - there)

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed (Debian's prometheus): the page is NOT checked")
    def test_promtool_finds_nothing(self):
        done = subprocess.run(["promtool", "check", "metrics"], input=self.page(), capture_output=True, text=True, timeout=60)
        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))


if __name__ == "__main__":
    unittest.main(verbosity=2)
