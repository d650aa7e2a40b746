"""lihandoverctl on a terminal, and in a pipe: what it draws, how it ends, and what nobody can make it draw."""

import http.server
import json
import os
import signal
import socketserver
import subprocess
import tempfile
import threading
import time
import unittest

from harness import LIHANDOVERCTL, PATIENCE, Daemon, SystemTest, message, wait_until
from programs.terminal import Run

# What an LEA, or whoever named something, might send to steer the terminal of an operator.
HOSTILE = ("\x1b[2J\x1b]0;title\x07\x9b31m\u202eevil\u2066\u200b\r\nALARM: none\x7f\x08" + "a" + "\u0301" * 40
           + "\U000e0041\u115f字字字")


def status_of(**more):
    destination = {"name": "lea-one", "state": "running", "paused": None, "queued": 3, "held": 0, "set_aside": 0, "refused": 0,
                   "in_flight": 1, "connections": 2, "objects_queued": 0, "objects_refused": 0,
                   "oldest_queued": "2026-03-01T00:00:00.123456Z", "last_success": "2026-03-01T00:00:00.123456Z",
                   "last_failure": None, "last_failure_at": None, "next_attempt": None}
    return {"version": "1.2.3", "readiness": "ready", "started_at": "2026-03-01T00:00:00.123456Z",
            "store": {"accepting": True, "used_bytes": 2 ** 63, "max_bytes": 2 ** 64 - 1, "waiting_bytes": 0},
            "warrants": {"active": 1, "pending": 0, "expired": 0, "files_bad": 0}, "alarms": [],
            "destinations": [{**destination, **more.pop("destination", {})}], "certificates": [], **more}


