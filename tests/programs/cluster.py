"""What packaging/patroni sets up, on loopback: a database of three machines, with etcd, Patroni and PostgreSQL each, on
127.0.0.2 to 127.0.0.4; HAProxy; and the daemons, on 127.0.0.11 and so on. Needs Debian's packages: see missing()."""

import contextlib
import http.client
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import ssl
import sys
import threading

import yaml

from programs.daemon import Daemon
from programs.postgresql import Unprivileged
from programs.process import PATIENCE, SCHEMAS, SOURCE, Certificates, Ports, Process, wait_until

TEMPLATES = os.path.join(SOURCE, "packaging/patroni")
sys.path.append(TEMPLATES)

import fill  # noqa: E402

PLACES = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
PROGRAMS = {"etcd": "etcd-server", "patroni": "patroni", "haproxy": "haproxy"}  # and Debian's packages


def missing():
    """What of Debian has to be installed (scripts/install-deps --cluster)."""
    needed = [package for name, package in PROGRAMS.items() if not shutil.which(name, path=PLACES)]
    return needed + ([] if os.path.exists("/usr/lib/postgresql/15/bin/postgres") else ["postgresql-15"])


def program(name):
    return shutil.which(name, path=PLACES)


class Values:
    """What the templates are filled with: values.ini, and what is different here."""

    def __init__(self, owner):
        self.owner = owner
        self.common = {
            **{f"DB{n}": f"127.0.0.{n + 1}" for n in (1, 2, 3)},
            "DATABASE_NETWORK": "127.0.0.0/8", "DAEMON_NETWORK": "127.0.0.0/8",
            **{name: str(Ports.take()) for name in ("ETCD_PORT", "ETCD_PEER_PORT", "PATRONI_PORT", "POSTGRESQL_PORT")},
            "WATCHDOG": "off",
            "REPLICATION_PASSWORD": secrets.token_hex(16), "REWIND_PASSWORD": secrets.token_hex(16),
            "CSP_A": "127.0.0.11", "CSP_B": "127.0.0.12", "CSP_C": "127.0.0.13",
            "INTAKE_PORT": str(Ports.take()), "ADMIN_PORT": str(Ports.take()),
            "FRONT": f"127.0.0.1:{Ports.take()}",
        }

    def of(self, machine, **more):
        address = self.common.get(machine.upper().replace("-", "_"), "")
        return {**fill.values_of(os.path.join(TEMPLATES, "values.ini"), machine), **self.common,
                "HOST": address, "LISTEN": address, **more}

    @staticmethod
    def text(template, values):
        return fill.fill(os.path.join(TEMPLATES, template), values)

    def fill(self, template, values, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.text(template, values))
        return path


def children_of(pid):
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, IndexError):
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                if int(file.read().rsplit(")", 1)[1].split()[1]) == pid:
                    found.append(int(name))
    return found


class Server(Process):
    """A Patroni. Told to end, it ends its PostgreSQL first; where it did not, PostgreSQL is ended at once."""

    def __init__(self, machine, *arguments):
        super().__init__(*arguments)
        self.machine = machine

    def wait(self, timeout=None):
        status = super().wait(timeout)
        self.machine.end_postgresql()
        return status


