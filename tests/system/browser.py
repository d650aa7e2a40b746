"""A real Chromium, driven over the WebDriver protocol (Debian's chromium and chromium-driver), and what lies between it
and the reviewers' page.

Client certificates are given to the daemon by a forwarder in the test's process, one for each person: Chromium speaks
TLS to it under a certificate that it trusts (an authority in the NSS database of a home of its own), and it speaks
mutual TLS to the daemon. So every person has an origin of his own, no dialogue asks for a certificate, and no policy of
the machine is touched. What Chromium sends and gets is passed on byte by byte.
"""

import asyncio
import base64
import json
import os
import shutil
import ssl
import subprocess
import threading
import unittest
import urllib.error
import urllib.request

from harness import Certificates, Ports, Process, wait_until

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
needs_chromium = unittest.skipUnless(CHROMIUM and DRIVER and shutil.which("certutil"),
                                     "chromium, chromium-driver or libnss3-tools is not installed (scripts/install-deps)")

TAB, ENTER, SPACE = "\ue004", "\ue007", " "
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Forwarder:
    """Passes connections on to the daemon with one person's certificate."""

    def __init__(self, test, port, person):
        self.port = Ports.take()
        self.origin = f"https://127.0.0.1:{self.port}"
        self.daemon_port = port
        self.inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.inside.load_cert_chain(Certificates.path("intake.pem"), Certificates.path("intake.key"))
        self.outside = person.context
        self.loop = asyncio.new_event_loop()
        started = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(started,), daemon=True)
        self.thread.start()
        started.wait(30)
        test.addCleanup(self.stop)

    def run(self, started):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(
            asyncio.start_server(self.serve, "127.0.0.1", self.port, ssl=self.inside))
        self.loop.call_soon(started.set)
        self.loop.run_forever()
        server.close()

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(30)
        self.loop.close()

    async def serve(self, reader, writer):
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.daemon_port, ssl=self.outside,
                                                        server_hostname="127.0.0.1")
        except OSError:
            writer.close()
            return
        await asyncio.gather(self.pump(reader, back), self.pump(there, writer))

    @staticmethod
    async def pump(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


class Browser:
    """A Chromium with a profile of its own."""

    def __init__(self, test, name="browser"):
        self.home = os.path.join(test.directory, name)
        database = os.path.join(self.home, ".pki", "nssdb")
        os.makedirs(database)
        self.profile = os.path.join(self.home, "profile")
        for arguments in (["-N", "--empty-password"],
                          ["-A", "-n", "csp-ca", "-t", "C,,", "-i", Certificates.path("csp-ca.pem")]):
            subprocess.run(["certutil", "-d", "sql:" + database, *arguments], check=True, capture_output=True,
                           stdin=subprocess.DEVNULL)
        port = Ports.take()
        environment = {**os.environ, "HOME": self.home, "XDG_CONFIG_HOME": self.home, "XDG_CACHE_HOME": self.home}
        driver = Process("chromedriver", [DRIVER, f"--port={port}"], test.directory, environment)
        test.processes.append(driver)
        self.driver = f"http://127.0.0.1:{port}"
        self.session = None
        wait_until(lambda: self.status(), "chromedriver answers")
        options = {"binary": CHROMIUM, "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
            "--disable-features=OptimizationHints,MediaRouter", "--window-size=1280,900",
            "--user-data-dir=" + self.profile]}
        answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"}}}})
        self.session = "/session/" + answer["sessionId"]
        self.open("about:blank")
        self.log("performance")  # what a new window is made of
        test.addCleanup(self.quit)

    def status(self):
        try:
            return self.call("GET", "/status")["ready"]
        except OSError:
            return False

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.driver + path, data, {"Content-Type": "application/json"}, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()[:2000]}") from None

    def quit(self):
        if self.session:
            session, self.session = self.session, None
            self.call("DELETE", session)

    # What a person does

    def open(self, url):
        self.call("POST", self.session + "/url", {"url": url})

    def find(self, selector, among=None):
        return self.call("POST", self.session + "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def button(self, words):
        """A button or link with these words."""
        path = f"//button[normalize-space()='{words}'] | //a[normalize-space()='{words}']"
        return self.call("POST", self.session + "/element", {"using": "xpath", "value": path})[ELEMENT]

    def click(self, element):
        self.call("POST", f"{self.session}/element/{element}/click", {})

    def type(self, element, text):
        self.call("POST", f"{self.session}/element/{element}/value", {"text": text})

    def press(self, *keys):
        steps = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("POST", self.session + "/actions", {"actions": [{"type": "key", "id": "keys", "actions": steps}]})

    # What there is to be seen

    def run(self, script, *arguments):
        return self.call("POST", self.session + "/execute/sync", {"script": script, "args": list(arguments)})

    def text(self):
        return self.run("return document.body.innerText")

    def url(self):
        return self.call("GET", self.session + "/url")

    def focused(self):
        """The words of what has the keyboard, and its id."""
        return self.run("const e = document.activeElement; return [(e.getAttribute('aria-label') || e.innerText || "
                        "'').trim(), e.id]")

    def screenshot(self):
        return base64.b64decode(self.call("GET", self.session + "/screenshot"))

    def devtools(self, command, **parameters):
        return self.call("POST", self.session + "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def prefer(self, scheme):
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def log(self, kind):
        return self.call("POST", self.session + "/se/log", {"type": kind})

    def requests(self):
        """Every URL that was asked for since the last call, by pages and frames."""
        events = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
