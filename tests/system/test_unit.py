"""The daemon makes no system call that its systemd unit forbids (packaging/lihandoverd.service.in, SystemCallFilter)."""

import glob
import os
import re
import shutil
import subprocess
import unittest

from harness import LIHANDOVERD, SOURCE, Certificates, Daemon, Lea, SystemTest, inline, message, wait_until
from programs import Ports

# Allowed, and watched all the same: that it is seen shows that calls are.
WITNESS = "clock_adjtime"


def expand(name):
    """The calls of a group, as systemd-analyze knows it."""
    if not name.startswith("@"):
        return {name}
    out = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True, text=True, check=True,
                         timeout=60).stdout
    lines = [line.strip() for line in out.splitlines()[1:]]
    return set().union(*(expand(line) for line in lines if line and not line.startswith("#")))


def allowed_calls():
    """By the unit's lines, in their order: the first says that only what is listed is allowed."""
    calls = expand("@default")
    with open(os.path.join(SOURCE, "packaging", "lihandoverd.service.in"), encoding="utf-8") as file:
        for without, names in re.findall(r"^SystemCallFilter=(~?)(.*)$", file.read(), re.M):
            listed = set().union(*(expand(name) for name in names.split()))
            calls = calls - listed if without else calls | listed
    return calls


def can_trace():
    return shutil.which("systemd-analyze") and shutil.which("strace") and subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-qq", "-o", os.devnull, "true"], stderr=subprocess.DEVNULL).returncode == 0


@unittest.skipIf(os.environ.get("LIHANDOVER_SANITIZED"), "a sanitizer makes calls of its own")
@unittest.skipUnless(can_trace(), "systemd-analyze or strace is missing, or may not trace: the unit's filter is NOT tested")
class Unit(SystemTest):
    def setUp(self):
        super().setUp()
        self.trace = os.path.join(self.directory, "trace")
        program = os.path.join(self.directory, "traced")
        watched = ",".join("?" + name for name in sorted(allowed_calls() - {WITNESS}))
        with open(program, "w", encoding="utf-8") as file:
            # -D: the daemon is our own child, and gets our signals.
            file.write(f"#!/bin/sh\nexec strace -D -f -qq --seccomp-bpf -e signal=none -e 'trace=!{watched}' -o {self.trace}.$$ "
                       f"{LIHANDOVERD} \"$@\"\n")
        os.chmod(program, 0o755)
        lea = Lea(self, "one")
        lea.start()
        self.daemon = Daemon(self, lihandoverd=program)
        self.daemon.destination("lea-one", lea.port, binary={
            "model": "B", "expiry": "1h", "url_template": f"https://127.0.0.1:{lea.port}/binaryData/{{object_identifier}}/"})
        tls = {"certificate": Certificates.path("intake.pem"), "private_key": Certificates.path("intake.key"),
               "client_ca": Certificates.path("csp-ca.pem")}
        self.daemon.configuration["intake"]["x2x3"] = [
            {"name": "as-1", "listen": f"127.0.0.1:{Ports.take()}", "service": "ims", "tls": tls}]
        # A group of its own, which takes chown.
        self.daemon.configuration["admin"]["group"] = "root" if os.geteuid() == 0 else ""
        if os.geteuid() != 0:
            del self.daemon.configuration["admin"]["group"]
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"), deliver=["metadata", "content", "binary"])

    def traces(self):
        """Whether a strace of ours still runs: detached, it ends a little after the daemon."""
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as file:
                    if self.trace.encode() in file.read():
                        return True
            except OSError:
                pass  # it has ended
        return False

    def test_its_filter_lets_through_all_that_it_does(self):
        self.daemon.start()
        self.daemon.accept(message("u-1", attachments=[inline("a1", b"picture", content_type="image/jpeg")]))
        self.daemon.put("later", b"a clip")
        self.daemon.accept(message("u-1", attachments=[{"id": "a2", "object": "later", "content_type": "video/mp4"}]))
        self.daemon.wait_delivered("lea-one")
        self.daemon.reload()
        for command in (["status"], ["items"], ["warrants"], ["audit", "export"], ["clock", "accept"]):
            self.daemon.ctl(*command)
        self.daemon.restart()
        self.daemon.stop()
        wait_until(lambda: not self.traces(), "strace has written all")
        files = glob.glob(self.trace + ".*")
        self.assertEqual(2, len(files), "one for each start")
        for path in files:
            with open(path, encoding="utf-8") as file:
                seen = set(re.findall(r"^\d+ +(\w+)\(", file.read(), re.M))
            self.assertEqual({WITNESS}, seen, "its unit would forbid the others")


if __name__ == "__main__":
    unittest.main(verbosity=2)