class Machine(Unprivileged):
    """One of the three. All that runs on it can be killed at once, as if somebody pulled the plug."""

    def __init__(self, owner, values, name):
        super().__init__(owner, name)
        tls = self.make(os.path.join(self.directory, "tls"))
        self.data = os.path.join(self.make(os.path.join(self.directory, "postgresql")), "data")
        account = self.account.pw_name if self.account else os.environ.get("USER") or os.getlogin()
        self.values = values.of(
            name, ETCD_TLS=tls, PATRONI_TLS=tls, ETCD_DATA=self.make(os.path.join(self.directory, "etcd")),
            POSTGRESQL_DATA=self.data, POSTGRESQL_SOCKETS=self.directory,
            POSTGRESQL_PASSFILE=os.path.join(self.directory, "pgpass"), SUPERUSER=account)
        for source, name_here in (("database-ca.pem", "ca.pem"), ("database.pem", "node.pem"), ("database.key", "node.key")):
            self.own(shutil.copy(Certificates.path(source), os.path.join(tls, name_here)))
        self.etcd_file = self.own(values.fill("etcd.in", self.values, os.path.join(self.directory, "etcd.default")))
        self.patroni_file = self.own(values.fill("patroni.yml.in", self.values, os.path.join(self.directory, "patroni.yml")))
        self.address, self.port = self.values["HOST"], self.values["POSTGRESQL_PORT"]
        self.etcd = self.patroni = None

    def own(self, path):
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)
        return path

    def start(self):
        self.start_etcd()
        self.start_patroni()

    def start_etcd(self):
        with open(self.etcd_file, encoding="utf-8") as file:
            settings = dict(word.split("=", 1) for word in shlex.split(file.read(), comments=True))
        self.etcd = Process(f"{self.name}-etcd", [program("etcd")], self.owner.directory, {"PATH": PLACES, **settings},
                            self.as_its_user)
        self.owner.processes.append(self.etcd)

    def start_patroni(self):
        self.patroni = Server(self, f"{self.name}-patroni", [program("patroni"), self.patroni_file], self.owner.directory,
                              {"PATH": PLACES, "LC_ALL": "C.UTF-8", "HOME": self.directory}, self.as_its_user)
        self.owner.processes.append(self.patroni)

    def postmaster(self):
        """The id of PostgreSQL's first process, None where it does not run."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(os.path.join(self.data, "postmaster.pid"), encoding="ascii") as file:
                pid = int(file.readline())
            if os.path.samefile(f"/proc/{pid}/cwd", self.data):
                return pid
        return None

    def end_postgresql(self):
        """At once, where Patroni has left it behind."""
        if pid := self.postmaster():
            os.kill(pid, signal.SIGQUIT)
            wait_until(lambda: self.postmaster() != pid, f"PostgreSQL of {self.name} ends")

    def kill(self):
        """kill -9 of everything. Patroni first, so that it sees nothing of it."""
        postmaster = self.postmaster()
        patroni, etcd = self.patroni, self.etcd
        doomed = [patroni.pid, *children_of(patroni.pid), *([postmaster] if postmaster else []), etcd.pid]
        doomed += children_of(postmaster) if postmaster else []
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        patroni.popen.wait()
        etcd.popen.wait()
        wait_until(lambda: self.postmaster() is None, f"PostgreSQL of {self.name} is gone")

    def cluster(self):
        """What Patroni says of all members; None where it does not answer."""
        context = ssl.create_default_context(cafile=Certificates.path("database-ca.pem"))
        connection = http.client.HTTPSConnection(self.address, int(self.values["PATRONI_PORT"]), timeout=5, context=context)
        try:
            connection.request("GET", "/cluster")
            return json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def sql(self, text, **environment):
        """As the superuser, over the socket."""
        return self.run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.directory, "-p", self.port,
                        "-U", self.values["SUPERUSER"], "-d", "postgres", input=text, env={**os.environ, **environment})


class Database:
    """The three machines."""

    def __init__(self, owner, values):
        self.values = values
        self.machines = [Machine(owner, values, name) for name in ("db1", "db2", "db3")]

    def start(self):
        for machine in self.machines:
            machine.start_etcd()
        for machine in self.machines:
            machine.start_patroni()
        wait_until(self.is_whole, "one primary and two standbys", 2 * PATIENCE)

    def members(self):
        """Name, role and state of each, as whichever machine answers tells."""
        told = next(filter(None, (machine.cluster() for machine in self.machines)), None)
        return {member["name"]: member for member in told["members"]} if told else {}

    def primary(self):
        leader = [name for name, member in self.members().items() if member["role"] == "leader" and member["state"] == "running"]
        return next((machine for machine in self.machines if machine.name in leader), None)

    def is_whole(self):
        for machine in self.machines:
            for process in (machine.etcd, machine.patroni):
                if not process.running():
                    raise AssertionError(f"{process.name} ended: {process.log()[-2000:]}{process.out()[-2000:]}")
        members = self.members()
        roles = sorted(member["role"] for member in members.values() if member["state"] in ("running", "streaming"))
        return members if roles == ["leader", "replica", "sync_standby"] else None

    def create(self):
        """The daemons' role and database; its password."""
        password = secrets.token_hex(16)
        with open(os.path.join(TEMPLATES, "database.sql"), encoding="utf-8") as file:
            self.primary().sql(file.read(), LIHANDOVER_PASSWORD=password)
        return password

    def stop(self):
        """Patroni ends its servers, and tells etcd, which nobody needs then."""
        processes = [machine.patroni for machine in self.machines if machine.patroni]
        for process in processes:
            process.signal(signal.SIGTERM)
        for process in processes:
            process.wait()
        for machine in self.machines:
            if machine.etcd:
                machine.etcd.kill()


