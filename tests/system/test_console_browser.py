"""The reviewers' page in a real Chromium: what it shows of hostile content, what it asks for, and how it is used."""

import http.server
import os
import shutil
import ssl
import subprocess
import threading
import unittest

from browser import ENTER, SPACE, TAB, Browser, Forwarder, needs_chromium
from console import PEOPLE, PageTest, Person, subject
from harness import SOURCE, Certificates, Ports, inline, message, wait_until
from test_console import PNG

EVIL = "https://evil.example"
MARK = "SECRETCONTENT707"
HTML_TEXT = (f"{MARK}<script>document.title='pwned'</script><img src='{EVIL}/i' onerror=\"document.title='pwned'\">"
             f"<svg onload=\"document.title='pwned'\"><iframe src='{EVIL}/f'></iframe><link rel=stylesheet href='{EVIL}/c'>"
             f"</pre></bdi></main><form action='{EVIL}'><base href='{EVIL}'><meta http-equiv=refresh content='0;{EVIL}'>"
             "&lt;b&gt;\u202egnp.exe\u2066\u200b\ufeff\u0000\u0007\u2028" + '"\'`')
SVG = (b"<svg xmlns='http://www.w3.org/2000/svg' onload=\"document.title='pwned'\"><script>document.title='pwned'</script>"
       b"<image href='https://evil.example/x'/></svg>")
# Something that is an image to those who look at the first bytes, and HTML to those who guess.
POLYGLOT = PNG + b"<html><script>document.title='pwned'</script><img src='https://evil.example/p'></html>"
GIF_SCRIPT = b"GIF89a/*\x01\x00\x01\x00\x00\x00\x00,*/=1;document.title='pwned';//<script>document.title='pwned'</script>"


class BrowserTest(PageTest):
    def setUp(self):
        super().setUp()
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"), file="one.yaml", review="required",
                            deliver=["metadata", "content", "binary"])
        self.daemon.warrant("LIID-2", "lea-one", ("user_id", "u-2"), file="two.yaml", review="dual", priority="emergency",
                            deliver=["metadata", "content", "binary"])
        self.daemon.start()
        self.origins = {name: Forwarder(self, self.port, Person(self.port, self.directory, name)).origin
                        for name in PEOPLE}
        self.browser = Browser(self)

    def open(self, who, path="/"):
        self.browser.open(self.origins[who] + path)

    def click(self, words):
        """Clicks, and waits for the page that it leads to."""
        self.browser.run("window.before = true")
        self.browser.click(self.browser.button(words))
        self.wait_for_page()

    def wait_for_page(self):
        wait_until(lambda: self.browser.run("return !window.before && document.readyState === 'complete'"), "a page")

    def complaints(self):
        """What Chromium's console says since the last call."""
        return [entry["message"] for entry in self.browser.log("browser") if entry["level"] == "SEVERE"]

    def assert_harmless(self):
        self.assertNotIn("pwned", self.browser.run("return document.title"))
        elsewhere = [url for url in self.browser.requests() if not url.startswith("https://127.0.0.1:")]
        self.assertEqual([], elsewhere, "nothing leaves the origin of the page")
        tags = set(self.browser.run("return [...document.querySelectorAll('*')].map(e => e.localName)"))
        self.assertEqual(set(), tags & {"iframe", "svg", "object", "embed", "base", "video", "audio"})


