"""`--check` explains every mistake with file, line, column and what is allowed, all of them in one run."""

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import unittest

from harness import LIHANDOVERD, SCHEMAS, SOURCE, Certificates, Daemon, Lea, SystemTest, check_file, message
from programs import Ports

GOOD = """\
csp: {{country_code: XX, unique_identifier: EXAMPLE-CSP}}
state_dir: {state}
warrants_dir: {warrants}
schemas_dir: {schemas}
intake:
  http:
    - name: local
      listen: "unix:{directory}/intake.sock"
    - name: messaging
      listen: 127.0.0.1:18441
      tls: {{certificate: {c}/intake.pem, private_key: {c}/intake.key, client_ca: {c}/csp-ca.pem}}
destinations:
  lea-one:
    url: https://lea.example.com:8443/hi
    tls: {{certificate: {c}/csp.pem, private_key: {c}/csp.key, ca: {c}/lea-ca.pem}}
    connections: 4
admin:
  listen: 127.0.0.1:19464
  control_socket: {directory}/control.sock
"""

WARRANT = """\
liid: LIID-0001
destination: lea-one
valid_from: 2026-01-01T00:00:00Z
valid_until: 2026-04-01T00:00:00Z
targets:
  - user_id: u-1001
deliver: [metadata, content]
"""

# What replaces what in the good configuration, and the line that has to be named. Each is a reason to refuse a reload, but
# for those of RUNS_ALL_THE_SAME.
RUNS_ALL_THE_SAME = ("expired certificate",)
MISTAKES = [
    ("unknown key", "state_dir:", "colour: blue\nstate_dir:", 2),
    ("unknown key below", "    connections: 4", "    connectoins: 4", 16),
    ("duplicate key", "    connections: 4", "    connections: 4\n    connections: 5", 17),
    ("out of bounds", "connections: 4", "connections: 0", 16),
    ("no number", "connections: 4", "connections: many", 16),
    ("bad country code", "country_code: XX", "country_code: Elbonia", 1),
    ("missing section", "csp: {{country_code: XX, unique_identifier: EXAMPLE-CSP}}\n", "", 1),
    ("bad URL", "url: https://lea.example.com:8443/hi", "url: http://lea.example.com/hi", 14),
    ("TCP without TLS",
     "      tls: {{certificate: {c}/intake.pem, private_key: {c}/intake.key, client_ca: {c}/csp-ca.pem}}\n", "", 10),
    ("no address", "listen: 127.0.0.1:18441", "listen: localhost", 10),
    ("relative path", "state_dir: {state}", "state_dir: state", 2),
    ("certificate that is not there", "certificate: {c}/csp.pem", "certificate: {c}/nowhere.pem", 15),
    ("key of another certificate", "private_key: {c}/csp.key", "private_key: {c}/csp-two.key", 15),
    ("CA that is no certificate", "ca: {c}/lea-ca.pem", "ca: {c}/lea-ca.key", 15),
    ("expired certificate", "certificate: {c}/csp.pem, private_key: {c}/csp.key",
     "certificate: {c}/csp-expired.pem, private_key: {c}/csp-expired.key", 15),
    ("schemas that are not there", "schemas_dir: {schemas}", "schemas_dir: {directory}", 4),
    ("feature that is not built", "    connections: 4", "    connections: 4\n    binary: {{model: B}}", 17),
    ("not YAML", "admin:", "admin: [", 17),
]

WARRANT_MISTAKES = [
    ("unknown key", "deliver:", "colour: blue\ndeliver:", 7),
    ("bad LIID", "liid: LIID-0001", "liid: 'not an LIID'", 1),
    ("missing LIID", "liid: LIID-0001\n", "", 1),
    ("unknown destination", "destination: lea-one", "destination: lea-nine", 2),
    ("no time", "valid_from: 2026-01-01T00:00:00Z", "valid_from: yesterday", 3),
    ("time without offset", "valid_from: 2026-01-01T00:00:00Z", "valid_from: 2026-01-01T00:00:00", 3),
    ("window upside down", "valid_until: 2026-04-01T00:00:00Z", "valid_until: 2025-04-01T00:00:00Z", 4),
    ("no targets", "targets:\n  - user_id: u-1001", "targets: []", 5),
    ("unknown target", "user_id: u-1001", "shoe_size: 44", 6),
    ("bad SIP URI", "user_id: u-1001", "sip_uri: alice", 6),
    ("only user names", "user_id: u-1001", "username: alice", 5),
    ("unknown part", "deliver: [metadata, content]", "deliver: [metadata, everything]", 7),
    ("deliver missing", "deliver: [metadata, content]\n", "", 1),
    ("binary to a destination without", "deliver: [metadata, content]", "deliver: [metadata, binary]", 7),
    ("unknown review", "deliver: [metadata, content]", "deliver: [metadata, content]\nreview: thrice", 8),
    ("bad XID", "deliver: [metadata, content]", "deliver: [metadata, content]\nxid: [29f28e1c]", 8),
    ("neither targets nor XIDs", "targets:\n  - user_id: u-1001\n", "", 1),
    ("not YAML", "targets:", "targets: {", 6),
]


