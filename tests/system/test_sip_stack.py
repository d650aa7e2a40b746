"""Traffic of a SIP stack that nobody here wrote, captured, and what x2x3-send makes of the capture."""

import os
import subprocess
import unittest
import uuid

from harness import SystemTest, programs
from sip_stack import Capture, Stack

class SipStackTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.capture = Capture()
        self.stack = Stack(self, self.capture)
        self.xid = str(uuid.uuid4())

    def flow(self):
        """The capture as x2x3-send reads it."""
        path = self.capture.write(os.path.join(self.directory, "capture.pcap"))
        return subprocess.run([programs.program("x2x3-send"), "--print-flow", "--xid", self.xid, "--target",
                               "sip:ida@north.example", path], check=True, capture_output=True, text=True).stdout

    def test_messages_are_read_at_both_hops(self):
        self.stack.messages(10)
        flow = self.flow()
        self.assertEqual(flow.count("\nMESSAGE sip:otto@south.example SIP/2.0\n"), 20)
        self.assertEqual(flow.count("=== sip from-target"), 20)
        self.assertEqual(flow.count("=== sip to-target"), 20)
        for number in range(1, 11):
            self.assertEqual(flow.count(f"\nMessage {number} through a proxy\n"), 2)

    def test_a_session_is_read_whole(self):
        self.stack.session()
        flow = self.flow()
        self.assertEqual(flow.count("\nINVITE sip:otto@south.example SIP/2.0\n"), 2)
        self.assertEqual(flow.count("\nBYE "), 2)
        # Each SEND at both hops of the relay, and its chunks.
        self.assertEqual(flow.count(" SEND\n"), 2 * (2 + -(-len(Stack.STORY) // 700)))
        self.assertEqual(flow.count("\nIs the relay up?\n"), 2)
        # AUTH, before any signalling, is nobody's.
        self.assertEqual(flow.count("=== msrp unknown"), 4)
        self.assertEqual(flow.count(" correlation=1 "), flow.count("=== "))


if __name__ == "__main__":
    unittest.main(verbosity=2)