@needs_chromium
class Hostile(BrowserTest):
    def test_what_a_message_says_is_shown_and_nothing_else_happens(self):
        item = self.hold(HTML_TEXT, attachments=[
            inline("a1", SVG, content_type="image/svg+xml", filename="<img src=x onerror=alert(1)>.svg"),
            inline("a2", POLYGLOT, content_type="text/html", filename="\u202egnp.html"),
            inline("a3", GIF_SCRIPT, content_type="application/javascript", filename="a.js"),
            inline("a4", b"<!doctype html><script>document.title='pwned'</script>", content_type="image/png",
                   filename="photo.png")])
        self.open("ann", f"/items/{item}")
        self.click("Show the content")
        text = self.browser.run("return document.querySelector('pre.text').innerText")
        self.assertIn(f"{MARK}<script>document.title='pwned'</script><img src='{EVIL}/i'", text)
        self.assertIn("&lt;b&gt;U+202Egnp.exeU+2066U+200BU+FEFF", text)
        self.assertIn("<img src=x onerror=alert(1)>.svg", self.browser.text())
        self.assert_harmless()
        self.assertEqual([], self.complaints(), "not even the policy had to step in")
        content_forms = self.browser.run(
            "return [...document.querySelectorAll('form')].map(f => f.getAttribute('action'))"
            ".filter(a => a.includes('/objects/'))")
        kinds = []
        for action in content_forms:
            self.open("ann", f"/items/{item}")
            self.click("Show the content")
            self.browser.run("window.before = true")
            self.browser.click(self.browser.find(f"form[action='{action}'] button"))
            self.wait_for_page()
            kinds.append(self.browser.run("return document.contentType"))
            self.assert_harmless()
            if kinds[-1].startswith("image/"):
                self.assertEqual("null", self.browser.run("return self.origin"), "an origin of its own")
        self.assertEqual(["text/html", "image/png", "image/gif", "text/html"], kinds)
        # Chromium lays out a lone image with styles of its own, which the policy of such an address forbids, too.
        self.assertEqual([], [text for text in self.complaints() if "Applying inline style" not in text])

    def test_what_an_lea_says_and_what_people_write_is_text(self):
        self.lea.behave()
        item = self.hold()
        Person(self.port, self.directory, "bea").decide(
            item, "reject", reason=f"<script>document.title='pwned'</script>{EVIL}")
        for path in (f"/items/{item}", "/items?state=rejected", "/items?liid=%3Cscript%3Edocument.title%3D%27pwned%27"):
            self.open("ann", path)
            self.assert_harmless()
        self.assertIn("<script>", self.browser.run("return document.querySelector('#liid').value"))

    def test_nothing_of_content_is_in_the_cache(self):
        item = self.hold(HTML_TEXT, attachments=[inline("a1", POLYGLOT + MARK.encode(), filename="x.png")])
        # What may be cached is found there, so that what is not found is not there.
        marker = "CACHEABLE" + "707" * 20
        other = self.serve_cacheable(marker)
        self.browser.open(other)
        self.browser.open("about:blank")
        self.open("ann", f"/items/{item}")
        self.click("Show the content")
        self.browser.run("window.before = true")
        self.browser.click(self.browser.find("form[action*='/objects/'] button"))
        self.wait_for_page()
        self.open("ann", "/items")
        self.browser.quit()
        found = {MARK: [], marker: [], PNG[16:40]: []}
        for folder, _, files in os.walk(self.browser.home):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    data = file.read()
                for what in found:
                    if (what if isinstance(what, bytes) else what.encode()) in data:
                        found[what].append(os.path.join(folder, name))
        self.assertNotEqual([], found[marker], "the cache is looked at where it is")
        self.assertEqual([], found[MARK])
        self.assertEqual([], found[PNG[16:40]])

    def serve_cacheable(self, marker):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Cache-Control", "max-age=3600")
                body = ("<p>" + marker).encode()
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(Certificates.path("intake.pem"), Certificates.path("intake.key"))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", Ports.take()), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"https://127.0.0.1:{server.server_address[1]}/"


