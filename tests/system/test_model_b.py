"""Binary objects pushed to the LEA: TS 103 707 annex C.3, and the three ways in which sources give them."""

import hashlib
import os
import signal
import unittest
import uuid

from harness import Daemon, Lea, SystemTest, inline, message, wait_until

PHOTOGRAPH = bytes(range(256)) * 40 + b"the end"


class ModelB(SystemTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.daemon = Daemon(self)
        self.binary = {"model": "B", "expiry": "1h", "continue_timeout": "5s",
                       "url_template": f"https://127.0.0.1:{self.lea.port}/binaryData/{{object_identifier}}/"}
        self.daemon.destination("lea-one", self.lea.port, binary=self.binary)
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"), deliver=["metadata", "content", "binary"])
        self.spool = os.path.join(self.directory, "spool")
        os.makedirs(self.spool)
        self.daemon.configuration["intake"]["attachment_root"] = self.spool
        self.daemon.configuration["intake"]["attachment_grace"] = "5s"

    def begin(self, *rules):
        self.lea.start()
        self.lea.obey(*rules)
        self.daemon.start()

    def item(self, count=1):
        return wait_until(lambda: [i for i in self.lea.items() if i.accepted][count - 1:], "the item")[0]

    def stored(self, count=1):
        return wait_until(lambda: [o for o in self.lea.objects() if o["outcome"] == "stored"][count - 1:],
                          "the object at the LEA")

    def object_count(self, state):
        return self.daemon.metric("lihandover_objects", destination="lea-one", state=state)

    def left_behind(self):
        return os.listdir(os.path.join(self.daemon.state, "objects"))

    def test_each_way_of_giving_an_object_arrives_whole_after_its_item(self):
        self.begin()
        self.assert_status(201, self.daemon.put("clip-7", PHOTOGRAPH * 30))
        with open(os.path.join(self.spool, "note.bin"), "wb") as file:
            file.write(PHOTOGRAPH[::-1])
        self.daemon.accept(message("u-1", attachments=[
            inline("a1", PHOTOGRAPH, content_type="image/jpeg", filename="roof.jpg",
                   sha256=hashlib.sha256(PHOTOGRAPH).hexdigest()),
            {"id": "a2", "object": "clip-7", "content_type": "video/mp4"},
            {"id": "a3", "file": "note.bin"},
            inline("a4", b"", content_type="text/plain"),
        ]))
        item = self.item()
        self.assertTrue(item.valid, item.problem)
        self.assertEqual(["a1", "a2", "a3", "a4"], [o["cspDefinedIdentifier"] for o in item.objects])
        wanted = [PHOTOGRAPH, PHOTOGRAPH * 30, PHOTOGRAPH[::-1], b""]
        for record, bytes in zip(item.objects, wanted):
            self.assertEqual(str(len(bytes)), record["contentLength"])
            self.assertEqual(hashlib.sha256(bytes).hexdigest(), record["checksum"].lower())
            self.assertRegex(record["expiry"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual("roof.jpg", item.objects[0]["originalFilename"])
        self.assertEqual(4, len({o["url"] for o in item.objects}))
        wait_until(lambda: len([o for o in self.lea.objects() if o["outcome"] == "stored"]) == 4, "all four objects")
        by_path = {o["path"]: o for o in self.lea.objects()}
        for record, bytes in zip(item.objects, wanted):
            line = by_path[record["url"].split(f":{self.lea.port}", 1)[1]]
            self.assertEqual(bytes, self.lea.object_bytes(line))
            self.assertEqual(bool(bytes), line["expected_continue"], "an empty object goes without Expect")
            self.assertEqual(len(bytes), line["content_length"])
        self.assertEqual("image/jpeg", by_path[item.objects[0]["url"].split(f":{self.lea.port}", 1)[1]]["content_type"])
        order = [line["event"] for line in self.lea.lines()]
        self.assertLess(order.index("delivery"), order.index("object"), "the item goes first")
        wait_until(lambda: self.left_behind() == [], "the bytes are gone once the LEA has them")
        self.assertEqual(0, self.object_count("queued"))

    def test_objects_of_events_under_no_warrant_leave_nothing(self):
        self.begin()
        secret = b"a photograph of nobody's business " * 5000
        self.daemon.put("clip-1", secret)
        for bytes in (self.daemon.state,):
            for directory, _, names in os.walk(bytes):
                for name in names:
                    with open(os.path.join(directory, name), "rb") as file:
                        self.assertNotIn(secret[:34], file.read(), "sealed as long as no warrant matched")
        self.daemon.accept(message("u-9", attachments=[{"id": "x", "object": "clip-1"}, inline("y", secret)]))
        wait_until(lambda: self.left_behind() == [], "nothing is left of it")
        again = self.daemon.post(message("u-9", attachments=[{"id": "x", "object": "clip-1"}]))
        self.assert_status(422, again)
        self.assertEqual("attachments[0].object", again.json()["rejected"][0]["field"])

    def test_warrant_without_binary_gets_no_object(self):
        self.daemon.warrant("LIID-2", "lea-one", ("user_id", "u-2"), deliver=["metadata", "content"])
        self.begin()
        self.daemon.accept(message("u-2", attachments=[inline("a", PHOTOGRAPH)]))
        item = self.item()
        self.assertEqual([], item.objects)
        self.assertEqual("1", item.csp_text("attachments"))
        self.daemon.wait_delivered()
        self.assertEqual([], self.left_behind())

    def test_two_warrants_on_one_message_share_the_bytes_and_nothing_else(self):
        self.daemon.warrant("LIID-2", "lea-one", ("user_id", "u-2"), deliver=["metadata", "binary"])
        self.begin({"kind": "withhold_continue", "on": "uploads"})
        self.daemon.accept(message("u-1", "u-2", attachments=[inline("a", PHOTOGRAPH)]))
        self.item(2)
        first, second = [i for i in self.lea.items() if i.accepted]
        self.assertNotEqual(first.objects[0]["url"], second.objects[0]["url"])
        self.assertEqual(first.objects[0]["checksum"], second.objects[0]["checksum"])
        self.assertEqual(1, len(self.left_behind()), "stored once")
        self.lea.obey()
        self.stored(2)
        wait_until(lambda: self.left_behind() == [], "removed with the last one")

    def test_body_is_never_sent_unasked_and_the_url_never_changes(self):
        self.daemon.configuration["destinations"]["lea-one"]["binary"]["continue_timeout"] = "1s"
        self.begin({"kind": "withhold_continue", "on": "uploads", "times": 2},
                   {"kind": "status", "on": "uploads", "status": 404, "times": 2},
                   {"kind": "status", "on": "uploads", "status": 417, "times": 1})
        self.daemon.accept(message("u-1", attachments=[inline("a", PHOTOGRAPH)]))
        line, = self.stored()
        lines = self.lea.objects()
        self.assertEqual({0}, {o["size"] for o in lines if o["outcome"] != "stored"})
        self.assertEqual(1, len({o["path"] for o in lines}))
        self.assertGreaterEqual(len(lines), 4)
        self.assertEqual(PHOTOGRAPH, self.lea.object_bytes(line))

    def test_upload_that_breaks_in_the_middle_begins_again(self):
        self.begin({"kind": "drop", "moment": "answering", "on": "uploads", "times": 2})
        self.daemon.accept(message("u-1", attachments=[inline("a", PHOTOGRAPH)]))
        line, = self.stored()
        self.assertEqual(PHOTOGRAPH, self.lea.object_bytes(line))
        self.assertEqual(1, len({o["path"] for o in self.lea.objects()}))

    def judged(self, status):
        """An object that the LEA answers with this status, while it takes all others."""
        self.lea.obey({"kind": "status", "on": "uploads", "status": status, "contains": "image/x-disliked"})
        disliked = inline("a", PHOTOGRAPH, content_type="image/x-disliked")
        self.daemon.accept(message("u-1", attachments=[disliked]))

        def refused():
            found = self.daemon.items("refused")
            if not found:  # an object that nothing can be compared with is tried on
                self.daemon.accept(message("u-1", attachments=[inline("b", b"fine")]))
            return found
        found, = wait_until(refused, "the object is refused")
        return found

    def test_refused_object_waits_for_an_operator(self):
        self.begin()
        refused = self.judged(413)
        self.assertEqual(("lea-one", "LIID-1", "refused"), (refused["destination"], refused["liid"], refused["state"]))
        self.assertIn("object_of", refused)
        self.assertEqual(1, self.object_count("refused"))
        wait_until(lambda: len(self.left_behind()) == 1, "the others are delivered")
        self.assertIn("413", self.daemon.ctl("show", refused["id"]))
        self.lea.obey()
        self.daemon.ctl("retry", refused["id"])
        wait_until(lambda: self.daemon.items() == [] and self.left_behind() == [], "nothing waits")
        self.assertIn(PHOTOGRAPH, [self.lea.object_bytes(o) for o in self.lea.objects() if o["outcome"] == "stored"])

    def test_early_success_is_refused_where_others_are_taken(self):
        self.begin()
        refused = self.judged(201)
        self.assertIn("201", self.daemon.ctl("show", refused["id"]))
        self.lea.obey()
        self.daemon.ctl("retry", refused["id"])
        wait_until(lambda: self.daemon.items() == [] and self.left_behind() == [], "nothing waits")
        self.assertIn(PHOTOGRAPH, [self.lea.object_bytes(o) for o in self.lea.objects() if o["outcome"] == "stored"])

    def test_early_success_for_all_pauses(self):
        self.begin({"kind": "status", "on": "uploads", "status": 200})
        for number in range(4):
            self.daemon.accept(message("u-1", attachments=[inline("a", PHOTOGRAPH)]))
        wait_until(lambda: self.daemon.metric("lihandover_uploads_paused", destination="lea-one",
                                              reason="senseless_answer") == 1, "uploads are paused")
        self.assertEqual([], self.daemon.items("refused"))
        self.lea.obey()
        wait_until(lambda: self.daemon.items() == [] and self.left_behind() == [], "nothing waits")

    def test_early_success_counts_where_it_is_configured(self):
        self.binary["early_success"] = "delivered"
        self.begin({"kind": "status", "on": "uploads", "status": 201})
        self.daemon.accept(message("u-1", attachments=[inline("a", PHOTOGRAPH)]))
        self.item()
        wait_until(lambda: self.daemon.metric("lihandover_uploads_total", destination="lea-one", outcome="early") == 1,
                   "the early answer")
        wait_until(lambda: self.left_behind() == [] and self.daemon.items() == [], "it is delivered")

    def test_rejected_object_is_gone(self):
        self.begin()
        refused = self.judged(410)
        self.daemon.ctl("reject", refused["id"], "--reason", "the LEA has it on paper")
        wait_until(lambda: self.left_behind() == [], "its bytes are gone")
        self.assertEqual([], self.daemon.items())

    def test_uploads_survive_a_kill(self):
        self.begin({"kind": "withhold_continue", "on": "uploads"})
        bytes = os.urandom(3_000_000)
        self.daemon.put("big", bytes)
        self.daemon.accept(message("u-1", attachments=[{"id": "a", "object": "big"}]))
        url = self.item().objects[0]["url"]
        wait_until(lambda: self.object_count("queued") == 1, "the upload is on its way")
        self.daemon.process.kill()
        self.lea.obey()
        self.daemon.start()
        line, = self.stored()
        self.assertTrue(url.endswith(line["path"]))
        self.assertEqual(bytes, self.lea.object_bytes(line))
        wait_until(lambda: self.left_behind() == [], "nothing is left")

    def test_upload_that_no_event_names_does_not_survive_a_restart(self):
        self.begin()
        self.daemon.put("orphan", PHOTOGRAPH)
        self.assertEqual(1, len(self.left_behind()))
        self.daemon.process.kill()
        self.daemon.start()
        self.assertEqual([], self.left_behind())
        self.assert_status(422, self.daemon.post(message("u-1", attachments=[{"id": "a", "object": "orphan"}])))

    def test_repeated_put_replaces_and_chunks_are_taken(self):
        self.begin()
        self.assert_status(201, self.daemon.put("p", b"first"))
        self.assert_status(204, self.daemon.put("p", iter([b"sec", b"ond"])))
        self.assert_status(415, self.daemon.put("p", b"\x1f\x8b", Content_Encoding="gzip"))
        self.daemon.accept(message("u-1", attachments=[{"id": "a", "object": "p"}]))
        line, = self.stored()
        self.assertEqual(b"second", self.lea.object_bytes(line))

    def test_checksum_of_the_source_must_agree(self):
        self.begin()
        self.daemon.put("p", b"bytes")
        wrong = "0" * 64
        for attachment in ({"id": "a", "object": "p", "sha256": wrong}, inline("a", b"bytes", sha256=wrong)):
            for sender in ("u-1", "u-9"):
                answer = self.daemon.post(message(sender, attachments=[attachment]))
                self.assert_status(422, answer)
        right = hashlib.sha256(b"bytes").hexdigest()
        self.daemon.accept(message("u-1", attachments=[{"id": "a", "object": "p", "sha256": right}]))
        self.stored()

    def test_paths_lead_nowhere_else(self):
        self.begin()
        outside = os.path.join(self.directory, "outside")
        with open(outside, "wb") as file:
            file.write(b"not for anybody")
        os.symlink(outside, os.path.join(self.spool, "link"))
        os.symlink(self.directory, os.path.join(self.spool, "folder"))
        os.mkfifo(os.path.join(self.spool, "pipe"))
        answers = set()
        for path in ("../outside", "link", "folder/outside", outside, "pipe", ".", "missing", "/proc/self/environ",
                     "x/../../outside", "a\u0000b"):
            for sender in ("u-1", "u-9"):
                answer = self.daemon.post(message(sender, attachments=[{"id": "a", "file": path}]))
                self.assertEqual(422, answer.status, path)
                answers.add(answer.body)
        self.assertEqual(1, len(answers), answers)

    def test_vanished_file_holds_up_its_own_liid_and_is_stated(self):
        self.daemon.warrant("LIID-2", "lea-one", ("user_id", "u-2"))
        self.daemon.configuration["intake"]["attachment_grace"] = "10s"
        self.lea.start()
        self.daemon.start()
        path = os.path.join(self.spool, "gone.bin")
        with open(path, "wb") as file:
            file.write(PHOTOGRAPH)
        wrong = "0" * 64
        self.daemon.accept(message("u-1", attachments=[{"id": "a", "file": "gone.bin", "sha256": wrong}]),
                           message("u-1", text="behind it"), message("u-2", text="beside it"))
        os.unlink(path)
        wait_until(lambda: len([i for i in self.lea.items() if i.accepted]) == 3, "all items")
        texts = [i.csp_text("text") for i in self.lea.items() if i.accepted]
        self.assertEqual("beside it", texts[0])
        self.assertEqual("behind it", texts[2])
        lost = self.lea.items()[1]
        self.assertTrue(lost.valid, lost.problem)
        self.assertNotIn("checksum", lost.objects[0])
        self.assertEqual(1, self.daemon.metric("lihandover_objects_lost_total"))
        self.assertEqual([], self.lea.objects())

    def test_hostile_names_and_types_are_data(self):
        self.begin()
        name = "a\r\nX-Evil: 1\u0000\ud800" + "n" * 60000 + "\u202e.exe"
        self.daemon.accept(message("u-1", attachments=[
            inline("i\r\n\u0001", PHOTOGRAPH, filename=name, content_type="text/plain\r\nX-Evil: 1")]))
        item = self.item()
        self.assertTrue(item.valid, item.problem)
        line, = self.stored()
        self.assertEqual("application/octet-stream", line["content_type"])
        self.assertEqual(PHOTOGRAPH, self.lea.object_bytes(line))

    def test_large_objects_do_not_hold_up_items_or_small_ones(self):
        self.daemon.configuration["destinations"]["lea-one"]["upload_connections"] = 4
        self.begin({"kind": "slow_read", "on": "uploads", "rate": 400_000, "times": 6})
        big = os.urandom(4_000_000)
        for number in range(6):
            self.daemon.put(f"big-{number}", big)
            self.daemon.accept(message("u-1", attachments=[{"id": "a", "object": f"big-{number}"}]))
        self.item(6)
        self.daemon.accept(message("u-1", text="small", attachments=[inline("s", b"small")]))
        self.item(7)
        wait_until(lambda: any(o["outcome"] == "stored" and o["size"] == 5 for o in self.lea.objects()), "the small one")
        self.assertLess(len([o for o in self.lea.objects() if o["outcome"] == "stored"]), 7, "before the last large one")
        self.lea.obey()


if __name__ == "__main__":
    unittest.main()
