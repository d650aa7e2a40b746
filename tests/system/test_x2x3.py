"""What points of interception hand over by X2/X3, up to the documents of the LEA."""

import glob
import json
import os
import socket
import ssl
import struct
import unittest
import warnings

from harness import (PATIENCE, Certificates, Daemon, Lea, Ports, SystemTest, client_context, raise_descriptor_limit,
                     wait_until)
from programs.x2x3 import (MSRP, X3, PointOfInterception, attribute, keepalive, msrp_send, pdu,
                           sip_message)

XID = "29f28e1c-f230-486a-a860-f5a784ab9177"
OTHER_XID = "6e4a1f30-0000-4000-8000-00000000000a"


class Tasks(SystemTest):
    """A daemon with one X2/X3 listener, and a warrant that lists XID."""

    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.lea.start()
        self.daemon = Daemon(self)
        self.daemon.destination("lea-one", self.lea.port)
        self.port = Ports.take()
        self.listener("as-1", self.port)
        self.task("LIID-1", XID)

    def listener(self, name, port, **more):
        one = {"name": name, "listen": f"127.0.0.1:{port}",
               "tls": {"certificate": Certificates.path("intake.pem"), "private_key": Certificates.path("intake.key"),
                       "client_ca": Certificates.path("csp-ca.pem")}, "partial_message_timeout": "1h", **more}
        self.daemon.configuration["intake"].setdefault("x2x3", []).append(one)
        return one

    def task(self, liid, *xids, **more):
        content = {"liid": liid, "destination": "lea-one", "valid_from": "2020-01-01T00:00:00Z",
                   "valid_until": "2100-01-01T00:00:00Z", "xid": list(xids),
                   "deliver": ["metadata", "content", "location"], **more}
        return self.daemon.warrant_text(f"{liid}.yaml", json.dumps(content))

    def point(self, port=None, **more):
        opened = PointOfInterception(port or self.port, **more)
        self.addCleanup(opened.close)
        return opened

    def texts(self):
        return [item.csp_text("text") for item in self.lea.items() if item.accepted]

    def wait_texts(self, *expected):
        wait_until(lambda: len(self.texts()) >= len(expected), f"{len(expected)} items arrived")
        self.assertCountEqual(expected, self.texts())

    def pdus(self, outcome, source="as-1"):
        return self.daemon.metric("lihandover_x2x3_pdus_total", source=source, outcome=outcome)


