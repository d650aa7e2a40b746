"""The dashboards of packaging/grafana name metrics, labels and variables that exist, and can be laid out."""

import json
import re
import shutil
import subprocess
import tempfile
import unittest

import expressions
import rules

DASHBOARDS = ("operations.json", "destination.json")


def load(name):
    return json.loads(expressions.source_text("packaging", "grafana", name))


def panels_of(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


class Dashboards(unittest.TestCase):
    def test_every_query_names_what_exists(self):
        metrics = rules.metrics_and_records()
        for name in DASHBOARDS:
            dashboard = load(name)
            variables = {"$" + variable["name"] for variable in dashboard["templating"]["list"]}
            for panel in panels_of(dashboard):
                for target in panel["targets"]:
                    with self.subTest(name, panel=panel["title"]):
                        expression = target["expr"]
                        self.assertEqual([], expressions.problems_of(expression, metrics, variables))
                        used = set(re.findall(r"\$\w+", expression)) - {"$__rate_interval"}
                        self.assertLessEqual(used, variables)
                        self.assertIn("$instance", used, "a panel shows the daemon that was chosen")
                        self.check_kinds(expression, metrics)
                        self.check_legend(target, metrics)

    def check_kinds(self, expression, metrics):
        """A counter is shown as a rate: its own height depends on when the daemon started."""
        for name in expressions.names_in(expression) & set(metrics):
            if metrics[name].kind in ("counter", "histogram"):
                self.assertRegex(expression, r"(rate|increase)\(" + name)

    def check_legend(self, target, metrics):
        named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        grouped = re.findall(r"\bby \(([^)]*)\)", target["expr"])
        if grouped:
            self.assertLessEqual(named, set(grouped[0].split(", ")))
            return
        labels = set(expressions.TARGET_LABELS)
        for name in expressions.names_in(target["expr"]) & set(metrics):
            labels |= set(metrics[name].labels)
        self.assertLessEqual(named, labels)

    def test_variables_ask_for_what_exists(self):
        metrics = rules.metrics_and_records()
        for name in DASHBOARDS:
            for variable in load(name)["templating"]["list"]:
                if variable["type"] != "query":
                    continue
                metric, which, label = re.fullmatch(r"label_values\((\w+)(\{[^}]*\})?, (\w+)\)",
                                                    variable["query"]["query"]).groups()
                self.assertIn(label, expressions.TARGET_LABELS | set(metrics[metric].labels))
                self.assertEqual([], expressions.problems_of(metric + (which or ""), metrics))

    def test_panels_have_their_own_places(self):
        for name in DASHBOARDS:
            taken = {}
            dashboard = load(name)
            self.assertEqual(len(dashboard["panels"]), len({panel["id"] for panel in dashboard["panels"]}))
            for panel in dashboard["panels"]:
                place = panel["gridPos"]
                self.assertLessEqual(place["x"] + place["w"], 24)
                for x in range(place["x"], place["x"] + place["w"]):
                    for y in range(place["y"], place["y"] + place["h"]):
                        self.assertIsNone(taken.get((x, y)), f"{panel['title']} lies on {taken.get((x, y))}")
                        taken[x, y] = panel["title"]

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed: the queries are NOT tested")
    def test_a_daemon_that_does_not_answer_is_seen(self):
        """Beside one that does."""
        queries = {panel["title"]: [target["expr"] for target in panel["targets"]] for panel in panels_of(load("operations.json"))
                   + panels_of(load("destination.json"))}
        up = [{"series": f'up{{job="lihandoverd",instance="{name}"}}', "values": values}
              for name, values in (("a", "1x5 0x60"), ("b", "1x60"))]
        ready = [{"series": f'lihandover_ready{{job="lihandoverd",instance="{name}"}}', "values": values}
                 for name, values in (("a", "1x5 stale"), ("b", "1x60"))]
        tests = [{"interval": "1m", "input_series": up + ready, "promql_expr_test": [
            {"expr": queries["Ready"][0].replace("$instance", ".*"), "eval_time": "5m",
             "exp_samples": [{"labels": "{}", "value": 1}]},
            {"expr": queries["Ready"][0].replace("$instance", ".*"), "eval_time": "20m",
             "exp_samples": [{"labels": "{}", "value": 0}]},
            {"expr": queries["Paused because of"][1].replace("$instance", ".*"), "eval_time": "20m",
             "exp_samples": [{"labels": '{job="lihandoverd",instance="a"}', "value": 1}]}]}]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
            json.dump({"tests": tests}, file)
            file.flush()
            done = subprocess.run(["promtool", "test", "rules", file.name], capture_output=True, text=True, timeout=60)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed: the queries' syntax is NOT tested")
    def test_prometheus_can_read_every_query(self):
        queries = [target["expr"].replace("$__rate_interval", "5m")
                   for name in DASHBOARDS for panel in panels_of(load(name)) for target in panel["targets"]]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
            json.dump({"groups": [{"name": "queries", "rules": [{"record": f"query:{number}", "expr": query}
                                                                for number, query in enumerate(queries)]}]}, file)
            file.flush()
            done = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True, timeout=60)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn(f"{len(queries)} rules found", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
