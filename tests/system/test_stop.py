"""Start and stop: gently, once per state directory, and in step with the service manager."""

import os
import signal
import socket
import threading
import unittest

from harness import LIHANDOVERD, Daemon, Lea, Process, SystemTest, message, wait_until


class NotifySocket:
    """What systemd would hear."""

    def __init__(self, test):
        self.path = os.path.join(test.directory, "notify.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        test.addCleanup(self.socket.close)
        self.text = ""

    def heard(self, word):
        while True:
            try:
                self.text += self.socket.recv(65536).decode() + "\n"
            except BlockingIOError:
                return word in self.text.split("\n")


class Stop(SystemTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.daemon = Daemon(self)
        self.daemon.destination("lea-one", self.lea.port)
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"))

    def test_sigterm_under_load_loses_nothing(self):
        self.lea.start(delay_ms=5)
        self.daemon.start()
        accepted, stopping = [], threading.Event()

        def load():
            while not stopping.is_set():
                batch = [message("u-1") for _ in range(5)]
                try:
                    answer = self.daemon.post_many(batch)
                except OSError:
                    continue
                if answer.status == 202:
                    accepted.extend(e["event_id"] for e in batch)

        for _ in range(4):
            self.in_background(load)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            reached = len(accepted) + 50
            wait_until(lambda: len(accepted) >= reached, "load")
            self.daemon.process.signal(number)
            self.assertEqual(0, self.daemon.process.wait(), self.daemon.process.log()[-2000:])
            self.daemon.start()
        stopping.set()
        for thread in self.threads:
            thread.join()
        self.lea.stop()
        self.lea.start()
        self.daemon.wait_delivered()
        arrived = {i.csp_text("eventId") for i in self.lea.items() if i.accepted}
        self.assertEqual(set(), set(accepted) - arrived)

    def test_stop_does_not_wait_for_an_lea_that_does_not_answer(self):
        self.lea.start(delay_ms=600_000)
        self.daemon.configuration["shutdown_timeout"] = "1s"
        self.daemon.configuration["destinations"]["lea-one"]["timeout"] = "10m"
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        wait_until(lambda: self.lea.totals()["messages"], "the item is on its way")
        # Far less than the LEA would take; wait() bounds it.
        self.daemon.stop()
        self.lea.kill()
        self.lea.start()
        self.daemon.start()
        self.daemon.wait_delivered()
        self.assertEqual(1, len(self.lea.items()))

    def test_second_instance_on_the_same_state_is_refused(self):
        self.daemon.start()
        second = Daemon(self, "second", state=self.daemon.state)
        second.start(ready=False)
        self.assertNotEqual(0, second.process.wait())
        self.assertIn(self.daemon.state, second.process.log())
        self.daemon.accept(message("u-1"))

    def test_service_manager_hears_ready_stopping_and_watchdog(self):
        notify = NotifySocket(self)
        self.daemon.environment = {"NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "200000"}
        self.daemon.start()
        wait_until(lambda: notify.heard("READY=1"), "READY")
        wait_until(lambda: notify.heard("WATCHDOG=1"), "WATCHDOG")
        self.assertFalse(notify.heard("STOPPING=1"))
        self.daemon.stop()
        self.assertTrue(notify.heard("STOPPING=1"), notify.text)
        # shutdown_timeout may be longer than the unit's TimeoutStopSec.
        told = int(notify.text.partition("EXTEND_TIMEOUT_USEC=")[2].split()[0])
        self.assertGreater(told, 10_000_000 + 2_000_000, "shutdown_timeout, and how far it may be exceeded")

    def test_sigterm_in_the_first_moments_is_a_gentle_stop(self):
        def holds_signals_back():
            with open(f"/proc/{self.daemon.process.pid}/status", encoding="ascii") as file:
                mask = next(line.split()[1] for line in file if line.startswith("SigBlk"))
            return int(mask, 16) >> (signal.SIGTERM - 1) & 1

        for _ in range(5):
            self.daemon.start(ready=False)
            wait_until(holds_signals_back, "main has begun")
            self.assertEqual(0, self.daemon.process.stop(), self.daemon.process.log())
        self.lea.start()
        self.daemon.start()
        self.daemon.accept(message("u-1"))

    def test_a_disk_that_hangs_does_not_hold_up_a_stop(self):
        hangs = os.path.join(self.directory, "hangs")
        self.daemon.configuration["shutdown_timeout"] = "1s"
        self.preload_shim(self.daemon, SHIM_SYNCS_HANG=hangs)
        self.lea.start()
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        self.daemon.wait_delivered()
        open(hangs, "w", encoding="ascii").close()
        self.in_background(self.post_in_vain)
        wait_until(lambda: self.daemon.metric("lihandover_events_received_total") == 2, "the event is on its way")
        # The disk hangs for ever, so any end is one that did not wait for it; wait() bounds it.
        self.daemon.process.signal(signal.SIGTERM)
        self.assertEqual(1, self.daemon.process.wait())
        self.assertIn("stopped by force", self.daemon.process.log())
        os.unlink(hangs)
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        self.daemon.wait_delivered()

    def post_in_vain(self):
        try:
            self.daemon.post(message("u-1"))
        except OSError:
            pass

    def test_a_name_server_that_hangs_does_not_hold_up_a_stop(self):
        asked = os.path.join(self.directory, "asked")
        self.daemon.configuration["shutdown_timeout"] = "1s"
        self.preload_shim(self.daemon, SHIM_NAME_ASKED=asked)
        self.daemon.configuration["destinations"]["lea-one"]["url"] = "https://lea.hangs.example:8443/hi"
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        wait_until(lambda: os.path.exists(asked), "the name is looked up")
        self.daemon.process.signal(signal.SIGTERM)
        self.assertEqual(0, self.daemon.process.wait(), "nothing was left to lose")
        self.lea.start()
        self.daemon.environment = {}
        self.daemon.destination("lea-one", self.lea.port)
        self.daemon.start()
        self.daemon.wait_delivered()

    def test_a_disk_that_hangs_is_told_and_starves_the_watchdog(self):
        hangs = os.path.join(self.directory, "hangs")
        notify = NotifySocket(self)
        self.preload_shim(self.daemon, SHIM_SYNCS_HANG=hangs, NOTIFY_SOCKET=notify.path, WATCHDOG_USEC="200000")
        self.daemon.configuration["store"] = {"commit_timeout": "300ms"}
        self.daemon.start()
        wait_until(lambda: notify.heard("WATCHDOG=1"), "WATCHDOG")
        open(hangs, "w", encoding="ascii").close()
        self.in_background(self.post_in_vain)
        wait_until(lambda: self.daemon.ready_status() == 503, "it is not ready")
        self.assertTrue([a for a in self.daemon.ctl_json("status")["alarms"] if "the disk hangs" in a])
        # What was sent before the disk was found to hang may still lie in the socket.
        notify.heard("WATCHDOG=1")
        notify.text = ""
        for _ in range(5):
            self.daemon.admin("/healthz")
        self.assertFalse(notify.heard("WATCHDOG=1"))
        os.unlink(hangs)
        wait_until(lambda: self.daemon.ready_status() == 200, "it is ready again")
        wait_until(lambda: notify.heard("WATCHDOG=1"), "WATCHDOG again")

    def test_bad_configuration_does_not_start(self):
        self.daemon.configuration["colour"] = "blue"
        self.daemon.start(ready=False)
        self.assertEqual(1, self.daemon.process.wait())
        self.assertRegex(self.daemon.process.log(), r"lihandoverd\.yaml:\d+:\d+: unknown key")
        nothing = Process("lihandoverd", [LIHANDOVERD, "--config", os.path.join(self.directory, "nowhere.yaml")],
                          self.directory)
        self.processes.append(nothing)
        self.assertEqual(1, nothing.wait())
        self.assertIn("nowhere.yaml", nothing.log())


if __name__ == "__main__":
    unittest.main(verbosity=2)
