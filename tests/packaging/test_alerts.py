"""Each alert fires on the series that it is for, and not on those of a good daemon, nor on those that nearly are."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import expressions
import rules

TARGET = {"instance": "csp-a:9464", "job": "lihandoverd"}
NOW = 2_000_000_000


class Case:
    """Series by name and labels, with promtool's notation of their values: one each minute.
    fires, quiet: two histories, judged `after` the same time
    labels: of the alert, beside the target's"""

    def __init__(self, fires, quiet, labels=None, after="30m"):
        self.fires, self.quiet, self.labels, self.after = fires, quiet, labels or {}, after


def grows(series, labels=None, **more):
    """A counter that grows, and one that stands still at a height."""
    return Case({series: "5x20 6x200"}, {series: "5x200"}, labels, **more)


def is_one(series, labels=None, **more):
    return Case({series: "1x200"}, {series: "0x200"}, labels, **more)


LEA = {"destination": "lea-one"}
EMERGENCY = {**LEA, "priority": "emergency"}
ROUTINE = {**LEA, "priority": "routine"}
LOCAL = {"source": "local"}
POINT = {"source": "as-1"}
OWN = '{role="destination",name="lea-one",kind="own",number="1"}'
OWN_LABELS = {"role": "destination", "name": "lea-one", "kind": "own", "number": "1"}
CRL = OWN.replace("own", "crl")
EXPIRY = "lihandover_certificate_expiry_timestamp_seconds"
ATTEMPTS = 'lihandover_delivery_attempts_total{destination="lea-one",outcome="%s"}'
DELIVERED = 'lihandover_items_total{destination="lea-one",outcome="delivered"}'
AGE = 'lihandover_outbox_oldest_age_seconds{destination="lea-one",priority="%s"}'
QUEUED = 'lihandover_outbox_items{destination="lea-one",state="queued"}'
PAUSED = 'lihandover_destination_paused{destination="lea-one",reason="tls"}'
ACCEPTED = 'lihandover_events_accepted_total{source="as-1"}'
WAITING = 'lihandover_x2x3_waiting_bytes{source="as-1"}'
PDUS = 'lihandover_x2x3_pdus_total{source="as-1",outcome="%s"}'
COMMITS = 'lihandover_store_commit_seconds_bucket{le="%s"}'


def seconds(since_start):
    """promtool's clock starts at 0."""
    return f"{since_start}x200"


def waits(state):
    series = 'lihandover_outbox_items{destination="lea-one",state="%s"}'
    return Case({series % state: "0 1x200"}, {series % "queued": "7x200", series % state: "0x200"},
                {**LEA, "state": state})


def object_waits(state):
    series = 'lihandover_objects{destination="lea-one",state="%s"}'
    return Case({series % state: "0 1x200"}, {series % "queued": "7x200", series % state: "0x200"},
                {**LEA, "state": state})