class Haproxy(Process):
    def __init__(self, owner, values):
        path = values.fill("haproxy.cfg.in", values.of("front"), os.path.join(owner.directory, "haproxy.cfg"))
        super().__init__("haproxy", [program("haproxy"), "-db", "-f", path], owner.directory)
        owner.processes.append(self)
        self.front = values.common["FRONT"].split(":")
        wait_until(self.listens, "haproxy listens")

    def listens(self):
        if not self.running():
            raise AssertionError(f"haproxy ended: {self.log()}")
        with socket.socket() as probe:
            return probe.connect_ex((self.front[0], int(self.front[1]))) == 0


def daemon_files(owner, password):
    """What all daemons have: the template's names and values of it."""
    directory = os.path.join(owner.directory, "daemons")
    for name in ("tls", "objects", "warrants.d"):
        os.makedirs(os.path.join(directory, name), mode=0o700)
    names = {"database-ca.pem": "database-ca.pem", "csp-database.pem": "database.pem", "csp-database.key": "database.key",
             **{name: name for name in ("intake.pem", "intake.key", "csp-ca.pem")},
             "csp.pem": "lea-one.pem", "csp.key": "lea-one.key", "lea-ca.pem": "lea-one-ca.pem"}
    for source, target in names.items():
        shutil.copy(Certificates.path(source), os.path.join(directory, "tls", target))
    for name, text in (("pgpass", f"*:*:lihandover:lihandover:{password}\n"), ("store.key", secrets.token_hex(32) + "\n")):
        with open(os.open(os.path.join(directory, name), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(text)
    return {"DAEMON_TLS": os.path.join(directory, "tls"), "OBJECTS_DIR": os.path.join(directory, "objects"),
            "WARRANTS_DIR": os.path.join(directory, "warrants.d"), "KEY_FILE": os.path.join(directory, "store.key"),
            "DAEMON_PASSFILE": os.path.join(directory, "pgpass"), "SCHEMAS_DIR": SCHEMAS}


class ClusterDaemon(Daemon):
    """One of several, by the template. While it is kept, it is started again whenever it ends, as its unit would do."""

    def __init__(self, owner, values, name, files):
        super().__init__(owner, name)
        mine = values.of(name, STATE_DIR=self.state, CONTROL_SOCKET=self.control, **files)
        template = yaml.safe_load(values.text("lihandoverd.yaml.in", mine))
        # The tests' own door stays beside the template's.
        template["intake"]["http"] += self.configuration["intake"]["http"]
        self.configuration = template
        self.name = name
        self.warrants = files["WARRANTS_DIR"]
        self.admin_address, self.admin_port = mine["LISTEN"], int(mine["ADMIN_PORT"])
        self.let_go = threading.Event()
        self.lock = threading.Lock()  # held while it is decided whether it starts once more
        self.keeper = None

    def keep(self):
        self.let_go.clear()
        self.keeper = threading.Thread(target=self.start_again, daemon=True)
        self.keeper.start()

    def start_again(self):
        with open(os.path.join(SOURCE, "packaging/lihandoverd.service.in"), encoding="utf-8") as file:
            pause = int(re.search(r"^RestartSec=(\d+)$", file.read(), re.MULTILINE).group(1))
        while True:
            with self.lock:
                if self.let_go.is_set():
                    return
                process = self.start(ready=False)
            process.popen.wait()
            self.let_go.wait(pause)

    def end(self, number):
        """Ends it with a signal, until it is kept again: so its machine is gone, or shut down."""
        with self.lock:
            self.let_go.set()
            if self.process:
                self.process.signal(number)
        if self.keeper:
            self.keeper.join(PATIENCE)
