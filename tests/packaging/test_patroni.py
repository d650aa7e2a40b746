"""The templates of packaging/patroni, filled in as its README says: whoever reads them at the end takes them."""

import contextlib
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

import yaml  # noqa: E402

from programs import check_file  # noqa: E402
from programs.cluster import TEMPLATES, Values, daemon_files, fill, missing, program  # noqa: E402
from programs.process import PATIENCE  # noqa: E402

DATABASES, DAEMONS = ("db1", "db2", "db3"), ("csp-a", "csp-b", "csp-c")
OF_DATABASES, OF_DAEMONS, OF_FRONT = ("etcd.in", "patroni.yml.in"), ("lihandoverd.yaml.in",), ("haproxy.cfg.in",)

needs_servers = unittest.skipIf(missing(), f"not installed, so the templates are NOT tested with them: {', '.join(missing())}")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


class Templates(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = temporary.name
        self.values = Values(self)

    def text(self, template, machine, **more):
        return self.values.text(template, self.values.of(machine, **more))

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def example(self, machine):
        return fill.values_of(os.path.join(TEMPLATES, "values.ini"), machine)

    def test_the_example_has_all_that_templates_want_and_nothing_else(self):
        wanted = set()
        for templates, machines in ((OF_DATABASES, DATABASES), (OF_DAEMONS, DAEMONS), (OF_FRONT, ("front",))):
            for template in templates:
                with open(os.path.join(TEMPLATES, template), encoding="utf-8") as file:
                    names = fill.names_in(file.read())
                wanted |= names
                for machine in machines:
                    self.assertLessEqual(names, set(self.example(machine)), f"{template} of {machine}")
        had = {name for machine in (*DATABASES, *DAEMONS, "front") for name in self.example(machine)}
        self.assertEqual(wanted, had)

    def test_what_has_no_value_is_said(self):
        done = run(os.path.join(TEMPLATES, "fill.py"), os.path.join(TEMPLATES, "values.ini"), "db1",
                   os.path.join(TEMPLATES, "patroni.yml.in"))
        self.assertNotEqual(0, done.returncode)
        self.assertIn("REPLICATION_PASSWORD", done.stderr)
        self.assertEqual("", done.stdout)
        done = run(os.path.join(TEMPLATES, "fill.py"), os.path.join(TEMPLATES, "values.ini"), "csp-b",
                   os.path.join(TEMPLATES, "lihandoverd.yaml.in"))
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertIn("node: csp-b ", done.stdout)

    def test_commits_wait_for_a_second_server_whatever_happens(self):
        for machine in DATABASES:
            dcs = yaml.safe_load(self.text("patroni.yml.in", machine))["bootstrap"]["dcs"]
            self.assertIs(True, dcs["synchronous_mode"])
            self.assertIs(True, dcs["synchronous_mode_strict"])
            self.assertEqual("on", dcs["postgresql"]["parameters"]["synchronous_commit"])
            self.assertLessEqual(dcs["loop_wait"] + 2 * dcs["retry_timeout"], dcs["ttl"])

    def test_nobody_comes_over_the_network_without_certificate_and_password(self):
        configuration = yaml.safe_load(self.text("patroni.yml.in", "db1"))
        self.assertEqual(configuration["bootstrap"]["pg_hba"], configuration["postgresql"]["pg_hba"])
        for line in configuration["postgresql"]["pg_hba"]:
            kind, *_, last = line.split()
            self.assertIn((kind, last), (("local", "peer"), ("hostssl", "clientcert=verify-ca")))
            if kind == "hostssl":
                self.assertIn("scram-sha-256", line)

    @needs_servers
    def test_patroni_takes_its_configuration(self):
        with contextlib.ExitStack() as open_sockets:
            # It wants to reach etcd.
            for number in (1, 2, 3):
                listener = open_sockets.enter_context(socket.socket())
                listener.bind((self.values.common[f"DB{number}"], int(self.values.common["ETCD_PORT"])))
                listener.listen()
            for machine in DATABASES:
                text = self.text("patroni.yml.in", machine, POSTGRESQL_DATA=f"{self.directory}/data")
                done = run(program("patroni"), "--validate-config", self.write("good.yml", text))
                self.assertEqual((0, ""), (done.returncode, done.stdout + done.stderr))
                broken = self.write("broken.yml", text.replace("ttl: 20", "ttl: long"))
                self.assertNotEqual(0, run(program("patroni"), "--validate-config", broken).returncode)

    @needs_servers
    def test_haproxy_takes_its_configuration(self):
        path = self.write("haproxy.cfg", self.text("haproxy.cfg.in", "front"))
        done = run(program("haproxy"), "-c", "-f", path)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertNotIn("WARNING", done.stdout + done.stderr)

    @needs_servers
    def test_etcd_takes_its_environment(self):
        flags = set(re.findall(r"--([a-z-]+)", run(program("etcd"), "--help").stdout))
        for machine in DATABASES:
            for word in shlex.split(self.text("etcd.in", machine), comments=True):
                name, value = word.split("=", 1)
                self.assertTrue(name.startswith("ETCD_") and value, word)
                self.assertIn(name[5:].lower().replace("_", "-"), flags)

    def test_the_daemon_takes_its_configuration(self):
        files = daemon_files(self, "a-password")
        for machine in DAEMONS:
            state = os.path.join(self.directory, machine)
            os.mkdir(state, 0o700)
            path = self.write(f"{machine}.yaml", self.text("lihandoverd.yaml.in", machine, STATE_DIR=state,
                                                           CONTROL_SOCKET=f"{state}/control.sock", **files))
            status, output = check_file(path)
            self.assertEqual(0, status, output)


if __name__ == "__main__":
    unittest.main()