CASES = {
    "LihandoverDown": [Case({"up": "1 0x60"}, {"up": "1 1 0 1x60"})],
    "LihandoverMetricsMissing": [
        Case({}, {"up": "1x60", "lihandover_ready": "1x60"}, {"instance": None}),
        Case({"up": "1x60", 'lihandover_ready{instance="csp-b:9464"}': "1x60"},
             {"up": "0x60"}),
    ],
    "LihandoverRestarting": [Case({"lihandover_start_time_seconds": "100x10 200x4 300x4 400x40"},
                                  {"lihandover_start_time_seconds": "100x10 200x4 300x40"})],
    "LihandoverNotReady": [
        Case({"lihandover_ready": "1 0x60"}, {"lihandover_ready": "1x27 0x1 1x60"}),
        # It comes and goes; a restart or two is not that.
        Case({"lihandover_ready": "1x2" + " 0 0 1" * 20}, {"lihandover_ready": "1x20 0 1x60"}),
    ],
    "LihandoverReloadFailed": [
        grows('lihandover_reloads_total{outcome="failed"}', {"outcome": "failed"}),
        Case({'lihandover_reloads_total{outcome="partial"}': "0x10 1x60"},
             {'lihandover_reloads_total{outcome="done"}': "0x10 1x60"}, {"outcome": "partial"}),
    ],
    "LihandoverClockUnsynchronised": [is_one("lihandover_clock_unsynchronised")],
    "LihandoverClockUntrusted": [is_one("lihandover_clock_untrusted")],
    "LihandoverSourceRefused": [
        Case({'lihandover_intake_answers_total{source="local",code="503"}': "0x20 1x60"},
             {'lihandover_intake_answers_total{source="local",code="202"}': "0+5x60",
              'lihandover_intake_answers_total{source="local",code="503"}': "3x60"}, LOCAL)],
    "LihandoverCopiesWait": [
        Case({WAITING: "0x10 4000x60", ACCEPTED: "0+5x10 50x60"}, {WAITING: "9000x60", ACCEPTED: "0+5x60"}, POINT),
        Case({WAITING: "0x10 4000x60", ACCEPTED.replace("as-1", "as-2"): "0+5x60"}, {WAITING: "0x28 4000x1 0x30",
             ACCEPTED: "50x60"}, POINT),
    ],
    "LihandoverEventsRejected": [
        Case({'lihandover_events_rejected_total{source="local",reason="malformed"}': "0x20 1x60",
              'lihandover_events_rejected_total{source="local",reason="future"}': "0x20 1x60"},
             {'lihandover_events_rejected_total{source="local",reason="unavailable"}': "0x20 9x60"}, LOCAL)],
    "LihandoverEventIdsReused": [grows("lihandover_event_ids_reused_total")],
    "LihandoverObjectsLost": [grows("lihandover_objects_lost_total")],
    "LihandoverSequenceGaps": [grows('lihandover_x2x3_sequence_gaps_total{source="as-1"}', POINT)],
    "LihandoverPdusUnread": [
        Case({PDUS % "malformed": "0x20 1x60"}, {PDUS % "event": "0+9x60", PDUS % "keepalive": "0+1x60"}, POINT),
        Case({PDUS % "skipped": "0x20 1x60"}, {PDUS % "malformed": "4x60"}, POINT),
    ],
    "LihandoverPdusOfNoWarrant": [
        Case({PDUS % "unknown_xid": "0x10 0+1x200"}, {PDUS % "unknown_xid": "0x100 20x100"},
             {**POINT, "outcome": "unknown_xid"}, after="130m")],
    "LihandoverPointClockAhead": [grows('lihandover_x2x3_times_ahead_total{source="as-1"}', POINT)],
    "LihandoverWarrantFilesBad": [is_one("lihandover_warrant_files_bad")],
    "LihandoverWarrantWithdrawn": [grows("lihandover_warrants_withdrawn_total")],
    "LihandoverWarrantsUnconfirmed": [is_one("lihandover_warrants_unconfirmed")],
    "LihandoverWarrantsUnapproved": [Case({"lihandover_warrants_unapproved": "2x300"},
                                          {"lihandover_warrants_unapproved": "0x100 2x200"}, after="5h")],
    "LihandoverReviewOverdue": [is_one("lihandover_review_overdue_items")],
    "LihandoverDestinationPaused": [
        Case({'lihandover_destination_paused{destination="lea-one",reason="tls"}': "1x60"},
             {'lihandover_destination_paused{destination="lea-one",reason="tls"}': "0x60",
              'lihandover_destination_paused{destination="lea-one",reason="operator"}': "1x60"},
             {**LEA, "reason": "tls"})],
    "LihandoverUploadsPaused": [
        Case({'lihandover_uploads_paused{destination="lea-one",reason="credentials"}': "1x60"},
             {'lihandover_uploads_paused{destination="lea-one",reason="credentials"}': "0x60",
              'lihandover_uploads_paused{destination="lea-one",reason="operator"}': "1x60"},
             {**LEA, "reason": "credentials"})],
    "LihandoverPausedByOperator": [
        Case({'lihandover_destination_paused{destination="lea-one",reason="operator"}': "1x300"},
             {'lihandover_destination_paused{destination="lea-one",reason="operator"}': "0x200 1x100"},
             {**LEA, "reason": "operator"}, after="5h"),
        Case({'lihandover_uploads_paused{destination="lea-one",reason="operator"}': "1x300"},
             {'lihandover_uploads_paused{destination="lea-one",reason="unavailable"}': "1x300"},
             {**LEA, "reason": "operator"}, after="5h"),
    ],
    "LihandoverDestinationFailing": [
        Case({ATTEMPTS % "timed_out": "0+1x60", DELIVERED: "9x60", QUEUED: "3x60"},
             {ATTEMPTS % "timed_out": "0+1x60", DELIVERED: "9+1x60", QUEUED: "3x60"}, LEA),
        Case({ATTEMPTS % "server_error": "0+1x60", ATTEMPTS % "answered": "4x60", DELIVERED: "0x60", QUEUED: "3x60"},
             {ATTEMPTS % "server_error": "0+1x60", DELIVERED: "0x60", QUEUED: "0x60"}, LEA),
        # A pause is an alert of its own.
        Case({ATTEMPTS % "timed_out": "0+1x60", DELIVERED: "0x60", QUEUED: "3x60", PAUSED: "0x60"},
             {ATTEMPTS % "timed_out": "0+1x60", DELIVERED: "0x60", QUEUED: "3x60", PAUSED: "0x9 1x60"}, LEA),
    ],
    "LihandoverEmergencyWaitsLong": [
        Case({AGE % "emergency": "0 70x60", AGE % "routine": "0x60"},
             {AGE % "emergency": "0x20 50x60", AGE % "routine": "250x60"}, EMERGENCY)],
    "LihandoverEmergencyWaitsTooLong": [
        Case({AGE % "emergency": "0x20 310x60", AGE % "routine": "0x60"},
             {AGE % "emergency": "290x60", AGE % "routine": "3000x60"}, EMERGENCY),
        # A destination is resumed, and all of it goes at once.
        Case({AGE % "emergency": "310x60"}, {AGE % "emergency": "0x20 900 0x60"}, EMERGENCY)],
    "LihandoverItemsWaitLong": [
        Case({AGE % "routine": "0+60x60", AGE % "emergency": "0x60"},
             {AGE % "routine": "0x20 280x60", AGE % "emergency": "900x60"}, ROUTINE)],
    "LihandoverItemsWaitTooLong": [
        Case({AGE % "routine": "0+60x100", AGE % "emergency": "0x100"},
             {AGE % "routine": "3500x100", AGE % "emergency": "9000x100"}, ROUTINE, after="80m")],
    "LihandoverItemsRefused": [waits("refused")],
    "LihandoverItemsSetAside": [waits("set_aside")],
    "LihandoverObjectsRefused": [object_waits("refused")],
    "LihandoverObjectsSetAside": [object_waits("set_aside")],
    "LihandoverDocumentsInvalid": [
        Case({'lihandover_documents_validated_total{destination="lea-one",outcome="invalid"}': "0x20 1x60"},
             {'lihandover_documents_validated_total{destination="lea-one",outcome="valid"}': "0+1x60"},
             {**LEA, "outcome": "invalid"})],
    "LihandoverDownloadsLimited": [grows("lihandover_downloads_limited_total")],
    "LihandoverStoreHalfFull": [
        Case({'lihandover_store_fill_alarm{percent="50"}': "1x60"}, {'lihandover_store_fill_alarm{percent="50"}': "0x60"},
             {"percent": "50"})],
    "LihandoverStoreNearlyFull": [
        Case({'lihandover_store_fill_alarm{percent="80"}': "1x60"},
             {'lihandover_store_fill_alarm{percent="50"}': "1x60", 'lihandover_store_fill_alarm{percent="80"}': "0x60"},
             {"percent": "80"})],
    "LihandoverStoreNotAccepting": [Case({"lihandover_store_accepting": "1 0x60"}, {"lihandover_store_accepting": "1x60"})],
    "LihandoverStoreFailing": [grows('lihandover_store_failures_total{kind="io_error"}', {"kind": "io_error"})],
    "LihandoverStoreSlow": [
        Case({COMMITS % "0.5": "0+90x60", COMMITS % "1": "0+97x60", COMMITS % "5": "0+100x60", COMMITS % "+Inf": "0+100x60"},
             {COMMITS % "0.5": "0+90x60", COMMITS % "1": "0+100x60", COMMITS % "5": "0+100x60",
              COMMITS % "+Inf": "0+100x60"})],
    "LihandoverRestoreUnrecorded": [is_one("lihandover_audit_restore_unrecorded")],
    "LihandoverStoreRestored": [is_one("lihandover_store_restored")],
    "LihandoverAuditChainShorter": [
        Case({"lihandover_audit_entries": "900x20 400+1x60"}, {"lihandover_audit_entries": "900x20 900+1x60"}),
        # It was down for a day; promtool's clock starts at 0.
        Case({"lihandover_audit_entries": "900x20 _x1440 400+1x60", "lihandover_start_time_seconds": "0x20 _x1440 87600x60"},
             {"lihandover_audit_entries": "900x20 _x1440 900+1x60", "lihandover_start_time_seconds": "0x20 _x1440 87600x60"},
             after="1490m"),
    ],
    "LihandoverRecordsUnreadable": [grows("lihandover_records_unreadable_total")],
    "LihandoverDownloadsUnrecorded": [grows("lihandover_downloads_unrecorded_total")],
    "LihandoverCertificateEnds": [
        Case({EXPIRY + OWN: seconds(13 * 86400)}, {EXPIRY + OWN: seconds(15 * 86400), EXPIRY + CRL: seconds(86400)},
             OWN_LABELS)],
    "LihandoverCertificateEndsSoon": [
        Case({EXPIRY + OWN: seconds(86400)}, {EXPIRY + OWN: seconds(3 * 86400), EXPIRY + CRL: seconds(86400)}, OWN_LABELS)],
    "LihandoverRevocationListEnds": [
        Case({EXPIRY + CRL: seconds(3600)}, {EXPIRY + CRL: seconds(4 * 3600), EXPIRY + OWN: seconds(3600)},
             {**OWN_LABELS, "kind": "crl"})],
    "LihandoverTlsFilesBad": [
        is_one('lihandover_tls_files_bad{role="intake",name="messaging"}', {"role": "intake", "name": "messaging"})],
}

