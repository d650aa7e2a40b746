"""What `cmake --install` installs is whole, and systemd takes it."""

import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
import unittest

import expressions

BUILD = os.environ.get("LIHANDOVER_BUILD", os.path.join(expressions.SOURCE, "build-debug"))
UNITS = ("lihandoverd.service", "lihandoverd@.service")
MOST_EXPOSURE = 15  # tenths
# What `systemd-analyze security` would like to see and the unit does not do; its comments say why.
EXCEPTIONS = {"ProtectClock", "SystemCallFilter_clock", "SystemCallFilter_privileged", "PrivateUsers", "PrivateNetwork",
              "RestrictAddressFamilies_AF_INET_INET6", "RestrictAddressFamilies_AF_UNIX", "IPAddressDeny",
              "RootDirectoryOrRootImage"}

needs_systemd = unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed: the units are NOT tested")


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **more)


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.root = cls.temporary.name
        os.chmod(cls.root, 0o755)
        done = run("cmake", "--install", BUILD, env={**os.environ, "DESTDIR": cls.root})
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def read(self, *parts):
        with open(self.path(*parts), encoding="utf-8") as file:
            return file.read()

    def unit(self, name):
        return self.path("usr/lib/systemd/system", name)

    def test_all_that_is_named_is_there(self):
        for path in ("bin/lihandoverd", "bin/lihandoverctl", "share/man/man8/lihandoverd.8", "share/man/man1/lihandoverctl.1",
                     "share/man/man5/lihandoverd.yaml.5", "share/man/man5/lihandoverd-warrant.5",
                     "share/bash-completion/completions/lihandoverctl", "share/zsh/vendor-completions/_lihandoverctl",
                     "share/fish/vendor_completions.d/lihandoverctl.fish", "share/lihandoverd/schemas/event.schema.json",
                     "share/lihandoverd/schemas/ts_103707_messaging.xsd", "share/lihandoverd/grafana/operations.json",
                     "share/lihandoverd/prometheus/lihandoverd.rules.yaml", "share/doc/lihandoverd/operations.md",
                     "share/doc/lihandoverd/examples/lihandoverd.yaml",
                     "share/doc/lihandoverd/examples/warrants.d/example.yaml",
                     "share/doc/lihandoverd/examples/lihandoverd.service.d/addresses.conf",
                     "share/doc/lihandoverd/examples/patroni/patroni.yml.in", "share/doc/lihandoverd/examples/patroni/fill.py",
                     "lib/sysusers.d/lihandoverd.conf", "lib/tmpfiles.d/lihandoverd.conf"):
            self.assertTrue(os.path.isfile(self.path("usr", path)), path)
        self.assertFalse(os.path.exists(self.path("usr/bin/lea-sim")), "a test LEA is no part of an installation")

    def test_paths_that_documents_name_are_installed(self):
        named = set(re.findall(r"/usr/(?:share|lib)/[\w./@-]+\w", self.read("usr/share/doc/lihandoverd/operations.md")))
        self.assertIn("/usr/share/lihandoverd/prometheus/lihandoverd.rules.yaml", named)
        for path in sorted(named):
            self.assertTrue(os.path.exists(self.path(path.lstrip("/"))), path)

    def test_units_differ_by_the_name_of_the_instance_alone(self):
        one, several = (self.read("usr/lib/systemd/system", name) for name in UNITS)
        self.assertIn("--config /etc/lihandoverd/lihandoverd.yaml\n", one)
        self.assertIn("--config /etc/lihandoverd/%i.yaml\n", several)
        self.assertIn("\nStateDirectory=lihandoverd-%i\n", several)
        self.assertIn("\nRuntimeDirectory=lihandoverd-%i\n", several)
        self.assertEqual(one.splitlines()[2:], several.replace("/%i.yaml", "/lihandoverd.yaml").replace(", %i", "")
                         .replace("lihandoverd-%i", "lihandoverd").splitlines()[2:])

    @needs_systemd
    def test_systemd_can_read_the_units(self):
        for name in UNITS:
            copy = self.path(name.replace("@", "@one"))
            # The program has to be where the unit says.
            with open(copy, "w", encoding="utf-8") as file:
                file.write(self.read("usr/lib/systemd/system", name).replace("=/usr/bin/", f"={self.path('usr/bin')}/"))
            done = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", copy)
            self.assertEqual((0, ""), (done.returncode, done.stderr))

    @needs_systemd
    def test_exposure_is_low_and_each_exception_is_explained(self):
        for name in UNITS:
            done = run("systemd-analyze", "security", "--offline=yes", f"--threshold={MOST_EXPOSURE}", "--no-pager",
                       self.unit(name))
            self.assertEqual(0, done.returncode, "\n".join(done.stdout.splitlines()[-3:]) + done.stderr)
            done = run("systemd-analyze", "security", "--offline=yes", "--json=short", self.unit(name))
            open_ones = {found["json_field"] for found in json.loads(done.stdout) if found.get("exposure")}
            self.assertEqual(EXCEPTIONS, open_ones)
        text = self.read("usr/lib/systemd/system", UNITS[0])
        reasons = text[text.index("# What `systemd-analyze security`"):]
        for word in ("ProtectClock", "~@clock", "~@privileged", "PrivateUsers", "PrivateNetwork", "AF_INET", "AF_UNIX",
                     "IPAddressDeny", "RootDirectory"):
            self.assertIn(word, reasons)

    @needs_systemd
    def test_drop_ins_are_understood(self):
        directory = self.path("usr/share/doc/lihandoverd/examples/lihandoverd.service.d")
        for name in sorted(os.listdir(directory)):
            if name == "notify-reload.conf":
                continue  # of a later systemd
            with tempfile.TemporaryDirectory() as place:
                unit = os.path.join(place, "lihandoverd.service")
                with open(unit, "w", encoding="utf-8") as file:
                    file.write(self.read("usr/lib/systemd/system", UNITS[0]).replace("=/usr/bin/", f"={self.path('usr/bin')}/"))
                os.mkdir(unit + ".d")
                shutil.copy(os.path.join(directory, name), unit + ".d")
                done = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit,
                           env={**os.environ, "SYSTEMD_UNIT_PATH": place + ":"})
                self.assertEqual((0, ""), (done.returncode, done.stderr), name)

    def test_promises_of_the_unit(self):
        lines = self.read("usr/lib/systemd/system", UNITS[0]).splitlines()
        for line in ("Type=notify", "WatchdogSec=60", "LimitCORE=0", "LimitMEMLOCK=infinity", "MemorySwapMax=0",
                     "Restart=on-failure", "StateDirectoryMode=0700"):
            self.assertIn(line, lines)

    @unittest.skipUnless(shutil.which("systemd-sysusers") and shutil.which("systemd-tmpfiles") and os.getuid() == 0,
                         "systemd-sysusers or systemd-tmpfiles is not installed, or this is not root: NOT tested")
    def test_user_group_and_directories(self):
        os.makedirs(self.path("etc"), exist_ok=True)
        done = run("systemd-sysusers", "--root=" + self.root, "lihandoverd.conf")
        self.assertEqual(0, done.returncode, done.stderr)
        user = next(line.split(":") for line in self.read("etc/passwd").splitlines() if line.startswith("lihandoverd:"))
        self.assertEqual("/usr/sbin/nologin", user[6])
        self.assertRegex(self.read("etc/group"), r"(?m)^lihandoverd-intake:[^:]*:\d+:lihandoverd$")
        done = run("systemd-tmpfiles", "--root=" + self.root, "--create", "lihandoverd.conf")
        self.assertEqual(0, done.returncode, done.stderr)
        for name in ("", "warrants.d", "tls", "keys"):
            found = os.stat(self.path("etc/lihandoverd", name))
            self.assertEqual((0o750, 0, int(user[3])), (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid), name)

    def test_the_example_is_good_once_the_certificates_are_in(self):
        place = self.path("example")
        for name in ("tls", "warrants.d", "run", "state"):
            os.makedirs(os.path.join(place, name), exist_ok=True)
        os.chmod(os.path.join(place, "state"), 0o700)
        done = run(os.path.join(expressions.SOURCE, "scripts", "make-test-certificates"), os.path.join(place, "made"))
        self.assertEqual(0, done.returncode, done.stderr)
        for name, made in (("intake.pem", "intake.pem"), ("intake.key", "intake.key"), ("csp-ca.pem", "csp-ca.pem"),
                           ("lea-one.pem", "csp.pem"), ("lea-one.key", "csp.key"), ("lea-one-ca.pem", "lea-ca.pem")):
            shutil.copy(os.path.join(place, "made", made), os.path.join(place, "tls", name))
        shutil.copy(self.path("usr/share/doc/lihandoverd/examples/warrants.d/example.yaml"), os.path.join(place, "warrants.d"))
        text = self.read("usr/share/doc/lihandoverd/examples/lihandoverd.yaml")
        for before, after in (("/etc/lihandoverd", place), ("/var/lib/lihandoverd", place + "/state"),
                              ("/run/lihandoverd", place + "/run"), ("/usr/share/lihandoverd", self.path("usr/share/lihandoverd"))):
            self.assertIn(before, text)
            text = text.replace(before, after)
        configuration = os.path.join(place, "lihandoverd.yaml")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(text)
        done = run(self.path("usr/bin/lihandoverd"), "--config", configuration, "--check")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
