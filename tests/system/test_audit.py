"""The chain of audit entries: exported, checked without the daemon, and what happens to those who change it."""

import json
import os
import shutil
import sqlite3
import subprocess
import unittest

from harness import LIHANDOVERCTL, PATIENCE, Daemon, Lea, SystemTest, message, wait_until


class Audit(SystemTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.daemon = self.make_daemon("daemon")

    def make_daemon(self, name, **audit):
        daemon = Daemon(self, name=name)
        daemon.destination("lea-one", self.lea.port)
        daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"))
        daemon.warrant("LIID-2", "lea-one", ("user_id", "u-2"))
        if audit:
            daemon.configuration["audit"] = audit
        return daemon

    def export(self, name, *arguments, daemon=None):
        """Writes an export to a file; its path."""
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write((daemon or self.daemon).ctl("audit", "export", *arguments))
        return path

    @staticmethod
    def lines(path):
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def entries(self, path):
        return [line for line in self.lines(path) if "number" in line]

    @staticmethod
    def verify(*arguments):
        """Without any daemon; exit status and output."""
        done = subprocess.run([LIHANDOVERCTL, "--socket", "/nonexistent", "audit", "verify", *arguments],
                              capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout + done.stderr

    def assert_holds(self, *arguments):
        status, said = self.verify(*arguments)
        self.assertEqual(0, status, said)
        self.assertIn("everything holds", said)
        return said

    def assert_wrong(self, words, *arguments):
        status, said = self.verify(*arguments)
        self.assertNotEqual(0, status, said)
        self.assertIn(words, said)

    def changed(self, path, change):
        """A copy whose lines were changed."""
        with open(path, encoding="utf-8") as file:
            lines = file.readlines()
        change(lines)
        copy = path + ".changed"
        with open(copy, "w", encoding="utf-8") as file:
            file.writelines(lines)
        return copy

    def deliver_some(self, daemon=None):
        daemon = daemon or self.daemon
        daemon.accept(message("u-1"), message("u-2"), message("u-1"))
        daemon.wait_delivered()

    def test_everything_that_was_decided_is_exported_and_holds(self):
        self.lea.start()
        self.daemon.start()
        self.deliver_some()
        path = self.export("all")
        self.assert_holds(path)
        kinds = [e["kind"] for e in self.entries(path)]
        self.assertEqual(3, kinds.count("item_made"))
        self.assertEqual(3, kinds.count("item_delivered"))
        self.assertEqual(2, kinds.count("warrant_in_force"))
        self.assertEqual(list(range(1, len(kinds) + 1)), [e["number"] for e in self.entries(path)])
        head = self.daemon.ctl_json("status")["audit"]
        self.assertEqual((head["entries"], head["head"]), (self.lines(path)[-1]["end"], self.lines(path)[-1]["hash"]))
        self.assertIn(head["head"], self.daemon.ctl("status"))
        self.assertEqual(head["entries"], self.daemon.metric("lihandover_audit_entries"))
        for entry in self.entries(path):
            self.assertRegex(entry["at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$")
        self.assertTrue(any(not e["at"].endswith("000Z") for e in self.entries(path)), "nanoseconds")

    def test_what_was_changed_in_an_export_is_found_and_placed(self):
        self.daemon.start()
        self.daemon.accept(message("u-1"), message("u-2"), message("u-1"))
        path = self.export("all")
        number = next(i for i, line in enumerate(self.lines(path)) if line.get("kind") == "item_made")

        def change(lines):
            lines[number] = lines[number].replace("LIID-", "LIID.")
        self.assert_wrong(f":{number + 1}: entry", self.changed(path, change))
        self.assert_wrong("missing", self.changed(path, lambda lines: lines.pop(number)))
        self.assert_wrong("second time", self.changed(path, lambda lines: lines.insert(number, lines[number])))

        def swap(lines):
            lines[number], lines[number + 1] = lines[number + 1], lines[number]
        self.assert_wrong("out of its place", self.changed(path, swap))
        self.assert_wrong("cut off", self.changed(path, lambda lines: lines.pop()))
        self.assert_wrong("cut off", self.changed(path, lambda lines: lines.__delitem__(slice(number, None))))
        self.assert_wrong("empty", self.changed(path, lambda lines: lines.clear()))
        self.assert_wrong("nonexistent: cannot be read", os.path.join(self.directory, "nonexistent"))

    def test_what_was_changed_in_the_store_is_found(self):
        self.daemon.start()
        self.daemon.accept(message("u-1"), message("u-2"))
        self.daemon.restart()
        self.assert_holds(self.export("good"))
        store = sqlite3.connect(os.path.join(self.daemon.state, "store.db"))
        with store:
            store.execute("UPDATE record SET at=at+1000000 WHERE id=(SELECT max(id) FROM record WHERE kind=3)")
        store.close()
        self.assert_wrong("was changed, in the store or since", self.export("bad"))

    def test_the_entries_of_one_warrant(self):
        self.lea.start()
        self.daemon.start()
        self.deliver_some()
        of_one = self.export("one", "--destination", "lea-one", "--liid", "LIID-2")
        self.assertEqual({"LIID-2"}, {e["liid"] for e in self.entries(of_one)})
        self.assertEqual(3, len(self.entries(of_one)))
        self.assertIn("cannot prove", self.assert_holds(of_one))
        self.assert_holds(of_one, self.export("all"))
        self.daemon.ctl("audit", "export", "--liid", "LIID-2", expect=1)
        self.daemon.ctl("audit", "export", "--since", "yesterday", expect=1)

    def test_signatures(self):
        key = os.path.join(self.directory, "audit.pem")
        public = os.path.join(self.directory, "audit-public.pem")
        other = os.path.join(self.directory, "other.pem")
        for path in (key, other):
            subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", path], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
        self.daemon = self.make_daemon("signed", signing_key=key, checkpoint_entries=2)
        self.daemon.start()
        for _ in range(3):
            self.daemon.accept(message("u-1"))
        self.daemon.restart()
        path = self.export("all")
        self.assertNotIn("UNPROVED", self.assert_holds("--key", public, path))
        # What comes behind the last checkpoint needs a head that is known, or somebody who accepts it. The first entry
        # after a start has a checkpoint soon, the second waits for a third.
        self.daemon.accept(message("u-1"))
        wait_until(lambda: self.verify("--key", public, self.export("soon"))[0] == 0, "a checkpoint")
        self.daemon.accept(message("u-1"))
        longer = self.export("longer")
        status, said = self.verify("--public-key", public, longer)
        self.assertEqual(2, status, said)
        self.assertIn("UNPROVED: ", said)
        head = self.daemon.ctl_json("status")["audit"]
        self.assert_holds("--key", public, "--head", f"{head['entries']}:{head['head']}", longer)
        self.assert_holds("--key", public, "--accept-unsigned", "2", longer)
        self.assert_wrong("without --key", "--accept-unsigned", "2", longer)
        other_public = os.path.join(self.directory, "other-public.pem")
        with open(other_public, "w", encoding="utf-8") as file:
            subprocess.run(["openssl", "pkey", "-in", other, "-pubout"], check=True, stdout=file)
        self.assert_wrong("not made with this key", "--key", other_public, path)
        self.assert_wrong("key of Ed25519", "--key", path, path)
        # The key is changed: both are given.
        self.daemon.configuration["audit"]["signing_key"] = other
        self.daemon.restart()
        self.daemon.accept(message("u-1"))
        self.daemon.restart()
        path = self.export("both")
        self.assert_holds("--key", public, "--key", other_public, path)
        self.assert_wrong("not made with this key", "--key", other_public, path)
        # Also the first one after a crash is.
        self.daemon.accept(message("u-1"), message("u-1"), message("u-1"))
        self.daemon.process.kill()
        self.daemon.start()
        wait_until(lambda: self.verify("--key", public, "--key", other_public, self.export("both"))[0] == 0,
                   "a checkpoint")
        checkpoints = [line for line in self.lines(self.export("both")) if line.get("checkpoint", 0) > 0]
        self.assertEqual([], [line for line in checkpoints if "signature" not in line])

    def test_exports_come_from_plain_files(self):
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        path = self.export("all")
        head = self.daemon.ctl_json("status")["audit"]
        command = [LIHANDOVERCTL, "audit", "verify", "--head", f"{head['entries']}:{head['head']}", "/dev/stdin"]
        with open(path, encoding="utf-8") as file:
            done = subprocess.run(command, stdin=file, capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        with open(path, encoding="utf-8") as file:
            done = subprocess.run(command, input=file.read(), capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(1, done.returncode)
        self.assertIn("which a pipe cannot be", done.stderr)

    def test_two_daemons_are_witness_for_each_other(self):
        one, two = self.daemon, self.make_daemon("second")
        for daemon in (one, two):
            daemon.start()
            daemon.accept(message("u-1"), message("u-1"))
        two.ctl("--operator", "night shift", "audit", "record-head", self.export("one", daemon=one))
        witness = self.export("two", daemon=two)
        self.assertEqual("head_recorded", self.entries(witness)[-1]["kind"])
        self.assertIn("night shift", self.entries(witness)[-1]["who"])
        one.accept(message("u-1"))
        self.assert_holds(self.export("one", daemon=one), witness)
        # The first one's chain is made anew, and fits together.
        one.stop()
        shutil.rmtree(one.state)
        os.makedirs(one.state, mode=0o700)
        one.start()
        self.assert_holds(self.export("anew", daemon=one))
        self.assertIn("none of these files is of it", self.verify(self.export("anew", daemon=one), witness)[1])
        two.ctl("audit", "record-head", witness + ".none", expect=1)

    def test_a_restored_backup_is_told_from_what_was_there(self):
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        self.daemon.stop()
        backup = os.path.join(self.directory, "backup")
        shutil.copytree(self.daemon.state, backup)
        self.daemon.start()
        self.daemon.accept(message("u-1"), message("u-1"))
        later = self.export("later")
        head = self.lines(later)[-1]
        self.daemon.stop()
        shutil.rmtree(self.daemon.state)
        shutil.copytree(backup, self.daemon.state)
        os.chmod(self.daemon.state, 0o700)
        self.daemon.start()
        restored = self.export("restored")
        self.assert_holds(restored)
        self.assert_wrong("put back to an older state", later, restored)
        self.assert_wrong("is older than it was", "--head", f"{head['end']}:{head['hash']}", restored)
        self.daemon.accept(*(message("u-1") for _ in range(4)))
        self.assert_wrong("forked", later, self.export("forked"))

    def test_a_report_per_warrant(self):
        self.daemon.start()
        self.daemon.accept(message("u-1"), message("u-1"), message("u-2"))
        self.daemon.ctl("reject", self.daemon.items()[0]["id"], "--reason", "a mistake")
        rows = {r["liid"]: r for r in self.daemon.ctl_json("report")}
        self.assertEqual({"LIID-1", "LIID-2"}, set(rows))
        self.assertEqual((2, 0, 1, 1), tuple(rows["LIID-1"][n] for n in ("made", "delivered", "rejected", "waiting")))
        self.assertIsNone(rows["LIID-1"]["median_seconds"])
        self.assertTrue(rows["LIID-1"]["oldest_waiting"])
        self.lea.start()
        self.daemon.wait_delivered()
        wait_until(lambda: self.daemon.ctl_json("report", "--liid", "LIID-1")[0]["delivered"] == 1, "it is on record")
        row, = self.daemon.ctl_json("report", "--liid", "LIID-1", "--destination", "lea-one")
        self.assertEqual((0, None), (row["waiting"], row["oldest_waiting"]))
        self.assertGreater(row["max_seconds"], 0)
        self.assertLessEqual(row["median_seconds"], row["max_seconds"])
        text = self.daemon.ctl("report", "--format", "csv").splitlines()
        self.assertEqual(3, len(text))
        self.assertTrue(text[0].startswith("destination,liid,made,delivered,refused,set_aside,rejected,waiting,"))
        self.assertTrue(text[1].startswith('"lea-one","LIID-1",2,1,0,0,1,0,'), text[1])
        self.assertEqual([], self.daemon.ctl_json("report", "--until", "2020-01-01T00:00:00Z"))
        self.daemon.ctl("report", "--since", "yesterday", expect=1)

    def test_items_of_a_time(self):
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        received = self.daemon.items()[0]["received_at"]
        self.assertEqual(1, len(self.daemon.ctl_json("items", "--since", received)))
        self.assertEqual(0, len(self.daemon.ctl_json("items", "--until", received)))
        self.assertEqual(1, len(self.daemon.ctl_json("items", "--since", "2020-01-01T00:00:00Z", "--until",
                                                     "2100-01-01T00:00:00+02:00")))
        self.daemon.ctl("items", "--since", "yesterday", expect=1)

    def test_killed_in_the_middle_of_traffic(self):
        self.daemon.start()
        for _ in range(3):
            stop = []

            def send():
                while not stop:
                    try:
                        self.daemon.post_many([message("u-1") for _ in range(20)])
                    except OSError:
                        return
            background = self.in_background(send)
            before = self.daemon.ctl_json("status")["audit"]["entries"]
            wait_until(lambda: self.daemon.ctl_json("status")["audit"]["entries"] > before + 100, "some traffic")
            seen = self.daemon.ctl_json("status")["audit"]
            self.daemon.process.kill()
            stop.append(True)
            background.join()
            self.daemon.start()
            self.assert_holds("--head", f"{seen['entries']}:{seen['head']}", self.export("all"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