BUCKETS = 'lihandover_delivery_seconds_bucket{destination="lea-one",le="%s"}'
# Of 100 items each minute 60 within a second, 95 within a minute, and all within five.
DELIVERIES = {BUCKETS % "1": "0+60x2000", BUCKETS % "60": "0+95x2000", BUCKETS % "300": "0+100x2000",
              BUCKETS % "+Inf": "0+100x2000", 'lihandover_delivery_seconds_count{destination="lea-one"}': "0+100x2000"}
DELIVERIES_3 = {name.replace('le="60"', 'le="60.0"'): values for name, values in DELIVERIES.items()}
# Of either priority.
WAITED = {AGE % "emergency": "0+30x30", AGE % "routine": "0x30"}
WAITED_LATE = {AGE % "emergency": "0x300", AGE % "routine": "10x89 900x200"}
# Record: its series, their histories, and what has to come of them after some time.
RECORDED = {
    "instance:lihandover_available": [({"lihandover_ready": "1x9", "up": "1x9"}, "5m", 1),
                                      ({"lihandover_ready": "0x9", "up": "1x9"}, "5m", 0), ({"up": "0x9"}, "5m", 0)],
    "instance:lihandover_available:ratio_1d": [({"lihandover_ready": "1x89 0x200", "up": "1x300"}, "119m", 0.75)],
    "instance:lihandover_available:ratio_30d": [({"lihandover_ready": "1x89 0x200", "up": "1x300"}, "119m", 0.75)],
    "source:lihandover_events_received:rate5m": [
        ({'lihandover_events_received_total{source="local"}': "0+120x30"}, "20m", 2)],
    "source:lihandover_events_unavailable:ratio_1h": [
        ({'lihandover_events_received_total{source="local"}': "0+120x90",
          'lihandover_events_rejected_total{source="local",reason="unavailable"}': "0+30x90",
          'lihandover_events_rejected_total{source="local",reason="malformed"}': "0+30x90"}, "80m", 0.25)],
    "destination:lihandover_items_queued:rate5m": [
        ({'lihandover_items_total{destination="lea-one",outcome="queued"}': "0+120x30", DELIVERED: "0+60x30"}, "20m", 2)],
    "destination:lihandover_items_delivered:rate5m": [
        ({'lihandover_items_total{destination="lea-one",outcome="queued"}': "0+120x30", DELIVERED: "0+60x30"}, "20m", 1)],
    "destination:lihandover_delivery_seconds:p50_1h": [(DELIVERIES, "80m", 50 / 60)],
    "destination:lihandover_delivery_seconds:p95_1h": [(DELIVERIES, "80m", 60)],
    "destination:lihandover_delivery_seconds:p99_1h": [(DELIVERIES, "80m", 60 + 240 * 4 / 5)],
    "destination:lihandover_delivered_within_1m:ratio_1d": [(DELIVERIES, "80m", 0.95), (DELIVERIES_3, "80m", 0.95)],
    "destination:lihandover_delivered_within_1m:ratio_30d": [(DELIVERIES, "80m", 0.95), (DELIVERIES_3, "80m", 0.95)],
    "destination:lihandover_waiting_over_1m": [(WAITED, "2m", 0), (WAITED, "3m", 1)],
    "destination:lihandover_waiting_over_1m:ratio_1d": [(WAITED_LATE, "119m", 0.25)],
    "destination:lihandover_waiting_over_1m:ratio_30d": [(WAITED_LATE, "119m", 0.25)],
}

