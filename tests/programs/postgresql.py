"""A PostgreSQL server of its own, with a standby where one is wanted: on Unix sockets, gone with its owner."""

import grp
import os
import pwd
import signal
import subprocess

from programs.process import Process, wait_until

PROGRAMS = "/usr/lib/postgresql/15/bin"
# Nothing here has to survive the machine.
SETTINGS = {"listen_addresses": "", "fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB",
            "max_connections": "60", "autovacuum": "off", "log_min_messages": "warning"}


class Server(Process):
    """Ends fast where it is asked to end, whoever is connected."""

    def signal(self, number):
        super().signal(signal.SIGINT if number == signal.SIGTERM else number)


class Unprivileged:
    """What belongs to a server that does not run as root: then it is the system's postgres."""

    def __init__(self, owner, name):
        self.owner = owner
        self.name = name
        self.account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        # Its user has to come to its files.
        os.chmod(owner.directory, 0o755)
        self.directory = self.make(os.path.join(owner.directory, name))

    def make(self, path):
        os.makedirs(path, mode=0o700)
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)
        return path

    def as_its_user(self):
        if self.account:
            os.setgroups([g.gr_gid for g in grp.getgrall() if self.account.pw_name in g.gr_mem])
            os.setgid(self.account.pw_gid)
            os.setuid(self.account.pw_uid)

    def run(self, program, *arguments, **more):
        done = subprocess.run([f"{PROGRAMS}/{program}", *arguments], preexec_fn=self.as_its_user, cwd="/",
                              capture_output=True, text=True, check=False, **more)
        if done.returncode != 0:
            raise AssertionError(f"{program}: {done.stdout}{done.stderr}")
        return done.stdout


class Postgresql(Unprivileged):
    """One server."""

    @staticmethod
    def is_installed():
        return os.path.exists(f"{PROGRAMS}/postgres")

    def __init__(self, owner, name="postgresql"):
        super().__init__(owner, name)
        self.data = self.make(os.path.join(self.directory, "data"))
        self.process = None

    def create(self):
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync", "--no-instructions",
                 "-E", "UTF8", "--locale=C")
        self.start()
        self.sql("CREATE ROLE lihandover LOGIN", "GRANT pg_read_all_stats TO lihandover",
                 "CREATE DATABASE lihandover OWNER lihandover")
        return self

    def start(self):
        settings = {**SETTINGS, "unix_socket_directories": self.directory}
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.process = Server(self.name, [f"{PROGRAMS}/postgres", "-D", self.data, *arguments], self.owner.directory,
                              prepare=self.as_its_user)
        self.owner.processes.append(self.process)
        wait_until(lambda: self.answers(), f"{self.name} answers")

    def answers(self):
        if not self.process.running():
            raise AssertionError(f"{self.name} ended: {self.process.log()}")
        return subprocess.run([f"{PROGRAMS}/pg_isready", "-q", "-h", self.directory, "-U", "postgres"], check=False).returncode == 0

    def stop(self):
        """At once: whoever is connected loses the connection."""
        self.process.signal(signal.SIGQUIT)
        self.process.wait()

    def connection(self):
        return f"host={self.directory} dbname=lihandover user=lihandover"

    def sql(self, *commands, database="postgres"):
        words = [word for command in commands for word in ("-c", command)]
        return self.run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.directory, "-U", "postgres",
                        "-d", database, *words)

    def standby(self, name="standby"):
        """Another server that has all that this one has; commits wait for it."""
        other = Postgresql(self.owner, name)
        self.run("pg_basebackup", "-h", self.directory, "-U", "postgres", "-D", other.data, "-R", "-X", "stream", "-c",
                 "fast", "--no-sync")
        other.start()
        self.sql("ALTER SYSTEM SET synchronous_standby_names='*'", "SELECT pg_reload_conf()")
        wait_until(self.is_replicated, "commits wait for the standby")
        return other

    def is_replicated(self):
        return self.sql("SELECT sync_state FROM pg_stat_replication").strip() == "sync"
