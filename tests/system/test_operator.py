"""What an operator sees and decides with lihandoverctl."""

import json
import pwd
import os
import subprocess
import sys
import unittest
import uuid

from harness import LIHANDOVERCTL, PATIENCE, Daemon, Lea, SystemTest, message, wait_until
from programs.process import SOURCE

sys.path.append(os.path.join(SOURCE, "packaging", "manual"))
import command_line  # noqa: E402


class Operator(SystemTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.daemon = Daemon(self)
        self.daemon.destination("lea-one", self.lea.port)
        self.daemon.destination("lea-two", 1)
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"), reference="W-2026-117")
        self.daemon.warrant("LIID-1", "lea-two", ("user_id", "u-2"))
        self.daemon.start()

    def test_status_tells_of_destinations_and_the_store(self):
        self.daemon.accept(message("u-2"))
        text = self.daemon.ctl("status")
        self.assertIn("lea-one", text)
        self.assertIn("lea-two", text)
        status = self.daemon.ctl_json("status")
        destinations = {d["name"]: d for d in status["destinations"]}
        self.assertEqual(1, destinations["lea-two"]["queued"])
        self.assertEqual(0, destinations["lea-one"]["queued"])
        self.lea.start()
        self.daemon.accept(message("u-1"))
        wait_until(lambda: next(d for d in self.daemon.ctl_json("status")["destinations"]
                                if d["name"] == "lea-one").get("last_success"), "the success is told")

    def test_warrants_are_listed(self):
        found = self.daemon.ctl_json("warrants")
        self.assertEqual([("lea-one", "LIID-1"), ("lea-two", "LIID-1")], [(w["destination"], w["liid"]) for w in found])
        self.assertIn("W-2026-117", self.daemon.ctl("warrants") + json.dumps(found))

    def test_items_are_an_array_paged_by_limit_and_after(self):
        self.daemon.accept(*(message("u-1") for _ in range(25)))
        everything = self.daemon.ctl_json("items")
        self.assertEqual(25, len(everything))
        for item in everything:
            self.assertEqual({"LIID-1", "lea-one", "queued"}, {item["liid"], item["destination"], item["state"]})
            uuid.UUID(item["id"])
        paged, after = [], []
        while page := self.daemon.ctl_json("items", "--state", "queued", "--limit", "10", *after):
            self.assertLessEqual(len(page), 10)
            paged += page
            after = ["--after", page[-1]["id"]]
        self.assertEqual([i["id"] for i in everything], [i["id"] for i in paged])
        self.assertEqual([], self.daemon.ctl_json("items", "--state", "refused"))

    def test_global_options_are_taken_after_the_subcommand_too(self):
        done = subprocess.run([LIHANDOVERCTL, "items", "--json", "--socket", self.daemon.control], capture_output=True,
                              text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
        self.assertEqual((0, []), (done.returncode, json.loads(done.stdout)), done.stderr)

    def test_failure_is_an_exit_status(self):
        unknown = str(uuid.uuid4())
        for arguments in (("show", unknown), ("retry", unknown), ("reject", unknown, "--reason", "x"), ("show", "x"),
                          ("retry",), ("approve", unknown), ("items", "--state", "lost"), ("audit", "nothing"), ()):
            self.daemon.ctl(*arguments, expect=1)
        done = subprocess.run([LIHANDOVERCTL, "--socket", os.path.join(self.directory, "nowhere.sock"), "status"],
                              capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
        self.assertNotEqual(0, done.returncode)
        self.assertTrue(done.stderr)

    def test_decisions_are_recorded_with_who_and_why(self):
        self.daemon.accept(message("u-1"), message("u-1"))
        first, second = (i["id"] for i in self.daemon.items())
        self.daemon.ctl("reject", first, "--reason", "court order lifted")
        self.daemon.ctl("--operator", "night shift", "reject", second, "--reason", "the same")
        user = pwd.getpwuid(os.getuid()).pw_name
        shown = self.daemon.ctl_json("show", first)
        self.assertEqual("rejected", shown["state"])
        self.assertIn(user, shown["who"])
        self.assertEqual("court order lifted", shown["why"])
        shown = self.daemon.ctl_json("show", second)
        self.assertIn("night shift", shown["who"])
        self.assertIn(user, shown["who"], "beside the user, not in its place")
        self.daemon.restart()
        self.assertEqual({first, second}, {i["id"] for i in self.daemon.items("rejected")})
        self.assertEqual([], self.daemon.items())

    def test_a_decision_on_several_is_all_or_nothing(self):
        self.daemon.accept(message("u-1"), message("u-1"))
        first, second = (i["id"] for i in self.daemon.items())
        self.daemon.ctl("reject", first, str(uuid.uuid4()), "--reason", "x", expect=1)
        self.assertEqual(2, len(self.daemon.items("queued")))
        self.daemon.ctl("retry", first, expect=1)  # it is not refused
        self.daemon.ctl("reject", first, second, "--reason", "x")
        self.assertEqual([], self.daemon.items())

    def test_delivered_items_stay_as_records(self):
        self.lea.start()
        self.daemon.accept(message("u-1"))
        record, = wait_until(lambda: self.daemon.items("delivered"), "the record")
        item, = self.lea.items()
        self.assertEqual(item.object_id, record["id"])
        self.assertEqual("delivered", self.daemon.ctl_json("show", record["id"])["state"])
        self.daemon.ctl("reject", record["id"], "--reason", "too late", expect=1)

    def test_every_command_prints_json(self):
        self.daemon.accept(message("u-1"), message("u-1"))
        one, two = (i["id"] for i in self.daemon.items())
        export = os.path.join(self.directory, "export.jsonl")
        with open(export, "w", encoding="utf-8") as file:
            file.write(self.daemon.ctl("audit", "export"))
        objects = (("top", "--once"), ("status",), ("status", "--watch", "--times", "1"), ("show", one), ("reject", one, "--reason", "x"),
                   ("retry", "--destination", "lea-one"), ("pause", "lea-one"), ("resume", "lea-one"), ("clock", "accept"),
                   ("audit", "verify", export), ("audit", "record-head", export), ("reload",), ("audit", "export"),
                   ("revoke", "LIID-1", "--destination", "lea-one", "--reason", "x"))
        arrays = (("items",), ("warrants",), ("warrants", "--waiting"), ("report",))
        # What these print is looked at where there is something that they can do.
        elsewhere = {"show --content", "approve", "rekey", "restore accept", "approve-warrant", "refuse-warrant",
                     "warrants apply", "warrants diff"}
        for arguments in objects + arrays:
            out = self.daemon.ctl(*arguments, "--json")
            for document in out.splitlines() if arguments in objects else [out]:
                self.assertIsInstance(json.loads(document), dict if arguments in objects else list, arguments)
        self.assertEqual("holds", self.daemon.ctl_json("audit", "verify", export)["outcome"])
        self.assertEqual([], self.daemon.ctl_json("warrants", "--waiting"))
        asked = {" ".join(arguments) for arguments in objects + arrays} | elsewhere
        for command in command_line.read(LIHANDOVERCTL).every():
            if command.path and not command.commands:
                self.assertTrue([each for each in asked if (each + " ").startswith(" ".join(command.path) + " ")],
                                f"what {command.path} prints with --json")

    def test_retried_item_goes_next(self):
        self.daemon.accept(message("u-1", text="0"))
        self.lea.start(refuse_liid={"LIID-1": 3999})
        wait_until(lambda: self.daemon.waiting(state="refused") == 1, "the refusal")
        self.lea.stop()
        self.daemon.accept(*(message("u-1", text=str(n)) for n in range(1, 6)))
        self.daemon.ctl("retry", self.daemon.items("refused")[0]["id"])
        self.lea.start()
        wait_until(lambda: len([i for i in self.lea.items() if i.accepted]) == 6, "all of them")
        order = [i.csp_text("text") for i in self.lea.items() if i.accepted]
        # One of the others may have been on its way before.
        self.assertLessEqual(order.index("0"), 1)
        self.assertEqual([str(n) for n in range(1, 6)], [t for t in order if t != "0"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
