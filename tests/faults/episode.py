"""Runs one episode: starts the programs, lets sources and faults run, repairs all damage, and gathers what the model
then judges."""

import base64
import collections
import contextlib
import datetime
import hashlib
import http.client
import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import ssl
import subprocess
import sys
import sysconfig
import threading
import time
import traceback
import urllib.parse
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "system")]

import disk  # noqa: E402
import faults  # noqa: E402
import fronts  # noqa: E402
import harness  # noqa: E402
import load  # noqa: E402
import model  # noqa: E402
import plan as plans  # noqa: E402
import points  # noqa: E402

FAKETIME = "/usr/lib/{}/faketime/libfaketimeMT.so.1"
SLOWNESS = harness.PATIENCE / 90 * (4 if os.environ.get("LIHANDOVER_SANITIZED") else 1)
ANSWER_TIMEOUT = 15  # intake.answer_timeout, as nobody configures it
KINDS = ("warrant_in_force", "warrant_changed", "warrant_ended", "item_made", "item_delivered", "item_refused",
         "item_retried", "item_rejected", "object_lost", "object_pushed", "object_fetched", "object_refused",
         "object_retried", "object_rejected", "object_expired",
         "item_set_aside", "object_set_aside", "destination_paused", "destination_resumed", "clock_accepted",
         "head_recorded", "store_restored", "warrant_revoked", "warrant_pending", "warrant_approved", "warrant_refused",
         "item_held", "item_approved", "item_disapproved", "content_shown", "store_sealed", "item_withheld",
         "restore_accepted", "revocation_lifted", "warrants_applied")
OBJECT_STATES = ("attached", "offered", "queued", "refused", "set_aside")
EXPIRY = re.compile(rb"<((?:\w+:)?expiry)>[^<]*</")


def faketime_library():
    path = FAKETIME.format(sysconfig.get_config_var("MULTIARCH"))
    return path if os.path.exists(path) else None


def shim_library():
    path = os.environ.get("LIHANDOVER_FAULTS_SHIM",
                          os.path.join(harness.SOURCE, "build/tests/faults/libfaults-shim.so"))
    return path if os.path.exists(path) else None


def make_certificates():
    """Dated back a year if possible, so that a clock set back does not make them all invalid."""
    if harness.Certificates.directory is None:
        library = faketime_library()
        before = {name: os.environ.get(name) for name in ("LD_PRELOAD", "FAKETIME")}
        if library:
            os.environ.update({"LD_PRELOAD": library, "FAKETIME": "-365d"})
        try:
            harness.Certificates.path("lea.pem")
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


class Lea(harness.Lea):
    """A lea-sim that is killed and restarted with its last rules and certificates."""

    def __init__(self, episode, plan):
        self.plan = plan
        self.lock = threading.RLock()
        self.proxy_port = harness.Ports.take()
        self.starts = 0
        self.now = []
        self.good = os.path.join(episode.directory, f"{plan['name']}-tls")
        super().__init__(episode, plan["name"], certificate=self.good)
        self.proxy = None
        self.front_port = harness.Ports.take() if plan["front"] else None
        self.front = None

    def begin(self):
        with self.lock:
            self.starts += 1
            self.start(seed=self.plan["seed"] + self.starts)
            if self.now:
                self.obey(*self.now)

    def again(self):
        """A fresh process: it knows no TLS session of the old one."""
        with self.lock:
            self.kill()
            self.begin()

    def rule(self, rules):
        with self.lock:
            self.now = rules
            if self.process.running():
                self.obey(*rules)

    def open_proxy(self):
        self.proxy = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "proxy.py"), str(self.proxy_port), str(self.front_port or self.port),
             "127.0.0.1", "127.0.0.2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.proxy.stdout.readline()
        if self.front_port:
            self.front = fronts.Front(None, self, tls=True, port=self.front_port)

    def between(self, behaviour):
        """What the proxy does from now on."""
        with self.lock:
            self.proxy.stdin.write(json.dumps(behaviour) + "\n")
            self.proxy.stdin.flush()
            self.proxy.stdout.readline()

    def front_does(self, behaviour):
        """What the front does from now on."""
        with self.lock:
            self.front.behave(**behaviour)

    def close_proxy(self):
        if self.front is not None:
            self.front.stop()
        if self.proxy is not None:
            self.proxy.stdin.close()
            self.proxy.wait()
            self.proxy.stdout.close()