class Events(Tasks):
    def test_a_page_mode_message_becomes_a_document(self):
        self.daemon.start()
        point = self.point()
        matched = attribute(17, b"<SIPURI>sip:alice@ims.example.com</SIPURI>")
        point.send(pdu(sip_message("See you at eight", "call-1"), XID, attributes=matched, sequence=0))
        point.acknowledged()
        self.wait_texts("See you at eight")
        item = self.lea.items()[0]
        self.assertEqual("LIID-1", item.liid)
        self.assertTrue(item.valid)
        self.assertIn("sip:alice@ims.example.com", item.identifiers(item.sender))
        self.assertTrue(item.targeted(item.sender))
        self.assertFalse(item.targeted(item.receivers[0]))
        self.assertEqual("ims", item.csp_text("service"))
        self.assertEqual(1, self.pdus("event"))
        self.assertEqual(1, self.pdus("keepalive"))
        self.assertEqual(1, self.daemon.metric("lihandover_events_received_total", source="as-1"))
        self.assertEqual(1, self.daemon.metric("lihandover_events_accepted_total", source="as-1"))

    def test_the_same_pdu_again_makes_no_second_item(self):
        self.daemon.start()
        first = self.point()
        one = pdu(sip_message("once", "call-1"), XID)
        first.send(one, one)
        first.acknowledged()
        other = self.point()
        other.send(one, pdu(sip_message("after it", "call-2"), XID))
        other.acknowledged()
        self.wait_texts("once", "after it")
        self.daemon.restart()
        with self.point() as later:
            later.send(one, pdu(sip_message("and after the restart", "call-3"), XID))
            later.acknowledged()
        self.wait_texts("once", "after it", "and after the restart")

    def test_chunks_of_messages_come_interleaved(self):
        self.daemon.start()
        point = self.point()
        first, second = "first " * 40, "second " * 40
        chunks = []
        for start in range(0, 240, 60):
            last = "$" if start == 180 else "+"
            chunks.append(msrp_send(first[start:start + 60].encode(), "m1", start + 1, 240, last, f"tid1{start}"))
        for start in range(0, 280, 70):
            last = "$" if start == 210 else "+"
            chunks.append(msrp_send(second[start:start + 70].encode(), "m2", start + 1, 280, last, f"tid2{start}"))
        for number in (0, 4, 5, 2, 1, 6, 3, 7):
            point.send(pdu(chunks[number], XID, kind=X3, format=MSRP))
        point.acknowledged()
        self.wait_texts(first, second)
        self.assertEqual(2, self.pdus("event"))
        self.assertEqual(6, self.pdus("no_event"))
        self.assertEqual(0, self.daemon.metric("lihandover_x2x3_unfinished_bytes", source="as-1"))

    def test_a_partial_message_goes_out_in_its_time(self):
        self.daemon.configuration["intake"]["x2x3"][0]["partial_message_timeout"] = "1s"
        self.daemon.start()
        point = self.point()
        point.send(pdu(msrp_send(b"only the beginning", "m1", 1, 100, "+", "tid1"), XID, kind=X3, format=MSRP))
        point.acknowledged()
        self.wait_texts("only the beginning")
        self.assertIn(b"completeness", self.lea.items()[0].bytes)
        self.assertIn(b"1-18", self.lea.items()[0].bytes)

    def test_a_pdu_of_two_tasks_is_one_item_for_each_warrant(self):
        self.task("LIID-2", OTHER_XID)
        self.task("LIID-3", XID, OTHER_XID)
        self.daemon.start()
        point = self.point()
        further = attribute(21, bytes.fromhex(OTHER_XID.replace("-", "")) + struct.pack(">Q", 1))
        point.send(pdu(sip_message("for all of them", "call-1"), XID, attributes=further))
        point.acknowledged()
        self.wait_texts(*["for all of them"] * 3)
        self.assertCountEqual(["LIID-1", "LIID-2", "LIID-3"], [item.liid for item in self.lea.items()])

    def test_what_is_broken_or_unknown_costs_nothing_after_it(self):
        self.daemon.start()
        point = self.point()
        point.send(pdu(b"x", XID, attributes=struct.pack(">HH", 8, 500) + b"few"),
                   pdu(b"an Ethernet frame", XID, kind=X3, format=7),
                   pdu(sip_message("the one", "call-1"), XID, attributes=attribute(99, b"unknown")),
                   pdu(b"whatever", XID, kind=77),
                   pdu(sip_message("a minor version of tomorrow", "call-2"), XID, version=(0, 200)))
        point.acknowledged()
        wait_until(lambda: self.pdus("event") == 2, "both events were made")
        self.assertEqual(1, self.pdus("malformed"))
        self.assertEqual(2, self.pdus("skipped"))
        self.assertEqual(1, self.daemon.metric("lihandover_x2x3_unknown_attributes_total", source="as-1"))
        wait_until(lambda: {"the one", "a minor version of tomorrow"} <= set(self.texts()), "both arrived")

    def test_what_cannot_be_framed_ends_its_connection_only(self):
        self.daemon.start()
        stays = self.point()
        stays.acknowledged()
        for octets in (pdu(b"", XID, version=(1, 0)), b"\x05", struct.pack(">BBHII", 0, 5, 1, 81, 0x7F00021B),
                       struct.pack(">BBHII", 0, 5, 1, 39, 0), b"GET / HTTP/1.1\r\n"):
            with self.subTest(octets=octets[:12]), self.point() as wrong:
                wrong.send(octets)
                self.assertTrue(wrong.is_closed())
        stays.send(pdu(sip_message("still here", "call-1"), XID))
        stays.acknowledged()
        self.wait_texts("still here")

    def test_what_is_no_sip_goes_out_as_it_is(self):
        self.daemon.destination("lea-one", self.lea.port, binary={
            "model": "B", "url_template": f"https://127.0.0.1:{self.lea.port}/binaryData/{{object_identifier}}/"})
        self.task("LIID-1", XID, deliver=["metadata", "content", "binary", "location"])
        self.daemon.start()
        point = self.point()
        point.send(pdu(b"NOT SIP AT ALL\r\n", XID))
        point.acknowledged()
        wait_until(lambda: self.lea.objects(), "the object arrived")
        self.assertEqual(b"NOT SIP AT ALL\r\n", self.lea.object_bytes(self.lea.objects()[0]))
        self.assertEqual(1, self.pdus("malformed"))

    def test_gaps_in_sequence_numbers_are_an_alarm(self):
        self.daemon.start()
        point = self.point()
        for number in (0, 1, 4, 5):
            point.send(pdu(sip_message(f"number {number}", f"call-{number}"), XID, sequence=number))
        point.acknowledged()
        wait_until(lambda: self.daemon.metric("lihandover_x2x3_sequence_gaps_total", source="as-1") == 1,
                   "the gap is counted")
        self.assertIn("as-1", "".join(a for a in self.daemon.ctl_json("status")["alarms"] if "gap" in a))

    def test_counting_over_all_tasks_is_no_alarm(self):
        self.task("LIID-2", OTHER_XID)
        self.daemon.start()
        point = self.point()
        for number in range(40):
            point.send(pdu(sip_message("x", f"call-{number}"), (XID, OTHER_XID)[number % 3 == 0], sequence=number))
        point.acknowledged()
        wait_until(lambda: self.pdus("event") == 40, "all events were made")
        self.assertEqual(0, self.daemon.metric("lihandover_x2x3_sequence_gaps_total", source="as-1"))