class FakeDaemon:
    """Answers on a control socket with what it was given, by path."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "control.sock")
        self.answers = {}
        self.asked = []
        self.gate = threading.Event()
        self.gate.set()
        self.server = None

    def start(self):
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def address_string(self):
                return "operator"

            def log_message(self, *_):
                pass

            def answer(self):
                fake.asked.append(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                fake.gate.wait(PATIENCE)
                status, body = fake.answers.get(self.path.partition("?")[0], (404, {"error": "no such resource"}))
                data = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):
                """Who asked was ended meanwhile."""

        self.server = Server(self.path, Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            os.unlink(self.path)
            self.server = None


class TerminalTest(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="lihandover-terminal-")
        self.addCleanup(holder.cleanup)
        self.directory = holder.name
        self.fake = FakeDaemon(self.directory).start()
        self.addCleanup(self.fake.stop)
        self.fake.answers["/v1/status"] = (200, status_of())

    def run_on_terminal(self, *arguments, **more):
        run = Run([LIHANDOVERCTL, "--socket", self.fake.path, *arguments], **more)
        self.addCleanup(run.close)
        return run

    def run_in_pipe(self, *arguments, environment=None):
        return subprocess.run([LIHANDOVERCTL, "--socket", self.fake.path, *arguments], capture_output=True, text=True,
                              timeout=PATIENCE, stdin=subprocess.DEVNULL, env={**os.environ, **(environment or {})})

    def items(self, count=1, **more):
        item = {"id": "123e4567-e89b-12d3-a456-426614174000", "liid": "LIID-1", "destination": "lea-one", "state": "refused",
                "received_at": "2026-03-01T00:00:00.123456Z", "changed_at": "2026-03-01T00:00:01.123456Z", "emergency": False,
                "refusal": {"kind": "hi1_error", "code": 3007, "words": "because " * 20 + "end"}, **more}
        self.fake.answers["/v1/items"] = (200, {"items": [item] * count, "next": None})


class Watch(TerminalTest):
    def test_it_draws_in_place_and_gives_the_terminal_back(self):
        run = self.run_on_terminal("status", "--watch", "--interval", "0.1")
        run.wait_for_text("lea-one")
        self.assertTrue(run.screen.other)
        self.assertFalse(run.screen.cursor_shown)
        self.assertFalse(run.echoes())
        self.fake.answers["/v1/status"] = (200, status_of(destination={"name": "lea-two"}))
        run.wait_for_text("lea-two")
        self.assertNotIn("lea-one", run.screen.text(), "nothing is left of what was there")
        run.type("q")
        self.assertEqual(0, run.wait())
        self.given_back(run)

    def given_back(self, run):
        self.assertFalse(run.screen.other)
        self.assertTrue(run.screen.cursor_shown)
        self.assertFalse(run.screen.overflowed)

    def test_signals_end_it_and_the_terminal_is_given_back(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            run = self.run_on_terminal("status", "--watch")
            run.wait_for_text("lea-one")
            run.signal(number)
            self.assertEqual(-number, run.wait())
            self.given_back(run)

    def test_it_ends_at_once_while_the_daemon_does_not_answer(self):
        run = self.run_on_terminal("status", "--watch", "--interval", "0.1")
        run.wait_for_text("lea-one")
        self.fake.gate.clear()
        self.addCleanup(self.fake.gate.set)
        asked = len(self.fake.asked)
        run.wait_for(lambda: len(self.fake.asked) > asked, "it asks")
        run.signal(signal.SIGINT)
        self.assertEqual(-signal.SIGINT, run.wait())
        self.given_back(run)

    def test_stopped_and_continued(self):
        # A shell with job control, as one sits before: a group without one is not stopped.
        run = Run(["/bin/bash", "-mc", '"$0" --socket "$1" status --watch --interval 3600; echo now"-"stopped; read; fg',
                   LIHANDOVERCTL, self.fake.path])
        self.addCleanup(run.close)
        run.wait_for_text("lea-one")
        self.assertTrue(run.screen.other)
        run.type("\x1a")
        run.wait_for_text("now-stopped")
        self.assertFalse(run.screen.other)
        self.assertTrue(run.screen.cursor_shown and run.echoes())
        self.fake.answers["/v1/status"] = (200, status_of(destination={"name": "lea-two"}))
        run.type("\n")
        run.wait_for_text("lea-two")
        self.assertTrue(run.screen.other)
        self.assertFalse(run.echoes())
        run.type("q")
        self.assertEqual(0, run.wait())
        self.given_back(run)

    def test_it_follows_the_size_of_the_window(self):
        run = self.run_on_terminal("status", "--watch", "--interval", "3600", columns=200)
        run.wait_for_text("IN FLIGHT")
        self.assertIn("LAST SUCCESS", run.screen.text())
        run.resize(60, 10)
        run.wait_for(lambda: run.screen.text().startswith("lihandoverd,") and "lea-one" in run.screen.text(), "it is drawn anew")
        self.assertNotIn("LAST SUCCESS", run.screen.text().split("(no room")[0])
        self.assertFalse(run.screen.overflowed)

    def test_it_says_that_the_daemon_is_away_and_goes_on(self):
        run = self.run_on_terminal("status", "--watch", "--interval", "0.1")
        run.wait_for_text("lea-one")
        self.fake.stop()
        run.wait_for_text("is lihandoverd running?")
        run.wait_for_text("trying on; the last answer is of")
        self.assertIn("lea-one", run.screen.text(), "what was seen last")
        self.fake.start()
        run.wait_for(lambda: "trying on" not in run.screen.text() and "lea-one" in run.screen.text(), "it is back")

    def test_a_pipe_gets_blocks(self):
        done = self.run_in_pipe("status", "--watch", "--interval", "0.1", "--times", "3")
        self.assertEqual((0, 3), (done.returncode, done.stdout.count("lihandoverd 1.2.3: ready")), done.stderr)
        self.assertNotIn("\x1b", done.stdout)

    def test_a_pipe_gets_a_document_per_line(self):
        done = self.run_in_pipe("status", "--watch", "--interval", "0.1", "--times", "3", "--json")
        self.assertEqual(0, done.returncode)
        self.assertEqual(["1.2.3"] * 3, [json.loads(line)["version"] for line in done.stdout.splitlines()])
        self.fake.stop()
        done = self.run_in_pipe("status", "--watch", "--interval", "0.1", "--times", "2", "--json")
        self.assertEqual(3, done.returncode)
        for line in done.stdout.splitlines():
            self.assertIn("is lihandoverd running?", json.loads(line)["error"])

    def test_it_ends_when_nobody_reads(self):
        program = subprocess.Popen([LIHANDOVERCTL, "--socket", self.fake.path, "status", "--watch", "--interval", "3600"],
                                   stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.addCleanup(program.kill)
        self.assertTrue(program.stdout.readline())
        program.stdout.close()
        program.wait(PATIENCE)

    def test_a_dumb_terminal_gets_blocks(self):
        run = self.run_on_terminal("status", "--watch", "--interval", "0.1", "--times", "2", environment={"TERM": "dumb"})
        self.assertEqual(0, run.wait())
        self.assertNotIn(b"\x1b", run.raw)
        self.assertEqual(2, run.raw.count(b"1.2.3: ready"))

    def test_tiny_terminals(self):
        self.fake.answers["/v1/status"] = (200, status_of(alarms=["something is wrong with a long sentence " * 5]))
        for columns, rows in ((1, 1), (2, 2), (10, 3), (40, 5)):
            run = self.run_on_terminal("status", "--watch", "--interval", "0.1", "--times", "3", columns=columns, rows=rows)
            self.assertEqual(0, run.wait())
            self.assertFalse(run.screen.overflowed, (columns, rows))

    def test_options_that_make_no_sense(self):
        for arguments in (("--interval", "1"), ("--watch", "--interval", "0"), ("--watch", "--interval", "nan"), ("--watch", "--interval", "inf"),
                          ("--watch", "--interval", "1e300"), ("--watch", "--times", "0"), ("--watch", "--times", "-1")):
            done = self.run_in_pipe("status", *arguments)
            self.assertEqual(64, done.returncode, arguments)


class Top(TerminalTest):
    def setUp(self):
        super().setUp()
        self.fake.answers["/v1/status"] = (200, status_of(now="2026-03-01T00:10:00.000000Z"))
        self.backlog({"LIID-1": 7, "LIID-2": 5})

    def backlog(self, queued, **more):
        liids = [{"destination": "lea-one", "liid": liid, "queued": count, "emergencies": 0, "state": "ready",
                  "oldest_received": "2026-03-01T00:00:00.000000Z", **more} for liid, count in queued.items()]
        self.fake.answers["/v1/backlog"] = (200, {"now": "2026-03-01T00:10:00.000000Z", "by": "items", "liids_waiting": 9,
                                                  "liids": liids})

    def test_it_draws_in_place_and_tells_how_fast_it_changes(self):
        run = self.run_on_terminal("top", "--interval", "0.1", columns=120)
        run.wait_for_text("LIID-2")
        lines = run.screen.text().splitlines()
        row = next(line for line in lines if line.startswith("LIID-1"))
        self.assertIn("10 min", row)
        self.assertNotIn("/s", run.screen.text(), "there is nothing to compare with yet")
        self.assertIn("(of 9 LIIDs)", run.screen.text())
        self.backlog({"LIID-1": 100007, "LIID-2": 5})
        run.wait_for(lambda: any(line.startswith("LIID-1") and "+" in line and "/s" in line
                                 for line in run.screen.text().splitlines()), "it grows")
        self.backlog({})
        self.fake.answers["/v1/backlog"][1]["liids_waiting"] = 0
        run.wait_for_text("nothing is queued")
        run.type("q")
        self.assertEqual(0, run.wait())
        self.assertFalse(run.screen.overflowed)

    def test_once_in_a_pipe(self):
        done = self.run_in_pipe("top", "--once", "--by", "age", "--limit", "5")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("/v1/backlog?by=age&limit=5", self.fake.asked)
        self.assertEqual(["LIID-1", "LIID-2"], [line.split()[0] for line in done.stdout.splitlines() if line.startswith("LIID-")])
        self.assertNotIn("\x1b", done.stdout)
        document = json.loads(self.run_in_pipe("top", "--once", "--json").stdout)
        self.assertEqual(["lea-one"], [each["name"] for each in document["destinations"]])
        self.assertEqual([7, 5], [each["queued"] for each in document["liids"]])

    def test_destinations_are_sorted(self):
        one, two, three = (status_of(destination={"name": name, "queued": queued, "oldest_queued": oldest})["destinations"][0]
                           for name, queued, oldest in (("few", 1, "2026-03-01T00:00:00.000000Z"), ("none", 0, None),
                                                        ("many", 9, "2026-03-01T00:05:00.000000Z")))
        self.fake.answers["/v1/status"] = (200, status_of(destinations=[one, two, three], now="2026-03-01T00:10:00.000000Z"))
        for by, order in (("items", ["many", "few", "none"]), ("age", ["few", "many", "none"])):
            done = self.run_in_pipe("top", "--once", "--by", by)
            self.assertEqual(order, [line.split()[0] for line in done.stdout.splitlines()[1:4]])

    def test_the_oldest_emergency_is_told(self):
        emergency = {"oldest_emergency_queued": "2026-03-01T00:07:00.000000Z"}
        self.fake.answers["/v1/status"] = (200, status_of(now="2026-03-01T00:10:00.000000Z", destination=emergency))
        for arguments, heading, told in ((("top", "--once"), "OLDEST EMERGENCY", "3 min"),
                                         (("status",), "OLDEST EMERGENCY", "2026-03-01T00:07:00")):
            with self.subTest(arguments):
                done = self.run_in_pipe(*arguments)
                self.assertEqual(0, done.returncode, done.stderr)
                lines = done.stdout.splitlines()
                heads = next(n for n, line in enumerate(lines) if line.startswith("DESTINATION"))
                self.assertEqual(told, lines[heads + 1][lines[heads].index(heading):][:len(told)])
        run = self.run_on_terminal("top", "--once", columns=80)
        self.assertEqual(0, run.wait())
        self.assertIn("3 min", run.screen.text())
        self.assertFalse(run.screen.overflowed)

    def test_emergencies_stand_out(self):
        self.backlog({"LIID-1": 7}, emergencies=1)
        run = self.run_on_terminal("top", "--once", columns=120)
        self.assertEqual(0, run.wait())
        self.assertIn(b"\x1b[1;31mLIID-1", run.raw)

    def test_clocks_that_jump_and_huge_numbers(self):
        for now in ("1970-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z", "yesterday", HOSTILE):
            self.fake.answers["/v1/status"] = (200, status_of(now=now, destination={"queued": 2 ** 64 - 1, "name": HOSTILE}))
            self.backlog({HOSTILE: 2 ** 64 - 1, "": 0}, state=HOSTILE, destination=HOSTILE, oldest_received=HOSTILE)
            for columns in (1, 20, 80, 500):
                run = self.run_on_terminal("top", "--interval", "0.1", "--times", "2", columns=columns)
                self.assertEqual(0, run.wait(), (now, columns))
                self.assertFalse(run.screen.overflowed, columns)

    def test_an_older_daemon(self):
        del self.fake.answers["/v1/backlog"]
        done = self.run_in_pipe("top", "--once")
        self.assertEqual(1, done.returncode)
        self.assertIn("no such resource", done.stderr)


class Tables(TerminalTest):
    def test_they_fit(self):
        self.items()
        for columns in (40, 60, 80, 100, 120, 200, 300):
            run = self.run_on_terminal("items", columns=columns)
            self.assertEqual(0, run.wait())
            self.assertFalse(run.screen.overflowed, columns)
            lines = run.screen.text().splitlines()
            self.assertTrue(lines[1].startswith("ID"), lines)
            self.assertTrue(lines[2].startswith("123e4567-e89b-12d3-a456-426614174000"[:columns - 1]))
            self.assertEqual(columns < 200, "no room for" in run.screen.text(), columns)
        self.assertIn("end", run.screen.text())

    def test_what_does_not_fit_is_named(self):
        self.items()
        run = self.run_on_terminal("items", columns=80)
        self.assertEqual(0, run.wait())
        self.assertIn("(no room for ", run.screen.text())
        self.assertIn("CHANGED", run.screen.text().split("(no room for ")[1])

    def test_columns_by_the_environment_where_the_kernel_does_not_tell(self):
        self.items()
        run = self.run_on_terminal("items", columns=0, rows=0, environment={"COLUMNS": "50"})
        run.screen.resize(50, 24)
        self.assertEqual(0, run.wait())
        self.assertFalse(run.screen.overflowed)

    def test_a_pipe_gets_everything(self):
        self.items()
        done = self.run_in_pipe("items", environment={"COLUMNS": "40", "TERM": "xterm"})
        self.assertIn("because " * 20 + "end", done.stdout)
        self.assertIn("2026-03-01T00:00:00.123456Z", done.stdout)
        self.assertNotIn("…", done.stdout)

    def test_wide_characters_and_marks_keep_the_columns(self):
        self.items(liid="字字e\u0301")
        done = self.run_in_pipe("items")
        heading, row = done.stdout.splitlines()
        before = row.split("字字")[0]
        self.assertEqual(heading.index("LIID"), len(before))
        # Two that take two columns each, and one with a mark that takes none: five columns, then two blanks.
        self.assertEqual(heading.index("RECEIVED"), len(before) + 5 + 2)

    def test_a_terminal_without_utf8_gets_ascii(self):
        self.items(liid="Ma\u011b字")
        run = self.run_on_terminal("items", columns=120, environment={"LC_ALL": "C"})
        self.assertEqual(0, run.wait())
        self.assertTrue(run.raw.isascii())
        self.assertIn(b"Ma\\u011b\\u5b57", run.raw)
        # What goes elsewhere is read elsewhere, although problems would go to this terminal.
        out = os.path.join(self.directory, "out")
        run = Run(["/bin/sh", "-c", f'"$0" --socket "$1" items > "$2"; "$0" --socket "$1" items > /dev/full; "$0" --socket "$1" '
                   'show Ma\u011b', LIHANDOVERCTL, self.fake.path, out], environment={"LC_ALL": "C"})
        self.addCleanup(run.close)
        self.assertEqual(1, run.wait())
        with open(out, encoding="utf-8") as file:
            self.assertIn("Ma\u011b字", file.read())
        self.assertIn(b"cannot be written", run.raw)
        self.assertIn(b"Ma\\u011b is no ObjectIdentifier", run.raw)
        run = self.run_on_terminal("items", "--json", environment={"LC_ALL": "C"})
        run.screen.feed = lambda data: None
        self.assertEqual(0, run.wait())
        self.assertTrue(run.raw.isascii())
        self.assertEqual("Ma\u011b字", json.loads(run.raw.partition(b"[")[1] + run.raw.partition(b"[")[2])[0]["liid"])


class Colours(TerminalTest):
    def setUp(self):
        super().setUp()
        self.fake.answers["/v1/status"] = (200, status_of(alarms=["look here"], destination={"state": "paused", "paused": "tls"}))

    def test_only_on_a_terminal(self):
        run = self.run_on_terminal("status", columns=200)
        self.assertEqual(0, run.wait())
        self.assertIn(b"\x1b[1;31mALARM: look here\x1b[0m", run.raw)
        self.assertIn(b"\x1b[1;31mlea-one", run.raw)
        self.assertNotIn("\x1b", self.run_in_pipe("status", environment={"TERM": "xterm"}).stdout)

    def test_never_where_they_are_not_wanted(self):
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}):
            run = self.run_on_terminal("status", environment=environment)
            self.assertEqual(0, run.wait())
            self.assertNotIn(b"\x1b", run.raw, environment)
        run = self.run_on_terminal("status", "--watch", "--interval", "0.1", "--times", "1", environment={"NO_COLOR": "1"})
        self.assertEqual(0, run.wait())
        self.assertEqual(set(), run.screen.looks)

    def test_emergencies_stand_out(self):
        self.items(emergency=True)
        run = self.run_on_terminal("items", columns=120)
        self.assertEqual(0, run.wait())
        self.assertIn(b"\x1b[1;31m123e4567", run.raw)

    def test_json_has_none(self):
        run = self.run_on_terminal("status", "--json")
        self.assertEqual(0, run.wait())
        self.assertNotIn(b"\x1b", run.raw)


class HostileTexts(TerminalTest):
    """The screen of these tests fails at whatever it does not know."""

    def test_in_a_table_and_a_status(self):
        self.items(liid=HOSTILE, destination=HOSTILE, refusal={"kind": HOSTILE, "code": 2 ** 64 - 1, "words": HOSTILE})
        self.fake.answers["/v1/status"] = (200, status_of(alarms=[HOSTILE], version=HOSTILE, readiness=HOSTILE, destination={
            "name": HOSTILE, "state": HOSTILE, "paused": HOSTILE, "last_failure": HOSTILE, "next_attempt": HOSTILE}))
        for arguments in (("items",), ("status",), ("status", "--watch", "--interval", "0.1", "--times", "2"),
                          ("status", "--json"), ("items", "--json")):
            for columns in (7, 80, 1000):
                run = self.run_on_terminal(*arguments, columns=columns)
                if "--json" in arguments:
                    run.screen.columns = 100000
                    run.screen.main = run.screen.lines = run.screen.blank()
                self.assertEqual(0, run.wait(), arguments)
                self.assertFalse("--json" not in arguments and arguments != ("status",) and run.screen.overflowed, arguments)

    def test_in_an_error(self):
        self.fake.answers["/v1/status"] = (500, {"error": HOSTILE})
        for arguments in (("status",), ("status", "--watch", "--interval", "0.1", "--times", "2")):
            run = self.run_on_terminal(*arguments, columns=1000)
            self.assertEqual(1, run.wait())

    def test_an_answer_of_another_kind(self):
        for body in ([], {}, 17, {"store": 1, "warrants": []}, status_of(destinations=17, certificates={}, alarms=[{}])):
            self.fake.answers["/v1/status"] = (200, body)
            run = self.run_on_terminal("status", columns=1000)
            self.assertIn(run.wait(), (0, 1, 3), body)


class Errors(TerminalTest):
    def test_nobody_is_there(self):
        self.fake.stop()
        done = self.run_in_pipe("status")
        self.assertEqual(3, done.returncode)
        self.assertIn("systemctl status lihandoverd", done.stderr)
        self.assertIn("--socket PATH", done.stderr)

    def test_no_socket_but_a_file(self):
        self.fake.stop()
        open(self.fake.path, "w", encoding="ascii").close()
        done = self.run_in_pipe("status")
        self.assertEqual(3, done.returncode)
        os.unlink(self.fake.path)

    def test_an_id_that_cannot_be_one(self):
        for arguments in (("show", "17"), ("retry", "123e4567-e89b-12d3-a456-42661417400"), ("approve", "\x1b[2J")):
            done = self.run_in_pipe(*arguments)
            self.assertEqual(1, done.returncode)
            self.assertIn("ObjectIdentifier", done.stderr)
            self.assertNotIn("\x1b", done.stderr)
        self.assertEqual([], self.fake.asked, "the daemon need not be asked")

    @unittest.skipIf(os.geteuid() != 0, "only root can be somebody else: denied access is NOT tried")
    def test_who_may_not_is_told_who_may(self):
        os.chmod(self.directory, 0o755)
        for mode, group, said in ((0o600, 0, "Only root"), (0o660, 60, "Members of games may use it: `sudo adduser ")):
            os.chown(self.fake.path, 0, group)
            os.chmod(self.fake.path, mode)
            done = subprocess.run([LIHANDOVERCTL, "--socket", self.fake.path, "status"], capture_output=True, text=True,
                                  timeout=PATIENCE, stdin=subprocess.DEVNULL, user=65534, group=65534, extra_groups=[])
            self.assertEqual(3, done.returncode)
            self.assertIn(said, done.stderr)
            self.assertIn(self.fake.path, done.stderr)

    def test_progress_is_for_terminals(self):
        self.fake.answers["/v1/reload"] = (200, {"outcome": "done", "at": "2026-03-01T00:00:00.123456Z", "problems": []})
        self.fake.gate.clear()
        self.addCleanup(self.fake.gate.set)
        run = self.run_on_terminal("reload")
        run.wait_for_text("reload: every file that changed is read … 1 s")
        self.fake.gate.set()
        self.assertEqual(0, run.wait())
        self.assertNotIn("…", run.screen.text(), "the line goes away")
        self.assertIn("reload: done", run.screen.text())


class RealDaemon(SystemTest):
    def test_the_backlog_of_a_daemon(self):
        daemon = Daemon(self)
        daemon.destination("lea-one", 1)
        daemon.destination("lea-two", 1)
        daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"))
        daemon.warrant("LIID-2", "lea-two", ("user_id", "u-2"), priority="emergency")
        daemon.start()
        daemon.accept(message("u-2"))
        daemon.accept(*(message("u-1") for _ in range(5)))
        # Whatever is tried at the moment counts as well.
        told = wait_until(lambda: (found := daemon.ctl_json("top", "--once"))["liids_waiting"] == 2 and found, "both are told")
        self.assertEqual([("lea-one", "LIID-1", 5, 0), ("lea-two", "LIID-2", 1, 1)],
                         [(each["destination"], each["liid"], each["queued"], each["emergencies"]) for each in told["liids"]])
        self.assertTrue(all(each["oldest_received"] for each in told["liids"]))
        by_age = daemon.ctl_json("top", "--once", "--by", "age", "--limit", "1")
        self.assertEqual(["LIID-2"], [each["liid"] for each in by_age["liids"]])
        self.assertEqual(2, by_age["liids_waiting"])
        for _ in range(20):
            self.assertEqual([5, 1], [each["queued"] for each in daemon.ctl_json("top", "--once")["liids"]])

    def test_a_watch_lives_through_a_restart(self):
        daemon = Daemon(self)
        daemon.destination("lea-one", 1)
        daemon.start()
        program = subprocess.Popen([LIHANDOVERCTL, "--socket", daemon.control, "status", "--watch", "--interval", "0.1", "--json"],
                                   stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        look = lambda: json.loads(program.stdout.readline())
        self.assertIn("version", look())
        daemon.stop()
        wait_until(lambda: "error" in look(), "it says that nobody is there")
        daemon.start()
        wait_until(lambda: "version" in look(), "it sees the daemon again")
        self.assertIsNone(program.poll())


if __name__ == "__main__":
    unittest.main(verbosity=2)
