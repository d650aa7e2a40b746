"""syslog-ng as an operator would set it up in place of the daemon: JSON lines in on a Unix socket, a template that
writes the document, a reliable disk buffer, and http() with mutual TLS to the LEA."""
from __future__ import annotations

import contextlib
import pathlib
import re
import subprocess
import time
from collections.abc import Iterator

from bench.measure import BenchError
from bench.rig import Lea, Rig, WARM_UP, cpu_seconds, wait_until

WORKERS = (1, 2, 4, 8, 16)
SENDERS = 4

# Its JSON parser cannot take lists of objects apart, so the events have their identifiers as plain members. The free
# text is escaped for XML, which syslog-ng does by substitution, field by field. The other fields are left as they are,
# and so are the warrant's name, counters and everything else that would take a look at more than the event. All of this
# is in syslog-ng's favour.
CONFIG = """@version: 3.38
options {{ threaded(yes); log-msg-size(1048576); use-dns(no); keep-hostname(yes); stats-freq(0); ts-format(iso);
           frac-digits(6); }};
source s_events {{
  unix-stream("{work}/syslog-ng.sock" flags(no-parse) max-connections(16) log-iw-size(40000) log-fetch-limit(1000)
              keep-alive(yes));
}};
parser p_event {{ json-parser(prefix(".e.")); }};
rewrite r_document {{
  subst("&", "&amp;", value(".e.content.text") type("string") flags("substring" "global"));
  subst("<", "&lt;", value(".e.content.text") type("string") flags("substring" "global"));
  subst(">", "&gt;", value(".e.content.text") type("string") flags("substring" "global"));
  set("$(uuid)" value(".e.id"));
}};
destination d_lea {{
  http(url("https://127.0.0.1:{port}/hi") method("POST") headers("Content-Type: application/xml")
       {body}
       workers({workers}) batch-lines({lines}) batch-timeout(10) persist-name("lea")
       tls(ca-file("{certs}/lea-ca.pem") cert-file("{certs}/csp.pem") key-file("{certs}/csp.key") peer-verify(yes))
       disk-buffer(reliable(yes) disk-buf-size(8589934592) mem-buf-size(268435456) dir("{work}/syslog-ng-buffer")));
}};
log {{ source(s_events); parser(p_event); rewrite(r_document); destination(d_lea); flags(flow-control); }};
"""


def template(document: str) -> tuple[str, str, str]:
    """What comes before the action, the action and what comes after it, of a document of ours, with syslog-ng's macros
    in the places of what the event said."""
    document = document.replace("?>\n", "?>", 1)
    if "'" in document or "$" in document:
        raise BenchError("the document cannot be quoted for syslog-ng")
    begin, end = document.index("<ActionRequest>"), document.index("</ActionRequest>") + len("</ActionRequest>")
    action = document[begin:end]
    identifier = re.search(r"<Identifier>([^<]+)", action)
    assert identifier is not None
    action = action.replace(identifier.group(1), "${.e.id}")
    for pattern, macro in (
            (r"(<d:LIID>LIID-)[^<]+", "${.e.conversation.id}"),
            (r"(<identifier>)u-\d+", "${.e.sender.user_id}"),
            (r"(<identifier>)4477\d+", "${.e.sender.msisdn}"),
            (r"(<identifier>)r-\d+", "${.e.receiver.user_id}"),
            (r"(<untyped>)u-\d+", "${.e.sender.user_id}"),
            (r"(<internationalE164>)\d+", "${.e.sender.msisdn}"),
            (r"(<untyped>)r-\d+", "${.e.receiver.user_id}"),
            (r"(<timestamp>)[^<]+", "${.e.timestamp}"), (r"(<time>)[^<]+", "${.e.timestamp}"),
            (r"(<received>)[^<]+", "${R_ISODATE}"), (r"(<eventId>)[^<]+", "${.e.event_id}"),
            (r"(<service>)[^<]+", "${.e.service}"), (r"(<eventType>)[^<]+", "${.e.event_type}"),
            (r"(<conversation><id>)[^<]+", "${.e.conversation.id}"), (r"(<kind>)[^<]+", "${.e.conversation.kind}"),
            (r"(<text>)[^<]+", "${.e.content.text}"),
            (r"(<name>status</name><value>)[^<]+", "${.e.parameters.status}"),
            (r"(<name>device_id</name><value>)[^<]+", "${.e.parameters.device_id}")):
        action, changed = re.subn(pattern, lambda found, macro=macro: found.group(1) + macro, action)
        if changed == 0:
            raise BenchError(f"the document has no place for {macro}")
    return document[:begin], action, document[end:]


