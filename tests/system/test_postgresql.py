"""The store in PostgreSQL: the same promises from the outside, and what becomes of them when the database goes."""

import os
import signal
import unittest

from harness import Daemon, Lea, SystemTest, inline, message, wait_until
from programs import Postgresql

WORD = "xyzzy" + os.urandom(4).hex()


@unittest.skipUnless(Postgresql.is_installed(), "PostgreSQL is not installed")
class InPostgresql(SystemTest):
    durability = "local"

    def setUp(self):
        super().setUp()
        self.database = Postgresql(self).create()
        self.lea = Lea(self)
        self.lea.start()
        self.daemon = Daemon(self)
        self.daemon.configuration["store"] = {
            "engine": "postgresql", "commit_timeout": "2s",
            "postgresql": {"connection": self.database.connection(), "durability": self.durability, "node": "csp-a"}}
        self.daemon.configuration["encryption"] = {"key_files": [self.key("first")]}
        self.daemon.destination("lea-one", self.lea.port, binary={
            "model": "B", "expiry": "1h",
            "url_template": f"https://127.0.0.1:{self.lea.port}/binaryData/{{object_identifier}}/"})
        self.daemon.warrant(f"L-{WORD}", "lea-one", ("user_id", "u-1"), deliver=["metadata", "content", "binary"],
                            file="one.yaml")

    def key(self, name):
        path = os.path.join(self.directory, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(os.urandom(32).hex() + "\n")
        return path

    def send(self, count, **more):
        sent = [message("u-1", text=f"{WORD} {n}", conversation="c-1", **more) for n in range(count)]
        self.daemon.accept(*sent)
        return [marker["event_id"] for marker in sent]

    def delivered(self):
        return [item.csp_text("eventId") for item in self.lea.items()]

    def test_what_was_answered_is_delivered_in_order_over_kills(self):
        self.daemon.start()
        self.daemon.ctl("pause", "lea-one")
        sent = self.send(30) + self.send(1, attachments=[inline("a", os.urandom(3000))])
        self.daemon.process.kill()
        self.daemon.start()
        sent += self.send(5)
        self.daemon.process.kill()
        self.daemon.start()
        self.assertEqual(36, self.daemon.waiting())
        self.daemon.ctl("resume", "lea-one")
        self.daemon.wait_delivered()
        self.assertEqual(sent, self.delivered())
        self.assertEqual(list(range(36)), [item.sequence for item in self.lea.items()])
        self.assertEqual(1, len(self.lea.objects()))

    def test_nothing_of_a_target_is_in_the_clear(self):
        self.daemon.start()
        self.daemon.ctl("pause", "lea-one")
        self.send(5)
        self.database.sql("CHECKPOINT")
        self.assertEqual([], self.files_with(WORD))
        self.daemon.ctl("resume", "lea-one")
        self.daemon.wait_delivered()
        self.assertEqual(5, len(self.delivered()))

    def files_with(self, word):
        found = []
        for top in (self.database.data, self.daemon.state):
            for place, _, names in os.walk(top):
                for name in names:
                    with open(os.path.join(place, name), "rb") as file:
                        bytes = file.read()
                    if word.encode() in bytes or word.encode("utf-16-le") in bytes or word.encode().hex().encode() in bytes:
                        found.append(name)
        return found

    def test_while_the_database_is_away_sources_wait_and_nothing_is_lost(self):
        self.daemon.start()
        sent = self.send(3)
        self.daemon.wait_delivered()
        self.database.stop()
        refused = message("u-1", conversation="c-1")
        self.assert_status(503, self.daemon.post(refused))
        self.assertTrue(self.daemon.process.running())
        self.database.start()
        # Its source says it again, as it would, until it is taken.
        wait_until(lambda: self.daemon.post(refused).status == 202, "the store takes it again")
        self.daemon.wait_delivered()
        self.assertEqual([*sent, refused["event_id"]], self.delivered())
        self.assertEqual([0, 1, 2, 3], [item.sequence for item in self.lea.items()])

    def test_nobody_waits_for_a_revocation_that_is_in_doubt(self):
        self.daemon.warrant("L-2", "lea-one", ("user_id", "u-2"), file="two.yaml")
        self.daemon.start()
        self.database.stop()
        revoke = ["--destination", "lea-one", "--reason", "void"]
        self.daemon.ctl("revoke", "L-2", *revoke, expect=1)
        # Each is answered, while the database is away for as long as it likes.
        later = self.daemon.run_ctl("revoke", f"L-{WORD}", *revoke)
        self.assertNotEqual(0, later.returncode)
        self.assertIn("nothing was tried", later.stdout + later.stderr)
        refused = self.daemon.run_ctl("reload")
        self.assertNotEqual(0, refused.returncode)
        self.assertIn("revocation", refused.stdout + refused.stderr)
        self.assertEqual(1, self.daemon.metric("lihandover_reloads_total", outcome="failed"))
        self.database.start()
        wait_until(lambda: self.daemon.run_ctl("reload").returncode == 0, "warrants are loaded again")
        wait_until(lambda: self.daemon.run_ctl("revoke", "L-2", *revoke).returncode == 0, "it is revoked")
        self.wait_replicated()
        sent = self.send(1)
        self.daemon.accept(message("u-2"))
        self.daemon.wait_delivered()
        self.assertEqual(sent, self.delivered())

    def test_a_start_without_its_database_or_key_says_so(self):
        self.daemon.start()
        self.daemon.ctl("pause", "lea-one")
        self.send(2)
        self.daemon.stop()
        self.assertEqual(0, self.daemon.check("--check-start")[0])
        before = self.daemon.configuration["encryption"]
        self.daemon.configuration["encryption"] = {"key_files": [self.key("another")]}
        self.assertNotEqual(0, self.failed_start())
        self.daemon.configuration["encryption"] = before
        self.database.stop()
        self.assertNotEqual(0, self.failed_start())
        status, output = self.daemon.check("--check-start")
        self.assertNotEqual(0, status)
        self.assertIn("store.postgresql.connection", output)
        self.database.start()
        self.wait_replicated()
        self.daemon.start()
        self.daemon.ctl("resume", "lea-one")
        self.daemon.wait_delivered()
        self.assertEqual(2, len(self.delivered()))

    def wait_replicated(self):
        pass

    def failed_start(self):
        self.daemon.start(ready=False)
        return self.daemon.process.wait()

    def test_a_store_in_state_dir_is_not_left_behind(self):
        moved = self.daemon.configuration.pop("store")
        self.daemon.start()
        self.daemon.ctl("pause", "lea-one")
        self.send(2)
        self.daemon.stop()
        self.daemon.configuration["store"] = moved
        self.assertNotEqual(0, self.failed_start())
        self.assertIn("state_dir has a store of SQLite", self.daemon.logs())
        status, output = self.daemon.check("--check-start")
        self.assertNotEqual(0, status)
        self.assertIn("store.engine", output)
        del self.daemon.configuration["store"]
        self.daemon.start()
        self.daemon.ctl("resume", "lea-one")
        self.daemon.wait_delivered()
        self.daemon.stop()
        os.rename(self.daemon.state, self.daemon.state + ".sqlite")
        os.mkdir(self.daemon.state, 0o700)
        self.daemon.configuration["store"] = moved
        self.daemon.start()
        self.send(1)
        self.daemon.wait_delivered()
        self.assertEqual(3, len(self.delivered()))

    def test_who_stood_still_until_another_took_the_database_ends_and_waits_for_its_turn(self):
        self.daemon.configuration["store"]["postgresql"]["lease"] = "2s"
        self.daemon.start()
        sent = self.send(3)
        self.daemon.wait_delivered()
        other = self.another()
        other.start(ready=False)
        self.assertEqual(1, other.process.wait(), "the database is in use")
        self.addCleanup(self.daemon.process.signal, signal.SIGCONT)
        self.daemon.process.signal(signal.SIGSTOP)
        self.start_once_let_in(other)
        self.daemon, first = other, self.daemon
        sent += self.send(3)
        first.process.signal(signal.SIGCONT)
        self.assertEqual(1, first.process.wait(), "a failure, after which its unit starts it again")
        self.assertIn("another daemon has the database", first.logs())
        first.start(ready=False)
        self.assertEqual(1, first.process.wait())
        self.daemon.wait_delivered()
        self.assertEqual(sent, self.delivered())
        self.daemon.stop()
        first.start()

    def another(self):
        """A second daemon, with the same warrants."""
        other = Daemon(self, "other")
        other.configuration = {**self.daemon.configuration, "state_dir": other.state, "intake": other.configuration["intake"],
                               "admin": other.configuration["admin"], "store": {
                                   **self.daemon.configuration["store"], "postgresql": {
                                       **self.daemon.configuration["store"]["postgresql"], "node": "csp-b"}}}
        return other

    def start_once_let_in(self, daemon):
        def let_in():
            process = daemon.start(ready=False)
            wait_until(lambda: not process.running() or daemon.ready_status() == 200, "it starts or ends")
            return process.running()
        wait_until(let_in, "its turn comes")
        daemon.wait_ready()

    def test_operators_and_people_decide_as_elsewhere(self):
        self.daemon.warrant("L-2", "lea-one", ("user_id", "u-2"), review="required", file="two.yaml")
        self.daemon.start()
        first, second = (message("u-2", conversation="c-2") for _ in range(2))
        self.daemon.accept(first, second)
        wait_until(lambda: self.daemon.waiting(state="held") == 2, "both are held")
        one, other = self.daemon.items("held")
        self.daemon.ctl("reject", one["id"], "--reason", "privileged")
        self.daemon.ctl("approve", other["id"])
        self.daemon.wait_delivered()
        self.assertEqual([second["event_id"]], self.delivered())
        self.daemon.ctl("revoke", "L-2", "--destination", "lea-one", "--reason", "void")
        self.daemon.process.kill()
        self.daemon.start()
        self.daemon.accept(message("u-2"))
        self.send(1)
        self.daemon.wait_delivered()
        self.assertEqual(2, len(self.delivered()))
        exported = os.path.join(self.directory, "export")
        with open(exported, "w", encoding="utf-8") as out:
            out.write(self.daemon.ctl("audit", "export"))
        self.daemon.ctl("audit", "verify", exported)


@unittest.skipUnless(Postgresql.is_installed(), "PostgreSQL is not installed")
class Replicated(InPostgresql):
    """The same, each commit being on a standby."""

    durability = "replicated"

    def setUp(self):
        super().setUp()
        self.standby = self.database.standby()

    def wait_replicated(self):
        wait_until(self.database.is_replicated, "the standby is back")

    def test_without_a_standby_nothing_counts(self):
        self.daemon.start()
        sent = self.send(2)
        self.daemon.wait_delivered()
        self.standby.stop()
        refused = message("u-1", conversation="c-1")
        self.assert_status(503, self.daemon.post(refused))
        self.standby.start()
        wait_until(lambda: self.daemon.post(refused).status == 202, "the store takes it again")
        self.daemon.wait_delivered()
        self.assertEqual([*sent, refused["event_id"]], self.delivered(), "once, although it was on the primary's disk")


if __name__ == "__main__":
    unittest.main()
