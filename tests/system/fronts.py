"""What stands between the daemon and an LEA: tests/lea-sim/front.py, and third-party programs."""

import json
import os
import shutil
import subprocess
import sys
import unittest

from harness import SOURCE, Certificates, Ports, Process, wait_until

FRONT = os.path.join(SOURCE, "tests/lea-sim/front.py")


class Front:
    """A front.py before one or several LEAs. With `tls` it terminates TLS itself, with the LEA's certificate. It is
    stopped with the test, or, without one, by stop()."""

    def __init__(self, test, *leas, tls=False, port=None, address="127.0.0.1"):
        self.port = port or Ports.take()
        arguments = [sys.executable, FRONT, "--listen", f"{address}:{self.port}",
                     "--to", ",".join(f"127.0.0.1:{lea.port}" for lea in leas)]
        if tls:
            own = leas[0].certificate
            for option, file in (("certificate", f"{own}.pem"), ("private-key", f"{own}.key"), ("client-ca", "lea-ca.pem"),
                                 ("to-certificate", "csp.pem"), ("to-private-key", "csp.key"), ("to-ca", "lea-ca.pem")):
                arguments += ["--" + option, Certificates.path(file)]
        self.popen = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if test is not None:
            test.addCleanup(self.stop)
        if self.popen.stdout.readline() != "listening\n":
            raise AssertionError("front.py does not listen")

    def behave(self, mode, **more):
        self.popen.stdin.write(json.dumps({"mode": mode, **more}) + "\n")
        self.popen.stdin.flush()
        if self.popen.stdout.readline() != "done\n":
            raise AssertionError(f"front.py does not take {mode}")

    def stop(self):
        self.popen.stdin.close()
        self.popen.wait(30)
        self.popen.stdout.close()


def program(name):
    """Its path; skips the test where it is not installed (scripts/install-deps --test)."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if path is None:
        raise unittest.SkipTest(f"{name} is not installed")
    return path


class Foreign:
    """A third-party program with one configuration file, in the foreground."""

    def __init__(self, test, name, arguments, text, port):
        self.test = test
        self.name = name
        self.port = port
        self.directory = os.path.join(test.directory, f"{name}-{port}")
        os.makedirs(self.directory)
        self.configuration = os.path.join(self.directory, f"{name}.conf")
        self.arguments = [program(name), *(each.format(file=self.configuration, directory=self.directory)
                                           for each in arguments)]
        self.write(text)
        self.process = None

    def write(self, text):
        with open(self.configuration, "w", encoding="utf-8") as file:
            file.write(text.format(directory=self.directory, port=self.port))

    def start(self):
        self.process = Process(self.name, self.arguments, self.test.directory)
        self.test.processes.append(self.process)
        wait_until(self.listens, f"{self.name} listens")
        return self

    def listens(self):
        if not self.process.running():
            raise AssertionError(f"{self.name} ended: {self.process.log()}{self.process.out()}")
        with open("/proc/net/tcp", encoding="ascii") as file:
            return any(line.split()[1].endswith(f":{self.port:04X}") and line.split()[3] == "0A"
                       for line in list(file)[1:])

    def stop(self):
        self.process.stop()


def nginx(test, leas, port=None, location="", http=""):
    """Terminates TLS and balances requests over the LEAs in turn. `{{` and `}}` are braces in what is added."""
    port = port or Ports.take()
    servers = " ".join(f"server 127.0.0.1:{lea.port} max_fails=0;" for lea in leas)
    path = Certificates.path
    text = f"""
daemon off;
master_process off;
pid {{directory}}/pid;
error_log stderr;
events {{{{ worker_connections 512; }}}}
http {{{{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {{directory}}/body;
    proxy_temp_path {{directory}}/proxy;
    fastcgi_temp_path {{directory}}/fastcgi;
    uwsgi_temp_path {{directory}}/uwsgi;
    scgi_temp_path {{directory}}/scgi;
    upstream leas {{{{ {servers} }}}}
    {http}
    server {{{{
        listen 127.0.0.1:{port} ssl backlog=511;
        ssl_certificate {path("lea.pem")};
        ssl_certificate_key {path("lea.key")};
        ssl_client_certificate {path("lea-ca.pem")};
        ssl_verify_client on;
        location / {{{{
            proxy_pass https://leas;
            proxy_ssl_certificate {path("csp.pem")};
            proxy_ssl_certificate_key {path("csp.key")};
            proxy_next_upstream off;
            {location}
        }}}}
    }}}}
}}}}
"""
    return Foreign(test, "nginx", ["-c", "{file}", "-p", "{directory}", "-e", "stderr"], text, port)


def haproxy(test, leas, port=None, ends_tls=False, more="", server=""):
    """Passes TLS through, connections by turns; or ends it, requests by turns."""
    port = port or Ports.take()
    path = Certificates.path
    bind = listen = ""
    if ends_tls:
        pem = os.path.join(test.directory, f"haproxy-{port}.pem")
        back = os.path.join(test.directory, f"haproxy-{port}-back.pem")
        for target, name in ((pem, "lea"), (back, "csp")):
            with open(target, "w", encoding="ascii") as out:
                for end in ("pem", "key"):
                    with open(path(f"{name}.{end}"), encoding="ascii") as file:
                        out.write(file.read())
        bind = f"ssl crt {pem} ca-file {path('lea-ca.pem')} verify required"
        server += f" ssl verify none crt {back}"
        listen = "mode http"
    servers = "\n".join(f"    server lea{number} 127.0.0.1:{lea.port} {server}" for number, lea in enumerate(leas))
    text = f"""
global
    maxconn 512
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    retries 0
listen front
    bind 127.0.0.1:{port} {bind}
    {listen}
    balance roundrobin
    {more}
{servers}
"""
    return Foreign(test, "haproxy", ["-db", "-f", "{file}"], text, port)


def tinyproxy(test, port=None, credentials=None, connect_ports=()):
    """A proxy for CONNECT."""
    port = port or Ports.take()
    text = f"Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 100\nAllow 127.0.0.1\nLogLevel Info\n"
    text += "".join(f"ConnectPort {each}\n" for each in connect_ports)
    if credentials:
        text += f"BasicAuth {credentials[0]} {credentials[1]}\n"
    return Foreign(test, "tinyproxy", ["-d", "-c", "{file}"], text, port)
