"""A disk that is full, and a store that has reached its limit: refused clearly, nothing lost, recovers by itself."""

import os
import subprocess
import unittest

from harness import Daemon, Lea, SystemTest, message, wait_until


class FullDisk(SystemTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)

    def small_disk(self, size):
        place = os.path.join(self.directory, "disk")
        os.makedirs(place)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", place],
                              capture_output=True, text=True)
        if done.returncode:
            self.skipTest(f"a small tmpfs cannot be mounted here: {done.stderr.strip()}")
        # Runs before the directory is removed, after the processes have ended.
        self.addCleanup(lambda: subprocess.run(["umount", "-l", place], check=False))
        return place

    def daemon_on(self, state):
        daemon = Daemon(self, state=state)
        daemon.destination("lea-one", self.lea.port)
        daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"))
        return daemon

    def fill(self, daemon, most=4000):
        """Hands in until it is refused; the event ids that were taken and the refusal."""
        accepted = []
        for _ in range(most):
            batch = [message("u-1", text="x" * 20000) for _ in range(5)]
            answer = daemon.post_many(batch)
            if answer.status != 202:
                return accepted, answer
            accepted += [e["event_id"] for e in batch]
        raise AssertionError("the disk does not fill up")

    def check_refusal(self, daemon, answer):
        self.assert_status(503, answer)
        self.assertGreater(int(answer.fields["retry-after"]), 0)
        wait_until(lambda: daemon.ready_status() == 503, "not ready")
        self.assertEqual(200, daemon.admin("/healthz").status, "it lives")
        # Whoever it concerns.
        self.assert_status(503, daemon.post(message("u-9")))
        self.assertTrue(daemon.process.running())

    def check_recovery(self, daemon, accepted):
        wait_until(lambda: daemon.ready_status() == 200, "ready again, by itself")
        last = message("u-1", text="the last")
        wait_until(lambda: daemon.post(last).status == 202, "takes events again")
        daemon.wait_delivered()
        arrived = {i.csp_text("eventId") for i in self.lea.items() if i.accepted}
        self.assertEqual(set(), set(accepted) - arrived, "accepted and lost")
        self.assertIn(last["event_id"], arrived)

    def test_full_disk_refuses_and_recovers_by_delivering(self):
        daemon = self.daemon_on(os.path.join(self.small_disk("24m"), "state"))
        daemon.start()
        accepted, answer = self.fill(daemon)
        self.assertTrue(accepted)
        self.check_refusal(daemon, answer)
        # A restart on the full disk loses nothing either.
        daemon.process.kill()
        daemon.start(ready=False)
        wait_until(lambda: daemon.ready_status() is not None, "up again")
        self.lea.start()
        self.check_recovery(daemon, accepted)

    def test_disk_filled_by_others_recovers_when_space_returns(self):
        disk = self.small_disk("48m")
        daemon = self.daemon_on(os.path.join(disk, "state"))
        daemon.start()
        daemon.accept(message("u-1", text="before"))
        ballast = os.path.join(disk, "ballast")
        with open(ballast, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 65536)
            except OSError:
                pass
        accepted, answer = self.fill(daemon)
        self.check_refusal(daemon, answer)
        os.unlink(ballast)
        self.lea.start()
        self.check_recovery(daemon, accepted)

    def test_size_limit_refuses_and_recovers(self):
        daemon = self.daemon_on(None)
        daemon.configuration["store"] = {"max_bytes": "16MiB"}
        daemon.start()
        accepted, answer = self.fill(daemon)
        self.check_refusal(daemon, answer)
        self.lea.start()
        self.check_recovery(daemon, accepted)

    def test_upload_that_fills_the_disk_is_refused_and_leaves_nothing(self):
        state = self.small_disk("48m")
        daemon = self.daemon_on(state)
        self.lea.start()
        daemon.start()
        self.assert_status(201, daemon.put("small", b"it fits"))
        # The daemon answers before it has read all of it, and closes.
        try:
            answer = daemon.put("large", iter([b"x" * 1_000_000] * 200))
            self.assert_status(503, answer)
            self.assertGreater(int(answer.fields["retry-after"]), 0)
        except ConnectionError:
            pass
        wait_until(lambda: len(os.listdir(os.path.join(state, "objects"))) == 1, "only the small one is left")
        wait_until(lambda: daemon.ready_status() == 200, "ready")
        self.assert_status(422, daemon.post(message("u-1", attachments=[{"id": "a", "object": "large"}])))
        daemon.accept(message("u-1", text="the last", attachments=[{"id": "a", "object": "small"}]))
        daemon.wait_delivered()
        self.assertEqual(["the last"], [i.csp_text("text") for i in self.lea.items()])


if __name__ == "__main__":
    unittest.main(verbosity=2)