@needs_chromium
class InUse(BrowserTest):
    def test_two_people_approve_and_one_rejects(self):
        item = self.hold(sender="u-2")
        other = self.hold("second")
        self.open("ann")
        self.click("Items")
        self.assertLess(self.browser.text().find(item), self.browser.text().find(other), "the emergency is first")
        self.click(item)
        self.click("Approve")
        self.assertIn("another person has to say the same", self.browser.text())
        self.open("bea", f"/items/{item}")
        self.assertIn(subject("ann"), self.browser.text())
        self.click("Approve")
        self.assertIn("1 item approved", self.browser.text())
        wait_until(lambda: [i for i in self.lea.items() if i.object_id == item], "what both have approved")
        self.open("bea", "/items")
        self.browser.click(self.browser.find(f"input[value='{other}']"))
        self.assertIn("With what is selected (1)", self.browser.text())
        self.browser.type(self.browser.find("#reason"), "not his phone")
        self.click("Reject")
        self.assertIn("1 item rejected", self.browser.text())
        self.assertEqual("not his phone", self.daemon.ctl_json("show", other)["why"])

    def test_one_box_selects_all_of_a_page(self):
        self.daemon.accept(*[message("u-1", text=str(n)) for n in range(5)])
        self.open("ann", "/items")
        self.browser.click(self.browser.find("[data-part=select-all] input"))
        self.assertIn("With what is selected (5)", self.browser.text())
        self.click("Approve")
        self.assertIn("5 items approved", self.browser.text())

    def test_enter_in_the_reason_rejects(self):
        item = self.hold()
        self.open("ann", "/items")
        self.browser.click(self.browser.find(f"input[value='{item}']"))
        self.browser.type(self.browser.find("#reason"), "not his phone")
        self.browser.run("window.before = true")
        self.browser.press(ENTER)
        self.wait_for_page()
        self.assertIn("1 item rejected", self.browser.text())
        self.assertEqual("not his phone", self.daemon.ctl_json("show", item)["why"])

    def test_it_is_used_by_keyboard_alone(self):
        item = self.hold()
        self.open("ann", f"/items/{item}")
        self.browser.press(TAB)
        self.assertEqual("Skip to the content", self.browser.focused()[0])
        self.browser.press(ENTER)
        self.assertEqual("main", self.browser.focused()[1])
        passed = []
        while self.browser.focused()[0] != "Approve":
            self.browser.press(TAB)
            passed.append(self.browser.focused()[0])
            self.assertLess(len(passed), 20, passed)
        outline = self.browser.run("return getComputedStyle(document.activeElement).outlineStyle")
        self.assertEqual("solid", outline, "whoever uses the keyboard sees where he is")
        self.browser.run("window.before = true")
        self.browser.press(ENTER)
        self.wait_for_page()
        self.assertIn("1 item approved", self.browser.text())
        again = self.hold("again")
        self.open("ann", "/items")
        while self.browser.focused()[0] != "Select " + again:
            self.browser.press(TAB)
        self.browser.press(SPACE)
        self.assertTrue(self.browser.run("return document.activeElement.checked"))

    def test_it_works_without_its_script(self):
        item = self.hold()
        self.browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
        self.open("ann", "/items")
        self.browser.click(self.browser.find(f"input[value='{item}']"))
        self.browser.click(self.browser.button("Approve"))
        wait_until(lambda: self.daemon.ctl_json("show", item)["state"] != "held", "it is approved")

    def pages(self):
        item = self.hold(attachments=[inline("a1", PNG, content_type="image/png", filename="roof.png")])
        self.hold(sender="u-2")
        yield "overview", lambda: self.open("ann")
        yield "items", lambda: self.open("ann", "/items")
        yield "item", lambda: self.open("ann", f"/items/{item}")

        def content():
            self.open("ann", f"/items/{item}")
            self.click("Show the content")
        yield "content", content
        yield "warrants", lambda: self.open("ann", "/warrants")
        yield "revoke", lambda: self.open("ann", "/warrants/revoke?destination=lea-one&liid=LIID-1")

    def axe(self):
        """axe-core from npm, by a lock file; the build needs none of it."""
        if not shutil.which("npm"):
            self.skipTest("npm is not installed, and axe-core comes by it")
        place = os.path.join(self.directory, "axe")
        shutil.copytree(os.path.join(SOURCE, "tests/console"), place)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=place, capture_output=True,
                              text=True, timeout=300, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            self.skipTest("axe-core cannot be had from npm's registry: " + done.stderr[-500:])
        with open(os.path.join(place, "node_modules/axe-core/axe.min.js"), encoding="utf-8") as file:
            return file.read()

    def test_axe_finds_nothing(self):
        axe = self.axe()
        for name, show in self.pages():
            for scheme in ("light", "dark"):
                show()
                self.browser.prefer(scheme)
                # In a world beside the page's, as the policy lets nothing run in it.
                self.browser.run(axe + ";window.axe = axe")
                found = self.browser.call("POST", self.browser.session + "/execute/async", {
                    "script": "axe.run(document).then(r => arguments[0](r.violations.map(v => v.impact + ': ' + v.id + ' ' "
                              "+ v.nodes.map(n => n.html).slice(0, 3).join(' '))))", "args": []})
                self.assertEqual([], found, f"{name}, {scheme}")

    @unittest.skipUnless(os.environ.get("LIHANDOVER_SCREENSHOTS"), "only where LIHANDOVER_SCREENSHOTS says where to")
    def test_screenshots(self):
        place = os.environ["LIHANDOVER_SCREENSHOTS"]
        os.makedirs(place, exist_ok=True)
        self.daemon.accept(*[message("u-1", text=str(n)) for n in range(6)])
        self.daemon.accept(message("u-2"))
        pages = dict(self.pages())
        for name, scheme in (("overview", "light"), ("items", "light"), ("items", "dark"), ("content", "dark")):
            pages[name]()
            self.browser.prefer(scheme)
            picture = self.browser.screenshot()
            self.assertLess(len(picture), 200_000)
            with open(os.path.join(place, f"console-{name}-{scheme}.png"), "wb") as file:
                file.write(picture)


if __name__ == "__main__":
    unittest.main()
