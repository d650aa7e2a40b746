"""People at the reviewers' page: their certificates, and a client that reads pages as a browser does, without one."""

import hashlib
import html.parser
import http.client
import os
import re
import ssl
import urllib.parse

from harness import PATIENCE, Certificates, Daemon, Lea, Ports, SystemTest, message
from test_transport import issue

PEOPLE = {"ann": ["review", "operate"], "bea": ["review"], "otto": ["operate"]}


def subject(name):
    return f"CN={name},O=lihandoverd test"


def configure(daemon, directory, people=None, **tls):
    """Gives the daemon a page, and returns its port."""
    for name in (*PEOPLE, "mallory"):
        issue(directory, name, "csp-ca", "clientAuth")
    port = Ports.take()
    daemon.configuration["admin"]["console"] = {
        "listen": f"127.0.0.1:{port}",
        "tls": {"certificate": Certificates.path("intake.pem"), "private_key": Certificates.path("intake.key"),
                "client_ca": Certificates.path("csp-ca.pem"), **tls},
        "people": {subject(name): roles for name, roles in (people or PEOPLE).items()},
    }
    return port


class Page:
    """An answer, with the forms in it."""

    def __init__(self, response):
        self.status = response.status
        self.headers = dict(response.getheaders())
        self.body = response.read()
        self.text = self.body.decode("utf-8", "replace")
        self.forms = Forms(self.text).found

    def words(self):
        """What is to be read, without markup."""
        return html.unescape(re.sub(r"<[^>]+>", " ", self.text))

    def form(self, action):
        found = [form for form in self.forms if form["action"] == action]
        if not found:
            raise AssertionError(f"no form leads to {action}: {[f['action'] for f in self.forms]}\n{self.text}")
        return found[0]["fields"]


class Forms(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.found.append({"action": attributes["action"], "fields": []})
        elif tag == "input" and attributes.get("type") == "hidden":
            self.found[-1]["fields"].append((attributes["name"], attributes["value"]))


class Person:
    """One of the people with his certificate, or somebody with another's or with none."""

    def __init__(self, port, directory, name=None, ca="csp-ca"):
        self.port = port
        self.origin = f"https://127.0.0.1:{port}"
        self.context = ssl.create_default_context(cafile=Certificates.path(f"{ca}.pem"))
        if name:
            path = os.path.join(directory, name)
            if not os.path.exists(path + ".pem"):
                path = Certificates.path(name)
            self.context.load_cert_chain(path + ".pem", path + ".key")
            with open(path + ".pem", encoding="ascii") as file:
                digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).hexdigest()
            self.recorded = f"{subject(name)} sha256:{digest}"

    def who(self):
        """What the record says of him: his name, and by which of his certificates he came."""
        return self.recorded

    def request(self, method, path, body=None, **fields):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=PATIENCE)
        try:
            headers = {name.replace("_", "-"): value for name, value in fields.items() if value is not None}
            connection.request(method, path, body, headers)
            return Page(connection.getresponse())
        finally:
            connection.close()

    def get(self, path="/", **fields):
        return self.request("GET", path, **fields)

    def post(self, path, fields, **headers):
        headers = {"Origin": self.origin, "Sec_Fetch_Site": "same-origin",
                   "Content_Type": "application/x-www-form-urlencoded", **headers}
        return self.request("POST", path, urllib.parse.urlencode(fields), **headers)

    def send(self, page, leads_to, /, **fields):
        """Sends a form that is on a page."""
        return self.post(leads_to, [*self.get(page).form(leads_to), *fields.items()])

    def decide(self, item, action, /, **more):
        return self.send(f"/items/{item}", "/decide", action=action, **more)


class PageTest(SystemTest):
    """A daemon with a page, not started yet, and the LEA that it hands over to."""

    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.lea.start()
        self.daemon = Daemon(self)
        self.daemon.destination("lea-one", self.lea.port, binary={
            "model": "B", "expiry": "1h",
            "url_template": f"https://127.0.0.1:{self.lea.port}/binaryData/{{object_identifier}}/"})
        self.port = configure(self.daemon, self.directory)

    def hold(self, text="See you at eight", sender="u-1", **more):
        before = {item["id"] for item in self.daemon.items("held")}
        self.daemon.accept(message(sender, text=text, **more))
        new, = {item["id"] for item in self.daemon.items("held")} - before
        return new
