"""What is under no warrant leaves no trace; what is under one leaves only what it has to."""

import os
import unittest

from harness import Daemon, Lea, SystemTest, message, party, wait_until

UNMATCHED = "unmistakably-nobodys"
MATCHED = "unmistakably-somebodys"


def files_with(directory, needle):
    found = []
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)
            try:
                with open(path, "rb") as file:
                    if needle.encode() in file.read():
                        found.append(path)
            except OSError:
                pass  # a socket, or gone meanwhile
    return found


class NoTrace(SystemTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.daemon = Daemon(self)
        self.daemon.configuration["log_level"] = "trace"
        self.daemon.destination("lea-one", self.lea.port)
        self.daemon.warrant("LIID-SECRET", "lea-one", ("user_id", f"{MATCHED}-target"))

    def event(self, word, sender):
        return message(sender, f"{word}-receiver", f"{word}-text", f"{word}-conversation",
                       event_id=f"{word}-event-{os.urandom(4).hex()}",
                       members=[party(("msisdn", "447700900999"), ("email", f"{word}@example.com"))],
                       parameters={f"{word}-name": f"{word}-value"})

    def told(self):
        """All that the daemon tells to anybody but the operator and the LEA."""
        return self.daemon.logs() + self.daemon.metrics_text()

    def test_unmatched_events_leave_no_trace(self):
        self.lea.start()
        self.daemon.start()
        for _ in range(5):
            self.daemon.accept(*(self.event(UNMATCHED, f"{UNMATCHED}-sender") for _ in range(20)))
        # Refused ones, too: the answer names the member, the log and the metrics nothing of it.
        self.daemon.post({**self.event(UNMATCHED, "x"), f"{UNMATCHED}-member": 1})
        self.daemon.post(b'{"event_id": "' + UNMATCHED.encode() + b'", broken')
        self.daemon.accept(self.event(MATCHED, f"{MATCHED}-target"))
        self.daemon.wait_delivered()
        self.assertEqual([], files_with(self.daemon.directory, UNMATCHED))
        self.assertNotIn(UNMATCHED, self.told())
        self.daemon.process.kill()
        self.assertEqual([], files_with(self.daemon.directory, UNMATCHED), "nor after a crash")
        self.daemon.start()
        self.daemon.stop()
        self.assertEqual([], files_with(self.daemon.directory, UNMATCHED), "nor after a stop")
        self.assertNotIn(UNMATCHED, self.daemon.logs())

    def test_matched_events_are_neither_in_logs_nor_in_metrics(self):
        self.daemon.start()
        self.daemon.accept(self.event(MATCHED, f"{MATCHED}-target"))
        self.lea.start(refuse_liid={"LIID-SECRET": 3999})
        wait_until(lambda: self.daemon.items("refused"), "the item is refused")
        for word in (MATCHED, "LIID-SECRET", "447700900999"):
            self.assertNotIn(word, self.told())
        self.lea.stop()
        self.lea.start()
        self.daemon.ctl("retry", "--destination", "lea-one")
        self.daemon.wait_delivered()
        self.daemon.ctl("reload")
        self.daemon.stop()
        for word in (MATCHED, "LIID-SECRET", "447700900999"):
            self.assertNotIn(word, self.daemon.logs())

    def test_content_is_gone_once_it_is_delivered_or_rejected(self):
        self.daemon.start()
        self.daemon.accept(*(self.event(MATCHED, f"{MATCHED}-target") for _ in range(20)))
        waiting = self.daemon.items()
        self.assertEqual(20, len(waiting))
        # Sealed, each under a key of its own; that the keys are overwritten is for the store's own tests.
        self.assertEqual([], files_with(self.daemon.state, f"{MATCHED}-text"))
        rejected = waiting[0]["id"]
        self.daemon.ctl("reject", rejected, "--reason", "test")
        self.lea.start()
        self.daemon.wait_delivered()
        wait_until(lambda: len(self.lea.items()) >= 19, "the others arrived")
        self.daemon.stop()
        for word in (f"{MATCHED}-text", f"{MATCHED}-receiver", f"{MATCHED}-value"):
            self.assertEqual([], files_with(self.daemon.state, word))

    def test_state_directory_is_the_daemons_own(self):
        self.daemon.start()
        self.daemon.accept(self.event(MATCHED, f"{MATCHED}-target"))
        self.assertEqual(0o700, os.stat(self.daemon.state).st_mode & 0o777)
        for folder, _, names in os.walk(self.daemon.state):
            for name in names:
                mode = os.stat(os.path.join(folder, name)).st_mode & 0o077
                self.assertEqual(0, mode, name)
        with open(f"/proc/{self.daemon.process.pid}/limits", encoding="ascii") as file:
            core = next(line for line in file if line.startswith("Max core file size")).split()
        self.assertEqual("0", core[4], "no core dumps")

    def memory(self):
        """What the daemon can write to, and is not a file's."""
        all = bytearray()
        with open(f"/proc/{self.daemon.process.pid}/maps", encoding="ascii") as file:
            maps = [line.split() for line in file]
        with open(f"/proc/{self.daemon.process.pid}/mem", "rb", buffering=0) as file:
            for fields in maps:
                begin, end = (int(part, 16) for part in fields[0].split("-"))
                if not fields[1].startswith("rw") or (len(fields) > 5 and fields[5].startswith("/")):
                    continue
                file.seek(begin)
                while begin < end:
                    try:
                        part = file.read(min(1 << 20, end - begin))
                    except OSError:
                        break  # not there, or not to be read
                    all += part
                    begin += len(part)
        return bytes(all)

    def test_content_is_wiped_when_it_is_let_go(self):
        if os.environ.get("LIHANDOVER_SANITIZED"):
            self.skipTest("a sanitizer keeps what was freed, to find who uses it")
        self.lea.start()
        self.daemon.start()
        try:
            self.memory()
        except PermissionError:
            self.skipTest("not allowed to look into the memory of others")

        def send(sender, word, count):
            for _ in range(count):
                self.daemon.accept(*(message(sender, text=f"{word}-{os.urandom(4).hex()} " * 40) for _ in range(20)))
        send(f"{MATCHED}-target", MATCHED + "-text", 20)
        send("somebody", UNMATCHED + "-text", 20)
        self.daemon.wait_delivered()
        # Whatever is used again and again is filled with other words by as many again.
        send(f"{MATCHED}-target", "others-" * 8, 40)
        self.daemon.wait_delivered()
        wait_until(lambda: len(self.lea.items()) == 20 * 60, "all arrived")
        memory = self.memory()
        self.assertIn(b"lihandover", memory, "the test itself works")
        for word in (MATCHED, UNMATCHED):
            self.assertEqual(0, memory.count(f"{word}-text".encode()), word)

    def test_memory_reaches_no_disk(self):
        self.daemon.start()
        with open(f"/proc/{self.daemon.process.pid}/limits", encoding="ascii") as file:
            limits = {line[:26].strip(): line[26:].split() for line in file}
        self.assertEqual(["0", "0"], limits["Max core file size"][:2], "whatever starts it")
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="ascii") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        if os.environ.get("LIHANDOVER_SANITIZED"):
            return  # sanitizers lock nothing, whoever asks
        may_lock = int(status["CapEff"], 16) >> 14 & 1 or limits["Max locked memory"][1] == "unlimited"
        locked = int(status["VmLck"].split()[0])
        self.assertEqual(bool(may_lock), locked > 0, status)


if __name__ == "__main__":
    unittest.main(verbosity=2)