class Keepalives(Tasks):
    def test_are_acknowledged_with_their_number(self):
        self.daemon.start()
        point = self.point()
        for number in (0, 7, 2 ** 32 - 1):
            point.send(keepalive(number))
            self.assertEqual(pdu(kind=4, format=0, direction=0, correlation=0, sequence=number), point.read_pdu())
        point.send(keepalive())
        self.assertEqual(pdu(kind=4, format=0, direction=0, correlation=0), point.read_pdu())
        self.assertEqual(4, self.pdus("keepalive"))

    def test_are_acknowledged_under_load(self):
        self.daemon.start()
        busy = self.point()
        stop = []

        def load():
            number = 0
            while not stop:
                busy.send(*(pdu(sip_message("x" * 500, f"call-{number + n}"), XID) for n in range(100)))
                number += 100
        loading = self.in_background(load)
        quiet = self.point()
        for _ in range(20):
            quiet.acknowledged()
            wait_until(lambda seen=self.pdus("event"): self.pdus("event") > seen, "there is load")
        stop.append(True)
        loading.join(PATIENCE)
        busy.acknowledged()

    def test_who_stops_sending_them_is_closed_and_who_never_did_is_not(self):
        self.daemon.configuration["intake"]["x2x3"][0]["keepalive_timeout"] = "1s"
        self.daemon.start()
        silent = self.point()
        silent.send(pdu(sip_message("one", "call-1"), XID))
        point = self.point()
        point.acknowledged()
        self.assertTrue(point.is_closed())
        silent.send(pdu(sip_message("two", "call-2"), XID))
        silent.acknowledged()
        self.wait_texts("one", "two")


class Peers(Tasks):
    def test_only_those_with_a_certificate_of_the_ca_get_in(self):
        self.daemon.start()
        old = client_context("source")
        old.set_ciphers("DEFAULT@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        for name, context in (("no certificate", client_context()), ("an unknown authority", client_context("stranger")),
                              ("another authority of ours", client_context("csp")), ("TLS 1.1", old)):
            with self.subTest(name):
                with self.assertRaises((ssl.SSLError, ConnectionError, AssertionError)):
                    with self.point(context=context) as wrong:
                        wrong.send(pdu(sip_message("never", "call-0"), XID))
                        wrong.acknowledged()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = client_context("source")
            context.minimum_version = context.maximum_version = version
            context.set_alpn_protocols(["x2x3", "h2"])
            right = self.point(context=context)
            right.send(pdu(sip_message(version.name, f"call-{version.name}"), XID))
            right.acknowledged()
        self.wait_texts("TLSv1_2", "TLSv1_3")
        self.assertEqual(2, self.daemon.metric("lihandover_events_received_total", source="as-1"))

    def test_three_hundred_stalled_do_not_keep_out_the_next(self):
        raise_descriptor_limit(2048)
        self.daemon.configuration["intake"]["x2x3"][0]["max_connections"] = 300
        self.daemon.start()
        stalled = []
        for n in range(300):
            if n % 10 == 0:
                one = self.point()
                one.send(pdu(sip_message("half of it", "call-x"), XID)[:n])
            else:
                one = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
                self.addCleanup(one.close)
            stalled.append(one)
        for n in range(5):
            with self.point() as point:
                point.send(pdu(sip_message(f"number {n}", f"call-{n}"), XID))
                point.acknowledged()
        self.wait_texts(*(f"number {n}" for n in range(5)))