class Supervisor:
    """Plays systemd for a daemon: restarts it when it has ended. All orders to the daemon go through here."""

    def __init__(self, episode):
        self.episode = episode
        self.daemon_ = episode.daemon
        self.lock = threading.RLock()
        self.wanted = True
        self.started = 0.0
        self.settled = True
        self.over = threading.Event()
        self.deaths = collections.Counter()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        while not self.over.wait(0.03):
            with self.lock:
                process = self.daemon_.process
                if not self.wanted:
                    continue
                if not process.running():
                    self.ended(process.popen.returncode)
                    self.over.wait(0.05)
                    self.start()
                elif not self.settled and self.daemon_.intake_listens():
                    self.settled = True
                    self.episode.warrants.settled(self.started)

    def ended(self, status):
        """It ended by itself."""
        self.deaths[status] += 1
        if status < 0:
            self.episode.trouble(0, "the daemon to live", f"it died of signal {-status}")
        elif not self.may_fail(status):
            self.episode.trouble(0, "the daemon to live", f"it ended with {status}")

    def may_fail(self, status):
        """Why it may fail to start: a failing disk, or an unusable configuration or certificate."""
        return self.episode.disk_in_doubt(self.started) or (
            status == 1 and not self.settled and self.episode.start_in_doubt(self.started))

    def start(self):
        with self.lock:
            self.started = time.monotonic()
            self.settled = False
            self.daemon_.start(ready=False)
            self.wanted = True

    def kill(self, pause=0):
        with self.lock:
            self.wanted = False
            self.daemon_.process.kill()
            self.episode.search_state()
            time.sleep(pause)
            self.start()

    def kill_starting(self, after):
        with self.lock:
            for seconds in after:
                self.daemon_.process.kill()
                self.start()
                time.sleep(seconds)

    def stop(self):
        """The gentle stop, with its time limit."""
        with self.lock:
            self.wanted = False
            process, ready = self.daemon_.process, self.settled
            process.signal(signal.SIGTERM)
            status = process.wait(self.episode.patience(60))
            if status == -signal.SIGTERM and not ready:
                return  # it had only just started
            if status != 0 and not self.may_fail(status):
                self.episode.trouble(0, "a gentle stop to end with 0", status)