# Alerts by what goes on for a while, whatever was counted before the first look.
OF_A_WHILE = {"LihandoverPdusOfNoWarrant", "LihandoverDestinationFailing", "LihandoverCopiesWait"}

# The counters that grow on a daemon with traffic and no trouble, and the gauges that are not 0. The rest is 0.
BUSY = {
    "lihandover_events_received_total": "0+60x400", "lihandover_events_accepted_total": "0+60x400",
    "lihandover_events_repeated_total": "0+1x400", "lihandover_intake_received_bytes_total": "0+6000x400",
    "lihandover_intake_answers_total:202": "0+60x400", "lihandover_x2x3_pdus_total:event": "0+60x400",
    "lihandover_x2x3_pdus_total:no_event": "0+60x400", "lihandover_x2x3_pdus_total:repeat": "0+60x400",
    "lihandover_x2x3_pdus_total:keepalive": "0+60x400", "lihandover_items_total:queued": "0+6x400",
    "lihandover_items_total:delivered": "0+6x400", "lihandover_outbox_items:queued": "2x400",
    "lihandover_outbox_items:held": "2x400", "lihandover_outbox_oldest_age_seconds": "1x400",
    "lihandover_review_oldest_age_seconds": "600x400", "lihandover_delivery_attempts_total:answered": "0+6x400",
    "lihandover_delivery_attempts_total:disconnected": "0+1x400", "lihandover_documents_validated_total:valid": "0+6x400",
    "lihandover_objects:queued": "2x400", "lihandover_objects:offered": "9x400", "lihandover_uploads_total:delivered": "0+2x400",
    "lihandover_downloads_denied_total": "0+1x400", "lihandover_store_max_bytes": "1000000x400",
    "lihandover_store_bytes": "100000x400", "lihandover_store_accepting": "1x400", "lihandover_audit_entries": "500+9x400",
    "lihandover_warrants:active": "9x400", "lihandover_warrants:expired": "9x400", "lihandover_warrants_revoked": "1x400",
    "lihandover_warrants_test": "1x400", "lihandover_reloads_total:done": "0+1x400", "lihandover_ready": "1x400",
    EXPIRY: f"{NOW}x400", "lihandover_start_time_seconds": "1000x400", "lihandover_build_info": "1x400", "up": "1x400",
}
NAMES = {"source": "local", "destination": "lea-one", "name": "lea-one", "number": "1", "version": "1", "compiler": "1"}