class Trouble(Tasks):
    def test_of_unknown_tasks_nothing_is_left(self):
        self.daemon.start()
        marker = "nobody-ordered-this"
        point = self.point()
        for n in range(200):
            point.send(pdu(sip_message(marker, f"{marker}-{n}", f"sip:{marker}@example.com"), OTHER_XID, sequence=n),
                       pdu(msrp_send(marker.encode(), marker, 1, 1000, "+", f"tid{n}"), OTHER_XID, kind=X3, format=MSRP))
        point.send(pdu(sip_message("ordered", "call-1"), XID))
        point.acknowledged()
        self.wait_texts("ordered")
        self.assertEqual(400, self.pdus("unknown_xid"))
        self.assertEqual(0, self.daemon.metric("lihandover_x2x3_sessions", source="as-1"))
        traces = (marker.encode(), OTHER_XID.encode(), bytes.fromhex(OTHER_XID.replace("-", "")))
        self.assertFalse([t for t in traces if t in self.daemon.metrics_text().encode()])
        self.daemon.stop()
        self.assertFalse([t for t in traces if t in self.daemon.logs().encode()])
        for path in glob.glob(os.path.join(self.daemon.state, "**"), recursive=True):
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    content = file.read()
                self.assertFalse([t for t in traces if t in content], path)

    def test_chunks_survive_a_crash(self):
        self.daemon.configuration["intake"]["x2x3"][0]["partial_message_timeout"] = "2s"
        self.daemon.start()
        point = self.point()
        point.send(pdu(msrp_send(b"what came before the crash", "m1", 1, 1000, "+", "tid1"), XID, kind=X3, format=MSRP),
                   pdu(msrp_send(b"the beginning, ", "m2", 1, 30, "+", "tid2"), XID, kind=X3, format=MSRP),
                   pdu(sip_message("after them", "call-1"), XID))
        point.acknowledged()
        # Its item is there, so what was read before it is durable.
        self.wait_texts("after them")
        wait_until(lambda: not self.daemon.items("queued"), "its acceptance is on disk: else it goes once more")
        self.daemon.process.kill()
        self.daemon.start()
        with self.point() as point:
            point.send(pdu(msrp_send(b"and the rest...", "m2", 16, 30, "$", "tid3"), XID, kind=X3, format=MSRP))
            point.acknowledged()
        self.wait_texts("after them", "what came before the crash", "the beginning, and the rest...")
        partial = [i for i in self.lea.items() if i.csp_text("text").startswith("what came")]
        self.assertIn(b"completeness", partial[0].bytes)
        self.daemon.restart()
        self.assertEqual(0, self.daemon.metric("lihandover_x2x3_unfinished_bytes", source="as-1"))

    def test_a_stop_keeps_what_was_read(self):
        self.daemon.start()
        point = self.point()
        count = 2000
        point.send(*(pdu(sip_message(f"number {n}", f"call-{n}"), XID) for n in range(count)))
        point.acknowledged()
        self.daemon.restart()
        self.daemon.wait_delivered()
        wait_until(lambda: len(self.texts()) >= count, "all of them arrived")
        self.assertEqual({f"number {n}" for n in range(count)}, set(self.texts()))

    def test_a_store_that_hangs_stops_the_reading_and_loses_nothing(self):
        hangs = os.path.join(self.directory, "hangs")
        self.preload_shim(self.daemon, SHIM_SYNCS_HANG=hangs)
        self.daemon.configuration["store"] = {"commit_timeout": "500ms"}
        self.daemon.start()
        quiet = self.point()
        quiet.acknowledged()
        with open(hangs, "w", encoding="ascii"):
            pass
        # As much as there is no memory for.
        text = "x" * 60000
        busy = self.point()
        sent = []

        def send():
            for n in range(2000):
                busy.send(pdu(sip_message(f"{n} {text}", f"call-{n}"), XID))
                sent.append(n)
        sending = self.in_background(send)
        wait_until(lambda: self.daemon.metric("lihandover_store_accepting") == 0, "the store takes nothing")
        seen = [-1, -1]

        def stands():
            seen[:] = [len(sent), seen[0]]
            quiet.acknowledged()
            return seen[0] == seen[1]
        wait_until(stands, "nothing more is read", timeout=PATIENCE)
        self.assertLess(len(sent), 2000)
        os.remove(hangs)
        sending.join(PATIENCE)
        busy.acknowledged()
        wait_until(lambda: self.pdus("event") == 2000, "all of them are read")
        self.daemon.wait_delivered()
        wait_until(lambda: len(set(self.texts())) == 2000, "all of them arrived")

    def test_a_stop_while_the_store_hangs_takes_its_time_and_no_more(self):
        hangs = os.path.join(self.directory, "hangs")
        self.preload_shim(self.daemon, SHIM_SYNCS_HANG=hangs)
        self.daemon.configuration["shutdown_timeout"] = "2s"
        self.daemon.start()
        point = self.point()
        with open(hangs, "w", encoding="ascii"):
            pass
        point.send(*(pdu(sip_message(f"number {n}", f"call-{n}"), XID) for n in range(100)))
        point.acknowledged()
        self.daemon.process.signal(15)
        self.daemon.process.wait(20)


