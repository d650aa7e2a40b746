"""Traffic of a SIP stack that nobody here wrote, captured, and what x2x3-send makes of the capture."""

import os
import subprocess
import unittest
import uuid

from harness import SystemTest, programs
from sip_stack import Capture, Kamailio, MsrpClient, Sipp

STORY = "A story of nine hundred words, told to somebody who has all evening. " * 90


class SipStackTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.capture = Capture()
        self.kamailio = Kamailio(self, self.capture)
        self.sipp = Sipp(self, self.kamailio)
        self.xid = str(uuid.uuid4())

    def messages(self, count):
        """So many MESSAGEs from Ida to Otto."""
        called = self.sipp.called("answer-message.xml", calls=count)
        self.sipp.calling("send-message.xml", "-r", 100, calls=count)
        self.assertEqual(called.wait(), 0)
        self.kamailio.collector.wait_for(b"SIP/2.0 200", 2 * count)

    def session(self):
        """A session with a few messages, from INVITE to BYE."""
        ida, otto = (MsrpClient(self.kamailio, self.capture, name) for name in ("ida", "otto"))
        self.addCleanup(ida.close)
        self.addCleanup(otto.close)
        paths = {"offered_path": ida.authorise(), "answered_path": otto.authorise()}
        called = self.sipp.called("answer-session.xml", "-key", "answered_path", paths["answered_path"])
        self.sipp.calling("invite.xml", "-cid_str", "session-1", "-key", "offered_path", paths["offered_path"])
        ida.say(otto, "Is the relay up?")
        otto.say(ida, "It is.")
        ida.say(otto, STORY, chunk=700)
        self.sipp.calling("bye.xml", "-cid_str", "session-1", "-key", "contact",
                          f"127.0.0.1:{self.kamailio.called_port}", "-key", "proxy", f"127.0.0.1:{self.kamailio.sip_port}")
        self.assertEqual(called.wait(), 0)
        self.kamailio.collector.wait_for(b"CSeq: 2 BYE", 4)

    def flow(self):
        """The capture as x2x3-send reads it."""
        path = self.capture.write(os.path.join(self.directory, "capture.pcap"))
        return subprocess.run([programs.program("x2x3-send"), "--print-flow", "--xid", self.xid, "--target",
                               "sip:ida@north.example", path], check=True, capture_output=True, text=True).stdout

    def test_messages_are_read_at_both_hops(self):
        self.messages(10)
        flow = self.flow()
        self.assertEqual(flow.count("\nMESSAGE sip:otto@south.example SIP/2.0\n"), 20)
        self.assertEqual(flow.count("=== sip from-target"), 20)
        self.assertEqual(flow.count("=== sip to-target"), 20)
        for number in range(1, 11):
            self.assertEqual(flow.count(f"\nMessage {number} through a proxy\n"), 2)

    def test_a_session_is_read_whole(self):
        self.session()
        flow = self.flow()
        self.assertEqual(flow.count("\nINVITE sip:otto@south.example SIP/2.0\n"), 2)
        self.assertEqual(flow.count("\nBYE "), 2)
        # Each SEND at both hops of the relay, and its chunks.
        self.assertEqual(flow.count(" SEND\n"), 2 * (2 + -(-len(STORY) // 700)))
        self.assertEqual(flow.count("\nIs the relay up?\n"), 2)
        # AUTH, before any signalling, is nobody's.
        self.assertEqual(flow.count("=== msrp unknown"), 4)
        self.assertEqual(flow.count(" correlation=1 "), flow.count("=== "))


if __name__ == "__main__":
    unittest.main(verbosity=2)