def with_target(series):
    """name{labels} with those of the target, where it has no others."""
    name, _, labels = series.partition("{")
    found = dict((label, value) for label, _, value in expressions.matchers("{" + labels)) if labels else {}
    found = {**TARGET, **found}
    return name + "{" + ",".join(f'{label}="{value}"' for label, value in found.items()) + "}"


def inputs(series):
    return [{"series": with_target(name), "values": values} for name, values in series.items()]


def good_series():
    """All that is declared."""
    series = {}
    for name, metric in expressions.declared().items():
        if name.endswith("_bucket"):
            continue
        sets = [{}]
        for label, values in metric.labels.items():
            sets = [{**one, label: value} for one in sets for value in sorted(values or {NAMES[label]})]
        for labels in sets:
            text = ",".join(f'{label}="{value}"' for label, value in labels.items())
            value = next((BUSY[key] for key in [f"{name}:{value}" for value in labels.values()] + [name] if key in BUSY),
                         "0x400")
            series[name + ("{" + text + "}" if text else "")] = value
    for bound in ("0.01", "+Inf"):
        series[COMMITS % bound] = "0+60x400"
        series[BUCKETS % bound] = "0+6x400"
    return series


def expected(alert, labels):
    """The alert as promtool is to see it."""
    rule = rules.alerts()[alert]
    every = {**TARGET, **labels}
    if labels.get("instance", "") is None:
        every.pop("instance")
    texts = {name: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: every[found.group(1)], text)
             for name, text in rule["annotations"].items()}
    return {"exp_labels": {**every, **rule["labels"]}, "exp_annotations": texts}


