"""The Debian packages: what is in them, what lintian says, and what installing, upgrading, removing and purging do.

dpkg works in a directory of its own (--root) and runs the maintainer scripts from outside, as DPKG_ROOT tells them, so no
service is started: try_in_debian.py does that. LIHANDOVER_BUILD says which build is packaged."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import expressions

BUILD = os.environ.get("LIHANDOVER_BUILD", os.path.join(expressions.SOURCE, "build"))
TOOLS = ("dpkg", "dpkg-deb", "dpkg-shlibdeps", "systemd-sysusers", "systemd-tmpfiles")


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=600, **more)


def good(*command, **more):
    done = run(*command, **more)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def package(directory, **environment):
    """Makes both; by name."""
    out = good(os.path.join(expressions.SOURCE, "scripts", "package"), "--build", BUILD, "--output", directory,
               env={**os.environ, "DPKG_DEB_COMPRESSOR_TYPE": "gzip", "DPKG_DEB_COMPRESSOR_LEVEL": "1", **environment})
    return {os.path.basename(path).partition("_")[0]: path for path in out.split()}


def setUpModule():  # noqa: N802
    """Both packages in two versions, for all tests."""
    global TEMPORARY, FIRST, SECOND
    TEMPORARY = tempfile.TemporaryDirectory()
    FIRST = package(os.path.join(TEMPORARY.name, "first"), LIHANDOVER_PACKAGE_VERSION="1.0")
    SECOND = package(os.path.join(TEMPORARY.name, "second"), LIHANDOVER_PACKAGE_VERSION="1.1")


def tearDownModule():  # noqa: N802
    TEMPORARY.cleanup()


class Packages(unittest.TestCase):
    def contents(self, name):
        return {line.split()[5] for line in good("dpkg-deb", "--contents", FIRST[name]).splitlines()}

    def test_each_has_its_own(self):
        daemon, test = self.contents("lihandoverd"), self.contents("lihandoverd-test")
        for path in ("./usr/bin/lihandoverd", "./usr/bin/lihandoverctl", "./usr/lib/systemd/system/lihandoverd.service",
                     "./usr/lib/systemd/system/lihandoverd@.service", "./usr/share/man/man8/lihandoverd.8.gz",
                     "./usr/share/lihandoverd/prometheus/lihandoverd.rules.yaml",
                     "./usr/share/doc/lihandoverd/examples/lihandoverd.yaml", "./usr/share/doc/lihandoverd/copyright"):
            self.assertIn(path, daemon)
        self.assertEqual({"./usr/bin/lea-sim", "./usr/bin/x2x3-send"}, {path for path in test if path.startswith("./usr/bin/l")
                         or path.startswith("./usr/bin/x")})
        self.assertIn("./usr/share/man/man1/lea-sim.1.gz", test)
        self.assertFalse({path for path in daemon & test if not path.endswith("/")}, "both can be installed")
        self.assertFalse([path for path in daemon if path.startswith(("./etc", "./var", "./run"))],
                         "dpkg would remove at a purge what is there")

    def test_programs_are_stripped_and_name_no_place_of_the_build(self):
        with tempfile.TemporaryDirectory() as place:
            for name, path in FIRST.items():
                good("dpkg-deb", "--extract", path, place)
            for name in ("lihandoverd", "lihandoverctl", "lea-sim", "x2x3-send"):
                sections = good("readelf", "--section-headers", "--wide", os.path.join(place, "usr/bin", name))
                self.assertNotIn(".debug_info", sections)
                self.assertNotIn("RUNPATH", good("readelf", "--dynamic", os.path.join(place, "usr/bin", name)))

    def test_the_same_again_is_the_same(self):
        again = package(os.path.join(TEMPORARY.name, "again"), LIHANDOVER_PACKAGE_VERSION="1.0")
        for name, path in FIRST.items():
            with open(path, "rb") as one, open(again[name], "rb") as other:
                self.assertEqual(one.read(), other.read(), name)

    @unittest.skipUnless(shutil.which("lintian"), "lintian is not installed: the packages are NOT checked by it")
    def test_lintian_finds_no_error(self):
        done = run("lintian", "--allow-root", "--fail-on", "error", *FIRST.values())
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not installed: the scripts are NOT checked by it")
    def test_shellcheck_finds_nothing(self):
        folder = os.path.join(expressions.SOURCE, "packaging", "debian")
        scripts = [os.path.join(folder, "lihandoverd." + name) for name in ("postinst", "prerm", "postrm")]
        self.assertEqual("", run("shellcheck", *scripts).stdout)


@unittest.skipUnless(os.getuid() == 0, "this is not root: the maintainer scripts are NOT run")
class Life(unittest.TestCase):
    """Installed, upgraded, removed, purged."""

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.root = place.name
        for path in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "etc", "tmp"):
            os.makedirs(os.path.join(self.root, path))
        open(os.path.join(self.root, "var/lib/dpkg/status"), "w", encoding="utf-8").close()

    def dpkg(self, *arguments):
        return good("dpkg", "--root=" + self.root, "--force-script-chrootless", "--force-depends", *arguments)

    def write(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def there(self, path):
        return os.path.exists(os.path.join(self.root, path))

    def evidence(self):
        """What an operator and a daemon have put there."""
        self.write("etc/lihandoverd/lihandoverd.yaml", "state_dir: /srv/evidence   # a disk of its own\n")
        self.write("etc/lihandoverd/two.yaml", 'csp: {}\nstate_dir: "/srv/other evidence"\n')
        self.write("etc/lihandoverd/three.yaml", "'csp': {}\n\"state_dir\" : '/srv/third'\n")
        paths = ["var/lib/lihandoverd/store.db", "var/lib/lihandoverd-two/store.db", "srv/evidence/store.db",
                 "srv/other evidence/store.db", "srv/third/store.db", "var/lib/lihandoverd.before/store.db", "etc/lihandoverd/warrants.d/one.yaml", "etc/lihandoverd/keys/2026-11.key",
                 "etc/lihandoverd/lihandoverd.yaml"]
        for path in paths[:-1]:
            self.write(path, "precious")
        os.makedirs(os.path.join(self.root, "etc/systemd/system/multi-user.target.wants"))
        link = os.path.join(self.root, "etc/systemd/system/multi-user.target.wants/lihandoverd.service")
        os.symlink("/usr/lib/systemd/system/lihandoverd.service", link)
        return paths

    def test_life(self):
        out = self.dpkg("--install", FIRST["lihandoverd"], FIRST["lihandoverd-test"])
        self.assertIn("not started, since it is not configured", out)
        self.assertTrue(self.there("etc/lihandoverd/warrants.d"))
        with open(os.path.join(self.root, "etc/passwd"), encoding="utf-8") as file:
            self.assertIn("lihandoverd:", file.read())
        paths = self.evidence()

        out = self.dpkg("--install", SECOND["lihandoverd"])
        self.assertNotIn("not configured", out)
        self.assertIn("1.1", good("dpkg-query", "--admindir=" + os.path.join(self.root, "var/lib/dpkg"), "-W", "lihandoverd"))
        self.assertEqual([], [path for path in paths if not self.there(path)])

        self.dpkg("--remove", "lihandoverd", "lihandoverd-test")
        self.assertFalse(self.there("usr/bin/lihandoverd"))
        self.assertEqual([], [path for path in paths if not self.there(path)])

        out = self.dpkg("--purge", "lihandoverd")
        self.assertEqual([], [path for path in paths if not self.there(path)])
        for place in ("/var/lib/lihandoverd", "/var/lib/lihandoverd-two", "/var/lib/lihandoverd.before", "/srv/evidence",
                      "/srv/other evidence", "/srv/third"):
            self.assertIn(f"the record of all decisions, stay in {place}\n", out)
        self.assertIn("warrants and keys stay in /etc/lihandoverd", out)
        self.assertFalse(os.path.lexists(os.path.join(self.root,
                                                      "etc/systemd/system/multi-user.target.wants/lihandoverd.service")))

    def test_a_purge_leaves_nothing_behind_where_there_was_nothing(self):
        self.dpkg("--install", FIRST["lihandoverd"])
        out = self.dpkg("--purge", "lihandoverd")
        self.assertFalse(self.there("etc/lihandoverd"))
        self.assertNotIn("stay in", out)


if __name__ == "__main__":
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        print(f"NOT TESTED: the packages, since {', '.join(missing)} is missing (scripts/install-deps --test)")
        sys.exit(0)
    unittest.main(verbosity=2)