class SyslogNg:
    """A running syslog-ng and what it reaches."""

    def __init__(self, rig: Rig, lea: Lea, process: subprocess.Popen[bytes]):
        self.rig, self.lea, self.process = rig, lea, process

    def send(self, events: int) -> dict[str, float]:
        """Events per second, from the first one sent to the last one accepted by the LEA."""
        before, busy = self.lea.accepted(), cpu_seconds(self.process.pid)
        each = events // SENDERS
        start = time.monotonic()
        senders = [subprocess.Popen(self.rig.load_command(each, "--raw", "--batch", 20, "--users", 1000,
                                                          target="syslog-ng.sock"), stdout=subprocess.DEVNULL)
                   for _ in range(SENDERS)]
        if any([sender.wait() for sender in senders]):
            raise BenchError("syslog-ng closed a connection")
        wait_until(lambda: self.lea.accepted() >= before + each * SENDERS, 300, "syslog-ng's documents", every=0.02)
        taken = time.monotonic() - start
        return {"rate": each * SENDERS / taken,
                "cost_us": (cpu_seconds(self.process.pid) - busy) / (each * SENDERS) * 1e6}


@contextlib.contextmanager
def syslog_ng(rig: Rig, lea: Lea, workers: int, lines: int) -> Iterator[SyslogNg]:
    """With that many workers, and as many events in one message to the LEA."""
    before, action, after = template(rig.sample_document().read_text())
    body = (f"body-prefix('{before}') body('{action}') delimiter('') body-suffix('{after}')" if lines > 1 else
            f"body('{before}{action}{after}')")
    rig.empty("syslog-ng-buffer")
    for name in ("syslog-ng.sock", "syslog-ng.persist"):
        (rig.work / name).unlink(missing_ok=True)
    config = rig.work / "syslog-ng.conf"
    config.write_text(CONFIG.format(work=rig.work, certs=rig.certs, port=lea.port, body=body, workers=workers,
                                    lines=lines))
    log = rig.work / "syslog-ng.log"
    with open(log, "wb") as out:
        process = rig.start("syslog-ng", "-F", "--no-caps", "-f", config, "-R", rig.work / "syslog-ng.persist", "-p",
                            rig.work / "syslog-ng.pid", "-c", rig.work / "syslog-ng.ctl", stdout=out, stderr=out)

    def up() -> bool:
        if process.poll() is not None:
            raise BenchError("syslog-ng ended:\n" + log.read_text()[-2000:])
        return (rig.work / "syslog-ng.sock").exists()

    try:
        wait_until(up, 20, "syslog-ng")
        running = SyslogNg(rig, lea, process)
        unreadable = lea.totals()["unreadable"]
        running.send(WARM_UP)
        if lea.totals()["unreadable"] != unreadable:
            raise BenchError("the LEA cannot read syslog-ng's documents")
        yield running
    finally:
        rig.stop(process)


def received_document(rig: Rig, lines: int) -> str:
    """A message as the LEA gets it from syslog-ng, for inspection."""
    output: pathlib.Path = rig.work / "received-syslog-ng"
    rig.empty(output.name)
    with rig.lea("--output", output) as lea, syslog_ng(rig, lea, 1, lines):
        found = sorted(output.rglob("*.xml"), key=lambda path: path.stat().st_size)
        return found[-1].read_text()


def best_workers(rig: Rig, lea: Lea, lines: int) -> tuple[int, dict[str, float]]:
    """Which number of workers is fastest here, and what each reached."""
    rates = {}
    for workers in WORKERS:
        with syslog_ng(rig, lea, workers, lines) as running:
            rates[str(workers)] = round(running.send(max(WARM_UP, rig.sizes.events // 3))["rate"])
    return int(max(rates, key=lambda workers: rates[workers])), rates
