"""A start lives with what a running daemon would live with."""

import os
import unittest

from harness import SOURCE, Daemon, Lea, SystemTest, message, wait_until


class Start(SystemTest):
    def setUp(self):
        super().setUp()
        self.one, self.two = Lea(self, "one"), Lea(self, "two")
        self.one.start()
        self.two.start()
        self.daemon = Daemon(self)
        self.daemon.destination("lea-one", self.one.port)
        self.daemon.destination("lea-two", self.two.port)
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"))
        self.daemon.warrant("LIID-2", "lea-two", ("user_id", "u-1"))

    def destination(self, name):
        return next(d for d in self.daemon.ctl_json("status")["destinations"] if d["name"] == name)

    def test_a_certificate_that_cannot_be_read_pauses_its_destination_alone(self):
        tls = self.daemon.configuration["destinations"]["lea-one"]["tls"]
        good, tls["certificate"] = tls["certificate"], os.path.join(self.directory, "nowhere.pem")
        self.assertEqual(1, self.daemon.check()[0], "a reload would be refused")
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        self.daemon.wait_delivered("lea-two")
        self.assertEqual(1, self.daemon.waiting("lea-one"))
        self.assertEqual("tls", self.destination("lea-one")["paused"])
        self.assertEqual(1, self.daemon.metric("lihandover_destination_paused", destination="lea-one", reason="tls"))
        self.assertTrue([a for a in self.daemon.ctl_json("status")["alarms"] if "lea-one cannot be used" in a])
        self.assertRegex(self.daemon.process.log(), r"lihandoverd\.yaml:\d+:\d+: .*certificate")
        self.assertEqual(0, self.one.totals()["messages"])
        tls["certificate"] = good
        self.daemon.write_configuration()
        self.daemon.reload()
        self.daemon.wait_delivered("lea-one")
        self.assertIsNone(self.destination("lea-one")["paused"])

    def test_a_ca_that_does_not_fit_stops_nobody_else(self):
        self.daemon.destination("lea-one", self.one.port, ca="csp-ca")
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        self.daemon.wait_delivered("lea-two")
        wait_until(lambda: self.destination("lea-one")["paused"] == "tls", "the destination is paused")

    def test_the_unit_asks_nobody_before_it_starts(self):
        with open(os.path.join(SOURCE, "packaging", "lihandoverd.service.in"), encoding="utf-8") as file:
            unit = [line.strip() for line in file if not line.startswith("#")]
        self.assertFalse([line for line in unit if "--check" in line or line.startswith("ExecStartPre")],
                         "one typo in a warrant file would keep the daemon down, and print targets into the journal")
        self.assertIn("LimitCORE=0", unit)
        self.assertIn("LimitMEMLOCK=infinity", unit)

    def test_one_bad_warrant_file_does_not_keep_the_daemon_down(self):
        self.daemon.warrant_text("bad.yaml", "liid: [oops\n")
        self.daemon.warrant_text("other.yml", "liid: LIID-3\n")
        self.assertEqual(2, self.daemon.check()[0])
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        self.daemon.wait_delivered()
        self.assertEqual(1, self.daemon.metric("lihandover_warrant_files_bad"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