class Fetcher(threading.Thread):
    """An LEA of Model A: fetches the objects of what it accepted, until it has each of them whole."""

    def __init__(self, episode, lea):
        super().__init__(daemon=True)
        self.episode = episode
        self.lea = lea
        self.over = threading.Event()
        self.left = {}  # its URL's last answer, while that was not the whole object
        self.had = {}
        self.connection = None
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.load_verify_locations(harness.Certificates.path("csp-ca.pem"))
        self.context.load_cert_chain(harness.Certificates.path("lea-fetch.pem"),
                                     harness.Certificates.path("lea-fetch.key"))

    def run(self):
        while not self.over.wait(0.2):
            self.round()

    def round(self):
        for item in self.lea.items():
            if item.accepted:
                for record in item.objects:
                    path = urllib.parse.urlsplit(record["url"]).path
                    if path not in self.had:
                        self.left.setdefault(path, "nothing")
        for path in list(self.left):
            if not self.fetch(path):
                return

    def fetch(self, path):
        """False if there is no point in going on just now."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPSConnection("127.0.0.1", self.episode.object_port,
                                                              context=self.context, timeout=self.episode.patience(10))
            self.connection.request("GET", path)
            response = self.connection.getresponse()
            bytes = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection = None
            self.left[path] = repr(error)
            return False
        if response.status == 200:
            self.had[path] = hashlib.sha256(bytes).hexdigest()
            del self.left[path]
            return True
        # 404 too, which is the answer while the store cannot be read.
        self.left[path] = f"status {response.status}"
        return response.status == 404

    def finish(self):
        """{UUID: SHA-256, or what came instead}"""
        self.over.set()
        self.join()
        self.round()
        if not self.lea.plan["removes"]:
            for path in self.had:  # still there, and the same
                self.left[path] = "nothing"
            for path in list(self.left):
                self.fetch(path)
        if self.connection is not None:
            self.connection.close()
        return {path.rsplit("/", 1)[-1]: found for path, found in {**self.had, **self.left}.items()}


class Episode:
    def __init__(self, plan, directory, say=print):
        self.plan = plan
        self.directory = directory
        self.say = say
        self.processes = []
        self.troubles = []
        self.leaks = []
        self.rejected = {}
        self.lock = threading.Lock()
        self.disk_faults = []  # [begun, over or None]
        self.spans = []  # of all faults, by the wall clock
        self.unreadable = []  # [begun, over or None, LEA] of the daemon's own certificates
        self.clock_moved = False
        self.clock_lock = threading.Lock()
        self.hanging = threading.Lock()
        self.hangs = []  # [from, until] by the wall clock: the daemon had said that its disk hangs, and it went on
        self.left_out = collections.Counter()
        self.over = threading.Event()
        os.makedirs(directory, exist_ok=True)
        make_certificates()
        self.small_disk = None
        state = None
        if plan["disk"]:
            small = disk.SmallDisk(os.path.join(directory, "disk"), f"{plan['disk']}m")
            if small.mounted:
                self.small_disk = small
                state = os.path.join(small.place, "state")
        self.daemon = harness.Daemon(self, state=state)
        self.ledger = load.Ledger()
        self.leas = {each["name"]: Lea(self, each) for each in plan["leas"]}
        self.mounted = None
        self.spool = None
        self.intake_port = harness.Ports.take()
        self.point_port = harness.Ports.take()
        self.object_port = harness.Ports.take()
        self.shim = None
        self.clock_file = None

    # What the parts ask

    @staticmethod
    def patience(seconds):
        return seconds * SLOWNESS

    def trouble(self, promise, expected, found):
        with self.lock:
            self.troubles.append({"promise": promise, "expected": expected, "found": str(found)[:2000]})

    def disk_in_doubt(self, since):
        """Whether the disk failed on purpose at any time since then."""
        with self.lock:
            return any(end is None or end >= since - 1 for _, end in self.disk_faults)

    def start_in_doubt(self, since):
        """Whether one of the daemon's own certificates, or its key, was unusable at any time since then."""
        with self.lock:
            return any(end is None or end >= since for _, end, _ in self.unreadable)

    @property
    def commit_timeout(self):
        return float(self.plan["commit_timeout"].rstrip("s"))

    def ready_now(self):
        """The status of /readyz; None where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.admin_port, timeout=self.patience(2))
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def ask_while_hanging(self, process):
        """A source that hands in something now is answered in time, and told to come again."""
        source = load.Source(self, len(self.sources), "local", self.plan["seed"])
        event = source.new_event()
        limit = ANSWER_TIMEOUT + self.patience(5)
        begun = time.monotonic()
        try:
            answer = source.ask("POST", "/v1/events", harness.to_json(event.body), {"Content-Type": "application/json"},
                                timeout=limit)
        except (OSError, http.client.HTTPException):
            answer = None
        span = (begun, time.monotonic())
        event.attempts.append(span)
        source.drop()
        if answer is not None and answer.status == 202:
            event.answer, event.answered_by = "accepted", span
        expected = (503, 422) if self.clock_moved else (503,)
        if process.running() and not self.was_frozen(time.time() - limit) and \
                (answer is None or answer.status not in expected):
            self.trouble(11, f"503 within {limit} s while the disk hangs", answer)

    def was_frozen(self, since):
        """Whether the daemon stood still at any time from then on (by the wall clock)."""
        with self.lock:
            return any(span["kind"] == "freeze" and (span["until"] is None or span["until"] >= since)
                       for span in self.spans)

    @property
    def clock_in_doubt(self):
        return self.clock_moved

    @staticmethod
    def descriptors():
        """How many connections this process and its children may have."""
        return max(100, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500)

    def available(self, need):
        return {None: True, plans.SHIM: self.shim is not None, plans.CLOCK: self.clock_file is not None,
                plans.DISK: self.small_disk is not None,
                plans.FRONT: any(lea.front for lea in self.leas.values())}[need]

    # Setting up

    def certificate(self, lea, kind):
        """Puts a server's certificate of that kind where the LEA reads it at its next start."""
        name = lea.plan["name"] + ".test"
        issued = {"good": ("lea-ca", name, None), "expired": ("lea-ca", name, -10), "expiring": ("lea-ca", name, 4),
                  "other_name": ("lea-ca", None, None), "stranger": ("stranger-ca", name, None)}[kind]
        authority, names, lasts = issued
        library = faketime_library()
        days, environment = "3650", dict(os.environ)
        if library:
            environment.update(LD_PRELOAD=library, FAKETIME="-365d")
            if lasts is not None:
                days, environment["FAKETIME"] = "1", f"-{86400 - lasts}s"
        elif lasts is not None:
            days = "-1"
        extension = lea.good + ".ext"
        with open(extension, "w", encoding="ascii") as file:
            file.write("basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\n"
                       "extendedKeyUsage=serverAuth\nsubjectAltName="
                       + (f"IP:127.0.0.1,DNS:{names}" if names else "DNS:other.example.com") + "\n")
        key, request = lea.good + ".key", lea.good + ".csr"

        def openssl(*arguments, environment=None):
            subprocess.run(["openssl", *arguments], check=True, stdin=subprocess.DEVNULL, capture_output=True,
                           env=environment)
        if not os.path.exists(key):
            openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
            openssl("req", "-new", "-key", key, "-subj", f"/O=lihandoverd test/CN={lea.plan['name']}", "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", harness.Certificates.path(f"{authority}.pem"),
                "-CAkey", harness.Certificates.path(f"{authority}.key"), "-set_serial", str(time.time_ns()), "-sha256",
                "-days", days, "-extfile", extension, "-out", lea.good + ".pem", environment=environment)

    def own_certificate(self, lea, kind):
        """The daemon's certificate at that LEA."""
        names = {"good": "csp", "expired": "csp-expired", "stranger": "stranger", "garbage": "csp"}
        with self.lock:
            self.unreadable.append([time.monotonic(), None, lea.plan["name"]])  # the two are not replaced at once
        for suffix in ("pem", "key"):
            with open(harness.Certificates.path(f"{names[kind]}.{suffix}"), "rb") as file:
                bytes = file.read()
            path = os.path.join(self.directory, f"csp-{lea.plan['name']}.{suffix}")
            with open(path + ".fresh", "wb") as file:
                file.write(bytes[:100] if kind == "garbage" else bytes)
            os.rename(path + ".fresh", path)
        if kind != "garbage":
            with self.lock:
                for each in self.unreadable:
                    if each[2] == lea.plan["name"]:
                        each[1] = each[1] or time.monotonic()

    def add_master_key(self):
        """The first from now on; the others open what was sealed before."""
        keys = self.daemon.configuration.setdefault("encryption", {"key_files": []})["key_files"]
        path = os.path.join(self.directory, f"master-{len(keys)}.key")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(os.urandom(32).hex())
        keys.insert(0, path)

    def configure(self):
        plan, daemon = self.plan, self.daemon
        configuration = daemon.configuration
        configuration["schema_validation"] = plan["validation"]
        configuration["csp_schema"] = {"content": plan["schema_content"]}
        intake = configuration["intake"]
        intake["http"].append({"name": "messaging", "listen": f"127.0.0.1:{self.intake_port}", "tls": {
            "certificate": harness.Certificates.path("intake.pem"),
            "private_key": harness.Certificates.path("intake.key"),
            "client_ca": harness.Certificates.path("csp-ca.pem")}})
        intake["x2x3"] = [{"name": "points", "listen": f"127.0.0.1:{self.point_port}", "service": "ims",
                           # What a point has cut off it sends again, if late.
                           "partial_message_timeout": "1h", "tls": {
                               "certificate": harness.Certificates.path("intake.pem"),
                               "private_key": harness.Certificates.path("intake.key"),
                               "client_ca": harness.Certificates.path("csp-ca.pem")}}]
        intake["max_event_size"] = "4MiB"
        intake["max_future"] = "5m"
        intake["object_wait"] = plan["object_wait"]
        intake["metadata_parameters"] = ["marker", "told"]
        if plan["named_files"]:
            self.spool = os.path.join(self.directory, "spool")
            os.makedirs(self.spool, exist_ok=True)
            intake["attachment_root"] = self.spool
        configuration["store"] = {"commit_timeout": plan["commit_timeout"]}
        if plan["max_bytes"]:
            configuration["store"]["max_bytes"] = plan["max_bytes"]
        if plan["encrypted"]:
            self.add_master_key()
        configuration["objectserver"] = {
            "listen": f"127.0.0.1:{self.object_port}", "public_url": f"https://127.0.0.1:{self.object_port}/objects/",
            "tls": {"certificate": harness.Certificates.path("objects.pem"),
                    "private_key": harness.Certificates.path("objects.key"),
                    "client_ca": harness.Certificates.path("leas-ca.pem")}}
        for lea in self.leas.values():
            self.certificate(lea, "good")
            self.own_certificate(lea, "good")
            named = lea.plan["named"] and self.shim is not None
            host = f"{lea.plan['name']}.test" if named else "127.0.0.1"
            destination = daemon.destination(
                lea.plan["name"], lea.proxy_port, certificate=os.path.join(self.directory, f"csp-{lea.plan['name']}"),
                max_actions_per_message=lea.plan["actions"], connections=lea.plan["connections"],
                upload_connections=lea.plan["upload_connections"], timeout=lea.plan["timeout"], retry=lea.plan["retry"])
            destination["url"] = f"https://{host}:{lea.proxy_port}/hi"
            if lea.plan["binary"] == "B":
                destination["binary"] = {
                    "model": "B", "expiry": lea.plan["expiry"], "continue_timeout": "2s",
                    "early_success": lea.plan["early_success"],
                    "url_template": f"https://{host}:{lea.proxy_port}/binaryData/{{object_identifier}}/"}
            elif lea.plan["binary"] == "A":
                with open(harness.Certificates.path("lea-fetch.pem"), encoding="ascii") as file:
                    print_ = hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).hexdigest()
                destination["binary"] = {"model": "A", "expiry": "30d", "client_certificates": [print_],
                                         "remove_when_fetched": lea.plan["removes"]}

    def touch_warrant(self, warrant, fault, number):
        """One more fault, or one less, of that kind is acting on the warrant's file."""
        with self.warrants.files_lock:
            after = self.warrants.file_becomes(f"{warrant['destination']}|{warrant['liid']}", fault, number)
            if after is not None:
                self.put_warrant_file(warrant, after)

    def put_warrant_file(self, warrant, what):
        if what == load.ABSENT:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.daemon.warrants, warrant["file"]))
        elif what == load.SPOILED:
            self.daemon.warrant_text(warrant["file"], "liid: [spoiled\n")
        else:
            self.write_warrant(warrant)

    def take_warrants_away(self, how):
        """The directory is empty, missing, or something else is mounted over it. Whether this did it."""
        with self.warrants.files_lock:
            if not self.warrants.directory_goes():
                return False
            os.rename(self.daemon.warrants, self.daemon.warrants + ".away")
            if how != "missing":
                os.mkdir(self.daemon.warrants)
            if how == "mounted":
                self.mounted = disk.SmallDisk(self.daemon.warrants, "1m")  # or, where that may not be, empty
        return True

    def bring_warrants_back(self):
        with self.warrants.files_lock:
            files = self.warrants.directory_returns()
            if files is None:
                return
            if self.mounted is not None:
                self.mounted.unmount()
                self.mounted = None
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(self.daemon.warrants)
            here, self.daemon.warrants = self.daemon.warrants, self.daemon.warrants + ".away"
            try:
                for key, file in files.items():
                    self.put_warrant_file(self.warrants.all[key], file)
                os.rename(self.daemon.warrants, here)
            finally:
                self.daemon.warrants = here

    def expect_nothing_ended(self):
        told = faults.control(self, "status")
        if told is None:
            return
        status = json.loads(told)
        report = status.get("last_reload") or {}
        if report.get("warrants_ended") and not self.warrants.clock_wrong:
            self.trouble(10, "nothing to end while all warrant files are gone", report)

    def write_warrant(self, warrant):
        self.daemon.warrant(
            warrant["liid"], warrant["destination"], *(("user_id", user) for user in warrant["users"]),
            file=warrant["file"], deliver=warrant["deliver"], priority=warrant["priority"],
            correlation=warrant["correlation"],
            **({"services": warrant["services"]} if warrant["services"] else {}),
            **({"xid": warrant["xid"]} if warrant["xid"] else {}),
            **({"valid_from": load.rfc3339(warrant["from"])} if warrant["from"] is not None else {}),
            **({"valid_until": load.rfc3339(warrant["until"])} if warrant["until"] is not None else {}))

    def names_good(self):
        if self.shim is not None:
            self.shim.resolve({f"{name}.test": "address 127.0.0.1" for name in self.leas})

    def kernel_says(self, synchronised):
        if self.shim is not None:
            self.shim.set(kernel_clock=2 if synchronised else 1)

    def clock_goes_wrong(self, offset):
        """By so many seconds. The kernel does not call it synchronised, nor set right, unless somebody says so."""
        self.clock_moved = self.warrants.clock_wrong = True
        self.kernel_says(synchronised=False)
        self.set_clock(offset)

    def set_clock(self, offset):
        if self.clock_file:
            with open(self.clock_file + ".fresh", "w", encoding="ascii") as file:
                file.write(f"{offset:+d}\n")
            os.rename(self.clock_file + ".fresh", self.clock_file)

    def set_up(self):
        preloads, environment = [], self.daemon.environment
        if shim_library():
            self.shim = disk.Shim(shim_library(), self.directory, self.daemon.state, self.plan["seed"])
            preloads.append(shim_library())
            environment.update(self.shim.environment)
            self.names_good()
        if self.plan["clock"] and faketime_library():
            self.clock_file = os.path.join(self.directory, "clock")
            self.set_clock(0)
            preloads.append(faketime_library())
            environment.update(FAKETIME_TIMESTAMP_FILE=self.clock_file, FAKETIME_NO_CACHE="1",
                               FAKETIME_DONT_FAKE_MONOTONIC="1", FAKETIME_DONT_RESET="1", NO_FAKE_STAT="1")
        if preloads:
            environment["LD_PRELOAD"] = " ".join(preloads)
            asan = os.environ.get("ASAN_OPTIONS")
            environment["ASAN_OPTIONS"] = "verify_asan_link_order=0" + (":" + asan if asan else "")
        self.configure()
        now = time.time()
        for warrant in self.plan["warrants"]:
            for edge, offset in (("from", "opens"), ("until", "closes")):
                value = warrant[offset]
                warrant[edge] = None if value is None else round(now + value, 6)
            self.write_warrant(warrant)
        self.warrants = load.Warrants(self.plan)
        for lea in self.leas.values():
            lea.open_proxy()
            lea.begin()
        for fault in self.plan["faults"]:
            if fault["kind"] == "clock_first" and self.clock_file:
                self.clock_goes_wrong(fault["offset"])
                self.warrants.first_right = float("inf")
        self.daemon.start(ready=False)
        harness.wait_until(lambda: self.daemon.ready_status() == 200 and self.daemon.intake_listens(),
                           "the daemon is ready", self.patience(60))
        self.supervisor = Supervisor(self)
        self.supervisor.thread.start()
        self.fetchers = {name: Fetcher(self, lea) for name, lea in self.leas.items() if lea.plan["binary"] == "A"}
        self.sources = [load.Source(self, number, each["listener"], each["seed"])
                        for number, each in enumerate(self.plan["sources"])]
        self.sources += [points.Point(self, len(self.sources) + number, each["seed"])
                         for number, each in enumerate(self.plan["points"])]

    # Searching

    def needles(self, marker):
        raw = marker.encode()
        found = [raw]
        for shift in range(3):
            text = base64.b64encode(b"x" * shift + raw)
            found.append(text[4 if shift else 0:-4])
        return found

    def search(self, promise, what, marker, *directories):
        needles = self.needles(marker)
        for directory in directories:
            for folder, _, names in os.walk(directory):
                for name in names:
                    path = os.path.join(folder, name)
                    with contextlib.suppress(OSError):
                        with open(path, "rb") as file:
                            bytes = file.read()
                        if any(needle in bytes for needle in needles):
                            self.leaks.append({"promise": promise, "what": what, "where": path})

    def search_state(self):
        """After a crash, before the next start."""
        self.search(6, "events under no warrant", self.plan["unmatched"], self.daemon.state)
        if self.plan["encrypted"]:
            for what, words in (("content", [self.plan["matched"]]), ("target identifiers", self.plan["targets"]),
                                ("LIIDs", [w["liid"] for w in self.plan["warrants"]]),
                                ("an LEA's words", [self.plan["words"]])):
                for word in words:
                    self.search(12, f"{what}, with encryption", word, self.daemon.state)

    def search_told(self, text, where):
        """What is told to anybody but the LEA and the operator."""
        for promise, what, words in ((6, "events under no warrant", [self.plan["unmatched"]]),
                                     (8, "content", [self.plan["matched"]]),
                                     (8, "LIIDs", [w["liid"] for w in self.plan["warrants"]]),
                                     (8, "target identifiers", self.plan["targets"]),
                                     (8, "an LEA's words", [self.plan["words"]]),
                                     (8, "binary URLs", ["/binaryData/", f":{self.object_port}/objects/"])):
            for word in words:
                if word in text:
                    at = text.index(word)
                    self.leaks.append({"promise": promise, "what": what,
                                       "where": f"{where}: …{text[max(0, at - 150):at + 50]}…"})
                    break

    # The run

    def run(self):
        """The breaches; evidence.json holds what they were found in."""
        try:
            self.set_up()
            self.let_loose()
            self.settle()
            evidence = self.gather()
        except Exception as error:  # a failure of the harness, or a program that misbehaves
            self.trouble(0, "an episode that ends by itself", "".join(traceback.format_exception(error)))
            evidence = None
        finally:
            self.over.set()
            self.clean_up()
        if evidence is None:
            return [model.Breach(**each) for each in self.troubles]
        evidence["troubles"] = self.troubles
        with open(os.path.join(self.directory, "evidence.json"), "w", encoding="utf-8", errors="surrogatepass") as file:
            json.dump(evidence, file)
        return model.check(evidence)

    def let_loose(self):
        begun = time.monotonic()
        for thread in (*self.sources, *self.fetchers.values()):
            thread.start()
        threads = []
        for fault in self.plan["faults"]:
            if not self.available(plans.FAULTS[fault["kind"]][2]):
                self.left_out[fault["kind"]] += 1
                continue
            thread = threading.Thread(target=self.one_fault, args=(fault, begun), daemon=True)
            thread.start()
            threads.append(thread)
        self.over.wait(max(0, begun + self.plan["duration"] - time.monotonic()))
        for thread in threads:
            thread.join(self.patience(90))
            if thread.is_alive():
                self.trouble(0, "each fault to end", "one does not")

    def one_fault(self, fault, begun):
        time.sleep(max(0, begun + fault["at"] - time.monotonic()))
        span = {"kind": fault["kind"], "destination": fault.get("lea"), "liid": fault.get("liid"),
                "from": time.time(), "until": None}
        with self.lock:
            self.spans.append(span)
        try:
            faults.RUN[fault["kind"]](self, fault)
        except Exception as error:
            self.trouble(0, f"fault {fault} to be made", "".join(traceback.format_exception(error)))
        span["until"] = time.time()

    def make_good(self):
        """All faults end. Each has undone what it did, except where they overlapped."""
        if self.shim is not None:
            self.shim.clear()
        if self.small_disk is not None:
            self.small_disk.free()
        self.set_clock(0)
        self.kernel_says(synchronised=True)
        self.names_good()
        with self.lock:
            for each in self.disk_faults:
                each[1] = each[1] or time.monotonic()
        for lea in self.leas.values():
            with lea.lock:
                self.certificate(lea, "good")
                self.own_certificate(lea, "good")
                lea.now = []
                lea.again()
                lea.between({"mode": "pass"})
                if lea.front is not None:
                    lea.front_does({"mode": "pass"})
        for warrant in self.plan["warrants"]:
            self.write_warrant(warrant)
        faults.restore_configuration(self)
        with self.supervisor.lock:
            if not self.daemon.process.running():
                self.supervisor.start()
            self.daemon.process.signal(signal.SIGCONT)

    def settle(self):
        self.make_good()
        deadline = self.patience(120)
        harness.wait_until(lambda: self.daemon.ready_status() == 200 and self.daemon.intake_listens(),
                           "ready again by itself", deadline)
        self.daemon.ctl("reload", expect=None)
        if self.shim is not None and self.daemon.metric("lihandover_clock_untrusted"):
            self.trouble(13, "the clock to be trusted once the kernel says that it is synchronised", "it is not")
        for source in self.sources:
            source.quiet.set()
        self.drain(deadline)
        for source in self.sources:
            source.abandon.set()
            source.join(self.patience(10))
            if source.failure:
                self.trouble(0, "sources that work",
                             "".join(traceback.format_exception(source.failure)))

    def drain(self, deadline):
        """Waits until every source has its answers and nothing is queued, for as long as the backlog shrinks: where
        space is short, new events wait for deliveries. What an LEA refused is put back by the operator."""
        put_back = ("refused", "set_aside", "objects_refused", "objects_set_aside")
        kinds = ("queued", "held", "objects_queued", "objects_attached", *put_back)
        least, fewest, end = float("inf"), float("inf"), time.monotonic() + deadline
        while True:
            trying = [source.number for source in self.sources if source.is_alive()]
            status = self.daemon.ctl_json("status")
            waiting = [d for d in status["destinations"] if any(d.get(kind) for kind in kinds)]
            if not waiting and not trying and self.points_are_read(end):
                return
            left = sum(d.get(kind) or 0 for d in waiting for kind in kinds)
            if left < least or len(trying) < fewest:
                end = time.monotonic() + deadline
            least, fewest = min(least, left), min(fewest, len(trying))
            for destination in waiting:
                if any(destination.get(kind) for kind in put_back):
                    self.daemon.ctl("retry", "--destination", destination["name"], expect=None)
            if time.monotonic() > end:
                if trying:
                    self.trouble(11, "every source to get an answer in the end", f"sources {trying} still try")
                if waiting:
                    self.trouble(2, "everything delivered once all faults are over", json.dumps(waiting))
                return
            time.sleep(0.1)

    def points_are_read(self, end):
        """What points of interception sent is worked off after it was read, and no answer says when: it is, once the door
        has counted no further PDU for a while, and no event waits for its commit. False where it was not so all the
        while: what was made meanwhile may wait."""
        def counts():
            text = self.daemon.metrics_text()
            return [harness.metric_of(text, f"lihandover_{name}_total") or 0
                    for name in ("x2x3_pdus", "events_received", "events_accepted", "events_rejected")]
        first, since = counts(), time.monotonic()
        while time.monotonic() < end:
            time.sleep(0.2)
            now = counts()
            if now != first:
                return False
            _, received, accepted, rejected = now
            if received <= accepted + rejected and time.monotonic() - since > 2:
                return True
        return True

    # Gathering

    def gather(self):
        listed = self.all_items()
        evidence = {
            "plan": self.plan,
            "faults": {"disk": bool(self.disk_faults), "clock": self.clock_moved},
            "spans": self.spans, "hangs": self.hangs, "patience": self.patience(model.ALLOWANCE),
            "warrants": {key: {"deliver": warrant["deliver"]} for key, warrant in self.warrants.all.items()},
            "listed": listed,
            "rejected": self.rejected,
            "early": [name for name, lea in self.leas.items() if lea.plan["early_success"] == "delivered"],
            "arrivals": {}, "uploads": {}, "fetched": {},
        }
        for name, lea in self.leas.items():
            evidence["arrivals"][name], evidence["uploads"][name] = self.received(lea)
            if lea.plan["binary"] == "A":
                evidence["fetched"][name] = self.fetchers[name].finish()
        metrics = self.daemon.metrics_text()
        self.search_told(metrics, "metrics")
        evidence["metrics"] = {
            source: {what: harness.metric_of(metrics, f"lihandover_events_{what}_total", source=source) or 0
                     for what in ("received", "accepted", "rejected")} for source in ("local", "messaging")}
        # Once more from the disk: the next start cleans up what a crash left.
        self.supervisor.stop()
        self.supervisor.start()
        harness.wait_until(lambda: self.daemon.ready_status() == 200 and self.daemon.intake_listens(),
                           "ready after a restart", self.patience(60))
        again = self.all_items()
        if [each["id"] for each in again] != [each["id"] for each in listed]:
            self.trouble(2, "the same items to wait after a restart", f"{len(listed)} before, {len(again)} after")
        entries = [line for line in map(json.loads, self.daemon.ctl("audit", "export").splitlines()) if "kind" in line]
        self.supervisor.over.set()
        self.supervisor.stop()
        evidence["store"] = self.read_store(entries)
        evidence["events"], evidence["answers"] = self.ledger.evidence(self.warrants)
        self.search(6, "events under no warrant", self.plan["unmatched"], self.daemon.directory, self.daemon.state,
                    *(lea.directory for lea in self.leas.values()))
        if not evidence["store"]["waiting"] and not evidence["store"]["objects"]:
            self.search(12, "content of items that were delivered or rejected", self.plan["matched"], self.daemon.state)
        self.search_told(self.daemon.logs(), "log")
        evidence["leaks"] = self.leaks
        return evidence

    def all_items(self):
        return self.daemon.ctl_json("items", "--limit", "1000000")

    def received(self, lea):
        arrivals, uploads = [], []
        documents = {}
        for at, line in enumerate(lea.lines()):
            if line["event"] == "problem" or line.get("outcome") == "unreadable":
                self.trouble(3, "messages that lea-sim can read", line)
            elif line["event"] == "object":
                digest = None
                if line["outcome"] == "stored":
                    digest = hashlib.sha256(lea.object_bytes(line)).hexdigest()
                uploads.append({"at": at, "uuid": line["path"].rstrip("/").rsplit("/", 1)[-1],
                                "outcome": line["outcome"], "status": line.get("status"), "sha256": digest,
                                "size": line["size"]})
            elif line["event"] == "delivery" and "file" in line:
                path = os.path.join(lea.directory, line["file"])
                if path not in documents:
                    documents[path] = harness.Document(path)
                arrivals.append(self.arrival(at, documents[path].item(line)))
        return arrivals, uploads

    @staticmethod
    def arrival(at, item):
        lost = []
        for element in item.csp() if item.csp() is not None else ():
            if element.tag.rsplit("}", 1)[-1] == "binaryObject":
                parts = {child.tag.rsplit("}", 1)[-1]: child for child in element}
                if "lost" in parts:
                    lost.append(harness.decode_text(parts["id"]))
        ordered = [e.text for e in item.csp().iter() if e.tag.rsplit("}", 1)[-1] == "ordered"]
        ordered = " ".join(ordered).split()
        parameters = item.csp_find("parameters")
        properties = {child[0].text: child[1].text for child in (parameters if parameters is not None else ())}
        # Whoever sends over X2/X3 gives no id: its messages begin with one.
        event_id = load.told_apart(item.csp_text("eventId"), properties["told"]) if "told" in properties else \
            (item.csp_text("text") or "").split(" ")[0]
        return {
            "at": at, "object_id": item.object_id, "liid": item.liid,
            "event_id": event_id,
            "digest": hashlib.sha256(EXPIRY.sub(rb"<\1></", item.bytes)).hexdigest(), "outcome": item.outcome,
            "code": item.code, "time": datetime.datetime.fromisoformat(item.time).timestamp(),
            "level": item.level, "sequence": item.sequence, "text": item.csp_text("text"), "ordered": ordered,
            "objects": [{"id": o.get("cspDefinedIdentifier"), "uuid": o["url"].rstrip("/").rsplit("/", 1)[-1],
                         "url": o["url"], "sha256": (o.get("checksum") or "").lower(),
                         "size": int(o.get("contentLength") or 0)} for o in item.objects
                        if o.get("cspDefinedIdentifier") not in lost],
            "lost": lost, "valid": item.valid, "invalid": item.problem,
        }

    def read_store(self, entries):
        """`entries` as exported."""
        def text(value):
            return str(uuid.UUID(bytes=bytes(value))) if value else None
        connection = sqlite3.connect(os.path.join(self.daemon.state, "store.db"))
        try:
            integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
            records = [{"id": i, "kind": KINDS[kind], "lane": lane, "object_id": text(o), "level": level,
                        "sequence": sequence} for i, kind, lane, o, level, sequence in connection.execute(
                            "SELECT id, kind, lane, object_id, level_id, sequence FROM record ORDER BY id")]
            waiting = [text(row[0]) for table in ("item", "aside")
                       for row in connection.execute(f"SELECT object_id FROM {table}")]
            objects = [{"uuid": text(u), "state": OBJECT_STATES[state], "item": text(i), "file": text(file)}
                       for u, state, i, file in connection.execute(
                           "SELECT o.uuid, o.state, o.item_uuid, b.file FROM object o JOIN blob b ON b.id = o.blob")]
        finally:
            connection.close()
        # The database may hold LIIDs sealed.
        about = {entry["id"]: [entry["destination"], entry["liid"]] for entry in entries if "id" in entry}
        lanes = {record["lane"]: about[record["object_id"]] for record in records if record["object_id"] in about}
        folder = os.path.join(self.daemon.state, "objects")
        files = [name.split(".")[0] for name in os.listdir(folder)]
        made = [{"id": r["id"], "lane": r["lane"], "object_id": r["object_id"], "level": r["level"],
                 "sequence": r["sequence"]} for r in records if r["kind"] == "item_made"]
        return {"integrity": integrity, "lanes": lanes, "made": made, "waiting": waiting, "objects": objects,
                "files": files,
                "records": [{"kind": r["kind"], "object_id": r["object_id"]} for r in records if r["object_id"]]}

    # The end

    def clean_up(self):
        if hasattr(self, "supervisor"):
            self.supervisor.over.set()
            if self.supervisor.thread.ident:
                self.supervisor.thread.join()
        for fetcher in getattr(self, "fetchers", {}).values():
            fetcher.over.set()
        for source in getattr(self, "sources", []):
            source.quiet.set()
            source.abandon.set()
        for process in reversed(self.processes):
            if process.running():
                process.signal(signal.SIGCONT)
                process.signal(signal.SIGTERM)
        for process in reversed(self.processes):
            try:
                process.wait(self.patience(30))
            except AssertionError as error:
                self.trouble(0, "programs that end", error)
                process.kill()
            if process.popen.returncode < 0 and -process.popen.returncode not in (signal.SIGKILL, signal.SIGTERM):
                self.trouble(0, f"{process.name} to live", f"it died of signal {-process.popen.returncode}")
            if re.search(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:", process.log()):
                self.trouble(0, "no report of a sanitizer", f"one in {process.log_path}")
        for lea in self.leas.values():
            lea.close_proxy()
        for process in self.processes:  # libfaketime leaves these behind when its program is killed
            for kind in ("sem.faketime_sem_", "faketime_shm_"):
                with contextlib.suppress(OSError):
                    os.unlink(f"/dev/shm/{kind}{process.pid}")
        if self.mounted is not None:
            self.mounted.unmount()
        if self.small_disk is not None:
            kept = os.path.join(self.directory, "state-kept")
            with contextlib.suppress(OSError, shutil.Error):
                shutil.copytree(self.daemon.state, kept)
            self.small_disk.unmount()

    def summary(self):
        counts = self.ledger.counts
        told = ", ".join(f"{what} {number}" for what, number in sorted(counts.items()))
        injected = f", {self.shim.injected()} calls failed" if self.shim is not None and self.shim.injected() else ""
        return f"{len(self.ledger.events)} events ({told}), {len(self.plan['faults'])} faults{injected}"
