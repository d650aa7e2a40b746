#!/usr/bin/env python3
"""The packages in a fresh Debian 12 under a running systemd, by the commands of docs/operations.md: install, first start, first
warrant, drop-ins, a second instance, reload, backup and restore, upgrade with items waiting; then remove and purge. As root, with
debootstrap, systemd-container and a mirror; takes some minutes.

    try_in_debian.py --packages DIR --root DIR [--mirror URL]

--packages: where scripts/package put both
--root: where the Debian is, or is to be made; what is there already is not made again
The container has a network of its own: nothing of it reaches the machine."""

import argparse
import contextlib
import glob
import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("LIHANDOVER_SOURCE", SOURCE)
sys.path.append(os.path.join(SOURCE, "tests"))
from programs import document  # noqa: E402

PATIENCE = 90
CERTIFICATES = (("intake.pem", "intake.pem"), ("intake.key", "intake.key"), ("csp-ca.pem", "csp-ca.pem"),
                ("lea-one.pem", "csp.pem"), ("lea-one.key", "csp.key"), ("lea-one-ca.pem", "lea-ca.pem"))
EVENT = {"service": "examplechat", "event_type": "message", "sender": {"identifiers": [{"type": "user_id", "value": "u-1001"}]},
         "receivers": [{"identifiers": [{"type": "user_id", "value": "u-2"}]}], "content": {"type": "text/plain", "text": "Hello"}}


def run(*command, check=True, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, **more)
    if check and done.returncode != 0:
        raise SystemExit(f"FAILED: {' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def expect(true, words, detail=""):
    print(("good: " if true else "FAILED: ") + words, flush=True)
    if not true:
        raise SystemExit(detail)


def wait(condition, words):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"FAILED: {words}")
        time.sleep(0.2)
    print("good: " + words, flush=True)


def make_root(root, packages, mirror):
    """A Debian with what the packages depend on; the packages themselves are installed under its own systemd."""
    if not os.path.exists(os.path.join(root, "etc/debian_version")):
        run("debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv,dbus", "bookworm", root, mirror)
    depends = set()
    for package in packages:
        for one in run("dpkg-deb", "--field", package, "Depends").split(","):
            depends.add(one.split("|")[0].split("(")[0].strip())
    shutil.copy("/etc/resolv.conf", os.path.join(root, "etc/resolv.conf"))
    run("chroot", root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-yq", "--no-install-recommends",
        "curl", "openssl", "procps", *sorted(depends - {""}))


class Container:
    def __init__(self, root):
        self.root = root
        # nspawn wants a file system in memory there.
        os.makedirs("/run/systemd/nspawn", exist_ok=True)
        self.mounted = not os.path.ismount("/run/systemd/nspawn")
        if self.mounted:
            run("mount", "-t", "tmpfs", "tmpfs", "/run/systemd/nspawn")
        self.log = tempfile.NamedTemporaryFile(prefix="try_in_debian.", suffix=".log", delete=False)
        self.nspawn = subprocess.Popen(["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network",
                                        "--directory", root, "--boot", "--console=pipe"], stdin=subprocess.DEVNULL,
                                       stdout=self.log, stderr=self.log)
        self.leader = None
        wait(self.find_leader, "a container begins")
        wait(lambda: self.sh("systemctl is-system-running", check=False).strip() in ("running", "degraded"),
             "its systemd runs")

    def find_leader(self):
        if self.nspawn.poll() is not None:
            raise SystemExit(f"FAILED: systemd-nspawn ended; see {self.log.name}")
        found = run("pgrep", "-P", str(self.nspawn.pid), check=False).split()
        self.leader = found[0] if found else None
        return self.leader

    def sh(self, script, check=True):
        """As root in it, with a login's environment."""
        return run("nsenter", "--target", self.leader, "--all", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                   "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", "sh", "-ec", script, check=check)

    def stop(self):
        if self.nspawn.poll() is None:
            self.nspawn.send_signal(signal.SIGTERM)
            try:
                self.nspawn.wait(60)
            except subprocess.TimeoutExpired:
                self.nspawn.kill()
        if self.mounted:
            run("umount", "/run/systemd/nspawn", check=False)
        self.log.close()