class Check(SystemTest):
    def setUp(self):
        super().setUp()
        self.warrants = os.path.join(self.directory, "warrants.d")
        self.config = os.path.join(self.directory, "lihandoverd.yaml")
        os.makedirs(self.warrants)
        os.makedirs(os.path.join(self.directory, "state"), mode=0o700)

    def fill(self, text):
        return text.format(state=os.path.join(self.directory, "state"), warrants=self.warrants, schemas=SCHEMAS,
                           directory=self.directory, c=os.path.dirname(Certificates.path("x")))

    def write(self, path, text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def changed(self, text, old, new):
        self.assertIn(old, text)
        return text.replace(old, new, 1)

    def assert_problem(self, name, output, path, line):
        places = re.findall(rf"^{re.escape(path)}:(\d+):(\d+): (.+)$", output, re.M)
        self.assertTrue(places, f"{name}: {output}")
        self.assertIn(line, [int(p[0]) for p in places], f"{name}: {output}")

    def test_good_configuration_and_warrants_pass(self):
        self.write(self.config, self.fill(GOOD))
        self.write(os.path.join(self.warrants, "one.yaml"), WARRANT)
        status, output = check_file(self.config)
        self.assertEqual(0, status, output)
        self.assertEqual([], os.listdir(os.path.join(self.directory, "state")), "a look changes nothing")

    def test_each_mistake_of_the_configuration_is_explained(self):
        for name, old, new, line in MISTAKES:
            with self.subTest(name):
                self.write(self.config, self.fill(self.changed(GOOD, old, new)))
                status, output = check_file(self.config)
                self.assertEqual(2 if name in RUNS_ALL_THE_SAME else 1, status, output)
                self.assert_problem(name, output, self.config, line)

    def test_each_mistake_of_a_warrant_is_explained(self):
        self.write(self.config, self.fill(GOOD))
        path = os.path.join(self.warrants, "one.yaml")
        for name, old, new, line in WARRANT_MISTAKES:
            with self.subTest(name):
                self.write(path, self.changed(WARRANT, old, new))
                status, output = check_file(self.config)
                self.assertEqual(2, status, output)
                self.assert_problem(name, output, path, line)

    def test_all_mistakes_are_told_in_one_run(self):
        text = GOOD
        told = []
        for name in ("out of bounds", "bad URL", "no address", "certificate that is not there"):
            _, old, new, line = next(m for m in MISTAKES if m[0] == name)
            text = self.changed(text, old, new)
            told.append((name, line))
        self.write(self.config, self.fill(text))
        status, output = check_file(self.config)
        self.assertEqual(1, status)
        for name, line in told[:3]:
            self.assert_problem(name, output, self.config, line)

        text = self.changed(GOOD, "certificate: {c}/csp.pem", "certificate: {c}/nowhere.pem")
        self.write(self.config, self.fill(text))
        both = WARRANT
        lines = []
        for name in ("bad LIID", "unknown destination", "no time", "unknown target", "unknown part"):
            _, old, new, line = next(m for m in WARRANT_MISTAKES if m[0] == name)
            both = self.changed(both, old, new)
            lines.append((name, line))
        first, second = (os.path.join(self.warrants, n) for n in ("a.yaml", "b.yaml"))
        self.write(first, both)
        self.write(second, self.changed(WARRANT, "deliver: [metadata, content]", "deliver: nothing"))
        status, output = check_file(self.config)
        self.assertEqual(1, status)
        self.assert_problem("certificate that is not there", output, self.config, 15)
        for name, line in lines:
            self.assert_problem(name, output, first, line)
        self.assert_problem("deliver", output, second, 7)

    def test_same_warrant_in_two_files_is_told_of_both(self):
        self.write(self.config, self.fill(GOOD))
        paths = [os.path.join(self.warrants, n) for n in ("a.yaml", "b.yaml")]
        for path in paths:
            self.write(path, WARRANT)
        status, output = check_file(self.config)
        self.assertEqual(2, status)
        for path in paths:
            self.assertRegex(output, rf"(?m)^{re.escape(path)}:\d+:\d+: ")

    def test_file_that_is_not_there(self):
        status, output = check_file(self.config)
        self.assertEqual(1, status)
        self.assertIn(self.config, output)

    def test_example_configuration_passes_apart_from_its_paths(self):
        with open(os.path.join(SOURCE, "config/lihandoverd.yaml"), encoding="utf-8") as file:
            text = file.read()
        certificates = {"intake.pem": "intake.pem", "intake.key": "intake.key", "csp-ca.pem": "csp-ca.pem",
                        "lea-one.pem": "csp.pem", "lea-one.key": "csp.key", "lea-one-ca.pem": "lea-ca.pem"}
        for name, made in certificates.items():
            text = self.changed(text, "/etc/lihandoverd/tls/" + name, Certificates.path(made))
        text = text.replace("/etc/lihandoverd/warrants.d", self.warrants)
        text = text.replace("/usr/share/lihandoverd/schemas", SCHEMAS)
        text = text.replace("/var/lib/lihandoverd", os.path.join(self.directory, "state"))
        text = text.replace("/run/lihandoverd", self.directory)
        self.write(self.config, text)
        shutil.copy(os.path.join(SOURCE, "config/warrants.d/example.yaml"), self.warrants)
        status, output = check_file(self.config)
        self.assertEqual(0, status, output)

    def test_what_check_passes_starts(self):
        lea = Lea(self)
        lea.start()
        daemon = Daemon(self)
        daemon.destination("lea-one", lea.port)
        daemon.warrant("LIID-0001", "lea-one", ("user_id", "u-1"))
        status, output = daemon.check()
        self.assertEqual(0, status, output)
        daemon.start()


class CheckOfAStart(SystemTest):
    """`--check-start` says what a start does, beside the daemon that runs."""

    def setUp(self):
        super().setUp()
        self.daemon = Daemon(self)
        # Nobody listens there: items wait.
        for name in ("lea-one", "lea-two"):
            self.daemon.destination(name, Ports.take())
            self.daemon.warrant("LIID-0001", name, ("user_id", "u-1"))

    def says(self, status, words=""):
        """The check, and whether a restart does as it says."""
        got, output = self.daemon.check("--check-start")
        self.assertEqual(status, got, output)
        self.assertIn(words, output)
        if self.daemon.process.running():
            self.daemon.stop()
        self.daemon.start(ready=status != 1)
        if status == 1:
            self.assertEqual(1, self.daemon.process.wait())

    def test_a_missing_key_of_one_destination_keeps_no_daemon_down(self):
        self.daemon.start()
        self.says(0)
        self.daemon.configuration["destinations"]["lea-two"]["tls"]["private_key"] = os.path.join(self.directory, "none.key")
        self.assertEqual(1, self.daemon.check()[0], "a reload would be refused")
        self.says(2, "none.key")

    def test_a_store_of_a_newer_version(self):
        self.daemon.start()
        with contextlib.closing(sqlite3.connect(os.path.join(self.daemon.state, "store.db"))) as store:
            store.execute("PRAGMA user_version=999")
        self.assertEqual(0, self.daemon.check()[0], "which looks at no store")
        self.says(1, "newer version")

    def test_items_of_a_destination_that_is_missing(self):
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        self.says(0)
        os.unlink(os.path.join(self.daemon.warrants, "lea-two-LIID-0001.yaml"))
        del self.daemon.configuration["destinations"]["lea-two"]
        self.says(1, "lea-two is missing")

    def test_a_key_that_does_not_open_the_store(self):
        keys = []
        for name in ("one", "two"):
            keys.append(os.path.join(self.directory, name))
            with open(os.open(keys[-1], os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
                file.write(os.urandom(32).hex())
        self.daemon.configuration["encryption"] = {"key_files": keys[:1]}
        self.daemon.start()
        self.says(0)
        self.daemon.configuration["encryption"] = {"key_files": keys[1:]}
        self.says(1, "key")

    def test_a_group_that_no_socket_can_be_given_to(self):
        self.daemon.start()
        self.daemon.configuration["admin"]["group"] = "no-such-group"
        self.says(1, "no such group")

    @unittest.skipUnless(os.geteuid() == 0, "only root can be another user: a group of others is NOT tested")
    def test_a_group_that_the_daemon_is_not_in(self):
        self.daemon.configuration["admin"]["group"] = "games"
        self.daemon.write_configuration()
        os.chmod(self.directory, 0o755)
        for groups, status in (("--clear-groups", 1), ("--groups=games", 0)):
            made = os.path.join(self.directory, groups)
            os.mkdir(made, 0o700)
            os.chown(made, 65534, 65534)
            self.daemon.configuration["state_dir"] = made
            self.daemon.write_configuration()
            program = os.path.join(self.directory, "lihandoverd")
            shutil.copy(LIHANDOVERD, program)
            done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", groups, program, "--config",
                                   self.daemon.config_path, "--check-start"], capture_output=True, text=True, timeout=60)
            self.assertEqual(status == 1, "not in the group" in done.stdout, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
