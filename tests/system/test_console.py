"""The reviewers' page as a process serves it: who gets in, what each may do, and what is on record of it."""

import http.client
import json
import os
import socket
import ssl
import subprocess
import time
import unittest
import uuid

from console import PEOPLE, PageTest, Person, configure, subject
from harness import LIHANDOVERCTL, PATIENCE, Certificates, Lea, inline, message, wait_until
from test_connections import revocation_list
from test_transport import issue, put

PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003"
                    "0101006f2d5fd50000000049454e44ae426082")


class Console(PageTest):
    def setUp(self):
        super().setUp()
        self.ann, self.bea, self.otto = (Person(self.port, self.directory, name) for name in PEOPLE)

    def write(self, review, liid="LIID-1", user="u-1", **more):
        self.daemon.warrant(liid, "lea-one", ("user_id", user), file=f"{liid}.yaml", review=review,
                            **{"deliver": ["metadata", "content", "binary"], **more})

    def state(self, item):
        return self.daemon.ctl_json("show", item)["state"]

    def entries(self, kind=None):
        lines = [json.loads(line) for line in self.daemon.ctl("audit", "export").splitlines()]
        return [line for line in lines if line.get("kind") == kind or (kind is None and "kind" in line)]

    def test_only_people_who_are_listed_get_in(self):
        self.daemon.start()
        self.assert_status(200, self.ann.get())
        mallory = Person(self.port, self.directory, "mallory")
        for path in ("/", "/items", "/console.js"):
            self.assertEqual(403, mallory.get(path).status)
        for name, ca in (("stranger", "csp-ca"), (None, "csp-ca"), ("csp", "csp-ca")):
            with self.subTest(name):
                with self.assertRaises((ssl.SSLError, ConnectionError, http.client.BadStatusLine)):
                    Person(self.port, self.directory, name, ca).get()
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            self.assertNotIn(b"200", plain.recv(1000))
        self.assertIn(f"console=127.0.0.1:{self.port}", self.daemon.process.log())

    def test_a_reload_changes_who_gets_in(self):
        self.daemon.start()
        people = self.daemon.configuration["admin"]["console"]["people"]
        del people[subject("bea")]
        people[subject("mallory")] = ["operate"]
        people[subject("otto")] = ["review"]
        self.daemon.write_configuration()
        self.daemon.reload()
        self.assertEqual(403, self.bea.get().status)
        self.assertIn("(operate)", Person(self.port, self.directory, "mallory").get().text)
        self.assertIn("(review)", self.otto.get().text)
        self.daemon.configuration["admin"]["console"]["people"] = {}
        self.daemon.write_configuration()
        self.daemon.reload()
        self.assertEqual(403, self.ann.get().status, "nobody is listed any more")

    def test_whoever_is_revoked_is_out_at_once(self):
        lists = revocation_list(self.directory, authority="csp-ca")
        self.daemon.configuration["admin"]["console"]["tls"]["client_crl"] = lists
        self.daemon.configuration["tls_reload_interval"] = "100ms"
        self.daemon.start()
        open_one = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.bea.context, timeout=PATIENCE)
        open_one.request("GET", "/items")
        answer = open_one.getresponse()
        answer.read()
        self.assertEqual(200, answer.status)
        revocation_list(self.directory, os.path.join(self.directory, "bea.pem"), authority="csp-ca")

        def is_out():
            try:
                self.bea.get()
            except (ssl.SSLError, ConnectionError, http.client.BadStatusLine):
                return True
            return False
        wait_until(is_out, "she is out")
        with self.assertRaises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
            open_one.sock.settimeout(PATIENCE)
            if not open_one.sock.recv(1):
                raise ConnectionError("closed")
        open_one.close()
        self.assertEqual(200, self.ann.get().status)

    def test_its_certificate_is_renewed_without_a_restart(self):
        own = os.path.join(self.directory, "own")
        for suffix in (".pem", ".key"):
            put(Certificates.path("intake" + suffix), own + suffix)
        self.daemon.configuration["admin"]["console"]["tls"].update(certificate=own + ".pem", private_key=own + ".key")
        self.daemon.start()
        ends = {"role": "console", "name": "console", "kind": "own", "number": "1"}
        before = self.daemon.metric("lihandover_certificate_expiry_timestamp_seconds", **ends)
        renewed = issue(self.directory, "renewed", "csp-ca", "serverAuth", days=30)
        put(renewed + ".key", own + ".key")
        put(renewed + ".pem", own + ".pem")
        self.daemon.reload()
        self.assertEqual(200, self.ann.get().status)
        self.assertLess(self.daemon.metric("lihandover_certificate_expiry_timestamp_seconds", **ends), before)

    def test_a_certificate_that_cannot_be_read_stops_nothing_but_the_page(self):
        own = os.path.join(self.directory, "own")
        put(Certificates.path("intake.key"), own + ".key")
        with open(own + ".pem", "w", encoding="utf-8") as broken:
            broken.write("no certificate\n")
        self.daemon.configuration["admin"]["console"]["tls"].update(certificate=own + ".pem", private_key=own + ".key")
        self.daemon.configuration["tls_reload_interval"] = "100ms"
        self.write("none")
        status, said = self.daemon.check()
        self.assertEqual(1, status, said)
        self.assertRegex(said, r"lihandoverd\.yaml:\d+:\d+: .*own\.pem")
        self.daemon.start()
        with self.assertRaises((ssl.SSLError, ConnectionError, http.client.BadStatusLine)):
            self.ann.get()
        self.daemon.accept(message("u-1"))
        self.daemon.wait_delivered("lea-one")
        self.assertEqual(1, self.daemon.metric("lihandover_tls_files_bad", role="console", name="console"))
        alarms = self.daemon.ctl_json("status")["alarms"]
        self.assertTrue([a for a in alarms if "nobody can connect to console" in a and "own.pem" in a], alarms)
        self.assertRegex(self.daemon.process.log(), r"lihandoverd\.yaml:\d+:\d+: .*own\.pem")
        put(Certificates.path("intake.pem"), own + ".pem")
        wait_until(lambda: self.daemon.metric("lihandover_tls_files_bad", role="console", name="console") == 0,
                   "the files are taken")
        self.assert_status(200, self.ann.get())

    def test_one_approves_and_it_is_delivered(self):
        self.write("required")
        self.daemon.start()
        one, two = self.hold("first"), self.hold("second")
        self.assertIn(one, self.bea.get("/items").text)
        self.assertIn("1 item approved", self.bea.decide(one, "approve").words())
        item, = wait_until(lambda: [i for i in self.lea.items() if i.accepted], "what was approved")
        self.assertEqual(one, item.object_id)
        entry, = self.entries("item_approved")
        self.assertEqual(self.bea.who(), entry["who"])
        answer = self.ann.decide(two, "reject", reason="not his phone")
        self.assertIn("1 item rejected", answer.words())
        shown = self.daemon.ctl_json("show", two)
        self.assertEqual(("rejected", self.ann.who(), "not his phone"), (shown["state"], shown["who"], shown["why"]))
        self.assertIn("only held items can be approved", self.ann.post(
            "/decide", [*self.ann.get("/").form("/destinations/pause"), ("action", "approve"), ("id", two)]).words())
        self.assertEqual(1, self.daemon.metric("lihandover_items_total", destination="lea-one", outcome="rejected"))

    def test_two_certificates_are_two_people(self):
        self.write("dual")
        self.daemon.start()
        one, two = self.hold("first"), self.hold("second")
        self.assertIn("approved by you first", self.ann.decide(one, "approve").words())
        again = self.ann.decide(one, "approve")
        self.assertEqual(409, again.status)
        self.assertIn("another user has to decide, too", again.words())
        # Another certificate of the same subject is she herself.
        issue(self.directory, "ann", "csp-ca", "clientAuth")
        self.assertEqual(409, Person(self.port, self.directory, "ann").decide(one, "approve").status)
        # And who comes by the socket may be.
        self.assertIn("another user", self.refused_by_ctl("approve", one))
        self.assertEqual("held", self.state(one))
        self.assertIn("1 item approved.", self.bea.decide(one, "approve").words())
        wait_until(lambda: [i for i in self.lea.items() if i.object_id == one], "what two have approved")
        self.assertEqual([self.ann.who(), self.bea.who()], [e["who"] for e in self.entries("item_approved")])
        # The other way round.
        self.daemon.ctl("approve", two)
        self.assertEqual(409, self.ann.decide(two, "approve").status)
        self.assertEqual("held", self.state(two))

    def refused_by_ctl(self, *arguments):
        done = subprocess.run([LIHANDOVERCTL, "--socket", self.daemon.control, *arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(1, done.returncode)
        return done.stdout + done.stderr

    def test_each_role_may_do_what_is_its_own(self):
        self.write("required")
        self.daemon.start()
        item = self.hold()
        page = f"/items/{item}"
        for person, path, fields in (
                (self.otto, page + "/content", {"form": "fields"}),
                (self.otto, "/decide", {"action": "approve", "id": item}),
                (self.bea, "/decide", {"action": "retry", "id": item}),
                (self.bea, "/warrants/revoke", {"destination": "lea-one", "liid": "LIID-1", "reason": "x"}),
                (self.bea, "/destinations/pause", {"destination": "lea-one"})):
            with self.subTest(path):
                shown = person.get(page).form("/decide") if person is self.bea else person.get().form("/destinations/pause")
                token = dict(shown)["token"]
                self.assertEqual(403, person.post(path, {"token": token, **fields}).status)
        self.assertEqual("held", self.state(item))
        self.assertNotIn("Show the content", self.otto.get(page).text)
        self.assertNotIn("Revoke", self.bea.get("/warrants").text)
        self.assertEqual([], self.entries("content_shown"))

    def test_a_form_counts_only_with_its_token_and_its_origin(self):
        self.write("required")
        self.daemon.start()
        item = self.hold()
        fields = dict(self.ann.get(f"/items/{item}").form("/decide"))
        order = {**fields, "action": "approve", "id": item}
        other = {**order, "token": dict(self.bea.get(f"/items/{item}").form("/decide"))["token"]}
        for what, sent, headers, status in (
                ("no token", {**order, "token": ""}, {}, 403), ("another's", other, {}, 403),
                ("another page", order, {"Origin": "https://evil.example"}, 403),
                ("a page without origin", order, {"Origin": "null"}, 403), ("none", order, {"Origin": None}, 403),
                ("another site", order, {"Sec_Fetch_Site": "cross-site"}, 403),
                ("another type", order, {"Content_Type": "text/plain"}, 415),
                ("another name", order, {"Host": "evil.example", "Origin": "https://evil.example"}, 421)):
            with self.subTest(what):
                self.assertEqual(status, self.ann.post("/decide", sent, **headers).status)
                self.assertEqual("held", self.state(item))
        self.assertEqual(413, self.ann.post("/decide", {**order, "reason": "x" * 70_000}).status)
        self.daemon.restart()
        self.assertEqual(403, self.ann.post("/decide", order).status, "a token of the daemon before")
        self.assertEqual("held", self.state(item))
        self.assertEqual(200, self.ann.decide(item, "approve").status)

    def test_each_look_is_on_record(self):
        self.write("required")
        self.daemon.start()
        item = self.hold("<script>alert(1)</script>\u202egnp.exe", attachments=[
            inline("a1", PNG, content_type="text/html", filename="<b>x</b>.html"),
            inline("a2", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", content_type="image/svg+xml",
                   filename="drawing.svg")])
        page = f"/items/{item}"
        for path in ("/", "/items", page):
            self.assertNotIn("alert", self.bea.get(path).text)
        self.assertEqual([], self.entries("content_shown"))
        seen = self.bea.send(page, page + "/content", form="fields")
        self.assertEqual(200, seen.status)
        self.assertIn("&lt;script&gt;alert(1)&lt;/script&gt;<span class=\"mark\">U+202E</span>gnp.exe", seen.text)
        self.assertIn("&lt;b&gt;x&lt;/b&gt;.html", seen.text)
        self.assertEqual("no-store", seen.headers["Cache-Control"])
        entry, = self.entries("content_shown")
        self.assertEqual((self.bea.who(), item), (entry["who"], entry["id"]))
        image, svg = [form for form in seen.forms if "/objects/" in form["action"]]
        shown = self.bea.post(image["action"], image["fields"])
        self.assertEqual((200, "image/png", PNG), (shown.status, shown.headers["Content-Type"], shown.body))
        self.assertTrue(shown.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'"))
        self.assertEqual("nosniff", shown.headers["X-Content-Type-Options"])
        shown = self.bea.post(svg["action"], svg["fields"])
        self.assertEqual("text/html; charset=utf-8", shown.headers["Content-Type"])
        self.assertIn("3c 73 76 67", shown.text)
        self.assertNotIn("<svg", shown.text)
        self.assertIn("HI1Message", self.ann.send(page, page + "/content", form="document").text)
        looks = [(e["who"], e["why"]) for e in self.entries("content_shown")]
        self.assertEqual([self.bea.who()] * 3 + [self.ann.who()], [who for who, _ in looks])
        objects = [f"binary object {form['action'].rsplit('/', 1)[1]}" for form in (image, svg)]
        self.assertEqual(["the fields", *objects, "the document"], [why for _, why in looks])
        self.assertEqual(4, self.bea.get(page).text.count("content_shown"))
        self.ann.decide(item, "reject", reason="enough")
        self.assertEqual(409, self.bea.post(page + "/content", [*image["fields"], ("form", "fields")]).status)
        self.assertNotIn("alert", self.daemon.logs())

    def test_operators_retry_pause_resume_and_revoke(self):
        self.lea.behave(refuse_liid={"LIID-1": 3007})
        self.write("none")
        self.daemon.start()
        self.daemon.accept(message("u-1"))
        item, = wait_until(lambda: self.daemon.items("refused"), "it is refused")
        listed = self.otto.get("/items?state=refused")
        self.assertIn(Lea.WORDS, listed.text)
        self.lea.behave()
        self.assertIn("in the queue again", self.otto.decide(item["id"], "retry").words())
        wait_until(lambda: [i for i in self.lea.items() if i.accepted], "it is delivered")
        self.assertEqual(200, self.otto.send("/", "/destinations/pause").status)
        self.assertIn("paused", self.ann.get("/").words())
        self.daemon.accept(message("u-1"))
        self.assertEqual(1, self.daemon.waiting())
        self.assertEqual(200, self.otto.send("/", "/destinations/resume").status)
        self.daemon.wait_delivered()
        self.assertEqual([self.otto.who()], [e["who"] for e in self.entries("destination_paused")])
        form = "/warrants/revoke?destination=lea-one&liid=LIID-1"
        self.assertEqual(400, self.otto.send(form, "/warrants/revoke", reason=" ", queued="hold").status)
        self.assertEqual(200, self.otto.send(form, "/warrants/revoke", reason="the court said so", queued="hold").status)
        entry, = self.entries("warrant_revoked")
        self.assertEqual((self.otto.who(), "the court said so (what was queued is held)"), (entry["who"], entry["why"]))
        self.assertIn("revoked", self.ann.get("/warrants").words())
        self.assertEqual(404, self.otto.send(form, "/warrants/revoke", reason="again", queued="deliver").status)

    def test_a_long_list_is_paged_with_emergencies_first(self):
        self.write("required")
        self.write("required", liid="LIID-2", user="u-2", priority="emergency")
        self.daemon.start()
        for _ in range(12):
            self.daemon.accept(*[message("u-1", text=str(n)) for n in range(20)])
        urgent = self.hold(sender="u-2")
        seen = []
        path = "/items?state=held"
        while path:
            page = self.bea.get(path)
            ids = [part[:36] for part in page.text.split('type="checkbox" name="id" value="')[1:]]
            self.assertLessEqual(len(ids), 100)
            seen += ids
            more = page.text.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
            path = more.replace("&amp;", "&") if 'rel="next"' in page.text else None
        self.assertEqual(urgent, seen[0])
        self.assertEqual(241, len(set(seen)))
        self.assertEqual(241, len(seen))
        self.assertIn(urgent, self.bea.get("/items?priority=emergency&liid=LIID-2").text)
        many = self.bea.get("/items?state=held")
        token = many.form("/decide")
        answer = self.bea.post("/decide", [*token, ("action", "approve"), *(("id", one) for one in seen[:100])])
        self.assertIn("100 items approved", answer.words())

    def test_a_page_holds_up_nobody(self):
        self.daemon.start()
        sockets = []
        for _ in range(80):
            raw = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
            sockets.append(raw)
        self.assertEqual(200, self.ann.get().status, "connections that prove nothing are the first to go")
        slow = self.ann.context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE),
                                            server_hostname="127.0.0.1")
        slow.sendall(b"POST /decide HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000000\r\n"
                     b"Content-Type: application/x-www-form-urlencoded\r\nOrigin: https://127.0.0.1\r\n\r\n")
        self.assertIn(b"413", slow.recv(1000), "nothing of so large a form is read")
        slow.close()
        begun = time.monotonic()
        self.daemon.stop()
        self.assertLess(time.monotonic() - begun, 15)
        for raw in sockets:
            raw.close()


class ManyHeld(PageTest):
    """What waits for people is a heap as high as issue 14 asks for."""

    ITEMS = 20_000 if os.environ.get("LIHANDOVER_SANITIZED") else 100_000
    BATCH = 1000
    # A person waits for none of it; the bound leaves room for a machine that is busy with other tests.
    BOUND = 5.0

    def timed(self, what, ask):
        began = time.monotonic()
        answer = ask()
        took = time.monotonic() - began
        print(f"{what} with {self.ITEMS} items held: {took * 1000:.0f} ms", flush=True)
        self.assertLess(took, self.BOUND, what)
        return answer

    def fill(self):
        for liid, user, priority in (("LIID-1", "u-1", "routine"), ("LIID-2", "u-2", "emergency")):
            self.daemon.warrant(liid, "lea-one", ("user_id", user), file=f"{liid}.yaml", review="required",
                                priority=priority, deliver=["metadata", "content"])
        self.daemon.start()
        for first in range(0, self.ITEMS, self.BATCH):
            # The few emergencies come last, and a few lie far behind in the list of the others.
            urgent = first + self.BATCH >= self.ITEMS
            self.daemon.accept(*[message("u-2" if urgent and n < 10 else "u-1", text=str(n)) for n in range(self.BATCH)])

    def test_a_person_waits_for_no_part_of_the_page(self):
        self.fill()
        bea = Person(self.port, self.directory, "bea")
        wait_until(lambda: self.daemon.metric("lihandover_outbox_items", destination="lea-one", state="held")
                   == self.ITEMS, "all are held")
        ids = lambda page: [part[:36] for part in page.text.split('type="checkbox" name="id" value="')[1:]]
        self.timed("the overview", bea.get)
        first = self.timed("the first page", lambda: bea.get("/items?state=held"))
        self.assertEqual(100, len(ids(first)))
        more = first.text.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
        self.assertEqual(100, len(ids(self.timed("the next page", lambda: bea.get(more)))))
        filtered = self.timed("a filter that fits few", lambda: bea.get("/items?state=held&liid=LIID-2"))
        self.assertEqual(10, len(ids(filtered)))
        none = self.timed("a filter that fits none", lambda: bea.get("/items?state=held&liid=LIID-3"))
        self.assertEqual(0, len(ids(none)))
        self.timed("an item", lambda: bea.get(f"/items/{ids(first)[0]}"))
        unknown = self.timed("an item that is none", lambda: bea.get(f"/items/{uuid.uuid4()}"))
        self.assertEqual(404, unknown.status)
        fields = [*first.form("/decide"), *(("id", one) for one in ids(first))]
        done = self.timed("approving a page", lambda: bea.post("/decide", [*fields, ("action", "approve")]))
        self.assertIn("100 items approved", done.words())
        # Half of them are decided about by now.
        second = ids(bea.get("/items?state=held"))[:50]
        late = [*first.form("/decide"), *(("id", one) for one in [*ids(first)[:50], *second])]
        part = self.timed("a decision that comes late for half", lambda: bea.post(
            "/decide", [*late, ("action", "reject"), ("reason", "not his phone")]))
        self.assertIn("50 items rejected", part.words())
        self.assertIn("50 items were left as they are", part.words())


if __name__ == "__main__":
    unittest.main()
