"""Operators as the kernel names them: lihandoverctl run as several users."""

import os
import shutil
import subprocess
import tempfile

from harness import LIHANDOVERCTL, SystemTest


class UsersTest(SystemTest):
    """Only root can be several users. A daemon has to be there before prepare()."""

    ANN, BOB, CAT = 20001, 20002, 20003

    def prepare(self):
        # Where others can run it, wherever the programs lie.
        self.command = os.path.join(self.daemon.directory, "lihandoverctl")
        shutil.copy(LIHANDOVERCTL, self.command)
        os.chmod(self.command, 0o755)

    def start(self):
        self.daemon.start()
        self.let_in()

    def let_in(self):
        os.chmod(self.daemon.control, 0o666)
        path = os.path.dirname(self.daemon.control)
        while path not in (tempfile.gettempdir(), "/"):
            os.chmod(path, os.stat(path).st_mode | 0o055)
            path = os.path.dirname(path)

    def run_as(self, uid, *arguments, groups=()):
        """Runs lihandoverctl as that user: exit status and output."""
        member = ["--groups=" + ",".join(map(str, groups))] if groups else ["--clear-groups"]
        done = subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", *member, self.command, "--socket",
                               self.daemon.control, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=120)
        return done.returncode, done.stdout + done.stderr

    def by(self, uid, *arguments, status=0, groups=()):
        """The same, with the exit status that is expected."""
        got, output = self.run_as(uid, *arguments, groups=groups)
        self.assertEqual(status, got, output)
        return output