class Reloads(Tasks):
    def restart_free(self):
        self.daemon.write_configuration()
        self.daemon.reload()
        self.assertEqual(0, self.daemon.metric("lihandover_reloads_total", outcome="failed"))

    def test_listeners_appear_change_and_go(self):
        self.daemon.start()
        first = self.point()
        first.acknowledged()
        other_port, moved_port = Ports.take(), Ports.take()
        self.listener("as-2", other_port, service="chat")
        self.restart_free()
        with self.point(other_port) as point:
            point.send(pdu(sip_message("of the new one", "call-1"), XID))
            point.acknowledged()
        self.wait_texts("of the new one")
        self.assertEqual("chat", self.lea.items()[0].csp_text("service"))
        first.acknowledged()  # it has gone on

        self.daemon.configuration["intake"]["x2x3"][1]["listen"] = f"127.0.0.1:{moved_port}"
        self.restart_free()
        with self.point(moved_port) as point:
            point.acknowledged()
            point.send(pdu(msrp_send(b"only a part", "m1", 1, 100, "+", "tid1"), XID, kind=X3, format=MSRP))
            point.acknowledged()
        with self.assertRaises(OSError):
            self.point(other_port)

        del self.daemon.configuration["intake"]["x2x3"][1]
        self.restart_free()
        self.wait_texts("of the new one", "only a part")
        with self.assertRaises(OSError):
            self.point(moved_port)
        first.acknowledged()

    def test_an_address_that_is_taken_fails_the_reload_as_a_whole(self):
        self.daemon.start()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.listener("as-2", taken.getsockname()[1])
            self.daemon.configuration["log_level"] = "info"
            self.daemon.write_configuration()
            self.daemon.reload()
        self.assertEqual(1, self.daemon.metric("lihandover_reloads_total", outcome="failed"))
        self.point().acknowledged()
        self.restart_free_after_failure()

    def restart_free_after_failure(self):
        self.daemon.reload()
        self.assertEqual(1, self.daemon.metric("lihandover_reloads_total", outcome="failed"))

    def test_tasks_come_and_go_with_their_warrants(self):
        self.daemon.start()
        point = self.point()
        point.send(pdu(sip_message("too early", "call-1"), OTHER_XID))
        point.acknowledged()
        self.task("LIID-2", OTHER_XID)
        self.daemon.reload()
        point.send(pdu(sip_message("in time", "call-2"), OTHER_XID))
        point.acknowledged()
        self.wait_texts("in time")

    def test_what_a_listener_of_before_left_goes_out_at_a_start(self):
        self.daemon.start()
        point = self.point()
        point.send(pdu(msrp_send(b"left behind", "m1", 1, 100, "+", "tid1"), XID, kind=X3, format=MSRP),
                   pdu(sip_message("after it", "call-1"), XID))
        point.acknowledged()
        self.wait_texts("after it")
        self.daemon.stop()
        self.daemon.configuration["intake"]["x2x3"][0]["name"] = "as-renamed"
        self.daemon.start()
        self.wait_texts("after it", "left behind")


if __name__ == "__main__":
    unittest.main()