def just_before(duration):
    """The minute before it has passed, since the clock started."""
    return f"{int(duration[:-1]) * {'m': 1, 'h': 60}[duration[-1]] - 1}m"


class Alerts(unittest.TestCase):
    maxDiff = None

    def test_each_has_a_case_and_a_link_to_its_paragraph(self):
        self.assertEqual(set(rules.alerts()), set(CASES))
        self.assertEqual(set(rules.records()), set(RECORDED))
        text = expressions.source_text("docs", "operations.md")
        headings = re.findall(r"^### (Lihandover\w+)$", text, re.M)
        self.assertEqual(sorted(rules.alerts()), sorted(headings), "a paragraph for each alert, and an alert for each")
        for name, rule in rules.alerts().items():
            self.assertEqual({"summary", "runbook"}, set(rule["annotations"]), name)
            self.assertEqual("docs/operations.md#" + name.lower(), rule["annotations"]["runbook"])
            self.assertIn(rule["labels"]["severity"], ("critical", "warning"), name)

    def test_links_into_the_operators_document_lead_somewhere(self):
        text = expressions.source_text("docs", "operations.md")
        slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", text, re.M)}
        links = set(re.findall(r"\]\(#([^)]*)\)", text))
        for name in sorted(os.listdir(os.path.join(expressions.SOURCE, "docs"))):
            if name.endswith(".md"):
                links |= set(re.findall(r"\(operations\.md#([^)]*)\)", expressions.source_text("docs", name)))
        self.assertGreater(len(links), 10)
        self.assertEqual(set(), links - slugs)

    def test_every_name_is_declared(self):
        metrics = rules.metrics_and_records()
        for rule in rules.rules():
            with self.subTest(rule.get("alert") or rule["record"]):
                self.assertEqual([], expressions.problems_of(rule["expr"], metrics))
                labels = {label for name in expressions.names_in(rule["expr"]) & set(metrics)
                          for label in metrics[name].labels} | expressions.TARGET_LABELS
                for text in rule.get("annotations", {}).values():
                    self.assertLessEqual(set(re.findall(r"\$labels\.(\w+)", text)), labels)

    def test_a_name_that_nobody_declares_is_found(self):
        metrics = rules.metrics_and_records()
        for expression in ("lihandover_no_such_thing > 0", 'lihandover_ready{source="local"} == 0',
                           'lihandover_outbox_items{state="waiting"} > 0', "sum by (source) (lihandover_outbox_items)",
                           'lihandover_x2x3_pdus_total{outcome=~"malformed|skiped"}'):
            self.assertTrue(expressions.problems_of(expression, metrics), expression)


