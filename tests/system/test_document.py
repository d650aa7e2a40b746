"""Every command of docs/operations.md that speaks to the daemon, run as it stands there. What else it shows (packages, services,
backup) is run by tests/packaging/try_in_debian.py, which has a machine of its own."""

import json
import os
import shlex
import stat
import subprocess
import unittest

from harness import LIHANDOVERD, Daemon, Lea, message, wait_until
from programs import document
from users import UsersTest

OURS = {"lihandoverctl", "lihandoverd", "openssl"}
# What the document is about in these sections needs no daemon of a certain kind, or is prepared below.
REVIEWERS, GROUP = "games", 60


@unittest.skipIf(os.geteuid() != 0, "only root can be several users: the commands of docs/operations.md are NOT run")
class Document(UsersTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.lea.start(refuse_liid={"LIID-REFUSED": 3007})
        self.keys = os.path.join(self.directory, "keys")
        os.makedirs(self.keys)
        os.chmod(self.keys, 0o755)
        self.commands = document.sections()
        # For each daemon its wrapper of lihandoverctl.
        self.other = self.make("other")
        self.other.warrant("LIID-0001", "lea-one", ("user_id", "u-1"))
        self.other.configuration["warrants"] = {"approval": "dual"}
        self.main = self.make("main")
        self.main.configuration["admin"]["reviewers"] = REVIEWERS
        self.main.configuration["audit"] = {"signing_key": os.path.join(self.keys, "audit.pem"), "checkpoint_entries": 2}
        self.main.warrant("LIID-0001", "lea-one", ("user_id", "u-1"))
        self.main.warrant("LIID-0002", "lea-one", ("user_id", "u-2"))
        self.main.warrant("LIID-HELD", "lea-one", ("user_id", "u-held"), review="required")
        self.main.warrant("LIID-REFUSED", "lea-one", ("user_id", "u-refused"))

    def make(self, name):
        daemon = Daemon(self, name)
        daemon.destination("lea-one", self.lea.port)
        return daemon

    def replaced(self, command, words):
        """The document's paths as they are here, and what stands for something else."""
        paths = {"/etc/lihandoverd/lihandoverd.yaml": self.daemon.config_path, "/etc/lihandoverd/keys": self.keys,
                 "--group=lihandoverd ": f"--group={REVIEWERS} ",
                 "/run/lihandoverd-two/control.sock": self.daemon.control,
                 # Somebody would press q.
                 " --watch": " --watch --times 1",
                 # March lies in the past: all of today is meant.
                 "2026-03-01T00:00:00Z": "2020-01-01T00:00:00Z", "2026-04-01T00:00:00Z": "2100-01-01T00:00:00Z"}
        if command == "lihandoverctl top":
            command += " --times 1"
        for before, after in {**paths, **words}.items():
            command = command.replace(before, after)
        return command

    def run_command(self, command, words, uid, groups):
        arguments = shlex.split(self.replaced(command, words))
        out = None
        if ">" in arguments:
            out = os.path.join(self.directory, arguments[-1])
            arguments = arguments[:arguments.index(">")]
        if arguments[0] == "runuser":
            # The daemon's user here is our own.
            arguments = arguments[arguments.index("--") + 1:]
        if arguments[0] == "lihandoverctl":
            given = arguments[1:]
            if "--socket" in given:
                # run_as gives it.
                place = given.index("--socket")
                self.assertEqual(self.daemon.control, given[place + 1])
                del given[place:place + 2]
            files = [os.path.join(self.directory, each) if each.endswith((".jsonl", ".pem")) else each for each in given]
            status, output = self.run_as(uid, *files, groups=groups)
        else:
            program = [LIHANDOVERD if arguments[0] == "lihandoverd" else arguments[0]]
            done = subprocess.run(program + arguments[1:], cwd=self.directory, stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, timeout=120)
            status, output = done.returncode, done.stdout + done.stderr
        if out is not None:
            new = not os.path.exists(out)
            with open(out, "w", encoding="utf-8") as file:
                file.write(output)
            if new:
                os.chmod(out, 0o644)
        return status, output

    def check_keys(self):
        """Root makes them, and the daemon, which is in its own group alone, has to read them."""
        for name in os.listdir(self.keys):
            found = os.stat(os.path.join(self.keys, name))
            self.assertEqual((GROUP, 0o640), (found.st_gid, stat.S_IMODE(found.st_mode)), name)
            self.assertGreater(found.st_size, 0, name)

    def section(self, title, daemon, words=None, uid=UsersTest.ANN, groups=(), good=(0,)):
        """Runs what the section shows of our commands."""
        self.daemon = daemon
        self.prepare()
        self.let_in()
        shown = [command for command in self.commands.pop(title) if document.program_of(command) in OURS]
        self.assertTrue(shown, title)
        for command in shown:
            status, output = self.run_command(command, words or {}, uid, groups)
            self.assertIn(status, good, f"{title}: {command}\n{output}")

    def ids(self, daemon, state, count):
        wait_until(lambda: len(daemon.items(state)) >= count, f"{count} items are {state}")
        return [item["id"] for item in daemon.items(state)]

    def refused(self, count):
        for _ in range(count):
            self.main.accept(message("u-refused"))
        return self.ids(self.main, "refused", count)

    def test_every_command_of_ours(self):
        self.daemon = self.main
        # The key has to be there before the daemon that signs with it.
        key = self.commands["The record of all decisions"]
        for command in [each for each in key if self.makes_keys(each)]:
            status, output = self.run_command(command, {}, self.ANN, ())
            self.assertEqual(0, status, output)
        self.check_keys()
        self.main.start()
        self.other.start()
        self.section("The first start", self.main)
        self.section("The first warrant", self.main)
        self.section("The service", self.main)
        self.section("Day by day", self.main, {"ID": self.refused(1)[0]})
        waiting = json.loads(self.other.ctl("warrants", "--waiting", "--json"))
        self.section("A warrant has to be approved", self.other, {"DIGEST": waiting[0]["waiting"]["digest"]})
        self.held_items()
        self.refused_items()
        self.section("The clock is not trusted", self.main)
        self.section("A warrant is revoked", self.main)
        self.section("Certificates", self.main)
        self.encryption()
        self.section("Upgrade", self.main)
        self.section("Backup and restore", self.main)
        exported = os.path.join(self.directory, "audit-of-the-other.jsonl")
        with open(exported, "w", encoding="utf-8") as file:
            file.write(self.other.ctl("audit", "export"))
        os.chmod(exported, 0o644)
        self.commands["The record of all decisions"] = [each for each in key if not self.makes_keys(each)]
        # 2: nothing is wrong, and the last entries are signed by no checkpoint yet.
        self.section("The record of all decisions", self.main, good=(0, 2))
        self.commands.pop(document.WARRANT_SETS)  # test_warrant_set.py runs them, with the store that they need
        left = {title: [each for each in commands if document.program_of(each) in OURS]
                for title, commands in self.commands.items()}
        self.assertEqual({}, {title: commands for title, commands in left.items() if commands}, "nobody runs these")

    @staticmethod
    def makes_keys(command):
        return command.startswith("openssl") or "/etc/lihandoverd/keys/" in command

    def encryption(self):
        """Between the commands, the configuration names the keys that were made, the newest first."""
        self.daemon = sealed = self.make("sealed")
        known = set(os.listdir(self.keys))
        for command in self.commands.pop("Encryption at rest"):
            if command == "systemctl restart lihandoverd":
                sealed.start()
                self.prepare()
                self.let_in()
                continue
            if document.program_of(command) == "lihandoverd":
                keys = sorted(set(os.listdir(self.keys)) - known, reverse=True)
                sealed.configuration["encryption"] = {"key_files": [os.path.join(self.keys, name) for name in keys]}
                sealed.write_configuration()
            status, output = self.run_command(command, {}, 0, ())
            self.assertEqual(0, status, f"{command}\n{output}")
        self.check_keys()
        self.assertTrue(sealed.ctl_json("status")["encryption"]["on"])
        sealed.stop()

    def held_items(self):
        for _ in range(5):
            self.main.accept(message("u-held"))
        held = self.ids(self.main, "held", 5)
        shown = self.commands["A review"]
        self.commands["A review"] = [each.replace(" …", "") for each in shown]
        self.assertTrue([each for each in shown if each.startswith("lihandoverctl approve ID ID")])
        # Each ID is one that still waits: two are shown, two approved, one rejected.
        words = iter([held[0], held[0], held[1], held[2], held[3]])
        self.commands["A review"] = [" ".join(next(words) if word == "ID" else word for word in each.split(" "))
                                     for each in self.commands["A review"]]
        self.section("A review", self.main, groups=(GROUP,))

    def refused_items(self):
        """What is retried is refused again; the last command rejects it."""
        first, second = self.refused(2)[:2]
        words = iter([first, second])
        self.commands["An item was refused"] = [" ".join(next(words) if word == "ID" else word for word in each.split(" "))
                                                for each in self.commands["An item was refused"]]
        self.section("An item was refused", self.main)


if __name__ == "__main__":
    unittest.main(verbosity=2)