class Trial:
    def __init__(self, container, packages, work):
        self.container, self.packages, self.work = container, packages, work
        self.sh = container.sh
        self.document = document.sections()

    def show(self, title, place="/opt", until=None, words=None):
        """Runs what a section of the document shows, as it stands there."""
        commands = self.document[title]
        if until is not None:
            commands, self.document[title] = commands[:commands.index(until)], commands[commands.index(until):]
        else:
            del self.document[title]
        text = "\n".join(commands).replace("apt install ", "apt-get install -yq --no-install-recommends ")
        for before, after in (words or {}).items():
            text = text.replace(before, after)
        return self.sh(f"cd {place}\n{text}")

    def install(self):
        for package in self.packages.values():
            shutil.copy(package, os.path.join(self.container.root, "opt"))
        out = self.show("Install")
        expect("not started, since it is not configured" in out, "an installation starts nothing, and says so", out)
        self.sh("dpkg -i /opt/lihandoverd-test_*.deb")
        expect(self.sh("systemctl is-active lihandoverd", check=False).strip() == "inactive", "the unit is inactive")
        expect("lihandoverd-intake" in self.sh("id -nG lihandoverd"), "the user is there")
        self.sh("test -e /usr/share/man/man8/lihandoverd.8.gz")

    def first_start(self):
        etc = os.path.join(self.container.root, "etc/lihandoverd")
        run(os.path.join(SOURCE, "scripts", "make-test-certificates"), os.path.join(self.work, "made"))
        for name, made in CERTIFICATES:
            shutil.copy(os.path.join(self.work, "made", made), os.path.join(etc, "tls", name))
        for name in ("lea.pem", "lea.key", "lea-ca.pem"):
            shutil.copy(os.path.join(self.work, "made", name), os.path.join(self.container.root, "opt"))
        out = self.show("The first start")
        expect("lihandoverd 0" in out or "started" in out, "the example passes --check once certificates are in, and starts", out)
        expect(self.sh("systemctl is-active lihandoverd").strip() == "active", "it says READY")
        # The LEA of the example is nowhere: that of the container instead.
        path = os.path.join(etc, "lihandoverd.yaml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        text = text.replace("https://lea.example.com:8443/", "https://127.0.0.1:8443/")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text + "clock_trust: always\n")
        self.sh("systemctl restart lihandoverd")

    def first_warrant(self):
        out = self.show("The first warrant")
        expect("LIID-0001" in out, "the example is a warrant", out)
        expect("1 active" in self.sh("lihandoverctl status"), "which is in force")
        expect('{"accepted":1}' in out, "and an event sent by hand is taken", out)
        expect(self.waiting() == 1, "and wanted by it")

    def lea(self, start, more=""):
        if start:
            self.sh("systemd-run --quiet --unit=lea lea-sim --listen 127.0.0.1:8443 --certificate /opt/lea.pem "
                    f"--private-key /opt/lea.key --client-ca /opt/lea-ca.pem --output /opt/received {more}")
        else:
            self.sh("systemctl stop lea")

    def post(self, name):
        """As a source: a user who is in the group alone."""
        event = {**EVENT, "event_id": name, "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        return self.sh("id source >/dev/null 2>&1 || useradd --groups lihandoverd-intake source; "
                       "su source -s /bin/sh -c " + shlex.quote(
                           "curl -sS --unix-socket /run/lihandoverd/intake.sock -H 'Content-Type: application/json' -d "
                           + shlex.quote(json.dumps(event)) + " http://localhost/v1/events"))

    def waiting(self):
        return len(json.loads(self.sh("lihandoverctl items --json")))

    def delivered(self):
        found = re.search(r'lihandover_items_total\{destination="lea-one",outcome="delivered"\} (\d+)',
                          self.sh("curl -sS http://127.0.0.1:9464/metrics"))
        return int(found.group(1)) if found else 0

    def main_pid(self, unit="lihandoverd"):
        return self.sh(f"systemctl show --value -p MainPID {unit}").strip()

    def deliver(self):
        self.lea(True)
        expect('"accepted":1' in self.post("first"), "a source of the group lihandoverd-intake is heard")
        wait(lambda: self.delivered() == 2, "both are delivered")
        journal = self.sh("journalctl -u lihandoverd --no-pager")
        expect("u-1001" not in journal and "LIID-0001" not in journal, "the journal names nobody")
        expect("Operation not permitted" not in journal, "nothing that it needs is filtered", journal)

    def hardening(self):
        with_pid = f"/proc/{self.main_pid()}"
        status = self.sh(f"cat {with_pid}/status {with_pid}/limits")
        expect(re.search(r"Seccomp:\s+2", status), "system calls are filtered")
        expect(re.search(r"NoNewPrivs:\s+1", status), "no new privileges")
        expect(re.search(r"CapEff:\s+0+\n", status), "no capabilities")
        if "Max locked memory         unlimited" in status:
            expect(int(re.search(r"VmLck:\s+(\d+) kB", status).group(1)) > 10000, "memory is locked", status)
        else:
            print("NOT TRIED: locked memory, since this machine lets nobody raise that limit")
        expect(re.search(r"Max core file size\s+0\s+0", status), "no core dumps")
        exposure = self.sh("systemd-analyze security --no-pager lihandoverd | tail -n 1")
        expect(float(re.search(r": (\d\.\d)", exposure).group(1)) <= 1.5, exposure.strip())

    def reload(self):
        before = self.main_pid()
        done = r'outcome="done"} (\d+)'
        count = int(re.search(done, self.sh("curl -sS http://127.0.0.1:9464/metrics")).group(1))
        self.sh("systemctl reload lihandoverd")
        wait(lambda: int(re.search(done, self.sh("curl -sS http://127.0.0.1:9464/metrics")).group(1)) > count, "a reload is done")
        expect(self.main_pid() == before, "by the same process")
        expect(self.sh("systemctl is-active lihandoverd").strip() == "active", "and the unit is active again")

    def watchdog(self):
        usec = self.sh("systemctl show --value -p WatchdogTimestampMonotonic lihandoverd").strip()
        expect(int(usec) > 0, "the watchdog is fed")

    def upgrade(self):
        self.lea(False)
        for number in range(20):
            self.post(f"waiting-{number}")
        expect(self.waiting() == 20, "items wait, since the LEA is down")
        before = self.main_pid()
        self.upgrade_in_vain(before)
        # Another one has failed for good.
        self.sh("mkdir -p /run/systemd/system/lihandoverd@two.service.d; "
                "printf '[Service]\\nRestart=no\\n' >/run/systemd/system/lihandoverd@two.service.d/no.conf; systemctl daemon-reload; "
                "systemctl kill -s KILL lihandoverd@two")
        wait(lambda: self.sh("systemctl is-active lihandoverd@two", check=False).strip() == "failed", "another daemon has failed")
        os.makedirs(os.path.join(self.container.root, "opt/later"))
        with tempfile.TemporaryDirectory() as place:
            for name, path in self.packages.items():
                stage = os.path.join(place, name)
                run("dpkg-deb", "--raw-extract", path, stage)
                control = os.path.join(stage, "DEBIAN/control")
                with open(control, encoding="utf-8") as file:
                    text = re.sub(r"(?m)^(Version: .*)$", r"\1.later", file.read())
                with open(control, "w", encoding="utf-8") as file:
                    file.write(text)
                run("dpkg-deb", "--root-owner-group", "--build", "-Znone", stage,
                    os.path.join(self.container.root, "opt/later", f"{name}_later.deb"))
        self.sh("dpkg -i /opt/later/lihandoverd-test_later.deb")
        self.show("Upgrade", "/opt/later")
        expect(self.main_pid() != before, "an upgrade restarts it")
        expect(self.sh("systemctl is-active lihandoverd@two").strip() == "active", "and starts what had failed")
        expect(self.sh("systemctl show --value -p Result lihandoverd").strip() == "success", "after a gentle stop")
        expect(self.waiting() == 20, "the items are still there")
        self.lea(True)
        self.sh("lihandoverctl resume lea-one", check=False)
        wait(lambda: self.waiting() == 0, "and are delivered")

    def upgrade_in_vain(self, before):
        """The package with a daemon that would not start again."""
        def stays(why):
            out = self.sh("dpkg -i /opt/lihandoverd_*.deb")
            expect("goes on with the old program" in out and self.main_pid() == before, f"{why}: it is left running", out)
        self.sh("cp -p /etc/lihandoverd/lihandoverd.yaml /opt/good.yaml; echo 'oops: yes' >>/etc/lihandoverd/lihandoverd.yaml")
        stays("a mistake in the configuration")
        self.sh("cp -p /opt/good.yaml /etc/lihandoverd/lihandoverd.yaml")
        with contextlib.closing(sqlite3.connect(os.path.join(self.container.root, "srv/disk/store.db"))) as store:
            version = store.execute("PRAGMA user_version").fetchone()[0]
            store.execute("PRAGMA user_version=999")
            stays("a store of a newer version")
            store.execute(f"PRAGMA user_version={version}")

    def keys(self):
        """As the document makes them; what it says to write into the configuration is written in between."""
        self.show("Certificates")
        path = os.path.join(self.container.root, "etc/lihandoverd/lihandoverd.yaml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        files = []
        for command in self.document.pop("Encryption at rest"):
            if command.startswith("install "):
                files.insert(0, command.split()[-1])
            if document.program_of(command) == "lihandoverd":
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text + f"encryption: {{key_files: [{', '.join(files)}]}}\n")
            self.sh(command)
        wait(lambda: not json.loads(self.sh("lihandoverctl status --json"))["encryption"]["working"], "the store is sealed")
        record = self.document["The record of all decisions"]
        self.sh("\n".join(["cd /opt", *[each for each in record if "/etc/lihandoverd/keys/" in each]]))
        self.document["The record of all decisions"] = [each for each in record if "/etc/lihandoverd/keys/" not in each]
        with open(path, "a", encoding="utf-8") as file:
            file.write("audit: {signing_key: /etc/lihandoverd/keys/audit.pem}\n")
        self.sh("lihandoverctl reload; systemctl restart lihandoverd; lihandoverctl status")
        expect(self.sh("systemctl is-active lihandoverd").strip() == "active", "the daemon reads keys that root has made")

    def service(self):
        """Drop-ins, and a second daemon."""
        self.sh("sed -e 's,/var/lib/lihandoverd,/var/lib/lihandoverd-two,; s,/run/lihandoverd/,/run/lihandoverd-two/,; s/:8441/:8541/;"
                " s/:9464/:9564/' /etc/lihandoverd/lihandoverd.yaml >/etc/lihandoverd/two.yaml; "
                "chgrp lihandoverd /etc/lihandoverd/two.yaml")
        out = self.show("The service")
        expect("ready" in out, "a second daemon runs and answers", out)
        expect(self.sh("systemctl show --value -p MemoryMax lihandoverd").strip() == str(4 << 30), "a drop-in counts")
        expect(self.sh("systemctl is-active lihandoverd").strip() == "active", "and the first one runs beside it")

    def credentials(self):
        """A missing one stops nothing but its destination."""
        bad = 'lihandover_tls_files_bad{name="lea-one",role="destination"} '
        self.sh("cp /usr/share/doc/lihandoverd/examples/lihandoverd.service.d/credentials.conf "
                "/etc/systemd/system/lihandoverd.service.d; cp -p /etc/lihandoverd/lihandoverd.yaml /opt/plain.yaml; "
                "sed -i 's,/etc/lihandoverd/tls/\\(lea-one.[pk]e[my]\\),/run/credentials/lihandoverd.service/\\1,' "
                "/etc/lihandoverd/lihandoverd.yaml; systemctl daemon-reload; systemctl restart lihandoverd")
        expect(bad + "0" in self.sh("curl -sS http://127.0.0.1:9464/metrics"), "keys are credentials")
        self.sh("mv /etc/lihandoverd/tls/lea-one.key /opt; systemctl restart lihandoverd")
        expect(bad + "1" in self.sh("curl -sS http://127.0.0.1:9464/metrics"), "without one, its destination alone is paused")
        self.sh("mv /opt/lea-one.key /etc/lihandoverd/tls; mv /opt/plain.yaml /etc/lihandoverd/lihandoverd.yaml; "
                "rm /etc/systemd/system/lihandoverd.service.d/credentials.conf; systemctl daemon-reload; "
                "systemctl restart lihandoverd")

    def places(self):
        """state_dir somewhere else."""
        dropins = "/etc/systemd/system/lihandoverd@two.service.d"
        self.sh("install --directory --owner=lihandoverd --group=lihandoverd --mode=0700 /srv/evidence; "
                "sed -i 's,^state_dir: [^ ]*,state_dir: /srv/evidence,' /etc/lihandoverd/two.yaml; "
                f"mkdir -p {dropins}; cp /usr/share/doc/lihandoverd/examples/lihandoverd.service.d/places.conf {dropins}; "
                "systemctl daemon-reload; systemctl restart lihandoverd@two")
        expect("ready" in self.sh("test -e /srv/evidence/store.db; lihandoverctl --socket /run/lihandoverd-two/control.sock status"),
               "state_dir may be elsewhere, with a drop-in")

    def long_stop(self):
        """Longer than the unit has it."""
        dropin = "/run/systemd/system/lihandoverd.service.d"
        self.lea(False)
        self.sh("cp -p /etc/lihandoverd/lihandoverd.yaml /opt/good.yaml; sed -i 's,^shutdown_timeout: .*,shutdown_timeout: 15s,' "
                f"/etc/lihandoverd/lihandoverd.yaml; mkdir -p {dropin}; printf '[Service]\\nTimeoutStopSec=5\\n' >{dropin}/stop.conf; "
                "systemctl daemon-reload; systemctl restart lihandoverd")
        self.lea(True, "--delay 600s")
        self.post("that stays on its way")
        wait(lambda: re.search(r'lihandover_delivery_connections\{destination="lea-one"\} [1-9]',
                               self.sh("curl -sS http://127.0.0.1:9464/metrics")), "an item is on its way")
        began = time.monotonic()
        self.sh("systemctl stop lihandoverd")
        expect(time.monotonic() - began > 10, "a stop may take shutdown_timeout")
        expect(self.sh("systemctl show --value -p Result lihandoverd").strip() == "success", "and ends well")
        self.lea(False)
        self.lea(True)
        self.sh(f"rm {dropin}/stop.conf; cp -p /opt/good.yaml /etc/lihandoverd/lihandoverd.yaml; systemctl daemon-reload; "
                "systemctl start lihandoverd")
        wait(lambda: self.waiting() == 0, "what was on its way is delivered")

    def backup(self):
        commands = self.document["Backup and restore"]
        again = [number for number, each in enumerate(commands) if each == "systemctl stop lihandoverd"][1]
        # On a disk of its own.
        self.sh("systemctl stop lihandoverd; mkdir /srv/disk; cp --archive /var/lib/lihandoverd/. /srv/disk; "
                "mount --bind /srv/disk /var/lib/lihandoverd; systemctl start lihandoverd")
        self.sh("\n".join(commands[:again]))
        modes = self.sh("stat --format=%a /srv/*.tar").split()
        expect(modes == ["600", "600"], "the copies are for root alone", str(modes))
        expect("keys/" not in self.sh("tar --list --file /srv/lihandoverd-store.tar"), "and the keys are not with the store")
        self.post("after the copy")
        wait(lambda: self.delivered() == 1, "an item is delivered after the copy was made")
        self.sh("\n".join(commands[again:]))
        del self.document["Backup and restore"]
        expect("store_restored" in self.sh("lihandoverctl audit export"), "a store that was put back is on record")
        expect(self.sh("systemctl is-active lihandoverd").strip() == "active", "and works")

    def remove(self):
        scripts = "/var/lib/dpkg/info/lihandoverd"
        self.sh(f"{scripts}.prerm remove")
        expect(self.sh("systemctl is-active lihandoverd", check=False).strip() == "inactive", "a removal stops it")
        self.sh(f"{scripts}.postinst abort-remove")
        expect(self.sh("systemctl is-active lihandoverd").strip() == "active", "and starts it again if it does not come about")
        self.sh("systemctl stop lihandoverd@two; dpkg --remove lihandoverd; dpkg -i /opt/later/lihandoverd_later.deb")
        expect(self.sh("systemctl is-active lihandoverd").strip() == "active", "installed again, it runs")
        expect(self.sh("systemctl is-active lihandoverd@two", check=False).strip() == "inactive", "what had been stopped does not")
        self.sh("systemctl start lihandoverd@two")
        out = self.sh("dpkg --remove lihandoverd")
        for unit in ("lihandoverd", "lihandoverd@two"):
            expect(self.sh(f"systemctl is-active {unit}", check=False).strip() != "active", f"{unit} is stopped", out)
        expect(self.sh("ls /var/lib/lihandoverd").strip(), "its store stays")
        out = self.sh("dpkg --purge lihandoverd")
        expect("stay in /var/lib/lihandoverd\n" in out and "stay in /var/lib/lihandoverd-two\n" in out, "a purge says where", out)
        self.sh("test -n \"$(ls /var/lib/lihandoverd)\" -a -e /etc/lihandoverd/warrants.d/one.yaml")
        out = self.sh("dpkg -i /opt/later/lihandoverd_later.deb; systemctl start lihandoverd; lihandoverctl status")
        expect("1 active" in out, "installed again, it goes on where it was", out)


    def nothing_left(self):
        """tests/system/test_document.py runs what is ours; promtool is no part of this Debian."""
        elsewhere = {"lihandoverctl", "lihandoverd", "openssl", "promtool"}
        left = [each for commands in self.document.values() for each in commands if document.program_of(each) not in elsewhere
                and each != "systemctl reload lihandoverd"]
        expect(not left, "every command of the document was run", "\n".join(left))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--mirror", default="http://deb.debian.org/debian")
    wanted = parser.parse_args()
    missing = [tool for tool in ("debootstrap", "systemd-nspawn", "nsenter") if not shutil.which(tool)]
    if missing or os.getuid() != 0:
        sys.exit("try_in_debian: NOT TRIED: needs root, debootstrap and systemd-nspawn (systemd-container)")
    packages = {os.path.basename(path).partition("_")[0]: path for path in glob.glob(os.path.join(wanted.packages, "*.deb"))}
    make_root(wanted.root, packages.values(), wanted.mirror)
    container = Container(wanted.root)
    try:
        with tempfile.TemporaryDirectory() as work:
            trial = Trial(container, packages, work)
            for step in (trial.install, trial.first_start, trial.first_warrant, trial.deliver, trial.hardening, trial.reload,
                         trial.watchdog, trial.keys, trial.service, trial.credentials, trial.places, trial.long_stop, trial.backup, trial.upgrade, trial.remove):
                step()
            trial.nothing_left()
    finally:
        container.stop()
    print("all of it went as it should")


if __name__ == "__main__":
    main()