@unittest.skipUnless(shutil.which("promtool"), "promtool is not installed (Debian's prometheus): the rules are NOT tested")
class Promtool(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = temporary.name
        self.rules = os.path.join(expressions.SOURCE, *rules.FILE)

    def promtool(self, *arguments):
        done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=120)
        self.assertEqual(0, done.returncode, done.stdout[-6000:] + done.stderr[-6000:])

    def write(self, name, content):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(content, file)
        return path

    def run_tests(self, tests):
        self.promtool("test", "rules", self.write("tests.yaml", {"rule_files": [self.rules], "evaluation_interval": "1m",
                                                                 "tests": tests}))

    def test_rules_and_the_example_are_well_formed(self):
        self.promtool("check", "rules", "--lint=all", "--lint-fatal", self.rules)
        self.promtool("check", "config", "--syntax-only",
                      os.path.join(expressions.SOURCE, "packaging", "prometheus", "scrape.yaml"))

    def alone(self, alert, tests):
        """A file of its own, since promtool evaluates all that is in one."""
        rule = self.write(alert + ".rules.yaml", {"groups": [{"name": "alone", "rules": [rules.alerts()[alert]]}]})
        return self.write(alert + ".yaml", {"rule_files": [rule], "evaluation_interval": "1m", "tests": tests})

    def test_each_fires_and_is_quiet(self):
        files = []
        for alert, cases in CASES.items():
            tests = []
            for case in cases:
                for history, alarms in ((case.fires, [expected(alert, case.labels)]), (case.quiet, [])):
                    moments = [{"eval_time": case.after, "alertname": alert, "exp_alerts": alarms}]
                    if alarms and "for" in rules.alerts()[alert]:
                        moments.insert(0, {"eval_time": just_before(rules.alerts()[alert]["for"]), "alertname": alert,
                                           "exp_alerts": []})
                    tests.append({"interval": "1m", "input_series": inputs(history), "alert_rule_test": moments})
            files.append(self.alone(alert, tests))
        self.promtool("test", "rules", *files)

    def test_what_a_start_counts_is_seen(self):
        """Prometheus sees such a counter first when it stands where it stays."""
        by_count = {alert for alert, rule in rules.alerts().items() if "increase(" in rule["expr"]}
        self.assertLessEqual(OF_A_WHILE, by_count)
        files = []
        for alert in sorted(by_count - OF_A_WHILE):
            tests = []
            for case in CASES[alert]:
                history = {name: "1x10 _x120 1x80" for name in case.fires}
                for started, alarms in (("7800x80", [expected(alert, case.labels)]), ("0x80", [])):
                    series = {**history, "lihandover_start_time_seconds": "0x10 _x120 " + started}
                    tests.append({"interval": "1m", "input_series": inputs(series), "alert_rule_test": [
                        {"eval_time": "135m", "alertname": alert, "exp_alerts": alarms}]})
            files.append(self.alone(alert, tests))
        self.promtool("test", "rules", *files)

    def test_a_good_daemon_raises_none(self):
        series = inputs(good_series())
        # A gauge of seconds since 1970 is far ahead of promtool's clock, which starts at 0.
        self.run_tests([{"interval": "1m", "input_series": series,
                         "alert_rule_test": [{"eval_time": after, "alertname": alert, "exp_alerts": []}
                                             for alert in CASES for after in ("30m", "5h")]}])

    def test_what_is_recorded(self):
        tests = []
        for record, cases in RECORDED.items():
            for history, after, value in cases:
                tests.append({"interval": "1m", "input_series": inputs(history),
                              "promql_expr_test": [{"expr": f"round({record}, 0.001)", "eval_time": after,
                                                    "exp_samples": [{"labels": self.labels_of(history),
                                                                     "value": round(value, 3)}]}]})
        self.run_tests(tests)

    @staticmethod
    def labels_of(history):
        """Of what is recorded: the target's, and the one by which there are several."""
        label = next((f',{found}' for name in history for found in re.findall(r'(?:source|destination)="[^"]*"', name)), "")
        return "{" + ",".join(f'{name}="{value}"' for name, value in TARGET.items()) + label + "}"


if __name__ == "__main__":
    unittest.main(verbosity=2)
