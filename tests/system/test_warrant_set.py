"""One set of warrants in the database: `lihandoverctl warrants apply` and `diff`, and what counts from when on."""

import os
import shlex
import subprocess
import threading
import time
import unittest

from harness import LIHANDOVERCTL, Daemon, Lea, message, wait_until
from programs import Postgresql, document
from programs.x2x3 import PointOfInterception, pdu, sip_message
from harness import Certificates, Ports
from users import UsersTest

WORD = "xyzzy" + os.urandom(4).hex()
XID = "29f28e1c-f230-486a-a860-f5a784ab9177"


@unittest.skipUnless(Postgresql.is_installed(), "PostgreSQL is not installed")
class WarrantSetTest(UsersTest):
    def setUp(self):
        super().setUp()
        self.database = Postgresql(self).create()
        self.lea = Lea(self)
        self.lea.start()
        self.daemon = Daemon(self)
        self.use_database()
        self.daemon.configuration["encryption"] = {"key_files": [self.key()]}
        self.daemon.destination("lea-one", self.lea.port)
        del self.daemon.configuration["warrants_dir"]

    def use_database(self):
        self.daemon.configuration["store"] = {
            "engine": "postgresql",
            "postgresql": {"connection": self.database.connection(), "durability": "local", "node": "csp-a"}}

    def key(self):
        path = os.path.join(self.directory, "key")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(os.urandom(32).hex() + "\n")
        return path

    def write(self, *users, **more):
        """The files are one warrant for each of these users, and nothing else."""
        for name in os.listdir(self.daemon.warrants):
            os.remove(os.path.join(self.daemon.warrants, name))
        for user in users:
            self.daemon.warrant(f"L-{user}", "lea-one", ("user_id", user), file=f"{user}.yaml", **more)

    def apply(self, *options, status=0):
        done = self.daemon.run_ctl("warrants", "apply", self.daemon.warrants, *options)
        self.assertEqual(status, done.returncode, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def diff(self, status=0):
        done = self.daemon.run_ctl("warrants", "diff", self.daemon.warrants)
        self.assertEqual(status, done.returncode, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def in_force(self):
        return sorted(one["liid"] for one in self.daemon.ctl_json("warrants") if one["state"] != "pending")

    def delivered(self):
        return [item.csp_text("eventId") for item in self.lea.items()]

    def reached(self, sender):
        marker = message(sender)
        self.daemon.accept(marker)
        self.daemon.wait_delivered()
        return marker["event_id"] in self.delivered()


class Sets(WarrantSetTest):
    def test_what_the_document_shows(self):
        self.write("u-1")
        self.daemon.start()
        shown = document.sections()[document.WARRANT_SETS]
        self.assertEqual(3, len(shown))
        for command in shown:
            words = shlex.split(command.replace("/etc/warrants", self.daemon.warrants), comments=True)
            self.assertEqual("lihandoverctl", words[0])
            self.daemon.ctl(*words[1:])
        self.assertTrue(self.reached("u-1"))

    def test_a_set_comes_into_force_and_stays_over_restarts(self):
        self.write("u-1", "u-2")
        self.daemon.start()
        self.assertIn("no set of warrants was applied", self.daemon.ctl("warrants"))
        self.assertIn("none was applied yet", self.daemon.logs())
        self.assertFalse(self.reached("u-1"))
        self.assertIn("added: lea-one L-u-1, u-1.yaml", self.diff())
        self.assertEqual([], self.in_force(), "a comparison changes nothing")
        output = self.apply()
        self.assertIn("version 1", output)
        self.assertIn("targets: + {user_id: u-2}", output)
        self.assertEqual(["L-u-1", "L-u-2"], self.in_force())
        self.assertTrue(self.reached("u-1"))
        self.assertIn("set of warrants: version 1, applied", self.daemon.ctl("warrants"))
        self.assertIn("no warrant changes", self.diff())
        entries = self.daemon.ctl("audit", "export")
        self.assertIn('"warrants_applied"', entries)
        self.assertIn("2 come into force", entries)
        # Who reads the files is the operator: the daemon needs them no longer.
        self.write("u-1", "u-3")
        self.daemon.process.kill()
        self.daemon.start()
        self.assertEqual(["L-u-1", "L-u-2"], self.in_force())
        self.assertTrue(self.reached("u-2"))
        self.assertFalse(self.reached("u-3"))
        output = self.diff()
        self.assertIn("added: lea-one L-u-3", output)
        self.assertIn("ended: lea-one L-u-2", output)
        self.assertIn("version 2", self.apply())
        self.assertFalse(self.reached("u-2"))
        self.assertTrue(self.reached("u-3"))

    def test_a_bad_file_refuses_all_of_it(self):
        self.write("u-1")
        self.daemon.start()
        self.apply()
        self.write("u-1", "u-2")
        path = self.daemon.warrant_text("bad.yaml", f"liid: L-9\ndestination: lea-{WORD}\n")
        for output in (self.apply(status=1), self.diff(status=1)):
            self.assertIn(f"{path}:2:14: ", output)
            self.assertIn(WORD, output)
        self.assertEqual(["L-u-1"], self.in_force())
        self.assertNotIn(WORD, self.daemon.logs())
        os.remove(path)
        self.daemon.warrant_text("README", "no warrant")
        self.assertIn("README: passed over", self.apply())
        self.assertEqual(["L-u-1", "L-u-2"], self.in_force())

    def test_more_than_half_has_to_be_confirmed(self):
        self.write("u-1", "u-2", "u-3", "u-4")
        self.daemon.start()
        self.apply()
        self.write("u-1")
        self.assertIn("--confirm-ended", self.diff(status=1))
        self.assertIn("ended: lea-one L-u-4", self.apply(status=1))
        self.assertEqual(4, len(self.in_force()))
        self.assertTrue(self.reached("u-4"))
        self.apply("--confirm-ended")
        self.assertEqual(["L-u-1"], self.in_force())
        self.assertFalse(self.reached("u-4"))
        self.write()
        self.assertIn("--confirm-ended", self.apply(status=1))
        self.apply("--confirm-ended")
        self.assertEqual([], self.in_force())
        self.daemon.restart()
        self.assertEqual([], self.in_force())

    def test_with_a_directory_of_warrants_there_is_no_set(self):
        self.write("u-1")
        self.daemon.configuration["warrants_dir"] = self.daemon.warrants
        self.daemon.start()
        self.assertIn("warrants_dir", self.apply(status=1))
        self.assertIn("warrants_dir", self.diff(status=1))
        self.assertTrue(self.reached("u-1"))
        # Without it, what is in force stays until a set says what is.
        del self.daemon.configuration["warrants_dir"]
        self.daemon.restart()
        self.assertEqual(["L-u-1"], self.in_force())
        self.assertTrue(self.reached("u-1"))
        self.write("u-1", "u-2")
        self.apply()
        self.assertEqual(["L-u-1", "L-u-2"], self.in_force())

    def test_the_set_is_sealed(self):
        self.write(WORD)
        self.daemon.start()
        self.apply()
        self.assertTrue(self.reached(WORD))
        self.database.sql("CHECKPOINT")
        for top in (self.database.data, self.daemon.state):
            for place, _, names in os.walk(top):
                for name in names:
                    with open(os.path.join(place, name), "rb") as file:
                        self.assertNotIn(WORD.encode(), file.read(), name)
        self.daemon.ctl("rekey")
        self.daemon.restart()
        self.assertTrue(self.reached(WORD))

    def test_a_revocation_outlasts_the_sets_that_still_have_it(self):
        self.write("u-1", "u-2")
        self.daemon.start()
        self.apply()
        self.daemon.ctl("revoke", "L-u-1", "--destination", "lea-one", "--reason", "void")
        self.assertFalse(self.reached("u-1"))
        self.write("u-1", "u-2", "u-3")
        self.apply()
        self.assertFalse(self.reached("u-1"))
        self.assertTrue(self.reached("u-3"))
        self.write("u-2", "u-3")
        self.apply()
        self.write("u-1", "u-2", "u-3")
        self.apply()
        self.assertTrue(self.reached("u-1"), "it was gone, and is another warrant")

    def test_killed_while_it_is_applied_one_set_or_the_other_counts(self):
        sets = [("u-1", "u-2"), ("u-2", "u-3")]
        self.write(*sets[0])
        self.daemon.start()
        self.apply()
        for n in range(1, 7):
            self.write(*sets[n % 2])
            with subprocess.Popen([LIHANDOVERCTL, "--socket", self.daemon.control, "warrants", "apply",
                                   self.daemon.warrants], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as applying:
                time.sleep(n * 0.004)
                self.daemon.process.kill()
                output = applying.communicate()[0].decode()
            self.daemon.start()
            found = [one for one in sets if self.in_force() == [f"L-{user}" for user in one]]
            self.assertEqual(1, len(found), self.in_force())
            if "is applied" in output:
                self.assertEqual(sets[n % 2], found[0])
            for user in ("u-1", "u-2", "u-3"):
                self.assertEqual(user in found[0], self.reached(user), user)
            self.apply()


class Guarantee(WarrantSetTest):
    """What is sent after `apply` returned goes by the new set, and by it alone."""

    def test_nothing_of_what_was_removed_and_all_of_what_was_added(self):
        users = ("u-0", "u-1")
        self.write(users[0])
        self.daemon.start()
        self.apply()
        sent = []  # when it was begun, by whom, its id, and the set that was the last to be applied then
        applied = [0]
        stop = threading.Event()

        def source(user):
            while not stop.is_set():
                one = message(user)
                current = applied[0]
                answer = self.daemon.post(one)
                if answer.status == 202:
                    sent.append((current, applied[0], user, one["event_id"]))
                else:
                    self.assertEqual(503, answer.status)

        threads = [threading.Thread(target=source, args=(user,)) for user in users for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for n in range(1, 13):
                self.write(users[n % 2])
                self.apply()
                applied[0] = n
                seen = len(sent)
                wait_until(lambda: len(sent) > seen + 20, "events go on")  # noqa: B023
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.daemon.wait_delivered()
        reached = set(self.delivered())
        judged = [0, 0]
        for before, after, user, event in sent:
            if before == after:
                # No set was applied in between; one may have begun to be.
                wanted = users[before % 2] == user
                if wanted != (event in reached):
                    self.fail_unless_next(before, user, event in reached, users)
                else:
                    judged[wanted] += 1
        self.assertGreater(judged[0], 50)
        self.assertGreater(judged[1], 50)

    def fail_unless_next(self, before, user, is_reached, users):
        """While a set is being applied, events may go by it already."""
        self.assertEqual(users[(before + 1) % 2] == user, is_reached)


class Tasks(WarrantSetTest):
    def setUp(self):
        super().setUp()
        self.port = Ports.take()
        self.daemon.configuration["intake"]["x2x3"] = [
            {"name": "as-1", "listen": f"127.0.0.1:{self.port}",
             "tls": {"certificate": Certificates.path("intake.pem"), "private_key": Certificates.path("intake.key"),
                     "client_ca": Certificates.path("csp-ca.pem")}}]

    def test_copies_of_a_task_that_was_added_are_not_dropped(self):
        self.write("u-1")
        self.daemon.start()
        self.apply()
        point = PointOfInterception(self.port)
        self.addCleanup(point.close)
        for n in range(5):
            self.daemon.warrant(f"T-{n}", "lea-one", xid=[f"{XID[:-2]}{n:02x}"], file="task.yaml")
            self.apply()
            point.send(pdu(sip_message(f"text {n}", f"call-{n}"), f"{XID[:-2]}{n:02x}"))
            wait_until(lambda: len(self.lea.items()) == n + 1, "it arrives")  # noqa: B023
        self.write("u-1")
        self.apply()
        point.send(pdu(sip_message("too late", "call-9"), f"{XID[:-2]}04"))
        wait_until(lambda: self.daemon.metric("lihandover_x2x3_pdus_total", source="as-1", outcome="unknown_xid") == 1,
                   "it is dropped")
        self.assertEqual(5, len(self.lea.items()))


@unittest.skipIf(os.geteuid() != 0, "only root can be several users")
class Approved(WarrantSetTest):
    def test_whoever_applied_a_warrant_does_not_approve_it(self):
        self.daemon.configuration["warrants"] = {"approval": "required"}
        self.daemon.write_configuration()
        self.prepare()
        self.write("u-1")
        self.start()
        self.assertIn("waits for approval: lea-one L-u-1",
                      self.by(self.ANN, "warrants", "apply", self.daemon.warrants))
        self.assertFalse(self.reached("u-1"))
        approve = ("approve-warrant", "L-u-1", "--destination", "lea-one")
        self.assertIn("somebody else", self.by(self.ANN, *approve, status=1))
        # Nobody becomes its author by applying again what is there.
        self.write("u-1", "u-2")
        self.by(self.BOB, "warrants", "apply", self.daemon.warrants)
        self.assertIn("somebody else", self.by(self.ANN, *approve, status=1))
        self.assertIn("in force", self.by(self.BOB, *approve))
        self.assertTrue(self.reached("u-1"))
        self.assertFalse(self.reached("u-2"))


if __name__ == "__main__":
    unittest.main()
